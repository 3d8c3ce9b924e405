/*
 * rewrite_sort.h
 *	  All rows of a table in the order of an index, or of the option order_by.
 */
#ifndef EC_STORE_REWRITE_SORT_H
#define EC_STORE_REWRITE_SORT_H

#include "postgres.h"

#include "utils/relcache.h"

#include "vector/batch.h"

typedef struct EcRewriteSort EcRewriteSort;

/* NULL if there is no order: index isn't a btree (or NULL), and the table has no order_by. */
extern EcRewriteSort *ec_rewrite_sort_begin(Relation table, Relation index);

/* Takes the rows of a batch made with the table's tuple descriptor. */
extern void ec_rewrite_sort_add(EcRewriteSort *sort, EcBatch *batch);

/* After the last: rows in order, appended to the batch until it has max_rows; false if none was left. */
extern bool ec_rewrite_sort_next(EcRewriteSort *sort, EcBatch *batch, uint32 max_rows);
extern void ec_rewrite_sort_end(EcRewriteSort *sort);

#endif /* EC_STORE_REWRITE_SORT_H */
