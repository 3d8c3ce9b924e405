/*
 * dict.c
 *	  DICT: rows as codes into the chunk's dictionary.  Pure C.
 *
 *	u8 numbering | u32 seen | ints
 *	DIRECT	the ints are codes; a NULL row has code ndict
 *	RECENT	codes are numbered in order of first appearance, "seen" of them before
 *			this block: 0 is the next new one, d > 0 is the code d below the next
 *			new one.  Values that come back soon, as those of a session do, get
 *			small numbers.
 *	RECENT_NULL	the same, but 1 is NULL and d > 1 the code d - 1 below
 */
#include "encoding/bitpack.h"
#include "encoding/codec.h"

#define NUMBERING_DIRECT 0
#define NUMBERING_RECENT 1
#define NUMBERING_RECENT_NULL 2

static void
direct_numbers(const uint32_t *codes, uint32_t n, uint64_t *x)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		x[i] = codes[i];
}

/* The codes must be numbered by appearance. */
static void
recent_numbers(const uint32_t *codes, uint32_t n, uint32_t null_code, bool nulls, uint32_t seen,
			   uint64_t *x)
{
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		uint32_t code = codes[i];

		if (code == null_code)
			x[i] = 1;
		else if (code < seen)
			x[i] = seen - code + nulls;
		else
		{
			x[i] = 0;
			seen++;
		}
	}
}

static EcStatus
dict_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	const EcVector *v = rows->column;
	const uint32_t *codes = v->codes + rows->first;
	uint32_t n = rows->nrows;
	uint8_t numbering = !rows->by_appearance ? NUMBERING_DIRECT
						: rows->nnulls == 0	 ? NUMBERING_RECENT
											 : NUMBERING_RECENT_NULL;
	uint64_t *x;

	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, INTS), n * sizeof(uint64_t)));
	x = EC_WORK(enc, INTS)->data;
	if (numbering == NUMBERING_DIRECT)
		direct_numbers(codes, n, x);
	else
		recent_numbers(codes, n, v->ndict, rows->nnulls > 0, rows->seen, x);
	*scratch += EC_ARENA_BYTES(n * sizeof(uint32_t));
	if (rows->nnulls > 0)
		*scratch += EC_ARENA_BYTES(EC_VALIDITY_WORDS(n) * sizeof(uint64_t));
	EC_TRY(ec_buf_append(out, &numbering, 1));
	EC_TRY(ec_put_u32(out, numbering == NUMBERING_DIRECT ? 0 : rows->seen));
	return ec_ints_put(enc, x, n, out, scratch);
}

/* In place.  Nonsense wraps around to codes above ndict, which are refused later. */
static void
codes_of_recent(uint32_t *x, uint32_t n, uint32_t seen)
{
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		uint32_t d = x[i];

		x[i] = seen - d;
		seen += d == 0;
	}
}

static void
codes_of_recent_null(uint32_t *x, uint32_t n, uint32_t seen, uint32_t null_code)
{
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		uint32_t d = x[i];

		x[i] = d == 1 ? null_code : seen - (d - (d > 1));
		seen += d == 0;
	}
}

static uint32_t
greatest_of(const uint32_t *x, uint32_t n)
{
	uint32_t greatest = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
		greatest = x[i] > greatest ? x[i] : greatest;
	return greatest;
}

/* 64 bits: whether codes[i] is not that of NULL. */
static inline uint64_t
valid_word(const uint32_t *codes, uint32_t null_code)
{
	uint8_t valid[64];
	uint64_t word = 0;
	uint32_t i;

	for (i = 0; i < 64; i++)
		valid[i] = codes[i] != null_code;
	for (i = 0; i < 64; i += 8)
	{
		uint64_t bytes;

		/* The multiplication gathers the lowest bits of eight bytes in the top one. */
		memcpy(&bytes, valid + i, 8);
		word |= (bytes * UINT64_C(0x0102040810204080) >> 56) << i;
	}
	return word;
}

static void
valid_bits(const uint32_t *codes, uint32_t n, uint32_t null_code, uint64_t *bits)
{
	uint32_t i;

	for (i = 0; i + 64 <= n; i += 64)
		bits[i / 64] = valid_word(codes + i, null_code);
	if (i < n)
		bits[i / 64] = 0;
	for (; i < n; i++)
		bits[i / 64] |= (uint64_t) (codes[i] != null_code) << (i % 64);
}

/* Validity from codes; the number of NULLs must be as announced. */
static EcStatus
validity_of_codes(EcPieceReader *r, EcVector *v)
{
	size_t words = EC_VALIDITY_WORDS(r->nrows);
	uint32_t valid = 0;
	uint64_t *bits;
	size_t i;

	if (r->nnulls == 0)
		return greatest_of(v->codes, r->nrows) < v->ndict ? EC_OK : EC_ERR_CORRUPT;
	if (greatest_of(v->codes, r->nrows) > v->ndict)
		return EC_ERR_CORRUPT;
	bits = ec_arena_take(&r->arena, words * sizeof(uint64_t));
	if (bits == NULL)
		return EC_ERR_SPACE;
	valid_bits(v->codes, r->nrows, v->ndict, bits);
	for (i = 0; i < words; i++)
		valid += (uint32_t) __builtin_popcountll(bits[i]);
	v->validity = bits;
	return valid == r->nrows - r->nnulls ? EC_OK : EC_ERR_CORRUPT;
}

static EcStatus
dict_decode(EcPieceReader *r, EcVector *v)
{
	uint8_t numbering;
	uint32_t seen;
	uint32_t *codes;

	if (r->dict == NULL || !ec_get_u8(&r->in, &numbering) || !ec_get_u32(&r->in, &seen) ||
		numbering > NUMBERING_RECENT_NULL)
		return EC_ERR_CORRUPT;
	codes = ec_arena_take(&r->arena, r->nrows * sizeof(uint32_t));
	if (codes == NULL)
		return EC_ERR_SPACE;
	EC_TRY(ec_ints_get32(r, r->nrows, codes));
	v->form = EC_FORM_DICT;
	v->values = r->dict->values;
	v->ndict = r->dict->nrows;
	v->dict_serial = r->dict->dict_serial;
	v->codes = codes;
	if (numbering == NUMBERING_RECENT)
		codes_of_recent(codes, r->nrows, seen);
	else if (numbering == NUMBERING_RECENT_NULL)
		codes_of_recent_null(codes, r->nrows, seen, v->ndict);
	return validity_of_codes(r, v);
}

/* Entries met before each mini, which numbers by appearance are relative to. */
static void
count_seen(EcView *view, uint32_t seen)
{
	uint32_t at;

	view->at_seen = seen;
	for (at = 0; at < view->nrows; at += EC_MINI_ROWS)
	{
		uint32_t end = at + EC_MINI_ROWS < view->nrows ? at + EC_MINI_ROWS : view->nrows;

		view->seen[at / EC_MINI_ROWS] = seen;
		seen += ec_ints_zeros(view, at, end);
	}
}

/* For single codes: the numbers stay as they are stored. */
EcStatus
ec_dict_open(EcPieceReader *r, EcView *view)
{
	uint32_t seen;

	if (view->ndict == 0 || !ec_get_u8(&r->in, &view->numbering) || !ec_get_u32(&r->in, &seen) ||
		view->numbering > NUMBERING_RECENT_NULL)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_ints_open(r, view->nrows, 32, view));
	if (view->numbering != NUMBERING_DIRECT)
		count_seen(view, seen);
	return EC_OK;
}

/* Entries met before a row: counted on from the row asked for last, or from the start of the mini. */
static uint32_t
seen_before(EcView *view, uint32_t row)
{
	uint32_t mini = row / EC_MINI_ROWS;

	if (view->at > row || view->at < mini * EC_MINI_ROWS)
	{
		view->at = mini * EC_MINI_ROWS;
		view->at_seen = view->seen[mini];
	}
	view->at_seen += ec_ints_zeros(view, view->at, row);
	view->at = row;
	return view->at_seen;
}

/* The code of a row, ndict if it is NULL. */
EcStatus
ec_dict_code_at(EcView *view, uint32_t row, uint32_t *code)
{
	uint32_t d = (uint32_t) ec_ints_at(view, row);

	if (view->numbering == NUMBERING_DIRECT)
		*code = d;
	else if (view->numbering == NUMBERING_RECENT_NULL && d == 1)
		*code = view->ndict;
	else
		*code = seen_before(view, row) - (d - (view->numbering == NUMBERING_RECENT_NULL && d > 1));
	return *code < view->ndict + (view->nnulls > 0) ? EC_OK : EC_ERR_CORRUPT;
}

const EcEncodingOps ec_dict_ops = {"dict", dict_encode, dict_decode};
