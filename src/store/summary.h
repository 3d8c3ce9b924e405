/*
 * summary.h
 *	  Summaries: row groups of other columns that stand for rows of the table's own.
 *
 * A set covers some row groups of the table: every row that is stored in them, whether
 * deleted or not, so that its contents follow from the row groups' images alone and
 * never change.  It consists of parts: row groups of columns that their maker chose,
 * each for one projection (the maker's number for a kind of summary), in order, and the
 * list of the row groups covered.  All are tuples of kind SUMMARY in the companion
 * and extents of the main fork, so visibility, recovery, standbys and free space are
 * those of row groups.  A reader uses a set if its snapshot sees the set and all
 * row groups that it covers; it takes away rows that are hidden, and adds those of
 * row groups that no set covers.
 *
 * What sets hold is for their maker to know, who registers here (the layer insight):
 * this layer keeps, lists, moves, verifies and drops them.  A rewrite of the table
 * (VACUUM FULL, CLUSTER, ALTER TABLE) drops all sets; TRUNCATE does by nature.
 */
#ifndef EC_STORE_SUMMARY_H
#define EC_STORE_SUMMARY_H

#include "postgres.h"

#include "utils/relcache.h"

#include "base/compat.h"
#include "store/companion.h"
#include "store/list.h"
#include "store/reader.h"
#include "vector/batch.h"

/* Covered by one set at most. */
#define EC_SUMMARY_GROUPS_MAX EC_GROUP_ROWS_MAX

/* One row group of summary columns. */
typedef struct EcSummaryPart
{
	EcReaderPick pick;
	uint16 projection;
	uint32 index; /* within its projection */
	uint32 nrows;
	uint64 bytes; /* stored */
} EcSummaryPart;

/* Why a set can't be used. */
typedef enum EcSummaryState
{
	EC_SUMMARY_USABLE,
	EC_SUMMARY_INCOMPLETE, /* parts are missing: only number, parts and cover are set */
	EC_SUMMARY_STALE,	   /* row groups are gone */
	EC_SUMMARY_OVERLAPS	   /* a newer one covers some of its row groups */
} EcSummaryState;

typedef struct EcSummarySet
{
	EcSummaryState state;
	int64 number;		/* newer sets have greater ones */
	uint32 signature;	/* the maker's: what the columns meant */
	uint32 projections; /* bits of those that it has, even with no part at all */
	uint32 refused;		/* bits of those that its maker couldn't make */
	uint64 nrows;		/* of the row groups covered, hidden ones too */
	uint32 ngroups;
	const int64 *groups; /* covered, ascending */
	uint32 nparts;
	EcSummaryPart *parts; /* by projection and index */
	EcReaderPick cover;	  /* its list of row groups */
	uint64 cover_bytes;
} EcSummarySet;

typedef struct EcSummaries
{
	uint32 nsets;
	EcSummarySet *sets; /* by number; disjoint */
} EcSummaries;

/*
 * The sets that the list's snapshot sees whose row groups are all in the list; in
 * the current memory context.  broken, if not NULL, gets the others, for dropping.
 */
extern EcSummaries *ec_summary_list(EcList *list, EcSummaries **broken);

/* The same of a reader's list. */
extern EcSummaries *ec_summary_of_reader(EcReader *reader);

/*
 * A reader of a set's parts of one projection, in order: its "groups" are the parts
 * and no row is hidden.  tupdesc is what they were written with.
 */
extern EcReader *ec_summary_reader(Relation rel, const EcSummarySet *set, uint16 projection,
								   TupleDesc tupdesc, MemoryContext parent);

/* ------------------------------------------------------------------------
 * Making
 * ------------------------------------------------------------------------
 *
 * Only under ShareUpdateExclusiveLock on the table and its companion (as compaction),
 * in an ordinary transaction, all of a set in one.
 */

typedef struct EcSummaryWriter EcSummaryWriter;

/* groups, ascending, must exist for the transaction's latest snapshot and not be covered by another set that stays. */
extern EcSummaryWriter *ec_summary_begin(EcCompanion *c, uint32 signature, uint32 ngroups,
										 const int64 *groups, uint64 nrows);

/* The next part of a projection, 1 .. EC_GROUP_ROWS_MAX rows. */
extern void ec_summary_put(EcSummaryWriter *writer, uint16 projection, EcBatch *batch);

/* Makes the set valid; parts of projections whose bits are not given are nobody's (and go with the set). */
extern void ec_summary_end(EcSummaryWriter *writer, uint32 projections, uint32 refused);

/*
 * A set covers other row groups from now on, which hold the same rows as those that it
 * covered before: compaction says so when it replaces these.
 */
extern void ec_summary_cover_again(EcCompanion *c, const EcSummarySet *set, uint32 ngroups,
								   const int64 *groups);

/* Takes a set away: for snapshots to come. */
extern void ec_summary_drop(EcCompanion *c, const EcSummarySet *set);

/* Rows of parts that this process has dropped: VACUUM wants to know whether there is space to reclaim. */
extern int64 ec_summary_rows_dropped;

/* For space_move.c: inserts a tuple whose descriptor has changed. */
extern void
ec_summary_insert(EcCompanion *c, EcDiskSummary *header, const EcDescriptor *desc, CommandId cid);

/* What a list of row groups is written with. */
extern TupleDesc ec_summary_cover_columns(void);

pg_noreturn extern void ec_summary_damaged(Relation rel, int64 number, const char *what);

/* ------------------------------------------------------------------------
 * The maker
 * ------------------------------------------------------------------------
 */

/*
 * maintain is called after compaction (by VACUUM in a transaction of its own, by
 * autovacuum, by the background worker, by ecinsight.compact) to make, merge and drop
 * sets; under the locks said above.  True: there is more to do, in another transaction.
 */
typedef struct EcSummaryMaker
{
	bool (*maintain)(Relation rel, EcCompanion *c);
	uint32 (*signature)(Relation rel);					/* of sets made now */
	const char *(*projection_name)(uint16 projection);	/* for messages and columnar_stats */
	TupleDesc (*projection_columns)(uint16 projection); /* for verify */
} EcSummaryMaker;

extern void ec_summary_set_maker(const EcSummaryMaker *maker);
extern const EcSummaryMaker *ec_summary_maker(void);

/*
 * Lets the maker do its work, if there is one; the callers are those said above.  What
 * goes wrong is a warning, as nobody depends on it.  Without summaries by the table's
 * option all are dropped, without looking what they are.
 */
extern bool ec_summary_maintain(Relation rel);

#endif /* EC_STORE_SUMMARY_H */
