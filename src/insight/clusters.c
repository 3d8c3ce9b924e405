/*
 * clusters.c
 *	  customer_clusters: customers of similar recency, frequency and monetary value.
 *
 * A customer is the point of the logarithms log(1 + x) of the three (of the negative,
 * with its sign, if monetary is negative), each shifted and scaled to mean 0 and variance
 * 1 over all customers.  If the points fit a share of the memory allowed they are kept,
 * else made anew from the sorted customers in each round.
 *
 * Customers whose last purchase was at -infinity are in no cluster.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "executor/nodeHash.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/kmeans.h"
#include "insight/rfm.h"

#define ARG_CLUSTERS 1
#define ARG_SEED 2
#define ARG_AS_OF 3
#define ARG_COMMON 4

#define SHARE 0.3
#define MIN_MEMORY ((Size) 1024 * 1024)

PG_FUNCTION_INFO_V1(ec_customer_clusters);

typedef struct Clusters
{
	MemoryContext context;
	EcRfm *rfm;
	double unit; /* of monetary: 10 ^ scale */
	int64 n;	 /* customers that have a point */
	EcPoint mean;
	EcPoint deviation; /* 1 for a dimension without any */
	EcPoint *points;   /* [n], NULL: they don't fit */
	int64 at;		   /* of the point to read next */
	int k;
	EcPoint *centres;
	int *numbers; /* of the clusters, by centre */
} Clusters;

static double
monetary_value(const Clusters *state, const EcCustomer *customer)
{
	MemoryContext scratch;
	double value = (double) customer->monetary.sum / state->unit;

	if (customer->monetary.odd == NULL)
		return value;
	scratch = AllocSetContextCreate(CurrentMemoryContext, "ecinsight sum", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(scratch);
	value = DatumGetFloat8(DirectFunctionCall1(
		numeric_float8,
		NumericGetDatum(ec_price_sum(&customer->monetary, ec_rfm_scale(state->rfm)))));
	MemoryContextSwitchTo(MemoryContextGetParent(scratch));
	MemoryContextDelete(scratch);
	return value;
}

static void
set_point(const Clusters *state, const EcCustomer *customer, EcPoint *point)
{
	double monetary = monetary_value(state, customer);

	point->x[0] = log1p(ec_rfm_days(customer->recency));
	point->x[1] = log1p((double) customer->frequency);
	point->x[2] = copysign(log1p(fabs(monetary)), monetary);
}

/* The next customer that has a point. */
static bool
next_point(Clusters *state, EcPoint *point)
{
	EcCustomer customer;

	do
	{
		if (!ec_rfm_next(state->rfm, &customer))
			return false;
	} while (customer.forever);
	set_point(state, &customer, point);
	return true;
}

static void
standardise(const Clusters *state, EcPoint *point)
{
	for (int d = 0; d < EC_KMEANS_DIMENSIONS; d++)
		point->x[d] = (point->x[d] - state->mean.x[d]) / state->deviation.x[d];
}

/* Means, and then the mean squared deviations from them. */
static void
find_moments(Clusters *state)
{
	EcPoint sum = {{0}};
	EcPoint squares = {{0}};
	EcPoint point;

	for (state->n = 0; next_point(state, &point); state->n++)
	{
		for (int d = 0; d < EC_KMEANS_DIMENSIONS; d++)
			sum.x[d] += point.x[d];
	}
	for (int d = 0; d < EC_KMEANS_DIMENSIONS && state->n > 0; d++)
		state->mean.x[d] = sum.x[d] / (double) state->n;
	while (next_point(state, &point))
	{
		for (int d = 0; d < EC_KMEANS_DIMENSIONS; d++)
			squares.x[d] += (point.x[d] - state->mean.x[d]) * (point.x[d] - state->mean.x[d]);
	}
	for (int d = 0; d < EC_KMEANS_DIMENSIONS; d++)
	{
		state->deviation.x[d] = state->n > 0 ? sqrt(squares.x[d] / (double) state->n) : 0;
		/* rounding makes a little of nothing */
		if (state->deviation.x[d] <= DBL_EPSILON * 16 * fabs(state->mean.x[d]))
			state->deviation.x[d] = 1;
	}
}

static void
keep_points(Clusters *state)
{
	Size memory = Max((Size) (get_hash_memory_limit() * SHARE), MIN_MEMORY);
	int64 n = 0;

	if (state->n > memory / sizeof(EcPoint))
		return;
	state->points =
		MemoryContextAllocHuge(state->context, sizeof(EcPoint) * Max((Size) state->n, 1));
	while (next_point(state, &state->points[n]))
		standardise(state, &state->points[n++]);
}

/* An EcPointReader. */
static bool
read_point(EcPoint *point, void *arg)
{
	Clusters *state = arg;

	if (state->points == NULL)
	{
		if (!next_point(state, point))
			return false;
		standardise(state, point);
		return true;
	}
	if (state->at == state->n)
	{
		state->at = 0;
		return false;
	}
	*point = state->points[state->at++];
	return true;
}

/* A customer's centre, -1 if none. */
static int
centre_of(const Clusters *state, const EcCustomer *customer)
{
	EcPoint point;

	if (customer->forever)
		return -1;
	set_point(state, customer, &point);
	standardise(state, &point);
	return ec_kmeans_nearest(&point, state->centres, state->k);
}

typedef struct Cluster
{
	int centre;
	EcPriceSum monetary;
} Cluster;

/* mean monetary DESC; a tie by the order of the centres */
static int
compare_clusters(const void *a, const void *b, void *arg)
{
	const Clusters *state = arg;
	const Cluster *x = a;
	const Cluster *y = b;
	int order = ec_price_compare_averages(&y->monetary, &x->monetary, ec_rfm_scale(state->rfm));

	return order != 0 ? order : x->centre - y->centre;
}

/* Numbers the clusters from 1 on. */
static void
number_clusters(Clusters *state)
{
	Cluster *clusters = MemoryContextAllocZero(state->context, sizeof(Cluster) * Max(state->k, 1));
	EcCustomer customer;

	for (int c = 0; c < state->k; c++)
		clusters[c].centre = c;
	while (ec_rfm_next(state->rfm, &customer))
	{
		int centre = centre_of(state, &customer);
		EcPriceSum *sum;

		if (centre < 0)
			continue;
		sum = &clusters[centre].monetary;
		sum->n++;
		sum->sum += customer.monetary.sum;
		if (customer.monetary.odd != NULL)
		{
			ec_price_add_odd(sum, customer.monetary.odd->sum, state->context);
			sum->n--; /* counted as odd */
		}
	}
	qsort_arg(clusters, state->k, sizeof(Cluster), compare_clusters, state);
	state->numbers = MemoryContextAlloc(state->context, sizeof(int) * Max(state->k, 1));
	for (int i = 0; i < state->k; i++)
		state->numbers[clusters[i].centre] = i + 1;
}

static void
put_rows(Clusters *state, FunctionCallInfo fcinfo)
{
	EcCustomer customer;
	EcResult result;

	ec_result_begin(&result, fcinfo);
	while (ec_rfm_next(state->rfm, &customer))
	{
		int centre = centre_of(state, &customer);
		Datum values[5] = {0};
		bool nulls[5] = {false};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);

		values[0] = Int64GetDatum(customer.user);
		nulls[1] = centre < 0;
		if (centre >= 0)
			values[1] = Int32GetDatum(state->numbers[centre]);
		values[2] = Float8GetDatum(customer.forever ? get_float8_infinity()
													: ec_rfm_days(customer.recency));
		values[3] = Int64GetDatum(customer.frequency);
		values[4] = ec_price_total(&customer.monetary, ec_rfm_scale(state->rfm));
		MemoryContextSwitchTo(old);
		ec_result_put(&result, values, nulls);
	}
}

Datum
ec_customer_clusters(PG_FUNCTION_ARGS)
{
	EcArgs args;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight clusters", ALLOCSET_DEFAULT_SIZES);
	Clusters *state = MemoryContextAllocZero(context, sizeof(Clusters));
	int wanted;
	int seed;

	ec_args_get(fcinfo, ARG_COMMON, &args);
	wanted = ec_args_get_int(fcinfo, ARG_CLUSTERS, "clusters", 1, EC_KMEANS_CLUSTERS_MAX);
	ec_args_require(fcinfo, ARG_SEED, "seed");
	seed = PG_GETARG_INT32(ARG_SEED);
	state->context = context;
	state->rfm = ec_rfm_create(context, true);
	ec_rfm_get_as_of(state->rfm, fcinfo, ARG_AS_OF);
	ec_rfm_count(state->rfm, &args, false);
	ec_rfm_finish(state->rfm);
	state->unit = pow(10, ec_rfm_scale(state->rfm));
	find_moments(state);
	keep_points(state);
	state->centres = MemoryContextAlloc(context, sizeof(EcPoint) * wanted);
	state->k = ec_kmeans(read_point, state, state->n, wanted, (uint64) (int64) seed, state->centres,
						 context);
	number_clusters(state);
	put_rows(state, fcinfo);
	ec_rfm_destroy(state->rfm);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
