/*
 * headers.c
 *	  Headers of rows (EC_ROW_LIVE) that are there twice, or beside a tombstone.
 *
 * A header is inserted frozen, for all to find, so it outlives a crash before its
 * index entry was written; then nobody finds it and the row gets another one.  That
 * harms nobody (row.c) but a new build of the companion's unique index, which would
 * call it a duplicate.  Compaction drops all headers that are not in use; this does it
 * for those that are there twice, before the companion is rewritten (vacuum.c) and
 * before REINDEX.  A header that was made while somebody left a tombstone (target.c)
 * is another of them, if its maker rolled back.
 *
 * Beside writers (REINDEX CONCURRENTLY) one without index entry goes even if it is the
 * only one: before the new index is complete the row may get another.  Elsewhere the
 * index, which may be what is to be repaired, isn't asked.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/headers.h"
#include "store/row.h"
#include "store/walk.h"
#include "store/writer.h"

typedef struct Header
{
	int64 number;
	ItemPointerData tid;
	bool tombstone; /* is none, but a tombstone */
} Header;

typedef struct Headers
{
	Header *headers;
	Size n;
	Size capacity;
} Headers;

/* ------------------------------------------------------------------------
 * One table
 * ------------------------------------------------------------------------
 */

static void
add_header(Headers *all, int64 number, ItemPointer tid, bool tombstone)
{
	if (all->n == all->capacity)
	{
		all->capacity = Max(1024, all->capacity * 2);
		all->headers = all->headers == NULL
						   ? palloc(all->capacity * sizeof(Header))
						   : repalloc_huge(all->headers, all->capacity * sizeof(Header));
	}
	all->headers[all->n].number = number;
	all->headers[all->n].tid = *tid;
	all->headers[all->n].tombstone = tombstone;
	all->n++;
}

static int
compare_headers(const void *a, const void *b)
{
	int64 x = ((const Header *) a)->number;
	int64 y = ((const Header *) b)->number;

	return x < y ? -1 : x > y;
}

/* All headers and tombstones that aren't deleted for good, by row number. */
static void
collect_headers(EcCompanion *c, Headers *all)
{
	SnapshotData dirty;
	HeapTuple tuple;
	EcWalk walk;

	InitDirtySnapshot(dirty);
	ec_walk_begin(&walk, c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		EcCatalogTuple opened;

		if (!ec_walk_sees(&walk, &dirty))
			continue;
		ec_catalog_open_tuple(c->main, tuple, &opened);
		if (opened.kind == EC_CATALOG_ROW && ec_row_peek_state(&opened) != EC_ROW_DATA)
			add_header(all, opened.number, &tuple->t_self,
					   ec_row_peek_state(&opened) == EC_ROW_DEAD);
	}
	ec_walk_end(&walk);
	if (all->n > 1)
		qsort(all->headers, all->n, sizeof(Header), compare_headers);
}

static bool
is_double(const Headers *all, Size i)
{
	int64 number = all->headers[i].number;

	return (i > 0 && all->headers[i - 1].number == number) ||
		   (i + 1 < all->n && all->headers[i + 1].number == number);
}

static bool
is_indexed(EcCompanion *c, const Header *header)
{
	EcCatalogTuple opened;
	HeapTuple tuple;
	bool found = false;

	ec_companion_search(c, EC_CATALOG_ROW, header->number);
	while (!found && (tuple = ec_companion_next(c, &opened)) != NULL)
		found = ItemPointerEquals(&tuple->t_self, (ItemPointer) &header->tid);
	ec_companion_rest(c);
	return found;
}

/* beside_writers: one that nobody finds may get a second at any time, and goes, too. */
static bool
is_spare(EcCompanion *c, const Headers *all, Size i, bool beside_writers)
{
	CHECK_FOR_INTERRUPTS();
	return !all->headers[i].tombstone &&
		   (is_double(all, i) || (beside_writers && !is_indexed(c, &all->headers[i])));
}

static bool
any_spare(EcCompanion *c, const Headers *all, bool beside_writers)
{
	for (Size i = 0; i < all->n; i++)
	{
		if (is_spare(c, all, i, beside_writers))
			return true;
	}
	return false;
}

void
ec_headers_drop_spare(EcCompanion *c, bool beside_writers)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight headers", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Headers all = {0};

	collect_headers(c, &all);
	for (Size i = 0; i < all.n; i++)
	{
		/* the one in use can't be had; if none is, a row needs none */
		if (is_spare(c, &all, i, beside_writers))
			(void) ec_companion_claim(c, &all.headers[i].tid, GetCurrentCommandId(true));
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ------------------------------------------------------------------------
 * REINDEX
 * ------------------------------------------------------------------------
 */

/* Locks against VACUUM and other REINDEXes only if there is something to do. */
static void
mend_table(Oid relid, bool beside_writers)
{
	Relation rel = try_table_open(relid, AccessShareLock);
	EcCompanion c;
	Headers all = {0};
	bool found;

	if (rel == NULL)
		return;
	if (ec_store_is_columnar(rel) && !RELATION_IS_OTHER_TEMP(rel) &&
		ec_companion_open(rel, AccessShareLock, &c))
	{
		collect_headers(&c, &all);
		found = any_spare(&c, &all, beside_writers);
		ec_companion_close(&c);
		if (found)
		{
			/* the REINDEX itself may hold a stronger one; if several do, they come through one by one */
			if (!CheckRelationLockedByMe(rel, ShareUpdateExclusiveLock, true))
				LockRelationOid(relid, ShareUpdateExclusiveLock);
			LockRelationOid(rel->rd_rel->reltoastrelid, ShareUpdateExclusiveLock);
			ec_companion_open(rel, RowExclusiveLock, &c);
			ec_headers_drop_spare(&c, beside_writers);
			ec_companion_close(&c);
		}
		if (all.headers != NULL)
			pfree(all.headers);
	}
	table_close(rel, AccessShareLock);
}

/*
 * Columnar tables among the relations, or whose companion is the first of them; for
 * NIL all of a schema, or of the database.
 */
static List *
columnar_tables(List *relids, Oid schema)
{
	Relation classes = table_open(RelationRelationId, AccessShareLock);
	Oid handler = get_am_oid("ecinsight_columnar", true);
	List *tables = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_class_relam, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(handler));
	scan = systable_beginscan(classes, InvalidOid, false, NULL, 1, &key);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (relids == NIL
				? !OidIsValid(schema) || form->relnamespace == schema
				: list_member_oid(relids, form->oid) || form->reltoastrelid == linitial_oid(relids))
			tables = lappend_oid(tables, form->oid);
	}
	systable_endscan(scan);
	table_close(classes, AccessShareLock);
	return tables;
}

/* The table, or that of the index, that is named; invalid if core will not let the caller reindex it. */
static Oid
named_table(const ReindexStmt *stmt)
{
	Oid relid = RangeVarGetRelid(stmt->relation, NoLock, true);

	if (OidIsValid(relid) && stmt->kind == REINDEX_OBJECT_INDEX)
		relid = IndexGetRelation(relid, true);
	return OidIsValid(relid) && ec_compat_may_reindex(relid) ? relid : InvalidOid;
}

/* Will core let the caller reindex all of a schema or database?  It has yet to check that. */
static bool
may_reindex_all(const ReindexStmt *stmt, Oid *schema)
{
	*schema = InvalidOid;
	if (stmt->kind == REINDEX_OBJECT_SCHEMA)
	{
		*schema = get_namespace_oid(stmt->name, true);
		return OidIsValid(*schema) && ec_compat_may_reindex_schema(*schema);
	}
	if (stmt->kind != REINDEX_OBJECT_DATABASE)
		return false;
	return (stmt->name == NULL || strcmp(stmt->name, get_database_name(MyDatabaseId)) == 0) &&
		   ec_compat_may_reindex_database();
}

static bool
is_concurrent(const ReindexStmt *stmt)
{
	bool concurrent = false;
	ListCell *cell;

	foreach (cell, stmt->params)
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "concurrently") == 0)
			concurrent = defGetBoolean(option);
	}
	return concurrent;
}

void
ec_headers_before_reindex(const ReindexStmt *stmt)
{
	Oid schema = InvalidOid;
	List *relids = NIL;
	ListCell *cell;

	if (RecoveryInProgress() || XactReadOnly)
		return;
	if (stmt->relation != NULL)
	{
		Oid relid = named_table(stmt);

		if (!OidIsValid(relid))
			return;
		relids = find_all_inheritors(relid, NoLock, NULL);
	}
	else if (!may_reindex_all(stmt, &schema))
		return;
	foreach (cell, columnar_tables(relids, schema))
		mend_table(lfirst_oid(cell), is_concurrent(stmt));
}
