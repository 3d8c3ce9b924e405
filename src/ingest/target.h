/*
 * target.h
 *	  The table that a stream fills: may it be filled, how fields map to columns,
 *	  and the rows being gathered for it.
 *
 * A target is planned for one shape of the table.  Rows are gathered without a
 * lock on it; whoever stores them opens the table again, asks ec_target_matches
 * under the lock and, if the shape has changed, drops the batch, plans anew and
 * reads the messages again.
 */
#ifndef EC_TARGET_H
#define EC_TARGET_H

#include "postgres.h"

#include "utils/relcache.h"

#include "ingest/catalog.h"
#include "ingest/csv.h"
#include "vector/batch.h"

typedef struct EcTarget EcTarget;

/* A faulty row of a message; raw points into the message. */
typedef struct EcFault
{
	int32 row; /* 0: the message as such */
	const char *reason;
	const char *error;
	const uint8 *raw;
	uint32 raw_len;
} EcFault;

typedef void (*EcFaultCallback)(void *arg, const EcFault *fault);

/*
 * Opens and locks the target of a stream; raises an error that says why it cannot
 * be filled by this owner.  missing_ok: NULL if there is no such table any more.
 */
extern Relation ec_target_open(Oid relid, Oid owner, LOCKMODE lockmode, bool missing_ok);

/* rel as from ec_target_open.  options: the stream's jsonb, as text.  fault is called while parsing. */
extern EcTarget *ec_target_plan(Relation rel, const char *options, MemoryContext parent,
								EcFaultCallback fault, void *fault_arg);
extern void ec_target_free(EcTarget *target);

/* Does the plan still fit the table? */
extern bool ec_target_matches(const EcTarget *target, Relation rel);

/*
 * Parses one message into the batch; returns the number of good rows.  Faulty ones
 * are reported and left out; a NULL report takes back those of this message.  If the
 * batch would grow beyond what a row group may hold, nothing is added and -1 comes
 * back: store the batch and try again.  A message that is too large even for an
 * empty batch is stored group by group by *spill, which must empty the batch inside
 * the transaction that will store the rest of the message.
 */
typedef void (*EcSpill)(void *arg, EcBatch *batch);
extern int64
ec_target_parse(EcTarget *target, const uint8 *message, size_t len, EcSpill spill, void *spill_arg);

extern EcBatch *ec_target_batch(EcTarget *target);
extern uint32 ec_target_group_rows(const EcTarget *target);
extern EcCsv *ec_target_csv(EcTarget *target);

#endif /* EC_TARGET_H */
