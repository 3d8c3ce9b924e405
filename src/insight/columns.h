/*
 * columns.h
 *	  The events relation: which of its columns plays which part.
 *
 * A relation's column serves by its name (event_time, event_type, ...) or because
 * ecinsight.map_columns says so (maps.c).  A function asks for the columns that it
 * reads; others may be missing or of any type.
 */
#ifndef EC_COLUMNS_H
#define EC_COLUMNS_H

#include "postgres.h"

#include "access/attnum.h"
#include "utils/relcache.h"

#include "vector/coltype.h"

typedef enum EcEventColumn
{
	EC_COL_TIME,
	EC_COL_TYPE,
	EC_COL_PRODUCT,
	EC_COL_CATEGORY_ID,
	EC_COL_CATEGORY_CODE,
	EC_COL_BRAND,
	EC_COL_PRICE,
	EC_COL_USER,
	EC_COL_SESSION
} EcEventColumn;

#define EC_EVENT_COLUMNS 9
#define EC_COL_BIT(column) (1U << (column))
#define EC_COL_ALL ((1U << EC_EVENT_COLUMNS) - 1)

typedef struct EcEvents
{
	Oid relid;
	uint32 columns; /* bits of those found */
	AttrNumber attnums[EC_EVENT_COLUMNS];
	EcColType types[EC_EVENT_COLUMNS];
	const char *names[EC_EVENT_COLUMNS]; /* in the relation */
} EcEvents;

extern const char *const ec_event_column_names[EC_EVENT_COLUMNS];

/*
 * Finds the wanted columns (bits) and checks their types, holding AccessShareLock
 * on the relation to the end of the transaction.  Errors: 42P01, 42809, 42703, 42804.
 */
extern void ec_columns_find(Oid relid, uint32 wanted, EcEvents *events);

/*
 * The same without complaints: finds those columns of rel that are there and of an
 * accepted type.  A partition without a mapping of its own has its ancestors'.
 */
extern void ec_columns_probe(Relation rel, EcEvents *events);

/* The mapped names of a relation's columns, NULL where there is none (maps.c). */
extern void ec_map_read(Oid relid, const char *names[EC_EVENT_COLUMNS]);

#endif /* EC_COLUMNS_H */
