/*
 * pending.h
 *	  Batches of rows that are not yet written.  Private to write_state.c, which tells all
 *	  about them, and pending.c.
 */
#ifndef EC_STORE_PENDING_H
#define EC_STORE_PENDING_H

#include "postgres.h"

#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/relcache.h"

#include "store/format.h"
#include "store/reserve.h"
#include "vector/batch.h"

/* Bytes of rows after which a row group is full.  An empty batch may keep half as many more. */
#define EC_GROUP_BYTES_MAX ((Size) 64 * 1024 * 1024)

/* The command id of a batch that gathers rows of many commands. */
#define EC_GATHERED InvalidCommandId

typedef struct EcPendingKey
{
	Oid relid;
	SubTransactionId subid;
	CommandId cid;
	uint32 in_flight; /* 1: the one, 0: others */
} EcPendingKey;

typedef struct EcPending
{
	EcPendingKey key;
	dlist_node node; /* in ec_pendings.list */
	EcBatch *batch;
	CommandId cid; /* that it is written with; if gathered, the first row's */
	Size memory;   /* of the batch, as counted in ec_pendings.memory */
	int64 number;  /* of the row group it will become */
	uint32 max_rows;
	EcDiskRange ranges[EC_RANGES_MAX]; /* count: rows used, so that it is always true */
	uint32 nranges;
	int64 reserved; /* rows left of the last range */
	int64 step;
	EcReservations reservations; /* in the batch's context */
	SubTransactionId written_in; /* the subtransaction by which all has been written, or invalid */
} EcPending;

/* Of this backend. */
typedef struct EcPendings
{
	dlist_head list;	  /* last used first */
	HTAB *hash;			  /* of EcPending; NULL until the transaction's first row */
	Size memory;		  /* of all batches */
	EcPending *in_flight; /* NULL: none */
} EcPendings;

extern EcPendings ec_pendings;

static inline bool
ec_pending_is_written(const EcPending *p)
{
	return p->written_in != InvalidSubTransactionId;
}

/* The command that inserted a row of the batch. */
extern CommandId ec_pending_command(Relation rel, const EcPending *p, int64 number);

/* Forgets a batch and its rows. */
extern void ec_pending_drop(EcPending *p);

/* How many ranges of numbers its rows have; the last one may be reserved for rows that didn't come. */
static inline uint32
ec_pending_ranges(const EcPending *p)
{
	return p->nranges > 0 && p->ranges[p->nranges - 1].count == 0 ? p->nranges - 1 : p->nranges;
}

/* Looks again how much memory it takes. */
extern void ec_pending_count(EcPending *p);

/* Writes the rows; their reservations stay. */
extern void ec_pending_write(EcPending *p, Relation rel);

/*
 * Writes and forgets a batch, and before it one in flight whose rows come first.  After an
 * error the (sub)transaction's abort forgets it.
 */
extern void ec_pending_flush(EcPending *p, Relation rel);
extern void ec_pending_flush_by_oid(EcPending *p);

/*
 * A batch is full, and more rows are likely to follow: helpers take it, or it is written.
 * Its entry goes on with an empty batch, or is forgotten.
 */
extern void ec_pending_flush_full(EcPending *p, Relation rel);

#endif /* EC_STORE_PENDING_H */
