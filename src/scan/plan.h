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

/* index_cost.c: prices the relation's index and bitmap paths anew. */
extern void
ec_scan_price_index_paths(PlannerInfo *root, RelOptInfo *rel, Relation relation, Bitmapset *attrs);
extern void ec_index_cost_init(void);

#endif /* EC_SCAN_PLAN_H */
