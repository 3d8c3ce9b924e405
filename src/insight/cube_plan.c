/*
 * cube_plan.c
 *	  Puts a BucketScan in the place of a bucketed view's function.
 *
 * Its rows are the function's, for the clauses that cube_quals.c can use (others are
 * evaluated on them), and of as few keys as the query needs (cube_reduce.c).  The columns
 * are those that the query reads, by custom_scan_tlist.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "base/guc.h"
#include "insight/cube_plan.h"

/* Guesses of how many values a key has, and days there are. */
#define DAYS 100
#define IDS 50000
#define CATEGORIES 150
#define BRANDS 30 /* of a category */

/* What rows cost, in the planner's units: to start, and each one. */
#define START_COST 1000
#define ROW_COST 0.02

static set_rel_pathlist_hook_type previous_hook = NULL;

static Plan *plan_path(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
					   List *clauses, List *custom_plans);

static const CustomPathMethods path_methods = {
	.CustomName = EC_CUBE_SCAN_NAME,
	.PlanCustomPath = plan_path,
};

/* ---- the relation ---- */

/* The call of a view's function with a constant relation; NULL: it is something else. */
static FuncExpr *
find_call(RangeTblEntry *rte, const EcCubeView **view)
{
	FuncExpr *call;
	Const *events;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return NULL;
	call = (FuncExpr *) linitial_node(RangeTblFunction, rte->functions)->funcexpr;
	if (!IsA(call, FuncExpr) || list_length(call->args) != 1)
		return NULL;
	events = linitial(call->args);
	if (!IsA(events, Const) || events->constisnull)
		return NULL;
	*view = ec_cube_view_of_function(call->funcid);
	return *view != NULL ? call : NULL;
}

static Oid
events_of(FuncExpr *call)
{
	return DatumGetObjectId(linitial_node(Const, call->args)->constvalue);
}

/* Has each sum of prices two decimals at the most, so that it is shown as it is? */
static bool
has_exact_sums(Oid relid)
{
	Relation rel = try_relation_open(relid, AccessShareLock);
	bool exact = false;
	EcEvents events;

	if (rel == NULL)
		return false;
	if (RELKIND_HAS_STORAGE(rel->rd_rel->relkind) || rel->rd_rel->relkind == RELKIND_VIEW ||
		rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
	{
		const EcColType *price = &events.types[EC_COL_PRICE];

		ec_columns_probe(rel, &events);
		exact =
			(events.columns & EC_COL_BIT(EC_COL_PRICE)) != 0 &&
			(price->kind == EC_KIND_INT || (price->kind == EC_KIND_DECIMAL && price->scale <= 2));
	}
	relation_close(rel, AccessShareLock);
	return exact;
}

/* ---- paths ---- */

/* The view's columns that expressions read; all for a whole row. */
static uint32
columns_read(const EcCubeView *view, Index rti, Node *node)
{
	Bitmapset *attrs = NULL;
	uint32 columns = 0;
	int i = -1;

	pull_varattnos(node, rti, &attrs);
	while ((i = bms_next_member(attrs, i)) >= 0)
	{
		AttrNumber attno = i + FirstLowInvalidHeapAttributeNumber;

		if (attno < 1)
			return ec_cube_columns(view);
		columns |= EC_CUBE_BIT(ec_cube_attribute(view, attno));
	}
	return columns;
}

static uint32
columns_above(const EcCubeView *view, RelOptInfo *rel)
{
	return columns_read(view, rel->relid, (Node *) rel->reltarget->exprs);
}

/* Does the query read a row of the function as one value?  A view's is made of its columns. */
static bool
reads_whole_row(RelOptInfo *rel)
{
	Bitmapset *attrs = NULL;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attrs);
	pull_varattnos((Node *) extract_actual_clauses(rel->baserestrictinfo, false), rel->relid,
				   &attrs);
	return bms_is_member(-FirstLowInvalidHeapAttributeNumber, attrs);
}

/* The columns that clauses read which the scan doesn't decide itself. */
static uint32
columns_asked(const EcCubeView *view, RelOptInfo *rel, List *clauses)
{
	uint32 columns = 0;
	ListCell *lc;

	foreach (lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		EcCubePush push;

		if (!ec_cube_push(view, rel->relid, rinfo, &push) || !push.is_exact)
			columns |= columns_read(view, rel->relid, (Node *) rinfo->clause);
	}
	return columns;
}

/* Is there a clause that is evaluated on the scan's rows? */
static bool
has_filter(const EcCubeView *view, RelOptInfo *rel)
{
	ListCell *lc;

	foreach (lc, rel->baserestrictinfo)
	{
		EcCubePush push;

		if (!ec_cube_push(view, rel->relid, lfirst_node(RestrictInfo, lc), &push) || !push.is_exact)
			return true;
	}
	return false;
}

static double
estimate_days(const EcCubeQuery *bounds)
{
	if (!bounds->has_since || !bounds->has_until)
		return bounds->has_since || bounds->has_until ? DAYS / 2.0 : DAYS;
	return Max(((double) bounds->until - (double) bounds->since) / USECS_PER_DAY,
			   1.0 / HOURS_PER_DAY);
}

/* Bounds and numbers of values that constants tell, and what is one as long as a query runs. */
static void
read_constants(PlannerInfo *root, const EcCubeView *view, RelOptInfo *rel, EcCubeQuery *bounds)
{
	ListCell *lc;

	bounds->view = view;
	foreach (lc, rel->baserestrictinfo)
	{
		EcCubePush push;
		Const *value;

		if (!ec_cube_push(view, rel->relid, lfirst_node(RestrictInfo, lc), &push))
			continue;
		value = (Const *) estimate_expression_value(root, (Node *) push.value);
		if (IsA(value, Const))
			(void) ec_cube_apply(bounds, &push, value->consttype, value->constvalue,
								 value->constisnull);
	}
}

static double
count_values(const EcCubeQuery *bounds, EcCubeColumn column, double guess)
{
	const EcCubeFilter *filter = &bounds->filters[column];

	return filter->is_active ? Min(Max(filter->n, 1), guess) : guess;
}

static double
estimate_rows(PlannerInfo *root, const EcCubeView *view, RelOptInfo *rel, uint32 keys)
{
	EcCubeQuery bounds = {NULL};
	double categories;
	double rows = 1;

	read_constants(root, view, rel, &bounds);
	categories = Min(count_values(&bounds, EC_CUBE_CODE, CATEGORIES),
					 count_values(&bounds, EC_CUBE_CATEGORY_ID, CATEGORIES));
	if (keys & EC_CUBE_BIT(EC_CUBE_BUCKET))
		rows *= Max(estimate_days(&bounds) * USECS_PER_DAY / view->length, 1);
	if (keys & EC_CUBE_BIT(EC_CUBE_ID))
		rows *= count_values(&bounds, EC_CUBE_ID, IDS); /* which is of one category and brand */
	else
	{
		if (keys & (EC_CUBE_BIT(EC_CUBE_CODE) | EC_CUBE_BIT(EC_CUBE_CATEGORY_ID)))
			rows *= categories;
		if (keys & EC_CUBE_BIT(EC_CUBE_BRAND))
			rows *= count_values(&bounds, EC_CUBE_BRAND, BRANDS);
	}
	return clamp_row_est(rows);
}

static void
add_scan(PlannerInfo *root, RelOptInfo *rel, FuncExpr *call, const EcCubeView *view)
{
	CustomPath *custom = makeNode(CustomPath);
	Path *path = &custom->path;
	uint32 keys = ec_cube_columns(view) & EC_CUBE_KEY_BITS;
	bool reduced = rel->reloptkind == RELOPT_BASEREL &&
				   ec_cube_reducible(root, rel, view, has_exact_sums(events_of(call)));
	EcCubeColumn top = EC_CUBE_INTERACTIONS;
	int limit = 0;

	if (reduced)
		keys &= columns_above(view, rel) | columns_asked(view, rel, rel->baserestrictinfo);
	if (reduced && !has_filter(view, rel))
		limit = ec_cube_top(root, rel, view, keys, &top);
	path->pathtype = T_CustomScan;
	path->parent = rel;
	path->pathtarget = rel->reltarget;
	path->rows = estimate_rows(root, view, rel, keys);
	if (limit > 0)
		path->rows = Min(path->rows, limit);
	path->startup_cost = START_COST + rel->baserestrictcost.startup + rel->reltarget->cost.startup;
	path->total_cost =
		path->startup_cost +
		path->rows * (ROW_COST + rel->baserestrictcost.per_tuple + rel->reltarget->cost.per_tuple);
	custom->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	custom->methods = &path_methods;
	custom->custom_private =
		list_make5_int(ec_cube_find_view(view->name), (int) keys, reduced, top, limit);
	rel->rows = path->rows;
	rel->pathlist = list_make1(path);
	rel->partial_pathlist = NIL;
	/* the price's scale decides on reductions */
	root->glob->relationOids = lappend_oid(root->glob->relationOids, events_of(call));
}

static void
rel_pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	const EcCubeView *view;
	FuncExpr *call;

	if (previous_hook != NULL)
		previous_hook(root, rel, rti, rte);
	if (!ec_guc_enable_bucket_scan || IS_DUMMY_REL(rel) || !bms_is_empty(rel->lateral_relids) ||
		(rel->reloptkind != RELOPT_BASEREL && rel->reloptkind != RELOPT_OTHER_MEMBER_REL))
		return;
	call = find_call(rte, &view);
	if (call != NULL && !reads_whole_row(rel))
		add_scan(root, rel, call, view);
}

/* ---- the plan ---- */

static Const *
make_oid(Oid oid)
{
	return makeConst(OIDOID, -1, InvalidOid, sizeof(Oid), ObjectIdGetDatum(oid), false, true);
}

/* Splits the clauses: what the scan pushes down, and what is evaluated on its rows. */
static List *
split_clauses(const EcCubeView *view, Index rti, List *clauses, List **pushed, List **values)
{
	List *left = NIL;
	ListCell *lc;

	foreach (lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		EcCubePush push;
		bool is_pushed;

		if (rinfo->pseudoconstant)
			continue; /* a Result above decides on it */
		is_pushed = ec_cube_push(view, rti, rinfo, &push);
		if (is_pushed)
		{
			List *parts = list_make4_int(push.subject, push.column, push.days, push.strategy);

			parts = lappend_int(lappend_int(parts, push.is_array), push.is_exact);
			*pushed = lappend(*pushed, parts);
			*values = lappend(*values, push.value);
		}
		if (!is_pushed || !push.is_exact)
			left = lappend(left, rinfo->clause);
	}
	return left;
}

/* The columns that the scan gives, as Vars of the function's relation. */
static List *
make_scan_tlist(const EcCubeView *view, RangeTblEntry *rte, Index rti, uint32 columns,
				List **numbers)
{
	TupleDesc desc = lookup_rowtype_tupdesc(
		exprType(linitial_node(RangeTblFunction, rte->functions)->funcexpr), -1);
	List *tlist = NIL;

	for (int i = 0; i < view->ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Var *var;

		if ((columns & EC_CUBE_BIT(view->columns[i])) == 0)
			continue;
		var = makeVar(rti, i + 1, att->atttypid, att->atttypmod, att->attcollation, 0);
		tlist = lappend(tlist, makeTargetEntry((Expr *) var, list_length(tlist) + 1,
											   pstrdup(NameStr(att->attname)), false));
		*numbers = lappend_int(*numbers, view->columns[i]);
	}
	ReleaseTupleDesc(desc);
	return tlist;
}

static Plan *
plan_path(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
		  List *custom_plans)
{
	CustomScan *plan = makeNode(CustomScan);
	RangeTblEntry *rte = planner_rt_fetch(rel->relid, root);
	const EcCubeView *view = ec_cube_view(linitial_int(path->custom_private));
	uint32 keys = (uint32) lsecond_int(path->custom_private);
	FuncExpr *call = find_call(rte, &view);
	List *pushed = NIL;
	List *values = NIL;
	List *numbers = NIL;
	uint32 columns;

	plan->scan.plan.targetlist = tlist;
	plan->scan.plan.qual = split_clauses(view, rel->relid, clauses, &pushed, &values);
	columns = columns_above(view, rel) | columns_read(view, rel->relid, (Node *) tlist) |
			  columns_read(view, rel->relid, (Node *) plan->scan.plan.qual);
	plan->custom_scan_tlist = make_scan_tlist(view, rte, rel->relid, columns, &numbers);
	plan->custom_exprs = values;
	plan->flags = path->flags;
	plan->methods = &ec_cube_scan_methods;
	plan->custom_private =
		list_make5(makeInteger(linitial_int(path->custom_private)), make_oid(call->funcid),
				   make_oid(events_of(call)), makeInteger((int) keys),
				   makeInteger(lthird_int(path->custom_private)));
	plan->custom_private = lappend(lappend(plan->custom_private, numbers), pushed);
	plan->custom_private = lappend(plan->custom_private, list_copy_tail(path->custom_private, 3));
	return &plan->scan.plan;
}

void
ec_cube_init(void)
{
	RegisterCustomScanMethods(&ec_cube_scan_methods);
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = rel_pathlist_hook;
}
