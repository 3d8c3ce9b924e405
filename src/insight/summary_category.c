/*
 * summary_category.c
 *	  Summaries by category: (hour | day, category_id, category_code) to rows by type,
 *	  prices and revenue.
 *
 * Words of a key: slot; category_id; flags and category_code's id.
 */
#include "postgres.h"

#include "insight/build.h"

#define KEY_WORDS 3
#define NO_TIME (UINT64CONST(1) << 62)
#define NO_CATEGORY (UINT64CONST(1) << 61)

typedef enum State
{
	STATE_COUNTS, /* [EC_TYPE_CLASSES] */
	STATE_PRICED = STATE_COUNTS + EC_TYPE_CLASSES,
	STATE_PRICE_SUM,
	STATE_REVENUE,
	STATE_PRICE_MIN, /* meaningless if priced is 0 */
	STATE_PRICE_MAX,
	STATE_OVERFLOW, /* a sum was too large */
	STATE_WORDS
} State;

static void
add_sum(uint64 *state, State word, int64 value)
{
	int64 sum;

	if (__builtin_add_overflow((int64) state[word], value, &sum))
		state[STATE_OVERFLOW] = 1;
	else
		state[word] = (uint64) sum;
}

static void
add_extremes(uint64 *state, int64 min, int64 max)
{
	if (state[STATE_PRICED] == 0)
	{
		state[STATE_PRICE_MIN] = (uint64) min;
		state[STATE_PRICE_MAX] = (uint64) max;
		return;
	}
	state[STATE_PRICE_MIN] = (uint64) Min((int64) state[STATE_PRICE_MIN], min);
	state[STATE_PRICE_MAX] = (uint64) Max((int64) state[STATE_PRICE_MAX], max);
}

static void
combine(uint64 *into, const uint64 *from)
{
	for (int i = 0; i < EC_TYPE_CLASSES; i++)
		into[STATE_COUNTS + i] += from[STATE_COUNTS + i];
	if (from[STATE_PRICED] > 0)
		add_extremes(into, (int64) from[STATE_PRICE_MIN], (int64) from[STATE_PRICE_MAX]);
	into[STATE_PRICED] += from[STATE_PRICED];
	add_sum(into, STATE_PRICE_SUM, (int64) from[STATE_PRICE_SUM]);
	add_sum(into, STATE_REVENUE, (int64) from[STATE_REVENUE]);
	into[STATE_OVERFLOW] |= from[STATE_OVERFLOW];
}

/* Keys of a batch or block. */
typedef struct Keys
{
	uint64 words[KEY_WORDS][EC_BLOCK_ROWS];
} Keys;

static void
begin(EcMaking *making)
{
	making->private = palloc(sizeof(Keys));
}

static void
set_keys(Keys *keys, uint32 n, const int64 *slots, const uint8 *no_time, const int64 *categories,
		 const uint8 *no_category, const uint32 *codes)
{
	for (uint32 i = 0; i < n; i++)
	{
		keys->words[0][i] = ec_sorter_word(slots[i]);
		keys->words[1][i] = ec_sorter_word(categories[i]);
		keys->words[2][i] = codes[i];
		if (no_time != NULL && no_time[i])
			keys->words[2][i] |= NO_TIME;
		if (no_category != NULL && no_category[i])
			keys->words[2][i] |= NO_CATEGORY;
	}
}

static uint64 *const *
find_states(EcMaking *making, uint32 n)
{
	Keys *keys = making->private;
	const uint64 *words[KEY_WORDS] = {keys->words[0], keys->words[1], keys->words[2]};

	return ec_making_states(making, n, words, NULL);
}

static void
add_rows(EcMaking *making, const EcBuildRows *batch)
{
	const EcPrices *prices = &batch->prices;
	uint64 *const *states;

	set_keys(making->private, batch->n, batch->hours, batch->no_time, batch->categories,
			 batch->no_category, batch->codes);
	states = find_states(making, batch->n);
	for (uint32 i = 0; i < batch->n; i++)
	{
		uint64 *state = states[i];
		uint32 type = batch->types[i] < EC_TYPE_CLASSES ? batch->types[i] : 0;

		state[STATE_COUNTS + type]++;
		if (prices->states != NULL && prices->states[i] != EC_PRICE_VALUE)
		{
			if (prices->states[i] == EC_PRICE_ODD)
				ec_build_refuse(making);
			continue;
		}
		add_extremes(state, prices->values[i], prices->values[i]);
		state[STATE_PRICED]++;
		add_sum(state, STATE_PRICE_SUM, prices->values[i]);
		if (type == EC_TYPE_PURCHASE)
			add_sum(state, STATE_REVENUE, prices->values[i]);
	}
}

static void
add_cells(EcMaking *making, EcReader *reader, uint32 block)
{
	EcBuild *build = making->build;
	uint32 n = ec_reader_block_rows(reader, block);
	int64 *ints = palloc(sizeof(int64) * 2 * EC_BLOCK_ROWS);
	uint8 *nulls = palloc(2 * EC_BLOCK_ROWS);
	uint64 *const *states;
	uint64(*cells)[STATE_WORDS] = palloc0(sizeof(uint64) * STATE_WORDS * n);

	ec_build_ints(reader, EC_CATEGORY_SLOT, block, ints, nulls);
	ec_build_ints(reader, EC_CATEGORY_ID, block, ints + EC_BLOCK_ROWS, nulls + EC_BLOCK_ROWS);
	set_keys(making->private, n, ints, nulls, ints + EC_BLOCK_ROWS, nulls + EC_BLOCK_ROWS,
			 ec_build_ids(reader, EC_CATEGORY_CODE, block, &build->code));
	for (int word = 0; word < STATE_OVERFLOW; word++)
	{
		ec_build_ints(reader, EC_CATEGORY_OTHER + word, block, ints, NULL);
		for (uint32 i = 0; i < n; i++)
			cells[i][word] = (uint64) ints[i];
	}
	states = find_states(making, n);
	for (uint32 i = 0; i < n; i++)
		combine(states[i], cells[i]);
	pfree(cells);
	pfree(nulls);
	pfree(ints);
}

static void
write_cell(EcMaking *making, const uint64 *key, const uint64 *state)
{
	if (state[STATE_OVERFLOW])
		ec_build_refuse(making);
	if (key[2] & NO_TIME)
		ec_making_null(making, EC_CATEGORY_SLOT);
	else
		ec_making_int(making, EC_CATEGORY_SLOT, ec_sorter_int64(key[0]));
	if (key[2] & NO_CATEGORY)
		ec_making_null(making, EC_CATEGORY_ID);
	else
		ec_making_int(making, EC_CATEGORY_ID, ec_sorter_int64(key[1]));
	ec_making_text(making, EC_CATEGORY_CODE, making->build->codes, (uint32) key[2]);
	for (int word = 0; word < STATE_PRICE_MIN; word++)
		ec_making_int(making, EC_CATEGORY_OTHER + word, (int64) state[word]);
	if (state[STATE_PRICED] == 0)
	{
		ec_making_null(making, EC_CATEGORY_PRICE_MIN);
		ec_making_null(making, EC_CATEGORY_PRICE_MAX);
	}
	else
	{
		ec_making_int(making, EC_CATEGORY_PRICE_MIN, (int64) state[STATE_PRICE_MIN]);
		ec_making_int(making, EC_CATEGORY_PRICE_MAX, (int64) state[STATE_PRICE_MAX]);
	}
	ec_making_row(making);
}

static void
finish_hour(EcMaking *making, const uint64 *key, const uint64 *state)
{
	EcMaking *days = ec_build_making(making->build, EC_PROJECTION_CATEGORY_DAY);
	uint64 day[KEY_WORDS] = {key[0], key[1], key[2]};

	write_cell(making, key, state);
	if (days == NULL)
		return;
	if ((key[2] & NO_TIME) == 0)
		day[0] = ec_sorter_word(ec_slot_day(ec_sorter_int64(key[0])));
	combine(ec_making_state(days, day), state);
}

const EcMaker ec_category_hour_maker = {
	.projection = EC_PROJECTION_CATEGORY_HOUR,
	.dimension = "category",
	.columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_CATEGORY_ID) |
			   EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_PRICE),
	.key_words = KEY_WORDS,
	.state_words = STATE_WORDS,
	.memory = 1,
	.combine = combine,
	.begin = begin,
	.add_rows = add_rows,
	.add_cells = add_cells,
	.finish_cell = finish_hour,
};

const EcMaker ec_category_day_maker = {
	.projection = EC_PROJECTION_CATEGORY_DAY,
	.dimension = "category",
	.needs = EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR),
	.key_words = KEY_WORDS,
	.state_words = STATE_WORDS,
	.memory = 0.5,
	.combine = combine,
	.finish_cell = write_cell,
};
