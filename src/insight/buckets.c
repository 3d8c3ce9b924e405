/*
 * buckets.c
 *	  date_trunc(unit, time, zone) for many times, by arithmetic.
 *
 * Between two transitions of the zone the local time is the time plus one offset, so
 * there a bucket is a range of times.  A new bucket's value comes from
 * timestamptz_trunc itself, so odd cases (midnights that are skipped or come twice)
 * are what SQL makes of them: two ranges may be one bucket, and a bucket may start
 * after some of its times.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "insight/args.h"
#include "insight/buckets.h"

#define SEGMENTS 1024	 /* of the cache */
#define SEGMENT_SHIFT 37 /* a cache entry is for times of 2^37 us, 38 hours */
#define LOOK_BACK (2 * SECS_PER_DAY)
#define MONDAY 2 /* 2000-01-03, as a day number that starts with 2000-01-01 */
#define MIN_CAPACITY 64
#define ROWS_BETWEEN_CHECKS 4096

static const char *const units[] = {"hour", "day", "week", "month", NULL};

void
ec_buckets_init(EcBuckets *buckets, FunctionCallInfo fcinfo, int unit_argno, int zone_argno,
				MemoryContext context)
{
	memset(buckets, 0, sizeof(EcBuckets));
	buckets->unit = ec_args_get_word(fcinfo, unit_argno, "bucket", units);
	ec_args_require(fcinfo, zone_argno, "tz");
	buckets->context = context;
	buckets->unit_name = PG_GETARG_DATUM(unit_argno);
	buckets->zone_name = PG_GETARG_DATUM(zone_argno);
	buckets->zone = ec_compat_find_zone(text_to_cstring(PG_GETARG_TEXT_PP(zone_argno)));
	buckets->null_number = -1;
	buckets->capacity = buckets->key_capacity = MIN_CAPACITY;
	buckets->values = MemoryContextAlloc(context, sizeof(TimestampTz) * buckets->capacity);
	buckets->key_numbers = MemoryContextAlloc(context, sizeof(uint32) * buckets->key_capacity);
	buckets->segments = MemoryContextAllocZero(context, sizeof(EcZoneSegment) * SEGMENTS);
	ec_groups_init(&buckets->by_key, context);
	ec_groups_init(&buckets->by_value, context);
}

/* ---- the zone ---- */

static int64
floor_div(int64 a, int64 b)
{
	return a / b - (a % b < 0);
}

static pg_time_t
to_pg_time(TimestampTz time)
{
	return floor_div(time, USECS_PER_SEC) +
		   (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (pg_time_t) SECS_PER_DAY;
}

static TimestampTz
from_pg_time(pg_time_t time)
{
	return (time - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (pg_time_t) SECS_PER_DAY) *
		   USECS_PER_SEC;
}

/* The first transition after a time; false if there is none. */
static bool
next_transition(const pg_tz *zone, pg_time_t time, pg_time_t *transition)
{
	long int before;
	long int after;
	int before_dst;
	int after_dst;

	if (pg_next_dst_boundary(&time, &before, &before_dst, transition, &after, &after_dst, zone) > 0)
		return true;
	time++; /* at the very last transition of its table it sees no further, just after it does */
	return pg_next_dst_boundary(&time, &before, &before_dst, transition, &after, &after_dst, zone) >
		   0;
}

static int64
offset_at(const pg_tz *zone, pg_time_t time)
{
	struct pg_tm *tm = pg_localtime(&time, zone);

	if (tm == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return tm->tm_gmtoff * USECS_PER_SEC;
}

static pg_noinline void
make_segment(const EcBuckets *buckets, TimestampTz time, EcZoneSegment *segment)
{
	pg_time_t at = to_pg_time(time);
	pg_time_t start = at - LOOK_BACK;
	pg_time_t transition;
	bool found;

	while ((found = next_transition(buckets->zone, start, &transition)) && transition <= at)
		start = transition;
	segment->start = from_pg_time(start);
	segment->end = PG_INT64_MAX;
	if (found && transition < to_pg_time(END_TIMESTAMP))
		segment->end = from_pg_time(transition);
	segment->offset = offset_at(buckets->zone, at);
}

/* The segment that holds a time, which is finite. */
static inline const EcZoneSegment *
find_segment(const EcBuckets *buckets, TimestampTz time)
{
	EcZoneSegment *segment = &buckets->segments[(time >> SEGMENT_SHIFT) & (SEGMENTS - 1)];

	if (time < segment->start || time >= segment->end)
		make_segment(buckets, time, segment);
	return segment;
}

bool
ec_buckets_fit(EcBuckets *buckets, int64 min, int64 max, int64 length)
{
	const EcZoneSegment *segment = find_segment(buckets, min);

	if (buckets->unit == EC_BUCKET_HOUR && length > USECS_PER_HOUR)
		return false;
	while (segment->offset % length == 0)
	{
		if (segment->end > max)
			return true;
		if (segment->end % length != 0)
			return false;
		segment = find_segment(buckets, segment->end);
	}
	return false;
}

/* ---- the range of a bucket in local time ---- */

static int64
first_of_month(int64 day, int months)
{
	int year;
	int month;
	int unused;

	j2date((int) (day + POSTGRES_EPOCH_JDATE), &year, &month, &unused);
	month += months;
	return date2j(month > MONTHS_PER_YEAR ? year + 1 : year,
				  month > MONTHS_PER_YEAR ? month - MONTHS_PER_YEAR : month, 1) -
		   POSTGRES_EPOCH_JDATE;
}

/* The bucket that holds a local time: [start, end), local. */
static inline void
find_local_range(EcBucketUnit unit, int64 local, int64 *start, int64 *end)
{
	int64 day;

	if (unit == EC_BUCKET_HOUR)
	{
		*start = floor_div(local, USECS_PER_HOUR) * USECS_PER_HOUR;
		*end = *start + USECS_PER_HOUR;
		return;
	}
	day = floor_div(local, USECS_PER_DAY);
	*end = day + 1;
	if (unit == EC_BUCKET_WEEK)
	{
		day -= (day - MONDAY) - floor_div(day - MONDAY, 7) * 7;
		*end = day + 7;
	}
	else if (unit == EC_BUCKET_MONTH)
	{
		*end = first_of_month(day, 1);
		day = first_of_month(day, 0);
	}
	*start = day * USECS_PER_DAY;
	*end = *end > PG_INT64_MAX / USECS_PER_DAY ? PG_INT64_MAX : *end * USECS_PER_DAY;
}

/* ---- numbers ---- */

static TimestampTz
truncate_time(const EcBuckets *buckets, TimestampTz time)
{
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_trunc_zone, buckets->unit_name,
												   TimestampTzGetDatum(time), buckets->zone_name));
}

/* The number of the bucket with this value, which may be new. */
uint32
ec_buckets_number(EcBuckets *buckets, TimestampTz value, bool isnull)
{
	uint8 null = isnull;
	uint32 minor = 0;
	uint32 number;

	ec_groups_find(&buckets->by_value, 1, &value, &null, &minor, &number);
	if (number < buckets->count)
		return number;
	if (buckets->count == buckets->capacity)
	{
		buckets->capacity *= 2;
		buckets->values =
			repalloc_huge(buckets->values, sizeof(TimestampTz) * (Size) buckets->capacity);
	}
	Assert(number == buckets->count);
	buckets->values[buckets->count++] = value;
	if (isnull)
		buckets->null_number = number;
	return number;
}

static uint32
number_of_key(EcBuckets *buckets, int64 key, TimestampTz time)
{
	uint32 known = buckets->by_key.count;
	uint32 minor = 0;
	uint32 index;

	ec_groups_find(&buckets->by_key, 1, &key, NULL, &minor, &index);
	if (index < known)
		return buckets->key_numbers[index];
	if (index >= buckets->key_capacity)
	{
		buckets->key_capacity *= 2;
		buckets->key_numbers =
			repalloc_huge(buckets->key_numbers, sizeof(uint32) * (Size) buckets->key_capacity);
	}
	buckets->key_numbers[index] = ec_buckets_number(buckets, truncate_time(buckets, time), false);
	return buckets->key_numbers[index];
}

/* Makes the bucket of a finite time the current one. */
static pg_noinline void
set_current(EcBuckets *buckets, TimestampTz time)
{
	const EcZoneSegment *segment = find_segment(buckets, time);
	int64 start;
	int64 end;
	bool is_hour = buckets->unit == EC_BUCKET_HOUR; /* the hour that comes twice is two buckets */

	find_local_range(buckets->unit, time + segment->offset, &start, &end);
	buckets->current_start = buckets->current_end = 0; /* should an error interrupt us */
	buckets->current = number_of_key(buckets, is_hour ? start - segment->offset : start, time);
	buckets->current_start = Max(start - segment->offset, segment->start);
	buckets->current_end = end == PG_INT64_MAX ? DT_NOEND : end - segment->offset;
	buckets->current_end = Min(buckets->current_end, segment->end);
}

static inline uint32
number_of_time(EcBuckets *buckets, TimestampTz time)
{
	if (unlikely(time < buckets->current_start || time >= buckets->current_end))
	{
		if (TIMESTAMP_NOT_FINITE(time))
			return ec_buckets_number(buckets, time, false);
		set_current(buckets, time);
	}
	return buckets->current;
}

void
ec_buckets_find(EcBuckets *buckets, uint32 n, const int64 *times, const uint8 *nulls,
				uint32 *numbers)
{
	if (nulls == NULL)
	{
		for (uint32 i = 0; i < n; i++)
			numbers[i] = number_of_time(buckets, times[i]);
		return;
	}
	for (uint32 i = 0; i < n; i++)
		numbers[i] =
			nulls[i] ? ec_buckets_number(buckets, 0, true) : number_of_time(buckets, times[i]);
}

/* ---- order ---- */

/* The value of the bucket whose local days start with this one. */
static TimestampTz
value_of_day(const EcBuckets *buckets, int64 day)
{
	struct pg_tm tm;
	Timestamp value;
	int zone;

	memset(&tm, 0, sizeof(tm));
	j2date((int) (day + POSTGRES_EPOCH_JDATE), &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	zone = DetermineTimeZoneOffset(&tm, buckets->zone);
	if (tm2timestamp(&tm, 0, &zone, &value) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return value;
}

TimestampTz
ec_buckets_next(EcBuckets *buckets, TimestampTz value)
{
	TimestampTz next = value;
	int64 local = value + find_segment(buckets, value)->offset;

	for (int step = 1; next <= value;
		 step++) /* a day that the zone left out has its neighbour's value */
	{
		int64 start;
		int64 end;

		if (buckets->unit == EC_BUCKET_HOUR)
		{
			next = truncate_time(buckets, value + step * USECS_PER_HOUR);
			continue;
		}
		find_local_range(buckets->unit, local, &start, &end);
		next = value_of_day(buckets, end / USECS_PER_DAY);
		local = end;
	}
	return next;
}

static int
compare_rows(const void *a, const void *b)
{
	const EcBucketRow *x = a;
	const EcBucketRow *y = b;

	if (x->isnull != y->isnull)
		return x->isnull ? 1 : -1;
	return (x->value > y->value) - (x->value < y->value);
}

typedef struct RowList
{
	EcBucketRow *rows;
	int64 n;
	int64 capacity;
} RowList;

static void
append_row(RowList *list, const EcBucketRow *row)
{
	if (list->n == EC_BUCKETS_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("more than %d buckets lie between the first and the last event",
							   EC_BUCKETS_MAX),
						errhint("Use greater buckets, or a time range (since, until).")));
	if (list->n % ROWS_BETWEEN_CHECKS == 0)
		CHECK_FOR_INTERRUPTS();
	if (list->n == list->capacity)
	{
		list->capacity *= 2;
		list->rows = repalloc_huge(list->rows, sizeof(EcBucketRow) * list->capacity);
	}
	list->rows[list->n++] = *row;
}

/* The empty buckets between a row and the next. */
static void
append_empty(EcBuckets *buckets, RowList *list, const EcBucketRow *row, const EcBucketRow *next)
{
	EcBucketRow empty = {row->value, false, -1};

	if (row->value == DT_NOBEGIN || next->isnull || next->value == DT_NOEND)
		return;
	for (;;)
	{
		empty.value = ec_buckets_next(buckets, empty.value);
		if (empty.value >= next->value)
			return;
		append_row(list, &empty);
	}
}

EcBucketRow *
ec_buckets_order(EcBuckets *buckets, bool fill, const bool *dropped, int64 *n)
{
	Size size = sizeof(EcBucketRow) * (Size) Max(buckets->count, 1);
	EcBucketRow *present = MemoryContextAllocHuge(buckets->context, size);
	RowList list = {MemoryContextAllocHuge(buckets->context, size), 0, Max(buckets->count, 1)};
	uint32 count = 0;

	for (uint32 i = 0; i < buckets->count; i++)
	{
		if (dropped != NULL && dropped[i])
			continue;
		present[count].value = buckets->values[i];
		present[count].isnull = i == buckets->null_number;
		present[count++].number = i;
	}
	qsort(present, count, sizeof(EcBucketRow), compare_rows);
	for (uint32 i = 0; i < count; i++)
	{
		append_row(&list, &present[i]);
		if (fill && i + 1 < count)
			append_empty(buckets, &list, &present[i], &present[i + 1]);
	}
	pfree(present);
	*n = list.n;
	return list.rows;
}
