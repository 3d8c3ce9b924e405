/*
 * tableam.h
 *	  The access method's callbacks that have files of their own.
 */
#ifndef EC_STORE_TABLEAM_H
#define EC_STORE_TABLEAM_H

#include "postgres.h"

#include "access/tableam.h"
#include "commands/vacuum.h"

#include "base/compat.h"
#include "store/rowscan.h"

typedef struct EcAnalyze EcAnalyze;		/* analyze.c */
typedef struct EcBlockScan EcBlockScan; /* blockscan.c */

typedef struct EcTableScan
{
	TableScanDescData base;
	EcRowScan *rows;	 /* begun with the first row */
	EcAnalyze *analyze;	 /* ANALYZE only */
	EcBlockScan *blocks; /* scans by tid, begun with the first row */
} EcTableScan;

/* analyze.c */
extern void ec_analyze_begin(EcTableScan *scan);
extern void ec_analyze_end(EcTableScan *scan);
extern void ec_analyze_block(EcTableScan *scan, BlockNumber block);
extern bool
ec_analyze_tuple(EcTableScan *scan, double *liverows, double *deadrows, TupleTableSlot *slot);
extern void ec_estimate_size(Relation rel, int32 *attr_widths, BlockNumber *pages, double *tuples,
							 double *allvisfrac);

/* vacuum.c */
extern void ec_vacuum(Relation rel, struct VacuumParams *params, BufferAccessStrategy strategy);

/* rewrite.c */
extern void
ec_copy_for_cluster(Relation old_table, Relation new_table, Relation old_index, bool use_sort,
					TransactionId oldest_xmin, TransactionId *xid_cutoff, MultiXactId *multi_cutoff,
					double *num_tuples, double *tups_vacuumed, double *tups_recently_dead);

/* maintain.c */
extern void ec_set_new_filelocator(Relation rel, const RelFileLocator *locator, char persistence,
								   TransactionId *freeze_xid, MultiXactId *minmulti);
extern void ec_copy_data(Relation rel, const RelFileLocator *locator);

#endif /* EC_STORE_TABLEAM_H */
