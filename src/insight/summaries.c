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
#include "store/options.h"

/* To be changed whenever the meaning of any projection's cells is. */
#define FORMAT 1

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

static uint32
possible_projections(const EcEvents *events)
{
	uint32 possible = 0;

	for (int i = 0; ec_makers[i] != NULL; i++)
	{
		const EcMaker *maker = ec_makers[i];

		if ((maker->columns & ~events->columns) == 0 && (maker->needs & ~possible) == 0 &&
			((maker->columns & EC_COL_BIT(EC_COL_TYPE)) == 0 || has_plain_types(events)) &&
			((maker->columns & EC_COL_BIT(EC_COL_PRICE)) == 0 || has_plain_price(events)))
			possible |= EC_PROJECTION_BIT(maker->projection);
	}
	return possible;
}

/* ------------------------------------------------------------------------
 * What there is to do
 * ------------------------------------------------------------------------
 */

/* Row groups that no set covers, up to ROWS_MAX rows. */
typedef struct Uncovered
{
	EcReaderPick *picks;
	uint32 n;
	uint64 nrows;
	bool more;
} Uncovered;

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

static int64 *
covered_groups(const EcSummaries *sets, const bool *stale, uint32 *n)
{
	uint32 total = 0;
	int64 *groups;

	for (uint32 i = 0; i < sets->nsets; i++)
		total += stale[i] ? 0 : sets->sets[i].ngroups;
	groups = palloc_extended(sizeof(int64) * Max(total, 1), MCXT_ALLOC_HUGE);
	*n = 0;
	for (uint32 i = 0; i < sets->nsets; i++)
	{
		if (stale[i])
			continue;
		memcpy(groups + *n, sets->sets[i].groups, sizeof(int64) * sets->sets[i].ngroups);
		*n += sets->sets[i].ngroups;
	}
	qsort(groups, *n, sizeof(int64), compare_numbers);
	return groups;
}

static void
find_uncovered(const EcList *list, const EcSummaries *sets, const bool *stale, Uncovered *out)
{
	uint32 ncovered;
	int64 *covered = covered_groups(sets, stale, &ncovered);

	memset(out, 0, sizeof(*out));
	out->picks = palloc_extended(sizeof(EcReaderPick) * Max(list->nentries, 1), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < list->nentries; i++)
	{
		const EcListEntry *entry = &list->entries[i];

		if (entry->kind != EC_ENTRY_GROUP ||
			bsearch(&entry->number, covered, ncovered, sizeof(int64), compare_numbers) != NULL)
			continue;
		out->more = out->nrows >= ROWS_MAX;
		if (out->more)
			break;
		out->picks[out->n].number = entry->number;
		out->picks[out->n].tid = entry->tid;
		out->nrows += entry->nrows;
		out->n++;
	}
	pfree(covered);
}

/* How many of the newest sets are merged with so many new rows?  Stale ones don't count. */
static uint32
choose_merged(const EcSummaries *sets, const bool *stale, uint64 nrows, EcSummarySet *merged)
{
	uint32 n = 0;

	for (uint32 i = sets->nsets; i-- > 0;)
	{
		if (stale[i])
			continue;
		if (sets->sets[i].nrows > nrows * MERGE_FACTOR)
			break;
		merged[n++] = sets->sets[i];
		nrows += sets->sets[i].nrows;
	}
	return n;
}

static void
drop_all(EcCompanion *c, const EcSummaries *sets, const bool *which)
{
	for (uint32 i = 0; i < sets->nsets; i++)
	{
		if (which == NULL || which[i])
			ec_summary_drop(c, &sets->sets[i]);
	}
}

static bool
maintain_listed(EcCompanion *c, EcList *list, uint32 signature, uint32 wanted)
{
	EcSummaries *broken;
	EcSummaries *sets = ec_summary_list(list, &broken);
	bool *stale = palloc0(sizeof(bool) * Max(sets->nsets, 1));
	EcSummarySet *merged = palloc(sizeof(EcSummarySet) * Max(sets->nsets, 1));
	Uncovered uncovered;
	uint32 nmerged;

	drop_all(c, broken, NULL);
	for (uint32 i = 0; i < sets->nsets; i++)
	{
		const EcSummarySet *set = &sets->sets[i];

		stale[i] = wanted == 0 || set->signature != signature ||
				   (set->projections | set->refused) != wanted;
	}
	drop_all(c, sets, stale);
	if (wanted == 0)
		return false;
	find_uncovered(list, sets, stale, &uncovered);
	if (uncovered.nrows < ec_guc_summary_rows)
		return false;
	nmerged = choose_merged(sets, stale, uncovered.nrows, merged);
	ec_build_set(c, signature, wanted, uncovered.n, uncovered.picks, uncovered.nrows, nmerged,
				 merged);
	return uncovered.more;
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
	EcEvents events;
	EcList *list;
	uint32 wanted;
	bool more;

	ec_columns_probe(rel, &events);
	wanted = possible_projections(&events);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	list = ec_list_begin(rel, GetActiveSnapshot());
	more = maintain_listed(c, list, ec_summaries_signature(rel, events.names), wanted);
	ec_list_end(list);
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
