/*
 * cube_functions.c
 *	  The functions behind the bucketed views: ecinsight.category_hour(events) and so on.
 *
 * Called as functions they answer the whole view; in a query's FROM the planner puts a
 * BucketScan in their place (cube_plan.c).  Both know them by their support function.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "nodes/supportnodes.h"
#include "utils/lsyscache.h"

#include "insight/args.h"
#include "insight/cube.h"
#include "insight/cube_plan.h"

PG_FUNCTION_INFO_V1(ec_cube_function);
PG_FUNCTION_INFO_V1(ec_cube_support);

const EcCubeView *
ec_cube_view_of_function(Oid function)
{
	Oid support = get_func_support(function);
	FmgrInfo info;
	int view;

	if (!OidIsValid(support))
		return NULL;
	fmgr_info(support, &info);
	if (info.fn_addr != ec_cube_support)
		return NULL;
	view = ec_cube_find_view(get_func_name(function));
	return view < 0 ? NULL : ec_cube_view(view);
}

/* category_hour(events regclass) and the others */
Datum
ec_cube_function(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const EcCubeView *view = ec_cube_view_of_function(fcinfo->flinfo->fn_oid);
	EcCubeQuery query = {view};
	EcCubeUse use = {0};

	if (view == NULL)
		elog(ERROR, "function %u is behind no bucketed view", fcinfo->flinfo->fn_oid);
	ec_args_require(fcinfo, 0, "events");
	InitMaterializedSRF(fcinfo, 0);
	query.relid = PG_GETARG_OID(0);
	query.keys = ec_cube_columns(view) & EC_CUBE_KEY_BITS;
	query.measures = ec_cube_columns(view) & ~EC_CUBE_KEY_BITS;
	ec_cube_run(&query, rsinfo->setResult, rsinfo->setDesc, view->columns, &use);
	PG_RETURN_VOID();
}

/* Marks the functions; it has nothing to tell. */
Datum
ec_cube_support(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(NULL);
}
