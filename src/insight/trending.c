/*
 * trending.c
 *	  trending: what grows fastest, a period against the period before it.
 *
 * Both periods end inclusively: (as_of - period, as_of] and (as_of - 2 period,
 * as_of - period].  Products and categories come from summaries where these are.
 *
 * If as_of is to be the latest event, the times are looked through first: where there are
 * summaries, only from the last hour on that they know.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "insight/args.h"
#include "insight/cells.h"
#include "insight/product_set.h"
#include "insight/revenue.h"
#include "insight/rows.h"
#include "insight/tally.h"
#include "insight/topk.h"

#define ARG_PERIOD 1
#define ARG_AS_OF 2
#define ARG_K 3
#define ARG_BY 4
#define ARG_MEASURE 5
#define ARG_MIN_PREVIOUS 6
#define ARG_COMMON 7
#define COLUMNS 6

PG_FUNCTION_INFO_V1(ec_trending);

typedef enum TrendingKey
{
	BY_CATEGORY,
	BY_BRAND,
	BY_PRODUCT
} TrendingKey;

typedef enum TrendingMeasure
{
	INTERACTIONS,
	REVENUE
} TrendingMeasure;

static const char *const key_names[] = {"category", "brand", "product", NULL};
static const char *const measure_names[] = {"interactions", "revenue", NULL};

typedef struct Trending
{
	MemoryContext context;
	EcArgs args;
	TrendingKey by;
	TrendingMeasure measure;
	Numeric min_previous;
	TimestampTz as_of;
	TimestampTz current_after; /* the current period's events are later than this */
	TimestampTz previous_after;
	EcInterner *texts; /* of categories or brands */
	uint32 *ranks;
	EcTally *tally;
	uint64 *key_words[2]; /* [EC_BLOCK_ROWS] */
	int32 scale;		  /* of the measure's sums */
	EcTopK top;
	EcPriceSum all_current;
	EcPriceSum all_previous;
} Trending;

/* A tally's state: all zeros for a new key. */
typedef struct Growth
{
	uint64 current[EC_REVENUE_WORDS]; /* revenue, or in the first two words a count */
	uint64 previous[EC_REVENUE_WORDS];
	int64 rows; /* 0: all that summaries count are hidden */
} Growth;

#define CATEGORY_PROJECTIONS                                                                       \
	(EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR) | EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_DAY))
#define KEY_WORDS 2 /* is it NULL; id of the text or product_id */
#define STATE_WORDS (sizeof(Growth) / sizeof(uint64))

typedef struct GrowthItem
{
	uint64 key[KEY_WORDS];
	Growth growth;
} GrowthItem;

/* ---- periods ---- */

/* The greatest finite event_time among the rows that args selects; false if there is none. */
static bool
find_latest_of(Trending *state, const EcArgs *args)
{
	bool found = false;
	EcIntColumn time;
	EcRows rows;

	ec_int_column_init(&time, EC_COL_TIME, state->context);
	ec_rows_open(&rows, args, EC_COL_BIT(EC_COL_TIME), state->context);
	while (ec_rows_next(&rows))
	{
		const uint8 *nulls;
		const int64 *times = ec_rows_times(&rows, &time, &nulls);

		for (uint32 i = 0; i < rows.n; i++)
		{
			if ((nulls != NULL && nulls[i]) || TIMESTAMP_NOT_FINITE(times[i]))
				continue;
			if (!found || times[i] > state->as_of)
				state->as_of = times[i];
			found = true;
		}
	}
	ec_rows_close(&rows);
	return found;
}

/* The start of the last hour that summaries know of. */
static bool
find_last_hour(Trending *state, TimestampTz *hour)
{
	const EcSummarySet *set;
	int64 last = -1;
	Relation rel;
	EcRows rows;

	if (!ec_rows_open_covered(&rows, &state->args, EC_COL_BIT(EC_COL_TIME), EC_PRODUCT_PROJECTIONS,
							  state->context))
		return false;
	while (ec_rows_next_set(&rows, &rel, &set))
	{
		EcProductSet *products = ec_product_set_open(rel, set, state->context);

		last = Max(last, ec_product_set_last_hour(products));
		ec_product_set_close(products);
	}
	ec_rows_close(&rows);
	if (last >= 0)
		*hour = ec_product_slot_time(last);
	return last >= 0;
}

/* Rows of that hour may be hidden, all of them: then it is looked for everywhere. */
static bool
find_latest(Trending *state)
{
	EcArgs args = state->args;

	if (find_last_hour(state, &args.since))
	{
		args.has_since = true;
		if (find_latest_of(state, &args))
			return true;
	}
	return find_latest_of(state, &state->args);
}

/* In UTC: as timestamps without zone. */
static TimestampTz
subtract(TimestampTz time, Datum interval)
{
	TimestampTz result = DatumGetTimestamp(
		DirectFunctionCall2(timestamp_mi_interval, TimestampGetDatum(time), interval));

	if (TIMESTAMP_NOT_FINITE(result))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return result;
}

/* Finds both periods and makes them the time range of the rows; false: there is no event. */
static bool
set_periods(Trending *state, FunctionCallInfo fcinfo)
{
	Datum period = PG_GETARG_DATUM(ARG_PERIOD);

	state->args.has_since = state->args.has_until = false;
	if (PG_ARGISNULL(ARG_AS_OF) && !find_latest(state))
		return false;
	if (!PG_ARGISNULL(ARG_AS_OF))
		state->as_of = PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	state->current_after = subtract(state->as_of, period);
	state->previous_after =
		subtract(state->as_of, DirectFunctionCall2(interval_mul, period, Float8GetDatum(2)));
	state->args.has_since = state->args.has_until = true;
	state->args.since = state->previous_after + 1;
	state->args.until = state->as_of + 1;
	return true;
}

/* ---- counting ---- */

static void
combine_growths(uint64 *into, const uint64 *from)
{
	Growth *a = (Growth *) into;
	const Growth *b = (const Growth *) from;

	ec_revenue_combine(a->current, b->current);
	ec_revenue_combine(a->previous, b->previous);
	a->rows += b->rows;
}

static uint64 *const *
find_products(Trending *state, EcRows *rows, EcIntColumn *product)
{
	const uint8 *nulls;
	const int64 *ids = ec_rows_ints(rows, product, &nulls);
	const uint64 *keys[KEY_WORDS] = {state->key_words[0], (const uint64 *) ids};

	for (uint32 i = 0; i < rows->n; i++)
		state->key_words[0][i] = nulls != NULL && nulls[i];
	return ec_tally_find(state->tally, rows->n, keys, NULL);
}

static uint64 *const *
find_ids(Trending *state, uint32 n, const uint32 *ids)
{
	const uint64 *keys[KEY_WORDS] = {state->key_words[0], state->key_words[1]};

	for (uint32 i = 0; i < n; i++)
	{
		state->key_words[0][i] = ids[i] == EC_ID_NULL;
		state->key_words[1][i] = ids[i];
	}
	return ec_tally_find(state->tally, n, keys, NULL);
}

static void
add_rows(Trending *state, EcRows *rows, uint64 *const *states, EcIntColumn *time)
{
	const uint8 *nulls; /* none: NULL is in no period */
	const int64 *times = ec_rows_times(rows, time, &nulls);
	const uint32 *types = NULL;
	EcPrices prices;

	if (state->measure == REVENUE)
	{
		types = ec_rows_types(rows);
		ec_rows_prices(rows, &prices);
	}
	for (uint32 i = 0; i < rows->n; i++)
	{
		Growth *growth = (Growth *) states[i];
		uint64 *sum = times[i] > state->current_after ? growth->current : growth->previous;

		growth->rows += rows->sign;
		if (types == NULL)
			ec_tally_add_int128(sum, rows->sign);
		else if (types[i] == EC_TYPE_PURCHASE && rows->sign > 0)
			ec_revenue_add(sum, &prices, i, state->context);
		else if (types[i] == EC_TYPE_PURCHASE &&
				 (prices.states == NULL || prices.states[i] == EC_PRICE_VALUE))
			ec_tally_add_int128(sum, -(int128) prices.values[i]);
	}
}

static void
add_batches(Trending *state, EcRows *rows, EcEventColumn column)
{
	EcTextColumn text;
	EcIntColumn product;
	EcIntColumn time;

	ec_text_column_init(&text, column, state->texts, state->context);
	ec_int_column_init(&product, column, state->context);
	ec_int_column_init(&time, EC_COL_TIME, state->context);
	while (ec_rows_next(rows))
	{
		uint64 *const *states = state->by == BY_PRODUCT
									? find_products(state, rows, &product)
									: find_ids(state, rows->n, ec_rows_ids(rows, &text));

		add_rows(state, rows, states, &time);
	}
	state->scale = state->measure == REVENUE ? rows->price_scale : 0;
}

static void
add_set(Trending *state, EcProductSet *set, int64 from, int64 to, bool is_current)
{
	int column = state->measure == REVENUE ? EC_PRODUCT_CELL_REVENUE : EC_PRODUCT_CELL_ROWS;
	uint32 columns = EC_PRODUCT_SUM_BIT(EC_PRODUCT_CELL_ROWS) | EC_PRODUCT_SUM_BIT(column);
	const int64 *ids = ec_product_set_ids(set);
	EcProductSums sums;

	ec_product_set_sum(set, from, to, columns, &sums);
	for (uint32 i = 0; i < set->nproducts; i++)
	{
		uint64 key[KEY_WORDS] = {i >= set->nproducts - set->nnull, (uint64) ids[i]};
		Growth *growth;

		if (sums.columns[EC_PRODUCT_CELL_ROWS][i] == 0)
			continue;
		growth = (Growth *) ec_tally_find_one(state->tally, key);
		growth->rows += sums.columns[EC_PRODUCT_CELL_ROWS][i];
		ec_tally_add_int128(is_current ? growth->current : growth->previous,
							sums.columns[column][i]);
	}
}

static void
add_products(Trending *state, EcRows *rows, bool is_current)
{
	const EcSummarySet *set;
	Relation rel;
	int64 from;
	int64 to;

	ec_product_slots(&rows->slots, &from, &to);
	while (ec_rows_next_set(rows, &rel, &set))
	{
		EcProductSet *products = ec_product_set_open(rel, set, state->context);

		add_set(state, products, from, to, is_current);
		ec_product_set_close(products);
	}
}

static void
add_cells(Trending *state, EcCells *cells, uint64 *const *states, bool is_current)
{
	const int64 *revenues = ec_cells_ints(cells, EC_CATEGORY_REVENUE, NULL);

	for (int type = 0; type < EC_TYPE_CLASSES; type++)
	{
		const int64 *counts = ec_cells_ints(cells, EC_CATEGORY_OTHER + type, NULL);

		for (uint32 i = 0; i < cells->n; i++)
		{
			Growth *growth = (Growth *) states[i];

			growth->rows += counts[i];
			if (state->measure == INTERACTIONS)
				ec_tally_add_int128(is_current ? growth->current : growth->previous, counts[i]);
			else if (type == EC_TYPE_PURCHASE)
				ec_tally_add_int128(is_current ? growth->current : growth->previous, revenues[i]);
		}
	}
}

static void
add_categories(Trending *state, EcRows *rows, bool is_current)
{
	EcTextColumn code;
	EcSlotCells scan;

	ec_text_column_init(&code, EC_COL_CATEGORY_CODE, state->texts, state->context);
	ec_slot_cells_begin(&scan, rows, EC_PROJECTION_CATEGORY_HOUR, EC_PROJECTION_CATEGORY_DAY,
						state->context);
	while (ec_slot_cells_next(&scan))
	{
		const uint32 *ids = ec_cells_ids(&scan.cells, EC_CATEGORY_CODE, &code);

		add_cells(state, &scan.cells, find_ids(state, scan.cells.n, ids), is_current);
	}
	ec_slot_cells_end(&scan);
}

/* Summaries stand for the rows of one period; false: there are none. */
static bool
count_covered(Trending *state, EcEventColumn column, uint32 columns, bool is_current)
{
	uint32 projections = column == EC_COL_PRODUCT ? EC_PRODUCT_PROJECTIONS : CATEGORY_PROJECTIONS;
	EcArgs args = state->args;
	EcRows rows;

	args.since = is_current ? state->current_after + 1 : args.since;
	args.until = is_current ? args.until : state->current_after + 1;
	ec_rows_open(&rows, &args, columns, state->context);
	if (!ec_rows_cover(&rows, projections))
	{
		ec_rows_close(&rows);
		return false;
	}
	add_batches(state, &rows, column);
	if (column == EC_COL_PRODUCT)
		add_products(state, &rows, is_current);
	else
		add_categories(state, &rows, is_current);
	ec_rows_close(&rows);
	return true;
}

static void
count_plain(Trending *state, EcArgs *args, uint32 columns, EcEventColumn column)
{
	EcRows rows;

	ec_rows_open(&rows, args, columns, state->context);
	add_batches(state, &rows, column);
	ec_rows_close(&rows);
}

static void
count_rows(Trending *state)
{
	static const EcEventColumn columns_by[] = {EC_COL_CATEGORY_CODE, EC_COL_BRAND, EC_COL_PRODUCT};
	EcEventColumn column = columns_by[state->by];
	uint32 columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(column);
	EcArgs args = state->args;

	if (state->measure == REVENUE)
		columns |= EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE);
	if (state->by != BY_BRAND && count_covered(state, column, columns, true))
	{
		args.until = state->current_after + 1;
		if (count_covered(state, column, columns, false))
			return;
	}
	count_plain(state, &args, columns, column);
}

/* ---- order ---- */

#define current_of(growth) ec_revenue_sum((growth)->current, 0)
#define previous_of(growth) ec_revenue_sum((growth)->previous, 0)
#define compare_numbers(a, b) (((a) > (b)) - ((a) < (b)))

/* As the texts that the result shows, by COLLATE "C". */
static int
compare_products(int64 a, int64 b)
{
	char x[MAXINT8LEN + 1];
	char y[MAXINT8LEN + 1];

	pg_lltoa(a, x);
	pg_lltoa(b, y);
	return strcmp(x, y);
}

/* The key in its order, NULLs last. */
static int
compare_keys(const Trending *state, const GrowthItem *x, const GrowthItem *y)
{
	if (x->key[0] != y->key[0])
		return compare_numbers(x->key[0], y->key[0]);
	if (state->by == BY_PRODUCT)
		return compare_products((int64) x->key[1], (int64) y->key[1]);
	return compare_numbers(state->ranks[x->key[1]], state->ranks[y->key[1]]);
}

/* Growth DESC NULLS LAST, key. */
static int
compare_items(const void *a, const void *b, void *arg)
{
	const Trending *state = arg;
	const GrowthItem *x = a;
	const GrowthItem *y = b;
	EcPriceSum xcurrent = current_of(&x->growth);
	EcPriceSum xprevious = previous_of(&x->growth);
	EcPriceSum ycurrent = current_of(&y->growth);
	EcPriceSum yprevious = previous_of(&y->growth);
	bool xzero = ec_price_is_zero(&xprevious, state->scale);
	bool yzero = ec_price_is_zero(&yprevious, state->scale);
	int order = xzero - yzero;

	if (!xzero && !yzero)
		order =
			ec_price_compare_products(&ycurrent, &xprevious, &xcurrent, &yprevious, state->scale);
	return order != 0 ? order : compare_keys(state, x, y);
}

static void
visit_growth(const uint64 *key, uint64 *words, void *arg)
{
	Trending *state = arg;
	GrowthItem item;
	EcPriceSum current;
	EcPriceSum previous;

	memcpy(item.key, key, sizeof(item.key));
	memcpy(&item.growth, words, sizeof(item.growth));
	if (item.growth.rows == 0)
		return;
	current = current_of(&item.growth);
	previous = previous_of(&item.growth);
	ec_price_add_sum(&state->all_current, &current, state->context);
	ec_price_add_sum(&state->all_previous, &previous, state->context);
	if (ec_price_compare_total(&previous, state->scale, state->min_previous) >= 0)
		ec_topk_offer(&state->top, &item);
}

/* ---- result ---- */

static Datum
amount(const Trending *state, const EcPriceSum *sum)
{
	if (state->measure == REVENUE)
		return ec_price_total(sum, state->scale);
	return NumericGetDatum(int64_to_numeric((int64) sum->sum));
}

static Datum
key_text(const Trending *state, const GrowthItem *item, bool *isnull)
{
	*isnull = item->key[0] != 0;
	if (*isnull)
		return (Datum) 0;
	if (state->by != BY_PRODUCT)
		return ec_interner_datum(state->texts, (uint32) item->key[1], isnull);
	return CStringGetTextDatum(psprintf(INT64_FORMAT, (int64) item->key[1]));
}

static void
put_row(const Trending *state, EcResult *result, const GrowthItem *item, int64 rank)
{
	EcPriceSum current = current_of(&item->growth);
	EcPriceSum previous = previous_of(&item->growth);
	bool nulls[COLUMNS] = {false};
	Datum values[COLUMNS] = {0};
	MemoryContext old = MemoryContextSwitchTo(result->row_context);
	double change = ec_price_difference(&current, &previous, state->scale);
	double all = ec_price_difference(&state->all_current, &state->all_previous, state->scale);

	values[0] = Int64GetDatum(rank);
	values[1] = key_text(state, item, &nulls[1]);
	values[2] = amount(state, &current);
	values[3] = amount(state, &previous);
	nulls[4] = ec_price_is_zero(&previous, state->scale);
	if (!nulls[4])
		values[4] = Float8GetDatum(
			ec_price_double(&current, state->scale) / ec_price_double(&previous, state->scale) - 1);
	nulls[5] = all == 0;
	if (!nulls[5])
		values[5] = Float8GetDatum(change == 0 ? 0 : change / all);
	MemoryContextSwitchTo(old);
	ec_result_put(result, values, nulls);
}

static void
put_rows(Trending *state, int64 k, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_price_init(&state->all_current);
	ec_price_init(&state->all_previous);
	if (state->by != BY_PRODUCT)
		state->ranks = ec_interner_ranks(state->texts, state->context);
	ec_topk_init(&state->top, sizeof(GrowthItem), k, compare_items, state, state->context);
	ec_tally_visit(state->tally, visit_growth, state);
	ec_tally_destroy(state->tally);
	ec_topk_finish(&state->top);
	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < state->top.n; i++)
		put_row(state, &result, (const GrowthItem *) state->top.items + i, i + 1);
}

/* ---- parameters ---- */

static void
check_period(FunctionCallInfo fcinfo)
{
	static const Interval zero = {0};

	ec_args_require(fcinfo, ARG_PERIOD, "period");
	if (DatumGetInt32(DirectFunctionCall2(interval_cmp, PG_GETARG_DATUM(ARG_PERIOD),
										  IntervalPGetDatum(&zero))) <= 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("period must be longer than zero")));
	if (!PG_ARGISNULL(ARG_AS_OF) && TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(ARG_AS_OF)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("as_of must be finite")));
}

static Numeric
get_min_previous(FunctionCallInfo fcinfo)
{
	Numeric value;

	ec_args_require(fcinfo, ARG_MIN_PREVIOUS, "min_previous");
	value = PG_GETARG_NUMERIC(ARG_MIN_PREVIOUS);
	if (numeric_is_nan(value) || ec_price_compare_scaled(value, 0, 0) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("min_previous must be 0 or greater")));
	return value;
}

Datum
ec_trending(PG_FUNCTION_ARGS)
{
	int64 k = ec_args_get_k(fcinfo, ARG_K);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight trending", ALLOCSET_DEFAULT_SIZES);
	Trending *state = MemoryContextAllocZero(context, sizeof(Trending));

	ec_args_get(fcinfo, ARG_COMMON, &state->args);
	check_period(fcinfo);
	state->by = ec_args_get_word(fcinfo, ARG_BY, "by", key_names);
	state->measure = ec_args_get_word(fcinfo, ARG_MEASURE, "measure", measure_names);
	state->min_previous = get_min_previous(fcinfo);
	state->context = context;
	state->texts = ec_interner_create(context);
	for (int i = 0; i < KEY_WORDS; i++)
		state->key_words[i] = MemoryContextAlloc(context, sizeof(uint64) * EC_BLOCK_ROWS);
	state->tally = ec_tally_create(context, KEY_WORDS, STATE_WORDS, combine_growths, 1.0);
	if (set_periods(state, fcinfo))
		count_rows(state);
	put_rows(state, k, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
