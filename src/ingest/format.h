/*
 * format.h
 *	  A stream's format options (jsonb), understood.
 *
 *	header		"auto" (default), true, false
 *	delimiter	one ASCII character, default ","
 *	quote		one ASCII character, default "\""; "" for none
 *	columns		the target's columns in the order of the fields, until a header says
 *				otherwise; default: the table's columns
 */
#ifndef EC_FORMAT_H
#define EC_FORMAT_H

#include "postgres.h"

#include "ingest/csv.h"

typedef struct EcFormat
{
	EcCsvOptions csv; /* callbacks not set */
	int ncolumns;	  /* 0: not given */
	char **columns;
} EcFormat;

/* Raises an error for what it doesn't understand; palloc'd. */
extern EcFormat *ec_format_parse(const char *options);

#endif /* EC_FORMAT_H */
