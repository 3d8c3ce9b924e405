/*
 * opened.c
 *	  Opens row groups for reads of single rows and keeps what it decoded.
 *
 * Each opened group has a memory context of its own with its descriptor, directory
 * and chunk headers, and the pieces that came out of the ring (opened_ring.c): blocks,
 * opened without decoding more than a row needs, and segments of dictionaries, both
 * as small as rows can still be found in at once (encoding/move.c).  Groups and
 * pieces stand in one list; when all contexts together exceed ecinsight.fetch_cache, the end of the
 * list goes, but for what was used meanwhile, which comes to its front once more
 * (moving it with each use would cost more than the use).  A group goes with its
 * pieces.
 *
 * Keys are the file and the number of the row group.  Both change never what they
 * stand for, as long as the table's columns stay what they were: a change of the
 * table (relcache invalidation) closes its groups.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/guc.h"
#include "store/opened_internal.h"

typedef struct OpenEntry
{
	OpenKey key;
	EcOpenGroup *group;
} OpenEntry;

static HTAB *groups;
static dlist_head used_list = DLIST_STATIC_INIT(used_list);
static Size total;
static EcOpenGroup *last; /* used; may be NULL */
static bool any_stale;
static int limit; /* ecinsight.fetch_cache when a group was asked for last */

/* ------------------------------------------------------------------------
 * Memory
 * ------------------------------------------------------------------------
 */

void
ec_opened_count_memory(EcOpenGroup *group)
{
	Size now = MemoryContextMemAllocated(group->context, true);

	total += now - group->memory;
	group->memory = now;
}

static void
drop_piece(OpenPiece *piece)
{
	EcOpenGroup *group = piece->used.group;

	piece->used.place->piece = NULL;
	dlist_delete(&piece->used.node);
	if (piece->memory != NULL)
		pfree(piece->memory);
	pfree(piece);
	ec_opened_count_memory(group);
}

void
ec_opened_read_from(OpenPiece *piece, Size len)
{
	if (piece->memory != NULL && len > (Size) ec_guc_fetch_cache * 1024 &&
		len > GetMemoryChunkSpace(piece->memory) / 2)
		drop_piece(piece);
}

/* Takes pieces off their lists; their memory is the group's or the ring's. */
static void
unlist_pieces(OpenPlace *places, uint32 n)
{
	for (uint32 i = 0; places != NULL && i < n; i++)
		if (places[i].piece != NULL)
			dlist_delete(&places[i].piece->used.node);
}

static void
drop_group(EcOpenGroup *group)
{
	for (int i = 0; i <= group->tupdesc->natts; i++)
	{
		OpenColumn *column = &group->columns[i];

		unlist_pieces(column->blocks, column->chunk.nblocks);
		unlist_pieces(column->segments, column->chunk.nsegments);
	}
	dlist_delete(&group->used.node);
	total -= group->memory;
	if (last == group)
		last = NULL;
	hash_search(groups, &group->key, HASH_REMOVE, NULL);
	MemoryContextDelete(group->context);
}

static void
push_used(Used *used)
{
	used->again = false;
	dlist_push_head(&used_list, &used->node);
}

/* Makes room, but keeps the group in use and the piece just read (or NULL). */
static void
limit_memory(EcOpenGroup *in_use, const OpenPiece *just_read)
{
	while (total > (Size) ec_guc_fetch_cache * 1024 && !dlist_is_empty(&used_list))
	{
		Used *oldest = dlist_tail_element(Used, node, &used_list);

		if (oldest->node.prev == &used_list.head)
			break;
		if (oldest->again)
		{
			oldest->again = false;
			dlist_move_head(&used_list, &oldest->node);
		}
		else if (just_read != NULL && oldest == &just_read->used)
			break;
		else if (oldest->place != NULL)
			drop_piece(oldest->place->piece);
		else if (oldest->group != in_use)
			drop_group(oldest->group);
		else
			dlist_move_head(&used_list, &oldest->node);
	}
}

/* The piece counts as used, so that all others are asked for their place first. */
void
ec_opened_keep(OpenPiece *piece)
{
	piece->used.place->piece = piece;
	push_used(&piece->used);
	piece->used.again = true;
	ec_opened_count_memory(piece->used.group);
	limit_memory(last, piece);
}

/* The group in use stays, that of the piece may go with it. */
void
ec_opened_keep_moved(OpenPiece *piece)
{
	EcViewPlan plan;
	OpenPiece *kept;

	ec_view_plan(&piece->view, &plan);
	kept = MemoryContextAllocHuge(piece->used.group->context, sizeof(OpenPiece) + plan.size);
	dlist_delete(&piece->used.node);
	*kept = *piece;
	ec_view_move(&kept->view, &plan, kept + 1);
	ec_opened_keep(kept);
}

void
ec_opened_forget(void)
{
	HASH_SEQ_STATUS status;
	OpenEntry *entry;

	any_stale = false;
	if (groups == NULL)
		return;
	hash_seq_init(&status, groups);
	while ((entry = hash_seq_search(&status)) != NULL)
		drop_group(entry->group);
}

static void
drop_stale(void)
{
	HASH_SEQ_STATUS status;
	OpenEntry *entry;

	any_stale = false;
	hash_seq_init(&status, groups);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (entry->group->stale)
			drop_group(entry->group);
}

/* Only marks: whoever reads a row now goes on with what the row was written with. */
static void
at_invalidation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	OpenEntry *entry;

	if (groups == NULL)
		return;
	hash_seq_init(&status, groups);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (!OidIsValid(relid) || entry->group->relid == relid)
			entry->group->stale = any_stale = true;
}

void
ec_opened_init(void)
{
	CacheRegisterRelcacheCallback(at_invalidation, (Datum) 0);
}

/* ------------------------------------------------------------------------
 * Groups
 * ------------------------------------------------------------------------
 */

/* The descriptor's memory must be the context's, which is also the current one. */
static EcOpenGroup *
make_group(Relation rel, const EcDescriptor *desc, MemoryContext context)
{
	EcOpenGroup *group = palloc0(sizeof(EcOpenGroup));

	group->key.locator = rel->rd_locator;
	group->key.number = desc->number;
	group->relid = RelationGetRelid(rel);
	group->context = context;
	group->allocator = ec_context_allocator(context);
	group->desc = *desc;
	group->used.group = group;
	group->tupdesc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	group->types = ec_coltype_from_tupdesc(group->tupdesc);
	group->columns = palloc0((group->tupdesc->natts + 1) * sizeof(OpenColumn));
	if (desc->form == EC_FORM_ROWS)
	{
		group->rows = ec_batch_create(group->tupdesc, context);
		ec_image_read_rows(rel, group->tupdesc, desc, group->rows);
	}
	else
		ec_opened_load_directory(rel, group);
	return group;
}

static void
create_cache(void)
{
	HASHCTL control = {
		.keysize = sizeof(OpenKey),
		.entrysize = sizeof(OpenEntry),
		.hcxt = CacheMemoryContext,
	};

	if (groups == NULL)
		groups = hash_create("ecinsight opened row groups", 64, &control,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

EcDecoder *
ec_opened_decoder(void)
{
	static EcDecoder *decoder;

	if (decoder == NULL)
		decoder = ec_image_decoder(
			AllocSetContextCreate(CacheMemoryContext, "ecinsight decoder", ALLOCSET_SMALL_SIZES));
	return decoder;
}

static EcOpenGroup *
open_group(Relation rel, const OpenKey *key, const EcLookup *lookup)
{
	EcCompanion companion;
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "ecinsight opened row group", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcOpenGroup *group;
	EcDescriptor desc;
	OpenEntry *entry;

	if (!ec_companion_open(rel, AccessShareLock, &companion) ||
		!ec_lookup_group(&companion, key->number, &lookup->tid, SnapshotAny, &desc).visible)
		elog(ERROR, "row group " INT64_FORMAT " vanished", key->number);
	ec_companion_close(&companion);
	desc.first_block = lookup->first_block;
	group = make_group(rel, &desc, context);
	MemoryContextSwitchTo(old);

	entry = hash_search(groups, key, HASH_ENTER, NULL);
	entry->group = group;
	MemoryContextSetParent(context, CacheMemoryContext);
	push_used(&group->used);
	ec_opened_count_memory(group);
	return group;
}

static EcOpenGroup *
find_group(Relation rel, int64 number, const EcLookup *lookup)
{
	OpenKey key;
	OpenEntry *entry;
	EcOpenGroup *group;

	if (last != NULL && last->key.number == number &&
		RelFileLocatorEquals(last->key.locator, rel->rd_locator))
		return last;
	memset(&key, 0, sizeof(key));
	key.locator = rel->rd_locator;
	key.number = number;
	entry = hash_search(groups, &key, HASH_FIND, NULL);
	if (entry != NULL)
	{
		entry->group->used.again = true;
		return entry->group;
	}
	group = open_group(rel, &key, lookup);
	limit_memory(group, NULL);
	return group;
}

EcOpenGroup *
ec_opened_open(Relation rel, int64 number, const EcLookup *lookup)
{
	create_cache();
	if (any_stale)
		drop_stale();
	last = find_group(rel, number, lookup);

	if (ec_guc_fetch_cache < limit)
		limit_memory(last, NULL);
	limit = ec_guc_fetch_cache;

	/* what was decoded stays right if the group was moved, the rest is read from its new place */
	last->desc.first_block = lookup->first_block;
	return last;
}

uint32
ec_opened_block_rows(const EcOpenGroup *group, uint32 block)
{
	return Min(EC_BLOCK_ROWS, group->desc.nrows - block * EC_BLOCK_ROWS);
}
