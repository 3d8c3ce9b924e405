/*
 * hold.c
 *	  Keeps workers away from databases that somebody drops, copies, renames or moves.
 *
 * Those commands fail while anybody else is connected to the database.  A utility
 * hook ends its workers before the command and lets them start again after it; a
 * hold of a backend that is gone counts no more.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "ingest/hold.h"
#include "ingest/status.h"

#define PATIENCE_MS 10000

static ProcessUtility_hook_type prev_process_utility = NULL;

/* The database that the statement needs for itself, or NULL. */
static const char *
database_needed(Node *statement)
{
	ListCell *lc;

	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			return castNode(DropdbStmt, statement)->dbname;
		case T_CreatedbStmt:
			foreach (lc, castNode(CreatedbStmt, statement)->options)
			{
				DefElem *def = lfirst_node(DefElem, lc);

				if (strcmp(def->defname, "template") == 0 && def->arg != NULL)
					return defGetString(def);
			}
			return NULL;
		case T_RenameStmt:
			if (castNode(RenameStmt, statement)->renameType == OBJECT_DATABASE)
				return castNode(RenameStmt, statement)->subname;
			return NULL;
		case T_AlterDatabaseStmt:
			foreach (lc, castNode(AlterDatabaseStmt, statement)->options)
			{
				if (strcmp(lfirst_node(DefElem, lc)->defname, "tablespace") == 0)
					return castNode(AlterDatabaseStmt, statement)->dbname;
			}
			return NULL;
		default:
			return NULL;
	}
}

/* Ends the database's workers; goes on without success after a while, since the command will say who is connected. */
static void
clear_database(Oid dboid)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PATIENCE_MS);

	if (!ec_status_hold(dboid))
		return;
	while (ec_status_busy(dboid) && GetCurrentTimestamp() < deadline)
	{
		ec_status_terminate(dboid);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 50,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
call_next(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
		  ParamListInfo params, QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc)
{
	if (prev_process_utility != NULL)
		prev_process_utility(pstmt, query, read_only_tree, context, params, env, dest, qc);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, env, dest, qc);
}

static void
hold_process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
					 ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
					 DestReceiver *dest, QueryCompletion *qc)
{
	const char *name = database_needed(pstmt->utilityStmt);
	Oid dboid = name == NULL ? InvalidOid : get_database_oid(name, true);

	/* only its owner (superusers count as such) may end workers */
	if (OidIsValid(dboid) && ec_compat_owns_database(dboid, GetUserId()))
		clear_database(dboid);
	call_next(pstmt, query, read_only_tree, context, params, env, dest, qc);
	ec_status_release_held();

	/* a copy's streams are to be looked at, a dropped database's to be forgotten */
	if (IsA(pstmt->utilityStmt, CreatedbStmt))
		dboid = get_database_oid(castNode(CreatedbStmt, pstmt->utilityStmt)->dbname, true);
	if (OidIsValid(dboid))
		ec_status_notify_at_commit(dboid);
}

void
ec_hold_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = hold_process_utility;
}
