/*
 * encoding_bench.c
 *	  Bytes and time of each column's encoding, outside the server.
 *
 *	encoding_bench [-n ROWS] [-g GROUP_ROWS] [-c none|lz4|zstd] [-l LEVEL] FILE.csv
 *
 * Reads a CSV of the shop's nine columns (header line, no quotes: what ecgen
 * writes), builds row groups with the column builders, encodes them, decodes every
 * block, checks the values and prints per column: encodings chosen, bytes a row,
 * nanoseconds a row of append, encode and decode (CPU time), microseconds to open a
 * block (and its segment of the dictionary) for a single row and nanoseconds to read
 * one of an opened block, and the memory used.
 *
 *	cc -O3 -Isrc -o encoding_bench test/bench/encoding_bench.c src/vector/vector.c \
 *	   src/vector/builder*.c src/vector/segments.c src/encoding/[a-z]*.c -llz4 -lzstd
 */
#include "encoding/encoding.h"
#include "vector/builder.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NCOLUMNS 9
#define NENCODINGS 16

/* Rows are split and appended this many at a time, so that their text is still in the cache. */
#define BATCH_ROWS 512

typedef enum Parse
{
	PARSE_TIME,
	PARSE_INT,
	PARSE_PRICE,
	PARSE_TEXT
} Parse;

typedef struct Column
{
	const char *name;
	EcKind kind;
	int32_t scale;
	Parse parse;
	EcBuilder *builder;
	uint64_t bytes;
	uint64_t dict_bytes;
	uint64_t ndict;
	uint64_t blocks[NENCODINGS];
	double append_s;
	double encode_s;
	double decode_s;
	double open_s; /* a view of a block, and one segment */
	double get_s;
	uint64_t opened;
	uint64_t got;
} Column;

static Column columns[NCOLUMNS] = {
	{"event_time", EC_KIND_INT, 0, PARSE_TIME},		{"event_type", EC_KIND_TEXT, 0, PARSE_TEXT},
	{"product_id", EC_KIND_INT, 0, PARSE_INT},		{"category_id", EC_KIND_INT, 0, PARSE_INT},
	{"category_code", EC_KIND_TEXT, 0, PARSE_TEXT}, {"brand", EC_KIND_TEXT, 0, PARSE_TEXT},
	{"price", EC_KIND_DECIMAL, 2, PARSE_PRICE},		{"user_id", EC_KIND_INT, 0, PARSE_INT},
	{"user_session", EC_KIND_TEXT, 0, PARSE_TEXT},
};

typedef struct Field
{
	const char *ptr;
	uint32_t len;
} Field;

static EcEncodeOptions options = {EC_CODEC_ZSTD, 1, EC_KIND_INT, 0};
static EcEncoder *encoder;
static EcDecoder *decoder;
static EcBuf out = {NULL, 0, 0, &ec_malloc_allocator};
static uint8_t *scratch;
static size_t scratch_len;
static uint8_t *dict_scratch;
static size_t dict_scratch_len;

/* Memory of builders and of the encoder, now and at most. */
typedef struct Usage
{
	size_t now;
	size_t peak;
} Usage;

static Usage builder_usage;
static Usage encoder_usage;

static void *
counting_resize(void *ctx, void *ptr, size_t size)
{
	Usage *usage = ctx;

	usage->now -= ptr != NULL ? malloc_usable_size(ptr) : 0;
	if (size == 0)
	{
		free(ptr);
		return NULL;
	}
	ptr = realloc(ptr, size);
	usage->now += malloc_usable_size(ptr);
	if (usage->now > usage->peak)
		usage->peak = usage->now;
	return ptr;
}

static const EcAllocator builder_alloc = {counting_resize, &builder_usage};
static const EcAllocator encoder_alloc = {counting_resize, &encoder_usage};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void
fail(const char *what)
{
	fprintf(stderr, "encoding_bench: %s\n", what);
	exit(1);
}

static void
check(EcStatus status, const char *what)
{
	if (status != EC_OK)
	{
		fprintf(stderr, "encoding_bench: %s: %s\n", what, ec_status_text(status));
		exit(1);
	}
}

static int64_t
parse_int(const Field *f)
{
	int64_t x = 0;
	uint32_t i;

	for (i = 0; i < f->len; i++)
		x = x * 10 + (f->ptr[i] - '0');
	return x;
}

/* Digits with the point left out: prices always have two decimals here. */
static int64_t
parse_price(const Field *f)
{
	int64_t x = 0;
	uint32_t i;

	for (i = 0; i < f->len; i++)
	{
		if (f->ptr[i] != '.')
			x = x * 10 + (f->ptr[i] - '0');
	}
	return x;
}

static int64_t
digits(const char *p, int n)
{
	Field f = {p, (uint32_t) n};

	return parse_int(&f);
}

/* "2019-10-01 00:00:00 UTC" as microseconds since 2000. */
static int64_t
parse_time(const Field *f)
{
	const char *p = f->ptr;
	int64_t y, mon, days;

	if (f->len < 19)
		fail("bad time");
	y = digits(p, 4);
	mon = digits(p + 5, 2);
	y -= mon <= 2;
	days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (mon + (mon > 2 ? -3 : 9)) + 2) / 5 +
		   digits(p + 8, 2) - 1 - 730425;
	return (days * 86400 + digits(p + 11, 2) * 3600 + digits(p + 14, 2) * 60 + digits(p + 17, 2)) *
		   INT64_C(1000000);
}

static void
append_ints(Column *c, const Field *fields, uint32_t n)
{
	int64_t ints[BATCH_ROWS];
	double start;
	uint32_t i;

	for (i = 0; i < n; i++)
		ints[i] = c->parse == PARSE_TIME	? parse_time(&fields[i])
				  : c->parse == PARSE_PRICE ? parse_price(&fields[i])
											: parse_int(&fields[i]);
	start = now();
	for (i = 0; i < n; i++)
	{
		if (fields[i].len == 0)
			ec_builder_append_null(c->builder);
		else
			ec_builder_append_int64(c->builder, ints[i]);
	}
	c->append_s += now() - start;
}

static void
append_texts(Column *c, const Field *fields, uint32_t n)
{
	EcBytes texts[BATCH_ROWS];
	double start;
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		texts[i].ptr = fields[i].len == 0 ? NULL : (const uint8_t *) fields[i].ptr;
		texts[i].len = fields[i].len;
	}
	start = now();
	if (!ec_builder_append_texts(c->builder, texts, n))
		fail("out of memory");
	c->append_s += now() - start;
}

static bool
same_value(const EcVector *a, uint32_t i, const EcVector *b, uint32_t j)
{
	bool anull = ec_vector_is_null(a, i);
	uint32_t x;
	uint32_t y;

	if (anull || ec_vector_is_null(b, j))
		return anull == ec_vector_is_null(b, j);
	x = ec_vector_index(a, i);
	y = ec_vector_index(b, j);
	if (a->phys == EC_PHYS_INT64)
		return a->values.i64[x] == b->values.i64[y];
	if (a->phys == EC_PHYS_UUID)
		return memcmp(&a->values.uuid[x], &b->values.uuid[y], sizeof(EcUuid)) == 0;
	return a->values.bytes[x].len == b->values.bytes[y].len &&
		   memcmp(a->values.bytes[x].ptr, b->values.bytes[y].ptr, a->values.bytes[x].len) == 0;
}

static void *
at_least(uint8_t **p, size_t *len, size_t need)
{
	if (need > *len)
	{
		free(*p);
		*len = need * 2;
		*p = aligned_alloc(64, (*len + 63) / 64 * 64);
		memset(*p, 0, *len);
	}
	return *p;
}

static void
decode(Column *c, const EcVector *v, uint32_t header_len)
{
	EcChunk chunk;
	EcVector dict;
	uint32_t row = 0;
	uint32_t b;
	uint32_t i;
	double start;

	start = now();
	check(ec_chunk_parse(out.data, header_len, &ec_malloc_allocator, &chunk), "parse");
	if (chunk.ndict > 0)
	{
		void *to = at_least(&dict_scratch, &dict_scratch_len, chunk.dict.scratch);

		check(ec_dict_decode(decoder, &chunk, out.data + chunk.dict.offset, to, dict_scratch_len,
							 &dict),
			  "dictionary");
		c->ndict += chunk.ndict;
		c->dict_bytes += chunk.dict.len;
	}
	c->decode_s += now() - start;
	for (b = 0; b < chunk.nblocks; b++)
	{
		const EcPiece *piece = &chunk.blocks[b].piece;
		void *to = at_least(&scratch, &scratch_len, piece->scratch);
		EcVector block;

		start = now();
		check(ec_block_decode(decoder, &chunk, b, out.data + piece->offset,
							  chunk.ndict > 0 ? &dict : NULL, to, scratch_len, &block),
			  "block");
		c->decode_s += now() - start;
		c->blocks[piece->encoding]++;
		for (i = 0; i < block.nrows; i++, row++)
		{
			if (!same_value(v, row, &block, i))
				fail("a value differs after decoding");
		}
	}
	if (row != v->nrows)
		fail("rows are missing after decoding");
	free(chunk.blocks);
}

/* Blocks opened for single rows, as a look-up by index does; 64 rows of each. */
static void
read_points(Column *c, const EcVector *v, uint32_t header_len)
{
	EcChunk chunk;
	EcView view;
	EcVector segment = {0};
	uint32_t b;
	uint32_t i;

	check(ec_chunk_parse(out.data, header_len, &ec_malloc_allocator, &chunk), "parse");
	for (b = 0; b < chunk.nblocks; b++)
	{
		const EcPiece *piece = &chunk.blocks[b].piece;
		void *to = at_least(&scratch, &scratch_len, ec_view_scratch(&chunk, b));
		double start = now();
		EcPoint point;

		check(ec_view_open(decoder, &chunk, b, out.data + piece->offset, to, scratch_len, &view),
			  "view");
		check(ec_view_get(&view, 0, &point), "row");
		if (point.in_dict)
		{
			uint32_t s = point.code / chunk.segment_entries;

			to = at_least(&dict_scratch, &dict_scratch_len, chunk.segments[s].scratch);
			check(ec_segment_decode(decoder, &chunk, s, out.data + chunk.segments[s].offset, to,
									dict_scratch_len, &segment),
				  "segment");
			i = point.code % chunk.segment_entries;
			if (!same_value(v, b * EC_BLOCK_ROWS, &segment, i))
				fail("a single value differs");
		}
		c->open_s += now() - start;
		c->opened++;
		start = now();
		for (i = 0; i < 64; i++)
			check(ec_view_get(&view, (i * 7919 + 5) % chunk.blocks[b].zone.nrows, &point), "row");
		c->get_s += now() - start;
		c->got += 64;
	}
	free(chunk.blocks);
}

static void
finish_group(Column *c)
{
	EcVector v;
	uint32_t header_len;
	double start;

	ec_builder_view(c->builder, &v);
	out.len = 0;
	options.kind = c->kind;
	options.scale = c->scale;
	start = now();
	check(ec_chunk_encode(encoder, &v, &options, &out, &header_len), "encode");
	c->encode_s += now() - start;
	c->bytes += out.len;
	decode(c, &v, header_len);
	read_points(c, &v, header_len);
	ec_builder_reset(c->builder);
}

/* Splits up to n lines; returns where it stopped. */
static const char *
split(const char *p, const char *end, Field *fields[NCOLUMNS], uint32_t n, uint32_t *rows)
{
	uint32_t row;
	int c;

	for (row = 0; row < n && p < end; row++)
	{
		for (c = 0; c < NCOLUMNS; c++)
		{
			const char *stop = p;

			while (stop < end && *stop != ',' && *stop != '\n')
				stop++;
			fields[c][row].ptr = p;
			fields[c][row].len = (uint32_t) (stop - p);
			p = stop < end ? stop + 1 : end;
		}
	}
	*rows = row;
	return p;
}

static void
report(uint64_t rows)
{
	double ns = 1e9 / (double) rows;
	double bytes = 0, append_ns = 0, encode_ns = 0, decode_ns = 0;
	int c;
	int e;

	printf("%-14s %9s %9s %8s %8s %8s %8s %8s %8s  %s\n", "column", "bytes/row", "dict b/r",
		   "distinct", "append", "encode", "decode", "open/us", "get/ns",
		   "blocks (times in ns/row)");
	for (c = 0; c < NCOLUMNS; c++)
	{
		Column *col = &columns[c];

		printf("%-14s %9.3f %9.3f %8.4f %8.2f %8.2f %8.2f %8.1f %8.1f ", col->name,
			   (double) col->bytes / rows, (double) col->dict_bytes / rows,
			   (double) col->ndict / rows, col->append_s * ns, col->encode_s * ns,
			   col->decode_s * ns, col->open_s / col->opened * 1e6, col->get_s / col->got * 1e9);
		for (e = 0; e < NENCODINGS; e++)
		{
			if (col->blocks[e] > 0)
				printf(" %s %llu", ec_encoding_name(e), (unsigned long long) col->blocks[e]);
		}
		printf("\n");
		bytes += (double) col->bytes / rows;
		append_ns += col->append_s * ns;
		encode_ns += col->encode_s * ns;
		decode_ns += col->decode_s * ns;
	}
	printf("%-14s %9.3f %9s %8s %8.2f %8.2f %8.2f\n", "total", bytes, "", "", append_ns, encode_ns,
		   decode_ns);
	printf("memory at most: builders %.1f MB, encoder %.1f MB\n", (double) builder_usage.peak / 1e6,
		   (double) encoder_usage.peak / 1e6);
}

static void
run(const char *p, const char *end, uint64_t max_rows, uint32_t group_rows)
{
	Field *fields[NCOLUMNS];
	uint64_t total = 0;
	uint32_t in_group = 0;
	uint32_t rows;
	int c;

	for (c = 0; c < NCOLUMNS; c++)
	{
		fields[c] = malloc(BATCH_ROWS * sizeof(Field));
		columns[c].builder = ec_builder_create(columns[c].kind, &builder_alloc);
	}
	while (p < end && *p != '\n')
		p++;
	p++;
	while (p < end && total < max_rows)
	{
		uint64_t left =
			max_rows - total < group_rows - in_group ? max_rows - total : group_rows - in_group;

		p = split(p, end, fields, left < BATCH_ROWS ? (uint32_t) left : BATCH_ROWS, &rows);
		for (c = 0; c < NCOLUMNS; c++)
		{
			if (columns[c].parse == PARSE_TEXT)
				append_texts(&columns[c], fields[c], rows);
			else
				append_ints(&columns[c], fields[c], rows);
		}
		total += rows;
		in_group += rows;
		if (in_group == group_rows || p >= end || total == max_rows)
		{
			for (c = 0; c < NCOLUMNS; c++)
				finish_group(&columns[c]);
			in_group = 0;
		}
	}
	report(total);
}

int
main(int argc, char **argv)
{
	uint64_t max_rows = UINT64_MAX;
	uint32_t group_rows = 262144;
	struct stat st;
	const char *data;
	int opt;
	int fd;

	while ((opt = getopt(argc, argv, "n:g:c:l:")) != -1)
	{
		switch (opt)
		{
			case 'n':
				max_rows = strtoull(optarg, NULL, 10);
				break;
			case 'g':
				group_rows = (uint32_t) strtoul(optarg, NULL, 10);
				break;
			case 'c':
				options.codec = optarg[0] == 'n'   ? EC_CODEC_NONE
								: optarg[0] == 'l' ? EC_CODEC_LZ4
												   : EC_CODEC_ZSTD;
				break;
			case 'l':
				options.level = atoi(optarg);
				break;
			default:
				fail("usage: encoding_bench [-n ROWS] [-g GROUP_ROWS] [-c none|lz4|zstd] [-l "
					 "LEVEL] FILE.csv");
		}
	}
	if (optind + 1 != argc || group_rows == 0 || group_rows > EC_GROUP_ROWS_MAX)
		fail("usage: encoding_bench [-n ROWS] [-g GROUP_ROWS] [-c none|lz4|zstd] [-l LEVEL] "
			 "FILE.csv");
	fd = open(argv[optind], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
		fail("cannot open the file");
	data = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		fail("cannot map the file");
	encoder = ec_encoder_create(&encoder_alloc);
	decoder = ec_decoder_create(&ec_malloc_allocator);
	run(data, data + st.st_size, max_rows, group_rows);
	return 0;
}
