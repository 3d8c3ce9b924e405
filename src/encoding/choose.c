/*
 * choose.c
 *	  Which encoding a piece gets.  Pure C.
 */
#include "encoding/codec.h"

static const EcEncodingOps *const all_ops[] = {
	[EC_ENC_CONST] = &ec_const_ops,
	[EC_ENC_PLAIN] = &ec_plain_ops,
	[EC_ENC_UUID] = &ec_uuid_ops,
	[EC_ENC_STRINGS] = &ec_strings_ops,
	[EC_ENC_DICT] = &ec_dict_ops,
};

const EcEncodingOps *
ec_encoding_ops(int encoding)
{
	return encoding >= 1 && encoding <= EC_ENC_LAST ? all_ops[encoding] : NULL;
}

const char *
ec_encoding_name(int encoding)
{
	const EcEncodingOps *ops = ec_encoding_ops(encoding);

	return ops ? ops->name : "unknown";
}

static EcEncoding
encoding_for_phys(EcPhys phys)
{
	return phys == EC_PHYS_INT64 ? EC_ENC_PLAIN
		: phys == EC_PHYS_UUID	 ? EC_ENC_UUID
								 : EC_ENC_STRINGS;
}

static bool
values_equal(const EcVector *v, uint32_t a, uint32_t b)
{
	switch (v->phys)
	{
		case EC_PHYS_INT64:
			return v->values.i64[a] == v->values.i64[b];
		case EC_PHYS_UUID:
			return memcmp(&v->values.uuid[a], &v->values.uuid[b], sizeof(EcUuid)) == 0;
		case EC_PHYS_BYTES:
			break;
	}
	return v->values.bytes[a].len == v->values.bytes[b].len &&
		memcmp(v->values.bytes[a].ptr, v->values.bytes[b].ptr, v->values.bytes[a].len) == 0;
}

/* All rows are NULL, or none is and all have one value. */
static bool
rows_are_const(const EcRows *rows)
{
	uint32_t first;
	uint32_t i;

	if (rows->column->form == EC_FORM_CONST || rows->nnulls == rows->nrows)
		return true;
	if (rows->nnulls > 0)
		return false;
	first = ec_rows_index(rows, 0);
	for (i = 1; i < rows->nrows; i++)
	{
		uint32_t index = ec_rows_index(rows, i);

		if (index != first && (rows->column->form == EC_FORM_DICT ||
							   !values_equal(rows->column, first, index)))
			return false;
	}
	return true;
}

static EcStatus
encode_as(EcEncoder *enc, EcEncoding encoding, const EcRows *rows, EcPiece *piece, EcBuf *out)
{
	size_t start = out->len;

	enc->codec_used = EC_CODEC_NONE;
	piece->scratch = 0;
	EC_TRY(all_ops[encoding]->encode(enc, rows, out, &piece->scratch));
	if (out->len - start > EC_STREAM_MAX)
		return EC_ERR_LIMIT;
	piece->len = (uint32_t) (out->len - start);
	piece->encoding = encoding;
	piece->codec = enc->codec_used;
	return EC_OK;
}

EcStatus
ec_choose_block(EcEncoder *enc, const EcRows *rows, EcPiece *piece, EcBuf *out)
{
	if (rows_are_const(rows))
		return encode_as(enc, EC_ENC_CONST, rows, piece, out);
	if (rows->column->form == EC_FORM_DICT)
		return encode_as(enc, EC_ENC_DICT, rows, piece, out);
	return encode_as(enc, encoding_for_phys(rows->column->phys), rows, piece, out);
}

EcStatus
ec_choose_dict(EcEncoder *enc, const EcVector *entries, EcPiece *piece, EcBuf *out)
{
	EcRows rows = {entries, 0, entries->nrows, 0};

	return encode_as(enc, encoding_for_phys(entries->phys), &rows, piece, out);
}
