/*
 * options.c
 *	  Options of Kafka servers and user mappings; see options.h.
 *
 * librdkafka itself says whether a name and a value are right.  What a user may
 * set is decided here by an allowlist: some properties read files, load libraries
 * or run programs as the server's operating system user, others would break the
 * promise that offsets are kept in our tables only, and a later librdkafka may
 * know properties that nobody has judged yet (superusers may set those).
 *
 * Secrets stand in user mappings, which only their user and the server's owner
 * can read; servers' options can be read by everybody.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "ingest/kafka.h"
#include "ingest/options.h"

#define ON_SERVER 1	 /* may stand in a server's options */
#define ON_MAPPING 2 /* may stand in a user mapping's options */
#define READS_FILE 4 /* names a file: pg_read_server_files */
#define RUNS_CODE 8	 /* loads or runs something: pg_execute_server_program */
#define SUPERUSER 16 /* nobody else */
#define OWNED 32	 /* set by ecinsight itself */

typedef struct PropertyRule
{
	const char *name;
	int flags;
	const char *hint; /* OWNED: why */
} PropertyRule;

#define KEPT_BY_US "Offsets are kept in the database, in the transaction that stores the rows."

/* Sorted by name. */
static const PropertyRule rules[] = {
	{"allow.auto.create.topics", OWNED, "Streams read topics that exist."},
	{"api.version.fallback.ms", ON_SERVER},
	{"api.version.request", ON_SERVER},
	{"api.version.request.timeout.ms", ON_SERVER},
	{"auto.commit.enable", OWNED, KEPT_BY_US},
	{"auto.commit.interval.ms", OWNED, KEPT_BY_US},
	{"auto.offset.reset", OWNED, "Use create_stream's parameters \"start\" and \"out_of_range\"."},
	{"bootstrap.servers", ON_SERVER},
	{"broker.address.family", ON_SERVER},
	{"broker.address.ttl", ON_SERVER},
	{"broker.version.fallback", ON_SERVER},
	{"check.crcs", ON_SERVER},
	{"client.id", ON_SERVER},
	{"client.rack", ON_SERVER},
	{"connections.max.idle.ms", ON_SERVER},
	{"debug", ON_SERVER},
	{"enable.auto.commit", OWNED, KEPT_BY_US},
	{"enable.auto.offset.store", OWNED, KEPT_BY_US},
	{"enable.partition.eof", OWNED,
	 "The end of a partition is needed to know when a stream has caught up."},
	{"enable.sasl.oauthbearer.unsecure.jwt", OWNED, "Unsigned tokens are not supported."},
	{"enable.ssl.certificate.verification", ON_SERVER},
	{"fetch.error.backoff.ms", ON_SERVER},
	{"fetch.max.bytes", ON_SERVER},
	{"fetch.message.max.bytes", ON_SERVER},
	{"fetch.min.bytes", ON_SERVER},
	{"fetch.queue.backoff.ms", ON_SERVER},
	{"fetch.wait.max.ms", ON_SERVER},
	{"group.id", OWNED, "Partitions are assigned by ecinsight, not by a consumer group."},
	{"group.instance.id", OWNED, "Partitions are assigned by ecinsight, not by a consumer group."},
	{"group.protocol", OWNED, "Partitions are assigned by ecinsight, not by a consumer group."},
	{"group.protocol.type", OWNED,
	 "Partitions are assigned by ecinsight, not by a consumer group."},
	{"group.remote.assignor", OWNED,
	 "Partitions are assigned by ecinsight, not by a consumer group."},
	{"https.ca.location", ON_SERVER | READS_FILE},
	{"internal.termination.signal", OWNED, "Signals belong to PostgreSQL."},
	{"isolation.level", ON_SERVER},
	{"log.connection.close", ON_SERVER},
	{"log.queue", OWNED, "Messages of librdkafka always go to the server log."},
	{"log.thread.name", OWNED, "Messages of librdkafka always go to the server log."},
	{"log_level", ON_SERVER},
	{"max.in.flight", ON_SERVER},
	{"max.in.flight.requests.per.connection", ON_SERVER},
	{"max.partition.fetch.bytes", ON_SERVER},
	{"max.poll.interval.ms", OWNED, "A worker may wait for a lock as long as it takes."},
	{"message.copy.max.bytes", ON_SERVER},
	{"message.max.bytes", ON_SERVER},
	{"metadata.broker.list", OWNED, "Use \"bootstrap.servers\"."},
	{"metadata.max.age.ms", ON_SERVER},
	{"offset.store.method", OWNED, KEPT_BY_US},
	{"offset.store.path", OWNED, KEPT_BY_US},
	{"offset.store.sync.interval.ms", OWNED, KEPT_BY_US},
	{"partition.assignment.strategy", OWNED,
	 "Partitions are assigned by ecinsight, not by a consumer group."},
	{"plugin.library.paths", ON_SERVER | RUNS_CODE},
	{"queued.max.messages.kbytes", OWNED,
	 "Use the configuration parameter \"ecinsight.stream_queue_size\"."},
	{"queued.min.messages", ON_SERVER},
	{"receive.message.max.bytes", ON_SERVER},
	{"reconnect.backoff.max.ms", ON_SERVER},
	{"reconnect.backoff.ms", ON_SERVER},
	{"resolve.canonical.bootstrap.servers", ON_SERVER},
	{"retry.backoff.max.ms", ON_SERVER},
	{"retry.backoff.ms", ON_SERVER},
	{"sasl.kerberos.keytab", ON_SERVER | ON_MAPPING | READS_FILE},
	{"sasl.kerberos.kinit.cmd", ON_SERVER | ON_MAPPING | RUNS_CODE},
	{"sasl.kerberos.min.time.before.relogin", ON_SERVER},
	{"sasl.kerberos.principal", ON_SERVER | ON_MAPPING},
	{"sasl.kerberos.service.name", ON_SERVER},
	{"sasl.mechanism", ON_SERVER},
	{"sasl.mechanisms", ON_SERVER},
	{"sasl.oauthbearer.client.id", ON_SERVER | ON_MAPPING},
	{"sasl.oauthbearer.client.secret", ON_MAPPING},
	{"sasl.oauthbearer.config", ON_MAPPING},
	{"sasl.oauthbearer.extensions", ON_SERVER | ON_MAPPING},
	{"sasl.oauthbearer.method", ON_SERVER},
	{"sasl.oauthbearer.scope", ON_SERVER | ON_MAPPING},
	{"sasl.oauthbearer.token.endpoint.url", ON_SERVER},
	{"sasl.password", ON_MAPPING},
	{"sasl.username", ON_SERVER | ON_MAPPING},
	{"security.protocol", ON_SERVER},
	{"socket.blocking.max.ms", ON_SERVER},
	{"socket.connection.setup.timeout.ms", ON_SERVER},
	{"socket.keepalive.enable", ON_SERVER},
	{"socket.max.fails", ON_SERVER},
	{"socket.nagle.disable", ON_SERVER},
	{"socket.receive.buffer.bytes", ON_SERVER},
	{"socket.send.buffer.bytes", ON_SERVER},
	{"socket.timeout.ms", ON_SERVER},
	{"ssl.ca.location", ON_SERVER | READS_FILE},
	{"ssl.ca.pem", ON_SERVER},
	{"ssl.certificate.location", ON_SERVER | ON_MAPPING | READS_FILE},
	{"ssl.certificate.pem", ON_SERVER | ON_MAPPING},
	{"ssl.cipher.suites", ON_SERVER},
	{"ssl.crl.location", ON_SERVER | READS_FILE},
	{"ssl.curves.list", ON_SERVER},
	{"ssl.endpoint.identification.algorithm", ON_SERVER},
	{"ssl.engine.id", ON_SERVER | RUNS_CODE},
	{"ssl.engine.location", ON_SERVER | RUNS_CODE},
	{"ssl.key.location", ON_SERVER | ON_MAPPING | READS_FILE},
	{"ssl.key.password", ON_MAPPING},
	{"ssl.key.pem", ON_MAPPING},
	{"ssl.keystore.location", ON_SERVER | ON_MAPPING | READS_FILE},
	{"ssl.keystore.password", ON_MAPPING},
	{"ssl.providers", ON_SERVER | RUNS_CODE},
	{"ssl.sigalgs.list", ON_SERVER},
	{"statistics.interval.ms", OWNED, "See the view ecinsight.streams."},
	{"topic.metadata.propagation.max.ms", ON_SERVER},
	{"topic.metadata.refresh.fast.interval.ms", ON_SERVER},
	{"topic.metadata.refresh.interval.ms", OWNED, "New partitions are looked for twice a minute."},
	{"topic.metadata.refresh.sparse", ON_SERVER}};

static int
compare_rule(const void *key, const void *rule)
{
	return strcmp(key, ((const PropertyRule *) rule)->name);
}

static const PropertyRule *
find_rule(const char *name)
{
	/* known to librdkafka (the caller asks it first) but not to us */
	static const PropertyRule unjudged = {"", ON_SERVER | SUPERUSER};
	const PropertyRule *rule =
		bsearch(name, rules, lengthof(rules), sizeof(PropertyRule), compare_rule);

	return rule != NULL ? rule : &unjudged;
}

static void
check_privilege(const char *name, const PropertyRule *rule, Oid role)
{
	const char *needed = NULL;

	if ((rule->flags & READS_FILE) != 0 && !has_privs_of_role(role, ROLE_PG_READ_SERVER_FILES))
		needed = "pg_read_server_files";
	else if ((rule->flags & RUNS_CODE) != 0 &&
			 !has_privs_of_role(role, ROLE_PG_EXECUTE_SERVER_PROGRAM))
		needed = "pg_execute_server_program";
	if (needed != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set Kafka property \"%s\"", name),
				 errdetail("Role \"%s\" lacks the privileges of role \"%s\".",
						   GetUserNameFromId(role, true), needed),
				 (rule->flags & READS_FILE) == 0
					 ? 0
					 : errhint("Certificates and keys can also be given as text, by the properties "
							   "\"ssl.ca.pem\", \"ssl.certificate.pem\" and \"ssl.key.pem\".")));
	if ((rule->flags & SUPERUSER) != 0 && !superuser_arg(role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set Kafka property \"%s\"", name),
				 errdetail("Only superusers may set properties that ecinsight doesn't know.")));
}

static void
check_place(const char *name, const PropertyRule *rule, Oid catalog)
{
	if ((rule->flags & OWNED) != 0)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
						errmsg("Kafka property \"%s\" is set by ecinsight itself", name),
						rule->hint == NULL ? 0 : errhint("%s", rule->hint)));
	if (catalog == ForeignServerRelationId && (rule->flags & ON_SERVER) == 0)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
						errmsg("Kafka property \"%s\" is a secret", name),
						errdetail("Everybody can read the options of a server."),
						errhint("Set it in a user mapping.")));
	if (catalog == UserMappingRelationId && (rule->flags & ON_MAPPING) == 0)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
						errmsg("Kafka property \"%s\" cannot be set in a user mapping", name),
						errhint("Set it in the options of the server.")));
}

/* A name that is in our list but not in this librdkafka is unknown, too. */
static void
check_known(const char *name)
{
	if (!ec_kafka_knows_property(name))
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
						errmsg("unknown Kafka property \"%s\"", name),
						errhint("Options are properties of librdkafka, such as "
								"\"bootstrap.servers\" or \"security.protocol\".")));
}

/* What is wrong with a secret's value isn't told: messages go to the log. */
static void
check_value(const char *name, const char *value, const PropertyRule *rule)
{
	char error[EC_SOURCE_ERROR_LEN];

	if (!ec_kafka_check_property(name, value, error, sizeof(error)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid value for Kafka property \"%s\"", name),
						(rule->flags & ON_SERVER) == 0 ? 0 : errdetail("%s.", error)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_kafka_validator);
Datum
ec_kafka_validator(PG_FUNCTION_ARGS)
{
	List *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid catalog = PG_GETARG_OID(1);
	bool has_bootstrap = false;
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst_node(DefElem, lc);
		const PropertyRule *rule = find_rule(def->defname);
		const char *value = defGetString(def);

		if (catalog != ForeignServerRelationId && catalog != UserMappingRelationId)
			ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
							errmsg("invalid option \"%s\"", def->defname),
							errhint("Kafka properties belong to servers and user mappings.")));
		if ((rule->flags & OWNED) == 0)
			check_known(def->defname);
		check_place(def->defname, rule, catalog);
		check_privilege(def->defname, rule, GetUserId());
		check_value(def->defname, value, rule);
		if (strcmp(def->defname, "bootstrap.servers") == 0 && value[0] != '\0')
			has_bootstrap = true;
	}
	if (catalog == ForeignServerRelationId && !has_bootstrap)
		ereport(ERROR, (errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
						errmsg("option \"bootstrap.servers\" is required"),
						errhint("For example: OPTIONS (\"bootstrap.servers\" 'localhost:9092').")));
	PG_RETURN_VOID();
}

ForeignServer *
ec_server_by_name(const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, true);

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("server \"%s\" does not exist", name),
				 errhint("Create it by CREATE SERVER ... FOREIGN DATA WRAPPER ecinsight_kafka.")));
	if (strcmp(GetForeignDataWrapper(server->fdwid)->fdwname, EC_FDW_NAME) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a Kafka server", name),
				 errhint("Create it by CREATE SERVER ... FOREIGN DATA WRAPPER ecinsight_kafka.")));
	return server;
}

void
ec_server_check_usage(const ForeignServer *server, Oid user)
{
	AclResult acl = ec_compat_server_aclcheck(server->serverid, user, ACL_USAGE);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_SERVER, server->servername);
}

/* Like GetUserMapping, but knows whose mapping it is and takes none for an answer. */
static List *
mapping_options(Oid user, Oid server, Oid *whose)
{
	HeapTuple tuple =
		SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user), ObjectIdGetDatum(server));
	List *options = NIL;
	Datum value;
	bool isnull;

	*whose = user;
	if (!HeapTupleIsValid(tuple))
	{
		*whose = InvalidOid;
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
								ObjectIdGetDatum(server));
	}
	if (!HeapTupleIsValid(tuple))
		return NIL;
	value = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		options = untransformRelOptions(value);
	ReleaseSysCache(tuple);
	return options;
}

EcProperty *
ec_server_properties(const ForeignServer *server, Oid user, int *n)
{
	Oid whose;
	List *mapping = mapping_options(user, server->serverid, &whose);
	EcProperty *properties =
		palloc((list_length(server->options) + list_length(mapping)) * sizeof(EcProperty) + 1);
	ListCell *lc;

	*n = 0;
	foreach (lc, server->options)
	{
		DefElem *def = lfirst_node(DefElem, lc);

		check_privilege(def->defname, find_rule(def->defname), server->owner);
		properties[(*n)++] = (EcProperty){def->defname, defGetString(def)};
	}
	foreach (lc, mapping)
	{
		DefElem *def = lfirst_node(DefElem, lc);

		/* PUBLIC's mapping is made by the server's owner */
		check_privilege(def->defname, find_rule(def->defname),
						OidIsValid(whose) ? whose : server->owner);
		properties[(*n)++] = (EcProperty){def->defname, defGetString(def)};
	}
	return properties;
}
