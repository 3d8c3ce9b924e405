/*
 * sessions.h
 *	  user_session as exact keys of two words: equal sessions have equal keys, others
 *	  have others.
 *
 * A UUID, or text that looks like one (lower case, as uuid's output), is its 16 bytes.
 * Other texts of up to 14 bytes are packed into a pattern that UUIDs made by the rules
 * don't have; longer ones, and UUIDs of that pattern, are kept once each and numbered.
 * NULL has a key too.
 */
#ifndef EC_SESSIONS_H
#define EC_SESSIONS_H

#include "postgres.h"

#include "insight/interner.h"
#include "insight/rows.h"

typedef struct EcSessionColumn
{
	EcInterner *texts; /* those that don't fit a key */
	uint64 *first;	   /* [EC_BLOCK_ROWS] */
	uint64 *second;	   /* [EC_BLOCK_ROWS] */
	uint8 *nulls;	   /* [EC_BLOCK_ROWS] */
} EcSessionColumn;

extern void ec_session_column_init(EcSessionColumn *sessions, MemoryContext context);

/* Fills first, second and nulls for all n rows of a vector (selection NULL) or n selected ones. */
extern void ec_session_column_map(EcSessionColumn *sessions, const EcVector *v,
								  const uint32 *selection, uint32 n);

/* The session that a key stands for; ptr is NULL if it is NULL.  Short ones are put into buffer. */
extern EcBytes ec_session_text(const EcSessionColumn *sessions, uint64 first, uint64 second,
							   char buffer[EC_UUID_TEXT_LEN]);

/* EC_SESSION_TAG_BITS (projection.h) of the hash of a session's bytes, which is the same always and everywhere. */
extern uint32 ec_session_tag(const EcSessionColumn *sessions, uint64 first, uint64 second);

/* Fills first, second and nulls for the selected rows; EC_COL_SESSION. */
extern void ec_rows_sessions(EcRows *rows, EcSessionColumn *sessions);

#endif /* EC_SESSIONS_H */
