/*
 * inspect.c
 *	  Functions that show what a table consists of: row_groups, columnar_stats, summaries.
 *
 * They see what the calling query's snapshot sees and want SELECT on the table.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/inspect.h"
#include "store/reader_internal.h"
#include "store/row.h"
#include "store/summary.h"
#include "store/writer.h"

PG_FUNCTION_INFO_V1(ec_row_groups);
PG_FUNCTION_INFO_V1(ec_columnar_stats);
PG_FUNCTION_INFO_V1(ec_table_summaries);

Relation
ec_inspect_open(Oid relid)
{
	Relation rel = table_open(relid, AccessShareLock);
	AclResult acl = pg_class_aclcheck(relid, GetUserId(), ACL_SELECT);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	if (!ec_store_is_columnar(rel))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a columnar table", RelationGetRelationName(rel)),
						errhint("Create it with USING ecinsight_columnar.")));
	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot access temporary tables of other sessions")));
	return rel;
}

void
ec_inspect_put(FunctionCallInfo fcinfo, Datum *values, bool *isnull)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
}

/* ------------------------------------------------------------------------
 * row_groups
 * ------------------------------------------------------------------------
 */

static const char *
form_name(EcGroupForm form)
{
	switch (form)
	{
		case EC_FORM_EXTENT:
			return "pages";
		case EC_FORM_INLINE:
			return "image";
		case EC_FORM_ROWS:
			return "rows";
	}
	return "unknown";
}

/* What a pass over the table has in hand. */
typedef struct Inspection
{
	FunctionCallInfo fcinfo;
	EcReader *reader;
	struct Stats *stats; /* columnar_stats only */

	/* rows in tuples of their own */
	int64 delta_rows;
	int64 delta_masked;
	int64 delta_bytes;
	int64 delta_first;
} Inspection;

static void
put_group(Inspection *inspection, const EcDescriptor *desc, int64 masked)
{
	bool paged = desc->form == EC_FORM_EXTENT;
	Datum values[] = {
		Int64GetDatum(desc->number),
		Int32GetDatum(desc->level),
		Int32GetDatum((int32) desc->nrows),
		Int64GetDatum((int64) desc->image_len),
		BoolGetDatum(!paged),
		CStringGetTextDatum(form_name(desc->form)),
		Int64GetDatum(desc->ranges[0].first),
		Int32GetDatum((int32) desc->nranges),
		Int64GetDatum(desc->first_block),
		Int32GetDatum((int32) desc->npages),
		Int64GetDatum(masked),
		BoolGetDatum(desc->numbered),
	};
	bool isnull[lengthof(values)] = {0};

	isnull[8] = isnull[9] = !paged;
	ec_inspect_put(inspection->fcinfo, values, isnull);
}

/* All rows in tuples of their own, as if they were one row group. */
static void
put_delta(Inspection *inspection)
{
	Datum values[] = {
		(Datum) 0,
		(Datum) 0,
		Int32GetDatum((int32) Min(inspection->delta_rows, PG_INT32_MAX)),
		Int64GetDatum(inspection->delta_bytes),
		BoolGetDatum(true),
		CStringGetTextDatum("delta"),
		Int64GetDatum(inspection->delta_first),
		(Datum) 0,
		(Datum) 0,
		(Datum) 0,
		Int64GetDatum(inspection->delta_masked),
		BoolGetDatum(false),
	};
	bool isnull[lengthof(values)] = {true,	true,  false, false, false,
									 false, false, true,  true,	 true};

	if (inspection->delta_rows > 0)
		ec_inspect_put(inspection->fcinfo, values, isnull);
}

/* Rows of the reader's current group that tombstones or masks hide. */
static int64
count_masked(EcReader *reader)
{
	int64 masked = 0;

	for (uint32 block = 0; block < reader->info.nblocks; block++)
	{
		uint32 nlive;

		ec_reader_live(reader, block, &nlive);
		masked += ec_reader_block_rows(reader, block) - nlive;
	}
	return masked;
}

static int64
count_dead_in_ranges(const EcList *list, const EcDescriptor *desc)
{
	int64 dead = 0;

	for (uint32 i = 0; i < desc->nranges; i++)
		dead += ec_list_first_dead(list, desc->ranges[i].first + desc->ranges[i].count) -
				ec_list_first_dead(list, desc->ranges[i].first);
	return dead;
}

static void
count_delta_row(Inspection *inspection, const EcCatalogTuple *opened)
{
	if (inspection->delta_rows == 0 || opened->number < inspection->delta_first)
		inspection->delta_first = opened->number;
	inspection->delta_rows++;
	inspection->delta_bytes += opened->len;
	inspection->delta_masked += ec_list_is_dead(inspection->reader->list, opened->number);
}

static void count_rows_group(Inspection *inspection, const EcDescriptor *desc, int64 masked);

/* A tuple of a run: a small row group, or a row. */
static void
inspect_tuple(HeapTuple tuple, bool visible, void *arg)
{
	Inspection *inspection = arg;
	EcList *list = inspection->reader->list;
	EcCatalogTuple opened;
	EcDescriptor desc;
	EcRow row;

	if (!visible)
		return;
	ec_catalog_open_tuple(list->rel, tuple, &opened);
	if (opened.kind == EC_CATALOG_ROW)
	{
		ec_row_parse(list->rel, tuple, &opened, &row);
		if (row.state == EC_ROW_DATA)
			count_delta_row(inspection, &opened);
	}
	else if (ec_catalog_read_tuple(list->rel, tuple, &desc))
		count_rows_group(inspection, &desc, count_dead_in_ranges(list, &desc));
}

static void
inspect_run(Inspection *inspection)
{
	EcReader *reader = inspection->reader;

	ec_list_visit(reader->list, &reader->entry->tid, &reader->entry->end, inspect_tuple,
				  inspection);
}

Datum
ec_row_groups(PG_FUNCTION_ARGS)
{
	Relation rel = ec_inspect_open(PG_GETARG_OID(0));
	Inspection inspection = {.fcinfo = fcinfo};
	EcReader *reader = ec_reader_begin(rel, GetActiveSnapshot(), CurrentMemoryContext);

	InitMaterializedSRF(fcinfo, 0);
	inspection.reader = reader;
	while (ec_reader_next_group(reader))
	{
		if (reader->desc == NULL)
			inspect_run(&inspection);
		else
			put_group(&inspection, reader->desc, count_masked(reader));
	}
	put_delta(&inspection);
	ec_reader_end(reader);
	table_close(rel, NoLock);
	PG_RETURN_NULL();
}

/* ------------------------------------------------------------------------
 * columnar_stats
 * ------------------------------------------------------------------------
 */

/* Level of the rows that stand in tuples of their own. */
#define LEVEL_DELTA PG_INT32_MAX

/* Sums of one kind of piece; attidx -1: of whole row groups. */
typedef struct StatsRow
{
	int level;
	int attidx;
	int encoding;
	int codec;
	int64 groups;
	int64 rows;
	int64 masked;
	int64 bytes;
	int64 decoded;
} StatsRow;

typedef struct Stats
{
	StatsRow *rows;
	int nrows;
	int capacity;
} Stats;

static StatsRow *
stats_row(Stats *stats, int level, int attidx, int encoding, int codec)
{
	StatsRow *row;

	for (int i = 0; i < stats->nrows; i++)
	{
		row = &stats->rows[i];
		if (row->level == level && row->attidx == attidx && row->encoding == encoding &&
			row->codec == codec)
			return row;
	}
	if (stats->nrows == stats->capacity)
	{
		stats->capacity = Max(64, stats->capacity * 2);
		stats->rows = stats->rows == NULL
						  ? palloc(stats->capacity * sizeof(StatsRow))
						  : repalloc(stats->rows, stats->capacity * sizeof(StatsRow));
	}
	row = &stats->rows[stats->nrows++];
	memset(row, 0, sizeof(*row));
	row->level = level;
	row->attidx = attidx;
	row->encoding = encoding;
	row->codec = codec;
	return row;
}

static void
count_piece(Stats *stats, int level, int attidx, const EcPiece *piece, int64 rows, int64 *decoded)
{
	StatsRow *row = stats_row(stats, level, attidx, piece->encoding, piece->codec);

	row->groups++;
	row->rows += rows;
	row->bytes += piece->len;
	row->decoded += (int64) piece->scratch;
	*decoded += (int64) piece->scratch;
}

static void
count_group(Inspection *inspection)
{
	EcReader *reader = inspection->reader;
	const EcDescriptor *desc = reader->desc;
	int64 decoded = 0;
	StatsRow *row;

	for (int i = 0; i < reader->tupdesc->natts; i++)
	{
		const EcChunk *chunk = ec_reader_chunk(reader, i);

		if (chunk == NULL)
			continue;
		if (chunk->ndict > 0)
			count_piece(inspection->stats, desc->level, i, &chunk->dict, 0, &decoded);
		for (uint32 j = 0; j < chunk->nblocks; j++)
			count_piece(inspection->stats, desc->level, i, &chunk->blocks[j].piece,
						chunk->blocks[j].zone.nrows, &decoded);
	}
	row = stats_row(inspection->stats, desc->level, -1, 0, 0);
	row->groups++;
	row->rows += reader->info.nrows;
	row->masked += count_masked(reader);
	row->bytes += (int64) reader->info.bytes;
	row->decoded += decoded;
}

/* A row group of form "rows", for whichever function is asked. */
static void
count_rows_group(Inspection *inspection, const EcDescriptor *desc, int64 masked)
{
	StatsRow *row;

	if (inspection->stats == NULL)
	{
		put_group(inspection, desc, masked);
		return;
	}
	row = stats_row(inspection->stats, desc->level, -1, 0, 0);
	row->groups++;
	row->rows += desc->nrows;
	row->masked += masked;
	row->bytes += (int64) desc->image_len;
	row->decoded += (int64) desc->image_len;
}

static void
count_delta(Inspection *inspection)
{
	StatsRow *row;

	if (inspection->delta_rows == 0)
		return;
	row = stats_row(inspection->stats, LEVEL_DELTA, -1, 0, 0);
	row->groups = row->rows = inspection->delta_rows;
	row->masked = inspection->delta_masked;
	row->bytes = row->decoded = inspection->delta_bytes;
}

static int
compare_stats(const void *a, const void *b)
{
	const StatsRow *x = a;
	const StatsRow *y = b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	if (x->attidx != y->attidx)
		return x->attidx < y->attidx ? -1 : 1;
	if (x->encoding != y->encoding)
		return x->encoding < y->encoding ? -1 : 1;
	return x->codec < y->codec ? -1 : x->codec > y->codec;
}

/* summaries: to be told in this line, or NULL. */
static void
put_stats(FunctionCallInfo fcinfo, Relation rel, const StatsRow *row, EcList *summaries)
{
	bool whole = row->attidx < 0;
	Datum values[12] = {0};
	bool isnull[12] = {0};

	isnull[0] = row->level == LEVEL_DELTA;
	values[0] = Int32GetDatum(row->level);
	if (!whole)
	{
		values[1] = NameGetDatum(&TupleDescAttr(RelationGetDescr(rel), row->attidx)->attname);
		values[2] = CStringGetTextDatum(ec_encoding_name(row->encoding));
		values[3] = CStringGetTextDatum(ec_codec_name(row->codec));
	}
	isnull[1] = isnull[2] = isnull[3] = whole;
	values[4] = Int64GetDatum(row->groups);
	values[5] = Int64GetDatum(row->rows);
	isnull[6] = !whole;
	values[6] = Int64GetDatum(row->masked);
	values[7] = Int64GetDatum(row->bytes);
	values[8] = Int64GetDatum(row->decoded);
	isnull[9] = row->bytes == 0;
	values[9] = Float8GetDatum(isnull[9] ? 0 : (double) row->decoded / (double) row->bytes);
	isnull[10] = isnull[11] = summaries == NULL;
	if (summaries != NULL)
	{
		int64 bytes = 0;

		for (uint32 i = 0; i < summaries->nsummaries; i++)
			bytes += (int64) summaries->summaries[i].header.bytes;
		values[10] = Int64GetDatum(ec_summary_list(summaries, NULL)->nsets);
		values[11] = Int64GetDatum(bytes);
	}
	ec_inspect_put(fcinfo, values, isnull);
}

Datum
ec_columnar_stats(PG_FUNCTION_ARGS)
{
	Relation rel = ec_inspect_open(PG_GETARG_OID(0));
	EcReader *reader = ec_reader_begin(rel, GetActiveSnapshot(), CurrentMemoryContext);
	Stats stats = {0};
	Inspection inspection = {.fcinfo = fcinfo, .reader = reader, .stats = &stats};

	InitMaterializedSRF(fcinfo, 0);
	while (ec_reader_next_group(reader))
	{
		if (reader->desc == NULL)
			inspect_run(&inspection);
		else
			count_group(&inspection);
	}
	count_delta(&inspection);
	if (stats.nrows > 0)
		qsort(stats.rows, stats.nrows, sizeof(StatsRow), compare_stats);
	for (int i = 0; i < stats.nrows; i++)
		put_stats(fcinfo, rel, &stats.rows[i], i == 0 ? reader->list : NULL);
	ec_reader_end(reader);
	table_close(rel, NoLock);
	PG_RETURN_NULL();
}

/* ------------------------------------------------------------------------
 * summaries
 * ------------------------------------------------------------------------
 */

/* The parts of a set that belong to one projection. */
static void
put_projection(FunctionCallInfo fcinfo, const EcSummarySet *set, uint16 projection)
{
	const EcSummaryMaker *maker = ec_summary_maker();
	const char *name = maker == NULL ? NULL : maker->projection_name(projection);
	int32 parts = 0;
	int64 cells = 0;
	int64 bytes = 0;
	Datum values[7];
	bool isnull[7] = {0};

	for (uint32 i = 0; i < set->nparts; i++)
	{
		if (set->parts[i].projection != projection)
			continue;
		parts++;
		cells += set->parts[i].nrows;
		bytes += (int64) set->parts[i].bytes;
	}
	values[0] = Int64GetDatum(set->number);
	values[1] = Int64GetDatum((int64) set->nrows);
	values[2] = Int64GetDatum(set->ngroups);
	values[3] = CStringGetTextDatum(name != NULL ? name : psprintf("%u", projection));
	values[4] = Int32GetDatum(parts);
	values[5] = Int64GetDatum(cells);
	values[6] = Int64GetDatum(bytes);
	ec_inspect_put(fcinfo, values, isnull);
}

Datum
ec_table_summaries(PG_FUNCTION_ARGS)
{
	Relation rel = ec_inspect_open(PG_GETARG_OID(0));
	EcList *list = ec_list_begin(rel, GetActiveSnapshot());
	EcSummaries *sets = ec_summary_list(list, NULL);

	InitMaterializedSRF(fcinfo, 0);
	for (uint32 i = 0; i < sets->nsets; i++)
	{
		for (uint16 projection = 0; projection < EC_SUMMARY_PROJECTIONS; projection++)
		{
			if ((sets->sets[i].projections >> projection & 1) != 0)
				put_projection(fcinfo, &sets->sets[i], projection);
		}
	}
	ec_list_end(list);
	table_close(rel, NoLock);
	PG_RETURN_NULL();
}
