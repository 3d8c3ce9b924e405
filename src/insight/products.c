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

#include "insight/products.h"

#define ARG_K 1
#define ARG_ORDER_BY 2
#define ARG_COMMON 3
#define COLUMNS 10

PG_FUNCTION_INFO_V1(ec_product_performance);

static const char *const order_names[] = {"revenue", "purchases", "views", "conversion", NULL};

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
is_later(const EcProducts *products, const EcProductLatest *a, const EcProductLatest *b)
{
	int order;

	if (!b->known || a->has_time != b->has_time)
		return a->has_time || !b->known;
	if (a->time != b->time)
		return a->time > b->time;
	order = compare_texts(products->category.interner, a->category, b->category);
	if (order == 0)
		order = compare_texts(products->brand.interner, a->brand, b->brand);
	return order < 0;
}

void
ec_products_take_other(EcProductLatest *latest, const EcProducts *products,
					   const EcProductLatest *event)
{
	EcProductLatest before = *latest;

	before.varies |= before.known;
	if (is_later(products, event, &before))
	{
		*latest = *event;
		latest->hidden = before.hidden;
		latest->covered = before.covered;
	}
	latest->varies = before.varies;
}

static void
combine_products(uint64 *into, const uint64 *from)
{
	EcProduct *a = (EcProduct *) into;
	const EcProduct *b = (const EcProduct *) from;

	a->products = b->products;
	for (int class = 0; class < EC_TYPE_CLASSES; class ++)
		a->counts[class] += b->counts[class];
	ec_revenue_combine(a->revenue, b->revenue);
	ec_revenue_combine(a->price, b->price);
	a->npriced += b->npriced;
	a->latest.hidden |= b->latest.hidden;
	a->latest.covered |= b->latest.covered;
	if (b->latest.known)
		ec_products_take_latest(&a->latest, b->products, &b->latest);
	a->latest.varies |= b->latest.varies;
}

EcTally *
ec_products_tally(EcProducts *products)
{
	if (products->tally == NULL)
		products->tally = ec_tally_create(products->context, EC_PRODUCT_KEY_WORDS,
										  EC_PRODUCT_STATE_WORDS, combine_products, 1.0);
	return products->tally;
}

static uint64 *const *
find_products(EcProducts *products, EcRows *rows, EcIntColumn *product)
{
	const uint8 *nulls;
	const int64 *ids = ec_rows_ints(rows, product, &nulls);
	const uint64 *keys[EC_PRODUCT_KEY_WORDS] = {products->null_words, (const uint64 *) ids};

	for (uint32 i = 0; i < rows->n; i++)
		products->null_words[i] = nulls != NULL && nulls[i];
	return ec_tally_find(ec_products_tally(products), rows->n, keys, NULL);
}

static void
add_rows(EcProducts *products, EcRows *rows, uint64 *const *states, EcIntColumn *time)
{
	const uint32 *types = ec_rows_types(rows);
	const uint32 *categories = ec_rows_ids(rows, &products->category);
	const uint32 *brands = ec_rows_ids(rows, &products->brand);
	const uint8 *nulls;
	const int64 *times = ec_rows_times(rows, time, &nulls);
	EcPrices prices;

	ec_rows_prices(rows, &prices);
	for (uint32 i = 0; i < rows->n; i++)
	{
		EcProduct *product = (EcProduct *) states[i];
		uint32 class = types[i] < EC_TYPE_CLASSES ? types[i] : 0;
		bool has_time = nulls == NULL || !nulls[i];
		EcProductLatest event = {times[i], categories[i], brands[i], true, has_time};

		product->products = products;
		product->counts[class]++;
		product->npriced += prices.states == NULL || prices.states[i] != EC_PRICE_NONE;
		ec_revenue_add(product->price, &prices, i, products->context);
		if (class == EC_TYPE_PURCHASE)
		{
			ec_revenue_add(product->revenue, &prices, i, products->context);
			products->lessens |= prices.values[i] < 0 || prices.states != NULL;
		}
		ec_products_take_latest(&product->latest, products, &event);
	}
}

/* Rows that summaries count though they are hidden; none of them has an odd price. */
static void
take_rows_away(EcProducts *products, EcRows *rows, uint64 *const *states)
{
	const uint32 *types = ec_rows_types(rows);
	EcPrices prices;

	ec_rows_prices(rows, &prices);
	products->lessens = true;
	for (uint32 i = 0; i < rows->n; i++)
	{
		EcProduct *product = (EcProduct *) states[i];
		uint32 class = types[i] < EC_TYPE_CLASSES ? types[i] : 0;

		product->products = products;
		product->latest.hidden = true;
		product->counts[class]--;
		if (prices.states != NULL && prices.states[i] != EC_PRICE_VALUE)
			continue;
		product->npriced--;
		ec_tally_add_int128(product->price, -(int128) prices.values[i]);
		if (class == EC_TYPE_PURCHASE)
			ec_tally_add_int128(product->revenue, -(int128) prices.values[i]);
	}
}

static void
count_rows(EcProducts *products)
{
	uint32 columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE) |
					 EC_COL_BIT(EC_COL_PRODUCT) | EC_COL_BIT(EC_COL_CATEGORY_CODE) |
					 EC_COL_BIT(EC_COL_BRAND);
	EcIntColumn product;
	EcIntColumn time;
	EcRows *rows = &products->rows;
	bool covered;

	ec_int_column_init(&product, EC_COL_PRODUCT, products->context);
	ec_int_column_init(&time, EC_COL_TIME, products->context);
	ec_rows_open(rows, products->args, columns, products->context);
	covered = ec_rows_cover(rows, EC_PRODUCT_PROJECTIONS);
	if (covered)
		ec_products_open_covers(products);
	while (ec_rows_next(rows))
	{
		uint64 *const *states;

		if (!ec_products_edges_take(products, &product))
			continue;
		states = find_products(products, rows, &product);
		if (rows->sign > 0)
			add_rows(products, rows, states, &time);
		else
			take_rows_away(products, rows, states);
	}
	products->scale = rows->price_scale;
	if (covered)
		ec_products_cover(products);
}

/* ---- order ---- */

#define compare_numbers(a, b) (((a) > (b)) - ((a) < (b)))

/* purchases / views, NULL (no views) last: negative if a has more */
static int
compare_conversions(const EcProduct *a, const EcProduct *b)
{
	int64 aviews = a->counts[EC_TYPE_VIEW];
	int64 bviews = b->counts[EC_TYPE_VIEW];

	if (aviews == 0 || bviews == 0)
		return (aviews == 0) - (bviews == 0);
	return compare_numbers((int128) b->counts[EC_TYPE_PURCHASE] * aviews,
						   (int128) a->counts[EC_TYPE_PURCHASE] * bviews);
}

int
ec_products_compare(const EcProducts *products, const EcProduct *a, const EcProduct *b)
{
	EcPriceSum arevenue;
	EcPriceSum brevenue;

	switch (products->order)
	{
		case EC_PRODUCTS_BY_PURCHASES:
			return compare_numbers(b->counts[EC_TYPE_PURCHASE], a->counts[EC_TYPE_PURCHASE]);
		case EC_PRODUCTS_BY_VIEWS:
			return compare_numbers(b->counts[EC_TYPE_VIEW], a->counts[EC_TYPE_VIEW]);
		case EC_PRODUCTS_BY_CONVERSION:
			return compare_conversions(a, b);
		case EC_PRODUCTS_BY_REVENUE:
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
	const EcProductItem *x = a;
	const EcProductItem *y = b;
	int order = ec_products_compare(arg, &x->product, &y->product);

	if (order == 0)
		order = compare_numbers(x->key[0], y->key[0]);
	if (order == 0)
		order = compare_numbers((int64) x->key[1], (int64) y->key[1]);
	return order;
}

/* ---- result ---- */

static void
put_row(const EcProducts *products, EcResult *result, const EcProductItem *item, int64 rank)
{
	const EcProduct *product = &item->product;
	const int64 *counts = product->counts;
	EcPriceSum revenue = ec_revenue_sum(product->revenue, 0);
	EcPriceSum price = ec_revenue_sum(product->price, product->npriced);
	Datum values[COLUMNS] = {0};
	bool nulls[COLUMNS] = {false};
	MemoryContext old = MemoryContextSwitchTo(result->row_context);

	values[0] = Int64GetDatum(rank);
	nulls[1] = item->key[0] != 0;
	values[1] = Int64GetDatum((int64) item->key[1]);
	values[2] = ec_interner_datum(products->category.interner, product->latest.category, &nulls[2]);
	values[3] = ec_interner_datum(products->brand.interner, product->latest.brand, &nulls[3]);
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
put_rows(const EcProducts *products, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < products->top.n; i++)
		put_row(products, &result, (const EcProductItem *) products->top.items + i, i + 1);
}

static EcProducts *
create_products(const EcArgs *args, MemoryContext context)
{
	EcProducts *products = MemoryContextAllocZero(context, sizeof(EcProducts));

	products->args = args;
	products->context = context;
	ec_text_column_init(&products->category, EC_COL_CATEGORY_CODE, ec_interner_create(context),
						context);
	ec_text_column_init(&products->brand, EC_COL_BRAND, ec_interner_create(context), context);
	products->null_words = MemoryContextAlloc(context, sizeof(uint64) * EC_BLOCK_ROWS);
	return products;
}

Datum
ec_product_performance(PG_FUNCTION_ARGS)
{
	EcArgs args;
	int64 k = ec_args_get_k(fcinfo, ARG_K);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight products", ALLOCSET_DEFAULT_SIZES);
	EcProducts *products = create_products(&args, context);

	ec_args_get(fcinfo, ARG_COMMON, &args);
	products->order = ec_args_get_word(fcinfo, ARG_ORDER_BY, "order_by", order_names);
	products->k = k;
	count_rows(products);
	ec_topk_init(&products->top, sizeof(EcProductItem), k, compare_items, products, context);
	ec_products_offer(products);
	if (products->tally != NULL)
		ec_tally_destroy(products->tally);
	ec_topk_finish(&products->top);
	ec_products_complete(products, (EcProductItem *) products->top.items, products->top.n);
	ec_products_find_latest(products, (EcProductItem *) products->top.items, products->top.n);
	put_rows(products, fcinfo);
	ec_products_uncover(products);
	ec_rows_close(&products->rows);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
