/*
 * products.h
 *	  What product_performance knows of products: from rows (products.c), from summaries
 *	  (products_cover.c) and from rows that these cover (products_edges.c).
 */
#ifndef EC_PRODUCTS_H
#define EC_PRODUCTS_H

#include "postgres.h"

#include "insight/args.h"
#include "insight/product_set.h"
#include "insight/revenue.h"
#include "insight/rows.h"
#include "insight/tally.h"
#include "insight/topk.h"

typedef enum EcProductOrder
{
	EC_PRODUCTS_BY_REVENUE,
	EC_PRODUCTS_BY_PURCHASES,
	EC_PRODUCTS_BY_VIEWS,
	EC_PRODUCTS_BY_CONVERSION
} EcProductOrder;

/* A set of summaries in use. */
typedef struct EcProductCover
{
	EcProductSet *set;
	EcProductSums sums; /* of the range */
	uint32 columns;		/* bits of those summed */
	int64 *references;	/* [nproducts] the products' own, if needed */
} EcProductCover;

/* Rows of ragged edges (products_edges.c). */
typedef struct EcProductEdges EcProductEdges;

typedef struct EcProducts
{
	MemoryContext context;
	const EcArgs *args;
	EcProductOrder order;
	int64 k;
	EcTextColumn category;
	EcTextColumn brand;
	EcRows rows;		/* open to the end: summaries are its */
	EcTally *tally;		/* NULL: nothing in it */
	uint64 *null_words; /* [EC_BLOCK_ROWS] first words of keys: 1 if the product is NULL */
	EcTopK top;
	int32 scale;
	bool lessens; /* something in the tally may make a measure less */

	/* of products_cover.c */
	int64 from; /* slots that summaries stand for */
	int64 to;
	uint32 ncovers;
	EcProductCover *covers; /* the first has most products */
	EcProductEdges *edges;	/* NULL: none */
} EcProducts;

/* A product's latest event so far. */
typedef struct EcProductLatest
{
	TimestampTz time; /* 0 without one */
	uint32 category;
	uint32 brand;
	bool known; /* there was an event */
	bool has_time;
	bool varies;  /* not all rows have these texts */
	bool hidden;  /* rows were taken away */
	bool covered; /* summaries know of others */
} EcProductLatest;

/* A tally's state: all zeros for a new product. */
typedef struct EcProduct
{
	EcProducts *products; /* for combine */
	int64 counts[EC_TYPE_CLASSES];
	uint64 revenue[EC_REVENUE_WORDS]; /* prices of purchases */
	uint64 price[EC_REVENUE_WORDS];	  /* the same of all rows with a price */
	int64 npriced;
	EcProductLatest latest;
} EcProduct;

#define EC_PRODUCT_KEY_WORDS 2 /* is it NULL, product_id */
#define EC_PRODUCT_STATE_WORDS (sizeof(EcProduct) / sizeof(uint64))

typedef struct EcProductItem
{
	uint64 key[EC_PRODUCT_KEY_WORDS];
	EcProduct product;
} EcProductItem;

StaticAssertDecl(sizeof(EcProduct) % sizeof(uint64) == 0 &&
					 EC_PRODUCT_STATE_WORDS <= EC_TALLY_STATE_MAX,
				 "a product must be a state of a tally");

/* The measure's order: negative if a has more; NULL last. */
extern int ec_products_compare(const EcProducts *products, const EcProduct *a, const EcProduct *b);

/* Makes event, which is of other texts, the latest if it is. */
extern void ec_products_take_other(EcProductLatest *latest, const EcProducts *products,
								   const EcProductLatest *event);

/* The same for any event. */
static inline void
ec_products_take_latest(EcProductLatest *latest, const EcProducts *products,
						const EcProductLatest *event)
{
	if (!latest->known || latest->category != event->category || latest->brand != event->brand)
	{
		ec_products_take_other(latest, products, event);
		return;
	}
	if (event->has_time && (!latest->has_time || latest->time < event->time))
	{
		latest->time = event->time;
		latest->has_time = true;
	}
}

extern EcTally *ec_products_tally(EcProducts *products);

/* Opens the sets that the rows have. */
extern void ec_products_open_covers(EcProducts *products);

/*
 * Takes those of the current batch's rows that it can; false: all of them, else the others are
 * left in the batch.
 */
extern bool ec_products_edges_take(EcProducts *products, EcIntColumn *product);

/*
 * What was taken of the first set's product i: could it make the product come before others?  Adds it to a
 * product, once.
 */
extern bool ec_products_edges_matter(const EcProducts *products, uint32 i);
extern void ec_products_edges_move(EcProducts *products, uint32 i, EcProduct *product);

/*
 * Sums of the sets opened: the largest one's stay in the first of covers, as far as they
 * are needed for the order, the others' go to the tally.
 */
extern void ec_products_cover(EcProducts *products);

/* Offers all products to products->top. */
extern void ec_products_offer(EcProducts *products);

/* The columns of the first k that weren't needed for the order. */
extern void ec_products_complete(EcProducts *products, EcProductItem *items, int64 n);

/* Of items that summaries know of: category and brand of the latest event. */
extern void ec_products_find_latest(EcProducts *products, EcProductItem *items, int64 n);

extern void ec_products_uncover(EcProducts *products);

#endif /* EC_PRODUCTS_H */
