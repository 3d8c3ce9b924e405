/*
 * list.c
 *	  One pass over the companion: which row groups, rows, tombstones and masks a
 *	  snapshot sees.
 *
 * The pass reads pages as a heap scan does, but judges every tuple by the caller's
 * snapshot itself (SnapshotAny, so to say, and HeapTupleSatisfiesVisibility): no
 * predicate lock lands on the companion, for the main relation's covers all, and
 * conflicts with writers are checked as in a heap.
 *
 * Rows that are later than their row group (late.h) count as tombstones.
 *
 * SnapshotAny sees all row groups and rows and no tombstone.  Descriptors of
 * aborted transactions are never listed: their pages belong to others by now.
 *
 * Dirty snapshots: whether a tombstone counts is a question of the single row
 * (rowscan.c asks it), so "dead" then holds the numbers of all rows that have a
 * header or a tombstone, visible or not.  Compaction may move rows between the list
 * and the reading of an entry; so that none is missed, whatever an ordinary snapshot
 * of the list's time sees counts as visible too, and is judged by itself later.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/counters.h"
#include "store/late.h"
#include "store/list.h"
#include "store/mask.h"
#include "store/place.h"
#include "store/row.h"
#include "store/write_state.h"
#include "vector/vector.h"

/* Bounds of a run, so that its rows fit into little memory. */
#define RUN_VALUES_MAX (1024 * 1024)
#define RUN_ROWS_MIN 64
#define RUN_BYTES_MAX (4 * 1024 * 1024)

/* ------------------------------------------------------------------------
 * Pages
 * ------------------------------------------------------------------------
 */

static bool
judge(EcList *list, HeapTuple tuple, Buffer buffer)
{
	bool visible = HeapTupleSatisfiesVisibility(tuple, list->snapshot, buffer);

	if (list->guard == NULL)
		return visible;
	list->unsettled = !visible || TransactionIdIsValid(list->snapshot->xmin) ||
					  TransactionIdIsValid(list->snapshot->xmax);
	return visible || HeapTupleSatisfiesVisibility(tuple, list->guard, buffer);
}

/* A page that says that all see all of it is believed as far as each tuple agrees. */
static bool
sees_all_visible(EcList *list, HeapTuple tuple, Buffer buffer)
{
	uint16 mask = tuple->t_data->t_infomask;

	if ((mask & HEAP_XMIN_COMMITTED) != 0 && (mask & HEAP_XMAX_INVALID) != 0)
		return true;
	if (!judge(list, tuple, buffer))
		ec_catalog_tuple_damaged(list->rel, tuple, "Its page says that everybody sees it.");
	return true;
}

static void
visit_page(EcList *list, Relation companion, Buffer buffer, OffsetNumber first, OffsetNumber last,
		   EcListVisit visit, void *arg)
{
	Page page = BufferGetPage(buffer);
	BlockNumber block = BufferGetBlockNumber(buffer);
	bool all_visible = IsMVCCSnapshot(list->snapshot) && PageIsAllVisible(page) &&
					   !list->snapshot->takenDuringRecovery;

	last = Min(last, PageGetMaxOffsetNumber(page));
	for (OffsetNumber offset = first; offset <= last; offset++)
	{
		ItemId item = PageGetItemId(page, offset);
		HeapTupleData tuple;
		bool visible;

		if (!ItemIdIsNormal(item))
			continue;
		tuple.t_tableOid = list->companion;
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		ItemPointerSet(&tuple.t_self, block, offset);
		ec_check_tuple(&list->check, &tuple);
		visible =
			all_visible ? sees_all_visible(list, &tuple, buffer) : judge(list, &tuple, buffer);
		if (list->serializable)
			HeapCheckForSerializableConflictOut(visible, list->rel, &tuple, buffer, list->snapshot);
		visit(&tuple, visible, arg);
	}
}

void
ec_list_visit(EcList *list, const ItemPointerData *first, const ItemPointerData *last,
			  EcListVisit visit, void *arg)
{
	BlockNumber start = ItemPointerGetBlockNumberNoCheck(first);
	BlockNumber end = ItemPointerGetBlockNumberNoCheck(last);
	Relation companion = table_open(list->companion, NoLock);

	ec_check_begin(&list->check, list->rel, companion);
	for (BlockNumber block = start; block <= end; block++)
	{
		Buffer buffer;

		CHECK_FOR_INTERRUPTS();
		buffer = ReadBufferExtended(companion, MAIN_FORKNUM, block, RBM_NORMAL, list->strategy);
		ec_check_and_prune(list->rel, companion, buffer);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		ec_check_page(list->rel, buffer);
		ec_compat_test_old_snapshot(list->snapshot, companion, BufferGetPage(buffer));
		visit_page(list, companion, buffer,
				   block == start ? ItemPointerGetOffsetNumberNoCheck(first) : FirstOffsetNumber,
				   block == end ? ItemPointerGetOffsetNumberNoCheck(last) : MaxOffsetNumber, visit,
				   arg);
		UnlockReleaseBuffer(buffer);
	}
	table_close(companion, NoLock);
}

/* Visits all pages that the companion has now, or max_pages of them evenly. */
static void
visit_all(EcList *list, EcListVisit visit, BlockNumber max_pages)
{
	Relation companion = table_open(list->companion, AccessShareLock);
	BlockNumber blocks = RelationGetNumberOfBlocks(companion);
	ItemPointerData first;
	ItemPointerData last;

	/* as for heap scans: large tables must not sweep the buffer cache */
	if (!RelationUsesLocalBuffers(companion) && blocks > NBuffers / 4)
		list->strategy = GetAccessStrategy(BAS_BULKREAD);
	table_close(companion, NoLock);

	list->npages = Min(blocks, max_pages);
	for (BlockNumber i = 0; i < list->npages; i++)
	{
		BlockNumber block = (BlockNumber) ((uint64) i * blocks / list->npages);
		BlockNumber end = list->npages == blocks ? blocks - 1 : block;

		ItemPointerSet(&first, block, FirstOffsetNumber);
		ItemPointerSet(&last, end, MaxOffsetNumber);
		ec_list_visit(list, &first, &last, visit, list);
		if (list->npages == blocks)
			break;
	}
}

/* ------------------------------------------------------------------------
 * Entries
 * ------------------------------------------------------------------------
 */

/* Makes room for one more element; the arrays may grow beyond a GB. */
static void *
grow(EcList *list, void *array, Size count, Size *size, Size width)
{
	if (count < *size)
		return array;
	*size = Max(64, *size * 2);
	if (array == NULL)
		return MemoryContextAllocHuge(list->context, *size * width);
	return repalloc_huge(array, *size * width);
}

static EcListEntry *
add_entry(EcList *list, EcEntryKind kind)
{
	EcListEntry *entry;

	list->entries =
		grow(list, list->entries, list->nentries, &list->entries_size, sizeof(EcListEntry));
	entry = &list->entries[list->nentries++];
	memset(entry, 0, sizeof(*entry));
	entry->kind = kind;
	entry->number = -1;
	list->in_run = kind == EC_ENTRY_RUN;
	return entry;
}

/* Rows of one tuple, which join those before them if these are still few. */
static void
add_to_run(EcList *list, HeapTuple tuple, uint32 nrows, Size bytes)
{
	EcListEntry *run = list->in_run ? &list->entries[list->nentries - 1] : NULL;

	if (run == NULL || run->nrows + nrows > list->run_rows_max ||
		run->bytes + bytes > RUN_BYTES_MAX)
	{
		run = add_entry(list, EC_ENTRY_RUN);
		run->tid = tuple->t_self;
	}
	run->end = tuple->t_self;
	run->nrows += nrows;
	run->count++;
	run->bytes += bytes;
	run->unsettled |= list->unsettled;
}

static bool
is_aborted(HeapTuple tuple)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(tuple->t_data);

	return !HeapTupleHeaderXminCommitted(tuple->t_data) &&
		   !TransactionIdIsCurrentTransactionId(xmin) && !TransactionIdIsInProgress(xmin) &&
		   !TransactionIdDidCommit(xmin);
}

/* Whatever is said here of a row group is checked when its descriptor is read. */
static void
list_group(EcList *list, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcDiskDescriptor disk;
	EcListEntry *entry;

	if (list->snapshot == SnapshotAny && is_aborted(tuple))
		return;
	if (opened->len < sizeof(disk))
		ec_catalog_tuple_damaged(list->rel, tuple, "It is too short for a descriptor.");
	memcpy(&disk, opened->payload, sizeof(disk));
	list->nrows += disk.nrows;
	list->ngroups++;
	if ((disk.form & ~EC_FORM_NUMBERED) == EC_FORM_EXTENT)
	{
		list->extent_rows += disk.nrows;
		list->extent_pages += disk.npages;
	}
	if (list->context == NULL)
		return;
	if (disk.form == EC_FORM_ROWS)
	{
		add_to_run(list, tuple, disk.nrows, opened->len);
		list->entries[list->nentries - 1].described = true;
		return;
	}
	entry = add_entry(list, EC_ENTRY_GROUP);
	entry->number = opened->number;
	entry->bytes = disk.image_len;
	entry->nrows = disk.nrows;
	entry->level = disk.level;
	entry->unsettled = list->unsettled;
	entry->tid = tuple->t_self;
}

static void
list_dead(EcList *list, int64 number)
{
	if (list->context == NULL)
	{
		list->ndead++;
		return;
	}
	list->dead = grow(list, list->dead, list->ndead, &list->dead_size, sizeof(int64));
	if (list->ndead > 0 && list->dead[list->ndead - 1] > number)
		list->dead_sorted = false;
	list->dead[list->ndead++] = number;
}

/* Rows are many, so whether they are damaged is left to whoever loads them; what has no such reader is checked here. */
static void
list_row(EcList *list, HeapTuple tuple, const EcCatalogTuple *opened, bool visible)
{
	EcRow row;

	if (ec_row_peek_state(opened) == EC_ROW_DATA)
	{
		if (!visible)
			return;
		list->nrows++;
		list->ndelta++;
		list->delta_bytes += opened->len;
		if (list->context != NULL)
			add_to_run(list, tuple, 1, opened->len);
		return;
	}
	ec_row_parse(list->rel, tuple, opened, &row);
	if (list->guard != NULL)
		list_dead(list, opened->number);
	else if (visible && row.state == EC_ROW_DEAD && list->snapshot != SnapshotAny)
		list_dead(list, opened->number);
}

static void
list_mask(EcList *list, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcListMask *mask;

	if (list->snapshot == SnapshotAny)
		return;
	list->nmasked += ec_mask_count(list->rel, opened->number, opened->payload, opened->len);
	if (list->context == NULL)
		return;
	list->masks = grow(list, list->masks, list->nmasks, &list->masks_size, sizeof(EcListMask));
	mask = &list->masks[list->nmasks++];
	mask->number = opened->number;
	mask->tid = tuple->t_self;
}

/* Free pages are no concern of readers, unless a flipped bit has made a row group look like them. */
static void
check_free(EcList *list, HeapTuple tuple, const EcCatalogTuple *opened)
{
	uint32 magic = 0;

	memcpy(&magic, opened->payload, Min(opened->len, sizeof(magic)));
	if (opened->len != sizeof(EcDiskFree) || magic != EC_FREE_MAGIC)
		ec_catalog_tuple_damaged(list->rel, tuple, "It is no extent of free pages.");
}

/* They are few, so their headers are kept: who wants to know what there is reads nothing more. */
static void
list_summary(EcList *list, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcListSummary *summary;
	EcDiskSummary header;
	bool damaged;

	damaged = ec_summary_header(opened->number, opened->payload, opened->len, &header) != NULL;
	if (header.magic != EC_SUMMARY_MAGIC)
		ec_catalog_tuple_damaged(list->rel, tuple, "It is no summary.");
	if (list->context == NULL || list->guard != NULL || list->snapshot == SnapshotAny)
		return;
	list->summaries =
		grow(list, list->summaries, list->nsummaries, &list->summaries_size, sizeof(EcListSummary));
	summary = &list->summaries[list->nsummaries++];
	summary->header = header;
	summary->number = opened->number;
	summary->tid = tuple->t_self;
	summary->damaged = damaged;
}

static void
list_tuple(HeapTuple tuple, bool visible, void *arg)
{
	EcList *list = arg;
	EcCatalogTuple opened;

	if (!visible && list->guard == NULL)
		return;
	list->live_bytes += tuple->t_len;
	ec_catalog_open_tuple(list->rel, tuple, &opened);
	if (opened.kind == EC_CATALOG_ROW)
		list_row(list, tuple, &opened, visible);
	else if (opened.kind == EC_CATALOG_GROUP && visible)
		list_group(list, tuple, &opened);
	else if (opened.kind == EC_CATALOG_MASK && visible)
		list_mask(list, tuple, &opened);
	else if (opened.kind == EC_CATALOG_FREE && visible)
		check_free(list, tuple, &opened);
	else if (opened.kind == EC_CATALOG_PLACE && visible)
		ec_place_check(list->rel, tuple, &opened);
	else if (opened.kind == EC_CATALOG_SUMMARY && visible)
		list_summary(list, tuple, &opened);
	else if (opened.kind == EC_CATALOG_COUNTERS && visible)
		ec_counters_check(list->rel, tuple, &opened);
}

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

static int
compare_masks(const void *a, const void *b)
{
	int64 x = ((const EcListMask *) a)->number;
	int64 y = ((const EcListMask *) b)->number;

	return x < y ? -1 : x > y;
}

/* Does the snapshot see what a running command of this transaction has inserted? */
static bool
sees_command(Snapshot snapshot, CommandId cid)
{
	return !IsMVCCSnapshot(snapshot) || cid < snapshot->curcid;
}

static void
list_pending(EcList *list)
{
	int count;
	EcPendingGroup *groups = ec_write_pending_groups(list->rel, &count);

	list->pending = palloc(Max(count, 1) * sizeof(EcListPending));
	for (int i = 0; i < count; i++)
	{
		EcDescriptor desc;
		EcListEntry *entry;

		if (!sees_command(list->snapshot, groups[i].cid))
			continue;
		ec_descriptor_parse(list->rel, EC_CATALOG_GROUP, groups[i].payload, groups[i].len, &desc);
		entry = add_entry(list, EC_ENTRY_PENDING);
		entry->number = desc.number;
		entry->bytes = desc.image_len;
		entry->nrows = desc.nrows;
		entry->count = (uint32) i;
		list->pending[i].payload = groups[i].payload;
		list->pending[i].len = groups[i].len;
		list->pending[i].cid = groups[i].cid;
		list->nrows += desc.nrows;
	}
}

/* ------------------------------------------------------------------------
 * Begin and end
 * ------------------------------------------------------------------------
 */

static void
list_late(int64 number, void *arg)
{
	list_dead(arg, number);
}

static EcList *
open_list(Relation rel, Snapshot snapshot)
{
	EcList *list = palloc0(sizeof(EcList));

	list->rel = rel;
	list->kind = EC_CATALOG_GROUP;
	list->snapshot = snapshot;
	list->serializable = CheckForSerializableConflictOutNeeded(rel, snapshot);
	list->dead_sorted = true;
	list->run_rows_max = Min(
		EC_BLOCK_ROWS, Max(RUN_ROWS_MIN, RUN_VALUES_MAX / Max(RelationGetDescr(rel)->natts, 1)));
	list->companion = rel->rd_rel->reltoastrelid;
	return list;
}

EcList *
ec_list_begin(Relation rel, Snapshot snapshot)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight list", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcList *list = open_list(rel, snapshot);

	list->context = context;
	if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
		list->guard = RegisterSnapshot(GetLatestSnapshot());
	if (OidIsValid(list->companion))
		visit_all(list, list_tuple, InvalidBlockNumber);
	ec_late_visit_hidden(rel, snapshot, list_late, list);
	if (!list->dead_sorted)
		qsort(list->dead, list->ndead, sizeof(int64), compare_numbers);
	if (list->nmasks > 1)
		qsort(list->masks, list->nmasks, sizeof(EcListMask), compare_masks);
	list_pending(list);
	MemoryContextSwitchTo(old);
	return list;
}

EcList *
ec_list_from_groups(Relation rel, EcCatalogKind kind, const EcReaderPick *picks, uint32 count)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight list", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcList *list = open_list(rel, SnapshotAny);

	list->context = context;
	list->kind = kind;
	for (uint32 i = 0; i < count; i++)
	{
		EcListEntry *entry = add_entry(list, EC_ENTRY_GROUP);

		entry->number = picks[i].number;
		entry->tid = picks[i].tid;
	}
	MemoryContextSwitchTo(old);
	return list;
}

EcList *
ec_list_count(Relation rel, Snapshot snapshot, BlockNumber max_pages)
{
	EcList *list = open_list(rel, snapshot);

	if (OidIsValid(list->companion))
		visit_all(list, list_tuple, max_pages);
	return list;
}

int64
ec_list_count_rows(Relation rel, Snapshot snapshot)
{
	EcList *list = ec_list_count(rel, snapshot, InvalidBlockNumber);
	int64 rows = list->nrows - (int64) list->ndead - list->nmasked;

	ec_list_end(list);
	return Max(rows, 0);
}

void
ec_list_end(EcList *list)
{
	if (list->guard != NULL)
		UnregisterSnapshot(list->guard);
	if (list->strategy != NULL)
		FreeAccessStrategy(list->strategy);
	if (list->context != NULL)
		MemoryContextDelete(list->context);
	else
		pfree(list);
}

/* ------------------------------------------------------------------------
 * Questions
 * ------------------------------------------------------------------------
 */

EcListPayload
ec_list_payload(EcList *list, const ItemPointerData *tid, EcCatalogKind kind, int64 number)
{
	Relation companion = table_open(list->companion, NoLock);
	Buffer buffer = ReadBufferExtended(companion, MAIN_FORKNUM, ItemPointerGetBlockNumber(tid),
									   RBM_NORMAL, list->strategy);
	Page page = BufferGetPage(buffer);
	EcCatalogTuple opened = {0};
	EcListPayload payload;
	HeapTupleData tuple;
	ItemId item = NULL;

	tuple.t_tableOid = list->companion;
	tuple.t_self = *tid;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	ec_check_page(list->rel, buffer);
	if (ItemPointerGetOffsetNumber(tid) <= PageGetMaxOffsetNumber(page))
		item = PageGetItemId(page, ItemPointerGetOffsetNumber(tid));
	if (item != NULL && ItemIdIsNormal(item))
	{
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		ec_catalog_open_tuple(list->rel, &tuple, &opened);
	}
	if (opened.kind != kind || opened.number != number)
		ec_catalog_tuple_damaged(list->rel, &tuple, "It is another one than before.");
	payload.data = palloc(Max(opened.len, 1));
	memcpy(payload.data, opened.payload, opened.len);
	payload.len = opened.len;
	payload.xmin = HeapTupleHeaderGetRawXmin(tuple.t_data);
	payload.cid = HeapTupleHeaderGetRawCommandId(tuple.t_data);
	UnlockReleaseBuffer(buffer);
	table_close(companion, NoLock);
	return payload;
}

Size
ec_list_first_dead(const EcList *list, int64 number)
{
	Size low = 0;
	Size high = list->ndead;

	while (low < high)
	{
		Size middle = low + (high - low) / 2;

		if (list->dead[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
ec_list_is_unsettled(const EcList *list, const EcListEntry *entry, int64 number)
{
	return entry->unsettled || ec_list_is_dead(list, number);
}

bool
ec_list_is_dead(const EcList *list, int64 number)
{
	Size i;

	if (list->ndead == 0)
		return false;
	i = ec_list_first_dead(list, number);
	return i < list->ndead && list->dead[i] == number;
}

/* Index of the first mask of at least this number. */
static Size
first_mask(const EcList *list, int64 number)
{
	Size low = 0;
	Size high = list->nmasks;

	while (low < high)
	{
		Size middle = low + (high - low) / 2;

		if (list->masks[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const EcListMask *
ec_list_mask(const EcList *list, int64 group, uint32 block)
{
	int64 number = EC_MASK_NUMBER(group, block);
	Size i = first_mask(list, number);

	return i < list->nmasks && list->masks[i].number == number ? &list->masks[i] : NULL;
}

bool
ec_list_has_masks(const EcList *list, int64 group)
{
	Size i = first_mask(list, EC_MASK_NUMBER(group, 0));

	return i < list->nmasks && list->masks[i].number < EC_MASK_NUMBER(group + 1, 0);
}
