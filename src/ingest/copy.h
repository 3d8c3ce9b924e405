/*
 * copy.h
 *	  COPY ... FROM into columnar tables by our own parsers.
 *
 *	copy.c			the hooks: is this a COPY that we surely do as core would?
 *	copy_run.c		the COPY itself, piece by piece
 *	copy_rows.c		defaults, constraints and indexes
 *	copy_parts.c	the same of a partitioned table's partitions
 *	copy_source.c	bytes of the file or the client; which lines are plain
 *
 * The principle: our parser takes what it knows to mean the same to core's COPY,
 * and core's COPY (BeginCopyFrom, CopyFrom) takes everything else: whole
 * statements, or pieces of the input.  A piece that our parser refuses is undone
 * and given to core, with the right line number, so every error is core's own.
 */
#ifndef EC_COPY_H
#define EC_COPY_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "parser/parse_node.h"
#include "utils/rel.h"

#include "ingest/csv.h"
#include "vector/batch.h"

/* A line that core has to look at. */
typedef enum EcCopyOdd
{
	EC_COPY_PLAIN = 0, /* none: more rows follow, or the input's end */
	EC_COPY_ODD,	   /* blank, or ends otherwise than the first line, or its quotes don't close */
	EC_COPY_END_MARK /* begins with \., or in the text format holds it anywhere; in the binary one, any odd row */
} EcCopyOdd;

/* What ended the input. */
typedef enum EcCopyEnd
{
	EC_COPY_MORE = 0,
	EC_COPY_EOF,
	EC_COPY_READ_ERROR,	   /* errno in source->error */
	EC_COPY_LOST,		   /* the client is gone */
	EC_COPY_CLIENT_FAILED, /* it sent CopyFail */
	EC_COPY_BAD_MESSAGE	   /* type in source->error */
} EcCopyEnd;

typedef struct EcCopySource
{
	FILE *file;			/* NULL: the client */
	StringInfo message; /* the client's last one */
	char *failure;		/* CopyFail's text */
	EcCopyEnd end;		/* once all before it has been taken */
	int error;
	char *data; /* bytes [begin, end_at) are not taken yet */
	size_t size;
	size_t begin;
	size_t end_at;
	uint64 taken; /* bytes before begin, of all times */
	bool crlf;	  /* lines end with CR LF */
	bool text;	  /* the text format: backslashes instead of quotes */
	char quote;
	char escape; /* '\0': the quote */
	int nfields; /* the binary format: of each row; 0: another format */
} EcCopySource;

/* Rows at the start of what the source holds. */
typedef struct EcCopyPiece
{
	size_t len;
	uint32 rows;
	uint64 lines; /* physical ones: quoted fields may hold several */
	EcCopyOdd next;
} EcCopyPiece;

/* Reads until there are "want" bytes, or the end.  False if the buffer would get absurdly large. */
extern bool ec_copy_fill(EcCopySource *source, size_t want);

/* Plain rows, at most max_rows of them in about max_bytes. */
extern void
ec_copy_look(const EcCopySource *source, uint32 max_rows, size_t max_bytes, EcCopyPiece *piece);

extern void ec_copy_take(EcCopySource *source, size_t len);

/* Complains as core does about an input that ended badly. */
extern void ec_copy_check_end(const EcCopySource *source);

/* Reads and forgets the rest of what a client sends. */
extern void ec_copy_drain(EcCopySource *source);

/*
 * What rows have to go through besides being stored (copy_rows.c).  While a row of
 * the piece is looked at, row tells which; checking: core would show the row's text.
 */
typedef struct EcCopyRows
{
	int64 row; /* of the piece; -1: none */
	bool checking;
	uint64 excluded; /* rows that WHERE didn't let in, of all times */
	int tables;		 /* that got rows of the last piece; 0: none so far */
} EcCopyRows;

/* False: only core can do it.  attnums: the columns that the input gives; where: the condition, or NIL. */
extern bool ec_copy_rows_possible(Relation rel, const List *attnums, const List *where);

/* The same for a column's domain.  *constrained: NULL may not be a value of it. */
extern bool ec_copy_domain_possible(Oid domain, bool *constrained);

extern EcCopyRows *
ec_copy_rows_create(ParseState *pstate, Relation rel, const List *attnums, List *where);

/* The input is long enough for us.  False: core has to read all of it. */
extern bool ec_copy_rows_prepare(EcCopyRows *rows);

/* Writes no more. */
extern void ec_copy_rows_free(EcCopyRows *rows);

/* All rows are there: fires what waited for that. */
extern void ec_copy_rows_end(EcCopyRows *rows);

/* A batch for some rows, at most *room: the target's pending one, or one that its partitions share. */
extern EcBatch *ec_copy_rows_open(EcCopyRows *rows, CommandId cid, uint32 expected, uint32 *room);

/*
 * Fills the other columns of *nrows rows that were appended to the batch's builders, drops
 * those that WHERE doesn't let in (*nrows gets how many are left), and looks at constraints.
 * False: one doesn't hold; the rows are to be taken back.
 */
extern bool ec_copy_rows_complete(EcCopyRows *rows, EcBatch *batch, uint32 *nrows);

/* Stores the rows that are left, with index entries and events of their triggers. */
extern void ec_copy_rows_store(EcCopyRows *rows, CommandId cid, uint32 nrows);

/* What a COPY needs to run. */
typedef struct EcCopyPlan
{
	ParseState *pstate; /* with the relation as its only range table entry */
	const CopyStmt *stmt;
	Relation rel;
	List *attnums;
	bool binary;
	EcCsvOptions csv;
	int encoding;	  /* of the input, if it has to be converted; or -1 */
	List *where;	  /* as for BeginCopyFrom: its parts, joined by AND */
	List *force_null; /* names of columns */
	List *force_not_null;
	Bitmapset *checked_nulls; /* columns of domains, by attnum: NULLs are core's */
	bool guard; /* input functions may look into catalogs: pieces need subtransactions */
} EcCopyPlan;

/* Raises what core has to say about the statement before it opens anything. */
extern void ec_copy_check(const EcCopyPlan *plan);

/*
 * file: opened for reading, or NULL: from the client.  Returns the number of rows;
 * *all_read: up to the input's end.
 */
extern uint64 ec_copy_run(const EcCopyPlan *plan, FILE *file, bool *all_read);

extern void ec_copy_init(void);

#endif /* EC_COPY_H */
