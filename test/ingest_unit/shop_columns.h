/*
 * shop_columns.h
 *	  The shop's nine columns as a parser's column list, for stand-alone programs.
 */
#ifndef EC_SHOP_COLUMNS_H
#define EC_SHOP_COLUMNS_H

#include "ingest/rowparse.h"

#define SHOP_NCOLUMNS 9

static const EcRowColumn shop_columns[SHOP_NCOLUMNS] = {
	{"event_time", "timestamp with time zone", 0, EC_FIELD_TIMESTAMPTZ, EC_PHYS_INT64,
	 .utc_default = true, .precision = 6},
	{"event_type", "text", 1, EC_FIELD_TEXT, EC_PHYS_BYTES, .input = NULL},
	{"product_id", "bigint", 2, EC_FIELD_INT, EC_PHYS_INT64, .min = INT64_MIN, .max = INT64_MAX},
	{"category_id", "bigint", 3, EC_FIELD_INT, EC_PHYS_INT64, .min = INT64_MIN, .max = INT64_MAX},
	{"category_code", "text", 4, EC_FIELD_TEXT, EC_PHYS_BYTES, .input = NULL},
	{"brand", "text", 5, EC_FIELD_TEXT, EC_PHYS_BYTES, .input = NULL},
	{"price", "numeric(10,2)", 6, EC_FIELD_DECIMAL, EC_PHYS_INT64, .precision = 10, .scale = 2},
	{"user_id", "bigint", 7, EC_FIELD_INT, EC_PHYS_INT64, .min = INT64_MIN, .max = INT64_MAX},
	{"user_session", "text", 8, EC_FIELD_TEXT, EC_PHYS_BYTES, .input = NULL},
};

static const EcKind shop_kinds[SHOP_NCOLUMNS] = {EC_KIND_INT,	  EC_KIND_TEXT, EC_KIND_INT,
												 EC_KIND_INT,	  EC_KIND_TEXT, EC_KIND_TEXT,
												 EC_KIND_DECIMAL, EC_KIND_INT,	EC_KIND_TEXT};

#endif /* EC_SHOP_COLUMNS_H */
