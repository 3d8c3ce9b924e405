/*
 * reference_value.c
 *	  What PostgreSQL's input functions make of a field, in plain C.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "reference.h"

void
ref_append(RefText *t, const void *data, size_t len)
{
	if (t->len + len + 1 > t->size)
	{
		t->size = (t->len + len + 1) * 2;
		t->data = realloc(t->data, t->size);
	}
	if (len > 0)
		memcpy(t->data + t->len, data, len);
	t->len += len;
	t->data[t->len] = '\0';
}

void
ref_printf(RefText *t, const char *format, ...)
{
	char buffer[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buffer, sizeof(buffer), format, args);
	va_end(args);
	ref_append(t, buffer, (size_t) n);
}

static bool
space(char c)
{
	return c != '\0' && strchr(" \t\n\v\f\r", c) != NULL;
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
strip(const char **p, size_t *len)
{
	while (*len > 0 && space(**p))
		(*p)++, (*len)--;
	while (*len > 0 && space((*p)[*len - 1]))
		(*len)--;
}

static EcFaultCode
int_value(const EcRowColumn *col, const char *p, size_t len, int64_t *out)
{
	__int128 v = 0;
	bool minus = false;

	strip(&p, &len);
	if (len > 0 && (*p == '+' || *p == '-'))
		minus = *p++ == '-', len--;
	if (len == 0)
		return EC_FAULT_SYNTAX;
	for (size_t i = 0; i < len; i++)
	{
		if (!digit(p[i]))
			return EC_FAULT_SYNTAX;
		if (v < (__int128) 1 << 100)
			v = v * 10 + (p[i] - '0');
	}
	if (minus)
		v = -v;
	if (v < col->min || v > col->max)
		return EC_FAULT_RANGE;
	*out = (int64_t) v;
	return 0;
}

/* Schoolbook: all digits in an array, the point's place as a number. */
static EcFaultCode
decimal_value(const EcRowColumn *col, const char *p, size_t len, int64_t *out)
{
	static char digits[70000];
	size_t n = 0;
	long point = -1;
	long keep;
	bool minus = false;
	__int128 v = 0;

	strip(&p, &len);
	if (len == 3 && strncasecmp(p, "nan", 3) == 0)
	{
		*out = EC_DECIMAL_NAN;
		return 0;
	}
	if (len > 0 && (*p == '+' || *p == '-'))
		minus = *p++ == '-', len--;
	while (len > 0 && (digit(*p) || (*p == '.' && point < 0)))
	{
		if (*p == '.')
			point = (long) n;
		else
			digits[n++] = *p;
		p++, len--;
	}
	if (n == 0)
		return EC_FAULT_SYNTAX;
	if (point < 0)
		point = (long) n;
	if (len > 0 && (*p == 'e' || *p == 'E'))
	{
		long e = 0;
		long sign = 1;

		p++, len--;
		if (len > 0 && (*p == '+' || *p == '-'))
			sign = *p++ == '-' ? -1 : 1, len--;
		if (len == 0)
			return EC_FAULT_SYNTAX;
		while (len > 0 && digit(*p))
		{
			if (e < 100000)
				e = e * 10 + (*p - '0');
			p++, len--;
		}
		point += sign * e;
	}
	if (len > 0)
		return EC_FAULT_SYNTAX;
	keep = point + col->scale; /* that many digits count */
	for (long i = 0; i < keep; i++)
	{
		if (v > (__int128) 1 << 100)
			return EC_FAULT_RANGE;
		v = v * 10 + (i < (long) n ? digits[i] - '0' : 0);
		if (i >= (long) n && v == 0)
			break;
	}
	if (keep >= 0 && keep < (long) n && digits[keep] >= '5')
		v++;
	for (int i = 0; i < col->precision; i++)
		keep = 0;
	{
		__int128 limit = 1;

		for (int i = 0; i < col->precision; i++)
			limit *= 10;
		if (v >= limit)
			return EC_FAULT_RANGE;
	}
	*out = (int64_t) (minus ? -v : v);
	return 0;
}

static EcFaultCode
float_value(const EcRowColumn *col, const char *p, size_t len, int64_t *out)
{
	char copy[400];
	char *end;
	double v;

	if (len == 0 || len >= sizeof(copy))
		return EC_FAULT_SYNTAX;
	memcpy(copy, p, len);
	copy[len] = '\0';
	errno = 0;
	v = col->type == EC_FIELD_FLOAT4 ? (double) strtof(copy, &end) : strtod(copy, &end);
	if (end == copy)
		return EC_FAULT_SYNTAX;
	while (space(*end))
		end++;
	if (end != copy + len)
		return EC_FAULT_SYNTAX;
	if (errno == ERANGE && (v == 0 || isinf(v)))
		return EC_FAULT_RANGE;
	*out = ec_float_to_image(v);
	return 0;
}

static EcFaultCode
bool_value(const char *p, size_t len, int64_t *out)
{
	static const char *const words[] = {"t",  "tr", "tru", "true", "y",	  "ye",	  "yes",
										"on", "1",	"f",   "fa",   "fal", "fals", "false",
										"n",  "no", "of",  "off",  "0"};

	strip(&p, &len);
	for (int i = 0; i < 19; i++)
	{
		if (strlen(words[i]) == len && strncasecmp(words[i], p, len) == 0)
		{
			*out = i < 9;
			return 0;
		}
	}
	return EC_FAULT_SYNTAX;
}

static bool
uuid_value(const char *p, size_t len, EcUuid *out)
{
	char hex[33];
	int n = 0;

	if (len > 1 && p[0] == '{')
	{
		if (p[len - 1] != '}')
			return false;
		p++, len -= 2;
	}
	for (size_t i = 0; i < len; i++)
	{
		if (isxdigit((unsigned char) p[i]) && n < 32)
			hex[n++] = p[i];
		else if (!(p[i] == '-' && n > 0 && n % 4 == 0 && n < 32 && p[i - 1] != '-'))
			return false;
	}
	if (n != 32)
		return false;
	for (int i = 0; i < 16; i++)
	{
		char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		out->b[i] = (uint8_t) strtol(two, NULL, 16);
	}
	return true;
}

static int
number(const char **p, const char *end, int min, int max)
{
	int v = 0;
	int n = 0;

	while (*p < end && digit(**p) && n < max)
		v = v * 10 + *(*p)++ - '0', n++;
	return n < min ? -1 : v;
}

static int
month_days(int y, int m)
{
	if (m == 2)
		return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0 ? 29 : 28;
	return m == 4 || m == 6 || m == 9 || m == 11 ? 30 : 31;
}

/* Seconds east, or false. */
static bool
zone_value(const char *p, const char *end, long *east)
{
	int h;
	int m = 0;
	long sign;

	*east = 0;
	if (end - p == 1 && *p == 'Z')
		return true;
	if (p < end && *p == ' ')
	{
		p++;
		if (end - p == 3 && memcmp(p, "UTC", 3) == 0)
			return true;
	}
	if (p >= end || (*p != '+' && *p != '-'))
		return false;
	sign = *p++ == '-' ? -1 : 1;
	h = number(&p, end, 2, 2);
	if (p < end && *p == ':')
		p++, m = number(&p, end, 2, 2);
	else if (p < end)
		m = number(&p, end, 2, 2);
	if (h < 0 || h > 15 || m < 0 || m > 59 || p != end)
		return false;
	*east = sign * (h * 3600L + m * 60L);
	return true;
}

/* ISO dates and timestamps of a sensible range of years; the server decides about the rest. */
static EcFaultCode
time_value(const EcRowColumn *col, const char *p, size_t len, int64_t *out)
{
	const char *end = p + len;
	int y, mo, d, h = 0, mi = 0, s = 0;
	int64_t days = 0;
	int64_t micros = 0;
	long east = 0;

	y = number(&p, end, 4, 4);
	if (y < 1900 || y > 2199 || p >= end || *p++ != '-')
		return EC_FAULT_SYNTAX;
	mo = number(&p, end, 2, 2);
	if (mo < 1 || mo > 12 || p >= end || *p++ != '-')
		return EC_FAULT_SYNTAX;
	d = number(&p, end, 2, 2);
	if (d < 1 || d > month_days(y, mo))
		return EC_FAULT_SYNTAX;
	for (int i = 2000; i < y; i++)
		days += month_days(i, 2) + 337;
	for (int i = y; i < 2000; i++)
		days -= month_days(i, 2) + 337;
	for (int i = 1; i < mo; i++)
		days += month_days(y, i);
	days += d - 1;
	if (p < end)
	{
		if (*p != ' ' && *p != 'T')
			return EC_FAULT_SYNTAX;
		p++;
		h = number(&p, end, 2, 2);
		if (h < 0 || h > 23 || p >= end || *p++ != ':')
			return EC_FAULT_SYNTAX;
		mi = number(&p, end, 2, 2);
		if (mi < 0 || mi > 59 || p >= end || *p++ != ':')
			return EC_FAULT_SYNTAX;
		s = number(&p, end, 2, 2);
		if (s < 0 || s > 59)
			return EC_FAULT_SYNTAX;
		if (p < end && *p == '.')
		{
			char *stop;
			char copy[64];
			size_t n = 1;

			while (p + n < end && digit(p[n]))
				n++;
			if (n < 2 || n > 40)
				return EC_FAULT_SYNTAX;
			memcpy(copy, p, n);
			copy[n] = '\0';
			micros = (int64_t) rint(strtod(copy, &stop) * 1000000);
			p += n;
		}
		if (p < end && !zone_value(p, end, &east))
			return EC_FAULT_SYNTAX;
	}
	if (col->type == EC_FIELD_DATE)
	{
		*out = days;
		return 0;
	}
	micros += ((days * 24 + h) * 60 + mi) * 60000000LL + s * 1000000LL;
	if (col->type == EC_FIELD_TIMESTAMPTZ)
		micros -= east * 1000000LL;
	*out = micros;
	return 0;
}

static EcFaultCode
text_value(const EcRowColumn *col, const char *p, size_t *len)
{
	size_t chars = 0;

	for (size_t i = 0; i < *len; i++)
	{
		if (((uint8_t) p[i] & 0xc0) == 0x80 || ++chars <= (size_t) col->max_chars)
			continue;
		for (size_t j = i; j < *len; j++)
		{
			if (p[j] != ' ')
				return EC_FAULT_TOO_LONG;
		}
		*len = i;
		return 0;
	}
	return 0;
}

static EcFaultCode
int64_value(const EcRowColumn *col, const char *text, size_t len, int64_t *out)
{
	switch (col->type)
	{
		case EC_FIELD_INT:
			return int_value(col, text, len, out);
		case EC_FIELD_DECIMAL:
			return decimal_value(col, text, len, out);
		case EC_FIELD_FLOAT4:
		case EC_FIELD_FLOAT8:
			return float_value(col, text, len, out);
		case EC_FIELD_BOOL:
			return bool_value(text, len, out);
		case EC_FIELD_DATE:
		case EC_FIELD_TIMESTAMP:
		case EC_FIELD_TIMESTAMPTZ:
			return time_value(col, text, len, out);
		default:
			return EC_FAULT_TYPE_INPUT;
	}
}

static void
put_uuid(RefText *out, const EcUuid *u)
{
	for (int i = 0; i < 16; i++)
		ref_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u->b[i]);
}

/* OTHER is, for the tests, a type of texts that may not begin with '!'. */
bool
ref_value(const EcRowColumn *col, const char *text, size_t len, RefText *out, EcFaultCode *code)
{
	int64_t i64;
	EcUuid uuid;

	*code = 0;
	if (col->type == EC_FIELD_TEXT)
	{
		if (col->max_chars > 0)
			*code = text_value(col, text, &len);
		if (*code == 0)
			ref_append(out, text, len);
	}
	else if (col->type == EC_FIELD_OTHER)
	{
		if (len > 0 && text[0] == '!')
			*code = EC_FAULT_TYPE_INPUT;
		else
			ref_append(out, text, len);
	}
	else if (col->type == EC_FIELD_UUID)
	{
		if (uuid_value(text, len, &uuid))
			put_uuid(out, &uuid);
		else
			*code = EC_FAULT_SYNTAX;
	}
	else
	{
		*code = int64_value(col, text, len, &i64);
		if (*code == 0)
			ref_printf(out, "%lld", (long long) i64);
	}
	return *code == 0;
}

/* Values of OTHER live until the caller empties the list. */
bool
ref_input(void *arg, const EcRowColumn *col, const char *text, uint32_t len, EcFieldValue *out,
		  EcRowFault *fault)
{
	RefText *values = arg;

	if (strlen(text) != len)
		abort();
	fault->code = 0;
	if (col->type == EC_FIELD_OTHER)
	{
		if (len > 0 && text[0] == '!')
			fault->code = EC_FAULT_TYPE_INPUT;
		else
		{
			uint8_t *copy = malloc(len + 1);

			memcpy(copy, text, len);
			ref_append(values, &copy, sizeof(copy));
			out->bytes.ptr = copy;
			out->bytes.len = len;
		}
	}
	else
		fault->code = int64_value(col, text, len, &out->i64);
	if (fault->code != 0)
		snprintf(fault->text, sizeof(fault->text), "refused by the reference");
	return fault->code == 0;
}

void
ref_render(const EcRowColumn *col, const EcVector *v, uint32_t row, RefText *out)
{
	uint32_t i;

	if (ec_vector_is_null(v, row))
	{
		ref_append(out, "\\N", 2);
		return;
	}
	i = ec_vector_index(v, row);
	if (v->phys == EC_PHYS_INT64)
		ref_printf(out, "%lld", (long long) v->values.i64[i]);
	else if (v->phys == EC_PHYS_BYTES)
		ref_append(out, v->values.bytes[i].ptr, v->values.bytes[i].len);
	else
		put_uuid(out, &v->values.uuid[i]);
}
