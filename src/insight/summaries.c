/*
 * summaries.c
 *	  When summaries of an events table are made, merged and dropped.
 *
 * VACUUM (and whatever else compacts) comes here when it has done its work.  Row groups
 * that no set covers get one, once they have ecinsight.summary_rows rows.  Sets are in
 * tiers, of which each has TIER_FACTOR times the rows of the one below: when there are
 * TIER_FACTOR - 1 sets in a tier or below beside the new one, it becomes one with them.  So while a
 * table grows a row's cells are made a logarithmic number of times, with that base.  When nothing is
 * new there is time to have fewer sets: each at least MERGE_FACTOR times as large as the next newer
 * one.
 *
 * Cells are always made from rows: that is quicker than to combine cells, as nearly every row
 * has one of its own.
 *
 * A set outlives its row groups when compaction merges them with each other (compact_sets.c).
 *
 * A set that misses a projection which the table should have, or that was made when
 * columns meant something else, is dropped, and its row groups are as good as new.
 */
#include "postgres.h"

#include <xxhash.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/guc.h"
#include "insight/build.h"
#include "insight/summaries.h"
#include "store/compact.h"
#include "store/options.h"

/* To be changed whenever the meaning of any projection's cells is. */
#define FORMAT 5

/* See above; sets of the lowest tier have less than so many times ecinsight.summary_rows rows. */
#define TIER_FACTOR 4

/* When nothing is new, a set is merged with those that are newer if they have such a part of its rows. */
#define MERGE_FACTOR 2

/* What one transaction aggregates from rows. */
#define ROWS_MAX (UINT64CONST(128) * 1024 * 1024)

/* ------------------------------------------------------------------------
 * What a table can have
 * ------------------------------------------------------------------------
 */

static int32
hash_attribute(Relation rel, const char *name, uint32 values[4])
{
	TupleDesc desc = RelationGetDescr(rel);

	memset(values, 0, sizeof(uint32) * 4);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
			continue;
		values[0] = att->attnum;
		values[1] = att->atttypid;
		values[2] = (uint32) att->atttypmod;
		values[3] = att->attcollation;
		return att->attnum;
	}
	return 0;
}

uint32
ec_summaries_signature(Relation rel, const char *const names[EC_EVENT_COLUMNS])
{
	uint32 values[EC_EVENT_COLUMNS][4];
	uint32 hash;

	for (int i = 0; i < EC_EVENT_COLUMNS; i++)
		hash_attribute(rel, names[i], values[i]);
	hash = (uint32) XXH3_64bits_withSeed(values, sizeof(values), FORMAT);
	return Max(hash, 1);
}

/* Prices are summed as integers of one scale. */
static bool
has_plain_price(const EcEvents *events)
{
	const EcColType *price = &events->types[EC_COL_PRICE];

	return price->kind == EC_KIND_DECIMAL || price->kind == EC_KIND_INT;
}

/* A label of an enum may get another name, which no cell would notice. */
static bool
has_plain_types(const EcEvents *events)
{
	return events->types[EC_COL_TYPE].kind == EC_KIND_TEXT;
}

/* numeric(p,0) may hold NaN, which is no id. */
static bool
has_plain_ids(const EcEvents *events, uint32 columns)
{
	static const EcEventColumn ids[] = {EC_COL_PRODUCT, EC_COL_CATEGORY_ID, EC_COL_USER};

	for (int i = 0; i < lengthof(ids); i++)
	{
		if ((columns & EC_COL_BIT(ids[i])) != 0 && events->types[ids[i]].kind != EC_KIND_INT)
			return false;
	}
	return true;
}

/* Those that the table can have, and whose dimension its option asks for. */
static uint32
wanted_projections(const EcEvents *events, const EcTableOptions *options)
{
	uint32 wanted = 0;

	for (int i = 0; ec_makers[i] != NULL; i++)
	{
		const EcMaker *maker = ec_makers[i];

		if (ec_options_wants(options, maker->dimension) &&
			(maker->columns & ~events->columns) == 0 && (maker->needs & ~wanted) == 0 &&
			has_plain_ids(events, maker->columns) &&
			((maker->columns & EC_COL_BIT(EC_COL_TYPE)) == 0 || has_plain_types(events)) &&
			((maker->columns & EC_COL_BIT(EC_COL_PRICE)) == 0 || has_plain_price(events)))
			wanted |= EC_PROJECTION_BIT(maker->projection);
	}
	return wanted;
}

/* ------------------------------------------------------------------------
 * What there is to do
 * ------------------------------------------------------------------------
 */

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* The numbers of the row groups that these sets cover. */
static int64 *
covered_groups(uint32 nsets, const EcSummarySet *sets, uint32 *n)
{
	uint32 total = 0;
	int64 *groups;

	for (uint32 i = 0; i < nsets; i++)
		total += sets[i].ngroups;
	groups = palloc_extended(sizeof(int64) * Max(total, 1), MCXT_ALLOC_HUGE);
	*n = 0;
	for (uint32 i = 0; i < nsets; i++)
	{
		memcpy(groups + *n, sets[i].groups, sizeof(int64) * sets[i].ngroups);
		*n += sets[i].ngroups;
	}
	qsort(groups, *n, sizeof(int64), compare_numbers);
	return groups;
}

static EcReaderPick *
allocate_picks(const EcList *list)
{
	return palloc_extended(sizeof(EcReaderPick) * Max(list->nentries, 1), MCXT_ALLOC_HUGE);
}

/*
 * The row groups that sets cover, or do not cover; of these up to ROWS_MAX rows.
 * Returns whether there are more.
 */
static bool
pick_groups(const EcList *list, uint32 nsets, const EcSummarySet *sets, bool covered,
			EcReaderPick *picks, uint32 *npicks, uint64 *nrows)
{
	uint32 n;
	int64 *groups = covered_groups(nsets, sets, &n);

	*npicks = 0;
	*nrows = 0;
	for (uint32 i = 0; i < list->nentries; i++)
	{
		const EcListEntry *entry = &list->entries[i];

		if (entry->kind != EC_ENTRY_GROUP ||
			covered != (bsearch(&entry->number, groups, n, sizeof(int64), compare_numbers) != NULL))
			continue;
		if (!covered && *nrows >= ROWS_MAX)
			return true;
		picks[*npicks].number = entry->number;
		picks[*npicks].tid = entry->tid;
		*nrows += entry->nrows;
		(*npicks)++;
	}
	pfree(groups);
	return false;
}

static int
tier_of(uint64 nrows)
{
	int tier = 0;

	for (; nrows >= (uint64) ec_guc_summary_rows * TIER_FACTOR; nrows /= TIER_FACTOR)
		tier++;
	return tier;
}

/* How many of the newest sets, which are ordered by age, are merged with so many new rows? */
static uint32
choose_merged(uint32 nsets, const EcSummarySet *sets, uint64 nrows)
{
	uint32 merged = 0;
	uint32 n = 0;
	uint64 sum = nrows;

	while (n < nsets && tier_of(sets[nsets - 1 - n].nrows) <= tier_of(nrows))
	{
		sum += sets[nsets - 1 - n++].nrows;
		if (n - merged < TIER_FACTOR - 1)
			continue;
		merged = n;
		nrows = sum;
	}
	return merged;
}

/* The same when nothing is new: those that are not much larger than all newer ones together. */
static uint32
choose_idle(uint32 nsets, const EcSummarySet *sets)
{
	uint64 nrows = nsets > 0 ? sets[nsets - 1].nrows : 0;
	uint32 merged = 0;

	for (uint32 n = 1; n < nsets; n++)
	{
		if (sets[nsets - 1 - n].nrows <= nrows * MERGE_FACTOR)
			merged = n + 1;
		nrows += sets[nsets - 1 - n].nrows;
	}
	return merged;
}

/* What a table's sets have in common. */
typedef struct Maintenance
{
	EcCompanion *c;
	EcList *list;
	uint32 signature;
	uint32 wanted;
	EcSummarySet *sets; /* by age */
	uint32 nsets;
} Maintenance;

/* Makes a set of what is new and of some of the newest sets, if there is enough. */
static bool
make_set(const Maintenance *m)
{
	EcReaderPick *picks = allocate_picks(m->list);
	EcReaderPick *old = allocate_picks(m->list);
	EcBuildInput input = {.picks = picks, .old = old};
	uint64 nold;
	bool more = pick_groups(m->list, m->nsets, m->sets, false, picks, &input.npicks, &input.nrows);

	if (input.nrows >= ec_guc_summary_rows)
		input.nsets = choose_merged(m->nsets, m->sets, input.nrows);
	else
	{
		input.npicks = 0;
		input.nrows = 0;
		input.nsets = choose_idle(m->nsets, m->sets);
	}
	if (input.npicks + input.nsets == 0)
		return false;
	input.sets = m->sets + m->nsets - input.nsets;
	(void) pick_groups(m->list, input.nsets, input.sets, true, old, &input.nold, &nold);
	ec_build_set(m->c, m->signature, m->wanted, &input);
	return more;
}

/* Drops what is of no use; the others are left in the array, in their order. */
static uint32
drop_useless(EcCompanion *c, EcSummaries *sets, uint32 signature, uint32 wanted)
{
	uint32 n = 0;

	for (uint32 i = 0; i < sets->nsets; i++)
	{
		const EcSummarySet *set = &sets->sets[i];

		if (wanted == 0 || set->signature != signature ||
			(set->projections | set->refused) != wanted)
			ec_summary_drop(c, set);
		else
			sets->sets[n++] = *set;
	}
	return n;
}

static bool
maintain_listed(Maintenance *m)
{
	EcSummaries *broken;
	EcSummaries *sets = ec_summary_list(m->list, &broken);

	for (uint32 i = 0; i < broken->nsets; i++)
		ec_summary_drop(m->c, &broken->sets[i]);
	m->sets = sets->sets;
	m->nsets = drop_useless(m->c, sets, m->signature, m->wanted);
	if (m->wanted == 0)
		return false;
	return make_set(m);
}

/* ------------------------------------------------------------------------
 * The store's side
 * ------------------------------------------------------------------------
 */

static bool
maintain(Relation rel, EcCompanion *c)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight summaries", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcTableOptions options = ec_options_get(rel);
	EcEvents events;
	Maintenance m = {.c = c};
	bool more;

	ec_columns_probe(rel, &events);
	m.wanted = wanted_projections(&events, &options);
	m.signature = ec_summaries_signature(rel, events.names);
	PushActiveSnapshot(GetLatestSnapshot());
	m.list = ec_list_begin(rel, GetActiveSnapshot());
	more = maintain_listed(&m);
	ec_list_end(m.list);
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return more;
}

static uint32
signature_of(Relation rel)
{
	EcEvents events;

	ec_columns_probe(rel, &events);
	return ec_summaries_signature(rel, events.names);
}

static const EcSummaryMaker summary_maker = {
	.maintain = maintain,
	.signature = signature_of,
	.projection_name = ec_projection_name,
	.projection_columns = ec_projection_columns,
};

void
ec_summaries_init(void)
{
	ec_summary_set_maker(&summary_maker);
}
