/*
 * space.c
 *	  Free pages of the main fork: finding, handing out, giving back.
 *
 * A free run of pages is a tuple of the companion (EC_CATALOG_FREE).  To allocate
 * is to delete it, and to insert what is left of it.  So an abort, or a crash,
 * gives the pages back by itself, and two writers never get the same.
 *
 * Which pages are needed is decided by the descriptors that are physically there,
 * whoever still sees them: heap's own pruning and vacuuming removes one when no
 * snapshot can see it, and tells standbys.  Only descriptors whose insertion was
 * rolled back don't count, as nobody may follow those.
 *
 * The writers' lock: between allocating an extent at the end of the file and
 * inserting its descriptor nothing tells that the pages are in use.  Writers hold
 * this lock in share mode meanwhile.  ec_space_reclaim takes it exclusively for a
 * moment: all extents that were allocated before then have their descriptors, and
 * whoever takes free pages afterwards deletes a tuple by a transaction that a
 * snapshot of that moment doesn't see.  It is the tuple lock of a row number that
 * can't exist.
 *
 * The end of the file is never told free by a tuple of the transaction that
 * truncates, nor is a tuple removed by it part of what it truncates: if it rolls
 * back, the tuple is there again, and must not speak of pages that others may get
 * by extending the file.  So a free end that was told free takes two rounds: the
 * first removes the tuple, the second, when that is committed, truncates.
 */
#include "postgres.h"

#include <xxhash.h>

#include "access/heapam.h"
#include "access/xact.h"
#include "catalog/storage.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/stoppoint.h"
#include "store/catalog.h"
#include "store/counters.h"
#include "store/space.h"
#include "store/tid.h"
#include "store/walk.h"

/* The file is shortened if that gives back so many pages, or such a part of it. */
#define TRUNCATE_MINIMUM 128
#define TRUNCATE_FRACTION 16

/* How long to try for the lock on the table, which others must not notice. */
#define TRUNCATE_TRIES 40
#define TRUNCATE_WAIT_MS 50

/* ------------------------------------------------------------------------
 * Lock
 * ------------------------------------------------------------------------
 */

static void
writers_tag(Relation rel, LOCKTAG *tag)
{
	SET_LOCKTAG_TUPLE(*tag, rel->rd_lockInfo.lockRelId.dbId, rel->rd_lockInfo.lockRelId.relId,
					  MaxBlockNumber, FirstOffsetNumber);
}

static void
lock_writers(Relation rel, LOCKMODE mode)
{
	LOCKTAG tag;

	writers_tag(rel, &tag);
	(void) LockAcquire(&tag, mode, false, false);
}

static void
unlock_writers(Relation rel, LOCKMODE mode)
{
	LOCKTAG tag;

	writers_tag(rel, &tag);
	LockRelease(&tag, mode, false);
}

void
ec_space_lock_writer(Relation rel)
{
	lock_writers(rel, ShareLock);
}

void
ec_space_unlock_writer(Relation rel)
{
	unlock_writers(rel, ShareLock);
}

/* ------------------------------------------------------------------------
 * Tuples
 * ------------------------------------------------------------------------
 */

static uint32
free_checksum(BlockNumber first, const EcDiskFree *disk)
{
	return (uint32) XXH3_64bits_withSeed(&disk->npages, sizeof(disk->npages), first);
}

static void
put_free(EcCompanion *c, BlockNumber first, uint32 npages)
{
	EcDiskFree disk = {.magic = EC_FREE_MAGIC, .npages = npages};

	disk.checksum = free_checksum(first, &disk);

	/* as of the transaction's start, so that a later part of the same command can take it */
	ec_companion_put(c, EC_CATALOG_FREE, first, &disk, sizeof(disk), FirstCommandId, 0, NULL);
}

static bool
claim_free(EcCompanion *c, ItemPointer tid)
{
	return ec_companion_claim(c, tid, GetCurrentCommandId(true) + 1);
}

void
ec_space_read_free(Relation rel, const EcCatalogTuple *tuple, EcDiskFree *disk)
{
	memset(disk, 0, sizeof(*disk));
	memcpy(disk, tuple->payload, Min(tuple->len, sizeof(*disk)));
	if (tuple->len != sizeof(*disk) || disk->magic != EC_FREE_MAGIC || tuple->number <= 0 ||
		tuple->number > MaxBlockNumber || disk->npages > MaxBlockNumber - tuple->number ||
		disk->checksum != free_checksum((BlockNumber) tuple->number, disk))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("the record of free pages at block " INT64_FORMAT
							   " of table \"%s\" is damaged",
							   tuple->number, RelationGetRelationName(rel))));
}

/* ------------------------------------------------------------------------
 * Handing out
 * ------------------------------------------------------------------------
 */

/* Takes the first run that is long enough among those with these high bits of block numbers. */
static BlockNumber
take_first(EcCompanion *c, uint32 high, uint32 npages, BlockNumber end)
{
	BlockNumber found = InvalidBlockNumber;
	EcCatalogTuple opened;
	HeapTuple tuple;

	ec_companion_search_from(c, EC_CATALOG_FREE, (int64) high << EC_CATALOG_SEQ_BITS);
	while (found == InvalidBlockNumber && (tuple = ec_companion_next(c, &opened)) != NULL)
	{
		EcDiskFree disk;
		BlockNumber first;

		if (!ec_companion_sees(c, tuple, SnapshotSelf))
		{
			ec_companion_pass_by(c, tuple);
			continue;
		}
		ec_space_read_free(c->main, &opened, &disk);
		first = (BlockNumber) opened.number;
		if (disk.npages < npages || first >= end || npages > end - first ||
			!claim_free(c, &tuple->t_self))
			continue;
		if (disk.npages > npages)
			put_free(c, first + npages, disk.npages - npages);
		found = first;
	}
	ec_companion_rest(c);
	return found;
}

BlockNumber
ec_space_take(Relation rel, uint32 npages, BlockNumber end)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	BlockNumber found = InvalidBlockNumber;
	EcCompanion c;

	/* a new table has nothing free, and the companion of one that is being rewritten no index yet */
	if (rel->rd_createSubid != InvalidSubTransactionId || IsInParallelMode() ||
		!ec_companion_open(rel, RowExclusiveLock, &c))
		return InvalidBlockNumber;
	for (uint32 high = 0; found == InvalidBlockNumber && high <= nblocks >> EC_CATALOG_SEQ_BITS;
		 high++)
		found = take_first(&c, high, npages, Min(end, nblocks));
	ec_companion_close(&c);
	return found;
}

/* ------------------------------------------------------------------------
 * Finding
 * ------------------------------------------------------------------------
 */

/* A run of pages [first, end). */
typedef struct Run
{
	BlockNumber first;
	BlockNumber end;
	ItemPointerData tid; /* of its tuple, if it is told free */
} Run;

typedef struct Runs
{
	Run *runs;
	Size n;
	Size capacity;
} Runs;

static void
add_run(Runs *runs, BlockNumber first, uint32 npages, ItemPointer tid)
{
	Run *run;

	if (runs->n == runs->capacity)
	{
		runs->capacity = Max(256, runs->capacity * 2);
		runs->runs = runs->runs == NULL ? palloc(runs->capacity * sizeof(Run))
										: repalloc_huge(runs->runs, runs->capacity * sizeof(Run));
	}
	run = &runs->runs[runs->n++];
	run->first = first;
	run->end = first + npages;
	run->tid = *tid;
}

static int
compare_runs(const void *a, const void *b)
{
	BlockNumber x = ((const Run *) a)->first;
	BlockNumber y = ((const Run *) b)->first;

	return x < y ? -1 : x > y;
}

static void
sort_runs(Runs *runs)
{
	if (runs->n > 1)
		qsort(runs->runs, runs->n, sizeof(Run), compare_runs);
}

/* What is known of a moment at which no writer had pages without a descriptor. */
typedef struct Moment
{
	TransactionId oldest_xmin;
	Snapshot snapshot;
} Moment;

/* Were free pages taken since then?  Who did may have told so where we have looked already. */
static bool
taken_since(HeapTuple tuple, const Moment *moment)
{
	return XidInMVCCSnapshot(HeapTupleHeaderGetUpdateXid(tuple->t_data), moment->snapshot);
}

/* Pages that a row group, or a summary, stands in. */
static void
count_extent(EcCompanion *c, HeapTuple tuple, HTSV_Result state, EcCatalogKind kind, Runs *busy)
{
	EcDiskSummary summary;
	EcDescriptor desc;

	if (state == HEAPTUPLE_DEAD && HeapTupleHeaderXminInvalid(tuple->t_data))
		return;
	if (kind == EC_CATALOG_GROUP)
		ec_catalog_read_tuple(c->main, tuple, &desc);
	else
		ec_catalog_read_summary(c->main, tuple, &summary, &desc);
	if (desc.form == EC_FORM_EXTENT)
		add_run(busy, desc.first_block, desc.npages, &tuple->t_self);
}

/* Sorts one tuple of the companion into pages that somebody needs and pages that are free. */
static void
count_tuple(EcCompanion *c, HeapTuple tuple, HTSV_Result state, const Moment *moment, Runs *busy,
			Runs *free, EcSpace *space)
{
	EcCatalogTuple opened;
	EcDiskFree disk;

	ec_catalog_open_tuple(c->main, tuple, &opened);
	if (opened.kind == EC_CATALOG_GROUP || opened.kind == EC_CATALOG_SUMMARY)
		count_extent(c, tuple, state, opened.kind, busy);
	else if (opened.kind == EC_CATALOG_FREE && state != HEAPTUPLE_DEAD &&
			 (state != HEAPTUPLE_RECENTLY_DEAD || taken_since(tuple, moment)))
	{
		ec_space_read_free(c->main, &opened, &disk);

		/* who takes pages, or gives them back, hasn't ended: they are not ours to touch */
		add_run(state == HEAPTUPLE_LIVE ? free : busy, (BlockNumber) opened.number, disk.npages,
				&tuple->t_self);
	}
	else if (opened.kind == EC_CATALOG_COUNTERS)
	{
		space->counters++;
		space->last_counters = Max(space->last_counters, opened.number);
	}
}

static void
collect_runs(EcCompanion *c, const Moment *moment, Runs *busy, Runs *free, EcSpace *space)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight descriptor", ALLOCSET_DEFAULT_SIZES);
	HeapTuple tuple;
	EcWalk walk;

	/* allocated here, not in the loop's context */
	busy->runs = palloc((busy->capacity = 1024) * sizeof(Run));
	free->runs = palloc((free->capacity = 1024) * sizeof(Run));
	ec_walk_begin(&walk, c);
	while ((tuple = ec_walk_next(&walk)) != NULL)
	{
		MemoryContext old;

		space->tuples++;
		space->bytes += tuple->t_len;
		old = MemoryContextSwitchTo(context);
		count_tuple(c, tuple, ec_walk_state(&walk, moment->oldest_xmin), moment, busy, free, space);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	ec_walk_end(&walk);
	MemoryContextDelete(context);
	sort_runs(busy);
	sort_runs(free);
}

/* ------------------------------------------------------------------------
 * Making free
 * ------------------------------------------------------------------------
 */

typedef struct Reclaim
{
	EcCompanion *c;
	EcSpace *space;
	Runs busy;
	Runs free;
	Size next_free; /* of free.runs */
	BlockNumber nblocks;
	BlockNumber truncate; /* to so many pages */
} Reclaim;

/* The free tuples within a gap: all taken, or (false) the gap left alone. */
static bool
take_tuples(Reclaim *r, BlockNumber first, BlockNumber end, BlockNumber *last_end)
{
	*last_end = first;
	for (; r->next_free < r->free.n && r->free.runs[r->next_free].first < end; r->next_free++)
	{
		Run *run = &r->free.runs[r->next_free];

		if (run->first < first || run->end > end || !claim_free(r->c, &run->tid))
			return false;
		*last_end = run->end;
	}
	return true;
}

/* Is [first, end) just what one tuple says? */
static bool
already_told(Reclaim *r, BlockNumber first, BlockNumber end)
{
	return r->next_free < r->free.n && r->free.runs[r->next_free].first == first &&
		   r->free.runs[r->next_free].end == end;
}

/* Pages [first, end) are needed by nobody. */
static void
free_gap(Reclaim *r, BlockNumber first, BlockNumber end)
{
	BlockNumber last_end;

	while (r->next_free < r->free.n && r->free.runs[r->next_free].first < first)
	{
		/* taken, told anew and merged while we looked: all that will be clearer next time */
		if (r->free.runs[r->next_free++].end > first)
			return;
	}
	if (end < r->nblocks && already_told(r, first, end))
	{
		r->next_free++;
		r->space->free += end - first;
		return;
	}
	if (!take_tuples(r, first, end, &last_end))
		return;
	if (end == r->nblocks)
	{
		r->truncate = last_end;
		r->space->later = last_end - first;
	}
	else
	{
		put_free(r->c, first, end - first);
		r->space->free += end - first;
	}
}

static void
free_gaps(Reclaim *r)
{
	BlockNumber at = EC_META_BLOCK + 1;

	for (Size i = 0; i < r->busy.n; i++)
	{
		const Run *run = &r->busy.runs[i];

		if (run->first > at)
			free_gap(r, at, Min(run->first, r->nblocks));
		at = Max(at, run->end);
	}
	if (at < r->nblocks)
		free_gap(r, at, r->nblocks);
}

static bool
worth_truncating(BlockNumber pages, BlockNumber nblocks)
{
	return pages >= TRUNCATE_MINIMUM || (pages > 0 && pages >= nblocks / TRUNCATE_FRACTION);
}

/* Is the metapage all that is left of the table?  Then not even that is needed (counters.h). */
static bool
is_all_gone(const Reclaim *r)
{
	return r->truncate == EC_META_BLOCK + 1 && r->busy.n == 0 &&
		   r->space->tuples == r->space->counters && r->space->last_counters < EC_COUNTERS_LAST;
}

static bool
lock_for_truncation(Relation rel)
{
	for (int i = 0; i < TRUNCATE_TRIES; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (ConditionalLockRelation(rel, AccessExclusiveLock))
			return true;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, TRUNCATE_WAIT_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	return false;
}

/* Under the lock nobody writes; who has written meanwhile has made the file longer, and all stays. */
static void
truncate_file(Relation rel, Reclaim *r)
{
	if (!lock_for_truncation(rel))
		return;
	if (RelationGetNumberOfBlocks(rel) == r->nblocks)
	{
		ec_stop_point("truncate");
		if (r->truncate == EC_META_BLOCK)
			ec_counters_keep(r->c, r->space->last_counters + 1);
		RelationTruncate(rel, r->truncate);
		r->space->truncated = r->nblocks - r->truncate;
		r->space->pages = r->truncate;
	}
	UnlockRelation(rel, AccessExclusiveLock);
}

void
ec_space_reclaim(Relation rel, EcCompanion *c, bool truncate, EcSpace *space)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight free space", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Reclaim r = {.c = c, .space = space};
	Moment moment;

	memset(space, 0, sizeof(*space));
	lock_writers(rel, ExclusiveLock);
	r.nblocks = r.truncate = space->pages = RelationGetNumberOfBlocks(rel);
	moment.oldest_xmin = GetOldestNonRemovableTransactionId(c->heap);
	moment.snapshot = RegisterSnapshot(GetLatestSnapshot());
	unlock_writers(rel, ExclusiveLock);
	collect_runs(c, &moment, &r.busy, &r.free, space);
	UnregisterSnapshot(moment.snapshot);
	free_gaps(&r);
	if (is_all_gone(&r))
		r.truncate = EC_META_BLOCK;
	ec_stop_point("reclaimed");
	if (truncate && worth_truncating(r.nblocks - r.truncate, r.nblocks))
		truncate_file(rel, &r);
	if (!truncate || !worth_truncating(space->later, r.nblocks))
		space->later = 0;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
