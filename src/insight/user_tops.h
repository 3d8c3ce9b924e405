/*
 * user_tops.h
 *	  The (user, category_code) or (user, category_code, brand) that have most rows, of
 *	  all time or a good part of it, without looking at all: by the lists of the greatest
 *	  that each set has.
 *
 * This is the threshold algorithm of R. Fagin, A. Lotem and M. Naor, "Optimal
 * Aggregation Algorithms for Middleware", 2001: what stands in no list has no more rows
 * than the last ones of all lists together; what stands in some only is looked up in
 * the cells of its user if that bound doesn't tell that it is too small.
 */
#ifndef EC_USER_TOPS_H
#define EC_USER_TOPS_H

#include "postgres.h"

#include "insight/user_query.h"

typedef struct EcUserTop
{
	int64 user; /* 0 if isnull */
	int64 n;
	uint32 code;
	uint32 brand; /* EC_ID_NULL without brands */
	bool isnull;
} EcUserTop;

typedef void (*EcUserTopVisitor)(const EcUserTop *top, void *arg);

/* Order: n DESC, user, category_code, brand; NULLs last. */
extern int ec_user_top_compare(const EcUserTop *a, const EcUserTop *b, const EcInterner *codes,
							   const EcInterner *brands);

/* Visits what a user has to do with, each (code, brand) or code once. */
extern void
ec_user_slice_visit(const EcUserSlice *slice, bool with_brand, EcUserTopVisitor visit, void *arg);

/*
 * Visits, in no order and each once, the first k and some others.  rows has the rows that
 * sets lack or have too many, and wants codes, and brands or not; no user has been read
 * from it.  Of codes 1 .. ncodes alone; 0: of all.  False: the lists don't tell; nothing has been visited.
 */
extern bool ec_user_tops_visit(EcUserCells *rows, const EcUserSet *sets, uint32 nsets,
							   uint32 ncodes, int64 k, EcUserTopVisitor visit, void *arg);

/*
 * The same for a range of slots.  Lists tell how many rows there can be at the most; users
 * are looked up in the order of that, until no other can have as many rows as the k-th, but no
 * more than so many users.
 */
extern bool ec_user_tops_visit_range(EcUserCells *rows, const EcUserSet *sets, uint32 nsets,
									 const EcSlots *slots, uint32 ncodes, int64 k, uint32 lookups,
									 EcUserTopVisitor visit, void *arg);

#endif /* EC_USER_TOPS_H */
