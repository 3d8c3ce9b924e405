/*
 * reader_rows.c
 *	  Runs: rows that are kept as tuples, either in tuples of their own or several
 *	  in the descriptor of a small row group.
 *
 * A run's tuples are copied when somebody asks for any of them: who only counts rows
 * knows from the list how many there are.  The pages may go then, and what a caller
 * never asks for isn't formed.  Values are formed for all columns at the first
 * question for any; columns become vectors one at a time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/reader_internal.h"
#include "store/row.h"

/* What a row may take in memory beyond its payload. */
#define ROW_OVERHEAD (2 * MAXALIGN(SizeofHeapTupleHeader))

/* ------------------------------------------------------------------------
 * Loading
 * ------------------------------------------------------------------------
 */

static void *
enlarge(MemoryContext context, void *array, Size size)
{
	return array == NULL ? MemoryContextAllocHuge(context, size) : repalloc_huge(array, size);
}

static void
reserve_rows(EcReader *reader, uint32 nrows)
{
	EcRun *run = &reader->run_space;

	if (nrows <= run->size)
		return;
	run->size = Max(nrows, run->size * 2);
	run->numbers = enlarge(reader->context, run->numbers, run->size * sizeof(int64));
	run->xmins = enlarge(reader->context, run->xmins, run->size * sizeof(TransactionId));
	run->cids = enlarge(reader->context, run->cids, run->size * sizeof(CommandId));
	run->tuples = enlarge(reader->context, run->tuples, run->size * sizeof(EcRunTuple));
}

/* An empty run, with room for what is expected; who fills it says when it is loaded. */
static EcRun *
begin_run(EcReader *reader, uint32 nrows, Size bytes)
{
	EcRun *run = &reader->run_space;

	reserve_rows(reader, nrows);
	ec_reader_reserve(reader->context, &run->arena, bytes);
	run->nrows = 0;
	run->loaded = false;
	run->arena_used = 0;
	run->deformed = false;
	if (run->batch != NULL)
		ec_batch_reset(run->batch);
	return run;
}

static void *
arena_alloc(EcReader *reader, Size size)
{
	EcRun *run = &reader->run_space;
	void *memory = run->arena.data + run->arena_used;

	size = MAXALIGN(size);
	if (size > run->arena.size - run->arena_used)
		return MemoryContextAlloc(reader->group_context, size);
	run->arena_used += size;
	return memory;
}

static EcRunTuple *
add_row(EcReader *reader, int64 number, TransactionId xmin, CommandId cid)
{
	EcRun *run = &reader->run_space;

	reserve_rows(reader, run->nrows + 1);
	run->numbers[run->nrows] = number;
	run->xmins[run->nrows] = xmin;
	run->cids[run->nrows] = cid;
	return &run->tuples[run->nrows++];
}

static void
rows_damaged(Relation rel, int64 number)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("rows of row group " INT64_FORMAT " of table \"%s\" are damaged", number,
						   RelationGetRelationName(rel))));
}

/* The rows of a descriptor of form "rows", which stay where they are. */
static void
add_descriptor_rows(EcReader *reader, const EcDescriptor *desc, TransactionId xmin, CommandId cid)
{
	Size at = 0;

	for (uint32 i = 0; i < desc->nranges; i++)
	{
		for (int64 j = 0; j < desc->ranges[i].count; j++)
		{
			MinimalTuple tuple = (MinimalTuple) (desc->data + at);
			EcRunTuple *added;

			if (desc->image_len - at < SizeofMinimalTupleHeader ||
				tuple->t_len > desc->image_len - at || tuple->t_len < SizeofMinimalTupleHeader)
				rows_damaged(reader->rel, desc->number);
			added = add_row(reader, desc->ranges[i].first + j, xmin, cid);
			added->header = (HeapTupleHeader) ((char *) tuple - MINIMAL_TUPLE_OFFSET);
			added->len = tuple->t_len + MINIMAL_TUPLE_OFFSET;
			at += MAXALIGN(tuple->t_len);
		}
	}
	if (at != desc->image_len)
		rows_damaged(reader->rel, desc->number);
}

EcRun *
ec_run_from_descriptor(EcReader *reader, const EcDescriptor *desc)
{
	EcRun *run = begin_run(reader, desc->nrows, 0);

	add_descriptor_rows(reader, desc, reader->xmin, reader->cid);
	run->loaded = true;
	return run;
}

static void
load_row(EcReader *reader, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcRunTuple *added;
	EcRow row;

	ec_row_parse(reader->rel, tuple, opened, &row);
	if (row.state != EC_ROW_DATA)
		return;
	added = add_row(reader, row.number, row.xmin, row.cmin);
	added->len = ec_row_aligned_size(&row);
	added->header = arena_alloc(reader, added->len);
	ec_row_align(&row, added->header);
}

static void
load_rows_group(EcReader *reader, HeapTuple tuple)
{
	EcDescriptor desc;

	if (ec_catalog_read_tuple(reader->rel, tuple, &desc) && desc.form == EC_FORM_ROWS)
		add_descriptor_rows(reader, &desc, HeapTupleHeaderGetRawXmin(tuple->t_data),
							HeapTupleHeaderGetRawCommandId(tuple->t_data));
}

static void
load_tuple(HeapTuple tuple, bool visible, void *arg)
{
	EcReader *reader = arg;
	EcCatalogTuple opened;

	if (!visible)
		return;
	ec_catalog_open_tuple(reader->rel, tuple, &opened);
	if (opened.kind == EC_CATALOG_ROW)
		load_row(reader, tuple, &opened);
	else if (opened.kind == EC_CATALOG_GROUP)
		load_rows_group(reader, tuple);
}

static void
load_run(EcReader *reader)
{
	const EcListEntry *entry = reader->entry;

	begin_run(reader, entry->nrows, entry->bytes + (Size) entry->nrows * ROW_OVERHEAD);
	ec_list_visit(reader->list, &entry->tid, &entry->end, load_tuple, reader);
}

/* Only what an MVCC snapshot has seen stays as many rows as were listed. */
EcRun *
ec_run_enter(EcReader *reader)
{
	EcRun *run = &reader->run_space;

	if (!IsMVCCSnapshot(reader->list->snapshot) || reader->entry->described)
	{
		load_run(reader);
		run->loaded = true;
	}
	else
	{
		run->nrows = reader->entry->nrows;
		run->loaded = false;
	}
	return run;
}

EcRun *
ec_run_rows(EcReader *reader)
{
	EcRun *run = reader->run;
	MemoryContext old;

	if (run->loaded)
		return run;
	old = MemoryContextSwitchTo(reader->group_context);
	load_run(reader);
	MemoryContextSwitchTo(old);
	if (run->nrows != reader->info.nrows)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("rows of table \"%s\" in the tuples from (%u,%u) to (%u,%u) of its "
							   "TOAST table are damaged",
							   RelationGetRelationName(reader->rel),
							   ItemPointerGetBlockNumberNoCheck(&reader->entry->tid),
							   ItemPointerGetOffsetNumberNoCheck(&reader->entry->tid),
							   ItemPointerGetBlockNumberNoCheck(&reader->entry->end),
							   ItemPointerGetOffsetNumberNoCheck(&reader->entry->end)),
						errdetail("They were %u before, and are %u now.", reader->info.nrows,
								  run->nrows)));
	run->loaded = true;
	return run;
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

static void
deform(EcReader *reader)
{
	EcRun *run = ec_run_rows(reader);
	TupleDesc tupdesc = reader->tupdesc;
	Size n = Max((Size) run->nrows * tupdesc->natts, 1);

	ec_reader_reserve(reader->context, &run->values, n * sizeof(Datum));
	ec_reader_reserve(reader->context, &run->isnull, n * sizeof(bool));
	for (uint32 row = 0; row < run->nrows; row++)
	{
		Size at = (Size) row * tupdesc->natts;
		HeapTupleData view;

		view.t_data = run->tuples[row].header;
		view.t_len = run->tuples[row].len;
		heap_deform_tuple(&view, tupdesc, (Datum *) run->values.data + at,
						  (bool *) run->isnull.data + at);
	}
	run->deformed = true;
}

bool
ec_reader_row_values(EcReader *reader, uint32 row, Datum **values, bool **isnull)
{
	EcRun *run = reader->run;
	Size at = (Size) row * reader->tupdesc->natts;

	if (run == NULL)
		return false;
	if (!ec_run_rows(reader)->deformed)
		deform(reader);
	*values = (Datum *) run->values.data + at;
	*isnull = (bool *) run->isnull.data + at;
	return true;
}

void
ec_run_column(EcReader *reader, int attidx, EcVector *out)
{
	EcRun *run = ec_run_rows(reader);
	EcBuilder *column;

	if (!run->deformed)
		deform(reader);
	if (run->batch == NULL)
		run->batch = ec_batch_create(reader->tupdesc, reader->context);
	column = run->batch->columns[attidx];
	if (ec_builder_rows(column) == 0)
	{
		for (uint32 row = 0; row < run->nrows; row++)
		{
			Size at = (Size) row * reader->tupdesc->natts + attidx;

			ec_batch_append_datum(run->batch, attidx, ((Datum *) run->values.data)[at],
								  ((bool *) run->isnull.data)[at]);
		}
	}
	ec_builder_view(column, out);
}
