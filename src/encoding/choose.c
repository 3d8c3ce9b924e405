/*
 * choose.c
 *	  Which form a column and which encoding a piece gets.  Pure C.
 *
 * Forms are compared by encoding two blocks of each, and the dictionary; encodings
 * of a block by encoding it.  README says when which wins.
 */
#include "encoding/bitpack.h"
#include "encoding/codec.h"

/* Flat integers this short need no dictionary to compete with: bits a row. */
#define GOOD_ENOUGH_BITS 4

static const EcEncodingOps *const all_ops[] = {
	[EC_ENC_CONST] = &ec_const_ops,		[EC_ENC_PLAIN] = &ec_plain_ops,
	[EC_ENC_FOR] = &ec_for_ops,			[EC_ENC_DELTA] = &ec_delta_ops,
	[EC_ENC_RLE] = &ec_rle_ops,			[EC_ENC_UUID] = &ec_uuid_ops,
	[EC_ENC_STRINGS] = &ec_strings_ops, [EC_ENC_DICT] = &ec_dict_ops,
	[EC_ENC_RAW] = &ec_raw_ops,
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

		if (index != first &&
			(rows->column->form == EC_FORM_DICT || !values_equal(rows->column, first, index)))
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

/* Encodes once more, differently; the shorter of the two stays at the end of out. */
static EcStatus
encode_if_shorter(EcEncoder *enc, EcEncoding encoding, const EcRows *rows, EcPiece *piece,
				  EcBuf *out)
{
	EcPiece other = *piece;

	enc->trial.len = 0;
	EC_TRY(encode_as(enc, encoding, rows, &other, &enc->trial));
	if (other.len >= piece->len)
		return EC_OK;
	out->len -= piece->len;
	*piece = other;
	return ec_buf_append(out, enc->trial.data, other.len);
}

/* What a look at the values tells about how they might be encoded. */
typedef struct IntStats
{
	uint64_t nruns;
	uint64_t offset_bits; /* sum of the bits of value - least */
	uint64_t step_bits;	  /* sum of the bits of differences */
} IntStats;

static inline uint32_t
bits_of(uint64_t x)
{
	return 64 - (uint32_t) __builtin_clzll(x | 1);
}

static void
look_at_ints(const int64_t *values, uint32_t n, IntStats *stats)
{
	int64_t least = values[0];
	uint32_t i;

	memset(stats, 0, sizeof(*stats));
	for (i = 0; i < n; i++)
		least = values[i] < least ? values[i] : least;
	stats->nruns = 1;
	for (i = 1; i < n; i++)
	{
		uint64_t step = (uint64_t) values[i] - (uint64_t) values[i - 1];

		stats->nruns += step != 0;
		stats->step_bits += bits_of(step << 1 ^ (uint64_t) ((int64_t) step >> 63));
		stats->offset_bits += bits_of((uint64_t) values[i] - (uint64_t) least);
	}
}

static EcStatus
choose_ints(EcEncoder *enc, const EcRows *rows, EcPiece *piece, EcBuf *out)
{
	const int64_t *values = rows->column->values.i64 + rows->first;
	IntStats stats;

	look_at_ints(values, rows->nrows, &stats);
	if (stats.step_bits < stats.offset_bits)
	{
		EC_TRY(encode_as(enc, EC_ENC_DELTA, rows, piece, out));
		if (stats.step_bits > stats.offset_bits / 2)
			EC_TRY(encode_if_shorter(enc, EC_ENC_FOR, rows, piece, out));
	}
	else
		EC_TRY(encode_as(enc, EC_ENC_FOR, rows, piece, out));
	if (stats.nruns <= rows->nrows / 2)
		EC_TRY(encode_if_shorter(enc, EC_ENC_RLE, rows, piece, out));
	if (piece->len > rows->nrows * sizeof(int64_t))
		EC_TRY(encode_if_shorter(enc, EC_ENC_PLAIN, rows, piece, out));
	return EC_OK;
}

static EcStatus
choose_flat(EcEncoder *enc, const EcRows *rows, EcPiece *piece, EcBuf *out)
{
	switch (rows->column->phys)
	{
		case EC_PHYS_INT64:
			return choose_ints(enc, rows, piece, out);
		case EC_PHYS_UUID:
			return encode_as(enc, EC_ENC_UUID, rows, piece, out);
		case EC_PHYS_BYTES:
			break;
	}
	return encode_as(enc, EC_ENC_STRINGS, rows, piece, out);
}

EcStatus
ec_choose_block(EcEncoder *enc, const EcRows *rows, EcPiece *piece, EcBuf *out)
{
	if (rows_are_const(rows))
		return encode_as(enc, EC_ENC_CONST, rows, piece, out);
	if (rows->column->form == EC_FORM_DICT)
		return encode_as(enc, EC_ENC_DICT, rows, piece, out);
	return choose_flat(enc, rows, piece, out);
}

EcStatus
ec_choose_segment(EcEncoder *enc, const EcVector *v, uint32_t first, EcPiece *piece, EcBuf *out)
{
	EcVector entries = {0};
	EcRows rows = {0};

	entries.phys = v->phys;
	entries.form = EC_FORM_FLAT;
	entries.nrows = v->ndict;
	entries.values = v->values;
	rows.column = &entries;
	rows.first = first;
	rows.nrows = v->ndict - first < EC_SEGMENT_ENTRIES ? v->ndict - first : EC_SEGMENT_ENTRIES;
	EC_TRY(choose_flat(enc, &rows, piece, out));
	if (piece->encoding != EC_ENC_UUID || piece->codec != EC_CODEC_NONE)
		return EC_OK;
	out->len -= piece->len;
	return encode_as(enc, EC_ENC_RAW, &rows, piece, out);
}

/* Estimated bytes of a column in this form, from two blocks in its middle. */
static EcStatus
measure(EcEncoder *enc, const EcShape *shape, uint64_t *bytes)
{
	uint32_t nblocks = EC_BLOCKS(shape->v.nrows);
	uint32_t blocks[2] = {nblocks / 3, nblocks * 2 / 3};
	EcBuf out = {NULL, 0, 0, &enc->alloc};
	EcStatus status = EC_OK;
	EcPiece piece;
	uint64_t rows_done = 0;
	uint64_t len = 0;
	uint32_t i;
	uint32_t at;

	for (i = 0; i < (blocks[1] > blocks[0] ? 2 : 1) && status == EC_OK; i++)
	{
		EcRows rows;

		ec_shape_block(shape, blocks[i], &rows);
		status = ec_choose_block(enc, &rows, &piece, &out);
		len += piece.len;
		rows_done += rows.nrows;
	}
	*bytes = len * shape->v.nrows / rows_done;
	if (shape->v.form == EC_FORM_DICT && shape->v.phys == EC_PHYS_INT64)
	{
		for (at = 0; at < shape->v.ndict && status == EC_OK; at += EC_SEGMENT_ENTRIES)
		{
			status = ec_choose_segment(enc, &shape->v, at, &piece, &out);
			*bytes += piece.len;
		}
	}
	ec_buf_free(&out);
	return status;
}

/* Both numberings of a dictionary in order of appearance; *bytes is the better's size. */
static EcStatus
choose_numbering(EcEncoder *enc, const EcVector *dict, EcShape *chosen, uint64_t *bytes)
{
	EcShape ranked;
	EcVector v;
	uint64_t ranked_bytes;

	EC_TRY(ec_shape_rank(enc, dict, &v));
	ec_shape_init(&ranked, &v, false);
	ec_shape_init(chosen, dict, true);
	EC_TRY(measure(enc, chosen, bytes));
	EC_TRY(measure(enc, &ranked, &ranked_bytes));
	/* Codes by appearance are slower to decode: they must save something. */
	if (ranked_bytes - ranked_bytes / 32 <= *bytes)
	{
		*chosen = ranked;
		*bytes = ranked_bytes;
	}
	return EC_OK;
}

/* Integers: flat or with a dictionary, which must save a tenth. */
static EcStatus
choose_int_form(EcEncoder *enc, const EcVector *flat, EcShape *chosen)
{
	EcShape other;
	EcVector dict;
	uint64_t flat_bytes;
	uint64_t dict_bytes;
	bool interned;

	ec_shape_init(chosen, flat, false);
	EC_TRY(measure(enc, chosen, &flat_bytes));
	if (flat_bytes <= (uint64_t) flat->nrows * GOOD_ENOUGH_BITS / 8)
		return EC_OK;
	EC_TRY(ec_shape_intern(enc, flat, &dict, &interned));
	if (!interned)
		return EC_OK;
	EC_TRY(choose_numbering(enc, &dict, &other, &dict_bytes));
	if (dict_bytes < flat_bytes - flat_bytes / 10)
		*chosen = other;
	return EC_OK;
}

EcStatus
ec_choose_form(EcEncoder *enc, const EcVector *column, EcKind kind, EcShape *chosen)
{
	EcVector v = *column;
	EcVector other;
	uint64_t bytes;
	bool given_up = false;
	bool interned;

	if (v.nnulls == v.nrows)
	{
		v.form = EC_FORM_CONST;
		v.validity = NULL;
	}
	if (v.form == EC_FORM_DICT)
		EC_TRY(ec_shape_prune(enc, &v));
	if (kind == EC_KIND_TEXT && v.phys == EC_PHYS_BYTES)
		EC_TRY(ec_shape_pack_uuids(enc, &v));
	if (v.form == EC_FORM_DICT &&
		(v.phys == EC_PHYS_INT64 || v.ndict > (uint64_t) (v.nrows - v.nnulls) * 4 / 5))
	{
		EC_TRY(ec_shape_flatten(enc, &v, &other));
		v = other;
		given_up = true;
	}
	if (v.form == EC_FORM_FLAT && v.phys == EC_PHYS_INT64)
		return choose_int_form(enc, &v, chosen);
	if (v.form == EC_FORM_FLAT && !given_up)
	{
		EC_TRY(ec_shape_intern_values(enc, &v, &other, &interned));
		v = interned ? other : v;
	}
	if (v.form == EC_FORM_DICT)
		return choose_numbering(enc, &v, chosen, &bytes);
	ec_shape_init(chosen, &v, false);
	return EC_OK;
}
