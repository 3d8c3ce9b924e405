/*
 * view.c
 *	  Single rows of a block, without decoding the others.  Pure C.
 *
 * Codes of a dictionary and FOR's integers are read where they are stored, packed
 * or in planes; the values of PLAIN, UUID, RAW and CONST lie there as they are.
 * DELTA's steps stay too, summed up to an anchor every so many rows; of RLE only the
 * runs are decoded.  STRINGS are decoded when they are opened.  move.c makes views
 * small for those who keep them.
 */
#include "encoding/bitpack.h"
#include "encoding/codec.h"

uint64_t
ec_view_scratch(const EcChunk *chunk, uint32_t block)
{
	const EcBlock *b = &chunk->blocks[block];
	uint64_t values = EC_ARENA_BYTES(b->zone.nrows * sizeof(uint64_t));
	uint64_t spared = 0;

	if (b->piece.encoding == EC_ENC_FOR || b->piece.encoding == EC_ENC_RLE)
		spared = values;
	else if (b->piece.encoding == EC_ENC_DELTA)
		spared = values - EC_ARENA_BYTES(EC_ANCHORS(b->zone.nrows) * sizeof(uint64_t));
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
	if (view->encoding == EC_ENC_DELTA)
		return ec_delta_open(r, view);
	if (view->encoding == EC_ENC_RLE)
		return ec_rle_open(r, view);
	return open_code(r, view);
}

/* Others are decoded, or lie there as values. */
static bool
opens_encoded(const EcView *view)
{
	switch (view->encoding)
	{
		case EC_ENC_CONST:
			return view->ndict > 0 && !view->all_null;
		case EC_ENC_DICT:
		case EC_ENC_FOR:
		case EC_ENC_DELTA:
		case EC_ENC_RLE:
			return true;
		default:
			return false;
	}
}

/* A block, or a segment of no more rows than that.  The view knows phys and numbers of rows. */
static EcStatus
open_piece(EcPieceReader *r, const EcPiece *piece, const uint8_t *bytes, EcView *view)
{
	EcStatus status;

	view->encoding = piece->encoding;
	view->nints = view->nrows;
	view->all_null = view->nnulls == view->nrows && view->encoding == EC_ENC_CONST;
	if (!opens_encoded(view))
		return ec_piece_decode(r, piece, bytes, &view->whole);
	EC_TRY(ec_piece_open(r, piece, bytes));
	status = open_encoded(r, view);

	/* the caller gave all that was announced, so the announcement was wrong */
	if (status == EC_ERR_SPACE || (status == EC_OK && r->in.at != r->in.end))
		return EC_ERR_CORRUPT;
	return status;
}

EcStatus
ec_view_open(EcDecoder *dec, const EcChunk *chunk, uint32_t block, const uint8_t *bytes,
			 void *scratch, size_t scratch_len, EcView *view)
{
	EcPieceReader r = {0};
	const EcBlock *b;

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
	view->ndict = chunk->ndict;
	return open_piece(&r, &b->piece, bytes, view);
}

/* The dictionary of version 1 may be too long for anything but its values. */
EcStatus
ec_view_open_segment(EcDecoder *dec, const EcChunk *chunk, uint32_t segment, const uint8_t *bytes,
					 void *scratch, size_t scratch_len, EcView *view)
{
	EcPieceReader r = {0};
	uint32_t left;

	memset(view, 0, sizeof(*view));
	if (segment >= chunk->nsegments)
		return EC_ERR_CORRUPT;
	if (scratch_len < chunk->segments[segment].scratch)
		return EC_ERR_SPACE;
	left = chunk->ndict - segment * chunk->segment_entries;
	view->phys = chunk->phys;
	view->nrows = left < chunk->segment_entries ? left : chunk->segment_entries;
	if (view->nrows > EC_BLOCK_ROWS)
	{
		view->encoding = EC_ENC_PLAIN;
		return ec_segment_decode(dec, chunk, segment, bytes, scratch, scratch_len, &view->whole);
	}
	r.dec = dec;
	r.phys = chunk->phys;
	r.nrows = view->nrows;
	r.arena.base = scratch;
	r.arena.len = chunk->segments[segment].scratch;
	EC_TRY(open_piece(&r, &chunk->segments[segment], bytes, view));
	return view->whole.nrows > 0 && view->whole.form != EC_FORM_FLAT ? EC_ERR_CORRUPT : EC_OK;
}

/* The value of a row, or of a run. */
static int64_t
get_int(const EcView *view, uint32_t index)
{
	if (view->bases == NULL)
		return view->whole.values.i64[index];
	return (int64_t) (view->bases[index / EC_MINI_ROWS] + view->unit * ec_ints_at(view, index));
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
	else if (v->phys == EC_PHYS_INT64)
		point->value.i64 = get_int(view, index);
	else if (v->phys == EC_PHYS_UUID)
		point->value.uuid = v->values.uuid[index];
	else
		point->value.bytes = v->values.bytes[index];
}

/* The validity is kept besides integers as they are stored. */
static int64_t
get_stored(const EcView *view, uint32_t row)
{
	if (view->anchors != NULL)
		return (int64_t) ec_delta_at(view, row);
	if (view->run_ends != NULL)
		return get_int(view, ec_rle_run_of(view, row));
	return (int64_t) (view->base + view->unit * ec_ints_at(view, row));
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
	else if (view->encoding == EC_ENC_FOR || view->anchors != NULL || view->run_ends != NULL)
	{
		point->isnull = view->validity != NULL && (view->validity[row / 64] >> (row % 64) & 1) == 0;
		point->value.i64 = get_stored(view, row);
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
