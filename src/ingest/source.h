/*
 * source.h
 *	  Where a stream's messages come from.  Kafka is the one source so far; the
 *	  rest of the layer sees only this.
 *
 * A source belongs to the process (and thread) that opened it and is closed at
 * the latest when that process exits.  Nothing here raises an error except
 * opening; a call that fails says why in "error".
 *
 * A message's memory belongs to the source until it is released; a source keeps
 * fetching ahead meanwhile, up to its queue limit.
 */
#ifndef EC_SOURCE_H
#define EC_SOURCE_H

#include "postgres.h"

typedef struct EcSource EcSource;

/* One property of the connection. */
typedef struct EcProperty
{
	const char *name;
	const char *value;
} EcProperty;

typedef struct EcSourcePosition
{
	int topic; /* index into the topics that the source was opened with */
	int32 partition;
	int64 offset; /* the next one to read */
} EcSourcePosition;

typedef enum EcMessageKind
{
	EC_MESSAGE_DATA = 1,
	EC_MESSAGE_END,			 /* nothing more now; offset is the next one to come */
	EC_MESSAGE_OUT_OF_RANGE, /* the offset asked for isn't there (any more) */
	EC_MESSAGE_UNAVAILABLE,	 /* the source goes on trying; error says what is wrong */
	EC_MESSAGE_BROKEN		 /* cannot be read without loss; error says why */
} EcMessageKind;

typedef struct EcMessage
{
	EcMessageKind kind;
	int position; /* index into the positions assigned, -1: none in particular */
	int64 offset;
	int64 timestamp;	  /* ms since 1970, -1: none */
	const uint8 *payload; /* NULL: a tombstone */
	size_t len;
	const char *error;
	void *handle; /* the source's own */
} EcMessage;

typedef enum EcSourceResult
{
	EC_SOURCE_OK = 0,
	EC_SOURCE_UNREACHABLE, /* nobody answers (yet) */
	EC_SOURCE_NO_TOPIC,
	EC_SOURCE_DENIED, /* credentials or permissions */
	EC_SOURCE_FAILED
} EcSourceResult;

/* Special times of "offsets". */
#define EC_OFFSET_LATEST (-1)
#define EC_OFFSET_EARLIEST (-2)

typedef struct EcSourceOps
{
	/* Blocks up to timeout_ms; retry while EC_SOURCE_UNREACHABLE. */
	EcSourceResult (*count_partitions)(EcSource *source, int topic, int timeout_ms, int *count);

	/* Sets every position's offset to the first message at or after the time (ms, or special), -1: none. */
	EcSourceResult (*offsets)(EcSource *source, EcSourcePosition *positions, int n, int64 when,
							  int timeout_ms);

	/* Reads from these positions on; whatever was assigned before is dropped. */
	bool (*assign)(EcSource *source, const EcSourcePosition *positions, int n);

	/* Up to max messages that are there; never blocks. */
	int (*poll)(EcSource *source, EcMessage *messages, int max);
	void (*release)(EcSource *source, EcMessage *messages, int n);

	/* Becomes readable when poll may have more; read it empty with drain. */
	int (*wait_fd)(EcSource *source);
	void (*drain_fd)(EcSource *source);

	/* Of an assigned position, as last heard; -1: unknown. */
	int64 (*high_watermark)(EcSource *source, int position);

	/* The oldest line that the client library wants logged; false: none.  level is syslog's. */
	bool (*next_log)(EcSource *source, int *level, char *text, size_t size);

	void (*close)(EcSource *source);
} EcSourceOps;

#define EC_SOURCE_ERROR_LEN 512

struct EcSource
{
	const EcSourceOps *ops;
	char error[EC_SOURCE_ERROR_LEN]; /* the last one */
	uint64 error_count;
};

#endif /* EC_SOURCE_H */
