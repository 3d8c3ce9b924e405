/*
 * price.h
 *	  Exact sums, averages and extremes of prices.
 *
 * A column of prices has one scale (decimals of its values as integers) for a whole
 * query.  Sums are 128-bit integers at that scale; the rare value that the scale
 * can't hold (unconstrained numeric, floats) is "odd" and summed as numeric.
 * NaN and infinite prices never get here.
 */
#ifndef EC_PRICE_H
#define EC_PRICE_H

#include "postgres.h"

#include "utils/numeric.h"

typedef struct EcOddPrices
{
	int64 n;
	Numeric sum;
	Numeric min;
	Numeric max;
} EcOddPrices;

typedef struct EcPriceSum
{
	int128 sum; /* of the n values that are not odd */
	int64 n;
	int64 min; /* meaningless if n is 0 */
	int64 max;
	EcOddPrices *odd; /* NULL: none */
} EcPriceSum;

static inline void
ec_price_init(EcPriceSum *price)
{
	memset(price, 0, sizeof(EcPriceSum));
	price->min = PG_INT64_MAX;
	price->max = PG_INT64_MIN;
}

static inline void
ec_price_add(EcPriceSum *price, int64 value)
{
	price->sum += value;
	price->n++;
	price->min = Min(price->min, value);
	price->max = Max(price->max, value);
}

/* Memory is taken from context; value is copied. */
extern void ec_price_add_odd(EcPriceSum *price, Numeric value, MemoryContext context);

/* A price that n rows have. */
extern void
ec_price_add_odd_times(EcPriceSum *price, Numeric value, int64 n, MemoryContext context);

extern int64 ec_price_count(const EcPriceSum *price);

/* The sum as it is, palloc'd in the current context. */
extern Numeric ec_price_sum(const EcPriceSum *price, int32 scale);

/* Results, palloc'd in the current context.  Money has two decimals, averages six; both round half away from zero. */
extern Datum ec_price_total(const EcPriceSum *price, int32 scale);	 /* 0.00 if there are none */
extern Datum ec_price_average(const EcPriceSum *price, int32 scale); /* count must not be 0 */
extern Datum ec_price_min(const EcPriceSum *price, int32 scale);	 /* count must not be 0 */
extern Datum ec_price_max(const EcPriceSum *price, int32 scale);

/* The sum divided by n > 0, as an average. */
extern Datum ec_price_per(const EcPriceSum *price, int32 scale, int64 n);

/* The number nearest to the exact sum. */
extern double ec_price_double(const EcPriceSum *price, int32 scale);

/* The same of a - b. */
extern double ec_price_difference(const EcPriceSum *a, const EcPriceSum *b, int32 scale);

extern bool ec_price_is_zero(const EcPriceSum *price, int32 scale);

/* Adds a sum to another; extremes aren't kept. */
extern void ec_price_add_sum(EcPriceSum *into, const EcPriceSum *from, MemoryContext context);

/* Order of the exact sum and a number. */
extern int ec_price_compare_total(const EcPriceSum *price, int32 scale, Numeric number);

/* Order of a b and c d, exact. */
extern int ec_price_compare_products(const EcPriceSum *a, const EcPriceSum *b, const EcPriceSum *c,
									 const EcPriceSum *d, int32 scale);

/* Order of odd prices among themselves and with others. */
extern int ec_price_compare_numeric(Numeric a, Numeric b);
extern int ec_price_compare_scaled(Numeric a, int64 b, int32 scale);

/* Order of the exact sums. */
extern int ec_price_compare(const EcPriceSum *a, const EcPriceSum *b, int32 scale);

/* Order of the exact averages; those of nothing come first (they are the least). */
extern int ec_price_compare_averages(const EcPriceSum *a, const EcPriceSum *b, int32 scale);

#endif /* EC_PRICE_H */
