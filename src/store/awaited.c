/*
 * awaited.c
 *	  A relation's lock for who has a snapshot.
 *
 * Who builds an index concurrently keeps its lock while it waits for all
 * transactions that have older snapshots.  One of these that waits for the lock waits for
 * ever, and PostgreSQL, which finds the deadlock, may choose the build to be ended.
 * A function has the snapshot of the query that calls it, VACUUM its own
 * when it comes to the companion; neither can do without while it waits.
 *
 * So the lock is tried for, and its holder asked whether it waits for us; then we
 * are the one who gives up.  Only autovacuum, which waits for no snapshot, is
 * waited for in PostgreSQL's way, as it gives way to nobody else.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "store/awaited.h"

#define TRY_MS 20

typedef enum Holders
{
	HOLDERS_OTHERS,
	HOLDERS_AUTOVACUUM, /* it alone */
	HOLDERS_AWAIT_US
} Holders;

static bool
waits_for_us(int pid)
{
	Datum pids = DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(pid));
	ArrayType *array = DatumGetArrayTypeP(pids);
	const int32 *blockers = (const int32 *) ARR_DATA_PTR(array);
	int n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	bool found = false;

	for (int i = 0; i < n && !found; i++)
		found = blockers[i] == MyProcPid;
	pfree(array);
	return found;
}

static Holders
ask_holders(const LOCKTAG *tag, LOCKMODE mode)
{
	VirtualTransactionId *holders;
	Holders found = HOLDERS_OTHERS;
	int autovacuum = 0;
	int n;

	holders = GetLockConflicts(tag, mode, &n);
	for (int i = 0; i < n && found != HOLDERS_AWAIT_US; i++)
	{
		PGPROC *proc = ec_compat_transaction_process(holders[i]);

		if (proc == NULL)
			continue;
		if ((proc->statusFlags & PROC_IS_AUTOVACUUM) != 0)
			autovacuum++;
		else if (waits_for_us(proc->pid))
			found = HOLDERS_AWAIT_US;
	}
	pfree(holders);
	return found == HOLDERS_OTHERS && n > 0 && autovacuum == n ? HOLDERS_AUTOVACUUM : found;
}

static void
check_timeout(TimestampTz start)
{
	if (LockTimeout > 0 && TimestampDifferenceExceeds(start, GetCurrentTimestamp(), LockTimeout))
		ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						errmsg("canceling statement due to lock timeout")));
}

bool
ec_awaited_lock(Oid relid, LOCKMODE mode)
{
	TimestampTz start = GetCurrentTimestamp();
	LOCKTAG tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
	while (!ConditionalLockRelationOid(relid, mode))
	{
		Holders holders = ask_holders(&tag, mode);

		if (holders == HOLDERS_AWAIT_US)
			return false;
		if (holders == HOLDERS_AUTOVACUUM)
		{
			LockRelationOid(relid, mode);
			return true;
		}
		check_timeout(start);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, TRY_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return true;
}
