/*
 * visits.c
 *	  Reads the cells of summary_visit.c.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "insight/build.h"
#include "insight/visits.h"

/* So many hours' buckets are remembered. */
#define REMEMBERED 4096

/* A block of cells. */
typedef struct Cells
{
	uint32 n;
	const int64 *kinds;
	const int64 *hours;
	const int64 *previous;
	const int64 *counts;
	uint8 no_time[EC_BLOCK_ROWS];
	uint8 is_first[EC_BLOCK_ROWS];
	int64 buffers[EC_VISIT_COUNT + 1][EC_BLOCK_ROWS];
} Cells;

/* Which cells: of hours in the slots, those without a predecessor or with one in min .. max. */
typedef struct Choice
{
	EcSlots slots;
	bool firsts;
	int64 min;
	int64 max;
} Choice;

typedef void (*CellVisitor)(const Cells *cells, uint32 i, void *arg);

static bool
get_zone(EcReader *reader, int column, uint32 block, EcZone *zone)
{
	EcKind kind;
	int32 scale;

	return ec_reader_zone(reader, column, block, zone, &kind, &scale);
}

/*
 * Could the block (or the whole part) hold some of these cells?  Predecessors of a day stand together, and so do
 * first visits.
 */
static bool
block_matters(EcReader *reader, uint32 block, const Choice *choice)
{
	EcZone zone;

	if (get_zone(reader, EC_VISIT_SLOT, block, &zone) &&
		(zone.nnulls == 0 || !choice->slots.nulls) &&
		(zone.max < choice->slots.min || zone.min > choice->slots.max))
		return false;
	if (get_zone(reader, EC_VISIT_PREVIOUS, block, &zone) && zone.max >= choice->min &&
		zone.min <= choice->max)
		return true;
	return choice->firsts && zone.nnulls > 0;
}

static const int64 *
get_ints(EcReader *reader, int column, uint32 block, int64 *buffer, uint8 *nulls)
{
	const EcVector *v = ec_reader_block(reader, column, block);

	if (v->form != EC_FORM_FLAT || v->nnulls > 0)
	{
		ec_build_ints(reader, column, block, buffer, nulls);
		return buffer;
	}
	if (nulls != NULL)
		memset(nulls, 0, v->nrows);
	return v->values.i64;
}

static void
read_block(EcReader *reader, uint32 block, Cells *cells)
{
	cells->n = ec_reader_block_rows(reader, block);
	cells->kinds = get_ints(reader, EC_VISIT_KIND, block, cells->buffers[EC_VISIT_KIND], NULL);
	cells->hours =
		get_ints(reader, EC_VISIT_SLOT, block, cells->buffers[EC_VISIT_SLOT], cells->no_time);
	cells->previous = get_ints(reader, EC_VISIT_PREVIOUS, block, cells->buffers[EC_VISIT_PREVIOUS],
							   cells->is_first);
	cells->counts = get_ints(reader, EC_VISIT_COUNT, block, cells->buffers[EC_VISIT_COUNT], NULL);
}

static inline bool
is_chosen(const Cells *cells, uint32 i, const Choice *choice)
{
	const EcSlots *slots = &choice->slots;

	if (cells->no_time[i] ? !slots->nulls
						  : cells->hours[i] < slots->min || cells->hours[i] > slots->max)
		return false;
	return cells->is_first[i]
			   ? choice->firsts
			   : cells->previous[i] >= choice->min && cells->previous[i] <= choice->max;
}

/* Calls visit for these cells. */
static void
visit_cells(Relation rel, const EcSummarySet *set, EcProjection projection, const Choice *choice,
			CellVisitor visit, void *arg)
{
	Cells *cells = palloc(sizeof(Cells));
	EcReader *reader = ec_summary_reader(rel, set, projection, ec_projection_columns(projection),
										 CurrentMemoryContext);

	while (ec_reader_next_group(reader))
	{
		if (!block_matters(reader, EC_ZONE_CHUNK, choice))
			continue;
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!block_matters(reader, block, choice))
				continue;
			read_block(reader, block, cells);
			for (uint32 i = 0; i < cells->n; i++)
			{
				if (is_chosen(cells, i, choice))
					visit(cells, i, arg);
			}
		}
	}
	ec_reader_end(reader);
	pfree(cells);
}

/*
 * All cells, or only those whose predecessor lies before the slots (entering).  For the latter it is enough
 * to know its day, unless this is the slots' first.
 */
static void
visit_all(Relation rel, const EcSummarySet *set, const EcSlots *slots, bool entering,
		  CellVisitor visit, void *arg)
{
	Choice days = {.slots = *slots};
	Choice hours = {.slots = *slots, .firsts = true};

	hours.min = ec_slot_day(slots->min);
	hours.max = PG_INT64_MAX;
	if (slots->min > DT_NOBEGIN)
	{
		days.min = PG_INT64_MIN;
		days.max = hours.min - 1;
		visit_cells(rel, set, EC_PROJECTION_VISIT_DAY, &days, visit, arg);
		hours.max = entering ? slots->min - 1 : PG_INT64_MAX;
	}
	else if (entering)
	{
		hours.min = PG_INT64_MAX; /* none */
		hours.max = PG_INT64_MIN;
	}
	visit_cells(rel, set, EC_PROJECTION_VISIT, &hours, visit, arg);
}

/* ---- one range ---- */

static void
count_cell(const Cells *cells, uint32 i, void *arg)
{
	((int64 *) arg)[cells->kinds[i]] += cells->counts[i];
}

void
ec_visits_count(Relation rel, const EcSummarySet *set, const EcSlots *slots, int64 *counts)
{
	memset(counts, 0, sizeof(int64) * EC_VISIT_KINDS);
	visit_all(rel, set, slots, true, count_cell, counts);
}

/* ---- buckets ---- */

typedef struct Remembered
{
	int64 hour;
	uint32 bucket;
	bool any;
} Remembered;

typedef struct Buckets
{
	const EcSlots *slots;
	EcBuckets *buckets;
	EcVisitAdd add;
	void *arg;
	Remembered *remembered; /* [REMEMBERED] */
} Buckets;

/* The same hours are asked for again and again. */
static uint32
bucket_of_hour(Buckets *buckets, int64 hour)
{
	Remembered *memory = &buckets->remembered[(uint64) (hour / USECS_PER_HOUR) % REMEMBERED];

	if (!memory->any || memory->hour != hour)
	{
		ec_buckets_find(buckets->buckets, 1, &hour, NULL, &memory->bucket);
		memory->hour = hour;
		memory->any = true;
	}
	return memory->bucket;
}

static void
add_cell(const Cells *cells, uint32 i, void *arg)
{
	Buckets *buckets = arg;
	int64 hour = cells->hours[i];
	uint32 bucket;

	if (cells->no_time[i])
	{
		bucket = ec_buckets_number(buckets->buckets, 0, true);
		buckets->add(cells->kinds[i], bucket, cells->counts[i], buckets->arg);
		return;
	}
	bucket = bucket_of_hour(buckets, hour);

	/* the predecessor's bucket is the same if it isn't before this one's first hour */
	if (cells->is_first[i] || cells->previous[i] < buckets->slots->min ||
		cells->previous[i] < buckets->buckets->values[bucket] || TIMESTAMP_NOT_FINITE(hour))
		buckets->add(cells->kinds[i], bucket, cells->counts[i], buckets->arg);
}

void
ec_visits_by_bucket(Relation rel, const EcSummarySet *set, const EcSlots *slots, EcBuckets *buckets,
					EcVisitAdd add, void *arg)
{
	Buckets state = {.slots = slots, .buckets = buckets, .add = add, .arg = arg};

	state.remembered = palloc0(sizeof(Remembered) * REMEMBERED);
	visit_all(rel, set, slots, false, add_cell, &state);
	pfree(state.remembered);
}

static void
add_first(const Cells *cells, uint32 i, void *arg)
{
	Buckets *buckets = arg;
	uint32 bucket;

	if (cells->kinds[i] != EC_VISIT_USER)
		return;
	bucket = cells->no_time[i] ? ec_buckets_number(buckets->buckets, 0, true)
							   : bucket_of_hour(buckets, cells->hours[i]);
	buckets->add(EC_VISIT_USER, bucket, cells->counts[i], buckets->arg);
}

void
ec_visits_firsts_by_bucket(Relation rel, const EcSummarySet *set, const EcSlots *slots,
						   EcBuckets *buckets, EcVisitAdd add, void *arg)
{
	Buckets state = {.slots = slots, .buckets = buckets, .add = add, .arg = arg};
	Choice firsts = {.slots = *slots, .firsts = true, .min = PG_INT64_MAX, .max = PG_INT64_MIN};

	state.remembered = palloc0(sizeof(Remembered) * REMEMBERED);
	visit_cells(rel, set, EC_PROJECTION_VISIT, &firsts, add_first, &state);
	pfree(state.remembered);
}
