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
#include "access/heapam_xlog.h"
#include "access/transam.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
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

/* The header goes in front of start; the payload ends where attributes do. */
static void
finish_payload(EcRowPayload *payload, uint8 *start, const uint8 *end, uint8 tag, uint16 natts,
			   int64 number)
{
	uint32 checksum;

	if (natts > UINT8_MAX)
	{
		tag |= EC_ROW_TAG_WIDE;
		start -= sizeof(natts);
		memcpy(start, &natts, sizeof(natts));
	}
	else if ((tag & EC_ROW_TAG_STATE) == EC_ROW_DATA)
		*--start = (uint8) natts;
	*--start = EC_ROW_TAG | tag;
	start -= sizeof(checksum);
	payload->start = start;
	payload->len = end - start;
	checksum = payload_checksum(start, payload->len, number);
	memcpy(start, &checksum, sizeof(checksum));
}

static uint8 *
prepend_token(uint8 *start, uint32 token, uint8 *tag)
{
	if (token == 0)
		return start;
	*tag |= EC_ROW_TAG_TOKEN;
	start -= sizeof(token);
	memcpy(start, &token, sizeof(token));
	return start;
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
	uint8 tag = EC_ROW_DATA;
	uint16 infomask = 0;
	bool fits;

	if (has_nulls(tupdesc, isnull))
	{
		tag |= EC_ROW_TAG_NULLS;
		start -= BITMAPLEN(tupdesc->natts);
	}
	fits = len + (data - start) + sizeof(token) + EC_ROW_HEADER_MAX <= EC_ROW_PAYLOAD_MAX;
	if (fits)
	{
		/* padding between attributes is part of the checksum */
		memset(data, 0, len);
		heap_fill_tuple(tupdesc, (Datum *) fetched, (bool *) isnull, (char *) data, len, &infomask,
						data > start ? (bits8 *) start : NULL);
		start = prepend_token(start, token, &tag);
		finish_payload(payload, start, data + len, tag, tupdesc->natts, number);
	}
	free_fetched(tupdesc, fetched, values);
	return fits;
}

void
ec_row_build_mark(EcRowState state, int64 number, uint32 token, EcRowPayload *payload)
{
	uint8 *end = payload->buffer.bytes + EC_ROW_PREFIX_MAX;
	uint8 tag = state;
	uint8 *start = prepend_token(end, token, &tag);

	finish_payload(payload, start, end, tag, 0, number);
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

bool
ec_row_insert_unindexed(EcCompanion *c, int64 number, TupleTableSlot *slot, CommandId cid,
						ItemPointer ctid)
{
	EcRowPayload payload;

	slot_getallattrs(slot);
	if (!ec_row_build(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull, number, 0,
					  &payload))
		return false;
	ec_companion_put_unindexed(c, number, payload.start, payload.len, cid, ctid);
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

/* What stands in front of token, bitmap and attributes. */
typedef struct Header
{
	int state;
	uint16 natts;
	bool has_token;
	bool has_nulls;
	bool possible;
	Size len; /* checksum included, token not */
} Header;

static Header
read_old_header(const uint8 *p, Size len)
{
	Header header = {.len = sizeof(EcDiskOldRow)};
	EcDiskOldRow disk = {0};

	memcpy(&disk, p, Min(len, sizeof(disk)));
	header.state = disk.state;
	header.natts = disk.natts;
	header.has_token = (disk.flags & EC_OLD_ROW_TOKEN) != 0;
	header.has_nulls = (disk.flags & EC_OLD_ROW_NULLS) != 0;
	header.possible = (disk.flags & ~(EC_OLD_ROW_TOKEN | EC_OLD_ROW_NULLS)) == 0;
	return header;
}

static Header
read_header(const uint8 *p, Size len)
{
	uint8 tag = p[EC_ROW_TAG_OFFSET];
	Header header = {.len = EC_ROW_TAG_OFFSET + sizeof(tag)};

	if ((tag & EC_ROW_TAG) == 0)
		return read_old_header(p, len);
	header.state = tag & EC_ROW_TAG_STATE;
	header.has_token = (tag & EC_ROW_TAG_TOKEN) != 0;
	header.has_nulls = (tag & EC_ROW_TAG_NULLS) != 0;
	header.possible = (tag & ~(EC_ROW_TAG | EC_ROW_TAG_STATE | EC_ROW_TAG_TOKEN | EC_ROW_TAG_NULLS |
							   EC_ROW_TAG_WIDE)) == 0;
	if ((tag & EC_ROW_TAG_WIDE) != 0)
	{
		/* if it is cut off the prefix is, too */
		memcpy(&header.natts, p + header.len, Min(sizeof(header.natts), len - header.len));
		header.len += sizeof(header.natts);
	}
	else if (header.state == EC_ROW_DATA)
	{
		header.possible &= len > header.len;
		header.natts = header.possible ? p[header.len] : 0;
		header.len++;
	}
	return header;
}

static bool
header_possible(const Header *header)
{
	bool data = header->state == EC_ROW_DATA;

	return header->possible && header->state >= EC_ROW_LIVE && header->state <= EC_ROW_DATA &&
		   header->natts <= MaxHeapAttributeNumber &&
		   (data || (header->natts == 0 && !header->has_nulls));
}

void
ec_row_parse(Relation rel, HeapTuple tuple, const EcCatalogTuple *opened, EcRow *row)
{
	const uint8 *p = opened->payload;
	uint32 checksum;
	Header header;
	Size prefix;

	if (opened->len <= EC_ROW_TAG_OFFSET)
		ec_catalog_tuple_damaged(rel, tuple, "It is too short for a row.");
	memcpy(&checksum, p, sizeof(checksum));
	if (checksum != payload_checksum(p, opened->len, opened->number))
		ec_catalog_tuple_damaged(rel, tuple, "Its checksum is wrong.");
	header = read_header(p, opened->len);
	prefix = header.len + (header.has_token ? sizeof(row->token) : 0) +
			 (header.has_nulls ? BITMAPLEN(header.natts) : 0);
	if (!header_possible(&header) || opened->len < prefix)
		ec_catalog_tuple_damaged(rel, tuple, "It is no row that could be written.");

	row->number = opened->number;
	row->state = header.state;
	row->ctid = tuple->t_self;
	row->xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
	row->cmin = HeapTupleHeaderGetRawCommandId(tuple->t_data);
	row->natts = header.natts;
	row->token = 0;
	p += header.len;
	if (header.has_token)
	{
		memcpy(&row->token, p, sizeof(row->token));
		p += sizeof(row->token);
	}
	row->nulls = header.has_nulls ? p : NULL;
	row->data = opened->payload + prefix;
	row->data_len = opened->len - prefix;
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

/* Has somebody else taken a tuple of a row that the snapshot sees?  If it was compaction, there may be a tombstone. */
static bool
may_have_moved(HeapTuple tuple, Snapshot snapshot)
{
	uint16 infomask = tuple->t_data->t_infomask;

	return IsMVCCSnapshot(snapshot) && (infomask & HEAP_XMAX_INVALID) == 0 &&
		   !HEAP_XMAX_IS_LOCKED_ONLY(infomask);
}

/* Again: *row lives as long as the search stands at its tuple. */
static EcRowFound
return_to(EcCompanion *c, int64 number, const ItemPointerData *ctid, EcRow *row)
{
	EcCatalogTuple opened;
	HeapTuple tuple;

	ec_companion_search(c, EC_CATALOG_ROW, number);
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		ec_row_parse(c->main, tuple, &opened, row);
		if (ItemPointerEquals(&row->ctid, (ItemPointer) ctid))
			return EC_ROW_HERE;
	}
	elog(ERROR, "tuple of row " INT64_FORMAT " of table \"%s\" is gone", number,
		 RelationGetRelationName(c->main));
}

/*
 * A snapshot that sees a tombstone doesn't see the row, whatever else there is; see
 * the top about headers left by a crash.
 */
EcRowFound
ec_row_probe(EcCompanion *c, int64 number, Snapshot snapshot, EcRow *row, EcRowDirty *dirty)
{
	EcRowFound found = EC_ROW_UNKNOWN;
	ItemPointerData here;
	EcCatalogTuple opened;
	HeapTuple tuple;

	memset(dirty, 0, sizeof(*dirty));
	ItemPointerSetInvalid(&here);
	ec_companion_search(c, EC_CATALOG_ROW, number);
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		EcRowFound now;

		ec_row_parse(c->main, tuple, &opened, row);
		now = judge(c, tuple, row, snapshot, dirty);
		if (now == EC_ROW_HERE && !may_have_moved(tuple, snapshot))
			return now;
		if (now == EC_ROW_HERE)
			here = row->ctid;
		if (now == EC_ROW_GONE || (now == EC_ROW_IN_GROUP && found == EC_ROW_UNKNOWN))
			found = now;
	}
	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
	{
		snapshot->xmin = snapshot->xmax = InvalidTransactionId;
		snapshot->speculativeToken = 0;
	}
	return ItemPointerIsValid(&here) && found != EC_ROW_GONE ? return_to(c, number, &here, row)
															 : found;
}

/* What heap has removed of it already it has told standbys. */
void
ec_row_advance_horizon(EcCompanion *c, int64 number, TransactionId *horizon)
{
	EcCatalogTuple opened;
	HeapTuple tuple;

	ec_companion_search(c, EC_CATALOG_ROW, number);
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		TransactionId xmin = HeapTupleHeaderGetXmin(tuple->t_data);

		ec_compat_advance_conflict_horizon(tuple->t_data, horizon);
		if (ec_row_peek_state(&opened) == EC_ROW_DEAD && TransactionIdIsNormal(xmin) &&
			TransactionIdDidCommit(xmin) &&
			(!TransactionIdIsValid(*horizon) || TransactionIdFollows(xmin, *horizon)))
			*horizon = xmin;
	}
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
