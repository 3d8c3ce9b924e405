/*
 * cost.c
 *	  What a columnar scan is expected to cost.
 *
 * Only the needed columns' share of the pages is read, and of these only the part
 * that zones don't exclude.  That part depends on how the table is ordered: by
 * the statistics' correlation, as for an index scan, between "every block" (no
 * correlation) and the clause's selectivity (rows in the column's order).
 *
 * CPU: a value decoded or tested in a vector costs a fraction of an operator call;
 * a row that survives costs a tuple, and the clauses that vectors can't decide.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_statistic.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/spccache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "scan/plan.h"
#include "store/writer.h"

/* Costs of work on vectors, in operator calls. */
#define DECODE_VALUE_COST 0.05
#define TEST_VALUE_COST 0.02
#define ENTER_BLOCK_COST 20.0

/*
 * Likewise: beginning (more than it takes, since core's price of an index scan is high for tables that lie in memory, and
 * small tables should not be scanned for single rows); looking at a row group's zones; the dictionary of a column, by rows of
 * its group.
 */
#define BEGIN_SCAN_COST 6000.0
#define LIST_GROUP_COST 200.0
#define DICTIONARY_ROW_COST 0.0075

static double
column_width(RelOptInfo *rel, Oid relid, Form_pg_attribute att)
{
	int32 width = rel->attr_widths[att->attnum - rel->min_attr];

	if (width <= 0)
		width = get_attavgwidth(relid, att->attnum);
	if (width <= 0)
		width = get_typavgwidth(att->atttypid, att->atttypmod);
	return Max(width, 1);
}

/* The needed columns' share of a row's width; *ncolumns gets their number. */
static double
column_share(RelOptInfo *rel, Relation relation, Bitmapset *attrs, int *ncolumns)
{
	TupleDesc desc = RelationGetDescr(relation);
	bool whole_row = bms_is_member(-FirstLowInvalidHeapAttributeNumber, attrs);
	double total = 0;
	double needed = 0;

	*ncolumns = 0;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		double width;

		if (att->attisdropped)
			continue;
		width = column_width(rel, RelationGetRelid(relation), att);
		total += width;
		if (whole_row || bms_is_member(att->attnum - FirstLowInvalidHeapAttributeNumber, attrs))
		{
			needed += width;
			(*ncolumns)++;
		}
	}
	return total > 0 ? needed / total : 0;
}

/* Square of the correlation between a column's order and the rows' order; 0 if unknown. */
static double
squared_correlation(Oid relid, AttrNumber attno)
{
	HeapTuple tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid), Int16GetDatum(attno),
									  BoolGetDatum(false));
	AttStatsSlot slot;
	double result = 0;

	if (!HeapTupleIsValid(tuple))
		return 0;
	if (get_attstatsslot(&slot, tuple, STATISTIC_KIND_CORRELATION, InvalidOid,
						 ATTSTATSSLOT_NUMBERS))
	{
		result = slot.numbers[0] * slot.numbers[0];
		free_attstatsslot(&slot);
	}
	ReleaseSysCache(tuple);
	return result;
}

static bool
note_column(EcLeaf *leaf, void *arg)
{
	Bitmapset **columns = arg;

	*columns = bms_add_member(*columns, leaf->attidx);
	return false;
}

/* Clauses on one column, together. */
typedef struct ColumnClauses
{
	int attidx;
	List *clauses;
} ColumnClauses;

/* Predicates on several columns (OR) are taken to exclude nothing. */
static List *
clauses_by_column(RelOptInfo *rel, List *clauses)
{
	List *result = NIL;
	ListCell *lc;

	foreach (lc, clauses)
	{
		EcPred *pred = ec_scan_pushable(rel, lfirst(lc), clauses);
		ColumnClauses *found = NULL;
		Bitmapset *columns = NULL;
		ListCell *lc2;
		int attidx;

		if (pred == NULL)
			continue;
		ec_pred_visit(pred, note_column, &columns);
		if (!bms_get_singleton_member(columns, &attidx))
			continue;
		foreach (lc2, result)
			if (((ColumnClauses *) lfirst(lc2))->attidx == attidx)
				found = lfirst(lc2);
		if (found == NULL)
		{
			found = palloc0(sizeof(ColumnClauses));
			found->attidx = attidx;
			result = lappend(result, found);
		}
		found->clauses = lappend(found->clauses, lfirst(lc));
	}
	return result;
}

/*
 * The share of blocks that the zones of the clauses' predicates leave.  Selectivities
 * are asked for with our relation as the only variable one: else a join clause's
 * would be taken for a restriction's, and kept for the join.
 */
static double
blocks_share(PlannerInfo *root, RelOptInfo *rel, Oid relid, List *clauses)
{
	double share = 1.0;
	ListCell *lc;

	foreach (lc, clauses_by_column(rel, clauses))
	{
		ColumnClauses *column = lfirst(lc);
		double correlation = squared_correlation(relid, column->attidx + 1);
		double selectivity =
			clauselist_selectivity(root, column->clauses, rel->relid, JOIN_INNER, NULL);

		share = Min(share, correlation * selectivity + (1 - correlation));
	}
	return share;
}

static double
rows_per_block(Relation relation)
{
	return Min(EC_BLOCK_ROWS, ec_store_row_group_rows(relation));
}

/* How many processes' work gets done at once; the leader helps as core assumes. */
static double
parallel_divisor(int workers)
{
	double leader = parallel_leader_participation ? Max(1.0 - 0.3 * workers, 0) : 0;

	return workers + leader;
}

/*
 * Prices the path, whose rows and param_info are set.  Returns the share of blocks
 * that will be read.
 */
double
ec_scan_cost(PlannerInfo *root, RelOptInfo *rel, Relation relation, Path *path, Bitmapset *attrs)
{
	List *clauses = rel->baserestrictinfo;
	List *pushed = NIL;
	List *others = NIL;
	double tuples = Max(rel->tuples, 1.0);
	double blocks = ceil(tuples / rows_per_block(relation));
	double group_rows = Min(ec_store_row_group_rows(relation), tuples);
	double groups = ceil(tuples / group_rows);
	double share;
	double surviving;
	double page_cost;
	double column_part;
	Cost begin_cost;
	Cost cpu_cost;
	QualCost qual_cost;
	int ncolumns;
	ListCell *lc;

	if (path->param_info != NULL)
		clauses = list_concat_copy(clauses, path->param_info->ppi_clauses);
	foreach (lc, clauses)
	{
		if (ec_scan_pushable(rel, lfirst(lc), clauses) != NULL)
			pushed = lappend(pushed, lfirst(lc));
		else
			others = lappend(others, lfirst(lc));
	}
	column_part = column_share(rel, relation, attrs, &ncolumns);
	share = blocks_share(root, rel, RelationGetRelid(relation), clauses);
	share = Min(1.0, Max(share, 1.0 / blocks));
	surviving = tuples * clauselist_selectivity(root, pushed, rel->relid, JOIN_INNER, NULL);
	get_tablespace_page_costs(rel->reltablespace, NULL, &page_cost);
	cost_qual_eval(&qual_cost, others, root);

	begin_cost = (BEGIN_SCAN_COST + LIST_GROUP_COST * groups) * cpu_operator_cost;
	cpu_cost =
		ceil(groups * share) * group_rows * ncolumns * DICTIONARY_ROW_COST * cpu_operator_cost +
		blocks * share * ENTER_BLOCK_COST * cpu_operator_cost +
		tuples * share * cpu_operator_cost *
			(ncolumns * DECODE_VALUE_COST + list_length(pushed) * TEST_VALUE_COST) +
		surviving * (cpu_tuple_cost + qual_cost.per_tuple) +
		path->rows * path->pathtarget->cost.per_tuple;
	if (path->parallel_workers > 0)
	{
		double divisor = parallel_divisor(path->parallel_workers);

		cpu_cost /= divisor;
		path->rows = clamp_row_est(path->rows / divisor);
	}
	path->startup_cost = qual_cost.startup + path->pathtarget->cost.startup;
	path->total_cost =
		path->startup_cost + begin_cost + cpu_cost + page_cost * rel->pages * column_part * share;
	if (!enable_seqscan)
		ec_compat_disable_path(path);
	return share;
}
