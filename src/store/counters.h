/*
 * counters.h
 *	  The counters of a table whose file is given back as a whole.
 *
 * A table without rows needs no page, but its counters must go on where they were:
 * backends have numbers in reserve, indexes may have entries left.  So a tuple of the
 * companion takes them over, and a new metapage begins with them.
 */
#ifndef EC_STORE_COUNTERS_H
#define EC_STORE_COUNTERS_H

#include "postgres.h"

#include "utils/relcache.h"

#include "store/companion.h"

/*
 * Keeps the metapage's counters in a tuple of that number, larger than any used before, and
 * removes earlier ones.  Under AccessExclusiveLock on the table, just before the metapage goes.
 */
extern void ec_counters_keep(EcCompanion *c, int64 number);

/* For a table without a metapage, into *meta; false if it never had one, or is a new file. */
extern bool ec_counters_read(Relation rel, EcDiskMeta *meta);

/* Damage of such a tuple is an error. */
extern void ec_counters_check(Relation rel, HeapTuple tuple, const EcCatalogTuple *opened);

#endif /* EC_STORE_COUNTERS_H */
