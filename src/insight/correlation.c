/*
 * correlation.c
 *	  category_correlation: categories that the same users have to do with.
 *
 * A user's categories are a basket; the phi coefficient of a pair is Pearson's
 * correlation of the two properties "has interacted with it".
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/pairs.h"
#include "insight/topk.h"
#include "insight/user_query.h"

#define ARG_K 1
#define ARG_MIN_USERS 2
#define ARG_COMMON 3

#define EXACT_USERS                                                                                \
	(INT64CONST(1) << 31) /* up to here the product of four numbers of users has 127 bits */

PG_FUNCTION_INFO_V1(ec_category_correlation);

typedef struct Correlation
{
	MemoryContext context;
	int64 min_users;
	EcInterner *categories;
	EcPairs *pairs;
	uint32 *basket; /* the present user's categories */
	uint32 basket_capacity;
	uint32 *ranks;
	EcTopK top;
} Correlation;

typedef struct CorrelatedPair
{
	EcPair pair;
	bool isnull;
	double phi;
} CorrelatedPair;

/* ---- counting ---- */

static void
count_rows(Correlation *state, EcRows *rows)
{
	uint8 *skip = MemoryContextAlloc(state->context, EC_BLOCK_ROWS);
	EcTextColumn category;
	EcIntColumn user;

	ec_text_column_init(&category, EC_COL_CATEGORY_CODE, state->categories, state->context);
	ec_int_column_init(&user, EC_COL_USER, state->context);
	while (ec_rows_next(rows))
	{
		const uint32 *categories = ec_rows_ids(rows, &category);
		const uint8 *nulls;
		const uint64 *users = (const uint64 *) ec_rows_ints(rows, &user, &nulls);

		for (uint32 i = 0; i < rows->n; i++)
			skip[i] = categories[i] == EC_ID_NULL || (nulls != NULL && nulls[i]);
		ec_pairs_add(state->pairs, rows->n, &users, categories, skip);
	}
}

static void
reserve_basket(Correlation *state, uint32 n)
{
	if (n <= state->basket_capacity)
		return;
	state->basket_capacity = n * 2;
	state->basket = repalloc_huge(state->basket, sizeof(uint32) * (Size) state->basket_capacity);
}

/* A user's cells of a category stand together. */
static void
count_run(Correlation *state, const EcUserRun *run)
{
	const int64 *users = run->users;
	uint32 *basket;
	uint32 n = 0;

	reserve_basket(state, run->n);
	basket = state->basket;
	for (uint32 i = 0; i < run->n; i++)
	{
		uint32 category = run->codes[i];

		if (users != NULL && i > 0 && users[i] != users[i - 1])
		{
			ec_pairs_add_basket(state->pairs, basket, n);
			n = 0;
		}
		if (category != EC_ID_NULL && (n == 0 || basket[n - 1] != category))
			basket[n++] = category;
	}
	ec_pairs_add_basket(state->pairs, basket, n);
}

static void
count_cells(Correlation *state, EcUserQuery *query)
{
	EcUserRun run;

	state->basket_capacity = 1024;
	state->basket = MemoryContextAlloc(state->context, sizeof(uint32) * state->basket_capacity);
	ec_user_query_read(query);
	while (ec_user_cells_next_run(query->cells, &run))
	{
		if (!run.isnull)
			count_run(state, &run);
	}
}

static void
count_all(Correlation *state, const EcArgs *args)
{
	EcUserQuery query;

	if (ec_user_query_open(&query, args, EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_CATEGORY_CODE),
						   EC_USER_WANT_CODES, 0, state->categories, NULL, state->context))
		count_cells(state, &query);
	else
		count_rows(state, &query.rows);
	ec_user_query_close(&query);
}

/* ---- results ---- */

/* (N ab - a b) / sqrt(a b (N - a) (N - b)); false if that is 0 / 0 */
static bool
compute_phi(int64 n, int64 a, int64 b, int64 both, double *phi)
{
	int128 covariance = (int128) n * both - (int128) a * b;
	int128 va = (int128) a * (n - a);
	int128 vb = (int128) b * (n - b);

	if (va == 0 || vb == 0)
		return false;
	if (n < EXACT_USERS)
		*phi = (double) covariance / sqrt((double) (va * vb));
	else
		*phi = (double) covariance / (sqrt((double) va) * sqrt((double) vb));
	return true;
}

/* Orders a pair's categories by their texts. */
static void
visit_pair(const EcPair *pair, void *arg)
{
	Correlation *state = arg;
	CorrelatedPair item = {*pair};

	if (pair->both < state->min_users)
		return;
	item.isnull = !compute_phi(ec_pairs_baskets(state->pairs), ec_pairs_item(state->pairs, pair->a),
							   ec_pairs_item(state->pairs, pair->b), pair->both, &item.phi);
	if (state->ranks[pair->a] > state->ranks[pair->b])
	{
		item.pair.a = pair->b;
		item.pair.b = pair->a;
	}
	ec_topk_offer(&state->top, &item);
}

/* phi DESC NULLS LAST, category_a, category_b */
static int
compare_pairs(const void *a, const void *b, void *arg)
{
	const Correlation *state = arg;
	const CorrelatedPair *x = a;
	const CorrelatedPair *y = b;
	uint32 xrank = state->ranks[x->pair.a];
	uint32 yrank = state->ranks[y->pair.a];

	if (x->isnull != y->isnull)
		return x->isnull ? 1 : -1;
	if (x->phi != y->phi)
		return x->phi > y->phi ? -1 : 1;
	if (xrank == yrank)
	{
		xrank = state->ranks[x->pair.b];
		yrank = state->ranks[y->pair.b];
	}
	return (xrank > yrank) - (xrank < yrank);
}

static void
put_rows(Correlation *state, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < state->top.n; i++)
	{
		const CorrelatedPair *item = (const CorrelatedPair *) state->top.items + i;
		Datum values[5];
		bool nulls[5] = {false};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);

		values[0] = Int64GetDatum(i + 1);
		values[1] = ec_interner_datum(state->categories, item->pair.a, &nulls[1]);
		values[2] = ec_interner_datum(state->categories, item->pair.b, &nulls[2]);
		values[3] = Int64GetDatum(item->pair.both);
		values[4] = Float8GetDatum(item->phi);
		nulls[4] = item->isnull;
		MemoryContextSwitchTo(old);
		ec_result_put(&result, values, nulls);
	}
}

Datum
ec_category_correlation(PG_FUNCTION_ARGS)
{
	EcArgs args;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight correlation",
												  ALLOCSET_DEFAULT_SIZES);
	Correlation *state = MemoryContextAllocZero(context, sizeof(Correlation));
	int64 k;

	ec_args_get(fcinfo, ARG_COMMON, &args);
	k = ec_args_get_k(fcinfo, ARG_K);
	state->context = context;
	state->min_users = ec_args_get_int(fcinfo, ARG_MIN_USERS, "min_users", 1, PG_INT32_MAX);
	state->categories = ec_interner_create(context);
	state->pairs = ec_pairs_create(context, 1);
	count_all(state, &args);
	ec_pairs_finish(state->pairs, ec_interner_count(state->categories) + 1, state->min_users);
	state->ranks = ec_interner_ranks(state->categories, context);
	ec_topk_init(&state->top, sizeof(CorrelatedPair), k, compare_pairs, state, context);
	ec_pairs_visit(state->pairs, visit_pair, state);
	ec_topk_finish(&state->top);
	put_rows(state, fcinfo);
	ec_pairs_destroy(state->pairs);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
