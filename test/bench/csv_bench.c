/*
 * csv_bench.c
 *	  Rows per second of the CSV parser on one core, by stage.
 *
 *	  cc -O3 -Isrc -Itest/ingest_unit -o csv_bench test/bench/csv_bench.c \
 *	     src/ingest/csv*.c src/ingest/rowparse*.c (without *_server.c) \
 *	     src/vector/builder*.c src/vector/segments.c src/vector/vector.c
 *	  csv_bench [--whole N] [--rows-per-message N] [--quoted] [--crlf] [file.csv]
 *
 * Without a file it makes shop-like events (sessions of some rows each).  They are
 * fed as messages of 5,000 rows (or N; the sample with all fields quoted, or with CR
 * LF, if wanted); builders are emptied every 262,144 rows, as a flush does.  The best of several rounds is shown, by the CPU time of the process,
 * since a shared machine's clock says little.  --whole N: only the whole way, N
 * times (for a profiler).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ingest/csv.h"
#include "ingest/csv_scan.h"
#include "shop_columns.h"

static int rows_per_message = 5000;
static int whole;
static int quoted;
static int crlf;

#define FLUSH_ROWS 262144

typedef struct Input
{
	char *data;
	size_t len;
	size_t *messages; /* starts, and the end */
	size_t nmessages;
	size_t rows;
} Input;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec * 1e-9;
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One event; products have fixed categories and brands, skewed by squaring. */
static int
make_row(char *out, size_t i, uint64_t *rnd)
{
	static const char *const codes[] = {"electronics.smartphone",
										"",
										"appliances.kitchen.washer",
										"",
										"computers.notebook",
										"electronics.audio.headphone",
										"",
										"apparel.shoes"};
	uint64_t r = next_random(rnd);
	double u = (double) (r & 0xffff) / 65536.0;
	uint64_t product = (uint64_t) (u * u * 60000);
	uint64_t session = i / 5 + (next_random(rnd) & 0xff);
	uint64_t s1 = (session + 1) * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t s2 = (session + 7) * UINT64_C(0xbf58476d1ce4e5b9);

	return sprintf(out,
				   "2019-10-%02d %02d:%02d:%02d UTC,%s,%d,20530135%011llu,%s,%s%.*s,%d.%02d,%llu,"
				   "%08x-%04x-%04x-%04x-%012llx\n",
				   (int) (1 + i / 3000000 % 30), (int) (i / 125000 % 24), (int) (i / 2083 % 60),
				   (int) (i / 35 % 60), r >> 60 == 0 ? "cart" : "view",
				   (int) (1000000 + product * 13),
				   (unsigned long long) (product % 300) * 7777777ULL, codes[product % 8],
				   product % 7 == 0 ? "" : "brand", product % 7 == 0 ? 0 : 3,
				   "xyzabcdefghijkl" + product % 12, (int) (r >> 32 & 0x3ff), (int) (r >> 42 & 63),
				   (unsigned long long) (512000000 + (s1 >> 43)), (unsigned) (s1 >> 32),
				   (unsigned) (s1 & 0xffff), (unsigned) (s1 >> 16 & 0xffff),
				   (unsigned) (s2 & 0xffff), (unsigned long long) (s2 >> 16));
}

/* The row again, with quotes around its fields or a CR at its end. */
static size_t
decorate_row(char *out, const char *row, size_t len)
{
	char *p = out;

	if (quoted)
		*p++ = '"';
	for (size_t i = 0; i + 1 < len; i++)
	{
		if (quoted && row[i] == ',')
			*p++ = '"';
		*p++ = row[i];
		if (quoted && row[i] == ',')
			*p++ = '"';
	}
	if (quoted)
		*p++ = '"';
	if (crlf)
		*p++ = '\r';
	*p++ = '\n';
	return (size_t) (p - out);
}

static void
make_input(Input *in, size_t rows)
{
	uint64_t rnd = 88172645463325252ULL;
	char row[256];

	in->data = malloc(rows * 220);
	in->len = 0;
	for (size_t i = 0; i < rows; i++)
		in->len += decorate_row(in->data + in->len, row, (size_t) make_row(row, i, &rnd));
}

static void
read_input(Input *in, const char *path)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
	{
		perror(path);
		exit(1);
	}
	in->len = (size_t) ftell(f);
	in->data = malloc(in->len + 1);
	rewind(f);
	if (fread(in->data, 1, in->len, f) != in->len)
		exit(1);
	fclose(f);
}

static void
cut_messages(Input *in)
{
	size_t max = 16;
	size_t at = 0;

	in->messages = malloc(max * sizeof(size_t));
	in->nmessages = in->rows = 0;
	while (at < in->len)
	{
		in->messages[in->nmessages++] = at;
		if (in->nmessages + 1 >= max)
			in->messages = realloc(in->messages, (max *= 2) * sizeof(size_t));
		for (int n = 0; n < rows_per_message && at < in->len; n++)
		{
			char *nl = memchr(in->data + at, '\n', in->len - at);

			at = nl != NULL ? (size_t) (nl - in->data) + 1 : in->len;
			in->rows++;
		}
	}
	in->messages[in->nmessages] = in->len;
}

/* Only finding delimiters and line ends. */
static double
bench_scan(const Input *in)
{
	EcCsvScan scan = {.delimiter = ',', .quote = '"', .quoting = true, .line_end = '\n'};
	double start = now();
	size_t lines = 0;

	scan.marks_max = 16384;
	scan.ends_max = 256;
	scan.marks = malloc((scan.marks_max + EC_SCAN_BLOCK) * sizeof(uint32_t));
	scan.ends = malloc((scan.ends_max + EC_SCAN_BLOCK) * sizeof(uint32_t));
	for (size_t m = 0; m < in->nmessages; m++)
	{
		size_t at = 0;

		scan.base = (const uint8_t *) in->data + in->messages[m];
		scan.len = scan.readable = in->messages[m + 1] - in->messages[m];
		for (;;)
		{
			ec_csv_scan(&scan, at);
			if (scan.nends == 0)
				break;
			lines += scan.nends;
			at = scan.marks[scan.ends[scan.nends - 1]] + 1;
		}
	}
	free(scan.marks);
	free(scan.ends);
	return lines > 0 ? now() - start : 0;
}

/* The whole way; columns in skip are left out. */
static double
bench_feed(const Input *in, const EcRowColumn *columns, const EcKind *kinds, int ncolumns,
		   EcCsvResult *total)
{
	EcCsvOptions options;
	EcBuilder *builders[SHOP_NCOLUMNS];
	EcCsv *csv;
	uint32_t pending = 0;
	double start;
	const char *names[SHOP_NCOLUMNS];

	ec_csv_options_init(&options);
	if (ncolumns < SHOP_NCOLUMNS)
		options.header =
			EC_CSV_HEADER_ABSENT; /* a text column alone would be looked at for headers */
	for (int i = 0; i < SHOP_NCOLUMNS; i++)
	{
		builders[i] = ec_builder_create(kinds[i], &ec_malloc_allocator);
		names[i] = shop_columns[i].name;
	}
	csv = ec_csv_create(&options, columns, ncolumns, &ec_malloc_allocator);
	(void) ec_csv_set_header(csv, names, SHOP_NCOLUMNS);
	memset(total, 0, sizeof(*total));
	start = now();
	for (size_t m = 0; m < in->nmessages; m++)
	{
		EcCsvResult r;

		if (!ec_csv_feed(csv, in->data + in->messages[m], in->messages[m + 1] - in->messages[m],
						 builders, &r))
			abort();
		total->rows += r.rows;
		total->faults += r.faults;
		pending += r.rows;
		if (pending >= FLUSH_ROWS)
		{
			pending = 0;
			for (int i = 0; i < SHOP_NCOLUMNS; i++)
				ec_builder_reset(builders[i]);
		}
	}
	start = now() - start;
	ec_csv_destroy(csv);
	for (int i = 0; i < SHOP_NCOLUMNS; i++)
		ec_builder_destroy(builders[i]);
	return start;
}

static void
report(const char *stage, double seconds, const Input *in)
{
	printf("%-28s %8.2f M rows/s %8.0f MB/s %7.1f ns/row\n", stage,
		   (double) in->rows / seconds / 1e6, (double) in->len / seconds / 1e6,
		   seconds / (double) in->rows * 1e9);
}

static void
keep_best(double *best, double seconds)
{
	if (*best == 0 || seconds < *best)
		*best = seconds;
}

#define ROUNDS 7

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"whole", required_argument, NULL, 'w'},
											{"rows-per-message", required_argument, NULL, 'r'},
											{"quoted", no_argument, &quoted, 1},
											{"crlf", no_argument, &crlf, 1},
											{NULL, 0, NULL, 0}};
	Input in;
	EcCsvResult total;
	double best[SHOP_NCOLUMNS + 2] = {0};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		if (c == 'w')
			whole = atoi(optarg);
		else if (c == 'r')
			rows_per_message = atoi(optarg);
		else if (c != 0)
			return 2;
	}
	if (optind < argc)
		read_input(&in, argv[optind]);
	else
		make_input(&in, 1000000);
	cut_messages(&in);
	for (int round = 0; round < (whole ? whole : ROUNDS); round++)
	{
		keep_best(&best[0], bench_feed(&in, shop_columns, shop_kinds, SHOP_NCOLUMNS, &total));
		if (whole)
			continue;
		keep_best(&best[1], bench_scan(&in));
		for (int i = 0; i < SHOP_NCOLUMNS; i++)
		{
			EcCsvResult ignored;

			keep_best(&best[2 + i], bench_feed(&in, &shop_columns[i], shop_kinds, 1, &ignored));
		}
	}
	printf("%zu rows (%u good, %u faults), %zu bytes, %zu messages\n", in.rows, total.rows,
		   total.faults, in.len, in.nmessages);
	if (!whole)
	{
		report("find delimiters", best[1], &in);
		for (int i = 0; i < SHOP_NCOLUMNS; i++)
			report(shop_columns[i].name, best[2 + i], &in);
	}
	report("all columns into builders", best[0], &in);
	free(in.data);
	free(in.messages);
	return 0;
}
