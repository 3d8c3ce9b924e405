/*
 * list.h
 *	  What a snapshot sees of a table: one pass over its companion.
 *
 * Entries stand in the companion's physical order, which is the order of insertion
 * as long as no space is used again.  A list is small whatever the rows: an entry
 * tells where its tuples are, not what they hold.  Tombstones take 8 bytes each.
 *
 * Every process that lists under the same MVCC snapshot gets the same entries.
 * Under other snapshots an entry may have fewer rows by the time it is read.
 *
 * Locks: the companion stays locked (AccessShareLock, until the transaction ends),
 * so that no VACUUM FULL moves its tuples; it is open only while it is read, so that
 * lists need no clean-up.  Pages are locked one at a time.
 */
#ifndef EC_STORE_LIST_H
#define EC_STORE_LIST_H

#include "postgres.h"

#include "access/htup.h"
#include "storage/buf.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "store/catalog.h"
#include "store/check.h"
#include "store/reader.h"

typedef enum EcEntryKind
{
	EC_ENTRY_GROUP = 1,	 /* a row group: its descriptor is at "tid" */
	EC_ENTRY_RUN = 2,	 /* rows kept as tuples: all that are visible from "tid" to "end" */
	EC_ENTRY_PENDING = 3 /* rows in this backend's memory only: payload "pending" */
} EcEntryKind;

typedef struct EcListEntry
{
	int64 number; /* of the row group; -1: a run */
	uint64 bytes; /* stored */
	uint32 nrows; /* masked ones included */
	uint32 count; /* tuples of a run; payload of EC_ENTRY_PENDING */
	ItemPointerData tid;
	ItemPointerData end;
	uint8 kind;	 /* EcEntryKind */
	uint8 level; /* of the row group */
	bool
		described; /* a run: some rows stand in descriptors, whose number of rows is not checked yet */
	bool unsettled; /* dirty snapshots: some transaction is at work on its tuples */
} EcListEntry;

/* A MASK tuple. */
typedef struct EcListMask
{
	int64 number; /* EC_MASK_NUMBER */
	ItemPointerData tid;
} EcListMask;

/* A SUMMARY tuple and what its header says. */
typedef struct EcListSummary
{
	EcDiskSummary header;
	int64 number;
	ItemPointerData tid;
	bool damaged; /* only number and tid are known; a problem for those only who want summaries */
} EcListSummary;

/* Rows of a parent subtransaction that it has not written yet. */
typedef struct EcListPending
{
	const uint8 *payload;
	Size len;
	CommandId cid;
} EcListPending;

typedef struct EcList
{
	Relation rel;
	EcCatalogKind kind; /* of its "row groups": GROUP, or SUMMARY (ec_list_from_groups) */
	Oid companion;		/* invalid: the table has none */
	Snapshot snapshot;
	Snapshot guard; /* under a dirty snapshot: what was visible at the start stays so, see list.c */
	BufferAccessStrategy strategy;
	EcCheck check;
	MemoryContext context;
	EcListEntry *entries;
	uint32 nentries;
	Size entries_size;
	int64 *dead; /* row numbers of tombstones, ascending */
	Size ndead;
	Size dead_size;
	bool dead_sorted;
	EcListMask *masks; /* by number */
	Size nmasks;
	Size masks_size;
	EcListSummary *summaries; /* under MVCC snapshots and SnapshotSelf */
	uint32 nsummaries;
	Size summaries_size;
	EcListPending *pending;
	int64 nrows;		/* of all entries */
	int64 nmasked;		/* of these, hidden by masks */
	int64 ngroups;		/* descriptors */
	int64 extent_rows;	/* of row groups in extents */
	int64 extent_pages; /* of these extents */
	int64 ndelta;		/* rows that stand in tuples of their own */
	uint64 delta_bytes; /* of these */
	uint64 live_bytes;	/* of all tuples that are visible */
	BlockNumber npages; /* of the companion that were read */
	bool serializable;	/* conflicts with writers have to be looked for */
	bool unsettled;		/* the tuple in work */
	bool in_run;		/* the last entry is a run and may grow */
	uint32 run_rows_max;
} EcList;

/* The list lives in a context below the current one. */
extern EcList *ec_list_begin(Relation rel, Snapshot snapshot);
extern void ec_list_end(EcList *list);

/* A list of these row groups, or summaries, nothing else; their numbers of rows are not known yet. */
extern EcList *
ec_list_from_groups(Relation rel, EcCatalogKind kind, const EcReaderPick *picks, uint32 count);

/* Only the sums: no entry, no tombstone is kept.  Of a companion with more pages than max_pages, as many are read. */
extern EcList *ec_list_count(Relation rel, Snapshot snapshot, BlockNumber max_pages);

/* Rows that are not hidden, without reading any but those in tuples. */
extern int64 ec_list_count_rows(Relation rel, Snapshot snapshot);

/*
 * Calls visit for the tuples of a companion's pages between two places, with what
 * the snapshot makes of each, under the page's share lock.
 */
typedef void (*EcListVisit)(HeapTuple tuple, bool visible, void *arg);

extern void ec_list_visit(EcList *list, const ItemPointerData *first, const ItemPointerData *last,
						  EcListVisit visit, void *arg);

/* A copy of the payload of a listed tuple, MAXALIGNed, and what its header says. */
typedef struct EcListPayload
{
	uint8 *data;
	Size len;
	TransactionId xmin; /* as it stands there */
	CommandId cid;		/* likewise */
} EcListPayload;

/* An error if the tuple is not of this kind and number. */
extern EcListPayload
ec_list_payload(EcList *list, const ItemPointerData *tid, EcCatalogKind kind, int64 number);

/* Index of the first tombstone whose row number is at least this. */
extern Size ec_list_first_dead(const EcList *list, int64 number);

/* Under a dirty snapshot: must the row be judged by itself? */
extern bool ec_list_is_unsettled(const EcList *list, const EcListEntry *entry, int64 number);

/* Does a tombstone hide the row? */
extern bool ec_list_is_dead(const EcList *list, int64 number);

/* The MASK tuple of a block, or NULL. */
extern const EcListMask *ec_list_mask(const EcList *list, int64 group, uint32 block);

/* Has any block of the row group one? */
extern bool ec_list_has_masks(const EcList *list, int64 group);

#endif /* EC_STORE_LIST_H */
