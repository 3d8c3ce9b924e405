/*
 * users.c
 *	  Users and what they look at: top_user_categories, top_user_category_brands.
 *
 * A row's category (and brand) become one group number; (user, group) pairs are
 * counted, and a heap keeps the first k.  All keys compare as integers: the texts'
 * ranks are known once the last row has been read.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/counts.h"
#include "insight/groups.h"
#include "insight/rows.h"
#include "insight/topk.h"

#define ARG_K 1
#define ARG_COMMON 2

PG_FUNCTION_INFO_V1(ec_top_user_categories);
PG_FUNCTION_INFO_V1(ec_top_user_category_brands);

typedef struct UserTop
{
	MemoryContext context;
	bool with_brand;
	EcInterner *categories;
	EcInterner *brands;
	EcGroups groups; /* of (category, brand); without brand a group is the category's id */
	EcCounts *counts;
	uint32 *category_ranks;
	uint32 *brand_ranks;
	EcTopK top;
} UserTop;

static uint32
category_of(const UserTop *state, uint32 group)
{
	return state->with_brand ? (uint32) state->groups.keys[group].major : group;
}

static uint32
brand_of(const UserTop *state, uint32 group)
{
	return state->with_brand ? state->groups.keys[group].minor : EC_ID_NULL;
}

#define compare_numbers(a, b) (((a) > (b)) - ((a) < (b)))

/* count DESC, user_id, category_code, brand: NULLs last */
static int
compare_counts(const void *a, const void *b, void *arg)
{
	const UserTop *state = arg;
	const EcCount *x = a;
	const EcCount *y = b;
	int order = compare_numbers(y->n, x->n);

	if (order == 0)
		order = compare_numbers(x->user_null, y->user_null);
	if (order == 0)
		order = compare_numbers(x->user, y->user);
	if (order == 0)
		order = compare_numbers(state->category_ranks[category_of(state, x->group)],
								state->category_ranks[category_of(state, y->group)]);
	if (order == 0 && state->with_brand)
		order = compare_numbers(state->brand_ranks[brand_of(state, x->group)],
								state->brand_ranks[brand_of(state, y->group)]);
	return order;
}

static void
visit_count(const EcCount *count, uint64 *least, void *arg)
{
	UserTop *state = arg;
	const EcCount *worst;

	ec_topk_offer(&state->top, count);
	worst = ec_topk_worst(&state->top);
	if (worst != NULL)
		*least = worst->n;
}

static void
count_rows(UserTop *state, const EcArgs *args)
{
	uint32 columns = EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_CATEGORY_CODE);
	EcTextColumn category;
	EcTextColumn brand;
	EcIntColumn user;
	uint32 *pairs = MemoryContextAlloc(state->context, sizeof(uint32) * EC_BLOCK_ROWS);
	EcRows rows;

	ec_text_column_init(&category, EC_COL_CATEGORY_CODE, state->categories, state->context);
	ec_text_column_init(&brand, EC_COL_BRAND, state->brands, state->context);
	ec_int_column_init(&user, EC_COL_USER, state->context);
	if (state->with_brand)
		columns |= EC_COL_BIT(EC_COL_BRAND);
	ec_rows_open(&rows, args, columns, state->context);
	while (ec_rows_next(&rows))
	{
		const uint32 *groups = ec_rows_ids(&rows, &category);
		const uint8 *nulls;
		const int64 *users = ec_rows_ints(&rows, &user, &nulls);

		if (state->with_brand)
		{
			ec_groups_find_ids(&state->groups, rows.n, groups, ec_rows_ids(&rows, &brand), pairs);
			groups = pairs;
		}
		ec_counts_add(state->counts, rows.n, users, nulls, groups);
	}
	ec_rows_close(&rows);
}

static void
put_rows(UserTop *state, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < state->top.n; i++)
	{
		const EcCount *count = (const EcCount *) state->top.items + i;
		Datum values[5];
		bool nulls[5] = {false};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);
		int column = 0;

		values[column++] = Int64GetDatum(i + 1);
		nulls[column] = count->user_null;
		values[column++] = Int64GetDatum(count->user);
		values[column] =
			ec_interner_datum(state->categories, category_of(state, count->group), &nulls[column]);
		column++;
		if (state->with_brand)
		{
			values[column] =
				ec_interner_datum(state->brands, brand_of(state, count->group), &nulls[column]);
			column++;
		}
		values[column] = Int64GetDatum((int64) count->n);
		MemoryContextSwitchTo(old);
		ec_result_put(&result, values, nulls);
	}
}

static Datum
top_users(FunctionCallInfo fcinfo, bool with_brand)
{
	EcArgs args;
	int64 k = ec_args_get_k(fcinfo, ARG_K);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight users", ALLOCSET_DEFAULT_SIZES);
	UserTop *state = MemoryContextAllocZero(context, sizeof(UserTop));

	ec_args_get(fcinfo, ARG_COMMON, &args);
	state->context = context;
	state->with_brand = with_brand;
	state->categories = ec_interner_create(context);
	state->brands = ec_interner_create(context);
	ec_groups_init(&state->groups, context);
	state->counts = ec_counts_create(context);
	count_rows(state, &args);
	state->category_ranks = ec_interner_ranks(state->categories, context);
	state->brand_ranks = ec_interner_ranks(state->brands, context);
	ec_topk_init(&state->top, sizeof(EcCount), k, compare_counts, state, context);
	ec_counts_visit(state->counts, visit_count, state);
	ec_counts_destroy(state->counts);
	ec_topk_finish(&state->top);
	put_rows(state, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}

Datum
ec_top_user_categories(PG_FUNCTION_ARGS)
{
	return top_users(fcinfo, false);
}

Datum
ec_top_user_category_brands(PG_FUNCTION_ARGS)
{
	return top_users(fcinfo, true);
}
