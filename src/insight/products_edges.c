/*
 * products_edges.c
 *	  product_performance: rows of a range's ragged edges, which a set covers all the same.
 *
 * Each of their products is one of the set's, so they are summed by its index there and need no hash
 * table.  If the product has but one category and brand in the set, the rows have them, too, and
 * needn't be asked for them.  Everything else is left to the tally: where there are several sets or
 * texts, NULL, odd prices.
 *
 * Memory: 64 bytes for each product met, 8 to 12 for each of the set.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "insight/products.h"

#define FEW 1024

/* Rows whose products are requested from memory ahead. */
#define AHEAD 16

/* In a product's place: there is a purchase. */
#define BOUGHT (UINT32_C(1) << 31)

typedef struct Sums
{
	int64 counts[EC_TYPE_CLASSES];
	int64 npriced;
	int64 revenue;
	int64 price;
	int64 unused; /* to a line of the cache */
} Sums;

struct EcProductEdges
{
	uint32 *places; /* [nproducts] of sums, plus 1; with BOUGHT or not */
	Sums *sums;
	uint32 n;
	uint32 capacity;
	uint32 *found; /* [EC_BLOCK_ROWS] indexes of a batch's products, or NOT_FOUND */
	uint8 *keep;   /* likewise: for the tally? */

	/* products by the upper bits of their ids, less the least: ids [starts[b], starts[b + 1]) */
	uint64 least;
	int shift;
	uint32 nstarts;
	uint32 *starts; /* [nstarts + 1] */
};

#define NOT_FOUND PG_UINT32_MAX

static void *
allocate(EcProducts *products, Size size)
{
	return MemoryContextAllocExtended(products->context, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* ---- looking products up ---- */

static inline uint64
order_of(int64 id)
{
	return (uint64) id ^ (UINT64CONST(1) << 63);
}

/* About as many buckets as products: where ids are spread evenly, each has a few. */
static void
index_products(EcProducts *products, EcProductEdges *edges)
{
	const EcProductSet *set = products->covers[0].set;
	uint32 n = set->nproducts - set->nnull;
	uint64 span = order_of(set->ids[n - 1]) - order_of(set->ids[0]);
	int bits = span > 0 ? pg_leftmost_one_pos64(span) + 1 : 0;
	uint32 b = 0;

	edges->least = order_of(set->ids[0]);
	edges->shift = Max(bits - (pg_leftmost_one_pos32(n) + 1), 0);
	edges->nstarts = (uint32) (span >> edges->shift) + 1;
	edges->starts = allocate(products, sizeof(uint32) * ((Size) edges->nstarts + 1));
	for (uint32 i = 0; i < n; i++)
	{
		uint32 own = (uint32) ((order_of(set->ids[i]) - edges->least) >> edges->shift);

		while (b < own)
			edges->starts[++b] = i;
	}
	while (b < edges->nstarts)
		edges->starts[++b] = n;
}

static EcProductEdges *
create_edges(EcProducts *products)
{
	EcProductEdges *edges = MemoryContextAllocZero(products->context, sizeof(EcProductEdges));

	edges->places =
		allocate(products, sizeof(uint32) * (Size) Max(products->covers[0].set->nproducts, 1));
	edges->capacity = FEW;
	edges->sums = MemoryContextAlloc(products->context, sizeof(Sums) * edges->capacity);
	edges->found = MemoryContextAlloc(products->context, sizeof(uint32) * EC_BLOCK_ROWS);
	edges->keep = MemoryContextAlloc(products->context, EC_BLOCK_ROWS);
	index_products(products, edges);
	return edges;
}

/* The key's product if it has but one. */
static inline uint32
find_product(const EcProductEdges *edges, const int64 *ids, uint32 nids, int64 key, uint32 bucket)
{
	uint32 low = edges->starts[bucket];
	uint32 end = edges->starts[bucket + 1];
	uint32 high = end;

	while (low < high)
	{
		uint32 middle = (low + high) / 2;

		if (ids[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == end || ids[low] != key || (low + 1 < nids && ids[low + 1] == key))
		return NOT_FOUND;
	return low;
}

/* Of keys without a bucket too, so that all ask for memory alike. */
static inline uint32
bucket_of(const EcProductEdges *edges, int64 key, bool *exists)
{
	uint64 bucket = (order_of(key) - edges->least) >> edges->shift;

	*exists = order_of(key) >= edges->least && bucket < edges->nstarts;
	return *exists ? (uint32) bucket : 0;
}

static void
find_products(const EcProductEdges *edges, const EcProductSet *set, const int64 *keys,
			  const uint8 *nulls, uint32 n, uint32 *found)
{
	uint32 nids = set->nproducts - set->nnull;
	bool exists;

	for (uint32 i = 0; i < n + AHEAD; i++)
	{
		if (i < n)
			__builtin_prefetch(edges->starts + bucket_of(edges, keys[i], &exists));
		if (i >= AHEAD / 2 && i - AHEAD / 2 < n)
			__builtin_prefetch(set->ids +
							   edges->starts[bucket_of(edges, keys[i - AHEAD / 2], &exists)]);
		if (i >= AHEAD)
		{
			uint32 row = i - AHEAD;
			uint32 bucket = bucket_of(edges, keys[row], &exists);

			found[row] = exists && (nulls == NULL || !nulls[row])
							 ? find_product(edges, set->ids, nids, keys[row], bucket)
							 : NOT_FOUND;
		}
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
	return &edges->sums[(edges->places[product] & ~BOUGHT) - 1];
}

/* False: its price is odd, or sums become too large. */
static bool
take_row(EcProducts *products, uint32 product, uint32 type, const EcPrices *prices, uint32 i)
{
	EcPriceState state = prices->states != NULL ? prices->states[i] : EC_PRICE_VALUE;
	uint32 class = type < EC_TYPE_CLASSES ? type : 0;
	int64 price = state == EC_PRICE_VALUE ? prices->values[i] : 0;
	Sums *sums;
	int64 sum;
	int64 revenue;

	if (state == EC_PRICE_ODD)
		return false;
	sums = sums_of(products->edges, product);
	revenue = sums->revenue;
	if (__builtin_add_overflow(sums->price, price, &sum) ||
		(class == EC_TYPE_PURCHASE && __builtin_add_overflow(revenue, price, &revenue)))
		return false;
	sums->counts[class]++;
	sums->npriced += state != EC_PRICE_NONE;
	sums->price = sum;
	if (class == EC_TYPE_PURCHASE)
	{
		sums->revenue = revenue;
		products->edges->places[product] |= BOUGHT;
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
	find_products(edges, products->covers[0].set, ids, nulls, rows->n, edges->found);
	for (uint32 i = 0; i < rows->n; i++)
	{
		if (i + AHEAD < rows->n && edges->found[i + AHEAD] != NOT_FOUND)
			__builtin_prefetch(edges->places + edges->found[i + AHEAD]);
		edges->keep[i] = edges->found[i] == NOT_FOUND ||
						 !take_row(products, edges->found[i], types[i], &prices, i);
		left += edges->keep[i];
	}
	if (left > 0)
		ec_rows_narrow(rows, edges->keep);
	return left > 0;
}

/* ---- giving back ---- */

static bool
has_rows(const EcProducts *products, uint32 i)
{
	return products->edges != NULL && products->edges->places[i] > 0;
}

bool
ec_products_edges_matter(const EcProducts *products, uint32 i)
{
	if (products->order == EC_PRODUCTS_BY_VIEWS)
		return has_rows(products, i);
	return products->edges != NULL && (products->edges->places[i] & BOUGHT) != 0;
}

void
ec_products_edges_move(EcProducts *products, uint32 i, EcProduct *product)
{
	const Sums *sums;

	if (!has_rows(products, i))
		return;
	sums = &products->edges->sums[(products->edges->places[i] & ~BOUGHT) - 1];
	for (int class = 0; class < EC_TYPE_CLASSES; class ++)
		product->counts[class] += sums->counts[class];
	product->npriced += sums->npriced;
	ec_tally_add_int128(product->price, sums->price);
	ec_tally_add_int128(product->revenue, sums->revenue);
	products->edges->places[i] = 0;
}
