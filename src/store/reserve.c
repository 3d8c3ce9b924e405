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

static ItemPointer
add_place(EcReservations *reservations, MemoryContext context)
{
	Size size = (reservations->count + 1) * sizeof(ItemPointerData);

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

		ec_row_reserve(&companion, first, n, cid, add_place(reservations, context));
		first += n;
		count -= n;
	}
	ec_companion_close(&companion);

	/* before any index entry: VACUUM may have read all reservations already (vacuum_index.c) */
	ec_meta_announce(rel);
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
		heap_abort_speculative(companion.heap, &reservations->tuples[i]);
	if (pushed)
		PopActiveSnapshot();
	ec_companion_close(&companion);
	pfree(reservations->tuples);
	memset(reservations, 0, sizeof(*reservations));
}
