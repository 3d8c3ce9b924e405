/*
 * summary_product.c
 *	  Summaries by product: cells (hour, product) and totals of all cells before some of them.
 *
 * Rows come slot by slot (build_slots.c), when all variants of products (variants.h) are known;
 * those get their indexes, which are by product_id.  The cells of some slots, an interval, are
 * gathered (what is more than an eighth of maintenance_work_mem in a temporary file), then written
 * behind a total.  So each interval has the reference that leaves least of its prices: most
 * products keep their price for days, so the rest is mostly 0.
 *
 * The making of hours writes the other three, too.
 *
 * Memory: about 200 bytes for each product.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "insight/product_set.h"
#include "insight/variants.h"

/* An interval has so many rows a product: a total takes about 6.4 bytes a product. */
#define ROWS_PER_PRODUCT 12
#define CELLS_MIN 4096

/* Of a set with more products nobody could take the sums. */
#define PRODUCTS_MAX 2000000

/* A product's rows of a slot. */
typedef struct Cell
{
	uint32 counts[EC_TYPE_CLASSES];
	uint32 priced;
	uint32 overflow; /* something was too large */
	int64 price;	 /* sum of prices */
	int64 revenue;
} Cell;

/* Columns of cells or totals on their way to a part. */
#define CHUNK 4096
#define COLUMNS (EC_PRODUCT_TOTAL_REFERENCE + 1)

StaticAssertDecl(EC_BUILD_PART_ROWS % CHUNK == 0, "full chunks must fill a part");

typedef struct Chunk
{
	uint32 n;
	int64 columns[COLUMNS][CHUNK];
} Chunk;

/* The sums of a product, by column. */
typedef struct Sums
{
	int64 values[EC_PRODUCT_CELL_PRICE + 1];
} Sums;

/* A cell on its way. */
typedef struct Record
{
	Cell cell;
	uint32 product; /* index */
	uint32 slot;
} Record;

/* Prices of a product in an interval: the one that most cells have is its reference. */
typedef struct Reference
{
	int64 price;
	int32 votes; /* for it, less those against it */
	bool known;	 /* it had a price in this interval or before */
} Reference;

typedef struct Products
{
	/* everything is by index, which is a product's place by product_id */
	const EcVariants *variants; /* NULL: not a row yet */
	uint32 nproducts;
	uint32 *order;	 /* index to variant */
	uint32 *indexes; /* variant to index */
	Sums *totals;
	int64 *own; /* references of all intervals; own_known: they have one */
	bool *own_known;
	Reference *references; /* of the interval */
	Record *gathered;	   /* records that aren't in the file yet */
	uint32 ngathered;
	uint32 gathered_max;
	BufFile *file; /* of records, before those */
	int64 nfile;
	int64 nrecords;
	int64 nrows; /* that they stand for */
	int64 first_slot;
	EcMaking *sales; /* NULL: they aren't made */

	/* the slot's cells, by index */
	Record *records;
	uint32 nslot;
	uint32 slot_capacity;
	uint32 *places; /* [nproducts] where a product's cell is, if seen says so */
	uint64 *seen;	/* bitmap */
	Chunk *chunk;
} Products;

/* ---- cells ---- */

static inline void
add_count(Cell *cell, uint32 *count, uint32 n)
{
	cell->overflow |= __builtin_add_overflow(*count, n, count);
}

static inline void
add_money(Cell *cell, int64 *sum, int64 value)
{
	int64 total;

	if (__builtin_add_overflow(*sum, value, &total))
		cell->overflow = 1;
	else
		*sum = total;
}

static void
begin(EcMaking *making)
{
	making->private = palloc0(sizeof(Products));
}

/* ---- an interval ---- */

static void *
allocate(EcMaking *making, Size size)
{
	return MemoryContextAllocExtended(making->build->context, Max(size, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
begin_rows(EcMaking *making, Products *products)
{
	const EcVariants *variants = ec_build_slots_products(making->build->slots);
	Size n = variants->count;

	if (n > PRODUCTS_MAX)
		ec_build_refuse(making);
	products->variants = variants;
	products->sales = ec_build_making(making->build, EC_PROJECTION_PRODUCT_SALE);
	products->nproducts = variants->count;
	products->order = ec_variants_order(variants, making->build->context);
	products->indexes = allocate(making, sizeof(uint32) * n);
	for (uint32 i = 0; i < products->nproducts; i++)
		products->indexes[products->order[i]] = i;
	products->totals = allocate(making, sizeof(Sums) * n);
	products->own = allocate(making, sizeof(int64) * n);
	products->own_known = allocate(making, sizeof(bool) * n);
	products->references = allocate(making, sizeof(Reference) * n);
	products->places = allocate(making, sizeof(uint32) * n);
	products->seen = allocate(making, sizeof(uint64) * (n / 64 + 1));
	products->chunk = allocate(making, sizeof(Chunk));
	products->gathered_max = Max(maintenance_work_mem / 8 * (Size) 1024 / sizeof(Record), CHUNK);
	products->gathered_max = Min(products->gathered_max, 1024 * 1024);
	products->gathered = allocate(making, sizeof(Record) * products->gathered_max);
}

/* Majority vote (Boyer and Moore, 1991) of the cells that have one price. */
static void
vote(Reference *reference, const Cell *cell)
{
	int64 price;

	if (cell->priced == 0 || cell->price % cell->priced != 0)
		return;
	price = cell->price / cell->priced;
	if (reference->known && price == reference->price)
		reference->votes++;
	else if (reference->votes > 0)
		reference->votes--;
	else
	{
		reference->price = price;
		reference->votes = 1;
		reference->known = true;
	}
}

static void
settle_references(Products *products)
{
	for (uint32 i = 0; i < products->nproducts; i++)
	{
		Reference *reference = &products->references[i];

		reference->votes = 0;
		if (reference->known && !products->own_known[i])
		{
			products->own[i] = reference->price;
			products->own_known[i] = true;
		}
	}
}

/* The chunk's rows, of the first n columns. */
static void
flush_chunk(EcMaking *making, Chunk *chunk, int n)
{
	for (int column = 0; column < n && chunk->n > 0; column++)
		ec_making_ints(making, column, chunk->columns[column], chunk->n);
	if (chunk->n > 0)
		ec_making_rows(making, chunk->n);
	chunk->n = 0;
}

static inline void
put_sums(Chunk *chunk, int64 slot, const Sums *sums)
{
	chunk->columns[EC_PRODUCT_CELL_SLOT][chunk->n] = slot;
	for (int column = EC_PRODUCT_CELL_ROWS; column <= EC_PRODUCT_CELL_PRICE; column++)
		chunk->columns[column][chunk->n] = sums->values[column];
}

/* The sums so far. */
static void
write_total(EcMaking *making, const Products *products, int64 slot)
{
	EcMaking *totals = ec_build_making(making->build, EC_PROJECTION_PRODUCT_TOTAL);
	Chunk *chunk = products->chunk;

	for (uint32 i = 0; i < products->nproducts; i++)
	{
		int64 reference = products->references[i].price - products->own[i];

		put_sums(chunk, slot, &products->totals[i]);
		chunk->columns[EC_PRODUCT_TOTAL_PART][chunk->n] = making->index;
		chunk->columns[EC_PRODUCT_TOTAL_REFERENCE][chunk->n] =
			products->own_known[i] ? reference : 0;
		if (++chunk->n == CHUNK)
			flush_chunk(totals, chunk, EC_PRODUCT_TOTAL_REFERENCE + 1);
	}
	flush_chunk(totals, chunk, EC_PRODUCT_TOTAL_REFERENCE + 1);
	ec_making_end_part(totals);
}

/* False if something is too large, which prices of rows that exist are not. */
static bool
get_rest(int64 price, int64 priced, int64 reference, int64 *rest)
{
	int64 product;

	return !__builtin_mul_overflow(reference, priced, &product) &&
		   !__builtin_sub_overflow(price, product, rest);
}

static void
add_to_total(EcMaking *making, Products *products, const Record *record, const Sums *sums)
{
	int64 *total = products->totals[record->product].values;
	int64 *revenue = &total[EC_PRODUCT_CELL_REVENUE];
	int64 *price = &total[EC_PRODUCT_CELL_PRICE];
	int64 rest;

	for (int column = EC_PRODUCT_CELL_ROWS; column < EC_PRODUCT_CELL_REVENUE; column++)
		total[column] += sums->values[column];
	if (__builtin_add_overflow(*revenue, sums->values[EC_PRODUCT_CELL_REVENUE], revenue) ||
		!get_rest(record->cell.price, record->cell.priced, products->own[record->product], &rest) ||
		__builtin_add_overflow(*price, rest, price))
		ec_build_refuse(making);
}

static void
write_cell(EcMaking *making, Products *products, const Record *record)
{
	const Cell *cell = &record->cell;
	const uint32 *counts = cell->counts;
	Chunk *chunk = products->chunk;
	Sums sums;
	int64 *values = sums.values;

	values[EC_PRODUCT_CELL_CARTS] = counts[EC_TYPE_CART];
	values[EC_PRODUCT_CELL_PURCHASES] = counts[EC_TYPE_PURCHASE];
	values[EC_PRODUCT_CELL_OTHER] = counts[0];
	values[EC_PRODUCT_CELL_ROWS] =
		(int64) counts[0] + counts[EC_TYPE_VIEW] + counts[EC_TYPE_CART] + counts[EC_TYPE_PURCHASE];
	values[EC_PRODUCT_CELL_UNPRICED] = values[EC_PRODUCT_CELL_ROWS] - cell->priced;
	values[EC_PRODUCT_CELL_REVENUE] = cell->revenue;
	values[EC_PRODUCT_CELL_PRICE] = 0;
	if (cell->overflow ||
		!get_rest(cell->price, cell->priced, products->references[record->product].price,
				  &values[EC_PRODUCT_CELL_PRICE]))
		ec_build_refuse(making);
	put_sums(chunk, record->slot, &sums);
	chunk->columns[EC_PRODUCT_CELL_INDEX][chunk->n] = record->product;
	if (++chunk->n == CHUNK)
		flush_chunk(making, chunk, EC_PRODUCT_CELL_INDEX + 1);
	add_to_total(making, products, record, &sums);
}

static void
rewind_file(Products *products)
{
	if (BufFileSeek(products->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind a temporary file")));
}

/* Those that were gathered last stand behind those in the file. */
static void
write_cells(EcMaking *making, Products *products)
{
	Record record;

	if (products->nfile > 0)
		rewind_file(products);
	for (int64 i = 0; i < products->nfile; i++)
	{
		if (BufFileRead(products->file, &record, sizeof(record)) != sizeof(record))
			ereport(ERROR, (errcode_for_file_access(), errmsg("could not read a temporary file")));
		write_cell(making, products, &record);
	}
	for (uint32 i = 0; i < products->ngathered; i++)
		write_cell(making, products, &products->gathered[i]);
	flush_chunk(making, products->chunk, EC_PRODUCT_CELL_INDEX + 1);
	if (products->nfile > 0)
		rewind_file(products);
	products->nfile = 0;
	products->ngathered = 0;
}

/* The total of what was before, then the cells that were gathered. */
static void
write_interval(EcMaking *making, Products *products)
{
	settle_references(products);
	write_total(making, products, products->first_slot);
	write_cells(making, products);
	ec_making_end_part(making);
	products->nrecords = 0;
	products->nrows = 0;
}

static void
gather(Products *products, const Record *record)
{
	if (products->nrecords++ == 0)
		products->first_slot = record->slot;
	if (products->ngathered == products->gathered_max)
	{
		if (products->file == NULL)
			products->file = BufFileCreateTemp(false);
		BufFileWrite(products->file, products->gathered, sizeof(Record) * products->ngathered);
		products->nfile += products->ngathered;
		products->ngathered = 0;
	}
	products->gathered[products->ngathered++] = *record;
}

/* ---- slots ---- */

#define ST_SORT sort_records
#define ST_ELEMENT_TYPE Record
#define ST_COMPARE(a, b) ((a)->product < (b)->product ? -1 : (a)->product > (b)->product)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
write_sale(EcMaking *sales, const Record *record)
{
	uint32 purchases = record->cell.counts[EC_TYPE_PURCHASE];

	if (sales == NULL || purchases == 0)
		return;
	ec_making_int(sales, EC_PRODUCT_SALE_SLOT, record->slot);
	ec_making_int(sales, EC_PRODUCT_SALE_INDEX, record->product);
	ec_making_int(sales, EC_PRODUCT_SALE_PURCHASES, purchases);
	ec_making_int(sales, EC_PRODUCT_SALE_REVENUE, record->cell.revenue);
	ec_making_row(sales);
}

/* One of the slot's cells, in order of products. */
static void
take_record(Products *products, const Record *record)
{
	write_sale(products->sales, record);
	for (int type = 0; type < EC_TYPE_CLASSES; type++)
		products->nrows += record->cell.counts[type];
	vote(&products->references[record->product], &record->cell);
	gather(products, record);
}

/* Where many products have cells, the bitmap is their order. */
static void
take_by_bitmap(Products *products)
{
	for (uint32 word = 0; word <= products->nproducts / 64; word++)
	{
		for (uint64 bits = products->seen[word]; bits != 0; bits &= bits - 1)
		{
			uint32 product = word * 64 + pg_rightmost_one_pos64(bits);

			take_record(products, &products->records[products->places[product]]);
		}
		products->seen[word] = 0;
	}
}

static void
take_sorted(Products *products)
{
	sort_records(products->records, products->nslot);
	for (uint32 i = 0; i < products->nslot; i++)
	{
		uint32 product = products->records[i].product;

		products->seen[product / 64] = 0;
		take_record(products, &products->records[i]);
	}
}

static void
end_slot(EcMaking *making, uint32 slot)
{
	Products *products = making->private;
	int64 enough = (int64) products->nproducts * ROWS_PER_PRODUCT;

	if (products->nslot > products->nproducts / 512)
		take_by_bitmap(products);
	else
		take_sorted(products);
	products->nslot = 0;
	if (products->nrows >= enough && products->nrecords >= CELLS_MIN)
		write_interval(making, products);
}

static Record *
next_record(EcMaking *making, Products *products)
{
	if (products->nslot == products->slot_capacity)
	{
		uint32 capacity = Max(products->slot_capacity * 2, 1024);
		Record *records = allocate(making, sizeof(Record) * capacity);

		if (products->nslot > 0)
		{
			memcpy(records, products->records, sizeof(Record) * products->nslot);
			pfree(products->records);
		}
		products->records = records;
		products->slot_capacity = capacity;
	}
	return &products->records[products->nslot++];
}

/* The slot's cell of a product. */
static inline Record *
find_record(EcMaking *making, Products *products, uint32 product, uint32 slot)
{
	uint64 *seen = &products->seen[product / 64];
	uint64 bit = UINT64CONST(1) << (product % 64);
	Record *record;

	if (*seen & bit)
		return &products->records[products->places[product]];
	*seen |= bit;
	products->places[product] = products->nslot;
	record = next_record(making, products);
	memset(record, 0, sizeof(Record));
	record->product = product;
	record->slot = slot;
	return record;
}

static void
add_slot_rows(EcMaking *making, const EcSlotRow *rows, uint32 n)
{
	Products *products = making->private;

	if (products->variants == NULL)
		begin_rows(making, products);
	for (uint32 i = 0; i < n; i++)
	{
		uint32 product = products->indexes[ec_slot_row_product(&rows[i])];
		Cell *cell = &find_record(making, products, product, (uint32) rows[i].slot)->cell;
		uint32 type = rows[i].facts & EC_SLOT_ROW_TYPE_MASK;

		add_count(cell, &cell->counts[type], 1);
		if ((rows[i].facts & EC_SLOT_ROW_PRICED) == 0)
			continue;
		cell->priced++;
		add_money(cell, &cell->price, rows[i].price);
		if (type == EC_TYPE_PURCHASE)
			add_money(cell, &cell->revenue, rows[i].price);
	}
}

static void
write_products(EcMaking *making, const Products *products)
{
	EcMaking *out = ec_build_making(making->build, EC_PROJECTION_PRODUCT);

	for (uint32 i = 0; i < products->nproducts; i++)
	{
		const EcVariant *variant = &products->variants->keys[products->order[i]];

		if (variant->brand & EC_VARIANT_NULL)
			ec_making_null(out, EC_PRODUCT_ID);
		else
			ec_making_int(out, EC_PRODUCT_ID, variant->product);
		ec_making_text(out, EC_PRODUCT_CODE, making->build->codes, variant->code);
		ec_making_text(out, EC_PRODUCT_BRAND, making->build->brands,
					   variant->brand & ~EC_VARIANT_NULL);
		ec_making_int(out, EC_PRODUCT_REFERENCE, products->own[i]);
		ec_making_row(out);
	}
	ec_making_end_part(out);
}

static void
finish(EcMaking *making)
{
	Products *products = making->private;

	if (products->variants == NULL)
		return; /* not a single row */
	if (products->nrecords > 0)
		write_interval(making, products);
	write_total(making, products, EC_PRODUCT_SLOT_END);
	write_products(making, products);
	if (products->file != NULL)
		BufFileClose(products->file);
}

const EcMaker ec_product_hour_maker = {
	.projection = EC_PROJECTION_PRODUCT_HOUR,
	.dimension = "product",
	.columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRODUCT) |
			   EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_BRAND) |
			   EC_COL_BIT(EC_COL_PRICE),
	.key_words = 1,
	.memory = 1.5,
	.begin = begin,
	.add_slot_rows = add_slot_rows,
	.end_slot = end_slot,
	.finish = finish,
};

/* Written by the making of hours. */
const EcMaker ec_product_total_maker = {
	.projection = EC_PROJECTION_PRODUCT_TOTAL,
	.dimension = "product",
	.needs = EC_PROJECTION_BIT(EC_PROJECTION_PRODUCT_HOUR),
	.key_words = 1,
};

const EcMaker ec_product_maker = {
	.projection = EC_PROJECTION_PRODUCT,
	.dimension = "product",
	.needs = EC_PROJECTION_BIT(EC_PROJECTION_PRODUCT_HOUR),
	.key_words = 1,
};

const EcMaker ec_product_sale_maker = {
	.projection = EC_PROJECTION_PRODUCT_SALE,
	.dimension = "product",
	.needs = EC_PROJECTION_BIT(EC_PROJECTION_PRODUCT_HOUR),
	.key_words = 1,
};
