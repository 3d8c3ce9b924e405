/*
 * session_stream.h
 *	  One set's cells by session (EC_PROJECTION_SESSION), user by user, for presence.c.
 *
 * Memory: a block of the columns.
 */
#ifndef EC_SESSION_STREAM_H
#define EC_SESSION_STREAM_H

#include "postgres.h"

#include "insight/projection.h"
#include "insight/rows.h"
#include "store/summary.h"

/* An hour of a session. */
typedef struct EcSessionCell
{
	int64 slot;
	int64 tag;		 /* 0 if not wanted */
	int64 rows;		 /* 1 if not wanted */
	int64 purchases; /* 0 if not wanted */
	uint32 stream;	 /* which one it is from */
	bool no_time;	 /* slot means nothing */
} EcSessionCell;

/* Of one user. */
typedef struct EcSessionCells
{
	MemoryContext context;
	EcSessionCell *cells;
	uint32 n;
	uint32 capacity;
} EcSessionCells;

typedef struct EcSessionStream
{
	/* set by the caller, who zeroes the rest */
	uint32 number;
	EcSlots slots;
	bool want_tags;

	EcReader *reader; /* NULL: it has come to its end */
	bool in_part;
	uint32 block;
	uint32 at; /* of the block's n cells the first of the present user */
	uint32 n;
	const int64 *users;

	/* columns of the block, once they are wanted: NULL before */
	const int64 *slot_values;
	const uint8 *no_time; /* NULL: none */
	const int64 *tags;
	const int64 *rows;
	const int64 *purchases;
	int64 *ints[EC_SESSION_PURCHASES + 1]; /* memory for them */
	uint8 *nulls;
} EcSessionStream;

/* Before the first user, whom the next function finds; rel must stay open. */
extern void ec_session_stream_begin(EcSessionStream *stream, Relation rel, const EcSummarySet *set,
									MemoryContext context);

/* Steps to the first user not less than this one, or to the end; never goes back. */
extern void ec_session_stream_seek(EcSessionStream *stream, int64 user);

/* What is wanted of a user's cells beside their slots, and tags if they are wanted at all. */
#define EC_SESSION_WANT_ROWS 1
#define EC_SESSION_WANT_PURCHASES 2

/* Appends the present user's cells in the slots and steps to the next user. */
extern void ec_session_stream_take(EcSessionStream *stream, EcSessionCells *cells, int want);
extern void ec_session_stream_end(EcSessionStream *stream);

/* Has it a user? */
static inline bool
ec_session_stream_has(const EcSessionStream *stream)
{
	return stream->reader != NULL;
}

static inline int64
ec_session_stream_user(const EcSessionStream *stream)
{
	return stream->users[stream->at];
}

#endif /* EC_SESSION_STREAM_H */
