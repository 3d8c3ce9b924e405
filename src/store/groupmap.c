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

typedef struct GroupMap
{
	Oid relid; /* key */
	RelFileLocator locator;
	uint32 changes; /* the metapage's count when the map was begun */
	bool stale;
	MemoryContext context; /* of nodes; NULL: there is no map */
	MapNode *nodes;
	uint32 count;
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
	int64 *masked; /* numbers of groups with masks, descending */
	uint32 nmasked;
	uint32 masked_capacity;
} Building;

static void
add_node(Building *b, const EcGroupPlace *place)
{
	if (b->count == b->capacity)
	{
		b->capacity = Max(b->capacity * 2, 64);
		b->nodes = b->nodes == NULL ? MemoryContextAlloc(b->context, b->capacity * sizeof(MapNode))
									: repalloc_huge(b->nodes, b->capacity * sizeof(MapNode));
	}
	b->nodes[b->count++].place = *place;
}

static void
add_descriptor(EcCompanion *c, HeapTuple tuple, const EcCatalogTuple *opened, void *arg)
{
	EcGroupPlace place = {.tid = tuple->t_self};
	EcDescriptor desc;

	if (!ec_catalog_read_tuple(c->main, tuple, &desc))
		return;
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

/* Masks come by descending number, so each group's are neighbours. */
static void
add_mask(EcCompanion *c, HeapTuple tuple, const EcCatalogTuple *opened, void *arg)
{
	Building *b = arg;
	int64 group = EC_MASK_GROUP(opened->number);

	if (b->nmasked > 0 && b->masked[b->nmasked - 1] == group)
		return;
	if (b->nmasked == b->masked_capacity)
	{
		b->masked_capacity = Max(b->masked_capacity * 2, 64);
		b->masked = b->masked == NULL
						? MemoryContextAlloc(b->context, b->masked_capacity * sizeof(int64))
						: repalloc_huge(b->masked, b->masked_capacity * sizeof(int64));
	}
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
mark_masked(Building *b)
{
	for (uint32 i = 0; i < b->count && b->nmasked > 0; i++)
		b->nodes[i].place.masked = bsearch(&b->nodes[i].place.number, b->masked, b->nmasked,
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
	int64 end;

	if (low >= high)
		return -1;
	end = Max(set_max_end(nodes, low, middle), set_max_end(nodes, middle + 1, high));
	return nodes[middle].max_end = Max(end, nodes[middle].place.end);
}

static void
discard(GroupMap *map)
{
	if (map->context != NULL)
		MemoryContextDelete(map->context);
	map->context = NULL;
	map->nodes = NULL;
	map->count = 0;
}

/* Reads all descriptors.  Opening relations may process invalidations, so the map is only touched at the end. */
static void
build(EcCompanion *c, const EcDiskMeta *meta)
{
	Relation rel = c->main;
	Building b = {0};
	GroupMap *map;
	Oid relid = RelationGetRelid(rel);

	b.context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight group map", ALLOCSET_SMALL_SIZES);
	ec_lookup_all(c, EC_CATALOG_GROUP, meta->next_group, add_descriptor, &b);
	ec_lookup_all(c, EC_CATALOG_MASK, EC_MASK_NUMBER(meta->next_group, 0), add_mask, &b);
	mark_masked(&b);
	qsort(b.nodes, b.count, sizeof(MapNode), compare_nodes);
	set_max_end(b.nodes, 0, b.count);

	map = hash_search(maps, &relid, HASH_FIND, NULL);
	discard(map);
	MemoryContextSetParent(b.context, CacheMemoryContext);
	map->context = b.context;
	map->nodes = b.nodes;
	map->count = b.count;
	map->changes = meta->changes;
	map->locator = rel->rd_locator;
	map->stale = false;
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

static GroupMap *
get_map(EcCompanion *c, bool refresh)
{
	Relation rel = c->main;
	EcDiskMeta meta = {0};
	Oid relid = RelationGetRelid(rel);
	GroupMap *map;
	bool found;

	create_maps();
	map = hash_search(maps, &relid, HASH_ENTER, &found);
	if (!found)
		memset((char *) map + sizeof(Oid), 0, sizeof(GroupMap) - sizeof(Oid));
	if (map->context != NULL && !map->stale && RelFileLocatorEquals(map->locator, rel->rd_locator))
	{
		if (!refresh)
			return map;
		if (ec_meta_read(rel, &meta) && map->changes == meta.changes)
			return map;
	}
	else
		(void) ec_meta_read(rel, &meta);
	build(c, &meta);
	return hash_search(maps, &relid, HASH_FIND, NULL);
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
