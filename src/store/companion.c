/*
 * companion.c
 *	  Search, insertion and deletion of tuples of the companion (see catalog.c),
 *	  whatever their kind.
 *
 * Searches run under SnapshotAny, so that no read locks of serializable
 * transactions land on the companion; visibility is judged tuple by tuple.
 *
 * Locks: a writer's locks on the companion and its indexes stay until its
 * transaction ends, as for TOAST values: a reindex of the companion waits for us.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/toast_internals.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/stoppoint.h"
#include "store/companion.h"
#include "store/place.h"
#include "store/rebuild.h"
#include "store/row.h"

#define ATT_ID 1
#define ATT_SEQ 2
#define NATTS 3

bool
ec_companion_open(Relation rel, LOCKMODE lockmode, EcCompanion *c)
{
	memset(c, 0, sizeof(*c));
	if (!OidIsValid(rel->rd_rel->reltoastrelid))
		return false;
	c->main = rel;
	c->heap = table_open(rel->rd_rel->reltoastrelid, lockmode);
	c->locked = lockmode;
	c->context = CurrentMemoryContext;
	c->block = InvalidBlockNumber;
	c->indexed = -1;
	return true;
}

/* A REINDEX waits for our lock on the heap, so nothing is missed by opening them late. */
static void
open_indexes(EcCompanion *c)
{
	MemoryContext old;

	if (c->indexes != NULL)
		return;
	old = MemoryContextSwitchTo(c->context);
	c->valid = ec_catalog_open_indexes(c->heap, c->locked, &c->indexes, &c->nindexes);
	MemoryContextSwitchTo(old);
}

Relation
ec_companion_index(EcCompanion *c)
{
	open_indexes(c);
	return c->indexes[c->valid];
}

void
ec_companion_close(EcCompanion *c)
{
	LOCKMODE release = c->locked == AccessShareLock ? AccessShareLock : NoLock;

	if (c->slot != NULL)
		ExecDropSingleTupleTableSlot(c->slot);
	if (c->scan != NULL)
		index_endscan(c->scan);
	if (c->indexes != NULL)
		toast_close_indexes(c->indexes, c->nindexes, release);
	table_close(c->heap, release);
}

/* ------------------------------------------------------------------------
 * Changes
 * ------------------------------------------------------------------------
 */

/* Rows are many and small, so theirs get the short header; alignment is no matter for either. */
static char *
put_payload(EcCatalogKind kind, const void *payload, Size len, char *p)
{
	if (kind == EC_CATALOG_ROW && len + VARHDRSZ_SHORT <= VARATT_SHORT_MAX)
	{
		SET_VARSIZE_SHORT(p, VARHDRSZ_SHORT + len);
		p += VARHDRSZ_SHORT;
	}
	else
	{
		SET_VARSIZE(p, VARHDRSZ + len);
		p += VARHDRSZ;
	}
	memcpy(p, payload, len);
	return p + len;
}

void
ec_companion_form(EcCompanion *c, EcCatalogKind kind, int64 number, const void *payload, Size len,
				  EcTupleBuffer *buffer)
{
	HeapTupleHeader header = &buffer->data.header;
	const Size start = MAXALIGN(SizeofHeapTupleHeader);
	uint32 key[2] = {EC_CATALOG_CHUNK_ID(kind, number), EC_CATALOG_CHUNK_SEQ(number)};
	char *p = buffer->data.bytes + start;

	Assert(len <= EC_DESCRIPTOR_MAX);
	memset(header, 0, start);
	header->t_hoff = start;
	header->t_infomask = HEAP_HASVARWIDTH;
	HeapTupleHeaderSetNatts(header, NATTS);
	memcpy(p, key, sizeof(key));
	p = put_payload(kind, payload, len, p + sizeof(key));
	buffer->tuple.t_data = header;
	buffer->tuple.t_len = p - buffer->data.bytes;
	ItemPointerSetInvalid(&buffer->tuple.t_self);
	buffer->tuple.t_tableOid = RelationGetRelid(c->heap);
}

/* Of several unfinished ones all but the newest have been left. */
static Buffer
hold_off(EcCompanion *c)
{
	for (int i = c->nindexes - 1; i >= 0; i--)
	{
		if (ec_rebuild_unfinished(c->indexes[i]))
			return ec_rebuild_hold_off(c->indexes[i]);
	}
	return InvalidBuffer;
}

/*
 * With check: was there no other tuple of this key in the index that look-ups use?
 *
 * Only that one is asked whether a key is unique: one that REINDEX CONCURRENTLY is
 * building may hold entries that a crash has left without use.
 */
static bool
insert_index(EcCompanion *c, EcCatalogKind kind, int64 number, ItemPointer tid, bool check)
{
	Datum values[2] = {
		ObjectIdGetDatum(EC_CATALOG_CHUNK_ID(kind, number)),
		Int32GetDatum(EC_CATALOG_CHUNK_SEQ(number)),
	};
	bool isnull[2] = {false, false};
	bool alone = true;

	open_indexes(c);
	for (int i = 0; i < c->nindexes; i++)
	{
		Relation index = c->indexes[i];
		IndexUniqueCheck unique = UNIQUE_CHECK_NO;

		if (!index->rd_index->indisready)
			continue;
		if (index->rd_index->indisunique && i == c->valid)
		{
			if (kind != EC_CATALOG_ROW)
				unique = UNIQUE_CHECK_YES;
			else if (check)
				unique = UNIQUE_CHECK_PARTIAL;
		}
		if (!index_insert(index, values, isnull, tid, c->heap, unique, false, NULL) &&
			unique == UNIQUE_CHECK_PARTIAL)
			alone = false;
	}
	return alone;
}

void
ec_companion_insert_index(EcCompanion *c, EcCatalogKind kind, int64 number, ItemPointer tid)
{
	(void) insert_index(c, kind, number, tid, false);
}

static void
put_heap(EcCompanion *c, EcCatalogKind kind, int64 number, const void *payload, Size len,
		 CommandId cid, int options, ItemPointer tid)
{
	EcTupleBuffer buffer;

	ec_companion_form(c, kind, number, payload, len, &buffer);

	/* without HEAP_INSERT_NO_LOGICAL decoding would take it for a TOAST value and fail */
	heap_insert(c->heap, &buffer.tuple, cid, HEAP_INSERT_NO_LOGICAL | options, NULL);
	*tid = buffer.tuple.t_self;
}

/* A crash leaves such a tuple for all to see, and here without index entry. */
static void
stop_after_frozen(EcCatalogKind kind)
{
	if (kind == EC_CATALOG_ROW)
		ec_stop_point("header");
	else if (kind == EC_CATALOG_PLACE)
		ec_stop_point("place");
	else if (kind == EC_CATALOG_COUNTERS)
		ec_stop_point("counters");
}

static bool
put(EcCompanion *c, EcCatalogKind kind, int64 number, const void *payload, Size len, CommandId cid,
	int options, bool check, ItemPointer tid)
{
	ItemPointerData where;

	put_heap(c, kind, number, payload, len, cid, options, &where);
	if ((options & HEAP_INSERT_FROZEN) != 0)
		stop_after_frozen(kind);
	if (tid != NULL)
		*tid = where;
	return insert_index(c, kind, number, &where, check);
}

/* The same, so that no validation by REINDEX CONCURRENTLY comes between heap and index. */
static bool
put_safely(EcCompanion *c, EcCatalogKind kind, int64 number, const void *payload, Size len,
		   CommandId cid, int options, bool check, ItemPointer tid)
{
	Buffer pin = InvalidBuffer;
	bool alone;

	open_indexes(c);
	if ((options & HEAP_INSERT_FROZEN) != 0 && c->nindexes > 1)
		pin = hold_off(c);
	alone = put(c, kind, number, payload, len, cid, options, check, tid);
	ec_rebuild_resume(pin);
	return alone;
}

void
ec_companion_put_unindexed(EcCompanion *c, int64 number, const void *payload, Size len,
						   CommandId cid, ItemPointer tid)
{
	put_heap(c, EC_CATALOG_ROW, number, payload, len, cid, 0, tid);
}

void
ec_companion_put(EcCompanion *c, EcCatalogKind kind, int64 number, const void *payload, Size len,
				 CommandId cid, int options, ItemPointer tid)
{
	(void) put_safely(c, kind, number, payload, len, cid, options, false, tid);
}

void
ec_companion_insert(Relation rel, EcCatalogKind kind, int64 number, const void *payload, Size len,
					CommandId cid, int options)
{
	EcCompanion c;

	ec_catalog_ensure(rel);
	if (!ec_companion_open(rel, RowExclusiveLock, &c))
		elog(ERROR, "table \"%s\" has no TOAST table", RelationGetRelationName(rel));
	ec_companion_put(&c, kind, number, payload, len, cid, options, NULL);
	ec_companion_close(&c);
}

bool
ec_companion_put_alone(EcCompanion *c, EcCatalogKind kind, int64 number, const void *payload,
					   Size len, CommandId cid, int options, ItemPointer tid)
{
	return put_safely(c, kind, number, payload, len, cid, options, true, tid);
}

void
ec_companion_take_back(EcCompanion *c, ItemPointer tid)
{
	heap_abort_speculative(c->heap, tid);
}

bool
ec_companion_claim(EcCompanion *c, ItemPointer tid, CommandId cid)
{
	TM_FailureData failure;

	return heap_delete(c->heap, tid, cid, InvalidSnapshot, false, &failure, false) == TM_Ok;
}

/* ------------------------------------------------------------------------
 * Search
 * ------------------------------------------------------------------------
 */

/* Callers may search from contexts that they reset between two steps. */
static void
prepare_slot(EcCompanion *c)
{
	MemoryContext old = MemoryContextSwitchTo(c->context);

	if (c->slot == NULL)
	{
		c->slot = MakeSingleTupleTableSlot(RelationGetDescr(c->heap), &TTSOpsBufferHeapTuple);
		ec_check_begin(&c->check, c->main, c->heap);
	}
	MemoryContextSwitchTo(old);
}

static void
begin_search(EcCompanion *c, EcCatalogKind kind, int64 number, StrategyNumber strategy,
			 RegProcedure compare)
{
	MemoryContext old = MemoryContextSwitchTo(c->context);
	ScanKeyData keys[2];

	if (c->scan == NULL)
		c->scan = ec_compat_index_beginscan(c->heap, ec_companion_index(c), SnapshotAny, 2);
	prepare_slot(c);
	ScanKeyInit(&keys[0], ATT_ID, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(EC_CATALOG_CHUNK_ID(kind, number)));
	ScanKeyInit(&keys[1], ATT_SEQ, strategy, compare, Int32GetDatum(EC_CATALOG_CHUNK_SEQ(number)));
	index_rescan(c->scan, keys, 2, NULL, 0);
	MemoryContextSwitchTo(old);
	c->exact = strategy == BTEqualStrategyNumber;
	c->kind = kind;
	c->number = number;
	c->placed = InvalidBlockNumber;
}

void
ec_companion_search(EcCompanion *c, EcCatalogKind kind, int64 number)
{
	BlockNumber placed = InvalidBlockNumber;

	if (kind == EC_CATALOG_ROW && number != c->indexed)
		placed = ec_place_find(c, number);
	begin_search(c, kind, number, BTEqualStrategyNumber, F_INT4EQ);
	c->direction = ForwardScanDirection;
	c->placed = placed;
	c->place_next = BlockNumberIsValid(placed) ? FirstOffsetNumber : InvalidOffsetNumber;
	c->place_hit = false;
}

void
ec_companion_search_from(EcCompanion *c, EcCatalogKind kind, int64 number)
{
	begin_search(c, kind, number, BTGreaterEqualStrategyNumber, F_INT4GE);
	c->direction = ForwardScanDirection;
}

void
ec_companion_search_back(EcCompanion *c, EcCatalogKind kind, int64 number)
{
	begin_search(c, kind, number, BTLessEqualStrategyNumber, F_INT4LE);
	c->direction = BackwardScanDirection;
}

static bool
is_wanted(const EcCompanion *c, int64 number)
{
	if (c->exact)
		return number == c->number;
	return ScanDirectionIsForward(c->direction) ? number >= c->number : number <= c->number;
}

Buffer
ec_companion_pin(EcCompanion *c, BlockNumber block)
{
	Buffer buffer;

	if (block >= c->nblocks)
		c->nblocks = RelationGetNumberOfBlocks(c->heap);
	if (block >= c->nblocks)
		return InvalidBuffer;
	buffer = ReadBuffer(c->heap, block);
	if (block != c->block)
		ec_check_and_prune(c->main, c->heap, buffer);
	c->block = block;
	return buffer;
}

/* False if the tuple is gone; then the rest of the page had to make sense. */
static bool
find_tuple(EcCompanion *c, Buffer buffer, const ItemPointerData *tid, HeapTuple tuple)
{
	Page page = BufferGetPage(buffer);
	OffsetNumber offset = ItemPointerGetOffsetNumber(tid);
	ItemId item = NULL;

	if (offset >= FirstOffsetNumber && offset <= PageGetMaxOffsetNumber(page))
		item = PageGetItemId(page, offset);
	if (item == NULL || !ItemIdIsNormal(item) ||
		ItemIdGetOffset(item) + ItemIdGetLength(item) > BLCKSZ ||
		ItemIdGetLength(item) < SizeofHeapTupleHeader ||
		ItemIdGetOffset(item) != MAXALIGN(ItemIdGetOffset(item)))
	{
		ec_check_page(c->main, buffer);
		return false;
	}
	tuple->t_tableOid = RelationGetRelid(c->heap);
	tuple->t_self = *tid;
	tuple->t_data = (HeapTupleHeader) PageGetItem(page, item);
	tuple->t_len = ItemIdGetLength(item);
	ec_check_tuple(&c->check, tuple);
	return true;
}

/* The tuple with this tid, whatever its visibility, in the slot; NULL if it is gone. */
static HeapTuple
fetch_tuple(EcCompanion *c, const ItemPointerData *tid)
{
	HeapTuple tuple = &((BufferHeapTupleTableSlot *) c->slot)->base.tupdata;
	ItemPointerData where = *tid;
	Buffer buffer = ec_companion_pin(c, ItemPointerGetBlockNumberNoCheck(&where));
	bool found;

	ExecClearTuple(c->slot);
	if (!BufferIsValid(buffer))
		return NULL;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	found = find_tuple(c, buffer, &where, tuple);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (found)
		ExecStorePinnedBufferHeapTuple(tuple, c->slot, buffer);
	else
		ReleaseBuffer(buffer);
	return found ? tuple : NULL;
}

/* As index_getnext_slot, but that what is read is checked. */
static HeapTuple
next_tuple(EcCompanion *c)
{
	ItemPointer tid;

	while ((tid = index_getnext_tid(c->scan, c->direction)) != NULL)
	{
		HeapTuple tuple = fetch_tuple(c, tid);

		if (tuple != NULL)
		{
			pgstat_count_heap_fetch(c->scan->indexRelation);
			return tuple;
		}
		if (ItemPointerGetBlockNumberNoCheck(tid) >= c->nblocks)
			ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
							errmsg("index of the TOAST table of table \"%s\" is damaged",
								   RelationGetRelationName(c->main)),
							errdetail("It points to block %u, which does not exist.",
									  ItemPointerGetBlockNumberNoCheck(tid))));
		c->scan->kill_prior_tuple = !c->scan->xactStartedInRecovery;
	}
	return NULL;
}

/* Offset of the next row in the page where one may be without index entry, in *tuple. */
static OffsetNumber
find_placed(EcCompanion *c, Buffer buffer, HeapTuple tuple)
{
	OffsetNumber offset;
	ItemPointerData tid;

	do
	{
		offset = ec_place_search_page(c, buffer, c->place_next, c->number);
		ItemPointerSet(&tid, c->placed, offset);
		c->place_next = OffsetNumberNext(offset);
	} while (offset != InvalidOffsetNumber && !find_tuple(c, buffer, &tid, tuple));
	if (offset == InvalidOffsetNumber && !c->place_hit)
		ec_place_check_page(c, buffer);
	return offset;
}

static HeapTuple
next_placed(EcCompanion *c)
{
	HeapTuple tuple = &((BufferHeapTupleTableSlot *) c->slot)->base.tupdata;
	Buffer buffer = ec_companion_pin(c, c->placed);
	OffsetNumber offset = InvalidOffsetNumber;

	ExecClearTuple(c->slot);
	if (BufferIsValid(buffer))
	{
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		offset = find_placed(c, buffer, tuple);
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	}
	c->place_hit = offset != InvalidOffsetNumber;
	if (c->place_hit)
	{
		ExecStorePinnedBufferHeapTuple(tuple, c->slot, buffer);
		return tuple;
	}
	if (BufferIsValid(buffer))
		ReleaseBuffer(buffer);
	c->place_next = InvalidOffsetNumber;
	return NULL;
}

/* next_placed has returned it, although it has an index entry. */
static bool
is_placed(const EcCompanion *c, HeapTuple tuple, const EcCatalogTuple *opened)
{
	return c->exact && ItemPointerGetBlockNumber(&tuple->t_self) == c->placed &&
		   ec_row_peek_state(opened) == EC_ROW_DATA;
}

HeapTuple
ec_companion_next(EcCompanion *c, EcCatalogTuple *out)
{
	MemoryContext old = MemoryContextSwitchTo(c->context);
	HeapTuple tuple = NULL;

	if (BlockNumberIsValid(c->placed) && c->place_next != InvalidOffsetNumber)
		tuple = next_placed(c);
	while (tuple == NULL && (tuple = next_tuple(c)) != NULL)
	{
		ec_catalog_open_tuple(c->main, tuple, out);
		if (is_placed(c, tuple, out))
			tuple = NULL;
	}
	MemoryContextSwitchTo(old);
	if (tuple == NULL)
		return NULL;
	ec_catalog_open_tuple(c->main, tuple, out);
	if (out->kind != c->kind || !is_wanted(c, out->number))
		ec_catalog_tuple_damaged(c->main, tuple, "Its key is not the one that the index has.");
	return tuple;
}

void
ec_companion_rest(EcCompanion *c)
{
	if (c->scan != NULL)
		index_rescan(c->scan, NULL, c->scan->numberOfKeys, NULL, 0);
}

int64
ec_companion_next_row(EcCompanion *c, int64 number)
{
	int64 end = ((number >> EC_CATALOG_SEQ_BITS) + 1) << EC_CATALOG_SEQ_BITS;
	EcCatalogTuple opened;

	end = ec_place_next_number(c, number, end);
	if (end == number)
		return number;
	ec_companion_search_from(c, EC_CATALOG_ROW, number);
	if (ec_companion_next(c, &opened) != NULL)
		end = Min(end, opened.number);
	return end;
}

HeapTuple
ec_companion_fetch(EcCompanion *c, ItemPointer tid, EcCatalogTuple *out)
{
	HeapTuple tuple;

	prepare_slot(c);
	tuple = fetch_tuple(c, tid);
	if (tuple != NULL)
		ec_catalog_open_tuple(c->main, tuple, out);
	return tuple;
}

bool
ec_companion_sees(EcCompanion *c, HeapTuple tuple, Snapshot snapshot)
{
	Buffer buffer = ((BufferHeapTupleTableSlot *) c->slot)->buffer;
	bool visible;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	visible = HeapTupleSatisfiesVisibility(tuple, snapshot, buffer);
	HeapCheckForSerializableConflictOut(visible, c->main, tuple, buffer, snapshot);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return visible;
}

void
ec_companion_pass_by(EcCompanion *c, HeapTuple tuple)
{
	Buffer buffer = ((BufferHeapTupleTableSlot *) c->slot)->buffer;

	if (c->scan->xactStartedInRecovery)
		return;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	c->scan->kill_prior_tuple = HeapTupleIsSurelyDead(tuple, GlobalVisTestFor(c->heap));
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
}
