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
 * Compaction removes tuples by heap_delete, though their rows live on: EC_ROW_DATA
 * when it has moved the row into a group, EC_ROW_LIVE when nobody needs it.  Whoever
 * runs into such a deleted tuple starts over.
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

#include "store/slot.h"
#include "store/fetch.h"
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

/* A header is taken if it is not deleted, or is just being deleted by somebody else. */
static bool
header_in_use(EcCompanion *c, HeapTuple tuple)
{
	SnapshotData dirty;

	InitDirtySnapshot(dirty);
	return ec_companion_sees(c, tuple, &dirty);
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

bool
ec_target_find(EcCompanion *c, EcTarget *target)
{
	EcCatalogTuple opened;
	HeapTuple tuple;
	bool found = false;
	bool live = false;
	bool ours = false;

	target->deleter = InvalidTransactionId;
	ec_companion_search(c, EC_CATALOG_ROW, target->number);
	while (!found && (tuple = ec_companion_next(c, &opened)) != NULL)
	{
		EcRow row;

		ec_row_parse(c->main, tuple, &opened, &row);
		if (row.state == EC_ROW_DATA)
		{
			found = !target->moved;
			ours = found && deleted_by_us(tuple);
		}
		else if (row.state == EC_ROW_DEAD)
		{
			if (ec_companion_sees(c, tuple, SnapshotSelf))
				target->deleter = HeapTupleHeaderGetXmin(tuple->t_data);
			continue;
		}
		else if (!live)
			live = header_in_use(c, tuple);
		else
			continue;
		/* the tuple of a row that has moved stands in front of its header or behind it: it counts no more */
		if (found || (live && row.state == EC_ROW_LIVE))
		{
			target->state = row.state;
			target->ctid = row.ctid;
		}
	}

	/* heap would call a row invisible that this transaction's own compaction has moved */
	if (ours && stands_in_group(c, target))
	{
		target->moved = true;
		return ec_target_find(c, target);
	}

	/* a rolled back compaction may have left a second header: the tombstone tells which one counts */
	if (!found && TransactionIdIsValid(target->deleter))
		return find_deleted_header(c, target);
	return found || live;
}

static void
make_header(EcCompanion *c, EcTarget *target, CommandId cid)
{
	target->state = EC_ROW_LIVE;
	ec_row_insert_mark(c, target->number, EC_ROW_LIVE, 0, cid, HEAP_INSERT_FROZEN, &target->ctid);
}

bool
ec_target_get(EcCompanion *c, EcTarget *target, CommandId cid)
{
	/* rows of groups come in sequences: searching once is enough for those nobody has touched */
	static bool expect_untouched;
	ItemPointerData tid;
	bool found;

	CHECK_FOR_INTERRUPTS(); /* callers come back until they meet a tuple that compaction leaves alone */
	if (!expect_untouched)
	{
		if (ec_target_find(c, target))
			return true;
		if (TransactionIdIsValid(target->deleter))
			return false;
	}
	ec_tid_from_row(target->number, &tid);
	LockTuple(c->main, &tid, ExclusiveLock);
	found = ec_target_find(c, target);
	expect_untouched = !found && !TransactionIdIsValid(target->deleter);
	if (expect_untouched)
	{
		make_header(c, target, cid);
		found = true;
	}
	UnlockTuple(c->main, &tid, ExclusiveLock);
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
		bool found = ec_target_find(c, target);

		/* deleted since by way of another header, which compaction made necessary: its chain leads on */
		return !TransactionIdIsValid(target->deleter) ||
			   (found && !ItemPointerEquals(&before, &target->ctid));
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

void
ec_target_failed(const EcTarget *target, TM_FailureData *tmfd)
{
	ec_tid_from_row(target->number, &tmfd->ctid);
	tmfd->xmax = target->deleter;
	tmfd->cmax = InvalidCommandId;
	tmfd->traversed = false;
}
