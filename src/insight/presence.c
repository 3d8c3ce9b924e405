/*
 * presence.c
 *	  Distinct users, buyers, sessions and orders from any number of sets and rows beside them.
 *
 * Rows are aggregated to records, which are sorted by user.  The largest set is only
 * searched for the users of records and of the other sets; all are merged by user.  If there is but one
 * set, it is not searched for users of whom there are visible rows at the range's edges only (edges.c).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/edges.h"
#include "insight/presence.h"
#include "insight/session_match.h"
#include "insight/session_stream.h"
#include "insight/sorter.h"
#include "insight/tally.h"

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

#define FEW 64
#define ROWS_PART PG_UINT32_MAX

/* Half of the memory for rows, a quarter each for sorting them and for sessions to be looked for. */
#define TALLY_SHARE 0.5
#define OTHER_SHARE 0.25

/* So many slots' buckets are remembered. */
#define REMEMBERED 4096

/* What one set, or the rows (ROWS_PART), tell of a user's bucket. */
typedef struct Part
{
	uint32 bucket;
	uint32 stream;
	int64 rows;
	int64 purchases;
} Part;

typedef struct Remembered
{
	int64 slot;
	uint32 bucket;
	bool any;
} Remembered;

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
	uint64 *parts; /* [EC_BLOCK_ROWS] */
	EcTally *tally;
	bool any_rows;

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
	Part *user_parts;
	uint32 nparts;
	uint32 parts_capacity;
	Remembered *remembered;
};

static void
combine_sums(uint64 *into, const uint64 *from)
{
	for (int i = 0; i < STATE_WORDS; i++)
		into[i] += from[i];
}

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
	presence->tally = ec_tally_create(context, with_sessions ? 4 : 2, STATE_WORDS, combine_sums,
									  share * TALLY_SHARE);
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

/* ---- rows ---- */

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

/* Adds to parts in which edges the batch's rows are. */
static void
find_edges(EcPresence *presence)
{
	EcRows *rows = presence->rows;
	const uint8 *nulls;
	const int64 *times = ec_rows_times(rows, &presence->time, &nulls);

	for (uint32 i = 0; i < rows->n; i++)
	{
		if (nulls == NULL || !nulls[i])
			presence->parts[i] |= (uint64) ec_edges_find(presence->edges, times[i]) << EDGE_SHIFT;
	}
}

void
ec_presence_add(EcPresence *presence, const uint32 *types, const uint32 *buckets)
{
	EcRows *rows = presence->rows;
	int sign = rows->sign > 0 ? 0 : 2;
	uint32 part = stream_of_batch(presence);
	const uint8 *nulls;
	const int64 *users = ec_rows_ints(rows, &presence->user, &nulls);
	const uint64 *keys[4] = {(const uint64 *) users, presence->parts, presence->sessions.first,
							 presence->sessions.second};
	uint64 *const *states;

	if (presence->with_sessions)
		ec_rows_sessions(rows, &presence->sessions);
	else
		part = 0;
	for (uint32 i = 0; i < rows->n; i++)
		presence->parts[i] = presence->buckets == NULL ? part : buckets[i];
	if (presence->edges != NULL && rows->sign > 0 && rows->batch.set == presence->sets[0])
		find_edges(presence);
	states = ec_tally_find(presence->tally, rows->n, keys, nulls);
	for (uint32 i = 0; i < rows->n; i++)
	{
		states[i][sign]++;
		states[i][sign + 1] += types[i] == EC_TYPE_PURCHASE;
	}
	presence->any_rows = true;
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
		record[WORD_TAG] = ec_session_tag(&presence->sessions, key[2], key[3]);
		record[WORD_FIRST] = key[2];
		record[WORD_SECOND] = key[3];
	}
	memcpy(record + WORD_STATE, state, sizeof(uint64) * STATE_WORDS);
	ec_sorter_put(presence->sorter, record);
}

static void
sort_records(EcPresence *presence)
{
	presence->sorter =
		ec_sorter_create(presence->context, WORDS, WORD_STATE, presence->share * OTHER_SHARE);
	ec_tally_visit(presence->tally, put_record, presence);
	ec_sorter_sort(presence->sorter);
	presence->next = ec_sorter_next(presence->sorter);
}

/* Reads the records of a user, which come next if there are any. */
static void
take_records(EcPresence *presence, int64 user)
{
	presence->nrows = 0;
	while (presence->next != NULL && ec_sorter_int64(presence->next[WORD_USER]) == user)
	{
		const uint64 *record = presence->next;

		if (presence->nrows == presence->rows_capacity)
		{
			presence->rows_capacity *= 2;
			presence->user_rows =
				repalloc_huge(presence->user_rows, sizeof(EcSessionRows) * presence->rows_capacity);
		}
		presence->user_rows[presence->nrows++] =
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

/* ---- users and buyers ---- */

static uint32
bucket_of_cell(EcPresence *presence, const EcSessionCell *cell)
{
	Remembered *memory;

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
	Part *last = presence->nparts > 0 ? &presence->user_parts[presence->nparts - 1] : NULL;

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
			repalloc_huge(presence->user_parts, sizeof(Part) * presence->parts_capacity);
	}
	presence->user_parts[presence->nparts++] = (Part){bucket, stream, rows, purchases};
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
	const Part *x = a;
	const Part *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	return x->stream < y->stream ? -1 : x->stream > y->stream;
}

/* A bucket's parts: is the user there, and how often do sets say so? */
static void
count_bucket(EcPresence *presence, const Part *parts, uint32 n)
{
	int64 rows = 0;
	int64 purchases = 0;
	int64 users = 0;
	int64 buyers = 0;

	for (uint32 i = 0; i < n;)
	{
		Part sum = parts[i++];

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
	const Part *parts;
	uint32 n;

	collect_parts(presence);
	parts = presence->user_parts;
	n = presence->nparts;
	if (n > 1 && presence->buckets != NULL)
		qsort(presence->user_parts, n, sizeof(Part), compare_parts);
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
		*user = ec_sorter_int64(presence->next[WORD_USER]);
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
	presence->user_parts = palloc(sizeof(Part) * FEW);
	presence->remembered = palloc0(sizeof(Remembered) * REMEMBERED);
	if (presence->with_sessions)
		presence->match = ec_session_match_create(presence->rows, &presence->sessions,
												  presence->share * OTHER_SHARE, presence->context);
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

	sort_records(presence);
	begin_merge(presence);
	while (next_user(presence, &user))
	{
		take_records(presence, user);
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
	if (presence->any_rows || presence->nstreams > 1)
		merge(presence);
	else if (presence->edges != NULL)
		ec_edges_end(presence->edges);
	MemoryContextSwitchTo(old);
	ec_tally_destroy(presence->tally);
	MemoryContextDelete(presence->context);
}
