/*
 * transfer.c
 *	  Rows from decoded vectors into a batch, and into another order.
 *
 * Values go as they are where the column still means what it meant when the chunk
 * was written, else as Datums of the present type.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "store/transfer.h"

/* Values of a vector that mean the same in the builder of this column. */
static bool
copies_directly(const EcVector *v, const EcColType *ct, EcKind kind, int32 scale)
{
	if (kind != ct->kind)
		return false;
	switch (kind)
	{
		case EC_KIND_INT:
			/* shorter types may have changed their sign */
			return ct->typlen == sizeof(int64);
		case EC_KIND_DECIMAL:
			return scale == ct->scale;
		case EC_KIND_FLOAT:
			return true;
		case EC_KIND_TEXT:
		case EC_KIND_UUID:
			return v->phys != EC_PHYS_INT64;
		case EC_KIND_RAW:
			return v->phys == EC_PHYS_BYTES;
	}
	return false;
}

static void
append_value(EcBuilder *column, const EcVector *v, uint32 row, EcKind kind)
{
	uint32 i = ec_vector_index(v, row);
	char text[EC_UUID_TEXT_LEN];

	switch (v->phys)
	{
		case EC_PHYS_INT64:
			ec_builder_append_int64(column, v->values.i64[i]);
			break;
		case EC_PHYS_BYTES:
			ec_builder_append_bytes(column, v->values.bytes[i].ptr, v->values.bytes[i].len);
			break;
		case EC_PHYS_UUID:
			if (kind == EC_KIND_UUID)
			{
				ec_builder_append_uuid(column, &v->values.uuid[i]);
				break;
			}
			ec_uuid_format(&v->values.uuid[i], text);
			ec_builder_append_bytes(column, text, sizeof(text));
			break;
	}
}

/* context holds Datums and is reset now and then */
static void
append_rows(EcBatch *batch, int attidx, const EcVector *v, EcKind kind, int32 scale,
			const EcColType *ct, const uint32 *rows, uint32 nrows, MemoryContext context)
{
	EcBuilder *column = batch->columns[attidx];
	bool direct = copies_directly(v, ct, kind, scale);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (uint32 i = 0; i < nrows; i++)
	{
		if (ec_vector_is_null(v, rows[i]))
			ec_builder_append_null(column);
		else if (direct)
			append_value(column, v, rows[i], kind);
		else
			ec_batch_append_datum(batch, attidx, ec_datum_from_vector(v, rows[i], ct, kind, scale),
								  false);
		if ((i & 1023) == 1023)
			MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(context);
}

static MemoryContext
datum_context(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "ecinsight transfer",
								 ALLOCSET_DEFAULT_SIZES);
}

void
ec_transfer_block(EcReader *reader, uint32 block, const uint32 *rows, uint32 nrows, EcBatch *batch)
{
	MemoryContext context = datum_context();

	for (int i = 0; i < batch->natts; i++)
	{
		const EcVector *v;
		EcKind kind;
		int32 scale;

		CHECK_FOR_INTERRUPTS();
		if (batch->columns[i] == NULL)
			continue;
		v = ec_reader_block(reader, i, block);
		kind = ec_reader_kind(reader, i, &scale);
		append_rows(batch, i, v, kind, scale, &batch->types[i], rows, nrows, context);
	}
	batch->nrows += nrows;
	MemoryContextDelete(context);
}

EcVector *
ec_transfer_views(EcBatch *batch)
{
	EcVector *views = palloc0(Max(batch->natts, 1) * sizeof(EcVector));

	for (int i = 0; i < batch->natts; i++)
	{
		if (batch->columns[i] != NULL)
			ec_builder_view(batch->columns[i], &views[i]);
	}
	return views;
}

void
ec_transfer_row(const EcBatch *batch, const EcVector *views, uint32 row, Datum *values,
				bool *isnull)
{
	for (int i = 0; i < batch->natts; i++)
	{
		const EcColType *ct = &batch->types[i];

		isnull[i] = batch->columns[i] == NULL || ec_vector_is_null(&views[i], row);
		values[i] =
			isnull[i] ? (Datum) 0 : ec_datum_from_vector(&views[i], row, ct, ct->kind, ct->scale);
	}
}

void
ec_transfer_append(EcBatch *batch, const Datum *values, const bool *isnull)
{
	for (int i = 0; i < batch->natts; i++)
		ec_batch_append_datum(batch, i, values[i], isnull[i]);
	ec_batch_row_done(batch);
}

EcBatch *
ec_transfer_permute(EcBatch *batch, TupleDesc tupdesc, const uint32 *order, MemoryContext parent)
{
	EcBatch *out = ec_batch_create(tupdesc, parent);
	MemoryContext context = datum_context();

	for (int i = 0; i < batch->natts; i++)
	{
		const EcColType *ct = &batch->types[i];
		EcVector v;

		CHECK_FOR_INTERRUPTS();
		if (batch->columns[i] == NULL)
			continue;
		ec_builder_view(batch->columns[i], &v);
		append_rows(out, i, &v, ct->kind, ct->scale, ct, order, batch->nrows, context);
	}
	out->nrows = batch->nrows;
	MemoryContextDelete(context);
	return out;
}

/* ------------------------------------------------------------------------
 * Order
 * ------------------------------------------------------------------------
 */

typedef struct OrderState
{
	const int64 *numbers;
	EcVector *keys;
	int nkeys;
} OrderState;

static inline int
compare_int64(int64 a, int64 b)
{
	return a < b ? -1 : a > b;
}

static int
compare_values(const EcVector *v, uint32 a, uint32 b)
{
	uint32 i = ec_vector_index(v, a);
	uint32 j = ec_vector_index(v, b);
	const EcBytes *x;
	const EcBytes *y;
	int order;

	if (v->form != EC_FORM_FLAT && i == j)
		return 0;
	switch (v->phys)
	{
		case EC_PHYS_INT64:
			return compare_int64(v->values.i64[i], v->values.i64[j]);
		case EC_PHYS_UUID:
			return memcmp(&v->values.uuid[i], &v->values.uuid[j], sizeof(EcUuid));
		case EC_PHYS_BYTES:
			x = &v->values.bytes[i];
			y = &v->values.bytes[j];
			order = memcmp(x->ptr, y->ptr, Min(x->len, y->len));
			return order != 0 ? order : compare_int64(x->len, y->len);
	}
	return 0;
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const OrderState *state = arg;
	uint32 x = *(const uint32 *) a;
	uint32 y = *(const uint32 *) b;

	for (int i = 0; i < state->nkeys; i++)
	{
		const EcVector *v = &state->keys[i];
		bool x_null = ec_vector_is_null(v, x);
		bool y_null = ec_vector_is_null(v, y);
		int order;

		if (x_null || y_null)
		{
			if (x_null != y_null)
				return x_null ? 1 : -1;
			continue;
		}
		order = compare_values(v, x, y);
		if (order != 0)
			return order;
	}
	return compare_int64(state->numbers[x], state->numbers[y]);
}

void
ec_transfer_order(EcBatch *batch, const int64 *numbers, const int *columns, int ncolumns,
				  uint32 *order)
{
	OrderState state = {.numbers = numbers};

	state.keys = palloc(Max(ncolumns, 1) * sizeof(EcVector));
	for (int i = 0; i < ncolumns; i++)
	{
		/* dropped columns have no builder */
		if (batch->columns[columns[i]] != NULL)
			ec_builder_view(batch->columns[columns[i]], &state.keys[state.nkeys++]);
	}
	for (uint32 row = 0; row < batch->nrows; row++)
		order[row] = row;
	qsort_arg(order, batch->nrows, sizeof(uint32), compare_rows, &state);
	pfree(state.keys);
}
