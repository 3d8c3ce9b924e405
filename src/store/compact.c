/*
 * compact.c
 *	  Compaction of one table: what is merged, dropped and folded, and in which order.
 *
 *	survey		settled tuples of the companion (survey.c)
 *	choose		row groups to replace: small ones, level by level as in an LSM tree (a
 *				group waits until the smaller ones together have its size), those with
 *				many dead rows, and unsorted ones if the table has an order
 *	merge		their live rows, and delta rows, go into new groups (merge.c)
 *	fold		tombstones of rows in other groups become masks
 *	claim		what has been replaced is deleted, all at the end
 *
 * Nothing of it is seen by anybody before commit.  Older snapshots go on seeing the
 * old tuples, whose pages stay until nobody can see them (space.c).  An abort, or a
 * crash, leaves new tuples and pages that nobody sees; the next VACUUM frees them.
 *
 * Others work on meanwhile.  Inserted rows are none of ours.  Who deletes, updates
 * or locks a row in a group that we replace does it by the row's number, which
 * stays: the tombstone counts for the new group too.  Who changes a delta row that
 * we have copied wins (merge.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/stoppoint.h"
#include "store/claim.h"
#include "store/mask.h"
#include "store/merge.h"
#include "store/options.h"
#include "store/page.h"

/* Groups with more dead rows than this part are written anew, others get masks. */
#define DEAD_FRACTION 10

/* A group of so many rows is full if it is not below nine tenths. */
#define IS_SMALL(group, full) ((uint64) (group)->nrows * 10 < (uint64) (full) *9)

/* Masks are for groups of some size; these are cheaper to write anew. */
#define MASKED_ROWS_MIN 1024

/* Fewer delta rows than these are left alone if there is nothing to put them together with. */
#define DELTAS_MIN 32

/*
 * Who changes a delta row that we have claimed waits until we commit, so a
 * transaction takes at most so many rows, or such a part if there are very many.
 */
#define DELTAS_MAX 262144
#define DELTAS_PART 8

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

EcReader *
ec_compact_reader(EcCompact *k, bool (*wanted)(EcCompact *, EcSurveyGroup *))
{
	EcReaderPick *picks =
		palloc_extended(Max(k->survey->ngroups, 1) * sizeof(EcReaderPick), MCXT_ALLOC_HUGE);
	uint32 n = 0;
	EcReader *reader;

	for (uint32 i = 0; i < k->survey->ngroups; i++)
	{
		EcSurveyGroup *group = &k->survey->groups[i];

		if (group->busy || !wanted(k, group))
			continue;
		picks[n].number = group->number;
		picks[n].tid = group->tid;
		n++;
	}
	reader = n == 0 ? NULL : ec_reader_begin_groups(k->rel, picks, n, CurrentMemoryContext);
	pfree(picks);
	return reader;
}

/* By first row number, and among equal ones by the group's own. */
EcSurveyGroup *
ec_compact_group(EcCompact *k, EcReader *reader)
{
	int64 number = ec_reader_group(reader)->number;
	int64 first = ec_reader_row_number(reader, 0);
	uint32 low = 0;
	uint32 high = k->survey->ngroups;

	/* numbered groups need not begin with their least number: the group is at or before the place */
	while (low < high)
	{
		uint32 middle = (low + high) / 2;

		if (k->survey->groups[middle].first <= first)
			low = middle + 1;
		else
			high = middle;
	}
	while (low > 0)
	{
		if (k->survey->groups[--low].number == number)
			return &k->survey->groups[low];
	}
	elog(ERROR, "row group " INT64_FORMAT " is not in the survey", number);
}

/* Adds what a MASK tuple says about a block. */
static void
read_mask(EcCompact *k, const EcSurveyRow *mask, EcReader *reader, uint32 block, uint64 *dead)
{
	EcCatalogTuple opened;
	HeapTuple tuple = ec_companion_fetch(k->c, (ItemPointer) &mask->tid, &opened);

	if (tuple == NULL || opened.kind != EC_CATALOG_MASK || opened.number != mask->number)
		elog(ERROR, "mask " INT64_FORMAT " is gone", mask->number);
	ec_mask_read(k->rel, ec_reader_group(reader)->number, block, opened.payload, opened.len,
				 ec_reader_block_rows(reader, block), dead);
}

static uint32
read_masks(EcCompact *k, EcReader *reader, uint64 *dead)
{
	const EcSurveyRows *masks = &k->survey->masks;
	const EcReaderGroup *info = ec_reader_group(reader);
	int64 end = EC_MASK_NUMBER(info->number + 1, 0);
	uint32 ndead = 0;

	for (Size i = ec_survey_find(masks, EC_MASK_NUMBER(info->number, 0));
		 i < masks->n && masks->rows[i].number < end; i++)
	{
		uint32 block = (uint32) (masks->rows[i].number - EC_MASK_NUMBER(info->number, 0));

		if (block < info->nblocks)
			read_mask(k, &masks->rows[i], reader, block, dead + (Size) block * EC_MASK_WORDS);
	}
	for (Size i = 0; i < (Size) info->nblocks * EC_MASK_WORDS; i++)
		ndead += pg_popcount64(dead[i]);
	return ndead;
}

static bool
has_masks(const EcCompact *k, const EcSurveyGroup *group)
{
	Size at = ec_survey_find(&k->survey->masks, EC_MASK_NUMBER(group->number, 0));

	return at < k->survey->masks.n &&
		   k->survey->masks.rows[at].number < EC_MASK_NUMBER(group->number + 1, 0);
}

static bool
has_tombstones(const EcCompact *k, int64 first, int64 end)
{
	const EcSurveyRows *tombstones = &k->survey->tombstones;
	Size at = ec_survey_find(tombstones, first);

	return at < tombstones->n && tombstones->rows[at].number < end;
}

uint64 *
ec_compact_dead(EcCompact *k, EcReader *reader, bool drop, uint32 *ndead, uint32 *fresh)
{
	const EcReaderGroup *info = ec_reader_group(reader);
	uint64 *dead;

	*ndead = *fresh = 0;
	if (k->survey->tombstones.n == 0 && k->survey->masks.n == 0)
		return NULL;
	dead = palloc0(Max((Size) info->nblocks, 1) * EC_MASK_WORDS * sizeof(uint64));
	*ndead = read_masks(k, reader, dead);
	for (uint32 row = 0; row < info->nrows && k->survey->tombstones.n > 0; row++)
	{
		Size at;

		/* a masked row's tombstone is another copy's, whose row group may not be in the survey */
		if ((dead[row / 64] >> row % 64 & 1) != 0 ||
			!ec_survey_has(&k->survey->tombstones, ec_reader_row_number(reader, row), &at))
			continue;
		if (drop)
			k->dropped[at] = true;
		dead[row / 64] |= UINT64CONST(1) << row % 64;
		(*ndead)++;
		(*fresh)++;
	}
	return dead;
}

/* ------------------------------------------------------------------------
 * Choice
 * ------------------------------------------------------------------------
 */

static bool
may_have_dead(EcCompact *k, EcSurveyGroup *group)
{
	return has_masks(k, group) || has_tombstones(k, group->first, group->end);
}

/* Counts dead rows; groups that have too many are to be replaced. */
static void
choose_decayed(EcCompact *k)
{
	EcReader *reader;

	if (k->survey->tombstones.n == 0 && k->survey->masks.n == 0)
		return;
	reader = ec_compact_reader(k, may_have_dead);
	while (reader != NULL && ec_reader_next_group(reader))
	{
		EcSurveyGroup *group = ec_compact_group(k, reader);
		uint32 fresh;
		uint64 *dead = ec_compact_dead(k, reader, false, &group->ndead, &fresh);

		ec_compat_vacuum_delay_point();
		if (dead != NULL)
			pfree(dead);
	}
	if (reader != NULL)
		ec_reader_end(reader);
	for (uint32 i = 0; i < k->survey->ngroups; i++)
	{
		EcSurveyGroup *group = &k->survey->groups[i];

		/* small ones are written anew for a single dead row, or even another group's in their range */
		group->merge = group->ndead > group->nrows / DEAD_FRACTION ||
					   (group->nrows < MASKED_ROWS_MIN && may_have_dead(k, group));
	}
}

static int
compare_sizes(const void *a, const void *b)
{
	const EcSurveyGroup *x = *(EcSurveyGroup *const *) a;
	const EcSurveyGroup *y = *(EcSurveyGroup *const *) b;

	return x->nrows < y->nrows ? -1 : x->nrows > y->nrows;
}

/* Small groups from the smallest on, as long as the next isn't larger than all before it together. */
static uint32
choose_small(EcCompact *k, bool with_deltas, EcSurveyGroup **small, uint32 n, bool all)
{
	uint64 before = with_deltas ? Min(k->survey->deltas.n, k->max_deltas) : 0;
	uint32 chosen = 0;

	qsort(small, n, sizeof(EcSurveyGroup *), compare_sizes);
	for (uint32 i = 0; i < n; i++)
	{
		if (all || small[i]->nrows <= before)
			chosen = i + 1;
		before += small[i]->nrows;
	}
	return chosen;
}

/* Whole row groups of them. */
static Size
limit_deltas(const EcCompact *k, uint32 row_group_rows)
{
	Size limit = Max(DELTAS_MAX, k->survey->deltas.n / DELTAS_PART);

	return (limit + row_group_rows - 1) / row_group_rows * row_group_rows;
}

bool
ec_compact_is_passing(uint8 level, uint32 nrows, const EcTableOptions *options)
{
	EcSurveyGroup group = {.level = level, .nrows = nrows};

	if (IS_SMALL(&group, options->row_group_rows))
		return level < EC_LEVEL_FULL;
	return options->norder > 0 && level < EC_LEVEL_SORTED;
}

/* Of those that one set covers, or none (0), whose small row groups are small[0 .. nsmall). */
static void
choose_of_set(EcCompact *k, uint32 set, EcSurveyGroup **small, uint32 nsmall, uint32 nmerged,
			  bool all)
{
	Size ndeltas = set == 0 ? k->survey->deltas.n : 0;
	uint32 chosen = choose_small(k, set == 0, small, nsmall, all);

	/* one alone is as good as what would come of it */
	if (chosen + nmerged > 1 || ndeltas >= DELTAS_MIN)
	{
		for (uint32 i = 0; i < chosen; i++)
			small[i]->merge = true;
		nmerged += chosen;
	}
	if (set == 0)
		k->merge_deltas = ndeltas >= DELTAS_MIN || (ndeltas > 0 && nmerged > 0);
}

static int
compare_sets(const void *a, const void *b)
{
	uint32 x = (*(EcSurveyGroup *const *) a)->set;
	uint32 y = (*(EcSurveyGroup *const *) b)->set;

	return x < y ? -1 : x > y;
}

static void
choose(EcCompact *k, bool all)
{
	EcSurvey *survey = k->survey;
	EcTableOptions options = ec_options_get(k->rel);
	EcSurveyGroup **small =
		palloc_extended(Max(survey->ngroups, 1) * sizeof(EcSurveyGroup *), MCXT_ALLOC_HUGE);
	uint32 *nmerged = palloc0(sizeof(uint32) * (k->nsets + 1));
	uint32 nsmall = 0;
	uint32 first = 0;

	k->max_deltas = all ? survey->deltas.n : limit_deltas(k, options.row_group_rows);
	choose_decayed(k);
	if (k->nsets > 0)
		ec_compact_spare_sets(k);
	for (uint32 i = 0; i < survey->ngroups; i++)
	{
		EcSurveyGroup *group = &survey->groups[i];

		if (group->busy)
		{
			group->merge = false;
			continue;
		}
		if (options.norder > 0 && group->level < EC_LEVEL_SORTED &&
			!IS_SMALL(group, options.row_group_rows))
			group->merge = true;
		nmerged[group->set] += group->merge;
		if (!group->merge && group->level < EC_LEVEL_FULL &&
			IS_SMALL(group, options.row_group_rows))
			small[nsmall++] = group;
	}
	qsort(small, nsmall, sizeof(EcSurveyGroup *), compare_sets);
	for (uint32 set = 0; set <= k->nsets; set++)
	{
		uint32 n = 0;

		while (first + n < nsmall && small[first + n]->set == set)
			n++;
		choose_of_set(k, set, small + first, n, nmerged[set], all);
		first += n;
	}
	if (k->merge_deltas && survey->deltas.n > k->max_deltas)
		k->result->deltas_left = survey->deltas.n - k->max_deltas;
	pfree(nmerged);
	pfree(small);
}

/* ------------------------------------------------------------------------
 * Folding
 * ------------------------------------------------------------------------
 */

static bool
is_folded(EcCompact *k, EcSurveyGroup *group)
{
	return !group->merge && group->ndead > 0 && has_tombstones(k, group->first, group->end);
}

static void
claim_mask(EcCompact *k, int64 number, CommandId cid)
{
	Size at;

	if (!ec_survey_has(&k->survey->masks, number, &at))
		return;
	if (!ec_companion_claim(k->c, &k->survey->masks.rows[at].tid, cid))
		elog(ERROR, "mask " INT64_FORMAT " has been changed by another", number);
	k->result->tuples_dropped++;
}

static void
fold_group(EcCompact *k, EcReader *reader, CommandId cid)
{
	EcSurveyGroup *group = ec_compact_group(k, reader);
	uint32 ndead;
	uint32 fresh;
	uint64 *dead = ec_compact_dead(k, reader, true, &ndead, &fresh);

	if (dead == NULL || fresh == 0)
		return;
	k->result->rows_folded += fresh;
	for (uint32 block = 0; block < group->nblocks; block++)
	{
		const uint64 *words = dead + (Size) block * EC_MASK_WORDS;
		uint32 n = 0;

		for (uint32 i = 0; i < EC_MASK_WORDS; i++)
			n += pg_popcount64(words[i]);
		if (n == 0)
			continue;
		claim_mask(k, EC_MASK_NUMBER(group->number, block), cid);
		ec_mask_insert(k->rel, group->number, block, words, ec_reader_block_rows(reader, block),
					   cid, 0);
	}
	pfree(dead);
}

static void
fold(EcCompact *k, CommandId cid)
{
	EcReader *reader = k->survey->tombstones.n == 0 ? NULL : ec_compact_reader(k, is_folded);

	while (reader != NULL && ec_reader_next_group(reader))
	{
		ec_compat_vacuum_delay_point();
		fold_group(k, reader, cid);
	}
	if (reader != NULL)
		ec_reader_end(reader);
}

/* ------------------------------------------------------------------------
 * Claims
 * ------------------------------------------------------------------------
 */

static void
claim_groups(EcCompact *k, CommandId cid)
{
	for (uint32 i = 0; i < k->survey->ngroups; i++)
	{
		EcSurveyGroup *group = &k->survey->groups[i];

		if (!group->merge)
			continue;
		if (!ec_companion_claim(k->c, &group->tid, cid))
			elog(ERROR, "row group " INT64_FORMAT " has been changed by another", group->number);
		k->result->groups_merged++;
		k->result->tuples_dropped++;
		for (uint32 block = 0; block < group->nblocks; block++)
			claim_mask(k, EC_MASK_NUMBER(group->number, block), cid);
	}
}

/* Tombstones whose rows are gone, and idle headers; any that can't be had stay. */
static void
claim_rows(EcCompact *k, CommandId cid)
{
	const EcSurveyRows *tombstones = &k->survey->tombstones;
	const EcSurveyRows *idle = &k->survey->idle;

	for (Size i = 0; i < tombstones->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (k->dropped[i])
			k->result->tuples_dropped += ec_companion_claim(k->c, &tombstones->rows[i].tid, cid);
	}
	for (Size i = 0; i < idle->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		k->result->tuples_dropped += ec_companion_claim(k->c, &idle->rows[i].tid, cid);
	}
}

/* ------------------------------------------------------------------------
 * All
 * ------------------------------------------------------------------------
 */

void
ec_compact_relation(Relation rel, EcCompanion *c, bool all, EcCompaction *result)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight compaction", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcCompact k = {.rel = rel, .c = c, .result = result};
	CommandId cid = GetCurrentCommandId(true);

	memset(result, 0, sizeof(*result));
	k.survey = ec_survey(c, GetOldestNonRemovableTransactionId(c->heap), false);
	result->unsettled = k.survey->unsettled;
	k.dropped = palloc_extended(Max(k.survey->tombstones.n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	ec_compact_find_sets(&k);
	choose(&k, all);
	ec_stop_point("compact-chosen");
	fold(&k, cid);
	ec_merge(&k);
	ec_stop_point("compact-merged");
	ec_claim_announce();
	ec_merge_claim(&k);
	claim_groups(&k, cid);
	claim_rows(&k, cid);
	ec_compact_keep_sets(&k);

	/* masks have come last, and nothing need have been dropped for them */
	if (result->groups_written > 0 || result->rows_folded > 0 || result->tuples_dropped > 0)
		ec_meta_announce(rel);
	ec_stop_point("compact-claimed");
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
