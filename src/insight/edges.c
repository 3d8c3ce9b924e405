/*
 * edges.c
 *	  What a ragged range's edges add to the distinct numbers of its whole hours.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "insight/edges.h"
#include "insight/product_set.h"
#include "insight/revisits.h"

/* So many rows are gathered before the visits are read. */
#define ROWS_MAX 65536

#define TAG_MASK ((INT64CONST(1) << EC_SESSION_TAG_BITS) - 1)

/* What is known about somebody or something in an edge. */
#define IS_THERE 1	 /* in the edge */
#define IS_ORDERED 2 /* with a purchase */
#define HAS_OTHER 4	 /* in the whole hours (of the bucket), too */
#define HAS_ORDER 8	 /* with a purchase there */
#define IS_UNCLEAR 16

typedef struct User
{
	int64 user;
	uint32 first; /* of his rows */
	uint32 n;
	bool rest; /* visits can't tell */
	uint8 edges[EC_EDGE_LAST + 1];
} User;

/* An edge. */
typedef struct Edge
{
	bool exists;
	int64 start; /* timestamptz */
	uint32 slot;
	bool has_bucket;
	uint32 bucket; /* of its rows */
	int64 bound;   /* neighbours count from here (last), or up to here, exclusively (first) */
} Edge;

struct EcEdges
{
	MemoryContext context;
	EcRevisits *revisits;
	EcBuckets *buckets;
	bool with_sessions;
	EcVisitAdd add;
	EcEdgeRest rest;
	void *arg;
	int64 from; /* slots between the edges: from <= slot < to */
	int64 to;
	Edge edges[EC_EDGE_LAST + 1];

	EcSessionRows *rows;
	uint8 *facts; /* of a row's session */
	uint32 nrows;
	User *users;
	uint32 nusers;

	/* the search in work: of users in one edge */
	EcEdge edge;
	EcVisitKind kind;
	int64 *ids;		 /* [ROWS_MAX] */
	uint32 *numbers; /* likewise: of users */
};

static void
init_edge(EcEdges *edges, EcEdge edge, int64 start)
{
	edges->edges[edge].exists = true;
	edges->edges[edge].start = start;
	edges->edges[edge].slot = (uint32) ec_product_slot(start);
	edges->edges[edge].bound = edge == EC_EDGE_FIRST ? edges->to : edges->from;
}

EcEdges *
ec_edges_create(Relation rel, const EcSummarySet *set, const EcSlots *slots, EcBuckets *buckets,
				bool with_sessions, EcVisitAdd add, EcEdgeRest rest, void *arg,
				MemoryContext parent)
{
	bool has_first = slots->min > DT_NOBEGIN && slots->min < DT_NOEND;
	bool has_last = slots->max > DT_NOBEGIN && slots->max < DT_NOEND;
	MemoryContext context;
	EcEdges *edges;

	if ((!has_first && !has_last) ||
		(set->projections & EC_PROJECTION_BIT(EC_PROJECTION_REVISIT)) == 0)
		return NULL;
	context = AllocSetContextCreate(parent, "ecinsight edges", ALLOCSET_DEFAULT_SIZES);
	edges = MemoryContextAllocZero(context, sizeof(EcEdges));
	edges->context = context;
	edges->buckets = buckets;
	edges->with_sessions = with_sessions;
	edges->add = add;
	edges->rest = rest;
	edges->arg = arg;
	ec_product_slots(slots, &edges->from, &edges->to);
	if (has_first)
		init_edge(edges, EC_EDGE_FIRST, slots->min - USECS_PER_HOUR);
	if (has_last)
		init_edge(edges, EC_EDGE_LAST, slots->max + 1);
	edges->revisits = ec_revisits_open(rel, set, context);
	return edges;
}

static void
make_memory(EcEdges *edges)
{
	edges->rows = MemoryContextAlloc(edges->context, sizeof(EcSessionRows) * ROWS_MAX);
	edges->facts = MemoryContextAlloc(edges->context, ROWS_MAX);
	edges->users = MemoryContextAlloc(edges->context, sizeof(User) * ROWS_MAX);
	edges->ids = MemoryContextAlloc(edges->context, sizeof(int64) * ROWS_MAX);
	edges->numbers = MemoryContextAlloc(edges->context, sizeof(uint32) * ROWS_MAX);
}

EcEdge
ec_edges_find(const EcEdges *edges, int64 time)
{
	for (int edge = EC_EDGE_FIRST; edge <= EC_EDGE_LAST; edge++)
	{
		const Edge *e = &edges->edges[edge];

		if (e->exists && time >= e->start && time - e->start < USECS_PER_HOUR)
			return edge;
	}
	return EC_EDGE_NONE;
}

/* ---- gathering ---- */

/* The first rows of an edge tell its bucket; of this bucket the hours between count. */
static void
take_bucket(EcEdges *edges, EcEdge edge, uint32 bucket)
{
	Edge *e = &edges->edges[edge];
	TimestampTz value;

	e->has_bucket = true;
	e->bucket = bucket;
	if (edges->buckets == NULL)
		return;
	value = edges->buckets->values[bucket];
	if (edge == EC_EDGE_FIRST)
		e->bound = Min(e->bound, ec_product_slot(ec_buckets_next(edges->buckets, value)));
	else
		e->bound = Max(e->bound, ec_product_slot(value));
}

/* Are all of them visible rows of edges, each with one bucket? */
static bool
are_of_edges(EcEdges *edges, const EcSessionRows *rows, uint32 n)
{
	for (uint32 i = 0; i < n; i++)
	{
		if (rows[i].edge == EC_EDGE_NONE || rows[i].hidden > 0)
			return false;
		if (!edges->edges[rows[i].edge].has_bucket)
			take_bucket(edges, rows[i].edge, edges->buckets == NULL ? 0 : rows[i].part);
		if (edges->buckets != NULL && edges->edges[rows[i].edge].bucket != rows[i].part)
			return false;
	}
	return true;
}

static void tell_users(EcEdges *edges);

bool
ec_edges_add(EcEdges *edges, int64 user, const EcSessionRows *rows, uint32 n)
{
	User *u;

	if (n > ROWS_MAX || !are_of_edges(edges, rows, n))
		return false;
	if (edges->rows == NULL)
		make_memory(edges);
	if (edges->nrows + n > ROWS_MAX)
		tell_users(edges);
	u = &edges->users[edges->nusers++];
	*u = (User){.user = user, .first = edges->nrows, .n = n};
	for (uint32 i = 0; i < n; i++)
	{
		u->edges[rows[i].edge] |= rows[i].ordered > 0 ? IS_THERE | IS_ORDERED : IS_THERE;
		edges->facts[edges->nrows] = 0;
		edges->rows[edges->nrows++] = rows[i];
	}
	return true;
}

/* ---- looking for neighbours ---- */

/* Lies the neighbour, other than by days, between the edges? */
static bool
is_between(const EcEdges *edges, int64 distance)
{
	const Edge *e = &edges->edges[edges->edge];

	if (distance == 0)
		return false;
	if (edges->edge == EC_EDGE_FIRST)
		return (distance == EC_REVISIT_FAR ? EC_PRODUCT_SLOT_LATE : e->slot + distance) < e->bound;
	return (distance == EC_REVISIT_FAR ? EC_PRODUCT_SLOT_FIRST : e->slot - distance) >= e->bound;
}

/*
 * The same of a user's, by days: HAS_OTHER if so, IS_UNCLEAR if it lies in the day of the
 * bound, else 0.
 */
static uint8
judge_days(const EcEdges *edges, int64 distance)
{
	const Edge *e = &edges->edges[edges->edge];
	int64 bound_day = ec_product_slot_day(e->bound);
	int64 day = ec_product_slot_day(e->slot);

	if (distance == 0 || distance == EC_REVISIT_FAR)
		return is_between(edges, distance) ? HAS_OTHER : 0;
	day += edges->edge == EC_EDGE_FIRST ? distance - 1 : 1 - distance;
	if (day == bound_day && e->bound > ec_product_day_slot(day))
		return IS_UNCLEAR;
	return (edges->edge == EC_EDGE_FIRST ? day < bound_day : day >= bound_day) ? HAS_OTHER : 0;
}

static void
note_visit(const EcRevisit *revisit, void *arg)
{
	EcEdges *edges = arg;
	User *user = &edges->users[edges->numbers[revisit->index]];

	if (edges->kind == EC_VISIT_USER)
		user->edges[edges->edge] |= judge_days(edges, revisit->distance);
	else if (edges->kind == EC_VISIT_BUYER)
		user->edges[edges->edge] |= is_between(edges, revisit->distance) ? HAS_ORDER : 0;
}

/* A session's or an order's neighbours: those of rows with this tag, if it is but one session's. */
static void
note_session(const EcRevisit *revisit, void *arg)
{
	EcEdges *edges = arg;
	User *user = &edges->users[edges->numbers[revisit->index]];
	uint8 fact = edges->kind == EC_VISIT_SESSION ? HAS_OTHER : HAS_ORDER;

	for (uint32 i = user->first; i < user->first + user->n; i++)
	{
		if (edges->rows[i].tag != (revisit->tag & TAG_MASK) || edges->rows[i].edge != edges->edge)
			continue;
		if (revisit->tag > TAG_MASK)
			user->rest = true;
		else if (is_between(edges, revisit->distance))
			edges->facts[i] |= fact;
	}
}

/* An unclear user who was there in one of the hours next to the bound. */
static void
note_hour(const EcRevisit *revisit, void *arg)
{
	EcEdges *edges = arg;

	edges->users[edges->numbers[revisit->index]].edges[edges->edge] |= HAS_OTHER;
}

/* Lists users of whom the edge has these facts and not those; returns how many. */
static uint32
list_users(EcEdges *edges, EcEdge edge, uint8 with, uint8 without)
{
	uint32 n = 0;

	edges->edge = edge;
	for (uint32 i = 0; i < edges->nusers; i++)
	{
		uint8 facts = edges->users[i].edges[edge];

		if ((facts & with) != with || (facts & without) != 0)
			continue;
		edges->ids[n] = edges->users[i].user;
		edges->numbers[n++] = i;
	}
	return n;
}

/* Of the edge in work: which one matters. */
static EcRevisitColumn
neighbour(const EcEdges *edges)
{
	return edges->edge == EC_EDGE_FIRST ? EC_REVISIT_NEXT : EC_REVISIT_PREVIOUS;
}

static void
find(EcEdges *edges, EcVisitKind kind, uint32 n)
{
	bool is_person = kind == EC_VISIT_USER || kind == EC_VISIT_BUYER;

	edges->kind = kind;
	ec_revisits_find(edges->revisits, kind, edges->edges[edges->edge].slot, neighbour(edges),
					 edges->ids, n, is_person ? note_visit : note_session, edges);
}

/* Of the n users listed. */
static uint32
leave_unclear(EcEdges *edges, uint32 n)
{
	uint32 left = 0;

	for (uint32 i = 0; i < n; i++)
	{
		if (edges->users[edges->numbers[i]].edges[edges->edge] & HAS_OTHER)
			continue;
		edges->ids[left] = edges->ids[i];
		edges->numbers[left++] = edges->numbers[i];
	}
	return left;
}

/* Those whose neighbour is in the bound's day: are they in its hours on this side of the bound? */
static void
find_unclear(EcEdges *edges, EcEdge edge)
{
	const Edge *e = &edges->edges[edge];
	int64 day = ec_product_slot_day(e->bound);
	int64 first = edge == EC_EDGE_FIRST ? Max(ec_product_day_slot(day), e->slot + 1) : e->bound;
	int64 end =
		edge == EC_EDGE_FIRST ? e->bound : Min(ec_product_day_slot(day + 1), (int64) e->slot);

	uint32 n = list_users(edges, edge, IS_UNCLEAR, HAS_OTHER);

	for (int64 slot = first; slot < end && n > 0; slot++)
	{
		ec_revisits_find(edges->revisits, EC_VISIT_USER, (uint32) slot, neighbour(edges),
						 edges->ids, n, note_hour, edges);
		n = leave_unclear(edges, n);
	}
}

static void
search_edge(EcEdges *edges, EcEdge edge)
{
	find(edges, EC_VISIT_USER, list_users(edges, edge, IS_THERE, 0));
	if (edges->with_sessions)
		find(edges, EC_VISIT_SESSION, list_users(edges, edge, IS_THERE, 0));
	find(edges, EC_VISIT_BUYER, list_users(edges, edge, IS_ORDERED, 0));
	if (edges->with_sessions)
		find(edges, EC_VISIT_ORDER, list_users(edges, edge, IS_ORDERED, 0));
	find_unclear(edges, edge);
}

/* ---- counting ---- */

/* Who is in the edge, or in both if they have the same bucket, and not between them. */
static void
add_person(EcEdges *edges, uint32 bucket, uint8 facts)
{
	if ((facts & (IS_THERE | HAS_OTHER)) == IS_THERE)
		edges->add(EC_VISIT_USER, bucket, 1, edges->arg);
	if ((facts & (IS_ORDERED | HAS_ORDER)) == IS_ORDERED)
		edges->add(EC_VISIT_BUYER, bucket, 1, edges->arg);
}

static void
add_people(EcEdges *edges, const User *user)
{
	const Edge *first = &edges->edges[EC_EDGE_FIRST];
	const Edge *last = &edges->edges[EC_EDGE_LAST];

	if (first->bucket == last->bucket)
	{
		add_person(edges, first->bucket, user->edges[EC_EDGE_FIRST] | user->edges[EC_EDGE_LAST]);
		return;
	}
	add_person(edges, first->bucket, user->edges[EC_EDGE_FIRST]);
	add_person(edges, last->bucket, user->edges[EC_EDGE_LAST]);
}

/* Rows of one session stand together, one for each edge at most. */
static void
add_sessions(EcEdges *edges, const User *user)
{
	uint32 end = user->first + user->n;
	uint8 facts = 0;

	for (uint32 i = user->first; i < end; i++)
	{
		const EcSessionRows *row = &edges->rows[i];

		facts |= edges->facts[i] | (row->ordered > 0 ? IS_ORDERED : 0);
		if (i + 1 < end && row[1].first == row->first && row[1].second == row->second)
			continue;
		if ((facts & HAS_OTHER) == 0)
			edges->add(EC_VISIT_SESSION, 0, 1, edges->arg);
		if ((facts & (IS_ORDERED | HAS_ORDER)) == IS_ORDERED)
			edges->add(EC_VISIT_ORDER, 0, 1, edges->arg);
		facts = 0;
	}
}

static void
tell_users(EcEdges *edges)
{
	for (int edge = EC_EDGE_FIRST; edge <= EC_EDGE_LAST; edge++)
	{
		if (edges->edges[edge].has_bucket)
			search_edge(edges, edge);
	}
	for (uint32 i = 0; i < edges->nusers; i++)
	{
		const User *user = &edges->users[i];

		if (user->rest)
		{
			edges->rest(user->user, edges->rows + user->first, user->n, edges->arg);
			continue;
		}
		add_people(edges, user);
		if (edges->with_sessions)
			add_sessions(edges, user);
	}
	edges->nusers = edges->nrows = 0;
}

void
ec_edges_end(EcEdges *edges)
{
	if (edges->nusers > 0)
		tell_users(edges);
	ec_revisits_close(edges->revisits);
	MemoryContextDelete(edges->context);
}
