/*
 * page.h
 *	  The main fork of a columnar table: metapage and extents.
 */
#ifndef EC_STORE_PAGE_H
#define EC_STORE_PAGE_H

#include "postgres.h"

#include "storage/buf.h"
#include "utils/relcache.h"

#include "base/compat.h"
#include "store/format.h"

/* Takes row numbers and a number for a row group; creates the metapage if need be.  Either pointer may be NULL. */
extern void ec_meta_reserve(Relation rel, int64 nrows, int64 *first_row, int64 *group);

/* Counts a tuple of kind GROUP, MASK or RESERVE after it was inserted, for groupmap.c. */
extern void ec_meta_announce(Relation rel);

/* The table's file is about to be copied; its indexes stay. */
extern void ec_meta_copied(Relation rel, const RelFileLocator *to);

/* False if nothing was ever written to rel. */
extern bool ec_meta_read(Relation rel, EcDiskMeta *meta);

/* Sets the counters of a table that is being built as the copy of another. */
extern void ec_meta_copy(Relation rel, const EcDiskMeta *meta);

/* The caller holds the writers' lock (space.h), unless nobody else sees the table yet. */
extern BlockNumber ec_extent_write(Relation rel, const uint8 *image, uint64 len, uint32 *npages);

/* Copies an extent to free pages before it, likewise; InvalidBlockNumber if there are none. */
extern BlockNumber ec_extent_move(Relation rel, BlockNumber first, uint32 npages, uint64 len);
extern void ec_extent_read(Relation rel, BlockNumber first, uint32 npages, uint64 offset,
						   uint64 len, uint8 *out, BufferAccessStrategy strategy);

#endif /* EC_STORE_PAGE_H */
