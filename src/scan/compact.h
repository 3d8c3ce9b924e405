/*
 * compact.h
 *	  Vectors without the rows that were deleted.
 */
#ifndef EC_SCAN_COMPACT_H
#define EC_SCAN_COMPACT_H

#include "postgres.h"

#include "vector/vector.h"

/* Memory for one column's compacted vectors, used again for each block. */
typedef struct EcCompactColumn
{
	EcVector vector;
	void *values; /* [EC_BLOCK_ROWS] elements or codes, made on demand */
	uint64 validity[EC_BLOCK_ROWS / 64];
} EcCompactColumn;

/* Lists the rows whose bits are set; returns how many these are. */
extern uint32 ec_compact_select(const uint64 *rows, uint32 nrows, uint32 *selection);

/* The selected rows of a block's vector; valid until the column is used again. */
extern const EcVector *
ec_compact(EcCompactColumn *column, const EcVector *v, const uint32 *selection, uint32 nselected);

#endif /* EC_SCAN_COMPACT_H */
