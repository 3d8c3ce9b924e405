/*
 * vacuum_index.c
 *	  VACUUM of a columnar table's indexes.
 *
 * Row numbers are never used twice, so an entry of a row that is gone is never
 * wrong, only useless, and may be removed at any time and in any order.  A row is
 * gone if everybody sees its tombstone, or if no tuple of the companion, whoever
 * sees it, holds its number: no row group (but in rows that its mask hides), no row
 * tuple, no reservation.
 *
 * The index asks for each entry while it holds a lock on the page, so the answer
 * comes from memory.  A first pass removes what is known to be gone, and notes the
 * entries whose numbers no row group and no reservation held when the pass began.
 * Then, without any lock on the index, these are judged: whoever inserts an entry has
 * inserted what holds its number before, so a number that nothing holds after the
 * pass is gone for good.  The next pass, and those over other indexes, remove it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/stoppoint.h"
#include "store/mask.h"
#include "store/page.h"
#include "store/reader.h"
#include "store/row.h"
#include "store/survey.h"
#include "store/tid.h"
#include "store/vacuum_index.h"
#include "store/walk.h"

/* An index is passed through if this part of the table's rows has been deleted or updated. */
#define DEAD_FRACTION 50

/* And once more if more entries than this part of the rows have turned out to be gone. */
#define ENTRIES_FRACTION 1000

/* Entries are judged anew, because row groups have come meanwhile, at most so often. */
#define LOADS_MAX 16

/* Who holds row numbers [first, end): all of them, or those told. */
typedef struct Holder
{
	int64 first;
	int64 end;
	int64 reach;	/* the greatest end of this and all holders before it */
	uint64 *bits;	/* bit i: first + i */
	int64 *numbers; /* ascending, where they are too scattered for bits */
	uint32 n;
} Holder;

typedef struct Numbers
{
	int64 *numbers;
	Size n;
	Size capacity;
} Numbers;

typedef struct Gone
{
	EcCompanion *c;
	MemoryContext context; /* of holders */
	EcSurvey *survey;	   /* its tombstones and masks tell of rows that are gone */
	Holder *holders;	   /* by first */
	Size n;
	Size capacity;
	uint32 changes; /* the metapage's count when they were loaded */
	Numbers gone;	/* ascending: judged so before */
	Numbers noted;	/* by this pass, to be judged */
	Size noted_max;
	bool overflow; /* there were more */
} Gone;

/* ------------------------------------------------------------------------
 * Holders
 * ------------------------------------------------------------------------
 */

static Holder *
add_holder(Gone *g, int64 first, int64 count)
{
	Holder *holder;

	if (g->n == g->capacity)
	{
		g->capacity = Max(256, g->capacity * 2);
		g->holders = g->holders == NULL ? palloc(g->capacity * sizeof(Holder))
										: repalloc_huge(g->holders, g->capacity * sizeof(Holder));
	}
	holder = &g->holders[g->n++];
	memset(holder, 0, sizeof(*holder));
	holder->first = first;
	holder->end = first + count;
	return holder;
}

/* The rows that a group's masks hide, as EC_MASK_WORDS words a block. */
static uint64 *
masked_rows(Gone *g, EcReader *reader)
{
	const EcSurveyRows *masks = &g->survey->masks;
	const EcReaderGroup *group = ec_reader_group(reader);
	int64 start = EC_MASK_NUMBER(group->number, 0);
	uint64 *dead = palloc0(Max((Size) group->nblocks, 1) * EC_MASK_WORDS * sizeof(uint64));

	for (Size i = ec_survey_find(masks, start);
		 i < masks->n && masks->rows[i].number < start + group->nblocks; i++)
	{
		uint32 block = (uint32) (masks->rows[i].number - start);
		EcCatalogTuple opened;

		if (ec_companion_fetch(g->c, &masks->rows[i].tid, &opened) == NULL ||
			opened.kind != EC_CATALOG_MASK || opened.number != masks->rows[i].number)
			continue;
		ec_mask_read(g->c->main, group->number, block, opened.payload, opened.len,
					 ec_reader_block_rows(reader, block), dead + (Size) block * EC_MASK_WORDS);
	}
	return dead;
}

static bool
has_masks(const Gone *g, int64 group)
{
	Size at = ec_survey_find(&g->survey->masks, EC_MASK_NUMBER(group, 0));

	return at < g->survey->masks.n &&
		   g->survey->masks.rows[at].number < EC_MASK_NUMBER(group + 1, 0);
}

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

static void
hold_number(Gone *g, Holder *holder, int64 group, int64 number)
{
	int64 bit = number - holder->first;

	if (bit < 0 || number >= holder->end)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("row numbers of row group " INT64_FORMAT
							   " of table \"%s\" lie outside of its range",
							   group, RelationGetRelationName(g->c->main))));
	if (holder->bits != NULL)
		holder->bits[bit / 64] |= UINT64CONST(1) << bit % 64;
	else
		holder->numbers[holder->n++] = number;
}

/* The rows of the reader's group that no mask hides. */
static void
hold_rows(Gone *g, EcReader *reader, Holder *holder)
{
	const EcReaderGroup *group = ec_reader_group(reader);
	uint64 *dead = masked_rows(g, reader);

	for (uint32 row = 0; row < group->nrows; row++)
	{
		if ((dead[row / 64] >> row % 64 & 1) == 0)
			hold_number(g, holder, group->number, ec_reader_row_number(reader, row));
	}
	pfree(dead);
	if (holder->n > 1)
		qsort(holder->numbers, holder->n, sizeof(int64), compare_numbers);
}

/* A group's rows one by one. */
static void
add_rows(Gone *g, const EcDescriptor *desc, ItemPointer tid)
{
	EcReaderPick pick = {.number = desc->number, .tid = *tid};
	int64 first = desc->ranges[0].first;
	int64 span =
		desc->ranges[desc->nranges - 1].first + desc->ranges[desc->nranges - 1].count - first;
	Holder *holder = add_holder(g, first, span);
	EcReader *reader;

	if (span > (int64) desc->nrows * 64)
		holder->numbers = palloc_extended(Max(desc->nrows, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	else
		holder->bits = palloc_extended(((Size) span + 63) / 64 * sizeof(uint64),
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	reader = ec_reader_begin_groups(g->c->main, &pick, 1, CurrentMemoryContext);
	if (!ec_reader_next_group(reader))
		elog(ERROR, "row group " INT64_FORMAT " is gone", desc->number);
	hold_rows(g, reader, holder);
	ec_reader_end(reader);
}

static void
add_tuple(Gone *g, HeapTuple tuple)
{
	EcCatalogTuple opened;
	EcDescriptor desc;
	EcDiskReserve reserve;

	ec_catalog_open_tuple(g->c->main, tuple, &opened);
	if (opened.kind == EC_CATALOG_GROUP)
	{
		ec_catalog_read_tuple(g->c->main, tuple, &desc);
		if (desc.numbered || has_masks(g, desc.number))
			add_rows(g, &desc, &tuple->t_self);
		else
			for (uint32 i = 0; i < desc.nranges; i++)
				add_holder(g, desc.ranges[i].first, desc.ranges[i].count);
	}
	else if (opened.kind == EC_CATALOG_RESERVE && opened.len == sizeof(reserve))
	{
		memcpy(&reserve, opened.payload, sizeof(reserve));
		add_holder(g, opened.number, reserve.count);
	}
}

static int
compare_holders(const void *a, const void *b)
{
	int64 x = ((const Holder *) a)->first;
	int64 y = ((const Holder *) b)->first;

	return x < y ? -1 : x > y;
}

static void
sort_holders(Gone *g)
{
	int64 reach = 0;

	if (g->n > 1)
		qsort(g->holders, g->n, sizeof(Holder), compare_holders);
	for (Size i = 0; i < g->n; i++)
		g->holders[i].reach = reach = Max(reach, g->holders[i].end);
}

static uint32
count_changes(Relation rel)
{
	EcDiskMeta meta;

	return ec_meta_read(rel, &meta) ? meta.changes : 0;
}

static void
load_holders(Gone *g)
{
	TransactionId oldest_xmin = GetOldestNonRemovableTransactionId(g->c->heap);
	MemoryContext old;
	HeapTuple tuple;
	EcWalk walk;

	ec_stop_point("holders");
	g->changes = count_changes(g->c->main);
	MemoryContextReset(g->context);
	g->holders = NULL;
	g->n = g->capacity = 0;
	old = MemoryContextSwitchTo(g->context);
	g->survey = ec_survey(g->c, oldest_xmin, false);
	ec_walk_begin(&walk, g->c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		if (ec_walk_state(&walk, oldest_xmin) != HEAPTUPLE_DEAD)
			add_tuple(g, tuple);
	}
	ec_walk_end(&walk);
	sort_holders(g);
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------------------
 * Entries
 * ------------------------------------------------------------------------
 */

static bool
has_number(const int64 *numbers, Size n, int64 number)
{
	return n > 0 && bsearch(&number, numbers, n, sizeof(int64), compare_numbers) != NULL;
}

static bool
holds(const Holder *holder, int64 number)
{
	int64 bit = number - holder->first;

	if (number >= holder->end)
		return false;
	if (holder->bits != NULL)
		return (holder->bits[bit / 64] >> bit % 64 & 1) != 0;
	return holder->numbers == NULL || has_number(holder->numbers, holder->n, number);
}

static bool
is_held(const Gone *g, int64 number)
{
	Size low = 0;
	Size high = g->n;

	while (low < high)
	{
		Size middle = low + (high - low) / 2;

		if (g->holders[middle].first <= number)
			low = middle + 1;
		else
			high = middle;
	}
	while (low > 0 && g->holders[--low].reach > number)
	{
		if (holds(&g->holders[low], number))
			return true;
	}
	return false;
}

static void
note(Gone *g, int64 number)
{
	Numbers *noted = &g->noted;

	if (noted->n >= g->noted_max)
	{
		g->overflow = true;
		return;
	}
	if (noted->n == noted->capacity)
	{
		noted->capacity = Max(1024, noted->capacity * 2);
		noted->numbers = repalloc_huge(noted->numbers, noted->capacity * sizeof(int64));
	}
	noted->numbers[noted->n++] = number;
}

/* Called by the index for each entry, under a lock: may it go? */
static bool
is_gone(ItemPointer tid, void *arg)
{
	Gone *g = arg;
	int64 number = ec_tid_to_row(tid);
	Size at;

	if (number < 0)
		return false;
	if (ec_survey_has(&g->survey->tombstones, number, &at) ||
		has_number(g->gone.numbers, g->gone.n, number))
		return true;
	if (!is_held(g, number))
		note(g, number);
	return false;
}

static bool
has_tuple(Gone *g, int64 number)
{
	EcCatalogTuple opened;
	HeapTuple tuple;

	ec_companion_search(g->c, EC_CATALOG_ROW, number);
	while ((tuple = ec_companion_next(g->c, &opened)) != NULL)
	{
		EcRow row;

		ec_row_parse(g->c->main, tuple, &opened, &row);
		if (row.state != EC_ROW_DEAD)
			return true;
	}
	return false;
}

/* Leaves those of the numbers noted, in order, that nothing holds. */
static void
sift_noted(Gone *g)
{
	Numbers *noted = &g->noted;
	Size kept = 0;

	qsort(noted->numbers, noted->n, sizeof(int64), compare_numbers);
	for (Size i = 0; i < noted->n; i++)
	{
		int64 number = noted->numbers[i];

		if ((i & 255) == 0)
			ec_compat_vacuum_delay_point();
		if ((kept == 0 || noted->numbers[kept - 1] != number) && !is_held(g, number) &&
			!has_tuple(g, number))
			noted->numbers[kept++] = number;
	}
	noted->n = kept;
}

/* What was known to be gone is no longer in this index; for others it is kept if there is room. */
static void
add_gone(Gone *g)
{
	Size before = g->gone.n + g->noted.n > g->noted_max ? 0 : g->gone.n;
	Size n = before + g->noted.n;

	if (n > g->gone.capacity)
	{
		g->gone.capacity = n;
		g->gone.numbers = repalloc_huge(g->gone.numbers, n * sizeof(int64));
	}
	memcpy(g->gone.numbers + before, g->noted.numbers, g->noted.n * sizeof(int64));
	g->gone.n = n;
	qsort(g->gone.numbers, n, sizeof(int64), compare_numbers);
}

/* Which of the numbers noted are gone?  How many that are. */
static Size
judge_noted(Gone *g)
{
	for (int loads = 0; g->noted.n > 0; loads++)
	{
		/* who adds row groups that fast leaves no moment to judge in: a later VACUUM will */
		if (loads == LOADS_MAX)
			return 0;
		if (count_changes(g->c->main) != g->changes)
			load_holders(g);
		sift_noted(g);
		if (count_changes(g->c->main) == g->changes)
			break;
	}
	if (g->noted.n > 0)
		add_gone(g);
	return g->noted.n;
}

/* ------------------------------------------------------------------------
 * Indexes
 * ------------------------------------------------------------------------
 */

/* At first what is known to be gone, then what has come out of that, as long as it is worth a pass. */
static IndexBulkDeleteResult *
bulk_delete(IndexVacuumInfo *info, Gone *g, double rows)
{
	IndexBulkDeleteResult *stats = NULL;
	Size found;
	bool first = true;

	do
	{
		g->noted.n = 0;
		g->overflow = false;
		stats = index_bulk_delete(info, stats, is_gone, g);
		found = judge_noted(g);
		found = first || g->overflow ? found : 0;
		first = false;
	} while (found > rows / ENTRIES_FRACTION);
	return stats;
}

static void
vacuum_index(Relation rel, Relation index, Gone *g, BufferAccessStrategy strategy, double rows)
{
	IndexVacuumInfo info = {
		.index = index,
		.message_level = DEBUG2,
		.num_heap_tuples = rows,
		.strategy = strategy,
	};
	IndexBulkDeleteResult *stats = NULL;

	ec_compat_vacuum_info_heap(&info, rel);
	info.estimated_count = true;
	if (g != NULL)
		stats = bulk_delete(&info, g, rows);
	info.estimated_count = false;
	stats = index_vacuum_cleanup(&info, stats);
	if (stats != NULL && !stats->estimated_count)
		ec_compat_update_index_relstats(index, stats);
	if (stats != NULL)
		pfree(stats);
}

static bool
worth_a_pass(Relation rel, VacuumParams *params, double rows)
{
	if (params->index_cleanup == VACOPTVALUE_ENABLED)
		return true;
	return params->index_cleanup != VACOPTVALUE_DISABLED &&
		   ec_compat_dead_tuples(rel) > rows / DEAD_FRACTION;
}

/* Of numbers noted, and of those gone, as for dead tuples of a heap. */
static Size
numbers_max(void)
{
	int kb = ec_compat_is_autovacuum() && autovacuum_work_mem != -1 ? autovacuum_work_mem
																	: maintenance_work_mem;

	return Max((Size) kb * 1024 / (2 * sizeof(int64)), 1024);
}

void
ec_vacuum_indexes(Relation rel, EcCompanion *c, VacuumParams *params, BufferAccessStrategy strategy,
				  double rows)
{
	bool pass = worth_a_pass(rel, params, rows);
	Gone gone = {.c = c, .noted_max = numbers_max()};
	Relation *indexes;
	int nindexes;

	if (params->index_cleanup == VACOPTVALUE_DISABLED)
		return;
	vac_open_indexes(rel, RowExclusiveLock, &nindexes, &indexes);
	if (nindexes > 0)
	{
		gone.context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight row numbers",
											 ALLOCSET_DEFAULT_SIZES);
		if (pass)
		{
			gone.gone.numbers = palloc(sizeof(int64));
			gone.noted.numbers = palloc(sizeof(int64));
			load_holders(&gone);
		}
		for (int i = 0; i < nindexes; i++)
			vacuum_index(rel, indexes[i], pass ? &gone : NULL, strategy, rows);
		MemoryContextDelete(gone.context);
	}
	vac_close_indexes(nindexes, indexes, NoLock);
}
