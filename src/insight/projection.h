/*
 * projection.h
 *	  The kinds of summaries (store/summary.h): their numbers and columns.
 *
 * Cells are sorted by their first columns in the order given here; texts among
 * equal first columns stand together, in no particular order.  A slot is the start of
 * an hour or day (UTC) as timestamptz, or NULL, or an infinity, as event_time is.
 * Counts are never NULL; prices are integers at the scale of the column, price_min and
 * price_max are NULL where no row has a price.
 */
#ifndef EC_PROJECTION_H
#define EC_PROJECTION_H

#include "postgres.h"

#include "access/tupdesc.h"

typedef enum EcProjection
{
	EC_PROJECTION_CATEGORY_HOUR = 0,
	EC_PROJECTION_CATEGORY_DAY = 1,
	EC_PROJECTION_PRODUCT_HOUR = 2,
	EC_PROJECTION_PRODUCT_TOTAL = 3,
	EC_PROJECTION_PRODUCT = 4,
	EC_PROJECTION_USER = 5,
	EC_PROJECTION_TOP_CATEGORY = 6,
	EC_PROJECTION_TOP_BRAND = 7,
	EC_PROJECTION_PURCHASE = 8,
	EC_PROJECTION_VISIT = 9,
	EC_PROJECTION_BRAND_DAY = 10,
	EC_PROJECTION_SESSION = 11,
	EC_PROJECTION_USER_BRAND = 12,
	EC_PROJECTION_VISIT_DAY = 13,
	EC_PROJECTION_REVISIT = 14,
	EC_PROJECTION_PRODUCT_SALE = 15
} EcProjection;

#define EC_PROJECTIONS 16
#define EC_PROJECTION_BIT(projection) (1U << (projection))

/* Columns of EC_PROJECTION_CATEGORY_HOUR and _DAY, by index. */
typedef enum EcCategoryColumn
{
	EC_CATEGORY_SLOT,
	EC_CATEGORY_ID,
	EC_CATEGORY_CODE,
	EC_CATEGORY_OTHER, /* rows of other types; EC_CATEGORY_OTHER + EC_TYPE_x: of type x */
	EC_CATEGORY_VIEWS,
	EC_CATEGORY_CARTS,
	EC_CATEGORY_PURCHASES,
	EC_CATEGORY_PRICED, /* rows with a price */
	EC_CATEGORY_PRICE_SUM,
	EC_CATEGORY_REVENUE,
	EC_CATEGORY_PRICE_MIN,
	EC_CATEGORY_PRICE_MAX
} EcCategoryColumn;

/* Columns of EC_PROJECTION_BRAND_DAY: those of EC_PROJECTION_CATEGORY_DAY, and */
#define EC_BRAND_NAME (EC_CATEGORY_PRICE_MAX + 1)

/*
 * Columns of EC_PROJECTION_PRODUCT: what stands for a product (or for NULL, which comes
 * last) with one category_code and brand in the other two, by its index: the rows in all
 * parts are numbered from 0.
 */
typedef enum EcProductColumn
{
	EC_PRODUCT_ID,
	EC_PRODUCT_CODE,
	EC_PRODUCT_BRAND,
	EC_PRODUCT_REFERENCE /* some price of it; 0 if it has none */
} EcProductColumn;

/*
 * Columns of EC_PROJECTION_PRODUCT_HOUR and _TOTAL; views are the rows that carts, purchases
 * and other don't count.  Hours' cells are in order of slots, which are numbers as
 * ec_product_slot makes them, and of products' indexes.  They fall into intervals of
 * whole slots and whole parts.  A price's rest is what the sum of prices is beyond
 * reference * priced rows, where the reference is the interval's.
 *
 * A total is a row for every product in order of indexes, in parts of its own: the sums
 * of all cells before an interval; there is one more after the last interval.  Its
 * price's rest is with the product's own reference.  Its slot is the interval's first,
 * part the first part of its cells (EC_PRODUCT_HOUR), and reference is the interval's,
 * less the product's own.
 */
typedef enum EcProductCellColumn
{
	EC_PRODUCT_CELL_SLOT,
	EC_PRODUCT_CELL_ROWS, /* of all types */
	EC_PRODUCT_CELL_CARTS,
	EC_PRODUCT_CELL_PURCHASES,
	EC_PRODUCT_CELL_OTHER,
	EC_PRODUCT_CELL_UNPRICED,
	EC_PRODUCT_CELL_REVENUE,
	EC_PRODUCT_CELL_PRICE,
	EC_PRODUCT_CELL_INDEX,						   /* of hours */
	EC_PRODUCT_TOTAL_PART = EC_PRODUCT_CELL_INDEX, /* of totals */
	EC_PRODUCT_TOTAL_REFERENCE
} EcProductCellColumn;

/*
 * Columns of EC_PROJECTION_PRODUCT_SALE, by the first two: the cells of hours that have purchases, all of them,
 * without what isn't about these.
 */
typedef enum EcProductSaleColumn
{
	EC_PRODUCT_SALE_SLOT,
	EC_PRODUCT_SALE_INDEX,
	EC_PRODUCT_SALE_PURCHASES,
	EC_PRODUCT_SALE_REVENUE
} EcProductSaleColumn;

/* Columns of EC_PROJECTION_USER; views are the rows that EC_USER_TYPES doesn't count. */
typedef enum EcUserColumn
{
	EC_USER_ID,
	EC_USER_CODE,
	EC_USER_SLOT, /* hour */
	EC_USER_ROWS, /* of all types */
	EC_USER_TYPES /* which types of rows there are, and how many but views: see ec_user_types_pack */
} EcUserColumn;

/*
 * Most cells have views alone, which is 0, so one column takes fewer bytes and less time than several: the
 * lowest bit tells that there are no views, above it are rows put into the cart, bought, and of other types.
 */
#define EC_USER_TYPES_BITS 20
#define EC_USER_TYPES_MAX ((UINT64CONST(1) << EC_USER_TYPES_BITS) - 1)
#define EC_USER_TYPES_CARTS 1
#define EC_USER_TYPES_PURCHASES (EC_USER_TYPES_CARTS + EC_USER_TYPES_BITS)
#define EC_USER_TYPES_OTHER (EC_USER_TYPES_PURCHASES + EC_USER_TYPES_BITS)

static inline int64
ec_user_types_pack(bool views, uint64 carts, uint64 purchases, uint64 other)
{
	return (int64) ((uint64) !views | carts << EC_USER_TYPES_CARTS |
					purchases << EC_USER_TYPES_PURCHASES | other << EC_USER_TYPES_OTHER);
}

/* The count that starts at the bit EC_USER_TYPES_... */
static inline uint64
ec_user_types_get(int64 types, int shift)
{
	return (uint64) types >> shift & EC_USER_TYPES_MAX;
}

/*
 * Columns of EC_PROJECTION_USER_BRAND: the same by brand, too.  Cells are in order of (user_id,
 * category_code, brand, hour), and their numbers are where EC_PROJECTION_USER has them.  The cell without
 * brand is told by its place there: its rows in all parts are numbered from 0.
 */
typedef enum EcUserBrandColumn
{
	EC_USER_BRAND = EC_USER_CODE,
	EC_USER_CELL = EC_USER_SLOT
} EcUserBrandColumn;

/*
 * Columns of EC_PROJECTION_TOP_CATEGORY: the (user, category) that have most rows, by
 * these, descending.  Less than EC_TOP_ROWS: all there are; else no other has more rows
 * than the last.
 */
#define EC_TOP_ROWS 16384

typedef enum EcTopCategoryColumn
{
	EC_TOP_CATEGORY_ID,
	EC_TOP_CATEGORY_CODE,
	EC_TOP_CATEGORY_ROWS
} EcTopCategoryColumn;

/* Columns of EC_PROJECTION_TOP_BRAND: likewise (user, category, brand). */
typedef enum EcTopBrandColumn
{
	EC_TOP_BRAND_ID,
	EC_TOP_BRAND_CODE,
	EC_TOP_BRAND_NAME,
	EC_TOP_BRAND_ROWS
} EcTopBrandColumn;

/* Columns of EC_PROJECTION_PURCHASE: the rows themselves, by user and time. */
typedef enum EcPurchaseColumn
{
	EC_PURCHASE_USER,
	EC_PURCHASE_TIME, /* event_time as timestamptz */
	EC_PURCHASE_SESSION,
	EC_PURCHASE_PRODUCT,
	EC_PURCHASE_CATEGORY_ID,
	EC_PURCHASE_CODE,
	EC_PURCHASE_BRAND,
	EC_PURCHASE_PRICE /* NULL: none that counts */
} EcPurchaseColumn;

/*
 * Columns of EC_PROJECTION_VISIT (summary_visit.c), by kind, day (UTC) of the visit before, slot; first those
 * without one.
 */
typedef enum EcVisitColumn
{
	EC_VISIT_KIND,	   /* EcVisitKind */
	EC_VISIT_SLOT,	   /* hour; NULL: rows without a time, which come last */
	EC_VISIT_PREVIOUS, /* hour of the visit before; NULL: none */
	EC_VISIT_COUNT
} EcVisitColumn;

/*
 * EC_PROJECTION_VISIT_DAY has the same columns and order, but the visit before is told by its day (UTC)
 * only.  Visits without one or without a time are left out.
 */

typedef enum EcVisitKind
{
	EC_VISIT_USER,
	EC_VISIT_BUYER,
	EC_VISIT_SESSION,
	EC_VISIT_ORDER
} EcVisitKind;

#define EC_VISIT_KINDS 4

/* Columns of EC_PROJECTION_SESSION (summary_session.c), by the first three. */
typedef enum EcSessionCellColumn
{
	EC_SESSION_USER, /* never NULL */
	EC_SESSION_SLOT, /* hour */
	EC_SESSION_TAG,	 /* the user's sessions have different ones */
	EC_SESSION_ROWS, /* of all types, at least 1 */
	EC_SESSION_PURCHASES
} EcSessionCellColumn;

/* So many bits of a tag are the session's (ec_session_tag). */
#define EC_SESSION_TAG_BITS 20

/*
 * Columns of EC_PROJECTION_REVISIT (summary_revisit.c), by the first three: the visits that have
 * another one, of the same user, buyer, session or order, before or after them.  Those before
 * -infinity, after infinity and without a time are left out, but may be the others.
 */
typedef enum EcRevisitColumn
{
	EC_REVISIT_KIND, /* EcVisitKind */
	EC_REVISIT_SLOT, /* hour, as ec_product_slot makes it */
	EC_REVISIT_USER,
	EC_REVISIT_TAG,		 /* of a session or order; else 0 */
	EC_REVISIT_PREVIOUS, /* how far away the visit before is */
	EC_REVISIT_NEXT		 /* and the one after */
} EcRevisitColumn;

/*
 * Distances: 0 there is none; of users days (UTC) from one to the other, and 1 more; of others hours.
 * Rows without a time are no visit after others here.
 */
#define EC_REVISIT_FAR 0xFFFF /* -infinity, or infinity */

extern const char *ec_projection_name(uint16 projection);

/* What its parts are written and read with, in the current memory context. */
extern TupleDesc ec_projection_columns(uint16 projection);

#endif /* EC_PROJECTION_H */
