/*
 * price.c
 *	  Exact sums, averages and extremes of prices.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "insight/price.h"
#include "vector/coltype.h"

#define MONEY_DECIMALS 2
#define AVERAGE_DECIMALS 6
#define AVERAGE_UNIT 1000000 /* 10 ^ AVERAGE_DECIMALS */

static Numeric
add(Numeric a, Numeric b)
{
	return DatumGetNumeric(
		DirectFunctionCall2(numeric_add, NumericGetDatum(a), NumericGetDatum(b)));
}

static Numeric
multiply(Numeric a, Numeric b)
{
	return DatumGetNumeric(
		DirectFunctionCall2(numeric_mul, NumericGetDatum(a), NumericGetDatum(b)));
}

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

static Datum
round_to(Numeric value, int32 decimals)
{
	return DirectFunctionCall2(numeric_round, NumericGetDatum(value), Int32GetDatum(decimals));
}

static Numeric
from_scaled(int64 value, int32 scale)
{
	return DatumGetNumeric(ec_numeric_from_scaled(value, scale));
}

/* value / 10^scale, by its decimal digits; also for PG_INT64_MAX, which from_scaled takes for NaN */
static Numeric
from_scaled_128(int128 value, int32 scale)
{
	char digits[64]; /* 39 digits, sign, and an exponent */
	char *at = digits + sizeof(digits);
	bool negative = value < 0;
	unsigned __int128 rest = negative ? -(unsigned __int128) value : (unsigned __int128) value;

	if (value >= PG_INT64_MIN && value < PG_INT64_MAX)
		return from_scaled((int64) value, scale);
	at -= 8;
	snprintf(at, 8, "e-%d", scale);
	do
	{
		*--at = '0' + (int) (rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (negative)
		*--at = '-';
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(at),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static Numeric
copy_numeric(Numeric value, MemoryContext context)
{
	Numeric copy = MemoryContextAlloc(context, VARSIZE(value));

	memcpy(copy, value, VARSIZE(value));
	return copy;
}

/* Replaces a numeric of context by a copy of another. */
static void
replace_numeric(Numeric *place, Numeric value, MemoryContext context)
{
	Numeric old = *place;

	*place = copy_numeric(value, context);
	pfree(old);
}

static void
combine_odd(EcOddPrices **into, const EcOddPrices *from, MemoryContext context)
{
	EcOddPrices *odd = *into;
	Numeric sum;

	if (from == NULL)
		return;
	if (odd == NULL)
	{
		odd = *into = MemoryContextAlloc(context, sizeof(EcOddPrices));
		odd->n = from->n;
		odd->sum = copy_numeric(from->sum, context);
		odd->min = copy_numeric(from->min, context);
		odd->max = copy_numeric(from->max, context);
		return;
	}
	sum = add(odd->sum, from->sum);
	replace_numeric(&odd->sum, sum, context);
	pfree(sum);
	odd->n += from->n;
	if (compare(from->min, odd->min) < 0)
		replace_numeric(&odd->min, from->min, context);
	if (compare(from->max, odd->max) > 0)
		replace_numeric(&odd->max, from->max, context);
}

void
ec_price_add_odd(EcPriceSum *price, Numeric value, MemoryContext context)
{
	EcOddPrices one = {1, value, value, value};

	combine_odd(&price->odd, &one, context);
}

void
ec_price_add_odd_times(EcPriceSum *price, Numeric value, int64 n, MemoryContext context)
{
	Numeric sum = multiply(value, from_scaled(n, 0));
	EcOddPrices prices = {n, sum, value, value};

	combine_odd(&price->odd, &prices, context);
	pfree(sum);
}

int64
ec_price_count(const EcPriceSum *price)
{
	return price->n + (price->odd != NULL ? price->odd->n : 0);
}

Numeric
ec_price_sum(const EcPriceSum *price, int32 scale)
{
	Numeric sum = from_scaled_128(price->sum, scale);

	return price->odd != NULL ? add(sum, price->odd->sum) : sum;
}

Datum
ec_price_total(const EcPriceSum *price, int32 scale)
{
	return round_to(ec_price_sum(price, scale), MONEY_DECIMALS);
}

/*
 * Rounds the exact quotient once: trunc((2 |sum| 10^6 + n) / 2n), an integer, is
 * |average| 10^6 rounded half up.  (numeric's own division rounds to its scale first.)
 */
Datum
ec_price_per(const EcPriceSum *price, int32 scale, int64 n)
{
	Numeric sum = ec_price_sum(price, scale);
	bool negative = compare(sum, from_scaled(0, 0)) < 0;
	Numeric magnitude;
	Numeric rounded;

	sum = DatumGetNumeric(DirectFunctionCall1(numeric_abs, NumericGetDatum(sum)));
	magnitude = add(multiply(sum, from_scaled(2 * AVERAGE_UNIT, 0)), from_scaled(n, 0));
	rounded = DatumGetNumeric(DirectFunctionCall2(numeric_div_trunc, NumericGetDatum(magnitude),
												  NumericGetDatum(from_scaled(2 * n, 0))));
	rounded = multiply(rounded, from_scaled(negative ? -1 : 1, AVERAGE_DECIMALS));
	return round_to(rounded, AVERAGE_DECIMALS);
}

Datum
ec_price_average(const EcPriceSum *price, int32 scale)
{
	return ec_price_per(price, scale, ec_price_count(price));
}

static int
compare_products_exactly(const EcPriceSum *a, const EcPriceSum *b, const EcPriceSum *c,
						 const EcPriceSum *d, int32 scale)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight products", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	int order = compare(multiply(ec_price_sum(a, scale), ec_price_sum(b, scale)),
						multiply(ec_price_sum(c, scale), ec_price_sum(d, scale)));

	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return order;
}

double
ec_price_double(const EcPriceSum *price, int32 scale)
{
	Numeric sum = ec_price_sum(price, scale);

	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(sum)));
}

double
ec_price_difference(const EcPriceSum *a, const EcPriceSum *b, int32 scale)
{
	Numeric difference =
		DatumGetNumeric(DirectFunctionCall2(numeric_sub, NumericGetDatum(ec_price_sum(a, scale)),
											NumericGetDatum(ec_price_sum(b, scale))));

	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(difference)));
}

bool
ec_price_is_zero(const EcPriceSum *price, int32 scale)
{
	if (price->odd == NULL)
		return price->sum == 0;
	return compare(ec_price_sum(price, scale), from_scaled(0, 0)) == 0;
}

void
ec_price_add_sum(EcPriceSum *into, const EcPriceSum *from, MemoryContext context)
{
	into->sum += from->sum;
	into->n += from->n;
	combine_odd(&into->odd, from->odd, context);
}

int
ec_price_compare_total(const EcPriceSum *price, int32 scale, Numeric number)
{
	return compare(ec_price_sum(price, scale), number);
}

int
ec_price_compare_products(const EcPriceSum *a, const EcPriceSum *b, const EcPriceSum *c,
						  const EcPriceSum *d, int32 scale)
{
	int128 left;
	int128 right;

	if (a->odd != NULL || b->odd != NULL || c->odd != NULL || d->odd != NULL ||
		__builtin_mul_overflow(a->sum, b->sum, &left) ||
		__builtin_mul_overflow(c->sum, d->sum, &right))
		return compare_products_exactly(a, b, c, d, scale);
	return (left > right) - (left < right);
}

int
ec_price_compare_numeric(Numeric a, Numeric b)
{
	return compare(a, b);
}

int
ec_price_compare_scaled(Numeric a, int64 b, int32 scale)
{
	return compare(a, from_scaled(b, scale));
}

int
ec_price_compare(const EcPriceSum *a, const EcPriceSum *b, int32 scale)
{
	if (a->odd == NULL && b->odd == NULL)
		return (a->sum > b->sum) - (a->sum < b->sum);
	return compare(ec_price_sum(a, scale), ec_price_sum(b, scale));
}

Datum
ec_price_min(const EcPriceSum *price, int32 scale)
{
	Numeric min = price->n > 0 ? from_scaled_128(price->min, scale) : price->odd->min;

	if (price->odd != NULL && compare(price->odd->min, min) < 0)
		min = price->odd->min;
	return round_to(min, MONEY_DECIMALS);
}

Datum
ec_price_max(const EcPriceSum *price, int32 scale)
{
	Numeric max = price->n > 0 ? from_scaled_128(price->max, scale) : price->odd->max;

	if (price->odd != NULL && compare(price->odd->max, max) > 0)
		max = price->odd->max;
	return round_to(max, MONEY_DECIMALS);
}

static int
compare_exactly(const EcPriceSum *a, const EcPriceSum *b, int32 scale)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight averages", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Numeric left = multiply(ec_price_sum(a, scale), from_scaled(ec_price_count(b), 0));
	Numeric right = multiply(ec_price_sum(b, scale), from_scaled(ec_price_count(a), 0));
	int order = compare(left, right);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return order;
}

int
ec_price_compare_averages(const EcPriceSum *a, const EcPriceSum *b, int32 scale)
{
	int64 an = ec_price_count(a);
	int64 bn = ec_price_count(b);
	int128 left;
	int128 right;

	if (an == 0 || bn == 0)
		return (an != 0) - (bn != 0);
	if (a->odd != NULL || b->odd != NULL || __builtin_mul_overflow(a->sum, (int128) bn, &left) ||
		__builtin_mul_overflow(b->sum, (int128) an, &right))
		return compare_exactly(a, b, scale);
	return (left > right) - (left < right);
}
