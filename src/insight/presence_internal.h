/*
 * presence_internal.h
 *	  What presence.c and presence_rows.c have in common.
 */
#ifndef EC_PRESENCE_INTERNAL_H
#define EC_PRESENCE_INTERNAL_H

#include "postgres.h"

#include "insight/edges.h"
#include "insight/presence.h"
#include "insight/session_match.h"
#include "insight/session_stream.h"
#include "insight/sorter.h"
#include "insight/tally.h"

/*
 * Half of the memory for rows (where some are of edges and others aren't, a quarter for those that came
 * later), a quarter each for sorting them and for sessions to be looked for.
 */
#define EC_PRESENCE_TALLY_SHARE 0.5
#define EC_PRESENCE_OTHER_SHARE 0.25

/* What one set, or the rows (ROWS_PART), tell of a user's bucket. */
typedef struct EcPresencePart
{
	uint32 bucket;
	uint32 stream;
	int64 rows;
	int64 purchases;
} EcPresencePart;

typedef struct EcPresenceHour
{
	int64 slot;
	uint32 bucket;
	bool any;
} EcPresenceHour;

struct EcPresence
{
	EcRows *rows;
	MemoryContext context;
	EcBuckets *buckets; /* NULL: none */
	bool with_sessions;
	EcVisitAdd add;
	void *arg;
	double share;
	EcIntColumn user;
	EcSessionColumn sessions;
	EcIntColumn time;
	uint64 *parts;		 /* [EC_BLOCK_ROWS] */
	EcTally *tally;		 /* NULL: there are none of this kind */
	EcTally *edge_tally; /* likewise, of edges */
	uint32 edge_buckets[EC_EDGE_LAST + 1];

	/* sets */
	EcSessionStream *streams; /* the largest one is the first */
	const EcSummarySet **sets;
	Relation *rels;
	uint32 nstreams;
	uint32 capacity;
	EcEdges *edges; /* NULL: there are several sets, or no edges */
	EcSessionStream
		*again; /* the only set once more, for those whom edges leaves to us; may be NULL */

	/* records */
	EcSorter *sorter;
	const uint64 *next;
	EcSessionMatch *match; /* NULL: no sessions */

	/* the user in work */
	EcSessionCells cells;
	EcSessionRows *user_rows;
	uint32 nrows;
	uint32 rows_capacity;
	EcPresencePart *user_parts;
	uint32 nparts;
	uint32 parts_capacity;
	EcPresenceHour *remembered;
};

/* Before users are merged; then presence->next is the first user's. */
extern void ec_presence_sort_rows(EcPresence *presence);

/* Reads the records of a user, which come next if there are any, to presence->user_rows. */
extern void ec_presence_take_rows(EcPresence *presence, int64 user);

/* The user of the next record. */
static inline int64
ec_presence_next_user(const EcPresence *presence)
{
	return ec_sorter_int64(presence->next[0]);
}

#endif /* EC_PRESENCE_INTERNAL_H */
