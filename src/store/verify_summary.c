/*
 * verify_summary.c
 *	  ecinsight.verify: summaries that the snapshot sees.
 *
 * All their columns are decoded, as those of row groups are; their sets must be whole and
 * count the rows of the row groups that they cover.  A set that speaks of row groups which
 * are no more is no problem: the next VACUUM drops it.  Nor is one that an older version
 * made of other columns, of which nothing is known here.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "store/reader_internal.h"
#include "store/summary.h"
#include "store/verify.h"

/* The summary in work is the only "row group" of verify->reader. */
static void
enter_summary(EcVerify *verify)
{
	const EcDiskSummary *header = &verify->summary->header;
	EcReader *reader = verify->reader;

	ec_reader_goto_group(reader, 0);
	ec_reader_load_directory(reader);
	if (reader->desc->form == EC_FORM_EXTENT)
		ec_verify_add_range(&verify->extents, reader->desc->first_block, reader->desc->npages);
	if (header->bytes != reader->desc->image_len ||
		(header->kind == EC_SUMMARY_PART ? header->nrows : header->ngroups) != reader->desc->nrows)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("its header contradicts its descriptor")));
	if (reader->desc->natts != (uint32) reader->tupdesc->natts &&
		(header->kind == EC_SUMMARY_COVER || header->signature == verify->signature))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("it has %u columns instead of %d", reader->desc->natts,
							   reader->tupdesc->natts)));
}

static TupleDesc
columns_of(const EcListSummary *summary)
{
	if (summary->header.kind == EC_SUMMARY_COVER)
		return ec_summary_cover_columns();
	return ec_summary_maker() == NULL
			   ? NULL
			   : ec_summary_maker()->projection_columns(summary->header.projection);
}

static void
check_summary(EcVerify *verify, const EcListSummary *summary)
{
	EcReaderPick pick = {.number = summary->number, .tid = summary->tid};
	TupleDesc tupdesc = columns_of(summary);

	verify->summary = summary;
	verify->subject = psprintf("summary " INT64_FORMAT " of set " INT64_FORMAT, summary->number,
							   summary->header.set);
	if (summary->number >= verify->meta.next_group)
		ec_verify_report(verify, -1, -1, "the metapage does not know its number");
	if (tupdesc == NULL)
	{
		ec_verify_report(
			verify, -1, -1,
			psprintf("nothing is known of its projection %u", summary->header.projection));
		return;
	}
	verify->reader =
		ec_reader_begin_summaries(verify->rel, &pick, 1, tupdesc, CurrentMemoryContext);
	if (ec_verify_try(verify, enter_summary, -1, -1) &&
		verify->reader->desc->natts == (uint32) tupdesc->natts)
	{
		for (verify->attidx = 0; verify->attidx < tupdesc->natts; verify->attidx++)
			ec_verify_try(verify, ec_verify_column, -1, verify->attidx);
	}
	ec_reader_end(verify->reader);
}

static int
compare_entries(const void *a, const void *b)
{
	int64 x = (*(const EcListEntry *const *) a)->number;
	int64 y = (*(const EcListEntry *const *) b)->number;

	return x < y ? -1 : x > y;
}

/* Both ascend. */
static uint64
count_rows(const EcSummarySet *set, EcListEntry **entries, uint32 n)
{
	uint64 rows = 0;
	uint32 at = 0;

	for (uint32 i = 0; i < set->ngroups; i++)
	{
		while (at < n && entries[at]->number < set->groups[i])
			at++;
		if (at < n && entries[at]->number == set->groups[i])
			rows += entries[at]->nrows;
	}
	return rows;
}

static void
check_sets(EcVerify *verify)
{
	EcList *list = verify->reader->list;
	EcSummaries *broken;
	EcSummaries *sets = ec_summary_list(list, &broken);
	EcListEntry **entries =
		palloc_extended(Max(list->nentries, 1) * sizeof(EcListEntry *), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < list->nentries; i++)
		entries[i] = &list->entries[i];
	qsort(entries, list->nentries, sizeof(EcListEntry *), compare_entries);
	for (uint32 i = 0; i < sets->nsets; i++)
	{
		if (count_rows(&sets->sets[i], entries, list->nentries) != sets->sets[i].nrows)
			ec_verify_report(verify, -1, -1,
							 psprintf("summary set " INT64_FORMAT
									  " has another number of rows than its row groups",
									  sets->sets[i].number));
	}
	for (uint32 i = 0; i < broken->nsets; i++)
	{
		if (broken->sets[i].state != EC_SUMMARY_STALE)
			ec_verify_report(verify, -1, -1,
							 psprintf(broken->sets[i].state == EC_SUMMARY_INCOMPLETE
										  ? "summary set " INT64_FORMAT " is incomplete"
										  : "summary set " INT64_FORMAT
											" covers row groups that another one covers, too",
									  broken->sets[i].number));
	}
}

/* Without it (0, which none has) parts of other columns count as an older version's. */
static void
find_signature(EcVerify *verify)
{
	verify->signature = ec_summary_maker()->signature(verify->rel);
}

void
ec_verify_summaries(EcVerify *verify)
{
	EcReader *reader = verify->reader;

	if (reader->list->nsummaries > 0 && ec_summary_maker() != NULL)
		ec_verify_try(verify, find_signature, -1, -1);
	ec_verify_try(verify, check_sets, -1, -1);
	for (uint32 i = 0; i < reader->list->nsummaries; i++)
	{
		if (!reader->list->summaries[i].damaged) /* which check_sets has told */
			check_summary(verify, &reader->list->summaries[i]);
	}
	verify->reader = reader;
	verify->subject = NULL;
}
