/*
 * connect.h
 *	  A backend's own questions to Kafka.
 */
#ifndef EC_CONNECT_H
#define EC_CONNECT_H

#include "postgres.h"

#include "foreign/foreign.h"

#include "ingest/catalog.h"

/*
 * Connects to the server with the user's mapping and gives, for every partition of
 * the topics, the offset that "start" means.  Raises an error if nobody answers
 * within five seconds, or a topic doesn't exist; with check also if "start" gives an
 * offset that isn't there.
 */
extern EcStreamOffset *ec_connect_offsets(const ForeignServer *server, Oid user, char **topics,
										  int ntopics, const char *start, bool check, int *n);

/* Sleeps for a while unless the latch is set; serves interrupts. */
extern void ec_connect_sleep(long ms);

#endif /* EC_CONNECT_H */
