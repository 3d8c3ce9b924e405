/*
 * store.h
 *	  The storage layer's set-up, and what its files share.
 */
#ifndef EC_STORE_H
#define EC_STORE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/nodes.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "base/compat.h"

/* Called once from _PG_init: hooks and transaction callbacks. */
extern void ec_store_init(void);
extern void ec_utility_init(void);

/* The client's statement that runs now if it is a utility statement, else NULL. */
extern Node *ec_utility_running(void);

/* The access method's handler has been called: perhaps this library was loaded in the midst of a statement. */
extern void ec_utility_loaded(void);

#endif /* EC_STORE_H */
