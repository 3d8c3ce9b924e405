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
 * Whoever inserts an index entry has inserted what holds the number before, and
 * the metapage counts row groups and reservations.  So it is enough to know all row
 * groups and reservations at one time, to look for a row tuple when an entry is
 * judged, and to begin anew if the metapage's count has changed.  After a few times
 * of that, entries are kept that can't be judged.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/mask.h"
#include "store/page.h"
#include "store/reader.h"
#include "store/row.h"
#include "store/survey.h"
#include "store/tid.h"
#include "store/vacuum_index.h"

/* An index is passed through if this part of the table's rows has been deleted or updated. */
#define DEAD_FRACTION 50

/* Begun anew at most so often in one VACUUM. */
#define LOADS_MAX 16

/* Who holds row numbers [first, end): all of them, or those whose bit is set. */
typedef struct Holder
{
	int64 first;
	int64 end;
	int64 reach;  /* the greatest end of this and all holders before it */
	uint64 *bits; /* bit i: first + i; NULL: all */
} Holder;

typedef struct Gone
{
	EcCompanion *c;
	MemoryContext context; /* of holders */
	EcSurvey *survey;	   /* its tombstones and masks tell of rows that are gone */
	Holder *holders;	   /* by first */
	Size n;
	Size capacity;
	uint32 changes; /* the metapage's count when they were loaded */
	int loads;
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
	holder->first = first;
	holder->end = first + count;
	holder->bits = NULL;
	return holder;
}

/* Rows that a group's masks hide are held no more. */
static void
drop_masked(Gone *g, EcReader *reader, Holder *holder)
{
	const EcSurveyRows *masks = &g->survey->masks;
	const EcReaderGroup *group = ec_reader_group(reader);
	int64 start = EC_MASK_NUMBER(group->number, 0);

	for (Size i = ec_survey_find(masks, start);
		 i < masks->n && masks->rows[i].number < start + group->nblocks; i++)
	{
		uint32 block = (uint32) (masks->rows[i].number - start);
		uint32 nrows = ec_reader_block_rows(reader, block);
		uint64 dead[EC_MASK_WORDS] = {0};
		EcCatalogTuple opened;

		if (ec_companion_fetch(g->c, &masks->rows[i].tid, &opened) == NULL ||
			opened.kind != EC_CATALOG_MASK || opened.number != masks->rows[i].number)
			continue;
		ec_mask_read(g->c->main, group->number, block, opened.payload, opened.len, nrows, dead);
		for (uint32 row = 0; row < nrows; row++)
		{
			int64 bit;

			if ((dead[row / 64] >> row % 64 & 1) == 0)
				continue;
			bit = ec_reader_row_number(reader, block * EC_BLOCK_ROWS + row) - holder->first;
			holder->bits[bit / 64] &= ~(UINT64CONST(1) << bit % 64);
		}
	}
}

static bool
has_masks(const Gone *g, int64 group)
{
	Size at = ec_survey_find(&g->survey->masks, EC_MASK_NUMBER(group, 0));

	return at < g->survey->masks.n &&
		   g->survey->masks.rows[at].number < EC_MASK_NUMBER(group + 1, 0);
}

static void
set_bits(Gone *g, EcReader *reader, Holder *holder)
{
	for (uint32 row = 0; row < ec_reader_group(reader)->nrows; row++)
	{
		int64 bit = ec_reader_row_number(reader, row) - holder->first;

		if (bit < 0 || bit >= holder->end - holder->first)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("row numbers of row group " INT64_FORMAT
							" of table \"%s\" lie outside of its range",
							ec_reader_group(reader)->number, RelationGetRelationName(g->c->main))));
		holder->bits[bit / 64] |= UINT64CONST(1) << bit % 64;
	}
	drop_masked(g, reader, holder);
}

/* A group's rows one by one, unless they are scattered too widely for that. */
static void
add_bits(Gone *g, const EcDescriptor *desc, ItemPointer tid)
{
	EcReaderPick pick = {.number = desc->number, .tid = *tid};
	int64 first = desc->ranges[0].first;
	int64 span =
		desc->ranges[desc->nranges - 1].first + desc->ranges[desc->nranges - 1].count - first;
	Holder *holder = add_holder(g, first, span);
	EcReader *reader;

	if (span > (int64) desc->nrows * 64)
		return;
	holder->bits = palloc_extended(((Size) span + 63) / 64 * sizeof(uint64),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	reader = ec_reader_begin_groups(g->c->main, &pick, 1, CurrentMemoryContext);
	if (!ec_reader_next_group(reader))
		elog(ERROR, "row group " INT64_FORMAT " is gone", desc->number);
	set_bits(g, reader, holder);
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
			add_bits(g, &desc, &tuple->t_self);
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

static bool
is_dead(HeapTuple tuple, Buffer buffer, TransactionId oldest_xmin)
{
	HTSV_Result state;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	state = HeapTupleSatisfiesVacuum(tuple, oldest_xmin, buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return state == HEAPTUPLE_DEAD;
}

static void
load_holders(Gone *g)
{
	TransactionId oldest_xmin = GetOldestNonRemovableTransactionId(g->c->heap);
	MemoryContext old;
	TableScanDesc scan;
	HeapTuple tuple;

	g->changes = count_changes(g->c->main);
	g->loads++;
	MemoryContextReset(g->context);
	g->holders = NULL;
	g->n = g->capacity = 0;
	old = MemoryContextSwitchTo(g->context);
	g->survey = ec_survey(g->c, oldest_xmin);
	scan = table_beginscan_strat(g->c->heap, SnapshotAny, 0, NULL, true, false);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_dead(tuple, ((HeapScanDesc) scan)->rs_cbuf, oldest_xmin))
			add_tuple(g, tuple);
	}
	table_endscan(scan);
	sort_holders(g);
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------------------
 * Entries
 * ------------------------------------------------------------------------
 */

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
		const Holder *holder = &g->holders[low];
		int64 bit = number - holder->first;

		if (number < holder->end &&
			(holder->bits == NULL || (holder->bits[bit / 64] >> bit % 64 & 1) != 0))
			return true;
	}
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

/* Called by the index for each entry: may it go? */
static bool
is_gone(ItemPointer tid, void *arg)
{
	Gone *g = arg;
	int64 number = ec_tid_to_row(tid);
	Size at;

	if (ec_survey_has(&g->survey->tombstones, number, &at))
		return true;
	if (number < 0 || is_held(g, number) || has_tuple(g, number))
		return false;
	while (count_changes(g->c->main) != g->changes)
	{
		if (g->loads >= LOADS_MAX)
			return false;
		load_holders(g);
		if (is_held(g, number))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------
 * Indexes
 * ------------------------------------------------------------------------
 */

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
	if (g != NULL)
	{
		info.estimated_count = true;
		stats = index_bulk_delete(&info, stats, is_gone, g);
	}
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

void
ec_vacuum_indexes(Relation rel, EcCompanion *c, VacuumParams *params, BufferAccessStrategy strategy,
				  double rows)
{
	bool pass = worth_a_pass(rel, params, rows);
	Gone gone = {.c = c};
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
			load_holders(&gone);
		for (int i = 0; i < nindexes; i++)
			vacuum_index(rel, indexes[i], pass ? &gone : NULL, strategy, rows);
		MemoryContextDelete(gone.context);
	}
	vac_close_indexes(nindexes, indexes, NoLock);
}
