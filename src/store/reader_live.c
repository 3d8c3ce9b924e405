/*
 * reader_live.c
 *	  Row numbers of the reader's current row group, and which of its rows are hidden.
 *
 * Tombstones name rows by number, masks by their place in a block.  The numbers of
 * a row group are ranges in its descriptor or, if it is a numbered one, a column of
 * its image, which is decoded only if some tombstone's number lies within its span.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/reader_internal.h"

/* ------------------------------------------------------------------------
 * Row numbers
 * ------------------------------------------------------------------------
 */

/*
 * Steps to the range that holds the row.  Callers go through rows in order mostly,
 * so the search starts where the last one ended.
 */
static const EcDiskRange *
find_range(EcReader *reader, uint32 row)
{
	EcReaderPlace *place = &reader->place;

	if (row < place->start)
		memset(place, 0, sizeof(*place));
	for (; place->range < reader->desc->nranges; place->range++)
	{
		const EcDiskRange *range = &reader->desc->ranges[place->range];

		if (row - place->start < range->count)
			return range;
		place->start += (uint32) range->count;
	}
	elog(ERROR, "row %u is beyond its row group", row);
}

static void
numbers_from_ranges(EcReader *reader, uint32 first, uint32 nrows)
{
	for (uint32 row = 0; row < nrows;)
	{
		const EcDiskRange *range = find_range(reader, first + row);
		int64 number = range->first + (first + row - reader->place.start);
		int64 end = range->first + range->count;

		while (row < nrows && number < end)
			reader->numbers[row++] = number++;
	}
}

static void
numbers_from_column(EcReader *reader, uint32 block, uint32 nrows)
{
	const EcVector *v = ec_reader_number_block(reader, block);
	const EcDiskRange *range = &reader->desc->ranges[0];

	for (uint32 row = 0; row < nrows; row++)
	{
		int64 number = ec_vector_is_null(v, row) ? -1 : ec_vector_int64(v, row);

		if (number < range->first || number >= range->first + range->count)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("block %u of the row numbers of row group " INT64_FORMAT
							" of table \"%s\" is damaged: a number is out of range",
							block, reader->desc->number, RelationGetRelationName(reader->rel))));
		reader->numbers[row] = number;
	}
}

const int64 *
ec_reader_numbers(EcReader *reader, uint32 block)
{
	uint32 nrows = ec_reader_block_rows(reader, block);

	if (reader->run != NULL)
		return ec_run_rows(reader)->numbers + (Size) block * EC_BLOCK_ROWS;
	if (reader->numbers_block == block)
		return reader->numbers;
	if (reader->numbers == NULL)
		reader->numbers = MemoryContextAlloc(reader->context, EC_BLOCK_ROWS * sizeof(int64));
	reader->numbers_block = EC_ZONE_CHUNK;
	if (reader->desc->numbered)
		numbers_from_column(reader, block, nrows);
	else
		numbers_from_ranges(reader, block * EC_BLOCK_ROWS, nrows);
	reader->numbers_block = block;
	return reader->numbers;
}

int64
ec_reader_row_number(EcReader *reader, uint32 row)
{
	const EcDiskRange *range;

	if (reader->run != NULL)
		return ec_run_rows(reader)->numbers[row];
	if (reader->desc->numbered)
		return ec_reader_numbers(reader, row / EC_BLOCK_ROWS)[row % EC_BLOCK_ROWS];
	range = find_range(reader, row);
	return range->first + (row - reader->place.start);
}

/* ------------------------------------------------------------------------
 * Hidden rows
 * ------------------------------------------------------------------------
 */

static inline void
hide(EcReaderLive *live, uint32 row)
{
	live->rows[row / 64] &= ~(UINT64CONST(1) << row % 64);
	live->all = false;
}

/* Tombstones of rows [start, start + nrows) of a group whose ranges tell their numbers. */
static void
hide_by_ranges(EcReader *reader, uint32 start, uint32 nrows)
{
	const EcList *list = reader->list;
	uint32 row = 0; /* first of the range */

	for (uint32 i = 0; i < reader->desc->nranges && row < start + nrows; i++)
	{
		const EcDiskRange *range = &reader->desc->ranges[i];
		uint32 from = Max(row, start);
		uint32 to = Min(row + (uint32) range->count, start + nrows);
		int64 offset = range->first - row;

		row += (uint32) range->count;
		if (from >= to)
			continue;
		for (Size d = ec_list_first_dead(list, from + offset);
			 d < list->ndead && list->dead[d] < to + offset; d++)
			hide(&reader->live, (uint32) (list->dead[d] - offset) - start);
	}
}

/* Each number by itself; for runs and numbered groups. */
static void
hide_by_numbers(EcReader *reader, uint32 block, uint32 nrows)
{
	const int64 *numbers = ec_reader_numbers(reader, block);
	const EcList *list = reader->list;

	for (uint32 row = 0; row < nrows; row++)
	{
		if (ec_list_is_dead(list, numbers[row]))
			hide(&reader->live, row);
	}
}

/* Does any tombstone lie within one of the group's ranges? */
static bool
has_dead_in_ranges(const EcReader *reader)
{
	const EcList *list = reader->list;

	for (uint32 i = 0; i < reader->desc->nranges; i++)
	{
		const EcDiskRange *range = &reader->desc->ranges[i];
		Size first = ec_list_first_dead(list, range->first);

		if (first < list->ndead && list->dead[first] < range->first + range->count)
			return true;
	}
	return false;
}

/* May any tombstone be one of a row of this group? */
static bool
has_tombstones(const EcReader *reader)
{
	const EcList *list = reader->list;

	if (list->ndead == 0 || list->guard != NULL)
		return false;
	return reader->run != NULL || !reader->desc->numbered || has_dead_in_ranges(reader);
}

static void
hide_masked(EcReader *reader, uint32 block, uint32 nrows)
{
	const EcListMask *mask = ec_list_mask(reader->list, reader->desc->number, block);
	uint64 dead[EC_MASK_WORDS] = {0};
	EcListPayload payload;

	if (mask == NULL)
		return;
	payload = ec_list_payload(reader->list, &mask->tid, EC_CATALOG_MASK, mask->number);
	ec_mask_read(reader->rel, reader->desc->number, block, payload.data, payload.len, nrows, dead);
	pfree(payload.data);
	for (uint32 i = 0; i < EC_VALIDITY_WORDS(nrows); i++)
		reader->live.rows[i] &= ~dead[i];
	reader->live.all = false;
}

static void
find_live(EcReader *reader, uint32 block)
{
	EcReaderLive *live = &reader->live;
	uint32 nrows = ec_reader_block_rows(reader, block);
	Size words = EC_VALIDITY_WORDS(nrows);
	bool tombstones = has_tombstones(reader);

	live->block = EC_ZONE_CHUNK;
	live->all = true;
	live->nlive = nrows;
	if (tombstones || reader->list->nmasks > 0)
	{
		memset(live->rows, 0xff, words * sizeof(uint64));
		if (nrows % 64 != 0)
			live->rows[words - 1] = (UINT64CONST(1) << nrows % 64) - 1;
		if (tombstones && (reader->run != NULL || reader->desc->numbered))
			hide_by_numbers(reader, block, nrows);
		else if (tombstones)
			hide_by_ranges(reader, block * EC_BLOCK_ROWS, nrows);
		if (reader->list->nmasks > 0 && reader->run == NULL)
			hide_masked(reader, block, nrows);
	}
	if (!live->all)
	{
		live->nlive = 0;
		for (Size i = 0; i < words; i++)
			live->nlive += pg_popcount64(live->rows[i]);
		live->all = live->nlive == nrows;
	}
	live->block = block;
}

const uint64 *
ec_reader_live(EcReader *reader, uint32 block, uint32 *nlive)
{
	Assert(block < reader->info.nblocks);
	if (reader->live.block != block)
		find_live(reader, block);
	*nlive = reader->live.nlive;
	return reader->live.all ? NULL : reader->live.rows;
}

bool
ec_reader_may_hide(const EcReader *reader, uint32 i)
{
	const EcListEntry *entry = &reader->list->entries[i];

	return reader->list->ndead > 0 || ec_list_has_masks(reader->list, entry->number);
}

bool
ec_reader_hides(EcReader *reader)
{
	if (reader->run != NULL)
		return true;
	return (has_tombstones(reader) && has_dead_in_ranges(reader)) ||
		   ec_list_has_masks(reader->list, reader->info.number);
}
