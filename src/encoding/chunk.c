/*
 * chunk.c
 *	  Column chunks: header, pieces, checksums.  Pure C.  Layout in README.
 */
#include "encoding/codec.h"

#define XXH_INLINE_ALL
#include <xxhash.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#define FORMAT_VERSION 2

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
	uint32_t dict_checksum; /* version 1; 0 since */
	uint16_t dict_encoding; /* of its first segment */
	uint16_t dict_codec;
	uint64_t dict_scratch; /* version 1; 0 since */
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

typedef struct SegmentOnDisk
{
	uint32_t len;
	uint32_t checksum;
	uint64_t scratch;
	uint16_t encoding;
	uint16_t codec;
	uint32_t reserved; /* 0 */
} SegmentOnDisk;

_Static_assert(sizeof(HeaderOnDisk) == 72, "no padding");
_Static_assert(sizeof(SegmentOnDisk) == 24, "no padding");
_Static_assert(sizeof(BlockOnDisk) == 40, "no padding");

#define HEADER_LEN(nblocks, nsegments)                                                             \
	(sizeof(HeaderOnDisk) + (size_t) (nblocks) * sizeof(BlockOnDisk) +                             \
	 (size_t) (nsegments) * sizeof(SegmentOnDisk) + sizeof(uint32_t))

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

/* What decoding the pieces of a dictionary one by one takes more than decoding all of them. */
static uint64_t
segment_values_bytes(EcPhys phys, const EcPiece *piece, uint32_t entries)
{
	if (piece->encoding == EC_ENC_UUID || piece->encoding == EC_ENC_RAW)
		return 0;
	return EC_ARENA_BYTES(entries * ec_value_width(phys));
}

/* Scratch memory of the dictionary as a whole, see ec_dict_decode. */
static uint64_t
dict_scratch(EcPhys phys, uint32_t ndict, uint32_t segment_entries, const EcPiece *segments,
			 uint32_t nsegments)
{
	uint64_t total = EC_ARENA_BYTES(ndict * ec_value_width(phys));
	bool raw = true;
	uint32_t i;

	if (nsegments == 1)
		return segments[0].scratch;
	for (i = 0; i < nsegments; i++)
	{
		uint32_t left = ndict - i * segment_entries;
		uint64_t values = segment_values_bytes(phys, &segments[i],
											   left < segment_entries ? left : segment_entries);

		raw &= segments[i].encoding == EC_ENC_RAW;
		total += segments[i].scratch > values ? segments[i].scratch - values : 0;
	}
	return raw ? 0 : total;
}

static EcStatus
encode_segments(EcEncoder *enc, const EcVector *v, size_t entries_at, HeaderOnDisk *h, EcBuf *out)
{
	size_t at = out->len;
	uint32_t i;

	if (v->form != EC_FORM_DICT)
		return EC_OK;
	for (i = 0; i < EC_SEGMENTS(v->ndict); i++)
	{
		SegmentOnDisk entry = {0};
		EcPiece piece = {0};
		size_t start = out->len;

		EC_TRY(ec_choose_segment(enc, v, i * EC_SEGMENT_ENTRIES, &piece, out));
		entry.len = piece.len;
		entry.checksum = checksum(out->data + start, piece.len);
		entry.scratch = piece.scratch;
		entry.encoding = piece.encoding;
		entry.codec = piece.codec;
		memcpy(out->data + entries_at + i * sizeof(entry), &entry, sizeof(entry));
		if (i == 0)
			h->dict_encoding = entry.encoding;
		if (entry.codec > h->dict_codec)
			h->dict_codec = entry.codec;
	}
	if (out->len - at > EC_STREAM_MAX)
		return EC_ERR_LIMIT;
	h->ndict = v->ndict;
	h->dict_len = (uint32_t) (out->len - at);
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
	uint32_t nblocks = EC_BLOCKS(column->nrows);
	HeaderOnDisk h = {0};
	EcZone total = {0};
	EcShape shape;
	size_t hlen;
	uint32_t sum;

	if (column->nrows == 0 || column->nrows > EC_GROUP_ROWS_MAX)
		return EC_ERR_LIMIT;
	enc->codec = opts->codec;
	enc->level = opts->level;
	EC_TRY(ec_choose_form(enc, column, opts->kind, &shape));
	hlen = HEADER_LEN(nblocks, shape.v.form == EC_FORM_DICT ? EC_SEGMENTS(shape.v.ndict) : 0);
	EC_TRY(ec_buf_reserve(out, hlen));
	memset(out->data + start, 0, hlen);
	out->len += hlen;
	EC_TRY(encode_segments(enc, &shape.v,
						   start + sizeof(HeaderOnDisk) + nblocks * sizeof(BlockOnDisk), &h, out));
	EC_TRY(encode_blocks(enc, &shape, opts->kind, start, &total, out));
	h.version = FORMAT_VERSION;
	h.phys = shape.v.phys;
	h.kind = opts->kind;
	h.scale = opts->scale;
	h.header_len = (uint32_t) hlen;
	h.nblocks = nblocks;
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

static uint32_t
segments_of(const HeaderOnDisk *h)
{
	if (h->ndict == 0)
		return 0;
	return h->version == 1 ? 1 : EC_SEGMENTS(h->ndict);
}

static EcStatus
check_header(const HeaderOnDisk *h, size_t header_len)
{
	if (h->flags != 0 || h->header_len != header_len || !phys_fits_kind(h->phys, h->kind) ||
		h->nrows == 0 || h->nrows > EC_GROUP_ROWS_MAX || h->nblocks != EC_BLOCKS(h->nrows) ||
		h->nnulls > h->nrows || h->ndict > h->nrows || h->total_len < header_len ||
		header_len != HEADER_LEN(h->nblocks, h->version == 1 ? 0 : segments_of(h)))
		return EC_ERR_CORRUPT;
	if (h->ndict == 0 ? h->dict_len != 0 || h->dict_scratch != 0
					  : ec_encoding_ops(h->dict_encoding) == NULL || h->dict_scratch > SCRATCH_MAX)
		return EC_ERR_CORRUPT;
	if (h->version > 1 && (h->dict_scratch != 0 || h->dict_checksum != 0))
		return EC_ERR_CORRUPT;
	return EC_OK;
}

/* The dictionary of version 1 is one segment. */
static void
parse_dict_v1(const HeaderOnDisk *h, EcChunk *out)
{
	out->segment_entries = h->ndict;
	out->dict.scratch = h->dict_scratch;
	out->dict.checksum = h->dict_checksum;
	if (h->ndict > 0)
		out->segments[0] = out->dict;
}

static EcStatus
parse_segments(const HeaderOnDisk *h, const uint8_t *entries, EcChunk *out)
{
	uint64_t offset = out->dict.offset;
	uint32_t i;

	out->segment_entries = EC_SEGMENT_ENTRIES;
	for (i = 0; i < out->nsegments; i++)
	{
		EcPiece *piece = &out->segments[i];
		SegmentOnDisk d;

		memcpy(&d, entries + i * sizeof(d), sizeof(d));
		piece->offset = offset;
		piece->len = d.len;
		piece->checksum = d.checksum;
		piece->scratch = d.scratch;
		piece->encoding = d.encoding;
		piece->codec = d.codec;
		if (d.scratch > SCRATCH_MAX || ec_encoding_ops(d.encoding) == NULL || d.reserved != 0)
			return EC_ERR_CORRUPT;
		offset += d.len;
	}
	if (h->ndict > 0)
		out->dict.scratch =
			dict_scratch(out->phys, out->ndict, EC_SEGMENT_ENTRIES, out->segments, out->nsegments);
	if (out->dict.scratch > SCRATCH_MAX || offset != out->dict.offset + out->dict.len)
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
	out->dict.encoding = h->dict_encoding;
	out->dict.codec = h->dict_codec;
	out->nblocks = h->nblocks;
	out->nsegments = segments_of(h);
}

/* What follows the fixed part of the header. */
static EcStatus
parse_pieces(const HeaderOnDisk *h, const uint8_t *header, EcChunk *out)
{
	const uint8_t *at = header + sizeof(*h);

	EC_TRY(parse_blocks(h, at, out));
	if (h->version == 1)
		parse_dict_v1(h, out);
	else
		EC_TRY(parse_segments(h, at + h->nblocks * sizeof(BlockOnDisk), out));
	return EC_OK;
}

EcStatus
ec_chunk_parse(const uint8_t *header, size_t header_len, const EcAllocator *alloc, EcChunk *out)
{
	HeaderOnDisk h;
	EcStatus status;
	uint32_t sum;

	memset(out, 0, sizeof(*out));
	if (header_len < HEADER_LEN(1, 0))
		return EC_ERR_CORRUPT;
	if (header[0] == 0 || header[0] > FORMAT_VERSION)
		return header[0] > FORMAT_VERSION ? EC_ERR_VERSION : EC_ERR_CORRUPT;
	memcpy(&sum, header + header_len - sizeof(sum), sizeof(sum));
	if (sum != checksum(header, header_len - sizeof(sum)))
		return EC_ERR_CORRUPT;
	memcpy(&h, header, sizeof(h));
	EC_TRY(check_header(&h, header_len));
	parse_fixed(&h, out);
	out->blocks = alloc->resize(alloc->ctx, NULL,
								h.nblocks * sizeof(EcBlock) + out->nsegments * sizeof(EcPiece));
	if (out->blocks == NULL)
		return EC_ERR_NOMEM;
	out->segments = (EcPiece *) (out->blocks + h.nblocks);
	status = parse_pieces(&h, header, out);
	if (status != EC_OK)
	{
		alloc->resize(alloc->ctx, out->blocks, 0);
		out->blocks = NULL;
		out->segments = NULL;
	}
	return status;
}

/* Verifies a piece and makes it ready to be read into scratch memory. */
EcStatus
ec_piece_open(EcPieceReader *r, const EcPiece *piece, const uint8_t *bytes)
{
	if (checksum(bytes, piece->len) != piece->checksum)
		return EC_ERR_CORRUPT;
	r->in.at = bytes;
	r->in.end = bytes + piece->len;
	return EC_OK;
}

EcStatus
ec_piece_decode(EcPieceReader *r, const EcPiece *piece, const uint8_t *bytes, EcVector *out)
{
	EcStatus status;

	memset(out, 0, sizeof(*out));
	EC_TRY(ec_piece_open(r, piece, bytes));
	out->phys = r->phys;
	out->nrows = r->nrows;
	out->nnulls = r->nnulls;
	status = ec_encoding_ops(piece->encoding)->decode(r, out);
	/* The caller gave all that was announced, so the announcement was wrong. */
	if (status == EC_ERR_SPACE || (status == EC_OK && r->in.at != r->in.end))
		return EC_ERR_CORRUPT;
	return status;
}

static void
start_piece(EcPieceReader *r, EcDecoder *dec, const EcChunk *chunk, void *scratch, uint64_t len)
{
	memset(r, 0, sizeof(*r));
	r->dec = dec;
	r->phys = chunk->phys;
	r->arena.base = scratch;
	r->arena.len = len;
}

/* A segment on its own (into = NULL), or to its place in an array of all entries. */
static EcStatus
decode_segment(EcPieceReader *r, const EcChunk *chunk, uint32_t segment, const uint8_t *bytes,
			   void *into, EcVector *out)
{
	uint32_t left = chunk->ndict - segment * chunk->segment_entries;

	r->nrows = left < chunk->segment_entries ? left : chunk->segment_entries;
	r->into = into;
	EC_TRY(ec_piece_decode(r, &chunk->segments[segment], bytes, out));
	if (out->form != EC_FORM_FLAT)
		return EC_ERR_CORRUPT;
	if (into != NULL && out->values.any != into)
		memcpy(into, out->values.any, out->nrows * ec_value_width(out->phys));
	return EC_OK;
}

EcStatus
ec_segment_decode(EcDecoder *dec, const EcChunk *chunk, uint32_t segment, const uint8_t *bytes,
				  void *scratch, size_t scratch_len, EcVector *out)
{
	EcPieceReader r;

	memset(out, 0, sizeof(*out));
	if (segment >= chunk->nsegments)
		return EC_ERR_CORRUPT;
	if (scratch_len < chunk->segments[segment].scratch)
		return EC_ERR_SPACE;
	start_piece(&r, dec, chunk, scratch, chunk->segments[segment].scratch);
	return decode_segment(&r, chunk, segment, bytes, NULL, out);
}

/* Segments of raw values join where they lie; others are decoded into one array. */
static EcStatus
decode_segments(EcPieceReader *r, const EcChunk *chunk, const uint8_t *bytes, EcVector *out)
{
	size_t step = chunk->segment_entries * ec_value_width(chunk->phys);
	bool raw = chunk->dict.scratch == 0;
	uint8_t *values = NULL;
	uint32_t i;

	if (!raw)
	{
		values = ec_arena_take(&r->arena, chunk->ndict * ec_value_width(chunk->phys));
		if (values == NULL)
			return EC_ERR_CORRUPT;
	}
	for (i = 0; i < chunk->nsegments; i++)
		EC_TRY(decode_segment(r, chunk, i, bytes + (chunk->segments[i].offset - chunk->dict.offset),
							  raw ? NULL : values + i * step, out));
	out->values.any = raw ? (const void *) bytes : values;
	out->nrows = chunk->ndict;
	return EC_OK;
}

EcStatus
ec_dict_decode(EcDecoder *dec, const EcChunk *chunk, const uint8_t *bytes, void *scratch,
			   size_t scratch_len, EcVector *out)
{
	EcPieceReader r;

	memset(out, 0, sizeof(*out));
	if (chunk->ndict == 0)
		return EC_ERR_CORRUPT;
	if (scratch_len < chunk->dict.scratch)
		return EC_ERR_SPACE;
	start_piece(&r, dec, chunk, scratch, chunk->dict.scratch);
	if (chunk->nsegments == 1)
		return decode_segment(&r, chunk, 0, bytes, NULL, out);
	return decode_segments(&r, chunk, bytes, out);
}

EcStatus
ec_block_decode(EcDecoder *dec, const EcChunk *chunk, uint32_t block, const uint8_t *bytes,
				const EcVector *dict, void *scratch, size_t scratch_len, EcVector *out)
{
	EcPieceReader r;

	memset(out, 0, sizeof(*out));
	if (block >= chunk->nblocks || (chunk->ndict > 0) != (dict != NULL) ||
		(dict != NULL && (dict->nrows != chunk->ndict || dict->phys != chunk->phys)))
		return EC_ERR_CORRUPT;
	if (scratch_len < chunk->blocks[block].piece.scratch)
		return EC_ERR_SPACE;
	start_piece(&r, dec, chunk, scratch, chunk->blocks[block].piece.scratch);
	r.nrows = chunk->blocks[block].zone.nrows;
	r.nnulls = chunk->blocks[block].zone.nnulls;
	r.dict = dict;
	return ec_piece_decode(&r, &chunk->blocks[block].piece, bytes, out);
}
