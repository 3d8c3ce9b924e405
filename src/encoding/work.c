/*
 * work.c
 *	  Buffers, arenas, cursors and names: the small tools of encoding/.  Pure C.
 */
#include "encoding/codec.h"

const char *
ec_status_text(EcStatus status)
{
	switch (status)
	{
		case EC_OK:
			return "success";
		case EC_ERR_CORRUPT:
			return "corrupt data";
		case EC_ERR_NOMEM:
			return "out of memory";
		case EC_ERR_SPACE:
			return "scratch memory is too small";
		case EC_ERR_VERSION:
			return "written by a newer format version";
		case EC_ERR_LIMIT:
			return "a limit of the format is exceeded";
	}
	return "unknown status";
}

const char *
ec_codec_name(int codec)
{
	switch (codec)
	{
		case EC_CODEC_NONE:
			return "none";
		case EC_CODEC_LZ4:
			return "lz4";
		case EC_CODEC_ZSTD:
			return "zstd";
	}
	return "unknown";
}

EcStatus
ec_buf_reserve(EcBuf *buf, size_t more)
{
	size_t cap = buf->cap > 0 ? buf->cap : 4096;
	uint8_t *data;

	if (more <= buf->cap - buf->len)
		return EC_OK;
	if (more > SIZE_MAX / 4 - buf->len)
		return EC_ERR_LIMIT;
	while (cap < buf->len + more)
		cap *= 2;
	data = buf->alloc->resize(buf->alloc->ctx, buf->data, cap);
	if (data == NULL)
		return EC_ERR_NOMEM;
	buf->data = data;
	buf->cap = cap;
	return EC_OK;
}

EcStatus
ec_buf_append(EcBuf *buf, const void *data, size_t len)
{
	EC_TRY(ec_buf_reserve(buf, len));
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	return EC_OK;
}

void
ec_buf_free(EcBuf *buf)
{
	if (buf->data != NULL)
		buf->alloc->resize(buf->alloc->ctx, buf->data, 0);
	buf->data = NULL;
	buf->len = buf->cap = 0;
}

EcStatus
ec_work_reserve(EcEncoder *enc, EcWork *work, size_t size)
{
	size_t cap = size + size / 4 + EC_ARENA_SLACK;
	void *data;

	if (size + EC_ARENA_SLACK <= work->cap)
		return EC_OK;
	if (work->data != NULL)
		enc->alloc.resize(enc->alloc.ctx, work->data, 0);
	work->data = NULL;
	work->cap = 0;
	data = enc->alloc.resize(enc->alloc.ctx, NULL, cap);
	if (data == NULL)
		return EC_ERR_NOMEM;
	work->data = data;
	work->cap = cap;
	return EC_OK;
}

/* 16-byte aligned, as the arena's base is; NULL: not enough left. */
void *
ec_arena_take(EcArena *arena, uint64_t n)
{
	uint8_t *p = arena->base + arena->used;

	if (n > EC_STREAM_MAX * UINT64_C(16) || EC_ARENA_BYTES(n) > arena->len - arena->used)
		return NULL;
	arena->used += EC_ARENA_BYTES(n);
	return p;
}

EcStatus
ec_put_u32(EcBuf *out, uint32_t x)
{
	return ec_buf_append(out, &x, sizeof(x));
}

EcStatus
ec_put_u64(EcBuf *out, uint64_t x)
{
	return ec_buf_append(out, &x, sizeof(x));
}

bool
ec_get_bytes(EcCursor *in, size_t n, const uint8_t **p)
{
	if (n > (size_t) (in->end - in->at))
		return false;
	*p = in->at;
	in->at += n;
	return true;
}

static bool
get_fixed(EcCursor *in, size_t n, void *x)
{
	const uint8_t *p;

	if (!ec_get_bytes(in, n, &p))
		return false;
	memcpy(x, p, n);
	return true;
}

bool
ec_get_u8(EcCursor *in, uint8_t *x)
{
	return get_fixed(in, sizeof(*x), x);
}

bool
ec_get_u32(EcCursor *in, uint32_t *x)
{
	return get_fixed(in, sizeof(*x), x);
}

bool
ec_get_u64(EcCursor *in, uint64_t *x)
{
	return get_fixed(in, sizeof(*x), x);
}
