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
 * waits for our pin on the first one; and whoever then sees in the progress report of
 * another backend that a validation is going on, gives way until it is over.  That
 * waits for nobody but holders of such pins, and the companion is small.
 *
 * Nothing is reported with track_activities off, and an index of an empty heap has no
 * leaf page.  In both cases REINDEX may still fail, which harms nobody else.
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "utils/backend_status.h"
#include "utils/rel.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "store/rebuild.h"

/* A build writes leaf pages in order from here, and none is deleted before the index is valid. */
#define FIRST_LEAF (BTREE_METAPAGE + 1)
#define WAIT_MS 2

bool
ec_rebuild_unfinished(Relation index)
{
	return index->rd_index->indisready && !index->rd_index->indisvalid;
}

static bool
is_validating(const PgBackendStatus *backend, Oid heap)
{
	int64 phase = backend->st_progress_param[PROGRESS_CREATEIDX_PHASE];

	return backend->st_procpid != 0 && backend->st_databaseid == MyDatabaseId &&
		   backend->st_progress_command == PROGRESS_COMMAND_CREATE_INDEX &&
		   backend->st_progress_command_target == heap &&
		   phase >= PROGRESS_CREATEIDX_PHASE_VALIDATE_IDXSCAN &&
		   phase <= PROGRESS_CREATEIDX_PHASE_VALIDATE_TABLESCAN;
}

static bool
any_validating(Oid heap)
{
	int n;

	/* what this transaction has seen of others' activity may be old */
	pgstat_clear_backend_activity_snapshot();
	n = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= n; i++)
	{
		if (is_validating(ec_compat_backend_status(i), heap))
			return true;
	}
	return false;
}

Buffer
ec_rebuild_hold_off(Relation heap, Relation index)
{
	/* a locked buffer could be what the validation waits for */
	Assert(InterruptHoldoffCount == 0);
	for (;;)
	{
		Buffer pin = InvalidBuffer;

		if (RelationGetNumberOfBlocks(index) > FIRST_LEAF)
			pin = ReadBuffer(index, FIRST_LEAF);
		if (!any_validating(RelationGetRelid(heap)))
			return pin;
		ec_rebuild_resume(pin);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, WAIT_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

void
ec_rebuild_resume(Buffer pin)
{
	if (BufferIsValid(pin))
		ReleaseBuffer(pin);
}
