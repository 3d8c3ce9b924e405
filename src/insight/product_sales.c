/*
 * product_sales.c
 *	  Summaries by product: purchases and revenue of any range of slots.
 *
 * Nearly all cells of hours are without a purchase, so those that have some stand once more by
 * themselves (EC_PROJECTION_PRODUCT_SALE), in order of slots.  Before and behind totals these few are
 * all that has to be read.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "insight/product_set.h"

/* What is read of them. */
typedef struct SaleRange
{
	int64 from;
	int64 to;
} SaleRange;

static EcReader *
sales_of(EcProductSet *set)
{
	MemoryContext old;

	if (set->sales == NULL)
	{
		old = MemoryContextSwitchTo(set->context);
		set->sales =
			ec_summary_reader(set->rel, set->set, EC_PROJECTION_PRODUCT_SALE,
							  ec_projection_columns(EC_PROJECTION_PRODUCT_SALE), set->context);
		MemoryContextSwitchTo(old);
	}
	return set->sales;
}

/* Has the block, or the whole part, cells in the range? */
static bool
has_range(EcReader *reader, uint32 block, const SaleRange *range)
{
	EcZone zone;
	EcKind kind;
	int32 scale;

	if (!ec_reader_zone(reader, EC_PRODUCT_SALE_SLOT, block, &zone, &kind, &scale))
		elog(ERROR, "a column of summaries by product has no zone");
	return zone.min < range->to && zone.max >= range->from;
}

/* Cells first .. end - 1 of a block. */
static void
add_cells(EcProductSet *set, uint32 block, uint32 first, uint32 end, uint32 columns,
		  const EcProductSums *sums, int sign)
{
	static const int from[] = {EC_PRODUCT_SALE_PURCHASES, EC_PRODUCT_SALE_REVENUE};
	static const int to[] = {EC_PRODUCT_CELL_PURCHASES, EC_PRODUCT_CELL_REVENUE};
	const int64 *products =
		ec_product_set_ints(set->sales, EC_PRODUCT_SALE_INDEX, block, set->buffers[0]);

	for (int c = 0; c < lengthof(from); c++)
	{
		int64 *out = sums->columns[to[c]];
		const int64 *values;

		if ((columns & EC_PRODUCT_SUM_BIT(to[c])) == 0)
			continue;
		values = ec_product_set_ints(set->sales, from[c], block, set->buffers[1]);
		for (uint32 i = first; i < end && values != NULL; i++)
		{
			uint64 product = products != NULL ? (uint64) products[i] : 0;

			if (unlikely(product >= set->nproducts))
				elog(ERROR, "a cell of summaries by product is of no product");
			out[product] += sign * values[i];
		}
	}
}

int64
ec_product_sales_count(EcProductSet *set, int64 from, int64 to)
{
	EcReader *reader = sales_of(set);
	SaleRange range = {from, to};
	int64 n = 0;

	for (uint32 part = 0; part < ec_reader_ngroups(reader) && from < to; part++)
	{
		if (!ec_reader_goto_group(reader, part) || !has_range(reader, EC_ZONE_CHUNK, &range))
			continue;
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
			n += has_range(reader, block, &range) ? ec_reader_block_rows(reader, block) : 0;
	}
	return n;
}

void
ec_product_sales_add(EcProductSet *set, int64 from, int64 to, uint32 columns,
					 const EcProductSums *sums, int sign)
{
	EcReader *reader = sales_of(set);
	SaleRange range = {from, to};

	for (uint32 part = 0; part < ec_reader_ngroups(reader) && from < to; part++)
	{
		if (!ec_reader_goto_group(reader, part) || !has_range(reader, EC_ZONE_CHUNK, &range))
			continue;
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		{
			const EcVector *slots;

			CHECK_FOR_INTERRUPTS();
			if (!has_range(reader, block, &range))
				continue;
			slots = ec_reader_block(reader, EC_PRODUCT_SALE_SLOT, block);
			add_cells(set, block, ec_product_set_first(slots, from),
					  ec_product_set_first(slots, to), columns, sums, sign);
		}
	}
}
