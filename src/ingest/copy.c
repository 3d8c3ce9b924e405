/*
 * copy.c
 *	  Finds the COPY statements that our parser may take; see copy.h.
 *
 * Everything here is a test of which the failure means "core's".  No error is raised
 * that core would not raise at the same point with the same words.  Tables with
 * INSERT triggers other than those of foreign keys, or with defaults, generated columns,
 * CHECK constraints, domains or a WHERE that call functions of users are core's, so are
 * encodings that only clients may have and users' own types.  Whether the partitions of a
 * partitioned table are ours is found out later, and only for long inputs (copy_parts.c).
 *
 * The statement is always given to the next hook and at last to core, so that others'
 * hooks see it, and what it takes, wherever they stand in shared_preload_libraries.
 * Core opens the table, locks it and asks for permissions; the latter calls
 * check_perms, which copies the rows.  What core then copies is an empty file.
 *
 * The number of rows that core reports is therefore 0.  It is put right when the
 * statement returns to us, and for hooks that return before us earlier: core ends a
 * utility statement by CommandCounterIncrement, which handles invalidations of this
 * command; one is made on purpose.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "commands/copy.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "executor/executor.h"
#include "storage/fd.h"
#include "tcop/dest.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/relcache.h"
#include "utils/rls.h"

#include <sys/stat.h>

#include "base/compat.h"
#include "base/guc.h"
#include "base/hooks.h"
#include "ingest/copy.h"
#include "ingest/rowparse_server.h"
#include "store/writer.h"

/* A COPY on its way through hooks and core. */
typedef struct CopyCall
{
	struct CopyCall *outer;
	CopyStmt *stmt; /* ours to change */
	const CopyStmt *original;
	const char *query;
	QueryEnvironment *env;
	QueryCompletion *qc; /* never NULL */
	EcCopyPlan plan;
	bool entered; /* core has come by */
	bool done;
	bool settled;
	uint64 processed;
} CopyCall;

static ProcessUtility_hook_type prev_process_utility = NULL;
static ExecutorCheckPerms_hook_type prev_check_perms = NULL;
static CopyCall *current_call = NULL;

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
	bool binary;
	bool others; /* than format, freeze and encoding */
	char delimiter;
	char quote;
	char escape;
	const char *null_text;
	List *force_null;
	List *force_not_null;
	const char *encoding;
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
	options->binary = text != NULL && strcmp(text, "binary") == 0;
	return options->csv || options->binary || (text != NULL && strcmp(text, "text") == 0);
}

static bool
take_option(const DefElem *def, CopyOptions *options)
{
	const char *text = string_of(def);

	if (strcmp(def->defname, "format") == 0)
		return take_format(text, options);
	/* our tables freeze nothing; whether it could be done is core's question, at the first piece */
	if (strcmp(def->defname, "freeze") == 0)
		return true;
	if (strcmp(def->defname, "encoding") == 0)
		return (options->encoding = text) != NULL;
	options->others = true;
	if (strcmp(def->defname, "header") == 0)
		return true;
	if (strcmp(def->defname, "delimiter") == 0)
		return take_byte(text, &options->delimiter);
	if (strcmp(def->defname, "quote") == 0)
		return take_byte(text, &options->quote);
	if (strcmp(def->defname, "escape") == 0)
		return text != NULL && text[0] != '\0' && text[1] == '\0' && (options->escape = text[0]);
	if (strcmp(def->defname, "null") == 0)
		return (options->null_text = text) != NULL;
	if (strcmp(def->defname, "force_null") == 0)
		return take_names(def, &options->force_null);
	if (strcmp(def->defname, "force_not_null") == 0)
		return take_names(def, &options->force_not_null);
	return false;
}

/*
 * Encodings in which no byte of a character can be taken for an ASCII one are converted,
 * by PostgreSQL's own functions, once lines have been found.
 */
static bool
take_encoding(const CopyOptions *options, EcCopyPlan *plan)
{
	int from = options->encoding != NULL ? pg_char_to_encoding(options->encoding)
										 : pg_get_client_encoding();
	int to = GetDatabaseEncoding();
	Oid function;

	plan->encoding = -1;
	if (from == to)
		return true;
	if (!PG_VALID_BE_ENCODING(from) || from == PG_SQL_ASCII || to == PG_SQL_ASCII)
		return false;
	function = FindDefaultConversionProc(from, to);
	plan->encoding = from;
	return OidIsValid(function) && function < FirstGenbkiObjectId;
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
	if (options->escape != csv->quote)
		csv->escape = options->escape;
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
	plan->binary = options.binary;
	if (options.binary)
	{
		/* receive functions know the client's encoding only */
		plan->encoding = -1;
		plan->csv.verify = ec_rowinput_verifier();
		return !options.others && pg_get_client_encoding() == GetDatabaseEncoding();
	}
	if (!take_encoding(&options, plan))
		return false;
	if (!options.csv && (options.quote != '\0' || options.escape != '\0'))
		return false;
	use_options(&options, plan);
	return ec_csv_options_check(&plan->csv) == NULL;
}

static bool
statement_is_ours(const CopyStmt *stmt, EcCopyPlan *plan)
{
	if (!ec_guc_enable_copy_parser || !stmt->is_from || stmt->relation == NULL)
		return false;
	if (XactReadOnly || IsInParallelMode() || RecoveryInProgress())
		return false;
	if (stmt->filename == NULL
			? whereToSendOutput != DestRemote
			: !has_privs_of_role(GetUserId(), stmt->is_program ? ROLE_PG_EXECUTE_SERVER_PROGRAM
															   : ROLE_PG_READ_SERVER_FILES))
		return false;
	return take_options(stmt->options, plan);
}

/* ------------------------------------------------------------------------
 * The table
 * ------------------------------------------------------------------------
 */

static bool
relation_is_ours(Relation rel)
{
	bool partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;

	return (partitioned ||
			(rel->rd_rel->relkind == RELKIND_RELATION && ec_store_is_columnar(rel))) &&
		   !RELATION_IS_OTHER_TEMP(rel) &&
		   check_enable_rls(RelationGetRelid(rel), InvalidOid, true) != RLS_ENABLED;
}

/* A type of PostgreSQL's own, or a domain over one. */
static bool
type_is_ours(EcCopyPlan *plan, const EcColType *type, AttrNumber attnum)
{
	EcColType base = *type;
	bool constrained;

	if (type->typid == type->basetype)
		return ec_rowinput_is_builtin(type);
	base.typid = base.basetype;
	if (!ec_rowinput_is_builtin(&base) || !list_member_int(plan->attnums, attnum) ||
		!ec_copy_domain_possible(type->typid, &constrained))
		return false;
	if (constrained)
		plan->checked_nulls = bms_add_member(plan->checked_nulls, attnum);
	return true;
}

static bool
columns_are_ours(EcCopyPlan *plan)
{
	TupleDesc desc = RelationGetDescr(plan->rel);
	EcColType *types = ec_coltype_from_tupdesc(desc);

	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		if (!type_is_ours(plan, &types[i], i + 1))
			return false;
		if (list_member_int(plan->attnums, i + 1))
			plan->guard |= !ec_rowinput_computes_only(&types[i]);
	}
	return plan->attnums != NIL;
}

/* The condition as core has it, which has looked at it just before. */
static List *
prepare_where(EcCopyPlan *plan, ParseNamespaceItem *nsitem)
{
	Node *where = copyObject(plan->stmt->whereClause);

	if (where == NULL)
		return NIL;
	addNSItemToQuery(plan->pstate, nsitem, false, true, true);
	where = transformExpr(plan->pstate, where, EXPR_KIND_COPY_WHERE);
	where = coerce_to_boolean(plan->pstate, where, "WHERE");
	assign_expr_collations(plan->pstate, where);
	where = eval_const_expressions(NULL, where);
	where = (Node *) canonicalize_qual((Expr *) where, false);
	return make_ands_implicit((Expr *) where);
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

/* As core does it; all_read: nobody has kept the program from writing all that it had. */
static void
close_program(const CopyStmt *stmt, FILE *file, bool all_read)
{
	int result = ClosePipeStream(file);

	if (result == -1)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not close pipe to external command: %m")));
	if (result == 0 || (!all_read && wait_result_is_signal(result, SIGPIPE)))
		return;
	ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
					errmsg("program \"%s\" failed", stmt->filename),
					errdetail_internal("%s", wait_result_to_str(result))));
}

/* ------------------------------------------------------------------------
 * Inside of core's COPY
 * ------------------------------------------------------------------------
 */

/* False: nothing was done. */
static bool
copy_relation(EcCopyPlan *plan, uint64 *processed)
{
	ParseNamespaceItem *nsitem;
	FILE *file = NULL;
	bool all_read;

	if (!relation_is_ours(plan->rel))
		return false;
	plan->attnums = CopyGetAttnums(RelationGetDescr(plan->rel), plan->rel, plan->stmt->attlist);
	nsitem = addRangeTableEntryForRelation(plan->pstate, plan->rel, RowExclusiveLock, NULL, false,
										   false);
	plan->where = prepare_where(plan, nsitem);
	if (!columns_are_ours(plan) || !ec_copy_rows_possible(plan->rel, plan->attnums, plan->where))
		return false;
	ec_compat_mark_inserted(nsitem, plan->attnums);
	if (plan->stmt->is_program)
	{
		ec_copy_check(plan);
		file = OpenPipeStream(plan->stmt->filename, PG_BINARY_R);
	}
	else if (plan->stmt->filename != NULL)
		file = open_file(plan->stmt->filename);
	if (plan->stmt->filename != NULL && file == NULL)
		return false;
	*processed = ec_copy_run(plan, file, &all_read);
	if (plan->stmt->is_program)
		close_program(plan->stmt, file, all_read);
	else if (file != NULL)
		FreeFile(file);
	return true;
}

/* Core shall find no row, and count its command's end as one that has something to settle. */
static void
leave_nothing(CopyCall *call, Relation rel)
{
	call->stmt->filename = DEVNULL;
	call->stmt->is_program = false;
	call->stmt->options = NIL;
	if (prev_process_utility != NULL)
		CacheInvalidateRelcacheByRelid(OidIsValid(rel->rd_rel->reltoastrelid)
										   ? rel->rd_rel->reltoastrelid
										   : RelationGetRelid(rel));
}

/* The table is open and locked, its permissions have been looked at. */
static void
copy_rows(CopyCall *call, Oid relid)
{
	EcCopyPlan *plan = &call->plan;

	call->entered = true;
	plan->rel = table_open(relid, NoLock);
	plan->stmt = call->original;
	plan->pstate = make_parsestate(NULL);
	plan->pstate->p_sourcetext = call->query;
	plan->pstate->p_queryEnv = call->env;
	call->done = copy_relation(plan, &call->processed);
	if (call->done)
		leave_nothing(call, plan->rel);
	free_parsestate(plan->pstate);
	table_close(plan->rel, NoLock);
}

static bool
is_copy_of(const CopyCall *call, List *range_table)
{
	const RangeTblEntry *rte;

	if (call == NULL || call->entered || list_length(range_table) != 1)
		return false;
	rte = linitial_node(RangeTblEntry, range_table);
	return rte->rtekind == RTE_RELATION && rte->rellockmode == RowExclusiveLock &&
		   rte->relid == RangeVarGetRelid(call->stmt->relation, NoLock, true);
}

static bool
check_perms(EC_COMPAT_CHECK_PERMS_ARGS)
{
	if (prev_check_perms != NULL && !prev_check_perms(EC_COMPAT_CHECK_PERMS_PASS))
		return false;
	if (is_copy_of(current_call, rangeTable))
		copy_rows(current_call, linitial_node(RangeTblEntry, rangeTable)->relid);
	return true;
}

/* ------------------------------------------------------------------------
 * Around core's COPY
 * ------------------------------------------------------------------------
 */

/* Core has told how many rows it has copied: what others may look at is put right. */
static void
settle(CopyCall *call)
{
	if (!call->done || call->settled)
		return;
	if (call->qc->nprocessed > 0)
		elog(ERROR, "rows were copied twice");
	*call->stmt = *call->original;
	SetQueryCompletion(call->qc, CMDTAG_COPY, call->processed);
	call->settled = true;
}

/* Any invalidation; of those, the one at the end of core's part matters. */
static void
at_invalidation(Datum arg, Oid relid)
{
	if (current_call != NULL && current_call->qc->commandTag == CMDTAG_COPY)
		settle(current_call);
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
copy_process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
					 ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
					 DestReceiver *dest, QueryCompletion *qc)
{
	QueryCompletion own;
	CopyCall call = {.outer = current_call, .query = query, .env = env, .qc = qc ? qc : &own};
	PlannedStmt *copy;

	if (!IsA(pstmt->utilityStmt, CopyStmt) ||
		!statement_is_ours(castNode(CopyStmt, pstmt->utilityStmt), &call.plan))
	{
		call_next(pstmt, query, read_only_tree, context, params, env, dest, qc);
		return;
	}

	/* the copy is for core to work on: it must not copy it once more */
	copy = copyObject(pstmt);
	call.original = castNode(CopyStmt, pstmt->utilityStmt);
	call.stmt = castNode(CopyStmt, copy->utilityStmt);
	InitializeQueryCompletion(call.qc);
	current_call = &call;
	PG_TRY();
	{
		call_next(copy, query, false, context, params, env, dest, call.qc);
	}
	PG_FINALLY();
	{
		current_call = call.outer;
	}
	PG_END_TRY();
	settle(&call);
}

void
ec_copy_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = copy_process_utility;
	prev_check_perms = ec_hook_check_perms(check_perms);
	CacheRegisterRelcacheCallback(at_invalidation, (Datum) 0);
}
