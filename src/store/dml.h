/*
 * dml.h
 *	  DELETE, UPDATE, row locks and speculative insertion: the callbacks of the
 *	  access method, with their meanings in PostgreSQL's access/tableam.h.
 */
#ifndef EC_STORE_DML_H
#define EC_STORE_DML_H

#include "postgres.h"

#include "access/tableam.h"

#include "base/compat.h"

extern TM_Result
ec_dml_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot snapshot, Snapshot crosscheck,
			  bool wait, TM_FailureData *tmfd, bool changing_partition);
extern TM_Result
ec_dml_update(Relation rel, ItemPointer otid, TupleTableSlot *slot, CommandId cid,
			  Snapshot snapshot, Snapshot crosscheck, bool wait, TM_FailureData *tmfd,
			  LockTupleMode *lockmode, EcUpdateIndexes *update_indexes);
extern TM_Result
ec_dml_lock(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot, CommandId cid,
			LockTupleMode mode, LockWaitPolicy wait_policy, uint8 flags, TM_FailureData *tmfd);
extern void ec_dml_latest_tid(TableScanDesc scan, ItemPointer tid);

/* speculative.c */
extern void
ec_dml_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
						  struct BulkInsertStateData *bistate, uint32 token);
extern void
ec_dml_complete_speculative(Relation rel, TupleTableSlot *slot, uint32 token, bool succeeded);

/* A row that is too wide for a tuple, as a row group of its own. */
extern int64 ec_dml_write_wide(Relation rel, TupleTableSlot *slot, int64 number, CommandId cid);

#endif /* EC_STORE_DML_H */
