/*
 * csv_header.c
 *	  The order of a stream's fields: recognising header lines, keeping their names.
 *	  Pure C.
 */
#include "ingest/csv_internal.h"
#include "ingest/rowparse_field.h"

#include <string.h>

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Drops blanks around a name, and a byte order mark before it (files get concatenated). */
static void
trim_name(const uint8_t **p, size_t *len)
{
	if (*len >= 3 && memcmp(*p, "\xef\xbb\xbf", 3) == 0)
	{
		*p += 3;
		*len -= 3;
	}
	while (*len > 0 && is_blank(**p))
	{
		(*p)++;
		(*len)--;
	}
	while (*len > 0 && is_blank((*p)[*len - 1]))
		(*len)--;
}

static uint8_t
fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool
same_name(const uint8_t *p, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++)
	{
		if (name[i] == '\0' || fold(p[i]) != fold((uint8_t) name[i]))
			return false;
	}
	return name[len] == '\0';
}

/* Index of the column with that name, -1 if there is none. */
static int
find_column(const EcCsv *csv, const uint8_t *p, size_t len)
{
	trim_name(&p, &len);
	if (len == 0 || (csv->name_lengths >> (len < 63 ? len : 63) & 1) == 0)
		return -1;
	for (int i = 0; i < csv->chunk.ncolumns; i++)
	{
		if (same_name(p, len, csv->chunk.columns[i].name))
			return i;
	}
	return -1;
}

/* Enough names to be a header?  See csv.h. */
static bool
names_suffice(const EcCsv *csv, uint32_t nnames, uint32_t nfields)
{
	return nnames > 0 && (nnames * 2 > nfields || nnames >= (uint32_t) csv->chunk.ncolumns);
}

/* Does the row just split hold a number (or UUID) where the order in force has one? */
static bool
has_probe_value(const EcCsv *csv, const EcCsvRow *row)
{
	const EcRowColumn *col;
	const uint8_t *p;
	EcCell cell;
	EcUuid uuid;
	int64_t value;

	if (csv->probe_column < 0 || row->nfields != (uint32_t) csv->nfields)
		return false;
	col = &csv->chunk.columns[csv->probe_column];
	cell = csv->fields[csv->column_field[csv->probe_column]];
	p = ec_cell_text(&csv->chunk, cell);
	if (col->type == EC_FIELD_UUID)
		return ec_field_uuid(p, cell.len & EC_CELL_LEN, &uuid) == EC_FIELD_OK;
	return ec_field_int(p, cell.len & EC_CELL_LEN, &value) == EC_FIELD_OK && value >= col->min &&
		   value <= col->max;
}

/*
 * expected: the line should be a header, so one name is enough.  The loop ends as
 * soon as names cannot suffice any more.
 */
bool
ec_csv_is_header(EcCsv *csv, const EcCsvRow *row, bool expected)
{
	uint32_t nfields = row->nfields;
	uint32_t nnames = 0;

	if (row->fault != 0 || nfields > EC_CSV_FIELDS_MAX || (!expected && has_probe_value(csv, row)))
		return false;
	for (uint32_t i = 0; i < nfields; i++)
	{
		EcCell cell = csv->fields[i];

		if (find_column(csv, ec_cell_text(&csv->chunk, cell), cell.len & EC_CELL_LEN) >= 0)
			nnames++;
		else if (!expected && !names_suffice(csv, nnames + (nfields - i - 1), nfields))
			return false;
	}
	return expected ? nnames > 0 : names_suffice(csv, nnames, nfields);
}

/* A quick look at a row without quotes: false if it surely is no header. */
bool
ec_csv_maybe_header(const EcCsv *csv, const uint8_t *base, size_t begin, const uint32_t *marks,
					uint32_t nmarks)
{
	uint32_t nnames = 0;

	for (uint32_t i = 0; i < nmarks; i++)
	{
		size_t len = marks[i] - begin;

		if (len > 0 && base[begin + len - 1] == '\r')
			len--;
		if (find_column(csv, base + begin, len) >= 0)
			nnames++;
		else if (!names_suffice(csv, nnames + (nmarks - i - 1), nmarks))
			return false;
		begin = marks[i] + 1;
	}
	return true;
}

/* The nth of the names that stand one after the other. */
static const char *
nth_name(const char *names, int n)
{
	while (n-- > 0)
		names += strlen(names) + 1;
	return names;
}

/* Puts nfields names (owned by csv from here on; NULL: the column list's) into force. */
static bool
install_names(EcCsv *csv, char *names, int nfields)
{
	int *field_column = ec_csv_alloc(csv, (size_t) nfields + 1, sizeof(int));
	const char *name = names;

	if (field_column == NULL)
	{
		ec_csv_release(csv, names);
		return false;
	}
	for (int i = 0; i < csv->chunk.ncolumns; i++)
		csv->column_field[i] = -1;
	for (int field = 0; field < nfields; field++)
	{
		int column = field;

		if (names != NULL)
		{
			column = find_column(csv, (const uint8_t *) name, strlen(name));
			name += strlen(name) + 1;
			if (column >= 0 && csv->column_field[column] >= 0)
				column = -1; /* of a name given twice the first counts */
		}
		field_column[field] = column;
		if (column >= 0)
			csv->column_field[column] = field;
	}
	ec_csv_release(csv, csv->field_column);
	ec_csv_release(csv, csv->names);
	csv->field_column = field_column;
	csv->names = names;
	csv->nfields = nfields;

	csv->probe_column = -1;
	for (int i = csv->chunk.ncolumns - 1; i >= 0; i--)
	{
		EcFieldType type = csv->chunk.columns[i].type;

		if (csv->column_field[i] >= 0 && (type == EC_FIELD_INT || type == EC_FIELD_UUID))
			csv->probe_column = i;
	}
	return true;
}

bool
ec_csv_reset_header(EcCsv *csv)
{
	return install_names(csv, NULL, csv->chunk.ncolumns);
}

static bool
same_order(const EcCsv *csv, const char *names, int nfields)
{
	const char *name = names;

	if (nfields != csv->nfields)
		return false;
	for (int i = 0; i < nfields; i++)
	{
		if (strcmp(name, ec_csv_header_name(csv, i)) != 0)
			return false;
		name += strlen(name) + 1;
	}
	return true;
}

/* The header line just split comes into force.  False only if there is no memory. */
bool
ec_csv_take_header(EcCsv *csv, const EcCsvRow *row)
{
	char *names = ec_csv_alloc(csv, row->end - row->begin + row->nfields + 1, 1);
	char *out = names;

	if (names == NULL)
		return false;
	for (uint32_t i = 0; i < row->nfields; i++)
	{
		EcCell cell = csv->fields[i];
		const uint8_t *p = ec_cell_text(&csv->chunk, cell);
		size_t len = cell.len & EC_CELL_LEN;

		trim_name(&p, &len);
		memcpy(out, p, len);
		out += len;
		*out++ = '\0';
	}
	if (same_order(csv, names, (int) row->nfields))
	{
		ec_csv_release(csv, names);
		return true;
	}
	csv->header_serial++;
	return install_names(csv, names, (int) row->nfields);
}

bool
ec_csv_set_header(EcCsv *csv, const char *const *names, int nfields)
{
	size_t size = 1;
	char *copy;
	char *out;

	if (nfields <= 0 || nfields > EC_CSV_FIELDS_MAX)
		return ec_csv_reset_header(csv);
	for (int i = 0; i < nfields; i++)
		size += strlen(names[i]) + 1;
	copy = ec_csv_alloc(csv, size, 1);
	if (copy == NULL)
		return false;
	out = copy;
	for (int i = 0; i < nfields; i++)
	{
		memcpy(out, names[i], strlen(names[i]) + 1);
		out += strlen(names[i]) + 1;
	}
	return install_names(csv, copy, nfields);
}

uint32_t
ec_csv_header_serial(const EcCsv *csv)
{
	return csv->header_serial;
}

int
ec_csv_header_fields(const EcCsv *csv)
{
	return csv->nfields;
}

const char *
ec_csv_header_name(const EcCsv *csv, int field)
{
	if (csv->names == NULL)
		return csv->chunk.columns[field].name;
	return nth_name(csv->names, field);
}

bool
ec_csv_has_column(const EcCsv *csv, int column)
{
	return csv->column_field[column] >= 0;
}

bool
ec_csv_uses_field(const EcCsv *csv, int field)
{
	return csv->field_column[field] >= 0;
}

int
ec_csv_columns(const EcCsv *csv)
{
	return csv->chunk.ncolumns;
}

const char *
ec_csv_column_name(const EcCsv *csv, int column)
{
	return csv->chunk.columns[column].name;
}
