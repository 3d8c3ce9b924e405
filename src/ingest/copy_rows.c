/*
 * copy_rows.c
 *	  What the rows of a COPY have to go through besides being parsed and stored:
 *	  defaults, WHERE, generated columns, CHECK, NOT NULL and partition constraints,
 *	  indexes and foreign keys, in this order as in core's CopyFrom.
 *
 * Expressions are taken only if all their functions are PostgreSQL's own and not
 * volatile (nextval and random are, in defaults), so nothing here can see the piece at work half stored.
 * Values are made from the builders once for each piece, of the columns that some
 * expression or index needs; they outlive the batch, which index expressions may
 * cause to be written.
 *
 * A row that breaks a constraint makes the whole piece core's, which finds the same
 * row and has the words for it.  Of a partitioned table only what comes before the
 * partition is looked for is done here; copy_parts.c has the rest.  Errors raised in here get the line and text that
 * core's would have, by way of "row" and "checking" (copy_run.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_proc_d.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "ingest/copy_rows.h"
#include "store/tid.h"
#include "store/write_state.h"

/* ------------------------------------------------------------------------
 * Which tables
 * ------------------------------------------------------------------------
 */

/* Where an expression stands. */
typedef enum ExpressionPlace
{
	PLACE_CHECK,
	PLACE_DEFAULT, /* is computed once for each row: it may give a new value each time */
	PLACE_DOMAIN
} ExpressionPlace;

/* Volatile functions that look at nothing that a COPY changes. */
static bool
gives_new_values(Oid function)
{
	return function == F_NEXTVAL || function == EC_COMPAT_F_RANDOM ||
		   function == F_GEN_RANDOM_UUID || function == F_CLOCK_TIMESTAMP;
}

static bool
function_is_odd(Oid function, void *context)
{
	if (*(ExpressionPlace *) context == PLACE_DEFAULT && gives_new_values(function))
		return false;
	return function >= FirstGenbkiObjectId || func_volatile(function) == PROVOLATILE_VOLATILE;
}

static bool
node_is_odd(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain) ||
		(IsA(node, CoerceToDomainValue) && *(ExpressionPlace *) context != PLACE_DOMAIN) ||
		check_functions_in_node(node, function_is_odd, context))
		return true;
	return expression_tree_walker(node, node_is_odd, context);
}

static bool
expression_is_odd(Node *node, ExpressionPlace place)
{
	return node_is_odd(node, &place);
}

bool
ec_copy_condition_possible(Node *node)
{
	return !expression_is_odd(node, PLACE_CHECK);
}

bool
ec_copy_domain_possible(Oid domain, bool *constrained)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight domain", ALLOCSET_SMALL_SIZES);
	DomainConstraintRef ref;
	bool possible = true;
	ListCell *lc;

	InitDomainConstraintRef(domain, &ref, context, false);
	*constrained = ref.constraints != NIL;
	foreach (lc, ref.constraints)
	{
		DomainConstraintState *constraint = lfirst(lc);

		possible &= !expression_is_odd((Node *) constraint->check_expr, PLACE_DOMAIN);
	}
	MemoryContextDelete(context);
	return possible;
}

bool
ec_copy_checks_possible(const TupleConstr *constr)
{
	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		if (expression_is_odd(stringToNode(constr->check[i].ccbin), PLACE_CHECK))
			return false;
	}
	return true;
}

bool
ec_copy_rows_possible(Relation rel, const List *attnums, const List *where)
{
	TupleDesc desc = RelationGetDescr(rel);

	if (!ec_copy_triggers_possible(rel) || expression_is_odd((Node *) where, PLACE_CHECK) ||
		!ec_copy_checks_possible(desc->constr) ||
		(rel->rd_rel->relispartition &&
		 expression_is_odd((Node *) RelationGetPartitionQual(rel), PLACE_CHECK)))
		return false;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || list_member_int(attnums, i + 1))
			continue;
		if ((att->attgenerated != '\0' && att->attgenerated != ATTRIBUTE_GENERATED_STORED) ||
			expression_is_odd(build_column_default(rel, i + 1), PLACE_DEFAULT))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------
 * Set-up
 * ------------------------------------------------------------------------
 */

static void
need_columns(EcRowsState *rows, Node *expression)
{
	Bitmapset *columns = NULL;
	int i = -1;

	pull_varattnos(expression, 1, &columns);
	while ((i = bms_next_member(columns, i)) >= 0)
	{
		AttrNumber attnum = i + FirstLowInvalidHeapAttributeNumber;

		if (attnum > 0)
			ec_copy_rows_need(rows, attnum - 1);
		for (int att = 0; attnum == 0 && att < rows->desc->natts; att++)
			ec_copy_rows_need(rows, att);
	}
}

static void
need_of_indexes(EcRowsState *rows)
{
	for (int i = 0; i < rows->info->ri_NumIndices; i++)
	{
		IndexInfo *index = rows->info->ri_IndexRelationInfo[i];

		for (int j = 0; j < index->ii_NumIndexAttrs; j++)
		{
			if (index->ii_IndexAttrNumbers[j] > 0)
				rows->needed[index->ii_IndexAttrNumbers[j] - 1] = true;
		}
		need_columns(rows, (Node *) index->ii_Expressions);
		need_columns(rows, (Node *) index->ii_Predicate);
	}
}

static void
prepare_checks(EcRowsState *rows)
{
	const TupleConstr *constr = rows->desc->constr;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		List *check = list_make1(stringToNode(constr->check[i].ccbin));

		need_columns(rows, (Node *) check);
		rows->checks = lappend(rows->checks, ExecPrepareCheck(check, rows->estate));
		rows->by_row = true;
	}
	if (rows->rel->rd_rel->relispartition)
	{
		need_columns(rows, (Node *) RelationGetPartitionQual(rows->rel));
		rows->by_row = true;
	}
}

static void
prepare_absent(EcRowsState *rows, const List *attnums)
{
	rows->absent = palloc0(sizeof(EcAbsent) * Max(rows->desc->natts, 1));
	for (int i = 0; i < rows->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(rows->desc, i);
		EcAbsent *absent = &rows->absent[rows->nabsent];
		Expr *expr;

		if (att->attisdropped || list_member_int(attnums, i + 1))
			continue;
		/* partitions compute their own */
		if (rows->parts != NULL && att->attgenerated != '\0')
			continue;
		rows->nabsent++;
		absent->att = i;
		absent->not_null = att->attnotnull;
		absent->generated = att->attgenerated != '\0';
		rows->generates |= absent->generated;
		rows->by_row |= absent->generated || absent->not_null;
		expr = (Expr *) build_column_default(rows->rel, i + 1);
		if (absent->generated)
			need_columns(rows, (Node *) expr);
		else if (expr != NULL)
		{
			absent->per_row = contain_volatile_functions((Node *) expr);
			rows->by_row |= absent->per_row;
			absent->expr = ExecPrepareExpr(expr, rows->estate);
		}
	}
}

/* All that a table, which isn't partitioned, does with its rows besides keeping them. */
static void
prepare_table(EcRowsState *rows)
{
	ExecOpenIndices(rows->info, false);
	prepare_checks(rows);
	need_of_indexes(rows);
	rows->triggers = ec_copy_triggers_create(rows->rel, rows->needed);
	if (rows->triggers != NULL)
		AfterTriggerBeginQuery();
}

EcCopyRows *
ec_copy_rows_create(ParseState *pstate, Relation rel, const List *attnums, List *where)
{
	EcRowsState *rows = palloc0(sizeof(EcRowsState));
	int natts = RelationGetDescr(rel)->natts;

	rows->public.row = -1;
	rows->rel = rel;
	rows->desc = RelationGetDescr(rel);
	rows->types = ec_coltype_from_tupdesc(rows->desc);
	rows->needed = palloc0(Max(natts, 1));
	rows->values = palloc0(sizeof(Datum *) * Max(natts, 1));
	rows->isnull = palloc0(sizeof(bool *) * Max(natts, 1));
	rows->piece = AllocSetContextCreate(CurrentMemoryContext, "ecinsight copied rows",
										ALLOCSET_DEFAULT_SIZES);
	rows->estate = CreateExecutorState();
	rows->info = makeNode(ResultRelInfo);
	ec_compat_init_range_table(rows->estate, pstate);
	ExecInitResultRelation(rows->estate, rows->info, 1);
	rows->slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsVirtual);
	if (where != NIL)
	{
		rows->where = ExecPrepareQual(where, rows->estate);
		rows->by_row = true;
		need_columns(rows, (Node *) where);
	}
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		rows->parts = ec_copy_parts_create(rows);
		rows->by_row = true;
		need_columns(rows, (Node *) RelationGetPartitionQual(rel));
	}
	else
		prepare_table(rows);
	prepare_absent(rows, attnums);
	return &rows->public;
}

bool
ec_copy_rows_prepare(EcCopyRows *public)
{
	EcRowsState *rows = (EcRowsState *) public;

	return rows->parts == NULL || ec_copy_parts_prepare(rows->parts);
}

void
ec_copy_rows_end(EcCopyRows *public)
{
	EcRowsState *rows = (EcRowsState *) public;

	if (rows->triggers != NULL || rows->parts != NULL)
		AfterTriggerEndQuery(rows->estate);
}

void
ec_copy_rows_free(EcCopyRows *public)
{
	EcRowsState *rows = (EcRowsState *) public;

	if (rows->parts != NULL)
		ec_copy_parts_free(rows->parts);
	else
		table_finish_bulk_insert(rows->rel, 0);
	if (rows->triggers != NULL)
		ec_copy_triggers_free(rows->triggers);
	ExecDropSingleTupleTableSlot(rows->slot);
	ExecResetTupleTable(rows->estate->es_tupleTable, false);
	ExecCloseResultRelations(rows->estate);
	ExecCloseRangeTableRelations(rows->estate);
	FreeExecutorState(rows->estate);
	MemoryContextDelete(rows->piece);
}

/* ------------------------------------------------------------------------
 * Columns and constraints
 * ------------------------------------------------------------------------
 */

/* Values of a column that somebody needs, in the piece's memory; absent ones are set row by row. */
static void
make_values(EcRowsState *rows, int att)
{
	EcBuilder *column = rows->batch->columns[att];
	const EcColType *ct = &rows->types[att];
	MemoryContext old;
	uint32 end;
	EcVector v;

	if (column == NULL)
		return;
	old = MemoryContextSwitchTo(rows->piece);
	rows->values[att] = palloc_extended(sizeof(Datum) * rows->nrows, MCXT_ALLOC_HUGE);
	rows->isnull[att] = palloc_extended(sizeof(bool) * rows->nrows, MCXT_ALLOC_HUGE);
	memset(rows->isnull[att], true, rows->nrows);
	ec_builder_view(column, &v);
	end = Min(v.nrows, rows->batch->nrows + rows->nrows);
	for (uint32 row = rows->batch->nrows; row < end; row++)
	{
		uint32 i = row - rows->batch->nrows;

		rows->isnull[att][i] = ec_vector_is_null(&v, row);
		if (!rows->isnull[att][i])
			rows->values[att][i] = ec_datum_from_vector(&v, row, ct, ct->kind, ct->scale);
	}
	MemoryContextSwitchTo(old);
}

void
ec_copy_rows_need(EcRowsState *rows, int att)
{
	if (rows->needed[att])
		return;
	rows->needed[att] = true;
	if (rows->batch != NULL)
		make_values(rows, att);
}

void
ec_copy_rows_fill(EcRowsState *rows, uint32 row)
{
	TupleTableSlot *slot = rows->slot;

	ExecClearTuple(slot);
	for (int att = 0; att < rows->desc->natts; att++)
	{
		slot->tts_isnull[att] = rows->values[att] == NULL || rows->isnull[att][row];
		slot->tts_values[att] = slot->tts_isnull[att] ? (Datum) 0 : rows->values[att][row];
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(rows->rel);
}

/* A computed value goes to its column and, if it is needed, to the others of the row. */
static void
put_value(EcRowsState *rows, EcBatch *batch, const EcAbsent *absent, uint32 row, Datum value,
		  bool isnull)
{
	Form_pg_attribute att = TupleDescAttr(rows->desc, absent->att);
	MemoryContext old;

	ec_batch_append_datum(batch, absent->att, value, isnull);
	if (rows->values[absent->att] == NULL)
		return;
	rows->isnull[absent->att][row] = isnull;
	old = MemoryContextSwitchTo(rows->piece);
	if (!isnull)
		rows->values[absent->att][row] = datumCopy(value, att->attbyval, att->attlen);
	MemoryContextSwitchTo(old);
}

static inline bool
row_is_kept(const EcRowsState *rows, uint32 row)
{
	return rows->keep == NULL || rows->keep[row];
}

/* A column's default for rows [row, end).  False: it must not be NULL. */
static bool
put_default(EcRowsState *rows, EcBatch *batch, const EcAbsent *absent, uint32 row, uint32 end)
{
	bool isnull = true;
	Datum value = 0;

	if (absent->expr != NULL)
		value =
			ExecEvalExprSwitchContext(absent->expr, GetPerTupleExprContext(rows->estate), &isnull);
	if (isnull && absent->not_null)
	{
		if (rows->where == NULL)
			return false;
		memset(rows->bad_null + row, true, end - row);
	}
	for (; row < end; row++)
		put_value(rows, batch, absent, row, value, isnull);
	return true;
}

static bool
put_generated(EcRowsState *rows, EcBatch *batch, uint32 row)
{
	TupleTableSlot *slot = rows->slot;

	if (!row_is_kept(rows, row))
	{
		for (int i = 0; i < rows->nabsent; i++)
		{
			if (rows->absent[i].generated)
				put_value(rows, batch, &rows->absent[i], row, 0, true);
		}
		return true;
	}

	ec_copy_rows_fill(rows, row);
	ExecComputeStoredGenerated(rows->info, rows->estate, slot, CMD_INSERT);
	for (int i = 0; i < rows->nabsent; i++)
	{
		const EcAbsent *absent = &rows->absent[i];

		if (!absent->generated)
			continue;
		if (slot->tts_isnull[absent->att] && absent->not_null)
			return false;
		put_value(rows, batch, absent, row, slot->tts_values[absent->att],
				  slot->tts_isnull[absent->att]);
	}
	return true;
}

static bool
row_passes(EcRowsState *rows, uint32 row)
{
	ExprContext *econtext = GetPerTupleExprContext(rows->estate);
	ListCell *lc;

	ec_copy_rows_fill(rows, row);
	econtext->ecxt_scantuple = rows->slot;
	foreach (lc, rows->checks)
	{
		if (!ExecCheck(lfirst(lc), econtext))
			return false;
	}
	return !rows->rel->rd_rel->relispartition ||
		   ExecPartitionCheck(rows->info, rows->slot, rows->estate, false);
}

/* Which rows have a NULL where none may be; the parsers have left that to us if there is a WHERE. */
static void
find_bad_nulls(EcRowsState *rows, EcBatch *batch, uint32 nrows)
{
	rows->keep = MemoryContextAllocHuge(rows->piece, Max(nrows, 1));
	rows->bad_null =
		MemoryContextAllocExtended(rows->piece, Max(nrows, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int att = 0; att < rows->desc->natts; att++)
	{
		EcBuilder *column = batch->columns[att];
		EcVector v;

		if (column == NULL || !TupleDescAttr(rows->desc, att)->attnotnull)
			continue;
		ec_builder_view(column, &v);
		for (uint32 i = 0; v.nnulls > 0 && i < nrows && batch->nrows + i < v.nrows; i++)
			rows->bad_null[i] |= ec_vector_is_null(&v, batch->nrows + i);
	}
}

/* Does WHERE let the row in?  It sees neither generated columns nor constraints. */
static void
judge_row(EcRowsState *rows, uint32 row)
{
	ExprContext *econtext = GetPerTupleExprContext(rows->estate);

	ec_copy_rows_fill(rows, row);
	econtext->ecxt_scantuple = rows->slot;
	rows->keep[row] = ExecQual(rows->where, econtext);
}

/* Values of the rows that are left move together, as their columns do; partitions have left out the others. */
static uint32
drop_rows(EcRowsState *rows, EcBatch *batch, uint32 nrows)
{
	uint32 n = 0;

	for (uint32 row = 0; row < nrows; row++)
		n += rows->keep[row];
	if (n == nrows || rows->parts != NULL)
	{
		rows->public.excluded += nrows - n;
		return n;
	}
	for (int att = 0; att < rows->desc->natts; att++)
	{
		uint32 to = 0;

		if (batch->columns[att] != NULL)
			ec_builder_retain(batch->columns[att], batch->nrows, rows->keep);
		for (uint32 row = 0; rows->values[att] != NULL && row < nrows; row++)
		{
			rows->values[att][to] = rows->values[att][row];
			rows->isnull[att][to] = rows->isnull[att][row];
			to += rows->keep[row];
		}
	}
	rows->origin = MemoryContextAllocHuge(rows->piece, sizeof(uint32) * Max(n, 1));
	n = 0;
	for (uint32 row = 0; row < nrows; row++)
	{
		if (rows->keep[row])
			rows->origin[n++] = row;
	}
	rows->public.excluded += nrows - n;
	return n;
}

static bool
complete_row(EcRowsState *rows, EcBatch *batch, uint32 row)
{
	for (int i = 0; i < rows->nabsent; i++)
	{
		const EcAbsent *absent = &rows->absent[i];

		if (absent->per_row && !put_default(rows, batch, absent, row, row + 1))
			return false;
	}
	if (rows->where != NULL)
		judge_row(rows, row);
	if (rows->generates && !put_generated(rows, batch, row))
		return false;
	if (!row_is_kept(rows, row))
		return true;
	if (rows->where != NULL && rows->bad_null[row])
		return false;
	if (rows->parts != NULL)
		return ec_copy_parts_row(rows->parts, row);
	return (rows->checks == NIL && !rows->rel->rd_rel->relispartition) || row_passes(rows, row);
}

static bool
complete_rows(EcRowsState *rows)
{
	bool fine = true;

	rows->public.checking = true;
	rows->public.row = 0;
	for (int i = 0; i < rows->nabsent && fine; i++)
	{
		const EcAbsent *absent = &rows->absent[i];

		if (!absent->generated && !absent->per_row)
			fine = put_default(rows, rows->batch, absent, 0, rows->nrows);
	}
	for (uint32 row = 0; rows->by_row && row < rows->nrows && fine; row++)
	{
		rows->public.row = row;
		fine = complete_row(rows, rows->batch, row);
		ResetPerTupleExprContext(rows->estate);
	}
	return fine;
}

/* The same where partitions must be found: a row that belongs to none is an error there. */
static bool
complete_routed(EcRowsState *rows)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool fine = false;

	ec_copy_parts_begin(rows->parts);
	PG_TRY();
	{
		fine = complete_rows(rows);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (!ec_copy_parts_routing(rows->parts) || error->sqlerrcode != ERRCODE_CHECK_VIOLATION)
			PG_RE_THROW();
		FlushErrorState();
		FreeErrorData(error);
	}
	PG_END_TRY();
	return fine;
}

bool
ec_copy_rows_complete(EcCopyRows *public, EcBatch *batch, uint32 *count)
{
	EcRowsState *rows = (EcRowsState *) public;
	bool fine;

	MemoryContextReset(rows->piece);
	rows->keep = NULL;
	rows->origin = NULL;
	rows->batch = batch;
	rows->nrows = *count;
	for (int att = 0; att < rows->desc->natts; att++)
	{
		rows->values[att] = NULL;
		if (rows->needed[att])
			make_values(rows, att);
	}
	if (rows->where != NULL)
		find_bad_nulls(rows, batch, rows->nrows);
	fine = rows->parts != NULL ? complete_routed(rows) : complete_rows(rows);
	rows->batch = NULL;
	ResetPerTupleExprContext(rows->estate);
	public->row = -1;
	public->checking = false;
	if (fine && rows->where != NULL)
		*count = drop_rows(rows, batch, rows->nrows);
	return fine;
}

/* ------------------------------------------------------------------------
 * Storing, indexes and triggers
 * ------------------------------------------------------------------------
 */

static void
add_entries(EcRowsState *rows, uint32 nrows)
{
	for (uint32 row = 0; (rows->info->ri_NumIndices > 0 || rows->triggers != NULL) && row < nrows;
		 row++)
	{
		CHECK_FOR_INTERRUPTS();
		rows->public.row = rows->origin != NULL ? rows->origin[row] : row;
		ec_copy_rows_fill(rows, row);
		ec_tid_from_row(rows->first + row, &rows->slot->tts_tid);
		if (rows->info->ri_NumIndices > 0)
			list_free(ec_compat_insert_index_tuples(rows->info, rows->slot, rows->estate));
		if (rows->triggers != NULL)
			ec_copy_triggers_row(rows->triggers, rows->estate, rows->info, rows->slot);
		ResetPerTupleExprContext(rows->estate);
	}
	rows->public.row = -1;
}

EcBatch *
ec_copy_rows_open(EcCopyRows *public, CommandId cid, uint32 expected, uint32 *room)
{
	EcRowsState *rows = (EcRowsState *) public;

	if (rows->parts == NULL)
		return ec_write_open(rows->rel, cid, expected, room, &rows->first);
	*room = PG_UINT32_MAX;
	return ec_copy_parts_batch(rows->parts);
}

void
ec_copy_rows_store(EcCopyRows *public, CommandId cid, uint32 nrows)
{
	EcRowsState *rows = (EcRowsState *) public;

	if (rows->parts != NULL)
	{
		ec_copy_parts_store(rows->parts, cid);
		return;
	}
	ec_write_added(rows->rel, cid, nrows);
	add_entries(rows, nrows);
	ec_write_limit(rows->rel, cid);
}
