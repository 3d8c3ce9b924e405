/*
 * user_stream.c
 *	  A set's cells by user: blocks, their cells in the hours asked for, users in these.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "insight/build.h"
#include "insight/projection.h"
#include "insight/user_stream.h"

static EcReader *
begin_reader(Relation rel, const EcSummarySet *set, EcProjection projection, MemoryContext context)
{
	return ec_summary_reader(rel, set, projection, ec_projection_columns(projection), context);
}

static bool
has_range(const EcUserStream *stream)
{
	return stream->slots.min > PG_INT64_MIN || stream->slots.max < PG_INT64_MAX ||
		   !stream->slots.nulls;
}

static void
begin_parents(EcUserStream *stream, Relation rel, const EcSummarySet *set, MemoryContext context)
{
	EcUserParents *parents = &stream->parents;

	stream->ids = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	stream->numbers = palloc(sizeof(int64) * EC_BLOCK_ROWS);
	parents->want_codes =
		(stream->want & EC_USER_WANT_CODES) != 0 || stream->code_wanted != EC_ID_NULL;
	parents->want_slots = has_range(stream);
	if (parents->want_codes || parents->want_slots)
		parents->reader = begin_reader(rel, set, EC_PROJECTION_USER, context);
}

void
ec_user_stream_begin(EcUserStream *stream, Relation rel, const EcSummarySet *set,
					 MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	stream->context = context;
	stream->by_brand =
		(stream->want & EC_USER_WANT_BRANDS) != 0 || stream->brand_wanted != EC_ID_NULL;
	stream->reader = begin_reader(
		rel, set, stream->by_brand ? EC_PROJECTION_USER_BRAND : EC_PROJECTION_USER, context);
	if (stream->by_brand)
		begin_parents(stream, rel, set, context);
	stream->selection = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	stream->null_bytes = palloc(EC_BLOCK_ROWS);
	for (int i = 0; i < lengthof(stream->ints); i++)
		stream->ints[i] = palloc(sizeof(int64) * EC_BLOCK_ROWS);
	stream->type_bytes = palloc(EC_BLOCK_ROWS);
	stream->taken = true;
	MemoryContextSwitchTo(old);
}

void
ec_user_stream_end(EcUserStream *stream)
{
	if (stream->reader != NULL)
		ec_reader_end(stream->reader);
	if (stream->parents.reader != NULL)
		ec_reader_end(stream->parents.reader);
	stream->reader = NULL;
	stream->parents.reader = NULL;
}

/* ---- parents ---- */

static void
reserve_parents(EcUserStream *stream, uint32 n)
{
	EcUserParents *parents = &stream->parents;

	if (n <= parents->capacity)
		return;
	if (parents->capacity > 0)
	{
		pfree(parents->codes);
		pfree(parents->slots);
		pfree(parents->no_slot);
	}
	parents->capacity = Max(n, parents->capacity * 2);
	parents->codes = MemoryContextAllocHuge(stream->context, sizeof(uint32) * parents->capacity);
	parents->slots = MemoryContextAllocHuge(stream->context, sizeof(int64) * parents->capacity);
	parents->no_slot = MemoryContextAllocHuge(stream->context, parents->capacity);
}

/* Of a block of EC_PROJECTION_USER, n cells from start on. */
static void
copy_parents(EcUserStream *stream, uint32 block, uint32 start, uint32 n)
{
	EcUserParents *parents = &stream->parents;
	EcReader *reader = parents->reader;

	for (uint32 i = 0; i < n; i++)
		stream->selection[i] = start + i;
	if (parents->want_codes)
	{
		ec_text_column_map(&stream->code, ec_reader_block(reader, EC_USER_CODE, block),
						   stream->selection, n);
		memcpy(parents->codes + parents->n, stream->code.ids, sizeof(uint32) * n);
	}
	if (parents->want_slots)
	{
		const EcVector *v = ec_reader_block(reader, EC_USER_SLOT, block);

		for (uint32 i = 0; i < n; i++)
		{
			bool isnull = v->nnulls > 0 && ec_vector_is_null(v, start + i);

			parents->no_slot[parents->n + i] = isnull;
			parents->slots[parents->n + i] = isnull ? 0 : ec_vector_int64(v, start + i);
		}
	}
	parents->n += n;
}

static void
goto_part(EcUserParents *parents, uint32 part)
{
	if (parents->in_part && parents->part == part)
		return;
	if (!ec_reader_goto_group(parents->reader, part))
		elog(ERROR, "summary by user has no part %u", part);
	parents->in_part = true;
	parents->part = part;
}

/* The parents with these numbers. */
static void
get_parents(EcUserStream *stream, uint64 first, uint64 last)
{
	EcUserParents *parents = &stream->parents;

	reserve_parents(stream, last - first + 1);
	parents->n = 0;
	while (first <= last)
	{
		uint32 part = first / EC_BUILD_PART_ROWS;
		uint32 row = first % EC_BUILD_PART_ROWS;
		uint32 start = row % EC_BLOCK_ROWS;
		uint32 n = Min(EC_BLOCK_ROWS - start, last - first + 1);

		goto_part(parents, part);
		if (row + n > ec_reader_group(parents->reader)->nrows)
			elog(ERROR, "summary by user has no row %u in part %u", row + n - 1, part);
		copy_parents(stream, row / EC_BLOCK_ROWS, start, n);
		first += n;
	}
}

/* Those of a block's cells, which get their places among these. */
static void
find_parents(EcUserStream *stream, uint32 block)
{
	const EcVector *v = ec_reader_block(stream->reader, EC_USER_CELL, block);
	int64 least = PG_INT64_MAX;
	int64 greatest = 0;

	for (uint32 i = 0; i < v->nrows; i++)
	{
		stream->numbers[i] = ec_vector_int64(v, i);
		least = Min(least, stream->numbers[i]);
		greatest = Max(greatest, stream->numbers[i]);
	}
	get_parents(stream, least, greatest);
	for (uint32 i = 0; i < v->nrows; i++)
		stream->numbers[i] -= least;
}

/* ids of the selected cells' categories */
static const uint32 *
get_parents_codes(EcUserStream *stream, const uint32 *selection)
{
	for (uint32 i = 0; i < stream->n; i++)
		stream->ids[i] =
			stream->parents.codes[stream->numbers[selection == NULL ? i : selection[i]]];
	return stream->ids;
}

/* ---- blocks ---- */

/* The first of n ascending users that isn't less. */
static uint32
find_user(const int64 *users, uint32 n, int64 user)
{
	uint32 low = 0;

	while (low < n)
	{
		uint32 middle = low + (n - low) / 2;

		if (users[middle] < user)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

/* May a group's block (or the whole group) have a chosen user? */
static bool
may_have_chosen(EcUserStream *stream, uint32 block)
{
	EcZone zone;
	EcKind kind;
	int32 scale;
	uint32 at;

	if (stream->chosen == NULL)
		return true;
	if (!ec_reader_zone(stream->reader, EC_USER_ID, block, &zone, &kind, &scale))
		return false; /* all are NULL */
	at = find_user(stream->chosen, stream->nchosen, zone.min);
	return at < stream->nchosen && stream->chosen[at] <= zone.max;
}

static uint32
select_by_parents(EcUserStream *stream)
{
	const EcSlots *slots = &stream->slots;
	const EcUserParents *parents = &stream->parents;
	uint32 n = 0;

	for (uint32 i = 0; i < stream->n; i++)
	{
		uint32 parent = (uint32) stream->numbers[i];
		int64 slot = parents->slots[parent];

		stream->selection[n] = i;
		n += parents->no_slot[parent] ? slots->nulls : slot >= slots->min && slot <= slots->max;
	}
	return n;
}

static uint32
select_by_slots(EcUserStream *stream, const EcVector *v)
{
	const EcSlots *slots = &stream->slots;
	uint32 n = 0;

	if (v->form == EC_FORM_FLAT && v->nnulls == 0)
	{
		const int64 *values = v->values.i64;

		for (uint32 i = 0; i < v->nrows; i++)
		{
			stream->selection[n] = i;
			n += values[i] >= slots->min && values[i] <= slots->max;
		}
		return n;
	}
	for (uint32 i = 0; i < v->nrows; i++)
	{
		stream->selection[n] = i;
		if (ec_vector_is_null(v, i))
			n += slots->nulls;
		else
		{
			int64 slot = ec_vector_int64(v, i);

			n += slot >= slots->min && slot <= slots->max;
		}
	}
	return n;
}

/* Numbers the cells in the slots; false: all are, or get_types leaves the others without types. */
static bool
select_slots(EcUserStream *stream, uint32 block)
{
	uint32 all = stream->n;

	if (!has_range(stream) || (stream->want & EC_USER_WANT_TYPES) != 0)
		return false;
	stream->n = stream->by_brand
					? select_by_parents(stream)
					: select_by_slots(stream, ec_reader_block(stream->reader, EC_USER_SLOT, block));
	return stream->n < all;
}

/* An integer column of the selected cells, without NULLs. */
static const int64 *
get_ints(EcUserStream *stream, const EcVector *v, const uint32 *selection, int64 *ints)
{
	const int64 *values = v->values.i64;

	if (v->form == EC_FORM_CONST)
	{
		for (uint32 i = 0; i < stream->n; i++)
			ints[i] = values[0];
		return ints;
	}
	if (v->form == EC_FORM_FLAT && selection == NULL)
		return values;
	if (v->form == EC_FORM_FLAT)
	{
		for (uint32 i = 0; i < stream->n; i++)
			ints[i] = values[selection[i]];
		return ints;
	}
	for (uint32 i = 0; i < stream->n; i++)
		ints[i] = values[v->codes[selection == NULL ? i : selection[i]]];
	return ints;
}

static void
get_users(EcUserStream *stream, const EcVector *v, const uint32 *selection)
{
	int64 *users = stream->ints[0];

	stream->nulls = NULL;
	if (v->nnulls == 0)
	{
		stream->users = get_ints(stream, v, selection, users);
		return;
	}
	for (uint32 i = 0; i < stream->n; i++)
	{
		uint32 row = selection == NULL ? i : selection[i];

		stream->null_bytes[i] = ec_vector_is_null(v, row);
		users[i] = stream->null_bytes[i] ? 0 : ec_vector_int64(v, row);
	}
	stream->users = users;
	stream->nulls = stream->null_bytes;
}

static const uint32 *
get_ids(EcUserStream *stream, EcTextColumn *text, int column, uint32 block, const uint32 *selection)
{
	const EcVector *v = ec_reader_block(stream->reader, column, block);

	ec_text_column_map(text, v, selection, stream->n);
	return text->ids;
}

static const uint32 *
get_codes(EcUserStream *stream, uint32 block, const uint32 *selection)
{
	if (stream->by_brand)
		return get_parents_codes(stream, selection);
	return get_ids(stream, &stream->code, EC_USER_CODE, block, selection);
}

/* Leaves the selected cells (NULL: all) whose text is this. */
static const uint32 *
select_text(EcUserStream *stream, const uint32 *ids, uint32 wanted, const uint32 *selection)
{
	uint32 n = 0;

	for (uint32 i = 0; i < stream->n; i++)
	{
		stream->selection[n] = selection == NULL ? i : selection[i];
		n += ids[i] == wanted;
	}
	stream->n = n;
	return stream->selection;
}

/* Leaves cells in the slots, and of the texts wanted; NULL: these are all. */
static const uint32 *
select_cells(EcUserStream *stream, uint32 block)
{
	const uint32 *selection = NULL;

	if (select_slots(stream, block))
		selection = stream->selection;
	if (stream->code_wanted != EC_ID_NULL && stream->n > 0)
		selection = select_text(stream, get_codes(stream, block, selection), stream->code_wanted,
								selection);
	if (stream->brand_wanted != EC_ID_NULL && stream->n > 0)
		selection =
			select_text(stream, get_ids(stream, &stream->brand, EC_USER_BRAND, block, selection),
						stream->brand_wanted, selection);
	return selection;
}

/* ---- types ---- */

static inline uint8
types_of(int64 types)
{
	return EC_USER_SEEN | !(types & 1) << EC_TYPE_VIEW |
		   (ec_user_types_get(types, EC_USER_TYPES_CARTS) != 0) << EC_TYPE_CART |
		   (ec_user_types_get(types, EC_USER_TYPES_PURCHASES) != 0) << EC_TYPE_PURCHASE;
}

/* The types of a dictionary's entries: there are few in most. */
static const uint8 *
find_entry_types(EcUserStream *stream, const EcVector *v)
{
	if (v->ndict > stream->entries)
	{
		if (stream->entry_types != NULL)
			pfree(stream->entry_types);
		stream->entries = v->ndict * 2;
		stream->entry_types = MemoryContextAllocHuge(stream->context, stream->entries);
	}
	for (uint32 i = 0; i < v->ndict; i++)
		stream->entry_types[i] = types_of(v->values.i64[i]);
	return stream->entry_types;
}

/* Cells outside the slots have none. */
static void
mask_by_slots(EcUserStream *stream, const EcVector *v, uint8 *types)
{
	const EcSlots *slots = &stream->slots;

	if (v->form == EC_FORM_FLAT && v->nnulls == 0)
	{
		const int64 *values = v->values.i64;

		for (uint32 i = 0; i < v->nrows; i++)
			types[i] &= -((values[i] >= slots->min) & (values[i] <= slots->max));
		return;
	}
	for (uint32 i = 0; i < v->nrows; i++)
	{
		bool isnull = ec_vector_is_null(v, i);
		int64 slot = isnull ? 0 : ec_vector_int64(v, i);

		types[i] &= -(isnull ? slots->nulls : slot >= slots->min && slot <= slots->max);
	}
}

static void
mask_by_parents(EcUserStream *stream, uint8 *types)
{
	const EcSlots *slots = &stream->slots;
	const EcUserParents *parents = &stream->parents;

	for (uint32 i = 0; i < stream->n; i++)
	{
		uint32 parent = (uint32) stream->numbers[i];
		int64 slot = parents->slots[parent];

		types[i] &=
			-(parents->no_slot[parent] ? slots->nulls : slot >= slots->min && slot <= slots->max);
	}
}

/* Of all cells of the block: none has been left out. */
static void
get_types(EcUserStream *stream, uint32 block)
{
	const EcVector *v = ec_reader_block(stream->reader, EC_USER_TYPES, block);
	uint8 *types = stream->type_bytes;

	Assert(stream->n == v->nrows);
	if (v->form == EC_FORM_CONST)
		memset(types, types_of(v->values.i64[0]), stream->n);
	else if (v->form == EC_FORM_FLAT)
	{
		memset(types, types_of(0), stream->n); /* most have views alone */
		for (uint32 i = 0; i < stream->n; i++)
		{
			if (unlikely(v->values.i64[i] != 0))
				types[i] = types_of(v->values.i64[i]);
		}
	}
	else
	{
		const uint8 *of_entry = find_entry_types(stream, v);

		for (uint32 i = 0; i < stream->n; i++)
			types[i] = of_entry[v->codes[i]];
	}
	if (has_range(stream) && stream->by_brand)
		mask_by_parents(stream, types);
	else if (has_range(stream))
		mask_by_slots(stream, ec_reader_block(stream->reader, EC_USER_SLOT, block), types);
	stream->types = types;
}

void
ec_user_stream_counts(EcUserStream *stream, uint32 at, int64 *counts)
{
	uint32 block = stream->block - 1;
	uint32 cell = stream->selected == NULL ? at : stream->selected[at];
	int64 types;

	memset(counts, 0, sizeof(int64) * EC_USER_COUNTS);
	counts[EC_USER_COUNT_ROWS] =
		ec_vector_int64(ec_reader_block(stream->reader, EC_USER_ROWS, block), cell);
	if ((stream->want & EC_USER_WANT_TYPES) == 0)
		return;
	types = ec_vector_int64(ec_reader_block(stream->reader, EC_USER_TYPES, block), cell);
	counts[EC_USER_COUNT_CARTS] = ec_user_types_get(types, EC_USER_TYPES_CARTS);
	counts[EC_USER_COUNT_PURCHASES] = ec_user_types_get(types, EC_USER_TYPES_PURCHASES);
	counts[EC_USER_COUNT_OTHER] = ec_user_types_get(types, EC_USER_TYPES_OTHER);
}

/* ---- blocks of cells ---- */

static void
get_block(EcUserStream *stream, uint32 block)
{
	EcReader *reader = stream->reader;
	const uint32 *selection;

	CHECK_FOR_INTERRUPTS();
	stream->n = ec_reader_block_rows(reader, block);
	if (stream->parents.reader != NULL)
		find_parents(stream, block);
	selection = select_cells(stream, block);
	if (stream->n == 0)
		return;
	get_users(stream, ec_reader_block(reader, EC_USER_ID, block), selection);
	if (stream->want & EC_USER_WANT_CODES)
		stream->codes = get_codes(stream, block, selection);
	if (stream->want & EC_USER_WANT_BRANDS)
		stream->brands = get_ids(stream, &stream->brand, EC_USER_BRAND, block, selection);
	if (stream->want & EC_USER_WANT_ROWS)
		stream->rows = get_ints(stream, ec_reader_block(reader, EC_USER_ROWS, block), selection,
								stream->ints[1]);
	if (stream->want & EC_USER_WANT_TYPES)
		get_types(stream, block);
	stream->selected = selection;
}

/* The next block that has a selected cell; false: there is none. */
static bool
next_block(EcUserStream *stream)
{
	stream->n = 0;
	stream->at = stream->end = 0;
	while (stream->n == 0)
	{
		while (!stream->in_group || stream->block == ec_reader_group(stream->reader)->nblocks)
		{
			if (!ec_reader_next_group(stream->reader))
			{
				ec_user_stream_end(stream);
				return false;
			}
			stream->in_group = true;
			stream->block = 0;
			if (!may_have_chosen(stream, EC_ZONE_CHUNK))
				stream->block = ec_reader_group(stream->reader)->nblocks;
		}
		if (may_have_chosen(stream, stream->block))
			get_block(stream, stream->block);
		stream->block++;
	}
	return true;
}

/* ---- users ---- */

/* Where the cells of the user at stream->at end, in this block. */
static void
find_end(EcUserStream *stream)
{
	const int64 *users = stream->users;
	int64 user = users[stream->at];
	uint32 end = stream->at + 1;

	while (end < stream->n && users[end] == user)
		end++;
	for (uint32 i = stream->at + 1; stream->nulls != NULL && i < end; i++)
	{
		if (stream->nulls[i] != stream->nulls[stream->at])
			end = i;
	}
	stream->end = end;
}

/* From stream->at on, the first cell of a chosen user; false: the block has none. */
static bool
skip_to_chosen(EcUserStream *stream)
{
	while (stream->at < stream->n)
	{
		int64 user = stream->users[stream->at];
		uint32 passed = find_user(stream->chosen, stream->nchosen, user);

		stream->chosen += passed;
		stream->nchosen -= passed;
		if (stream->nchosen == 0)
			return false;
		if (stream->chosen[0] > user)
			stream->at +=
				find_user(stream->users + stream->at, stream->n - stream->at, stream->chosen[0]);
		else if (ec_user_stream_is_null(stream, stream->at))
			stream->at++;
		else
			return true;
	}
	return false;
}

void
ec_user_stream_next(EcUserStream *stream)
{
	stream->at = stream->end;
	stream->taken = false;
	for (;;)
	{
		if (stream->at < stream->n && (stream->chosen == NULL || skip_to_chosen(stream)))
		{
			find_end(stream);
			return;
		}
		if (!next_block(stream))
			return;
	}
}

bool
ec_user_stream_widen(EcUserStream *stream, int64 limit)
{
	const int64 *users = stream->users;
	uint32 end;

	if (stream->chosen != NULL || stream->nulls != NULL)
		return false;
	end = stream->end +
		  find_user(users + stream->end, stream->n - stream->end, Min(limit, users[stream->n - 1]));
	if (end == stream->end)
		return false;
	stream->end = end;
	return true;
}
