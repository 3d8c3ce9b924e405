/*
 * cube_plan.h
 *	  How a query over a bucketed view is planned and run: cube_plan.c, cube_quals.c,
 *	  cube_reduce.c, cube_scan.c.
 *
 * custom_private of a BucketScan's plan, in this order:
 */
#ifndef EC_CUBE_PLAN_H
#define EC_CUBE_PLAN_H

#include "postgres.h"

#include "nodes/extensible.h"
#include "nodes/pathnodes.h"

#include "insight/cube.h"

typedef enum EcCubePrivate
{
	EC_CUBE_PRIVATE_VIEW,	  /* its number */
	EC_CUBE_PRIVATE_FUNCTION, /* an Oid as Const */
	EC_CUBE_PRIVATE_RELID,	  /* likewise */
	EC_CUBE_PRIVATE_KEYS,	  /* bits */
	EC_CUBE_PRIVATE_REDUCED,  /* by cube_reduce.c? */
	EC_CUBE_PRIVATE_COLUMNS,  /* list: EcCubeColumn of each column of custom_scan_tlist */
	EC_CUBE_PRIVATE_PUSHED,	  /* list: kinds and columns of custom_exprs, see EcCubePush */
	EC_CUBE_PRIVATE_TOP		  /* list: measure, number of rows (0: all) */
} EcCubePrivate;

#define EC_CUBE_SCAN_NAME "BucketScan"

/* What is compared, if a clause is pushed down. */
typedef enum EcCubeSubject
{
	EC_CUBE_SUBJECT_KEY,   /* a key, for equality */
	EC_CUBE_SUBJECT_BUCKET /* the bucket, or a time before it: see days */
} EcCubeSubject;

/* A clause as the scan knows it: subject, operator, value. */
typedef struct EcCubePush
{
	EcCubeSubject subject;
	EcCubeColumn column;
	int days;	   /* that the bucket may have been truncated by */
	int strategy;  /* BTxxxStrategyNumber */
	bool is_array; /* = ANY (value) */
	bool is_exact; /* what the scan reads needn't be asked again */
	Expr *value;   /* without Vars */
} EcCubePush;

/* The view that a function is behind; NULL: none. */
extern const EcCubeView *ec_cube_view_of_function(Oid function);

/* The column of a view that an attribute of its function is. */
static inline EcCubeColumn
ec_cube_attribute(const EcCubeView *view, AttrNumber attno)
{
	return view->columns[attno - 1];
}

/* cube_quals.c: can the clause (of relation rti) be pushed down? */
extern bool ec_cube_push(const EcCubeView *view, Index rti, RestrictInfo *rinfo, EcCubePush *push);

/* The query's bounds and filters follow from a pushed clause's value; false: no row matches. */
extern bool
ec_cube_apply(EcCubeQuery *query, const EcCubePush *push, Oid type, Datum value, bool isnull);

/* cube_reduce.c: does the query above only add up the view's rows, so that fewer keys are enough? */
extern bool
ec_cube_reducible(PlannerInfo *root, RelOptInfo *rel, const EcCubeView *view, bool sums_are_exact);

/* Are the first rows by a measure, descending, all that a reducible query wants?  Returns how many; 0: no. */
extern int ec_cube_top(PlannerInfo *root, RelOptInfo *rel, const EcCubeView *view, uint32 keys,
					   EcCubeColumn *measure);

/* cube_scan.c */
extern const CustomScanMethods ec_cube_scan_methods;

#endif /* EC_CUBE_PLAN_H */
