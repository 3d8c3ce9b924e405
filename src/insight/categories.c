/*
 * categories.c
 *	  popular_categories: interactions, views, carts, purchases and revenue of each
 *	  (category_id, category_code) or of each category_code.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/groups.h"
#include "insight/price.h"
#include "insight/rows.h"
#include "insight/topk.h"

#define ARG_K 1
#define ARG_BY 2
#define ARG_COMMON 3

#define TYPE_CLASSES 4 /* any other type (or none), EC_TYPE_VIEW, _CART, _PURCHASE */

PG_FUNCTION_INFO_V1(ec_popular_categories);

typedef struct Popular
{
	MemoryContext context;
	bool by_code; /* a group's number is the id of its category_code, else from groups */
	EcInterner *codes;
	uint32 *ranks;
	EcGroups groups;
	int64 (*counts)[TYPE_CLASSES]; /* [capacity] rows by class */
	EcPriceSum *revenues;		   /* [capacity] */
	uint32 capacity;
	int32 scale;
} Popular;

typedef struct CategoryItem
{
	int64 interactions;
	uint32 group;
} CategoryItem;

static uint32
ngroups(const Popular *state)
{
	return state->by_code ? ec_interner_count(state->codes) + 1 : state->groups.count;
}

static void
reserve(Popular *state, uint32 count)
{
	uint32 old = state->capacity;

	if (count <= old)
		return;
	state->capacity = Max(count, Max(old * 2, 1024));
	if (old == 0)
	{
		state->counts = MemoryContextAllocHuge(state->context,
											   sizeof(state->counts[0]) * (Size) state->capacity);
		state->revenues =
			MemoryContextAllocHuge(state->context, sizeof(EcPriceSum) * (Size) state->capacity);
	}
	else
	{
		state->counts =
			repalloc_huge(state->counts, sizeof(state->counts[0]) * (Size) state->capacity);
		state->revenues =
			repalloc_huge(state->revenues, sizeof(EcPriceSum) * (Size) state->capacity);
	}
	for (uint32 i = old; i < state->capacity; i++)
	{
		memset(state->counts[i], 0, sizeof(state->counts[i]));
		ec_price_init(&state->revenues[i]);
	}
}

static void
add_revenue(Popular *state, uint32 group, const EcPrices *prices, uint32 i)
{
	EcPriceState price = prices->states != NULL ? prices->states[i] : EC_PRICE_VALUE;

	if (price == EC_PRICE_VALUE)
		ec_price_add(&state->revenues[group], prices->values[i]);
	else if (price == EC_PRICE_ODD)
		ec_price_add_odd(&state->revenues[group], prices->odd[i], state->context);
}

static void
add_rows(Popular *state, uint32 n, const uint32 *groups, const uint32 *types,
		 const EcPrices *prices)
{
	for (uint32 i = 0; i < n; i++)
	{
		uint32 class = types[i] < TYPE_CLASSES ? types[i] : 0;

		state->counts[groups[i]][class]++;
		if (class == EC_TYPE_PURCHASE)
			add_revenue(state, groups[i], prices, i);
	}
}

static void
count_rows(Popular *state, const EcArgs *args)
{
	uint32 columns =
		EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE);
	uint32 *pairs = MemoryContextAlloc(state->context, sizeof(uint32) * EC_BLOCK_ROWS);
	EcTextColumn code;
	EcIntColumn id;
	EcRows rows;

	ec_text_column_init(&code, EC_COL_CATEGORY_CODE, state->codes, state->context);
	ec_int_column_init(&id, EC_COL_CATEGORY_ID, state->context);
	if (!state->by_code)
		columns |= EC_COL_BIT(EC_COL_CATEGORY_ID);
	ec_rows_open(&rows, args, columns, state->context);
	while (ec_rows_next(&rows))
	{
		const uint32 *groups = ec_rows_ids(&rows, &code);
		EcPrices prices;

		if (!state->by_code)
		{
			const uint8 *nulls;
			const int64 *ids = ec_rows_ints(&rows, &id, &nulls);

			ec_groups_find(&state->groups, rows.n, ids, nulls, groups, pairs);
			groups = pairs;
		}
		ec_rows_prices(&rows, &prices);
		reserve(state, ngroups(state));
		add_rows(state, rows.n, groups, ec_rows_types(&rows), &prices);
	}
	state->scale = rows.price_scale;
	ec_rows_close(&rows);
}

static uint32
code_of(const Popular *state, uint32 group)
{
	return state->by_code ? group : state->groups.keys[group].minor;
}

static int
compare_ids(const Popular *state, uint32 x, uint32 y)
{
	const EcGroupKey *a = &state->groups.keys[x];
	const EcGroupKey *b = &state->groups.keys[y];

	if (a->major_null != b->major_null)
		return a->major_null ? 1 : -1;
	return (a->major > b->major) - (a->major < b->major);
}

/* interactions DESC, category_id, category_code: NULLs last */
static int
compare_items(const void *a, const void *b, void *arg)
{
	const Popular *state = arg;
	const CategoryItem *x = a;
	const CategoryItem *y = b;
	int order = (y->interactions > x->interactions) - (y->interactions < x->interactions);

	if (order == 0 && !state->by_code)
		order = compare_ids(state, x->group, y->group);
	if (order == 0)
	{
		uint32 xrank = state->ranks[code_of(state, x->group)];
		uint32 yrank = state->ranks[code_of(state, y->group)];

		order = (xrank > yrank) - (xrank < yrank);
	}
	return order;
}

static void
offer_groups(Popular *state, EcTopK *top)
{
	uint32 n = Min(ngroups(state), state->capacity);

	for (uint32 group = 0; group < n; group++)
	{
		CategoryItem item = {0, group};

		for (int class = 0; class < TYPE_CLASSES; class ++)
			item.interactions += state->counts[group][class];
		if (item.interactions > 0)
			ec_topk_offer(top, &item);
	}
}

static void
put_rows(Popular *state, EcTopK *top, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < top->n; i++)
	{
		const CategoryItem *item = (const CategoryItem *) top->items + i;
		const int64 *counts = state->counts[item->group];
		Datum values[8] = {0};
		bool nulls[8] = {false};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);

		values[0] = Int64GetDatum(i + 1);
		nulls[1] = state->by_code || state->groups.keys[item->group].major_null;
		if (!nulls[1])
			values[1] = Int64GetDatum(state->groups.keys[item->group].major);
		values[2] = ec_interner_datum(state->codes, code_of(state, item->group), &nulls[2]);
		values[3] = Int64GetDatum(item->interactions);
		values[4] = Int64GetDatum(counts[EC_TYPE_VIEW]);
		values[5] = Int64GetDatum(counts[EC_TYPE_CART]);
		values[6] = Int64GetDatum(counts[EC_TYPE_PURCHASE]);
		values[7] = ec_price_total(&state->revenues[item->group], state->scale);
		MemoryContextSwitchTo(old);
		ec_result_put(&result, values, nulls);
	}
}

/* by => 'id' or 'code' */
static bool
get_by_code(FunctionCallInfo fcinfo)
{
	char *by = PG_ARGISNULL(ARG_BY) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(ARG_BY));

	if (by != NULL && strcmp(by, "id") == 0)
		return false;
	if (by == NULL || strcmp(by, "code") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("by must be \"id\" or \"code\"")));
	return true;
}

Datum
ec_popular_categories(PG_FUNCTION_ARGS)
{
	EcArgs args;
	int64 k = ec_args_get_k(fcinfo, ARG_K);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight categories", ALLOCSET_DEFAULT_SIZES);
	Popular *state = MemoryContextAllocZero(context, sizeof(Popular));
	EcTopK top;

	ec_args_get(fcinfo, ARG_COMMON, &args);
	state->by_code = get_by_code(fcinfo);
	state->context = context;
	state->codes = ec_interner_create(context);
	ec_groups_init(&state->groups, context);
	count_rows(state, &args);
	state->ranks = ec_interner_ranks(state->codes, context);
	ec_topk_init(&top, sizeof(CategoryItem), k, compare_items, state, context);
	offer_groups(state, &top);
	ec_topk_finish(&top);
	put_rows(state, &top, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
