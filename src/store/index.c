/*
 * index.c
 *	  Fetching the rows that an index names.
 *
 * An index entry names a row by its number (tid.h), and a row number has one
 * version: an UPDATE makes a row with another number.  So nothing is chained.  Entries
 * of rows that are found to be dead for everybody are marked by the index and removed
 * when their page is full; others that are useless VACUUM removes.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "access/xlog.h"
#include "utils/rel.h"

#include "store/companion.h"
#include "store/fetch.h"
#include "store/index.h"
#include "store/row.h"
#include "store/tid.h"

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
	EcFetch *fetch = ((EcIndexFetch *) data)->fetch;
	bool found = ec_fetch_next(fetch, tid, snapshot, slot);

	*call_again = false;
	if (all_dead != NULL)
		*all_dead = !found && ec_fetch_is_dead(fetch, tid);
	return found;
}

/*
 * Asked before an index page is split.  Which entries are useless was found out when
 * they were marked; to ask for others costs more than the split.  What is left to tell
 * is which snapshots of standbys might still want those rows.
 */
TransactionId
ec_index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate)
{
	TransactionId horizon = InvalidTransactionId;
	EcCompanion companion;

	if (delstate->bottomup)
		delstate->ndeltids = 0;
	if (delstate->ndeltids == 0 || !RelationNeedsWAL(rel) || !XLogStandbyInfoActive() ||
		!ec_companion_open(rel, AccessShareLock, &companion))
		return horizon;
	for (int i = 0; i < delstate->ndeltids; i++)
	{
		TM_IndexDelete *entry = &delstate->deltids[i];

		if (delstate->status[entry->id].knowndeletable)
			ec_row_advance_horizon(&companion, ec_tid_to_row(&entry->tid), &horizon);
	}
	ec_companion_close(&companion);
	return horizon;
}
