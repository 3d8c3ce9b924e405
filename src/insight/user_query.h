/*
 * user_query.h
 *	  A question about users, of sets by user where an events relation has some.
 *
 *		if (ec_user_query_open(&query, ...))
 *		{
 *			ec_user_query_read(&query);
 *			while (ec_user_cells_next(query.cells, &slice))
 *				...
 *		}
 *		else
 *			... as ever, over query.rows: ec_rows_next(&query.rows) ...
 *		ec_user_query_close(&query);
 */
#ifndef EC_USER_QUERY_H
#define EC_USER_QUERY_H

#include "postgres.h"

#include "insight/projection.h"
#include "insight/user_cells.h"

/* A set that counts. */
typedef struct EcUserSet
{
	Relation rel;
	const EcSummarySet *set;
} EcUserSet;

typedef struct EcUserQuery
{
	MemoryContext context;
	EcRows rows;
	EcUserCells *cells; /* NULL: no set counts */
	EcUserSet *sets;
	uint32 nsets;
} EcUserQuery;

/*
 * Opens the rows of args: columns are those that a reader of rows wants, "want" what one
 * of cells does (EC_USER_WANT_*), projections are needed besides EC_PROJECTION_USER.
 * True: sets count, and the rows that they lack or have too many have been read and
 * are in cells; chosen is as for ec_user_cells_choose, or NULL.
 */
extern bool ec_user_query_open(EcUserQuery *query, const EcArgs *args, uint32 columns, uint32 want,
							   uint32 projections, EcInterner *codes, EcInterner *brands,
							   MemoryContext context);

/* The same for these users only: ascending, each once. */
extern bool ec_user_query_open_chosen(EcUserQuery *query, const EcArgs *args, uint32 columns,
									  uint32 want, EcInterner *codes, EcInterner *brands,
									  const int64 *users, uint32 nusers, MemoryContext context);

/* Are all hours asked for? */
extern bool ec_user_query_is_unbounded(const EcUserQuery *query);

/*
 * How many rows the sets' cells of the range stand for, or some number above max; PG_INT64_MAX if
 * they don't tell.  For those who may as well read rows.
 */
extern int64 ec_user_query_count(EcUserQuery *query, int64 max);

/* How many cells the sets have of a projection. */
extern int64 ec_user_query_cells(const EcUserQuery *query, EcProjection projection);

/* Adds all sets to cells, which can be read then. */
extern void ec_user_query_read(EcUserQuery *query);

extern void ec_user_query_close(EcUserQuery *query);

/* Is a user one of n that ascend? */
extern bool ec_user_is_chosen(const int64 *users, uint32 n, int64 user);

#endif /* EC_USER_QUERY_H */
