/*
 * user_stream.c
 *	  A set's cells by user: blocks, their cells in the hours asked for, users in these.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "insight/projection.h"
#include "insight/user_stream.h"

void
ec_user_stream_begin(EcUserStream *stream, Relation rel, const EcSummarySet *set,
					 MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	stream->reader = ec_summary_reader(rel, set, EC_PROJECTION_USER,
									   ec_projection_columns(EC_PROJECTION_USER), context);
	stream->selection = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	stream->null_bytes = palloc(EC_BLOCK_ROWS);
	for (int i = 0; i < 1 + EC_USER_COUNTS; i++)
		stream->ints[i] = palloc(sizeof(int64) * EC_BLOCK_ROWS);
	stream->taken = true;
	MemoryContextSwitchTo(old);
}

void
ec_user_stream_end(EcUserStream *stream)
{
	if (stream->reader != NULL)
		ec_reader_end(stream->reader);
	stream->reader = NULL;
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

/* Numbers the cells in the slots; false: all are. */
static bool
select_slots(EcUserStream *stream, uint32 block)
{
	const EcSlots *slots = &stream->slots;
	uint32 n = 0;
	const EcVector *v;

	if (slots->min == PG_INT64_MIN && slots->max == PG_INT64_MAX && slots->nulls)
		return false;
	v = ec_reader_block(stream->reader, EC_USER_SLOT, block);
	if (v->form == EC_FORM_FLAT && v->nnulls == 0)
	{
		const int64 *values = v->values.i64;

		for (uint32 i = 0; i < v->nrows; i++)
		{
			stream->selection[n] = i;
			n += values[i] >= slots->min && values[i] <= slots->max;
		}
	}
	else
	{
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
	}
	stream->n = n;
	return n < v->nrows;
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

/* Leaves the selected cells (NULL: all) whose text is this. */
static const uint32 *
select_text(EcUserStream *stream, EcTextColumn *text, int column, uint32 block, uint32 wanted,
			const uint32 *selection)
{
	const uint32 *ids;
	uint32 n = 0;

	if (wanted == EC_ID_NULL || stream->n == 0)
		return selection;
	ids = get_ids(stream, text, column, block, selection);
	for (uint32 i = 0; i < stream->n; i++)
	{
		stream->selection[n] = selection == NULL ? i : selection[i];
		n += ids[i] == wanted;
	}
	stream->n = n;
	return stream->selection;
}

static void
get_block(EcUserStream *stream, uint32 block)
{
	EcReader *reader = stream->reader;
	const uint32 *selection = NULL;

	CHECK_FOR_INTERRUPTS();
	stream->n = ec_reader_block_rows(reader, block);
	if (select_slots(stream, block))
		selection = stream->selection;
	selection =
		select_text(stream, &stream->code, EC_USER_CODE, block, stream->code_wanted, selection);
	selection =
		select_text(stream, &stream->brand, EC_USER_BRAND, block, stream->brand_wanted, selection);
	if (stream->n == 0)
		return;
	get_users(stream, ec_reader_block(reader, EC_USER_ID, block), selection);
	if (stream->want & EC_USER_WANT_CODES)
		stream->codes = get_ids(stream, &stream->code, EC_USER_CODE, block, selection);
	if (stream->want & EC_USER_WANT_BRANDS)
		stream->brands = get_ids(stream, &stream->brand, EC_USER_BRAND, block, selection);
	for (int i = 0; i < (stream->want & EC_USER_WANT_TYPES ? EC_USER_COUNTS : 1); i++)
		stream->counts[i] = get_ints(stream, ec_reader_block(reader, EC_USER_ROWS + i, block),
									 selection, stream->ints[1 + i]);
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
				ec_reader_end(stream->reader);
				stream->reader = NULL;
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
