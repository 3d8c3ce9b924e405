/*
 * summary_visit.c
 *	  Summaries that count distinct users, buyers, sessions and orders in any range of
 *	  whole hours.
 *
 * A visit is an hour in which a user (buyer, session, order) has a row.  A cell says how
 * many visits in one hour have their predecessor, of the same user, in another hour (or
 * none).  Who was there in [a, b) has exactly one visit there whose predecessor lies before
 * a, so the number of different ones is the sum of the cells with hour in [a, b) and
 * predecessor before a: exact for any range, and there are fewer cells than pairs of hours.
 *
 * Rows without a time are a last hour, after infinity.  What two sets have in common can't be
 * told from their cells, so cells are always made from rows.
 *
 * Words of a record: user; the session's two; hour.  The state: rows, and purchases of them.
 * These are what cells of sessions (summary_session.c) are made of, too.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "insight/build.h"
#include "insight/sessions.h"
#include "insight/summary_session.h"

#define KEY_WORDS 4
#define STATE_WORDS 2
#define FEW_VISITS 64

/* Words for hours, in order. */
#define NO_TIME (~UINT64CONST(0))
#define INFINITE_TIME (NO_TIME - 1)

/* Words of a cell's key: kind and whether there is a predecessor; hour; predecessor. */
#define CELL_WORDS 3

typedef struct Visit
{
	uint64 hour;
	bool bought;
} Visit;

/* The last visit of somebody. */
typedef struct Last
{
	bool any;
	uint64 hour;
} Last;

typedef struct Visits
{
	EcSessionColumn sessions;
	uint64 *words[2];		  /* [EC_BLOCK_ROWS] users, hours */
	EcTally *cells;			  /* to their numbers */
	uint64 *keys[CELL_WORDS]; /* [EC_BLOCK_ROWS] of visits that aren't counted yet */
	uint32 nkeys;
	uint64 session[3];
	bool any_session;
	Last last_session;
	Last last_order;
	EcMaking *hours; /* of sessions; NULL: they aren't made */
	Visit *visits;	 /* of the user in work, session by session */
	uint32 nvisits;
	uint32 capacity;
} Visits;

static void
add_number(uint64 *into, const uint64 *from)
{
	into[0] += from[0];
}

static void
begin(EcMaking *making)
{
	Visits *visits = palloc0(sizeof(Visits));

	ec_session_column_init(&visits->sessions, CurrentMemoryContext);
	visits->words[0] = palloc(sizeof(uint64) * EC_BLOCK_ROWS);
	visits->words[1] = palloc(sizeof(uint64) * EC_BLOCK_ROWS);
	visits->cells =
		ec_tally_create(making->build->context, CELL_WORDS, 1, add_number, making->maker->memory);
	for (int i = 0; i < CELL_WORDS; i++)
		visits->keys[i] = palloc(sizeof(uint64) * EC_BLOCK_ROWS);
	visits->hours = ec_build_making(making->build, EC_PROJECTION_SESSION);
	visits->capacity = FEW_VISITS;
	visits->visits = palloc(sizeof(Visit) * visits->capacity);
	making->private = visits;
}

static uint64
hour_word(int64 hour)
{
	return hour == DT_NOEND ? INFINITE_TIME : ec_sorter_word(hour);
}

static int64
hour_time(uint64 word)
{
	return word == INFINITE_TIME ? DT_NOEND : ec_sorter_int64(word);
}

static void
add_rows(EcMaking *making, const EcBuildRows *batch)
{
	Visits *visits = making->private;
	const uint64 *words[KEY_WORDS] = {visits->words[0], visits->sessions.first,
									  visits->sessions.second, visits->words[1]};
	uint64 *const *states;

	ec_rows_sessions(batch->rows, &visits->sessions);
	for (uint32 i = 0; i < batch->n; i++)
	{
		visits->words[0][i] = ec_sorter_word(batch->users[i]);
		visits->words[1][i] =
			batch->no_time != NULL && batch->no_time[i] ? NO_TIME : hour_word(batch->hours[i]);
	}
	states = ec_making_states(making, batch->n, words, batch->no_user);
	for (uint32 i = 0; i < batch->n; i++)
	{
		states[i][0]++;
		states[i][1] += batch->types[i] == EC_TYPE_PURCHASE;
	}
}

static void
combine(uint64 *into, const uint64 *from)
{
	into[0] += from[0];
	into[1] += from[1];
}

/* ---- visits in order ---- */

static void
count_keys(Visits *visits)
{
	const uint64 *keys[CELL_WORDS] = {visits->keys[0], visits->keys[1], visits->keys[2]};
	uint64 *const *states = ec_tally_find(visits->cells, visits->nkeys, keys, NULL);

	for (uint32 i = 0; i < visits->nkeys; i++)
		states[i][0]++;
	visits->nkeys = 0;
}

static void
count_visit(Visits *visits, EcVisitKind kind, Last *last, uint64 hour)
{
	uint32 i = visits->nkeys++;

	visits->keys[0][i] = (uint64) kind << 1 | last->any;
	visits->keys[1][i] = hour;
	visits->keys[2][i] = last->any ? last->hour : 0;
	if (visits->nkeys == EC_BLOCK_ROWS)
		count_keys(visits);
	last->any = true;
	last->hour = hour;
}

static int
compare_visits(const void *a, const void *b)
{
	uint64 x = ((const Visit *) a)->hour;
	uint64 y = ((const Visit *) b)->hour;

	return x < y ? -1 : x > y;
}

/* The hours of all sessions of a user are the user's. */
static void
finish_user(Visits *visits)
{
	Last user = {0};
	Last buyer = {0};

	if (visits->nvisits > 1)
		qsort(visits->visits, visits->nvisits, sizeof(Visit), compare_visits);
	for (uint32 i = 0; i < visits->nvisits; i++)
	{
		const Visit *visit = &visits->visits[i];

		if (!user.any || user.hour != visit->hour)
			count_visit(visits, EC_VISIT_USER, &user, visit->hour);
		if (visit->bought && (!buyer.any || buyer.hour != visit->hour))
			count_visit(visits, EC_VISIT_BUYER, &buyer, visit->hour);
	}
	visits->nvisits = 0;
	if (visits->hours != NULL && visits->any_session)
		ec_session_end_user(visits->hours, ec_sorter_int64(visits->session[0]));
}

static void
add_visit(Visits *visits, uint64 hour, bool bought)
{
	if (visits->nvisits == visits->capacity)
	{
		visits->capacity *= 2;
		visits->visits = repalloc_huge(visits->visits, sizeof(Visit) * visits->capacity);
	}
	visits->visits[visits->nvisits].hour = hour;
	visits->visits[visits->nvisits].bought = bought;
	visits->nvisits++;
}

static void
feed_sessions(Visits *visits, const uint64 *key, const uint64 *state)
{
	EcSessionHour hour = {key[1],			key[2],			 hour_time(key[3]), key[3] == NO_TIME,
						  (int64) state[0], (int64) state[1]};

	ec_session_add_hour(visits->hours, &visits->sessions, &hour);
}

static void
finish_hour(EcMaking *making, const uint64 *key, const uint64 *state)
{
	Visits *visits = making->private;
	bool same_user = visits->any_session && visits->session[0] == key[0];
	bool same_session = same_user && visits->session[1] == key[1] && visits->session[2] == key[2];

	if (visits->any_session && !same_user)
		finish_user(visits);
	if (!same_session)
	{
		memcpy(visits->session, key, sizeof(visits->session));
		visits->any_session = true;
		visits->last_session.any = false;
		visits->last_order.any = false;
	}
	if (visits->hours != NULL)
		feed_sessions(visits, key, state);
	add_visit(visits, key[3], state[1] != 0);
	count_visit(visits, EC_VISIT_SESSION, &visits->last_session, key[3]);
	if (state[1] != 0)
		count_visit(visits, EC_VISIT_ORDER, &visits->last_order, key[3]);
}

/* ---- cells ---- */

static void
put_cell(const uint64 *key, uint64 *state, void *arg)
{
	ec_sorter_put(arg, key);
}

static void
write_hour(EcMaking *making, int column, uint64 hour)
{
	if (hour == NO_TIME)
		ec_making_null(making, column);
	else
		ec_making_int(making, column, hour_time(hour));
}

static void
finish(EcMaking *making)
{
	Visits *visits = making->private;
	EcSorter *sorter =
		ec_sorter_create(making->build->context, CELL_WORDS + 1, CELL_WORDS, making->maker->memory);
	const uint64 *cell;

	finish_user(visits);
	count_keys(visits);
	ec_tally_visit(visits->cells, put_cell, sorter);
	ec_sorter_sort(sorter);
	while ((cell = ec_sorter_next(sorter)) != NULL)
	{
		ec_making_int(making, EC_VISIT_KIND, (int64) (cell[0] >> 1));
		write_hour(making, EC_VISIT_SLOT, cell[1]);
		if (cell[0] & 1)
			write_hour(making, EC_VISIT_PREVIOUS, cell[2]);
		else
			ec_making_null(making, EC_VISIT_PREVIOUS);
		ec_making_int(making, EC_VISIT_COUNT, (int64) cell[CELL_WORDS]);
		ec_making_row(making);
	}
	ec_sorter_destroy(sorter);
	ec_tally_destroy(visits->cells);
}

const EcMaker ec_visit_maker = {
	.projection = EC_PROJECTION_VISIT,
	.dimension = "visit",
	.columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER) |
			   EC_COL_BIT(EC_COL_SESSION),
	.key_words = KEY_WORDS,
	.state_words = STATE_WORDS,
	.memory = 1,
	.combine = combine,
	.begin = begin,
	.add_rows = add_rows,
	.finish_cell = finish_hour,
	.finish = finish,
};
