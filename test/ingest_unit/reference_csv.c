/*
 * reference_csv.c
 *	  See reference.h.  Reads a row at a time, a byte at a time.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "reference.h"

typedef struct Row
{
	int nfields; /* all of them; the first REF_MAX_FIELDS are kept */
	char *text[REF_MAX_FIELDS];
	size_t len[REF_MAX_FIELDS];
	bool quoted[REF_MAX_FIELDS];
	EcFaultCode fault;
	size_t end;
	size_t next;
} Row;

void
ref_init(RefStream *s, const EcCsvOptions *options, const EcRowColumn *columns, int ncolumns)
{
	s->options = *options;
	s->columns = columns;
	s->ncolumns = s->nfields = ncolumns;
	for (int i = 0; i < ncolumns; i++)
		s->column_of[i] = i;
}

/* UTF-8 by decoding: shortest form, no surrogates, up to U+10FFFF. */
static bool
utf8(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *) text;

	for (size_t i = 0; i < len;)
	{
		unsigned c = p[i];
		int n = c < 0x80				? 1
				: c >= 0xf0 && c < 0xf8 ? 4
				: c >= 0xe0 && c < 0xf0 ? 3
				: c >= 0xc0 && c < 0xe0 ? 2
										: 0;
		unsigned long v = n == 1 ? c : n == 2 ? c & 0x1f : n == 3 ? c & 0xf : c & 7;

		if (n == 0 || i + (size_t) n > len)
			return false;
		for (int k = 1; k < n; k++)
		{
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
			v = v << 6 | (p[i + k] & 0x3f);
		}
		if ((n == 2 && v < 0x80) || (n == 3 && v < 0x800) || (n == 4 && v < 0x10000) ||
			v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
			return false;
		i += (size_t) n;
	}
	return true;
}

static void
first_fault(Row *row, EcFaultCode code)
{
	if (row->fault == 0)
		row->fault = code;
}

static void
read_row(const RefStream *s, const char *m, size_t len, size_t at, char eol, Row *row)
{
	size_t begin = at;
	char quote = s->options.quote;

	memset(row, 0, sizeof(*row));
	for (;;)
	{
		size_t size = 64;
		char *text = malloc(size);
		size_t n = 0;
		bool quoted = false;
		bool closed = false;
		bool ended = false;

		/* one field */
		while (at < len)
		{
			char c = m[at];

			if (n + 1 >= size)
				text = realloc(text, size *= 2);
			if (quoted && !closed)
			{
				if (c != quote)
					text[n++] = c;
				else if (at + 1 < len && m[at + 1] == quote)
					text[n++] = m[at++];
				else
					closed = true;
				at++;
				continue;
			}
			if (c == s->options.delimiter || c == eol)
				break;
			if (c == '\r' && (at + 1 == len || m[at + 1] == eol))
				break;
			if (c == quote && quote != '\0' && n == 0 && !quoted)
			{
				quoted = true;
				at++;
				continue;
			}
			if (closed || (c == quote && quote != '\0'))
				first_fault(row, EC_FAULT_BAD_QUOTE);
			else if (c == '\r')
				first_fault(row, EC_FAULT_BAD_LINE_END);
			text[n++] = c;
			at++;
		}
		if (quoted && !closed)
			row->fault = EC_FAULT_OPEN_QUOTE;
		if (row->nfields < REF_MAX_FIELDS)
		{
			row->text[row->nfields] = text;
			row->len[row->nfields] = n;
			row->quoted[row->nfields] = quoted;
		}
		else
			free(text);
		row->nfields++;
		ended = at >= len || m[at] != s->options.delimiter;
		if (ended)
			break;
		at++;
	}
	row->end = row->next = at;
	if (at < len)
		row->next += m[at] == '\r' && eol == '\n' ? (at + 1 < len ? 2 : 1) : 1;
	if (memchr(m + begin, 0, at - begin) != NULL)
		row->fault = EC_FAULT_NUL_BYTE;
	else if (!utf8(m + begin, at - begin))
		row->fault = EC_FAULT_ENCODING;
}

static void
free_row(Row *row)
{
	for (int i = 0; i < row->nfields && i < REF_MAX_FIELDS; i++)
		free(row->text[i]);
}

static int
column_named(const RefStream *s, const char *p, size_t len)
{
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3, len -= 3;
	while (len > 0 && (*p == ' ' || *p == '\t'))
		p++, len--;
	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	for (int i = 0; i < s->ncolumns; i++)
	{
		if (strlen(s->columns[i].name) == len && strncasecmp(s->columns[i].name, p, len) == 0)
			return i;
	}
	return -1;
}

/* A value in the first column of integers or UUIDs that the order in force has. */
static bool
has_number(const RefStream *s, const Row *row)
{
	int first = s->ncolumns;
	int field = -1;
	RefText ignored = {0};
	EcFaultCode code = EC_FAULT_SYNTAX;

	for (int i = 0; i < s->nfields; i++)
	{
		int c = s->column_of[i];

		if (c >= 0 && c < first &&
			(s->columns[c].type == EC_FIELD_INT || s->columns[c].type == EC_FIELD_UUID))
		{
			first = c;
			field = i;
		}
	}
	if (field >= 0)
		(void) ref_value(&s->columns[first], row->text[field], row->len[field], &ignored, &code);
	free(ignored.data);
	return code == 0;
}

static bool
is_header(const RefStream *s, const Row *row, bool expected)
{
	int names = 0;

	if (row->fault != 0 || row->nfields > REF_MAX_FIELDS)
		return false;
	for (int i = 0; i < row->nfields; i++)
		names += column_named(s, row->text[i], row->len[i]) >= 0;
	if (expected)
		return names > 0;
	if (row->nfields == s->nfields && has_number(s, row))
		return false;
	return names > 0 && (2 * names > row->nfields || names >= s->ncolumns);
}

static void
take_header(RefStream *s, const Row *row)
{
	bool seen[REF_MAX_COLUMNS] = {false};

	s->nfields = row->nfields;
	for (int i = 0; i < row->nfields; i++)
	{
		int c = column_named(s, row->text[i], row->len[i]);

		s->column_of[i] = c >= 0 && !seen[c] ? c : -1;
		if (c >= 0)
			seen[c] = true;
	}
}

/* The row's values in the columns' order, or the first fault in the fields' order. */
static EcFaultCode
row_values(const RefStream *s, const Row *row, RefText *out)
{
	RefText values[REF_MAX_COLUMNS] = {{0}};
	bool given[REF_MAX_COLUMNS] = {false};
	EcFaultCode code = row->fault;

	if (code == 0 && row->nfields != s->nfields)
		code = EC_FAULT_FIELD_COUNT;
	for (int i = 0; i < s->nfields && code == 0; i++)
	{
		int c = s->column_of[i];

		if (c < 0)
			continue;
		given[c] = true;
		if (row->len[i] > 0 || row->quoted[i])
			(void) ref_value(&s->columns[c], row->text[i], row->len[i], &values[c], &code);
		else if (s->columns[c].not_null)
			code = EC_FAULT_NOT_NULL;
		else
			ref_append(&values[c], "\\N", 2);
	}
	for (int c = 0; c < s->ncolumns && code == 0; c++)
	{
		if (!given[c] && s->columns[c].not_null)
			code = EC_FAULT_NOT_NULL;
		else if (!given[c])
			ref_append(&values[c], "\\N", 2);
		ref_append(out, "|", 1);
		ref_append(out, values[c].data, values[c].len);
	}
	for (int c = 0; c < s->ncolumns; c++)
		free(values[c].data);
	return code;
}

void
ref_message(RefStream *s, const char *m, size_t len, RefText *out, EcCsvResult *counts)
{
	size_t at = len >= 3 && memcmp(m, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	char eol = memchr(m, '\n', len) == NULL && memchr(m, '\r', len) != NULL ? '\r' : '\n';
	bool wanted = s->options.header == EC_CSV_HEADER_PRESENT;
	uint32_t number = 0;
	Row row;

	memset(counts, 0, sizeof(*counts));
	for (; at < len; at = row.next, free_row(&row))
	{
		bool expected = wanted;
		RefText values = {0};
		EcFaultCode code;

		read_row(s, m, len, at, eol, &row);
		if (row.end == at)
		{
			counts->blanks++;
			continue;
		}
		wanted = false;
		if ((expected || s->options.header == EC_CSV_HEADER_AUTO) && is_header(s, &row, expected))
		{
			counts->headers++;
			take_header(s, &row);
			continue;
		}
		if (expected)
			first_fault(&row, EC_FAULT_HEADER);
		number++;
		code = row_values(s, &row, &values);
		if (code == 0)
		{
			counts->rows++;
			ref_printf(out, "row %u [%zu,%zu): ", number, at, row.end);
			ref_append(out, values.data, values.len);
		}
		else
		{
			counts->faults++;
			ref_printf(out, "fault %u [%zu,%zu): %s", number, at, row.end, ec_fault_reason(code));
		}
		ref_append(out, "\n", 1);
		free(values.data);
	}
}
