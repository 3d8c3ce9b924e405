/*
 * vacuum.c
 *	  VACUUM and autovacuum of a columnar table.
 *
 * The phases, in one transaction that core has begun, under
 * ShareUpdateExclusiveLock (so one at a time for each table):
 *
 *	reclaim		heap's own VACUUM of the companion removes descriptors and rows that
 *				nobody sees; pages that no descriptor needs any more become free, the
 *				free end of the file goes back to the file system (space.c); if much is
 *				free before it, row groups move there from the end (space_move.c)
 *	shrink		a companion that is mostly empty is rewritten, with its index.  As that
 *				locks all others out of the table until commit, it is tried without waiting
 *				and nothing else is done after it
 *	indexes		entries of rows that are gone are removed (vacuum_index.c)
 *	compact		small row groups, rows on their own and tombstones go into full row
 *				groups (compact.c)
 *	summarize	whoever makes summaries of row groups does (summary.h)
 *
 * What this transaction deletes can be reclaimed by the next VACUUM at the earliest.
 * An explicit VACUUM does that at the end of the statement, in transactions of
 * their own, if this library's utility hook is there; before it, what compaction has
 * left for other transactions, and the summaries.  (VACUUM FULL makes these without the hook,
 * too.)  Autovacuum is told of dead rows and comes again.
 *
 * ecinsight.compact() does the last two phases in the caller's transaction, and merges
 * all that isn't full.
 *
 * VACUUM's transaction is one that others leave out of their snapshots and
 * horizons (PROC_IN_VACUUM), so that what it writes would be seen in the middle of
 * other statements.  We write like anybody: the flag is taken off first, and the
 * snapshot exchanged for one that others respect.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/objectaddress.h"
#include "commands/defrem.h"
#include "commands/vacuum.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/stoppoint.h"
#include "store/awaited.h"
#include "store/catalog.h"
#include "store/compact.h"
#include "store/headers.h"
#include "store/list.h"
#include "store/place.h"
#include "store/space.h"
#include "store/standby.h"
#include "store/store.h"
#include "store/summary.h"
#include "store/tableam.h"
#include "store/vacuum.h"
#include "store/vacuum_index.h"
#include "store/walk.h"
#include "store/write_state.h"
#include "store/writer.h"

PG_FUNCTION_INFO_V1(ec_compact_table);

/* A companion, or its index, of so many pages is rewritten if it could be that much smaller. */
#define SHRINK_MINIMUM 32
#define SHRINK_FACTOR 4
#define INDEX_TUPLE_BYTES 24

/* How long to try for the lock. */
#define SHRINK_TRIES 20
#define SHRINK_WAIT_MS 50

/* Of compaction, of making summaries, and of reclaiming and moving, at the end of a statement. */
#define COMPACTIONS_MAX 64
#define SUMMARIES_MAX 64
#define RECLAIMS_MAX 8

/* Tables to compact, to summarize and to reclaim at the end of the running VACUUM statement, if one runs under our hook. */
static bool in_statement;
static List *compact_later;
static List *summarize_later;
static List *reclaim_later;

/* Tables that VACUUM FULL has made anew, without their summaries; and if it is not to wait for locks. */
static List *rewritten;
static bool skip_locked;

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
	if (ec_compat_is_autovacuum())
		return ConditionalLockRelationOid(companion, ShareUpdateExclusiveLock);
	if (ec_awaited_lock(companion, ShareUpdateExclusiveLock))
		return true;
	ereport(WARNING,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("skipping vacuum of \"%s\" --- lock not available", get_rel_name(companion))));
	return false;
}

static bool
open_companion(Relation rel, EcCompanion *c)
{
	return lock_companion(rel) && ec_companion_open(rel, RowExclusiveLock, c);
}

/*
 * Heap's VACUUM tries for five seconds to get the lock to truncate, and it is run on
 * the companion several times in a statement.  So ours don't try while others read;
 * core's own of the companion does.
 */
static bool
is_in_use(Relation rel)
{
	LOCKTAG tag;
	int nlockers;

	SET_LOCKTAG_RELATION(tag, rel->rd_lockInfo.lockRelId.dbId, rel->rd_lockInfo.lockRelId.relId);
	(void) GetLockConflicts(&tag, AccessExclusiveLock, &nlockers);
	return nlockers > 0;
}

/* How many pages can be given back when this is committed, moved ones among them? */
static BlockNumber
reclaim(Relation rel, EcCompanion *c, VacuumParams *params, BufferAccessStrategy strategy,
		EcSpace *space)
{
	VacuumParams heap_params = *params;

	heap_params.nworkers = -1;
	heap_params.options &= ~VACOPT_VERBOSE;
	if (is_in_use(c->heap))
		heap_params.truncate = VACOPTVALUE_DISABLED;

	/* heap's VACUUM would remove what damage makes look dead */
	ec_walk_check(c);
	heap_vacuum_rel(c->heap, &heap_params, strategy);
	ec_space_reclaim(rel, c, params->truncate != VACOPTVALUE_DISABLED, space);
	if (!params->is_wraparound)
		space->places = ec_place_drop(c);
	if (params->truncate == VACOPTVALUE_DISABLED || params->is_wraparound)
		return 0;
	if (space->pages == 1 && space->places > 0 && space->tuples == space->counters + space->places)
		return 1; /* the metapage, as soon as the places are gone */
	return space->later + ec_space_move(rel, c, space, !ec_compat_is_autovacuum());
}

/* ------------------------------------------------------------------------
 * Shrink
 * ------------------------------------------------------------------------
 */

/* Is the companion, or its index, much larger than what it holds? */
static bool
worth_shrinking(EcCompanion *c, const EcSpace *space)
{
	uint64 heap = RelationGetNumberOfBlocks(c->heap);
	uint64 index = RelationGetNumberOfBlocks(ec_companion_index(c));

	return (heap > SHRINK_MINIMUM && heap * BLCKSZ / SHRINK_FACTOR > space->bytes) ||
		   (index > SHRINK_MINIMUM &&
			index * BLCKSZ / SHRINK_FACTOR > (uint64) space->tuples * INDEX_TUPLE_BYTES);
}

static void
prepare_shrinking(Relation rel)
{
	EcCompanion c;

	ec_companion_open(rel, RowExclusiveLock, &c);
	ec_headers_drop_spare(&c, false);
	ec_standby_conflict(&c);
	ec_companion_close(&c);
}

/* The caller has no handle open.  Whoever reads the table holds a lock on its companion. */
static bool
shrink_companion(Relation rel)
{
	Oid companion = rel->rd_rel->reltoastrelid;

	for (int i = 0; i < SHRINK_TRIES; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (ConditionalLockRelationOid(companion, AccessExclusiveLock))
		{
			ec_stop_point("shrink");
			prepare_shrinking(rel);
			ec_catalog_drop_invalid_indexes(companion);
			ec_compat_rewrite_relation(companion);
			return true;
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, SHRINK_WAIT_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	return false;
}

/* ------------------------------------------------------------------------
 * VACUUM
 * ------------------------------------------------------------------------
 */

static void
add_table(List **tables, Oid relid)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	*tables = list_append_unique_oid(*tables, relid);
	MemoryContextSwitchTo(old);
}

static void
remember_table(List **tables, Oid relid)
{
	if (in_statement)
		add_table(tables, relid);
}

/* At the end of a statement there is a better time for summaries, when compaction has finished. */
static void
compact_and_summarize(Relation rel, EcCompanion *c, EcCompaction *compaction)
{
	int64 dropped = ec_summary_rows_dropped;

	ec_compact_relation(rel, c, false, compaction);
	if (in_statement)
		return;
	(void) ec_summary_maintain(rel);
	compaction->rows_dropped += ec_summary_rows_dropped - dropped;
}

/*
 * Against wraparound only what can't wait is done.  Tells how many pages can be
 * given back next time; or, in *shrink, that the companion should be rewritten and
 * nothing else was done.  At the end of a statement there is a better time for that.
 */
static BlockNumber
vacuum_companion(Relation rel, EcCompanion *c, VacuumParams *params, BufferAccessStrategy strategy,
				 int64 rows, EcCompaction *compaction, bool *shrink)
{
	EcSpace space;
	BlockNumber later = reclaim(rel, c, params, strategy, &space);

	*shrink = !params->is_wraparound && worth_shrinking(c, &space);
	if (*shrink && !in_statement)
		return later;

	if (!params->is_wraparound)
	{
		ec_vacuum_indexes(rel, c, params, strategy, (double) rows);
		compact_and_summarize(rel, c, compaction);
	}
	ereport(params->options & VACOPT_VERBOSE ? INFO : DEBUG2,
			(errmsg("\"%s\": " INT64_FORMAT " row groups of " INT64_FORMAT
					" rows in place of " INT64_FORMAT ", " INT64_FORMAT
					" deleted rows removed, " INT64_FORMAT
					" rows left for another transaction, %u pages free, %u pages truncated",
					RelationGetRelationName(rel), compaction->groups_written,
					compaction->rows_written, compaction->groups_merged, compaction->rows_dropped,
					compaction->deltas_left, space.free, space.truncated)));
	return later;
}

/*
 * What has been replaced takes space until the next VACUUM: call rows dead, so that
 * it comes.  But not because others keep the companion busy.
 */
static int64
dead_rows(const EcCompaction *compaction, int64 rows, bool unfinished)
{
	if (in_statement)
		return 0;
	return unfinished ? rows : compaction->rows_written + compaction->rows_dropped;
}

/* Indexes are never vacuumed in parallel; but as for a heap it is said where that can't be. */
static void
warn_of_parallel(Relation rel, const VacuumParams *params)
{
	if (params->nworkers <= 0 || !RelationUsesLocalBuffers(rel) ||
		list_length(RelationGetIndexList(rel)) < 2)
		return;
	ereport(WARNING, (errmsg("disabling parallel option of vacuum on \"%s\" --- cannot vacuum "
							 "temporary tables in parallel",
							 RelationGetRelationName(rel))));
}

void
ec_vacuum(Relation rel, struct VacuumParams *params, BufferAccessStrategy strategy)
{
	TimestampTz start = GetCurrentTimestamp();
	EcCompaction compaction = {0};
	EcCompanion c;
	BlockNumber later = 0;
	bool shrink = false;
	bool shrunk = false;
	int64 rows;

	leave_vacuum_mode();
	warn_of_parallel(rel, params);

	/* now, as later others may wait for us; compaction changes nothing about it */
	rows = ec_list_count_rows(rel, SnapshotSelf);
	if (open_companion(rel, &c))
	{
		later = vacuum_companion(rel, &c, params, strategy, rows, &compaction, &shrink);
		ec_companion_close(&c);
		if (shrink && !in_statement)
			shrunk = shrink_companion(rel);
		if (shrink && !in_statement && !shrunk && open_companion(rel, &c))
		{
			compact_and_summarize(rel, &c, &compaction);
			ec_companion_close(&c);
		}
	}
	ec_compat_update_relstats(rel, RelationGetNumberOfBlocks(rel), (double) rows,
							  GetOldestNonRemovableTransactionId(rel), GetOldestMultiXactId());
	ec_compat_report_vacuum(
		rel, rows, dead_rows(&compaction, rows, shrunk || later > 0 || compaction.deltas_left > 0),
		start);
	if (compaction.deltas_left > 0)
		remember_table(&compact_later, RelationGetRelid(rel));
	if (!params->is_wraparound)
		remember_table(&summarize_later, RelationGetRelid(rel));
	if (compaction.tuples_dropped > 0 || later > 0 || shrink)
		remember_table(&reclaim_later, RelationGetRelid(rel));
}

/* ------------------------------------------------------------------------
 * The statement
 * ------------------------------------------------------------------------
 */

static void
forget_tables(void)
{
	list_free(compact_later);
	list_free(summarize_later);
	list_free(reclaim_later);
	list_free(rewritten);
	compact_later = summarize_later = reclaim_later = rewritten = NIL;
}

/* NULL while none runs; nothing but a client's statement can run one. */
static const VacuumStmt *
running_vacuum(void)
{
	Node *stmt = ec_utility_running();

	if (stmt == NULL || !IsA(stmt, VacuumStmt) || !castNode(VacuumStmt, stmt)->is_vacuumcmd)
		return NULL;
	return castNode(VacuumStmt, stmt);
}

static bool
has_option(const VacuumStmt *stmt, const char *name)
{
	bool value = false;
	ListCell *cell;

	foreach (cell, stmt->options)
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			value = defGetBoolean(option);
	}
	return value;
}

/* CLUSTER and others leave the summaries to the next VACUUM. */
void
ec_vacuum_rewritten(Relation rel)
{
	const VacuumStmt *stmt = running_vacuum();

	if (stmt == NULL)
		return;
	skip_locked = has_option(stmt, "skip_locked");
	add_table(&rewritten, RelationGetRelid(rel));
}

void
ec_vacuum_statement_begin(void)
{
	forget_tables();
	in_statement = true;
}

/* NULL if the table is gone, or others are at work on it, who are waited for if wanted. */
static Relation
open_again(Oid relid, bool wait, EcCompanion *c)
{
	Relation rel;

	if (wait)
		LockRelationOid(relid, ShareUpdateExclusiveLock);
	else if (!ConditionalLockRelationOid(relid, ShareUpdateExclusiveLock))
		return NULL;
	rel = try_table_open(relid, NoLock);
	if (rel == NULL || (ec_store_is_columnar(rel) && open_companion(rel, c)))
		return rel;
	table_close(rel, NoLock);
	return NULL;
}

/* True if there is more to do. */
static bool
compact_again(Oid relid)
{
	EcCompaction compaction = {0};
	EcCompanion c;
	Relation rel = open_again(relid, false, &c);

	if (rel == NULL)
		return false;
	ec_compact_relation(rel, &c, false, &compaction);
	ec_companion_close(&c);
	table_close(rel, NoLock);
	return compaction.deltas_left > 0;
}

/* True if there is more to do. */
static bool
summarize(Oid relid, bool wait)
{
	int64 dropped = ec_summary_rows_dropped;
	EcCompanion c;
	Relation rel;
	bool more;

	if (ec_summary_maker() == NULL)
		return false;
	rel = open_again(relid, wait, &c);
	if (rel == NULL)
		return false;
	ec_companion_close(&c);
	more = ec_summary_maintain(rel);
	table_close(rel, NoLock);
	if (ec_summary_rows_dropped > dropped)
		remember_table(&reclaim_later, relid);
	return more;
}

static bool
summarize_again(Oid relid)
{
	return summarize(relid, false);
}

/*
 * The statement has dropped what there was, so others who are at work on the table are
 * waited for, as at its beginning.  No lock is held meanwhile that they could want.
 */
static bool
summarize_rewritten(Oid relid)
{
	return summarize(relid, !skip_locked);
}

/* Only what is committed can be removed.  True if there is more to do. */
static bool
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
	EcCompanion c;
	Relation rel = open_again(relid, false, &c);
	BlockNumber later;
	bool shrink;

	if (rel == NULL)
		return false;
	later = reclaim(rel, &c, &params, NULL, &space);
	shrink = later == 0 && space.places == 0 && worth_shrinking(&c, &space);
	ec_companion_close(&c);
	if (shrink)
		(void) shrink_companion(rel);
	table_close(rel, NoLock);
	return later > 0 || space.places > 0;
}

/* Each step in a transaction of its own. */
static void
repeat(bool (*step)(Oid), Oid relid, int max)
{
	bool more = true;

	for (int i = 0; i < max && more; i++)
	{
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		more = step(relid);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
}

static void
finish_tables(void)
{
	ListCell *cell;

	foreach (cell, compact_later)
		repeat(compact_again, lfirst_oid(cell), COMPACTIONS_MAX);
	foreach (cell, rewritten)
		repeat(summarize_rewritten, lfirst_oid(cell), SUMMARIES_MAX);
	foreach (cell, summarize_later)
		repeat(summarize_again, lfirst_oid(cell), SUMMARIES_MAX);
	foreach (cell, reclaim_later)
		repeat(reclaim_again, lfirst_oid(cell), RECLAIMS_MAX);
}

void
ec_vacuum_statement_end(void)
{
	if (summarize_later == NIL && reclaim_later == NIL && rewritten == NIL)
	{
		in_statement = false;
		return;
	}

	/* as core does between tables: the statement never runs within a transaction block */
	CommitTransactionCommand();
	VacuumCostActive = VacuumCostDelay > 0;
	PG_TRY();
	{
		finish_tables();
	}
	PG_FINALLY();
	{
		VacuumCostActive = false;
		in_statement = false;
		forget_tables();
	}
	PG_END_TRY();
	StartTransactionCommand();
}

/* In the transaction that runs. */
static void
summarize_here(List *tables)
{
	ListCell *cell;

	PushActiveSnapshot(GetTransactionSnapshot());
	foreach (cell, tables)
	{
		bool more = true;

		for (int i = 0; i < SUMMARIES_MAX && more; i++)
			more = summarize_rewritten(lfirst_oid(cell));
	}
	PopActiveSnapshot();
}

/*
 * A VACUUM FULL that was its session's first use of this library has begun before our hook
 * was there, so its end is that of its last transaction, when it doesn't run any more.
 */
static void
at_xact_event(XactEvent event, void *arg)
{
	List *tables = rewritten;

	if (in_statement || rewritten == NIL)
		return;
	if (event == XACT_EVENT_ABORT)
		forget_tables();
	else if (event == XACT_EVENT_PRE_COMMIT && running_vacuum() == NULL)
	{
		rewritten = NIL;
		summarize_here(tables);
		list_free(tables);
	}
}

void
ec_vacuum_init(void)
{
	RegisterXactCallback(at_xact_event, NULL);
}

void
ec_vacuum_merge(Oid relid)
{
	VacuumCostActive = VacuumCostDelay > 0;
	repeat(compact_again, relid, COMPACTIONS_MAX);
	repeat(summarize_again, relid, SUMMARIES_MAX);
	repeat(reclaim_again, relid, RECLAIMS_MAX);
}

/* ------------------------------------------------------------------------
 * ecinsight.compact
 * ------------------------------------------------------------------------
 */

/* For the table, or its companion. */
static void
lock_for_compaction(Oid relid, Oid table)
{
	if (ec_awaited_lock(relid, ShareUpdateExclusiveLock))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("could not obtain lock on relation \"%s\"", get_rel_name(table)),
			 errdetail("The session that has it waits for this transaction to end, as REINDEX "
					   "CONCURRENTLY does."),
			 errhint("Try again when that has finished.")));
}

static Relation
open_for_compaction(Oid relid)
{
	Relation rel;

	lock_for_compaction(relid, relid);
	rel = table_open(relid, NoLock);
	if (!ec_compat_owns_relation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	if (!ec_store_is_columnar(rel))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a columnar table", RelationGetRelationName(rel)),
						errhint("Create it with USING ecinsight_columnar.")));
	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot access temporary tables of other sessions")));
	if (OidIsValid(rel->rd_rel->reltoastrelid))
		lock_for_compaction(rel->rd_rel->reltoastrelid, relid);
	return rel;
}

Datum
ec_compact_table(PG_FUNCTION_ARGS)
{
	Relation rel;
	EcCompanion c;
	EcCompaction result = {0};
	TupleDesc tupdesc;
	bool isnull[6] = {0};
	Datum values[6];

	PreventCommandIfReadOnly("ecinsight.compact()");
	PreventCommandDuringRecovery("ecinsight.compact()");
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	rel = open_for_compaction(PG_GETARG_OID(0));
	ec_write_flush_relation(rel);
	if (open_companion(rel, &c))
	{
		ec_compact_relation(rel, &c, true, &result);
		ec_companion_close(&c);
		(void) ec_summary_maintain(rel);
	}
	table_close(rel, NoLock);
	values[0] = Int64GetDatum(result.groups_merged);
	values[1] = Int64GetDatum(result.groups_written);
	values[2] = Int64GetDatum(result.rows_written);
	values[3] = Int64GetDatum(result.rows_dropped);
	values[4] = Int64GetDatum(result.rows_folded);
	values[5] = Int64GetDatum(result.unsettled);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, isnull)));
}
