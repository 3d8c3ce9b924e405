/*
 * status.h
 *	  What launcher, workers and backends know of each other: shared memory.
 *
 * A slot stands for a stream that shall run or still runs.  The launcher makes and
 * frees slots (from what its scanners find in each database); the stream's worker
 * owns the counters and the state of its slot while it lives; backends read, and
 * ask for attention after a commit that changed a stream.
 *
 * Partitions' live positions stand in one pool for all slots, so that one stream
 * of a thousand partitions costs no more than a hundred streams of ten.  If the
 * pool is full, further partitions work as any other but show no high watermark.
 *
 * Locks: all of it under one LWLock, held for moments, nothing else taken inside.
 * Nothing here is durable: after a crash it is rebuilt from the tables.
 */
#ifndef EC_STATUS_H
#define EC_STATUS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/latch.h"

#define EC_STREAM_ERROR_LEN 512
#define EC_STREAM_BATCHES 16 /* recent flushes remembered per stream */

typedef enum EcStreamState
{
	EC_STREAM_WAITING = 0, /* shall run, no worker yet */
	EC_STREAM_STARTING,	   /* worker asked for, or connecting */
	EC_STREAM_RUNNING,
	EC_STREAM_RECONNECTING, /* worker lives, broker or topic doesn't answer */
	EC_STREAM_RETRYING,		/* worker ended with an error; starts again later */
	EC_STREAM_STOPPING		/* shall not run, worker still there */
} EcStreamState;

typedef struct EcStreamCounters
{
	uint64 rows; /* since the worker started, committed */
	uint64 dead_letters;
	uint64 messages;
	uint64 bytes;
	uint64 batches;
} EcStreamCounters;

typedef struct EcStreamBatch
{
	TimestampTz committed_at;
	uint32 rows;
	uint32 dead_letters;
	uint32 messages;
	uint64 bytes;
	uint32 gather_us; /* from the first message of the batch to the flush */
	uint32 flush_us;  /* the flush, commit included */
} EcStreamBatch;

typedef struct EcStreamSlot
{
	Oid dboid; /* InvalidOid: the slot is free */
	int64 stream_id;
	Oid owner;
	char name[NAMEDATALEN];
	TimestampTz created_at; /* of the stream: numbers come again with a new extension */
	bool fresh;				/* another stream's worker had the slot before */
	bool wanted;			/* the tables say that it shall run */
	bool recheck;			/* the worker is to look at the tables again */
	pid_t pid;				/* of the worker, 0: none */
	Latch *latch;			/* of the worker */
	EcStreamState state;
	int failures; /* ends with an error in a row */
	TimestampTz next_start;
	TimestampTz started_at;
	TimestampTz last_commit;
	TimestampTz last_error_at;
	char last_error[EC_STREAM_ERROR_LEN];
	EcStreamCounters total;
	TimestampTz rate_at; /* when the rates were taken */
	double rows_per_second;
	double bytes_per_second;
	EcStreamBatch
		batches[EC_STREAM_BATCHES]; /* ring; total.batches % EC_STREAM_BATCHES is the next */
} EcStreamSlot;

typedef struct EcStreamPartition
{
	int slot;  /* -1: free */
	int topic; /* index into the stream's topics */
	int32 partition;
	int64 high_watermark; /* -1: unknown */
} EcStreamPartition;

/* Called once from _PG_init while libraries are preloaded. */
extern void ec_status_init(void);

/* False if the library was not preloaded: then nothing below may be called. */
extern bool ec_status_available(void);

extern void ec_status_lock(bool exclusive);
extern void ec_status_unlock(void);
extern EcStreamSlot *ec_status_slot(int i);			   /* 0 .. ec_guc_max_streams - 1 */
extern int ec_status_find(Oid dboid, int64 stream_id); /* slot or -1; lock held */
extern void ec_status_clear(EcStreamSlot *slot); /* the past of the stream that had it; lock held */

/* The worker's side. */
extern bool ec_status_attach(int slot, Oid dboid,
							 int64 stream_id); /* false: the slot is not (or no longer) ours */
extern void ec_status_detach(int slot, bool failed);
extern void ec_status_set_state(int slot, EcStreamState state);
extern void ec_status_error(int slot, const char *message);
extern bool ec_status_take_recheck(int slot);
extern void ec_status_count(int slot, const EcStreamCounters *add, const EcStreamBatch *batch);
extern void
ec_status_partitions(int slot, const EcStreamPartition *parts, int n); /* replaces the slot's */
extern const EcStreamPartition *ec_status_partition_pool(int *n);	   /* for readers; lock held */

/* The launcher's side. */
extern void ec_status_launcher(bool attach);
extern Oid ec_status_next_scan(void); /* a database to scan, InvalidOid: none; (Oid) -1: all */
extern void ec_status_request_scan(Oid dboid); /* InvalidOid: all */
extern void ec_status_wake_launcher(void);

/* Databases from which workers must stay away while somebody drops or copies them. */
extern bool ec_status_hold(Oid dboid); /* true; false if too many are held */
extern void
ec_status_release_held(void); /* those of this process; also done when its transaction aborts */
extern bool ec_status_is_held(Oid dboid);
extern bool ec_status_busy(Oid dboid);				 /* has a live worker or scanner? */
extern void ec_status_terminate(Oid dboid);			 /* asks them to end */
extern void ec_status_scanner(Oid dboid, pid_t pid); /* the scanner at work; 0: none */

/* At commit of this transaction: let launcher and workers look at a database's streams (this one and one other). */
extern void ec_status_notify_at_commit(Oid dboid);

#endif /* EC_STATUS_H */
