/*
 * tally.c
 *	  Hash aggregation of fixed-width keys, by open addressing with prefetching.
 *
 * As in counts.c, a look-up in a table of millions of keys costs a memory access, so
 * the slots of rows PREFETCH_DISTANCE ahead are requested early.  The loops are made
 * for each number of key words by inlining.
 *
 * A slot is the key's words and then the state's.  A key of zeros marks an empty slot;
 * the real key of zeros has a place of its own, zero.
 *
 * When the table may not grow any more, the upper half of the hash partitions that it
 * holds is written to files (a record is a slot).  Rows of those get a record of their
 * own in scratch, which is written when the next call comes and their states are
 * final.  In the end each file is combined in a tally of its own, which partitions by
 * the next bits of the hash should it be too large again.
 */
#include "postgres.h"

#include "executor/nodeHash.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "insight/spill.h"
#include "insight/tally.h"
#include "vector/vector.h"

#define MIN_SLOTS 32768 /* a power of two; more than a block's rows fit */
#define PREFETCH_DISTANCE 24
#define CHUNK 512		  /* rows whose hashes are computed at once */
#define CHECK_STEP 65536  /* slots between checks for interrupts */
#define READ_RECORDS 1024 /* of a file at once */

StaticAssertDecl(MIN_SLOTS / 10 * 7 > EC_BLOCK_ROWS, "a block's keys must fit the least table");

struct EcTally
{
	MemoryContext context; /* holds everything of it */
	int key_words;
	int stride; /* words of a slot */
	EcTallyCombine combine;
	double share;
	int level; /* of the partitions: see ec_spill_partition */
	uint64 max_slots;
	uint64 *slots; /* [(mask + 1) * stride] */
	uint64 mask;
	uint64 used;
	uint64 limit; /* used beyond which the table is too full */
	bool has_zero;
	uint64 *zero;	 /* the slot of the key of zeros */
	uint64 *nobody;	 /* the state of rows left out */
	uint64 **states; /* [EC_BLOCK_ROWS], what find returns */
	uint32 resident; /* partitions below this one are in the table, the others in files */
	EcSpill *spill;	 /* NULL: all are resident */
	uint64 *scratch; /* records of the last call's rows that aren't resident */
	uint32 nscratch;
};

/* ---- the table ---- */

static void
allocate_table(EcTally *tally, uint64 nslots)
{
	tally->slots = ec_spill_allocate_slots(tally->context, sizeof(uint64) * tally->stride * nslots);
	tally->mask = nslots - 1;
	tally->limit = nslots / 10 * 7;
}

static EcTally *
create(MemoryContext parent, int key_words, int stride, EcTallyCombine combine, double share,
	   int level, uint64 expected)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight tally", ALLOCSET_DEFAULT_SIZES);
	EcTally *tally = MemoryContextAllocZero(context, sizeof(EcTally));
	/* half of the memory allowed: while it grows, the old table is there too */
	double fit = get_hash_memory_limit() * share / 2 / (sizeof(uint64) * stride);
	uint64 nslots = pg_nextpower2_64(Max(expected / 7 * 10, MIN_SLOTS));

	tally->context = context;
	tally->key_words = key_words;
	tally->stride = stride;
	tally->combine = combine;
	tally->share = share;
	tally->level = level;
	tally->resident = EC_SPILL_PARTITIONS;
	tally->max_slots = pg_prevpower2_64((uint64) Max(fit, MIN_SLOTS));
	tally->zero = MemoryContextAllocZero(context, sizeof(uint64) * stride * 2);
	tally->nobody = tally->zero + stride + key_words;
	allocate_table(tally, Min(nslots, tally->max_slots));
	return tally;
}

EcTally *
ec_tally_create(MemoryContext parent, int key_words, int state_words, EcTallyCombine combine,
				double share)
{
	Assert(key_words > 0 && key_words <= EC_TALLY_KEY_MAX);
	Assert(state_words >= 0 && state_words <= EC_TALLY_STATE_MAX);
	Assert(combine != NULL || state_words == 0);
	return create(parent, key_words, key_words + state_words, combine, share, 0, 0);
}

void
ec_tally_destroy(EcTally *tally)
{
	if (tally->spill != NULL)
		ec_spill_close(tally->spill);
	MemoryContextDelete(tally->context);
}

static inline uint64
hash_words(const uint64 *key, int key_words)
{
	uint64 h = 0;

	for (int w = 0; w < key_words; w++)
	{
		h ^= key[w];
		h *= UINT64CONST(0xD6E8FEB86659FD93);
		h ^= h >> 32;
	}
	h *= UINT64CONST(0x9E3779B97F4A7C15);
	return h ^ (h >> 32);
}

static inline bool
equal_words(const uint64 *a, const uint64 *b, int key_words)
{
	uint64 different = 0;

	for (int w = 0; w < key_words; w++)
		different |= a[w] ^ b[w];
	return different == 0;
}

static inline bool
is_zero(const uint64 *key, int key_words)
{
	uint64 bits = 0;

	for (int w = 0; w < key_words; w++)
		bits |= key[w];
	return bits == 0;
}

static inline void
copy_words(uint64 *to, const uint64 *from, int words)
{
	for (int w = 0; w < words; w++)
		to[w] = from[w];
}

/* A slot whose key the table doesn't hold yet. */
static void
put_slot(EcTally *tally, const uint64 *slot)
{
	uint64 at = hash_words(slot, tally->key_words) & tally->mask;

	while (!is_zero(tally->slots + at * tally->stride, tally->key_words))
		at = (at + 1) & tally->mask;
	copy_words(tally->slots + at * tally->stride, slot, tally->stride);
}

static void
put_slots(EcTally *tally, const uint64 *slots, uint64 n)
{
	for (uint64 i = 0; i < n; i++)
	{
		if (i % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		if (!is_zero(slots + i * tally->stride, tally->key_words))
			put_slot(tally, slots + i * tally->stride);
	}
}

static void
grow(EcTally *tally)
{
	uint64 *slots = tally->slots;
	uint64 nslots = tally->mask + 1;

	allocate_table(tally, nslots * 2);
	put_slots(tally, slots, nslots);
	pfree(slots);
}

/* The slot of a key that isn't zeros; reserve has made room. */
static inline uint64 *
find_slot(EcTally *tally, uint64 hash, const uint64 *key, int key_words)
{
	uint64 at = hash & tally->mask;
	uint64 *slot = tally->slots + at * tally->stride;

	while (!equal_words(slot, key, key_words))
	{
		if (is_zero(slot, key_words))
		{
			copy_words(slot, key, key_words);
			tally->used++;
			return slot;
		}
		at = (at + 1) & tally->mask;
		slot = tally->slots + at * tally->stride;
	}
	return slot;
}

/* ---- partitions in files ---- */

static void
write_record(EcTally *tally, const uint64 *record)
{
	uint64 hash = hash_words(record, tally->key_words);
	uint32 number = ec_spill_partition(hash, tally->level);

	copy_words(ec_spill_write(tally->spill, number), record, tally->stride);
}

static void
write_scratch(EcTally *tally)
{
	for (uint32 i = 0; i < tally->nscratch; i++)
		write_record(tally, tally->scratch + (Size) i * tally->stride);
	tally->nscratch = 0;
}

/* Writes what belongs to partitions that are no longer resident; packs and counts what stays. */
static uint64
write_out(EcTally *tally, uint64 *slots, uint64 n)
{
	uint64 kept = 0;

	for (uint64 i = 0; i < n; i++)
	{
		const uint64 *slot = slots + i * tally->stride;
		uint64 hash = hash_words(slot, tally->key_words);

		if (i % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		if (is_zero(slot, tally->key_words))
			continue;
		if (ec_spill_partition(hash, tally->level) >= tally->resident)
			write_record(tally, slot);
		else
			copy_words(slots + kept++ * tally->stride, slot, tally->stride);
	}
	return kept;
}

static void
start_spilling(EcTally *tally)
{
	Size size = sizeof(uint64) * tally->stride;

	tally->spill = ec_spill_create(tally->context, size);
	tally->scratch = MemoryContextAllocHuge(tally->context, size * EC_BLOCK_ROWS);
}

/* Makes room: half of the partitions that are resident leave the table. */
static void
shrink(EcTally *tally)
{
	uint64 nslots = tally->mask + 1;
	Size size = sizeof(uint64) * tally->stride;
	uint64 kept;
	uint64 *packed;

	if (tally->spill == NULL)
		start_spilling(tally);
	tally->resident /= 2;
	kept = write_out(tally, tally->slots, nslots);
	packed = MemoryContextAllocHuge(tally->context, size * Max(kept, 1));
	memcpy(packed, tally->slots, size * kept);
	memset(tally->slots, 0, size * nslots);
	put_slots(tally, packed, kept);
	tally->used = kept;
	pfree(packed);
}

/* Room for n keys more, so that states stay where they are while they are added. */
static void
reserve(EcTally *tally, uint32 n)
{
	Assert(n <= EC_BLOCK_ROWS);
	write_scratch(tally);
	while (tally->used + n > tally->limit)
	{
		if (tally->mask + 1 < tally->max_slots || tally->level == EC_SPILL_MAX_LEVEL)
			grow(tally);
		else
			shrink(tally);
	}
}

/* ---- rows in ---- */

static uint64 *
scratch_slot(EcTally *tally, const uint64 *key)
{
	uint64 *record = tally->scratch + (Size) tally->nscratch++ * tally->stride;

	memset(record, 0, sizeof(uint64) * tally->stride);
	copy_words(record, key, tally->key_words);
	return record;
}

/* The slot of any key, or a record. */
static inline uint64 *
find_any(EcTally *tally, uint64 hash, const uint64 *key, int key_words)
{
	if (unlikely(is_zero(key, key_words)))
	{
		tally->has_zero = true;
		return tally->zero;
	}
	if (unlikely(tally->spill != NULL) && ec_spill_partition(hash, tally->level) >= tally->resident)
		return scratch_slot(tally, key);
	return find_slot(tally, hash, key, key_words);
}

/* Rows start .. start + n - 1; n <= CHUNK. */
static inline void
find_chunk(EcTally *tally, uint32 start, uint32 n, const uint64 *const *keys, const uint8 *skip,
		   int key_words)
{
	uint64 hashes[CHUNK + PREFETCH_DISTANCE];
	uint64 key[EC_TALLY_KEY_MAX];

	for (uint32 i = 0; i < n; i++)
	{
		for (int w = 0; w < key_words; w++)
			key[w] = keys[w][start + i];
		hashes[i] = hash_words(key, key_words);
	}
	memset(hashes + n, 0, sizeof(uint64) * PREFETCH_DISTANCE);
	for (uint32 i = 0; i < n; i++)
	{
		uint64 ahead = hashes[i + PREFETCH_DISTANCE] & tally->mask;

		__builtin_prefetch(tally->slots + ahead * tally->stride, 1);
		if (skip != NULL && skip[start + i])
		{
			tally->states[start + i] = tally->nobody;
			continue;
		}
		for (int w = 0; w < key_words; w++)
			key[w] = keys[w][start + i];
		tally->states[start + i] = find_any(tally, hashes[i], key, key_words) + key_words;
	}
}

static inline void
find_rows(EcTally *tally, uint32 n, const uint64 *const *keys, const uint8 *skip, int key_words)
{
	for (uint32 start = 0; start < n; start += CHUNK)
		find_chunk(tally, start, Min(CHUNK, n - start), keys, skip, key_words);
}

uint64 *const *
ec_tally_find(EcTally *tally, uint32 n, const uint64 *const *keys, const uint8 *skip)
{
	if (tally->states == NULL)
		tally->states = MemoryContextAlloc(tally->context, sizeof(uint64 *) * (Size) EC_BLOCK_ROWS);
	reserve(tally, n);
	switch (tally->key_words)
	{
		case 1:
			find_rows(tally, n, keys, skip, 1);
			break;
		case 2:
			find_rows(tally, n, keys, skip, 2);
			break;
		case 3:
			find_rows(tally, n, keys, skip, 3);
			break;
		default:
			find_rows(tally, n, keys, skip, 4);
			break;
	}
	return tally->states;
}

void
ec_tally_add(EcTally *tally, uint32 n, const uint64 *const *keys, const uint8 *skip)
{
	(void) ec_tally_find(tally, n, keys, skip);
}

uint64 *
ec_tally_find_one(EcTally *tally, const uint64 *key)
{
	uint64 hash = hash_words(key, tally->key_words);

	if (tally->used >= tally->limit || tally->nscratch == EC_BLOCK_ROWS)
		reserve(tally, 1);
	return find_any(tally, hash, key, tally->key_words) + tally->key_words;
}

/* ---- states out ---- */

static void
visit_table(EcTally *tally, EcTallyVisitor visit, void *arg)
{
	if (tally->has_zero)
		visit(tally->zero, tally->zero + tally->key_words, arg);
	for (uint64 i = 0; i <= tally->mask; i++)
	{
		uint64 *slot = tally->slots + i * tally->stride;

		if (i % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		if (!is_zero(slot, tally->key_words))
			visit(slot, slot + tally->key_words, arg);
	}
}

/* Combines a partition's records in a tally of their own. */
static EcTally *
combine_partition(EcTally *tally, uint32 number)
{
	EcTally *child = create(tally->context, tally->key_words, tally->stride, tally->combine,
							tally->share, tally->level + 1, ec_spill_records(tally->spill, number));
	Size size = sizeof(uint64) * tally->stride;
	uint64 *records = MemoryContextAlloc(child->context, size * READ_RECORDS);
	uint32 n;

	while ((n = ec_spill_read(tally->spill, number, records, READ_RECORDS)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < n; i++)
		{
			const uint64 *record = records + (Size) i * tally->stride;
			uint64 *state = ec_tally_find_one(child, record);

			if (tally->combine != NULL)
				tally->combine(state, record + tally->key_words);
		}
	}
	write_scratch(child);
	pfree(records);
	return child;
}

static void
free_table(EcTally *tally)
{
	write_scratch(tally);
	pfree(tally->slots);
	tally->slots = NULL;
}

void
ec_tally_visit(EcTally *tally, EcTallyVisitor visit, void *arg)
{
	visit_table(tally, visit, arg);
	free_table(tally);
	for (uint32 i = 0; tally->spill != NULL && i < EC_SPILL_PARTITIONS; i++)
	{
		EcTally *child;

		if (ec_spill_records(tally->spill, i) == 0)
			continue;
		child = combine_partition(tally, i);
		ec_tally_visit(child, visit, arg);
		ec_tally_destroy(child);
	}
}

bool
ec_tally_is_full(const EcTally *tally)
{
	return tally->used + EC_BLOCK_ROWS > tally->max_slots / 10 * 7;
}

void
ec_tally_drain(EcTally *tally, EcTallyVisitor visit, void *arg)
{
	Assert(tally->spill == NULL);
	visit_table(tally, visit, arg);
	memset(tally->slots, 0, sizeof(uint64) * tally->stride * (tally->mask + 1));
	memset(tally->zero, 0, sizeof(uint64) * tally->stride);
	tally->has_zero = false;
	tally->used = 0;
}

uint64
ec_tally_count(EcTally *tally)
{
	uint64 n = tally->used + tally->has_zero;

	free_table(tally);
	for (uint32 i = 0; tally->spill != NULL && i < EC_SPILL_PARTITIONS; i++)
	{
		EcTally *child;

		if (ec_spill_records(tally->spill, i) == 0)
			continue;
		child = combine_partition(tally, i);
		n += ec_tally_count(child);
		ec_tally_destroy(child);
	}
	return n;
}
