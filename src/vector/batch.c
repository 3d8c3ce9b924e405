/*
 * batch.c
 *	  Rows of a relation gathered column by column (server side).
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/retain.h"
#include "vector/batch.h"

static void *
context_resize(void *ctx, void *ptr, size_t size)
{
	if (ptr == NULL)
		return size == 0 ? NULL : MemoryContextAllocHuge((MemoryContext) ctx, size);
	if (size == 0)
	{
		pfree(ptr);
		return NULL;
	}
	return repalloc_huge(ptr, size);
}

EcAllocator
ec_context_allocator(MemoryContext context)
{
	EcAllocator allocator = {context_resize, context};

	return allocator;
}

/* With more columns of strings than these, they share so many entries of dictionaries. */
#define FEW_STRINGS 8
#define SHARED_ENTRIES 16384
#define LEAST_ENTRIES 64

static void
limit_dictionaries(EcBatch *batch)
{
	int strings = 0;

	for (int i = 0; i < batch->natts; i++)
		strings += batch->columns[i] != NULL && batch->types[i].phys == EC_PHYS_BYTES;
	for (int i = 0; i < batch->natts && strings > FEW_STRINGS; i++)
	{
		if (batch->columns[i] != NULL)
			ec_builder_limit_entries(batch->columns[i],
									 Max(SHARED_ENTRIES / strings, LEAST_ENTRIES));
	}
}

EcBatch *
ec_batch_create(TupleDesc desc, MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcBatch *batch = palloc0(sizeof(EcBatch));

	ec_retain_memory();
	batch->context = context;
	batch->allocator = ec_context_allocator(context);
	batch->natts = desc->natts;
	batch->types = ec_coltype_from_tupdesc(desc);
	batch->columns = palloc0(sizeof(EcBuilder *) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		if (OidIsValid(batch->types[i].typid))
			batch->columns[i] = ec_builder_create(batch->types[i].kind, &batch->allocator);
	}
	limit_dictionaries(batch);
	MemoryContextSwitchTo(old);
	return batch;
}

void
ec_batch_destroy(EcBatch *batch)
{
	MemoryContextDelete(batch->context);
}

static inline void
append_varlena(EcBuilder *column, Datum value)
{
	struct varlena *packed = (struct varlena *) DatumGetPointer(value);

	if (!VARATT_IS_COMPRESSED(packed) && !VARATT_IS_EXTERNAL(packed))
	{
		ec_builder_append_bytes(column, VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
		return;
	}
	packed = pg_detoast_datum_packed(packed);
	ec_builder_append_bytes(column, VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
	pfree(packed);
}

static void
append_raw(EcBuilder *column, Datum value, const EcColType *ct)
{
	if (ct->typlen == -1)
		append_varlena(column, value);
	else if (ct->typlen == -2)
		ec_builder_append_bytes(column, DatumGetCString(value), strlen(DatumGetCString(value)));
	else
		ec_builder_append_bytes(column, DatumGetPointer(value), ct->typlen);
}

static void
append_decimal(EcBuilder *column, Datum value, const EcColType *ct)
{
	int64 scaled;

	if (!ec_numeric_to_scaled(value, ct->scale, &scaled))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("numeric field overflow"),
				 errdetail("The value does not fit type %s.",
						   format_type_with_typemod(ct->basetype, ct->typmod))));
	ec_builder_append_int64(column, scaled);
}

void
ec_batch_append_datum(EcBatch *batch, int attidx, Datum value, bool isnull)
{
	const EcColType *ct = &batch->types[attidx];
	EcBuilder *column = batch->columns[attidx];

	if (column == NULL)
		return;
	if (isnull)
	{
		ec_builder_append_null(column);
		return;
	}
	switch (ct->kind)
	{
		case EC_KIND_INT:
		case EC_KIND_FLOAT:
			ec_builder_append_int64(column, ec_datum_to_int64(value, ct));
			break;
		case EC_KIND_DECIMAL:
			append_decimal(column, value, ct);
			break;
		case EC_KIND_TEXT:
			append_varlena(column, value);
			break;
		case EC_KIND_UUID:
			ec_builder_append_uuid(column, (const EcUuid *) DatumGetPointer(value));
			break;
		case EC_KIND_RAW:
			append_raw(column, value, ct);
			break;
	}
}

void
ec_batch_append_slot(EcBatch *batch, TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	for (int i = 0; i < batch->natts; i++)
	{
		if (batch->types[i].kind == EC_KIND_TEXT && !slot->tts_isnull[i] &&
			batch->columns[i] != NULL)
			append_varlena(batch->columns[i], slot->tts_values[i]);
		else
			ec_batch_append_datum(batch, i, slot->tts_values[i], slot->tts_isnull[i]);
	}
	ec_batch_row_done(batch);
}

/* Integers of a column: together if no row is NULL. */
static void
append_int64s(EcBatch *batch, int attidx, TupleTableSlot **slots, int nslots)
{
	const EcColType *ct = &batch->types[attidx];
	int64 values[EC_BATCH_SLOTS];
	bool any_null = false;

	values[0] = 0;
	for (int i = 0; i < nslots; i++)
	{
		any_null |= slots[i]->tts_isnull[attidx];
		values[i] =
			slots[i]->tts_isnull[attidx] ? 0 : ec_datum_to_int64(slots[i]->tts_values[attidx], ct);
	}
	if (!any_null)
		ec_builder_append_int64s(batch->columns[attidx], values, nslots);
	for (int i = 0; any_null && i < nslots; i++)
	{
		if (slots[i]->tts_isnull[attidx])
			ec_builder_append_null(batch->columns[attidx]);
		else
			ec_builder_append_int64(batch->columns[attidx], values[i]);
	}
}

static void
append_decimals(EcBatch *batch, int attidx, TupleTableSlot **slots, int nslots)
{
	const EcColType *ct = &batch->types[attidx];
	int64 values[EC_BATCH_SLOTS];

	for (int i = 0; i < nslots; i++)
	{
		if (!slots[i]->tts_isnull[attidx] &&
			ec_numeric_to_scaled(slots[i]->tts_values[attidx], ct->scale, &values[i]))
			continue;

		/* one by one: NULLs, and the error that belongs to a value */
		for (i = 0; i < nslots; i++)
			ec_batch_append_datum(batch, attidx, slots[i]->tts_values[attidx],
								  slots[i]->tts_isnull[attidx]);
		return;
	}
	ec_builder_append_int64s(batch->columns[attidx], values, nslots);
}

static void
append_varlenas(EcBatch *batch, int attidx, TupleTableSlot **slots, int nslots)
{
	EcBytes values[EC_BATCH_SLOTS];
	struct varlena *copies[EC_BATCH_SLOTS];
	int ncopies = 0;

	values[0].ptr = NULL;
	for (int i = 0; i < nslots; i++)
	{
		struct varlena *packed;

		values[i].ptr = NULL;
		values[i].len = 0;
		if (slots[i]->tts_isnull[attidx])
			continue;
		packed = (struct varlena *) DatumGetPointer(slots[i]->tts_values[attidx]);
		if (VARATT_IS_COMPRESSED(packed) || VARATT_IS_EXTERNAL(packed))
			copies[ncopies++] = packed = pg_detoast_datum_packed(packed);
		values[i].ptr = (const uint8_t *) VARDATA_ANY(packed);
		values[i].len = VARSIZE_ANY_EXHDR(packed);
	}
	ec_builder_append_texts(batch->columns[attidx], values, nslots);
	while (ncopies > 0)
		pfree(copies[--ncopies]);
}

void
ec_batch_append_slots(EcBatch *batch, TupleTableSlot **slots, int nslots)
{
	Assert(nslots <= EC_BATCH_SLOTS);
	if (nslots == 1)
	{
		ec_batch_append_slot(batch, slots[0]);
		return;
	}
	for (int i = 0; i < nslots; i++)
		slot_getallattrs(slots[i]);
	for (int att = 0; att < batch->natts; att++)
	{
		const EcColType *ct = &batch->types[att];

		if (batch->columns[att] == NULL)
			continue;
		if (ct->kind == EC_KIND_INT || ct->kind == EC_KIND_FLOAT)
			append_int64s(batch, att, slots, nslots);
		else if (ct->kind == EC_KIND_DECIMAL)
			append_decimals(batch, att, slots, nslots);
		else if (ct->kind == EC_KIND_TEXT || (ct->kind == EC_KIND_RAW && ct->typlen == -1))
			append_varlenas(batch, att, slots, nslots);
		else
		{
			for (int i = 0; i < nslots; i++)
				ec_batch_append_datum(batch, att, slots[i]->tts_values[att],
									  slots[i]->tts_isnull[att]);
		}
	}
	batch->nrows += nslots;
}

static void
take_back(void *arg)
{
	EcBatch *batch = arg;
	void (*told)(void *) = batch->take_back;

	batch->take_back = NULL;
	if (told != NULL)
		told(batch);
}

void
ec_batch_lend(EcBatch *batch, void (*told)(void *batch))
{
	Assert(batch->take_back == NULL);
	if (batch->at_end.func == NULL)
	{
		batch->at_end.func = take_back;
		batch->at_end.arg = batch;
		MemoryContextRegisterResetCallback(batch->context, &batch->at_end);
	}
	batch->take_back = told;
}

void
ec_batch_regain(EcBatch *batch)
{
	batch->take_back = NULL;
}

void
ec_batch_truncate(EcBatch *batch, uint32 nrows)
{
	take_back(batch);
	for (int i = 0; i < batch->natts; i++)
	{
		if (batch->columns[i] != NULL)
			ec_builder_truncate(batch->columns[i], nrows);
	}
	batch->nrows = nrows;
}

void
ec_batch_reset(EcBatch *batch)
{
	take_back(batch);
	for (int i = 0; i < batch->natts; i++)
	{
		if (batch->columns[i] != NULL)
			ec_builder_reset(batch->columns[i]);
	}
	batch->nrows = 0;
}

Size
ec_batch_bytes(const EcBatch *batch)
{
	Size bytes = 0;

	for (int i = 0; i < batch->natts; i++)
	{
		if (batch->columns[i] != NULL)
			bytes += ec_builder_bytes(batch->columns[i]);
	}
	return bytes;
}

Size
ec_batch_used(const EcBatch *batch)
{
	Size bytes = 0;

	for (int i = 0; i < batch->natts; i++)
	{
		if (batch->columns[i] != NULL)
			bytes += ec_builder_used(batch->columns[i]);
	}
	return bytes;
}
