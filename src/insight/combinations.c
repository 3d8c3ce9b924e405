/*
 * combinations.c
 *	  Combinations of category_code and brand as numbers.
 */
#include "postgres.h"

#include "insight/combinations.h"

void
ec_combinations_init(EcCombinations *combinations, MemoryContext context)
{
	combinations->categories = ec_interner_create(context);
	combinations->brands = ec_interner_create(context);
	ec_text_column_init(&combinations->category, EC_COL_CATEGORY_CODE, combinations->categories,
						context);
	ec_text_column_init(&combinations->brand, EC_COL_BRAND, combinations->brands, context);
	ec_groups_init(&combinations->groups, context);
	combinations->numbers = MemoryContextAlloc(context, sizeof(uint32) * EC_BLOCK_ROWS);
}

const uint32 *
ec_combinations_find(EcCombinations *combinations, EcRows *rows)
{
	const uint32 *categories = ec_rows_ids(rows, &combinations->category);
	const uint32 *brands = ec_rows_ids(rows, &combinations->brand);

	ec_groups_find_ids(&combinations->groups, rows->n, categories, brands, combinations->numbers);
	return combinations->numbers;
}

static uint32 *
invert_ranks(const uint32 *ranks, uint32 count, MemoryContext context)
{
	uint32 *ids = MemoryContextAllocHuge(context, sizeof(uint32) * Max((Size) count, 1));

	for (uint32 id = 1; id <= count; id++)
		ids[ranks[id]] = id;
	return ids;
}

void
ec_combinations_rank(EcCombinations *combinations, MemoryContext context)
{
	const EcInterner *categories = combinations->categories;
	const EcInterner *brands = combinations->brands;

	combinations->category_ranks = ec_interner_ranks(categories, context);
	combinations->brand_ranks = ec_interner_ranks(brands, context);
	combinations->category_ids =
		invert_ranks(combinations->category_ranks, ec_interner_count(categories), context);
	combinations->brand_ids =
		invert_ranks(combinations->brand_ranks, ec_interner_count(brands), context);
}

uint64
ec_combinations_word(const EcCombinations *combinations, uint32 number)
{
	const EcGroupKey *key = &combinations->groups.keys[number];

	return (uint64) combinations->category_ranks[key->major] << 32 |
		   combinations->brand_ranks[key->minor];
}

static Datum
rank_datum(const EcInterner *texts, const uint32 *ids, uint32 rank, bool *isnull)
{
	return ec_interner_datum(texts, rank == PG_UINT32_MAX ? EC_ID_NULL : ids[rank], isnull);
}

void
ec_combinations_put(const EcCombinations *combinations, uint64 word, Datum *values, bool *nulls)
{
	values[0] =
		rank_datum(combinations->categories, combinations->category_ids, word >> 32, &nulls[0]);
	values[1] = rank_datum(combinations->brands, combinations->brand_ids, (uint32) word, &nulls[1]);
}
