/*
 * product_last.c
 *	  Summaries by product: the last hours, of all and of some products.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "insight/product_set.h"

typedef struct LastSearch
{
	const uint32 *groups;
	EcProductLast *last;
	uint32 missing; /* groups not met yet */
	int64 least;	/* slot of the one met last */
} LastSearch;

/* Cells end - 1 .. first of a block; false: all is known. */
static bool
note_last(EcProductSet *set, LastSearch *search, uint32 block, uint32 first, uint32 end)
{
	const int64 *products =
		ec_product_set_ints(set->cells, EC_PRODUCT_CELL_INDEX, block, set->buffers[0]);
	const EcVector *slots = ec_reader_block(set->cells, EC_PRODUCT_CELL_SLOT, block);

	for (uint32 i = end; i-- > first;)
	{
		uint64 product = products != NULL ? (uint64) products[i] : 0;
		EcProductLast *last;
		int64 slot;

		if (product >= set->nproducts)
			elog(ERROR, "a cell of summaries by product is of no product");
		if (search->groups[product] == 0)
			continue;
		last = &search->last[search->groups[product] - 1];
		slot = ec_vector_int64(slots, i);
		if (last->slot < 0)
		{
			last->slot = search->least = slot;
			last->product = (uint32) product;
			search->missing--;
		}
		else
			last->tied |= last->slot == slot;
	}
	return search->missing > 0 || ec_vector_int64(slots, first) >= search->least;
}

static bool
note_last_part(EcProductSet *set, LastSearch *search, uint32 part, int64 low, int64 high)
{
	ec_reader_goto_group(set->cells, part);
	for (uint32 block = ec_reader_group(set->cells)->nblocks; block-- > 0;)
	{
		int64 start = set->starts[part] + (int64) block * EC_BLOCK_ROWS;
		int64 end = start + ec_reader_block_rows(set->cells, block);

		CHECK_FOR_INTERRUPTS();
		if (end > low && start < high &&
			!note_last(set, search, block, (uint32) (Max(low, start) - start),
					   (uint32) (Min(high, end) - start)))
			return false;
	}
	return true;
}

/* Of the slots [from, to); groups that have one already keep it. */
static void
find_last(EcProductSet *set, int64 from, int64 to, LastSearch *search)
{
	int64 low = ec_product_set_cell(set, from);
	int64 high = ec_product_set_cell(set, to);

	for (uint32 part = set->nparts; part-- > 0;)
	{
		if (set->starts[part + 1] > low && set->starts[part] < high &&
			!note_last_part(set, search, part, low, high))
			return;
	}
}

void
ec_product_set_last(EcProductSet *set, int64 from, int64 to, const uint32 *groups, uint32 n,
					EcProductLast *last)
{
	LastSearch search = {groups, last, n, 0};

	for (uint32 i = 0; i < n; i++)
	{
		last[i].slot = -1;
		last[i].tied = false;
	}
	if (set->nproducts == 0)
		return;
	if (from < EC_PRODUCT_SLOT_NULL)
		find_last(set, from, Min(to, EC_PRODUCT_SLOT_NULL), &search);
	if (to > EC_PRODUCT_SLOT_NULL && search.missing > 0)
		find_last(set, EC_PRODUCT_SLOT_NULL, to, &search);
}

int64
ec_product_set_last_hour(EcProductSet *set)
{
	uint32 part = 0;
	int64 row;
	int64 slot;

	if (set->nproducts == 0)
		return -1;
	row = ec_product_set_cell(set, EC_PRODUCT_SLOT_LATE) - 1;
	if (row < 0)
		return -1;
	while (set->starts[part + 1] <= row)
		part++;
	row -= set->starts[part];
	ec_reader_goto_group(set->cells, part);
	slot = ec_vector_int64(
		ec_reader_block(set->cells, EC_PRODUCT_CELL_SLOT, (uint32) (row / EC_BLOCK_ROWS)),
		(uint32) (row % EC_BLOCK_ROWS));
	return slot > EC_PRODUCT_SLOT_FIRST ? slot : -1;
}
