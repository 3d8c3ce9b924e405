/*
 * reference.h
 *	  A slow CSV reader, written from csv.h's description and without a look at the
 *	  parser's code, to compare it with.
 *
 * Outcomes of a message are rendered as text, one line each: "row N: value|value",
 * "fault N: reason".  NULL is \N.
 */
#ifndef EC_REFERENCE_H
#define EC_REFERENCE_H

#include "ingest/csv.h"

#define REF_MAX_FIELDS 64
#define REF_MAX_COLUMNS 16

typedef struct RefText
{
	char *data;
	size_t len;
	size_t size;
} RefText;

typedef struct RefStream
{
	EcCsvOptions options;
	const EcRowColumn *columns;
	int ncolumns;
	int nfields; /* the order in force */
	int column_of[REF_MAX_FIELDS];
} RefStream;

extern void ref_append(RefText *t, const void *data, size_t len);
extern void ref_printf(RefText *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

extern void
ref_init(RefStream *s, const EcCsvOptions *options, const EcRowColumn *columns, int ncolumns);

/* Appends the outcomes; *counts gets rows, faults, headers and blanks, and the lines' sum. */
extern void
ref_message(RefStream *s, const char *message, size_t len, RefText *out, EcCsvResult *counts);

/* The value of a field as text, or false and the code of its fault. */
extern bool
ref_value(const EcRowColumn *col, const char *text, size_t len, RefText *out, EcFaultCode *code);

/* An EcFieldInput with the reference's idea of the value. */
extern bool ref_input(void *arg, const EcRowColumn *col, const char *text, uint32_t len,
					  EcFieldValue *out, EcRowFault *fault);

/* Renders row of a column as ref_value does. */
extern void ref_render(const EcRowColumn *col, const EcVector *v, uint32_t row, RefText *out);

#endif /* EC_REFERENCE_H */
