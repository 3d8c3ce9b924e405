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
 *	orders	 (user, session, bucket) of purchases with the earliest time there; sorted,
 *			 they give each user's orders one after another
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/buckets.h"
#include "insight/people.h"
#include "insight/sessions.h"
#include "insight/sorter.h"

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

#define FIRST_ANY 0
#define FIRST_SELECTED 1
#define FIRST_FLAGS 2
#define FIRST_WORDS 3

#define ORDER_USER 0
#define ORDER_SESSION 1 /* two words */
#define ORDER_BUCKET 3	/* its number plus 1; 0: not selected */
#define ORDER_KEY_WORDS 4
#define ORDER_TIME 4
#define ORDER_FLAGS 5
#define ORDER_WORDS 6

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
	uint32 nbuckets; /* those with a selected row */
	EcPeople people;
	EcTally *firsts;
	EcTally *orders;
	EcSorter *sorter;
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

static void
combine_orders(uint64 *into, const uint64 *from)
{
	into[0] = Max(into[0], from[0]);
	into[1] |= from[1];
}

static inline bool
is_selected(const Customers *state, TimestampTz time, bool isnull)
{
	if (isnull)
		return !state->has_since && !state->has_until;
	return (!state->has_since || time >= state->since) &&
		   (!state->has_until || time < state->until);
}

/* Packs the selected rows and finds their buckets. */
static void
select_rows(Customers *state, uint32 n, const int64 *times, const uint8 *time_nulls,
			const int64 *users, const uint8 *user_nulls, const uint32 *types)
{
	state->n = 0;
	for (uint32 i = 0; i < n; i++)
	{
		bool isnull = time_nulls != NULL && time_nulls[i];
		uint32 at = state->n;

		state->selected[i] = is_selected(state, times[i], isnull);
		state->times[at] = times[i];
		state->time_nulls[at] = isnull;
		state->users[at] = users[i];
		state->user_nulls[at] = user_nulls != NULL && user_nulls[i];
		state->types[at] = types[i];
		state->n += state->selected[i];
	}
	ec_buckets_find(&state->buckets, state->n, state->times, state->time_nulls, state->numbers);
}

static void
add_firsts(Customers *state, uint32 n, const int64 *times, const uint8 *time_nulls,
		   const int64 *users, const uint8 *user_nulls)
{
	const uint64 *keys[1] = {(const uint64 *) users};
	uint64 *const *states = ec_tally_find(state->firsts, n, keys, user_nulls);

	for (uint32 i = 0; i < n; i++)
	{
		uint64 *first = states[i];
		uint64 time = backward(times[i]);

		if (time_nulls != NULL && time_nulls[i])
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
add_orders(Customers *state, EcRows *rows, EcSessionColumn *session, const int64 *times,
		   const uint8 *time_nulls, const int64 *users, const uint8 *user_nulls,
		   const uint32 *types)
{
	uint32 at = 0; /* among the selected rows */

	ec_rows_sessions(rows, session);
	for (uint32 i = 0; i < rows->n; at += state->selected[i], i++)
	{
		uint64 key[ORDER_KEY_WORDS] = {(uint64) users[i], session->first[i], session->second[i],
									   state->selected[i] ? state->numbers[at] + UINT64CONST(1)
														  : 0};
		uint64 *order;

		if (types[i] != EC_TYPE_PURCHASE || (user_nulls != NULL && user_nulls[i]))
			continue;
		order = ec_tally_find_one(state->orders, key);
		if (time_nulls != NULL && time_nulls[i])
			continue;
		order[0] = Max(order[0], backward(times[i]));
		order[1] |= HAS_TIME;
	}
}

static void
count_rows(Customers *state)
{
	uint32 columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER) |
					 EC_COL_BIT(EC_COL_SESSION);
	EcIntColumn time;
	EcIntColumn user;
	EcSessionColumn session;
	EcRows rows;

	ec_int_column_init(&time, EC_COL_TIME, state->context);
	ec_int_column_init(&user, EC_COL_USER, state->context);
	ec_session_column_init(&session, state->context);
	ec_rows_open(&rows, &state->args, columns, state->context);
	while (ec_rows_next(&rows))
	{
		const uint8 *time_nulls;
		const uint8 *user_nulls;
		const int64 *times = ec_rows_times(&rows, &time, &time_nulls);
		const int64 *users = ec_rows_ints(&rows, &user, &user_nulls);
		const uint32 *types = ec_rows_types(&rows);

		select_rows(state, rows.n, times, time_nulls, users, user_nulls, types);
		ec_people_add(&state->people, state->n, state->numbers, state->users, state->user_nulls,
					  state->types);
		add_firsts(state, rows.n, times, time_nulls, users, user_nulls);
		add_orders(state, &rows, &session, times, time_nulls, users, user_nulls, types);
	}
	ec_rows_close(&rows);
	state->nbuckets = state->buckets.count;
}

/* ---- new users ---- */

static uint32
bucket_of(Customers *state, uint64 backward_time)
{
	int64 time = ec_sorter_int64(~backward_time);
	uint32 number;

	ec_buckets_find(&state->buckets, 1, &time, NULL, &number);
	return number;
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
		uint32 bucket = bucket_of(state, first[FIRST_SELECTED]);

		if (first[FIRST_SELECTED] == first[FIRST_ANY] ||
			bucket == bucket_of(state, first[FIRST_ANY]))
			state->new_users[bucket]++;
	}
}

/* ---- repeat buyers ---- */

static void
visit_order(const uint64 *key, uint64 *order, void *arg)
{
	Customers *state = arg;
	uint64 record[ORDER_WORDS] = {key[0], key[1], key[2], key[3], order[0], order[1]};

	ec_sorter_put(state->sorter, record);
}

static void
add_visit(Customers *state, uint64 bucket)
{
	if (state->nvisits == state->visit_capacity)
	{
		state->visit_capacity *= 2;
		state->visits = repalloc_huge(state->visits, sizeof(Visit) * state->visit_capacity);
	}
	state->visits[state->nvisits++].bucket = bucket - 1;
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

/* Reads the purchases of each order, and the orders of each user, together. */
static void
read_orders(Customers *state)
{
	uint64 last[ORDER_BUCKET]; /* user and session of the order being read */
	bool reading = false;
	bool has_time = false;
	uint64 time = 0;
	int64 start = 0;
	const uint64 *record;

	ec_sorter_sort(state->sorter);
	while ((record = ec_sorter_next(state->sorter)) != NULL)
	{
		if (!reading || memcmp(last, record, sizeof(last)) != 0)
		{
			if (reading)
				finish_order(state, start, time, has_time);
			if (reading && last[ORDER_USER] != record[ORDER_USER])
				finish_user(state);
			reading = true;
			memcpy(last, record, sizeof(last));
			has_time = false;
			time = 0;
			start = state->nvisits;
		}
		time = Max(time, record[ORDER_TIME]);
		has_time |= (record[ORDER_FLAGS] & HAS_TIME) != 0;
		if (record[ORDER_BUCKET] != 0)
			add_visit(state, record[ORDER_BUCKET]);
	}
	if (reading)
	{
		finish_order(state, start, time, has_time);
		finish_user(state);
	}
}

/* ---- results ---- */

static void *
allocate_counts(const Customers *state, Size size)
{
	return MemoryContextAllocExtended(state->context, size * Max(state->nbuckets, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
finish_counts(Customers *state)
{
	state->counts = allocate_counts(state, sizeof(EcPeopleCounts));
	state->new_users = allocate_counts(state, sizeof(int64));
	state->repeat_buyers = allocate_counts(state, sizeof(int64));
	state->last_repeat = allocate_counts(state, sizeof(uint64));
	ec_people_count(&state->people, state->counts);
	ec_tally_visit(state->firsts, visit_first, state);
	ec_tally_destroy(state->firsts);
	state->sorter = ec_sorter_create(state->context, ORDER_WORDS, ORDER_KEY_WORDS, 0.5);
	ec_tally_visit(state->orders, visit_order, state);
	ec_tally_destroy(state->orders);
	read_orders(state);
	ec_sorter_destroy(state->sorter);
}

static void
put_rows(Customers *state, FunctionCallInfo fcinfo)
{
	int64 nrows;
	EcBucketRow *rows = ec_buckets_order(&state->buckets, false, &nrows);
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
	ec_people_init(&state->people, context, 0.5);
	state->firsts = ec_tally_create(context, 1, FIRST_WORDS, combine_firsts, 0.25);
	state->orders = ec_tally_create(context, ORDER_KEY_WORDS, ORDER_WORDS - ORDER_KEY_WORDS,
									combine_orders, 0.25);
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
	init_state(state, context);
	count_rows(state);
	finish_counts(state);
	put_rows(state, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
