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

#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "store/reader.h"
#include "store/summary.h"
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
	int sign; /* 1; -1: rows that summaries count and that the snapshot doesn't see */
	const EcSummarySet *set;  /* that covers the row group that they are from; NULL: none */
	const EcVector **columns; /* one per column asked for */
	const EcKind *kinds;	  /* how to read them */
	const int32 *scales;
} EcSourceBatch;

/*
 * What the consumer takes from summaries: the rows whose time (a column of those asked
 * for) lies in [min, max] or, if nulls, is NULL.  This must be within the source's range
 * of that column.
 */
typedef struct EcSourceCover
{
	/* What the signature of this part's sets has to be. */
	uint32 (*signature)(Relation part, void *arg);
	void *arg;
	uint32 projections; /* bits of those that a set must have */
	int column;
	int64 min;
	int64 max; /* inclusive */
	bool nulls;
} EcSourceCover;

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

/*
 * Lets summaries stand for rows, from the start: afterwards the batches hold the rows
 * that no set covers or whose time isn't what the cover says, and with sign -1 those
 * that the sets count though they are hidden.  False: no set can be used, all is as before.
 */
extern bool ec_source_cover(EcSource *source, const EcSourceCover *cover);

/* The sets in use, one after the other; they live as long as the source. */
extern bool ec_source_next_set(EcSource *source, Relation *rel, const EcSummarySet **set);
extern void ec_source_rewind_sets(EcSource *source);

/*
 * All rows of some row groups of a columnar table, hidden ones too, for making summaries:
 * no privileges are checked.  The caller keeps the table open and locked.
 */
extern EcSource *ec_source_open_groups(Relation rel, int ncolumns, const AttrNumber *attnums,
									   const EcReaderPick *picks, uint32 npicks);

#endif /* EC_SOURCE_H */
