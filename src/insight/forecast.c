/*
 * forecast.c
 *	  sales_forecast: a measure's next buckets, by additive exponential smoothing.
 *
 * The history is what sales_trend shows, without the rows for NULL and infinity; of a
 * long one the last HISTORY_MAX buckets.  Days have a season of a week, hours of a day,
 * if there are two seasons of history; others have none.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/series.h"
#include "insight/smoothing.h"

#define ARG_BUCKET 1
#define ARG_HORIZON 2
#define ARG_MEASURE 3
#define ARG_TZ 4
#define ARG_LEVEL 5
#define ARG_COMMON 6
#define COLUMNS 4
#define HORIZON_MAX 10000
#define HISTORY_MAX 4096
#define HISTORY_MIN 3 /* fewer values are continued by their mean */
#define BISECTIONS 100
#define QUANTILE_MAX 40.0

PG_FUNCTION_INFO_V1(ec_sales_forecast);

typedef enum ForecastMeasure
{
	REVENUE,
	INTERACTIONS,
	VIEWS,
	CARTS,
	PURCHASES,
	USERS,
	BUYERS
} ForecastMeasure;

static const char *const measure_names[] = {"revenue",	 "interactions", "views",  "carts",
											"purchases", "users",		 "buyers", NULL};

typedef struct Forecast
{
	int64 n; /* values of the history */
	double *values;
	TimestampTz last; /* bucket of the last */
	bool is_flat;
	double mean; /* if flat */
	EcSmoothing model;
} Forecast;

static double
value_of(const EcSeries *series, int64 number, ForecastMeasure measure)
{
	if (number < 0)
		return 0;
	switch (measure)
	{
		case REVENUE:
			return ec_price_double(&series->measures.revenues[number], series->scale);
		case INTERACTIONS:
			return (double) ec_measures_interactions(&series->measures, number);
		case VIEWS:
			return (double) series->measures.counts[number][EC_TYPE_VIEW];
		case CARTS:
			return (double) series->measures.counts[number][EC_TYPE_CART];
		case PURCHASES:
			return (double) series->measures.counts[number][EC_TYPE_PURCHASE];
		case USERS:
			return (double) series->people[number][EC_PEOPLE_USERS];
		case BUYERS:
			return (double) series->people[number][EC_TYPE_PURCHASE];
	}
	return 0;
}

static void
take_history(Forecast *forecast, const EcSeries *series, ForecastMeasure measure,
			 MemoryContext context)
{
	int64 first = 0;
	int64 end = series->nrows;

	while (first < end && series->rows[first].value == DT_NOBEGIN && !series->rows[first].isnull)
		first++;
	while (end > first && (series->rows[end - 1].isnull || series->rows[end - 1].value == DT_NOEND))
		end--;
	forecast->n = Min(end - first, HISTORY_MAX);
	forecast->values = MemoryContextAlloc(context, sizeof(double) * Max(forecast->n, 1));
	for (int64 i = 0; i < forecast->n; i++)
		forecast->values[i] = value_of(series, series->rows[end - forecast->n + i].number, measure);
	if (forecast->n > 0)
		forecast->last = series->rows[end - 1].value;
}

static int
season_of(EcBucketUnit unit, int64 n)
{
	int season = unit == EC_BUCKET_HOUR ? 24 : unit == EC_BUCKET_DAY ? 7 : 1;

	return n >= 2 * season ? season : 1;
}

static void
fit(Forecast *forecast, EcBucketUnit unit)
{
	const EcSmoothing *model = &forecast->model;

	forecast->is_flat = forecast->n < HISTORY_MIN;
	if (forecast->is_flat)
	{
		forecast->mean = 0;
		for (int64 i = 0; i < forecast->n; i++)
			forecast->mean += forecast->values[i] / forecast->n;
		return;
	}
	ec_smoothing_fit(&forecast->model, forecast->values, forecast->n, season_of(unit, forecast->n));
	ereport(DEBUG1, (errmsg_internal("sales_forecast: %lld values, season %d, alpha %.17g, "
									 "beta %.17g, gamma %.17g, sum of squared errors %.17g",
									 (long long) forecast->n, model->season, model->alpha,
									 model->beta, model->gamma, model->sse)));
}

/* How many standard deviations around the mean hold this share of a normal distribution. */
static double
normal_quantile(double level)
{
	double low = 0;
	double high = QUANTILE_MAX;

	for (int i = 0; i < BISECTIONS; i++)
	{
		double middle = (low + high) / 2;

		if (erfc(middle / M_SQRT2) > 1 - level)
			low = middle;
		else
			high = middle;
	}
	return high;
}

static void
put_rows(const Forecast *forecast, EcBuckets *buckets, int32 horizon, double level,
		 FunctionCallInfo fcinfo)
{
	const EcSmoothing *model = &forecast->model;
	int64 freedom = forecast->is_flat ? 0 : forecast->n - model->nparameters;
	double *factors = palloc0(sizeof(double) * horizon);
	double quantile = normal_quantile(level);
	TimestampTz bucket = forecast->last;
	EcResult result;

	ec_result_begin(&result, fcinfo);
	if (!forecast->is_flat)
		ec_smoothing_variances(model, horizon, factors);
	for (int32 h = 1; h <= horizon && forecast->n > 0; h++)
	{
		double value = forecast->is_flat ? forecast->mean : ec_smoothing_forecast(model, h);
		double reach = freedom > 0 ? quantile * sqrt(model->sse / freedom * factors[h - 1]) : 0;
		Datum values[COLUMNS];
		bool nulls[COLUMNS] = {false, false, freedom < 1, freedom < 1};

		bucket = ec_buckets_next(buckets, bucket);
		values[0] = TimestampTzGetDatum(bucket);
		values[1] = Float8GetDatum(value);
		values[2] = Float8GetDatum(value - reach);
		values[3] = Float8GetDatum(value + reach);
		ec_result_put(&result, values, nulls);
	}
}

static double
get_level(FunctionCallInfo fcinfo)
{
	double level;

	ec_args_require(fcinfo, ARG_LEVEL, "level");
	level = PG_GETARG_FLOAT8(ARG_LEVEL);
	if (!(level > 0 && level < 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("level must be greater than 0 and less than 1")));
	return level;
}

Datum
ec_sales_forecast(PG_FUNCTION_ARGS)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight forecast", ALLOCSET_DEFAULT_SIZES);
	int32 horizon = ec_args_get_int(fcinfo, ARG_HORIZON, "horizon", 1, HORIZON_MAX);
	ForecastMeasure measure = ec_args_get_word(fcinfo, ARG_MEASURE, "measure", measure_names);
	double level = get_level(fcinfo);
	EcArgs args;
	EcSeries series;
	Forecast forecast = {0};

	ec_args_get(fcinfo, ARG_COMMON, &args);
	ec_buckets_init(&series.buckets, fcinfo, ARG_BUCKET, ARG_TZ, context);
	ec_series_count(&series, &args, measure == USERS || measure == BUYERS, context);
	take_history(&forecast, &series, measure, context);
	fit(&forecast, series.buckets.unit);
	put_rows(&forecast, &series.buckets, horizon, level, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
