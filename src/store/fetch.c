/*
 * fetch.c
 *	  Single rows by tid: AFTER triggers, TID scans, foreign key checks.
 *
 * Row numbers are never used twice in a file, so a list of all row groups, whatever
 * their visibility, tells where a row is; it is kept until the transaction or
 * subtransaction ends or a utility statement runs.  Whether the row's group is
 * visible is then asked of its descriptor, under the caller's own snapshot.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/reader_internal.h"
#include "store/rowscan.h"
#include "store/store.h"
#include "store/tid.h"

typedef struct FetchCache
{
	Relation rel; /* for comparison with the caller's, which is open */
	Oid relid;
	RelFileLocator locator;
	EcRowScan *scan; /* NULL: empty */
} FetchCache;

static FetchCache cache;

void
ec_fetch_forget(void)
{
	if (cache.scan != NULL)
		ec_rowscan_end(cache.scan);
	memset(&cache, 0, sizeof(cache));
}

static void
fill_cache(Relation rel)
{
	MemoryContext old;
	EcRowScan *scan;

	ec_fetch_forget();
	old = MemoryContextSwitchTo(TopTransactionContext);
	scan = ec_rowscan_begin(rel, SnapshotAny, NULL, NULL);
	MemoryContextSwitchTo(old);
	cache.rel = rel;
	cache.relid = RelationGetRelid(rel);
	cache.locator = rel->rd_locator;
	cache.scan = scan;
}

static const EcDescriptor *
locate(Relation rel, int64 number, uint32 *group, uint32 *row)
{
	const EcDescriptor *desc = NULL;

	if (cache.scan != NULL && cache.rel == rel && cache.relid == RelationGetRelid(rel) &&
		RelFileLocatorEquals(cache.locator, rel->rd_locator))
		desc = ec_reader_find_row(ec_rowscan_reader(cache.scan), number, group, row);
	if (desc == NULL)
	{
		fill_cache(rel);
		desc = ec_reader_find_row(ec_rowscan_reader(cache.scan), number, group, row);
	}
	return desc;
}

/* slot: NULL if only the answer is wanted. */
bool
ec_fetch_row(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	int64 number = ec_tid_to_row(tid);
	const EcDescriptor *desc;
	uint32 group;
	uint32 row;
	bool visible;

	PredicateLockRelation(rel, snapshot);
	desc = number < 0 ? NULL : locate(rel, number, &group, &row);
	if (desc == NULL)
		return false;
	if (snapshot == SnapshotAny)
		visible = true;
	else if (desc->pending)
		visible = ec_reader_sees_command(snapshot, desc->cid);
	else
		visible = ec_catalog_visible(rel, desc->number, snapshot);
	if (visible && slot != NULL)
	{
		ec_rowscan_store(cache.scan, group, row, slot);
		ExecMaterializeSlot(slot); /* the next fetch uses the same memory */
	}
	return visible;
}
