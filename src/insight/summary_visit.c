/*
 * summary_visit.c
 *	  Summaries that count distinct users, buyers, sessions and orders in any range of
 *	  whole hours.
 *
 * A visit is an hour in which a user (buyer, session, order) has a row.  A cell says how
 * many visits in one hour have their predecessor, of the same user, in another hour (or
 * none).  Who was there in [a, b) has exactly one visit there whose predecessor lies before
 * a, so the number of different ones is the sum of the cells with hour in [a, b) and
 * predecessor before a: exact for any range, and there are fewer cells than pairs of hours.
 *
 * Slots are ordered in time; rows without a time come last of all.
 *
 * Words of a record: user; the session's two; slot, with flags of the user's kinds of
 * visit as state.  What is counted can't be told from the cells of two sets, so cells are
 * always made from rows.
 */
#include "postgres.h"

#include "insight/build.h"
#include "insight/sessions.h"

#define KEY_WORDS 4
#define BOUGHT 1	 /* in the state: a row is a purchase */
#define NO_TIME ~0UL /* as slot: after all others */

#define KINDS 4

/* A visit of the user in work. */
typedef struct Visit
{
	uint64 slot;
	bool bought;
} Visit;

/* The last visits of what is counted; NO_VISIT before the first. */
typedef struct Last
{
	bool any;
	uint64 slot;
} Last;

typedef struct Visits
{
	EcSessionColumn sessions;
	uint64 *users; /* [EC_BLOCK_ROWS] */
	uint64 *slots; /* [EC_BLOCK_ROWS] */
	EcTally *cells;	  /* (kind and whether there is a predecessor, slot, predecessor) to number */
	Visit *visits;	  /* of the user in work, from all sessions */
	uint32 nvisits;
	uint32 capacity;
	uint64 user;
	uint64 session[2];
	Last last_session;
	Last last_order;
} Visits;

static void
count_visit(EcMaking *making, EcVisitKind kind, Last *last, uint64 slot)
{
	uint64 key[3] = {(uint64) kind << 1 | last->any, slot, last->any ? last->slot : 0};
	Visits *visits = making->private;

	(*ec_tally_find_one(visits->cells, key))++;
	last->any = true;
	last->slot = slot;
}
