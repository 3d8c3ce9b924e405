/*
 * image.c
 *	  Builds images and row lists from batches, and reads back what needs no pages.
 *
 * Nothing here touches shared state: memory in, memory out.
 */
#include "postgres.h"

#include <xxhash.h>

#include "access/htup_details.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/helpers.h"
#include "store/image.h"

#define CHECKSUM_START offsetof(EcDiskDirectory, version)

/* More rows than these are better encoded than kept as tuples. */
#define INLINE_ROWS_MAX 512

/* ------------------------------------------------------------------------
 * Encoders and decoders; all their memory is a context's, so nothing destroys them
 * ------------------------------------------------------------------------
 */

static void
out_of_memory(void)
{
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
					errdetail("Failed while creating a compression context.")));
}

/*
 * The encoder and the buffer for its result are kept to the end of the transaction: fresh
 * memory for each row group would cost as much time as some encodings do.
 */
typedef struct Workshop
{
	MemoryContext context;
	EcAllocator allocator;
	EcEncoder *encoder;
	EcBuf image;
	bool busy; /* still set when the next one comes: an error left it as it was */
} Workshop;

/* More than this isn't kept. */
#define WORKSHOP_MAX ((Size) 48 * 1024 * 1024)

static Workshop *workshop;

static void
forget_workshop(void *arg)
{
	workshop = NULL;
}

static Workshop *
create_workshop(void)
{
	MemoryContext context =
		AllocSetContextCreate(TopTransactionContext, "ecinsight encoder", ALLOCSET_DEFAULT_SIZES);
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	Workshop *w = MemoryContextAllocZero(context, sizeof(Workshop));

	callback->func = forget_workshop;
	callback->arg = NULL;
	MemoryContextRegisterResetCallback(context, callback);
	w->context = context;
	w->allocator = ec_context_allocator(context);
	w->image.alloc = &w->allocator;
	w->encoder = ec_encoder_create(&w->allocator);
	if (w->encoder == NULL)
		out_of_memory();
	return w;
}

static Workshop *
get_workshop(void)
{
	if (workshop != NULL && workshop->busy)
		MemoryContextDelete(workshop->context);
	if (workshop == NULL)
		workshop = create_workshop();
	return workshop;
}

EcBuf *
ec_image_buffer(void)
{
	Workshop *w = get_workshop();

	w->image.len = 0;
	return &w->image;
}

void
ec_image_done(void)
{
	if (workshop != NULL && MemoryContextMemAllocated(workshop->context, true) > WORKSHOP_MAX)
		MemoryContextDelete(workshop->context);
}

EcDecoder *
ec_image_decoder(MemoryContext context)
{
	EcAllocator allocator = ec_context_allocator(context);
	EcDecoder *decoder = ec_decoder_create(&allocator);

	if (decoder == NULL)
		out_of_memory();
	return decoder;
}

/* ------------------------------------------------------------------------
 * Images
 * ------------------------------------------------------------------------
 */

static void
encode_failed(Relation rel, EcCatalogKind kind, int attidx, EcStatus status)
{
	if (kind == EC_CATALOG_SUMMARY)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("cannot encode column %d of a summary of table \"%s\": %s",
							   attidx + 1, RelationGetRelationName(rel), ec_status_text(status))));
	ereport(
		ERROR,
		(errcode(status == EC_ERR_LIMIT	  ? ERRCODE_PROGRAM_LIMIT_EXCEEDED
				 : status == EC_ERR_NOMEM ? ERRCODE_OUT_OF_MEMORY
										  : ERRCODE_INTERNAL_ERROR),
		 errmsg("cannot encode column \"%s\" of table \"%s\": %s",
				NameStr(TupleDescAttr(RelationGetDescr(rel), attidx)->attname),
				RelationGetRelationName(rel), ec_status_text(status)),
		 status == EC_ERR_LIMIT
			 ? errhint(
				   "Reduce the option row_group_rows of the table, or ecinsight.row_group_rows.")
			 : 0));
}

typedef struct ImageBuild
{
	Relation rel;
	EcCatalogKind kind;
	EcEncoder *encoder;
	EcBatch *batch;
	EcCodec codec;
	int level;
	EcBuf *out;
	const EcTeamColumn *done; /* NULL: nobody helps */
} ImageBuild;

/* The directory entry of a chunk that stands at the end of out; attidx is for messages. */
static void
describe_chunk(const ImageBuild *b, int attidx, EcDiskColumn *column)
{
	EcStatus status;
	EcChunk chunk;

	column->len = b->out->len - column->offset;
	status = ec_chunk_parse(b->out->data + column->offset, column->header_len, &b->batch->allocator,
							&chunk);
	if (status != EC_OK)
		encode_failed(b->rel, b->kind, attidx, status);
	column->phys = chunk.phys;
	column->nnulls = chunk.zone.nnulls;
	column->min = chunk.zone.min;
	column->max = chunk.zone.max;
	column->flags = EC_COLUMN_HAS_ZONE;
	if (chunk.blocks != NULL)
		pfree(chunk.blocks);
}

/* Encodes values behind what out has. */
static void
build_chunk(const ImageBuild *b, int attidx, const EcVector *v, EcDiskColumn *column)
{
	EcEncodeOptions opts = {b->codec, b->level, column->kind, column->scale};
	EcStatus status;

	column->offset = b->out->len;
	status = ec_chunk_encode(b->encoder, v, &opts, b->out, &column->header_len);
	if (status != EC_OK)
		encode_failed(b->rel, b->kind, attidx, status);
	describe_chunk(b, attidx, column);
}

/* The same for one that helpers have encoded. */
static void
take_chunk(const ImageBuild *b, int attidx, const EcTeamColumn *done, EcDiskColumn *column)
{
	if (done->vector.nrows == 0)
		return;
	if (done->status != EC_OK)
		encode_failed(b->rel, b->kind, attidx, done->status);
	column->offset = b->out->len;
	column->header_len = done->header_len;
	ec_buf_append(b->out, ec_helpers_chunk(done), done->len);
	describe_chunk(b, attidx, column);
}

/* Encodes one column of the table and fills its directory entry. */
static void
build_column(const ImageBuild *b, int attidx, EcDiskColumn *column)
{
	const EcColType *ct = &b->batch->types[attidx];
	EcVector v;

	memset(column, 0, sizeof(*column));
	column->typid = ct->typid;
	column->kind = ct->kind;
	column->phys = ct->phys;
	column->scale = ct->scale;
	column->nnulls = b->batch->nrows;
	if (b->batch->columns[attidx] == NULL)
		return;
	if (b->done != NULL)
	{
		take_chunk(b, attidx, &b->done[attidx], column);
		return;
	}
	ec_builder_view(b->batch->columns[attidx], &v);
	if (v.nnulls < v.nrows)
		build_chunk(b, attidx, &v, column);
}

static void
build_numbers(const ImageBuild *b, const int64 *numbers, EcDiskColumn *column)
{
	EcVector v = {
		.phys = EC_PHYS_INT64,
		.form = EC_FORM_FLAT,
		.nrows = b->batch->nrows,
		.values.i64 = numbers,
	};

	memset(column, 0, sizeof(*column));
	column->typid = INT8OID;
	column->kind = EC_KIND_INT;
	column->phys = EC_PHYS_INT64;
	build_chunk(b, 0, &v, column);
}

static uint32
directory_checksum(const uint8 *bytes, Size len)
{
	return (uint32) XXH3_64bits(bytes + CHECKSUM_START, len - CHECKSUM_START);
}

uint32
ec_image_build(Relation rel, EcCatalogKind kind, EcBatch *batch, const int64 *numbers,
			   EcCodec codec, int level, MemoryContext context, EcBuf *out)
{
	Workshop *w = get_workshop();
	ImageBuild b = {rel, kind, w->encoder, batch, codec, level, out, NULL};
	uint32 natts = batch->natts + (numbers != NULL ? 1 : 0);
	uint32 dir_len = sizeof(EcDiskDirectory) + natts * sizeof(EcDiskColumn);
	EcDiskColumn *columns = MemoryContextAlloc(context, Max(natts, 1) * sizeof(EcDiskColumn));
	EcDiskDirectory directory = {
		.magic = EC_DIRECTORY_MAGIC,
		.version = EC_FORMAT_VERSION,
		.natts = natts,
		.nrows = batch->nrows,
	};

	Assert(out->len == 0);
	w->busy = true;
	ec_buf_reserve(out, dir_len);
	out->len = dir_len;
	if (ec_helpers_have(batch, codec, level) || ec_helpers_begin(batch, codec, level))
		b.done = ec_helpers_finish();
	for (int i = 0; i < batch->natts; i++)
	{
		CHECK_FOR_INTERRUPTS();
		build_column(&b, i, &columns[i]);
	}
	if (b.done != NULL)
		ec_helpers_done();
	if (numbers != NULL)
		build_numbers(&b, numbers, &columns[batch->natts]);
	memcpy(out->data + sizeof(directory), columns, natts * sizeof(EcDiskColumn));
	memcpy(out->data, &directory, sizeof(directory));
	directory.checksum = directory_checksum(out->data, dir_len);
	memcpy(out->data, &directory, sizeof(directory));
	w->busy = false;
	return dir_len;
}

static void
directory_damaged(Relation rel, EcCatalogKind kind, int64 number, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("directory of %s " INT64_FORMAT " of table \"%s\" is damaged",
						   ec_catalog_noun(kind), number, RelationGetRelationName(rel)),
					errdetail_internal("%s", what)));
}

void
ec_directory_parse(Relation rel, EcCatalogKind kind, int64 number, const uint8 *bytes, Size len,
				   uint64 image_len, EcDirectory *dir)
{
	EcDiskDirectory disk;

	if (len < sizeof(disk))
		directory_damaged(rel, kind, number, "It is too short.");
	memcpy(&disk, bytes, sizeof(disk));
	if (disk.magic != EC_DIRECTORY_MAGIC || disk.checksum != directory_checksum(bytes, len))
		directory_damaged(rel, kind, number, "Its checksum is wrong.");
	if (disk.natts > MaxAttrNumber || len != sizeof(disk) + disk.natts * sizeof(EcDiskColumn) ||
		disk.nrows == 0 || disk.nrows > EC_GROUP_ROWS_MAX)
		directory_damaged(rel, kind, number, "Its numbers are impossible.");
	dir->natts = disk.natts;
	dir->nrows = disk.nrows;
	dir->columns = (const EcDiskColumn *) (bytes + sizeof(disk));
	for (uint32 i = 0; i < dir->natts; i++)
	{
		const EcDiskColumn *column = &dir->columns[i];

		if (column->len > image_len || column->offset > image_len - column->len ||
			column->header_len > column->len || column->nnulls > disk.nrows)
			directory_damaged(rel, kind, number, "A column lies outside of its image.");
	}
}

/* ------------------------------------------------------------------------
 * Chunks
 * ------------------------------------------------------------------------
 */

void
ec_image_column_damaged(Relation rel, EcCatalogKind kind, int64 number, const char *column,
						uint32 block, const char *what)
{
	if (block == EC_IMAGE_CHUNK)
		ereport(
			ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("column \"%s\" of %s " INT64_FORMAT " of table \"%s\" is damaged: %s", column,
					ec_catalog_noun(kind), number, RelationGetRelationName(rel), what)));
	ereport(
		ERROR,
		(errcode(ERRCODE_DATA_CORRUPTED),
		 errmsg("block %u of column \"%s\" of %s " INT64_FORMAT " of table \"%s\" is damaged: %s",
				block, column, ec_catalog_noun(kind), number, RelationGetRelationName(rel), what)));
}

void
ec_image_check_chunk(Relation rel, EcCatalogKind kind, int64 number, const char *column,
					 uint32 nrows, const EcColType *type, const EcDiskColumn *disk,
					 const EcChunk *chunk)
{
	bool type_ok = true;

	if (chunk->total_len != disk->len || chunk->zone.nrows != nrows || chunk->kind != disk->kind ||
		chunk->phys != disk->phys || chunk->scale != disk->scale)
		ec_image_column_damaged(rel, kind, number, column, EC_IMAGE_CHUNK,
								"its header contradicts the directory");

	/* what a Datum of the column's type can be made of */
	switch (type->kind)
	{
		case EC_KIND_INT:
		case EC_KIND_FLOAT:
		case EC_KIND_UUID:
			type_ok = chunk->kind == type->kind;
			break;
		case EC_KIND_DECIMAL:
		case EC_KIND_TEXT:
		case EC_KIND_RAW:
			/* types may be exchanged without a rewrite: numeric(10,2) to numeric, varchar to text ... */
			type_ok = chunk->kind == EC_KIND_DECIMAL || chunk->kind == EC_KIND_TEXT ||
					  chunk->kind == EC_KIND_RAW;
			break;
	}
	if (!type_ok || (chunk->kind == EC_KIND_DECIMAL && (chunk->scale < 0 || chunk->scale > 18)))
		ec_image_column_damaged(rel, kind, number, column, EC_IMAGE_CHUNK,
								"its kind does not suit the column's type");
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

EcVector *
ec_image_views(EcBatch *batch)
{
	EcVector *views = palloc0(Max(batch->natts, 1) * sizeof(EcVector));

	for (int i = 0; i < batch->natts; i++)
	{
		if (batch->columns[i] != NULL)
			ec_builder_view(batch->columns[i], &views[i]);
	}
	return views;
}

void
ec_image_row(EcBatch *batch, const EcVector *views, uint32 row, Datum *values, bool *isnull)
{
	for (int i = 0; i < batch->natts; i++)
	{
		const EcColType *ct = &batch->types[i];

		isnull[i] = batch->columns[i] == NULL || ec_vector_is_null(&views[i], row);
		values[i] =
			isnull[i] ? (Datum) 0 : ec_datum_from_vector(&views[i], row, ct, ct->kind, ct->scale);
	}
}

uint8 *
ec_image_build_rows(EcBatch *batch, TupleDesc tupdesc, Size limit, Size *len)
{
	Datum *values;
	bool *isnull;
	EcVector *views;
	uint8 *out;

	if (batch->nrows > INLINE_ROWS_MAX || batch->natts > tupdesc->natts)
		return NULL;
	values = palloc(Max(tupdesc->natts, 1) * sizeof(Datum));
	isnull = palloc(Max(tupdesc->natts, 1) * sizeof(bool));
	views = ec_image_views(batch);
	memset(isnull, true, tupdesc->natts * sizeof(bool));
	out = palloc0(limit);
	*len = 0;
	for (uint32 row = 0; row < batch->nrows; row++)
	{
		MinimalTuple tuple;

		ec_image_row(batch, views, row, values, isnull);
		tuple = ec_compat_form_minimal_tuple(tupdesc, values, isnull);
		if (*len + MAXALIGN(tuple->t_len) > limit)
			return NULL;
		memcpy(out + *len, tuple, tuple->t_len);
		*len += MAXALIGN(tuple->t_len);
		heap_free_minimal_tuple(tuple);
	}
	return out;
}

static void
rows_damaged(Relation rel, const EcDescriptor *desc)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("rows of row group " INT64_FORMAT " of table \"%s\" are damaged",
						   desc->number, RelationGetRelationName(rel))));
}

void
ec_image_read_rows(Relation rel, TupleDesc tupdesc, const EcDescriptor *desc, EcBatch *batch)
{
	Datum *values = palloc(Max(tupdesc->natts, 1) * sizeof(Datum));
	bool *isnull = palloc(Max(tupdesc->natts, 1) * sizeof(bool));
	Size at = 0;

	for (uint32 row = 0; row < desc->nrows; row++)
	{
		MinimalTuple tuple = (MinimalTuple) (desc->data + at);
		HeapTupleData view;

		if (desc->image_len - at < SizeofMinimalTupleHeader ||
			tuple->t_len > desc->image_len - at || tuple->t_len < SizeofMinimalTupleHeader)
			rows_damaged(rel, desc);
		view.t_len = tuple->t_len + MINIMAL_TUPLE_OFFSET;
		view.t_data = (HeapTupleHeader) ((char *) tuple - MINIMAL_TUPLE_OFFSET);
		heap_deform_tuple(&view, tupdesc, values, isnull);
		for (int i = 0; i < batch->natts; i++)
			ec_batch_append_datum(batch, i, values[i], isnull[i]);
		ec_batch_row_done(batch);
		at += MAXALIGN(tuple->t_len);
	}
	if (at != desc->image_len)
		rows_damaged(rel, desc);
	pfree(values);
	pfree(isnull);
}
