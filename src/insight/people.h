/*
 * people.h
 *	  Distinct users of groups, by what they did there.
 *
 * Counts (group, user) pairs, within the limits of a tally; rows without a user add
 * nothing.  Groups are numbered 0, 1, 2 ...
 */
#ifndef EC_PEOPLE_H
#define EC_PEOPLE_H

#include "postgres.h"

#include "insight/rows.h"
#include "insight/tally.h"

/* Distinct users of a group: all, and those with a view, a cart, a purchase (by EC_TYPE_*). */
#define EC_PEOPLE_USERS 0
typedef int64 EcPeopleCounts[EC_TYPE_CLASSES];

typedef struct EcPeople
{
	EcTally *tally;
	uint64 *groups;			/* [EC_BLOCK_ROWS], a key's first word */
	EcPeopleCounts *counts; /* while they are made */
} EcPeople;

/* share: of the memory allowed, as of a tally */
extern void ec_people_init(EcPeople *people, MemoryContext context, double share);

/* Adds n rows; nulls (of users) may be NULL. */
extern void ec_people_add(EcPeople *people, uint32 n, const uint32 *groups, const int64 *users,
						  const uint8 *nulls, const uint32 *types);

/* Adds the users of each group to counts, which has a place for each.  Once only; frees the pairs. */
extern void ec_people_count(EcPeople *people, EcPeopleCounts *counts);

#endif /* EC_PEOPLE_H */
