/*
 * rows_cover.c
 *	  What part of the selected rows summaries stand for.
 *
 * Their cells are hours or days (UTC), so a range is cut to whole hours; the rest is
 * read from rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/guc.h"
#include "insight/rows.h"
#include "insight/summaries.h"

/* The range that the parameters ask for. */
static void
set_slots(EcRows *rows)
{
	const EcArgs *args = &rows->args;

	rows->slots.min = args->has_since ? args->since : PG_INT64_MIN;
	rows->slots.max = args->has_until ? args->until - 1 : PG_INT64_MAX;
	rows->slots.nulls = !args->has_since && !args->has_until;
}

/* Leaves its whole hours; there may be none. */
static void
cut_slots(EcRows *rows)
{
	const EcArgs *args = &rows->args;

	if (args->has_since && args->since != DT_NOEND)
		rows->slots.min = ec_slot_ceil(args->since, USECS_PER_HOUR);
	if (args->has_until)
		rows->slots.max = ec_slot_floor(args->until, USECS_PER_HOUR) - 1;
}

/* Sets of a part are those of a table whose columns are what the query says. */
static uint32
part_signature(Relation part, void *arg)
{
	return ec_summaries_signature(part, ((const EcRows *) arg)->events.names);
}

/* The cover is slots, in values of the time column. */
static bool
cover_slots(EcRows *rows, uint32 projections)
{
	const EcSlots *slots = &rows->slots;
	EcSourceCover cover = {part_signature, rows, projections};

	cover.column = rows->time_filter ? rows->indexes[EC_COL_TIME] : -1;
	cover.min = slots->min;
	cover.max = slots->max;
	if (rows->time_filter && rows->events.types[EC_COL_TIME].basetype == DATEOID)
	{
		/* all are starts of hours */
		cover.min = rows->time_min;
		cover.max = rows->time_max;
	}
	cover.nulls = slots->nulls;
	return ec_source_cover(rows->source, &cover);
}

static bool
can_cover(const EcRows *rows)
{
	return ec_guc_enable_summaries && rows->source != NULL && !rows->args.filter_types &&
		   !rows->args.complete_only;
}

bool
ec_rows_cover(EcRows *rows, uint32 projections)
{
	set_slots(rows);
	cut_slots(rows);
	return can_cover(rows) && rows->slots.min <= rows->slots.max && cover_slots(rows, projections);
}

bool
ec_rows_cover_exact(EcRows *rows, uint32 projections)
{
	set_slots(rows);
	return can_cover(rows) && cover_slots(rows, projections);
}

bool
ec_rows_next_set(EcRows *rows, Relation *rel, const EcSummarySet **set)
{
	return ec_source_next_set(rows->source, rel, set);
}
