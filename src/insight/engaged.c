/*
 * engaged.c
 *	  engaged_users: the first k users of each (category_code, brand).
 *
 * Pairs of user and combination are counted: in the cells of summaries by user, where
 * they come one after the other, else in a hash table.  Each combination keeps its first k in
 * a heap; only these are then joined with the purchases (from summaries, too) by sorting
 * both by user, and sorted once more in the order of the result.  Without a k, or where
 * the heaps don't fit into memory, more pairs than needed go to the join, which is a matter
 * of temporary files.
 */
#include "postgres.h"

#include "executor/nodeHash.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/buyers.h"
#include "insight/combinations.h"
#include "insight/counts.h"
#include "insight/projection.h"
#include "insight/revenue.h"
#include "insight/sorter.h"
#include "insight/user_tops.h"

#define ARG_K 1
#define ARG_CATEGORY 2
#define ARG_BRAND 3
#define ARG_COMMON 4

#define HEAPS_SHARE 0.25
#define SORT_SHARE 0.25
#define FEW_PAIRS 4 /* in a heap, at first */

#define USER_NULL (UINT64CONST(1) << 63) /* beside a group */

/* To be joined: user; USER_NULL, group, PURCHASE; then what there is of a pair or a purchase */
#define JOIN_USER 0
#define JOIN_GROUP 1
#define JOIN_KEY 2
#define JOIN_N 2 /* interactions, or the purchase's sign */
#define JOIN_PRICE 3
#define JOIN_ODD 4 /* a Numeric instead; 0: none */
#define JOIN_WORDS 5
#define PURCHASE 1 /* beside a group, behind the pair that it belongs to */

/* Sorted: combination; interactions, descending; user, NULL last; then what goes along */
#define RECORD_COMBINATION 0
#define RECORD_INTERACTIONS 1
#define RECORD_USER_NULL 2
#define RECORD_USER 3
#define RECORD_KEY 4
#define RECORD_PURCHASES 4
#define RECORD_REVENUE 5
#define RECORD_WORDS (RECORD_REVENUE + EC_REVENUE_WORDS)

PG_FUNCTION_INFO_V1(ec_engaged_users);

/* What a user has to do with a combination. */
typedef struct Pair
{
	int64 user; /* 0 if isnull */
	int64 n;
	bool isnull;
} Pair;

/* A combination's first ones, the last of them on top. */
typedef struct Heap
{
	Pair *pairs;
	uint32 n;
	uint32 capacity;
	Pair last; /* k others are known that don't rank behind it; n is 0: unknown */
} Heap;

typedef struct Engaged
{
	MemoryContext context;
	int64 k;
	int32 scale;
	EcCombinations combinations;
	uint32 category; /* the only one wanted; EC_ID_NULL: all */
	uint32 brand;
	Heap *heaps; /* [nheaps] by group */
	uint32 nheaps;
	Size used; /* by their pairs */
	Size limit;
	EcSorter *join;
	EcSorter *sorter;
} Engaged;

/* ---- the first k ---- */

static void
put_pair(Engaged *state, uint32 group, const Pair *pair)
{
	uint64 record[JOIN_WORDS] = {0};

	record[JOIN_USER] = ec_sorter_word(pair->user);
	record[JOIN_GROUP] = (uint64) group << 1 | (pair->isnull ? USER_NULL : 0);
	record[JOIN_N] = (uint64) pair->n;
	ec_sorter_put(state->join, record);
}

/* Lets the pairs of all heaps go to the join. */
static void
empty_heaps(Engaged *state)
{
	for (uint32 group = 0; group < state->nheaps; group++)
	{
		Heap *heap = &state->heaps[group];

		for (uint32 i = 0; i < heap->n; i++)
			put_pair(state, group, &heap->pairs[i]);
		if (heap->pairs != NULL)
			pfree(heap->pairs);
		heap->pairs = NULL;
		heap->n = heap->capacity = 0;
	}
	state->used = 0;
}

/* Heaps for all groups that there are. */
static void
reserve_heaps(Engaged *state)
{
	uint32 nheaps = Max(state->combinations.groups.count * 2, 1024);

	state->heaps = state->heaps == NULL
					   ? MemoryContextAllocHuge(state->context, sizeof(Heap) * nheaps)
					   : repalloc_huge(state->heaps, sizeof(Heap) * nheaps);
	memset(state->heaps + state->nheaps, 0, sizeof(Heap) * (nheaps - state->nheaps));
	state->nheaps = nheaps;
}

static void
grow_heap(Engaged *state, Heap *heap)
{
	uint32 capacity = Min(Max(heap->capacity * 2, FEW_PAIRS), state->k);

	state->used += sizeof(Pair) * (capacity - heap->capacity);
	heap->pairs = heap->pairs == NULL ? MemoryContextAlloc(state->context, sizeof(Pair) * capacity)
									  : repalloc_huge(heap->pairs, sizeof(Pair) * (Size) capacity);
	heap->capacity = capacity;
}

/* Does a rank before b?  More interactions, then the lesser user, NULL last. */
static inline bool
precedes(const Pair *a, const Pair *b)
{
	if (a->n != b->n)
		return a->n > b->n;
	if (a->isnull != b->isnull)
		return b->isnull;
	return a->user < b->user;
}

static void
sift_up(Heap *heap, const Pair *pair)
{
	uint32 at = heap->n++;

	while (at > 0 && precedes(&heap->pairs[(at - 1) / 2], pair))
	{
		heap->pairs[at] = heap->pairs[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->pairs[at] = *pair;
}

/* Replaces the top. */
static void
sift_down(Heap *heap, const Pair *pair)
{
	uint32 at = 0;
	uint32 child;

	while ((child = 2 * at + 1) < heap->n)
	{
		if (child + 1 < heap->n && precedes(&heap->pairs[child], &heap->pairs[child + 1]))
			child++;
		if (!precedes(pair, &heap->pairs[child]))
			break;
		heap->pairs[at] = heap->pairs[child];
		at = child;
	}
	heap->pairs[at] = *pair;
}

static void
offer(Engaged *state, uint32 group, const Pair *pair)
{
	Heap *heap;

	if (state->k == EC_K_ALL)
	{
		put_pair(state, group, pair);
		return;
	}
	if (group >= state->nheaps)
		reserve_heaps(state);
	heap = &state->heaps[group];
	if (!precedes(pair, &heap->last))
		return;
	if (heap->n == state->k)
		sift_down(heap, pair);
	else
	{
		if (heap->n == heap->capacity)
			grow_heap(state, heap);
		sift_up(heap, pair);
	}
	if (heap->n == state->k && precedes(&heap->pairs[0], &heap->last))
		heap->last = heap->pairs[0];
	if (state->used > state->limit)
		empty_heaps(state);
}

/* ---- rows ---- */

static void
put_purchase(Engaged *state, int64 user, bool isnull, uint32 group, uint64 price, bool odd,
			 int sign)
{
	uint64 record[JOIN_WORDS];

	record[JOIN_USER] = ec_sorter_word(user);
	record[JOIN_GROUP] = (uint64) group << 1 | (isnull ? USER_NULL : 0) | PURCHASE;
	record[JOIN_N] = (uint64) (int64) sign;
	record[JOIN_PRICE] = odd ? 0 : price;
	record[JOIN_ODD] = odd ? price : 0;
	ec_sorter_put(state->join, record);
}

/* Leaves only the batch's purchases. */
static void
add_purchases(Engaged *state, EcRows *rows, EcIntColumn *user)
{
	const uint8 *nulls;
	const int64 *users;
	const uint32 *numbers;
	EcPrices prices;

	ec_rows_narrow_type(rows, EC_TYPE_PURCHASE);
	if (rows->n == 0)
		return;
	users = ec_rows_ints(rows, user, &nulls);
	numbers = ec_combinations_find(&state->combinations, rows);
	ec_rows_prices(rows, &prices);
	for (uint32 i = 0; i < rows->n; i++)
	{
		EcPriceState price = prices.states != NULL ? prices.states[i] : EC_PRICE_VALUE;
		bool isnull = nulls != NULL && nulls[i];
		uint64 value = price == EC_PRICE_VALUE ? (uint64) prices.values[i] : 0;

		if (price == EC_PRICE_ODD)
		{
			Numeric odd = MemoryContextAlloc(state->context, VARSIZE_ANY(prices.odd[i]));

			memcpy(odd, prices.odd[i], VARSIZE_ANY(prices.odd[i]));
			value = (uint64) (uintptr_t) odd;
		}
		put_purchase(state, isnull ? 0 : users[i], isnull, numbers[i], value, price == EC_PRICE_ODD,
					 1);
	}
}

static void
visit_count(const EcCount *count, uint64 *least, void *arg)
{
	Pair pair = {count->user, (int64) count->n, count->user_null};

	offer(arg, count->group, &pair);
}

static void
count_rows(Engaged *state, EcRows *rows)
{
	EcCounts *counts = ec_counts_create(state->context);
	EcIntColumn user;

	ec_int_column_init(&user, EC_COL_USER, state->context);
	while (ec_rows_next(rows))
	{
		const uint8 *nulls;
		const int64 *users = ec_rows_ints(rows, &user, &nulls);

		ec_counts_add(counts, rows->n, users, nulls,
					  ec_combinations_find(&state->combinations, rows));
		add_purchases(state, rows, &user);
	}
	ec_counts_visit(counts, visit_count, state);
	ec_counts_destroy(counts);
}

/* ---- summaries ---- */

static void
offer_top(const EcUserTop *top, void *arg)
{
	Engaged *state = arg;
	Pair pair = {top->user, top->n, top->isnull};

	offer(state, ec_combinations_number(&state->combinations, top->code, top->brand), &pair);
}

/* Where things are among a purchase's words. */
typedef struct Words
{
	Engaged *state;
	int code;
	int brand;
	int price;
} Words;

static void
visit_purchase(int64 user, const uint64 *row, uint64 flags, int sign, void *arg)
{
	const Words *words = arg;
	Engaged *state = words->state;
	uint32 code = (uint32) row[words->code];
	uint32 brand = (uint32) row[words->brand];

	if ((state->category != EC_ID_NULL && code != state->category) ||
		(state->brand != EC_ID_NULL && brand != state->brand))
		return;
	put_purchase(state, user, (flags & EC_BUYERS_NULL(EC_COL_USER)) != 0,
				 ec_combinations_number(&state->combinations, code, brand), row[words->price],
				 (flags & EC_BUYERS_ODD) != 0, sign);
}

/* All purchases, to be joined with those pairs that they belong to. */
static void
read_purchases(Engaged *state, const EcArgs *args)
{
	uint32 columns =
		EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_BRAND) | EC_COL_BIT(EC_COL_PRICE);
	EcArgs all = *args;
	Words words = {.state = state};
	EcBuyers *buyers;

	all.category = all.brand = NULL;
	buyers = ec_buyers_open(&all, columns, SORT_SHARE, state->context);
	ec_buyers_share_texts(buyers, state->combinations.categories, state->combinations.brands);
	ec_buyers_keep_nobody(buyers);
	words.code = ec_buyers_word(buyers, EC_COL_CATEGORY_CODE);
	words.brand = ec_buyers_word(buyers, EC_COL_BRAND);
	words.price = ec_buyers_word(buyers, EC_COL_PRICE);
	while (ec_rows_next(ec_buyers_rows(buyers)))
		ec_buyers_add(buyers);
	ec_buyers_visit(buyers, visit_purchase, &words);
	ec_buyers_close(buyers);
}

static void
count_cells(Engaged *state, EcUserQuery *query)
{
	EcUserSlice slice;

	ec_user_cells_filter(query->cells, state->category, state->brand);
	ec_user_query_read(query);
	while (ec_user_cells_next(query->cells, &slice))
		ec_user_slice_visit(&slice, true, offer_top, state);
}

static void
count_all(Engaged *state, const EcArgs *args)
{
	uint32 columns = EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_CATEGORY_CODE) |
					 EC_COL_BIT(EC_COL_BRAND) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE);
	EcCombinations *combinations = &state->combinations;
	EcUserQuery query;
	bool covered;

	covered = ec_user_query_open(&query, args, columns,
								 EC_USER_WANT_ROWS | EC_USER_WANT_CODES | EC_USER_WANT_BRANDS,
								 EC_PROJECTION_BIT(EC_PROJECTION_PURCHASE),
								 combinations->categories, combinations->brands, state->context);
	state->scale = query.rows.price_scale;
	if (covered)
		count_cells(state, &query);
	else
		count_rows(state, &query.rows);
	ec_user_query_close(&query);
	empty_heaps(state);
	if (covered)
		read_purchases(state, args);
}

/* ---- the join ---- */

static void
begin_record(const Engaged *state, const uint64 *pair, uint64 *record)
{
	uint64 group = (pair[JOIN_GROUP] & ~USER_NULL) >> 1;

	memset(record, 0, sizeof(uint64) * RECORD_WORDS);
	record[RECORD_COMBINATION] = ec_combinations_word(&state->combinations, (uint32) group);
	record[RECORD_INTERACTIONS] = ~pair[JOIN_N];
	record[RECORD_USER_NULL] = pair[JOIN_GROUP] & USER_NULL;
	record[RECORD_USER] = pair[JOIN_USER];
}

static void
add_purchase(const Engaged *state, const uint64 *purchase, uint64 *record)
{
	int64 sign = (int64) purchase[JOIN_N];

	record[RECORD_PURCHASES] += (uint64) sign;
	if (purchase[JOIN_ODD] != 0)
		ec_revenue_add_odd(record + RECORD_REVENUE, (Numeric) (uintptr_t) purchase[JOIN_ODD],
						   state->context);
	else
		ec_tally_add_int128(record + RECORD_REVENUE, (int128) (int64) purchase[JOIN_PRICE] * sign);
}

/* Gives each pair its purchases; those of other pairs are left out. */
static void
join_purchases(Engaged *state)
{
	uint64 record[RECORD_WORDS];
	uint64 key[JOIN_KEY];
	bool any = false;
	const uint64 *from;

	ec_sorter_sort(state->join);
	while ((from = ec_sorter_next(state->join)) != NULL)
	{
		if ((from[JOIN_GROUP] & PURCHASE) == 0)
		{
			if (any)
				ec_sorter_put(state->sorter, record);
			begin_record(state, from, record);
			memcpy(key, from, sizeof(key));
			any = true;
		}
		else if (any && from[JOIN_USER] == key[JOIN_USER] &&
				 from[JOIN_GROUP] == (key[JOIN_GROUP] | PURCHASE))
			add_purchase(state, from, record);
	}
	if (any)
		ec_sorter_put(state->sorter, record);
	ec_sorter_destroy(state->join);
}

/* ---- results ---- */

static void
put_row(const Engaged *state, EcResult *result, const uint64 *record, int64 rank)
{
	EcPriceSum revenue = ec_revenue_sum(record + RECORD_REVENUE, (int64) record[RECORD_PURCHASES]);
	Datum values[7];
	bool nulls[7] = {false};
	MemoryContext old = MemoryContextSwitchTo(result->row_context);

	ec_combinations_put(&state->combinations, record[RECORD_COMBINATION], values, nulls);
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
put_rows(Engaged *state, FunctionCallInfo fcinfo)
{
	uint64 combination = 0;
	int64 rank = 0;
	const uint64 *record;
	EcResult result;

	ec_result_begin(&result, fcinfo);
	ec_sorter_sort(state->sorter);
	while ((record = ec_sorter_next(state->sorter)) != NULL)
	{
		if (rank == 0 || record[RECORD_COMBINATION] != combination)
			rank = 0;
		combination = record[RECORD_COMBINATION];
		if (++rank <= state->k || state->k == EC_K_ALL)
			put_row(state, &result, record, rank);
	}
}

/* An argument that asks for one text. */
static text *
get_text(FunctionCallInfo fcinfo, int argno, EcInterner *texts, uint32 *id)
{
	text *wanted;

	*id = EC_ID_NULL;
	if (PG_ARGISNULL(argno))
		return NULL;
	wanted = PG_GETARG_TEXT_PP(argno);
	*id = ec_interner_intern(texts, VARDATA_ANY(wanted), VARSIZE_ANY_EXHDR(wanted));
	return wanted;
}

Datum
ec_engaged_users(PG_FUNCTION_ARGS)
{
	EcArgs args;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight engaged users",
												  ALLOCSET_DEFAULT_SIZES);
	Engaged *state = MemoryContextAllocZero(context, sizeof(Engaged));

	ec_args_get(fcinfo, ARG_COMMON, &args);
	state->context = context;
	state->k = ec_args_get_k(fcinfo, ARG_K);
	state->limit = get_hash_memory_limit() * HEAPS_SHARE;
	ec_combinations_init(&state->combinations, context);
	args.category =
		get_text(fcinfo, ARG_CATEGORY, state->combinations.categories, &state->category);
	args.brand = get_text(fcinfo, ARG_BRAND, state->combinations.brands, &state->brand);
	state->join = ec_sorter_create(context, JOIN_WORDS, JOIN_KEY, SORT_SHARE);
	count_all(state, &args);
	ec_combinations_rank(&state->combinations, context);
	state->sorter = ec_sorter_create(context, RECORD_WORDS, RECORD_KEY, SORT_SHARE);
	join_purchases(state);
	put_rows(state, fcinfo);
	ec_sorter_destroy(state->sorter);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
