/*
 * views.c
 *	  ecinsight.create_views: plain views for BI tools over an events relation.
 *
 * Two kinds.  A view named as a function shows that function's rows (views_functions.c).
 * A bucketed view groups the events by hour or day and keys, in plain SQL, so that a tool's
 * own filters and aggregates work on it.  Types are those that every tool reads
 * without loss: ids as text, counts bigint, money numeric(18,2), averages
 * numeric(18,6), times as UTC timestamp or date.
 *
 * Views are security_invoker: like the functions, they show what the caller may
 * read of the events relation.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "insight/args.h"
#include "insight/columns.h"
#include "insight/views.h"

PG_FUNCTION_INFO_V1(ec_create_views);

/* What create_views knows of the events relation, as SQL. */
typedef struct ViewSource
{
	const char *schema;					  /* of the views, quoted */
	const char *relation;				  /* the events relation, quoted and qualified */
	const char *literal;				  /* the same as a string literal */
	const char *column[EC_EVENT_COLUMNS]; /* quoted */
	const char *type;					  /* event_type as text */
	const char *hour;					  /* event_time cut to the hour, UTC */
	const char *day;
	const char *price;	/* exact */
	const char *priced; /* condition: price is a finite number */
} ViewSource;

typedef void (*QueryWriter)(StringInfo sql, const ViewSource *source);

typedef struct ViewDefinition
{
	const char *name;
	QueryWriter write;
	const char *comment;
} ViewDefinition;

/* ---- queries ---- */

/* The measures of a bucketed view, and where it reads. */
static void
write_measures(StringInfo sql, const ViewSource *source)
{
	appendStringInfo(sql, "count(*) AS interactions");
	appendStringInfo(sql, ", count(*) FILTER (WHERE %s = 'view') AS views", source->type);
	appendStringInfo(sql, ", count(*) FILTER (WHERE %s = 'cart') AS carts", source->type);
	appendStringInfo(sql, ", count(*) FILTER (WHERE %s = 'purchase') AS purchases", source->type);
	appendStringInfo(sql,
					 ", COALESCE(sum(%s) FILTER (WHERE %s = 'purchase' AND %s), 0)"
					 "::numeric(18,2) AS revenue",
					 source->price, source->type, source->priced);
	appendStringInfo(sql, ", count(*) FILTER (WHERE %s) AS priced", source->priced);
	for (int i = 0; i < 3; i++)
	{
		static const char *const aggregate[] = {"sum", "min", "max"};

		appendStringInfo(sql, ", (%s(%s) FILTER (WHERE %s))::numeric(18,2) AS price_%s",
						 aggregate[i], source->price, source->priced, aggregate[i]);
	}
	appendStringInfo(sql, " FROM %s", source->relation);
}

static void
write_category_bucket(StringInfo sql, const ViewSource *source, const char *bucket)
{
	const char *const *column = source->column;

	appendStringInfo(sql,
					 "SELECT %s AS bucket, %s::text AS category_id, %s::text AS category_code, ",
					 bucket, column[EC_COL_CATEGORY_ID], column[EC_COL_CATEGORY_CODE]);
	appendStringInfo(sql, "%s::text AS brand, ", column[EC_COL_BRAND]);
	write_measures(sql, source);
	appendStringInfo(sql, " GROUP BY 1, %s, %s, %s", column[EC_COL_CATEGORY_ID],
					 column[EC_COL_CATEGORY_CODE], column[EC_COL_BRAND]);
}

static void
write_category_hour(StringInfo sql, const ViewSource *source)
{
	write_category_bucket(sql, source, source->hour);
}

static void
write_category_day(StringInfo sql, const ViewSource *source)
{
	write_category_bucket(sql, source, source->day);
}

static void
write_sales_bucket(StringInfo sql, const ViewSource *source, const char *bucket)
{
	appendStringInfo(sql, "SELECT %s AS bucket, ", bucket);
	write_measures(sql, source);
	appendStringInfo(sql, " GROUP BY 1");
}

static void
write_sales_hour(StringInfo sql, const ViewSource *source)
{
	write_sales_bucket(sql, source, source->hour);
}

static void
write_sales_day(StringInfo sql, const ViewSource *source)
{
	write_sales_bucket(sql, source, source->day);
}

static void
write_product_day(StringInfo sql, const ViewSource *source)
{
	const char *const *column = source->column;

	appendStringInfo(sql, "SELECT %s AS bucket, %s::text AS product_id, %s::text AS category_id, ",
					 source->day, column[EC_COL_PRODUCT], column[EC_COL_CATEGORY_ID]);
	appendStringInfo(sql, "%s::text AS category_code, %s::text AS brand, ",
					 column[EC_COL_CATEGORY_CODE], column[EC_COL_BRAND]);
	write_measures(sql, source);
	appendStringInfo(sql, " GROUP BY 1, %s, %s, %s, %s", column[EC_COL_PRODUCT],
					 column[EC_COL_CATEGORY_ID], column[EC_COL_CATEGORY_CODE],
					 column[EC_COL_BRAND]);
}

static void
write_user_category_day(StringInfo sql, const ViewSource *source)
{
	const char *const *column = source->column;

	appendStringInfo(sql, "SELECT %s AS bucket, %s::text AS user_id, %s::text AS category_code, ",
					 source->day, column[EC_COL_USER], column[EC_COL_CATEGORY_CODE]);
	appendStringInfo(sql, "count(*) AS interactions FROM %s GROUP BY 1, %s, %s", source->relation,
					 column[EC_COL_USER], column[EC_COL_CATEGORY_CODE]);
}

static const ViewDefinition definitions[] = {
	{"category_hour", write_category_hour,
	 "Events by hour (UTC), category and brand: counts, revenue, and prices to sum and compare."},
	{"category_day", write_category_day,
	 "Events by day (UTC), category and brand: counts, revenue, and prices to sum and compare."},
	{"sales_hour", write_sales_hour,
	 "Events by hour (UTC): counts, revenue, and prices to sum and compare."},
	{"sales_day", write_sales_day,
	 "Events by day (UTC): counts, revenue, and prices to sum and compare."},
	{"product_day", write_product_day,
	 "Events by day (UTC) and product: counts, revenue, and prices to sum and compare."},
	{"user_category_day", write_user_category_day,
	 "Interactions by day (UTC), user and category."}};

const char *
ec_views_name(int i)
{
	return i < lengthof(definitions) ? definitions[i].name
									 : ec_views_function(i - lengthof(definitions))->name;
}

/* ---- what the queries are made of ---- */

/* Values are told apart by their bytes, as by the functions, even if the column's collation takes some for equal. */
static const char *
describe_column(const EcEvents *events, EcEventColumn column)
{
	const char *name = quote_identifier(events->names[column]);
	Oid collation = events->types[column].collation;

	if ((events->columns & EC_COL_BIT(column)) == 0 || !OidIsValid(collation) ||
		get_collation_isdeterministic(collation))
		return name;
	return psprintf("(%s COLLATE \"C\")", name);
}

static void
describe_time(ViewSource *source, Oid type)
{
	const char *column = source->column[EC_COL_TIME];

	if (type == TIMESTAMPTZOID)
		column = psprintf("(%s AT TIME ZONE 'UTC')", column);
	source->hour = psprintf("date_trunc('hour', %s::timestamp)", column);
	source->day = psprintf("%s::date", column);
}

/* Integers always are numbers; numeric(p,s) may be NaN; floats and other numerics also infinite. */
static void
describe_price(ViewSource *source, const EcColType *ct)
{
	const char *column = source->column[EC_COL_PRICE];

	source->price = ct->kind == EC_KIND_FLOAT ? psprintf("%s::numeric", column) : column;
	if (ct->kind == EC_KIND_INT)
		source->priced = psprintf("%s IS NOT NULL", column);
	else if (ct->kind == EC_KIND_DECIMAL)
		source->priced = psprintf("%s <> 'NaN'", column);
	else
		source->priced = psprintf("%s > '-Infinity' AND %s < 'Infinity'", column, column);
}

static void
describe_source(ViewSource *source, Oid relid, const char *schema)
{
	EcEvents events;

	ec_columns_find(relid, EC_COL_ALL & ~EC_COL_BIT(EC_COL_SESSION), &events);
	source->schema = quote_identifier(schema);
	source->relation = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
												  get_rel_name(relid));
	source->literal = quote_literal_cstr(source->relation);
	for (int i = 0; i < EC_EVENT_COLUMNS; i++)
		source->column[i] = describe_column(&events, i);
	source->type = get_typtype(events.types[EC_COL_TYPE].basetype) == TYPTYPE_ENUM
					   ? psprintf("%s::text", source->column[EC_COL_TYPE])
					   : source->column[EC_COL_TYPE];
	describe_time(source, events.types[EC_COL_TIME].basetype);
	describe_price(source, &events.types[EC_COL_PRICE]);
}

/* ---- running them ---- */

void
ec_views_execute(const char *command)
{
	if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute: %s", command);
}

int
ec_views_safe_path(void)
{
	int level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

void
ec_views_restore_path(int level)
{
	AtEOXact_GUC(true, level);
}

/* Nothing else than a view may stand where a view shall. */
static void
check_names(const char *schema)
{
	Oid namespace = get_namespace_oid(schema, true);

	for (int i = 0; OidIsValid(namespace) && ec_views_name(i) != NULL; i++)
	{
		Oid relid = get_relname_relid(ec_views_name(i), namespace);

		if (OidIsValid(relid) && get_rel_relkind(relid) != RELKIND_VIEW)
			ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
							errmsg("\"%s.%s\" exists and is not a view", schema, ec_views_name(i)),
							errhint("Rename it, or name another schema for the views.")));
	}
	if (!OidIsValid(namespace))
		ec_views_execute(psprintf("CREATE SCHEMA %s", quote_identifier(schema)));
}

static void
make_view(const ViewSource *source, const char *name, const char *query, const char *comment)
{
	ec_views_execute(psprintf("CREATE OR REPLACE VIEW %s.%s WITH (security_invoker = true) AS %s",
							  source->schema, name, query));
	ec_views_execute(
		psprintf("COMMENT ON VIEW %s.%s IS %s", source->schema, name, quote_literal_cstr(comment)));
}

static void
make_views(const ViewSource *source)
{
	const EcFunctionView *view;

	for (int i = 0; (view = ec_views_function(i))->name != NULL; i++)
		make_view(source, view->name,
				  psprintf("SELECT %s FROM ecinsight.%s(%s::regclass%s)", view->columns, view->name,
						   source->literal, view->arguments),
				  view->comment);
	for (int i = 0; i < lengthof(definitions); i++)
	{
		StringInfoData query;

		initStringInfo(&query);
		definitions[i].write(&query, source);
		make_view(source, definitions[i].name, query.data, definitions[i].comment);
	}
}

/* create_views(events regclass, schema name) */
Datum
ec_create_views(PG_FUNCTION_ARGS)
{
	ViewSource source;
	const char *schema;
	int level;

	ec_args_require(fcinfo, 0, "events");
	ec_args_require(fcinfo, 1, "schema");
	schema = NameStr(*PG_GETARG_NAME(1));
	SPI_connect();
	level = ec_views_safe_path();
	describe_source(&source, PG_GETARG_OID(0), schema);
	check_names(schema);
	make_views(&source);
	ec_views_restore_path(level);
	SPI_finish();
	PG_RETURN_VOID();
}
