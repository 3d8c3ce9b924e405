/*
 * session_match.h
 *	  Distinct sessions and orders of users of whom there are cells in several sets, or rows
 *	  beside them: by how much the sets' own numbers, added up, are wrong.
 *
 * Cells know a session by a tag (summary_session.c).  A row that a set covers is of a session
 * that this set knows, so an unnumbered tag there is this very session.  Everything
 * else that has equal tags (two sets, a set and rows that it doesn't cover, numbered
 * tags) may be one session or several: these few are looked for among the rows of the
 * cells' hours, once for all users.
 */
#ifndef EC_SESSION_MATCH_H
#define EC_SESSION_MATCH_H

#include "postgres.h"

#include "insight/session_stream.h"
#include "insight/sessions.h"

/* The hours of which a ragged range's first and last rows are a part (edges.h). */
typedef enum EcEdge
{
	EC_EDGE_NONE, /* neither, or there is more than one set, or it isn't the set's row */
	EC_EDGE_FIRST,
	EC_EDGE_LAST
} EcEdge;

/* Rows of a user that were read, beside cells: of one session, set and edge. */
typedef struct EcSessionRows
{
	uint64 first; /* the session's key */
	uint64 second;
	int64 tag; /* its hash */
	uint32
		part; /* stream of the set that covers them, or EC_SESSION_UNCOVERED; to others, a bucket */
	EcEdge edge;
	int64 seen;	   /* visible rows that cells don't count */
	int64 ordered; /* purchases among them */
	int64 hidden;  /* rows that they count, and that aren't visible */
	int64 unordered;
} EcSessionRows;

#define EC_SESSION_UNCOVERED PG_UINT32_MAX

typedef struct EcSessionMatch EcSessionMatch;

/* rows: whose arguments say which rows count; sessions: what keys of rows mean, and will be used for more. */
extern EcSessionMatch *ec_session_match_create(const EcRows *rows, EcSessionColumn *sessions,
											   double share, MemoryContext context);

/*
 * A user's cells, which are put into another order (or left out), and rows, in order of tag and key.
 * A cell counts if it is in the array.  with_orders: false if no row is a purchase and there is one
 * set; then cells needn't tell of purchases.
 */
extern void ec_session_match_user(EcSessionMatch *match, int64 user, EcSessionCells *cells,
								  const EcSessionRows *rows, uint32 nrows, bool with_orders);

/* After the last user: what has to be added to the sets' numbers.  Frees everything. */
extern void ec_session_match_end(EcSessionMatch *match, int64 *sessions, int64 *orders);

#endif /* EC_SESSION_MATCH_H */
