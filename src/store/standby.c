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
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/standby.h"
#include "store/walk.h"

/* The newest transaction whose end has made a tuple one that a rewrite may leave behind. */
static TransactionId
newest_removed(EcCompanion *c)
{
	TransactionId oldest_xmin = GetOldestNonRemovableTransactionId(c->heap);
	TransactionId newest = InvalidTransactionId;
	HeapTuple tuple;
	EcWalk walk;

	/* nobody changes a tuple meanwhile: the caller has the companion to itself */
	ec_walk_begin(&walk, c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		HTSV_Result state = ec_walk_state(&walk, oldest_xmin);

		if (state == HEAPTUPLE_DEAD || state == HEAPTUPLE_RECENTLY_DEAD)
			ec_compat_advance_conflict_horizon(tuple->t_data, &newest);
	}
	ec_walk_end(&walk);
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
ec_standby_conflict(EcCompanion *c)
{
	Relation companion = c->heap;
	xl_btree_reuse_page record;
	TransactionId newest;

	if (!RelationNeedsWAL(companion) || !XLogStandbyInfoActive())
		return;
	newest = newest_removed(c);
	if (!TransactionIdIsNormal(newest))
		return;
	ec_compat_fill_reuse_page(&record, companion, full_xid(newest));
	XLogBeginInsert();
	XLogRegisterData((char *) &record, SizeOfBtreeReusePage);
	XLogInsert(RM_BTREE_ID, XLOG_BTREE_REUSE_PAGE);
}
