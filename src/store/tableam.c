/*
 * tableam.c
 *	  The table access method ecinsight_columnar: thin shims from PostgreSQL's
 *	  callbacks to the files that do the work.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/heap.h"
#include "catalog/pg_am.h"
#include "catalog/storage.h"
#include "fmgr.h"
#include "pgstat.h"
#include "storage/smgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/blockscan.h"
#include "store/catalog.h"
#include "store/delta.h"
#include "store/dml.h"
#include "store/fetch.h"
#include "store/index.h"
#include "store/late.h"
#include "store/slot.h"
#include "store/page.h"
#include "store/store.h"
#include "store/tableam.h"
#include "store/tid.h"
#include "store/write_state.h"
#include "store/writer.h"

PG_FUNCTION_INFO_V1(ec_columnar_handler);

static const TableAmRoutine methods;

bool
ec_store_is_columnar(Relation rel)
{
	return rel->rd_tableam == &methods;
}

/* ------------------------------------------------------------------------
 * Slots and scans
 * ------------------------------------------------------------------------
 */

static const TupleTableSlotOps *
slot_callbacks(Relation rel)
{
	return ec_slot_ops();
}

typedef struct ParallelScan
{
	ParallelTableScanDescData base;
	pg_atomic_uint64 next_group;
} ParallelScan;

static uint32
parallel_next_group(void *arg)
{
	uint64 group = pg_atomic_fetch_add_u64(&((ParallelScan *) arg)->next_group, 1);

	return group > PG_UINT32_MAX ? PG_UINT32_MAX : (uint32) group;
}

static Size
parallelscan_estimate(Relation rel)
{
	return sizeof(ParallelScan);
}

static Size
parallelscan_initialize(Relation rel, ParallelTableScanDesc pscan)
{
	ParallelScan *parallel = (ParallelScan *) pscan;

	ec_compat_parallelscan_relation(pscan, rel);
	pscan->phs_syncscan = false;
	pg_atomic_init_u64(&parallel->next_group, 0);
	return sizeof(ParallelScan);
}

static void
parallelscan_reinitialize(Relation rel, ParallelTableScanDesc pscan)
{
	pg_atomic_write_u64(&((ParallelScan *) pscan)->next_group, 0);
}

static void
begin_rows(EcTableScan *scan)
{
	ParallelTableScanDesc parallel = scan->base.rs_parallel;

	scan->rows = ec_rowscan_begin(scan->base.rs_rd, scan->base.rs_snapshot,
								  parallel != NULL ? parallel_next_group : NULL, parallel);
}

static TableScanDesc
scan_begin(Relation rel, Snapshot snapshot, int nkeys, struct ScanKeyData *key,
		   ParallelTableScanDesc parallel, uint32 flags)
{
	EcTableScan *scan = palloc0(sizeof(EcTableScan));

	RelationIncrementReferenceCount(rel);
	scan->base.rs_rd = rel;
	/* Only an index build scans in parallel under SnapshotAny; to it the rows alive matter (index_build.c). */
	scan->base.rs_snapshot = parallel != NULL && snapshot == SnapshotAny ? SnapshotSelf : snapshot;
	scan->base.rs_nkeys = nkeys;
	scan->base.rs_flags = flags;
	scan->base.rs_parallel = parallel;
	if (nkeys > 0)
	{
		scan->base.rs_key = palloc(nkeys * sizeof(ScanKeyData));
		memcpy(scan->base.rs_key, key, nkeys * sizeof(ScanKeyData));
	}
	if (flags & SO_TYPE_ANALYZE)
		ec_analyze_begin(scan);
	else if (flags & SO_TYPE_SEQSCAN)
	{
		pgstat_count_heap_scan(rel);
		begin_rows(scan);
	}
	return &scan->base;
}

static void
scan_end(TableScanDesc sscan)
{
	EcTableScan *scan = (EcTableScan *) sscan;

	if (scan->rows != NULL)
		ec_rowscan_end(scan->rows);
	if (scan->analyze != NULL)
		ec_analyze_end(scan);
	ec_blockscan_end(scan);
	if (sscan->rs_flags & SO_TEMP_SNAPSHOT)
		UnregisterSnapshot(sscan->rs_snapshot);
	if (sscan->rs_key != NULL)
		pfree(sscan->rs_key);
	RelationDecrementReferenceCount(sscan->rs_rd);
	pfree(scan);
}

static void
scan_rescan(TableScanDesc sscan, struct ScanKeyData *key, bool set_params, bool allow_strat,
			bool allow_sync, bool allow_pagemode)
{
	EcTableScan *scan = (EcTableScan *) sscan;

	if (key != NULL && sscan->rs_nkeys > 0)
		memcpy(sscan->rs_key, key, sscan->rs_nkeys * sizeof(ScanKeyData));
	ec_blockscan_rescan(scan);
	if (scan->rows != NULL)
	{
		pgstat_count_heap_scan(sscan->rs_rd);
		ec_rowscan_rescan(scan->rows);
	}
}

static bool
passes_keys(TableScanDesc sscan, TupleTableSlot *slot)
{
	for (int i = 0; i < sscan->rs_nkeys; i++)
	{
		ScanKey key = &sscan->rs_key[i];
		bool isnull;
		Datum value;

		if (key->sk_flags & SK_ISNULL)
			return false;
		value = slot_getattr(slot, key->sk_attno, &isnull);
		if (isnull || !DatumGetBool(FunctionCall2Coll(&key->sk_func, key->sk_collation, value,
													  key->sk_argument)))
			return false;
	}
	return true;
}

static bool
scan_getnextslot(TableScanDesc sscan, ScanDirection direction, TupleTableSlot *slot)
{
	EcTableScan *scan = (EcTableScan *) sscan;

	if (scan->rows == NULL)
		begin_rows(scan);
	while (ec_rowscan_next(scan->rows, direction, slot))
	{
		if (sscan->rs_nkeys == 0 || passes_keys(sscan, slot))
		{
			pgstat_count_heap_getnext(sscan->rs_rd);
			return true;
		}
	}
	return false;
}

/* ------------------------------------------------------------------------
 * Single rows
 * ------------------------------------------------------------------------
 */

/* A scan of ours that checks a row again (EvalPlanQual) may bring a slot that isn't the table's. */
static bool
tuple_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	TupleTableSlot *ours;
	bool found;

	if (slot->tts_ops == ec_slot_ops())
		return ec_fetch_row(rel, tid, snapshot, slot);
	ours = table_slot_create(rel, NULL);
	found = ec_fetch_row(rel, tid, snapshot, ours);
	if (found)
	{
		ExecCopySlot(slot, ours);
		slot->tts_tid = ours->tts_tid;
		slot->tts_tableOid = RelationGetRelid(rel);
	}
	ExecDropSingleTupleTableSlot(ours);
	return found;
}

static bool
tuple_tid_valid(TableScanDesc scan, ItemPointer tid)
{
	int64 number = ec_tid_to_row(tid);
	EcDiskMeta meta;

	/* as a heap takes its pages: numbers that were ever reserved are valid */
	return number >= 0 && ec_meta_read(scan->rs_rd, &meta) && number < meta.next_row;
}

static bool
tuple_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot)
{
	return ec_fetch_row(rel, &slot->tts_tid, snapshot, NULL);
}

/* ------------------------------------------------------------------------
 * Changes
 * ------------------------------------------------------------------------
 */

/* Bulk loads and rewrites come with a bistate. */
static void
tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
			 struct BulkInsertStateData *bistate)
{
	if (bistate != NULL)
		ec_write_rows(rel, &slot, 1, cid);
	else
		ec_delta_insert(rel, &slot, 1, cid);
}

static void
multi_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid, int options,
			 struct BulkInsertStateData *bistate)
{
	ec_delta_insert(rel, slots, nslots, cid);
}

/*
 * A rewrite is about to lend the new table's files to the old one, so all must be
 * in them.  COPY calls this also for each partition that it turns away from for a
 * while, which is no reason for a small row group: its end is seen by the utility
 * hook, or at commit.
 */
static void
finish_bulk_insert(Relation rel, int options)
{
	if (rel->rd_createSubid == InvalidSubTransactionId || ec_write_held())
		return;
	ec_catalog_ensure(rel);
	ec_write_flush_relation(rel);
}

/* ------------------------------------------------------------------------
 * Sampling
 * ------------------------------------------------------------------------
 */

static bool
scan_analyze_next_block(EC_COMPAT_ANALYZE_NEXT_BLOCK_ARGS)
{
	BlockNumber block;

	if (!ec_compat_analyze_block(EC_COMPAT_ANALYZE_NEXT_BLOCK_PASS, &block))
		return false;
	ec_analyze_block((EcTableScan *) scan, block);
	return true;
}

static bool
scan_analyze_next_tuple(TableScanDesc scan, TransactionId oldest_xmin, double *liverows,
						double *deadrows, TupleTableSlot *slot)
{
	return ec_analyze_tuple((EcTableScan *) scan, liverows, deadrows, slot);
}

/* ------------------------------------------------------------------------
 * Storage
 * ------------------------------------------------------------------------
 */

static void
relation_nontransactional_truncate(Relation rel)
{
	ec_fetch_forget();
	ec_delta_forget(RelationGetRelid(rel));
	ec_late_forget(rel);
	RelationTruncate(rel, 0);

	/* core does this too, but only after it has built the indexes anew from what the companion has */
	if (OidIsValid(rel->rd_rel->reltoastrelid))
	{
		Relation companion = table_open(rel->rd_rel->reltoastrelid, AccessExclusiveLock);

		heap_truncate_one_rel(companion);
		table_close(companion, NoLock);
	}
}

static bool
relation_needs_toast_table(Relation rel)
{
	return true;
}

static Oid
relation_toast_am(Relation rel)
{
	return HEAP_TABLE_AM_OID;
}

static const TableAmRoutine methods = {
	.type = T_TableAmRoutine,

	.slot_callbacks = slot_callbacks,

	.scan_begin = scan_begin,
	.scan_end = scan_end,
	.scan_rescan = scan_rescan,
	.scan_getnextslot = scan_getnextslot,

	.scan_set_tidrange = ec_blockscan_set_tidrange,
	.scan_getnextslot_tidrange = ec_blockscan_getnextslot_tidrange,
	EC_BLOCKSCAN_BITMAP_CALLBACKS,

	.parallelscan_estimate = parallelscan_estimate,
	.parallelscan_initialize = parallelscan_initialize,
	.parallelscan_reinitialize = parallelscan_reinitialize,

	.index_fetch_begin = ec_index_fetch_begin,
	.index_fetch_reset = ec_index_fetch_reset,
	.index_fetch_end = ec_index_fetch_end,
	.index_fetch_tuple = ec_index_fetch_tuple,

	.tuple_fetch_row_version = tuple_fetch_row_version,
	.tuple_tid_valid = tuple_tid_valid,
	.tuple_get_latest_tid = ec_dml_latest_tid,
	.tuple_satisfies_snapshot = tuple_satisfies_snapshot,
	.index_delete_tuples = ec_index_delete_tuples,

	.tuple_insert = tuple_insert,
	.tuple_insert_speculative = ec_dml_insert_speculative,
	.tuple_complete_speculative = ec_dml_complete_speculative,
	.multi_insert = multi_insert,
	.tuple_delete = ec_dml_delete,
	.tuple_update = ec_dml_update,
	.tuple_lock = ec_dml_lock,
	.finish_bulk_insert = finish_bulk_insert,

	.relation_set_new_filelocator = ec_set_new_filelocator,
	.relation_nontransactional_truncate = relation_nontransactional_truncate,
	.relation_copy_data = ec_copy_data,
	.relation_copy_for_cluster = ec_copy_for_cluster,
	.relation_vacuum = ec_vacuum,
	.scan_analyze_next_block = scan_analyze_next_block,
	.scan_analyze_next_tuple = scan_analyze_next_tuple,
	.index_build_range_scan = ec_index_build_range_scan,
	.index_validate_scan = ec_index_validate_scan,

	.relation_size = table_block_relation_size,
	.relation_needs_toast_table = relation_needs_toast_table,
	.relation_toast_am = relation_toast_am,
	.relation_fetch_toast_slice = heap_fetch_toast_slice,

	.relation_estimate_size = ec_estimate_size,

	.scan_sample_next_block = ec_blockscan_sample_next_block,
	.scan_sample_next_tuple = ec_blockscan_sample_next_tuple};

Datum
ec_columnar_handler(PG_FUNCTION_ARGS)
{
	ec_utility_loaded();
	PG_RETURN_POINTER(&methods);
}
