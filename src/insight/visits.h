/*
 * visits.h
 *	  Distinct users, buyers, sessions and orders by hours, from one set of summaries.
 *
 * Exact as long as the set stands for all selected rows: the caller makes sure that there
 * is one set (EC_PROJECTION_VISIT), and that no row came with either sign.
 */
#ifndef EC_VISITS_H
#define EC_VISITS_H

#include "postgres.h"

#include "insight/projection.h"
#include "insight/rows.h"
#include "store/summary.h"

/* How many there are in the slots; counts [EC_VISIT_KINDS]. */
extern void
ec_visits_count(Relation rel, const EcSummarySet *set, const EcSlots *slots, int64 *counts);

/*
 * The same by buckets.  bucket_of gives the bucket of an hour by its start, which must be the
 * start of an hour, too (an infinity is its own bucket); add is told how many of a kind
 * have visits in the bucket's hours, several times a bucket.  isnull: without a time.
 */
typedef int64 (*EcVisitBucket)(int64 hour, void *arg);
typedef void (*EcVisitAdd)(EcVisitKind kind, int64 bucket, bool isnull, int64 count, void *arg);

extern void ec_visits_by_bucket(Relation rel, const EcSummarySet *set, const EcSlots *slots,
								EcVisitBucket bucket_of, EcVisitAdd add, void *arg);

#endif /* EC_VISITS_H */
