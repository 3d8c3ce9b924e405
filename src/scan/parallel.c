/*
 * parallel.c
 *	  What the processes of a parallel columnar scan share.
 *
 * Each process makes its own list of row groups, which is the same for all since
 * the snapshot is, and takes the next group that nobody has taken yet.  The store
 * sees to it that nobody goes parallel while rows exist in the leader's memory only.
 *
 * A worker leaves its figures for EXPLAIN in shared memory when it has finished;
 * the leader takes them before that memory goes.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "port/atomics.h"

#include "scan/state.h"

#define NCOUNTS (sizeof(EcScanCounts) / sizeof(uint64))

struct EcScanShared
{
	pg_atomic_uint32 next_group;
	pg_atomic_uint64 counts[NCOUNTS]; /* of all workers, in EcScanCounts's order */
};

uint32
ec_scan_next_shared_group(EcScanState *scan)
{
	return pg_atomic_fetch_add_u32(&scan->shared->next_group, 1);
}

Size
ec_scan_estimate_dsm(CustomScanState *node, ParallelContext *pcxt)
{
	return sizeof(EcScanShared);
}

void
ec_scan_init_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	EcScanState *scan = (EcScanState *) node;

	scan->shared = coordinate;
	pg_atomic_init_u32(&scan->shared->next_group, 0);
	for (Size i = 0; i < NCOUNTS; i++)
		pg_atomic_init_u64(&scan->shared->counts[i], 0);
}

void
ec_scan_reinit_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	pg_atomic_write_u32(&((EcScanShared *) coordinate)->next_group, 0);
}

void
ec_scan_init_worker(CustomScanState *node, shm_toc *toc, void *coordinate)
{
	((EcScanState *) node)->shared = coordinate;
}

/* The reader's own figures, as far as they have come. */
void
ec_scan_take_reader_counts(EcScanState *scan)
{
	const EcReaderStats *stats;

	if (scan->reader == NULL)
		return;
	stats = ec_reader_stats(scan->reader);
	scan->counts.column_blocks = stats->blocks_read;
	scan->counts.bytes = stats->bytes_read;
}

/* May come more than once, so a worker tells only what it hasn't told before. */
void
ec_scan_shutdown(CustomScanState *node)
{
	EcScanState *scan = (EcScanState *) node;
	uint64 *own = (uint64 *) &scan->counts;
	uint64 *workers = (uint64 *) &scan->workers;

	if (scan->shared == NULL)
		return;
	ec_scan_take_reader_counts(scan);
	for (Size i = 0; i < NCOUNTS; i++)
	{
		if (IsParallelWorker())
		{
			pg_atomic_fetch_add_u64(&scan->shared->counts[i], own[i] - workers[i]);
			workers[i] = own[i];
		}
		else
			workers[i] += pg_atomic_exchange_u64(&scan->shared->counts[i], 0);
	}
}
