/*-------------------------------------------------------------------------
 *
 * split_driver.c
 *	  Runs the pure parts of ecproduce on what split.pl sends.
 *
 * Standard input is a sequence of cases, each a letter and its arguments;
 * numbers are 32 bits, little-endian, strings a number and their bytes.  One line
 * of answer for each.
 *
 *	  s max_rows max_bytes window data   split like the producer does, with
 *	                                     header lines of columns a, b, c
 *	  m key                              murmur2, signed, and its partition of 7
 *	  f number row                       field, raw and unquoted, or -
 *	  t text                             seconds, or -
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecproduce.h"

static uint32_t
get_number(void)
{
	unsigned char b[4];

	if (fread(b, 1, 4, stdin) != 4)
		exit(3);
	return b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16 | (uint32_t) b[3] << 24;
}

/* In a block of exactly its size, so that the sanitizer sees every step too far. */
static char *
get_string(size_t *len)
{
	char *s;

	*len = get_number();
	s = malloc(*len);
	if (*len > 0 && fread(s, 1, *len, stdin) != *len)
		exit(3);
	return s;
}

/* The window as the input would show it: a copy without a byte behind it. */
static char *
window_of(const char *data, size_t len)
{
	char *w = malloc(len);

	memcpy(w, data, len);
	return w;
}

/* Takes the header line at the start of the data; returns its whole length. */
static size_t
take_header(EcSplitRules *rules, char **header, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t whole = end ? (size_t) (end - data) + 1 : len;
	size_t line = end ? whole - 1 : whole;

	if (line > 0 && data[line - 1] == '\r')
		line--;
	free(*header);
	*header = malloc(line + 1);
	memcpy(*header, data, line);
	rules->header = *header;
	rules->header_len = line;
	return whole;
}

static void
do_split(void)
{
	uint32_t max_rows = get_number();
	uint32_t max_bytes = get_number();
	uint32_t window = get_number();
	size_t len;
	char *data = get_string(&len);
	char *header = NULL;
	EcColumns expected;
	EcSplitRules rules = {.delimiter = ','};
	size_t at = 0;

	ec_columns_read(&expected, "a,b,c", 5, ',');
	rules.expected = &expected;
	while (at < len)
	{
		size_t n = len - at < window ? len - at : window;
		char *w = window_of(data + at, n);
		EcSplit s = ec_split(&rules, w, n, at + n == len, max_rows, max_bytes);

		printf("%zu:%llu:%llu:%llu ", s.bytes, (unsigned long long) s.rows,
			   (unsigned long long) s.blanks, (unsigned long long) s.headers);
		at += s.bytes;
		if (s.header_follows)
		{
			size_t whole = take_header(&rules, &header, w + s.bytes, n - s.bytes);

			printf("H%zu ", whole);
			at += whole;
		}
		else if (s.bytes == 0)
		{
			printf("too large%s", s.open_quote ? " open" : "");
			at = len;
		}
		free(w);
	}
	printf("\n");
	ec_columns_free(&expected);
	free(header);
	free(data);
}

static void
do_murmur(void)
{
	size_t len;
	char *key = get_string(&len);

	printf("%d %d\n", (int32_t) ec_murmur2(key, len), ec_partition_of_key(key, len, 7));
	free(key);
}

static void
do_field(void)
{
	int number = (int) get_number();
	size_t len;
	char *row = get_string(&len);
	char text[64];
	EcField field;

	if (ec_row_field(row, len, number, ',', &field))
		printf("%.*s|%.*s\n", (int) field.len, field.bytes,
			   (int) ec_field_unquote(&field, text, sizeof(text)), text);
	else
		printf("-\n");
	free(row);
}

static void
do_time(void)
{
	size_t len;
	char *s = get_string(&len);
	int64_t seconds;

	if (ec_time_read(s, len, &seconds))
		printf("%lld\n", (long long) seconds);
	else
		printf("-\n");
	free(s);
}

int
main(void)
{
	int c;

	while ((c = getchar()) != EOF)
	{
		if (c == 's')
			do_split();
		else if (c == 'm')
			do_murmur();
		else if (c == 'f')
			do_field();
		else if (c == 't')
			do_time();
		else
			return 3;
	}
	return 0;
}
