/*
 * summaries.c
 *	  When summaries of an events table are made, merged and dropped.
 *
 * VACUUM (and whatever else compacts) comes here when it has done its work.  Row groups
 * that no set covers get one, once they have ecinsight.summary_rows rows; sets that
 * are not much larger than what is new are merged into it, so that a table has few sets,
 * each at least twice as large as the next newer one, and a row's cells are rewritten
 * a logarithmic number of times.
 *
 * A set is of no use any more when compaction replaces one of its row groups.  So those that
 * will be, as they are small, have sets of their own, and a large one lasts.  Only the
 * first set of a table takes all: after a bulk load the small one is just the rest.
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
#define FORMAT 2

/* A set is merged if it has no more than so many times the rows that are new. */
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

/* Kinds of row groups. */
typedef enum Kind
{
	PASSING = 1,
	LASTING = 2,
	ANY = PASSING | LASTING
} Kind;

static Kind
kind_of(const EcListEntry *entry, const EcTableOptions *options)
{
	return ec_compact_is_passing(entry->level, entry->nrows, options) ? PASSING : LASTING;
}

/*
 * The row groups of a kind that sets cover, or do not cover; of these up to ROWS_MAX rows.
 * Returns whether there are more.
 */
static bool
pick_groups(const EcList *list, const EcTableOptions *options, Kind kind, uint32 nsets,
			const EcSummarySet *sets, bool covered, EcReaderPick *picks, uint32 *npicks,
			uint64 *nrows)
{
	uint32 n;
	int64 *groups = covered_groups(nsets, sets, &n);

	*npicks = 0;
	*nrows = 0;
	for (uint32 i = 0; i < list->nentries; i++)
	{
		const EcListEntry *entry = &list->entries[i];

		if (entry->kind != EC_ENTRY_GROUP || (kind_of(entry, options) & kind) == 0 ||
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

/* How many of the newest sets, which are ordered by age, are merged with so many new rows? */
static uint32
choose_merged(uint32 nsets, const EcSummarySet *sets, uint64 nrows)
{
	uint32 n = 0;

	while (n < nsets && sets[nsets - 1 - n].nrows <= nrows * MERGE_FACTOR)
		nrows += sets[nsets - 1 - n++].nrows;
	return n;
}

/* What a table's sets have in common. */
typedef struct Maintenance
{
	EcCompanion *c;
	EcList *list;
	const EcTableOptions *options;
	uint32 signature;
	uint32 wanted;
	EcSummarySet *sets; /* by age */
	uint32 nsets;
} Maintenance;

/* Those of the sets that have a passing row group, or those that have none; in their order. */
static uint32
sets_of_kind(const Maintenance *m, Kind kind, EcReaderPick *picks, EcSummarySet *out)
{
	uint32 n = 0;

	for (uint32 i = 0; i < m->nsets; i++)
	{
		uint32 npassing;
		uint64 nrows;

		(void) pick_groups(m->list, m->options, PASSING, 1, &m->sets[i], true, picks, &npassing,
						   &nrows);
		if (kind == (npassing > 0 ? PASSING : LASTING))
			out[n++] = m->sets[i];
	}
	return n;
}

/* Makes a set of what is new of a kind and of the newest sets, if there is enough. */
static bool
make_set(const Maintenance *m, Kind kind)
{
	EcReaderPick *picks = allocate_picks(m->list);
	EcReaderPick *old = allocate_picks(m->list);
	EcSummarySet *sets = palloc(sizeof(EcSummarySet) * Max(m->nsets, 1));
	EcBuildInput input = {.picks = picks, .old = old};
	uint64 nold;
	uint32 nsets;
	bool more = pick_groups(m->list, m->options, kind, m->nsets, m->sets, false, picks,
							&input.npicks, &input.nrows);

	if (input.nrows < ec_guc_summary_rows)
		return false;
	nsets = sets_of_kind(m, kind, old, sets);
	input.nsets = choose_merged(nsets, sets, input.nrows);
	input.sets = sets + nsets - input.nsets;
	(void) pick_groups(m->list, m->options, ANY, input.nsets, input.sets, true, old, &input.nold,
					   &nold);
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
	bool more;

	for (uint32 i = 0; i < broken->nsets; i++)
		ec_summary_drop(m->c, &broken->sets[i]);
	m->sets = sets->sets;
	m->nsets = drop_useless(m->c, sets, m->signature, m->wanted);
	if (m->wanted == 0)
		return false;
	if (m->nsets + broken->nsets == 0)
		return make_set(m, ANY);
	more = make_set(m, LASTING);
	return make_set(m, PASSING) || more;
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
	Maintenance m = {.c = c, .options = &options};
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

static const EcSummaryMaker summary_maker = {
	.maintain = maintain,
	.projection_name = ec_projection_name,
	.projection_columns = ec_projection_columns,
};

void
ec_summaries_init(void)
{
	ec_summary_set_maker(&summary_maker);
}
