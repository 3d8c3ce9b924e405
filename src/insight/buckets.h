/*
 * buckets.h
 *	  Times to buckets: hours, days, weeks and months of a time zone.
 *
 * A time's bucket is date_trunc(unit, time, zone), which every new bucket is made
 * with; from then on a row costs two comparisons if its time lies in the same bucket
 * as the row before, else some arithmetic and a look-up.  Buckets are numbered
 * 0, 1, 2 ... in order of appearance; NULL and the infinities are buckets as well.
 */
#ifndef EC_BUCKETS_H
#define EC_BUCKETS_H

#include "postgres.h"

#include "fmgr.h"
#include "pgtime.h"
#include "utils/timestamp.h"

#include "insight/groups.h"

typedef enum EcBucketUnit
{
	EC_BUCKET_HOUR,
	EC_BUCKET_DAY,
	EC_BUCKET_WEEK,
	EC_BUCKET_MONTH
} EcBucketUnit;

/* A stretch of time in which the zone keeps one offset, remembered. */
typedef struct EcZoneSegment
{
	int64 start; /* inclusive */
	int64 end;	 /* exclusive */
	int64 offset;
} EcZoneSegment;

typedef struct EcBuckets
{
	EcBucketUnit unit;
	pg_tz *zone;
	Datum unit_name; /* text */
	Datum zone_name; /* text */
	MemoryContext context;

	/* values of the buckets, by number; that of NULL is meaningless */
	TimestampTz *values;
	uint32 count;
	uint32 capacity;
	int64 null_number; /* the bucket of NULL, or -1 */

	/* the rest is buckets.c's own */
	EcGroups by_key;	 /* local start (hour: in UTC) to a number that by_key gives */
	EcGroups by_value;	 /* bucket's value to its number */
	uint32 *key_numbers; /* by number in by_key: the bucket's number */
	uint32 key_capacity;
	int64 current_start; /* times in [start, end) have bucket current */
	int64 current_end;
	uint32 current;
	EcZoneSegment *segments; /* a cache, by time */
} EcBuckets;

/*
 * From two text parameters: bucket (hour, day, week, month) and the time zone.
 * Errors: 22004 for NULL, 22023 for what isn't one.
 */
extern void ec_buckets_init(EcBuckets *buckets, FunctionCallInfo fcinfo, int unit_argno,
							int zone_argno, MemoryContext context);

/* numbers[i] of times[i], or of NULL where nulls (may be NULL) says so. */
extern void ec_buckets_find(EcBuckets *buckets, uint32 n, const int64 *times, const uint8 *nulls,
							uint32 *numbers);

/* The number of the bucket with this value. */
extern uint32 ec_buckets_number(EcBuckets *buckets, TimestampTz value, bool isnull);

/* The start of the bucket that follows the one that starts at value (finite). */
extern TimestampTz ec_buckets_next(EcBuckets *buckets, TimestampTz value);

/* A row of a result by buckets: -infinity, the finite ones in order, infinity, NULL. */
typedef struct EcBucketRow
{
	TimestampTz value;
	bool isnull;
	int64 number; /* -1: an empty bucket, filled in */
} EcBucketRow;

/*
 * All buckets in order, with empty ones between the first and the last finite one if
 * fill.  dropped (may be NULL) tells by number which to leave out.  Error 54000 if
 * there are more than EC_BUCKETS_MAX.
 */
#define EC_BUCKETS_MAX 10000000
extern EcBucketRow *ec_buckets_order(EcBuckets *buckets, bool fill, const bool *dropped, int64 *n);

/*
 * Do all buckets between two finite times start and end at multiples of length (an hour,
 * a day: microseconds) since 2000, UTC?
 */
extern bool ec_buckets_fit(EcBuckets *buckets, int64 min, int64 max, int64 length);

#endif /* EC_BUCKETS_H */
