/*
 * plan.h
 *	  Between the planner's hook and the cost estimate.
 */
#ifndef EC_SCAN_PLAN_H
#define EC_SCAN_PLAN_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "utils/relcache.h"

#include "scan/pred.h"

/* The clause as a predicate if it may be evaluated ahead of the others in clauses, else NULL. */
extern EcPred *ec_scan_pushable(RelOptInfo *rel, RestrictInfo *rinfo, List *clauses);

extern double
ec_scan_cost(PlannerInfo *root, RelOptInfo *rel, Relation relation, Path *path, Bitmapset *attrs);

#endif /* EC_SCAN_PLAN_H */
