/*
 * verify.c
 *	  ecinsight.verify(regclass): reads and decodes everything, tells what is wrong.
 *
 * Each column of each row group is read in a subtransaction of its own, so that a
 * damaged one is reported and the rest still read.  Beyond what readers check, it
 * compares zones with the values, looks for row groups that share pages or row
 * numbers or lie outside of what the metapage knows, reads the summaries
 * (verify_summary.c), checks each tuple of the companion (verify_tuples.c) and compares btree indexes with the rows
 * (verify_index.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "store/inspect.h"
#include "store/page.h"
#include "store/reader_internal.h"
#include "store/verify.h"

PG_FUNCTION_INFO_V1(ec_verify);

/* attidx -1: no particular column */
void
ec_verify_report(EcVerify *verify, int64 group, int attidx, const char *problem)
{
	Datum values[3] = {Int64GetDatum(group)};
	bool isnull[3] = {group < 0, attidx < 0, false};
	TupleDesc tupdesc =
		verify->subject != NULL ? verify->reader->tupdesc : RelationGetDescr(verify->rel);

	if (attidx >= 0)
		values[1] = NameGetDatum(&TupleDescAttr(tupdesc, attidx)->attname);
	if (verify->subject != NULL)
		problem = psprintf("%s: %s", verify->subject, problem);
	values[2] = CStringGetTextDatum(problem);
	ec_inspect_put(verify->fcinfo, values, isnull);
}

/*
 * Runs a check in a subtransaction.  Errors become rows of the result, but for
 * those that have nothing to do with the data (cancellation, out of memory).
 */
bool
ec_verify_try(EcVerify *verify, void (*check)(EcVerify *verify), int64 group, int attidx)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool ok = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		check(verify);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_INTERNAL_ERROR)
			ReThrowError(error);
		ec_verify_report(verify, group, attidx, error->message);
		FreeErrorData(error);
		ok = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return ok;
}

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

static int64
zone_value(const EcVector *v, uint32 row, EcKind kind)
{
	uint32 i = ec_vector_index(v, row);
	char text[EC_UUID_TEXT_LEN];

	switch (v->phys)
	{
		case EC_PHYS_INT64:
			return v->values.i64[i];
		case EC_PHYS_BYTES:
			return ec_bytes_prefix(v->values.bytes[i].ptr, v->values.bytes[i].len);
		case EC_PHYS_UUID:
			if (kind == EC_KIND_UUID)
				return ec_bytes_prefix(v->values.uuid[i].b, sizeof(EcUuid));
			ec_uuid_format(&v->values.uuid[i], text);
			return ec_bytes_prefix((uint8 *) text, sizeof(text));
	}
	return 0;
}

/* Forms all values and compares the zone; damage is an error here. */
static void
check_block(EcVerify *verify, uint32 block, MemoryContext values_context)
{
	EcReader *reader = verify->reader;
	const EcVector *v = ec_reader_block(reader, verify->attidx, block);
	EcZone zone;
	EcKind kind;
	int32 scale;
	bool has_zone = ec_reader_zone(reader, verify->attidx, block, &zone, &kind, &scale);
	uint32 nnulls = 0;

	for (uint32 row = 0; row < v->nrows; row++)
	{
		int64 value;

		if (ec_vector_is_null(v, row))
		{
			nnulls++;
			continue;
		}
		value = zone_value(v, row, kind);
		if (has_zone && (value < zone.min || value > zone.max))
			ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
							errmsg("block %u: a value lies outside of the block's zone", block)));
		ec_datum_from_vector(v, row, &reader->types[verify->attidx], kind, scale);
		if ((row & 1023) == 0)
			MemoryContextReset(values_context);
	}
	if (nnulls != v->nnulls || (has_zone && nnulls != zone.nnulls))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("block %u: it has a wrong number of NULLs", block)));
}

void
ec_verify_column(EcVerify *verify)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight verify", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (uint32 block = 0; block < ec_reader_group(verify->reader)->nblocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		check_block(verify, block, context);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ------------------------------------------------------------------------
 * Row groups
 * ------------------------------------------------------------------------
 */

/* A list that can be made here can be made again by the reader, outside of the subtransaction. */
static void
check_list(EcVerify *verify)
{
	ec_list_end(ec_list_begin(verify->rel, GetActiveSnapshot()));
}

void
ec_verify_add_range(EcVerifyRanges *to, int64 first, int64 count)
{
	EcDiskRange *last = to->count > 0 ? &to->ranges[to->count - 1] : NULL;

	if (last != NULL && last->first + last->count == first)
	{
		last->count += count;
		return;
	}
	if (to->count == to->size)
	{
		to->size = Max(64, to->size * 2);
		to->ranges = to->ranges == NULL ? palloc(to->size * sizeof(EcDiskRange))
										: repalloc_huge(to->ranges, to->size * sizeof(EcDiskRange));
	}
	to->ranges[to->count].first = first;
	to->ranges[to->count].count = count;
	to->count++;
}

static void
enter_group(EcVerify *verify)
{
	EcReader *reader = verify->reader;

	ec_reader_goto_group(reader, verify->group);
	if (reader->run == NULL)
		ec_reader_load_directory(reader);
	if (reader->desc != NULL && reader->desc->form == EC_FORM_EXTENT)
		ec_verify_add_range(&verify->extents, reader->desc->first_block, reader->desc->npages);
}

/* Row numbers, tombstones and masks; all rows that are not hidden count as the numbers' owners. */
static void
check_numbers(EcVerify *verify)
{
	EcReader *reader = verify->reader;

	if (reader->entry->number >= verify->meta.next_group)
		ec_verify_report(verify, reader->entry->number, -1,
						 "the metapage does not know its number");
	for (uint32 block = 0; block < reader->info.nblocks; block++)
	{
		uint32 nrows = ec_reader_block_rows(reader, block);
		uint32 nlive;
		const uint64 *live = ec_reader_live(reader, block, &nlive);
		const int64 *numbers = ec_reader_numbers(reader, block);

		for (uint32 row = 0; row < nrows; row++)
		{
			if (live == NULL || (live[row / 64] >> row % 64 & 1) != 0)
				ec_verify_add_range(&verify->numbers, numbers[row], 1);
		}
	}
}

static void
check_group(EcVerify *verify)
{
	ec_verify_try(verify, check_numbers, verify->reader->entry->number, -1);
	for (int i = 0; i < verify->reader->tupdesc->natts; i++)
	{
		if (TupleDescAttr(verify->reader->tupdesc, i)->attisdropped)
			continue;
		verify->attidx = i;
		ec_verify_try(verify, ec_verify_column, ec_reader_group(verify->reader)->number, i);
	}
}

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = ((const EcDiskRange *) a)->first;
	int64 y = ((const EcDiskRange *) b)->first;

	return x < y ? -1 : x > y;
}

/* Ranges [first, first + count) must be disjoint and end at most at "end". */
static void
check_disjoint(EcVerify *verify, EcVerifyRanges *all, int64 end, const char *what)
{
	EcDiskRange *ranges = all->ranges;

	if (all->count == 0)
		return;
	qsort(ranges, all->count, sizeof(EcDiskRange), compare_numbers);
	for (Size i = 0; i < all->count; i++)
	{
		if (i > 0 && ranges[i - 1].first + ranges[i - 1].count > ranges[i].first)
			ec_verify_report(verify, -1, -1,
							 psprintf("%s " INT64_FORMAT " is used twice", what, ranges[i].first));
		if (ranges[i].first + ranges[i].count > end)
			ec_verify_report(verify, -1, -1,
							 psprintf("%s " INT64_FORMAT " does not exist", what,
									  ranges[i].first + ranges[i].count - 1));
	}
	pfree(ranges);
}

static void
check_meta(EcVerify *verify)
{
	if (!ec_meta_read(verify->rel, &verify->meta) && ec_reader_ngroups(verify->reader) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("the table has rows but no metapage")));
}

static void
check_groups(EcVerify *verify)
{
	EcReader *reader = verify->reader;

	for (verify->group = 0; verify->group < ec_reader_ngroups(reader); verify->group++)
	{
		int64 number = reader->list->entries[verify->group].number;

		if (ec_verify_try(verify, enter_group, number, -1))
			check_group(verify);
	}
}

Datum
ec_verify(PG_FUNCTION_ARGS)
{
	EcVerify verify = {.fcinfo = fcinfo, .rel = ec_inspect_open(PG_GETARG_OID(0))};

	InitMaterializedSRF(fcinfo, 0);
	if (ec_verify_try(&verify, check_list, -1, -1))
	{
		bool meta_ok;

		verify.reader = ec_reader_begin(verify.rel, GetActiveSnapshot(), fcinfo->flinfo->fn_mcxt);
		meta_ok = ec_verify_try(&verify, check_meta, -1, -1);
		if (!meta_ok)
			verify.meta.next_group = verify.meta.next_row = PG_INT64_MAX;
		check_groups(&verify);
		ec_verify_summaries(&verify);
		ec_verify_try(&verify, ec_verify_tuples, -1, -1);
		check_disjoint(&verify, &verify.extents, RelationGetNumberOfBlocks(verify.rel), "block");
		check_disjoint(&verify, &verify.numbers, verify.meta.next_row, "row number");
		ec_reader_end(verify.reader);
		ec_verify_companion_index(&verify);
		ec_verify_indexes(&verify);
	}
	table_close(verify.rel, NoLock);
	PG_RETURN_NULL();
}
