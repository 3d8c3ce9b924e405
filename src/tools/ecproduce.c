/*-------------------------------------------------------------------------
 *
 * ecproduce.c
 *	  Produce CSV into a Kafka topic: options.
 *
 * See ecproduce.h for how the program is divided.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/ecproduce.h"

#define VERSION "ecproduce (ecinsight) 1.0"
#define SHOP_COLUMNS                                                                               \
	"event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"

volatile sig_atomic_t ec_stop_signal = 0;

static void
print_error(const char *format, va_list args)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr); /* over the progress bar */
	fputs("ecproduce: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void
ec_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error(format, args);
	va_end(args);
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
	fputs("Try \"ecproduce --help\".\n", stderr);
	exit(2);
}

void *
ec_malloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (p == NULL)
		ec_die("out of memory (%zu bytes)", size);
	return p;
}

void *
ec_realloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (p == NULL)
		ec_die("out of memory (%zu bytes)", size);
	return p;
}

/* The first signal ends the run in order, the second at once. */
static void
on_signal(int number)
{
	if (ec_stop_signal != 0)
		_exit(128 + number);
	ec_stop_signal = number;
}

static void
help(void)
{
	puts("ecproduce sends CSV to a Kafka topic, many rows in one message, and counts what\n"
		 "the broker acknowledged.\n"
		 "\n"
		 "Usage: ecproduce -t TOPIC [OPTION]... [FILE]...\n"
		 "\n"
		 "FILE may be gzipped; \"-\" (and no FILE) is standard input.\n"
		 "\n"
		 "Where to:\n"
		 "  -b, --brokers LIST         host:port,... (default: $KAFKA_BOOTSTRAP, else\n"
		 "                             localhost:9092)\n"
		 "  -t, --topic TOPIC          must exist, unless --create-topic is given\n"
		 "      --create-topic N       create it with N partitions if it does not exist\n"
		 "      --recreate             delete it first and wait until it is gone; then create\n"
		 "                             it with N partitions, or as many as it had\n"
		 "  -p, --partition P          all messages to this partition (default: in turn)\n"
		 "  -X, --property NAME=VALUE  any librdkafka property, e.g. security.protocol=SSL\n"
		 "      --timeout SECONDS      for reaching a broker and preparing the topic (30)\n"
		 "\n"
		 "What a message holds:\n"
		 "  -n, --rows-per-message N   rows in a message (5000); fewer if they would exceed\n"
		 "                             nine tenths of message.max.bytes (1,000,000)\n"
		 "  -k, --key COLUMN           group rows by this column, e.g. user_id: equal keys\n"
		 "                             always go to the same partition, murmur2(key) modulo\n"
		 "                             partitions as Kafka's Java client does for text keys;\n"
		 "                             rows without a key go to the partitions in turn. The\n"
		 "                             messages themselves have no key. \"none\" is the default\n"
		 "      --header auto|keep|drop\n"
		 "                             what to do with a header line: auto (default) puts it\n"
		 "                             in front of every message, so that each can be read by\n"
		 "                             itself; keep sends it once; drop doesn't send it\n"
		 "      --columns LIST         names by which a header is recognised, and the order of\n"
		 "                             the fields without one (default: the shop's columns)\n"
		 "      --delimiter C          between fields (comma)\n"
		 "      --codec lz4|zstd|gzip|snappy|none\n"
		 "                             compression of messages (lz4)\n"
		 "\n"
		 "How fast:\n"
		 "      --rate N               at most N rows a second, in messages of at most a\n"
		 "                             quarter of a second\n"
		 "      --replay SPEED         rows at the time of their event_time, SPEED times as\n"
		 "                             fast as it happened (1 = as it happened)\n"
		 "\n"
		 "Output:\n"
		 "  -q, --quiet                neither progress nor summary, only errors\n"
		 "      --bar                  the progress bar even if standard error is no terminal\n"
		 "      --json                 the summary as one line of JSON\n"
		 "      --dry-run              read, split and count, but send nothing\n"
		 "      --help                 show this help\n"
		 "      --version              show the version\n"
		 "\n"
		 "Rows end where RFC 4180 says: an end of line within quotes is text. CR LF stays as\n"
		 "it is, a byte order mark at the start is dropped, the last row needs no end. Header\n"
		 "and empty lines do not count as rows.\n"
		 "\n"
		 "Every row arrives exactly once and in order, whatever the broker goes through. The\n"
		 "price is one request in flight; -X max.in.flight=5 is faster to a distant broker,\n"
		 "but can lose a first message that a partition without a leader refuses.\n"
		 "\n"
		 "Numbers may be written with k, M or G (thousands, millions, ...). The exit code is\n"
		 "0 if the broker acknowledged every row, 1 if not, 2 for wrong options, and 128 plus\n"
		 "the signal's number after SIGINT or SIGTERM, which let what was taken be delivered.\n"
		 "\n"
		 "Examples:\n"
		 "  ecproduce -t ecommerce --create-topic 4 2019-Oct.csv.gz 2019-Nov.csv.gz\n"
		 "  ecgen --rows 20M | ecproduce -t ecommerce --key user_id -\n"
		 "  ecproduce -t ecommerce --replay 60 --json events.csv");
}

static double
read_number(const char *option, const char *s, double lowest, double highest)
{
	char *end;
	double v = strtod(s, &end);

	if (end != s && (*end == 'k' || *end == 'K'))
		v *= 1e3, end++;
	else if (end != s && *end == 'M')
		v *= 1e6, end++;
	else if (end != s && *end == 'G')
		v *= 1e9, end++;
	if (end == s || *end != '\0' || !(v >= lowest && v <= highest))
		usage_error("option %s needs a number from %g to %g, not \"%s\"", option, lowest, highest,
					s);
	return v;
}

static int64_t
read_integer(const char *option, const char *s, int64_t lowest, int64_t highest)
{
	double v = read_number(option, s, (double) lowest, (double) highest);

	if (v != (double) (int64_t) v)
		usage_error("option %s needs a whole number, not \"%s\"", option, s);
	return (int64_t) v;
}

static void
add_property(EcProduceOptions *o, char *s)
{
	char *value = strchr(s, '=');

	if (value == NULL || value == s)
		usage_error("option -X needs NAME=VALUE, not \"%s\"", s);
	*value++ = '\0';
	o->properties = ec_realloc(o->properties, (size_t) (o->nproperties + 1) * sizeof(EcProperty));
	o->properties[o->nproperties].name = s;
	o->properties[o->nproperties].value = value;
	o->nproperties++;
}

static EcHeaderMode
read_header_mode(const char *s)
{
	if (strcmp(s, "auto") == 0)
		return EC_HEADER_AUTO;
	if (strcmp(s, "keep") == 0)
		return EC_HEADER_KEEP;
	if (strcmp(s, "drop") == 0)
		return EC_HEADER_DROP;
	usage_error("option --header needs auto, keep or drop, not \"%s\"", s);
}

static const char *
read_codec(const char *s)
{
	static const char *const codecs[] = {"none", "lz4", "zstd", "gzip", "snappy"};

	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
		if (strcmp(s, codecs[i]) == 0)
			return codecs[i];
	usage_error("option --codec needs lz4, zstd, gzip, snappy or none, not \"%s\"", s);
}

enum
{
	OPT_CREATE_TOPIC = 256,
	OPT_RECREATE,
	OPT_TIMEOUT,
	OPT_HEADER,
	OPT_COLUMNS,
	OPT_DELIMITER,
	OPT_CODEC,
	OPT_RATE,
	OPT_REPLAY,
	OPT_BAR,
	OPT_JSON,
	OPT_DRY_RUN,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"brokers", required_argument, NULL, 'b'},
	{"topic", required_argument, NULL, 't'},
	{"create-topic", required_argument, NULL, OPT_CREATE_TOPIC},
	{"recreate", no_argument, NULL, OPT_RECREATE},
	{"partition", required_argument, NULL, 'p'},
	{"property", required_argument, NULL, 'X'},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"rows-per-message", required_argument, NULL, 'n'},
	{"key", required_argument, NULL, 'k'},
	{"header", required_argument, NULL, OPT_HEADER},
	{"columns", required_argument, NULL, OPT_COLUMNS},
	{"delimiter", required_argument, NULL, OPT_DELIMITER},
	{"codec", required_argument, NULL, OPT_CODEC},
	{"rate", required_argument, NULL, OPT_RATE},
	{"replay", required_argument, NULL, OPT_REPLAY},
	{"quiet", no_argument, NULL, 'q'},
	{"bar", no_argument, NULL, OPT_BAR},
	{"json", no_argument, NULL, OPT_JSON},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static void
read_message_option(EcProduceOptions *o, int c, const char **columns)
{
	switch (c)
	{
		case 'n':
			o->rows_per_message =
				(uint64_t) read_integer("--rows-per-message", optarg, 1, 100000000);
			break;
		case 'k':
			o->key = strcmp(optarg, "none") == 0 ? NULL : optarg;
			break;
		case OPT_HEADER:
			o->header = read_header_mode(optarg);
			break;
		case OPT_COLUMNS:
			*columns = optarg;
			break;
		case OPT_DELIMITER:
			if (strcmp(optarg, "\\t") == 0)
				optarg = "\t";
			if (strlen(optarg) != 1 || strchr("\"\r\n", optarg[0]) || optarg[0] & 0x80)
				usage_error("option --delimiter needs one ASCII character, no quote");
			o->delimiter = optarg[0];
			break;
		case OPT_CODEC:
			o->codec = read_codec(optarg);
			break;
		case OPT_RATE:
			o->rate = read_number("--rate", optarg, 0.001, 1e9);
			break;
		case OPT_REPLAY:
			o->replay = read_number("--replay", optarg, 0.001, 1e9);
			break;
		default:
			fputs("Try \"ecproduce --help\".\n", stderr);
			exit(2);
	}
}

static void
read_option(EcProduceOptions *o, int c, const char **columns)
{
	switch (c)
	{
		case 'b':
			o->brokers = optarg;
			break;
		case 't':
			o->topic = optarg;
			break;
		case 'p':
			o->partition = (int32_t) read_integer("--partition", optarg, 0, INT32_MAX - 1);
			break;
		case 'X':
			add_property(o, optarg);
			break;
		case OPT_CREATE_TOPIC:
			o->create_partitions = (int) read_integer("--create-topic", optarg, 1, 100000);
			break;
		case OPT_RECREATE:
			o->recreate = true;
			break;
		case OPT_TIMEOUT:
			o->timeout = (int) read_integer("--timeout", optarg, 1, 86400);
			break;
		case 'q':
			o->quiet = true;
			break;
		case OPT_BAR:
			o->bar = true;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_DRY_RUN:
			o->dry_run = true;
			break;
		case OPT_HELP:
			help();
			exit(0);
		case OPT_VERSION:
			printf("%s, librdkafka %s\n", VERSION, rd_kafka_version_str());
			exit(0);
		default:
			read_message_option(o, c, columns);
			break;
	}
}

static void
read_options(EcProduceOptions *o, int argc, char **argv)
{
	static char *standard_input[] = {"-"};
	const char *columns = NULL;
	int c;

	memset(o, 0, sizeof(*o));
	o->brokers = getenv("KAFKA_BOOTSTRAP");
	if (o->brokers == NULL || o->brokers[0] == '\0')
		o->brokers = "localhost:9092";
	o->rows_per_message = 5000;
	o->codec = "lz4";
	o->partition = -1;
	o->delimiter = ',';
	o->timeout = 30;
	while ((c = getopt_long(argc, argv, "b:t:p:X:n:k:q", long_options, NULL)) != -1)
		read_option(o, c, &columns);
	o->inputs = optind < argc ? argv + optind : standard_input;
	o->ninputs = optind < argc ? argc - optind : 1;
	if (columns == NULL)
		columns = SHOP_COLUMNS;
	if (!ec_columns_read(&o->columns, columns, strlen(columns), ','))
		usage_error("option --columns allows at most %d names", EC_MAX_COLUMNS);
	if (o->topic == NULL && !o->dry_run)
		usage_error("no topic: option -t is needed");
	if (o->key != NULL && o->partition >= 0)
		usage_error("--key and --partition exclude one another");
	if (o->rate > 0.0 && o->replay > 0.0)
		usage_error("--rate and --replay exclude one another");
}

int
main(int argc, char **argv)
{
	EcProduceOptions o;
	struct sigaction action = {.sa_handler = on_signal};
	int code;

	read_options(&o, argc, argv);
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	code = ec_produce(&o);
	ec_columns_free(&o.columns);
	free(o.properties);
	return code;
}
