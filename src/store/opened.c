/*
 * opened.c
 *	  Opens row groups for reads of single rows and keeps what it decoded.
 *
 * Each opened group has a memory context of its own with its descriptor, directory
 * and chunk headers, and the pieces read so far: blocks, opened without decoding
 * more than a row needs, and segments of dictionaries.  Groups and pieces stand in
 * one list, last used first; when all contexts together exceed
 * ecinsight.fetch_cache, the end of the list goes.  A group goes with its pieces.
 *
 * Keys are the file and the number of the row group.  Both change never what they
 * stand for, as long as the table's columns stay what they were: a change of the
 * table (relcache invalidation) closes its groups.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/guc.h"
#include "store/image.h"
#include "store/lookup.h"
#include "store/page.h"
#include "store/opened.h"

#define BUFFER_ALIGN 16

/* In the list of what was used last. */
typedef struct Used
{
	dlist_node node;
	EcOpenGroup *group;
	struct OpenPiece **place; /* of a piece; NULL: this is the group itself */
} Used;

typedef struct OpenPiece
{
	Used used;
	void *memory; /* stored bytes and what they are decoded into */
	union
	{
		EcView view;	  /* of a block */
		EcVector entries; /* of a segment of the dictionary */
	};
} OpenPiece;

typedef enum OpenSource
{
	OPEN_UNKNOWN = 0,
	OPEN_CHUNK,
	OPEN_WHOLE /* "whole" holds all rows */
} OpenSource;

typedef struct OpenColumn
{
	OpenSource source;
	EcKind kind;
	int32 scale;
	EcVector whole;
	EcChunk chunk;
	OpenPiece **blocks;
	OpenPiece **segments;
} OpenColumn;

typedef struct OpenKey
{
	RelFileLocator locator;
	int64 number;
} OpenKey;

struct EcOpenGroup
{
	OpenKey key; /* memset before use: hashed as bytes */
	Oid relid;
	bool cached;
	bool stale;
	Used used;
	MemoryContext context;
	EcAllocator allocator;
	Size memory; /* of the context, as counted in "total" */
	EcDescriptor desc;
	TupleDesc tupdesc;
	EcColType *types;
	EcDirectory dir;
	EcBatch *rows; /* EC_FORM_ROWS, and missing values */
	OpenColumn *columns;
};

typedef struct OpenEntry
{
	OpenKey key;
	EcOpenGroup *group;
} OpenEntry;

static HTAB *groups;
static dlist_head used_list = DLIST_STATIC_INIT(used_list);
static Size total;
static EcOpenGroup *last; /* used; may be NULL */
static bool any_stale;
static EcDecoder *decoder;

/* ------------------------------------------------------------------------
 * Memory
 * ------------------------------------------------------------------------
 */

static void
count_memory(EcOpenGroup *group)
{
	Size now = MemoryContextMemAllocated(group->context, true);

	if (!group->cached)
		return;
	total += now - group->memory;
	group->memory = now;
}

static void
drop_piece(OpenPiece *piece)
{
	EcOpenGroup *group = piece->used.group;

	*piece->used.place = NULL;
	dlist_delete(&piece->used.node);
	pfree(piece->memory);
	pfree(piece);
	count_memory(group);
}

/* Takes pieces off the list; their memory is the group's. */
static void
unlist_pieces(OpenPiece **pieces, uint32 n)
{
	for (uint32 i = 0; pieces != NULL && i < n; i++)
		if (pieces[i] != NULL)
			dlist_delete(&pieces[i]->used.node);
}

static void
drop_group(EcOpenGroup *group)
{
	for (int i = 0; i < group->tupdesc->natts; i++)
	{
		OpenColumn *column = &group->columns[i];

		unlist_pieces(column->blocks, column->chunk.nblocks);
		unlist_pieces(column->segments, column->chunk.nsegments);
	}
	dlist_delete(&group->used.node);
	total -= group->memory;
	if (last == group)
		last = NULL;
	hash_search(groups, &group->key, HASH_REMOVE, NULL);
	MemoryContextDelete(group->context);
}

/* Makes room, but keeps the group in use and what was used last. */
static void
limit_memory(EcOpenGroup *in_use)
{
	while (total > (Size) ec_guc_fetch_cache * 1024 && !dlist_is_empty(&used_list))
	{
		Used *oldest = dlist_tail_element(Used, node, &used_list);

		if (oldest->node.prev == &used_list.head)
			break;
		if (oldest->place != NULL)
			drop_piece(*oldest->place);
		else if (oldest->group != in_use)
			drop_group(oldest->group);
		else
			dlist_move_head(&used_list, &oldest->node);
	}
}

void
ec_opened_forget(void)
{
	HASH_SEQ_STATUS status;
	OpenEntry *entry;

	any_stale = false;
	if (groups == NULL)
		return;
	hash_seq_init(&status, groups);
	while ((entry = hash_seq_search(&status)) != NULL)
		drop_group(entry->group);
}

static void
drop_stale(void)
{
	HASH_SEQ_STATUS status;
	OpenEntry *entry;

	any_stale = false;
	hash_seq_init(&status, groups);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (entry->group->stale)
			drop_group(entry->group);
}

/* Only marks: whoever reads a row now goes on with what the row was written with. */
static void
at_invalidation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	OpenEntry *entry;

	if (groups == NULL)
		return;
	hash_seq_init(&status, groups);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (!OidIsValid(relid) || entry->group->relid == relid)
			entry->group->stale = any_stale = true;
}

void
ec_opened_init(void)
{
	CacheRegisterRelcacheCallback(at_invalidation, (Datum) 0);
}

/* ------------------------------------------------------------------------
 * Bytes
 * ------------------------------------------------------------------------
 */

static const char *
column_name(EcOpenGroup *group, int attidx)
{
	return NameStr(TupleDescAttr(group->tupdesc, attidx)->attname);
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
	ec_image_column_damaged(rel, group->desc.number, column_name(group, attidx), block,
							ec_status_text(status));
}

/* Room for stored bytes and for decoding them: one allocation, both aligned. */
static uint8 *
piece_memory(MemoryContext context, Size len, Size scratch_len, void **memory, uint8 **scratch)
{
	uint8 *bytes;

	len = TYPEALIGN(BUFFER_ALIGN, len);
	*memory = MemoryContextAllocHuge(context, len + scratch_len + BUFFER_ALIGN);
	bytes = (uint8 *) TYPEALIGN(BUFFER_ALIGN, *memory);
	*scratch = bytes + len;
	return bytes;
}

/* ------------------------------------------------------------------------
 * Groups
 * ------------------------------------------------------------------------
 */

static void
load_directory(Relation rel, EcOpenGroup *group)
{
	const EcDescriptor *desc = &group->desc;
	uint8 *bytes = MemoryContextAlloc(group->context, Max(desc->image_dir_len, 1));

	if (desc->dir_len > 0)
		memcpy(bytes, desc->directory, Min(desc->dir_len, desc->image_dir_len));
	else
		read_image(rel, group, -1, 0, desc->image_dir_len, bytes);
	ec_directory_parse(rel, desc->number, bytes, desc->image_dir_len, desc->image_len, &group->dir);
	if (group->dir.nrows != desc->nrows || group->dir.natts != desc->natts)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("directory of row group " INT64_FORMAT
							   " of table \"%s\" contradicts its descriptor",
							   desc->number, RelationGetRelationName(rel))));
}

/* The descriptor's memory must be the context's, which is also the current one. */
static EcOpenGroup *
make_group(Relation rel, const EcDescriptor *desc, MemoryContext context)
{
	EcOpenGroup *group = palloc0(sizeof(EcOpenGroup));

	group->key.locator = rel->rd_locator;
	group->key.number = desc->number;
	group->relid = RelationGetRelid(rel);
	group->context = context;
	group->allocator = ec_context_allocator(context);
	group->desc = *desc;
	group->used.group = group;
	group->tupdesc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	group->types = ec_coltype_from_tupdesc(group->tupdesc);
	group->columns = palloc0(Max(group->tupdesc->natts, 1) * sizeof(OpenColumn));
	if (desc->form == EC_FORM_ROWS)
	{
		group->rows = ec_batch_create(group->tupdesc, context);
		ec_image_read_rows(rel, group->tupdesc, desc, group->rows);
	}
	else
		load_directory(rel, group);
	return group;
}

EcOpenGroup *
ec_opened_open_pending(Relation rel, const EcDescriptor *desc, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	EcOpenGroup *group = make_group(rel, desc, context);

	MemoryContextSwitchTo(old);
	return group;
}

static void
create_cache(void)
{
	HASHCTL control = {
		.keysize = sizeof(OpenKey),
		.entrysize = sizeof(OpenEntry),
		.hcxt = CacheMemoryContext,
	};

	if (groups == NULL)
		groups = hash_create("ecinsight opened row groups", 64, &control,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (decoder == NULL)
		decoder = ec_image_decoder(
			AllocSetContextCreate(CacheMemoryContext, "ecinsight decoder", ALLOCSET_SMALL_SIZES));
}

static EcOpenGroup *
open_group(Relation rel, const OpenKey *key, const EcLookup *lookup)
{
	EcCompanion companion;
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "ecinsight opened row group", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcOpenGroup *group;
	EcDescriptor desc;
	OpenEntry *entry;

	if (!ec_companion_open(rel, AccessShareLock, &companion) ||
		!ec_lookup_group(&companion, key->number, &lookup->tid, SnapshotAny, &desc).visible)
		elog(ERROR, "row group " INT64_FORMAT " vanished", key->number);
	ec_companion_close(&companion);
	desc.first_block = lookup->first_block;
	group = make_group(rel, &desc, context);
	MemoryContextSwitchTo(old);

	entry = hash_search(groups, key, HASH_ENTER, NULL);
	entry->group = group;
	group->cached = true;
	MemoryContextSetParent(context, CacheMemoryContext);
	dlist_push_head(&used_list, &group->used.node);
	count_memory(group);
	return group;
}

static EcOpenGroup *
find_group(Relation rel, int64 number, const EcLookup *lookup)
{
	OpenKey key;
	OpenEntry *entry;
	EcOpenGroup *group;

	if (last != NULL && last->key.number == number &&
		RelFileLocatorEquals(last->key.locator, rel->rd_locator))
		return last;
	memset(&key, 0, sizeof(key));
	key.locator = rel->rd_locator;
	key.number = number;
	entry = hash_search(groups, &key, HASH_FIND, NULL);
	if (entry != NULL)
	{
		dlist_move_head(&used_list, &entry->group->used.node);
		return entry->group;
	}
	group = open_group(rel, &key, lookup);
	limit_memory(group);
	return group;
}

EcOpenGroup *
ec_opened_open(Relation rel, int64 number, const EcLookup *lookup)
{
	create_cache();
	if (any_stale)
		drop_stale();
	last = find_group(rel, number, lookup);

	/* what was decoded stays right if the group was moved, the rest is read from its new place */
	last->desc.first_block = lookup->first_block;
	return last;
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

static void
load_header(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column)
{
	const EcDiskColumn *disk = &group->dir.columns[attidx];
	uint8 *bytes = palloc(disk->header_len);

	read_image(rel, group, attidx, disk->offset, disk->header_len, bytes);
	check_status(rel, group, attidx, EC_IMAGE_CHUNK,
				 ec_chunk_parse(bytes, disk->header_len, &group->allocator, &column->chunk));
	ec_image_check_chunk(rel, group->desc.number, column_name(group, attidx), group->desc.nrows,
						 &group->types[attidx], disk, &column->chunk);
	pfree(bytes);
}

/* What a column is read from, decided with its first use. */
static void
prepare_column(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column)
{
	const EcDiskColumn *disk;

	if (TupleDescAttr(group->tupdesc, attidx)->attisdropped)
		const_column(group, attidx, column);
	else if (group->desc.form == EC_FORM_ROWS)
	{
		ec_builder_view(group->rows->columns[attidx], &column->whole);
		column->kind = group->types[attidx].kind;
		column->scale = group->types[attidx].scale;
		column->source = OPEN_WHOLE;
	}
	else if ((uint32) attidx >= group->dir.natts)
		missing_column(group, attidx, column);
	else if (group->dir.columns[attidx].len == 0)
		const_column(group, attidx, column);
	else
	{
		disk = &group->dir.columns[attidx];
		load_header(rel, group, attidx, column);
		column->kind = disk->kind;
		column->scale = disk->scale;
		column->blocks =
			MemoryContextAllocZero(group->context, column->chunk.nblocks * sizeof(OpenPiece *));
		column->segments = MemoryContextAllocZero(group->context, Max(column->chunk.nsegments, 1) *
																	  sizeof(OpenPiece *));
		column->source = OPEN_CHUNK;
	}
	count_memory(group);
}

/* ------------------------------------------------------------------------
 * Pieces
 * ------------------------------------------------------------------------
 */

/* A piece with its stored bytes; *scratch is for decoding them. */
static OpenPiece *
read_piece(Relation rel, EcOpenGroup *group, int attidx, const EcPiece *stored, Size scratch_len,
		   uint8 **bytes, uint8 **scratch)
{
	OpenPiece *piece = MemoryContextAllocZero(group->context, sizeof(OpenPiece));

	*bytes = piece_memory(group->context, stored->len, scratch_len, &piece->memory, scratch);
	read_image(rel, group, attidx, group->dir.columns[attidx].offset + stored->offset, stored->len,
			   *bytes);
	return piece;
}

static void
keep_piece(EcOpenGroup *group, OpenPiece **place, OpenPiece *piece)
{
	piece->used.group = group;
	piece->used.place = place;
	*place = piece;
	if (!group->cached)
		return;
	dlist_push_head(&used_list, &piece->used.node);
	count_memory(group);
	limit_memory(group);
}

static OpenPiece *
get_block(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column, uint32 number)
{
	OpenPiece *piece = column->blocks[number];
	Size scratch_len;
	uint8 *bytes;
	uint8 *scratch;

	if (piece != NULL)
	{
		if (group->cached)
			dlist_move_head(&used_list, &piece->used.node);
		return piece;
	}
	scratch_len = ec_view_scratch(&column->chunk, number);
	piece = read_piece(rel, group, attidx, &column->chunk.blocks[number].piece, scratch_len, &bytes,
					   &scratch);
	check_status(
		rel, group, attidx, number,
		ec_view_open(decoder, &column->chunk, number, bytes, scratch, scratch_len, &piece->view));
	if (piece->view.nrows != column->chunk.blocks[number].zone.nrows)
		ec_image_column_damaged(rel, group->desc.number, column_name(group, attidx), number,
								"it has a wrong number of rows");
	keep_piece(group, &column->blocks[number], piece);
	return piece;
}

static OpenPiece *
get_segment(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column, uint32 number)
{
	OpenPiece *piece = column->segments[number];
	const EcPiece *stored = &column->chunk.segments[number];
	uint8 *bytes;
	uint8 *scratch;

	if (piece != NULL)
	{
		if (group->cached)
			dlist_move_head(&used_list, &piece->used.node);
		return piece;
	}
	piece = read_piece(rel, group, attidx, stored, stored->scratch, &bytes, &scratch);
	check_status(rel, group, attidx, EC_IMAGE_CHUNK,
				 ec_segment_decode(decoder, &column->chunk, number, bytes, scratch, stored->scratch,
								   &piece->entries));
	keep_piece(group, &column->segments[number], piece);
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

static Datum
entry_datum(Relation rel, EcOpenGroup *group, int attidx, uint32 code)
{
	OpenColumn *column = &group->columns[attidx];
	uint32 segment = code / column->chunk.segment_entries;
	const EcVector *entries;

	if (code >= column->chunk.ndict)
		ec_image_column_damaged(rel, group->desc.number, column_name(group, attidx), EC_IMAGE_CHUNK,
								"a row has no entry in the dictionary");
	entries = &get_segment(rel, group, attidx, column, segment)->entries;
	return vector_datum(group, attidx, entries, code % column->chunk.segment_entries);
}

static Datum
chunk_datum(Relation rel, EcOpenGroup *group, int attidx, uint32 row, bool *isnull)
{
	OpenColumn *column = &group->columns[attidx];
	uint32 number = row / EC_BLOCK_ROWS;
	OpenPiece *block = get_block(rel, group, attidx, column, number);
	EcPoint point;
	EcVector v = {.phys = block->view.phys, .form = EC_FORM_CONST, .nrows = 1};

	check_status(rel, group, attidx, number,
				 ec_view_get(&block->view, row % EC_BLOCK_ROWS, &point));
	*isnull = point.isnull;
	if (point.isnull)
		return (Datum) 0;
	if (point.in_dict)
		return entry_datum(rel, group, attidx, point.code);
	v.values.any = &point.value;
	return vector_datum(group, attidx, &v, 0);
}

void
ec_opened_read(Relation rel, EcOpenGroup *group, uint32 row, int first, int end, Datum *values,
			   bool *isnull)
{
	Assert(row < group->desc.nrows && end <= group->tupdesc->natts);
	for (int i = first; i < end; i++)
	{
		OpenColumn *column = &group->columns[i];

		if (column->source == OPEN_UNKNOWN)
			prepare_column(rel, group, i, column);
		if (column->source == OPEN_CHUNK)
			values[i] = chunk_datum(rel, group, i, row, &isnull[i]);
		else
		{
			isnull[i] = ec_vector_is_null(&column->whole, row);
			values[i] = isnull[i] ? (Datum) 0 : vector_datum(group, i, &column->whole, row);
		}
	}
}
