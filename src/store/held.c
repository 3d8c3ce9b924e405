/*
 * held.c
 *	  The companion's handle, kept from one changed row to the next within a run of
 *	  the executor; see held.h.
 *
 * Opening the companion and its indexes for each row anew would cost a tenth of a
 * DELETE.  A writer's locks stay until its transaction ends anyway, and who reindexes
 * waits for them, so a handle never misses an index.
 *
 * Runs are nested as functions and triggers are; each has a handle of its own, for the
 * table changed last.  It belongs to the resource owner of the run and is only given out
 * under that one, so a rolled back subtransaction never takes it away.  Between two
 * rows it pins nothing.
 */
#include "postgres.h"

#include "store/held.h"

static EcHeldRun *current;

void
ec_held_begin(EcHeldRun *run, MemoryContext context)
{
	run->outer = current;
	run->owner = CurrentResourceOwner;
	run->context = context;
	run->open = false;
	current = run;
}

void
ec_held_leave(EcHeldRun *run)
{
	current = run->outer;
}

void
ec_held_end(EcHeldRun *run)
{
	if (run->open)
		ec_companion_close(&run->companion);
	ec_held_leave(run);
}

/* The run's handle, for this table. */
static EcCompanion *
reopen(EcHeldRun *run, Relation rel)
{
	MemoryContext old;

	if (run->open)
		ec_companion_close(&run->companion);
	old = MemoryContextSwitchTo(run->context);
	run->open = ec_companion_open(rel, RowExclusiveLock, &run->companion);
	MemoryContextSwitchTo(old);
	return run->open ? &run->companion : NULL;
}

EcCompanion *
ec_held_open(Relation rel, EcCompanion *own)
{
	EcHeldRun *run = current;

	if (run == NULL || run->owner != CurrentResourceOwner)
		return ec_companion_open(rel, RowExclusiveLock, own) ? own : NULL;
	if (run->open && run->companion.main == rel &&
		RelationGetRelid(run->companion.heap) == rel->rd_rel->reltoastrelid)
		return &run->companion;
	return reopen(run, rel);
}

void
ec_held_close(EcCompanion *c, EcCompanion *own)
{
	if (c == own)
	{
		ec_companion_close(c);
		return;
	}
	if (c->slot != NULL)
		ExecClearTuple(c->slot);
	ec_companion_rest(c);
	c->indexed = -1;
}
