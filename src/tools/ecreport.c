/*-------------------------------------------------------------------------
 *
 * ecreport.c
 *	  Write the insights of a database as an HTML page and CSV files: options, files.
 *
 * See ecreport.h for how the program is divided.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ecreport.h"

#define VERSION "ecreport (ecinsight) 1.0"

static void
print_error(const char *format, va_list args)
{
	char text[8192];
	size_t length;

	vsnprintf(text, sizeof(text), format, args);
	length = strlen(text);
	while (length > 0 && isspace((unsigned char) text[length - 1]))
		text[--length] = '\0'; /* libpq's messages end with a line's end */
	fprintf(stderr, "ecreport: %s\n", text);
}

void
ec_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error(format, args);
	va_end(args);
	exit(1);
}

static void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void
usage_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error(format, args);
	va_end(args);
	fputs("Try \"ecreport --help\".\n", stderr);
	exit(2);
}

static void
help(void)
{
	puts("ecreport writes the insights of a database as one HTML page with charts, which\n"
		 "needs nothing but a browser, and three CSV files beside it.\n"
		 "\n"
		 "Usage: ecreport [OPTION]... [DBNAME]\n"
		 "\n"
		 "DBNAME may be a connection string. The database has the extension ecinsight and\n"
		 "views made by ecinsight.create_views; a role that grant_read was called for suffices.\n"
		 "\n"
		 "  -o, --output FILE      the page (default: report.html; \"-\": standard output)\n"
		 "      --no-csv           only the page\n"
		 "      --schema NAME      schema of the views (default: insight)\n"
		 "      --since DATE       only events from this day (UTC, YYYY-MM-DD) on\n"
		 "      --until DATE       only events before this day\n"
		 "      --title TEXT       title of the page\n"
		 "  -h, --host HOST        as psql's; PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD\n"
		 "  -p, --port PORT        and the others of libpq's variables work, too\n"
		 "  -U, --username NAME\n"
		 "      --help             show this help\n"
		 "      --version          show the version\n"
		 "\n"
		 "The CSV files are top_10_interactions.csv, top_10_categories_prices.csv and\n"
		 "top_10_categories.csv. All numbers are of one snapshot. The exit code is 0 if\n"
		 "everything is written, 1 if not, 2 for wrong options.");
}

/* The server looks at it more closely. */
static const char *
read_date(const char *option, const char *s)
{
	static const char *const form = "dddd-dd-dd";

	for (size_t i = 0; i <= strlen(form); i++)
		if (form[i] == 'd' ? !isdigit((unsigned char) s[i]) : s[i] != form[i])
			usage_error("option %s needs a date as 2019-10-01, not \"%s\"", option, s);
	return s;
}

static void
read_options(EcReportOptions *o, int argc, char **argv)
{
	enum
	{
		OPT_NO_CSV = 256,
		OPT_SCHEMA,
		OPT_SINCE,
		OPT_UNTIL,
		OPT_TITLE,
		OPT_HELP,
		OPT_VERSION
	};
	static const struct option options[] = {{"output", required_argument, NULL, 'o'},
											{"no-csv", no_argument, NULL, OPT_NO_CSV},
											{"schema", required_argument, NULL, OPT_SCHEMA},
											{"since", required_argument, NULL, OPT_SINCE},
											{"until", required_argument, NULL, OPT_UNTIL},
											{"title", required_argument, NULL, OPT_TITLE},
											{"host", required_argument, NULL, 'h'},
											{"port", required_argument, NULL, 'p'},
											{"username", required_argument, NULL, 'U'},
											{"help", no_argument, NULL, OPT_HELP},
											{"version", no_argument, NULL, OPT_VERSION},
											{NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "o:h:p:U:", options, NULL)) != -1)
	{
		switch (c)
		{
			case 'o':
				o->output = optarg;
				break;
			case OPT_NO_CSV:
				o->csv = false;
				break;
			case OPT_SCHEMA:
				o->schema = optarg;
				break;
			case OPT_SINCE:
				o->since = read_date("--since", optarg);
				break;
			case OPT_UNTIL:
				o->until = read_date("--until", optarg);
				break;
			case OPT_TITLE:
				o->title = optarg;
				break;
			case 'h':
				o->host = optarg;
				break;
			case 'p':
				o->port = optarg;
				break;
			case 'U':
				o->user = optarg;
				break;
			case OPT_HELP:
				help();
				exit(0);
			case OPT_VERSION:
				puts(VERSION);
				exit(0);
			default:
				fputs("Try \"ecreport --help\".\n", stderr);
				exit(2);
		}
	}
	if (optind < argc)
		o->dbname = argv[optind++];
	if (optind < argc)
		usage_error("there is one database at most, so what is \"%s\"?", argv[optind]);
	if (*o->output == '\0' || *o->schema == '\0')
		usage_error("an option's value is empty");
}

static char *
text_of(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		ec_die("out of memory");
	va_end(args);
	return text;
}

/* ---- files: whole under their name, or not at all ---- */

typedef struct OutFile
{
	char *name;
	char *temporary;
	FILE *stream;
} OutFile;

static OutFile
open_file(const char *name)
{
	OutFile f = {text_of("%s", name), text_of("%s.%ld.tmp", name, (long) getpid()), NULL};

	f.stream = fopen(f.temporary, "wx");
	if (f.stream == NULL)
		ec_die("could not write %s: %s", f.name, strerror(errno));
	return f;
}

static void
close_file(OutFile *f)
{
	bool bad = ferror(f->stream) != 0;

	if (fclose(f->stream) != 0 || bad || rename(f->temporary, f->name) != 0)
	{
		int error = errno;

		unlink(f->temporary);
		ec_die("could not write %s: %s", f->name, strerror(error));
	}
	free(f->name);
	free(f->temporary);
}

static void
write_page(const EcReport *report, const EcReportOptions *o)
{
	OutFile f;

	if (strcmp(o->output, "-") == 0)
	{
		ec_page_write(stdout, report, o);
		if (fflush(stdout) != 0 || ferror(stdout))
			ec_die("could not write to standard output: %s", strerror(errno));
		return;
	}
	f = open_file(o->output);
	ec_page_write(f.stream, report, o);
	close_file(&f);
}

/* The original report's tables, in its columns. */
static void
write_csv_files(const EcReport *report, const EcReportOptions *o)
{
	static const struct
	{
		const char *file;
		EcPanel panel;
		int n;
		const char *columns[4];
		const char *names[4];
	} files[] = {{"top_10_interactions",
				  EC_PANEL_INTERACTIONS,
				  3,
				  {"user_id", "category_code", "interactions"},
				  {"user_id", "category_code", "count"}},
				 {"top_10_categories_prices",
				  EC_PANEL_PRICES,
				  4,
				  {"category_code", "average_price", "max_price", "min_price"},
				  {"category_code", "average_price", "max_price", "min_price"}},
				 {"top_10_categories",
				  EC_PANEL_CATEGORIES,
				  3,
				  {"category_id", "category_code", "interaction_count"},
				  {"category_id", "category_code", "interaction_count"}}};
	const char *slash = strrchr(o->output, '/');
	int length = slash != NULL ? (int) (slash - o->output) + 1 : 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
	{
		char *name = text_of("%.*s%s.csv", length, o->output, files[i].file);
		OutFile f = open_file(name);

		ec_write_csv(f.stream, report->panel[files[i].panel], files[i].columns, files[i].names,
					 files[i].n);
		close_file(&f);
		free(name);
	}
}

int
main(int argc, char **argv)
{
	EcReportOptions options = {.schema = "insight", .output = "report.html", .csv = true};
	EcReport report = {.bucket = "day"};

	read_options(&options, argc, argv);
	ec_data_read(&report, &options);
	write_page(&report, &options);
	if (options.csv && strcmp(options.output, "-") != 0)
		write_csv_files(&report, &options);
	ec_data_free(&report);
	return 0;
}
