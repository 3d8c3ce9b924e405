/*
 * view.c
 *	  Single rows of a block, without decoding the others.  Pure C.
 *
 * Codes of a dictionary and FOR's integers are read where they are stored, packed
 * or in planes; the values of PLAIN, UUID, RAW and CONST lie there as they are.
 * DELTA, RLE and STRINGS tell where a row's value is only to whoever goes through
 * those before it: these blocks are decoded when they are opened.  move.c packs
 * what was decoded for those who keep views.
 */
#include "encoding/bitpack.h"
#include "encoding/codec.h"

uint64_t
ec_view_scratch(const EcChunk *chunk, uint32_t block)
{
	const EcBlock *b = &chunk->blocks[block];
	uint64_t spared = 0;

	if (b->piece.encoding == EC_ENC_FOR)
		spared = EC_ARENA_BYTES(b->zone.nrows * sizeof(uint64_t));
	else if (b->piece.encoding == EC_ENC_DICT)
	{
		spared = EC_ARENA_BYTES(b->zone.nrows * sizeof(uint32_t));
		if (b->zone.nnulls > 0)
			spared += EC_ARENA_BYTES(EC_VALIDITY_WORDS(b->zone.nrows) * sizeof(uint64_t));
	}
	return b->piece.scratch > spared ? b->piece.scratch - spared : 0;
}

static EcStatus
open_for(EcPieceReader *r, EcView *view)
{
	EcVector v = {0};

	if (r->phys != EC_PHYS_INT64)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_validity_get(r, &v));
	view->validity = v.validity;
	if (!ec_get_u64(&r->in, &view->base) || !ec_get_u64(&r->in, &view->unit))
		return EC_ERR_CORRUPT;
	return ec_ints_open(r, r->nrows, 64, view);
}

/* CONST in a chunk with a dictionary: the code of all rows. */
static EcStatus
open_code(EcPieceReader *r, EcView *view)
{
	if (view->nnulls > 0 || !ec_get_u32(&r->in, &view->code) || view->code >= view->ndict)
		return EC_ERR_CORRUPT;
	return EC_OK;
}

static EcStatus
open_encoded(EcPieceReader *r, EcView *view)
{
	if (view->encoding == EC_ENC_DICT)
		return ec_dict_open(r, view);
	if (view->encoding == EC_ENC_FOR)
		return open_for(r, view);
	return open_code(r, view);
}

EcStatus
ec_view_open(EcDecoder *dec, const EcChunk *chunk, uint32_t block, const uint8_t *bytes,
			 void *scratch, size_t scratch_len, EcView *view)
{
	EcPieceReader r = {0};
	const EcBlock *b;
	EcStatus status;

	memset(view, 0, sizeof(*view));
	if (block >= chunk->nblocks)
		return EC_ERR_CORRUPT;
	b = &chunk->blocks[block];
	if (scratch_len < ec_view_scratch(chunk, block))
		return EC_ERR_SPACE;
	r.dec = dec;
	r.phys = view->phys = chunk->phys;
	r.nrows = view->nrows = b->zone.nrows;
	r.nnulls = view->nnulls = b->zone.nnulls;
	r.arena.base = scratch;
	r.arena.len = ec_view_scratch(chunk, block);
	view->encoding = b->piece.encoding;
	view->ndict = chunk->ndict;
	view->all_null = view->nnulls == view->nrows && view->encoding == EC_ENC_CONST;
	if (view->all_null || (view->encoding == EC_ENC_CONST && view->ndict == 0) ||
		(view->encoding != EC_ENC_CONST && view->encoding != EC_ENC_DICT &&
		 view->encoding != EC_ENC_FOR))
		return ec_piece_decode(&r, &b->piece, bytes, &view->whole);
	EC_TRY(ec_piece_open(&r, &b->piece, bytes));
	status = open_encoded(&r, view);
	if (status == EC_ERR_SPACE || (status == EC_OK && r.in.at != r.in.end))
		return EC_ERR_CORRUPT;
	return status;
}

static void
get_string(const EcView *view, uint32_t row, EcBytes *value)
{
	uint32_t start = row == 0 ? 0 : view->ends[row - 1];

	value->ptr = view->chars + start;
	value->len = view->ends[row] - start;
}

static void
get_whole(const EcView *view, uint32_t row, EcPoint *point)
{
	const EcVector *v = &view->whole;
	uint32_t index = ec_vector_index(v, row);

	point->isnull = ec_vector_is_null(v, row);
	if (point->isnull)
		return;
	if (view->ends != NULL)
		get_string(view, index, &point->value.bytes);
	else if (view->bases != NULL)
		point->value.i64 =
			(int64_t) (view->bases[row / EC_MINI_ROWS] + view->unit * ec_ints_at(view, row));
	else if (v->phys == EC_PHYS_INT64)
		point->value.i64 = v->values.i64[index];
	else if (v->phys == EC_PHYS_UUID)
		point->value.uuid = v->values.uuid[index];
	else
		point->value.bytes = v->values.bytes[index];
}

EcStatus
ec_view_get(EcView *view, uint32_t row, EcPoint *point)
{
	memset(point, 0, sizeof(*point));
	if (row >= view->nrows)
		return EC_ERR_CORRUPT;
	if (view->encoding == EC_ENC_DICT)
	{
		EC_TRY(ec_dict_code_at(view, row, &point->code));
		point->isnull = point->code == view->ndict;
		point->in_dict = !point->isnull;
	}
	else if (view->encoding == EC_ENC_FOR)
	{
		point->isnull = view->validity != NULL && (view->validity[row / 64] >> (row % 64) & 1) == 0;
		point->value.i64 = (int64_t) (view->base + view->unit * ec_ints_at(view, row));
	}
	else if (view->encoding == EC_ENC_CONST && view->ndict > 0 && !view->all_null)
	{
		point->in_dict = true;
		point->code = view->code;
	}
	else
		get_whole(view, row, point);
	return EC_OK;
}

void
ec_view_of_vector(const EcVector *v, EcView *view)
{
	memset(view, 0, sizeof(*view));
	view->phys = v->phys;
	view->encoding = EC_ENC_PLAIN;
	view->nrows = v->nrows;
	view->nnulls = v->nnulls;
	view->whole = *v;
}
