/*
 * edges.h
 *	  Users of whom nothing is beside one set of summaries but visible rows of a range's ragged
 *	  edges: the hours of which its first and its last rows are a part.
 *
 * Who was there in the whole hours between them has been counted by the set (visits.h); who was
 * there in an edge has, too, if his next visit after the first edge, or the last one before the last
 * edge, lies in these hours.  The set's visits tell that with what is stored of neighbours
 * (EC_PROJECTION_REVISIT), of which only those of the two hours are read.
 *
 * Memory: some thousand rows at a time.
 */
#ifndef EC_EDGES_H
#define EC_EDGES_H

#include "postgres.h"

#include "insight/buckets.h"
#include "insight/rows.h"
#include "insight/session_match.h"
#include "insight/visits.h"

typedef struct EcEdges EcEdges;

/* A user about whom the visits can't tell. */
typedef void (*EcEdgeRest)(int64 user, const EcSessionRows *rows, uint32 n, void *arg);

/* NULL: the set doesn't have what it takes, or the range (slots) isn't ragged.  buckets as in presence.h. */
extern EcEdges *ec_edges_create(Relation rel, const EcSummarySet *set, const EcSlots *slots,
								EcBuckets *buckets, bool with_sessions, EcVisitAdd add,
								EcEdgeRest rest, void *arg, MemoryContext parent);

/* Which edge a row of the set is in. */
extern EcEdge ec_edges_find(const EcEdges *edges, int64 time);

/*
 * A user's rows, all of them, in order of tag and key, users ascending; false: not all are of edges.
 * add and rest are told sooner or later.
 */
extern bool ec_edges_add(EcEdges *edges, int64 user, const EcSessionRows *rows, uint32 n);

/* Tells all that is left, and frees everything. */
extern void ec_edges_end(EcEdges *edges);

#endif /* EC_EDGES_H */
