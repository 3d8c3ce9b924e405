/*
 * space_move.c
 *	  Row groups, and summaries, at the end of the main fork go to free pages before them, so that
 *	  the file can be made shorter.
 *
 * A group is copied page by page; its new descriptor says where, and is the same
 * otherwise.  Who sees the old one reads the old pages, which become free when
 * nobody does.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/stoppoint.h"
#include "store/compact.h"
#include "store/page.h"
#include "store/space.h"
#include "store/summary.h"
#include "store/survey.h"

/* It is done when so many pages are free, and such a part of the file. */
#define MOVE_MINIMUM 128
#define MOVE_FRACTION 4
#define MOVE_MINIMUM_THOROUGH 32
#define MOVE_FRACTION_THOROUGH 16

/* Groups that find no place, after which the rest isn't tried. */
#define FAILURES_MAX 32

static int
compare_places(const void *a, const void *b)
{
	BlockNumber x = (*(EcSurveyGroup *const *) a)->first_block;
	BlockNumber y = (*(EcSurveyGroup *const *) b)->first_block;

	return x > y ? -1 : x < y;
}

static void
put_group(EcCompanion *c, EcDescriptor *desc, CommandId cid)
{
	Size len = ec_descriptor_size(desc);
	uint8 *payload = palloc(len);

	desc->level = Max(desc->level, EC_LEVEL_MERGED); /* not an INSERT's: see lookup.c */
	ec_descriptor_build(desc, payload);
	ec_companion_put(c, EC_CATALOG_GROUP, desc->number, payload, len, cid, 0, NULL);
}

/* False if there is no place before it. */
static bool
move_group(EcCompanion *c, EcSurveyGroup *group, CommandId cid, uint32 *npages)
{
	EcCatalogTuple opened;
	HeapTuple tuple = ec_companion_fetch(c, &group->tid, &opened);
	EcDiskSummary header;
	EcDescriptor desc;
	BlockNumber to;

	if (tuple == NULL ||
		!(group->summary ? ec_catalog_read_summary(c->main, tuple, &header, &desc)
						 : ec_catalog_read_tuple(c->main, tuple, &desc)) ||
		desc.number != group->number)
		elog(ERROR, "%s " INT64_FORMAT " is gone", group->summary ? "summary" : "row group",
			 group->number);
	ec_space_lock_writer(c->main);
	to = ec_extent_move(c->main, desc.first_block, desc.npages, desc.image_len);
	if (to != InvalidBlockNumber)
	{
		if (!ec_companion_claim(c, &group->tid, cid))
			elog(ERROR, "%s " INT64_FORMAT " has been changed by another",
				 group->summary ? "summary" : "row group", group->number);
		desc.first_block = to;
		if (group->summary)
			ec_summary_insert(c, &header, &desc, cid);
		else
			put_group(c, &desc, cid);
		*npages += desc.npages;
	}
	ec_space_unlock_writer(c->main);
	return to != InvalidBlockNumber;
}

/* From the end of the file downwards, until the pages moved would fill all that is free. */
static BlockNumber
move_groups(EcCompanion *c, EcSurveyGroup **groups, uint32 n, BlockNumber nfree)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight move", ALLOCSET_DEFAULT_SIZES);
	CommandId cid = GetCurrentCommandId(true);
	uint32 moved = 0;
	int failures = 0;

	for (uint32 i = 0; i < n && moved < nfree && failures < FAILURES_MAX; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		ec_compat_vacuum_delay_point();
		if (!move_group(c, groups[i], cid, &moved))
			failures++;
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		ec_stop_point("moved");
	}
	MemoryContextDelete(context);
	return moved;
}

static bool
worth_moving(const EcSpace *space, bool thorough)
{
	BlockNumber minimum = thorough ? MOVE_MINIMUM_THOROUGH : MOVE_MINIMUM;

	return space->free >= minimum &&
		   space->free >= space->pages / (thorough ? MOVE_FRACTION_THOROUGH : MOVE_FRACTION);
}

BlockNumber
ec_space_move(Relation rel, EcCompanion *c, const EcSpace *space, bool thorough)
{
	MemoryContext context;
	MemoryContext old;
	EcSurvey *survey;
	EcSurveyGroup **groups;
	uint32 n = 0;
	BlockNumber moved;

	if (!worth_moving(space, thorough))
		return 0;
	context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight moves", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	survey = ec_survey(c, GetOldestNonRemovableTransactionId(c->heap), false);
	groups = palloc_extended(Max((Size) survey->ngroups + survey->nsummaries, 1) *
								 sizeof(EcSurveyGroup *),
							 MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < survey->ngroups; i++)
	{
		if (survey->groups[i].form == EC_FORM_EXTENT)
			groups[n++] = &survey->groups[i];
	}
	for (uint32 i = 0; i < survey->nsummaries; i++)
	{
		if (survey->summaries[i].form == EC_FORM_EXTENT)
			groups[n++] = &survey->summaries[i];
	}
	if (n > 1)
		qsort(groups, n, sizeof(EcSurveyGroup *), compare_places);
	moved = move_groups(c, groups, n, space->free);
	if (moved > 0)
	{
		CommandCounterIncrement();
		ec_meta_announce(rel);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return moved;
}
