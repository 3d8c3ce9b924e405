/*
 * vacuum.h
 *	  What the utility hook does after VACUUM; the callback itself is in tableam.h.
 */
#ifndef EC_STORE_VACUUM_H
#define EC_STORE_VACUUM_H

#include "postgres.h"

#include "utils/relcache.h"

/*
 * A VACUUM statement has begun, or ended: at its end the space of row groups that
 * it has replaced is made free, in transactions of their own.
 */
extern void ec_vacuum_statement_begin(void);
extern void ec_vacuum_statement_end(void);

/* Something has made rel anew: if it is VACUUM FULL, it makes summaries at the end. */
extern void ec_vacuum_rewritten(Relation rel);

extern void ec_vacuum_init(void);

/* For a process that does nothing else (background.c), outside of transactions. */
extern void ec_vacuum_merge(Oid relid);

#endif /* EC_STORE_VACUUM_H */
