/*
 * csv_text.c
 *	  One row of COPY's text format, byte by byte: rows with backslashes, and those
 *	  at the ends of a message.  Pure C.
 *
 * What core's COPY does: a backslash takes the byte behind it along, a newline or
 * delimiter too; NULL is told by the field's text before escapes are resolved.
 */
#include "ingest/csv_internal.h"

#include <string.h>

/* From at to what ends the field, over escapes; counts the newlines among those. */
static size_t
find_field_end(const EcCsv *csv, size_t at, EcCsvRow *row, bool *escaped)
{
	const EcCsvScan *scan = &csv->scan;

	*escaped = false;
	for (;;)
	{
		while (at < scan->len && !csv->stops_unquoted[scan->base[at]])
			at++;
		if (at == scan->len || scan->base[at] == scan->delimiter || scan->base[at] == '\n')
			return at;
		if (scan->base[at] == '\\')
		{
			*escaped = true;
			at++;
			row->lines += at < scan->len && scan->base[at] == '\n';
		}
		at += at < scan->len;
	}
}

/* Up to max digits of the base 8 or 16; *p goes behind them. */
static uint32_t
read_digits(const uint8_t **p, const uint8_t *end, int max, uint32_t base)
{
	uint32_t value = 0;

	while (max-- > 0 && *p < end)
	{
		uint8_t c = **p;
		uint32_t digit = c >= '0' && c <= '9'	? c - '0'
						 : c >= 'a' && c <= 'f' ? c - 'a' + 10
						 : c >= 'A' && c <= 'F' ? c - 'A' + 10
												: base;

		if (digit >= base)
			break;
		value = value * base + digit;
		(*p)++;
	}
	return value & 0xff;
}

/* The byte that an escape stands for, *p being behind its backslash; -1 if core must judge it. */
static int
read_escape(const uint8_t **p, const uint8_t *end)
{
	uint8_t c = *(*p)++;
	uint32_t value;

	switch (c)
	{
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		case 'v':
			return '\v';
		case 'x':
			if (*p < end &&
				((**p >= '0' && **p <= '9') || ((**p | 0x20) >= 'a' && (**p | 0x20) <= 'f')))
			{
				value = read_digits(p, end, 2, 16);
				return value == 0 || value >= 0x80 ? -1 : (int) value;
			}
			return c;
		default:
			break;
	}
	if (c < '0' || c > '7')
		return c;
	(*p)--;
	value = read_digits(p, end, 3, 8);
	return value == 0 || value >= 0x80 ? -1 : (int) value;
}

/* Keeps a copy of the field with its escapes resolved.  False: no memory. */
static bool
keep_unescaped(EcCsv *csv, EcCsvRow *row, size_t begin, size_t len)
{
	EcRowChunk *chunk = &csv->chunk;
	const uint8_t *p = csv->scan.base + begin;
	const uint8_t *end = p + len;
	size_t start = chunk->ncopied;

	if (!ec_chunk_reserve_copied(chunk, len))
		return false;
	while (p < end)
	{
		int c = *p++;

		if (c == '\\')
		{
			c = p < end ? read_escape(&p, end) : -1;
			if (c < 0)
				row->fault = EC_FAULT_SYNTAX;
		}
		chunk->copied[chunk->ncopied++] = (uint8_t) c;
	}
	ec_csv_keep_field(csv, row, start, chunk->ncopied - start, EC_CELL_QUOTED | EC_CELL_COPIED);
	return true;
}

/* A field as it stands there: NULL, or flagged as quoted. */
static bool
keep_text_field(EcCsv *csv, EcCsvRow *row, size_t begin, size_t len, bool escaped)
{
	if (len == csv->null_len &&
		(len == 0 || memcmp(csv->scan.base + begin, csv->options.null_text, len) == 0))
		ec_csv_keep_field(csv, row, begin, 0, 0);
	else if (escaped)
		return keep_unescaped(csv, row, begin, len);
	else
		ec_csv_keep_field(csv, row, begin, len, EC_CELL_QUOTED);
	return true;
}

/* As ec_csv_split_row. */
bool
ec_csv_split_text_row(EcCsv *csv, size_t begin, EcCsvRow *row)
{
	const EcCsvScan *scan = &csv->scan;
	size_t at = begin;
	EcFaultCode bytes;

	memset(row, 0, sizeof(*row));
	row->begin = begin;
	row->lines = 1;
	for (;;)
	{
		size_t start = at;
		size_t end;
		bool escaped;
		bool last;

		at = find_field_end(csv, at, row, &escaped);
		last = at == scan->len || scan->base[at] != scan->delimiter;
		end = last && at > start && scan->base[at - 1] == '\r' ? at - 1 : at;
		if (!keep_text_field(csv, row, start, end - start, escaped))
			return false;
		row->end = end;
		if (last)
			break;
		at++;
	}
	row->next = at < scan->len ? at + 1 : at;
	bytes = ec_csv_check_bytes(csv, scan->base + begin, row->end - begin);
	if (bytes != 0)
		row->fault = bytes;
	return true;
}
