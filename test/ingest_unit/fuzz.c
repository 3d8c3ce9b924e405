/*
 * fuzz.c
 *	  Messages made at random, compared with the reference reader: same rows, same
 *	  values, same faults, same order.
 *
 *	  fuzz SECONDS [SEED]
 *
 * Messages are built from fields that are typical, tricky or random, then mutated
 * byte-wise; they stand in memory of exactly their size, so that a sanitizer sees
 * every byte read beyond.  One parser takes many messages, so that what one leaves
 * behind (header, day cache, buffers) shows in the next.  A last check inserts bad
 * lines between good ones, which must not change these.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reference.h"
#include "shop_columns.h"

static uint64_t state;

static uint32_t
rnd(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t) ((state >> 16) % n);
}

/* Every type once, with limits near at hand. */
static const EcRowColumn wide_columns[] = {
	{"a", "smallint", 0, EC_FIELD_INT, EC_PHYS_INT64, .min = INT16_MIN, .max = INT16_MAX},
	{"b", "integer", 1, EC_FIELD_INT, EC_PHYS_INT64, .min = INT32_MIN, .max = INT32_MAX,
	 .not_null = true},
	{"c", "numeric(5,3)", 2, EC_FIELD_DECIMAL, EC_PHYS_INT64, .precision = 5, .scale = 3},
	{"d", "numeric(18,0)", 3, EC_FIELD_DECIMAL, EC_PHYS_INT64, .precision = 18, .scale = 0},
	{"e", "real", 4, EC_FIELD_FLOAT4, EC_PHYS_INT64},
	{"f", "double precision", 5, EC_FIELD_FLOAT8, EC_PHYS_INT64},
	{"g", "boolean", 6, EC_FIELD_BOOL, EC_PHYS_INT64},
	{"h", "date", 7, EC_FIELD_DATE, EC_PHYS_INT64, .precision = 6},
	{"i", "timestamp", 8, EC_FIELD_TIMESTAMP, EC_PHYS_INT64, .precision = 6},
	{"j", "uuid", 9, EC_FIELD_UUID, EC_PHYS_UUID},
	{"k", "varchar(5)", 10, EC_FIELD_TEXT, EC_PHYS_BYTES, .max_chars = 5},
	{"l", "other", 11, EC_FIELD_OTHER, EC_PHYS_BYTES},
	{"m", "numeric(18,18)", 12, EC_FIELD_DECIMAL, EC_PHYS_INT64, .precision = 18, .scale = 18},
};
static const EcKind wide_kinds[] = {EC_KIND_INT,	EC_KIND_INT,   EC_KIND_DECIMAL, EC_KIND_DECIMAL,
									EC_KIND_FLOAT,	EC_KIND_FLOAT, EC_KIND_INT,		EC_KIND_INT,
									EC_KIND_INT,	EC_KIND_UUID,  EC_KIND_TEXT,	EC_KIND_RAW,
									EC_KIND_DECIMAL};

static const EcRowColumn text_columns[] = {
	{"x", "text", 0, EC_FIELD_TEXT, EC_PHYS_BYTES, .input = NULL},
	{"yy", "text", 1, EC_FIELD_TEXT, EC_PHYS_BYTES, .not_null = true},
	{"Zed", "text", 2, EC_FIELD_TEXT, EC_PHYS_BYTES, .input = NULL},
};
static const EcKind text_kinds[] = {EC_KIND_TEXT, EC_KIND_TEXT, EC_KIND_TEXT};

static const struct
{
	const EcRowColumn *columns;
	const EcKind *kinds;
	int n;
} tables[] = {{shop_columns, shop_kinds, SHOP_NCOLUMNS},
			  {wide_columns, wide_kinds, 13},
			  {text_columns, text_kinds, 3},
			  {shop_columns, shop_kinds, 1},
			  {text_columns, text_kinds, 1}};

/* Fields likely to be values of a type, and those next to them that are not. */
static const char *const int_words[] = {"0",
										"1",
										"-1",
										"+7",
										"12345678",
										"123456789",
										"2053013555631882655",
										"9223372036854775807",
										"9223372036854775808",
										"-9223372036854775808",
										"-9223372036854775809",
										"99999999999999999999999",
										"2.05301E+18",
										" 42",
										"42 ",
										"4 2",
										"",
										"-",
										"00000000000000000000012",
										"32767",
										"32768",
										"-32768",
										"2147483648",
										"1234567x",
										"0x10"};
static const char *const decimal_words[] = {"0.00",
											"35.79",
											"1302.48",
											"33.2",
											"7",
											"12345678.12",
											"99999999.99",
											"99999999.995",
											"99999999.994",
											".5",
											"5.",
											".",
											"-0.005",
											"1.005",
											"1.0049999",
											"1e2",
											"1.5E-3",
											"NaN",
											"-12.3",
											"1.2.3",
											"12,5",
											"0.000000000000000000000000000001",
											"0.123456789012345678",
											"0.9999999999999999995",
											"123456789012345678",
											"1e-400",
											"",
											"+1.10"};
static const char *const time_words[] = {"2019-10-01 00:00:00 UTC",
										 "2020-09-24 23:47:04+00:00",
										 "2020-02-29 23:59:59.999999",
										 "2019-02-29 00:00:00 UTC",
										 "1900-01-01",
										 "2000-01-01T12:34:56Z",
										 "2199-12-31 23:59:59-15:59",
										 "2019-13-01 00:00:00",
										 "2019-10-01 24:00:00 UTC",
										 "2019-10-01 00:60:00 UTC",
										 "2019-10-01 00:00:60 UTC",
										 "2019-10-01 00:00:00.5 +0530",
										 "2019-10-01 00:00:00+5",
										 "2019-10-01 0:00:00",
										 "2019-1-01 00:00:00",
										 "",
										 "2019-10-01 00:00:00 utc",
										 "2019-10-01 00:00:00 UTCX",
										 "2019-10-01 00:00:00.1234567 UTC",
										 "2019-10-01 00:00:00. UTC"};
static const char *const other_words[] = {"view",
										  "",
										  "\"\"",
										  "\"a,b\"",
										  "\"a\"\"b\"",
										  "\"a\nb\"",
										  "\"a\r\nb\"",
										  "a\"b",
										  "\"a\"b",
										  "\"open",
										  "electronics.smartphone",
										  "72d76fde-8bb3-4e00-8c23-a032dfed738c",
										  "72D76FDE8BB34E008C23A032DFED738C",
										  "72-d76fde8bb34e008c23a032dfed738c",
										  "72d7-6fde-8bb3-4e00-8c23-a032-dfed-738c",
										  "{72d76fde-8bb3-4e00-8c23-a032dfed738c}",
										  "\xc3\xa4\xc3\xb6",
										  "\xff",
										  "\xe4\xb8\xad\xe6\x96\x87",
										  "\xed\xa0\x80",
										  "long text that does not fit five",
										  "abc      ",
										  "t",
										  "FALSE",
										  "on",
										  "!",
										  "1e400",
										  "1.5",
										  "infinity",
										  "\"",
										  "\r",
										  "a\rb",
										  " x ",
										  "nan",
										  "\"12\"",
										  "\"\"\"\"",
										  "\xef\xbb\xbf"};

#define PICK(words) (words)[rnd(sizeof(words) / sizeof(*(words)))]

static void
put_field(RefText *m, const EcRowColumn *col)
{
	const char *word;

	if (rnd(12) == 0)
		word = PICK(other_words);
	else if (col->type == EC_FIELD_INT)
		word = PICK(int_words);
	else if (col->type == EC_FIELD_DECIMAL || col->type == EC_FIELD_FLOAT4 ||
			 col->type == EC_FIELD_FLOAT8)
		word = PICK(decimal_words);
	else if (col->type == EC_FIELD_DATE || col->type == EC_FIELD_TIMESTAMP ||
			 col->type == EC_FIELD_TIMESTAMPTZ)
		word = PICK(time_words);
	else if (rnd(30) == 0)
		word = col->name;
	else
		word = PICK(other_words);
	ref_append(m, word, strlen(word));
}

/* A value that is good for the column. */
static void
put_good(RefText *m, const EcRowColumn *col)
{
	switch (col->type)
	{
		case EC_FIELD_INT:
			ref_printf(m, "%d", (int) rnd(30000));
			break;
		case EC_FIELD_DECIMAL:
			ref_printf(m, "%d", col->precision > col->scale ? (int) rnd(10) : 0);
			break;
		case EC_FIELD_FLOAT4:
		case EC_FIELD_FLOAT8:
			ref_printf(m, "%u.%u", rnd(100), rnd(10000));
			break;
		case EC_FIELD_BOOL:
			ref_printf(m, "%s", rnd(2) ? "true" : "f");
			break;
		case EC_FIELD_DATE:
		case EC_FIELD_TIMESTAMP:
		case EC_FIELD_TIMESTAMPTZ:
			ref_printf(m, "20%02u-%02u-%02u %02u:%02u:%02u UTC", rnd(100), 1 + rnd(12), 1 + rnd(28),
					   rnd(24), rnd(60), rnd(60));
			break;
		case EC_FIELD_UUID:
			ref_printf(m, "%08x-0000-4000-8000-0000%08x", rnd(UINT32_MAX), rnd(UINT32_MAX));
			break;
		default:
			ref_printf(m, rnd(4) ? "v%u" : "\"v,%u\"", rnd(1000));
			break;
	}
}

static void
put_row(RefText *m, int table, bool good)
{
	int n = tables[table].n;

	if (!good && rnd(16) == 0)
		n += (int) rnd(3) - 1;
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			ref_append(m, ",", 1);
		if (good || rnd(3) != 0)
			put_good(m, &tables[table].columns[i % tables[table].n]);
		else
			put_field(m, &tables[table].columns[i % tables[table].n]);
	}
}

static void
put_header(RefText *m, int table)
{
	int n = tables[table].n;
	int start = (int) rnd((uint32_t) n);

	for (int i = 0; i < n; i++)
		ref_printf(m, "%s%s%s", i > 0 ? "," : "", rnd(20) ? "" : "\"",
				   rnd(20) ? tables[table].columns[(start + i) % n].name : "extra");
}

static void
make_message(RefText *m, int table)
{
	static const char *const ends[] = {"\n", "\r\n", "\r"};
	uint32_t rows = rnd(10) == 0 ? rnd(900) : rnd(8);
	const char *end = ends[rnd(16) == 0 ? 2 : rnd(2)];
	bool mostly_good = rnd(2) == 0;

	m->len = 0;
	ref_append(m, "", 0);
	if (rnd(10) == 0)
		ref_append(m, "\xef\xbb\xbf", 3);
	if (rnd(4) == 0)
	{
		put_header(m, table);
		ref_append(m, end, strlen(end));
	}
	for (uint32_t i = 0; i < rows; i++)
	{
		if (rnd(100) == 0)
			put_header(m, table);
		else if (rnd(30) != 0)
			put_row(m, table, mostly_good && rnd(50) != 0);
		if (i + 1 < rows || rnd(2))
			ref_append(m, end, strlen(end));
		if (rnd(40) == 0)
			end = ends[rnd(2)];
	}
	if (rnd(3) == 0)
	{
		static const char bytes[] = ",\"\n\r\0 -.0159eE:TZ+\xff\xc3x";

		for (uint32_t i = rnd(6); i > 0 && m->len > 0; i--)
			m->data[rnd((uint32_t) m->len)] = bytes[rnd(sizeof(bytes) - 1)];
	}
	if (rnd(8) == 0 && m->len > 0)
		m->len = rnd((uint32_t) m->len);
}

/* The parser under test with all it needs; outcomes are collected as the reference renders them. */
typedef struct Subject
{
	int table;
	EcCsvOptions options;
	EcRowColumn columns[REF_MAX_COLUMNS];
	EcBuilder *builders[REF_MAX_COLUMNS];
	EcCsv *csv;
	RefText kept;	/* pointers that ref_input made */
	RefText faults; /* rendered, each with its row number before it */
} Subject;

static void
on_fault(void *arg, const EcRowFault *f)
{
	Subject *s = arg;
	char line[200];

	memset(line, 0, sizeof(line));
	snprintf(line + 4, sizeof(line) - 4, "fault %u [%u,%u): %s\n", f->row, f->begin, f->end,
			 ec_fault_reason(f->code));
	memcpy(line, &f->row, 4);
	if (f->text[0] == '\0')
		abort();
	ref_append(&s->faults, line, sizeof(line));
}

static void
subject_init(Subject *s, int table)
{
	memset(s, 0, sizeof(*s));
	s->table = table;
	ec_csv_options_init(&s->options);
	s->options.header = rnd(6) == 0	  ? EC_CSV_HEADER_PRESENT
						: rnd(6) == 0 ? EC_CSV_HEADER_ABSENT
									  : EC_CSV_HEADER_AUTO;
	s->options.quote = rnd(8) == 0 ? '\0' : '"';
	s->options.fault = on_fault;
	s->options.fault_arg = s;
	for (int i = 0; i < tables[table].n; i++)
	{
		s->columns[i] = tables[table].columns[i];
		s->columns[i].input = ref_input;
		s->columns[i].input_arg = &s->kept;
		s->builders[i] = ec_builder_create(tables[table].kinds[i], &ec_malloc_allocator);
	}
	s->csv = ec_csv_create(&s->options, s->columns, tables[table].n, &ec_malloc_allocator);
}

static void
forget_values(Subject *s)
{
	for (size_t i = 0; i + sizeof(void *) <= s->kept.len; i += sizeof(void *))
	{
		void *p;

		memcpy(&p, s->kept.data + i, sizeof(p));
		free(p);
	}
	s->kept.len = 0;
}

static void
subject_free(Subject *s)
{
	ec_csv_destroy(s->csv);
	for (int i = 0; i < tables[s->table].n; i++)
		ec_builder_destroy(s->builders[i]);
	free(s->kept.data);
	free(s->faults.data);
}

/* Rows and faults of one message in the order of their numbers. */
static void
subject_feed(Subject *s, const char *message, size_t len, RefText *out, EcCsvResult *r)
{
	EcVector v[REF_MAX_COLUMNS];
	size_t fault = 0;
	uint32_t row = 0;

	s->faults.len = 0;
	for (int i = 0; i < tables[s->table].n; i++)
		ec_builder_reset(s->builders[i]);
	if (!ec_csv_feed(s->csv, message, len, s->builders, r))
		abort();
	for (int i = 0; i < tables[s->table].n; i++)
	{
		if (ec_builder_rows(s->builders[i]) != r->rows)
			abort();
		ec_builder_view(s->builders[i], &v[i]);
	}
	while (row < r->rows || fault < s->faults.len)
	{
		uint32_t number = UINT32_MAX;

		if (fault < s->faults.len)
			memcpy(&number, s->faults.data + fault, 4);
		if (row < r->rows && r->refs[row].row < number)
		{
			ref_printf(out, "row %u [%u,%u): ", r->refs[row].row, r->refs[row].begin,
					   r->refs[row].end);
			for (int i = 0; i < tables[s->table].n; i++)
			{
				ref_append(out, "|", 1);
				ref_render(&s->columns[i], &v[i], row, out);
			}
			ref_append(out, "\n", 1);
			row++;
			continue;
		}
		ref_append(out, s->faults.data + fault + 4, strlen(s->faults.data + fault + 4));
		fault += 200;
	}
	forget_values(s);
}

static void
fail(const char *what, const RefText *message, const RefText *want, const RefText *got)
{
	FILE *f = fopen("fuzz_failed.csv", "wb");

	if (f != NULL)
	{
		fwrite(message->data, 1, message->len, f);
		fclose(f);
	}
	fprintf(stderr,
			"%s\n--- message (also in fuzz_failed.csv)\n%.*s\n--- expected\n%.*s\n--- got\n%.*s\n",
			what, (int) message->len, message->data, (int) want->len, want->data, (int) got->len,
			got->data);
	exit(1);
}

static bool
same_text(const RefText *a, const RefText *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static uint64_t
compare_with_reference(int table, uint64_t *rows)
{
	Subject s;
	RefStream ref;
	RefText message = {0};
	RefText want = {0};
	RefText got = {0};
	uint64_t n = 0;

	subject_init(&s, table);
	ref_init(&ref, &s.options, s.columns, tables[table].n);
	for (; n < 20; n++)
	{
		EcCsvResult r;
		EcCsvResult counts;
		char *exact;

		make_message(&message, table);
		want.len = got.len = 0;
		exact = malloc(message.len);
		if (message.len > 0)
			memcpy(exact, message.data, message.len);
		ref_message(&ref, exact, message.len, &want, &counts);
		subject_feed(&s, exact, message.len, &got, &r);
		free(exact);
		if (!same_text(&want, &got))
			fail("outcomes differ", &message, &want, &got);
		if (r.rows != counts.rows || r.faults != counts.faults || r.headers != counts.headers ||
			r.blanks != counts.blanks)
		{
			fprintf(stderr, "rows %u %u, faults %u %u, headers %u %u, blanks %u %u\n", counts.rows,
					r.rows, counts.faults, r.faults, counts.headers, r.headers, counts.blanks,
					r.blanks);
			fail("counts differ", &message, &want, &got);
		}
		*rows += r.rows;
	}
	subject_free(&s);
	free(message.data);
	free(want.data);
	free(got.data);
	return n;
}

/* Values of the rows in a rendering, without numbers and places, and without faults. */
static void
only_values(const RefText *in, RefText *out)
{
	size_t at = 0;

	out->len = 0;
	ref_append(out, "", 0);
	while (at < in->len)
	{
		const char *nl = memchr(in->data + at, '\n', in->len - at);
		size_t end = nl == NULL ? in->len : (size_t) (nl - in->data) + 1;

		if (in->data[at] == 'r')
		{
			const char *bar = memchr(in->data + at, '|', end - at);

			ref_append(out, bar, (size_t) (in->data + end - bar));
		}
		at = end;
	}
}

/* Bad lines between good rows leave these as they are. */
static void
check_neighbours(void)
{
	static const char *const bad[] = {"x",
									  ",,,,,,,,,,,,,,,,,,,,",
									  "a\"b,c",
									  "\"a\"b,\"c,d\"e",
									  "\xff,1",
									  "a\rb",
									  "\"q\nr\"x",
									  "\xc3",
									  "1e5,\"\",\"\",\"\"\"\"z\""};
	int table = (int) rnd(2);
	Subject s;
	RefText clean = {0};
	RefText dirty = {0};
	RefText out[4] = {{0}};
	EcCsvResult r[2];

	subject_init(&s, table);
	s.options.header = EC_CSV_HEADER_ABSENT;
	s.options.quote = '"';
	ec_csv_destroy(s.csv);
	s.csv = ec_csv_create(&s.options, s.columns, tables[table].n, &ec_malloc_allocator);
	for (uint32_t i = rnd(600) + 1; i > 0; i--)
	{
		RefText row = {0};

		put_row(&row, table, true);
		ref_append(&row, "\n", 1);
		ref_append(&clean, row.data, row.len);
		ref_append(&dirty, row.data, row.len);
		free(row.data);
		if (rnd(5) == 0)
			ref_printf(&dirty, "%s\n", PICK(bad));
	}
	subject_feed(&s, clean.data, clean.len, &out[0], &r[0]);
	subject_feed(&s, dirty.data, dirty.len, &out[1], &r[1]);
	only_values(&out[0], &out[2]);
	only_values(&out[1], &out[3]);
	if (r[0].faults != 0 || r[0].rows != r[1].rows || !same_text(&out[2], &out[3]))
		fail("bad lines changed their neighbours", &dirty, &out[2], &out[3]);
	subject_free(&s);
	free(clean.data);
	free(dirty.data);
	for (int i = 0; i < 4; i++)
		free(out[i].data);
}

int
main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 5;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t) time(NULL);
	uint64_t messages = 0;
	uint64_t rows = 0;
	time_t end = time(NULL) + (time_t) seconds;
	uint64_t i = 0;

	do
	{
		state = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) | 1;
		(void) rnd(2);
		messages += compare_with_reference((int) rnd(5), &rows);
		check_neighbours();
		i++;
	} while (time(NULL) < end);
	printf("%llu messages, %llu good rows (seed %llu)\n", (unsigned long long) messages,
		   (unsigned long long) rows, (unsigned long long) seed);
	return 0;
}
