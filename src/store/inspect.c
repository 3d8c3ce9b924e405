/*
 * inspect.c
 *	  Functions that show what a table consists of: row_groups, columnar_stats.
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
#include "store/write_state.h"
#include "store/writer.h"

PG_FUNCTION_INFO_V1(ec_row_groups);
PG_FUNCTION_INFO_V1(ec_columnar_stats);

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

static void
put_group(FunctionCallInfo fcinfo, const EcDescriptor *desc)
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
	};
	bool isnull[lengthof(values)] = {0};

	isnull[8] = isnull[9] = !paged;
	ec_inspect_put(fcinfo, values, isnull);
}

Datum
ec_row_groups(PG_FUNCTION_ARGS)
{
	Relation rel = ec_inspect_open(PG_GETARG_OID(0));
	EcDescriptor *list;
	uint32 count;

	InitMaterializedSRF(fcinfo, 0);
	ec_write_flush_relation(rel);
	list = ec_catalog_list(rel, GetActiveSnapshot(), &count);
	for (uint32 i = 0; i < count; i++)
		put_group(fcinfo, &list[i]);
	table_close(rel, NoLock);
	PG_RETURN_NULL();
}

/* ------------------------------------------------------------------------
 * columnar_stats
 * ------------------------------------------------------------------------
 */

/* Sums of one kind of piece; attidx -1: of whole row groups. */
typedef struct StatsRow
{
	int level;
	int attidx;
	int encoding;
	int codec;
	int64 groups;
	int64 rows;
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
count_group(Stats *stats, EcReader *reader)
{
	const EcDescriptor *desc = reader->desc;
	int64 decoded = 0;
	StatsRow *row;

	for (int i = 0; i < reader->tupdesc->natts && desc->form != EC_FORM_ROWS; i++)
	{
		const EcChunk *chunk = ec_reader_chunk(reader, i);

		if (chunk == NULL)
			continue;
		if (chunk->ndict > 0)
			count_piece(stats, desc->level, i, &chunk->dict, 0, &decoded);
		for (uint32 j = 0; j < chunk->nblocks; j++)
			count_piece(stats, desc->level, i, &chunk->blocks[j].piece, chunk->blocks[j].zone.nrows,
						&decoded);
	}
	row = stats_row(stats, desc->level, -1, 0, 0);
	row->groups += desc->form == EC_FORM_ROWS ? reader->entries[reader->current].count : 1;
	row->rows += reader->info.nrows;
	row->bytes += (int64) reader->info.bytes;
	row->decoded += desc->form == EC_FORM_ROWS ? (int64) reader->info.bytes : decoded;
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

static void
put_stats(FunctionCallInfo fcinfo, Relation rel, const StatsRow *row)
{
	bool whole = row->attidx < 0;
	Datum values[10] = {0};
	bool isnull[10] = {0};

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
	isnull[6] = !whole; /* masked rows: DELETE is not there yet */
	values[6] = Int64GetDatum(0);
	values[7] = Int64GetDatum(row->bytes);
	values[8] = Int64GetDatum(row->decoded);
	isnull[9] = row->bytes == 0;
	values[9] = Float8GetDatum(isnull[9] ? 0 : (double) row->decoded / (double) row->bytes);
	ec_inspect_put(fcinfo, values, isnull);
}

Datum
ec_columnar_stats(PG_FUNCTION_ARGS)
{
	Relation rel = ec_inspect_open(PG_GETARG_OID(0));
	EcReader *reader = ec_reader_begin(rel, GetActiveSnapshot(), CurrentMemoryContext);
	Stats stats = {0};

	InitMaterializedSRF(fcinfo, 0);
	while (ec_reader_next_group(reader))
		count_group(&stats, reader);
	if (stats.nrows > 0)
		qsort(stats.rows, stats.nrows, sizeof(StatsRow), compare_stats);
	for (int i = 0; i < stats.nrows; i++)
		put_stats(fcinfo, rel, &stats.rows[i]);
	ec_reader_end(reader);
	table_close(rel, NoLock);
	PG_RETURN_NULL();
}
