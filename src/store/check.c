/*
 * check.c
 *	  Headers of pages and tuples of the companion, checked for what they can be.
 *
 * What can't be told from what was written: another transaction id of the same
 * range, a lock that is or isn't there, a hint bit that says of an unfinished
 * transaction what its end has not said yet.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/transam.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

#include "store/catalog.h"
#include "store/check.h"

/* ------------------------------------------------------------------------
 * Pages
 * ------------------------------------------------------------------------
 */

/* A bit for each place where a tuple may start. */
#define STARTS (BLCKSZ / MAXIMUM_ALIGNOF)

typedef struct Starts
{
	uint64 words[STARTS / 64];
} Starts;

static inline bool
is_start(const Starts *starts, uint32 offset)
{
	uint32 i = offset / MAXIMUM_ALIGNOF;

	return (starts->words[i / 64] >> i % 64 & 1) != 0;
}

static inline void
set_start(Starts *starts, uint32 offset)
{
	uint32 i = offset / MAXIMUM_ALIGNOF;

	starts->words[i / 64] |= UINT64CONST(1) << i % 64;
}

static bool
header_possible(PageHeader header)
{
	return header->pd_special == BLCKSZ && header->pd_lower >= SizeOfPageHeaderData &&
		   header->pd_lower <= header->pd_upper && header->pd_upper <= BLCKSZ &&
		   (header->pd_lower - SizeOfPageHeaderData) % sizeof(ItemIdData) == 0 &&
		   PageGetMaxOffsetNumber((Page) header) <= MaxHeapTuplesPerPage &&
		   header->pd_upper == MAXALIGN(header->pd_upper) &&
		   (header->pd_flags & ~PD_VALID_FLAG_BITS) == 0 &&
		   PageGetPageSize((Page) header) == BLCKSZ &&
		   PageGetPageLayoutVersion((Page) header) == PG_PAGE_LAYOUT_VERSION;
}

/* Notes where a tuple starts; false if no tuple can stand there. */
static bool
add_item(Page page, ItemId item, Starts *starts, Size *sum)
{
	uint32 offset = ItemIdGetOffset(item);
	uint32 len = ItemIdGetLength(item);

	if (!ItemIdIsNormal(item))
		return len == 0 && (offset == 0 || ItemIdIsRedirected(item));
	if (offset != MAXALIGN(offset) || offset < ((PageHeader) page)->pd_upper ||
		offset + len > BLCKSZ || len < SizeofHeapTupleHeader || is_start(starts, offset))
		return false;
	set_start(starts, offset);
	*sum += MAXALIGN(len);
	return true;
}

/* Tuples stand side by side, from pd_upper to the end of the page. */
static bool
items_possible(Page page)
{
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	Starts starts = {{0}};
	Size sum = 0;

	for (OffsetNumber i = FirstOffsetNumber; i <= last; i++)
	{
		if (!add_item(page, PageGetItemId(page, i), &starts, &sum))
			return false;
	}
	for (OffsetNumber i = FirstOffsetNumber; i <= last; i++)
	{
		ItemId item = PageGetItemId(page, i);
		uint32 end = ItemIdGetOffset(item) + MAXALIGN(ItemIdGetLength(item));

		if (ItemIdIsNormal(item) && end < BLCKSZ && !is_start(&starts, end))
			return false;
	}
	return sum == (Size) (BLCKSZ - ((PageHeader) page)->pd_upper);
}

/* The same, quicker, for tuples that stand in order: each right before the last one. */
static bool
items_in_order(Page page)
{
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	uint32 end = BLCKSZ;

	for (OffsetNumber i = FirstOffsetNumber; i <= last; i++)
	{
		ItemId item = PageGetItemId(page, i);

		if (!ItemIdIsNormal(item))
			return false;
		if (ItemIdGetOffset(item) + MAXALIGN(ItemIdGetLength(item)) != end ||
			ItemIdGetLength(item) < SizeofHeapTupleHeader)
			return false;
		end = ItemIdGetOffset(item);
	}
	return end == ((PageHeader) page)->pd_upper;
}

void
ec_check_page(Relation rel, Buffer buffer)
{
	Page page = BufferGetPage(buffer);

	if (PageIsNew(page) ||
		(header_possible((PageHeader) page) && (items_in_order(page) || items_possible(page))))
		return;
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("block %u of the TOAST table of table \"%s\" is damaged",
						   BufferGetBlockNumber(buffer), RelationGetRelationName(rel)),
					errdetail("Its header or its line pointers are impossible.")));
}

/* Pruning believes what the page says, so it comes second; seldom is there any to do. */
void
ec_check_and_prune(Relation rel, Relation companion, Buffer buffer)
{
	if (!TransactionIdIsValid(((PageHeader) BufferGetPage(buffer))->pd_prune_xid))
		return;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	ec_check_page(rel, buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	heap_page_prune_opt(companion, buffer);
}

/* ------------------------------------------------------------------------
 * Tuples
 * ------------------------------------------------------------------------
 */

/* Bits that no tuple of a companion has: it has three columns, no HOT chains, and is no older than PostgreSQL 15. */
#define IMPOSSIBLE (HEAP_HASNULL | HEAP_HASEXTERNAL | HEAP_HASOID_OLD | HEAP_MOVED)
#define IMPOSSIBLE2 ((uint16) ~(HEAP_NATTS_MASK | HEAP_KEYS_UPDATED))

void
ec_check_begin(EcCheck *check, Relation rel, Relation companion)
{
	check->rel = rel;
	check->oldest = companion->rd_rel->relfrozenxid;
	check->oldest_multi = companion->rd_rel->relminmxid;
	check->next = check->oldest;
	check->next_multi = InvalidMultiXactId;
}

static bool
is_known(EcCheck *check, TransactionId xid)
{
	if (!TransactionIdIsNormal(xid) || TransactionIdPrecedes(xid, check->oldest))
		return false;
	if (TransactionIdPrecedes(xid, check->next))
		return true;
	check->next = ReadNextTransactionId();
	return TransactionIdPrecedes(xid, check->next);
}

static bool
is_known_multi(EcCheck *check, MultiXactId multi)
{
	if (!MultiXactIdIsValid(multi) || MultiXactIdPrecedes(multi, check->oldest_multi))
		return false;
	if (MultiXactIdIsValid(check->next_multi) && MultiXactIdPrecedes(multi, check->next_multi))
		return true;
	check->next_multi = ReadNextMultiXactId();
	return MultiXactIdPrecedes(multi, check->next_multi);
}

/* Hint bits that say "aborted" are rare and lasting: the commit log must not say otherwise. */
static bool
xmin_possible(EcCheck *check, HeapTupleHeader header)
{
	TransactionId xmin = HeapTupleHeaderGetRawXmin(header);

	if (HeapTupleHeaderXminFrozen(header))
		return true;
	return is_known(check, xmin) &&
		   ((header->t_infomask & HEAP_XMIN_INVALID) == 0 || !TransactionIdDidCommit(xmin));
}

/* An xmax that counts: the bits of row locks belong to lockers and multixacts only. */
static bool
valid_xmax_possible(EcCheck *check, HeapTupleHeader header)
{
	TransactionId xmax = HeapTupleHeaderGetRawXmax(header);
	uint16 mask = header->t_infomask;
	bool locks = (mask & (HEAP_XMAX_KEYSHR_LOCK | HEAP_XMAX_EXCL_LOCK)) != 0;
	bool only_locks = (mask & HEAP_XMAX_LOCK_ONLY) != 0;

	if ((mask & HEAP_XMAX_IS_MULTI) != 0)
		return (mask & HEAP_XMAX_COMMITTED) == 0 && is_known_multi(check, xmax);
	return is_known(check, xmax) && locks == only_locks;
}

static bool
xmax_possible(EcCheck *check, HeapTupleHeader header)
{
	TransactionId xmax = HeapTupleHeaderGetRawXmax(header);
	uint16 mask = header->t_infomask;

	if ((mask & HEAP_XMAX_INVALID) == 0)
		return valid_xmax_possible(check, header);
	if ((mask & HEAP_XMAX_COMMITTED) != 0)
		return false;
	return !TransactionIdIsValid(xmax) || (mask & (HEAP_XMAX_IS_MULTI | HEAP_XMAX_LOCK_ONLY)) ||
		   (is_known(check, xmax) && !TransactionIdDidCommit(xmax));
}

void
ec_check_closely(EcCheck *check, HeapTuple tuple)
{
	HeapTupleHeader header = tuple->t_data;

	if ((header->t_infomask & IMPOSSIBLE) != 0 || (header->t_infomask & HEAP_HASVARWIDTH) == 0 ||
		(header->t_infomask2 & IMPOSSIBLE2) != 0)
		ec_catalog_tuple_damaged(check->rel, tuple, "Its header has impossible bits.");

	/* taken back as heap_abort_speculative does (reservations) */
	if (!TransactionIdIsValid(HeapTupleHeaderGetRawXmin(header)) &&
		(header->t_infomask & HEAP_XMIN_COMMITTED) == 0)
		return;
	if (!xmin_possible(check, header))
		ec_catalog_tuple_damaged(check->rel, tuple,
								 "Its inserting transaction contradicts its bits.");
	if (!xmax_possible(check, header))
		ec_catalog_tuple_damaged(check->rel, tuple,
								 "Its deleting transaction contradicts its bits.");
}
