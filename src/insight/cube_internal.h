/*
 * cube_internal.h
 *	  A question to the bucketed views while it is answered: cube.c, cube_cells.c, cube_extremes.c,
 *	  cube_tops.c.
 */
#ifndef EC_CUBE_INTERNAL_H
#define EC_CUBE_INTERNAL_H

#include "postgres.h"

#include "insight/cells.h"
#include "insight/cube.h"
#include "insight/extremes.h"
#include "insight/interner.h"
#include "insight/revenue.h"
#include "insight/rows.h"
#include "insight/tally.h"

#define EC_CUBE_KEY_WORDS 4

/* A group's state; what is asked without prices has the counts only. */
typedef enum EcCubeState
{
	EC_CUBE_COUNTS, /* [EC_TYPE_CLASSES] */
	EC_CUBE_PRICES = EC_CUBE_COUNTS + EC_TYPE_CLASSES,
	EC_CUBE_SUM, /* EC_REVENUE_WORDS each */
	EC_CUBE_REVENUES = EC_CUBE_SUM + EC_REVENUE_WORDS,
	EC_CUBE_MIN = EC_CUBE_REVENUES + EC_REVENUE_WORDS, /* if EC_CUBE_KNOWN isn't 0 */
	EC_CUBE_MAX,
	EC_CUBE_KNOWN,
	EC_CUBE_STATE_WORDS
} EcCubeState;

/* Which summaries are read. */
typedef enum EcCubeSource
{
	EC_CUBE_FROM_ROWS, /* none */
	EC_CUBE_FROM_CATEGORIES,
	EC_CUBE_FROM_BRANDS,
	EC_CUBE_FROM_PRODUCTS,		/* sums of a range */
	EC_CUBE_FROM_PRODUCT_HOURS, /* cells */
	EC_CUBE_FROM_USERS
} EcCubeSource;

/* Keys of n rows or cells; arrays of those that are not needed are not looked at. */
typedef struct EcCubeBatch
{
	uint32 n;
	int64 length;		  /* of slots: they may be shorter than buckets; 0: times */
	const int64 *slots;	  /* or times */
	const uint8 *no_slot; /* may be NULL, as the others: there is none */
	const int64 *ids;
	const uint8 *no_id;
	const int64 *categories;
	const uint8 *no_category;
	const uint32 *codes;
	const uint32 *brands;
	const uint8 *skip; /* may be NULL */
} EcCubeBatch;

typedef struct EcCubeHidden EcCubeHidden;

typedef struct EcCube
{
	const EcCubeQuery *query;
	MemoryContext context;
	EcCubeSource source;
	uint32 needed;	 /* bits of keys: of the grain and of filters */
	uint32 filtered; /* of filters */
	bool prices;
	bool extremes;
	EcInterner *codes;
	EcInterner *brands;
	EcTextColumn code;
	EcTextColumn brand;
	EcIntColumn time;
	EcIntColumn id;
	EcIntColumn category;
	EcArgs args;
	EcRows rows;
	bool is_covered;
	EcSlotCells scan; /* of categories and brands, if covered */
	EcTally *tally;
	int key_words;
	uint64 *keys[EC_CUBE_KEY_WORDS]; /* [EC_BLOCK_ROWS] */
	uint8 *skip;					 /* likewise */
	int32 scale;
	EcExtremes *hidden; /* extremes of hidden rows */
	EcCubeHidden *hidden_groups;
	EcCubeUse *use;
} EcCube;

/* The groups' states, see ec_tally_find; *skip tells which rows a filter has left out (NULL: none). */
extern uint64 *const *ec_cube_find(EcCube *cube, const EcCubeBatch *batch, const uint8 **skip);

static inline bool
ec_cube_needs(const EcCube *cube, EcCubeColumn column)
{
	return (cube->needed & EC_CUBE_BIT(column)) != 0;
}

static inline void
ec_cube_widen(uint64 *state, int64 min, int64 max)
{
	if (state[EC_CUBE_KNOWN])
	{
		min = Min((int64) state[EC_CUBE_MIN], min);
		max = Max((int64) state[EC_CUBE_MAX], max);
	}
	state[EC_CUBE_MIN] = (uint64) min;
	state[EC_CUBE_MAX] = (uint64) max;
	state[EC_CUBE_KNOWN] = 1;
}

/* cube_cells.c: which summaries tell, and what they tell. */
extern void ec_cube_cover(EcCube *cube);
extern void ec_cube_add_cells(EcCube *cube);

/* cube_tops.c: all groups that the question wants, if lists of the greatest tell; else nothing. */
extern bool ec_cube_add_tops(EcCube *cube);

/* cube.c: opens the rows; columns besides those that the question needs. */
extern void ec_cube_open_rows(EcCube *cube, uint32 columns);
extern bool ec_cube_keeps(const EcCubeFilter *filter, int64 value);

/* cube_extremes.c: a batch of hidden rows, whose keys ec_cube_find has put to cube->keys. */
extern void ec_cube_hide(EcCube *cube, uint32 n, const int64 *times, const uint8 *no_time,
						 const EcPrices *prices, const uint8 *skip);

/* Do a cell's extremes hold?  Its keys are the i-th of cube->keys. */
extern bool ec_cube_holds(EcCube *cube, uint32 i, int64 slot, bool no_slot, int64 min, int64 max);

/* The ranges of time whose rows are to be looked at again, one after the other. */
extern bool ec_cube_next_range(EcCube *cube, EcSlots *range);

#endif /* EC_CUBE_INTERNAL_H */
