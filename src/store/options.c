/*
 * options.c
 *	  Per-table options: rows of ecinsight.table_options, which pg_dump keeps as the
 *	  extension's configuration.
 *
 * PostgreSQL allows no reloptions to a table access method, hence the table.  What
 * a table's row says is cached in its relcache entry (rd_amcache), which
 * set_options invalidates; a trigger on table_options does so for restores and
 * manual changes.
 *
 * A partition takes what it has not set itself from the tables above it.  What
 * those have set is thus part of what is cached with it, and is invalidated with it.
 *
 * The columns of order_by are kept by name, as numbers change with a dump; RENAME
 * COLUMN and DROP COLUMN change what is kept, by the object access hook.  Names that
 * the table doesn't have are left out.
 *
 * A rewrite (ALTER TABLE, REFRESH MATERIALIZED VIEW) fills a new table named
 * pg_temp_<oid>, which then lends its files to the old one: options of that one
 * hold for it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "base/guc.h"
#include "store/options.h"
#include "store/writer.h"

PG_FUNCTION_INFO_V1(ec_set_options);
PG_FUNCTION_INFO_V1(ec_options);
PG_FUNCTION_INFO_V1(ec_table_options_changed);

/* Columns of ecinsight.table_options and results of ecinsight.options(). */
enum
{
	OPT_RELATION,
	OPT_COMPRESSION,
	OPT_COMPRESSION_LEVEL,
	OPT_ROW_GROUP_ROWS,
	OPT_ORDER_BY,
	OPT_SUMMARIES,
	OPT_COLUMNS
};

/* Arguments of ecinsight.set_options: the same, but for this one. */
#define ARG_BLOOM OPT_SUMMARIES
#define ARG_OF(option) ((option) + ((option) >= ARG_BLOOM ? 1 : 0))

/* What the rows of a table and those above it say; -1: nothing. */
typedef struct StoredOptions
{
	int codec;
	int level;
	int row_group_rows;
	int norder;
	int order[EC_ORDER_MAX];
	int summaries; /* EcSummariesOption */
	uint32 dimensions;
} StoredOptions;

static const char *const codec_names[] = {"none", "lz4", "zstd"};

static int
codec_from_name(const char *name)
{
	for (int i = 0; i < (int) lengthof(codec_names); i++)
	{
		if (strcmp(name, codec_names[i]) == 0)
			return i;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("invalid value for option \"compression\": \"%s\"", name),
					errhint("Valid values are \"none\", \"lz4\" and \"zstd\".")));
}

/* ------------------------------------------------------------------------
 * Summaries
 * ------------------------------------------------------------------------
 */

static const char *const summaries_names[] = {"auto", "on", "off"};
static const char *const dimension_names[] = {"category", "product", "user", "purchase", "visit"};

#define ALL_DIMENSIONS ((1U << lengthof(dimension_names)) - 1)

static int
find_name(const char *name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (pg_strcasecmp(name, names[i]) == 0)
			return i;
	}
	return -1;
}

/* False if the text is no value of option summaries. */
static bool
read_summaries(const char *text, int *summaries, uint32 *dimensions)
{
	List *names;
	ListCell *cell;

	*summaries = find_name(text, summaries_names, lengthof(summaries_names));
	*dimensions = ALL_DIMENSIONS;
	if (*summaries >= 0)
		return true;
	if (!SplitIdentifierString(pstrdup(text), ',', &names) || names == NIL)
		return false;
	*summaries = EC_SUMMARIES_ON;
	*dimensions = 0;
	foreach (cell, names)
	{
		int i = find_name(lfirst(cell), dimension_names, lengthof(dimension_names));

		if (i < 0)
			return false;
		*dimensions |= 1U << i;
	}
	return true;
}

static char *
summaries_text(int summaries, uint32 dimensions)
{
	StringInfoData text;

	initStringInfo(&text);
	if (dimensions == ALL_DIMENSIONS)
		appendStringInfoString(&text, summaries_names[summaries]);
	for (int i = 0; i < (int) lengthof(dimension_names) && dimensions != ALL_DIMENSIONS; i++)
	{
		if ((dimensions >> i & 1) != 0)
			appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", dimension_names[i]);
	}
	return text.data;
}

/* The value as it is kept. */
static Datum
check_summaries(const char *value)
{
	int summaries;
	uint32 dimensions;

	if (!read_summaries(value, &summaries, &dimensions))
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"summaries\": \"%s\"", value),
			 errhint("Valid values are \"auto\", \"on\", \"off\", or a list of \"category\", "
					 "\"product\", \"user\", \"purchase\" and \"visit\", separated by commas.")));
	return CStringGetTextDatum(summaries_text(summaries, dimensions));
}

bool
ec_options_wants(const EcTableOptions *options, const char *dimension)
{
	int i = find_name(dimension, dimension_names, lengthof(dimension_names));

	return options->summaries != EC_SUMMARIES_OFF && i >= 0 && (options->dimensions >> i & 1) != 0;
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

static Relation
open_options(LOCKMODE lockmode)
{
	Oid namespace = get_namespace_oid("ecinsight", true);
	Oid relid = OidIsValid(namespace) ? get_relname_relid("table_options", namespace) : InvalidOid;

	return OidIsValid(relid) ? try_table_open(relid, lockmode) : NULL;
}

static SysScanDesc
begin_lookup(Relation options, Oid relid, Snapshot snapshot)
{
	List *indexes = RelationGetIndexList(options);
	Oid index = indexes == NIL ? InvalidOid : linitial_oid(indexes);
	ScanKeyData key;

	ScanKeyInit(&key, OPT_RELATION + 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	list_free(indexes);
	return systable_beginscan(options, index, OidIsValid(index), snapshot, 1, &key);
}

static int
int_or_unset(Datum value, bool isnull)
{
	return isnull ? -1 : DatumGetInt32(value);
}

/* The names in an order_by; the list and its strings are palloc'd. */
static List *
order_names(const char *order_by)
{
	List *names;

	if (!SplitIdentifierString(pstrdup(order_by), ',', &names) || list_length(names) > EC_ORDER_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid value for option \"order_by\": \"%s\"", order_by),
						errhint("It is a list of at most %d column names, separated by commas.",
								EC_ORDER_MAX)));
	return names;
}

static void
read_order(Relation rel, const char *order_by, StoredOptions *stored)
{
	List *names = order_names(order_by);
	ListCell *cell;

	stored->norder = 0;
	foreach (cell, names)
	{
		AttrNumber attnum = get_attnum(RelationGetRelid(rel), lfirst(cell));

		if (attnum > 0)
			stored->order[stored->norder++] = attnum - 1;
	}
}

/* Adds what one table's row says to what tables below it have left open. */
static void
add_tuple(Relation rel, Relation options, HeapTuple tuple, StoredOptions *stored)
{
	Datum values[OPT_COLUMNS];
	bool isnull[OPT_COLUMNS];

	heap_deform_tuple(tuple, RelationGetDescr(options), values, isnull);
	if (stored->codec < 0 && !isnull[OPT_COMPRESSION])
		stored->codec = codec_from_name(TextDatumGetCString(values[OPT_COMPRESSION]));
	if (stored->level < 0)
		stored->level = int_or_unset(values[OPT_COMPRESSION_LEVEL], isnull[OPT_COMPRESSION_LEVEL]);
	if (stored->row_group_rows < 0)
		stored->row_group_rows =
			int_or_unset(values[OPT_ROW_GROUP_ROWS], isnull[OPT_ROW_GROUP_ROWS]);
	if (stored->norder < 0 && !isnull[OPT_ORDER_BY])
		read_order(rel, TextDatumGetCString(values[OPT_ORDER_BY]), stored);
	if (stored->summaries < 0 && !isnull[OPT_SUMMARIES] &&
		!read_summaries(TextDatumGetCString(values[OPT_SUMMARIES]), &stored->summaries,
						&stored->dimensions))
		stored->summaries = -1;
}

static void
read_stored(Relation rel, Oid relid, StoredOptions *stored)
{
	Relation options = open_options(AccessShareLock);

	stored->codec = stored->level = stored->row_group_rows = stored->norder = stored->summaries =
		-1;
	while (options != NULL && OidIsValid(relid))
	{
		SysScanDesc scan = begin_lookup(options, relid, NULL);
		HeapTuple tuple = systable_getnext(scan);

		if (HeapTupleIsValid(tuple))
			add_tuple(rel, options, tuple, stored);
		systable_endscan(scan);
		relid = get_rel_relispartition(relid) ? get_partition_parent(relid, true) : InvalidOid;
	}
	if (options != NULL)
		table_close(options, AccessShareLock);
}

/* The table whose options hold: for the target of a rewrite, the table being rewritten. */
static Oid
options_owner(Relation rel)
{
	const char *name = RelationGetRelationName(rel);
	Oid original;
	char expected[NAMEDATALEN];

	if (rel->rd_createSubid == InvalidSubTransactionId || strncmp(name, "pg_temp_", 8) != 0)
		return RelationGetRelid(rel);
	original = (Oid) strtoul(name + 8, NULL, 10);
	snprintf(expected, sizeof(expected), "pg_temp_%u", original);
	return strcmp(name, expected) == 0 ? original : RelationGetRelid(rel);
}

static const StoredOptions *
cached_options(Relation rel)
{
	StoredOptions stored;

	if (rel->rd_amcache == NULL)
	{
		StoredOptions *copy;

		read_stored(rel, options_owner(rel), &stored);
		copy = MemoryContextAlloc(CacheMemoryContext, sizeof(StoredOptions));
		*copy = stored;
		rel->rd_amcache = copy;
	}
	return rel->rd_amcache;
}

EcTableOptions
ec_options_get(Relation rel)
{
	const StoredOptions *stored = cached_options(rel);
	EcTableOptions options;

	options.codec = stored->codec >= 0 ? stored->codec : ec_guc_compression;
	options.level = stored->level >= 0 ? stored->level : ec_guc_compression_level;
	options.row_group_rows =
		stored->row_group_rows >= 0 ? stored->row_group_rows : ec_guc_row_group_rows;
	options.norder = Max(stored->norder, 0);
	memcpy(options.order, stored->order, sizeof(options.order));
	options.summaries = stored->summaries >= 0 ? stored->summaries : EC_SUMMARIES_AUTO;
	options.dimensions = stored->summaries >= 0 ? stored->dimensions : ALL_DIMENSIONS;
	return options;
}

/* ------------------------------------------------------------------------
 * Changing
 * ------------------------------------------------------------------------
 */

/* A table's cached options, and those of all partitions below it. */
static void
invalidate_tree(Oid relid)
{
	List *relids = find_all_inheritors(relid, NoLock, NULL);
	ListCell *cell;

	foreach (cell, relids)
	{
		if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(lfirst_oid(cell))))
			CacheInvalidateRelcacheByRelid(lfirst_oid(cell));
	}
}

void
ec_options_drop(Oid relid)
{
	Relation options = open_options(RowExclusiveLock);
	SysScanDesc scan;
	HeapTuple tuple;

	if (options == NULL)
		return;
	scan = begin_lookup(options, relid, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		CatalogTupleDelete(options, &tuple->t_self);
	systable_endscan(scan);
	table_close(options, RowExclusiveLock);
}

/* Columnar tables, and partitioned ones for the partitions below them. */
static bool
has_options(Relation rel)
{
	return ec_store_is_columnar(rel) || rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
}

static Relation
open_for_change(Oid relid)
{
	Relation rel = table_open(relid, ShareUpdateExclusiveLock);

	if (!ec_compat_owns_relation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	if (!has_options(rel))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a columnar table", RelationGetRelationName(rel)),
						errhint("Create it with USING ecinsight_columnar.")));
	return rel;
}

static void
check_range(const char *name, int value, int min, int max)
{
	if (value < min || value > max)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("value %d out of bounds for option \"%s\"", value, name),
						errdetail("Valid values are between \"%d\" and \"%d\".", min, max)));
}

static Datum
order_datum(List *names)
{
	StringInfoData text;
	ListCell *cell;

	initStringInfo(&text);
	foreach (cell, names)
		appendStringInfo(&text, "%s%s", foreach_current_index(cell) > 0 ? ", " : "",
						 quote_identifier(lfirst(cell)));
	return CStringGetTextDatum(text.data);
}

/* Names of columns that exist, once each, quoted where they must be. */
static Datum
check_order(Relation rel, const char *order_by)
{
	List *names = order_names(order_by);
	ListCell *cell;

	foreach (cell, names)
	{
		const char *name = lfirst(cell);

		if (get_attnum(RelationGetRelid(rel), name) <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("column \"%s\" of relation \"%s\" does not exist", name,
								   RelationGetRelationName(rel))));
		for (int i = 0; i < foreach_current_index(cell); i++)
		{
			if (strcmp(name, list_nth(names, i)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" appears twice in option \"order_by\"", name)));
		}
	}
	return order_datum(names);
}

static void
check_options(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(OPT_COMPRESSION))
		codec_from_name(text_to_cstring(PG_GETARG_TEXT_PP(OPT_COMPRESSION)));
	if (!PG_ARGISNULL(OPT_COMPRESSION_LEVEL))
		check_range("compression_level", PG_GETARG_INT32(OPT_COMPRESSION_LEVEL), 1, 19);
	if (!PG_ARGISNULL(OPT_ROW_GROUP_ROWS))
		check_range("row_group_rows", PG_GETARG_INT32(OPT_ROW_GROUP_ROWS), 1024, EC_GROUP_ROWS_MAX);
	if (!PG_ARGISNULL(ARG_BLOOM))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("option \"%s\" is not supported yet", "bloom"), errhint("Leave it out.")));
}

static Datum
checked_argument(FunctionCallInfo fcinfo, Relation rel, int option)
{
	Datum value = PG_GETARG_DATUM(ARG_OF(option));

	if (option == OPT_ORDER_BY)
		return check_order(rel, TextDatumGetCString(value));
	if (option == OPT_SUMMARIES)
		return check_summaries(TextDatumGetCString(value));
	return value;
}

/*
 * set_options(relation, compression, compression_level, row_group_rows, order_by,
 * bloom, summaries): the argument that is NULL leaves its option as it is.  An empty
 * order_by means no order.
 */
Datum
ec_set_options(PG_FUNCTION_ARGS)
{
	Relation rel;
	Relation options;
	SysScanDesc scan;
	HeapTuple old_tuple;
	Datum values[OPT_COLUMNS] = {0};
	bool isnull[OPT_COLUMNS];
	bool replace[OPT_COLUMNS] = {0};

	if (PG_ARGISNULL(OPT_RELATION))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("relation must not be null")));
	rel = open_for_change(PG_GETARG_OID(OPT_RELATION));
	check_options(fcinfo);
	for (int i = 0; i < OPT_COLUMNS; i++)
	{
		isnull[i] = PG_ARGISNULL(ARG_OF(i));
		replace[i] = !isnull[i];
		if (!isnull[i])
			values[i] = checked_argument(fcinfo, rel, i);
	}

	options = open_options(RowExclusiveLock);
	if (options == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("table ecinsight.table_options does not exist"),
						errhint("Run CREATE EXTENSION ecinsight.")));
	scan = begin_lookup(options, RelationGetRelid(rel), NULL);
	old_tuple = systable_getnext(scan);
	if (HeapTupleIsValid(old_tuple))
		CatalogTupleUpdate(
			options, &old_tuple->t_self,
			heap_modify_tuple(old_tuple, RelationGetDescr(options), values, isnull, replace));
	else
		CatalogTupleInsert(options, heap_form_tuple(RelationGetDescr(options), values, isnull));
	systable_endscan(scan);
	table_close(options, RowExclusiveLock);
	CommandCounterIncrement();
	invalidate_tree(RelationGetRelid(rel));
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

void
ec_options_copy(Oid source, Oid target)
{
	Relation options = open_options(RowExclusiveLock);
	SysScanDesc scan;
	HeapTuple tuple;
	Datum values[OPT_COLUMNS] = {ObjectIdGetDatum(target)};
	bool isnull[OPT_COLUMNS] = {0};
	bool replace[OPT_COLUMNS] = {true};

	if (options == NULL)
		return;
	ec_options_drop(target);
	CommandCounterIncrement();
	scan = begin_lookup(options, source, NULL);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		CatalogTupleInsert(
			options, heap_modify_tuple(tuple, RelationGetDescr(options), values, isnull, replace));
	systable_endscan(scan);
	table_close(options, RowExclusiveLock);
	CommandCounterIncrement();
	invalidate_tree(target);
}

/* ------------------------------------------------------------------------
 * Columns that change their names
 * ------------------------------------------------------------------------
 */

/* The column's name as this command has just changed it, or NULL. */
static const char *
changed_name(Oid relid, AttrNumber attnum)
{
	Relation attributes = table_open(AttributeRelationId, AccessShareLock);
	const char *name = NULL;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&keys[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_attribute_attnum, BTEqualStrategyNumber, F_INT2EQ,
				Int16GetDatum(attnum));
	scan = systable_beginscan(attributes, AttributeRelidNumIndexId, true, SnapshotSelf, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		name = pstrdup(NameStr(((Form_pg_attribute) GETSTRUCT(tuple))->attname));
	systable_endscan(scan);
	table_close(attributes, AccessShareLock);
	return name;
}

/* The order_by of the table's own row with another name, or none, instead of the old one. */
static void
replace_name(Relation options, HeapTuple tuple, const char *old, const char *new)
{
	Datum values[OPT_COLUMNS];
	bool isnull[OPT_COLUMNS];
	bool replace[OPT_COLUMNS] = {0};
	List *names = NIL;
	bool found = false;
	ListCell *cell;

	heap_deform_tuple(tuple, RelationGetDescr(options), values, isnull);
	if (isnull[OPT_ORDER_BY])
		return;
	foreach (cell, order_names(TextDatumGetCString(values[OPT_ORDER_BY])))
	{
		bool same = strcmp(lfirst(cell), old) == 0;

		found |= same;
		if (!same || new != NULL)
			names = lappend(names, same ? (char *) new : lfirst(cell));
	}
	if (!found)
		return;
	values[OPT_ORDER_BY] = order_datum(names);
	replace[OPT_ORDER_BY] = true;
	CatalogTupleUpdate(
		options, &tuple->t_self,
		heap_modify_tuple(tuple, RelationGetDescr(options), values, isnull, replace));
}

static void
change_name(Oid relid, const char *old, const char *new)
{
	Relation options = open_options(RowExclusiveLock);
	SysScanDesc scan;
	HeapTuple tuple;

	if (options == NULL)
		return;
	scan = begin_lookup(options, relid, NULL);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		replace_name(options, tuple, old, new);
	systable_endscan(scan);
	table_close(options, RowExclusiveLock);
}

void
ec_options_column_changed(Oid relid, AttrNumber attnum)
{
	const char *old = get_attname(relid, attnum, true);
	const char *new = changed_name(relid, attnum);

	if (old != NULL && new != NULL && strcmp(old, new) != 0)
		change_name(relid, old, new);
}

void
ec_options_column_dropped(Oid relid, AttrNumber attnum)
{
	const char *old = get_attname(relid, attnum, true);

	if (old != NULL)
		change_name(relid, old, NULL);
}

/* ------------------------------------------------------------------------
 * Options in force
 * ------------------------------------------------------------------------
 */

static char *
order_text(Relation rel, const EcTableOptions *options)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < options->norder; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(NameStr(
							 TupleDescAttr(RelationGetDescr(rel), options->order[i])->attname)));
	return text.data;
}

/* Options in force, as name and value; "source" tells where each comes from. */
Datum
ec_options(PG_FUNCTION_ARGS)
{
	Relation rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	StoredOptions stored;
	EcTableOptions options;
	const char *names[] = {"compression", "compression_level", "row_group_rows", "order_by",
						   "summaries"};
	char *texts[lengthof(names)];
	bool is_stored[lengthof(names)];

	if (!has_options(rel))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a columnar table", RelationGetRelationName(rel))));
	options = ec_options_get(rel);
	read_stored(rel, RelationGetRelid(rel), &stored);
	texts[0] = pstrdup(codec_names[options.codec]);
	texts[1] = psprintf("%d", options.level);
	texts[2] = psprintf("%u", options.row_group_rows);
	is_stored[0] = stored.codec >= 0;
	is_stored[1] = stored.level >= 0;
	texts[3] = order_text(rel, &options);
	is_stored[2] = stored.row_group_rows >= 0;
	is_stored[3] = stored.norder >= 0;
	texts[4] = summaries_text(options.summaries, options.dimensions);
	is_stored[4] = stored.summaries >= 0;
	table_close(rel, AccessShareLock);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < (int) lengthof(names); i++)
	{
		Datum values[3] = {CStringGetTextDatum(names[i]), CStringGetTextDatum(texts[i]),
						   CStringGetTextDatum(is_stored[i] ? "table" : "parameter")};
		bool isnull[3] = {0};

		tuplestore_putvalues(((ReturnSetInfo *) fcinfo->resultinfo)->setResult,
							 ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc, values, isnull);
	}
	PG_RETURN_NULL();
}

static void
invalidate_owner(HeapTuple tuple, TupleDesc tupdesc)
{
	bool isnull;
	Datum relid;

	if (tuple == NULL)
		return;
	relid = heap_getattr(tuple, OPT_RELATION + 1, tupdesc, &isnull);
	if (!isnull && SearchSysCacheExists1(RELOID, relid))
		invalidate_tree(DatumGetObjectId(relid));
}

/* Trigger of table_options, for rows that come by COPY (pg_restore) or by hand. */
Datum
ec_table_options_changed(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TupleDesc tupdesc;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function %s can only be called as a trigger", "table_options_changed")));
	tupdesc = RelationGetDescr(data->tg_relation);
	invalidate_owner(data->tg_trigtuple, tupdesc);
	if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		invalidate_owner(data->tg_newtuple, tupdesc);
	return PointerGetDatum(NULL);
}
