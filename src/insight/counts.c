/*
 * counts.c
 *	  Rows by (user, group), by open addressing with prefetching.
 *
 * A table of millions of pairs is far larger than the caches, so a look-up costs a
 * memory access; the slots of the rows PREFETCH_DISTANCE ahead are requested while
 * the present row is counted.  The table asks for huge pages, which saves most of
 * the misses of the address translation.
 *
 * A slot's count has 32 bits.  When it is full, 2^32 - 1 is carried to a list beside
 * the table.
 */
#include "postgres.h"

#include <sys/mman.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/counts.h"
#include "insight/interner.h"
#include "vector/vector.h"

#define INITIAL_SLOTS 65536		/* a power of two */
#define PREFETCH_DISTANCE 24
#define HUGE_PAGE ((uintptr_t) 2 * 1024 * 1024)
#define USER_NULL 0x80000000U	/* in Slot.group */
#define VISIT_STEP 65536

typedef struct Slot
{
	int64 user;
	uint32 group;
	uint32 n;					/* 0: empty */
} Slot;

typedef struct Carry
{
	int64 user;
	uint32 group;
} Carry;

struct EcCounts
{
	MemoryContext context;
	Slot *slots;
	uint64 mask;
	uint64 used;
	uint64 limit;				/* used beyond which the table grows */
	uint64 *hashes;				/* [EC_BLOCK_ROWS + PREFETCH_DISTANCE] */
	Carry *carries;
	uint32 ncarries;
};

static Slot *
allocate_slots(EcCounts *counts, uint64 nslots)
{
	Size size = sizeof(Slot) * nslots;
	Slot *slots = MemoryContextAllocExtended(counts->context, size, MCXT_ALLOC_HUGE);

#ifdef MADV_HUGEPAGE
	if (size >= 2 * HUGE_PAGE)
	{
		uintptr_t start = TYPEALIGN(HUGE_PAGE, (uintptr_t) slots);
		uintptr_t end = TYPEALIGN_DOWN(HUGE_PAGE, (uintptr_t) slots + size);

		(void) madvise((void *) start, end - start, MADV_HUGEPAGE); /* only a wish */
	}
#endif
	memset(slots, 0, size);
	return slots;
}

static void
set_table(EcCounts *counts, Slot *slots, uint64 nslots)
{
	counts->slots = slots;
	counts->mask = nslots - 1;
	counts->limit = nslots / 10 * 7;
}

EcCounts *
ec_counts_create(MemoryContext context)
{
	EcCounts *counts = MemoryContextAllocZero(context, sizeof(EcCounts));

	counts->context = context;
	counts->hashes =
		MemoryContextAllocZero(context, sizeof(uint64) * (EC_BLOCK_ROWS + PREFETCH_DISTANCE));
	set_table(counts, allocate_slots(counts, INITIAL_SLOTS), INITIAL_SLOTS);
	return counts;
}

static inline uint64
hash_pair(int64 user, uint32 group)
{
	uint64 h = (uint64) user ^ ((uint64) group * UINT64CONST(0x9E3779B97F4A7C15));

	h ^= h >> 32;
	h *= UINT64CONST(0xD6E8FEB86659FD93);
	h ^= h >> 32;
	h *= UINT64CONST(0xD6E8FEB86659FD93);
	return h ^ (h >> 32);
}

static void
grow(EcCounts *counts)
{
	uint64 nslots = (counts->mask + 1) * 2;
	Slot *slots = allocate_slots(counts, nslots);

	for (uint64 i = 0; i <= counts->mask; i++)
	{
		const Slot *slot = &counts->slots[i];
		uint64 at;

		if (slot->n == 0)
			continue;
		at = hash_pair(slot->user, slot->group) & (nslots - 1);
		while (slots[at].n != 0)
			at = (at + 1) & (nslots - 1);
		slots[at] = *slot;
	}
	pfree(counts->slots);
	set_table(counts, slots, nslots);
}

/* The slot has counted 2^32 rows and so shows 0: note all but one of them. */
static pg_noinline void
carry(EcCounts *counts, Slot *slot)
{
	if (counts->carries == NULL)
		counts->carries = MemoryContextAlloc(counts->context, sizeof(Carry));
	else
		counts->carries = repalloc_huge(counts->carries, sizeof(Carry) * (counts->ncarries + 1));
	counts->carries[counts->ncarries].user = slot->user;
	counts->carries[counts->ncarries].group = slot->group;
	counts->ncarries++;
	slot->n = 1;
}

static inline void
count_row(EcCounts *counts, uint64 hash, int64 user, uint32 group)
{
	uint64 at = hash & counts->mask;
	Slot *slot = &counts->slots[at];

	while (slot->n != 0 && (slot->user != user || slot->group != group))
	{
		at = (at + 1) & counts->mask;
		slot = &counts->slots[at];
	}
	if (slot->n == 0)
	{
		slot->user = user;
		slot->group = group;
		counts->used++;
	}
	if (unlikely(++slot->n == 0))
		carry(counts, slot);
}

void
ec_counts_add(EcCounts *counts, uint32 n, const int64 *users, const uint8 *nulls,
			  const uint32 *groups)
{
	uint64 *hashes = counts->hashes;

	while (counts->used + n > counts->limit)
		grow(counts);
	for (uint32 i = 0; i < n; i++)
		hashes[i] = hash_pair(users[i], groups[i]);
	if (nulls != NULL)
	{
		for (uint32 i = 0; i < n; i++)
		{
			if (nulls[i])
				hashes[i] = hash_pair(0, groups[i] | USER_NULL);
		}
	}
	for (uint32 i = 0; i < n; i++)
	{
		__builtin_prefetch(&counts->slots[hashes[i + PREFETCH_DISTANCE] & counts->mask], 1);
		if (nulls != NULL && nulls[i])
			count_row(counts, hashes[i], 0, groups[i] | USER_NULL);
		else
			count_row(counts, hashes[i], users[i], groups[i]);
	}
}

static uint64
carried(const EcCounts *counts, const Slot *slot)
{
	uint64 n = 0;

	for (uint32 i = 0; i < counts->ncarries; i++)
	{
		if (counts->carries[i].user == slot->user && counts->carries[i].group == slot->group)
			n += PG_UINT32_MAX;
	}
	return n;
}

void
ec_counts_visit(EcCounts *counts, EcCountVisitor visit, void *arg)
{
	uint64 least = 1;

	for (uint64 i = 0; i <= counts->mask; i++)
	{
		const Slot *slot = &counts->slots[i];
		EcCount count;

		if (i % VISIT_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		if (slot->n == 0 || (slot->n < least && counts->ncarries == 0))
			continue;
		count.user = slot->user;
		count.n = slot->n + carried(counts, slot);
		count.group = slot->group & ~USER_NULL;
		count.user_null = (slot->group & USER_NULL) != 0;
		if (count.n >= least)
			visit(&count, &least, arg);
	}
}
