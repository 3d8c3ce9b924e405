/*
 * survey.c
 *	  One pass over the companion: what compaction can merge, drop and fold.
 *
 * Only settled tuples count: inserted by transactions that every snapshot sees and
 * touched by nobody since.  Their rows are visible to all, now and later, so that
 * it doesn't matter to anybody in which tuple or row group they stand; and no chain
 * of updates that somebody may still follow leads to them.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/transam.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/group.h"
#include "store/mask.h"
#include "store/row.h"
#include "store/survey.h"
#include "store/walk.h"

static void
add_row(EcSurveyRows *rows, int64 number, ItemPointer tid)
{
	if (rows->n == rows->capacity)
	{
		rows->capacity = Max(1024, rows->capacity * 2);
		rows->rows = rows->rows == NULL
						 ? palloc(rows->capacity * sizeof(EcSurveyRow))
						 : repalloc_huge(rows->rows, rows->capacity * sizeof(EcSurveyRow));
	}
	rows->rows[rows->n] = (EcSurveyRow){.number = number, .tid = *tid};
	rows->n++;
}

static EcSurveyGroup *
one_more(EcSurveyGroup **groups, uint32 *n, uint32 *capacity)
{
	if (*n == *capacity)
	{
		*capacity = Max(256, *capacity * 2);
		*groups = *groups == NULL ? palloc(*capacity * sizeof(EcSurveyGroup))
								  : repalloc_huge(*groups, *capacity * sizeof(EcSurveyGroup));
	}
	return memset(&(*groups)[(*n)++], 0, sizeof(EcSurveyGroup));
}

static void
add_group(EcSurvey *survey, const EcDescriptor *desc, ItemPointer tid)
{
	EcSurveyGroup *group = one_more(&survey->groups, &survey->ngroups, &survey->capacity);

	group->number = desc->number;
	group->tid = *tid;
	group->form = desc->form;
	group->level = desc->level;
	group->nrows = desc->nrows;
	group->nblocks = (desc->nrows + EC_BLOCK_ROWS - 1) / EC_BLOCK_ROWS;
	group->bytes = desc->image_len;
	group->first_block = desc->first_block;
	group->first = desc->ranges[0].first;
	for (uint32 i = 0; i < desc->nranges; i++)
	{
		group->first = Min(group->first, desc->ranges[i].first);
		group->end = Max(group->end, desc->ranges[i].first + desc->ranges[i].count);
	}
}

/* ------------------------------------------------------------------------
 * One tuple
 * ------------------------------------------------------------------------
 */

bool
ec_survey_is_settled(HeapTuple tuple, HTSV_Result state, TransactionId oldest_xmin)
{
	return state == HEAPTUPLE_LIVE &&
		   (HeapTupleHeaderXminFrozen(tuple->t_data) ||
			TransactionIdPrecedes(HeapTupleHeaderGetXmin(tuple->t_data), oldest_xmin));
}

/* Only one compaction at a time runs on a table, so what is in progress is our own. */
static void
survey_mask(EcSurvey *survey, int64 number, HTSV_Result state, ItemPointer tid)
{
	if (state == HEAPTUPLE_LIVE || (survey->rewrite && state == HEAPTUPLE_INSERT_IN_PROGRESS))
		add_row(&survey->masks, number, tid);
	else if (survey->rewrite)
		return;
	else if (state == HEAPTUPLE_INSERT_IN_PROGRESS || state == HEAPTUPLE_DELETE_IN_PROGRESS)
		add_row(&survey->busy, number, tid);
}

static void
survey_row(EcSurvey *survey, const EcRow *row)
{
	EcSurveyRows *rows = row->state == EC_ROW_DATA	 ? &survey->deltas
						 : row->state == EC_ROW_DEAD ? &survey->tombstones
													 : &survey->idle;

	/* a header that somebody has locked will not be had; it costs nothing to try */
	add_row(rows, row->number, (ItemPointer) &row->ctid);
}

/* A tuple of a row that not all see, or not all see dead. */
static void
survey_open(EcCompanion *c, EcSurvey *survey, HeapTuple tuple, HTSV_Result state,
			const EcCatalogTuple *opened)
{
	bool updated_to = (tuple->t_data->t_infomask & HEAP_UPDATED) != 0 &&
					  state != HEAPTUPLE_RECENTLY_DEAD && state != HEAPTUPLE_DELETE_IN_PROGRESS;
	EcRow row;

	survey->unsettled++;
	if (!survey->rewrite)
		return;
	ec_row_parse(c->main, tuple, opened, &row);
	add_row(&survey->open, row.number, &tuple->t_self);
	survey->open.rows[survey->open.n - 1].open = row.state == EC_ROW_DATA	? EC_OPEN_DATA
												 : row.state == EC_ROW_DEAD ? EC_OPEN_DEAD
												 : updated_to				? EC_OPEN_HEADER
																			: EC_OPEN_LEFT;
}

/* Does everybody see its rows, here or where they stood before? */
static bool
is_merged_lately(const EcSurvey *survey, const EcDescriptor *desc, HTSV_Result state)
{
	return survey->rewrite && desc->level > EC_LEVEL_WRITTEN &&
		   (state == HEAPTUPLE_LIVE || state == HEAPTUPLE_INSERT_IN_PROGRESS);
}

static void
survey_group(EcCompanion *c, EcSurvey *survey, HeapTuple tuple, HTSV_Result state, bool settled,
			 MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	EcDescriptor desc = {0};

	if (settled || survey->rewrite)
		ec_catalog_read_tuple(c->main, tuple, &desc);
	MemoryContextSwitchTo(old);
	if (settled || is_merged_lately(survey, &desc, state))
		add_group(survey, &desc, &tuple->t_self);
	else
		survey->unsettled++;
	MemoryContextReset(context);
}

/* Only space_move.c wants to know them, and checks them when it comes to them; a rewrite drops them. */
static void
survey_summary(EcSurvey *survey, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcSurveyGroup *summary =
		one_more(&survey->summaries, &survey->nsummaries, &survey->summaries_capacity);
	EcDiskDescriptor disk = {0};

	if (opened->len >= sizeof(EcDiskSummary) + sizeof(disk))
		memcpy(&disk, opened->payload + sizeof(EcDiskSummary), sizeof(disk));
	summary->number = opened->number;
	summary->tid = tuple->t_self;
	summary->summary = true;
	summary->form = disk.form;
	summary->first_block = disk.first_block;
}

static void
survey_tuple(EcCompanion *c, EcSurvey *survey, HeapTuple tuple, HTSV_Result state,
			 MemoryContext context)
{
	bool settled = ec_survey_is_settled(tuple, state, survey->oldest_xmin);
	EcCatalogTuple opened;
	EcRow row;

	ec_catalog_open_tuple(c->main, tuple, &opened);
	if (state == HEAPTUPLE_DEAD)
		return;
	switch ((EcCatalogKind) opened.kind)
	{
		case EC_CATALOG_GROUP:
			survey_group(c, survey, tuple, state, settled, context);
			break;
		case EC_CATALOG_ROW:
			if (!settled)
			{
				survey_open(c, survey, tuple, state, &opened);
				break;
			}
			ec_row_parse(c->main, tuple, &opened, &row);
			survey_row(survey, &row);
			break;
		case EC_CATALOG_MASK:
			survey_mask(survey, opened.number, state, &tuple->t_self);
			break;
		case EC_CATALOG_SUMMARY:
			survey->has_summaries = true;
			if (settled && !survey->rewrite)
				survey_summary(survey, tuple, &opened);
			break;
		case EC_CATALOG_RESERVE:
		case EC_CATALOG_FREE:
		case EC_CATALOG_PLACE:
		case EC_CATALOG_COUNTERS:
			break;
	}
}

/* ------------------------------------------------------------------------
 * All
 * ------------------------------------------------------------------------
 */

static int
compare_rows(const void *a, const void *b)
{
	int64 x = ((const EcSurveyRow *) a)->number;
	int64 y = ((const EcSurveyRow *) b)->number;

	return x < y ? -1 : x > y;
}

static int
compare_groups(const void *a, const void *b)
{
	int64 x = ((const EcSurveyGroup *) a)->first;
	int64 y = ((const EcSurveyGroup *) b)->first;

	return x < y ? -1 : x > y;
}

static void
sort_rows(EcSurveyRows *rows)
{
	if (rows->n > 1)
		qsort(rows->rows, rows->n, sizeof(EcSurveyRow), compare_rows);
}

static void
mark_busy(EcSurvey *survey)
{
	for (uint32 i = 0; i < survey->ngroups && survey->busy.n > 0; i++)
	{
		EcSurveyGroup *group = &survey->groups[i];
		Size at = ec_survey_find(&survey->busy, EC_MASK_NUMBER(group->number, 0));

		group->busy = at < survey->busy.n &&
					  survey->busy.rows[at].number < EC_MASK_NUMBER(group->number + 1, 0);
	}
}

EcSurvey *
ec_survey(EcCompanion *c, TransactionId oldest_xmin, bool rewrite)
{
	EcSurvey *survey = palloc0(sizeof(EcSurvey));
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight survey", ALLOCSET_DEFAULT_SIZES);
	BlockNumber last = InvalidBlockNumber;
	HeapTuple tuple;
	EcWalk walk;

	survey->oldest_xmin = oldest_xmin;
	survey->rewrite = rewrite;
	ec_walk_begin(&walk, c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		if (ItemPointerGetBlockNumber(&tuple->t_self) != last)
		{
			last = ItemPointerGetBlockNumber(&tuple->t_self);
			ec_compat_vacuum_delay_point();
		}
		survey_tuple(c, survey, tuple, ec_walk_state(&walk, oldest_xmin), context);
	}
	ec_walk_end(&walk);
	MemoryContextDelete(context);
	if (survey->ngroups > 1)
		qsort(survey->groups, survey->ngroups, sizeof(EcSurveyGroup), compare_groups);
	sort_rows(&survey->deltas);
	sort_rows(&survey->tombstones);
	sort_rows(&survey->idle);
	sort_rows(&survey->masks);
	sort_rows(&survey->busy);
	sort_rows(&survey->open);
	mark_busy(survey);
	return survey;
}

Size
ec_survey_find(const EcSurveyRows *rows, int64 number)
{
	Size low = 0;
	Size high = rows->n;

	while (low < high)
	{
		Size middle = low + (high - low) / 2;

		if (rows->rows[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
