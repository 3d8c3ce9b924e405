/*
 * walk.c
 *	  All tuples of the companion, page by page, whatever their visibility.
 *
 * As a heap scan under SnapshotAny, but that headers of pages and tuples are checked
 * before anybody decides by them what may be removed or overwritten.  A page is
 * checked when it is entered, under its lock; its pin then keeps tuples where they are.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/walk.h"

void
ec_walk_begin(EcWalk *walk, EcCompanion *c)
{
	memset(walk, 0, sizeof(*walk));
	walk->rel = c->main;
	walk->heap = c->heap;
	walk->nblocks = RelationGetNumberOfBlocks(c->heap);
	walk->buffer = InvalidBuffer;
	if (walk->nblocks > NBuffers / 4)
		walk->strategy = GetAccessStrategy(BAS_BULKREAD);
	ec_check_begin(&walk->check, c->main, c->heap);
}

/* False if there is no tuple at this line pointer. */
static bool
set_tuple(EcWalk *walk, OffsetNumber offset)
{
	Page page = BufferGetPage(walk->buffer);
	ItemId item = PageGetItemId(page, offset);

	if (!ItemIdIsNormal(item))
		return false;
	walk->tuple.t_tableOid = RelationGetRelid(walk->heap);
	walk->tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
	walk->tuple.t_len = ItemIdGetLength(item);
	ItemPointerSet(&walk->tuple.t_self, BufferGetBlockNumber(walk->buffer), offset);
	return true;
}

/* The next page: pinned, and all on it checked. */
static void
enter_page(EcWalk *walk)
{
	CHECK_FOR_INTERRUPTS();
	walk->buffer =
		ReadBufferExtended(walk->heap, MAIN_FORKNUM, walk->block++, RBM_NORMAL, walk->strategy);
	LockBuffer(walk->buffer, BUFFER_LOCK_SHARE);
	ec_check_page(walk->rel, walk->buffer);
	walk->offset = InvalidOffsetNumber;
	walk->last = PageGetMaxOffsetNumber(BufferGetPage(walk->buffer));
	for (OffsetNumber i = FirstOffsetNumber; i <= walk->last; i++)
	{
		if (set_tuple(walk, i))
			ec_check_tuple(&walk->check, &walk->tuple);
	}
	LockBuffer(walk->buffer, BUFFER_LOCK_UNLOCK);
}

HeapTuple
ec_walk_next(EcWalk *walk)
{
	for (;;)
	{
		if (!BufferIsValid(walk->buffer))
		{
			if (walk->block >= walk->nblocks)
				return NULL;
			enter_page(walk);
		}
		while (walk->offset < walk->last)
		{
			if (set_tuple(walk, ++walk->offset))
				return &walk->tuple;
		}
		ReleaseBuffer(walk->buffer);
		walk->buffer = InvalidBuffer;
	}
}

void
ec_walk_end(EcWalk *walk)
{
	if (BufferIsValid(walk->buffer))
		ReleaseBuffer(walk->buffer);
	if (walk->strategy != NULL)
		FreeAccessStrategy(walk->strategy);
}

HTSV_Result
ec_walk_state(EcWalk *walk, TransactionId oldest_xmin)
{
	HTSV_Result state;

	LockBuffer(walk->buffer, BUFFER_LOCK_SHARE);
	state = HeapTupleSatisfiesVacuum(&walk->tuple, oldest_xmin, walk->buffer);
	LockBuffer(walk->buffer, BUFFER_LOCK_UNLOCK);
	return state;
}

bool
ec_walk_sees(EcWalk *walk, Snapshot snapshot)
{
	bool visible;

	LockBuffer(walk->buffer, BUFFER_LOCK_SHARE);
	visible = HeapTupleSatisfiesVisibility(&walk->tuple, snapshot, walk->buffer);
	LockBuffer(walk->buffer, BUFFER_LOCK_UNLOCK);
	return visible;
}

void
ec_walk_check(EcCompanion *c)
{
	EcWalk walk;

	for (ec_walk_begin(&walk, c); walk.block < walk.nblocks;)
	{
		enter_page(&walk);
		ReleaseBuffer(walk.buffer);
		walk.buffer = InvalidBuffer;
		ec_compat_vacuum_delay_point();
	}
	ec_walk_end(&walk);
}
