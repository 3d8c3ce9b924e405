/*
 * bands.c
 *	  price_bands: how each category sells within bands of its prices.
 *
 * Rows are counted by (category, price); the pairs are sorted, so each category's
 * prices come in order, and its bands are made in one pass, as the number of its
 * rows is known by then.  Odd prices (see price.h), which are few, are sorted in
 * memory and merged with the others.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/price.h"
#include "insight/rows.h"
#include "insight/sorter.h"
#include "insight/tally.h"

#define ARG_CATEGORY 1
#define ARG_BANDS 2
#define ARG_COMMON 3
#define COLUMNS 10
#define BANDS_MAX 10000
#define CHECK_STEP 4096

PG_FUNCTION_INFO_V1(ec_price_bands);

#define KEY_WORDS 2 /* id of the category, 1 bit: is it odd; price or number of an odd price */
#define STATE_WORDS EC_TYPE_CLASSES		   /* rows by type */
#define RECORD_WORDS (2 + EC_TYPE_CLASSES) /* rank of the category, price, rows by type */

/* Rows of a category at an odd price. */
typedef struct OddRows
{
	Numeric price;
	uint32 rank;
	int64 counts[EC_TYPE_CLASSES];
} OddRows;

/* Rows of a category at one price. */
typedef struct PriceRows
{
	uint32 rank;
	int64 price;
	Numeric odd; /* instead, unless NULL */
	int64 counts[EC_TYPE_CLASSES];
} PriceRows;

typedef struct Bands
{
	MemoryContext context;
	int32 bands;
	EcInterner *categories;
	uint32 *ranks; /* by id */
	uint32 *ids;   /* by rank; of NULL, which comes last, too */
	EcTally *tally;
	uint64 *key_words[KEY_WORDS]; /* [EC_BLOCK_ROWS] */
	uint8 *skip;				  /* rows without a price */
	int32 scale;
	int64 *priced; /* rows with a price by the category's rank */
	EcSorter *sorter;
	EcInterner *odd_prices; /* bytes of numerics */
	OddRows *odd_rows;
	int64 nodd;
	int64 odd_capacity;

	/* reading in order */
	const uint64 *next_record;
	int64 next_odd;

	/* the category being read */
	uint32 rank;
	int64 rows; /* read of it */
	int64 edge; /* the next */
	int32 band; /* the present one, 0: none yet */
	EcPriceSum low;
	EcPriceSum revenue;
	int64 counts[EC_TYPE_CLASSES];
} Bands;

/* ---- counting ---- */

static void
combine_counts(uint64 *into, const uint64 *from)
{
	for (int class = 0; class < EC_TYPE_CLASSES; class ++)
		into[class] += from[class];
}

static uint32
number_odd(Bands *state, Numeric price)
{
	return ec_interner_intern(state->odd_prices, VARDATA_ANY(price), VARSIZE_ANY_EXHDR(price));
}

static Numeric
odd_price(const Bands *state, uint32 number)
{
	EcBytes bytes = ec_interner_get(state->odd_prices, number);
	Numeric price = MemoryContextAlloc(state->context, VARHDRSZ + bytes.len);

	SET_VARSIZE(price, VARHDRSZ + bytes.len);
	memcpy(VARDATA(price), bytes.ptr, bytes.len);
	return price;
}

static void
make_keys(Bands *state, uint32 n, const uint32 *categories, const EcPrices *prices)
{
	for (uint32 i = 0; i < n; i++)
	{
		EcPriceState price = prices->states != NULL ? prices->states[i] : EC_PRICE_VALUE;

		state->skip[i] = price == EC_PRICE_NONE;
		state->key_words[0][i] = (uint64) categories[i] << 1 | (price == EC_PRICE_ODD);
		state->key_words[1][i] = (uint64) prices->values[i];
		if (price == EC_PRICE_ODD)
			state->key_words[1][i] = number_odd(state, prices->odd[i]);
	}
}

static void
count_rows(Bands *state, const EcArgs *args)
{
	uint32 columns =
		EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE);
	const uint64 *const *keys = (const uint64 *const *) state->key_words;
	EcTextColumn category;
	EcRows rows;

	ec_text_column_init(&category, EC_COL_CATEGORY_CODE, state->categories, state->context);
	ec_rows_open(&rows, args, columns, state->context);
	while (ec_rows_next(&rows))
	{
		const uint32 *types = ec_rows_types(&rows);
		const uint32 *categories = ec_rows_ids(&rows, &category);
		uint64 *const *states;
		EcPrices prices;

		ec_rows_prices(&rows, &prices);
		make_keys(state, rows.n, categories, &prices);
		states = ec_tally_find(state->tally, rows.n, keys, state->skip);
		for (uint32 i = 0; i < rows.n; i++)
			states[i][types[i] < EC_TYPE_CLASSES ? types[i] : 0]++;
	}
	state->scale = rows.price_scale;
	ec_rows_close(&rows);
}

/* ---- sorting ---- */

static int64
sum_counts(const int64 *counts)
{
	int64 n = 0;

	for (int class = 0; class < EC_TYPE_CLASSES; class ++)
		n += counts[class];
	return n;
}

static void
append_odd(Bands *state, uint32 rank, uint32 number, const uint64 *counts)
{
	OddRows *odd;

	if (state->nodd == state->odd_capacity)
	{
		state->odd_capacity *= 2;
		state->odd_rows = repalloc_huge(state->odd_rows, sizeof(OddRows) * state->odd_capacity);
	}
	odd = &state->odd_rows[state->nodd++];
	odd->rank = rank;
	odd->price = odd_price(state, number);
	memcpy(odd->counts, counts, sizeof(odd->counts));
}

/* A category's place in the order; NULL is the last. */
static uint32
rank_of(const Bands *state, uint32 category)
{
	return category == EC_ID_NULL ? ec_interner_count(state->categories) : state->ranks[category];
}

static void
visit_pair(const uint64 *key, uint64 *counts, void *arg)
{
	Bands *state = arg;
	uint32 rank = rank_of(state, (uint32) (key[0] >> 1));
	uint64 record[RECORD_WORDS];

	state->priced[rank] += sum_counts((const int64 *) counts);
	if ((key[0] & 1) != 0)
	{
		append_odd(state, rank, (uint32) key[1], counts);
		return;
	}
	record[0] = rank;
	record[1] = ec_sorter_word((int64) key[1]);
	memcpy(record + 2, counts, sizeof(uint64) * EC_TYPE_CLASSES);
	ec_sorter_put(state->sorter, record);
}

static int
compare_odd(const void *a, const void *b)
{
	const OddRows *x = a;
	const OddRows *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return ec_price_compare_numeric(x->price, y->price);
}

static void
sort_prices(Bands *state)
{
	uint32 n = ec_interner_count(state->categories) + 1;

	state->ranks = ec_interner_ranks(state->categories, state->context);
	state->ids = MemoryContextAllocHuge(state->context, sizeof(uint32) * (Size) n);
	for (uint32 id = 0; id < n; id++)
		state->ids[rank_of(state, id)] = id;
	state->priced = MemoryContextAllocExtended(state->context, sizeof(int64) * (Size) n,
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	state->odd_capacity = 64;
	state->odd_rows = MemoryContextAlloc(state->context, sizeof(OddRows) * state->odd_capacity);
	state->sorter = ec_sorter_create(state->context, RECORD_WORDS, 2, 0.5);
	ec_tally_visit(state->tally, visit_pair, state);
	ec_tally_destroy(state->tally);
	qsort(state->odd_rows, state->nodd, sizeof(OddRows), compare_odd);
	ec_sorter_sort(state->sorter);
	state->next_record = ec_sorter_next(state->sorter);
}

/* ---- reading in order ---- */

/* Does the next odd price come before the next other one? */
static bool
odd_is_next(const Bands *state)
{
	const OddRows *odd = &state->odd_rows[state->next_odd];

	if (state->next_odd == state->nodd || state->next_record == NULL)
		return state->next_odd < state->nodd;
	if (odd->rank != state->next_record[0])
		return odd->rank < state->next_record[0];
	return ec_price_compare_scaled(odd->price, ec_sorter_int64(state->next_record[1]),
								   state->scale) < 0;
}

/* Odd prices that are equal but for zeros behind them stand side by side. */
static void
next_odd_price(Bands *state, PriceRows *price)
{
	const OddRows *odd = &state->odd_rows[state->next_odd++];

	price->rank = odd->rank;
	price->odd = odd->price;
	memcpy(price->counts, odd->counts, sizeof(price->counts));
	while (state->next_odd < state->nodd &&
		   compare_odd(odd, &state->odd_rows[state->next_odd]) == 0)
		combine_counts((uint64 *) price->counts,
					   (const uint64 *) state->odd_rows[state->next_odd++].counts);
}

/* The rows of the next price; false at the end. */
static bool
next_price(Bands *state, PriceRows *price)
{
	if (odd_is_next(state))
	{
		next_odd_price(state, price);
		return true;
	}
	if (state->next_record == NULL)
		return false;
	price->rank = (uint32) state->next_record[0];
	price->price = ec_sorter_int64(state->next_record[1]);
	price->odd = NULL;
	memcpy(price->counts, state->next_record + 2, sizeof(price->counts));
	state->next_record = ec_sorter_next(state->sorter);
	return true;
}

/* ---- bands ---- */

static void
set_price(const Bands *state, EcPriceSum *sum, const PriceRows *price)
{
	ec_price_init(sum);
	if (price->odd != NULL)
		ec_price_add_odd(sum, price->odd, state->context);
	else
		ec_price_add(sum, price->price);
}

static void
put_band(Bands *state, EcResult *result, const PriceRows *high)
{
	const int64 *counts = state->counts;
	Datum values[COLUMNS] = {0};
	bool nulls[COLUMNS] = {false};
	MemoryContext old = MemoryContextSwitchTo(result->row_context);
	EcPriceSum high_price;

	set_price(state, &high_price, high);
	values[0] = ec_interner_datum(state->categories, state->ids[state->rank], &nulls[0]);
	values[1] = Int32GetDatum(state->band);
	values[2] = ec_price_total(&state->low, state->scale);
	values[3] = ec_price_total(&high_price, state->scale);
	values[4] = Int64GetDatum(sum_counts(counts));
	values[5] = Int64GetDatum(counts[EC_TYPE_VIEW]);
	values[6] = Int64GetDatum(counts[EC_TYPE_CART]);
	values[7] = Int64GetDatum(counts[EC_TYPE_PURCHASE]);
	values[8] = ec_price_total(&state->revenue, state->scale);
	values[9] = ec_result_ratio(counts[EC_TYPE_PURCHASE], counts[EC_TYPE_VIEW], &nulls[9]);
	MemoryContextSwitchTo(old);
	ec_result_put(result, values, nulls);
}

static void
start_band(Bands *state, const PriceRows *price)
{
	state->band++;
	set_price(state, &state->low, price);
	ec_price_init(&state->revenue);
	memset(state->counts, 0, sizeof(state->counts));
}

static void
add_price(Bands *state, const PriceRows *price)
{
	int64 purchases = price->counts[EC_TYPE_PURCHASE];

	combine_counts((uint64 *) state->counts, (const uint64 *) price->counts);
	if (price->odd == NULL)
		state->revenue.sum += (int128) price->price * purchases;
	else if (purchases > 0)
		ec_price_add_odd_times(&state->revenue, price->odd, purchases, state->context);
}

/* The rank of edge i among the category's rows: max(1, ceil(i N / bands)). */
static int64
edge_rank(const Bands *state, int64 edge)
{
	int64 n = state->priced[state->rank];

	return Max(1, (edge * n + state->bands - 1) / state->bands);
}

static void
start_category(Bands *state, uint32 rank)
{
	state->rank = rank;
	state->rows = 0;
	state->edge = 0;
	state->band = 0;
}

/* Takes the rows of a price, and returns rows of the result for the bands that end here. */
static void
take_price(Bands *state, EcResult *result, const PriceRows *price)
{
	bool is_edge = false;
	bool is_last;

	state->rows += sum_counts(price->counts);
	is_last = state->rows == state->priced[state->rank];
	for (; state->edge <= state->bands && edge_rank(state, state->edge) <= state->rows;
		 state->edge++)
		is_edge = true;
	if (is_edge && !(is_last && state->band > 0))
	{
		if (state->band > 0)
			put_band(state, result, price);
		start_band(state, price);
	}
	add_price(state, price);
	if (is_last)
		put_band(state, result, price);
}

static void
put_bands(Bands *state, FunctionCallInfo fcinfo)
{
	bool reading = false;
	uint64 n = 0;
	PriceRows price;
	EcResult result;

	ec_result_begin(&result, fcinfo);
	while (next_price(state, &price))
	{
		if (n++ % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		if (!reading || price.rank != state->rank)
			start_category(state, price.rank);
		reading = true;
		take_price(state, &result, &price);
	}
}

Datum
ec_price_bands(PG_FUNCTION_ARGS)
{
	EcArgs args;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight bands", ALLOCSET_DEFAULT_SIZES);
	Bands *state = MemoryContextAllocZero(context, sizeof(Bands));

	ec_args_get(fcinfo, ARG_COMMON, &args);
	if (!PG_ARGISNULL(ARG_CATEGORY))
		args.category = PG_GETARG_TEXT_PP(ARG_CATEGORY);
	state->bands = ec_args_get_int(fcinfo, ARG_BANDS, "bands", 1, BANDS_MAX);
	state->context = context;
	state->categories = ec_interner_create(context);
	state->odd_prices = ec_interner_create(context);
	for (int i = 0; i < KEY_WORDS; i++)
		state->key_words[i] = MemoryContextAlloc(context, sizeof(uint64) * EC_BLOCK_ROWS);
	state->skip = MemoryContextAlloc(context, EC_BLOCK_ROWS);
	state->tally = ec_tally_create(context, KEY_WORDS, STATE_WORDS, combine_counts, 0.5);
	count_rows(state, &args);
	sort_prices(state);
	put_bands(state, fcinfo);
	ec_sorter_destroy(state->sorter);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
