/*
 * rowparse_chunk.h
 *	  A few hundred rows of text cells on their way into builders.  Pure C; for
 *	  the row formats' own files.
 *
 * A format (csv.c) fills the cells, one array per column; ec_chunk_type() turns
 * them into values, a column at a time (short loops without dispatch); and
 * ec_chunk_append() hands the good rows to the builders.  Nothing reaches a
 * builder before all fields of all rows are judged, so nothing is ever taken back.
 *
 * Cells are read in whole words: EC_CHUNK_PAD bytes behind the start of a cell,
 * and behind its end, must be readable.
 */
#ifndef EC_ROWPARSE_CHUNK_H
#define EC_ROWPARSE_CHUNK_H

#include "ingest/rowparse.h"

#define EC_CHUNK_ROWS 256
#define EC_CHUNK_PAD 32

/* Text of a field; a length of 0 without flags is NULL. */
typedef struct EcCell
{
	uint32_t begin; /* from chunk->base, or from chunk->copied */
	uint32_t len;	/* and flags */
} EcCell;

#define EC_CELL_QUOTED 0x80000000u /* was quoted: never NULL */
#define EC_CELL_COPIED 0x40000000u /* begin counts from chunk->copied */
#define EC_CELL_LEN 0x3fffffffu

/* Bytes that a NUMERIC may take. */
#define EC_NUMERIC_ROOM 32

/* Parsed values of a column; the array that its class needs, none for TEXT. */
typedef struct EcTyped
{
	int64_t *i64;
	EcBytes *bytes;
	EcUuid *uuid;
	uint8_t *room;						/* NUMERIC: EC_NUMERIC_ROOM bytes for each value */
	uint64_t nulls[EC_CHUNK_ROWS / 64]; /* bit is 1: NULL */
} EcTyped;

/* The day that the last timestamp fell on: neighbours mostly share it. */
typedef struct EcDayCache
{
	uint64_t text;	/* first eight bytes */
	uint16_t text2; /* and the last two */
	int32_t day;	/* since 2000-01-01 */
} EcDayCache;

#define EC_CHUNK_NO_FAULT (-1)

typedef struct EcRowChunk
{
	EcAllocator alloc;
	int ncolumns;
	EcRowColumn *columns;
	EcCell *cells;	/* [ncolumns][EC_CHUNK_ROWS] */
	EcTyped *typed; /* [ncolumns] */

	const uint8_t *base; /* the text that cells point into */
	uint8_t *copied;	 /* text that had to be rewritten (doubled quotes) */
	size_t ncopied;
	size_t copied_size;

	uint32_t nrows;
	EcRowRef refs[EC_CHUNK_ROWS];
	uint32_t lines[EC_CHUNK_ROWS];
	int16_t fault_of[EC_CHUNK_ROWS]; /* index into faults, or EC_CHUNK_NO_FAULT */
	int nfaults;
	EcRowFault *faults; /* [EC_CHUNK_ROWS] */

	EcDayCache day;
	char *scratch; /* a field with its NUL, for input callbacks */
	size_t scratch_size;
	bool no_memory; /* the allocator gave NULL */
	bool utf8;		/* the text is UTF-8 (set by the format) */
} EcRowChunk;

extern bool ec_chunk_init(EcRowChunk *chunk, const EcRowColumn *columns, int ncolumns,
						  const EcAllocator *alloc);
extern void ec_chunk_free(EcRowChunk *chunk);

/* Makes room for need more bytes of copied text (and the pad); false if there is no memory. */
extern bool ec_chunk_reserve_copied(EcRowChunk *chunk, size_t need);

/*
 * The fault record of a row, row and position filled in; NULL if the row has one
 * already.  The caller sets code and text.
 */
extern EcRowFault *ec_chunk_fault(EcRowChunk *chunk, uint32_t row, int column);

/* Types the cells of one column.  Call it in the fields' order: the first fault of a row is kept. */
extern void ec_chunk_type(EcRowChunk *chunk, int column);

/* The same, one by one: a NULL; a field left to the column's input callback. */
extern void ec_chunk_type_null(EcRowChunk *chunk, int column, uint32_t row);
extern void ec_chunk_type_by_input(EcRowChunk *chunk, int column, uint32_t row);

/* A column that the format does not deliver: all NULL. */
extern void ec_chunk_type_absent(EcRowChunk *chunk, int column);

/* Appends the first nrows rows, without the faulty ones. */
extern bool ec_chunk_append(EcRowChunk *chunk, uint32_t nrows, EcBuilder **builders);

/* Forgets all rows. */
extern void ec_chunk_clear(EcRowChunk *chunk);

/* csv_row.c */
extern bool ec_utf8_valid(const uint8_t *p, size_t len);

static inline const uint8_t *
ec_cell_text(const EcRowChunk *chunk, EcCell cell)
{
	return (cell.len & EC_CELL_COPIED ? chunk->copied : chunk->base) + cell.begin;
}

static inline EcCell *
ec_chunk_cells(const EcRowChunk *chunk, int column)
{
	return chunk->cells + (size_t) column * EC_CHUNK_ROWS;
}

#endif /* EC_ROWPARSE_CHUNK_H */
