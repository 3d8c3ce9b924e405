/*
 * projection.c
 *	  The columns of summaries.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"

#include "insight/projection.h"

#define COLUMNS_MAX 16

typedef struct Column
{
	const char *name;
	Oid type;
} Column;

typedef struct Projection
{
	const char *name;
	Column columns[COLUMNS_MAX]; /* up to the first without name */
} Projection;

/* category_hour and category_day */
#define CATEGORY_COLUMNS                                                                           \
	{"slot", TIMESTAMPTZOID}, {"category_id", INT8OID}, {"category_code", TEXTOID},                \
		{"other", INT8OID}, {"views", INT8OID}, {"carts", INT8OID}, {"purchases", INT8OID},        \
		{"priced", INT8OID}, {"price_sum", INT8OID}, {"revenue", INT8OID}, {"price_min", INT8OID}, \
	{                                                                                              \
		"price_max", INT8OID                                                                       \
	}

/* product_hour and product_total */
#define PRODUCT_COLUMNS                                                                            \
	{"slot", INT8OID}, {"rows", INT8OID}, {"carts", INT8OID}, {"purchases", INT8OID},              \
		{"other", INT8OID}, {"unpriced", INT8OID}, {"revenue", INT8OID},                           \
	{                                                                                              \
		"price_rest", INT8OID                                                                      \
	}

/* visit and visit_day */
#define VISIT_COLUMNS                                                                              \
	{"kind", INT8OID}, {"slot", TIMESTAMPTZOID}, {"previous", TIMESTAMPTZOID},                     \
	{                                                                                              \
		"visits", INT8OID                                                                          \
	}

static const Projection projections[EC_PROJECTIONS] = {
	[EC_PROJECTION_CATEGORY_HOUR] = {"category_hour", {CATEGORY_COLUMNS}},
	[EC_PROJECTION_CATEGORY_DAY] = {"category_day", {CATEGORY_COLUMNS}},
	[EC_PROJECTION_PRODUCT_HOUR] = {"product_hour", {PRODUCT_COLUMNS, {"product", INT8OID}}},
	[EC_PROJECTION_PRODUCT_TOTAL] = {"product_total",
									 {PRODUCT_COLUMNS, {"part", INT8OID}, {"reference", INT8OID}}},
	[EC_PROJECTION_PRODUCT] = {"product",
							   {{"product_id", INT8OID},
								{"category_code", TEXTOID},
								{"brand", TEXTOID},
								{"reference", INT8OID}}},
	[EC_PROJECTION_USER] = {"user",
							{{"user_id", INT8OID},
							 {"category_code", TEXTOID},
							 {"slot", TIMESTAMPTZOID},
							 {"rows", INT8OID},
							 {"types", INT8OID}}},
	[EC_PROJECTION_USER_BRAND] = {"user_brand",
								  {{"user_id", INT8OID},
								   {"brand", TEXTOID},
								   {"cell", INT8OID},
								   {"rows", INT8OID},
								   {"types", INT8OID}}},
	[EC_PROJECTION_TOP_CATEGORY] =
		{"top_category", {{"user_id", INT8OID}, {"category_code", TEXTOID}, {"rows", INT8OID}}},
	[EC_PROJECTION_TOP_BRAND] =
		{"top_brand",
		 {{"user_id", INT8OID}, {"category_code", TEXTOID}, {"brand", TEXTOID}, {"rows", INT8OID}}},
	[EC_PROJECTION_PURCHASE] = {"purchase",
								{{"user_id", INT8OID},
								 {"event_time", TIMESTAMPTZOID},
								 {"user_session", TEXTOID},
								 {"product_id", INT8OID},
								 {"category_id", INT8OID},
								 {"category_code", TEXTOID},
								 {"brand", TEXTOID},
								 {"price", INT8OID}}},
	[EC_PROJECTION_BRAND_DAY] = {"category_brand_day", {CATEGORY_COLUMNS, {"brand", TEXTOID}}},
	[EC_PROJECTION_VISIT] = {"visit", {VISIT_COLUMNS}},
	[EC_PROJECTION_VISIT_DAY] = {"visit_day", {VISIT_COLUMNS}},
	[EC_PROJECTION_PRODUCT_SALE] =
		{"product_sale",
		 {{"slot", INT8OID}, {"product", INT8OID}, {"purchases", INT8OID}, {"revenue", INT8OID}}},
	[EC_PROJECTION_SESSION] = {"session",
							   {{"user_id", INT8OID},
								{"slot", TIMESTAMPTZOID},
								{"tag", INT8OID},
								{"rows", INT8OID},
								{"purchases", INT8OID}}},
	[EC_PROJECTION_REVISIT] = {"revisit",
							   {{"kind", INT8OID},
								{"slot", INT8OID},
								{"user_id", INT8OID},
								{"tag", INT8OID},
								{"previous", INT8OID},
								{"next", INT8OID}}},
};

const char *
ec_projection_name(uint16 projection)
{
	if (projection >= EC_PROJECTIONS || projections[projection].name == NULL)
		return NULL;
	return projections[projection].name;
}

TupleDesc
ec_projection_columns(uint16 projection)
{
	const Column *columns;
	TupleDesc tupdesc;
	int natts = 0;

	if (ec_projection_name(projection) == NULL)
		return NULL;
	columns = projections[projection].columns;
	while (natts < COLUMNS_MAX && columns[natts].name != NULL)
		natts++;
	tupdesc = CreateTemplateTupleDesc(natts);
	for (int i = 0; i < natts; i++)
	{
		TupleDescInitEntry(tupdesc, i + 1, columns[i].name, columns[i].type, -1, 0);
		if (columns[i].type == TEXTOID)
			TupleDescInitEntryCollation(tupdesc, i + 1, C_COLLATION_OID);
	}
	return tupdesc;
}
