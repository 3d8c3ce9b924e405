/*
 * build.h
 *	  Making a set of summaries: rows of row groups, and cells of older sets, to sorted cells.
 *
 * Each projection has a maker, which says how a row becomes a key of key_words words and
 * a state of state_words more, and how these become a row of the summary's columns.
 * Rows of equal keys are combined in a tally as long as it fits into memory; what it
 * holds then goes to an external sorter, which hands out keys in order (words ascending
 * as unsigned numbers); equal ones are combined once more and written.  A maker without
 * tally puts its records straight into the sorter.
 *
 * Projections are finished in the order of makers[], so that a maker can feed those
 * behind it from its finished cells.
 *
 * Memory: maintenance_work_mem for all of a set's tallies and sorters together, beside
 * the texts (each once) and a part of each projection.
 */
#ifndef EC_BUILD_H
#define EC_BUILD_H

#include "postgres.h"

#include "insight/interner.h"
#include "insight/projection.h"
#include "insight/rows.h"
#include "insight/sorter.h"
#include "insight/tally.h"
#include "store/summary.h"

/* Cells in one part. */
#define EC_BUILD_PART_ROWS 262144

typedef struct EcBuild EcBuild;
typedef struct EcMaking EcMaking;

/* A batch of rows as makers want them; what no maker asked for isn't set. */
typedef struct EcBuildRows
{
	EcRows *rows;
	uint32 n;
	const int64 *times;		  /* event_time */
	const int64 *hours;		  /* its slots */
	const uint8 *no_time;	  /* 1 where event_time is NULL (0 in times, hours); may be NULL */
	const uint32 *types;	  /* EC_TYPE_*, or others */
	const uint32 *codes;	  /* ids */
	const uint32 *brands;	  /* ids */
	const int64 *users;		  /* user_id */
	const uint8 *no_user;	  /* likewise */
	const int64 *categories;  /* category_id */
	const uint8 *no_category; /* likewise */
	const int64 *products;	  /* product_id */
	const uint8 *no_product;  /* likewise */
	EcPrices prices;
} EcBuildRows;

typedef struct EcMaker
{
	EcProjection projection;
	const char *dimension; /* the word of option "summaries" that asks for it */
	uint32 columns;		   /* bits of the event columns that add_rows reads */
	uint32 needs;		   /* bits of projections whose cells it is fed from, if not from rows */
	int key_words;
	int state_words;
	double memory;			/* its share */
	EcTallyCombine combine; /* NULL: no tally; equal keys stay apart */

	/* optional: makes making->private */
	void (*begin)(EcMaking *making);

	/* optional: a batch of rows */
	void (*add_rows)(EcMaking *making, const EcBuildRows *batch);

	/* optional: before the first block of a set */
	void (*begin_cells)(EcMaking *making, const EcSummarySet *set);

	/* a block of a part written before; NULL: a merge has to go back to the rows, or it is fed by others */
	void (*add_cells)(EcMaking *making, EcReader *reader, uint32 block);

	/* one cell, in order of keys: write it by ec_making_batch, feed others */
	void (*finish_cell)(EcMaking *making, const uint64 *key, const uint64 *state);

	/* optional: after the last cell */
	void (*finish)(EcMaking *making);
} EcMaker;

/* A projection of a set in the making. */
struct EcMaking
{
	const EcMaker *maker;
	EcBuild *build;
	EcTally *tally;
	EcSorter *sorter;
	EcBatch *batch; /* of the next part */
	void *private;

	uint32 index; /* of the next part */
};

struct EcBuild
{
	EcCompanion *companion;
	Relation rel;
	MemoryContext context;
	EcSummaryWriter *writer;
	EcInterner *codes;	/* of category_code; ids are in no order */
	EcInterner *brands; /* of brand */
	EcTextColumn code;	/* over them, for stored texts too: ec_build_ids */
	EcTextColumn brand;
	uint32 projections;				  /* bits of those being made */
	uint32 refused;					  /* of these, the ones that can't be */
	EcMaking makings[EC_PROJECTIONS]; /* by projection; maker is NULL if it isn't made */
};

/* The making of a projection, or NULL if this set hasn't got it. */
extern EcMaking *ec_build_making(EcBuild *build, EcProjection projection);

/* The state of one key in the projection's tally, to be changed before the next call. */
extern uint64 *ec_making_state(EcMaking *making, const uint64 *key);

/* The same for n rows, see ec_tally_find. */
extern uint64 *const *
ec_making_states(EcMaking *making, uint32 n, const uint64 *const *keys, const uint8 *skip);

/* A record of a maker without tally. */
extern void ec_making_put(EcMaking *making, const uint64 *record);

/* Writes a cell, column by column in their order; then ec_making_row. */
extern void ec_making_int(EcMaking *making, int column, int64 value);
extern void ec_making_null(EcMaking *making, int column);
extern void
ec_making_text(EcMaking *making, int column, const EcInterner *interner, uint32 id); /* NULL: 0 */
extern void ec_making_row(EcMaking *making);

/* n cells at once, likewise; a part's rows must not become more than EC_BUILD_PART_ROWS. */
extern void ec_making_ints(EcMaking *making, int column, const int64 *values, uint32 n);
extern void ec_making_rows(EcMaking *making, uint32 n);

/* Ends the part, so that the next row begins another; index is the next one's. */
extern void ec_making_end_part(EcMaking *making);

/*
 * The values can't be summed exactly (beyond 64 bits): the set goes without this
 * projection, and so do its successors until rows are built anew.
 */
extern void ec_build_refuse(EcMaking *making);

/* A column of a stored block: integers (NULL: 0, and nulls[i] set; nulls may be NULL), ids of texts. */
extern void ec_build_ints(EcReader *reader, int column, uint32 block, int64 *values, uint8 *nulls);

/* The start of an hour; infinities are slots of their own. */
extern int64 ec_slot_hour(int64 time);
extern int64 ec_slot_day(int64 time);

extern const uint32 *ec_build_ids(EcReader *reader, int column, uint32 block, EcTextColumn *text);

/* What a set is made of. */
typedef struct EcBuildInput
{
	uint32 npicks;
	const EcReaderPick *picks; /* row groups that no set covers */
	uint64 nrows;			   /* in them */
	uint32 nsets;
	const EcSummarySet *sets; /* which it replaces */
	uint32 nold;
	const EcReaderPick *old; /* the row groups that these cover */
} EcBuildInput;

extern void
ec_build_set(EcCompanion *c, uint32 signature, uint32 projections, const EcBuildInput *input);

/* The makers, in the order of finishing; NULL at the end. */
extern const EcMaker *const ec_makers[];

#endif /* EC_BUILD_H */
