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

/* Adds rows; sets their tids. */
extern void ec_write_rows(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid);

/* Writes what belongs to the current subtransaction: of one relation, of one command, all. */
extern void ec_write_flush_relation(Relation rel);
extern void ec_write_flush_command(CommandId cid);
extern void ec_write_flush_all(void);

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

/* Does this transaction hold any rows that are not yet written? */
extern bool ec_write_any_pending(void);

extern void ec_write_state_init(void);

#endif /* EC_STORE_WRITE_STATE_H */
