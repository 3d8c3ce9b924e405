/*
 * cube_reduce.c
 *	  Does a query only add up a bucketed view's rows?
 *
 * If it does, rows that differ in nothing else that the query looks at may come as one, with
 * their sums, their least price_min and greatest price_max.  It does if
 *
 *	- it groups, aggregates, or is a SELECT DISTINCT,
 *	- measures are only the arguments of sum, or min and max of price_min and price_max,
 *	  perhaps inside a CASE that asks for keys,
 *	- and nothing else depends on how many rows there are: other aggregates are min and max,
 *	  or DISTINCT, or the condition count(*) > 0, which BI tools add.
 *
 * The rows may be joined with others on their keys: what joins one joins all that it stands for.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_aggregate.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "insight/cube_plan.h"

typedef struct Reduction
{
	const EcCubeView *view;
	Index rti;
	bool sums_are_exact;
} Reduction;

static bool
is_measure(const Reduction *r, Var *var)
{
	return var->varno == r->rti && var->varlevelsup == 0 &&
		   (var->varattno < 1 || var->varattno > r->view->ncolumns ||
			ec_cube_attribute(r->view, var->varattno) >= EC_CUBE_KEYS);
}

static bool
find_measure(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return is_measure(arg, (Var *) node);
	return expression_tree_walker(node, find_measure, arg);
}

/* The measure that is summed or compared, through CASE by keys; false: it is anything else. */
static bool
find_argument(const Reduction *r, Node *node, int *measure)
{
	CaseExpr *choice = (CaseExpr *) node;
	ListCell *lc;

	if (IsA(node, Var) && is_measure(r, (Var *) node) && ((Var *) node)->varattno > 0)
	{
		EcCubeColumn column = ec_cube_attribute(r->view, ((Var *) node)->varattno);

		if (*measure != EC_CUBE_COLUMNS && *measure != column)
			return false;
		*measure = column;
		return true;
	}
	if (IsA(node, Const))
		return ((Const *) node)->constisnull;
	if (!IsA(node, CaseExpr) || find_measure((Node *) choice->arg, (void *) r))
		return false;
	foreach (lc, choice->args)
	{
		CaseWhen *when = lfirst(lc);

		if (find_measure((Node *) when->expr, (void *) r) ||
			contain_volatile_functions((Node *) when->expr) ||
			!find_argument(r, (Node *) when->result, measure))
			return false;
	}
	return choice->defresult == NULL || find_argument(r, (Node *) choice->defresult, measure);
}

/* sum, min or max of a measure */
static bool
combines_measure(const Reduction *r, const Aggref *agg)
{
	bool is_sum = agg->aggfnoid == F_SUM_INT8 || agg->aggfnoid == F_SUM_NUMERIC;
	int measure = EC_CUBE_COLUMNS;

	if (agg->aggdistinct != NIL || agg->aggorder != NIL || list_length(agg->args) != 1 ||
		find_measure((Node *) agg->aggfilter, (void *) r) ||
		!find_argument(r, (Node *) linitial_node(TargetEntry, agg->args)->expr, &measure))
		return false;
	switch (measure)
	{
		case EC_CUBE_PRICE_MIN:
			return agg->aggfnoid == F_MIN_NUMERIC;
		case EC_CUBE_PRICE_MAX:
			return agg->aggfnoid == F_MAX_NUMERIC;
		case EC_CUBE_REVENUE:
		case EC_CUBE_PRICE_SUM:
			return is_sum && r->sums_are_exact;
		case EC_CUBE_COLUMNS:
			return false;
		default:
			return is_sum;
	}
}

/* Is the result the same however often a row comes?  min and max are such as have a sort operator. */
static bool
ignores_repetition(const Aggref *agg)
{
	HeapTuple tuple;
	bool ignores;

	if (agg->aggdistinct != NIL)
		return true;
	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(agg->aggfnoid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for aggregate %u", agg->aggfnoid);
	ignores = OidIsValid(((Form_pg_aggregate) GETSTRUCT(tuple))->aggsortop);
	ReleaseSysCache(tuple);
	return ignores;
}

static bool
accepts_aggregate(const Reduction *r, Aggref *agg)
{
	if (agg->aggkind != AGGKIND_NORMAL || contain_volatile_functions((Node *) agg->args))
		return false;
	if (find_measure((Node *) agg, (void *) r))
		return combines_measure(r, agg);
	return ignores_repetition(agg);
}

/* count(*) > 0 */
static bool
asks_for_rows(const OpExpr *op)
{
	Aggref *agg;
	Const *zero;

	if ((op->opfuncid != F_INT8GT && op->opfuncid != F_INT84GT) || list_length(op->args) != 2)
		return false;
	agg = linitial(op->args);
	zero = lsecond(op->args);
	if (!IsA(agg, Aggref) || !IsA(zero, Const) || zero->constisnull || agg->aggfilter != NULL ||
		agg->aggdistinct != NIL)
		return false;
	if (agg->aggfnoid == F_COUNT_ANY)
	{
		Const *counted = (Const *) linitial_node(TargetEntry, agg->args)->expr;

		if (!IsA(counted, Const) || counted->constisnull)
			return false;
	}
	else if (agg->aggfnoid != F_COUNT_)
		return false;
	return (op->opfuncid == F_INT8GT ? DatumGetInt64(zero->constvalue)
									 : DatumGetInt32(zero->constvalue)) == 0;
}

/* Is there anything that is not as the header says? */
static bool
find_objection(Node *node, void *arg)
{
	Reduction *r = arg;

	if (node == NULL)
		return false;
	if (IsA(node, OpExpr) && asks_for_rows((OpExpr *) node))
		return false;
	if (IsA(node, Aggref) && ((Aggref *) node)->agglevelsup == 0)
		return !accepts_aggregate(r, (Aggref *) node);
	if (IsA(node, Var))
		return is_measure(r, (Var *) node);
	if (IsA(node, PlaceHolderVar))
		return true;
	return expression_tree_walker(node, find_objection, arg);
}

/* ---- the query ---- */

/* Clauses of joins and of WHERE: a measure there tells rows apart. */
static bool
find_in_clauses(RelOptInfo *rel, Reduction *r)
{
	ListCell *lc;

	foreach (lc, rel->baserestrictinfo)
		if (find_measure((Node *) lfirst_node(RestrictInfo, lc)->clause, r))
			return true;
	foreach (lc, rel->joininfo)
		if (find_measure((Node *) lfirst_node(RestrictInfo, lc)->clause, r))
			return true;
	return false;
}

static bool
find_in_joins(PlannerInfo *root, Reduction *r)
{
	return find_measure((Node *) root->parse->jointree, r);
}

bool
ec_cube_reducible(PlannerInfo *root, RelOptInfo *rel, const EcCubeView *view, bool sums_are_exact)
{
	Query *parse = root->parse;
	Reduction r = {view, rel->relid, sums_are_exact};

	if (!parse->hasAggs && parse->groupClause == NIL && parse->groupingSets == NIL &&
		(parse->distinctClause == NIL || parse->hasWindowFuncs || parse->hasTargetSRFs))
		return false;
	if (parse->rowMarks != NIL || root->placeholder_list != NIL ||
		rel->lateral_referencers != NULL ||
		contain_volatile_functions((Node *) parse->targetList) ||
		contain_volatile_functions((Node *) parse->havingQual))
		return false;
	return !find_in_clauses(rel, &r) && !find_in_joins(root, &r) &&
		   !find_objection((Node *) parse->targetList, &r) &&
		   !find_objection(parse->havingQual, &r);
}

/* ---- the first rows ---- */

/* More than this is no top list. */
#define TOP_MAX 10000

/* How many rows LIMIT and OFFSET take together; 0: all, or nobody knows. */
static int
count_wanted(const Query *parse)
{
	Const *limit = (Const *) parse->limitCount;
	Const *offset = (Const *) parse->limitOffset;
	int64 n;

	if (limit == NULL || !IsA(limit, Const) || limit->constisnull)
		return 0;
	if (offset != NULL && (!IsA(offset, Const) || offset->constisnull))
		return 0;
	n = DatumGetInt64(limit->constvalue);
	if (n < 1 || n > TOP_MAX)
		return 0;
	if (offset != NULL && DatumGetInt64(offset->constvalue) > TOP_MAX - n)
		return 0;
	return (int) (n + (offset != NULL ? Max(DatumGetInt64(offset->constvalue), 0) : 0));
}

/* The keys that are grouped by as they are. */
static uint32
grouped_keys(const Query *parse, const EcCubeView *view, Index rti)
{
	uint32 keys = 0;
	ListCell *lc;

	foreach (lc, parse->groupClause)
	{
		Var *var = (Var *) get_sortgroupclause_expr(lfirst(lc), parse->targetList);

		if (IsA(var, Var) && var->varno == rti && var->varattno > 0)
			keys |= EC_CUBE_BIT(ec_cube_attribute(view, var->varattno));
	}
	return keys;
}

static bool
keeps_all_groups(const Query *parse)
{
	ListCell *lc;

	foreach (lc, (List *) parse->havingQual)
	{
		OpExpr *op = lfirst(lc);

		if (!IsA(op, OpExpr) || !asks_for_rows(op))
			return false;
	}
	return true;
}

/* ORDER BY sum(measure) DESC ... */
static bool
sorts_by_measure(const Query *parse, const Reduction *r, EcCubeColumn *measure)
{
	SortGroupClause *sort = linitial(parse->sortClause);
	Aggref *agg = (Aggref *) get_sortgroupclause_expr(sort, parse->targetList);
	Var *var;

	if (!IsA(agg, Aggref) || (agg->aggfnoid != F_SUM_INT8 && agg->aggfnoid != F_SUM_NUMERIC) ||
		agg->aggfilter != NULL)
		return false;
	if (lookup_type_cache(agg->aggtype, TYPECACHE_GT_OPR)->gt_opr != sort->sortop)
		return false;
	var = (Var *) linitial_node(TargetEntry, agg->args)->expr;
	if (!IsA(var, Var) || !is_measure(r, var))
		return false;
	*measure = ec_cube_attribute(r->view, var->varattno);
	return true;
}

/*
 * Each row is a group then, so that a group's sum is known, and nothing but the sum decides
 * who is among the first; equal ones all come.
 */
int
ec_cube_top(PlannerInfo *root, RelOptInfo *rel, const EcCubeView *view, uint32 keys,
			EcCubeColumn *measure)
{
	const Query *parse = root->parse;
	Reduction r = {view, rel->relid, true};

	if (parse->groupClause == NIL || parse->groupingSets != NIL || parse->sortClause == NIL ||
		parse->distinctClause != NIL || parse->hasWindowFuncs || parse->hasTargetSRFs ||
		parse->setOperations != NULL || !keeps_all_groups(parse) ||
		bms_membership(root->all_baserels) != BMS_SINGLETON ||
		(keys & ~grouped_keys(parse, view, rel->relid)) != 0 ||
		!sorts_by_measure(parse, &r, measure))
		return 0;
	return count_wanted(parse);
}
