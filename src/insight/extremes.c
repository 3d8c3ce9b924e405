/*
 * extremes.c
 *	  Extremes of hidden rows against those of cells.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "datatype/timestamp.h"
#include "executor/nodeHash.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "insight/extremes.h"

/* More ranges of time than this are read as one. */
#define RANGES_MAX 16
#define ENTRIES_MIN 1024
#define BYTES_PER_ENTRY 64

typedef struct HiddenKey
{
	int64 slot; /* 0 if isnull */
	uint32 group;
	uint32 isnull;
} HiddenKey;

typedef struct Hidden
{
	HiddenKey key;
	int64 min;
	int64 max;
	char status;
} Hidden;

static inline uint32
hash_key(const HiddenKey *key)
{
	return hash_combine(murmurhash32((uint32) (key->slot / USECS_PER_HOUR) ^ key->isnull),
						murmurhash32(key->group));
}

static inline bool
equal_keys(const HiddenKey *a, const HiddenKey *b)
{
	return a->slot == b->slot && a->group == b->group && a->isnull == b->isnull;
}

#define SH_PREFIX hidden
#define SH_ELEMENT_TYPE Hidden
#define SH_KEY_TYPE HiddenKey
#define SH_KEY key
#define SH_HASH_KEY(table, k) hash_key(&(k))
#define SH_EQUAL(table, a, b) equal_keys(&(a), &(b))
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* A cell put aside. */
typedef struct Aside
{
	EcSlots range;
	uint32 group;
	int64 min;
	int64 max;
} Aside;

struct EcExtremes
{
	MemoryContext context;
	hidden_hash *table;
	Size entries_max; /* of the table, and of aside */
	bool is_full;	  /* nothing is known any more */
	Aside *aside;
	Size naside;
	Size aside_size;
	EcSlots *ranges; /* what ec_extremes_next_range gives, once found */
	int nranges;
	int next_range;
};

EcExtremes *
ec_extremes_create(MemoryContext context)
{
	EcExtremes *extremes = MemoryContextAllocZero(context, sizeof(EcExtremes));

	extremes->context = context;
	extremes->table = hidden_create(context, ENTRIES_MIN, NULL);
	extremes->entries_max =
		Max(ENTRIES_MIN, get_hash_memory_limit() / (BYTES_PER_ENTRY + sizeof(Aside)));
	return extremes;
}

static HiddenKey
make_key(int64 slot, bool isnull, uint32 group)
{
	HiddenKey key = {isnull ? 0 : slot, group, isnull};

	return key;
}

void
ec_extremes_hide(EcExtremes *extremes, int64 slot, bool isnull, uint32 group, int64 price)
{
	Hidden *entry;
	bool found;

	if (extremes->is_full)
		return;
	entry = hidden_insert(extremes->table, make_key(slot, isnull, group), &found);
	if (!found)
	{
		entry->min = entry->max = price;
		extremes->is_full = extremes->table->members > extremes->entries_max;
		return;
	}
	entry->min = Min(entry->min, price);
	entry->max = Max(entry->max, price);
}

bool
ec_extremes_is_full(const EcExtremes *extremes)
{
	return extremes->is_full;
}

static void
put_aside(EcExtremes *extremes, const Aside *cell)
{
	if (extremes->naside == extremes->entries_max)
	{
		extremes->is_full = true;
		return;
	}
	if (extremes->naside == extremes->aside_size)
	{
		extremes->aside_size = Max(extremes->aside_size * 2, 64);
		if (extremes->aside == NULL)
			extremes->aside =
				MemoryContextAlloc(extremes->context, sizeof(Aside) * extremes->aside_size);
		else
			extremes->aside = repalloc_huge(extremes->aside, sizeof(Aside) * extremes->aside_size);
	}
	extremes->aside[extremes->naside++] = *cell;
}

bool
ec_extremes_hold(EcExtremes *extremes, int64 slot, bool isnull, int64 length, uint32 group,
				 int64 min, int64 max)
{
	Aside cell = {{slot, slot, isnull}, group, min, max};
	const Hidden *entry;

	if (extremes->is_full)
		return false;
	if (extremes->table->members == 0)
		return true;
	entry = hidden_lookup(extremes->table, make_key(slot, isnull, group));
	if (entry == NULL || (entry->min > min && entry->max < max))
		return true;
	if (!isnull && !TIMESTAMP_NOT_FINITE(slot))
		cell.range.max = slot + length - 1;
	put_aside(extremes, &cell);
	return false;
}

/* ---- what is to be read again ---- */

static int
compare_ranges(const void *a, const void *b)
{
	const EcSlots *x = a;
	const EcSlots *y = b;

	return (x->min > y->min) - (x->min < y->min);
}

/* Joins ranges that touch; all of them if too many are left. */
static void
join_ranges(EcExtremes *extremes, Size n)
{
	EcSlots *ranges = extremes->ranges;
	Size last = 0;

	qsort(ranges, n, sizeof(EcSlots), compare_ranges);
	for (Size i = 1; i < n; i++)
	{
		if (ranges[i].min <= ranges[last].max || ranges[i].min - 1 == ranges[last].max)
			ranges[last].max = Max(ranges[last].max, ranges[i].max);
		else
			ranges[++last] = ranges[i];
	}
	if (last >= RANGES_MAX)
	{
		ranges[0].max = ranges[last].max;
		last = 0;
	}
	extremes->nranges = (int) last + 1;
}

/* Ranges of the cells put aside that go beyond what is known of their groups. */
static void
find_ranges(EcExtremes *extremes, EcExtremesGroup of_group, void *arg)
{
	static const EcSlots everything = {PG_INT64_MIN, PG_INT64_MAX, true};
	bool all = extremes->is_full;
	Size n = 0;

	extremes->ranges =
		MemoryContextAllocHuge(extremes->context, sizeof(EcSlots) * Max(extremes->naside, 1));
	for (Size i = 0; i < extremes->naside; i++)
	{
		const Aside *cell = &extremes->aside[i];
		const EcPriceSum *price = of_group(cell->group, arg);

		if (cell->min >= price->min && cell->max <= price->max)
			continue;
		all |= cell->range.nulls;
		extremes->ranges[n++] = cell->range;
	}
	if (all)
	{
		extremes->ranges[0] = everything;
		extremes->nranges = 1;
	}
	else if (n > 0)
		join_ranges(extremes, n);
}

bool
ec_extremes_next_range(EcExtremes *extremes, EcExtremesGroup of_group, void *arg, EcSlots *range)
{
	if (extremes->ranges == NULL)
		find_ranges(extremes, of_group, arg);
	if (extremes->next_range == extremes->nranges)
		return false;
	*range = extremes->ranges[extremes->next_range++];
	return true;
}

EcArgs
ec_extremes_args(const EcArgs *args, const EcSlots *range)
{
	EcArgs narrowed = *args;

	if (range->nulls)
		return narrowed; /* the whole range */
	narrowed.has_since = range->min > PG_INT64_MIN;
	narrowed.since = range->min;
	narrowed.has_until = range->max < PG_INT64_MAX;
	narrowed.until = range->max + 1;
	return narrowed;
}
