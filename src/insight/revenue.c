/*
 * revenue.c
 *	  Sums of prices as words of a state: the part that the query's scale can't hold.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "insight/revenue.h"

static EcOddPrices *
odd_part(const uint64 *revenue)
{
	return (EcOddPrices *) (uintptr_t) revenue[2];
}

void
ec_revenue_add_odd(uint64 *revenue, Numeric value, MemoryContext context)
{
	EcPriceSum price = {.odd = odd_part(revenue)};

	ec_price_add_odd(&price, value, context);
	revenue[2] = (uint64) (uintptr_t) price.odd;
}

void
ec_revenue_combine(uint64 *into, const uint64 *from)
{
	EcOddPrices *odd = odd_part(from);

	ec_tally_add_int128(into, ec_tally_int128(from));
	if (odd != NULL && into[2] == 0)
		into[2] = from[2];
	else if (odd != NULL)
		ec_revenue_add_odd(into, odd->sum, GetMemoryChunkContext(odd));
}

EcPriceSum
ec_revenue_sum(const uint64 *revenue, int64 n)
{
	EcPriceSum price = {.sum = ec_tally_int128(revenue), .n = n, .odd = odd_part(revenue)};

	if (price.odd != NULL)
		price.n -= price.odd->n;
	return price;
}
