/*
 * rowscan.h
 *	  Rows out of a reader, one slot at a time, forward and backward.
 */
#ifndef EC_STORE_ROWSCAN_H
#define EC_STORE_ROWSCAN_H

#include "postgres.h"

#include "access/sdir.h"
#include "executor/tuptable.h"

#include "store/reader.h"

typedef struct EcRowScan EcRowScan;

/* Chooses the next group in a direction: an index, or PG_UINT32_MAX at the end. */
typedef uint32 (*EcNextGroup)(void *arg);

/* next: NULL to visit all groups in order. */
extern EcRowScan *ec_rowscan_begin(Relation rel, Snapshot snapshot, EcNextGroup next, void *arg);
extern void ec_rowscan_rescan(EcRowScan *scan);
extern void ec_rowscan_end(EcRowScan *scan);

/* The slot's values are valid until the next call. */
extern bool ec_rowscan_next(EcRowScan *scan, ScanDirection direction, TupleTableSlot *slot);

/* Stores one row of a given group: for fetches by tid and samples. */
extern void ec_rowscan_store(EcRowScan *scan, uint32 group, uint32 row, TupleTableSlot *slot);

/* The same, if no tombstone or mask hides the row. */
extern bool ec_rowscan_store_live(EcRowScan *scan, uint32 group, uint32 row, TupleTableSlot *slot);

extern EcReader *ec_rowscan_reader(EcRowScan *scan);

#endif /* EC_STORE_ROWSCAN_H */
