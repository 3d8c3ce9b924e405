/*
 * fetch.c
 *	  Single rows by tid: index scans, uniqueness, triggers, TID scans, foreign keys.
 *
 * Where a row may be, in the order of asking:
 *	- in a batch of this transaction that is not yet written (write_state.c);
 *	- in a row tuple, or not at all if one says so (row.c);
 *	- in the batch of another backend: its number is reserved (row.c), so somebody
 *	  who checks uniqueness has to wait for that backend;
 *	- in a row group: groupmap.c tells which ones may hold it, lookup.c whether the
 *	  snapshot sees one of them, opened.c reads values.
 *
 * Row numbers are never used twice in a file, so the first visible group that holds
 * the number, unmasked, is the one.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/fetch.h"
#include "store/groupmap.h"
#include "store/opened.h"
#include "store/row.h"
#include "store/slot.h"
#include "store/tid.h"
#include "store/write_state.h"

struct EcFetch
{
	Relation rel;
	MemoryContext context; /* of rows being formed; reset with each */
	bool open;			   /* is there a companion? */
	EcCompanion companion;
};

/* Where a visible row was found. */
typedef struct Found
{
	int64 group;
	uint32 row;
	EcLookup lookup; /* of its descriptor */
} Found;

void
ec_fetch_forget(void)
{
	ec_groupmap_forget();
	ec_opened_forget();
}

/* ------------------------------------------------------------------------
 * Row groups
 * ------------------------------------------------------------------------
 */

static bool
place_holds(EcCompanion *c, const EcGroupPlace *place, int64 number, Snapshot snapshot,
			Found *found)
{
	found->lookup = ec_lookup_group(c, place->number, &place->tid, snapshot, NULL);
	if (!found->lookup.visible)
		return false;
	found->group = place->number;
	found->row = place->row + (uint32) (number - place->first);
	return true;
}

static bool
find_in_groups(EcCompanion *c, int64 number, Snapshot snapshot, Found *found)
{
	EcGroupPlace *places;
	int count = ec_groupmap_find(c, number, &places);
	bool holds = false;

	for (int i = 0; i < count && !holds; i++)
		holds = place_holds(c, &places[i], number, snapshot, found);
	if (count > 0)
		pfree(places);
	return holds;
}

bool
ec_fetch_group_holds(EcCompanion *c, int64 number, Snapshot snapshot, TransactionId *xmin)
{
	Found found;

	if (!find_in_groups(c, number, snapshot, &found))
		return false;
	if (xmin != NULL)
		*xmin = found.lookup.xmin;
	return true;
}

/* ------------------------------------------------------------------------
 * Values on demand
 * ------------------------------------------------------------------------
 */

/* Waits until the row is written or given up.  One that never came has no values that could matter. */
static void
fill_promised(Relation rel, EcSlot *slot)
{
	TupleTableSlot *base = &slot->base.base;
	TupleTableSlot *found = table_slot_create(rel, NULL);

	XactLockTableWait(slot->promiser, rel, NULL, XLTW_None);
	if (ec_fetch_row(rel, &base->tts_tid, SnapshotAny, found))
		slot_getallattrs(found);
	else
		ExecStoreAllNullTuple(found);
	for (int i = 0; i < base->tts_tupleDescriptor->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(base->tts_tupleDescriptor, i);

		base->tts_isnull[i] = found->tts_isnull[i];
		base->tts_values[i] = found->tts_isnull[i]
								  ? (Datum) 0
								  : datumCopy(found->tts_values[i], att->attbyval, att->attlen);
	}
	ExecDropSingleTupleTableSlot(found);
}

void
ec_fetch_fill(EcSlot *slot, int natts)
{
	TupleTableSlot *base = &slot->base.base;
	Relation rel = table_open(base->tts_tableOid, NoLock);

	if (slot->source == EC_SLOT_PROMISE)
		fill_promised(rel, slot);
	else
		ec_opened_read(rel, ec_opened_open(rel, slot->group, &slot->lookup), slot->row,
					   base->tts_nvalid, natts, base->tts_values, base->tts_isnull);
	table_close(rel, NoLock);
}

/* ------------------------------------------------------------------------
 * Rows that this backend has not written yet
 * ------------------------------------------------------------------------
 */

static bool
sees_command(Snapshot snapshot, CommandId cid)
{
	return !IsMVCCSnapshot(snapshot) || cid < snapshot->curcid;
}

static bool
descriptor_holds(const EcDescriptor *desc, int64 number, uint32 *row)
{
	*row = 0;
	for (uint32 i = 0; i < desc->nranges; i++)
	{
		const EcDiskRange *range = &desc->ranges[i];

		if (number >= range->first && number < range->first + range->count)
		{
			*row += (uint32) (number - range->first);
			return true;
		}
		*row += (uint32) range->count;
	}
	return false;
}

static void
store_pending(EcFetch *fetch, const EcDescriptor *desc, uint32 row, ItemPointer tid,
			  TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	ec_opened_read(fetch->rel, ec_opened_open_pending(fetch->rel, desc, fetch->context), row, 0,
				   slot->tts_tupleDescriptor->natts, slot->tts_values, slot->tts_isnull);
	ExecStoreVirtualTuple(slot);
	ExecMaterializeSlot(slot);
	slot->tts_tid = *tid;
	slot->tts_tableOid = RelationGetRelid(fetch->rel);
}

static bool
fetch_pending(EcFetch *fetch, int64 number, ItemPointer tid, Snapshot snapshot,
			  TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(fetch->context);
	EcPendingGroup *pending;
	bool found = false;
	int count;

	pending = ec_write_pending_groups(fetch->rel, &count);
	for (int i = 0; i < count && !found; i++)
	{
		EcDescriptor desc;
		uint32 row;

		ec_descriptor_parse(fetch->rel, pending[i].payload, pending[i].len, &desc);
		found = descriptor_holds(&desc, number, &row) && sees_command(snapshot, pending[i].cid);
		if (found && slot != NULL)
			store_pending(fetch, &desc, row, tid, slot);
	}
	MemoryContextSwitchTo(old);
	return found;
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

static bool
fetch_tuple(EcFetch *fetch, const EcRow *row, ItemPointer tid, Snapshot snapshot,
			TupleTableSlot *slot)
{
	PredicateLockTID(fetch->rel, tid, snapshot, row->xmin);
	if (slot != NULL)
		ec_row_store(fetch->rel, row, slot);
	return true;
}

static bool
fetch_from_group(EcFetch *fetch, int64 number, ItemPointer tid, Snapshot snapshot,
				 TupleTableSlot *slot)
{
	EcCompanion *c = &fetch->companion;
	Found found;

	if (!find_in_groups(c, number, snapshot, &found))
		return false;
	PredicateLockTID(fetch->rel, tid, snapshot, found.lookup.xmin);
	if (slot == NULL)
		return true;
	ec_slot_store_group(slot, found.group, found.row, &found.lookup);
	slot->tts_tid = *tid;
	slot->tts_tableOid = RelationGetRelid(fetch->rel);
	return true;
}

/*
 * A row that another backend has promised but not written.  Who checks uniqueness
 * only asks who it is that has to be waited for, often with an index page locked;
 * who wants values waits when they are read.
 */
static bool
fetch_promise(EcFetch *fetch, int64 number, ItemPointer tid, Snapshot snapshot,
			  TupleTableSlot *slot)
{
	if (snapshot->snapshot_type != SNAPSHOT_DIRTY ||
		!ec_row_reserved(&fetch->companion, number, snapshot))
		return false;

	/* it ended meanwhile: the row is in a group now, or never came */
	if (!TransactionIdIsValid(snapshot->xmin))
		return false;
	if (slot != NULL)
	{
		ec_slot_store_promise(slot, snapshot->xmin);
		slot->tts_tid = *tid;
		slot->tts_tableOid = RelationGetRelid(fetch->rel);
	}
	return true;
}

static bool
fetch_written(EcFetch *fetch, int64 number, ItemPointer tid, Snapshot snapshot,
			  TupleTableSlot *slot)
{
	EcRowDirty dirty;
	EcRow row;
	EcRowFound found = ec_row_probe(&fetch->companion, number, snapshot, &row, &dirty);

	if (found == EC_ROW_GONE)
		return false;
	if (found == EC_ROW_HERE)
		return fetch_tuple(fetch, &row, tid, snapshot, slot);
	if (fetch_promise(fetch, number, tid, snapshot, slot))
		return true;
	if (!fetch_from_group(fetch, number, tid, snapshot, slot))
		return false;
	ec_row_mark_dirty(snapshot, &dirty);
	return true;
}

EcFetch *
ec_fetch_begin(Relation rel)
{
	EcFetch *fetch = palloc0(sizeof(EcFetch));

	fetch->rel = rel;
	fetch->context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight fetch", ALLOCSET_DEFAULT_SIZES);
	fetch->open = ec_companion_open(rel, AccessShareLock, &fetch->companion);
	return fetch;
}

void
ec_fetch_end(EcFetch *fetch)
{
	if (fetch->open)
		ec_companion_close(&fetch->companion);
	MemoryContextDelete(fetch->context);
	pfree(fetch);
}

bool
ec_fetch_next(EcFetch *fetch, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	int64 number = ec_tid_to_row(tid);

	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
	{
		snapshot->xmin = snapshot->xmax = InvalidTransactionId;
		snapshot->speculativeToken = 0;
	}
	if (number < 0)
		return false;
	MemoryContextReset(fetch->context);
	if (ec_write_any_pending())
	{
		ec_write_flush_relation(fetch->rel);
		if (fetch_pending(fetch, number, tid, snapshot, slot))
			return true;
	}
	return fetch->open && fetch_written(fetch, number, tid, snapshot, slot);
}

bool
ec_fetch_row(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	EcFetch *fetch = ec_fetch_begin(rel);
	bool found = ec_fetch_next(fetch, tid, snapshot, slot);

	ec_fetch_end(fetch);
	return found;
}
