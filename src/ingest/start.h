/*
 * start.h
 *	  Where a stream begins to read: earliest, latest, a point in time, or an
 *	  offset for each partition ({"0": 123}; partitions not named: earliest).
 */
#ifndef EC_START_H
#define EC_START_H

#include "postgres.h"

#include "ingest/source.h"

/* The text in a form that means the same whatever TimeZone and DateStyle are; an error if it means nothing. */
extern char *ec_start_normalize(const char *start);

/* Sets the offsets of positions by a normalized start. */
extern EcSourceResult ec_start_resolve(EcSource *source, const char *start,
									   EcSourcePosition *positions, int n, int timeout_ms);

/* The highest partition that a normalized start names; -1: none. */
extern int ec_start_last_partition(const char *start);

#endif /* EC_START_H */
