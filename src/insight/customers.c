/*
 * customers.c
 *	  customer_trend: new and returning users, buyers and repeat buyers of each bucket.
 *
 * A user's first interaction and the times of orders are looked for in all rows that
 * pass event_types and complete_only; since and until choose the buckets that are
 * shown and the rows that are counted there ("selected" below).  So the filter by
 * time is applied here, not when rows are read.
 *
 *	people	 users and buyers of buckets, selected rows only
 *	firsts	 a user's first interaction, and the first that is selected: the user is
 *			 new in the bucket of the first if the other lies there too (buckets follow
 *			 one another in time)
 *	buyers	 the purchases of each user, with or without the filter by time; those of a
 *			 session are an order
 *
 * Where one set of summaries tells everything, it knows people and firsts without their rows
 * (visits.h).
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/buckets.h"
#include "insight/buyers.h"
#include "insight/cells.h"
#include "insight/people.h"
#include "insight/sorter.h"
#include "insight/visits.h"

#define ARG_BUCKET 1
#define ARG_TZ 2
#define ARG_COMMON 3
#define COLUMNS 6

/*
 * Times in states are turned round, so that an earlier one is a greater number and
 * zero, the state of a new key, is later than all.  Flags tell whether there was one.
 */
#define backward(time) (~ec_sorter_word(time))
#define HAS_TIME 1		/* a row with a time */
#define HAS_SELECTED 2	/* a selected row with a time */
#define SELECTED_NULL 4 /* a selected row without a time */

/* What tells of users without their rows. */
#define PROJECTIONS (EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR) | EC_VISITS_PROJECTIONS)

#define FIRST_ANY 0
#define FIRST_SELECTED 1
#define FIRST_FLAGS 2
#define FIRST_WORDS 3

PG_FUNCTION_INFO_V1(ec_customer_trend);

/* A bucket in which a user's order has a purchase. */
typedef struct Visit
{
	uint64 order_time; /* backward */
	uint32 bucket;
} Visit;

typedef struct Customers
{
	MemoryContext context;
	EcArgs args; /* with the range of time taken out */
	bool has_since;
	bool has_until;
	TimestampTz since;
	TimestampTz until;
	EcBuckets buckets;
	EcBuckets probe; /* to ask for a bucket that may not be in buckets */
	uint32 nbuckets; /* those with a selected row */
	EcPeople people;
	EcTally *firsts;
	EcBuyers *buyers;
	EcPeopleCounts *counts; /* by bucket */
	int64 *new_users;
	int64 *repeat_buyers;

	/* a batch's selected rows */
	uint32 n;
	int64 *times;
	uint8 *time_nulls;
	int64 *users;
	uint8 *user_nulls;
	uint32 *types;
	uint32 *numbers; /* of buckets */
	uint8 *selected; /* of all rows of the batch */

	/* the user whose orders are being read */
	Visit *visits;
	int64 nvisits;
	int64 visit_capacity;
	uint64 first_order;	 /* backward */
	uint64 serial;		 /* of the user */
	uint64 *last_repeat; /* by bucket: the last user counted there */
} Customers;

/* ---- counting ---- */

static void
combine_firsts(uint64 *into, const uint64 *from)
{
	into[FIRST_ANY] = Max(into[FIRST_ANY], from[FIRST_ANY]);
	into[FIRST_SELECTED] = Max(into[FIRST_SELECTED], from[FIRST_SELECTED]);
	into[FIRST_FLAGS] |= from[FIRST_FLAGS];
}

static inline bool
is_selected(const Customers *state, TimestampTz time, bool isnull)
{
	if (isnull)
		return !state->has_since && !state->has_until;
	return (!state->has_since || time >= state->since) &&
		   (!state->has_until || time < state->until);
}

/* Columns of a batch. */
typedef struct Reader
{
	EcIntColumn time;
	EcIntColumn user;
	uint32 n;
	const int64 *times;
	const uint8 *time_nulls;
	const int64 *users;
	const uint8 *user_nulls;
	const uint32 *types;
} Reader;

static void
init_reader(Reader *reader, MemoryContext context)
{
	ec_int_column_init(&reader->time, EC_COL_TIME, context);
	ec_int_column_init(&reader->user, EC_COL_USER, context);
}

/* Packs the selected rows and finds their buckets. */
static void
select_rows(Customers *state, const Reader *batch)
{
	state->n = 0;
	for (uint32 i = 0; i < batch->n; i++)
	{
		bool isnull = batch->time_nulls != NULL && batch->time_nulls[i];
		uint32 at = state->n;

		state->selected[i] = is_selected(state, batch->times[i], isnull);
		state->times[at] = batch->times[i];
		state->time_nulls[at] = isnull;
		state->users[at] = batch->users[i];
		state->user_nulls[at] = batch->user_nulls != NULL && batch->user_nulls[i];
		state->types[at] = batch->types[i];
		state->n += state->selected[i];
	}
	ec_buckets_find(&state->buckets, state->n, state->times, state->time_nulls, state->numbers);
}

static void
read_batch(Customers *state, EcRows *rows, Reader *batch)
{
	batch->n = rows->n;
	batch->times = ec_rows_times(rows, &batch->time, &batch->time_nulls);
	batch->users = ec_rows_ints(rows, &batch->user, &batch->user_nulls);
	batch->types = ec_rows_types(rows);
	select_rows(state, batch);
}

static void
add_firsts(Customers *state, const Reader *batch)
{
	const uint64 *keys[1] = {(const uint64 *) batch->users};
	uint64 *const *states = ec_tally_find(state->firsts, batch->n, keys, batch->user_nulls);

	for (uint32 i = 0; i < batch->n; i++)
	{
		uint64 *first = states[i];
		uint64 time = backward(batch->times[i]);

		if (batch->time_nulls != NULL && batch->time_nulls[i])
		{
			first[FIRST_FLAGS] |= state->selected[i] ? SELECTED_NULL : 0;
			continue;
		}
		first[FIRST_ANY] = Max(first[FIRST_ANY], time);
		first[FIRST_FLAGS] |= HAS_TIME;
		if (state->selected[i])
		{
			first[FIRST_SELECTED] = Max(first[FIRST_SELECTED], time);
			first[FIRST_FLAGS] |= HAS_SELECTED;
		}
	}
}

static void
add_people(Customers *state, EcRows *rows, Reader *batch)
{
	read_batch(state, rows, batch);
	ec_people_add(&state->people, state->n, state->numbers, state->users, state->user_nulls,
				  state->types);
	add_firsts(state, batch);
}

/* All rows, if those of the buyers aren't all. */
static void
count_others(Customers *state, Reader *batch)
{
	uint32 columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER);
	EcRows rows;

	ec_rows_open(&rows, &state->args, columns, state->context);
	while (ec_rows_next(&rows))
		add_people(state, &rows, batch);
	ec_rows_close(&rows);
}

/* ---- new users ---- */

static uint32
bucket_of(Customers *state, TimestampTz time, bool isnull)
{
	uint8 null = isnull;
	uint32 number;

	ec_buckets_find(&state->buckets, 1, &time, &null, &number);
	return number;
}

static uint32
bucket_of_state(Customers *state, uint64 backward_time)
{
	return bucket_of(state, ec_sorter_int64(~backward_time), false);
}

static void
visit_first(const uint64 *key, uint64 *first, void *arg)
{
	Customers *state = arg;
	uint64 flags = first[FIRST_FLAGS];

	if ((flags & HAS_TIME) == 0)
	{
		if ((flags & SELECTED_NULL) != 0)
			state->new_users[state->buckets.null_number]++;
	}
	else if ((flags & HAS_SELECTED) != 0)
	{
		uint32 bucket = bucket_of_state(state, first[FIRST_SELECTED]);

		if (first[FIRST_SELECTED] == first[FIRST_ANY] ||
			bucket == bucket_of_state(state, first[FIRST_ANY]))
			state->new_users[bucket]++;
	}
}

static void
create_counts(Customers *state)
{
	Size n = Max(state->nbuckets = state->buckets.count, 1);
	int flags = MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO;

	state->counts = MemoryContextAllocExtended(state->context, sizeof(EcPeopleCounts) * n, flags);
	state->new_users = MemoryContextAllocExtended(state->context, sizeof(int64) * n, flags);
	state->repeat_buyers = MemoryContextAllocExtended(state->context, sizeof(int64) * n, flags);
	state->last_repeat = MemoryContextAllocExtended(state->context, sizeof(uint64) * n, flags);
}

static void
count_rows(Customers *state)
{
	Reader *batch = MemoryContextAllocZero(state->context, sizeof(Reader));
	EcRows *rows = ec_buyers_rows(state->buyers);
	bool all_rows = !ec_buyers_are_covered(state->buyers);

	init_reader(batch, state->context);
	ec_people_init(&state->people, state->context, 0.5);
	state->firsts = ec_tally_create(state->context, 1, FIRST_WORDS, combine_firsts, 0.25);
	while (ec_rows_next(rows))
	{
		if (all_rows)
			add_people(state, rows, batch);
		ec_buyers_add(state->buyers);
	}
	if (!all_rows)
		count_others(state, batch);
	create_counts(state);
	ec_people_count(&state->people, state->counts);
	ec_tally_visit(state->firsts, visit_first, state);
	ec_tally_destroy(state->firsts);
}

/* ---- visits ---- */

static bool
is_whole_hour(TimestampTz time)
{
	return TIMESTAMP_NOT_FINITE(time) || ec_slot_floor(time, USECS_PER_HOUR) == time;
}

/*
 * The hours selected.  False if these aren't whole ones, or if since is within a bucket: who
 * came there before and after is new, too, which visits don't tell.
 */
static bool
set_slots(Customers *state, EcSlots *slots)
{
	slots->min = state->has_since ? state->since : PG_INT64_MIN;
	slots->max = state->has_until ? state->until - 1 : PG_INT64_MAX;
	slots->nulls = !state->has_since && !state->has_until;
	if ((state->has_since && !is_whole_hour(state->since)) ||
		(state->has_until && (!is_whole_hour(state->until) || state->until == DT_NOBEGIN)))
		return false;
	if (state->has_since && !TIMESTAMP_NOT_FINITE(state->since))
	{
		uint32 number;

		ec_buckets_find(&state->probe, 1, &state->since, NULL, &number);
		return state->probe.values[number] == state->since;
	}
	return true;
}

/* Do buckets consist of whole hours? */
static bool
are_hours(Customers *state, EcCells *cells, const EcSlots *slots)
{
	EcSlots finite = {Max(slots->min, DT_NOBEGIN + 1), Min(slots->max, DT_NOEND - 1), false};
	int64 min;
	int64 max;

	ec_cells_select(cells, &finite);
	return !ec_cells_span(cells, &min, &max) ||
		   ec_buckets_fit(&state->probe, min, max, USECS_PER_HOUR);
}

/* All buckets that have an interaction, of users or not. */
static void
find_buckets(Customers *state, EcCells *cells, const EcSlots *slots)
{
	ec_cells_select(cells, slots);
	while (ec_cells_next(cells))
	{
		const uint8 *nulls;
		const int64 *hours = ec_cells_ints(cells, EC_CATEGORY_SLOT, &nulls);

		ec_buckets_find(&state->buckets, cells->n, hours, nulls, state->numbers);
	}
	create_counts(state);
}

static void
add_visits(EcVisitKind kind, uint32 bucket, int64 count, void *arg)
{
	Customers *state = arg;

	if (kind == EC_VISIT_USER)
		state->counts[bucket][EC_PEOPLE_USERS] += count;
	else if (kind == EC_VISIT_BUYER)
		state->counts[bucket][EC_TYPE_PURCHASE] += count;
}

static void
add_new_users(EcVisitKind kind, uint32 bucket, int64 count, void *arg)
{
	((Customers *) arg)->new_users[bucket] += count;
}

/* False: visits can't tell, and nothing has been counted. */
static bool
count_set(Customers *state, Relation rel, const EcSummarySet *set)
{
	EcSlots slots;
	EcCells cells;
	bool known = set_slots(state, &slots);

	ec_cells_open(&cells, rel, set, EC_PROJECTION_CATEGORY_HOUR, state->context);
	known = known && are_hours(state, &cells, &slots);
	if (known)
	{
		find_buckets(state, &cells, &slots);
		ec_visits_by_bucket(rel, set, &slots, &state->buckets, add_visits, state);
		ec_visits_firsts_by_bucket(rel, set, &slots, &state->buckets, add_new_users, state);
	}
	ec_cells_close(&cells);
	return known;
}

/* Users of buckets from one set that tells everything. */
static bool
count_visits(Customers *state)
{
	uint32 columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER);
	const EcSummarySet *set;
	bool known = false;
	Relation rel;
	EcRows rows;

	if (!ec_buyers_are_covered(state->buyers) ||
		!ec_rows_open_covered(&rows, &state->args, columns, PROJECTIONS, state->context))
		return false;
	if (ec_rows_only_set(&rows, &rel, &set))
		known = count_set(state, rel, set);
	ec_rows_close(&rows);
	while (known && ec_rows_next(ec_buyers_rows(state->buyers)))
		ec_buyers_add(state->buyers);
	return known;
}

/* ---- repeat buyers ---- */

static void
add_visit(Customers *state, uint32 bucket)
{
	if (state->nvisits == state->visit_capacity)
	{
		state->visit_capacity *= 2;
		state->visits = repalloc_huge(state->visits, sizeof(Visit) * state->visit_capacity);
	}
	state->visits[state->nvisits++].bucket = bucket;
}

/* The order that began with visit `start` is complete: its time is known. */
static void
finish_order(Customers *state, int64 start, uint64 time, bool has_time)
{
	if (!has_time) /* neither earlier nor later than any */
	{
		state->nvisits = start;
		return;
	}
	for (int64 i = start; i < state->nvisits; i++)
		state->visits[i].order_time = time;
	state->first_order = Max(state->first_order, time);
}

static void
finish_user(Customers *state)
{
	state->serial++;
	for (int64 i = 0; i < state->nvisits; i++)
	{
		uint32 bucket = state->visits[i].bucket;

		if (state->visits[i].order_time == state->first_order ||
			state->last_repeat[bucket] == state->serial)
			continue;
		state->last_repeat[bucket] = state->serial;
		state->repeat_buyers[bucket]++;
	}
	state->nvisits = 0;
	state->first_order = 0;
}

static void
count_buyer(Customers *state, EcBuyer *buyer, int time_word, int session)
{
	uint64 time = 0; /* backward, of the order being read */
	bool has_time = false;
	int64 start = 0;

	ec_buyer_group(buyer, session);
	for (uint32 i = 0; i < buyer->n; i++)
	{
		const uint64 *row = buyer->rows + (Size) i * buyer->words;
		bool isnull = (ec_buyer_flags(buyer, i) & EC_BUYERS_NULL(EC_COL_TIME)) != 0;
		TimestampTz at = (TimestampTz) row[time_word];

		if (i > 0 && memcmp(row + session, row - buyer->words + session, sizeof(uint64) * 2) != 0)
		{
			finish_order(state, start, time, has_time);
			has_time = false;
			time = 0;
			start = state->nvisits;
		}
		if (!isnull)
			time = Max(time, backward(at));
		has_time |= !isnull;
		if (is_selected(state, at, isnull))
			add_visit(state, bucket_of(state, at, isnull));
	}
	finish_order(state, start, time, has_time);
	finish_user(state);
}

static void
count_buyers(Customers *state)
{
	int time = ec_buyers_word(state->buyers, EC_COL_TIME);
	int session = ec_buyers_word(state->buyers, EC_COL_SESSION);
	EcBuyer buyer;

	ec_buyers_sort(state->buyers);
	while (ec_buyers_next(state->buyers, &buyer))
		count_buyer(state, &buyer, time, session);
}

/* ---- results ---- */

static void
put_rows(Customers *state, FunctionCallInfo fcinfo)
{
	int64 nrows;
	EcBucketRow *rows = ec_buckets_order(&state->buckets, false, NULL, &nrows);
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < nrows; i++)
	{
		int64 number = rows[i].number;
		Datum values[COLUMNS];
		bool nulls[COLUMNS] = {rows[i].isnull};

		if (number >= state->nbuckets) /* only somebody's first, not selected */
			continue;
		values[0] = TimestampTzGetDatum(rows[i].value);
		values[1] = Int64GetDatum(state->counts[number][EC_PEOPLE_USERS]);
		values[2] = Int64GetDatum(state->new_users[number]);
		values[3] =
			Int64GetDatum(state->counts[number][EC_PEOPLE_USERS] - state->new_users[number]);
		values[4] = Int64GetDatum(state->counts[number][EC_TYPE_PURCHASE]);
		values[5] = Int64GetDatum(state->repeat_buyers[number]);
		ec_result_put(&result, values, nulls);
	}
}

static void
init_state(Customers *state, MemoryContext context)
{
	state->context = context;
	state->has_since = state->args.has_since;
	state->has_until = state->args.has_until;
	state->since = state->args.since;
	state->until = state->args.until;
	state->args.has_since = state->args.has_until = false;
	state->buyers = ec_buyers_open(
		&state->args, EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_SESSION), 0.25, context);
	state->times = MemoryContextAlloc(context, sizeof(int64) * EC_BLOCK_ROWS);
	state->time_nulls = MemoryContextAlloc(context, EC_BLOCK_ROWS);
	state->users = MemoryContextAlloc(context, sizeof(int64) * EC_BLOCK_ROWS);
	state->user_nulls = MemoryContextAlloc(context, EC_BLOCK_ROWS);
	state->types = MemoryContextAlloc(context, sizeof(uint32) * EC_BLOCK_ROWS);
	state->numbers = MemoryContextAlloc(context, sizeof(uint32) * EC_BLOCK_ROWS);
	state->selected = MemoryContextAlloc(context, EC_BLOCK_ROWS);
	state->visit_capacity = 1024;
	state->visits = MemoryContextAlloc(context, sizeof(Visit) * state->visit_capacity);
}

Datum
ec_customer_trend(PG_FUNCTION_ARGS)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight customers", ALLOCSET_DEFAULT_SIZES);
	Customers *state = MemoryContextAllocZero(context, sizeof(Customers));

	ec_args_get(fcinfo, ARG_COMMON, &state->args);
	ec_buckets_init(&state->buckets, fcinfo, ARG_BUCKET, ARG_TZ, context);
	ec_buckets_init(&state->probe, fcinfo, ARG_BUCKET, ARG_TZ, context);
	init_state(state, context);
	if (!count_visits(state))
		count_rows(state);
	count_buyers(state);
	ec_buyers_close(state->buyers);
	put_rows(state, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
