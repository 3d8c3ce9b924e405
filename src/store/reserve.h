/*
 * reserve.h
 *	  Row numbers that a batch in memory has been given, told to other backends.
 *
 * An index entry leads others to a row that they can't find yet, so the numbers of
 * tables with indexes are reserved visibly (row.h) until the row group stands.
 */
#ifndef EC_STORE_RESERVE_H
#define EC_STORE_RESERVE_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/relcache.h"

typedef struct EcReservation
{
	ItemPointerData tid; /* in the companion */
	int64 number;		 /* of its first row */
} EcReservation;

typedef struct EcReservations
{
	EcReservation *tuples;
	int count;
} EcReservations;

/* Before any index entry of these rows.  Does nothing for tables without indexes. */
extern void ec_reservations_add(Relation rel, EcReservations *reservations, int64 first,
								int64 count, CommandId cid, MemoryContext context);

/*
 * The row group stands, so nobody needs them any more.  The same subtransaction must
 * not have made others since the table's file was replaced: a file may be a copy, with
 * these in it, or a new one, where other tuples are in their places.
 */
extern void ec_reservations_end(Relation rel, EcReservations *reservations);

#endif /* EC_STORE_RESERVE_H */
