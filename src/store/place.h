/*
 * place.h
 *	  Rows in tuples of their own that the companion's index doesn't know, and the
 *	  pages where they are (PLACE tuples, see format.h).
 *
 * An INSERT of one row would spend more on its index entry than on its tuple.  So
 * a backend gives index entries only to the first rows that it puts into a page; one
 * PLACE tuple leads to all that follow.  It says: a row with this number or a higher
 * one, up to the next PLACE tuple's number, is in this page or has an index entry.
 * This is true for ever, whatever becomes of the transaction that has inserted it,
 * so PLACE tuples are frozen; that rows rely on them is what keeps them.
 *
 * A backend relies on a PLACE tuple only for numbers of an unbroken run that is its
 * own, as another's PLACE tuple may be the next one.  VACUUM deletes those whose page
 * has no such rows any more, and then looks at the page again; a backend inserts its
 * row, and then looks whether the PLACE tuple is still there (it stands in the same
 * page).  So one of them notices the other.
 *
 * The companion's rewrite moves tuples, but makes index entries for all of them.
 */
#ifndef EC_STORE_PLACE_H
#define EC_STORE_PLACE_H

#include "postgres.h"

#include "storage/block.h"
#include "storage/itemptr.h"

#include "base/compat.h"
#include "store/companion.h"

/* Where a backend put its last row of a table; all zeros: nowhere. */
typedef struct EcPlace
{
	RelFileLocator companion; /* its file */
	int64 number;			  /* of the row */
	BlockNumber block;
	int64 first;		 /* number of the PLACE tuple that the row relies on */
	ItemPointerData tid; /* of that, or invalid if there is none */
} EcPlace;

/*
 * Makes a row that can be found by its number of a tuple just inserted without index
 * entry.  All numbers from "run" to this one have been this backend's.
 */
extern void ec_place_row(EcCompanion *c, EcPlace *place, int64 run, int64 number, ItemPointer tid);

/* The page where the row may be without index entry; InvalidBlockNumber if there is none.  Ends any search. */
extern BlockNumber ec_place_find(EcCompanion *c, int64 number);

/* The least number from this one on, but below end, whose row may be without index entry; else end.  Likewise. */
extern int64 ec_place_next_number(EcCompanion *c, int64 number, int64 end);

/*
 * In a page of the companion, under its lock: offset of the first row tuple (EC_ROW_DATA)
 * from offset "from" on with this number; InvalidOffsetNumber if there is none.
 */
extern OffsetNumber
ec_place_search_page(EcCompanion *c, Buffer buffer, OffsetNumber from, int64 number);

/* Does all in the page, under its lock, have the number that its checksum says?  Who misses a row must know. */
extern void ec_place_check_page(EcCompanion *c, Buffer buffer);

extern void ec_place_check(Relation rel, HeapTuple tuple, const EcCatalogTuple *opened);

/* For VACUUM: deletes PLACE tuples that no row relies on; tells how many. */
extern int64 ec_place_drop(EcCompanion *c);

#endif /* EC_STORE_PLACE_H */
