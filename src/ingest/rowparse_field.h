/*
 * rowparse_field.h
 *	  Parsers of single fields, inlined into the loops of rowparse.c.  Pure C.
 *
 * Each takes text of len bytes (len >= 0) that stands in readable memory of at
 * least EC_CHUNK_PAD bytes, and tells how it went.  EC_FIELD_SLOW means "not one
 * of the spellings known here": the type's input function must decide.
 */
#ifndef EC_ROWPARSE_FIELD_H
#define EC_ROWPARSE_FIELD_H

#include <string.h>

#include "ingest/rowparse_chunk.h"

typedef enum EcFieldStatus
{
	EC_FIELD_OK = 0,
	EC_FIELD_SLOW,
	EC_FIELD_BAD_SYNTAX,
	EC_FIELD_BAD_RANGE
} EcFieldStatus;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define EC_LITTLE_ENDIAN 1
#else
#define EC_LITTLE_ENDIAN 0
#endif

#define EC_BYTES_OF(c) (UINT64_C(0x0101010101010101) * (uint8_t) (c))

/* Eight bytes, the first one in the lowest bits. */
static inline uint64_t
ec_load8(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return EC_LITTLE_ENDIAN ? v : __builtin_bswap64(v);
}

static inline uint32_t
ec_load4(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return EC_LITTLE_ENDIAN ? v : __builtin_bswap32(v);
}

/* ASCII, and no NUL byte. */
static inline bool
ec_ascii_without_nul(const uint8_t *p, size_t len)
{
	uint64_t high = 0;
	bool nul = false;
	size_t i = 0;

	for (; i + 8 <= len; i += 8)
	{
		uint64_t v;

		memcpy(&v, p + i, 8);
		/* for ASCII bytes this borrows into the sign bit where a byte is zero */
		high |= v | (v - UINT64_C(0x0101010101010101));
	}
	for (; i < len; i++)
	{
		high |= p[i];
		nul |= p[i] == 0;
	}
	return (high & UINT64_C(0x8080808080808080)) == 0 && !nul;
}

/*
 * Eight digit values (0 .. 9), the most significant in the lowest byte, as a
 * number: neighbours are joined to pairs, pairs to fours, fours to eight.
 */
static inline uint32_t
ec_join_digits(uint64_t v)
{
	v = (v * 10 + (v >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
	v = (v * 100 + (v >> 16)) & UINT64_C(0x0000ffff0000ffff);
	return (uint32_t) (v * 10000 + (v >> 32));
}

/* True if some byte is no digit value. */
static inline bool
ec_has_nondigit(uint64_t v)
{
	return (((v + EC_BYTES_OF(0x76)) | v) & EC_BYTES_OF(0x80)) != 0;
}

/* Digit values of the first n (1 .. 8) bytes, moved up so that zeros lead. */
static inline uint64_t
ec_digit_values(const uint8_t *p, uint32_t n)
{
	return (ec_load8(p) ^ EC_BYTES_OF('0')) << (64 - 8 * n);
}

extern EcFieldStatus ec_field_int_rare(const uint8_t *p, uint32_t len, int64_t *out);
extern EcFieldStatus ec_field_decimal_rare(const uint8_t *p, uint32_t len, int32_t precision,
										   int32_t scale, int64_t *out);
extern EcFieldStatus ec_field_float8(const uint8_t *p, uint32_t len, int64_t *out);
extern EcFieldStatus ec_field_float4(const uint8_t *p, uint32_t len, int64_t *out);
/* out points to room, EC_NUMERIC_ROOM bytes */
extern EcFieldStatus ec_field_numeric(const uint8_t *p, uint32_t len, uint8_t *room, EcBytes *out);
extern EcFieldStatus ec_field_bool(const uint8_t *p, uint32_t len, int64_t *out);
extern EcFieldStatus ec_field_uuid(const uint8_t *p, uint32_t len, EcUuid *out);
extern bool ec_day_lookup(EcDayCache *cache, const uint8_t *p);
extern EcFieldStatus
ec_field_time_rest(const EcRowColumn *col, const uint8_t *p, uint32_t len, int64_t *micros);

static const int64_t ec_pow10_table[19] = {INT64_C(1),
										   INT64_C(10),
										   INT64_C(100),
										   INT64_C(1000),
										   INT64_C(10000),
										   INT64_C(100000),
										   INT64_C(1000000),
										   INT64_C(10000000),
										   INT64_C(100000000),
										   INT64_C(1000000000),
										   INT64_C(10000000000),
										   INT64_C(100000000000),
										   INT64_C(1000000000000),
										   INT64_C(10000000000000),
										   INT64_C(100000000000000),
										   INT64_C(1000000000000000),
										   INT64_C(10000000000000000),
										   INT64_C(100000000000000000),
										   INT64_C(1000000000000000000)};

/* Plain digits, up to 18 of them; anything else is left to ec_field_int_rare. */
static inline EcFieldStatus
ec_field_int(const uint8_t *p, uint32_t len, int64_t *out)
{
	uint64_t high;
	uint64_t low;

	if (len <= 8)
	{
		if (len == 0)
			return EC_FIELD_BAD_SYNTAX;
		low = ec_digit_values(p, len);
		if (ec_has_nondigit(low))
			return ec_field_int_rare(p, len, out);
		*out = ec_join_digits(low);
		return EC_FIELD_OK;
	}
	low = ec_load8(p + len - 8) ^ EC_BYTES_OF('0');
	if (len <= 16)
	{
		high = ec_digit_values(p, len - 8);
		if (ec_has_nondigit(low) || ec_has_nondigit(high))
			return ec_field_int_rare(p, len, out);
		*out = (int64_t) ec_join_digits(high) * 100000000 + ec_join_digits(low);
		return EC_FIELD_OK;
	}
	if (len <= 19)
	{
		uint64_t middle = ec_load8(p + len - 16) ^ EC_BYTES_OF('0');
		uint64_t value;

		high = ec_digit_values(p, len - 16);
		if (ec_has_nondigit(low) || ec_has_nondigit(middle) || ec_has_nondigit(high))
			return ec_field_int_rare(p, len, out);
		value = ((uint64_t) ec_join_digits(high) * 100000000 + ec_join_digits(middle)) * 100000000 +
				ec_join_digits(low);
		*out = (int64_t) value;
		return value <= INT64_MAX ? EC_FIELD_OK : EC_FIELD_BAD_RANGE;
	}
	return ec_field_int_rare(p, len, out);
}

/* Digits with at most one point, up to eight bytes and no more digits behind it than the scale. */
static inline EcFieldStatus
ec_field_decimal(const uint8_t *p, uint32_t len, int32_t precision, int32_t scale, int64_t *out)
{
	uint64_t text;
	uint64_t dots;
	uint32_t whole;
	int32_t fraction;
	int64_t value;

	if (len - 1 > 7)
		return len == 0 ? EC_FIELD_BAD_SYNTAX
						: ec_field_decimal_rare(p, len, precision, scale, out);

	/* bytes behind the field become digits, so that no point is found there */
	text = ec_load8(p) ^ EC_BYTES_OF('0');
	text = text << (64 - 8 * len) >> (64 - 8 * len);
	dots = text ^ EC_BYTES_OF('.' ^ '0');
	dots = (dots - EC_BYTES_OF(1)) & ~dots & EC_BYTES_OF(0x80);
	if (dots != 0)
	{
		whole = (uint32_t) __builtin_ctzll(dots) >> 3;
		fraction = (int32_t) (len - 1 - whole);
		if (len == 1)
			return EC_FIELD_BAD_SYNTAX;
		text = (text & ((UINT64_C(1) << (8 * whole)) - 1)) |
			   (whole == 7 ? 0 : text >> (8 * whole + 8) << (8 * whole));
		len--;
	}
	else
		fraction = 0;
	text <<= 64 - 8 * len;
	if (ec_has_nondigit(text) || fraction > scale)
		return ec_field_decimal_rare(p, len + (dots != 0), precision, scale, out);
	value = (int64_t) ec_join_digits(text);
	if (scale - fraction > 10)
		return ec_field_decimal_rare(p, len + (dots != 0), precision, scale, out);
	value *= ec_pow10_table[scale - fraction];
	*out = value;
	return value < ec_pow10_table[precision] ? EC_FIELD_OK : EC_FIELD_BAD_RANGE;
}

#define EC_MICROS_PER_SECOND INT64_C(1000000)
#define EC_MICROS_PER_DAY (INT64_C(86400) * EC_MICROS_PER_SECOND)

/* HH:MM:SS in eight bytes to seconds, -1 if it isn't that (24:00:00 and leap seconds included). */
static inline int32_t
ec_time_seconds(uint64_t text)
{
	/* what must be added to a digit value so that a too big one reaches the sign bit */
	uint64_t v = text ^ UINT64_C(0x30303a30303a3030);
	uint64_t limit = UINT64_C(0x767a7f767a7f767d);
	uint32_t hour;

	if ((((v + limit) | v) & EC_BYTES_OF(0x80)) != 0)
		return -1;
	hour = (uint32_t) (v & 0xff) * 10 + (uint32_t) (v >> 8 & 0xff);
	if (hour > 23)
		return -1;
	return (int32_t) (hour * 3600 +
					  ((uint32_t) (v >> 24 & 0xff) * 10 + (uint32_t) (v >> 32 & 0xff)) * 60 +
					  (uint32_t) (v >> 48 & 0xff) * 10 + (uint32_t) (v >> 56));
}

static inline bool
ec_day_cached(EcDayCache *cache, const uint8_t *p)
{
	uint16_t text2;

	memcpy(&text2, p + 8, 2);
	return (ec_load8(p) == cache->text && text2 == cache->text2) || ec_day_lookup(cache, p);
}

/* Timestamps of the years 1900 to 2199 in ISO form, with or without fraction and zone, in microseconds since 2000. */
static inline EcFieldStatus
ec_field_timestamp(EcDayCache *cache, const EcRowColumn *col, const uint8_t *p, uint32_t len,
				   int64_t *out)
{
	int64_t micros;
	int32_t seconds;

	if (len < 19 || (p[10] != ' ' && p[10] != 'T') || !ec_day_cached(cache, p))
	{
		if (len != 10 || !ec_day_cached(cache, p) ||
			(col->type == EC_FIELD_TIMESTAMPTZ && !col->utc_default))
			return EC_FIELD_SLOW;
		*out = cache->day * EC_MICROS_PER_DAY;
		return EC_FIELD_OK;
	}
	seconds = ec_time_seconds(ec_load8(p + 11));
	if (seconds < 0)
		return EC_FIELD_SLOW;
	micros = cache->day * EC_MICROS_PER_DAY + seconds * EC_MICROS_PER_SECOND;
	if (len != 23 || ec_load4(p + 19) != UINT32_C(0x43545520)) /* " UTC" */
	{
		EcFieldStatus status = ec_field_time_rest(col, p + 19, len - 19, &micros);

		if (status != EC_FIELD_OK)
			return status;
	}
	*out = micros;
	return EC_FIELD_OK;
}

static inline EcFieldStatus
ec_field_date(EcDayCache *cache, const EcRowColumn *col, const uint8_t *p, uint32_t len,
			  int64_t *out)
{
	int64_t micros = 0;

	if (len < 10 || !ec_day_cached(cache, p))
		return EC_FIELD_SLOW;
	*out = cache->day;
	if (len == 10)
		return EC_FIELD_OK;
	if (len < 19 || (p[10] != ' ' && p[10] != 'T') || ec_time_seconds(ec_load8(p + 11)) < 0)
		return EC_FIELD_SLOW;
	return ec_field_time_rest(col, p + 19, len - 19, &micros);
}

#endif /* EC_ROWPARSE_FIELD_H */
