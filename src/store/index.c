/*
 * index.c
 *	  Fetching the rows that an index names.
 *
 * An index entry names a row by its number (tid.h), and a row number has one
 * version: an UPDATE makes a row with another number.  So nothing is chained, and
 * an entry is never known to be dead for all: that is for VACUUM to find out.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "utils/rel.h"

#include "store/fetch.h"
#include "store/index.h"

typedef struct EcIndexFetch
{
	IndexFetchTableData base;
	EcFetch *fetch;
} EcIndexFetch;

IndexFetchTableData *
ec_index_fetch_begin(Relation rel)
{
	EcIndexFetch *index_fetch = palloc0(sizeof(EcIndexFetch));

	index_fetch->base.rel = rel;
	index_fetch->fetch = ec_fetch_begin(rel);
	return &index_fetch->base;
}

void
ec_index_fetch_reset(IndexFetchTableData *data)
{
}

void
ec_index_fetch_end(IndexFetchTableData *data)
{
	ec_fetch_end(((EcIndexFetch *) data)->fetch);
	pfree(data);
}

bool
ec_index_fetch_tuple(IndexFetchTableData *data, ItemPointer tid, Snapshot snapshot,
					 TupleTableSlot *slot, bool *call_again, bool *all_dead)
{
	*call_again = false;
	if (all_dead != NULL)
		*all_dead = false;
	return ec_fetch_next(((EcIndexFetch *) data)->fetch, tid, snapshot, slot);
}

/* Asked before an index page is split.  Finding out costs more than the split. */
TransactionId
ec_index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate)
{
	delstate->ndeltids = 0;
	return InvalidTransactionId;
}
