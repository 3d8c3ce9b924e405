/*
 * pairs.c
 *	  In how many baskets two items are together.
 *
 * Of few items (categories, brands) each pair has a cell of an array; of many, a place in
 * a tally.  A pair can't be in more baskets than its rarer item is, so items in too few
 * of them are left out before pairs are made.
 */
#include "postgres.h"

#include "executor/nodeHash.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/pairs.h"
#include "insight/sorter.h"
#include "insight/tally.h"
#include "vector/vector.h"

#define SHARE 0.3
#define MIN_CELLS 65536
#define CHECK_STEP 65536

struct EcPairs
{
	MemoryContext context;
	int basket_words;
	EcTally *seen;	   /* basket, item */
	uint64 *item_keys; /* [EC_BLOCK_ROWS], and then keys of pairs */
	uint32 nkeys;
	uint32 nitems;
	int64 least;
	bool whole; /* baskets come whole */
	int64 nbaskets;
	int64 *items; /* [nitems] baskets with it */
	EcSorter *sorter;
	uint32 *basket; /* the present one's items, ascending */
	uint32 nbasket;
	uint32 basket_capacity;
	uint64 *cells; /* [b (b - 1) / 2 + a], b < ncells; NULL: the tally counts */
	uint32 ncells;
	uint32 max_cells; /* items whose pairs may have cells, if baskets come whole */
	EcTally *tally;	  /* for pairs without a cell */
};

EcPairs *
ec_pairs_create(MemoryContext context, int basket_words)
{
	EcPairs *pairs = MemoryContextAllocZero(context, sizeof(EcPairs));

	pairs->context = context;
	pairs->basket_words = basket_words;
	pairs->seen = ec_tally_create(context, basket_words + 1, 0, NULL, SHARE);
	pairs->item_keys = MemoryContextAlloc(context, sizeof(uint64) * EC_BLOCK_ROWS);
	return pairs;
}

void
ec_pairs_destroy(EcPairs *pairs)
{
	if (pairs->tally != NULL)
		ec_tally_destroy(pairs->tally);
	pairs->tally = NULL;
}

void
ec_pairs_add(EcPairs *pairs, uint32 n, const uint64 *const *baskets, const uint32 *items,
			 const uint8 *skip)
{
	const uint64 *key[EC_TALLY_KEY_MAX];

	for (int w = 0; w < pairs->basket_words; w++)
		key[w] = baskets[w];
	key[pairs->basket_words] = pairs->item_keys;
	for (uint32 i = 0; i < n; i++)
		pairs->item_keys[i] = items[i];
	ec_tally_add(pairs->seen, n, key, skip);
}

/* ---- pairs of a basket ---- */

static void
combine_counts(uint64 *into, const uint64 *from)
{
	*into += *from;
}

static uint64
cells_of(uint64 nitems)
{
	return nitems * Max(nitems, 1) / 2;
}

static uint64
cells_that_fit(void)
{
	return Max(get_hash_memory_limit() * SHARE / sizeof(uint64), MIN_CELLS);
}

static void
create_tally(EcPairs *pairs)
{
	pairs->tally = ec_tally_create(pairs->context, 1, 1, combine_counts, SHARE);
}

static void
create_counters(EcPairs *pairs)
{
	uint64 ncells = cells_of(pairs->nitems);

	if (ncells > cells_that_fit())
	{
		create_tally(pairs);
		return;
	}
	pairs->cells = MemoryContextAllocExtended(pairs->context, sizeof(uint64) * Max(ncells, 1),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	pairs->ncells = pairs->nitems;
}

static void
count_keys(EcPairs *pairs)
{
	const uint64 *keys = pairs->item_keys;
	uint64 *const *states = ec_tally_find(pairs->tally, pairs->nkeys, &keys, NULL);

	CHECK_FOR_INTERRUPTS();
	for (uint32 i = 0; i < pairs->nkeys; i++)
		states[i][0]++;
	pairs->nkeys = 0;
}

/* The pair of items a < b has no cell. */
static void
count_in_tally(EcPairs *pairs, uint32 a, uint32 b)
{
	pairs->item_keys[pairs->nkeys++] = (uint64) a << 32 | b;
	if (pairs->nkeys == EC_BLOCK_ROWS)
		count_keys(pairs);
}

/* Counts the pairs of an item and the items before it, which are less. */
static void
count_item(EcPairs *pairs, uint32 b, const uint32 *before, uint32 n)
{
	if (b < pairs->ncells)
	{
		uint64 *cells = pairs->cells + (uint64) b * (b - 1) / 2;

		for (uint32 i = 0; i < n; i++)
			cells[before[i]]++;
		return;
	}
	for (uint32 i = 0; i < n; i++)
		count_in_tally(pairs, before[i], b);
}

/* The same in any order. */
static void
count_unordered(EcPairs *pairs, uint32 item, const uint32 *before, uint32 n)
{
	for (uint32 i = 0; i < n; i++)
	{
		uint32 a = Min(item, before[i]);
		uint32 b = Max(item, before[i]);

		if (b < pairs->ncells)
			pairs->cells[(uint64) b * (b - 1) / 2 + a]++;
		else
			count_in_tally(pairs, a, b);
	}
}

static void
end_basket(EcPairs *pairs)
{
	pairs->nbaskets++;
	if (pairs->nbasket >= EC_BLOCK_ROWS)
		CHECK_FOR_INTERRUPTS();
	for (uint32 i = 1; i < pairs->nbasket; i++)
	{
		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		count_item(pairs, pairs->basket[i], pairs->basket, i);
	}
	pairs->nbasket = 0;
}

static void
add_to_basket(EcPairs *pairs, uint32 item)
{
	if (pairs->items[item] < pairs->least)
		return;
	if (pairs->nbasket == pairs->basket_capacity)
	{
		pairs->basket_capacity = Max(pairs->basket_capacity * 2, 64);
		pairs->basket =
			pairs->basket == NULL
				? MemoryContextAlloc(pairs->context, sizeof(uint32) * pairs->basket_capacity)
				: repalloc_huge(pairs->basket, sizeof(uint32) * (Size) pairs->basket_capacity);
	}
	pairs->basket[pairs->nbasket++] = item;
}

static void
count_baskets(EcPairs *pairs)
{
	int words = pairs->basket_words;
	uint64 basket[EC_TALLY_KEY_MAX] = {0};
	bool any = false;
	const uint64 *record;

	ec_sorter_sort(pairs->sorter);
	while ((record = ec_sorter_next(pairs->sorter)) != NULL)
	{
		if (any && memcmp(record, basket, sizeof(uint64) * words) != 0)
			end_basket(pairs);
		memcpy(basket, record, sizeof(uint64) * words);
		any = true;
		add_to_basket(pairs, (uint32) record[words]);
	}
	if (any)
		end_basket(pairs);
	if (pairs->tally != NULL)
		count_keys(pairs);
}

/* ---- whole baskets ---- */

/* Items below nitems can be counted, and their pairs have cells as far as these fit. */
static void
reserve_items(EcPairs *pairs, uint32 nitems)
{
	uint32 capacity = Max(nitems * 2, 256);
	uint32 ncells = Min(capacity, pairs->max_cells);

	pairs->items = pairs->items == NULL
					   ? MemoryContextAllocHuge(pairs->context, sizeof(int64) * capacity)
					   : repalloc_huge(pairs->items, sizeof(int64) * (Size) capacity);
	memset(pairs->items + pairs->nitems, 0, sizeof(int64) * (capacity - pairs->nitems));
	pairs->nitems = capacity;
	if (ncells > pairs->ncells)
	{
		Size old = cells_of(pairs->ncells);
		Size size = cells_of(ncells);

		pairs->cells = pairs->cells == NULL
						   ? MemoryContextAllocHuge(pairs->context, sizeof(uint64) * size)
						   : repalloc_huge(pairs->cells, sizeof(uint64) * size);
		memset(pairs->cells + old, 0, sizeof(uint64) * (size - old));
		pairs->ncells = ncells;
	}
	if (capacity > pairs->max_cells && pairs->tally == NULL)
		create_tally(pairs);
}

/* So many items have no more pairs than cells that fit. */
static void
begin_baskets(EcPairs *pairs)
{
	uint64 fit = cells_that_fit();

	while (cells_of((uint64) pairs->max_cells * 2 + 64) <= fit)
		pairs->max_cells = pairs->max_cells * 2 + 64;
	pairs->whole = true;
}

void
ec_pairs_add_basket(EcPairs *pairs, const uint32 *items, uint32 n)
{
	uint32 greatest = 0;

	if (!pairs->whole)
		begin_baskets(pairs);
	if (n == 0)
		return;
	for (uint32 i = 0; i < n; i++)
		greatest = Max(greatest, items[i]);
	if (greatest >= pairs->nitems)
		reserve_items(pairs, greatest + 1);
	pairs->nbaskets++;
	if (n >= 1024)
		CHECK_FOR_INTERRUPTS();
	for (uint32 i = 0; i < n; i++)
	{
		if (i % 1024 == 1023)
			CHECK_FOR_INTERRUPTS();
		pairs->items[items[i]]++;
		count_unordered(pairs, items[i], items, i);
	}
}

static void
finish_baskets(EcPairs *pairs, uint32 nitems)
{
	if (nitems > pairs->nitems)
		reserve_items(pairs, nitems);
	if (pairs->tally != NULL)
		count_keys(pairs);
	ec_tally_destroy(pairs->seen);
	pairs->seen = NULL;
}

/* ---- all together ---- */

static void
visit_seen(const uint64 *key, uint64 *state, void *arg)
{
	EcPairs *pairs = arg;

	pairs->items[key[pairs->basket_words]]++;
	ec_sorter_put(pairs->sorter, key);
}

void
ec_pairs_finish(EcPairs *pairs, uint32 nitems, int64 least)
{
	int words = pairs->basket_words + 1;

	if (pairs->whole)
	{
		finish_baskets(pairs, nitems);
		return;
	}
	pairs->nitems = nitems;
	pairs->least = least;
	pairs->items = MemoryContextAllocExtended(pairs->context, sizeof(int64) * Max((Size) nitems, 1),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	pairs->sorter = ec_sorter_create(pairs->context, words, words, SHARE);
	ec_tally_visit(pairs->seen, visit_seen, pairs);
	ec_tally_destroy(pairs->seen);
	pairs->seen = NULL;
	create_counters(pairs);
	count_baskets(pairs);
	ec_sorter_destroy(pairs->sorter);
	pairs->sorter = NULL;
}

int64
ec_pairs_baskets(const EcPairs *pairs)
{
	return pairs->nbaskets;
}

int64
ec_pairs_item(const EcPairs *pairs, uint32 item)
{
	return pairs->items[item];
}

typedef struct Visit
{
	EcPairVisitor visit;
	void *arg;
} Visit;

static void
visit_pair(const uint64 *key, uint64 *state, void *arg)
{
	const Visit *visit = arg;
	EcPair pair = {*key >> 32, (uint32) *key, (int64) *state};

	visit->visit(&pair, visit->arg);
}

static void
visit_cells(const EcPairs *pairs, EcPairVisitor visit, void *arg)
{
	const uint64 *cell = pairs->cells;

	for (uint32 b = 1; b < pairs->ncells; b++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 a = 0; a < b; a++, cell++)
		{
			EcPair pair = {a, b, (int64) *cell};

			if (*cell > 0)
				visit(&pair, arg);
		}
	}
}

void
ec_pairs_visit(EcPairs *pairs, EcPairVisitor visit, void *arg)
{
	Visit both = {visit, arg};

	visit_cells(pairs, visit, arg);
	if (pairs->tally != NULL)
		ec_tally_visit(pairs->tally, visit_pair, &both);
}
