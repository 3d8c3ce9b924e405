/*
 * combinations.h
 *	  Categories and brands of the rows, and their combinations: group numbers at first,
 *	  words that sort (by category, then brand, COLLATE "C", NULLs last) once all are known.
 */
#ifndef EC_COMBINATIONS_H
#define EC_COMBINATIONS_H

#include "postgres.h"

#include "insight/groups.h"
#include "insight/interner.h"
#include "insight/rows.h"

typedef struct EcCombinations
{
	EcInterner *categories;
	EcInterner *brands;
	EcTextColumn category;
	EcTextColumn brand;
	EcGroups groups;
	uint32 *numbers; /* [EC_BLOCK_ROWS] */

	/* once they are ranked */
	uint32 *category_ranks;
	uint32 *brand_ranks;
	uint32 *category_ids; /* by rank */
	uint32 *brand_ids;
} EcCombinations;

extern void ec_combinations_init(EcCombinations *combinations, MemoryContext context);

/* The group numbers of a batch's rows. */
extern const uint32 *ec_combinations_find(EcCombinations *combinations, EcRows *rows);

/* After the last text. */
extern void ec_combinations_rank(EcCombinations *combinations, MemoryContext context);

/* A group's word, and the texts of a word. */
extern uint64 ec_combinations_word(const EcCombinations *combinations, uint32 number);
extern void
ec_combinations_put(const EcCombinations *combinations, uint64 word, Datum *values, bool *nulls);

/* The group number of two ids. */
static inline uint32
ec_combinations_number(EcCombinations *combinations, uint32 category, uint32 brand)
{
	uint32 number;

	ec_groups_find_ids(&combinations->groups, 1, &category, &brand, &number);
	return number;
}

#endif /* EC_COMBINATIONS_H */
