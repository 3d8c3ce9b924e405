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

/* k of more than this share of the products: all columns of all of them are summed at once. */
#define NARROW_SHARE 64

/* ---- sums ---- */

#define BIT(column) EC_PRODUCT_SUM_BIT(EC_PRODUCT_CELL_##column)
#define COUNT_BITS (BIT(ROWS) | BIT(CARTS) | BIT(PURCHASES) | BIT(OTHER))

static void *
allocate(EcProducts *products, Size size)
{
	return MemoryContextAllocExtended(products->context, Max(size, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
sum_columns(EcProducts *products, EcProductCover *cover, uint32 columns)
{
	ec_product_set_sum(cover->set, products->from, products->to, columns, &cover->sums);
	cover->columns |= columns;
}

static const int64 *
own_references(EcProducts *products, EcProductCover *cover)
{
	if (cover->references == NULL)
	{
		cover->references = allocate(products, sizeof(int64) * cover->set->nproducts);
		ec_product_set_own_references(cover->set, cover->references);
	}
	return cover->references;
}

/*
 * Adds or takes away sums, as far as these columns tell; reference is the product's own, and
 * counts only with all columns.
 */
static void
add_sums(EcProducts *products, EcProduct *product, const EcProductSums *sums, uint32 i,
		 uint32 columns, int64 reference, int sign)
{
	int64 values[EC_PRODUCT_CELL_PRICE + 1] = {0};
	int64 *counts = product->counts;
	int64 others;
	int64 npriced;

	for (int column = EC_PRODUCT_CELL_ROWS; column <= EC_PRODUCT_CELL_PRICE; column++)
	{
		if (columns & EC_PRODUCT_SUM_BIT(column))
			values[column] = sign * sums->columns[column][i];
	}
	others = values[EC_PRODUCT_CELL_CARTS] + values[EC_PRODUCT_CELL_PURCHASES] +
			 values[EC_PRODUCT_CELL_OTHER];
	npriced = values[EC_PRODUCT_CELL_ROWS] - values[EC_PRODUCT_CELL_UNPRICED];
	product->products = products;
	product->latest.covered = true;
	counts[0] += values[EC_PRODUCT_CELL_OTHER];
	counts[EC_TYPE_VIEW] += values[EC_PRODUCT_CELL_ROWS] - others;
	counts[EC_TYPE_CART] += values[EC_PRODUCT_CELL_CARTS];
	counts[EC_TYPE_PURCHASE] += values[EC_PRODUCT_CELL_PURCHASES];
	ec_tally_add_int128(product->revenue, values[EC_PRODUCT_CELL_REVENUE]);
	if ((columns & BIT(PRICE)) == 0)
		return;
	product->npriced += npriced;
	ec_tally_add_int128(product->price,
						(int128) reference * npriced + values[EC_PRODUCT_CELL_PRICE]);
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
add_to_tally(EcProducts *products, EcProductCover *cover)
{
	const int64 *references = own_references(products, cover);

	sum_columns(products, cover, EC_PRODUCT_SUMS_ALL);
	for (uint32 i = 0; i < cover->set->nproducts; i++)
	{
		uint64 key[EC_PRODUCT_KEY_WORDS];

		if (cover->sums.columns[EC_PRODUCT_CELL_ROWS][i] == 0)
			continue;
		put_key(cover->set, i, key);
		products->lessens |= cover->sums.columns[EC_PRODUCT_CELL_REVENUE][i] < 0;
		add_sums(products, (EcProduct *) ec_tally_find_one(ec_products_tally(products), key),
				 &cover->sums, i, cover->columns, references[i], 1);
	}
}

static int64
count_positive(const EcProductCover *cover, int column)
{
	int64 n = 0;

	for (uint32 i = 0; i < cover->set->nproducts; i++)
		n += cover->sums.columns[column][i] > 0;
	return n;
}

/*
 * What is needed to order the large set's products.  By revenue or purchases, the first k have
 * more than none of it, so that there is no need to ask whether they have any rows;
 * if there are so many, and what is in the tally makes it no less.
 */
static void
sum_first(EcProducts *products, EcProductCover *cover)
{
	int column = products->order == EC_PRODUCTS_BY_REVENUE ? EC_PRODUCT_CELL_REVENUE
														   : EC_PRODUCT_CELL_PURCHASES;

	if (products->k < 0 || products->k > cover->set->nproducts / NARROW_SHARE)
		sum_columns(products, cover, EC_PRODUCT_SUMS_ALL);
	else if (products->order == EC_PRODUCTS_BY_VIEWS ||
			 products->order == EC_PRODUCTS_BY_CONVERSION)
		sum_columns(products, cover, COUNT_BITS);
	else
	{
		sum_columns(products, cover, EC_PRODUCT_SUM_BIT(column));
		if (products->lessens || count_positive(cover, column) < products->k)
			sum_columns(products, cover, BIT(ROWS));
	}
}

void
ec_products_open_covers(EcProducts *products)
{
	const EcSummarySet *set;
	Relation rel;
	uint32 capacity = 8;

	ec_product_slots(&products->rows.slots, &products->from, &products->to);
	products->covers = allocate(products, sizeof(EcProductCover) * capacity);
	while (ec_rows_next_set(&products->rows, &rel, &set))
	{
		EcProductCover cover = {ec_product_set_open(rel, set, products->context)};
		uint32 n = products->ncovers++;

		(void) ec_product_set_ids(cover.set);
		if (products->ncovers > capacity)
		{
			capacity *= 2;
			products->covers = repalloc_huge(products->covers, sizeof(EcProductCover) * capacity);
		}
		products->covers[n] = cover;
		if (cover.set->nproducts > products->covers[0].set->nproducts)
		{
			products->covers[n] = products->covers[0];
			products->covers[0] = cover;
		}
	}
}

void
ec_products_cover(EcProducts *products)
{
	for (uint32 i = 1; i < products->ncovers; i++)
		add_to_tally(products, &products->covers[i]);
	if (products->ncovers > 0)
		sum_first(products, &products->covers[0]);
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
	return i < set->nproducts && set->ids[i] == (int64) key[1] && is_null(set, i) == (key[0] != 0);
}

/* Only those with rows; where nobody counted them, see sum_first. */
static void
offer(EcProducts *products, const EcProductItem *item)
{
	const EcProduct *product = &item->product;
	const int64 *counts = product->counts;
	int64 n = counts[0] + counts[EC_TYPE_VIEW] + counts[EC_TYPE_CART] + counts[EC_TYPE_PURCHASE];

	if (products->ncovers > 0 && (products->covers[0].columns & BIT(ROWS)) == 0)
		n = products->order == EC_PRODUCTS_BY_REVENUE ? ec_tally_int128(product->revenue) > 0
													  : counts[EC_TYPE_PURCHASE];
	if (n > 0)
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
		EcProductCover *cover = &products->covers[0];

		for (uint32 i = find_product(cover->set, key); has_key(cover->set, i, key); i++)
		{
			int64 reference = cover->columns & BIT(PRICE) ? own_references(products, cover)[i] : 0;

			add_sums(products, &item.product, &cover->sums, i, cover->columns, reference, 1);
			ec_products_edges_move(products, i, &item.product);
			for (int column = EC_PRODUCT_CELL_ROWS; column <= EC_PRODUCT_CELL_PRICE; column++)
			{
				if (cover->columns & EC_PRODUCT_SUM_BIT(column))
					cover->sums.columns[column][i] = 0;
			}
		}
	}
	offer(products, &item);
}

/* Can't product i be among the first k?  worst is the last of these so far. */
static bool
is_hopeless(const EcProducts *products, const EcProductCover *cover, uint32 i,
			const EcProduct *worst)
{
	int64 *const *columns = cover->sums.columns;

	switch (products->order)
	{
		case EC_PRODUCTS_BY_REVENUE:
			return worst->revenue[EC_REVENUE_WORDS - 1] == 0 &&
				   columns[EC_PRODUCT_CELL_REVENUE][i] < ec_tally_int128(worst->revenue);
		case EC_PRODUCTS_BY_PURCHASES:
			return columns[EC_PRODUCT_CELL_PURCHASES][i] < worst->counts[EC_TYPE_PURCHASE];
		case EC_PRODUCTS_BY_VIEWS:
			return columns[EC_PRODUCT_CELL_ROWS][i] < worst->counts[EC_TYPE_VIEW];
		case EC_PRODUCTS_BY_CONVERSION:
			return columns[EC_PRODUCT_CELL_PURCHASES][i] == 0 &&
				   worst->counts[EC_TYPE_PURCHASE] > 0 && worst->counts[EC_TYPE_VIEW] > 0;
	}
	return false;
}

/* Products of the large set. */
static void
offer_covered(EcProducts *products, EcProductCover *cover)
{
	const EcProductSet *set = cover->set;
	const int64 *references = cover->columns & BIT(PRICE) ? own_references(products, cover) : NULL;
	uint32 next;

	for (uint32 i = 0; i < set->nproducts; i = next)
	{
		const EcProductItem *worst = ec_topk_worst(&products->top);
		EcProductItem item;

		put_key(set, i, item.key);
		next = i + 1;
		if (worst != NULL && !has_key(set, next, item.key) &&
			!ec_products_edges_matter(products, i) &&
			is_hopeless(products, cover, i, &worst->product))
			continue;
		memset(&item.product, 0, sizeof(item.product));
		for (next = i; has_key(set, next, item.key); next++)
		{
			add_sums(products, &item.product, &cover->sums, next, cover->columns,
					 references != NULL ? references[next] : 0, 1);
			ec_products_edges_move(products, next, &item.product);
		}
		offer(products, &item);
	}
}

void
ec_products_offer(EcProducts *products)
{
	if (products->tally != NULL)
		ec_tally_visit(products->tally, visit_product, products);
	if (products->ncovers > 0)
		offer_covered(products, &products->covers[0]);
}

/* ---- the other columns of the first k ---- */

typedef struct Wanted
{
	uint32 product;
	EcProductItem *item;
} Wanted;

static int
compare_wanted(const void *a, const void *b)
{
	uint32 x = ((const Wanted *) a)->product;
	uint32 y = ((const Wanted *) b)->product;

	return x < y ? -1 : x > y;
}

/* Products of the large set that are items'. */
static Wanted *
list_wanted(EcProducts *products, const EcProductSet *set, EcProductItem *items, int64 n,
			uint32 *nwanted)
{
	uint32 capacity = (uint32) n + 16;
	Wanted *wanted = allocate(products, sizeof(Wanted) * capacity);

	*nwanted = 0;
	for (int64 item = 0; item < n; item++)
	{
		const uint64 *key = items[item].key;

		for (uint32 i = find_product(set, key); has_key(set, i, key); i++)
		{
			if (*nwanted == capacity)
			{
				capacity *= 2;
				wanted = repalloc_huge(wanted, sizeof(Wanted) * capacity);
			}
			wanted[*nwanted].product = i;
			wanted[(*nwanted)++].item = &items[item];
		}
	}
	qsort(wanted, *nwanted, sizeof(Wanted), compare_wanted);
	return wanted;
}

void
ec_products_complete(EcProducts *products, EcProductItem *items, int64 n)
{
	EcProductCover *cover = &products->covers[0];
	EcProductSums sums;
	Wanted *wanted;
	uint32 nwanted;
	uint32 *numbers;
	int64 *references;

	if (products->ncovers == 0 || cover->columns == EC_PRODUCT_SUMS_ALL)
		return;
	wanted = list_wanted(products, cover->set, items, n, &nwanted);
	numbers = allocate(products, sizeof(uint32) * nwanted);
	for (uint32 w = 0; w < nwanted; w++)
		numbers[w] = wanted[w].product;
	ec_product_set_sum_of(cover->set, products->from, products->to, EC_PRODUCT_SUMS_ALL, numbers,
						  nwanted, &sums);
	references = allocate(products, sizeof(int64) * nwanted);
	ec_product_set_own_references_of(cover->set, numbers, nwanted, references);
	for (uint32 w = 0; w < nwanted; w++)
	{
		EcProduct *product = &wanted[w].item->product;

		add_sums(products, product, &sums, w, cover->columns, 0, -1);
		add_sums(products, product, &sums, w, EC_PRODUCT_SUMS_ALL, references[w], 1);
	}
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

		for (uint32 i = find_product(set, item->key); has_key(set, i, item->key); i++)
		{
			uint32 code;
			uint32 brand;

			ec_product_set_texts_of(set, i, &products->category, &products->brand, &code, &brand);
			if (found && (latest->category != code || latest->brand != brand))
				return false;
			latest->category = code;
			latest->brand = brand;
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
		search->unclear[i].item = &items[i];
		search->unclear[i].last.slot = -1;
	}
	qsort(search->unclear, n, sizeof(Unclear), compare_unclear);
	for (int64 i = 0; i < n; i++)
	{
		Unclear unclear = search->unclear[i];
		EcProductLatest seen = unclear.item->product.latest;

		if (!seen.covered || is_clear(search->products, unclear.item))
			continue;
		unclear.item->product.latest = seen;
		search->unclear[search->n++] = unclear;
	}
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

	if (latest->known && rows > cells)
		return true;
	*slot = unclear->last.slot;
	if (unclear->last.tied || latest->hidden || (latest->known && rows == cells))
		return false;
	ec_product_set_texts_of(products->covers[unclear->cover].set, unclear->last.product,
							&products->category, &products->brand, &latest->category,
							&latest->brand);
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

/* Rows of these: what is left is found there. */
static void
search_selected(Search *search, const EcArgs *args)
{
	uint32 columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_PRODUCT) |
					 EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_BRAND);
	EcIntColumn product;
	EcIntColumn time;
	EcRows rows;

	ec_int_column_init(&product, EC_COL_PRODUCT, search->products->context);
	ec_int_column_init(&time, EC_COL_TIME, search->products->context);
	ec_rows_open(&rows, args, columns, search->products->context);
	while (ec_rows_next(&rows))
		search_batch(search, &rows, &product, &time);
	ec_rows_close(&rows);
}

/* Rows of a slot, or all (-1). */
static void
search_rows(Search *search, int64 slot)
{
	EcArgs args = *search->products->args;

	if (slot > EC_PRODUCT_SLOT_FIRST && slot < EC_PRODUCT_SLOT_LATE)
	{
		/* hours that summaries stand for lie within the bounds */
		args.has_since = args.has_until = true;
		args.since = ec_product_slot_time(slot);
		args.until = args.since + USECS_PER_HOUR;
	}
	search_selected(search, &args);
}

/* The rows before and after what summaries stand for: products_edges.c didn't look at their texts. */
static void
search_edges(Search *search)
{
	const EcProducts *products = search->products;
	const EcSlots *slots = &products->rows.slots;
	EcArgs args = *products->args;

	args.has_since = args.has_until = true;
	args.until = slots->min;
	if (products->args->has_since && args.since < args.until)
		search_selected(search, &args);
	args.since = slots->max == PG_INT64_MAX ? PG_INT64_MAX : slots->max + 1;
	args.until = products->args->until;
	if (products->args->has_until && args.since < args.until)
		search_selected(search, &args);
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
	if (products->edges != NULL && search.n > 0)
		search_edges(&search);
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
