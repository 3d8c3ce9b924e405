/*
 * overview.c
 *	  overview: one row about all selected events.
 *
 * If one set of summaries stands for all of them, it tells all but the exact times of the
 * first and the last event, which are looked for in the first and the last hour.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/cells.h"
#include "insight/measures.h"
#include "insight/sessions.h"
#include "insight/tally.h"
#include "insight/visits.h"

#define ARG_COMMON 1
#define COLUMNS 13
#define SESSION_WORDS 3 /* user, session */
#define COLUMNS_READ                                                                               \
	(EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE) |                \
	 EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_SESSION))
#define PROJECTIONS                                                                                \
	(EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR) |                                              \
	 EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_DAY) | EC_PROJECTION_BIT(EC_PROJECTION_VISIT))

PG_FUNCTION_INFO_V1(ec_overview);

typedef struct Overview
{
	MemoryContext context;
	bool has_time;
	TimestampTz first;
	TimestampTz last;
	EcMeasures measures; /* of the one group 0 */
	int32 scale;
	EcTally *session_tally; /* (user, session): has it a purchase? */
	EcTally *user_tally;	/* the same of a user */
	EcIntColumn time;
	int64 users;
	int64 buyers;
	int64 sessions;
	int64 orders;
} Overview;

static void
combine_flags(uint64 *into, const uint64 *from)
{
	*into |= *from;
}

/* ---- counting ---- */

static void
add_times(Overview *overview, uint32 n, const int64 *times, const uint8 *nulls)
{
	TimestampTz first = overview->has_time ? overview->first : DT_NOEND;
	TimestampTz last = overview->has_time ? overview->last : DT_NOBEGIN;
	uint32 known = 0;

	for (uint32 i = 0; i < n; i++)
	{
		if (nulls != NULL && nulls[i])
			continue;
		first = Min(first, times[i]);
		last = Max(last, times[i]);
		known++;
	}
	overview->first = first;
	overview->last = last;
	overview->has_time |= known > 0;
}

static void
add_sessions(Overview *overview, EcRows *rows, EcIntColumn *user, EcSessionColumn *session,
			 const uint32 *types)
{
	const uint8 *nulls;
	const int64 *users = ec_rows_ints(rows, user, &nulls);
	const uint64 *keys[SESSION_WORDS] = {(const uint64 *) users, session->first, session->second};
	uint64 *const *states;

	ec_rows_sessions(rows, session);
	states = ec_tally_find(overview->session_tally, rows->n, keys, nulls);
	for (uint32 i = 0; i < rows->n; i++)
		*states[i] |= types[i] == EC_TYPE_PURCHASE;
}

static void
count_rows(Overview *overview, const EcArgs *args)
{
	uint32 *groups = MemoryContextAllocZero(overview->context, sizeof(uint32) * EC_BLOCK_ROWS);
	EcIntColumn user;
	EcSessionColumn session;
	EcRows rows;

	ec_int_column_init(&user, EC_COL_USER, overview->context);
	ec_session_column_init(&session, overview->context);
	overview->session_tally =
		ec_tally_create(overview->context, SESSION_WORDS, 1, combine_flags, 0.5);
	ec_rows_open(&rows, args, COLUMNS_READ, overview->context);
	while (ec_rows_next(&rows))
	{
		const uint32 *types = ec_rows_types(&rows);
		const uint8 *nulls;
		const int64 *times = ec_rows_times(&rows, &overview->time, &nulls);
		EcPrices prices;

		add_times(overview, rows.n, times, nulls);
		ec_rows_prices(&rows, &prices);
		ec_measures_add(&overview->measures, rows.n, rows.sign, groups, types, &prices);
		add_sessions(overview, &rows, &user, &session, types);
	}
	overview->scale = rows.price_scale;
	ec_rows_close(&rows);
}

/* ---- sessions to users ---- */

static void
visit_session(const uint64 *key, uint64 *state, void *arg)
{
	Overview *overview = arg;

	overview->sessions++;
	overview->orders += *state;
	*ec_tally_find_one(overview->user_tally, key) |= *state;
}

static void
visit_user(const uint64 *key, uint64 *state, void *arg)
{
	Overview *overview = arg;

	overview->users++;
	overview->buyers += *state;
}

static void
count_people(Overview *overview)
{
	overview->user_tally = ec_tally_create(overview->context, 1, 1, combine_flags, 0.5);
	ec_tally_visit(overview->session_tally, visit_session, overview);
	ec_tally_destroy(overview->session_tally);
	ec_tally_visit(overview->user_tally, visit_user, overview);
	ec_tally_destroy(overview->user_tally);
}

/* ---- summaries ---- */

static void
count_cells(Overview *overview, EcRows *rows)
{
	uint32 *groups = MemoryContextAllocZero(overview->context, sizeof(uint32) * EC_BLOCK_ROWS);
	EcSlotCells scan;

	ec_slot_cells_begin(&scan, rows, EC_PROJECTION_CATEGORY_HOUR, EC_PROJECTION_CATEGORY_DAY,
						overview->context);
	while (ec_slot_cells_next(&scan))
		ec_measures_add_cells(&overview->measures, &scan.cells, groups);
	ec_slot_cells_end(&scan);
}

/* The times of an hour's events; those of an infinite one are known. */
static void
find_times(Overview *overview, const EcArgs *args, int64 hour)
{
	EcArgs narrowed = *args;
	EcRows rows;

	if (TIMESTAMP_NOT_FINITE(hour))
	{
		add_times(overview, 1, &hour, NULL);
		return;
	}
	narrowed.has_since = narrowed.has_until = true;
	narrowed.since = hour;
	narrowed.until = hour + USECS_PER_HOUR;
	ec_rows_open(&rows, &narrowed, EC_COL_BIT(EC_COL_TIME), overview->context);
	while (ec_rows_next(&rows))
	{
		const uint8 *nulls;
		const int64 *times = ec_rows_times(&rows, &overview->time, &nulls);

		add_times(overview, rows.n, times, nulls);
	}
	ec_rows_close(&rows);
}

static void
find_first_and_last(Overview *overview, const EcArgs *args, EcRows *rows, Relation rel,
					const EcSummarySet *set)
{
	EcCells cells;
	int64 first;
	int64 last;
	bool found;

	ec_cells_open(&cells, rel, set, EC_PROJECTION_CATEGORY_HOUR, overview->context);
	ec_cells_select(&cells, &rows->slots);
	found = ec_cells_span(&cells, &first, &last);
	ec_cells_close(&cells);
	if (!found)
		return;
	find_times(overview, args, first);
	if (last != first)
		find_times(overview, args, last);
}

/* False: summaries don't tell all, and nothing has been counted. */
static bool
count_summaries(Overview *overview, const EcArgs *args)
{
	int64 visits[EC_VISIT_KINDS];
	const EcSummarySet *set;
	Relation rel;
	EcRows rows;
	bool only;

	if (!ec_rows_open_covered(&rows, args, COLUMNS_READ, PROJECTIONS, overview->context))
		return false;
	only = ec_rows_only_set(&rows, &rel, &set);
	if (only)
	{
		count_cells(overview, &rows);
		ec_visits_count(rel, set, &rows.slots, visits);
		overview->users = visits[EC_VISIT_USER];
		overview->buyers = visits[EC_VISIT_BUYER];
		overview->sessions = visits[EC_VISIT_SESSION];
		overview->orders = visits[EC_VISIT_ORDER];
		find_first_and_last(overview, args, &rows, rel, set);
	}
	overview->scale = rows.price_scale;
	ec_rows_close(&rows);
	return only;
}

static void
put_row(const Overview *overview, FunctionCallInfo fcinfo)
{
	Datum values[COLUMNS] = {0};
	bool nulls[COLUMNS] = {false};
	EcResult result;

	ec_result_begin(&result, fcinfo);
	nulls[0] = nulls[1] = !overview->has_time;
	values[0] = TimestampTzGetDatum(overview->first);
	values[1] = TimestampTzGetDatum(overview->last);
	ec_measures_put(&overview->measures, 0, overview->scale, values + 2);
	values[7] = Int64GetDatum(overview->users);
	values[8] = Int64GetDatum(overview->buyers);
	values[9] = Int64GetDatum(overview->sessions);
	values[10] = Int64GetDatum(overview->orders);
	nulls[11] = overview->orders == 0;
	if (!nulls[11])
		values[11] =
			ec_price_per(&overview->measures.revenues[0], overview->scale, overview->orders);
	values[12] = ec_result_ratio(overview->buyers, overview->users, &nulls[12]);
	ec_result_put(&result, values, nulls);
}

Datum
ec_overview(PG_FUNCTION_ARGS)
{
	EcArgs args;
	Overview overview = {0};

	ec_args_get(fcinfo, ARG_COMMON, &args);
	overview.context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight overview", ALLOCSET_DEFAULT_SIZES);
	ec_int_column_init(&overview.time, EC_COL_TIME, overview.context);
	ec_measures_init(&overview.measures, overview.context);
	if (!count_summaries(&overview, &args))
	{
		count_rows(&overview, &args);
		count_people(&overview);
	}
	put_row(&overview, fcinfo);
	MemoryContextDelete(overview.context);
	PG_RETURN_VOID();
}
