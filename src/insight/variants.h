/*
 * variants.h
 *	  Products to small numbers 0, 1, 2 ...: (product_id or NULL, ids of category_code
 *	  and brand).
 *
 * A product that changes its category or brand has several variants, so that summaries
 * by variant know which it had when.  Memory: 45 to 70 bytes for each.
 */
#ifndef EC_VARIANTS_H
#define EC_VARIANTS_H

#include "postgres.h"

typedef struct EcVariant
{
	int64 product; /* 0 if it is NULL */
	uint32 code;   /* id */
	uint32 brand;  /* id, with EC_VARIANT_NULL if the product is NULL */
} EcVariant;

#define EC_VARIANT_NULL 0x80000000

typedef struct EcVariants
{
	MemoryContext context;
	EcVariant *keys; /* by number */
	uint32 *slots;	 /* number + 1; 0: empty */
	uint32 mask;
	uint32 count;
	uint32 capacity; /* of keys */
} EcVariants;

extern void ec_variants_init(EcVariants *variants, MemoryContext context);

/* numbers[i] of row i; nulls may be NULL. */
extern void
ec_variants_find(EcVariants *variants, uint32 n, const int64 *products, const uint8 *nulls,
				 const uint32 *codes, const uint32 *brands, uint32 *numbers);

/*
 * The variants by product_id (NULL last): order[i] is the number of the i-th.  Those of a
 * product stand together.
 */
extern uint32 *ec_variants_order(const EcVariants *variants, MemoryContext context);

#endif /* EC_VARIANTS_H */
