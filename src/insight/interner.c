/*
 * interner.c
 *	  Strings to small numbers, by an open-addressing hash table of ids.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/interner.h"

#define INITIAL_SLOTS 1024 /* a power of two */

typedef struct Slot
{
	uint32 hash;
	uint32 id; /* 0: empty */
} Slot;

struct EcInterner
{
	MemoryContext context; /* of the arrays */
	MemoryContext strings; /* of the characters: never freed one by one */
	EcBytes *entries;	   /* [0] is NULL */
	uint32 count;
	uint32 capacity;
	Slot *slots;
	uint64 mask;
};

EcInterner *
ec_interner_create(MemoryContext context)
{
	EcInterner *interner = MemoryContextAllocZero(context, sizeof(EcInterner));

	interner->context = context;
	interner->strings =
		GenerationContextCreate(context, "ecinsight strings", ALLOCSET_DEFAULT_SIZES);
	interner->capacity = INITIAL_SLOTS / 2;
	interner->entries = MemoryContextAllocZero(context, sizeof(EcBytes) * interner->capacity);
	interner->slots = MemoryContextAllocZero(context, sizeof(Slot) * INITIAL_SLOTS);
	interner->mask = INITIAL_SLOTS - 1;
	return interner;
}

/* Doubles both arrays; called when half the slots are taken. */
static void
grow(EcInterner *interner)
{
	uint64 nslots = (interner->mask + 1) * 2;
	Slot *slots = MemoryContextAllocExtended(interner->context, sizeof(Slot) * nslots,
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	if (interner->count >= EC_ID_MAX / 2)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many distinct texts in one column"),
						errdetail("At most %d can be told apart.", EC_ID_MAX / 2)));
	for (uint64 i = 0; i <= interner->mask; i++)
	{
		uint64 at = interner->slots[i].hash;

		if (interner->slots[i].id == 0)
			continue;
		while (slots[at &= nslots - 1].id != 0)
			at++;
		slots[at] = interner->slots[i];
	}
	pfree(interner->slots);
	interner->slots = slots;
	interner->mask = nslots - 1;
	interner->capacity *= 2;
	interner->entries = repalloc_huge(interner->entries, sizeof(EcBytes) * interner->capacity);
}

static uint32
append(EcInterner *interner, const void *ptr, uint32 len)
{
	uint8 *copy = MemoryContextAllocHuge(interner->strings, Max(len, 1));

	memcpy(copy, ptr, len);
	interner->count++;
	interner->entries[interner->count].ptr = copy;
	interner->entries[interner->count].len = len;
	return interner->count;
}

uint32
ec_interner_intern(EcInterner *interner, const void *ptr, uint32 len)
{
	uint32 hash = hash_bytes(ptr, len);
	uint64 at;

	if (interner->count + 1 >= interner->capacity)
		grow(interner);
	at = hash & interner->mask;
	while (interner->slots[at].id != 0)
	{
		const EcBytes *entry = &interner->entries[interner->slots[at].id];

		if (interner->slots[at].hash == hash && entry->len == len &&
			memcmp(entry->ptr, ptr, len) == 0)
			return interner->slots[at].id;
		at = (at + 1) & interner->mask;
	}
	interner->slots[at].hash = hash;
	interner->slots[at].id = append(interner, ptr, len);
	return interner->count;
}

uint32
ec_interner_count(const EcInterner *interner)
{
	return interner->count;
}

EcBytes
ec_interner_get(const EcInterner *interner, uint32 id)
{
	Assert(id > 0 && id <= interner->count);
	return interner->entries[id];
}

Datum
ec_interner_datum(const EcInterner *interner, uint32 id, bool *isnull)
{
	*isnull = id == EC_ID_NULL;
	if (*isnull)
		return (Datum) 0;
	return PointerGetDatum(cstring_to_text_with_len((const char *) interner->entries[id].ptr,
													interner->entries[id].len));
}

int
ec_interner_compare(const EcInterner *interner, uint32 a, uint32 b)
{
	const EcBytes *x = &interner->entries[a];
	const EcBytes *y = &interner->entries[b];
	int order = memcmp(x->ptr, y->ptr, Min(x->len, y->len));

	if (order != 0)
		return order;
	return (x->len > y->len) - (x->len < y->len);
}

static int
compare_ids(const void *a, const void *b, void *arg)
{
	return ec_interner_compare(arg, *(const uint32 *) a, *(const uint32 *) b);
}

uint32 *
ec_interner_ranks(const EcInterner *interner, MemoryContext context)
{
	Size size = sizeof(uint32) * ((Size) interner->count + 1);
	uint32 *ids = MemoryContextAllocHuge(context, size);
	uint32 *ranks = MemoryContextAllocHuge(context, size);

	for (uint32 i = 0; i < interner->count; i++)
		ids[i] = i + 1;
	qsort_arg(ids, interner->count, sizeof(uint32), compare_ids,
			  unconstify(EcInterner *, interner));
	for (uint32 i = 0; i < interner->count; i++)
		ranks[ids[i]] = i;
	ranks[EC_ID_NULL] = PG_UINT32_MAX;
	pfree(ids);
	return ranks;
}
