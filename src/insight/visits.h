/*
 * visits.h
 *	  Distinct users, buyers, sessions and orders by hours, from one set of summaries.
 *
 * Those of the rows that the set stands for, hidden ones too; presence.h makes up for what
 * is elsewhere.
 */
#ifndef EC_VISITS_H
#define EC_VISITS_H

#include "postgres.h"

#include "insight/buckets.h"
#include "insight/projection.h"
#include "insight/rows.h"
#include "store/summary.h"

/* What these functions read. */
#define EC_VISITS_PROJECTIONS                                                                      \
	(EC_PROJECTION_BIT(EC_PROJECTION_VISIT) | EC_PROJECTION_BIT(EC_PROJECTION_VISIT_DAY))

/* How many there are in the slots; counts [EC_VISIT_KINDS]. */
extern void
ec_visits_count(Relation rel, const EcSummarySet *set, const EcSlots *slots, int64 *counts);

/*
 * The same by buckets, which consist of whole hours: tells add, several times a bucket, how many
 * more of a kind there are.
 */
typedef void (*EcVisitAdd)(EcVisitKind kind, uint32 bucket, int64 count, void *arg);

extern void ec_visits_by_bucket(Relation rel, const EcSummarySet *set, const EcSlots *slots,
								EcBuckets *buckets, EcVisitAdd add, void *arg);

/* The same for each user's first visit of all, if its hour is in the slots. */
extern void ec_visits_firsts_by_bucket(Relation rel, const EcSummarySet *set, const EcSlots *slots,
									   EcBuckets *buckets, EcVisitAdd add, void *arg);

#endif /* EC_VISITS_H */
