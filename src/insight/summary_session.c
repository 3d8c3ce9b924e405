/*
 * summary_session.c
 *	  Each session's hours, by user: what tells whether somebody whom other rows are of is
 *	  there, too, among the rows that a set stands for (presence.c).
 *
 * A session is known by a tag, EC_SESSION_TAG_BITS of its hash.  Sessions of one user
 * whose hashes are equal are numbered from 1 in the bits above, so that different tags of a
 * user are different sessions, and a tag without number stands for one of all sessions
 * in the set only.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "insight/product_set.h"
#include "insight/summary_revisit.h"
#include "insight/summary_session.h"

#define FEW_HOURS 64

typedef struct Hour
{
	int64 slot;
	bool no_time;
	uint32 session; /* number among the user's */
	int64 tag;
	int64 rows;
	int64 purchases;
} Hour;

/* A session of the user in work. */
typedef struct Session
{
	uint32 tag;
	uint32 number;
} Session;

/* Of the user in work. */
typedef struct Hours
{
	Hour *hours;
	uint32 nhours;
	uint32 hours_capacity;
	Session *sessions;
	uint32 nsessions;
	uint32 sessions_capacity;
	int64 *tags; /* by a session's number; as long as sessions */
	uint64 first;
	uint64 second;
} Hours;

static void
begin(EcMaking *making)
{
	Hours *hours = palloc0(sizeof(Hours));

	hours->hours_capacity = hours->sessions_capacity = FEW_HOURS;
	hours->hours = palloc(sizeof(Hour) * hours->hours_capacity);
	hours->sessions = palloc(sizeof(Session) * hours->sessions_capacity);
	hours->tags = palloc(sizeof(int64) * hours->sessions_capacity);
	making->private = hours;
}

static void
add_session(Hours *hours, uint32 tag)
{
	if (hours->nsessions == hours->sessions_capacity)
	{
		hours->sessions_capacity *= 2;
		hours->sessions =
			repalloc_huge(hours->sessions, sizeof(Session) * hours->sessions_capacity);
		hours->tags = repalloc_huge(hours->tags, sizeof(int64) * hours->sessions_capacity);
	}
	hours->sessions[hours->nsessions].tag = tag;
	hours->sessions[hours->nsessions].number = hours->nsessions;
	hours->nsessions++;
}

void
ec_session_add_hour(EcMaking *making, const EcSessionColumn *sessions, const EcSessionHour *hour)
{
	Hours *hours = making->private;
	Hour *last;

	if (hours->nsessions == 0 || hours->first != hour->first || hours->second != hour->second)
		add_session(hours, ec_session_tag(sessions, hour->first, hour->second));
	hours->first = hour->first;
	hours->second = hour->second;
	if (hours->nhours == hours->hours_capacity)
	{
		hours->hours_capacity *= 2;
		hours->hours = repalloc_huge(hours->hours, sizeof(Hour) * hours->hours_capacity);
	}
	last = &hours->hours[hours->nhours++];
	last->slot = hour->no_time ? 0 : hour->slot;
	last->no_time = hour->no_time;
	last->session = hours->nsessions - 1;
	last->rows = hour->rows;
	last->purchases = hour->purchases;
}

/* ---- a user ---- */

static int
compare_sessions(const void *a, const void *b)
{
	const Session *x = a;
	const Session *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int
compare_hours(const void *a, const void *b)
{
	const Hour *x = a;
	const Hour *y = b;

	if (x->no_time != y->no_time)
		return x->no_time ? 1 : -1;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return x->tag < y->tag ? -1 : x->tag > y->tag;
}

/* Numbers the sessions that have the same tag. */
static void
give_tags(Hours *hours)
{
	const Session *sessions = hours->sessions;
	uint32 n = hours->nsessions;

	if (n > 1)
		qsort(hours->sessions, n, sizeof(Session), compare_sessions);
	for (uint32 i = 0; i < n;)
	{
		uint32 end = i + 1;

		while (end < n && sessions[end].tag == sessions[i].tag)
			end++;
		for (uint32 at = i; at < end; at++)
			hours->tags[sessions[at].number] =
				sessions[at].tag | (end - i > 1 ? (int64) (at - i + 1) << EC_SESSION_TAG_BITS : 0);
		i = end;
	}
	for (uint32 i = 0; i < hours->nhours; i++)
		hours->hours[i].tag = hours->tags[hours->hours[i].session];
}

/* The hours [first, end) are a session's. */
static void
put_neighbours(EcMaking *revisits, const Hours *hours, uint32 first, uint32 end, int64 user)
{
	uint64 word = ec_sorter_word(user);
	EcRevisitChain session = ec_revisit_chain(EC_VISIT_SESSION, word, hours->hours[first].tag);
	EcRevisitChain order = ec_revisit_chain(EC_VISIT_ORDER, word, hours->hours[first].tag);

	for (uint32 i = first; i < end; i++)
	{
		const Hour *hour = &hours->hours[i];
		uint32 slot = hour->no_time ? EC_PRODUCT_SLOT_NULL : (uint32) ec_product_slot(hour->slot);

		ec_revisit_add(revisits, &session, slot);
		if (hour->purchases > 0)
			ec_revisit_add(revisits, &order, slot);
	}
	ec_revisit_end(revisits, &session);
	ec_revisit_end(revisits, &order);
}

/* Most sessions have but one hour. */
static void
feed_revisits(const EcMaking *making, const Hours *hours, int64 user)
{
	EcMaking *revisits = ec_build_making(making->build, EC_PROJECTION_REVISIT);
	uint32 end;

	for (uint32 i = 0; i < hours->nhours && revisits != NULL; i = end)
	{
		end = i + 1;
		while (end < hours->nhours && hours->hours[end].session == hours->hours[i].session)
			end++;
		if (end - i > 1)
			put_neighbours(revisits, hours, i, end, user);
	}
}

void
ec_session_end_user(EcMaking *making, int64 user)
{
	Hours *hours = making->private;

	give_tags(hours);
	feed_revisits(making, hours, user);
	if (hours->nhours > 1)
		qsort(hours->hours, hours->nhours, sizeof(Hour), compare_hours);
	for (uint32 i = 0; i < hours->nhours; i++)
	{
		const Hour *hour = &hours->hours[i];

		ec_making_int(making, EC_SESSION_USER, user);
		if (hour->no_time)
			ec_making_null(making, EC_SESSION_SLOT);
		else
			ec_making_int(making, EC_SESSION_SLOT, hour->slot);
		ec_making_int(making, EC_SESSION_TAG, hour->tag);
		ec_making_int(making, EC_SESSION_ROWS, hour->rows);
		ec_making_int(making, EC_SESSION_PURCHASES, hour->purchases);
		ec_making_row(making);
	}
	hours->nhours = hours->nsessions = 0;
}

const EcMaker ec_session_maker = {
	.projection = EC_PROJECTION_SESSION,
	.dimension = "visit",
	.columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER) |
			   EC_COL_BIT(EC_COL_SESSION),
	.needs = EC_PROJECTION_BIT(EC_PROJECTION_VISIT),
	.key_words = 1,
	.memory = 0.01,
	.begin = begin,
};
