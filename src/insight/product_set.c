/*
 * product_set.c
 *	  Reading summaries by product.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "insight/product_set.h"

#define NO_INTERVAL PG_UINT32_MAX

/* So many sales (one in so many of the products) are read rather than two totals. */
#define SALES_SHARE 2

/* A place in the cells: of cells [0, row), reached from a total. */
typedef struct Place
{
	int64 row;
	uint32 total; /* which one */
	int64 total_row;
} Place;

/* ---- slots ---- */

#define FIRST_HOUR (MIN_TIMESTAMP / USECS_PER_HOUR - 1)

int64
ec_product_slot(int64 time)
{
	if (TIMESTAMP_IS_NOBEGIN(time))
		return EC_PRODUCT_SLOT_FIRST;
	if (TIMESTAMP_IS_NOEND(time))
		return EC_PRODUCT_SLOT_LATE;
	return ec_slot_hour(time) / USECS_PER_HOUR - FIRST_HOUR + 1;
}

int64
ec_product_slot_time(int64 slot)
{
	if (slot == EC_PRODUCT_SLOT_FIRST)
		return DT_NOBEGIN;
	if (slot == EC_PRODUCT_SLOT_LATE)
		return DT_NOEND;
	return (slot - 1 + FIRST_HOUR) * USECS_PER_HOUR;
}

int64
ec_product_slot_day(int64 slot)
{
	int64 hour = slot - 1 + FIRST_HOUR;

	return hour >= 0 ? hour / HOURS_PER_DAY : -((-hour + HOURS_PER_DAY - 1) / HOURS_PER_DAY);
}

int64
ec_product_day_slot(int64 day)
{
	return day * HOURS_PER_DAY - FIRST_HOUR + 1;
}

void
ec_product_slots(const EcSlots *slots, int64 *from, int64 *to)
{
	*from = slots->min == DT_NOBEGIN ? EC_PRODUCT_SLOT_FIRST
									 : Max(ec_product_slot(slots->min), EC_PRODUCT_SLOT_FIRST + 1);
	*to = slots->max == DT_NOEND ? EC_PRODUCT_SLOT_NULL : ec_product_slot(slots->max) + 1;
	if (slots->nulls)
		*to = EC_PRODUCT_SLOT_END;
}

/* ---- columns of blocks ---- */

const int64 *
ec_product_set_ints(EcReader *reader, int column, uint32 block, int64 *buffer)
{
	const EcVector *v = ec_reader_block(reader, column, block);

	if (v->phys != EC_PHYS_INT64 || v->nnulls > 0)
		elog(ERROR, "a column of summaries by product has NULLs");
	if (v->form == EC_FORM_FLAT)
		return v->values.i64;
	if (v->form == EC_FORM_CONST && v->values.i64[0] == 0)
		return NULL;
	for (uint32 i = 0; i < v->nrows; i++)
		buffer[i] = ec_vector_int64(v, i);
	return buffer;
}

/* Column of all rows of parts [first, first + n), NULLs as 0. */
static void
read_column(EcReader *reader, uint32 first, uint32 n, int column, int64 *out)
{
	for (uint32 part = first; part < first + n; part++)
	{
		if (!ec_reader_goto_group(reader, part))
			elog(ERROR, "a part of summaries by product is missing");
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		{
			ec_build_ints(reader, column, block, out, NULL);
			out += ec_reader_block_rows(reader, block);
		}
	}
}

/* Of fewer of a block's rows than one in so many, values are picked. */
#define PICK_SHARE 16

/* Some rows' integers, which have no NULLs. */
static void
pick_ints(EcReader *reader, int column, uint32 block, const uint32 *rows, uint32 n, int64 *buffer,
		  int64 *out)
{
	const int64 *values;

	if (n < ec_reader_block_rows(reader, block) / PICK_SHARE)
	{
		ec_reader_pick_ints(reader, column, block, rows, n, out);
		return;
	}
	values = ec_product_set_ints(reader, column, block, buffer);
	for (uint32 i = 0; i < n; i++)
		out[i] = values != NULL ? values[rows[i]] : 0;
}

/* The same of the rows wanted, ascending, of all of parts [first, first + n). */
static void
pick_column(EcProductSet *set, EcReader *reader, uint32 first, uint32 n, int column,
			const uint32 *wanted, uint32 nwanted, int64 *out)
{
	uint32 start = 0;
	uint32 w = 0;

	for (uint32 part = first; part < first + n && w < nwanted; part++)
	{
		if (!ec_reader_goto_group(reader, part))
			elog(ERROR, "a part of summaries by product is missing");
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		{
			uint32 end = start + ec_reader_block_rows(reader, block);
			uint32 begin = w;

			for (; w < nwanted && wanted[w] < end; w++)
				set->matches[0][w - begin] = wanted[w] - start;
			if (w > begin)
				pick_ints(reader, column, block, set->matches[0], w - begin, set->buffers[0],
						  out + begin);
			start = end;
		}
	}
}

static int64
zone_min(EcReader *reader, int column, uint32 block, int64 *max)
{
	EcZone zone;
	EcKind kind;
	int32 scale;

	if (!ec_reader_zone(reader, column, block, &zone, &kind, &scale))
		elog(ERROR, "a column of summaries by product has no zone");
	*max = zone.max;
	return zone.min;
}

/* ---- open ---- */

static EcReader *
open_reader(EcProductSet *set, Relation rel, EcProjection projection)
{
	return ec_summary_reader(rel, set->set, projection, ec_projection_columns(projection),
							 set->context);
}

/* Sizes are known without reading. */
static void
count_parts(EcProductSet *set)
{
	uint32 ntotals = 0;

	set->starts = palloc(sizeof(int64) * (set->set->nparts + 1));
	set->starts[0] = 0;
	for (uint32 i = 0; i < set->set->nparts; i++)
	{
		const EcSummaryPart *part = &set->set->parts[i];

		if (part->projection == EC_PROJECTION_PRODUCT)
			set->nproducts += part->nrows;
		ntotals += part->projection == EC_PROJECTION_PRODUCT_TOTAL;
		if (part->projection != EC_PROJECTION_PRODUCT_HOUR)
			continue;
		set->starts[set->nparts + 1] = set->starts[set->nparts] + part->nrows;
		set->nparts++;
	}
	set->ntotal_parts = (set->nproducts + EC_BUILD_PART_ROWS - 1) / EC_BUILD_PART_ROWS;
	if (set->nproducts > 0 && (ntotals < 2 * set->ntotal_parts || ntotals % set->ntotal_parts != 0))
		elog(ERROR, "summaries by product have %u parts of totals for %u products", ntotals,
			 set->nproducts);
	set->nintervals = set->nproducts > 0 ? ntotals / set->ntotal_parts - 1 : 0;
}

static void
read_intervals(EcProductSet *set)
{
	int64 max;

	set->intervals = palloc0(sizeof(EcProductInterval) * (set->nintervals + 1));
	for (uint32 i = 0; i <= set->nintervals && set->nproducts > 0; i++)
	{
		EcProductInterval *interval = &set->intervals[i];

		ec_reader_goto_group(set->totals, i * set->ntotal_parts);
		interval->slot = zone_min(set->totals, EC_PRODUCT_CELL_SLOT, EC_ZONE_CHUNK, &max);
		interval->part = (uint32) zone_min(set->totals, EC_PRODUCT_TOTAL_PART, EC_ZONE_CHUNK, &max);
		if (interval->part > set->nparts)
			elog(ERROR, "an interval of summaries by product has no cells");
	}
}

EcProductSet *
ec_product_set_open(Relation rel, const EcSummarySet *set, MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight product set", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcProductSet *result = palloc0(sizeof(EcProductSet));

	result->set = set;
	result->rel = rel;
	result->context = context;
	result->reference_interval = NO_INTERVAL;
	result->text_part = -1;
	result->products = open_reader(result, rel, EC_PROJECTION_PRODUCT);
	result->cells = open_reader(result, rel, EC_PROJECTION_PRODUCT_HOUR);
	result->totals = open_reader(result, rel, EC_PROJECTION_PRODUCT_TOTAL);
	count_parts(result);
	read_intervals(result);
	for (int i = 0; i < lengthof(result->buffers); i++)
		result->buffers[i] = palloc(sizeof(int64) * EC_BLOCK_ROWS);
	for (int i = 0; i < lengthof(result->matches); i++)
		result->matches[i] = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	MemoryContextSwitchTo(old);
	return result;
}

void
ec_product_set_close(EcProductSet *set)
{
	ec_reader_end(set->products);
	ec_reader_end(set->cells);
	ec_reader_end(set->totals);
	if (set->sales != NULL)
		ec_reader_end(set->sales);
	MemoryContextDelete(set->context);
}

/* ---- products ---- */

static int64 *
allocate_ints(EcProductSet *set)
{
	return MemoryContextAllocExtended(set->context, sizeof(int64) * Max(set->nproducts, 1),
									  MCXT_ALLOC_HUGE);
}

const int64 *
ec_product_set_ids(EcProductSet *set)
{
	EcReader *reader = set->products;
	uint32 nnull = 0;
	EcZone zone;
	EcKind kind;
	int32 scale;

	if (set->ids != NULL)
		return set->ids;
	set->ids = allocate_ints(set);
	set->text_part = -1;
	read_column(reader, 0, ec_reader_ngroups(reader), EC_PRODUCT_ID, set->ids);
	for (uint32 part = 0; part < ec_reader_ngroups(reader); part++)
	{
		ec_reader_goto_group(reader, part);
		(void) ec_reader_zone(reader, EC_PRODUCT_ID, EC_ZONE_CHUNK, &zone, &kind, &scale);
		nnull += zone.nnulls;
	}
	set->nnull = nnull;
	return set->ids;
}

void
ec_product_set_own_references(EcProductSet *set, int64 *references)
{
	set->text_part = -1;
	read_column(set->products, 0, ec_reader_ngroups(set->products), EC_PRODUCT_REFERENCE,
				references);
}

void
ec_product_set_own_references_of(EcProductSet *set, const uint32 *wanted, uint32 nwanted,
								 int64 *references)
{
	set->text_part = -1;
	pick_column(set, set->products, 0, ec_reader_ngroups(set->products), EC_PRODUCT_REFERENCE,
				wanted, nwanted, references);
}

const int64 *
ec_product_set_references(EcProductSet *set, uint32 interval)
{
	if (set->references == NULL)
		set->references = allocate_ints(set);
	if (set->reference_interval != interval)
		read_column(set->totals, interval * set->ntotal_parts, set->ntotal_parts,
					EC_PRODUCT_TOTAL_REFERENCE, set->references);
	set->reference_interval = interval;
	return set->references;
}

uint32
ec_product_set_interval(const EcProductSet *set, uint32 part)
{
	uint32 interval = 0;

	while (interval + 1 < set->nintervals && set->intervals[interval + 1].part <= part)
		interval++;
	return interval;
}

static uint32 *
read_texts(EcProductSet *set, int column, EcTextColumn *text)
{
	EcReader *reader = set->products;
	uint32 *ids = MemoryContextAllocExtended(set->context, sizeof(uint32) * Max(set->nproducts, 1),
											 MCXT_ALLOC_HUGE);
	Size at = 0;

	for (uint32 part = 0; part < ec_reader_ngroups(reader); part++)
	{
		ec_reader_goto_group(reader, part);
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		{
			uint32 n = ec_reader_block_rows(reader, block);

			memcpy(ids + at, ec_build_ids(reader, column, block, text), sizeof(uint32) * n);
			at += n;
		}
	}
	return ids;
}

void
ec_product_set_texts_of(EcProductSet *set, uint32 product, EcTextColumn *code, EcTextColumn *brand,
						uint32 *code_id, uint32 *brand_id)
{
	uint32 part = product / EC_BUILD_PART_ROWS;
	uint32 block = product % EC_BUILD_PART_ROWS / EC_BLOCK_ROWS;
	uint32 row = product % EC_BLOCK_ROWS;

	if (set->codes != NULL)
	{
		*code_id = set->codes[product];
		*brand_id = set->brands[product];
		return;
	}
	if (set->text_part != (int) part && !ec_reader_goto_group(set->products, part))
		elog(ERROR, "a part of summaries by product is missing");
	set->text_part = (int) part;
	ec_text_column_map(code, ec_reader_block(set->products, EC_PRODUCT_CODE, block), &row, 1);
	*code_id = code->ids[0];
	ec_text_column_map(brand, ec_reader_block(set->products, EC_PRODUCT_BRAND, block), &row, 1);
	*brand_id = brand->ids[0];
}

void
ec_product_set_texts(EcProductSet *set, EcTextColumn *code, EcTextColumn *brand,
					 const uint32 **codes, const uint32 **brands)
{
	if (set->codes == NULL)
	{
		set->text_part = -1;
		set->codes = read_texts(set, EC_PRODUCT_CODE, code);
		set->brands = read_texts(set, EC_PRODUCT_BRAND, brand);
	}
	*codes = set->codes;
	*brands = set->brands;
}

/* ---- places ---- */

uint32
ec_product_set_first(const EcVector *slots, int64 slot)
{
	uint32 low = 0;
	uint32 high = slots->nrows;

	while (low < high)
	{
		uint32 middle = (low + high) / 2;

		if (ec_vector_int64(slots, middle) < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first row of the current part whose slot is not before this one. */
static int64
find_in_part(EcProductSet *set, int64 slot)
{
	EcReader *reader = set->cells;

	for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
	{
		int64 max;

		(void) zone_min(reader, EC_PRODUCT_CELL_SLOT, block, &max);
		if (max >= slot)
			return (int64) block * EC_BLOCK_ROWS +
				   ec_product_set_first(ec_reader_block(reader, EC_PRODUCT_CELL_SLOT, block), slot);
	}
	return ec_reader_group(reader)->nrows;
}

/* The interval where a slot's cells would be. */
static uint32
find_interval(const EcProductSet *set, int64 slot)
{
	uint32 interval = 0;

	while (interval + 1 < set->nintervals && set->intervals[interval + 1].slot <= slot)
		interval++;
	return interval;
}

/* Of all cells before a slot. */
static Place
find_place(EcProductSet *set, int64 slot)
{
	uint32 interval = find_interval(set, slot);
	uint32 end = set->intervals[interval + 1].part;
	int64 first_row = set->starts[set->intervals[interval].part];
	int64 last_row = set->starts[end];
	Place place = {.row = last_row};

	for (uint32 part = set->intervals[interval].part; part < end; part++)
	{
		int64 max;

		ec_reader_goto_group(set->cells, part);
		(void) zone_min(set->cells, EC_PRODUCT_CELL_SLOT, EC_ZONE_CHUNK, &max);
		if (max < slot)
			continue;
		place.row = set->starts[part] + find_in_part(set, slot);
		break;
	}
	place.total = interval + (place.row - first_row > last_row - place.row);
	place.total_row = set->starts[set->intervals[place.total].part];
	return place;
}

/* ---- sums ---- */

/* What is added to what. */
typedef struct Summing
{
	EcProductSet *set;
	uint32 columns;
	EcProductSums *sums;
	const uint32 *wanted; /* products, or NULL: all */
	uint32 nwanted;
	uint32 *places;	   /* [nproducts] of wanted products among them, plus 1 */
	int64 *references; /* [nwanted] if prices are wanted */
} Summing;

/* A block of totals of products first .. */
static void
add_total_block(const Summing *s, uint32 block, uint32 first, int sign)
{
	EcReader *reader = s->set->totals;
	uint32 end = first + ec_reader_block_rows(reader, block);

	for (int column = EC_PRODUCT_CELL_ROWS; column <= EC_PRODUCT_CELL_PRICE; column++)
	{
		int64 *sums = s->sums->columns[column];
		const int64 *values;

		if ((s->columns & EC_PRODUCT_SUM_BIT(column)) == 0)
			continue;
		values = ec_product_set_ints(reader, column, block, s->set->buffers[0]);
		for (uint32 i = first; i < end && values != NULL; i++)
			sums[i] += sign * values[i - first];
	}
}

/* The same of the products wanted. */
static void
pick_total_block(const Summing *s, uint32 block, uint32 first, int sign)
{
	EcProductSet *set = s->set;
	uint32 end = first + ec_reader_block_rows(set->totals, block);
	uint32 begin = 0;
	uint32 n = 0;

	while (begin < s->nwanted && s->wanted[begin] < first)
		begin++;
	for (; begin + n < s->nwanted && s->wanted[begin + n] < end; n++)
		set->matches[0][n] = s->wanted[begin + n] - first;
	for (int column = EC_PRODUCT_CELL_ROWS; column <= EC_PRODUCT_CELL_PRICE && n > 0; column++)
	{
		if ((s->columns & EC_PRODUCT_SUM_BIT(column)) == 0)
			continue;
		pick_ints(set->totals, column, block, set->matches[0], n, set->buffers[0], set->buffers[2]);
		for (uint32 i = 0; i < n; i++)
			s->sums->columns[column][begin + i] += sign * set->buffers[2][i];
	}
}

/* Adds or takes away a total. */
static void
add_total(const Summing *s, uint32 total, int sign)
{
	EcReader *reader = s->set->totals;
	uint32 first = total * s->set->ntotal_parts;
	uint32 product = 0;

	for (uint32 part = first; part < first + s->set->ntotal_parts && total > 0; part++)
	{
		ec_reader_goto_group(reader, part);
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		{
			CHECK_FOR_INTERRUPTS();
			if (s->wanted != NULL)
				pick_total_block(s, block, product, sign);
			else
				add_total_block(s, block, product, sign);
			product += ec_reader_block_rows(reader, block);
		}
	}
}

/*
* The cells first .. end - 1 of a block that matter: their numbers and their places in the
 * sums to set->matches; returns how many.
 */
static uint32
match_cells(const Summing *s, uint32 block, uint32 first, uint32 end)
{
	EcProductSet *set = s->set;
	const int64 *products =
		ec_product_set_ints(set->cells, EC_PRODUCT_CELL_INDEX, block, set->buffers[0]);
	uint32 *cells = set->matches[0];
	uint32 *places = set->matches[1];
	uint32 n = 0;

	for (uint32 i = first; i < end; i++)
	{
		uint64 product = products != NULL ? (uint64) products[i] : 0;
		uint32 place;

		if (unlikely(product >= set->nproducts))
			elog(ERROR, "a cell of summaries by product is of no product");
		place = s->places != NULL ? s->places[product] : (uint32) product + 1;
		cells[n] = i;
		places[n] = place - 1;
		n += place != 0;
	}
	return n;
}

/* A column of the n cells that were matched; many are 0 in most columns. */
static void
add_picked(const Summing *s, uint32 n, int64 *sums, int sign)
{
	const uint32 *places = s->set->matches[1];
	const int64 *picked = s->set->buffers[2];

	for (uint32 m = 0; m < n; m++)
	{
		if (picked[m] != 0)
			sums[places[m]] += sign * picked[m];
	}
}

/* The same times the interval's reference, less the product's own. */
static void
add_references(const Summing *s, uint32 n, const int64 *references, int sign)
{
	int64 *sums = s->sums->columns[EC_PRODUCT_CELL_PRICE];
	const uint32 *places = s->set->matches[1];
	const int64 *picked = s->set->buffers[2];

	for (uint32 m = 0; m < n; m++)
		sums[places[m]] += sign * picked[m] * references[places[m]];
}

/* references, by place, if prices are wanted: rows that have one are rows but those without. */
static void
add_block(const Summing *s, uint32 block, uint32 first, uint32 end, const int64 *references,
		  int sign)
{
	EcProductSet *set = s->set;
	uint32 n = match_cells(s, block, first, end);

	for (int column = EC_PRODUCT_CELL_ROWS; column <= EC_PRODUCT_CELL_PRICE && n > 0; column++)
	{
		bool tells_priced = references != NULL &&
							(column == EC_PRODUCT_CELL_ROWS || column == EC_PRODUCT_CELL_UNPRICED);

		if (!tells_priced && (s->columns & EC_PRODUCT_SUM_BIT(column)) == 0)
			continue;
		pick_ints(set->cells, column, block, set->matches[0], n, set->buffers[1], set->buffers[2]);
		if (s->columns & EC_PRODUCT_SUM_BIT(column))
			add_picked(s, n, s->sums->columns[column], sign);
		if (tells_priced)
			add_references(s, n, references, column == EC_PRODUCT_CELL_ROWS ? sign : -sign);
	}
}

/* The interval's, less the products' own, by place. */
static const int64 *
get_references(const Summing *s, uint32 interval)
{
	EcProductSet *set = s->set;

	if (s->wanted == NULL)
		return ec_product_set_references(set, interval);
	pick_column(set, set->totals, interval * set->ntotal_parts, set->ntotal_parts,
				EC_PRODUCT_TOTAL_REFERENCE, s->wanted, s->nwanted, s->references);
	return s->references;
}

/* Cells [from, to). */
static void
add_cells(const Summing *s, int64 from, int64 to, int sign)
{
	EcProductSet *set = s->set;
	const int64 *references = NULL;
	uint32 last = NO_INTERVAL; /* whose they are */

	for (uint32 part = 0; part < set->nparts; part++)
	{
		uint32 interval = ec_product_set_interval(set, part);

		if (set->starts[part + 1] <= from || set->starts[part] >= to)
			continue;
		if ((s->columns & EC_PRODUCT_SUM_BIT(EC_PRODUCT_CELL_PRICE)) && interval != last)
			references = get_references(s, interval);
		last = interval;
		ec_reader_goto_group(set->cells, part);
		for (uint32 block = 0; block < ec_reader_group(set->cells)->nblocks; block++)
		{
			int64 start = set->starts[part] + (int64) block * EC_BLOCK_ROWS;
			int64 end = start + ec_reader_block_rows(set->cells, block);

			CHECK_FOR_INTERRUPTS();
			if (end > from && start < to)
				add_block(s, block, (uint32) (Max(from, start) - start),
						  (uint32) (Min(to, end) - start), references, sign);
		}
	}
}

static void
add_between(const Summing *s, int64 from, int64 to, int sign)
{
	if (from <= to)
		add_cells(s, from, to, sign);
	else
		add_cells(s, to, from, -sign);
}

static void
add_slots(const Summing *s, int64 from, int64 to)
{
	Place low = find_place(s->set, from);
	Place high = find_place(s->set, to);
	int64 detour = llabs(low.row - low.total_row) + llabs(high.row - high.total_row) +
				   (low.total == high.total ? 0 : (int64) s->set->nproducts * 2);

	if (high.row - low.row <= detour)
	{
		add_cells(s, low.row, high.row, 1);
		return;
	}
	if (low.total != high.total)
	{
		add_total(s, high.total, 1);
		add_total(s, low.total, -1);
	}
	add_between(s, high.total_row, high.row, 1);
	add_between(s, low.total_row, low.row, -1);
}

/* The total that is nearest to a slot, and the slot where it ends. */
static uint32
nearest_total(const EcProductSet *set, int64 slot, int64 *end)
{
	uint32 total = find_interval(set, slot);
	const EcProductInterval *interval = &set->intervals[total];

	total += slot - interval[0].slot > interval[1].slot - slot;
	*end = set->intervals[total].slot;
	return total;
}

static void
add_sales_between(const Summing *s, int64 from, int64 to, int sign)
{
	ec_product_sales_add(s->set, Min(from, to), Max(from, to), s->columns, s->sums,
						 from <= to ? sign : -sign);
}

/* The same for columns that sales tell. */
static void
add_sales(const Summing *s, int64 from, int64 to)
{
	EcProductSet *set = s->set;
	int64 low_end;
	int64 high_end;
	uint32 low = nearest_total(set, from, &low_end);
	uint32 high = nearest_total(set, to, &high_end);

	if (ec_product_sales_count(set, from, to) <= set->nproducts / SALES_SHARE)
	{
		ec_product_sales_add(set, from, to, s->columns, s->sums, 1);
		return;
	}
	if (low != high)
	{
		add_total(s, high, 1);
		add_total(s, low, -1);
	}
	add_sales_between(s, high_end, to, 1);
	add_sales_between(s, low_end, from, -1);
}

static void
sum(Summing *s, int64 from, int64 to)
{
	Size n = s->wanted != NULL ? s->nwanted : s->set->nproducts;

	for (int column = EC_PRODUCT_CELL_ROWS; column <= EC_PRODUCT_CELL_PRICE; column++)
	{
		if (s->columns & EC_PRODUCT_SUM_BIT(column))
			s->sums->columns[column] = MemoryContextAllocExtended(
				s->set->context, sizeof(int64) * Max(n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	}
	if (from >= to || n == 0)
		return;
	if ((s->columns & ~EC_PRODUCT_SUMS_SALES) == 0 && s->wanted == NULL)
		add_sales(s, from, to);
	else
		add_slots(s, from, to);
}

void
ec_product_set_sum(EcProductSet *set, int64 from, int64 to, uint32 columns, EcProductSums *sums)
{
	Summing s = {set, columns, sums};

	sum(&s, from, to);
}

void
ec_product_set_sum_of(EcProductSet *set, int64 from, int64 to, uint32 columns, const uint32 *wanted,
					  uint32 nwanted, EcProductSums *sums)
{
	Summing s = {set, columns, sums, wanted, nwanted};

	s.places = MemoryContextAllocExtended(set->context, sizeof(uint32) * Max(set->nproducts, 1),
										  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	s.references = MemoryContextAllocHuge(set->context, sizeof(int64) * (Size) Max(nwanted, 1));
	for (uint32 i = 0; i < nwanted; i++)
		s.places[wanted[i]] = i + 1;
	sum(&s, from, to);
	pfree(s.places);
	pfree(s.references);
}

int64
ec_product_set_cell(EcProductSet *set, int64 slot)
{
	return find_place(set, slot).row;
}
