/*
 * summary_category.c
 *	  Summaries by category: (hour | day, category_id, category_code) to rows by type,
 *	  prices and revenue.
 *
 * Rows come slot by slot (build_slots.c), when all categories are known: then these have places by
 * category_id and category_code, and each has a state for the hour and one for the day that are
 * in work.  The making of hours writes days, too.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

#include "insight/build.h"
#include "insight/product_set.h"
#include "insight/summary_category.h"

/* A state for each category, by its place; all zeros where seen says that there is none. */
typedef struct Slot
{
	int64 time;				 /* its start */
	bool no_time;			 /* that is NULL */
	EcCategoryState *states; /* [count] */
	uint64 *seen;			 /* bitmap */
	EcTextOut code;			 /* of its part */
} Slot;

typedef struct Categories
{
	const EcVariants *variants; /* NULL: not a row yet */
	uint32 count;
	uint32 *order;	/* place to number */
	uint32 *places; /* number to place */
	Slot hour;
	Slot day;
	bool any_day; /* is one in work? */
} Categories;

static void
combine(EcCategoryState *into, const EcCategoryState *from)
{
	for (int i = 0; i < EC_TYPE_CLASSES; i++)
		into->counts[i] += from->counts[i];
	if (from->priced > 0)
		ec_category_state_widen(into, from->price_min, from->price_max);
	into->priced += from->priced;
	ec_category_state_sum(into, &into->price_sum, from->price_sum);
	ec_category_state_sum(into, &into->revenue, from->revenue);
	into->overflow |= from->overflow;
}

static void
begin(EcMaking *making)
{
	making->private = palloc0(sizeof(Categories));
}

/* ---- rows ---- */

static void *
allocate(EcMaking *making, Size size)
{
	return MemoryContextAllocExtended(making->build->context, Max(size, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
begin_slot(EcMaking *making, Slot *slot, Size count)
{
	slot->states = allocate(making, sizeof(EcCategoryState) * count);
	slot->seen = allocate(making, sizeof(uint64) * (count / 64 + 1));
	ec_making_texts_init(&slot->code, EC_CATEGORY_CODE, making->build->codes);
}

static void
begin_rows(EcMaking *making, Categories *categories)
{
	const EcVariants *variants = ec_build_slots_categories(making->build->slots);

	categories->variants = variants;
	categories->count = variants->count;
	categories->order = ec_variants_order(variants, making->build->context);
	categories->places = allocate(making, sizeof(uint32) * variants->count);
	for (uint32 i = 0; i < variants->count; i++)
		categories->places[categories->order[i]] = i;
	begin_slot(making, &categories->hour, variants->count);
	begin_slot(making, &categories->day, variants->count);
}

static inline EcCategoryState *
get_state(Slot *slot, uint32 place)
{
	slot->seen[place / 64] |= UINT64CONST(1) << (place % 64);
	return &slot->states[place];
}

static void
add_slot_rows(EcMaking *making, const EcSlotRow *rows, uint32 n)
{
	Categories *categories = making->private;

	if (categories->variants == NULL)
		begin_rows(making, categories);
	for (uint32 i = 0; i < n; i++)
	{
		EcCategoryState *state =
			get_state(&categories->hour, categories->places[ec_slot_row_category(&rows[i])]);

		ec_category_state_add(state, &rows[i]);
	}
}

/* ---- cells out ---- */

void
ec_category_write(EcMaking *making, const EcCategoryState *state)
{
	if (state->overflow)
		ec_build_refuse(making);
	for (int type = 0; type < EC_TYPE_CLASSES; type++)
		ec_making_int(making, EC_CATEGORY_OTHER + type, state->counts[type]);
	ec_making_int(making, EC_CATEGORY_PRICED, state->priced);
	ec_making_int(making, EC_CATEGORY_PRICE_SUM, state->price_sum);
	ec_making_int(making, EC_CATEGORY_REVENUE, state->revenue);
	ec_category_write_or_null(making, EC_CATEGORY_PRICE_MIN, state->price_min, state->priced == 0);
	ec_category_write_or_null(making, EC_CATEGORY_PRICE_MAX, state->price_max, state->priced == 0);
}

static void
write_cell(EcMaking *making, Slot *slot, const EcVariant *category, const EcCategoryState *state)
{
	ec_category_write_or_null(making, EC_CATEGORY_SLOT, slot->time, slot->no_time);
	ec_category_write_or_null(making, EC_CATEGORY_ID, category->product,
							  category->brand & EC_VARIANT_NULL);
	ec_making_ids(making, &slot->code, &category->code, 1);
	ec_category_write(making, state);
	ec_making_row(making);
}

/* Writes the cells of a slot in order of categories, adds them to another one, if given, and empties it. */
static void
write_slot(EcMaking *making, const Categories *categories, Slot *slot, Slot *sum)
{
	for (uint32 word = 0; word <= categories->count / 64; word++)
	{
		for (uint64 bits = slot->seen[word]; bits != 0; bits &= bits - 1)
		{
			uint32 place = word * 64 + pg_rightmost_one_pos64(bits);
			EcCategoryState *state = &slot->states[place];

			write_cell(making, slot, &categories->variants->keys[categories->order[place]], state);
			if (sum != NULL)
				combine(get_state(sum, place), state);
			memset(state, 0, sizeof(EcCategoryState));
		}
		slot->seen[word] = 0;
	}
}

static void
end_day(EcMaking *making, Categories *categories)
{
	EcMaking *days = ec_build_making(making->build, EC_PROJECTION_CATEGORY_DAY);

	if (categories->any_day)
		write_slot(days, categories, &categories->day, NULL);
	categories->any_day = false;
}

static void
end_slot(EcMaking *making, uint32 number)
{
	Categories *categories = making->private;
	Slot *hour = &categories->hour;
	Slot *day = &categories->day;
	bool with_days = ec_build_making(making->build, EC_PROJECTION_CATEGORY_DAY) != NULL;
	int64 start;

	hour->no_time = number == EC_PRODUCT_SLOT_NULL;
	hour->time = hour->no_time ? 0 : ec_product_slot_time(number);
	start = ec_slot_day(hour->time);
	if (with_days && (start != day->time || hour->no_time != day->no_time))
		end_day(making, categories);
	day->time = start;
	day->no_time = hour->no_time;
	categories->any_day = with_days;
	write_slot(making, categories, hour, with_days ? day : NULL);
}

static void
finish(EcMaking *making)
{
	end_day(making, making->private);
}

const EcMaker ec_category_hour_maker = {
	.projection = EC_PROJECTION_CATEGORY_HOUR,
	.dimension = "category",
	.columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_CATEGORY_ID) |
			   EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_PRICE),
	.key_words = 1,
	.memory = 0.5,
	.begin = begin,
	.add_slot_rows = add_slot_rows,
	.end_slot = end_slot,
	.finish = finish,
};

/* Written by the making of hours. */
const EcMaker ec_category_day_maker = {
	.projection = EC_PROJECTION_CATEGORY_DAY,
	.dimension = "category",
	.needs = EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR),
	.key_words = 1,
};
