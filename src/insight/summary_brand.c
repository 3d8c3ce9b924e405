/*
 * summary_brand.c
 *	  Summaries by category and brand: (day, category_id, category_code, brand) to rows by
 *	  type, prices and revenue, for the bucketed views.
 *
 * Rows come hour by hour (build_slots.c), and a day's cells are written when the next day
 * begins.  A combination of category and brand gets a number when it is first met; each product
 * remembers its last one, which nearly always is its only one.
 *
 * Memory: about 150 bytes for each combination, 8 for each product.
 */
#include "postgres.h"

#include "insight/product_set.h"
#include "insight/summary_category.h"

#define NO_CATEGORY PG_UINT32_MAX

/* The combination that a product's rows had last. */
typedef struct Last
{
	uint32 category; /* number */
	uint32 combination;
} Last;

typedef struct Brands
{
	const EcVariants *products; /* NULL: not a row yet */
	const EcVariants *categories;
	uint32 *places;			 /* of categories in order, by number */
	Last *last;				 /* by product */
	EcVariants combinations; /* product is the place of a category, code 0 */
	EcCategoryState *states; /* of the day, by combination */
	uint32 *order;			 /* of a category's place: its number */
	uint32 *found;			 /* combinations that the day has */
	uint32 nfound;
	uint32 capacity;
	int64 day;
	bool no_time; /* the day is NULL */
	EcTextOut code;
	EcTextOut brand;
} Brands;

static void
begin(EcMaking *making)
{
	Brands *brands = palloc0(sizeof(Brands));

	ec_variants_init(&brands->combinations, CurrentMemoryContext);
	making->private = brands;
}

static void *
allocate(EcMaking *making, Size size)
{
	return MemoryContextAllocExtended(making->build->context, Max(size, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
begin_rows(EcMaking *making, Brands *brands)
{
	const EcVariants *categories = ec_build_slots_categories(making->build->slots);

	brands->products = ec_build_slots_products(making->build->slots);
	brands->categories = categories;
	brands->order = ec_variants_order(categories, making->build->context);
	brands->places = allocate(making, sizeof(uint32) * categories->count);
	for (uint32 i = 0; i < categories->count; i++)
		brands->places[brands->order[i]] = i;
	brands->last = allocate(making, sizeof(Last) * brands->products->count);
	for (uint32 i = 0; i < brands->products->count; i++)
		brands->last[i].category = NO_CATEGORY;
	ec_making_texts_init(&brands->code, EC_CATEGORY_CODE, making->build->codes);
	ec_making_texts_init(&brands->brand, EC_BRAND_NAME, making->build->brands);
}

/* ---- rows ---- */

static void
reserve(EcMaking *making, Brands *brands)
{
	uint32 capacity = Max(brands->capacity * 2, 1024);
	EcCategoryState *states;
	uint32 *found;

	if (brands->combinations.count <= brands->capacity)
		return;
	states = allocate(making, sizeof(EcCategoryState) * capacity);
	found = allocate(making, sizeof(uint32) * capacity);
	if (brands->capacity > 0)
	{
		memcpy(states, brands->states, sizeof(EcCategoryState) * brands->capacity);
		memcpy(found, brands->found, sizeof(uint32) * brands->nfound);
		pfree(brands->states);
		pfree(brands->found);
	}
	brands->states = states;
	brands->found = found;
	brands->capacity = capacity;
}

static uint32
find_combination(EcMaking *making, Brands *brands, uint32 product, uint32 category)
{
	Last *last = &brands->last[product];

	if (last->category != category)
	{
		int64 place = brands->places[category];
		uint32 brand = brands->products->keys[product].brand & ~EC_VARIANT_NULL;
		uint32 none = 0;

		ec_variants_find(&brands->combinations, 1, &place, NULL, &none, &brand, &last->combination);
		last->category = category;
		reserve(making, brands);
	}
	return last->combination;
}

static inline bool
is_empty(const EcCategoryState *state)
{
	const int64 *counts = state->counts;

	return (counts[0] | counts[1] | counts[2] | counts[3]) == 0;
}

/* ---- cells out ---- */

static int
compare_combinations(const void *a, const void *b, void *arg)
{
	const EcVariant *keys = arg;
	const EcVariant *x = &keys[*(const uint32 *) a];
	const EcVariant *y = &keys[*(const uint32 *) b];

	if (x->product != y->product)
		return x->product < y->product ? -1 : 1;
	return (x->brand > y->brand) - (x->brand < y->brand);
}

static void
write_day(EcMaking *making, Brands *brands)
{
	const EcVariant *keys = brands->combinations.keys;

	qsort_arg(brands->found, brands->nfound, sizeof(uint32), compare_combinations, (void *) keys);
	for (uint32 i = 0; i < brands->nfound; i++)
	{
		const EcVariant *key = &keys[brands->found[i]];
		const EcVariant *category = &brands->categories->keys[brands->order[key->product]];
		EcCategoryState *state = &brands->states[brands->found[i]];

		ec_category_write_or_null(making, EC_CATEGORY_SLOT, brands->day, brands->no_time);
		ec_category_write_or_null(making, EC_CATEGORY_ID, category->product,
								  category->brand & EC_VARIANT_NULL);
		ec_making_ids(making, &brands->code, &category->code, 1);
		ec_category_write(making, state);
		ec_making_ids(making, &brands->brand, &key->brand, 1);
		ec_making_row(making);
		memset(state, 0, sizeof(EcCategoryState));
	}
	brands->nfound = 0;
}
/* Is it another day? */
static void
begin_slot(EcMaking *making, Brands *brands, uint32 slot)
{
	bool no_time = slot == EC_PRODUCT_SLOT_NULL;
	int64 day = no_time ? 0 : ec_slot_day(ec_product_slot_time(slot));

	if (day != brands->day || no_time != brands->no_time)
		write_day(making, brands);
	brands->day = day;
	brands->no_time = no_time;
}

/* All are of one slot. */
static void
add_slot_rows(EcMaking *making, const EcSlotRow *rows, uint32 n)
{
	Brands *brands = making->private;

	StaticAssertStmt(EC_TYPE_CLASSES == 4, "a state has four counts");
	if (brands->products == NULL)
		begin_rows(making, brands);
	begin_slot(making, brands, (uint32) rows[0].slot);
	for (uint32 i = 0; i < n; i++)
	{
		uint32 combination = find_combination(making, brands, ec_slot_row_product(&rows[i]),
											  ec_slot_row_category(&rows[i]));
		EcCategoryState *state = &brands->states[combination];

		if (is_empty(state))
			brands->found[brands->nfound++] = combination;
		ec_category_state_add(state, &rows[i]);
	}
}

static void
end_slot(EcMaking *making, uint32 slot)
{
}

static void
finish(EcMaking *making)
{
	write_day(making, making->private);
}

const EcMaker ec_brand_day_maker = {
	.projection = EC_PROJECTION_BRAND_DAY,
	.dimension = "category",
	.columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRODUCT) |
			   EC_COL_BIT(EC_COL_CATEGORY_ID) | EC_COL_BIT(EC_COL_CATEGORY_CODE) |
			   EC_COL_BIT(EC_COL_BRAND) | EC_COL_BIT(EC_COL_PRICE),
	.key_words = 1,
	.memory = 0.5,
	.begin = begin,
	.add_slot_rows = add_slot_rows,
	.end_slot = end_slot,
	.finish = finish,
};
