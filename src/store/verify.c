/*
 * verify.c
 *	  ecinsight.verify(regclass): reads and decodes everything, tells what is wrong.
 *
 * Each column of each row group is read in a subtransaction of its own, so that a
 * damaged one is reported and the rest still read.  Beyond what readers check, it
 * compares zones with the values, and looks for row groups that share pages or row
 * numbers or lie outside of what the metapage knows.
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

PG_FUNCTION_INFO_V1(ec_verify);

typedef struct Verify
{
	FunctionCallInfo fcinfo;
	Relation rel;
	EcReader *reader;
	uint32 group; /* in work */
	int attidx;	  /* column in work */
} Verify;

/* attidx -1: no particular column */
static void
report(Verify *verify, int64 group, int attidx, const char *problem)
{
	Datum values[3] = {Int64GetDatum(group), (Datum) 0, CStringGetTextDatum(problem)};
	bool isnull[3] = {group < 0, attidx < 0, false};

	if (attidx >= 0)
		values[1] = NameGetDatum(&TupleDescAttr(RelationGetDescr(verify->rel), attidx)->attname);
	ec_inspect_put(verify->fcinfo, values, isnull);
}

/*
 * Runs a check in a subtransaction.  Errors become rows of the result, but for
 * those that have nothing to do with the data (cancellation, out of memory).
 */
static bool
try_check(Verify *verify, void (*check)(Verify *verify), int64 group, int attidx)
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
		report(verify, group, attidx, error->message);
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
check_block(Verify *verify, uint32 block, MemoryContext values_context)
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

static void
check_column(Verify *verify)
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

static void
begin_reader(Verify *verify)
{
	verify->reader =
		ec_reader_begin(verify->rel, GetActiveSnapshot(), verify->fcinfo->flinfo->fn_mcxt);
}

static void
enter_group(Verify *verify)
{
	ec_reader_goto_group(verify->reader, verify->group);
	if (verify->reader->desc->form != EC_FORM_ROWS)
		ec_reader_load_directory(verify->reader);
}

static void
check_group(Verify *verify)
{
	for (int i = 0; i < verify->reader->tupdesc->natts; i++)
	{
		if (TupleDescAttr(verify->reader->tupdesc, i)->attisdropped)
			continue;
		verify->attidx = i;
		try_check(verify, check_column, ec_reader_group(verify->reader)->number, i);
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
check_disjoint(Verify *verify, EcDiskRange *ranges, uint32 n, int64 end, const char *what)
{
	qsort(ranges, n, sizeof(EcDiskRange), compare_numbers);
	for (uint32 i = 0; i < n; i++)
	{
		if (i > 0 && ranges[i - 1].first + ranges[i - 1].count > ranges[i].first)
			report(verify, -1, -1,
				   psprintf("two row groups share %s " INT64_FORMAT, what, ranges[i].first));
		if (ranges[i].first + ranges[i].count > end)
			report(verify, -1, -1,
				   psprintf("%s " INT64_FORMAT " does not exist", what,
							ranges[i].first + ranges[i].count - 1));
	}
}

static void
check_extents(Verify *verify)
{
	EcReader *reader = verify->reader;
	EcDiskRange *extents = palloc(Max(reader->ndescriptors, 1) * sizeof(EcDiskRange));
	uint32 n = 0;

	for (uint32 i = 0; i < reader->ndescriptors; i++)
	{
		if (reader->descriptors[i].form != EC_FORM_EXTENT)
			continue;
		extents[n].first = reader->descriptors[i].first_block;
		extents[n].count = reader->descriptors[i].npages;
		n++;
	}
	check_disjoint(verify, extents, n, RelationGetNumberOfBlocks(verify->rel), "block");
	pfree(extents);
}

static void
check_row_numbers(Verify *verify, const EcDiskMeta *meta)
{
	EcReader *reader = verify->reader;
	EcDiskRange *ranges;
	Size n = 0;

	for (uint32 i = 0; i < reader->ndescriptors; i++)
		n += reader->descriptors[i].nranges;
	ranges = palloc_extended(Max(n, 1) * sizeof(EcDiskRange), MCXT_ALLOC_HUGE);
	n = 0;
	for (uint32 i = 0; i < reader->ndescriptors; i++)
	{
		const EcDescriptor *desc = &reader->descriptors[i];

		memcpy(&ranges[n], desc->ranges, desc->nranges * sizeof(EcDiskRange));
		n += desc->nranges;
		if (desc->number >= meta->next_group)
			report(verify, desc->number, -1, "the metapage does not know its number");
	}
	check_disjoint(verify, ranges, (uint32) n, meta->next_row, "row number");
	pfree(ranges);
}

static void
check_meta(Verify *verify)
{
	EcDiskMeta meta = {0};

	if (!ec_meta_read(verify->rel, &meta) && verify->reader->ndescriptors > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("the table has rows but no metapage")));
	check_row_numbers(verify, &meta);
}

Datum
ec_verify(PG_FUNCTION_ARGS)
{
	Verify verify = {.fcinfo = fcinfo, .rel = ec_inspect_open(PG_GETARG_OID(0))};

	InitMaterializedSRF(fcinfo, 0);
	if (try_check(&verify, begin_reader, -1, -1))
	{
		EcReader *reader = verify.reader;

		try_check(&verify, check_meta, -1, -1);
		check_extents(&verify);
		for (verify.group = 0; verify.group < ec_reader_ngroups(reader); verify.group++)
		{
			int64 number = reader->descriptors[reader->entries[verify.group].first].number;

			if (try_check(&verify, enter_group, number, -1))
				check_group(&verify);
		}
		ec_reader_end(reader);
	}
	table_close(verify.rel, NoLock);
	PG_RETURN_NULL();
}
