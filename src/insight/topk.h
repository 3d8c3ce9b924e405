/*
 * topk.h
 *	  The first k of many items in a given total order.
 *
 * Keeps k items in a heap whose root is the worst kept; without a k, all items,
 * sorted at the end.  Memory: item_size times the smaller of k and the items seen.
 */
#ifndef EC_TOPK_H
#define EC_TOPK_H

#include "postgres.h"

/* Negative: a ranks before b.  Never 0 for different items. */
typedef int (*EcCompare)(const void *a, const void *b, void *arg);

typedef struct EcTopK
{
	MemoryContext context;
	char *items;
	Size item_size;
	int64 k; /* EC_K_ALL: no limit */
	int64 n;
	int64 capacity;
	uint64 comparisons;
	EcCompare compare;
	void *arg;
} EcTopK;

extern void ec_topk_init(EcTopK *topk, Size item_size, int64 k, EcCompare compare, void *arg,
						 MemoryContext context);
extern void ec_topk_offer(EcTopK *topk, const void *item);

/* Sorts what was kept: items[0 .. n - 1]. */
extern void ec_topk_finish(EcTopK *topk);

/* The worst item kept, if a better one would replace it; NULL while there is room. */
static inline const void *
ec_topk_worst(const EcTopK *topk)
{
	return topk->k >= 0 && topk->n == topk->k ? topk->items : NULL;
}

#endif /* EC_TOPK_H */
