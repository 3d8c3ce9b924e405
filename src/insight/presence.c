/*
 * presence.c
 *	  Distinct users, buyers, sessions and orders from any number of sets and rows beside them.
 *
 * Rows are aggregated to records, which are sorted by user (presence_rows.c).  The largest set is only
 * searched for the users of records and of the other sets; all are merged by user.  If there is but one
 * set, it is not searched for users of whom there are visible rows at the range's edges only (edges.c).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/presence_internal.h"

#define FEW 64
#define ROWS_PART PG_UINT32_MAX

/* So many slots' buckets are remembered. */
#define REMEMBERED 4096

/* ---- sets ---- */

static void
list_set(EcPresence *presence, Relation rel, const EcSummarySet *set)
{
	uint32 n = presence->nstreams++;

	if (n == presence->capacity)
	{
		presence->capacity *= 2;
		presence->sets = repalloc(presence->sets, sizeof(EcSummarySet *) * presence->capacity);
		presence->rels = repalloc(presence->rels, sizeof(Relation) * presence->capacity);
	}
	presence->sets[n] = set;
	presence->rels[n] = rel;
	if (set->nrows > presence->sets[0]->nrows)
	{
		presence->sets[n] = presence->sets[0];
		presence->rels[n] = presence->rels[0];
		presence->sets[0] = set;
		presence->rels[0] = rel;
	}
}

static void
list_sets(EcPresence *presence)
{
	const EcSummarySet *set;
	Relation rel;

	presence->capacity = FEW;
	presence->sets = palloc(sizeof(EcSummarySet *) * presence->capacity);
	presence->rels = palloc(sizeof(Relation) * presence->capacity);
	while (ec_rows_next_set(presence->rows, &rel, &set))
		list_set(presence, rel, set);
	ec_rows_rewind_sets(presence->rows);
}

static void count_rest(int64 user, const EcSessionRows *rows, uint32 n, void *arg);

/* Numbers of the edges' users go straight to who wants them. */
static void
add_edges(EcVisitKind kind, uint32 bucket, int64 count, void *arg)
{
	EcPresence *presence = arg;

	presence->add(kind, bucket, count, presence->arg);
}

static EcPresence *
create(EcRows *rows, EcBuckets *buckets, bool with_sessions, EcVisitAdd add, void *arg,
	   double share, MemoryContext context)
{
	EcPresence *presence;
	MemoryContext old;

	context = AllocSetContextCreate(context, "ecinsight presence", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	presence = palloc0(sizeof(EcPresence));
	presence->rows = rows;
	presence->context = context;
	presence->buckets = buckets;
	presence->with_sessions = with_sessions;
	presence->add = add;
	presence->arg = arg;
	presence->share = share;
	ec_int_column_init(&presence->user, EC_COL_USER, context);
	ec_session_column_init(&presence->sessions, context);
	ec_int_column_init(&presence->time, EC_COL_TIME, context);
	presence->parts = palloc(sizeof(uint64) * EC_BLOCK_ROWS);
	list_sets(presence);
	if (presence->nstreams == 1)
		presence->edges =
			ec_edges_create(presence->rels[0], presence->sets[0], &rows->slots, buckets,
							with_sessions, add_edges, count_rest, presence, context);
	MemoryContextSwitchTo(old);
	return presence;
}

EcPresence *
ec_presence_create(EcRows *rows, EcBuckets *buckets, EcVisitAdd add, void *arg, double share,
				   MemoryContext context)
{
	return create(rows, buckets, buckets == NULL, add, arg, share, context);
}

EcPresence *
ec_presence_create_people(EcRows *rows, EcVisitAdd add, void *arg, double share,
						  MemoryContext context)
{
	return create(rows, NULL, false, add, arg, share, context);
}

/* ---- users and buyers ---- */

static uint32
bucket_of_cell(EcPresence *presence, const EcSessionCell *cell)
{
	EcPresenceHour *memory;

	if (presence->buckets == NULL)
		return 0;
	if (cell->no_time)
		return ec_buckets_number(presence->buckets, 0, true);
	memory = &presence->remembered[(uint64) (cell->slot / USECS_PER_HOUR) % REMEMBERED];
	if (!memory->any || memory->slot != cell->slot)
	{
		memory->any = true;
		memory->slot = cell->slot;
		ec_buckets_find(presence->buckets, 1, &cell->slot, NULL, &memory->bucket);
	}
	return memory->bucket;
}

static void
add_part(EcPresence *presence, uint32 bucket, uint32 stream, int64 rows, int64 purchases)
{
	EcPresencePart *last =
		presence->nparts > 0 ? &presence->user_parts[presence->nparts - 1] : NULL;

	if (last != NULL && last->bucket == bucket && last->stream == stream)
	{
		last->rows += rows;
		last->purchases += purchases;
		return;
	}
	if (presence->nparts == presence->parts_capacity)
	{
		presence->parts_capacity *= 2;
		presence->user_parts =
			repalloc_huge(presence->user_parts, sizeof(EcPresencePart) * presence->parts_capacity);
	}
	presence->user_parts[presence->nparts++] = (EcPresencePart){bucket, stream, rows, purchases};
}

static void
collect_parts(EcPresence *presence)
{
	presence->nparts = 0;
	for (uint32 i = 0; i < presence->cells.n; i++)
	{
		const EcSessionCell *cell = &presence->cells.cells[i];

		add_part(presence, bucket_of_cell(presence, cell), cell->stream, cell->rows,
				 cell->purchases);
	}
	for (uint32 i = 0; i < presence->nrows; i++)
	{
		const EcSessionRows *rows = &presence->user_rows[i];

		add_part(presence, presence->buckets == NULL ? 0 : rows->part, ROWS_PART,
				 rows->seen - rows->hidden, rows->ordered - rows->unordered);
	}
}

static int
compare_parts(const void *a, const void *b)
{
	const EcPresencePart *x = a;
	const EcPresencePart *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	return x->stream < y->stream ? -1 : x->stream > y->stream;
}

/* A bucket's parts: is the user there, and how often do sets say so? */
static void
count_bucket(EcPresence *presence, const EcPresencePart *parts, uint32 n)
{
	int64 rows = 0;
	int64 purchases = 0;
	int64 users = 0;
	int64 buyers = 0;

	for (uint32 i = 0; i < n;)
	{
		EcPresencePart sum = parts[i++];

		for (; i < n && parts[i].stream == sum.stream; i++)
		{
			sum.rows += parts[i].rows;
			sum.purchases += parts[i].purchases;
		}
		rows += sum.rows;
		purchases += sum.purchases;
		users -= sum.stream != ROWS_PART && sum.rows > 0;
		buyers -= sum.stream != ROWS_PART && sum.purchases > 0;
	}
	users += rows > 0;
	buyers += purchases > 0;
	if (users != 0)
		presence->add(EC_VISIT_USER, parts[0].bucket, users, presence->arg);
	if (buyers != 0)
		presence->add(EC_VISIT_BUYER, parts[0].bucket, buyers, presence->arg);
}

static void
count_user(EcPresence *presence)
{
	const EcPresencePart *parts;
	uint32 n;

	collect_parts(presence);
	parts = presence->user_parts;
	n = presence->nparts;
	if (n > 1 && presence->buckets != NULL)
		qsort(presence->user_parts, n, sizeof(EcPresencePart), compare_parts);
	for (uint32 i = 0; i < n;)
	{
		uint32 end = i + 1;

		while (end < n && parts[end].bucket == parts[i].bucket)
			end++;
		count_bucket(presence, parts + i, end - i);
		i = end;
	}
}

/* ---- merging ---- */

/* The next user that isn't only in the largest set; false: there is none. */
static bool
next_user(EcPresence *presence, int64 *user)
{
	bool any = presence->next != NULL;

	if (any)
		*user = ec_presence_next_user(presence);
	for (uint32 i = 1; i < presence->nstreams; i++)
	{
		const EcSessionStream *stream = &presence->streams[i];

		if (!ec_session_stream_has(stream))
			continue;
		if (!any || ec_session_stream_user(stream) < *user)
			*user = ec_session_stream_user(stream);
		any = true;
	}
	return any;
}

static inline bool
stands_at(const EcSessionStream *stream, int64 user)
{
	return ec_session_stream_has(stream) && ec_session_stream_user(stream) == user;
}

/* Finds the user's cells; returns how many sets have some. */
static uint32
seek_user(EcPresence *presence, EcSessionStream *streams, int64 user)
{
	uint32 n = 0;

	ec_session_stream_seek(&streams[0], user);
	for (uint32 i = 0; i < presence->nstreams; i++)
		n += stands_at(&streams[i], user);
	return n;
}

/*
 * What is needed of the user's cells: as long as nothing is taken away a cell is there, however many
 * rows it has, and who has bought doesn't change but by purchases.
 */
static int
wanted_columns(const EcPresence *presence, uint32 nstreams)
{
	int want = nstreams > 1 ? EC_SESSION_WANT_PURCHASES : 0;

	for (uint32 i = 0; i < presence->nrows; i++)
	{
		const EcSessionRows *rows = &presence->user_rows[i];

		want |= rows->hidden > 0 ? EC_SESSION_WANT_ROWS : 0;
		want |= rows->ordered + rows->unordered > 0 ? EC_SESSION_WANT_PURCHASES : 0;
	}
	return want;
}

/* The user's rows have been taken. */
static void
merge_user(EcPresence *presence, EcSessionStream *streams, int64 user)
{
	uint32 nstreams = seek_user(presence, streams, user);
	bool wanted = nstreams > 1 || presence->nrows > 0;
	int want = wanted_columns(presence, nstreams);

	presence->cells.n = 0;
	for (uint32 i = 0; i < presence->nstreams; i++)
	{
		EcSessionStream *stream = &streams[i];

		if (!stands_at(stream, user))
			continue;
		if (wanted)
			ec_session_stream_take(stream, &presence->cells, want);
		else if (user < PG_INT64_MAX)
			ec_session_stream_seek(stream, user + 1);
		else
			ec_session_stream_end(stream);
	}
	if (!wanted)
		return;
	count_user(presence);
	if (presence->match != NULL)
		ec_session_match_user(presence->match, user, &presence->cells, presence->user_rows,
							  presence->nrows, (want & EC_SESSION_WANT_PURCHASES) != 0);
}

static void
begin_stream(EcPresence *presence, EcSessionStream *stream, uint32 i)
{
	stream->number = i;
	stream->slots = presence->rows->slots;
	stream->want_tags = presence->with_sessions;
	ec_session_stream_begin(stream, presence->rels[i], presence->sets[i], presence->context);
}

/*
 * Called by edges, with users in ascending order; but in between other users may have come, whom the
 * first streams have gone beyond.
 */
static void
count_rest(int64 user, const EcSessionRows *rows, uint32 n, void *arg)
{
	EcPresence *presence = arg;
	EcSessionRows *user_rows = presence->user_rows;
	uint32 nrows = presence->nrows;

	if (presence->again == NULL)
	{
		presence->again = palloc0(sizeof(EcSessionStream));
		begin_stream(presence, presence->again, 0);
	}
	presence->user_rows = unconstify(EcSessionRows *, rows);
	presence->nrows = n;
	merge_user(presence, presence->again, user);
	presence->user_rows = user_rows;
	presence->nrows = nrows;
}

static void
begin_merge(EcPresence *presence)
{
	presence->streams = palloc0(sizeof(EcSessionStream) * presence->nstreams);
	for (uint32 i = 0; i < presence->nstreams; i++)
		begin_stream(presence, &presence->streams[i], i);
	presence->cells.context = presence->context;
	presence->rows_capacity = presence->parts_capacity = FEW;
	presence->user_rows = palloc(sizeof(EcSessionRows) * FEW);
	presence->user_parts = palloc(sizeof(EcPresencePart) * FEW);
	presence->remembered = palloc0(sizeof(EcPresenceHour) * REMEMBERED);
	if (presence->with_sessions)
		presence->match =
			ec_session_match_create(presence->rows, &presence->sessions,
									presence->share * EC_PRESENCE_OTHER_SHARE, presence->context);
}

static void
end_merge(EcPresence *presence)
{
	int64 sessions;
	int64 orders;

	for (uint32 i = 0; i < presence->nstreams; i++)
		ec_session_stream_end(&presence->streams[i]);
	if (presence->again != NULL)
		ec_session_stream_end(presence->again);
	ec_sorter_destroy(presence->sorter);
	if (presence->match == NULL)
		return;
	ec_session_match_end(presence->match, &sessions, &orders);
	presence->add(EC_VISIT_SESSION, 0, sessions, presence->arg);
	presence->add(EC_VISIT_ORDER, 0, orders, presence->arg);
}

/* Puts right what the sets say. */
static void
merge(EcPresence *presence)
{
	int64 user;

	ec_presence_sort_rows(presence);
	begin_merge(presence);
	while (next_user(presence, &user))
	{
		ec_presence_take_rows(presence, user);
		if (presence->edges == NULL ||
			!ec_edges_add(presence->edges, user, presence->user_rows, presence->nrows))
			merge_user(presence, presence->streams, user);
	}
	if (presence->edges != NULL)
		ec_edges_end(presence->edges);
	presence->edges = NULL;
	end_merge(presence);
}

/* ---- what the sets say ---- */

/* With buckets, only people are counted. */
static void
add_visits(EcVisitKind kind, uint32 bucket, int64 count, void *arg)
{
	EcPresence *presence = arg;

	if (kind == EC_VISIT_USER || kind == EC_VISIT_BUYER)
		presence->add(kind, bucket, count, presence->arg);
}

static void
count_set(EcPresence *presence, uint32 i)
{
	const EcSlots *slots = &presence->rows->slots;
	int64 counts[EC_VISIT_KINDS];

	if (presence->buckets != NULL)
	{
		ec_visits_by_bucket(presence->rels[i], presence->sets[i], slots, presence->buckets,
							add_visits, presence);
		return;
	}
	ec_visits_count(presence->rels[i], presence->sets[i], slots, counts);
	for (int kind = 0; kind < EC_VISIT_KINDS; kind++)
		presence->add(kind, 0, counts[kind], presence->arg);
}

void
ec_presence_count(EcPresence *presence)
{
	MemoryContext old = MemoryContextSwitchTo(presence->context);

	for (uint32 i = 0; i < presence->nstreams; i++)
		count_set(presence, i);
	if (presence->tally != NULL || presence->edge_tally != NULL || presence->nstreams > 1)
		merge(presence);
	else if (presence->edges != NULL)
		ec_edges_end(presence->edges);
	MemoryContextSwitchTo(old);
	if (presence->tally != NULL)
		ec_tally_destroy(presence->tally);
	if (presence->edge_tally != NULL)
		ec_tally_destroy(presence->edge_tally);
	MemoryContextDelete(presence->context);
}
