/*
 * compact.h
 *	  Compaction: few full row groups in place of many small ones, rows on their own
 *	  and tombstones.
 */
#ifndef EC_STORE_COMPACT_H
#define EC_STORE_COMPACT_H

#include "postgres.h"

#include "store/companion.h"
#include "store/group.h"
#include "store/options.h"

typedef struct EcCompaction
{
	int64 groups_merged;  /* replaced */
	int64 groups_written; /* in their place */
	int64 rows_written;
	int64 rows_dropped;	  /* deleted ones that are gone now */
	int64 rows_folded;	  /* tombstones that became masks */
	int64 tuples_dropped; /* deleted from the companion */
	int64 unsettled;	  /* tuples that had to be left for later */
	int64 deltas_left;	  /* rows on their own that the next compaction will find */
} EcCompaction;

/*
 * Compacts what is settled (survey.h).  "all" merges every row group that isn't
 * full, and all rows on their own; else small ones wait until they are worth it, and
 * of very many rows some are left for another transaction.  The caller has
 * ShareUpdateExclusiveLock on the relation and on its companion, and an ordinary
 * transaction, at whose end the result becomes visible.
 */
extern void ec_compact_relation(Relation rel, EcCompanion *c, bool all, EcCompaction *result);

/* Will a row group of such a level and number of rows be merged, or sorted, sooner or later? */
extern bool ec_compact_is_passing(uint8 level, uint32 nrows, const EcTableOptions *options);

#endif /* EC_STORE_COMPACT_H */
