/*
 * estimate.c
 *	  Tells the planner how many rows an insight function returns: k, if it is known.
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/primnodes.h"
#include "nodes/supportnodes.h"
#include "utils/builtins.h"

#define ARG_K 1
#define ROWS_FOR_ALL 1000 /* k => NULL: categories are hundreds, users as many as there are */

PG_FUNCTION_INFO_V1(ec_insight_support);

static bool
estimate_rows(SupportRequestRows *request)
{
	Const *k;

	if (request->node == NULL || !IsA(request->node, FuncExpr) ||
		list_length(((FuncExpr *) request->node)->args) <= ARG_K)
		return false;
	k = list_nth(((FuncExpr *) request->node)->args, ARG_K);
	if (!IsA(k, Const))
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
