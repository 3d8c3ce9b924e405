/*
 * fill.c
 *	  Messages to the target's batch: plan and execution of a stream's parsing;
 *	  see target.h.
 *
 * The common case, a table whose columns all come from the message and which has
 * no CHECK constraints, parses straight into the batch's column builders.
 *
 * Columns that messages don't give get their defaults afterwards, a message at a
 * time.
 *
 * Where the table has CHECK constraints, or a message holds more rows than a row
 * group may, messages are parsed into a scratch batch first; its rows are then
 * checked and copied one by one.  An error raised while a constraint is evaluated
 * is that row's fault, unless it is one of the constraint itself (a missing
 * privilege or function), which stops the stream: all rows of a message are checked
 * in one subtransaction, and only if that fails each in its own.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "ingest/format.h"
#include "ingest/rowparse_server.h"
#include "ingest/target.h"
#include "store/writer.h"

typedef struct FillColumn
{
	int attidx;
	ExprState *expr; /* NULL: fill with NULLs */
	bool each_row;	 /* volatile: evaluate for each row */
} FillColumn;

typedef struct CheckConstraint
{
	char *name;
	ExprState *expr;
} CheckConstraint;

struct EcTarget
{
	MemoryContext context;
	Oid relid;
	char *relname;
	TupleDesc desc;
	uint32 group_rows;
	EcBatch *batch;
	EcBatch *scratch; /* NULL until needed */
	EcRowInput *input;
	EcCsv *csv;
	int nfills;
	FillColumn *fills;
	int nchecks;
	CheckConstraint *checks;
	EState *estate;
	TupleTableSlot *slot;
	EcVector *views; /* [natts], of the scratch batch */
	EcFaultCallback fault;
	void *fault_arg;
	const uint8 *message; /* being parsed */
};

static void
csv_fault(void *arg, const EcRowFault *fault)
{
	EcTarget *target = arg;
	EcFault f = {fault->row, ec_fault_reason(fault->code), fault->text,
				 target->message + fault->begin, fault->end - fault->begin};

	target->fault(target->fault_arg, &f);
}

/* ---- planning ---- */

static AttrNumber
column_number(Relation rel, const char *name)
{
	TupleDesc desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("column \"%s\" of relation \"%s\" does not exist", name,
						   RelationGetRelationName(rel)),
					errhint("The stream option \"columns\" lists columns of the target.")));
}

/* The columns that messages give, in the order of the fields. */
static AttrNumber *
message_columns(Relation rel, const EcFormat *format, int *n)
{
	TupleDesc desc = RelationGetDescr(rel);
	AttrNumber *columns = palloc(sizeof(AttrNumber) * Max(desc->natts, 1));

	if (format->ncolumns > desc->natts)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the stream option \"columns\" lists more columns than the target has")));
	*n = 0;
	if (format->ncolumns == 0)
	{
		for (int i = 0; i < desc->natts; i++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, i);

			if (!att->attisdropped && !att->attgenerated &&
				att->attidentity != ATTRIBUTE_IDENTITY_ALWAYS)
				columns[(*n)++] = att->attnum;
		}
		return columns;
	}
	for (int i = 0; i < format->ncolumns; i++)
	{
		AttrNumber number = column_number(rel, format->columns[i]);

		for (int k = 0; k < *n; k++)
		{
			if (columns[k] == number)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" specified more than once", format->columns[i])));
		}
		columns[(*n)++] = number;
	}
	return columns;
}

/* Defaults for the columns that messages don't give. */
static void
plan_fills(EcTarget *target, Relation rel, const AttrNumber *columns, int ncolumns)
{
	target->fills = palloc0(sizeof(FillColumn) * Max(target->desc->natts, 1));
	for (int i = 0; i < target->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(target->desc, i);
		FillColumn *fill = &target->fills[target->nfills];
		bool given = att->attisdropped;
		Expr *expr;

		for (int k = 0; k < ncolumns; k++)
			given |= columns[k] == att->attnum;
		if (given)
			continue;
		fill->attidx = i;
		expr = (Expr *) build_column_default(rel, att->attnum);
		if (expr != NULL)
		{
			fill->each_row = contain_volatile_functions((Node *) expr);
			fill->expr = ExecPrepareExpr(expr, target->estate);
		}
		else if (att->attnotnull)
			ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
							errmsg("column \"%s\" of relation \"%s\" is not given by messages but "
								   "must not be null",
								   NameStr(att->attname), target->relname)));
		target->nfills++;
	}
}

static void
plan_checks(EcTarget *target)
{
	TupleConstr *constr = target->desc->constr;

	if (constr == NULL || constr->num_check == 0)
		return;
	target->checks = palloc(sizeof(CheckConstraint) * constr->num_check);
	for (int i = 0; i < constr->num_check; i++)
	{
		CheckConstraint *check = &target->checks[target->nchecks++];

		check->name = constr->check[i].ccname;
		check->expr = ExecPrepareExpr(stringToNode(constr->check[i].ccbin), target->estate);
	}
}

EcTarget *
ec_target_plan(Relation rel, const char *options, MemoryContext parent, EcFaultCallback fault,
			   void *fault_arg)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight target", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcTarget *target = palloc0(sizeof(EcTarget));
	EcFormat *format = ec_format_parse(options);
	EcAllocator allocator = ec_context_allocator(context);
	AttrNumber *columns;
	int ncolumns;

	target->context = context;
	target->relid = RelationGetRelid(rel);
	target->relname = pstrdup(RelationGetRelationName(rel));
	target->desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	target->group_rows = Min(ec_store_row_group_rows(rel), EC_GROUP_ROWS_MAX);
	target->fault = fault;
	target->fault_arg = fault_arg;
	target->estate = CreateExecutorState();
	columns = message_columns(rel, format, &ncolumns);
	plan_fills(target, rel, columns, ncolumns);
	plan_checks(target);

	target->batch = ec_batch_create(target->desc, context);
	target->slot = MakeSingleTupleTableSlot(target->desc, &TTSOpsVirtual);
	target->views = palloc(sizeof(EcVector) * Max(target->desc->natts, 1));
	target->input =
		ec_rowinput_create(target->desc, target->batch->types, columns, ncolumns, context);
	format->csv.verify = ec_rowinput_verifier();
	format->csv.fault = csv_fault;
	format->csv.fault_arg = target;
	target->csv =
		ec_csv_create(&format->csv, target->input->columns, target->input->ncolumns, &allocator);
	MemoryContextSwitchTo(old);
	return target;
}

void
ec_target_free(EcTarget *target)
{
	FreeExecutorState(target->estate);
	MemoryContextDelete(target->context);
}

bool
ec_target_matches(const EcTarget *target, Relation rel)
{
	return target->relid == RelationGetRelid(rel) &&
		   equalTupleDescs(target->desc, RelationGetDescr(rel));
}

EcBatch *
ec_target_batch(EcTarget *target)
{
	return target->batch;
}

uint32
ec_target_group_rows(const EcTarget *target)
{
	return target->group_rows;
}

EcCsv *
ec_target_csv(EcTarget *target)
{
	return target->csv;
}

/* ---- execution ---- */

static void
fill_column(EcTarget *target, EcBatch *batch, const FillColumn *fill, uint32 n)
{
	ExprContext *econtext = GetPerTupleExprContext(target->estate);
	Datum value = (Datum) 0;
	bool isnull = true;

	for (uint32 i = 0; i < n; i++)
	{
		if (fill->expr != NULL && (i == 0 || fill->each_row))
		{
			ResetExprContext(econtext);
			value = ExecEvalExprSwitchContext(fill->expr, econtext, &isnull);
			if (isnull && TupleDescAttr(target->desc, fill->attidx)->attnotnull)
				ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
								errmsg("default of column \"%s\" of relation \"%s\" is null",
									   NameStr(TupleDescAttr(target->desc, fill->attidx)->attname),
									   target->relname)));
		}
		ec_batch_append_datum(batch, fill->attidx, value, isnull);
	}
}

/* The allocator raises errors itself, and the length was checked: false can't happen. */
static void
feed(EcTarget *target, EcBatch *batch, const uint8 *message, size_t len, EcCsvResult *result)
{
	ec_rowinput_reset(target->input);
	if (!ec_csv_feed(target->csv, message, len, batch->columns, result))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("Failed while parsing a message of %zu bytes.", len)));
}

static void
fill_rest(EcTarget *target, EcBatch *batch, uint32 n)
{
	for (int i = 0; i < target->nfills && n > 0; i++)
		fill_column(target, batch, &target->fills[i], n);
	batch->nrows += n;
}

static void
load_row(EcTarget *target, uint32 row)
{
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(target->estate));
	TupleTableSlot *slot = target->slot;

	ExecClearTuple(slot);
	for (int i = 0; i < target->desc->natts; i++)
	{
		const EcColType *ct = &target->scratch->types[i];

		slot->tts_isnull[i] =
			target->scratch->columns[i] == NULL || ec_vector_is_null(&target->views[i], row);
		slot->tts_values[i] = slot->tts_isnull[i] ? (Datum) 0
												  : ec_datum_from_vector(&target->views[i], row, ct,
																		 ct->kind, ct->scale);
	}
	ExecStoreVirtualTuple(slot);
	MemoryContextSwitchTo(old);
}

/* The first constraint that the loaded row violates, or NULL. */
static const CheckConstraint *
violated(EcTarget *target)
{
	ExprContext *econtext = GetPerTupleExprContext(target->estate);

	econtext->ecxt_scantuple = target->slot;
	for (int i = 0; i < target->nchecks; i++)
	{
		if (!ExecCheck(target->checks[i].expr, econtext))
			return &target->checks[i];
	}
	return NULL;
}

static void
report_row(EcTarget *target, const EcRowRef *ref, const char *error)
{
	EcFault fault = {ref->row, "check_violation", error, target->message + ref->begin,
					 ref->end - ref->begin};

	target->fault(target->fault_arg, &fault);
}

static void
report_violation(EcTarget *target, const EcRowRef *ref, const CheckConstraint *check)
{
	char *error = psprintf("new row for relation \"%s\" violates check constraint \"%s\"",
						   target->relname, check->name);

	report_row(target, ref, error);
	pfree(error);
}

/* Checks all rows [from, to) in a subtransaction; bad[row] is the constraint violated.  False if an error was raised. */
static bool
check_rows(EcTarget *target, uint32 from, uint32 to, const CheckConstraint **bad, char **error)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool good = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		for (uint32 row = from; row < to; row++)
		{
			ResetPerTupleExprContext(target->estate);
			load_row(target, row);
			bad[row] = violated(target);
		}
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *edata;

		MemoryContextSwitchTo(caller);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		/* being cancelled, out of something or without a right is no row's fault */
		if (!ec_error_is_about_value(edata->sqlerrcode, true))
			ReThrowError(edata);
		*error = edata->message;
		good = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return good;
}

/* Checks the scratch rows; marks the bad ones in skip and reports them in order. */
static void
check_scratch(EcTarget *target, const EcRowRef *refs, uint32 n, bool *skip)
{
	const CheckConstraint **bad = palloc0(sizeof(*bad) * Max(n, 1));
	char *error = NULL;
	bool whole = check_rows(target, 0, n, bad, &error);

	for (uint32 row = 0; row < n; row++)
	{
		if (!whole && !check_rows(target, row, row + 1, bad, &error))
		{
			report_row(target, &refs[row], error);
			skip[row] = true;
		}
		else if (bad[row] != NULL)
		{
			report_violation(target, &refs[row], bad[row]);
			skip[row] = true;
		}
	}
	pfree(bad);
}

/* Parses into the scratch batch; then batch <- its good rows, spilling whenever the batch is full. */
static int64
parse_by_scratch(EcTarget *target, const uint8 *message, size_t len, EcSpill spill, void *spill_arg)
{
	EcBatch *batch = target->batch;
	EcCsvResult result;
	int64 good = 0;
	bool *skip;

	if (target->scratch == NULL)
		target->scratch = ec_batch_create(target->desc, target->context);
	ec_batch_reset(target->scratch);
	feed(target, target->scratch, message, len, &result);
	if (batch->nrows > 0 && result.rows > EC_GROUP_ROWS_MAX - batch->nrows)
	{
		target->fault(target->fault_arg, NULL);
		return -1;
	}
	fill_rest(target, target->scratch, result.rows);
	for (int i = 0; i < target->desc->natts; i++)
	{
		if (target->scratch->columns[i] != NULL)
			ec_builder_view(target->scratch->columns[i], &target->views[i]);
	}
	skip = MemoryContextAllocExtended(CurrentMemoryContext, Max(result.rows, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (target->nchecks > 0)
		check_scratch(target, result.refs, result.rows, skip);
	for (uint32 row = 0; row < result.rows; row++)
	{
		if (skip[row])
			continue;
		ResetPerTupleExprContext(target->estate);
		load_row(target, row);
		ec_batch_append_slot(batch, target->slot);
		good++;
		if (batch->nrows == EC_GROUP_ROWS_MAX)
			spill(spill_arg, batch);
	}
	pfree(skip);
	/* one huge message shall not keep its memory */
	if (result.rows > EC_GROUP_ROWS_MAX)
	{
		ec_batch_destroy(target->scratch);
		target->scratch = NULL;
	}
	return good;
}

int64
ec_target_parse(EcTarget *target, const uint8 *message, size_t len, EcSpill spill, void *spill_arg)
{
	EcBatch *batch = target->batch;
	uint32 before = batch->nrows;
	EcCsvResult result;

	target->message = message;
	if (len > EC_CSV_MESSAGE_MAX)
	{
		EcFault fault = {0, "too_long", "message is longer than 1 GB", message, EC_CSV_MESSAGE_MAX};

		target->fault(target->fault_arg, &fault);
		return 0;
	}
	if (target->nchecks > 0)
		return parse_by_scratch(target, message, len, spill, spill_arg);
	feed(target, batch, message, len, &result);
	if (result.rows <= EC_GROUP_ROWS_MAX - before)
	{
		fill_rest(target, batch, result.rows);
		return result.rows;
	}
	/* too many rows: undo */
	ec_batch_truncate(batch, before);
	target->fault(target->fault_arg, NULL);
	return before > 0 ? -1 : parse_by_scratch(target, message, len, spill, spill_arg);
}
