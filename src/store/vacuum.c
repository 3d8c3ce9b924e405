/*
 * vacuum.c
 *	  VACUUM and autovacuum of a columnar table.
 *
 * The phases, in one transaction that core has begun, under
 * ShareUpdateExclusiveLock (so one at a time for each table):
 *
 *	reclaim		heap's own VACUUM of the companion removes descriptors and rows that
 *				nobody sees; pages that no descriptor needs any more become free, the
 *				free end of the file goes back to the file system (space.c)
 *
 * What this transaction deletes can be reclaimed by the next VACUUM at the earliest.
 * An explicit VACUUM does that at the end of the statement, in a transaction of
 * its own, if this library's utility hook is there; autovacuum is told of dead
 * rows and comes again.
 *
 * VACUUM's transaction is one that others leave out of their snapshots and
 * horizons (PROC_IN_VACUUM), so that what it writes would be seen in the middle of
 * other statements.  We write like anybody: the flag is taken off first, and the
 * snapshot exchanged for one that others respect.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/xact.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/catalog.h"
#include "store/list.h"
#include "store/space.h"
#include "store/tableam.h"
#include "store/vacuum.h"
#include "store/writer.h"

/* Tables to reclaim at the end of the running VACUUM statement, if one runs under our hook. */
static bool in_statement;
static List *reclaim_later;

/* ------------------------------------------------------------------------
 * The transaction
 * ------------------------------------------------------------------------
 */

static void
leave_vacuum_mode(void)
{
	PopActiveSnapshot();
	LWLockAcquire(ProcArrayLock, LW_EXCLUSIVE);
	MyProc->statusFlags &= ~PROC_IN_VACUUM;
	ProcGlobal->statusFlags[MyProc->pgxactoff] = MyProc->statusFlags;
	LWLockRelease(ProcArrayLock);
	PushActiveSnapshot(GetLatestSnapshot());
}

/* ------------------------------------------------------------------------
 * Reclaim
 * ------------------------------------------------------------------------
 */

/* An explicit VACUUM waits for autovacuum to give way; autovacuum leaves the companion to another. */
static bool
lock_companion(Relation rel)
{
	Oid companion = rel->rd_rel->reltoastrelid;

	if (!OidIsValid(companion))
		return false;
	if (IsAutoVacuumWorkerProcess())
		return ConditionalLockRelationOid(companion, ShareUpdateExclusiveLock);
	LockRelationOid(companion, ShareUpdateExclusiveLock);
	return true;
}

static void
reclaim(Relation rel, VacuumParams *params, BufferAccessStrategy strategy, EcSpace *space)
{
	EcCompanion c;
	VacuumParams heap_params = *params;

	memset(space, 0, sizeof(*space));
	space->pages = RelationGetNumberOfBlocks(rel);
	if (!lock_companion(rel) || !ec_companion_open(rel, RowExclusiveLock, &c))
		return;
	heap_params.nworkers = -1;
	heap_params.options &= ~VACOPT_VERBOSE;
	heap_vacuum_rel(c.heap, &heap_params, strategy);
	ec_space_reclaim(rel, &c, params->truncate != VACOPTVALUE_DISABLED, space);
	ec_companion_close(&c);
}

/* ------------------------------------------------------------------------
 * VACUUM
 * ------------------------------------------------------------------------
 */

static void
remember_table(Oid relid)
{
	MemoryContext old;

	if (!in_statement)
		return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	reclaim_later = list_append_unique_oid(reclaim_later, relid);
	MemoryContextSwitchTo(old);
}

void
ec_vacuum(Relation rel, struct VacuumParams *params, BufferAccessStrategy strategy)
{
	TimestampTz start = GetCurrentTimestamp();
	EcSpace space;
	int64 rows;

	leave_vacuum_mode();
	reclaim(rel, params, strategy, &space);
	rows = ec_list_count_rows(rel, SnapshotSelf);
	ec_compat_update_relstats(rel, space.pages, (double) rows,
							  GetOldestNonRemovableTransactionId(rel), GetOldestMultiXactId());
	ec_compat_report_vacuum(rel, rows, start);
	remember_table(RelationGetRelid(rel));
}

/* ------------------------------------------------------------------------
 * The statement
 * ------------------------------------------------------------------------
 */

static void
forget_tables(void)
{
	list_free(reclaim_later);
	reclaim_later = NIL;
}

void
ec_vacuum_statement_begin(void)
{
	forget_tables();
	in_statement = true;
}

/* In a transaction of its own: only what is committed can be removed. */
static void
reclaim_again(Oid relid)
{
	VacuumParams params = {
		.options = VACOPT_VACUUM,
		.freeze_min_age = -1,
		.freeze_table_age = -1,
		.multixact_freeze_min_age = -1,
		.multixact_freeze_table_age = -1,
		.log_min_duration = -1,
		.index_cleanup = VACOPTVALUE_AUTO,
		.truncate = VACOPTVALUE_ENABLED,
		.nworkers = -1,
	};
	EcSpace space;
	Relation rel;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (ConditionalLockRelationOid(relid, ShareUpdateExclusiveLock))
	{
		rel = try_table_open(relid, NoLock);
		if (rel != NULL && ec_store_is_columnar(rel))
			reclaim(rel, &params, NULL, &space);
		if (rel != NULL)
			table_close(rel, NoLock);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
}

void
ec_vacuum_statement_end(void)
{
	List *relids = reclaim_later;
	ListCell *cell;

	in_statement = false;
	reclaim_later = NIL;
	if (relids == NIL)
		return;

	/* as core does between tables: the statement never runs within a transaction block */
	CommitTransactionCommand();
	foreach (cell, relids)
		reclaim_again(lfirst_oid(cell));
	list_free(relids);
	StartTransactionCommand();
}
