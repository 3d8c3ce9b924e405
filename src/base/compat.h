/*
 * compat.h
 *	  Differences between PostgreSQL 15, 16, 17 and 18.  Every test of
 *	  PG_VERSION_NUM in the project stands here.
 */
#ifndef EC_COMPAT_H
#define EC_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "ecinsight supports PostgreSQL 15 to 18"
#endif

#include "access/genam.h"
#include "access/multixact.h"
#include "access/heapam.h"
#include "access/heapam_xlog.h"
#include "access/nbtxlog.h"
#include "access/relscan.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/cluster.h"
#include "commands/explain.h"
#include "commands/vacuum.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "parser/parse_node.h"
#include "parser/scansup.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "storage/smgr.h"
#include "utils/acl.h"
#include "utils/datetime.h"
#include "utils/pg_locale.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h" /* was part of postgres.h */
#endif
#if PG_VERSION_NUM >= 170000
#include "storage/read_stream.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* 18: the tuple may have room before it */
#if PG_VERSION_NUM >= 180000
#define ec_compat_form_minimal_tuple(desc, values, isnull)                                         \
	heap_form_minimal_tuple(desc, values, isnull, 0)
#else
#define ec_compat_form_minimal_tuple(desc, values, isnull)                                         \
	heap_form_minimal_tuple(desc, values, isnull)
#endif

/* 16: one function for objects of all kinds */
static inline AclResult
ec_compat_function_aclcheck(Oid function, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE);
#else
	return pg_proc_aclcheck(function, role, ACL_EXECUTE);
#endif
}

/* 18: a prefix instead of pg_attribute_noreturn() */
#ifndef pg_noreturn
#define pg_noreturn _Noreturn
#endif

/* 16: DecodeDateTime also returns the name of a bad zone or field */
static inline int
ec_compat_decode_datetime(char **field, int *ftype, int nf, int *dtype, struct pg_tm *tm,
						  fsec_t *fsec, int *tz)
{
#if PG_VERSION_NUM >= 160000
	DateTimeErrorExtra extra;

	return DecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz, &extra);
#else
	return DecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz);
#endif
}

/* 16: relfilenodes are called relfilenumbers, and RelFileNode RelFileLocator */
#if PG_VERSION_NUM < 160000
#define RelFileLocator RelFileNode
#define RelFileLocatorEquals RelFileNodeEquals
#define rd_locator rd_node
#define rd_firstRelfilelocatorSubid rd_firstRelfilenodeSubid
#define relation_set_new_filelocator relation_set_new_filenode
#endif

/* Was the table, or its file, made by this transaction?  WAL may be spared for such a file. */
static inline bool
ec_compat_has_new_file(Relation rel)
{
	return rel->rd_createSubid != InvalidSubTransactionId ||
		   rel->rd_firstRelfilelocatorSubid != InvalidSubTransactionId;
}

static inline void
ec_compat_forget_new_file(Relation rel)
{
	rel->rd_createSubid = rel->rd_firstRelfilelocatorSubid = InvalidSubTransactionId;
}

/*
 * Adds n pages of zeros to the main fork and returns the first.  The caller holds
 * the relation extension lock, so they are contiguous.
 */
static inline BlockNumber
ec_compat_extend_relation(Relation rel, uint32 n)
{
	BlockNumber first = InvalidBlockNumber;

#if PG_VERSION_NUM >= 160000
	while (n > 0)
	{
		Buffer buffers[64];
		uint32 got;
		BlockNumber block =
			ExtendBufferedRelBy(BMR_REL(rel), MAIN_FORKNUM, NULL, EB_SKIP_EXTENSION_LOCK,
								Min(n, lengthof(buffers)), buffers, &got);

		if (first == InvalidBlockNumber)
			first = block;
		for (uint32 i = 0; i < got; i++)
			ReleaseBuffer(buffers[i]);
		n -= got;
	}
#else
	for (uint32 i = 0; i < n; i++)
	{
		Buffer buffer = ReadBufferExtended(rel, MAIN_FORKNUM, P_NEW, RBM_NORMAL, NULL);

		if (i == 0)
			first = BufferGetBlockNumber(buffer);
		ReleaseBuffer(buffer);
	}
#endif
	return first;
}

/* 16: tuple_update tells which indexes need entries, not merely whether any does */
#if PG_VERSION_NUM >= 160000
#define EcUpdateIndexes TU_UpdateIndexes
#else
#define EcUpdateIndexes bool
#endif

/* 18: parallel scans name the relation by its file */
static inline void
ec_compat_parallelscan_relation(ParallelTableScanDesc pscan, Relation rel)
{
#if PG_VERSION_NUM >= 180000
	pscan->phs_locator = rel->rd_locator;
#else
	pscan->phs_relid = RelationGetRelid(rel);
#endif
}

/* 17: ANALYZE hands out its blocks by a read stream */
#if PG_VERSION_NUM >= 170000
#define EC_COMPAT_ANALYZE_NEXT_BLOCK_ARGS TableScanDesc scan, ReadStream *stream
#define EC_COMPAT_ANALYZE_NEXT_BLOCK_PASS stream
static inline bool
ec_compat_analyze_block(ReadStream *stream, BlockNumber *block)
{
	Buffer buffer = read_stream_next_buffer(stream, NULL);

	if (!BufferIsValid(buffer))
		return false;
	*block = BufferGetBlockNumber(buffer);
	ReleaseBuffer(buffer);
	return true;
}
#else
#define EC_COMPAT_ANALYZE_NEXT_BLOCK_ARGS                                                          \
	TableScanDesc scan, BlockNumber blockno, BufferAccessStrategy strategy
#define EC_COMPAT_ANALYZE_NEXT_BLOCK_PASS blockno
static inline bool
ec_compat_analyze_block(BlockNumber blockno, BlockNumber *block)
{
	*block = blockno;
	return true;
}
#endif

/* 16: ownership of all kinds of objects is checked by one function */
static inline bool
ec_compat_owns_relation(Oid relid)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relid, GetUserId());
#else
	return pg_class_ownercheck(relid, GetUserId());
#endif
}

/*
 * libpq/libpq.h includes GSSAPI's headers where the server was built with them, and
 * Debian's development package of the server does not bring these; so what we call
 * is declared here.  Equal in all versions.
 */
extern void pq_startmsgread(void);
extern int pq_getbyte(void);
extern int pq_getmessage(StringInfo s, int maxlen);
#define EC_COMPAT_SMALL_MESSAGE 10000
#define EC_COMPAT_LARGE_MESSAGE (MaxAllocSize - 1)

/* 16: what a query does to a table is told apart from the table */
static inline void
ec_compat_mark_inserted(ParseNamespaceItem *nsitem, List *attnums)
{
	Bitmapset *columns = NULL;
	ListCell *lc;

	foreach (lc, attnums)
		columns = bms_add_member(columns, lfirst_int(lc) - FirstLowInvalidHeapAttributeNumber);
#if PG_VERSION_NUM >= 160000
	nsitem->p_perminfo->requiredPerms = ACL_INSERT;
	nsitem->p_perminfo->insertedCols = columns;
#else
	nsitem->p_rte->requiredPerms = ACL_INSERT;
	nsitem->p_rte->insertedCols = columns;
#endif
}

#if PG_VERSION_NUM >= 160000
#define EC_COMPAT_CHECK_PERMS_ARGS List *rangeTable, List *rtePermInfos, bool ereport_on_violation
#define EC_COMPAT_CHECK_PERMS_PASS rangeTable, rtePermInfos, ereport_on_violation
#else
#define EC_COMPAT_CHECK_PERMS_ARGS List *rangeTable, bool ereport_on_violation
#define EC_COMPAT_CHECK_PERMS_PASS rangeTable, ereport_on_violation
#endif

/* 16: permissions besides; 18: partitions that are left */
static inline void
ec_compat_init_range_table(EState *estate, ParseState *pstate)
{
#if PG_VERSION_NUM >= 180000
	ExecInitRangeTable(estate, pstate->p_rtable, pstate->p_rteperminfos, bms_make_singleton(1));
#elif PG_VERSION_NUM >= 160000
	ExecInitRangeTable(estate, pstate->p_rtable, pstate->p_rteperminfos);
#else
	ExecInitRangeTable(estate, pstate->p_rtable);
#endif
}

/* 16: not only the summarizing ones */
static inline List *
ec_compat_insert_index_tuples(ResultRelInfo *info, TupleTableSlot *slot, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(info, slot, estate, false, false, NULL, NIL, false);
#else
	return ExecInsertIndexTuples(info, slot, estate, false, false, NULL, NIL);
#endif
}

/* 18: ExecutorRun lost its last argument */
#if PG_VERSION_NUM >= 180000
#define EC_COMPAT_EXECUTOR_RUN_ARGS QueryDesc *queryDesc, ScanDirection direction, uint64 count
#define EC_COMPAT_EXECUTOR_RUN_PASS queryDesc, direction, count
#else
#define EC_COMPAT_EXECUTOR_RUN_ARGS                                                                \
	QueryDesc *queryDesc, ScanDirection direction, uint64 count, bool execute_once
#define EC_COMPAT_EXECUTOR_RUN_PASS queryDesc, direction, count, execute_once
#endif

/* 17: a column's statistics target is no longer in tuple descriptors; -1 is the default */
static inline int
ec_compat_attstattarget(Form_pg_attribute att)
{
#if PG_VERSION_NUM >= 170000
	return -1;
#else
	return att->attstattarget;
#endif
}

/* 18: pages that are all frozen are counted too */
static inline void
ec_compat_update_relstats(Relation rel, BlockNumber pages, double tuples, TransactionId frozenxid,
						  MultiXactId minmulti)
{
	bool frozenxid_updated;
	bool minmulti_updated;

#if PG_VERSION_NUM >= 180000
	vac_update_relstats(rel, pages, tuples, 0, 0, RelationGetIndexList(rel) != NIL, frozenxid,
						minmulti, &frozenxid_updated, &minmulti_updated, false);
#else
	vac_update_relstats(rel, pages, tuples, 0, RelationGetIndexList(rel) != NIL, frozenxid,
						minmulti, &frozenxid_updated, &minmulti_updated, false);
#endif
}

/* Likewise for an index that VACUUM has cleaned up. */
static inline void
ec_compat_update_index_relstats(Relation index, const IndexBulkDeleteResult *stats)
{
#if PG_VERSION_NUM >= 180000
	vac_update_relstats(index, stats->num_pages, stats->num_index_tuples, 0, 0, false,
						InvalidTransactionId, InvalidMultiXactId, NULL, NULL, false);
#else
	vac_update_relstats(index, stats->num_pages, stats->num_index_tuples, 0, false,
						InvalidTransactionId, InvalidMultiXactId, NULL, NULL, false);
#endif
}

/* 16: an index that is vacuumed is told its table */
static inline void
ec_compat_vacuum_info_heap(IndexVacuumInfo *info, Relation rel)
{
#if PG_VERSION_NUM >= 160000
	info->heaprel = rel;
#endif
}

/* With those of this backend that are not reported yet.  16: the statistics' fields lost their prefix. */
static inline double
ec_compat_dead_tuples(Relation rel)
{
	PgStat_StatTabEntry *entry =
		pgstat_fetch_stat_tabentry_ext(rel->rd_rel->relisshared, RelationGetRelid(rel));
	double dead = 0;

#if PG_VERSION_NUM >= 160000
	if (pgstat_should_count_relation(rel))
		dead = (double) rel->pgstat_info->counts.delta_dead_tuples;
	if (entry != NULL)
		dead += (double) entry->dead_tuples;
#else
	if (pgstat_should_count_relation(rel))
		dead = (double) rel->pgstat_info->t_counts.t_delta_dead_tuples;
	if (entry != NULL)
		dead += (double) entry->n_dead_tuples;
#endif
	return Max(dead, 0);
}

/* 18: statistics know how long a VACUUM took */
static inline void
ec_compat_report_vacuum(Relation rel, int64 live, int64 dead, TimestampTz start)
{
#if PG_VERSION_NUM >= 180000
	pgstat_report_vacuum(RelationGetRelid(rel), false, live, dead, start);
#else
	pgstat_report_vacuum(RelationGetRelid(rel), false, live, dead);
#endif
}

/* 16: settings become costs by this */
static inline void
ec_compat_update_costs(void)
{
#if PG_VERSION_NUM >= 160000
	VacuumUpdateCosts();
#endif
}

/* 18: who delays is told what for */
static inline void
ec_compat_vacuum_delay_point(void)
{
#if PG_VERSION_NUM >= 180000
	vacuum_delay_point(false);
#else
	vacuum_delay_point();
#endif
}

/* 18: takes the relation open; 15 to 17 open it */
static inline void
ec_compat_rewrite_relation(Oid relid)
{
	ClusterParams params = {0};

#if PG_VERSION_NUM >= 180000
	cluster_rel(table_open(relid, AccessExclusiveLock), InvalidOid, &params);
#else
	cluster_rel(relid, InvalidOid, &params);
#endif
}

/* Rows on a heap page as the planner guesses them.  17: fillfactor is heeded, and there is one at least. */
static inline double
ec_compat_heap_density(int32 usable, int fillfactor, int32 tuple_width)
{
#if PG_VERSION_NUM >= 170000
	return Max(1, usable * fillfactor / 100 / tuple_width);
#else
	return usable / tuple_width;
#endif
}

/* 16: conflict horizons got their name, and records of them tell catalogs from other tables */
#if PG_VERSION_NUM >= 160000
#define ec_compat_advance_conflict_horizon HeapTupleHeaderAdvanceConflictHorizon
#else
#define ec_compat_advance_conflict_horizon HeapTupleHeaderAdvanceLatestRemovedXid
#endif

static inline void
ec_compat_fill_reuse_page(xl_btree_reuse_page *record, Relation rel, FullTransactionId horizon)
{
	memset(record, 0, sizeof(*record));
	record->block = InvalidBlockNumber;
#if PG_VERSION_NUM >= 160000
	record->locator = rel->rd_locator;
	record->snapshotConflictHorizon = horizon;
#else
	record->node = rel->rd_node;
	record->latestRemovedFullXid = horizon;
#endif
}

/* 17: reindex_relation is told its statement, for event triggers */
static inline void
ec_compat_reindex_relation(Oid relid)
{
	ReindexParams params = {0};

#if PG_VERSION_NUM >= 170000
	reindex_relation(NULL, relid, 0, &params);
#else
	reindex_relation(relid, 0, &params);
#endif
}

/* 16: one function checks the privileges of all kinds of objects */
static inline bool
ec_compat_owns_database(Oid dboid, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, dboid, role);
#else
	return pg_database_ownercheck(dboid, role);
#endif
}

static inline AclResult
ec_compat_server_aclcheck(Oid server, Oid role, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, server, role, mode);
#else
	return pg_foreign_server_aclcheck(server, role, mode);
#endif
}

/* 18: lc_collate_is_c has gone into the locale */
static inline bool
ec_compat_collate_is_c(Oid collation)
{
#if PG_VERSION_NUM >= 180000
	return pg_newlocale_from_collation(collation)->collate_is_c;
#else
	return lc_collate_is_c(collation);
#endif
}

/* A path that enable_seqscan = off speaks of; 18: counted, not priced. */
static inline void
ec_compat_disable_path(Path *path)
{
#if PG_VERSION_NUM >= 180000
	path->disabled_nodes++;
#else
	path->startup_cost += disable_cost;
	path->total_cost += disable_cost;
#endif
}

/* 16: privileges to check moved from range table entries to a list beside them */
#if PG_VERSION_NUM >= 160000
#define ec_compat_query_set_rtable(query, pstate)                                                  \
	((query)->rtable = (pstate)->p_rtable, (query)->rteperminfos = (pstate)->p_rteperminfos)
#else
#define ec_compat_query_set_rtable(query, pstate) ((query)->rtable = (pstate)->p_rtable)
#endif

/* 17: who doesn't own a table may have the privilege to maintain it */
static inline bool
ec_compat_may_reindex(Oid relid)
{
#if PG_VERSION_NUM >= 170000
	return pg_class_aclcheck(relid, GetUserId(), ACL_MAINTAIN) == ACLCHECK_OK;
#else
	return ec_compat_owns_relation(relid);
#endif
}

/* All tables of a schema, whoever owns them. */
static inline bool
ec_compat_may_reindex_schema(Oid schema)
{
#if PG_VERSION_NUM >= 170000
	return object_ownercheck(NamespaceRelationId, schema, GetUserId()) ||
		   has_privs_of_role(GetUserId(), ROLE_PG_MAINTAIN);
#elif PG_VERSION_NUM >= 160000
	return object_ownercheck(NamespaceRelationId, schema, GetUserId());
#else
	return pg_namespace_ownercheck(schema, GetUserId());
#endif
}

/* All tables of this database. */
static inline bool
ec_compat_may_reindex_database(void)
{
#if PG_VERSION_NUM >= 170000
	if (has_privs_of_role(GetUserId(), ROLE_PG_MAINTAIN))
		return true;
#endif
	return ec_compat_owns_database(MyDatabaseId, GetUserId());
}

/* 18: without execute_once; we step forward, a count at a time */
#if PG_VERSION_NUM >= 180000
#define ec_compat_executor_run(desc, count) ExecutorRun((desc), ForwardScanDirection, (count))
#else
#define ec_compat_executor_run(desc, count)                                                        \
	ExecutorRun((desc), ForwardScanDirection, (count), false)
#endif

/* 17: by another name; NULL if it has gone */
static inline struct PGPROC *
ec_compat_transaction_process(VirtualTransactionId transaction)
{
#if PG_VERSION_NUM >= 170000
	return ProcNumberGetProc(transaction.procNumber);
#else
	return BackendIdGetProc(transaction.backendId);
#endif
}

/* 18: index scans count for EXPLAIN */
static inline IndexScanDesc
ec_compat_index_beginscan(Relation heap, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(heap, index, snapshot, nkeys, 0);
#endif
}

#if PG_VERSION_NUM >= 160000
#define EC_COMPAT_UPDATE_ALL TU_All
#define EC_COMPAT_UPDATE_NONE TU_None
#else
#define EC_COMPAT_UPDATE_ALL true
#define EC_COMPAT_UPDATE_NONE false
#endif

/* 16: heap_update tells which indexes need entries: of our companion, all do */
static inline TM_Result
ec_compat_heap_update(Relation rel, ItemPointer otid, HeapTuple tuple, CommandId cid,
					  Snapshot crosscheck, bool wait, struct TM_FailureData *tmfd,
					  LockTupleMode *lockmode)
{
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes update_indexes;

	return heap_update(rel, otid, tuple, cid, crosscheck, wait, tmfd, lockmode, &update_indexes);
#else
	return heap_update(rel, otid, tuple, cid, crosscheck, wait, tmfd, lockmode);
#endif
}

/* 16: updates that went to another page are counted too */
static inline void
ec_compat_count_update(Relation rel)
{
#if PG_VERSION_NUM >= 160000
	pgstat_count_heap_update(rel, false, false);
#else
	pgstat_count_heap_update(rel, false);
#endif
}

/* 17: slots tell whether this transaction made their row */
#define EC_COMPAT_SLOT_IS_CURRENT (PG_VERSION_NUM >= 170000)

/* 18: the tuple may have room before it */
#if PG_VERSION_NUM >= 180000
#define EC_COMPAT_COPY_MINIMAL_TUPLE_ARGS TupleTableSlot *slot, Size extra
#define EC_COMPAT_COPY_MINIMAL_TUPLE_PASS slot, extra
#else
#define EC_COMPAT_COPY_MINIMAL_TUPLE_ARGS TupleTableSlot *slot
#define EC_COMPAT_COPY_MINIMAL_TUPLE_PASS slot
#endif

/* 18: bitmap heap scans ask for tuples, the access method steps through the bitmap */
#define EC_COMPAT_BITMAP_BY_TUPLE (PG_VERSION_NUM >= 180000)

/* 18: and prefetches by itself; before, the node prefetches the pages that the tids name */
static inline void
ec_compat_no_prefetch(BitmapHeapScanState *node)
{
#if PG_VERSION_NUM < 180000
	node->prefetch_maximum = 0;
#endif
}

/* 16: sorted Datums need not be copied */
static inline bool
ec_compat_tuplesort_getdatum(Tuplesortstate *sort, Datum *value, bool *isnull)
{
#if PG_VERSION_NUM >= 160000
	return tuplesort_getdatum(sort, true, false, value, isnull, NULL);
#else
	return tuplesort_getdatum(sort, true, value, isnull, NULL);
#endif
}

/* random() without arguments (17 added others) */
#if PG_VERSION_NUM >= 170000
#define EC_COMPAT_F_RANDOM F_RANDOM_
#else
#define EC_COMPAT_F_RANDOM F_RANDOM
#endif

/* 17: there is no old_snapshot_threshold any more */
#if PG_VERSION_NUM >= 170000
#define ec_compat_test_old_snapshot(snapshot, rel, page) ((void) (page))
#else
#define ec_compat_test_old_snapshot(snapshot, rel, page) TestForOldSnapshot(snapshot, rel, page)
#endif

/* 17: the kind of a process is asked for by its name */
#if PG_VERSION_NUM >= 170000
#define ec_compat_is_autovacuum() AmAutoVacuumWorkerProcess()
#else
#define ec_compat_is_autovacuum() IsAutoVacuumWorkerProcess()
#endif

/* 18: asks whether to log that it had to wait */
static inline bool
ec_compat_conditional_xact_wait(TransactionId xid)
{
#if PG_VERSION_NUM >= 180000
	return ConditionalXactLockTableWait(xid, false);
#else
	return ConditionalXactLockTableWait(xid);
#endif
}

/* 16: a function of its own for names of time zones, abbreviations included */
static inline pg_tz *
ec_compat_find_zone(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return DecodeTimezoneNameToTz(name);
#else
	char *lower = downcase_truncate_identifier(name, strlen(name), false);
	pg_tz *zone = NULL;
	int offset;
	int type = DecodeTimezoneAbbrev(0, lower, &offset, &zone);

	if (type == TZ || type == DTZ)
		return pg_tzset_offset(-offset);
	if (type != DYNTZ)
		zone = pg_tzset(name);
	if (zone == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("time zone \"%s\" not recognized", name)));
	return zone;
#endif
}

#endif /* EC_COMPAT_H */
