/*
 * rowparse.c
 *	  Types the cells of a chunk of rows and hands the good rows to the builders.
 *	  Pure C; see rowparse_chunk.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ingest/rowparse_field.h"

const char *
ec_fault_reason(EcFaultCode code)
{
	switch (code)
	{
		case EC_FAULT_FIELD_COUNT:
			return "field_count";
		case EC_FAULT_OPEN_QUOTE:
			return "open_quote";
		case EC_FAULT_BAD_QUOTE:
			return "bad_quote";
		case EC_FAULT_BAD_LINE_END:
			return "bad_line_end";
		case EC_FAULT_ENCODING:
			return "invalid_encoding";
		case EC_FAULT_NUL_BYTE:
			return "nul_byte";
		case EC_FAULT_SYNTAX:
			return "invalid_value";
		case EC_FAULT_RANGE:
			return "out_of_range";
		case EC_FAULT_TOO_LONG:
			return "too_long";
		case EC_FAULT_NOT_NULL:
			return "not_null";
		case EC_FAULT_HEADER:
			return "bad_header";
		case EC_FAULT_TYPE_INPUT:
			return "type_input";
	}
	return "unknown";
}

static void *
chunk_alloc(EcRowChunk *chunk, size_t size)
{
	void *p = chunk->alloc.resize(chunk->alloc.ctx, NULL, size);

	if (p != NULL)
		memset(p, 0, size);
	else
		chunk->no_memory = true;
	return p;
}

static void
chunk_release(EcRowChunk *chunk, void *p)
{
	if (p != NULL)
		chunk->alloc.resize(chunk->alloc.ctx, p, 0);
}

/* The array that a column's values need; TEXT cells are appended as they are. */
static bool
typed_init(EcRowChunk *chunk, const EcRowColumn *col, EcTyped *typed)
{
	if (col->type == EC_FIELD_TEXT)
		return true;
	switch (col->phys)
	{
		case EC_PHYS_INT64:
			typed->i64 = chunk_alloc(chunk, EC_CHUNK_ROWS * sizeof(int64_t));
			return typed->i64 != NULL;
		case EC_PHYS_UUID:
			typed->uuid = chunk_alloc(chunk, EC_CHUNK_ROWS * sizeof(EcUuid));
			return typed->uuid != NULL;
		case EC_PHYS_BYTES:
			typed->bytes = chunk_alloc(chunk, EC_CHUNK_ROWS * sizeof(EcBytes));
			if (typed->bytes == NULL || col->type != EC_FIELD_NUMERIC)
				return typed->bytes != NULL;
			typed->room = chunk_alloc(chunk, EC_CHUNK_ROWS * EC_NUMERIC_ROOM);
			return typed->room != NULL;
	}
	return false;
}

bool
ec_chunk_init(EcRowChunk *chunk, const EcRowColumn *columns, int ncolumns, const EcAllocator *alloc)
{
	memset(chunk, 0, sizeof(*chunk));
	chunk->alloc = *alloc;
	chunk->ncolumns = ncolumns;
	chunk->day.text = ec_load8((const uint8_t *) "2000-01-");
	memcpy(&chunk->day.text2, "01", 2);
	chunk->columns = chunk_alloc(chunk, (size_t) ncolumns * sizeof(EcRowColumn) + 1);
	chunk->cells = chunk_alloc(chunk, (size_t) ncolumns * EC_CHUNK_ROWS * sizeof(EcCell) + 1);
	chunk->typed = chunk_alloc(chunk, (size_t) ncolumns * sizeof(EcTyped) + 1);
	chunk->faults = chunk_alloc(chunk, EC_CHUNK_ROWS * sizeof(EcRowFault));
	if (chunk->no_memory)
		return false;
	memcpy(chunk->columns, columns, (size_t) ncolumns * sizeof(EcRowColumn));
	for (int i = 0; i < ncolumns; i++)
	{
		if (!typed_init(chunk, &columns[i], &chunk->typed[i]))
			return false;
	}
	return true;
}

void
ec_chunk_free(EcRowChunk *chunk)
{
	for (int i = 0; chunk->typed != NULL && i < chunk->ncolumns; i++)
	{
		chunk_release(chunk, chunk->typed[i].i64);
		chunk_release(chunk, chunk->typed[i].bytes);
		chunk_release(chunk, chunk->typed[i].uuid);
		chunk_release(chunk, chunk->typed[i].room);
	}
	chunk_release(chunk, chunk->columns);
	chunk_release(chunk, chunk->cells);
	chunk_release(chunk, chunk->typed);
	chunk_release(chunk, chunk->faults);
	chunk_release(chunk, chunk->copied);
	chunk_release(chunk, chunk->scratch);
}

static bool
grow(EcRowChunk *chunk, void **p, size_t *size, size_t need)
{
	size_t want = need < 4096 ? 4096 : need + need / 2;
	void *q;

	if (need <= *size)
		return true;
	q = chunk->alloc.resize(chunk->alloc.ctx, *p, want);
	if (q == NULL)
	{
		chunk->no_memory = true;
		return false;
	}
	memset((char *) q + *size, 0, want - *size); /* the pad is read, if never used */
	*p = q;
	*size = want;
	return true;
}

bool
ec_chunk_reserve_copied(EcRowChunk *chunk, size_t need)
{
	return grow(chunk, (void **) &chunk->copied, &chunk->copied_size,
				chunk->ncopied + need + EC_CHUNK_PAD);
}

EcRowFault *
ec_chunk_fault(EcRowChunk *chunk, uint32_t row, int column)
{
	EcRowFault *fault;

	if (chunk->fault_of[row] != EC_CHUNK_NO_FAULT)
		return NULL;
	fault = &chunk->faults[chunk->nfaults];
	chunk->fault_of[row] = (int16_t) chunk->nfaults++;
	memset(fault, 0, sizeof(*fault));
	fault->row = chunk->refs[row].row;
	fault->line = chunk->lines[row];
	fault->begin = chunk->refs[row].begin;
	fault->end = chunk->refs[row].end;
	fault->column = column;
	return fault;
}

/*
 * The field as it appears in a message.  A long one is cut at a character's
 * beginning: of UTF-8, else behind an ASCII byte.
 */
static void
quote_value(char *out, size_t size, bool utf8, const uint8_t *p, uint32_t len)
{
	uint32_t n = len;

	if (n > 64)
	{
		n = 64;
		while (n > 0 && (utf8 ? (p[n] & 0xc0) == 0x80 : p[n - 1] >= 0x80))
			n--;
	}
	snprintf(out, size, "\"%.*s%s\"", (int) n, (const char *) p, n < len ? "..." : "");
}

static void
fault_text(EcRowFault *fault, const EcRowColumn *col, EcFieldStatus status, bool utf8,
		   const uint8_t *p, uint32_t len)
{
	char value[80];

	quote_value(value, sizeof(value), utf8, p, len);
	if (status == EC_FIELD_BAD_SYNTAX)
	{
		fault->code = EC_FAULT_SYNTAX;
		snprintf(fault->text, sizeof(fault->text),
				 "column \"%.64s\": invalid input syntax for type %.64s: %s", col->name,
				 col->type_name, value);
		return;
	}
	fault->code = EC_FAULT_RANGE;
	snprintf(fault->text, sizeof(fault->text),
			 "column \"%.64s\": value %s is out of range for type %.64s", col->name, value,
			 col->type_name);
}

static bool
set_value(EcTyped *typed, uint32_t row, const EcFieldValue *value)
{
	if (value->isnull)
		typed->nulls[row / 64] |= UINT64_C(1) << (row % 64);
	else if (typed->i64 != NULL)
		typed->i64[row] = value->i64;
	else if (typed->uuid != NULL)
		typed->uuid[row] = value->uuid;
	else
		typed->bytes[row] = value->bytes;
	return !value->isnull;
}

static void
not_null_fault(EcRowChunk *chunk, uint32_t row, int column)
{
	EcRowFault *fault = ec_chunk_fault(chunk, row, column);

	if (fault == NULL)
		return;
	fault->code = EC_FAULT_NOT_NULL;
	snprintf(fault->text, sizeof(fault->text),
			 "null value in column \"%.64s\" violates not-null constraint",
			 chunk->columns[column].name);
}

/* A field that the fast parsers did not take: the input function's turn, or a fault. */
static void __attribute__((noinline))
field_refused(EcRowChunk *chunk, int column, uint32_t row, EcFieldStatus status)
{
	const EcRowColumn *col = &chunk->columns[column];
	EcCell cell = ec_chunk_cells(chunk, column)[row];
	uint32_t len = cell.len & EC_CELL_LEN;
	EcRowFault *fault;
	EcRowFault refused;
	EcFieldValue value = {0};

	if (chunk->typed[column].i64 != NULL)
		chunk->typed[column].i64[row] = 0;
	if (chunk->fault_of[row] != EC_CHUNK_NO_FAULT)
		return;
	if (status == EC_FIELD_SLOW && col->input == NULL)
		status = EC_FIELD_BAD_SYNTAX;
	if (status != EC_FIELD_SLOW)
	{
		fault = ec_chunk_fault(chunk, row, column);
		fault_text(fault, col, status, chunk->utf8, ec_cell_text(chunk, cell), len);
		return;
	}
	if (!grow(chunk, (void **) &chunk->scratch, &chunk->scratch_size, (size_t) len + 1))
		return;
	memcpy(chunk->scratch, ec_cell_text(chunk, cell), len);
	chunk->scratch[len] = '\0';
	memset(&refused, 0, sizeof(refused));
	if (!col->input(col->input_arg, col, chunk->scratch, len, &value, &refused))
	{
		fault = ec_chunk_fault(chunk, row, column);
		fault->code = refused.code;
		memcpy(fault->text, refused.text, sizeof(fault->text));
	}
	else if (!set_value(&chunk->typed[column], row, &value) && col->not_null)
		not_null_fault(chunk, row, column);
}

static inline void
set_null(EcRowChunk *chunk, int column, uint32_t row)
{
	chunk->typed[column].nulls[row / 64] |= UINT64_C(1) << (row % 64);
	if (chunk->columns[column].not_null)
		not_null_fault(chunk, row, column);
}

void
ec_chunk_type_null(EcRowChunk *chunk, int column, uint32_t row)
{
	set_null(chunk, column, row);
}

void
ec_chunk_type_by_input(EcRowChunk *chunk, int column, uint32_t row)
{
	field_refused(chunk, column, row, EC_FIELD_SLOW);
}

/* The loop over a column, with the parser of its type inlined. */
#define TYPE_COLUMN(PARSE, RANGE_CHECK)                                                            \
	do                                                                                             \
	{                                                                                              \
		for (uint32_t row = 0; row < nrows; row++)                                                 \
		{                                                                                          \
			EcCell cell = cells[row];                                                              \
			uint32_t len = cell.len & EC_CELL_LEN;                                                 \
			const uint8_t *p = ec_cell_text(chunk, cell);                                          \
			EcFieldStatus status;                                                                  \
			if (cell.len == 0)                                                                     \
			{                                                                                      \
				set_null(chunk, column, row);                                                      \
				continue;                                                                          \
			}                                                                                      \
			status = PARSE;                                                                        \
			if (__builtin_expect(status != EC_FIELD_OK || (RANGE_CHECK), 0))                       \
				field_refused(chunk, column, row,                                                  \
							  status != EC_FIELD_OK ? status : EC_FIELD_BAD_RANGE);                \
		}                                                                                          \
	} while (0)

static void
type_int(EcRowChunk *chunk, int column)
{
	const EcCell *cells = ec_chunk_cells(chunk, column);
	int64_t *out = chunk->typed[column].i64;
	uint32_t nrows = chunk->nrows;
	int64_t min = chunk->columns[column].min;
	int64_t max = chunk->columns[column].max;

	TYPE_COLUMN(ec_field_int(p, len, &out[row]), out[row] < min || out[row] > max);
}

static void
type_decimal(EcRowChunk *chunk, int column)
{
	const EcCell *cells = ec_chunk_cells(chunk, column);
	int64_t *out = chunk->typed[column].i64;
	uint32_t nrows = chunk->nrows;
	int32_t precision = chunk->columns[column].precision;
	int32_t scale = chunk->columns[column].scale;

	TYPE_COLUMN(ec_field_decimal(p, len, precision, scale, &out[row]), false);
}

static void
type_time(EcRowChunk *chunk, int column)
{
	const EcCell *cells = ec_chunk_cells(chunk, column);
	const EcRowColumn *col = &chunk->columns[column];
	EcDayCache *day = &chunk->day;
	int64_t *out = chunk->typed[column].i64;
	uint32_t nrows = chunk->nrows;

	if (col->type == EC_FIELD_DATE)
		TYPE_COLUMN(ec_field_date(day, col, p, len, &out[row]), false);
	else
		TYPE_COLUMN(ec_field_timestamp(day, col, p, len, &out[row]), false);
}

/* Every value by the type's input function. */
static void
type_other(EcRowChunk *chunk, int column)
{
	const EcCell *cells = ec_chunk_cells(chunk, column);

	for (uint32_t row = 0; row < chunk->nrows; row++)
	{
		if (cells[row].len == 0)
			set_null(chunk, column, row);
		else
			field_refused(chunk, column, row, EC_FIELD_SLOW);
	}
}

static void
type_rarer(EcRowChunk *chunk, int column)
{
	const EcCell *cells = ec_chunk_cells(chunk, column);
	int64_t *out = chunk->typed[column].i64;
	EcUuid *uuid = chunk->typed[column].uuid;
	EcBytes *bytes = chunk->typed[column].bytes;
	uint8_t *room = chunk->typed[column].room;
	uint32_t nrows = chunk->nrows;

	switch (chunk->columns[column].type)
	{
		case EC_FIELD_BOOL:
			TYPE_COLUMN(ec_field_bool(p, len, &out[row]), false);
			break;
		case EC_FIELD_FLOAT4:
			TYPE_COLUMN(ec_field_float4(p, len, &out[row]), false);
			break;
		case EC_FIELD_FLOAT8:
			TYPE_COLUMN(ec_field_float8(p, len, &out[row]), false);
			break;
		case EC_FIELD_UUID:
			TYPE_COLUMN(ec_field_uuid(p, len, &uuid[row]), false);
			break;
		case EC_FIELD_NUMERIC:
			TYPE_COLUMN(ec_field_numeric(p, len, room + row * EC_NUMERIC_ROOM, &bytes[row]), false);
			break;
		default:
			type_other(chunk, column);
			break;
	}
}

/* Bytes of the first n characters of UTF-8 text, or UINT32_MAX if it has fewer. */
static uint32_t
utf8_bytes_of_chars(const uint8_t *p, uint32_t len, uint32_t n)
{
	for (uint32_t i = 0; i < len; i++)
	{
		if ((p[i] & 0xc0) != 0x80 && n-- == 0)
			return i;
	}
	return UINT32_MAX;
}

/* char(n): blanks up to the limit. */
static void
pad_text(EcRowChunk *chunk, int column, uint32_t row)
{
	EcCell *cell = &ec_chunk_cells(chunk, column)[row];
	uint32_t len = cell->len & EC_CELL_LEN;
	uint32_t missing = (uint32_t) chunk->columns[column].max_chars;
	const uint8_t *p = ec_cell_text(chunk, *cell);

	for (uint32_t i = 0; i < len && missing > 0; i++)
		missing -= (p[i] & 0xc0) != 0x80;
	if (missing == 0 || !ec_chunk_reserve_copied(chunk, (size_t) len + missing))
		return;
	memcpy(chunk->copied + chunk->ncopied, ec_cell_text(chunk, *cell), len);
	memset(chunk->copied + chunk->ncopied + len, ' ', missing);
	cell->begin = (uint32_t) chunk->ncopied;
	cell->len = (len + missing) | EC_CELL_QUOTED | EC_CELL_COPIED;
	chunk->ncopied += len + missing;
}

/* Blanks beyond the limit are dropped, as by varchar_input and bpchar_input; anything else is refused. */
static void
limit_text(EcRowChunk *chunk, int column, uint32_t row)
{
	const EcRowColumn *col = &chunk->columns[column];
	EcCell *cell = &ec_chunk_cells(chunk, column)[row];
	uint32_t len = cell->len & EC_CELL_LEN;
	const uint8_t *p = ec_cell_text(chunk, *cell);
	uint32_t keep = utf8_bytes_of_chars(p, len, (uint32_t) col->max_chars);
	EcRowFault *fault;

	if (keep == UINT32_MAX)
		return;
	for (uint32_t i = keep; i < len; i++)
	{
		if (p[i] == ' ')
			continue;
		fault = ec_chunk_fault(chunk, row, column);
		if (fault != NULL)
		{
			fault->code = EC_FAULT_TOO_LONG;
			snprintf(fault->text, sizeof(fault->text),
					 "column \"%.64s\": value too long for type %.64s", col->name, col->type_name);
		}
		return;
	}
	cell->len = (cell->len & ~EC_CELL_LEN) | keep;
}

static void
type_text(EcRowChunk *chunk, int column)
{
	const EcRowColumn *col = &chunk->columns[column];
	const EcCell *cells = ec_chunk_cells(chunk, column);

	if (col->max_chars == 0 && !col->not_null)
		return;
	for (uint32_t row = 0; row < chunk->nrows; row++)
	{
		if (cells[row].len == 0 && col->not_null)
			not_null_fault(chunk, row, column);
		if (col->max_chars > 0 && (cells[row].len & EC_CELL_LEN) > (uint32_t) col->max_chars)
			limit_text(chunk, column, row);
		if (col->pad && cells[row].len != 0)
			pad_text(chunk, column, row);
	}
}

void
ec_chunk_type(EcRowChunk *chunk, int column)
{
	memset(chunk->typed[column].nulls, 0, sizeof(chunk->typed[column].nulls));
	switch (chunk->columns[column].type)
	{
		case EC_FIELD_INT:
			type_int(chunk, column);
			break;
		case EC_FIELD_DECIMAL:
			type_decimal(chunk, column);
			break;
		case EC_FIELD_DATE:
		case EC_FIELD_TIMESTAMP:
		case EC_FIELD_TIMESTAMPTZ:
			type_time(chunk, column);
			break;
		case EC_FIELD_TEXT:
			type_text(chunk, column);
			break;
		default:
			type_rarer(chunk, column);
			break;
	}
}

void
ec_chunk_type_absent(EcRowChunk *chunk, int column)
{
	memset(ec_chunk_cells(chunk, column), 0, chunk->nrows * sizeof(EcCell));
	memset(chunk->typed[column].nulls, 0xff, sizeof(chunk->typed[column].nulls));
	if (!chunk->columns[column].not_null)
		return;
	for (uint32_t row = 0; row < chunk->nrows; row++)
		not_null_fault(chunk, row, column);
}

static bool
append_text(const EcRowChunk *chunk, int column, const uint16_t *rows, uint32_t n, EcBuilder *b)
{
	const EcCell *cells = ec_chunk_cells(chunk, column);
	EcBytes values[EC_CHUNK_ROWS];

	for (uint32_t i = 0; i < n; i++)
	{
		EcCell cell = cells[rows[i]];

		values[i].ptr = cell.len == 0 ? NULL : ec_cell_text(chunk, cell);
		values[i].len = cell.len & EC_CELL_LEN;
	}
	return ec_builder_append_texts(b, values, n);
}

static bool
append_typed(const EcTyped *typed, const uint16_t *rows, uint32_t n, EcBuilder *b)
{
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t row = rows[i];
		bool ok;

		if (typed->nulls[row / 64] >> (row % 64) & 1)
			ok = ec_builder_append_null(b);
		else if (typed->i64 != NULL)
			ok = ec_builder_append_int64(b, typed->i64[row]);
		else
			ok = ec_builder_append_uuid(b, &typed->uuid[row]);
		if (!ok)
			return false;
	}
	return true;
}

static bool
append_bytes(const EcTyped *typed, const uint16_t *rows, uint32_t n, EcBuilder *b)
{
	EcBytes values[EC_CHUNK_ROWS];

	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t row = rows[i];

		values[i] = typed->bytes[row];
		if (typed->nulls[row / 64] >> (row % 64) & 1)
			values[i].ptr = NULL;
	}
	return ec_builder_append_texts(b, values, n);
}

static bool
has_nulls(const EcTyped *typed)
{
	uint64_t any = 0;

	for (int i = 0; i < EC_CHUNK_ROWS / 64; i++)
		any |= typed->nulls[i];
	return any != 0;
}

bool
ec_chunk_append(EcRowChunk *chunk, uint32_t nrows, EcBuilder **builders)
{
	uint16_t rows[EC_CHUNK_ROWS];
	uint32_t n = 0;

	for (uint32_t row = 0; row < nrows; row++)
	{
		rows[n] = (uint16_t) row;
		n += (chunk->fault_of[row] == EC_CHUNK_NO_FAULT);
	}
	for (int i = 0; i < chunk->ncolumns; i++)
	{
		EcTyped *typed = &chunk->typed[i];
		EcBuilder *b = builders[chunk->columns[i].target];
		bool ok;

		if (chunk->columns[i].type == EC_FIELD_TEXT)
			ok = append_text(chunk, i, rows, n, b);
		else if (n == nrows && typed->i64 != NULL && !has_nulls(typed))
			ok = ec_builder_append_int64s(b, typed->i64, n);
		else if (typed->bytes != NULL)
			ok = append_bytes(typed, rows, n, b);
		else
			ok = append_typed(typed, rows, n, b);
		if (!ok)
			return false;
	}
	return true;
}

void
ec_chunk_clear(EcRowChunk *chunk)
{
	chunk->nrows = 0;
	chunk->nfaults = 0;
	chunk->ncopied = 0;
}
