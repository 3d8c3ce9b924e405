/*
 * reader_rows.c
 *	  Runs: rows that are kept as tuples, either in tuples of their own or several
 *	  in the descriptor of a small row group.
 *
 * Entering a run copies its tuples, no more: the pages may go, and what a caller
 * never asks for isn't formed.  Values are formed for all columns at the first
 * question for any; columns become vectors one at a time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/reader_internal.h"
#include "store/row.h"

/* ------------------------------------------------------------------------
 * Loading
 * ------------------------------------------------------------------------
 */

static void
reserve_rows(EcRun *run, uint32 nrows)
{
	if (nrows <= run->size)
		return;
	run->size = Max(nrows, run->size * 2);
	if (run->numbers == NULL)
	{
		run->numbers = palloc(run->size * sizeof(int64));
		run->xmins = palloc(run->size * sizeof(TransactionId));
		run->cids = palloc(run->size * sizeof(CommandId));
		run->tuples = palloc(run->size * sizeof(EcRunTuple));
		return;
	}
	run->numbers = repalloc(run->numbers, run->size * sizeof(int64));
	run->xmins = repalloc(run->xmins, run->size * sizeof(TransactionId));
	run->cids = repalloc(run->cids, run->size * sizeof(CommandId));
	run->tuples = repalloc(run->tuples, run->size * sizeof(EcRunTuple));
}

static EcRunTuple *
add_row(EcRun *run, int64 number, TransactionId xmin, CommandId cid)
{
	reserve_rows(run, run->nrows + 1);
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
add_descriptor_rows(EcReader *reader, EcRun *run, const EcDescriptor *desc, TransactionId xmin,
					CommandId cid)
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
			added = add_row(run, desc->ranges[i].first + j, xmin, cid);
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
	EcRun *run = palloc0(sizeof(EcRun));

	add_descriptor_rows(reader, run, desc, reader->xmin, reader->cid);
	return run;
}

typedef struct RunVisit
{
	EcReader *reader;
	EcRun *run;
} RunVisit;

static void
load_row(RunVisit *visit, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcRunTuple *added;
	EcRow row;

	ec_row_parse(visit->reader->rel, tuple, opened, &row);
	if (row.state != EC_ROW_DATA)
		return;
	added = add_row(visit->run, row.number, row.xmin, row.cmin);
	added->header = ec_row_align(&row, CurrentMemoryContext, &added->len);
}

static void
load_rows_group(RunVisit *visit, HeapTuple tuple)
{
	EcReader *reader = visit->reader;
	EcDescriptor desc;

	if (ec_catalog_read_tuple(reader->rel, tuple, &desc) && desc.form == EC_FORM_ROWS)
		add_descriptor_rows(reader, visit->run, &desc, HeapTupleHeaderGetRawXmin(tuple->t_data),
							HeapTupleHeaderGetRawCommandId(tuple->t_data));
}

static void
load_tuple(HeapTuple tuple, bool visible, void *arg)
{
	RunVisit *visit = arg;
	EcCatalogTuple opened;

	if (!visible)
		return;
	ec_catalog_open_tuple(visit->reader->rel, tuple, &opened);
	if (opened.kind == EC_CATALOG_ROW)
		load_row(visit, tuple, &opened);
	else if (opened.kind == EC_CATALOG_GROUP)
		load_rows_group(visit, tuple);
}

EcRun *
ec_run_load(EcReader *reader)
{
	EcRun *run = palloc0(sizeof(EcRun));
	RunVisit visit = {reader, run};

	reserve_rows(run, reader->entry->nrows);
	ec_list_visit(reader->list, &reader->entry->tid, &reader->entry->end, load_tuple, &visit);
	return run;
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

static void
deform(EcReader *reader)
{
	EcRun *run = reader->run;
	TupleDesc tupdesc = reader->tupdesc;
	Size n = (Size) run->nrows * tupdesc->natts;

	run->values = MemoryContextAllocHuge(reader->group_context, Max(n, 1) * sizeof(Datum));
	run->isnull = MemoryContextAllocHuge(reader->group_context, Max(n, 1) * sizeof(bool));
	for (uint32 row = 0; row < run->nrows; row++)
	{
		HeapTupleData view;

		view.t_data = run->tuples[row].header;
		view.t_len = run->tuples[row].len;
		heap_deform_tuple(&view, tupdesc, run->values + (Size) row * tupdesc->natts,
						  run->isnull + (Size) row * tupdesc->natts);
	}
}

bool
ec_reader_row_values(EcReader *reader, uint32 row, Datum **values, bool **isnull)
{
	EcRun *run = reader->run;
	Size at = (Size) row * reader->tupdesc->natts;

	if (run == NULL)
		return false;
	if (run->values == NULL)
		deform(reader);
	*values = run->values + at;
	*isnull = run->isnull + at;
	return true;
}

void
ec_run_column(EcReader *reader, int attidx, EcVector *out)
{
	EcRun *run = reader->run;
	int natts = reader->tupdesc->natts;

	if (run->values == NULL)
		deform(reader);
	if (run->batch == NULL)
		run->batch = ec_batch_create(reader->tupdesc, reader->group_context);
	if (ec_builder_rows(run->batch->columns[attidx]) == 0)
	{
		for (uint32 row = 0; row < run->nrows; row++)
			ec_batch_append_datum(run->batch, attidx, run->values[(Size) row * natts + attidx],
								  run->isnull[(Size) row * natts + attidx]);
	}
	ec_builder_view(run->batch->columns[attidx], out);
}
