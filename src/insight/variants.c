/*
 * variants.c
 *	  A hash table of products with category and brand: open addressing, linear probing,
 *	  at most half full.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "insight/variants.h"
#include "vector/hash.h"

#define SLOTS_MIN 1024

/* Rows looked up together. */
#define CHUNK 64

void
ec_variants_init(EcVariants *variants, MemoryContext context)
{
	memset(variants, 0, sizeof(*variants));
	variants->context = context;
	variants->mask = SLOTS_MIN - 1;
	variants->slots = MemoryContextAllocZero(context, sizeof(uint32) * SLOTS_MIN);
	variants->capacity = SLOTS_MIN / 2;
	variants->keys = MemoryContextAlloc(context, sizeof(EcVariant) * variants->capacity);
}

static uint32
hash_variant(const EcVariant *key)
{
	uint64 texts = (uint64) key->code << 32 | key->brand;

	return (uint32) ec_hash_mix((uint64) key->product ^ EC_HASH_K0, texts ^ EC_HASH_K1);
}

static bool
is_same(const EcVariant *a, const EcVariant *b)
{
	return a->product == b->product && a->code == b->code && a->brand == b->brand;
}

/* The slot of a key, or the empty one where it belongs. */
static inline uint32 *
find_slot(const EcVariants *variants, const EcVariant *key, uint32 hash)
{
	uint32 i = hash & variants->mask;

	while (variants->slots[i] != 0 && !is_same(&variants->keys[variants->slots[i] - 1], key))
		i = (i + 1) & variants->mask;
	return &variants->slots[i];
}

/* Twice the room. */
static void
grow(EcVariants *variants)
{
	uint32 size = (variants->mask + 1) * 2;

	if (variants->capacity > PG_UINT32_MAX / 8)
		elog(ERROR, "too many products in a summary");
	pfree(variants->slots);
	variants->slots = MemoryContextAllocExtended(variants->context, sizeof(uint32) * (Size) size,
												 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	variants->mask = size - 1;
	variants->capacity = size / 2;
	variants->keys = repalloc_huge(variants->keys, sizeof(EcVariant) * (Size) variants->capacity);
	for (uint32 number = 0; number < variants->count; number++)
	{
		const EcVariant *key = &variants->keys[number];

		*find_slot(variants, key, hash_variant(key)) = number + 1;
	}
}

static inline uint32
find_number(EcVariants *variants, const EcVariant *key, uint32 hash)
{
	uint32 *slot = find_slot(variants, key, hash);

	if (*slot != 0)
		return *slot - 1;
	if (variants->count == variants->capacity)
	{
		grow(variants);
		slot = find_slot(variants, key, hash);
	}
	variants->keys[variants->count] = *key;
	*slot = ++variants->count;
	return variants->count - 1;
}

/* The slots of a chunk's keys, then the keys that these name, are on their way while others are looked at. */
static void
find_chunk(EcVariants *variants, uint32 n, const EcVariant *keys, uint32 *numbers)
{
	uint32 hashes[CHUNK];

	for (uint32 i = 0; i < n; i++)
	{
		hashes[i] = hash_variant(&keys[i]);
		__builtin_prefetch(&variants->slots[hashes[i] & variants->mask]);
	}
	for (uint32 i = 0; i < n; i++)
	{
		uint32 number1 = variants->slots[hashes[i] & variants->mask];

		__builtin_prefetch(&variants->keys[number1 == 0 ? 0 : number1 - 1]);
	}
	for (uint32 i = 0; i < n; i++)
		numbers[i] = find_number(variants, &keys[i], hashes[i]);
}

void
ec_variants_find(EcVariants *variants, uint32 n, const int64 *products, const uint8 *nulls,
				 const uint32 *codes, const uint32 *brands, uint32 *numbers)
{
	EcVariant keys[CHUNK];

	for (uint32 start = 0; start < n; start += CHUNK)
	{
		uint32 count = Min(n - start, CHUNK);

		for (uint32 i = 0; i < count; i++)
		{
			uint32 row = start + i;
			bool isnull = nulls != NULL && nulls[row];

			keys[i].product = isnull ? 0 : products[row];
			keys[i].code = codes[row];
			keys[i].brand = brands[row] | (isnull ? EC_VARIANT_NULL : 0);
		}
		find_chunk(variants, count, keys, numbers + start);
	}
}

/* ---- order ---- */

#define compare_numbers(a, b) (((a) > (b)) - ((a) < (b)))

static int
compare_variants(const void *a, const void *b, void *arg)
{
	const EcVariant *keys = arg;
	const EcVariant *x = &keys[*(const uint32 *) a];
	const EcVariant *y = &keys[*(const uint32 *) b];
	uint32 xnull = x->brand & EC_VARIANT_NULL;
	uint32 ynull = y->brand & EC_VARIANT_NULL;

	if (xnull != ynull)
		return compare_numbers(xnull, ynull);
	if (x->product != y->product)
		return compare_numbers(x->product, y->product);
	if (x->code != y->code)
		return compare_numbers(x->code, y->code);
	return compare_numbers(x->brand, y->brand);
}

uint32 *
ec_variants_order(const EcVariants *variants, MemoryContext context)
{
	uint32 *order = MemoryContextAllocExtended(
		context, sizeof(uint32) * (Size) Max(variants->count, 1), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < variants->count; i++)
		order[i] = i;
	qsort_arg(order, variants->count, sizeof(uint32), compare_variants, variants->keys);
	return order;
}
