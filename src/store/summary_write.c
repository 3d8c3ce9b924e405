/*
 * summary_write.c
 *	  Sets of summaries: making and dropping.
 *
 * A part is written as a row group is: encoded, its extent under the writers' lock,
 * then its tuple.  The tuple with the list of row groups comes last, and all of a set
 * in one transaction, so nobody ever sees half of one.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "base/stoppoint.h"
#include "store/group.h"
#include "store/image.h"
#include "store/options.h"
#include "store/page.h"
#include "store/space.h"
#include "store/summary.h"

struct EcSummaryWriter
{
	EcCompanion *c;
	MemoryContext context;
	EcDiskSummary header; /* what all of the set's tuples share */
	int64 *groups;
	uint32 nparts;
	uint32 next[EC_SUMMARY_PROJECTIONS]; /* index of the next part */
};

static EcSummaryWriter *
begin(EcCompanion *c, uint32 signature, uint32 ngroups, const int64 *groups, uint64 nrows)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight summary", ALLOCSET_DEFAULT_SIZES);
	EcSummaryWriter *writer = MemoryContextAllocZero(context, sizeof(EcSummaryWriter));

	if (ngroups == 0 || ngroups > EC_SUMMARY_GROUPS_MAX)
		elog(ERROR, "a summary set can't cover %u row groups", ngroups);
	writer->c = c;
	writer->context = context;
	writer->groups = MemoryContextAlloc(context, ngroups * sizeof(int64));
	memcpy(writer->groups, groups, ngroups * sizeof(int64));
	writer->header.magic = EC_SUMMARY_MAGIC;
	writer->header.version = EC_SUMMARY_VERSION;
	writer->header.signature = signature;
	writer->header.ngroups = ngroups;
	writer->header.nrows = nrows;
	return writer;
}

EcSummaryWriter *
ec_summary_begin(EcCompanion *c, uint32 signature, uint32 ngroups, const int64 *groups,
				 uint64 nrows)
{
	EcSummaryWriter *writer = begin(c, signature, ngroups, groups, nrows);

	ec_meta_reserve(c->main, 0, NULL, &writer->header.set);
	return writer;
}

/* The descriptor of the batch, which is not yet inserted; as ec_group_encode. */
static void
encode(Relation rel, EcBatch *batch, int64 number, EcDiskRange *range, EcDescriptor *desc)
{
	EcTableOptions options = ec_options_get(rel);
	EcBuf *image = ec_image_buffer();

	memset(desc, 0, sizeof(*desc));
	range->first = 0;
	range->count = batch->nrows;
	desc->kind = EC_CATALOG_SUMMARY;
	desc->number = number;
	desc->level = EC_LEVEL_FULL;
	desc->nrows = batch->nrows;
	desc->natts = batch->natts;
	desc->nranges = 1;
	desc->ranges = range;
	desc->image_dir_len = ec_image_build(rel, EC_CATALOG_SUMMARY, batch, NULL, options.codec,
										 options.level, CurrentMemoryContext, image);
	ec_group_place_image(rel, desc, image);
}

void
ec_summary_insert(EcCompanion *c, EcDiskSummary *header, const EcDescriptor *desc, CommandId cid)
{
	Size len = sizeof(*header) + ec_descriptor_size(desc);
	uint8 *payload = palloc(len);

	header->checksum = ec_summary_checksum(header, desc->number);
	memcpy(payload, header, sizeof(*header));
	ec_descriptor_build(desc, payload + sizeof(*header));
	ec_companion_put(c, EC_CATALOG_SUMMARY, desc->number, payload, len, cid, 0, NULL);
	pfree(payload);
}

static void
put(EcSummaryWriter *writer, EcDiskSummary *header, int64 number, EcBatch *batch)
{
	Relation rel = writer->c->main;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight summary", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcDescriptor desc;
	EcDiskRange range;

	encode(rel, batch, number, &range, &desc);
	header->bytes = desc.image_len;
	ec_summary_insert(writer->c, header, &desc, GetCurrentCommandId(true));
	if (desc.form == EC_FORM_EXTENT)
		ec_space_unlock_writer(rel);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	ec_image_done();
	ec_stop_point("summary");
}

void
ec_summary_put(EcSummaryWriter *writer, uint16 projection, EcBatch *batch)
{
	EcDiskSummary header = writer->header;
	int64 number;

	if (projection >= EC_SUMMARY_PROJECTIONS || batch->nrows == 0 ||
		batch->nrows > EC_GROUP_ROWS_MAX)
		elog(ERROR, "a summary of projection %u can't have %u rows", projection, batch->nrows);
	ec_meta_reserve(writer->c->main, 0, NULL, &number);
	header.kind = EC_SUMMARY_PART;
	header.projection = projection;
	header.index = writer->next[projection]++;
	header.nrows = batch->nrows;
	writer->nparts++;
	put(writer, &header, number, batch);
}

static void
put_cover(EcSummaryWriter *writer, EcDiskSummary *header)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	EcBatch *batch = ec_batch_create(ec_summary_cover_columns(), writer->context);

	for (uint32 i = 0; i < header->ngroups; i++)
	{
		ec_batch_append_datum(batch, 0, Int64GetDatum(writer->groups[i]), false);
		ec_batch_row_done(batch);
	}
	header->kind = EC_SUMMARY_COVER;
	put(writer, header, header->set, batch);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(writer->context);
	CommandCounterIncrement();
}

void
ec_summary_end(EcSummaryWriter *writer, uint32 projections, uint32 refused)
{
	EcDiskSummary header = writer->header;

	header.nparts = writer->nparts;
	header.projections = projections;
	header.refused = refused;
	put_cover(writer, &header);
	ec_stop_point("summaries");
}

int64 ec_summary_rows_dropped;

static void
drop_tuple(EcCompanion *c, int64 number, const ItemPointerData *tid, CommandId cid)
{
	ItemPointerData copy = *tid;

	if (!ec_companion_claim(c, &copy, cid))
		elog(ERROR, "summary " INT64_FORMAT " of table \"%s\" has been changed by another", number,
			 RelationGetRelationName(c->main));
}

void
ec_summary_cover_again(EcCompanion *c, const EcSummarySet *set, uint32 ngroups, const int64 *groups)
{
	EcSummaryWriter *writer = begin(c, set->signature, ngroups, groups, set->nrows);
	EcDiskSummary header = writer->header;

	header.set = set->number;
	header.nparts = set->nparts;
	header.projections = set->projections;
	header.refused = set->refused;
	drop_tuple(c, set->number, &set->cover.tid, GetCurrentCommandId(true));
	ec_summary_rows_dropped++; /* its extent is to be reclaimed */
	put_cover(writer, &header);
}

void
ec_summary_drop(EcCompanion *c, const EcSummarySet *set)
{
	CommandId cid = GetCurrentCommandId(true);

	if (ItemPointerIsValid(&set->cover.tid))
		drop_tuple(c, set->number, &set->cover.tid, cid);
	for (uint32 i = 0; i < set->nparts; i++)
	{
		drop_tuple(c, set->parts[i].pick.number, &set->parts[i].pick.tid, cid);
		ec_summary_rows_dropped += set->parts[i].nrows;
	}
	CommandCounterIncrement();
}

static void
drop_all(Relation rel, EcCompanion *c)
{
	CommandId cid = GetCurrentCommandId(true);
	EcList *list;

	PushActiveSnapshot(GetLatestSnapshot());
	list = ec_list_begin(rel, GetActiveSnapshot());
	for (uint32 i = 0; i < list->nsummaries; i++)
	{
		drop_tuple(c, list->summaries[i].number, &list->summaries[i].tid, cid);
		ec_summary_rows_dropped++; /* at least */
	}
	ec_list_end(list);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

static bool
maintain(Relation rel)
{
	EcCompanion c;
	bool more = false;

	if (!ec_companion_open(rel, RowExclusiveLock, &c))
		return false;
	if (ec_options_get(rel).summaries == EC_SUMMARIES_OFF)
		drop_all(rel, &c);
	else
		more = ec_summary_maker()->maintain(rel, &c);
	ec_companion_close(&c);
	return more;
}

/* Not what ends the statement, or can be tried again as it is. */
static bool
is_tolerable(const ErrorData *error)
{
	int category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category != ERRCODE_OPERATOR_INTERVENTION && category != ERRCODE_TRANSACTION_ROLLBACK;
}

static void
warn(Relation rel, ErrorData *error)
{
	ereport(WARNING, (errcode(error->sqlerrcode),
					  errmsg("could not make summaries of table \"%s\": %s",
							 RelationGetRelationName(rel), error->message),
					  error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
					  error->hint != NULL ? errhint("%s", error->hint) : 0));
}

/* In a subtransaction, with handles of its own: VACUUM's other work must not fail with it. */
bool
ec_summary_maintain(Relation rel)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context;
	volatile bool more = false;

	if (ec_summary_maker() == NULL || IsBinaryUpgrade)
		return false;

	/* what compaction has done in this transaction */
	CommandCounterIncrement();
	context = AllocSetContextCreate(old, "ecinsight summaries", ALLOCSET_DEFAULT_SIZES);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		more = maintain(rel);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (!is_tolerable(error))
			ReThrowError(error);
		warn(rel, error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
	MemoryContextDelete(context);
	return more;
}
