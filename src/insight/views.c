/*
 * views.c
 *	  ecinsight.create_views: plain views for BI tools over an events relation.
 *
 * A view named as a function shows that function's rows (views_functions.c).  The bucketed
 * ones among them are for a tool's own filters and aggregates, of which the planner tells
 * the function (cube_plan.c).  Types are those that every tool reads without loss: ids as
 * text, counts bigint, money numeric(18,2), averages numeric(18,6), times as UTC timestamp
 * or date.
 *
 * Views are security_invoker: like the functions, they show what the caller may
 * read of the events relation.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "insight/args.h"
#include "insight/columns.h"
#include "insight/views.h"

PG_FUNCTION_INFO_V1(ec_create_views);

const char *
ec_views_name(int i)
{
	return ec_views_function(i)->name;
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
make_view(const char *schema, const char *events, const EcFunctionView *view)
{
	schema = quote_identifier(schema);
	ec_views_execute(psprintf("CREATE OR REPLACE VIEW %s.%s WITH (security_invoker = true) AS "
							  "SELECT %s FROM ecinsight.%s(%s::regclass%s)",
							  schema, view->name, view->columns, view->name,
							  quote_literal_cstr(events), view->arguments));
	ec_views_execute(psprintf("COMMENT ON VIEW %s.%s IS %s", schema, view->name,
							  quote_literal_cstr(view->comment)));
}

static void
make_views(const char *schema, Oid relid)
{
	const char *events = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
													get_rel_name(relid));
	const EcFunctionView *view;

	for (int i = 0; (view = ec_views_function(i))->name != NULL; i++)
		make_view(schema, events, view);
}

/* create_views(events regclass, schema name) */
Datum
ec_create_views(PG_FUNCTION_ARGS)
{
	EcEvents events;
	const char *schema;
	int level;

	ec_args_require(fcinfo, 0, "events");
	ec_args_require(fcinfo, 1, "schema");
	schema = NameStr(*PG_GETARG_NAME(1));
	SPI_connect();
	level = ec_views_safe_path();
	ec_columns_find(PG_GETARG_OID(0), EC_COL_ALL & ~EC_COL_BIT(EC_COL_SESSION), &events);
	check_names(schema);
	make_views(schema, events.relid);
	ec_views_restore_path(level);
	SPI_finish();
	PG_RETURN_VOID();
}
