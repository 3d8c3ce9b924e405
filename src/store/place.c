/*
 * place.c
 *	  PLACE tuples of the companion; see place.h.
 */
#include "postgres.h"

#include <xxhash.h>

#include "access/heapam.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/counters.h"
#include "store/mask.h"
#include "store/page.h"
#include "store/place.h"
#include "store/row.h"
#include "store/tid.h"

#define SPAN_OF(number) ((number) >> EC_CATALOG_SEQ_BITS)

/* A PLACE tuple is worth while if so many more rows like the last one fit into the page. */
#define ROWS_MIN 3

static uint32
checksum(int64 number, uint32 block)
{
	return (uint32) XXH3_64bits_withSeed(&block, sizeof(block), (XXH64_hash_t) number);
}

static BlockNumber
read_block(Relation rel, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcDiskPlace disk = {0};

	memcpy(&disk, opened->payload, Min(opened->len, sizeof(disk)));
	if (opened->len != sizeof(disk) || disk.checksum != checksum(opened->number, disk.block))
		ec_catalog_tuple_damaged(rel, tuple, "It does not say where rows are.");
	return disk.block;
}

void
ec_place_check(Relation rel, HeapTuple tuple, const EcCatalogTuple *opened)
{
	(void) read_block(rel, tuple, opened);
}

/* ------------------------------------------------------------------------
 * Pages
 * ------------------------------------------------------------------------
 */

/* Kind and number of a tuple that isn't checked yet; false if there is none. */
static inline bool
peek_key(Page page, OffsetNumber offset, uint32 key[2], EcCatalogTuple *opened)
{
	const Size start = MAXALIGN(SizeofHeapTupleHeader);
	ItemId item = PageGetItemId(page, offset);
	const char *p;

	if (!ItemIdIsNormal(item) || ItemIdGetLength(item) < start + 2 * sizeof(uint32) + 1 ||
		ItemIdGetOffset(item) + ItemIdGetLength(item) > BLCKSZ)
		return false;
	p = (const char *) PageGetItem(page, item) + start;
	memcpy(key, p, 2 * sizeof(uint32));
	p += 2 * sizeof(uint32);
	opened->payload = (const uint8 *) VARDATA_ANY(p);
	opened->len =
		ItemIdGetLength(item) - (opened->payload - (const uint8 *) PageGetItem(page, item));
	return true;
}

static inline bool
is_data(const EcCatalogTuple *opened)
{
	return ec_row_peek_state(opened) == EC_ROW_DATA;
}

OffsetNumber
ec_place_search_page(EcCompanion *c, Buffer buffer, OffsetNumber from, int64 number)
{
	const uint32 id = EC_CATALOG_CHUNK_ID(EC_CATALOG_ROW, number);
	const uint32 seq = EC_CATALOG_CHUNK_SEQ(number);
	Page page = BufferGetPage(buffer);
	OffsetNumber last = PageGetMaxOffsetNumber(page);

	for (OffsetNumber i = from; i <= last; i++)
	{
		EcCatalogTuple opened;
		uint32 key[2];

		if (peek_key(page, i, key, &opened) && key[1] == seq && key[0] == id && is_data(&opened))
			return i;
	}
	return InvalidOffsetNumber;
}

/* The least number of a row tuple (EC_ROW_DATA) in the page that isn't below "from"; INT64_MAX if there is none. */
static int64
least_number(Buffer buffer, int64 from)
{
	const uint32 id = EC_CATALOG_CHUNK_ID(EC_CATALOG_ROW, from);
	const uint32 seq = EC_CATALOG_CHUNK_SEQ(from);
	Page page = BufferGetPage(buffer);
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	uint32 least = PG_UINT32_MAX;

	for (OffsetNumber i = FirstOffsetNumber; i <= last; i++)
	{
		EcCatalogTuple opened;
		uint32 key[2];

		if (peek_key(page, i, key, &opened) && key[0] == id && key[1] >= seq && key[1] < least &&
			is_data(&opened))
			least = key[1];
	}
	return least == PG_UINT32_MAX ? PG_INT64_MAX : from - seq + least;
}

/* A row's tuple with a damaged key may look like one of these. */
static void
check_tuple(Relation rel, HeapTuple tuple)
{
	EcCatalogTuple opened;
	EcDiskSummary summary;
	EcRow row;

	ec_catalog_open_tuple(rel, tuple, &opened);
	if (opened.kind == EC_CATALOG_ROW)
		ec_row_parse(rel, tuple, &opened, &row);
	else if (opened.kind == EC_CATALOG_MASK)
		(void) ec_mask_count(rel, opened.number, opened.payload, opened.len);
	else if (opened.kind == EC_CATALOG_PLACE)
		(void) read_block(rel, tuple, &opened);
	else if (opened.kind == EC_CATALOG_SUMMARY)
		ec_summary_check_header(rel, opened.number, opened.payload, opened.len, &summary);
	else if (opened.kind == EC_CATALOG_COUNTERS)
		ec_counters_check(rel, tuple, &opened);
}

void
ec_place_check_page(EcCompanion *c, Buffer buffer)
{
	Page page = BufferGetPage(buffer);
	OffsetNumber last = PageGetMaxOffsetNumber(page);

	for (OffsetNumber i = FirstOffsetNumber; i <= last; i++)
	{
		ItemId item = PageGetItemId(page, i);
		HeapTupleData tuple;

		if (!ItemIdIsNormal(item))
			continue;
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		tuple.t_tableOid = RelationGetRelid(c->heap);
		ItemPointerSet(&tuple.t_self, BufferGetBlockNumber(buffer), i);
		check_tuple(c->main, &tuple);
	}
}

/* ------------------------------------------------------------------------
 * Finding
 * ------------------------------------------------------------------------
 */

BlockNumber
ec_place_find(EcCompanion *c, int64 number)
{
	EcCatalogTuple opened;
	HeapTuple tuple;

	ec_companion_search_back(c, EC_CATALOG_PLACE, number);
	tuple = ec_companion_next(c, &opened);
	return tuple == NULL ? InvalidBlockNumber : read_block(c->main, tuple, &opened);
}

/* The first PLACE tuple from this number on; "end" if there is none below. */
static int64
first_place(EcCompanion *c, int64 number, int64 end)
{
	EcCatalogTuple opened;

	ec_companion_search_from(c, EC_CATALOG_PLACE, number);
	if (ec_companion_next(c, &opened) != NULL)
		end = Min(end, opened.number);
	ec_companion_rest(c);
	return end;
}

static int64
least_in_block(EcCompanion *c, BlockNumber block, int64 number)
{
	Buffer buffer = BlockNumberIsValid(block) ? ec_companion_pin(c, block) : InvalidBuffer;
	int64 least;

	if (!BufferIsValid(buffer))
		return PG_INT64_MAX;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	least = least_number(buffer, number);
	if (least != number)
		ec_place_check_page(c, buffer);
	UnlockReleaseBuffer(buffer);
	return least;
}

/*
 * Where rows from this number on are may be told by a place before it and by one
 * behind it.  Mostly there are none, or only behind.
 */
int64
ec_place_next_number(EcCompanion *c, int64 number, int64 end)
{
	int64 first = first_place(c, SPAN_OF(number) << EC_CATALOG_SEQ_BITS, end);

	if (first > number || first == end)
		return first;
	end = Min(end, least_in_block(c, ec_place_find(c, number), number));
	return end > number + 1 ? first_place(c, number + 1, end) : end;
}

/* ------------------------------------------------------------------------
 * Inserting
 * ------------------------------------------------------------------------
 */

static void
put_place(EcCompanion *c, int64 number, BlockNumber block, CommandId cid, int options,
		  ItemPointer tid)
{
	EcDiskPlace disk = {.checksum = checksum(number, block), .block = block};

	ec_companion_put(c, EC_CATALOG_PLACE, number, &disk, sizeof(disk), cid, options, tid);
}

/* The tuple may have been replaced by anything since. */
static bool
still_there(Page page, const EcPlace *place)
{
	const Size len =
		MAXALIGN(SizeofHeapTupleHeader) + 2 * sizeof(uint32) + VARHDRSZ + sizeof(EcDiskPlace);
	OffsetNumber offset = ItemPointerGetOffsetNumber(&place->tid);
	EcCatalogTuple opened;
	EcDiskPlace disk;
	ItemId item;
	uint32 key[2];

	if (offset > PageGetMaxOffsetNumber(page) || !peek_key(page, offset, key, &opened) ||
		key[0] != EC_CATALOG_CHUNK_ID(EC_CATALOG_PLACE, place->first) ||
		key[1] != EC_CATALOG_CHUNK_SEQ(place->first))
		return false;
	item = PageGetItemId(page, offset);
	if (ItemIdGetLength(item) != len || opened.len != sizeof(disk))
		return false;
	memcpy(&disk, opened.payload, sizeof(disk));
	return disk.block == place->block &&
		   (((HeapTupleHeader) PageGetItem(page, item))->t_infomask & HEAP_XMAX_INVALID) != 0;
}

/* Makes a PLACE tuple, if the page has room for it and for rows that will use it. */
static bool
make_place(EcCompanion *c, EcPlace *place, int64 number, Size space, Size row)
{
	if (space < ROWS_MIN * (row + sizeof(ItemIdData)))
		return false;
	put_place(c, number, place->block, FirstCommandId, HEAP_INSERT_FROZEN, &place->tid);

	/* others may have filled the page meanwhile: this row may rely on it, no other */
	if (ItemPointerGetBlockNumber(&place->tid) != place->block)
		ItemPointerSetInvalid(&place->tid);
	place->first = number;
	return true;
}

void
ec_place_row(EcCompanion *c, EcPlace *place, int64 run, int64 number, ItemPointer tid)
{
	BlockNumber block = ItemPointerGetBlockNumber(tid);
	bool follows = place->block == block && place->number >= run &&
				   SPAN_OF(place->number) == SPAN_OF(number) &&
				   RelFileLocatorEquals(place->companion, c->heap->rd_locator);
	bool found = false;

	if (follows)
	{
		Buffer buffer = ReadBuffer(c->heap, block);
		Page page = BufferGetPage(buffer);
		Size space;
		Size row;

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		found = ItemPointerIsValid(&place->tid) && still_there(page, place);
		space = PageGetHeapFreeSpace(page);
		row = ItemIdGetLength(PageGetItemId(page, ItemPointerGetOffsetNumber(tid)));
		UnlockReleaseBuffer(buffer);
		if (!found)
			found = make_place(c, place, number, space, row);
	}
	if (!found)
	{
		ec_companion_insert_index(c, EC_CATALOG_ROW, number, tid);
		ItemPointerSetInvalid(&place->tid);
	}
	place->companion = c->heap->rd_locator;
	place->block = block;
	place->number = number;
}

/* ------------------------------------------------------------------------
 * Dropping
 * ------------------------------------------------------------------------
 */

/* May there be rows that rely on it?  The number of the next PLACE tuple doesn't matter: a page has few. */
static bool
is_needed(EcCompanion *c, BlockNumber block, int64 number)
{
	return least_in_block(c, block, number) != PG_INT64_MAX;
}

static bool
drop_place(EcCompanion *c, int64 number, BlockNumber block, ItemPointer tid)
{
	CommandId cid = GetCurrentCommandId(true);

	if (is_needed(c, block, number) || !ec_companion_claim(c, tid, cid))
		return false;
	if (!is_needed(c, block, number))
		return true;

	/* not frozen: if this transaction rolls back, the old one is there again */
	put_place(c, number, block, cid, 0, NULL);
	return false;
}

int64
ec_place_drop(EcCompanion *c)
{
	int64 dropped = 0;
	EcDiskMeta meta;

	if (!ec_meta_read(c->main, &meta))
		return 0;
	for (int64 span = 0; span <= SPAN_OF(meta.next_row); span++)
	{
		EcCatalogTuple opened;
		HeapTuple tuple;

		ec_companion_search_from(c, EC_CATALOG_PLACE, span << EC_CATALOG_SEQ_BITS);
		while ((tuple = ec_companion_next(c, &opened)) != NULL)
		{
			BlockNumber block = read_block(c->main, tuple, &opened);
			ItemPointerData tid = tuple->t_self;

			ec_compat_vacuum_delay_point();
			if (ec_companion_sees(c, tuple, SnapshotSelf))
				dropped += drop_place(c, opened.number, block, &tid);
		}
	}
	ec_companion_rest(c);
	return dropped;
}
