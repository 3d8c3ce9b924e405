/*-------------------------------------------------------------------------
 *
 * ecproduce_row.c
 *	  What ecproduce must understand of a row: is it a header, which
 *	  partition does its key belong to, when did it happen.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/ecproduce.h"

#define MAX_NAME 64

/* Field number 0 … of a row, which may end with its line end. */
bool
ec_row_field(const char *row, size_t len, int number, char delimiter, EcField *field)
{
	const char *p = row;
	const char *end = row + len;

	if (end > p && end[-1] == '\n')
		end--;
	if (end > p && end[-1] == '\r')
		end--;
	for (;; number--)
	{
		const char *start = p;

		if (p < end && *p == '"')
		{
			/* past the closing quote: the one that no other follows */
			for (p++; p < end; p++)
			{
				if (*p != '"')
					continue;
				if (p + 1 < end && p[1] == '"')
					p++;
				else
					break;
			}
		}
		p = p < end ? memchr(p, delimiter, (size_t) (end - p)) : NULL;
		if (number == 0)
		{
			field->bytes = start;
			field->len = (size_t) ((p ? p : end) - start);
			return true;
		}
		if (p == NULL)
			return false;
		p++;
	}
}

/* The field's text without quotes; returns its length, cut to size. */
size_t
ec_field_unquote(const EcField *field, char *to, size_t size)
{
	const char *p = field->bytes;
	const char *end = p + field->len;
	size_t n = 0;

	if (p == end || *p != '"')
	{
		n = field->len < size ? field->len : size;
		memcpy(to, p, n);
		return n;
	}
	for (p++; p < end && n < size; p++)
	{
		if (*p == '"')
		{
			if (p + 1 == end || p[1] != '"')
				break;
			p++;
		}
		to[n++] = *p;
	}
	return n;
}

/* A field as a name: unquoted, trimmed. */
static size_t
field_name(const EcField *field, char name[MAX_NAME])
{
	size_t n = ec_field_unquote(field, name, MAX_NAME - 1);
	size_t skip = 0;

	while (n > 0 && name[n - 1] == ' ')
		n--;
	while (skip < n && name[skip] == ' ')
		skip++;
	memmove(name, name + skip, n - skip);
	name[n - skip] = '\0';
	return n - skip;
}

/* False: too many names. */
bool
ec_columns_read(EcColumns *columns, const char *line, size_t len, char delimiter)
{
	EcField field;

	columns->n = 0;
	for (int i = 0; ec_row_field(line, len, i, delimiter, &field); i++)
	{
		char name[MAX_NAME];

		if (i == EC_MAX_COLUMNS)
		{
			ec_columns_free(columns);
			return false;
		}
		field_name(&field, name);
		columns->names[i] = strdup(name);
		columns->n++;
	}
	return true;
}

void
ec_columns_free(EcColumns *columns)
{
	for (int i = 0; i < columns->n; i++)
		free(columns->names[i]);
	columns->n = 0;
}

int
ec_columns_find(const EcColumns *columns, const char *name)
{
	for (int i = 0; i < columns->n; i++)
		if (columns->names[i] != NULL && strcasecmp(columns->names[i], name) == 0)
			return i;
	return -1;
}

/* As the consumer decides: more than half of the fields name columns, or every column is named. */
bool
ec_line_is_header(const char *line, size_t len, const EcColumns *expected, char delimiter)
{
	bool seen[EC_MAX_COLUMNS] = {false};
	int named = 0;
	int distinct = 0;
	EcField field;
	int i;

	for (i = 0; ec_row_field(line, len, i, delimiter, &field); i++)
	{
		char name[MAX_NAME];
		int column;

		if (i == EC_MAX_COLUMNS)
			return false;
		if (field_name(&field, name) == 0)
			continue;
		column = ec_columns_find(expected, name);
		if (column < 0)
			continue;
		named++;
		distinct += !seen[column];
		seen[column] = true;
	}
	return named * 2 > i || distinct == expected->n;
}

/* Two digits at s, or -1 */
static int
two_digits(const char *s)
{
	if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
		return -1;
	return (s[0] - '0') * 10 + (s[1] - '0');
}

/* "2019-10-01 00:00:00…": seconds on a clock without zones; only differences matter. */
bool
ec_time_read(const char *s, size_t len, int64_t *seconds)
{
	static const char pattern[] = "0000-00-00 00:00:00";
	int century;
	int part[6];
	int64_t y;
	int64_t m;

	if (len > 0 && *s == '"')
	{
		s++;
		len--;
	}
	if (len < sizeof(pattern) - 1)
		return false;
	century = two_digits(s);
	part[0] = two_digits(s + 2);
	for (int i = 1; i < 6; i++)
	{
		part[i] = two_digits(s + 2 + i * 3);
		if (part[i] < 0)
			return false;
	}
	if (century < 0 || part[0] < 0 || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':')
		return false;
	/* days since 0000-03-01 */
	y = century * 100 + part[0] - (part[1] <= 2);
	m = (part[1] + 9) % 12;
	*seconds = (365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + part[2]) * 86400 +
			   part[3] * 3600 + part[4] * 60 + part[5];
	return true;
}

/* MurmurHash2 with the seed that Kafka's Java client uses (Austin Appleby's, public domain). */
uint32_t
ec_murmur2(const void *key, size_t len)
{
	const uint32_t m = 0x5bd1e995;
	const unsigned char *p = key;
	uint32_t h = UINT32_C(0x9747b28c) ^ (uint32_t) len;

	for (; len >= 4; p += 4, len -= 4)
	{
		uint32_t k = p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;

		k *= m;
		k ^= k >> 24;
		k *= m;
		h *= m;
		h ^= k;
	}
	if (len >= 3)
		h ^= (uint32_t) p[2] << 16;
	if (len >= 2)
		h ^= (uint32_t) p[1] << 8;
	if (len >= 1)
	{
		h ^= p[0];
		h *= m;
	}
	h ^= h >> 13;
	h *= m;
	h ^= h >> 15;
	return h;
}

int32_t
ec_partition_of_key(const void *key, size_t len, int32_t partitions)
{
	return (int32_t) ((ec_murmur2(key, len) & 0x7fffffff) % (uint32_t) partitions);
}
