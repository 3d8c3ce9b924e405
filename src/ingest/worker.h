/*
 * worker.h
 *	  A stream's worker process: between its files.
 *
 *	worker.c	the process: set-up, main loop, ends
 *	gather.c	messages -> rows gathered -> one transaction
 *
 * Gathered rows, dead letters and positions ("the batch") live only in memory until
 * they are stored together; losing them loses nothing, since the saved offsets
 * then still stand before them.
 */
#ifndef EC_WORKER_H
#define EC_WORKER_H

#include "postgres.h"

#include "base/compat.h"
#include "ingest/catalog.h"
#include "ingest/source.h"
#include "ingest/status.h"
#include "ingest/target.h"

#define EC_POLL_MAX 1024

typedef struct EcWorkerPartition
{
	int topic;
	int32 partition;
	int64 saved;		/* next offset by the table */
	int64 next;			/* next offset after what the batch holds */
	int64 message_time; /* of the last message in the batch, ms; -1: none */
	int64 messages;		/* in the batch */
	int64 rows;
} EcWorkerPartition;

typedef struct EcWorker
{
	int slot;
	MemoryContext context;		  /* lives as long as the worker */
	MemoryContext stream_context; /* the definition as last read */
	EcStream *stream;
	char *definition; /* of the stream and its connection, to notice changes */
	EcSource *source;
	EcTarget *target;
	int nparts;
	EcWorkerPartition *parts; /* in the order of the source's positions */

	/* polled, not yet released */
	EcMessage polled[EC_POLL_MAX];
	int npolled;
	int poll_max;
	const EcMessage *message; /* at work, for error messages */

	/* the batch, besides the target's rows */
	MemoryContext letters_context;
	EcDeadLetter *letters;
	int nletters;
	int max_letters;
	Size letters_bytes;
	int message_letters;	 /* letters when the message at work began */
	TimestampTz batch_begin; /* 0: the batch is empty */
	EcStreamCounters batch_counters;
	uint32 last_rows; /* in the last message */
	bool spilled;	  /* this transaction has stored rows of a message not yet counted */
	char *stop_fault; /* on_error => 'stop': why */

	uint32 header_serial;  /* as saved */
	uint32 header_checked; /* serial of the header last compared with the target */
	List *header_notes;	   /* what was said about headers since the target was planned */
	bool rewind;		   /* go back to the saved offsets */
	bool in_work;		   /* in a transaction as the stream's owner */
	Oid work_user;
	int work_sec_context;
} EcWorker;

/* worker.c */
extern void ec_worker_begin(EcWorker *w); /* a transaction as the stream's owner, with a snapshot */
extern void ec_worker_end(EcWorker *w);
pg_noreturn extern void
ec_worker_fail(EcWorker *w, const char *reason); /* until somebody resumes the stream */
extern void ec_worker_show(EcWorker *w);		 /* live positions, for the views */

/* gather.c */
extern bool ec_worker_consume(EcWorker *w); /* false: nothing there */
extern bool ec_worker_due(const EcWorker *w, TimestampTz now);
extern void ec_worker_store(EcWorker *w); /* opens a transaction if none is open; commits it */
extern void ec_worker_forget(EcWorker *w);
extern void ec_worker_check_header(EcWorker *w); /* warns if it doesn't fit the target */
extern void ec_worker_fault(void *arg, const EcFault *fault);
extern void ec_worker_error_context(void *arg);

#endif /* EC_WORKER_H */
