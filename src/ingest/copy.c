/*
 * copy.c
 *	  Finds the COPY statements that our parser may take; see copy.h.
 *
 * Everything here is a test of which the failure means "core's".  No error is raised
 * that core would not raise at the same point with the same words.  Tables with
 * indexes, triggers, constraints (but NOT NULL), generated columns, or defaults
 * that would have to be computed are core's, so are partitions, other encodings and
 * column types whose input functions may do more than compute.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "commands/copy.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_relation.h"
#include "storage/fd.h"
#include "tcop/dest.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/relcache.h"
#include "utils/rls.h"

#include <sys/stat.h>

#include "base/compat.h"
#include "base/guc.h"
#include "ingest/copy.h"
#include "ingest/rowparse_server.h"
#include "store/writer.h"

static ProcessUtility_hook_type prev_process_utility = NULL;

/* ------------------------------------------------------------------------
 * The statement
 * ------------------------------------------------------------------------
 */

static const char *
string_of(const DefElem *def)
{
	return def->arg != NULL && IsA(def->arg, String) ? strVal(def->arg) : NULL;
}

/* The options as they are found; '\0' and NULL: not given. */
typedef struct CopyOptions
{
	bool csv;
	char delimiter;
	char quote;
	char escape;
	const char *null_text;
	List *force_null;
	List *force_not_null;
	bool encoding;
} CopyOptions;

/* An option of one byte. */
static bool
take_byte(const char *text, char *byte)
{
	*byte = text != NULL ? text[0] : '\0';
	return *byte != '\0' && *byte != '\\' && text[1] == '\0';
}

static bool
take_names(const DefElem *def, List **names)
{
	if (def->arg == NULL || !IsA(def->arg, List))
		return false;
	*names = castNode(List, def->arg);
	return true;
}

static bool
take_format(const char *text, CopyOptions *options)
{
	options->csv = text != NULL && strcmp(text, "csv") == 0;
	return options->csv || (text != NULL && strcmp(text, "text") == 0);
}

static bool
take_option(const DefElem *def, CopyOptions *options)
{
	const char *text = string_of(def);

	if (strcmp(def->defname, "format") == 0)
		return take_format(text, options);
	if (strcmp(def->defname, "header") == 0)
		return true;
	if (strcmp(def->defname, "delimiter") == 0)
		return take_byte(text, &options->delimiter);
	if (strcmp(def->defname, "quote") == 0)
		return take_byte(text, &options->quote);
	if (strcmp(def->defname, "escape") == 0)
		return take_byte(text, &options->escape);
	if (strcmp(def->defname, "null") == 0)
		return (options->null_text = text) != NULL;
	if (strcmp(def->defname, "force_null") == 0)
		return take_names(def, &options->force_null);
	if (strcmp(def->defname, "force_not_null") == 0)
		return take_names(def, &options->force_not_null);
	options->encoding = true;
	return strcmp(def->defname, "encoding") == 0 && text != NULL &&
		   pg_char_to_encoding(text) == GetDatabaseEncoding();
}

static void
use_options(const CopyOptions *options, EcCopyPlan *plan)
{
	EcCsvOptions *csv = &plan->csv;

	ec_csv_options_init(csv);
	csv->header = EC_CSV_HEADER_ABSENT;
	csv->verify = ec_rowinput_verifier();
	csv->text = !options->csv;
	csv->null_text = options->null_text;
	if (csv->text)
	{
		csv->delimiter = '\t';
		csv->quote = '\0';
		if (csv->null_text == NULL)
			csv->null_text = "\\N";
	}
	if (options->delimiter != '\0')
		csv->delimiter = options->delimiter;
	if (options->quote != '\0')
		csv->quote = options->quote;
	plan->force_null = options->force_null;
	plan->force_not_null = options->force_not_null;
}

/* Core reads the same options again, so what is wrong with them it will say. */
static bool
take_options(List *defs, EcCopyPlan *plan)
{
	CopyOptions options = {0};
	ListCell *lc;

	foreach (lc, defs)
	{
		if (!take_option(lfirst_node(DefElem, lc), &options))
			return false;
	}
	if (!options.encoding && pg_get_client_encoding() != GetDatabaseEncoding())
		return false;
	if (!options.csv && (options.quote != '\0' || options.escape != '\0'))
		return false;
	use_options(&options, plan);
	return (options.escape == '\0' || options.escape == plan->csv.quote) &&
		   ec_csv_options_check(&plan->csv) == NULL;
}

static bool
statement_is_ours(const CopyStmt *stmt, EcCopyPlan *plan)
{
	if (!ec_guc_enable_csv_copy || !stmt->is_from || stmt->relation == NULL || stmt->is_program ||
		stmt->whereClause != NULL)
		return false;
	if (XactReadOnly || IsInParallelMode() || RecoveryInProgress())
		return false;
	if (stmt->filename == NULL ? whereToSendOutput != DestRemote
							   : !has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		return false;
	return take_options(stmt->options, plan);
}

/* ------------------------------------------------------------------------
 * The table
 * ------------------------------------------------------------------------
 */

/* Only tables that an inserted row touches in no other way than by being stored. */
static bool
relation_is_ours(Relation rel)
{
	const TupleConstr *constr = RelationGetDescr(rel)->constr;

	return rel->rd_rel->relkind == RELKIND_RELATION && ec_store_is_columnar(rel) &&
		   !rel->rd_rel->relispartition && !RELATION_IS_OTHER_TEMP(rel) && rel->trigdesc == NULL &&
		   (constr == NULL || (constr->num_check == 0 && !constr->has_generated_stored)) &&
		   RelationGetIndexList(rel) == NIL;
}

static bool
columns_are_ours(Relation rel, List *attnums)
{
	TupleDesc desc = RelationGetDescr(rel);
	EcColType *types = ec_coltype_from_tupdesc(desc);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		if (att->attgenerated != '\0')
			return false;
		if (list_member_int(attnums, i + 1)
				? !ec_rowinput_computes_only(&types[i])
				: att->atthasdef || att->attidentity != '\0' || att->attnotnull ||
					  !ec_rowinput_computes_only(&types[i]))
			return false;
	}
	return attnums != NIL;
}

static bool
is_permitted(ParseState *pstate, Relation rel, List *attnums)
{
	ParseNamespaceItem *nsitem =
		addRangeTableEntryForRelation(pstate, rel, RowExclusiveLock, NULL, false, false);

	return ec_compat_may_insert(pstate, nsitem, attnums) &&
		   check_enable_rls(RelationGetRelid(rel), InvalidOid, true) != RLS_ENABLED;
}

static FILE *
open_file(const char *name)
{
	FILE *file = AllocateFile(name, PG_BINARY_R);
	struct stat st;

	if (file != NULL && (fstat(fileno(file), &st) != 0 || S_ISDIR(st.st_mode)))
	{
		FreeFile(file);
		file = NULL;
	}
	return file;
}

/* ------------------------------------------------------------------------
 * The hook
 * ------------------------------------------------------------------------
 */

/* False: nothing was done. */
static bool
copy_relation(EcCopyPlan *plan, const char *filename, uint64 *processed)
{
	FILE *file = NULL;

	if (!relation_is_ours(plan->rel))
		return false;
	plan->attnums = CopyGetAttnums(RelationGetDescr(plan->rel), plan->rel, plan->stmt->attlist);
	if (!columns_are_ours(plan->rel, plan->attnums) ||
		!is_permitted(plan->pstate, plan->rel, plan->attnums))
		return false;
	if (filename != NULL && (file = open_file(filename)) == NULL)
		return false;
	*processed = ec_copy_run(plan, file);
	if (file != NULL)
		FreeFile(file);
	return true;
}

static bool
do_copy(const CopyStmt *stmt, const char *query, QueryEnvironment *env, QueryCompletion *qc)
{
	EcCopyPlan plan = {.stmt = stmt};
	uint64 processed;
	bool done;

	if (!statement_is_ours(stmt, &plan))
		return false;
	plan.rel = table_openrv_extended(stmt->relation, RowExclusiveLock, true);
	if (plan.rel == NULL)
		return false;
	plan.pstate = make_parsestate(NULL);
	plan.pstate->p_sourcetext = query;
	plan.pstate->p_queryEnv = env;
	done = copy_relation(&plan, stmt->filename, &processed);
	if (done && qc != NULL)
		SetQueryCompletion(qc, CMDTAG_COPY, processed);
	free_parsestate(plan.pstate);
	table_close(plan.rel, NoLock);
	return done;
}

static void
copy_process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
					 ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
					 DestReceiver *dest, QueryCompletion *qc)
{
	if (IsA(pstmt->utilityStmt, CopyStmt) &&
		do_copy(castNode(CopyStmt, pstmt->utilityStmt), query, env, qc))
		return;
	if (prev_process_utility != NULL)
		prev_process_utility(pstmt, query, read_only_tree, context, params, env, dest, qc);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, env, dest, qc);
}

void
ec_copy_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = copy_process_utility;
}
