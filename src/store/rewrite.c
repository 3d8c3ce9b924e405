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
 *				keep their numbers.  So do settled rows that such a tuple speaks of: a
 *				recent deletion's
 *	dropped		what nobody sees, and what tells of free pages
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
#include "store/merge.h"
#include "store/options.h"
#include "store/page.h"
#include "store/rewrite_sort.h"
#include "store/row.h"
#include "store/space.h"
#include "store/tableam.h"
#include "store/transfer.h"
#include "store/walk.h"

typedef struct Rewrite
{
	EcCompact k; /* of the old table */
	EcCompaction result;
	Relation new_table;
	Relation new_companion;
	TransactionId oldest_xmin;
	EcRewriteSort *sort; /* NULL: by row number */
	uint8 full_level;	 /* EcGroupLevel of full row groups */
	uint32 row_group_rows;
	CommandId cid;
	RewriteState heap;
	MemoryContext context; /* of one tuple */
	double carried;
	double dead;
	double recently_dead;
} Rewrite;

/* ------------------------------------------------------------------------
 * Settled rows
 * ------------------------------------------------------------------------
 */

static bool
any_kept(const Rewrite *w, const int64 *numbers, uint32 n)
{
	Size at;

	for (uint32 i = 0; i < n && w->k.survey->open.n > 0; i++)
	{
		if (ec_survey_has(&w->k.survey->open, numbers[i], &at))
			return true;
	}
	return false;
}

static void
write_renumbered(Rewrite *w, EcBatch *batch)
{
	EcDiskRange range = {.count = batch->nrows};
	EcGroupSpec spec = {.nranges = 1, .ranges = &range, .level = EC_LEVEL_MERGED};

	if (batch->nrows >= w->row_group_rows)
		spec.level = w->full_level;
	ec_meta_reserve(w->new_table, range.count, &range.first, &spec.number);
	ec_group_put(w->new_table, batch, &spec, w->cid, HEAP_INSERT_FROZEN);
}

/* What the merge hands over instead of writing it into the old table. */
static void
take_batch(void *arg, EcBatch *batch, const int64 *numbers)
{
	Rewrite *w = arg;

	if (any_kept(w, numbers, batch->nrows))
		ec_group_write_numbered(w->new_table, batch, numbers, EC_LEVEL_MERGED, w->cid,
								HEAP_INSERT_FROZEN);
	else if (w->sort != NULL)
		ec_rewrite_sort_add(w->sort, batch);
	else
		write_renumbered(w, batch);
}

static void
write_sorted(Rewrite *w)
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
write_settled(Rewrite *w)
{
	for (uint32 i = 0; i < w->k.survey->ngroups; i++)
		w->k.survey->groups[i].merge = !w->k.survey->groups[i].busy;
	w->k.merge_deltas = true;
	w->k.max_deltas = w->k.survey->deltas.n;
	w->k.sink = take_batch;
	w->k.sink_arg = w;
	ec_merge(&w->k);
	if (w->sort != NULL)
		write_sorted(w);
}

/* ------------------------------------------------------------------------
 * Others
 * ------------------------------------------------------------------------
 */

/* The rows of one group, and their numbers. */
static EcBatch *
read_group(Rewrite *w, const EcDescriptor *desc, ItemPointer tid, int64 *numbers)
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
carry_group(Rewrite *w, HeapTuple tuple)
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
	w->carried += old.nrows;
	return ec_catalog_form_tuple(RelationGetDescr(w->new_companion), &desc);
}

/* A row with columns that were added after it. */
static HeapTuple
complete_row(Rewrite *w, const EcRow *row)
{
	TupleDesc tupdesc = RelationGetDescr(w->k.rel);
	Datum *values = palloc(tupdesc->natts * sizeof(Datum));
	bool *isnull = palloc(tupdesc->natts * sizeof(bool));
	EcRowPayload *payload = palloc(sizeof(EcRowPayload));
	EcTupleBuffer *buffer = palloc(sizeof(EcTupleBuffer));
	EcCompanion target = {.main = w->new_table, .heap = w->new_companion};

	ec_row_deform(row, tupdesc, values, isnull);
	if (!ec_row_build(tupdesc, values, isnull, row->number, row->token, payload))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a row of table \"%s\" is too wide with the columns that were added since",
						RelationGetRelationName(w->k.rel)),
				 errhint("Run VACUUM, then try again when no older transaction runs.")));
	ec_companion_form(&target, EC_CATALOG_ROW, row->number, payload->start, payload->len, buffer);
	return heap_copytuple(&buffer->tuple);
}

static HeapTuple
carry_row(Rewrite *w, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcRow row;

	ec_row_parse(w->k.rel, tuple, opened, &row);
	if (row.state == EC_ROW_DATA)
	{
		w->carried += 1;
		if (row.natts < RelationGetDescr(w->k.rel)->natts)
			return complete_row(w, &row);
	}
	return heap_copytuple(tuple);
}

/* Has the row group of a mask been written anew, without the masked rows? */
static bool
is_replaced(const Rewrite *w, int64 group)
{
	for (uint32 i = 0; i < w->k.survey->ngroups; i++)
	{
		if (w->k.survey->groups[i].number == group)
			return w->k.survey->groups[i].merge;
	}
	return false;
}

/* What becomes of a tuple that isn't dead: a new one, or NULL if nothing does. */
static HeapTuple
carry_tuple(Rewrite *w, HeapTuple tuple, HTSV_Result state)
{
	bool settled = ec_survey_is_settled(tuple, state, w->oldest_xmin);
	EcCatalogTuple opened;
	EcRow row;
	Size at;

	ec_catalog_open_tuple(w->k.rel, tuple, &opened);
	switch ((EcCatalogKind) opened.kind)
	{
		case EC_CATALOG_GROUP:
			return settled && is_replaced(w, opened.number) ? NULL : carry_group(w, tuple);
		case EC_CATALOG_ROW:
			if (!settled)
				return carry_row(w, tuple, &opened);
			ec_row_parse(w->k.rel, tuple, &opened, &row);
			if (row.state == EC_ROW_DEAD &&
				ec_survey_has(&w->k.survey->tombstones, row.number, &at) && !w->k.dropped[at])
				return heap_copytuple(tuple);
			return NULL;
		case EC_CATALOG_MASK:
			return is_replaced(w, opened.number >> EC_MASK_BLOCK_BITS) ? NULL
																	   : heap_copytuple(tuple);
		case EC_CATALOG_RESERVE:
			return state == HEAPTUPLE_INSERT_IN_PROGRESS ? heap_copytuple(tuple) : NULL;
		case EC_CATALOG_FREE:
			break;
	}
	return NULL;
}

static void
rewrite_tuple(Rewrite *w, HeapTuple tuple, HTSV_Result state)
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
carry_others(Rewrite *w, TransactionId xid_cutoff, MultiXactId multi_cutoff)
{
	EcWalk walk;
	HeapTuple tuple;

	w->heap = begin_heap_rewrite(w->k.c->heap, w->new_companion, w->oldest_xmin, xid_cutoff,
								 multi_cutoff);
	w->context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight vacuum full",
									   ALLOCSET_DEFAULT_SIZES);
	ec_walk_begin(&walk, w->k.c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(w->context);

		rewrite_tuple(w, tuple, ec_walk_state(&walk, w->oldest_xmin));
		MemoryContextSwitchTo(old);
		MemoryContextReset(w->context);
	}
	ec_walk_end(&walk);
	end_heap_rewrite(w->heap);
	MemoryContextDelete(w->context);
}

/* ------------------------------------------------------------------------
 * All
 * ------------------------------------------------------------------------
 */

/* If nothing keeps its number, numbers start anew. */
static void
begin_numbers(Rewrite *w, const EcDiskMeta *meta)
{
	const EcSurvey *survey = w->k.survey;
	bool kept = survey->unsettled > 0 || survey->busy.n > 0 || survey->masks.n > 0 ||
				survey->tombstones.n > 0;

	if (kept)
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

void
ec_copy_for_cluster(Relation old_table, Relation new_table, Relation old_index, bool use_sort,
					TransactionId oldest_xmin, TransactionId *xid_cutoff, MultiXactId *multi_cutoff,
					double *num_tuples, double *tups_vacuumed, double *tups_recently_dead)
{
	Rewrite w = {.new_table = new_table, .oldest_xmin = oldest_xmin};
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
	w.k.survey = ec_survey(&c, oldest_xmin);
	w.k.dropped =
		palloc_extended(Max(w.k.survey->tombstones.n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	w.row_group_rows = Min(ec_options_get(old_table).row_group_rows, EC_GROUP_ROWS_MAX);
	w.cid = GetCurrentCommandId(true);
	w.sort = ec_rewrite_sort_begin(old_table, old_index);
	w.full_level = w.sort != NULL && old_index == NULL ? EC_LEVEL_SORTED : EC_LEVEL_FULL;
	w.new_companion = table_open(new_table->rd_rel->reltoastrelid, AccessExclusiveLock);
	begin_numbers(&w, &meta);
	write_settled(&w);
	if (w.sort != NULL)
		ec_rewrite_sort_end(w.sort);
	carry_others(&w, *xid_cutoff, *multi_cutoff);
	*num_tuples = w.result.rows_written + w.carried;
	*tups_vacuumed = w.result.rows_dropped + w.dead;
	*tups_recently_dead = w.recently_dead;
	ec_companion_close(&c);
	table_close(w.new_companion, NoLock);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	reindex_companion(new_table->rd_rel->reltoastrelid);
}
