/*
 * opened.h
 *	  Values of single rows of row groups, through a bounded cache per backend.
 *
 * An opened row group, its dictionaries and the blocks that were decoded stay in
 * memory (ecinsight.fetch_cache) until others need the room, so that a nested loop
 * over an index decodes nothing twice as long as it fits.
 *
 * A pointer to an opened group is good until the next ec_opened_open, of whichever
 * table, or ec_opened_forget.
 *
 * Locks: the caller holds AccessShareLock or more on the relation, and knows that
 * the row group can't be reclaimed meanwhile: a snapshot that sees it is held, or
 * its descriptor was found under a lock that keeps VACUUM away.
 * Errors: ERRCODE_DATA_CORRUPTED naming relation, row group, column and block.
 */
#ifndef EC_STORE_OPENED_H
#define EC_STORE_OPENED_H

#include "postgres.h"

#include "utils/relcache.h"

#include "store/lookup.h"

typedef struct EcOpenGroup EcOpenGroup;

/* The row group with that number, in the extent and with its descriptor where it was looked up. */
extern EcOpenGroup *ec_opened_open(Relation rel, int64 number, const EcLookup *lookup);

/*
 * The values of the attributes first .. end - 1 of a row, in the current memory
 * context.  Those that aren't wanted come as NULL; wanted is NULL if all are.
 */
extern void ec_opened_read(Relation rel, EcOpenGroup *group, uint32 row, int first, int end,
						   const bool *wanted, Datum *values, bool *isnull);

/* The row of a numbered group that has this number. */
extern bool ec_opened_find(Relation rel, EcOpenGroup *group, int64 number, uint32 *row);

/* The number of its rows in one block. */
extern uint32 ec_opened_block_rows(const EcOpenGroup *group, uint32 block);

/* Empties the cache. */
extern void ec_opened_forget(void);

extern void ec_opened_init(void);

#endif /* EC_STORE_OPENED_H */
