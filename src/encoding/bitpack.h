/*
 * bitpack.h
 *	  Packing of minis, runs of up to 1,024 unsigned integers.  Pure C.
 *	  Callers guarantee that values and widths fit and that buffers are long enough.
 */
#ifndef EC_ENCODING_BITPACK_H
#define EC_ENCODING_BITPACK_H

#include <stddef.h>
#include <stdint.h>

#define EC_MINI_ROWS 1024

/* Bytes of n <= EC_MINI_ROWS values. */
static inline size_t
ec_mini_bytes(uint32_t n, uint32_t width)
{
	return ((size_t) n * width + 7) / 8;
}

/* Bits that the greatest of n values needs. */
extern uint32_t ec_bit_width(const uint64_t *x, uint32_t n);

extern void ec_pack_mini(const uint64_t *x, uint32_t n, uint32_t width, uint8_t *to);

/* width <= 32 */
extern void ec_unpack_mini32(const uint8_t *from, uint32_t n, uint32_t width, uint32_t *x);
extern void ec_unpack_mini64(const uint8_t *from, uint32_t n, uint32_t width, uint64_t *x);

/* Value i of a mini of n. */
extern uint64_t ec_mini_at(const uint8_t *from, uint32_t n, uint32_t width, uint32_t i);

#endif /* EC_ENCODING_BITPACK_H */
