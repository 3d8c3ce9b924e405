/*
 * favorites.c
 *	  Users and (category, brand) from both sides: favorite_category_brands, each user's
 *	  first n combinations, and engaged_users, each combination's first k users.
 *
 * Both count pairs of user and combination and sort them; all keys are integers, the
 * texts standing as their ranks.  Only purchases need more than a count.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/qunique.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/counts.h"
#include "insight/groups.h"
#include "insight/revenue.h"
#include "insight/rows.h"
#include "insight/sorter.h"
#include "insight/tally.h"
#include "insight/topk.h"
#include "insight/user_tops.h"

#define FAVORITES_USERS 1
#define FAVORITES_N 2
#define FAVORITES_COMMON 3

#define ENGAGED_K 1
#define ENGAGED_CATEGORY 2
#define ENGAGED_BRAND 3
#define ENGAGED_COMMON 4

#define SHARE 0.5
#define USER_NULL (UINT64CONST(1) << 63) /* beside a count or a combination */

PG_FUNCTION_INFO_V1(ec_favorite_category_brands);
PG_FUNCTION_INFO_V1(ec_engaged_users);

/* Categories and brands of the rows, and their combinations as group numbers. */
typedef struct Combinations
{
	EcInterner *categories;
	EcInterner *brands;
	EcTextColumn category;
	EcTextColumn brand;
	EcGroups groups;
	uint32 *numbers; /* [EC_BLOCK_ROWS] */
	uint32 *category_ranks;
	uint32 *brand_ranks;
	uint32 *category_ids; /* by rank */
	uint32 *brand_ids;
} Combinations;

static void
init_combinations(Combinations *combinations, MemoryContext context)
{
	combinations->categories = ec_interner_create(context);
	combinations->brands = ec_interner_create(context);
	ec_text_column_init(&combinations->category, EC_COL_CATEGORY_CODE, combinations->categories,
						context);
	ec_text_column_init(&combinations->brand, EC_COL_BRAND, combinations->brands, context);
	ec_groups_init(&combinations->groups, context);
	combinations->numbers = MemoryContextAlloc(context, sizeof(uint32) * EC_BLOCK_ROWS);
}

static const uint32 *
find_combinations(Combinations *combinations, EcRows *rows)
{
	const uint32 *categories = ec_rows_ids(rows, &combinations->category);
	const uint32 *brands = ec_rows_ids(rows, &combinations->brand);

	ec_groups_find_ids(&combinations->groups, rows->n, categories, brands, combinations->numbers);
	return combinations->numbers;
}

static uint32 *
invert_ranks(const uint32 *ranks, uint32 count, MemoryContext context)
{
	uint32 *ids = MemoryContextAllocHuge(context, sizeof(uint32) * Max((Size) count, 1));

	for (uint32 id = 1; id <= count; id++)
		ids[ranks[id]] = id;
	return ids;
}

static void
rank_combinations(Combinations *combinations, MemoryContext context)
{
	const EcInterner *categories = combinations->categories;
	const EcInterner *brands = combinations->brands;

	combinations->category_ranks = ec_interner_ranks(categories, context);
	combinations->brand_ranks = ec_interner_ranks(brands, context);
	combinations->category_ids =
		invert_ranks(combinations->category_ranks, ec_interner_count(categories), context);
	combinations->brand_ids =
		invert_ranks(combinations->brand_ranks, ec_interner_count(brands), context);
}

/* A combination as a word that sorts: category, then brand, NULLs last. */
static uint64
combination_word(const Combinations *combinations, uint32 number)
{
	const EcGroupKey *key = &combinations->groups.keys[number];

	return (uint64) combinations->category_ranks[key->major] << 32 |
		   combinations->brand_ranks[key->minor];
}

static Datum
rank_datum(const EcInterner *texts, const uint32 *ids, uint32 rank, bool *isnull)
{
	return ec_interner_datum(texts, rank == PG_UINT32_MAX ? EC_ID_NULL : ids[rank], isnull);
}

static void
put_combination(const Combinations *combinations, uint64 word, Datum *values, bool *nulls)
{
	values[0] =
		rank_datum(combinations->categories, combinations->category_ids, word >> 32, &nulls[0]);
	values[1] = rank_datum(combinations->brands, combinations->brand_ids, (uint32) word, &nulls[1]);
}

/* ---- favorite_category_brands ---- */

typedef struct Favorites
{
	MemoryContext context;
	bool chosen;  /* only some users */
	int64 *users; /* ascending, each once */
	uint32 nusers;
	int64 n;
	Combinations combinations;
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
					  find_combinations(&state->combinations, rows));
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
	record[2] = combination_word(&state->combinations, count->group);
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
		put_combination(&state->combinations, record[2], texts, nulls);
		MemoryContextSwitchTo(old);
		put_favorite(result, ec_sorter_int64(record[0]), user_null, rank,
					 (int64) (~record[1] & ~USER_NULL), texts[0], nulls[0], texts[1], nulls[1]);
	}
}

static void
sort_favorites(Favorites *state, EcResult *result)
{
	rank_combinations(&state->combinations, state->context);
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
	const Combinations *combinations = &state->combinations;

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
	const Combinations *combinations = arg;

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
			EC_USER_WANT_CODES | EC_USER_WANT_BRANDS, state->combinations.categories,
			state->combinations.brands, state->chosen ? state->users : NULL, state->nusers,
			state->context))
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
	init_combinations(&state->combinations, context);
	ec_result_begin(&result, fcinfo);
	find_favorites(state, &args, &result);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}

/* ---- engaged_users ---- */

/* Key: user, combination with USER_NULL; state: */
#define STATE_INTERACTIONS 0
#define STATE_PURCHASES 1
#define STATE_REVENUE 2
#define STATE_WORDS (STATE_REVENUE + EC_REVENUE_WORDS)

/* Sorted: combination; interactions, descending; user, NULL last; then what goes along */
#define RECORD_COMBINATION 0
#define RECORD_INTERACTIONS 1
#define RECORD_USER_NULL 2
#define RECORD_USER 3
#define RECORD_KEY 4
#define RECORD_PURCHASES 4
#define RECORD_REVENUE 5
#define RECORD_WORDS (RECORD_REVENUE + EC_REVENUE_WORDS)

typedef struct Engaged
{
	MemoryContext context;
	int64 k;
	int32 scale;
	Combinations combinations;
	EcTally *tally;
	EcSorter *sorter;
} Engaged;

static void
combine_engaged(uint64 *into, const uint64 *from)
{
	into[STATE_INTERACTIONS] += from[STATE_INTERACTIONS];
	into[STATE_PURCHASES] += from[STATE_PURCHASES];
	ec_revenue_combine(into + STATE_REVENUE, from + STATE_REVENUE);
}

static void
add_engaged(Engaged *state, EcRows *rows, const uint64 *const *key)
{
	uint64 *const *states = ec_tally_find(state->tally, rows->n, key, NULL);
	const uint32 *types = ec_rows_types(rows);
	EcPrices prices;

	ec_rows_prices(rows, &prices);
	for (uint32 i = 0; i < rows->n; i++)
	{
		states[i][STATE_INTERACTIONS]++;
		if (types[i] != EC_TYPE_PURCHASE)
			continue;
		states[i][STATE_PURCHASES]++;
		ec_revenue_add(states[i] + STATE_REVENUE, &prices, i, state->context);
	}
}

static void
count_engaged(Engaged *state, const EcArgs *args)
{
	uint64 *groups = MemoryContextAlloc(state->context, sizeof(uint64) * EC_BLOCK_ROWS);
	EcIntColumn user;
	EcRows rows;

	ec_int_column_init(&user, EC_COL_USER, state->context);
	ec_rows_open(&rows, args,
				 EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_CATEGORY_CODE) |
					 EC_COL_BIT(EC_COL_BRAND) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE),
				 state->context);
	while (ec_rows_next(&rows))
	{
		const uint8 *nulls;
		const int64 *users = ec_rows_ints(&rows, &user, &nulls);
		const uint32 *numbers = find_combinations(&state->combinations, &rows);
		const uint64 *key[2] = {(const uint64 *) users, groups};

		for (uint32 i = 0; i < rows.n; i++)
			groups[i] = numbers[i] | (nulls != NULL && nulls[i] ? USER_NULL : 0);
		add_engaged(state, &rows, key);
	}
	state->scale = rows.price_scale;
	ec_rows_close(&rows);
}

static void
visit_engaged(const uint64 *key, uint64 *state_words, void *arg)
{
	Engaged *state = arg;
	uint64 record[RECORD_WORDS];

	record[RECORD_COMBINATION] = combination_word(&state->combinations, (uint32) key[1]);
	record[RECORD_INTERACTIONS] = ~state_words[STATE_INTERACTIONS];
	record[RECORD_USER_NULL] = key[1] & USER_NULL;
	record[RECORD_USER] = ec_sorter_word((int64) key[0]);
	record[RECORD_PURCHASES] = state_words[STATE_PURCHASES];
	memcpy(record + RECORD_REVENUE, state_words + STATE_REVENUE, sizeof(uint64) * EC_REVENUE_WORDS);
	ec_sorter_put(state->sorter, record);
}

static void
put_engaged_row(const Engaged *state, EcResult *result, const uint64 *record, int64 rank)
{
	EcPriceSum revenue = ec_revenue_sum(record + RECORD_REVENUE, (int64) record[RECORD_PURCHASES]);
	Datum values[7];
	bool nulls[7] = {false};
	MemoryContext old = MemoryContextSwitchTo(result->row_context);

	put_combination(&state->combinations, record[RECORD_COMBINATION], values, nulls);
	values[2] = Int64GetDatum(rank);
	nulls[3] = record[RECORD_USER_NULL] != 0;
	values[3] = Int64GetDatum(ec_sorter_int64(record[RECORD_USER]));
	values[4] = Int64GetDatum((int64) ~record[RECORD_INTERACTIONS]);
	values[5] = Int64GetDatum((int64) record[RECORD_PURCHASES]);
	values[6] = ec_price_total(&revenue, state->scale);
	MemoryContextSwitchTo(old);
	ec_result_put(result, values, nulls);
}

static void
put_engaged(Engaged *state, FunctionCallInfo fcinfo)
{
	uint64 combination = 0;
	int64 rank = 0;
	const uint64 *record;
	EcResult result;

	ec_result_begin(&result, fcinfo);
	while ((record = ec_sorter_next(state->sorter)) != NULL)
	{
		if (rank == 0 || record[RECORD_COMBINATION] != combination)
			rank = 0;
		combination = record[RECORD_COMBINATION];
		if (++rank <= state->k || state->k == EC_K_ALL)
			put_engaged_row(state, &result, record, rank);
	}
}

Datum
ec_engaged_users(PG_FUNCTION_ARGS)
{
	EcArgs args;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight engaged users",
												  ALLOCSET_DEFAULT_SIZES);
	Engaged *state = MemoryContextAllocZero(context, sizeof(Engaged));

	ec_args_get(fcinfo, ENGAGED_COMMON, &args);
	state->context = context;
	state->k = ec_args_get_k(fcinfo, ENGAGED_K);
	if (!PG_ARGISNULL(ENGAGED_CATEGORY))
		args.category = PG_GETARG_TEXT_PP(ENGAGED_CATEGORY);
	if (!PG_ARGISNULL(ENGAGED_BRAND))
		args.brand = PG_GETARG_TEXT_PP(ENGAGED_BRAND);
	init_combinations(&state->combinations, context);
	state->tally = ec_tally_create(context, 2, STATE_WORDS, combine_engaged, SHARE);
	count_engaged(state, &args);
	rank_combinations(&state->combinations, context);
	state->sorter = ec_sorter_create(context, RECORD_WORDS, RECORD_KEY, SHARE);
	ec_tally_visit(state->tally, visit_engaged, state);
	ec_tally_destroy(state->tally);
	ec_sorter_sort(state->sorter);
	put_engaged(state, fcinfo);
	ec_sorter_destroy(state->sorter);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
