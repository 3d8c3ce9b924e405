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
 * row and has the words for it.  Errors raised in here get the line and text that
 * core's would have, by way of "row" and "checking" (copy_run.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_proc_d.h"
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
#include "ingest/copy.h"
#include "ingest/copy_triggers.h"
#include "store/tid.h"

/* A column that the input doesn't give. */
typedef struct Absent
{
	int att;
	bool generated;
	bool not_null;
	bool per_row;	 /* nextval and the like */
	ExprState *expr; /* NULL: NULL, or generated */
} Absent;

typedef struct RowsState
{
	EcCopyRows public;
	Relation rel;
	TupleDesc desc;
	EState *estate;
	ResultRelInfo *info;
	TupleTableSlot *slot;
	int nabsent;
	Absent *absent;
	List *checks;	  /* ExprState */
	ExprState *where; /* NULL: all rows are let in */
	bool by_row;	  /* something must be computed or looked at row by row */
	bool generates;
	EcCopyTriggers *triggers; /* NULL: none */
	EcColType *types;
	bool *needed;		 /* [natts] by expressions and indexes */
	MemoryContext piece; /* what follows */
	Datum **values;		 /* [natts][rows of the piece], NULL if not needed */
	bool **isnull;
	uint8 *keep;	/* [rows of the piece], if there is a WHERE: it lets the row in */
	bool *bad_null; /* [rows of the piece]: NULL where none may be; or NULL */
	uint32 *origin; /* [rows kept]: which of the piece's; NULL: all are */
} RowsState;

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

static bool
checks_are_plain(const TupleConstr *constr)
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
		!checks_are_plain(desc->constr) ||
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
need_columns(RowsState *rows, Node *expression)
{
	Bitmapset *columns = NULL;
	int i = -1;

	pull_varattnos(expression, 1, &columns);
	while ((i = bms_next_member(columns, i)) >= 0)
	{
		AttrNumber attnum = i + FirstLowInvalidHeapAttributeNumber;

		if (attnum > 0)
			rows->needed[attnum - 1] = true;
		else if (attnum == 0)
			memset(rows->needed, true, rows->desc->natts);
	}
}

static void
need_of_indexes(RowsState *rows)
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
prepare_checks(RowsState *rows)
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
prepare_absent(RowsState *rows, const List *attnums)
{
	rows->absent = palloc0(sizeof(Absent) * Max(rows->desc->natts, 1));
	for (int i = 0; i < rows->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(rows->desc, i);
		Absent *absent = &rows->absent[rows->nabsent];
		Expr *expr;

		if (att->attisdropped || list_member_int(attnums, i + 1))
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

EcCopyRows *
ec_copy_rows_create(ParseState *pstate, Relation rel, const List *attnums, List *where)
{
	RowsState *rows = palloc0(sizeof(RowsState));
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
	ExecOpenIndices(rows->info, false);
	rows->slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsVirtual);
	if (where != NIL)
	{
		rows->where = ExecPrepareQual(where, rows->estate);
		rows->by_row = true;
		need_columns(rows, (Node *) where);
	}
	prepare_checks(rows);
	prepare_absent(rows, attnums);
	need_of_indexes(rows);
	rows->triggers = ec_copy_triggers_begin(rel, rows->needed);
	return &rows->public;
}

void
ec_copy_rows_end(EcCopyRows *public)
{
	RowsState *rows = (RowsState *) public;

	if (rows->triggers != NULL)
		ec_copy_triggers_end(rows->triggers, rows->estate);
	rows->triggers = NULL;
}

void
ec_copy_rows_free(EcCopyRows *public)
{
	RowsState *rows = (RowsState *) public;

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

/* Values of the columns that somebody needs, in the piece's memory. */
static void
make_values(RowsState *rows, EcBatch *batch, uint32 nrows)
{
	MemoryContext old = MemoryContextSwitchTo(rows->piece);

	for (int att = 0; att < rows->desc->natts; att++)
	{
		EcBuilder *column = batch->columns[att];
		const EcColType *ct = &rows->types[att];
		EcVector v;

		rows->values[att] = NULL;
		if (!rows->needed[att] || column == NULL)
			continue;
		rows->values[att] = palloc_extended(sizeof(Datum) * nrows, MCXT_ALLOC_HUGE);
		rows->isnull[att] = palloc_extended(sizeof(bool) * nrows, MCXT_ALLOC_HUGE);
		memset(rows->isnull[att], true, nrows);
		if (ec_builder_rows(column) < batch->nrows + nrows)
			continue; /* absent: set row by row */
		ec_builder_view(column, &v);
		for (uint32 i = 0; i < nrows; i++)
		{
			uint32 row = batch->nrows + i;

			rows->isnull[att][i] = ec_vector_is_null(&v, row);
			if (!rows->isnull[att][i])
				rows->values[att][i] = ec_datum_from_vector(&v, row, ct, ct->kind, ct->scale);
		}
	}
	MemoryContextSwitchTo(old);
}

/* The row's values; columns that nobody needs seem to be NULL. */
static void
fill_slot(RowsState *rows, uint32 row)
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
put_value(RowsState *rows, EcBatch *batch, const Absent *absent, uint32 row, Datum value,
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
row_is_kept(const RowsState *rows, uint32 row)
{
	return rows->keep == NULL || rows->keep[row];
}

/* A column's default for rows [row, end).  False: it must not be NULL. */
static bool
put_default(RowsState *rows, EcBatch *batch, const Absent *absent, uint32 row, uint32 end)
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
put_generated(RowsState *rows, EcBatch *batch, uint32 row)
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

	fill_slot(rows, row);
	ExecComputeStoredGenerated(rows->info, rows->estate, slot, CMD_INSERT);
	for (int i = 0; i < rows->nabsent; i++)
	{
		const Absent *absent = &rows->absent[i];

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
row_passes(RowsState *rows, uint32 row)
{
	ExprContext *econtext = GetPerTupleExprContext(rows->estate);
	ListCell *lc;

	fill_slot(rows, row);
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
find_bad_nulls(RowsState *rows, EcBatch *batch, uint32 nrows)
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
judge_row(RowsState *rows, uint32 row)
{
	ExprContext *econtext = GetPerTupleExprContext(rows->estate);

	fill_slot(rows, row);
	econtext->ecxt_scantuple = rows->slot;
	rows->keep[row] = ExecQual(rows->where, econtext);
}

/* Values of the rows that are left move together, as their columns do. */
static uint32
drop_rows(RowsState *rows, EcBatch *batch, uint32 nrows)
{
	uint32 n = 0;

	for (uint32 row = 0; row < nrows; row++)
		n += rows->keep[row];
	if (n == nrows)
		return n;
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
complete_row(RowsState *rows, EcBatch *batch, uint32 row)
{
	for (int i = 0; i < rows->nabsent; i++)
	{
		const Absent *absent = &rows->absent[i];

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
	return (rows->checks == NIL && !rows->rel->rd_rel->relispartition) || row_passes(rows, row);
}

bool
ec_copy_rows_complete(EcCopyRows *public, EcBatch *batch, uint32 *count)
{
	uint32 nrows = *count;
	RowsState *rows = (RowsState *) public;
	bool fine = true;

	MemoryContextReset(rows->piece);
	rows->keep = NULL;
	rows->origin = NULL;
	make_values(rows, batch, nrows);
	if (rows->where != NULL)
		find_bad_nulls(rows, batch, nrows);
	public->checking = true;
	public->row = 0;
	for (int i = 0; i < rows->nabsent && fine; i++)
	{
		const Absent *absent = &rows->absent[i];

		if (!absent->generated && !absent->per_row)
			fine = put_default(rows, batch, absent, 0, nrows);
	}
	for (uint32 row = 0; rows->by_row && row < nrows && fine; row++)
	{
		public->row = row;
		fine = complete_row(rows, batch, row);
		ResetPerTupleExprContext(rows->estate);
	}
	ResetPerTupleExprContext(rows->estate);
	public->row = -1;
	public->checking = false;
	if (fine && rows->where != NULL)
		*count = drop_rows(rows, batch, nrows);
	return fine;
}

/* ------------------------------------------------------------------------
 * Indexes and triggers
 * ------------------------------------------------------------------------
 */

void
ec_copy_rows_index(EcCopyRows *public, int64 first, uint32 nrows)
{
	RowsState *rows = (RowsState *) public;

	for (uint32 row = 0; (rows->info->ri_NumIndices > 0 || rows->triggers != NULL) && row < nrows;
		 row++)
	{
		CHECK_FOR_INTERRUPTS();
		public->row = rows->origin != NULL ? rows->origin[row] : row;
		fill_slot(rows, row);
		ec_tid_from_row(first + row, &rows->slot->tts_tid);
		if (rows->info->ri_NumIndices > 0)
			list_free(ec_compat_insert_index_tuples(rows->info, rows->slot, rows->estate));
		if (rows->triggers != NULL)
			ec_copy_triggers_row(rows->triggers, rows->estate, rows->info, rows->slot);
		ResetPerTupleExprContext(rows->estate);
	}
	public->row = -1;
}
