/*
 * copy_rows.h
 *	  A COPY's rows between parser and tables: what copy_rows.c and, for partitioned
 *	  targets, copy_parts.c share.
 */
#ifndef EC_COPY_ROWS_H
#define EC_COPY_ROWS_H

#include "postgres.h"

#include "executor/executor.h"

#include "ingest/copy.h"
#include "ingest/copy_triggers.h"

/* A column that the input doesn't give. */
typedef struct EcAbsent
{
	int att;
	bool generated;
	bool not_null;
	bool per_row;	 /* nextval and the like */
	ExprState *expr; /* NULL: NULL, or generated */
} EcAbsent;

typedef struct EcCopyParts EcCopyParts;

typedef struct EcRowsState
{
	EcCopyRows public;
	Relation rel;
	TupleDesc desc;
	EState *estate;
	ResultRelInfo *info;
	TupleTableSlot *slot;
	int nabsent;
	EcAbsent *absent;
	List *checks;	  /* ExprState */
	ExprState *where; /* NULL: all rows are let in */
	bool by_row;	  /* something must be computed or looked at row by row */
	bool generates;
	EcCopyTriggers *triggers; /* NULL: none */
	EcCopyParts *parts;		  /* NULL: the target isn't partitioned */
	EcColType *types;
	bool *needed; /* [natts] by expressions and indexes */
	int64 first;  /* number of the piece's first row, if the target isn't partitioned */

	EcBatch *batch; /* while rows are looked at: nrows ones of it */
	uint32 nrows;
	MemoryContext piece; /* what follows */
	Datum **values;		 /* [natts][rows of the piece], NULL if not needed */
	bool **isnull;
	uint8 *keep;	/* [rows of the piece], if there is a WHERE: it lets the row in */
	bool *bad_null; /* [rows of the piece]: NULL where none may be; or NULL */
	uint32 *origin; /* [rows kept]: which of the piece's; NULL: all are */
} EcRowsState;

/* Can we compute such a condition at all? */
extern bool ec_copy_condition_possible(Node *node);
extern bool ec_copy_checks_possible(const TupleConstr *constr);

/* The column's values are needed, at once if rows are being looked at. */
extern void ec_copy_rows_need(EcRowsState *rows, int att);

/* The row's values in the slot; columns that nobody needs seem to be NULL. */
extern void ec_copy_rows_fill(EcRowsState *rows, uint32 row);

/* ------------------------------------------------------------------------
 * Partitions (copy_parts.c)
 * ------------------------------------------------------------------------
 */

extern EcCopyParts *ec_copy_parts_create(EcRowsState *rows);

/* Looks at all partitions without locking them.  False: rows of one could not be ours. */
extern bool ec_copy_parts_prepare(EcCopyParts *parts);

/* Another piece. */
extern void ec_copy_parts_begin(EcCopyParts *parts);

/* Where the row belongs, and whether it may be there; false: core has to look at the piece. */
extern bool ec_copy_parts_row(EcCopyParts *parts, uint32 row);

/* Is PostgreSQL just looking for a row's partition?  An error then is about the row. */
extern bool ec_copy_parts_routing(const EcCopyParts *parts);

/* Where columns of the piece's rows stand until they are stored. */
extern EcBatch *ec_copy_parts_batch(EcCopyParts *parts);
extern void ec_copy_parts_store(EcCopyParts *parts, CommandId cid);

extern void ec_copy_parts_free(EcCopyParts *parts);

#endif /* EC_COPY_ROWS_H */
