/*
 * prices.c
 *	  price_sensitivity: average, greatest and least price of each category_code.
 *
 * Nearly all prices are small integers (cents) without NULLs.  Those go to an array
 * of plain 64-bit cells, one for each category, which is emptied into the exact
 * totals before it could overflow.
 *
 * Cells of summaries are added after the rows, when it is known which rows they count are
 * hidden: see extremes.h.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/cells.h"
#include "insight/extremes.h"
#include "insight/price.h"
#include "insight/rows.h"
#include "insight/topk.h"

#define ARG_K 1
#define ARG_COMMON 2
#define CELL_ROWS (1 << 20) /* small prices that a cell can surely sum: see EC_PRICE_SMALL */

PG_FUNCTION_INFO_V1(ec_price_sensitivity);

typedef struct Cell
{
	int64 sum;
	int64 n;
	int64 min;
	int64 max;
} Cell;

typedef struct Total
{
	int64 interactions;
	EcPriceSum price;
} Total;

typedef struct Sensitivity
{
	MemoryContext context;
	EcInterner *categories;
	uint32 *ranks;
	Cell *cells;   /* [capacity], by category id */
	Total *totals; /* [capacity] */
	uint32 capacity;
	uint32 cell_rows; /* rows in cells */
	int32 scale;
	EcTextColumn category;
	EcIntColumn time;
	EcExtremes *extremes;
} Sensitivity;

static const Cell empty_cell = {0, 0, PG_INT64_MAX, PG_INT64_MIN};

static void
reserve(Sensitivity *state, uint32 count)
{
	uint32 old = state->capacity;

	if (count <= old)
		return;
	state->capacity = Max(count, Max(old * 2, 1024));
	if (old == 0)
	{
		state->cells =
			MemoryContextAllocHuge(state->context, sizeof(Cell) * (Size) state->capacity);
		state->totals =
			MemoryContextAllocHuge(state->context, sizeof(Total) * (Size) state->capacity);
	}
	else
	{
		state->cells = repalloc_huge(state->cells, sizeof(Cell) * (Size) state->capacity);
		state->totals = repalloc_huge(state->totals, sizeof(Total) * (Size) state->capacity);
	}
	for (uint32 i = old; i < state->capacity; i++)
	{
		state->cells[i] = empty_cell;
		state->totals[i].interactions = 0;
		ec_price_init(&state->totals[i].price);
	}
}

static void
empty_cells(Sensitivity *state)
{
	for (uint32 i = 0; i <= ec_interner_count(state->categories); i++)
	{
		const Cell *cell = &state->cells[i];
		Total *total = &state->totals[i];

		if (cell->n == 0)
			continue;
		total->interactions += cell->n;
		total->price.sum += cell->sum;
		total->price.n += cell->n;
		total->price.min = Min(total->price.min, cell->min);
		total->price.max = Max(total->price.max, cell->max);
		state->cells[i] = empty_cell;
	}
	state->cell_rows = 0;
}

static void
add_small(Sensitivity *state, uint32 n, const uint32 *ids, const int64 *values)
{
	Cell *cells = state->cells;

	for (uint32 i = 0; i < n; i++)
	{
		Cell *cell = &cells[ids[i]];
		int64 value = values[i];

		cell->sum += value;
		cell->n++;
		cell->min = Min(cell->min, value);
		cell->max = Max(cell->max, value);
	}
	state->cell_rows += n;
}

static void
add_any(Sensitivity *state, uint32 n, const uint32 *ids, const EcPrices *prices)
{
	for (uint32 i = 0; i < n; i++)
	{
		Total *total = &state->totals[ids[i]];

		total->interactions++;
		ec_prices_add(prices, i, &total->price, state->context);
	}
}

/* Rows that summaries count and that are hidden. */
static void
take_hidden(Sensitivity *state, EcRows *rows, const uint32 *ids, const EcPrices *prices,
			const EcSlotCells *scan)
{
	const uint8 *nulls;
	const int64 *times = ec_rows_times(rows, &state->time, &nulls);

	for (uint32 i = 0; i < rows->n; i++)
	{
		Total *total = &state->totals[ids[i]];
		bool no_time = nulls != NULL && nulls[i];

		total->interactions--;
		ec_prices_take(prices, i, &total->price);
		if (prices->states == NULL || prices->states[i] == EC_PRICE_VALUE)
			ec_extremes_hide(state->extremes, no_time ? 0 : ec_slot_cells_slot(scan, times[i]),
							 no_time, ids[i], prices->values[i]);
	}
}

static void
add_batch(Sensitivity *state, EcRows *rows, const uint32 *ids, const EcPrices *prices)
{
	if (state->cell_rows + rows->n > CELL_ROWS)
		empty_cells(state);
	if (prices->are_small)
		add_small(state, rows->n, ids, prices->values);
	else
		add_any(state, rows->n, ids, prices);
}

static void
add_cells(Sensitivity *state, EcSlotCells *scan)
{
	EcCells *cells = &scan->cells;
	const uint32 *ids = ec_cells_ids(cells, EC_CATEGORY_CODE, &state->category);
	const uint8 *no_time;
	const uint8 *no_price;
	const int64 *slots = ec_cells_ints(cells, EC_CATEGORY_SLOT, &no_time);
	const int64 *priced = ec_cells_ints(cells, EC_CATEGORY_PRICED, NULL);
	const int64 *sums = ec_cells_ints(cells, EC_CATEGORY_PRICE_SUM, NULL);
	const int64 *mins = ec_cells_ints(cells, EC_CATEGORY_PRICE_MIN, &no_price);
	const int64 *maxs = ec_cells_ints(cells, EC_CATEGORY_PRICE_MAX, &no_price);

	reserve(state, ec_interner_count(state->categories) + 1);
	for (int type = 0; type < EC_TYPE_CLASSES; type++)
	{
		const int64 *counts = ec_cells_ints(cells, EC_CATEGORY_OTHER + type, NULL);

		for (uint32 i = 0; i < cells->n; i++)
			state->totals[ids[i]].interactions += counts[i];
	}
	for (uint32 i = 0; i < cells->n; i++)
	{
		EcPriceSum *price = &state->totals[ids[i]].price;

		price->sum += sums[i];
		price->n += priced[i];
		if (priced[i] > 0 &&
			ec_extremes_hold(state->extremes, slots[i], no_time != NULL && no_time[i], scan->length,
							 ids[i], mins[i], maxs[i]))
		{
			price->min = Min(price->min, mins[i]);
			price->max = Max(price->max, maxs[i]);
		}
	}
}

static const EcPriceSum *
price_of(uint32 id, void *arg)
{
	return &((Sensitivity *) arg)->totals[id].price;
}

/* Adds to the extremes what the rows of a range hold. */
static void
add_extremes(Sensitivity *state, const EcArgs *args, const EcSlots *range)
{
	EcArgs narrowed = ec_extremes_args(args, range);
	EcRows rows;

	ec_rows_open(&rows, &narrowed, EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_PRICE),
				 state->context);
	while (ec_rows_next(&rows))
	{
		const uint32 *ids = ec_rows_ids(&rows, &state->category);
		EcPrices prices;

		ec_rows_prices(&rows, &prices);
		reserve(state, ec_interner_count(state->categories) + 1);
		for (uint32 i = 0; i < rows.n; i++)
		{
			EcPriceSum *price = &state->totals[ids[i]].price;

			if (prices.states != NULL && prices.states[i] != EC_PRICE_VALUE)
				continue; /* odd ones were added before */
			price->min = Min(price->min, prices.values[i]);
			price->max = Max(price->max, prices.values[i]);
		}
	}
	ec_rows_close(&rows);
}

static void
sum_cells(Sensitivity *state, EcSlotCells *scan, const EcArgs *args)
{
	EcSlots range;

	while (ec_slot_cells_next(scan))
		add_cells(state, scan);
	ec_slot_cells_end(scan);
	while (ec_extremes_next_range(state->extremes, price_of, state, &range))
		add_extremes(state, args, &range);
}

/* With the column that hidden rows' cells are told by, if summaries are used. */
static bool
open_rows(Sensitivity *state, EcRows *rows, const EcArgs *args)
{
	uint32 columns = EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_PRICE);

	if (ec_rows_open_covered(rows, args, columns | EC_COL_BIT(EC_COL_TIME),
							 EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR) |
								 EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_DAY),
							 state->context))
		return true;
	ec_rows_open(rows, args, columns, state->context);
	return false;
}

static void
sum_rows(Sensitivity *state, const EcArgs *args)
{
	EcSlotCells scan;
	EcRows rows;
	bool covered = open_rows(state, &rows, args);

	if (covered)
		ec_slot_cells_begin(&scan, &rows, EC_PROJECTION_CATEGORY_HOUR, EC_PROJECTION_CATEGORY_DAY,
							state->context);
	while (ec_rows_next(&rows))
	{
		const uint32 *ids = ec_rows_ids(&rows, &state->category);
		EcPrices prices;

		ec_rows_prices(&rows, &prices);
		reserve(state, ec_interner_count(state->categories) + 1);
		if (rows.sign > 0)
			add_batch(state, &rows, ids, &prices);
		else
			take_hidden(state, &rows, ids, &prices, &scan);
	}
	empty_cells(state);
	if (covered)
		sum_cells(state, &scan, args);
	state->scale = rows.price_scale;
	ec_rows_close(&rows);
}

/* Items are category ids: average DESC NULLS LAST, category_code NULLS LAST. */
static int
compare_categories(const void *a, const void *b, void *arg)
{
	const Sensitivity *state = arg;
	uint32 x = *(const uint32 *) a;
	uint32 y = *(const uint32 *) b;
	int order =
		ec_price_compare_averages(&state->totals[y].price, &state->totals[x].price, state->scale);

	if (order != 0)
		return order;
	return (state->ranks[x] > state->ranks[y]) - (state->ranks[x] < state->ranks[y]);
}

static void
put_rows(Sensitivity *state, EcTopK *top, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < top->n; i++)
	{
		uint32 id = ((const uint32 *) top->items)[i];
		const Total *total = &state->totals[id];
		bool priced = ec_price_count(&total->price) > 0;
		Datum values[6] = {0};
		bool nulls[6] = {false, false, !priced, !priced, !priced, false};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);

		values[0] = Int64GetDatum(i + 1);
		values[1] = ec_interner_datum(state->categories, id, &nulls[1]);
		if (priced)
		{
			values[2] = ec_price_average(&total->price, state->scale);
			values[3] = ec_price_max(&total->price, state->scale);
			values[4] = ec_price_min(&total->price, state->scale);
		}
		values[5] = Int64GetDatum(total->interactions);
		MemoryContextSwitchTo(old);
		ec_result_put(&result, values, nulls);
	}
}

Datum
ec_price_sensitivity(PG_FUNCTION_ARGS)
{
	EcArgs args;
	int64 k = ec_args_get_k(fcinfo, ARG_K);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight prices", ALLOCSET_DEFAULT_SIZES);
	Sensitivity *state = MemoryContextAllocZero(context, sizeof(Sensitivity));
	EcTopK top;

	ec_args_get(fcinfo, ARG_COMMON, &args);
	state->context = context;
	state->categories = ec_interner_create(context);
	state->extremes = ec_extremes_create(context);
	ec_text_column_init(&state->category, EC_COL_CATEGORY_CODE, state->categories, context);
	ec_int_column_init(&state->time, EC_COL_TIME, context);
	reserve(state, 1);
	sum_rows(state, &args);
	state->ranks = ec_interner_ranks(state->categories, context);
	ec_topk_init(&top, sizeof(uint32), k, compare_categories, state, context);
	for (uint32 id = 0; id <= ec_interner_count(state->categories); id++)
	{
		if (state->totals[id].interactions > 0)
			ec_topk_offer(&top, &id);
	}
	ec_topk_finish(&top);
	put_rows(state, &top, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
