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

#include "store/background.h"
#include "store/companion.h"
#include "store/group.h"
#include "store/helpers.h"
#include "store/image.h"
#include "store/logical.h"
#include "store/options.h"
#include "store/page.h"
#include "store/space.h"
#include "store/writer.h"

void
ec_group_place_image(Relation rel, EcDescriptor *desc, const EcBuf *image)
{
	desc->image_len = image->len;
	if (image->len <= EC_INLINE_MAX)
	{
		desc->form = EC_FORM_INLINE;
		desc->data = image->data;
		return;
	}
	desc->form = EC_FORM_EXTENT;
	ec_space_lock_writer(rel);
	desc->first_block = ec_extent_write(rel, image->data, image->len, &desc->npages);
	if (desc->image_dir_len <= EC_DIRECTORY_INLINE_MAX)
	{
		desc->dir_len = desc->image_dir_len;
		desc->directory = image->data;
	}
}

bool
ec_group_begin(Relation rel, EcBatch *batch)
{
	EcTableOptions options = ec_options_get(rel);

	return ec_helpers_begin(batch, options.codec, options.level);
}

void
ec_group_encode(Relation rel, EcBatch *batch, const EcGroupSpec *spec, EcDescriptor *desc)
{
	MemoryContext context = CurrentMemoryContext;
	EcTableOptions options = ec_options_get(rel);
	EcBuf *image;
	Size rows_len;

	Assert(spec->nranges > 0 && spec->nranges <= EC_RANGES_MAX);
	memset(desc, 0, sizeof(*desc));
	desc->number = spec->number;
	desc->level = spec->level;
	desc->numbered = spec->numbers != NULL;
	desc->nrows = batch->nrows;
	desc->natts = batch->natts;
	desc->nranges = spec->nranges;
	desc->ranges = spec->ranges;
	/* compaction may mask rows of its groups from birth, which this form doesn't know */
	if (!desc->numbered && spec->level == EC_LEVEL_WRITTEN)
		desc->data = ec_image_build_rows(batch, RelationGetDescr(rel), EC_INLINE_MAX, &rows_len);
	if (desc->data != NULL)
	{
		desc->form = EC_FORM_ROWS;
		desc->image_len = rows_len;
		return;
	}
	image = ec_image_buffer();
	desc->image_dir_len = ec_image_build(rel, EC_CATALOG_GROUP, batch, spec->numbers, options.codec,
										 options.level, context, image);
	ec_group_place_image(rel, desc, image);
}

void
ec_group_put(Relation rel, EcBatch *batch, const EcGroupSpec *spec, CommandId cid, int options)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight row group", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcDescriptor desc;
	uint8 *payload;
	Size len;

	ec_group_encode(rel, batch, spec, &desc);
	len = ec_descriptor_size(&desc);
	payload = palloc(len);
	ec_descriptor_build(&desc, payload);
	ec_companion_insert(rel, EC_CATALOG_GROUP, desc.number, payload, len, cid, options);
	if (desc.form == EC_FORM_EXTENT)
		ec_space_unlock_writer(rel);
	ec_meta_announce(rel);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	ec_image_done();
}

void
ec_group_write(Relation rel, EcBatch *batch, int64 number, uint32 nranges,
			   const EcDiskRange *ranges, CommandId cid)
{
	EcGroupSpec spec = {.number = number, .nranges = nranges, .ranges = ranges};
	int64 end = ranges[nranges - 1].first + ranges[nranges - 1].count;

	ec_group_put(rel, batch, &spec, cid, 0);

	/* numbers that were reserved and not used follow, up to as many */
	ec_background_notice(rel, ranges[0].first, 2 * (end - ranges[0].first));

	/* with the table itself, not with its companion; who reads it later sees the descriptor */
	CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
}

/* The ranges that ascending numbers form; 0 if they are too many, or if they don't ascend. */
static uint32
find_ranges(const int64 *numbers, uint32 n, EcDiskRange *ranges)
{
	uint32 nranges = 0;

	for (uint32 i = 0; i < n; i++)
	{
		EcDiskRange *last = nranges > 0 ? &ranges[nranges - 1] : NULL;

		if (last != NULL && numbers[i] == last->first + last->count)
		{
			last->count++;
			continue;
		}
		if (nranges == EC_RANGES_MAX || (last != NULL && numbers[i] < last->first + last->count))
			return 0;
		ranges[nranges].first = numbers[i];
		ranges[nranges].count = 1;
		nranges++;
	}
	return nranges;
}

static EcDiskRange
number_span(const int64 *numbers, uint32 n)
{
	int64 least = numbers[0];
	int64 greatest = numbers[0];
	EcDiskRange span;

	for (uint32 i = 1; i < n; i++)
	{
		least = Min(least, numbers[i]);
		greatest = Max(greatest, numbers[i]);
	}
	span.first = least;
	span.count = greatest - least + 1;
	return span;
}

void
ec_group_number(EcGroupSpec *spec, const int64 *numbers, uint32 n, EcDiskRange *ranges)
{
	spec->ranges = ranges;
	spec->nranges = find_ranges(numbers, n, ranges);
	if (spec->nranges > 0)
		return;
	ranges[0] = number_span(numbers, n);
	spec->nranges = 1;
	spec->numbers = numbers;
}

int64
ec_group_write_numbered(Relation rel, EcBatch *batch, const int64 *numbers, uint8 level,
						CommandId cid, int options)
{
	EcDiskRange ranges[EC_RANGES_MAX];
	EcGroupSpec spec = {.level = level};

	ec_meta_reserve(rel, 0, NULL, &spec.number);
	ec_group_number(&spec, numbers, batch->nrows, ranges);
	ec_group_put(rel, batch, &spec, cid, options);
	return spec.number;
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

	desc.image_dir_len =
		ec_image_build(rel, EC_CATALOG_GROUP, batch, NULL, EC_CODEC_NONE, 0, context, &image);
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
	pgstat_count_heap_insert(rel, batch->nrows);
}

uint32
ec_store_row_group_rows(Relation rel)
{
	return ec_options_get(rel).row_group_rows;
}
