/*
 * compact_sets.c
 *	  Compaction and sets of summaries: a set outlives the row groups that it covers.
 *
 * Rows of a set's row groups are merged with each other only.  If all of them are still
 * there then, the new row groups hold just what the set stands for, and take the old
 * ones' place in its list, in the same transaction: every snapshot sees the list that goes with
 * the row groups it sees.  If some are not, as they were deleted, the set is of no use any
 * more; so that this doesn't happen for a few rows, row groups that decay wait until
 * a share of all of the set's rows is dead.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "store/merge.h"
#include "store/summary.h"

/* Of a set's rows, one in so many is dead when it may go. */
#define SET_DEAD_FRACTION 20

/*
 * Then row groups go with it of whose rows one in so many is dead: the next set is made
 * of all their rows, and what is dead among them would have to be subtracted for ever.
 */
#define GROUP_DEAD_FRACTION 50

/* A row group that a set covers. */
typedef struct Covered
{
	int64 number;
	uint32 set; /* its index + 1 */
} Covered;

static int
compare_covered(const void *a, const void *b)
{
	int64 x = ((const Covered *) a)->number;
	int64 y = ((const Covered *) b)->number;

	return x < y ? -1 : x > y;
}

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

static Covered *
list_covered(const EcSummaries *sets, uint32 *n)
{
	Covered *covered;

	*n = 0;
	for (uint32 i = 0; i < sets->nsets; i++)
		*n += sets->sets[i].ngroups;
	covered = palloc_extended(sizeof(Covered) * Max(*n, 1), MCXT_ALLOC_HUGE);
	*n = 0;
	for (uint32 i = 0; i < sets->nsets; i++)
	{
		for (uint32 g = 0; g < sets->sets[i].ngroups; g++)
			covered[(*n)++] = (Covered){sets->sets[i].groups[g], i + 1};
	}
	qsort(covered, *n, sizeof(Covered), compare_covered);
	return covered;
}

/* Those that the latest snapshot sees. */
static EcSummaries *
list_sets(Relation rel)
{
	EcSummaries *sets;
	EcList *list;

	PushActiveSnapshot(GetLatestSnapshot());
	list = ec_list_begin(rel, GetActiveSnapshot());
	sets = ec_summary_list(list, NULL);
	ec_list_end(list);
	PopActiveSnapshot();
	return sets;
}

/* The same, but none if they can't be read: compaction must not fail with them (summary_write.c). */
static EcSummaries *
try_list_sets(Relation rel)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	EcSummaries *volatile sets = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		sets = list_sets(rel);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		int category;

		MemoryContextSwitchTo(old);
		category = ERRCODE_TO_CATEGORY(geterrcode());
		if (category == ERRCODE_OPERATOR_INTERVENTION || category == ERRCODE_TRANSACTION_ROLLBACK)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		sets = palloc0(sizeof(EcSummaries));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
	return sets;
}

void
ec_compact_find_sets(EcCompact *k)
{
	EcSummaries *sets;
	Covered *covered;
	uint32 n;

	if (!k->survey->has_summaries)
		return;
	sets = try_list_sets(k->rel);
	if (sets->nsets == 0)
		return;
	k->nsets = sets->nsets;
	k->sets = palloc0(sizeof(EcCompactSet) * sets->nsets);
	for (uint32 i = 0; i < sets->nsets; i++)
		k->sets[i].summary = &sets->sets[i];
	covered = list_covered(sets, &n);
	for (uint32 i = 0; i < k->survey->ngroups; i++)
	{
		Covered key = {k->survey->groups[i].number};
		const Covered *found = bsearch(&key, covered, n, sizeof(Covered), compare_covered);

		k->survey->groups[i].set = found != NULL ? found->set : 0;
	}
	pfree(covered);
}

void
ec_compact_spare_sets(EcCompact *k)
{
	for (uint32 i = 0; i < k->survey->ngroups; i++)
	{
		const EcSurveyGroup *group = &k->survey->groups[i];

		if (group->set > 0)
			k->sets[group->set - 1].ndead += group->ndead;
	}
	for (uint32 i = 0; i < k->survey->ngroups; i++)
	{
		EcSurveyGroup *group = &k->survey->groups[i];
		const EcCompactSet *set = group->set > 0 ? &k->sets[group->set - 1] : NULL;

		if (set == NULL)
			continue;
		if (set->ndead <= set->summary->nrows / SET_DEAD_FRACTION)
			group->merge = false;
		else if (group->ndead > group->nrows / GROUP_DEAD_FRACTION)
			group->merge = true;
	}
}

/* Its list: what has been merged is out, what came of it is in. */
static int64 *
new_groups(const EcCompact *k, uint32 number, const EcCompactSet *set, uint32 *n)
{
	int64 *groups = palloc_extended(sizeof(int64) * ((Size) set->summary->ngroups + set->nwritten),
									MCXT_ALLOC_HUGE);
	int64 *merged = palloc_extended(sizeof(int64) * Max(k->survey->ngroups, 1), MCXT_ALLOC_HUGE);
	uint32 nmerged = 0;

	for (uint32 i = 0; i < k->survey->ngroups; i++)
	{
		if (k->survey->groups[i].merge && k->survey->groups[i].set == number)
			merged[nmerged++] = k->survey->groups[i].number;
	}
	qsort(merged, nmerged, sizeof(int64), compare_numbers);
	*n = 0;
	for (uint32 i = 0; i < set->summary->ngroups; i++)
	{
		const int64 *group = &set->summary->groups[i];

		if (bsearch(group, merged, nmerged, sizeof(int64), compare_numbers) == NULL)
			groups[(*n)++] = *group;
	}
	for (uint32 i = 0; i < set->nwritten; i++)
		groups[(*n)++] = set->written[i];
	qsort(groups, *n, sizeof(int64), compare_numbers);
	pfree(merged);
	return groups;
}

void
ec_compact_keep_sets(EcCompact *k)
{
	for (uint32 i = 0; i < k->nsets; i++)
	{
		const EcCompactSet *set = &k->sets[i];
		uint32 n;

		if (set->nmerged > 0 && set->rows_written == set->rows_merged)
		{
			int64 *groups = new_groups(k, i + 1, set, &n);

			ec_summary_cover_again(k->c, set->summary, n, groups);
			pfree(groups);
		}
	}
}
