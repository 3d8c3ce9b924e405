/*
 * index_build.c
 *	  Reads a table's rows for a new index.
 *
 * An ordinary build holds ShareLock, so nobody changes the table: SnapshotSelf shows
 * the rows that are alive now, alike in each process of a parallel build.  Rows
 * that were deleted not long ago, which older snapshots may still ask the index for,
 * come behind them.
 * Concurrent builds index what an MVCC snapshot sees and then, in the validation,
 * what a later one sees and the index lacks.
 *
 * BRIN summarises ranges of blocks, which columnar tables have in their zones.
 * Such an index is accepted but stays empty; the planner never uses it
 * (scan/plan.c).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/parallel.h"
#include "access/relscan.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/progress.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "base/compat.h"
#include "store/catalog.h"
#include "store/fetch.h"
#include "store/index.h"
#include "store/list.h"
#include "store/reader.h"
#include "store/row.h"
#include "store/rowscan.h"
#include "store/tableam.h"
#include "store/tid.h"
#include "store/walk.h"

/* Forms index entries from rows. */
typedef struct Former
{
	IndexInfo *info;
	EState *estate;
	ExprContext *econtext;
	TupleTableSlot *slot;
	ExprState *predicate;
	Datum values[INDEX_MAX_KEYS];
	bool isnull[INDEX_MAX_KEYS];
} Former;

static void
begin_former(Former *former, Relation rel, IndexInfo *info)
{
	former->info = info;
	former->estate = CreateExecutorState();
	former->econtext = GetPerTupleExprContext(former->estate);
	former->slot = table_slot_create(rel, NULL);
	former->econtext->ecxt_scantuple = former->slot;
	former->predicate = ExecPrepareQual(info->ii_Predicate, former->estate);
}

static void
end_former(Former *former)
{
	ExecDropSingleTupleTableSlot(former->slot);
	FreeExecutorState(former->estate);

	/* these may have been pointing to the now-gone estate */
	former->info->ii_ExpressionsState = NIL;
	former->info->ii_PredicateState = NULL;
}

/* False if the row in the slot is none of the index's. */
static bool
form_entry(Former *former)
{
	MemoryContextReset(former->econtext->ecxt_per_tuple_memory);
	if (former->predicate != NULL && !ExecQual(former->predicate, former->econtext))
		return false;
	FormIndexDatum(former->info, former->slot, former->estate, former->values, former->isnull);
	return true;
}

/* ------------------------------------------------------------------------
 * Building
 * ------------------------------------------------------------------------
 */

static bool
is_brin(Relation index)
{
	return index->rd_rel->relam == BRIN_AM_OID;
}

static double
build_from_scan(TableScanDesc scan, Relation index, Former *former, bool progress,
				IndexBuildCallback callback, void *state)
{
	double rows = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, former->slot))
	{
		CHECK_FOR_INTERRUPTS();
		rows += 1;
		if (progress && (int64) rows % 1024 == 0)
			pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) rows);
		if (form_entry(former))
			callback(index, &former->slot->tts_tid, former->values, former->isnull, true, state);
	}
	return rows;
}

/*
 * Is the row dead now, but maybe not for older snapshots?  If so, the slot gets it.
 * Of a row that was moved to a group and deleted there, only the tombstone counts.
 */
static bool
is_recently_dead(EcCompanion *c, EcWalk *walk, HeapTuple tuple, TransactionId oldest_xmin,
				 TupleTableSlot *slot)
{
	Relation rel = c->main;
	ItemPointerData tid;
	HTSV_Result state;
	EcRowDirty dirty;
	EcRow probed;
	EcRow row;

	if (!ec_row_from_tuple(rel, tuple, &row) || row.state == EC_ROW_LIVE)
		return false;
	state = ec_walk_state(walk, oldest_xmin);
	if (state == HEAPTUPLE_DEAD)
		return false;
	if (row.state == EC_ROW_DEAD &&
		TransactionIdPrecedes(HeapTupleHeaderGetXmin(tuple->t_data), oldest_xmin))
		return false;
	if (row.state == EC_ROW_DATA && state != HEAPTUPLE_RECENTLY_DEAD &&
		state != HEAPTUPLE_DELETE_IN_PROGRESS)
		return false;

	/* compaction has moved it to a row group, or a tombstone was rolled back */
	ec_tid_from_row(row.number, &tid);
	if (ec_fetch_row(rel, &tid, SnapshotSelf, NULL))
		return false;
	if (row.state == EC_ROW_DEAD)
		return ec_fetch_row(rel, &tid, SnapshotAny, slot);
	if (ec_row_probe(c, row.number, SnapshotSelf, &probed, &dirty) == EC_ROW_GONE)
		return false;
	ec_row_store(rel, &row, slot);
	return true;
}

static void
build_from_dead(Relation rel, Relation index, Former *former, IndexBuildCallback callback,
				void *state)
{
	TransactionId oldest_xmin = GetOldestNonRemovableTransactionId(rel);
	EcCompanion c;
	HeapTuple tuple;
	EcWalk walk;

	if (!ec_companion_open(rel, AccessShareLock, &c))
		return;
	ec_walk_begin(&walk, &c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		if (is_recently_dead(&c, &walk, tuple, oldest_xmin, former->slot) && form_entry(former))
			callback(index, &former->slot->tts_tid, former->values, former->isnull, false, state);
	}
	ec_walk_end(&walk);
	ec_companion_close(&c);
}

double
ec_index_build_range_scan(Relation rel, Relation index, IndexInfo *info, bool allow_sync,
						  bool anyvisible, bool progress, BlockNumber start, BlockNumber nblocks,
						  IndexBuildCallback callback, void *state, TableScanDesc scan)
{
	Snapshot registered = InvalidSnapshot;
	Former former;
	double rows;

	if (is_brin(index))
	{
		if (scan != NULL)
			table_endscan(scan);
		return (double) ec_list_count_rows(rel, SnapshotSelf);
	}
	if (scan == NULL)
	{
		if (info->ii_Concurrent)
			registered = RegisterSnapshot(GetTransactionSnapshot());
		scan = table_beginscan(rel, registered != InvalidSnapshot ? registered : SnapshotSelf, 0,
							   NULL);
	}

	begin_former(&former, rel, info);
	rows = build_from_scan(scan, index, &former, progress, callback, state);
	if (!info->ii_Concurrent && !IsParallelWorker())
		build_from_dead(rel, index, &former, callback, state);
	end_former(&former);
	table_endscan(scan);
	if (registered != InvalidSnapshot)
		UnregisterSnapshot(registered);
	return rows;
}

/* ------------------------------------------------------------------------
 * Validation of a concurrent build
 * ------------------------------------------------------------------------
 */

/* The numbers of all rows that the snapshot sees, sorted as the index's tids are. */
static Tuplesortstate *
sort_tids(Relation rel, Snapshot snapshot)
{
	Tuplesortstate *sort = tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false,
												 maintenance_work_mem, NULL, TUPLESORT_NONE);
	EcReader *reader = ec_reader_begin(rel, snapshot, CurrentMemoryContext);

	while (ec_reader_next_group(reader))
	{
		uint32 nrows = ec_reader_group(reader)->nrows;

		for (uint32 row = 0; row < nrows; row++)
		{
			uint32 in_block = row % EC_BLOCK_ROWS;
			ItemPointerData tid;
			const uint64 *live;
			uint32 nlive;

			live = ec_reader_live(reader, row / EC_BLOCK_ROWS, &nlive);
			if (live != NULL && (live[in_block / 64] >> in_block % 64 & 1) == 0)
				continue;
			ec_tid_from_row(ec_reader_row_number(reader, row), &tid);
			tuplesort_putdatum(sort, Int64GetDatum(itemptr_encode(&tid)), false);
		}
	}
	ec_reader_end(reader);
	tuplesort_performsort(sort);
	return sort;
}

static bool
next_tid(Tuplesortstate *sort, int64 *tid)
{
	Datum value;
	bool isnull;

	if (!ec_compat_tuplesort_getdatum(sort, &value, &isnull))
		return false;
	*tid = DatumGetInt64(value);
	return true;
}

static void
insert_missing(Relation rel, Relation index, Snapshot snapshot, int64 encoded, Former *former,
			   ValidateIndexState *state)
{
	ItemPointerData tid;

	itemptr_decode(&tid, encoded);
	if (!ec_fetch_row(rel, &tid, snapshot, former->slot) || !form_entry(former))
		return;
	index_insert(index, former->values, former->isnull, &tid, rel,
				 former->info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, former->info);
	state->tups_inserted += 1;
}

void
ec_index_validate_scan(Relation rel, Relation index, IndexInfo *info, Snapshot snapshot,
					   ValidateIndexState *state)
{
	Tuplesortstate *rows;
	Former former;
	bool more;
	int64 row_tid;
	int64 index_tid = 0;

	if (is_brin(index))
		return;
	rows = sort_tids(rel, snapshot);
	begin_former(&former, rel, info);
	more = next_tid(state->tuplesort, &index_tid);
	while (next_tid(rows, &row_tid))
	{
		CHECK_FOR_INTERRUPTS();
		state->htups += 1;
		while (more && index_tid < row_tid)
		{
			state->itups += 1;
			more = next_tid(state->tuplesort, &index_tid);
		}
		if (!more || index_tid > row_tid)
			insert_missing(rel, index, snapshot, row_tid, &former, state);
	}
	end_former(&former);
	tuplesort_end(rows);
}
