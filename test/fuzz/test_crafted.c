/*
 * test_crafted.c
 *	  Blocks written by hand, consistent but for one lie each: what random damage
 *	  hardly ever hits.  Each lie is told after the true version was accepted.
 */
#include "fuzz.h"

#include <xxhash.h>

#define NROWS 4

/* As in the enumeration of src/encoding/codec.h: part of the format. */
#define ENC_PLAIN 2
#define ENC_FOR 3
#define ENC_RLE 5
#define ENC_UUID 6
#define ENC_STRINGS 7

typedef struct Bytes
{
	uint8_t data[4096];
	size_t len;
} Bytes;

static void
put(Bytes *b, uint64_t x, size_t size)
{
	memcpy(b->data + b->len, &x, size);
	b->len += size;
}

/* An uncompressed stream of len equal bytes. */
static void
put_stream(Bytes *b, size_t len, uint8_t fill)
{
	put(b, 0, 4);
	put(b, len, 4);
	put(b, len, 4);
	memset(b->data + b->len, fill, len);
	b->len += len;
}

static void
put_planes(Bytes *b, uint32_t n, uint32_t nplanes, uint8_t fill)
{
	uint32_t i;

	put(b, 1, 1);
	put(b, nplanes, 1);
	for (i = 0; i < nplanes; i++)
		put_stream(b, n, fill);
}

static void
put_packed(Bytes *b, uint32_t n, uint32_t width, uint8_t fill)
{
	put(b, 0, 1);
	put(b, width, 1);
	put_stream(b, (n * width + 7) / 8, fill);
}

/* Decodes the block as the only one of a chunk of NROWS rows without NULLs. */
static EcStatus
decode_as(EcPhys phys, uint16_t encoding, const Bytes *b)
{
	EcBlock block = {0};
	EcChunk c = {0};
	EcDecoder *dec = ec_decoder_create(&ec_malloc_allocator);
	uint8_t *bytes = malloc(b->len + 1);
	void *scratch = malloc(8192);
	EcStatus status;
	EcVector v;

	memcpy(bytes, b->data, b->len);
	block.piece.len = (uint32_t) b->len;
	block.piece.scratch = 8192;
	block.piece.encoding = encoding;
	block.piece.checksum = (uint32_t) XXH3_64bits(bytes, b->len);
	block.zone.nrows = NROWS;
	c.phys = phys;
	c.nblocks = 1;
	c.blocks = &block;
	status = ec_block_decode(dec, &c, 0, bytes, NULL, scratch, 8192, &v);
	if (status == EC_OK)
		CHECK(vector_is_sound(&v));
	free(scratch);
	free(bytes);
	ec_decoder_destroy(dec);
	return status;
}

static void
crafted_for(uint8_t layout, uint32_t size, EcStatus expected)
{
	Bytes b = {.len = 0};

	snprintf(context, sizeof(context), "crafted for, layout %u, size %u", layout, size);
	put(&b, 5, 8);
	put(&b, 1, 8);
	if (layout == 1)
		put_planes(&b, NROWS, size, 0x55);
	else
		put_packed(&b, NROWS, size, 0x55);
	if (layout > 1)
		b.data[16] = layout;
	CHECK(decode_as(EC_PHYS_INT64, ENC_FOR, &b) == expected);
	CHECK(decode_as(EC_PHYS_BYTES, ENC_FOR, &b) == EC_ERR_CORRUPT);
	put(&b, 0, 1);
	CHECK(decode_as(EC_PHYS_INT64, ENC_FOR, &b) == EC_ERR_CORRUPT);
}

static void
crafted_rle(uint32_t nruns, uint32_t nplanes, uint8_t length, uint8_t zigzag, EcStatus expected)
{
	Bytes b = {.len = 0};

	snprintf(context, sizeof(context), "crafted rle, %u runs of %u + 1, %u planes, zigzag %u",
			 nruns, length, nplanes, zigzag);
	put(&b, nruns, 4);
	put_planes(&b, nruns, nplanes, length);
	put(&b, 1, 8);
	put(&b, 2, 8);
	put(&b, 3, 8);
	put(&b, zigzag, 1);
	put_planes(&b, nruns, 1, 1);
	CHECK(decode_as(EC_PHYS_INT64, ENC_RLE, &b) == expected);
}

static void
crafted_rle_wide(uint32_t width)
{
	Bytes b = {.len = 0};

	snprintf(context, sizeof(context), "crafted rle, lengths of %u bits", width);
	put(&b, 4, 4);
	put_packed(&b, 4, width, 0);
	put(&b, 1, 8);
	put(&b, 2, 8);
	put(&b, 3, 8);
	put(&b, 0, 1);
	put_planes(&b, 4, 1, 1);
	CHECK(decode_as(EC_PHYS_INT64, ENC_RLE, &b) == (width <= 32 ? EC_OK : EC_ERR_CORRUPT));
}

static void
crafted_strings(uint8_t length, size_t total, EcStatus expected)
{
	Bytes b = {.len = 0};

	snprintf(context, sizeof(context), "crafted strings of %u in %zu", length, total);
	put_planes(&b, NROWS, 1, length);
	put_stream(&b, total, 'x');
	CHECK(decode_as(EC_PHYS_BYTES, ENC_STRINGS, &b) == expected);
	CHECK(decode_as(EC_PHYS_INT64, ENC_STRINGS, &b) == EC_ERR_CORRUPT);
}

static void
crafted_fixed(EcPhys phys, uint16_t encoding, size_t len, EcStatus expected)
{
	Bytes b = {.len = 0};

	snprintf(context, sizeof(context), "crafted encoding %u of %zu bytes", encoding, len);
	put_stream(&b, len, 7);
	CHECK(decode_as(phys, encoding, &b) == expected);
	CHECK(decode_as(phys == EC_PHYS_UUID ? EC_PHYS_INT64 : EC_PHYS_UUID, encoding, &b) ==
		  EC_ERR_CORRUPT);
}

/* A stream that lies about its lengths or its codec. */
static void
crafted_stream(uint32_t codec, uint32_t raw_len, uint32_t stored_len, EcStatus expected)
{
	Bytes b = {.len = 0};

	snprintf(context, sizeof(context), "crafted stream %u, %u, %u", codec, raw_len, stored_len);
	put(&b, codec, 4);
	put(&b, raw_len, 4);
	put(&b, stored_len, 4);
	memset(b.data + b.len, 0, 32);
	b.len += 32;
	CHECK(decode_as(EC_PHYS_INT64, ENC_PLAIN, &b) == expected);
}

void
test_crafted(void)
{
	uint32_t i;

	for (i = 0; i <= 12; i++)
		crafted_for(1, i, i >= 1 && i <= 8 ? EC_OK : EC_ERR_CORRUPT);
	for (i = 0; i <= 255; i++)
		crafted_for(0, i, i <= 64 ? EC_OK : EC_ERR_CORRUPT);
	crafted_for(2, 8, EC_ERR_CORRUPT);
	for (i = 1; i <= 6; i++)
		crafted_rle(4, i, 0, 0, i <= 4 ? EC_OK : EC_ERR_CORRUPT);
	for (i = 0; i <= 255; i++)
		crafted_rle_wide(i);
	crafted_rle(2, 1, 1, 0, EC_OK);
	crafted_rle(2, 1, 1, 1, EC_OK);
	crafted_rle(2, 1, 1, 2, EC_ERR_CORRUPT);
	crafted_rle(2, 1, 2, 0, EC_ERR_CORRUPT);
	crafted_rle(2, 1, 0, 0, EC_ERR_CORRUPT);
	crafted_rle(2, 4, 0xff, 0, EC_ERR_CORRUPT);
	crafted_rle(5, 1, 0, 0, EC_ERR_CORRUPT);
	crafted_rle(0, 1, 0, 0, EC_ERR_CORRUPT);
	crafted_strings(2, 8, EC_OK);
	crafted_strings(2, 7, EC_ERR_CORRUPT);
	crafted_strings(2, 9, EC_ERR_CORRUPT);
	crafted_strings(255, 0, EC_ERR_CORRUPT);
	crafted_fixed(EC_PHYS_INT64, ENC_PLAIN, 32, EC_OK);
	crafted_fixed(EC_PHYS_INT64, ENC_PLAIN, 31, EC_ERR_CORRUPT);
	crafted_fixed(EC_PHYS_INT64, ENC_PLAIN, 33, EC_ERR_CORRUPT);
	crafted_fixed(EC_PHYS_UUID, ENC_UUID, 64, EC_OK);
	crafted_fixed(EC_PHYS_UUID, ENC_UUID, 63, EC_ERR_CORRUPT);
	crafted_stream(0, 32, 32, EC_OK);
	crafted_stream(0, 32, 33, EC_ERR_CORRUPT);
	crafted_stream(0, 32, UINT32_MAX, EC_ERR_CORRUPT);
	crafted_stream(1, 32, 32, EC_ERR_CORRUPT);
	crafted_stream(1, UINT32_MAX, 32, EC_ERR_CORRUPT);
	crafted_stream(2, 0xe0000000, 32, EC_ERR_CORRUPT);
	crafted_stream(2, 32, 32, EC_ERR_CORRUPT);
	crafted_stream(3, 32, 32, EC_ERR_CORRUPT);
	crafted_stream(0x101, 32, 32, EC_ERR_CORRUPT);
}
