/*
 * tid.h
 *	  Row numbers and the ItemPointers that stand for them outside.
 *
 * A table's rows are numbered from 0.  PostgreSQL addresses rows by (block,
 * offset); bitmaps and indexes accept offsets up to MaxHeapTuplesPerPage, so a
 * virtual block holds that many (291 with 8 kB pages) and a table about 1.25e12 row
 * numbers.
 */
#ifndef EC_STORE_TID_H
#define EC_STORE_TID_H

#include "postgres.h"

#include "access/htup_details.h"
#include "storage/block.h"
#include "storage/itemptr.h"

#define EC_TID_ROWS_PER_BLOCK 291
#define EC_ROW_NUMBER_END ((int64) MaxBlockNumber * EC_TID_ROWS_PER_BLOCK)

StaticAssertDecl(EC_TID_ROWS_PER_BLOCK <= MaxHeapTuplesPerPage,
				 "offsets must be possible in a heap");

static inline void
ec_tid_from_row(int64 row, ItemPointer tid)
{
	ItemPointerSet(tid, (BlockNumber) (row / EC_TID_ROWS_PER_BLOCK),
				   (OffsetNumber) (row % EC_TID_ROWS_PER_BLOCK + 1));
}

/* -1 if no row can have that tid. */
static inline int64
ec_tid_to_row(ItemPointer tid)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);

	if (block >= MaxBlockNumber || offset < 1 || offset > EC_TID_ROWS_PER_BLOCK)
		return -1;
	return (int64) block * EC_TID_ROWS_PER_BLOCK + offset - 1;
}

#endif /* EC_STORE_TID_H */
