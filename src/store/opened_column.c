/*
 * opened_column.c
 *	  Columns of an opened row group: single values, and rows by their number.
 *
 * Nothing is read before somebody asks for it.  A block is opened as a view, which
 * decodes no more than the row that is wanted; a dictionary is read by segments.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/opened_internal.h"
#include "store/page.h"

/* ------------------------------------------------------------------------
 * Bytes
 * ------------------------------------------------------------------------
 */

static const char *
column_name(EcOpenGroup *group, int attidx)
{
	if (attidx == group->tupdesc->natts)
		return "(row numbers)";
	return NameStr(TupleDescAttr(group->tupdesc, attidx)->attname);
}

/* The numbers stand behind the columns that the table had. */
static const EcDiskColumn *
disk_column(EcOpenGroup *group, int attidx)
{
	return &group->dir.columns[attidx == group->tupdesc->natts ? group->desc.natts : attidx];
}

typedef struct ReadingContext
{
	Relation rel;
	EcOpenGroup *group;
	int attidx; /* -1: the directory */
} ReadingContext;

static void
reading_context(void *arg)
{
	ReadingContext *context = arg;

	if (context->attidx < 0)
		errcontext("reading the directory of row group " INT64_FORMAT " of table \"%s\"",
				   context->group->desc.number, RelationGetRelationName(context->rel));
	else
		errcontext("reading column \"%s\" of row group " INT64_FORMAT " of table \"%s\"",
				   column_name(context->group, context->attidx), context->group->desc.number,
				   RelationGetRelationName(context->rel));
}

static void
read_image(Relation rel, EcOpenGroup *group, int attidx, uint64 offset, uint64 len, uint8 *out)
{
	const EcDescriptor *desc = &group->desc;
	ReadingContext context = {rel, group, attidx};
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = reading_context,
		.arg = &context,
	};

	if (offset + len < offset || offset + len > desc->image_len)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("row group " INT64_FORMAT
							   " of table \"%s\" is shorter than its directory says",
							   desc->number, RelationGetRelationName(rel))));
	if (desc->form != EC_FORM_EXTENT)
	{
		memcpy(out, desc->data + offset, len);
		return;
	}
	error_context_stack = &callback;
	ec_extent_read(rel, desc->first_block, desc->npages, offset, len, out, NULL);
	error_context_stack = callback.previous;
}

static void
check_status(Relation rel, EcOpenGroup *group, int attidx, uint32 block, EcStatus status)
{
	if (status == EC_OK)
		return;
	if (status == EC_ERR_NOMEM)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	ec_image_column_damaged(rel, EC_CATALOG_GROUP, group->desc.number, column_name(group, attidx),
							block, ec_status_text(status));
}

void
ec_opened_load_directory(Relation rel, EcOpenGroup *group)
{
	const EcDescriptor *desc = &group->desc;
	uint32 natts = desc->natts + (desc->numbered ? 1 : 0);
	uint8 *bytes = MemoryContextAlloc(group->context, Max(desc->image_dir_len, 1));

	if (desc->dir_len > 0)
		memcpy(bytes, desc->directory, Min(desc->dir_len, desc->image_dir_len));
	else
		read_image(rel, group, -1, 0, desc->image_dir_len, bytes);
	ec_directory_parse(rel, EC_CATALOG_GROUP, desc->number, bytes, desc->image_dir_len,
					   desc->image_len, &group->dir);
	if (group->dir.nrows != desc->nrows || group->dir.natts != natts)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("directory of row group " INT64_FORMAT
							   " of table \"%s\" contradicts its descriptor",
							   desc->number, RelationGetRelationName(rel))));
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

static void
const_column(EcOpenGroup *group, int attidx, OpenColumn *column)
{
	column->source = OPEN_WHOLE;
	column->kind = group->types[attidx].kind;
	column->scale = group->types[attidx].scale;
	column->whole.phys = group->types[attidx].phys;
	column->whole.form = EC_FORM_CONST;
	column->whole.nrows = column->whole.nnulls = group->desc.nrows;
}

/* The value that rows older than the column have. */
static void
missing_column(EcOpenGroup *group, int attidx, OpenColumn *column)
{
	bool isnull;
	Datum value = getmissingattr(group->tupdesc, attidx + 1, &isnull);
	EcVector v;

	const_column(group, attidx, column);
	if (isnull)
		return;
	if (group->rows == NULL)
		group->rows = ec_batch_create(group->tupdesc, group->context);
	ec_batch_append_datum(group->rows, attidx, value, false);
	ec_builder_view(group->rows->columns[attidx], &v);
	column->whole.phys = v.phys;
	column->whole.values = v.values;
	column->whole.nnulls = 0;
}

/* Row numbers are integers. */
static const EcColType number_type = {.kind = EC_KIND_INT};

static void
load_header(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column)
{
	const EcDiskColumn *disk = disk_column(group, attidx);
	uint8 *bytes = palloc(disk->header_len);

	read_image(rel, group, attidx, disk->offset, disk->header_len, bytes);
	check_status(rel, group, attidx, EC_IMAGE_CHUNK,
				 ec_chunk_parse(bytes, disk->header_len, &group->allocator, &column->chunk));
	ec_image_check_chunk(rel, EC_CATALOG_GROUP, group->desc.number, column_name(group, attidx),
						 group->desc.nrows,
						 attidx < group->tupdesc->natts ? &group->types[attidx] : &number_type,
						 disk, &column->chunk);
	pfree(bytes);
}

static void
chunk_column(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column)
{
	const EcDiskColumn *disk = disk_column(group, attidx);

	load_header(rel, group, attidx, column);
	column->kind = disk->kind;
	column->scale = disk->scale;
	column->blocks = MemoryContextAllocZero(
		group->context, (column->chunk.nblocks + column->chunk.nsegments) * sizeof(OpenPlace));
	column->segments = column->blocks + column->chunk.nblocks;
	column->source = OPEN_CHUNK;
}

static void
rows_column(EcOpenGroup *group, int attidx, OpenColumn *column)
{
	ec_builder_view(group->rows->columns[attidx], &column->whole);
	column->kind = group->types[attidx].kind;
	column->scale = group->types[attidx].scale;
	column->source = OPEN_WHOLE;
}

/* What a column is read from, decided with its first use. */
static OpenColumn *
get_column(Relation rel, EcOpenGroup *group, int attidx)
{
	OpenColumn *column = &group->columns[attidx];

	if (column->source != OPEN_UNKNOWN)
		return column;
	if (attidx < group->tupdesc->natts && TupleDescAttr(group->tupdesc, attidx)->attisdropped)
		const_column(group, attidx, column);
	else if (group->desc.form == EC_FORM_ROWS)
		rows_column(group, attidx, column);
	else if (attidx < group->tupdesc->natts && (uint32) attidx >= group->desc.natts)
		missing_column(group, attidx, column);
	else if (attidx < group->tupdesc->natts && disk_column(group, attidx)->len == 0)
		const_column(group, attidx, column);
	else
		chunk_column(rel, group, attidx, column);
	ec_opened_count_memory(group);
	return column;
}

/* ------------------------------------------------------------------------
 * Pieces
 * ------------------------------------------------------------------------
 */

/* A piece that is about to be opened: its stored bytes, and memory to decode them into. */
typedef struct Reading
{
	OpenPiece *piece;
	uint8 *bytes;
	uint8 *scratch;
} Reading;

static Reading
read_piece(Relation rel, EcOpenGroup *group, int attidx, OpenPlace *place, const EcPiece *stored,
		   Size scratch_len)
{
	Size head = TYPEALIGN(EC_OPENED_ALIGN, sizeof(OpenPiece));
	Size len = TYPEALIGN(EC_OPENED_ALIGN, stored->len);
	OpenPiece *piece = ec_opened_ring_take(head + len + scratch_len);
	Reading reading;
	void *memory = NULL;

	if (piece != NULL)
		reading.bytes = (uint8 *) piece + head;
	else
	{
		piece = MemoryContextAlloc(group->context, sizeof(OpenPiece));
		memory = MemoryContextAllocHuge(group->context, len + scratch_len + EC_OPENED_ALIGN);
		reading.bytes = (uint8 *) TYPEALIGN(EC_OPENED_ALIGN, memory);
	}
	reading.piece = piece;
	reading.scratch = reading.bytes + len;
	piece->memory = memory;
	piece->used.group = group;
	piece->used.place = place;
	read_image(rel, group, attidx, disk_column(group, attidx)->offset + stored->offset, stored->len,
			   reading.bytes);
	piece->used.again = ec_opened_ring_count(place, stored->len + scratch_len);
	return reading;
}

static OpenPiece *
add_piece(OpenPiece *piece)
{
	if (piece->memory == NULL)
		ec_opened_ring_add(piece);
	else
		ec_opened_keep(piece);
	return piece;
}

static OpenPiece *
read_block(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column, uint32 number)
{
	Size scratch_len = ec_view_scratch(&column->chunk, number);
	Reading reading = read_piece(rel, group, attidx, &column->blocks[number],
								 &column->chunk.blocks[number].piece, scratch_len);

	check_status(rel, group, attidx, number,
				 ec_view_open(ec_opened_decoder(), &column->chunk, number, reading.bytes,
							  reading.scratch, scratch_len, &reading.piece->view));
	return add_piece(reading.piece);
}

static OpenPiece *
read_segment(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column, uint32 number)
{
	const EcPiece *stored = &column->chunk.segments[number];
	Reading reading =
		read_piece(rel, group, attidx, &column->segments[number], stored, stored->scratch);

	check_status(rel, group, attidx, EC_IMAGE_CHUNK,
				 ec_view_open_segment(ec_opened_decoder(), &column->chunk, number, reading.bytes,
									  reading.scratch, stored->scratch, &reading.piece->view));
	return add_piece(reading.piece);
}

static OpenPiece *
get_block(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column, uint32 number)
{
	OpenPiece *piece = column->blocks[number].piece;

	if (piece == NULL)
		return read_block(rel, group, attidx, column, number);
	piece->used.again = true;
	return piece;
}

static OpenPiece *
get_segment(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column, uint32 number)
{
	OpenPiece *piece = column->segments[number].piece;

	if (piece == NULL)
		return read_segment(rel, group, attidx, column, number);
	piece->used.again = true;
	return piece;
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

static Datum
vector_datum(EcOpenGroup *group, int attidx, const EcVector *v, uint32 row)
{
	const OpenColumn *column = &group->columns[attidx];

	return ec_datum_from_vector(v, row, &group->types[attidx], column->kind, column->scale);
}

/* A value that a view has given. */
static Datum
point_datum(EcOpenGroup *group, int attidx, EcPhys phys, const EcPoint *point)
{
	EcVector v = {.phys = phys, .form = EC_FORM_CONST, .nrows = 1};

	v.values.any = &point->value;
	return vector_datum(group, attidx, &v, 0);
}

/* The value is a copy, so the piece may go. */
static Datum
piece_datum(EcOpenGroup *group, int attidx, OpenPiece *piece, const EcPoint *point)
{
	EcPhys phys = piece->view.phys;
	Datum value = point_datum(group, attidx, phys, point);

	if (phys == EC_PHYS_BYTES)
		ec_opened_read_from(piece, point->value.bytes.len);
	return value;
}

static Datum
entry_datum(Relation rel, EcOpenGroup *group, int attidx, uint32 code)
{
	OpenColumn *column = &group->columns[attidx];
	uint32 segment = code / column->chunk.segment_entries;
	OpenPiece *entries;
	EcPoint point;

	if (code >= column->chunk.ndict)
		ec_image_column_damaged(rel, EC_CATALOG_GROUP, group->desc.number,
								column_name(group, attidx), EC_IMAGE_CHUNK,
								"a row has no entry in the dictionary");
	entries = get_segment(rel, group, attidx, column, segment);
	check_status(rel, group, attidx, EC_IMAGE_CHUNK,
				 ec_view_get(&entries->view, code % column->chunk.segment_entries, &point));
	return piece_datum(group, attidx, entries, &point);
}

static Datum
chunk_datum(Relation rel, EcOpenGroup *group, int attidx, uint32 row, bool *isnull)
{
	OpenColumn *column = &group->columns[attidx];
	uint32 number = row / EC_BLOCK_ROWS;
	OpenPiece *block = get_block(rel, group, attidx, column, number);
	EcPoint point;

	check_status(rel, group, attidx, number,
				 ec_view_get(&block->view, row % EC_BLOCK_ROWS, &point));
	*isnull = point.isnull;
	if (point.isnull)
		return (Datum) 0;
	if (point.in_dict)
		return entry_datum(rel, group, attidx, point.code);
	return piece_datum(group, attidx, block, &point);
}

static Datum
column_datum(Relation rel, EcOpenGroup *group, int attidx, uint32 row, bool *isnull)
{
	OpenColumn *column = get_column(rel, group, attidx);

	if (column->source == OPEN_CHUNK)
		return chunk_datum(rel, group, attidx, row, isnull);
	*isnull = ec_vector_is_null(&column->whole, row);
	return *isnull ? (Datum) 0 : vector_datum(group, attidx, &column->whole, row);
}

void
ec_opened_read(Relation rel, EcOpenGroup *group, uint32 row, int first, int end, const bool *wanted,
			   Datum *values, bool *isnull)
{
	Assert(row < group->desc.nrows && end <= group->tupdesc->natts);
	for (int i = first; i < end; i++)
	{
		values[i] = (Datum) 0;
		isnull[i] = true;
		if (wanted == NULL || wanted[i])
			values[i] = column_datum(rel, group, i, row, &isnull[i]);
	}
}

/* ------------------------------------------------------------------------
 * Rows by number
 * ------------------------------------------------------------------------
 */

static void
numbers_damaged(Relation rel, EcOpenGroup *group, const char *what)
{
	ec_image_column_damaged(rel, EC_CATALOG_GROUP, group->desc.number, "(row numbers)",
							EC_IMAGE_CHUNK, what);
}

static int64
number_of_row(Relation rel, EcOpenGroup *group, OpenColumn *column, uint32 row)
{
	int attidx = group->tupdesc->natts;
	OpenPiece *block = get_block(rel, group, attidx, column, row / EC_BLOCK_ROWS);
	EcPoint point;

	check_status(rel, group, attidx, row / EC_BLOCK_ROWS,
				 ec_view_get(&block->view, row % EC_BLOCK_ROWS, &point));
	if (point.isnull || point.in_dict)
		numbers_damaged(rel, group, "there is none");
	return point.value.i64;
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const int64 *numbers = arg;
	int64 x = numbers[*(const uint32 *) a];
	int64 y = numbers[*(const uint32 *) b];

	return x < y ? -1 : x > y;
}

/* Sorts the rows by their numbers, unless they are. */
static void
load_numbers(Relation rel, EcOpenGroup *group, OpenColumn *column)
{
	const EcDiskRange *range = &group->desc.ranges[0];
	uint32 nrows = group->desc.nrows;
	int64 *numbers = MemoryContextAllocHuge(CurrentMemoryContext, nrows * sizeof(int64));
	bool ascending = true;

	for (uint32 row = 0; row < nrows; row++)
	{
		numbers[row] = number_of_row(rel, group, column, row);
		if (numbers[row] < range->first || numbers[row] >= range->first + range->count)
			numbers_damaged(rel, group, "a number is out of range");
		ascending = ascending && (row == 0 || numbers[row - 1] < numbers[row]);
	}
	if (!ascending)
	{
		group->by_number = MemoryContextAllocHuge(group->context, nrows * sizeof(uint32));
		for (uint32 row = 0; row < nrows; row++)
			group->by_number[row] = row;
		qsort_arg(group->by_number, nrows, sizeof(uint32), compare_rows, numbers);
	}
	group->numbers_known = true;
	pfree(numbers);
	ec_opened_count_memory(group);
}

bool
ec_opened_find(Relation rel, EcOpenGroup *group, int64 number, uint32 *row)
{
	OpenColumn *column = get_column(rel, group, group->tupdesc->natts);
	uint32 low = 0;
	uint32 high = group->desc.nrows;

	Assert(group->desc.numbered);
	if (!group->numbers_known)
		load_numbers(rel, group, column);
	while (low < high)
	{
		uint32 middle = low + (high - low) / 2;
		int64 found;

		*row = group->by_number != NULL ? group->by_number[middle] : middle;
		found = number_of_row(rel, group, column, *row);
		if (found == number)
			return true;
		if (found < number)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
