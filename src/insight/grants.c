/*
 * grants.c
 *	  ecinsight.grant_read: what a role needs to read the views by a live connection.
 *
 * Views and functions check their caller, so the role also gets SELECT on the events
 * relations that the views depend on, and USAGE on their schemas.  Only what the role
 * lacks is granted, so that a caller without the right to grant the rest (say, on
 * the extension's schema, which PUBLIC may use) meets no error.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "insight/args.h"
#include "insight/views.h"

PG_FUNCTION_INFO_V1(ec_grant_read);

static Oid
owner_of(Oid relid)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* GRANT itself would only warn, and leave the role with views that it cannot read. */
static void
refuse(Oid grantor, const char *privilege, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("role \"%s\" may not grant %s on %s", GetUserNameFromId(grantor, true),
						   privilege, what),
					errhint("Let its owner grant it.")));
}

static void
check_may_grant(Oid relid, Oid grantor, const char *name)
{
	if (pg_class_aclcheck(relid, grantor, ACL_GRANT_OPTION_FOR(ACL_SELECT)) != ACLCHECK_OK)
		refuse(grantor, "SELECT", name);
}

/* check: has_schema_privilege or has_database_privilege of ids; kind and name: as in GRANT. */
static void
grant_object(PGFunction check, Oid object, const char *privilege, const char *kind,
			 const char *name, const char *role, Oid roleid)
{
	const char *option = psprintf("%s WITH GRANT OPTION", privilege);
	const char *what = psprintf("%s %s", kind, quote_identifier(name));

	if (DatumGetBool(DirectFunctionCall3(check, ObjectIdGetDatum(roleid), ObjectIdGetDatum(object),
										 PointerGetDatum(cstring_to_text(privilege)))))
		return;
	if (!DatumGetBool(DirectFunctionCall3(check, ObjectIdGetDatum(GetUserId()),
										  ObjectIdGetDatum(object),
										  PointerGetDatum(cstring_to_text(option)))))
		refuse(GetUserId(), privilege, what);
	ec_views_execute(psprintf("GRANT %s ON %s TO %s", privilege, what, role));
}

static void
grant_schema(Oid namespace, const char *role, Oid roleid)
{
	grant_object(has_schema_privilege_id_id, namespace, "USAGE", "schema",
				 get_namespace_name(namespace), role, roleid);
}

static void
grant_database(const char *role, Oid roleid)
{
	const char *privileges[] = {"CONNECT", "TEMPORARY"};

	for (int i = 0; i < lengthof(privileges); i++)
		grant_object(has_database_privilege_id_id, MyDatabaseId, privileges[i], "database",
					 get_database_name(MyDatabaseId), role, roleid);
}

/*
 * owner: of the view for whose sake it is granted.  It must have the right to grant,
 * too, or anybody's view of a table could talk a mightier caller into opening it.
 */
static void
grant_relation(Oid relid, const char *role, Oid roleid, Oid owner)
{
	Oid namespace = get_rel_namespace(relid);
	const char *name =
		quote_qualified_identifier(get_namespace_name(namespace), get_rel_name(relid));

	if (pg_class_aclcheck(relid, roleid, ACL_SELECT) != ACLCHECK_OK)
	{
		check_may_grant(relid, GetUserId(), name);
		check_may_grant(relid, owner, name);
		grant_schema(namespace, role, roleid);
		ec_views_execute(psprintf("GRANT SELECT ON TABLE %s TO %s", name, role));
	}
	else
		grant_schema(namespace, role, roleid);
}

/* Relations that a view's rule refers to: in FROM, or as a regclass constant. */
static void
grant_sources(Oid view, const char *role, Oid roleid)
{
	char *query =
		psprintf("SELECT DISTINCT d.refobjid FROM pg_rewrite r "
				 "JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid "
				 "JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid "
				 "WHERE r.ev_class = %u AND c.oid <> r.ev_class "
				 "AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
				 view);
	SPITupleTable *rows;
	uint64 n;

	if (SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not execute: %s", query);
	rows = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
	{
		bool isnull;

		grant_relation(DatumGetObjectId(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)),
					   role, roleid, owner_of(view));
	}
}

/* grant_read(role name, schema name) */
Datum
ec_grant_read(PG_FUNCTION_ARGS)
{
	const char *schema;
	const char *role;
	const char *name;
	Oid roleid;
	Oid namespace;
	int nviews = 0;
	int level;

	ec_args_require(fcinfo, 0, "role");
	ec_args_require(fcinfo, 1, "schema");
	schema = NameStr(*PG_GETARG_NAME(1));
	namespace = get_namespace_oid(schema, false);
	role = quote_identifier(NameStr(*PG_GETARG_NAME(0)));
	roleid = get_role_oid(NameStr(*PG_GETARG_NAME(0)), false);
	SPI_connect();
	level = ec_views_safe_path();
	grant_database(role, roleid);
	grant_schema(get_namespace_oid("ecinsight", false), role, roleid);
	for (int i = 0; (name = ec_views_name(i)) != NULL; i++)
	{
		Oid view = get_relname_relid(name, namespace);

		if (!OidIsValid(view) || get_rel_relkind(view) != RELKIND_VIEW)
			continue;
		grant_relation(view, role, roleid, owner_of(view));
		grant_sources(view, role, roleid);
		nviews++;
	}
	ec_views_restore_path(level);
	SPI_finish();
	if (nviews == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("schema \"%s\" has no insight views", schema),
						errhint("Make them with ecinsight.create_views.")));
	PG_RETURN_VOID();
}
