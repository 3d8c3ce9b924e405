/*
 * segments.c
 *	  customer_scores, customer_segments: customers by recency, frequency and monetary
 *	  value (rfm.h has the counting and the scores).
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/rfm.h"

#define ARG_AS_OF 1
#define ARG_COMMON 2
#define HIGH_VALUE 5

PG_FUNCTION_INFO_V1(ec_customer_scores);
PG_FUNCTION_INFO_V1(ec_customer_segments);

/* Counted, ordered and scored customers of a call. */
static EcRfm *
read_customers(FunctionCallInfo fcinfo, bool ordered, bool with_users, MemoryContext context)
{
	EcRfm *rfm = ec_rfm_create(context, ordered);
	EcArgs args;

	ec_args_get(fcinfo, ARG_COMMON, &args);
	ec_rfm_get_as_of(rfm, fcinfo, ARG_AS_OF);
	ec_rfm_count(rfm, &args, with_users);
	ec_rfm_finish(rfm);
	return rfm;
}

/* ---- customer_scores ---- */

static void
put_customer(EcResult *result, const EcCustomer *customer, int32 scale)
{
	Datum values[10];
	bool nulls[10] = {false};
	MemoryContext old = MemoryContextSwitchTo(result->row_context);

	values[0] = Int64GetDatum(customer->user);
	values[1] =
		Float8GetDatum(customer->forever ? get_float8_infinity() : ec_rfm_days(customer->recency));
	values[2] = Int64GetDatum(customer->frequency);
	values[3] = ec_price_total(&customer->monetary, scale);
	values[4] = Int32GetDatum(customer->r);
	values[5] = Int32GetDatum(customer->f);
	values[6] = Int32GetDatum(customer->m);
	values[7] = CStringGetTextDatum(ec_segment_names[customer->segment]);
	values[8] = BoolGetDatum(customer->frequency > 1);
	values[9] = BoolGetDatum(customer->m == HIGH_VALUE);
	MemoryContextSwitchTo(old);
	ec_result_put(result, values, nulls);
}

Datum
ec_customer_scores(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight customer scores",
												  ALLOCSET_DEFAULT_SIZES);
	EcRfm *rfm = read_customers(fcinfo, true, false, context);
	EcCustomer customer;
	EcResult result;

	ec_result_begin(&result, fcinfo);
	while (ec_rfm_next(rfm, &customer))
		put_customer(&result, &customer, ec_rfm_scale(rfm));
	ec_rfm_destroy(rfm);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}

/* ---- customer_segments ---- */

typedef struct Segment
{
	EcSegment name;
	int64 customers;
	int64 orders;
	bool forever;	/* one of its customers' recency is infinite */
	int128 recency; /* sum */
	EcPriceSum revenue;
	Numeric exact_revenue;
} Segment;

static void
add_customer(Segment *segment, const EcCustomer *customer, MemoryContext context)
{
	segment->customers++;
	segment->orders += customer->frequency;
	segment->forever |= customer->forever;
	segment->recency += customer->recency;
	segment->revenue.sum += customer->monetary.sum;
	if (customer->monetary.odd != NULL)
		ec_price_add_odd(&segment->revenue, customer->monetary.odd->sum, context);
}

/* revenue DESC, segment */
static int
compare_segments(const void *a, const void *b)
{
	const Segment *x = a;
	const Segment *y = b;
	int order = DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(y->exact_revenue),
												  NumericGetDatum(x->exact_revenue)));

	return order != 0 ? order : strcmp(ec_segment_names[x->name], ec_segment_names[y->name]);
}

static void
sum_segments(EcRfm *rfm, Segment segments[EC_SEGMENTS], MemoryContext context)
{
	EcCustomer customer;

	memset(segments, 0, sizeof(Segment) * EC_SEGMENTS);
	for (int i = 0; i < EC_SEGMENTS; i++)
		segments[i].name = i;
	while (ec_rfm_next(rfm, &customer))
		add_customer(&segments[customer.segment], &customer, context);
	segments[EC_SEGMENT_BROWSERS].customers = ec_rfm_browsers(rfm);
	for (int i = 0; i < EC_SEGMENTS; i++)
	{
		EcPriceSum *revenue = &segments[i].revenue;

		/* so that averages are those of customers */
		revenue->n = segments[i].customers - (revenue->odd != NULL ? revenue->odd->n : 0);
		segments[i].exact_revenue = ec_price_sum(revenue, ec_rfm_scale(rfm));
	}
	qsort(segments, EC_SEGMENTS, sizeof(Segment), compare_segments);
}

static Numeric
total_revenue(const Segment segments[EC_SEGMENTS])
{
	Datum total = NumericGetDatum(segments[0].exact_revenue);

	for (int i = 1; i < EC_SEGMENTS; i++)
		total = DirectFunctionCall2(numeric_add, total, NumericGetDatum(segments[i].exact_revenue));
	return DatumGetNumeric(total);
}

static void
put_segment(EcResult *result, const Segment *segment, double total, int32 scale)
{
	double customers = (double) segment->customers;
	bool none = segment->customers == 0 || segment->name == EC_SEGMENT_BROWSERS;
	double revenue = DatumGetFloat8(
		DirectFunctionCall1(numeric_float8, NumericGetDatum(segment->exact_revenue)));
	Datum values[8] = {0};
	bool nulls[8] = {false};
	MemoryContext old = MemoryContextSwitchTo(result->row_context);

	values[0] = CStringGetTextDatum(ec_segment_names[segment->name]);
	values[1] = Int64GetDatum(segment->customers);
	values[2] = Int64GetDatum(segment->orders);
	values[3] = ec_price_total(&segment->revenue, scale);
	nulls[4] = total == 0;
	nulls[5] = nulls[6] = nulls[7] = none;
	if (!nulls[4])
		values[4] = Float8GetDatum(revenue / total);
	if (!none)
	{
		values[5] = Float8GetDatum(segment->forever ? get_float8_infinity()
													: ec_rfm_days(segment->recency) / customers);
		values[6] = Float8GetDatum((double) segment->orders / customers);
		values[7] = ec_price_average(&segment->revenue, scale);
	}
	MemoryContextSwitchTo(old);
	ec_result_put(result, values, nulls);
}

Datum
ec_customer_segments(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "ecinsight customer segments", ALLOCSET_DEFAULT_SIZES);
	EcRfm *rfm = read_customers(fcinfo, false, true, context);
	Segment segments[EC_SEGMENTS];
	EcResult result;
	double total;

	sum_segments(rfm, segments, context);
	total = DatumGetFloat8(
		DirectFunctionCall1(numeric_float8, NumericGetDatum(total_revenue(segments))));
	ec_result_begin(&result, fcinfo);
	for (int i = 0; i < EC_SEGMENTS; i++)
		put_segment(&result, &segments[i], total, ec_rfm_scale(rfm));
	ec_rfm_destroy(rfm);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
