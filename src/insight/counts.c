/*
 * counts.c
 *	  Rows by (user, group), by open addressing with prefetching.
 *
 * A table of millions of pairs is far larger than the caches, so a look-up costs a
 * memory access; the slots of the rows PREFETCH_DISTANCE ahead are requested while
 * the present row is counted.  The table asks for huge pages, which saves most of
 * the misses of the address translation.
 *
 * A slot's count has 32 bits.  What doesn't fit is carried to a list beside the table.
 *
 * When the table may not grow any more, the upper half of the hash partitions that it
 * holds is written to files (a record is a slot), one for each partition, and rows of
 * those go straight to their file from then on.  At the end each file is counted in a
 * table of its own, which partitions by the next bits of the hash should it be too
 * large again.
 */
#include "postgres.h"

#include "executor/nodeHash.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "insight/counts.h"
#include "insight/interner.h"
#include "insight/spill.h"
#include "vector/vector.h"

#define MIN_SLOTS 65536 /* a power of two; more than a block's rows fit */
#define PREFETCH_DISTANCE 24
#define USER_NULL 0x80000000U /* in Slot.group */
#define CHECK_STEP 65536	  /* slots or records between checks for interrupts */
#define READ_RECORDS 1024

typedef struct Slot
{
	int64 user;
	uint32 group; /* with USER_NULL if user is NULL */
	uint32 n;	  /* 0: empty */
} Slot;

struct EcCounts
{
	MemoryContext context; /* holds everything of it */
	int level;			   /* of the partitions: see ec_spill_partition */
	uint64 max_slots;
	Slot *slots;
	uint64 mask;
	uint64 used;
	uint64 limit;	/* used beyond which the table is too full */
	uint64 *hashes; /* [EC_BLOCK_ROWS + PREFETCH_DISTANCE], for ec_counts_add */
	Slot *carries;	/* additions to the counts of slots in the table */
	uint32 ncarries;
	uint32 resident; /* partitions below this one are in the table, the others in files */
	EcSpill *spill;	 /* NULL: all are resident */
};

/* ---- the table ---- */

static Slot *
allocate_slots(EcCounts *counts, uint64 nslots)
{
	return ec_spill_allocate_slots(counts->context, sizeof(Slot) * nslots);
}

static void
set_table(EcCounts *counts, Slot *slots, uint64 nslots)
{
	counts->slots = slots;
	counts->mask = nslots - 1;
	counts->limit = nslots / 10 * 7;
}

static EcCounts *
create(MemoryContext parent, int level, uint64 expected)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight counts", ALLOCSET_DEFAULT_SIZES);
	EcCounts *counts = MemoryContextAllocZero(context, sizeof(EcCounts));
	uint64 nslots = pg_nextpower2_64(Max(expected / 7 * 10, MIN_SLOTS));

	counts->context = context;
	counts->level = level;
	counts->resident = EC_SPILL_PARTITIONS;
	/* half of the memory allowed: while it grows, the old table is there too */
	counts->max_slots =
		pg_prevpower2_64(Max(get_hash_memory_limit() / 2 / sizeof(Slot), MIN_SLOTS));
	nslots = Min(nslots, counts->max_slots);
	set_table(counts, allocate_slots(counts, nslots), nslots);
	return counts;
}

EcCounts *
ec_counts_create(MemoryContext parent)
{
	EcCounts *counts = create(parent, 0, 0);

	counts->hashes = MemoryContextAllocZero(counts->context,
											sizeof(uint64) * (EC_BLOCK_ROWS + PREFETCH_DISTANCE));
	return counts;
}

void
ec_counts_destroy(EcCounts *counts)
{
	if (counts->spill != NULL)
		ec_spill_close(counts->spill);
	MemoryContextDelete(counts->context);
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

/* A pair that the table doesn't hold yet. */
static void
put_slot(Slot *slots, uint64 mask, const Slot *slot)
{
	uint64 at = hash_pair(slot->user, slot->group) & mask;

	while (slots[at].n != 0)
		at = (at + 1) & mask;
	slots[at] = *slot;
}

static void
grow(EcCounts *counts)
{
	uint64 nslots = (counts->mask + 1) * 2;
	Slot *slots = allocate_slots(counts, nslots);

	for (uint64 i = 0; i <= counts->mask; i++)
	{
		if (i % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		if (counts->slots[i].n != 0)
			put_slot(slots, nslots - 1, &counts->slots[i]);
	}
	pfree(counts->slots);
	set_table(counts, slots, nslots);
}

/* Takes the slot's count out of it. */
static pg_noinline void
carry(EcCounts *counts, Slot *slot)
{
	Size size = sizeof(Slot) * (counts->ncarries + 1);

	if (counts->carries == NULL)
		counts->carries = MemoryContextAlloc(counts->context, size);
	else
		counts->carries = repalloc_huge(counts->carries, size);
	counts->carries[counts->ncarries++] = *slot;
	slot->n = 0;
}

static inline void
count(EcCounts *counts, uint64 hash, int64 user, uint32 group, uint32 n)
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
	else if (unlikely(slot->n > PG_UINT32_MAX - n))
		carry(counts, slot);
	slot->n += n;
}

/* ---- partitions in files ---- */

static inline void
write_record(EcCounts *counts, uint32 number, int64 user, uint32 group, uint32 n)
{
	Slot *record = ec_spill_write(counts->spill, number);

	record->user = user;
	record->group = group;
	record->n = n;
}

/* Writes what belongs to partitions that are no longer resident; returns how many records stay, packed. */
static uint64
write_out(EcCounts *counts, Slot *records, uint64 n)
{
	uint64 kept = 0;

	for (uint64 i = 0; i < n; i++)
	{
		const Slot *slot = &records[i];
		uint32 number;

		if (i % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		if (slot->n == 0)
			continue;
		number = ec_spill_partition(hash_pair(slot->user, slot->group), counts->level);
		if (number >= counts->resident)
			write_record(counts, number, slot->user, slot->group, slot->n);
		else
			records[kept++] = *slot;
	}
	return kept;
}

/* Makes room: half of the partitions that are resident leave the table. */
static void
shrink(EcCounts *counts)
{
	uint64 nslots = counts->mask + 1;
	uint64 kept;
	Slot *packed;

	if (counts->spill == NULL)
		counts->spill = ec_spill_create(counts->context, sizeof(Slot));
	counts->resident /= 2;
	counts->ncarries = write_out(counts, counts->carries, counts->ncarries);
	kept = write_out(counts, counts->slots, nslots);
	packed = MemoryContextAllocHuge(counts->context, sizeof(Slot) * Max(kept, 1));
	memcpy(packed, counts->slots, sizeof(Slot) * kept);
	memset(counts->slots, 0, sizeof(Slot) * nslots);
	for (uint64 i = 0; i < kept; i++)
		put_slot(counts->slots, counts->mask, &packed[i]);
	counts->used = kept;
	pfree(packed);
}

static void
reserve(EcCounts *counts, uint32 n)
{
	while (counts->used + n > counts->limit)
	{
		if (counts->mask + 1 < counts->max_slots || counts->level == EC_SPILL_MAX_LEVEL)
			grow(counts);
		else
			shrink(counts);
	}
}

/* ---- rows in ---- */

static inline void
add_row(EcCounts *counts, uint64 hash, int64 user, uint32 group)
{
	uint32 number = ec_spill_partition(hash, counts->level);

	if (number < counts->resident)
		count(counts, hash, user, group, 1);
	else
		write_record(counts, number, user, group, 1);
}

void
ec_counts_add(EcCounts *counts, uint32 n, const int64 *users, const uint8 *nulls,
			  const uint32 *groups)
{
	uint64 *hashes = counts->hashes;

	reserve(counts, n);
	for (uint32 i = 0; i < n; i++)
		hashes[i] = hash_pair(users[i], groups[i]);
	if (nulls != NULL || counts->spill != NULL)
	{
		for (uint32 i = 0; i < n; i++)
		{
			__builtin_prefetch(&counts->slots[hashes[i + PREFETCH_DISTANCE] & counts->mask], 1);
			if (nulls != NULL && nulls[i])
				add_row(counts, hash_pair(0, groups[i] | USER_NULL), 0, groups[i] | USER_NULL);
			else
				add_row(counts, hashes[i], users[i], groups[i]);
		}
		return;
	}
	for (uint32 i = 0; i < n; i++)
	{
		__builtin_prefetch(&counts->slots[hashes[i + PREFETCH_DISTANCE] & counts->mask], 1);
		count(counts, hashes[i], users[i], groups[i], 1);
	}
}

/* ---- counts out ---- */

static uint64
carried(const EcCounts *counts, const Slot *slot)
{
	uint64 n = 0;

	for (uint32 i = 0; i < counts->ncarries; i++)
	{
		if (counts->carries[i].user == slot->user && counts->carries[i].group == slot->group)
			n += counts->carries[i].n;
	}
	return n;
}

static void
visit_table(EcCounts *counts, EcCountVisitor visit, uint64 *least, void *arg)
{
	for (uint64 i = 0; i <= counts->mask; i++)
	{
		const Slot *slot = &counts->slots[i];
		EcCount item;

		if (i % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		if (slot->n == 0 || (slot->n < *least && counts->ncarries == 0))
			continue;
		item.user = slot->user;
		item.n = slot->n + carried(counts, slot);
		item.group = slot->group & ~USER_NULL;
		item.user_null = (slot->group & USER_NULL) != 0;
		if (item.n >= *least)
			visit(&item, least, arg);
	}
}

static void
count_records(EcCounts *counts, const Slot *records, uint32 n)
{
	CHECK_FOR_INTERRUPTS();
	reserve(counts, n);
	for (uint32 i = 0; i < n; i++)
	{
		uint64 hash = hash_pair(records[i].user, records[i].group);
		uint32 number = ec_spill_partition(hash, counts->level);

		if (number < counts->resident)
			count(counts, hash, records[i].user, records[i].group, records[i].n);
		else
			write_record(counts, number, records[i].user, records[i].group, records[i].n);
	}
}

/* Counts a partition's records in a table of their own. */
static EcCounts *
count_partition(EcCounts *counts, uint32 number)
{
	EcCounts *child =
		create(counts->context, counts->level + 1, ec_spill_records(counts->spill, number));
	Slot *records = MemoryContextAlloc(child->context, sizeof(Slot) * READ_RECORDS);
	uint32 n;

	while ((n = ec_spill_read(counts->spill, number, records, READ_RECORDS)) > 0)
		count_records(child, records, n);
	return child;
}

static void
visit_all(EcCounts *counts, EcCountVisitor visit, uint64 *least, void *arg)
{
	visit_table(counts, visit, least, arg);
	pfree(counts->slots);
	counts->slots = NULL;
	for (uint32 i = 0; counts->spill != NULL && i < EC_SPILL_PARTITIONS; i++)
	{
		EcCounts *child;

		if (ec_spill_records(counts->spill, i) == 0)
			continue;
		child = count_partition(counts, i);
		visit_all(child, visit, least, arg);
		ec_counts_destroy(child);
	}
}

void
ec_counts_visit(EcCounts *counts, EcCountVisitor visit, void *arg)
{
	uint64 least = 1;

	visit_all(counts, visit, &least, arg);
}
