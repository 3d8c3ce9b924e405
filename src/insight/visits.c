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

/* A block of cells. */
typedef struct Cells
{
	uint32 n;
	int64 kinds[EC_BLOCK_ROWS];
	int64 hours[EC_BLOCK_ROWS];
	uint8 no_time[EC_BLOCK_ROWS];
	int64 previous[EC_BLOCK_ROWS];
	uint8 is_first[EC_BLOCK_ROWS];
	int64 counts[EC_BLOCK_ROWS];
} Cells;

typedef void (*CellVisitor)(const Cells *cells, uint32 i, void *arg);

static bool
get_zone(EcReader *reader, int column, uint32 block, EcZone *zone)
{
	EcKind kind;
	int32 scale;

	return ec_reader_zone(reader, column, block, zone, &kind, &scale);
}

/*
 * Could the block hold a visit in the slots (entering: whose predecessor lies before them)?
 * First visits stand together, so nothing else of an unbounded range is read.
 */
static bool
block_matters(EcReader *reader, uint32 block, const EcSlots *slots, bool entering)
{
	EcZone zone;

	if (get_zone(reader, EC_VISIT_SLOT, block, &zone) && (zone.nnulls == 0 || !slots->nulls) &&
		(zone.max < slots->min || zone.min > slots->max))
		return false;
	return !entering || !get_zone(reader, EC_VISIT_PREVIOUS, block, &zone) || zone.nnulls > 0 ||
		   zone.min < slots->min;
}

static void
read_block(EcReader *reader, uint32 block, Cells *cells)
{
	cells->n = ec_reader_block_rows(reader, block);
	ec_build_ints(reader, EC_VISIT_KIND, block, cells->kinds, NULL);
	ec_build_ints(reader, EC_VISIT_SLOT, block, cells->hours, cells->no_time);
	ec_build_ints(reader, EC_VISIT_PREVIOUS, block, cells->previous, cells->is_first);
	ec_build_ints(reader, EC_VISIT_COUNT, block, cells->counts, NULL);
}

/* Calls visit for the cells whose hour is in the slots. */
static void
visit_cells(Relation rel, const EcSummarySet *set, const EcSlots *slots, bool entering,
			CellVisitor visit, void *arg)
{
	Cells *cells = palloc(sizeof(Cells));
	EcReader *reader =
		ec_summary_reader(rel, set, EC_PROJECTION_VISIT, ec_projection_columns(EC_PROJECTION_VISIT),
						  CurrentMemoryContext);

	while (ec_reader_next_group(reader))
	{
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!block_matters(reader, block, slots, entering))
				continue;
			read_block(reader, block, cells);
			for (uint32 i = 0; i < cells->n; i++)
			{
				if (cells->no_time[i]
						? slots->nulls
						: cells->hours[i] >= slots->min && cells->hours[i] <= slots->max)
					visit(cells, i, arg);
			}
		}
	}
	ec_reader_end(reader);
	pfree(cells);
}

/* ---- one range ---- */

typedef struct Count
{
	const EcSlots *slots;
	int64 *counts;
} Count;

static void
count_cell(const Cells *cells, uint32 i, void *arg)
{
	const Count *count = arg;

	if (cells->is_first[i] || cells->previous[i] < count->slots->min)
		count->counts[cells->kinds[i]] += cells->counts[i];
}

void
ec_visits_count(Relation rel, const EcSummarySet *set, const EcSlots *slots, int64 *counts)
{
	Count count = {slots, counts};

	memset(counts, 0, sizeof(int64) * EC_VISIT_KINDS);
	visit_cells(rel, set, slots, true, count_cell, &count);
}

/* ---- buckets ---- */

typedef struct Buckets
{
	const EcSlots *slots;
	EcBuckets *buckets;
	EcVisitAdd add;
	void *arg;
	int64 hour; /* the last one looked for, and its bucket */
	uint32 bucket;
	bool any;
} Buckets;

/* Cells come by hour, so that the same bucket is asked for again and again. */
static uint32
bucket_of_hour(Buckets *buckets, int64 hour)
{
	if (!buckets->any || buckets->hour != hour)
	{
		ec_buckets_find(buckets->buckets, 1, &hour, NULL, &buckets->bucket);
		buckets->hour = hour;
		buckets->any = true;
	}
	return buckets->bucket;
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

	visit_cells(rel, set, slots, false, add_cell, &state);
}

static void
add_first(const Cells *cells, uint32 i, void *arg)
{
	Buckets *buckets = arg;
	uint32 bucket;

	if (cells->kinds[i] != EC_VISIT_USER || !cells->is_first[i])
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

	visit_cells(rel, set, slots, true, add_first, &state);
}
