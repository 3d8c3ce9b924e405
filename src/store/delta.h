/*
 * delta.h
 *	  Single new rows: their numbers, and when they go into row tuples of their own.
 */
#ifndef EC_STORE_DELTA_H
#define EC_STORE_DELTA_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/relcache.h"

#include "vector/batch.h"

/* Rows of one transaction in one table that become row tuples; more of them go to a batch. */
#define EC_DELTA_ROWS 64

/* Takes a row number that nobody else gets. */
extern int64 ec_delta_next_number(Relation rel);

/* Forgets what is reserved for a table (InvalidOid: for all), because its file is emptied. */
extern void ec_delta_forget(Oid relid);

/*
 * Inserts rows that come singly or a few at a time, and sets their tids: as row
 * tuples as long as they are few, into batches (write_state.h) else.
 */
extern void ec_delta_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid);

/*
 * A batch that has to be written while it is small, as row tuples; false, and nothing
 * is done, if a row is too wide for one, or has been deleted or locked already.  The
 * next rows start anew as being few.
 */
extern bool
ec_delta_write_batch(Relation rel, EcBatch *batch, const int64 *numbers, const CommandId *cids);

/* How many such batches this session has written. */
extern uint64 ec_delta_batches(void);

/* The command is known to insert many rows: all go to batches. */
extern void ec_delta_expect_many(CommandId cid);

/* What a new row's slot must know, and what others must know of it. */
extern void ec_delta_inserted(Relation rel, TupleTableSlot *slot, int64 number, CommandId cid);

/* At the end of each transaction. */
extern void ec_delta_at_xact_end(void);

extern void ec_delta_init(void);

#endif /* EC_STORE_DELTA_H */
