/*
 * rows_cover.c
 *	  What part of the selected rows summaries stand for.
 *
 * Their cells are hours or days (UTC), so a range is cut to whole hours; the rest is
 * read from rows.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
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

/* Leaves its whole slots (hours, days) of a length; there may be none. */
static void
cut_slots(EcRows *rows, int64 length)
{
	const EcArgs *args = &rows->args;

	if (args->has_since && args->since != DT_NOEND)
		rows->slots.min = ec_slot_ceil(args->since, length);
	if (args->has_until)
		rows->slots.max = ec_slot_floor(args->until, length) - 1;
}

/* Sets of a part are those of a table whose columns are what the query says. */
static uint32
part_signature(Relation part, void *arg)
{
	return ec_summaries_signature(part, ((const EcRows *) arg)->events.names);
}

/* The days that the slots hold the starts of; a date column's values. */
static void
cover_dates(const EcSlots *slots, EcSourceCover *cover)
{
	if (slots->min == DT_NOEND)
		cover->min = DATEVAL_NOEND;
	else if (slots->min > DT_NOBEGIN)
		cover->min = ec_slot_ceil(slots->min, USECS_PER_DAY) / USECS_PER_DAY;
	if (slots->max < DT_NOEND)
		cover->max = ec_slot_floor(slots->max, USECS_PER_DAY) / USECS_PER_DAY;
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
		cover_dates(slots, &cover);
	cover.nulls = slots->nulls;
	return cover.min <= cover.max && ec_source_cover(rows->source, &cover);
}

static bool
can_cover(const EcRows *rows)
{
	return ec_guc_enable_summaries && rows->source != NULL && !rows->args.filter_types &&
		   !rows->args.complete_only;
}

static bool
cover_whole(EcRows *rows, uint32 projections, int64 length)
{
	set_slots(rows);
	cut_slots(rows, length);
	return can_cover(rows) && rows->slots.min <= rows->slots.max && cover_slots(rows, projections);
}

bool
ec_rows_cover(EcRows *rows, uint32 projections)
{
	return cover_whole(rows, projections, USECS_PER_HOUR);
}

bool
ec_rows_cover_days(EcRows *rows, uint32 projections)
{
	return cover_whole(rows, projections, USECS_PER_DAY);
}

bool
ec_rows_cover_exact(EcRows *rows, uint32 projections)
{
	set_slots(rows);
	return can_cover(rows) && cover_slots(rows, projections);
}

/* Would ec_rows_open not complain of these columns, whichever the parameters need? */
static bool
may_read(Oid relid, uint32 columns)
{
	Relation rel = try_relation_open(relid, AccessShareLock);
	bool may = rel != NULL && (rel->rd_rel->relkind == RELKIND_RELATION ||
							   rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE);
	EcEvents events;

	if (may)
	{
		ec_columns_probe(rel, &events);
		may = (columns & ~events.columns) == 0;
		if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		{
			for (int i = 0; i < EC_EVENT_COLUMNS && may; i++)
				may = (columns & EC_COL_BIT(i)) == 0 ||
					  pg_attribute_aclcheck(relid, events.attnums[i], GetUserId(), ACL_SELECT) ==
						  ACLCHECK_OK;
		}
	}
	if (rel != NULL)
		relation_close(rel, NoLock);
	return may;
}

bool
ec_rows_open_covered(EcRows *rows, const EcArgs *args, uint32 columns, uint32 projections,
					 MemoryContext context)
{
	if (!ec_guc_enable_summaries || args->filter_types || args->complete_only ||
		!may_read(args->relid, columns))
		return false;
	ec_rows_open(rows, args, columns, context);
	if (ec_rows_cover(rows, projections))
		return true;
	ec_rows_close(rows);
	return false;
}

bool
ec_rows_next_set(EcRows *rows, Relation *rel, const EcSummarySet **set)
{
	return ec_source_next_set(rows->source, rel, set);
}

void
ec_rows_rewind_sets(EcRows *rows)
{
	ec_source_rewind_sets(rows->source);
}

bool
ec_rows_only_set(EcRows *rows, Relation *rel, const EcSummarySet **set)
{
	const EcSummarySet *other;
	bool is_only = ec_rows_next_set(rows, rel, set) && !ec_rows_next_set(rows, rel, &other);

	ec_rows_rewind_sets(rows);
	return is_only && !ec_rows_next(rows);
}
