/*
 * summary_revisit.c
 *	  Visits by hour, with how far away the visits of the same user before and after them are:
 *	  what tells of those who are in a ragged edge of a range, an hour of which only some rows
 *	  count, whether they are in its whole hours, too (edges.c).
 *
 * Users' neighbours are days apart, since nearly all of the cells are users'; days take
 * half the bits of hours, and who can't be told by them is looked for in the hours of a day.
 * Visits without neighbours are left out: who isn't found is nowhere else.
 *
 * A record is: kind and slot; user; tag and distances.
 */
#include "postgres.h"

#include "insight/product_set.h"
#include "insight/summary_revisit.h"

#define KIND_SHIFT 32
#define TAG_SHIFT 32
#define PREVIOUS_SHIFT 16
#define DISTANCE_MASK 0xFFFF
#define TAG_MAX PG_UINT32_MAX

static inline bool
is_hour(uint32 slot)
{
	return slot != EC_PRODUCT_SLOT_FIRST && slot < EC_PRODUCT_SLOT_LATE;
}

/* Between two slots, of which at least one is an hour. */
static uint64
distance_between(EcMaking *making, EcVisitKind kind, uint32 from, uint32 to)
{
	int64 distance;

	if (!is_hour(from) || !is_hour(to))
		return EC_REVISIT_FAR;
	distance = kind == EC_VISIT_USER ? ec_product_slot_day(to) - ec_product_slot_day(from) + 1
									 : (int64) to - from;
	if (distance < EC_REVISIT_FAR)
		return (uint64) distance;
	ec_build_refuse(making);
	return 0;
}

static void
put_last(EcMaking *making, const EcRevisitChain *chain, bool has_next, uint32 next)
{
	uint64 record[3];

	if (!is_hour(chain->slot) || (!chain->has_previous && !has_next))
		return;
	if (chain->tag > TAG_MAX)
		ec_build_refuse(making);
	record[0] = (uint64) chain->kind << KIND_SHIFT | chain->slot;
	record[1] = chain->user;
	record[2] = (uint64) chain->tag << TAG_SHIFT;
	if (chain->has_previous)
		record[2] |= distance_between(making, chain->kind, chain->previous, chain->slot)
					 << PREVIOUS_SHIFT;
	if (has_next)
		record[2] |= distance_between(making, chain->kind, chain->slot, next);
	ec_making_put(making, record);
}

void
ec_revisit_add(EcMaking *making, EcRevisitChain *chain, uint32 slot)
{
	if (making == NULL || slot == EC_PRODUCT_SLOT_NULL)
		return;
	if (chain->any)
	{
		put_last(making, chain, true, slot);
		chain->previous = chain->slot;
		chain->has_previous = true;
	}
	chain->slot = slot;
	chain->any = true;
}

void
ec_revisit_end(EcMaking *making, const EcRevisitChain *chain)
{
	if (making != NULL && chain->has_previous)
		put_last(making, chain, false, 0);
}

static void
finish_cell(EcMaking *making, const uint64 *key, const uint64 *state)
{
	ec_making_int(making, EC_REVISIT_KIND, (int64) (key[0] >> KIND_SHIFT));
	ec_making_int(making, EC_REVISIT_SLOT, (uint32) key[0]);
	ec_making_int(making, EC_REVISIT_USER, ec_sorter_int64(key[1]));
	ec_making_int(making, EC_REVISIT_TAG, (int64) (*state >> TAG_SHIFT));
	ec_making_int(making, EC_REVISIT_PREVIOUS, (int64) (*state >> PREVIOUS_SHIFT & DISTANCE_MASK));
	ec_making_int(making, EC_REVISIT_NEXT, (int64) (*state & DISTANCE_MASK));
	ec_making_row(making);
}

const EcMaker ec_revisit_maker = {
	.projection = EC_PROJECTION_REVISIT,
	.dimension = "visit",
	.needs = EC_PROJECTION_BIT(EC_PROJECTION_VISIT) | EC_PROJECTION_BIT(EC_PROJECTION_SESSION),
	.key_words = 2,
	.state_words = 1,
	.memory = 0.5,
	.finish_cell = finish_cell,
};
