/*
 * product_set.h
 *	  A set's summaries by product: sums of any range of hours.
 *
 * The cells of hours are in order of time, so a range of hours is a range of cells, and
 * there are totals of all cells before some places (projection.h).  The sum of the first n
 * cells is the total of the nearest place, and the cells between that and n
 * added or taken away; the sum of a range is the difference of two such.  So a range costs
 * two totals and at most as many cells as one interval has; where only purchases and revenue are
 * asked for, only the few of these that have some (product_sales.c).
 *
 * Products are meant by their index, 0 .. nproducts - 1, in order of product_id, NULL
 * last; a product with several categories or brands has several, one behind the other.
 */
#ifndef EC_PRODUCT_SET_H
#define EC_PRODUCT_SET_H

#include "postgres.h"

#include "insight/build.h"
#include "store/summary.h"

/* What these functions read. */
#define EC_PRODUCT_PROJECTIONS                                                                     \
	(EC_PROJECTION_BIT(EC_PROJECTION_PRODUCT_HOUR) |                                               \
	 EC_PROJECTION_BIT(EC_PROJECTION_PRODUCT_TOTAL) | EC_PROJECTION_BIT(EC_PROJECTION_PRODUCT) |   \
	 EC_PROJECTION_BIT(EC_PROJECTION_PRODUCT_SALE))

/* Hours as numbers in order; -infinity, infinity and no time are slots, too. */
#define EC_PRODUCT_SLOT_FIRST 0 /* -infinity */
#define EC_PRODUCT_SLOT_LATE 0xFFFFFFFE
#define EC_PRODUCT_SLOT_NULL 0xFFFFFFFF
#define EC_PRODUCT_SLOT_END (INT64CONST(0xFFFFFFFF) + 1)

/* time is a timestamptz. */
extern int64 ec_product_slot(int64 time);

/* The slots that summaries stand for: from <= slot < to. */
extern void ec_product_slots(const EcSlots *slots, int64 *from, int64 *to);

/* The start of a slot that is an hour, or an infinity. */
extern int64 ec_product_slot_time(int64 slot);

/* The day (UTC) of a slot that is an hour, as a number; and a day's first slot. */
extern int64 ec_product_slot_day(int64 slot);
extern int64 ec_product_day_slot(int64 day);

/*
 * Sums by column, EC_PRODUCT_CELL_ROWS .. _PRICE, and product; NULL where nobody asked for it.
 * Prices are at the column's scale; EC_PRODUCT_CELL_PRICE is less the product's reference for
 * each row that has a price.
 */
typedef struct EcProductSums
{
	int64 *columns[EC_PRODUCT_CELL_PRICE + 1];
} EcProductSums;

#define EC_PRODUCT_SUM_BIT(column) (1U << (column))
#define EC_PRODUCT_SUMS_ALL                                                                        \
	((2U << EC_PRODUCT_CELL_PRICE) - EC_PRODUCT_SUM_BIT(EC_PRODUCT_CELL_ROWS))

/* The cells from a place where there are totals to the next one. */
typedef struct EcProductInterval
{
	int64 slot;	 /* of the first cell */
	uint32 part; /* its part */
} EcProductInterval;

typedef struct EcProductSet
{
	const EcSummarySet *set;
	MemoryContext context;
	uint32 nproducts;
	Relation rel;
	EcReader *products; /* readers of the projections */
	EcReader *cells;
	EcReader *totals;
	EcReader *sales;	 /* NULL: not asked for yet */
	uint32 nparts;		 /* of cells */
	int64 *starts;		 /* [nparts + 1] number of each one's first cell */
	uint32 ntotal_parts; /* of one total */
	uint32 nintervals;
	EcProductInterval *intervals; /* [nintervals + 1] */
	uint32 reference_interval;	  /* whose references these are: */
	int64 *references;			  /* [nproducts] */
	int64 *buffers[3];			  /* [EC_BLOCK_ROWS] */
	uint32 *matches[2];			  /* likewise */
	int64 *ids;					  /* [nproducts], see ec_product_set_ids */
	uint32 nnull;				  /* the last of them that are NULL */
	uint32 *codes;				  /* [nproducts], see ec_product_set_texts */
	uint32 *brands;				  /* likewise */
	int text_part; /* of products, which their reader stands in; -1: somewhere else */
} EcProductSet;

extern EcProductSet *
ec_product_set_open(Relation rel, const EcSummarySet *set, MemoryContext parent);
extern void ec_product_set_close(EcProductSet *set);

/* product_ids; those of the last nnull products are NULL. */
extern const int64 *ec_product_set_ids(EcProductSet *set);

/* The products' own references. */
extern void ec_product_set_own_references(EcProductSet *set, int64 *references);

/* The same of the nwanted products that wanted names, ascending. */
extern void ec_product_set_own_references_of(EcProductSet *set, const uint32 *wanted,
											 uint32 nwanted, int64 *references);

/* Of an interval, less the products' own; valid until the next call. */
extern const int64 *ec_product_set_references(EcProductSet *set, uint32 interval);

/* The interval of a part of cells. */
extern uint32 ec_product_set_interval(const EcProductSet *set, uint32 part);

/* Ids of category_code and brand of one product: products in order of their indexes are read fastest. */
extern void ec_product_set_texts_of(EcProductSet *set, uint32 product, EcTextColumn *code,
									EcTextColumn *brand, uint32 *code_id, uint32 *brand_id);

/* Of all products; the same columns every time. */
extern void ec_product_set_texts(EcProductSet *set, EcTextColumn *code, EcTextColumn *brand,
								 const uint32 **codes, const uint32 **brands);

/*
 * Makes the sums of some columns (bits) over the slots from <= slot < to, in the set's memory.
 * [nproducts], or of the nwanted products that wanted names, ascending.
 */
extern void
ec_product_set_sum(EcProductSet *set, int64 from, int64 to, uint32 columns, EcProductSums *sums);
extern void ec_product_set_sum_of(EcProductSet *set, int64 from, int64 to, uint32 columns,
								  const uint32 *wanted, uint32 nwanted, EcProductSums *sums);

/*
 * product_sales.c: adds (or takes away) purchases and revenue of the cells of from <= slot < to; at most how many
 * cells these are.
 */
extern void ec_product_sales_add(EcProductSet *set, int64 from, int64 to, uint32 columns,
								 const EcProductSums *sums, int sign);
extern int64 ec_product_sales_count(EcProductSet *set, int64 from, int64 to);

#define EC_PRODUCT_SUMS_SALES                                                                      \
	(EC_PRODUCT_SUM_BIT(EC_PRODUCT_CELL_PURCHASES) | EC_PRODUCT_SUM_BIT(EC_PRODUCT_CELL_REVENUE))

/* How many cells come before a slot. */
extern int64 ec_product_set_cell(EcProductSet *set, int64 slot);

/* The first cell of a block of slots in order that isn't before this one. */
extern uint32 ec_product_set_first(const EcVector *slots, int64 slot);

/* A block's integers, which have no NULLs, in place or in a buffer; NULL if all are zero. */
extern const int64 *ec_product_set_ints(EcReader *reader, int column, uint32 block, int64 *buffer);

/* The last slot that is an hour and has a cell; -1 if there is none. */
extern int64 ec_product_set_last_hour(EcProductSet *set);

/* product_last.c: the last slot in which one of a group of products has a cell; without time comes before all others. */
typedef struct EcProductLast
{
	int64 slot;		/* -1: none */
	uint32 product; /* one of them */
	bool tied;		/* there are others */
} EcProductLast;

/* Of groups 1 .. n in a range of slots; product i is in groups[i], 0: in none. */
extern void ec_product_set_last(EcProductSet *set, int64 from, int64 to, const uint32 *groups,
								uint32 n, EcProductLast *last);

#endif /* EC_PRODUCT_SET_H */
