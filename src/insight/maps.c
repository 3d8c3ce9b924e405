/*
 * maps.c
 *	  ecinsight.map_columns: names of an events relation's columns where they are
 *	  not the contract's.
 *
 * The table ecinsight.column_maps holds one row (relid regclass, mapping jsonb) for
 * each mapped relation; pg_dump keeps it.  It is read here without regard to
 * privileges and written only here, for the relation's owner, under
 * ShareRowExclusiveLock, so that no two writers meet; an event trigger in the
 * extension's script removes the rows of dropped relations.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "insight/args.h"
#include "insight/columns.h"
#include "store/options.h"

#define MAPS_TABLE "column_maps"
#define MAPS_INDEX "column_maps_pkey"
#define MAPS_COL_RELID 1
#define MAPS_COL_MAPPING 2
#define MAPS_NATTS 2

PG_FUNCTION_INFO_V1(ec_map_columns);
PG_FUNCTION_INFO_V1(ec_forget_dropped);

static Oid
maps_relation(const char *name)
{
	Oid schema = get_namespace_oid("ecinsight", false);
	Oid relid = get_relname_relid(name, schema);

	if (!OidIsValid(relid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation \"ecinsight.%s\" does not exist", name)));
	return relid;
}

static SysScanDesc
scan_maps(Relation maps, Oid relid)
{
	ScanKeyData key;

	ScanKeyInit(&key, MAPS_COL_RELID, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	return systable_beginscan(maps, maps_relation(MAPS_INDEX), true, NULL, 1, &key);
}

static int
column_by_name(const char *name, int len)
{
	for (int i = 0; i < EC_EVENT_COLUMNS; i++)
	{
		if (strlen(ec_event_column_names[i]) == len &&
			memcmp(ec_event_column_names[i], name, len) == 0)
			return i;
	}
	return -1;
}

/* Takes a mapping apart; complains of what isn't one. */
static void
parse_mapping(Jsonb *mapping, const char *names[EC_EVENT_COLUMNS])
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue value;
	int column = -1;

	memset(names, 0, sizeof(names[0]) * EC_EVENT_COLUMNS);
	if (!JB_ROOT_IS_OBJECT(mapping))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("mapping must be a JSON object"),
				 errhint("For example: {\"event_time\": \"ts\"}.")));
	it = JsonbIteratorInit(&mapping->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			column = column_by_name(value.val.string.val, value.val.string.len);
			if (column < 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("mapping names unknown column \"%.*s\"", value.val.string.len,
								value.val.string.val),
						 errhint("Its keys are event_time, event_type, product_id, category_id, "
								 "category_code, brand, price, user_id and user_session.")));
		}
		else if (token == WJB_VALUE)
		{
			if (value.type != jbvString)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("mapping of \"%s\" must be a string, the name of a column",
									   ec_event_column_names[column])));
			names[column] = pnstrdup(value.val.string.val, value.val.string.len);
		}
	}
}

void
ec_map_read(Oid relid, const char *names[EC_EVENT_COLUMNS])
{
	Relation maps = table_open(maps_relation(MAPS_TABLE), AccessShareLock);
	SysScanDesc scan = scan_maps(maps, relid);
	HeapTuple tuple = systable_getnext(scan);
	bool isnull = true;
	Datum mapping = 0;

	memset(names, 0, sizeof(names[0]) * EC_EVENT_COLUMNS);
	if (HeapTupleIsValid(tuple))
		mapping = heap_getattr(tuple, MAPS_COL_MAPPING, RelationGetDescr(maps), &isnull);
	if (!isnull)
		parse_mapping(DatumGetJsonbP(mapping), names);
	systable_endscan(scan);
	table_close(maps, AccessShareLock);
}

static bool
has_map(Oid relid)
{
	Relation maps = table_open(maps_relation(MAPS_TABLE), AccessShareLock);
	SysScanDesc scan = scan_maps(maps, relid);
	bool found = HeapTupleIsValid(systable_getnext(scan));

	systable_endscan(scan);
	table_close(maps, AccessShareLock);
	return found;
}

/* Replaces the relation's row; mapping NULL only removes it. */
static void
write_map(Oid relid, Jsonb *mapping)
{
	Relation maps = table_open(maps_relation(MAPS_TABLE), ShareRowExclusiveLock);
	SysScanDesc scan = scan_maps(maps, relid);
	HeapTuple tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple))
		CatalogTupleDelete(maps, &tuple->t_self);
	systable_endscan(scan);
	if (mapping != NULL)
	{
		Datum values[MAPS_NATTS] = {ObjectIdGetDatum(relid), JsonbPGetDatum(mapping)};
		bool nulls[MAPS_NATTS] = {false, false};

		CatalogTupleInsert(maps, heap_form_tuple(RelationGetDescr(maps), values, nulls));
	}
	table_close(maps, NoLock);
	CommandCounterIncrement();
}

/*
 * Temporary relations are refused: no event trigger runs when they vanish with their
 * session, and their row would outlive them.
 */
static void
check_mappable(Oid relid)
{
	Relation rel = try_relation_open(relid, AccessShareLock);

	if (rel == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	if (!ec_compat_owns_relation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot map columns of temporary relation \"%s\"",
							   RelationGetRelationName(rel)),
						errhint("Create a temporary view with the column names wanted.")));
	relation_close(rel, NoLock);
}

/* map_columns(events regclass, mapping jsonb): an empty or NULL mapping removes the present one. */
Datum
ec_map_columns(PG_FUNCTION_ARGS)
{
	Oid relid;
	Jsonb *mapping = NULL;
	const char *names[EC_EVENT_COLUMNS];
	uint32 mapped = 0;
	EcEvents events;

	ec_args_require(fcinfo, 0, "events");
	relid = PG_GETARG_OID(0);
	check_mappable(relid);
	if (!PG_ARGISNULL(1))
	{
		mapping = PG_GETARG_JSONB_P(1);
		parse_mapping(mapping, names);
		for (int i = 0; i < EC_EVENT_COLUMNS; i++)
			mapped |= names[i] != NULL ? EC_COL_BIT(i) : 0;
	}
	write_map(relid, mapped != 0 ? mapping : NULL);
	ec_columns_find(relid, mapped, &events); /* complains of columns that can't serve */
	PG_RETURN_VOID();
}

/* Event trigger sql_drop, SECURITY DEFINER: forgets the maps and table options of dropped relations. */
Datum
ec_forget_dropped(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("%s can only be called as an event trigger", "forget_dropped")));
	SPI_connect();
	if (SPI_execute("SELECT objid FROM pg_catalog.pg_event_trigger_dropped_objects() "
					"WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objsubid = 0",
					false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list dropped objects");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool isnull;
		Oid relid = DatumGetObjectId(
			SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));

		ec_options_drop(relid);
		if (has_map(relid)) /* the usual drop shall not wait for writers of maps */
			write_map(relid, NULL);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
