/*
 * trends.c
 *	  sales_trend and customer_trend: what happened, and who came, in each bucket of time.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "insight/args.h"
#include "insight/series.h"

#define ARG_BUCKET 1
#define ARG_TZ 2
#define ARG_CATEGORY 3
#define ARG_COMMON 4
#define PEAK_DEVIATIONS 2
#define SMALL_SUM (INT64CONST(1) << 62)
#define MONEY_UNITS 100

PG_FUNCTION_INFO_V1(ec_sales_trend);

/* ---- peaks ---- */

/*
 * A bucket is a peak if its revenue x lies two standard deviations or more above the
 * mean: with n revenues, n x > sum and (n x - sum)^2 >= 4 (n sum of squares - sum^2).
 * Exact: in cents and 128 bits if n times the greatest stays below 2^62 (then every
 * term stays below 2^127), else in numeric.
 */
typedef struct Peaks
{
	int64 n;
	bool is_small;
	int128 sum;		/* cents */
	int128 squares; /* sum of them */
	Numeric numeric_sum;
	Numeric numeric_spread; /* 4 (n sum of squares - sum^2) */
	MemoryContext context;
} Peaks;

static Datum
revenue_of(const EcSeries *series, const EcBucketRow *row)
{
	static const EcPriceSum none = {0};

	return ec_price_total(row->number >= 0 ? &series->measures.revenues[row->number] : &none,
						  series->scale);
}

static Numeric
calculate(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a), NumericGetDatum(b)));
}

static bool
fit_cents(Numeric revenue, int64 n, int64 *cents)
{
	return ec_numeric_to_scaled(NumericGetDatum(revenue), 2, cents) &&
		   *cents<SMALL_SUM / n && * cents> - SMALL_SUM / n;
}

/* Sums in numeric; a row's garbage is freed at once. */
static void
sum_numeric(Peaks *peaks, const EcSeries *series)
{
	MemoryContext scratch =
		AllocSetContextCreate(peaks->context, "ecinsight peaks", ALLOCSET_SMALL_SIZES);
	Numeric n = int64_to_numeric(peaks->n);
	Numeric sum = int64_to_numeric(0);
	Numeric squares = sum;
	Numeric spread;

	for (int64 i = 0; i < series->nrows; i++)
	{
		MemoryContext old;
		Numeric x;
		Numeric square;

		if (series->rows[i].number < 0)
			continue;
		old = MemoryContextSwitchTo(scratch);
		x = DatumGetNumeric(revenue_of(series, &series->rows[i]));
		square = calculate(numeric_mul, x, x);
		MemoryContextSwitchTo(old);
		sum = calculate(numeric_add, sum, x);
		squares = calculate(numeric_add, squares, square);
		MemoryContextReset(scratch);
	}
	spread = calculate(numeric_sub, calculate(numeric_mul, n, squares),
					   calculate(numeric_mul, sum, sum));
	peaks->numeric_sum = sum;
	peaks->numeric_spread =
		calculate(numeric_mul, int64_to_numeric(PEAK_DEVIATIONS * PEAK_DEVIATIONS), spread);
	MemoryContextDelete(scratch);
}

static void
sum_revenues(Peaks *peaks, const EcSeries *series, MemoryContext context)
{
	memset(peaks, 0, sizeof(Peaks));
	peaks->context = context;
	peaks->n = series->nrows;
	peaks->is_small = true;
	for (int64 i = 0; i < series->nrows && peaks->is_small; i++)
	{
		Datum revenue;
		int64 cents;

		if (series->rows[i].number < 0)
			continue;
		revenue = revenue_of(series, &series->rows[i]);
		peaks->is_small = fit_cents(DatumGetNumeric(revenue), peaks->n, &cents);
		if (peaks->is_small)
		{
			peaks->sum += cents;
			peaks->squares += (int128) cents * cents;
		}
		pfree(DatumGetPointer(revenue));
	}
	if (!peaks->is_small)
		sum_numeric(peaks, series);
}

static bool
is_peak(const Peaks *peaks, Numeric revenue)
{
	int64 cents;
	Numeric above;

	if (peaks->is_small)
	{
		int128 distance;

		(void) fit_cents(revenue, peaks->n, &cents);
		distance = (int128) peaks->n * cents - peaks->sum;
		return distance > 0 &&
			   distance * distance >= PEAK_DEVIATIONS * PEAK_DEVIATIONS *
										  (peaks->n * peaks->squares - peaks->sum * peaks->sum);
	}
	above = calculate(numeric_sub, calculate(numeric_mul, int64_to_numeric(peaks->n), revenue),
					  peaks->numeric_sum);
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(above),
											 NumericGetDatum(int64_to_numeric(0)))) > 0 &&
		   DatumGetBool(DirectFunctionCall2(numeric_ge,
											NumericGetDatum(calculate(numeric_mul, above, above)),
											NumericGetDatum(peaks->numeric_spread)));
}

/* ---- sales_trend ---- */

static void
put_sales(const EcSeries *series, const Peaks *peaks, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < series->nrows; i++)
	{
		const EcBucketRow *row = &series->rows[i];
		Datum values[4 + EC_MEASURES_COLUMNS] = {0};
		bool nulls[4 + EC_MEASURES_COLUMNS] = {row->isnull};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);

		values[0] = TimestampTzGetDatum(row->value);
		if (row->number >= 0)
		{
			const int64 *people = series->people[row->number];

			ec_measures_put(&series->measures, row->number, series->scale, values + 1);
			values[6] = Int64GetDatum(people[EC_PEOPLE_USERS]);
			values[7] = Int64GetDatum(people[EC_TYPE_PURCHASE]);
		}
		else
			values[5] = revenue_of(series, row);
		values[8] = BoolGetDatum(is_peak(peaks, DatumGetNumeric(values[5])));
		MemoryContextSwitchTo(old);
		ec_result_put(&result, values, nulls);
	}
}

Datum
ec_sales_trend(PG_FUNCTION_ARGS)
{
	EcArgs args;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight trend", ALLOCSET_DEFAULT_SIZES);
	EcSeries series;
	Peaks peaks;

	ec_args_get(fcinfo, ARG_COMMON, &args);
	if (!PG_ARGISNULL(ARG_CATEGORY))
		args.category = PG_GETARG_TEXT_PP(ARG_CATEGORY);
	ec_buckets_init(&series.buckets, fcinfo, ARG_BUCKET, ARG_TZ, context);
	ec_series_count(&series, &args, true, context);
	sum_revenues(&peaks, &series, context);
	put_sales(&series, &peaks, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
