/*
 * state.h
 *	  Execution state of the custom scan ColumnarScan.
 *
 * exec.c	the node's life and the steps from group to block to row
 * rows.c	which groups, blocks and rows qualify
 * datum.c	values of a row as Datums in the scan tuple slot
 * parallel.c	the part of it that parallel workers share
 * explain.c	what EXPLAIN shows
 *
 * Memory: "keys" holds what derives from the keys of predicates (until the next
 * rescan), "group" what derives from the current row group.  Datums of a row live
 * in the expression context's per-tuple memory or, for dictionary entries, in
 * "group", so a returned row is good until the next call.
 */
#ifndef EC_SCAN_STATE_H
#define EC_SCAN_STATE_H

#include "postgres.h"

#include "access/parallel.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"

#include "scan/pred.h"
#include "store/reader.h"

#define EC_SCAN_NAME "ColumnarScan"

#define EC_ROW_WORDS (EC_BLOCK_ROWS / 64)

/* A column that the scan may have to decode. */
typedef struct EcScanColumn
{
	int attidx;
	const EcColType *type;
	const EcVector *vector; /* of the current block; NULL: not decoded (yet) */
	EcKind kind;			/* of the current group's chunk */
	int32 scale;
	uint64 filled;		   /* serial of the row whose value is in the slot */
	uint64 dict_id;		   /* of the vector's dictionary: equal ids, equal entries */
	Datum *dict_datums;	   /* by-reference entries, 0: not made yet; NULL: none yet */
	uint64 dict_datums_id; /* which dictionary's */
} EcScanColumn;

/* One clause of the WHERE list, in the plan's order. */
typedef struct EcScanClause
{
	EcPred *pred; /* NULL: row by row only */
	ExprState *state;
	int ncolumns;
	EcScanColumn **columns; /* that the expression reads */
	bool can_memo;			/* reads one column and always gives the same for the same value */
	uint8 *memo;			/* MEMO_* of datum.c by dictionary code; NULL: none yet */
	uint64 memo_id;			/* which dictionary's */
	bool by_vector;			/* in the current group: pred decides, exactly */
	EcTruth group_truth;	/* of pred in the current group */
	EcTruth block_truth;	/* of pred in the current block */
} EcScanClause;

/* Figures for EXPLAIN, over all rescans. */
typedef struct EcScanCounts
{
	uint64 groups_read;
	uint64 groups_skipped;
	uint64 blocks_read;
	uint64 blocks_skipped;
	uint64 column_blocks; /* decoded */
	uint64 bytes;
} EcScanCounts;

typedef struct EcScanShared EcScanShared;

typedef struct EcScanState
{
	CustomScanState css; /* must be first */

	/* fixed at begin */
	int natts;
	EcScanColumn **column_of; /* [natts] by attidx; NULL: not needed */
	int ncolumns;
	EcScanColumn *columns;
	int nclauses;
	EcScanClause *clauses;
	int nrow_clauses;
	EcScanClause **row_clauses; /* that vectors can't decide in the current group */
	bool wants_tids;
	int noutput;
	EcScanColumn **output; /* read by the target list */
	MemoryContext keys;
	MemoryContext group;

	/* the scan */
	EcReader *reader; /* NULL until the first row is asked for */
	bool keys_ready;
	int64 group_index; /* -1: before the first */
	bool in_group;
	int32 block;
	bool in_block;
	int32 row; /* in its block */
	uint32 block_rows;
	uint64 rows[EC_ROW_WORDS]; /* of the block, qualified by vectors */
	uint64 row_serial;
	uint64 last_dict_id; /* given to a dictionary of one block */

	EcScanCounts counts;  /* this process's */
	EcScanCounts workers; /* leader: the workers', known when they have finished; worker:
								 * what it has told of its own */

	EcScanShared *shared; /* parallel-aware scans only */
} EcScanState;

/* rows.c */
extern bool ec_scan_enter_group(EcScanState *scan);
extern bool ec_scan_enter_block(EcScanState *scan);

/* datum.c */
extern const EcVector *ec_scan_vector(EcScanState *scan, EcScanColumn *column);
extern bool ec_scan_clauses_pass(EcScanState *scan);
extern void ec_scan_fill_output(EcScanState *scan);
extern void ec_scan_fill_all(EcScanState *scan);

/* parallel.c */
extern uint32 ec_scan_next_shared_group(EcScanState *scan);
extern Size ec_scan_estimate_dsm(CustomScanState *node, ParallelContext *pcxt);
extern void ec_scan_init_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
extern void ec_scan_reinit_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
extern void ec_scan_init_worker(CustomScanState *node, shm_toc *toc, void *coordinate);
extern void ec_scan_shutdown(CustomScanState *node);
extern void ec_scan_take_reader_counts(EcScanState *scan);

/* explain.c */
extern void ec_scan_explain(CustomScanState *node, List *ancestors, struct ExplainState *es);

/* exec.c */
extern const CustomScanMethods ec_scan_methods;

#endif /* EC_SCAN_STATE_H */
