/*
 * batch.h
 *	  A growing set of rows of one relation, as column builders (server side).
 */
#ifndef EC_BATCH_H
#define EC_BATCH_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "vector/builder.h"
#include "vector/coltype.h"

typedef struct EcBatch
{
	MemoryContext context; /* holds everything of the batch */
	EcAllocator allocator; /* allocates in it; raises errors, never returns NULL */
	int natts;
	EcColType *types;	 /* [natts] */
	EcBuilder **columns; /* [natts]; NULL for dropped columns */
	uint32 nrows;
	void (*take_back)(void *batch); /* see ec_batch_lend */
	MemoryContextCallback at_end;
} EcBatch;

extern EcBatch *ec_batch_create(TupleDesc desc, MemoryContext parent);
extern void ec_batch_destroy(EcBatch *batch);

/* Appends a row; values are copied (detoasted). */
extern void ec_batch_append_slot(EcBatch *batch, TupleTableSlot *slot);
/* The same for nslots <= EC_BATCH_SLOTS rows, faster than one by one. */
#define EC_BATCH_SLOTS 128
extern void ec_batch_append_slots(EcBatch *batch, TupleTableSlot **slots, int nslots);
extern void ec_batch_append_datum(EcBatch *batch, int attidx, Datum value, bool isnull);

/*
 * A caller that fills the builders directly (ingest) declares the row complete
 * with this, or takes the unfinished one back with ec_batch_truncate(batch, batch->nrows).
 */
static inline void
ec_batch_row_done(EcBatch *batch)
{
	batch->nrows++;
}

/*
 * Whoever reads the columns on his own, while others go on, is told before they change or their
 * memory goes, unless he has given them back.
 */
extern void ec_batch_lend(EcBatch *batch, void (*take_back)(void *batch));
extern void ec_batch_regain(EcBatch *batch);

extern void ec_batch_truncate(EcBatch *batch, uint32 nrows);
extern void ec_batch_reset(EcBatch *batch);
extern Size ec_batch_bytes(const EcBatch *batch);
/* Of that, what the rows need. */
extern Size ec_batch_used(const EcBatch *batch);

/* An EcAllocator over a memory context (context must outlive its use). */
extern EcAllocator ec_context_allocator(MemoryContext context);

#endif /* EC_BATCH_H */
