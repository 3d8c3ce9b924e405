/*
 * rowparse_time.c
 *	  Dates and timestamps in ISO form.  Pure C.
 *
 * Only what means the same under every DateStyle is read here, for the years 1900
 * to 2199; the input function decides about everything else.
 */
#include "ingest/rowparse_field.h"

/* Days since 2000-01-01 of a proleptic Gregorian date. */
static int32_t
day_number(int32_t year, int32_t month, int32_t day)
{
	/* count from March, so that a leap day ends its year */
	int32_t y = month <= 2 ? year - 1 : year;
	int32_t m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 730425;
}

static int32_t
days_in_month(int32_t year, int32_t month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* Reads YYYY-MM-DD at p into the cache. */
bool
ec_day_lookup(EcDayCache *cache, const uint8_t *p)
{
	uint64_t text = ec_load8(p);
	uint64_t digits = text ^ UINT64_C(0x2d30302d30303030); /* the hyphens become 0 */
	int32_t year;
	int32_t month;
	int32_t day;

	if (ec_has_nondigit(digits) || p[4] != '-' || p[7] != '-' || (uint8_t) (p[8] - '0') > 3 ||
		(uint8_t) (p[9] - '0') > 9)
		return false;
	year = (p[0] - '0') * 1000 + (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
	month = (p[5] - '0') * 10 + (p[6] - '0');
	day = (p[8] - '0') * 10 + (p[9] - '0');
	if (year < 1900 || year > 2199 || month < 1 || month > 12 || day < 1 ||
		day > days_in_month(year, month))
		return false;
	cache->text = text;
	memcpy(&cache->text2, p + 8, 2);
	cache->day = day_number(year, month, day);
	return true;
}

/* Two digits, or -1. */
static int
two_digits(const uint8_t *p)
{
	unsigned high = (unsigned) p[0] - '0';
	unsigned low = (unsigned) p[1] - '0';

	return high <= 9 && low <= 9 ? (int) (high * 10 + low) : -1;
}

/* .f to .ffffff; returns the bytes taken, 0 if there is no fraction, -1 if it is not for us. */
static int
take_fraction(const uint8_t *p, uint32_t len, int32_t max_digits, int64_t *micros)
{
	int64_t value = 0;
	uint32_t n = 0;

	if (len == 0 || *p != '.')
		return 0;
	p++;
	len--;
	while (n < len && (uint8_t) (p[n] - '0') <= 9)
	{
		if (n == 6)
			return -1;
		value = value * 10 + (p[n] - '0');
		n++;
	}
	if (n == 0 || (int32_t) n > max_digits)
		return -1; /* must be rounded */
	*micros += value * ec_pow10_table[6 - n];
	return (int) n + 1;
}

/* +HH, +HHMM, +HH:MM (or -): seconds east of Greenwich. */
static bool
parse_offset(const uint8_t *p, uint32_t len, int32_t *seconds)
{
	int hour;
	int minute = 0;

	if (len < 3 || (*p != '+' && *p != '-'))
		return false;
	hour = two_digits(p + 1);
	if (len == 5)
		minute = two_digits(p + 3);
	else if (len == 6 && p[3] == ':')
		minute = two_digits(p + 4);
	else if (len != 3)
		return false;
	if (hour < 0 || hour > 15 || minute < 0 || minute > 59)
		return false;
	*seconds = (hour * 60 + minute) * 60;
	if (*p == '-')
		*seconds = -*seconds;
	return true;
}

/*
 * What follows the seconds: fraction and zone.  A zone counts for timestamptz
 * only, as PostgreSQL has it.
 */
EcFieldStatus
ec_field_time_rest(const EcRowColumn *col, const uint8_t *p, uint32_t len, int64_t *micros)
{
	int taken = take_fraction(p, len, col->precision, micros);
	int32_t offset = 0;

	if (taken < 0)
		return EC_FIELD_SLOW;
	p += taken;
	len -= (uint32_t) taken;
	if (len == 0)
		return col->type == EC_FIELD_TIMESTAMPTZ && !col->utc_default ? EC_FIELD_SLOW : EC_FIELD_OK;
	if ((len == 1 && *p == 'Z') || (len == 4 && memcmp(p, " UTC", 4) == 0))
		return EC_FIELD_OK;
	if (*p == ' ')
	{
		p++;
		len--;
	}
	if (!parse_offset(p, len, &offset))
		return EC_FIELD_SLOW;
	if (col->type == EC_FIELD_TIMESTAMPTZ)
		*micros -= offset * EC_MICROS_PER_SECOND;
	return EC_FIELD_OK;
}
