/*
 * copy_parts.c
 *	  COPY into a partitioned table.
 *
 * A piece is parsed into a batch of the table's own shape.  For each of its rows PostgreSQL
 * finds the partition (ExecFindPartition, which also opens and locks it at its first row, and
 * nothing before); generated columns, NOT NULL and CHECK constraints are the partition's.  When all rows have passed, the columns
 * of each partition's rows are appended to its pending batch, a partition after the other, as
 * core's buffers are written.
 *
 * A row that belongs nowhere, or breaks a constraint, makes the piece core's.  So does a
 * partition that turns out not to be ours; but AFTER triggers would then run at the
 * piece's end.  So catalogs are asked before the first row whether all partitions are
 * ours, without locks: what changes between that and a partition's first row is as if it
 * had changed a moment later.
 *
 * Only key columns are shown to ExecFindPartition.  Those of partitions that are themselves
 * partitioned come from the catalogs, likewise without locks, so each leaf's partition
 * constraint is looked at: it tells the keys of all levels by which rows got there.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "executor/execPartition.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "ingest/copy_rows.h"
#include "store/tid.h"
#include "store/write_state.h"
#include "store/writer.h"

/* A column that a partition computes. */
typedef struct Generated
{
	int att;
	bool not_null;
} Generated;

typedef struct Leaf
{
	ResultRelInfo *info; /* the key of the hash table */
	Relation rel;
	TupleDesc desc;
	bool ours;
	bool looks;	 /* at each row */
	int *source; /* [natts] column of the partitioned table, or -1 */
	TupleTableSlot *slot;
	List *checks;
	List *not_null; /* columns that may be NULL in the partitioned table */
	int ngenerated;
	Generated *generated;
	EcCopyTriggers *triggers;

	/* of the piece at work */
	uint32 nrows;
	uint32 max_rows;
	uint32 *rows;
	NullableDatum *made; /* [max_rows][ngenerated] */
} Leaf;

struct EcCopyParts
{
	EcRowsState *rows;
	MemoryContext context;
	ModifyTableState *state;
	PartitionTupleRouting *routing;
	bool at_routing;
	bool missed; /* a key column was not shown */
	HTAB *leaves;
	Leaf *last;
	List *touched; /* leaves that get rows of the piece */
	EcBatch *batch;
	EcVector *views; /* [natts] of its columns */
};

/* ------------------------------------------------------------------------
 * What the catalogs say
 * ------------------------------------------------------------------------
 */

/* As ec_copy_triggers_possible, of a table that isn't open. */
static bool
trigger_is_possible(Form_pg_trigger trigger, const List *tree)
{
	if (!TRIGGER_FOR_INSERT(trigger->tgtype))
		return true;
	return trigger->tgfoid == F_RI_FKEY_CHECK_INS && !trigger->tgdeferrable &&
		   !list_member_oid(tree, trigger->tgconstrrelid) &&
		   get_rel_relkind(trigger->tgconstrrelid) != RELKIND_PARTITIONED_TABLE;
}

static bool
triggers_are_possible(Oid relid, const List *tree)
{
	Relation triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	bool possible = true;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (possible && HeapTupleIsValid(tuple = systable_getnext(scan)))
		possible = trigger_is_possible((Form_pg_trigger) GETSTRUCT(tuple), tree);
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return possible;
}

/* The columns with these names in the table that the rows are meant for. */
static void
need_by_name(EcRowsState *rows, Oid relid, const Bitmapset *columns)
{
	int i = -1;

	while ((i = bms_next_member(columns, i)) >= 0)
	{
		AttrNumber attnum = i + FirstLowInvalidHeapAttributeNumber;
		char *name = attnum > 0 ? get_attname(relid, attnum, true) : NULL;

		if (name != NULL)
			attnum = get_attnum(RelationGetRelid(rows->rel), name);
		if (name != NULL && attnum > 0)
			ec_copy_rows_need(rows, attnum - 1);
	}
}

/* False: its key has something in it that only core computes. */
static bool
need_keys(EcRowsState *rows, Oid relid)
{
	HeapTuple tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(relid));
	Form_pg_partitioned_table form;
	Bitmapset *columns = NULL;
	Node *expressions = NULL;
	Datum source;
	bool isnull;

	if (!HeapTupleIsValid(tuple))
		return true;
	form = (Form_pg_partitioned_table) GETSTRUCT(tuple);
	for (int i = 0; i < form->partnatts; i++)
	{
		if (form->partattrs.values[i] != 0)
			columns = bms_add_member(columns, form->partattrs.values[i] -
												  FirstLowInvalidHeapAttributeNumber);
	}
	source = SysCacheGetAttr(PARTRELID, tuple, Anum_pg_partitioned_table_partexprs, &isnull);
	if (!isnull)
		expressions = stringToNode(TextDatumGetCString(source));
	ReleaseSysCache(tuple);
	pull_varattnos(expressions, 1, &columns);
	need_by_name(rows, relid, columns);
	return ec_copy_condition_possible(expressions);
}

static bool
partition_is_possible(EcRowsState *rows, Oid relid, const List *tree, Oid method)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	FormData_pg_class form;

	/* detached and dropped meanwhile */
	if (!HeapTupleIsValid(tuple))
		return true;
	form = *(Form_pg_class) GETSTRUCT(tuple);
	ReleaseSysCache(tuple);
	if (form.relkind == RELKIND_PARTITIONED_TABLE)
		return need_keys(rows, relid);
	return form.relkind == RELKIND_RELATION && form.relam == method &&
		   (!form.relhastriggers || triggers_are_possible(relid, tree));
}

bool
ec_copy_parts_prepare(EcCopyParts *parts)
{
	EcRowsState *rows = parts->rows;
	Oid method = get_table_am_oid("ecinsight_columnar", true);
	List *tree = find_all_inheritors(RelationGetRelid(rows->rel), NoLock, NULL);
	bool possible = OidIsValid(method);
	ListCell *lc;

	foreach (lc, tree)
		possible = possible && partition_is_possible(rows, lfirst_oid(lc), tree, method);
	list_free(tree);
	return possible;
}

/* ------------------------------------------------------------------------
 * A partition's first row
 * ------------------------------------------------------------------------
 */

/* Columns of the partitioned table by those of the partition, which have the same names and types. */
static bool
find_sources(EcCopyParts *parts, Leaf *leaf)
{
	TupleDesc root = parts->rows->desc;
	int next = 0;

	leaf->source = palloc(sizeof(int) * Max(leaf->desc->natts, 1));
	for (int att = 0; att < leaf->desc->natts; att++)
	{
		Form_pg_attribute to = TupleDescAttr(leaf->desc, att);
		Form_pg_attribute from = NULL;

		leaf->source[att] = -1;
		for (int i = 0; i < root->natts && !to->attisdropped && from == NULL; i++)
		{
			int candidate = (next + i) % root->natts;

			from = TupleDescAttr(root, candidate);
			if (from->attisdropped || strcmp(NameStr(from->attname), NameStr(to->attname)) != 0)
				from = NULL;
			else
				leaf->source[att] = candidate;
		}
		if (from == NULL)
			continue;
		next = leaf->source[att] + 1;
		if (from->atttypid != to->atttypid || from->atttypmod != to->atttypmod)
			return false;
	}
	return true;
}

/* Columns of an expression over the partition.  Was any of them not needed so far? */
static bool
need_of_expression(EcCopyParts *parts, const Leaf *leaf, Node *expression)
{
	Bitmapset *columns = NULL;
	bool any_new = false;

	pull_varattnos(expression, 1, &columns);
	for (int att = 0; att < leaf->desc->natts; att++)
	{
		int source = leaf->source[att];

		if (source < 0 || !(bms_is_member(att + 1 - FirstLowInvalidHeapAttributeNumber, columns) ||
							bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, columns)))
			continue;
		any_new |= !parts->rows->needed[source];
		ec_copy_rows_need(parts->rows, source);
	}
	return any_new;
}

static bool
take_generated(EcCopyParts *parts, Leaf *leaf)
{
	leaf->generated = palloc(sizeof(Generated) * Max(leaf->desc->natts, 1));
	for (int att = 0; att < leaf->desc->natts; att++)
	{
		Form_pg_attribute form = TupleDescAttr(leaf->desc, att);
		Node *expression;

		if (form->attisdropped || form->attgenerated == '\0')
			continue;
		expression = build_column_default(leaf->rel, att + 1);
		if (form->attgenerated != ATTRIBUTE_GENERATED_STORED ||
			!ec_copy_condition_possible(expression))
			return false;
		need_of_expression(parts, leaf, expression);
		leaf->source[att] = -1;
		leaf->generated[leaf->ngenerated].att = att;
		leaf->generated[leaf->ngenerated++].not_null = form->attnotnull;
	}
	return true;
}

static void
take_constraints(EcCopyParts *parts, Leaf *leaf)
{
	const TupleConstr *constr = leaf->desc->constr;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		List *check = list_make1(stringToNode(constr->check[i].ccbin));

		need_of_expression(parts, leaf, (Node *) check);
		leaf->checks = lappend(leaf->checks, ExecPrepareCheck(check, parts->rows->estate));
	}
	for (int att = 0; att < leaf->desc->natts; att++)
	{
		int source = leaf->source[att];

		if (source < 0 || !TupleDescAttr(leaf->desc, att)->attnotnull ||
			TupleDescAttr(parts->rows->desc, source)->attnotnull)
			continue;
		ec_copy_rows_need(parts->rows, source);
		leaf->not_null = lappend_int(leaf->not_null, att);
	}
}

/* What index entries and events are made of. */
static void
take_indexes(EcCopyParts *parts, Leaf *leaf)
{
	bool *columns = palloc0(Max(leaf->desc->natts, 1));

	for (int i = 0; i < leaf->info->ri_NumIndices; i++)
	{
		IndexInfo *index = leaf->info->ri_IndexRelationInfo[i];

		for (int j = 0; j < index->ii_NumIndexAttrs; j++)
		{
			if (index->ii_IndexAttrNumbers[j] > 0)
				columns[index->ii_IndexAttrNumbers[j] - 1] = true;
		}
		need_of_expression(parts, leaf, (Node *) index->ii_Expressions);
		need_of_expression(parts, leaf, (Node *) index->ii_Predicate);
	}
	leaf->triggers = ec_copy_triggers_create(leaf->rel, columns);
	for (int att = 0; att < leaf->desc->natts; att++)
	{
		if (columns[att] && leaf->source[att] >= 0)
			ec_copy_rows_need(parts->rows, leaf->source[att]);
	}
}

/* False: rows of this partition are core's. */
static bool
take_leaf(EcCopyParts *parts, Leaf *leaf)
{
	Node *belongs = (Node *) RelationGetPartitionQual(leaf->rel);

	if (leaf->rel->rd_rel->relkind != RELKIND_RELATION || !ec_store_is_columnar(leaf->rel) ||
		!ec_copy_triggers_possible(leaf->rel) || !ec_copy_checks_possible(leaf->desc->constr) ||
		!ec_copy_condition_possible(belongs) || !find_sources(parts, leaf))
		return false;

	/* rows may be here because a key seemed to be NULL */
	parts->missed |= need_of_expression(parts, leaf, belongs);
	if (!take_generated(parts, leaf))
		return false;
	take_constraints(parts, leaf);
	take_indexes(parts, leaf);
	leaf->slot = MakeSingleTupleTableSlot(leaf->desc, &TTSOpsVirtual);
	leaf->looks = leaf->ngenerated > 0 || leaf->checks != NIL || leaf->not_null != NIL;
	return true;
}

static Leaf *
find_leaf(EcCopyParts *parts, ResultRelInfo *info)
{
	bool found;
	Leaf *leaf = hash_search(parts->leaves, &info, HASH_ENTER, &found);
	MemoryContext old;

	if (found)
		return leaf;
	memset((char *) leaf + sizeof(leaf->info), 0, sizeof(Leaf) - sizeof(leaf->info));
	leaf->rel = info->ri_RelationDesc;
	leaf->desc = RelationGetDescr(leaf->rel);
	old = MemoryContextSwitchTo(parts->context);
	leaf->ours = take_leaf(parts, leaf);
	MemoryContextSwitchTo(old);
	return leaf;
}

/* ------------------------------------------------------------------------
 * Set-up
 * ------------------------------------------------------------------------
 */

static HTAB *
create_hash(MemoryContext context)
{
	HASHCTL control = {
		.keysize = sizeof(ResultRelInfo *),
		.entrysize = sizeof(Leaf),
		.hcxt = context,
	};

	return hash_create("ecinsight partitions of a COPY", 64, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Executor state that ExecFindPartition wants, as core's COPY makes it. */
EcCopyParts *
ec_copy_parts_create(EcRowsState *rows)
{
	EcCopyParts *parts = palloc0(sizeof(EcCopyParts));

	parts->rows = rows;
	parts->context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight partitions of a COPY",
										   ALLOCSET_DEFAULT_SIZES);
	parts->state = makeNode(ModifyTableState);
	parts->state->ps.state = rows->estate;
	parts->state->operation = CMD_INSERT;
	parts->state->mt_nrels = 1;
	parts->state->resultRelInfo = rows->info;
	parts->state->rootResultRelInfo = rows->info;
	parts->routing = ExecSetupPartitionTupleRouting(rows->estate, rows->rel);
	parts->leaves = create_hash(parts->context);
	AfterTriggerBeginQuery();
	return parts;
}

EcBatch *
ec_copy_parts_batch(EcCopyParts *parts)
{
	EcBatch *batch = parts->batch;

	if (batch != NULL)
		return batch;
	batch = ec_batch_create(parts->rows->desc, parts->context);
	for (int i = 0; i < batch->natts; i++)
	{
		if (batch->columns[i] != NULL)
			ec_builder_keep_plain(batch->columns[i]);
	}
	parts->views = MemoryContextAllocZero(parts->context, sizeof(EcVector) * Max(batch->natts, 1));
	parts->batch = batch;
	return batch;
}

void
ec_copy_parts_free(EcCopyParts *parts)
{
	HASH_SEQ_STATUS status;
	Leaf *leaf;

	hash_seq_init(&status, parts->leaves);
	while ((leaf = hash_seq_search(&status)) != NULL)
	{
		if (leaf->slot != NULL)
			ExecDropSingleTupleTableSlot(leaf->slot);
		if (leaf->triggers != NULL)
			ec_copy_triggers_free(leaf->triggers);
		table_finish_bulk_insert(leaf->rel, 0);
	}
	ExecCleanupTupleRouting(parts->state, parts->routing);
	MemoryContextDelete(parts->context);
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

void
ec_copy_parts_begin(EcCopyParts *parts)
{
	ListCell *lc;

	foreach (lc, parts->touched)
		((Leaf *) lfirst(lc))->nrows = 0;
	list_free(parts->touched);
	parts->touched = NIL;
	parts->missed = false;
}

bool
ec_copy_parts_routing(const EcCopyParts *parts)
{
	return parts->at_routing;
}

/* The row as the partition has it, without what it computes. */
static void
fill_slot(const EcRowsState *rows, const Leaf *leaf, uint32 row)
{
	TupleTableSlot *slot = leaf->slot;

	ExecClearTuple(slot);
	for (int att = 0; att < leaf->desc->natts; att++)
	{
		int source = leaf->source[att];

		slot->tts_isnull[att] =
			source < 0 || rows->values[source] == NULL || rows->isnull[source][row];
		slot->tts_values[att] = slot->tts_isnull[att] ? (Datum) 0 : rows->values[source][row];
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(leaf->rel);
}

/* What the partition computes is kept beside the row. */
static bool
generate(EcRowsState *rows, Leaf *leaf)
{
	NullableDatum *made = leaf->made + (size_t) leaf->nrows * leaf->ngenerated;
	TupleTableSlot *slot = leaf->slot;
	MemoryContext old;

	ExecComputeStoredGenerated(leaf->info, rows->estate, slot, CMD_INSERT);
	old = MemoryContextSwitchTo(rows->piece);
	for (int i = 0; i < leaf->ngenerated; i++)
	{
		int att = leaf->generated[i].att;
		Form_pg_attribute form = TupleDescAttr(leaf->desc, att);

		made[i].isnull = slot->tts_isnull[att];
		made[i].value = made[i].isnull
							? (Datum) 0
							: datumCopy(slot->tts_values[att], form->attbyval, form->attlen);
	}
	MemoryContextSwitchTo(old);
	for (int i = 0; i < leaf->ngenerated; i++)
	{
		if (made[i].isnull && leaf->generated[i].not_null)
			return false;
	}
	return true;
}

static bool
look_at_row(EcRowsState *rows, Leaf *leaf, uint32 row)
{
	ExprContext *econtext = GetPerTupleExprContext(rows->estate);
	ListCell *lc;

	fill_slot(rows, leaf, row);
	if (leaf->ngenerated > 0 && !generate(rows, leaf))
		return false;
	foreach (lc, leaf->not_null)
	{
		if (leaf->slot->tts_isnull[lfirst_int(lc)])
			return false;
	}
	econtext->ecxt_scantuple = leaf->slot;
	foreach (lc, leaf->checks)
	{
		if (!ExecCheck(lfirst(lc), econtext))
			return false;
	}
	return true;
}

/* Room for one row more. */
static void
reserve_row(EcCopyParts *parts, Leaf *leaf)
{
	Size width = Max(sizeof(NullableDatum) * leaf->ngenerated, 1);

	if (leaf->nrows < leaf->max_rows)
		return;
	if (leaf->max_rows == 0)
	{
		leaf->max_rows = 64;
		leaf->rows = MemoryContextAlloc(parts->context, sizeof(uint32) * leaf->max_rows);
		leaf->made = MemoryContextAlloc(parts->context, width * leaf->max_rows);
		return;
	}
	leaf->max_rows *= 2;
	leaf->rows = repalloc_huge(leaf->rows, sizeof(uint32) * leaf->max_rows);
	leaf->made = repalloc_huge(leaf->made, width * leaf->max_rows);
}

static Leaf *
route(EcCopyParts *parts, uint32 row)
{
	EcRowsState *rows = parts->rows;
	ResultRelInfo *info;

	ec_copy_rows_fill(rows, row);
	parts->at_routing = true;
	info = ExecFindPartition(parts->state, rows->info, parts->routing, rows->slot, rows->estate);
	parts->at_routing = false;
	if (parts->last == NULL || parts->last->info != info)
		parts->last = find_leaf(parts, info);
	return parts->last;
}

bool
ec_copy_parts_row(EcCopyParts *parts, uint32 row)
{
	Leaf *leaf;

	parts->at_routing = false;
	leaf = route(parts, row);
	if (!leaf->ours || parts->missed)
		return false;
	reserve_row(parts, leaf);
	if (leaf->looks && !look_at_row(parts->rows, leaf, row))
		return false;
	if (leaf->nrows == 0)
	{
		MemoryContext old = MemoryContextSwitchTo(parts->context);

		parts->touched = lappend(parts->touched, leaf);
		MemoryContextSwitchTo(old);
	}
	leaf->rows[leaf->nrows++] = row;
	return true;
}

/* ------------------------------------------------------------------------
 * Storing
 * ------------------------------------------------------------------------
 */

/* Columns of the leaf's rows [begin, begin + n). */
static void
append_columns(EcCopyParts *parts, const Leaf *leaf, EcBatch *batch, uint32 begin, uint32 n)
{
	for (int att = 0; att < leaf->desc->natts; att++)
	{
		int source = leaf->source[att];

		if (batch->columns[att] == NULL || TupleDescAttr(leaf->desc, att)->attgenerated != '\0')
			continue;
		if (source >= 0 && parts->views[source].nrows > 0)
			ec_builder_append_rows(batch->columns[att], &parts->views[source], leaf->rows + begin,
								   n);
		else
		{
			for (uint32 i = 0; i < n; i++)
				ec_builder_append_null(batch->columns[att]);
		}
	}
	for (uint32 row = begin; row < begin + n; row++)
	{
		const NullableDatum *made = leaf->made + (size_t) row * leaf->ngenerated;

		for (int i = 0; i < leaf->ngenerated; i++)
			ec_batch_append_datum(batch, leaf->generated[i].att, made[i].value, made[i].isnull);
	}
}

/* Index entries and events of the same rows, the first of which has this number. */
static void
add_entries(EcCopyParts *parts, const Leaf *leaf, int64 number, uint32 begin, uint32 n)
{
	EcRowsState *rows = parts->rows;

	if (leaf->info->ri_NumIndices == 0 && leaf->triggers == NULL)
		return;
	for (uint32 row = begin; row < begin + n; row++)
	{
		const NullableDatum *made = leaf->made + (size_t) row * leaf->ngenerated;

		CHECK_FOR_INTERRUPTS();
		rows->public.row = leaf->rows[row];
		fill_slot(rows, leaf, leaf->rows[row]);
		for (int i = 0; i < leaf->ngenerated; i++)
		{
			leaf->slot->tts_values[leaf->generated[i].att] = made[i].value;
			leaf->slot->tts_isnull[leaf->generated[i].att] = made[i].isnull;
		}
		ec_tid_from_row(number + (row - begin), &leaf->slot->tts_tid);
		if (leaf->info->ri_NumIndices > 0)
			list_free(ec_compat_insert_index_tuples(leaf->info, leaf->slot, rows->estate));
		if (leaf->triggers != NULL)
			ec_copy_triggers_row(leaf->triggers, rows->estate, leaf->info, leaf->slot);
		ResetPerTupleExprContext(rows->estate);
	}
	rows->public.row = -1;
}

static void
store_leaf(EcCopyParts *parts, const Leaf *leaf, CommandId cid)
{
	uint32 n;

	for (uint32 done = 0; done < leaf->nrows; done += n)
	{
		int64 first;
		EcBatch *batch = ec_write_open(leaf->rel, cid, leaf->nrows - done, &n, &first);

		n = Min(n, leaf->nrows - done);
		append_columns(parts, leaf, batch, done, n);
		ec_write_added(leaf->rel, cid, n);
		add_entries(parts, leaf, first, done, n);
		ec_write_limit(leaf->rel, cid);
	}
}

void
ec_copy_parts_store(EcCopyParts *parts, CommandId cid)
{
	ListCell *lc;

	for (int i = 0; i < parts->batch->natts; i++)
	{
		if (parts->batch->columns[i] != NULL)
			ec_builder_view(parts->batch->columns[i], &parts->views[i]);
	}
	foreach (lc, parts->touched)
		store_leaf(parts, lfirst(lc), cid);
	parts->rows->public.tables = list_length(parts->touched);
	ec_batch_reset(parts->batch);
}
