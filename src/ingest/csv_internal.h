/*
 * csv_internal.h
 *	  The CSV parser's own state, shared by csv.c (messages, flushing of chunks),
 *	  csv_row.c (single rows, byte by byte), csv_text.c (the same of the text format)
 *	  and csv_header.c.  Pure C.
 */
#ifndef EC_CSV_INTERNAL_H
#define EC_CSV_INTERNAL_H

#include "ingest/csv.h"
#include "ingest/csv_scan.h"
#include "ingest/rowparse_chunk.h"

/* Fields of a row beyond this many are counted but not kept. */
#define EC_CSV_FIELDS_MAX 4096

/* A row that was split byte by byte. */
typedef struct EcCsvRow
{
	size_t begin;	   /* in the region */
	size_t end;		   /* without the line's end */
	size_t next;	   /* start of the next line */
	uint32_t lines;	   /* physical lines that it covers */
	uint32_t nfields;  /* the first EC_CSV_FIELDS_MAX of them are in csv->fields */
	EcFaultCode fault; /* of the quoting, the line end or the bytes; 0 if there is none */
} EcCsvRow;

struct EcCsv
{
	EcCsvOptions options;
	EcAllocator alloc;
	EcRowChunk chunk;
	EcCsvScan scan;
	bool stops_unquoted[256]; /* bytes that matter inside an unquoted field */
	uint32_t null_len;		  /* of options.null_text */
	bool judge_nulls;		  /* NULL is something else than an unquoted field without text */

	/* the order of fields in force */
	int nfields;
	int *field_column; /* [nfields]: index of the column, -1: skipped */
	int *column_field; /* [ncolumns]: index of the field, -1: absent */
	char *names;	   /* NUL-terminated names, one after the other; NULL: the column list's */
	uint32_t header_serial;
	int probe_column;	   /* a column of numbers, which no header passes unnoticed; -1: none */
	uint64_t name_lengths; /* bit n: some column's name has n bytes (63: or more) */

	EcCell *fields; /* [EC_CSV_FIELDS_MAX] of the row last split */

	/* the message being fed */
	const uint8_t *message;
	size_t region_offset; /* where scan.base stands in the message */
	EcBuilder **builders;
	uint32_t row;						   /* data rows so far, in the chunk or beyond */
	uint32_t line;						   /* of the next row */
	uint32_t blanks_before[EC_CHUNK_ROWS]; /* blank lines counted before each row of the chunk */
	bool header_wanted;					   /* next line must be looked at, or must be a header */
	EcCsvResult *result;
	EcRowRef *refs; /* of the good rows */
	size_t refs_max;
	uint8_t *tail; /* the message's end, with room for reading beyond it */
	size_t tail_size;
};

/* csv_row.c */
extern bool ec_csv_split_row(EcCsv *csv, size_t begin, EcCsvRow *row);
extern void ec_csv_row_to_chunk(EcCsv *csv, const EcCsvRow *row);
extern EcFaultCode ec_csv_check_bytes(const EcCsv *csv, const uint8_t *p, size_t len);

extern void ec_csv_keep_field(EcCsv *csv, EcCsvRow *row, size_t begin, size_t len, uint32_t flags);
extern void ec_csv_judge_nulls(const EcCsv *csv, int column, EcCell *cells, uint32_t n);

/* csv_text.c */
extern bool ec_csv_split_text_row(EcCsv *csv, size_t begin, EcCsvRow *row);

/* csv_header.c */
extern bool ec_csv_is_header(EcCsv *csv, const EcCsvRow *row, bool expected);
extern bool ec_csv_maybe_header(const EcCsv *csv, const uint8_t *base, size_t begin,
								const uint32_t *marks, uint32_t nmarks);
extern bool ec_csv_take_header(EcCsv *csv, const EcCsvRow *row);
extern bool ec_csv_reset_header(EcCsv *csv);

/* Memory of the parser; sizes in elements. */
extern void *ec_csv_alloc(EcCsv *csv, size_t n, size_t size);
extern void ec_csv_release(EcCsv *csv, void *p);

#endif /* EC_CSV_INTERNAL_H */
