/*
 * space.h
 *	  Which pages of a table's main fork are free.
 */
#ifndef EC_STORE_SPACE_H
#define EC_STORE_SPACE_H

#include "postgres.h"

#include "storage/block.h"
#include "utils/relcache.h"

#include "store/companion.h"

/*
 * Whoever writes an extent holds the writers' lock from before it is allocated
 * until its descriptor is inserted.
 */
extern void ec_space_lock_writer(Relation rel);
extern void ec_space_unlock_writer(Relation rel);

/* First page of a free run of npages pages before "end", now the caller's; InvalidBlockNumber if there is none. */
extern BlockNumber ec_space_take(Relation rel, uint32 npages, BlockNumber end);

/* The run of free pages that a FREE tuple tells of, checked. */
extern void ec_space_read_free(Relation rel, const EcCatalogTuple *tuple, EcDiskFree *disk);

typedef struct EcSpace
{
	BlockNumber pages;	   /* of the main fork */
	BlockNumber free;	   /* of them, now known as free */
	BlockNumber truncated; /* given back to the file system */
	BlockNumber later;	   /* can be given back when this is committed, if that is worth it */
	int64 tuples;		   /* of the companion, dead ones included */
	int64 counters;		   /* of them, counters of a metapage that was given back */
	int64 last_counters;   /* the highest number of these */
	uint64 bytes;		   /* of these */
	int64 places;		   /* of them, deleted just now (place.h) */
} EcSpace;

/*
 * Finds what no descriptor needs any more and makes it free; gives the free end
 * of the file back to the file system if asked to and if the lock can be had.
 * The caller has ShareUpdateExclusiveLock on the relation and companion, and an
 * ordinary transaction.
 */
extern void ec_space_reclaim(Relation rel, EcCompanion *c, bool truncate, EcSpace *space);

/*
 * If much is free, or (thorough) not quite little, moves row groups there from the
 * end of the file (space_move.c); tells how many pages.  Their old places are free
 * when that is committed and reclaimed.  The same callers as of ec_space_reclaim,
 * after it.
 */
extern BlockNumber ec_space_move(Relation rel, EcCompanion *c, const EcSpace *space, bool thorough);

#endif /* EC_STORE_SPACE_H */
