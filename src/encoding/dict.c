/*
 * dict.c
 *	  DICT: rows as codes into the chunk's dictionary.  Pure C.
 *
 *	stream of u32 codes; a NULL row has code ndict
 */
#include "encoding/codec.h"

static EcStatus
dict_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	*scratch += EC_ARENA_BYTES(rows->nrows * sizeof(uint32_t));
	if (rows->nnulls > 0)
		*scratch += EC_ARENA_BYTES(EC_VALIDITY_WORDS(rows->nrows) * sizeof(uint64_t));
	return ec_stream_put(enc, rows->column->codes + rows->first, rows->nrows * sizeof(uint32_t),
						 out, scratch);
}

/* Validity from codes; the number of NULLs must be as announced. */
static EcStatus
validity_of_codes(EcPieceReader *r, EcVector *v)
{
	size_t words = EC_VALIDITY_WORDS(r->nrows);
	uint64_t *bits;
	uint32_t nulls = 0;
	uint32_t i;

	for (i = 0; i < r->nrows; i++)
		nulls += v->codes[i] == v->ndict;
	if (nulls != r->nnulls)
		return EC_ERR_CORRUPT;
	if (nulls == 0)
		return EC_OK;
	bits = ec_arena_take(&r->arena, words * sizeof(uint64_t));
	if (bits == NULL)
		return EC_ERR_SPACE;
	memset(bits, 0, words * sizeof(uint64_t));
	for (i = 0; i < r->nrows; i++)
		bits[i / 64] |= (uint64_t) (v->codes[i] != v->ndict) << (i % 64);
	v->validity = bits;
	return EC_OK;
}

static EcStatus
dict_decode(EcPieceReader *r, EcVector *v)
{
	size_t size = r->nrows * sizeof(uint32_t);
	const uint8_t *raw;
	uint32_t *codes;
	uint32_t greatest = 0;
	uint32_t i;

	if (r->dict == NULL)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_stream_get_exact(r, size, &raw));
	codes = ec_arena_take(&r->arena, size);
	if (codes == NULL)
		return EC_ERR_SPACE;
	memcpy(codes, raw, size);
	for (i = 0; i < r->nrows; i++)
		greatest = codes[i] > greatest ? codes[i] : greatest;
	if (greatest > r->dict->nrows)
		return EC_ERR_CORRUPT;
	v->form = EC_FORM_DICT;
	v->values = r->dict->values;
	v->ndict = r->dict->nrows;
	v->dict_serial = r->dict->dict_serial;
	v->codes = codes;
	return validity_of_codes(r, v);
}

const EcEncodingOps ec_dict_ops = {"dict", dict_encode, dict_decode};
