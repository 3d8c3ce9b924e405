/*
 * bitpack.c
 *	  Integers of few bits.  Pure C.
 *
 * A "mini" of 1,024 values is packed vertically: value 32 * r + j lies in lane j,
 * a lane being a run of bits in every 32nd 32-bit word.  All lanes shift by the
 * same amount at the same time, so that one loop serves every width and any
 * compiler turns it into vector instructions.  Widths above 32 do the same with
 * 16 lanes of 64-bit words.  A mini takes 128 * width bytes.
 *
 * What is left over after the last full mini is packed as one string of bits, the
 * least significant first.
 */
#include "encoding/bitpack.h"

#include <string.h>

/* Stored words may lie at any address. */
typedef uint32_t LooseU32 __attribute__((aligned(1), may_alias));
typedef uint64_t LooseU64 __attribute__((aligned(1), may_alias));

static inline uint64_t
low_bits(uint32_t width)
{
	return width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1;
}

static void
pack_lanes32(const uint64_t *x, uint32_t width, uint8_t *to)
{
	LooseU32 *out = (LooseU32 *) to;
	uint32_t r;
	uint32_t j;

	memset(to, 0, 128 * width);
	for (r = 0; r < 32; r++)
	{
		uint32_t shift = r * width % 32;
		LooseU32 *word = out + r * width / 32 * 32;

		for (j = 0; j < 32; j++)
			word[j] |= (uint32_t) x[r * 32 + j] << shift;
		if (shift + width > 32)
		{
			for (j = 0; j < 32; j++)
				word[32 + j] = (uint32_t) x[r * 32 + j] >> (32 - shift);
		}
	}
}

static void
pack_lanes64(const uint64_t *x, uint32_t width, uint8_t *to)
{
	LooseU64 *out = (LooseU64 *) to;
	uint32_t r;
	uint32_t j;

	memset(to, 0, 128 * width);
	for (r = 0; r < 64; r++)
	{
		uint32_t shift = r * width % 64;
		LooseU64 *word = out + r * width / 64 * 16;

		for (j = 0; j < 16; j++)
			word[j] |= x[r * 16 + j] << shift;
		if (shift + width > 64)
		{
			for (j = 0; j < 16; j++)
				word[16 + j] = x[r * 16 + j] >> (64 - shift);
		}
	}
}

static void
unpack_lanes32(const uint8_t *from, uint32_t width, uint32_t *restrict x)
{
	const LooseU32 *in = (const LooseU32 *) from;
	uint32_t mask = (uint32_t) low_bits(width);
	uint32_t r;
	uint32_t j;

	for (r = 0; r < 32; r++, x += 32)
	{
		uint32_t shift = r * width % 32;
		const LooseU32 *word = in + r * width / 32 * 32;

		if (shift + width <= 32)
		{
			for (j = 0; j < 32; j++)
				x[j] = word[j] >> shift & mask;
		}
		else
		{
			for (j = 0; j < 32; j++)
				x[j] = (word[j] >> shift | word[32 + j] << (32 - shift)) & mask;
		}
	}
}

static void
unpack_lanes64(const uint8_t *from, uint32_t width, uint64_t *restrict x)
{
	const LooseU64 *in = (const LooseU64 *) from;
	uint64_t mask = low_bits(width);
	uint32_t r;
	uint32_t j;

	for (r = 0; r < 64; r++, x += 16)
	{
		uint32_t shift = r * width % 64;
		const LooseU64 *word = in + r * width / 64 * 16;

		if (shift + width <= 64)
		{
			for (j = 0; j < 16; j++)
				x[j] = word[j] >> shift & mask;
		}
		else
		{
			for (j = 0; j < 16; j++)
				x[j] = (word[j] >> shift | word[16 + j] << (64 - shift)) & mask;
		}
	}
}

static void
pack_rest(const uint64_t *x, uint32_t n, uint32_t width, uint8_t *to)
{
	unsigned __int128 bits = 0;
	uint32_t nbits = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		bits |= (unsigned __int128) x[i] << nbits;
		for (nbits += width; nbits >= 8; nbits -= 8, bits >>= 8)
			*to++ = (uint8_t) bits;
	}
	if (nbits > 0)
		*to = (uint8_t) bits;
}

static void
unpack_rest(const uint8_t *from, uint32_t n, uint32_t width, uint64_t *x)
{
	uint64_t mask = low_bits(width);
	unsigned __int128 bits = 0;
	uint32_t nbits = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		for (; nbits < width; nbits += 8)
			bits |= (unsigned __int128) *from++ << nbits;
		x[i] = (uint64_t) bits & mask;
		bits >>= width;
		nbits -= width;
	}
}

uint32_t
ec_bit_width(const uint64_t *x, uint32_t n)
{
	uint64_t all = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
		all |= x[i];
	return all == 0 ? 0 : 64 - (uint32_t) __builtin_clzll(all);
}

void
ec_pack_mini(const uint64_t *x, uint32_t n, uint32_t width, uint8_t *to)
{
	if (n < EC_MINI_ROWS)
		pack_rest(x, n, width, to);
	else if (width <= 32)
		pack_lanes32(x, width, to);
	else
		pack_lanes64(x, width, to);
}

void
ec_unpack_mini32(const uint8_t *from, uint32_t n, uint32_t width, uint32_t *x)
{
	uint64_t wide[EC_MINI_ROWS];
	uint32_t i;

	if (width == 0)
		memset(x, 0, n * sizeof(*x));
	else if (n == EC_MINI_ROWS)
		unpack_lanes32(from, width, x);
	else
	{
		unpack_rest(from, n, width, wide);
		for (i = 0; i < n; i++)
			x[i] = (uint32_t) wide[i];
	}
}

void
ec_unpack_mini64(const uint8_t *from, uint32_t n, uint32_t width, uint64_t *x)
{
	uint32_t narrow[EC_MINI_ROWS];
	uint32_t i;

	if (width == 0)
		memset(x, 0, n * sizeof(*x));
	else if (n < EC_MINI_ROWS)
		unpack_rest(from, n, width, x);
	else if (width > 32)
		unpack_lanes64(from, width, x);
	else
	{
		unpack_lanes32(from, width, narrow);
		for (i = 0; i < EC_MINI_ROWS; i++)
			x[i] = narrow[i];
	}
}

/* Bits [at, at + width) of a string of bits; reads no byte beyond. */
static uint64_t
bits_at(const uint8_t *from, uint64_t at, uint32_t width)
{
	uint32_t skip = at % 8;
	uint32_t nbytes = (skip + width + 7) / 8;
	unsigned __int128 bits = 0;

	memcpy(&bits, from + at / 8, nbytes);
	return (uint64_t) (bits >> skip) & low_bits(width);
}

uint64_t
ec_mini_at(const uint8_t *from, uint32_t n, uint32_t width, uint32_t i)
{
	const LooseU32 *word32 = (const LooseU32 *) from;
	const LooseU64 *word64 = (const LooseU64 *) from;
	uint32_t at;
	uint32_t shift;

	if (width == 0)
		return 0;
	if (n < EC_MINI_ROWS)
		return bits_at(from, (uint64_t) i * width, width);
	if (width <= 32)
	{
		at = i / 32 * width;
		shift = at % 32;
		word32 += at / 32 * 32 + i % 32;
		return (word32[0] >> shift |
				(shift + width > 32 ? (uint64_t) word32[32] << (32 - shift) : 0)) &
			   low_bits(width);
	}
	at = i / 16 * width;
	shift = at % 64;
	word64 += at / 64 * 16 + i % 16;
	return (word64[0] >> shift | (shift + width > 64 ? word64[16] << (64 - shift) : 0)) &
		   low_bits(width);
}
