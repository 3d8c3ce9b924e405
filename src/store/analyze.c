/*
 * analyze.c
 *	  Sampling for ANALYZE, and size estimates for the planner.
 *
 * ANALYZE picks random blocks of the main fork and expects their rows.  A block of
 * ours holds no whole rows, so block b of n stands for the b-th n-th of the rows:
 * all of them count as live, and a few at random are returned.  What is
 * decoded stays bounded: of a large table only SAMPLE_BLOCKS blocks of rows, chosen
 * evenly over the table, stand for all.
 *
 * Rows that tombstones or masks hide are told as dead, as those of a heap are, so
 * that autovacuum knows of them; the sample passes over them.  So are the copies of
 * rows in row groups that compaction has replaced, as long as their pages are many:
 * autovacuum frees those when it comes again, and would not, as ANALYZE's figure
 * replaces what VACUUM has left; and so, once more, are all rows if those on their own
 * take much of the table's space, since autovacuum makes row groups of them.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relscan.h"
#include "commands/vacuum.h"
#include "common/pg_prng.h"
#include "optimizer/plancat.h"
#include "storage/bufmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/guc.h"
#include "store/catalog.h"
#include "store/companion.h"
#include "store/list.h"
#include "store/mask.h"
#include "store/page.h"
#include "store/reader_internal.h"
#include "store/store.h"
#include "store/tableam.h"

#define SAMPLE_BLOCKS 512

/* So many pages without rows, and such a part of all, are worth a VACUUM. */
#define UNUSED_PAGES_MIN 256
#define UNUSED_FRACTION 3
#define DELTA_PAGES_MIN 1024

/* More of them if they are that small. */
#define SAMPLE_BLOCKS_MAX 16384

/* How often a hidden row is exchanged for another one of its part. */
#define SAMPLE_TRIES 8

/* ANALYZE wants this many rows per unit of statistics target. */
#define ROWS_PER_TARGET 300

/* Up to so many descriptor pages are counted exactly at each planning. */
#define EXACT_COUNT_PAGES 64

/* Row groups and masks are added up while there are so many of them at most. */
#define EXACT_COUNT_TUPLES 256

/* A block of rows in the sample. */
typedef struct SampleBlock
{
	uint32 group;
	uint32 first_row; /* within the group */
	uint32 nrows;
	int64 start; /* rows of the sample before it */
} SampleBlock;

struct EcAnalyze
{
	Snapshot snapshot;
	EcRowScan *rows;
	SampleBlock *blocks;
	uint32 nblocks;
	int64 total_rows;  /* of the table, hidden ones too */
	int64 dead_rows;   /* the hidden ones */
	int64 copies;	   /* of rows, in pages that are needed no more */
	int64 sample_rows; /* of the blocks */
	BlockNumber relation_blocks;
	int64 wanted; /* rows to return for each block of the relation */
	uint32 place; /* block where the last row was found */

	/* the relation's block in work */
	int64 first;
	int64 end; /* rows of the sample that belong to it */
	int64 step;
	int64 nsteps;
	int64 live; /* rows of the table that it stands for */
	int64 dead;
	int64 dead_copies;
};

/* For ecinsight.debug_heap_plans: the rows of the table that this backend has analyzed last. */
static struct
{
	RelFileLocator locator;
	double rows;
} analyzed;

static int64
rows_wanted(Relation rel)
{
	int target = default_statistics_target;
	TupleDesc tupdesc = RelationGetDescr(rel);

	for (int i = 0; i < tupdesc->natts; i++)
		target = Max(target, ec_compat_attstattarget(TupleDescAttr(tupdesc, i)));
	return (int64) target * ROWS_PER_TARGET;
}

static int64
entry_blocks(const EcListEntry *entry)
{
	return (entry->nrows + EC_BLOCK_ROWS - 1) / EC_BLOCK_ROWS;
}

/* How many blocks of rows are enough; small ones have to be more. */
static int64
sample_size(EcAnalyze *an, int64 total, int64 wanted)
{
	double per_block = (double) an->total_rows / Max(total, 1);
	double blocks = Max(SAMPLE_BLOCKS, 2 * wanted / Max(per_block, 1));

	return (int64) Min(total, Min(blocks, SAMPLE_BLOCKS_MAX));
}

/* Every stride-th block of rows, from a random start. */
static void
choose_blocks(EcAnalyze *an, int64 wanted)
{
	const EcList *list = ec_rowscan_reader(an->rows)->list;
	int64 total = 0;
	int64 seen = 0;
	int64 size;
	double stride;
	double next;

	for (uint32 i = 0; i < list->nentries; i++)
		total += entry_blocks(&list->entries[i]);
	an->total_rows = list->nrows;
	an->dead_rows = Min(list->nrows, (int64) list->ndead + list->nmasked);
	size = sample_size(an, total, wanted);
	an->blocks = palloc((size + 1) * sizeof(SampleBlock));
	stride = (double) total / Max(size, 1);
	next = floor(pg_prng_double(&pg_global_prng_state) * stride);
	for (uint32 i = 0; i < list->nentries; i++)
	{
		for (uint32 row = 0; row < list->entries[i].nrows; row += EC_BLOCK_ROWS, seen++)
		{
			SampleBlock *block = &an->blocks[an->nblocks];

			if (seen < (int64) next || an->nblocks > size)
				continue;
			next += stride;
			block->group = i;
			block->first_row = row;
			block->nrows = Min(EC_BLOCK_ROWS, list->entries[i].nrows - row);
			block->start = an->sample_rows;
			an->sample_rows += block->nrows;
			an->nblocks++;
		}
	}
}

static bool
many_unused(int64 unused, int64 pages)
{
	return unused > UNUSED_PAGES_MIN && unused > pages / UNUSED_FRACTION;
}

/* Rows on their own take ten times the space that they will take in row groups. */
static bool
many_deltas(const EcList *list, int64 pages)
{
	int64 delta_pages = (int64) (list->delta_bytes / BLCKSZ);

	return delta_pages > DELTA_PAGES_MIN && delta_pages > pages / UNUSED_FRACTION;
}

/* Only if it is worth a VACUUM; of the companion a third may always be empty. */
static void
count_copies(EcAnalyze *an)
{
	const EcList *list = ec_rowscan_reader(an->rows)->list;
	int64 pages = (int64) an->relation_blocks - 1;

	if (many_unused(pages - list->extent_pages, pages) ||
		many_unused((int64) list->npages - (int64) (list->live_bytes * 3 / 2 / BLCKSZ),
					(int64) list->npages) ||
		many_deltas(list, pages))
		an->copies = list->nrows;
}

void
ec_analyze_begin(EcTableScan *scan)
{
	EcAnalyze *an = palloc0(sizeof(EcAnalyze));
	Relation rel = scan->base.rs_rd;
	int64 wanted = rows_wanted(rel);

	an->snapshot =
		RegisterSnapshot(ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot());
	an->rows = ec_rowscan_begin(rel, an->snapshot, NULL, NULL);
	an->relation_blocks = RelationGetNumberOfBlocks(rel);
	choose_blocks(an, wanted);
	count_copies(an);
	analyzed.locator = rel->rd_locator;
	analyzed.rows = (double) (an->total_rows - an->dead_rows);

	/* twice what ANALYZE takes, so that it has a choice */
	an->wanted = 2 * (wanted / Max(1, Min(wanted, an->relation_blocks)) + 1);
	scan->analyze = an;
}

void
ec_analyze_end(EcTableScan *scan)
{
	ec_rowscan_end(scan->analyze->rows);
	UnregisterSnapshot(scan->analyze->snapshot);
	pfree(scan->analyze->blocks);
	pfree(scan->analyze);
}

/* x * y / z without overflow. */
static int64
share(int64 x, int64 y, int64 z)
{
	return (int64) ((int128) x * y / z);
}

void
ec_analyze_block(EcTableScan *scan, BlockNumber block)
{
	EcAnalyze *an = scan->analyze;
	int64 n = Max(an->relation_blocks, block + 1);

	an->first = share(an->sample_rows, block, n);
	an->end = share(an->sample_rows, (int64) block + 1, n);
	an->step = 0;
	an->nsteps = Min(an->wanted, an->end - an->first);
	an->dead = share(an->dead_rows, (int64) block + 1, n) - share(an->dead_rows, block, n);
	an->dead_copies = share(an->copies, (int64) block + 1, n) - share(an->copies, block, n);
	an->live =
		share(an->total_rows, (int64) block + 1, n) - share(an->total_rows, block, n) - an->dead;
}

/* False if the row is hidden. */
static bool
store_sample_row(EcAnalyze *an, int64 row, TupleTableSlot *slot)
{
	const SampleBlock *block;

	if (an->place >= an->nblocks || row < an->blocks[an->place].start)
		an->place = 0;
	while (row >= an->blocks[an->place].start + an->blocks[an->place].nrows)
		an->place++;
	block = &an->blocks[an->place];
	return ec_rowscan_store_live(an->rows, block->group,
								 block->first_row + (uint32) (row - block->start), slot);
}

/* One row of those in [low, high), if one is found that isn't hidden. */
static bool
store_one_of(EcAnalyze *an, int64 low, int64 high, TupleTableSlot *slot)
{
	for (int tries = 0; tries < SAMPLE_TRIES && low < high; tries++)
	{
		if (store_sample_row(
				an, low + (int64) (pg_prng_double(&pg_global_prng_state) * (high - low)), slot))
			return true;
	}
	return false;
}

bool
ec_analyze_tuple(EcTableScan *scan, double *liverows, double *deadrows, TupleTableSlot *slot)
{
	EcAnalyze *an = scan->analyze;
	int64 rows = an->end - an->first;

	*liverows += an->live;
	*deadrows += an->dead + an->dead_copies;
	an->live = an->dead = an->dead_copies = 0;

	/* one at random of each nsteps-th part, so that rows come in order */
	while (an->step < an->nsteps)
	{
		int64 low = an->first + share(rows, an->step, an->nsteps);
		int64 high = an->first + share(rows, an->step + 1, an->nsteps);

		an->step++;
		if (store_one_of(an, low, high, slot))
			return true;
	}
	ExecClearTuple(slot);
	return false;
}

/* ------------------------------------------------------------------------
 * Planner
 * ------------------------------------------------------------------------
 */

/*
 * The rows that tuples of a kind speak of: those of row groups, or masked ones.  Some
 * of these tuples speak of very many, so a sample would tell little.  -1: they are too
 * many themselves.
 */
static double
sum_of_kind(EcCompanion *c, EcCatalogKind kind)
{
	EcCatalogTuple opened;
	HeapTuple tuple;
	double rows = 0;
	int count = 0;

	ec_companion_search_from(c, kind, 0);
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		EcDiskDescriptor disk = {0};

		if (++count > EXACT_COUNT_TUPLES)
			return -1;
		if (!ec_companion_sees(c, tuple, SnapshotSelf))
			continue;
		memcpy(&disk, opened.payload, Min(opened.len, sizeof(disk)));
		rows += kind == EC_CATALOG_GROUP
					? disk.nrows
					: ec_mask_count(c->main, opened.number, opened.payload, opened.len);
	}
	return rows;
}

/* Row groups of a sample's, by what their pages hold. */
static double
extrapolate_groups(Relation rel, const EcList *sample, BlockNumber main_pages, double share)
{
	double rows = (double) (sample->nrows - sample->extent_rows - sample->ndelta) * share;

	if (sample->extent_pages > 0)
		rows += (double) sample->extent_rows / sample->extent_pages * main_pages;
	else if (rel->rd_rel->reltuples >= 0 && rel->rd_rel->relpages > 1 && main_pages > 1)
		rows += (double) rel->rd_rel->reltuples / rel->rd_rel->relpages * main_pages;
	return rows;
}

/* Rows of a table whose companion is too large to be counted: what a few of its pages tell. */
static double
extrapolate_rows(Relation rel, const EcList *sample, BlockNumber main_pages,
				 BlockNumber catalog_pages)
{
	double share = (double) catalog_pages / Max(sample->npages, 1);
	double grouped;
	double masked;
	double rows;
	EcCompanion c;
	EcDiskMeta meta;

	if (!ec_companion_open(rel, AccessShareLock, &c))
		return 0;
	grouped = sum_of_kind(&c, EC_CATALOG_GROUP);
	masked = sum_of_kind(&c, EC_CATALOG_MASK);
	ec_companion_close(&c);
	if (grouped < 0)
		grouped = extrapolate_groups(rel, sample, main_pages, share);
	if (masked < 0)
		masked = (double) sample->nmasked * share;
	rows = grouped - masked + ((double) sample->ndelta - (double) sample->ndead) * share;

	/* there are no more rows than numbers were ever used */
	if (ec_meta_read(rel, &meta))
		rows = Min(rows, (double) meta.next_row);
	return Max(rint(rows), 0);
}

static double
estimate_rows(Relation rel, BlockNumber main_pages, BlockNumber catalog_pages)
{
	EcList *list = ec_list_count(rel, SnapshotSelf, EXACT_COUNT_PAGES);
	double rows;

	if (catalog_pages <= EXACT_COUNT_PAGES)
		rows = (double) Max(list->nrows - (int64) list->ndead - list->nmasked, 0);
	else
		rows = extrapolate_rows(rel, list, main_pages, catalog_pages);
	ec_list_end(list);
	return rows;
}

static int64
statistic(PGFunction function, Relation rel)
{
	return DatumGetInt64(DirectFunctionCall1(function, ObjectIdGetDatum(RelationGetRelid(rel))));
}

/* Has the table ever been vacuumed?  Core resets relallvisible, as it finds no visibility map. */
static bool
was_vacuumed(Relation rel)
{
	return statistic(pg_stat_get_vacuum_count, rel) > 0 ||
		   statistic(pg_stat_get_autovacuum_count, rel) > 0;
}

/*
 * What ANALYZE told, or a test wrote over it, holds while the table hasn't changed.
 * Statistics come late, and don't know yet what this transaction did; that counts if it
 * also made the table.
 */
static bool
unchanged_since_analyze(Relation rel, double rows)
{
	int64 live;

	if (rel->rd_rel->reltuples > 0 && analyzed.rows == rows &&
		RelFileLocatorEquals(analyzed.locator, rel->rd_locator))
		return true;
	if (rel->rd_rel->reltuples <= 0 || statistic(pg_stat_get_mod_since_analyze, rel) != 0)
		return false;
	live = statistic(pg_stat_get_live_tuples, rel);
	if (rel->rd_createSubid != InvalidSubTransactionId)
		live += statistic(pg_stat_get_xact_tuples_inserted, rel) -
				statistic(pg_stat_get_xact_tuples_deleted, rel);
	return live == (int64) rows;
}

/*
 * For ecinsight.debug_heap_plans: what heap's estimate (see
 * table_block_relation_estimate_size) would be for as many rows.
 */
static void
estimate_as_heap(Relation rel, double rows, int32 *attr_widths, BlockNumber *pages, double *tuples,
				 double *allvisfrac)
{
	int32 width = get_rel_data_width(rel, attr_widths);
	int32 overhead = MAXALIGN(SizeofHeapTupleHeader) + sizeof(ItemIdData);
	int32 usable = BLCKSZ - SizeOfPageHeaderData;
	int fillfactor = RelationGetFillFactor(rel, HEAP_DEFAULT_FILLFACTOR);
	int32 filled = usable - BLCKSZ * (100 - fillfactor) / 100;
	bool known = rel->rd_rel->reltuples >= 0;

	*pages = (BlockNumber) ceil(rows / Max(1, filled / (MAXALIGN(width) + overhead)));
	if (*pages < 10 && !known && !rel->rd_rel->relhassubclass)
		*pages = 10;
	if (known && unchanged_since_analyze(rel, rows))
		*tuples = rel->rd_rel->reltuples;
	else if (known && rel->rd_rel->reltuples > 0)
		*tuples = rows;
	else
		*tuples = rint(ec_compat_heap_density(usable, fillfactor, width + overhead) * *pages);
	*allvisfrac = *pages > 0 && was_vacuumed(rel) ? 1 : 0;
}

void
ec_estimate_size(Relation rel, int32 *attr_widths, BlockNumber *pages, double *tuples,
				 double *allvisfrac)
{
	BlockNumber main_pages = RelationGetNumberOfBlocks(rel);
	BlockNumber catalog_pages = ec_catalog_pages(rel);

	*tuples = main_pages == 0 ? 0 : estimate_rows(rel, main_pages, catalog_pages);
	if (ec_guc_debug_heap_plans)
	{
		estimate_as_heap(rel, *tuples, attr_widths, pages, tuples, allvisfrac);
		return;
	}
	if (attr_widths != NULL)
		get_rel_data_width(rel, attr_widths);
	*pages = main_pages + catalog_pages;
	*allvisfrac = 0;
}
