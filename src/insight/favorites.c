/*
 * favorites.c
 *	  favorite_category_brands: each user's first n combinations of category and brand.
 *
 * Pairs of user and combination are counted and sorted; all keys are integers, the
 * texts standing as their ranks.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/qunique.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/combinations.h"
#include "insight/counts.h"
#include "insight/rows.h"
#include "insight/sorter.h"
#include "insight/topk.h"
#include "insight/user_tops.h"

#define FAVORITES_USERS 1
#define FAVORITES_N 2
#define FAVORITES_COMMON 3

#define SHARE 0.5
#define USER_NULL (UINT64CONST(1) << 63) /* beside a count or a combination */

PG_FUNCTION_INFO_V1(ec_favorite_category_brands);

/* ---- favorite_category_brands ---- */

typedef struct Favorites
{
	MemoryContext context;
	bool chosen;  /* only some users */
	int64 *users; /* ascending, each once */
	uint32 nusers;
	int64 n;
	EcCombinations combinations;
	EcCounts *counts;
	EcSorter *sorter; /* user; USER_NULL and the count, descending; combination */
} Favorites;

static int
compare_users(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* users: NULL elements are nobody. */
static void
get_users(Favorites *state, ArrayType *array)
{
	Datum *elements;
	bool *nulls;
	int n;

	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements,
					  &nulls, &n);
	state->chosen = true;
	state->users = MemoryContextAlloc(state->context, sizeof(int64) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			state->users[state->nusers++] = DatumGetInt64(elements[i]);
	}
	qsort(state->users, state->nusers, sizeof(int64), compare_users);
	state->nusers = qunique(state->users, state->nusers, sizeof(int64), compare_users);
}

static void
keep_chosen(const Favorites *state, EcRows *rows, EcIntColumn *user, uint8 *keep)
{
	const uint8 *nulls;
	const int64 *users = ec_rows_ints(rows, user, &nulls);

	for (uint32 i = 0; i < rows->n; i++)
		keep[i] = (nulls == NULL || !nulls[i]) &&
				  ec_user_is_chosen(state->users, state->nusers, users[i]);
	ec_rows_narrow(rows, keep);
}

static void
count_favorites(Favorites *state, EcRows *rows)
{
	uint8 *keep = MemoryContextAlloc(state->context, EC_BLOCK_ROWS);
	EcIntColumn user;

	ec_int_column_init(&user, EC_COL_USER, state->context);
	state->counts = ec_counts_create(state->context);
	while (ec_rows_next(rows))
	{
		const uint8 *nulls;
		const int64 *users;

		if (state->chosen)
			keep_chosen(state, rows, &user, keep);
		if (rows->n == 0)
			continue;
		users = ec_rows_ints(rows, &user, &nulls);
		ec_counts_add(state->counts, rows->n, users, nulls,
					  ec_combinations_find(&state->combinations, rows));
	}
}

static void
visit_favorite(const EcCount *count, uint64 *least, void *arg)
{
	Favorites *state = arg;
	uint64 record[3];

	/* the count is below 2^63, so its complement has the bit that tells of NULL */
	record[0] = count->user_null ? PG_UINT64_MAX : ec_sorter_word(count->user);
	record[1] = ~count->n & ~USER_NULL;
	if (count->user_null)
		record[1] |= USER_NULL;
	record[2] = ec_combinations_word(&state->combinations, count->group);
	ec_sorter_put(state->sorter, record);
}

static void
put_favorite(EcResult *result, int64 user, bool isnull, int64 rank, int64 n, Datum category,
			 bool no_category, Datum brand, bool no_brand)
{
	Datum values[5] = {Int64GetDatum(user), Int64GetDatum(rank), category, brand, Int64GetDatum(n)};
	bool nulls[5] = {isnull, false, no_category, no_brand, false};

	ec_result_put(result, values, nulls);
}

static void
put_favorites(Favorites *state, EcResult *result)
{
	uint64 last_user = 0;
	bool last_null = false;
	int64 rank = 0;
	const uint64 *record;

	while ((record = ec_sorter_next(state->sorter)) != NULL)
	{
		bool user_null = (record[1] & USER_NULL) != 0;
		Datum texts[2];
		bool nulls[2];
		MemoryContext old;

		if (rank == 0 || record[0] != last_user || user_null != last_null)
			rank = 0;
		last_user = record[0];
		last_null = user_null;
		if (++rank > state->n && state->n != EC_K_ALL)
			continue;
		old = MemoryContextSwitchTo(result->row_context);
		ec_combinations_put(&state->combinations, record[2], texts, nulls);
		MemoryContextSwitchTo(old);
		put_favorite(result, ec_sorter_int64(record[0]), user_null, rank,
					 (int64) (~record[1] & ~USER_NULL), texts[0], nulls[0], texts[1], nulls[1]);
	}
}

static void
sort_favorites(Favorites *state, EcResult *result)
{
	ec_combinations_rank(&state->combinations, state->context);
	state->sorter = ec_sorter_create(state->context, 3, 3, SHARE);
	ec_counts_visit(state->counts, visit_favorite, state);
	ec_counts_destroy(state->counts);
	ec_sorter_sort(state->sorter);
	put_favorites(state, result);
	ec_sorter_destroy(state->sorter);
}

/* Cells come user by user, so each user's first n can be handed out at once, but the NULL user's. */
static void
put_first(Favorites *state, EcTopK *first, EcResult *result)
{
	const EcCombinations *combinations = &state->combinations;

	ec_topk_finish(first);
	for (int64 i = 0; i < first->n; i++)
	{
		const EcUserTop *top = (const EcUserTop *) first->items + i;
		bool no_category;
		bool no_brand;
		MemoryContext old = MemoryContextSwitchTo(result->row_context);
		Datum category = ec_interner_datum(combinations->categories, top->code, &no_category);
		Datum brand = ec_interner_datum(combinations->brands, top->brand, &no_brand);

		MemoryContextSwitchTo(old);
		put_favorite(result, top->user, top->isnull, i + 1, top->n, category, no_category, brand,
					 no_brand);
	}
	first->n = 0;
}

static void
offer_favorite(const EcUserTop *top, void *arg)
{
	ec_topk_offer(arg, top);
}

static int
compare_favorites(const void *a, const void *b, void *arg)
{
	const EcCombinations *combinations = arg;

	return ec_user_top_compare(a, b, combinations->categories, combinations->brands);
}

static void
read_favorites(Favorites *state, EcUserQuery *query, EcResult *result)
{
	EcUserSlice slice;
	EcTopK first;
	EcTopK of_null;

	ec_topk_init(&first, sizeof(EcUserTop), state->n, compare_favorites, &state->combinations,
				 state->context);
	ec_topk_init(&of_null, sizeof(EcUserTop), state->n, compare_favorites, &state->combinations,
				 state->context);
	ec_user_query_read(query);
	while (ec_user_cells_next(query->cells, &slice))
	{
		ec_user_slice_visit(&slice, true, offer_favorite, slice.isnull ? &of_null : &first);
		if (!slice.isnull)
			put_first(state, &first, result);
	}
	put_first(state, &of_null, result);
}

static void
find_favorites(Favorites *state, const EcArgs *args, EcResult *result)
{
	EcUserQuery query;

	if (ec_user_query_open_chosen(
			&query, args,
			EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_BRAND),
			EC_USER_WANT_ROWS | EC_USER_WANT_CODES | EC_USER_WANT_BRANDS,
			state->combinations.categories, state->combinations.brands,
			state->chosen ? state->users : NULL, state->nusers, state->context))
		read_favorites(state, &query, result);
	else
	{
		count_favorites(state, &query.rows);
		sort_favorites(state, result);
	}
	ec_user_query_close(&query);
}

Datum
ec_favorite_category_brands(PG_FUNCTION_ARGS)
{
	EcArgs args;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight favorites", ALLOCSET_DEFAULT_SIZES);
	Favorites *state = MemoryContextAllocZero(context, sizeof(Favorites));
	EcResult result;

	ec_args_get(fcinfo, FAVORITES_COMMON, &args);
	state->context = context;
	state->n = ec_args_get_limit(fcinfo, FAVORITES_N, "n");
	if (!PG_ARGISNULL(FAVORITES_USERS))
		get_users(state, PG_GETARG_ARRAYTYPE_P(FAVORITES_USERS));
	ec_combinations_init(&state->combinations, context);
	ec_result_begin(&result, fcinfo);
	find_favorites(state, &args, &result);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
