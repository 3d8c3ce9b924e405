/*
 * lookup.c
 *	  Finds descriptors of row groups in the companion, and judges them by the
 *	  caller's snapshot.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/lookup.h"

typedef struct Search
{
	EcCompanion *companion;
	Snapshot snapshot;
	EcDescriptor *desc;
	bool settled; /* nothing better can come */
	EcLookup result;
} Search;

/* Not what was rolled back: its pages may have been given to others already. */
static bool
sees_any(EcCompanion *c, HeapTuple tuple, bool *settled)
{
	Buffer buffer = ((BufferHeapTupleTableSlot *) c->slot)->buffer;
	TransactionId dead_after;
	HTSV_Result state;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	state = HeapTupleSatisfiesVacuumHorizon(tuple, buffer, &dead_after);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	*settled = state != HEAPTUPLE_RECENTLY_DEAD;
	return state != HEAPTUPLE_DEAD;
}

static bool
sees(EcCompanion *c, HeapTuple tuple, Snapshot snapshot, bool *settled)
{
	bool visible;

	*settled = true;
	if (snapshot->snapshot_type == SNAPSHOT_ANY)
		return sees_any(c, tuple, settled);
	visible = ec_companion_sees(c, tuple, snapshot);
	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
		snapshot->xmax = InvalidTransactionId;
	return visible;
}

static void
judge(Search *s, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcCompanion *c = s->companion;
	EcDiskDescriptor disk;
	bool settled;

	if (!sees(c, tuple, s->snapshot, &settled))
		return;
	if (opened->len < sizeof(disk))
		ec_catalog_tuple_damaged(c->main, tuple, "It is too short.");
	memcpy(&disk, opened->payload, sizeof(disk));

	/* what a running compaction writes holds no row that isn't somewhere else until it commits */
	if (s->snapshot->snapshot_type == SNAPSHOT_DIRTY && disk.level > 0 &&
		TransactionIdIsValid(s->snapshot->xmin))
	{
		s->snapshot->xmin = InvalidTransactionId;
		return;
	}
	s->settled = settled;
	s->result.visible = true;
	s->result.tid = tuple->t_self;
	s->result.xmin = HeapTupleHeaderGetXmin(tuple->t_data);
	s->result.cmin = HeapTupleHeaderGetRawCommandId(tuple->t_data);
	s->result.first_block = disk.first_block;
	if (s->desc != NULL)
		(void) ec_catalog_read_tuple(c->main, tuple, s->desc);
}

/*
 * The size that the storage manager knew last is enough if the block is within: the
 * file may have grown since, and who has cut it sent an invalidation that came with
 * our lock.
 */
static bool
block_exists(Relation heap, BlockNumber block)
{
	BlockNumber known = RelationGetSmgr(heap)->smgr_cached_nblocks[MAIN_FORKNUM];

	if (known != InvalidBlockNumber && block < known)
		return true;
	return block < RelationGetNumberOfBlocks(heap);
}

/* The tuple may have moved, if somebody rewrote the companion, or may be gone. */
static void
try_hint(Search *s, int64 number, ItemPointerData hint)
{
	EcCompanion *c = s->companion;
	EcCatalogTuple opened;
	HeapTuple tuple;

	if (!block_exists(c->heap, ItemPointerGetBlockNumber(&hint)))
		return;
	tuple = ec_companion_fetch(c, &hint, &opened);
	if (tuple != NULL && opened.kind == EC_CATALOG_GROUP && opened.number == number)
		judge(s, tuple, &opened);
}

EcLookup
ec_lookup_group(EcCompanion *c, int64 number, const ItemPointerData *hint, Snapshot snapshot,
				EcDescriptor *desc)
{
	Search s = {
		.companion = c,
		.snapshot = snapshot,
		.desc = desc,
	};
	EcCatalogTuple opened;
	HeapTuple tuple;

	if (hint != NULL)
		try_hint(&s, number, *hint);
	if (!s.settled)
	{
		ec_companion_search(c, EC_CATALOG_GROUP, number);
		while (!s.settled && (tuple = ec_companion_next(c, &opened)) != NULL)
			judge(&s, tuple, &opened);
	}
	return s.result;
}

void
ec_lookup_all(EcCompanion *c, EcCatalogKind kind, int64 first, int64 end, EcLookupVisit visit,
			  void *arg)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight look-up", ALLOCSET_DEFAULT_SIZES);
	EcCatalogTuple opened;
	HeapTuple tuple;

	/* keys with the same upper bits are one search */
	while (end > first)
	{
		int64 last = end - 1;

		ec_companion_search_back(c, kind, last);
		while ((tuple = ec_companion_next(c, &opened)) != NULL && opened.number >= first)
		{
			MemoryContext old = MemoryContextSwitchTo(context);

			visit(c, tuple, &opened, arg);
			MemoryContextSwitchTo(old);
			MemoryContextReset(context);
		}
		end = last >> EC_CATALOG_SEQ_BITS << EC_CATALOG_SEQ_BITS;
	}
	MemoryContextDelete(context);
}
