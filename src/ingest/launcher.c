/*
 * launcher.c
 *	  Starts a worker for every stream that shall run, in any database.
 *
 * The launcher knows streams by slots of shared memory (status.h).  They are filled
 * by scanners, short-lived workers that look into one database each: at start into
 * all of them, later into those in which a transaction changed a stream, and once
 * in a while into those that have streams.  A worker that ends with an error is
 * started again after 1, 2, 4 ... 60 s.
 *
 * It is started outside recovery only, so a standby's streams rest until it is
 * promoted.
 *
 * Registering a background worker fails when max_worker_processes are in use; the
 * stream then waits, says so, and is tried again.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/guc.h"
#include "ingest/catalog.h"
#include "ingest/ingest.h"
#include "ingest/status.h"
#include "ingest/copy.h"
#include "ingest/hold.h"

#define RESCAN_MS 60000
#define START_TIMEOUT_MS 30000 /* for a worker that was asked for to appear */

/* ---- asking for processes ---- */

static bool
start_process(const char *function, const char *name, const char *type, Datum arg,
			  const EcWorkerArgs *args, BackgroundWorkerHandle **handle)
{
	BackgroundWorker w;

	memset(&w, 0, sizeof(w));
	w.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	w.bgw_start_time = BgWorkerStart_RecoveryFinished;
	w.bgw_restart_time = BGW_NEVER_RESTART;
	w.bgw_notify_pid = MyProcPid;
	w.bgw_main_arg = arg;
	strlcpy(w.bgw_library_name, "ecinsight", BGW_MAXLEN);
	strlcpy(w.bgw_function_name, function, BGW_MAXLEN);
	strlcpy(w.bgw_name, name, BGW_MAXLEN);
	strlcpy(w.bgw_type, type, BGW_MAXLEN);
	if (args != NULL)
		memcpy(w.bgw_extra, args, sizeof(*args));
	return RegisterDynamicBackgroundWorker(&w, handle);
}

/* ---- scanning ---- */

/* Databases that accept connections, whether anybody may connect now or not. */
static Oid *
list_databases(int *n)
{
	MemoryContext caller = CurrentMemoryContext;
	int max = 16;
	Oid *oids = palloc(max * sizeof(Oid));
	Relation rel;
	TableScanDesc scan;
	HeapTuple tuple;

	*n = 0;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database db = (Form_pg_database) GETSTRUCT(tuple);

		if (!db->datallowconn || db->datistemplate)
			continue;
		if (*n == max)
			oids = repalloc(oids, (max *= 2) * sizeof(Oid));
		oids[(*n)++] = db->oid;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return oids;
}

/* Streams of databases that are gone shall not run. */
static void
forget_missing(const Oid *databases, int n)
{
	ec_status_lock(true);
	for (int i = 0; i < ec_guc_max_streams; i++)
	{
		EcStreamSlot *s = ec_status_slot(i);
		bool found = false;

		for (int k = 0; k < n && !found; k++)
			found = databases[k] == s->dboid;
		if (OidIsValid(s->dboid) && !found)
			s->wanted = false;
	}
	ec_status_unlock();
}

/* False if no process could be started: try again later. */
static bool
scan_database(Oid dboid)
{
	BackgroundWorkerHandle *handle;
	pid_t pid;

	if (ec_status_is_held(dboid))
		return false;
	if (!start_process("ec_scanner_main", "ecinsight scanner", "ecinsight scanner",
					   ObjectIdGetDatum(dboid), NULL, &handle))
	{
		static TimestampTz told = 0;
		TimestampTz now = GetCurrentTimestamp();

		if (now > told + RESCAN_MS * INT64CONST(1000))
			ereport(LOG, (errmsg("streams cannot be looked for: no background worker slot is free"),
						  errhint("Raise the configuration parameter \"max_worker_processes\".")));
		told = now;
		return false;
	}
	if (WaitForBackgroundWorkerStartup(handle, &pid) == BGWH_STARTED)
	{
		ec_status_scanner(dboid, pid);
		(void) WaitForBackgroundWorkerShutdown(handle);
	}
	ec_status_scanner(InvalidOid, 0);
	pfree(handle);
	return true;
}

static bool
scan_listed(const Oid *databases, int n, Oid which)
{
	bool done = true;

	for (int i = 0; i < n; i++)
	{
		if ((which == (Oid) -1 || which == databases[i]) && !scan_database(databases[i]))
		{
			ec_status_request_scan(databases[i]);
			done = false;
		}
	}
	return done;
}

/* Returns false if something is left to do. */
static bool
scan_requested(void)
{
	Oid next;
	bool done = true;

	while (done && OidIsValid(next = ec_status_next_scan()))
	{
		int n;
		Oid *databases = list_databases(&n);

		forget_missing(databases, n);
		done = scan_listed(databases, n, next);
		pfree(databases);
	}
	return done;
}

/* Databases with streams are looked at again now and then, even if nobody asks. */
static void
request_rescans(void)
{
	Oid *databases = palloc(sizeof(Oid) * ec_guc_max_streams);
	int n = 0;

	ec_status_lock(false);
	for (int i = 0; i < ec_guc_max_streams; i++)
	{
		if (OidIsValid(ec_status_slot(i)->dboid))
			databases[n++] = ec_status_slot(i)->dboid;
	}
	ec_status_unlock();
	for (int i = 0; i < n; i++)
		ec_status_request_scan(databases[i]);
	pfree(databases);
}

/* Puts what a database's tables say into the slots. */
static void
update_slots(const EcStream *streams, int n)
{
	bool full = false;

	ec_status_lock(true);
	for (int i = 0; i < ec_guc_max_streams; i++)
	{
		if (ec_status_slot(i)->dboid == MyDatabaseId)
			ec_status_slot(i)->wanted = false;
	}
	for (int k = 0; k < n; k++)
	{
		int i = ec_status_find(MyDatabaseId, streams[k].id);
		EcStreamSlot *s;

		for (int free = 0; i < 0 && free < ec_guc_max_streams; free++)
		{
			if (!OidIsValid(ec_status_slot(free)->dboid))
			{
				i = free;
				memset(ec_status_slot(i), 0, sizeof(EcStreamSlot));
			}
		}
		if (i < 0)
		{
			full = true;
			continue;
		}
		s = ec_status_slot(i);
		if (OidIsValid(s->dboid) && s->created_at != streams[k].created_at)
		{
			ec_status_clear(s);
			s->fresh = true;
		}
		s->dboid = MyDatabaseId;
		s->created_at = streams[k].created_at;
		s->stream_id = streams[k].id;
		s->owner = streams[k].owner;
		strlcpy(s->name, streams[k].name, NAMEDATALEN);
		s->wanted = true;
	}
	ec_status_unlock();
	if (full)
		ereport(WARNING, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						  errmsg("more than %d streams shall run", ec_guc_max_streams),
						  errhint("Raise the configuration parameter \"ecinsight.max_streams\".")));
}

void
ec_scanner_main(Datum arg)
{
	EcStream *streams = NULL;
	int n = 0;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid,
											  BGWORKER_BYPASS_ALLOWCONN);
	SetConfigOption("lock_timeout", "5s", PGC_USERSET, PGC_S_OVERRIDE);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (OidIsValid(get_extension_oid("ecinsight", true)))
		streams = ec_streams_enabled(&n);
	update_slots(streams, n);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* ---- starting workers ---- */

/* Asked for but never come, or gone without a word. */
static void
reap(EcStreamSlot *s, TimestampTz now)
{
	if (s->pid != 0 && BackendPidGetProc(s->pid) == NULL)
	{
		s->pid = 0;
		s->latch = NULL;
		s->state = EC_STREAM_RETRYING;
		s->next_start = now + USECS_PER_SEC;
	}
	if (s->pid == 0 && s->state == EC_STREAM_STARTING &&
		now > s->next_start + START_TIMEOUT_MS * INT64CONST(1000))
		s->state = EC_STREAM_WAITING;
	if (!s->wanted && s->pid == 0)
		s->dboid = InvalidOid;
}

static bool
shall_start(const EcStreamSlot *s, TimestampTz now)
{
	return OidIsValid(s->dboid) && s->wanted && s->pid == 0 && s->state != EC_STREAM_STARTING &&
		   s->next_start <= now;
}

static void
start_worker(int i, const EcStreamSlot *copy, TimestampTz now)
{
	EcWorkerArgs args = {i, copy->dboid, copy->stream_id};
	BackgroundWorkerHandle *handle;
	char name[BGW_MAXLEN];
	bool started;

	/* mark it before it can attach */
	ec_status_lock(true);
	ec_status_slot(i)->state = EC_STREAM_STARTING;
	ec_status_slot(i)->next_start = now;
	ec_status_unlock();
	snprintf(name, sizeof(name), "ecinsight stream %.*s", BGW_MAXLEN - 20, copy->name);
	started =
		start_process("ec_stream_worker_main", name, "ecinsight stream", (Datum) 0, &args, &handle);
	if (started)
	{
		pfree(handle);
		return;
	}
	ec_status_lock(true);
	ec_status_slot(i)->state = EC_STREAM_WAITING;
	ec_status_slot(i)->next_start = now + 5 * USECS_PER_SEC;
	ec_status_unlock();
	ec_status_error(i, "no background worker slot is free; raise max_worker_processes");
}

/* Returns how long to sleep, in ms. */
static long
start_workers(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long sleep = RESCAN_MS;

	for (int i = 0; i < ec_guc_max_streams; i++)
	{
		EcStreamSlot copy;
		EcStreamSlot *s = ec_status_slot(i);

		ec_status_lock(true);
		reap(s, now);
		copy = *s;
		ec_status_unlock();
		if (!OidIsValid(copy.dboid) || copy.pid != 0)
			continue;
		if (ec_status_is_held(copy.dboid))
			sleep = Min(sleep, 500);
		else if (shall_start(&copy, now))
			start_worker(i, &copy, now);
		if (copy.wanted)
			sleep = Min(sleep, copy.next_start > now ? (copy.next_start - now) / 1000 + 1 : 5000);
	}
	return sleep;
}

static void
launcher_exit(int code, Datum arg)
{
	ec_status_launcher(false);
}

void
ec_launcher_main(Datum arg)
{
	TimestampTz rescanned = GetCurrentTimestamp();
	MemoryContext context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	before_shmem_exit(launcher_exit, (Datum) 0);
	ec_status_launcher(true);
	/* shared catalogs only: no database is held up */
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	context = AllocSetContextCreate(TopMemoryContext, "ecinsight launcher", ALLOCSET_DEFAULT_SIZES);
	ec_status_request_scan(InvalidOid);
	pgstat_report_activity(STATE_IDLE, NULL);
	for (;;)
	{
		long sleep;
		TimestampTz now = GetCurrentTimestamp();

		MemoryContextSwitchTo(context);
		MemoryContextReset(context);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (now > rescanned + RESCAN_MS * INT64CONST(1000))
		{
			rescanned = now;
			request_rescans();
		}
		sleep = scan_requested() ? RESCAN_MS : 1000;
		sleep = Min(sleep, start_workers());
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, sleep,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

void
ec_ingest_init(void)
{
	BackgroundWorker w;

	if (!process_shared_preload_libraries_in_progress)
		return;
	ec_status_init();
	/* below our other hooks: it must know whether others' hooks are below it */
	ec_copy_init();
	ec_hold_init();
	if (IsBinaryUpgrade)
		return;
	memset(&w, 0, sizeof(w));
	w.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	w.bgw_start_time = BgWorkerStart_RecoveryFinished;
	w.bgw_restart_time = 5;
	strlcpy(w.bgw_library_name, "ecinsight", BGW_MAXLEN);
	strlcpy(w.bgw_function_name, "ec_launcher_main", BGW_MAXLEN);
	strlcpy(w.bgw_name, "ecinsight launcher", BGW_MAXLEN);
	strlcpy(w.bgw_type, "ecinsight launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&w);
}
