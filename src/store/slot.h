/*
 * slot.h
 *	  Slots of columnar tables: virtual, with a tid and the row's origin.
 */
#ifndef EC_STORE_SLOT_H
#define EC_STORE_SLOT_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "store/lookup.h"

/* Where the values of a slot still have to come from. */
typedef enum EcSlotSource
{
	EC_SLOT_VALUES = 0, /* they are there */
	EC_SLOT_GROUP,		/* a row of a row group: attributes are read when they are asked for */
	EC_SLOT_PROMISE		/* a row that another transaction has not written yet */
} EcSlotSource;

typedef struct EcSlot
{
	VirtualTupleTableSlot base;
	TransactionId xmin; /* of the row, as stored; invalid: unknown */
	CommandId cmin;
	EcSlotSource source;
	int64 group; /* EC_SLOT_GROUP: its number */
	uint32 row;	 /* and the row in it */
	EcLookup lookup;
	TransactionId promiser; /* EC_SLOT_PROMISE */
	MemoryContext context;	/* of values read on demand; NULL until then */
	const bool *wanted; /* attributes that anybody looks at; the others read as NULL.  NULL: all */
} EcSlot;

extern const TupleTableSlotOps *ec_slot_ops(void);

/* Says who inserted the row that was just stored.  Slots of other kinds don't care. */
extern void ec_slot_set_origin(TupleTableSlot *slot, TransactionId xmin, CommandId cmin);

/*
 * Stores a row of a row group, or one that is promised, whose values are read when
 * they are needed.  The caller keeps the relation locked, and the row group from
 * being reclaimed, as long as that may be.
 */
extern void
ec_slot_store_group(TupleTableSlot *slot, int64 group, uint32 row, const EcLookup *lookup);
extern void ec_slot_store_promise(TupleTableSlot *slot, TransactionId promiser);

/*
 * Who has made the slot looks only at these attributes of what it gets by
 * ec_slot_store_group; the array (one for each) lives as long as the slot.
 */
extern void ec_slot_want(TupleTableSlot *slot, const bool *wanted);

/* Gives a virtual slot the memory (of its own context) in which its values lie. */
extern void ec_slot_own(TupleTableSlot *slot, void *memory);

#endif /* EC_STORE_SLOT_H */
