/*
 * series.c
 *	  Measures by buckets of time.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "insight/series.h"

void
ec_series_count(EcSeries *series, const EcArgs *args, bool with_people, MemoryContext context)
{
	uint32 columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE);
	uint32 *buckets = MemoryContextAlloc(context, sizeof(uint32) * EC_BLOCK_ROWS);
	EcIntColumn time;
	EcIntColumn user;
	EcPeople people;
	EcRows rows;

	ec_int_column_init(&time, EC_COL_TIME, context);
	ec_int_column_init(&user, EC_COL_USER, context);
	ec_measures_init(&series->measures, context);
	if (with_people)
	{
		columns |= EC_COL_BIT(EC_COL_USER);
		ec_people_init(&people, context, 1.0);
	}
	ec_rows_open(&rows, args, columns, context);
	while (ec_rows_next(&rows))
	{
		const uint8 *nulls;
		const int64 *times = ec_rows_times(&rows, &time, &nulls);
		const uint32 *types = ec_rows_types(&rows);
		EcPrices prices;

		ec_buckets_find(&series->buckets, rows.n, times, nulls, buckets);
		ec_rows_prices(&rows, &prices);
		ec_measures_reserve(&series->measures, series->buckets.count);
		ec_measures_add(&series->measures, rows.n, rows.sign, buckets, types, &prices);
		if (with_people)
		{
			const int64 *users = ec_rows_ints(&rows, &user, &nulls);

			ec_people_add(&people, rows.n, buckets, users, nulls, types);
		}
	}
	series->scale = rows.price_scale;
	ec_rows_close(&rows);
	series->people = MemoryContextAllocExtended(
		context, sizeof(EcPeopleCounts) * (Size) Max(series->buckets.count, 1),
		MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (with_people)
		ec_people_count(&people, series->people);
	series->rows = ec_buckets_order(&series->buckets, true, &series->nrows);
}
