/*
 * csv.c
 *	  Feeds CSV messages to column builders, chunk by chunk.  Pure C.
 *
 * A message is read in at most two regions: the message itself, as far as reading
 * whole words behind a field stays inside it, and a padded copy of what is left
 * (mostly the last row; all of a short message).  In a region, ec_csv_scan finds
 * the lines of some hundred rows at once; rows that are as expected go to the
 * chunk by their marks alone, the others are split byte by byte (csv_row.c).  A
 * full chunk is typed and flushed to the builders.
 *
 * Typing may reveal that a faulty row is a header in mid-message: the rows behind
 * it, split by the old order, are then forgotten and read again.
 */
#include "ingest/csv_internal.h"

#include <string.h>

/* Messages up to this size are copied as a whole: cheaper than two regions. */
#define SHORT_MESSAGE 1024

/* Room behind the copied text: what the scanner and the field parsers may read. */
#define TAIL_PAD (2 * EC_SCAN_BLOCK)

#define MARKS_PER_SCAN (16 * 1024)

void *
ec_csv_alloc(EcCsv *csv, size_t n, size_t size)
{
	void *p = csv->alloc.resize(csv->alloc.ctx, NULL, n * size);

	if (p != NULL)
		memset(p, 0, n * size);
	return p;
}

void
ec_csv_release(EcCsv *csv, void *p)
{
	if (p != NULL)
		csv->alloc.resize(csv->alloc.ctx, p, 0);
}

void
ec_csv_options_init(EcCsvOptions *options)
{
	memset(options, 0, sizeof(*options));
	options->delimiter = ',';
	options->quote = '"';
	options->header = EC_CSV_HEADER_AUTO;
}

static bool
is_plain_byte(char c)
{
	return (uint8_t) c < 0x80 && c != '\n' && c != '\r' && c != '\0';
}

const char *
ec_csv_options_check(const EcCsvOptions *options)
{
	if (!is_plain_byte(options->delimiter))
		return "delimiter must be a single ASCII character other than newline and carriage return";
	if (options->quote != '\0' && !is_plain_byte(options->quote))
		return "quote must be a single ASCII character other than newline and carriage return";
	if (options->quote == options->delimiter)
		return "delimiter and quote must be different";
	if (options->escape != '\0' && !is_plain_byte(options->escape))
		return "escape must be a single ASCII character other than newline and carriage return";
	if (options->escape == options->delimiter)
		return "delimiter and escape must be different";
	return NULL;
}

static bool
init_buffers(EcCsv *csv)
{
	csv->scan.marks_max = MARKS_PER_SCAN;
	csv->scan.marks = ec_csv_alloc(csv, MARKS_PER_SCAN + EC_SCAN_BLOCK, sizeof(uint32_t));
	csv->scan.ends = ec_csv_alloc(csv, EC_CHUNK_ROWS + EC_SCAN_BLOCK, sizeof(uint32_t));
	csv->fields = ec_csv_alloc(csv, EC_CSV_FIELDS_MAX, sizeof(EcCell));
	csv->column_field = ec_csv_alloc(csv, (size_t) csv->chunk.ncolumns + 1, sizeof(int));
	return csv->scan.marks != NULL && csv->scan.ends != NULL && csv->fields != NULL &&
		   csv->column_field != NULL && ec_csv_reset_header(csv);
}

EcCsv *
ec_csv_create(const EcCsvOptions *options, const EcRowColumn *columns, int ncolumns,
			  const EcAllocator *alloc)
{
	EcCsv *csv = alloc->resize(alloc->ctx, NULL, sizeof(EcCsv));

	if (csv == NULL)
		return NULL;
	memset(csv, 0, sizeof(*csv));
	csv->options = *options;
	csv->alloc = *alloc;
	csv->scan.delimiter = (uint8_t) options->delimiter;
	csv->scan.quote = options->text ? '\\' : (uint8_t) options->quote;
	csv->scan.escape = options->escape != '\0' ? (uint8_t) options->escape : csv->scan.quote;
	csv->scan.quoting = !options->text && options->quote != '\0';
	csv->stops_unquoted[(uint8_t) options->delimiter] = true;
	csv->stops_unquoted[csv->scan.quote] = options->text || csv->scan.quoting;
	csv->null_len = options->null_text != NULL ? (uint32_t) strlen(options->null_text) : 0;
	csv->judge_nulls = options->text || csv->null_len > 0 || options->force != NULL;
	csv->stops_unquoted['\n'] = true;
	csv->stops_unquoted['\r'] = true;
	for (int i = 0; i < ncolumns; i++)
	{
		size_t len = strlen(columns[i].name);

		csv->name_lengths |= UINT64_C(1) << (len < 63 ? len : 63);
	}
	if (!ec_chunk_init(&csv->chunk, columns, ncolumns, alloc) || !init_buffers(csv))
	{
		ec_csv_destroy(csv);
		return NULL;
	}
	csv->chunk.utf8 = options->verify == NULL;
	return csv;
}

void
ec_csv_destroy(EcCsv *csv)
{
	if (csv == NULL)
		return;
	ec_chunk_free(&csv->chunk);
	ec_csv_release(csv, csv->scan.marks);
	ec_csv_release(csv, csv->scan.ends);
	ec_csv_release(csv, csv->fields);
	ec_csv_release(csv, csv->field_column);
	ec_csv_release(csv, csv->column_field);
	ec_csv_release(csv, csv->names);
	ec_csv_release(csv, csv->refs);
	ec_csv_release(csv, csv->tail);
	csv->alloc.resize(csv->alloc.ctx, csv, 0);
}

static bool
reserve_refs(EcCsv *csv, size_t need)
{
	EcRowRef *refs;
	size_t max = csv->refs_max;

	if (need <= max)
		return true;
	max = need + need / 2 + 1024;
	refs = csv->alloc.resize(csv->alloc.ctx, csv->refs, max * sizeof(EcRowRef));
	if (refs == NULL)
		return false;
	csv->refs = refs;
	csv->refs_max = max;
	return true;
}

/* Sends the first nrows rows of the chunk to the builders and to the fault callback. */
static bool
deliver_rows(EcCsv *csv, uint32_t nrows)
{
	EcRowChunk *chunk = &csv->chunk;
	EcCsvResult *result = csv->result;

	if (!reserve_refs(csv, (size_t) result->rows + nrows) ||
		!ec_chunk_append(chunk, nrows, csv->builders))
		return false;
	for (uint32_t row = 0; row < nrows; row++)
	{
		if (chunk->fault_of[row] == EC_CHUNK_NO_FAULT)
			csv->refs[result->rows++] = chunk->refs[row];
		else
		{
			result->faults++;
			if (csv->options.fault != NULL)
				csv->options.fault(csv->options.fault_arg, &chunk->faults[chunk->fault_of[row]]);
		}
	}
	return true;
}

static void
type_chunk(EcCsv *csv)
{
	for (int field = 0; field < csv->nfields; field++)
	{
		if (csv->field_column[field] >= 0)
			ec_chunk_type(&csv->chunk, csv->field_column[field]);
	}
	for (int i = 0; i < csv->chunk.ncolumns; i++)
	{
		if (csv->column_field[i] < 0)
			ec_chunk_type_absent(&csv->chunk, i);
	}
}

/*
 * The first row of the chunk that is a header in truth; chunk->nrows if there is
 * none.  Such a row has a fault in some field, or nothing where a number belongs.
 */
static bool
find_hidden_header(EcCsv *csv, uint32_t *found, EcCsvRow *row)
{
	EcRowChunk *chunk = &csv->chunk;
	const uint64_t *nulls = csv->probe_column < 0 ? NULL : chunk->typed[csv->probe_column].nulls;

	*found = chunk->nrows;
	if (csv->options.header != EC_CSV_HEADER_AUTO)
		return true;
	for (uint32_t r = 0; r < chunk->nrows; r++)
	{
		bool null = nulls != NULL && (nulls[r / 64] >> (r % 64) & 1) != 0;

		if (chunk->fault_of[r] == EC_CHUNK_NO_FAULT ? !null
													: chunk->faults[chunk->fault_of[r]].column < 0)
			continue;
		if (!ec_csv_split_row(csv, chunk->refs[r].begin - csv->region_offset, row))
			return false;
		if (ec_csv_is_header(csv, row, false))
		{
			*found = r;
			return true;
		}
	}
	return true;
}

/*
 * Types and delivers the rows of the chunk.  If a header turned up among them, *at
 * goes back to the line behind it.
 */
static bool
flush_chunk(EcCsv *csv, size_t *at)
{
	EcRowChunk *chunk = &csv->chunk;
	uint32_t nrows;
	EcCsvRow header;

	if (chunk->nrows == 0)
		return true;
	type_chunk(csv);
	if (chunk->no_memory || !find_hidden_header(csv, &nrows, &header) || !deliver_rows(csv, nrows))
		return false;
	if (nrows < chunk->nrows)
	{
		csv->row = chunk->refs[nrows].row - 1;
		csv->line = chunk->lines[nrows] + header.lines;
		csv->result->blanks = csv->blanks_before[nrows];
		csv->result->headers++;
		*at = header.next;
		if (!ec_csv_take_header(csv, &header))
			return false;
	}
	ec_chunk_clear(chunk);
	return true;
}

/*
 * The header line at *at, just split, comes into force; the rows before it are
 * delivered in the old order.  If one of those proves to be a header itself, *at
 * goes back behind that one and this line is read again.
 */
static bool
take_header_line(EcCsv *csv, size_t *at, const EcCsvRow *line)
{
	size_t next = line->next;
	EcCsvRow row;

	if (!flush_chunk(csv, &next))
		return false;
	if (next != line->next)
	{
		*at = next;
		return true;
	}

	/* flushing may have split other rows */
	if (!ec_csv_split_row(csv, line->begin, &row))
		return false;
	csv->header_wanted = false;
	csv->result->headers++;
	csv->line += row.lines;
	*at = row.next;
	return ec_csv_take_header(csv, &row);
}

/*
 * Handles the line at *at by itself: header, blank, row or fault.  *done is false if
 * it reaches too near the region's end to be read here.
 */
static bool
take_line(EcCsv *csv, size_t *at, bool *done)
{
	EcCsvHeader mode = csv->options.header;
	bool expected = csv->header_wanted && mode == EC_CSV_HEADER_PRESENT;
	EcCsvRow row;

	if (!ec_csv_split_row(csv, *at, &row))
		return false;
	*done = row.end + EC_CHUNK_PAD <= csv->scan.readable;
	if (!*done)
		return true;
	if (row.end == row.begin)
		csv->result->blanks++;
	else if ((expected || mode == EC_CSV_HEADER_AUTO) && ec_csv_is_header(csv, &row, expected))
		return take_header_line(csv, at, &row);
	else
	{
		if (expected && row.fault == 0)
			row.fault = EC_FAULT_HEADER;
		csv->header_wanted = false;
		ec_csv_row_to_chunk(csv, &row);
	}
	csv->line += row.lines;
	*at = row.next;
	return true;
}

/* The cells of n rows to the chunk; row i has the marks [first[i], first[i] + nfields). */
static void
add_cells(EcCsv *csv, const uint32_t *first, uint32_t n)
{
	EcRowChunk *chunk = &csv->chunk;
	const uint32_t *marks = csv->scan.marks;
	const EcRowRef *refs = &chunk->refs[chunk->nrows];
	uint32_t offset = (uint32_t) csv->region_offset;

	for (int i = 0; i < chunk->ncolumns; i++)
	{
		EcCell *cells = ec_chunk_cells(chunk, i) + chunk->nrows;
		int field = csv->column_field[i];

		if (field < 0)
			continue;
		for (uint32_t r = 0; r < n; r++)
		{
			uint32_t begin = field == 0 ? refs[r].begin - offset : marks[first[r] + field - 1] + 1;
			uint32_t end =
				field == csv->nfields - 1 ? refs[r].end - offset : marks[first[r] + field];

			cells[r].begin = begin;
			cells[r].len = end - begin;
		}
		if (csv->judge_nulls)
			ec_csv_judge_nulls(csv, i, cells, n);
	}
	chunk->nrows += n;
}

/* A run of rows under way from marks to the chunk. */
typedef struct Run
{
	uint32_t n;
	uint32_t first[EC_CHUNK_ROWS];
} Run;

static void
end_run(EcCsv *csv, Run *run)
{
	if (run->n > 0)
		add_cells(csv, run->first, run->n);
	run->n = 0;
}

static inline void
add_to_run(EcCsv *csv, Run *run, uint32_t first, size_t begin, size_t end)
{
	EcRowChunk *chunk = &csv->chunk;
	uint32_t r = chunk->nrows + run->n;

	run->first[run->n++] = first;
	chunk->refs[r].row = ++csv->row;
	chunk->refs[r].begin = (uint32_t) (csv->region_offset + begin);
	chunk->refs[r].end = (uint32_t) (csv->region_offset + end);
	chunk->lines[r] = csv->line++;
	csv->blanks_before[r] = csv->result->blanks;
	chunk->fault_of[r] = EC_CHUNK_NO_FAULT;
}

/*
 * Takes the lines that the scan found complete.  Stops early, *at then telling
 * where, if a header changed the order or the chunk was flushed.
 */
static bool
take_scanned(EcCsv *csv, size_t *at)
{
	const EcCsvScan *scan = &csv->scan;
	uint32_t serial = csv->header_serial;
	uint32_t first = 0;
	Run run = {0};

	for (uint32_t i = 0; i < scan->nends; i++)
	{
		uint32_t last = scan->ends[i];
		size_t begin = *at;
		size_t end = scan->marks[last];
		size_t next = end + 1;
		bool done;

		if (end > begin && scan->line_end == '\n' && scan->base[end - 1] == '\r')
			end--;
		if (last - first + 1 == (uint32_t) csv->nfields && end > begin &&
			!(scan->odd_bytes && ec_csv_check_bytes(csv, scan->base + begin, end - begin) != 0) &&
			!(scan->quote_seen && csv->options.text &&
			  memchr(scan->base + begin, '\\', end - begin) != NULL) &&
			!(csv->probe_column < 0 && csv->options.header == EC_CSV_HEADER_AUTO &&
			  ec_csv_maybe_header(csv, scan->base, begin, &scan->marks[first], csv->nfields)))
		{
			add_to_run(csv, &run, first, begin, end);
			*at = next;
		}
		else
		{
			end_run(csv, &run);
			if (!take_line(csv, at, &done))
				return false;
			if (*at != next || !done || csv->header_serial != serial)
				return true;
		}
		first = last + 1;
	}
	end_run(csv, &run);
	return true;
}

/*
 * Reads base[0, len), of which readable bytes may be read, from *at on.  *at gets
 * where the caller must go on: len, or the row that did not fit.
 */
static bool
read_region(EcCsv *csv, const uint8_t *base, size_t len, size_t readable, size_t *at)
{
	EcCsvScan *scan = &csv->scan;
	EcRowChunk *chunk = &csv->chunk;

	scan->base = chunk->base = base;
	scan->len = len;
	scan->readable = readable;
	for (;;)
	{
		bool done = true;

		if (*at < len && chunk->nrows < EC_CHUNK_ROWS)
		{
			scan->nends = 0;
			scan->ends_max = EC_CHUNK_ROWS - chunk->nrows;
			if (!csv->header_wanted)
				ec_csv_scan(scan, *at);
			if (scan->nends > 0 ? !take_scanned(csv, at) : !take_line(csv, at, &done))
				return false;
			if (done)
				continue;
		}

		/* the chunk is full, or nothing more can be read here */
		if (chunk->nrows == 0)
			return true;
		if (!flush_chunk(csv, at))
			return false;
	}
}

/* Reads what the message's own memory was too short for, from a copy with room behind it. */
static bool
read_tail(EcCsv *csv, size_t len, size_t at)
{
	size_t rest = len - at;
	size_t done = 0;

	if (rest + TAIL_PAD > csv->tail_size)
	{
		size_t want = rest + rest / 2 + SHORT_MESSAGE + TAIL_PAD;
		uint8_t *tail = csv->alloc.resize(csv->alloc.ctx, csv->tail, want);

		if (tail == NULL)
			return false;
		csv->tail = tail;
		csv->tail_size = want;
	}
	memcpy(csv->tail, csv->message + at, rest);
	memset(csv->tail + rest, 0, TAIL_PAD);
	csv->region_offset = at;
	return read_region(csv, csv->tail, rest, rest + TAIL_PAD, &done);
}

bool
ec_csv_feed(EcCsv *csv, const void *message, size_t len, EcBuilder **builders, EcCsvResult *result)
{
	size_t at = 0;

	memset(result, 0, sizeof(*result));
	if (len > EC_CSV_MESSAGE_MAX)
		return false;
	csv->message = message;
	csv->builders = builders;
	csv->result = result;
	csv->row = 0;
	csv->line = 1;
	csv->header_wanted = csv->options.header != EC_CSV_HEADER_ABSENT;
	csv->region_offset = 0;
	csv->chunk.no_memory = false;
	ec_chunk_clear(&csv->chunk);
	if (len == 0)
		return true;
	csv->scan.line_end =
		memchr(message, '\n', len) == NULL && memchr(message, '\r', len) != NULL ? '\r' : '\n';
	if (len >= 3 && memcmp(message, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	if (len > SHORT_MESSAGE && !read_region(csv, csv->message, len, len, &at))
		return false;
	if (at < len && !read_tail(csv, len, at))
		return false;
	result->refs = csv->refs;
	return true;
}
