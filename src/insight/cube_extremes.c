/*
 * cube_extremes.c
 *	  The extremes of hidden rows (extremes.h) by group, for the bucketed views.
 *
 * Groups that have hidden rows get numbers; a cell of another group holds.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "insight/cube_internal.h"

#define GROUPS_MIN 1024
#define NO_GROUP PG_UINT32_MAX

typedef struct GroupKey
{
	uint64 words[EC_CUBE_KEY_WORDS];
} GroupKey;

typedef struct HiddenGroup
{
	GroupKey key;
	uint32 number;
	char status;
} HiddenGroup;

#define SH_PREFIX group
#define SH_ELEMENT_TYPE HiddenGroup
#define SH_KEY_TYPE GroupKey
#define SH_KEY key
#define SH_HASH_KEY(table, k) hash_bytes((const unsigned char *) (k).words, sizeof(GroupKey))
#define SH_EQUAL(table, a, b) (memcmp(&(a), &(b), sizeof(GroupKey)) == 0)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct EcCubeHidden
{
	group_hash *numbers;
	GroupKey *keys; /* by number */
	uint32 capacity;
	EcPriceSum sum; /* what extremes_of gives */
};

static GroupKey
make_key(const EcCube *cube, uint32 i)
{
	GroupKey key = {{0}};

	for (int w = 0; w < cube->key_words; w++)
		key.words[w] = cube->keys[w][i];
	return key;
}

static EcCubeHidden *
begin(EcCube *cube)
{
	EcCubeHidden *hidden = MemoryContextAllocZero(cube->context, sizeof(EcCubeHidden));

	cube->hidden = ec_extremes_create(cube->context);
	hidden->numbers = group_create(cube->context, GROUPS_MIN, NULL);
	hidden->capacity = GROUPS_MIN;
	hidden->keys = MemoryContextAlloc(cube->context, sizeof(GroupKey) * GROUPS_MIN);
	return hidden;
}

static uint32
number_group(EcCubeHidden *hidden, GroupKey key)
{
	bool found;
	HiddenGroup *group = group_insert(hidden->numbers, key, &found);

	if (found)
		return group->number;
	group->number = hidden->numbers->members - 1;
	if (group->number == hidden->capacity)
	{
		hidden->capacity *= 2;
		hidden->keys = repalloc_huge(hidden->keys, sizeof(GroupKey) * hidden->capacity);
	}
	hidden->keys[group->number] = key;
	return group->number;
}

void
ec_cube_hide(EcCube *cube, uint32 n, const int64 *times, const uint8 *no_time,
			 const EcPrices *prices, const uint8 *skip)
{
	if (cube->hidden_groups == NULL)
		cube->hidden_groups = begin(cube);
	for (uint32 i = 0; i < n && !ec_extremes_is_full(cube->hidden); i++)
	{
		bool isnull = no_time != NULL && no_time[i];

		if (skip != NULL && skip[i])
			continue;
		if (prices->states != NULL && prices->states[i] != EC_PRICE_VALUE)
			continue;
		ec_extremes_hide(cube->hidden, isnull ? 0 : ec_slot_cells_slot(&cube->scan, times[i]),
						 isnull, number_group(cube->hidden_groups, make_key(cube, i)),
						 prices->values[i]);
	}
}

bool
ec_cube_holds(EcCube *cube, uint32 i, int64 slot, bool no_slot, int64 min, int64 max)
{
	const HiddenGroup *group;

	if (cube->hidden_groups == NULL)
		return true;
	group = group_lookup(cube->hidden_groups->numbers, make_key(cube, i));
	return ec_extremes_hold(cube->hidden, slot, no_slot, cube->scan.length,
							group != NULL ? group->number : NO_GROUP, min, max);
}

/* What is known of a group's extremes: what a file holds of it counts as unknown. */
static const EcPriceSum *
extremes_of(uint32 group, void *arg)
{
	EcCube *cube = arg;
	EcCubeHidden *hidden = cube->hidden_groups;
	const uint64 *state = ec_tally_find_one(cube->tally, hidden->keys[group].words);

	ec_price_init(&hidden->sum);
	if (state[EC_CUBE_KNOWN])
	{
		hidden->sum.min = (int64) state[EC_CUBE_MIN];
		hidden->sum.max = (int64) state[EC_CUBE_MAX];
	}
	return &hidden->sum;
}

bool
ec_cube_next_range(EcCube *cube, EcSlots *range)
{
	return cube->hidden_groups != NULL &&
		   ec_extremes_next_range(cube->hidden, extremes_of, cube, range);
}
