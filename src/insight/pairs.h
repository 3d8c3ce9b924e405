/*
 * pairs.h
 *	  In how many baskets two items are together.
 *
 * A basket is a key of one to three words, an item a small number.  First the different
 * (basket, item) are collected, then sorted by basket, then each basket's pairs counted.
 *
 * Memory: within work_mem * hash_mem_multiplier (see tally.h, sorter.h for the least), the
 * rest in temporary files; besides eight bytes for each item, and four for each item
 * of the largest basket.
 */
#ifndef EC_PAIRS_H
#define EC_PAIRS_H

#include "postgres.h"

typedef struct EcPairs EcPairs;

typedef struct EcPair
{
	uint32 a; /* < b */
	uint32 b;
	int64 both; /* baskets with both, at least 1 */
} EcPair;

extern EcPairs *ec_pairs_create(MemoryContext context, int basket_words);

/* n <= EC_BLOCK_ROWS rows: words of the baskets' keys, items; rows with skip[i] != 0 are left out. */
extern void ec_pairs_add(EcPairs *pairs, uint32 n, const uint64 *const *baskets,
						 const uint32 *items, const uint8 *skip);

/*
 * Instead of that: whole baskets at once, each item once; their keys aren't needed
 * then.  Memory: pairs of few items have a cell of an array, those of others go to a tally.
 */
extern void ec_pairs_add_basket(EcPairs *pairs, const uint32 *items, uint32 n);

/* Counts: items are below nitems; pairs that are in less than least baskets may be left out. */
extern void ec_pairs_finish(EcPairs *pairs, uint32 nitems, int64 least);

extern int64 ec_pairs_baskets(const EcPairs *pairs); /* with any item */
extern int64 ec_pairs_item(const EcPairs *pairs, uint32 item);

/* Calls visit for each pair, in no order; once only. */
typedef void (*EcPairVisitor)(const EcPair *pair, void *arg);
extern void ec_pairs_visit(EcPairs *pairs, EcPairVisitor visit, void *arg);

extern void ec_pairs_destroy(EcPairs *pairs);

#endif /* EC_PAIRS_H */
