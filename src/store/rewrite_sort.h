/*
 * rewrite_sort.h
 *	  All rows of a table in the order of an index, or of the option order_by.
 */
#ifndef EC_STORE_REWRITE_SORT_H
#define EC_STORE_REWRITE_SORT_H

#include "postgres.h"

#include "utils/memutils.h"
#include "utils/relcache.h"

#include "vector/batch.h"

typedef struct EcRewriteSort EcRewriteSort;

/* Memory after which a row group is full, whatever its rows. */
#define EC_REWRITE_BYTES_MAX ((Size) 64 * 1024 * 1024)

static inline bool
ec_rewrite_is_full(const EcBatch *batch, uint32 max_rows)
{
	return batch->nrows >= max_rows ||
		   MemoryContextMemAllocated(batch->context, true) >= EC_REWRITE_BYTES_MAX;
}

/*
 * NULL if there is no order: index isn't a btree (or NULL), and the table has no
 * order_by.  Rows may be tagged.
 */
extern EcRewriteSort *ec_rewrite_sort_begin(Relation table, Relation index, bool tagged);

/* Takes the rows of a batch made with the table's tuple descriptor; numbers: NULL for -1. */
extern void
ec_rewrite_sort_add(EcRewriteSort *sort, EcBatch *batch, int64 tag, const int64 *numbers);
extern void
ec_rewrite_sort_add_row(EcRewriteSort *sort, const Datum *values, const bool *isnull, int64 tag);

/* After the last: rows in order, appended to the batch until it is full; false if none was left. */
extern bool ec_rewrite_sort_next(EcRewriteSort *sort, EcBatch *batch, uint32 max_rows);

/* Or one by one, if they are tagged; valid until the next call. */
typedef struct EcRewriteRow
{
	const Datum *values;
	const bool *isnull;
	int64 tag;
	int64 number;
} EcRewriteRow;

extern bool ec_rewrite_sort_next_row(EcRewriteSort *sort, EcRewriteRow *row);
extern void ec_rewrite_sort_end(EcRewriteSort *sort);

#endif /* EC_STORE_REWRITE_SORT_H */
