/*
 * slot.c
 *	  Slots of columnar tables: PostgreSQL's virtual slots, except that a heap
 *	  tuple copied from one keeps its tid (ANALYZE sorts its sample by it).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/tuptable.h"

#include "store/store.h"

static HeapTuple
copy_heap_tuple(TupleTableSlot *slot)
{
	HeapTuple tuple =
		heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);

	tuple->t_self = slot->tts_tid;
	tuple->t_tableOid = slot->tts_tableOid;
	return tuple;
}

const TupleTableSlotOps *
ec_slot_ops(void)
{
	static TupleTableSlotOps ops;

	if (ops.copy_heap_tuple == NULL)
	{
		ops = TTSOpsVirtual;
		ops.copy_heap_tuple = copy_heap_tuple;
	}
	return &ops;
}
