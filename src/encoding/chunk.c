/*
 * chunk.c
 *	  Column chunks: header, pieces, checksums.  Pure C.  Layout in README.
 */
#include "encoding/codec.h"

#define XXH_INLINE_ALL
#include <xxhash.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#define FORMAT_VERSION 1

/* No decoder needs more memory than this for one piece. */
#define SCRATCH_MAX (UINT64_C(1) << 35)

typedef struct HeaderOnDisk
{
	uint8_t version;
	uint8_t phys;
	uint8_t kind;
	uint8_t flags; /* 0 */
	int32_t scale;
	uint32_t header_len; /* with block entries and checksum */
	uint32_t nblocks;
	uint64_t total_len;
	uint32_t nrows;
	uint32_t nnulls;
	int64_t min;
	int64_t max;
	uint32_t ndict;
	uint32_t dict_len;
	uint32_t dict_checksum;
	uint16_t dict_encoding;
	uint16_t dict_codec;
	uint64_t dict_scratch;
} HeaderOnDisk;

typedef struct BlockOnDisk
{
	uint32_t len;
	uint32_t checksum;
	uint64_t scratch;
	uint16_t encoding;
	uint16_t codec;
	uint32_t nnulls;
	int64_t min;
	int64_t max;
} BlockOnDisk;

_Static_assert(sizeof(HeaderOnDisk) == 72, "no padding");
_Static_assert(sizeof(BlockOnDisk) == 40, "no padding");

#define HEADER_LEN(nblocks)                                                                        \
	(sizeof(HeaderOnDisk) + (size_t) (nblocks) * sizeof(BlockOnDisk) + sizeof(uint32_t))

static uint32_t
checksum(const void *data, size_t len)
{
	return (uint32_t) XXH3_64bits(data, len);
}

/* zstd takes its memory from our allocator, so that an error elsewhere leaks nothing. */
static void *
zstd_alloc(void *opaque, size_t size)
{
	const EcAllocator *alloc = opaque;

	return alloc->resize(alloc->ctx, NULL, size);
}

static void
zstd_free(void *opaque, void *ptr)
{
	const EcAllocator *alloc = opaque;

	if (ptr != NULL)
		alloc->resize(alloc->ctx, ptr, 0);
}

EcEncoder *
ec_encoder_create(const EcAllocator *alloc)
{
	EcEncoder *enc = alloc->resize(alloc->ctx, NULL, sizeof(EcEncoder));
	ZSTD_customMem mem;

	if (enc == NULL)
		return NULL;
	memset(enc, 0, sizeof(*enc));
	enc->alloc = *alloc;
	enc->trial.alloc = &enc->alloc;
	mem.customAlloc = zstd_alloc;
	mem.customFree = zstd_free;
	mem.opaque = &enc->alloc;
	enc->zstd = ZSTD_createCCtx_advanced(mem);
	if (enc->zstd == NULL)
	{
		alloc->resize(alloc->ctx, enc, 0);
		return NULL;
	}
	return enc;
}

void
ec_encoder_destroy(EcEncoder *enc)
{
	EcAllocator alloc;
	EcWork *work;

	if (enc == NULL)
		return;
	alloc = enc->alloc;
	ZSTD_freeCCtx(enc->zstd);
	ec_buf_free(&enc->trial);
	for (work = enc->work; work < enc->work + EC_NWORK; work++)
	{
		if (work->data != NULL)
			alloc.resize(alloc.ctx, work->data, 0);
	}
	alloc.resize(alloc.ctx, enc, 0);
}

EcDecoder *
ec_decoder_create(const EcAllocator *alloc)
{
	EcDecoder *dec = alloc->resize(alloc->ctx, NULL, sizeof(EcDecoder));
	ZSTD_customMem mem;

	if (dec == NULL)
		return NULL;
	dec->alloc = *alloc;
	mem.customAlloc = zstd_alloc;
	mem.customFree = zstd_free;
	mem.opaque = &dec->alloc;
	dec->zstd = ZSTD_createDCtx_advanced(mem);
	if (dec->zstd == NULL)
	{
		alloc->resize(alloc->ctx, dec, 0);
		return NULL;
	}
	return dec;
}

void
ec_decoder_destroy(EcDecoder *dec)
{
	EcAllocator alloc;

	if (dec == NULL)
		return;
	alloc = dec->alloc;
	ZSTD_freeDCtx(dec->zstd);
	alloc.resize(alloc.ctx, dec, 0);
}

/* Zone values of dictionary entries that are not integers, else *prefixes = NULL. */
static EcStatus
entry_prefixes(EcEncoder *enc, const EcVector *v, EcKind kind, const int64_t **prefixes)
{
	int64_t *values;
	uint32_t i;

	*prefixes = NULL;
	if (v->form != EC_FORM_DICT || v->phys == EC_PHYS_INT64)
		return EC_OK;
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, PREFIXES), v->ndict * sizeof(int64_t)));
	values = EC_WORK(enc, PREFIXES)->data;
	for (i = 0; i < v->ndict; i++)
		values[i] = ec_zone_value(v, i, kind);
	*prefixes = values;
	return EC_OK;
}

static EcStatus
encode_dict_piece(EcEncoder *enc, const EcVector *v, HeaderOnDisk *h, EcBuf *out)
{
	EcPiece piece = {0};
	size_t at = out->len;

	if (v->form != EC_FORM_DICT)
		return EC_OK;
	EC_TRY(ec_choose_dict(enc, v, &piece, out));
	h->ndict = v->ndict;
	h->dict_len = piece.len;
	h->dict_checksum = checksum(out->data + at, piece.len);
	h->dict_encoding = piece.encoding;
	h->dict_codec = piece.codec;
	h->dict_scratch = piece.scratch;
	return EC_OK;
}

static EcStatus
encode_block(EcEncoder *enc, const EcRows *rows, EcKind kind, const int64_t *prefixes,
			 size_t entry_at, EcZone *total, EcBuf *out)
{
	EcPiece piece = {0};
	EcZone zone;
	BlockOnDisk entry;
	size_t at = out->len;

	ec_zone_of_rows(rows, kind, prefixes, &zone);
	ec_zone_merge(total, &zone);
	EC_TRY(ec_choose_block(enc, rows, &piece, out));
	entry.len = piece.len;
	entry.checksum = checksum(out->data + at, piece.len);
	entry.scratch = piece.scratch;
	entry.encoding = piece.encoding;
	entry.codec = piece.codec;
	entry.nnulls = zone.nnulls;
	entry.min = zone.min;
	entry.max = zone.max;
	memcpy(out->data + entry_at, &entry, sizeof(entry));
	return EC_OK;
}

static EcStatus
encode_blocks(EcEncoder *enc, const EcShape *shape, EcKind kind, size_t start, EcZone *total,
			  EcBuf *out)
{
	const int64_t *prefixes;
	uint32_t i;

	EC_TRY(entry_prefixes(enc, &shape->v, kind, &prefixes));
	for (i = 0; i < EC_BLOCKS(shape->v.nrows); i++)
	{
		EcRows rows;

		ec_shape_block(shape, i, &rows);
		EC_TRY(encode_block(enc, &rows, kind, prefixes,
							start + sizeof(HeaderOnDisk) + i * sizeof(BlockOnDisk), total, out));
	}
	return EC_OK;
}

EcStatus
ec_chunk_encode(EcEncoder *enc, const EcVector *column, const EcEncodeOptions *opts, EcBuf *out,
				uint32_t *header_len)
{
	size_t start = out->len;
	size_t hlen = HEADER_LEN(EC_BLOCKS(column->nrows));
	HeaderOnDisk h = {0};
	EcZone total = {0};
	EcShape shape;
	uint32_t sum;

	if (column->nrows == 0 || column->nrows > EC_GROUP_ROWS_MAX)
		return EC_ERR_LIMIT;
	enc->codec = opts->codec;
	enc->level = opts->level;
	EC_TRY(ec_buf_reserve(out, hlen));
	memset(out->data + start, 0, hlen);
	out->len += hlen;
	EC_TRY(ec_choose_form(enc, column, opts->kind, &shape));
	EC_TRY(encode_dict_piece(enc, &shape.v, &h, out));
	EC_TRY(encode_blocks(enc, &shape, opts->kind, start, &total, out));
	h.version = FORMAT_VERSION;
	h.phys = shape.v.phys;
	h.kind = opts->kind;
	h.scale = opts->scale;
	h.header_len = (uint32_t) hlen;
	h.nblocks = EC_BLOCKS(shape.v.nrows);
	h.total_len = out->len - start;
	h.nrows = shape.v.nrows;
	h.nnulls = total.nnulls;
	h.min = total.min;
	h.max = total.max;
	memcpy(out->data + start, &h, sizeof(h));
	sum = checksum(out->data + start, hlen - sizeof(sum));
	memcpy(out->data + start + hlen - sizeof(sum), &sum, sizeof(sum));
	*header_len = (uint32_t) hlen;
	return EC_OK;
}

static bool
phys_fits_kind(uint8_t phys, uint8_t kind)
{
	switch (kind)
	{
		case EC_KIND_INT:
		case EC_KIND_DECIMAL:
		case EC_KIND_FLOAT:
			return phys == EC_PHYS_INT64;
		case EC_KIND_TEXT:
			return phys == EC_PHYS_BYTES || phys == EC_PHYS_UUID;
		case EC_KIND_UUID:
			return phys == EC_PHYS_UUID;
		case EC_KIND_RAW:
			return phys == EC_PHYS_BYTES;
	}
	return false;
}

static EcStatus
check_header(const HeaderOnDisk *h, size_t header_len)
{
	if (h->flags != 0 || h->header_len != header_len || !phys_fits_kind(h->phys, h->kind) ||
		h->nrows == 0 || h->nrows > EC_GROUP_ROWS_MAX || h->nblocks != EC_BLOCKS(h->nrows) ||
		header_len != HEADER_LEN(h->nblocks) || h->nnulls > h->nrows || h->ndict > h->nrows ||
		h->total_len < header_len)
		return EC_ERR_CORRUPT;
	if (h->ndict == 0 ? h->dict_len != 0 || h->dict_scratch != 0
					  : ec_encoding_ops(h->dict_encoding) == NULL || h->dict_scratch > SCRATCH_MAX)
		return EC_ERR_CORRUPT;
	return EC_OK;
}

static EcStatus
parse_blocks(const HeaderOnDisk *h, const uint8_t *entries, EcChunk *out)
{
	uint64_t offset = out->dict.offset + out->dict.len;
	uint64_t nnulls = 0;
	uint32_t i;

	for (i = 0; i < h->nblocks; i++)
	{
		EcBlock *block = &out->blocks[i];
		BlockOnDisk d;

		memcpy(&d, entries + i * sizeof(d), sizeof(d));
		block->piece.offset = offset;
		block->piece.len = d.len;
		block->piece.checksum = d.checksum;
		block->piece.scratch = d.scratch;
		block->piece.encoding = d.encoding;
		block->piece.codec = d.codec;
		block->zone.min = d.min;
		block->zone.max = d.max;
		block->zone.nnulls = d.nnulls;
		block->zone.nrows = i + 1 < h->nblocks ? EC_BLOCK_ROWS : h->nrows - i * EC_BLOCK_ROWS;
		if (d.nnulls > block->zone.nrows || d.scratch > SCRATCH_MAX ||
			ec_encoding_ops(d.encoding) == NULL)
			return EC_ERR_CORRUPT;
		offset += d.len;
		nnulls += d.nnulls;
	}
	return offset == h->total_len && nnulls == h->nnulls ? EC_OK : EC_ERR_CORRUPT;
}

static void
parse_fixed(const HeaderOnDisk *h, EcChunk *out)
{
	memset(out, 0, sizeof(*out));
	out->phys = h->phys;
	out->kind = h->kind;
	out->scale = h->scale;
	out->total_len = h->total_len;
	out->zone.min = h->min;
	out->zone.max = h->max;
	out->zone.nrows = h->nrows;
	out->zone.nnulls = h->nnulls;
	out->ndict = h->ndict;
	out->dict.offset = h->header_len;
	out->dict.len = h->dict_len;
	out->dict.checksum = h->dict_checksum;
	out->dict.scratch = h->dict_scratch;
	out->dict.encoding = h->dict_encoding;
	out->dict.codec = h->dict_codec;
	out->nblocks = h->nblocks;
}

EcStatus
ec_chunk_parse(const uint8_t *header, size_t header_len, const EcAllocator *alloc, EcChunk *out)
{
	HeaderOnDisk h;
	EcStatus status;
	uint32_t sum;

	memset(out, 0, sizeof(*out));
	if (header_len < HEADER_LEN(1))
		return EC_ERR_CORRUPT;
	if (header[0] != FORMAT_VERSION)
		return header[0] > FORMAT_VERSION ? EC_ERR_VERSION : EC_ERR_CORRUPT;
	memcpy(&sum, header + header_len - sizeof(sum), sizeof(sum));
	if (sum != checksum(header, header_len - sizeof(sum)))
		return EC_ERR_CORRUPT;
	memcpy(&h, header, sizeof(h));
	EC_TRY(check_header(&h, header_len));
	parse_fixed(&h, out);
	out->blocks = alloc->resize(alloc->ctx, NULL, h.nblocks * sizeof(EcBlock));
	if (out->blocks == NULL)
		return EC_ERR_NOMEM;
	status = parse_blocks(&h, header + sizeof(h), out);
	if (status != EC_OK)
	{
		alloc->resize(alloc->ctx, out->blocks, 0);
		out->blocks = NULL;
	}
	return status;
}

static EcStatus
decode_piece(EcPieceReader *r, const EcPiece *piece, const uint8_t *bytes, void *scratch,
			 size_t scratch_len, EcVector *out)
{
	EcStatus status;

	memset(out, 0, sizeof(*out));
	if (scratch_len < piece->scratch)
		return EC_ERR_SPACE;
	if (checksum(bytes, piece->len) != piece->checksum)
		return EC_ERR_CORRUPT;
	r->in.at = bytes;
	r->in.end = bytes + piece->len;
	r->arena.base = scratch;
	r->arena.len = piece->scratch;
	r->arena.used = 0;
	out->phys = r->phys;
	out->nrows = r->nrows;
	out->nnulls = r->nnulls;
	status = ec_encoding_ops(piece->encoding)->decode(r, out);
	/* The caller gave all that was announced, so the announcement was wrong. */
	if (status == EC_ERR_SPACE || (status == EC_OK && r->in.at != r->in.end))
		return EC_ERR_CORRUPT;
	return status;
}

EcStatus
ec_dict_decode(EcDecoder *dec, const EcChunk *chunk, const uint8_t *bytes, void *scratch,
			   size_t scratch_len, EcVector *out)
{
	EcPieceReader r = {0};
	EcStatus status;

	if (chunk->ndict == 0)
		return EC_ERR_CORRUPT;
	r.dec = dec;
	r.phys = chunk->phys;
	r.nrows = chunk->ndict;
	status = decode_piece(&r, &chunk->dict, bytes, scratch, scratch_len, out);
	if (status == EC_OK && out->form != EC_FORM_FLAT)
		return EC_ERR_CORRUPT;
	return status;
}

EcStatus
ec_block_decode(EcDecoder *dec, const EcChunk *chunk, uint32_t block, const uint8_t *bytes,
				const EcVector *dict, void *scratch, size_t scratch_len, EcVector *out)
{
	EcPieceReader r = {0};

	if (block >= chunk->nblocks || (chunk->ndict > 0) != (dict != NULL) ||
		(dict != NULL && (dict->nrows != chunk->ndict || dict->phys != chunk->phys)))
		return EC_ERR_CORRUPT;
	r.dec = dec;
	r.phys = chunk->phys;
	r.nrows = chunk->blocks[block].zone.nrows;
	r.nnulls = chunk->blocks[block].zone.nnulls;
	r.dict = dict;
	return decode_piece(&r, &chunk->blocks[block].piece, bytes, scratch, scratch_len, out);
}
