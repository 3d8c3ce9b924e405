/*
 * views.c
 *	  The live side of the views: shared memory as rows.
 *
 * Everybody may call these functions, so each shows only streams of this database
 * whose owner's rights the caller has.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/guc.h"
#include "ingest/status.h"

#define RATE_FRESH (5 * USECS_PER_SEC) /* a rate older than this is past */

static const char *
state_name(EcStreamState state)
{
	switch (state)
	{
		case EC_STREAM_WAITING:
			return "waiting";
		case EC_STREAM_STARTING:
			return "starting";
		case EC_STREAM_RUNNING:
			return "running";
		case EC_STREAM_RECONNECTING:
			return "reconnecting";
		case EC_STREAM_RETRYING:
			return "retrying";
		case EC_STREAM_STOPPING:
			return "stopping";
	}
	return "unknown";
}

/* Copies of the slots that the caller may see; index[k] is the slot of copy k. */
static EcStreamSlot *
visible_slots(int **index, int *n)
{
	EcStreamSlot *copies;

	*n = 0;
	if (!ec_status_available())
		return NULL;
	copies = palloc(sizeof(EcStreamSlot) * ec_guc_max_streams);
	*index = palloc(sizeof(int) * ec_guc_max_streams);
	ec_status_lock(false);
	for (int i = 0; i < ec_guc_max_streams; i++)
	{
		if (ec_status_slot(i)->dboid == MyDatabaseId)
		{
			(*index)[*n] = i;
			copies[(*n)++] = *ec_status_slot(i);
		}
	}
	ec_status_unlock();
	return copies;
}

static bool
may_see(const EcStreamSlot *s)
{
	return has_privs_of_role(GetUserId(), s->owner);
}

static void
put_time(Datum *value, bool *isnull, TimestampTz t)
{
	*value = TimestampTzGetDatum(t);
	*isnull = t == 0;
}

static void
put_status(ReturnSetInfo *rsinfo, const EcStreamSlot *s, TimestampTz now)
{
	bool fresh = s->pid != 0 && s->last_commit != 0 && now - s->last_commit < RATE_FRESH;
	Datum values[16];
	bool nulls[16] = {false};

	values[0] = Int64GetDatum(s->stream_id);
	values[1] = CStringGetTextDatum(state_name(s->state));
	values[2] = Int32GetDatum(s->pid);
	nulls[2] = s->pid == 0;
	put_time(&values[3], &nulls[3], s->started_at);
	values[4] = Int64GetDatum(s->total.rows);
	values[5] = Int64GetDatum(s->total.dead_letters);
	values[6] = Int64GetDatum(s->total.messages);
	values[7] = Int64GetDatum(s->total.bytes);
	values[8] = Int64GetDatum(s->total.batches);
	values[9] = Float8GetDatum(fresh ? s->rows_per_second : 0);
	values[10] = Float8GetDatum(fresh ? s->bytes_per_second : 0);
	put_time(&values[11], &nulls[11], s->last_commit);
	values[12] = Int32GetDatum(s->failures);
	put_time(&values[13], &nulls[13], s->pid == 0 ? s->next_start : 0);
	values[14] = CStringGetTextDatum(s->last_error);
	nulls[14] = s->last_error[0] == '\0';
	put_time(&values[15], &nulls[15], s->last_error_at);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_stream_status);
Datum
ec_stream_status(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	int *index;
	int n;
	EcStreamSlot *slots = visible_slots(&index, &n);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		if (may_see(&slots[i]))
			put_status((ReturnSetInfo *) fcinfo->resultinfo, &slots[i], now);
	}
	return (Datum) 0;
}

static void
put_batches(ReturnSetInfo *rsinfo, const EcStreamSlot *s)
{
	uint64 first = s->total.batches > EC_STREAM_BATCHES ? s->total.batches - EC_STREAM_BATCHES : 0;

	for (uint64 i = first; i < s->total.batches; i++)
	{
		const EcStreamBatch *b = &s->batches[i % EC_STREAM_BATCHES];
		Datum values[8] = {Int64GetDatum(s->stream_id),
						   TimestampTzGetDatum(b->committed_at),
						   Int64GetDatum(b->rows),
						   Int64GetDatum(b->dead_letters),
						   Int64GetDatum(b->messages),
						   Int64GetDatum(b->bytes),
						   Float8GetDatum(b->gather_us / 1000.0),
						   Float8GetDatum(b->flush_us / 1000.0)};
		bool nulls[8] = {false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_stream_batch_status);
Datum
ec_stream_batch_status(PG_FUNCTION_ARGS)
{
	int *index;
	int n;
	EcStreamSlot *slots = visible_slots(&index, &n);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		if (may_see(&slots[i]))
			put_batches((ReturnSetInfo *) fcinfo->resultinfo, &slots[i]);
	}
	return (Datum) 0;
}

/* Copies of the pool's entries that are in use. */
static EcStreamPartition *
copy_partitions(int *n)
{
	int size;
	const EcStreamPartition *pool;
	EcStreamPartition *copies;

	ec_status_lock(false);
	pool = ec_status_partition_pool(&size);
	ec_status_unlock();
	copies = palloc(sizeof(EcStreamPartition) * size);
	*n = 0;
	ec_status_lock(false);
	for (int i = 0; i < size; i++)
	{
		if (pool[i].slot >= 0)
			copies[(*n)++] = pool[i];
	}
	ec_status_unlock();
	return copies;
}

static void
put_partitions(ReturnSetInfo *rsinfo, const EcStreamSlot *s, int slot,
			   const EcStreamPartition *parts, int nparts)
{
	for (int i = 0; i < nparts; i++)
	{
		Datum values[4] = {Int64GetDatum(s->stream_id), Int32GetDatum(parts[i].topic),
						   Int32GetDatum(parts[i].partition),
						   Int64GetDatum(parts[i].high_watermark)};
		bool nulls[4] = {false, false, false, parts[i].high_watermark < 0};

		if (parts[i].slot == slot)
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(ec_stream_partition_status);
Datum
ec_stream_partition_status(PG_FUNCTION_ARGS)
{
	int *index;
	int n;
	EcStreamSlot *slots = visible_slots(&index, &n);
	EcStreamPartition *parts;
	int nparts;

	InitMaterializedSRF(fcinfo, 0);
	if (n == 0)
		return (Datum) 0;
	parts = copy_partitions(&nparts);
	for (int i = 0; i < n; i++)
	{
		if (may_see(&slots[i]))
			put_partitions((ReturnSetInfo *) fcinfo->resultinfo, &slots[i], index[i], parts,
						   nparts);
	}
	return (Datum) 0;
}
