/*
 * rowscan.c
 *	  Forms rows from the vectors of a reader.
 *
 * All columns of a block are decoded when its first row is asked for.  Datums of
 * dictionary entries are formed once per dictionary, others once per row in a
 * context that the next row resets.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/fetch.h"
#include "store/reader_internal.h"
#include "store/rowscan.h"
#include "store/slot.h"
#include "store/tid.h"

typedef struct RowColumn
{
	const EcVector *v;
	EcKind kind;
	int32 scale;
	Datum *cache; /* per dictionary entry, or NULL */
	bool *cached;
	uint64 cache_serial;
} RowColumn;

struct EcRowScan
{
	Relation rel;
	EcReader *reader;
	EcNextGroup next;
	void *next_arg;
	MemoryContext context;
	MemoryContext row_context;
	MemoryContext group_context; /* caches of dictionary entries */
	int natts;
	RowColumn *columns; /* NULL until the first row */
	bool inited;		/* positioned on a row */
	uint32 group;
	uint32 block;		/* whose columns are loaded, or PG_UINT32_MAX */
	int64 row;			/* within the group */
	uint32 live_block;	/* which block "live" is of, or PG_UINT32_MAX */
	const uint64 *live; /* NULL: all rows of it */
};

EcRowScan *
ec_rowscan_begin(Relation rel, Snapshot snapshot, EcNextGroup next, void *arg)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight row scan", ALLOCSET_DEFAULT_SIZES);
	EcRowScan *scan = MemoryContextAllocZero(context, sizeof(EcRowScan));

	scan->rel = rel;
	scan->context = context;
	scan->row_context = AllocSetContextCreate(context, "ecinsight row", ALLOCSET_DEFAULT_SIZES);
	scan->group_context =
		AllocSetContextCreate(context, "ecinsight dictionary values", ALLOCSET_DEFAULT_SIZES);
	scan->next = next;
	scan->next_arg = arg;
	scan->group = PG_UINT32_MAX;
	scan->block = PG_UINT32_MAX;
	scan->live_block = PG_UINT32_MAX;
	scan->reader = ec_reader_begin(rel, snapshot, context);
	return scan;
}

void
ec_rowscan_rescan(EcRowScan *scan)
{
	ec_reader_rescan(scan->reader);
	scan->inited = false;
	scan->group = PG_UINT32_MAX;
	scan->block = PG_UINT32_MAX;
	scan->live_block = PG_UINT32_MAX;
}

void
ec_rowscan_end(EcRowScan *scan)
{
	ec_reader_end(scan->reader);
	MemoryContextDelete(scan->context);
}

EcReader *
ec_rowscan_reader(EcRowScan *scan)
{
	return scan->reader;
}

/*
 * The first slot tells which columns rows have.  That is the relation's descriptor
 * but in ALTER TABLE, which reads old rows when the relation already looks new.
 */
static void
prepare_columns(EcRowScan *scan, TupleDesc tupdesc)
{
	if (scan->columns != NULL)
	{
		Assert(scan->natts == tupdesc->natts);
		return;
	}
	if (tupdesc != RelationGetDescr(scan->rel))
		ec_reader_set_tupdesc(scan->reader, tupdesc);
	scan->natts = tupdesc->natts;
	scan->columns = MemoryContextAllocZero(scan->context, Max(scan->natts, 1) * sizeof(RowColumn));
}

/* ------------------------------------------------------------------------
 * Position
 * ------------------------------------------------------------------------
 */

static void
enter_group(EcRowScan *scan, uint32 group)
{
	if (scan->group == group)
		return;
	MemoryContextReset(scan->group_context);
	for (int i = 0; i < scan->natts; i++)
		scan->columns[i].cache = NULL;
	scan->group = group;
	scan->block = PG_UINT32_MAX;
	scan->live_block = PG_UINT32_MAX;
	if (!ec_reader_goto_group(scan->reader, group))
		elog(ERROR, "row group %u does not exist", group);
}

/* A cache for the entries of a dictionary vector whose values are no plain Datums. */
static void
prepare_cache(EcRowScan *scan, RowColumn *column, const EcColType *ct)
{
	const EcVector *v = column->v;
	uint32 n = v->form == EC_FORM_DICT ? v->ndict : 1;

	if (v->form == EC_FORM_FLAT || ct->typbyval || n == 0 ||
		(v->form == EC_FORM_CONST && v->nnulls > 0))
	{
		column->cache = NULL;
		return;
	}
	if (column->cache != NULL && v->dict_serial != 0 && column->cache_serial == v->dict_serial)
		return;
	column->cache = MemoryContextAllocHuge(scan->group_context, n * sizeof(Datum));
	column->cached = MemoryContextAllocZero(scan->group_context, n * sizeof(bool));
	column->cache_serial = v->dict_serial;
}

static void
load_block(EcRowScan *scan, uint32 block)
{
	const EcColType *types = ec_reader_types(scan->reader);

	if (scan->block == block)
		return;
	scan->block = PG_UINT32_MAX;
	for (int i = 0; i < scan->natts; i++)
	{
		RowColumn *column = &scan->columns[i];

		column->v = ec_reader_block(scan->reader, i, block);
		column->kind = ec_reader_kind(scan->reader, i, &column->scale);
		prepare_cache(scan, column, &types[i]);
	}
	scan->block = block;
}

/* Moves to the next group with the scan's own choice; false at the end. */
static bool
step_group(EcRowScan *scan, ScanDirection direction)
{
	uint32 ngroups = ec_reader_ngroups(scan->reader);
	uint32 group;

	if (scan->next != NULL)
		group = scan->next(scan->next_arg);
	else if (ScanDirectionIsBackward(direction))
		group = !scan->inited ? ngroups - 1 : scan->group - 1;
	else
		group = !scan->inited ? 0 : scan->group + 1;

	/* going below 0 wraps around, which is beyond the end as well */
	if (group >= ngroups)
		return false;
	enter_group(scan, group);
	scan->inited = true;
	scan->row =
		ScanDirectionIsBackward(direction) ? (int64) ec_reader_group(scan->reader)->nrows : -1;
	return true;
}

/* Is the row hidden by a tombstone or mask? */
static bool
is_hidden(EcRowScan *scan, uint32 row)
{
	uint32 block = row / EC_BLOCK_ROWS;
	uint32 in_block = row % EC_BLOCK_ROWS;
	uint32 nlive;

	if (scan->live_block != block)
	{
		scan->live = ec_reader_live(scan->reader, block, &nlive);
		scan->live_block = block;
	}
	return scan->live != NULL && (scan->live[in_block / 64] >> in_block % 64 & 1) == 0;
}

/*
 * A dirty snapshot is to say of each row who else is at work on it.  Most rows are
 * of long ago; the others are judged by themselves.
 */
static bool
judge_dirty(EcRowScan *scan, uint32 row)
{
	EcReader *reader = scan->reader;
	Snapshot snapshot = reader->snapshot;
	int64 number = ec_reader_row_number(reader, row);
	ItemPointerData tid;

	snapshot->xmin = snapshot->xmax = InvalidTransactionId;
	snapshot->speculativeToken = 0;
	if (!ec_list_is_unsettled(reader->list, reader->entry, number))
		return true;
	ec_tid_from_row(number, &tid);
	return ec_fetch_row(scan->rel, &tid, snapshot, NULL);
}

static bool
is_returned(EcRowScan *scan, uint32 row)
{
	if (is_hidden(scan, row))
		return false;
	return scan->reader->list->guard == NULL || judge_dirty(scan, row);
}

static bool
step_row(EcRowScan *scan, ScanDirection direction)
{
	int delta = ScanDirectionIsBackward(direction) ? -1 : 1;

	for (;;)
	{
		if (scan->inited)
		{
			scan->row += delta;
			if (scan->row >= 0 && scan->row < ec_reader_group(scan->reader)->nrows)
			{
				if (is_returned(scan, (uint32) scan->row))
					return true;
				continue;
			}
		}
		if (!step_group(scan, direction))
		{
			/* as in a heap: the next call starts over from the end it faces */
			scan->inited = false;
			return false;
		}
	}
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

static Datum
column_datum(EcRowScan *scan, RowColumn *column, const EcColType *ct, uint32 row)
{
	MemoryContext old;
	uint32 i;

	if (column->cache == NULL)
		return ec_datum_from_vector(column->v, row, ct, column->kind, column->scale);
	i = ec_vector_index(column->v, row);
	if (!column->cached[i])
	{
		old = MemoryContextSwitchTo(scan->group_context);
		column->cache[i] = ec_datum_from_vector(column->v, row, ct, column->kind, column->scale);
		MemoryContextSwitchTo(old);
		column->cached[i] = true;
	}
	return column->cache[i];
}

/* Rows kept as tuples have their Datums already. */
static bool
store_values(EcRowScan *scan, uint32 row, TupleTableSlot *slot)
{
	Datum *values;
	bool *isnull;

	if (!ec_reader_row_values(scan->reader, row, &values, &isnull))
		return false;
	memcpy(slot->tts_values, values, scan->natts * sizeof(Datum));
	memcpy(slot->tts_isnull, isnull, scan->natts * sizeof(bool));
	return true;
}

static void
form_values(EcRowScan *scan, uint32 row, TupleTableSlot *slot)
{
	const EcColType *types = ec_reader_types(scan->reader);
	uint32 in_block = row % EC_BLOCK_ROWS;
	MemoryContext old;

	MemoryContextReset(scan->row_context);
	load_block(scan, row / EC_BLOCK_ROWS);
	old = MemoryContextSwitchTo(scan->row_context);
	for (int i = 0; i < scan->natts; i++)
	{
		RowColumn *column = &scan->columns[i];

		slot->tts_isnull[i] = ec_vector_is_null(column->v, in_block);
		slot->tts_values[i] =
			slot->tts_isnull[i] ? (Datum) 0 : column_datum(scan, column, &types[i], in_block);
	}
	MemoryContextSwitchTo(old);
}

static void
store_row(EcRowScan *scan, uint32 row, TupleTableSlot *slot)
{
	TransactionId xmin;
	CommandId cmin;

	ExecClearTuple(slot);
	if (!store_values(scan, row, slot))
		form_values(scan, row, slot);
	ExecStoreVirtualTuple(slot);
	ec_tid_from_row(ec_reader_row_number(scan->reader, row), &slot->tts_tid);
	slot->tts_tableOid = RelationGetRelid(scan->rel);
	xmin = ec_reader_row_xmin(scan->reader, row, &cmin);
	ec_slot_set_origin(slot, xmin, cmin);
}

bool
ec_rowscan_next(EcRowScan *scan, ScanDirection direction, TupleTableSlot *slot)
{
	prepare_columns(scan, slot->tts_tupleDescriptor);
	if (!step_row(scan, direction))
	{
		ExecClearTuple(slot);
		return false;
	}
	store_row(scan, (uint32) scan->row, slot);
	return true;
}

void
ec_rowscan_store(EcRowScan *scan, uint32 group, uint32 row, TupleTableSlot *slot)
{
	prepare_columns(scan, slot->tts_tupleDescriptor);
	enter_group(scan, group);
	store_row(scan, row, slot);
}

bool
ec_rowscan_store_live(EcRowScan *scan, uint32 group, uint32 row, TupleTableSlot *slot)
{
	prepare_columns(scan, slot->tts_tupleDescriptor);
	enter_group(scan, group);
	if (row >= ec_reader_group(scan->reader)->nrows || is_hidden(scan, row))
		return false;
	store_row(scan, row, slot);
	return true;
}
