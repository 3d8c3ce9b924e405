/*
 * users.c
 *	  Users and what they look at: top_user_categories, top_user_category_brands.
 *
 * A row's category (and brand) become one group number; (user, group) pairs are
 * counted, and a heap keeps the first k.  Where summaries count, their lists of the greatest
 * tell which users to look at (user_tops.c); where they can't, all cells are read
 * (user_cells.c).
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/counts.h"
#include "insight/groups.h"
#include "insight/projection.h"
#include "insight/rows.h"
#include "insight/topk.h"
#include "insight/user_tops.h"

#define ARG_K 1
#define ARG_COMMON 2

/* What a row costs beside a cell by user. */
#define ROW_COST 4

PG_FUNCTION_INFO_V1(ec_top_user_categories);
PG_FUNCTION_INFO_V1(ec_top_user_category_brands);

typedef struct UserTop
{
	MemoryContext context;
	bool with_brand;
	EcInterner *categories;
	EcInterner *brands;
	EcGroups groups; /* of (category, brand) rows; without brand a group is the category's id */
	EcCounts *counts;
	EcTopK top; /* of EcUserTop */
} UserTop;

static int
compare_tops(const void *a, const void *b, void *arg)
{
	const UserTop *state = arg;

	return ec_user_top_compare(a, b, state->categories, state->brands);
}

/* ---- rows ---- */

static void
visit_count(const EcCount *count, uint64 *least, void *arg)
{
	UserTop *state = arg;
	EcUserTop top = {count->user, (int64) count->n, count->group, EC_ID_NULL, count->user_null};
	const EcUserTop *worst;

	if (state->with_brand)
	{
		top.code = (uint32) state->groups.keys[count->group].major;
		top.brand = state->groups.keys[count->group].minor;
	}
	ec_topk_offer(&state->top, &top);
	worst = ec_topk_worst(&state->top);
	if (worst != NULL)
		*least = (uint64) worst->n;
}

static void
count_rows(UserTop *state, EcRows *rows)
{
	EcTextColumn category;
	EcTextColumn brand;
	EcIntColumn user;
	uint32 *pairs = MemoryContextAlloc(state->context, sizeof(uint32) * EC_BLOCK_ROWS);

	ec_text_column_init(&category, EC_COL_CATEGORY_CODE, state->categories, state->context);
	ec_text_column_init(&brand, EC_COL_BRAND, state->brands, state->context);
	ec_int_column_init(&user, EC_COL_USER, state->context);
	ec_groups_init(&state->groups, state->context);
	state->counts = ec_counts_create(state->context);
	while (ec_rows_next(rows))
	{
		const uint32 *groups = ec_rows_ids(rows, &category);
		const uint8 *nulls;
		const int64 *users = ec_rows_ints(rows, &user, &nulls);

		if (state->with_brand)
		{
			ec_groups_find_ids(&state->groups, rows->n, groups, ec_rows_ids(rows, &brand), pairs);
			groups = pairs;
		}
		ec_counts_add(state->counts, rows->n, users, nulls, groups);
	}
	ec_counts_visit(state->counts, visit_count, state);
	ec_counts_destroy(state->counts);
}

/* ---- summaries ---- */

static void
offer_top(const EcUserTop *top, void *arg)
{
	UserTop *state = arg;
	const EcUserTop *worst = ec_topk_worst(&state->top);

	if (worst == NULL || top->n >= worst->n)
		ec_topk_offer(&state->top, top);
}

/* Lets lists of the greatest tell; false: they don't, or not without looking up too many users. */
static bool
count_lists(UserTop *state, EcUserQuery *query, uint32 lookups)
{
	int64 k = state->top.k;

	if (k == EC_K_ALL)
		return false;
	if (ec_user_query_is_unbounded(query))
		return ec_user_tops_visit(query->cells, query->sets, query->nsets, 0, k, offer_top, state);
	return ec_user_tops_visit_range(query->cells, query->sets, query->nsets, &query->rows.slots, 0,
									k, lookups, offer_top, state);
}

static void
count_cells(UserTop *state, EcUserQuery *query)
{
	EcUserSlice slice;

	ec_user_query_read(query);
	while (ec_user_cells_next(query->cells, &slice))
		ec_user_slice_visit(&slice, state->with_brand, offer_top, state);
}

/*
 * Cells are in order of users, so that all of them are read, however short the range: its rows may be
 * fewer.  A user that is looked up costs a block of cells of each set; those may cost half of what rows do.
 */
static bool
prefers_rows(const UserTop *state, EcUserQuery *query, uint32 *lookups)
{
	int64 max;
	int64 n;

	*lookups = PG_UINT32_MAX;
	if (ec_user_query_is_unbounded(query))
		return false;
	max = ec_user_query_cells(query,
							  state->with_brand ? EC_PROJECTION_USER_BRAND : EC_PROJECTION_USER) /
		  ROW_COST;
	n = ec_user_query_count(query, max);
	if (n > max)
		return false;
	*lookups = (uint32) Min(n * ROW_COST / EC_BLOCK_ROWS / Max(query->nsets, 1) / 2, PG_UINT32_MAX);
	return true;
}

/* All rows of the range, instead of cells. */
static void
reopen(EcUserQuery *query, const EcArgs *args, uint32 columns)
{
	MemoryContext context = query->context;

	ec_user_query_close(query);
	memset(query, 0, sizeof(EcUserQuery));
	query->context = context;
	ec_rows_open(&query->rows, args, columns, context);
}

static void
count_covered(UserTop *state, EcUserQuery *query, const EcArgs *args, uint32 columns)
{
	uint32 lookups;
	bool by_rows = prefers_rows(state, query, &lookups);

	if (count_lists(state, query, lookups))
		return;
	if (by_rows)
	{
		reopen(query, args, columns);
		count_rows(state, &query->rows);
	}
	else
		count_cells(state, query);
}

static void
count_all(UserTop *state, const EcArgs *args)
{
	uint32 columns = EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_CATEGORY_CODE);
	uint32 want = EC_USER_WANT_ROWS | EC_USER_WANT_CODES;
	uint32 projections = EC_PROJECTION_BIT(EC_PROJECTION_TOP_CATEGORY);
	EcUserQuery query;

	if (state->with_brand)
	{
		columns |= EC_COL_BIT(EC_COL_BRAND);
		want |= EC_USER_WANT_BRANDS;
		projections = EC_PROJECTION_BIT(EC_PROJECTION_TOP_BRAND);
	}
	if (ec_user_query_open(&query, args, columns, want, projections, state->categories,
						   state->brands, state->context))
		count_covered(state, &query, args, columns);
	else
		count_rows(state, &query.rows);
	ec_user_query_close(&query);
}

static void
put_rows(UserTop *state, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < state->top.n; i++)
	{
		const EcUserTop *top = (const EcUserTop *) state->top.items + i;
		Datum values[5];
		bool nulls[5] = {false};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);
		int column = 0;

		values[column++] = Int64GetDatum(i + 1);
		nulls[column] = top->isnull;
		values[column++] = Int64GetDatum(top->user);
		values[column] = ec_interner_datum(state->categories, top->code, &nulls[column]);
		column++;
		if (state->with_brand)
		{
			values[column] = ec_interner_datum(state->brands, top->brand, &nulls[column]);
			column++;
		}
		values[column] = Int64GetDatum(top->n);
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
	ec_topk_init(&state->top, sizeof(EcUserTop), k, compare_tops, state, context);
	count_all(state, &args);
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
