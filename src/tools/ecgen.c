/*-------------------------------------------------------------------------
 *
 * ecgen.c
 *	  Write events of an imitated shop as CSV: options and defaults.
 *
 * See ecgen.h for how the program is divided.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecgen.h"

#define VERSION "ecgen (ecinsight) 1.0"
#define DEFAULT_ROWS 1000000
#define REAL_ROWS 110000000.0  /* of the shop's two months, */
#define REAL_USERS 5300000.0   /* its users */
#define REAL_PRODUCTS 200000.0 /* and products */
#define MAX_USERS 40000000
#define MAX_PRODUCTS 20000000

typedef struct Options
{
	uint64_t rows;
	uint64_t seed;
	uint64_t users; /* 0: by rows */
	uint64_t products;
	int64_t start;
	int64_t end;
	bool header;
	double dirty;
	const char *dirty_kinds;
	const char *dirty_report;
	const char *output;
} Options;

void
ec_fail(const char *format, ...)
{
	va_list args;

	fputs("ecgen: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void
ec_usage_error(const char *format, ...)
{
	va_list args;

	fputs("ecgen: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nTry \"ecgen --help\".\n", stderr);
	exit(2);
}

static void
help(void)
{
	puts("ecgen writes events of an imitated web shop as CSV: views, carts and purchases\n"
		 "of sessions interleaved in time, with the real shop's shares of categories,\n"
		 "brands, prices, blanks, daily and weekly cycles and its November peak.\n"
		 "The same options give the same bytes on every machine.\n"
		 "\n"
		 "Usage: ecgen [OPTION]...\n"
		 "\n"
		 "  -n, --rows N           rows to write, without the header (default 1,000,000)\n"
		 "  -s, --seed S           another shop of the same kind (default 1)\n"
		 "  -o, --output FILE      write there instead of standard output\n"
		 "      --no-header        leave out the header line\n"
		 "      --start DATE       first day, YYYY-MM-DD (default 2019-10-01)\n"
		 "      --end DATE         day after the last (default 2019-12-01); any number\n"
		 "                         of rows is spread over the whole time\n"
		 "      --users N          users (default: 5.3 M at 110 M rows, fewer for less)\n"
		 "      --products N       products (default: 200,000 at 110 M rows, likewise)\n"
		 "      --dirty P          make P per cent of the rows faulty or unusual\n"
		 "      --dirty-kinds LIST only these kinds, separated by commas (default: all\n"
		 "                         but those marked below)\n"
		 "      --dirty-report FILE\n"
		 "                         write there, separated by tabs, how many of each kind\n"
		 "                         were made, and the totals of good and bad rows\n"
		 "      --help             show this help\n"
		 "      --version          show the version\n"
		 "\n"
		 "Numbers may be written with k, M or G (thousands, millions, ...).\n"
		 "\n"
		 "Kinds of dirt: \"good\" rows must be accepted, \"bad\" ones refused, \"skip\" is\n"
		 "put before a good row and is none, \"loss\" swallows rows that follow.");
	ec_dirty_list_kinds(stdout);
	puts("\nExamples:\n"
		 "  ecgen -o events.csv\n"
		 "  ecgen --rows 20M | ecproduce --topic ecommerce -\n"
		 "  ecgen --rows 100k --dirty 5 --dirty-report report.tsv -o dirty.csv");
}

static uint64_t
read_count(const char *option, const char *s, uint64_t lowest, uint64_t highest)
{
	char *end;
	unsigned long long v;
	uint64_t factor = 1;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (*end == 'k' || *end == 'K')
		factor = 1000;
	else if (*end == 'M')
		factor = 1000000;
	else if (*end == 'G')
		factor = 1000000000;
	if (factor > 1)
		end++;
	if (errno != 0 || end == s || *end != '\0' || *s == '-' || v > highest / factor ||
		v * factor < lowest)
		ec_usage_error("option %s needs a number from %llu to %llu, not \"%s\"", option,
					   (unsigned long long) lowest, (unsigned long long) highest, s);
	return v * factor;
}

static int64_t
read_date(const char *option, const char *s)
{
	int year;
	int month;
	int day;
	int used = 0;
	int64_t days;
	int64_t year2;
	int month2;
	int day2;

	if (sscanf(s, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || s[used] != '\0' ||
		year < 1970 || month < 1 || month > 12 || day < 1)
		ec_usage_error("option %s needs a day such as 2019-10-01, from 1970 on, not \"%s\"", option,
					   s);
	days = ec_days_from_civil(year, month, day);
	ec_civil_from_days(days, &year2, &month2, &day2);
	if (day2 != day)
		ec_usage_error("option %s: there is no day \"%s\"", option, s);
	return days * 86400;
}

static double
read_percent(const char *option, const char *s)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end != '\0' || !(v >= 0.0 && v <= 100.0))
		ec_usage_error("option %s needs a percentage from 0 to 100, not \"%s\"", option, s);
	return v;
}

enum
{
	OPT_NO_HEADER = 256,
	OPT_START,
	OPT_END,
	OPT_USERS,
	OPT_PRODUCTS,
	OPT_DIRTY,
	OPT_DIRTY_KINDS,
	OPT_DIRTY_REPORT,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"rows", required_argument, NULL, 'n'},
	{"seed", required_argument, NULL, 's'},
	{"output", required_argument, NULL, 'o'},
	{"no-header", no_argument, NULL, OPT_NO_HEADER},
	{"start", required_argument, NULL, OPT_START},
	{"end", required_argument, NULL, OPT_END},
	{"users", required_argument, NULL, OPT_USERS},
	{"products", required_argument, NULL, OPT_PRODUCTS},
	{"dirty", required_argument, NULL, OPT_DIRTY},
	{"dirty-kinds", required_argument, NULL, OPT_DIRTY_KINDS},
	{"dirty-report", required_argument, NULL, OPT_DIRTY_REPORT},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static void
read_option(Options *o, int c)
{
	switch (c)
	{
		case 'n':
			o->rows = read_count("--rows", optarg, 1, UINT64_C(1000000000000));
			break;
		case 's':
			o->seed = read_count("--seed", optarg, 0, UINT64_MAX);
			break;
		case 'o':
			o->output = optarg;
			break;
		case OPT_NO_HEADER:
			o->header = false;
			break;
		case OPT_START:
			o->start = read_date("--start", optarg);
			break;
		case OPT_END:
			o->end = read_date("--end", optarg);
			break;
		case OPT_USERS:
			o->users = read_count("--users", optarg, 1, MAX_USERS);
			break;
		case OPT_PRODUCTS:
			o->products = read_count("--products", optarg, 1, MAX_PRODUCTS);
			break;
		case OPT_DIRTY:
			o->dirty = read_percent("--dirty", optarg);
			break;
		case OPT_DIRTY_KINDS:
			o->dirty_kinds = optarg;
			break;
		case OPT_DIRTY_REPORT:
			o->dirty_report = optarg;
			break;
		case OPT_HELP:
			help();
			exit(0);
		case OPT_VERSION:
			puts(VERSION);
			exit(0);
		default:
			fputs("Try \"ecgen --help\".\n", stderr);
			exit(2);
	}
}

static void
read_options(Options *o, int argc, char **argv)
{
	int c;

	*o = (Options){.rows = DEFAULT_ROWS, .seed = 1, .header = true, .dirty = -1.0};
	o->start = read_date("--start", "2019-10-01");
	o->end = read_date("--end", "2019-12-01");
	while ((c = getopt_long(argc, argv, "n:s:o:", long_options, NULL)) != -1)
		read_option(o, c);
	if (optind < argc)
		ec_usage_error("unexpected argument \"%s\"", argv[optind]);
	if (o->end <= o->start)
		ec_usage_error("--end must be later than --start");
	if (o->end - o->start > INT64_C(20) * 366 * 86400)
		ec_usage_error("the time from --start to --end must not exceed 20 years");
	if (o->dirty < 0.0 && (o->dirty_kinds != NULL || o->dirty_report != NULL))
		ec_usage_error("--dirty-kinds and --dirty-report need --dirty");
}

/* Fewer rows see fewer users and products, but not in proportion. */
static uint64_t
scaled(double real, double rows, double power, uint64_t most)
{
	double n = real * ec_exp(power * ec_log(rows / REAL_ROWS));

	return n < 1.0 ? 1 : n > (double) most ? most : (uint64_t) n;
}

int
main(int argc, char **argv)
{
	Options o;
	EcOutput out;
	EcCatalog catalog;
	EcTraffic traffic = {0};

	read_options(&o, argc, argv);
	if (o.users == 0)
		o.users = scaled(REAL_USERS, (double) o.rows, 0.85, MAX_USERS);
	if (o.products == 0)
		o.products = scaled(REAL_PRODUCTS, (double) o.rows, 1.0 / 3.0, MAX_PRODUCTS);

	if (o.dirty >= 0.0)
		traffic.dirty = ec_dirty_create(o.seed, o.dirty, o.dirty_kinds);
	ec_output_open(&out, o.output);
	if (traffic.dirty)
		ec_dirty_start(traffic.dirty, &out);
	if (o.header)
		ec_output_bytes(&out, EC_GEN_HEADER, strlen(EC_GEN_HEADER));

	ec_catalog_build(&catalog, o.seed, (uint32_t) o.products);
	traffic.seed = o.seed;
	traffic.rows = o.rows;
	traffic.users = (uint32_t) o.users;
	traffic.start = o.start;
	traffic.end = o.end;
	traffic.catalog = &catalog;
	traffic.out = &out;
	ec_traffic_run(&traffic);
	ec_output_close(&out);
	if (o.dirty_report != NULL && !ec_dirty_report(traffic.dirty, o.dirty_report, o.rows, o.header))
		ec_fail("could not write \"%s\": %s", o.dirty_report, strerror(errno));
	ec_catalog_free(&catalog);
	ec_dirty_free(traffic.dirty);
	return 0;
}
