/*
 * rewrite_sort.c
 *	  All rows of a table in the order of an index, or of the option order_by, by
 *	  PostgreSQL's sort (maintenance_work_mem, then temporary files).
 *
 * What is sorted are the table's columns, followed by the values of the index's
 * expressions, and by what the caller wants to know of each row (its tag and number).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/index.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "store/options.h"
#include "store/rewrite_sort.h"
#include "store/transfer.h"

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
	bool tagged;
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

/* Columns before the tag: the table's and the expressions' values. */
static int
tag_at(const EcRewriteSort *sort)
{
	return sort->tupdesc->natts + sort->nexpressions;
}

static TupleDesc
sort_tupdesc(EcRewriteSort *sort, Relation index)
{
	int natts = sort->tupdesc->natts;
	TupleDesc tupdesc = CreateTemplateTupleDesc(tag_at(sort) + (sort->tagged ? 2 : 0));
	int expression = 0;

	for (int i = 1; i <= natts; i++)
		TupleDescCopyEntry(tupdesc, i, sort->tupdesc, i);
	for (int i = 0; i < sort->nkeys; i++)
	{
		if (sort->attnums[i] > natts)
			TupleDescCopyEntry(tupdesc, natts + ++expression, RelationGetDescr(index), i + 1);
	}
	for (int i = tag_at(sort); i < tupdesc->natts; i++)
		TupleDescInitEntry(tupdesc, i + 1, NULL, INT8OID, -1, 0);
	return tupdesc;
}

/* ------------------------------------------------------------------------
 * Begin and end
 * ------------------------------------------------------------------------
 */

EcRewriteSort *
ec_rewrite_sort_begin(Relation table, Relation index, bool tagged)
{
	EcRewriteSort *sort = palloc0(sizeof(EcRewriteSort));
	EcTableOptions options = ec_options_get(table);
	TupleDesc tupdesc;

	sort->tupdesc = RelationGetDescr(table);
	sort->tagged = tagged;
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

/* The row's columns, its expressions, and its tag. */
static void
load_keys(EcRewriteSort *sort, int64 tag, int64 number)
{
	int at = tag_at(sort);
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
	if (sort->tagged)
	{
		sort->in->tts_values[at] = Int64GetDatum(tag);
		sort->in->tts_values[at + 1] = Int64GetDatum(number);
		sort->in->tts_isnull[at] = sort->in->tts_isnull[at + 1] = false;
	}
	ExecStoreVirtualTuple(sort->in);
}

/* The slot's values are there already, some of them in row_context. */
static void
put_row(EcRewriteSort *sort, int64 tag, int64 number)
{
	MemoryContext old = MemoryContextSwitchTo(sort->row_context);

	ExecStoreVirtualTuple(sort->row);
	load_keys(sort, tag, number);
	MemoryContextSwitchTo(old);
	tuplesort_puttupleslot(sort->state, sort->in);
	ExecClearTuple(sort->row);
	MemoryContextReset(sort->row_context);
}

void
ec_rewrite_sort_add(EcRewriteSort *sort, EcBatch *batch, int64 tag, const int64 *numbers)
{
	EcVector *views = ec_transfer_views(batch);

	for (uint32 row = 0; row < batch->nrows; row++)
	{
		MemoryContext old = MemoryContextSwitchTo(sort->row_context);

		CHECK_FOR_INTERRUPTS();
		ExecClearTuple(sort->row);
		ec_transfer_row(batch, views, row, sort->row->tts_values, sort->row->tts_isnull);
		MemoryContextSwitchTo(old);
		put_row(sort, tag, numbers == NULL ? -1 : numbers[row]);
	}
	pfree(views);
}

void
ec_rewrite_sort_add_row(EcRewriteSort *sort, const Datum *values, const bool *isnull, int64 tag)
{
	int natts = sort->tupdesc->natts;

	ExecClearTuple(sort->row);
	memcpy(sort->row->tts_values, values, natts * sizeof(Datum));
	memcpy(sort->row->tts_isnull, isnull, natts * sizeof(bool));
	put_row(sort, tag, -1);
}

static bool
next_row(EcRewriteSort *sort)
{
	if (!sort->sorted)
		tuplesort_performsort(sort->state);
	sort->sorted = true;
	if (!tuplesort_gettupleslot(sort->state, true, false, sort->out, NULL))
		return false;
	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(sort->out);
	return true;
}

bool
ec_rewrite_sort_next(EcRewriteSort *sort, EcBatch *batch, uint32 max_rows)
{
	while (!ec_rewrite_is_full(batch, max_rows) && next_row(sort))
		ec_transfer_append(batch, sort->out->tts_values, sort->out->tts_isnull);
	return batch->nrows > 0;
}

bool
ec_rewrite_sort_next_row(EcRewriteSort *sort, EcRewriteRow *row)
{
	int at = tag_at(sort);

	Assert(sort->tagged);
	if (!next_row(sort))
		return false;
	row->values = sort->out->tts_values;
	row->isnull = sort->out->tts_isnull;
	row->tag = DatumGetInt64(row->values[at]);
	row->number = DatumGetInt64(row->values[at + 1]);
	return true;
}
