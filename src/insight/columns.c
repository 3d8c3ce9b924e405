/*
 * columns.c
 *	  Resolves the columns of an events relation and checks their types.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "insight/columns.h"

const char *const ec_event_column_names[EC_EVENT_COLUMNS] = {
	"event_time", "event_type", "product_id", "category_id", "category_code",
	"brand",	  "price",		"user_id",	  "user_session"};

/* The type that create_events_table makes: what a view should cast to. */
static const char *const canonical_types[EC_EVENT_COLUMNS] = {
	"timestamptz", "text", "bigint", "bigint", "text", "text", "numeric(10,2)", "bigint", "text"};

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID;
}

/* Can a column of this type play this part? */
static bool
is_accepted(EcEventColumn column, const EcColType *ct)
{
	Oid type = ct->basetype;

	switch (column)
	{
		case EC_COL_TIME:
			return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
		case EC_COL_TYPE:
			return is_text(type) || get_typtype(type) == TYPTYPE_ENUM;
		case EC_COL_PRODUCT:
		case EC_COL_CATEGORY_ID:
		case EC_COL_USER:
			return is_integer(type) ||
				   (type == NUMERICOID && ct->kind == EC_KIND_DECIMAL && ct->scale == 0);
		case EC_COL_CATEGORY_CODE:
		case EC_COL_BRAND:
			return is_text(type);
		case EC_COL_PRICE:
			return is_integer(type) || type == NUMERICOID || type == FLOAT4OID || type == FLOAT8OID;
		case EC_COL_SESSION:
			return is_text(type) || type == UUIDOID;
	}
	return false;
}

static Relation
open_events(Oid relid)
{
	Relation rel = try_relation_open(relid, AccessShareLock);
	char relkind;

	if (rel == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	relkind = rel->rd_rel->relkind;
	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE &&
		relkind != RELKIND_VIEW && relkind != RELKIND_MATVIEW && relkind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" cannot be read as an events relation",
							   RelationGetRelationName(rel)),
						errhint("Name a table, partitioned table or view.")));
	return rel;
}

static AttrNumber
find_attribute(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	return InvalidAttrNumber;
}

/* Where the names come from. */
static void
read_names(Relation rel, EcEvents *events)
{
	Oid relid = RelationGetRelid(rel);
	bool found = false;

	do
	{
		ec_map_read(relid, events->names);
		for (int i = 0; i < EC_EVENT_COLUMNS; i++)
			found |= events->names[i] != NULL;
		relid = found || !get_rel_relispartition(relid) ? InvalidOid
														: get_partition_parent(relid, true);
	} while (OidIsValid(relid));
	for (int i = 0; i < EC_EVENT_COLUMNS; i++)
	{
		if (events->names[i] == NULL)
			events->names[i] = ec_event_column_names[i];
	}
}

void
ec_columns_probe(Relation rel, EcEvents *events)
{
	memset(events, 0, sizeof(EcEvents));
	events->relid = RelationGetRelid(rel);
	read_names(rel, events);
	for (int i = 0; i < EC_EVENT_COLUMNS; i++)
	{
		AttrNumber attnum = find_attribute(RelationGetDescr(rel), events->names[i]);
		Form_pg_attribute att;

		if (attnum == InvalidAttrNumber)
			continue;
		att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
		ec_coltype_init(&events->types[i], att->atttypid, att->atttypmod, att->attcollation);
		if (!is_accepted(i, &events->types[i]))
			continue;
		events->attnums[i] = attnum;
		events->columns |= EC_COL_BIT(i);
	}
}

static void
find_column(Relation rel, EcEventColumn column, EcEvents *events)
{
	AttrNumber attnum = find_attribute(RelationGetDescr(rel), events->names[column]);
	EcColType *ct = &events->types[column];
	Form_pg_attribute att;

	if (attnum == InvalidAttrNumber)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("column \"%s\" of relation \"%s\" does not exist",
							   events->names[column], RelationGetRelationName(rel)),
						errhint("Tell which column holds %s with ecinsight.map_columns.",
								ec_event_column_names[column])));
	att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	ec_coltype_init(ct, att->atttypid, att->atttypmod, att->attcollation);
	if (!is_accepted(column, ct))
		ereport(
			ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of relation \"%s\" has type %s, which cannot be read as %s",
					events->names[column], RelationGetRelationName(rel),
					format_type_with_typemod(att->atttypid, att->atttypmod),
					ec_event_column_names[column]),
			 errhint(
				 "Create a view that casts the column to %s, and name the view as events relation.",
				 canonical_types[column])));
	events->attnums[column] = attnum;
	events->columns |= EC_COL_BIT(column);
}

void
ec_columns_find(Oid relid, uint32 wanted, EcEvents *events)
{
	Relation rel = open_events(relid);

	memset(events, 0, sizeof(EcEvents));
	events->relid = relid;
	read_names(rel, events);
	for (int i = 0; i < EC_EVENT_COLUMNS; i++)
	{
		if (wanted & EC_COL_BIT(i))
			find_column(rel, i, events);
	}
	relation_close(rel, NoLock);
}
