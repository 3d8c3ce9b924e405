/*
 * reserve.c
 *	  Makes and ends the reservations of a batch.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/page.h"
#include "store/reserve.h"
#include "store/row.h"

static EcReservation *
add_reservation(EcReservations *reservations, MemoryContext context)
{
	Size size = (reservations->count + 1) * sizeof(EcReservation);

	reservations->tuples = reservations->tuples == NULL ? MemoryContextAlloc(context, size)
														: repalloc(reservations->tuples, size);
	return &reservations->tuples[reservations->count++];
}

void
ec_reservations_add(Relation rel, EcReservations *reservations, int64 first, int64 count,
					CommandId cid, MemoryContext context)
{
	EcCompanion companion;

	/* nobody else sees a new table */
	if (!rel->rd_rel->relhasindex || rel->rd_createSubid != InvalidSubTransactionId ||
		!ec_companion_open(rel, RowExclusiveLock, &companion))
		return;
	while (count > 0)
	{
		int64 n = Min(count, EC_RESERVE_SPAN - first % EC_RESERVE_SPAN);

		EcReservation *reservation = add_reservation(reservations, context);

		reservation->number = first;
		ec_row_reserve(&companion, first, n, cid, &reservation->tid);
		first += n;
		count -= n;
	}
	ec_companion_close(&companion);

	/* before any index entry: VACUUM may have read all reservations already (vacuum_index.c) */
	ec_meta_announce(rel);
}

static void
end_reservation(EcCompanion *c, EcReservation *reservation)
{
	EcCatalogTuple opened;
	HeapTuple tuple = ec_companion_fetch(c, &reservation->tid, &opened);

	if (tuple != NULL && opened.kind == EC_CATALOG_RESERVE &&
		opened.number == reservation->number &&
		TransactionIdEquals(HeapTupleHeaderGetXmin(tuple->t_data), GetCurrentTransactionId()))
		heap_abort_speculative(c->heap, &reservation->tid);
}

void
ec_reservations_end(Relation rel, EcReservations *reservations)
{
	EcCompanion companion;
	bool pushed = !ActiveSnapshotSet();

	if (reservations->count == 0 || !ec_companion_open(rel, RowExclusiveLock, &companion))
		return;

	/* heap wants some snapshot's horizon; at commit there may be none */
	if (pushed)
		PushActiveSnapshot(GetTransactionSnapshot());
	for (int i = 0; i < reservations->count; i++)
		end_reservation(&companion, &reservations->tuples[i]);
	if (pushed)
		PopActiveSnapshot();
	ec_companion_close(&companion);
	pfree(reservations->tuples);
	memset(reservations, 0, sizeof(*reservations));
}
