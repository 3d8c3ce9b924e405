/*
 * reader.c
 *	  Steps through the row groups that a snapshot sees (list.c), and their bytes.
 *
 * Descriptors are read when their group is entered, so that a list of very many
 * small ones stays small.  Runs of rows kept as tuples are presented as groups of
 * up to a block of rows, so that many small writes cost a reader little.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/retain.h"
#include "store/page.h"
#include "store/reader_internal.h"
#include "store/write_state.h"

/* ------------------------------------------------------------------------
 * Begin and end
 * ------------------------------------------------------------------------
 */

static void
make_list(EcReader *reader)
{
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	ec_write_flush_relation(reader->rel);
	reader->list = ec_list_begin(reader->rel, reader->snapshot);
	reader->stats.groups_total = reader->list->nentries;
	MemoryContextSwitchTo(old);
}

/* Reads columns as this descriptor says: during ALTER TABLE the relation's own is ahead of the rows. */
void
ec_reader_set_tupdesc(EcReader *reader, TupleDesc tupdesc)
{
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	Assert(reader->current < 0);
	reader->tupdesc = CreateTupleDescCopyConstr(tupdesc);
	reader->types = ec_coltype_from_tupdesc(reader->tupdesc);
	ec_coltype_init(&reader->number_type, INT8OID, -1, InvalidOid);
	reader->columns = palloc0((reader->tupdesc->natts + 1) * sizeof(EcReaderColumn));
	MemoryContextSwitchTo(old);
}

static EcReader *
create_reader(Relation rel, Snapshot snapshot, MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight reader", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	EcReader *reader;

	ec_retain_memory();
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
	MemoryContextSwitchTo(old);
	return reader;
}

EcReader *
ec_reader_begin(Relation rel, Snapshot snapshot, MemoryContext parent)
{
	EcReader *reader;

	PredicateLockRelation(rel, snapshot);
	reader = create_reader(rel, snapshot, parent);
	make_list(reader);
	return reader;
}

static EcReader *
begin_picks(Relation rel, EcCatalogKind kind, const EcReaderPick *picks, uint32 count,
			MemoryContext parent)
{
	EcReader *reader = create_reader(rel, NULL, parent);
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	reader->list = ec_list_from_groups(rel, kind, picks, count);
	MemoryContextSwitchTo(old);
	return reader;
}

EcReader *
ec_reader_begin_groups(Relation rel, const EcReaderPick *picks, uint32 count, MemoryContext parent)
{
	return begin_picks(rel, EC_CATALOG_GROUP, picks, count, parent);
}

EcReader *
ec_reader_begin_summaries(Relation rel, const EcReaderPick *picks, uint32 count, TupleDesc tupdesc,
						  MemoryContext parent)
{
	EcReader *reader = begin_picks(rel, EC_CATALOG_SUMMARY, picks, count, parent);

	ec_reader_set_tupdesc(reader, tupdesc);
	return reader;
}

void
ec_reader_rescan(EcReader *reader)
{
	reader->current = -1;
	if (reader->snapshot == NULL || IsMVCCSnapshot(reader->snapshot))
		return;
	ec_list_end(reader->list);
	make_list(reader);
}

void
ec_reader_end(EcReader *reader)
{
	ec_list_end(reader->list);
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
	return reader->list->nentries;
}

int64
ec_reader_group_number(const EcReader *reader, uint32 i)
{
	return reader->list->entries[i].number;
}

static void
pass_summary_header(EcReader *reader, EcListPayload *payload)
{
	EcDiskSummary header;

	ec_summary_check_header(reader->rel, reader->entry->number, payload->data, payload->len,
							&header);
	payload->data += sizeof(header);
	payload->len -= sizeof(header);
}

/* Reads the descriptor of the current entry. */
static void
load_descriptor(EcReader *reader)
{
	const EcListEntry *entry = reader->entry;
	EcListPayload payload;

	reader->desc = &reader->desc_space;
	if (entry->kind == EC_ENTRY_PENDING)
	{
		const EcListPending *pending = &reader->list->pending[entry->count];

		ec_descriptor_parse(reader->rel, EC_CATALOG_GROUP, pending->payload, pending->len,
							reader->desc);
		reader->xmin = GetTopTransactionIdIfAny();
		reader->cid = pending->cid;
		return;
	}
	payload = ec_list_payload(reader->list, &entry->tid, reader->list->kind, entry->number);
	if (reader->list->kind == EC_CATALOG_SUMMARY)
		pass_summary_header(reader, &payload);
	ec_descriptor_parse(reader->rel, reader->list->kind, payload.data, payload.len, reader->desc);
	reader->xmin = payload.xmin;
	reader->cid = payload.cid;
	if (reader->desc->number != entry->number)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("descriptor of %s " INT64_FORMAT
							   " of table \"%s\" is another one than its key says",
							   ec_catalog_noun(reader->list->kind), entry->number,
							   RelationGetRelationName(reader->rel))));
}

static void
load_entry(EcReader *reader)
{
	MemoryContext old = MemoryContextSwitchTo(reader->group_context);

	if (reader->entry->kind == EC_ENTRY_RUN)
	{
		reader->run = ec_run_enter(reader);
		reader->info.nrows = reader->run->nrows;
	}
	else
	{
		load_descriptor(reader);
		reader->info.nrows = reader->desc->nrows;
		if (reader->desc->form == EC_FORM_ROWS)
			reader->run = ec_run_from_descriptor(reader, reader->desc);
	}
	MemoryContextSwitchTo(old);
}

bool
ec_reader_goto_group(EcReader *reader, uint32 i)
{
	if (i >= reader->list->nentries)
		return false;
	CHECK_FOR_INTERRUPTS();
	reader->current = i;
	reader->entry = &reader->list->entries[i];
	reader->desc = NULL;
	reader->run = NULL;
	reader->dir_loaded = false;
	reader->counted = false;
	reader->live.block = EC_ZONE_CHUNK;
	reader->numbers_block = EC_ZONE_CHUNK;
	memset(&reader->place, 0, sizeof(reader->place));
	MemoryContextReset(reader->group_context);
	ec_reader_reset_columns(reader);

	reader->info.number = reader->entry->number;
	reader->info.bytes = reader->entry->bytes;
	load_entry(reader);
	if (reader->desc != NULL)
		reader->info.bytes = reader->desc->image_len;
	reader->info.nblocks = (reader->info.nrows + EC_BLOCK_ROWS - 1) / EC_BLOCK_ROWS;
	reader->info.is_inline = reader->desc == NULL || reader->desc->form != EC_FORM_EXTENT;
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

TransactionId
ec_reader_row_xmin(EcReader *reader, uint32 row, CommandId *cid)
{
	if (reader->run == NULL)
	{
		*cid = reader->cid;
		return reader->xmin;
	}
	*cid = ec_run_rows(reader)->cids[row];
	return reader->run->xmins[row];
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
		errcontext("reading the directory of %s " INT64_FORMAT " of table \"%s\"",
				   ec_catalog_noun(context->reader->desc->kind), context->reader->desc->number,
				   RelationGetRelationName(context->reader->rel));
	else
		errcontext("reading column \"%s\" of %s " INT64_FORMAT " of table \"%s\"",
				   ec_reader_column_name(context->reader, context->attidx),
				   ec_catalog_noun(context->reader->desc->kind), context->reader->desc->number,
				   RelationGetRelationName(context->reader->rel));
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
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("%s " INT64_FORMAT " of table \"%s\" is shorter than its directory says",
						ec_catalog_noun(desc->kind), desc->number,
						RelationGetRelationName(reader->rel))));
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
	uint32 natts = desc->natts + (desc->numbered ? 1 : 0);
	uint8 *bytes;

	if (reader->dir_loaded)
		return;
	bytes = MemoryContextAlloc(reader->group_context, Max(desc->image_dir_len, 1));
	if (desc->dir_len > 0)
		memcpy(bytes, desc->directory, Min(desc->dir_len, desc->image_dir_len));
	else
		ec_reader_image_bytes(reader, -1, 0, desc->image_dir_len, bytes);
	ec_directory_parse(reader->rel, desc->kind, desc->number, bytes, desc->image_dir_len,
					   desc->image_len, &reader->dir);
	if (reader->dir.nrows != desc->nrows || reader->dir.natts != natts)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("directory of %s " INT64_FORMAT
							   " of table \"%s\" contradicts its descriptor",
							   ec_catalog_noun(desc->kind), desc->number,
							   RelationGetRelationName(reader->rel))));
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
