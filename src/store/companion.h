/*
 * companion.h
 *	  Tuples of the companion (see catalog.c), whatever their kind: search, insert,
 *	  delete.
 *
 * A handle lives within one call, or as long as its caller keeps the resource
 * owner in which it was opened.
 */
#ifndef EC_STORE_COMPANION_H
#define EC_STORE_COMPANION_H

#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "store/catalog.h"
#include "store/check.h"
#include "store/format.h"

typedef struct EcCompanion
{
	Relation main; /* the columnar table */
	Relation heap;
	Relation *indexes; /* opened when they are needed */
	int nindexes;
	int valid;			   /* of the index that look-ups use */
	LOCKMODE locked;	   /* held until the transaction ends if it allows writing */
	MemoryContext context; /* the one of the opening, for what lives as long as the handle */

	/* the search; begun with the first one */
	IndexScanDesc scan;
	TupleTableSlot *slot; /* holds the tuple, and a pin of its page */
	EcCheck check;
	BlockNumber nblocks; /* of the heap, at least */
	BlockNumber block;	 /* the last one read */
	ScanDirection direction;
	bool exact; /* only that number */
	EcCatalogKind kind;
	int64 number;

	/* a row without index entry may be in this page (place.h), from this offset on */
	BlockNumber placed;
	OffsetNumber place_next; /* InvalidOffsetNumber: the page is done */
	bool place_hit;
	int64 indexed; /* rows with this number have index entries if they have a tuple; -1: unknown */
} EcCompanion;

/* A tuple of the companion as it is formed, without any memory of its own. */
typedef struct EcTupleBuffer
{
	HeapTupleData tuple;
	union
	{
		HeapTupleHeaderData header;
		char bytes[MaxHeapTupleSize];
		int64 align;
	} data;
} EcTupleBuffer;

/* False (and nothing is open) if the table has no companion. */
extern bool ec_companion_open(Relation rel, LOCKMODE lockmode, EcCompanion *c);
extern void ec_companion_close(EcCompanion *c);

/* The index that look-ups use. */
extern Relation ec_companion_index(EcCompanion *c);

/*
 * Inserts a tuple into the heap and all ready indexes under cid; options are
 * heap_insert's.  Keys of kind ROW may be there twice, others not.
 */
extern void ec_companion_put(EcCompanion *c, EcCatalogKind kind, int64 number, const void *payload,
							 Size len, CommandId cid, int options, ItemPointer tid);

/* The same for whoever has no handle. */
extern void ec_companion_insert(Relation rel, EcCatalogKind kind, int64 number, const void *payload,
								Size len, CommandId cid, int options);

/*
 * The same without index entries, for a row (place.h).
 */
extern void ec_companion_put_unindexed(EcCompanion *c, int64 number, const void *payload, Size len,
									   CommandId cid, ItemPointer tid);

/*
 * The same, but tells whether there was no other tuple of that key, unless dead to
 * all: of two who insert at the same time one is told so.  The caller may take the
 * tuple back, if it isn't frozen.
 */
extern bool
ec_companion_put_alone(EcCompanion *c, EcCatalogKind kind, int64 number, const void *payload,
					   Size len, CommandId cid, int options, ItemPointer tid);
extern void ec_companion_take_back(EcCompanion *c, ItemPointer tid);

/* The steps of ec_companion_put, for whoever gives the tuple to heap_update. */
extern void ec_companion_form(EcCompanion *c, EcCatalogKind kind, int64 number, const void *payload,
							  Size len, EcTupleBuffer *buffer);
extern void
ec_companion_insert_index(EcCompanion *c, EcCatalogKind kind, int64 number, ItemPointer tid);

/* Deletes a tuple under cid without waiting for anybody; true if that is done. */
extern bool ec_companion_claim(EcCompanion *c, ItemPointer tid, CommandId cid);

/*
 * Searches tuples by key, whatever their visibility: those with this number, or
 * all from this number upwards (from) or downwards (back), in that order, as long
 * as their upper bits are the same.
 * The tuple that _next returns is pinned until the next step, search or close.  A
 * search that didn't come to its end keeps a page of the index pinned, too, and
 * VACUUM waits for that: whoever returns to the executor in between calls _rest.
 */
extern void ec_companion_search(EcCompanion *c, EcCatalogKind kind, int64 number);
extern void ec_companion_search_from(EcCompanion *c, EcCatalogKind kind, int64 number);
extern void ec_companion_search_back(EcCompanion *c, EcCatalogKind kind, int64 number);
extern HeapTuple ec_companion_next(EcCompanion *c, EcCatalogTuple *out);
extern void ec_companion_rest(EcCompanion *c);

/* The least number from this one on that has a row tuple, or may have; of those with the same upper bits. */
extern int64 ec_companion_next_row(EcCompanion *c, int64 number);

/* A page of the companion, pinned and checked; InvalidBuffer if it does not exist. */
extern Buffer ec_companion_pin(EcCompanion *c, BlockNumber block);

/* The tuple with this tid, pinned likewise; NULL if it is gone. */
extern HeapTuple ec_companion_fetch(EcCompanion *c, ItemPointer tid, EcCatalogTuple *out);

/*
 * Does the snapshot see the tuple that the last step returned?  Tells what
 * serializable transactions must know, on behalf of the table.
 */
extern bool ec_companion_sees(EcCompanion *c, HeapTuple tuple, Snapshot snapshot);

/* After that said no: if nobody will ever see the tuple, the index need not name it again. */
extern void ec_companion_pass_by(EcCompanion *c, HeapTuple tuple);

#endif /* EC_STORE_COMPANION_H */
