/*
 * row.h
 *	  Row tuples of the companion: rows themselves, tombstones, and the headers of
 *	  rows that stand in row groups; and reserved row numbers.
 */
#ifndef EC_STORE_ROW_H
#define EC_STORE_ROW_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "store/companion.h"

/* A row tuple taken apart; points into the tuple. */
typedef struct EcRow
{
	int64 number;
	EcRowState state;
	ItemPointerData ctid; /* in the companion */
	TransactionId xmin;	  /* as stored */
	CommandId cmin;		  /* likewise (a combo command id after the same transaction deleted it) */
	uint32 token;		  /* of the speculative insertion, or 0 */
	uint16 natts;
	const uint8 *nulls; /* bitmap, or NULL */
	const uint8 *data;
	Size data_len;
} EcRow;

/* What the row tuples of a number say to a snapshot. */
typedef enum EcRowFound
{
	EC_ROW_HERE,	 /* the row is in *row, which is pinned until the handle's next search */
	EC_ROW_IN_GROUP, /* not deleted: alive if the snapshot sees a row group that holds it */
	EC_ROW_GONE,	 /* deleted */
	EC_ROW_UNKNOWN	 /* nothing: alive if the snapshot sees a row group that holds it, unmasked */
} EcRowFound;

/*
 * What a dirty snapshot must say about a row in a group (EC_ROW_IN_GROUP), since
 * asking for the group changes the snapshot.  Whoever finds the group visible puts
 * it there with ec_row_mark_dirty.
 */
typedef struct EcRowDirty
{
	TransactionId xmin; /* inserted by a running transaction */
	TransactionId xmax; /* being deleted */
	uint32 token;
} EcRowDirty;

extern EcRowFound
ec_row_probe(EcCompanion *c, int64 number, Snapshot snapshot, EcRow *row, EcRowDirty *dirty);
extern void ec_row_mark_dirty(Snapshot snapshot, const EcRowDirty *dirty);

/* The newest transaction that has made the row, dead for everybody, one that a snapshot may miss. */
extern void ec_row_advance_horizon(EcCompanion *c, int64 number, TransactionId *horizon);

/* What the tuple says it is, unchecked; 0 if it can't say anything. */
static inline int
ec_row_peek_state(const EcCatalogTuple *opened)
{
	return opened->len > EC_ROW_TAG_OFFSET ? opened->payload[EC_ROW_TAG_OFFSET] & EC_ROW_TAG_STATE
										   : 0;
}

/* False if the tuple is of another kind.  Checks all that it gives. */
extern bool ec_row_from_tuple(Relation rel, HeapTuple tuple, EcRow *row);
extern void ec_row_parse(Relation rel, HeapTuple tuple, const EcCatalogTuple *opened, EcRow *row);

/* An EC_ROW_DATA as a heap tuple that heap_deform_tuple understands, in memory of the caller's (MAXALIGNed). */
extern Size ec_row_aligned_size(const EcRow *row);
extern void ec_row_align(const EcRow *row, HeapTupleHeader header);

/* The values of an EC_ROW_DATA; by-reference ones lie in the palloc'd memory returned. */
extern void *ec_row_deform(const EcRow *row, TupleDesc tupdesc, Datum *values, bool *isnull);

/* Stores an EC_ROW_DATA of rel in a slot of the access method, with all that the slot knows of a row. */
extern void ec_row_store(Relation rel, const EcRow *row, TupleTableSlot *slot);

/* Longest payload, and the most that may stand before a row's attributes (18: BITMAPLEN is no constant). */
#define EC_ROW_PAYLOAD_MAX EC_DESCRIPTOR_MAX
#define EC_ROW_HEADER_MAX (EC_ROW_TAG_OFFSET + sizeof(uint8) + sizeof(uint16))
#define EC_ROW_PREFIX_MAX                                                                          \
	MAXALIGN(EC_ROW_HEADER_MAX + sizeof(uint32) + (MaxHeapAttributeNumber + 7) / 8)

typedef struct EcRowPayload
{
	const uint8 *start; /* in bytes */
	Size len;
	union
	{
		int64 align;
		uint8 bytes[EC_ROW_PREFIX_MAX + EC_ROW_PAYLOAD_MAX];
	} buffer;
} EcRowPayload;

/* Builds payloads.  False if the row is too wide for a tuple. */
extern bool ec_row_build(TupleDesc tupdesc, const Datum *values, const bool *isnull, int64 number,
						 uint32 token, EcRowPayload *payload);
extern void ec_row_build_mark(EcRowState state, int64 number, uint32 token, EcRowPayload *payload);

/* Inserts a row tuple: the row of a slot (false if it is too wide), or a LIVE or DEAD one. */
extern bool ec_row_insert(EcCompanion *c, int64 number, TupleTableSlot *slot, uint32 token,
						  CommandId cid, ItemPointer ctid);

/* The row of a slot without index entry: ec_place_row is to follow. */
extern bool ec_row_insert_unindexed(EcCompanion *c, int64 number, TupleTableSlot *slot,
									CommandId cid, ItemPointer ctid);

extern void ec_row_insert_mark(EcCompanion *c, int64 number, EcRowState state, uint32 token,
							   CommandId cid, int options, ItemPointer ctid);

/* The same; was the row without tuples?  See ec_companion_put_alone. */
extern bool ec_row_insert_mark_alone(EcCompanion *c, int64 number, EcRowState state, CommandId cid,
									 int options, ItemPointer ctid);

/*
 * Reserved row numbers: promised to a batch in a backend's memory.  A range must
 * not cross a multiple of EC_RESERVE_SPAN.  ec_row_reserved: does the (dirty)
 * snapshot see the reservation of this number?  It says by whom.  It must be asked
 * before row groups are: a reservation ends together with the writing of its group.
 */
#define EC_RESERVE_SPAN (INT64CONST(1) << EC_CATALOG_SEQ_BITS)

extern void
ec_row_reserve(EcCompanion *c, int64 first, int64 count, CommandId cid, ItemPointer ctid);
extern bool ec_row_reserved(EcCompanion *c, int64 number, Snapshot snapshot);

#endif /* EC_STORE_ROW_H */
