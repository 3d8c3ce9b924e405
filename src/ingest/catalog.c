/*
 * catalog.c
 *	  The ingest layer's tables; see catalog.h.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "ingest/catalog.h"

#define LETTERS_AT_ONCE 500 /* at most 1 MB each: well below the limit of an array */

#define STREAM_COLUMNS                                                                             \
	"stream_id, name, owner::oid, server, topics, target::oid, start, max_rows, max_bytes,"        \
	" max_delay, on_error, max_errors, out_of_range, options::text, status, status_reason, "       \
	"header, errors, home, created_at, xmin"

void
ec_catalog_begin(EcCatalogScope *scope)
{
	GetUserIdAndSecContext(&scope->user, &scope->sec_context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, scope->sec_context |
													  SECURITY_LOCAL_USERID_CHANGE |
													  SECURITY_NOFORCE_RLS);
	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
ec_catalog_end(EcCatalogScope *scope)
{
	SPI_finish();
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->sec_context);
}

/* Runs a statement whose plan is kept in *plan; inside a scope. */
static void
run(SPIPlanPtr *plan, const char *sql, int nargs, Oid *types, Datum *values, const char *nulls,
	int expected)
{
	int rc;

	if (*plan == NULL)
	{
		*plan = SPI_prepare(sql, nargs, types);
		if (*plan == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
		SPI_keepplan(*plan);
	}
	/* a reader takes the active snapshot as it is: see ec_offsets_latest */
	rc = SPI_execute_plan(*plan, values, nulls, expected == SPI_OK_SELECT, 0);
	if (rc != expected)
		elog(ERROR, "\"%s\" failed: %s", sql, SPI_result_code_string(rc));
}

/* ---- reading ---- */

static Datum
field(HeapTuple tuple, TupleDesc desc, int i, bool *isnull)
{
	return SPI_getbinval(tuple, desc, i, isnull);
}

static char *
text_field(HeapTuple tuple, TupleDesc desc, int i)
{
	bool isnull;
	Datum value = field(tuple, desc, i, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static int64
int64_field(HeapTuple tuple, TupleDesc desc, int i, int64 if_null)
{
	bool isnull;
	Datum value = field(tuple, desc, i, &isnull);

	return isnull ? if_null : DatumGetInt64(value);
}

static char **
text_array_field(HeapTuple tuple, TupleDesc desc, int i, int *n)
{
	bool isnull;
	Datum value = field(tuple, desc, i, &isnull);
	Datum *elements;
	bool *nulls;
	char **result;

	*n = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, n);
	result = palloc0(sizeof(char *) * Max(*n, 1));
	for (int k = 0; k < *n; k++)
		result[k] = nulls[k] ? pstrdup("") : TextDatumGetCString(elements[k]);
	return result;
}

static int64
interval_us(const Interval *i)
{
	return i->time + (i->day + i->month * (int64) DAYS_PER_MONTH) * USECS_PER_DAY;
}

static EcOutOfRange
out_of_range_of(const char *word)
{
	if (strcmp(word, "earliest") == 0)
		return EC_OUT_OF_RANGE_EARLIEST;
	return strcmp(word, "latest") == 0 ? EC_OUT_OF_RANGE_LATEST : EC_OUT_OF_RANGE_STOP;
}

/* Every value is copied into the current context. */
static void
read_stream(HeapTuple tuple, TupleDesc desc, EcStream *s)
{
	bool isnull;
	Datum max_rows;

	s->id = int64_field(tuple, desc, 1, 0);
	s->name = text_field(tuple, desc, 2);
	s->owner = DatumGetObjectId(field(tuple, desc, 3, &isnull));
	s->server = text_field(tuple, desc, 4);
	s->topics = text_array_field(tuple, desc, 5, &s->ntopics);
	s->target = DatumGetObjectId(field(tuple, desc, 6, &isnull));
	s->start = text_field(tuple, desc, 7);
	max_rows = field(tuple, desc, 8, &isnull);
	s->max_rows = isnull ? 0 : DatumGetInt32(max_rows);
	s->max_bytes = int64_field(tuple, desc, 9, 0);
	s->max_delay = interval_us(DatumGetIntervalP(field(tuple, desc, 10, &isnull)));
	s->stop_on_error = strcmp(text_field(tuple, desc, 11), "stop") == 0;
	s->max_errors = int64_field(tuple, desc, 12, -1);
	s->out_of_range = out_of_range_of(text_field(tuple, desc, 13));
	s->options = text_field(tuple, desc, 14);
	s->status = text_field(tuple, desc, 15);
	s->status_reason = text_field(tuple, desc, 16);
	s->header = text_array_field(tuple, desc, 17, &s->nheader);
	s->errors = int64_field(tuple, desc, 18, 0);
	s->home = text_field(tuple, desc, 19);
	s->created_at = int64_field(tuple, desc, 20, 0);
	s->changed_by = DatumGetTransactionId(field(tuple, desc, 21, &isnull));
}

/* Streams found by the last statement, in the given context. */
static EcStream *
read_streams(MemoryContext context, int *n)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	EcStream *streams = palloc0(sizeof(EcStream) * Max(SPI_processed, 1));

	*n = (int) SPI_processed;
	for (int i = 0; i < *n; i++)
		read_stream(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &streams[i]);
	MemoryContextSwitchTo(old);
	return streams;
}

static EcStream *
one_stream(SPIPlanPtr *plan, const char *sql, Oid type, Datum key)
{
	MemoryContext caller = CurrentMemoryContext;
	EcCatalogScope scope;
	EcStream *stream;
	int n;

	ec_catalog_begin(&scope);
	run(plan, sql, 1, &type, &key, NULL, SPI_OK_SELECT);
	stream = read_streams(caller, &n);
	ec_catalog_end(&scope);
	return n == 0 ? NULL : stream;
}

EcStream *
ec_stream_by_id(int64 id)
{
	static SPIPlanPtr plan = NULL;

	return one_stream(&plan, "SELECT " STREAM_COLUMNS " FROM ecinsight.stream WHERE stream_id = $1",
					  INT8OID, Int64GetDatum(id));
}

EcStream *
ec_stream_by_name(const char *name)
{
	static SPIPlanPtr plan = NULL;

	return one_stream(&plan, "SELECT " STREAM_COLUMNS " FROM ecinsight.stream WHERE name = $1",
					  TEXTOID, CStringGetTextDatum(name));
}

EcStream *
ec_streams_enabled(int *n)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext caller = CurrentMemoryContext;
	EcCatalogScope scope;
	EcStream *streams;

	ec_catalog_begin(&scope);
	run(&plan,
		"SELECT " STREAM_COLUMNS
		" FROM ecinsight.stream WHERE status = 'enabled' ORDER BY stream_id",
		0, NULL, NULL, NULL, SPI_OK_SELECT);
	streams = read_streams(caller, n);
	ec_catalog_end(&scope);
	return streams;
}

static EcStreamOffset *
read_offsets(MemoryContext context, int *n)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	EcStreamOffset *offsets = palloc(sizeof(EcStreamOffset) * Max(SPI_processed, 1));

	*n = (int) SPI_processed;
	for (int i = 0; i < *n; i++)
	{
		HeapTuple tuple = SPI_tuptable->vals[i];
		bool isnull;

		offsets[i].topic = text_field(tuple, SPI_tuptable->tupdesc, 1);
		offsets[i].partition = DatumGetInt32(field(tuple, SPI_tuptable->tupdesc, 2, &isnull));
		offsets[i].next_offset = int64_field(tuple, SPI_tuptable->tupdesc, 3, 0);
	}
	MemoryContextSwitchTo(old);
	return offsets;
}

EcStreamOffset *
ec_offsets_load(int64 id, int *n)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext caller = CurrentMemoryContext;
	EcCatalogScope scope;
	Oid type = INT8OID;
	Datum key = Int64GetDatum(id);
	EcStreamOffset *offsets;

	ec_catalog_begin(&scope);
	run(&plan,
		"SELECT topic, partition, next_offset FROM ecinsight.stream_offset WHERE stream_id = $1", 1,
		&type, &key, NULL, SPI_OK_SELECT);
	offsets = read_offsets(caller, n);
	ec_catalog_end(&scope);
	return offsets;
}

/* Readers use the active snapshot, so a fresh one can be put under them even in a repeatable-read transaction. */
EcStreamOffset *
ec_offsets_latest(int64 id, int *n)
{
	EcStreamOffset *offsets;

	PushActiveSnapshot(GetLatestSnapshot());
	offsets = ec_offsets_load(id, n);
	PopActiveSnapshot();
	return offsets;
}

EcStream *
ec_stream_latest(int64 id)
{
	EcStream *stream;

	PushActiveSnapshot(GetLatestSnapshot());
	stream = ec_stream_by_id(id);
	PopActiveSnapshot();
	return stream;
}

/* ---- writing ---- */

bool
ec_stream_set_status(int64 id, const char *status, const char *reason)
{
	static SPIPlanPtr plan = NULL;
	EcCatalogScope scope;
	Oid types[4] = {INT8OID, TEXTOID, TEXTOID, TEXTOID};
	Datum values[4] = {Int64GetDatum(id), CStringGetTextDatum(status),
					   reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason),
					   CStringGetTextDatum(ec_stream_home())};
	bool found;

	ec_catalog_begin(&scope);
	run(&plan,
		"UPDATE ecinsight.stream SET status = $2, status_reason = $3,"
		" errors = CASE $2 WHEN 'enabled' THEN 0 ELSE errors END,"
		" home = CASE $2 WHEN 'enabled' THEN $4 ELSE home END WHERE stream_id = $1",
		4, types, values, reason == NULL ? "  n " : NULL, SPI_OK_UPDATE);
	found = SPI_processed == 1;
	ec_catalog_end(&scope);
	return found;
}

void
ec_stream_drop(int64 id)
{
	static SPIPlanPtr plans[3] = {NULL, NULL, NULL};
	static const char *const sql[3] = {"DELETE FROM ecinsight.stream WHERE stream_id = $1",
									   "DELETE FROM ecinsight.stream_offset WHERE stream_id = $1",
									   "DELETE FROM ecinsight.dead_letter WHERE stream_id = $1"};
	EcCatalogScope scope;
	Oid type = INT8OID;
	Datum key = Int64GetDatum(id);

	ec_catalog_begin(&scope);
	for (int i = 0; i < 3; i++)
		run(&plans[i], sql[i], 1, &type, &key, NULL, SPI_OK_DELETE);
	ec_catalog_end(&scope);
}

static Datum
text_array(const char *const *texts, int n)
{
	Datum *values = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		values[i] = CStringGetTextDatum(texts[i]);
	return PointerGetDatum(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT));
}

void
ec_stream_save_header(int64 id, const char *const *names, int n)
{
	static SPIPlanPtr plan = NULL;
	EcCatalogScope scope;
	Oid types[2] = {INT8OID, TEXTARRAYOID};
	Datum values[2] = {Int64GetDatum(id), text_array(names, n)};

	ec_catalog_begin(&scope);
	run(&plan, "UPDATE ecinsight.stream SET header = $2 WHERE stream_id = $1", 2, types, values,
		NULL, SPI_OK_UPDATE);
	ec_catalog_end(&scope);
}

int64
ec_stream_add_errors(int64 id, int64 n)
{
	static SPIPlanPtr plan = NULL;
	EcCatalogScope scope;
	Oid types[2] = {INT8OID, INT8OID};
	Datum values[2] = {Int64GetDatum(id), Int64GetDatum(n)};
	int64 sum = 0;

	ec_catalog_begin(&scope);
	run(&plan,
		"UPDATE ecinsight.stream SET errors = errors + $2 WHERE stream_id = $1 RETURNING errors", 2,
		types, values, NULL, SPI_OK_UPDATE_RETURNING);
	if (SPI_processed == 1)
		sum = int64_field(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, 0);
	ec_catalog_end(&scope);
	return sum;
}

static Datum
int8_array(const int64 *numbers, int n)
{
	Datum *values = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		values[i] = Int64GetDatum(numbers[i]);
	return PointerGetDatum(construct_array(values, n, INT8OID, 8, true, TYPALIGN_DOUBLE));
}

void
ec_offsets_insert(int64 id, const EcStreamOffset *offsets, int n)
{
	static SPIPlanPtr plan = NULL;
	EcCatalogScope scope;
	Oid types[4] = {INT8OID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID};
	const char **topics = palloc(sizeof(char *) * Max(n, 1));
	int64 *partitions = palloc(sizeof(int64) * Max(n, 1));
	int64 *next = palloc(sizeof(int64) * Max(n, 1));
	Datum values[4];

	for (int i = 0; i < n; i++)
	{
		topics[i] = offsets[i].topic;
		partitions[i] = offsets[i].partition;
		next[i] = offsets[i].next_offset;
	}
	values[0] = Int64GetDatum(id);
	values[1] = text_array(topics, n);
	values[2] = int8_array(partitions, n);
	values[3] = int8_array(next, n);
	ec_catalog_begin(&scope);
	run(&plan,
		"INSERT INTO ecinsight.stream_offset (stream_id, topic, partition, next_offset)"
		" SELECT $1, n.topic, n.partition::int, n.next FROM unnest($2, $3, $4) AS n(topic, "
		"partition, next)",
		4, types, values, NULL, SPI_OK_INSERT);
	ec_catalog_end(&scope);
}

bool
ec_offsets_advance(int64 id, const EcOffsetAdvance *advances, int n)
{
	static SPIPlanPtr plan = NULL;
	EcCatalogScope scope;
	Oid types[8] = {INT8OID,	  TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
					INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID};
	const char **topics = palloc(sizeof(char *) * Max(n, 1));
	int64 *numbers[5];
	Datum *times = palloc(sizeof(Datum) * Max(n, 1));
	bool *no_time = palloc(sizeof(bool) * Max(n, 1));
	int lower = 1;
	Datum values[8];
	bool all;

	for (int k = 0; k < 5; k++)
		numbers[k] = palloc(sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		const EcOffsetAdvance *a = &advances[i];

		topics[i] = a->topic;
		numbers[0][i] = a->partition;
		numbers[1][i] = a->from;
		numbers[2][i] = a->to;
		numbers[3][i] = a->messages;
		numbers[4][i] = a->rows;
		times[i] = TimestampTzGetDatum(a->message_time);
		no_time[i] = a->message_time == 0;
	}
	values[0] = Int64GetDatum(id);
	values[1] = text_array(topics, n);
	for (int k = 0; k < 5; k++)
		values[2 + k] = int8_array(numbers[k], n);
	values[7] = PointerGetDatum(construct_md_array(times, no_time, 1, &n, &lower, TIMESTAMPTZOID, 8,
												   true, TYPALIGN_DOUBLE));
	ec_catalog_begin(&scope);
	run(&plan,
		"UPDATE ecinsight.stream_offset o SET next_offset = n.next, messages = o.messages + "
		"n.messages,"
		" rows = o.rows + n.rows, message_time = coalesce(n.message_time, o.message_time)"
		" FROM unnest($2, $3, $4, $5, $6, $7, $8)"
		" AS n(topic, partition, expected, next, messages, rows, message_time)"
		" WHERE o.stream_id = $1 AND o.topic = n.topic AND o.partition = n.partition::int"
		" AND o.next_offset = n.expected",
		8, types, values, NULL, SPI_OK_UPDATE);
	all = SPI_processed == n;
	ec_catalog_end(&scope);
	return all;
}

static Datum
array_of(Datum *values, bool *nulls, int n, Oid type)
{
	int lower = 1;
	int16 len;
	bool byval;
	char align;

	get_typlenbyvalalign(type, &len, &byval, &align);
	return PointerGetDatum(
		construct_md_array(values, nulls, 1, &n, &lower, type, len, byval, align));
}

static Datum
raw_datum(const EcDeadLetter *d)
{
	bytea *raw = palloc(VARHDRSZ + d->raw_len);

	SET_VARSIZE(raw, VARHDRSZ + d->raw_len);
	memcpy(VARDATA(raw), d->raw, d->raw_len);
	return PointerGetDatum(raw);
}

/* Many at a time, as arrays: one by one they would cost more than the good rows. */
static void
insert_letters(int64 id, TimestampTz received_at, const EcDeadLetter *letters, int n)
{
	static SPIPlanPtr plan = NULL;
	static const Oid element[8] = {TEXTOID, INT4OID, INT8OID,  INT4OID,
								   TEXTOID, TEXTOID, BYTEAOID, INT8OID};
	Oid types[10] = {INT8OID,	   TIMESTAMPTZOID, TEXTARRAYOID, INT4ARRAYOID,	INT8ARRAYOID,
					 INT4ARRAYOID, TEXTARRAYOID,   TEXTARRAYOID, BYTEAARRAYOID, INT8ARRAYOID};
	Datum values[10] = {Int64GetDatum(id), TimestampTzGetDatum(received_at)};
	Datum *columns = palloc(sizeof(Datum) * n * lengthof(element));
	bool *nulls = palloc0(sizeof(bool) * n * lengthof(element));

	for (int i = 0; i < n; i++)
	{
		const EcDeadLetter *d = &letters[i];

		columns[i] = CStringGetTextDatum(d->topic);
		columns[n + i] = Int32GetDatum(d->partition);
		columns[2 * n + i] = Int64GetDatum(d->offset);
		columns[3 * n + i] = Int32GetDatum(d->row);
		nulls[3 * n + i] = d->row == 0;
		columns[4 * n + i] = CStringGetTextDatum(d->reason);
		columns[5 * n + i] = CStringGetTextDatum(d->error);
		nulls[6 * n + i] = nulls[7 * n + i] = d->raw == NULL;
		columns[6 * n + i] = d->raw == NULL ? (Datum) 0 : raw_datum(d);
		columns[7 * n + i] = Int64GetDatum(d->raw_length);
	}
	for (int k = 0; k < lengthof(element); k++)
		values[2 + k] = array_of(columns + k * n, nulls + k * n, n, element[k]);
	run(&plan,
		"INSERT INTO ecinsight.dead_letter (stream_id, received_at, topic, partition, "
		"message_offset, row_number,"
		" reason, error, raw, raw_length)"
		" SELECT $1, $2, n.* FROM unnest($3, $4, $5, $6, $7, $8, $9, $10) AS n",
		10, types, values, NULL, SPI_OK_INSERT);
}

void
ec_dead_letters_insert(int64 id, TimestampTz received_at, const EcDeadLetter *letters, int n)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight letters", ALLOCSET_DEFAULT_SIZES);
	EcCatalogScope scope;
	MemoryContext old;

	ec_catalog_begin(&scope);
	old = MemoryContextSwitchTo(context);
	for (int i = 0; i < n; i += LETTERS_AT_ONCE)
	{
		insert_letters(id, received_at, letters + i, Min(n - i, LETTERS_AT_ONCE));
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	ec_catalog_end(&scope);
	MemoryContextDelete(context);
}

char *
ec_stream_home(void)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
}
