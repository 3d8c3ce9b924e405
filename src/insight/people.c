/*
 * people.c
 *	  Distinct users of groups: a tally of (group, user) with a bit for each kind of event.
 */
#include "postgres.h"

#include "insight/people.h"

#define KEY_WORDS 2 /* group, user */

static void
combine_bits(uint64 *into, const uint64 *from)
{
	*into |= *from;
}

void
ec_people_init(EcPeople *people, MemoryContext context, double share)
{
	people->tally = ec_tally_create(context, KEY_WORDS, 1, combine_bits, share);
	people->groups = MemoryContextAlloc(context, sizeof(uint64) * EC_BLOCK_ROWS);
	people->counts = NULL;
}

void
ec_people_add(EcPeople *people, uint32 n, const uint32 *groups, const int64 *users,
			  const uint8 *nulls, const uint32 *types)
{
	const uint64 *keys[KEY_WORDS] = {people->groups, (const uint64 *) users};
	uint64 *const *states;

	for (uint32 i = 0; i < n; i++)
		people->groups[i] = groups[i];
	states = ec_tally_find(people->tally, n, keys, nulls);
	for (uint32 i = 0; i < n; i++)
		*states[i] |= UINT64CONST(1) << (types[i] < EC_TYPE_CLASSES ? types[i] : 0);
}

static void
visit_pair(const uint64 *key, uint64 *state, void *arg)
{
	EcPeople *people = arg;
	int64 *counts = people->counts[key[0]];

	counts[EC_PEOPLE_USERS]++;
	for (int type = 1; type < EC_TYPE_CLASSES; type++)
		counts[type] += *state >> type & 1;
}

void
ec_people_count(EcPeople *people, EcPeopleCounts *counts)
{
	people->counts = counts;
	ec_tally_visit(people->tally, visit_pair, people);
	ec_tally_destroy(people->tally);
	people->tally = NULL;
	pfree(people->groups);
}
