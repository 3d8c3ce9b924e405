/*
 * estimate.c
 *	  Tells the planner how many rows an insight function returns, if a constant
 *	  parameter k or horizon says so.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/primnodes.h"
#include "nodes/supportnodes.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#define ROWS_FOR_ALL 1000 /* k => NULL: categories are hundreds, users as many as there are */

PG_FUNCTION_INFO_V1(ec_insight_support);

/* The argument of a call whose parameter tells how many rows are wanted; NULL: there is none. */
static Node *
find_limit(FuncExpr *call)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
	Node *limit = NULL;
	Oid *types;
	char **names;
	char *modes;
	int n;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", call->funcid);
	n = Min(get_func_arg_info(tuple, &types, &names, &modes), list_length(call->args));
	for (int i = 0; i < n && names != NULL; i++)
	{
		if (strcmp(names[i], "k") == 0 || strcmp(names[i], "horizon") == 0)
			limit = list_nth(call->args, i);
	}
	ReleaseSysCache(tuple);
	return limit;
}

static bool
estimate_rows(SupportRequestRows *request)
{
	Const *k;

	if (request->node == NULL || !IsA(request->node, FuncExpr))
		return false;
	k = (Const *) find_limit((FuncExpr *) request->node);
	if (k == NULL || !IsA(k, Const))
		return false;
	request->rows = k->constisnull ? ROWS_FOR_ALL : Max(DatumGetInt32(k->constvalue), 1);
	return true;
}

Datum
ec_insight_support(PG_FUNCTION_ARGS)
{
	Node *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestRows) && estimate_rows((SupportRequestRows *) request))
		PG_RETURN_POINTER(request);
	PG_RETURN_POINTER(NULL);
}
