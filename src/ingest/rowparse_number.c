/*
 * rowparse_number.c
 *	  Floating-point numbers, and numerics without a limit.  Pure C.
 *
 * As in rowparse_field.c: either exactly what PostgreSQL's input function gives, or
 * left to it.
 */
#include <float.h>

#include "ingest/rowparse_field.h"

/* ------------------------------------------------------------------------
 * Floats
 * ------------------------------------------------------------------------
 */

/* Powers of ten up to this are exact where long double has 64 bits of mantissa. */
#define EXACT_POWER_MAX 27

/* More digits than always fit into 64 bits. */
#define DIGITS_MAX 19

static inline bool
is_digit(uint8_t c)
{
	return (uint8_t) (c - '0') <= 9;
}

/* [+-]digits[.digits][e[+-]digits] is digits * 10^exponent. */
typedef struct Decimal
{
	bool minus;
	uint64_t digits;
	int32_t exponent;
} Decimal;

/* Up to three digits behind the e; false if it is anything else. */
static bool
take_exponent(const uint8_t *p, const uint8_t *end, int32_t *exponent)
{
	bool minus = p < end && *p == '-';
	int32_t value = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (p == end || end - p > 3)
		return false;
	for (; p < end; p++)
	{
		if (!is_digit(*p))
			return false;
		value = value * 10 + (*p - '0');
	}
	*exponent += minus ? -value : value;
	return true;
}

static bool
take_decimal(const uint8_t *p, uint32_t len, Decimal *d)
{
	const uint8_t *end = p + len;
	int ndigits = 0;
	bool any = false;
	bool point = false;

	d->minus = len > 0 && *p == '-';
	d->digits = 0;
	d->exponent = 0;
	if (len > 0 && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++)
	{
		if (*p == '.' && !point)
		{
			point = true;
			continue;
		}
		if (!is_digit(*p))
			break;
		any = true;
		d->exponent -= point;
		ndigits += ndigits > 0 || *p != '0';
		if (ndigits > DIGITS_MAX)
			return false;
		d->digits = d->digits * 10 + (*p - '0');
	}
	if (!any)
		return false;
	if (p < end)
		return (*p == 'e' || *p == 'E') && take_exponent(p + 1, end, &d->exponent);
	return true;
}

/* Both operands are exact, so the operation rounds once, as strtod does. */
static bool
exact_quotient(const Decimal *d, uint64_t digits_end, int32_t power_max, double *out)
{
	if (d->digits >= digits_end || d->exponent > 0 || d->exponent < -power_max)
		return false;
	*out = (double) d->digits / (double) ec_pow10_table[-d->exponent];
	return true;
}

#if LDBL_MANT_DIG == 64

static long double
power_of_ten(int32_t n)
{
	long double value = (long double) ec_pow10_table[n > 18 ? 18 : n];

	return n > 18 ? value * (long double) ec_pow10_table[n - 18] : value;
}

/*
 * digits * 10^exponent, rounded once, to 64 bits.  It may be rounded again to fewer
 * bits unless it then stands exactly between two of their values.
 */
static bool
near_value(const Decimal *d, int32_t dropped_bits, long double *out)
{
	uint64_t mantissa;
	uint64_t dropped;

	if (d->exponent > EXACT_POWER_MAX || d->exponent < -EXACT_POWER_MAX)
		return false;
	*out = d->exponent < 0 ? (long double) d->digits / power_of_ten(-d->exponent)
						   : (long double) d->digits * power_of_ten(d->exponent);
	memcpy(&mantissa, out, sizeof(mantissa));
	dropped = mantissa & ((UINT64_C(1) << dropped_bits) - 1);
	return dropped != UINT64_C(1) << (dropped_bits - 1);
}

#else

static bool
near_value(const Decimal *d, int32_t dropped_bits, long double *out)
{
	(void) d;
	(void) dropped_bits;
	*out = 0;
	return false;
}

#endif

EcFieldStatus
ec_field_float8(const uint8_t *p, uint32_t len, int64_t *out)
{
	long double near;
	double value;
	Decimal d;

	if (!take_decimal(p, len, &d))
		return EC_FIELD_SLOW;
	if (!exact_quotient(&d, UINT64_C(1000000000000000), 18, &value))
	{
		if (!near_value(&d, 64 - DBL_MANT_DIG, &near))
			return EC_FIELD_SLOW;
		value = (double) near;
	}
	*out = ec_float_to_image(d.minus ? -value : value);
	return EC_FIELD_OK;
}

EcFieldStatus
ec_field_float4(const uint8_t *p, uint32_t len, int64_t *out)
{
	long double near;
	float value;
	Decimal d;

	if (!take_decimal(p, len, &d))
		return EC_FIELD_SLOW;
	if (d.digits < 10000000 && d.exponent <= 0 && d.exponent >= -10)
		value = (float) d.digits / (float) ec_pow10_table[-d.exponent];
	else
	{
		if (!near_value(&d, 64 - FLT_MANT_DIG, &near) || near > (long double) FLT_MAX / 2)
			return EC_FIELD_SLOW;
		value = (float) near;
	}
	*out = ec_float_to_image((double) (d.minus ? -value : value));
	return EC_FIELD_OK;
}

/* ------------------------------------------------------------------------
 * Numerics
 * ------------------------------------------------------------------------
 */

/*
 * The storage format, as numeric.c describes it: a header of two bytes, then digits
 * of base 10,000, without zeros at either end.  pg_upgrade relies on it (see also
 * vector/coltype.c).
 */
#define NUMERIC_SHORT 0x8000
#define NUMERIC_SHORT_NEGATIVE 0x2000
#define NUMERIC_SHORT_SCALE_SHIFT 7
#define NUMERIC_SHORT_WEIGHT_MASK 0x007f
#define BASE_DIGITS 4

/* Decimal digits, those in front of the point and those behind it. */
#define NUMERIC_DIGITS_MAX 36

_Static_assert(EC_NUMERIC_ROOM >= 2 + 2 * (NUMERIC_DIGITS_MAX / BASE_DIGITS + 2), "it must fit");

/* Digits [p, end), a point among them, become values of base 10,000; *weight is that of the first. */
static uint32_t
join_base_digits(const uint8_t *p, uint32_t whole, uint32_t fraction, uint16_t *digits,
				 int32_t *weight)
{
	uint32_t lead = (BASE_DIGITS - whole % BASE_DIGITS) % BASE_DIGITS;
	uint32_t total = (lead + whole + fraction + BASE_DIGITS - 1) / BASE_DIGITS * BASE_DIGITS;
	uint32_t value = 0;
	uint32_t i;

	for (i = lead; i < total; i++)
	{
		uint32_t at = i - lead;
		uint32_t digit = 0;

		if (at < whole)
			digit = (uint32_t) (p[at] - '0');
		else if (at < whole + fraction)
			digit = (uint32_t) (p[at + 1] - '0');
		value = value * 10 + digit;
		if (i % BASE_DIGITS == BASE_DIGITS - 1)
		{
			digits[i / BASE_DIGITS] = (uint16_t) value;
			value = 0;
		}
	}
	*weight = (int32_t) ((lead + whole) / BASE_DIGITS) - 1;
	return total / BASE_DIGITS;
}

EcFieldStatus
ec_field_numeric(const uint8_t *p, uint32_t len, uint8_t *room, EcBytes *out)
{
	uint16_t digits[NUMERIC_DIGITS_MAX / BASE_DIGITS + 2];
	bool minus = len > 0 && *p == '-';
	uint32_t whole = 0;
	uint32_t fraction = 0;
	uint32_t first = 0;
	uint32_t n;
	uint16_t header;
	int32_t weight;

	if (len > 0 && (*p == '-' || *p == '+'))
	{
		p++;
		len--;
	}
	while (whole < len && is_digit(p[whole]))
		whole++;
	if (whole < len)
	{
		if (p[whole] != '.')
			return EC_FIELD_SLOW;
		fraction = len - whole - 1;
		for (n = 0; n < fraction; n++)
		{
			if (!is_digit(p[whole + 1 + n]))
				return EC_FIELD_SLOW;
		}
	}
	if (whole + fraction == 0 || whole + fraction > NUMERIC_DIGITS_MAX)
		return EC_FIELD_SLOW;
	n = join_base_digits(p, whole, fraction, digits, &weight);
	while (n > 0 && digits[n - 1] == 0)
		n--;
	for (; first < n && digits[first] == 0; first++)
		weight--;
	if (first == n)
	{
		weight = 0;
		minus = false;
	}
	header = (uint16_t) (NUMERIC_SHORT | (minus ? NUMERIC_SHORT_NEGATIVE : 0) |
						 fraction << NUMERIC_SHORT_SCALE_SHIFT |
						 ((uint32_t) weight & NUMERIC_SHORT_WEIGHT_MASK));
	memcpy(room, &header, sizeof(header));
	memcpy(room + sizeof(header), digits + first, (n - first) * sizeof(uint16_t));
	out->ptr = room;
	out->len = (uint32_t) (sizeof(header) + (n - first) * sizeof(uint16_t));
	return EC_FIELD_OK;
}
