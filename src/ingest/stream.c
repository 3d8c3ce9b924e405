/*
 * stream.c
 *	  SQL functions that make and steer streams.
 *
 * All are transactional: they change ecinsight.stream, whose trigger lets launcher
 * and workers look at it when the transaction has committed.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/guc.h"
#include "ingest/catalog.h"
#include "ingest/connect.h"
#include "ingest/options.h"
#include "ingest/start.h"
#include "ingest/status.h"
#include "ingest/target.h"

/* create_stream's parameters, by position */
enum
{
	ARG_NAME,
	ARG_SERVER,
	ARG_TOPICS,
	ARG_TARGET,
	ARG_FORMAT,
	ARG_START,
	ARG_MAX_ROWS,
	ARG_MAX_BYTES,
	ARG_MAX_DELAY,
	ARG_WORKERS,
	ARG_ON_ERROR,
	ARG_MAX_ERRORS,
	ARG_OUT_OF_RANGE,
	ARG_OPTIONS,
	ARG_CONNECT,
	ARG_ENABLED,
	NARGS
};

static const char *const arg_names[NARGS] = {"name",		 "server",	"topics",	"target",
											 "format",		 "start",	"max_rows", "max_bytes",
											 "max_delay",	 "workers", "on_error", "max_errors",
											 "out_of_range", "options", "connect",	"enabled"};

static void
bad_parameter(int arg, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("invalid value for parameter \"%s\" of a stream", arg_names[arg]),
					errhint("%s", hint)));
}

static bool
is_one_of(const char *word, const char *a, const char *b, const char *c)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0 || (c != NULL && strcmp(word, c) == 0);
}

static char *
text_arg(FunctionCallInfo fcinfo, int arg)
{
	return text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

static void
check_words(FunctionCallInfo fcinfo)
{
	char *format = text_arg(fcinfo, ARG_FORMAT);

	if (strcmp(format, "json") == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("stream format \"json\" is not supported yet"),
						errhint("Use format \"csv\".")));
	if (strcmp(format, "csv") != 0)
		bad_parameter(ARG_FORMAT, "It must be csv.");
	if (!is_one_of(text_arg(fcinfo, ARG_ON_ERROR), "dead_letter", "stop", NULL))
		bad_parameter(ARG_ON_ERROR, "It must be dead_letter or stop.");
	if (!is_one_of(text_arg(fcinfo, ARG_OUT_OF_RANGE), "stop", "earliest", "latest"))
		bad_parameter(ARG_OUT_OF_RANGE, "It must be stop, earliest or latest.");
}

static void
check_numbers(FunctionCallInfo fcinfo)
{
	Interval *delay = PG_GETARG_INTERVAL_P(ARG_MAX_DELAY);

	if (!PG_ARGISNULL(ARG_MAX_ROWS) &&
		(PG_GETARG_INT32(ARG_MAX_ROWS) < 1 || PG_GETARG_INT32(ARG_MAX_ROWS) > EC_GROUP_ROWS_MAX))
		bad_parameter(ARG_MAX_ROWS, psprintf("It must be between 1 and %d.", EC_GROUP_ROWS_MAX));
	if (!PG_ARGISNULL(ARG_MAX_BYTES) && PG_GETARG_INT64(ARG_MAX_BYTES) < 1)
		bad_parameter(ARG_MAX_BYTES, "It must be at least 1.");
	if (!PG_ARGISNULL(ARG_MAX_ERRORS) && PG_GETARG_INT64(ARG_MAX_ERRORS) < 0)
		bad_parameter(ARG_MAX_ERRORS, "It must not be negative.");
	if (delay->month != 0 || delay->day < 0 || delay->day > 1 || delay->time < 0 ||
		delay->time > USECS_PER_DAY)
		bad_parameter(ARG_MAX_DELAY, "It must be between 0 and a day.");
	if (PG_GETARG_INT32(ARG_WORKERS) < 1)
		bad_parameter(ARG_WORKERS, "It must be at least 1.");
	if (PG_GETARG_INT32(ARG_WORKERS) > 1)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("a stream with several workers is not supported yet"),
						errhint("Make several streams, each with topics of its own.")));
}

static char **
check_topics(FunctionCallInfo fcinfo, int *n)
{
	Datum *elements;
	bool *nulls;
	char **topics;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_TOPICS), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, n);
	if (*n == 0)
		bad_parameter(ARG_TOPICS, "It must name a topic at least.");
	topics = palloc(sizeof(char *) * *n);
	for (int i = 0; i < *n; i++)
	{
		topics[i] = nulls[i] ? pstrdup("") : TextDatumGetCString(elements[i]);
		if (topics[i][0] == '\0' || strlen(topics[i]) > 249 ||
			strspn(topics[i],
				   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
				strlen(topics[i]))
			bad_parameter(ARG_TOPICS,
						  "Names of topics hold letters, digits, dots, underscores and hyphens.");
		for (int k = 0; k < i; k++)
		{
			if (strcmp(topics[i], topics[k]) == 0)
				bad_parameter(ARG_TOPICS, "A topic is named twice.");
		}
	}
	return topics;
}

static void
check_name(const char *name)
{
	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		bad_parameter(ARG_NAME, psprintf("It must have between 1 and %d bytes.", NAMEDATALEN - 1));
	if (ec_stream_by_name(name) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("stream \"%s\" already exists", name)));
}

static void
no_faults(void *arg, const EcFault *fault)
{
}

/* Errors for whatever would keep a worker from filling the target. */
static void
check_target(Oid relid, const char *options)
{
	Relation rel = ec_target_open(relid, GetUserId(), AccessShareLock, false);
	EcTarget *target = ec_target_plan(rel, options, CurrentMemoryContext, no_faults, NULL);

	ec_target_free(target);
	relation_close(rel, NoLock);
}

static int64
insert_stream(FunctionCallInfo fcinfo, const char *start)
{
	static const Oid types[] = {TEXTOID, OIDOID,  TEXTOID,	TEXTARRAYOID, OIDOID,  TEXTOID,
								TEXTOID, INT4OID, INT8OID,	INTERVALOID,  INT4OID, TEXTOID,
								INT8OID, TEXTOID, JSONBOID, TEXTOID,	  TEXTOID};
	static const int args[] = {ARG_NAME,
							   -1,
							   ARG_SERVER,
							   ARG_TOPICS,
							   ARG_TARGET,
							   ARG_FORMAT,
							   -1,
							   ARG_MAX_ROWS,
							   ARG_MAX_BYTES,
							   ARG_MAX_DELAY,
							   ARG_WORKERS,
							   ARG_ON_ERROR,
							   ARG_MAX_ERRORS,
							   ARG_OUT_OF_RANGE,
							   ARG_OPTIONS,
							   -1,
							   -1};
	Datum values[lengthof(types)];
	char nulls[lengthof(types)];
	EcCatalogScope scope;
	bool isnull;
	int64 id;

	for (int i = 0; i < lengthof(types); i++)
	{
		nulls[i] = args[i] >= 0 && PG_ARGISNULL(args[i]) ? 'n' : ' ';
		values[i] = args[i] >= 0 ? PG_GETARG_DATUM(args[i]) : (Datum) 0;
	}
	values[1] = ObjectIdGetDatum(GetUserId());
	values[6] = CStringGetTextDatum(start);
	values[15] = CStringGetTextDatum(PG_GETARG_BOOL(ARG_ENABLED) ? "enabled" : "paused");
	values[16] = CStringGetTextDatum(ec_stream_home());
	ec_catalog_begin(&scope);
	if (SPI_execute_with_args(
			"INSERT INTO ecinsight.stream (name, owner, server, topics, target, format, start,"
			" max_rows, max_bytes, max_delay, workers, on_error, max_errors, out_of_range,"
			" options, status, home) VALUES"
			" ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
			" RETURNING stream_id",
			lengthof(types), (Oid *) types, values, nulls, false, 0) != SPI_OK_INSERT_RETURNING)
		elog(ERROR, "could not insert a stream");
	id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	ec_catalog_end(&scope);
	return id;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_create_stream);
Datum
ec_create_stream(PG_FUNCTION_ARGS)
{
	char *start;
	char **topics;
	int ntopics;
	ForeignServer *server;
	EcStreamOffset *offsets = NULL;
	int noffsets = 0;
	int64 id;

	for (int i = 0; i < NARGS; i++)
	{
		if (PG_ARGISNULL(i) && i != ARG_MAX_ROWS && i != ARG_MAX_BYTES && i != ARG_MAX_ERRORS)
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("parameter \"%s\" of a stream must not be null", arg_names[i])));
	}
	check_name(text_arg(fcinfo, ARG_NAME));
	check_words(fcinfo);
	check_numbers(fcinfo);
	topics = check_topics(fcinfo, &ntopics);
	start = ec_start_normalize(text_arg(fcinfo, ARG_START));
	server = ec_server_by_name(text_arg(fcinfo, ARG_SERVER));
	ec_server_check_usage(server, GetUserId());
	check_target(PG_GETARG_OID(ARG_TARGET),
				 JsonbToCString(NULL, &PG_GETARG_JSONB_P(ARG_OPTIONS)->root,
								VARSIZE(PG_GETARG_JSONB_P(ARG_OPTIONS))));
	if (PG_GETARG_BOOL(ARG_ENABLED) && !ec_status_available())
		ereport(
			ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("streams cannot run, since ecinsight is not in \"shared_preload_libraries\""),
			 errhint("Add it there and restart the server, or use enabled => false.")));
	if (PG_GETARG_BOOL(ARG_CONNECT))
		offsets =
			ec_connect_offsets(server, GetUserId(), topics, ntopics, start,
							   strcmp(text_arg(fcinfo, ARG_OUT_OF_RANGE), "stop") == 0, &noffsets);
	id = insert_stream(fcinfo, start);
	if (noffsets > 0)
		ec_offsets_insert(id, offsets, noffsets);
	PG_RETURN_VOID();
}

/* The stream, if the caller has its owner's rights. */
static EcStream *
own_stream(const char *name, bool missing_ok)
{
	EcStream *stream = ec_stream_by_name(name);

	if (stream == NULL && !missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("stream \"%s\" does not exist", name)));
	if (stream != NULL && !has_privs_of_role(GetUserId(), stream->owner))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of stream \"%s\"", name)));
	return stream;
}

static void
set_status(FunctionCallInfo fcinfo, const char *status)
{
	EcStream *stream = own_stream(text_arg(fcinfo, 0), false);

	if (strcmp(stream->status, status) != 0 || strcmp(status, "enabled") == 0)
		(void) ec_stream_set_status(stream->id, status, NULL);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_pause_stream);
Datum
ec_pause_stream(PG_FUNCTION_ARGS)
{
	set_status(fcinfo, "paused");
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_stop_stream);
Datum
ec_stop_stream(PG_FUNCTION_ARGS)
{
	set_status(fcinfo, "stopped");
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_resume_stream);
Datum
ec_resume_stream(PG_FUNCTION_ARGS)
{
	set_status(fcinfo, "enabled");
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_drop_stream);
Datum
ec_drop_stream(PG_FUNCTION_ARGS)
{
	char *name = text_arg(fcinfo, 0);
	EcStream *stream = own_stream(name, PG_GETARG_BOOL(1));

	if (stream == NULL)
		ereport(NOTICE, (errmsg("stream \"%s\" does not exist, skipping", name)));
	else
		ec_stream_drop(stream->id);
	PG_RETURN_VOID();
}

/* Fired by every change of ecinsight.stream that concerns launcher or workers. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_stream_changed);
Datum
ec_stream_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("ecinsight.stream_changed() must be called as a trigger")));
	ec_status_notify_at_commit(MyDatabaseId);
	PG_RETURN_POINTER(NULL);
}

/* ---- waiting ---- */

/* Partitions whose saved offset stands before the wanted one. */
static int
count_behind(const EcStreamOffset *wanted, int nwanted, const EcStreamOffset *saved, int nsaved)
{
	int behind = 0;

	for (int i = 0; i < nwanted; i++)
	{
		bool reached = false;

		for (int k = 0; k < nsaved && !reached; k++)
			reached = saved[k].partition == wanted[i].partition &&
					  strcmp(saved[k].topic, wanted[i].topic) == 0 &&
					  saved[k].next_offset >= wanted[i].next_offset;
		behind += !reached;
	}
	return behind;
}

static void
check_still_running(int64 id, const char *name)
{
	EcStream *stream = ec_stream_latest(id);

	if (stream == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("stream \"%s\" was dropped", name)));
	if (strcmp(stream->status, "enabled") != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("stream \"%s\" is not running: it is %s", name, stream->status),
						stream->status_reason == NULL ? 0 : errdetail("%s.", stream->status_reason),
						errhint("Use ecinsight.resume_stream().")));
}

/* Nobody else sees what this transaction did to the stream, so no worker acts on it. */
static void
check_committed(const EcStream *stream)
{
	if (TransactionIdIsCurrentTransactionId(stream->changed_by))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("cannot wait for stream \"%s\" in the transaction that created or "
							   "changed it",
							   stream->name),
						errhint("Commit first: streams take effect at commit.")));
}

static void
report_timeout(const EcStream *stream, int behind)
{
	char error[EC_STREAM_ERROR_LEN] = "";

	if (ec_status_available())
	{
		int i;

		ec_status_lock(false);
		i = ec_status_find(MyDatabaseId, stream->id);
		if (i >= 0 && ec_status_slot(i)->state != EC_STREAM_RUNNING)
			strlcpy(error, ec_status_slot(i)->last_error, sizeof(error));
		ec_status_unlock();
	}
	ereport(ERROR,
			(errcode(ERRCODE_QUERY_CANCELED),
			 errmsg("timeout while waiting for stream \"%s\"", stream->name),
			 error[0] != '\0' ? errdetail("Its worker's last error: %s", error)
							  : errdetail_plural("%d partition is behind.",
												 "%d partitions are behind.", behind, behind),
			 errhint("See the views ecinsight.streams and ecinsight.stream_partitions.")));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_wait_for_stream);
Datum
ec_wait_for_stream(PG_FUNCTION_ARGS)
{
	EcStream *stream = own_stream(text_arg(fcinfo, 0), false);
	TimestampTz deadline = DatumGetTimestampTz(DirectFunctionCall2(
		timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(1)));
	MemoryContext loop =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight wait", ALLOCSET_DEFAULT_SIZES);
	EcStreamOffset *wanted;
	MemoryContext old;
	int nwanted;

	check_still_running(stream->id, stream->name);
	check_committed(stream);
	wanted = ec_connect_offsets(ec_server_by_name(stream->server), stream->owner, stream->topics,
								stream->ntopics, "latest", false, &nwanted);
	old = MemoryContextSwitchTo(loop);
	for (;;)
	{
		EcStreamOffset *saved;
		int nsaved;
		int behind;

		MemoryContextReset(loop);
		saved = ec_offsets_latest(stream->id, &nsaved);
		behind = count_behind(wanted, nwanted, saved, nsaved);
		if (behind == 0)
			break;
		check_still_running(stream->id, stream->name);
		if (GetCurrentTimestamp() >= deadline)
			report_timeout(stream, behind);
		ec_connect_sleep(20);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(loop);
	PG_RETURN_VOID();
}
