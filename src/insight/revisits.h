/*
 * revisits.h
 *	  One set's visits and their neighbours (EC_PROJECTION_REVISIT): those of some users in one hour.
 */
#ifndef EC_REVISITS_H
#define EC_REVISITS_H

#include "postgres.h"

#include "insight/projection.h"
#include "store/summary.h"

typedef struct EcRevisits EcRevisits;

/* A visit that has neighbours. */
typedef struct EcRevisit
{
	uint32 index; /* the user's */
	int64 tag;
	int64 distance; /* of the neighbour asked for */
} EcRevisit;

typedef void (*EcRevisitFound)(const EcRevisit *revisit, void *arg);

/* Everything is palloc'd below parent; rel must stay open. */
extern EcRevisits *ec_revisits_open(Relation rel, const EcSummarySet *set, MemoryContext parent);

/*
 * Tells found which of these users, ascending, have a visit in the slot; once for each session or order.
 * column: the neighbour, EC_REVISIT_PREVIOUS or _NEXT.
 */
extern void
ec_revisits_find(EcRevisits *revisits, EcVisitKind kind, uint32 slot, EcRevisitColumn column,
				 const int64 *users, uint32 n, EcRevisitFound found, void *arg);
extern void ec_revisits_close(EcRevisits *revisits);

#endif /* EC_REVISITS_H */
