/*
 * dml.c
 *	  DELETE, UPDATE and row locks.
 *
 * Each is done to a tuple of the companion (target.h) by heap's own function, so
 * that waiting, multixacts, update chains and results are heap's.  What is ours:
 *
 *	- a row of a row group that is deleted or updated gets a tombstone, after its
 *	  header was deleted or updated; one without a header is deleted without;
 *	- a new version is a new row with a number of its own; the chain leads from the
 *	  old row's tuple to the new row's;
 *	- read locks of serializable transactions are those of the table's rows.  They
 *	  are checked after the change: a reader that comes later sees it.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heapam.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "nodes/bitmapset.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/claim.h"
#include "store/delta.h"
#include "store/dml.h"
#include "store/fetch.h"
#include "store/held.h"
#include "store/logical.h"
#include "store/slot.h"
#include "store/target.h"
#include "store/tid.h"
#include "store/write_state.h"

/* The writer's handle: who has rows has a companion. */
static EcCompanion *
open_companion(Relation rel, EcCompanion *own)
{
	EcCompanion *c = ec_held_open(rel, own);

	if (c == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("table \"%s\" has no TOAST table to keep its row groups in",
							   RelationGetRelationName(rel))));
	return c;
}

static void
check_serializable(Relation rel, ItemPointer tid)
{
	CheckForSerializableConflictIn(rel, tid, ItemPointerGetBlockNumber(tid));
}

/*
 * A foreign key's action in a transaction with a fixed snapshot must not touch rows
 * that this snapshot doesn't see.  Heap can tell for rows with tuples of their own.
 */
static bool
fails_crosscheck(EcCompanion *c, const EcTarget *target, ItemPointer tid, Snapshot crosscheck,
				 TM_FailureData *tmfd)
{
	if (crosscheck == InvalidSnapshot || target->state == EC_ROW_DATA ||
		ec_fetch_row(c->main, tid, crosscheck, NULL))
		return false;
	(void) ec_target_failed(target, EC_TARGET_GONE, InvalidCommandId, tmfd);
	return true;
}

/* The row of the target, straight from where it stands, if that is easy. */
static bool
fetch_target(EcCompanion *c, const EcTarget *target, ItemPointer tid, TupleTableSlot *slot)
{
	ItemPointerData ctid = target->ctid;
	EcCatalogTuple opened;
	HeapTuple tuple;
	EcRow row;

	if (target->state == EC_ROW_LIVE)
		return ec_fetch_group_row(c, tid, slot);
	tuple = ec_companion_fetch(c, &ctid, &opened);
	if (tuple == NULL || opened.kind != EC_CATALOG_ROW || opened.number != target->number)
		return false;
	ec_row_parse(c->main, tuple, &opened, &row);
	if (row.state != EC_ROW_DATA)
		return false;
	ec_row_store(c->main, &row, slot);
	return true;
}

/* The old row, which the caller frees. */
static TupleTableSlot *
fetch_old(EcCompanion *c, const EcTarget *target, ItemPointer tid)
{
	Relation rel = c->main;
	TupleTableSlot *old = table_slot_create(rel, NULL);

	if (!fetch_target(c, target, tid, old) && !ec_fetch_row(rel, tid, SnapshotAny, old))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("row (%u,%u) of table \"%s\" is nowhere", ItemPointerGetBlockNumber(tid),
						ItemPointerGetOffsetNumber(tid), RelationGetRelationName(rel))));
	return old;
}

/* Old rows are logged only if someone may decode them. */
static void
log_old(EcCompanion *c, const EcTarget *target, ItemPointer tid, TupleTableSlot *new)
{
	Relation rel = c->main;
	TupleTableSlot *old;

	if (!ec_logical_wanted(rel))
		return;
	old = fetch_old(c, target, tid);
	if (new != NULL)
		ec_logical_update(rel, old, new);
	else
		ec_logical_delete(rel, old);
	ExecDropSingleTupleTableSlot(old);
}

/* ------------------------------------------------------------------------
 * DELETE
 * ------------------------------------------------------------------------
 */

/*
 * A tombstone alone can't tell that the row has moved to another partition.  Other
 * checks that are seldom necessary need the row's tuple, too.
 */
static bool
tombstone_is_enough(Snapshot crosscheck, bool changing_partition)
{
	return crosscheck == InvalidSnapshot && !changing_partition && !ec_write_any_written();
}

static TM_Result
delete_target(EcCompanion *c, EcTarget *target, ItemPointer tid, CommandId cid, Snapshot crosscheck,
			  bool wait, TM_FailureData *tmfd, bool changing_partition)
{
	EcTargetPurpose purpose = {
		.cid = cid,
		.policy = wait ? LockWaitBlock : LockWaitSkip,
		.oper = XLTW_Delete,
		.tombstone = tombstone_is_enough(crosscheck, changing_partition),
	};
	EcTargetFound found;
	TM_Result result;

	do
	{
		found = ec_target_get(c, target, &purpose);
		if (found == EC_TARGET_TOMBSTONED)
			return TM_Ok;
		if (found != EC_TARGET_FOUND)
			result = ec_target_failed(target, found, cid, tmfd);
		if ((found != EC_TARGET_FOUND && result == TM_Invisible) ||
			(found == EC_TARGET_FOUND && !ec_target_visible(c, target, cid)))
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("attempted to delete invisible tuple")));
		if (found != EC_TARGET_FOUND)
			return result;
		if (fails_crosscheck(c, target, tid, crosscheck, tmfd))
			return TM_Updated;
		result =
			heap_delete(c->heap, &target->ctid, cid, crosscheck, wait, tmfd, changing_partition);
	} while (result == TM_Deleted && ec_target_moved(c, target));

	if (result != TM_Ok)
		ec_target_translate(c, target, tmfd);
	else if (target->state == EC_ROW_LIVE)
		ec_row_insert_mark(c, target->number, EC_ROW_DEAD, 0, cid, 0, NULL);
	return result;
}

TM_Result
ec_dml_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot snapshot, Snapshot crosscheck,
			  bool wait, TM_FailureData *tmfd, bool changing_partition)
{
	EcCompanion own;
	EcCompanion *c;
	EcTarget target;
	TM_Result result;

	ec_target_init(&target, tid);
	c = open_companion(rel, &own);
	result = delete_target(c, &target, tid, cid, crosscheck, wait, tmfd, changing_partition);
	if (result == TM_Ok)
	{
		ec_fetch_note_gone(rel, target.number);
		log_old(c, &target, tid, NULL);
		check_serializable(rel, tid);
		pgstat_count_heap_delete(rel);
	}
	ec_held_close(c, &own);
	return result;
}

/* ------------------------------------------------------------------------
 * UPDATE: does it change a key that foreign keys may refer to?
 * ------------------------------------------------------------------------
 */

static bool
same_value(Form_pg_attribute att, Datum x, bool xnull, Datum y, bool ynull)
{
	struct varlena *a;
	struct varlena *b;
	bool same;

	if (xnull || ynull)
		return xnull && ynull;
	if (att->attlen != -1)
		return datumIsEqual(x, y, att->attbyval, att->attlen);

	/* headers may differ between what is stored and what is new */
	a = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(x));
	b = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(y));
	same = VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		   memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
	if ((Pointer) a != DatumGetPointer(x))
		pfree(a);
	if ((Pointer) b != DatumGetPointer(y))
		pfree(b);
	return same;
}

static bool
same_columns(const Bitmapset *columns, TupleTableSlot *old, TupleTableSlot *new)
{
	int i = -1;

	while ((i = bms_next_member(columns, i)) >= 0)
	{
		AttrNumber attnum = i + FirstLowInvalidHeapAttributeNumber;
		bool oldnull;
		bool newnull;
		Datum x;
		Datum y;

		if (attnum <= 0)
			return false;
		x = slot_getattr(old, attnum, &oldnull);
		y = slot_getattr(new, attnum, &newnull);
		if (!same_value(TupleDescAttr(new->tts_tupleDescriptor, attnum - 1), x, oldnull, y,
						newnull))
			return false;
	}
	return true;
}

static bool
has_key(Relation rel)
{
	Bitmapset *columns = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_KEY);
	bool any = !bms_is_empty(columns);

	bms_free(columns);
	return any;
}

static bool
changes_key(EcCompanion *c, const EcTarget *target, ItemPointer otid, TupleTableSlot *new)
{
	Bitmapset *columns = RelationGetIndexAttrBitmap(c->main, INDEX_ATTR_BITMAP_KEY);
	TupleTableSlot *old;
	bool changed;

	if (bms_is_empty(columns))
		return false;
	old = fetch_old(c, target, otid);
	changed = !same_columns(columns, old, new);
	ExecDropSingleTupleTableSlot(old);
	bms_free(columns);
	return changed;
}

/* ------------------------------------------------------------------------
 * UPDATE
 * ------------------------------------------------------------------------
 */

/*
 * Every new version has a new key in the companion, so heap_update would always take
 * the lock that foreign key checks wait for.  Unless a key of the table itself
 * changes, it is told that the companion has none.
 */
static TM_Result
heap_update_keeping_key(EcCompanion *c, EcTarget *target, EcTupleBuffer *new, CommandId cid,
						Snapshot crosscheck, bool wait, TM_FailureData *tmfd,
						LockTupleMode *lockmode)
{
	Relation heap = c->heap;
	Bitmapset *volatile key;
	volatile TM_Result result;

	/* once its lists of columns are known */
	bms_free(RelationGetIndexAttrBitmap(heap, INDEX_ATTR_BITMAP_KEY));
	key = heap->rd_keyattr;
	heap->rd_keyattr = NULL;
	PG_TRY();
	{
		result = ec_compat_heap_update(heap, &target->ctid, &new->tuple, cid, crosscheck, wait,
									   tmfd, lockmode);
	}
	PG_FINALLY();
	{
		/* a rebuilt entry may have made its own */
		if (heap->rd_keyattr == NULL)
			heap->rd_keyattr = key;
		else
			bms_free(key);
	}
	PG_END_TRY();
	return result;
}

typedef struct NewVersion
{
	int64 number;
	bool wide; /* its values stand in a row group of its own */
	bool compared;
	bool key_changed; /* once compared */
	EcTupleBuffer tuple;
} NewVersion;

static void
form_new_version(EcCompanion *c, TupleTableSlot *slot, NewVersion *new)
{
	EcRowPayload payload;

	slot_getallattrs(slot);
	new->number = ec_delta_next_number(c->main);
	new->compared = false;
	new->wide = !ec_row_build(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull,
							  new->number, 0, &payload);
	if (new->wide)
		ec_row_build_mark(EC_ROW_LIVE, new->number, 0, &payload);
	ec_companion_form(c, EC_CATALOG_ROW, new->number, payload.start, payload.len, &new->tuple);
}

/* Once is enough: the values of a row never change. */
static void
compare_key(EcCompanion *c, const EcTarget *target, ItemPointer otid, TupleTableSlot *slot,
			NewVersion *new, LockTupleMode *lockmode)
{
	if (!new->compared)
		new->key_changed = changes_key(c, target, otid, slot);
	new->compared = true;
	*lockmode = new->key_changed ? LockTupleExclusive : LockTupleNoKeyExclusive;
}

/*
 * Tombstone and header can come in either order.  The tombstone first costs less, but for
 * a moment there is nothing that lets a foreign key's check pass by.
 */
static TM_Result
update_target(EcCompanion *c, EcTarget *target, ItemPointer otid, TupleTableSlot *slot,
			  NewVersion *new, CommandId cid, Snapshot crosscheck, bool wait, TM_FailureData *tmfd,
			  LockTupleMode *lockmode)
{
	EcTargetPurpose purpose = {
		.cid = cid,
		.policy = wait ? LockWaitBlock : LockWaitSkip,
		.oper = XLTW_Update,
		.tombstone = tombstone_is_enough(crosscheck, false) && !has_key(c->main),
		.header = true,
	};
	EcTargetFound found;
	TM_Result result;

	*lockmode = LockTupleExclusive;
	do
	{
		found = ec_target_get(c, target, &purpose);
		if (found != EC_TARGET_FOUND)
			result = ec_target_failed(target, found, cid, tmfd);
		if ((found != EC_TARGET_FOUND && result == TM_Invisible) ||
			(found == EC_TARGET_FOUND && !ec_target_visible(c, target, cid)))
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("attempted to update invisible tuple")));
		if (found != EC_TARGET_FOUND)
			return result;
		compare_key(c, target, otid, slot, new, lockmode);
		if (fails_crosscheck(c, target, otid, crosscheck, tmfd))
			return TM_Updated;
		if (new->key_changed)
			result = ec_compat_heap_update(c->heap, &target->ctid, &new->tuple.tuple, cid,
										   crosscheck, wait, tmfd, lockmode);
		else
			result = heap_update_keeping_key(c, target, &new->tuple, cid, crosscheck, wait, tmfd,
											 lockmode);
		if (result != TM_Ok)
			ec_target_take_back(c, target);
	} while (result == TM_Deleted && ec_target_moved(c, target));

	if (result != TM_Ok)
		ec_target_translate(c, target, tmfd);
	return result;
}

TM_Result
ec_dml_update(Relation rel, ItemPointer otid, TupleTableSlot *slot, CommandId cid,
			  Snapshot snapshot, Snapshot crosscheck, bool wait, TM_FailureData *tmfd,
			  LockTupleMode *lockmode, EcUpdateIndexes *update_indexes)
{
	EcCompanion own;
	EcCompanion *c;
	EcTarget target;
	NewVersion new;
	TM_Result result;

	ec_target_init(&target, otid);
	c = open_companion(rel, &own);
	form_new_version(c, slot, &new);
	result = update_target(c, &target, otid, slot, &new, cid, crosscheck, wait, tmfd, lockmode);
	*update_indexes = result == TM_Ok ? EC_COMPAT_UPDATE_ALL : EC_COMPAT_UPDATE_NONE;
	if (result == TM_Ok)
	{
		ec_companion_insert_index(c, EC_CATALOG_ROW, new.number, &new.tuple.tuple.t_self);
		if (target.state == EC_ROW_LIVE && !ItemPointerIsValid(&target.tombstone))
			ec_row_insert_mark(c, target.number, EC_ROW_DEAD, 0, cid, 0, NULL);
		if (new.wide)
			ec_dml_write_wide(rel, slot, new.number, cid);
		ec_fetch_note_gone(rel, target.number);
		log_old(c, &target, otid, slot);
		check_serializable(rel, otid);
		CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
		ec_tid_from_row(new.number, &slot->tts_tid);
		slot->tts_tableOid = RelationGetRelid(rel);
		ec_slot_set_origin(slot, GetCurrentTransactionId(), cid);
		ec_compat_count_update(rel);
	}
	ec_held_close(c, &own);
	return result;
}

/* ------------------------------------------------------------------------
 * Row locks
 * ------------------------------------------------------------------------
 */

static void
lock_not_available(Relation rel)
{
	ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					errmsg("could not obtain lock on row in relation \"%s\"",
						   RelationGetRelationName(rel))));
}

/* Locks the target, or the last version of it; *ctid tells which. */
static TM_Result
lock_target(EcCompanion *c, EcTarget *target, Snapshot snapshot, CommandId cid, LockTupleMode mode,
			LockWaitPolicy wait_policy, uint8 flags, TM_FailureData *tmfd, ItemPointer ctid)
{
	/* heap would name the companion in the error */
	LockWaitPolicy policy = wait_policy == LockWaitError ? LockWaitSkip : wait_policy;
	EcTargetPurpose purpose = {.cid = cid, .policy = policy, .oper = XLTW_Lock};
	EcTargetFound found;
	TM_Result result;

	do
	{
		found = ec_target_get(c, target, &purpose);
		if (found != EC_TARGET_FOUND)
		{
			result = ec_target_failed(target, found, cid, tmfd);
			if (result == TM_BeingModified)
				result = TM_WouldBlock;
			break;
		}
		*ctid = target->ctid;
		if (!ec_target_visible(c, target, cid))
			return TM_Invisible;
		if (c->slot != NULL)
			ExecClearTuple(c->slot);
		result = table_tuple_lock(c->heap, ctid, snapshot, c->slot, cid, mode, policy, flags, tmfd);
	} while (!tmfd->traversed &&
			 ((result == TM_Deleted && ec_target_moved(c, target)) ||
			  (result == TM_WouldBlock && ec_claim_try_again(c, target->number, &target->ctid))));

	if (result == TM_WouldBlock && wait_policy == LockWaitError)
		lock_not_available(c->main);
	if (found != EC_TARGET_FOUND && result == TM_Invisible)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("attempted to lock invisible tuple")));
	if (found == EC_TARGET_FOUND && result != TM_Ok && result != TM_Invisible &&
		result != TM_WouldBlock)
		ec_target_translate(c, target, tmfd);
	return result;
}

/* Stores the row that a tuple of the companion stands for; tells its tid. */
static void
store_locked(EcCompanion *c, ItemPointer ctid, ItemPointer tid, TupleTableSlot *slot)
{
	EcCatalogTuple opened;
	HeapTuple tuple = ec_companion_fetch(c, ctid, &opened);
	EcRow row;

	if (tuple == NULL || opened.kind != EC_CATALOG_ROW)
		elog(ERROR, "row to be locked has gone");
	ec_row_parse(c->main, tuple, &opened, &row);
	ec_tid_from_row(row.number, tid);
	if (row.state == EC_ROW_DATA)
		ec_row_store(c->main, &row, slot);
	else if (!ec_fetch_row(c->main, tid, SnapshotAny, slot))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("row (%u,%u) of table \"%s\" is in no row group",
							   ItemPointerGetBlockNumber(tid), ItemPointerGetOffsetNumber(tid),
							   RelationGetRelationName(c->main))));
}

TM_Result
ec_dml_lock(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot, CommandId cid,
			LockTupleMode mode, LockWaitPolicy wait_policy, uint8 flags, TM_FailureData *tmfd)
{
	EcCompanion own;
	EcCompanion *c;
	EcTarget target;
	ItemPointerData ctid;
	TM_Result result;

	tmfd->traversed = false;
	ec_target_init(&target, tid);
	c = open_companion(rel, &own);
	result = lock_target(c, &target, snapshot, cid, mode, wait_policy, flags, tmfd, &ctid);
	if (result == TM_Ok || result == TM_Invisible)
	{
		/* tid may be the slot's own, which is cleared */
		ItemPointerData locked;

		store_locked(c, &ctid, &locked, slot);
		*tid = locked;
	}
	ec_held_close(c, &own);
	return result;
}

/* ------------------------------------------------------------------------
 * The latest version of a row that a snapshot sees
 * ------------------------------------------------------------------------
 */

void
ec_dml_latest_tid(TableScanDesc scan, ItemPointer tid)
{
	TableScanDescData companion_scan = {.rs_snapshot = scan->rs_snapshot};
	EcCompanion companion;
	EcCatalogTuple opened;
	EcTarget target;

	ec_target_init(&target, tid);
	if (!ec_companion_open(scan->rs_rd, AccessShareLock, &companion))
		return;
	if (ec_target_find(&companion, &target) == EC_TARGET_FOUND)
	{
		companion_scan.rs_rd = companion.heap;
		heap_get_latest_tid(&companion_scan, &target.ctid);
		if (ec_companion_fetch(&companion, &target.ctid, &opened) != NULL &&
			opened.kind == EC_CATALOG_ROW)
			ec_tid_from_row(opened.number, tid);
	}
	ec_companion_close(&companion);
}
