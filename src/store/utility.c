/*
 * utility.c
 *	  Hooks: when pending rows must be written, what statements are about to do.
 *
 * Without shared_preload_libraries a session loads this library with the first
 * columnar table that it touches; refusals that must not depend on that are also
 * made by the access method's callbacks, or by an event trigger, which loads it.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "optimizer/optimizer.h"
#include "tcop/pquery.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/delta.h"
#include "store/groupmap.h"
#include "store/headers.h"
#include "store/held.h"
#include "store/late.h"
#include "store/options.h"
#include "store/opened.h"
#include "store/slot.h"
#include "store/store.h"
#include "store/vacuum.h"
#include "store/write_state.h"
#include "store/writer.h"

static ExecutorStart_hook_type previous_start;
static ExecutorRun_hook_type previous_run;
static ExecutorEnd_hook_type previous_end;
static ProcessUtility_hook_type previous_utility;
static object_access_hook_type previous_access;

/* Has process_utility seen a statement, or ec_utility_loaded that which loaded this library? */
static bool hooked;

/* ------------------------------------------------------------------------
 * Executor
 * ------------------------------------------------------------------------
 */

/* The attributes that the node's own expressions look at, offset as pull_varattnos does. */
static Bitmapset *
attributes_used(Scan *scan)
{
	Bitmapset *attrs = NULL;

	pull_varattnos((Node *) scan->plan.targetlist, scan->scanrelid, &attrs);
	pull_varattnos((Node *) scan->plan.qual, scan->scanrelid, &attrs);
	if (IsA(scan, IndexScan))
	{
		pull_varattnos((Node *) ((IndexScan *) scan)->indexqualorig, scan->scanrelid, &attrs);
		pull_varattnos((Node *) ((IndexScan *) scan)->indexorderbyorig, scan->scanrelid, &attrs);
	}
	else
		pull_varattnos((Node *) ((BitmapHeapScan *) scan)->bitmapqualorig, scan->scanrelid, &attrs);
	return attrs;
}

/*
 * Nobody but the node itself looks at its scan tuple, unless it hands on all columns
 * unchanged (and then its target list has them all).  EvalPlanQual has nodes and
 * slots of its own, which know nothing of this.
 */
static void
want_attributes(ScanState *state)
{
	Bitmapset *attrs = attributes_used((Scan *) state->ps.plan);
	int natts = RelationGetNumberOfAttributes(state->ss_currentRelation);
	bool *wanted;
	int i = -1;

	if (bms_is_member(-FirstLowInvalidHeapAttributeNumber, attrs))
		return; /* the whole row */
	wanted = MemoryContextAllocZero(state->ps.state->es_query_cxt, (natts + 1) * sizeof(bool));
	while ((i = bms_next_member(attrs, i)) >= 0)
	{
		AttrNumber attno = i + FirstLowInvalidHeapAttributeNumber;

		if (attno > 0)
			wanted[attno - 1] = true;
	}
	ec_slot_want(state->ss_ScanTupleSlot, wanted);
}

/*
 * Rows that are fetched by index get only the columns that are needed; and a bitmap
 * heap scan must not prefetch our virtual blocks (tid.h) as if they were pages.
 */
static bool
prepare_scans(PlanState *state, void *context)
{
	bool bitmap = IsA(state, BitmapHeapScanState);

	if ((bitmap || IsA(state, IndexScanState)) &&
		ec_store_is_columnar(((ScanState *) state)->ss_currentRelation))
	{
		want_attributes((ScanState *) state);
		if (bitmap)
			ec_compat_no_prefetch((BitmapHeapScanState *) state);
	}
	return planstate_tree_walker(state, prepare_scans, context);
}

/* An INSERT of many rows need not begin with single ones. */
static void
expect_rows(QueryDesc *queryDesc)
{
	Plan *plan = queryDesc->plannedstmt->planTree;

	if (queryDesc->operation == CMD_INSERT && plan != NULL && IsA(plan, ModifyTable) &&
		outerPlan(plan) != NULL && outerPlan(plan)->plan_rows > EC_DELTA_ROWS)
		ec_delta_expect_many(queryDesc->estate->es_output_cid);
}

static void
executor_start(QueryDesc *queryDesc, int eflags)
{
	if (previous_start != NULL)
		previous_start(queryDesc, eflags);
	else
		standard_ExecutorStart(queryDesc, eflags);
	ec_write_settle();
	expect_rows(queryDesc);
	if (queryDesc->planstate != NULL)
		(void) prepare_scans(queryDesc->planstate, NULL);
}

static void
pass_on_run(EC_COMPAT_EXECUTOR_RUN_ARGS)
{
	if (previous_run != NULL)
		previous_run(EC_COMPAT_EXECUTOR_RUN_PASS);
	else
		standard_ExecutorRun(EC_COMPAT_EXECUTOR_RUN_PASS);
}

static bool
is_reading(const QueryDesc *queryDesc)
{
	return queryDesc->operation == CMD_SELECT && !queryDesc->plannedstmt->hasModifyingCTE;
}

static void
run_executor(EC_COMPAT_EXECUTOR_RUN_ARGS)
{
	EcHeldRun run;

	if (is_reading(queryDesc))
	{
		pass_on_run(EC_COMPAT_EXECUTOR_RUN_PASS);
		return;
	}
	ec_held_begin(&run, queryDesc->estate->es_query_cxt);
	PG_TRY();
	{
		pass_on_run(EC_COMPAT_EXECUTOR_RUN_PASS);
	}
	PG_CATCH();
	{
		ec_held_leave(&run);
		PG_RE_THROW();
	}
	PG_END_TRY();
	ec_held_end(&run);
}

/*
 * Parallel workers see what is written, not what this backend gathers.  Rows of
 * parent subtransactions can't be written now, so beside those a query runs in this
 * process alone.  So does one that only we can tell which late rows it doesn't see.
 */
static void
executor_run(EC_COMPAT_EXECUTOR_RUN_ARGS)
{
	PlannedStmt *stmt = queryDesc->plannedstmt;
	bool parallel = stmt->parallelModeNeeded;

	if (!parallel || (!ec_write_any_pending() && !ec_late_hides_any(queryDesc->snapshot)))
	{
		run_executor(EC_COMPAT_EXECUTOR_RUN_PASS);
		return;
	}
	ec_write_flush_all();
	stmt->parallelModeNeeded = !ec_write_any_pending() && !ec_late_hides_any(queryDesc->snapshot);
	PG_TRY();
	{
		run_executor(EC_COMPAT_EXECUTOR_RUN_PASS);
	}
	PG_FINALLY();
	{
		stmt->parallelModeNeeded = parallel;
	}
	PG_END_TRY();
}

static void
executor_end(QueryDesc *queryDesc)
{
	/* reading statements have no command id of their own */
	if (!is_reading(queryDesc))
		ec_write_flush_command(queryDesc->estate->es_output_cid);
	if (previous_end != NULL)
		previous_end(queryDesc);
	else
		standard_ExecutorEnd(queryDesc);
}

/* ------------------------------------------------------------------------
 * Utility statements
 * ------------------------------------------------------------------------
 */

/* CREATE TABLE that will make a table like others, storage included: the first of those, else NULL. */
static RangeVar *
liked_table(Node *parsetree)
{
	ListCell *cell;

	if (!IsA(parsetree, CreateStmt))
		return NULL;
	foreach (cell, castNode(CreateStmt, parsetree)->tableElts)
	{
		TableLikeClause *like = (TableLikeClause *) lfirst(cell);

		if (IsA(like, TableLikeClause) && (like->options & CREATE_TABLE_LIKE_STORAGE) != 0)
			return OidIsValid(
					   RangeVarGetRelid(castNode(CreateStmt, parsetree)->relation, NoLock, true))
					   ? NULL
					   : like->relation;
	}
	return NULL;
}

static void
copy_options(RangeVar *source, RangeVar *target)
{
	Oid from = RangeVarGetRelid(source, NoLock, true);
	Oid to = RangeVarGetRelid(target, NoLock, true);
	Relation rel;

	if (!OidIsValid(from) || !OidIsValid(to))
		return;
	rel = relation_open(to, AccessShareLock);
	if (ec_store_is_columnar(rel))
		ec_options_copy(from, to);
	relation_close(rel, AccessShareLock);
}

/* Statements that only run others, which see to themselves, or touch no table. */
static bool
spares_gathered(const Node *parsetree)
{
	switch (nodeTag(parsetree))
	{
		case T_ExecuteStmt:
		case T_PrepareStmt:
		case T_DeallocateStmt:
		case T_FetchStmt:
		case T_ClosePortalStmt:
		case T_CallStmt:
		case T_DoStmt:
		case T_VariableSetStmt:
		case T_VariableShowStmt:
			return true;
		default:
			return false;
	}
}

static void
flush_around_utility(bool spare)
{
	if (!IsTransactionState() || !ec_write_any_pending())
		return;
	if (spare)
		ec_write_flush_commands();
	else
	{
		ec_write_flush_all();
		ec_write_for_parents();
	}
}

Node *
ec_utility_running(void)
{
	if (ActivePortal == NULL || ActivePortal->stmts == NIL)
		return NULL;
	return linitial_node(PlannedStmt, ActivePortal->stmts)->utilityStmt;
}

/*
 * A session's first statement may be a REINDEX, which loads this library when it opens the
 * table: too late for process_utility, but no index has been touched yet.
 */
void
ec_utility_loaded(void)
{
	Node *stmt;

	if (hooked)
		return;
	hooked = true;
	stmt = ec_utility_running();
	if (stmt != NULL && IsA(stmt, ReindexStmt))
		ec_headers_before_reindex(castNode(ReindexStmt, stmt));
}

static void
process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
				ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *queryEnv,
				DestReceiver *dest, QueryCompletion *qc)
{
	bool vacuum = IsA(pstmt->utilityStmt, VacuumStmt) &&
				  castNode(VacuumStmt, pstmt->utilityStmt)->is_vacuumcmd;
	bool spare = spares_gathered(pstmt->utilityStmt);
	RangeVar *like = liked_table(pstmt->utilityStmt);

	hooked = true;
	flush_around_utility(spare);
	if (IsA(pstmt->utilityStmt, ReindexStmt))
		ec_headers_before_reindex(castNode(ReindexStmt, pstmt->utilityStmt));
	if (vacuum)
		ec_vacuum_statement_begin();
	if (previous_utility != NULL)
		previous_utility(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest,
								qc);
	if (vacuum)
		ec_vacuum_statement_end();
	if (like != NULL)
		copy_options(like, castNode(CreateStmt, pstmt->utilityStmt)->relation);
	flush_around_utility(spare);
}

static bool
may_have_options(Oid relid)
{
	char relkind = get_rel_relkind(relid);

	return relkind == RELKIND_RELATION || relkind == RELKIND_MATVIEW ||
		   relkind == RELKIND_PARTITIONED_TABLE;
}

static void
object_access(ObjectAccessType access, Oid class_oid, Oid object_oid, int sub_id, void *arg)
{
	if (previous_access != NULL)
		previous_access(access, class_oid, object_oid, sub_id, arg);
	if (class_oid != RelationRelationId || (access != OAT_DROP && access != OAT_POST_ALTER) ||
		!may_have_options(object_oid))
		return;
	if (access == OAT_DROP && sub_id == 0)
		ec_options_drop(object_oid);
	else if (access == OAT_DROP)
		ec_options_column_dropped(object_oid, sub_id);
	else if (sub_id > 0)
		ec_options_column_changed(object_oid, sub_id);
}

void
ec_utility_init(void)
{
	previous_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	previous_run = ExecutorRun_hook;
	ExecutorRun_hook = executor_run;
	previous_end = ExecutorEnd_hook;
	ExecutorEnd_hook = executor_end;
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	previous_access = object_access_hook;
	object_access_hook = object_access;
}

void
ec_store_init(void)
{
	ec_delta_init();
	ec_write_state_init();
	ec_groupmap_init();
	ec_opened_init();
	ec_vacuum_init();
	ec_utility_init();
}
