/*
 * start.c
 *	  Where a stream begins to read; see start.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "ingest/start.h"

static void
bad_start(const char *start)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid start \"%s\"", start),
					errhint("It must be earliest, latest, a point in time, or offsets by partition "
							"such as {\"0\": 123}.")));
}

/* The offset that the object gives for a partition; false: none. */
static bool
offset_of(Jsonb *jsonb, int32 partition, int64 *offset)
{
	char key[16];
	JsonbValue buffer;
	JsonbValue *value;

	snprintf(key, sizeof(key), "%d", partition);
	value = getKeyJsonValueFromContainer(&jsonb->root, key, strlen(key), &buffer);
	if (value == NULL || value->type != jbvNumeric)
		return false;
	*offset = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
	/* 1.5 would be rounded */
	return DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(value->val.numeric),
											NumericGetDatum(int64_to_numeric(*offset))));
}

static Jsonb *
parse_offsets(const char *start)
{
	Jsonb *jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(start)));
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue v;

	if (!JB_ROOT_IS_OBJECT(jsonb))
		bad_start(start);
	it = JsonbIteratorInit(&jsonb->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			char *key = pnstrdup(v.val.string.val, v.val.string.len);
			int64 offset;

			if (key[0] == '\0' || strspn(key, "0123456789") != strlen(key) || strlen(key) > 9 ||
				!offset_of(jsonb, atoi(key), &offset) || offset < 0)
				bad_start(start);
		}
	}
	return jsonb;
}

int
ec_start_last_partition(const char *start)
{
	Jsonb *jsonb;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue v;
	int last = -1;

	if (start[0] != '{')
		return -1;
	jsonb = parse_offsets(start);
	it = JsonbIteratorInit(&jsonb->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			last = Max(last, atoi(pnstrdup(v.val.string.val, v.val.string.len)));
	}
	return last;
}

static char *
format_utc(TimestampTz t)
{
	struct pg_tm tm;
	fsec_t fsec;
	char buf[MAXDATELEN + 1];

	if (TIMESTAMP_NOT_FINITE(t) || timestamp2tm(t, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	tm.tm_isdst = 0;
	EncodeDateTime(&tm, fsec, true, 0, NULL, USE_ISO_DATES, buf);
	return pstrdup(buf);
}

static TimestampTz
parse_time(const char *start)
{
	return DatumGetTimestampTz(DirectFunctionCall3(
		timestamptz_in, CStringGetDatum(start), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

char *
ec_start_normalize(const char *start)
{
	if (strcmp(start, "earliest") == 0 || strcmp(start, "latest") == 0)
		return pstrdup(start);
	if (start[0] == '{')
	{
		(void) parse_offsets(start);
		return pstrdup(start);
	}
	if (start[strcspn(start, "0123456789")] == '\0')
		bad_start(start);
	return format_utc(parse_time(start));
}

/* Milliseconds since 1970. */
static int64
kafka_time(TimestampTz t)
{
	return t / 1000 + (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000;
}

EcSourceResult
ec_start_resolve(EcSource *source, const char *start, EcSourcePosition *positions, int n,
				 int timeout_ms)
{
	EcSourceResult result;

	if (strcmp(start, "latest") == 0)
		return source->ops->offsets(source, positions, n, EC_OFFSET_LATEST, timeout_ms);
	if (strcmp(start, "earliest") == 0 || start[0] == '{')
	{
		Jsonb *offsets = start[0] == '{' ? parse_offsets(start) : NULL;

		result = source->ops->offsets(source, positions, n, EC_OFFSET_EARLIEST, timeout_ms);
		for (int i = 0; i < n && offsets != NULL && result == EC_SOURCE_OK; i++)
			(void) offset_of(offsets, positions[i].partition, &positions[i].offset);
		return result;
	}
	result = source->ops->offsets(source, positions, n, kafka_time(parse_time(start)), timeout_ms);
	for (int i = 0; i < n && result == EC_SOURCE_OK; i++)
	{
		/* no message is that young: the end */
		if (positions[i].offset < 0)
			result = source->ops->offsets(source, &positions[i], 1, EC_OFFSET_LATEST, timeout_ms);
	}
	return result;
}
