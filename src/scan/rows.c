/*
 * rows.c
 *	  Which row groups, blocks and rows of a scan qualify.
 *
 * A group or block is skipped if some clause's predicate is true for none of its
 * rows.  Zones are asked first, for the whole chunk and then for each block; they
 * lie in the chunk's header.  Then a chunk's dictionary, which filtering its
 * blocks would need anyhow.  A predicate known to be true for all rows isn't
 * evaluated again.  Deleted rows never qualify; that a zone or a dictionary still
 * speaks of them only means that a block is read in vain.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "catalog/pg_type.h"
#include "executor/instrument.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "scan/state.h"

typedef EcTruth (*LeafTest)(EcScanState *scan, EcLeaf *leaf, uint32 block);

static EcTruth
pred_truth(EcScanState *scan, EcPred *pred, uint32 block, LeafTest test)
{
	bool is_and = pred->type == EC_PRED_AND;
	EcTruth result = is_and ? EC_TRUTH_ALL : EC_TRUTH_NONE;

	if (pred->type == EC_PRED_LEAF)
		return test(scan, pred->leaf, block);
	check_stack_depth();
	for (int i = 0; i < pred->nargs; i++)
	{
		EcTruth truth = pred_truth(scan, pred->args[i], block, test);

		result = is_and ? Min(result, truth) : Max(result, truth);
	}
	return result;
}

static EcTruth
zone_test(EcScanState *scan, EcLeaf *leaf, uint32 block)
{
	EcZone zone = {0};
	EcKind kind;
	int32 scale;

	if (!ec_reader_zone(scan->reader, leaf->attidx, block, &zone, &kind, &scale) &&
		(zone.nrows == 0 || zone.nnulls < zone.nrows))
		return EC_TRUTH_SOME;
	return ec_leaf_zone(leaf, &zone, kind, scale);
}

/*
 * All values of a chunk that has a dictionary are in it, so a leaf that is true
 * for no entry can only be true for NULLs.
 */
static EcTruth
dict_test(EcScanState *scan, EcLeaf *leaf, uint32 block)
{
	EcTruth truth = zone_test(scan, leaf, block);
	const EcVector *dict;
	int32 scale;

	if (truth != EC_TRUTH_SOME || leaf->nulls ||
		(leaf->kind != EC_KIND_TEXT && leaf->kind != EC_KIND_UUID) ||
		ec_reader_kind(scan->reader, leaf->attidx, &scale) != leaf->kind)
		return truth;
	dict = ec_reader_dict(scan->reader, leaf->attidx);
	return dict == NULL || ec_leaf_match_any(leaf, dict) ? truth : EC_TRUTH_NONE;
}

/* Makes the leaf ready for the current group; stops the visit if it can't be used there. */
static bool
leaf_unusable(EcLeaf *leaf, void *arg)
{
	EcScanState *scan = arg;
	EcZone zone;
	int32 scale;
	EcKind kind = ec_reader_kind(scan->reader, leaf->attidx, &scale);

	if (!ec_leaf_reads_kind(leaf, kind))
		return true;
	ec_leaf_set_scale(leaf, scale);

	/*
	 * A chunk of what was an oid column may hold values that int4 wraps round.  Such
	 * a chunk tells no zone.
	 */
	return leaf->vartype == INT4OID &&
		   !ec_reader_zone(scan->reader, leaf->attidx, EC_ZONE_CHUNK, &zone, &kind, &scale) &&
		   zone.nnulls < zone.nrows;
}

static bool
group_may_qualify(EcScanState *scan, LeafTest test)
{
	for (int i = 0; i < scan->nclauses; i++)
	{
		EcScanClause *clause = &scan->clauses[i];

		if (!clause->by_vector || clause->group_truth == EC_TRUTH_ALL)
			continue;
		clause->group_truth = pred_truth(scan, clause->pred, EC_ZONE_CHUNK, test);
		if (clause->group_truth == EC_TRUTH_NONE)
			return false;
	}
	return true;
}

/* Turns to the reader's current group; false if none of its rows can qualify. */
bool
ec_scan_enter_group(EcScanState *scan)
{
	MemoryContextReset(scan->group);
	for (int i = 0; i < scan->ncolumns; i++)
	{
		scan->columns[i].vector = NULL;
		scan->columns[i].dict_datums = NULL;
	}
	scan->nrow_clauses = 0;
	for (int i = 0; i < scan->nclauses; i++)
	{
		EcScanClause *clause = &scan->clauses[i];

		clause->memo = NULL;
		clause->group_truth = EC_TRUTH_SOME;
		clause->by_vector =
			clause->pred != NULL && !ec_pred_visit(clause->pred, leaf_unusable, scan);
		if (!clause->by_vector)
			scan->row_clauses[scan->nrow_clauses++] = clause;
	}
	if (group_may_qualify(scan, zone_test) && group_may_qualify(scan, dict_test))
	{
		scan->counts.groups_read++;
		return true;
	}
	scan->counts.groups_skipped++;
	return false;
}

static void
filter_rows(EcScanState *scan, EcPred *pred, uint64 *rows)
{
	Size nwords = EC_VALIDITY_WORDS(scan->block_rows);
	uint64 found[EC_ROW_WORDS];
	uint64 rest[EC_ROW_WORDS];

	if (pred->type == EC_PRED_LEAF)
	{
		ec_leaf_filter(pred->leaf, ec_scan_vector(scan, scan->column_of[pred->leaf->attidx]), rows);
		return;
	}
	check_stack_depth();
	if (pred->type == EC_PRED_AND)
	{
		for (int i = 0; i < pred->nargs; i++)
			filter_rows(scan, pred->args[i], rows);
		return;
	}
	memset(found, 0, nwords * sizeof(uint64));
	for (int i = 0; i < pred->nargs; i++)
	{
		for (Size w = 0; w < nwords; w++)
			rest[w] = rows[w] & ~found[w];
		filter_rows(scan, pred->args[i], rest);
		for (Size w = 0; w < nwords; w++)
			found[w] |= rest[w];
	}
	memcpy(rows, found, nwords * sizeof(uint64));
}

static uint32
count_rows(EcScanState *scan)
{
	uint32 n = 0;

	for (Size w = 0; w < EC_VALIDITY_WORDS(scan->block_rows); w++)
		n += pg_popcount64(scan->rows[w]);
	return n;
}

/* Starts with the rows that are not deleted; returns their number. */
static uint32
select_live(EcScanState *scan)
{
	Size nwords = EC_VALIDITY_WORDS(scan->block_rows);
	uint32 nlive;
	const uint64 *live = ec_reader_live(scan->reader, scan->block, &nlive);

	if (live != NULL)
	{
		memcpy(scan->rows, live, nwords * sizeof(uint64));
		return nlive;
	}
	memset(scan->rows, 0xff, nwords * sizeof(uint64));
	if (scan->block_rows % 64 != 0)
		scan->rows[nwords - 1] = (UINT64CONST(1) << scan->block_rows % 64) - 1;
	return nlive;
}

/* What the block's zones say of each clause; false if one of them is true for no row. */
static bool
block_may_qualify(EcScanState *scan)
{
	for (int i = 0; i < scan->nclauses; i++)
	{
		EcScanClause *clause = &scan->clauses[i];

		clause->block_truth = clause->group_truth;
		if (!clause->by_vector || clause->group_truth == EC_TRUTH_ALL)
			continue;
		clause->block_truth = pred_truth(scan, clause->pred, scan->block, zone_test);
		if (clause->block_truth == EC_TRUTH_NONE)
			return false;
	}
	return true;
}

/*
 * Turns to block scan->block of the current group: scan->rows are those that all
 * vector predicates let through.  False if there is none.
 */
bool
ec_scan_enter_block(EcScanState *scan)
{
	uint32 live;
	uint32 left;

	scan->block_rows = ec_reader_block_rows(scan->reader, scan->block);
	for (int i = 0; i < scan->ncolumns; i++)
		scan->columns[i].vector = NULL;
	live = block_may_qualify(scan) ? select_live(scan) : 0;
	if (live == 0)
	{
		scan->counts.blocks_skipped++;
		return false;
	}
	scan->counts.blocks_read++;
	left = live;
	for (int i = 0; i < scan->nclauses && left > 0; i++)
	{
		if (scan->clauses[i].by_vector && scan->clauses[i].block_truth == EC_TRUTH_SOME)
		{
			filter_rows(scan, scan->clauses[i].pred, scan->rows);
			left = count_rows(scan);
		}
	}
	InstrCountFiltered1(&scan->css, live - left);
	return left > 0;
}
