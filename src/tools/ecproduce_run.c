/*-------------------------------------------------------------------------
 *
 * ecproduce_run.c
 *	  The main loop: rows of the inputs become messages of the topic.
 *
 * Two ways.  Usually a message is a stretch of the input: found by
 * ec_split(), copied once.  With --key or --replay each row is looked at and
 * goes to a lane, one for each partition (--key) or a single one; a lane that
 * is full becomes a message.
 *
 * A header line never belongs to a stretch or lane; it is put in front of
 * messages when they are made.
 *
 *-------------------------------------------------------------------------
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tools/ecproduce.h"

#define LANES_MEMORY ((size_t) 256 << 20)
#define HOLD_SECONDS 0.1  /* --replay: that long may a row wait for the next ones */
#define PACE_SECONDS 0.25 /* with --rate a message holds at most this much */

typedef struct Lane
{
	char *bytes;
	size_t len;
	size_t size;
	uint64_t rows;
} Lane;

typedef struct Run
{
	const EcProduceOptions *o;
	EcKafka *kafka; /* NULL: dry run */
	EcCounts counts;
	EcProgress progress;
	uint64_t inputs_done; /* bytes of the inputs before this one */
	EcInput *input;
	int32_t partitions;
	uint64_t turn;	   /* of the partitions */
	size_t soft_limit; /* bytes of a message; one row may exceed it up to the hard one */
	size_t hard_limit;
	uint64_t max_rows;
	EcSplitRules rules;
	char *header;	  /* line in force, without its end */
	bool header_once; /* to be put in front of the next message only */
	int key_field;
	int time_field;
	Lane *lanes;
	int32_t nlanes;
	size_t lanes_bytes;
	double started;
	double flushed;		/* --replay: when the lanes were flushed */
	int64_t first_time; /* event_time at the start */
	bool has_first_time;
} Run;

static bool
must_end(const Run *run)
{
	return ec_stop_signal != 0 || (run->kafka && ec_kafka_failed(run->kafka));
}

/* Serve librdkafka and the user; also called from ec_kafka_flush(). */
static void
tick(void *arg)
{
	Run *run = arg;

	run->progress.done = run->inputs_done + (run->input ? ec_input_raw_offset(run->input) : 0);
	ec_progress_show(&run->progress, false);
}

static void
wait_until(Run *run, double when)
{
	double left;

	while ((left = when - ec_now()) > 0.0 && !must_end(run))
	{
		struct timespec ts = {0, left < 0.05 ? (long) (left * 1e9) : 50000000};

		if (run->kafka)
			ec_kafka_poll(run->kafka, (int) (ts.tv_nsec / 1000000));
		if (run->kafka == NULL || ts.tv_nsec < 1000000)
			nanosleep(&ts, NULL);
		tick(run);
	}
}

/* ---- messages ---- */

static void
count_dry(Run *run, size_t len, uint64_t rows)
{
	run->counts.rows += rows;
	run->counts.messages++;
	run->counts.bytes += len;
}

static int32_t
next_partition(Run *run)
{
	if (run->o->partition >= 0)
		return run->o->partition;
	return (int32_t) (run->turn++ % (uint64_t) run->partitions);
}

/* One message of these rows, with the header before them if it belongs there. */
static void
send_rows(Run *run, int32_t partition, const char *rows, size_t len, uint64_t nrows)
{
	bool with_header =
		run->header != NULL && (run->o->header == EC_HEADER_AUTO || run->header_once);
	size_t header_len = with_header ? run->rules.header_len + 1 : 0;
	char *payload;

	run->header_once = false;
	if (run->kafka == NULL)
	{
		count_dry(run, header_len + len, nrows);
		return;
	}
	payload = ec_malloc(header_len + len);
	if (with_header)
	{
		memcpy(payload, run->header, header_len - 1);
		payload[header_len - 1] = '\n';
	}
	memcpy(payload + header_len, rows, len);
	while (!ec_kafka_produce(run->kafka, partition, payload, header_len + len, nrows))
	{
		if (must_end(run))
		{
			free(payload);
			return;
		}
		ec_kafka_poll(run->kafka, 50);
		tick(run);
	}
	ec_kafka_poll(run->kafka, 0);
}

/* --rate: not before those sent so far have had their time. */
static void
keep_pace(Run *run)
{
	if (run->o->rate > 0.0)
		wait_until(run, run->started + (double) run->counts.rows_read / run->o->rate);
}

/* ---- lanes ---- */

static void
flush_lane(Run *run, int32_t i)
{
	Lane *lane = &run->lanes[i];

	if (lane->rows > 0)
		send_rows(run, run->o->key ? i : next_partition(run), lane->bytes, lane->len, lane->rows);
	run->lanes_bytes -= lane->len;
	lane->len = 0;
	lane->rows = 0;
}

static void
flush_lanes(Run *run)
{
	for (int32_t i = 0; i < run->nlanes && !must_end(run); i++)
		flush_lane(run, i);
}

static void
append_row(Run *run, int32_t i, const char *row, size_t len)
{
	Lane *lane = &run->lanes[i];

	if (lane->rows > 0 && lane->len + len > run->soft_limit)
	{
		run->counts.short_messages++;
		flush_lane(run, i);
	}
	if (lane->len + len > lane->size)
	{
		lane->size = (lane->len + len) * 2;
		lane->bytes = ec_realloc(lane->bytes, lane->size);
	}
	memcpy(lane->bytes + lane->len, row, len);
	lane->len += len;
	run->lanes_bytes += len;
	if (++lane->rows == run->max_rows)
		flush_lane(run, i);
	if (run->lanes_bytes > LANES_MEMORY)
		flush_lanes(run);
}

/* A row without a key may go anywhere. */
static int32_t
lane_of(Run *run, const char *row, size_t len)
{
	char key[256];
	EcField field;
	size_t n;

	if (run->o->key == NULL)
		return 0;
	if (!ec_row_field(row, len, run->key_field, run->o->delimiter, &field) || field.len == 0)
		return (int32_t) (run->turn++ % (uint64_t) run->partitions);
	if (field.bytes[0] != '"')
		return ec_partition_of_key(field.bytes, field.len, run->partitions);
	n = ec_field_unquote(&field, key, sizeof(key));
	return ec_partition_of_key(key, n, run->partitions);
}

/* --replay: wait for the row's time.  Rows of the past and without a time are due at once. */
static void
await_time(Run *run, const char *row, size_t len)
{
	EcField field;
	int64_t t;
	double now = ec_now();
	double due;

	if (!ec_row_field(row, len, run->time_field, run->o->delimiter, &field) ||
		!ec_time_read(field.bytes, field.len, &t))
		return;
	if (!run->has_first_time)
	{
		run->has_first_time = true;
		run->first_time = t;
	}
	due = run->started + (double) (t - run->first_time) / run->o->replay;
	/* what is due leaves together, but never waits for long */
	if (now - run->flushed > HOLD_SECONDS || due - now > HOLD_SECONDS)
	{
		flush_lanes(run);
		run->flushed = now;
	}
	wait_until(run, due);
}

static void
lane_row(Run *run, const char *row, size_t len)
{
	run->counts.rows_read++;
	if (run->o->replay > 0.0)
		await_time(run, row, len);
	append_row(run, lane_of(run, row, len), row, len);
	if (run->o->rate > 0.0 && run->counts.rows_read % run->max_rows == 0)
	{
		flush_lanes(run);
		keep_pace(run);
	}
}

/* ---- input ---- */

static bool
find_columns(Run *run, const EcColumns *columns)
{
	if (run->o->key != NULL)
	{
		run->key_field = ec_columns_find(columns, run->o->key);
		if (run->key_field < 0)
		{
			ec_error("%s has no column \"%s\" for --key", ec_input_name(run->input), run->o->key);
			return false;
		}
	}
	if (run->o->replay > 0.0)
	{
		run->time_field = ec_columns_find(columns, "event_time");
		if (run->time_field < 0)
		{
			ec_error("%s has no column \"event_time\" for --replay", ec_input_name(run->input));
			return false;
		}
	}
	return true;
}

/* Put this header into force: all rows before it have left. */
static bool
use_header(Run *run, const char *line, size_t len)
{
	EcColumns columns;
	bool ok;

	run->counts.headers++;
	free(run->header);
	run->header = NULL;
	run->rules.header = NULL;
	if (!ec_columns_read(&columns, line, len, run->o->delimiter))
	{
		ec_error("%s: a header of more than %d columns", ec_input_name(run->input), EC_MAX_COLUMNS);
		return false;
	}
	ok = find_columns(run, &columns);
	ec_columns_free(&columns);
	if (run->o->header == EC_HEADER_DROP)
		return ok;
	run->header = ec_malloc(len + 1);
	memcpy(run->header, line, len);
	run->rules.header = run->header;
	run->rules.header_len = len;
	run->header_once = run->o->header == EC_HEADER_KEEP;
	return ok;
}

/* The data begins with a header line: take it. */
static bool
take_header(Run *run, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t line = end ? (size_t) (end - data) : len;
	size_t whole = end ? line + 1 : line;
	bool ok;

	flush_lanes(run);
	if (line > 0 && data[line - 1] == '\r')
		line--;
	if (line + 1 >= run->soft_limit / 2)
	{
		ec_error("%s: the header line is too long", ec_input_name(run->input));
		return false;
	}
	ok = use_header(run, data, line);
	run->counts.bytes_read += whole;
	ec_input_skip(run->input, whole);
	return ok;
}

static bool
too_large(const Run *run, bool open_quote)
{
	ec_error("%s: row %llu, at byte %llu, is larger than a message may be (%zu bytes)%s",
			 ec_input_name(run->input), (unsigned long long) run->counts.rows_read + 1,
			 (unsigned long long) ec_input_offset(run->input), run->hard_limit,
			 open_quote ? "; a quote in it is never closed"
						: "; -X message.max.bytes=N allows more, if the broker does");
	return false;
}

static void
take_rows(Run *run, const char *data, const EcSplit *s)
{
	if (run->nlanes > 0)
	{
		if (s->rows > 0)
			lane_row(run, data, s->bytes);
	}
	else if (s->rows > 0)
	{
		keep_pace(run);
		run->counts.rows_read += s->rows;
		send_rows(run, next_partition(run), data, s->bytes, s->rows);
	}
	run->counts.headers += s->headers;
	run->counts.blanks += s->blanks;
	run->counts.bytes_read += s->bytes;
	ec_input_skip(run->input, s->bytes);
}

/* One step: a message (a row, with lanes) or a header.  False: an error, told. */
static bool
step(Run *run, const char *data, size_t len, bool eof)
{
	size_t header = run->header ? run->rules.header_len + 1 : 0;
	uint64_t max_rows = run->nlanes > 0 ? 1 : run->max_rows;
	size_t soft = run->soft_limit - header;
	size_t hard = run->hard_limit - header;
	EcSplit s = ec_split(&run->rules, data, len, eof, max_rows, soft);

	if (s.bytes == 0 && !s.header_follows && len > soft)
	{
		s = ec_split(&run->rules, data, len, eof, 1, hard);
		if (s.bytes == 0 && len > hard)
			return too_large(run, s.open_quote);
	}
	else if (run->nlanes == 0 && s.rows < max_rows && !s.header_follows && len > soft)
		run->counts.short_messages++;
	if (s.bytes > 0)
		take_rows(run, data, &s);
	if (s.header_follows && !must_end(run))
		return take_header(run, data + s.bytes, len - s.bytes);
	return true;
}

/* Steps while a whole message, or row, surely is in the window. */
static bool
take_window(Run *run)
{
	bool eof;

	do
	{
		size_t len;
		const char *data = ec_input_data(run->input, &len, &eof);

		if (len == 0 || ec_stop_signal != 0)
			return true;
		if (!step(run, data, len, eof))
			return false;
		ec_input_data(run->input, &len, &eof);
		if (!eof && len <= run->hard_limit)
			return true;
	} while (run->nlanes > 0 && !must_end(run));
	return true;
}

static bool
produce_input(Run *run)
{
	bool ok = true;

	while (ok && !must_end(run))
	{
		size_t len;
		bool eof;

		if (!ec_input_fill(run->input, run->hard_limit + 1))
		{
			ec_error("%s: %s", ec_input_name(run->input), ec_input_error(run->input));
			ok = false;
			break;
		}
		ec_input_data(run->input, &len, &eof);
		if (len == 0 && eof)
			break;
		ok = take_window(run);
		tick(run);
	}
	flush_lanes(run);
	return ok && !must_end(run);
}

static bool
produce_inputs(Run *run)
{
	bool ok = true;

	for (int i = 0; i < run->o->ninputs && ok; i++)
	{
		/* another file, another header */
		free(run->header);
		run->header = NULL;
		run->rules.header = NULL;
		run->input = ec_input_open(run->o->inputs[i]);
		if (run->input == NULL)
			return false;
		ok = find_columns(run, &run->o->columns) && produce_input(run);
		run->inputs_done += ec_input_raw_offset(run->input);
		ec_input_close(run->input);
		run->input = NULL;
	}
	return ok;
}

/* All inputs must exist before the first row leaves; their sizes make the progress bar. */
static bool
measure_inputs(Run *run)
{
	uint64_t total = 0;
	bool known = true;

	for (int i = 0; i < run->o->ninputs; i++)
	{
		const char *path = run->o->inputs[i];
		struct stat st;
		EcInput *input;

		if (strcmp(path, "-") == 0)
		{
			known = known && fstat(0, &st) == 0 && S_ISREG(st.st_mode);
			total += known ? (uint64_t) st.st_size : 0;
			continue;
		}
		if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		{
			known = false; /* a pipe can be opened once only */
			continue;
		}
		input = ec_input_open(path);
		if (input == NULL)
			return false;
		ec_input_close(input);
		total += (uint64_t) st.st_size;
	}
	run->progress.total = known ? total : 0;
	return true;
}

static void
prepare(Run *run)
{
	const EcProduceOptions *o = run->o;
	size_t max = run->kafka ? ec_kafka_max_message(run->kafka) : 1000000;

	/* librdkafka's limit counts its own framing too */
	run->hard_limit = max - (max > 8192 ? 1024 : max / 8);
	run->soft_limit = max / 10 * 9;
	run->partitions = o->create_partitions ? o->create_partitions : 1;
	if (run->kafka)
		run->partitions = ec_kafka_partitions(run->kafka);
	run->max_rows = o->rows_per_message;
	if (o->rate > 0.0 && (double) run->max_rows > o->rate * PACE_SECONDS)
		run->max_rows = o->rate * PACE_SECONDS < 1.0 ? 1 : (uint64_t) (o->rate * PACE_SECONDS);
	run->rules.delimiter = o->delimiter;
	run->rules.expected = &o->columns;
	run->nlanes = o->key ? run->partitions : o->replay > 0.0 ? 1 : 0;
	if (run->nlanes > 0)
	{
		run->lanes = ec_malloc((size_t) run->nlanes * sizeof(Lane));
		memset(run->lanes, 0, (size_t) run->nlanes * sizeof(Lane));
	}
	run->started = run->progress.started = run->progress.shown = ec_now();
}

static void
release(Run *run)
{
	for (int32_t i = 0; i < run->nlanes; i++)
		free(run->lanes[i].bytes);
	free(run->lanes);
	free(run->header);
}

/* The whole run; returns the exit code. */
int
ec_produce(const EcProduceOptions *o)
{
	Run run = {.o = o};
	bool complete;

	ec_progress_start(&run.progress, o, &run.counts);
	if (!measure_inputs(&run))
		return 1;
	if (!o->dry_run)
	{
		run.kafka = ec_kafka_open(o, &run.counts);
		if (run.kafka == NULL)
			return ec_stop_signal ? 128 + ec_stop_signal : 1;
	}
	prepare(&run);
	complete = produce_inputs(&run);
	if (run.kafka)
	{
		complete = ec_kafka_flush(run.kafka, tick, &run) && complete;
		complete =
			complete && !ec_kafka_failed(run.kafka) && run.counts.rows == run.counts.rows_read;
		ec_kafka_close(run.kafka);
	}
	else
		run.counts.seconds = ec_now() - run.started;
	ec_progress_show(&run.progress, true);
	ec_summary(o, &run.counts, run.partitions, complete);
	release(&run);
	if (ec_stop_signal != 0)
		return 128 + ec_stop_signal;
	return complete ? 0 : 1;
}
