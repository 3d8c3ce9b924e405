/*
 * rewrite_sort.c
 *	  All rows of a table in the order of an index, or of the option order_by, by
 *	  PostgreSQL's sort (maintenance_work_mem, then temporary files).
 *
 * What is sorted are the table's columns, followed by the values of the index's
 * expressions.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/index.h"
#include "catalog/pg_am_d.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "store/options.h"
#include "store/rewrite_sort.h"

/* Memory after which a row group is full, whatever its rows. */
#define GROUP_BYTES_MAX ((Size) 64 * 1024 * 1024)

#define KEYS_MAX Max(INDEX_MAX_KEYS, EC_ORDER_MAX)

struct EcRewriteSort
{
	MemoryContext row_context;
	TupleDesc tupdesc; /* of the table */
	Tuplesortstate *state;
	bool sorted;
	int nkeys;
	AttrNumber attnums[KEYS_MAX];
	Oid operators[KEYS_MAX];
	Oid collations[KEYS_MAX];
	bool nulls_first[KEYS_MAX];
	int nexpressions;
	IndexInfo *info; /* if there are any */
	EState *estate;
	TupleTableSlot *row; /* the table's columns */
	TupleTableSlot *in;	 /* with the expressions */
	TupleTableSlot *out;
};

/* ------------------------------------------------------------------------
 * Keys
 * ------------------------------------------------------------------------
 */

static void
add_key(EcRewriteSort *sort, AttrNumber attnum, Oid operator, Oid collation, bool nulls_first)
{
	sort->attnums[sort->nkeys] = attnum;
	sort->operators[sort->nkeys] = operator;
	sort->collations[sort->nkeys] = collation;
	sort->nulls_first[sort->nkeys] = nulls_first;
	sort->nkeys++;
}

static void
add_index_keys(EcRewriteSort *sort, Relation index)
{
	sort->info = BuildIndexInfo(index);
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		AttrNumber attnum = sort->info->ii_IndexAttrNumbers[i];
		int16 option = index->rd_indoption[i];
		Oid type = index->rd_opcintype[i];
		Oid operator= get_opfamily_member(index->rd_opfamily[i], type, type,
										  option &INDOPTION_DESC ? BTGreaterStrategyNumber
																 : BTLessStrategyNumber);

		if (attnum == 0)
			attnum = (AttrNumber) (sort->tupdesc->natts + ++sort->nexpressions);
		add_key(sort, attnum, operator, index->rd_indcollation[i],
				(option & INDOPTION_NULLS_FIRST) != 0);
	}
}

/* Columns whose type has no order are left out. */
static void
add_order_keys(EcRewriteSort *sort, const EcTableOptions *options)
{
	for (int i = 0; i < options->norder; i++)
	{
		Form_pg_attribute att = TupleDescAttr(sort->tupdesc, options->order[i]);
		Oid operator;

		if (att->attisdropped)
			continue;
		operator= lookup_type_cache(att->atttypid, TYPECACHE_LT_OPR)->lt_opr;
		if (OidIsValid(operator))
			add_key(sort, att->attnum, operator, att->attcollation, false);
	}
}

/* The table's columns and the expressions' values. */
static TupleDesc
sort_tupdesc(EcRewriteSort *sort, Relation index)
{
	int natts = sort->tupdesc->natts;
	TupleDesc tupdesc = CreateTemplateTupleDesc(natts + sort->nexpressions);
	int expression = 0;

	for (int i = 1; i <= natts; i++)
		TupleDescCopyEntry(tupdesc, i, sort->tupdesc, i);
	for (int i = 0; i < sort->nkeys; i++)
	{
		if (sort->attnums[i] > natts)
			TupleDescCopyEntry(tupdesc, natts + ++expression, RelationGetDescr(index), i + 1);
	}
	return tupdesc;
}

/* ------------------------------------------------------------------------
 * Begin and end
 * ------------------------------------------------------------------------
 */

EcRewriteSort *
ec_rewrite_sort_begin(Relation table, Relation index)
{
	EcRewriteSort *sort = palloc0(sizeof(EcRewriteSort));
	EcTableOptions options = ec_options_get(table);
	TupleDesc tupdesc;

	sort->tupdesc = RelationGetDescr(table);
	if (index != NULL && index->rd_rel->relam == BTREE_AM_OID)
		add_index_keys(sort, index);
	else if (index == NULL)
		add_order_keys(sort, &options);
	if (sort->nkeys == 0)
	{
		pfree(sort);
		return NULL;
	}
	sort->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight sorted row", ALLOCSET_DEFAULT_SIZES);
	tupdesc = sort_tupdesc(sort, index);
	sort->row = MakeSingleTupleTableSlot(sort->tupdesc, &TTSOpsVirtual);
	sort->in = MakeSingleTupleTableSlot(tupdesc, &TTSOpsVirtual);
	sort->out = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	if (sort->nexpressions > 0)
	{
		sort->estate = CreateExecutorState();
		GetPerTupleExprContext(sort->estate)->ecxt_scantuple = sort->row;
	}
	sort->state =
		tuplesort_begin_heap(tupdesc, sort->nkeys, sort->attnums, sort->operators, sort->collations,
							 sort->nulls_first, maintenance_work_mem, NULL, TUPLESORT_NONE);
	return sort;
}

void
ec_rewrite_sort_end(EcRewriteSort *sort)
{
	tuplesort_end(sort->state);
	ExecDropSingleTupleTableSlot(sort->row);
	ExecDropSingleTupleTableSlot(sort->in);
	ExecDropSingleTupleTableSlot(sort->out);
	if (sort->estate != NULL)
		FreeExecutorState(sort->estate);
	MemoryContextDelete(sort->row_context);
	pfree(sort);
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

static void
load_row(EcRewriteSort *sort, EcBatch *batch, const EcVector *views, uint32 row)
{
	TupleTableSlot *slot = sort->row;

	ExecClearTuple(slot);
	for (int i = 0; i < batch->natts; i++)
	{
		const EcColType *ct = &batch->types[i];

		slot->tts_isnull[i] = batch->columns[i] == NULL || ec_vector_is_null(&views[i], row);
		slot->tts_values[i] = slot->tts_isnull[i]
								  ? (Datum) 0
								  : ec_datum_from_vector(&views[i], row, ct, ct->kind, ct->scale);
	}
	ExecStoreVirtualTuple(slot);
}

/* The row's columns and its expressions. */
static void
load_keys(EcRewriteSort *sort)
{
	int natts = sort->tupdesc->natts;
	Datum values[INDEX_MAX_KEYS];
	bool isnull[INDEX_MAX_KEYS];

	ExecClearTuple(sort->in);
	memcpy(sort->in->tts_values, sort->row->tts_values, natts * sizeof(Datum));
	memcpy(sort->in->tts_isnull, sort->row->tts_isnull, natts * sizeof(bool));
	if (sort->nexpressions > 0)
	{
		ResetPerTupleExprContext(sort->estate);
		FormIndexDatum(sort->info, sort->row, sort->estate, values, isnull);
		for (int i = 0; i < sort->nkeys; i++)
		{
			if (sort->attnums[i] <= natts)
				continue;
			sort->in->tts_values[sort->attnums[i] - 1] = values[i];
			sort->in->tts_isnull[sort->attnums[i] - 1] = isnull[i];
		}
	}
	ExecStoreVirtualTuple(sort->in);
}

void
ec_rewrite_sort_add(EcRewriteSort *sort, EcBatch *batch)
{
	EcVector *views = palloc0(Max(batch->natts, 1) * sizeof(EcVector));

	for (int i = 0; i < batch->natts; i++)
	{
		if (batch->columns[i] != NULL)
			ec_builder_view(batch->columns[i], &views[i]);
	}
	for (uint32 row = 0; row < batch->nrows; row++)
	{
		MemoryContext old = MemoryContextSwitchTo(sort->row_context);

		CHECK_FOR_INTERRUPTS();
		load_row(sort, batch, views, row);
		load_keys(sort);
		MemoryContextSwitchTo(old);
		tuplesort_puttupleslot(sort->state, sort->in);
		MemoryContextReset(sort->row_context);
	}
	pfree(views);
}

bool
ec_rewrite_sort_next(EcRewriteSort *sort, EcBatch *batch, uint32 max_rows)
{
	if (!sort->sorted)
		tuplesort_performsort(sort->state);
	sort->sorted = true;
	while (batch->nrows < max_rows &&
		   MemoryContextMemAllocated(batch->context, true) < GROUP_BYTES_MAX &&
		   tuplesort_gettupleslot(sort->state, true, false, sort->out, NULL))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(sort->out);
		for (int i = 0; i < batch->natts; i++)
			ec_batch_append_datum(batch, i, sort->out->tts_values[i], sort->out->tts_isnull[i]);
		ec_batch_row_done(batch);
	}
	return batch->nrows > 0;
}
