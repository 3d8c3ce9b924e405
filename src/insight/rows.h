/*
 * rows.h
 *	  The selected rows of an events relation, batch by batch, in the forms that
 *	  aggregation wants: ids, integers, prices.
 *
 * Wraps a source (scan/source.h): adds the filters of the common parameters and
 * brings the columns of the rows that pass into dense arrays of rows->n elements.
 * Arrays live until the next batch.
 */
#ifndef EC_ROWS_H
#define EC_ROWS_H

#include "postgres.h"

#include "insight/args.h"
#include "insight/columns.h"
#include "insight/interner.h"
#include "insight/price.h"
#include "scan/source.h"
#include "store/reader.h"

/* Ids of event types that the measures know; other types have greater ones, NULL has EC_ID_NULL. */
#define EC_TYPE_VIEW 1
#define EC_TYPE_CART 2
#define EC_TYPE_PURCHASE 3
#define EC_TYPE_CLASSES 4 /* these, and 0 for all others */

/* A text (or enum) column seen through an interner; remembers what it mapped last. */
typedef struct EcTextColumn
{
	EcEventColumn column;
	EcInterner *interner;
	uint64 serial; /* of the dictionary that map holds; 0: none */
	uint32 *map;   /* code to id */
	uint32 map_capacity;
	int64 last_enum; /* enum columns: the last value and its id */
	uint32 last_id;
	uint32 *ids; /* [EC_BLOCK_ROWS] */
} EcTextColumn;

typedef struct EcIntColumn
{
	EcEventColumn column;
	int64 *values; /* [EC_BLOCK_ROWS] */
	uint8 *nulls;  /* [EC_BLOCK_ROWS] */
} EcIntColumn;

typedef enum EcPriceState
{
	EC_PRICE_VALUE, /* values[i] */
	EC_PRICE_NONE,	/* NULL, NaN, infinite */
	EC_PRICE_ODD	/* odd[i] */
} EcPriceState;

typedef struct EcPrices
{
	const int64 *values;
	const uint8 *states; /* EcPriceState; NULL: all are values */
	struct NumericData **odd;
	bool are_small; /* all |values| < EC_PRICE_SMALL, and states is NULL */
} EcPrices;

/* Adds the i-th price, unless it is none, to a sum whose memory is from context. */
static inline void
ec_prices_add(const EcPrices *prices, uint32 i, EcPriceSum *sum, MemoryContext context)
{
	EcPriceState state = prices->states != NULL ? prices->states[i] : EC_PRICE_VALUE;

	if (state == EC_PRICE_VALUE)
		ec_price_add(sum, prices->values[i]);
	else if (state == EC_PRICE_ODD)
		ec_price_add_odd(sum, prices->odd[i], context);
}

/* Takes it away again; prices that summaries count are never odd. */
static inline void
ec_prices_take(const EcPrices *prices, uint32 i, EcPriceSum *sum)
{
	if (prices->states != NULL && prices->states[i] != EC_PRICE_VALUE)
	{
		Assert(prices->states[i] == EC_PRICE_NONE);
		return;
	}
	sum->sum -= prices->values[i];
	sum->n--;
}

/* Sums of 2^20 such prices stay within 63 bits. */
#define EC_PRICE_SMALL (INT64CONST(1) << 42)

/* A range of times, inclusive, as timestamptz. */
typedef struct EcSlots
{
	int64 min;
	int64 max;
	bool nulls; /* and NULL */
} EcSlots;

/* Starts of slots (hours, days: their length in microseconds), also before 2000. */
static inline int64
ec_slot_floor(int64 time, int64 length)
{
	int64 rest = time % length;

	return time - (rest < 0 ? rest + length : rest);
}

static inline int64
ec_slot_ceil(int64 time, int64 length)
{
	int64 rest = time % length;

	return rest > 0 ? time + (length - rest) : time - rest;
}

typedef struct EcRows
{
	uint32 n; /* selected rows of the batch */
	int sign; /* 1; -1: they are to be taken away from what summaries say */

	/* the rest is rows.c's own */
	EcArgs args;
	EcEvents events;
	MemoryContext context;
	MemoryContext batch_context;
	EcSource *source; /* NULL: nothing can match */
	EcSourceBatch batch;
	int indexes[EC_EVENT_COLUMNS]; /* event column to the source's column */
	bool all;					   /* no row of the batch is filtered out */
	uint64 *keep;				   /* bitmap of rows that pass */
	uint32 *selection;			   /* [n] their numbers, if not all */
	int64 time_min;				   /* bounds as values of the time column, inclusive */
	int64 time_max;
	bool time_filter;
	EcTextColumn types;
	EcTextColumn category_filter; /* id EC_ID_WANTED passes; unless args.category is NULL */
	EcTextColumn brand_filter;
	bool *accepted; /* [accepted_count] by type id */
	uint32 accepted_count;
	int32 price_scale;
	int64 *price_values;
	uint8 *price_states;
	struct NumericData **price_odd;
	EcSlots slots; /* that summaries stand for, if ec_rows_cover said so: whole hours */
} EcRows;

/*
 * columns: bits of those that the caller will ask for; the filters' own are added.
 * Uses the active snapshot.  Everything is palloc'd below context.
 */
extern void ec_rows_open(EcRows *rows, const EcArgs *args, uint32 columns, MemoryContext context);
/* All rows of these row groups, whatever their visibility; nothing is filtered. */
extern void ec_rows_open_groups(EcRows *rows, Relation rel, const EcReaderPick *picks,
								uint32 npicks, uint32 columns, MemoryContext context);
extern bool ec_rows_next(EcRows *rows);

/* Selects the rows of a batch that the caller has put to rows->batch, by the filters of the parameters. */
extern void ec_rows_filter(EcRows *rows);
extern void ec_rows_close(EcRows *rows);

/*
 * Lets summaries with all these projections (bits) stand for rows, before the first batch:
 * then the batches hold the rows that they don't count, and with sign -1 those that they
 * count wrongly, and the sets' cells in the range rows->slots are to be added (cells.h).
 * False: there are none, or the parameters ask for what summaries can't tell; all is as
 * before.  Whether they can tell of one category or brand is for the caller to know.
 */
extern bool ec_rows_cover(EcRows *rows, uint32 projections);

/* The same for summaries by day: slots is whole days. */
extern bool ec_rows_cover_days(EcRows *rows, uint32 projections);

/* The same for summaries that know each row's time: nothing is cut, slots is the range itself. */
extern bool ec_rows_cover_exact(EcRows *rows, uint32 projections);

/*
 * Opens rows whose columns are wanted with summaries only: false, and nothing is open, if
 * there are none.
 */
extern bool ec_rows_open_covered(EcRows *rows, const EcArgs *args, uint32 columns,
								 uint32 projections, MemoryContext context);

/* The sets in use, one after the other; also after all batches. */
extern bool ec_rows_next_set(EcRows *rows, Relation *rel, const EcSummarySet **set);

/* Before the first set, or again. */
extern void ec_rows_rewind_sets(EcRows *rows);

/*
 * Do cells tell everything?  That is, is there one set, and no row that it doesn't count or
 * that is hidden; this looks for the first batch.  If so, the set is given.
 */
extern bool ec_rows_only_set(EcRows *rows, Relation *rel, const EcSummarySet **set);

/* All rows, hidden ones too, of some row groups, see ec_source_open_groups. */
extern void ec_rows_open_groups(EcRows *rows, Relation rel, const EcReaderPick *picks,
								uint32 npicks, uint32 columns, MemoryContext context);

extern void ec_text_column_init(EcTextColumn *text, EcEventColumn column, EcInterner *interner,
								MemoryContext context);
/* text->ids of all n rows of a vector (selection NULL) or of n selected ones. */
extern void
ec_text_column_map(EcTextColumn *text, const EcVector *v, const uint32 *selection, uint32 n);
extern void ec_int_column_init(EcIntColumn *ints, EcEventColumn column, MemoryContext context);

/* Leaves only those of the selected rows whose keep[i] isn't 0; what was got before keeps its numbering. */
extern void ec_rows_narrow(EcRows *rows, const uint8 *keep);

/* The same with the rows of one event type. */
extern void ec_rows_narrow_type(EcRows *rows, uint32 type);

/* The column's vector and a selected row's number in it, for readers of other forms. */
extern const EcVector *ec_rows_vector(const EcRows *rows, EcEventColumn column);

static inline uint32
ec_rows_number(const EcRows *rows, uint32 i)
{
	return rows->all ? i : rows->selection[i];
}

/* Ids of a text column's values. */
extern const uint32 *ec_rows_ids(EcRows *rows, EcTextColumn *text);

/* Event types: EC_TYPE_*, EC_ID_NULL, or greater. */
extern const uint32 *ec_rows_types(EcRows *rows);

/* Integers; *nulls is NULL if none is NULL, else one byte a row (values of NULLs are 0). */
extern const int64 *ec_rows_ints(EcRows *rows, EcIntColumn *ints, const uint8 **nulls);

/* event_time as timestamptz, whatever the column's type (dates and timestamps are UTC); column EC_COL_TIME. */
extern const int64 *ec_rows_times(EcRows *rows, EcIntColumn *ints, const uint8 **nulls);

/* The selected rows' values of an INT64 vector without NULLs, for rows.c and rows_price.c. */
extern void ec_rows_gather(const EcRows *rows, const EcVector *v, int64 *out);

/* Prices, at rows->price_scale. */
extern void ec_rows_prices(EcRows *rows, EcPrices *prices);

#endif /* EC_ROWS_H */
