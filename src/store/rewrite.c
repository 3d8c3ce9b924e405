/*
 * rewrite.c
 *	  VACUUM FULL and CLUSTER: the table's rows into new files.
 *
 * Both tables are locked against everybody, so only older snapshots of this and
 * other sessions matter, and what this transaction itself has done.
 *
 *	settled		rows that every snapshot sees (survey.c), whether they stand in row
 *				groups or in tuples of their own, go into new full row groups, in the
 *				wanted order.  Their descriptors are frozen.  The rows get new numbers,
 *				as core builds the indexes anew
 *	others		tuples and row groups that not all see are carried over one by one,
 *				with their transaction ids, as a heap's tuples are (rewriteheap.c), and
 *				keep their numbers; CLUSTER puts them in their places (rewrite_mixed.c).
 *				So do settled rows that such a tuple speaks of: a recent deletion's
 *	dropped		what nobody sees, what tells of free pages, and summaries
 *
 * New numbers start beyond all old ones if anything keeps its own, else at 0.
 *
 * All rows come out with all of the table's columns: core forgets the values of
 * columns that older rows lack (attmissingval) when a table has been rewritten.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/rewriteheap.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/group.h"
#include "store/late.h"
#include "store/options.h"
#include "store/page.h"
#include "store/rewrite_internal.h"
#include "store/row.h"
#include "store/space.h"
#include "store/tableam.h"
#include "store/transfer.h"
#include "store/vacuum.h"
#include "store/walk.h"

/* ------------------------------------------------------------------------
 * Settled rows
 * ------------------------------------------------------------------------
 */

EcRewriteKeep
ec_rewrite_keep(EcRewrite *w, int64 number)
{
	const EcSurveyRows *open = &w->k.survey->open;
	EcRewriteKeep keep = EC_KEEP_NOT;

	if (open->n == 0)
		return keep;
	for (Size at = ec_survey_find(open, number); at < open->n && open->rows[at].number == number;
		 at++)
	{
		EcSurveyRow *row = &open->rows[at];

		if (row->open == EC_OPEN_DATA)
			row->open = EC_OPEN_REPLACED;
		else if (row->open == EC_OPEN_DEAD)
			keep = EC_KEEP_DEAD;
		else if (row->open == EC_OPEN_HEADER && keep == EC_KEEP_NOT)
			keep = EC_KEEP_LIVE;
	}
	return keep;
}

bool
ec_rewrite_is_replaced(const EcRewrite *w, int64 number, ItemPointer tid)
{
	const EcSurveyRows *open = &w->k.survey->open;

	for (Size at = ec_survey_find(open, number); at < open->n && open->rows[at].number == number;
		 at++)
	{
		if (open->rows[at].open == EC_OPEN_REPLACED && ItemPointerEquals(&open->rows[at].tid, tid))
			return true;
	}
	return false;
}

static void
write_renumbered(EcRewrite *w, EcBatch *batch)
{
	EcDiskRange range = {.count = batch->nrows};
	EcGroupSpec spec = {.nranges = 1, .ranges = &range, .level = EC_LEVEL_MERGED};

	if (batch->nrows >= w->row_group_rows)
		spec.level = w->full_level;
	ec_meta_reserve(w->new_table, range.count, &range.first, &spec.number);
	ec_group_put(w->new_table, batch, &spec, w->cid, HEAP_INSERT_FROZEN);
}

static void
write_kept(EcRewrite *w)
{
	if (w->kept->nrows == 0)
		return;
	if (w->mixed)
		ec_rewrite_mixed_put_numbered(w, w->kept, w->kept_numbers, EC_LEVEL_MERGED, NULL);
	else
		ec_group_write_numbered(w->new_table, w->kept, w->kept_numbers, EC_LEVEL_MERGED, w->cid,
								HEAP_INSERT_FROZEN);
	ec_batch_destroy(w->kept);
	w->kept = ec_batch_create(RelationGetDescr(w->new_table), CurrentMemoryContext);
}

/* All but those that keep their numbers. */
static void
sort_rows(EcRewrite *w, EcBatch *batch, const int64 *numbers)
{
	Datum *values = palloc(Max(batch->natts, 1) * sizeof(Datum));
	bool *isnull = palloc(Max(batch->natts, 1) * sizeof(bool));
	EcVector *views = ec_transfer_views(batch);

	for (uint32 row = 0; row < batch->nrows; row++)
	{
		MemoryContext old = MemoryContextSwitchTo(w->context);

		CHECK_FOR_INTERRUPTS();
		ec_transfer_row(batch, views, row, values, isnull);
		MemoryContextSwitchTo(old);
		if (ec_rewrite_keep(w, numbers[row]) == EC_KEEP_NOT)
			ec_rewrite_sort_add_row(w->sort, values, isnull, 0);
		else
		{
			w->kept_numbers[w->kept->nrows] = numbers[row];
			ec_transfer_append(w->kept, values, isnull);
			if (ec_rewrite_is_full(w->kept, w->row_group_rows))
				write_kept(w);
		}
		MemoryContextReset(w->context);
	}
	pfree(views);
	pfree(values);
	pfree(isnull);
}

/* What the merge hands over instead of writing it into the old table. */
static void
take_batch(void *arg, EcBatch *batch, const int64 *numbers)
{
	EcRewrite *w = arg;
	bool any = false;

	for (uint32 i = 0; i < batch->nrows && w->k.survey->open.n > 0; i++)
		any |= ec_rewrite_keep(w, numbers[i]) != EC_KEEP_NOT;
	if (w->sort != NULL && any)
		sort_rows(w, batch, numbers);
	else if (w->sort != NULL)
		ec_rewrite_sort_add(w->sort, batch, 0, NULL);
	else if (any)
		ec_group_write_numbered(w->new_table, batch, numbers, EC_LEVEL_MERGED, w->cid,
								HEAP_INSERT_FROZEN);
	else
		write_renumbered(w, batch);
}

static void
write_sorted(EcRewrite *w)
{
	EcBatch *batch = ec_batch_create(RelationGetDescr(w->new_table), CurrentMemoryContext);

	while (ec_rewrite_sort_next(w->sort, batch, w->row_group_rows))
	{
		write_renumbered(w, batch);
		ec_batch_destroy(batch);
		batch = ec_batch_create(RelationGetDescr(w->new_table), CurrentMemoryContext);
	}
	ec_batch_destroy(batch);
}

static void
write_settled(EcRewrite *w)
{
	for (uint32 i = 0; i < w->k.survey->ngroups; i++)
		w->k.survey->groups[i].merge = true;
	w->k.merge_deltas = true;
	w->k.max_deltas = w->k.survey->deltas.n;
	w->k.sink = take_batch;
	w->k.sink_arg = w;
	ec_merge(&w->k);
	if (w->sort == NULL)
		return;
	write_kept(w);
	if (!w->mixed)
		write_sorted(w);
}

/* ------------------------------------------------------------------------
 * Others
 * ------------------------------------------------------------------------
 */

bool
ec_rewrite_note_late(EcRewrite *w, HeapTupleHeader header, const int64 *numbers, int64 first,
					 uint32 n)
{
	CommandId group_cid;
	bool any = false;

	if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(header)))
		return false;
	group_cid = HeapTupleHeaderGetCmin(header);
	for (uint32 i = 0; i < n; i++)
	{
		CommandId cid = ec_late_command(w->k.rel, numbers[i], group_cid);

		if (cid == group_cid)
			continue;
		ec_late_note(w->new_table, first < 0 ? numbers[i] : first + i, cid, group_cid);
		any = true;
	}
	return any;
}

/* The rows of one group, and their numbers. */
static EcBatch *
read_group(EcRewrite *w, const EcDescriptor *desc, ItemPointer tid, int64 *numbers)
{
	EcReaderPick pick = {.number = desc->number, .tid = *tid};
	EcReader *reader = ec_reader_begin_groups(w->k.rel, &pick, 1, CurrentMemoryContext);
	EcBatch *batch = ec_batch_create(RelationGetDescr(w->new_table), CurrentMemoryContext);
	uint32 *rows = palloc(EC_BLOCK_ROWS * sizeof(uint32));

	for (uint32 i = 0; i < EC_BLOCK_ROWS; i++)
		rows[i] = i;
	if (!ec_reader_next_group(reader))
		elog(ERROR, "row group " INT64_FORMAT " is gone", desc->number);
	for (uint32 row = 0; row < desc->nrows; row++)
		numbers[row] = ec_reader_row_number(reader, row);
	for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		ec_transfer_block(reader, block, rows, ec_reader_block_rows(reader, block), batch);
	ec_reader_end(reader);
	return batch;
}

/* The descriptor of the same rows in the new table. */
static HeapTuple
carry_group(EcRewrite *w, HeapTuple tuple)
{
	EcDescriptor old;
	EcDescriptor desc;
	EcGroupSpec spec;
	EcBatch *batch;
	int64 *numbers;

	ec_catalog_read_tuple(w->k.rel, tuple, &old);
	numbers = palloc_extended(old.nrows * sizeof(int64), MCXT_ALLOC_HUGE);
	batch = read_group(w, &old, &tuple->t_self, numbers);
	spec.number = old.number;
	spec.level = old.level;
	spec.nranges = old.nranges;
	spec.ranges = old.ranges;
	spec.numbers = old.numbered ? numbers : NULL;
	ec_group_encode(w->new_table, batch, &spec, &desc);
	if (desc.form == EC_FORM_EXTENT)
		ec_space_unlock_writer(w->new_table);
	(void) ec_rewrite_note_late(w, tuple->t_data, numbers, -1, old.nrows);
	w->carried += old.nrows;
	return ec_catalog_form_tuple(RelationGetDescr(w->new_companion), &desc);
}

void
ec_rewrite_too_wide(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("a row of table \"%s\" is too wide with the columns that were added since",
					RelationGetRelationName(rel)),
			 errhint("Run VACUUM, then try again when no older transaction runs.")));
}

/* A row with columns that were added after it. */
static HeapTuple
complete_row(EcRewrite *w, const EcRow *row)
{
	TupleDesc tupdesc = RelationGetDescr(w->k.rel);
	Datum *values = palloc(tupdesc->natts * sizeof(Datum));
	bool *isnull = palloc(tupdesc->natts * sizeof(bool));
	EcRowPayload *payload = palloc(sizeof(EcRowPayload));
	EcTupleBuffer *buffer = palloc(sizeof(EcTupleBuffer));
	EcCompanion target = {.main = w->new_table, .heap = w->new_companion};

	ec_row_deform(row, tupdesc, values, isnull);
	if (!ec_row_build(tupdesc, values, isnull, row->number, row->token, payload))
		ec_rewrite_too_wide(w->k.rel);
	ec_companion_form(&target, EC_CATALOG_ROW, row->number, payload->start, payload->len, buffer);
	return heap_copytuple(&buffer->tuple);
}

static HeapTuple
carry_row(EcRewrite *w, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcRow row;

	ec_row_parse(w->k.rel, tuple, opened, &row);
	if (row.state == EC_ROW_DATA)
	{
		if (w->mixed || ec_rewrite_is_replaced(w, row.number, &tuple->t_self))
			return NULL;
		w->carried += 1;
		if (row.natts < RelationGetDescr(w->k.rel)->natts)
			return complete_row(w, &row);
	}
	return heap_copytuple(tuple);
}

/*
 * A row group: of those that are dead to us compaction has moved the rows, so
 * that every snapshot sees them in another one.
 */
static HeapTuple
carry_if_written(EcRewrite *w, HeapTuple tuple, HTSV_Result state)
{
	EcDescriptor desc;

	if (w->mixed || (state != HEAPTUPLE_LIVE && state != HEAPTUPLE_INSERT_IN_PROGRESS))
		return NULL;
	ec_catalog_read_tuple(w->k.rel, tuple, &desc);
	return desc.level > EC_LEVEL_WRITTEN ? NULL : carry_group(w, tuple);
}

/* What becomes of a tuple that isn't dead: a new one, or NULL if nothing does. */
static HeapTuple
carry_tuple(EcRewrite *w, HeapTuple tuple, HTSV_Result state)
{
	bool settled = ec_survey_is_settled(tuple, state, w->oldest_xmin);
	EcCatalogTuple opened;
	EcRow row;
	Size at;

	ec_catalog_open_tuple(w->k.rel, tuple, &opened);
	switch ((EcCatalogKind) opened.kind)
	{
		case EC_CATALOG_GROUP:
			return settled ? NULL : carry_if_written(w, tuple, state);
		case EC_CATALOG_ROW:
			if (!settled)
				return carry_row(w, tuple, &opened);
			ec_row_parse(w->k.rel, tuple, &opened, &row);
			if (row.state == EC_ROW_DEAD &&
				ec_survey_has(&w->k.survey->tombstones, row.number, &at) && !w->k.dropped[at])
				return heap_copytuple(tuple);
			return NULL;
		case EC_CATALOG_RESERVE: /* one that isn't over is this transaction's, which has written its rows */
		case EC_CATALOG_MASK:	 /* only compaction makes them */
		case EC_CATALOG_SUMMARY: /* of row groups that are no more */
		case EC_CATALOG_FREE:
		case EC_CATALOG_PLACE:
		case EC_CATALOG_COUNTERS: /* begin_numbers has asked for them */
			break;
	}
	return NULL;
}

static void
rewrite_tuple(EcRewrite *w, HeapTuple tuple, HTSV_Result state)
{
	HeapTuple copy;

	if (state == HEAPTUPLE_DEAD)
	{
		w->dead += 1;
		rewrite_heap_dead_tuple(w->heap, tuple);
		return;
	}
	w->recently_dead += state == HEAPTUPLE_RECENTLY_DEAD || state == HEAPTUPLE_DELETE_IN_PROGRESS;
	copy = carry_tuple(w, tuple, state);
	if (copy != NULL)
		rewrite_heap_tuple(w->heap, tuple, copy);
}

static void
carry_others(EcRewrite *w)
{
	EcWalk walk;
	HeapTuple tuple;

	ec_walk_begin(&walk, w->k.c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(w->context);

		rewrite_tuple(w, tuple, ec_walk_state(&walk, w->oldest_xmin));
		MemoryContextSwitchTo(old);
		MemoryContextReset(w->context);
	}
	ec_walk_end(&walk);
}

/* ------------------------------------------------------------------------
 * All
 * ------------------------------------------------------------------------
 */

/* If nothing keeps its number, numbers start anew. */
static void
begin_numbers(EcRewrite *w, const EcDiskMeta *meta)
{
	const EcSurvey *survey = w->k.survey;

	if (survey->unsettled > 0 || survey->tombstones.n > 0)
		ec_meta_copy(w->new_table, meta);
}

/*
 * The rewrite fills the heap only.  As the relation was made by this transaction,
 * core would think that no other session's snapshot matters to it, and leave out of
 * the index what only older snapshots see; but it is about to become the table's own.
 */
static void
reindex_companion(Oid oid)
{
	Relation companion = table_open(oid, AccessExclusiveLock);
	SubTransactionId created = companion->rd_createSubid;

	companion->rd_createSubid = InvalidSubTransactionId;
	PG_TRY();
	{
		ec_compat_reindex_relation(oid);
	}
	PG_FINALLY();
	{
		companion->rd_createSubid = created;
	}
	PG_END_TRY();
	table_close(companion, NoLock);
}

/* The heap's rewrite extends the companion on its own: ours is done before it, or all by it. */
static void
write_all(EcRewrite *w, TransactionId xid_cutoff, MultiXactId multi_cutoff)
{
	if (!w->mixed)
		write_settled(w);
	w->heap = begin_heap_rewrite(w->k.c->heap, w->new_companion, w->oldest_xmin, xid_cutoff,
								 multi_cutoff);
	if (w->mixed)
	{
		write_settled(w);
		ec_rewrite_mixed_collect(w);
		ec_rewrite_mixed_write(w);
	}
	if (w->sort != NULL)
		ec_rewrite_sort_end(w->sort);
	carry_others(w);
	end_heap_rewrite(w->heap);
}

void
ec_copy_for_cluster(Relation old_table, Relation new_table, Relation old_index, bool use_sort,
					TransactionId oldest_xmin, TransactionId *xid_cutoff, MultiXactId *multi_cutoff,
					double *num_tuples, double *tups_vacuumed, double *tups_recently_dead)
{
	EcRewrite w = {.new_table = new_table, .oldest_xmin = oldest_xmin};
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight rewrite", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcCompanion c;
	EcDiskMeta meta;

	if (!ec_meta_read(old_table, &meta) || !ec_companion_open(old_table, AccessExclusiveLock, &c))
		return;
	w.k.rel = old_table;
	w.k.c = &c;
	w.k.result = &w.result;
	w.k.survey = ec_survey(&c, oldest_xmin, true);
	w.k.dropped =
		palloc_extended(Max(w.k.survey->tombstones.n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	w.row_group_rows = Min(ec_options_get(old_table).row_group_rows, EC_GROUP_ROWS_MAX);
	w.cid = GetCurrentCommandId(true);
	w.context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight rewritten", ALLOCSET_DEFAULT_SIZES);
	w.mixed = old_index != NULL && w.k.survey->unsettled > 0;
	w.sort = ec_rewrite_sort_begin(old_table, old_index, w.mixed);
	w.mixed &= w.sort != NULL;
	w.full_level = w.sort != NULL && old_index == NULL ? EC_LEVEL_SORTED : EC_LEVEL_FULL;
	w.new_companion = table_open(new_table->rd_rel->reltoastrelid, AccessExclusiveLock);
	begin_numbers(&w, &meta);
	if (w.sort != NULL)
	{
		w.kept = ec_batch_create(RelationGetDescr(new_table), context);
		w.kept_numbers = palloc_extended(w.row_group_rows * sizeof(int64), MCXT_ALLOC_HUGE);
	}
	write_all(&w, *xid_cutoff, *multi_cutoff);
	*num_tuples = w.result.rows_written + w.carried;
	*tups_vacuumed = w.result.rows_dropped + w.dead;
	*tups_recently_dead = w.recently_dead;
	ec_companion_close(&c);
	table_close(w.new_companion, NoLock);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	reindex_companion(new_table->rd_rel->reltoastrelid);
	ec_vacuum_rewritten(old_table);
}
