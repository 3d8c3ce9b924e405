/*-------------------------------------------------------------------------
 *
 * ecproduce_topic.c
 *	  The configuration for librdkafka, and the topic: find, create, delete.
 *
 * A topic is never made by accident: only metadata of all topics is asked
 * for, which no broker takes for a reason to create one.
 *
 *-------------------------------------------------------------------------
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecproduce.h"

static void
set_property(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char error[512];

	if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
		return;
	ec_error("%s", error);
	fputs("Try \"ecproduce --help\".\n", stderr);
	exit(2);
}

/*
 * Idempotent: in order and exactly once, whatever is retried.  That needs one
 * request in flight at a time: a broker accepts any sequence number as a
 * producer's first in a partition, so if the first batch fails for a passing
 * reason (a topic just made has no leader yet) and the second, already on its
 * way, succeeds, librdkafka takes the first for acknowledged too, and it is
 * lost.  With five in flight that befell one run in ten on fresh topics; one
 * costs about a fifth of the speed on the same machine.  The queue holds
 * two hundred messages of the usual size, and never more than 128 MB; a
 * message may wait five minutes for a broker that is away.
 */
rd_kafka_conf_t *
ec_kafka_conf(const EcProduceOptions *o)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set_property(conf, "bootstrap.servers", o->brokers);
	set_property(conf, "client.id", "ecproduce");
	set_property(conf, "enable.idempotence", "true");
	set_property(conf, "max.in.flight.requests.per.connection", "1");
	set_property(conf, "compression.codec", o->codec);
	set_property(conf, "linger.ms", "5");
	set_property(conf, "queue.buffering.max.kbytes", "131072");
	set_property(conf, "message.timeout.ms", "300000");
	set_property(conf, "reconnect.backoff.max.ms", "1000");
	for (int i = 0; i < o->nproperties; i++)
		set_property(conf, o->properties[i].name, o->properties[i].value);
	return conf;
}

static bool
expired(double deadline)
{
	return ec_now() > deadline || ec_stop_signal != 0;
}

/* How many partitions with a leader has the topic?  0: no topic.  -1: no answer in time. */
static int
count_partitions(rd_kafka_t *rk, const char *topic, double deadline, int *leaders)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t err;
	int n = 0;

	*leaders = 0;
	do
	{
		err = rd_kafka_metadata(rk, 1, NULL, &md, 1000);
		rd_kafka_poll(rk, 0); /* the error callback tells what is wrong */
	} while (err != RD_KAFKA_RESP_ERR_NO_ERROR && !expired(deadline));
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	for (int i = 0; i < md->topic_cnt; i++)
	{
		const rd_kafka_metadata_topic_t *t = &md->topics[i];

		if (strcmp(t->topic, topic) != 0 || t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
			continue;
		n = t->partition_cnt;
		for (int p = 0; p < t->partition_cnt; p++)
			*leaders += t->partitions[p].leader >= 0;
	}
	rd_kafka_metadata_destroy(md);
	return n;
}

/* The one topic's result of an admin event. */
static rd_kafka_resp_err_t
result_of(rd_kafka_event_t *event, char *reason, size_t size)
{
	const rd_kafka_topic_result_t **results = NULL;
	const rd_kafka_CreateTopics_result_t *created;
	const rd_kafka_DeleteTopics_result_t *deleted;
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	size_t n = 0;

	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		snprintf(reason, size, "%s", rd_kafka_event_error_string(event));
		return err;
	}
	if ((created = rd_kafka_event_CreateTopics_result(event)) != NULL)
		results = rd_kafka_CreateTopics_result_topics(created, &n);
	else if ((deleted = rd_kafka_event_DeleteTopics_result(event)) != NULL)
		results = rd_kafka_DeleteTopics_result_topics(deleted, &n);
	if (n == 0)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	err = rd_kafka_topic_result_error(results[0]);
	snprintf(reason, size, "%s",
			 rd_kafka_topic_result_error_string(results[0])
				 ? rd_kafka_topic_result_error_string(results[0])
				 : rd_kafka_err2str(err));
	return err;
}

/* Create (partitions > 0) or delete the topic; wait for the answer. */
static rd_kafka_resp_err_t
administer(rd_kafka_t *rk, const char *topic, int partitions, double deadline, char *reason,
		   size_t size)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_event_t *event = NULL;
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;

	if (partitions > 0)
	{
		rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, partitions, 1, reason, size);

		if (t == NULL)
		{
			rd_kafka_queue_destroy(queue);
			return RD_KAFKA_RESP_ERR__INVALID_ARG;
		}
		rd_kafka_CreateTopics(rk, &t, 1, NULL, queue);
		rd_kafka_NewTopic_destroy(t);
	}
	else
	{
		rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(topic);

		rd_kafka_DeleteTopics(rk, &t, 1, NULL, queue);
		rd_kafka_DeleteTopic_destroy(t);
	}
	snprintf(reason, size, "no answer in time");
	while (event == NULL && !expired(deadline))
		event = rd_kafka_queue_poll(queue, 200);
	if (event != NULL)
	{
		err = result_of(event, reason, size);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(queue);
	return err;
}

/* Truly gone: no broker lists it any more. */
static bool
delete_topic(rd_kafka_t *rk, const char *topic, double deadline)
{
	char reason[512];
	rd_kafka_resp_err_t err = administer(rk, topic, 0, deadline, reason, sizeof(reason));
	int leaders;

	if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
	{
		ec_error("could not delete topic \"%s\": %s", topic, reason);
		return false;
	}
	while (count_partitions(rk, topic, deadline, &leaders) != 0)
	{
		if (expired(deadline))
		{
			ec_error("topic \"%s\" is still there after its deletion", topic);
			return false;
		}
		rd_kafka_poll(rk, 50);
	}
	return true;
}

/* "Exists" may be the old topic, not yet quite deleted: try until the deadline. */
static bool
create_topic(rd_kafka_t *rk, const char *topic, int partitions, bool again, double deadline)
{
	char reason[512];
	rd_kafka_resp_err_t err;

	for (;;)
	{
		err = administer(rk, topic, partitions, deadline, reason, sizeof(reason));
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
			return true;
		if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS && !again)
			return true; /* somebody else was faster */
		if (err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS || expired(deadline))
			break;
		rd_kafka_poll(rk, 100);
	}
	ec_error("could not create topic \"%s\": %s", topic, reason);
	return false;
}

static bool
await_leaders(rd_kafka_t *rk, const char *topic, double deadline, int32_t *partitions)
{
	int leaders;
	int n;

	while ((n = count_partitions(rk, topic, deadline, &leaders)) <= 0 || leaders < n)
	{
		if (expired(deadline))
		{
			ec_error(n > 0 ? "some partitions of topic \"%s\" have no leader"
						   : "topic \"%s\" does not appear",
					 topic);
			return false;
		}
		rd_kafka_poll(rk, 50);
	}
	*partitions = n;
	return true;
}

/* Make the topic what the options ask for; false: told why not. */
bool
ec_topic_prepare(rd_kafka_t *rk, const EcProduceOptions *o, int32_t *partitions)
{
	double deadline = ec_now() + o->timeout;
	int leaders;
	int n = count_partitions(rk, o->topic, deadline, &leaders);
	int wanted = o->create_partitions;

	if (n < 0)
	{
		if (ec_stop_signal == 0)
			ec_error("no broker answers at \"%s\" within %d s", o->brokers, o->timeout);
		return false;
	}
	if (n == 0 && wanted == 0)
	{
		ec_error("topic \"%s\" does not exist; --create-topic PARTITIONS makes it", o->topic);
		return false;
	}
	if (n > 0 && o->recreate)
	{
		if (wanted == 0)
			wanted = n;
		if (!delete_topic(rk, o->topic, deadline) ||
			!create_topic(rk, o->topic, wanted, true, deadline))
			return false;
	}
	else if (n == 0 && !create_topic(rk, o->topic, wanted, false, deadline))
		return false;
	else if (n > 0 && wanted > 0 && wanted != n && !o->quiet)
		ec_error("warning: topic \"%s\" exists already and has %d partitions", o->topic, n);
	return await_leaders(rk, o->topic, deadline, partitions);
}
