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

#include "access/parallel.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/delta.h"
#include "store/fetch.h"
#include "store/groupmap.h"
#include "store/late.h"
#include "store/mask.h"
#include "store/opened.h"
#include "store/row.h"
#include "store/slot.h"
#include "store/tid.h"
#include "store/write_state.h"

/* Where a visible row was found. */
typedef struct Found
{
	EcGroupPlace place;
	EcLookup lookup; /* of the group's descriptor */
	uint32 row;
} Found;

/* What an MVCC snapshot sees: two with the same mark see the same, but for what was rolled back. */
typedef struct SnapshotMark
{
	TransactionId xmin;
	TransactionId xmax;
	uint32 xcnt;
	int32 subxcnt;
	CommandId curcid;
} SnapshotMark;

/* Descriptors looked up before, by the group's number. */
#define LOOKUPS_KEPT 64

typedef struct KeptLookup
{
	int64 group; /* -1: none */
	EcLookup lookup;
} KeptLookup;

/*
 * What was learned under one MVCC snapshot, for which it stays true.  Not for
 * serializable transactions, which must look at each tuple after they have locked
 * it.
 */
typedef struct Learned
{
	bool valid;
	SnapshotMark mark;
	uint64 batches;	   /* ec_delta_batches(): those make row tuples that the snapshot sees */
	bool map_is_fresh; /* groupmap.c knows all groups that the snapshot sees */
	int64 no_rows;	   /* there is no row tuple from this number ... */
	int64 no_rows_end; /* ... up to before this one */
	Found last;		   /* in a group; place.end == 0: none */
	KeptLookup lookups[LOOKUPS_KEPT];
} Learned;

struct EcFetch
{
	Relation rel;
	MemoryContext outer;   /* the one of the beginning, for what lives as long */
	MemoryContext context; /* of rows being formed; reset with each; NULL until the first */
	bool begun;			   /* the companion was looked for, with the first row ... */
	bool open;			   /* ... and there is one */
	EcCompanion companion;
	Learned learned;
};

/*
 * The row group in which a row was found last under SnapshotAny, as the executor asks
 * for each row that it changes.  The active snapshot sees it, so it stays where it is
 * as long as that is the one.
 */
typedef struct Known
{
	Oid relid; /* invalid: none */
	RelFileLocator locator;
	SnapshotMark mark;
	Found found;
} Known;

static Known known;

/*
 * The row that this (sub)transaction deleted last: an UPDATE checks each new key
 * against the index entry of the old version.
 */
typedef struct Gone
{
	FullTransactionId xid; /* of the subtransaction */
	Oid relid;
	RelFileLocator locator;
	int64 number;
} Gone;

static Gone gone;

void
ec_fetch_note_gone(Relation rel, int64 number)
{
	gone.xid = GetCurrentFullTransactionId();
	gone.relid = RelationGetRelid(rel);
	gone.locator = rel->rd_locator;
	gone.number = number;
}

/* Nobody who sees what runs now sees a row that the current subtransaction has deleted. */
static bool
is_gone(Relation rel, int64 number)
{
	return number == gone.number && gone.relid == RelationGetRelid(rel) &&
		   RelFileLocatorEquals(gone.locator, rel->rd_locator) &&
		   FullTransactionIdIsValid(gone.xid) &&
		   FullTransactionIdEquals(gone.xid, GetCurrentFullTransactionIdIfAny());
}

void
ec_fetch_forget(void)
{
	gone.xid = InvalidFullTransactionId;
	known.relid = InvalidOid;
	ec_groupmap_forget();
	ec_opened_forget();
}

/* ------------------------------------------------------------------------
 * What stays true
 * ------------------------------------------------------------------------
 */

static void
forget_learned(Learned *learned)
{
	memset(learned, 0, offsetof(Learned, lookups));
	for (int i = 0; i < LOOKUPS_KEPT; i++)
		learned->lookups[i].group = -1;
}

static SnapshotMark
mark_of(Snapshot snapshot)
{
	SnapshotMark mark = {snapshot->xmin, snapshot->xmax, snapshot->xcnt, snapshot->subxcnt,
						 snapshot->curcid};

	return mark;
}

static bool
has_mark(Snapshot snapshot, const SnapshotMark *mark)
{
	return mark->xmin == snapshot->xmin && mark->xmax == snapshot->xmax &&
		   mark->xcnt == snapshot->xcnt && mark->subxcnt == snapshot->subxcnt &&
		   mark->curcid == snapshot->curcid;
}

/* NULL if nothing may be kept under this snapshot. */
static Learned *
learn(EcFetch *fetch, Snapshot snapshot)
{
	Learned *learned = &fetch->learned;

	if (snapshot->snapshot_type != SNAPSHOT_MVCC || IsolationIsSerializable())
		return NULL;
	if (learned->valid && has_mark(snapshot, &learned->mark) &&
		learned->batches == ec_delta_batches())
		return learned;
	forget_learned(learned);
	learned->valid = true;
	learned->mark = mark_of(snapshot);
	learned->batches = ec_delta_batches();
	return learned;
}

/* ------------------------------------------------------------------------
 * Row groups
 * ------------------------------------------------------------------------
 */

static EcLookup
look_up(EcCompanion *c, const EcGroupPlace *place, Snapshot snapshot, Learned *learned)
{
	KeptLookup *kept;

	if (learned == NULL)
		return ec_lookup_group(c, place->number, &place->tid, snapshot, NULL);
	kept = &learned->lookups[place->number % LOOKUPS_KEPT];
	if (kept->group != place->number)
	{
		kept->group = -1;
		kept->lookup = ec_lookup_group(c, place->number, &place->tid, snapshot, NULL);
		kept->group = place->number;
	}
	return kept->lookup;
}

/* Snapshots that are no point in time take the masks of now: masked rows are dead for everybody. */
static bool
is_masked(EcCompanion *c, const Found *found, Snapshot snapshot)
{
	int64 group = found->place.number;
	uint32 block = found->row / EC_BLOCK_ROWS;
	uint32 in_block = found->row % EC_BLOCK_ROWS;
	uint64 dead[EC_MASK_WORDS] = {0};
	EcCatalogTuple opened;
	HeapTuple tuple;

	ec_companion_search(c, EC_CATALOG_MASK, EC_MASK_NUMBER(group, block));
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		EcOpenGroup *open;

		if (!ec_companion_sees(c, tuple, IsMVCCSnapshot(snapshot) ? snapshot : SnapshotSelf))
			continue;
		open = ec_opened_open(c->main, group, &found->lookup);
		ec_mask_read(c->main, group, block, opened.payload, opened.len,
					 ec_opened_block_rows(open, block), dead);
	}
	return (dead[in_block / 64] >> in_block % 64 & 1) != 0;
}

static bool
place_holds(EcCompanion *c, const EcGroupPlace *place, int64 number, Snapshot snapshot,
			Learned *learned, Found *found)
{
	found->place = *place;
	found->lookup = look_up(c, place, snapshot, learned);
	if (!found->lookup.visible)
		return false;
	if (!place->numbered)
		found->row = place->row + (uint32) (number - place->first);
	else if (!ec_opened_find(c->main, ec_opened_open(c->main, place->number, &found->lookup),
							 number, &found->row))
		return false;
	if (place->masked && snapshot->snapshot_type != SNAPSHOT_ANY && is_masked(c, found, snapshot))
		return false;
	return !ec_late_hides(c->main, number, snapshot);
}

static bool
search_groups(EcCompanion *c, int64 number, bool refresh, Snapshot snapshot, Learned *learned,
			  Found *found)
{
	EcGroupPlace *places;
	int count = ec_groupmap_find(c, number, refresh, &places);
	bool holds = false;

	for (int i = 0; i < count && !holds; i++)
		holds = place_holds(c, &places[i], number, snapshot, learned, found);
	if (count > 0)
		pfree(places);
	return holds;
}

/* learned may be NULL. */
static bool
find_in_groups(EcCompanion *c, int64 number, Snapshot snapshot, Learned *learned, Found *found)
{
	bool holds;

	/* a map that is out of date tells nothing wrong, but may lack groups and masks */
	if (snapshot->snapshot_type == SNAPSHOT_ANY &&
		search_groups(c, number, false, snapshot, NULL, found))
		return true;
	if (learned == NULL)
		return search_groups(c, number, true, snapshot, NULL, found);
	if (number >= learned->last.place.first && number < learned->last.place.end &&
		place_holds(c, &learned->last.place, number, snapshot, learned, found))
		return true;
	holds = learned->map_is_fresh && search_groups(c, number, false, snapshot, learned, found);

	/* a batch of ours may have been written meanwhile */
	if (!holds)
		holds = search_groups(c, number, true, snapshot, learned, found);
	learned->map_is_fresh = true;
	if (holds)
		learned->last = *found;
	return holds;
}

static Snapshot
active_mvcc_snapshot(void)
{
	Snapshot active = ActiveSnapshotSet() ? GetActiveSnapshot() : InvalidSnapshot;

	return active != InvalidSnapshot && active->snapshot_type == SNAPSHOT_MVCC ? active
																			   : InvalidSnapshot;
}

/* What this transaction has written a rollback to a savepoint may take back. */
static void
note_known(EcCompanion *c, const Found *found)
{
	const EcGroupPlace *place = &found->place;
	Snapshot active = active_mvcc_snapshot();

	known.relid = InvalidOid;
	if (active == InvalidSnapshot || TransactionIdIsCurrentTransactionId(found->lookup.xmin))
		return;
	known.found = *found;
	known.found.lookup = ec_lookup_group(c, place->number, &place->tid, active, NULL);
	if (!known.found.lookup.visible)
		return;
	known.mark = mark_of(active);
	known.locator = c->main->rd_locator;
	known.relid = RelationGetRelid(c->main);
}

static bool
find_in_known(Relation rel, int64 number, Found *found)
{
	const EcGroupPlace *place = &known.found.place;
	Snapshot active;

	if (known.relid != RelationGetRelid(rel) || number < place->first || number >= place->end ||
		!RelFileLocatorEquals(known.locator, rel->rd_locator))
		return false;
	active = active_mvcc_snapshot();
	if (active == InvalidSnapshot || !has_mark(active, &known.mark))
		return false;
	*found = known.found;
	if (!place->numbered)
		found->row = place->row + (uint32) (number - place->first);
	else if (!ec_opened_find(rel, ec_opened_open(rel, place->number, &found->lookup), number,
							 &found->row))
		return false;
	return true;
}

bool
ec_fetch_group_holds(EcCompanion *c, int64 number, Snapshot snapshot, TransactionId *xmin)
{
	Found found;

	if (!find_in_groups(c, number, snapshot, NULL, &found))
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
					   base->tts_nvalid, natts, slot->wanted, base->tts_values, base->tts_isnull);
	table_close(rel, NoLock);
}

/* ------------------------------------------------------------------------
 * Rows that this transaction has not written yet
 * ------------------------------------------------------------------------
 */

/* The slot gets copies: the batch grows on. */
static void
store_pending(EcFetch *fetch, const EcPendingRow *pending, ItemPointer tid, TupleTableSlot *slot)
{
	EcBatch *batch = pending->batch;
	MemoryContext old;

	ExecStoreAllNullTuple(slot);
	if (fetch->context == NULL)
		fetch->context =
			AllocSetContextCreate(fetch->outer, "ecinsight fetch", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(fetch->context);
	old = MemoryContextSwitchTo(fetch->context);
	for (int i = 0; i < batch->natts; i++)
	{
		const EcColType *type = &batch->types[i];
		EcVector v;

		if (batch->columns[i] == NULL)
			continue;
		ec_builder_view(batch->columns[i], &v);
		slot->tts_isnull[i] = ec_vector_is_null(&v, pending->row);
		if (!slot->tts_isnull[i])
			slot->tts_values[i] =
				ec_datum_from_vector(&v, pending->row, type, type->kind, type->scale);
	}
	MemoryContextSwitchTo(old);
	ExecMaterializeSlot(slot);
	slot->tts_tid = *tid;
	slot->tts_tableOid = RelationGetRelid(fetch->rel);
	ec_slot_set_origin(slot, GetCurrentTransactionId(), pending->cid);
}

/* False if it is none of those; *visible tells whether the snapshot sees it. */
static bool
fetch_pending(EcFetch *fetch, int64 number, ItemPointer tid, Snapshot snapshot,
			  TupleTableSlot *slot, bool *visible)
{
	EcPendingRow pending;

	if (!ec_write_any_pending() || !ec_write_pending_find(fetch->rel, number, &pending))
		return false;
	*visible = !IsMVCCSnapshot(snapshot) || pending.cid < snapshot->curcid;
	if (*visible && slot != NULL)
		store_pending(fetch, &pending, tid, slot);
	return true;
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

static void
store_found(Relation rel, const Found *found, ItemPointer tid, TupleTableSlot *slot)
{
	ec_slot_store_group(slot, found->place.number, found->row, &found->lookup);
	ec_slot_set_origin(slot, found->lookup.xmin,
					   ec_late_command(rel, ec_tid_to_row(tid), found->lookup.cmin));
	slot->tts_tid = *tid;
	slot->tts_tableOid = RelationGetRelid(rel);
}

static bool
fetch_from_group(EcFetch *fetch, int64 number, ItemPointer tid, Snapshot snapshot,
				 TupleTableSlot *slot)
{
	EcCompanion *c = &fetch->companion;
	Found found;

	if (!find_in_groups(c, number, snapshot, learn(fetch, snapshot), &found))
		return false;
	if (snapshot->snapshot_type == SNAPSHOT_ANY)
		note_known(c, &found);
	PredicateLockTID(fetch->rel, tid, snapshot, found.lookup.xmin);
	if (slot != NULL)
		store_found(fetch->rel, &found, tid, slot);
	return true;
}

bool
ec_fetch_group_row(EcCompanion *c, ItemPointer tid, TupleTableSlot *slot)
{
	Found found;

	if (!find_in_known(c->main, ec_tid_to_row(tid), &found) &&
		(ec_write_any_pending() ||
		 !find_in_groups(c, ec_tid_to_row(tid), SnapshotAny, NULL, &found)))
		return false;
	store_found(c->main, &found, tid, slot);
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

/* Row tuples are few beside rows in groups: remembers where there are none. */
static EcRowFound
probe(EcFetch *fetch, int64 number, Snapshot snapshot, EcRow *row, EcRowDirty *dirty)
{
	Learned *learned = learn(fetch, snapshot);
	int64 end;

	if (learned == NULL)
		return ec_row_probe(&fetch->companion, number, snapshot, row, dirty);
	if (number >= learned->no_rows && number < learned->no_rows_end)
		return EC_ROW_UNKNOWN;
	end = ec_companion_next_row(&fetch->companion, number);
	if (end == number)
		return ec_row_probe(&fetch->companion, number, snapshot, row, dirty);

	/* the gap may continue the one that is known */
	if (number > learned->no_rows_end || end < learned->no_rows)
		learned->no_rows_end = end;
	learned->no_rows_end = Max(learned->no_rows_end, end);
	learned->no_rows = number;
	return EC_ROW_UNKNOWN;
}

static bool
fetch_written(EcFetch *fetch, int64 number, ItemPointer tid, Snapshot snapshot,
			  TupleTableSlot *slot)
{
	EcRowDirty dirty;
	EcRow row;
	EcRowFound found = probe(fetch, number, snapshot, &row, &dirty);

	if (found == EC_ROW_GONE)
		return false;
	if (found == EC_ROW_HERE)
		return fetch_tuple(fetch, &row, tid, snapshot, slot);
	if (fetch_promise(fetch, number, tid, snapshot, slot))
		return true;
	if (!fetch_from_group(fetch, number, tid, snapshot, slot))
		return false;
	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
		ec_row_mark_dirty(snapshot, &dirty);
	return true;
}

EcFetch *
ec_fetch_begin(Relation rel)
{
	EcFetch *fetch = palloc(sizeof(EcFetch));

	/* learn() prepares what was learned */
	memset(fetch, 0, offsetof(EcFetch, learned.lookups));
	fetch->rel = rel;
	fetch->outer = CurrentMemoryContext;
	return fetch;
}

/* Whoever checks uniqueness often learns all without the companion. */
static bool
open_companion(EcFetch *fetch)
{
	MemoryContext old;

	if (fetch->begun)
		return fetch->open;
	old = MemoryContextSwitchTo(fetch->outer);
	fetch->open = ec_companion_open(fetch->rel, AccessShareLock, &fetch->companion);
	MemoryContextSwitchTo(old);
	fetch->begun = true;
	return fetch->open;
}

void
ec_fetch_end(EcFetch *fetch)
{
	if (fetch->open)
		ec_companion_close(&fetch->companion);
	if (fetch->context != NULL)
		MemoryContextDelete(fetch->context);
	pfree(fetch);
}

/* A row that is not written yet may have been deleted: gathered ones outlive their commands. */
static bool
pending_is_gone(EcFetch *fetch, int64 number, Snapshot snapshot)
{
	EcRowDirty dirty;
	EcRow row;
	bool gone;

	if (snapshot->snapshot_type == SNAPSHOT_ANY || !open_companion(fetch))
		return false;
	gone = probe(fetch, number, snapshot, &row, &dirty) == EC_ROW_GONE;
	ec_companion_rest(&fetch->companion);
	return gone;
}

bool
ec_fetch_next(EcFetch *fetch, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	int64 number = ec_tid_to_row(tid);
	bool visible;
	Found found;

	if (snapshot->snapshot_type == SNAPSHOT_ANY && find_in_known(fetch->rel, number, &found))
	{
		if (slot != NULL)
			store_found(fetch->rel, &found, tid, slot);
		return true;
	}
	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
	{
		snapshot->xmin = snapshot->xmax = InvalidTransactionId;
		snapshot->speculativeToken = 0;
		if (is_gone(fetch->rel, number))
			return false;
	}
	if (number < 0)
		return false;
	if (fetch_pending(fetch, number, tid, snapshot, slot, &visible))
	{
		visible = visible && !pending_is_gone(fetch, number, snapshot);
		if (!visible && slot != NULL)
			ExecClearTuple(slot);
		return visible;
	}
	if (!open_companion(fetch))
		return false;
	visible = fetch_written(fetch, number, tid, snapshot, slot);
	ec_companion_rest(&fetch->companion);
	return visible;
}

/*
 * Everybody sees its tombstone; or nothing that anybody may still see, now or when a
 * transaction has ended, holds its number.  The order of asking is that in which a
 * number passes from one holder to the next: reservation, row tuple, row group.
 */
static bool
is_dead(EcCompanion *c, int64 number, Snapshot snapshot)
{
	EcRowDirty dirty;
	EcRow row;
	EcRowFound found = ec_row_probe(c, number, snapshot, &row, &dirty);

	if (found == EC_ROW_GONE || found == EC_ROW_HERE)
		return found == EC_ROW_GONE;
	return !ec_row_reserved(c, number, snapshot) &&
		   ec_row_probe(c, number, snapshot, &row, &dirty) != EC_ROW_HERE &&
		   !ec_fetch_group_holds(c, number, SnapshotAny, NULL);
}

/* Standbys don't mark entries; and a parallel worker doesn't know its leader's batches. */
bool
ec_fetch_is_dead(EcFetch *fetch, ItemPointer tid)
{
	int64 number = ec_tid_to_row(tid);
	EcPendingRow pending;
	SnapshotData snapshot;
	bool dead;

	if (number < 0 || !fetch->open || RecoveryInProgress() || IsParallelWorker() ||
		(ec_write_any_pending() && ec_write_pending_find(fetch->rel, number, &pending)))
		return false;
	InitNonVacuumableSnapshot(snapshot, GlobalVisTestFor(fetch->companion.heap));
	dead = is_dead(&fetch->companion, number, &snapshot);
	ec_companion_rest(&fetch->companion);
	return dead;
}

bool
ec_fetch_row(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	EcFetch *fetch = ec_fetch_begin(rel);
	bool found = ec_fetch_next(fetch, tid, snapshot, slot);

	ec_fetch_end(fetch);
	return found;
}
