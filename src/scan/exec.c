/*
 * exec.c
 *	  The custom scan ColumnarScan at work.
 *
 * The scan walks row groups, their blocks and their rows, forwards or backwards,
 * skips what cannot qualify (rows.c) and forms a tuple only of what does
 * (datum.c).  Every clause of the WHERE list is applied exactly once to each row:
 * on vectors where its predicate is exact for the row group, else by ExecQual.
 *
 * Under EvalPlanQual the executor hands in the row to test; ExecScan does that
 * and applies the whole WHERE list to it.
 *
 * The reader is opened when the first row is asked for.  Keys of predicates are
 * evaluated then too, and again after each rescan, so parameters of nested loops
 * and initplans have their values, and nothing is evaluated for a scan never run.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "scan/state.h"
#include "store/tid.h"

static Node *create_state(CustomScan *plan);
static void begin_scan(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_scan(CustomScanState *node);
static void end_scan(CustomScanState *node);
static void rescan(CustomScanState *node);

const CustomScanMethods ec_scan_methods = {
	.CustomName = EC_SCAN_NAME,
	.CreateCustomScanState = create_state,
};

static const CustomExecMethods exec_methods = {
	.CustomName = EC_SCAN_NAME,
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.EstimateDSMCustomScan = ec_scan_estimate_dsm,
	.InitializeDSMCustomScan = ec_scan_init_dsm,
	.ReInitializeDSMCustomScan = ec_scan_reinit_dsm,
	.InitializeWorkerCustomScan = ec_scan_init_worker,
	.ShutdownCustomScan = ec_scan_shutdown,
	.ExplainCustomScan = ec_scan_explain,
};

static Node *
create_state(CustomScan *plan)
{
	EcScanState *scan = palloc0(sizeof(EcScanState));

	NodeSetTag(scan, T_CustomScanState);
	scan->css.methods = &exec_methods;
	return (Node *) scan;
}

/* The user columns that expressions read (by attidx); *ctid (may be NULL) is set if they read that too. */
static Bitmapset *
columns_read(EcScanState *scan, Node *expr, bool *ctid)
{
	TupleDesc desc = RelationGetDescr(scan->css.ss.ss_currentRelation);
	Index scanrelid = ((Scan *) scan->css.ss.ps.plan)->scanrelid;
	Bitmapset *attrs = NULL;
	Bitmapset *result = NULL;
	int i = -1;

	pull_varattnos(expr, scanrelid, &attrs);
	while ((i = bms_next_member(attrs, i)) >= 0)
	{
		AttrNumber attno = i + FirstLowInvalidHeapAttributeNumber;

		if (attno == SelfItemPointerAttributeNumber)
		{
			if (ctid != NULL)
				*ctid = true;
		}
		else if (attno > 0)
			result = bms_add_member(result, attno - 1);
		else if (attno == 0) /* the whole row */
			for (int att = 0; att < desc->natts; att++)
				if (!TupleDescAttr(desc, att)->attisdropped)
					result = bms_add_member(result, att);
	}
	return result;
}

static EcScanColumn **
column_list(EcScanState *scan, Bitmapset *attrs, int *n)
{
	EcScanColumn **list = palloc(sizeof(EcScanColumn *) * (bms_num_members(attrs) + 1));
	int i = -1;

	*n = 0;
	while ((i = bms_next_member(attrs, i)) >= 0)
		list[(*n)++] = scan->column_of[i];
	return list;
}

static void
init_columns(EcScanState *scan, Bitmapset *attrs)
{
	TupleDesc desc = RelationGetDescr(scan->css.ss.ss_currentRelation);
	EcColType *types = ec_coltype_from_tupdesc(desc);
	int i = -1;

	scan->natts = desc->natts;
	scan->column_of = palloc0(sizeof(EcScanColumn *) * Max(desc->natts, 1));
	scan->columns = palloc0(sizeof(EcScanColumn) * (bms_num_members(attrs) + 1));
	while ((i = bms_next_member(attrs, i)) >= 0)
	{
		EcScanColumn *column = &scan->columns[scan->ncolumns++];

		column->attidx = i;
		column->type = &types[i];
		scan->column_of[i] = column;
	}
}

static void
init_clause(EcScanState *scan, EcScanClause *clause, Expr *expr, bool use_pred)
{
	Index scanrelid = ((Scan *) scan->css.ss.ps.plan)->scanrelid;
	Bitmapset *attrs = NULL;
	bool ctid = false;

	attrs = columns_read(scan, (Node *) expr, &ctid);
	clause->columns = column_list(scan, attrs, &clause->ncolumns);
	clause->can_memo = clause->ncolumns == 1 && !ctid &&
					   !contain_volatile_functions((Node *) expr) &&
					   !contain_subplans((Node *) expr);
	clause->state = ExecInitQual(list_make1(expr), &scan->css.ss.ps);
	if (use_pred)
		clause->pred = ec_pred_build(expr, scanrelid);
	if (clause->pred != NULL)
		ec_pred_init_keys(clause->pred, &scan->css.ss.ps);
}

static void
init_clauses(EcScanState *scan)
{
	CustomScan *plan = (CustomScan *) scan->css.ss.ps.plan;
	List *pushed = linitial(plan->custom_private);
	ListCell *lc;

	scan->clauses = palloc0(sizeof(EcScanClause) * (list_length(plan->scan.plan.qual) + 1));
	scan->row_clauses = palloc(sizeof(EcScanClause *) * (list_length(plan->scan.plan.qual) + 1));
	foreach (lc, plan->scan.plan.qual)
	{
		int i = scan->nclauses++;

		init_clause(scan, &scan->clauses[i], lfirst(lc), list_member_int(pushed, i));
	}
}

/* EvalPlanQual brings rows in slots of its own, which may have to be deformed; core has compiled for virtual ones. */
static void
compile_for_any_slot(CustomScanState *node)
{
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;

	node->ss.ps.scanopsfixed = false;
	node->ss.ps.qual = ExecInitQual(plan->scan.plan.qual, &node->ss.ps);
	ExecAssignScanProjectionInfo(&node->ss);
}

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	EcScanState *scan = (EcScanState *) node;
	Plan *plan = node->ss.ps.plan;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	Bitmapset *output;
	Bitmapset *attrs;

	if (estate->es_epq_active != NULL)
		compile_for_any_slot(node);
	output = columns_read(scan, (Node *) plan->targetlist, NULL);
	attrs = columns_read(scan, (Node *) plan->qual, NULL);
	init_columns(scan, bms_union(output, attrs));
	scan->output = column_list(scan, output, &scan->noutput);
	init_clauses(scan);
	scan->wants_tids = linitial_int(lsecond(((CustomScan *) plan)->custom_private)) != 0;
	memset(slot->tts_isnull, true, scan->natts * sizeof(bool));
	memset(slot->tts_values, 0, scan->natts * sizeof(Datum));
	slot->tts_tableOid = RelationGetRelid(node->ss.ss_currentRelation);

	scan->keys =
		AllocSetContextCreate(estate->es_query_cxt, "ColumnarScan keys", ALLOCSET_SMALL_SIZES);
	scan->group = AllocSetContextCreate(estate->es_query_cxt, "ColumnarScan row group",
										ALLOCSET_DEFAULT_SIZES);
	scan->group_index = -1;
}

/* Begins to read, if that hasn't been done yet. */
static void
open_reader(EcScanState *scan)
{
	Relation rel = scan->css.ss.ss_currentRelation;
	EState *estate = scan->css.ss.ps.state;

	if (scan->reader != NULL)
		return;
	pgstat_count_heap_scan(rel);
	scan->reader = ec_reader_begin(rel, estate->es_snapshot, estate->es_query_cxt);
}

static void
eval_keys(EcScanState *scan)
{
	MemoryContextReset(scan->keys);
	for (int i = 0; i < scan->nclauses; i++)
		if (scan->clauses[i].pred != NULL)
			ec_pred_eval_keys(scan->clauses[i].pred, scan->css.ss.ps.ps_ExprContext, scan->keys);
	scan->keys_ready = true;
}

/* Steps to the next (or previous) row group of which some row may qualify. */
static bool
advance_group(EcScanState *scan, bool forward)
{
	int64 ngroups = ec_reader_ngroups(scan->reader);

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (scan->shared != NULL)
			scan->group_index = ec_scan_next_shared_group(scan);
		else
			scan->group_index += forward ? 1 : -1;
		if (scan->group_index < 0 || scan->group_index >= ngroups)
		{
			scan->group_index = forward ? ngroups : -1;
			return false;
		}
		if (!scan->keys_ready)
			eval_keys(scan);
		if (ec_reader_goto_group(scan->reader, scan->group_index) && ec_scan_enter_group(scan))
		{
			scan->in_group = true;
			scan->block = forward ? -1 : (int32) ec_reader_group(scan->reader)->nblocks;
			return true;
		}
	}
}

/* Steps to the next (or previous) block with a row that vectors let through. */
static bool
advance_block(EcScanState *scan, bool forward)
{
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!scan->in_group && !advance_group(scan, forward))
			return false;
		scan->block += forward ? 1 : -1;
		if (scan->block < 0 || scan->block >= (int32) ec_reader_group(scan->reader)->nblocks)
			scan->in_group = false;
		else if (ec_scan_enter_block(scan))
		{
			scan->in_block = true;
			scan->row = forward ? -1 : (int32) scan->block_rows;
			return true;
		}
	}
}

/* Steps to the next row of the block that is still in scan->rows. */
static bool
next_in_block(EcScanState *scan)
{
	uint32 row = scan->row + 1;
	uint32 word = row / 64;
	uint64 bits;

	if (row >= scan->block_rows)
		return false;
	bits = scan->rows[word] >> row % 64 << row % 64;
	while (bits == 0)
	{
		if (++word >= EC_VALIDITY_WORDS(scan->block_rows))
			return false;
		bits = scan->rows[word];
	}
	scan->row = word * 64 + pg_rightmost_one_pos64(bits);
	return true;
}

static bool
previous_in_block(EcScanState *scan)
{
	while (--scan->row >= 0)
		if (scan->rows[scan->row / 64] >> scan->row % 64 & 1)
			return true;
	return false;
}

static bool
advance_row(EcScanState *scan, bool forward)
{
	while (!scan->in_block || !(forward ? next_in_block(scan) : previous_in_block(scan)))
	{
		scan->in_block = false;
		if (!advance_block(scan, forward))
			return false;
	}
	scan->row_serial++;
	return true;
}

/* WHERE CURRENT OF takes the tid of a cursor's row from here, whatever the query reads. */
static void
set_tid(EcScanState *scan, TupleTableSlot *slot)
{
	if (scan->wants_tids)
		ec_tid_from_row(ec_reader_row_number(scan->reader, scan->block * EC_BLOCK_ROWS + scan->row),
						&slot->tts_tid);
}

/*
 * The next row that satisfies the WHERE list (without "filter": its predicates only), in
 * the scan slot, or NULL.  The slot counts as filled for as long as values come and go
 * while rows are rejected.
 */
static TupleTableSlot *
next_tuple(EcScanState *scan, bool filter)
{
	TupleTableSlot *slot = scan->css.ss.ss_ScanTupleSlot;
	ExprContext *econtext = scan->css.ss.ps.ps_ExprContext;
	bool forward = !ScanDirectionIsBackward(scan->css.ss.ps.state->es_direction);

	open_reader(scan);
	ExecStoreVirtualTuple(ExecClearTuple(slot));
	econtext->ecxt_scantuple = slot;
	while (advance_row(scan, forward))
	{
		set_tid(scan, slot);
		if (!filter || scan->nrow_clauses == 0 || ec_scan_clauses_pass(scan))
		{
			pgstat_count_heap_getnext(scan->css.ss.ss_currentRelation);
			return slot;
		}
		InstrCountFiltered1(&scan->css, 1);
		ResetExprContext(econtext);
	}
	ExecClearTuple(slot);
	return NULL;
}

/* ExecScan's callbacks, for EvalPlanQual only: it applies the WHERE list itself. */
static TupleTableSlot *
recheck_next(ScanState *ss)
{
	TupleTableSlot *slot = next_tuple((EcScanState *) ss, false);

	if (slot != NULL)
		ec_scan_fill_all((EcScanState *) ss);
	return slot;
}

static bool
recheck(ScanState *ss, TupleTableSlot *slot)
{
	return true;
}

static TupleTableSlot *
exec_scan(CustomScanState *node)
{
	EcScanState *scan = (EcScanState *) node;
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;

	if (node->ss.ps.state->es_epq_active != NULL)
		return ExecScan(&node->ss, recheck_next, recheck);

	ResetExprContext(node->ss.ps.ps_ExprContext);
	if (next_tuple(scan, true) == NULL)
		return ExecClearTuple(projection != NULL ? projection->pi_state.resultslot
												 : node->ss.ss_ScanTupleSlot);
	ec_scan_fill_output(scan);
	return projection != NULL ? ExecProject(projection) : node->ss.ss_ScanTupleSlot;
}

static void
rescan(CustomScanState *node)
{
	EcScanState *scan = (EcScanState *) node;

	ExecScanReScan(&node->ss);
	if (scan->reader != NULL)
		ec_reader_rescan(scan->reader);
	scan->keys_ready = false;
	scan->group_index = -1;
	scan->in_group = scan->in_block = false;
}

static void
end_scan(CustomScanState *node)
{
	EcScanState *scan = (EcScanState *) node;

	if (scan->reader != NULL)
		ec_reader_end(scan->reader);
	MemoryContextDelete(scan->keys);
	MemoryContextDelete(scan->group);
}
