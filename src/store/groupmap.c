/*
 * groupmap.c
 *	  For each table that this backend fetches rows from by number: all its row
 *	  groups' ranges of row numbers, kept from transaction to transaction.
 *
 * The map holds every descriptor that exists, visible or not, so it depends on no
 * snapshot; whoever uses a place asks the descriptor itself.  It can miss only
 * groups that were inserted after it was made.  Writers therefore count in the
 * metapage (ec_meta_announce) after they have inserted a descriptor: as long as
 * the count is what it was when the map was begun, nothing is missing.
 * Descriptors that were pruned since do no harm, row numbers are never used twice.
 *
 * When the count has changed, only what may be new is looked for: numbers of groups
 * handed out since, and those that had no descriptor yet (gaps).  A group's number
 * stands for the same rows for ever.  Masks come to any group, so all are listed.
 *
 * A range takes 48 bytes: a few kB for most tables, 29 MB for 600,000 groups that
 * nobody has compacted.  Ranges of groups that are gone leave the map when it is
 * made anew, after a change of the table or a VACUUM (relcache invalidation).
 *
 * Ranges of different groups may overlap (a group and the one that it was merged
 * into, rows of concurrent writers in numbered groups).  The ranges sorted by
 * their first number are an implicit balanced tree: the middle of a slice is its
 * root, and keeps the greatest end within the slice.
 */
#include "postgres.h"

#include "access/genam.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/lookup.h"
#include "store/groupmap.h"
#include "store/page.h"

typedef struct MapNode
{
	EcGroupPlace place;
	int64 max_end; /* of the slice whose root this is */
} MapNode;

/* Numbers of row groups that had no descriptor. */
typedef struct Gap
{
	int64 first;
	int64 end;
} Gap;

/* With more gaps than this, all descriptors are read again. */
#define GAPS_MAX 256

typedef struct GroupMap
{
	Oid relid; /* key */
	RelFileLocator locator;
	uint32 changes; /* the metapage's count when the map was begun */
	bool stale;
	MemoryContext context; /* of what follows; NULL: there is no map */
	int64 next_group;	   /* descriptors of numbers below are there ... */
	Gap *gaps;			   /* ... or these */
	uint32 ngaps;
	MapNode *nodes;
	uint32 count;
	uint32 capacity;
} GroupMap;

static HTAB *maps;

/* ------------------------------------------------------------------------
 * Building
 * ------------------------------------------------------------------------
 */

typedef struct Building
{
	MemoryContext context;
	MapNode *nodes;
	uint32 count;
	uint32 capacity;
	Gap *gaps;
	uint32 ngaps;
	uint32 gaps_capacity;
	int64 before;  /* the number met last */
	int64 *masked; /* numbers of groups with masks, descending */
	uint32 nmasked;
	uint32 masked_capacity;
} Building;

/* One more place in an array. */
static void *
make_room(Building *b, void *array, uint32 count, uint32 *capacity, Size size)
{
	if (count < *capacity)
		return array;
	*capacity = Max(*capacity * 2, 16);
	return array == NULL ? MemoryContextAlloc(b->context, *capacity * size)
						 : repalloc_huge(array, *capacity * size);
}

static void
add_node(Building *b, const EcGroupPlace *place)
{
	b->nodes = make_room(b, b->nodes, b->count, &b->capacity, sizeof(MapNode));
	b->nodes[b->count++].place = *place;
}

/* Between that number and the one met before it. */
static void
add_gap(Building *b, int64 number)
{
	if (number + 1 < b->before)
	{
		b->gaps = make_room(b, b->gaps, b->ngaps, &b->gaps_capacity, sizeof(Gap));
		b->gaps[b->ngaps].first = number + 1;
		b->gaps[b->ngaps++].end = b->before;
	}
	b->before = number;
}

static void
add_descriptor(EcCompanion *c, HeapTuple tuple, const EcCatalogTuple *opened, void *arg)
{
	EcGroupPlace place = {.tid = tuple->t_self};
	EcDescriptor desc;

	if (!ec_catalog_read_tuple(c->main, tuple, &desc))
		return;
	add_gap(arg, desc.number);
	place.number = desc.number;
	place.numbered = desc.numbered;
	for (uint32 i = 0; i < desc.nranges; i++)
	{
		place.first = desc.ranges[i].first;
		place.end = place.first + desc.ranges[i].count;
		add_node(arg, &place);
		place.row += (uint32) desc.ranges[i].count;
	}
}

static void
add_descriptors(EcCompanion *c, Building *b, int64 first, int64 end)
{
	b->before = end;
	ec_lookup_all(c, EC_CATALOG_GROUP, first, end, add_descriptor, b);
	add_gap(b, first - 1);
}

/* Masks come by descending number, so each group's are neighbours. */
static void
add_mask(EcCompanion *c, HeapTuple tuple, const EcCatalogTuple *opened, void *arg)
{
	Building *b = arg;
	int64 group = EC_MASK_GROUP(opened->number);

	if (b->nmasked > 0 && b->masked[b->nmasked - 1] == group)
		return;
	b->masked = make_room(b, b->masked, b->nmasked, &b->masked_capacity, sizeof(int64));
	b->masked[b->nmasked++] = group;
}

static int
compare_descending(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x > y ? -1 : x < y;
}

static void
mark_masked(const Building *b, MapNode *nodes, uint32 count)
{
	for (uint32 i = 0; i < count && b->nmasked > 0; i++)
		nodes[i].place.masked = bsearch(&nodes[i].place.number, b->masked, b->nmasked,
										sizeof(int64), compare_descending) != NULL;
}

static int
compare_nodes(const void *a, const void *b)
{
	int64 x = ((const MapNode *) a)->place.first;
	int64 y = ((const MapNode *) b)->place.first;

	return x < y ? -1 : x > y;
}

static int64
set_max_end(MapNode *nodes, uint32 low, uint32 high)
{
	uint32 middle = low + (high - low) / 2;
	int64 before;
	int64 after;

	if (low >= high)
		return -1;

	/* not as arguments of Max, which would evaluate one of them twice */
	before = set_max_end(nodes, low, middle);
	after = set_max_end(nodes, middle + 1, high);
	return nodes[middle].max_end = Max(Max(before, after), nodes[middle].place.end);
}

static void
discard(GroupMap *map)
{
	if (map->context != NULL)
		MemoryContextDelete(map->context);
	map->context = NULL;
	map->nodes = NULL;
	map->gaps = NULL;
	map->count = map->capacity = map->ngaps = 0;
}

/* New groups mostly have the greatest numbers of rows, too. */
static void
append_nodes(GroupMap *map, const Building *b)
{
	bool sorted = map->count == 0 || b->count == 0 ||
				  map->nodes[map->count - 1].place.first <= b->nodes[0].place.first;

	if (map->count + b->count > map->capacity)
	{
		uint32 capacity = map->count + b->count + map->count / 8;

		map->nodes = map->nodes == NULL
						 ? MemoryContextAllocHuge(map->context, capacity * sizeof(MapNode))
						 : repalloc_huge(map->nodes, capacity * sizeof(MapNode));
		map->capacity = capacity;
	}
	if (b->count > 0)
		memcpy(map->nodes + map->count, b->nodes, b->count * sizeof(MapNode));
	map->count += b->count;
	if (!sorted)
		qsort(map->nodes, map->count, sizeof(MapNode), compare_nodes);
	mark_masked(b, map->nodes, map->count);
	set_max_end(map->nodes, 0, map->count);
}

/* Of too many only the count is kept. */
static void
replace_gaps(GroupMap *map, const Building *b)
{
	uint32 kept = b->ngaps <= GAPS_MAX ? b->ngaps : 0;
	Gap *gaps = MemoryContextAlloc(map->context, Max(kept, 1) * sizeof(Gap));

	if (kept > 0)
		memcpy(gaps, b->gaps, kept * sizeof(Gap));
	if (map->gaps != NULL)
		pfree(map->gaps);
	map->gaps = gaps;
	map->ngaps = b->ngaps;
}

/* Can nothing else than new groups and masks be missing? */
static bool
can_grow(const GroupMap *map, Relation rel, const EcDiskMeta *meta)
{
	return map->context != NULL && !map->stale && map->ngaps <= GAPS_MAX &&
		   map->next_group <= meta->next_group &&
		   RelFileLocatorEquals(map->locator, rel->rd_locator);
}

/* Groups with numbers from known on, those in the gaps, and all masks. */
static void
read_groups(EcCompanion *c, const EcDiskMeta *meta, int64 known, const Gap *gaps, uint32 ngaps,
			Building *b)
{
	if (known < meta->next_group)
		add_descriptors(c, b, known, meta->next_group);
	for (uint32 i = 0; i < ngaps; i++)
		add_descriptors(c, b, gaps[i].first, gaps[i].end);
	ec_lookup_all(c, EC_CATALOG_MASK, 0, EC_MASK_NUMBER(meta->next_group, 0), add_mask, b);
	if (b->count > 0)
		qsort(b->nodes, b->count, sizeof(MapNode), compare_nodes);
}

static GroupMap *
find_map(Relation rel)
{
	Oid relid = RelationGetRelid(rel);

	return hash_search(maps, &relid, HASH_FIND, NULL);
}

/*
 * Reading may process invalidations, so the map is only touched at the end.  Should
 * memory fail in between, some places are there twice, which does no harm.
 */
static void
grow(EcCompanion *c, const EcDiskMeta *meta)
{
	GroupMap *map = find_map(c->main);
	Gap gaps[GAPS_MAX];
	uint32 ngaps = map->ngaps;
	Building b = {.context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight new row groups",
												   ALLOCSET_SMALL_SIZES)};

	memcpy(gaps, map->gaps, ngaps * sizeof(Gap));
	read_groups(c, meta, map->next_group, gaps, ngaps, &b);
	map = find_map(c->main);
	append_nodes(map, &b);
	replace_gaps(map, &b);
	map->next_group = meta->next_group;
	map->changes = meta->changes;
	MemoryContextDelete(b.context);
}

/* Likewise.  An invalidation that comes meanwhile leaves the new map stale. */
static void
build(EcCompanion *c, const EcDiskMeta *meta)
{
	GroupMap *map = find_map(c->main);
	GroupMap new = {.locator = c->main->rd_locator, .changes = meta->changes};
	Building b = {.context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight row groups",
												   ALLOCSET_SMALL_SIZES)};

	map->stale = false;
	read_groups(c, meta, 0, NULL, 0, &b);
	new.context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight group map", ALLOCSET_SMALL_SIZES);
	new.next_group = meta->next_group;
	append_nodes(&new, &b);
	replace_gaps(&new, &b);
	MemoryContextDelete(b.context);

	map = find_map(c->main);
	discard(map);
	MemoryContextSetParent(new.context, CacheMemoryContext);
	new.relid = map->relid;
	new.stale = map->stale;
	*map = new;
}

/* ------------------------------------------------------------------------
 * Keeping
 * ------------------------------------------------------------------------
 */

static void
create_maps(void)
{
	HASHCTL control = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(GroupMap),
		.hcxt = CacheMemoryContext,
	};

	if (maps == NULL)
		maps = hash_create("ecinsight group maps", 32, &control,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Tables that were dropped would keep their maps for ever. */
static void
discard_stale(void)
{
	HASH_SEQ_STATUS status;
	GroupMap *map;

	hash_seq_init(&status, maps);
	while ((map = hash_seq_search(&status)) != NULL)
	{
		if (map->stale)
			discard(map);
	}
}

static GroupMap *
enter_map(Relation rel)
{
	Oid relid = RelationGetRelid(rel);
	GroupMap *map;
	bool found;

	create_maps();
	map = hash_search(maps, &relid, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) map + sizeof(Oid), 0, sizeof(GroupMap) - sizeof(Oid));
		discard_stale();
	}
	return map;
}

static GroupMap *
get_map(EcCompanion *c, bool refresh)
{
	Relation rel = c->main;
	GroupMap *map = enter_map(rel);
	bool usable =
		map->context != NULL && !map->stale && RelFileLocatorEquals(map->locator, rel->rd_locator);
	EcDiskMeta meta = {0};

	if (usable && !refresh)
		return map;
	if (ec_meta_read(rel, &meta) && usable && map->changes == meta.changes)
		return map;
	if (can_grow(map, rel, &meta))
		grow(c, &meta);
	else
		build(c, &meta);
	return find_map(rel);
}

void
ec_groupmap_forget(void)
{
	HASH_SEQ_STATUS status;
	GroupMap *map;

	if (maps == NULL)
		return;
	hash_seq_init(&status, maps);
	while ((map = hash_seq_search(&status)) != NULL)
		discard(map);
}

/* A table that changed (or was dropped) gets a new map with its next use. */
static void
at_invalidation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	GroupMap *map;

	if (maps == NULL)
		return;
	if (OidIsValid(relid))
	{
		map = hash_search(maps, &relid, HASH_FIND, NULL);
		if (map != NULL)
			map->stale = true;
		return;
	}
	hash_seq_init(&status, maps);
	while ((map = hash_seq_search(&status)) != NULL)
		map->stale = true;
}

void
ec_groupmap_init(void)
{
	CacheRegisterRelcacheCallback(at_invalidation, (Datum) 0);
}

/* ------------------------------------------------------------------------
 * Searching
 * ------------------------------------------------------------------------
 */

typedef struct Finding
{
	EcGroupPlace *places;
	int count;
	int capacity;
} Finding;

static void
add_place(Finding *f, const EcGroupPlace *place)
{
	if (f->count == f->capacity)
	{
		f->capacity = Max(f->capacity * 2, 4);
		f->places = f->places == NULL ? palloc(f->capacity * sizeof(EcGroupPlace))
									  : repalloc(f->places, f->capacity * sizeof(EcGroupPlace));
	}
	f->places[f->count++] = *place;
}

static void
search(const MapNode *nodes, uint32 low, uint32 high, int64 number, Finding *f)
{
	while (low < high)
	{
		uint32 middle = low + (high - low) / 2;
		const MapNode *node = &nodes[middle];

		if (number >= node->max_end)
			return;
		search(nodes, low, middle, number, f);
		if (number < node->place.first)
			return;
		if (number < node->place.end)
			add_place(f, &node->place);
		low = middle + 1;
	}
}

int
ec_groupmap_find(EcCompanion *c, int64 number, bool refresh, EcGroupPlace **places)
{
	GroupMap *map = get_map(c, refresh);
	Finding f = {0};

	search(map->nodes, 0, map->count, number, &f);
	*places = f.places;
	return f.count;
}
