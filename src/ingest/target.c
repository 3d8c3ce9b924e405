/*
 * target.c
 *	  May a stream fill this table?  See target.h.
 *
 * What a row group writer doesn't do for its rows (triggers, indexes, row
 * security) is refused here, rather than left out silently.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/rls.h"

#include "ingest/target.h"
#include "store/writer.h"

static void
refuse(Relation rel, const char *what, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("streams cannot fill table \"%s\"", RelationGetRelationName(rel)),
					errdetail("%s", what), hint == NULL ? 0 : errhint("%s", hint)));
}

static void
check_kind(Relation rel)
{
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		refuse(rel, "It is partitioned.", "Let streams fill its partitions.");
	if (rel->rd_rel->relkind != RELKIND_RELATION || !ec_store_is_columnar(rel))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a columnar table", RelationGetRelationName(rel)),
						errhint("Create it by CREATE TABLE ... USING ecinsight_columnar.")));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse(rel, "It is temporary, so no other session can see it.", NULL);
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		refuse(rel, "It is unlogged: a crash would empty it, but not the stream's offsets.",
			   "Use ALTER TABLE ... SET LOGGED.");
}

static void
check_extras(Relation rel, Oid owner)
{
	List *indexes = RelationGetIndexList(rel);
	TriggerDesc *triggers = rel->trigdesc;

	if (indexes != NIL)
		refuse(rel, "It has indexes.", "Streams don't maintain indexes yet.");
	if (triggers != NULL &&
		(triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
		 triggers->trig_insert_before_statement || triggers->trig_insert_after_statement))
		refuse(rel, "It has triggers or foreign keys that an INSERT must fire.",
			   "Streams don't fire triggers yet.");
	if (rel->rd_rules != NULL)
		refuse(rel, "It has rules.", NULL);
	if (rel->rd_att->constr != NULL && rel->rd_att->constr->has_generated_stored)
		refuse(rel, "It has generated columns.", "Streams don't compute generated columns yet.");
	if (check_enable_rls(RelationGetRelid(rel), owner, true) == RLS_ENABLED)
		refuse(rel, "Row-level security is enabled on it for the stream's owner.", NULL);
}

/* INSERT on the table, or else on each of its columns, as for COPY. */
static void
check_privileges(Relation rel, Oid owner)
{
	if (pg_class_aclcheck(RelationGetRelid(rel), owner, ACL_INSERT) == ACLCHECK_OK)
		return;
	if (pg_attribute_aclcheck_all(RelationGetRelid(rel), owner, ACL_INSERT, ACLMASK_ALL) ==
		ACLCHECK_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for table %s", RelationGetRelationName(rel)),
			 errdetail("Role \"%s\" lacks the privilege INSERT.", GetUserNameFromId(owner, true))));
}

Relation
ec_target_open(Oid relid, Oid owner, LOCKMODE lockmode, bool missing_ok)
{
	Relation rel = try_relation_open(relid, lockmode);

	if (rel == NULL)
	{
		if (missing_ok)
			return NULL;
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE), errmsg("the target table does not exist")));
	}
	check_kind(rel);
	check_privileges(rel, owner);
	check_extras(rel, owner);
	return rel;
}
