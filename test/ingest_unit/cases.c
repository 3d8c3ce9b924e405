/*
 * cases.c
 *	  The CSV parser's promises (csv.h), one by one.
 *
 * Each case is a message and what must come of it, rendered as in reference.h
 * without the byte ranges, lines parted by newlines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "shop_columns.h"

static int passed;
static int failed;

static void
check(bool ok, const char *what, const char *detail)
{
	if (ok)
		passed++;
	else
	{
		failed++;
		printf("FAILED: %s\n%s\n", what, detail);
	}
}

static const EcRowColumn columns[] = {
	{"id", "integer", 0, EC_FIELD_INT, EC_PHYS_INT64, .min = INT32_MIN, .max = INT32_MAX},
	{"name", "varchar(6)", 1, EC_FIELD_TEXT, EC_PHYS_BYTES, .max_chars = 6},
	{"price", "numeric(6,2)", 2, EC_FIELD_DECIMAL, EC_PHYS_INT64, .precision = 6, .scale = 2},
};
static const EcKind kinds[] = {EC_KIND_INT, EC_KIND_TEXT, EC_KIND_DECIMAL};
#define NCOLUMNS 3

typedef struct Fixture
{
	EcCsvOptions options;
	EcCsv *csv;
	EcBuilder *builders[NCOLUMNS];
	RefText faults;
	EcCsvResult result;
} Fixture;

static void
on_fault(void *arg, const EcRowFault *f)
{
	Fixture *x = arg;

	ref_printf(&x->faults, "fault %u@%u %s: %s\n", f->row, f->line, ec_fault_reason(f->code),
			   f->text);
}

static void
open_fixture(Fixture *x, EcCsvHeader header, char delimiter, char quote)
{
	memset(x, 0, sizeof(*x));
	ec_csv_options_init(&x->options);
	x->options.header = header;
	x->options.delimiter = delimiter;
	x->options.quote = quote;
	x->options.fault = on_fault;
	x->options.fault_arg = x;
	x->csv = ec_csv_create(&x->options, columns, NCOLUMNS, &ec_malloc_allocator);
	for (int i = 0; i < NCOLUMNS; i++)
		x->builders[i] = ec_builder_create(kinds[i], &ec_malloc_allocator);
}

static void
close_fixture(Fixture *x)
{
	ec_csv_destroy(x->csv);
	for (int i = 0; i < NCOLUMNS; i++)
		ec_builder_destroy(x->builders[i]);
	free(x->faults.data);
}

/* Feeds a message; out gets the rows, then the faults, then the counts of headers and blanks. */
static void
feed(Fixture *x, const char *message, size_t len, RefText *out)
{
	EcVector v[NCOLUMNS];
	char *exact = malloc(len);

	if (len > 0)
		memcpy(exact, message, len);
	out->len = x->faults.len = 0;
	ref_append(out, "", 0);
	for (int i = 0; i < NCOLUMNS; i++)
		ec_builder_reset(x->builders[i]);
	check(ec_csv_feed(x->csv, exact, len, x->builders, &x->result), "feed", message);
	for (int i = 0; i < NCOLUMNS; i++)
		ec_builder_view(x->builders[i], &v[i]);
	for (uint32_t row = 0; row < x->result.rows; row++)
	{
		for (int i = 0; i < NCOLUMNS; i++)
		{
			ref_append(out, "|", i > 0);
			ref_render(&columns[i], &v[i], row, out);
		}
		ref_append(out, "\n", 1);
	}
	ref_append(out, x->faults.data, x->faults.len);
	if (x->result.headers > 0)
		ref_printf(out, "headers %u\n", x->result.headers);
	if (x->result.blanks > 0)
		ref_printf(out, "blanks %u\n", x->result.blanks);
	free(exact);
}

static void
expect(Fixture *x, const char *what, const char *message, size_t len, const char *want)
{
	RefText out = {0};
	char detail[2000];

	feed(x, message, len, &out);
	snprintf(detail, sizeof(detail), "message: %s\nwanted:\n%sgot:\n%s", message, want, out.data);
	check(strcmp(out.data, want) == 0, what, detail);
	free(out.data);
}

static void
one(const char *what, const char *message, size_t len, const char *want)
{
	Fixture x;

	open_fixture(&x, EC_CSV_HEADER_AUTO, ',', '"');
	expect(&x, what, message, len, want);
	close_fixture(&x);
}

#define ONE(what, message, want) one(what, message, sizeof(message) - 1, want)
#define EXPECT(x, what, message, want) expect(x, what, message, sizeof(message) - 1, want)

static void
test_fields_and_lines(void)
{
	ONE("empty message", "", "");
	ONE("only a mark", "\xef\xbb\xbf", "");
	ONE("plain rows", "1,a,2.50\n-2,b,3\n", "1|a|250\n-2|b|300\n");
	ONE("last line without end", "1,a,2\n2,b,3", "1|a|200\n2|b|300\n");
	ONE("CR LF, and mixed", "1,a,2\r\n2,b,3\n3,c,4\r\n", "1|a|200\n2|b|300\n3|c|400\n");
	ONE("only CR", "1,a,2\r2,b,3\r", "1|a|200\n2|b|300\n");
	ONE("CR at the very end", "1,a,2\n2,b,3\r", "1|a|200\n2|b|300\n");
	ONE("stray CR", "1,a\rb,2\n2,b,3\n",
		"2|b|300\nfault 1@1 bad_line_end: carriage return that does not end the line\n");
	ONE("blank lines", "\n\r\n1,a,2\n\n", "1|a|200\nblanks 3\n");
	ONE("NULL and the empty string", ",,\n1,\"\",\n", "\\N|\\N|\\N\n1||\\N\n");
	ONE("quoted empty number", "\"\",a,1\n",
		"fault 1@1 invalid_value: column \"id\": invalid input syntax for type integer: \"\"\n");
	ONE("blanks are no NULL", "1, ,2\n", "1| |200\n");
	ONE("quotes", "\"1\",\"a,b\",\"2.5\"\n2,\"a\nb\",3\n3,\"a\"\"b\",4\n4,\"\"\"\",5\n",
		"1|a,b|250\n2|a\nb|300\n3|a\"b|400\n4|\"|500\n");
	ONE("a line end in quotes counts as a line", "1,\"a\nb\",1\n2,x\n",
		"1|a\nb|100\nfault 2@3 field_count: row has 2 fields, expected 3\n");
	ONE("quote inside", "1,a\"b,2\n2,b,3\n",
		"2|b|300\nfault 1@1 bad_quote: quote inside an unquoted field, or text after a closing "
		"quote\n");
	ONE("text behind a quote", "1,\"a\"b,2\n2,b,3\n",
		"2|b|300\nfault 1@1 bad_quote: quote inside an unquoted field, or text after a closing "
		"quote\n");
	ONE("open quote takes the rest", "1,a,2\n2,\"b,3\n3,c,4\n",
		"1|a|200\nfault 2@2 open_quote: quoted field is not closed\n");
	ONE("too few, too many", "1,a\n1,a,2\n1,a,2,3\n",
		"1|a|200\nfault 1@1 field_count: row has 2 fields, expected 3\n"
		"fault 3@3 field_count: row has 4 fields, expected 3\n");
	ONE("NUL byte", "1,a\0b,2\n2,b,3\n", "2|b|300\nfault 1@1 nul_byte: row contains a NUL byte\n");
	ONE("bad UTF-8", "1,a\xff,2\n2,\xc3\xa4,3\n",
		"2|\xc3\xa4|300\nfault 1@1 invalid_encoding: invalid byte sequence for the database "
		"encoding\n");
	ONE("cut UTF-8 at the end", "1,a,2\n1,\xc3",
		"1|a|200\nfault 2@2 invalid_encoding: invalid byte sequence for the database encoding\n");
	ONE("mark before a quote", "\xef\xbb\xbf\"1\",a,2\n", "1|a|200\n");
}

static void
test_values(void)
{
	ONE("the exponent form of an integer", "2.05301E+18,a,1\n",
		"fault 1@1 invalid_value: column \"id\": invalid input syntax for type integer: "
		"\"2.05301E+18\"\n");
	ONE("range of an integer", "2147483648,a,1\n-2147483648,b,1\n",
		"-2147483648|b|100\n"
		"fault 1@1 out_of_range: column \"id\": value \"2147483648\" is out of range for type "
		"integer\n");
	ONE("rounding", "1,a,2.005\n2,a,2.004\n3,a,-2.005\n4,a,9999.99\n",
		"1|a|201\n2|a|200\n3|a|-201\n4|a|999999\n");
	ONE("overflow by rounding", "4,a,9999.995\n",
		"fault 1@1 out_of_range: column \"price\": value \"9999.995\" is out of range for type "
		"numeric(6,2)\n");
	ONE("length in characters",
		"1,\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4,1\n2,1234567,1\n3,123456  ,1\n",
		"1|\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4|100\n3|123456|100\n"
		"fault 2@2 too_long: column \"name\": value too long for type varchar(6)\n");
	ONE("first fault in the fields' order", "x,1234567,y\n",
		"fault 1@1 invalid_value: column \"id\": invalid input syntax for type integer: \"x\"\n");
	ONE("a long value is cut at a character",
		"12345678901234567890123456789012345678901234567890123456789012\xc3\xa4\xc3\xa4\xc3\xa4,a,"
		"1\n",
		"fault 1@1 invalid_value: column \"id\": invalid input syntax for type integer: "
		"\"12345678901234567890123456789012345678901234567890123456789012\xc3\xa4...\"\n");
}

static void
test_headers(void)
{
	Fixture x;

	ONE("header", "id,name,price\n1,a,2\n", "1|a|200\nheaders 1\n");
	ONE("header after a mark, any case, blanks", "\xef\xbb\xbf Price , NAME,Id \n2,a,1\n",
		"1|a|200\nheaders 1\n");
	ONE("quoted header", "\"name\",\"price\",\"id\"\na,2,1\n", "1|a|200\nheaders 1\n");
	ONE("unknown and missing columns", "x,name,id\n9,a,1\n", "1|a|\\N\nheaders 1\n");
	ONE("all names among many others", "x,y,z,w,v,name,id,price\n,,,,,a,1,2\n",
		"1|a|200\nheaders 1\n");
	ONE("a name twice", "id,id,name\n1,2,a\n", "1|a|\\N\nheaders 1\n");
	ONE("repeated, with another order", "1,a,2\nprice,id,name\n3,2,b\nid,name,price\n3,c,4\n",
		"1|a|200\n2|b|300\n3|c|400\nheaders 2\n");
	ONE("not enough names", "id,x,y\n",
		"fault 1@1 invalid_value: column \"id\": invalid input syntax for type integer: \"id\"\n");
	ONE("a number in its place is a row", "1,name,\n", "1|name|\\N\n");

	open_fixture(&x, EC_CSV_HEADER_AUTO, ',', '"');
	EXPECT(&x, "order of the table at first", "1,a,2\n", "1|a|200\n");
	check(ec_csv_header_serial(x.csv) == 0, "serial at first", "");
	EXPECT(&x, "header", "price,name,id,more\n2,a,1,x\n", "1|a|200\nheaders 1\n");
	EXPECT(&x, "order kept for the next message", "4,b,3,y\n", "3|b|400\n");
	check(ec_csv_header_serial(x.csv) == 1 && ec_csv_header_fields(x.csv) == 4 &&
			  strcmp(ec_csv_header_name(x.csv, 0), "price") == 0 &&
			  strcmp(ec_csv_header_name(x.csv, 3), "more") == 0,
		  "header's names", "");
	EXPECT(&x, "same header again", "price,name,id,more\n", "headers 1\n");
	check(ec_csv_header_serial(x.csv) == 1, "same header, same serial", "");
	close_fixture(&x);

	{
		const char *saved[] = {"name", "Nothing", "id"};

		open_fixture(&x, EC_CSV_HEADER_AUTO, ',', '"');
		check(ec_csv_set_header(x.csv, saved, 3), "saved header", "");
		EXPECT(&x, "saved order", "a,b,1\n", "1|a|\\N\n");
		check(ec_csv_set_header(x.csv, NULL, 0), "no header", "");
		EXPECT(&x, "table's order", "1,a,2\n", "1|a|200\n");
		close_fixture(&x);
	}

	open_fixture(&x, EC_CSV_HEADER_PRESENT, ',', '"');
	EXPECT(&x, "one name is enough", "a,id,c\n1,2,3\n", "2|\\N|\\N\nheaders 1\n");
	EXPECT(&x, "expected, but missing", "1,2,3\n4,5,6\n",
		   "5|\\N|\\N\nfault 1@1 bad_header: header expected, but the line names no column of the "
		   "target\n");
	close_fixture(&x);

	open_fixture(&x, EC_CSV_HEADER_ABSENT, ',', '"');
	EXPECT(
		&x, "no line is a header", "id,name,price\n",
		"fault 1@1 invalid_value: column \"id\": invalid input syntax for type integer: \"id\"\n");
	close_fixture(&x);
}

static void
test_options(void)
{
	Fixture x;
	EcCsvOptions o;

	open_fixture(&x, EC_CSV_HEADER_AUTO, '\t', '\'');
	EXPECT(&x, "tabs and single quotes", "1\t'a\tb'\t2\n2\t\"x\"\t3\n",
		   "1|a\tb|200\n2|\"x\"|300\n");
	close_fixture(&x);
	open_fixture(&x, EC_CSV_HEADER_AUTO, ';', '\0');
	EXPECT(&x, "no quoting", "1;\"a;2\n", "1|\"a|200\n");
	close_fixture(&x);

	ec_csv_options_init(&o);
	check(ec_csv_options_check(&o) == NULL, "default options", "");
	o.delimiter = '"';
	check(ec_csv_options_check(&o) != NULL, "delimiter is quote", "");
	o.delimiter = '\n';
	check(ec_csv_options_check(&o) != NULL, "delimiter is newline", "");
	o.delimiter = (char) 0xe4;
	check(ec_csv_options_check(&o) != NULL, "delimiter is not ASCII", "");
	o.delimiter = ',';
	o.quote = '\r';
	check(ec_csv_options_check(&o) != NULL, "quote is CR", "");
}

static void
test_sizes(void)
{
	Fixture x;
	RefText m = {0};
	RefText out = {0};
	EcCsvResult r;

	open_fixture(&x, EC_CSV_HEADER_AUTO, ',', '"');
	for (int i = 0; i < 100000; i++)
		ref_append(&m, ",", 1);
	ref_append(&m, "\n1,a,2\n", 7);
	feed(&x, m.data, m.len, &out);
	check(strcmp(out.data, "1|a|200\nfault 1@1 field_count: row has 100001 fields, expected 3\n") ==
			  0,
		  "a row of 100,001 fields", out.data);

	m.len = 0;
	ref_append(&m, "1,\"", 3);
	for (int i = 0; i < 300000; i++)
		ref_append(&m, "\"\"", 2);
	ref_append(&m, "\",2\n", 4);
	feed(&x, m.data, m.len, &out);
	check(x.result.rows == 0 && x.result.faults == 1 && strstr(out.data, "too_long") != NULL,
		  "a field of 300,000 quotes", "");

	m.len = 0;
	for (int i = 0; i < 20000; i++)
		ref_printf(&m, "%d,a%d,%d.%02d\n", i, i % 10, i % 1000, i % 100);
	feed(&x, m.data, m.len, &out);
	check(x.result.rows == 20000 && x.result.faults == 0 && x.result.refs[19999].row == 20000 &&
			  strcmp(out.data + out.len - strlen("19999|a9|99999\n"), "19999|a9|99999\n") == 0,
		  "20,000 rows", out.data + out.len - 20);
	check(!ec_csv_feed(x.csv, m.data, (size_t) EC_CSV_MESSAGE_MAX + 1, x.builders, &r),
		  "too long a message", "");
	free(m.data);
	free(out.data);
	close_fixture(&x);
}

/* An allocator that gives out after some calls. */
static long calls_left;

static void *
failing_resize(void *ctx, void *ptr, size_t size)
{
	if (size > 0 && calls_left-- <= 0)
		return NULL;
	return ec_malloc_allocator.resize(ec_malloc_allocator.ctx, ptr, size);
}

static void
test_no_memory(void)
{
	static const char message[] =
		"id,x,name,price\n1,\"a\"\"b\",\"c\"\"d\",2.000000000000000000001\n";
	const EcAllocator failing = {failing_resize, NULL};
	bool done = false;
	int refusals = 0;

	for (long n = 0; !done && n < 200; n++)
	{
		EcCsvOptions options;
		EcBuilder *b[NCOLUMNS];
		EcCsv *csv;
		EcCsvResult r;

		calls_left = 1000000;
		for (int i = 0; i < NCOLUMNS; i++)
			b[i] = ec_builder_create(kinds[i], &failing);
		ec_csv_options_init(&options);
		calls_left = n;
		csv = ec_csv_create(&options, columns, NCOLUMNS, &failing);
		done = csv != NULL && ec_csv_feed(csv, message, sizeof(message) - 1, b, &r);
		if (!done)
			refusals++;
		calls_left = 1000000;
		if (csv != NULL)
		{
			/* the parser must still be good for another try */
			for (int i = 0; i < NCOLUMNS; i++)
				ec_builder_truncate(b[i], 0);
			check(ec_csv_feed(csv, message, sizeof(message) - 1, b, &r) && r.rows + r.faults == 1 &&
					  r.headers == 1,
				  "second try", "");
		}
		ec_csv_destroy(csv);
		for (int i = 0; i < NCOLUMNS; i++)
			ec_builder_destroy(b[i]);
	}
	check(done && refusals > 10, "refuses cleanly without memory", "");
}

int
main(void)
{
	test_fields_and_lines();
	test_values();
	test_headers();
	test_options();
	test_sizes();
	test_no_memory();
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
