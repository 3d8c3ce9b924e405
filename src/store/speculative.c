/*
 * speculative.c
 *	  INSERT ... ON CONFLICT: rows that may have to be taken back at once; and rows
 *	  that are too wide for a tuple.
 *
 * A speculative row is an ordinary row tuple whose payload carries the token (row.h:
 * whoever finds it waits for the token as long as its lock is held), so nothing is
 * to be done if the insertion succeeds.  If not, heap_abort_speculative makes the
 * tuple invisible to everybody; for TOAST relations it asks for no token of its own.
 *
 * A wide row becomes a row group of one row.  Its header is then an ordinary tuple,
 * not a frozen one: it carries the token, and is where an update chain ends.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "catalog/toasting.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/delta.h"
#include "store/dml.h"
#include "store/group.h"
#include "store/logical.h"
#include "store/page.h"
#include "store/row.h"
#include "store/slot.h"
#include "store/tid.h"

/* The group of the wide row that was inserted last, until its insertion is completed. */
static int64 wide_row = -1;
static int64 wide_group;

int64
ec_dml_write_wide(Relation rel, TupleTableSlot *slot, int64 number, CommandId cid)
{
	EcBatch *batch = ec_batch_create(slot->tts_tupleDescriptor, CurrentMemoryContext);
	EcDiskRange range = {.first = number, .count = 1};
	int64 none;
	int64 group;

	ec_batch_append_slot(batch, slot);
	ec_meta_reserve(rel, 0, &none, &group);
	ec_group_write(rel, batch, group, 1, &range, cid);
	ec_batch_destroy(batch);
	return group;
}

void
ec_dml_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
						  struct BulkInsertStateData *bistate, uint32 token)
{
	int64 number = ec_delta_next_number(rel);
	EcCompanion companion;

	wide_row = -1;
	ec_catalog_ensure(rel);
	if (!ec_companion_open(rel, RowExclusiveLock, &companion))
		elog(ERROR, "table \"%s\" has no TOAST table", RelationGetRelationName(rel));
	if (!ec_row_insert(&companion, number, slot, token, cid, NULL))
	{
		/* the header first: whoever finds the group shall find the token */
		ec_row_insert_mark(&companion, number, EC_ROW_LIVE, token, cid, 0, NULL);
		wide_group = ec_dml_write_wide(rel, slot, number, cid);
		wide_row = number;
	}
	ec_companion_close(&companion);
	ec_delta_inserted(rel, slot, number, cid);
}

/* Takes back all tuples with this key that the current transaction has just inserted. */
static void
take_back(EcCompanion *c, EcCatalogKind kind, int64 number)
{
	EcCatalogTuple opened;
	HeapTuple tuple;

	ec_companion_search(c, kind, number);
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		ItemPointerData ctid = tuple->t_self;

		if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
			heap_abort_speculative(c->heap, &ctid);
	}
}

void
ec_dml_complete_speculative(Relation rel, TupleTableSlot *slot, uint32 token, bool succeeded)
{
	int64 number = ec_tid_to_row(&slot->tts_tid);
	EcCompanion companion;

	if (succeeded)
		ec_logical_insert(rel, slot);
	else if (ec_companion_open(rel, RowExclusiveLock, &companion))
	{
		if (wide_row == number)
			take_back(&companion, EC_CATALOG_GROUP, wide_group);
		take_back(&companion, EC_CATALOG_ROW, number);
		ec_companion_close(&companion);
		pgstat_count_heap_delete(rel);
	}
	wide_row = -1;
}
