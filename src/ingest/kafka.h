/*
 * kafka.h
 *	  Kafka as a source, and what librdkafka knows about its properties.
 */
#ifndef EC_KAFKA_H
#define EC_KAFKA_H

#include "ingest/source.h"

typedef enum EcPropertyCheck
{
	EC_PROPERTY_OK = 0,
	EC_PROPERTY_UNKNOWN,
	EC_PROPERTY_INVALID
} EcPropertyCheck;

/* Does librdkafka accept the value? */
extern EcPropertyCheck ec_kafka_check_property(const char *name, const char *value, char *error, size_t size);

/*
 * Makes a consumer; doesn't wait for a connection.  queue_kb bounds what is fetched
 * ahead.  Raises an error if librdkafka refuses the properties.
 */
extern EcSource *ec_kafka_open(const EcProperty *properties, int nproperties,
							   const char *const *topics, int ntopics, int queue_kb);

/* Closes whatever sources this process has open: for clean-up after errors in a backend. */
extern void ec_kafka_close_all(void);

#endif							/* EC_KAFKA_H */
