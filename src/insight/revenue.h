/*
 * revenue.h
 *	  A sum of prices in three words of a tally's state: low and high half of the sum at
 *	  the query's scale, and what that scale can't hold (see EcOddPrices; rare).
 */
#ifndef EC_REVENUE_H
#define EC_REVENUE_H

#include "postgres.h"

#include "insight/price.h"
#include "insight/rows.h"
#include "insight/tally.h"

#define EC_REVENUE_WORDS 3

/* The price of row i; odd ones take memory from context. */
extern void ec_revenue_add_odd(uint64 *revenue, Numeric value, MemoryContext context);

static inline void
ec_revenue_add(uint64 *revenue, const EcPrices *prices, uint32 i, MemoryContext context)
{
	EcPriceState state = prices->states != NULL ? prices->states[i] : EC_PRICE_VALUE;

	if (likely(state == EC_PRICE_VALUE))
		ec_tally_add_int128(revenue, prices->values[i]);
	else if (state == EC_PRICE_ODD)
		ec_revenue_add_odd(revenue, prices->odd[i], context);
}

/* Adds from, which is of no use afterwards, to into. */
extern void ec_revenue_combine(uint64 *into, const uint64 *from);

/* As a sum of n prices, sharing memory with the state. */
extern EcPriceSum ec_revenue_sum(const uint64 *revenue, int64 n);

#endif /* EC_REVENUE_H */
