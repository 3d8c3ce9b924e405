/*-------------------------------------------------------------------------
 *
 * ecproduce_kafka.c
 *	  Producing, and counting what the broker acknowledged.
 *
 * librdkafka retries by itself; what it gives up (message.timeout.ms, a
 * message the broker refuses) is a failure of the whole run.  A message's
 * opaque pointer is its number of rows.
 *
 *-------------------------------------------------------------------------
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecproduce.h"

#define STOP_SECONDS 10.0 /* for what is on its way when a signal comes */

struct EcKafka
{
	rd_kafka_t *rk;
	rd_kafka_topic_t *topic;
	EcCounts *counts;
	int32_t partitions;
	size_t max_message;
	bool failed;
	bool quiet;
	bool debug;		   /* -X debug=... */
	double started;	   /* first message; 0: none yet */
	double told;	   /* when the last warning was printed */
	char trouble[256]; /* the last one that librdkafka reported */
};

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	EcKafka *kafka = opaque;
	EcCounts *counts = kafka->counts;
	uint64_t rows = (uint64_t) (uintptr_t) message->_private;

	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		counts->rows += rows;
		counts->messages++;
		counts->bytes += message->len;
		counts->seconds = ec_now() - kafka->started;
		return;
	}
	counts->failed_rows += rows;
	counts->failed_messages++;
	if (!kafka->failed && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
		message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		ec_error("a message of %llu rows was not delivered: %s%s%s", (unsigned long long) rows,
				 rd_kafka_err2str(message->err), kafka->trouble[0] ? "; " : "", kafka->trouble);
	kafka->failed = true;
}

/* Transport troubles pass or end in a failed message; tell them now and then. */
static void
on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	EcKafka *kafka = opaque;
	char fatal[256];

	if (err == RD_KAFKA_RESP_ERR__FATAL)
	{
		rd_kafka_fatal_error(rk, fatal, sizeof(fatal));
		ec_error("%s", fatal);
		kafka->failed = true;
		return;
	}
	snprintf(kafka->trouble, sizeof(kafka->trouble), "%s", reason);
	if (!kafka->quiet && ec_now() - kafka->told > 10.0)
	{
		ec_error("warning: %s", reason);
		kafka->told = ec_now();
	}
}

/* Usually the error callback says it in a better way. */
static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	const EcKafka *kafka = rd_kafka_opaque(rk);

	if (level <= 2 || kafka->debug)
		ec_error("librdkafka: %s: %s", facility, text);
}

static rd_kafka_t *
new_handle(EcKafka *kafka, const EcProduceOptions *o)
{
	rd_kafka_conf_t *conf = ec_kafka_conf(o);
	char value[64];
	size_t size = sizeof(value);
	char error[512];
	rd_kafka_t *rk;

	if (rd_kafka_conf_get(conf, "message.max.bytes", value, &size) == RD_KAFKA_CONF_OK)
		kafka->max_message = (size_t) strtoull(value, NULL, 10);
	rd_kafka_conf_set_opaque(conf, kafka);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (rk == NULL)
	{
		ec_error("%s", error);
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	return rk;
}

/*
 * Administration gets a handle of its own: one that saw the topic before its
 * deletion would remember things about it that are no longer so.
 */
static bool
prepare(EcKafka *kafka, const EcProduceOptions *o)
{
	rd_kafka_t *rk = new_handle(kafka, o);
	bool ok;

	if (rk == NULL)
		return false;
	ok = ec_topic_prepare(rk, o, &kafka->partitions);
	if (!ok && kafka->trouble[0] != '\0' && ec_stop_signal == 0)
		ec_error("librdkafka says: %s", kafka->trouble);
	rd_kafka_destroy(rk);
	kafka->trouble[0] = '\0';
	return ok && !kafka->failed;
}

EcKafka *
ec_kafka_open(const EcProduceOptions *o, EcCounts *counts)
{
	EcKafka *kafka = ec_malloc(sizeof(*kafka));

	memset(kafka, 0, sizeof(*kafka));
	kafka->counts = counts;
	for (int i = 0; i < o->nproperties; i++)
		kafka->debug = kafka->debug || strcmp(o->properties[i].name, "debug") == 0;
	/* until the topic is ready, the one error at the end says it all */
	kafka->quiet = true;
	if (!prepare(kafka, o) || (kafka->rk = new_handle(kafka, o)) == NULL)
	{
		free(kafka);
		return NULL;
	}
	kafka->quiet = o->quiet;
	if (o->partition >= kafka->partitions)
		ec_error("topic \"%s\" has no partition %d, only %d", o->topic, o->partition,
				 kafka->partitions);
	else
		kafka->topic = rd_kafka_topic_new(kafka->rk, o->topic, NULL);
	if (kafka->topic == NULL)
	{
		ec_kafka_close(kafka);
		return NULL;
	}
	return kafka;
}

int32_t
ec_kafka_partitions(const EcKafka *kafka)
{
	return kafka->partitions;
}

size_t
ec_kafka_max_message(const EcKafka *kafka)
{
	return kafka->max_message;
}

bool
ec_kafka_failed(const EcKafka *kafka)
{
	return kafka->failed;
}

void
ec_kafka_poll(EcKafka *kafka, int ms)
{
	rd_kafka_poll(kafka->rk, ms);
}

/*
 * Hands over the payload, which librdkafka frees.  False: the queue is full (poll,
 * then try again) or the message is refused (ec_kafka_failed); the payload is
 * still the caller's.
 */
bool
ec_kafka_produce(EcKafka *kafka, int32_t partition, char *payload, size_t len, uint64_t rows)
{
	if (kafka->started == 0.0)
		kafka->started = ec_now();
	if (rd_kafka_produce(kafka->topic, partition, RD_KAFKA_MSG_F_FREE, payload, len, NULL, 0,
						 (void *) (uintptr_t) rows) == 0)
		return true;
	if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
	{
		if (!kafka->failed)
			ec_error("could not produce a message of %zu bytes: %s", len,
					 rd_kafka_err2str(rd_kafka_last_error()));
		kafka->failed = true;
	}
	return false;
}

/* True: nothing is on its way any more.  After a signal it waits for a bounded time only. */
bool
ec_kafka_flush(EcKafka *kafka, void (*tick)(void *arg), void *arg)
{
	double deadline = 0.0;

	while (rd_kafka_outq_len(kafka->rk) > 0)
	{
		if (ec_stop_signal != 0 && deadline == 0.0)
			deadline = ec_now() + STOP_SECONDS;
		if (deadline > 0.0 && ec_now() > deadline)
			return false;
		rd_kafka_flush(kafka->rk, 100);
		tick(arg);
	}
	return true;
}

void
ec_kafka_close(EcKafka *kafka)
{
	if (rd_kafka_outq_len(kafka->rk) > 0)
	{
		rd_kafka_purge(kafka->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		rd_kafka_flush(kafka->rk, 1000);
	}
	if (kafka->topic != NULL)
		rd_kafka_topic_destroy(kafka->topic);
	rd_kafka_destroy(kafka->rk);
	free(kafka);
}
