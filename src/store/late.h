/*
 * late.h
 *	  Rows whose row group tells an earlier command than the one that inserted them.
 *
 * write_state.c gathers the rows of many small commands of a transaction in one
 * batch, which becomes a row group under the first one's command id.  For other
 * transactions that is all the same.  Within this one a snapshot may lie between the
 * commands (a cursor's, that of a statement that still runs): it sees the row group,
 * but must not see its late rows.  What is kept here lives as long as the transaction
 * and in this process only, so queries with such a snapshot run without parallel
 * workers.
 */
#ifndef EC_STORE_LATE_H
#define EC_STORE_LATE_H

#include "postgres.h"

#include "utils/relcache.h"
#include "utils/snapshot.h"

/* May more rows be noted?  What is kept is bounded. */
extern bool ec_late_room(void);

/* The row was inserted by cid; its row group will say group_cid. */
extern void ec_late_note(Relation rel, int64 number, CommandId cid, CommandId group_cid);

/* The command that inserted the row; group_cid if its row group tells the truth. */
extern CommandId ec_late_command(Relation rel, int64 number, CommandId group_cid);

/* Does the snapshot see the row group of the row, but not the row? */
extern bool ec_late_hides(Relation rel, int64 number, Snapshot snapshot);

/* Calls visit for all rows of which that is true. */
typedef void (*EcLateVisit)(int64 number, void *arg);

extern void ec_late_visit_hidden(Relation rel, Snapshot snapshot, EcLateVisit visit, void *arg);

/* Is it true of any row of any table? */
extern bool ec_late_hides_any(Snapshot snapshot);

/* The table was emptied in place: its row numbers start anew. */
extern void ec_late_forget(Relation rel);

extern void ec_late_at_xact_end(void);

#endif /* EC_STORE_LATE_H */
