/*
 * delta.c
 *	  Few rows go straight into row tuples of the companion (row.h), without a batch.
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
#include "store/delta.h"
#include "store/logical.h"
#include "store/page.h"
#include "store/row.h"
#include "store/slot.h"
#include "store/tid.h"

/* Row numbers reserved at once: doubling up to this. */
#define NUMBERS_MAX 64

typedef struct Delta
{
	Oid relid; /* key */
	RelFileLocator locator;
	int64 next; /* row numbers next .. end - 1 are ours */
	int64 end;
	int64 step;

	/* the command that inserted last, and how many rows */
	uint64 transaction;
	SubTransactionId subid;
	CommandId cid;
	int64 rows;
} Delta;

static HTAB *deltas;
static Delta *last; /* found last, or NULL */
static uint64 transaction;
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
		delta = get_delta(rel);
		delta->next = first;
		delta->end = first + step;
		delta->step = Min(step * 2, NUMBERS_MAX);
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

/* Counts the rows of the current command; false if they have become many. */
static bool
count_rows(Relation rel, CommandId cid, int nslots)
{
	Delta *delta = get_delta(rel);
	SubTransactionId subid = GetCurrentSubTransactionId();

	if (delta->transaction != transaction || delta->subid != subid || delta->cid != cid)
	{
		delta->transaction = transaction;
		delta->subid = subid;
		delta->cid = cid;
		delta->rows = 0;
	}
	delta->rows += nslots;
	return delta->rows <= EC_DELTA_ROWS;
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

int
ec_delta_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid)
{
	EcCompanion companion;
	int done = 0;

	if (nslots >= EC_DELTA_ROWS || cid == bulk_command || !count_rows(rel, cid, nslots) ||
		!ec_companion_open(rel, RowExclusiveLock, &companion))
		return 0;
	while (done < nslots)
	{
		int64 number = ec_delta_next_number(rel);

		if (!ec_row_insert(&companion, number, slots[done], 0, cid, NULL))
			break;
		ec_delta_inserted(rel, slots[done], number, cid);
		ec_logical_insert(rel, slots[done]);
		done++;
	}
	ec_companion_close(&companion);
	return done;
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
