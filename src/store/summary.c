/*
 * summary.c
 *	  Sets of summaries: which ones a snapshot can use, and reading them.
 *
 * The list of a reader (list.c) has the headers of all parts that its snapshot sees.
 * Here they become sets.  A set counts if nothing of it is missing, if all row groups
 * that it covers are listed, too, and if no newer set covers one of them.  All that is
 * read beyond the list are the sets' own lists of row groups.
 *
 * Row groups that a transaction has written and others that it has not seen to the end
 * don't matter: a set that speaks of a row group which the snapshot doesn't see is left
 * out, so nothing depends on the order in which compaction and VACUUM do their work.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "store/reader_internal.h"
#include "store/summary.h"

static const EcSummaryMaker *the_maker;

void
ec_summary_set_maker(const EcSummaryMaker *maker)
{
	the_maker = maker;
}

const EcSummaryMaker *
ec_summary_maker(void)
{
	return the_maker;
}

TupleDesc
ec_summary_cover_columns(void)
{
	TupleDesc tupdesc = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(tupdesc, 1, "row_group", INT8OID, -1, 0);
	return tupdesc;
}

/* ------------------------------------------------------------------------
 * Sets
 * ------------------------------------------------------------------------
 */

/* By set; its list of row groups, then its parts by projection and index. */
static int
compare_summaries(const void *a, const void *b)
{
	const EcDiskSummary *x = &((const EcListSummary *) a)->header;
	const EcDiskSummary *y = &((const EcListSummary *) b)->header;

	if (x->set != y->set)
		return x->set < y->set ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind > y->kind ? -1 : 1;
	if (x->projection != y->projection)
		return x->projection < y->projection ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void
add_part(EcSummarySet *set, const EcListSummary *listed)
{
	EcSummaryPart *part = &set->parts[set->nparts++];

	part->pick.number = listed->number;
	part->pick.tid = listed->tid;
	part->projection = listed->header.projection;
	part->index = listed->header.index;
	part->nrows = (uint32) listed->header.nrows;
	part->bytes = listed->header.bytes;
}

/* Are all parts there, once each? */
static bool
is_whole(const EcSummarySet *set, const EcListSummary *cover)
{
	if (cover->header.kind != EC_SUMMARY_COVER || cover->header.nparts != set->nparts)
		return false;
	for (uint32 i = 0; i < set->nparts; i++)
	{
		const EcSummaryPart *part = &set->parts[i];
		bool first = i == 0 || part->projection != part[-1].projection;

		if (part->index != (first ? 0 : part[-1].index + 1))
			return false;
	}
	return true;
}

/* The n listed tuples are one set; false if something of it is missing. */
static bool
make_set(const EcListSummary *listed, uint32 n, EcSummarySet *set)
{
	memset(set, 0, sizeof(*set));
	set->number = listed->header.set;
	set->parts = palloc(n * sizeof(EcSummaryPart));
	ItemPointerSetInvalid(&set->cover.tid);
	for (uint32 i = 0; i < n; i++)
	{
		if (listed[i].header.kind == EC_SUMMARY_PART)
			add_part(set, &listed[i]);
	}
	if (listed->header.kind == EC_SUMMARY_COVER)
	{
		set->cover.number = listed->number;
		set->cover.tid = listed->tid;
		set->cover_bytes = listed->header.bytes;
		set->signature = listed->header.signature;
		set->projections = listed->header.projections;
		set->refused = listed->header.refused;
		set->nrows = listed->header.nrows;
		set->ngroups = listed->header.ngroups;
	}
	return is_whole(set, listed);
}

static void
add_set(EcSummaries *to, uint32 capacity, const EcSummarySet *set)
{
	if (to->sets == NULL)
		to->sets = palloc(capacity * sizeof(EcSummarySet));
	to->sets[to->nsets++] = *set;
}

static void
collect_sets(EcList *list, EcSummaries *whole, EcSummaries *broken)
{
	const EcListSummary *listed = list->summaries;

	for (uint32 i = 0; i < list->nsummaries; i++)
	{
		if (listed[i].damaged)
			ec_summary_damaged(list->rel, listed[i].number, "Its header is damaged.");
	}
	qsort(list->summaries, list->nsummaries, sizeof(EcListSummary), compare_summaries);
	for (uint32 first = 0, end; first < list->nsummaries; first = end)
	{
		EcSummarySet set;

		for (end = first + 1;
			 end < list->nsummaries && listed[end].header.set == listed[first].header.set; end++)
			;
		if (make_set(&listed[first], end - first, &set))
			add_set(whole, list->nsummaries, &set);
		else
		{
			set.state = EC_SUMMARY_INCOMPLETE;
			add_set(broken, list->nsummaries, &set);
		}
	}
}

/* ------------------------------------------------------------------------
 * Coverage
 * ------------------------------------------------------------------------
 */

/* Numbers of the row groups listed, and which of them are covered. */
typedef struct Listed
{
	int64 *numbers; /* ascending */
	bool *covered;
	uint32 n;
} Listed;

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* They mostly come in order. */
static void
collect_groups(const EcList *list, Listed *listed)
{
	bool sorted = true;

	listed->n = 0;
	listed->numbers = palloc_extended(Max(list->nentries, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < list->nentries; i++)
	{
		if (list->entries[i].kind != EC_ENTRY_GROUP)
			continue;
		listed->numbers[listed->n++] = list->entries[i].number;
		if (listed->n > 1 && listed->numbers[listed->n - 2] > list->entries[i].number)
			sorted = false;
	}
	if (!sorted)
		qsort(listed->numbers, listed->n, sizeof(int64), compare_numbers);
	listed->covered = palloc_extended(Max(listed->n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* The first place from "at" on whose number isn't below this one; both ascend together. */
static uint32
gallop(const Listed *listed, uint32 at, int64 number)
{
	uint32 step = 1;
	uint32 low = at;
	uint32 high;

	while (low + step < listed->n && listed->numbers[low + step] < number)
	{
		low += step;
		step *= 2;
	}
	high = Min(low + step, listed->n);
	while (low < high)
	{
		uint32 middle = low + (high - low) / 2;

		if (listed->numbers[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Are all of the set's row groups listed, and none covered yet? */
static EcSummaryState
judge(const Listed *listed, const EcSummarySet *set)
{
	uint32 at = 0;

	for (uint32 i = 0; i < set->ngroups; i++)
	{
		at = gallop(listed, at, set->groups[i]);
		if (at == listed->n || listed->numbers[at] != set->groups[i])
			return EC_SUMMARY_STALE;
		if (listed->covered[at])
			return EC_SUMMARY_OVERLAPS;
	}
	return EC_SUMMARY_USABLE;
}

static void
cover(Listed *listed, const EcSummarySet *set)
{
	uint32 at = 0;

	for (uint32 i = 0; i < set->ngroups; i++)
	{
		at = gallop(listed, at, set->groups[i]);
		listed->covered[at] = true;
	}
}

/* The reader stands at the set's list. */
static void
read_cover(EcReader *reader, EcSummarySet *set)
{
	int64 *groups = palloc_extended(Max(set->ngroups, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	const EcReaderGroup *info = ec_reader_group(reader);
	uint32 n = 0;

	if (info->nrows != set->ngroups)
		ec_summary_damaged(reader->rel, set->number, "Its list of row groups has a wrong length.");
	for (uint32 block = 0; block < info->nblocks; block++)
	{
		const EcVector *v = ec_reader_block(reader, 0, block);

		for (uint32 row = 0; row < v->nrows; row++)
		{
			int64 number = ec_vector_is_null(v, row) ? -1 : ec_vector_int64(v, row);

			if (number < 0 || (n > 0 && groups[n - 1] >= number))
				ec_summary_damaged(reader->rel, set->number,
								   "Its list of row groups is not in order.");
			groups[n++] = number;
		}
	}
	set->groups = groups;
}

void
ec_summary_damaged(Relation rel, int64 number, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("summary " INT64_FORMAT " of table \"%s\" is damaged", number,
						   RelationGetRelationName(rel)),
					errdetail_internal("%s", what)));
}

static void
read_covers(Relation rel, EcSummaries *sets)
{
	EcReaderPick *picks = palloc(sets->nsets * sizeof(EcReaderPick));
	EcReader *reader;

	for (uint32 i = 0; i < sets->nsets; i++)
		picks[i] = sets->sets[i].cover;
	reader = ec_reader_begin_summaries(rel, picks, sets->nsets, ec_summary_cover_columns(),
									   CurrentMemoryContext);
	for (uint32 i = 0; i < sets->nsets; i++)
	{
		ec_reader_goto_group(reader, i);
		read_cover(reader, &sets->sets[i]);
	}
	ec_reader_end(reader);
	pfree(picks);
}

/* Newer sets go first. */
static void
keep_usable(EcList *list, EcSummaries *sets, EcSummaries *broken)
{
	Listed listed;
	uint32 kept = sets->nsets;

	read_covers(list->rel, sets);
	collect_groups(list, &listed);
	for (uint32 i = sets->nsets; i-- > 0;)
	{
		EcSummarySet *set = &sets->sets[i];

		set->state = judge(&listed, set);
		if (set->state == EC_SUMMARY_USABLE)
		{
			cover(&listed, set);
			sets->sets[--kept] = *set;
		}
		else
			add_set(broken, list->nsummaries, set);
	}
	sets->nsets -= kept;
	sets->sets += kept;
	pfree(listed.numbers);
	pfree(listed.covered);
}

/* ------------------------------------------------------------------------
 * Interface
 * ------------------------------------------------------------------------
 */

EcSummaries *
ec_summary_list(EcList *list, EcSummaries **broken)
{
	EcSummaries *sets = palloc0(sizeof(EcSummaries));
	EcSummaries *rest = palloc0(sizeof(EcSummaries));

	if (list->nsummaries > 0)
		collect_sets(list, sets, rest);
	if (sets->nsets > 0)
		keep_usable(list, sets, rest);
	if (broken != NULL)
		*broken = rest;
	return sets;
}

EcSummaries *
ec_summary_of_reader(EcReader *reader)
{
	return ec_summary_list(reader->list, NULL);
}

EcReader *
ec_summary_reader(Relation rel, const EcSummarySet *set, uint16 projection, TupleDesc tupdesc,
				  MemoryContext parent)
{
	EcReaderPick *picks = palloc(Max(set->nparts, 1) * sizeof(EcReaderPick));
	EcReader *reader;
	uint32 n = 0;

	for (uint32 i = 0; i < set->nparts; i++)
	{
		if (set->parts[i].projection == projection)
			picks[n++] = set->parts[i].pick;
	}
	reader = ec_reader_begin_summaries(rel, picks, n, tupdesc, parent);
	pfree(picks);
	return reader;
}
