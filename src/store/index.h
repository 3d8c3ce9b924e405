/*
 * index.h
 *	  Indexes on columnar tables: the access method's callbacks.
 */
#ifndef EC_STORE_INDEX_H
#define EC_STORE_INDEX_H

#include "postgres.h"

#include "access/tableam.h"
#include "catalog/index.h"
#include "nodes/execnodes.h"

/* index.c: scans that an index leads */
extern IndexFetchTableData *ec_index_fetch_begin(Relation rel);
extern void ec_index_fetch_reset(IndexFetchTableData *data);
extern void ec_index_fetch_end(IndexFetchTableData *data);
extern bool ec_index_fetch_tuple(IndexFetchTableData *data, ItemPointer tid, Snapshot snapshot,
								 TupleTableSlot *slot, bool *call_again, bool *all_dead);
extern TransactionId ec_index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate);

/* index_build.c */
extern double
ec_index_build_range_scan(Relation rel, Relation index, IndexInfo *info, bool allow_sync,
						  bool anyvisible, bool progress, BlockNumber start, BlockNumber nblocks,
						  IndexBuildCallback callback, void *state, TableScanDesc scan);
extern void ec_index_validate_scan(Relation rel, Relation index, IndexInfo *info, Snapshot snapshot,
								   ValidateIndexState *state);

#endif /* EC_STORE_INDEX_H */
