/*
 * maintain.c
 *	  A table's files as a whole: creating and copying them.
 *
 * The main fork holds no transaction ids at all, so VACUUM can advance relfrozenxid
 * as far as it likes; the companion is a heap that VACUUM and autovacuum treat by
 * themselves.  relfrozenxid must be valid nevertheless: VACUUM FULL exchanges the
 * contents of companions and stamps the main table's value on them.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/rewriteheap.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/storage.h"
#include "catalog/storage_xlog.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "storage/smgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "store/catalog.h"
#include "store/options.h"
#include "store/page.h"
#include "store/row.h"
#include "store/tableam.h"

/* ------------------------------------------------------------------------
 * Files, as a heap does it
 * ------------------------------------------------------------------------
 */

void
ec_set_new_filelocator(Relation rel, const RelFileLocator *locator, char persistence,
					   TransactionId *freeze_xid, MultiXactId *minmulti)
{
	SMgrRelation srel;

	/* a new relation: its OID may have been that of a temporary table lost in a crash */
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(RelationGetRelid(rel))))
		ec_options_drop(RelationGetRelid(rel));
	else if (OidIsValid(rel->rd_rel->reltoastrelid))
	{
		/* TRUNCATE, whose next step is this lock and the companion's new files */
		LockRelationOid(rel->rd_rel->reltoastrelid, AccessExclusiveLock);
		ec_catalog_drop_invalid_indexes(rel->rd_rel->reltoastrelid);
	}
	*freeze_xid = RecentXmin;
	*minmulti = GetOldestMultiXactId();
	srel = RelationCreateStorage(*locator, persistence, true);

	/*
	 * After a crash an unlogged table starts from its (empty) init fork.  It must
	 * be on disk at once, as it does not pass through shared buffers.
	 */
	if (persistence == RELPERSISTENCE_UNLOGGED)
	{
		smgrcreate(srel, INIT_FORKNUM, false);
		log_smgrcreate(locator, INIT_FORKNUM);
		smgrimmedsync(srel, INIT_FORKNUM);
	}
	smgrclose(srel);
}

void
ec_copy_data(Relation rel, const RelFileLocator *locator)
{
	SMgrRelation to = smgropen(*locator, rel->rd_backend);

	ec_meta_copied(rel, locator);

	/* the files are copied behind the back of shared buffers */
	FlushRelationBuffers(rel);
	RelationCreateStorage(*locator, rel->rd_rel->relpersistence, true);
	RelationCopyStorage(RelationGetSmgr(rel), to, MAIN_FORKNUM, rel->rd_rel->relpersistence);
	for (ForkNumber fork = MAIN_FORKNUM + 1; fork <= MAX_FORKNUM; fork++)
	{
		if (!smgrexists(RelationGetSmgr(rel), fork))
			continue;
		smgrcreate(to, fork, false);
		if (RelationIsPermanent(rel) ||
			(rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED && fork == INIT_FORKNUM))
			log_smgrcreate(locator, fork);
		RelationCopyStorage(RelationGetSmgr(rel), to, fork, rel->rd_rel->relpersistence);
	}
	RelationDropStorage(rel);
	smgrclose(to);
}
