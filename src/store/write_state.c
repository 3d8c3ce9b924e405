/*
 * write_state.c
 *	  Gathers inserted rows into batches until they are worth a row group.  (Few rows
 *	  never come here, see delta.c.)
 *
 * A batch holds rows of one relation, one subtransaction and one command: all of a
 * row group's rows must share the visibility of its descriptor.  Row numbers (so
 * tids) are assigned as rows come; they are reserved in growing steps, so that
 * single rows waste none and bulk loads seldom touch the metapage.
 *
 * A batch is written, always with its own command id and only while its own
 * subtransaction is the current one (heap_insert stamps the current xid), when
 *	- it is full, or all batches together exceed ecinsight.write_buffer;
 *	- its statement ends (ExecutorEnd), or a bulk insert is declared finished;
 *	- the same subtransaction starts to scan the relation;
 *	- a utility statement starts or ends;
 *	- its subtransaction, or the transaction, is about to commit or prepare.
 * It is forgotten when its (sub)transaction aborts.
 *
 * So while a subtransaction runs, batches of its parents can only belong to
 * statements that are still running; ec_write_pending_groups shows those.
 *
 * Commands that insert a row or a few each, many of them in one transaction, share a
 * batch that outlives its statements: a gathered one.  It becomes a row group under
 * the command id of its first row; late.h keeps what snapshots in between must know.
 * If it has to be written while it is still small, its rows become row tuples.
 *
 * No statement holds the table of a gathered batch, so a subtransaction that begins
 * inside a function may alter or empty the table.  It finds all rows in it, since
 * before each utility statement it writes what its parents have gathered.  The batch
 * stays: if the subtransaction rolls back, its rows are to be written again.
 *
 * A full batch of a large command may be encoded by helper threads while its rows go on
 * coming: it is in flight, an entry of its own beside that of the batch that follows.  It
 * is written when that one is full, too, or at any of the moments above; for all others
 * it is a batch like any other.  There is at most one.
 *
 * All of it lives in TopTransactionContext.  A hash table finds a row's batch, since
 * one statement may feed hundreds of partitions; a list, last used first, serves the
 * rest.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relation.h"
#include "access/xact.h"
#include "lib/ilist.h"
#include "storage/predicate.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/guc.h"
#include "store/delta.h"
#include "store/group.h"
#include "store/late.h"
#include "store/logical.h"
#include "store/options.h"
#include "store/page.h"
#include "store/pending.h"
#include "store/reserve.h"
#include "store/store.h"
#include "store/tid.h"
#include "store/write_state.h"

/* Row numbers reserved at once: doubling up to this. */
#define RESERVE_MAX 65536

/* Open commands per relation and subtransaction; the one unused longest is written beyond this. */
#define OPEN_COMMANDS_MAX 8

static bool held;		 /* see ec_write_hold */
static bool any_written; /* in this transaction */
static bool disturbed;	 /* a subtransaction had to read what its parent has gathered */

/* ------------------------------------------------------------------------
 * Adding rows
 * ------------------------------------------------------------------------
 */

static void
create_hash(void)
{
	HASHCTL control = {
		.keysize = sizeof(EcPendingKey),
		.entrysize = sizeof(EcPending),
		.hcxt = TopTransactionContext,
	};

	ec_pendings.hash =
		hash_create("ecinsight pending rows", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Keeps commands that never announced their end (logical replication's, say) from piling
 * up, and forgets what has been written, before there are new reservations (reserve.h).
 */
static void
limit_open_commands(Relation rel, SubTransactionId subid)
{
	dlist_mutable_iter iter;
	EcPending *oldest = NULL;
	int open = 0;

	if (ec_pendings.in_flight != NULL &&
		ec_pendings.in_flight->key.relid == RelationGetRelid(rel) &&
		ec_pendings.in_flight->key.subid == subid)
		ec_pending_flush(ec_pendings.in_flight, rel);
	dlist_foreach_modify(iter, &ec_pendings.list)
	{
		EcPending *p = dlist_container(EcPending, node, iter.cur);

		if (p->key.relid != RelationGetRelid(rel) || p->key.subid != subid)
			continue;
		if (ec_pending_is_written(p))
		{
			ec_pending_flush(p, rel);
			continue;
		}
		open++;
		oldest = p;
	}
	if (open >= OPEN_COMMANDS_MAX)
		ec_pending_flush(oldest, rel);
}

static EcPending *
create_pending(Relation rel, const EcPendingKey *key)
{
	EcPending *p;
	EcBatch *batch;
	uint32 max_rows = ec_options_get(rel).row_group_rows;

	limit_open_commands(rel, key->subid);

	/* a flush may come at a time when no xid can be assigned (parallel mode) */
	(void) GetCurrentTransactionId();
	CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);

	any_written = true;
	batch = ec_batch_create(RelationGetDescr(rel), TopTransactionContext);
	p = hash_search(ec_pendings.hash, key, HASH_ENTER, NULL);
	memset((char *) p + sizeof(EcPendingKey), 0, sizeof(EcPending) - sizeof(EcPendingKey));
	p->number = -1;
	p->cid = key->cid;
	p->step = key->cid == EC_GATHERED ? EC_DELTA_ROWS : 1;
	p->max_rows = max_rows;
	p->batch = batch;
	dlist_push_head(&ec_pendings.list, &p->node);
	return p;
}

/* Gets more row numbers; "expected" rows are known to come. */
static void
reserve_rows(Relation rel, EcPending *p, int64 expected)
{
	int64 n = Min(Max(p->step, expected), (int64) p->max_rows - p->batch->nrows);
	int64 first;

	n = Max(n, 1);
	ec_meta_reserve(rel, n, &first, p->number < 0 ? &p->number : NULL);
	p->step = Min(p->step * 2, RESERVE_MAX);
	p->reserved = n;
	ec_reservations_add(rel, &p->reservations, first, n, p->cid, p->batch->context);
	if (p->nranges > 0 &&
		p->ranges[p->nranges - 1].first + p->ranges[p->nranges - 1].count == first)
		return;
	p->ranges[p->nranges].first = first;
	p->ranges[p->nranges].count = 0;
	p->nranges++;
}

/* Gives rows just appended their numbers, which are reserved. */
static void
number_rows(Relation rel, EcPending *p, TupleTableSlot **slots, int nslots, CommandId cid)
{
	EcDiskRange *range = &p->ranges[p->nranges - 1];

	for (int i = 0; i < nslots; i++)
	{
		int64 number = range->first + range->count++;

		if (p->key.cid == EC_GATHERED)
			ec_late_note(rel, number, cid, p->cid);
		ec_tid_from_row(number, &slots[i]->tts_tid);
		slots[i]->tts_tableOid = RelationGetRelid(rel);
	}
	p->reserved -= nslots;
}

static bool
is_full(EcPending *p)
{
	return p->batch->nrows >= Min(p->max_rows, EC_GROUP_ROWS_MAX) ||
		   (p->reserved == 0 && p->nranges == EC_RANGES_MAX) ||
		   (p->memory >= EC_GROUP_BYTES_MAX && ec_batch_used(p->batch) >= EC_GROUP_BYTES_MAX);
}

/* Writes the largest batches of this subtransaction until all are within the limit. */
static void
limit_memory(void)
{
	Size limit = (Size) ec_guc_write_buffer * 1024;

	while (ec_pendings.memory > limit)
	{
		dlist_iter iter;
		EcPending *largest = NULL;

		dlist_foreach(iter, &ec_pendings.list)
		{
			EcPending *p = dlist_container(EcPending, node, iter.cur);

			if (p->key.subid == GetCurrentSubTransactionId() &&
				(largest == NULL || p->memory > largest->memory))
				largest = p;
		}
		if (largest == NULL)
			break;
		ec_pending_flush_by_oid(largest);
	}
}

static EcPending *
get_pending(Relation rel, CommandId cid)
{
	EcPendingKey key = {RelationGetRelid(rel), GetCurrentSubTransactionId(), cid, 0};
	EcPending *p;

	if (ec_pendings.hash == NULL)
		create_hash();
	p = hash_search(ec_pendings.hash, &key, HASH_FIND, NULL);
	if (p == NULL || ec_pending_is_written(p))
		p = create_pending(rel, &key);
	else
		dlist_move_head(&ec_pendings.list, &p->node);
	return p;
}

/* batch_cid: cid, or EC_GATHERED. */
static void
append_rows(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid, CommandId batch_cid)
{
	EcPending *p = get_pending(rel, batch_cid);
	int n;

	for (int done = 0; done < nslots; done += n)
	{
		if (p->batch->nrows == 0)
			p->cid = cid;
		if (p->reserved == 0)
			reserve_rows(rel, p, nslots - done);
		n = (int) Min(Min(nslots - done, EC_BATCH_SLOTS), p->reserved);
		ec_batch_append_slots(p->batch, slots + done, n);
		number_rows(rel, p, slots + done, n, cid);
		ec_pending_count(p);
		if (is_full(p))
		{
			ec_pending_flush_full(p, rel);
			if (done + n < nslots)
				p = get_pending(rel, batch_cid);
		}
	}
	limit_memory();
}

void
ec_write_rows(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid)
{
	append_rows(rel, slots, nslots, cid, cid);
}

void
ec_write_gather(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid)
{
	append_rows(rel, slots, nslots, cid, EC_GATHERED);
}

/* What is decoded must keep its order among all tables. */
bool
ec_write_may_gather(Relation rel)
{
	return !disturbed && ec_late_room() && !ec_logical_wanted(rel);
}

EcBatch *
ec_write_open(Relation rel, CommandId cid, uint32 expected, uint32 *room, int64 *first)
{
	EcPending *p = get_pending(rel, cid);

	if (is_full(p))
	{
		ec_pending_flush_full(p, rel);
		p = get_pending(rel, cid);
	}
	if (p->reserved == 0)
		reserve_rows(rel, p, expected);
	*room = (uint32) Min(p->reserved, (int64) p->max_rows - p->batch->nrows);
	*first = p->ranges[p->nranges - 1].first + p->ranges[p->nranges - 1].count;
	return p->batch;
}

void
ec_write_added(Relation rel, CommandId cid, uint32 nrows)
{
	EcPending *p = get_pending(rel, cid);

	Assert(nrows <= p->reserved);
	p->batch->nrows += nrows;
	p->ranges[p->nranges - 1].count += nrows;
	p->reserved -= nrows;
	ec_pending_count(p);
}

void
ec_write_limit(Relation rel, CommandId cid)
{
	EcPendingKey key = {RelationGetRelid(rel), GetCurrentSubTransactionId(), cid, 0};
	EcPending *p = hash_search(ec_pendings.hash, &key, HASH_FIND, NULL);

	/* index expressions may have had it written */
	if (p != NULL && is_full(p))
		ec_pending_flush_full(p, rel);
	limit_memory();
}

void
ec_write_hold(bool hold)
{
	held = hold;
}

bool
ec_write_held(void)
{
	return held;
}

/* ------------------------------------------------------------------------
 * Flushing
 * ------------------------------------------------------------------------
 */

/*
 * Encoding calls no user code, but opening relations may process invalidations,
 * so each round starts the search afresh.
 */
static EcPending *
find_flushable(Oid relid, bool any_command, CommandId cid)
{
	SubTransactionId subid = GetCurrentSubTransactionId();
	dlist_iter iter;

	dlist_foreach(iter, &ec_pendings.list)
	{
		EcPending *p = dlist_container(EcPending, node, iter.cur);

		if (p->key.subid == subid && (!OidIsValid(relid) || p->key.relid == relid) &&
			(any_command || p->key.cid == cid))
			return p;
	}
	return NULL;
}

void
ec_write_flush_relation(Relation rel)
{
	EcPending *p;

	if (dlist_is_empty(&ec_pendings.list))
		return;
	while ((p = find_flushable(RelationGetRelid(rel), true, 0)) != NULL)
		ec_pending_flush(p, rel);
}

void
ec_write_flush_command(CommandId cid)
{
	EcPending *p;

	if (dlist_is_empty(&ec_pendings.list))
		return;
	while ((p = find_flushable(InvalidOid, false, cid)) != NULL)
		ec_pending_flush_by_oid(p);
}

/* The ends of statements write what those have inserted, but not what is gathered. */
void
ec_write_flush_commands(void)
{
	dlist_iter iter;
	bool again = true;

	while (again)
	{
		again = false;
		dlist_foreach(iter, &ec_pendings.list)
		{
			EcPending *p = dlist_container(EcPending, node, iter.cur);

			again = p->key.cid != EC_GATHERED && p->key.subid == GetCurrentSubTransactionId();
			if (again)
			{
				ec_pending_flush_by_oid(p);
				break;
			}
		}
	}
}

void
ec_write_settle(void)
{
	if (disturbed)
		ec_write_flush_command(EC_GATHERED);
}

void
ec_write_flush_all(void)
{
	EcPending *p;

	if (dlist_is_empty(&ec_pendings.list))
		return;
	while ((p = find_flushable(InvalidOid, true, 0)) != NULL)
		ec_pending_flush_by_oid(p);
}

static EcPending *
find_parents(void)
{
	SubTransactionId subid = GetCurrentSubTransactionId();
	dlist_iter iter;

	dlist_foreach(iter, &ec_pendings.list)
	{
		EcPending *p = dlist_container(EcPending, node, iter.cur);

		if (p->key.cid == EC_GATHERED && p->key.subid != subid && !ec_pending_is_written(p))
			return p;
	}
	return NULL;
}

/* Of a table that this subtransaction has dropped nothing can be written, or needs to be. */
void
ec_write_for_parents(void)
{
	EcPending *p;

	while ((p = find_parents()) != NULL)
	{
		Relation rel = try_relation_open(p->key.relid, NoLock);

		if (rel != NULL)
		{
			(void) GetCurrentTransactionId();
			ec_pending_write(p, rel);
			relation_close(rel, NoLock);
		}
		p->written_in = GetCurrentSubTransactionId();
	}
}

bool
ec_write_any_pending(void)
{
	return !dlist_is_empty(&ec_pendings.list);
}

bool
ec_write_any_written(void)
{
	return any_written;
}

/* ------------------------------------------------------------------------
 * Reading what is not written
 * ------------------------------------------------------------------------
 */

/* Where in the batch the row with this number stands, or -1. */
static int64
find_in_ranges(const EcPending *p, int64 number)
{
	int64 row = 0;

	for (uint32 i = 0; i < p->nranges; i++)
	{
		const EcDiskRange *range = &p->ranges[i];

		if (number >= range->first && number - range->first < range->count)
			return row + (number - range->first);
		row += range->count;
	}
	return -1;
}

bool
ec_write_pending_find(Relation rel, int64 number, EcPendingRow *found)
{
	dlist_iter iter;

	dlist_foreach(iter, &ec_pendings.list)
	{
		EcPending *p = dlist_container(EcPending, node, iter.cur);
		int64 row;

		if (p->key.relid != RelationGetRelid(rel) || ec_pending_is_written(p))
			continue;
		row = find_in_ranges(p, number);
		if (row < 0 || row >= p->batch->nrows)
			continue;
		found->cid = ec_pending_command(rel, p, number);
		found->batch = p->batch;
		found->row = (uint32) row;
		return true;
	}
	return false;
}

EcPendingGroup *
ec_write_pending_groups(Relation rel, int *count)
{
	EcPendingGroup *groups = NULL;
	dlist_iter iter;
	int n = 0;

	*count = 0;
	if (dlist_is_empty(&ec_pendings.list))
		return NULL;
	dlist_foreach(iter, &ec_pendings.list) n++;
	groups = palloc(n * sizeof(EcPendingGroup));
	dlist_foreach(iter, &ec_pendings.list)
	{
		EcPending *p = dlist_container(EcPending, node, iter.cur);
		EcPendingGroup *group = &groups[*count];

		if (p->key.relid != RelationGetRelid(rel) || p->batch->nrows == 0 ||
			ec_pending_is_written(p))
			continue;
		disturbed |= p->key.cid == EC_GATHERED;
		group->cid = p->cid;
		group->payload = ec_group_serialize(rel, p->batch, p->number, ec_pending_ranges(p),
											p->ranges, &group->len);
		(*count)++;
	}
	return groups;
}

/* ------------------------------------------------------------------------
 * Ends of transactions
 * ------------------------------------------------------------------------
 */

static void
discard(SubTransactionId subid)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &ec_pendings.list)
	{
		EcPending *p = dlist_container(EcPending, node, iter.cur);

		if (subid == InvalidSubTransactionId || p->key.subid == subid)
			ec_pending_drop(p);
		else if (p->written_in == subid)
		{
			/* that row group's number is used up */
			p->written_in = InvalidSubTransactionId;
			p->number = -1;
		}
	}
}

/* What a subtransaction has written is its parent's now. */
static void
hand_over(SubTransactionId subid, SubTransactionId parent)
{
	dlist_iter iter;

	dlist_foreach(iter, &ec_pendings.list)
	{
		EcPending *p = dlist_container(EcPending, node, iter.cur);

		if (p->written_in == subid)
			p->written_in = parent;
	}
}

/* Its memory goes with the transaction's. */
static void
forget_hash(void)
{
	ec_pendings.hash = NULL;
	ec_pendings.in_flight = NULL;
	ec_pendings.memory = 0;
	held = false;
	any_written = false;
	disturbed = false;
	ec_delta_at_xact_end();
	ec_late_at_xact_end();
}

static void
at_xact_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			ec_write_flush_all();
			Assert(dlist_is_empty(&ec_pendings.list));
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
			discard(InvalidSubTransactionId);
			forget_hash();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PREPARE:
			forget_hash();
			break;
		default:
			break;
	}
}

static void
at_subxact_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
		ec_write_flush_all();
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		hand_over(subid, parent);
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		held = false;
		discard(subid);
	}
}

void
ec_write_state_init(void)
{
	RegisterXactCallback(at_xact_event, NULL);
	RegisterSubXactCallback(at_subxact_event, NULL);
}
