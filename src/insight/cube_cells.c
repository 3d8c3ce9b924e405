/*
 * cube_cells.c
 *	  Which summaries answer a question to the bucketed views, and their cells.
 *
 * Cells by category know all measures; with the brand there are those of days, and where
 * hours are to be told apart, those by product and hour, which know neither category_id
 * nor extremes.  A range of hours without telling them apart is whole days, and rows of the
 * hours around them.  Users' cells are in order of users: where the range has few rows, these
 * are read instead.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "insight/cube_internal.h"
#include "insight/product_set.h"

/* What a row costs beside a cell by user. */
#define ROW_COST 3

/* More users than this are looked for in all cells between the first and the last. */
#define FEW_USERS 64

#define BIT EC_PROJECTION_BIT
#define CATEGORY_BITS (BIT(EC_PROJECTION_CATEGORY_HOUR) | BIT(EC_PROJECTION_CATEGORY_DAY))

/* ---- which ---- */

static EcCubeSource
choose_source(const EcCube *cube)
{
	bool by_bucket = ec_cube_needs(cube, EC_CUBE_BUCKET);
	bool beyond_products = cube->extremes || ec_cube_needs(cube, EC_CUBE_CATEGORY_ID);
	bool is_user = cube->query->view->id == EC_COL_USER;

	if (ec_cube_needs(cube, EC_CUBE_ID) && is_user)
		return EC_CUBE_FROM_USERS;
	if (ec_cube_needs(cube, EC_CUBE_ID))
	{
		if (beyond_products)
			return EC_CUBE_FROM_ROWS;
		return by_bucket ? EC_CUBE_FROM_PRODUCT_HOURS : EC_CUBE_FROM_PRODUCTS;
	}
	if (!ec_cube_needs(cube, EC_CUBE_BRAND))
		return EC_CUBE_FROM_CATEGORIES;
	if (!by_bucket || cube->query->view->length == USECS_PER_DAY)
		return EC_CUBE_FROM_BRANDS;
	return beyond_products ? EC_CUBE_FROM_ROWS : EC_CUBE_FROM_PRODUCT_HOURS;
}

/* The cells of all sets in the range, and how many rows they stand for; *all: of any time. */
static double
count_covered(EcCube *cube, double *all)
{
	const EcSlots everything = {PG_INT64_MIN, PG_INT64_MAX, true};
	const EcSlots *slots = &cube->rows.slots;
	const EcSummarySet *set;
	double n = 0;
	Relation rel;

	*all = 0;
	while (ec_rows_next_set(&cube->rows, &rel, &set))
	{
		EcCells cells;

		ec_cells_open(&cells, rel, set, EC_PROJECTION_CATEGORY_DAY, cube->context);
		ec_cells_select(&cells, slots->nulls ? &everything : slots);
		while (ec_cells_next(&cells))
		{
			for (int type = 0; type < EC_TYPE_CLASSES; type++)
			{
				const int64 *counts = ec_cells_ints(&cells, EC_CATEGORY_OTHER + type, NULL);

				for (uint32 i = 0; i < cells.n; i++)
					n += (double) counts[i];
			}
		}
		ec_cells_close(&cells);
		for (uint32 i = 0; i < set->nparts; i++)
			*all += set->parts[i].projection == EC_PROJECTION_USER ? set->parts[i].nrows : 0;
	}
	ec_rows_rewind_sets(&cube->rows);
	return n;
}

/* Are rows of the range fewer than what would have to be read of all users' cells? */
static bool
prefers_rows(EcCube *cube)
{
	double ncells;
	double nrows;

	if (cube->query->filters[EC_CUBE_ID].is_active ||
		(!cube->query->has_since && !cube->query->has_until))
		return false;
	nrows = count_covered(cube, &ncells);
	return nrows * ROW_COST < ncells;
}

static bool
cover(EcCube *cube)
{
	EcRows *rows = &cube->rows;

	switch (cube->source)
	{
		case EC_CUBE_FROM_ROWS:
			return false;
		case EC_CUBE_FROM_CATEGORIES:
			return ec_rows_cover(rows, CATEGORY_BITS);
		case EC_CUBE_FROM_BRANDS:
			return ec_rows_cover_days(rows, BIT(EC_PROJECTION_BRAND_DAY));
		case EC_CUBE_FROM_PRODUCTS:
		case EC_CUBE_FROM_PRODUCT_HOURS:
			return ec_rows_cover(rows, EC_PRODUCT_PROJECTIONS);
		case EC_CUBE_FROM_USERS:
			return ec_rows_cover(rows, BIT(EC_PROJECTION_USER) | CATEGORY_BITS);
	}
	return false;
}

static const char *
name_source(const EcCube *cube)
{
	static const char *const names[] = {[EC_CUBE_FROM_ROWS] = "rows",
										[EC_CUBE_FROM_CATEGORIES] = "summaries by category",
										[EC_CUBE_FROM_BRANDS] = "summaries by category and brand",
										[EC_CUBE_FROM_PRODUCTS] = "summaries by product",
										[EC_CUBE_FROM_PRODUCT_HOURS] =
											"summaries by product and hour",
										[EC_CUBE_FROM_USERS] = "summaries by user"};

	return names[cube->source];
}

/* Slots of cells are those of one projection if hours are told apart, else days where these are whole. */
static void
begin_scan(EcCube *cube)
{
	EcProjection day = EC_PROJECTION_CATEGORY_DAY;

	if (cube->source == EC_CUBE_FROM_BRANDS)
		day = EC_PROJECTION_BRAND_DAY;
	else if (ec_cube_needs(cube, EC_CUBE_BUCKET) && cube->query->view->length == USECS_PER_HOUR)
		day = EC_PROJECTION_CATEGORY_HOUR;
	ec_slot_cells_begin(&cube->scan, &cube->rows, EC_PROJECTION_CATEGORY_HOUR, day, cube->context);
}

/* Opens the rows that have to be read. */
void
ec_cube_cover(EcCube *cube)
{
	bool by_time;

	cube->source = choose_source(cube);
	by_time = cube->extremes && cube->source != EC_CUBE_FROM_ROWS;
	ec_cube_open_rows(cube, by_time ? EC_COL_BIT(EC_COL_TIME) : 0);
	cube->is_covered = cover(cube);
	if (cube->is_covered && cube->source == EC_CUBE_FROM_USERS && prefers_rows(cube))
	{
		ec_rows_close(&cube->rows);
		ec_cube_open_rows(cube, 0);
		cube->is_covered = false;
	}
	if (!cube->is_covered)
		cube->source = EC_CUBE_FROM_ROWS;
	cube->use->source = name_source(cube);
	if (cube->source == EC_CUBE_FROM_CATEGORIES || cube->source == EC_CUBE_FROM_BRANDS)
		begin_scan(cube);
}

/* ---- by category ---- */

static void
add_category_prices(EcCube *cube, uint64 *const *states, const EcCubeBatch *batch,
					const uint8 *skip)
{
	EcCells *cells = &cube->scan.cells;
	const int64 *priced = ec_cells_ints(cells, EC_CATEGORY_PRICED, NULL);
	const int64 *sums = ec_cells_ints(cells, EC_CATEGORY_PRICE_SUM, NULL);
	const int64 *revenues = ec_cells_ints(cells, EC_CATEGORY_REVENUE, NULL);
	const uint8 *no_price;
	const int64 *mins;
	const int64 *maxs;

	for (uint32 i = 0; i < cells->n; i++)
	{
		states[i][EC_CUBE_PRICES] += (uint64) priced[i];
		ec_tally_add_int128(states[i] + EC_CUBE_SUM, sums[i]);
		ec_tally_add_int128(states[i] + EC_CUBE_REVENUES, revenues[i]);
	}
	if (!cube->extremes)
		return;
	mins = ec_cells_ints(cells, EC_CATEGORY_PRICE_MIN, &no_price);
	maxs = ec_cells_ints(cells, EC_CATEGORY_PRICE_MAX, &no_price);
	for (uint32 i = 0; i < cells->n; i++)
	{
		bool no_slot = batch->no_slot != NULL && batch->no_slot[i];

		if (priced[i] > 0 && (skip == NULL || !skip[i]) &&
			ec_cube_holds(cube, i, batch->slots[i], no_slot, mins[i], maxs[i]))
			ec_cube_widen(states[i], mins[i], maxs[i]);
	}
}

static void
add_category_cells(EcCube *cube)
{
	EcCells *cells = &cube->scan.cells;
	EcCubeBatch batch = {.n = cells->n, .length = cube->scan.length};
	const uint8 *skip;
	uint64 *const *states;

	batch.slots = ec_cells_ints(cells, EC_CATEGORY_SLOT, &batch.no_slot);
	if (ec_cube_needs(cube, EC_CUBE_CATEGORY_ID))
		batch.categories = ec_cells_ints(cells, EC_CATEGORY_ID, &batch.no_category);
	if (ec_cube_needs(cube, EC_CUBE_CODE))
		batch.codes = ec_cells_ids(cells, EC_CATEGORY_CODE, &cube->code);
	if (ec_cube_needs(cube, EC_CUBE_BRAND))
		batch.brands = ec_cells_ids(cells, EC_BRAND_NAME, &cube->brand);
	states = ec_cube_find(cube, &batch, &skip);
	cube->use->cells += cells->n;
	for (int type = 0; type < EC_TYPE_CLASSES; type++)
	{
		const int64 *counts = ec_cells_ints(cells, EC_CATEGORY_OTHER + type, NULL);

		for (uint32 i = 0; i < cells->n; i++)
			states[i][EC_CUBE_COUNTS + type] += (uint64) counts[i];
	}
	if (cube->prices)
		add_category_prices(cube, states, &batch, skip);
}

/* ---- by product ---- */

/* Sums or cells, column by column, of products; references are the whole ones. */
typedef struct ProductCells
{
	uint32 n;
	const int64 *columns[EC_PRODUCT_CELL_PRICE + 1];
	const int64 *references;
} ProductCells;

static void
add_product_cells(EcCube *cube, const EcCubeBatch *batch, const ProductCells *cells)
{
	const int64 *const *columns = cells->columns;
	const uint8 *skip;
	uint64 *const *states = ec_cube_find(cube, batch, &skip);

	cube->use->cells += cells->n;
	for (uint32 i = 0; i < cells->n; i++)
	{
		uint64 *state = states[i];
		int64 rows = columns[EC_PRODUCT_CELL_ROWS][i];
		int64 carts = columns[EC_PRODUCT_CELL_CARTS][i];
		int64 purchases = columns[EC_PRODUCT_CELL_PURCHASES][i];
		int64 others = columns[EC_PRODUCT_CELL_OTHER][i];
		int64 priced = rows - columns[EC_PRODUCT_CELL_UNPRICED][i];

		state[EC_CUBE_COUNTS] += (uint64) others;
		state[EC_CUBE_COUNTS + EC_TYPE_VIEW] += (uint64) (rows - carts - purchases - others);
		state[EC_CUBE_COUNTS + EC_TYPE_CART] += (uint64) carts;
		state[EC_CUBE_COUNTS + EC_TYPE_PURCHASE] += (uint64) purchases;
		if (!cube->prices)
			continue;
		state[EC_CUBE_PRICES] += (uint64) priced;
		ec_tally_add_int128(state + EC_CUBE_SUM, (int128) cells->references[i] * priced +
													 columns[EC_PRODUCT_CELL_PRICE][i]);
		ec_tally_add_int128(state + EC_CUBE_REVENUES, columns[EC_PRODUCT_CELL_REVENUE][i]);
	}
}

/* A set's products: who they are. */
typedef struct Products
{
	EcProductSet *set;
	const int64 *ids;
	const uint32 *codes;
	const uint32 *brands;
	int64 *references; /* own ones */
	uint32 *wanted;	   /* [nwanted] indexes, if a filter chooses some */
	uint32 nwanted;
	bool are_chosen;
} Products;

static bool
is_null_product(const Products *products, uint32 index)
{
	return index >= products->set->nproducts - products->set->nnull;
}

/* A filter's texts were interned before all others. */
static inline bool
keeps_text(const EcCubeFilter *filter, uint32 id)
{
	return !filter->is_active || (id != EC_ID_NULL && id <= filter->n);
}

static bool
is_product_wanted(const EcCube *cube, const Products *products, uint32 i)
{
	const EcCubeFilter *filters = cube->query->filters;

	if (!keeps_text(&filters[EC_CUBE_CODE], products->codes[i]) ||
		!keeps_text(&filters[EC_CUBE_BRAND], products->brands[i]))
		return false;
	return !filters[EC_CUBE_ID].is_active ||
		   (!is_null_product(products, i) && ec_cube_keeps(&filters[EC_CUBE_ID], products->ids[i]));
}

/* By any of the filters, so that the cells of others needn't be decoded. */
static void
choose_products(const EcCube *cube, Products *products)
{
	products->are_chosen = cube->filtered != 0;
	products->nwanted = products->set->nproducts;
	if (!products->are_chosen)
		return;
	products->nwanted = 0;
	for (uint32 i = 0; i < products->set->nproducts; i++)
	{
		products->wanted[products->nwanted] = i;
		products->nwanted += is_product_wanted(cube, products, i);
	}
}

static void
open_products(EcCube *cube, Products *products, Relation rel, const EcSummarySet *set)
{
	Size n;

	products->set = ec_product_set_open(rel, set, cube->context);
	n = Max(products->set->nproducts, 1);
	products->ids = ec_product_set_ids(products->set);
	ec_product_set_texts(products->set, &cube->code, &cube->brand, &products->codes,
						 &products->brands);
	products->references = MemoryContextAlloc(products->set->context, sizeof(int64) * n);
	products->wanted = MemoryContextAlloc(products->set->context, sizeof(uint32) * n);
	ec_product_set_own_references(products->set, products->references);
	choose_products(cube, products);
}

/* Arrays of up to a block's products. */
typedef struct ProductBlock
{
	int64 ids[EC_BLOCK_ROWS];
	int64 slots[EC_BLOCK_ROWS];
	int64 references[EC_BLOCK_ROWS];
	uint32 codes[EC_BLOCK_ROWS];
	uint32 brands[EC_BLOCK_ROWS];
	uint8 no_id[EC_BLOCK_ROWS];
	uint8 no_slot[EC_BLOCK_ROWS];
	uint32 rows[EC_BLOCK_ROWS]; /* where cells stand in their block */
	int64 columns[EC_PRODUCT_CELL_PRICE + 1][EC_BLOCK_ROWS];
} ProductBlock;

static inline void
set_product(ProductBlock *block, uint32 at, const Products *products, uint32 index)
{
	block->ids[at] = products->ids[index];
	block->no_id[at] = is_null_product(products, index);
	block->codes[at] = products->codes[index];
	block->brands[at] = products->brands[index];
	block->references[at] = products->references[index];
}

static void
add_product_block(EcCube *cube, const ProductBlock *block, uint32 n)
{
	EcCubeBatch batch = {.n = n,
						 .length = USECS_PER_HOUR,
						 .slots = block->slots,
						 .no_slot = block->no_slot,
						 .ids = block->ids,
						 .no_id = block->no_id,
						 .codes = block->codes,
						 .brands = block->brands};
	ProductCells cells = {.n = n, .references = block->references};

	for (int column = 0; column <= EC_PRODUCT_CELL_PRICE; column++)
		cells.columns[column] = block->columns[column];
	if (n > 0)
		add_product_cells(cube, &batch, &cells);
}

/* The sums over the range. */
static void
add_product_sums(EcCube *cube, Products *products, int64 from, int64 to, ProductBlock *block)
{
	EcProductSums sums;
	uint32 n = 0;

	if (products->are_chosen)
		ec_product_set_sum_of(products->set, from, to, EC_PRODUCT_SUMS_ALL, products->wanted,
							  products->nwanted, &sums);
	else
		ec_product_set_sum(products->set, from, to, EC_PRODUCT_SUMS_ALL, &sums);
	for (uint32 i = 0; i < products->nwanted; i++)
	{
		if (sums.columns[EC_PRODUCT_CELL_ROWS][i] == 0)
			continue;
		set_product(block, n, products, products->are_chosen ? products->wanted[i] : i);
		for (int column = EC_PRODUCT_CELL_ROWS; column <= EC_PRODUCT_CELL_PRICE; column++)
			block->columns[column][n] = sums.columns[column][i];
		if (++n == EC_BLOCK_ROWS)
		{
			add_product_block(cube, block, n);
			n = 0;
		}
	}
	add_product_block(cube, block, n);
}

/* The product's reference of the part's interval is added to its own. */
static void
take_cells(EcCube *cube, Products *products, uint32 part, uint32 number, uint32 n,
		   ProductBlock *block)
{
	EcReader *reader = products->set->cells;
	const EcVector *indexes = ec_reader_block(reader, EC_PRODUCT_CELL_INDEX, number);
	const int64 *references =
		ec_product_set_references(products->set, ec_product_set_interval(products->set, part));

	for (uint32 i = 0; i < n; i++)
	{
		uint32 index = (uint32) ec_vector_int64(indexes, block->rows[i]);

		set_product(block, i, products, index);
		block->references[i] += references[index];
	}
	for (int column = 0; column <= EC_PRODUCT_CELL_PRICE; column++)
	{
		const EcVector *v = ec_reader_block(reader, column, number);

		for (uint32 i = 0; i < n; i++)
			block->columns[column][i] = ec_vector_int64(v, block->rows[i]);
	}
	for (uint32 i = 0; i < n; i++)
	{
		int64 slot = block->columns[EC_PRODUCT_CELL_SLOT][i];

		block->no_slot[i] = slot == EC_PRODUCT_SLOT_NULL;
		block->slots[i] = block->no_slot[i] ? 0 : ec_product_slot_time(slot);
	}
	add_product_block(cube, block, n);
}

/* Lists the cells of a block that are in the range and of products that are wanted. */
static uint32
list_cells(const Products *products, uint32 number, int64 from, int64 to, const uint8 *is_wanted,
		   uint32 *rows)
{
	EcReader *reader = products->set->cells;
	uint32 nrows = ec_reader_block_rows(reader, number);
	const EcVector *indexes = ec_reader_block(reader, EC_PRODUCT_CELL_INDEX, number);
	const EcVector *slots;
	uint32 listed = 0;
	uint32 n = 0;

	for (uint32 i = 0; i < nrows; i++)
	{
		uint64 index = (uint64) ec_vector_int64(indexes, i);

		if (index >= products->set->nproducts)
			elog(ERROR, "a cell of summaries by product is of no product");
		rows[n] = i;
		n += is_wanted == NULL || is_wanted[index];
	}
	if (n == 0)
		return 0;
	slots = ec_reader_block(reader, EC_PRODUCT_CELL_SLOT, number);
	for (uint32 i = 0; i < n; i++)
	{
		int64 slot = ec_vector_int64(slots, rows[i]);

		rows[listed] = rows[i];
		listed += slot >= from && slot < to;
	}
	return listed;
}

static bool
may_have_slots(EcReader *reader, uint32 number, int64 from, int64 to)
{
	EcZone zone;
	EcKind kind;
	int32 scale;

	return !ec_reader_zone(reader, EC_PRODUCT_CELL_SLOT, number, &zone, &kind, &scale) ||
		   (zone.max >= from && zone.min < to);
}

static void
add_product_hours(EcCube *cube, Products *products, int64 from, int64 to, ProductBlock *block)
{
	EcReader *reader = products->set->cells;
	uint8 *is_wanted = NULL;

	if (products->are_chosen)
	{
		is_wanted = MemoryContextAllocZero(products->set->context, products->set->nproducts + 1);
		for (uint32 i = 0; i < products->nwanted; i++)
			is_wanted[products->wanted[i]] = 1;
	}
	for (uint32 part = 0; part < products->set->nparts && products->nwanted > 0; part++)
	{
		ec_reader_goto_group(reader, part);
		if (!may_have_slots(reader, EC_ZONE_CHUNK, from, to))
			continue;
		for (uint32 number = 0; number < ec_reader_group(reader)->nblocks; number++)
		{
			uint32 n;

			CHECK_FOR_INTERRUPTS();
			if (!may_have_slots(reader, number, from, to))
				continue;
			n = list_cells(products, number, from, to, is_wanted, block->rows);
			if (n > 0)
				take_cells(cube, products, part, number, n, block);
		}
	}
}

static void
add_products(EcCube *cube)
{
	ProductBlock *block = MemoryContextAllocZero(cube->context, sizeof(ProductBlock));
	const EcSummarySet *set;
	Relation rel;
	int64 from;
	int64 to;

	ec_product_slots(&cube->rows.slots, &from, &to);
	while (ec_rows_next_set(&cube->rows, &rel, &set))
	{
		Products products;

		open_products(cube, &products, rel, set);
		if (cube->source == EC_CUBE_FROM_PRODUCTS)
			add_product_sums(cube, &products, from, to, block);
		else
			add_product_hours(cube, &products, from, to, block);
		ec_product_set_close(products.set);
	}
}

/* ---- by user ---- */

/* Skips cells outside the range. */
static void
skip_slots(EcCube *cube, EcCells *cells, EcCubeBatch *batch, uint8 *skip)
{
	const EcSlots *slots = &cube->rows.slots;
	bool ranged = slots->min > PG_INT64_MIN || slots->max < PG_INT64_MAX || !slots->nulls;

	if (!ranged && !ec_cube_needs(cube, EC_CUBE_BUCKET))
		return;
	batch->slots = ec_cells_ints(cells, EC_USER_SLOT, &batch->no_slot);
	if (!ranged)
		return;
	for (uint32 i = 0; i < cells->n; i++)
		skip[i] = batch->no_slot != NULL && batch->no_slot[i]
					  ? !slots->nulls
					  : batch->slots[i] < slots->min || batch->slots[i] > slots->max;
	batch->skip = skip;
}

/* A block's cells by user, those of equal keys added up. */
typedef struct UserBlock
{
	int64 ids[EC_BLOCK_ROWS];
	int64 rows[EC_BLOCK_ROWS];
	uint32 codes[EC_BLOCK_ROWS];
	uint8 no_id[EC_BLOCK_ROWS];
	uint8 outside[EC_BLOCK_ROWS]; /* cells that are skipped */
} UserBlock;

/*
 * Cells are in order of user and code, so without a bucket many that follow one another have
 * the same keys: each run is looked up once.  Those that are skipped are left out.
 */
static void
merge_runs(EcCubeBatch *batch, const int64 *rows, UserBlock *block)
{
	uint32 n = 0;

	for (uint32 i = 0; i < batch->n; i++)
	{
		uint8 no_id = batch->no_id != NULL && batch->no_id[i];
		uint32 code = batch->codes != NULL ? batch->codes[i] : 0;

		if (batch->skip != NULL && batch->skip[i])
			continue;
		if (n > 0 && block->ids[n - 1] == batch->ids[i] && block->no_id[n - 1] == no_id &&
			block->codes[n - 1] == code)
		{
			block->rows[n - 1] += rows[i];
			continue;
		}
		block->ids[n] = batch->ids[i];
		block->no_id[n] = no_id;
		block->codes[n] = code;
		block->rows[n++] = rows[i];
	}
	batch->n = n;
	batch->skip = NULL;
	batch->slots = NULL;
	batch->ids = block->ids;
	batch->no_id = block->no_id;
	if (batch->codes != NULL)
		batch->codes = block->codes;
}

static void
add_user_cells(EcCube *cube, EcCells *cells, UserBlock *block)
{
	EcCubeBatch batch = {.n = cells->n, .length = USECS_PER_HOUR};
	const int64 *rows = ec_cells_ints(cells, EC_USER_ROWS, NULL);
	const uint8 *skip;
	uint64 *const *states;

	skip_slots(cube, cells, &batch, block->outside);
	batch.ids = ec_cells_ints(cells, EC_USER_ID, &batch.no_id);
	if (ec_cube_needs(cube, EC_CUBE_CODE))
		batch.codes = ec_cells_ids(cells, EC_USER_CODE, &cube->code);
	if (!ec_cube_needs(cube, EC_CUBE_BUCKET))
	{
		merge_runs(&batch, rows, block);
		rows = block->rows;
	}
	cube->use->cells += cells->n;
	states = ec_cube_find(cube, &batch, &skip);
	for (uint32 i = 0; i < batch.n; i++)
		states[i][EC_CUBE_COUNTS] += (uint64) rows[i];
}

/* All users, or those that a filter names: one by one if they are few. */
static void
add_users(EcCube *cube)
{
	const EcCubeFilter *filter = &cube->query->filters[EC_CUBE_ID];
	uint32 nranges = filter->is_active ? filter->n : 1;
	uint32 step = nranges > FEW_USERS ? nranges : 1;
	EcSlots users = {PG_INT64_MIN, PG_INT64_MAX, true};
	UserBlock *block = MemoryContextAlloc(cube->context, sizeof(UserBlock));
	const EcSummarySet *set;
	Relation rel;

	while (ec_rows_next_set(&cube->rows, &rel, &set))
	{
		EcCells cells;

		ec_cells_open(&cells, rel, set, EC_PROJECTION_USER, cube->context);
		for (uint32 i = 0; i < nranges; i += step)
		{
			if (filter->is_active)
				users = (EcSlots){filter->ints[i], filter->ints[i + step - 1], false};
			ec_cells_select(&cells, &users);
			while (ec_cells_next(&cells))
				add_user_cells(cube, &cells, block);
		}
		ec_cells_close(&cells);
	}
}

void
ec_cube_add_cells(EcCube *cube)
{
	switch (cube->source)
	{
		case EC_CUBE_FROM_CATEGORIES:
		case EC_CUBE_FROM_BRANDS:
			while (ec_slot_cells_next(&cube->scan))
				add_category_cells(cube);
			ec_slot_cells_end(&cube->scan);
			break;
		case EC_CUBE_FROM_PRODUCTS:
		case EC_CUBE_FROM_PRODUCT_HOURS:
			add_products(cube);
			break;
		case EC_CUBE_FROM_USERS:
			add_users(cube);
			break;
		case EC_CUBE_FROM_ROWS:
			break;
	}
}
