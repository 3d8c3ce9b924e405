/*
 * mask.h
 *	  Folded tombstones: the rows of one block of a row group that are dead for everybody.
 *
 * Compaction writes them in place of tombstones that every snapshot sees; there is
 * at most one live MASK tuple for each block.  Bitmaps have bit i set for row i of
 * the block and EC_MASK_WORDS words.
 */
#ifndef EC_STORE_MASK_H
#define EC_STORE_MASK_H

#include "postgres.h"

#include "utils/relcache.h"

#include "vector/vector.h"

#define EC_MASK_WORDS (EC_BLOCK_ROWS / 64)

/* Inserts the mask of a block of nrows rows (1 .. EC_BLOCK_ROWS); options are heap_insert's. */
extern void ec_mask_insert(Relation rel, int64 group, uint32 block, const uint64 *dead,
						   uint32 nrows, CommandId cid, int options);

/* Adds a MASK tuple's rows to a bitmap; damage is an error.  The payload need not be aligned. */
extern void ec_mask_read(Relation rel, int64 group, uint32 block, const uint8 *payload, Size len,
						 uint32 nrows, uint64 *dead);

/* How many rows a MASK tuple of that number hides; damage is an error. */
extern uint32 ec_mask_count(Relation rel, int64 number, const uint8 *payload, Size len);

#endif /* EC_STORE_MASK_H */
