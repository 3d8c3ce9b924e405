/*
 * user_cells.h
 *	  What each user did, one user after the other: the cells of sets by user
 *	  (EC_PROJECTION_USER), and rows that these lack or have too many, merged.
 *
 * First all rows are added, then sets, then users are read, in ascending order (the
 * NULL user follows user 0).  Texts are ids of the caller's interners.
 *
 * Memory: a block of each set, and one user's different (category, brand); rows are
 * aggregated and sorted within a share of work_mem * hash_mem_multiplier, the rest in
 * temporary files.
 */
#ifndef EC_USER_CELLS_H
#define EC_USER_CELLS_H

#include "postgres.h"

#include "insight/interner.h"
#include "insight/rows.h"
#include "store/summary.h"

/*
 * What is wanted of cells, besides users.  With types, which only runs have, cells outside the slots may be
 * handed out, too: they have no type.
 */
#define EC_USER_WANT_CODES 1
#define EC_USER_WANT_BRANDS 2
#define EC_USER_WANT_TYPES 4
#define EC_USER_WANT_ROWS 8

/* Numbers of rows: of all types, and of three; views are the others. */
typedef enum EcUserCount
{
	EC_USER_COUNT_ROWS,
	EC_USER_COUNT_CARTS,
	EC_USER_COUNT_PURCHASES,
	EC_USER_COUNT_OTHER
} EcUserCount;

#define EC_USER_COUNTS 4

/* The bit that all cells with rows have among their types (1 << EC_TYPE_...). */
#define EC_USER_SEEN 1

/*
 * A user's cells, n >= 1; rows is always positive.  If codes are wanted, cells of equal code
 * stand together, and among them those of equal brand if brands are wanted too.
 */
typedef struct EcUserSlice
{
	int64 user; /* 0 if isnull */
	bool isnull;
	uint32 n;
	const uint32 *codes;  /* NULL if not wanted */
	const uint32 *brands; /* likewise */
	const int64 *rows;
	const uint8 *types; /* EC_USER_SEEN and 1 << EC_TYPE_... of the types that it has rows of */
} EcUserSlice;

/*
 * Cells of one user or, as they stand in a block, of several; all that these users have, in
 * order of users, and each user's as in a slice.
 */
typedef struct EcUserRun
{
	bool isnull;		 /* then it's the one of no user */
	uint32 n;			 /* at least 1 */
	const int64 *users;	 /* by cell; NULL: all are one user's */
	const uint32 *codes; /* as in a slice, from here on */
	const uint32 *brands;
	const int64 *rows;
	const uint8 *types;
} EcUserRun;

typedef struct EcUserCells EcUserCells;

/* codes and brands may be NULL if not wanted; everything is palloc'd below context. */
extern EcUserCells *ec_user_cells_create(MemoryContext context, uint32 want, EcInterner *codes,
										 EcInterner *brands, double share);

/* The same with nothing in it. */
extern EcUserCells *ec_user_cells_create_like(const EcUserCells *cells, MemoryContext context);
extern uint32 ec_user_cells_want(const EcUserCells *cells);

/* Only cells of this code and brand; EC_ID_NULL: any.  Rows of others mustn't be added. */
extern void ec_user_cells_filter(EcUserCells *cells, uint32 code, uint32 brand);

/* Columns of texts over the interners. */
extern void ec_user_cells_init_texts(const EcUserCells *cells, EcTextColumn *code,
									 EcTextColumn *brand, MemoryContext context);

/* Only these users: ascending, each once; the array must stay.  Rows of others mustn't be added. */
extern void ec_user_cells_choose(EcUserCells *cells, const int64 *users, uint32 nusers);

/* A batch of rows, to be added (sign 1) or taken away (-1); arrays that aren't wanted may be NULL. */
extern void
ec_user_cells_add_rows(EcUserCells *cells, uint32 n, const int64 *users, const uint8 *nulls,
					   const uint32 *codes, const uint32 *brands, const uint32 *types, int sign);

/* Such rows of a user, added up. */
extern void
ec_user_cells_add_sum(EcUserCells *cells, int64 user, uint64 texts, const int64 *counts);

/*
 * Visits what the rows added come to, in order of users and once for each (code, brand), as the
 * word code << 32 | brand; before the first user is read.
 */
typedef void (*EcUserRowVisitor)(int64 user, bool isnull, uint64 texts, const int64 *counts,
								 void *arg);
extern void ec_user_cells_visit_rows(EcUserCells *cells, EcUserRowVisitor visit, void *arg);

/* A set's cells whose hours lie in the slots; rel must stay open. */
extern void ec_user_cells_add_set(EcUserCells *cells, Relation rel, const EcSummarySet *set,
								  const EcSlots *slots);

/* The next user; the slice lives until the next call.  False: there are no more. */
extern bool ec_user_cells_next(EcUserCells *cells, EcUserSlice *slice);

/* The same for as many users at once as can be had without copying. */
extern bool ec_user_cells_next_run(EcUserCells *cells, EcUserRun *run);

/* Ends readers and files. */
extern void ec_user_cells_destroy(EcUserCells *cells);

#endif /* EC_USER_CELLS_H */
