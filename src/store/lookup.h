/*
 * lookup.h
 *	  Single descriptors of row groups, by number, under any snapshot.
 */
#ifndef EC_STORE_LOOKUP_H
#define EC_STORE_LOOKUP_H

#include "postgres.h"

#include "utils/snapshot.h"

#include "store/catalog.h"
#include "store/companion.h"

typedef struct EcLookup
{
	bool visible;			 /* found, and the snapshot sees it; else the rest is undefined */
	TransactionId xmin;		 /* of its tuple, raw */
	CommandId cmin;			 /* likewise */
	ItemPointerData tid;	 /* in the companion */
	BlockNumber first_block; /* of its extent: a row group may be moved to another */
} EcLookup;

/*
 * Looks the descriptor up, first at the tid given as a hint (may be NULL).  A dirty
 * snapshot gets its xmin from the tuple, but never an xmax: deleting a descriptor
 * deletes no row.  SnapshotAny means the best one that was not rolled back, whose
 * pages may be somebody else's.  desc, if not NULL and the descriptor is visible,
 * is parsed into memory of the current context.
 */
extern EcLookup ec_lookup_group(EcCompanion *c, int64 number, const ItemPointerData *hint,
								Snapshot snapshot, EcDescriptor *desc);

/* Visits all tuples of a kind with numbers in [first, end), descending, whatever their visibility, in a memory context reset after each. */
typedef void (*EcLookupVisit)(EcCompanion *c, HeapTuple tuple, const EcCatalogTuple *opened,
							  void *arg);

extern void ec_lookup_all(EcCompanion *c, EcCatalogKind kind, int64 first, int64 end,
						  EcLookupVisit visit, void *arg);

#endif /* EC_STORE_LOOKUP_H */
