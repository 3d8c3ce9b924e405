/*
 * source.h
 *	  Column vectors of any events relation, for consumers that aggregate (insights).
 *
 * A columnar table, or a partitioned table of columnar ones, without row security
 * for the caller is read from its row groups directly; anything else (heap, view,
 * foreign table, row security) is planned and run by the executor as the caller's own
 *		SELECT column, ... FROM relation
 * whose rows are collected into vectors of up to EC_BLOCK_ROWS rows.  Either way
 * the consumer sees the same batches.
 *
 * The relation is locked AccessShareLock and SELECT privilege on the columns is
 * checked for the current user at open (the executor checks it for the second kind).
 */
#ifndef EC_SOURCE_H
#define EC_SOURCE_H

#include "postgres.h"

#include "utils/snapshot.h"

#include "vector/coltype.h"

typedef struct EcSource EcSource;

/* Keep only blocks that may hold a value in [min, max]; the consumer still filters rows. */
typedef struct EcSourceRange
{
	int column; /* index into the columns asked for */
	int64 min;
	int64 max; /* inclusive */
} EcSourceRange;

typedef struct EcSourceBatch
{
	uint32 nrows;
	const EcVector **columns; /* one per column asked for */
	const EcKind *kinds;	  /* how to read them */
	const int32 *scales;
} EcSourceBatch;

/*
 * attnums: columns wanted (user columns).  Ranges apply to INT64 kinds only.
 * Of the columns at index only_nulls and beyond, the consumer looks only at which
 * rows are NULL: where a block's zone tells, a CONST vector stands for its values.
 * Vectors of a batch live until the next call.  DICT vectors of equal dict_serial
 * share one dictionary, so consumers map a dictionary once.
 */
extern EcSource *ec_source_open(Oid relid, int ncolumns, const AttrNumber *attnums, int only_nulls,
								int nranges, const EcSourceRange *ranges, Snapshot snapshot);
extern const EcColType *ec_source_types(const EcSource *source); /* one per column asked for */
extern bool ec_source_next(EcSource *source, EcSourceBatch *batch);
extern void ec_source_close(EcSource *source);

#endif /* EC_SOURCE_H */
