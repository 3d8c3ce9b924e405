/*
 * source.c
 *	  Column vectors of any events relation: straight from row groups where that
 *	  is the same as the caller's SELECT, else through the executor.
 *
 * Row groups are read directly if the relation is a columnar table, or a partitioned
 * table (or inheritance parent) all of whose parts are columnar tables; if it has no
 * row security for the current user, and no virtual generated columns; and if no
 * module wants to check permissions by a hook.  Otherwise source_query.c does the
 * work.  As in any SELECT, only the named relation's privileges and policies count,
 * not its parts'.  Parts are not pruned: the zones of their row groups do that.
 *
 * A source lives in a memory context of its own, below the one current at open.
 * Errors need no clean-up here: locks, buffers and registered snapshots belong to
 * the resource owner.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "base/hooks.h"
#include "scan/source_internal.h"
#include "store/writer.h"

#define ATTRIBUTE_VIRTUAL 'v' /* attgenerated, from PostgreSQL 18 on */

static bool
has_virtual_columns(TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attgenerated == ATTRIBUTE_VIRTUAL)
			return true;
	}
	return false;
}

/* Can the relation's own rows (not its children's) be read from row groups? */
static bool
has_row_groups(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION && ec_store_is_columnar(rel) &&
		   !RELATION_IS_OTHER_TEMP(rel) && !has_virtual_columns(RelationGetDescr(rel));
}

/* Does the current user see all rows of the relation? */
static bool
sees_all(Relation rel)
{
	return !ec_hook_check_perms_is_others() &&
		   check_enable_rls(RelationGetRelid(rel), InvalidOid, true) != RLS_ENABLED;
}

static void
add_part(EcSource *source, Relation rel)
{
	EcSourcePart *part = palloc0(sizeof(EcSourcePart));

	part->rel = rel;
	part->attnums = palloc(sizeof(AttrNumber) * source->ncolumns);
	for (int i = 0; i < source->ncolumns; i++)
	{
		Form_pg_attribute att =
			TupleDescAttr(RelationGetDescr(source->rel), source->attnums[i] - 1);

		part->attnums[i] = get_attnum(RelationGetRelid(rel), NameStr(att->attname));
	}
	source->parts = lappend(source->parts, part);
}

static void
close_parts(EcSource *source)
{
	ListCell *cell;

	foreach (cell, source->parts)
		table_close(((EcSourcePart *) lfirst(cell))->rel, NoLock);
	source->parts = NIL;
}

/* Lists the tables to read from, locked AccessShareLock; false if not all have row groups. */
static bool
find_parts(EcSource *source)
{
	Oid relid = RelationGetRelid(source->rel);
	List *relids = list_make1_oid(relid);
	ListCell *cell;

	if (source->rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		source->rel->rd_rel->relhassubclass)
		relids = find_all_inheritors(relid, AccessShareLock, NULL);
	foreach (cell, relids)
	{
		Relation rel = table_open(lfirst_oid(cell), NoLock);

		if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
			(RelationGetRelid(rel) != relid && RELATION_IS_OTHER_TEMP(rel)))
			table_close(rel, NoLock); /* has no rows, or none that a SELECT would look at */
		else if (has_row_groups(rel))
			add_part(source, rel);
		else
		{
			table_close(rel, NoLock);
			close_parts(source);
			return false;
		}
	}
	return true;
}

/* The executor's rule: SELECT on the table, or on each of the columns. */
static void
check_select_privilege(Relation rel, int ncolumns, const AttrNumber *attnums)
{
	Oid relid = RelationGetRelid(rel);

	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return;
	for (int i = 0; i < ncolumns; i++)
	{
		if (pg_attribute_aclcheck(relid, attnums[i], GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(rel->rd_rel->relkind),
						   RelationGetRelationName(rel));
	}
}

static void
make_room(EcSource *source)
{
	source->stand_ins = palloc0(sizeof(EcVector) * source->ncolumns);
	source->selection = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	source->compacted = palloc0(sizeof(EcCompactColumn) * source->ncolumns);
}

static void
open_direct(EcSource *source, Snapshot snapshot)
{
	check_select_privilege(source->rel, source->ncolumns, source->attnums);
	source->snapshot = RegisterSnapshot(snapshot);
	make_room(source);
}

static void
open_query(EcSource *source, Snapshot snapshot)
{
	source->query = ec_source_query_begin(source->rel, source->ncolumns, source->attnums,
										  source->nranges, source->ranges, snapshot);
	source->vectors = palloc0(sizeof(EcVector) * source->ncolumns);
	for (int i = 0; i < source->ncolumns; i++)
	{
		source->columns[i] = &source->vectors[i];
		source->kinds[i] = source->types[i].kind;
		source->scales[i] = source->types[i].scale;
	}
}

/* A source of its own memory context, with what doesn't depend on where the rows are. */
static EcSource *
create_source(Relation rel, int ncolumns, const AttrNumber *attnums)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight source", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcSource *source = palloc0(sizeof(EcSource));

	source->context = context;
	source->rel = rel;
	source->ncolumns = ncolumns;
	source->attnums = palloc(sizeof(AttrNumber) * ncolumns);
	memcpy(source->attnums, attnums, sizeof(AttrNumber) * ncolumns);
	source->only_nulls = ncolumns;
	source->types = palloc0(sizeof(EcColType) * ncolumns);
	source->kinds = palloc0(sizeof(EcKind) * ncolumns);
	source->scales = palloc0(sizeof(int32) * ncolumns);
	source->columns = palloc0(sizeof(EcVector *) * ncolumns);
	source->sign = 1;
	for (int i = 0; i < ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnums[i] - 1);

		ec_coltype_init(&source->types[i], att->atttypid, att->atttypmod, att->attcollation);
	}
	MemoryContextSwitchTo(old);
	return source;
}

EcSource *
ec_source_open(Oid relid, int ncolumns, const AttrNumber *attnums, int only_nulls, int nranges,
			   const EcSourceRange *ranges, Snapshot snapshot)
{
	EcSource *source = create_source(table_open(relid, AccessShareLock), ncolumns, attnums);
	MemoryContext old = MemoryContextSwitchTo(source->context);

	source->only_nulls = only_nulls;
	source->nranges = nranges;
	source->ranges = palloc(sizeof(EcSourceRange) * Max(nranges, 1));
	if (nranges > 0)
		memcpy(source->ranges, ranges, sizeof(EcSourceRange) * nranges);
	if (sees_all(source->rel) && find_parts(source))
		open_direct(source, snapshot);
	else
		open_query(source, snapshot);
	MemoryContextSwitchTo(old);
	return source;
}

EcSource *
ec_source_open_groups(Relation rel, int ncolumns, const AttrNumber *attnums,
					  const EcReaderPick *picks, uint32 npicks)
{
	EcSource *source = create_source(rel, ncolumns, attnums);
	MemoryContext old = MemoryContextSwitchTo(source->context);
	EcSourcePart *part;

	source->is_borrowed = true;
	add_part(source, rel);
	part = linitial(source->parts);
	part->reader = ec_reader_begin_groups(rel, picks, npicks, source->context);
	make_room(source);
	MemoryContextSwitchTo(old);
	return source;
}

const EcColType *
ec_source_types(const EcSource *source)
{
	return source->types;
}

/* ---- row groups ---- */

/* Can any row of the block (or of the chunk) lie within all ranges? */
static bool
zone_matches(EcSource *source, uint32 block)
{
	for (int i = 0; i < source->nranges; i++)
	{
		const EcSourceRange *range = &source->ranges[i];
		EcZone zone;
		EcKind kind;
		int32 scale;

		if (!ec_reader_zone(source->part->reader, source->part->attnums[range->column] - 1, block,
							&zone, &kind, &scale))
			continue;
		if (kind == EC_KIND_INT && (zone.max < range->min || zone.min > range->max))
			return false;
	}
	return true;
}

void
ec_source_begin_reader(EcSource *source, EcSourcePart *part)
{
	if (part->reader == NULL)
		part->reader = ec_reader_begin(part->rel, source->snapshot, source->context);
}

static void
end_part(EcSource *source)
{
	if (source->part != NULL)
	{
		ec_reader_end(source->part->reader);
		source->part->reader = NULL;
	}
	source->part = NULL;
}

/* Begins the next part, if there is one. */
static bool
next_part(EcSource *source)
{
	end_part(source);
	if (source->next_part == list_length(source->parts))
		return false;
	source->part = list_nth(source->parts, source->next_part++);
	ec_source_begin_reader(source, source->part);
	source->group = 0;
	return true;
}

static void
count_skipped(EcSource *source, uint64 blocks)
{
	ec_reader_count_skipped(source->part->reader, blocks * source->ncolumns);
}

/* Enters a row group of the current part if it may hold wanted rows. */
static bool
enter_group(EcSource *source, uint32 i)
{
	EcReader *reader = source->part->reader;

	source->group_covered =
		ec_source_group_covered(source->part, ec_reader_group_number(reader, i));
	if (source->group_covered && !ec_source_group_matters(source, i))
		return false;
	(void) ec_reader_goto_group(reader, i);
	if ((source->nranges == 0 || zone_matches(source, EC_ZONE_CHUNK)) &&
		(!source->group_covered || ec_source_entered_matters(source)))
	{
		source->group_set =
			source->group_covered
				? ec_source_group_set(source->part, ec_reader_group_number(reader, i))
				: NULL;
		return true;
	}
	count_skipped(source, ec_reader_group(reader)->nblocks);
	return false;
}

/* Steps to the next row group, of whichever part, that may hold wanted rows. */
static bool
next_group(EcSource *source)
{
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		while (source->part == NULL || source->group == ec_reader_ngroups(source->part->reader))
		{
			if (!next_part(source))
				return false;
		}
		if (enter_group(source, source->group++))
			return true;
	}
}

/* ---- blocks ---- */

/* Rows of the block that are wanted in this round, as ec_source_choose has it. */
static bool
choose_rows(EcSource *source, const uint64 **rows, uint32 *nrows)
{
	if (!source->group_covered && source->round != EC_ROUND_VISIBLE)
		return false;
	if (source->nranges > 0 && !zone_matches(source, source->block))
		return false;
	if (source->group_covered)
		return ec_source_choose(source, source->block, source->round, rows, nrows);
	*rows = ec_reader_live(source->part->reader, source->block, nrows);
	return *nrows > 0;
}

/* Steps to the next round of the block, or to the next block. */
static void
next_round(EcSource *source)
{
	if (++source->round < EC_ROUNDS)
		return;
	source->round = EC_ROUND_VISIBLE;
	source->block++;
}

/* Finds the next block (and round) that has wanted rows, and which they are. */
static bool
next_block(EcSource *source, const uint64 **rows, uint32 *nrows)
{
	for (;;)
	{
		uint32 nblocks;

		if (!source->in_group && !next_group(source))
			return false;
		if (!source->in_group)
		{
			source->block = 0;
			source->round = EC_ROUND_VISIBLE;
		}
		source->in_group = true;
		nblocks = ec_reader_group(source->part->reader)->nblocks;
		for (; source->block < nblocks; next_round(source))
		{
			if (choose_rows(source, rows, nrows))
				return true;
			if (source->round == EC_ROUND_VISIBLE)
				count_skipped(source, 1);
		}
		source->in_group = false;
	}
}

/* A column of which the consumer wants to know only that the block has no NULLs: spare its decoding. */
static bool
stand_in(EcSource *source, int column, uint32 block, uint32 nrows)
{
	static const int64 nothing = 0;
	EcVector *v = &source->stand_ins[column];
	EcZone zone;

	if (column < source->only_nulls ||
		!ec_reader_zone(source->part->reader, source->part->attnums[column] - 1, block, &zone,
						&source->kinds[column], &source->scales[column]) ||
		zone.nnulls > 0)
		return false;
	v->phys = EC_PHYS_INT64;
	v->form = EC_FORM_CONST;
	v->nrows = nrows;
	v->values.i64 = &nothing;
	source->columns[column] = v;
	return true;
}

static uint32
next_direct(EcSource *source)
{
	EcReader *reader;
	const uint64 *rows;
	uint32 nrows;
	uint32 block;

	if (!next_block(source, &rows, &nrows))
		return 0;
	reader = source->part->reader;
	block = source->block;
	source->sign = source->round == EC_ROUND_HIDDEN ? -1 : 1;
	next_round(source);
	if (rows != NULL)
		ec_compact_select(rows, ec_reader_block_rows(reader, block), source->selection);
	for (int i = 0; i < source->ncolumns; i++)
	{
		int attidx = source->part->attnums[i] - 1;

		if (stand_in(source, i, block, nrows))
			continue;
		source->columns[i] = ec_reader_block(reader, attidx, block);
		source->kinds[i] = ec_reader_kind(reader, attidx, &source->scales[i]);
		if (rows != NULL)
			source->columns[i] =
				ec_compact(&source->compacted[i], source->columns[i], source->selection, nrows);
	}
	return nrows;
}

bool
ec_source_next(EcSource *source, EcSourceBatch *batch)
{
	MemoryContext old = MemoryContextSwitchTo(source->context);

	batch->nrows = source->query == NULL ? next_direct(source)
										 : ec_source_query_next(source->query, source->vectors);
	batch->sign = source->sign;
	batch->set = source->group_set;
	batch->columns = source->columns;
	batch->kinds = source->kinds;
	batch->scales = source->scales;
	MemoryContextSwitchTo(old);
	return batch->nrows > 0;
}

/* Of all parts: those that were not read to the end have their readers still. */
static void
end_readers(EcSource *source)
{
	ListCell *cell;

	foreach (cell, source->parts)
	{
		EcSourcePart *part = lfirst(cell);

		if (part->reader != NULL)
			ec_reader_end(part->reader);
	}
}

void
ec_source_close(EcSource *source)
{
	if (source->query != NULL)
		ec_source_query_end(source->query);
	else
		end_readers(source);
	if (source->snapshot != NULL)
		UnregisterSnapshot(source->snapshot);
	if (!source->is_borrowed)
	{
		close_parts(source);
		table_close(source->rel, NoLock);
	}
	MemoryContextDelete(source->context);
}
