/*
 * overview.c
 *	  overview: one row about all selected events.
 *
 * Summaries tell all but the exact times of the first and the last event, which are looked
 * for in the first and the last hour that has rows.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/cells.h"
#include "insight/measures.h"
#include "insight/presence.h"
#include "insight/sessions.h"
#include "insight/tally.h"

#define ARG_COMMON 1
#define COLUMNS 13
#define SESSION_WORDS 3 /* user, session */
#define COLUMNS_READ                                                                               \
	(EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_PRICE) | EC_PRESENCE_SESSION_COLUMNS)
#define PROJECTIONS                                                                                \
	(EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR) |                                              \
	 EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_DAY) | EC_PRESENCE_PROJECTIONS)
#define PRESENCE_SHARE 1.0

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
	int64 people[EC_VISIT_KINDS];
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

	overview->people[EC_VISIT_SESSION]++;
	overview->people[EC_VISIT_ORDER] += *state;
	*ec_tally_find_one(overview->user_tally, key) |= *state;
}

static void
visit_user(const uint64 *key, uint64 *state, void *arg)
{
	Overview *overview = arg;

	overview->people[EC_VISIT_USER]++;
	overview->people[EC_VISIT_BUYER] += *state;
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

static void
add_people(EcVisitKind kind, uint32 bucket, int64 count, void *arg)
{
	((Overview *) arg)->people[kind] += count;
}

/* The rows that summaries lack, or have too many. */
static void
count_other_rows(Overview *overview, EcRows *rows, EcPresence *presence)
{
	uint32 *groups = MemoryContextAllocZero(overview->context, sizeof(uint32) * EC_BLOCK_ROWS);

	while (ec_rows_next(rows))
	{
		const uint32 *types = ec_rows_types(rows);
		const uint8 *nulls;
		const int64 *times = ec_rows_times(rows, &overview->time, &nulls);
		EcPrices prices;

		if (rows->sign > 0)
			add_times(overview, rows->n, times, nulls);
		ec_rows_prices(rows, &prices);
		ec_measures_add(&overview->measures, rows->n, rows->sign, groups, types, &prices);
		ec_presence_add(presence, types, NULL);
	}
}

/* The times of the events from one slot to another; false: nobody sees any. */
static bool
find_times(Overview *overview, const EcArgs *args, int64 min, int64 max)
{
	EcArgs narrowed = *args;
	bool found = false;
	EcRows rows;

	narrowed.has_since = narrowed.has_until = true;
	narrowed.since = min;
	narrowed.until = max == DT_NOBEGIN ? DT_NOBEGIN + 1 : max + USECS_PER_HOUR;
	if (max == DT_NOEND)
		narrowed.has_until = false;
	ec_rows_open(&rows, &narrowed, EC_COL_BIT(EC_COL_TIME), overview->context);
	while (ec_rows_next(&rows))
	{
		const uint8 *nulls;
		const int64 *times = ec_rows_times(&rows, &overview->time, &nulls);

		add_times(overview, rows.n, times, nulls);
		found = true;
	}
	ec_rows_close(&rows);
	return found;
}

/*
 * Of the events in the slots, the first one's time, or the last one's.  Hours of which all rows are hidden
 * are passed in ever larger steps.
 */
static void
find_end(Overview *overview, const EcArgs *args, EcRows *rows, bool first)
{
	EcSlots slots = rows->slots;
	int64 more = 0;
	int64 min;
	int64 max;

	slots.nulls = false;
	while (slots.min <= slots.max && ec_rows_span(rows, &slots, &min, &max, overview->context))
	{
		if (first && !TIMESTAMP_NOT_FINITE(min))
			max = TIMESTAMP_NOT_FINITE(max) ? min : Min(max, min + more);
		else if (first)
			max = min;
		else if (!TIMESTAMP_NOT_FINITE(max))
			min = TIMESTAMP_NOT_FINITE(min) ? max : Max(min, max - more);
		else
			min = max;
		if (find_times(overview, args, min, max) || (first ? max == DT_NOEND : min == DT_NOBEGIN))
			return;
		if (first)
			slots.min = max + 1;
		else
			slots.max = min - 1;
		more = more * 2 + USECS_PER_HOUR;
	}
}

/* False: summaries can't be used, and nothing has been counted. */
static bool
count_summaries(Overview *overview, const EcArgs *args)
{
	EcPresence *presence;
	EcRows rows;

	if (!ec_rows_open_covered(&rows, args, COLUMNS_READ, PROJECTIONS, overview->context))
		return false;
	presence =
		ec_presence_create(&rows, NULL, add_people, overview, PRESENCE_SHARE, overview->context);
	count_other_rows(overview, &rows, presence);
	count_cells(overview, &rows);
	ec_rows_rewind_sets(&rows);
	ec_presence_count(presence);
	if (!overview->has_time || overview->first >= rows.slots.min)
		find_end(overview, args, &rows, true);
	if (!overview->has_time || overview->last <= rows.slots.max)
		find_end(overview, args, &rows, false);
	overview->scale = rows.price_scale;
	ec_rows_close(&rows);
	return true;
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
	values[7] = Int64GetDatum(overview->people[EC_VISIT_USER]);
	values[8] = Int64GetDatum(overview->people[EC_VISIT_BUYER]);
	values[9] = Int64GetDatum(overview->people[EC_VISIT_SESSION]);
	values[10] = Int64GetDatum(overview->people[EC_VISIT_ORDER]);
	nulls[11] = overview->people[EC_VISIT_ORDER] == 0;
	if (!nulls[11])
		values[11] = ec_price_per(&overview->measures.revenues[0], overview->scale,
								  overview->people[EC_VISIT_ORDER]);
	values[12] = ec_result_ratio(overview->people[EC_VISIT_BUYER], overview->people[EC_VISIT_USER],
								 &nulls[12]);
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
