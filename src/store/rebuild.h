/*
 * rebuild.h
 *	  Frozen tuples of the companion beside a REINDEX CONCURRENTLY of it.
 */
#ifndef EC_STORE_REBUILD_H
#define EC_STORE_REBUILD_H

#include "postgres.h"

#include "storage/buf.h"
#include "utils/relcache.h"

/* Does the index get entries, though REINDEX CONCURRENTLY hasn't finished it (or has left it)? */
extern bool ec_rebuild_unfinished(Relation index);

/*
 * Keeps the validation of such an index from beginning until ec_rebuild_resume: what is
 * inserted into its heap and the index meanwhile, it finds in both.  Waits if a
 * validation is going on; the caller has no buffer locked, and no pin on the index.
 */
extern Buffer ec_rebuild_hold_off(Relation index);
extern void ec_rebuild_resume(Buffer pin);

#endif /* EC_STORE_REBUILD_H */
