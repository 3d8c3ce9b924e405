/*
 * session_stream.c
 *	  One set's cells by session, user by user.
 *
 * Of blocks without a user who is looked for nothing is read but their zones, of those
 * that have none after all only users, of the others the columns that are wanted.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/build.h"
#include "insight/session_stream.h"

#define FEW_CELLS 64

void
ec_session_stream_begin(EcSessionStream *stream, Relation rel, const EcSummarySet *set,
						MemoryContext context)
{
	TupleDesc columns = ec_projection_columns(EC_PROJECTION_SESSION);

	stream->reader = ec_summary_reader(rel, set, EC_PROJECTION_SESSION, columns, context);
	for (int i = 0; i <= EC_SESSION_PURCHASES; i++)
		stream->ints[i] = MemoryContextAlloc(context, sizeof(int64) * EC_BLOCK_ROWS);
	stream->nulls = MemoryContextAlloc(context, EC_BLOCK_ROWS);
	ec_session_stream_seek(stream, PG_INT64_MIN);
}

void
ec_session_stream_end(EcSessionStream *stream)
{
	if (stream->reader != NULL)
		ec_reader_end(stream->reader);
	stream->reader = NULL;
}

/* ---- blocks ---- */

/* A column of integers without NULLs. */
static const int64 *
get_ints(EcSessionStream *stream, int column)
{
	const EcVector *v = ec_reader_block(stream->reader, column, stream->block);

	if (v->form == EC_FORM_FLAT && v->nnulls == 0)
		return v->values.i64;
	ec_build_ints(stream->reader, column, stream->block, stream->ints[column], NULL);
	return stream->ints[column];
}

static void
get_slots(EcSessionStream *stream)
{
	const EcVector *v = ec_reader_block(stream->reader, EC_SESSION_SLOT, stream->block);

	stream->no_time = v->nnulls > 0 ? stream->nulls : NULL;
	if (v->nnulls == 0)
		stream->slot_values = get_ints(stream, EC_SESSION_SLOT);
	else
	{
		stream->slot_values = stream->ints[EC_SESSION_SLOT];
		ec_build_ints(stream->reader, EC_SESSION_SLOT, stream->block, stream->ints[EC_SESSION_SLOT],
					  stream->nulls);
	}
}

static void
get_columns(EcSessionStream *stream, int want)
{
	if (stream->slot_values == NULL)
	{
		get_slots(stream);
		if (stream->want_tags)
			stream->tags = get_ints(stream, EC_SESSION_TAG);
	}
	if ((want & EC_SESSION_WANT_ROWS) != 0 && stream->rows == NULL)
		stream->rows = get_ints(stream, EC_SESSION_ROWS);
	if ((want & EC_SESSION_WANT_PURCHASES) != 0 && stream->purchases == NULL)
		stream->purchases = get_ints(stream, EC_SESSION_PURCHASES);
}

/* May the block (or the part) have a user not less than this one? */
static bool
reaches(EcSessionStream *stream, uint32 block, int64 user)
{
	EcZone zone;
	EcKind kind;
	int32 scale;

	return !ec_reader_zone(stream->reader, EC_SESSION_USER, block, &zone, &kind, &scale) ||
		   zone.max >= user;
}

/* The next block that reaches the user; false: the stream has ended. */
static bool
next_block(EcSessionStream *stream, int64 user)
{
	CHECK_FOR_INTERRUPTS();
	if (stream->in_part)
		stream->block++;
	for (;;)
	{
		if (!stream->in_part)
		{
			if (!ec_reader_next_group(stream->reader))
			{
				ec_session_stream_end(stream);
				return false;
			}
			stream->in_part = reaches(stream, EC_ZONE_CHUNK, user);
			stream->block = 0;
		}
		else if (stream->block == ec_reader_group(stream->reader)->nblocks)
			stream->in_part = false;
		else if (!reaches(stream, stream->block, user))
			stream->block++;
		else
			break;
	}
	stream->n = ec_reader_block_rows(stream->reader, stream->block);
	stream->users = get_ints(stream, EC_SESSION_USER);
	stream->slot_values = stream->rows = stream->purchases = NULL;
	stream->at = 0;
	return true;
}

/* ---- users ---- */

void
ec_session_stream_seek(EcSessionStream *stream, int64 user)
{
	uint32 step = 1;
	uint32 low;
	uint32 high;

	while (stream->reader != NULL && (stream->n == 0 || stream->users[stream->n - 1] < user))
	{
		if (!next_block(stream, user))
			return;
	}
	if (stream->reader == NULL || stream->users[stream->at] >= user)
		return;

	/* what is looked for is near, mostly */
	low = stream->at;
	while (low + step < stream->n && stream->users[low + step] < user)
	{
		low += step;
		step *= 2;
	}
	high = Min(low + step, stream->n - 1);
	while (high - low > 1)
	{
		uint32 middle = low + (high - low) / 2;

		if (stream->users[middle] < user)
			low = middle;
		else
			high = middle;
	}
	stream->at = high;
}

static void
make_room(EcSessionCells *cells)
{
	if (cells->n < cells->capacity)
		return;
	cells->capacity = Max(cells->capacity * 2, FEW_CELLS);
	cells->cells = cells->cells == NULL
					   ? MemoryContextAlloc(cells->context, sizeof(EcSessionCell) * cells->capacity)
					   : repalloc_huge(cells->cells, sizeof(EcSessionCell) * cells->capacity);
}

static void
take_cell(EcSessionStream *stream, EcSessionCells *cells, int want, uint32 i)
{
	bool no_time = stream->no_time != NULL && stream->no_time[i];
	EcSessionCell *cell;

	if (no_time ? !stream->slots.nulls
				: stream->slot_values[i] < stream->slots.min ||
					  stream->slot_values[i] > stream->slots.max)
		return;
	make_room(cells);
	cell = &cells->cells[cells->n++];
	cell->slot = stream->slot_values[i];
	cell->no_time = no_time;
	cell->tag = stream->want_tags ? stream->tags[i] : 0;
	cell->rows = want & EC_SESSION_WANT_ROWS ? stream->rows[i] : 1;
	cell->purchases = want & EC_SESSION_WANT_PURCHASES ? stream->purchases[i] : 0;
	cell->stream = stream->number;
}

void
ec_session_stream_take(EcSessionStream *stream, EcSessionCells *cells, int want)
{
	int64 user = stream->users[stream->at];

	do
	{
		get_columns(stream, want);
		while (stream->at < stream->n && stream->users[stream->at] == user)
			take_cell(stream, cells, want, stream->at++);
	} while (stream->at == stream->n && next_block(stream, PG_INT64_MIN) &&
			 stream->users[0] == user);
}
