/*
 * cells.h
 *	  Summaries as dense arrays: the cells of one projection of one set, or of all sets
 *	  in use whose slots (hours or days) lie in a range.
 *
 * Arrays have cells->n elements and live until the next block, ids until their
 * EcTextColumn is used again.  Columns are numbered as in projection.h.
 */
#ifndef EC_CELLS_H
#define EC_CELLS_H

#include "postgres.h"

#include "insight/projection.h"
#include "insight/rows.h"
#include "store/summary.h"

#define EC_CELLS_COLUMNS 16

typedef struct EcCells
{
	uint32 n; /* cells of the block that are selected */

	/* the rest is cells.c's own */
	MemoryContext context;
	EcReader *reader;
	bool in_part;
	uint32 next; /* block of the current part */
	uint32 block;
	bool all_slots;
	EcSlots slots;
	bool all;					   /* no cell of the block is left out */
	uint32 *selection;			   /* [n] those selected, if not all */
	int64 *ints[EC_CELLS_COLUMNS]; /* made on demand */
	uint8 *nulls[EC_CELLS_COLUMNS];
} EcCells;

/* All cells of a projection that the set has. */
extern void ec_cells_open(EcCells *cells, Relation rel, const EcSummarySet *set,
						  EcProjection projection, MemoryContext context);

/* Starts over, with the cells whose first column, a slot, lies in the range. */
extern void ec_cells_select(EcCells *cells, const EcSlots *slots);

extern bool ec_cells_next(EcCells *cells);
extern void ec_cells_close(EcCells *cells);

/* *nulls (unless nulls is NULL) is NULL if none is NULL, else one byte a cell; values of NULLs are 0. */
extern const int64 *ec_cells_ints(EcCells *cells, int column, const uint8 **nulls);

/* Ids of a text column, by text's interner; text->column doesn't matter. */
extern const uint32 *ec_cells_ids(EcCells *cells, int column, EcTextColumn *text);

/*
 * The least and greatest slot of the cells that are selected, by their zones where these
 * tell; false if all are NULL or there are none.
 */
extern bool ec_cells_span(EcCells *cells, int64 *min, int64 *max);

/* The least and greatest slot, of those in the range, that any set in use has a cell of (by hour, any category). */
extern bool
ec_rows_span(EcRows *rows, const EcSlots *slots, int64 *min, int64 *max, MemoryContext context);

/*
 * The cells that stand for the rows of ec_rows_cover's range: of whole days (UTC) from
 * one projection, of the hours before and after them from another.
 */
typedef struct EcSlotCells
{
	EcCells cells;
	int64 length; /* of the slots of these cells, in microseconds */

	/* the rest is cells.c's own */
	EcRows *rows;
	MemoryContext context;
	EcProjection hour;
	EcProjection day;
	int nranges;
	EcSlots ranges[3];
	EcProjection projections[3]; /* of the ranges */
	Relation rel;
	const EcSummarySet *set; /* NULL: none begun */
	int range;				 /* next one of the set */
	bool is_open;
	EcProjection projection; /* of cells, if open */
} EcSlotCells;

/* day may be the same as hour: then there are only hours. */
extern void ec_slot_cells_begin(EcSlotCells *scan, EcRows *rows, EcProjection hour,
								EcProjection day, MemoryContext context);
extern bool ec_slot_cells_next(EcSlotCells *scan);
extern void ec_slot_cells_end(EcSlotCells *scan);

/* The slot whose cell counts a time that lies in the range. */
extern int64 ec_slot_cells_slot(const EcSlotCells *scan, int64 time);

#endif /* EC_CELLS_H */
