/*
 * hash.h
 *	  Fast hashes and equality of short byte strings, UUIDs and integers.  Pure C.
 *
 * Strings of up to 32 bytes, nearly all that events hold, are taken in with a few
 * overlapping loads and one multiplication; longer ones go to XXH3.  Hash values
 * live only in memory: never store them.  A secret seed makes it hard to send
 * strings that collide on purpose.
 */
#ifndef EC_VECTOR_HASH_H
#define EC_VECTOR_HASH_H

#include "vector/vector.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define EC_HASH_K0 UINT64_C(0x9e3779b97f4a7c15)
#define EC_HASH_K1 UINT64_C(0xbf58476d1ce4e5b9)
#define EC_HASH_K2 UINT64_C(0x94d049bb133111eb)

static inline uint64_t
ec_hash_load64(const void *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline uint64_t
ec_hash_load32(const void *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

/* The two halves of a 128-bit product, folded. */
static inline uint64_t
ec_hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128) a * b;

	return (uint64_t) product ^ (uint64_t) (product >> 64);
}

static inline uint64_t
ec_hash_bytes(const uint8_t *p, uint32_t len, uint64_t seed)
{
	uint64_t a;
	uint64_t b;

	if (len > 32)
		return XXH3_64bits_withSeed(p, len, seed);
	if (len > 16)
	{
		a = ec_hash_load64(p) ^ ec_hash_load64(p + 8) * EC_HASH_K1;
		b = ec_hash_load64(p + len - 8) ^ ec_hash_load64(p + len - 16) * EC_HASH_K2;
	}
	else if (len >= 8)
	{
		a = ec_hash_load64(p);
		b = ec_hash_load64(p + len - 8);
	}
	else if (len >= 4)
	{
		a = ec_hash_load32(p);
		b = ec_hash_load32(p + len - 4);
	}
	else
	{
		a = len == 0 ? 0 : (uint64_t) p[0] << 16 | (uint64_t) p[len / 2] << 8 | p[len - 1];
		b = 0;
	}
	return ec_hash_mix(ec_hash_mix(a ^ seed, b ^ EC_HASH_K1) ^ len, EC_HASH_K0);
}

static inline bool
ec_bytes_equal(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	if (len > 32)
		return memcmp(a, b, len) == 0;
	if (len > 16)
		return ((ec_hash_load64(a) ^ ec_hash_load64(b)) |
				(ec_hash_load64(a + 8) ^ ec_hash_load64(b + 8)) |
				(ec_hash_load64(a + len - 16) ^ ec_hash_load64(b + len - 16)) |
				(ec_hash_load64(a + len - 8) ^ ec_hash_load64(b + len - 8))) == 0;
	if (len >= 8)
		return ((ec_hash_load64(a) ^ ec_hash_load64(b)) |
				(ec_hash_load64(a + len - 8) ^ ec_hash_load64(b + len - 8))) == 0;
	if (len >= 4)
		return ((ec_hash_load32(a) ^ ec_hash_load32(b)) |
				(ec_hash_load32(a + len - 4) ^ ec_hash_load32(b + len - 4))) == 0;
	return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
}

static inline uint64_t
ec_hash_uuid(const EcUuid *u, uint64_t seed)
{
	uint64_t a = ec_hash_load64(u->b);
	uint64_t b = ec_hash_load64(u->b + 8);

	a = (a ^ seed) * EC_HASH_K1;
	a ^= (b ^ a >> 32) * EC_HASH_K2;
	return a ^ a >> 32;
}

static inline bool
ec_uuid_equal(const EcUuid *a, const EcUuid *b)
{
	return ((ec_hash_load64(a->b) ^ ec_hash_load64(b->b)) |
			(ec_hash_load64(a->b + 8) ^ ec_hash_load64(b->b + 8))) == 0;
}

static inline uint64_t
ec_hash_int64(int64_t x, uint64_t seed)
{
	return ec_hash_mix((uint64_t) x ^ seed, EC_HASH_K0);
}

#endif /* EC_VECTOR_HASH_H */
