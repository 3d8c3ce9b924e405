/*
 * catalog.h
 *	  The ingest layer's tables: definitions of streams, offsets, dead letters.
 *
 * All access goes through here, by SPI, as the bootstrap superuser with a safe
 * search_path, whoever calls; callers have checked what the user may do.  Every
 * function needs a transaction and an active snapshot.
 */
#ifndef EC_CATALOG_H
#define EC_CATALOG_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef enum EcOutOfRange
{
	EC_OUT_OF_RANGE_STOP = 0,
	EC_OUT_OF_RANGE_EARLIEST,
	EC_OUT_OF_RANGE_LATEST
} EcOutOfRange;

typedef struct EcStream
{
	int64 id;
	char *name;
	Oid owner;
	char *server;
	int ntopics;
	char **topics;
	Oid target;
	char *start;
	int32 max_rows;	 /* 0: a row group */
	int64 max_bytes; /* 0: the default */
	int64 max_delay; /* microseconds */
	bool stop_on_error;
	int64 max_errors; /* -1: no limit */
	EcOutOfRange out_of_range;
	char *options; /* jsonb as text */
	char *status;  /* enabled, paused, stopped, failed */
	char *status_reason;
	int nheader;
	char **header;
	int64 errors;
	char *home;
	TimestampTz created_at;
	TransactionId changed_by; /* made this version of the row */
} EcStream;

typedef struct EcStreamOffset
{
	char *topic;
	int32 partition;
	int64 next_offset;
} EcStreamOffset;

/* How far a flush got in one partition. */
typedef struct EcOffsetAdvance
{
	const char *topic;
	int32 partition;
	int64 from; /* what the table must still say */
	int64 to;
	TimestampTz message_time; /* of the last message; 0: none */
	int64 messages;
	int64 rows;
} EcOffsetAdvance;

typedef struct EcDeadLetter
{
	const char *topic;
	int32 partition;
	int64 offset;
	int32 row; /* 0: the message as such */
	const char *reason;
	const char *error;
	const uint8 *raw; /* may be NULL */
	uint32 raw_len;	  /* stored */
	int64 raw_length; /* of the original */
} EcDeadLetter;

/* palloc'd in the caller's context; NULL if there is no such stream. */
extern EcStream *ec_stream_by_id(int64 id);
extern EcStream *ec_stream_by_name(const char *name);

/* Every enabled stream of this database (id, name, owner and home only). */
extern EcStream *ec_streams_enabled(int *n);

/* Sets status and reason; clears errors when enabling.  False if the stream is gone. */
extern bool ec_stream_set_status(int64 id, const char *status, const char *reason);
extern void ec_stream_drop(int64 id);
extern void ec_stream_save_header(int64 id, const char *const *names, int n);
extern int64 ec_stream_add_errors(int64 id, int64 n); /* returns the new sum */

extern EcStreamOffset *ec_offsets_load(int64 id, int *n);

/* Like ec_offsets_load, but sees what is committed now whatever the caller's snapshot. */
extern EcStreamOffset *ec_offsets_latest(int64 id, int *n);
extern EcStream *ec_stream_latest(int64 id);

extern void ec_offsets_insert(int64 id, const EcStreamOffset *offsets, int n);

/* False if any of the saved offsets is not what "from" says: somebody else has moved it. */
extern bool ec_offsets_advance(int64 id, const EcOffsetAdvance *advances, int n);

extern void
ec_dead_letters_insert(int64 id, TimestampTz received_at, const EcDeadLetter *letters, int n);

/* Names this server and database: a stream only runs where it is at home. */
extern char *ec_stream_home(void);

/* For catalog access elsewhere in the layer: SPI as the bootstrap superuser. */
typedef struct EcCatalogScope
{
	Oid user;
	int sec_context;
	int guc_level;
} EcCatalogScope;

extern void ec_catalog_begin(EcCatalogScope *scope);
extern void ec_catalog_end(EcCatalogScope *scope);

#endif /* EC_CATALOG_H */
