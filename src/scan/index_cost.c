/*
 * index_cost.c
 *	  What index and bitmap heap scans of columnar tables are expected to cost.
 *
 * Core prices them as if rows stood in pages: a random page for each row, at most
 * all pages of the (small) table.  Here a row costs its look-up, its columns' values,
 * and the pieces (a block of one column) that have to be opened for it and are then
 * kept (store/opened.h) as long as they fit.  So the part of the index is core's,
 * that of the table is ours.
 *
 * BRIN indexes of columnar tables are empty and must never be used.  Before 18 a
 * bitmap heap scan prefetches pages that the tids name, which store/utility.c
 * prevents where a query starts, but not where EvalPlanQual starts its sub-queries
 * afresh.  That fails only if those pages are beyond the first segment of the file.
 */
#include "postgres.h"

#include <math.h>

#include "access/amapi.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/plancat.h"
#include "utils/rel.h"
#include "utils/spccache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "scan/plan.h"
#include "store/page.h"
#include "store/tid.h"
#include "store/writer.h"

/*
 * Costs in operator calls, besides what core charges for any row: finding a row,
 * reading a value of it, jumping to another place for a value, opening a piece (a
 * block, and what a row of it needs of the dictionary): any, and a full one's rows.
 */
#define FETCH_ROW_COST 1.0
#define READ_VALUE_COST 2.5
#define JUMP_COST 16.0
#define OPEN_PIECE_COST 100.0
#define OPEN_ROWS_COST 700.0

/* Share of the pieces that fit into the cache which an earlier statement has left there. */
#define PIECES_LEFT 0.5

/* Memory of an opened piece and its part of the dictionary, for each value. */
#define PIECE_VALUE_BYTES 2.3

/* What was opened lies so long in a ring (store/opened_ring.c); after that it is opened once more to be kept. */
#define RING_BYTES (1024.0 * 1024.0)

#define SEGMENT_BLOCKS ((int64) RELSEG_SIZE)

static get_relation_info_hook_type previous_hook = NULL;

/* What all prices of a relation's paths depend on. */
typedef struct Pricing
{
	PlannerInfo *root;
	RelOptInfo *rel;
	double blocks;	 /* of rows */
	double fullness; /* of a block */
	int columns;	 /* read of each row */
	int natts;
	double page_cost;
} Pricing;

/* ------------------------------------------------------------------------
 * Prices
 * ------------------------------------------------------------------------
 */

/* How often an inner scan is repeated: as core's get_loop_count, by its smallest outer relation. */
static double
loop_count(PlannerInfo *root, Relids outer)
{
	double result = 0;
	int i = -1;

	while ((i = bms_next_member(outer, i)) >= 0)
	{
		RelOptInfo *rel = i < root->simple_rel_array_size ? root->simple_rel_array[i] : NULL;

		if (rel == NULL || IS_DUMMY_REL(rel))
			continue;
		if (result == 0 || rel->rows < result)
			result = rel->rows;
	}
	return Max(result, 1.0);
}

/*
 * How many blocks random rows open of one column: each block that has one of them, and
 * again each that has a second one, if what was opened in between is too much.
 */
static double
blocks_opened(const Pricing *p, double rows, double piece_bytes)
{
	double none = pow(1 - 1 / p->blocks, rows);
	double one = p->blocks > 1 ? rows / p->blocks * pow(1 - 1 / p->blocks, rows - 1) : 0;
	double opened = p->blocks * (1 - none);

	if (p->blocks * p->columns * piece_bytes > RING_BYTES)
		opened += p->blocks * Max(1 - none - one, 0);
	return opened;
}

/*
 * The rows' share of the costs of one scan out of loops, each of which fetches
 * "rows" rows: in the order in which they are stored (bitmaps), or by an index whose
 * order is that one as far as correlation says.
 */
static Cost
rows_cost(const Pricing *p, double rows, double loops, bool sorted, double correlation)
{
	double all = rows * loops;
	double in_order = Max(all / Max(p->rel->tuples, 1.0) * p->blocks, 1.0);
	double random = p->blocks * (1 - pow(1 - 1 / p->blocks, all));
	double piece_bytes = PIECE_VALUE_BYTES * EC_BLOCK_ROWS * p->fullness;
	double kept = ec_guc_fetch_cache * 1024.0 / (piece_bytes * Max(p->columns, 1)) / p->blocks;
	double followed = correlation * correlation;
	double jumps = sorted ? random : followed * in_order + (1 - followed) * all;
	double opened;
	Cost piece_cost;

	/* what doesn't fit is opened again and again */
	if (!sorted)
		random = blocks_opened(p, all, piece_bytes);
	if (kept < 1 && !sorted)
		random += Max(all - random, 0) * (1 - kept);
	opened = followed * Min(in_order, p->blocks) + (1 - followed) * random;
	piece_cost = (1 - PIECES_LEFT * Min(kept, 1.0)) *
				 ((OPEN_PIECE_COST + OPEN_ROWS_COST * p->fullness) * cpu_operator_cost +
				  p->page_cost * p->rel->pages / (p->blocks * Max(p->natts, 1)));
	return rows * (FETCH_ROW_COST + p->columns * READ_VALUE_COST) * cpu_operator_cost +
		   p->columns / loops * (jumps * JUMP_COST * cpu_operator_cost + opened * piece_cost);
}

static double
index_correlation(PlannerInfo *root, IndexPath *path, double loops)
{
	amcostestimate_function estimate = (amcostestimate_function) path->indexinfo->amcostestimate;
	Cost startup;
	Cost total;
	Selectivity selectivity;
	double correlation;
	double pages;

	estimate(root, path, loops, &startup, &total, &selectivity, &correlation, &pages);
	return correlation;
}

static void
price_index_path(Pricing *p, IndexPath *index, bool partial)
{
	Path *path = &index->path;
	BlockNumber pages = p->rel->pages;
	double loops = loop_count(p->root, PATH_REQ_OUTER(path));
	double rows = clamp_row_est(index->indexselectivity * p->rel->tuples);
	Pricing visibility = *p;
	Cost cost;

	/* an index-only scan asks for visibility, and reads nothing */
	visibility.columns = 0;
	cost = rows_cost(path->pathtype == T_IndexOnlyScan ? &visibility : p, rows, loops, false,
					 index_correlation(p->root, index, loops));
	if (partial)
	{
		/* its pages have also decided on its workers */
		path->total_cost += cost / (path->parallel_workers + 1);
		return;
	}
	p->rel->pages = 1;
	cost_index(index, p->root, loops, false);
	p->rel->pages = pages;
	path->total_cost += cost;
}

static void
price_bitmap_path(Pricing *p, BitmapHeapPath *bitmap, bool partial)
{
	Path *path = &bitmap->path;
	BlockNumber pages = p->rel->pages;
	double loops = loop_count(p->root, PATH_REQ_OUTER(path));
	Selectivity selectivity;
	Cost unused;
	Cost cost;

	cost_bitmap_tree_node(bitmap->bitmapqual, &unused, &selectivity);
	cost = rows_cost(p, clamp_row_est(selectivity * p->rel->tuples), loops, true, 0.0);
	if (partial)
	{
		path->total_cost += cost / (path->parallel_workers + 1);
		return;
	}
	p->rel->pages = 1;
	cost_bitmap_heap_scan(path, p->root, p->rel, path->param_info, bitmap->bitmapqual, loops);
	p->rel->pages = pages;
	path->total_cost += cost;
}

static void
price_path(Pricing *p, Path *path, bool partial)
{
	if (IsA(path, IndexPath))
		price_index_path(p, (IndexPath *) path, partial);
	else if (IsA(path, BitmapHeapPath))
		price_bitmap_path(p, (BitmapHeapPath *) path, partial);
}

/* ------------------------------------------------------------------------
 * Paths
 * ------------------------------------------------------------------------
 */

/* Columns of a row that will be read. */
static int
columns_read(Relation relation, Bitmapset *attrs)
{
	int count = 0;
	int i = -1;

	if (bms_is_member(-FirstLowInvalidHeapAttributeNumber, attrs))
		return RelationGetNumberOfAttributes(relation);
	while ((i = bms_next_member(attrs, i)) >= 0)
		count += i + FirstLowInvalidHeapAttributeNumber > 0;
	return count;
}

/*
 * Where a parent doesn't mind, core lets index scans return all columns, which for a
 * heap is no work.  It doesn't if a system column is wanted, so we say that ctid is.
 */
static void
return_few_columns(RelOptInfo *rel)
{
	Relids *needed = &rel->attr_needed[SelfItemPointerAttributeNumber - rel->min_attr];

	if (rel->reloptkind == RELOPT_BASEREL)
		*needed = bms_add_member(*needed, 0);
}

/* May EvalPlanQual start this query afresh, where nobody stops its prefetching? */
static bool
prefetches_unseen(PlannerInfo *root, Relation relation)
{
	EcDiskMeta meta;

	if (EC_COMPAT_BITMAP_BY_TUPLE || root->parent_root == NULL)
		return false;
	while (root->parent_root != NULL)
		root = root->parent_root;
	return (root->parse->commandType != CMD_SELECT || root->parse->rowMarks != NIL) &&
		   ec_meta_read(relation, &meta) && meta.next_row > SEGMENT_BLOCKS * EC_TID_ROWS_PER_BLOCK;
}

void
ec_scan_price_index_paths(PlannerInfo *root, RelOptInfo *rel, Relation relation, Bitmapset *attrs)
{
	Pricing p = {
		.root = root,
		.rel = rel,
		.columns = columns_read(relation, attrs),
		.natts = RelationGetNumberOfAttributes(relation),
	};
	bool no_bitmaps = prefetches_unseen(root, relation);
	List *paths = rel->pathlist;
	ListCell *lc;

	return_few_columns(rel);
	p.blocks = ceil(Max(rel->tuples, 1.0) / Min(EC_BLOCK_ROWS, ec_store_row_group_rows(relation)));
	p.fullness = Min(rel->tuples / p.blocks / EC_BLOCK_ROWS, 1.0);
	get_tablespace_page_costs(rel->reltablespace, NULL, &p.page_cost);

	/* add_path compares with what was priced before it */
	rel->pathlist = NIL;
	foreach (lc, paths)
	{
		Path *path = lfirst(lc);

		if (no_bitmaps && IsA(path, BitmapHeapPath))
			continue;
		price_path(&p, path, false);
		add_path(rel, path);
	}
	paths = rel->partial_pathlist;
	rel->partial_pathlist = NIL;
	foreach (lc, paths)
	{
		Path *path = lfirst(lc);

		if (no_bitmaps && IsA(path, BitmapHeapPath))
			continue;
		price_path(&p, path, true);
		add_partial_path(rel, path);
	}
}

/* ------------------------------------------------------------------------
 * Indexes that must not be used
 * ------------------------------------------------------------------------
 */

static void
relation_info_hook(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel)
{
	Relation relation;
	ListCell *lc;

	if (previous_hook != NULL)
		previous_hook(root, relid, inhparent, rel);
	if (rel->indexlist == NIL)
		return;
	relation = table_open(relid, NoLock);
	if (ec_store_is_columnar(relation))
	{
		foreach (lc, rel->indexlist)
			if (lfirst_node(IndexOptInfo, lc)->relam == BRIN_AM_OID)
				rel->indexlist = foreach_delete_current(rel->indexlist, lc);
	}
	table_close(relation, NoLock);
}

void
ec_index_cost_init(void)
{
	previous_hook = get_relation_info_hook;
	get_relation_info_hook = relation_info_hook;
}
