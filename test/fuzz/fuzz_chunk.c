/*
 * fuzz_chunk.c
 *	  Decodes hostile chunks: the entry point for libFuzzer and for test_mutate.
 *
 * Input: u32 header length | chunk.  The header's checksum is put right before it
 * is parsed, and the pieces' checksums in the parsed header, so that damage
 * reaches the decoders behind them.  Segments and views of single rows are put to
 * the same bytes.
 */
#include "fuzz.h"

#include <xxhash.h>

#define INPUT_SCRATCH_MAX (64 * 1024 * 1024)

static uint32_t
checksum(const void *data, size_t len)
{
	return (uint32_t) XXH3_64bits(data, len);
}

static uint8_t *
exact_copy(const uint8_t *from, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (len > 0)
		memcpy(copy, from, len);
	return copy;
}

/* The stored bytes of a piece if they lie in the input and need no absurd memory. */
static uint8_t *
piece_bytes(EcPiece *piece, const uint8_t *chunk, size_t len)
{
	if (piece->offset > len || piece->len > len - piece->offset ||
		piece->scratch > INPUT_SCRATCH_MAX)
		return NULL;
	piece->checksum = checksum(chunk + piece->offset, piece->len);
	return exact_copy(chunk + piece->offset, piece->len);
}

static void
require_sound(EcStatus status, const EcVector *v)
{
	if (status == EC_OK && (v == NULL || !vector_is_sound(v)))
	{
		fprintf(stderr, "a decoded vector breaks its promises\n");
		abort();
	}
}

static void
decode_block(EcDecoder *dec, EcChunk *c, uint32_t b, const uint8_t *chunk, size_t len,
			 const EcVector *dict)
{
	EcPiece *piece = &c->blocks[b].piece;
	uint8_t *bytes = piece_bytes(piece, chunk, len);
	void *scratch;
	EcVector v;

	if (bytes == NULL)
		return;
	scratch = malloc(piece->scratch > 0 ? piece->scratch : 1);
	require_sound(ec_block_decode(dec, c, b, bytes, dict, scratch, piece->scratch, &v), &v);
	free(scratch);
	free(bytes);
}

/* Every row by itself; values must be readable, codes exist. */
static void
read_rows(EcView *view, const EcChunk *c)
{
	uint32_t row;

	for (row = 0; row < view->nrows; row++)
	{
		EcPoint point;
		EcVector v = {0};

		if (ec_view_get(view, row, &point) != EC_OK)
			continue;
		v.phys = c->phys;
		v.form = EC_FORM_CONST;
		v.nrows = 1;
		v.nnulls = point.isnull;
		v.values.any = &point.value;
		if (point.in_dict ? point.isnull || point.code >= c->ndict : !vector_is_sound(&v))
			require_sound(EC_OK, NULL);
	}
}

/* Where it was opened, then where it was moved. */
static void
read_view(EcView *view, const EcChunk *c)
{
	void *moved;

	read_rows(view, c);
	moved = move_view(view);
	read_rows(view, c);
	free(moved);
}

static void
view_block(EcDecoder *dec, EcChunk *c, uint32_t b, const uint8_t *chunk, size_t len)
{
	EcPiece *piece = &c->blocks[b].piece;
	uint64_t need = ec_view_scratch(c, b);
	uint8_t *bytes = piece_bytes(piece, chunk, len);
	void *scratch;
	EcView view;

	if (bytes == NULL)
		return;
	scratch = malloc(need > 0 ? need : 1);
	if (ec_view_open(dec, c, b, bytes, scratch, need, &view) == EC_OK)
		read_view(&view, c);
	free(scratch);
	free(bytes);
}

static void
view_segment(EcDecoder *dec, EcChunk *c, uint32_t s, const uint8_t *bytes)
{
	uint64_t need = c->segments[s].scratch;
	void *scratch = malloc(need > 0 ? need : 1);
	EcView view;

	if (ec_view_open_segment(dec, c, s, bytes, scratch, need, &view) == EC_OK)
		read_view(&view, c);
	free(scratch);
}

static void
decode_segments(EcDecoder *dec, EcChunk *c, const uint8_t *chunk, size_t len)
{
	uint32_t s;

	for (s = 0; s < c->nsegments; s++)
	{
		uint8_t *bytes = piece_bytes(&c->segments[s], chunk, len);
		void *scratch;
		EcVector v;

		if (bytes == NULL)
			continue;
		scratch = malloc(c->segments[s].scratch > 0 ? c->segments[s].scratch : 1);
		require_sound(ec_segment_decode(dec, c, s, bytes, scratch, c->segments[s].scratch, &v), &v);
		free(scratch);
		view_segment(dec, c, s, bytes);
		free(bytes);
	}
}

static void
decode_all(EcDecoder *dec, EcChunk *c, const uint8_t *chunk, size_t len)
{
	uint8_t *dict_bytes = NULL;
	void *dict_scratch = NULL;
	EcVector dict;
	EcStatus status = EC_OK;
	uint32_t b;

	decode_segments(dec, c, chunk, len);
	for (b = 0; b < c->nblocks; b++)
		view_block(dec, c, b, chunk, len);
	if (c->ndict > 0)
	{
		dict_bytes = piece_bytes(&c->dict, chunk, len);
		if (dict_bytes == NULL)
			return;
		dict_scratch = malloc(c->dict.scratch > 0 ? c->dict.scratch : 1);
		status = ec_dict_decode(dec, c, dict_bytes, dict_scratch, c->dict.scratch, &dict);
		require_sound(status, &dict);
	}
	for (b = 0; b < c->nblocks && status == EC_OK; b++)
		decode_block(dec, c, b, chunk, len, c->ndict > 0 ? &dict : NULL);
	free(dict_scratch);
	free(dict_bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t header_len;
	uint32_t sum;
	uint8_t *header;
	EcChunk c;

	if (size < 8)
		return 0;
	memcpy(&header_len, data, sizeof(header_len));
	data += sizeof(header_len);
	size -= sizeof(header_len);
	if (header_len > size)
		header_len = (uint32_t) size;
	header = exact_copy(data, header_len);
	if (header_len >= sizeof(sum))
	{
		sum = checksum(header, header_len - sizeof(sum));
		memcpy(header + header_len - sizeof(sum), &sum, sizeof(sum));
	}
	if (ec_chunk_parse(header, header_len, &ec_malloc_allocator, &c) == EC_OK)
	{
		EcDecoder *dec = ec_decoder_create(&ec_malloc_allocator);

		decode_all(dec, &c, data, size);
		ec_decoder_destroy(dec);
		free(c.blocks);
	}
	free(header);
	return 0;
}
