/*
 * strings.c
 *	  STRINGS: byte strings one after another.  Pure C.
 *
 *	[validity] ints: lengths | stream of the characters
 */
#include "encoding/codec.h"
#include "vector/segments.h"

/* Do the characters lie one after another, as a builder leaves them? */
static bool
are_contiguous(const EcBytes *values, const uint64_t *lengths, uint32_t n)
{
	const uint8_t *at = NULL;
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		if (lengths[i] == 0)
			continue;
		if (at != NULL && values[i].ptr != at)
			return false;
		at = values[i].ptr + lengths[i];
	}
	return true;
}

/* Characters of all rows, as one array. */
static EcStatus
gather_chars(EcEncoder *enc, const EcBytes *values, const uint64_t *lengths, uint32_t n,
			 uint64_t total, const uint8_t **chars)
{
	uint8_t *to;
	uint32_t i = 0;

	if (are_contiguous(values, lengths, n))
	{
		while (i < n && lengths[i] == 0)
			i++;
		*chars = i < n ? values[i].ptr : (const uint8_t *) "";
		return EC_OK;
	}
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, BYTES), total));
	to = EC_WORK(enc, BYTES)->data;
	*chars = to;
	for (; i < n; i++)
	{
		ec_copy_bytes(to, values[i].ptr, (uint32_t) lengths[i]);
		to += lengths[i];
	}
	return EC_OK;
}

static EcStatus
strings_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	const EcBytes *values = rows->column->values.bytes + rows->first;
	const uint8_t *chars;
	uint64_t *lengths;
	uint64_t total = 0;
	uint32_t i;

	EC_TRY(ec_validity_put(enc, rows, out, scratch));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, LENGTHS), rows->nrows * sizeof(uint64_t)));
	lengths = EC_WORK(enc, LENGTHS)->data;
	for (i = 0; i < rows->nrows; i++)
	{
		lengths[i] = ec_rows_null(rows, i) ? 0 : values[i].len;
		total += lengths[i];
	}
	if (total > EC_STREAM_MAX)
		return EC_ERR_LIMIT;
	EC_TRY(gather_chars(enc, values, lengths, rows->nrows, total, &chars));
	*scratch += EC_ARENA_BYTES(rows->nrows * sizeof(EcBytes)) +
				EC_ARENA_BYTES(rows->nrows * sizeof(uint32_t));
	EC_TRY(ec_ints_put(enc, lengths, rows->nrows, out, scratch));
	return ec_stream_put(enc, chars, total, out, scratch);
}

static EcStatus
strings_decode(EcPieceReader *r, EcVector *v)
{
	const uint8_t *chars;
	uint32_t *lengths;
	EcBytes *values;
	size_t left;
	uint32_t i;

	if (r->phys != EC_PHYS_BYTES)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_validity_get(r, v));
	lengths = ec_arena_take(&r->arena, r->nrows * sizeof(uint32_t));
	values = ec_take_values(r, r->nrows * sizeof(EcBytes));
	if (lengths == NULL || values == NULL)
		return EC_ERR_SPACE;
	EC_TRY(ec_ints_get32(r, r->nrows, lengths));
	EC_TRY(ec_stream_get(r, &chars, &left));
	for (i = 0; i < r->nrows; i++)
	{
		if (lengths[i] > left)
			return EC_ERR_CORRUPT;
		values[i].ptr = chars;
		values[i].len = lengths[i];
		chars += lengths[i];
		left -= lengths[i];
	}
	v->form = EC_FORM_FLAT;
	v->values.bytes = values;
	return left == 0 ? EC_OK : EC_ERR_CORRUPT;
}

const EcEncodingOps ec_strings_ops = {"strings", strings_encode, strings_decode};
