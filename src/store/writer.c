/*
 * writer.c
 *	  Writes row groups; the write state and ingest come here with full batches.
 *
 * Order: image first (nothing shared is touched while encoding), then pages, then
 * the descriptor.  An error in between leaves pages that nobody refers to.
 */
#include "postgres.h"

#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/group.h"
#include "store/image.h"
#include "store/logical.h"
#include "store/options.h"
#include "store/page.h"
#include "store/space.h"
#include "store/writer.h"

static void
place_image(Relation rel, EcDescriptor *desc, const EcBuf *image)
{
	desc->image_len = image->len;
	if (image->len <= EC_INLINE_MAX)
	{
		desc->form = EC_FORM_INLINE;
		desc->data = image->data;
		return;
	}
	desc->form = EC_FORM_EXTENT;
	desc->first_block = ec_extent_write(rel, image->data, image->len, &desc->npages);
	if (desc->image_dir_len <= EC_DIRECTORY_INLINE_MAX)
	{
		desc->dir_len = desc->image_dir_len;
		desc->directory = image->data;
	}
}

void
ec_group_write(Relation rel, EcBatch *batch, int64 number, uint32 nranges,
			   const EcDiskRange *ranges, CommandId cid)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight row group", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcDescriptor desc = {
		.number = number,
		.nrows = batch->nrows,
		.natts = batch->natts,
		.nranges = nranges,
		.ranges = ranges,
	};
	Size rows_len;

	Assert(nranges > 0 && nranges <= EC_RANGES_MAX);

	/* TRUNCATE and rewrites look for conflicts with the table itself, not with its companion */
	CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);

	desc.data = ec_image_build_rows(batch, RelationGetDescr(rel), EC_INLINE_MAX, &rows_len);
	if (desc.data != NULL)
	{
		desc.form = EC_FORM_ROWS;
		desc.image_len = rows_len;
	}
	else
	{
		EcTableOptions options = ec_options_get(rel);
		EcAllocator allocator = ec_context_allocator(context);
		EcBuf image = {.alloc = &allocator};

		desc.image_dir_len =
			ec_image_build(rel, batch, options.codec, options.level, context, &image);
		ec_space_lock_writer(rel);
		place_image(rel, &desc, &image);
	}
	ec_catalog_insert(rel, cid, &desc);
	if (desc.form != EC_FORM_ROWS)
		ec_space_unlock_writer(rel);
	ec_meta_announce(rel);
	pgstat_count_heap_insert(rel, batch->nrows);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

uint8 *
ec_group_serialize(Relation rel, EcBatch *batch, int64 number, uint32 nranges,
				   const EcDiskRange *ranges, Size *len)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight row group", ALLOCSET_DEFAULT_SIZES);
	EcAllocator allocator = ec_context_allocator(context);
	EcBuf image = {.alloc = &allocator};
	EcDescriptor desc = {
		.number = number,
		.form = EC_FORM_INLINE,
		.nrows = batch->nrows,
		.natts = batch->natts,
		.nranges = nranges,
		.ranges = ranges,
	};
	uint8 *payload;

	desc.image_dir_len = ec_image_build(rel, batch, EC_CODEC_NONE, 0, context, &image);
	desc.image_len = image.len;
	desc.data = image.data;
	*len = ec_descriptor_size(&desc);
	payload = MemoryContextAllocHuge(CurrentMemoryContext, *len);
	ec_descriptor_build(&desc, payload);
	MemoryContextDelete(context);
	return payload;
}

void
ec_store_write_batch(Relation rel, EcBatch *batch, CommandId cid)
{
	EcDiskRange range;
	int64 number;

	if (batch->nrows == 0 || batch->nrows > EC_GROUP_ROWS_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a row group can't have %u rows", batch->nrows)));
	range.count = batch->nrows;
	ec_meta_reserve(rel, range.count, &range.first, &number);
	ec_group_write(rel, batch, number, 1, &range, cid);
	ec_logical_batch(rel, batch);
}

uint32
ec_store_row_group_rows(Relation rel)
{
	return ec_options_get(rel).row_group_rows;
}
