/*
 * headers.h
 *	  Headers of rows (EC_ROW_LIVE) that are there twice.
 */
#ifndef EC_STORE_HEADERS_H
#define EC_STORE_HEADERS_H

#include "postgres.h"

#include "nodes/parsenodes.h"

#include "store/companion.h"

/*
 * Deletes the spare ones, so that the companion's unique index can be built anew.
 * beside_writers: these may go on making headers meanwhile.  The caller keeps VACUUM and
 * compaction away from the companion.
 */
extern void ec_headers_drop_spare(EcCompanion *c, bool beside_writers);

/* The same in all columnar tables that the statement will come to. */
extern void ec_headers_before_reindex(const ReindexStmt *stmt);

#endif /* EC_STORE_HEADERS_H */
