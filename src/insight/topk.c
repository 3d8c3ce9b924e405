/*
 * topk.c
 *	  The first k of many items in a given total order.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/topk.h"

#define ITEM_MAX 160
#define COMPARISONS_BETWEEN_CHECKS 65536

#define item_at(topk, i) ((topk)->items + (Size) (i) * (topk)->item_size)

void
ec_topk_init(EcTopK *topk, Size item_size, int64 k, EcCompare compare, void *arg,
			 MemoryContext context)
{
	Assert(item_size <= ITEM_MAX);
	topk->context = context;
	topk->item_size = item_size;
	topk->k = k;
	topk->n = 0;
	topk->comparisons = 0;
	topk->capacity = k >= 0 && k < 64 ? k : 64;
	topk->items = MemoryContextAlloc(context, item_size * topk->capacity);
	topk->compare = compare;
	topk->arg = arg;
}

static bool
is_worse(EcTopK *topk, int64 a, int64 b)
{
	return topk->compare(item_at(topk, a), item_at(topk, b), topk->arg) > 0;
}

static void
swap(EcTopK *topk, int64 a, int64 b)
{
	char item[ITEM_MAX];

	memcpy(item, item_at(topk, a), topk->item_size);
	memcpy(item_at(topk, a), item_at(topk, b), topk->item_size);
	memcpy(item_at(topk, b), item, topk->item_size);
}

static void
sift_up(EcTopK *topk, int64 i)
{
	while (i > 0 && is_worse(topk, i, (i - 1) / 2))
	{
		swap(topk, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

static void
sift_down(EcTopK *topk, int64 i)
{
	for (;;)
	{
		int64 worst = i;

		if (2 * i + 1 < topk->n && is_worse(topk, 2 * i + 1, worst))
			worst = 2 * i + 1;
		if (2 * i + 2 < topk->n && is_worse(topk, 2 * i + 2, worst))
			worst = 2 * i + 2;
		if (worst == i)
			return;
		swap(topk, i, worst);
		i = worst;
	}
}

void
ec_topk_offer(EcTopK *topk, const void *item)
{
	const void *worst = ec_topk_worst(topk);

	if (worst != NULL)
	{
		if (topk->compare(item, worst, topk->arg) < 0)
		{
			memcpy(topk->items, item, topk->item_size);
			sift_down(topk, 0);
		}
		return;
	}
	if (topk->n == topk->capacity)
	{
		topk->capacity *= 2;
		topk->items = repalloc_huge(topk->items, topk->item_size * topk->capacity);
	}
	memcpy(item_at(topk, topk->n), item, topk->item_size);
	topk->n++;
	if (topk->k >= 0)
		sift_up(topk, topk->n - 1);
}

/* Sorting millions of items takes seconds, so it can be interrupted. */
static int
compare_interruptibly(const void *a, const void *b, void *arg)
{
	EcTopK *topk = arg;

	if (++topk->comparisons % COMPARISONS_BETWEEN_CHECKS == 0)
		CHECK_FOR_INTERRUPTS();
	return topk->compare(a, b, topk->arg);
}

void
ec_topk_finish(EcTopK *topk)
{
	qsort_arg(topk->items, topk->n, topk->item_size, compare_interruptibly, topk);
}
