/*
 * transfer.h
 *	  Rows from decoded vectors into a batch, and into another order.
 */
#ifndef EC_STORE_TRANSFER_H
#define EC_STORE_TRANSFER_H

#include "postgres.h"

#include "store/reader.h"
#include "vector/batch.h"

/*
 * Appends the rows whose positions in the reader's block are listed, to all
 * columns of a batch made with the reader's tuple descriptor.
 */
extern void
ec_transfer_block(EcReader *reader, uint32 block, const uint32 *rows, uint32 nrows, EcBatch *batch);

/* Rows of a batch as Datums, by views of its columns; and the other way round. */
extern EcVector *ec_transfer_views(EcBatch *batch);
extern void ec_transfer_row(const EcBatch *batch, const EcVector *views, uint32 row, Datum *values,
							bool *isnull);
extern void ec_transfer_append(EcBatch *batch, const Datum *values, const bool *isnull);

/* A batch with the same rows in the order that is given, in the same parent context. */
extern EcBatch *
ec_transfer_permute(EcBatch *batch, TupleDesc tupdesc, const uint32 *order, MemoryContext parent);

/*
 * Order of the batch's rows by the columns listed (attidx), then by number.  The
 * order is one that brings equal values together, not always that of the type.
 */
extern void ec_transfer_order(EcBatch *batch, const int64 *numbers, const int *columns,
							  int ncolumns, uint32 *order);

#endif /* EC_STORE_TRANSFER_H */
