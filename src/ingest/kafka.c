/*
 * kafka.c
 *	  Kafka as a source, by librdkafka.  The only server file that includes
 *	  rdkafka.h.
 *
 * librdkafka runs threads of its own.  They are started with all signals blocked,
 * touch only malloc'd memory and never call into PostgreSQL; all that comes from
 * them comes through queues, which only the process's main thread reads.  The
 * error callback runs in that thread, inside poll; it may not raise an error
 * (a longjmp through librdkafka's frames would leave its locks held) and only
 * copies the text.
 *
 * Partitions are assigned explicitly, with offsets of ours; the consumer group
 * exists in name only, since librdkafka's assign() needs one.
 *
 * Every open source is on a list and is closed when the process exits: exit()
 * with threads still inside OpenSSL may crash, which the postmaster would answer
 * with a restart of everybody.
 */
#include "postgres.h"

#include <librdkafka/rdkafka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libpq/pqsignal.h"
#include "storage/ipc.h"

#include "ingest/kafka.h"

#define POLL_MAX 1024

typedef struct KafkaSource
{
	EcSource base;
	struct KafkaSource *next;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	rd_kafka_queue_t *logs;
	int fd;
	int ntopics;
	char **topics;
	rd_kafka_topic_t **handles; /* of messages, by topic; learnt from messages */
	EcSourcePosition *positions;
	int npositions;
	int last_position; /* messages come in runs of one partition */
	rd_kafka_message_t *polled[POLL_MAX];
} KafkaSource;

static KafkaSource *open_sources = NULL;
static bool exit_registered = false;

static const EcSourceOps kafka_ops;

/* Properties that are ours whatever the user set before. */
static const EcProperty owned_properties[] = {{"group.id", "ecinsight"},
											  {"enable.auto.commit", "false"},
											  {"enable.auto.offset.store", "false"},
											  {"auto.offset.reset", "error"},
											  {"enable.partition.eof", "true"},
											  {"allow.auto.create.topics", "false"},
											  {"log.queue", "true"},
											  {"log.thread.name", "false"},
											  {"max.poll.interval.ms", "86400000"},
											  {"topic.metadata.refresh.interval.ms", "30000"},
											  {"enable.sasl.oauthbearer.unsecure.jwt", "false"}};

/* Better than librdkafka's for one consumer at full speed; the user may set others. */
static const EcProperty default_properties[] = {{"client.id", "ecinsight"},
												{"queued.min.messages", "500000"},
												{"fetch.message.max.bytes", "2097152"},
												{"fetch.wait.max.ms", "100"},
												{"fetch.error.backoff.ms", "100"},
												{"reconnect.backoff.max.ms", "2000"},
												{"socket.keepalive.enable", "true"},
												{"check.crcs", "true"},
												{"log.connection.close", "false"}};

bool
ec_kafka_knows_property(const char *name)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char error[EC_SOURCE_ERROR_LEN];
	/* NULL stands for the default, and has no effect */
	bool known = rd_kafka_conf_set(conf, name, NULL, error, sizeof(error)) != RD_KAFKA_CONF_UNKNOWN;

	rd_kafka_conf_destroy(conf);
	return known;
}

bool
ec_kafka_check_property(const char *name, const char *value, char *error, size_t size)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	bool good = rd_kafka_conf_set(conf, name, value, error, size) == RD_KAFKA_CONF_OK;

	rd_kafka_conf_destroy(conf);
	for (size_t len = good ? 0 : strlen(error); len > 0 && strchr(" .\n", error[len - 1]) != NULL;
		 len--)
		error[len - 1] = '\0';
	return good;
}

/* malloc'd memory, since librdkafka's threads outlive any memory context */
static void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(Max(n, 1), size);

	if (p == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return p;
}

static char *
xstrdup(const char *text)
{
	char *p = xcalloc(strlen(text) + 1, 1);

	strcpy(p, text);
	return p;
}

static void
set_error(KafkaSource *source, const char *text)
{
	strlcpy(source->base.error, text, EC_SOURCE_ERROR_LEN);
	source->base.error_count++;
}

static void
kafka_error_cb(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	KafkaSource *source = opaque;

	/* says less than the error of the broker that was reported just before */
	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && source->base.error[0] != '\0')
	{
		source->base.error_count++;
		return;
	}
	set_error(source, reason);
}

static void
kafka_close(EcSource *base)
{
	KafkaSource *source = (KafkaSource *) base;
	KafkaSource **link = &open_sources;

	while (*link != NULL && *link != source)
		link = &(*link)->next;
	if (*link != NULL)
		*link = source->next;

	if (source->queue != NULL)
	{
		rd_kafka_queue_io_event_enable(source->queue, -1, NULL, 0);
		rd_kafka_queue_destroy(source->queue);
	}
	if (source->logs != NULL)
		rd_kafka_queue_destroy(source->logs);
	if (source->rk != NULL)
		rd_kafka_destroy_flags(source->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	if (source->fd >= 0)
		close(source->fd);
	for (int i = 0; i < source->ntopics; i++)
		free(source->topics[i]);
	free(source->topics);
	free(source->handles);
	free(source->positions);
	free(source);
}

void
ec_kafka_close_all(void)
{
	while (open_sources != NULL)
		kafka_close(&open_sources->base);
}

static void
close_at_exit(int code, Datum arg)
{
	ec_kafka_close_all();
}

static void
conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char error[EC_SOURCE_ERROR_LEN];

	if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) != RD_KAFKA_CONF_OK)
	{
		rd_kafka_conf_destroy(conf);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("Kafka property \"%s\" cannot be set", name), errdetail("%s.", error)));
	}
}

static rd_kafka_conf_t *
make_conf(const EcProperty *properties, int nproperties, int queue_kb)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char kb[32];

	snprintf(kb, sizeof(kb), "%d", queue_kb);
	conf_set(conf, "queued.max.messages.kbytes", kb);
	for (int i = 0; i < lengthof(default_properties); i++)
		conf_set(conf, default_properties[i].name, default_properties[i].value);
	for (int i = 0; i < nproperties; i++)
		conf_set(conf, properties[i].name, properties[i].value);
	for (int i = 0; i < lengthof(owned_properties); i++)
		conf_set(conf, owned_properties[i].name, owned_properties[i].value);
	return conf;
}

/* rd_kafka_new with all signals blocked, so that its threads never take one of ours. */
static rd_kafka_t *
new_consumer(rd_kafka_conf_t *conf, char *error, size_t size)
{
	sigset_t all;
	sigset_t before;
	rd_kafka_t *rk;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, size);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rk;
}

EcSource *
ec_kafka_open(const EcProperty *properties, int nproperties, const char *const *topics, int ntopics,
			  int queue_kb)
{
	rd_kafka_conf_t *conf = make_conf(properties, nproperties, queue_kb);
	KafkaSource *source = xcalloc(1, sizeof(KafkaSource));
	char error[EC_SOURCE_ERROR_LEN];
	uint64 one = 1;

	if (!exit_registered)
	{
		on_proc_exit(close_at_exit, (Datum) 0);
		exit_registered = true;
	}
	source->base.ops = &kafka_ops;
	source->fd = -1;
	source->next = open_sources;
	open_sources = source;
	source->topics = xcalloc(ntopics, sizeof(char *));
	source->handles = xcalloc(ntopics, sizeof(rd_kafka_topic_t *));
	for (source->ntopics = 0; source->ntopics < ntopics; source->ntopics++)
		source->topics[source->ntopics] = xstrdup(topics[source->ntopics]);

	rd_kafka_conf_set_opaque(conf, source);
	rd_kafka_conf_set_error_cb(conf, kafka_error_cb);
	source->rk = new_consumer(conf, error, sizeof(error));
	if (source->rk == NULL)
	{
		rd_kafka_conf_destroy(conf);
		kafka_close(&source->base);
		ereport(ERROR, (errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
						errmsg("could not make a Kafka consumer: %s", error)));
	}
	source->logs = rd_kafka_queue_new(source->rk);
	rd_kafka_set_log_queue(source->rk, source->logs);
	rd_kafka_poll_set_consumer(source->rk);
	source->queue = rd_kafka_queue_get_consumer(source->rk);
	source->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (source->fd < 0)
	{
		kafka_close(&source->base);
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not make an event descriptor: %m")));
	}
	rd_kafka_queue_io_event_enable(source->queue, source->fd, &one, sizeof(one));
	return &source->base;
}

/* ---- questions to the brokers ---- */

static EcSourceResult
classify(rd_kafka_resp_err_t err)
{
	switch (err)
	{
		case RD_KAFKA_RESP_ERR_NO_ERROR:
			return EC_SOURCE_OK;
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
			return EC_SOURCE_NO_TOPIC;
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
		case RD_KAFKA_RESP_ERR__AUTHENTICATION:
			return EC_SOURCE_DENIED;
		case RD_KAFKA_RESP_ERR__TRANSPORT:
		case RD_KAFKA_RESP_ERR__TIMED_OUT:
		case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
		case RD_KAFKA_RESP_ERR__RESOLVE:
		case RD_KAFKA_RESP_ERR__WAIT_COORD:
		case RD_KAFKA_RESP_ERR__WAIT_CACHE:
		case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
		case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
		case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
		case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
		case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
		case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
		case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_LISTENER_NOT_FOUND:
			return EC_SOURCE_UNREACHABLE;
		default:
			return EC_SOURCE_FAILED;
	}
}

/* Lets the error callback run, so that "error" tells why nobody answers. */
static void
serve_errors(KafkaSource *source)
{
	EcMessage messages[8];
	int n = kafka_ops.poll(&source->base, messages, lengthof(messages));

	kafka_ops.release(&source->base, messages, n);
}

static EcSourceResult
answer(KafkaSource *source, rd_kafka_resp_err_t err)
{
	EcSourceResult result = classify(err);

	if (result == EC_SOURCE_UNREACHABLE)
	{
		serve_errors(source);
		if (source->base.error[0] == '\0')
			set_error(source, rd_kafka_err2str(err));
	}
	else if (result != EC_SOURCE_OK)
		set_error(source, rd_kafka_err2str(err));
	return result;
}

static EcSourceResult
kafka_count_partitions(EcSource *base, int topic, int timeout_ms, int *count)
{
	KafkaSource *source = (KafkaSource *) base;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(source->rk, source->topics[topic], NULL);
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t err;

	if (handle == NULL)
		return answer(source, rd_kafka_last_error());
	err = rd_kafka_metadata(source->rk, 0, handle, &metadata, timeout_ms);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		*count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
		err = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR && *count == 0)
			err = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_topic_destroy(handle);
	return answer(source, err);
}

static rd_kafka_topic_partition_list_t *
partition_list(KafkaSource *source, const EcSourcePosition *positions, int n)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(Max(n, 1));

	for (int i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, source->topics[positions[i].topic],
										  positions[i].partition)
			->offset = positions[i].offset;
	return list;
}

static EcSourceResult
kafka_offsets(EcSource *base, EcSourcePosition *positions, int n, int64 when, int timeout_ms)
{
	KafkaSource *source = (KafkaSource *) base;
	rd_kafka_topic_partition_list_t *list = partition_list(source, positions, n);
	rd_kafka_resp_err_t err;

	/* librdkafka hands the time on as it is, so Kafka's special times work too */
	for (int i = 0; i < n; i++)
		list->elems[i].offset = when;
	err = rd_kafka_offsets_for_times(source->rk, list, timeout_ms);
	for (int i = 0; i < n && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
	{
		err = list->elems[i].err;
		positions[i].offset = list->elems[i].offset < 0 ? -1 : list->elems[i].offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return answer(source, err);
}

/* ---- reading ---- */

static bool
kafka_assign(EcSource *base, const EcSourcePosition *positions, int n)
{
	KafkaSource *source = (KafkaSource *) base;
	rd_kafka_topic_partition_list_t *list = partition_list(source, positions, n);
	rd_kafka_resp_err_t err = rd_kafka_assign(source->rk, list);

	rd_kafka_topic_partition_list_destroy(list);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		set_error(source, rd_kafka_err2str(err));
		return false;
	}
	free(source->positions);
	source->positions = xcalloc(n, sizeof(EcSourcePosition));
	memcpy(source->positions, positions, n * sizeof(EcSourcePosition));
	source->npositions = n;
	source->last_position = 0;
	return true;
}

static int
topic_of(KafkaSource *source, rd_kafka_topic_t *handle)
{
	for (int i = 0; i < source->ntopics; i++)
	{
		if (source->handles[i] == handle)
			return i;
	}
	for (int i = 0; i < source->ntopics; i++)
	{
		if (strcmp(source->topics[i], rd_kafka_topic_name(handle)) == 0)
		{
			source->handles[i] = handle;
			return i;
		}
	}
	return -1;
}

static int
position_of(KafkaSource *source, const rd_kafka_message_t *m)
{
	int topic;

	if (m->rkt == NULL || m->partition < 0)
		return -1;
	topic = topic_of(source, m->rkt);
	for (int k = 0; k < source->npositions; k++)
	{
		int i = (source->last_position + k) % source->npositions;

		if (source->positions[i].topic == topic && source->positions[i].partition == m->partition)
			return source->last_position = i;
	}
	return -1;
}

/*
 * Some errors librdkafka mends by itself.  The group is nothing to us, so its
 * errors are no errors.  Whatever else happens to a partition might have made
 * librdkafka skip messages: then the reader must start again from what is saved.
 */
static EcMessageKind
kind_of_error(rd_kafka_resp_err_t err)
{
	switch (err)
	{
		case RD_KAFKA_RESP_ERR__PARTITION_EOF:
			return EC_MESSAGE_END;
		case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
			return EC_MESSAGE_OUT_OF_RANGE;
		case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
		case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
			return 0;
		default:
			return classify(err) == EC_SOURCE_FAILED ? EC_MESSAGE_BROKEN : EC_MESSAGE_UNAVAILABLE;
	}
}

static bool
fill_message(KafkaSource *source, rd_kafka_message_t *m, EcMessage *out)
{
	rd_kafka_timestamp_type_t type;

	memset(out, 0, sizeof(*out));
	out->handle = m;
	out->position = position_of(source, m);
	out->offset = m->offset;
	if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		out->kind = EC_MESSAGE_DATA;
		out->payload = m->payload;
		out->len = m->len;
		out->timestamp = rd_kafka_message_timestamp(m, &type);
		if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
			out->timestamp = -1;
		/* of a partition that is assigned no more */
		return out->position >= 0;
	}
	out->kind = kind_of_error(m->err);
	if (out->kind != EC_MESSAGE_END && out->kind != 0)
	{
		set_error(source, rd_kafka_message_errstr(m));
		out->error = source->base.error;
	}
	if (out->kind == EC_MESSAGE_END || out->kind == EC_MESSAGE_OUT_OF_RANGE)
		return out->position >= 0;
	return out->kind != 0;
}

static int
kafka_poll(EcSource *base, EcMessage *messages, int max)
{
	KafkaSource *source = (KafkaSource *) base;
	ssize_t n = rd_kafka_consume_batch_queue(source->queue, 0, source->polled, Min(max, POLL_MAX));
	int kept = 0;

	for (ssize_t i = 0; i < n; i++)
	{
		if (fill_message(source, source->polled[i], &messages[kept]))
			kept++;
		else
			rd_kafka_message_destroy(source->polled[i]);
	}
	return kept;
}

static void
kafka_release(EcSource *base, EcMessage *messages, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (messages[i].handle != NULL)
			rd_kafka_message_destroy(messages[i].handle);
		messages[i].handle = NULL;
	}
}

static int
kafka_wait_fd(EcSource *base)
{
	return ((KafkaSource *) base)->fd;
}

static void
kafka_drain_fd(EcSource *base)
{
	uint64 count;

	/* an eventfd gives all that was written at once; an error means that it was empty */
	if (read(((KafkaSource *) base)->fd, &count, sizeof(count)) < 0)
		return;
}

static int64
kafka_high_watermark(EcSource *base, int position)
{
	KafkaSource *source = (KafkaSource *) base;
	const EcSourcePosition *p = &source->positions[position];
	int64 low = -1;
	int64 high = -1;

	if (rd_kafka_get_watermark_offsets(source->rk, source->topics[p->topic], p->partition, &low,
									   &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	return high < 0 ? -1 : high;
}

static bool
kafka_next_log(EcSource *base, int *level, char *text, size_t size)
{
	KafkaSource *source = (KafkaSource *) base;
	rd_kafka_event_t *event = rd_kafka_queue_poll(source->logs, 0);
	const char *facility;
	const char *line;
	bool is_log;

	if (event == NULL)
		return false;
	is_log = rd_kafka_event_log(event, &facility, &line, level) == 0;
	if (is_log)
		snprintf(text, size, "%s: %s", facility, line);
	rd_kafka_event_destroy(event);
	return is_log;
}

static const EcSourceOps kafka_ops = {
	kafka_count_partitions, kafka_offsets,	kafka_assign,		  kafka_poll,	  kafka_release,
	kafka_wait_fd,			kafka_drain_fd, kafka_high_watermark, kafka_next_log, kafka_close};
