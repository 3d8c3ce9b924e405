/*
 * products_edges.c
 *	  product_performance: rows of a range's ragged edges, which a set covers all the same.
 *
 * Each of their products is one of the set's, so they are summed by its index there and need no hash
 * table.  If the product has but one category and brand in the set, the rows have them, too, and
 * needn't be asked for them.  Everything else is left to the tally: where there are several sets or
 * texts, NULL, odd prices.
 *
 * Memory: about 90 bytes for each product met, 4 for each of the set.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "insight/products.h"

#define FEW 1024

/* Keys that are looked for side by side. */
#define LANES 8

typedef struct Sums
{
	int64 counts[EC_TYPE_CLASSES];
	int64 npriced;
	uint64 revenue[EC_REVENUE_WORDS];
	uint64 price[EC_REVENUE_WORDS];
} Sums;

struct EcProductEdges
{
	uint32 *places; /* [nproducts] of sums, plus 1 */
	Sums *sums;
	uint32 n;
	uint32 capacity;
	uint32 *found; /* [EC_BLOCK_ROWS] indexes of a batch's products, or NOT_FOUND */
	uint8 *keep;   /* likewise: for the tally? */
};

#define NOT_FOUND PG_UINT32_MAX

static EcProductEdges *
create_edges(EcProducts *products)
{
	EcProductEdges *edges = MemoryContextAllocZero(products->context, sizeof(EcProductEdges));
	Size size = sizeof(uint32) * (Size) Max(products->covers[0].set->nproducts, 1);

	edges->places =
		MemoryContextAllocExtended(products->context, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	edges->capacity = FEW;
	edges->sums = MemoryContextAlloc(products->context, sizeof(Sums) * edges->capacity);
	edges->found = MemoryContextAlloc(products->context, sizeof(uint32) * EC_BLOCK_ROWS);
	edges->keep = MemoryContextAlloc(products->context, EC_BLOCK_ROWS);
	return edges;
}

/* ---- looking products up ---- */

/* Binary search for several keys at once, so that they don't wait for memory one after the other. */
static void
find_lanes(const int64 *ids, uint32 n, const int64 *keys, uint32 *found)
{
	uint32 low[LANES] = {0};
	uint32 half;

	for (uint32 left = n; left > 1; left -= half)
	{
		half = left / 2;
		for (int lane = 0; lane < LANES; lane++)
			low[lane] += ids[low[lane] + half - 1] < keys[lane] ? half : 0;
	}
	for (int lane = 0; lane < LANES; lane++)
		found[lane] = ids[low[lane]] == keys[lane] ? low[lane] : NOT_FOUND;
}

/* The first of each key's products; those without are not found. */
static void
find_products(const EcProductSet *set, const int64 *keys, const uint8 *nulls, uint32 n,
			  uint32 *found)
{
	uint32 nids = set->nproducts - set->nnull;

	for (uint32 i = 0; i < n; i += LANES)
	{
		int64 some[LANES] = {0};
		uint32 out[LANES];
		uint32 nsome = Min(LANES, n - i);

		memcpy(some, keys + i, sizeof(int64) * nsome);
		find_lanes(set->ids, nids, some, out);
		memcpy(found + i, out, sizeof(uint32) * nsome);
	}
	for (uint32 i = 0; i < n; i++)
	{
		uint32 next = found[i] + 1;

		if ((nulls != NULL && nulls[i]) ||
			(found[i] != NOT_FOUND && next < nids && set->ids[next] == keys[i]))
			found[i] = NOT_FOUND;
	}
}

/* ---- summing ---- */

static Sums *
sums_of(EcProductEdges *edges, uint32 product)
{
	if (edges->places[product] == 0)
	{
		if (edges->n == edges->capacity)
		{
			edges->capacity *= 2;
			edges->sums = repalloc_huge(edges->sums, sizeof(Sums) * (Size) edges->capacity);
		}
		memset(&edges->sums[edges->n], 0, sizeof(Sums));
		edges->places[product] = ++edges->n;
	}
	return &edges->sums[edges->places[product] - 1];
}

/* False: its price is odd. */
static bool
take_row(EcProducts *products, uint32 product, uint32 type, const EcPrices *prices, uint32 i)
{
	EcPriceState state = prices->states != NULL ? prices->states[i] : EC_PRICE_VALUE;
	uint32 class = type < EC_TYPE_CLASSES ? type : 0;
	int64 price = prices->values[i];
	Sums *sums;

	if (state == EC_PRICE_ODD)
		return false;
	sums = sums_of(products->edges, product);
	sums->counts[class]++;
	if (state == EC_PRICE_NONE)
		return true;
	sums->npriced++;
	ec_tally_add_int128(sums->price, price);
	if (class == EC_TYPE_PURCHASE)
	{
		ec_tally_add_int128(sums->revenue, price);
		products->lessens |= price < 0;
	}
	return true;
}

/* Are the batch's rows visible ones of the only set? */
static bool
are_of_set(const EcProducts *products)
{
	const EcRows *rows = &products->rows;

	return products->ncovers == 1 && rows->sign > 0 &&
		   rows->batch.set == products->covers[0].set->set &&
		   products->covers[0].set->nproducts > products->covers[0].set->nnull;
}

bool
ec_products_edges_take(EcProducts *products, EcIntColumn *product)
{
	EcRows *rows = &products->rows;
	EcProductEdges *edges;
	const uint8 *nulls;
	const int64 *ids;
	const uint32 *types;
	EcPrices prices;
	uint32 left = 0;

	if (!are_of_set(products))
		return true;
	if (products->edges == NULL)
		products->edges = create_edges(products);
	edges = products->edges;
	ids = ec_rows_ints(rows, product, &nulls);
	types = ec_rows_types(rows);
	ec_rows_prices(rows, &prices);
	find_products(products->covers[0].set, ids, nulls, rows->n, edges->found);
	for (uint32 i = 0; i < rows->n; i++)
	{
		edges->keep[i] = edges->found[i] == NOT_FOUND ||
						 !take_row(products, edges->found[i], types[i], &prices, i);
		left += edges->keep[i];
	}
	if (left > 0)
		ec_rows_narrow(rows, edges->keep);
	return left > 0;
}

/* ---- giving back ---- */

bool
ec_products_edges_has(const EcProducts *products, uint32 i)
{
	return products->edges != NULL && products->edges->places[i] > 0;
}

void
ec_products_edges_move(EcProducts *products, uint32 i, EcProduct *product)
{
	const Sums *sums;

	if (!ec_products_edges_has(products, i))
		return;
	sums = &products->edges->sums[products->edges->places[i] - 1];
	for (int class = 0; class < EC_TYPE_CLASSES; class ++)
		product->counts[class] += sums->counts[class];
	product->npriced += sums->npriced;
	ec_tally_add_int128(product->price, ec_tally_int128(sums->price));
	ec_tally_add_int128(product->revenue, ec_tally_int128(sums->revenue));
	products->edges->places[i] = 0;
}
