/*
 * vector.c
 *	  Helpers of vector.h: UUID text, float images, prefixes, the malloc allocator.
 *	  Pure C.
 */
#include "vector/vector.h"

#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "vectors and encodings are written for little-endian machines"
#endif

#define BYTES_OF(x) (UINT64_C(0x0101010101010101) * (x))

static void *
malloc_resize(void *ctx, void *ptr, size_t size)
{
	(void) ctx;
	if (size == 0)
	{
		free(ptr);
		return NULL;
	}
	return realloc(ptr, size);
}

const EcAllocator ec_malloc_allocator = {malloc_resize, NULL};

static inline uint64_t
load64(const void *p)
{
	uint64_t x;

	memcpy(&x, p, 8);
	return x;
}

static inline uint64_t
load32(const void *p)
{
	uint32_t x;

	memcpy(&x, p, 4);
	return x;
}

/*
 * Eight hexadecimal characters at once, a byte each.  *bad collects differences
 * between the input and the canonical spelling of what was understood, so any
 * other character, upper-case letters included, leaves a bit in it.
 */
static inline uint32_t
hex8_to_bytes(uint64_t text, uint64_t *bad)
{
	uint64_t nibble = (text & BYTES_OF(0x0f)) + 9 * ((text >> 6) & BYTES_OF(0x01));
	uint64_t letter = ((nibble + BYTES_OF(6)) >> 4) & BYTES_OF(0x01);
	uint64_t pair;

	*bad |= (nibble & BYTES_OF(0xf0)) | ((nibble + BYTES_OF(0x30) + letter * 0x27) ^ text);
	pair = ((nibble << 4) | (nibble >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
	pair = (pair | (pair >> 8)) & UINT64_C(0x0000ffff0000ffff);
	return (uint32_t) (pair | (pair >> 16));
}

static inline uint64_t
bytes_to_hex8(uint32_t bytes)
{
	uint64_t x = bytes;
	uint64_t letter;

	x = (x | (x << 16)) & UINT64_C(0x0000ffff0000ffff);
	x = (x | (x << 8)) & UINT64_C(0x00ff00ff00ff00ff);
	x = ((x >> 4) & UINT64_C(0x000f000f000f000f)) | ((x & UINT64_C(0x000f000f000f000f)) << 8);
	letter = ((x + BYTES_OF(6)) >> 4) & BYTES_OF(0x01);
	return x + BYTES_OF(0x30) + letter * 0x27;
}

bool
ec_uuid_parse(const uint8_t *text, uint32_t len, EcUuid *out)
{
	uint64_t bad = 0;
	uint32_t words[4];

	if (len != EC_UUID_TEXT_LEN)
		return false;
	words[0] = hex8_to_bytes(load64(text), &bad);
	words[1] = hex8_to_bytes(load32(text + 9) | load32(text + 14) << 32, &bad);
	words[2] = hex8_to_bytes(load32(text + 19) | load32(text + 24) << 32, &bad);
	words[3] = hex8_to_bytes(load64(text + 28), &bad);
	bad |= (uint64_t) ((text[8] ^ '-') | (text[13] ^ '-') | (text[18] ^ '-') | (text[23] ^ '-'));
	if (bad != 0)
		return false;
	memcpy(out->b, words, sizeof(words));
	return true;
}

void
ec_uuid_format(const EcUuid *uuid, char out[EC_UUID_TEXT_LEN])
{
	uint32_t words[4];
	uint64_t hex;

	memcpy(words, uuid->b, sizeof(words));
	hex = bytes_to_hex8(words[0]);
	memcpy(out, &hex, 8);
	hex = bytes_to_hex8(words[1]);
	memcpy(out + 9, &hex, 4);
	memcpy(out + 14, (char *) &hex + 4, 4);
	hex = bytes_to_hex8(words[2]);
	memcpy(out + 19, &hex, 4);
	memcpy(out + 24, (char *) &hex + 4, 4);
	hex = bytes_to_hex8(words[3]);
	memcpy(out + 28, &hex, 8);
	out[8] = out[13] = out[18] = out[23] = '-';
}

/* Flipping the magnitude bits of negative doubles makes their bit patterns ascend. */
static inline int64_t
flip_negative(int64_t bits)
{
	return bits ^ (int64_t) ((uint64_t) (bits >> 63) >> 1);
}

int64_t
ec_float_to_image(double value)
{
	int64_t bits;

	if (value != value)
		return INT64_C(0x7ff8000000000000);
	memcpy(&bits, &value, sizeof(bits));
	return flip_negative(bits);
}

double
ec_float_from_image(int64_t image)
{
	int64_t bits = flip_negative(image);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

int64_t
ec_bytes_prefix(const uint8_t *ptr, uint32_t len)
{
	uint64_t x = 0;

	if (len >= 8)
		x = load64(ptr);
	else if (len > 0)
		memcpy(&x, ptr, len);
	return (int64_t) (__builtin_bswap64(x) ^ (UINT64_C(1) << 63));
}
