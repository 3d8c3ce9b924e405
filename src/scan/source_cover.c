/*
 * source_cover.c
 *	  Row groups that summaries stand for: which sets are used, and which rows of
 *	  covered row groups the consumer must see all the same.
 *
 * Of a covered row group these are the visible rows outside the cover (at the ragged
 * edges of a range) and, to be taken away, the hidden rows within it.  Most row
 * groups have neither, which the list tells without looking at them if nothing was
 * deleted and the range has no ragged edge.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "utils/rel.h"

#include "scan/source_internal.h"

/* ---- sets ---- */

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

static void
list_covered(EcSourcePart *part)
{
	uint32 n = 0;

	for (uint32 i = 0; i < part->nsets; i++)
		n += part->sets[i].ngroups;
	part->covered = palloc(sizeof(int64) * Max(n, 1));
	for (uint32 i = 0; i < part->nsets; i++)
	{
		memcpy(part->covered + part->ncovered, part->sets[i].groups,
			   sizeof(int64) * part->sets[i].ngroups);
		part->ncovered += part->sets[i].ngroups;
	}
	qsort(part->covered, n, sizeof(int64), compare_numbers);
}

static void
take_sets(EcSource *source, EcSourcePart *part)
{
	const EcSourceCover *cover = &source->cover;
	uint32 signature = cover->signature(part->rel, cover->arg);
	EcSummaries *summaries = ec_summary_of_reader(part->reader);

	part->sets = summaries->sets;
	for (uint32 i = 0; i < summaries->nsets; i++)
	{
		const EcSummarySet *set = &summaries->sets[i];

		if (set->signature == signature &&
			(set->projections & cover->projections) == cover->projections)
			part->sets[part->nsets++] = *set;
	}
	list_covered(part);
	source->is_covered |= part->nsets > 0;
}

/* Can a row outside the cover be within the range? */
static bool
goes_beyond(const EcSource *source)
{
	const EcSourceCover *cover = &source->cover;

	for (int i = 0; i < source->nranges; i++)
	{
		if (source->ranges[i].column == cover->column)
			return source->ranges[i].min < cover->min || source->ranges[i].max > cover->max;
	}
	return cover->min > PG_INT64_MIN || cover->max < PG_INT64_MAX || !cover->nulls;
}

bool
ec_source_cover(EcSource *source, const EcSourceCover *cover)
{
	MemoryContext old;
	ListCell *cell;

	if (source->query != NULL)
		return false;
	old = MemoryContextSwitchTo(source->context);
	source->cover = *cover;
	source->is_ragged = goes_beyond(source);
	foreach (cell, source->parts)
	{
		EcSourcePart *part = lfirst(cell);

		ec_source_begin_reader(source, part);
		take_sets(source, part);
	}
	MemoryContextSwitchTo(old);
	return source->is_covered;
}

bool
ec_source_next_set(EcSource *source, Relation *rel, const EcSummarySet **set)
{
	while (source->next_set_part < list_length(source->parts))
	{
		EcSourcePart *part = list_nth(source->parts, source->next_set_part);

		if (source->next_set < part->nsets)
		{
			*rel = part->rel;
			*set = &part->sets[source->next_set++];
			return true;
		}
		source->next_set_part++;
		source->next_set = 0;
	}
	return false;
}

void
ec_source_rewind_sets(EcSource *source)
{
	source->next_set_part = 0;
	source->next_set = 0;
}

/* ---- row groups ---- */

bool
ec_source_group_covered(const EcSourcePart *part, int64 number)
{
	return part->ncovered > 0 &&
		   bsearch(&number, part->covered, part->ncovered, sizeof(int64), compare_numbers) != NULL;
}

const EcSummarySet *
ec_source_group_set(const EcSourcePart *part, int64 number)
{
	for (uint32 i = 0; i < part->nsets; i++)
	{
		const EcSummarySet *set = &part->sets[i];

		if (bsearch(&number, set->groups, set->ngroups, sizeof(int64), compare_numbers) != NULL)
			return set;
	}
	return NULL;
}

bool
ec_source_group_matters(EcSource *source, uint32 i)
{
	return source->is_ragged || ec_reader_may_hide(source->part->reader, i);
}

/* ---- blocks ---- */

typedef enum Place
{
	INSIDE,	 /* all rows are within the cover */
	OUTSIDE, /* none is */
	MIXED
} Place;

static Place
place_of(EcSource *source, uint32 block)
{
	const EcSourceCover *cover = &source->cover;
	EcZone zone;
	EcKind kind;
	int32 scale;

	if (!source->is_ragged)
		return INSIDE; /* of what the range lets pass, and the rest doesn't matter */
	if (!ec_reader_zone(source->part->reader, source->part->attnums[cover->column] - 1, block,
						&zone, &kind, &scale))
	{
		if (zone.nnulls < zone.nrows)
			return MIXED;
		return cover->nulls ? INSIDE : OUTSIDE;
	}
	if (zone.min >= cover->min && zone.max <= cover->max && (zone.nnulls == 0 || cover->nulls))
		return INSIDE;
	if ((zone.max < cover->min || zone.min > cover->max) && (zone.nnulls == 0 || !cover->nulls))
		return OUTSIDE;
	return MIXED;
}

bool
ec_source_entered_matters(EcSource *source)
{
	Place place = place_of(source, EC_ZONE_CHUNK);

	return place != INSIDE || ec_reader_hides(source->part->reader);
}

/* Bits of the block's rows that the cover holds. */
static void
find_inside(EcSource *source, uint32 block, uint64 *inside)
{
	const EcSourceCover *cover = &source->cover;
	const EcVector *v =
		ec_reader_block(source->part->reader, source->part->attnums[cover->column] - 1, block);

	for (uint32 row = 0; row < v->nrows; row += 64)
	{
		uint32 end = Min(row + 64, v->nrows);
		uint64 bits = 0;

		for (uint32 i = row; i < end; i++)
		{
			bool is_inside;

			if (ec_vector_is_null(v, i))
				is_inside = cover->nulls;
			else
			{
				int64 value = ec_vector_int64(v, i);

				is_inside = value >= cover->min && value <= cover->max;
			}
			bits |= (uint64) is_inside << (i - row);
		}
		inside[row / 64] = bits;
	}
}

/* Turns the bits of the first nrows around; returns how many are set then. */
static uint32
invert(uint64 *rows, uint32 nrows)
{
	uint32 n = 0;

	for (uint32 i = 0; i < EC_VALIDITY_WORDS(nrows); i++)
	{
		rows[i] = ~rows[i];
		if (nrows - i * 64 < 64)
			rows[i] &= (UINT64CONST(1) << (nrows - i * 64)) - 1;
		n += pg_popcount64(rows[i]);
	}
	return n;
}

/* Takes the bits that mask has not; returns how many are left. */
static uint32
restrict_to(uint64 *rows, const uint64 *mask, uint32 nrows)
{
	uint32 n = 0;

	for (uint32 i = 0; i < EC_VALIDITY_WORDS(nrows); i++)
	{
		rows[i] &= mask[i];
		n += pg_popcount64(rows[i]);
	}
	return n;
}

/* Visible rows that the cover doesn't hold. */
static bool
choose_visible(EcSource *source, uint32 block, const uint64 **rows, uint32 *nrows)
{
	uint32 stored = ec_reader_block_rows(source->part->reader, block);
	Place place = place_of(source, block);
	const uint64 *live;

	if (place == INSIDE)
		return false;
	live = ec_reader_live(source->part->reader, block, nrows);
	*rows = live;
	if (place == MIXED && *nrows > 0)
	{
		find_inside(source, block, source->chosen);
		*nrows = invert(source->chosen, stored);
		if (live != NULL)
			*nrows = restrict_to(source->chosen, live, stored);
		*rows = *nrows == stored ? NULL : source->chosen;
	}
	return *nrows > 0;
}

/* Hidden rows that the cover holds. */
static bool
choose_hidden(EcSource *source, uint32 block, const uint64 **rows, uint32 *nrows)
{
	uint32 stored = ec_reader_block_rows(source->part->reader, block);
	Place place = place_of(source, block);
	const uint64 *live;

	if (place == OUTSIDE)
		return false;
	live = ec_reader_live(source->part->reader, block, nrows);
	if (live == NULL)
		return false;
	memcpy(source->chosen, live, sizeof(uint64) * EC_VALIDITY_WORDS(stored));
	*nrows = invert(source->chosen, stored);
	if (place == MIXED)
	{
		uint64 inside[EC_BLOCK_ROWS / 64];

		find_inside(source, block, inside);
		*nrows = restrict_to(source->chosen, inside, stored);
	}
	*rows = *nrows == stored ? NULL : source->chosen;
	return *nrows > 0;
}

bool
ec_source_choose(EcSource *source, uint32 block, EcSourceRound round, const uint64 **rows,
				 uint32 *nrows)
{
	if (round == EC_ROUND_VISIBLE)
		return choose_visible(source, block, rows, nrows);
	return choose_hidden(source, block, rows, nrows);
}
