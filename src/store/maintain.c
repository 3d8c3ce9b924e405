/*
 * maintain.c
 *	  A table's files as a whole: creating, copying, VACUUM FULL.
 *
 * The main fork holds no transaction ids at all, so VACUUM can advance relfrozenxid
 * as far as it likes; the companion is a heap that VACUUM and autovacuum treat by
 * themselves.  relfrozenxid must be valid nevertheless: VACUUM FULL exchanges the
 * contents of companions and stamps the main table's value on them.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/rewriteheap.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/storage.h"
#include "catalog/storage_xlog.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "storage/smgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "store/catalog.h"
#include "store/options.h"
#include "store/page.h"
#include "store/row.h"
#include "store/tableam.h"

/* ------------------------------------------------------------------------
 * Files, as a heap does it
 * ------------------------------------------------------------------------
 */

void
ec_set_new_filelocator(Relation rel, const RelFileLocator *locator, char persistence,
					   TransactionId *freeze_xid, MultiXactId *minmulti)
{
	SMgrRelation srel;

	/* a new relation: its OID may have been that of a temporary table lost in a crash */
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(RelationGetRelid(rel))))
		ec_options_drop(RelationGetRelid(rel));
	*freeze_xid = RecentXmin;
	*minmulti = GetOldestMultiXactId();
	srel = RelationCreateStorage(*locator, persistence, true);

	/*
	 * After a crash an unlogged table starts from its (empty) init fork.  It must
	 * be on disk at once, as it does not pass through shared buffers.
	 */
	if (persistence == RELPERSISTENCE_UNLOGGED)
	{
		smgrcreate(srel, INIT_FORKNUM, false);
		log_smgrcreate(locator, INIT_FORKNUM);
		smgrimmedsync(srel, INIT_FORKNUM);
	}
	smgrclose(srel);
}

void
ec_copy_data(Relation rel, const RelFileLocator *locator)
{
	SMgrRelation to = smgropen(*locator, rel->rd_backend);

	/* the files are copied behind the back of shared buffers */
	FlushRelationBuffers(rel);
	RelationCreateStorage(*locator, rel->rd_rel->relpersistence, true);
	RelationCopyStorage(RelationGetSmgr(rel), to, MAIN_FORKNUM, rel->rd_rel->relpersistence);
	for (ForkNumber fork = MAIN_FORKNUM + 1; fork <= MAX_FORKNUM; fork++)
	{
		if (!smgrexists(RelationGetSmgr(rel), fork))
			continue;
		smgrcreate(to, fork, false);
		if (RelationIsPermanent(rel) ||
			(rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED && fork == INIT_FORKNUM))
			log_smgrcreate(locator, fork);
		RelationCopyStorage(RelationGetSmgr(rel), to, fork, rel->rd_rel->relpersistence);
	}
	RelationDropStorage(rel);
	smgrclose(to);
}

/* ------------------------------------------------------------------------
 * VACUUM FULL
 * ------------------------------------------------------------------------
 */

/* Must the tuple be kept for anybody?  Nobody changes it meanwhile: both tables are locked. */
static bool
tuple_is_dead(HeapTuple tuple, Buffer buffer, TransactionId oldest_xmin, double *recently_dead)
{
	HTSV_Result result;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	result = HeapTupleSatisfiesVacuum(tuple, oldest_xmin, buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (result == HEAPTUPLE_RECENTLY_DEAD || result == HEAPTUPLE_DELETE_IN_PROGRESS)
		*recently_dead += 1;
	return result == HEAPTUPLE_DEAD;
}

/* Copies the pages of a group into the new table and tells the descriptor where they are. */
static void
move_extent(Relation old_table, Relation new_table, EcDescriptor *desc)
{
	uint8 *image;

	if (desc->form != EC_FORM_EXTENT)
		return;
	image = MemoryContextAllocHuge(CurrentMemoryContext, desc->image_len);
	ec_extent_read(old_table, desc->first_block, desc->npages, 0, desc->image_len, image, NULL);
	desc->first_block = ec_extent_write(new_table, image, desc->image_len, &desc->npages);
	pfree(image);
}

/* Rows, tombstones and masks keep their numbers.  Free pages stay behind. */
static void
carry_over(Relation old_table, RewriteState rewrite, HeapTuple tuple, double *num_tuples)
{
	EcCatalogTuple opened;
	EcRow row;

	ec_catalog_open_tuple(old_table, tuple, &opened);
	if (opened.kind == EC_CATALOG_FREE || opened.kind == EC_CATALOG_RESERVE)
		return;
	if (opened.kind == EC_CATALOG_ROW)
	{
		ec_row_parse(old_table, tuple, &opened, &row);
		if (row.state == EC_ROW_DATA)
			*num_tuples += 1;
	}
	rewrite_heap_tuple(rewrite, tuple, heap_copytuple(tuple));
}

/* Rewrites the companion, keeping the tuples' visibility, and moves the extents along. */
static void
rewrite_companion(Relation old_table, Relation new_table, Relation old_companion,
				  Relation new_companion, TransactionId oldest_xmin, TransactionId xid_cutoff,
				  MultiXactId multi_cutoff, double *num_tuples, double *vacuumed,
				  double *recently_dead)
{
	RewriteState rewrite =
		begin_heap_rewrite(old_companion, new_companion, oldest_xmin, xid_cutoff, multi_cutoff);
	TableScanDesc scan = table_beginscan(old_companion, SnapshotAny, 0, NULL);
	TupleTableSlot *slot = table_slot_create(old_companion, NULL);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight vacuum full",
												  ALLOCSET_DEFAULT_SIZES);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		HeapTuple tuple = ExecFetchSlotHeapTuple(slot, false, NULL);
		MemoryContext old = MemoryContextSwitchTo(context);
		EcDescriptor desc;

		CHECK_FOR_INTERRUPTS();
		if (tuple_is_dead(tuple, ((BufferHeapTupleTableSlot *) slot)->buffer, oldest_xmin,
						  recently_dead))
		{
			*vacuumed += 1;
			rewrite_heap_dead_tuple(rewrite, tuple);
		}
		else if (ec_catalog_read_tuple(old_table, tuple, &desc))
		{
			move_extent(old_table, new_table, &desc);
			*num_tuples += desc.nrows;
			rewrite_heap_tuple(rewrite, tuple,
							   ec_catalog_form_tuple(RelationGetDescr(new_companion), &desc));
		}
		else
			carry_over(old_table, rewrite, tuple, num_tuples);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	end_heap_rewrite(rewrite);
	MemoryContextDelete(context);
}

void
ec_copy_for_cluster(Relation old_table, Relation new_table, Relation old_index, bool use_sort,
					TransactionId oldest_xmin, TransactionId *xid_cutoff, MultiXactId *multi_cutoff,
					double *num_tuples, double *tups_vacuumed, double *tups_recently_dead)
{
	Relation old_companion;
	Relation new_companion;
	Oid new_companion_oid;
	EcDiskMeta meta;

	if (!ec_meta_read(old_table, &meta))
		return;
	ec_meta_copy(new_table, &meta);
	old_companion = table_open(old_table->rd_rel->reltoastrelid, AccessExclusiveLock);
	new_companion = table_open(new_table->rd_rel->reltoastrelid, AccessExclusiveLock);
	new_companion_oid = RelationGetRelid(new_companion);
	rewrite_companion(old_table, new_table, old_companion, new_companion, oldest_xmin, *xid_cutoff,
					  *multi_cutoff, num_tuples, tups_vacuumed, tups_recently_dead);
	table_close(old_companion, NoLock);
	table_close(new_companion, NoLock);

	/* the rewrite fills the heap only */
	ec_compat_reindex_relation(new_companion_oid);
}
