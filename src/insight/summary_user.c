/*
 * summary_user.c
 *	  Summaries by user: (user, category_code, brand, hour) to rows by type; and of all
 *	  hours together, the greatest numbers of rows of a (user, category_code) and of a
 *	  (user, category_code, brand).
 *
 * A user's rows are numbers: rank of category_code and brand, slot, type.  Sorted, equal ones
 * stand together, and those of a cell.
 */
#include "postgres.h"

#include "insight/build.h"
#include "insight/product_set.h"

/* Items that are kept before equal ones are combined, at the least. */
#define FEW_ITEMS 1024

/* Beyond that a number of rows doesn't fit its column. */
#define COUNT_MAX PG_UINT32_MAX

/* Cells on their way to a part. */
#define CHUNK 4096
#define INTS (EC_USER_OTHER + 1)

/* Rows of a user that are the same here: facts as in EcUserRow, but with the pair's rank. */
typedef struct Kind
{
	uint64 facts;
	uint64 count;
} Kind;

typedef struct Cells
{
	Kind *items; /* of the user in work */
	uint32 nitems;
	uint32 capacity;

	/* chunk */
	uint32 n;
	int64 ints[INTS][CHUNK]; /* by column; those of texts are not in use */
	uint32 codes[CHUNK];
	uint32 brands[CHUNK];
	EcTextOut code;
	EcTextOut brand;
} Cells;

#define ST_SORT sort_items
#define ST_ELEMENT_TYPE Kind
#define ST_COMPARE(a, b) ((a)->facts < (b)->facts ? -1 : (a)->facts > (b)->facts)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
begin(EcMaking *making)
{
	Cells *cells = palloc(sizeof(Cells));

	cells->nitems = 0;
	cells->capacity = FEW_ITEMS;
	cells->items = palloc(sizeof(Kind) * cells->capacity);
	cells->n = 0;
	ec_making_texts_init(&cells->code, EC_USER_CODE, making->build->codes);
	ec_making_texts_init(&cells->brand, EC_USER_BRAND, making->build->brands);
	making->private = cells;
}

/* ---- a user's rows ---- */

static void
combine_items(Cells *cells)
{
	uint32 n = 0;

	sort_items(cells->items, cells->nitems);
	for (uint32 i = 0; i < cells->nitems; i++)
	{
		if (n > 0 && cells->items[n - 1].facts == cells->items[i].facts)
			cells->items[n - 1].count += cells->items[i].count;
		else
			cells->items[n++] = cells->items[i];
	}
	cells->nitems = n;
}

/* Equal rows of a user are one item, however many they are. */
static void
make_room(Cells *cells, uint32 n)
{
	if (cells->nitems + n <= cells->capacity)
		return;
	combine_items(cells);
	while (cells->nitems + n > cells->capacity / 2)
	{
		cells->capacity *= 2;
		cells->items = repalloc_huge(cells->items, sizeof(Kind) * (Size) cells->capacity);
	}
}

static void
add_user_rows(EcMaking *making, const EcUserRow *rows, uint32 n)
{
	Cells *cells = making->private;
	const uint32 *ranks = ec_build_users_pairs(making->build->users)->ranks;
	const uint64 pair_bits = (uint64) EC_USER_ROW_PAIR_MAX << EC_USER_ROW_PAIR_SHIFT;

	make_room(cells, n);
	for (uint32 i = 0; i < n; i++)
	{
		Kind *item = &cells->items[cells->nitems++];

		item->facts = (rows[i].facts & ~pair_bits) | (uint64) ranks[ec_user_row_pair(&rows[i])]
														 << EC_USER_ROW_PAIR_SHIFT;
		item->count = 1;
	}
}

/* ---- the greatest ---- */

/* A user's (category_code, brand): words[1] is made of both ids, and NO_USER. */
typedef struct TopItem
{
	int64 n;
	uint64 words[2];
} TopItem;

#define NO_USER (UINT64CONST(1) << 63)
#define CODE_SHIFT 32 /* ids have 31 bits */

/* Twice as many items as are wanted: when they are full, the lesser half goes. */
typedef struct Greatest
{
	TopItem *items; /* [2 * EC_TOP_ROWS] */
	uint32 nitems;
	int64 bound;	 /* as many as are wanted have so many rows at least */
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
	if (top->nitems >= EC_TOP_ROWS)
	{
		top->nitems = EC_TOP_ROWS;
		top->bound = top->items[EC_TOP_ROWS - 1].n;
	}
}

static void
end_item(Greatest *top)
{
	if (top->present.n > top->bound)
	{
		if (top->nitems == 2 * EC_TOP_ROWS)
			keep_greatest(top);
		top->items[top->nitems++] = top->present;
	}
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
write_top_key(EcMaking *making, const uint64 *words)
{
	if (words[1] & NO_USER)
		ec_making_null(making, EC_TOP_CATEGORY_ID);
	else
		ec_making_int(making, EC_TOP_CATEGORY_ID, ec_sorter_int64(words[0]));
	ec_making_text(making, EC_TOP_CATEGORY_CODE, making->build->codes,
				   (uint32) ((words[1] & ~NO_USER) >> CODE_SHIFT));
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

		write_top_key(making, item->words);
		if (with_brand)
			ec_making_text(making, EC_TOP_BRAND_NAME, making->build->brands,
						   (uint32) item->words[1]);
		ec_making_int(making, with_brand ? EC_TOP_BRAND_ROWS : EC_TOP_CATEGORY_ROWS, item->n);
		ec_making_row(making);
	}
}

/* ---- cells out ---- */

/* n cells of the chunk, from start on. */
static void
write_chunk(EcMaking *making, Cells *cells, uint32 start, uint32 n)
{
	for (int column = 0; column < INTS; column++)
	{
		if (column != EC_USER_CODE && column != EC_USER_BRAND)
			ec_making_ints(making, column, cells->ints[column] + start, n);
	}
	ec_making_ids(making, &cells->code, cells->codes + start, n);
	ec_making_ids(making, &cells->brand, cells->brands + start, n);
	ec_making_rows(making, n);
}

static void
flush_chunk(EcMaking *making, Cells *cells)
{
	uint32 first = Min(cells->n, EC_BUILD_PART_ROWS - making->batch->nrows);

	if (first > 0)
		write_chunk(making, cells, 0, first);
	if (cells->n > first)
		write_chunk(making, cells, first, cells->n - first);
	cells->n = 0;
}

/* What is NULL goes on its own: the chunk's last cell. */
static void
write_with_nulls(EcMaking *making, Cells *cells, bool no_user, bool no_time)
{
	uint32 i = --cells->n;

	flush_chunk(making, cells);
	for (int column = 0; column < INTS; column++)
	{
		if ((column == EC_USER_ID && no_user) || (column == EC_USER_SLOT && no_time))
			ec_making_null(making, column);
		else if (column != EC_USER_CODE && column != EC_USER_BRAND)
			ec_making_int(making, column, cells->ints[column][i]);
	}
	ec_making_ids(making, &cells->code, &cells->codes[i], 1);
	ec_making_ids(making, &cells->brand, &cells->brands[i], 1);
	ec_making_row(making);
}

/* Items of one cell, which differ by their types. */
static int64
put_cell(EcMaking *making, Cells *cells, uint64 user, const Kind *items, uint32 n)
{
	const EcBuildPairs *pairs = ec_build_users_pairs(making->build->users);
	EcUserRow row = {.facts = items[0].facts};
	uint64 counts[EC_TYPE_CLASSES] = {0};
	uint32 i = cells->n++;
	uint32 slot = ec_user_row_slot(&row);
	uint64 rows = 0;

	for (uint32 item = 0; item < n; item++)
	{
		counts[items[item].facts & EC_USER_ROW_TYPE_MASK] = items[item].count;
		rows += items[item].count;
	}
	if (rows >= COUNT_MAX)
		ec_build_refuse(making);
	cells->ints[EC_USER_ID][i] = ec_sorter_int64(user);
	cells->codes[i] = pairs->codes[ec_user_row_pair(&row)];
	cells->brands[i] = pairs->brands[ec_user_row_pair(&row)];
	cells->ints[EC_USER_SLOT][i] = slot != EC_PRODUCT_SLOT_NULL ? ec_product_slot_time(slot) : 0;
	cells->ints[EC_USER_ROWS][i] = (int64) rows;
	cells->ints[EC_USER_CARTS][i] = (int64) counts[EC_TYPE_CART];
	cells->ints[EC_USER_PURCHASES][i] = (int64) counts[EC_TYPE_PURCHASE];
	cells->ints[EC_USER_OTHER][i] = (int64) counts[0];
	if ((row.facts & EC_USER_ROW_NULL) != 0 || slot == EC_PRODUCT_SLOT_NULL)
		write_with_nulls(making, cells, row.facts & EC_USER_ROW_NULL, slot == EC_PRODUCT_SLOT_NULL);
	else if (cells->n == CHUNK)
		flush_chunk(making, cells);
	return (int64) rows;
}

static void
end_user(EcMaking *making, uint64 user)
{
	Cells *cells = making->private;
	EcBuild *build = making->build;
	const EcBuildPairs *pairs = ec_build_users_pairs(build->users);
	EcMaking *brands = ec_build_making(build, EC_PROJECTION_TOP_BRAND);
	EcMaking *categories = ec_build_making(build, EC_PROJECTION_TOP_CATEGORY);
	uint32 next;

	combine_items(cells);
	for (uint32 i = 0; i < cells->nitems; i = next)
	{
		uint64 facts = cells->items[i].facts;
		EcUserRow row = {.facts = facts};
		uint64 texts = (facts & EC_USER_ROW_NULL) | (uint64) pairs->codes[ec_user_row_pair(&row)]
														<< CODE_SHIFT;
		int64 rows;

		for (next = i + 1; next < cells->nitems; next++)
		{
			if ((cells->items[next].facts ^ facts) > EC_USER_ROW_TYPE_MASK)
				break;
		}
		rows = put_cell(making, cells, user, &cells->items[i], next - i);
		add_to_item(brands, user, texts | pairs->brands[ec_user_row_pair(&row)], rows);
		add_to_item(categories, user, texts, rows);
	}
	cells->nitems = 0;
}

static void
finish(EcMaking *making)
{
	flush_chunk(making, making->private);
}

const EcMaker ec_user_maker = {
	.projection = EC_PROJECTION_USER,
	.dimension = "user",
	.columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER) |
			   EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_BRAND),
	.key_words = 1,
	.memory = 2,
	.begin = begin,
	.add_user_rows = add_user_rows,
	.end_user = end_user,
	.finish = finish,
};

#define TOP_MAKER(number)                                                                          \
	{                                                                                              \
		.projection = (number), .dimension = "user",                                               \
		.needs = EC_PROJECTION_BIT(EC_PROJECTION_USER), .key_words = 1, .state_words = 0,          \
		.memory = 0.01, .begin = begin_top, .finish = finish_top,                                  \
	}

const EcMaker ec_top_category_maker = TOP_MAKER(EC_PROJECTION_TOP_CATEGORY);
const EcMaker ec_top_brand_maker = TOP_MAKER(EC_PROJECTION_TOP_BRAND);
