/*
 * slot.c
 *	  Slots of columnar tables: PostgreSQL's virtual slots, except that a heap
 *	  tuple copied from one keeps its tid (ANALYZE sorts its sample by it), and
 *	  that asking for a system column names it in the error.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/heap.h"
#include "executor/tuptable.h"
#include "utils/lsyscache.h"

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

/* Not called for ctid and tableoid, which every slot has. */
static Datum
refuse_sysattr(TupleTableSlot *slot, int attnum, bool *isnull)
{
	const char *relname = get_rel_name(slot->tts_tableOid);

	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("system column \"%s\" is not supported for columnar table \"%s\"",
						   NameStr(SystemAttributeDefinition(attnum)->attname),
						   relname != NULL ? relname : "?"),
					errhint("Of the system columns, only ctid and tableoid can be read.")));
}

const TupleTableSlotOps *
ec_slot_ops(void)
{
	static TupleTableSlotOps ops;

	if (ops.copy_heap_tuple == NULL)
	{
		ops = TTSOpsVirtual;
		ops.getsysattr = refuse_sysattr;
		ops.copy_heap_tuple = copy_heap_tuple;
	}
	return &ops;
}
