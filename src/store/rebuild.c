/*
 * rebuild.c
 *	  Frozen tuples of the companion beside a REINDEX CONCURRENTLY of it.
 *
 * REINDEX CONCURRENTLY validates its new index thus: it gathers the TIDs that are in the
 * index, then enters each tuple that a snapshot sees and that wasn't there.  What has
 * come since is invisible to that snapshot, and entered by who has inserted it.  But
 * our frozen tuples (headers, places, counters) are visible to any snapshot: one that gets
 * into heap and index after the gathering is entered twice, and the second to do so
 * calls the first a duplicate.
 *
 * So none gets in between.  The gathering takes a cleanup lock on each leaf page, which
 * waits for our pin on the first one; and whoever then sees that a validation is going
 * on waits for the end of its transaction.  It lasts as long as holders of such pins
 * make it, and the companion is small.
 *
 * What another session does with an index is told by its locks: who builds one
 * concurrently keeps ShareUpdateExclusiveLock on it all the time, and has
 * RowExclusiveLock besides while it validates, from before the gathering until the transaction
 * ends.  Nobody does either with an index that was left, which thus costs one look.
 *
 * An index of an empty heap has no leaf page.  REINDEX may still fail then, which harms
 * nobody else.
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/rel.h"

#include "store/rebuild.h"

/* A build writes leaf pages in order from here, and none is deleted before the index is valid. */
#define FIRST_LEAF (BTREE_METAPAGE + 1)

#define BUILDER_LOCKS (LOCKBIT_ON(ShareUpdateExclusiveLock) | LOCKBIT_ON(RowExclusiveLock))

bool
ec_rebuild_unfinished(Relation index)
{
	return index->rd_index->indisready && !index->rd_index->indisvalid;
}

static bool
same_lock(const LOCKTAG *a, const LOCKTAG *b)
{
	return memcmp(a, b, sizeof(LOCKTAG)) == 0;
}

/* All that the process has on it; part of it may stand in the process's own table. */
static LOCKMASK
locks_of(const LockData *data, const LOCKTAG *tag, int pid)
{
	LOCKMASK locks = 0;

	for (int i = 0; i < data->nelements; i++)
	{
		if (data->locks[i].pid == pid && same_lock(&data->locks[i].locktag, tag))
			locks |= data->locks[i].holdMask;
	}
	return locks;
}

static bool
any_validating(const LOCKTAG *tag)
{
	LockData *data = GetLockStatusData();
	bool any = false;

	for (int i = 0; i < data->nelements && !any; i++)
	{
		const LockInstanceData *held = &data->locks[i];

		any = (held->holdMask & LOCKBIT_ON(ShareUpdateExclusiveLock)) != 0 &&
			  same_lock(&held->locktag, tag) &&
			  (locks_of(data, tag, held->pid) & BUILDER_LOCKS) == BUILDER_LOCKS;
	}
	if (data->locks != NULL)
		pfree(data->locks);
	pfree(data);
	return any;
}

/* The transaction that validates the index, if one does. */
static bool
find_validation(Relation index, VirtualTransactionId *transaction)
{
	VirtualTransactionId *builders;
	LOCKTAG tag;
	int n;

	SET_LOCKTAG_RELATION(tag, index->rd_lockInfo.lockRelId.dbId,
						 index->rd_lockInfo.lockRelId.relId);
	builders = GetLockConflicts(&tag, ShareUpdateExclusiveLock, &n);
	if (n > 0)
		*transaction = builders[0];
	pfree(builders);

	/* the transaction first: if it is over by now nobody waits for it */
	return n > 0 && any_validating(&tag);
}

Buffer
ec_rebuild_hold_off(Relation index)
{
	/* a locked buffer could be what the validation waits for */
	Assert(InterruptHoldoffCount == 0);
	for (;;)
	{
		Buffer pin = InvalidBuffer;
		VirtualTransactionId transaction;

		if (RelationGetNumberOfBlocks(index) > FIRST_LEAF)
			pin = ReadBuffer(index, FIRST_LEAF);
		if (!find_validation(index, &transaction))
			return pin;
		ec_rebuild_resume(pin);
		CHECK_FOR_INTERRUPTS();
		(void) VirtualXactLock(transaction, true);
	}
}

void
ec_rebuild_resume(Buffer pin)
{
	if (BufferIsValid(pin))
		ReleaseBuffer(pin);
}
