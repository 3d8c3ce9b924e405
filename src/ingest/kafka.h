/*
 * kafka.h
 *	  Kafka as a source, and what librdkafka knows about its properties.
 */
#ifndef EC_KAFKA_H
#define EC_KAFKA_H

#include "ingest/source.h"

/* Is there such a property?  Without effects, unlike the next. */
extern bool ec_kafka_knows_property(const char *name);

/*
 * Does librdkafka accept the value?  Some properties take effect as soon as they are
 * set, if only to try (plugin.library.paths loads libraries): check privileges first.
 */
extern bool ec_kafka_check_property(const char *name, const char *value, char *error, size_t size);

/*
 * Makes a consumer; doesn't wait for a connection.  queue_kb bounds what is fetched
 * ahead.  Raises an error if librdkafka refuses the properties.
 */
extern EcSource *ec_kafka_open(const EcProperty *properties, int nproperties,
							   const char *const *topics, int ntopics, int queue_kb);

/* Closes whatever sources this process has open: for clean-up after errors in a backend. */
extern void ec_kafka_close_all(void);

#endif /* EC_KAFKA_H */
