/*
 * page.c
 *	  Pages of a columnar table's main fork; the only file that touches them.
 *
 * Locks: counters change under the metapage's exclusive content lock.  An extent
 * is taken from the free ones (space.c) or allocated at the end of the file under
 * the relation extension lock, which is released before the pages are filled:
 * nobody else knows them until the descriptor is inserted, so holding several of
 * their content locks at once can't deadlock.
 *
 * WAL: the metapage by generic WAL, the pages of an extent as full images.  A
 * standby replays both without this library.  A crash leaves at worst allocated
 * pages that no descriptor mentions.
 */
#include "postgres.h"

#include <xxhash.h>

#include "access/generic_xlog.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "catalog/pg_control.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/counters.h"
#include "store/page.h"
#include "store/space.h"
#include "store/tid.h"

/* Warn when so few row numbers are left. */
#define ROW_NUMBERS_LOW (EC_ROW_NUMBER_END / 20)

static inline EcPageTail *
page_tail(Page page)
{
	return (EcPageTail *) PageGetSpecialPointer(page);
}

static void
init_page(Page page, EcPageKind kind, uint32 index)
{
	EcPageTail *tail;

	PageInit(page, BLCKSZ, sizeof(EcPageTail));
	tail = page_tail(page);
	tail->index = index;
	tail->kind = kind;
	tail->page_id = EC_PAGE_ID;
}

static void
set_payload(Page page, const void *data, Size len)
{
	memcpy(PageGetContents(page), data, len);
	((PageHeader) page)->pd_lower = SizeOfPageHeaderData + len;
}

static void
check_page(Relation rel, Buffer buffer, EcPageKind kind, uint32 index)
{
	Page page = BufferGetPage(buffer);
	EcPageTail *tail;

	if (!PageIsNew(page) && PageGetSpecialSize(page) == sizeof(EcPageTail))
	{
		tail = page_tail(page);
		if (tail->page_id == EC_PAGE_ID && tail->kind == kind && tail->index == index)
			return;
	}
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("block %u of table \"%s\" is not the page that was written there",
						   BufferGetBlockNumber(buffer), RelationGetRelationName(rel)),
					errdetail("Expected page kind %d with index %u.", kind, index)));
}

/* ------------------------------------------------------------------------
 * Metapage
 * ------------------------------------------------------------------------
 */

/* The metapage, pinned; allocated if the table has no block yet, or (counters.h) no more. */
static Buffer
pin_meta(Relation rel)
{
	if (RelationGetNumberOfBlocks(rel) == 0)
	{
		LockRelationForExtension(rel, ExclusiveLock);
		if (RelationGetNumberOfBlocks(rel) == 0)
			ec_compat_extend_relation(rel, 1);
		UnlockRelationForExtension(rel, ExclusiveLock);
	}
	return ReadBuffer(rel, EC_META_BLOCK);
}

static uint32
meta_checksum(const EcDiskMeta *meta)
{
	return (uint32) XXH3_64bits(meta, offsetof(EcDiskMeta, checksum));
}

static void
check_meta(Relation rel, Buffer buffer, const EcDiskMeta *meta)
{
	check_page(rel, buffer, EC_PAGE_META, 0);
	if (meta->magic != EC_META_MAGIC || meta->checksum != meta_checksum(meta))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("metapage of table \"%s\" is damaged", RelationGetRelationName(rel))));
	if (meta->version > EC_FORMAT_VERSION)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("table \"%s\" was written by a newer version of ecinsight",
							   RelationGetRelationName(rel)),
						errhint("Install the newer version of the extension's library.")));
}

/* Locks the metapage; true if it is new, *meta then what it begins with. */
static bool
lock_meta(Relation rel, Buffer buffer, EcDiskMeta *meta)
{
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (!PageIsNew(BufferGetPage(buffer)))
		return false;

	/* the companion is read without this lock */
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	(void) ec_counters_read(rel, meta);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	return PageIsNew(BufferGetPage(buffer));
}

/*
 * Applies a change to the metapage's counters under WAL; a new page starts at zero, or
 * where an earlier one ended.
 */
static void
meta_change(Relation rel, void (*change)(Relation rel, EcDiskMeta *meta, void *arg), void *arg)
{
	Buffer buffer = pin_meta(rel);
	GenericXLogState *state;
	Page page;
	EcDiskMeta meta = {.magic = EC_META_MAGIC, .version = EC_FORMAT_VERSION};
	bool fresh = lock_meta(rel, buffer, &meta);

	if (!fresh)
	{
		memcpy(&meta, PageGetContents(BufferGetPage(buffer)), sizeof(meta));
		check_meta(rel, buffer, &meta);
	}
	change(rel, &meta, arg);
	meta.checksum = meta_checksum(&meta);

	state = GenericXLogStart(rel);
	page = GenericXLogRegisterBuffer(state, buffer, fresh ? GENERIC_XLOG_FULL_IMAGE : 0);
	if (fresh)
		init_page(page, EC_PAGE_META, 0);
	set_payload(page, &meta, sizeof(meta));
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
}

/* ------------------------------------------------------------------------
 * Files that were copied
 *
 * SET TABLESPACE gives the table a copy of its file, but leaves its indexes where
 * they are.  Should that be rolled back, entries stay in them whose row numbers were
 * handed out by the copy; so the first file, which is there again then, must not hand
 * them out anew.
 * ------------------------------------------------------------------------
 */

typedef struct Copied
{
	RelFileLocator from;
	RelFileLocator to;
	bool older;			   /* the first one than this transaction: WAL is not spared for it */
	RelationData relation; /* with the first one; an error leaves it open */
} Copied;

/* In this transaction, in its memory; the latest first. */
static List *copied;

static void
forget_copied(XactEvent event, void *arg)
{
	/* before the end, batches of rows are still written */
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		return;
	for (int i = 0; i < list_length(copied); i++)
		RelationCloseSmgr(&((Copied *) list_nth(copied, i))->relation);
	copied = NIL;
}

void
ec_meta_copied(Relation rel, const RelFileLocator *to)
{
	static bool registered = false;
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	Copied *entry = palloc0(sizeof(Copied));

	if (!registered)
		RegisterXactCallback(forget_copied, NULL);
	registered = true;
	entry->from = rel->rd_locator;
	entry->to = *to;
	entry->older = !ec_compat_has_new_file(rel);
	copied = lcons(entry, copied);
	MemoryContextSwitchTo(old);

	/* which makes the metapage, so that there is one to come back to */
	ec_meta_announce(rel);
}

static void
hand_out_from(Relation rel, EcDiskMeta *meta, void *arg)
{
	meta->next_row = Max(meta->next_row, *(const int64 *) arg);
}

/* Through the relation as it was before. */
static void
change_first_file(Relation rel, Copied *entry, int64 next_row)
{
	Relation first = &entry->relation;

	RelationCloseSmgr(first);
	*first = *rel;
	first->rd_locator = entry->from;
	first->rd_smgr = NULL;
	if (entry->older)
		ec_compat_forget_new_file(first);
	meta_change(first, hand_out_from, &next_row);
	RelationCloseSmgr(first);
}

static void
tell_first_files(Relation rel, int64 next_row)
{
	RelFileLocator locator = rel->rd_locator;

	for (int i = 0; i < list_length(copied); i++)
	{
		Copied *entry = list_nth(copied, i);

		if (!RelFileLocatorEquals(entry->to, locator))
			continue;
		locator = entry->from;
		change_first_file(rel, entry, next_row);
	}
}

/* ------------------------------------------------------------------------
 * Numbers
 * ------------------------------------------------------------------------
 */

typedef struct Reservation
{
	int64 nrows;
	int64 first_row;
	bool want_group;
	int64 group;
	bool low;
} Reservation;

static void
reserve(Relation rel, EcDiskMeta *meta, void *arg)
{
	Reservation *r = arg;
	int64 left = EC_ROW_NUMBER_END - meta->next_row;

	if (r->nrows > left)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table \"%s\" has no row numbers left", RelationGetRelationName(rel)),
				 errhint("Copy its rows to a new table, or partition it.")));
	r->low = left > ROW_NUMBERS_LOW && left - r->nrows <= ROW_NUMBERS_LOW;
	r->first_row = meta->next_row;
	meta->next_row += r->nrows;
	if (r->want_group)
		r->group = meta->next_group++;
}

void
ec_meta_reserve(Relation rel, int64 nrows, int64 *first_row, int64 *group)
{
	Reservation r = {.nrows = nrows, .want_group = group != NULL};

	meta_change(rel, reserve, &r);
	if (copied != NIL && nrows > 0)
		tell_first_files(rel, r.first_row + nrows);
	if (first_row != NULL)
		*first_row = r.first_row;
	if (group != NULL)
		*group = r.group;
	if (r.low)
		ereport(WARNING, (errmsg("table \"%s\" has used 95%% of its row numbers",
								 RelationGetRelationName(rel)),
						  errhint("Copy its rows to a new table, or partition it.")));
}

static void
count_change(Relation rel, EcDiskMeta *meta, void *arg)
{
	meta->changes++;
}

void
ec_meta_announce(Relation rel)
{
	meta_change(rel, count_change, NULL);
}

static void
overwrite(Relation rel, EcDiskMeta *meta, void *arg)
{
	*meta = *(const EcDiskMeta *) arg;
}

void
ec_meta_copy(Relation rel, const EcDiskMeta *meta)
{
	meta_change(rel, overwrite, (void *) meta);
}

bool
ec_meta_read(Relation rel, EcDiskMeta *meta)
{
	Buffer buffer;
	bool found = false;

	if (RelationGetNumberOfBlocks(rel) == 0)
		return ec_counters_read(rel, meta);
	buffer = ReadBuffer(rel, EC_META_BLOCK);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (!PageIsNew(BufferGetPage(buffer)))
	{
		memcpy(meta, PageGetContents(BufferGetPage(buffer)), sizeof(*meta));
		check_meta(rel, buffer, meta);
		found = true;
	}
	UnlockReleaseBuffer(buffer);
	return found || ec_counters_read(rel, meta);
}

/* ------------------------------------------------------------------------
 * Extents
 * ------------------------------------------------------------------------
 */

/* A run of pages that goes into one WAL record. */
typedef struct PageRun
{
	Buffer buffers[XLR_MAX_BLOCK_ID];
	int nbuffers;
	uint32 first_index; /* of the first page within its extent */
	const uint8 *data;
	uint64 len;
} PageRun;

static int
pages_per_record(Relation rel)
{
	if (!RelationNeedsWAL(rel))
		return 1;
	return Max(1, Min(XLR_MAX_BLOCK_ID, NBuffers / 16));
}

static void
write_run(PageRun *run, bool needs_wal)
{
	if (needs_wal)
		XLogBeginInsert();
	START_CRIT_SECTION();
	for (int i = 0; i < run->nbuffers; i++)
	{
		uint64 offset = (uint64) i * EC_PAGE_PAYLOAD;

		init_page(BufferGetPage(run->buffers[i]), EC_PAGE_IMAGE, run->first_index + i);
		set_payload(BufferGetPage(run->buffers[i]), run->data + offset,
					Min(EC_PAGE_PAYLOAD, run->len - offset));
		MarkBufferDirty(run->buffers[i]);
		if (needs_wal)
			XLogRegisterBuffer(i, run->buffers[i], REGBUF_FORCE_IMAGE | REGBUF_STANDARD);
	}
	if (needs_wal)
	{
		XLogRecPtr lsn = XLogInsert(RM_XLOG_ID, XLOG_FPI);

		for (int i = 0; i < run->nbuffers; i++)
			PageSetLSN(BufferGetPage(run->buffers[i]), lsn);
	}
	END_CRIT_SECTION();
	for (int i = 0; i < run->nbuffers; i++)
		UnlockReleaseBuffer(run->buffers[i]);
}

static BlockNumber
allocate_extent(Relation rel, uint64 npages)
{
	BlockNumber first = ec_space_take(rel, (uint32) npages, MaxBlockNumber);

	if (first != InvalidBlockNumber)
		return first;
	LockRelationForExtension(rel, ExclusiveLock);
	if (npages > MaxBlockNumber - RelationGetNumberOfBlocks(rel))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("cannot extend table \"%s\" beyond %u blocks",
							   RelationGetRelationName(rel), MaxBlockNumber)));
	first = ec_compat_extend_relation(rel, (uint32) npages);
	UnlockRelationForExtension(rel, ExclusiveLock);
	return first;
}

static void
fill_extent(Relation rel, BlockNumber first, uint64 total, const uint8 *image, uint64 len)
{
	bool needs_wal = RelationNeedsWAL(rel);
	int step = pages_per_record(rel);

	if (needs_wal)
		XLogEnsureRecordSpace(XLR_MAX_BLOCK_ID - 1, 0);
	for (uint64 i = 0; i < total; i += step)
	{
		PageRun run = {.first_index = (uint32) i};

		CHECK_FOR_INTERRUPTS();
		run.data = image + i * EC_PAGE_PAYLOAD;
		run.len = len - i * EC_PAGE_PAYLOAD;
		run.nbuffers = (int) Min((uint64) step, total - i);
		for (int j = 0; j < run.nbuffers; j++)
			run.buffers[j] =
				ReadBufferExtended(rel, MAIN_FORKNUM, first + i + j, RBM_ZERO_AND_LOCK, NULL);
		write_run(&run, needs_wal);
	}
}

BlockNumber
ec_extent_write(Relation rel, const uint8 *image, uint64 len, uint32 *npages)
{
	uint64 total = (len + EC_PAGE_PAYLOAD - 1) / EC_PAGE_PAYLOAD;
	BlockNumber first = allocate_extent(rel, total);

	fill_extent(rel, first, total, image, len);
	*npages = (uint32) total;
	return first;
}

BlockNumber
ec_extent_move(Relation rel, BlockNumber first, uint32 npages, uint64 len)
{
	BlockNumber to = ec_space_take(rel, npages, first);
	uint8 *image;

	if (to == InvalidBlockNumber)
		return to;
	image = MemoryContextAllocHuge(CurrentMemoryContext, len);
	ec_extent_read(rel, first, npages, 0, len, image, NULL);
	fill_extent(rel, to, npages, image, len);
	pfree(image);
	return to;
}

/* Copies bytes [offset, offset + len) of the extent's image. */
void
ec_extent_read(Relation rel, BlockNumber first, uint32 npages, uint64 offset, uint64 len,
			   uint8 *out, BufferAccessStrategy strategy)
{
	if (offset + len < offset || offset + len > (uint64) npages * EC_PAGE_PAYLOAD)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("extent at block %u of table \"%s\" is too short for what it should hold",
						first, RelationGetRelationName(rel))));
	while (len > 0)
	{
		uint32 index = (uint32) (offset / EC_PAGE_PAYLOAD);
		uint32 start = (uint32) (offset % EC_PAGE_PAYLOAD);
		uint64 n = Min(len, EC_PAGE_PAYLOAD - start);
		Buffer buffer;

		CHECK_FOR_INTERRUPTS();
		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, first + index, RBM_NORMAL, strategy);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		check_page(rel, buffer, EC_PAGE_IMAGE, index);
		memcpy(out, PageGetContents(BufferGetPage(buffer)) + start, n);
		UnlockReleaseBuffer(buffer);
		out += n;
		offset += n;
		len -= n;
	}
}
