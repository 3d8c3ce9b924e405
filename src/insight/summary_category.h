/*
 * summary_category.h
 *	  What makers of summaries by category have in common: rows of a category, with a
 *	  brand or any, in an hour or day.
 */
#ifndef EC_SUMMARY_CATEGORY_H
#define EC_SUMMARY_CATEGORY_H

#include "postgres.h"

#include "insight/build.h"

typedef struct EcCategoryState
{
	int64 counts[EC_TYPE_CLASSES];
	int64 priced;
	int64 price_sum;
	int64 revenue;
	int64 price_min; /* meaningless if priced is 0 */
	int64 price_max;
	bool overflow; /* a sum was too large */
} EcCategoryState;

static inline void
ec_category_state_sum(EcCategoryState *state, int64 *sum, int64 value)
{
	int64 total;

	if (__builtin_add_overflow(*sum, value, &total))
		state->overflow = true;
	else
		*sum = total;
}

static inline void
ec_category_state_widen(EcCategoryState *state, int64 min, int64 max)
{
	if (state->priced == 0)
	{
		state->price_min = min;
		state->price_max = max;
		return;
	}
	state->price_min = Min(state->price_min, min);
	state->price_max = Max(state->price_max, max);
}

static inline void
ec_category_state_add(EcCategoryState *state, const EcSlotRow *row)
{
	uint32 type = row->facts & EC_SLOT_ROW_TYPE_MASK;

	state->counts[type]++;
	if ((row->facts & EC_SLOT_ROW_PRICED) == 0)
		return;
	ec_category_state_widen(state, row->price, row->price);
	state->priced++;
	ec_category_state_sum(state, &state->price_sum, row->price);
	if (type == EC_TYPE_PURCHASE)
		ec_category_state_sum(state, &state->revenue, row->price);
}

static inline void
ec_category_write_or_null(EcMaking *making, int column, int64 value, bool isnull)
{
	if (isnull)
		ec_making_null(making, column);
	else
		ec_making_int(making, column, value);
}

/* The columns EC_CATEGORY_OTHER .. EC_CATEGORY_PRICE_MAX. */
extern void ec_category_write(EcMaking *making, const EcCategoryState *state);

#endif /* EC_SUMMARY_CATEGORY_H */
