/*
 * tables.c
 *	  ecinsight.create_events_table: a columnar table in the shop's column order.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "insight/args.h"

PG_FUNCTION_INFO_V1(ec_create_events_table);

Datum
ec_create_events_table(PG_FUNCTION_ARGS)
{
	RangeVar *name;
	Oid schema;
	const char *quoted;
	char *command;

	ec_args_require(fcinfo, 0, "name");
	name = makeRangeVarFromNameList(textToQualifiedNameList(PG_GETARG_TEXT_PP(0)));
	schema = RangeVarGetCreationNamespace(name);
	quoted = quote_qualified_identifier(get_namespace_name(schema), name->relname);
	command = psprintf("CREATE TABLE %s ("
					   "event_time pg_catalog.timestamptz, event_type pg_catalog.text, "
					   "product_id pg_catalog.int8, category_id pg_catalog.int8, "
					   "category_code pg_catalog.text, brand pg_catalog.text, "
					   "price pg_catalog.numeric(10,2), user_id pg_catalog.int8, "
					   "user_session pg_catalog.text) USING ecinsight_columnar",
					   quoted);
	SPI_connect();
	if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not create events table %s", quoted);
	SPI_finish();
	PG_RETURN_OID(get_relname_relid(name->relname, schema));
}
