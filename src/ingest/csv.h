/*
 * csv.h
 *	  CSV messages to column builders: RFC 4180 with what real files hold.  Pure C.
 *	  Likewise the text format of COPY.
 *
 * A message holds any number of rows; a row never crosses messages.
 *
 *	fields	An unquoted empty field is NULL, a quoted one is the empty string.  A
 *			quote opens a field only as its first byte and is doubled inside (or
 *			has another escape before it).  A
 *			quote elsewhere, or text after the closing one, makes the row a fault
 *			(COPY would join the pieces).  A quoted field without end takes the
 *			rest of the message: one fault.
 *	lines	End with LF or CR LF, also mixed; with CR where the message has no LF
 *			at all.  An unquoted CR elsewhere is a fault.  The last line needs no
 *			end.  A UTF-8 byte order mark at the start is skipped.  An entirely
 *			empty line is no row: it is counted as blank.
 *	header	With EC_CSV_HEADER_AUTO any line, first or not, is a header if it names
 *			every column of the list, or if more than half of its fields are names
 *			of columns (trimmed, ASCII case ignored); unless the first column of
 *			integers or UUIDs in force holds a value of its type.  Its order holds from there
 *			on, also in the messages that follow.  Fields with other names are
 *			skipped; columns not named are NULL; of a name given twice the first
 *			counts.  Until a header is seen the order is that of the column list.
 *	bytes	Every row must be valid in the database encoding and hold no NUL byte.
 *	text	The format "text" of COPY instead: no quotes; backslashes escape, newlines
 *			and delimiters included; a field is NULL if its text, as it stands there,
 *			is null_text.  What the escapes \ooo and \xhh may make of non-ASCII and
 *			NUL bytes is a fault.
 *
 * All memory comes from the allocator.  If an error leaves ec_csv_feed (a callback
 * or the allocator raised it), the parser stays usable; the builders then must be
 * truncated by the caller, and the header may be that of the lost message
 * (ec_csv_set_header puts the saved one back).
 */
#ifndef EC_CSV_H
#define EC_CSV_H

#include "ingest/rowparse.h"

typedef enum EcCsvHeader
{
	EC_CSV_HEADER_AUTO = 0,
	EC_CSV_HEADER_PRESENT, /* the first line of every message is a header */
	EC_CSV_HEADER_ABSENT   /* no line is one */
} EcCsvHeader;

/* Exceptions from which fields are NULL, by column; not in the text format. */
#define EC_CSV_FORCE_NOT_NULL 1 /* an unquoted null_text is itself */
#define EC_CSV_FORCE_NULL 2		/* a quoted null_text is NULL, too */

typedef struct EcCsvOptions
{
	char delimiter; /* any ASCII byte but quote, CR, LF, NUL */
	char quote;		/* likewise; '\0': no quoting at all */
	char escape;	/* in quoted fields, before itself and quotes; '\0': the quote */
	EcCsvHeader header;
	bool text; /* the text format; quote is not looked at */
	const char
		*null_text; /* an unquoted field that is NULL; kept by reference; NULL: the empty one */
	const uint8_t *force; /* for each column EC_CSV_FORCE_...; NULL: none */

	/* True if the bytes are valid in the database encoding; NULL: UTF-8. */
	bool (*verify)(void *arg, const uint8_t *ptr, uint32_t len);
	void *verify_arg;

	/* Called for each faulty row, in order of rows; the fault is only valid during the call. */
	void (*fault)(void *arg, const EcRowFault *fault);
	void *fault_arg;
} EcCsvOptions;

/* { ',', '"', AUTO, ... } */
extern void ec_csv_options_init(EcCsvOptions *options);

/* NULL if the options can be used, else what is wrong with them (a constant). */
extern const char *ec_csv_options_check(const EcCsvOptions *options);

typedef struct EcCsv EcCsv;

/* columns[] is copied, what it points to is not.  Returns NULL only if the allocator does. */
extern EcCsv *ec_csv_create(const EcCsvOptions *options, const EcRowColumn *columns, int ncolumns,
							const EcAllocator *alloc);
extern void ec_csv_destroy(EcCsv *csv);

typedef struct EcCsvResult
{
	uint32_t rows;	 /* appended to every column's builder */
	uint32_t faults; /* refused, each reported to options->fault */
	uint32_t headers;
	uint32_t blanks;
	const EcRowRef *refs; /* [rows], until the next call */
} EcCsvResult;

/* Longest message: 1 GB - 1. */
#define EC_CSV_MESSAGE_MAX 0x3fffffff

/*
 * Parses one message; appends its good rows to builders[columns[i].target] for
 * every column i.  Returns false only if the allocator gave NULL or the message is
 * too long; the builders must then be truncated to what they held.  message is
 * only read, and not beyond len.
 */
extern bool
ec_csv_feed(EcCsv *csv, const void *message, size_t len, EcBuilder **builders, EcCsvResult *result);

/*
 * The order of fields in force, as names: those of the last header, unknown names
 * included, or of the column list.  The serial grows when a header changes the
 * order, so that the caller knows when to save it.
 */
extern uint32_t ec_csv_header_serial(const EcCsv *csv);
extern int ec_csv_header_fields(const EcCsv *csv);
extern const char *ec_csv_header_name(const EcCsv *csv, int field); /* NUL-terminated */

/* What that order leaves out: columns without a field, fields without a column. */
extern bool ec_csv_has_column(const EcCsv *csv, int column);
extern bool ec_csv_uses_field(const EcCsv *csv, int field);
extern int ec_csv_columns(const EcCsv *csv);
extern const char *ec_csv_column_name(const EcCsv *csv, int column);

/* Puts a saved header into force; false only if the allocator gave NULL.  nfields 0: the column list's order. */
extern bool ec_csv_set_header(EcCsv *csv, const char *const *names, int nfields);

#endif /* EC_CSV_H */
