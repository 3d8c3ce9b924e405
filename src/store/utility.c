/*
 * utility.c
 *	  Hooks: when pending rows must be written, and statements that must be refused.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "tcop/utility.h"

#include "base/compat.h"
#include "store/store.h"
#include "store/write_state.h"

static ExecutorRun_hook_type previous_run;
static ExecutorEnd_hook_type previous_end;
static ProcessUtility_hook_type previous_utility;

/* ------------------------------------------------------------------------
 * Executor
 * ------------------------------------------------------------------------
 */

/*
 * Parallel workers see what is written, not what this backend gathers.  Rows of
 * parent subtransactions can't be written now, so beside those a query runs in this
 * process alone.
 */
static void
executor_run(EC_COMPAT_EXECUTOR_RUN_ARGS)
{
	PlannedStmt *stmt = queryDesc->plannedstmt;
	bool parallel = stmt->parallelModeNeeded;

	if (parallel && ec_write_any_pending())
	{
		ec_write_flush_all();
		stmt->parallelModeNeeded = !ec_write_any_pending();
	}
	PG_TRY();
	{
		if (previous_run != NULL)
			previous_run(EC_COMPAT_EXECUTOR_RUN_PASS);
		else
			standard_ExecutorRun(EC_COMPAT_EXECUTOR_RUN_PASS);
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
	if (queryDesc->operation != CMD_SELECT || queryDesc->plannedstmt->hasModifyingCTE)
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

static void
flush_around_utility(void)
{
	ec_fetch_forget();
	if (IsTransactionState() && ec_write_any_pending())
		ec_write_flush_all();
}

static void
process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
				ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *queryEnv,
				DestReceiver *dest, QueryCompletion *qc)
{
	flush_around_utility();
	if (previous_utility != NULL)
		previous_utility(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	flush_around_utility();
}

void
ec_utility_init(void)
{
	previous_run = ExecutorRun_hook;
	ExecutorRun_hook = executor_run;
	previous_end = ExecutorEnd_hook;
	ExecutorEnd_hook = executor_end;
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}

void
ec_store_init(void)
{
	ec_write_state_init();
	ec_utility_init();
}
