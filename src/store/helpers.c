/*
 * helpers.c
 *	  Batches encoded by helper threads, see helpers.h.
 *
 * PostgreSQL's code knows nothing of threads.  So ours run pure C (encoding/), with all
 * signals blocked, on memory of malloc's and on columns that are only read meanwhile;
 * and no memory of a batch goes before its threads have: ec_batch_lend sees to it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/guc.h"
#include "store/helpers.h"

/* Less isn't worth a thread; more would take too much memory twice. */
#define BYTES_MIN ((Size) 512 * 1024)
#define BYTES_MAX ((Size) 128 * 1024 * 1024)

/* Idle encoders hold on to this much at most, and to the end of the transaction. */
#define KEPT_MAX ((Size) 64 * 1024 * 1024)

typedef struct Job
{
	EcTeam *team;	/* NULL: none yet in this transaction */
	EcBatch *batch; /* NULL: no job */
	EcTeamColumn *columns;
	EcCodec codec;
	int level;
	bool finished; /* the result has been asked for; after an error nobody will use it */
} Job;

static Job job;
static bool registered; /* the transaction's end will call us */

static void
destroy_team(void)
{
	if (job.team != NULL)
		ec_team_destroy(job.team);
	job.team = NULL;
	job.batch = NULL;
}

static void
at_transaction_end(void *arg)
{
	destroy_team();
	registered = false;
}

/* The batch's memory is about to go, or its rows are. */
static void
stop_job(void *batch)
{
	if (job.batch != batch)
		return;
	ec_team_stop(job.team);
	job.batch = NULL;
}

static void
register_end(void)
{
	MemoryContextCallback *callback =
		MemoryContextAlloc(TopTransactionContext, sizeof(MemoryContextCallback));

	callback->func = at_transaction_end;
	callback->arg = NULL;
	MemoryContextRegisterResetCallback(TopTransactionContext, callback);
	registered = true;
}

static bool
have_team(void)
{
	if (!registered)
		register_end();
	if (job.team == NULL)
		job.team = ec_team_create();
	return job.team != NULL;
}

/* Returns how many columns there are to encode. */
static int
fill_columns(EcBatch *batch, EcCodec codec, int level, EcTeamColumn *columns)
{
	int n = 0;

	for (int i = 0; i < batch->natts; i++)
	{
		EcTeamColumn *column = &columns[i];

		if (batch->columns[i] == NULL)
			continue;
		ec_builder_view(batch->columns[i], &column->vector);
		if (column->vector.nnulls == column->vector.nrows)
			column->vector.nrows = 0;
		else
			n++;
		column->options.codec = codec;
		column->options.level = level;
		column->options.kind = batch->types[i].kind;
		column->options.scale = batch->types[i].scale;
	}
	return n;
}

bool
ec_helpers_begin(EcBatch *batch, EcCodec codec, int level)
{
	Size bytes;

	if (job.batch != NULL && job.finished)
		ec_helpers_done();
	if (ec_guc_encode_threads == 0 || job.batch != NULL || codec == EC_CODEC_NONE)
		return false;
	bytes = ec_batch_used(batch);
	if (bytes < BYTES_MIN || bytes > BYTES_MAX || !have_team())
		return false;
	job.columns = MemoryContextAllocZero(batch->context, batch->natts * sizeof(EcTeamColumn));
	job.codec = codec;
	job.level = level;
	if (fill_columns(batch, codec, level, job.columns) > 1)
	{
		ec_batch_lend(batch, stop_job);
		if (ec_team_begin(job.team, job.columns, batch->natts, ec_guc_encode_threads))
		{
			job.batch = batch;
			job.finished = false;
			elog(DEBUG2, "helper threads encode %u rows", batch->nrows);
			return true;
		}
		ec_batch_regain(batch);
	}
	pfree(job.columns);
	return false;
}

bool
ec_helpers_have(const EcBatch *batch, EcCodec codec, int level)
{
	return job.batch == batch && !job.finished && job.codec == codec && job.level == level;
}

const EcTeamColumn *
ec_helpers_finish(void)
{
	EcBatch *batch = job.batch;

	job.finished = true;
	PG_TRY();
	{
		while (ec_team_help(job.team))
			CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		/* the batch may outlive this error, and then grow */
		stop_job(batch);
		ec_batch_regain(batch);
		PG_RE_THROW();
	}
	PG_END_TRY();
	ec_team_end(job.team);
	return job.columns;
}

const uint8 *
ec_helpers_chunk(const EcTeamColumn *column)
{
	return ec_team_chunk(job.team, column);
}

void
ec_helpers_done(void)
{
	ec_batch_regain(job.batch);
	pfree(job.columns);
	job.batch = NULL;
	if (ec_team_bytes(job.team) > KEPT_MAX)
		destroy_team();
}
