/*
 * options.h
 *	  Options of servers and user mappings: which librdkafka properties may be
 *	  set, where, and by whom.
 */
#ifndef EC_OPTIONS_H
#define EC_OPTIONS_H

#include "postgres.h"

#include "foreign/foreign.h"

#include "ingest/source.h"

#define EC_FDW_NAME "ecinsight_kafka"

/* The server by name; an error if it is missing or not one of ours. */
extern ForeignServer *ec_server_by_name(const char *name);

/* Raises an error if the user lacks the privilege USAGE. */
extern void ec_server_check_usage(const ForeignServer *server, Oid user);

/*
 * Properties for a connection to the server as this user, palloc'd: those of the
 * server, then those of the user's mapping (or PUBLIC's), if there is one.  Checks
 * again what their owners may set.
 */
extern EcProperty *ec_server_properties(const ForeignServer *server, Oid user, int *n);

#endif /* EC_OPTIONS_H */
