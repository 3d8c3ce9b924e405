/*
 * compact.c
 *	  Takes rows out of vectors: for consumers that want to know nothing of deleted
 *	  rows (source.c).
 *
 * Dictionaries stay as they are, with entries that no row may have any more.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

#include "scan/compact.h"

uint32
ec_compact_select(const uint64 *rows, uint32 nrows, uint32 *selection)
{
	uint32 n = 0;

	for (uint32 start = 0; start < nrows; start += 64)
	{
		uint64 bits = rows[start / 64];

		for (; bits != 0; bits &= bits - 1)
			selection[n++] = start + pg_rightmost_one_pos64(bits);
	}
	return n;
}

#define GATHER(type, from)                                                                         \
	do                                                                                             \
	{                                                                                              \
		const type *in = (from);                                                                   \
		type *out = column->values;                                                                \
		for (uint32 i = 0; i < nselected; i++)                                                     \
			out[i] = in[selection[i]];                                                             \
	} while (0)

static void
gather_values(EcCompactColumn *column, const EcVector *v, const uint32 *selection, uint32 nselected)
{
	switch (v->phys)
	{
		case EC_PHYS_INT64:
			GATHER(int64, v->values.i64);
			break;
		case EC_PHYS_BYTES:
			GATHER(EcBytes, v->values.bytes);
			break;
		case EC_PHYS_UUID:
			GATHER(EcUuid, v->values.uuid);
			break;
	}
	column->vector.values.any = column->values;
}

static void
gather_validity(EcCompactColumn *column, const EcVector *v, const uint32 *selection,
				uint32 nselected)
{
	EcVector *out = &column->vector;

	memset(column->validity, 0, EC_VALIDITY_WORDS(nselected) * sizeof(uint64));
	out->nnulls = 0;
	for (uint32 i = 0; i < nselected; i++)
	{
		uint64 valid = v->validity[selection[i] / 64] >> selection[i] % 64 & 1;

		column->validity[i / 64] |= valid << i % 64;
		out->nnulls += valid == 0;
	}
	out->validity = out->nnulls > 0 ? column->validity : NULL;
}

const EcVector *
ec_compact(EcCompactColumn *column, const EcVector *v, const uint32 *selection, uint32 nselected)
{
	EcVector *out = &column->vector;

	*out = *v;
	out->nrows = nselected;
	if (v->form == EC_FORM_CONST)
	{
		out->nnulls = v->nnulls > 0 ? nselected : 0;
		return out;
	}
	if (column->values == NULL)
		column->values = palloc(EC_BLOCK_ROWS * sizeof(EcUuid));
	if (v->form == EC_FORM_DICT)
	{
		GATHER(uint32, v->codes);
		out->codes = column->values;
	}
	else
		gather_values(column, v, selection, nselected);
	if (v->nnulls > 0)
		gather_validity(column, v, selection, nselected);
	return out;
}
