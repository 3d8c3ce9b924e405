/*
 * presence_rows.c
 *	  Rows beside the sets of presence.c, as records by user.
 *
 * Of visible rows at a range's edges, which are most, there is no need to know how many they are,
 * so that their records are short as long as there are no others.
 */
#include "postgres.h"

#include "insight/presence_internal.h"

/*
 * A record's key, then its state, in words; without sessions user and part are the key.  The edge stands
 * above the part.
 */
typedef enum Word
{
	WORD_USER,
	WORD_TAG,
	WORD_FIRST,
	WORD_SECOND,
	WORD_PART,
	WORD_STATE,
	WORDS = WORD_STATE + 4
} Word;

/* A state's words: rows with sign 1, purchases of them; the same with sign -1. */
#define STATE_WORDS 4

#define EDGE_SHIFT 32

/* If there are but rows of edges: user, tag and flags, session. */
#define EDGE_WORDS 4
#define EDGE_FLAG_BITS 4

/* Flags of an edge, from this bit on: a row, a purchase. */
#define EDGE_FLAGS_SHIFT(edge) (2 * ((edge) -EC_EDGE_FIRST))
#define EDGE_SEEN 1
#define EDGE_ORDERED 2

static void
combine_sums(uint64 *into, const uint64 *from)
{
	for (int i = 0; i < STATE_WORDS; i++)
		into[i] += from[i];
}

static void
combine_flags(uint64 *into, const uint64 *from)
{
	*into |= *from;
}

/* ---- rows in ---- */

/* The number of the stream to be of the set that covers the batch's rows. */
static uint32
stream_of_batch(const EcPresence *presence)
{
	const EcSummarySet *set = presence->rows->batch.set;

	for (uint32 i = 0; i < presence->nstreams && set != NULL; i++)
	{
		if (presence->sets[i] == set)
			return i;
	}
	return EC_SESSION_UNCOVERED;
}

/* Puts into parts in which edges the batch's rows are; false: not all are in any. */
static bool
find_edges(EcPresence *presence)
{
	EcRows *rows = presence->rows;
	const uint8 *nulls;
	const int64 *times;

	if (presence->edges == NULL || rows->sign < 0 || rows->batch.set != presence->sets[0])
		return false;
	times = ec_rows_times(rows, &presence->time, &nulls);
	for (uint32 i = 0; i < rows->n; i++)
	{
		EcEdge edge =
			nulls == NULL || !nulls[i] ? ec_edges_find(presence->edges, times[i]) : EC_EDGE_NONE;

		if (edge == EC_EDGE_NONE)
			return false;
		presence->parts[i] = edge;
	}
	return true;
}

/* Rows of edges; an edge is of one bucket, as buckets consist of whole hours. */
static void
add_edges_rows(EcPresence *presence, const int64 *users, const uint8 *nulls, const uint32 *types,
			   const uint32 *buckets)
{
	const uint64 *keys[3] = {(const uint64 *) users, presence->sessions.first,
							 presence->sessions.second};
	uint32 n = presence->rows->n;
	uint64 *const *states;

	if (presence->edge_tally == NULL)
		presence->edge_tally =
			ec_tally_create(presence->context, presence->with_sessions ? 3 : 1, 1, combine_flags,
							presence->share * (presence->tally == NULL ? EC_PRESENCE_TALLY_SHARE
																	   : EC_PRESENCE_OTHER_SHARE));
	states = ec_tally_find(presence->edge_tally, n, keys, nulls);
	for (uint32 i = 0; i < n; i++)
	{
		uint64 flags = types[i] == EC_TYPE_PURCHASE ? EDGE_SEEN | EDGE_ORDERED : EDGE_SEEN;

		*states[i] |= flags << EDGE_FLAGS_SHIFT(presence->parts[i]);
		if (presence->buckets != NULL)
			presence->edge_buckets[presence->parts[i]] = buckets[i];
	}
}

static void
add_other_rows(EcPresence *presence, const int64 *users, const uint8 *nulls, const uint32 *types,
			   const uint32 *buckets)
{
	EcRows *rows = presence->rows;
	int sign = rows->sign > 0 ? 0 : 2;
	uint32 part = presence->with_sessions ? stream_of_batch(presence) : 0;
	const uint64 *keys[4] = {(const uint64 *) users, presence->parts, presence->sessions.first,
							 presence->sessions.second};
	uint64 *const *states;

	if (presence->tally == NULL)
		presence->tally = ec_tally_create(
			presence->context, presence->with_sessions ? 4 : 2, STATE_WORDS, combine_sums,
			presence->share *
				(presence->edge_tally == NULL ? EC_PRESENCE_TALLY_SHARE : EC_PRESENCE_OTHER_SHARE));
	for (uint32 i = 0; i < rows->n; i++)
		presence->parts[i] = presence->buckets == NULL ? part : buckets[i];
	states = ec_tally_find(presence->tally, rows->n, keys, nulls);
	for (uint32 i = 0; i < rows->n; i++)
	{
		states[i][sign]++;
		states[i][sign + 1] += types[i] == EC_TYPE_PURCHASE;
	}
}

void
ec_presence_add(EcPresence *presence, const uint32 *types, const uint32 *buckets)
{
	EcRows *rows = presence->rows;
	const uint8 *nulls;
	const int64 *users = ec_rows_ints(rows, &presence->user, &nulls);

	if (presence->with_sessions)
		ec_rows_sessions(rows, &presence->sessions);
	if (find_edges(presence))
		add_edges_rows(presence, users, nulls, types, buckets);
	else
		add_other_rows(presence, users, nulls, types, buckets);
}

/* ---- records ---- */

static uint64
tag_of(const EcPresence *presence, const uint64 *session)
{
	return ec_session_tag(&presence->sessions, session[0], session[1]);
}

static void
put_record(const uint64 *key, uint64 *state, void *arg)
{
	EcPresence *presence = arg;
	uint64 record[WORDS] = {0};

	record[WORD_USER] = ec_sorter_word((int64) key[0]);
	record[WORD_PART] = key[1];
	if (presence->with_sessions)
	{
		record[WORD_TAG] = tag_of(presence, key + 2);
		record[WORD_FIRST] = key[2];
		record[WORD_SECOND] = key[3];
	}
	memcpy(record + WORD_STATE, state, sizeof(uint64) * STATE_WORDS);
	ec_sorter_put(presence->sorter, record);
}

/* Rows of edges, where there are others, too: a record for each edge. */
static void
put_edges(const uint64 *key, uint64 *state, void *arg)
{
	EcPresence *presence = arg;

	for (int edge = EC_EDGE_FIRST; edge <= EC_EDGE_LAST; edge++)
	{
		uint64 flags = *state >> EDGE_FLAGS_SHIFT(edge);
		uint64 part = (uint64) edge << EDGE_SHIFT | presence->edge_buckets[edge];
		const uint64 full_key[4] = {key[0], part, presence->with_sessions ? key[1] : 0,
									presence->with_sessions ? key[2] : 0};
		uint64 sums[STATE_WORDS] = {1, (flags & EDGE_ORDERED) != 0};

		if (flags & EDGE_SEEN)
			put_record(full_key, sums, presence);
	}
}

static void
put_short(const uint64 *key, uint64 *state, void *arg)
{
	EcPresence *presence = arg;
	uint64 record[EDGE_WORDS] = {ec_sorter_word((int64) key[0]), *state};

	if (presence->with_sessions)
	{
		record[WORD_TAG] |= tag_of(presence, key + 1) << EDGE_FLAG_BITS;
		record[WORD_FIRST] = key[1];
		record[WORD_SECOND] = key[2];
	}
	ec_sorter_put(presence->sorter, record);
}

/* Are all records those of put_short? */
static inline bool
are_short(const EcPresence *presence)
{
	return presence->tally == NULL;
}

void
ec_presence_sort_rows(EcPresence *presence)
{
	double share = presence->share * EC_PRESENCE_OTHER_SHARE;

	if (are_short(presence))
		presence->sorter = ec_sorter_create(presence->context, EDGE_WORDS, EDGE_WORDS, share);
	else
	{
		presence->sorter = ec_sorter_create(presence->context, WORDS, WORD_STATE, share);
		ec_tally_visit(presence->tally, put_record, presence);
	}
	if (presence->edge_tally != NULL)
		ec_tally_visit(presence->edge_tally, are_short(presence) ? put_short : put_edges, presence);
	ec_sorter_sort(presence->sorter);
	presence->next = ec_sorter_next(presence->sorter);
}

static EcSessionRows *
next_rows(EcPresence *presence)
{
	if (presence->nrows == presence->rows_capacity)
	{
		presence->rows_capacity *= 2;
		presence->user_rows =
			repalloc_huge(presence->user_rows, sizeof(EcSessionRows) * presence->rows_capacity);
	}
	return &presence->user_rows[presence->nrows++];
}

static void
take_short(EcPresence *presence, const uint64 *record)
{
	for (int edge = EC_EDGE_FIRST; edge <= EC_EDGE_LAST; edge++)
	{
		uint64 flags = record[WORD_TAG] >> EDGE_FLAGS_SHIFT(edge);

		if (flags & EDGE_SEEN)
			*next_rows(presence) =
				(EcSessionRows){.first = record[WORD_FIRST],
								.second = record[WORD_SECOND],
								.tag = (int64) (record[WORD_TAG] >> EDGE_FLAG_BITS),
								.part = presence->edge_buckets[edge],
								.edge = edge,
								.seen = 1,
								.ordered = (flags & EDGE_ORDERED) != 0};
	}
}

void
ec_presence_take_rows(EcPresence *presence, int64 user)
{
	presence->nrows = 0;
	while (presence->next != NULL && ec_presence_next_user(presence) == user)
	{
		const uint64 *record = presence->next;

		if (are_short(presence))
			take_short(presence, record);
		else
			*next_rows(presence) =
				(EcSessionRows){.first = record[WORD_FIRST],
								.second = record[WORD_SECOND],
								.tag = (int64) record[WORD_TAG],
								.part = (uint32) record[WORD_PART],
								.edge = (EcEdge) (record[WORD_PART] >> EDGE_SHIFT),
								.seen = (int64) record[WORD_STATE],
								.ordered = (int64) record[WORD_STATE + 1],
								.hidden = (int64) record[WORD_STATE + 2],
								.unordered = (int64) record[WORD_STATE + 3]};
		presence->next = ec_sorter_next(presence->sorter);
	}
}
