/*
 * summary_user.c
 *	  Summaries by user: (user, category_code, hour) to rows by type, and the same by
 *	  brand, too; and of all hours together, the greatest numbers of rows of a (user,
 *	  category_code) and of a (user, category_code, brand).
 *
 * A user's rows are numbers: rank of category_code and brand, slot, type.  Sorted, equal ones
 * stand together, and those of a cell; those of a category come brand by brand, and
 * are brought in order of hours if it has several.
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
#define INTS (EC_USER_TYPES + 1)
#define TEXT EC_USER_CODE
#define SLOT EC_USER_SLOT

/* Rows of a user that are the same here: facts as in EcUserRow, but with the pair's rank. */
typedef struct Kind
{
	uint64 facts;
	uint64 count;
} Kind;

/* Of either projection; their columns are much the same. */
typedef struct Chunk
{
	EcMaking *making;
	uint32 n;
	int64 ints[INTS][CHUNK]; /* by column; the text's is not in use */
	uint32 ids[CHUNK];
	EcTextOut text;
} Chunk;

/* A user's rows of a category in an hour. */
typedef struct Hour
{
	uint32 slot;
	uint64 counts[EC_TYPE_CLASSES];
} Hour;

typedef struct Cells
{
	Kind *items; /* of the user in work */
	uint32 nitems;
	uint32 capacity;
	Hour *hours; /* of the category in work, in order */
	uint32 nhours;
	uint32 hours_capacity;
	uint64 nwritten; /* cells without brand */
	Chunk categories;
	Chunk brands;
} Cells;

#define ST_SORT sort_items
#define ST_ELEMENT_TYPE Kind
#define ST_COMPARE(a, b) ((a)->facts < (b)->facts ? -1 : (a)->facts > (b)->facts)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_hours
#define ST_ELEMENT_TYPE Hour
#define ST_COMPARE(a, b) ((a)->slot < (b)->slot ? -1 : (a)->slot > (b)->slot)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
init_chunk(Chunk *chunk, EcMaking *making, const EcInterner *texts)
{
	chunk->making = making;
	chunk->n = 0;
	ec_making_texts_init(&chunk->text, TEXT, texts);
}

static void
begin(EcMaking *making)
{
	Cells *cells = palloc(sizeof(Cells));

	cells->nitems = 0;
	cells->capacity = FEW_ITEMS;
	cells->items = palloc(sizeof(Kind) * cells->capacity);
	cells->nhours = 0;
	cells->hours_capacity = FEW_ITEMS;
	cells->hours = palloc(sizeof(Hour) * cells->hours_capacity);
	cells->nwritten = 0;
	init_chunk(&cells->categories, making, making->build->codes);
	init_chunk(&cells->brands, ec_build_making(making->build, EC_PROJECTION_USER_BRAND),
			   making->build->brands);
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
write_chunk(Chunk *chunk, uint32 start, uint32 n)
{
	for (int column = 0; column < INTS; column++)
	{
		if (column != TEXT)
			ec_making_ints(chunk->making, column, chunk->ints[column] + start, n);
	}
	ec_making_ids(chunk->making, &chunk->text, chunk->ids + start, n);
	ec_making_rows(chunk->making, n);
}

static void
flush_chunk(Chunk *chunk)
{
	uint32 first = Min(chunk->n, EC_BUILD_PART_ROWS - chunk->making->batch->nrows);

	if (first > 0)
		write_chunk(chunk, 0, first);
	if (chunk->n > first)
		write_chunk(chunk, first, chunk->n - first);
	chunk->n = 0;
}

/* What is NULL goes on its own: the chunk's last cell. */
static void
write_with_nulls(Chunk *chunk, bool no_user, bool no_time)
{
	uint32 i = --chunk->n;

	flush_chunk(chunk);
	for (int column = 0; column < INTS; column++)
	{
		if ((column == EC_USER_ID && no_user) || (column == SLOT && no_time))
			ec_making_null(chunk->making, column);
		else if (column != TEXT)
			ec_making_int(chunk->making, column, chunk->ints[column][i]);
	}
	ec_making_ids(chunk->making, &chunk->text, &chunk->ids[i], 1);
	ec_making_row(chunk->making);
}

/* A cell but for its slot, which is in the chunk already. */
static int64
put_cell(Chunk *chunk, uint64 user, uint32 id, const uint64 *counts, bool no_user, bool no_time)
{
	uint32 i = chunk->n++;
	uint64 rows = 0;
	bool fits = true;

	for (int type = 0; type < EC_TYPE_CLASSES; type++)
	{
		rows += counts[type];
		fits &= type == EC_TYPE_VIEW || counts[type] <= EC_USER_TYPES_MAX;
	}
	if (rows >= COUNT_MAX || !fits)
		ec_build_refuse(chunk->making);
	chunk->ints[EC_USER_ID][i] = ec_sorter_int64(user);
	chunk->ids[i] = id;
	chunk->ints[EC_USER_ROWS][i] = (int64) rows;
	chunk->ints[EC_USER_TYPES][i] = ec_user_types_pack(
		counts[EC_TYPE_VIEW] > 0, counts[EC_TYPE_CART], counts[EC_TYPE_PURCHASE], counts[0]);
	if (no_user || no_time)
		write_with_nulls(chunk, no_user, no_time);
	else if (chunk->n == CHUNK)
		flush_chunk(chunk);
	return (int64) rows;
}

/* ---- a category's cells ---- */

static void
combine_hours(Cells *cells)
{
	uint32 n = 0;

	sort_hours(cells->hours, cells->nhours);
	for (uint32 i = 0; i < cells->nhours; i++)
	{
		if (n == 0 || cells->hours[n - 1].slot != cells->hours[i].slot)
		{
			cells->hours[n++] = cells->hours[i];
			continue;
		}
		for (int type = 0; type < EC_TYPE_CLASSES; type++)
			cells->hours[n - 1].counts[type] += cells->hours[i].counts[type];
	}
	cells->nhours = n;
}

static inline uint32
slot_of(const Kind *item)
{
	EcUserRow row = {.facts = item->facts};

	return ec_user_row_slot(&row);
}

/* The items' hours, each once; those of a brand come in order. */
static void
find_hours(Cells *cells, const Kind *items, uint32 n)
{
	bool in_order = true;

	if (n > cells->hours_capacity)
	{
		cells->hours_capacity = n * 2;
		cells->hours = repalloc_huge(cells->hours, sizeof(Hour) * (Size) cells->hours_capacity);
	}
	cells->nhours = 0;
	for (uint32 i = 0; i < n; i++)
	{
		uint32 slot = slot_of(&items[i]);

		if (cells->nhours == 0 || cells->hours[cells->nhours - 1].slot != slot)
		{
			in_order &= cells->nhours == 0 || cells->hours[cells->nhours - 1].slot < slot;
			cells->hours[cells->nhours++] = (Hour){.slot = slot};
		}
		cells->hours[cells->nhours - 1].counts[items[i].facts & EC_USER_ROW_TYPE_MASK] +=
			items[i].count;
	}
	if (!in_order)
		combine_hours(cells);
}

static void
put_hours(Cells *cells, uint64 user, uint32 code, bool no_user)
{
	Chunk *chunk = &cells->categories;

	for (uint32 i = 0; i < cells->nhours; i++)
	{
		uint32 slot = cells->hours[i].slot;
		bool no_time = slot == EC_PRODUCT_SLOT_NULL;

		chunk->ints[EC_USER_SLOT][chunk->n] = no_time ? 0 : ec_product_slot_time(slot);
		put_cell(chunk, user, code, cells->hours[i].counts, no_user, no_time);
	}
	cells->nwritten += cells->nhours;
}

/* A brand's items; returns their rows. */
static int64
put_brand(Cells *cells, uint64 user, uint32 brand, const Kind *items, uint32 n, bool no_user)
{
	Chunk *chunk = &cells->brands;
	uint64 first = cells->nwritten - cells->nhours;
	uint32 hour = 0;
	int64 rows = 0;

	for (uint32 i = 0; i < n;)
	{
		uint64 counts[EC_TYPE_CLASSES] = {0};
		uint32 slot = slot_of(&items[i]);

		for (; i < n && slot_of(&items[i]) == slot; i++)
			counts[items[i].facts & EC_USER_ROW_TYPE_MASK] = items[i].count;
		while (cells->hours[hour].slot != slot)
			hour++;
		chunk->ints[EC_USER_CELL][chunk->n] = (int64) (first + hour);
		rows += put_cell(chunk, user, brand, counts, no_user, false);
	}
	return rows;
}

/* How many items, from the first on, have its category (and brand). */
static uint32
count_alike(const EcBuildPairs *pairs, const Kind *items, uint32 n, bool with_brand)
{
	EcUserRow first = {.facts = items[0].facts};
	uint32 i = 1;

	for (; i < n && ((items[i].facts ^ first.facts) & EC_USER_ROW_NULL) == 0; i++)
	{
		EcUserRow row = {.facts = items[i].facts};

		if (with_brand
				? ec_user_row_pair(&row) != ec_user_row_pair(&first)
				: pairs->codes[ec_user_row_pair(&row)] != pairs->codes[ec_user_row_pair(&first)])
			break;
	}
	return i;
}

/* The items of a category. */
static void
put_category(EcMaking *making, uint64 user, const Kind *items, uint32 n)
{
	Cells *cells = making->private;
	EcBuild *build = making->build;
	const EcBuildPairs *pairs = ec_build_users_pairs(build->users);
	EcMaking *brands = ec_build_making(build, EC_PROJECTION_TOP_BRAND);
	EcMaking *categories = ec_build_making(build, EC_PROJECTION_TOP_CATEGORY);
	bool no_user = (items[0].facts & EC_USER_ROW_NULL) != 0;
	EcUserRow first = {.facts = items[0].facts};
	uint32 code = pairs->codes[ec_user_row_pair(&first)];
	uint64 texts = (items[0].facts & EC_USER_ROW_NULL) | (uint64) code << CODE_SHIFT;
	uint32 next;

	find_hours(cells, items, n);
	put_hours(cells, user, code, no_user);
	for (uint32 i = 0; i < n; i = next)
	{
		EcUserRow row = {.facts = items[i].facts};
		uint32 brand = pairs->brands[ec_user_row_pair(&row)];
		int64 rows;

		next = i + count_alike(pairs, items + i, n - i, true);
		rows = put_brand(cells, user, brand, items + i, next - i, no_user);
		add_to_item(brands, user, texts | brand, rows);
		add_to_item(categories, user, texts, rows);
	}
}

static void
end_user(EcMaking *making, uint64 user)
{
	Cells *cells = making->private;
	const EcBuildPairs *pairs = ec_build_users_pairs(making->build->users);
	uint32 n;

	combine_items(cells);
	for (uint32 i = 0; i < cells->nitems; i += n)
	{
		n = count_alike(pairs, cells->items + i, cells->nitems - i, false);
		put_category(making, user, cells->items + i, n);
	}
	cells->nitems = 0;
}

static void
finish(EcMaking *making)
{
	Cells *cells = making->private;

	flush_chunk(&cells->categories);
	flush_chunk(&cells->brands);
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

/* What these have comes from the first. */
#define FED_MAKER(number)                                                                          \
	.projection = (number), .dimension = "user", .needs = EC_PROJECTION_BIT(EC_PROJECTION_USER),   \
	.key_words = 1, .memory = 0.01

#define TOP_MAKER(number)                                                                          \
	{                                                                                              \
		FED_MAKER(number), .begin = begin_top, .finish = finish_top                                \
	}

const EcMaker ec_user_brand_maker = {FED_MAKER(EC_PROJECTION_USER_BRAND)};
const EcMaker ec_top_category_maker = TOP_MAKER(EC_PROJECTION_TOP_CATEGORY);
const EcMaker ec_top_brand_maker = TOP_MAKER(EC_PROJECTION_TOP_BRAND);
