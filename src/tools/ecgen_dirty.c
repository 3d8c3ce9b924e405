/*-------------------------------------------------------------------------
 *
 * ecgen_dirty.c
 *	  --dirty: what people, spreadsheets and crashes do to CSV files.
 *
 * A kind is a small function that writes one row in its own way.  Its class
 * says what a careful reader should do with it:
 *
 *	  good  a legal variant: the row must be accepted
 *	  bad   a fault: this row must be refused, its neighbours kept
 *	  skip  a line beside the row that is no row at all
 *	  loss  eats rows after it; how many depends on how the input is cut
 *
 * The judgement is COPY's for the shop's columns, all nullable: event_time
 * timestamptz, ids bigint, price numeric(10,2), the rest text.  Where COPY is not
 * RFC 4180 the latter counts: each row may end in LF or CRLF by itself, a quote
 * belongs at the start of a field.  Empty and header lines are skipped.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecgen.h"

#define FIELDS 9
#define DIRTY_ROW_MAX 8192

enum
{
	F_TIME,
	F_TYPE,
	F_PRODUCT,
	F_CATEGORY,
	F_CODE,
	F_BRAND,
	F_PRICE,
	F_USER,
	F_SESSION,
};

typedef struct Row
{
	const char *field[FIELDS];
	int len[FIELDS];
	const char *ending;
	uint64_t r; /* random, for the kind's choices */
} Row;

typedef struct Text
{
	char bytes[DIRTY_ROW_MAX];
	size_t len;
} Text;

typedef enum KindClass
{
	CLASS_GOOD,
	CLASS_BAD,
	CLASS_SKIP,
	CLASS_LOSS,
} KindClass;

typedef enum KindPlace
{
	PLACE_ANY,
	PLACE_START,
	PLACE_END,
} KindPlace;

typedef struct Kind
{
	const char *name;
	KindClass class;
	KindPlace place;
	bool by_default;
	void (*write)(Row *row, Text *to);
	const char *what;
} Kind;

static void
put(Text *to, const char *bytes, size_t len)
{
	if (len > sizeof(to->bytes) - to->len)
		ec_fail("internal error: dirty row too long");
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
}

static void
put_string(Text *to, const char *s)
{
	put(to, s, strlen(s));
}

static void
put_fields(const Row *row, Text *to, int first, int last)
{
	for (int i = first; i <= last; i++)
	{
		put(to, row->field[i], (size_t) row->len[i]);
		if (i < last)
			put(to, ",", 1);
	}
}

static void
put_row(const Row *row, Text *to)
{
	put_fields(row, to, 0, FIELDS - 1);
	put_string(to, row->ending);
}

/* The row with one field replaced. */
static void
put_with(Row *row, Text *to, int field, const char *value)
{
	row->field[field] = value;
	row->len[field] = (int) strlen(value);
	put_row(row, to);
}

static const char *
choose(const Row *row, const char *const *values, int n)
{
	return values[(row->r >> 8) % (uint64_t) n];
}

#define CHOOSE(row, ...)                                                                           \
	choose(row, (const char *const[]){__VA_ARGS__},                                                \
		   (int) (sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

/* ---- faults ---- */

static void
few_fields(Row *row, Text *to)
{
	put_fields(row, to, 0, (int) ((row->r >> 8) % 7) + 1);
	put_string(to, row->ending);
}

static void
many_fields(Row *row, Text *to)
{
	put_fields(row, to, 0, FIELDS - 1);
	put_string(to, CHOOSE(row, ",", ",x", ",,,"));
	put_string(to, row->ending);
}

static void
bad_int(Row *row, Text *to)
{
	static const int fields[3] = {F_PRODUCT, F_CATEGORY, F_USER};

	put_with(row, to, fields[(row->r >> 32) % 3],
			 CHOOSE(row, "12a45", "abc", "-", "12.0", "x1F", "NULL", "\\N", "1 2"));
}

static void
excel_int(Row *row, Text *to)
{
	put_with(row, to, F_CATEGORY, CHOOSE(row, "2.05301E+18", "2.10391e+18"));
}

static void
int_range(Row *row, Text *to)
{
	put_with(row, to, (row->r >> 32) % 2 ? F_USER : F_CATEGORY,
			 CHOOSE(row, "9223372036854775808", "-9223372036854775809", "99999999999999999999999"));
}

static void
bad_time(Row *row, Text *to)
{
	put_with(row, to, F_TIME,
			 CHOOSE(row, "2019-13-01 00:00:00 UTC", "2019-02-30 00:00:00 UTC",
					"2019-10-01 25:00:00 UTC", "2019-10-01 00:61:00 UTC", "not a time",
					"2019-10-01 00:00:00 XYZZY", "#VALUE!"));
}

static void
time_range(Row *row, Text *to)
{
	put_with(row, to, F_TIME,
			 CHOOSE(row, "294277-01-01 00:00:00 UTC", "999999-12-31 23:59:59 UTC",
					"5000-01-01 00:00:00 BC"));
}

static void
bad_price(Row *row, Text *to)
{
	put_with(row, to, F_PRICE, CHOOSE(row, "12.3.4", "n/a", "$5.00", "--1", "1_", "12 34"));
}

static void
price_range(Row *row, Text *to)
{
	put_with(row, to, F_PRICE,
			 CHOOSE(row, "100000000.00", "-123456789012.00", "99999999.995", "1e30", "Infinity"));
}

static void
bad_utf8(Row *row, Text *to)
{
	/* stray continuation, cut sequence, overlong, surrogate, beyond U+10FFFF, Latin-1 */
	put_with(row, to, (row->r >> 32) % 2 ? F_BRAND : F_CODE,
			 CHOOSE(row, "a\x80z", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					"caf\xe9", "\xff\xfe"));
}

static void
nul_byte(Row *row, Text *to)
{
	row->field[F_BRAND] = "a\0b";
	row->len[F_BRAND] = 3;
	put_row(row, to);
}

static void
stray_quote(Row *row, Text *to)
{
	put_with(row, to, F_BRAND, CHOOSE(row, "5\" screen", "\"a\"b", "a\"\"", "\"a\" "));
}

static void
stray_cr(Row *row, Text *to)
{
	put_with(row, to, F_BRAND, "a\rb");
}

/* Cut within the eighth field and without an end of line. */
static void
torn_tail(Row *row, Text *to)
{
	put_fields(row, to, 0, F_PRICE);
	put(to, ",512", 4);
}

static void
open_quote(Row *row, Text *to)
{
	put_fields(row, to, 0, F_CODE);
	put(to, ",\"", 2);
	put_fields(row, to, F_BRAND, FIELDS - 1);
	put_string(to, row->ending);
}

/* ---- legal variants ---- */

static void
crlf(Row *row, Text *to)
{
	row->ending = "\r\n";
	put_row(row, to);
}

static void
short_price(Row *row, Text *to)
{
	put_with(row, to, F_PRICE, CHOOSE(row, "33.2", "38", "0", "7.", ".5", "33.20000"));
}

static void
price_exponent(Row *row, Text *to)
{
	put_with(row, to, F_PRICE, CHOOSE(row, "1.5e1", "2E2", "1250e-1"));
}

static void
price_negative(Row *row, Text *to)
{
	put_with(row, to, F_PRICE, CHOOSE(row, "-5.00", "-0.01", "-99999999.99"));
}

static void
price_rounded(Row *row, Text *to)
{
	put_with(row, to, F_PRICE, CHOOSE(row, "33.205", "33.2049999", "-1.005", "99999999.994"));
}

static void
price_nan(Row *row, Text *to)
{
	put_with(row, to, F_PRICE, CHOOSE(row, "NaN", "nan"));
}

static void
pandas_time(Row *row, Text *to)
{
	put_with(row, to, F_TIME,
			 CHOOSE(row, "2019-10-24 23:47:04+00:00", "2019-10-24T23:47:04Z",
					"2019-10-24 23:47:04.123456+00:00", "2019-10-25 05:17:04+05:30",
					"2019-10-24 23:47:04+00"));
}

static void
blank_fields(Row *row, Text *to)
{
	for (int i = 0; i < FIELDS; i++)
		if ((row->r >> (8 + i)) & 1)
			row->len[i] = 0;
	/* never all nine: that would still be a row, but be kind to readers' eyes */
	if (row->len[F_TYPE] == 0)
	{
		row->field[F_TYPE] = "view";
		row->len[F_TYPE] = 4;
	}
	put_row(row, to);
}

static void
quoted(Row *row, Text *to)
{
	for (int i = 0; i < FIELDS; i++)
	{
		if (i > 0)
			put(to, ",", 1);
		if (row->len[i] > 0)
			put(to, "\"", 1);
		put(to, row->field[i], (size_t) row->len[i]);
		if (row->len[i] > 0)
			put(to, "\"", 1);
	}
	put_string(to, row->ending);
}

static void
quoted_empty(Row *row, Text *to)
{
	put_with(row, to, (row->r >> 32) % 2 ? F_BRAND : F_CODE, "\"\"");
}

static void
quoted_special(Row *row, Text *to)
{
	put_with(row, to, F_BRAND,
			 CHOOSE(row, "\"a,b\"", "\"say \"\"hi\"\"\"", "\"\"\"\"", "\" padded \""));
}

static void
quoted_newline(Row *row, Text *to)
{
	put_with(row, to, F_BRAND, CHOOSE(row, "\"two\nlines\"", "\"two\r\nlines\"", "\"\n\n\n\""));
}

static void
utf8(Row *row, Text *to)
{
	put_with(row, to, F_BRAND,
			 CHOOSE(row, "\xd0\xb1\xd1\x80\xd0\xb5\xd0\xbd\xd0\xb4", "caf\xc3\xa9",
					"\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x9b\x92"));
}

static void
spaces(Row *row, Text *to)
{
	put_with(row, to, (row->r >> 32) % 2 ? F_PRODUCT : F_USER, CHOOSE(row, " 12345", "12345 "));
}

static void
other_type(Row *row, Text *to)
{
	put_with(row, to, F_TYPE, CHOOSE(row, "remove_from_cart", "VIEW", "wish"));
}

static void
other_ids(Row *row, Text *to)
{
	row->field[F_SESSION] = CHOOSE(row, "LJuJVLEjPT", "g6z3mSfqVl");
	row->len[F_SESSION] = 10;
	put_with(row, to, F_USER,
			 CHOOSE(row, "1515915625519388267", "9223372036854775807", "-9223372036854775808"));
}

static void
long_field(Row *row, Text *to)
{
	static char text[4097];

	memset(text, 'x', sizeof(text) - 1);
	put_with(row, to, F_BRAND, text);
}

/* ---- lines that are no rows ---- */

static void
header_again(Row *row, Text *to)
{
	put_string(to, EC_GEN_HEADER);
	put_row(row, to);
}

static void
empty_line(Row *row, Text *to)
{
	put_string(to, CHOOSE(row, "\n", "\r\n"));
	put_row(row, to);
}

static void
bom(Row *row, Text *to)
{
	put(to, "\xef\xbb\xbf", 3);
}

static const Kind kinds[] = {
	{"few_fields", CLASS_BAD, PLACE_ANY, true, few_fields, "2 to 8 fields"},
	{"many_fields", CLASS_BAD, PLACE_ANY, true, many_fields, "10 to 12 fields"},
	{"bad_int", CLASS_BAD, PLACE_ANY, true, bad_int, "an id that is no number"},
	{"excel_int", CLASS_BAD, PLACE_ANY, true, excel_int, "2.05301E+18 for an id"},
	{"int_range", CLASS_BAD, PLACE_ANY, true, int_range, "an id beyond 64 bits"},
	{"bad_time", CLASS_BAD, PLACE_ANY, true, bad_time, "a time that does not exist"},
	{"time_range", CLASS_BAD, PLACE_ANY, true, time_range, "a time out of range"},
	{"bad_price", CLASS_BAD, PLACE_ANY, true, bad_price, "a price that is no number"},
	{"price_range", CLASS_BAD, PLACE_ANY, true, price_range, "a price beyond numeric(10,2)"},
	{"bad_utf8", CLASS_BAD, PLACE_ANY, true, bad_utf8, "bytes that are no UTF-8"},
	{"nul_byte", CLASS_BAD, PLACE_ANY, true, nul_byte, "a NUL byte"},
	{"stray_quote", CLASS_BAD, PLACE_ANY, true, stray_quote, "a quote within a field"},
	{"stray_cr", CLASS_BAD, PLACE_ANY, true, stray_cr, "a CR within a row"},
	{"crlf", CLASS_GOOD, PLACE_ANY, true, crlf, "the row ends in CR LF"},
	{"short_price", CLASS_GOOD, PLACE_ANY, true, short_price, "33.2, 38, .5"},
	{"price_exponent", CLASS_GOOD, PLACE_ANY, true, price_exponent, "1.5e1"},
	{"price_negative", CLASS_GOOD, PLACE_ANY, true, price_negative, "-5.00"},
	{"price_rounded", CLASS_GOOD, PLACE_ANY, true, price_rounded, "33.205, to be rounded"},
	{"price_nan", CLASS_GOOD, PLACE_ANY, true, price_nan, "NaN, which numeric can hold"},
	{"pandas_time", CLASS_GOOD, PLACE_ANY, true, pandas_time, "2020-09-24 23:47:04+00:00 …"},
	{"blank_fields", CLASS_GOOD, PLACE_ANY, true, blank_fields, "some fields empty (NULL)"},
	{"quoted", CLASS_GOOD, PLACE_ANY, true, quoted, "all fields quoted"},
	{"quoted_empty", CLASS_GOOD, PLACE_ANY, true, quoted_empty, "\"\", the empty string"},
	{"quoted_special", CLASS_GOOD, PLACE_ANY, true, quoted_special, "quoted comma or quote"},
	{"quoted_newline", CLASS_GOOD, PLACE_ANY, true, quoted_newline, "quoted end of line"},
	{"utf8", CLASS_GOOD, PLACE_ANY, true, utf8, "letters beyond ASCII"},
	{"spaces", CLASS_GOOD, PLACE_ANY, true, spaces, "blanks around a number"},
	{"other_type", CLASS_GOOD, PLACE_ANY, true, other_type, "remove_from_cart …"},
	{"other_ids", CLASS_GOOD, PLACE_ANY, true, other_ids, "19-digit user, short session"},
	{"long_field", CLASS_GOOD, PLACE_ANY, true, long_field, "a brand of 4,096 bytes"},
	{"header_again", CLASS_SKIP, PLACE_ANY, true, header_again, "the header line once more"},
	{"empty_line", CLASS_SKIP, PLACE_ANY, true, empty_line, "an empty line"},
	{"bom", CLASS_SKIP, PLACE_START, true, bom, "a byte order mark at the start"},
	{"torn_tail", CLASS_BAD, PLACE_END, true, torn_tail, "the last row is cut off"},
	{"open_quote_tail", CLASS_BAD, PLACE_END, false, open_quote, "an open quote in the last row"},
	{"open_quote", CLASS_LOSS, PLACE_ANY, false, open_quote, "an open quote anywhere"},
};

#define NKINDS ((int) (sizeof(kinds) / sizeof(kinds[0])))

static const char *const class_names[] = {"good", "bad", "skip", "loss"};

struct EcDirty
{
	EcRng rng;
	double percent;
	uint64_t chance; /* of 2^32 */
	int any[NKINDS]; /* kinds for any place */
	int nany;
	bool on[NKINDS];
	uint64_t count[NKINDS];
	uint64_t clean;
};

static void
enable_kinds(EcDirty *dirty, const char *list)
{
	while (*list != '\0')
	{
		size_t len = strcspn(list, ",");
		int k;

		for (k = 0; k < NKINDS; k++)
			if (strlen(kinds[k].name) == len && strncmp(kinds[k].name, list, len) == 0)
				break;
		if (k == NKINDS)
			ec_usage_error("unknown kind of dirt \"%.*s\"", (int) len, list);
		dirty->on[k] = true;
		list += len;
		list += strspn(list, ",");
	}
}

EcDirty *
ec_dirty_create(uint64_t seed, double percent, const char *list)
{
	EcDirty *dirty = ec_alloc(sizeof(EcDirty));

	ec_rng_seed(&dirty->rng, seed, 5);
	dirty->percent = percent;
	dirty->chance = (uint64_t) (percent / 100.0 * 4294967296.0);
	if (list != NULL)
		enable_kinds(dirty, list);
	for (int k = 0; k < NKINDS; k++)
	{
		if (list == NULL)
			dirty->on[k] = kinds[k].by_default;
		if (dirty->on[k] && kinds[k].place == PLACE_ANY)
			dirty->any[dirty->nany++] = k;
	}
	return dirty;
}

bool
ec_dirty_start(EcDirty *dirty, EcOutput *out)
{
	for (int k = 0; k < NKINDS; k++)
	{
		Text text = {.len = 0};

		if (!dirty->on[k] || kinds[k].place != PLACE_START)
			continue;
		kinds[k].write(NULL, &text);
		ec_output_bytes(out, text.bytes, text.len);
		dirty->count[k]++;
		return true;
	}
	return false;
}

/* The kind of this row, or -1 for a clean one; the later of two tails wins. */
static int
pick_kind(EcDirty *dirty, bool last, uint64_t r)
{
	int kind = -1;

	if (last)
		for (int k = 0; k < NKINDS; k++)
			if (dirty->on[k] && kinds[k].place == PLACE_END)
				kind = k;
	if (kind < 0 && dirty->nany > 0 && (r & UINT32_MAX) < dirty->chance)
		kind = dirty->any[(r >> 32) % (uint64_t) dirty->nany];
	return kind;
}

/* Clean rows have no quotes: the commas are the separators. */
static void
split_row(Row *row, const char *bytes, size_t len)
{
	const char *end = bytes + len - 1;

	row->ending = "\n";
	for (int i = 0; i < FIELDS; i++)
	{
		const char *comma = memchr(bytes, ',', (size_t) (end - bytes));

		if (comma == NULL)
			comma = end;
		row->field[i] = bytes;
		row->len[i] = (int) (comma - bytes);
		bytes = comma + 1;
	}
}

void
ec_dirty_row(EcDirty *dirty, EcOutput *out, const char *bytes, size_t len, bool last)
{
	int kind = pick_kind(dirty, last, ec_rng_next(&dirty->rng));
	Text text;
	Row row;

	if (kind < 0)
	{
		dirty->clean++;
		ec_output_bytes(out, bytes, len);
		return;
	}
	split_row(&row, bytes, len);
	row.r = ec_rng_next(&dirty->rng);
	text.len = 0;
	kinds[kind].write(&row, &text);
	dirty->count[kind]++;
	ec_output_bytes(out, text.bytes, text.len);
}

/* Tab-separated: a line for each kind, then the totals; "good" and "bad" add up to "rows". */
static void
write_report(const EcDirty *dirty, FILE *f, uint64_t rows, bool header)
{
	uint64_t totals[4] = {dirty->clean, 0, 0, 0};

	fprintf(f, "kind\tclean\tgood\t%llu\n", (unsigned long long) dirty->clean);
	for (int k = 0; k < NKINDS; k++)
	{
		if (!dirty->on[k])
			continue;
		fprintf(f, "kind\t%s\t%s\t%llu\n", kinds[k].name, class_names[kinds[k].class],
				(unsigned long long) dirty->count[k]);
		totals[kinds[k].class] += dirty->count[k];
		if (kinds[k].class == CLASS_SKIP && kinds[k].place == PLACE_ANY)
			totals[CLASS_GOOD] += dirty->count[k]; /* the row beside the line */
	}
	fprintf(f, "total\trows\t%llu\n", (unsigned long long) rows);
	fprintf(f, "total\tgood\t%llu\n", (unsigned long long) totals[CLASS_GOOD]);
	fprintf(f, "total\tbad\t%llu\n", (unsigned long long) totals[CLASS_BAD]);
	fprintf(f, "total\tloss\t%llu\n", (unsigned long long) totals[CLASS_LOSS]);
	fprintf(f, "total\theader\t%d\n", header ? 1 : 0);
}

bool
ec_dirty_report(const EcDirty *dirty, const char *path, uint64_t rows, bool header)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		return false;
	write_report(dirty, f, rows, header);
	return fclose(f) == 0;
}

void
ec_dirty_free(EcDirty *dirty)
{
	free(dirty);
}

void
ec_dirty_list_kinds(FILE *to)
{
	for (int k = 0; k < NKINDS; k++)
		fprintf(to, "  %-16s %-5s %s%s\n", kinds[k].name, class_names[kinds[k].class],
				kinds[k].what, kinds[k].by_default ? "" : " (only if named)");
}
