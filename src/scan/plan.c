/*
 * plan.c
 *	  Offers the custom scan ColumnarScan to the planner.
 *
 * It takes the place of core's sequential scan on every columnar table, also as a
 * partition or inheritance child, since that decodes all columns of all rows for
 * the same result.  Index paths stay and compete by cost (index_cost.c).  Besides the plain path
 * (parameterised by what LATERAL demands) there is one for each set of outer
 * relations whose join clauses zones can use, so that a nested loop skips row
 * groups by its outer row's values.
 *
 * Not offered: for TABLESAMPLE, WHERE CURRENT OF, and where system columns other
 * than ctid and tableoid are read, which the executor has no row header for.
 *
 * custom_private of the plan: a list of the positions in plan.qual of the clauses
 * that are to become predicates (quals.c), and whether rows need their tids.
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/extensible.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/guc.h"
#include "scan/plan.h"
#include "scan/scan.h"
#include "scan/state.h"
#include "store/writer.h"

/* A nested loop should skip at least this share of blocks to be worth a path of its own. */
#define MIN_SKIPPED_SHARE 0.5

static set_rel_pathlist_hook_type previous_hook = NULL;

static Plan *plan_path(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
					   List *clauses, List *custom_plans);

static const CustomPathMethods path_methods = {
	.CustomName = EC_SCAN_NAME,
	.PlanCustomPath = plan_path,
};

/* The attributes that the scan's output and restrictions read, offset as pull_varattnos does. */
static Bitmapset *
attributes_read(RelOptInfo *rel)
{
	Bitmapset *attrs = NULL;
	ListCell *lc;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attrs);
	foreach (lc, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &attrs);
	return attrs;
}

static bool
reads_row_header(Bitmapset *attrs)
{
	int i = -1;

	while ((i = bms_next_member(attrs, i)) >= 0)
	{
		AttrNumber attno = i + FirstLowInvalidHeapAttributeNumber;

		if (attno < 0 && attno != TableOidAttributeNumber &&
			attno != SelfItemPointerAttributeNumber)
			return true;
	}
	return false;
}

/*
 * Vectors evaluate clauses ahead of the others.  That is invisible (our operators
 * have no side effects and raise no errors), but a clause of a higher security
 * level still has to be leakproof to see rows that lower ones would hide.
 */
EcPred *
ec_scan_pushable(RelOptInfo *rel, RestrictInfo *rinfo, List *clauses)
{
	ListCell *lc;

	if (rinfo->pseudoconstant)
		return NULL;
	if (!rinfo->leakproof)
		foreach (lc, clauses)
			if (lfirst_node(RestrictInfo, lc)->security_level < rinfo->security_level)
				return NULL;
	return ec_pred_build(rinfo->clause, rel->relid);
}

static void
drop_seqscans(RelOptInfo *rel)
{
	ListCell *lc;

	foreach (lc, rel->pathlist)
		if (((Path *) lfirst(lc))->pathtype == T_SeqScan)
			rel->pathlist = foreach_delete_current(rel->pathlist, lc);
	foreach (lc, rel->partial_pathlist)
		if (((Path *) lfirst(lc))->pathtype == T_SeqScan)
			rel->partial_pathlist = foreach_delete_current(rel->partial_pathlist, lc);
}

/* A path with the given outer relations; *share gets the blocks' share to be read. */
static Path *
make_path(PlannerInfo *root, RelOptInfo *rel, Relation relation, Bitmapset *attrs,
		  Relids required_outer, int workers, double *share)
{
	CustomPath *custom = makeNode(CustomPath);
	Path *path = &custom->path;

	path->pathtype = T_CustomScan;
	path->parent = rel;
	path->pathtarget = rel->reltarget;
	path->param_info = get_baserel_parampathinfo(root, rel, required_outer);
	path->rows = path->param_info != NULL ? path->param_info->ppi_rows : rel->rows;
	path->parallel_aware = workers > 0;
	path->parallel_safe = rel->consider_parallel;
	path->parallel_workers = workers;
	custom->flags = CUSTOMPATH_SUPPORT_PROJECTION | CUSTOMPATH_SUPPORT_BACKWARD_SCAN;
	custom->methods = &path_methods;
	*share = ec_scan_cost(root, rel, relation, path, attrs);
	return path;
}

/* For generate_implied_equalities_for_column: is this member the column? */
static bool
member_is_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em,
				 void *arg)
{
	Var *var = ec_pred_var(em->em_expr, rel->relid);

	return var != NULL && var->varattno == *(AttrNumber *) arg;
}

/* Join clauses that would be predicates if the other side were known. */
static List *
join_predicates(PlannerInfo *root, RelOptInfo *rel, Bitmapset *attrs)
{
	List *result = NIL;
	List *clauses = list_copy(rel->joininfo);
	ListCell *lc;
	int i = -1;

	while (rel->has_eclass_joins && (i = bms_next_member(attrs, i)) >= 0)
	{
		AttrNumber attno = i + FirstLowInvalidHeapAttributeNumber;

		if (attno > 0)
			clauses = list_concat(
				clauses, generate_implied_equalities_for_column(root, rel, member_is_column, &attno,
																rel->lateral_referencers));
	}
	foreach (lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (!join_clause_is_movable_to(rinfo, rel))
			continue;
		if (ec_pred_build(rinfo->clause, rel->relid) != NULL)
			result = lappend(result, rinfo);
	}
	return result;
}

/* (A Bitmapset is no Node before 16, so list_member can't be asked.) */
static bool
is_tried(List *tried, Relids outer)
{
	ListCell *lc;

	foreach (lc, tried)
		if (bms_equal(lfirst(lc), outer))
			return true;
	return false;
}

static void
add_parameterised_paths(PlannerInfo *root, RelOptInfo *rel, Relation relation, Bitmapset *attrs,
						double plain_share)
{
	List *tried = NIL;
	ListCell *lc;

	foreach (lc, join_predicates(root, rel, attrs))
	{
		RestrictInfo *rinfo = lfirst(lc);
		Relids outer = bms_difference(rinfo->clause_relids, rel->relids);
		Path *path;
		double share;

		outer = bms_add_members(outer, rel->lateral_relids);
		if (bms_is_empty(outer) || bms_overlap(outer, rel->relids) || is_tried(tried, outer))
			continue;
		tried = lappend(tried, outer);
		path = make_path(root, rel, relation, attrs, outer, 0, &share);
		if (share <= plain_share * (1 - MIN_SKIPPED_SHARE))
			add_path(rel, path);
	}
}

/* Workers as for a heap that holds the decoded columns, but no more than row groups. */
static int
parallel_workers(RelOptInfo *rel, Relation relation)
{
	double pages = rel->tuples * rel->reltarget->width / BLCKSZ;
	double groups = rel->tuples / ec_store_row_group_rows(relation);
	int workers =
		compute_parallel_worker(rel, Max(pages, rel->pages), -1, max_parallel_workers_per_gather);

	return (int) Min(workers, ceil(groups) - 1);
}

static void
add_parallel_path(PlannerInfo *root, RelOptInfo *rel, Relation relation, Bitmapset *attrs)
{
	int workers = parallel_workers(rel, relation);
	double share;
	Path *path;

	if (workers <= 0)
		return;
	path = make_path(root, rel, relation, attrs, NULL, workers, &share);
	add_partial_path(rel, path);
}

/* WHERE CURRENT OF is for core's tid scans only. */
static bool
is_current_of(RelOptInfo *rel)
{
	ListCell *lc;

	foreach (lc, rel->baserestrictinfo)
		if (IsA(lfirst_node(RestrictInfo, lc)->clause, CurrentOfExpr))
			return true;
	return false;
}

static bool
is_candidate(RelOptInfo *rel, RangeTblEntry *rte)
{
	return !ec_guc_debug_heap_plans && rte->rtekind == RTE_RELATION && !rte->inh &&
		   (rte->relkind == RELKIND_RELATION || rte->relkind == RELKIND_MATVIEW) &&
		   rte->tablesample == NULL && !IS_DUMMY_REL(rel) &&
		   (rel->reloptkind == RELOPT_BASEREL || rel->reloptkind == RELOPT_OTHER_MEMBER_REL);
}

/* Core's sequential scan of a small table is so cheap that it has pushed index paths aside. */
static void
recover_index_paths(PlannerInfo *root, RelOptInfo *rel)
{
	ListCell *lc;

	if (rel->baserestrictinfo == NIL)
		return;
	foreach (lc, rel->pathlist)
	{
		Path *path = lfirst(lc);

		if ((IsA(path, IndexPath) || IsA(path, BitmapHeapPath)) &&
			bms_equal(PATH_REQ_OUTER(path), rel->lateral_relids))
			return;
	}
	create_index_paths(root, rel);
}

static void
add_paths(PlannerInfo *root, RelOptInfo *rel, Relation relation)
{
	Bitmapset *attrs = attributes_read(rel);
	bool offered = ec_guc_enable_columnar_scan && !reads_row_header(attrs) && !is_current_of(rel);
	double share;
	Path *path;

	if (offered)
	{
		drop_seqscans(rel);
		recover_index_paths(root, rel);
	}
	ec_scan_price_index_paths(root, rel, relation, attrs);
	if (!offered)
		return;
	path = make_path(root, rel, relation, attrs, rel->lateral_relids, 0, &share);
	add_path(rel, path);
	add_parameterised_paths(root, rel, relation, attrs, share);
	if (rel->consider_parallel && bms_is_empty(rel->lateral_relids))
		add_parallel_path(root, rel, relation, attrs);
}

static void
rel_pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	Relation relation;

	if (previous_hook != NULL)
		previous_hook(root, rel, rti, rte);
	if (!is_candidate(rel, rte))
		return;
	relation = table_open(rte->relid, NoLock);
	if (ec_store_is_columnar(relation))
		add_paths(root, rel, relation);
	table_close(relation, NoLock);
}

/*
 * May somebody ask for the tids of rows?  A cursor's WHERE CURRENT OF does without
 * being named in the query, but not of what is aggregated.
 */
static bool
wants_tids(PlannerInfo *root, RelOptInfo *rel, List *tlist, List *quals)
{
	Bitmapset *attrs = NULL;

	if (!root->parse->hasAggs && root->parse->groupClause == NIL)
		return true;
	/* tlist may be empty now, and be replaced by what is needed */
	pull_varattnos((Node *) tlist, rel->relid, &attrs);
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attrs);
	pull_varattnos((Node *) quals, rel->relid, &attrs);
	return bms_is_member(SelfItemPointerAttributeNumber - FirstLowInvalidHeapAttributeNumber,
						 attrs);
}

static Plan *
plan_path(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
		  List *custom_plans)
{
	CustomScan *plan = makeNode(CustomScan);
	List *pushed = NIL;
	int position = 0;
	ListCell *lc;

	foreach (lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (rinfo->pseudoconstant)
			continue; /* not in plan.qual either */
		if (ec_scan_pushable(rel, rinfo, clauses) != NULL)
			pushed = lappend_int(pushed, position);
		position++;
	}
	plan->scan.plan.targetlist = tlist;
	plan->scan.plan.qual = extract_actual_clauses(clauses, false);
	plan->scan.scanrelid = rel->relid;
	plan->flags = path->flags;
	plan->custom_private =
		list_make2(pushed, list_make1_int(wants_tids(root, rel, tlist, plan->scan.plan.qual)));
	plan->methods = &ec_scan_methods;
	return &plan->scan.plan;
}

void
ec_scan_init(void)
{
	RegisterCustomScanMethods(&ec_scan_methods);
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = rel_pathlist_hook;
	ec_index_cost_init();
}
