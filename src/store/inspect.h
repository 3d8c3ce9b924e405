/*
 * inspect.h
 *	  What the SQL functions about tables share.
 */
#ifndef EC_STORE_INSPECT_H
#define EC_STORE_INSPECT_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/relcache.h"

/* Opens a columnar table that the current user may read, AccessShareLock. */
extern Relation ec_inspect_open(Oid relid);

/* Adds a row to the materialised result. */
extern void ec_inspect_put(FunctionCallInfo fcinfo, Datum *values, bool *isnull);

#endif /* EC_STORE_INSPECT_H */
