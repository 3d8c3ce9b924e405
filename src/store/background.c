/*
 * background.c
 *	  Compaction between autovacuum's visits, in a process of its own.
 *
 * Autovacuum comes when a fifth of a table is new, which for a large table is far
 * too late to merge what small writes leave.  So whoever takes row numbers for a small
 * write and passes a multiple of STEP starts a background worker, which does what
 * compaction does in VACUUM, at autovacuum's pace, and goes.  Large batches need no
 * compaction but summaries, so they do the same in larger steps, once in a transaction,
 * as the worker sees only what is committed.  It says nothing
 * to the statistics, so autovacuum still comes for all else (indexes, freezing) when it
 * would have.
 *
 * It behaves as an autovacuum worker: not where autovacuum is off; it leaves a table alone
 * that somebody else works on; who wants a lock that it holds gets it after
 * deadlock_timeout, and so does DROP DATABASE.  If no worker is to be had, the
 * next one who passes a multiple tries again.  The library need not be preloaded.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "postmaster/bgworker.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/background.h"
#include "store/vacuum.h"

PGDLLEXPORT void ec_background_main(Datum arg);

/* Rows between two compactions, roughly. */
#define STEP 131072

/* More rows at once make a row group that can wait for more of them. */
#define SMALL_ROWS (STEP / 2)
#define LARGE_STEP 1048576

/* ------------------------------------------------------------------------
 * The writer's side
 * ------------------------------------------------------------------------
 */

static bool
is_wanted(Relation rel)
{
	const StdRdOptions *options = (const StdRdOptions *) rel->rd_options;

	return AutoVacuumingActive() && (options == NULL || options->autovacuum.enabled) &&
		   !RELATION_IS_LOCAL(rel) && rel->rd_rel->relpersistence != RELPERSISTENCE_TEMP &&
		   IsUnderPostmaster && !IsBinaryUpgrade;
}

static void
start_worker(Oid relid)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_main_arg = ObjectIdGetDatum(relid),
	};

	snprintf(worker.bgw_name, BGW_MAXLEN, "ecinsight compaction of table %u", relid);
	snprintf(worker.bgw_type, BGW_MAXLEN, "ecinsight compaction");
	strlcpy(worker.bgw_library_name, "ecinsight", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "ec_background_main", sizeof(worker.bgw_function_name));
	memcpy(worker.bgw_extra, &MyDatabaseId, sizeof(Oid));
	(void) RegisterDynamicBackgroundWorker(&worker, NULL);
}

static bool
passes(int64 first, int64 count, int64 step)
{
	return first / step != (first + count) / step;
}

/* The first time in this transaction. */
static bool
is_first_large(void)
{
	static TransactionId last = InvalidTransactionId;
	TransactionId xid = GetTopTransactionIdIfAny();
	bool first = xid != last;

	last = xid;
	return first;
}

void
ec_background_notice(Relation rel, int64 first, int64 count)
{
	if (count <= SMALL_ROWS ? !passes(first, count, STEP) : !passes(first, count, LARGE_STEP))
		return;
	if (is_wanted(rel) && (count <= SMALL_ROWS || is_first_large()))
		start_worker(RelationGetRelid(rel));
}

/* ------------------------------------------------------------------------
 * The worker
 * ------------------------------------------------------------------------
 */

/* Others may take us out of their way. */
static void
give_way(void)
{
	LWLockAcquire(ProcArrayLock, LW_EXCLUSIVE);
	MyProc->statusFlags |= PROC_IS_AUTOVACUUM;
	ProcGlobal->statusFlags[MyProc->pgxactoff] = MyProc->statusFlags;
	LWLockRelease(ProcArrayLock);
}

static void
set(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/* As autovacuum's workers do. */
static void
set_pace(void)
{
	const char *delay = GetConfigOption("autovacuum_vacuum_cost_delay", false, false);
	const char *limit = GetConfigOption("autovacuum_vacuum_cost_limit", false, false);

	set("search_path", "");
	set("statement_timeout", "0");
	set("lock_timeout", "0");
	set("idle_in_transaction_session_timeout", "0");
	set("default_transaction_isolation", "read committed");
	if (synchronous_commit > SYNCHRONOUS_COMMIT_LOCAL_FLUSH)
		set("synchronous_commit", "local");
	if (delay[0] != '-')
		set("vacuum_cost_delay", delay);
	if (limit[0] != '-')
		set("vacuum_cost_limit", limit);
	ec_compat_update_costs();
}

/* False if the table is gone. */
static bool
report(Oid relid)
{
	char *name;

	StartTransactionCommand();
	name = get_rel_name(relid);
	if (name != NULL)
		pgstat_report_activity(STATE_RUNNING,
							   psprintf("ecinsight: compaction of %s.%s",
										get_namespace_name(get_rel_namespace(relid)), name));
	CommitTransactionCommand();
	return name != NULL;
}

void
ec_background_main(Datum arg)
{
	Oid relid = DatumGetObjectId(arg);
	Oid database;

	memcpy(&database, MyBgworkerEntry->bgw_extra, sizeof(Oid));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	give_way();
	set_pace();
	if (report(relid))
		ec_vacuum_merge(relid);
}
