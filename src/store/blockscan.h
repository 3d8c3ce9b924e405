/*
 * blockscan.h
 *	  The access method's callbacks for scans that address rows by virtual blocks.
 */
#ifndef EC_STORE_BLOCKSCAN_H
#define EC_STORE_BLOCKSCAN_H

#include "postgres.h"

#include "base/compat.h"
#include "store/tableam.h"

extern void ec_blockscan_rescan(EcTableScan *scan);
extern void ec_blockscan_end(EcTableScan *scan);

#if EC_COMPAT_BITMAP_BY_TUPLE
extern bool ec_blockscan_bitmap_next_tuple(TableScanDesc base, TupleTableSlot *slot, bool *recheck,
										   uint64 *lossy, uint64 *exact);
#define EC_BLOCKSCAN_BITMAP_CALLBACKS .scan_bitmap_next_tuple = ec_blockscan_bitmap_next_tuple
#else
extern bool ec_blockscan_bitmap_next_block(TableScanDesc base, struct TBMIterateResult *page);
extern bool ec_blockscan_bitmap_next_tuple(TableScanDesc base, struct TBMIterateResult *page,
										   TupleTableSlot *slot);
#define EC_BLOCKSCAN_BITMAP_CALLBACKS                                                              \
	.scan_bitmap_next_block = ec_blockscan_bitmap_next_block,                                      \
	.scan_bitmap_next_tuple = ec_blockscan_bitmap_next_tuple
#endif

extern void ec_blockscan_set_tidrange(TableScanDesc base, ItemPointer min, ItemPointer max);
extern bool ec_blockscan_getnextslot_tidrange(TableScanDesc base, ScanDirection direction,
											  TupleTableSlot *slot);
extern bool ec_blockscan_sample_next_block(TableScanDesc base, struct SampleScanState *state);
extern bool ec_blockscan_sample_next_tuple(TableScanDesc base, struct SampleScanState *state,
										   TupleTableSlot *slot);

#endif /* EC_STORE_BLOCKSCAN_H */
