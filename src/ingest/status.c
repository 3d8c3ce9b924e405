/*
 * status.c
 *	  Shared memory of the ingest layer; see status.h.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "base/guc.h"
#include "ingest/status.h"

#define MAX_SCANS 32 /* databases waiting for a scan; more: scan all */
#define MAX_HELD 8

typedef struct HeldDatabase
{
	Oid dboid;
	pid_t pid; /* who holds it */
} HeldDatabase;

typedef struct StatusShared
{
	LWLock *lock;
	Latch *launcher;
	Oid scans[MAX_SCANS];
	int nscans;
	bool scan_all;
	HeldDatabase held[MAX_HELD];
	Oid scanner_db;
	pid_t scanner_pid;
	int nslots;
	int npartitions;
} StatusShared;

static StatusShared *shared = NULL;
static EcStreamSlot *slots;
static EcStreamPartition *partitions;
static bool holding = false;
static Oid notify_databases[2]; /* to be scanned when this transaction commits */
static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;

static Size
slots_offset(void)
{
	return MAXALIGN(sizeof(StatusShared));
}

static Size
partitions_offset(void)
{
	return MAXALIGN(add_size(slots_offset(), mul_size(ec_guc_max_streams, sizeof(EcStreamSlot))));
}

static Size
status_size(void)
{
	return add_size(partitions_offset(),
					mul_size(ec_guc_max_stream_partitions, sizeof(EcStreamPartition)));
}

static void
status_shmem_request(void)
{
	if (prev_shmem_request != NULL)
		prev_shmem_request();
	RequestAddinShmemSpace(status_size());
	RequestNamedLWLockTranche("ecinsight_ingest", 1);
}

static void
status_shmem_startup(void)
{
	bool found;

	if (prev_shmem_startup != NULL)
		prev_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("ecinsight ingest", status_size(), &found);
	slots = (EcStreamSlot *) ((char *) shared + slots_offset());
	partitions = (EcStreamPartition *) ((char *) shared + partitions_offset());
	if (!found)
	{
		memset(shared, 0, status_size());
		shared->lock = &GetNamedLWLockTranche("ecinsight_ingest")->lock;
		shared->scan_all = true;
		shared->nslots = ec_guc_max_streams;
		shared->npartitions = ec_guc_max_stream_partitions;
		for (int i = 0; i < shared->npartitions; i++)
			partitions[i].slot = -1;
	}
	LWLockRelease(AddinShmemInitLock);
}

/* Whoever ends a prepared transaction doesn't know that a stream was changed in it, so nobody would look. */
static void
refuse_prepare(void)
{
	if (OidIsValid(notify_databases[0]) || OidIsValid(notify_databases[1]))
		ereport(
			ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot PREPARE a transaction that has changed streams"),
			 errhint(
				 "Create, alter, pause, resume and drop streams in transactions of their own.")));
}

static void
status_xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_PREPARE)
		refuse_prepare();
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)
		return;
	if (event == XACT_EVENT_ABORT)
		ec_status_release_held();
	for (int i = 0; i < lengthof(notify_databases); i++)
	{
		Oid dboid = notify_databases[i];

		notify_databases[i] = InvalidOid;
		if (OidIsValid(dboid) && event != XACT_EVENT_ABORT)
			ec_status_request_scan(dboid);
	}
}

void
ec_status_init(void)
{
	prev_shmem_request = shmem_request_hook;
	shmem_request_hook = status_shmem_request;
	prev_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = status_shmem_startup;
	RegisterXactCallback(status_xact_callback, NULL);
}

bool
ec_status_available(void)
{
	return shared != NULL;
}

void
ec_status_lock(bool exclusive)
{
	LWLockAcquire(shared->lock, exclusive ? LW_EXCLUSIVE : LW_SHARED);
}

void
ec_status_unlock(void)
{
	LWLockRelease(shared->lock);
}

EcStreamSlot *
ec_status_slot(int i)
{
	Assert(i >= 0 && i < shared->nslots);
	return &slots[i];
}

int
ec_status_find(Oid dboid, int64 stream_id)
{
	for (int i = 0; i < shared->nslots; i++)
	{
		if (slots[i].dboid == dboid && slots[i].stream_id == stream_id)
			return i;
	}
	return -1;
}

void
ec_status_clear(EcStreamSlot *s)
{
	s->failures = 0;
	s->last_commit = 0;
	if (s->state == EC_STREAM_RETRYING)
	{
		s->state = EC_STREAM_WAITING;
		s->next_start = 0;
	}
	s->last_error_at = 0;
	s->last_error[0] = '\0';
}

/* ---- the worker's side ---- */

bool
ec_status_attach(int slot, Oid dboid, int64 stream_id)
{
	EcStreamSlot *s = ec_status_slot(slot);
	bool ours;

	ec_status_lock(true);
	ours = s->dboid == dboid && s->stream_id == stream_id && s->wanted && s->pid == 0;
	if (ours)
	{
		s->pid = MyProcPid;
		s->latch = MyLatch;
		s->state = EC_STREAM_STARTING;
		s->recheck = false;
		if (s->fresh)
			ec_status_clear(s); /* of what the old stream's worker said at its end */
		s->fresh = false;
		s->started_at = GetCurrentTimestamp();
		s->rate_at = s->started_at;
		s->rows_per_second = s->bytes_per_second = 0;
		memset(&s->total, 0, sizeof(s->total));
		memset(s->batches, 0, sizeof(s->batches));
	}
	ec_status_unlock();
	return ours;
}

static void
free_partitions(int slot)
{
	for (int i = 0; i < shared->npartitions; i++)
	{
		if (partitions[i].slot == slot)
			partitions[i].slot = -1;
	}
}

void
ec_status_detach(int slot, bool failed)
{
	EcStreamSlot *s = ec_status_slot(slot);

	ec_status_lock(true);
	if (s->pid == MyProcPid)
	{
		s->pid = 0;
		s->latch = NULL;
		s->rows_per_second = s->bytes_per_second = 0;
		s->failures = failed ? s->failures + 1 : 0;
		s->state = failed ? EC_STREAM_RETRYING : EC_STREAM_WAITING;
		/* 1, 2, 4 ... 60 s */
		s->next_start =
			!failed ? 0
					: GetCurrentTimestamp() + USECS_PER_SEC * Min(60, 1 << Min(s->failures - 1, 6));
		free_partitions(slot);
	}
	ec_status_unlock();
	ec_status_wake_launcher();
}

void
ec_status_set_state(int slot, EcStreamState state)
{
	ec_status_lock(true);
	ec_status_slot(slot)->state = state;
	ec_status_unlock();
}

void
ec_status_error(int slot, const char *message)
{
	EcStreamSlot *s = ec_status_slot(slot);
	int len = pg_mbcliplen(message, strlen(message), EC_STREAM_ERROR_LEN - 1); /* views show it */

	ec_status_lock(true);
	memcpy(s->last_error, message, len);
	s->last_error[len] = '\0';
	s->last_error_at = GetCurrentTimestamp();
	ec_status_unlock();
}

bool
ec_status_take_recheck(int slot)
{
	EcStreamSlot *s = ec_status_slot(slot);
	bool recheck;

	ec_status_lock(true);
	recheck = s->recheck;
	s->recheck = false;
	ec_status_unlock();
	return recheck;
}

void
ec_status_count(int slot, const EcStreamCounters *add, const EcStreamBatch *batch)
{
	EcStreamSlot *s = ec_status_slot(slot);
	TimestampTz now = GetCurrentTimestamp();

	ec_status_lock(true);
	s->batches[s->total.batches % EC_STREAM_BATCHES] = *batch;
	s->total.rows += add->rows;
	s->total.dead_letters += add->dead_letters;
	s->total.messages += add->messages;
	s->total.bytes += add->bytes;
	s->total.batches++;

	/* rates over the time since the flush before, smoothed over a few seconds */
	if (now > s->rate_at)
	{
		double seconds = (now - s->rate_at) / (double) USECS_PER_SEC;
		double weight = Min(seconds / 5.0, 1.0);

		if (s->rows_per_second == 0 && s->bytes_per_second == 0)
			weight = 1.0;
		s->rows_per_second += weight * (add->rows / seconds - s->rows_per_second);
		s->bytes_per_second += weight * (add->bytes / seconds - s->bytes_per_second);
		s->rate_at = now;
	}
	s->last_commit = now;
	s->failures = 0;
	ec_status_unlock();
}

void
ec_status_partitions(int slot, const EcStreamPartition *parts, int n)
{
	int done = 0;

	ec_status_lock(true);
	free_partitions(slot);
	for (int i = 0; i < shared->npartitions && done < n; i++)
	{
		if (partitions[i].slot == -1)
		{
			partitions[i] = parts[done++];
			partitions[i].slot = slot;
		}
	}
	ec_status_unlock();
}

const EcStreamPartition *
ec_status_partition_pool(int *n)
{
	*n = shared->npartitions;
	return partitions;
}

/* ---- the launcher's side ---- */

void
ec_status_launcher(bool attach)
{
	ec_status_lock(true);
	shared->launcher = attach ? MyLatch : NULL;
	ec_status_unlock();
}

void
ec_status_wake_launcher(void)
{
	ec_status_lock(false);
	if (shared->launcher != NULL)
		SetLatch(shared->launcher);
	ec_status_unlock();
}

Oid
ec_status_next_scan(void)
{
	Oid next = InvalidOid;

	ec_status_lock(true);
	if (shared->scan_all)
	{
		shared->scan_all = false;
		shared->nscans = 0;
		next = (Oid) -1;
	}
	else if (shared->nscans > 0)
	{
		next = shared->scans[0];
		memmove(shared->scans, shared->scans + 1, --shared->nscans * sizeof(Oid));
	}
	ec_status_unlock();
	return next;
}

/* Also tells the database's workers, so that a pause doesn't wait for the scanner. */
void
ec_status_request_scan(Oid dboid)
{
	bool queued = false;

	if (shared == NULL)
		return;
	ec_status_lock(true);
	for (int i = 0; i < shared->nslots; i++)
	{
		if (slots[i].dboid == dboid && slots[i].pid != 0)
		{
			slots[i].recheck = true;
			SetLatch(slots[i].latch);
		}
	}
	for (int i = 0; i < shared->nscans; i++)
		queued |= shared->scans[i] == dboid;
	if (!OidIsValid(dboid) || (!queued && shared->nscans == MAX_SCANS))
		shared->scan_all = true;
	else if (!queued)
		shared->scans[shared->nscans++] = dboid;
	if (shared->launcher != NULL)
		SetLatch(shared->launcher);
	ec_status_unlock();
}

void
ec_status_notify_at_commit(Oid dboid)
{
	if (shared != NULL)
		notify_databases[dboid == MyDatabaseId ? 0 : 1] = dboid;
}

void
ec_status_scanner(Oid dboid, pid_t pid)
{
	ec_status_lock(true);
	shared->scanner_db = dboid;
	shared->scanner_pid = pid;
	ec_status_unlock();
}

/* ---- holding a database ---- */

bool
ec_status_hold(Oid dboid)
{
	bool done = false;

	ec_status_lock(true);
	for (int i = 0; i < MAX_HELD && !done; i++)
	{
		if (!OidIsValid(shared->held[i].dboid) || BackendPidGetProc(shared->held[i].pid) == NULL)
		{
			shared->held[i].dboid = dboid;
			shared->held[i].pid = MyProcPid;
			done = holding = true;
		}
	}
	ec_status_unlock();
	return done;
}

void
ec_status_release_held(void)
{
	if (!holding)
		return;
	holding = false;
	ec_status_lock(true);
	for (int i = 0; i < MAX_HELD; i++)
	{
		if (shared->held[i].pid == MyProcPid)
		{
			shared->held[i].dboid = InvalidOid;
			shared->held[i].pid = 0;
		}
	}
	ec_status_unlock();
}

/* A hold whose process has gone counts no more. */
bool
ec_status_is_held(Oid dboid)
{
	bool held = false;

	ec_status_lock(false);
	for (int i = 0; i < MAX_HELD; i++)
	{
		if (shared->held[i].dboid == dboid && OidIsValid(dboid) &&
			BackendPidGetProc(shared->held[i].pid) != NULL)
			held = true;
	}
	ec_status_unlock();
	return held;
}

bool
ec_status_busy(Oid dboid)
{
	bool busy;

	ec_status_lock(false);
	busy = shared->scanner_pid != 0 && shared->scanner_db == dboid;
	for (int i = 0; i < shared->nslots && !busy; i++)
		busy = slots[i].dboid == dboid && slots[i].pid != 0;
	ec_status_unlock();
	return busy;
}

void
ec_status_terminate(Oid dboid)
{
	ec_status_lock(false);
	if (shared->scanner_pid != 0 && shared->scanner_db == dboid)
		kill(shared->scanner_pid, SIGTERM);
	for (int i = 0; i < shared->nslots; i++)
	{
		if (slots[i].dboid == dboid && slots[i].pid != 0)
			kill(slots[i].pid, SIGTERM);
	}
	ec_status_unlock();
}
