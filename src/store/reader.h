/*
 * reader.h
 *	  Row groups out: lists the row groups that a snapshot sees and decodes the
 *	  blocks of the columns that the caller asks for.
 *
 *		reader = ec_reader_begin(rel, snapshot, context);
 *		while (ec_reader_next_group(reader))
 *			for (block = 0; block < ec_reader_group(reader)->nblocks; block++)
 *			{
 *				... ec_reader_block_zone() may tell that the block can be skipped ...
 *				v = ec_reader_block(reader, attidx, block);
 *			}
 *		ec_reader_end(reader);
 *
 * Only the chunks that are asked for are read.  A vector stays valid until another
 * block of the same column is asked for, or the next group, or the end.  Columns
 * are addressed by attidx = attnum - 1.  A column that was added to the table
 * after the group was written comes as a CONST vector of its missing value (or
 * NULL), a dropped one as CONST NULL.
 *
 * Rows that are deleted for the snapshot are hidden by ec_reader_live.
 *
 * The list is fixed at begin: rows that the same transaction adds later are not
 * seen (as with a heap scan's snapshot and command id).  A rescan under a snapshot
 * other than MVCC makes a new one.  The caller's own
 * unflushed rows are seen under the snapshot's rules.
 *
 * Parallel scans: under the same snapshot every process gets the same list in the
 * same order, so groups are handed out by index (ec_reader_goto_group) from a shared
 * counter.  The executor hook of store/utility.c makes sure that no unwritten rows
 * exist in the leader when workers start.
 *
 * Locks: the caller holds AccessShareLock or more on the relation, and the
 * snapshot is registered or active until ec_reader_end.
 * Errors: ERRCODE_DATA_CORRUPTED naming relation, row group, column and block.
 */
#ifndef EC_READER_H
#define EC_READER_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "encoding/encoding.h"
#include "vector/coltype.h"

typedef struct EcReader EcReader;

typedef struct EcReaderGroup
{
	int64 number; /* of the row group in its table; -1: rows of several small ones and delta rows */
	uint32 nrows; /* stored: masked ones too; may be 0 */
	uint32 nblocks;
	uint64 bytes;	/* stored */
	bool is_inline; /* lives in its descriptor, in tuples or in this backend's write buffer */
} EcReaderGroup;

typedef struct EcReaderStats
{
	uint64 groups_total;
	uint64 groups_read;	   /* at least one block decoded */
	uint64 blocks_read;	   /* column blocks decoded */
	uint64 blocks_skipped; /* counted by the consumer with ec_reader_count_skipped */
	uint64 bytes_read;
} EcReaderStats;

extern EcReader *ec_reader_begin(Relation rel, Snapshot snapshot, MemoryContext parent);

/*
 * A reader of exactly these row groups, whatever their visibility, for compaction:
 * no row is hidden.  The tids are those of the descriptors.
 */
typedef struct EcReaderPick
{
	int64 number;
	ItemPointerData tid;
} EcReaderPick;

extern EcReader *
ec_reader_begin_groups(Relation rel, const EcReaderPick *picks, uint32 count, MemoryContext parent);

extern void ec_reader_rescan(EcReader *reader);
extern void ec_reader_end(EcReader *reader);

/* Groups visible in all, known after begin; rows kept as tuples count as one group for up to a block of them. */
extern uint32 ec_reader_ngroups(const EcReader *reader);

/* Steps to the next group in order of insertion; false at the end.  _goto picks the i-th (0-based), for parallel scans. */
extern bool ec_reader_next_group(EcReader *reader);
extern bool ec_reader_goto_group(EcReader *reader, uint32 i);
extern const EcReaderGroup *ec_reader_group(const EcReader *reader);

/* The i-th group's number (-1 as in EcReaderGroup), without entering it. */
extern int64 ec_reader_group_number(const EcReader *reader, uint32 i);

/* Rows in one block of the current group. */
extern uint32 ec_reader_block_rows(const EcReader *reader, uint32 block);

/*
 * Zone of a whole chunk (block == EC_ZONE_CHUNK) or of one block.  False if there
 * is none (column missing in the group, or all NULL: see *zone's nnulls then).
 * kind and scale tell what the int64s mean.
 */
#define EC_ZONE_CHUNK PG_UINT32_MAX
extern bool ec_reader_zone(EcReader *reader, int attidx, uint32 block, EcZone *zone, EcKind *kind,
						   int32 *scale);

/* The chunk's dictionary (FLAT, no NULLs), or NULL if it has none. */
extern const EcVector *ec_reader_dict(EcReader *reader, int attidx);

/* The values of one block; kind and scale as recorded with the chunk. */
extern const EcVector *ec_reader_block(EcReader *reader, int attidx, uint32 block);

/*
 * The values of a few rows of a block, without decoding the others: a column of integers
 * without NULLs.  Vectors of the column aren't valid any longer.
 */
extern void ec_reader_pick_ints(EcReader *reader, int attidx, uint32 block, const uint32 *rows,
								uint32 n, int64 *values);
extern EcKind ec_reader_kind(EcReader *reader, int attidx, int32 *scale);

/* How values of the relation's columns become Datums. */
extern const EcColType *ec_reader_types(const EcReader *reader);

/*
 * Rows of a block that nobody has deleted, for the snapshot: bit i is row i of the
 * block, bits beyond the last row are clear.  NULL: all of them.  *nlive gets their
 * number, which may be 0.  Whoever reads blocks must look here; zones and
 * dictionaries cover hidden rows too.  Valid until the next call.
 */
extern const uint64 *ec_reader_live(EcReader *reader, uint32 block, uint32 *nlive);

/*
 * Can ec_reader_live hide any row of the i-th group (not of rows kept as tuples)?  This
 * is a guess from the list, without entering it: false is certain.
 */
extern bool ec_reader_may_hide(const EcReader *reader, uint32 i);

/* The same of the current group, a better guess. */
extern bool ec_reader_hides(EcReader *reader);

/* Row number of a row of the current group, or of all rows of a block: see store/tid.h. */
extern int64 ec_reader_row_number(EcReader *reader, uint32 row);
extern const int64 *ec_reader_numbers(EcReader *reader, uint32 block);

/* Who inserted a row of the current group, as its tuple's header says. */
extern TransactionId ec_reader_row_xmin(EcReader *reader, uint32 row, CommandId *cid);

/*
 * A row as Datums, if the current group keeps its rows as tuples; else false.  They
 * live as long as the group is the current one.
 */
extern bool ec_reader_row_values(EcReader *reader, uint32 row, Datum **values, bool **isnull);

extern void ec_reader_count_skipped(EcReader *reader, uint64 blocks);
extern const EcReaderStats *ec_reader_stats(const EcReader *reader);

#endif /* EC_READER_H */
