/*
 * products_cover.c
 *	  product_performance from summaries by product.
 *
 * Sums of the set with most products stay where they are, by index; those of the others go
 * to the tally, where rows that no set covers or that are hidden are.  What is in the tally is
 * few, so each product there is looked up in the large set when all comes out.
 *
 * Category and brand are of the latest event.  Most products have never had others; for the
 * rest, and only if they are among the first k, the cells tell which one was in the last hour, and
 * rows of that hour do where there were several or hidden rows.
 *
 * Memory: about 90 bytes for each product.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "insight/products.h"

/* More hours than this: all rows are read at once. */
#define HOURS_MAX 64

/* ---- sums ---- */

static void *
allocate(EcProducts *products, Size size)
{
	return MemoryContextAllocExtended(products->context, Max(size, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
open_cover(EcProducts *products, EcProductCover *cover, Relation rel, const EcSummarySet *set)
{
	cover->set = ec_product_set_open(rel, set, products->context);
	cover->sums = allocate(products, sizeof(EcProductSums) * cover->set->nproducts);
	cover->references = allocate(products, sizeof(int64) * cover->set->nproducts);
	ec_product_set_sum(cover->set, products->from, products->to, cover->sums);
	ec_product_set_own_references(cover->set, cover->references);
	(void) ec_product_set_ids(cover->set);
}

/* Adds product i of a set. */
static void
add_sums(EcProducts *products, EcProduct *product, const EcProductCover *cover, uint32 i)
{
	const EcProductSums *sums = &cover->sums[i];
	int64 npriced = sums->rows - sums->unpriced;

	product->products = products;
	product->latest.covered = true;
	product->counts[0] += sums->other;
	product->counts[EC_TYPE_VIEW] += sums->rows - sums->carts - sums->purchases - sums->other;
	product->counts[EC_TYPE_CART] += sums->carts;
	product->counts[EC_TYPE_PURCHASE] += sums->purchases;
	product->npriced += npriced;
	ec_tally_add_int128(product->revenue, sums->revenue);
	ec_tally_add_int128(product->price, (int128) cover->references[i] * npriced + sums->price);
}

static bool
is_null(const EcProductSet *set, uint32 i)
{
	return i >= set->nproducts - set->nnull;
}

static void
put_key(const EcProductSet *set, uint32 i, uint64 *key)
{
	key[0] = is_null(set, i);
	key[1] = (uint64) set->ids[i];
}

/* A set whose products don't stay where they are. */
static void
add_to_tally(EcProducts *products, const EcProductCover *cover)
{
	for (uint32 i = 0; i < cover->set->nproducts; i++)
	{
		uint64 key[EC_PRODUCT_KEY_WORDS];

		if (cover->sums[i].rows == 0)
			continue;
		put_key(cover->set, i, key);
		add_sums(products, (EcProduct *) ec_tally_find_one(products->tally, key), cover, i);
	}
}

void
ec_products_cover(EcProducts *products, EcRows *rows)
{
	const EcSummarySet *set;
	Relation rel;
	uint32 capacity = 8;

	ec_product_slots(&rows->slots, &products->from, &products->to);
	products->covers = allocate(products, sizeof(EcProductCover) * capacity);
	while (ec_rows_next_set(rows, &rel, &set))
	{
		EcProductCover *covers = products->covers;
		uint32 n = products->ncovers++;

		if (products->ncovers > capacity)
		{
			capacity *= 2;
			covers = products->covers = repalloc_huge(covers, sizeof(EcProductCover) * capacity);
		}
		open_cover(products, &covers[n], rel, set);
		if (covers[n].set->nproducts > covers[0].set->nproducts)
		{
			EcProductCover first = covers[0];

			covers[0] = covers[n];
			covers[n] = first;
		}
	}
	for (uint32 i = 1; i < products->ncovers; i++)
		add_to_tally(products, &products->covers[i]);
}

void
ec_products_uncover(EcProducts *products)
{
	for (uint32 i = 0; i < products->ncovers; i++)
		ec_product_set_close(products->covers[i].set);
}

/* ---- all products ---- */

/* The first product of a set that isn't before the key. */
static uint32
find_product(const EcProductSet *set, const uint64 *key)
{
	uint32 low = key[0] ? set->nproducts - set->nnull : 0;
	uint32 high = key[0] ? low : set->nproducts - set->nnull;

	while (low < high)
	{
		uint32 middle = (low + high) / 2;

		if (set->ids[middle] < (int64) key[1])
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
has_key(const EcProductSet *set, uint32 i, const uint64 *key)
{
	return i < set->nproducts && is_null(set, i) == (key[0] != 0) && set->ids[i] == (int64) key[1];
}

static void
offer(EcProducts *products, const EcProductItem *item)
{
	const int64 *counts = item->product.counts;

	if (counts[0] + counts[EC_TYPE_VIEW] + counts[EC_TYPE_CART] + counts[EC_TYPE_PURCHASE] > 0)
		ec_topk_offer(&products->top, item);
}

/* A product of the tally, and what the large set has of it, which is taken out there. */
static void
visit_product(const uint64 *key, uint64 *state, void *arg)
{
	EcProducts *products = arg;
	EcProductItem item;

	memcpy(item.key, key, sizeof(item.key));
	memcpy(&item.product, state, sizeof(item.product));
	if (products->ncovers > 0)
	{
		const EcProductCover *cover = &products->covers[0];

		for (uint32 i = find_product(cover->set, key); has_key(cover->set, i, key); i++)
		{
			if (cover->sums[i].rows == 0)
				continue;
			add_sums(products, &item.product, cover, i);
			cover->sums[i].rows = 0;
		}
	}
	offer(products, &item);
}

/* Can't it be among the first k? */
static bool
is_hopeless(const EcProducts *products, const EcProductSums *sums, const EcProduct *worst)
{
	switch (products->order)
	{
		case EC_PRODUCTS_BY_REVENUE:
			return worst->revenue[EC_REVENUE_WORDS - 1] == 0 &&
				   sums->revenue < ec_tally_int128(worst->revenue);
		case EC_PRODUCTS_BY_PURCHASES:
			return sums->purchases < worst->counts[EC_TYPE_PURCHASE];
		case EC_PRODUCTS_BY_VIEWS:
			return sums->rows < worst->counts[EC_TYPE_VIEW];
		case EC_PRODUCTS_BY_CONVERSION:
			return sums->purchases == 0 && worst->counts[EC_TYPE_PURCHASE] > 0 &&
				   worst->counts[EC_TYPE_VIEW] > 0;
	}
	return false;
}

/* Products of the large set. */
static void
offer_covered(EcProducts *products, const EcProductCover *cover)
{
	const EcProductSet *set = cover->set;
	uint32 next;

	for (uint32 i = 0; i < set->nproducts; i = next)
	{
		const EcProductItem *worst = ec_topk_worst(&products->top);
		EcProductItem item = {{0}};

		put_key(set, i, item.key);
		next = i + 1;
		if (!has_key(set, next, item.key) &&
			(cover->sums[i].rows == 0 ||
			 (worst != NULL && is_hopeless(products, &cover->sums[i], &worst->product))))
			continue;
		for (next = i; has_key(set, next, item.key); next++)
		{
			if (cover->sums[next].rows != 0)
				add_sums(products, &item.product, cover, next);
		}
		offer(products, &item);
	}
}

void
ec_products_offer(EcProducts *products)
{
	ec_tally_visit(products->tally, visit_product, products);
	if (products->ncovers > 0)
		offer_covered(products, &products->covers[0]);
}

/* ---- the latest event ---- */

/* Products whose texts aren't clear. */
typedef struct Unclear
{
	EcProductItem *item;
	EcProductLast last; /* of all sets; slot -1: none */
	uint32 cover;		/* whose product it is */
} Unclear;

typedef struct Search
{
	EcProducts *products;
	Unclear *unclear; /* by key */
	uint32 n;
	EcProductLast *last; /* [n] of one set */
} Search;

/* Comes before all times: none. */
static int64
order_of_slot(int64 slot)
{
	return slot == EC_PRODUCT_SLOT_NULL ? EC_PRODUCT_SLOT_FIRST - 1 : slot < 0 ? slot - 1 : slot;
}

/* True if there is but one category and brand of the product, which it gets. */
static bool
is_clear(EcProducts *products, EcProductItem *item)
{
	EcProductLatest *latest = &item->product.latest;
	bool found = latest->known;

	if (latest->varies)
		return false;
	for (uint32 c = 0; c < products->ncovers; c++)
	{
		EcProductSet *set = products->covers[c].set;
		const uint32 *codes;
		const uint32 *brands;

		ec_product_set_texts(set, &products->category, &products->brand, &codes, &brands);
		for (uint32 i = find_product(set, item->key); has_key(set, i, item->key); i++)
		{
			if (found && (latest->category != codes[i] || latest->brand != brands[i]))
				return false;
			latest->category = codes[i];
			latest->brand = brands[i];
			found = true;
		}
	}
	return true;
}

static int
compare_unclear(const void *a, const void *b)
{
	const uint64 *x = ((const Unclear *) a)->item->key;
	const uint64 *y = ((const Unclear *) b)->item->key;

	if (x[0] != y[0])
		return x[0] < y[0] ? -1 : 1;
	return (int64) x[1] < (int64) y[1] ? -1 : (int64) x[1] > (int64) y[1];
}

/* What is left to be found. */
static void
list_unclear(Search *search, EcProductItem *items, int64 n)
{
	search->unclear = allocate(search->products, sizeof(Unclear) * n);
	for (int64 i = 0; i < n; i++)
	{
		EcProductLatest seen = items[i].product.latest;
		Unclear *unclear = &search->unclear[search->n];

		if (!seen.covered || is_clear(search->products, &items[i]))
			continue;
		items[i].product.latest = seen;
		unclear->item = &items[i];
		unclear->last.slot = -1;
		search->n++;
	}
	qsort(search->unclear, search->n, sizeof(Unclear), compare_unclear);
}

/* The last slots in one set, and in all so far. */
static void
search_cells(Search *search, uint32 c)
{
	EcProducts *products = search->products;
	EcProductSet *set = products->covers[c].set;
	uint32 *groups = allocate(products, sizeof(uint32) * set->nproducts);
	uint32 n = 0;

	for (uint32 u = 0; u < search->n; u++)
	{
		const uint64 *key = search->unclear[u].item->key;

		for (uint32 i = find_product(set, key); has_key(set, i, key); i++)
			groups[i] = u + 1;
	}
	ec_product_set_last(set, products->from, products->to, groups, search->n, search->last);
	for (n = 0; n < search->n; n++)
	{
		const EcProductLast *here = &search->last[n];
		Unclear *unclear = &search->unclear[n];
		int64 difference = order_of_slot(here->slot) - order_of_slot(unclear->last.slot);

		if (here->slot < 0)
			continue;
		if (difference == 0)
			unclear->last.tied = true;
		if (difference <= 0)
			continue;
		unclear->last = *here;
		unclear->cover = c;
	}
	pfree(groups);
}

/* Takes what cells and rows say if it is enough; else tells the slot whose rows have to be seen. */
static bool
settle(Search *search, Unclear *unclear, int64 *slot)
{
	EcProducts *products = search->products;
	EcProductLatest *latest = &unclear->item->product.latest;
	int64 cells = order_of_slot(unclear->last.slot);
	int64 rows = order_of_slot(latest->has_time ? ec_product_slot(latest->time)
												: (int64) EC_PRODUCT_SLOT_NULL);
	const uint32 *codes;
	const uint32 *brands;

	if (latest->known && rows > cells)
		return true;
	*slot = unclear->last.slot;
	if (unclear->last.tied || latest->hidden || (latest->known && rows == cells))
		return false;
	ec_product_set_texts(products->covers[unclear->cover].set, &products->category,
						 &products->brand, &codes, &brands);
	latest->category = codes[unclear->last.product];
	latest->brand = brands[unclear->last.product];
	return true;
}

/* The item of a product, if it is among those left. */
static EcProductItem *
find_item(const Search *search, const uint64 *key)
{
	EcProductItem item;
	Unclear wanted = {&item};
	const Unclear *found;

	memcpy(item.key, key, sizeof(item.key));
	found = bsearch(&wanted, search->unclear, search->n, sizeof(Unclear), compare_unclear);
	return found != NULL ? found->item : NULL;
}

static void
search_batch(Search *search, EcRows *rows, EcIntColumn *product, EcIntColumn *time)
{
	EcProducts *products = search->products;
	const uint8 *no_time;
	const int64 *times = ec_rows_times(rows, time, &no_time);
	const uint32 *categories = ec_rows_ids(rows, &products->category);
	const uint32 *brands = ec_rows_ids(rows, &products->brand);
	const uint8 *nulls;
	const int64 *ids = ec_rows_ints(rows, product, &nulls);

	for (uint32 i = 0; i < rows->n; i++)
	{
		uint64 key[EC_PRODUCT_KEY_WORDS] = {nulls != NULL && nulls[i], (uint64) ids[i]};
		EcProductItem *item = find_item(search, key);
		EcProductLatest event = {times[i], categories[i], brands[i], true,
								 no_time == NULL || !no_time[i]};

		if (item != NULL)
			ec_products_take_latest(&item->product.latest, products, &event);
	}
}

/* Rows of a slot, or all (-1): what is left is found there. */
static void
search_rows(Search *search, int64 slot)
{
	EcArgs args = *search->products->args;
	uint32 columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_PRODUCT) |
					 EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_BRAND);
	int64 start = slot > EC_PRODUCT_SLOT_FIRST && slot < EC_PRODUCT_SLOT_LATE
					  ? ec_product_slot_time(slot)
					  : DT_NOEND;
	EcIntColumn product;
	EcIntColumn time;
	EcRows rows;

	if (start != DT_NOEND)
	{
		/* hours that summaries stand for lie within the bounds */
		args.has_since = args.has_until = true;
		args.since = start;
		args.until = start + USECS_PER_HOUR;
	}
	ec_int_column_init(&product, EC_COL_PRODUCT, search->products->context);
	ec_int_column_init(&time, EC_COL_TIME, search->products->context);
	ec_rows_open(&rows, &args, columns, search->products->context);
	while (ec_rows_next(&rows))
		search_batch(search, &rows, &product, &time);
	ec_rows_close(&rows);
}

static int
compare_slots(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* Reads the rows of these slots; n becomes the number of those that are different. */
static void
search_slots(Search *search, int64 *slots, uint32 n)
{
	uint32 different = 0;

	qsort(slots, n, sizeof(int64), compare_slots);
	for (uint32 i = 0; i < n; i++)
	{
		if (different == 0 || slots[i] != slots[different - 1])
			slots[different++] = slots[i];
	}
	if (different > HOURS_MAX)
	{
		search_rows(search, -1);
		return;
	}
	for (uint32 i = 0; i < different; i++)
		search_rows(search, slots[i]);
}

/* Those for which an hour's rows weren't enough: all of them were hidden. */
static bool
is_found(const Unclear *unclear)
{
	const EcProductLatest *latest = &unclear->item->product.latest;

	return latest->known && order_of_slot(latest->has_time ? ec_product_slot(latest->time)
														   : (int64) EC_PRODUCT_SLOT_NULL) >=
								order_of_slot(unclear->last.slot);
}

void
ec_products_find_latest(EcProducts *products, EcProductItem *items, int64 n)
{
	Search search = {products};
	uint32 left = 0;
	int64 *slots;

	if (products->ncovers == 0)
		return;
	list_unclear(&search, items, n);
	search.last = allocate(products, sizeof(EcProductLast) * search.n);
	slots = allocate(products, sizeof(int64) * search.n);
	for (uint32 c = 0; c < products->ncovers && search.n > 0; c++)
		search_cells(&search, c);
	for (uint32 i = 0; i < search.n; i++)
	{
		if (!settle(&search, &search.unclear[i], &slots[left]))
			search.unclear[left++] = search.unclear[i];
	}
	search.n = left;
	search_slots(&search, slots, left);
	left = 0;
	for (uint32 i = 0; i < search.n; i++)
	{
		if (!is_found(&search.unclear[i]))
			search.unclear[left++] = search.unclear[i];
	}
	search.n = left;
	if (left > 0)
		search_rows(&search, -1);
}
