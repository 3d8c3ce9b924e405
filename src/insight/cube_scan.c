/*
 * cube_scan.c
 *	  The node BucketScan: a bucketed view's rows, all of them made when the first is asked for.
 *
 * Memory: the rows, in a tuplestore of work_mem.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/compat.h"
#include "insight/cube_plan.h"

typedef struct BucketScan
{
	CustomScanState css; /* must be first */
	const EcCubeView *view;
	Oid relid;
	uint32 keys;
	bool is_reduced;
	EcCubeColumn top;
	int limit; /* rows wanted, by top; 0: all */
	int ncolumns;
	EcCubeColumn *columns; /* of the scan's rows */
	int npushed;
	EcCubePush *pushed;
	List *values; /* ExprStates of these */
	Tuplestorestate *store;
	TupleTableSlot *stored; /* a row of the store */
	MemoryContext context;	/* of values */
	EcCubeUse use;
} BucketScan;

static Node *create_state(CustomScan *plan);
static void begin_scan(CustomScanState *css, EState *estate, int eflags);
static TupleTableSlot *exec_scan(CustomScanState *css);
static void end_scan(CustomScanState *css);
static void rescan(CustomScanState *css);
static void explain(CustomScanState *css, List *ancestors, ExplainState *es);

const CustomScanMethods ec_cube_scan_methods = {
	.CustomName = EC_CUBE_SCAN_NAME,
	.CreateCustomScanState = create_state,
};

static const CustomExecMethods exec_methods = {
	.CustomName = EC_CUBE_SCAN_NAME,
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain,
};

/* ---- set-up ---- */

static Node *
create_state(CustomScan *plan)
{
	BucketScan *scan = palloc0(sizeof(BucketScan));

	NodeSetTag(scan, T_CustomScanState);
	scan->css.methods = &exec_methods;
	return (Node *) scan;
}

static Node *
get_private(const CustomScan *plan, EcCubePrivate which)
{
	return list_nth(plan->custom_private, which);
}

static Oid
get_oid(const CustomScan *plan, EcCubePrivate which)
{
	return DatumGetObjectId(((Const *) get_private(plan, which))->constvalue);
}

static void
read_columns(BucketScan *scan, List *numbers)
{
	ListCell *lc;

	scan->columns = palloc(sizeof(EcCubeColumn) * Max(list_length(numbers), 1));
	foreach (lc, numbers)
		scan->columns[scan->ncolumns++] = lfirst_int(lc);
}

static void
read_pushed(BucketScan *scan, List *pushed, List *values)
{
	ListCell *part;
	ListCell *value;

	scan->pushed = palloc0(sizeof(EcCubePush) * Max(list_length(pushed), 1));
	forboth(part, pushed, value, values)
	{
		List *numbers = lfirst(part);
		EcCubePush *push = &scan->pushed[scan->npushed++];

		push->subject = list_nth_int(numbers, 0);
		push->column = list_nth_int(numbers, 1);
		push->days = list_nth_int(numbers, 2);
		push->strategy = list_nth_int(numbers, 3);
		push->is_array = list_nth_int(numbers, 4);
		push->is_exact = list_nth_int(numbers, 5);
		push->value = lfirst(value);
	}
}

/* The caller must be allowed to call the function for which the scan stands. */
static void
check_privilege(Oid function)
{
	AclResult result = ec_compat_function_aclcheck(function, GetUserId());

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
}

static void
begin_scan(CustomScanState *css, EState *estate, int eflags)
{
	BucketScan *scan = (BucketScan *) css;
	CustomScan *plan = (CustomScan *) css->ss.ps.plan;

	scan->view = ec_cube_view(intVal(get_private(plan, EC_CUBE_PRIVATE_VIEW)));
	scan->relid = get_oid(plan, EC_CUBE_PRIVATE_RELID);
	scan->keys = (uint32) intVal(get_private(plan, EC_CUBE_PRIVATE_KEYS));
	scan->is_reduced = intVal(get_private(plan, EC_CUBE_PRIVATE_REDUCED)) != 0;
	scan->top = linitial_int((List *) get_private(plan, EC_CUBE_PRIVATE_TOP));
	scan->limit = lsecond_int((List *) get_private(plan, EC_CUBE_PRIVATE_TOP));
	read_columns(scan, (List *) get_private(plan, EC_CUBE_PRIVATE_COLUMNS));
	read_pushed(scan, (List *) get_private(plan, EC_CUBE_PRIVATE_PUSHED), plan->custom_exprs);
	scan->values = ExecInitExprList(plan->custom_exprs, &css->ss.ps);
	scan->stored = ExecInitExtraTupleSlot(estate, css->ss.ss_ScanTupleSlot->tts_tupleDescriptor,
										  &TTSOpsMinimalTuple);
	scan->context =
		AllocSetContextCreate(estate->es_query_cxt, "BucketScan", ALLOCSET_DEFAULT_SIZES);
	check_privilege(get_oid(plan, EC_CUBE_PRIVATE_FUNCTION));
}

/* ---- rows ---- */

/* False: the clauses that were pushed down can't be true. */
static bool
make_query(BucketScan *scan, EcCubeQuery *query)
{
	ListCell *lc;
	int i = 0;

	query->view = scan->view;
	query->relid = scan->relid;
	query->keys = scan->keys;
	query->is_reduced = scan->is_reduced;
	query->limit = scan->limit;
	query->top = scan->top;
	for (int column = 0; column < scan->ncolumns; column++)
		query->measures |= EC_CUBE_BIT(scan->columns[column]) & ~EC_CUBE_KEY_BITS;
	foreach (lc, scan->values)
	{
		const EcCubePush *push = &scan->pushed[i++];
		bool isnull;
		Datum value =
			ExecEvalExprSwitchContext(lfirst(lc), scan->css.ss.ps.ps_ExprContext, &isnull);

		if (!ec_cube_apply(query, push, exprType((Node *) push->value), value, isnull))
			return false;
	}
	return !query->has_since || !query->has_until || query->since < query->until;
}

static void
fill_store(BucketScan *scan)
{
	EState *estate = scan->css.ss.ps.state;
	TupleDesc desc = scan->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	EcCubeQuery query = {NULL};
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);

	scan->store = tuplestore_begin_heap(true, false, work_mem);
	MemoryContextReset(scan->context);
	MemoryContextSwitchTo(scan->context);
	memset(&scan->use, 0, sizeof(scan->use));
	scan->use.source = "nothing";
	if (make_query(scan, &query))
	{
		PushActiveSnapshot(estate->es_snapshot);
		ec_cube_run(&query, scan->store, desc, scan->columns, &scan->use);
		PopActiveSnapshot();
	}
	MemoryContextSwitchTo(old);
}

static TupleTableSlot *
next_row(ScanState *ss)
{
	BucketScan *scan = (BucketScan *) ss;
	TupleTableSlot *slot = ss->ss_ScanTupleSlot;
	TupleTableSlot *stored = scan->stored;

	if (scan->store == NULL)
		fill_store(scan);
	ExecClearTuple(slot);
	if (!tuplestore_gettupleslot(scan->store, true, false, stored))
		return slot;
	slot_getallattrs(stored);
	memcpy(slot->tts_values, stored->tts_values, sizeof(Datum) * scan->ncolumns);
	memcpy(slot->tts_isnull, stored->tts_isnull, sizeof(bool) * scan->ncolumns);
	return ExecStoreVirtualTuple(slot);
}

static bool
recheck_row(ScanState *ss, TupleTableSlot *slot)
{
	return true;
}

static TupleTableSlot *
exec_scan(CustomScanState *css)
{
	return ExecScan(&css->ss, next_row, recheck_row);
}

static void
drop_store(BucketScan *scan)
{
	if (scan->store != NULL)
		tuplestore_end(scan->store);
	scan->store = NULL;
}

static void
end_scan(CustomScanState *css)
{
	drop_store((BucketScan *) css);
}

/* The rows are the same, unless a value of a clause has changed. */
static void
rescan(CustomScanState *css)
{
	BucketScan *scan = (BucketScan *) css;

	if (css->ss.ps.chgParam != NULL)
		drop_store(scan);
	else if (scan->store != NULL)
		tuplestore_rescan(scan->store);
	ExecScanReScan(&css->ss);
}

/* ---- EXPLAIN ---- */

static const char *
column_name(const BucketScan *scan, EcCubeColumn column)
{
	const EcCubeView *view = scan->view;
	static const char *const names[] = {"bucket",	 NULL,			 "category_id", "category_code",
										"brand",	 "interactions", "views",		"carts",
										"purchases", "revenue",		 "priced",		"price_sum",
										"price_min", "price_max"};

	if (column == EC_CUBE_ID)
		return view->id == EC_COL_USER ? "user_id" : "product_id";
	return names[column];
}

static void
explain_columns(const BucketScan *scan, const char *what, uint32 columns, ExplainState *es)
{
	List *names = NIL;

	for (int column = 0; column < EC_CUBE_COLUMNS; column++)
	{
		if (columns & EC_CUBE_BIT(column))
			names = lappend(names, pstrdup(column_name(scan, column)));
	}
	if (names == NIL)
		ExplainPropertyText(what, "(none)", es);
	else
		ExplainPropertyList(what, names, es);
}

static void
explain_pushed(BucketScan *scan, List *ancestors, ExplainState *es)
{
	static const char *const operators[] = {"", "<", "<=", "=", ">=", ">"};
	List *context = set_deparse_context_plan(es->deparse_cxt, scan->css.ss.ps.plan, ancestors);
	StringInfoData clauses;

	if (scan->npushed == 0)
		return;
	initStringInfo(&clauses);
	for (int i = 0; i < scan->npushed; i++)
	{
		const EcCubePush *push = &scan->pushed[i];
		char *value = deparse_expression((Node *) push->value, context, false, false);

		appendStringInfoString(&clauses, i > 0 ? " AND " : "");
		appendStringInfo(&clauses, push->is_array ? "(%s%s %s ANY (%s))" : "(%s%s %s %s)",
						 column_name(scan, push->column), push->days > 0 ? " truncated" : "",
						 operators[push->strategy], value);
	}
	ExplainPropertyText("Pushed Down", clauses.data, es);
}

static void
explain(CustomScanState *css, List *ancestors, ExplainState *es)
{
	BucketScan *scan = (BucketScan *) css;
	uint32 measures = 0;
	const char *events = get_rel_name(scan->relid);

	for (int i = 0; i < scan->ncolumns; i++)
		measures |= EC_CUBE_BIT(scan->columns[i]) & ~EC_CUBE_KEY_BITS;
	if (events != NULL)
		ExplainPropertyText("View",
							psprintf("%s of %s", scan->view->name, quote_identifier(events)), es);
	explain_columns(scan, "Grain", scan->keys, es);
	explain_columns(scan, "Measures", measures, es);
	explain_pushed(scan, ancestors, es);
	if (scan->limit > 0)
		ExplainPropertyText("Top", psprintf("%d by %s", scan->limit, column_name(scan, scan->top)),
							es);
	if (!es->analyze || scan->use.source == NULL)
		return;
	ExplainPropertyText("Source", scan->use.source, es);
	if (es->costs)
	{
		ExplainPropertyInteger("Cells Read", NULL, (int64) scan->use.cells, es);
		ExplainPropertyInteger("Rows Read", NULL, (int64) scan->use.rows, es);
	}
}
