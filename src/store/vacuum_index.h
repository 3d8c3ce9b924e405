/*
 * vacuum_index.h
 *	  VACUUM of a columnar table's indexes.
 */
#ifndef EC_STORE_VACUUM_INDEX_H
#define EC_STORE_VACUUM_INDEX_H

#include "postgres.h"

#include "commands/vacuum.h"

#include "store/companion.h"

/*
 * Removes entries of rows that are gone for everybody, if that is worth a pass
 * through the indexes, and lets the indexes clean up.  rows: the table's.  The
 * caller has ShareUpdateExclusiveLock on the relation and its companion.
 */
extern void ec_vacuum_indexes(Relation rel, EcCompanion *c, VacuumParams *params,
							  BufferAccessStrategy strategy, double rows);

#endif /* EC_STORE_VACUUM_INDEX_H */
