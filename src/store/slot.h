/*
 * slot.h
 *	  Slots of columnar tables: virtual, with a tid and the row's origin.
 */
#ifndef EC_STORE_SLOT_H
#define EC_STORE_SLOT_H

#include "postgres.h"

#include "executor/tuptable.h"

typedef struct EcSlot
{
	VirtualTupleTableSlot base;
	TransactionId xmin; /* of the row, as stored; invalid: unknown */
	CommandId cmin;
} EcSlot;

extern const TupleTableSlotOps *ec_slot_ops(void);

/* Says who inserted the row that was just stored.  Slots of other kinds don't care. */
extern void ec_slot_set_origin(TupleTableSlot *slot, TransactionId xmin, CommandId cmin);

/* Gives a virtual slot the memory (of its own context) in which its values lie. */
extern void ec_slot_own(TupleTableSlot *slot, void *memory);

#endif /* EC_STORE_SLOT_H */
