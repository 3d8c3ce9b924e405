/*
 * fetch.h
 *	  Single rows by number or tid, under any snapshot.
 *
 *		fetch = ec_fetch_begin(rel);
 *		... ec_fetch_next(fetch, tid, snapshot, slot) ...
 *		ec_fetch_end(fetch);
 *
 * A dirty snapshot learns who else is at work on the row.  Serializable transactions
 * lock the row in rel.  slot may be NULL if only the answer is wanted.
 *
 * Locks: the caller holds AccessShareLock or more on the relation.  Between begin and
 * end the companion is open, within the resource owner of begin.
 */
#ifndef EC_STORE_FETCH_H
#define EC_STORE_FETCH_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "store/companion.h"
#include "store/slot.h"

typedef struct EcFetch EcFetch;

extern EcFetch *ec_fetch_begin(Relation rel);
extern void ec_fetch_end(EcFetch *fetch);
extern bool ec_fetch_next(EcFetch *fetch, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot);

/*
 * Is a row that _next has not found dead for everybody, now and for ever?  False if that
 * can't be told at once.
 */
extern bool ec_fetch_is_dead(EcFetch *fetch, ItemPointer tid);

/* _next for a single row. */
extern bool ec_fetch_row(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot);

/*
 * Does a row group that the snapshot sees hold the row, unmasked?  Row tuples are
 * not asked.  *xmin gets the raw xmin of its descriptor; may be NULL.
 */
extern bool
ec_fetch_group_holds(EcCompanion *c, int64 number, Snapshot snapshot, TransactionId *xmin);

/*
 * A row that certainly stands in a row group, with its values, whatever its state.
 * False if that can't be told at once: the caller asks ec_fetch_row.
 */
extern bool ec_fetch_group_row(EcCompanion *c, ItemPointer tid, TupleTableSlot *slot);

/* The current subtransaction has just deleted this row, or updated it. */
extern void ec_fetch_note_gone(Relation rel, int64 number);

/* For slot.c: the values of a slot that reads on demand, up to natts, in the current memory context. */
extern void ec_fetch_fill(EcSlot *slot, int natts);

/* Forgets what is known of all tables: one was emptied in place. */
extern void ec_fetch_forget(void);

#endif /* EC_STORE_FETCH_H */
