/*
 * writer.h
 *	  Rows in: from slots through the write state, or whole batches (ingest).
 *
 * Locks: the caller holds RowExclusiveLock or more on the relation.
 */
#ifndef EC_WRITER_H
#define EC_WRITER_H

#include "postgres.h"

#include "utils/relcache.h"

#include "vector/batch.h"

/* True if rel uses the access method ecinsight_columnar. */
extern bool ec_store_is_columnar(Relation rel);

/*
 * Writes the batch's rows as one row group (or as an inline one, if small) in the
 * current (sub)transaction under command cid.  batch->nrows is in 1 ..
 * EC_GROUP_ROWS_MAX; the batch is left as it is.  Counts the rows in pg_stat.
 */
extern void ec_store_write_batch(Relation rel, EcBatch *batch, CommandId cid);

/* Rows after which a row group of rel is full (table option or GUC ecinsight.row_group_rows). */
extern uint32 ec_store_row_group_rows(Relation rel);

#endif /* EC_WRITER_H */
