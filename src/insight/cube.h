/*
 * cube.h
 *	  What the bucketed views show: events by bucket of time (hour, day) and keys.
 *
 * A question names the keys that rows are told apart by, its grain.  A view's own grain is
 * all of its keys; fewer are enough where a query above only adds up (cube_reduce.c).
 * Summaries answer where they know these keys; what they don't cover and what else is
 * asked comes from rows.
 *
 * Memory: a tally (tally.h) and the texts, each once.
 */
#ifndef EC_CUBE_H
#define EC_CUBE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "utils/tuplestore.h"

#include "insight/columns.h"
#include "vector/vector.h"

/* What views have as columns, each some of these; first the keys. */
typedef enum EcCubeColumn
{
	EC_CUBE_BUCKET,
	EC_CUBE_ID, /* product_id or user_id */
	EC_CUBE_CATEGORY_ID,
	EC_CUBE_CODE,
	EC_CUBE_BRAND,
	EC_CUBE_INTERACTIONS,
	EC_CUBE_VIEWS,
	EC_CUBE_CARTS,
	EC_CUBE_PURCHASES,
	EC_CUBE_REVENUE,
	EC_CUBE_PRICED,
	EC_CUBE_PRICE_SUM,
	EC_CUBE_PRICE_MIN,
	EC_CUBE_PRICE_MAX
} EcCubeColumn;

#define EC_CUBE_COLUMNS 14
#define EC_CUBE_KEYS 5
#define EC_CUBE_BIT(column) (1U << (column))
#define EC_CUBE_KEY_BITS (EC_CUBE_BIT(EC_CUBE_KEYS) - 1)

typedef struct EcCubeView
{
	const char *name;
	int64 length;	  /* of a bucket, in microseconds */
	EcEventColumn id; /* the event column that is EC_CUBE_ID, if there is one */
	int ncolumns;
	EcCubeColumn columns[EC_CUBE_COLUMNS];
} EcCubeView;

/* The i-th bucketed view; NULL beyond the last. */
extern const EcCubeView *ec_cube_view(int i);

/* By name; -1: there is none. */
extern int ec_cube_find_view(const char *name);

/* The bits of a view's columns. */
extern uint32 ec_cube_columns(const EcCubeView *view);

/* Values of which a key must be one. */
typedef struct EcCubeFilter
{
	bool is_active;
	uint32 n;
	int64 *ints;	/* ids: ascending, each once */
	EcBytes *texts; /* others: each once */
} EcCubeFilter;

typedef struct EcCubeQuery
{
	const EcCubeView *view;
	Oid relid;		 /* the events relation */
	uint32 keys;	 /* bits: the grain */
	uint32 measures; /* bits: others are not told */
	bool is_reduced; /* keys are not all of the view's */
	bool has_since;	 /* bucket >= since, a whole bucket */
	bool has_until;	 /* bucket < until, likewise */
	int64 since;
	int64 until;
	EcCubeFilter filters[EC_CUBE_KEYS]; /* by column, but for the bucket */
	int64 limit;						/* rows that are not among the first by a measure ... */
	EcCubeColumn top;					/* ... descending, may be left out; 0: none may */
} EcCubeQuery;

/* For EXPLAIN. */
typedef struct EcCubeUse
{
	const char *source; /* what was read, besides rows */
	uint64 cells;
	uint64 rows;
} EcCubeUse;

/*
 * Puts the answer's rows into the store, whose i-th column is columns[i]; keys and measures
 * that weren't asked for are NULL.  Uses the active snapshot and the current user's privileges.
 */
extern void ec_cube_run(const EcCubeQuery *query, Tuplestorestate *store, TupleDesc desc,
						const EcCubeColumn *columns, EcCubeUse *use);

/* A text that says what an id is; false: no id is written so. */
extern bool ec_cube_parse_id(const char *text, uint32 len, int64 *id);

/* At set-up of the module. */
extern void ec_cube_init(void);

#endif /* EC_CUBE_H */
