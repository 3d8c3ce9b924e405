/*
 * summary_product.c
 *	  Summaries by product: cells (hour, product) and totals of all cells before some of them.
 *
 * While rows are added, a product is a variant (variants.h) by its number there, and a cell's
 * key is one word: slot and variant.  When the first cell comes out the variants are known, and
 * get their indexes, which are by product_id.  Cells then come slot by slot; those of some slots,
 * an interval, are gathered (what is more than an eighth of maintenance_work_mem in a temporary
 * file), then written behind a total.  So each interval has the reference that leaves least of
 * its prices: most products keep their price for days, so the rest is mostly 0.
 *
 * The making of hours writes the other two, too.
 *
 * Memory: about 200 bytes for each product besides its tally.
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

/* What a tally knows of a cell. */
typedef struct Cell
{
	uint32 counts[EC_TYPE_CLASSES];
	uint32 priced;
	uint32 overflow; /* something was too large */
	int64 price;	 /* sum of prices */
	int64 revenue;
} Cell;

#define STATE_WORDS (sizeof(Cell) / sizeof(uint64))

StaticAssertDecl(sizeof(Cell) % sizeof(uint64) == 0, "a cell must be a state of a tally");

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
	EcVariants variants;
	uint32 *numbers; /* [EC_BLOCK_ROWS] */
	uint64 *keys;	 /* likewise */
	const uint64 *key_words[1];

	/* of the set whose cells are being added */
	EcProductSet *old;
	uint32 *old_numbers;   /* variants by index there */
	int64 *own_references; /* by index there */
	uint32 next_part;
	int64 *ints[EC_PRODUCT_CELL_INDEX + 1]; /* [EC_BLOCK_ROWS] of a block */

	/* of finishing, by index */
	bool finishing;
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
	int64 slot; /* of the last record, -1: none */

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
combine(uint64 *into, const uint64 *from)
{
	Cell *a = (Cell *) into;
	const Cell *b = (const Cell *) from;

	for (int i = 0; i < EC_TYPE_CLASSES; i++)
		add_count(a, &a->counts[i], b->counts[i]);
	add_count(a, &a->priced, b->priced);
	add_money(a, &a->price, b->price);
	add_money(a, &a->revenue, b->revenue);
	a->overflow |= b->overflow;
}

static void
begin(EcMaking *making)
{
	Products *products = palloc0(sizeof(Products));

	ec_variants_init(&products->variants, CurrentMemoryContext);
	products->numbers = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	products->keys = palloc(sizeof(uint64) * EC_BLOCK_ROWS);
	products->key_words[0] = products->keys;
	for (int i = 0; i < lengthof(products->ints); i++)
		products->ints[i] = palloc(sizeof(int64) * EC_BLOCK_ROWS);
	products->slot = -1;
	making->private = products;
}

static inline uint64
make_key(int64 slot, uint32 number)
{
	return (uint64) slot << 32 | number;
}

static void
add_rows(EcMaking *making, const EcBuildRows *batch)
{
	Products *products = making->private;
	const EcPrices *prices = &batch->prices;
	uint64 *const *states;

	ec_variants_find(&products->variants, batch->n, batch->products, batch->no_product,
					 batch->codes, batch->brands, products->numbers);
	for (uint32 i = 0; i < batch->n; i++)
	{
		bool no_time = batch->no_time != NULL && batch->no_time[i];
		int64 slot = no_time ? EC_PRODUCT_SLOT_NULL : ec_product_slot(batch->hours[i]);

		products->keys[i] = make_key(slot, products->numbers[i]);
	}
	states = ec_making_states(making, batch->n, products->key_words, NULL);
	for (uint32 i = 0; i < batch->n; i++)
	{
		Cell *cell = (Cell *) states[i];
		uint32 type = batch->types[i] < EC_TYPE_CLASSES ? batch->types[i] : 0;

		cell->counts[type]++;
		if (prices->states != NULL && prices->states[i] != EC_PRICE_VALUE)
		{
			if (prices->states[i] == EC_PRICE_ODD)
				ec_build_refuse(making);
			continue;
		}
		cell->priced++;
		add_money(cell, &cell->price, prices->values[i]);
		if (type == EC_TYPE_PURCHASE)
			add_money(cell, &cell->revenue, prices->values[i]);
	}
	if (products->variants.count > PRODUCTS_MAX)
		ec_build_refuse(making);
}

/* ---- cells of an older set ---- */

/* The variants of its products. */
static void
read_old_products(EcMaking *making, Products *products)
{
	EcReader *reader = products->old->products;
	uint32 *numbers = products->old_numbers;
	uint8 *nulls = (uint8 *) products->keys;

	for (uint32 part = 0; part < ec_reader_ngroups(reader); part++)
	{
		ec_reader_goto_group(reader, part);
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		{
			uint32 n = ec_reader_block_rows(reader, block);

			ec_build_ints(reader, EC_PRODUCT_ID, block, products->ints[0], nulls);
			ec_variants_find(&products->variants, n, products->ints[0], nulls,
							 ec_build_ids(reader, EC_PRODUCT_CODE, block, &making->build->code),
							 ec_build_ids(reader, EC_PRODUCT_BRAND, block, &making->build->brand),
							 numbers);
			numbers += n;
		}
	}
}

static void
begin_cells(EcMaking *making, const EcSummarySet *set)
{
	Products *products = making->private;
	MemoryContext context = making->build->context;
	Size n;

	if (products->old != NULL)
	{
		ec_product_set_close(products->old);
		pfree(products->old_numbers);
		pfree(products->own_references);
	}
	products->old = ec_product_set_open(making->build->rel, set, context);
	n = Max(products->old->nproducts, 1);
	products->old_numbers = MemoryContextAlloc(context, sizeof(uint32) * n);
	products->own_references = MemoryContextAlloc(context, sizeof(int64) * n);
	ec_product_set_own_references(products->old, products->own_references);
	read_old_products(making, products);
	products->next_part = 0;
}

/* Cell i of the block in products->ints. */
static Cell
old_cell(const Products *products, uint32 i, int64 reference)
{
	int64 *const *ints = products->ints;
	int64 rows = ints[EC_PRODUCT_CELL_ROWS][i];
	int64 carts = ints[EC_PRODUCT_CELL_CARTS][i];
	int64 purchases = ints[EC_PRODUCT_CELL_PURCHASES][i];
	int64 other = ints[EC_PRODUCT_CELL_OTHER][i];
	int64 priced = rows - ints[EC_PRODUCT_CELL_UNPRICED][i];
	Cell cell = {.priced = (uint32) priced};

	cell.counts[0] = (uint32) other;
	cell.counts[EC_TYPE_VIEW] = (uint32) (rows - carts - purchases - other);
	cell.counts[EC_TYPE_CART] = (uint32) carts;
	cell.counts[EC_TYPE_PURCHASE] = (uint32) purchases;
	cell.price = ints[EC_PRODUCT_CELL_PRICE][i] + reference * priced;
	cell.revenue = ints[EC_PRODUCT_CELL_REVENUE][i];
	return cell;
}

static void
add_cells(EcMaking *making, EcReader *reader, uint32 block)
{
	Products *products = making->private;
	EcProductSet *old = products->old;
	uint32 n = ec_reader_block_rows(reader, block);
	const int64 *indexes = products->ints[EC_PRODUCT_CELL_INDEX];
	const int64 *references;
	uint64 *const *states;

	products->next_part += block == 0;
	references =
		ec_product_set_references(old, ec_product_set_interval(old, products->next_part - 1));
	for (int column = 0; column <= EC_PRODUCT_CELL_INDEX; column++)
		ec_build_ints(reader, column, block, products->ints[column], NULL);
	for (uint32 i = 0; i < n; i++)
	{
		if ((uint64) indexes[i] >= old->nproducts)
			elog(ERROR, "a cell of summaries by product is of no product");
		products->keys[i] =
			make_key(products->ints[EC_PRODUCT_CELL_SLOT][i], products->old_numbers[indexes[i]]);
	}
	states = ec_making_states(making, n, products->key_words, NULL);
	for (uint32 i = 0; i < n; i++)
	{
		Cell cell =
			old_cell(products, i, products->own_references[indexes[i]] + references[indexes[i]]);

		combine(states[i], (uint64 *) &cell);
	}
}

/* ---- finishing: an interval ---- */

static void *
allocate(EcMaking *making, Size size)
{
	return MemoryContextAllocExtended(making->build->context, Max(size, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
begin_finish(EcMaking *making, Products *products)
{
	Size n = products->variants.count;

	products->finishing = true;
	products->nproducts = products->variants.count;
	products->order = ec_variants_order(&products->variants, making->build->context);
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

/* ---- finishing: slots ---- */

static int
compare_records(const void *a, const void *b)
{
	uint32 x = ((const Record *) a)->product;
	uint32 y = ((const Record *) b)->product;

	return x < y ? -1 : x > y;
}

/* One of the slot's cells, in order of products. */
static void
take_record(Products *products, const Record *record)
{
	for (int type = 0; type < EC_TYPE_CLASSES; type++)
		products->nrows += record->cell.counts[type];
	vote(&products->references[record->product], &record->cell);
	gather(products, record);
}

/* Where many products have cells, they are taken in order by a bitmap instead of being sorted. */
static void
take_by_bitmap(Products *products)
{
	for (uint32 i = 0; i < products->nslot; i++)
	{
		uint32 product = products->records[i].product;

		products->places[product] = i;
		products->seen[product / 64] |= UINT64CONST(1) << (product % 64);
	}
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
end_slot(EcMaking *making, Products *products)
{
	int64 enough = (int64) products->nproducts * ROWS_PER_PRODUCT;

	if (products->nslot > products->nproducts / 512)
		take_by_bitmap(products);
	else
	{
		qsort(products->records, products->nslot, sizeof(Record), compare_records);
		for (uint32 i = 0; i < products->nslot; i++)
			take_record(products, &products->records[i]);
	}
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

static void
finish_cell(EcMaking *making, const uint64 *key, const uint64 *state)
{
	Products *products = making->private;
	int64 slot = (int64) (*key >> 32);
	Record *record;

	if (!products->finishing)
		begin_finish(making, products);
	if (slot != products->slot && products->slot >= 0)
		end_slot(making, products);
	products->slot = slot;
	record = next_record(making, products);
	record->cell = *(const Cell *) state;
	record->product = products->indexes[(uint32) *key];
	record->slot = (uint32) slot;
}

static void
write_products(EcMaking *making, const Products *products)
{
	EcMaking *out = ec_build_making(making->build, EC_PROJECTION_PRODUCT);

	for (uint32 i = 0; i < products->nproducts; i++)
	{
		const EcVariant *variant = &products->variants.keys[products->order[i]];

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

	if (products->old != NULL)
		ec_product_set_close(products->old);
	products->old = NULL;
	if (!products->finishing)
		return; /* not a single row */
	end_slot(making, products);
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
	.state_words = STATE_WORDS,
	.memory = 1,
	.combine = combine,
	.begin = begin,
	.add_rows = add_rows,
	.begin_cells = begin_cells,
	.add_cells = add_cells,
	.finish_cell = finish_cell,
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
