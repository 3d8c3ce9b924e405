/*
 * rows.c
 *	  The selected rows of an events relation: filters, and columns as dense arrays.
 *
 * Filters work on whole batches: each clears bits of a bitmap, from which the row
 * numbers that pass are listed once.  If all rows pass (no filter, or a block that
 * lies wholly within the time range) columns that are flat arrays already are
 * handed on without a copy.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "insight/rows.h"

#define KEEP_WORDS (EC_BLOCK_ROWS / 64)
#define EC_ID_WANTED 1 /* in a filter's interner, which starts with the text looked for */

/* ---- opening ---- */

static void
begin(EcRows *rows, MemoryContext context)
{
	memset(rows, 0, sizeof(EcRows));
	rows->context = context;
	rows->batch_context = AllocSetContextCreate(context, "ecinsight batch", ALLOCSET_DEFAULT_SIZES);
}

static int64
ceil_div(int64 a, int64 b)
{
	return a / b + (a % b > 0);
}

/*
 * The bounds as values of the time column: since <= t < until.  Timestamps without
 * zone and dates are UTC; a date is the start of its day.  False: nothing matches.
 */
static bool
set_time_bounds(EcRows *rows)
{
	const EcArgs *args = &rows->args;
	bool is_date = rows->events.types[EC_COL_TIME].basetype == DATEOID;

	rows->time_min = PG_INT64_MIN;
	rows->time_max = PG_INT64_MAX;
	rows->time_filter = args->has_since || args->has_until;
	if (args->has_until &&
		(args->until == DT_NOBEGIN || (args->has_since && args->since >= args->until)))
		return false;
	if (args->has_since)
	{
		rows->time_min = args->since;
		if (is_date && args->since > DT_NOBEGIN)
			rows->time_min =
				args->since == DT_NOEND ? DATEVAL_NOEND : ceil_div(args->since, USECS_PER_DAY);
	}
	if (args->has_until)
		rows->time_max = (is_date ? ceil_div(args->until, USECS_PER_DAY) : args->until) - 1;
	return true;
}

static void
init_types(EcRows *rows)
{
	EcInterner *interner = ec_interner_create(rows->context);

	/* in the order of EC_TYPE_* */
	ec_interner_intern(interner, "view", 4);
	ec_interner_intern(interner, "cart", 4);
	ec_interner_intern(interner, "purchase", 8);
	for (int i = 0; i < rows->args.ntypes; i++)
		ec_interner_intern(interner, VARDATA_ANY(rows->args.types[i]),
						   VARSIZE_ANY_EXHDR(rows->args.types[i]));
	rows->accepted_count = ec_interner_count(interner) + 1;
	rows->accepted = MemoryContextAllocZero(rows->context, sizeof(bool) * rows->accepted_count);
	for (int i = 0; i < rows->args.ntypes; i++)
		rows->accepted[ec_interner_intern(interner, VARDATA_ANY(rows->args.types[i]),
										  VARSIZE_ANY_EXHDR(rows->args.types[i]))] = true;
	ec_text_column_init(&rows->types, EC_COL_TYPE, interner, rows->context);
}

static void
init_text_filter(EcRows *rows, EcTextColumn *filter, EcEventColumn column, const text *wanted)
{
	EcInterner *interner;

	if (wanted == NULL)
		return;
	interner = ec_interner_create(rows->context);
	ec_interner_intern(interner, VARDATA_ANY(wanted), VARSIZE_ANY_EXHDR(wanted));
	ec_text_column_init(filter, column, interner, rows->context);
}

/* Values whose scale isn't the type's: floats are summed in cents, unconstrained numerics in millionths. */
static int32
choose_price_scale(const EcColType *ct)
{
	if (ct->kind == EC_KIND_INT)
		return 0;
	if (ct->kind == EC_KIND_DECIMAL)
		return ct->scale;
	return ct->kind == EC_KIND_FLOAT ? 2 : 6;
}

/* Columns whose values are read: those asked for, and the filters'. */
static uint32
value_columns(const EcArgs *args, uint32 columns)
{
	if (args->has_since || args->has_until)
		columns |= EC_COL_BIT(EC_COL_TIME);
	if (args->filter_types)
		columns |= EC_COL_BIT(EC_COL_TYPE);
	if (args->category != NULL)
		columns |= EC_COL_BIT(EC_COL_CATEGORY_CODE);
	if (args->brand != NULL)
		columns |= EC_COL_BIT(EC_COL_BRAND);
	return columns;
}

/* Appends columns to those that the source is asked for; returns how many these are then. */
static int
list_columns(EcRows *rows, uint32 columns, AttrNumber *attnums, int n)
{
	for (int i = 0; i < EC_EVENT_COLUMNS; i++)
	{
		if ((columns & EC_COL_BIT(i)) == 0)
			continue;
		rows->indexes[i] = n;
		attnums[n++] = rows->events.attnums[i];
	}
	return n;
}

void
ec_rows_open(EcRows *rows, const EcArgs *args, uint32 columns, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	uint32 values = value_columns(args, columns);
	uint32 all = args->complete_only ? EC_COL_ALL : values;
	AttrNumber attnums[EC_EVENT_COLUMNS];
	EcSourceRange range;
	int nvalues;
	int ncolumns;
	bool matches;

	begin(rows, context);
	rows->args = *args;
	ec_columns_find(args->relid, all, &rows->events);
	nvalues = list_columns(rows, values, attnums, 0);
	ncolumns = list_columns(rows, all & ~values, attnums, nvalues);
	matches = set_time_bounds(rows);
	range.column = rows->indexes[EC_COL_TIME];
	range.min = rows->time_min;
	range.max = rows->time_max;
	rows->source = ec_source_open(args->relid, ncolumns, attnums, nvalues,
								  rows->time_filter ? 1 : 0, &range, GetActiveSnapshot());
	if (!matches)
	{
		ec_source_close(rows->source); /* it was opened to check privileges */
		rows->source = NULL;
	}
	rows->keep = palloc(sizeof(uint64) * KEEP_WORDS);
	rows->selection = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	init_types(rows);
	init_text_filter(rows, &rows->category_filter, EC_COL_CATEGORY_CODE, args->category);
	init_text_filter(rows, &rows->brand_filter, EC_COL_BRAND, args->brand);
	rows->price_scale = choose_price_scale(&rows->events.types[EC_COL_PRICE]);
	MemoryContextSwitchTo(old);
}

void
ec_rows_open_groups(EcRows *rows, Relation rel, const EcReaderPick *picks, uint32 npicks,
					uint32 columns, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	AttrNumber attnums[EC_EVENT_COLUMNS];
	int ncolumns;

	begin(rows, context);
	rows->args.relid = RelationGetRelid(rel);
	ec_columns_find(rows->args.relid, columns, &rows->events);
	ncolumns = list_columns(rows, columns, attnums, 0);
	rows->source = ec_source_open_groups(rel, ncolumns, attnums, picks, npicks);
	init_types(rows);
	rows->price_scale = choose_price_scale(&rows->events.types[EC_COL_PRICE]);
	MemoryContextSwitchTo(old);
}

void
ec_rows_close(EcRows *rows)
{
	if (rows->source != NULL)
		ec_source_close(rows->source);
	rows->source = NULL;
}

void
ec_text_column_init(EcTextColumn *text, EcEventColumn column, EcInterner *interner,
					MemoryContext context)
{
	memset(text, 0, sizeof(EcTextColumn));
	text->column = column;
	text->interner = interner;
	text->map_capacity = 1024;
	text->map = MemoryContextAlloc(context, sizeof(uint32) * text->map_capacity);
	text->ids = MemoryContextAlloc(context, sizeof(uint32) * EC_BLOCK_ROWS);
}

void
ec_int_column_init(EcIntColumn *ints, EcEventColumn column, MemoryContext context)
{
	ints->column = column;
	ints->values = MemoryContextAlloc(context, sizeof(int64) * EC_BLOCK_ROWS);
	ints->nulls = MemoryContextAlloc(context, EC_BLOCK_ROWS);
}

const EcVector *
ec_rows_vector(const EcRows *rows, EcEventColumn column)
{
	return rows->batch.columns[rows->indexes[column]];
}

/* ---- texts to ids ---- */

static uint32
intern_value(EcInterner *interner, const EcVector *v, uint32 index)
{
	char uuid[EC_UUID_TEXT_LEN];

	if (v->phys == EC_PHYS_BYTES)
		return ec_interner_intern(interner, v->values.bytes[index].ptr, v->values.bytes[index].len);
	ec_uuid_format(&v->values.uuid[index], uuid);
	return ec_interner_intern(interner, uuid, EC_UUID_TEXT_LEN);
}

static uint32
intern_enum(EcTextColumn *text, int64 value)
{
	HeapTuple tuple;
	Form_pg_enum label;

	if (value == text->last_enum)
		return text->last_id;
	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum((Oid) value));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("invalid internal value for enum: %u", (Oid) value)));
	label = (Form_pg_enum) GETSTRUCT(tuple);
	text->last_id = ec_interner_intern(text->interner, NameStr(label->enumlabel),
									   strlen(NameStr(label->enumlabel)));
	text->last_enum = value;
	ReleaseSysCache(tuple);
	return text->last_id;
}

static uint32
intern_index(EcTextColumn *text, const EcVector *v, uint32 index)
{
	if (v->phys == EC_PHYS_INT64)
		return intern_enum(text, v->values.i64[index]);
	return intern_value(text->interner, v, index);
}

/* Maps the vector's whole dictionary, unless that has been done for the last vector. */
static void
map_dictionary(EcTextColumn *text, const EcVector *v)
{
	if (v->dict_serial != 0 && v->dict_serial == text->serial)
		return;
	text->serial = 0; /* should an error interrupt us */
	if (v->ndict + 1 > text->map_capacity)
	{
		text->map_capacity = Max(v->ndict + 1, text->map_capacity * 2);
		text->map = repalloc_huge(text->map, sizeof(uint32) * (Size) text->map_capacity);
	}
	for (uint32 code = 0; code < v->ndict; code++)
		text->map[code] = intern_index(text, v, code);
	text->map[v->ndict] = EC_ID_NULL;
	text->serial = v->dict_serial;
}

/* A dictionary is mapped as a whole unless it's much longer than the rows asked for. */
void
ec_text_column_map(EcTextColumn *text, const EcVector *v, const uint32 *selection, uint32 n)
{
	uint32 *ids = text->ids;

	if (v->form == EC_FORM_CONST)
	{
		uint32 id = v->nnulls > 0 || n == 0 ? EC_ID_NULL : intern_index(text, v, 0);

		for (uint32 i = 0; i < n; i++)
			ids[i] = id;
		return;
	}
	if (v->form == EC_FORM_DICT &&
		(v->ndict <= 2 * n || (v->dict_serial != 0 && v->dict_serial == text->serial)))
	{
		map_dictionary(text, v);
		if (selection == NULL)
		{
			for (uint32 i = 0; i < n; i++)
				ids[i] = text->map[v->codes[i]];
		}
		else
		{
			for (uint32 i = 0; i < n; i++)
				ids[i] = text->map[v->codes[selection[i]]];
		}
		return;
	}
	for (uint32 i = 0; i < n; i++)
	{
		uint32 row = selection == NULL ? i : selection[i];

		ids[i] =
			ec_vector_is_null(v, row) ? EC_ID_NULL : intern_index(text, v, ec_vector_index(v, row));
	}
}

const uint32 *
ec_rows_ids(EcRows *rows, EcTextColumn *text)
{
	ec_text_column_map(text, ec_rows_vector(rows, text->column), rows->all ? NULL : rows->selection,
					   rows->n);
	return text->ids;
}

const uint32 *
ec_rows_types(EcRows *rows)
{
	return ec_rows_ids(rows, &rows->types);
}

/* ---- filters ---- */

/* Clears the bits of rows outside the time range. */
static void
filter_time(EcRows *rows)
{
	const EcVector *v = ec_rows_vector(rows, EC_COL_TIME);

	for (uint32 row = 0; row < rows->batch.nrows; row += 64)
	{
		uint32 end = Min(row + 64, rows->batch.nrows);
		uint64 bits = 0;

		for (uint32 i = row; i < end; i++)
		{
			int64 t;

			if (v->nnulls > 0 && ec_vector_is_null(v, i))
				continue;
			t = ec_vector_int64(v, i);
			bits |= (uint64) (t >= rows->time_min && t <= rows->time_max) << (i - row);
		}
		rows->keep[row / 64] &= bits;
	}
}

static void
filter_types(EcRows *rows)
{
	EcTextColumn *text = &rows->types;

	ec_text_column_map(text, ec_rows_vector(rows, EC_COL_TYPE), NULL, rows->batch.nrows);
	for (uint32 row = 0; row < rows->batch.nrows; row++)
	{
		uint32 id = text->ids[row];

		if (id >= rows->accepted_count || !rows->accepted[id])
			rows->keep[row / 64] &= ~(UINT64CONST(1) << (row % 64));
	}
}

/* Clears the bits of rows that don't hold the text looked for. */
static void
filter_text(EcRows *rows, EcTextColumn *filter)
{
	ec_text_column_map(filter, ec_rows_vector(rows, filter->column), NULL, rows->batch.nrows);
	for (uint32 row = 0; row < rows->batch.nrows; row += 64)
	{
		uint32 end = Min(row + 64, rows->batch.nrows);
		uint64 bits = 0;

		for (uint32 i = row; i < end; i++)
			bits |= (uint64) (filter->ids[i] == EC_ID_WANTED) << (i - row);
		rows->keep[row / 64] &= bits;
	}
}

static void
filter_complete(EcRows *rows)
{
	uint32 nwords = EC_VALIDITY_WORDS(rows->batch.nrows);

	for (int column = 0; column < EC_EVENT_COLUMNS; column++)
	{
		const EcVector *v = ec_rows_vector(rows, column);

		if (v->nnulls == 0)
			continue;
		for (uint32 i = 0; i < nwords; i++)
			rows->keep[i] &= v->validity != NULL ? v->validity[i] : 0;
	}
}

/* Lists the rows whose bit is left. */
static void
select_rows(EcRows *rows)
{
	uint32 nwords = EC_VALIDITY_WORDS(rows->batch.nrows);
	uint32 n = 0;

	if (rows->batch.nrows % 64 != 0)
		rows->keep[nwords - 1] &= (UINT64CONST(1) << (rows->batch.nrows % 64)) - 1;
	for (uint32 i = 0; i < nwords; i++)
	{
		uint64 bits = rows->keep[i];

		for (; bits != 0; bits &= bits - 1)
			rows->selection[n++] = i * 64 + pg_rightmost_one_pos64(bits);
	}
	rows->n = n;
	rows->all = n == rows->batch.nrows;
}

void
ec_rows_filter(EcRows *rows)
{
	const EcArgs *args = &rows->args;

	if (!rows->time_filter && !args->filter_types && !args->complete_only &&
		args->category == NULL && args->brand == NULL)
	{
		rows->n = rows->batch.nrows;
		rows->all = true;
		return;
	}
	memset(rows->keep, 0xFF, sizeof(uint64) * KEEP_WORDS);
	if (args->complete_only)
		filter_complete(rows);
	if (rows->time_filter)
		filter_time(rows);
	if (args->filter_types)
		filter_types(rows);
	if (args->category != NULL)
		filter_text(rows, &rows->category_filter);
	if (args->brand != NULL)
		filter_text(rows, &rows->brand_filter);
	select_rows(rows);
}

bool
ec_rows_next(EcRows *rows)
{
	if (rows->source == NULL)
		return false;
	do
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(rows->batch_context);
		if (!ec_source_next(rows->source, &rows->batch))
			return false;
		ec_rows_filter(rows);
	} while (rows->n == 0);
	rows->sign = rows->batch.sign;
	return true;
}

void
ec_rows_narrow(EcRows *rows, const uint8 *keep)
{
	uint32 n = 0;

	for (uint32 i = 0; i < rows->n; i++)
	{
		rows->selection[n] = ec_rows_number(rows, i);
		n += keep[i] != 0;
	}
	rows->all = rows->all && n == rows->n;
	rows->n = n;
}

void
ec_rows_narrow_type(EcRows *rows, uint32 type)
{
	const uint32 *types = ec_rows_types(rows);
	uint32 n = 0;

	for (uint32 i = 0; i < rows->n; i++)
	{
		rows->selection[n] = ec_rows_number(rows, i);
		n += types[i] == type;
	}
	rows->all = rows->all && n == rows->n;
	rows->n = n;
}

/* ---- integers ---- */

/* numeric(p,0) may hold NaN, which no integer can. */
static void
check_not_nan(EcRows *rows, EcEventColumn column, const int64 *values)
{
	for (uint32 i = 0; i < rows->n; i++)
	{
		if (values[i] == EC_DECIMAL_NAN)
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
							errmsg("cannot convert NaN in column \"%s\" to bigint",
								   rows->events.names[column])));
	}
}

void
ec_rows_gather(const EcRows *rows, const EcVector *v, int64 *out)
{
	const int64 *values = v->values.i64;
	const uint32 *selection = rows->selection;
	uint32 n = rows->n;

	if (v->form == EC_FORM_CONST)
	{
		for (uint32 i = 0; i < n; i++)
			out[i] = values[0];
	}
	else if (v->form == EC_FORM_DICT && rows->all)
	{
		for (uint32 i = 0; i < n; i++)
			out[i] = values[v->codes[i]];
	}
	else if (v->form == EC_FORM_DICT)
	{
		for (uint32 i = 0; i < n; i++)
			out[i] = values[v->codes[selection[i]]];
	}
	else if (rows->all)
		memcpy(out, values, sizeof(int64) * n);
	else
	{
		for (uint32 i = 0; i < n; i++)
			out[i] = values[selection[i]];
	}
}

static void
copy_ints(EcRows *rows, EcIntColumn *ints, const EcVector *v)
{
	if (v->nnulls == 0)
	{
		ec_rows_gather(rows, v, ints->values);
		return;
	}
	for (uint32 i = 0; i < rows->n; i++)
	{
		uint32 row = ec_rows_number(rows, i);
		bool isnull = ec_vector_is_null(v, row);

		ints->nulls[i] = isnull;
		ints->values[i] = isnull ? 0 : ec_vector_int64(v, row);
	}
}

const int64 *
ec_rows_ints(EcRows *rows, EcIntColumn *ints, const uint8 **nulls)
{
	const EcVector *v = ec_rows_vector(rows, ints->column);
	const int64 *values = ints->values;

	if (rows->all && v->form == EC_FORM_FLAT && v->nnulls == 0)
		values = v->values.i64;
	else
		copy_ints(rows, ints, v);
	*nulls = v->nnulls > 0 ? ints->nulls : NULL;
	if (rows->batch.kinds[rows->indexes[ints->column]] == EC_KIND_DECIMAL)
		check_not_nan(rows, ints->column, values);
	return values;
}

static int64
date_to_time(int64 date)
{
	if (date == DATEVAL_NOBEGIN)
		return DT_NOBEGIN;
	if (date == DATEVAL_NOEND)
		return DT_NOEND;
	if (date >= TIMESTAMP_END_JULIAN - POSTGRES_EPOCH_JDATE)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("date out of range for timestamp")));
	return date * USECS_PER_DAY;
}

const int64 *
ec_rows_times(EcRows *rows, EcIntColumn *ints, const uint8 **nulls)
{
	const int64 *times = ec_rows_ints(rows, ints, nulls);

	if (rows->events.types[EC_COL_TIME].basetype != DATEOID)
		return times;
	for (uint32 i = 0; i < rows->n; i++)
		ints->values[i] = date_to_time(times[i]);
	return ints->values;
}
