/*
 * blockscan.c
 *	  Scans that address rows by virtual blocks (tid.h): bitmaps of tids, ranges of
 *	  tids, samples.
 *
 * A virtual block is no page: it stands for EC_TID_ROWS_PER_BLOCK row numbers, of
 * which any may have no row.  Rows are fetched one by one (fetch.c), in the order of
 * their numbers, mostly that in which they are stored.  So a block of a column is
 * opened once.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "access/tsmapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/tidbitmap.h"
#include "pgstat.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/blockscan.h"
#include "store/fetch.h"
#include "store/page.h"
#include "store/tid.h"

struct EcBlockScan
{
	EcFetch *fetch;
	BlockNumber nblocks; /* virtual ones in use when the scan began */
	BlockNumber block;	 /* the current one, or InvalidBlockNumber */
	int noffsets;		 /* bitmap: rows of the block; -1: all */
	int next;
	OffsetNumber offsets[EC_TID_ROWS_PER_BLOCK];
	int64 min; /* range of row numbers */
	int64 max;
	int64 row; /* the last one tried */
	bool inited;
};

static EcBlockScan *
get_scan(TableScanDesc base)
{
	EcTableScan *scan = (EcTableScan *) base;
	EcDiskMeta meta;

	if (scan->blocks != NULL)
		return scan->blocks;
	scan->blocks = palloc0(sizeof(EcBlockScan));
	scan->blocks->fetch = ec_fetch_begin(base->rs_rd);
	scan->blocks->block = InvalidBlockNumber;
	if (ec_meta_read(base->rs_rd, &meta))
		scan->blocks->nblocks =
			(BlockNumber) ((meta.next_row + EC_TID_ROWS_PER_BLOCK - 1) / EC_TID_ROWS_PER_BLOCK);
	return scan->blocks;
}

void
ec_blockscan_rescan(EcTableScan *scan)
{
	if (scan->blocks == NULL)
		return;
	scan->blocks->block = InvalidBlockNumber;
	scan->blocks->next = scan->blocks->noffsets = 0;
	scan->blocks->inited = false;
}

void
ec_blockscan_end(EcTableScan *scan)
{
	if (scan->blocks == NULL)
		return;
	ec_fetch_end(scan->blocks->fetch);
	pfree(scan->blocks);
}

/* ------------------------------------------------------------------------
 * Bitmaps
 * ------------------------------------------------------------------------
 */

static bool
next_of_block(TableScanDesc base, EcBlockScan *s, TupleTableSlot *slot)
{
	int end = s->noffsets < 0 ? EC_TID_ROWS_PER_BLOCK : s->noffsets;

	while (s->next < end)
	{
		OffsetNumber offset = s->noffsets < 0 ? s->next + 1 : s->offsets[s->next];
		ItemPointerData tid;

		s->next++;
		ItemPointerSet(&tid, s->block, offset);
		if (ec_fetch_next(s->fetch, &tid, base->rs_snapshot, slot))
		{
			pgstat_count_heap_fetch(base->rs_rd);
			return true;
		}
	}
	ExecClearTuple(slot);
	return false;
}

#if EC_COMPAT_BITMAP_BY_TUPLE

static bool
next_block(TableScanDesc base, EcBlockScan *s, bool *recheck, uint64 *lossy, uint64 *exact)
{
	TBMIterateResult page;

	CHECK_FOR_INTERRUPTS();
	if (!tbm_iterate(&base->st.rs_tbmiterator, &page))
		return false;
	s->block = page.blockno;
	s->next = 0;
	*recheck = page.recheck;
	if (page.lossy)
	{
		s->noffsets = -1;
		(*lossy)++;
		return true;
	}
	s->noffsets = tbm_extract_page_tuple(&page, s->offsets, lengthof(s->offsets));
	(*exact)++;
	return true;
}

bool
ec_blockscan_bitmap_next_tuple(TableScanDesc base, TupleTableSlot *slot, bool *recheck,
							   uint64 *lossy, uint64 *exact)
{
	EcBlockScan *s = get_scan(base);

	while (!next_of_block(base, s, slot))
		if (!next_block(base, s, recheck, lossy, exact))
			return false;
	return true;
}

#else

bool
ec_blockscan_bitmap_next_block(TableScanDesc base, TBMIterateResult *page)
{
	EcBlockScan *s = get_scan(base);

	s->block = page->blockno;
	s->next = 0;
	s->noffsets = page->ntuples;
	if (page->ntuples > 0)
		memcpy(s->offsets, page->offsets, page->ntuples * sizeof(OffsetNumber));
	return page->ntuples != 0;
}

bool
ec_blockscan_bitmap_next_tuple(TableScanDesc base, TBMIterateResult *page, TupleTableSlot *slot)
{
	return next_of_block(base, get_scan(base), slot);
}

#endif

/* ------------------------------------------------------------------------
 * Ranges
 * ------------------------------------------------------------------------
 */

/* The first row number at or behind any tid, existing or not. */
static int64
row_at_or_behind(ItemPointer tid)
{
	int64 first = (int64) ItemPointerGetBlockNumberNoCheck(tid) * EC_TID_ROWS_PER_BLOCK;
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);

	return first + Min(Max(offset, 1) - 1, EC_TID_ROWS_PER_BLOCK);
}

void
ec_blockscan_set_tidrange(TableScanDesc base, ItemPointer min, ItemPointer max)
{
	EcBlockScan *s = get_scan(base);
	int64 end = (int64) s->nblocks * EC_TID_ROWS_PER_BLOCK;

	s->min = row_at_or_behind(min);
	s->max = row_at_or_behind(max);
	if (ec_tid_to_row(max) < 0)
		s->max--; /* none with this very tid: before the first one behind it */
	s->max = Min(s->max, end - 1);
	s->inited = false;
}

bool
ec_blockscan_getnextslot_tidrange(TableScanDesc base, ScanDirection direction, TupleTableSlot *slot)
{
	EcBlockScan *s = get_scan(base);
	int step = ScanDirectionIsBackward(direction) ? -1 : 1;

	if (!s->inited)
		s->row = step < 0 ? s->max + 1 : s->min - 1;
	s->inited = true;
	for (s->row += step; s->row >= s->min && s->row <= s->max; s->row += step)
	{
		ItemPointerData tid;

		CHECK_FOR_INTERRUPTS();
		ec_tid_from_row(s->row, &tid);
		if (ec_fetch_next(s->fetch, &tid, base->rs_snapshot, slot))
		{
			pgstat_count_heap_getnext(base->rs_rd);
			return true;
		}
	}
	s->inited = false;
	ExecClearTuple(slot);
	return false;
}

/* ------------------------------------------------------------------------
 * Samples
 * ------------------------------------------------------------------------
 */

bool
ec_blockscan_sample_next_block(TableScanDesc base, SampleScanState *state)
{
	EcBlockScan *s = get_scan(base);

	if (s->nblocks == 0)
		return false;
	if (state->tsmroutine->NextSampleBlock != NULL)
		s->block = state->tsmroutine->NextSampleBlock(state, s->nblocks);
	else if (s->block == InvalidBlockNumber)
		s->block = 0;
	else
		s->block++;
	if (s->block >= s->nblocks)
		s->block = InvalidBlockNumber;
	return s->block != InvalidBlockNumber;
}

bool
ec_blockscan_sample_next_tuple(TableScanDesc base, SampleScanState *state, TupleTableSlot *slot)
{
	EcBlockScan *s = get_scan(base);

	for (;;)
	{
		ItemPointerData tid;
		OffsetNumber offset;

		CHECK_FOR_INTERRUPTS();
		offset = state->tsmroutine->NextSampleTuple(state, s->block, EC_TID_ROWS_PER_BLOCK);
		if (!OffsetNumberIsValid(offset))
			break;
		ItemPointerSet(&tid, s->block, offset);
		if (ec_fetch_next(s->fetch, &tid, base->rs_snapshot, slot))
		{
			pgstat_count_heap_getnext(base->rs_rd);
			return true;
		}
	}
	ExecClearTuple(slot);
	return false;
}
