/*
 * products.c
 *	  product_performance: what each product sells, at which price and how well.
 *
 * Products may be millions, so their figures are states of a tally.  Texts of the
 * latest event are compared when two events have the same time, which is seldom, so
 * there is no need of ranks before the last row is read.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/revenue.h"
#include "insight/rows.h"
#include "insight/tally.h"
#include "insight/topk.h"

#define ARG_K 1
#define ARG_ORDER_BY 2
#define ARG_COMMON 3
#define COLUMNS 10

PG_FUNCTION_INFO_V1(ec_product_performance);

typedef enum ProductOrder
{
	BY_REVENUE,
	BY_PURCHASES,
	BY_VIEWS,
	BY_CONVERSION
} ProductOrder;

static const char *const order_names[] = {"revenue", "purchases", "views", "conversion", NULL};

typedef struct Products
{
	MemoryContext context;
	ProductOrder order;
	EcInterner *categories;
	EcInterner *brands;
	EcTally *tally;
	uint64 *null_words; /* [EC_BLOCK_ROWS] first words of keys: 1 if the product is NULL */
	EcTopK top;
	int32 scale;
} Products;

/* A product's latest event so far. */
typedef struct Latest
{
	TimestampTz time; /* 0 without one */
	uint32 category;
	uint32 brand;
	bool known; /* there was an event */
	bool has_time;
} Latest;

/* A tally's state: all zeros for a new product. */
typedef struct Product
{
	Products *products; /* for combine */
	int64 counts[EC_TYPE_CLASSES];
	uint64 revenue[EC_REVENUE_WORDS]; /* prices of purchases */
	uint64 price[EC_REVENUE_WORDS];	  /* the same of all rows with a price */
	int64 npriced;
	Latest latest;
} Product;

#define KEY_WORDS 2 /* is it NULL, product_id */
#define STATE_WORDS (sizeof(Product) / sizeof(uint64))

typedef struct ProductItem
{
	uint64 key[KEY_WORDS];
	Product product;
} ProductItem;

StaticAssertDecl(sizeof(Product) % sizeof(uint64) == 0 && STATE_WORDS <= EC_TALLY_STATE_MAX,
				 "a product must be a state of a tally");

/* ---- counting ---- */

static int
compare_texts(const EcInterner *interner, uint32 a, uint32 b)
{
	if (a == b)
		return 0;
	if (a == EC_ID_NULL || b == EC_ID_NULL)
		return a == EC_ID_NULL ? 1 : -1;
	return ec_interner_compare(interner, a, b);
}

/* Is a event later than b, or else first by category and brand? */
static bool
is_later(const Products *products, const Latest *a, const Latest *b)
{
	int order;

	if (!b->known || a->has_time != b->has_time)
		return a->has_time || !b->known;
	if (a->time != b->time)
		return a->time > b->time;
	order = compare_texts(products->categories, a->category, b->category);
	if (order == 0)
		order = compare_texts(products->brands, a->brand, b->brand);
	return order < 0;
}

static inline void
take_latest(Product *product, const Products *products, const Latest *event)
{
	if (likely(product->latest.time < event->time) && event->has_time)
		product->latest = *event;
	else if (is_later(products, event, &product->latest))
		product->latest = *event;
}

static void
combine_products(uint64 *into, const uint64 *from)
{
	Product *a = (Product *) into;
	const Product *b = (const Product *) from;

	a->products = b->products;
	for (int class = 0; class < EC_TYPE_CLASSES; class ++)
		a->counts[class] += b->counts[class];
	ec_revenue_combine(a->revenue, b->revenue);
	ec_revenue_combine(a->price, b->price);
	a->npriced += b->npriced;
	if (is_later(b->products, &b->latest, &a->latest))
		a->latest = b->latest;
}

static uint64 *const *
find_products(Products *products, EcRows *rows, EcIntColumn *product)
{
	const uint8 *nulls;
	const int64 *ids = ec_rows_ints(rows, product, &nulls);
	const uint64 *keys[KEY_WORDS] = {products->null_words, (const uint64 *) ids};

	for (uint32 i = 0; i < rows->n; i++)
		products->null_words[i] = nulls != NULL && nulls[i];
	return ec_tally_find(products->tally, rows->n, keys, NULL);
}

static void
add_rows(Products *products, EcRows *rows, uint64 *const *states, EcTextColumn *category,
		 EcTextColumn *brand, EcIntColumn *time)
{
	const uint32 *types = ec_rows_types(rows);
	const uint32 *categories = ec_rows_ids(rows, category);
	const uint32 *brands = ec_rows_ids(rows, brand);
	const uint8 *nulls;
	const int64 *times = ec_rows_times(rows, time, &nulls);
	EcPrices prices;

	ec_rows_prices(rows, &prices);
	for (uint32 i = 0; i < rows->n; i++)
	{
		Product *product = (Product *) states[i];
		uint32 class = types[i] < EC_TYPE_CLASSES ? types[i] : 0;
		bool has_time = nulls == NULL || !nulls[i];
		Latest event = {times[i], categories[i], brands[i], true, has_time};

		product->products = products;
		product->counts[class]++;
		product->npriced += prices.states == NULL || prices.states[i] != EC_PRICE_NONE;
		ec_revenue_add(product->price, &prices, i, products->context);
		if (class == EC_TYPE_PURCHASE)
			ec_revenue_add(product->revenue, &prices, i, products->context);
		take_latest(product, products, &event);
	}
}

static void
count_rows(Products *products, const EcArgs *args)
{
	uint32 columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE) |
					 EC_COL_BIT(EC_COL_PRODUCT) | EC_COL_BIT(EC_COL_CATEGORY_CODE) |
					 EC_COL_BIT(EC_COL_BRAND);
	EcTextColumn category;
	EcTextColumn brand;
	EcIntColumn product;
	EcIntColumn time;
	EcRows rows;

	ec_text_column_init(&category, EC_COL_CATEGORY_CODE, products->categories, products->context);
	ec_text_column_init(&brand, EC_COL_BRAND, products->brands, products->context);
	ec_int_column_init(&product, EC_COL_PRODUCT, products->context);
	ec_int_column_init(&time, EC_COL_TIME, products->context);
	ec_rows_open(&rows, args, columns, products->context);
	while (ec_rows_next(&rows))
	{
		uint64 *const *states = find_products(products, &rows, &product);

		add_rows(products, &rows, states, &category, &brand, &time);
	}
	products->scale = rows.price_scale;
	ec_rows_close(&rows);
}

/* ---- order ---- */

#define compare_numbers(a, b) (((a) > (b)) - ((a) < (b)))

/* purchases / views, NULL (no views) last: negative if a has more */
static int
compare_conversions(const Product *a, const Product *b)
{
	int64 aviews = a->counts[EC_TYPE_VIEW];
	int64 bviews = b->counts[EC_TYPE_VIEW];

	if (aviews == 0 || bviews == 0)
		return (aviews == 0) - (bviews == 0);
	return compare_numbers((int128) b->counts[EC_TYPE_PURCHASE] * aviews,
						   (int128) a->counts[EC_TYPE_PURCHASE] * bviews);
}

static int
compare_measures(const Products *products, const Product *a, const Product *b)
{
	EcPriceSum arevenue;
	EcPriceSum brevenue;

	switch (products->order)
	{
		case BY_PURCHASES:
			return compare_numbers(b->counts[EC_TYPE_PURCHASE], a->counts[EC_TYPE_PURCHASE]);
		case BY_VIEWS:
			return compare_numbers(b->counts[EC_TYPE_VIEW], a->counts[EC_TYPE_VIEW]);
		case BY_CONVERSION:
			return compare_conversions(a, b);
		case BY_REVENUE:
			break;
	}
	arevenue = ec_revenue_sum(a->revenue, 0);
	brevenue = ec_revenue_sum(b->revenue, 0);
	return ec_price_compare(&brevenue, &arevenue, products->scale);
}

/* The measure DESC NULLS LAST, product_id NULLS LAST. */
static int
compare_items(const void *a, const void *b, void *arg)
{
	const ProductItem *x = a;
	const ProductItem *y = b;
	int order = compare_measures(arg, &x->product, &y->product);

	if (order == 0)
		order = compare_numbers(x->key[0], y->key[0]);
	if (order == 0)
		order = compare_numbers((int64) x->key[1], (int64) y->key[1]);
	return order;
}

static void
visit_product(const uint64 *key, uint64 *state, void *arg)
{
	Products *products = arg;
	ProductItem item;

	memcpy(item.key, key, sizeof(item.key));
	memcpy(&item.product, state, sizeof(item.product));
	ec_topk_offer(&products->top, &item);
}

/* ---- result ---- */

static void
put_row(const Products *products, EcResult *result, const ProductItem *item, int64 rank)
{
	const Product *product = &item->product;
	const int64 *counts = product->counts;
	EcPriceSum revenue = ec_revenue_sum(product->revenue, 0);
	EcPriceSum price = ec_revenue_sum(product->price, product->npriced);
	Datum values[COLUMNS] = {0};
	bool nulls[COLUMNS] = {false};
	MemoryContext old = MemoryContextSwitchTo(result->row_context);

	values[0] = Int64GetDatum(rank);
	nulls[1] = item->key[0] != 0;
	values[1] = Int64GetDatum((int64) item->key[1]);
	values[2] = ec_interner_datum(products->categories, product->latest.category, &nulls[2]);
	values[3] = ec_interner_datum(products->brands, product->latest.brand, &nulls[3]);
	values[4] = Int64GetDatum(counts[EC_TYPE_VIEW]);
	values[5] = Int64GetDatum(counts[EC_TYPE_CART]);
	values[6] = Int64GetDatum(counts[EC_TYPE_PURCHASE]);
	values[7] = ec_price_total(&revenue, products->scale);
	nulls[8] = product->npriced == 0;
	if (!nulls[8])
		values[8] = ec_price_per(&price, products->scale, product->npriced);
	values[9] = ec_result_ratio(counts[EC_TYPE_PURCHASE], counts[EC_TYPE_VIEW], &nulls[9]);
	MemoryContextSwitchTo(old);
	ec_result_put(result, values, nulls);
}

static void
put_rows(const Products *products, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < products->top.n; i++)
		put_row(products, &result, (const ProductItem *) products->top.items + i, i + 1);
}

Datum
ec_product_performance(PG_FUNCTION_ARGS)
{
	EcArgs args;
	int64 k = ec_args_get_k(fcinfo, ARG_K);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight products", ALLOCSET_DEFAULT_SIZES);
	Products *products = MemoryContextAllocZero(context, sizeof(Products));

	ec_args_get(fcinfo, ARG_COMMON, &args);
	products->order = ec_args_get_word(fcinfo, ARG_ORDER_BY, "order_by", order_names);
	products->context = context;
	products->categories = ec_interner_create(context);
	products->brands = ec_interner_create(context);
	products->null_words = MemoryContextAlloc(context, sizeof(uint64) * EC_BLOCK_ROWS);
	products->tally = ec_tally_create(context, KEY_WORDS, STATE_WORDS, combine_products, 1.0);
	count_rows(products, &args);
	ec_topk_init(&products->top, sizeof(ProductItem), k, compare_items, products, context);
	ec_tally_visit(products->tally, visit_product, products);
	ec_tally_destroy(products->tally);
	ec_topk_finish(&products->top);
	put_rows(products, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
