/*
 * plain.c
 *	  Encodings that hardly encode: one value for all rows, 8-byte integers,
 *	  16-byte UUIDs; and the validity bitmap that goes before all but CONST, DICT
 *	  and RAW.
 *	  Pure C.
 *
 *	CONST	nothing if all rows are NULL; u32 code in a chunk with a dictionary;
 *			else the value: 8 bytes | 16 bytes | stream of the characters
 *	PLAIN	[validity] stream of int64
 *	UUID	[validity] stream of 16-byte values
 *	RAW		16-byte values and nothing else, so that segments of them join
 */
#include "encoding/codec.h"

static const EcBytes no_bytes = {(const uint8_t *) "", 0};
static const EcUuid no_uuid;

/* Rows' bits as a stream, if some but not all rows are NULL; bits past the end are 0. */
EcStatus
ec_validity_put(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	size_t words = EC_VALIDITY_WORDS(rows->nrows);
	uint64_t *bits;

	if (rows->nnulls == 0 || rows->nnulls == rows->nrows)
		return EC_OK;
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, BITS), words * sizeof(uint64_t)));
	bits = EC_WORK(enc, BITS)->data;
	memcpy(bits, rows->column->validity + rows->first / 64, words * sizeof(uint64_t));
	if (rows->nrows % 64 != 0)
		bits[words - 1] &= (UINT64_C(1) << (rows->nrows % 64)) - 1;
	*scratch += EC_ARENA_BYTES(words * sizeof(uint64_t));
	return ec_stream_put(enc, bits, words * sizeof(uint64_t), out, scratch);
}

EcStatus
ec_validity_get(EcPieceReader *r, EcVector *v)
{
	size_t words = EC_VALIDITY_WORDS(r->nrows);
	const uint8_t *raw;
	uint64_t *bits;
	uint32_t valid = 0;
	size_t i;

	if (r->nnulls == 0 || r->nnulls == r->nrows)
		return EC_OK;
	EC_TRY(ec_stream_get_exact(r, words * sizeof(uint64_t), &raw));
	bits = ec_arena_take(&r->arena, words * sizeof(uint64_t));
	if (bits == NULL)
		return EC_ERR_SPACE;
	memcpy(bits, raw, words * sizeof(uint64_t));
	if (r->nrows % 64 != 0)
		bits[words - 1] &= (UINT64_C(1) << (r->nrows % 64)) - 1;
	for (i = 0; i < words; i++)
		valid += (uint32_t) __builtin_popcountll(bits[i]);
	v->validity = bits;
	return valid == r->nrows - r->nnulls ? EC_OK : EC_ERR_CORRUPT;
}

static EcStatus
const_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	const EcVector *v = rows->column;
	uint32_t index;

	if (rows->nnulls == rows->nrows)
		return EC_OK;
	index = v->form == EC_FORM_CONST ? 0 : ec_rows_index(rows, 0);
	if (v->form == EC_FORM_DICT)
		return ec_put_u32(out, index);
	*scratch += EC_ARENA_BYTES(16);
	switch (v->phys)
	{
		case EC_PHYS_INT64:
			return ec_put_u64(out, (uint64_t) v->values.i64[index]);
		case EC_PHYS_UUID:
			return ec_buf_append(out, &v->values.uuid[index], sizeof(EcUuid));
		case EC_PHYS_BYTES:
			break;
	}
	return ec_stream_put(enc, v->values.bytes[index].ptr, v->values.bytes[index].len, out, scratch);
}

static EcStatus
const_of_nulls(EcPieceReader *r, EcVector *v)
{
	if (r->phys == EC_PHYS_BYTES)
		v->values.bytes = &no_bytes;
	else
		v->values.any = &no_uuid;
	return EC_OK;
}

static EcStatus
const_of_dict(EcPieceReader *r, EcVector *v)
{
	uint32_t code;

	if (!ec_get_u32(&r->in, &code) || code >= r->dict->nrows)
		return EC_ERR_CORRUPT;
	if (r->phys == EC_PHYS_INT64)
		v->values.i64 = r->dict->values.i64 + code;
	else if (r->phys == EC_PHYS_UUID)
		v->values.uuid = r->dict->values.uuid + code;
	else
		v->values.bytes = r->dict->values.bytes + code;
	return EC_OK;
}

static EcStatus
const_decode(EcPieceReader *r, EcVector *v)
{
	const uint8_t *raw;
	EcBytes *bytes;
	size_t len;
	void *to;

	v->form = EC_FORM_CONST;
	if (r->nnulls == r->nrows)
		return const_of_nulls(r, v);
	if (r->nnulls > 0)
		return EC_ERR_CORRUPT;
	if (r->dict != NULL)
		return const_of_dict(r, v);
	to = ec_arena_take(&r->arena, 16);
	if (to == NULL)
		return EC_ERR_SPACE;
	v->values.any = to;
	if (r->phys != EC_PHYS_BYTES)
	{
		len = r->phys == EC_PHYS_INT64 ? 8 : 16;
		if (!ec_get_bytes(&r->in, len, &raw))
			return EC_ERR_CORRUPT;
		memcpy(to, raw, len);
		return EC_OK;
	}
	bytes = to;
	EC_TRY(ec_stream_get(r, &bytes->ptr, &len));
	bytes->len = (uint32_t) len;
	return EC_OK;
}

/* Fixed-width values as they are; those of NULL rows are written as 0. */
static EcStatus
fixed_encode(EcEncoder *enc, const EcRows *rows, size_t width, EcBuf *out, uint64_t *scratch)
{
	const uint8_t *from = (const uint8_t *) rows->column->values.any + rows->first * width;
	uint8_t *copy;
	uint32_t i;

	EC_TRY(ec_validity_put(enc, rows, out, scratch));
	if (rows->nnulls == 0)
		return ec_stream_put(enc, from, rows->nrows * width, out, scratch);
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, BYTES), rows->nrows * width));
	copy = EC_WORK(enc, BYTES)->data;
	memcpy(copy, from, rows->nrows * width);
	for (i = 0; i < rows->nrows; i++)
	{
		if (ec_rows_null(rows, i))
			memset(copy + i * width, 0, width);
	}
	return ec_stream_put(enc, copy, rows->nrows * width, out, scratch);
}

static EcStatus
plain_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	*scratch += EC_ARENA_BYTES(rows->nrows * sizeof(int64_t));
	return fixed_encode(enc, rows, sizeof(int64_t), out, scratch);
}

/* Copied even if uncompressed: stored bytes are not aligned. */
static EcStatus
plain_decode(EcPieceReader *r, EcVector *v)
{
	size_t size = r->nrows * sizeof(int64_t);
	const uint8_t *raw;
	int64_t *values;

	if (r->phys != EC_PHYS_INT64)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_validity_get(r, v));
	values = ec_take_values(r, size);
	if (values == NULL)
		return EC_ERR_SPACE;
	EC_TRY(ec_stream_get_exact(r, size, &raw));
	memcpy(values, raw, size);
	v->form = EC_FORM_FLAT;
	v->values.i64 = values;
	return EC_OK;
}

static EcStatus
uuid_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	return fixed_encode(enc, rows, sizeof(EcUuid), out, scratch);
}

static EcStatus
uuid_decode(EcPieceReader *r, EcVector *v)
{
	const uint8_t *raw;

	if (r->phys != EC_PHYS_UUID)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_validity_get(r, v));
	EC_TRY(ec_stream_get_exact(r, r->nrows * sizeof(EcUuid), &raw));
	v->form = EC_FORM_FLAT;
	v->values.uuid = (const EcUuid *) raw;
	return EC_OK;
}

static EcStatus
raw_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	return ec_buf_append(out, rows->column->values.uuid + rows->first,
						 rows->nrows * sizeof(EcUuid));
}

static EcStatus
raw_decode(EcPieceReader *r, EcVector *v)
{
	const uint8_t *raw;

	if (r->phys != EC_PHYS_UUID || r->nnulls > 0 ||
		!ec_get_bytes(&r->in, r->nrows * sizeof(EcUuid), &raw))
		return EC_ERR_CORRUPT;
	v->form = EC_FORM_FLAT;
	v->values.uuid = (const EcUuid *) raw;
	return EC_OK;
}

const EcEncodingOps ec_const_ops = {"const", const_encode, const_decode};
const EcEncodingOps ec_plain_ops = {"plain", plain_encode, plain_decode};
const EcEncodingOps ec_uuid_ops = {"uuid", uuid_encode, uuid_decode};
const EcEncodingOps ec_raw_ops = {"raw", raw_encode, raw_decode};
