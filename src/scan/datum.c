/*
 * datum.c
 *	  Values of one row, from vectors into the scan tuple slot, as late as possible.
 *
 * A block of a column is decoded when the first row asks for it, and a value
 * becomes a Datum only if a clause is about to read it or the row is returned.
 * Entries of dictionaries become Datums once per row group, and a clause that
 * reads nothing but one dictionary column is evaluated once per entry: not ahead
 * but when the first row with that value comes by, so that no clause sees a value
 * that it wouldn't have seen row by row.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "utils/memutils.h"

#include "scan/state.h"

#define MEMO_UNKNOWN 0
#define MEMO_FALSE 1
#define MEMO_TRUE 2

/* Ids of dictionaries that belong to one block only; the reader's serials stay below. */
#define LOCAL_DICT_ID (UINT64CONST(1) << 63)

/* The column's vector for the current block. */
const EcVector *
ec_scan_vector(EcScanState *scan, EcScanColumn *column)
{
	if (column->vector == NULL)
	{
		column->kind = ec_reader_kind(scan->reader, column->attidx, &column->scale);
		column->vector = ec_reader_block(scan->reader, column->attidx, scan->block);
		if (column->vector->form == EC_FORM_DICT && column->vector->dict_serial != 0)
			column->dict_id = column->vector->dict_serial;
		else
			column->dict_id = LOCAL_DICT_ID | ++scan->last_dict_id;
	}
	return column->vector;
}

static inline Datum
make_datum(EcScanColumn *column, const EcVector *v, uint32 row, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Datum value = ec_datum_from_vector(v, row, column->type, column->kind, column->scale);

	MemoryContextSwitchTo(old);
	return value;
}

/* An entry of the dictionary (or the one value of a CONST vector), made once. */
static Datum
dict_datum(EcScanState *scan, EcScanColumn *column, const EcVector *v, uint32 row)
{
	uint32 i = ec_vector_index(v, row);

	if (column->dict_datums == NULL || column->dict_datums_id != column->dict_id)
	{
		Size n = v->form == EC_FORM_DICT ? v->ndict : 1;

		column->dict_datums = MemoryContextAllocExtended(scan->group, n * sizeof(Datum),
														 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		column->dict_datums_id = column->dict_id;
	}
	if (column->dict_datums[i] == 0)
		column->dict_datums[i] = make_datum(column, v, row, scan->group);
	return column->dict_datums[i];
}

static inline Datum
int_datum(int64 value, int16 typlen)
{
	switch (typlen)
	{
		case sizeof(int64):
			return Int64GetDatum(value);
		case sizeof(int32):
			return Int32GetDatum((int32) value);
		case sizeof(int16):
			return Int16GetDatum((int16) value);
		default:
			return CharGetDatum((char) value);
	}
}

/* Rows that are kept as tuples need no vector for this. */
static inline bool
fill_from_tuple(EcScanState *scan, EcScanColumn *column, TupleTableSlot *slot)
{
	Datum *values;
	bool *isnull;

	if (column->vector != NULL ||
		!ec_reader_row_values(scan->reader, scan->block * EC_BLOCK_ROWS + scan->row, &values,
							  &isnull))
		return false;
	slot->tts_values[column->attidx] = values[column->attidx];
	slot->tts_isnull[column->attidx] = isnull[column->attidx];
	return true;
}

/* Brings the column's value of the current row into the slot. */
static inline void
fill(EcScanState *scan, EcScanColumn *column)
{
	TupleTableSlot *slot = scan->css.ss.ss_ScanTupleSlot;
	const EcVector *v;
	Datum *value = &slot->tts_values[column->attidx];
	uint32 row = scan->row;

	if (column->filled == scan->row_serial)
		return;
	column->filled = scan->row_serial;
	if (fill_from_tuple(scan, column, slot))
		return;
	v = ec_scan_vector(scan, column);
	slot->tts_isnull[column->attidx] = ec_vector_is_null(v, row);
	if (slot->tts_isnull[column->attidx])
		*value = (Datum) 0;
	else if (column->kind == EC_KIND_INT)
		*value = int_datum(ec_vector_int64(v, row), column->type->typlen);
	else if (v->form != EC_FORM_FLAT && !column->type->typbyval)
		*value = dict_datum(scan, column, v, row);
	else
		*value = make_datum(column, v, row, scan->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
}

static bool
evaluate(EcScanState *scan, EcScanClause *clause)
{
	for (int i = 0; i < clause->ncolumns; i++)
		fill(scan, clause->columns[i]);
	return ExecQual(clause->state, scan->css.ss.ps.ps_ExprContext);
}

/* The memo of the clause for the current row's value, or NULL if the vector has no dictionary. */
static uint8 *
memo_entry(EcScanState *scan, EcScanClause *clause)
{
	const EcVector *v;
	Size n;

	if (!clause->can_memo)
		return NULL;
	v = ec_scan_vector(scan, clause->columns[0]);
	if (v->form == EC_FORM_FLAT)
		return NULL;
	if (clause->memo == NULL || clause->memo_id != clause->columns[0]->dict_id)
	{
		n = v->form == EC_FORM_DICT ? (Size) v->ndict + 1 : 1;
		clause->memo =
			MemoryContextAllocExtended(scan->group, n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		clause->memo_id = clause->columns[0]->dict_id;
	}
	return &clause->memo[v->form == EC_FORM_DICT ? v->codes[scan->row] : 0];
}

static bool
clause_passes(EcScanState *scan, EcScanClause *clause)
{
	uint8 *memo = memo_entry(scan, clause);

	if (memo == NULL)
		return evaluate(scan, clause);
	if (*memo == MEMO_UNKNOWN)
		*memo = evaluate(scan, clause) ? MEMO_TRUE : MEMO_FALSE;
	return *memo == MEMO_TRUE;
}

/* Evaluates, in the plan's order, the clauses that vectors couldn't decide for this group. */
bool
ec_scan_clauses_pass(EcScanState *scan)
{
	for (int i = 0; i < scan->nrow_clauses; i++)
		if (!clause_passes(scan, scan->row_clauses[i]))
			return false;
	return true;
}

void
ec_scan_fill_output(EcScanState *scan)
{
	for (int i = 0; i < scan->noutput; i++)
		fill(scan, scan->output[i]);
}

/* For a caller that evaluates the whole WHERE list on the slot again. */
void
ec_scan_fill_all(EcScanState *scan)
{
	for (int i = 0; i < scan->ncolumns; i++)
		fill(scan, &scan->columns[i]);
}
