/*
 * copy_triggers.h
 *	  AFTER ROW triggers of a COPY's target: those of foreign keys.
 *
 * A foreign key's check looks at the key and nothing else, so the first row with a key
 * stands for all that have the same one: only such rows become events.  Core runs the
 * events, once all rows are there.  So the row for which it fails, and what it says, is
 * what it would be with an event for each row.
 */
#ifndef EC_COPY_TRIGGERS_H
#define EC_COPY_TRIGGERS_H

#include "postgres.h"

#include "executor/executor.h"

typedef struct EcCopyTriggers EcCopyTriggers;

/* Has the table no INSERT triggers but those? */
extern bool ec_copy_triggers_possible(Relation rel);

/* NULL: it has none at all.  needed[attnum - 1] is set for the columns that rows must have. */
extern EcCopyTriggers *ec_copy_triggers_create(Relation rel, bool *needed);
extern void ec_copy_triggers_free(EcCopyTriggers *triggers);

/* A row that has been inserted, with its tid; between AfterTriggerBeginQuery and AfterTriggerEndQuery. */
extern void ec_copy_triggers_row(EcCopyTriggers *triggers, EState *estate, ResultRelInfo *info,
								 TupleTableSlot *slot);

#endif /* EC_COPY_TRIGGERS_H */
