/*
 * measures.h
 *	  What most insights say of a group: rows by kind of event, and the revenue.
 *
 * Groups are numbered 0, 1, 2 ...  Memory: about 100 bytes for each.
 */
#ifndef EC_MEASURES_H
#define EC_MEASURES_H

#include "postgres.h"

#include "insight/cells.h"
#include "insight/price.h"
#include "insight/rows.h"

typedef struct EcMeasures
{
	MemoryContext context;
	int64 (*counts)[EC_TYPE_CLASSES]; /* [capacity] rows by EC_TYPE_*, others at 0 */
	EcPriceSum *revenues;			  /* [capacity] prices of purchases */
	uint32 capacity;
} EcMeasures;

extern void ec_measures_init(EcMeasures *measures, MemoryContext context);

/* Room for groups 0 .. count - 1; new ones are empty. */
extern void ec_measures_reserve(EcMeasures *measures, uint32 count);

/* Adds n rows (or takes them away if sign is -1): row i to groups[i], for which there must be room. */
extern void ec_measures_add(EcMeasures *measures, uint32 n, int sign, const uint32 *groups,
							const uint32 *types, const EcPrices *prices);

/* Adds the current block's cells of a summary by category: cell i to groups[i]. */
extern void ec_measures_add_cells(EcMeasures *measures, EcCells *cells, const uint32 *groups);

static inline int64
ec_measures_interactions(const EcMeasures *measures, uint32 group)
{
	const int64 *counts = measures->counts[group];

	return counts[0] + counts[EC_TYPE_VIEW] + counts[EC_TYPE_CART] + counts[EC_TYPE_PURCHASE];
}

/*
 * interactions, views, carts, purchases, revenue of a group to values[0 .. 4],
 * palloc'd in the current context; scale is the query's (rows->price_scale).
 */
#define EC_MEASURES_COLUMNS 5
extern void ec_measures_put(const EcMeasures *measures, uint32 group, int32 scale, Datum *values);

#endif /* EC_MEASURES_H */
