/*
 * csv_row.c
 *	  One CSV row, byte by byte: rows with quotes, the first of a message, the
 *	  last, and those that are wrong.  Pure C.
 *
 * A fault does not stop the splitting: the row's end is found by the same rules,
 * so that the next row is read as if nothing had happened.
 */
#include "ingest/csv_internal.h"
#include "ingest/rowparse_field.h"

#include <stdio.h>
#include <string.h>

/* Bytes of the character at p, 0 if it is not valid: the table of RFC 3629. */
static inline size_t
utf8_char_len(const uint8_t *p, size_t len)
{
	uint8_t low = 0x80;
	uint8_t high = 0xbf;
	size_t n;

	if (*p < 0x80)
		return 1;
	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	n = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	if (*p == 0xe0)
		low = 0xa0; /* overlong */
	else if (*p == 0xed)
		high = 0x9f; /* surrogates */
	else if (*p == 0xf0)
		low = 0x90; /* overlong */
	else if (*p == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	if (len < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
	{
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

bool
ec_utf8_valid(const uint8_t *p, size_t len)
{
	while (len > 0)
	{
		size_t n = utf8_char_len(p, len);

		if (n == 0)
			return false;
		p += n;
		len -= n;
		while (len >= 8 && ec_ascii_without_nul(p, 8))
		{
			p += 8;
			len -= 8;
		}
	}
	return true;
}

/* 0 if the row's bytes are good. */
EcFaultCode
ec_csv_check_bytes(const EcCsv *csv, const uint8_t *p, size_t len)
{
	if (ec_ascii_without_nul(p, len))
		return 0;
	if (memchr(p, 0, len) != NULL)
		return EC_FAULT_NUL_BYTE;
	if (csv->options.verify != NULL
			? !csv->options.verify(csv->options.verify_arg, p, (uint32_t) len)
			: !ec_utf8_valid(p, len))
		return EC_FAULT_ENCODING;
	return 0;
}

void
ec_csv_keep_field(EcCsv *csv, EcCsvRow *row, size_t begin, size_t len, uint32_t flags)
{
	if (row->nfields < EC_CSV_FIELDS_MAX)
	{
		csv->fields[row->nfields].begin = (uint32_t) begin;
		csv->fields[row->nfields].len = (uint32_t) len | flags;
	}
	row->nfields++;
}

/* True at a line's end; *size gets its bytes.  A CR at the very end of the data is one too. */
static bool
at_line_end(const EcCsvScan *scan, size_t at, size_t *size)
{
	*size = 0;
	if (at == scan->len)
		return true;
	*size = 1;
	if (scan->base[at] == scan->line_end)
		return true;
	if (scan->base[at] != '\r')
		return false;
	if (at + 1 == scan->len)
		return true;
	*size = 2;
	return scan->base[at + 1] == '\n';
}

/* Text up to the next delimiter or line end; returns where it stops. */
static size_t
skip_unquoted(const EcCsv *csv, EcCsvRow *row, size_t at)
{
	const EcCsvScan *scan = &csv->scan;
	size_t size;

	for (;;)
	{
		while (at < scan->len && !csv->stops_unquoted[scan->base[at]])
			at++;
		if (at == scan->len || scan->base[at] == scan->delimiter || at_line_end(scan, at, &size))
			return at;
		if (row->fault == 0)
			row->fault = scan->base[at] == '\r' ? EC_FAULT_BAD_LINE_END : EC_FAULT_BAD_QUOTE;
		at++;
	}
}

/* Does an escape stand here that belongs to the character behind it? */
static inline bool
is_escape(const EcCsvScan *scan, const uint8_t *p, const uint8_t *limit)
{
	return *p == scan->escape && p + 1 < limit && (p[1] == scan->escape || p[1] == scan->quote);
}

/* The closing quote where escapes are other characters than quotes. */
static size_t
find_unescaped_quote(const EcCsvScan *scan, size_t begin, uint32_t *nescapes)
{
	const uint8_t *limit = scan->base + scan->len;
	const uint8_t *p = scan->base + begin;

	while (p < limit && *p != scan->quote)
	{
		bool escape = is_escape(scan, p, limit);

		*nescapes += escape;
		p += escape ? 2 : 1;
	}
	return (size_t) (p - scan->base);
}

/* The closing quote of a field whose text begins at begin; scan->len if there is none. */
static size_t
find_closing_quote(const EcCsvScan *scan, size_t begin, uint32_t *nescapes)
{
	size_t at = begin;

	*nescapes = 0;
	if (scan->escape != scan->quote)
		return find_unescaped_quote(scan, begin, nescapes);
	for (;;)
	{
		const uint8_t *q = memchr(scan->base + at, scan->quote, scan->len - at);

		if (q == NULL)
			return scan->len;
		at = (size_t) (q - scan->base);
		if (at + 1 >= scan->len || q[1] != scan->quote)
			return at;
		(*nescapes)++;
		at += 2;
	}
}

/* Copies a quoted field's text without its escapes. */
static bool
copy_unescaped(EcCsv *csv, EcCsvRow *row, size_t begin, size_t end)
{
	EcRowChunk *chunk = &csv->chunk;
	const uint8_t *p = csv->scan.base + begin;
	const uint8_t *limit = csv->scan.base + end;
	size_t start = chunk->ncopied;

	if (!ec_chunk_reserve_copied(chunk, end - begin))
		return false;
	while (p < limit)
	{
		p += is_escape(&csv->scan, p, limit);
		chunk->copied[chunk->ncopied++] = *p++;
	}
	ec_csv_keep_field(csv, row, start, chunk->ncopied - start, EC_CELL_QUOTED | EC_CELL_COPIED);
	return true;
}

static uint32_t
count_lines(const EcCsvScan *scan, size_t begin, size_t end)
{
	uint32_t n = 0;

	for (; begin < end; begin++)
		n += scan->base[begin] == scan->line_end;
	return n;
}

/* The field whose opening quote stands at at; *stop gets where it ends.  False: no memory. */
static bool
split_quoted(EcCsv *csv, EcCsvRow *row, size_t at, size_t *stop)
{
	const EcCsvScan *scan = &csv->scan;
	size_t begin = at + 1;
	uint32_t nescapes;
	size_t end = find_closing_quote(scan, begin, &nescapes);
	size_t size;

	row->lines += count_lines(scan, begin, end);
	if (end == scan->len)
	{
		row->fault = EC_FAULT_OPEN_QUOTE;
		*stop = end;
		return true;
	}
	*stop = end + 1;
	if (*stop < scan->len && scan->base[*stop] != scan->delimiter &&
		!at_line_end(scan, *stop, &size))
	{
		if (row->fault == 0)
			row->fault = EC_FAULT_BAD_QUOTE;
		*stop = skip_unquoted(csv, row, *stop);
	}
	if (nescapes > 0)
		return copy_unescaped(csv, row, begin, end);
	ec_csv_keep_field(csv, row, begin, end - begin, EC_CELL_QUOTED);
	return true;
}

/*
 * Cells of a column as they were split, flagged as quoted or not, become cells as the
 * chunk knows them: NULL, or flagged as quoted.
 */
void
ec_csv_judge_nulls(const EcCsv *csv, int column, EcCell *cells, uint32_t n)
{
	const char *null_text = csv->options.null_text;
	uint32_t force = csv->options.force != NULL ? csv->options.force[column] : 0;

	for (uint32_t i = 0; i < n; i++)
	{
		bool quoted = (cells[i].len & EC_CELL_QUOTED) != 0;
		bool matches = (cells[i].len & EC_CELL_LEN) == csv->null_len &&
					   (csv->null_len == 0 ||
						memcmp(ec_cell_text(&csv->chunk, cells[i]), null_text, csv->null_len) == 0);

		if (matches &&
			(quoted ? (force & EC_CSV_FORCE_NULL) != 0 : (force & EC_CSV_FORCE_NOT_NULL) == 0))
			cells[i].len = 0;
		else
			cells[i].len |= EC_CELL_QUOTED;
	}
}

/* Splits the row at begin (< scan.len) into csv->fields.  False only if there is no memory. */
bool
ec_csv_split_row(EcCsv *csv, size_t begin, EcCsvRow *row)
{
	const EcCsvScan *scan = &csv->scan;
	size_t at = begin;
	size_t size;
	EcFaultCode bytes;

	if (csv->options.text)
		return ec_csv_split_text_row(csv, begin, row);
	memset(row, 0, sizeof(*row));
	row->begin = begin;
	row->lines = 1;
	for (;;)
	{
		size_t start = at;

		if (scan->quoting && at < scan->len && scan->base[at] == scan->quote)
		{
			if (!split_quoted(csv, row, at, &at))
				return false;
		}
		else
		{
			at = skip_unquoted(csv, row, at);
			ec_csv_keep_field(csv, row, start, at - start, 0);
		}
		if (at == scan->len || scan->base[at] != scan->delimiter)
			break;
		at++;
	}
	(void) at_line_end(scan, at, &size);
	row->end = at;
	row->next = at + size;
	bytes = ec_csv_check_bytes(csv, scan->base + begin, at - begin);
	if (bytes != 0)
		row->fault = bytes;
	return true;
}

static void
structural_fault_text(EcRowFault *fault, const EcCsv *csv, const EcCsvRow *row)
{
	switch (fault->code)
	{
		case EC_FAULT_OPEN_QUOTE:
			snprintf(fault->text, sizeof(fault->text), "quoted field is not closed");
			break;
		case EC_FAULT_BAD_QUOTE:
			snprintf(fault->text, sizeof(fault->text),
					 "quote inside an unquoted field, or text after a closing quote");
			break;
		case EC_FAULT_BAD_LINE_END:
			snprintf(fault->text, sizeof(fault->text),
					 "carriage return that does not end the line");
			break;
		case EC_FAULT_ENCODING:
			snprintf(fault->text, sizeof(fault->text),
					 "invalid byte sequence for the database encoding");
			break;
		case EC_FAULT_NUL_BYTE:
			snprintf(fault->text, sizeof(fault->text), "row contains a NUL byte");
			break;
		case EC_FAULT_HEADER:
			snprintf(fault->text, sizeof(fault->text),
					 "header expected, but the line names no column of the target");
			break;
		default:
			snprintf(fault->text, sizeof(fault->text), "row has %u fields, expected %d",
					 row->nfields, csv->nfields);
			break;
	}
}

/* Adds a split row to the chunk (which has room): its cells, or its fault. */
void
ec_csv_row_to_chunk(EcCsv *csv, const EcCsvRow *row)
{
	EcRowChunk *chunk = &csv->chunk;
	uint32_t r = chunk->nrows++;
	EcFaultCode code = row->fault;
	EcRowFault *fault;

	chunk->refs[r].row = ++csv->row;
	chunk->refs[r].begin = (uint32_t) (csv->region_offset + row->begin);
	chunk->refs[r].end = (uint32_t) (csv->region_offset + row->end);
	chunk->lines[r] = csv->line;
	csv->blanks_before[r] = csv->result->blanks;
	chunk->fault_of[r] = EC_CHUNK_NO_FAULT;
	if (code == 0 && row->nfields != (uint32_t) csv->nfields)
		code = EC_FAULT_FIELD_COUNT;
	for (int i = 0; i < chunk->ncolumns; i++)
	{
		int field = csv->column_field[i];

		if (code == 0 && field >= 0)
		{
			ec_chunk_cells(chunk, i)[r] = csv->fields[field];
			if (csv->judge_nulls && !csv->options.text)
				ec_csv_judge_nulls(csv, i, &ec_chunk_cells(chunk, i)[r], 1);
		}
		else
			memset(&ec_chunk_cells(chunk, i)[r], 0, sizeof(EcCell));
	}
	if (code == 0)
		return;
	fault = ec_chunk_fault(chunk, r, -1);
	fault->code = code;
	structural_fault_text(fault, csv, row);
}
