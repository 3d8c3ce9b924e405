/*
 * standby.c
 *	  Recovery conflicts for what is removed without heap's VACUUM.
 *
 * Heap's VACUUM and pruning tell standbys the newest transaction whose deleted rows
 * they remove, so that no query there misses them (or follows a descriptor to pages
 * that are another's by then).  A rewrite as by VACUUM FULL doesn't: it counts on its
 * lock, which a standby's query conflicts with only if it has touched the table
 * already.  Rewriting the companion is part of an ordinary VACUUM here, so it has to
 * be as safe as that.
 *
 * The record is the one by which nbtree announces that it uses a page again: it has
 * no page and does nothing but raise the conflict.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heapam_xlog.h"
#include "access/nbtxlog.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/standby.h"

/* The newest transaction whose end has made a tuple one that a rewrite may leave behind. */
static TransactionId
newest_removed(Relation companion)
{
	TransactionId oldest_xmin = GetOldestNonRemovableTransactionId(companion);
	TransactionId newest = InvalidTransactionId;
	TableScanDesc scan = table_beginscan_strat(companion, SnapshotAny, 0, NULL, true, false);
	HeapTuple tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Buffer buffer = ((HeapScanDesc) scan)->rs_cbuf;
		HTSV_Result state;

		CHECK_FOR_INTERRUPTS();
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		state = HeapTupleSatisfiesVacuum(tuple, oldest_xmin, buffer);
		if (state == HEAPTUPLE_DEAD || state == HEAPTUPLE_RECENTLY_DEAD)
			ec_compat_advance_conflict_horizon(tuple->t_data, &newest);
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	}
	table_endscan(scan);
	return newest;
}

/* With its epoch; it is not in the future. */
static FullTransactionId
full_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32 epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return FullTransactionIdFromEpochAndXid(epoch, xid);
}

void
ec_standby_conflict(Relation companion)
{
	xl_btree_reuse_page record;
	TransactionId newest;

	if (!RelationNeedsWAL(companion) || !XLogStandbyInfoActive())
		return;
	newest = newest_removed(companion);
	if (!TransactionIdIsNormal(newest))
		return;
	ec_compat_fill_reuse_page(&record, companion, full_xid(newest));
	XLogBeginInsert();
	XLogRegisterData((char *) &record, SizeOfBtreeReusePage);
	XLogInsert(RM_BTREE_ID, XLOG_BTREE_REUSE_PAGE);
}
