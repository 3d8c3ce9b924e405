/*
 * background.h
 *	  Compaction between autovacuum's visits.
 */
#ifndef EC_STORE_BACKGROUND_H
#define EC_STORE_BACKGROUND_H

#include "postgres.h"

#include "utils/relcache.h"

/* A writer has taken these row numbers for a small batch, or for rows on their own. */
extern void ec_background_notice(Relation rel, int64 first, int64 count);

#endif /* EC_STORE_BACKGROUND_H */
