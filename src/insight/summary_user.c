/*
 * summary_user.c
 *	  Summaries by user: (user, category_code, brand, hour) to rows by type; and of all
 *	  hours together, the greatest numbers of rows of a (user, category_code) and of a
 *	  (user, category_code, brand).
 *
 * Words of a key: user; flags, category_code's id and brand's id; hour.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "insight/build.h"

#define KEY_WORDS 3
#define NO_USER (UINT64CONST(1) << 63)
#define CODE_SHIFT 32 /* ids have 31 bits */

/* Word of a missing hour: between the greatest finite one and infinity. */
#define NO_HOUR (PG_UINT64_MAX - 1)

/* Numbers of rows, two to a word: other and views, carts and purchases; COUNT_MAX: too many. */
#define STATE_WORDS 2
#define COUNT_MAX PG_UINT32_MAX

StaticAssertDecl(EC_TYPE_CLASSES == 2 * STATE_WORDS, "two counts in a word");

static inline uint32
get_count(const uint64 *state, int type)
{
	return (uint32) (state[type / 2] >> (type % 2 * 32));
}

static void
combine(uint64 *into, const uint64 *from)
{
	uint64 sums[EC_TYPE_CLASSES];

	for (int type = 0; type < EC_TYPE_CLASSES; type++)
		sums[type] = Min((uint64) get_count(into, type) + get_count(from, type), COUNT_MAX);
	for (int i = 0; i < STATE_WORDS; i++)
		into[i] = sums[2 * i] | sums[2 * i + 1] << 32;
}

static void
add_one(uint64 *state, uint32 type)
{
	if (get_count(state, type) < COUNT_MAX)
		state[type / 2] += UINT64CONST(1) << (type % 2 * 32);
}

/* Keys of a batch or block. */
typedef struct Keys
{
	uint64 words[KEY_WORDS][EC_BLOCK_ROWS];
} Keys;

static uint64 *const *
find_states(EcMaking *making, uint32 n)
{
	Keys *keys = making->private;
	const uint64 *words[KEY_WORDS] = {keys->words[0], keys->words[1], keys->words[2]};

	return ec_making_states(making, n, words, NULL);
}

static void
set_keys(Keys *keys, uint32 n, const int64 *users, const uint8 *no_user, const uint32 *codes,
		 const uint32 *brands, const int64 *hours, const uint8 *no_time)
{
	for (uint32 i = 0; i < n; i++)
	{
		keys->words[0][i] = ec_sorter_word(users[i]);
		keys->words[1][i] = (uint64) codes[i] << CODE_SHIFT | brands[i];
		keys->words[2][i] = ec_sorter_word(hours[i]);
		if (no_user != NULL && no_user[i])
			keys->words[1][i] |= NO_USER;
		if (no_time != NULL && no_time[i])
			keys->words[2][i] = NO_HOUR;
	}
}

static void
begin(EcMaking *making)
{
	making->private = palloc(sizeof(Keys));
}

static void
add_rows(EcMaking *making, const EcBuildRows *batch)
{
	uint64 *const *states;

	set_keys(making->private, batch->n, batch->users, batch->no_user, batch->codes, batch->brands,
			 batch->hours, batch->no_time);
	states = find_states(making, batch->n);
	for (uint32 i = 0; i < batch->n; i++)
		add_one(states[i], batch->types[i] < EC_TYPE_CLASSES ? batch->types[i] : 0);
}

/* The counts of a block's cells as states. */
static void
get_states(EcReader *reader, uint32 block, uint32 n, int64 *ints, uint64 (*states)[STATE_WORDS])
{
	static const int columns[EC_TYPE_CLASSES] = {EC_USER_OTHER, EC_USER_ROWS, EC_USER_CARTS,
												 EC_USER_PURCHASES};

	memset(states, 0, sizeof(states[0]) * n);
	for (int type = 0; type < EC_TYPE_CLASSES; type++)
	{
		ec_build_ints(reader, columns[type], block, ints, NULL);
		for (uint32 i = 0; i < n; i++)
			states[i][type / 2] |= (uint64) ints[i] << (type % 2 * 32);
	}
	for (uint32 i = 0; i < n; i++) /* views are what is left of all rows */
	{
		uint64 others = (uint64) get_count(states[i], EC_TYPE_CART) +
						get_count(states[i], EC_TYPE_PURCHASE) + get_count(states[i], 0);

		states[i][0] -= others << 32;
	}
}

static void
add_cells(EcMaking *making, EcReader *reader, uint32 block)
{
	EcBuild *build = making->build;
	uint32 n = ec_reader_block_rows(reader, block);
	int64 *users = palloc(sizeof(int64) * 2 * EC_BLOCK_ROWS);
	int64 *hours = users + EC_BLOCK_ROWS;
	uint8 *no_user = palloc(2 * EC_BLOCK_ROWS);
	uint8 *no_time = no_user + EC_BLOCK_ROWS;
	uint64(*cells)[STATE_WORDS] = palloc(sizeof(uint64) * STATE_WORDS * n);
	uint64 *const *states;

	ec_build_ints(reader, EC_USER_ID, block, users, no_user);
	ec_build_ints(reader, EC_USER_SLOT, block, hours, no_time);
	set_keys(making->private, n, users, no_user,
			 ec_build_ids(reader, EC_USER_CODE, block, &build->code),
			 ec_build_ids(reader, EC_USER_BRAND, block, &build->brand), hours, no_time);
	get_states(reader, block, n, hours, cells);
	states = find_states(making, n);
	for (uint32 i = 0; i < n; i++)
		combine(states[i], cells[i]);
	pfree(cells);
	pfree(no_user);
	pfree(users);
}

/* ---- the greatest ---- */

/* An item: rows, and the key's first two words. */
typedef struct TopItem
{
	int64 n;
	uint64 words[2];
} TopItem;

/* Twice as many items as are wanted: when they are full, the lesser half goes. */
typedef struct Greatest
{
	TopItem *items; /* [2 * EC_TOP_ROWS] */
	uint32 nitems;
	TopItem present; /* the one whose cells are coming */
} Greatest;

static void
begin_top(EcMaking *making)
{
	Greatest *top = palloc0(sizeof(Greatest));

	top->items = palloc(sizeof(TopItem) * 2 * EC_TOP_ROWS);
	making->private = top;
}

static int
compare_items(const void *a, const void *b)
{
	const TopItem *x = a;
	const TopItem *y = b;

	return (x->n < y->n) - (x->n > y->n);
}

static void
keep_greatest(Greatest *top)
{
	qsort(top->items, top->nitems, sizeof(TopItem), compare_items);
	top->nitems = Min(top->nitems, EC_TOP_ROWS);
}

static void
end_item(Greatest *top)
{
	if (top->present.n == 0)
		return;
	if (top->nitems == 2 * EC_TOP_ROWS)
		keep_greatest(top);
	top->items[top->nitems++] = top->present;
	top->present.n = 0;
}

/* Cells come in order of their keys. */
static void
add_to_item(EcMaking *making, uint64 user, uint64 word, int64 n)
{
	Greatest *top;

	if (making == NULL)
		return;
	top = making->private;
	if (top->present.words[0] != user || top->present.words[1] != word)
		end_item(top);
	top->present.words[0] = user;
	top->present.words[1] = word;
	top->present.n += n;
}

static void
write_key(EcMaking *making, const uint64 *key)
{
	if (key[1] & NO_USER)
		ec_making_null(making, EC_USER_ID);
	else
		ec_making_int(making, EC_USER_ID, ec_sorter_int64(key[0]));
	ec_making_text(making, EC_USER_CODE, making->build->codes,
				   (uint32) ((key[1] & ~NO_USER) >> CODE_SHIFT));
}

static void
finish_top(EcMaking *making)
{
	bool with_brand = making->maker->projection == EC_PROJECTION_TOP_BRAND;
	Greatest *top = making->private;

	end_item(top);
	keep_greatest(top);
	for (uint32 i = 0; i < top->nitems; i++)
	{
		const TopItem *item = &top->items[i];

		write_key(making, item->words);
		if (with_brand)
			ec_making_text(making, EC_TOP_BRAND_NAME, making->build->brands,
						   (uint32) item->words[1]);
		ec_making_int(making, with_brand ? EC_TOP_BRAND_ROWS : EC_TOP_CATEGORY_ROWS, item->n);
		ec_making_row(making);
	}
}

/* ---- cells out ---- */

static void
write_cell(EcMaking *making, const uint64 *key, const uint64 *state)
{
	EcBuild *build = making->build;
	int64 rows = 0;

	for (int type = 0; type < EC_TYPE_CLASSES; type++)
		rows += get_count(state, type);
	if (rows >= COUNT_MAX)
		ec_build_refuse(making);
	write_key(making, key);
	ec_making_text(making, EC_USER_BRAND, build->brands, (uint32) key[1]);
	if (key[2] == NO_HOUR)
		ec_making_null(making, EC_USER_SLOT);
	else
		ec_making_int(making, EC_USER_SLOT, ec_sorter_int64(key[2]));
	ec_making_int(making, EC_USER_ROWS, rows);
	ec_making_int(making, EC_USER_CARTS, get_count(state, EC_TYPE_CART));
	ec_making_int(making, EC_USER_PURCHASES, get_count(state, EC_TYPE_PURCHASE));
	ec_making_int(making, EC_USER_OTHER, get_count(state, 0));
	ec_making_row(making);
	add_to_item(ec_build_making(build, EC_PROJECTION_TOP_BRAND), key[0], key[1], rows);
	add_to_item(ec_build_making(build, EC_PROJECTION_TOP_CATEGORY), key[0],
				key[1] & ~(uint64) PG_UINT32_MAX, rows);
}

const EcMaker ec_user_maker = {
	.projection = EC_PROJECTION_USER,
	.dimension = "user",
	.columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER) |
			   EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_BRAND),
	.key_words = KEY_WORDS,
	.state_words = STATE_WORDS,
	.memory = 4,
	.combine = combine,
	.begin = begin,
	.add_rows = add_rows,
	.add_cells = add_cells,
	.finish_cell = write_cell,
};

#define TOP_MAKER(number)                                                                          \
	{                                                                                              \
		.projection = (number), .dimension = "user",                                               \
		.needs = EC_PROJECTION_BIT(EC_PROJECTION_USER), .key_words = 1, .state_words = 0,          \
		.memory = 0.01, .begin = begin_top, .finish = finish_top,                                  \
	}

const EcMaker ec_top_category_maker = TOP_MAKER(EC_PROJECTION_TOP_CATEGORY);
const EcMaker ec_top_brand_maker = TOP_MAKER(EC_PROJECTION_TOP_BRAND);
