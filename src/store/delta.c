/*
 * delta.c
 *	  Few rows go straight into row tuples of the companion (row.h), without a batch.
 *	  Many rows that come singly are gathered in one (write_state.h).
 *
 * A backend keeps a small reserve of row numbers for each table that it inserts
 * single rows into, also between transactions, so that an INSERT of one row seldom
 * touches the metapage.  The reserve belongs to a file of the table (locator); it
 * is dropped with the table's relcache entry, as numbers of a truncated table start
 * anew.  Numbers taken by a transaction that rolls back are lost, so that none is
 * ever used twice.
 */
#include "postgres.h"

#include "access/xact.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/background.h"
#include "store/delta.h"
#include "store/logical.h"
#include "store/page.h"
#include "store/place.h"
#include "store/row.h"
#include "store/slot.h"
#include "store/tid.h"
#include "store/write_state.h"

/* Row numbers reserved at once: doubling up to this. */
#define NUMBERS_MAX 64

/* The first rows of a table have consecutive numbers, whoever inserts them: their tids are those of a heap. */
#define NUMBERS_DENSE 64

typedef struct Delta
{
	Oid relid; /* key */
	RelFileLocator locator;
	int64 next; /* row numbers next .. end - 1 are ours */
	int64 end;
	int64 run; /* all from this one to end have been ours */
	int64 step;
	EcPlace place; /* of the last row without index entry */

	/* the subtransaction and command that inserted last, and how many rows */
	uint64 transaction;
	SubTransactionId subid;
	CommandId cid;
	int64 rows;
	int64 command_rows;
} Delta;

/* Where new rows go. */
typedef enum Place
{
	PLACE_ROWS,
	PLACE_GATHERED, /* a batch of many commands */
	PLACE_BATCH
} Place;

static HTAB *deltas;
static Delta *last; /* found last, or NULL */
static uint64 transaction;
static uint64 batches;							  /* written by ec_delta_write_batch */
static CommandId bulk_command = InvalidCommandId; /* of the current transaction */

static void
create_hash(void)
{
	HASHCTL control = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(Delta),
		.hcxt = CacheMemoryContext,
	};

	deltas =
		hash_create("ecinsight single rows", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Delta *
get_delta(Relation rel)
{
	Oid relid = RelationGetRelid(rel);
	bool found = true;

	if (deltas == NULL)
		create_hash();
	if (last == NULL || last->relid != relid)
		last = hash_search(deltas, &relid, HASH_ENTER, &found);
	if (!found || !RelFileLocatorEquals(last->locator, rel->rd_locator))
	{
		memset((char *) last + sizeof(Oid), 0, sizeof(Delta) - sizeof(Oid));
		last->locator = rel->rd_locator;
		last->step = 1;
	}
	return last;
}

int64
ec_delta_next_number(Relation rel)
{
	Delta *delta = get_delta(rel);

	if (delta->next == delta->end)
	{
		int64 step = delta->step;
		int64 first;

		/* the entry may be forgotten meanwhile, if invalidations are processed */
		ec_meta_reserve(rel, step, &first, NULL);
		ec_background_notice(rel, first, step);
		delta = get_delta(rel);
		if (delta->end != first)
			delta->run = first;
		delta->next = first;
		delta->end = first + step;
		delta->step = first < NUMBERS_DENSE ? 1 : Min(step * 2, NUMBERS_MAX);
	}
	return delta->next++;
}

void
ec_delta_forget(Oid relid)
{
	if (deltas == NULL)
		return;
	last = NULL;
	if (OidIsValid(relid))
		hash_search(deltas, &relid, HASH_REMOVE, NULL);
	else
	{
		hash_destroy(deltas);
		deltas = NULL;
	}
}

/* ------------------------------------------------------------------------
 * Inserting
 * ------------------------------------------------------------------------
 */

static Delta *
count_rows(Relation rel, CommandId cid, int nslots)
{
	Delta *delta = get_delta(rel);
	SubTransactionId subid = GetCurrentSubTransactionId();

	if (delta->transaction != transaction || delta->subid != subid)
	{
		delta->transaction = transaction;
		delta->subid = subid;
		delta->rows = 0;
		delta->command_rows = 0;
	}
	if (delta->cid != cid)
		delta->command_rows = 0;
	delta->cid = cid;
	delta->rows += nslots;
	delta->command_rows += nslots;
	return delta;
}

/* Rows of many small commands share batches, if they may; else each command starts with row tuples. */
static Place
choose_place(Relation rel, CommandId cid, int nslots)
{
	Delta *delta;

	if (nslots >= EC_DELTA_ROWS || cid == bulk_command)
		return PLACE_BATCH;
	delta = count_rows(rel, cid, nslots);
	if (delta->rows <= EC_DELTA_ROWS)
		return PLACE_ROWS;
	if (ec_write_may_gather(rel))
		return PLACE_GATHERED;
	return delta->command_rows <= EC_DELTA_ROWS ? PLACE_ROWS : PLACE_BATCH;
}

void
ec_delta_expect_many(CommandId cid)
{
	bulk_command = cid;
}

void
ec_delta_inserted(Relation rel, TupleTableSlot *slot, int64 number, CommandId cid)
{
	/* readers look for what serializable transactions do in the table, not in its companion */
	CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
	ec_tid_from_row(number, &slot->tts_tid);
	slot->tts_tableOid = RelationGetRelid(rel);
	ec_slot_set_origin(slot, GetCurrentTransactionId(), cid);
	pgstat_count_heap_insert(rel, 1);
}

/* How many rows, from the first on, fit into row tuples. */
static int
insert_rows(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid)
{
	EcCompanion companion;
	int done = 0;

	if (!ec_companion_open(rel, RowExclusiveLock, &companion))
		return 0;
	while (done < nslots)
	{
		int64 number = ec_delta_next_number(rel);
		ItemPointerData ctid;
		EcPlace place;

		if (!ec_row_insert_unindexed(&companion, number, slots[done], cid, &ctid))
			break;

		/* a copy, as the entry may be forgotten meanwhile */
		place = get_delta(rel)->place;
		ec_place_row(&companion, &place, get_delta(rel)->run, number, &ctid);
		get_delta(rel)->place = place;
		ec_delta_inserted(rel, slots[done], number, cid);
		ec_logical_insert(rel, slots[done]);
		done++;
	}
	ec_companion_close(&companion);
	return done;
}

void
ec_delta_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid)
{
	Place place = choose_place(rel, cid, nslots);
	int done = place == PLACE_ROWS ? insert_rows(rel, slots, nslots, cid) : 0;

	if (place == PLACE_GATHERED)
		ec_write_gather(rel, slots, nslots, cid);
	else if (done < nslots)
		ec_write_rows(rel, slots + done, nslots - done, cid);
}

/* ------------------------------------------------------------------------
 * Batches that stayed small
 * ------------------------------------------------------------------------
 */

static bool
build_row(EcBatch *batch, uint32 row, TupleDesc tupdesc, int64 number, EcRowPayload *payload)
{
	Datum *values = palloc(batch->natts * sizeof(Datum));
	bool *isnull = palloc(batch->natts * sizeof(bool));

	for (int i = 0; i < batch->natts; i++)
	{
		const EcColType *type = &batch->types[i];
		EcVector v;

		isnull[i] = true;
		if (batch->columns[i] == NULL)
			continue;
		ec_builder_view(batch->columns[i], &v);
		isnull[i] = ec_vector_is_null(&v, row);
		if (!isnull[i])
			values[i] = ec_datum_from_vector(&v, row, type, type->kind, type->scale);
	}
	return ec_row_build(tupdesc, values, isnull, number, 0, payload);
}

/*
 * Has any of the rows (in ascending order) a tuple already?  A header or tombstone belongs
 * to a row in a row group: beside its own tuple a deleted row would count as alive.
 */
static bool
any_touched(EcCompanion *c, const int64 *numbers, uint32 nrows)
{
	uint32 row = 0;

	while (row < nrows)
	{
		EcCatalogTuple opened;
		int64 next = ((numbers[row] >> EC_CATALOG_SEQ_BITS) + 1) << EC_CATALOG_SEQ_BITS;

		ec_companion_search_from(c, EC_CATALOG_ROW, numbers[row]);
		if (ec_companion_next(c, &opened) != NULL)
			next = opened.number;
		ec_companion_rest(c);
		while (row < nrows && numbers[row] < next)
			row++;
		if (row < nrows && numbers[row] == next)
			return true;
	}
	return false;
}

static void
put_rows(EcCompanion *c, EcRowPayload *const *payloads, const int64 *numbers, const CommandId *cids,
		 uint32 nrows)
{
	for (uint32 row = 0; row < nrows; row++)
		ec_companion_put(c, EC_CATALOG_ROW, numbers[row], payloads[row]->start, payloads[row]->len,
						 cids[row], 0, NULL);
	CheckForSerializableConflictIn(c->main, NULL, InvalidBlockNumber);
	get_delta(c->main)->rows = 0;
	batches++;
}

bool
ec_delta_write_batch(Relation rel, EcBatch *batch, const int64 *numbers, const CommandId *cids)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight small batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcRowPayload **payloads = palloc(batch->nrows * sizeof(EcRowPayload *));
	bool fits = true;
	EcCompanion companion;

	for (uint32 row = 0; row < batch->nrows && fits; row++)
	{
		payloads[row] = palloc(sizeof(EcRowPayload));
		fits = build_row(batch, row, RelationGetDescr(rel), numbers[row], payloads[row]);
	}
	fits = fits && ec_companion_open(rel, RowExclusiveLock, &companion);
	if (fits)
	{
		fits = !any_touched(&companion, numbers, batch->nrows);
		if (fits)
			put_rows(&companion, payloads, numbers, cids, batch->nrows);
		ec_companion_close(&companion);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return fits;
}

uint64
ec_delta_batches(void)
{
	return batches;
}

/* ------------------------------------------------------------------------
 * Transactions, invalidations
 * ------------------------------------------------------------------------
 */

void
ec_delta_at_xact_end(void)
{
	transaction++;
	bulk_command = InvalidCommandId;
}

static void
relation_changed(Datum arg, Oid relid)
{
	ec_delta_forget(relid);
}

void
ec_delta_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}
