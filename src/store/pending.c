/*
 * pending.c
 *	  Batches written, one by one: see pending.h, and write_state.c for when.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/delta.h"
#include "store/group.h"
#include "store/late.h"
#include "store/logical.h"
#include "store/page.h"
#include "store/pending.h"

EcPendings ec_pendings = {.list = DLIST_STATIC_INIT(ec_pendings.list)};

/* The batch is given to the caller. */
static EcBatch *
drop_entry(EcPending *p)
{
	EcBatch *batch = p->batch;

	if (p == ec_pendings.in_flight)
		ec_pendings.in_flight = NULL;
	ec_pendings.memory -= p->memory;
	dlist_delete(&p->node);
	hash_search(ec_pendings.hash, &p->key, HASH_REMOVE, NULL);
	return batch;
}

void
ec_pending_drop(EcPending *p)
{
	ec_batch_destroy(drop_entry(p));
}

void
ec_pending_count(EcPending *p)
{
	Size now = MemoryContextMemAllocated(p->batch->context, true);

	ec_pendings.memory += now - p->memory;
	p->memory = now;
}

/* ------------------------------------------------------------------------
 * Writing a batch
 * ------------------------------------------------------------------------
 */

CommandId
ec_pending_command(Relation rel, const EcPending *p, int64 number)
{
	return p->key.cid == EC_GATHERED ? ec_late_command(rel, number, p->cid) : p->cid;
}

/*
 * A small gathered batch makes no row group: the next one may come soon.  But tuples
 * that an inner subtransaction wrote, and rolled back, would be in the way of those
 * that the same rows, with the same numbers, become later.
 */
static bool
write_as_row_tuples(EcPending *p, Relation rel)
{
	int64 numbers[EC_DELTA_ROWS];
	CommandId cids[EC_DELTA_ROWS];
	uint32 row = 0;

	if (p->key.cid != EC_GATHERED || p->batch->nrows >= EC_DELTA_ROWS ||
		p->key.subid != GetCurrentSubTransactionId())
		return false;
	for (uint32 i = 0; i < p->nranges; i++)
	{
		for (int64 j = 0; j < p->ranges[i].count; j++, row++)
		{
			numbers[row] = p->ranges[i].first + j;
			cids[row] = ec_pending_command(rel, p, numbers[row]);
		}
	}
	return ec_delta_write_batch(rel, p->batch, numbers, cids);
}

void
ec_pending_write(EcPending *p, Relation rel)
{
	if (p->batch->nrows == 0)
		return;
	if (p->number < 0)
		ec_meta_reserve(rel, 0, NULL, &p->number);
	if (!write_as_row_tuples(p, rel))
		ec_group_write(rel, p->batch, p->number, ec_pending_ranges(p), p->ranges, p->cid);
	ec_logical_batch(rel, p->batch);
	pgstat_count_heap_insert(rel, p->batch->nrows);
}

static void
write_pending(EcPending *p, Relation rel)
{
	Assert(p->key.subid == GetCurrentSubTransactionId());
	Assert(!ec_pending_is_written(p) || p->written_in == p->key.subid);
	if (!ec_pending_is_written(p))
		ec_pending_write(p, rel);
	ec_reservations_end(rel, &p->reservations);
}

/* Is the batch in flight older than this one, whose rows shall come behind its own? */
static bool
follows_flight(const EcPending *p)
{
	return ec_pendings.in_flight != NULL && p != ec_pendings.in_flight &&
		   ec_pendings.in_flight->key.relid == p->key.relid &&
		   ec_pendings.in_flight->key.subid == p->key.subid;
}

void
ec_pending_flush(EcPending *p, Relation rel)
{
	if (follows_flight(p))
		ec_pending_flush(ec_pendings.in_flight, rel);
	write_pending(p, rel);
	ec_pending_drop(p);
}

void
ec_pending_flush_by_oid(EcPending *p)
{
	Relation rel = try_relation_open(p->key.relid, NoLock);

	if (rel == NULL)
	{
		/* dropped by the same transaction */
		ec_pending_drop(p);
		return;
	}
	ec_pending_flush(p, rel);
	relation_close(rel, NoLock);
}

/* ------------------------------------------------------------------------
 * Full batches
 * ------------------------------------------------------------------------
 */

/* Memory of a batch that has been written is kept for the next if it isn't much. */
static bool
empty_batch(EcBatch *batch)
{
	ec_batch_reset(batch);
	return MemoryContextMemAllocated(batch->context, true) <= EC_GROUP_BYTES_MAX / 2 * 3;
}

/* The entry goes on with this batch, which is empty. */
static void
start_batch(EcPending *p, EcBatch *batch)
{
	p->batch = batch;
	ec_pending_count(p);
	p->number = -1;
	p->nranges = 0;
	p->reserved = 0;
}

/* Writes what is in flight, if it can be written; its batch, emptied, if it is of use for rel. */
static EcBatch *
land(Relation rel)
{
	bool same = ec_pendings.in_flight->key.relid == RelationGetRelid(rel);
	EcBatch *batch;

	if (!same)
	{
		ec_pending_flush_by_oid(ec_pendings.in_flight);
		return NULL;
	}
	write_pending(ec_pendings.in_flight, rel);
	batch = drop_entry(ec_pendings.in_flight);
	if (empty_batch(batch))
		return batch;
	ec_batch_destroy(batch);
	return NULL;
}

/* Gives the batch to helpers, and *spare, or a new one, to the entry; false: they can't take it. */
static bool
take_off(EcPending *p, Relation rel, EcBatch **spare)
{
	EcPendingKey key = p->key;
	EcBatch *next = *spare;
	EcPending *f;

	key.in_flight = 1;
	if (ec_pendings.in_flight != NULL || p->key.cid == EC_GATHERED ||
		!ec_group_begin(rel, p->batch))
		return false;
	if (next == NULL)
		next = ec_batch_create(RelationGetDescr(rel), TopTransactionContext);
	*spare = NULL;
	f = hash_search(ec_pendings.hash, &key, HASH_ENTER, NULL);
	memcpy((char *) f + sizeof(EcPendingKey), (char *) p + sizeof(EcPendingKey),
		   sizeof(EcPending) - sizeof(EcPendingKey));
	dlist_push_head(&ec_pendings.list, &f->node);
	ec_pendings.in_flight = f;
	p->memory = 0;
	memset(&p->reservations, 0, sizeof(p->reservations));
	start_batch(p, next);
	return true;
}

void
ec_pending_flush_full(EcPending *p, Relation rel)
{
	EcBatch *spare = NULL;

	if (ec_pendings.in_flight != NULL && ec_pendings.in_flight->key.subid == p->key.subid)
		spare = land(rel);
	if (take_off(p, rel, &spare))
		return;
	if (spare != NULL)
		ec_batch_destroy(spare);
	write_pending(p, rel);
	if (empty_batch(p->batch))
		start_batch(p, p->batch);
	else
		ec_pending_drop(p);
}
