/*
 * connect.c
 *	  A backend's own questions to Kafka; see connect.h.
 *
 * Calls of librdkafka that wait are cut into slices, so that a cancel request is
 * served within half a second.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "ingest/connect.h"
#include "ingest/kafka.h"
#include "ingest/options.h"
#include "ingest/start.h"

#define PATIENCE_MS 5000
#define SLICE_MS 500
#define QUEUE_KB 1024 /* nothing is fetched */

void
ec_connect_sleep(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Raises the error that a result stands for, unless it is worth another try before the deadline. */
static void
check_result(EcSource *source, EcSourceResult result, const ForeignServer *server,
			 const char *topic, TimestampTz deadline)
{
	switch (result)
	{
		case EC_SOURCE_OK:
			return;
		case EC_SOURCE_NO_TOPIC:
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
							errmsg("topic \"%s\" does not exist on server \"%s\"", topic,
								   server->servername),
							errhint("Create it first, or use connect => false.")));
			break;
		case EC_SOURCE_UNREACHABLE:
			if (GetCurrentTimestamp() < deadline)
			{
				ec_connect_sleep(50);
				return;
			}
			ereport(ERROR, (errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
							errmsg("could not reach Kafka by server \"%s\"", server->servername),
							errdetail("%s", source->error),
							errhint("Check the server's option \"bootstrap.servers\" and the user "
									"mapping, or use connect => false.")));
			break;
		case EC_SOURCE_DENIED:
			ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
							errmsg("Kafka denies access to topic \"%s\" of server \"%s\"", topic,
								   server->servername),
							errdetail("%s", source->error)));
			break;
		case EC_SOURCE_FAILED:
			ereport(ERROR, (errcode(ERRCODE_FDW_ERROR),
							errmsg("could not ask Kafka for topic \"%s\" of server \"%s\"", topic,
								   server->servername),
							errdetail("%s", source->error)));
			break;
	}
}

static int
ask_partitions(EcSource *source, const ForeignServer *server, int topic, const char *name,
			   TimestampTz deadline)
{
	EcSourceResult result;
	int n = 0;

	do
	{
		CHECK_FOR_INTERRUPTS();
		result = source->ops->count_partitions(source, topic, SLICE_MS, &n);
		check_result(source, result, server, name, deadline);
	} while (result != EC_SOURCE_OK);
	return n;
}

static void
ask_start(EcSource *source, const ForeignServer *server, const char *topic, const char *start,
		  EcSourcePosition *positions, int n, TimestampTz deadline)
{
	EcSourceResult result;

	do
	{
		CHECK_FOR_INTERRUPTS();
		result = ec_start_resolve(source, start, positions, n, SLICE_MS);
		check_result(source, result, server, topic, deadline);
	} while (result != EC_SOURCE_OK);
}

/* Offsets that a user gave must be in the topic, or be its end. */
static void
check_given(EcSource *source, const ForeignServer *server, const char *topic,
			const EcSourcePosition *given, int n, TimestampTz deadline)
{
	EcSourcePosition *first = palloc(sizeof(EcSourcePosition) * Max(n, 1));
	EcSourcePosition *end = palloc(sizeof(EcSourcePosition) * Max(n, 1));

	memcpy(first, given, sizeof(EcSourcePosition) * n);
	memcpy(end, given, sizeof(EcSourcePosition) * n);
	ask_start(source, server, topic, "earliest", first, n, deadline);
	ask_start(source, server, topic, "latest", end, n, deadline);
	for (int i = 0; i < n; i++)
	{
		if (given[i].offset < first[i].offset || given[i].offset > end[i].offset)
			ereport(
				ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("offset " INT64_FORMAT " is out of range in partition %d of topic \"%s\"",
						given[i].offset, given[i].partition, topic),
				 errdetail("The partition's offsets go from " INT64_FORMAT " to " INT64_FORMAT ".",
						   first[i].offset, end[i].offset)));
	}
}

static EcStreamOffset *
ask_offsets(EcSource *source, const ForeignServer *server, char **topics, int ntopics,
			const char *start, bool check, int *n)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PATIENCE_MS);
	EcStreamOffset *offsets = palloc(sizeof(EcStreamOffset));
	int last_given = ec_start_last_partition(start);
	int most = 0;

	*n = 0;
	for (int topic = 0; topic < ntopics; topic++)
	{
		int count = ask_partitions(source, server, topic, topics[topic], deadline);
		EcSourcePosition *positions = palloc(sizeof(EcSourcePosition) * count);

		most = Max(most, count);
		for (int i = 0; i < count; i++)
			positions[i] = (EcSourcePosition){topic, i, 0};
		ask_start(source, server, topics[topic], start, positions, count, deadline);
		if (check && last_given >= 0)
			check_given(source, server, topics[topic], positions, count, deadline);
		offsets = repalloc(offsets, sizeof(EcStreamOffset) * (*n + count));
		for (int i = 0; i < count; i++)
			offsets[(*n)++] = (EcStreamOffset){topics[topic], i, positions[i].offset};
	}
	if (check && last_given >= most)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("start names partition %d, which does not exist", last_given)));
	return offsets;
}

EcStreamOffset *
ec_connect_offsets(const ForeignServer *server, Oid user, char **topics, int ntopics,
				   const char *start, bool check, int *n)
{
	int nproperties;
	EcProperty *properties = ec_server_properties(server, user, &nproperties);
	EcSource *source =
		ec_kafka_open(properties, nproperties, (const char *const *) topics, ntopics, QUEUE_KB);
	EcStreamOffset *offsets;

	PG_TRY();
	{
		offsets = ask_offsets(source, server, topics, ntopics, start, check, n);
	}
	PG_FINALLY();
	{
		source->ops->close(source);
	}
	PG_END_TRY();
	return offsets;
}
