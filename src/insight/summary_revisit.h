/*
 * summary_revisit.h
 *	  Who makes summaries of visits and their neighbours (EC_PROJECTION_REVISIT) is fed with
 *	  everybody's visits, one after the other, by summary_visit.c and summary_session.c.
 */
#ifndef EC_SUMMARY_REVISIT_H
#define EC_SUMMARY_REVISIT_H

#include "postgres.h"

#include "insight/build.h"

/* The visits of a user, buyer, session or order so far. */
typedef struct EcRevisitChain
{
	EcVisitKind kind;
	uint64 user; /* ec_sorter_word */
	int64 tag;
	bool any;
	bool has_previous;
	uint32 slot; /* of the last one */
	uint32 previous;
} EcRevisitChain;

static inline EcRevisitChain
ec_revisit_chain(EcVisitKind kind, uint64 user, int64 tag)
{
	return (EcRevisitChain){.kind = kind, .user = user, .tag = tag};
}

/* The next visit, in a later slot than the one before.  making may be NULL, then nothing happens. */
extern void ec_revisit_add(EcMaking *making, EcRevisitChain *chain, uint32 slot);

/* There are no more. */
extern void ec_revisit_end(EcMaking *making, const EcRevisitChain *chain);

#endif /* EC_SUMMARY_REVISIT_H */
