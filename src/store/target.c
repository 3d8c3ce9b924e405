/*
 * target.c
 *	  From a row's number to the tuple on which heap's own functions do what is done
 *	  to the row.
 *
 * A row with a tuple of its own (EC_ROW_DATA) is that tuple.  A row of a row group
 * gets a header (EC_ROW_LIVE), the first time somebody touches it.  Headers are
 * inserted frozen, so that everybody finds the same one, under a lock on the row's
 * tid in the table (where nobody else locks tids), looking again after the lock is
 * there.
 *
 * A row of a row group that is deleted and has no header gets none, only its
 * tombstone (EC_ROW_DEAD).  Who finds such a tombstone waits for its transaction, and
 * then looks again.
 *
 * Compaction removes tuples by heap_delete, though their rows live on: EC_ROW_DATA
 * when it has moved the row into a group, EC_ROW_LIVE when nobody needs it.  Whoever
 * runs into such a deleted tuple starts over.
 *
 * A transaction that changes a row after its own compaction has deleted the row's
 * tuple makes a header that isn't frozen: others wait for the tuple deleted, and if
 * the transaction is rolled back, that one is there again and must be the only one.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/slot.h"
#include "store/fetch.h"
#include "store/place.h"
#include "store/target.h"
#include "store/tid.h"
#include "store/write_state.h"

void
ec_target_init(EcTarget *target, ItemPointer tid)
{
	memset(target, 0, sizeof(*target));
	target->number = ec_tid_to_row(tid);
	if (target->number < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tid (%u,%u) is not that of a row", ItemPointerGetBlockNumberNoCheck(tid),
						ItemPointerGetOffsetNumberNoCheck(tid))));
}

/* ------------------------------------------------------------------------
 * Finding
 * ------------------------------------------------------------------------
 */

/* The header whose deletion belongs to the tombstone; if the same transaction's compaction deleted another, the updated one. */
static bool
find_deleted_header(EcCompanion *c, EcTarget *target)
{
	EcCatalogTuple opened;
	HeapTuple tuple;
	bool found = false;

	ec_companion_search(c, EC_CATALOG_ROW, target->number);
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		HeapTupleHeader header = tuple->t_data;
		EcRow row;

		ec_row_parse(c->main, tuple, &opened, &row);
		if (row.state != EC_ROW_LIVE || (header->t_infomask & HEAP_XMAX_INVALID) != 0 ||
			HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) ||
			!TransactionIdEquals(HeapTupleHeaderGetUpdateXid(header), target->deleter))
			continue;
		target->state = EC_ROW_LIVE;
		target->ctid = row.ctid;
		found = true;
		if (!ItemPointerEquals(&header->t_ctid, &tuple->t_self))
			break;
	}
	return found;
}

/*
 * A header is taken if it is not deleted, or is just being deleted by somebody else;
 * not if it is another transaction's own (see the top).
 */
static bool
header_in_use(EcCompanion *c, HeapTuple tuple, bool *anothers)
{
	SnapshotData dirty;
	bool visible;

	InitDirtySnapshot(dirty);
	visible = ec_companion_sees(c, tuple, &dirty);
	*anothers |= visible && TransactionIdIsValid(dirty.xmin);
	return visible && !TransactionIdIsValid(dirty.xmin);
}

/* Has this transaction deleted the tuple?  Then by a compaction, maybe. */
static bool
deleted_by_us(HeapTuple tuple)
{
	uint16 infomask = tuple->t_data->t_infomask;

	return (infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(infomask) &&
		   TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(tuple->t_data));
}

/* Does the latest state have a row group that holds the row? */
static bool
stands_in_group(EcCompanion *c, const EcTarget *target)
{
	/* the state as a whole: another compaction may be replacing the group just now */
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool holds = ec_fetch_group_holds(c, target->number, snapshot, NULL);

	UnregisterSnapshot(snapshot);
	return holds;
}

static TransactionId
updater(HeapTuple tuple)
{
	uint16 infomask = tuple->t_data->t_infomask;

	if ((infomask & HEAP_XMAX_INVALID) != 0 || HEAP_XMAX_IS_LOCKED_ONLY(infomask))
		return InvalidTransactionId;
	return HeapTupleHeaderGetUpdateXid(tuple->t_data);
}

/* Who has deleted the row, or is about to? */
static void
judge_tombstone(EcCompanion *c, HeapTuple tuple, EcTarget *target)
{
	SnapshotData dirty;

	InitDirtySnapshot(dirty);
	if (!ec_companion_sees(c, tuple, &dirty))
		return;
	if (TransactionIdIsValid(dirty.xmin))
	{
		target->blocker = dirty.xmin;
		return;
	}
	target->deleter = HeapTupleHeaderGetXmin(tuple->t_data);
	if (TransactionIdIsCurrentTransactionId(target->deleter))
		target->deleter_cid = HeapTupleHeaderGetCmin(tuple->t_data);
}

/* One pass over the row's tuples: the one to work on.  What is learned besides is told in *target. */
static bool
search_tuples(EcCompanion *c, EcTarget *target, bool *anothers)
{
	TransactionId live_updater = InvalidTransactionId;
	EcCatalogTuple opened;
	HeapTuple tuple;
	bool found = false;

	target->deleter = InvalidTransactionId;
	target->blocker = InvalidTransactionId;
	target->compacted = false;
	*anothers = false;
	ec_companion_search(c, EC_CATALOG_ROW, target->number);
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		EcRow row;
		bool wanted;

		ec_row_parse(c->main, tuple, &opened, &row);
		if (row.state == EC_ROW_DEAD)
		{
			judge_tombstone(c, tuple, target);
			continue;
		}
		target->compacted |= deleted_by_us(tuple);
		/* the tuple of a row that has moved stands in front of its header or behind it: it counts no more */
		if (row.state == EC_ROW_DATA)
			wanted = !target->moved;
		else
			wanted = !found && header_in_use(c, tuple, anothers);
		if (!wanted)
			continue;
		target->state = row.state;
		target->ctid = row.ctid;
		found = true;
		live_updater = updater(tuple);
		if (row.state == EC_ROW_DATA)
			break;
	}

	/* who has deleted the row's tuple is waited for there */
	if (found &&
		(target->state == EC_ROW_DATA || TransactionIdEquals(live_updater, target->blocker)))
		target->blocker = InvalidTransactionId;
	return found;
}

EcTargetFound
ec_target_find(EcCompanion *c, EcTarget *target)
{
	bool anothers;
	bool found = search_tuples(c, target, &anothers);

	/* who makes a header of its own has deleted another tuple: it has just ended if we missed both */
	while (!found && anothers)
	{
		CHECK_FOR_INTERRUPTS();
		found = search_tuples(c, target, &anothers);
	}

	/* heap would call a row invisible that this transaction's own compaction has moved */
	if (found && target->state == EC_ROW_DATA && target->compacted && stands_in_group(c, target))
	{
		target->moved = true;
		return ec_target_find(c, target);
	}

	/* a crash may have left a second header: the tombstone tells which one counts */
	if (TransactionIdIsValid(target->deleter) && (!found || target->state == EC_ROW_LIVE))
		return find_deleted_header(c, target) ? EC_TARGET_FOUND : EC_TARGET_GONE;
	if (TransactionIdIsValid(target->blocker))
		return EC_TARGET_BLOCKED;
	return found ? EC_TARGET_FOUND : EC_TARGET_NONE;
}

/* ------------------------------------------------------------------------
 * Making
 * ------------------------------------------------------------------------
 */

/* For rows that this transaction's own compaction has put where they stand: see the top. */
static EcTargetFound
make_header(EcCompanion *c, EcTarget *target, CommandId cid)
{
	if (target->compacted)
		cid = FirstCommandId;
	target->state = EC_ROW_LIVE;
	if (ec_row_insert_mark_alone(c, target->number, EC_ROW_LIVE, cid,
								 target->compacted ? 0 : HEAP_INSERT_FROZEN, &target->ctid) ||
		target->compacted)
		return EC_TARGET_FOUND;

	/* somebody has just deleted the row; the header counts if that is rolled back */
	target->made = target->ctid;
	return ec_target_find(c, target);
}

/* After so many rows in turn that had no tuple the next ones aren't expected to have any. */
#define EXPECT_UNTOUCHED 8

static void
count_untouched(int *untouched)
{
	*untouched = Min(*untouched + 1, EXPECT_UNTOUCHED);
}

/* Of those who want a header one at a time looks again, and makes it. */
static EcTargetFound
find_or_make_header(EcCompanion *c, EcTarget *target, CommandId cid, int *untouched)
{
	EcTargetFound found;
	ItemPointerData tid;

	ec_tid_from_row(target->number, &tid);
	LockTuple(c->main, &tid, ExclusiveLock);
	found = ec_target_find(c, target);
	if (found == EC_TARGET_NONE)
	{
		count_untouched(untouched);
		found = make_header(c, target, cid);
	}
	else
		*untouched = 0;
	UnlockTuple(c->main, &tid, ExclusiveLock);
	return found;
}

/*
 * A row without tuples is deleted by its tombstone alone.  Who comes later finds that,
 * and waits for the transaction; who comes at the same time gets into the index before
 * us or behind us, so one of the two finds the other.
 */
static bool
leave_tombstone(EcCompanion *c, EcTarget *target, CommandId cid)
{
	if (!ec_row_insert_mark_alone(c, target->number, EC_ROW_DEAD, cid, 0, &target->tombstone))
	{
		ec_target_take_back(c, target);
		return false;
	}
	target->state = EC_ROW_LIVE;
	return true;
}

void
ec_target_take_back(EcCompanion *c, EcTarget *target)
{
	if (ItemPointerIsValid(&target->tombstone))
		ec_companion_take_back(c, &target->tombstone);
	ItemPointerSetInvalid(&target->tombstone);
}

/*
 * An update's header leads to the new version.  Behind the tombstone nobody else makes
 * one: who comes before it is there waits for us, who has missed the tombstone and
 * finds the header meets us at heap_update.
 */
static EcTargetFound
leave_header(EcCompanion *c, EcTarget *target, CommandId cid)
{
	ec_row_insert_mark(c, target->number, EC_ROW_LIVE, 0, cid, HEAP_INSERT_FROZEN, &target->ctid);
	return EC_TARGET_FOUND;
}

static bool
wait_for_blocker(EcCompanion *c, const EcTarget *target, const EcTargetPurpose *purpose)
{
	ItemPointerData tid;

	if (purpose->policy != LockWaitBlock)
		return ec_compat_conditional_xact_wait(target->blocker);
	ec_tid_from_row(target->number, &tid);
	XactLockTableWait(target->blocker, c->main, &tid, purpose->oper);
	return true;
}

/* Row numbers first .. end - 1 had no tuples when a command looked. */
static struct
{
	RelFileLocator companion;
	TransactionId xid;
	CommandId cid;
	int64 first;
	int64 end;
} gap;

/*
 * May there be a tuple of the row?  The check for uniqueness finds neither one without
 * index entry (place.h) nor one that another transaction has just updated or deleted.
 * But rows that a command can see were inserted before it looked here, so numbers that
 * had no tuple then get no other than headers and tombstones as long as it runs.  Rows
 * that it can't see (new versions, what ON CONFLICT runs into) it locks first, and
 * whoever locks looks again.
 */
static bool
may_have_tuple(EcCompanion *c, int64 number, CommandId cid)
{
	TransactionId xid = GetTopTransactionId();

	if (!RelFileLocatorEquals(gap.companion, c->heap->rd_locator) || gap.xid != xid ||
		gap.cid != cid || number < gap.first || number >= gap.end)
	{
		gap.companion = c->heap->rd_locator;
		gap.xid = xid;
		gap.cid = cid;
		gap.first = number;
		gap.end = ec_companion_next_row(c, number);
		ec_companion_rest(c);
	}
	return gap.end == number;
}

/* EC_TARGET_NONE if there is none, or if that is likely and found out by what comes next. */
static EcTargetFound
find_if_expected(EcCompanion *c, EcTarget *target, const EcTargetPurpose *purpose, int *untouched)
{
	EcTargetFound found;

	if (purpose->oper == XLTW_Lock)
		gap.xid = InvalidTransactionId;
	if (*untouched == EXPECT_UNTOUCHED && purpose->oper == XLTW_Lock)
		return EC_TARGET_NONE; /* who makes a header looks anyway */
	if (*untouched == EXPECT_UNTOUCHED && !may_have_tuple(c, target->number, purpose->cid))
	{
		c->indexed = target->number;
		return EC_TARGET_NONE;
	}
	found = ec_target_find(c, target);
	if (found != EC_TARGET_NONE)
		*untouched = 0;
	return found;
}

EcTargetFound
ec_target_get(EcCompanion *c, EcTarget *target, const EcTargetPurpose *purpose)
{
	/* rows of groups come in sequences: those nobody has touched need less searching */
	static int untouched;
	bool tombstone = purpose->tombstone && !target->moved;
	EcTargetFound found;

	ItemPointerSetInvalid(&target->made);
	ItemPointerSetInvalid(&target->tombstone);
	found = find_if_expected(c, target, purpose, &untouched);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS(); /* callers come back until they meet a tuple that compaction leaves alone */
		if (found == EC_TARGET_NONE && tombstone && !target->compacted)
		{
			tombstone = leave_tombstone(c, target, purpose->cid);
			if (tombstone)
			{
				count_untouched(&untouched);
				return purpose->header ? leave_header(c, target, purpose->cid)
									   : EC_TARGET_TOMBSTONED;
			}
			untouched = 0;
		}
		if (found == EC_TARGET_NONE)
			found = find_or_make_header(c, target, purpose->cid, &untouched);
		if (found != EC_TARGET_BLOCKED || !wait_for_blocker(c, target, purpose))
			break;
		found = ec_target_find(c, target);
	}
	if (found != EC_TARGET_FOUND && ItemPointerIsValid(&target->made))
		(void) ec_companion_claim(c, &target->made, purpose->cid);
	return found;
}

/* ------------------------------------------------------------------------
 * Judging
 * ------------------------------------------------------------------------
 */

bool
ec_target_moved(EcCompanion *c, EcTarget *target)
{
	if (target->state == EC_ROW_LIVE)
	{
		ItemPointerData before = target->ctid;
		EcTargetFound found = ec_target_find(c, target);

		/* deleted since by way of another header, which compaction made necessary: its chain leads on */
		return !TransactionIdIsValid(target->deleter) ||
			   (found == EC_TARGET_FOUND && !ItemPointerEquals(&before, &target->ctid));
	}
	target->moved = stands_in_group(c, target);
	return target->moved;
}

bool
ec_target_visible(EcCompanion *c, const EcTarget *target, CommandId cid)
{
	TupleTableSlot *slot;
	ItemPointerData tid;
	bool visible = true;

	if (target->state == EC_ROW_DATA || !ec_write_any_written())
		return true;
	slot = table_slot_create(c->main, NULL);
	ec_tid_from_row(target->number, &tid);
	if (ec_fetch_row(c->main, &tid, SnapshotAny, slot))
	{
		TransactionId xmin = ((EcSlot *) slot)->xmin;

		visible = !TransactionIdIsValid(xmin) || !TransactionIdIsCurrentTransactionId(xmin) ||
				  ((EcSlot *) slot)->cmin < cid;
	}
	ExecDropSingleTupleTableSlot(slot);
	return visible;
}

/* ------------------------------------------------------------------------
 * Failures
 * ------------------------------------------------------------------------
 */

void
ec_target_translate(EcCompanion *c, const EcTarget *target, TM_FailureData *tmfd)
{
	EcCatalogTuple opened;
	int64 number = target->number;

	if (ItemPointerIndicatesMovedPartitions(&tmfd->ctid))
		return;
	if (!ItemPointerEquals(&tmfd->ctid, (ItemPointer) &target->ctid) &&
		ec_companion_fetch(c, &tmfd->ctid, &opened) != NULL && opened.kind == EC_CATALOG_ROW)
		number = opened.number;
	ec_tid_from_row(number, &tmfd->ctid);
}

/* As heap's own functions judge a row that this transaction has deleted. */
TM_Result
ec_target_failed(const EcTarget *target, EcTargetFound found, CommandId cid, TM_FailureData *tmfd)
{
	ec_tid_from_row(target->number, &tmfd->ctid);
	tmfd->xmax = found == EC_TARGET_BLOCKED ? target->blocker : target->deleter;
	tmfd->cmax = InvalidCommandId;
	tmfd->traversed = false;
	if (found == EC_TARGET_BLOCKED)
		return TM_BeingModified;
	if (!TransactionIdIsCurrentTransactionId(target->deleter))
		return TM_Deleted;
	tmfd->cmax = target->deleter_cid;
	return target->deleter_cid >= cid ? TM_SelfModified : TM_Invisible;
}
