/*
 * worker.c
 *	  The process that feeds one stream: set-up, main loop, ends.  See worker.h.
 *
 * The process connects as the bootstrap superuser, since the stream's owner may
 * have no right to log in, and then works in transactions in which it is the
 * owner, in a security-restricted context with a safe search_path: constraints
 * and defaults of the target run with no more than the owner's rights.
 *
 * Ways to end:
 *	- the stream is paused, stopped, dropped or altered: after a commit the process
 *	  is woken, looks at the tables, and leaves (storing the batch first, unless
 *	  stopped or dropped); an altered one is started again by the launcher
 *	- a fault that waiting doesn't mend (ec_worker_fail): status 'failed', until
 *	  somebody resumes the stream
 *	- any other error: the process ends, the launcher starts it again after a while
 *	- SIGTERM: at the next interrupt check; the batch is dropped
 * A broker that doesn't answer ends nothing: librdkafka goes on trying.
 */
#include "postgres.h"

#include <malloc.h>

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_foreign_server.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/guc.h"
#include "ingest/ingest.h"
#include "ingest/kafka.h"
#include "ingest/options.h"
#include "ingest/start.h"
#include "ingest/worker.h"

/* Fetched messages are that large: freed, they go back to the system at once. */
#define MMAP_THRESHOLD (256 * 1024)

#define HEARTBEAT_MS 1000
#define RECHECK_MS 10000 /* look at the tables even if nobody asks */
#define NEW_PARTITIONS_MS 30000
#define TRIM_MS 5000
#define ASK_TIMEOUT_MS 1000 /* for a question to the brokers */

static EcWorker worker;
static bool clean_end = false;
static bool connection_changed = false;

/* ---- transactions ---- */

/* Starting a transaction and ending it leave the current memory context to be restored. */
static MemoryContext outer_context;

void
ec_worker_begin(EcWorker *w)
{
	outer_context = CurrentMemoryContext;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	GetUserIdAndSecContext(&w->work_user, &w->work_sec_context);
	SetUserIdAndSecContext(w->stream->owner, w->work_sec_context | SECURITY_RESTRICTED_OPERATION);
	w->in_work = true;
}

void
ec_worker_end(EcWorker *w)
{
	SetUserIdAndSecContext(w->work_user, w->work_sec_context);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(outer_context);
	w->in_work = false;
}

/* A transaction of the process itself, for the tables of streams. */
static void
catalog_begin(void)
{
	outer_context = CurrentMemoryContext;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
catalog_end(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(outer_context);
}

/* ---- ends ---- */

static void
leave(void)
{
	clean_end = true;
	proc_exit(0);
}

/*
 * The slot shall start no new worker, until the launcher has looked at the tables.
 * It is asked to: somebody may have resumed the stream after we read its status, and
 * been noticed before we took the slot's wish away.
 */
static void
leave_for_good(EcWorker *w)
{
	ec_status_lock(true);
	ec_status_slot(w->slot)->wanted = false;
	ec_status_unlock();
	ec_status_request_scan(MyDatabaseId);
	leave();
}

/*
 * Is the stream of our number still the one that we read for?  An extension dropped
 * with its streams and created again counts from 1 again.
 */
static bool
is_our_stream(const EcWorker *w)
{
	EcStream *stream = ec_stream_by_id(w->stream->id);

	return stream != NULL && stream->target == w->stream->target &&
		   strcmp(stream->name, w->stream->name) == 0;
}

void
ec_worker_fail(EcWorker *w, const char *reason)
{
	if (w->in_work)
	{
		AbortCurrentTransaction();
		w->in_work = false;
	}
	if (reason != NULL)
	{
		catalog_begin();
		if (!is_our_stream(w))
			leave_for_good(w);
		(void) ec_stream_set_status(w->stream->id, "failed", reason);
		catalog_end();
		ec_status_error(w->slot, reason);
	}
	ereport(LOG, (errmsg("stream \"%s\" has failed%s%s", w->stream->name,
						 reason == NULL ? "" : ": ", reason == NULL ? "" : reason),
				  errhint("Call ecinsight.resume_stream() when the cause is mended.")));
	leave_for_good(w);
	pg_unreachable();
}

/* Registered before_shmem_exit: messages go back before the consumer is closed. */
static void
worker_exit(int code, Datum arg)
{
	EcWorker *w = &worker;

	if (w->source != NULL)
	{
		w->source->ops->release(w->source, w->polled, w->npolled);
		w->npolled = 0;
		w->source->ops->close(w->source);
		w->source = NULL;
	}
	ec_status_detach(w->slot, !clean_end);
}

/* ---- the stream's definition ---- */

static void
connection_callback(Datum arg, int cacheid, uint32 hashvalue)
{
	connection_changed = true;
}

/* Everything that makes a worker start anew when it changes. */
static char *
describe(const EcStream *s, const EcProperty *properties, int nproperties)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text,
					 "%s\n%u\n%s\n%u\n%d\n" INT64_FORMAT "\n" INT64_FORMAT "\n%d\n" INT64_FORMAT
					 "\n%d\n%s\n",
					 s->name, s->owner, s->server, s->target, s->max_rows, s->max_bytes,
					 s->max_delay, s->stop_on_error, s->max_errors, s->out_of_range, s->options);
	for (int i = 0; i < s->ntopics; i++)
		appendStringInfo(&text, "%s\n", s->topics[i]);
	for (int i = 0; i < nproperties; i++)
		appendStringInfo(&text, "%s=%s\n", properties[i].name, properties[i].value);
	return text.data;
}

static EcProperty *
load_properties(const EcStream *stream, int *n)
{
	ForeignServer *server = ec_server_by_name(stream->server);

	ec_server_check_usage(server, stream->owner);
	return ec_server_properties(server, stream->owner, n);
}

/* In a transaction: the stream, if it shall run here; leaves otherwise. */
static EcStream *
load_stream(EcWorker *w, int64 id)
{
	EcStream *stream = ec_stream_by_id(id);

	if (stream == NULL || strcmp(stream->status, "enabled") != 0)
		leave_for_good(w);
	if (strcmp(stream->home, ec_stream_home()) != 0)
	{
		(void) ec_stream_set_status(id, "paused",
									"this is a copy of the database in which the stream ran;"
									" call ecinsight.resume_stream() if it shall run here, too");
		catalog_end();
		leave_for_good(w);
	}
	return stream;
}

/* Reads the definition and plans the target by it; again when the target's shape has changed. */
static void
plan_stream(EcWorker *w, int64 id)
{
	EcProperty *properties;
	MemoryContext old;
	Relation rel;
	int n;

	if (w->target != NULL)
		ec_target_free(w->target);
	w->target = NULL;
	w->stream = NULL;
	w->header_notes = NIL;
	MemoryContextReset(w->stream_context);
	catalog_begin();
	old = MemoryContextSwitchTo(w->stream_context);
	w->stream = load_stream(w, id);
	properties = load_properties(w->stream, &n);
	w->definition = describe(w->stream, properties, n);
	MemoryContextSwitchTo(old);
	if (w->source == NULL)
		w->source = ec_kafka_open(properties, n, (const char *const *) w->stream->topics,
								  w->stream->ntopics, ec_guc_stream_queue_size);
	catalog_end();

	ec_worker_begin(w);
	rel = ec_target_open(w->stream->target, w->stream->owner, AccessShareLock, true);
	if (rel == NULL)
		ec_worker_fail(w, "the target table does not exist any more");
	w->target = ec_target_plan(rel, w->stream->options, w->context, ec_worker_fault, w);
	relation_close(rel, NoLock);
	ec_worker_end(w);
	if (w->stream->nheader > 0)
		(void) ec_csv_set_header(ec_target_csv(w->target), (const char *const *) w->stream->header,
								 w->stream->nheader);
	w->header_serial = ec_csv_header_serial(ec_target_csv(w->target));
	ec_worker_check_header(w);
}

/* Has somebody paused, stopped, dropped or altered the stream, or its connection? */
static void
recheck(EcWorker *w)
{
	EcStream *stream;
	bool changed = false;

	catalog_begin();
	stream = ec_stream_by_id(w->stream->id);
	if (stream != NULL && strcmp(stream->status, "enabled") == 0)
	{
		int n;
		EcProperty *properties;

		connection_changed = false;
		properties = load_properties(stream, &n);
		changed = strcmp(w->definition, describe(stream, properties, n)) != 0;
	}
	else if (stream == NULL || strcmp(stream->status, "paused") != 0)
		leave_for_good(w);
	else
		changed = true;
	catalog_end();
	if (!changed)
		return;
	if (w->batch_begin != 0)
		ec_worker_store(w);
	leave();
}

/* ---- waiting and keeping house ---- */

static void
show_logs(EcWorker *w)
{
	char text[1024];
	int level;

	/* librdkafka's levels are syslog's: below 5 stands what an operator may want to see */
	for (int i = 0; i < 100 && w->source->ops->next_log(w->source, &level, text, sizeof(text)); i++)
	{
		int severity = level <= 4 || level == 7 ? LOG : DEBUG1;

		ereport(severity, (errmsg("stream \"%s\": %s", w->stream->name, text)));
	}
}

void
ec_worker_show(EcWorker *w)
{
	EcStreamPartition *parts = palloc(sizeof(EcStreamPartition) * Max(w->nparts, 1));

	for (int i = 0; i < w->nparts; i++)
	{
		parts[i].topic = w->parts[i].topic;
		parts[i].partition = w->parts[i].partition;
		parts[i].high_watermark = w->source->ops->high_watermark(w->source, i);
	}
	ec_status_partitions(w->slot, parts, w->nparts);
	pfree(parts);
}

static bool
due(TimestampTz *last, TimestampTz now, int interval_ms)
{
	if (now < *last + interval_ms * INT64CONST(1000))
		return false;
	*last = now;
	return true;
}

static void
handle_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
	/* a busy worker never waits, so wouldn't be told */
	if (!PostmasterIsAlive())
		proc_exit(1);
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* Waits for a signal, the source, or the time; wakes at once when the postmaster dies. */
static void
wait_for_work(EcWorker *w, long timeout_ms)
{
	int events = WaitLatchOrSocket(
		MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
		w->source->ops->wait_fd(w->source), timeout_ms, PG_WAIT_EXTENSION);

	if (events & WL_LATCH_SET)
		ResetLatch(MyLatch);
	if (events & WL_SOCKET_READABLE)
		w->source->ops->drain_fd(w->source);
	handle_interrupts();
}

/* What the brokers answered to a question; true: they did.  Otherwise waits before the next try. */
static bool
answered(EcWorker *w, EcSourceResult result)
{
	static TimestampTz checked = 0;

	if (result == EC_SOURCE_OK)
		return true;
	if (result == EC_SOURCE_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR), errmsg("could not ask Kafka: %s", w->source->error)));
	ec_status_set_state(w->slot, EC_STREAM_RECONNECTING);
	ec_status_error(w->slot, w->source->error);
	show_logs(w);
	wait_for_work(w, result == EC_SOURCE_UNREACHABLE ? 200 : 5000);
	/* what is wrong may be mended by ALTER SERVER or ALTER USER MAPPING, of which nobody tells us */
	if (ec_status_take_recheck(w->slot) || connection_changed ||
		due(&checked, GetCurrentTimestamp(), 2000))
		recheck(w);
	return false;
}

/* ---- partitions ---- */

static int
partitions_of(EcWorker *w, int topic)
{
	EcSourceResult result;
	int n = 0;

	do
	{
		result = w->source->ops->count_partitions(w->source, topic, ASK_TIMEOUT_MS, &n);
		if (result == EC_SOURCE_NO_TOPIC)
			snprintf(w->source->error, EC_SOURCE_ERROR_LEN, "topic \"%.200s\" does not exist",
					 w->stream->topics[topic]);
	} while (!answered(w, result));
	return n;
}

static bool
saved_offset(const EcStreamOffset *offsets, int n, const char *topic, int32 partition,
			 int64 *offset)
{
	for (int i = 0; i < n; i++)
	{
		if (offsets[i].partition == partition && strcmp(offsets[i].topic, topic) == 0)
		{
			*offset = offsets[i].next_offset;
			return true;
		}
	}
	return false;
}

static bool
topic_known(const EcStreamOffset *offsets, int n, const char *topic)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(offsets[i].topic, topic) == 0)
			return true;
	}
	return false;
}

/* Saves the offsets at which partitions begin that the stream has not read yet. */
static void
save_new(EcWorker *w, EcSourcePosition *fresh, int nfresh)
{
	EcStreamOffset *rows = palloc(sizeof(EcStreamOffset) * Max(nfresh, 1));

	if (nfresh == 0)
		return;
	for (int i = 0; i < nfresh; i++)
	{
		rows[i].topic = w->stream->topics[fresh[i].topic];
		rows[i].partition = fresh[i].partition;
		rows[i].next_offset = fresh[i].offset;
	}
	catalog_begin();
	ec_offsets_insert(w->stream->id, rows, nfresh);
	catalog_end();
}

/* A topic's partitions, each with its saved offset; returns how many there are. */
static int
find_topic(EcWorker *w, int topic, const EcStreamOffset *offsets, int noffsets,
		   EcWorkerPartition **parts)
{
	const char *name = w->stream->topics[topic];
	/* a partition that appears later is read from its beginning, whatever "start" was */
	const char *start = topic_known(offsets, noffsets, name) ? "earliest" : w->stream->start;
	int n = partitions_of(w, topic);
	EcSourcePosition *fresh = palloc(sizeof(EcSourcePosition) * n);
	int nfresh = 0;

	*parts = palloc0(sizeof(EcWorkerPartition) * n);
	for (int i = 0; i < n; i++)
	{
		EcWorkerPartition *p = &(*parts)[i];

		p->topic = topic;
		p->partition = i;
		p->message_time = -1;
		if (!saved_offset(offsets, noffsets, name, i, &p->saved))
			fresh[nfresh++] = (EcSourcePosition){topic, i, 0};
	}
	if (nfresh > 0)
	{
		while (!answered(w, ec_start_resolve(w->source, start, fresh, nfresh, ASK_TIMEOUT_MS)))
			;
		for (int i = 0; i < nfresh; i++)
			(*parts)[fresh[i].partition].saved = fresh[i].offset;
		save_new(w, fresh, nfresh);
	}
	for (int i = 0; i < n; i++)
		(*parts)[i].next = (*parts)[i].saved;
	return n;
}

/* Finds the partitions and reads on from the saved offsets; whatever was gathered is dropped. */
static void
assign(EcWorker *w)
{
	MemoryContext scratch =
		AllocSetContextCreate(w->context, "ecinsight assignment", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	EcStreamOffset *offsets;
	EcSourcePosition *positions;
	int noffsets;

	catalog_begin();
	MemoryContextSwitchTo(scratch);
	offsets = ec_offsets_load(w->stream->id, &noffsets);
	catalog_end();

	if (w->parts != NULL)
		pfree(w->parts);
	w->parts = MemoryContextAlloc(w->context, sizeof(EcWorkerPartition));
	w->nparts = 0;
	for (int topic = 0; topic < w->stream->ntopics; topic++)
	{
		EcWorkerPartition *parts;
		int n = find_topic(w, topic, offsets, noffsets, &parts);

		w->parts = repalloc(w->parts, (w->nparts + n) * sizeof(EcWorkerPartition));
		memcpy(w->parts + w->nparts, parts, n * sizeof(EcWorkerPartition));
		w->nparts += n;
	}
	positions = palloc(sizeof(EcSourcePosition) * w->nparts);
	for (int i = 0; i < w->nparts; i++)
		positions[i] =
			(EcSourcePosition){w->parts[i].topic, w->parts[i].partition, w->parts[i].saved};
	ec_worker_forget(w);
	if (!w->source->ops->assign(w->source, positions, w->nparts))
		ereport(ERROR, (errcode(ERRCODE_FDW_ERROR),
						errmsg("could not assign partitions: %s", w->source->error)));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	ec_worker_show(w);
}

/* The target was altered under a batch, or offsets were moved: plan and read again from what is saved. */
static void
go_back(EcWorker *w)
{
	w->rewind = false;
	plan_stream(w, w->stream->id);
	assign(w);
}

/* Asks for the number of partitions; a topic that grew is assigned anew, after storing what was read. */
static void
look_for_partitions(EcWorker *w)
{
	for (int topic = 0; topic < w->stream->ntopics; topic++)
	{
		int known = 0;
		int n;

		for (int i = 0; i < w->nparts; i++)
			known += w->parts[i].topic == topic;
		if (w->source->ops->count_partitions(w->source, topic, ASK_TIMEOUT_MS, &n) !=
				EC_SOURCE_OK ||
			n <= known)
			continue;
		ec_worker_store(w);
		if (!w->rewind)
			assign(w);
		return;
	}
}

/* ---- the main loop ---- */

typedef struct Housekeeping
{
	TimestampTz heartbeat;
	TimestampTz checked;
	TimestampTz looked; /* for new partitions */
	TimestampTz asked;	/* whether brokers answer again */
	TimestampTz busy;	/* last time that messages came */
	bool trimmed;
	uint64 errors_seen;
	bool reconnecting;
} Housekeeping;

/* State by what the source reports: errors without messages mean that we are cut off. */
static void
watch_connection(EcWorker *w, Housekeeping *h, TimestampTz now, bool busy)
{
	int n;

	if (w->source->error_count != h->errors_seen)
	{
		h->errors_seen = w->source->error_count;
		ec_status_error(w->slot, w->source->error);
		if (!busy && !h->reconnecting)
		{
			h->reconnecting = true;
			ec_status_set_state(w->slot, EC_STREAM_RECONNECTING);
		}
	}
	if (h->reconnecting && (busy || (due(&h->asked, now, 2000) &&
									 w->source->ops->count_partitions(w->source, 0, ASK_TIMEOUT_MS,
																	  &n) == EC_SOURCE_OK)))
	{
		h->reconnecting = false;
		h->errors_seen = w->source->error_count;
		ec_status_set_state(w->slot, EC_STREAM_RUNNING);
	}
}

/* What a backlog took for fetched messages goes back to the system when it is worked off. */
static void
trim_when_idle(Housekeeping *h, TimestampTz now, bool busy)
{
	if (busy)
	{
		h->busy = now;
		h->trimmed = false;
	}
	else if (!h->trimmed && now > h->busy + TRIM_MS * INT64CONST(1000))
	{
		(void) malloc_trim(0);
		h->trimmed = true;
	}
}

static void
keep_house(EcWorker *w, Housekeeping *h, TimestampTz now, bool busy)
{
	watch_connection(w, h, now, busy);
	trim_when_idle(h, now, busy);
	if (due(&h->heartbeat, now, HEARTBEAT_MS))
	{
		show_logs(w);
		ec_worker_show(w);
	}
	if (ec_status_take_recheck(w->slot) ||
		due(&h->checked, now, h->reconnecting ? 2000 : RECHECK_MS) || connection_changed)
	{
		h->checked = now;
		recheck(w);
	}
	if (!h->reconnecting && due(&h->looked, now, NEW_PARTITIONS_MS))
		look_for_partitions(w);
}

static void
run(EcWorker *w)
{
	Housekeeping h = {0};
	MemoryContext loop =
		AllocSetContextCreate(w->context, "ecinsight worker loop", ALLOCSET_DEFAULT_SIZES);

	h.looked = h.checked = GetCurrentTimestamp();
	h.errors_seen = w->source->error_count;
	ec_status_set_state(w->slot, EC_STREAM_RUNNING);
	pgstat_report_activity(STATE_RUNNING, "reading");
	for (;;)
	{
		bool busy;
		TimestampTz now;

		MemoryContextReset(loop);
		MemoryContextSwitchTo(loop);
		handle_interrupts();
		busy = ec_worker_consume(w);
		now = GetCurrentTimestamp();
		if (!w->rewind && ec_worker_due(w, now))
			ec_worker_store(w);
		if (!w->rewind)
			keep_house(w, &h, now, busy);
		if (w->rewind)
			go_back(w);
		if (!busy)
		{
			long timeout = HEARTBEAT_MS;

			if (w->batch_begin != 0)
				timeout =
					Min(timeout, Max(w->batch_begin + w->stream->max_delay - now, 0) / 1000 + 1);
			pgstat_report_stat(false);
			wait_for_work(w, timeout);
		}
	}
}

/* Deterministic whatever the configuration says: the same message means the same at every retry. */
static void
set_parameters(void)
{
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("TimeZone", "UTC", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("DateStyle", "ISO, MDY", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("IntervalStyle", "postgres", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
}

static void
work(EcWorker *w, int64 stream_id)
{
	ErrorContextCallback callback = {error_context_stack, ec_worker_error_context, w};

	error_context_stack = &callback;
	PG_TRY();
	{
		plan_stream(w, stream_id);
		assign(w);
		run(w);
	}
	PG_CATCH();
	{
		/* the status view shall tell, too */
		MemoryContext old = MemoryContextSwitchTo(w->context);
		ErrorData *edata = CopyErrorData();

		ec_status_error(w->slot, edata->message);
		MemoryContextSwitchTo(old);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

void
ec_stream_worker_main(Datum arg)
{
	EcWorker *w = &worker;
	EcWorkerArgs args;

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	w->slot = args.slot;
	w->poll_max = 16;
	(void) mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!ec_status_attach(args.slot, args.dboid, args.stream_id))
		proc_exit(0);
	before_shmem_exit(worker_exit, (Datum) 0);
	BackgroundWorkerInitializeConnectionByOid(args.dboid, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
	set_parameters();
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, connection_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, connection_callback, (Datum) 0);
	w->context =
		AllocSetContextCreate(TopMemoryContext, "ecinsight worker", ALLOCSET_DEFAULT_SIZES);
	w->stream_context =
		AllocSetContextCreate(w->context, "ecinsight stream", ALLOCSET_DEFAULT_SIZES);
	w->letters_context =
		AllocSetContextCreate(w->context, "ecinsight dead letters", ALLOCSET_DEFAULT_SIZES);
	work(w, args.stream_id);
}
