/*
 * rewrite_mixed.c
 *	  CLUSTER beside older snapshots: rows that every snapshot sees and rows that
 *	  not all see, in one order.
 *
 * The order of a scan is that of the companion's tuples.  All rows, the others tagged
 * with the tuple that their visibility comes from, go through one sort; each run of
 * rows with the same tag that comes out becomes one tuple: a row group, or if the run
 * is short, tuples of single rows.  So a table in which such rows are scattered takes
 * as much space as a heap would, until VACUUM merges it.
 *
 * Rows get new numbers in this order; but those keep theirs of which a tombstone or a
 * header speaks that is carried over.  They are dead by now to all but older
 * snapshots and stand behind the others, except what a recent update has made of a row
 * that is too wide for a tuple, which becomes a row group of its own.
 *
 * Everything is inserted by rewriteheap.c, which writes pages past the buffer cache:
 * nothing else may extend the new companion meanwhile.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/rewriteheap.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/mask.h"
#include "store/page.h"
#include "store/rewrite_internal.h"
#include "store/row.h"
#include "store/space.h"
#include "store/transfer.h"
#include "store/walk.h"

/* Shorter runs become tuples of single rows. */
#define RUN_MIN 64

/* Row numbers taken at once. */
#define NUMBERS 1024

/* A tag: 0 is for rows that all see; else where the tuple stands in the old companion, and: */
#define TAG_ROW 1  /* the row stands in it */
#define TAG_KEEP 2 /* the row group's row keeps its number */

#define TAG_FLAGS_BITS 2
#define TAG_OFFSET_BITS 16

/* Rows that have come out of the sort and are not written yet. */
typedef struct Run
{
	EcRewrite *w;
	int64 tag;
	EcBatch *batch;
	int64 *numbers; /* their old ones */
	int64 next_number;
	int64 end_number;
	HeapTuple frozen;
	int64 header_tag;
	HeapTuple header; /* of header_tag */
} Run;

static int64
make_tag(ItemPointer tid, int flags)
{
	int64 place =
		(int64) ItemPointerGetBlockNumber(tid) << TAG_OFFSET_BITS | ItemPointerGetOffsetNumber(tid);

	return place << TAG_FLAGS_BITS | flags;
}

static void
tag_place(int64 tag, ItemPointer tid)
{
	int64 place = tag >> TAG_FLAGS_BITS;

	ItemPointerSet(tid, (BlockNumber) (place >> TAG_OFFSET_BITS),
				   (OffsetNumber) (place & ((1 << TAG_OFFSET_BITS) - 1)));
}

/* ------------------------------------------------------------------------
 * Tuples of the new companion
 * ------------------------------------------------------------------------
 */

/* Visible to all. */
static HeapTuple
make_frozen(void)
{
	HeapTuple tuple = palloc0(HEAPTUPLESIZE + SizeofHeapTupleHeader);

	tuple->t_data = (HeapTupleHeader) ((char *) tuple + HEAPTUPLESIZE);
	tuple->t_len = SizeofHeapTupleHeader;
	tuple->t_data->t_infomask = HEAP_XMIN_FROZEN | HEAP_XMAX_INVALID;
	HeapTupleHeaderSetXmin(tuple->t_data, GetCurrentTransactionId());
	ItemPointerSet(&tuple->t_self, 0, FirstOffsetNumber);
	tuple->t_data->t_ctid = tuple->t_self;
	return tuple;
}

static void
put_group(EcRewrite *w, EcBatch *batch, const EcGroupSpec *spec, HeapTuple header)
{
	MemoryContext old = MemoryContextSwitchTo(w->context);
	EcDescriptor desc;

	ec_group_encode(w->new_table, batch, spec, &desc);
	rewrite_heap_tuple(w->heap, header,
					   ec_catalog_form_tuple(RelationGetDescr(w->new_companion), &desc));
	if (desc.form == EC_FORM_EXTENT)
		ec_space_unlock_writer(w->new_table);
	MemoryContextSwitchTo(old);
	MemoryContextReset(w->context);
}

void
ec_rewrite_mixed_put_numbered(EcRewrite *w, EcBatch *batch, const int64 *numbers, uint8 level,
							  HeapTuple header)
{
	EcDiskRange ranges[EC_RANGES_MAX];
	EcGroupSpec spec = {.level = level};

	ec_meta_reserve(w->new_table, 0, NULL, &spec.number);
	ec_group_number(&spec, numbers, batch->nrows, ranges);
	put_group(w, batch, &spec, header != NULL ? header : make_frozen());
}

/* NULL if it is too wide. */
static HeapTuple
form_row(EcRewrite *w, const Datum *values, const bool *isnull, int64 number)
{
	EcCompanion target = {.main = w->new_table, .heap = w->new_companion};
	EcRowPayload payload;
	EcTupleBuffer buffer;

	if (!ec_row_build(RelationGetDescr(w->new_table), values, isnull, number, 0, &payload))
		return NULL;
	ec_companion_form(&target, EC_CATALOG_ROW, number, payload.start, payload.len, &buffer);
	return heap_copytuple(&buffer.tuple);
}

/* ------------------------------------------------------------------------
 * Into the sort
 * ------------------------------------------------------------------------
 */

typedef struct Collect
{
	EcRewrite *w;
	EcReader *reader;
	int64 tag; /* of the row group's descriptor */
	uint32 *rows[3];
	uint32 n[3]; /* by EcRewriteKeep */
	EcBatch *dead;
	int64 *dead_numbers;
} Collect;

static void
collect_rows(Collect *c, uint32 block, EcRewriteKeep keep)
{
	EcRewrite *w = c->w;
	uint32 n = c->n[keep];
	EcBatch *batch = keep == EC_KEEP_DEAD
						 ? c->dead
						 : ec_batch_create(RelationGetDescr(w->new_table), CurrentMemoryContext);
	int64 *numbers =
		keep == EC_KEEP_DEAD ? c->dead_numbers + c->dead->nrows : palloc(Max(n, 1) * sizeof(int64));

	for (uint32 i = 0; i < n; i++)
		numbers[i] = ec_reader_row_number(c->reader, block * EC_BLOCK_ROWS + c->rows[keep][i]);
	if (n > 0)
		ec_transfer_block(c->reader, block, c->rows[keep], n, batch);
	if (keep == EC_KEEP_DEAD)
		return;
	ec_rewrite_sort_add(w->sort, batch, c->tag | (keep == EC_KEEP_LIVE ? TAG_KEEP : 0), numbers);
	ec_batch_destroy(batch);
	pfree(numbers);
}

static void
collect_block(Collect *c, uint32 block, const uint64 *dead)
{
	const uint64 *words = dead == NULL ? NULL : dead + (Size) block * EC_MASK_WORDS;
	uint32 nrows = ec_reader_block_rows(c->reader, block);

	memset(c->n, 0, sizeof(c->n));
	for (uint32 row = 0; row < nrows; row++)
	{
		EcRewriteKeep keep;

		if (words != NULL && (words[row / 64] >> row % 64 & 1) != 0)
			continue;
		keep = ec_rewrite_keep(c->w, ec_reader_row_number(c->reader, block * EC_BLOCK_ROWS + row));
		c->rows[keep][c->n[keep]++] = row;
	}
	for (int keep = EC_KEEP_NOT; keep <= EC_KEEP_LIVE; keep++)
	{
		if (c->n[keep] > 0)
			collect_rows(c, block, keep);
	}
}

/* The rows of a row group that not all see. */
static void
collect_group(EcRewrite *w, HeapTuple tuple, const EcDescriptor *desc)
{
	EcReaderPick pick = {.number = desc->number, .tid = tuple->t_self};
	Collect c = {.w = w, .tag = make_tag(&tuple->t_self, 0)};
	uint32 ndead;
	uint32 fresh;
	uint64 *dead;

	c.reader = ec_reader_begin_groups(w->k.rel, &pick, 1, CurrentMemoryContext);
	if (!ec_reader_next_group(c.reader))
		elog(ERROR, "row group " INT64_FORMAT " is gone", desc->number);
	for (int i = 0; i < lengthof(c.rows); i++)
		c.rows[i] = palloc(EC_BLOCK_ROWS * sizeof(uint32));
	c.dead = ec_batch_create(RelationGetDescr(w->new_table), CurrentMemoryContext);
	c.dead_numbers = palloc_extended(desc->nrows * sizeof(int64), MCXT_ALLOC_HUGE);
	dead = ec_compact_dead(&w->k, c.reader, true, &ndead, &fresh);
	w->result.rows_dropped += ndead;
	w->carried += desc->nrows - ndead;
	for (uint32 block = 0; block < ec_reader_group(c.reader)->nblocks; block++)
		collect_block(&c, block, dead);
	ec_reader_end(c.reader);
	if (c.dead->nrows > 0)
		ec_rewrite_mixed_put_numbered(w, c.dead, c.dead_numbers, EC_LEVEL_WRITTEN, tuple);
}

/* A row that stands in a tuple which not all see, or not all see deleted. */
static void
collect_row(EcRewrite *w, HeapTuple tuple, const EcCatalogTuple *opened)
{
	TupleDesc tupdesc = RelationGetDescr(w->k.rel);
	Datum *values;
	bool *isnull;
	EcRow row;

	ec_row_parse(w->k.rel, tuple, opened, &row);
	if (row.state != EC_ROW_DATA || ec_rewrite_is_replaced(w, row.number, &tuple->t_self))
		return;
	values = palloc(Max(tupdesc->natts, 1) * sizeof(Datum));
	isnull = palloc(Max(tupdesc->natts, 1) * sizeof(bool));
	ec_row_deform(&row, tupdesc, values, isnull);
	ec_rewrite_sort_add_row(w->sort, values, isnull, make_tag(&tuple->t_self, TAG_ROW));
	w->carried += 1;
}

static void
collect_tuple(EcRewrite *w, HeapTuple tuple, HTSV_Result state, bool groups)
{
	EcCatalogTuple opened;
	EcDescriptor desc;

	if (state == HEAPTUPLE_DEAD || ec_survey_is_settled(tuple, state, w->oldest_xmin))
		return;
	ec_catalog_open_tuple(w->k.rel, tuple, &opened);
	if (!groups && opened.kind == EC_CATALOG_ROW)
		collect_row(w, tuple, &opened);
	else if (groups && opened.kind == EC_CATALOG_GROUP &&
			 (state == HEAPTUPLE_LIVE || state == HEAPTUPLE_INSERT_IN_PROGRESS))
	{
		ec_catalog_read_tuple(w->k.rel, tuple, &desc);
		if (desc.level == EC_LEVEL_WRITTEN)
			collect_group(w, tuple, &desc);
	}
}

static void
collect(EcRewrite *w, bool groups)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight collect", ALLOCSET_DEFAULT_SIZES);
	EcWalk walk;
	HeapTuple tuple;

	ec_walk_begin(&walk, w->k.c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		collect_tuple(w, tuple, ec_walk_state(&walk, w->oldest_xmin), groups);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	ec_walk_end(&walk);
	MemoryContextDelete(context);
}

/* Row groups first: they tell which rows in tuples have been replaced. */
void
ec_rewrite_mixed_collect(EcRewrite *w)
{
	collect(w, true);
	collect(w, false);
}

/* ------------------------------------------------------------------------
 * Out of the sort
 * ------------------------------------------------------------------------
 */

/* Consecutive, in the order in which they are asked for. */
static int64
take_numbers(Run *run, int64 n)
{
	int64 first;

	if (run->end_number - run->next_number < n)
	{
		int64 count = Max(n, NUMBERS);

		ec_meta_reserve(run->w->new_table, count, &run->next_number, NULL);
		run->end_number = run->next_number + count;
	}
	first = run->next_number;
	run->next_number += n;
	return first;
}

/* The tuple that decides who sees the rows. */
static HeapTuple
find_header(Run *run, int64 tag)
{
	EcCatalogTuple opened;
	ItemPointerData tid;
	HeapTuple tuple;

	if (tag == 0)
		return run->frozen;
	if (run->header != NULL && run->header_tag == (tag & ~TAG_KEEP))
		return run->header;
	if (run->header != NULL)
		heap_freetuple(run->header);
	tag_place(tag, &tid);
	tuple = ec_companion_fetch(run->w->k.c, &tid, &opened);
	if (tuple == NULL)
		elog(ERROR, "tuple (%u,%u) of the companion is gone", ItemPointerGetBlockNumber(&tid),
			 ItemPointerGetOffsetNumber(&tid));
	run->header = heap_copytuple(tuple);
	run->header_tag = tag & ~TAG_KEEP;
	return run->header;
}

static void
write_row(Run *run, const EcRewriteRow *row)
{
	EcRewrite *w = run->w;
	HeapTuple header = find_header(run, row->tag);
	MemoryContext old = MemoryContextSwitchTo(w->context);
	HeapTuple tuple = form_row(w, row->values, row->isnull, take_numbers(run, 1));

	if (tuple == NULL)
		ec_rewrite_too_wide(w->k.rel);
	rewrite_heap_tuple(w->heap, header, tuple);
	MemoryContextSwitchTo(old);
	MemoryContextReset(w->context);
}

/* False, and nothing is done, if one of them is too wide. */
static bool
write_short(Run *run, HeapTuple header, int64 first)
{
	EcRewrite *w = run->w;
	EcBatch *batch = run->batch;
	MemoryContext old = MemoryContextSwitchTo(w->context);
	Datum *values = palloc(Max(batch->natts, 1) * sizeof(Datum));
	bool *isnull = palloc(Max(batch->natts, 1) * sizeof(bool));
	EcVector *views = ec_transfer_views(batch);
	HeapTuple tuples[RUN_MIN];
	bool fits = true;

	for (uint32 i = 0; i < batch->nrows && fits; i++)
	{
		ec_transfer_row(batch, views, i, values, isnull);
		tuples[i] = form_row(w, values, isnull, first + i);
		fits = tuples[i] != NULL;
	}
	for (uint32 i = 0; i < batch->nrows && fits; i++)
		rewrite_heap_tuple(w->heap, header, tuples[i]);
	MemoryContextSwitchTo(old);
	MemoryContextReset(w->context);
	return fits;
}

/* A row group; or single rows, if there are few and nothing speaks of them. */
static void
write_run(Run *run)
{
	EcRewrite *w = run->w;
	EcBatch *batch = run->batch;
	HeapTuple header = find_header(run, run->tag);
	EcDiskRange range = {.count = batch->nrows};
	EcGroupSpec spec = {.nranges = 1, .ranges = &range};
	bool late;

	if (run->tag == 0)
		spec.level = batch->nrows >= w->row_group_rows ? w->full_level : EC_LEVEL_MERGED;
	range.first = run->tag & TAG_KEEP ? run->numbers[0] : take_numbers(run, batch->nrows);
	late = run->tag != 0 &&
		   ec_rewrite_note_late(w, header->t_data, run->numbers, range.first, batch->nrows);
	if (batch->nrows < RUN_MIN && !late && (run->tag & TAG_KEEP) == 0 &&
		write_short(run, header, range.first))
		return;
	ec_meta_reserve(w->new_table, 0, NULL, &spec.number);
	put_group(w, batch, &spec, header);
}

static void
flush_run(Run *run)
{
	if (run->batch->nrows == 0)
		return;
	write_run(run);
	if (run->batch->nrows < RUN_MIN)
		ec_batch_reset(run->batch);
	else
	{
		ec_batch_destroy(run->batch);
		run->batch = ec_batch_create(RelationGetDescr(run->w->new_table), CurrentMemoryContext);
	}
}

static void
add_to_run(Run *run, const EcRewriteRow *row)
{
	if (row->tag != run->tag || (row->tag & TAG_KEEP) != 0 ||
		ec_rewrite_is_full(run->batch, run->w->row_group_rows))
		flush_run(run);
	run->tag = row->tag;
	run->numbers[run->batch->nrows] = row->number;
	ec_transfer_append(run->batch, row->values, row->isnull);
}

void
ec_rewrite_mixed_write(EcRewrite *w)
{
	Run run = {.w = w, .frozen = make_frozen()};
	EcRewriteRow row;

	run.batch = ec_batch_create(RelationGetDescr(w->new_table), CurrentMemoryContext);
	run.numbers = palloc_extended(w->row_group_rows * sizeof(int64), MCXT_ALLOC_HUGE);
	while (ec_rewrite_sort_next_row(w->sort, &row))
	{
		if ((row.tag & TAG_ROW) == 0)
		{
			add_to_run(&run, &row);
			continue;
		}
		flush_run(&run);
		write_row(&run, &row);
	}
	flush_run(&run);
	ec_batch_destroy(run.batch);
}
