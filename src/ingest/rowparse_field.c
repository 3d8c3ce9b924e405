/*
 * rowparse_field.c
 *	  The less common spellings of numbers, booleans and UUIDs.  Pure C.
 *
 * What is accepted here gives exactly what PostgreSQL's input function gives, and
 * what is refused here is refused there, in all supported versions.  Spellings
 * that only some versions know (hexadecimal, digit groups with underscores), and
 * values whose rounding is not trivial, are left to that function.
 */
#include "ingest/rowparse_field.h"

/* isspace() of the C locale, which is what the input functions use. */
static inline bool
is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool
is_digit(uint8_t c)
{
	return (uint8_t) (c - '0') <= 9;
}

static void
trim(const uint8_t **p, const uint8_t **end)
{
	while (*p < *end && is_space(**p))
		(*p)++;
	while (*p < *end && is_space((*end)[-1]))
		(*end)--;
}

/* Takes a sign; true if it is a minus. */
static bool
take_sign(const uint8_t **p, const uint8_t *end)
{
	if (*p < end && (**p == '-' || **p == '+'))
		return *(*p)++ == '-';
	return false;
}

EcFieldStatus
ec_field_int_rare(const uint8_t *p, uint32_t len, int64_t *out)
{
	const uint8_t *end = p + len;
	uint64_t value = 0;
	bool overflow = false;
	bool minus;

	trim(&p, &end);
	minus = take_sign(&p, end);
	if (p == end)
		return EC_FIELD_BAD_SYNTAX;
	if (end - p > 1 && p[0] == '0' && !is_digit(p[1]))
		return EC_FIELD_SLOW; /* 0x.. and the like */
	for (; p < end; p++)
	{
		if (!is_digit(*p))
			return *p == '_' ? EC_FIELD_SLOW : EC_FIELD_BAD_SYNTAX;
		overflow |= __builtin_mul_overflow(value, 10, &value);
		overflow |= __builtin_add_overflow(value, *p - '0', &value);
	}
	if (overflow || value > (uint64_t) INT64_MAX + minus)
		return EC_FIELD_BAD_RANGE;
	*out = (int64_t) (minus ? -value : value);
	return EC_FIELD_OK;
}

/*
 * Plain decimal notation.  digits gets the digits as one number, fraction how many
 * of them stand behind the point; at most max_digits of them, zeros in front not
 * counted.
 */
static EcFieldStatus
scan_decimal(const uint8_t *p, const uint8_t *end, int max_digits, uint64_t *digits,
			 int32_t *fraction)
{
	uint64_t value = 0;
	int ndigits = 0;
	int nseen = 0;
	bool point = false;

	*fraction = 0;
	for (; p < end; p++)
	{
		if (*p == '.' && !point)
		{
			point = true;
			continue;
		}
		if (!is_digit(*p))
			return EC_FIELD_SLOW; /* exponent, NaN, infinity, hexadecimal, nonsense */
		nseen++;
		*fraction += point;
		ndigits += (ndigits > 0 || *p != '0');
		if (ndigits > max_digits)
			return EC_FIELD_SLOW;
		value = value * 10 + (*p - '0');
	}
	*digits = value;
	return nseen > 0 ? EC_FIELD_OK : EC_FIELD_SLOW;
}

EcFieldStatus
ec_field_decimal_rare(const uint8_t *p, uint32_t len, int32_t precision, int32_t scale,
					  int64_t *out)
{
	const uint8_t *end = p + len;
	uint64_t value;
	int32_t fraction;
	bool minus;

	trim(&p, &end);
	minus = take_sign(&p, end);
	if (p == end)
		return EC_FIELD_BAD_SYNTAX;
	if (scan_decimal(p, end, 18, &value, &fraction) != EC_FIELD_OK)
		return EC_FIELD_SLOW;
	if (fraction > scale)
	{
		int32_t drop = fraction - scale;
		uint64_t unit;

		if (drop > 18)
			value = 0; /* below 10^18, so less than half a unit */
		else
		{
			unit = (uint64_t) ec_pow10_table[drop];
			value = value / unit + (value % unit >= unit / 2); /* half away from zero */
		}
	}
	else if (value != 0)
	{
		if (__builtin_mul_overflow(value, (uint64_t) ec_pow10_table[scale - fraction], &value))
			return EC_FIELD_BAD_RANGE;
	}
	if (value >= (uint64_t) ec_pow10_table[precision])
		return EC_FIELD_BAD_RANGE;
	*out = minus ? -(int64_t) value : (int64_t) value;
	return EC_FIELD_OK;
}

/* True if text is word, or its beginning of at least min characters, in any case. */
static bool
abbreviates(const uint8_t *p, size_t len, const char *word, size_t min)
{
	if (len < min || len > strlen(word))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if ((p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 0x20 : p[i]) != (uint8_t) word[i])
			return false;
	}
	return true;
}

EcFieldStatus
ec_field_bool(const uint8_t *p, uint32_t len, int64_t *out)
{
	const uint8_t *end = p + len;
	size_t n;

	trim(&p, &end);
	n = (size_t) (end - p);
	if (abbreviates(p, n, "true", 1) || abbreviates(p, n, "yes", 1) || abbreviates(p, n, "on", 2) ||
		abbreviates(p, n, "1", 1))
		*out = 1;
	else if (abbreviates(p, n, "false", 1) || abbreviates(p, n, "no", 1) ||
			 abbreviates(p, n, "off", 2) || abbreviates(p, n, "0", 1))
		*out = 0;
	else
		return EC_FIELD_BAD_SYNTAX;
	return EC_FIELD_OK;
}

static int
hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Any case, in braces or not, a hyphen allowed after any group of four digits. */
EcFieldStatus
ec_field_uuid(const uint8_t *p, uint32_t len, EcUuid *out)
{
	const uint8_t *end = p + len;

	if (ec_uuid_parse(p, len, out))
		return EC_FIELD_OK;
	if (len >= 2 && p[0] == '{')
	{
		if (end[-1] != '}')
			return EC_FIELD_BAD_SYNTAX;
		p++;
		end--;
	}
	for (int i = 0; i < 16; i++)
	{
		int high = end - p >= 2 ? hex_value(p[0]) : -1;
		int low = end - p >= 2 ? hex_value(p[1]) : -1;

		if (high < 0 || low < 0)
			return EC_FIELD_BAD_SYNTAX;
		out->b[i] = (uint8_t) (high << 4 | low);
		p += 2;
		if (p < end && *p == '-' && i % 2 == 1 && i < 15)
			p++;
	}
	return p == end ? EC_FIELD_OK : EC_FIELD_BAD_SYNTAX;
}
