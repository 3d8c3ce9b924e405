/*
 * source_query.c
 *	  Vectors of a relation through the planner and the executor.
 *
 * The query tree is built from the relation itself, not from SQL text, so that no
 * name is looked up again: only the caller's SELECT privilege counts, as checked
 * by the executor, and views, inheritance, partitions and row security are expanded
 * by the rewriter and the planner as in any SELECT.
 *
 * Ranges become conditions on the columns, which lets the planner prune partitions
 * and use indexes.
 *
 * The query runs in steps of EC_BLOCK_ROWS rows, therefore never in parallel.  Rows
 * are appended to the builders of one EcBatch that is emptied before each step.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "scan/source_query.h"
#include "vector/batch.h"

/* Receives the executor's rows. */
typedef struct RowCollector
{
	DestReceiver pub; /* must be first */
	EcBatch *batch;
	MemoryContext scratch; /* what detoasting leaves behind */
} RowCollector;

struct EcSourceQuery
{
	QueryDesc *desc;
	RowCollector collector;
	int ncolumns;
	bool at_end;
};

static bool
collector_receive(TupleTableSlot *slot, DestReceiver *self)
{
	RowCollector *collector = (RowCollector *) self;
	MemoryContext old = MemoryContextSwitchTo(collector->scratch);

	ec_batch_append_slot(collector->batch, slot);
	MemoryContextSwitchTo(old);
	return true;
}

static void
collector_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
collector_nothing(DestReceiver *self)
{
}

static Node *
range_clause(const char *operator_name, Var *var, int64 bound)
{
	Oid opno =
		OpernameGetOprid(list_make2(makeString("pg_catalog"), makeString((char *) operator_name)),
						 var->vartype, var->vartype);
	bool is_date = var->vartype == DATEOID;
	Datum value = is_date ? Int32GetDatum((int32) Max(Min(bound, PG_INT32_MAX), PG_INT32_MIN))
						  : Int64GetDatum(bound);
	Const *constant = makeConst(var->vartype, -1, InvalidOid, is_date ? 4 : 8, value, false, true);
	OpExpr *clause;

	clause = (OpExpr *) make_opclause(opno, BOOLOID, false, (Expr *) copyObject(var),
									  (Expr *) constant, InvalidOid, InvalidOid);
	set_opfuncid(clause);
	return (Node *) clause;
}

/* The conditions that a range stands for; none for types whose operators we don't know. */
static List *
range_clauses(List *clauses, Var *var, const EcSourceRange *range)
{
	if (var->vartype != TIMESTAMPTZOID && var->vartype != TIMESTAMPOID && var->vartype != DATEOID &&
		var->vartype != INT8OID)
		return clauses;
	if (range->min != PG_INT64_MIN)
		clauses = lappend(clauses, range_clause(">=", var, range->min));
	if (range->max != PG_INT64_MAX)
		clauses = lappend(clauses, range_clause("<=", var, range->max));
	return clauses;
}

/* SELECT columns FROM relation WHERE ranges, as parse analysis would leave it */
static Query *
make_query(Relation rel, int ncolumns, const AttrNumber *attnums, int nranges,
		   const EcSourceRange *ranges)
{
	ParseState *pstate = make_parsestate(NULL);
	Query *query = makeNode(Query);
	List *quals = NIL;

	addNSItemToQuery(pstate,
					 addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL, true, true),
					 true, true, true);
	for (int i = 0; i < ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnums[i] - 1);
		Var *var = makeVar(1, attnums[i], att->atttypid, att->atttypmod, att->attcollation, 0);

		markVarForSelectPriv(pstate, var);
		query->targetList =
			lappend(query->targetList,
					makeTargetEntry((Expr *) var, i + 1, pstrdup(NameStr(att->attname)), false));
		for (int j = 0; j < nranges; j++)
		{
			if (ranges[j].column == i)
				quals = range_clauses(quals, var, &ranges[j]);
		}
	}
	query->commandType = CMD_SELECT;
	query->querySource = QSRC_ORIGINAL;
	query->canSetTag = true;
	ec_compat_query_set_rtable(query, pstate);
	query->jointree =
		makeFromExpr(pstate->p_joinlist, quals == NIL ? NULL : (Node *) make_ands_explicit(quals));
	free_parsestate(pstate);
	return query;
}

EcSourceQuery *
ec_source_query_begin(Relation rel, int ncolumns, const AttrNumber *attnums, int nranges,
					  const EcSourceRange *ranges, Snapshot snapshot)
{
	EcSourceQuery *source = palloc0(sizeof(EcSourceQuery));
	Query *query = make_query(rel, ncolumns, attnums, nranges, ranges);
	char *text = psprintf("ecinsight: rows of \"%s\"", RelationGetRelationName(rel));
	PlannedStmt *plan;

	query = linitial_node(Query, QueryRewrite(query));
	PushActiveSnapshot(snapshot);
	plan = pg_plan_query(query, text, 0, NULL);
	source->ncolumns = ncolumns;
	source->collector.pub.receiveSlot = collector_receive;
	source->collector.pub.rStartup = collector_startup;
	source->collector.pub.rShutdown = collector_nothing;
	source->collector.pub.rDestroy = collector_nothing;
	source->collector.pub.mydest = DestNone;
	source->collector.scratch =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight source row", ALLOCSET_DEFAULT_SIZES);
	source->desc = CreateQueryDesc(plan, text, snapshot, InvalidSnapshot, &source->collector.pub,
								   NULL, NULL, 0);
	ExecutorStart(source->desc, 0);
	source->collector.batch = ec_batch_create(source->desc->tupDesc, CurrentMemoryContext);
	PopActiveSnapshot();
	return source;
}

uint32
ec_source_query_next(EcSourceQuery *source, EcVector *vectors)
{
	EcBatch *batch = source->collector.batch;

	if (source->at_end)
		return 0;
	ec_batch_reset(batch);
	MemoryContextReset(source->collector.scratch);
	PushActiveSnapshot(source->desc->snapshot);
	ec_compat_executor_run(source->desc, EC_BLOCK_ROWS);
	PopActiveSnapshot();
	source->at_end = batch->nrows < EC_BLOCK_ROWS;
	if (batch->nrows > 0)
	{
		for (int i = 0; i < source->ncolumns; i++)
			ec_builder_view(batch->columns[i], &vectors[i]);
	}
	return batch->nrows;
}

void
ec_source_query_end(EcSourceQuery *source)
{
	PushActiveSnapshot(source->desc->snapshot);
	ExecutorFinish(source->desc);
	ExecutorEnd(source->desc);
	PopActiveSnapshot();
	FreeQueryDesc(source->desc);
	ec_batch_destroy(source->collector.batch);
	MemoryContextDelete(source->collector.scratch);
}
