/*
 * row.c
 *	  Row tuples: the part of a columnar table that changes row by row.
 *
 * A row of a table stands either in a row group or, until compaction moves it
 * there, in a row tuple of its own (EC_ROW_DATA, a "delta row").  For rows in row
 * groups two more kinds of tuples exist: EC_ROW_LIVE carries locks and the deletion
 * of the row, so that heap_lock_tuple, heap_delete and heap_update have a tuple to
 * work on; it is inserted frozen, so all see it, and says nothing about the row's
 * visibility.  EC_ROW_DEAD is what its deleter inserts: who sees it doesn't see the
 * row.  A row that nobody has touched before is deleted by EC_ROW_DEAD alone.
 *
 * A tuple that was inserted frozen but got no index entry because of a crash is
 * never found again; compaction and headers.c remove it.  That is why LIVE tuples never decide
 * that a row is alive.
 */
#include "postgres.h"

#include <xxhash.h>

#include "access/detoast.h"
#include "access/heapam.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/row.h"
#include "store/slot.h"
#include "store/tid.h"

static uint32
payload_checksum(const uint8 *payload, Size len, int64 number)
{
	const Size start = sizeof(uint32);

	return (uint32) XXH3_64bits_withSeed(payload + start, len - start, (XXH64_hash_t) number);
}

/* ------------------------------------------------------------------------
 * Forming
 * ------------------------------------------------------------------------
 */

/* Fills in the header; the payload ends where attributes do. */
static void
finish_payload(EcRowPayload *payload, uint8 *start, const uint8 *end, const EcDiskRow *header,
			   int64 number)
{
	uint32 checksum;

	memcpy(start, header, sizeof(*header));
	payload->start = start;
	payload->len = end - start;
	checksum = payload_checksum(start, payload->len, number);
	memcpy(start, &checksum, sizeof(checksum));
}

/* Values stored elsewhere must come with the row, in the caller's memory context. */
static const Datum *
fetch_external(TupleDesc tupdesc, const Datum *values, const bool *isnull)
{
	Datum *copy = NULL;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		struct varlena *value;

		if (isnull[i] || TupleDescAttr(tupdesc, i)->attlen != -1)
			continue;
		value = (struct varlena *) DatumGetPointer(values[i]);
		if (!VARATT_IS_EXTERNAL(value) || VARATT_IS_EXTERNAL_EXPANDED(value))
			continue;
		if (copy == NULL)
		{
			copy = palloc(tupdesc->natts * sizeof(Datum));
			memcpy(copy, values, tupdesc->natts * sizeof(Datum));
		}
		copy[i] = PointerGetDatum(detoast_external_attr(value));
	}
	return copy != NULL ? copy : values;
}

static void
free_fetched(TupleDesc tupdesc, const Datum *fetched, const Datum *values)
{
	if (fetched == values)
		return;
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (fetched[i] != values[i])
			pfree(DatumGetPointer(fetched[i]));
	}
	pfree((Datum *) fetched);
}

static bool
has_nulls(TupleDesc tupdesc, const bool *isnull)
{
	return memchr(isnull, true, tupdesc->natts * sizeof(bool)) != NULL;
}

bool
ec_row_build(TupleDesc tupdesc, const Datum *values, const bool *isnull, int64 number, uint32 token,
			 EcRowPayload *payload)
{
	const Datum *fetched = fetch_external(tupdesc, values, isnull);
	uint8 *data = payload->buffer.bytes + EC_ROW_PREFIX_MAX;
	uint8 *start = data;
	Size len = heap_compute_data_size(tupdesc, (Datum *) fetched, (bool *) isnull);
	EcDiskRow header = {.state = EC_ROW_DATA, .natts = tupdesc->natts};
	uint16 infomask = 0;
	bool fits;

	if (has_nulls(tupdesc, isnull))
	{
		header.flags |= EC_ROW_HAS_NULLS;
		start -= BITMAPLEN(tupdesc->natts);
	}
	fits = len + (data - start) + sizeof(token) + sizeof(header) <= EC_ROW_PAYLOAD_MAX;
	if (fits)
	{
		/* padding between attributes is part of the checksum */
		memset(data, 0, len);
		heap_fill_tuple(tupdesc, (Datum *) fetched, (bool *) isnull, (char *) data, len, &infomask,
						data > start ? (bits8 *) start : NULL);
		if (token != 0)
		{
			header.flags |= EC_ROW_HAS_TOKEN;
			start -= sizeof(token);
			memcpy(start, &token, sizeof(token));
		}
		finish_payload(payload, start - sizeof(header), data + len, &header, number);
	}
	free_fetched(tupdesc, fetched, values);
	return fits;
}

void
ec_row_build_mark(EcRowState state, int64 number, uint32 token, EcRowPayload *payload)
{
	EcDiskRow header = {.state = state};
	uint8 *start = payload->buffer.bytes;
	uint8 *end = start + sizeof(header);

	if (token != 0)
	{
		header.flags |= EC_ROW_HAS_TOKEN;
		memcpy(end, &token, sizeof(token));
		end += sizeof(token);
	}
	finish_payload(payload, start, end, &header, number);
}

bool
ec_row_insert(EcCompanion *c, int64 number, TupleTableSlot *slot, uint32 token, CommandId cid,
			  ItemPointer ctid)
{
	EcRowPayload payload;

	slot_getallattrs(slot);
	if (!ec_row_build(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull, number, token,
					  &payload))
		return false;
	ec_companion_put(c, EC_CATALOG_ROW, number, payload.start, payload.len, cid, 0, ctid);
	return true;
}

void
ec_row_insert_mark(EcCompanion *c, int64 number, EcRowState state, uint32 token, CommandId cid,
				   int options, ItemPointer ctid)
{
	EcRowPayload payload;

	ec_row_build_mark(state, number, token, &payload);
	ec_companion_put(c, EC_CATALOG_ROW, number, payload.start, payload.len, cid, options, ctid);
}

bool
ec_row_insert_mark_alone(EcCompanion *c, int64 number, EcRowState state, CommandId cid, int options,
						 ItemPointer ctid)
{
	EcRowPayload payload;

	ec_row_build_mark(state, number, 0, &payload);
	return ec_companion_put_alone(c, EC_CATALOG_ROW, number, payload.start, payload.len, cid,
								  options, ctid);
}

/* ------------------------------------------------------------------------
 * Taking apart
 * ------------------------------------------------------------------------
 */

static bool
header_possible(const EcDiskRow *header)
{
	bool data = header->state == EC_ROW_DATA;

	return header->state >= EC_ROW_LIVE && header->state <= EC_ROW_DATA &&
		   header->natts <= MaxHeapAttributeNumber && (data || header->natts == 0) &&
		   (header->flags & ~(EC_ROW_HAS_TOKEN | (data ? EC_ROW_HAS_NULLS : 0))) == 0;
}

void
ec_row_parse(Relation rel, HeapTuple tuple, const EcCatalogTuple *opened, EcRow *row)
{
	const uint8 *p = opened->payload;
	const uint8 *end = p + opened->len;
	EcDiskRow header;
	Size prefix;

	if (opened->len < sizeof(header))
		ec_catalog_tuple_damaged(rel, tuple, "It is too short for a row.");
	memcpy(&header, p, sizeof(header));
	if (header.checksum != payload_checksum(p, opened->len, opened->number))
		ec_catalog_tuple_damaged(rel, tuple, "Its checksum is wrong.");
	prefix = sizeof(header) + (header.flags & EC_ROW_HAS_TOKEN ? sizeof(row->token) : 0) +
			 (header.flags & EC_ROW_HAS_NULLS ? BITMAPLEN(header.natts) : 0);
	if (!header_possible(&header) || opened->len < prefix)
		ec_catalog_tuple_damaged(rel, tuple, "It is no row that could be written.");

	p += sizeof(header);
	row->number = opened->number;
	row->state = header.state;
	row->ctid = tuple->t_self;
	row->xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
	row->cmin = HeapTupleHeaderGetRawCommandId(tuple->t_data);
	row->natts = header.natts;
	row->token = 0;
	if (header.flags & EC_ROW_HAS_TOKEN)
	{
		memcpy(&row->token, p, sizeof(row->token));
		p += sizeof(row->token);
	}
	row->nulls = header.flags & EC_ROW_HAS_NULLS ? p : NULL;
	row->data = opened->payload + prefix;
	row->data_len = end - row->data;
}

bool
ec_row_from_tuple(Relation rel, HeapTuple tuple, EcRow *row)
{
	EcCatalogTuple opened;

	ec_catalog_open_tuple(rel, tuple, &opened);
	if (opened.kind != EC_CATALOG_ROW)
		return false;
	ec_row_parse(rel, tuple, &opened, row);
	return true;
}

Size
ec_row_aligned_size(const EcRow *row)
{
	return MAXALIGN(SizeofHeapTupleHeader + (row->nulls != NULL ? BITMAPLEN(row->natts) : 0)) +
		   row->data_len;
}

void
ec_row_align(const EcRow *row, HeapTupleHeader header)
{
	Size bitmap = row->nulls != NULL ? BITMAPLEN(row->natts) : 0;
	Size start = MAXALIGN(SizeofHeapTupleHeader + bitmap);

	memset(header, 0, start);
	header->t_infomask = HEAP_HASVARWIDTH | (bitmap > 0 ? HEAP_HASNULL : 0);
	HeapTupleHeaderSetNatts(header, row->natts);
	header->t_hoff = start;
	if (bitmap > 0)
		memcpy(header->t_bits, row->nulls, bitmap);
	memcpy((char *) header + start, row->data, row->data_len);
}

/* Makes a heap tuple again, whose attributes are aligned. */
static void
align_row(const EcRow *row, MemoryContext context, HeapTuple tuple)
{
	tuple->t_len = ec_row_aligned_size(row);
	tuple->t_data = MemoryContextAlloc(context, tuple->t_len);
	ec_row_align(row, tuple->t_data);
}

void *
ec_row_deform(const EcRow *row, TupleDesc tupdesc, Datum *values, bool *isnull)
{
	HeapTupleData tuple;

	Assert(row->state == EC_ROW_DATA);
	align_row(row, CurrentMemoryContext, &tuple);
	heap_deform_tuple(&tuple, tupdesc, values, isnull);
	return tuple.t_data;
}

void
ec_row_store(Relation rel, const EcRow *row, TupleTableSlot *slot)
{
	HeapTupleData tuple;

	ExecClearTuple(slot);
	align_row(row, slot->tts_mcxt, &tuple);
	heap_deform_tuple(&tuple, slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
	ExecStoreVirtualTuple(slot);
	ec_slot_own(slot, tuple.t_data);
	ec_tid_from_row(row->number, &slot->tts_tid);
	slot->tts_tableOid = RelationGetRelid(rel);
	ec_slot_set_origin(slot, row->xmin, row->cmin);
}

/* ------------------------------------------------------------------------
 * Visibility
 * ------------------------------------------------------------------------
 */

/* Is that speculative insertion still undecided? */
static bool
token_is_held(TransactionId xid, uint32 token)
{
	LOCKTAG tag;

	SET_LOCKTAG_SPECULATIVE_INSERTION(tag, xid, token);
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, ShareLock, false);
	return false;
}

/*
 * The token of a speculative insertion stands in the payload, not in the tuple
 * header (which could only be cleared by a WAL record that logical decoding takes
 * for the end of a change).  So it counts only as long as its lock is held.
 */
static bool
sees_dirty(EcCompanion *c, HeapTuple tuple, const EcRow *row, Snapshot snapshot)
{
	bool visible = ec_companion_sees(c, tuple, snapshot);

	if (!visible || row->token == 0 || !TransactionIdIsValid(snapshot->xmin))
		return visible;
	if (token_is_held(snapshot->xmin, row->token))
	{
		snapshot->speculativeToken = row->token;
		return true;
	}
	return ec_companion_sees(c, tuple, snapshot);
}

void
ec_row_mark_dirty(Snapshot snapshot, const EcRowDirty *dirty)
{
	if (snapshot->snapshot_type != SNAPSHOT_DIRTY)
		return;
	if (TransactionIdIsValid(dirty->xmin))
		snapshot->xmin = dirty->xmin;
	if (TransactionIdIsValid(dirty->xmax))
		snapshot->xmax = dirty->xmax;
	snapshot->speculativeToken = dirty->token;
}

/* A tombstone or header of a row in a group, to a dirty snapshot that sees it. */
static EcRowFound
note_dirty(const EcRow *row, Snapshot snapshot, EcRowDirty *dirty)
{
	if (row->state == EC_ROW_DEAD)
	{
		if (!TransactionIdIsValid(snapshot->xmin))
			return EC_ROW_GONE;
		dirty->xmax = snapshot->xmin;
		return EC_ROW_IN_GROUP;
	}
	if (TransactionIdIsValid(snapshot->xmin))
	{
		dirty->xmin = snapshot->xmin;
		dirty->token = snapshot->speculativeToken;
	}
	if (TransactionIdIsValid(snapshot->xmax))
		dirty->xmax = snapshot->xmax;
	return EC_ROW_IN_GROUP;
}

/* A tombstone to whoever wants all rows that anybody may still see. */
static bool
dead_to_all(EcCompanion *c, HeapTuple tuple, Snapshot snapshot)
{
	return ec_companion_sees(c, tuple, SnapshotSelf) &&
		   GlobalVisTestIsRemovableXid(snapshot->vistest, HeapTupleHeaderGetXmin(tuple->t_data));
}

static EcRowFound
judge(EcCompanion *c, HeapTuple tuple, const EcRow *row, Snapshot snapshot, EcRowDirty *dirty)
{
	bool visible;

	if (snapshot->snapshot_type == SNAPSHOT_NON_VACUUMABLE && row->state == EC_ROW_DEAD)
		return dead_to_all(c, tuple, snapshot) ? EC_ROW_GONE : EC_ROW_UNKNOWN;
	if (snapshot->snapshot_type == SNAPSHOT_ANY && row->state != EC_ROW_DATA)
		return EC_ROW_UNKNOWN;
	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
		visible = sees_dirty(c, tuple, row, snapshot);
	else
		visible = ec_companion_sees(c, tuple, snapshot);
	if (!visible)
		return EC_ROW_UNKNOWN;
	if (row->state == EC_ROW_DATA)
		return EC_ROW_HERE;
	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
		return note_dirty(row, snapshot, dirty);
	return row->state == EC_ROW_DEAD ? EC_ROW_GONE : EC_ROW_IN_GROUP;
}

/*
 * A snapshot that sees a tombstone doesn't see the row, whatever else there is; see
 * the top about headers left by a crash.
 */
EcRowFound
ec_row_probe(EcCompanion *c, int64 number, Snapshot snapshot, EcRow *row, EcRowDirty *dirty)
{
	EcRowFound found = EC_ROW_UNKNOWN;
	EcCatalogTuple opened;
	HeapTuple tuple;

	memset(dirty, 0, sizeof(*dirty));
	ec_companion_search(c, EC_CATALOG_ROW, number);
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		EcRowFound now;

		ec_row_parse(c->main, tuple, &opened, row);
		now = judge(c, tuple, row, snapshot, dirty);
		if (now == EC_ROW_HERE)
			return now;
		if (now == EC_ROW_GONE || (now == EC_ROW_IN_GROUP && found == EC_ROW_UNKNOWN))
			found = now;
	}
	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
	{
		snapshot->xmin = snapshot->xmax = InvalidTransactionId;
		snapshot->speculativeToken = 0;
	}
	return found;
}

/* ------------------------------------------------------------------------
 * Reserved row numbers
 * ------------------------------------------------------------------------
 */

static uint32
reserve_checksum(int64 count, int64 number)
{
	return (uint32) XXH3_64bits_withSeed(&count, sizeof(count), (XXH64_hash_t) number);
}

void
ec_row_reserve(EcCompanion *c, int64 first, int64 count, CommandId cid, ItemPointer ctid)
{
	EcDiskReserve reserve = {
		.magic = EC_RESERVE_MAGIC,
		.checksum = reserve_checksum(count, first),
		.count = count,
	};

	Assert(first / EC_RESERVE_SPAN == (first + count - 1) / EC_RESERVE_SPAN);
	ec_companion_put(c, EC_CATALOG_RESERVE, first, &reserve, sizeof(reserve), cid, 0, ctid);
}

/* Ranges don't overlap, so only the nearest one below the number can hold it. */
bool
ec_row_reserved(EcCompanion *c, int64 number, Snapshot snapshot)
{
	EcCatalogTuple opened;
	EcDiskReserve reserve;
	HeapTuple tuple;

	ec_companion_search_back(c, EC_CATALOG_RESERVE, number);
	tuple = ec_companion_next(c, &opened);
	if (tuple == NULL)
		return false;
	if (opened.len != sizeof(reserve))
		ec_catalog_tuple_damaged(c->main, tuple, "It is no reservation of row numbers.");
	memcpy(&reserve, opened.payload, sizeof(reserve));
	if (reserve.magic != EC_RESERVE_MAGIC ||
		reserve.checksum != reserve_checksum(reserve.count, opened.number))
		ec_catalog_tuple_damaged(c->main, tuple, "Its checksum is wrong.");
	return number - opened.number < reserve.count && ec_companion_sees(c, tuple, snapshot);
}
