/*
 * reader_column.c
 *	  Columns of the reader's current row group: headers, dictionaries, blocks.
 *
 * Nothing is read before somebody asks for it, and then only the pieces needed.
 * Memory for stored bytes and for decoding is kept with each column and used
 * again; dictionaries live as long as the group.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/reader_internal.h"

#define BUFFER_ALIGN 16

/* Tells dictionaries apart, within this process. */
static uint64 last_dict_serial = 0;

const char *
ec_reader_column_name(EcReader *reader, int attidx)
{
	if (attidx == reader->tupdesc->natts)
		return "(row numbers)";
	return NameStr(TupleDescAttr(reader->tupdesc, attidx)->attname);
}

/* What the directory says of a column; row numbers stand behind all others. */
static const EcDiskColumn *
disk_column(EcReader *reader, int attidx)
{
	return &reader->dir
				.columns[attidx == reader->tupdesc->natts ? (int) reader->desc->natts : attidx];
}

static void
column_damaged(EcReader *reader, int attidx, uint32 block, const char *what)
{
	ec_image_column_damaged(reader->rel, reader->list->kind, reader->info.number,
							ec_reader_column_name(reader, attidx), block, what);
}

static void
check_status(EcReader *reader, int attidx, uint32 block, EcStatus status)
{
	if (status == EC_OK)
		return;
	if (status == EC_ERR_NOMEM)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));

	/* EC_ERR_VERSION is damage too: a newer chunk would stand in a newer row group */
	column_damaged(reader, attidx, block, ec_status_text(status));
}

void
ec_reader_reserve(MemoryContext context, EcReaderBuffer *buffer, Size size)
{
	if (size <= buffer->size)
		return;
	if (buffer->base != NULL)
		pfree(buffer->base);
	memset(buffer, 0, sizeof(*buffer));
	size = Max(size, 1024);
	buffer->base = MemoryContextAllocHuge(context, size + BUFFER_ALIGN);
	buffer->data = (uint8 *) TYPEALIGN(BUFFER_ALIGN, buffer->base);
	buffer->size = size;
}

/* ------------------------------------------------------------------------
 * Columns without a chunk
 * ------------------------------------------------------------------------
 */

static void
const_null(EcReader *reader, int attidx, EcReaderColumn *column)
{
	column->source = EC_COLUMN_CONST;
	column->kind = reader->types[attidx].kind;
	column->scale = reader->types[attidx].scale;
	column->whole.phys = reader->types[attidx].phys;
	column->whole.form = EC_FORM_CONST;
	column->whole.nrows = column->whole.nnulls = reader->info.nrows;
}

/* The value that rows older than the column have (ALTER TABLE ADD COLUMN ... DEFAULT). */
static void
const_missing(EcReader *reader, int attidx, EcReaderColumn *column)
{
	bool isnull;
	Datum value = getmissingattr(reader->tupdesc, attidx + 1, &isnull);
	EcVector v;

	const_null(reader, attidx, column);
	if (isnull)
		return;
	if (reader->missing == NULL)
		reader->missing = ec_batch_create(reader->tupdesc, reader->context);
	if (ec_builder_rows(reader->missing->columns[attidx]) == 0)
		ec_batch_append_datum(reader->missing, attidx, value, false);
	ec_builder_view(reader->missing->columns[attidx], &v);
	column->whole.phys = v.phys;
	column->whole.values = v.values;
	column->whole.nnulls = 0;
}

/* ------------------------------------------------------------------------
 * Choosing the source
 * ------------------------------------------------------------------------
 */

static void
rows_column(EcReader *reader, int attidx, EcReaderColumn *column)
{
	column->kind = reader->types[attidx].kind;
	column->scale = reader->types[attidx].scale;
	ec_run_column(reader, attidx, &column->whole);
	column->source = EC_COLUMN_ROWS;
	if (column->whole.form == EC_FORM_DICT)
		column->whole.dict_serial = ++last_dict_serial;
}

static void
numbers_column(EcReader *reader, EcReaderColumn *column)
{
	const EcDiskColumn *disk;

	ec_reader_load_directory(reader);
	disk = disk_column(reader, reader->tupdesc->natts);
	if (disk->len == 0 || disk->kind != EC_KIND_INT)
		column_damaged(reader, reader->tupdesc->natts, EC_ZONE_CHUNK, "there are none");
	column->source = EC_COLUMN_CHUNK;
	column->kind = disk->kind;
}

static EcReaderColumn *
get_column(EcReader *reader, int attidx)
{
	EcReaderColumn *column = &reader->columns[attidx];
	const EcDiskColumn *disk;

	Assert(reader->current >= 0);
	Assert(attidx >= 0 && attidx <= reader->tupdesc->natts);
	if (column->source != EC_COLUMN_UNKNOWN)
		return column;
	if (attidx == reader->tupdesc->natts)
	{
		numbers_column(reader, column);
		return column;
	}
	if (TupleDescAttr(reader->tupdesc, attidx)->attisdropped)
	{
		const_null(reader, attidx, column);
		return column;
	}
	if (reader->run != NULL)
	{
		rows_column(reader, attidx, column);
		return column;
	}
	ec_reader_load_directory(reader);
	if ((uint32) attidx >= reader->desc->natts)
	{
		const_missing(reader, attidx, column);
		return column;
	}
	disk = disk_column(reader, attidx);
	if (disk->len == 0)
	{
		const_null(reader, attidx, column);
		return column;
	}
	column->source = EC_COLUMN_CHUNK;
	column->kind = disk->kind;
	column->scale = disk->scale;
	return column;
}

/* ------------------------------------------------------------------------
 * Chunks
 * ------------------------------------------------------------------------
 */

static void
load_header(EcReader *reader, int attidx, EcReaderColumn *column)
{
	const EcDiskColumn *disk = disk_column(reader, attidx);

	if (column->header_loaded)
		return;
	ec_reader_reserve(reader->context, &column->bytes, disk->header_len);
	ec_reader_image_bytes(reader, attidx, disk->offset, disk->header_len, column->bytes.data);
	check_status(reader, attidx, EC_ZONE_CHUNK,
				 ec_chunk_parse(column->bytes.data, disk->header_len, &reader->group_allocator,
								&column->chunk));
	ec_image_check_chunk(reader->rel, reader->list->kind, reader->info.number,
						 ec_reader_column_name(reader, attidx), reader->info.nrows,
						 attidx == reader->tupdesc->natts ? &reader->number_type
														  : &reader->types[attidx],
						 disk, &column->chunk);
	column->header_loaded = true;
}

/* Reads the stored bytes of a piece; the chunk's header vouches for offset and length. */
static void
read_piece(EcReader *reader, int attidx, const EcPiece *piece, uint8 *out)
{
	ec_reader_image_bytes(reader, attidx, disk_column(reader, attidx)->offset + piece->offset,
						  piece->len, out);
}

static void
load_dict(EcReader *reader, int attidx, EcReaderColumn *column)
{
	EcReaderBuffer bytes = {0};
	EcReaderBuffer scratch = {0};
	const EcPiece *piece = &column->chunk.dict;

	if (column->dict_loaded)
		return;
	if (column->chunk.ndict > 0)
	{
		ec_reader_reserve(reader->group_context, &bytes, piece->len);
		ec_reader_reserve(reader->group_context, &scratch, piece->scratch);
		read_piece(reader, attidx, piece, bytes.data);
		check_status(reader, attidx, EC_ZONE_CHUNK,
					 ec_dict_decode(reader->decoder, &column->chunk, bytes.data, scratch.data,
									piece->scratch, &column->dict));
		column->dict_serial = ++last_dict_serial;
	}
	column->dict_loaded = true;
}

static void
load_block(EcReader *reader, int attidx, EcReaderColumn *column, uint32 block)
{
	const EcPiece *piece;
	bool has_dict;

	load_header(reader, attidx, column);
	load_dict(reader, attidx, column);
	has_dict = column->chunk.ndict > 0;
	piece = &column->chunk.blocks[block].piece;
	ec_reader_reserve(reader->context, &column->bytes, piece->len);
	ec_reader_reserve(reader->context, &column->scratch, piece->scratch);
	read_piece(reader, attidx, piece, column->bytes.data);
	column->block_number = EC_ZONE_CHUNK;
	check_status(reader, attidx, block,
				 ec_block_decode(reader->decoder, &column->chunk, block, column->bytes.data,
								 has_dict ? &column->dict : NULL, column->scratch.data,
								 piece->scratch, &column->block));
	if (column->block.nrows != column->chunk.blocks[block].zone.nrows)
		column_damaged(reader, attidx, block, "it has a wrong number of rows");
	if (column->block.form == EC_FORM_DICT && has_dict &&
		column->block.values.any == column->dict.values.any)
		column->block.dict_serial = column->dict_serial;
	column->block_number = block;
	reader->stats.blocks_read++;
}

/* ------------------------------------------------------------------------
 * Blocks of columns held as a whole
 * ------------------------------------------------------------------------
 */

static uint32
count_valid(const uint64_t *validity, uint32 nrows)
{
	uint32 valid = 0;

	for (uint32 i = 0; i < nrows / 64; i++)
		valid += __builtin_popcountll(validity[i]);
	if (nrows % 64 != 0)
		valid +=
			__builtin_popcountll(validity[nrows / 64] & ((UINT64CONST(1) << (nrows % 64)) - 1));
	return valid;
}

static Size
value_size(EcPhys phys)
{
	if (phys == EC_PHYS_INT64)
		return sizeof(int64);
	return phys == EC_PHYS_BYTES ? sizeof(EcBytes) : sizeof(EcUuid);
}

/* Rows [start, start + nrows) of a vector; start is a multiple of 64. */
static void
slice(const EcVector *whole, uint32 start, uint32 nrows, EcVector *out)
{
	*out = *whole;
	out->nrows = nrows;
	if (whole->form == EC_FORM_CONST)
	{
		out->nnulls = whole->nnulls > 0 ? nrows : 0;
		return;
	}
	if (whole->form == EC_FORM_FLAT)
		out->values.any = (const char *) whole->values.any + start * value_size(whole->phys);
	else
		out->codes = whole->codes + start;
	if (whole->nnulls > 0)
	{
		out->validity = whole->validity + start / 64;
		out->nnulls = nrows - count_valid(out->validity, nrows);
		if (out->nnulls == 0)
			out->validity = NULL;
	}
}

/* ------------------------------------------------------------------------
 * Interface
 * ------------------------------------------------------------------------
 */

void
ec_reader_reset_columns(EcReader *reader)
{
	for (int i = 0; i <= reader->tupdesc->natts; i++)
	{
		EcReaderColumn *column = &reader->columns[i];
		EcReaderBuffer bytes = column->bytes;
		EcReaderBuffer scratch = column->scratch;

		memset(column, 0, sizeof(*column));
		column->block_number = EC_ZONE_CHUNK;
		column->bytes = bytes;
		column->scratch = scratch;
	}
}

const EcVector *
ec_reader_block(EcReader *reader, int attidx, uint32 block)
{
	EcReaderColumn *column = get_column(reader, attidx);

	Assert(block < reader->info.nblocks);
	if (column->block_number == block)
		return &column->block;
	if (!reader->counted)
	{
		reader->counted = true;
		reader->stats.groups_read++;
	}
	if (column->source == EC_COLUMN_CHUNK)
		load_block(reader, attidx, column, block);
	else
	{
		slice(&column->whole, block * EC_BLOCK_ROWS, ec_reader_block_rows(reader, block),
			  &column->block);
		column->block_number = block;
	}
	return &column->block;
}

/* Opens a block for single rows. */
static void
open_view(EcReader *reader, int attidx, EcReaderColumn *column, uint32 block, EcView *view)
{
	const EcPiece *piece;
	uint64 scratch;

	load_header(reader, attidx, column);
	load_dict(reader, attidx, column);
	piece = &column->chunk.blocks[block].piece;
	scratch = ec_view_scratch(&column->chunk, block);
	column->block_number = EC_ZONE_CHUNK;
	ec_reader_reserve(reader->context, &column->bytes, piece->len);
	ec_reader_reserve(reader->context, &column->scratch, scratch);
	read_piece(reader, attidx, piece, column->bytes.data);
	check_status(reader, attidx, block,
				 ec_view_open(reader->decoder, &column->chunk, block, column->bytes.data,
							  column->scratch.data, scratch, view));
}

void
ec_reader_pick_ints(EcReader *reader, int attidx, uint32 block, const uint32 *rows, uint32 n,
					int64 *values)
{
	EcReaderColumn *column = get_column(reader, attidx);
	EcView view;

	Assert(block < reader->info.nblocks);
	if (column->source != EC_COLUMN_CHUNK || column->block_number == block)
	{
		const EcVector *v = ec_reader_block(reader, attidx, block);

		for (uint32 i = 0; i < n; i++)
			values[i] = ec_vector_int64(v, rows[i]);
		return;
	}
	open_view(reader, attidx, column, block, &view);
	for (uint32 i = 0; i < n; i++)
	{
		EcPoint point;

		check_status(reader, attidx, block, ec_view_get(&view, rows[i], &point));
		if (point.isnull || view.phys != EC_PHYS_INT64 ||
			(point.in_dict && point.code >= column->dict.nrows))
			column_damaged(reader, attidx, block, "it has NULLs, or is not of integers");
		values[i] = point.in_dict ? column->dict.values.i64[point.code] : point.value.i64;
	}
}

const EcVector *
ec_reader_number_block(EcReader *reader, uint32 block)
{
	return ec_reader_block(reader, reader->tupdesc->natts, block);
}

const EcChunk *
ec_reader_chunk(EcReader *reader, int attidx)
{
	EcReaderColumn *column = get_column(reader, attidx);

	if (column->source != EC_COLUMN_CHUNK)
		return NULL;
	load_header(reader, attidx, column);
	return &column->chunk;
}

const EcVector *
ec_reader_dict(EcReader *reader, int attidx)
{
	EcReaderColumn *column = get_column(reader, attidx);

	if (column->source != EC_COLUMN_CHUNK)
		return NULL;
	load_header(reader, attidx, column);
	load_dict(reader, attidx, column);
	return column->chunk.ndict > 0 ? &column->dict : NULL;
}

EcKind
ec_reader_kind(EcReader *reader, int attidx, int32 *scale)
{
	EcReaderColumn *column = get_column(reader, attidx);

	*scale = column->scale;
	return column->kind;
}

static bool
zone_of_whole(const EcReaderColumn *column, EcZone *zone)
{
	zone->nnulls = column->source == EC_COLUMN_CONST && column->whole.nnulls > 0 ? zone->nrows : 0;
	return false;
}

static bool
zone_of_chunk(EcReader *reader, int attidx, EcReaderColumn *column, uint32 block, EcZone *zone)
{
	const EcDiskColumn *disk = disk_column(reader, attidx);

	if (block == EC_ZONE_CHUNK)
	{
		zone->min = disk->min;
		zone->max = disk->max;
		zone->nnulls = disk->nnulls;
	}
	else
	{
		load_header(reader, attidx, column);
		*zone = column->chunk.blocks[block].zone;
	}

	/* a type exchanged without rewrite may order the same bytes differently */
	return (disk->flags & EC_COLUMN_HAS_ZONE) != 0 && zone->nnulls < zone->nrows &&
		   (disk->typid == reader->types[attidx].typid || disk->kind == EC_KIND_DECIMAL ||
			disk->kind == EC_KIND_TEXT);
}

bool
ec_reader_zone(EcReader *reader, int attidx, uint32 block, EcZone *zone, EcKind *kind, int32 *scale)
{
	EcReaderColumn *column = get_column(reader, attidx);

	*kind = column->kind;
	*scale = column->scale;
	memset(zone, 0, sizeof(*zone));
	zone->nrows = block == EC_ZONE_CHUNK ? reader->info.nrows : ec_reader_block_rows(reader, block);
	if (column->source != EC_COLUMN_CHUNK)
		return zone_of_whole(column, zone);
	return zone_of_chunk(reader, attidx, column, block, zone);
}
