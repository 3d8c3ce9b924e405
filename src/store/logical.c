/*
 * logical.c
 *	  Writes changes of columnar tables to the log, for logical decoding.
 *
 * Decoding understands the heap's INSERT, UPDATE and DELETE records, of which it
 * takes the relation, the transaction and the tuples, and nothing else.  Ours are
 * such records.  Their only page is the first of the table's free space map, which
 * columnar tables don't use: an empty page, of which the record has a full image
 * (some 30 bytes without the hole).  So redo, which needs neither this library nor
 * a row, restores an empty page.  Nobody has that page in memory while writing, so
 * sessions don't wait for each other.
 *
 * Rows of a batch go many to a record, as heap_multi_insert's do.
 *
 * Records hold less than 64 kB of a new tuple.  Of longer ones the longest values
 * go before it in pieces, as insertions into the TOAST relation would be logged: as
 * records with an image of a page of that relation's free space map.  Only the log
 * has these; the companion itself does not.
 *
 * All is written with wal_level = logical only.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heapam_xlog.h"
#include "access/heaptoast.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "replication/origin.h"
#include "storage/bufmgr.h"
#include "storage/freespace.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "store/image.h"
#include "store/logical.h"

/* Longest new tuple of a record, and longest piece of a value. */
#define TUPLE_MAX 60000
#define PIECE_MAX 32000

/* Values shorter than this stay in their tuple. */
#define PIECES_MIN 64

/* Tuples and bytes of a record of several rows; longer rows have one of their own. */
#define MULTI_ROWS 500
#define MULTI_BYTES 32000
#define MULTI_TUPLE_MAX 4000

/* ------------------------------------------------------------------------
 * Records
 * ------------------------------------------------------------------------
 */

typedef struct TupleData
{
	xl_heap_header header;
	char *data;
	uint32 len;
} TupleData;

static TupleData
tuple_data(HeapTuple tuple)
{
	TupleData data = {
		.header.t_infomask2 = tuple->t_data->t_infomask2,
		.header.t_infomask = tuple->t_data->t_infomask,
		.header.t_hoff = tuple->t_data->t_hoff,
		.data = (char *) tuple->t_data + SizeofHeapTupleHeader,
		.len = tuple->t_len - SizeofHeapTupleHeader,
	};

	return data;
}

/* The first page of the companion's free space map, which it uses; locked. */
static Buffer
companion_page(Relation companion)
{
	Buffer buffer;

	if (!smgrexists(RelationGetSmgr(companion), FSM_FORKNUM) ||
		smgrnblocks(RelationGetSmgr(companion), FSM_FORKNUM) == 0)
		RecordPageWithFreeSpace(companion, 0, 0);
	buffer = ReadBufferExtended(companion, FSM_FORKNUM, 0, RBM_ZERO_ON_ERROR, NULL);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (PageIsNew(BufferGetPage(buffer)))
		PageInit(BufferGetPage(buffer), BLCKSZ, 0);
	return buffer;
}

/* Registers an empty page as the record's. */
static void
register_empty_page(Relation rel)
{
	static PGAlignedBlock empty;

	if (PageIsNew((Page) empty.data))
		PageInit((Page) empty.data, BLCKSZ, 0);
	XLogRegisterBlock(0, &rel->rd_locator, FSM_FORKNUM, 0, empty.data,
					  REGBUF_FORCE_IMAGE | REGBUF_KEEP_DATA | REGBUF_STANDARD);
}

/* "main" begins the record, then comes the old tuple; the new one goes with the page. */
static void
log_change(Relation rel, uint8 info, void *main, Size main_len, HeapTuple old, HeapTuple new)
{
	TupleData old_data;
	TupleData new_data;

	GetCurrentTransactionId();
	XLogBeginInsert();
	XLogRegisterData(main, main_len);
	if (old != NULL)
	{
		old_data = tuple_data(old);
		XLogRegisterData((char *) &old_data.header, SizeOfHeapHeader);
		XLogRegisterData(old_data.data, old_data.len);
	}
	register_empty_page(rel);
	if (new != NULL)
	{
		new_data = tuple_data(new);
		XLogRegisterBufData(0, (char *) &new_data.header, SizeOfHeapHeader);
		XLogRegisterBufData(0, new_data.data, new_data.len);
	}
	XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
	XLogInsert(RM_HEAP_ID, info);
}

/* A piece of a value, as an insertion into the companion. */
static void
log_piece(Relation companion, HeapTuple tuple)
{
	xl_heap_insert record = {.offnum = FirstOffsetNumber,
							 .flags = XLH_INSERT_CONTAINS_NEW_TUPLE | XLH_INSERT_ON_TOAST_RELATION};
	TupleData data = tuple_data(tuple);
	Buffer buffer = companion_page(companion);
	XLogRecPtr lsn;

	GetCurrentTransactionId();
	START_CRIT_SECTION();
	MarkBufferDirty(buffer);
	XLogBeginInsert();
	XLogRegisterData((char *) &record, SizeOfHeapInsert);
	XLogRegisterBuffer(0, buffer, REGBUF_FORCE_IMAGE | REGBUF_KEEP_DATA);
	XLogRegisterBufData(0, (char *) &data.header, SizeOfHeapHeader);
	XLogRegisterBufData(0, data.data, data.len);
	XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
	lsn = XLogInsert(RM_HEAP_ID, XLOG_HEAP_INSERT);
	PageSetLSN(BufferGetPage(buffer), lsn);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}

/* ------------------------------------------------------------------------
 * New tuples
 * ------------------------------------------------------------------------
 */

/* Logs a value in pieces and returns a pointer to it. */
static Datum
log_pieces(Relation companion, Oid value_id, Datum value)
{
	struct varlena *plain = detoast_attr((struct varlena *) DatumGetPointer(value));
	char *piece = palloc(VARHDRSZ + PIECE_MAX);
	uint32 len = VARSIZE(plain) - VARHDRSZ;
	varatt_external pointer = {
		.va_rawsize = len + VARHDRSZ,
		.va_extinfo = len,
		.va_valueid = value_id,
		.va_toastrelid = RelationGetRelid(companion),
	};
	struct varlena *result = palloc0(TOAST_POINTER_SIZE);

	for (uint32 at = 0; at < len; at += PIECE_MAX)
	{
		uint32 n = Min(len - at, PIECE_MAX);
		Datum values[3] = {ObjectIdGetDatum(value_id), Int32GetDatum(at / PIECE_MAX),
						   PointerGetDatum(piece)};
		bool isnull[3] = {false};
		HeapTuple tuple;

		SET_VARSIZE(piece, VARHDRSZ + n);
		memcpy(VARDATA(piece), VARDATA(plain) + at, n);
		tuple = heap_form_tuple(RelationGetDescr(companion), values, isnull);
		log_piece(companion, tuple);
		heap_freetuple(tuple);
	}
	SET_VARTAG_EXTERNAL(result, VARTAG_ONDISK);
	memcpy(VARDATA_EXTERNAL(result), &pointer, sizeof(pointer));
	return PointerGetDatum(result);
}

/* The longest value that can go in pieces, or -1. */
static int
longest_value(TupleDesc tupdesc, const Datum *values, const bool *isnull)
{
	Size longest = PIECES_MIN;
	int result = -1;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Size size;

		if (isnull[i] || TupleDescAttr(tupdesc, i)->attlen != -1 ||
			VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(values[i])))
			continue;
		size = VARSIZE_ANY(DatumGetPointer(values[i]));
		if (size > longest)
		{
			longest = size;
			result = i;
		}
	}
	return result;
}

/* Logs the longest values of a tuple until the rest is as short as a heap's. */
static HeapTuple
shorten(Relation rel, HeapTuple tuple)
{
	TupleDesc tupdesc = RelationGetDescr(rel);
	Relation companion = table_open(rel->rd_rel->reltoastrelid, RowExclusiveLock);
	Datum *values = palloc(tupdesc->natts * sizeof(Datum));
	bool *isnull = palloc(tupdesc->natts * sizeof(bool));
	Oid value_id = 0;
	int i;

	heap_deform_tuple(tuple, tupdesc, values, isnull);
	while (tuple->t_len > MaxHeapTupleSize && (i = longest_value(tupdesc, values, isnull)) >= 0)
	{
		values[i] = log_pieces(companion, ++value_id, values[i]);
		tuple = heap_form_tuple(tupdesc, values, isnull);
	}
	table_close(companion, NoLock);
	if (tuple->t_len > TUPLE_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a row of table \"%s\" is too long for logical decoding",
							   RelationGetRelationName(rel))));
	return tuple;
}

/* A tuple without pointers to values elsewhere. */
static HeapTuple
whole_tuple(TupleDesc tupdesc, const Datum *values, const bool *isnull)
{
	HeapTuple tuple = heap_form_tuple(tupdesc, (Datum *) values, (bool *) isnull);

	return HeapTupleHasExternal(tuple) ? toast_flatten_tuple(tuple, tupdesc) : tuple;
}

static HeapTuple
new_tuple(Relation rel, const Datum *values, const bool *isnull)
{
	HeapTuple tuple = whole_tuple(RelationGetDescr(rel), values, isnull);

	return tuple->t_len > TUPLE_MAX ? shorten(rel, tuple) : tuple;
}

/* ------------------------------------------------------------------------
 * Old tuples
 * ------------------------------------------------------------------------
 */

static bool
key_changed(TupleDesc tupdesc, Bitmapset *key, TupleTableSlot *old, TupleTableSlot *new)
{
	int i = -1;

	while ((i = bms_next_member(key, i)) >= 0)
	{
		int att = i + FirstLowInvalidHeapAttributeNumber - 1;
		Form_pg_attribute attr = TupleDescAttr(tupdesc, att);

		if (old->tts_isnull[att] != new->tts_isnull[att])
			return true;
		if (!old->tts_isnull[att] && !datum_image_eq(old->tts_values[att], new->tts_values[att],
													 attr->attbyval, attr->attlen))
			return true;
	}
	return false;
}

/* What REPLICA IDENTITY wants of a row that goes; new: its next version, or NULL. */
static HeapTuple
old_tuple(Relation rel, TupleTableSlot *old, TupleTableSlot *new)
{
	TupleDesc tupdesc = RelationGetDescr(rel);
	Bitmapset *key;
	bool *isnull;

	if (rel->rd_rel->relreplident == REPLICA_IDENTITY_NOTHING)
		return NULL;
	slot_getallattrs(old);
	if (rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL)
		return whole_tuple(tupdesc, old->tts_values, old->tts_isnull);
	key = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY);
	if (bms_is_empty(key) || (new != NULL && !key_changed(tupdesc, key, old, new)))
		return NULL;
	isnull = palloc(tupdesc->natts * sizeof(bool));
	for (int i = 0; i < tupdesc->natts; i++)
		isnull[i] =
			old->tts_isnull[i] || !bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, key);
	return whole_tuple(tupdesc, old->tts_values, isnull);
}

/* ------------------------------------------------------------------------
 * Interface
 * ------------------------------------------------------------------------
 */

static MemoryContext
begin_change(MemoryContext *old)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight logical", ALLOCSET_DEFAULT_SIZES);

	*old = MemoryContextSwitchTo(context);
	return context;
}

static void
end_change(MemoryContext context, MemoryContext old)
{
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static void
log_insert(Relation rel, HeapTuple tuple)
{
	xl_heap_insert record = {.offnum = FirstOffsetNumber, .flags = XLH_INSERT_CONTAINS_NEW_TUPLE};

	log_change(rel, XLOG_HEAP_INSERT, &record, SizeOfHeapInsert, NULL, tuple);
}

void
ec_logical_insert(Relation rel, TupleTableSlot *slot)
{
	MemoryContext old;
	MemoryContext context;

	if (!ec_logical_wanted(rel))
		return;
	slot_getallattrs(slot);
	context = begin_change(&old);
	log_insert(rel, new_tuple(rel, slot->tts_values, slot->tts_isnull));
	end_change(context, old);
}

static uint8
old_flag(Relation rel, HeapTuple old, uint8 whole, uint8 key)
{
	if (old == NULL)
		return 0;
	return rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL ? whole : key;
}

void
ec_logical_update(Relation rel, TupleTableSlot *old, TupleTableSlot *new)
{
	xl_heap_update record = {.old_offnum = FirstOffsetNumber, .new_offnum = FirstOffsetNumber};
	MemoryContext context;
	MemoryContext caller;
	HeapTuple before;

	if (!ec_logical_wanted(rel))
		return;
	slot_getallattrs(new);
	context = begin_change(&caller);
	before = old_tuple(rel, old, new);
	record.old_xmax = GetCurrentTransactionId();
	record.flags =
		XLH_UPDATE_CONTAINS_NEW_TUPLE |
		old_flag(rel, before, XLH_UPDATE_CONTAINS_OLD_TUPLE, XLH_UPDATE_CONTAINS_OLD_KEY);
	log_change(rel, XLOG_HEAP_UPDATE, &record, SizeOfHeapUpdate, before,
			   new_tuple(rel, new->tts_values, new->tts_isnull));
	end_change(context, caller);
}

void
ec_logical_delete(Relation rel, TupleTableSlot *old)
{
	xl_heap_delete record = {.offnum = FirstOffsetNumber};
	MemoryContext context;
	MemoryContext caller;
	HeapTuple before;

	if (!ec_logical_wanted(rel))
		return;
	context = begin_change(&caller);
	before = old_tuple(rel, old, NULL);
	record.xmax = GetCurrentTransactionId();
	record.flags =
		old_flag(rel, before, XLH_DELETE_CONTAINS_OLD_TUPLE, XLH_DELETE_CONTAINS_OLD_KEY);
	log_change(rel, XLOG_HEAP_DELETE, &record, SizeOfHeapDelete, before, NULL);
	end_change(context, caller);
}

/* Rows that wait for their record. */
typedef struct MultiInsert
{
	xl_heap_multi_insert record;
	OffsetNumber offsets[MULTI_ROWS]; /* of the record, behind its head */
	char data[MULTI_BYTES + MULTI_TUPLE_MAX + SizeOfMultiInsertTuple + 1];
	Size len;
} MultiInsert;

static void
log_multi(Relation rel, MultiInsert *multi)
{
	if (multi->record.ntuples == 0)
		return;
	GetCurrentTransactionId();
	multi->record.flags = XLH_INSERT_CONTAINS_NEW_TUPLE | XLH_INSERT_LAST_IN_MULTI;
	XLogBeginInsert();
	XLogRegisterData((char *) &multi->record, SizeOfHeapMultiInsert);
	XLogRegisterData((char *) multi->offsets, multi->record.ntuples * sizeof(OffsetNumber));
	register_empty_page(rel);
	XLogRegisterBufData(0, multi->data, multi->len);
	XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
	XLogInsert(RM_HEAP2_ID, XLOG_HEAP2_MULTI_INSERT);
	multi->record.ntuples = 0;
	multi->len = 0;
}

static void
add_to_multi(Relation rel, MultiInsert *multi, HeapTuple tuple)
{
	TupleData data = tuple_data(tuple);
	xl_multi_insert_tuple header = {
		.datalen = data.len,
		.t_infomask2 = data.header.t_infomask2,
		.t_infomask = data.header.t_infomask,
		.t_hoff = data.header.t_hoff,
	};

	if (multi->len % 2 != 0)
		multi->data[multi->len++] = 0;
	memcpy(multi->data + multi->len, &header, SizeOfMultiInsertTuple);
	multi->len += SizeOfMultiInsertTuple;
	memcpy(multi->data + multi->len, data.data, data.len);
	multi->len += data.len;
	multi->offsets[multi->record.ntuples++] = FirstOffsetNumber;
	if (multi->record.ntuples == MULTI_ROWS || multi->len >= MULTI_BYTES)
		log_multi(rel, multi);
}

/* In the order of the rows. */
static void
log_row(Relation rel, MultiInsert *multi, const Datum *values, const bool *isnull)
{
	HeapTuple tuple = whole_tuple(RelationGetDescr(rel), values, isnull);

	if (tuple->t_len <= MULTI_TUPLE_MAX)
	{
		add_to_multi(rel, multi, tuple);
		return;
	}
	log_multi(rel, multi);
	log_insert(rel, tuple->t_len > TUPLE_MAX ? shorten(rel, tuple) : tuple);
}

void
ec_logical_batch(Relation rel, EcBatch *batch)
{
	TupleDesc tupdesc = RelationGetDescr(rel);
	MemoryContext caller;
	MemoryContext context;
	MemoryContext row_context;
	MultiInsert *multi;
	EcVector *views;
	Datum *values;
	bool *isnull;

	if (!ec_logical_wanted(rel))
		return;
	context = begin_change(&caller);
	row_context = AllocSetContextCreate(context, "ecinsight logical row", ALLOCSET_DEFAULT_SIZES);
	multi = palloc0(sizeof(MultiInsert));
	views = ec_image_views(batch);
	values = palloc0(Max(tupdesc->natts, 1) * sizeof(Datum));
	isnull = palloc(Max(tupdesc->natts, 1) * sizeof(bool));
	memset(isnull, true, tupdesc->natts * sizeof(bool));
	for (uint32 row = 0; row < batch->nrows; row++)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(row_context);
		ec_image_row(batch, views, row, values, isnull);
		log_row(rel, multi, values, isnull);
		MemoryContextReset(row_context);
	}
	log_multi(rel, multi);
	end_change(context, caller);
}
