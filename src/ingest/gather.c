/*
 * gather.c
 *	  Messages to rows, and what was gathered to the table: one transaction for
 *	  rows, dead letters and offsets.  See worker.h.
 *
 * A batch is stored when it fills a row group (or the stream's max_rows), exceeds
 * max_bytes, or has waited for max_delay.  Memory: the source's queue
 * (ecinsight.stream_queue_size), the batch up to max_bytes plus one message, and
 * dead letters up to LETTERS_BYTES plus one message's.  Builders keep their memory
 * from batch to batch, so it doesn't depend on how many rows have passed.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/stoppoint.h"
#include "ingest/worker.h"
#include "store/writer.h"

#define DEFAULT_MAX_BYTES ((int64) 256 * 1024 * 1024)
#define LETTERS_BYTES ((Size) 16 * 1024 * 1024)
#define LETTERS_MAX 50000
#define RAW_MAX (1024 * 1024)						 /* stored of a faulty row */
#define MESSAGE_TIME_MAX INT64CONST(253402300799999) /* 9999-12-31 */
#define NOTES_MAX 16								 /* differing headers told of */
#define NOTE_NAMES 10
#define POLL_BYTES (4 * 1024 * 1024) /* polled at a time, about */

static TimestampTz
message_timestamptz(int64 ms)
{
	return ms * 1000 - (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

void
ec_worker_error_context(void *arg)
{
	EcWorker *w = arg;
	const EcMessage *m = w->message;

	if (w->stream == NULL)
		return;
	if (m != NULL && m->position >= 0)
	{
		const EcWorkerPartition *p = &w->parts[m->position];

		errcontext("stream \"%s\", topic \"%s\", partition %d, offset " INT64_FORMAT,
				   w->stream->name, w->stream->topics[p->topic], p->partition, m->offset);
	}
	else
		errcontext("stream \"%s\"", w->stream->name);
}

/* ---- faulty rows ---- */

static EcDeadLetter *
new_letter(EcWorker *w)
{
	if (w->letters == NULL || w->nletters == w->max_letters)
	{
		w->max_letters = w->letters == NULL ? 64 : w->max_letters * 2;
		w->letters =
			w->letters == NULL
				? MemoryContextAlloc(w->letters_context, w->max_letters * sizeof(EcDeadLetter))
				: repalloc_huge(w->letters, w->max_letters * sizeof(EcDeadLetter));
	}
	return &w->letters[w->nletters++];
}

static void
add_letter(EcWorker *w, const EcWorkerPartition *p, int64 offset, const EcFault *fault)
{
	EcDeadLetter *d = new_letter(w);

	d->topic = w->stream->topics[p->topic];
	d->partition = p->partition;
	d->offset = offset;
	d->row = fault->row;
	d->reason = fault->reason;
	d->error = MemoryContextStrdup(w->letters_context, fault->error);
	d->raw = NULL;
	d->raw_len = Min(fault->raw_len, RAW_MAX);
	d->raw_length = fault->raw_len;
	if (fault->raw != NULL)
		d->raw = memcpy(MemoryContextAlloc(w->letters_context, Max(d->raw_len, 1)), fault->raw,
						d->raw_len);
	w->letters_bytes += d->raw_len + strlen(fault->error) + sizeof(EcDeadLetter);
}

/* The target's report of a faulty row. */
void
ec_worker_fault(void *arg, const EcFault *fault)
{
	EcWorker *w = arg;

	if (fault == NULL)
		w->nletters = w->message_letters;
	else if (!w->stream->stop_on_error)
		add_letter(w, &w->parts[w->message->position], w->message->offset, fault);
	else if (w->stop_fault == NULL)
	{
		const EcWorkerPartition *p = &w->parts[w->message->position];

		int len = pg_mbcliplen(fault->error, strlen(fault->error), 600);

		w->stop_fault = MemoryContextAlloc(w->context, 1024);
		snprintf(w->stop_fault, 1024,
				 "topic \"%s\", partition %d, offset " INT64_FORMAT ", row %d: %.*s",
				 w->stream->topics[p->topic], p->partition, w->message->offset, fault->row, len,
				 fault->error);
	}
}

/* ---- headers ---- */

static void
append_name(StringInfo names, int *n, const char *name)
{
	if (++*n <= NOTE_NAMES)
		appendStringInfo(names, "%s\"%s\"", *n == 1 ? "" : ", ", name);
	else if (*n == NOTE_NAMES + 1)
		appendStringInfoString(names, " ...");
}

/* What doesn't fit between the header in force and the target; NULL: nothing. */
static char *
header_note(const EcCsv *csv)
{
	StringInfoData missing;
	StringInfoData unknown;
	int nmissing = 0;
	int nunknown = 0;

	initStringInfo(&missing);
	initStringInfo(&unknown);
	for (int i = 0; i < ec_csv_columns(csv); i++)
	{
		if (!ec_csv_has_column(csv, i))
			append_name(&missing, &nmissing, ec_csv_column_name(csv, i));
	}
	for (int i = 0; i < ec_csv_header_fields(csv); i++)
	{
		if (!ec_csv_uses_field(csv, i))
			append_name(&unknown, &nunknown, ec_csv_header_name(csv, i));
	}
	if (nmissing + nunknown == 0)
		return NULL;
	return psprintf("the header differs from the table's columns:%s%s%s%s%s",
					nmissing > 0 ? " NULL will be stored in " : "", missing.data,
					nmissing > 0 && nunknown > 0 ? ";" : "",
					nunknown > 0 ? " ignored are the fields " : "", unknown.data);
}

/*
 * A header may fit well enough to be one and still leave columns empty, say since one
 * was renamed.  That is no fault, but nobody should have to find out by the NULLs.  Each
 * difference is told once, since the producers of a topic may use headers in turn.
 */
void
ec_worker_check_header(EcWorker *w)
{
	EcCsv *csv = ec_target_csv(w->target);
	char *note = header_note(csv);
	MemoryContext old;
	ListCell *lc;

	w->header_checked = ec_csv_header_serial(csv);
	if (note == NULL || list_length(w->header_notes) >= NOTES_MAX)
		return;
	foreach (lc, w->header_notes)
	{
		if (strcmp(lfirst(lc), note) == 0)
			return;
	}
	old = MemoryContextSwitchTo(w->stream_context);
	w->header_notes = lappend(w->header_notes, pstrdup(note));
	MemoryContextSwitchTo(old);
	ec_status_error(w->slot, note);
	ereport(WARNING,
			(errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("stream \"%s\": %s", w->stream->name, note),
			 errhint("Rename the columns or the header's fields, so that they agree.")));
}

/* ---- storing ---- */

void
ec_worker_forget(EcWorker *w)
{
	ec_batch_reset(ec_target_batch(w->target));
	MemoryContextReset(w->letters_context);
	w->letters = NULL;
	w->nletters = 0;
	w->letters_bytes = 0;
	w->batch_begin = 0;
	w->spilled = false;
	memset(&w->batch_counters, 0, sizeof(w->batch_counters));
	for (int i = 0; i < w->nparts; i++)
	{
		w->parts[i].messages = w->parts[i].rows = 0;
		w->parts[i].message_time = -1;
	}
}

/* The target, locked until the end of the transaction; NULL: it has changed, so the batch doesn't fit. */
static Relation
lock_target(EcWorker *w)
{
	Relation rel = ec_target_open(w->stream->target, w->stream->owner, RowExclusiveLock, true);

	if (rel == NULL)
	{
		AbortCurrentTransaction();
		w->in_work = false;
		ec_worker_fail(w, "the target table does not exist any more");
	}
	if (ec_target_matches(w->target, rel))
		return rel;
	relation_close(rel, NoLock);
	return NULL;
}

static void
store_rows(EcWorker *w, Relation rel, EcBatch *batch)
{
	if (batch->nrows == 0)
		return;
	ec_store_write_batch(rel, batch, GetCurrentCommandId(true));
	CommandCounterIncrement();
}

/* A message larger than a row group: its first rows go to the table while it is parsed. */
static void
spill(void *arg, EcBatch *batch)
{
	EcWorker *w = arg;
	Relation rel = lock_target(w);

	if (rel == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
						errmsg("the target table was altered while a message was being stored")));
	store_rows(w, rel, batch);
	relation_close(rel, NoLock);
	ec_batch_reset(batch);
	w->spilled = true;
}

/* Everything moved since the last commit; also collects the batch's counters. */
static EcOffsetAdvance *
collect_advances(EcWorker *w, int *n)
{
	EcOffsetAdvance *advances = palloc(sizeof(EcOffsetAdvance) * Max(w->nparts, 1));

	*n = 0;
	for (int i = 0; i < w->nparts; i++)
	{
		const EcWorkerPartition *p = &w->parts[i];
		EcOffsetAdvance *a = &advances[*n];

		if (p->next == p->saved)
			continue;
		a->topic = w->stream->topics[p->topic];
		a->partition = p->partition;
		a->from = p->saved;
		a->to = p->next;
		a->message_time = p->message_time < 0 ? 0 : message_timestamptz(p->message_time);
		a->messages = p->messages;
		a->rows = p->rows;
		(*n)++;
	}
	return advances;
}

static void
store_offsets(EcWorker *w)
{
	int n;
	EcOffsetAdvance *advances = collect_advances(w, &n);

	if (n > 0 && !ec_offsets_advance(w->stream->id, advances, n))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("offsets of stream \"%s\" were moved by somebody else", w->stream->name),
				 errdetail("The batch at hand is dropped and will be read again from the offsets "
						   "in force.")));
}

static void
store_header(EcWorker *w)
{
	EcCsv *csv = ec_target_csv(w->target);
	int n = ec_csv_header_fields(csv);
	const char **names;

	if (ec_csv_header_serial(csv) == w->header_serial)
		return;
	names = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		names[i] = ec_csv_header_name(csv, i);
	ec_stream_save_header(w->stream->id, names, n);
}

/* Returns true if there are now too many of them. */
static bool
store_letters(EcWorker *w)
{
	int64 sum;

	if (w->nletters == 0)
		return false;
	ec_dead_letters_insert(w->stream->id, GetCurrentTimestamp(), w->letters, w->nletters);
	sum = ec_stream_add_errors(w->stream->id, w->nletters);
	return w->stream->max_errors >= 0 && sum > w->stream->max_errors;
}

/* After the commit: memory agrees with the table again. */
static void
stored(EcWorker *w, TimestampTz flush_begin)
{
	EcStreamCounters *c = &w->batch_counters;
	EcStreamBatch record = {0};
	TimestampTz now = GetCurrentTimestamp();

	c->dead_letters = w->nletters;
	record.committed_at = now;
	record.rows = c->rows;
	record.dead_letters = c->dead_letters;
	record.messages = c->messages;
	record.bytes = c->bytes;
	record.gather_us = Max(flush_begin - w->batch_begin, 0);
	record.flush_us = now - flush_begin;
	for (int i = 0; i < w->nparts; i++)
		w->parts[i].saved = w->parts[i].next;
	w->header_serial = ec_csv_header_serial(ec_target_csv(w->target));
	if (w->batch_begin != 0)
		ec_status_count(w->slot, c, &record);
	ec_worker_show(w);
	ec_worker_forget(w);
	pgstat_report_stat(false);
}

void
ec_worker_store(EcWorker *w)
{
	TimestampTz begin = GetCurrentTimestamp();
	const EcMessage *message = w->message;
	bool too_many;
	Relation rel;

	if (!w->in_work)
		ec_worker_begin(w);
	w->message = NULL;
	pgstat_report_activity(STATE_RUNNING, "storing rows");
	rel = lock_target(w);
	if (rel == NULL)
	{
		AbortCurrentTransaction();
		w->in_work = false;
		w->rewind = true;
		return;
	}
	store_rows(w, rel, ec_target_batch(w->target));
	ec_stop_point("insert");
	too_many = store_letters(w);
	store_header(w);
	store_offsets(w);
	ec_stop_point("offset");
	if (too_many)
		(void) ec_stream_set_status(w->stream->id, "failed",
									psprintf("more than " INT64_FORMAT
											 " faulty rows: see ecinsight.dead_letters",
											 w->stream->max_errors));
	relation_close(rel, NoLock);
	ec_stop_point("commit");
	ec_worker_end(w);
	ec_stop_point("committed");
	stored(w, begin);
	pgstat_report_activity(STATE_RUNNING, "reading");
	w->message = message;
	if (too_many)
		ec_worker_fail(w, NULL);
}

/* ---- reading ---- */

static bool
batch_full(EcWorker *w)
{
	EcBatch *batch = ec_target_batch(w->target);
	uint32 limit = ec_target_group_rows(w->target);
	int64 max_bytes = w->stream->max_bytes > 0 ? w->stream->max_bytes : DEFAULT_MAX_BYTES;

	if (w->spilled)
		return true;
	if (w->stream->max_rows > 0)
		limit = Min(limit, w->stream->max_rows);
	/* rather a little less than a full group than one block more with little in it */
	if (batch->nrows >= limit ||
		(batch->nrows >= limit - limit / 8 && batch->nrows + w->last_rows > limit))
		return true;
	return w->letters_bytes > LETTERS_BYTES || w->nletters > LETTERS_MAX ||
		   (int64) ec_batch_bytes(batch) >= max_bytes;
}

bool
ec_worker_due(const EcWorker *w, TimestampTz now)
{
	return w->batch_begin != 0 && now >= w->batch_begin + w->stream->max_delay;
}

/* on_error => 'stop': what came before the message is stored, then the stream ends here. */
static void
stop_at_fault(EcWorker *w, uint32 rows_before)
{
	if (w->spilled)
	{
		AbortCurrentTransaction();
		w->in_work = false;
	}
	else
	{
		ec_batch_truncate(ec_target_batch(w->target), rows_before);
		ec_worker_store(w);
	}
	ec_worker_fail(w, w->stop_fault);
}

static void
take_rows(EcWorker *w, const EcMessage *m)
{
	EcWorkerPartition *p = &w->parts[m->position];
	EcBatch *batch = ec_target_batch(w->target);
	uint32 before = batch->nrows;
	int64 rows = 0;

	w->message_letters = w->nletters;
	w->stop_fault = NULL;
	if (m->payload != NULL && m->len > 0)
		rows = ec_target_parse(w->target, m->payload, m->len, spill, w);
	if (rows < 0)
	{
		ec_worker_store(w);
		if (w->rewind)
			return;
		ec_worker_begin(w);
		w->batch_begin = GetCurrentTimestamp();
		w->message_letters = 0;
		before = 0;
		rows = ec_target_parse(w->target, m->payload, m->len, spill, w);
	}
	if (ec_csv_header_serial(ec_target_csv(w->target)) != w->header_checked)
		ec_worker_check_header(w);
	ec_stop_point("parse");
	if (w->stop_fault != NULL)
		stop_at_fault(w, before);
	p->next = m->offset + 1;
	/* a time that no timestamptz of four digits holds is none */
	p->message_time = m->timestamp > MESSAGE_TIME_MAX ? -1 : m->timestamp;
	p->messages++;
	p->rows += rows;
	w->last_rows = rows;
	w->batch_counters.rows += rows;
	w->batch_counters.messages++;
	w->batch_counters.bytes += m->len;
}

/* The saved offset isn't in the topic any more: by default nobody skips messages silently. */
static void
out_of_range(EcWorker *w, const EcMessage *m)
{
	EcWorkerPartition *p = &w->parts[m->position];
	EcSourcePosition position = {p->topic, p->partition, 0};
	bool to_latest = w->stream->out_of_range == EC_OUT_OF_RANGE_LATEST;
	int64 lost_from;
	char error[256];
	EcFault gap = {0, "offset_gap", error, NULL, 0};

	ec_worker_store(w);
	if (w->rewind)
		return;
	lost_from = p->saved;
	if (w->stream->out_of_range == EC_OUT_OF_RANGE_STOP)
	{
		snprintf(error, sizeof(error),
				 "offset " INT64_FORMAT " is out of range in partition %d of topic \"%.100s\"",
				 lost_from, p->partition, w->stream->topics[p->topic]);
		ec_worker_fail(w, error);
	}
	if (w->source->ops->offsets(w->source, &position, 1,
								to_latest ? EC_OFFSET_LATEST : EC_OFFSET_EARLIEST,
								5000) != EC_SOURCE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
				 errmsg("could not ask for the offsets of a partition: %s", w->source->error)));
	snprintf(error, sizeof(error),
			 "offset " INT64_FORMAT " is out of range; the stream goes on at offset " INT64_FORMAT,
			 lost_from, position.offset);
	ereport(LOG, (errmsg("stream \"%s\", topic \"%s\", partition %d: %s", w->stream->name,
						 w->stream->topics[p->topic], p->partition, error)));
	ec_worker_begin(w);
	w->batch_begin = GetCurrentTimestamp();
	p->next = position.offset;
	add_letter(w, p, lost_from, &gap);
	ec_worker_store(w);
	w->rewind = true;
}

static void
handle_message(EcWorker *w, const EcMessage *m)
{
	EcWorkerPartition *p = m->position < 0 ? NULL : &w->parts[m->position];

	if (m->kind == EC_MESSAGE_UNAVAILABLE)
		return; /* the source has counted the error */
	if (m->kind == EC_MESSAGE_BROKEN)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR), errmsg("could not read from Kafka: %s", m->error)));
	if (m->kind == EC_MESSAGE_OUT_OF_RANGE)
	{
		out_of_range(w, m);
		return;
	}
	if (m->offset < p->next || (m->kind == EC_MESSAGE_END && m->offset == p->next))
		return;
	if (w->batch_begin == 0)
		w->batch_begin = GetCurrentTimestamp();
	if (m->kind == EC_MESSAGE_DATA)
		take_rows(w, m);
	else
		p->next = m->offset;
}

/* So many messages at a time that they are a few megabytes: they don't count against the queue's limit. */
static void
adapt_poll(EcWorker *w)
{
	Size bytes = 0;

	for (int i = 0; i < w->npolled; i++)
		bytes += w->polled[i].len;
	if (bytes > POLL_BYTES)
		w->poll_max = Max(w->poll_max / 2, 1);
	else if (bytes < POLL_BYTES / 2 && w->npolled == w->poll_max)
		w->poll_max = Min(w->poll_max * 2, EC_POLL_MAX);
}

bool
ec_worker_consume(EcWorker *w)
{
	w->npolled = w->source->ops->poll(w->source, w->polled, w->poll_max);
	if (w->npolled == 0)
		return false;
	ec_stop_point("poll");
	ec_worker_begin(w);
	for (int i = 0; i < w->npolled && !w->rewind; i++)
	{
		CHECK_FOR_INTERRUPTS();
		w->message = &w->polled[i];
		handle_message(w, &w->polled[i]);
		if (!w->rewind && w->in_work && batch_full(w))
		{
			ec_worker_store(w);
			if (!w->rewind)
				ec_worker_begin(w);
		}
	}
	w->message = NULL;
	if (w->in_work)
		ec_worker_end(w);
	adapt_poll(w);
	w->source->ops->release(w->source, w->polled, w->npolled);
	w->npolled = 0;
	return true;
}
