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
static uint32 *
find_slot(const EcVariants *variants, const EcVariant *key)
{
	uint32 i = hash_variant(key) & variants->mask;

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
		*find_slot(variants, &variants->keys[number]) = number + 1;
}

static uint32
find_number(EcVariants *variants, const EcVariant *key)
{
	uint32 *slot = find_slot(variants, key);

	if (*slot != 0)
		return *slot - 1;
	if (variants->count == variants->capacity)
	{
		grow(variants);
		slot = find_slot(variants, key);
	}
	variants->keys[variants->count] = *key;
	*slot = ++variants->count;
	return variants->count - 1;
}

void
ec_variants_find(EcVariants *variants, uint32 n, const int64 *products, const uint8 *nulls,
				 const uint32 *codes, const uint32 *brands, uint32 *numbers)
{
	for (uint32 i = 0; i < n; i++)
	{
		EcVariant key = {products[i], codes[i], brands[i]};

		if (nulls != NULL && nulls[i])
		{
			key.product = 0;
			key.brand |= EC_VARIANT_NULL;
		}
		numbers[i] = find_number(variants, &key);
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
