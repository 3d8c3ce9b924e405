/*
 * cells.c
 *	  Reads the cells of summaries.
 *
 * Cells are sorted by their slot, so zones tell which blocks hold those of a range, and
 * only the blocks at its ends (and those with NULL) are looked through.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "insight/cells.h"

/* ---- one projection of one set ---- */

void
ec_cells_open(EcCells *cells, Relation rel, const EcSummarySet *set, EcProjection projection,
			  MemoryContext context)
{
	MemoryContext old;

	memset(cells, 0, sizeof(EcCells));
	cells->context = AllocSetContextCreate(context, "ecinsight cells", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cells->context);
	cells->reader =
		ec_summary_reader(rel, set, projection, ec_projection_columns(projection), cells->context);
	MemoryContextSwitchTo(old);
	cells->selection = MemoryContextAlloc(cells->context, sizeof(uint32) * EC_BLOCK_ROWS);
	cells->all_slots = true;
}

void
ec_cells_select(EcCells *cells, const EcSlots *slots)
{
	ec_reader_rescan(cells->reader);
	cells->in_part = false;
	cells->slots = *slots;
	cells->all_slots = slots->min == PG_INT64_MIN && slots->max == PG_INT64_MAX && slots->nulls;
}

void
ec_cells_close(EcCells *cells)
{
	ec_reader_end(cells->reader);
	MemoryContextDelete(cells->context);
}

typedef enum Matching
{
	NONE,
	SOME,
	ALL
} Matching;

/* Which cells of the block (or of the whole part) have a slot in the range? */
static Matching
match_zone(EcCells *cells, uint32 block)
{
	const EcSlots *slots = &cells->slots;
	EcZone zone;
	EcKind kind;
	int32 scale;

	if (cells->all_slots)
		return ALL;
	if (!ec_reader_zone(cells->reader, 0, block, &zone, &kind, &scale))
	{
		if (zone.nnulls < zone.nrows)
			return SOME;
		return slots->nulls ? ALL : NONE;
	}
	if ((zone.max < slots->min || zone.min > slots->max) && (zone.nnulls == 0 || !slots->nulls))
		return NONE;
	if (zone.min >= slots->min && zone.max <= slots->max && (zone.nnulls == 0 || slots->nulls))
		return ALL;
	return SOME;
}

/* Lists the cells of the block with a slot in the range. */
static void
find_cells(EcCells *cells)
{
	const EcSlots *slots = &cells->slots;
	const EcVector *v = ec_reader_block(cells->reader, 0, cells->block);

	cells->n = 0;
	for (uint32 i = 0; i < v->nrows; i++)
	{
		bool matches = slots->nulls;

		if (!ec_vector_is_null(v, i))
		{
			int64 slot = ec_vector_int64(v, i);

			matches = slot >= slots->min && slot <= slots->max;
		}
		cells->selection[cells->n] = i;
		cells->n += matches;
	}
}

static bool
take_block(EcCells *cells)
{
	Matching matching = match_zone(cells, cells->block);

	if (matching == NONE)
		return false;
	cells->n = ec_reader_block_rows(cells->reader, cells->block);
	cells->all = matching == ALL;
	if (!cells->all)
		find_cells(cells);
	return cells->n > 0;
}

bool
ec_cells_next(EcCells *cells)
{
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		while (!cells->in_part || cells->next == ec_reader_group(cells->reader)->nblocks)
		{
			if (!ec_reader_next_group(cells->reader))
				return false;
			cells->in_part = match_zone(cells, EC_ZONE_CHUNK) != NONE;
			cells->next = 0;
		}
		cells->block = cells->next++;
		if (take_block(cells))
			return true;
	}
}

/* ---- columns ---- */

static void
gather(const EcCells *cells, const EcVector *v, int64 *values, uint8 *nulls)
{
	for (uint32 i = 0; i < cells->n; i++)
	{
		uint32 row = cells->all ? i : cells->selection[i];

		nulls[i] = ec_vector_is_null(v, row);
		values[i] = nulls[i] ? 0 : ec_vector_int64(v, row);
	}
}

/* There is no NULL in the vector. */
static void
gather_values(const EcCells *cells, const EcVector *v, int64 *values)
{
	const int64 *from = v->values.i64;

	if (cells->all && v->form == EC_FORM_DICT)
	{
		for (uint32 i = 0; i < cells->n; i++)
			values[i] = from[v->codes[i]];
		return;
	}
	for (uint32 i = 0; i < cells->n; i++)
		values[i] = ec_vector_int64(v, cells->all ? i : cells->selection[i]);
}

const int64 *
ec_cells_ints(EcCells *cells, int column, const uint8 **nulls)
{
	const EcVector *v = ec_reader_block(cells->reader, column, cells->block);

	Assert(column < EC_CELLS_COLUMNS);
	Assert(nulls != NULL || v->nnulls == 0);
	if (nulls != NULL)
		*nulls = NULL;
	if (cells->all && v->form == EC_FORM_FLAT && v->nnulls == 0)
		return v->values.i64;
	if (cells->ints[column] == NULL)
	{
		cells->ints[column] = MemoryContextAlloc(cells->context, sizeof(int64) * EC_BLOCK_ROWS);
		cells->nulls[column] = MemoryContextAlloc(cells->context, EC_BLOCK_ROWS);
	}
	if (v->nnulls == 0)
		gather_values(cells, v, cells->ints[column]);
	else
	{
		gather(cells, v, cells->ints[column], cells->nulls[column]);
		if (nulls != NULL)
			*nulls = cells->nulls[column];
	}
	return cells->ints[column];
}

const uint32 *
ec_cells_ids(EcCells *cells, int column, EcTextColumn *text)
{
	ec_text_column_map(text, ec_reader_block(cells->reader, column, cells->block),
					   cells->all ? NULL : cells->selection, cells->n);
	return text->ids;
}

/* The span of the current block's cells. */
static bool
span_block(EcCells *cells, int64 *min, int64 *max)
{
	const uint8 *nulls;
	const int64 *slots;
	bool found = false;
	EcZone zone;
	EcKind kind;
	int32 scale;

	if (cells->all && ec_reader_zone(cells->reader, 0, cells->block, &zone, &kind, &scale))
	{
		*min = zone.min;
		*max = zone.max;
		return true;
	}
	slots = ec_cells_ints(cells, 0, &nulls);
	for (uint32 i = 0; i < cells->n; i++)
	{
		if (nulls != NULL && nulls[i])
			continue;
		*min = found ? Min(*min, slots[i]) : slots[i];
		*max = found ? Max(*max, slots[i]) : slots[i];
		found = true;
	}
	return found;
}

bool
ec_cells_span(EcCells *cells, int64 *min, int64 *max)
{
	bool found = false;
	int64 first;
	int64 last;

	while (ec_cells_next(cells))
	{
		if (!span_block(cells, &first, &last))
			continue;
		*min = found ? Min(*min, first) : first;
		*max = found ? Max(*max, last) : last;
		found = true;
	}
	return found;
}

/* ---- all sets, a range of slots ---- */

bool
ec_rows_span(EcRows *rows, const EcSlots *slots, int64 *min, int64 *max, MemoryContext context)
{
	const EcSummarySet *set;
	bool found = false;
	Relation rel;

	while (ec_rows_next_set(rows, &rel, &set))
	{
		EcCells cells;
		int64 first;
		int64 last;

		ec_cells_open(&cells, rel, set, EC_PROJECTION_CATEGORY_HOUR, context);
		ec_cells_select(&cells, slots);
		if (ec_cells_span(&cells, &first, &last))
		{
			*min = found ? Min(*min, first) : first;
			*max = found ? Max(*max, last) : last;
			found = true;
		}
		ec_cells_close(&cells);
	}
	ec_rows_rewind_sets(rows);
	return found;
}

static void
add_range(EcSlotCells *scan, EcProjection projection, int64 min, int64 max, bool nulls)
{
	EcSlots *range = &scan->ranges[scan->nranges];

	if (min > max)
		return;
	range->min = min;
	range->max = max;
	range->nulls = nulls;
	scan->projections[scan->nranges++] = projection;
}

/*
 * Slots are inclusive, and whole hours (from min to max + 1) or without bound.  Equal
 * projections stand together, so that a set's is opened once.
 */
static void
split_slots(EcSlotCells *scan, const EcSlots *slots)
{
	int64 first = slots->min;
	int64 last = slots->max;

	if (first > DT_NOBEGIN && first < DT_NOEND)
		first = ec_slot_ceil(first, USECS_PER_DAY);
	if (last < DT_NOEND)
		last = ec_slot_floor(last + 1, USECS_PER_DAY) - 1;
	if (scan->hour == scan->day || first > last)
	{
		add_range(scan, scan->hour, slots->min, slots->max, slots->nulls);
		return;
	}
	add_range(scan, scan->day, first, last, slots->nulls);
	if (first > slots->min)
		add_range(scan, scan->hour, slots->min, first - 1, false);
	if (last < slots->max)
		add_range(scan, scan->hour, last + 1, slots->max, false);
}

void
ec_slot_cells_begin(EcSlotCells *scan, EcRows *rows, EcProjection hour, EcProjection day,
					MemoryContext context)
{
	memset(scan, 0, sizeof(EcSlotCells));
	scan->rows = rows;
	scan->context = context;
	scan->hour = hour;
	scan->day = day;
	split_slots(scan, &rows->slots);
	scan->range = scan->nranges;
}

void
ec_slot_cells_end(EcSlotCells *scan)
{
	if (scan->is_open)
		ec_cells_close(&scan->cells);
	scan->is_open = false;
}

static int64
length_of(const EcSlotCells *scan, EcProjection projection)
{
	return projection == scan->hour ? USECS_PER_HOUR : USECS_PER_DAY;
}

/* Positions cells before the next range of a set, or of the next set. */
static bool
next_range(EcSlotCells *scan)
{
	EcProjection projection;

	if (scan->range == scan->nranges)
	{
		ec_slot_cells_end(scan);
		if (!ec_rows_next_set(scan->rows, &scan->rel, &scan->set))
			return false;
		scan->range = 0;
	}
	projection = scan->projections[scan->range];
	if (scan->is_open && scan->projection != projection)
		ec_slot_cells_end(scan);
	if (!scan->is_open)
		ec_cells_open(&scan->cells, scan->rel, scan->set, projection, scan->context);
	scan->is_open = true;
	scan->projection = projection;
	scan->length = length_of(scan, projection);
	ec_cells_select(&scan->cells, &scan->ranges[scan->range++]);
	return true;
}

bool
ec_slot_cells_next(EcSlotCells *scan)
{
	while (!scan->is_open || !ec_cells_next(&scan->cells))
	{
		if (!next_range(scan))
			return false;
	}
	return true;
}

int64
ec_slot_cells_slot(const EcSlotCells *scan, int64 time)
{
	int i = 0;

	if (TIMESTAMP_NOT_FINITE(time))
		return time;
	while (i < scan->nranges && (time < scan->ranges[i].min || time > scan->ranges[i].max))
		i++;
	return ec_slot_floor(time,
						 length_of(scan, i < scan->nranges ? scan->projections[i] : scan->hour));
}
