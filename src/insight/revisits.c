/*
 * revisits.c
 *	  Reads the cells of summary_revisit.c.
 *
 * They are in order of kind, slot and user, so what an hour has of a kind stands together: zones
 * tell in which blocks.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/build.h"
#include "insight/revisits.h"

/* A part's least and greatest kind and slot. */
typedef struct Part
{
	EcZone kind;
	EcZone slot;
} Part;

struct EcRevisits
{
	MemoryContext context;
	EcReader *reader;
	uint32 nparts;
	Part *parts;
	uint32 part; /* the current one */
	uint32 block;
	int64 *users; /* [EC_BLOCK_ROWS] */
};

/* What is looked for. */
typedef struct Search
{
	EcVisitKind kind;
	uint32 slot;
	EcRevisitColumn column; /* of the distance */
	const int64 *users;
	uint32 n;
	uint32 at; /* users before this one aren't less than those of the next cells */
	EcRevisitFound found;
	void *arg;
} Search;

static EcZone
get_zone(EcReader *reader, int column, uint32 block)
{
	EcZone zone;
	EcKind kind;
	int32 scale;

	if (!ec_reader_zone(reader, column, block, &zone, &kind, &scale))
		elog(ERROR, "a column of summaries of visits has no zone");
	return zone;
}

EcRevisits *
ec_revisits_open(Relation rel, const EcSummarySet *set, MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight visits", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcRevisits *revisits = palloc0(sizeof(EcRevisits));

	revisits->context = context;
	revisits->reader = ec_summary_reader(rel, set, EC_PROJECTION_REVISIT,
										 ec_projection_columns(EC_PROJECTION_REVISIT), context);
	revisits->nparts = ec_reader_ngroups(revisits->reader);
	revisits->parts = palloc(sizeof(Part) * Max(revisits->nparts, 1));
	for (uint32 i = 0; i < revisits->nparts; i++)
	{
		ec_reader_goto_group(revisits->reader, i);
		revisits->parts[i].kind = get_zone(revisits->reader, EC_REVISIT_KIND, EC_ZONE_CHUNK);
		revisits->parts[i].slot = get_zone(revisits->reader, EC_REVISIT_SLOT, EC_ZONE_CHUNK);
	}
	revisits->part = revisits->nparts;
	revisits->users = palloc(sizeof(int64) * EC_BLOCK_ROWS);
	MemoryContextSwitchTo(old);
	return revisits;
}

void
ec_revisits_close(EcRevisits *revisits)
{
	ec_reader_end(revisits->reader);
	MemoryContextDelete(revisits->context);
}

static const int64 *
get_users(EcRevisits *revisits)
{
	const EcVector *v = ec_reader_block(revisits->reader, EC_REVISIT_USER, revisits->block);

	if (v->form == EC_FORM_FLAT && v->nnulls == 0)
		return v->values.i64;
	ec_build_ints(revisits->reader, EC_REVISIT_USER, revisits->block, revisits->users, NULL);
	return revisits->users;
}

/* May cells with these zones be of the kind and slot? */
static bool
zones_match(const Search *search, const EcZone *kind, const EcZone *slot)
{
	if (kind->min > search->kind || kind->max < search->kind)
		return false;
	return slot->min <= search->slot && slot->max >= search->slot;
}

/* The first cell of the block that isn't before this kind and slot. */
static uint32
find_cell(EcRevisits *revisits, uint32 n, int64 kind, int64 slot)
{
	const EcVector *kinds = ec_reader_block(revisits->reader, EC_REVISIT_KIND, revisits->block);
	const EcVector *slots = ec_reader_block(revisits->reader, EC_REVISIT_SLOT, revisits->block);
	uint32 low = 0;
	uint32 high = n;

	while (low < high)
	{
		uint32 middle = (low + high) / 2;
		int64 here = ec_vector_int64(kinds, middle);

		if (here < kind || (here == kind && ec_vector_int64(slots, middle) < slot))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int64
get_int(EcRevisits *revisits, int column, uint32 cell)
{
	return ec_vector_int64(ec_reader_block(revisits->reader, column, revisits->block), cell);
}

static void
tell(EcRevisits *revisits, const Search *search, uint32 cell)
{
	EcRevisit revisit = {.index = search->at,
						 .tag = get_int(revisits, EC_REVISIT_TAG, cell),
						 .distance = get_int(revisits, search->column, cell)};

	search->found(&revisit, search->arg);
}

/* Merges the block's cells of the kind and slot with the users. */
static void
search_block(EcRevisits *revisits, Search *search)
{
	uint32 n = ec_reader_block_rows(revisits->reader, revisits->block);
	uint32 end = n;
	uint32 cell = 0;
	EcZone kind = get_zone(revisits->reader, EC_REVISIT_KIND, revisits->block);
	EcZone slot = get_zone(revisits->reader, EC_REVISIT_SLOT, revisits->block);
	const int64 *users;

	if (!zones_match(search, &kind, &slot))
		return;
	if (kind.min != kind.max || slot.min != slot.max)
	{
		cell = find_cell(revisits, n, search->kind, search->slot);
		end = find_cell(revisits, n, search->kind, (int64) search->slot + 1);
	}
	users = get_users(revisits);
	while (cell < end && search->at < search->n)
	{
		if (users[cell] > search->users[search->at])
			search->at++;
		else
		{
			if (users[cell] == search->users[search->at])
				tell(revisits, search, cell);
			cell++;
		}
	}
}

void
ec_revisits_find(EcRevisits *revisits, EcVisitKind kind, uint32 slot, EcRevisitColumn column,
				 const int64 *users, uint32 n, EcRevisitFound found, void *arg)
{
	Search search = {kind, slot, column, users, n, 0, found, arg};

	for (uint32 i = 0; i < revisits->nparts && search.at < n; i++)
	{
		if (!zones_match(&search, &revisits->parts[i].kind, &revisits->parts[i].slot))
			continue;
		if (i != revisits->part)
			ec_reader_goto_group(revisits->reader,
								 i); /* else what was decoded last may serve again */
		revisits->part = i;
		for (uint32 block = 0; block < ec_reader_group(revisits->reader)->nblocks; block++)
		{
			CHECK_FOR_INTERRUPTS();
			revisits->block = block;
			search_block(revisits, &search);
		}
	}
}
