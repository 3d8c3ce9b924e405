/*
 * walk.h
 *	  All tuples of the companion, page by page, whatever their visibility.
 *
 * For whoever must know all that is there: VACUUM, compaction, rewrites, index
 * builds, ecinsight.verify.  list.h is for what a snapshot sees.
 */
#ifndef EC_STORE_WALK_H
#define EC_STORE_WALK_H

#include "postgres.h"

#include "access/heapam.h"
#include "storage/bufmgr.h"

#include "store/check.h"
#include "store/companion.h"

typedef struct EcWalk
{
	Relation rel;	   /* the columnar table */
	Relation heap;	   /* its companion */
	BlockNumber block; /* the next one to read */
	BlockNumber nblocks;
	Buffer buffer;		 /* the page that is read, pinned */
	OffsetNumber offset; /* the last one given */
	OffsetNumber last;	 /* when the page was checked */
	HeapTupleData tuple; /* what _next returns */
	EcCheck check;
	BufferAccessStrategy strategy;
} EcWalk;

extern void ec_walk_begin(EcWalk *walk, EcCompanion *c);

/*
 * The next tuple, its page pinned but not locked; NULL at the end.  Headers of page
 * and tuples have been checked (check.h); tuples that were there when the walk began
 * are all met.
 */
extern HeapTuple ec_walk_next(EcWalk *walk);
extern void ec_walk_end(EcWalk *walk);

/* What heap's VACUUM, or the snapshot, says of the tuple that _next returned. */
extern HTSV_Result ec_walk_state(EcWalk *walk, TransactionId oldest_xmin);
extern bool ec_walk_sees(EcWalk *walk, Snapshot snapshot);

/* Checks all headers, before heap's own code believes them. */
extern void ec_walk_check(EcCompanion *c);

#endif /* EC_STORE_WALK_H */
