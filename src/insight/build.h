/*
 * build.h
 *	  Making a set of summaries: rows of row groups, and cells of older sets, to sorted cells.
 *
 * Each projection has a maker, which says how a row becomes a key of key_words words and
 * a state of state_words more, and how these become a row of the summary's columns.
 * Rows of equal keys are combined in a tally as long as it fits into memory; what it
 * holds then goes to an external sorter, which hands out keys in order (words ascending
 * as unsigned numbers); equal ones are combined once more and written.  A maker without
 * tally puts its records straight into the sorter.  Makers that are about users, or about hours, get
 * the rows of one user or hour after the other instead, sorted once for all of them.
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
#include "insight/sessions.h"
#include "insight/sorter.h"
#include "insight/tally.h"
#include "insight/variants.h"
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

/*
 * A row as makers get it that want a set's rows user by user.  Sessions only if the table has them
 * (EC_COL_SESSION in the maker's columns).
 */
typedef struct EcUserRow
{
	uint64 user;	   /* ec_sorter_word; that of 0 if it is NULL */
	uint64 facts;	   /* see below */
	uint64 session[2]; /* as in EcSessionColumn */
} EcUserRow;

/*
 * Facts: no user; number of the pair of category_code and brand (ec_build_users_pairs); slot of the
 * hour (ec_product_slot); type, 0 .. EC_TYPE_CLASSES - 1.
 */
#define EC_USER_ROW_NULL (UINT64CONST(1) << 63)
#define EC_USER_ROW_PAIR_SHIFT 34
#define EC_USER_ROW_PAIR_MAX 0x1FFFFFFF
#define EC_USER_ROW_SLOT_SHIFT 2
#define EC_USER_ROW_TYPE_MASK 3

static inline uint32
ec_user_row_pair(const EcUserRow *row)
{
	return (uint32) (row->facts >> EC_USER_ROW_PAIR_SHIFT) & EC_USER_ROW_PAIR_MAX;
}

static inline uint32
ec_user_row_slot(const EcUserRow *row)
{
	return (uint32) (row->facts >> EC_USER_ROW_SLOT_SHIFT);
}

static inline uint32
ec_user_row_type(const EcUserRow *row)
{
	return (uint32) row->facts & EC_USER_ROW_TYPE_MASK;
}

/* A row as makers get it that want a set's rows hour by hour. */
typedef struct EcSlotRow
{
	uint64 slot;  /* ec_product_slot */
	int64 price;  /* 0 if it has none that counts */
	uint64 facts; /* see below */
} EcSlotRow;

/* Facts: number of the product (ec_build_slots_products), of the category, whether there is a price, type. */
#define EC_SLOT_ROW_PRODUCT_SHIFT 32
#define EC_SLOT_ROW_CATEGORY_SHIFT 3
#define EC_SLOT_ROW_CATEGORY_MAX 0x1FFFFFFF
#define EC_SLOT_ROW_PRICED 4
#define EC_SLOT_ROW_TYPE_MASK 3

static inline uint32
ec_slot_row_product(const EcSlotRow *row)
{
	return (uint32) (row->facts >> EC_SLOT_ROW_PRODUCT_SHIFT);
}

static inline uint32
ec_slot_row_category(const EcSlotRow *row)
{
	return (uint32) (row->facts >> EC_SLOT_ROW_CATEGORY_SHIFT) & EC_SLOT_ROW_CATEGORY_MAX;
}

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

	/*
	 * optional, instead: some rows of a user, in no order; then, when these were all, the end
	 * of the user.  Rows without a user come together with those of user 0.  Makers of
	 * this kind are finished in one go, at the place of the first.
	 */
	void (*add_user_rows)(EcMaking *making, const EcUserRow *rows, uint32 n);
	void (*end_user)(EcMaking *making, uint64 user);

	/* likewise: rows of a slot, the slots in order */
	void (*add_slot_rows)(EcMaking *making, const EcSlotRow *rows, uint32 n);
	void (*end_slot)(EcMaking *making, uint32 slot);

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

/* The same texts over and over, on their way to a part: ec_making_ids. */
typedef struct EcTextOut
{
	int column;
	const EcInterner *interner;
	uint32 index;	 /* of the part that rows is about */
	uint32 *rows;	 /* by id: a row of the part that has it, + 1 */
	uint32 capacity; /* of rows */
} EcTextOut;

/* The rows of a set by user (build_users.c). */
typedef struct EcBuildUsers EcBuildUsers;

/* The rows of a set by slot (build_slots.c). */
typedef struct EcBuildSlots EcBuildSlots;

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
	EcBuildUsers *users;			  /* NULL: no maker wants rows by user, or all have them */
	EcBuildSlots *slots;			  /* likewise */
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

/* Likewise texts by their ids; out is as ec_making_texts_init left it, one for each column. */
extern void ec_making_texts_init(EcTextOut *out, int column, const EcInterner *interner);
extern void ec_making_ids(EcMaking *making, EcTextOut *out, const uint32 *ids, uint32 n);

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

/* ---- rows by user: build_users.c ---- */

/* Its sorter has this share of memory (sorter.h). */
extern EcBuildUsers *ec_build_users_begin(EcBuild *build, double share, bool with_sessions);
extern void ec_build_users_add(EcBuildUsers *users, const EcBuildRows *batch);

/* Hands everything to the makers, once. */
extern void ec_build_users_finish(EcBuildUsers *users);

/*
 * When rows are handed out: by number of a pair, its place in the order of (category_code,
 * brand) by their ids; ids by place.
 */
typedef struct EcBuildPairs
{
	uint32 count;
	const uint32 *ranks;  /* by number */
	const uint32 *codes;  /* by rank */
	const uint32 *brands; /* by rank */
} EcBuildPairs;

/* What the sessions' words mean. */
extern const EcSessionColumn *ec_build_users_sessions(const EcBuildUsers *users);
extern const EcBuildPairs *ec_build_users_pairs(EcBuildUsers *users);

/* ---- rows by slot: build_slots.c ---- */

/* columns: bits of those that the makers ask for. */
extern EcBuildSlots *ec_build_slots_begin(EcBuild *build, double share, uint32 columns);
extern void ec_build_slots_add(EcBuildSlots *slots, const EcBuildRows *batch);
extern void ec_build_slots_finish(EcBuildSlots *slots);

/* Slots of a batch's rows. */
extern void ec_build_find_slots(const EcBuildRows *batch, uint32 *slots);

/*
 * Products by number: with category_code and brand.  Categories: (category_id or NULL, category_code),
 * as products without brand.
 */
extern const EcVariants *ec_build_slots_products(const EcBuildSlots *slots);
extern const EcVariants *ec_build_slots_categories(const EcBuildSlots *slots);

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
