/*
 * build_slots.c
 *	  The rows of a set of summaries hour by hour, for all makers that want them so.
 *
 * As build_users.c: a row becomes a record of three words; records are sorted by slot.  Rows
 * come more or less in order of time, so that there is little to sort.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "insight/build.h"
#include "insight/product_set.h"

#define WORDS (sizeof(EcSlotRow) / sizeof(uint64))

/* Records handed out at once. */
#define SOME_ROWS 4096

struct EcBuildSlots
{
	EcBuild *build;
	bool with_products;
	bool with_categories;
	EcSorter *sorter;
	EcVariants products;
	EcVariants categories;
	uint32 *none;					   /* [EC_BLOCK_ROWS] zeros */
	uint32 *slots;					   /* [EC_BLOCK_ROWS] */
	uint32 *product_numbers;		   /* likewise */
	uint32 *category_numbers;		   /* likewise */
	EcMaking *makings[EC_PROJECTIONS]; /* that want rows */
	int nmakings;
};

static void
list_makings(EcBuildSlots *slots)
{
	for (int i = 0; ec_makers[i] != NULL; i++)
	{
		EcMaking *making = ec_build_making(slots->build, ec_makers[i]->projection);

		if (making != NULL && making->maker->add_slot_rows != NULL)
			slots->makings[slots->nmakings++] = making;
	}
}

EcBuildSlots *
ec_build_slots_begin(EcBuild *build, double share, uint32 columns)
{
	EcBuildSlots *slots = palloc0(sizeof(EcBuildSlots));

	slots->build = build;
	slots->with_products = (columns & EC_COL_BIT(EC_COL_PRODUCT)) != 0;
	slots->with_categories = (columns & EC_COL_BIT(EC_COL_CATEGORY_ID)) != 0;
	slots->sorter = ec_sorter_create(build->context, WORDS, 1, share);
	ec_variants_init(&slots->products, CurrentMemoryContext);
	ec_variants_init(&slots->categories, CurrentMemoryContext);
	slots->none = palloc0(sizeof(uint32) * EC_BLOCK_ROWS);
	slots->slots = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	slots->product_numbers = palloc0(sizeof(uint32) * EC_BLOCK_ROWS);
	slots->category_numbers = palloc0(sizeof(uint32) * EC_BLOCK_ROWS);
	list_makings(slots);
	return slots;
}

/* Those of neighbours are the same, mostly. */
void
ec_build_find_slots(const EcBuildRows *batch, uint32 *slots)
{
	int64 hour = 0;
	uint32 slot = (uint32) ec_product_slot(0);

	for (uint32 i = 0; i < batch->n; i++)
	{
		if (batch->hours[i] != hour)
		{
			hour = batch->hours[i];
			slot = (uint32) ec_product_slot(hour);
		}
		slots[i] = batch->no_time != NULL && batch->no_time[i] ? EC_PRODUCT_SLOT_NULL : slot;
	}
}

static void
find_numbers(EcBuildSlots *slots, const EcBuildRows *batch)
{
	ec_build_find_slots(batch, slots->slots);
	if (slots->with_products)
		ec_variants_find(&slots->products, batch->n, batch->products, batch->no_product,
						 batch->codes, batch->brands, slots->product_numbers);
	if (slots->with_categories)
		ec_variants_find(&slots->categories, batch->n, batch->categories, batch->no_category,
						 batch->codes, slots->none, slots->category_numbers);
	if (slots->categories.count > EC_SLOT_ROW_CATEGORY_MAX)
		elog(ERROR, "too many categories in a summary");
}

/* Prices that are no whole numbers of the scale can't be summed. */
static void
check_prices(EcBuildSlots *slots, const EcBuildRows *batch)
{
	bool odd = false;

	for (uint32 i = 0; i < batch->n && batch->prices.states != NULL; i++)
		odd |= batch->prices.states[i] == EC_PRICE_ODD;
	for (int i = 0; i < slots->nmakings && odd; i++)
		ec_build_refuse(slots->makings[i]);
}

void
ec_build_slots_add(EcBuildSlots *slots, const EcBuildRows *batch)
{
	const EcPrices *prices = &batch->prices;

	find_numbers(slots, batch);
	check_prices(slots, batch);
	for (uint32 i = 0; i < batch->n; i++)
	{
		bool priced = prices->states == NULL || prices->states[i] == EC_PRICE_VALUE;
		EcSlotRow row = {
			.slot = slots->slots[i],
			.price = priced ? prices->values[i] : 0,
			.facts = (uint64) slots->product_numbers[i] << EC_SLOT_ROW_PRODUCT_SHIFT |
					 (uint64) slots->category_numbers[i] << EC_SLOT_ROW_CATEGORY_SHIFT |
					 (priced ? EC_SLOT_ROW_PRICED : 0) |
					 (batch->types[i] < EC_TYPE_CLASSES ? batch->types[i] : 0),
		};

		ec_sorter_put(slots->sorter, (const uint64 *) &row);
	}
}

const EcVariants *
ec_build_slots_products(const EcBuildSlots *slots)
{
	return &slots->products;
}

const EcVariants *
ec_build_slots_categories(const EcBuildSlots *slots)
{
	return &slots->categories;
}

/* ---- rows out ---- */

static void
hand_out(EcBuildSlots *slots, const EcSlotRow *rows, uint32 n)
{
	for (int i = 0; i < slots->nmakings && n > 0; i++)
		slots->makings[i]->maker->add_slot_rows(slots->makings[i], rows, n);
}

static void
end_slot(EcBuildSlots *slots, uint64 slot)
{
	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < slots->nmakings; i++)
		slots->makings[i]->maker->end_slot(slots->makings[i], (uint32) slot);
}

/* *last is the slot whose rows came last. */
static void
hand_out_records(EcBuildSlots *slots, const EcSlotRow *rows, uint32 n, uint64 *last)
{
	uint32 start = 0;

	for (uint32 i = 0; i < n; i++)
	{
		if (rows[i].slot == *last)
			continue;
		hand_out(slots, rows + start, i - start);
		end_slot(slots, *last);
		*last = rows[i].slot;
		start = i;
	}
	hand_out(slots, rows + start, n - start);
}

void
ec_build_slots_finish(EcBuildSlots *slots)
{
	const uint64 *records;
	uint64 last = 0;
	bool any = false;
	uint64 n;

	ec_sorter_sort(slots->sorter);
	while ((records = ec_sorter_next_some(slots->sorter, SOME_ROWS, &n)) != NULL)
	{
		if (!any)
			last = records[0];
		any = true;
		hand_out_records(slots, (const EcSlotRow *) records, (uint32) n, &last);
	}
	if (any)
		end_slot(slots, last);
	ec_sorter_destroy(slots->sorter);
}
