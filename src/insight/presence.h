/*
 * presence.h
 *	  Distinct users and buyers, by buckets of time or in all, and distinct sessions and
 *	  orders, from any number of sets of summaries and the rows that these lack or have
 *	  too many.
 *
 *		presence = ec_presence_create(&rows, ...);		after ec_rows_cover
 *		while (ec_rows_next(&rows))
 *			ec_presence_add(presence, types, buckets);
 *		ec_presence_count(presence);
 *
 * Each set tells its own numbers at once (visits.h).  Added up, they are wrong for those
 * only who are in several sets or of whom there were rows; these users' cells
 * (EC_PROJECTION_SESSION) are looked up, and what is right is put in the place of what
 * the sets have counted.
 *
 * Memory: rows are aggregated by user (and bucket, or session and set) within a share of
 * work_mem * hash_mem_multiplier, the rest in temporary files; a block of cells of each
 * set; one user's cells.
 */
#ifndef EC_PRESENCE_H
#define EC_PRESENCE_H

#include "postgres.h"

#include "insight/buckets.h"
#include "insight/projection.h"
#include "insight/rows.h"
#include "insight/visits.h"

/* What sets must have. */
#define EC_PRESENCE_PROJECTIONS (EC_VISITS_PROJECTIONS | EC_PROJECTION_BIT(EC_PROJECTION_SESSION))

/* Columns that rows must have, beside the caller's; the second one if sessions are counted. */
#define EC_PRESENCE_COLUMNS (EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_TYPE))
#define EC_PRESENCE_SESSION_COLUMNS (EC_PRESENCE_COLUMNS | EC_COL_BIT(EC_COL_SESSION))

typedef struct EcPresence EcPresence;

/*
 * Tells add how many more, or less, of a kind there are in a bucket, which is 0 without buckets.
 * buckets, NULL: none, and sessions and orders are counted, too.  They consist of whole hours.
 */
extern EcPresence *ec_presence_create(EcRows *rows, EcBuckets *buckets, EcVisitAdd add, void *arg,
									  double share, MemoryContext context);

/* The same in one bucket without sessions and orders, numbers of which add has to ignore. */
extern EcPresence *ec_presence_create_people(EcRows *rows, EcVisitAdd add, void *arg, double share,
											 MemoryContext context);

/* A batch of rows, of either sign; types by row, buckets by row or NULL if there are none. */
extern void ec_presence_add(EcPresence *presence, const uint32 *types, const uint32 *buckets);

/* After the last batch: adds everything.  Ends the rows' sets, and frees itself. */
extern void ec_presence_count(EcPresence *presence);

#endif /* EC_PRESENCE_H */
