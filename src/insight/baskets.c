/*
 * baskets.c
 *	  cross_sell: pairs of categories, brands or products that are in a basket together.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/buyers.h"
#include "insight/groups.h"
#include "insight/pairs.h"
#include "insight/rows.h"
#include "insight/sessions.h"
#include "insight/topk.h"

#define ARG_K 1
#define ARG_LEVEL 2
#define ARG_BASKET 3
#define ARG_MIN_BASKETS 4
#define ARG_COMMON 5

#define BUYERS_SHARE 0.4
#define INT64_DIGITS 24 /* sign, digits, zero byte */

PG_FUNCTION_INFO_V1(ec_cross_sell);

typedef enum Level
{
	LEVEL_CATEGORY,
	LEVEL_BRAND,
	LEVEL_PRODUCT
} Level;

static const char *const level_words[] = {"category", "brand", "product", NULL};

typedef enum Basket
{
	BASKET_SESSION,
	BASKET_USER
} Basket;

static const char *const basket_words[] = {"session", "user", NULL};

typedef struct CrossSell
{
	MemoryContext context;
	Level level;
	Basket basket;
	int64 min_baskets;
	EcInterner *items; /* their texts; products' in the order of their groups */
	EcGroups products;
	EcPairs *pairs;
	uint32 *ranks;
	EcTopK top;
} CrossSell;

/* Items of the selected rows by number; EC_ID_NULL is none. */
typedef struct ItemColumn
{
	EcTextColumn text;
	EcIntColumn product;
	uint32 *no_minors; /* zeros */
	uint32 *ids;
} ItemColumn;

static void
init_items(const CrossSell *state, ItemColumn *column)
{
	Size size = sizeof(uint32) * EC_BLOCK_ROWS;

	ec_text_column_init(&column->text,
						state->level == LEVEL_BRAND ? EC_COL_BRAND : EC_COL_CATEGORY_CODE,
						state->items, state->context);
	ec_int_column_init(&column->product, EC_COL_PRODUCT, state->context);
	column->no_minors = MemoryContextAllocZero(state->context, size);
	column->ids = MemoryContextAlloc(state->context, size);
}

/* A product's id is that of its text: both are given in the order of appearance. */
static void
find_products(CrossSell *state, uint32 n, const int64 *products, const uint8 *nulls,
			  ItemColumn *column)
{
	ec_groups_find(&state->products, n, products, NULL, column->no_minors, column->ids);
	for (uint32 i = ec_interner_count(state->items); i < state->products.count; i++)
	{
		char digits[INT64_DIGITS];
		int len = pg_lltoa(state->products.keys[i].major, digits);

		ec_interner_intern(state->items, digits, len);
	}
	for (uint32 i = 0; i < n; i++)
		column->ids[i] = nulls != NULL && nulls[i] ? EC_ID_NULL : column->ids[i] + 1;
}

static const uint32 *
find_items(CrossSell *state, EcRows *rows, ItemColumn *column)
{
	const uint8 *nulls;
	const int64 *products;

	if (state->level != LEVEL_PRODUCT)
		return ec_rows_ids(rows, &column->text);
	products = ec_rows_ints(rows, &column->product, &nulls);
	find_products(state, rows->n, products, nulls, column);
	return column->ids;
}

static EcEventColumn
item_column(const CrossSell *state)
{
	if (state->level == LEVEL_PRODUCT)
		return EC_COL_PRODUCT;
	return state->level == LEVEL_BRAND ? EC_COL_BRAND : EC_COL_CATEGORY_CODE;
}

static uint32
wanted_columns(const CrossSell *state)
{
	uint32 columns = EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(item_column(state));

	return state->basket == BASKET_SESSION ? columns | EC_COL_BIT(EC_COL_SESSION) : columns;
}

static void
count_rows(CrossSell *state, EcRows *rows)
{
	uint8 *skip = MemoryContextAlloc(state->context, EC_BLOCK_ROWS);
	bool by_session = state->basket == BASKET_SESSION;
	ItemColumn column;
	EcIntColumn user;
	EcSessionColumn session;

	init_items(state, &column);
	ec_int_column_init(&user, EC_COL_USER, state->context);
	ec_session_column_init(&session, state->context);
	while (ec_rows_next(rows))
	{
		const uint32 *items = find_items(state, rows, &column);
		const uint8 *nulls;
		const int64 *users = ec_rows_ints(rows, &user, &nulls);
		const uint64 *key[3] = {(const uint64 *) users, session.first, session.second};

		if (by_session)
			ec_rows_sessions(rows, &session);
		for (uint32 i = 0; i < rows->n; i++)
			skip[i] = items[i] == EC_ID_NULL || (nulls != NULL && nulls[i]) ||
					  (by_session && session.nulls[i]);
		ec_pairs_add(state->pairs, rows->n, key, items, skip);
	}
}

/* ---- purchases, buyer by buyer ---- */

/* The items of one basket. */
typedef struct Items
{
	uint32 n;
	uint32 capacity;
	uint32 *items;
} Items;

static void
add_item(Items *items, uint32 item)
{
	if (item == EC_ID_NULL)
		return;
	if (items->n == items->capacity)
	{
		items->capacity *= 2;
		items->items = repalloc_huge(items->items, sizeof(uint32) * (Size) items->capacity);
	}
	items->items[items->n++] = item;
}

static uint32
item_of(CrossSell *state, const uint64 *row, int word, uint64 flags, ItemColumn *column)
{
	uint8 isnull = (flags & EC_BUYERS_NULL(EC_COL_PRODUCT)) != 0;

	if (state->level != LEVEL_PRODUCT)
		return (uint32) row[word];
	find_products(state, 1, (const int64 *) &row[word], &isnull, column);
	return column->ids[0];
}

static int
compare_items(const void *a, const void *b)
{
	uint32 x = *(const uint32 *) a;
	uint32 y = *(const uint32 *) b;

	return x < y ? -1 : x > y;
}

/* Counts the basket, each item once. */
static void
end_basket(CrossSell *state, Items *items)
{
	uint32 n = 0;

	if (items->n > 1)
		qsort(items->items, items->n, sizeof(uint32), compare_items);
	for (uint32 i = 0; i < items->n; i++)
	{
		if (n == 0 || items->items[i] != items->items[n - 1])
			items->items[n++] = items->items[i];
	}
	ec_pairs_add_basket(state->pairs, items->items, n);
	items->n = 0;
}

/* A buyer's baskets: all of the purchases, or those of each session. */
static void
count_baskets(CrossSell *state, EcBuyer *buyer, int item, int session, Items *items,
			  ItemColumn *column)
{
	if (session >= 0)
		ec_buyer_group(buyer, session);
	for (uint32 i = 0; i < buyer->n; i++)
	{
		const uint64 *row = buyer->rows + (Size) i * buyer->words;
		uint64 flags = ec_buyer_flags(buyer, i);

		if (session >= 0 && i > 0 &&
			memcmp(row + session, row + session - buyer->words, sizeof(uint64) * 2) != 0)
		{
			end_basket(state, items);
		}
		if (session < 0 || (flags & EC_BUYERS_NULL(EC_COL_SESSION)) == 0)
			add_item(items, item_of(state, row, item, flags, column));
	}
	end_basket(state, items);
}

static void
count_buyers(CrossSell *state, EcBuyers *buyers)
{
	int item = ec_buyers_word(buyers, item_column(state));
	int session = ec_buyers_word(buyers, EC_COL_SESSION);
	Items items = {.capacity = 64};
	ItemColumn column;
	EcBuyer buyer;

	if (state->level != LEVEL_PRODUCT)
		state->items = ec_buyers_texts(buyers, item_column(state));
	init_items(state, &column);
	items.items = MemoryContextAlloc(state->context, sizeof(uint32) * items.capacity);
	while (ec_rows_next(ec_buyers_rows(buyers)))
		ec_buyers_add(buyers);
	ec_buyers_sort(buyers);
	while (ec_buyers_next(buyers, &buyer))
		count_baskets(state, &buyer, item, session, &items, &column);
}

static void
count(CrossSell *state, const EcArgs *args)
{
	EcBuyers *buyers;
	EcRows rows;

	if (ec_buyers_are_all(args))
	{
		buyers = ec_buyers_open(args, wanted_columns(state), BUYERS_SHARE, state->context);
		count_buyers(state, buyers);
		ec_buyers_close(buyers);
		return;
	}
	ec_rows_open(&rows, args, wanted_columns(state), state->context);
	count_rows(state, &rows);
	ec_rows_close(&rows);
}

/* Orders a pair's items by their texts. */
static void
visit_pair(const EcPair *pair, void *arg)
{
	CrossSell *state = arg;
	EcPair item = *pair;

	if (item.both < state->min_baskets)
		return;
	if (state->ranks[item.a] > state->ranks[item.b])
	{
		item.a = pair->b;
		item.b = pair->a;
	}
	ec_topk_offer(&state->top, &item);
}

/* baskets DESC, item_a, item_b */
static int
compare_pairs(const void *a, const void *b, void *arg)
{
	const CrossSell *state = arg;
	const EcPair *x = a;
	const EcPair *y = b;
	uint32 xrank = state->ranks[x->a];
	uint32 yrank = state->ranks[y->a];

	if (x->both != y->both)
		return x->both > y->both ? -1 : 1;
	if (xrank == yrank)
	{
		xrank = state->ranks[x->b];
		yrank = state->ranks[y->b];
	}
	return (xrank > yrank) - (xrank < yrank);
}

static void
put_rows(CrossSell *state, FunctionCallInfo fcinfo)
{
	int64 nbaskets = ec_pairs_baskets(state->pairs);
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < state->top.n; i++)
	{
		const EcPair *pair = (const EcPair *) state->top.items + i;
		int64 a = ec_pairs_item(state->pairs, pair->a);
		int64 b = ec_pairs_item(state->pairs, pair->b);
		double both = (double) pair->both;
		Datum values[8];
		bool nulls[8] = {false};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);

		values[0] = Int64GetDatum(i + 1);
		values[1] = ec_interner_datum(state->items, pair->a, &nulls[1]);
		values[2] = ec_interner_datum(state->items, pair->b, &nulls[2]);
		values[3] = Int64GetDatum(pair->both);
		values[4] = Float8GetDatum(both / (double) nbaskets);
		values[5] = Float8GetDatum(both / (double) a);
		values[6] = Float8GetDatum(both / (double) b);
		values[7] =
			Float8GetDatum((double) ((int128) pair->both * nbaskets) / (double) ((int128) a * b));
		MemoryContextSwitchTo(old);
		ec_result_put(&result, values, nulls);
	}
}

Datum
ec_cross_sell(PG_FUNCTION_ARGS)
{
	EcArgs args;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight baskets", ALLOCSET_DEFAULT_SIZES);
	CrossSell *state = MemoryContextAllocZero(context, sizeof(CrossSell));
	int64 k;

	ec_args_get(fcinfo, ARG_COMMON, &args);
	k = ec_args_get_k(fcinfo, ARG_K);
	state->context = context;
	state->level = ec_args_get_word(fcinfo, ARG_LEVEL, "level", level_words);
	state->basket = ec_args_get_word(fcinfo, ARG_BASKET, "basket", basket_words);
	state->min_baskets = ec_args_get_int(fcinfo, ARG_MIN_BASKETS, "min_baskets", 1, PG_INT32_MAX);
	state->items = ec_interner_create(context);
	ec_groups_init(&state->products, context);
	state->pairs = ec_pairs_create(context, state->basket == BASKET_SESSION ? 3 : 1);
	count(state, &args);
	ec_pairs_finish(state->pairs, ec_interner_count(state->items) + 1, state->min_baskets);
	state->ranks = ec_interner_ranks(state->items, context);
	ec_topk_init(&state->top, sizeof(EcPair), k, compare_pairs, state, context);
	ec_pairs_visit(state->pairs, visit_pair, state);
	ec_topk_finish(&state->top);
	put_rows(state, fcinfo);
	ec_pairs_destroy(state->pairs);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
