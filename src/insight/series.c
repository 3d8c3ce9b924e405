/*
 * series.c
 *	  Measures by buckets of time.
 *
 * Summaries by hour or day stand for rows if the buckets consist of whole hours or days
 * (UTC).
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "insight/cells.h"
#include "insight/presence.h"
#include "insight/series.h"

#define COLUMNS (EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE))
#define PROJECTIONS                                                                                \
	(EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR) | EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_DAY))

#define PRESENCE_SHARE 1.0

/* Of a series in the making. */
typedef struct Counting
{
	EcSeries *series;
	const EcArgs *args;
	bool with_people;
	MemoryContext context;
	EcIntColumn time;
	uint32 *buckets; /* [EC_BLOCK_ROWS] */
	EcRows rows;
	EcProjection projection; /* that cells are read from for whole days */
} Counting;

/* ---- rows ---- */

static void
add_batch(Counting *counting, EcPresence *presence, EcPeople *people, EcIntColumn *user)
{
	EcSeries *series = counting->series;
	EcRows *rows = &counting->rows;
	const uint8 *nulls;
	const int64 *times = ec_rows_times(rows, &counting->time, &nulls);
	const uint32 *types = ec_rows_types(rows);
	EcPrices prices;

	ec_buckets_find(&series->buckets, rows->n, times, nulls, counting->buckets);
	ec_rows_prices(rows, &prices);
	ec_measures_reserve(&series->measures, series->buckets.count);
	ec_measures_add(&series->measures, rows->n, rows->sign, counting->buckets, types, &prices);
	if (presence != NULL)
		ec_presence_add(presence, types, counting->buckets);
	if (people != NULL)
	{
		const int64 *users = ec_rows_ints(rows, user, &nulls);

		ec_people_add(people, rows->n, counting->buckets, users, nulls, types);
	}
}

static void
make_people(Counting *counting)
{
	EcSeries *series = counting->series;
	Size size = sizeof(EcPeopleCounts) * (Size) Max(series->buckets.count, 1);

	series->people =
		MemoryContextAllocExtended(counting->context, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
count_rows(Counting *counting)
{
	uint32 columns = COLUMNS;
	EcPeople people;
	EcIntColumn user;

	if (counting->with_people)
	{
		columns |= EC_COL_BIT(EC_COL_USER);
		ec_int_column_init(&user, EC_COL_USER, counting->context);
		ec_people_init(&people, counting->context, 1.0);
	}
	ec_rows_open(&counting->rows, counting->args, columns, counting->context);
	while (ec_rows_next(&counting->rows))
		add_batch(counting, NULL, counting->with_people ? &people : NULL, &user);
	make_people(counting);
	if (counting->with_people)
		ec_people_count(&people, counting->series->people);
}

/* ---- summaries ---- */

/* Do buckets consist of whole hours, or even days? */
static bool
choose_projection(Counting *counting)
{
	EcBuckets *buckets = &counting->series->buckets;
	EcSlots finite = {Max(counting->rows.slots.min, DT_NOBEGIN + 1),
					  Min(counting->rows.slots.max, DT_NOEND - 1), false};
	int64 min;
	int64 max;

	counting->projection = EC_PROJECTION_CATEGORY_DAY;
	if (!ec_rows_span(&counting->rows, &finite, &min, &max, counting->context) ||
		ec_buckets_fit(buckets, min, max, USECS_PER_DAY))
		return true;
	counting->projection = EC_PROJECTION_CATEGORY_HOUR;
	return ec_buckets_fit(buckets, min, max, USECS_PER_HOUR);
}

static void
add_cells(Counting *counting)
{
	EcSeries *series = counting->series;
	EcSlotCells scan;

	ec_slot_cells_begin(&scan, &counting->rows, EC_PROJECTION_CATEGORY_HOUR, counting->projection,
						counting->context);
	while (ec_slot_cells_next(&scan))
	{
		const uint8 *nulls;
		const int64 *slots = ec_cells_ints(&scan.cells, EC_CATEGORY_SLOT, &nulls);

		ec_buckets_find(&series->buckets, scan.cells.n, slots, nulls, counting->buckets);
		ec_measures_reserve(&series->measures, series->buckets.count);
		ec_measures_add_cells(&series->measures, &scan.cells, counting->buckets);
	}
	ec_slot_cells_end(&scan);
}

static void
add_people(EcVisitKind kind, uint32 bucket, int64 count, void *arg)
{
	EcPeopleCounts *people = ((Counting *) arg)->series->people;

	people[bucket][kind == EC_VISIT_USER ? EC_PEOPLE_USERS : EC_TYPE_PURCHASE] += count;
}

/* False: summaries can't be used, and nothing has been counted. */
static bool
count_summaries(Counting *counting)
{
	EcRows *rows = &counting->rows;
	uint32 projections = PROJECTIONS;
	uint32 columns = COLUMNS;
	EcPresence *presence = NULL;

	if (counting->args->category != NULL)
		return false;
	if (counting->with_people)
	{
		columns |= EC_PRESENCE_COLUMNS;
		projections |= EC_PRESENCE_PROJECTIONS;
	}
	if (!ec_rows_open_covered(rows, counting->args, columns, projections, counting->context))
		return false;
	if (!choose_projection(counting))
	{
		ec_rows_close(rows);
		return false;
	}
	if (counting->with_people)
		presence = ec_presence_create(rows, &counting->series->buckets, add_people, counting,
									  PRESENCE_SHARE, counting->context);
	while (ec_rows_next(rows))
		add_batch(counting, presence, NULL, NULL);
	add_cells(counting);
	make_people(counting);
	if (presence != NULL)
		ec_presence_count(presence);
	return true;
}

/* All rows of a bucket may be hidden. */
static void
order_buckets(EcSeries *series, MemoryContext context)
{
	bool *dropped = MemoryContextAllocHuge(context, Max(series->buckets.count, 1));

	for (uint32 i = 0; i < series->buckets.count; i++)
		dropped[i] = ec_measures_interactions(&series->measures, i) == 0;
	series->rows = ec_buckets_order(&series->buckets, true, dropped, &series->nrows);
	pfree(dropped);
}

void
ec_series_count(EcSeries *series, const EcArgs *args, bool with_people, MemoryContext context)
{
	Counting counting = {series, args, with_people, context};

	counting.buckets = MemoryContextAlloc(context, sizeof(uint32) * EC_BLOCK_ROWS);
	ec_int_column_init(&counting.time, EC_COL_TIME, context);
	ec_measures_init(&series->measures, context);
	if (!count_summaries(&counting))
		count_rows(&counting);
	series->scale = counting.rows.price_scale;
	ec_rows_close(&counting.rows);
	order_buckets(series, context);
}
