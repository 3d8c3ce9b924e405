/*
 * claim.c
 *	  Rows that compaction has claimed, and who wants to lock them.
 *
 * Compaction deletes tuples whose rows live on, and to heap's functions that looks
 * as if its transaction had the rows.  Who waits for rows waits for its end, which
 * is near: claims are its last step.  Who doesn't want to wait for other sessions
 * (NOWAIT, SKIP LOCKED) would find rows taken that no user has, so such a lock
 * waits for this as well.
 *
 * A compaction is told from other transactions by a lock on its transaction id, of a
 * kind that speculative insertions have, with the token that these never use.  It is there from
 * before the first claim until after the transaction's end.
 *
 * In a transaction block nothing is announced: its user may let it go on as long as he
 * likes, and he has the rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/procarray.h"

#include "store/claim.h"
#include "store/tid.h"

#define CLAIM_TOKEN 0

void
ec_claim_announce(void)
{
	LOCKTAG tag;

	if (IsTransactionBlock())
		return;
	SET_LOCKTAG_SPECULATIVE_INSERTION(tag, GetCurrentTransactionId(), CLAIM_TOKEN);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

static bool
is_announced(TransactionId xid)
{
	LOCKTAG tag;

	SET_LOCKTAG_SPECULATIVE_INSERTION(tag, xid, CLAIM_TOKEN);
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, ShareLock, false);
	return false;
}

/*
 * Who has deleted or updated the tuple, and might others hold it besides?  False if nobody has it,
 * nor a lock on it.
 */
static bool
find_holder(EcCompanion *c, HeapTuple tuple, TransactionId *updater, bool *others)
{
	Buffer buffer = ((BufferHeapTupleTableSlot *) c->slot)->buffer;
	HeapTupleHeader header = tuple->t_data;
	bool held;

	*updater = InvalidTransactionId;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	held = (header->t_infomask & HEAP_XMAX_INVALID) == 0;
	*others = (header->t_infomask & HEAP_XMAX_IS_MULTI) != 0;
	if (held && !HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask))
		*updater = HeapTupleHeaderGetUpdateXid(header);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return held;
}

bool
ec_claim_try_again(EcCompanion *c, int64 number, ItemPointer ctid)
{
	ItemPointerData where = *ctid;
	TransactionId updater;
	bool others;
	EcCatalogTuple opened;
	ItemPointerData tid;
	HeapTuple tuple;

	/* it is over already if the tuple has gone, or isn't held any more */
	tuple = ec_companion_fetch(c, &where, &opened);
	if (tuple == NULL || opened.kind != EC_CATALOG_ROW || opened.number != number ||
		!find_holder(c, tuple, &updater, &others))
		return true;
	if (!TransactionIdIsValid(updater))
		return false;
	if (!is_announced(updater))
	{
		/* one that was rolled back stays there while others have locks, and these are in the way */
		return !TransactionIdIsInProgress(updater) && (!others || TransactionIdDidCommit(updater));
	}
	ec_tid_from_row(number, &tid);
	XactLockTableWait(updater, c->main, &tid, XLTW_Lock);
	return true;
}
