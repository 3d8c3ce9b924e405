/*
 * write_state.h
 *	  Rows that the current transaction has inserted but not yet written.
 */
#ifndef EC_STORE_WRITE_STATE_H
#define EC_STORE_WRITE_STATE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "vector/batch.h"

/* Adds rows of a command; sets their tids. */
extern void ec_write_rows(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid);

/*
 * The same for commands of a few rows each, of which there are many in this
 * transaction, if their rows may be gathered.
 */
extern void ec_write_gather(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid);
extern bool ec_write_may_gather(Relation rel);

/*
 * Rows parsed straight into column builders: the pending batch of this command,
 * to whose columns the caller may append up to *room rows (at least one; their
 * numbers are reserved and begin with *first; expected is how many are likely to
 * come).  It then says how many it appended, or takes them back with
 * ec_batch_truncate(batch, batch->nrows).
 */
extern EcBatch *
ec_write_open(Relation rel, CommandId cid, uint32 expected, uint32 *room, int64 *first);
extern void ec_write_added(Relation rel, CommandId cid, uint32 nrows);

/* After that, and after the rows' index entries: writes the batch if it is full. */
extern void ec_write_limit(Relation rel, CommandId cid);

/*
 * While held, the end of a bulk insert writes nothing: a statement that consists of
 * several says when it ends.  An abort lets go.
 */
extern void ec_write_hold(bool hold);
extern bool ec_write_held(void);

/*
 * Writes what belongs to the current subtransaction: of one relation, of one command,
 * of all commands but not what is gathered, all.
 */
extern void ec_write_flush_relation(Relation rel);
extern void ec_write_flush_command(CommandId cid);
extern void ec_write_flush_commands(void);
extern void ec_write_flush_all(void);

/*
 * Writes what parent subtransactions have gathered, before this one runs a statement
 * that may alter, empty or drop their tables.
 */
extern void ec_write_for_parents(void);

/* Writes what was gathered, if a subtransaction had to read it before it could be written. */
extern void ec_write_settle(void);

/*
 * Rows of parent subtransactions, which only those can write, in the form of
 * payloads (store/format.h); the caller decides by cid what it sees.
 */
typedef struct EcPendingGroup
{
	CommandId cid;
	uint8 *payload;
	Size len;
} EcPendingGroup;

extern EcPendingGroup *ec_write_pending_groups(Relation rel, int *count);

/* A row of this transaction that stands in a batch: row "row" of it. */
typedef struct EcPendingRow
{
	CommandId cid;
	EcBatch *batch;
	uint32 row;
} EcPendingRow;

extern bool ec_write_pending_find(Relation rel, int64 number, EcPendingRow *found);

/* Has this transaction written any batch? */
extern bool ec_write_any_written(void);

/* Does this transaction hold any rows that are not yet written? */
extern bool ec_write_any_pending(void);

extern void ec_write_state_init(void);

#endif /* EC_STORE_WRITE_STATE_H */
