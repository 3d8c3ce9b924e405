/*-------------------------------------------------------------------------
 *
 * ecgen_catalog.c
 *	  Categories and products of the shop, drawn once at the start.
 *
 * The tree of categories is the shop's and the same for every seed.  The
 * products are drawn by the seed.  A product keeps its category and brand for
 * ever, so its part of a row is rendered here; its price walks around its
 * first one.  Within a category popularity falls by Zipf's law.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ecgen.h"

#define FIRST_ID INT64_C(2053013552259662037)
#define ID_STEP INT64_C(33554434)
#define LATER_ID INT64_C(2084962304016777941)
#define MAX_BRANDS 64
#define MAX_BRAND_LEN 20

typedef struct Brand
{
	char name[MAX_BRAND_LEN + 1];
	double share;
	double got; /* popularity handed out so far */
} Brand;

/* Brands of one category; the first two are "none" and "a small one". */
typedef struct BrandList
{
	Brand brands[MAX_BRANDS];
	int n;
	uint32_t small; /* how many small brands there are */
	uint64_t salt;	/* which ones */
} BrandList;

static bool
id_is_known(int64_t id)
{
	for (uint32_t i = 0; i < ec_shop_nids; i++)
		if (ec_shop_ids[i].id == id)
			return true;
	return false;
}

/* Most ids come from the day the tree was made, a few were added later. */
static int64_t
next_id(void)
{
	static int64_t made = 0;
	int64_t id;

	do
	{
		if (made % 5 == 4)
			id = LATER_ID + made * INT64_C(77309411333119);
		else
			id = FIRST_ID + made * ID_STEP;
		made++;
	} while (id_is_known(id));
	return id;
}

static uint32_t
group_of(const char *code)
{
	static char names[EC_MAX_GROUPS][24];
	static uint32_t n = 0;
	size_t len = strcspn(code, ".");
	uint32_t i;

	for (i = 0; i < n; i++)
		if (strncmp(names[i], code, len) == 0 && names[i][len] == '\0')
			return i;
	if (n == EC_MAX_GROUPS)
		return 0;
	memcpy(names[n], code, len < 23 ? len : 23);
	return n++;
}

static void
add_category(EcCatalog *catalog, int64_t id, const EcShopCode *shop, double weight)
{
	EcCategory *c = &catalog->categories[catalog->ncategories++];

	c->id = id;
	c->shop = shop;
	c->weight = weight;
	if (shop != NULL)
	{
		c->group = group_of(shop->code);
		if (c->group >= catalog->ngroups)
			catalog->ngroups = c->group + 1;
		c->desire = strcmp(shop->code, "electronics.smartphone") == 0 ? 1700
					: strncmp(shop->code, "electronics.", 12) == 0	  ? 1200
																	  : 600;
		c->lowest = shop->lowest;
		c->highest = shop->highest;
	}
	else
	{
		c->group = (uint32_t) (ec_hash64((uint64_t) id) % catalog->ngroups);
		c->desire = 500;
		c->lowest = 77;
		c->highest = EC_SHOP_PRICE_CAP - 3;
	}
}

/* Ids known by their share first; the rest of the code's share to the others. */
static void
add_code(EcCatalog *catalog, const EcShopCode *shop, const char *code, double weight, uint32_t ids,
		 double fall)
{
	double rest = weight;
	double part = 1.0;
	double sum = 0.0;
	uint32_t known = 0;

	for (uint32_t i = 0; i < ec_shop_nids; i++)
	{
		if (strcmp(ec_shop_ids[i].code, code) != 0)
			continue;
		add_category(catalog, ec_shop_ids[i].id, shop, ec_shop_ids[i].weight);
		rest -= ec_shop_ids[i].weight;
		known++;
	}
	if (known >= ids)
		return;
	if (rest < weight * 0.01)
		rest = weight * 0.01;
	for (uint32_t i = known; i < ids; i++, part *= fall)
		sum += part;
	part = 1.0;
	for (uint32_t i = known; i < ids; i++, part *= fall)
		add_category(catalog, next_id(), shop, rest * part / sum);
}

static void
build_categories(EcCatalog *catalog)
{
	uint32_t total = EC_SHOP_BLANK_IDS;
	double coded = 0.0;
	double *weights;

	for (uint32_t i = 0; i < ec_shop_ncodes; i++)
		total += ec_shop_codes[i].ids + ec_shop_nids;
	catalog->categories = ec_alloc(total * sizeof(EcCategory));
	for (uint32_t i = 0; i < ec_shop_ncodes; i++)
		add_code(catalog, &ec_shop_codes[i], ec_shop_codes[i].code, ec_shop_codes[i].weight,
				 ec_shop_codes[i].ids, 0.45);
	for (uint32_t i = 0; i < catalog->ncategories; i++)
		coded += catalog->categories[i].weight;
	add_code(catalog, NULL, "", coded * EC_SHOP_BLANK_PERMILLE / (1000 - EC_SHOP_BLANK_PERMILLE),
			 EC_SHOP_BLANK_IDS, 0.985);

	weights = ec_alloc(catalog->ncategories * sizeof(double));
	for (uint32_t i = 0; i < catalog->ncategories; i++)
		weights[i] = catalog->categories[i].weight;
	catalog->by_share = ec_alloc(catalog->ncategories * sizeof(EcAliasSlot));
	ec_alias_build(catalog->by_share, weights, catalog->ncategories);
	free(weights);
}

static void
build_groups(EcCatalog *catalog)
{
	double *weights = ec_alloc(catalog->ncategories * sizeof(double));

	for (uint32_t g = 0; g < catalog->ngroups; g++)
	{
		uint32_t n = 0;

		catalog->group_members[g] = ec_alloc(catalog->ncategories * sizeof(uint32_t));
		for (uint32_t i = 0; i < catalog->ncategories; i++)
		{
			if (catalog->categories[i].group != g)
				continue;
			weights[n] = catalog->categories[i].weight;
			catalog->group_members[g][n++] = i;
		}
		catalog->group_size[g] = n;
		catalog->group_share[g] = ec_alloc(n * sizeof(EcAliasSlot));
		ec_alias_build(catalog->group_share[g], weights, n);
	}
	free(weights);
}

/* Big categories have more products, though less than in proportion. */
static void
share_out_products(EcCatalog *catalog, uint32_t nproducts)
{
	double sum = 0.0;
	uint32_t first = 0;

	for (uint32_t i = 0; i < catalog->ncategories; i++)
		sum += ec_exp(0.65 * ec_log(catalog->categories[i].weight));
	for (uint32_t i = 0; i < catalog->ncategories; i++)
	{
		EcCategory *c = &catalog->categories[i];

		c->n = 1 + (uint32_t) (ec_exp(0.65 * ec_log(c->weight)) / sum * nproducts);
		c->first = first;
		first += c->n;
	}
	catalog->nproducts = first;
}

static void
add_brand(BrandList *list, const char *name, size_t len, double share)
{
	Brand *b = &list->brands[list->n++];

	if (len > MAX_BRAND_LEN)
		len = MAX_BRAND_LEN;
	memset(b, 0, sizeof(*b));
	memcpy(b->name, name, len);
	b->share = share;
}

static void
read_brands(BrandList *list, const EcCategory *c)
{
	const char *s = c->shop ? c->shop->brands : ec_shop_blank_brands;
	double none = (c->shop ? c->shop->brandless : EC_SHOP_BLANK_BRANDLESS) / 1000.0;
	double named = 0.0;

	list->n = 0;
	list->small = 3 + c->n / 12;
	list->salt = (uint64_t) c->id;
	add_brand(list, "", 0, none);
	add_brand(list, "", 0, 0.0);
	while (*s != '\0' && list->n < MAX_BRANDS)
	{
		size_t len = strcspn(s, ":");
		double share = atoi(s + len + 1) / 1000.0;

		add_brand(list, s, len, share);
		named += share;
		s += strcspn(s, " ");
		s += strspn(s, " ");
	}
	if (none + named < 1.0)
		list->brands[1].share = 1.0 - none - named;
}

/* Two to four syllables; some names have a hyphen or a dot. */
static int
small_brand(char *to, uint64_t h)
{
	static const char *const syllables[] = {
		"al", "be",	 "bra", "co",  "da", "del", "do", "el", "fa",  "fi",  "ga", "gro",
		"ha", "in",	 "ka",	"ko",  "la", "li",	"lo", "ma", "mi",  "mo",  "na", "ne",
		"no", "or",	 "pa",	"pro", "ra", "ro",	"sa", "so", "sta", "ta",  "te", "ti",
		"to", "tra", "va",	"ve",  "vi", "wa",	"we", "xi", "za",  "zen", "zo", "max"};
	int n = 2 + (int) (h & 1) + (int) ((h >> 1) % 5 == 0);
	char *p = to;

	h = ec_hash64(h);
	for (int i = 0; i < n; i++)
	{
		const char *s = syllables[h % 48];

		h /= 48;
		if (i == n - 1 && h % 29 == 0)
			*p++ = (h % 2) ? '-' : '.';
		p = stpcpy(p, s);
	}
	return (int) (p - to);
}

/* The brand that is furthest behind its share gets the next product. */
static const char *
pick_brand(BrandList *list, double popularity, double so_far, uint64_t r, char *space)
{
	Brand *best = &list->brands[0];
	double most = -1e300;

	for (int i = 0; i < list->n; i++)
	{
		Brand *b = &list->brands[i];
		double behind = b->share * (so_far + popularity) - b->got;

		if (b->share > 0.0 && behind > most)
		{
			most = behind;
			best = b;
		}
	}
	best->got += popularity;
	if (best != &list->brands[1])
		return best->name;
	/* Names of small brands are shared by all categories: a pool of 4,000. */
	r = ec_hash64(list->salt + r % list->small) % 4000;
	space[small_brand(space, r)] = '\0';
	return space;
}

static int
format_uint(char *to, uint64_t v)
{
	char digits[20];
	int n = 0;

	do
	{
		digits[n++] = (char) ('0' + v % 10);
		v /= 10;
	} while (v > 0);
	for (int i = 0; i < n; i++)
		to[i] = digits[n - 1 - i];
	return n;
}

int
ec_format_cents(char *to, uint32_t cents)
{
	int n = format_uint(to, cents / 100);

	to[n++] = '.';
	to[n++] = (char) ('0' + cents / 10 % 10);
	to[n++] = (char) ('0' + cents % 10);
	return n;
}

static void
set_price(EcProduct *p, uint32_t cents)
{
	p->cents = cents;
	p->price_len = (uint8_t) ec_format_cents(p->price, cents);
	p->price[p->price_len++] = ',';
}

/* First prices: spread log-normally, then moved until the events' average is the shop's. */
static void
draw_prices(EcProduct *products, const double *weights, const EcCategory *c, double average,
			EcRng *rng)
{
	double *price = ec_alloc(c->n * sizeof(double));
	double sum = 0.0;

	for (uint32_t i = 0; i < c->n; i++)
	{
		price[i] = average * ec_exp(0.7 * ec_normal(rng));
		sum += weights[i];
	}
	for (int round = 0; round < 8; round++)
	{
		double paid = 0.0;

		for (uint32_t i = 0; i < c->n; i++)
			paid += price[i] * weights[i];
		for (uint32_t i = 0; i < c->n; i++)
		{
			price[i] *= average * sum / paid;
			if (price[i] < c->lowest)
				price[i] = c->lowest;
			if (price[i] > c->highest)
				price[i] = c->highest;
		}
	}
	for (uint32_t i = 0; i < c->n; i++)
		products[i].base = (uint32_t) (price[i] + 0.5);
	free(price);
}

static char *
render_product(EcProduct *p, char *to, uint64_t product_id, const EcCategory *c, const char *brand)
{
	char *start = to;

	to += format_uint(to, product_id);
	*to++ = ',';
	to += format_uint(to, (uint64_t) c->id);
	*to++ = ',';
	to = stpcpy(to, c->shop ? c->shop->code : "");
	*to++ = ',';
	to = stpcpy(to, brand);
	*to++ = ',';
	p->text_len = (uint16_t) (to - start);
	if (p->text_len > EC_TEXT_MAX)
		ec_fail("internal error: product text of %d bytes", (int) p->text_len);
	return to;
}

/* Category i of a shuffled tree has the product ids of block i. */
static void
build_products_of(EcCatalog *catalog, uint32_t category, uint64_t block, char **text, EcRng *rng)
{
	EcCategory *c = &catalog->categories[category];
	EcProduct *products = catalog->products + c->first;
	double *weights = ec_alloc(c->n * sizeof(double));
	double average = c->shop ? (double) c->shop->average : 11500.0 * ec_exp(0.8 * ec_normal(rng));
	uint64_t first = (10 + (uint64_t) category * 337 % catalog->ncategories) * block;
	double so_far = 0.0;
	BrandList list;

	for (uint32_t i = 0; i < c->n; i++)
		weights[i] = 1.0 / (i + 2.5);
	ec_alias_build(catalog->popularity + c->first, weights, c->n);
	draw_prices(products, weights, c, average, rng);
	read_brands(&list, c);
	for (uint32_t i = 0; i < c->n; i++)
	{
		EcProduct *p = &products[i];
		uint64_t r = ec_rng_next(rng);
		char space[40];
		const char *brand = pick_brand(&list, weights[i], so_far, r, space);

		so_far += weights[i];
		p->category = category;
		p->text = (uint32_t) (*text - catalog->text);
		*text = render_product(p, *text, first + (uint64_t) i * (block / c->n) + r % (block / c->n),
							   c, brand);
		p->worthless = c->shop == NULL && *brand == '\0' && i > 2 && r % 1000 < 30;
		set_price(p, p->worthless ? 0 : p->base);
		p->changes_every = 86400 * 2 + (uint32_t) (r >> 44);
		p->changes_at = (uint32_t) (r >> 20) % p->changes_every;
	}
	free(weights);
}

void
ec_catalog_build(EcCatalog *catalog, uint64_t seed, uint32_t nproducts)
{
	uint64_t block = 100000;
	char *text;
	EcRng rng;

	memset(catalog, 0, sizeof(*catalog));
	ec_rng_seed(&rng, seed, 1);
	build_categories(catalog);
	build_groups(catalog);
	share_out_products(catalog, nproducts);
	for (uint32_t i = 0; i < catalog->ncategories; i++)
		if (catalog->categories[i].n * 2 > block)
			block = (uint64_t) catalog->categories[i].n * 2;
	catalog->products = ec_alloc(catalog->nproducts * sizeof(EcProduct));
	catalog->popularity = ec_alloc(catalog->nproducts * sizeof(EcAliasSlot));
	/* text offsets are 32 bits: 20 M products of 96 bytes fit */
	catalog->text = ec_alloc(((size_t) catalog->nproducts + 1) * EC_TEXT_MAX);
	text = catalog->text;
	for (uint32_t i = 0; i < catalog->ncategories; i++)
		build_products_of(catalog, i, block, &text, &rng);
}

void
ec_catalog_free(EcCatalog *catalog)
{
	for (uint32_t g = 0; g < catalog->ngroups; g++)
	{
		free(catalog->group_members[g]);
		free(catalog->group_share[g]);
	}
	free(catalog->categories);
	free(catalog->by_share);
	free(catalog->products);
	free(catalog->popularity);
	free(catalog->text);
}

/* Catch up with the price changes until this second; in rare ones the price is missing. */
void
ec_product_reprice(EcCatalog *catalog, uint32_t product, uint32_t second)
{
	EcProduct *p = &catalog->products[product];
	const EcCategory *c = &catalog->categories[p->category];
	int64_t cents = p->cents;

	while (p->changes_at <= second)
	{
		uint64_t h = ec_hash64(((uint64_t) product << 32) ^ p->changes_at);

		if (cents == 0)
			cents = p->base;
		cents += ((int64_t) p->base - cents) / 6;
		cents = cents * (970 + (int64_t) (h % 61)) / 1000;
		if (cents < c->lowest)
			cents = c->lowest;
		if (cents > c->highest)
			cents = c->highest;
		if (h >> 32 < UINT32_MAX / 5000)
			cents = 0;
		p->changes_at += p->changes_every;
	}
	set_price(p, p->worthless ? 0 : (uint32_t) cents);
}

/* The first category with this code ("" = without one), or -1. */
int64_t
ec_catalog_category_of_code(const EcCatalog *catalog, const char *code)
{
	for (uint32_t i = 0; i < catalog->ncategories; i++)
	{
		const EcShopCode *shop = catalog->categories[i].shop;

		if (strcmp(shop ? shop->code : "", code) == 0)
			return i;
	}
	return -1;
}
