/*
 * verify_tuples.c
 *	  ecinsight.verify: each tuple of the companion that the snapshot sees.
 *
 * Its index must find it, and all pages of that be readable; what it says must lie within the table; a tombstone must
 * have a row to hide.  Free pages go to the extents, which verify.c compares.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/snapmgr.h"

#include "store/companion.h"
#include "store/counters.h"
#include "store/fetch.h"
#include "store/place.h"
#include "store/row.h"
#include "store/space.h"
#include "store/verify.h"
#include "store/walk.h"

static void
problem(EcVerify *verify, HeapTuple tuple, const char *what)
{
	ec_verify_report(verify, -1, -1,
					 psprintf("tuple (%u,%u) of the TOAST table: %s",
							  ItemPointerGetBlockNumber(&tuple->t_self),
							  ItemPointerGetOffsetNumber(&tuple->t_self), what));
}

static bool
index_finds(EcCompanion *c, const EcCatalogTuple *opened, ItemPointer tid)
{
	EcCatalogTuple found;
	HeapTuple tuple;

	ec_companion_search(c, opened->kind, opened->number);
	while ((tuple = ec_companion_next(c, &found)) != NULL)
	{
		if (ItemPointerEquals(&tuple->t_self, tid))
			return true;
	}
	return false;
}

static void
check_row(EcVerify *verify, EcCompanion *c, HeapTuple tuple)
{
	EcRow row;

	ec_row_from_tuple(verify->rel, tuple, &row);
	if (row.number >= verify->meta.next_row)
		problem(verify, tuple, psprintf("row " INT64_FORMAT " does not exist", row.number));
	if (row.state == EC_ROW_DEAD && !ec_fetch_group_holds(c, row.number, GetActiveSnapshot(), NULL))
		problem(verify, tuple,
				psprintf("no row group has row " INT64_FORMAT ", which it says is deleted",
						 row.number));
}

static void
check_free(EcVerify *verify, const EcCatalogTuple *opened)
{
	EcDiskFree disk;

	ec_space_read_free(verify->rel, opened, &disk);
	ec_verify_add_range(&verify->extents, opened->number, disk.npages);
}

/* Does anybody have a lock on it, and nobody more? */
static bool
is_locked(HeapTuple tuple)
{
	uint16 infomask = tuple->t_data->t_infomask;

	if ((infomask & HEAP_XMAX_INVALID) != 0 || !HEAP_XMAX_IS_LOCKED_ONLY(infomask))
		return false;
	if ((infomask & HEAP_XMAX_IS_MULTI) != 0)
		return !HEAP_LOCKED_UPGRADED(infomask) &&
			   MultiXactIdIsRunning(HeapTupleHeaderGetRawXmax(tuple->t_data), true);
	return TransactionIdIsInProgress(HeapTupleHeaderGetRawXmax(tuple->t_data));
}

/*
 * Headers of rows in row groups, places and counters are inserted frozen.  A crash between that
 * and the insertion into the index leaves one that nobody finds or misses, and so does a REINDEX that is rolled back;
 * but who has a row locked has found its header, and must be met by others.
 */
static bool
may_be_lost(EcVerify *verify, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcRow row;

	return opened->kind == EC_CATALOG_PLACE || opened->kind == EC_CATALOG_COUNTERS ||
		   (ec_row_from_tuple(verify->rel, tuple, &row) && row.state == EC_ROW_LIVE &&
			!is_locked(tuple));
}

static void
check_tuple(EcVerify *verify, EcCompanion *c, HeapTuple tuple)
{
	EcCatalogTuple opened;

	ec_catalog_open_tuple(verify->rel, tuple, &opened);
	switch ((EcCatalogKind) opened.kind)
	{
		case EC_CATALOG_GROUP:
		case EC_CATALOG_MASK:
		case EC_CATALOG_SUMMARY:
			/* the reader has checked them */
			break;
		case EC_CATALOG_ROW:
			check_row(verify, c, tuple);
			break;
		case EC_CATALOG_RESERVE:
			problem(verify, tuple, "a reservation of row numbers was never ended");
			break;
		case EC_CATALOG_FREE:
			check_free(verify, &opened);
			break;
		case EC_CATALOG_PLACE:
			ec_place_check(verify->rel, tuple, &opened);
			break;
		case EC_CATALOG_COUNTERS:
			ec_counters_check(verify->rel, tuple, &opened);
			break;
	}
	if (!may_be_lost(verify, tuple, &opened) && !index_finds(c, &opened, &tuple->t_self))
		problem(verify, tuple, "its index does not find it");
}

static void
read_page(EcVerify *verify)
{
	ReleaseBuffer(ReadBuffer(verify->index, verify->block));
}

/* Look-ups don't come to each page; who vacuums does. */
void
ec_verify_companion_index(EcVerify *verify)
{
	EcCompanion c;

	if (!ec_companion_open(verify->rel, AccessShareLock, &c))
		return;
	(void) ec_companion_index(&c); /* opens all of them */
	for (int i = 0; i < c.nindexes; i++)
	{
		BlockNumber nblocks;

		/* one that is being built gets its pages behind the back of shared buffers, where ours would stay */
		verify->index = c.indexes[i];
		if (!verify->index->rd_index->indisready)
			continue;
		nblocks = RelationGetNumberOfBlocks(verify->index);
		for (verify->block = 0; verify->block < nblocks; verify->block++)
		{
			CHECK_FOR_INTERRUPTS();
			ec_verify_try(verify, read_page, -1, -1);
		}
	}
	ec_companion_close(&c);
}

void
ec_verify_tuples(EcVerify *verify)
{
	EcCompanion c;
	HeapTuple tuple;
	EcWalk walk;

	if (!ec_companion_open(verify->rel, AccessShareLock, &c))
		return;
	ec_walk_begin(&walk, &c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		if (ec_walk_sees(&walk, GetActiveSnapshot()))
			check_tuple(verify, &c, tuple);
	}
	ec_walk_end(&walk);
	ec_companion_close(&c);
}
