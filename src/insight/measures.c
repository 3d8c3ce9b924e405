/*
 * measures.c
 *	  Rows by kind of event, and the revenue, for each of some groups.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "insight/measures.h"

#define MIN_CAPACITY 64

void
ec_measures_init(EcMeasures *measures, MemoryContext context)
{
	memset(measures, 0, sizeof(EcMeasures));
	measures->context = context;
	ec_measures_reserve(measures, 1);
}

void
ec_measures_reserve(EcMeasures *measures, uint32 count)
{
	uint32 old = measures->capacity;
	Size n;

	if (count <= old)
		return;
	n = measures->capacity = Max(count, Max(old * 2, MIN_CAPACITY));
	if (old == 0)
	{
		measures->counts =
			MemoryContextAllocHuge(measures->context, sizeof(measures->counts[0]) * n);
		measures->revenues = MemoryContextAllocHuge(measures->context, sizeof(EcPriceSum) * n);
	}
	else
	{
		measures->counts = repalloc_huge(measures->counts, sizeof(measures->counts[0]) * n);
		measures->revenues = repalloc_huge(measures->revenues, sizeof(EcPriceSum) * n);
	}
	memset(measures->counts + old, 0, sizeof(measures->counts[0]) * (n - old));
	for (uint32 i = old; i < n; i++)
		ec_price_init(&measures->revenues[i]);
}

static void
take_away(EcMeasures *measures, uint32 n, const uint32 *groups, const uint32 *types,
		  const EcPrices *prices)
{
	for (uint32 i = 0; i < n; i++)
	{
		uint32 class = types[i] < EC_TYPE_CLASSES ? types[i] : 0;

		measures->counts[groups[i]][class]--;
		if (class == EC_TYPE_PURCHASE)
			ec_prices_take(prices, i, &measures->revenues[groups[i]]);
	}
}

void
ec_measures_add(EcMeasures *measures, uint32 n, int sign, const uint32 *groups, const uint32 *types,
				const EcPrices *prices)
{
	if (sign < 0)
	{
		take_away(measures, n, groups, types, prices);
		return;
	}
	for (uint32 i = 0; i < n; i++)
	{
		uint32 class = types[i] < EC_TYPE_CLASSES ? types[i] : 0;

		measures->counts[groups[i]][class]++;
		if (class == EC_TYPE_PURCHASE)
			ec_prices_add(prices, i, &measures->revenues[groups[i]], measures->context);
	}
}

void
ec_measures_add_cells(EcMeasures *measures, EcCells *cells, const uint32 *groups)
{
	const int64 *revenues = ec_cells_ints(cells, EC_CATEGORY_REVENUE, NULL);

	for (int type = 0; type < EC_TYPE_CLASSES; type++)
	{
		const int64 *counts = ec_cells_ints(cells, EC_CATEGORY_OTHER + type, NULL);

		for (uint32 i = 0; i < cells->n; i++)
			measures->counts[groups[i]][type] += counts[i];
	}
	for (uint32 i = 0; i < cells->n; i++)
		measures->revenues[groups[i]].sum += revenues[i];
}

void
ec_measures_put(const EcMeasures *measures, uint32 group, int32 scale, Datum *values)
{
	const int64 *counts = measures->counts[group];

	values[0] = Int64GetDatum(ec_measures_interactions(measures, group));
	values[1] = Int64GetDatum(counts[EC_TYPE_VIEW]);
	values[2] = Int64GetDatum(counts[EC_TYPE_CART]);
	values[3] = Int64GetDatum(counts[EC_TYPE_PURCHASE]);
	values[4] = ec_price_total(&measures->revenues[group], scale);
}
