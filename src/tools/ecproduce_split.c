/*-------------------------------------------------------------------------
 *
 * ecproduce_split.c
 *	  Where the rows of CSV end.  Pure: no state between calls, no allocation.
 *
 * RFC 4180 as the consumer reads it: a quote opens a field only as its first
 * byte and is doubled inside; an end of line within a quoted field is
 * text; a row ends with LF (a CR before it belongs to the row); the last
 * row needs no end.  A quote that is never closed makes the rest one row.
 *
 * The usual block of 64 bytes holds no quote and no line that starts with
 * anything but a digit: its rows are counted by one popcount.  All other
 * blocks go byte by byte.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "tools/ecproduce.h"

#define BLOCK 64

typedef enum State
{
	FIELD_START, /* after a delimiter */
	UNQUOTED,
	QUOTED,
	QUOTE_IN_QUOTED, /* the closing quote, or the first of two */
} State;

typedef enum LineKind
{
	ROW,
	BLANK,
	HEADER_AGAIN,
} LineKind;

typedef struct Scanner
{
	const EcSplitRules *rules;
	const char *data;
	size_t len; /* of the data, for looking at whole lines */
	bool eof;	/* nothing follows the data */
	size_t at;
	size_t limit; /* scan no further */
	uint64_t max_rows;
	State state;
	bool line_start; /* at is the first byte of a line */
	LineKind kind;	 /* of this line */
	EcSplit split;
} Scanner;

/* What kind of line begins here?  False: another header, so stop. */
static bool
begin_line(Scanner *s)
{
	const EcSplitRules *rules = s->rules;
	const char *line = s->data + s->at;
	const char *end;
	size_t whole;
	size_t len;

	s->line_start = false;
	s->kind = ROW;
	if (*line >= '0' && *line <= '9')
		return true;
	end = memchr(line, '\n', s->len - s->at);
	if (end == NULL && !s->eof)
		return true; /* incomplete: won't be part of the answer */
	whole = len = end ? (size_t) (end - line) : s->len - s->at;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0)
		s->kind = BLANK;
	else if (rules->header && rules->header_len == len && memcmp(line, rules->header, len) == 0)
		s->kind = HEADER_AGAIN;
	else if (rules->expected && ec_line_is_header(line, whole, rules->expected, rules->delimiter))
	{
		s->split.header_follows = true;
		return false;
	}
	return true;
}

/* The line that ends before at belongs to the answer.  False: enough rows. */
static bool
end_line(Scanner *s)
{
	LineKind kind = s->kind;

	s->split.bytes = s->at;
	s->line_start = true;
	s->kind = ROW;
	if (kind == BLANK)
		s->split.blanks++;
	else if (kind == HEADER_AGAIN)
		s->split.headers++;
	else
		s->split.rows++;
	return s->split.rows < s->max_rows;
}

static inline State
next_state(State state, char c, char delimiter)
{
	switch (state)
	{
		case QUOTED:
			return c == '"' ? QUOTE_IN_QUOTED : QUOTED;
		case QUOTE_IN_QUOTED:
			if (c == '"')
				return QUOTED;
			return c == delimiter || c == '\n' ? FIELD_START : UNQUOTED;
		case FIELD_START:
			if (c == '"')
				return QUOTED;
			/* fall through */
		case UNQUOTED:
			break;
	}
	return c == delimiter || c == '\n' ? FIELD_START : UNQUOTED;
}

/* Byte by byte up to end.  False: enough. */
static bool
scan_bytes(Scanner *s, size_t end)
{
	while (s->at < end)
	{
		char c = s->data[s->at];
		bool row_end;

		if (s->line_start && !begin_line(s))
			return false;
		row_end = c == '\n' && s->state != QUOTED;
		s->state = next_state(s->state, c, s->rules->delimiter);
		s->at++;
		if (row_end && !end_line(s))
			return false;
	}
	return true;
}

#ifdef __SSE2__

typedef struct Masks
{
	uint64_t newline;
	uint64_t quote;
	uint64_t digit;
} Masks;

static inline Masks
masks_of(const char *block)
{
	const __m128i newline = _mm_set1_epi8('\n');
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i zero = _mm_set1_epi8('0');
	const __m128i nine = _mm_set1_epi8(9);
	Masks m = {0, 0, 0};

	for (int i = 0; i < 4; i++)
	{
		__m128i v = _mm_loadu_si128((const __m128i *) (block + i * 16));
		__m128i d = _mm_sub_epi8(v, zero);
		uint64_t n = (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(v, newline));
		uint64_t q = (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(v, quote));
		uint64_t g = (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(d, nine), nine));

		m.newline |= n << (i * 16);
		m.quote |= q << (i * 16);
		m.digit |= g << (i * 16);
	}
	return m;
}

/* One block in one step, if it is a usual one. */
static inline bool
scan_block(Scanner *s)
{
	Masks m = masks_of(s->data + s->at);
	uint64_t starts;
	uint64_t rows;
	char last;

	if (m.quote != 0 || s->kind != ROW)
		return false;
	if (s->state == QUOTED)
	{
		s->at += BLOCK;
		return true;
	}
	starts = (m.newline << 1) | (s->line_start ? 1 : 0);
	rows = (uint64_t) __builtin_popcountll(m.newline);
	if ((starts & ~m.digit) != 0 || s->split.rows + rows >= s->max_rows)
		return false;
	if (rows > 0)
		s->split.bytes = s->at + BLOCK - (size_t) __builtin_clzll(m.newline);
	last = s->data[s->at + BLOCK - 1];
	s->split.rows += rows;
	s->line_start = last == '\n';
	s->state = s->line_start || last == s->rules->delimiter ? FIELD_START : UNQUOTED;
	s->at += BLOCK;
	return true;
}

#else

static inline bool
scan_block(Scanner *s)
{
	return false;
}

#endif

/*
 * As many whole rows from the start of data as fit into max_rows and max_bytes.
 * The data must begin with a row; unless it is all that is left (eof), it
 * must hold more than max_bytes, or no row may be found.
 */
EcSplit
ec_split(const EcSplitRules *rules, const char *data, size_t len, bool eof, uint64_t max_rows,
		 size_t max_bytes)
{
	Scanner s = {.rules = rules, .data = data, .len = len, .eof = eof, .max_rows = max_rows};

	s.limit = len < max_bytes ? len : max_bytes;
	s.line_start = true;
	while (s.at < s.limit)
	{
		size_t end = s.limit - s.at < BLOCK ? s.limit : s.at + BLOCK;

		if (end == s.at + BLOCK && scan_block(&s))
			continue;
		if (!scan_bytes(&s, end))
			return s.split;
	}
	s.split.open_quote = s.state == QUOTED;
	/* the last row without an end of line */
	if (eof && s.limit == len && s.split.bytes < len)
		end_line(&s);
	return s.split;
}
