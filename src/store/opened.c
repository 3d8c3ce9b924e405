/*
 * opened.c
 *	  Opens row groups for reads of single rows and keeps what it decoded.
 *
 * Each opened group has a memory context of its own with its descriptor, directory,
 * chunk headers and dictionaries, and the blocks decoded so far.  Groups and blocks
 * stand in one list, last used first; when all contexts together exceed
 * ecinsight.fetch_cache, the end of the list goes.  A group goes with its blocks.
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
	struct OpenBlock **place; /* of a block; NULL: this is the group itself */
} Used;

typedef struct OpenBlock
{
	Used used;
	EcVector v;
	void *memory;
} OpenBlock;

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
	EcVector dict;
	OpenBlock **blocks;
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
drop_block(OpenBlock *block)
{
	EcOpenGroup *group = block->used.group;

	*block->used.place = NULL;
	dlist_delete(&block->used.node);
	pfree(block->memory);
	pfree(block);
	count_memory(group);
}

static void
drop_blocks(EcOpenGroup *group)
{
	for (int i = 0; i < group->tupdesc->natts; i++)
	{
		OpenColumn *column = &group->columns[i];

		for (uint32 block = 0; column->blocks != NULL && block < column->chunk.nblocks; block++)
			if (column->blocks[block] != NULL)
				dlist_delete(&column->blocks[block]->used.node);
	}
}

static void
drop_group(EcOpenGroup *group)
{
	drop_blocks(group);
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
			drop_block(*oldest->place);
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

/* Room for a piece's stored bytes and for decoding it: one allocation, aligned. */
static uint8 *
piece_memory(MemoryContext context, const EcPiece *piece, void **memory, uint8 **scratch)
{
	Size len = TYPEALIGN(BUFFER_ALIGN, piece->len);
	uint8 *bytes;

	*memory = MemoryContextAllocHuge(context, len + piece->scratch + BUFFER_ALIGN);
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

static void
load_dict(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column)
{
	const EcPiece *piece = &column->chunk.dict;
	void *memory;
	uint8 *scratch;
	uint8 *bytes = piece_memory(group->context, piece, &memory, &scratch);

	read_image(rel, group, attidx, group->dir.columns[attidx].offset + piece->offset, piece->len,
			   bytes);
	check_status(
		rel, group, attidx, EC_IMAGE_CHUNK,
		ec_dict_decode(decoder, &column->chunk, bytes, scratch, piece->scratch, &column->dict));
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
		if (column->chunk.ndict > 0)
			load_dict(rel, group, attidx, column);
		column->blocks =
			MemoryContextAllocZero(group->context, column->chunk.nblocks * sizeof(OpenBlock *));
		column->source = OPEN_CHUNK;
	}
	count_memory(group);
}

static OpenBlock *
load_block(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column, uint32 number)
{
	const EcPiece *piece = &column->chunk.blocks[number].piece;
	OpenBlock *block = MemoryContextAllocZero(group->context, sizeof(OpenBlock));
	uint8 *scratch;
	uint8 *bytes = piece_memory(group->context, piece, &block->memory, &scratch);

	read_image(rel, group, attidx, group->dir.columns[attidx].offset + piece->offset, piece->len,
			   bytes);
	check_status(rel, group, attidx, number,
				 ec_block_decode(decoder, &column->chunk, number, bytes,
								 column->chunk.ndict > 0 ? &column->dict : NULL, scratch,
								 piece->scratch, &block->v));
	if (block->v.nrows != column->chunk.blocks[number].zone.nrows)
		ec_image_column_damaged(rel, group->desc.number, column_name(group, attidx), number,
								"it has a wrong number of rows");
	block->used.group = group;
	block->used.place = &column->blocks[number];
	return block;
}

/* The vector that has the row; *row becomes its position there. */
static const EcVector *
find_vector(Relation rel, EcOpenGroup *group, int attidx, OpenColumn *column, uint32 *row)
{
	uint32 number = *row / EC_BLOCK_ROWS;
	OpenBlock *block;

	if (column->source == OPEN_UNKNOWN)
		prepare_column(rel, group, attidx, column);
	if (column->source == OPEN_WHOLE)
		return &column->whole;
	block = column->blocks[number];
	if (block == NULL)
	{
		block = load_block(rel, group, attidx, column, number);
		column->blocks[number] = block;
		if (group->cached)
		{
			dlist_push_head(&used_list, &block->used.node);
			count_memory(group);
			limit_memory(group);
		}
	}
	else if (group->cached)
		dlist_move_head(&used_list, &block->used.node);
	*row %= EC_BLOCK_ROWS;
	return &block->v;
}

void
ec_opened_read(Relation rel, EcOpenGroup *group, uint32 row, int first, int end, Datum *values,
			   bool *isnull)
{
	Assert(row < group->desc.nrows && end <= group->tupdesc->natts);
	for (int i = first; i < end; i++)
	{
		OpenColumn *column = &group->columns[i];
		uint32 in_vector = row;
		const EcVector *v = find_vector(rel, group, i, column, &in_vector);

		isnull[i] = ec_vector_is_null(v, in_vector);
		values[i] = isnull[i] ? (Datum) 0
							  : ec_datum_from_vector(v, in_vector, &group->types[i], column->kind,
													 column->scale);
	}
}
