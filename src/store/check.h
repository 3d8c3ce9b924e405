/*
 * check.h
 *	  Are the headers that PostgreSQL keeps on pages of the companion ones that it can
 *	  have written there?
 *
 * Payloads have checksums.  Headers of pages and tuples have none unless the cluster
 * has page checksums, but much of them can only be one way in a companion.  All of
 * it is ERRCODE_DATA_CORRUPTED with the table and the place.
 */
#ifndef EC_STORE_CHECK_H
#define EC_STORE_CHECK_H

#include "postgres.h"

#include "access/htup_details.h"
#include "storage/buf.h"
#include "utils/relcache.h"

/* Transaction ids that tuples of the companion may have. */
typedef struct EcCheck
{
	Relation rel;		  /* the columnar table */
	TransactionId oldest; /* unless frozen */
	TransactionId next;	  /* this one not any more; becomes later as needed, "oldest" at first */
	MultiXactId oldest_multi;
	MultiXactId next_multi;
} EcCheck;

extern void ec_check_begin(EcCheck *check, Relation rel, Relation companion);

/*
 * The page's header and line pointers: a heap's tuples fill all between free space
 * and the end of the page.  No tuple can then be hidden by a damaged line pointer, or
 * lie outside of the page.  Under the page's lock.
 */
extern void ec_check_page(Relation rel, Buffer buffer);

/* The same for a page that is pinned only, which is then pruned as scans of heaps do. */
extern void ec_check_and_prune(Relation rel, Relation companion, Buffer buffer);

extern void ec_check_closely(EcCheck *check, HeapTuple tuple);

/* A tuple's header, before anybody asks for its visibility.  Under the page's lock. */
static inline void
ec_check_tuple(EcCheck *check, HeapTuple tuple)
{
	HeapTupleHeader header = tuple->t_data;

	/* nearly all: inserted by a transaction that is known to be committed, and nothing else happened */
	if (header->t_infomask != (HEAP_HASVARWIDTH | HEAP_XMIN_COMMITTED | HEAP_XMAX_INVALID) ||
		(header->t_infomask2 & ~HEAP_NATTS_MASK) != 0 ||
		TransactionIdIsValid(HeapTupleHeaderGetRawXmax(header)) ||
		HeapTupleHeaderGetRawXmin(header) - check->oldest >= check->next - check->oldest)
		ec_check_closely(check, tuple);
}

#endif /* EC_STORE_CHECK_H */
