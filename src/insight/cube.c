/*
 * cube.c
 *	  Answers a question to the bucketed views: groups of rows, and of cells of summaries.
 *
 * Words of a group's key: bucket, id, category_id, as far as they belong to the grain; then
 * the ids of category_code and brand, with flags for NULL ids beside them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "insight/cube_internal.h"
#include "insight/topk.h"
#include "vector/coltype.h"

/* Flags beside ids of texts (EC_ID_MAX). */
#define NO_ID (UINT64CONST(1) << 63)
#define NO_CATEGORY (UINT64CONST(1) << 31)
#define CODE_SHIFT 32
#define CODE_MASK 0x7FFFFFFF

/* A bucket's word that stands for NULL: no hour begins there. */
#define NO_BUCKET 1

#define MONEY_SCALE 2
#define MONEY_TYPMOD (((18 << 16) | MONEY_SCALE) + VARHDRSZ)
#define MONEY_SAFE INT64CONST(1000000000000000) /* what surely fits, in cents */

#define PRICE_BITS                                                                                 \
	(EC_CUBE_BIT(EC_CUBE_REVENUE) | EC_CUBE_BIT(EC_CUBE_PRICED) | EC_CUBE_BIT(EC_CUBE_PRICE_SUM) | \
	 EXTREME_BITS)
#define EXTREME_BITS (EC_CUBE_BIT(EC_CUBE_PRICE_MIN) | EC_CUBE_BIT(EC_CUBE_PRICE_MAX))
#define TYPE_BITS                                                                                  \
	(EC_CUBE_BIT(EC_CUBE_VIEWS) | EC_CUBE_BIT(EC_CUBE_CARTS) | EC_CUBE_BIT(EC_CUBE_PURCHASES) |    \
	 EC_CUBE_BIT(EC_CUBE_REVENUE))

/* ---- the views ---- */

#define MEASURES                                                                                   \
	EC_CUBE_INTERACTIONS, EC_CUBE_VIEWS, EC_CUBE_CARTS, EC_CUBE_PURCHASES, EC_CUBE_REVENUE,        \
		EC_CUBE_PRICED, EC_CUBE_PRICE_SUM, EC_CUBE_PRICE_MIN, EC_CUBE_PRICE_MAX
#define CATEGORY_COLUMNS                                                                           \
	13,                                                                                            \
	{                                                                                              \
		EC_CUBE_BUCKET, EC_CUBE_CATEGORY_ID, EC_CUBE_CODE, EC_CUBE_BRAND, MEASURES                 \
	}

static const EcCubeView views[] = {
	{"category_hour", USECS_PER_HOUR, EC_COL_TIME, CATEGORY_COLUMNS},
	{"category_day", USECS_PER_DAY, EC_COL_TIME, CATEGORY_COLUMNS},
	{"sales_hour", USECS_PER_HOUR, EC_COL_TIME, 10, {EC_CUBE_BUCKET, MEASURES}},
	{"sales_day", USECS_PER_DAY, EC_COL_TIME, 10, {EC_CUBE_BUCKET, MEASURES}},
	{"product_day",
	 USECS_PER_DAY,
	 EC_COL_PRODUCT,
	 14,
	 {EC_CUBE_BUCKET, EC_CUBE_ID, EC_CUBE_CATEGORY_ID, EC_CUBE_CODE, EC_CUBE_BRAND, MEASURES}},
	{"user_category_day",
	 USECS_PER_DAY,
	 EC_COL_USER,
	 4,
	 {EC_CUBE_BUCKET, EC_CUBE_ID, EC_CUBE_CODE, EC_CUBE_INTERACTIONS}},
};

const EcCubeView *
ec_cube_view(int i)
{
	return i < lengthof(views) ? &views[i] : NULL;
}

int
ec_cube_find_view(const char *name)
{
	for (int i = 0; i < lengthof(views); i++)
	{
		if (strcmp(views[i].name, name) == 0)
			return i;
	}
	return -1;
}

uint32
ec_cube_columns(const EcCubeView *view)
{
	uint32 columns = 0;

	for (int i = 0; i < view->ncolumns; i++)
		columns |= EC_CUBE_BIT(view->columns[i]);
	return columns;
}

/* ---- filters ---- */

bool
ec_cube_parse_id(const char *ptr, uint32 len, int64 *id)
{
	char buffer[MAXINT8LEN + 1];
	uint64 value = 0;
	bool negative = len > 0 && ptr[0] == '-';

	if (len == 0 || len > MAXINT8LEN)
		return false;
	for (uint32 i = negative; i < len; i++)
	{
		if (ptr[i] < '0' || ptr[i] > '9')
			return false;
		value = value * 10 + (uint64) (ptr[i] - '0');
	}
	*id = (int64) (negative ? 0 - value : value);
	return pg_lltoa(*id, buffer) == len && memcmp(buffer, ptr, len) == 0;
}

bool
ec_cube_keeps(const EcCubeFilter *filter, int64 value)
{
	uint32 low = 0;
	uint32 high = filter->n;

	while (low < high)
	{
		uint32 middle = (low + high) / 2;

		if (filter->ints[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low < filter->n && filter->ints[low] == value;
}

static void
skip_ids(const EcCubeFilter *filter, uint32 n, const int64 *values, const uint8 *nulls, uint8 *skip)
{
	for (uint32 i = 0; i < n; i++)
		skip[i] |= (nulls != NULL && nulls[i]) || !ec_cube_keeps(filter, values[i]);
}

/* A filter's texts were interned before all others. */
static void
skip_texts(const EcCubeFilter *filter, uint32 n, const uint32 *ids, uint8 *skip)
{
	for (uint32 i = 0; i < n; i++)
		skip[i] |= ids[i] == EC_ID_NULL || ids[i] > filter->n;
}

/* NULL: nothing is left out. */
static const uint8 *
find_skipped(EcCube *cube, const EcCubeBatch *batch)
{
	const EcCubeFilter *filters = cube->query->filters;
	uint8 *skip = cube->skip;

	if (cube->filtered == 0)
		return batch->skip;
	if (batch->skip != NULL)
		memcpy(skip, batch->skip, batch->n);
	else
		memset(skip, 0, batch->n);
	if (filters[EC_CUBE_ID].is_active)
		skip_ids(&filters[EC_CUBE_ID], batch->n, batch->ids, batch->no_id, skip);
	if (filters[EC_CUBE_CATEGORY_ID].is_active)
		skip_ids(&filters[EC_CUBE_CATEGORY_ID], batch->n, batch->categories, batch->no_category,
				 skip);
	if (filters[EC_CUBE_CODE].is_active)
		skip_texts(&filters[EC_CUBE_CODE], batch->n, batch->codes, skip);
	if (filters[EC_CUBE_BRAND].is_active)
		skip_texts(&filters[EC_CUBE_BRAND], batch->n, batch->brands, skip);
	return skip;
}

/* ---- groups ---- */

static inline bool
has_key(const EcCube *cube, EcCubeColumn column)
{
	return (cube->query->keys & EC_CUBE_BIT(column)) != 0;
}

static void
set_buckets(const EcCube *cube, const EcCubeBatch *batch, uint64 *words)
{
	int64 length = cube->query->view->length;

	for (uint32 i = 0; i < batch->n; i++)
	{
		int64 slot = batch->slots[i];

		if (batch->no_slot != NULL && batch->no_slot[i])
			slot = NO_BUCKET;
		else if (batch->length != length && !TIMESTAMP_NOT_FINITE(slot))
			slot = ec_slot_floor(slot, length);
		words[i] = (uint64) slot;
	}
}

static void
set_ids(const int64 *values, const uint8 *nulls, uint32 n, uint64 *words, uint64 *flags,
		uint64 flag)
{
	memcpy(words, values, sizeof(int64) * n);
	for (uint32 i = 0; i < n && nulls != NULL; i++)
		flags[i] |= nulls[i] ? flag : 0;
}

static void
set_keys(EcCube *cube, const EcCubeBatch *batch)
{
	uint64 *texts = cube->keys[cube->key_words - 1];
	int w = 0;

	memset(texts, 0, sizeof(uint64) * batch->n);
	if (has_key(cube, EC_CUBE_BUCKET))
		set_buckets(cube, batch, cube->keys[w++]);
	if (has_key(cube, EC_CUBE_ID))
		set_ids(batch->ids, batch->no_id, batch->n, cube->keys[w++], texts, NO_ID);
	if (has_key(cube, EC_CUBE_CATEGORY_ID))
		set_ids(batch->categories, batch->no_category, batch->n, cube->keys[w++], texts,
				NO_CATEGORY);
	for (uint32 i = 0; i < batch->n && has_key(cube, EC_CUBE_CODE); i++)
		texts[i] |= (uint64) batch->codes[i] << CODE_SHIFT;
	for (uint32 i = 0; i < batch->n && has_key(cube, EC_CUBE_BRAND); i++)
		texts[i] |= batch->brands[i];
}

uint64 *const *
ec_cube_find(EcCube *cube, const EcCubeBatch *batch, const uint8 **skip)
{
	const uint64 *keys[EC_CUBE_KEY_WORDS];

	*skip = find_skipped(cube, batch);
	set_keys(cube, batch);
	for (int w = 0; w < cube->key_words; w++)
		keys[w] = cube->keys[w];
	return ec_tally_find(cube->tally, batch->n, keys, *skip);
}

static void
combine_counts(uint64 *into, const uint64 *from)
{
	for (int i = 0; i < EC_TYPE_CLASSES; i++)
		into[i] += from[i];
}

static inline EcOddPrices *
odd_part(const uint64 *sum)
{
	return (EcOddPrices *) (uintptr_t) sum[EC_REVENUE_WORDS - 1];
}

/* As ec_revenue_combine, but with the extremes of odd prices. */
static void
combine_sums(uint64 *into, const uint64 *from)
{
	EcPriceSum sum = {.odd = odd_part(into)};
	EcPriceSum other = {.odd = odd_part(from)};

	ec_tally_add_int128(into, ec_tally_int128(from));
	if (other.odd == NULL)
		return;
	ec_price_add_sum(&sum, &other, GetMemoryChunkContext(other.odd));
	into[EC_REVENUE_WORDS - 1] = (uint64) (uintptr_t) sum.odd;
}

static void
combine(uint64 *into, const uint64 *from)
{
	combine_counts(into, from);
	into[EC_CUBE_PRICES] += from[EC_CUBE_PRICES];
	combine_sums(into + EC_CUBE_SUM, from + EC_CUBE_SUM);
	combine_sums(into + EC_CUBE_REVENUES, from + EC_CUBE_REVENUES);
	if (from[EC_CUBE_KNOWN])
		ec_cube_widen(into, (int64) from[EC_CUBE_MIN], (int64) from[EC_CUBE_MAX]);
}

/* ---- rows ---- */

/* The columns that rows are read with. */
static uint32
event_columns(const EcCube *cube)
{
	uint32 columns = 0;

	if (ec_cube_needs(cube, EC_CUBE_BUCKET))
		columns |= EC_COL_BIT(EC_COL_TIME);
	if (ec_cube_needs(cube, EC_CUBE_ID))
		columns |= EC_COL_BIT(cube->query->view->id);
	if (ec_cube_needs(cube, EC_CUBE_CATEGORY_ID))
		columns |= EC_COL_BIT(EC_COL_CATEGORY_ID);
	if (ec_cube_needs(cube, EC_CUBE_CODE))
		columns |= EC_COL_BIT(EC_COL_CATEGORY_CODE);
	if (ec_cube_needs(cube, EC_CUBE_BRAND))
		columns |= EC_COL_BIT(EC_COL_BRAND);
	if (cube->query->measures & TYPE_BITS)
		columns |= EC_COL_BIT(EC_COL_TYPE);
	if (cube->prices)
		columns |= EC_COL_BIT(EC_COL_PRICE);
	/* that of any view, in case nothing is asked but whether there are rows */
	return columns != 0 ? columns : EC_COL_BIT(EC_COL_TIME);
}

void
ec_cube_open_rows(EcCube *cube, uint32 columns)
{
	ec_rows_open(&cube->rows, &cube->args, event_columns(cube) | columns, cube->context);
	cube->scale = cube->rows.price_scale;
}

/* Of the keys those whose bits are given. */
static void
read_keys(EcCube *cube, EcRows *rows, uint32 keys, EcCubeBatch *batch)
{
	memset(batch, 0, sizeof(EcCubeBatch));
	batch->n = rows->n;
	if (keys & EC_CUBE_BIT(EC_CUBE_BUCKET))
		batch->slots = ec_rows_times(rows, &cube->time, &batch->no_slot);
	if (keys & EC_CUBE_BIT(EC_CUBE_ID))
		batch->ids = ec_rows_ints(rows, &cube->id, &batch->no_id);
	if (keys & EC_CUBE_BIT(EC_CUBE_CATEGORY_ID))
		batch->categories = ec_rows_ints(rows, &cube->category, &batch->no_category);
	if (keys & EC_CUBE_BIT(EC_CUBE_CODE))
		batch->codes = ec_rows_ids(rows, &cube->code);
	if (keys & EC_CUBE_BIT(EC_CUBE_BRAND))
		batch->brands = ec_rows_ids(rows, &cube->brand);
}

static void
count_types(EcCube *cube, EcRows *rows, uint64 *const *states)
{
	const uint32 *types;

	if ((cube->query->measures & TYPE_BITS) == 0)
	{
		for (uint32 i = 0; i < rows->n; i++)
			states[i][EC_CUBE_COUNTS] += (uint64) (int64) rows->sign;
		return;
	}
	types = ec_rows_types(rows);
	for (uint32 i = 0; i < rows->n; i++)
	{
		uint32 type = types[i] < EC_TYPE_CLASSES ? types[i] : 0;

		states[i][EC_CUBE_COUNTS + type] += (uint64) (int64) rows->sign;
	}
}

static void
add_prices(EcCube *cube, EcRows *rows, uint64 *const *states, const EcPrices *prices)
{
	const uint32 *types = cube->query->measures & TYPE_BITS ? rows->types.ids : NULL;
	MemoryContext context = cube->context;

	for (uint32 i = 0; i < rows->n; i++)
	{
		uint64 *state = states[i];
		EcPriceState kind = prices->states != NULL ? prices->states[i] : EC_PRICE_VALUE;

		if (kind == EC_PRICE_NONE)
			continue;
		state[EC_CUBE_PRICES]++;
		ec_revenue_add(state + EC_CUBE_SUM, prices, i, context);
		if (types != NULL && types[i] == EC_TYPE_PURCHASE)
			ec_revenue_add(state + EC_CUBE_REVENUES, prices, i, context);
		if (kind == EC_PRICE_VALUE)
			ec_cube_widen(state, prices->values[i], prices->values[i]);
	}
}

/* Rows that summaries count and that are hidden; their prices are never odd. */
static void
take_prices(EcCube *cube, EcRows *rows, uint64 *const *states, const EcPrices *prices)
{
	const uint32 *types = cube->query->measures & TYPE_BITS ? rows->types.ids : NULL;

	for (uint32 i = 0; i < rows->n; i++)
	{
		uint64 *state = states[i];

		if (prices->states != NULL && prices->states[i] != EC_PRICE_VALUE)
			continue;
		state[EC_CUBE_PRICES]--;
		ec_tally_add_int128(state + EC_CUBE_SUM, -(int128) prices->values[i]);
		if (types != NULL && types[i] == EC_TYPE_PURCHASE)
			ec_tally_add_int128(state + EC_CUBE_REVENUES, -(int128) prices->values[i]);
	}
}

/*
 * Leaves only rows that the filters let through, which are few, mostly, before anything else
 * is done with the others.  False: there are none.
 */
static bool
narrow_rows(EcCube *cube, EcRows *rows)
{
	EcCubeBatch batch;

	if (cube->filtered == 0)
		return true;
	read_keys(cube, rows, cube->filtered, &batch);
	(void) find_skipped(cube, &batch);
	for (uint32 i = 0; i < rows->n; i++)
		cube->skip[i] = !cube->skip[i];
	ec_rows_narrow(rows, cube->skip);
	return rows->n > 0;
}

static void
add_rows(EcCube *cube)
{
	EcRows *rows = &cube->rows;

	while (ec_rows_next(rows))
	{
		EcCubeBatch batch;
		EcPrices prices;
		const uint8 *skip;
		uint64 *const *states;

		cube->use->rows += rows->n;
		if (!narrow_rows(cube, rows))
			continue;
		read_keys(cube, rows, cube->needed, &batch);
		states = ec_cube_find(cube, &batch, &skip);
		count_types(cube, rows, states);
		if (!cube->prices)
			continue;
		ec_rows_prices(rows, &prices);
		if (rows->sign > 0)
			add_prices(cube, rows, states, &prices);
		else
			take_prices(cube, rows, states, &prices);
		if (rows->sign < 0 && cube->extremes)
		{
			const uint8 *no_time;
			const int64 *times = ec_rows_times(rows, &cube->time, &no_time);

			ec_cube_hide(cube, rows->n, times, no_time, &prices, skip);
		}
	}
}

/* Widens the extremes by what the rows of a range hold. */
static void
look_again(EcCube *cube, const EcSlots *range)
{
	EcArgs args = ec_extremes_args(&cube->args, range);
	EcRows rows;

	ec_rows_open(&rows, &args, event_columns(cube), cube->context);
	while (ec_rows_next(&rows))
	{
		EcCubeBatch batch;
		EcPrices prices;
		const uint8 *skip;
		uint64 *const *states;

		cube->use->rows += rows.n;
		if (!narrow_rows(cube, &rows))
			continue;
		read_keys(cube, &rows, cube->needed, &batch);
		states = ec_cube_find(cube, &batch, &skip);
		ec_rows_prices(&rows, &prices);
		for (uint32 i = 0; i < rows.n; i++)
		{
			if (prices.states == NULL || prices.states[i] == EC_PRICE_VALUE)
				ec_cube_widen(states[i], prices.values[i], prices.values[i]);
		}
	}
	ec_rows_close(&rows);
}

/* ---- rows out ---- */

typedef struct Output
{
	EcCube *cube;
	Tuplestorestate *store;
	TupleDesc desc;
	const EcCubeColumn *columns;
	MemoryContext row_context;
	EcTopK top; /* values of the measure that decides, if query->limit isn't 0 */
} Output;

/* A sum as two words, see ec_tally_int128. */
typedef struct TopValue
{
	uint64 words[2];
} TopValue;

static int
compare_values(const void *a, const void *b, void *arg)
{
	int128 x = ec_tally_int128(((const TopValue *) a)->words);
	int128 y = ec_tally_int128(((const TopValue *) b)->words);

	return (y > x) - (y < x);
}

/* The measure by which groups are left out; false: this one has none. */
static bool
get_top_value(const EcCubeQuery *query, const uint64 *state, int64 interactions, TopValue *value)
{
	memset(value, 0, sizeof(TopValue));
	switch (query->top)
	{
		case EC_CUBE_VIEWS:
			value->words[0] = state[EC_CUBE_COUNTS + EC_TYPE_VIEW];
			return true;
		case EC_CUBE_CARTS:
			value->words[0] = state[EC_CUBE_COUNTS + EC_TYPE_CART];
			return true;
		case EC_CUBE_PURCHASES:
			value->words[0] = state[EC_CUBE_COUNTS + EC_TYPE_PURCHASE];
			return true;
		case EC_CUBE_PRICED:
			value->words[0] = state[EC_CUBE_PRICES];
			return true;
		case EC_CUBE_REVENUE:
			memcpy(value->words, state + EC_CUBE_REVENUES, sizeof(value->words));
			return true;
		case EC_CUBE_PRICE_SUM:
			memcpy(value->words, state + EC_CUBE_SUM, sizeof(value->words));
			return state[EC_CUBE_PRICES] > 0;
		default:
			value->words[0] = (uint64) interactions;
			return true;
	}
}

/* Are there enough groups with more already? */
static bool
is_beyond_top(Output *output, const uint64 *state, int64 interactions)
{
	const EcCubeQuery *query = output->cube->query;
	const TopValue *worst;
	TopValue value;

	if (query->limit == 0 || !get_top_value(query, state, interactions, &value))
		return false;
	worst = ec_topk_worst(&output->top);
	if (worst != NULL && compare_values(&value, worst, NULL) > 0)
		return true;
	ec_topk_offer(&output->top, &value);
	return false;
}

static Datum
text_of_id(int64 id)
{
	char buffer[MAXINT8LEN + 1];

	return PointerGetDatum(cstring_to_text_with_len(buffer, pg_lltoa(id, buffer)));
}

static Datum
bucket_datum(const EcCubeView *view, int64 slot)
{
	if (view->length == USECS_PER_HOUR)
		return TimestampGetDatum(slot);
	if (slot == DT_NOBEGIN)
		return DateADTGetDatum(DATEVAL_NOBEGIN);
	if (slot == DT_NOEND)
		return DateADTGetDatum(DATEVAL_NOEND);
	return DateADTGetDatum((DateADT) (slot / USECS_PER_DAY));
}

static void
put_keys(const EcCube *cube, const uint64 *key, Datum *values, bool *nulls)
{
	uint64 texts = key[cube->key_words - 1];
	int w = 0;

	if (has_key(cube, EC_CUBE_BUCKET))
	{
		nulls[EC_CUBE_BUCKET] = key[w] == NO_BUCKET;
		if (!nulls[EC_CUBE_BUCKET])
			values[EC_CUBE_BUCKET] = bucket_datum(cube->query->view, (int64) key[w]);
		w++;
	}
	if (has_key(cube, EC_CUBE_ID))
	{
		nulls[EC_CUBE_ID] = (texts & NO_ID) != 0;
		values[EC_CUBE_ID] = nulls[EC_CUBE_ID] ? 0 : text_of_id((int64) key[w]);
		w++;
	}
	if (has_key(cube, EC_CUBE_CATEGORY_ID))
	{
		nulls[EC_CUBE_CATEGORY_ID] = (texts & NO_CATEGORY) != 0;
		values[EC_CUBE_CATEGORY_ID] = nulls[EC_CUBE_CATEGORY_ID] ? 0 : text_of_id((int64) key[w]);
	}
	if (has_key(cube, EC_CUBE_CODE))
		values[EC_CUBE_CODE] = ec_interner_datum(
			cube->codes, (uint32) (texts >> CODE_SHIFT) & CODE_MASK, &nulls[EC_CUBE_CODE]);
	if (has_key(cube, EC_CUBE_BRAND))
		values[EC_CUBE_BRAND] =
			ec_interner_datum(cube->brands, (uint32) texts & CODE_MASK, &nulls[EC_CUBE_BRAND]);
}

static EcPriceSum
price_sum(const uint64 *state, const uint64 *sum, int64 n)
{
	EcPriceSum price = ec_revenue_sum(sum, n);

	price.min = state[EC_CUBE_KNOWN] ? (int64) state[EC_CUBE_MIN] : PG_INT64_MAX;
	price.max = state[EC_CUBE_KNOWN] ? (int64) state[EC_CUBE_MAX] : PG_INT64_MIN;
	return price;
}

/* As numeric(18,2), unless it stands for several rows of the view. */
static Datum
money_datum(const EcCube *cube, const EcPriceSum *price)
{
	static const int64 cents[] = {100, 10, 1};
	Datum money;

	if (price->odd == NULL && cube->scale >= 0 && cube->scale <= MONEY_SCALE &&
		price->sum > -MONEY_SAFE && price->sum < MONEY_SAFE)
		return ec_numeric_from_scaled((int64) price->sum * cents[cube->scale], MONEY_SCALE);
	money = ec_price_total(price, cube->scale);
	if (!cube->query->is_reduced)
		money = DirectFunctionCall2(numeric, money, Int32GetDatum(MONEY_TYPMOD));
	return money;
}

static Datum
check_money(Datum money)
{
	return DirectFunctionCall2(numeric, money, Int32GetDatum(MONEY_TYPMOD));
}

static void
put_prices(const EcCube *cube, const uint64 *state, Datum *values, bool *nulls)
{
	uint32 measures = cube->query->measures;
	int64 priced = (int64) state[EC_CUBE_PRICES];
	EcPriceSum price = price_sum(state, state + EC_CUBE_SUM, priced);
	EcPriceSum revenue = ec_revenue_sum(state + EC_CUBE_REVENUES, 0);

	revenue.n = 1;
	values[EC_CUBE_PRICED] = Int64GetDatum(priced);
	nulls[EC_CUBE_PRICED] = false;
	if (measures & EC_CUBE_BIT(EC_CUBE_REVENUE))
	{
		values[EC_CUBE_REVENUE] = money_datum(cube, &revenue);
		nulls[EC_CUBE_REVENUE] = false;
	}
	if (priced == 0)
		return;
	if (measures & EC_CUBE_BIT(EC_CUBE_PRICE_SUM))
	{
		values[EC_CUBE_PRICE_SUM] = money_datum(cube, &price);
		nulls[EC_CUBE_PRICE_SUM] = false;
	}
	if (!cube->extremes)
		return;
	values[EC_CUBE_PRICE_MIN] = check_money(ec_price_min(&price, cube->scale));
	values[EC_CUBE_PRICE_MAX] = check_money(ec_price_max(&price, cube->scale));
	nulls[EC_CUBE_PRICE_MIN] = nulls[EC_CUBE_PRICE_MAX] = false;
}

static void
put_counts(const uint64 *counts, int64 interactions, Datum *values, bool *nulls)
{
	values[EC_CUBE_INTERACTIONS] = Int64GetDatum(interactions);
	values[EC_CUBE_VIEWS] = Int64GetDatum((int64) counts[EC_TYPE_VIEW]);
	values[EC_CUBE_CARTS] = Int64GetDatum((int64) counts[EC_TYPE_CART]);
	values[EC_CUBE_PURCHASES] = Int64GetDatum((int64) counts[EC_TYPE_PURCHASE]);
	for (int column = EC_CUBE_INTERACTIONS; column <= EC_CUBE_PURCHASES; column++)
		nulls[column] = false;
}

static void
put_group(const uint64 *key, uint64 *state, void *arg)
{
	Output *output = arg;
	const uint64 *counts = state + EC_CUBE_COUNTS;
	int64 interactions = (int64) (counts[0] + counts[1] + counts[2] + counts[3]);
	Datum values[EC_CUBE_COLUMNS] = {0};
	bool nulls[EC_CUBE_COLUMNS];
	Datum out_values[EC_CUBE_COLUMNS];
	bool out_nulls[EC_CUBE_COLUMNS];
	MemoryContext old;

	StaticAssertStmt(EC_TYPE_CLASSES == 4, "interactions are of four kinds");
	if (interactions == 0 || is_beyond_top(output, state, interactions))
		return; /* all were hidden, or nobody wants it */
	old = MemoryContextSwitchTo(output->row_context);
	memset(nulls, true, sizeof(nulls));
	put_keys(output->cube, key, values, nulls);
	put_counts(counts, interactions, values, nulls);
	if (output->cube->prices)
		put_prices(output->cube, state, values, nulls);
	for (int i = 0; i < output->desc->natts; i++)
	{
		out_values[i] = values[output->columns[i]];
		out_nulls[i] = nulls[output->columns[i]];
	}
	MemoryContextSwitchTo(old);
	tuplestore_putvalues(output->store, output->desc, out_values, out_nulls);
	MemoryContextReset(output->row_context);
}

/* ---- all of it ---- */

static void
intern_filter(const EcCubeFilter *filter, EcInterner *interner)
{
	for (uint32 i = 0; i < filter->n && filter->is_active; i++)
		ec_interner_intern(interner, filter->texts[i].ptr, filter->texts[i].len);
}

static void
begin(EcCube *cube, const EcCubeQuery *query, EcCubeUse *use)
{
	cube->query = query;
	cube->use = use;
	cube->needed = query->keys;
	for (int i = 0; i < EC_CUBE_KEYS; i++)
		cube->filtered |= query->filters[i].is_active ? EC_CUBE_BIT(i) : 0;
	cube->needed |= cube->filtered;
	cube->prices = (query->measures & PRICE_BITS) != 0;
	cube->extremes = (query->measures & EXTREME_BITS) != 0;
	cube->args.relid = query->relid;
	cube->args.has_since = query->has_since;
	cube->args.since = query->since;
	cube->args.has_until = query->has_until;
	cube->args.until = query->until;
	cube->codes = ec_interner_create(cube->context);
	cube->brands = ec_interner_create(cube->context);
	intern_filter(&query->filters[EC_CUBE_CODE], cube->codes);
	intern_filter(&query->filters[EC_CUBE_BRAND], cube->brands);
	ec_text_column_init(&cube->code, EC_COL_CATEGORY_CODE, cube->codes, cube->context);
	ec_text_column_init(&cube->brand, EC_COL_BRAND, cube->brands, cube->context);
	ec_int_column_init(&cube->time, EC_COL_TIME, cube->context);
	ec_int_column_init(&cube->id, query->view->id, cube->context);
	ec_int_column_init(&cube->category, EC_COL_CATEGORY_ID, cube->context);
}

static void
create_tally(EcCube *cube)
{
	cube->key_words = 1 + has_key(cube, EC_CUBE_BUCKET) + has_key(cube, EC_CUBE_ID) +
					  has_key(cube, EC_CUBE_CATEGORY_ID);
	cube->tally = ec_tally_create(cube->context, cube->key_words,
								  cube->prices ? EC_CUBE_STATE_WORDS : EC_TYPE_CLASSES,
								  cube->prices ? combine : combine_counts, 1);
	for (int w = 0; w < cube->key_words; w++)
		cube->keys[w] = MemoryContextAlloc(cube->context, sizeof(uint64) * EC_BLOCK_ROWS);
	cube->skip = MemoryContextAlloc(cube->context, EC_BLOCK_ROWS);
}

/* Groups of all rows of the question, from summaries where they tell. */
static void
add_all(EcCube *cube)
{
	EcSlots range;

	ec_cube_cover(cube);
	add_rows(cube);
	if (cube->is_covered)
		ec_cube_add_cells(cube);
	while (cube->extremes && cube->is_covered && ec_cube_next_range(cube, &range))
		look_again(cube, &range);
	ec_rows_close(&cube->rows);
}

void
ec_cube_run(const EcCubeQuery *query, Tuplestorestate *store, TupleDesc desc,
			const EcCubeColumn *columns, EcCubeUse *use)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight cube", ALLOCSET_DEFAULT_SIZES);
	EcCube *cube = MemoryContextAllocZero(context, sizeof(EcCube));
	Output output = {cube, store, desc, columns};

	cube->context = context;
	begin(cube, query, use);
	create_tally(cube);
	if (!ec_cube_add_tops(cube))
		add_all(cube);
	output.row_context = AllocSetContextCreate(context, "ecinsight cube row", ALLOCSET_SMALL_SIZES);
	if (query->limit > 0)
		ec_topk_init(&output.top, sizeof(TopValue), query->limit, compare_values, NULL, context);
	ec_tally_visit(cube->tally, put_group, &output);
	ec_tally_destroy(cube->tally);
	MemoryContextDelete(context);
}
