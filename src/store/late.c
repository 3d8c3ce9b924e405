/*
 * late.c
 *	  Which command inserted which row, for row groups gathered from many commands.
 *
 * Kept as runs, by table and row number: rows with consecutive numbers whose command
 * ids have equal distances, so that a loop of INSERTs is one run for each row group.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/late.h"

/* Runs kept in all: 6 MB. */
#define RUNS_MAX (256 * 1024)

typedef struct Run
{
	int64 first;   /* row number */
	uint32 count;  /* of rows */
	uint32 step;   /* from one row's command id to the next one's */
	CommandId cid; /* of the first row */
	CommandId group_cid;
} Run;

typedef struct Late
{
	RelFileLocator locator; /* key */
	Run *runs;				/* by row number */
	uint32 nruns;
	uint32 size;
} Late;

static HTAB *lates; /* NULL until the transaction's first one */
static Late *last;	/* found last, or NULL */
static uint32 nruns;

bool
ec_late_room(void)
{
	return nruns < RUNS_MAX;
}

static Late *
find_late(Relation rel)
{
	if (lates == NULL)
		return NULL;
	if (last == NULL || !RelFileLocatorEquals(last->locator, rel->rd_locator))
		last = hash_search(lates, &rel->rd_locator, HASH_FIND, NULL);
	return last;
}

static Late *
get_late(Relation rel)
{
	HASHCTL control = {
		.keysize = sizeof(RelFileLocator),
		.entrysize = sizeof(Late),
		.hcxt = TopTransactionContext,
	};
	Late *late = find_late(rel);
	bool found;

	if (late != NULL)
		return late;
	if (lates == NULL)
		lates =
			hash_create("ecinsight late rows", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	last = hash_search(lates, &rel->rd_locator, HASH_ENTER, &found);
	memset((char *) last + sizeof(RelFileLocator), 0, sizeof(Late) - sizeof(RelFileLocator));
	return last;
}

/* ------------------------------------------------------------------------
 * Noting
 * ------------------------------------------------------------------------
 */

/* Index of the first run that begins behind the number. */
static uint32
run_behind(const Late *late, int64 number)
{
	uint32 low = 0;
	uint32 high = late->nruns;

	/* new rows have the highest numbers, mostly */
	if (high == 0 || late->runs[high - 1].first <= number)
		return high;
	while (low < high)
	{
		uint32 middle = low + (high - low) / 2;

		if (late->runs[middle].first <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
extend(Run *run, int64 number, CommandId cid, CommandId group_cid)
{
	if (number != run->first + run->count || group_cid != run->group_cid || cid < run->cid)
		return false;
	if (run->count == 1)
		run->step = cid - run->cid;
	if (cid != run->cid + (uint64) run->count * run->step)
		return false;
	run->count++;
	return true;
}

void
ec_late_note(Relation rel, int64 number, CommandId cid, CommandId group_cid)
{
	Late *late;
	uint32 at;

	if (cid == group_cid)
		return;
	late = get_late(rel);
	at = run_behind(late, number);
	if (at > 0 && extend(&late->runs[at - 1], number, cid, group_cid))
		return;
	if (late->nruns == late->size)
	{
		late->size = Max(16, late->size * 2);
		late->runs = late->runs == NULL
						 ? MemoryContextAlloc(TopTransactionContext, late->size * sizeof(Run))
						 : repalloc(late->runs, late->size * sizeof(Run));
	}
	memmove(&late->runs[at + 1], &late->runs[at], (late->nruns - at) * sizeof(Run));
	late->runs[at] =
		(Run){.first = number, .count = 1, .step = 0, .cid = cid, .group_cid = group_cid};
	late->nruns++;
	nruns++;
}

/* ------------------------------------------------------------------------
 * Asking
 * ------------------------------------------------------------------------
 */

static const Run *
find_run(Relation rel, int64 number)
{
	const Late *late = find_late(rel);
	uint32 at = late != NULL ? run_behind(late, number) : 0;

	if (at == 0 || number - late->runs[at - 1].first >= late->runs[at - 1].count)
		return NULL;
	return &late->runs[at - 1];
}

static CommandId
run_command(const Run *run, int64 number)
{
	return run->cid + (CommandId) (number - run->first) * run->step;
}

CommandId
ec_late_command(Relation rel, int64 number, CommandId group_cid)
{
	const Run *run = find_run(rel, number);

	return run != NULL ? run_command(run, number) : group_cid;
}

bool
ec_late_hides(Relation rel, int64 number, Snapshot snapshot)
{
	const Run *run;

	if (lates == NULL || snapshot->snapshot_type != SNAPSHOT_MVCC)
		return false;
	run = find_run(rel, number);
	return run != NULL && run->group_cid < snapshot->curcid &&
		   run_command(run, number) >= snapshot->curcid;
}

static bool
hides_some(const Run *run, Snapshot snapshot)
{
	return run->group_cid < snapshot->curcid &&
		   run_command(run, run->first + run->count - 1) >= snapshot->curcid;
}

void
ec_late_visit_hidden(Relation rel, Snapshot snapshot, EcLateVisit visit, void *arg)
{
	const Late *late = find_late(rel);

	if (late == NULL || snapshot->snapshot_type != SNAPSHOT_MVCC)
		return;
	for (uint32 i = 0; i < late->nruns; i++)
	{
		const Run *run = &late->runs[i];

		if (!hides_some(run, snapshot))
			continue;
		for (int64 number = run->first; number < run->first + run->count; number++)
		{
			if (run_command(run, number) >= snapshot->curcid)
				visit(number, arg);
		}
	}
}

bool
ec_late_hides_any(Snapshot snapshot)
{
	HASH_SEQ_STATUS scan;
	const Late *late;
	bool any = false;

	if (lates == NULL || snapshot->snapshot_type != SNAPSHOT_MVCC)
		return false;
	hash_seq_init(&scan, lates);
	while ((late = hash_seq_search(&scan)) != NULL)
	{
		for (uint32 i = 0; i < late->nruns && !any; i++)
			any = hides_some(&late->runs[i], snapshot);
	}
	return any;
}

/* ------------------------------------------------------------------------
 * Forgetting
 * ------------------------------------------------------------------------
 */

void
ec_late_forget(Relation rel)
{
	Late *late = find_late(rel);

	if (late == NULL)
		return;
	nruns -= late->nruns;
	late->nruns = 0;
}

/* The memory goes with the transaction's. */
void
ec_late_at_xact_end(void)
{
	lates = NULL;
	last = NULL;
	nruns = 0;
}
