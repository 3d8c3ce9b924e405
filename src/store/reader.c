/*
 * reader.c
 *	  The list of row groups that a snapshot sees, and steps through it.
 *
 * The list holds copies of all visible descriptors, in row-number order, plus rows
 * of parent subtransactions that those have not written yet, if the snapshot's
 * command id says that they count.  Runs of descriptors that keep their rows inline
 * are presented as one group of up to a block of rows, so that many small inserts
 * cost a reader little.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/page.h"
#include "store/reader_internal.h"
#include "store/write_state.h"

/* ------------------------------------------------------------------------
 * Rows not yet written
 * ------------------------------------------------------------------------
 */

bool
ec_reader_sees_command(Snapshot snapshot, CommandId cid)
{
	if (snapshot == NULL || !IsMVCCSnapshot(snapshot))
		return true;
	return cid < snapshot->curcid;
}

static void
add_payload(EcReader *reader, CommandId cid, const uint8 *payload, Size len)
{
	EcDescriptor *desc;

	if (!ec_reader_sees_command(reader->snapshot, cid))
		return;
	reader->descriptors =
		repalloc_huge(reader->descriptors, (reader->ndescriptors + 1) * sizeof(EcDescriptor));
	desc = &reader->descriptors[reader->ndescriptors++];
	ec_descriptor_parse(reader->rel, payload, len, desc);
	desc->pending = true;
	desc->cid = cid;
}

static void
add_pending(EcReader *reader)
{
	int count;
	EcPendingGroup *pending = ec_write_pending_groups(reader->rel, &count);

	for (int i = 0; i < count; i++)
		add_payload(reader, pending[i].cid, pending[i].payload, pending[i].len);
}

/* ------------------------------------------------------------------------
 * Begin and end
 * ------------------------------------------------------------------------
 */

static bool
continues_run(const EcReader *reader, const EcReaderEntry *run, const EcDescriptor *desc)
{
	return reader->descriptors[run->first].form == EC_FORM_ROWS && desc->form == EC_FORM_ROWS &&
		   run->nrows + desc->nrows <= EC_BLOCK_ROWS;
}

static void
make_entries(EcReader *reader)
{
	reader->entries = MemoryContextAllocHuge(reader->context,
											 Max(reader->ndescriptors, 1) * sizeof(EcReaderEntry));
	for (uint32 i = 0; i < reader->ndescriptors; i++)
	{
		const EcDescriptor *desc = &reader->descriptors[i];
		EcReaderEntry *last = reader->nentries > 0 ? &reader->entries[reader->nentries - 1] : NULL;

		if (last != NULL && continues_run(reader, last, desc))
		{
			last->count++;
			last->nrows += desc->nrows;
			continue;
		}
		last = &reader->entries[reader->nentries++];
		last->first = i;
		last->count = 1;
		last->nrows = desc->nrows;
	}
}

static void
make_list(EcReader *reader)
{
	uint32 stored;

	reader->descriptors = ec_catalog_list(reader->rel, reader->snapshot, &reader->ndescriptors);
	stored = reader->ndescriptors;
	add_pending(reader);
	if (reader->ndescriptors > stored)
		ec_catalog_sort(reader->descriptors, reader->ndescriptors);
	make_entries(reader);
	reader->stats.groups_total = reader->nentries;
}

/* Reads columns as this descriptor says: during ALTER TABLE the relation's own is ahead of the rows. */
void
ec_reader_set_tupdesc(EcReader *reader, TupleDesc tupdesc)
{
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	Assert(reader->current < 0);
	reader->tupdesc = CreateTupleDescCopyConstr(tupdesc);
	reader->types = ec_coltype_from_tupdesc(reader->tupdesc);
	reader->columns = palloc0(Max(reader->tupdesc->natts, 1) * sizeof(EcReaderColumn));
	MemoryContextSwitchTo(old);
}

EcReader *
ec_reader_begin(Relation rel, Snapshot snapshot, MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight reader", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	EcReader *reader;

	ec_write_flush_relation(rel);
	PredicateLockRelation(rel, snapshot);

	old = MemoryContextSwitchTo(context);
	reader = palloc0(sizeof(EcReader));
	reader->rel = rel;
	reader->snapshot = snapshot;
	reader->context = context;
	reader->group_context =
		AllocSetContextCreate(context, "ecinsight row group", ALLOCSET_DEFAULT_SIZES);
	reader->group_allocator = ec_context_allocator(reader->group_context);
	reader->decoder = ec_image_decoder(context);
	reader->current = -1;
	ec_reader_set_tupdesc(reader, RelationGetDescr(rel));

	/* as for heap scans: large tables must not sweep the buffer cache */
	if (!RelationUsesLocalBuffers(rel) && RelationGetNumberOfBlocks(rel) > NBuffers / 4)
		reader->strategy = GetAccessStrategy(BAS_BULKREAD);
	make_list(reader);
	MemoryContextSwitchTo(old);
	return reader;
}

void
ec_reader_rescan(EcReader *reader)
{
	reader->current = -1;
}

void
ec_reader_end(EcReader *reader)
{
	if (reader->strategy != NULL)
		FreeAccessStrategy(reader->strategy);
	MemoryContextDelete(reader->context);
}

/* ------------------------------------------------------------------------
 * Steps
 * ------------------------------------------------------------------------
 */

uint32
ec_reader_ngroups(const EcReader *reader)
{
	return reader->nentries;
}

/* Rows of a run come into a batch, from which all columns are views. */
static void
load_rows(EcReader *reader, const EcReaderEntry *entry)
{
	reader->rows = ec_batch_create(reader->tupdesc, reader->group_context);
	for (uint32 i = 0; i < entry->count; i++)
		ec_image_read_rows(reader->rel, reader->tupdesc, &reader->descriptors[entry->first + i],
						   reader->rows);
}

static uint64
entry_bytes(const EcReader *reader, const EcReaderEntry *entry)
{
	uint64 bytes = 0;

	for (uint32 i = 0; i < entry->count; i++)
		bytes += reader->descriptors[entry->first + i].image_len;
	return bytes;
}

bool
ec_reader_goto_group(EcReader *reader, uint32 i)
{
	const EcReaderEntry *entry;
	MemoryContext old;

	if (i >= reader->nentries)
		return false;
	CHECK_FOR_INTERRUPTS();
	entry = &reader->entries[i];
	reader->current = i;
	reader->desc = &reader->descriptors[entry->first];
	reader->rows = NULL;
	reader->dir_loaded = false;
	reader->counted = false;
	memset(&reader->place, 0, sizeof(reader->place));
	MemoryContextReset(reader->group_context);
	ec_reader_reset_columns(reader);

	reader->info.number = reader->desc->number;
	reader->info.nrows = entry->nrows;
	reader->info.nblocks = (entry->nrows + EC_BLOCK_ROWS - 1) / EC_BLOCK_ROWS;
	reader->info.first_row = reader->desc->ranges[0].first;
	reader->info.bytes = entry_bytes(reader, entry);
	reader->info.is_inline = reader->desc->form != EC_FORM_EXTENT;
	if (reader->desc->form == EC_FORM_ROWS)
	{
		old = MemoryContextSwitchTo(reader->group_context);
		load_rows(reader, entry);
		MemoryContextSwitchTo(old);
	}
	return true;
}

bool
ec_reader_next_group(EcReader *reader)
{
	return ec_reader_goto_group(reader, (uint32) (reader->current + 1));
}

const EcReaderGroup *
ec_reader_group(const EcReader *reader)
{
	return &reader->info;
}

uint32
ec_reader_block_rows(const EcReader *reader, uint32 block)
{
	return Min(EC_BLOCK_ROWS, reader->info.nrows - block * EC_BLOCK_ROWS);
}

/* Callers go through rows in order mostly, so the search starts where the last one ended. */
int64
ec_reader_row_number(EcReader *reader, uint32 row)
{
	const EcReaderEntry *entry = &reader->entries[reader->current];
	EcReaderPlace *place = &reader->place;

	if (row < place->start)
		memset(place, 0, sizeof(*place));
	while (place->desc < entry->count)
	{
		const EcDescriptor *desc = &reader->descriptors[entry->first + place->desc];

		while (place->range < desc->nranges)
		{
			const EcDiskRange *range = &desc->ranges[place->range];

			if (row - place->start < range->count)
				return range->first + (row - place->start);
			place->start += (uint32) range->count;
			place->range++;
		}
		place->desc++;
		place->range = 0;
	}
	elog(ERROR, "row %u is beyond its row group", row);
}

/* ------------------------------------------------------------------------
 * Search by row number
 * ------------------------------------------------------------------------
 */

static int
compare_places(const void *a, const void *b)
{
	int64 x = ((const EcRowPlace *) a)->first;
	int64 y = ((const EcRowPlace *) b)->first;

	return x < y ? -1 : x > y;
}

static void
add_places(EcReader *reader, uint32 group, uint32 descriptor, uint32 row)
{
	const EcDescriptor *desc = &reader->descriptors[descriptor];

	for (uint32 i = 0; i < desc->nranges; i++)
	{
		EcRowPlace *place = &reader->places[reader->nplaces++];

		place->first = desc->ranges[i].first;
		place->count = desc->ranges[i].count;
		place->group = group;
		place->row = row;
		place->descriptor = descriptor;
		row += (uint32) desc->ranges[i].count;
	}
}

/* Concurrent writers' ranges interleave, so groups in order are not enough for a search. */
static void
make_places(EcReader *reader)
{
	Size n = 0;

	for (uint32 i = 0; i < reader->ndescriptors; i++)
		n += reader->descriptors[i].nranges;
	reader->places = MemoryContextAllocHuge(reader->context, Max(n, 1) * sizeof(EcRowPlace));
	for (uint32 group = 0; group < reader->nentries; group++)
	{
		const EcReaderEntry *entry = &reader->entries[group];
		uint32 row = 0;

		for (uint32 i = 0; i < entry->count; i++)
		{
			add_places(reader, group, entry->first + i, row);
			row += reader->descriptors[entry->first + i].nrows;
		}
	}
	qsort(reader->places, reader->nplaces, sizeof(EcRowPlace), compare_places);
}

const EcDescriptor *
ec_reader_find_row(EcReader *reader, int64 number, uint32 *group, uint32 *row)
{
	uint64 low = 0;
	uint64 high;

	if (reader->places == NULL)
		make_places(reader);
	high = reader->nplaces;
	while (low < high)
	{
		uint64 middle = (low + high) / 2;
		const EcRowPlace *place = &reader->places[middle];

		if (number < place->first)
			high = middle;
		else if (number >= place->first + place->count)
			low = middle + 1;
		else
		{
			*group = place->group;
			*row = place->row + (uint32) (number - place->first);
			return &reader->descriptors[place->descriptor];
		}
	}
	return NULL;
}

/* ------------------------------------------------------------------------
 * Bytes of the current group
 * ------------------------------------------------------------------------
 */

typedef struct ReadingContext
{
	EcReader *reader;
	int attidx; /* -1: the directory */
} ReadingContext;

/* Says what was being read when a page could not be. */
static void
reading_context(void *arg)
{
	ReadingContext *context = arg;

	if (context->attidx < 0)
		errcontext("reading the directory of row group " INT64_FORMAT " of table \"%s\"",
				   context->reader->desc->number, RelationGetRelationName(context->reader->rel));
	else
		errcontext("reading column \"%s\" of row group " INT64_FORMAT " of table \"%s\"",
				   NameStr(TupleDescAttr(context->reader->tupdesc, context->attidx)->attname),
				   context->reader->desc->number, RelationGetRelationName(context->reader->rel));
}

static void
read_extent(EcReader *reader, int attidx, uint64 offset, uint64 len, uint8 *out)
{
	ReadingContext context = {reader, attidx};
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = reading_context,
		.arg = &context,
	};

	error_context_stack = &callback;
	ec_extent_read(reader->rel, reader->desc->first_block, reader->desc->npages, offset, len, out,
				   reader->strategy);
	error_context_stack = callback.previous;
}

void
ec_reader_image_bytes(EcReader *reader, int attidx, uint64 offset, uint64 len, uint8 *out)
{
	const EcDescriptor *desc = reader->desc;

	if (offset + len < offset || offset + len > desc->image_len)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("row group " INT64_FORMAT
							   " of table \"%s\" is shorter than its directory says",
							   desc->number, RelationGetRelationName(reader->rel))));
	if (desc->form == EC_FORM_EXTENT)
		read_extent(reader, attidx, offset, len, out);
	else
		memcpy(out, desc->data + offset, len);
	reader->stats.bytes_read += len;
}

void
ec_reader_load_directory(EcReader *reader)
{
	const EcDescriptor *desc = reader->desc;
	uint8 *bytes;

	if (reader->dir_loaded)
		return;
	bytes = MemoryContextAlloc(reader->group_context, Max(desc->image_dir_len, 1));
	if (desc->dir_len > 0)
		memcpy(bytes, desc->directory, Min(desc->dir_len, desc->image_dir_len));
	else
		ec_reader_image_bytes(reader, -1, 0, desc->image_dir_len, bytes);
	ec_directory_parse(reader->rel, desc->number, bytes, desc->image_dir_len, desc->image_len,
					   &reader->dir);
	if (reader->dir.nrows != desc->nrows || reader->dir.natts != desc->natts)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("directory of row group " INT64_FORMAT
							   " of table \"%s\" contradicts its descriptor",
							   desc->number, RelationGetRelationName(reader->rel))));
	reader->dir_loaded = true;
}

const EcColType *
ec_reader_types(const EcReader *reader)
{
	return reader->types;
}

void
ec_reader_count_skipped(EcReader *reader, uint64 blocks)
{
	reader->stats.blocks_skipped += blocks;
}

const EcReaderStats *
ec_reader_stats(const EcReader *reader)
{
	return &reader->stats;
}
