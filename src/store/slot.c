/*
 * slot.c
 *	  Slots of columnar tables: PostgreSQL's virtual slots, which besides know where
 *	  their row comes from (tid, xmin, cmin).
 *
 * Foreign keys, ON CONFLICT and MERGE ask for xmin of rows; it is set when a row is
 * stored.  The other system columns are looked up in the companion when someone
 * asks.  Values of a row in a row group are read when they are needed, so that
 * index-only scans, uniqueness checks and row locks decode nothing.  A row in a row group has the xmin of the group, which compaction changes.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/fetch.h"
#include "store/row.h"
#include "store/slot.h"
#include "store/store.h"
#include "store/tid.h"

static inline bool
is_ours(const TupleTableSlot *slot)
{
	return slot->tts_ops == ec_slot_ops();
}

void
ec_slot_set_origin(TupleTableSlot *slot, TransactionId xmin, CommandId cmin)
{
	if (is_ours(slot))
	{
		((EcSlot *) slot)->xmin = xmin;
		((EcSlot *) slot)->cmin = cmin;
	}
}

void
ec_slot_want(TupleTableSlot *slot, const bool *wanted)
{
	if (is_ours(slot))
		((EcSlot *) slot)->wanted = wanted;
}

void
ec_slot_own(TupleTableSlot *slot, void *memory)
{
	VirtualTupleTableSlot *virtual_slot = (VirtualTupleTableSlot *) slot;

	Assert(is_ours(slot) || slot->tts_ops == &TTSOpsVirtual);
	Assert(!TTS_SHOULDFREE(slot));
	virtual_slot->data = memory;
	slot->tts_flags |= TTS_FLAG_SHOULDFREE;
}

static void
clear(TupleTableSlot *slot)
{
	EcSlot *ours = (EcSlot *) slot;

	ec_slot_set_origin(slot, InvalidTransactionId, InvalidCommandId);
	ours->source = EC_SLOT_VALUES;
	if (ours->context != NULL)
		MemoryContextReset(ours->context);
	TTSOpsVirtual.clear(slot);
}

static void
release(TupleTableSlot *slot)
{
	EcSlot *ours = (EcSlot *) slot;

	if (ours->context != NULL)
		MemoryContextDelete(ours->context);
	ours->context = NULL;
	TTSOpsVirtual.release(slot);
}

/* ------------------------------------------------------------------------
 * Rows read on demand
 * ------------------------------------------------------------------------
 */

/* The slot isn't empty, but has no value yet. */
static EcSlot *
store_nothing(TupleTableSlot *slot, EcSlotSource source)
{
	EcSlot *ours = (EcSlot *) slot;

	Assert(is_ours(slot));
	ExecClearTuple(slot);
	slot->tts_flags &= ~TTS_FLAG_EMPTY;
	slot->tts_nvalid = 0;
	ours->source = source;
	return ours;
}

void
ec_slot_store_group(TupleTableSlot *slot, int64 group, uint32 row, const EcLookup *lookup)
{
	EcSlot *ours = store_nothing(slot, EC_SLOT_GROUP);

	ours->group = group;
	ours->row = row;
	ours->lookup = *lookup;
	ours->xmin = lookup->xmin;
	ours->cmin = lookup->cmin;
}

void
ec_slot_store_promise(TupleTableSlot *slot, TransactionId promiser)
{
	store_nothing(slot, EC_SLOT_PROMISE)->promiser = promiser;
}

static void
getsomeattrs(TupleTableSlot *slot, int natts)
{
	EcSlot *ours = (EcSlot *) slot;
	MemoryContext old;

	if (ours->source == EC_SLOT_VALUES)
		elog(ERROR, "a slot that has all values was asked for more");
	if (ours->context == NULL)
		ours->context = AllocSetContextCreate(slot->tts_mcxt, "ecinsight row read on demand",
											  ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(ours->context);
	ec_fetch_fill(ours, natts);
	MemoryContextSwitchTo(old);
	slot->tts_nvalid = natts;
}

static void
materialize(TupleTableSlot *slot)
{
	EcSlot *ours = (EcSlot *) slot;

	slot_getallattrs(slot);
	TTSOpsVirtual.materialize(slot);
	ours->source = EC_SLOT_VALUES;
	if (ours->context != NULL)
		MemoryContextReset(ours->context);
}

static MinimalTuple
copy_minimal_tuple(EC_COMPAT_COPY_MINIMAL_TUPLE_ARGS)
{
	slot_getallattrs(slot);
	return TTSOpsVirtual.copy_minimal_tuple(EC_COMPAT_COPY_MINIMAL_TUPLE_PASS);
}

/* ------------------------------------------------------------------------
 * Copies
 * ------------------------------------------------------------------------
 */

/* A copy is the same row, if its source is one of a table. */
static void
copy_slot(TupleTableSlot *to, TupleTableSlot *from)
{
	TTSOpsVirtual.copyslot(to, from);
	to->tts_tid = from->tts_tid;
	to->tts_tableOid = from->tts_tableOid;
	if (is_ours(from))
		ec_slot_set_origin(to, ((EcSlot *) from)->xmin, ((EcSlot *) from)->cmin);
	else
		ec_slot_set_origin(to, InvalidTransactionId, InvalidCommandId);
}

/* ANALYZE sorts its sample by tid. */
static HeapTuple
copy_heap_tuple(TupleTableSlot *slot)
{
	HeapTuple tuple;

	slot_getallattrs(slot);
	tuple = heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
	tuple->t_self = slot->tts_tid;
	tuple->t_tableOid = slot->tts_tableOid;
	return tuple;
}

/* ------------------------------------------------------------------------
 * System columns
 * ------------------------------------------------------------------------
 */

/* Who inserted the row, if storing it didn't tell. */
static void
find_origin(Relation rel, EcSlot *slot)
{
	TupleTableSlot *found;

	if (TransactionIdIsValid(slot->xmin))
		return;
	found = table_slot_create(rel, NULL);
	if (ec_fetch_row(rel, &slot->base.base.tts_tid, SnapshotAny, found))
	{
		slot->xmin = ((EcSlot *) found)->xmin;
		slot->cmin = ((EcSlot *) found)->cmin;
	}
	ExecDropSingleTupleTableSlot(found);
}

/* The row's own tuple, or the header or tombstone of a row in a row group, tells who deletes or locks it. */
static TransactionId
find_xmax(Relation rel, int64 number)
{
	TransactionId xmax = InvalidTransactionId;
	EcCompanion companion;
	EcCatalogTuple opened;
	HeapTuple tuple;

	if (number < 0 || !ec_companion_open(rel, AccessShareLock, &companion))
		return xmax;
	ec_companion_search(&companion, EC_CATALOG_ROW, number);
	while ((tuple = ec_companion_next(&companion, &opened)) != NULL)
	{
		EcRow row;

		ec_row_parse(rel, tuple, &opened, &row);
		if (row.state != EC_ROW_DEAD)
			xmax = HeapTupleHeaderGetRawXmax(tuple->t_data);
		else if (!TransactionIdIsValid(xmax))
			xmax = row.xmin;
	}
	ec_companion_close(&companion);
	return xmax;
}

/* Not called for ctid and tableoid, which every slot has. */
static Datum
getsysattr(TupleTableSlot *slot, int attnum, bool *isnull)
{
	EcSlot *ours = (EcSlot *) slot;
	Datum result;
	Relation rel;

	/* of a row that isn't stored yet nobody can tell, as with COPY's WHERE */
	if (!OidIsValid(slot->tts_tableOid) || !ItemPointerIsValid(&slot->tts_tid))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot retrieve a system column in this context")));
	*isnull = false;
	if (attnum == MinTransactionIdAttributeNumber && TransactionIdIsValid(ours->xmin))
		return TransactionIdGetDatum(ours->xmin);

	rel = table_open(slot->tts_tableOid, AccessShareLock);
	if (attnum == MaxTransactionIdAttributeNumber)
		result = TransactionIdGetDatum(find_xmax(rel, ec_tid_to_row(&slot->tts_tid)));
	else
	{
		find_origin(rel, ours);
		result = attnum == MinTransactionIdAttributeNumber ? TransactionIdGetDatum(ours->xmin)
														   : CommandIdGetDatum(ours->cmin);
	}
	table_close(rel, AccessShareLock);
	return result;
}

#if EC_COMPAT_SLOT_IS_CURRENT
static bool
is_current_xact_tuple(TupleTableSlot *slot)
{
	bool isnull;

	return TransactionIdIsCurrentTransactionId(
		DatumGetTransactionId(getsysattr(slot, MinTransactionIdAttributeNumber, &isnull)));
}
#endif

const TupleTableSlotOps *
ec_slot_ops(void)
{
	static TupleTableSlotOps ops;

	if (ops.copy_heap_tuple == NULL)
	{
		ops = TTSOpsVirtual;
		ops.base_slot_size = sizeof(EcSlot);
		ops.clear = clear;
		ops.release = release;
		ops.getsomeattrs = getsomeattrs;
		ops.materialize = materialize;
		ops.getsysattr = getsysattr;
#if EC_COMPAT_SLOT_IS_CURRENT
		ops.is_current_xact_tuple = is_current_xact_tuple;
#endif
		ops.copyslot = copy_slot;
		ops.copy_heap_tuple = copy_heap_tuple;
		ops.copy_minimal_tuple = copy_minimal_tuple;
	}
	return &ops;
}
