/*
 * compress.c
 *	  Streams: byte arrays with LZ4, ZSTD or nothing under them.  Pure C.
 */
#include "encoding/codec.h"

#include <lz4.h>
#include <zstd.h>

#define STREAM_HEADER 12

/* Shorter streams are not worth a codec's own overhead. */
#define MIN_COMPRESS 64

/*
 * Byte planes hardly repeat; what shrinks them is the entropy coder.  zstd's lowest
 * level with only long matches allowed gave the fewest bytes and the fastest
 * decoding of them; higher levels give more bytes.
 */
#define PLANE_LEVEL 1
#define PLANE_MIN_MATCH 7

/*
 * Level 3 with tables that fit into the processor's nearest cache, and without its
 * shortest matches, is nearly level 1 in time: 15 % less for text, 80 % less for
 * characters that don't repeat, with 1 % more bytes (README).
 */
#define TUNED_LEVEL 3
#define TUNED_HASH_LOG 15
#define TUNED_CHAIN_LOG 14
#define TUNED_MIN_MATCH 6

static size_t
compress_zstd(EcEncoder *enc, const void *raw, size_t len, size_t bound, bool plane)
{
	bool tuned = !plane && enc->level == TUNED_LEVEL;
	size_t n;

	/* 0: as the level has it */
	ZSTD_CCtx_setParameter(enc->zstd, ZSTD_c_compressionLevel, plane ? PLANE_LEVEL : enc->level);
	ZSTD_CCtx_setParameter(enc->zstd, ZSTD_c_hashLog, tuned ? TUNED_HASH_LOG : 0);
	ZSTD_CCtx_setParameter(enc->zstd, ZSTD_c_chainLog, tuned ? TUNED_CHAIN_LOG : 0);
	ZSTD_CCtx_setParameter(enc->zstd, ZSTD_c_strategy, tuned ? ZSTD_dfast : 0);
	ZSTD_CCtx_setParameter(enc->zstd, ZSTD_c_minMatch,
						   plane   ? PLANE_MIN_MATCH
						   : tuned ? TUNED_MIN_MATCH
								   : 0);
	n = ZSTD_compress2(enc->zstd, EC_WORK(enc, PACKED)->data, bound, raw, len);
	return ZSTD_isError(n) ? 0 : n;
}

/* Compresses into EC_WORK_PACKED; *packed_len is 0 if that is of no use. */
static EcStatus
compress(EcEncoder *enc, const void *raw, size_t len, bool plane, size_t *packed_len)
{
	size_t bound;
	size_t n;

	*packed_len = 0;
	if (enc->codec == EC_CODEC_NONE || len < MIN_COMPRESS ||
		(enc->codec == EC_CODEC_LZ4 && len > LZ4_MAX_INPUT_SIZE))
		return EC_OK;
	bound = enc->codec == EC_CODEC_LZ4 ? (size_t) LZ4_compressBound((int) len)
									   : ZSTD_compressBound(len);
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, PACKED), bound));
	if (enc->codec == EC_CODEC_LZ4)
		n = (size_t) LZ4_compress_default(raw, EC_WORK(enc, PACKED)->data, (int) len, (int) bound);
	else
		n = compress_zstd(enc, raw, len, bound, plane);
	if (n == 0)
		return EC_ERR_NOMEM;
	/* Decompression costs time: it must save a tenth. */
	if (n < len - len / 10)
		*packed_len = n;
	return EC_OK;
}

static EcStatus
put_header(EcCodec codec, size_t raw_len, size_t stored_len, EcBuf *out)
{
	uint32_t header[3] = {codec, (uint32_t) raw_len, (uint32_t) stored_len};

	if (raw_len > EC_STREAM_MAX)
		return EC_ERR_LIMIT;
	return ec_buf_append(out, header, STREAM_HEADER);
}

EcStatus
ec_stream_put_raw(const void *raw, size_t len, EcBuf *out)
{
	EC_TRY(put_header(EC_CODEC_NONE, len, len, out));
	return ec_buf_append(out, raw, len);
}

static EcStatus
put_stream(EcEncoder *enc, const void *raw, size_t len, bool plane, EcBuf *out, uint64_t *scratch)
{
	size_t packed;

	if (len > EC_STREAM_MAX)
		return EC_ERR_LIMIT;
	EC_TRY(compress(enc, raw, len, plane, &packed));
	if (packed == 0)
		return ec_stream_put_raw(raw, len, out);
	enc->codec_used = enc->codec;
	*scratch += EC_ARENA_BYTES(len);
	EC_TRY(put_header(enc->codec, len, packed, out));
	return ec_buf_append(out, EC_WORK(enc, PACKED)->data, packed);
}

EcStatus
ec_stream_put(EcEncoder *enc, const void *raw, size_t len, EcBuf *out, uint64_t *scratch)
{
	return put_stream(enc, raw, len, false, out, scratch);
}

EcStatus
ec_stream_put_plane(EcEncoder *enc, const void *raw, size_t len, EcBuf *out, uint64_t *scratch)
{
	return put_stream(enc, raw, len, true, out, scratch);
}

/* Uncompressed streams are used where they lie. */
EcStatus
ec_stream_get(EcPieceReader *r, const uint8_t **raw, size_t *len)
{
	uint32_t codec;
	uint32_t raw_len;
	uint32_t stored_len;
	const uint8_t *stored;
	void *to;
	size_t n;

	if (!ec_get_u32(&r->in, &codec) || !ec_get_u32(&r->in, &raw_len) ||
		!ec_get_u32(&r->in, &stored_len) || raw_len > EC_STREAM_MAX ||
		!ec_get_bytes(&r->in, stored_len, &stored))
		return EC_ERR_CORRUPT;
	*len = raw_len;
	*raw = stored;
	if (codec == EC_CODEC_NONE)
		return raw_len == stored_len ? EC_OK : EC_ERR_CORRUPT;
	if (codec > EC_CODEC_ZSTD)
		return EC_ERR_CORRUPT;
	to = ec_arena_take(&r->arena, raw_len);
	if (to == NULL)
		return EC_ERR_SPACE;
	if (codec == EC_CODEC_LZ4)
	{
		int got =
			raw_len > LZ4_MAX_INPUT_SIZE || stored_len > INT32_MAX
				? -1
				: LZ4_decompress_safe((const char *) stored, to, (int) stored_len, (int) raw_len);

		n = got < 0 ? SIZE_MAX : (size_t) got;
	}
	else
		n = ZSTD_decompressDCtx(r->dec->zstd, to, raw_len, stored, stored_len);
	*raw = to;
	return n == raw_len ? EC_OK : EC_ERR_CORRUPT;
}

EcStatus
ec_stream_get_exact(EcPieceReader *r, uint64_t len, const uint8_t **raw)
{
	size_t got;

	EC_TRY(ec_stream_get(r, raw, &got));
	return got == len ? EC_OK : EC_ERR_CORRUPT;
}
