/*
 * awaited.h
 *	  A relation's lock for who has a snapshot.
 */
#ifndef EC_STORE_AWAITED_H
#define EC_STORE_AWAITED_H

#include "postgres.h"

#include "storage/lockdefs.h"

/*
 * Locks the relation until the transaction ends, waiting for who has it; false if
 * that one waits for this transaction, as REINDEX CONCURRENTLY does.
 */
extern bool ec_awaited_lock(Oid relid, LOCKMODE mode);

#endif /* EC_STORE_AWAITED_H */
