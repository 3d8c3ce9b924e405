/*
 * rewrite_internal.h
 *	  What rewrite.c and rewrite_mixed.c share.
 */
#ifndef EC_STORE_REWRITE_INTERNAL_H
#define EC_STORE_REWRITE_INTERNAL_H

#include "postgres.h"

#include "access/heapam.h"
#include "access/rewriteheap.h"

#include "base/compat.h"
#include "store/group.h"
#include "store/merge.h"
#include "store/rewrite_sort.h"

typedef struct EcRewrite
{
	EcCompact k; /* of the old table */
	EcCompaction result;
	Relation new_table;
	Relation new_companion;
	TransactionId oldest_xmin;
	EcRewriteSort *sort; /* NULL: by row number */
	bool mixed;			 /* rows that not all see come out in order, too (rewrite_mixed.c) */
	uint8 full_level;	 /* EcGroupLevel of full row groups */
	uint32 row_group_rows;
	CommandId cid;
	RewriteState heap;
	MemoryContext context; /* of one tuple or row; reset by whoever uses it */
	EcBatch *kept;		   /* sorting: settled rows that keep their numbers */
	int64 *kept_numbers;
	double carried;
	double dead;
	double recently_dead;
} EcRewrite;

/* Why does a row of a row group keep its number? */
typedef enum EcRewriteKeep
{
	EC_KEEP_NOT,
	EC_KEEP_DEAD, /* a tombstone that not all see speaks of it */
	EC_KEEP_LIVE  /* it has a header that not all see: the row was updated to it */
} EcRewriteKeep;

/* Also notes that a tuple of the row's own is replaced by this. */
extern EcRewriteKeep ec_rewrite_keep(EcRewrite *w, int64 number);

/* Has the row of this tuple of its own been replaced? */
extern bool ec_rewrite_is_replaced(const EcRewrite *w, int64 number, ItemPointer tid);

pg_noreturn extern void ec_rewrite_too_wide(Relation rel);

/* Rows of this transaction whose row group tells an earlier command than theirs; true if there are any. */
extern bool ec_rewrite_note_late(EcRewrite *w, HeapTupleHeader header, const int64 *numbers,
								 int64 first, uint32 n);

/* Mixed: adds the rows that not all see to the sort, behind the settled ones; writes all. */
extern void ec_rewrite_mixed_collect(EcRewrite *w);
extern void ec_rewrite_mixed_write(EcRewrite *w);

/* A row group whose rows have numbers already, with the visibility of that tuple; NULL: of all. */
extern void ec_rewrite_mixed_put_numbered(EcRewrite *w, EcBatch *batch, const int64 *numbers,
										  uint8 level, HeapTuple header);

#endif /* EC_STORE_REWRITE_INTERNAL_H */
