/*
 * extremes.h
 *	  Which cells' least and greatest prices still hold, though some of their rows are hidden.
 *
 * Counts and sums of hidden rows are taken away from those of cells, but a hidden row
 * whose price is its cell's extreme leaves the extreme of the others unknown.  So for
 * each (slot, group) the extremes of its hidden rows are kept; a cell whose own are reached
 * by them is put aside, and if its extremes could matter to its group, the rows of its
 * slot are to be looked at again.
 *
 * Memory: 32 to 64 bytes for each slot and group with hidden rows, and for each cell put
 * aside, up to a part of work_mem * hash_mem_multiplier; beyond that all slots are
 * to be looked at.
 */
#ifndef EC_EXTREMES_H
#define EC_EXTREMES_H

#include "postgres.h"

#include "insight/price.h"
#include "insight/rows.h"

typedef struct EcExtremes EcExtremes;

extern EcExtremes *ec_extremes_create(MemoryContext context);

/* A slot may be NULL, by isnull. */
extern void
ec_extremes_hide(EcExtremes *extremes, int64 slot, bool isnull, uint32 group, int64 price);

/* Is there no room for more?  Then no cell's extremes hold. */
extern bool ec_extremes_is_full(const EcExtremes *extremes);

/* Do these extremes of a cell hold?  If not, the cell is put aside; length is that of its slot. */
extern bool ec_extremes_hold(EcExtremes *extremes, int64 slot, bool isnull, int64 length,
							 uint32 group, int64 min, int64 max);

/*
 * When all cells are known: steps through ranges of time whose visible rows' prices are to
 * be added to the extremes of their groups, which are told by of_group.  Each call sets
 * *range; false at the end.
 */
typedef const EcPriceSum *(*EcExtremesGroup)(uint32 group, void *arg);
extern bool
ec_extremes_next_range(EcExtremes *extremes, EcExtremesGroup of_group, void *arg, EcSlots *range);

/* The parameters for rows of such a range. */
extern EcArgs ec_extremes_args(const EcArgs *args, const EcSlots *range);

#endif /* EC_EXTREMES_H */
