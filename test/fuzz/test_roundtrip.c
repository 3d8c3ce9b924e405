/*
 * test_roundtrip.c
 *	  What is encoded is decoded: every kind, pattern, number of rows, sort of NULLs
 *	  and codec; and every encoding is met.
 */
#include "fuzz.h"

static uint64_t seen[16];

static void
round_trip(const EcVector *v, EcKind kind, EcCodec codec)
{
	EcBuf out;
	uint32_t header_len;
	EcStatus status = encode_column(v, kind, codec, &out, &header_len);

	CHECK(status == EC_OK);
	if (status == EC_OK)
		CHECK(decode_chunk(out.data, out.len, header_len, v, seen));
	ec_buf_free(&out);
}

static void
one_pattern(EcKind kind, int pattern, uint32_t nrows, Nulls nulls, EcCodec codec, uint64_t seed)
{
	EcBuilder *b = ec_builder_create(kind, &ec_malloc_allocator);
	EcVector v;

	snprintf(context, sizeof(context), "kind %d, pattern %s, %u rows, nulls %d, codec %s", kind,
			 pattern_name(kind, pattern), nrows, nulls, ec_codec_name(codec));
	append_pattern(b, kind, pattern, nrows, nulls, seed);
	ec_builder_view(b, &v);
	round_trip(&v, kind, codec);
	ec_builder_destroy(b);
}

/* Every pattern, with number of rows, NULLs and codec taken in turn. */
static void
all_patterns(EcKind kind, uint64_t seed)
{
	static const uint32_t sizes[] = {1,	   2,	 63,	64,	   65,	  1000, 1023,
									 1024, 1025, 16383, 16384, 16385, 40000};
	uint32_t turn = 0;
	int pattern;
	int size;
	int nulls;

	for (pattern = 0; pattern < pattern_count(kind); pattern++)
	{
		for (size = 0; size < 13; size++)
		{
			for (nulls = 0; nulls < NNULLS; nulls++)
			{
				/* Large ones only once in a while: the sanitizers are slow. */
				if (sizes[size] > 2000 && (turn + (uint32_t) nulls) % 4 != 0)
					continue;
				turn++;
				one_pattern(kind, pattern, sizes[size], (Nulls) nulls, (EcCodec) (turn % 3),
							seed + turn);
			}
			turn++;
		}
	}
}

/* Dictionaries of integers come in too (from readers), with entries that no row uses. */
static void
foreign_dictionary(Random *r, EcCodec codec)
{
	static int64_t values[3000];
	static uint32_t codes[20000];
	static uint64_t validity[EC_VALIDITY_WORDS(20000)];
	EcVector v = {0};
	uint32_t i;

	snprintf(context, sizeof(context), "dictionary of integers, codec %s", ec_codec_name(codec));
	memset(validity, 0xff, sizeof(validity));
	for (i = 0; i < 3000; i++)
		values[i] = (int64_t) random_u64(r);
	v.phys = EC_PHYS_INT64;
	v.form = EC_FORM_DICT;
	v.nrows = 20000;
	v.values.i64 = values;
	v.codes = codes;
	v.ndict = 3000;
	v.validity = validity;
	for (i = 0; i < v.nrows; i++)
	{
		codes[i] = random_below(r, 1000) + 500;
		if (random_below(r, 5) == 0)
		{
			codes[i] = v.ndict;
			validity[i / 64] &= ~(UINT64_C(1) << (i % 64));
			v.nnulls++;
		}
	}
	round_trip(&v, EC_KIND_INT, codec);
}

/* Texts that are UUIDs, but came as texts. */
static void
foreign_uuids(Random *r, EcForm form)
{
	static char texts[2000][EC_UUID_TEXT_LEN];
	static EcBytes values[2000];
	static uint32_t codes[2000];
	EcVector v = {0};
	EcBuf out;
	EcChunk c;
	uint32_t header_len;
	uint32_t i;

	snprintf(context, sizeof(context), "UUIDs as texts, form %d", form);
	for (i = 0; i < 2000; i++)
	{
		uint64_t words[2] = {random_u64(r), random_u64(r)};
		EcUuid uuid;

		memcpy(uuid.b, words, sizeof(words));
		ec_uuid_format(&uuid, texts[i]);
		values[i].ptr = (uint8_t *) texts[i];
		values[i].len = EC_UUID_TEXT_LEN;
		codes[i] = (i * 7) % 900;
	}
	v.phys = EC_PHYS_BYTES;
	v.form = form;
	v.nrows = 2000;
	v.values.bytes = values;
	v.codes = form == EC_FORM_DICT ? codes : NULL;
	v.ndict = form == EC_FORM_DICT ? 2000 : 0;
	round_trip(&v, EC_KIND_TEXT, EC_CODEC_ZSTD);
	CHECK(encode_column(&v, EC_KIND_TEXT, EC_CODEC_ZSTD, &out, &header_len) == EC_OK);
	CHECK(ec_chunk_parse(out.data, header_len, &ec_malloc_allocator, &c) == EC_OK);
	CHECK(c.phys == EC_PHYS_UUID);
	free(c.blocks);
	ec_buf_free(&out);
}

/* Values that come back late have a dictionary nevertheless, if they are long enough to need one. */
static void
late_dictionary(EcKind kind, const char *name, bool wanted)
{
	EcBuilder *b = ec_builder_create(kind, &ec_malloc_allocator);
	int pattern = 0;
	uint32_t header_len;
	EcVector v;
	EcBuf out;
	EcChunk c;

	snprintf(context, sizeof(context), "late dictionary of %s", name);
	while (strcmp(pattern_name(kind, pattern), name) != 0)
		pattern++;
	append_pattern(b, kind, pattern, 40000, NULLS_FEW, 7);
	ec_builder_view(b, &v);
	CHECK(v.form == EC_FORM_FLAT);
	CHECK(encode_column(&v, kind, EC_CODEC_ZSTD, &out, &header_len) == EC_OK);
	CHECK(ec_chunk_parse(out.data, header_len, &ec_malloc_allocator, &c) == EC_OK);
	CHECK((c.ndict > 0) == wanted);
	CHECK(decode_chunk(out.data, out.len, header_len, &v, seen));
	free(c.blocks);
	ec_buf_free(&out);
	ec_builder_destroy(b);
}

static void
constants(void)
{
	static const int64_t number = INT64_MIN;
	static const EcBytes text = {(const uint8_t *) "constant", 8};
	static const EcUuid uuid = {{1, 2, 3}};
	EcVector v = {0};

	snprintf(context, sizeof(context), "constants");
	v.form = EC_FORM_CONST;
	v.nrows = 20000;
	v.phys = EC_PHYS_INT64;
	v.values.i64 = &number;
	round_trip(&v, EC_KIND_INT, EC_CODEC_ZSTD);
	v.phys = EC_PHYS_BYTES;
	v.values.bytes = &text;
	round_trip(&v, EC_KIND_TEXT, EC_CODEC_ZSTD);
	v.phys = EC_PHYS_UUID;
	v.values.uuid = &uuid;
	round_trip(&v, EC_KIND_UUID, EC_CODEC_ZSTD);
	v.nnulls = v.nrows;
	round_trip(&v, EC_KIND_UUID, EC_CODEC_LZ4);
}

/* Dictionaries of many segments: of integers, UUIDs and other strings. */
static void
segments(uint64_t seed)
{
	static const struct
	{
		EcKind kind;
		const char *pattern;
	} some[] = {
		{EC_KIND_INT, "visits"},
		{EC_KIND_INT, "skewed"},
		{EC_KIND_TEXT, "sessions"},
	};
	EcBuilder *b;
	Random r = {seed};
	EcVector v;
	size_t i;
	int pattern;

	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++)
	{
		b = ec_builder_create(some[i].kind, &ec_malloc_allocator);
		for (pattern = 0; pattern < pattern_count(some[i].kind); pattern++)
		{
			if (strcmp(pattern_name(some[i].kind, pattern), some[i].pattern) == 0)
				append_pattern(b, some[i].kind, pattern, 60000, NULLS_FEW, seed);
		}
		snprintf(context, sizeof(context), "segments of %s", some[i].pattern);
		ec_builder_view(b, &v);
		CHECK(v.nrows == 60000);
		round_trip(&v, some[i].kind, i % 2 == 0 ? EC_CODEC_ZSTD : EC_CODEC_NONE);
		ec_builder_destroy(b);
	}
	b = ec_builder_create(EC_KIND_TEXT, &ec_malloc_allocator);
	for (i = 0; i < 40000; i++)
	{
		char text[32];

		CHECK(ec_builder_append_bytes(
			b, text, (uint32_t) snprintf(text, sizeof(text), "entry %u", random_below(&r, 9000))));
	}
	snprintf(context, sizeof(context), "segments of strings");
	ec_builder_view(b, &v);
	round_trip(&v, EC_KIND_TEXT, EC_CODEC_ZSTD);
	round_trip(&v, EC_KIND_RAW, EC_CODEC_NONE);
	ec_builder_destroy(b);
}

/* The greatest row group; one row more is refused. */
static void
limits(void)
{
	EcBuilder *b = ec_builder_create(EC_KIND_INT, &ec_malloc_allocator);
	EcVector v;
	EcBuf out;
	uint32_t header_len;

	snprintf(context, sizeof(context), "greatest row group");
	append_pattern(b, EC_KIND_INT, 2, EC_GROUP_ROWS_MAX, NULLS_FEW, 5); /* widths: all of them */
	ec_builder_view(b, &v);
	round_trip(&v, EC_KIND_INT, EC_CODEC_ZSTD);
	append_pattern(b, EC_KIND_INT, 3, 1, NULLS_NONE, 5);
	ec_builder_view(b, &v);
	CHECK(encode_column(&v, EC_KIND_INT, EC_CODEC_ZSTD, &out, &header_len) == EC_ERR_LIMIT);
	ec_buf_free(&out);
	v.nrows = 0;
	CHECK(encode_column(&v, EC_KIND_INT, EC_CODEC_ZSTD, &out, &header_len) == EC_ERR_LIMIT);
	ec_buf_free(&out);
	ec_builder_destroy(b);
}

/* Memory that runs out at any allocation of encoder or output gives EC_ERR_NOMEM. */
static void *
failing_resize(void *ctx, void *ptr, size_t size)
{
	uint32_t *left = ctx;

	if (size == 0)
	{
		free(ptr);
		return NULL;
	}
	if (*left == 0)
		return NULL;
	--*left;
	return realloc(ptr, size);
}

static void
out_of_memory(EcKind kind, int pattern)
{
	EcBuilder *b = ec_builder_create(kind, &ec_malloc_allocator);
	EcStatus status = EC_ERR_NOMEM;
	uint32_t allowed;
	EcVector v;

	append_pattern(b, kind, pattern, 3000, NULLS_FEW, 9);
	ec_builder_view(b, &v);
	for (allowed = 0; allowed < 200 && status == EC_ERR_NOMEM; allowed++)
	{
		uint32_t left = allowed;
		EcAllocator alloc = {failing_resize, &left};
		EcEncodeOptions options = {EC_CODEC_ZSTD, 3, kind, 0};
		EcEncoder *enc = ec_encoder_create(&alloc);
		EcBuf out = {NULL, 0, 0, &alloc};
		uint32_t header_len;

		snprintf(context, sizeof(context), "kind %d, %u allocations", kind, allowed);
		if (enc == NULL)
			continue;
		status = ec_chunk_encode(enc, &v, &options, &out, &header_len);
		CHECK(status == EC_OK || status == EC_ERR_NOMEM);
		ec_buf_free(&out);
		ec_encoder_destroy(enc);
	}
	CHECK(status == EC_OK);
	ec_builder_destroy(b);
}

/* What the chooser is there for: bytes of 50,000 rows, an eighth above what they take today. */
static void
sizes(void)
{
	static const struct
	{
		EcKind kind;
		const char *pattern;
		uint32_t none;
		uint32_t zstd;
	} limits[] = {
		{EC_KIND_INT, "equal", 301, 301},			{EC_KIND_INT, "narrow", 91857, 91857},
		{EC_KIND_INT, "serial", 491, 491},			{EC_KIND_INT, "descending", 7522, 7522},
		{EC_KIND_INT, "times", 11273, 8716},		{EC_KIND_INT, "slices", 21393, 9706},
		{EC_KIND_INT, "skewed", 79422, 74353},		{EC_KIND_INT, "runs", 10660, 10660},
		{EC_KIND_INT, "outliers", 44069, 26074},	{EC_KIND_INT, "visits", 198858, 149158},
		{EC_KIND_TEXT, "equal", 321, 321},			{EC_KIND_TEXT, "few", 58117, 48962},
		{EC_KIND_TEXT, "distinct", 856517, 231815}, {EC_KIND_TEXT, "sessions", 220287, 212581},
		{EC_KIND_TEXT, "uuids", 900319, 900319},
	};
	size_t i;
	int pattern;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
	{
		EcBuilder *b = ec_builder_create(limits[i].kind, &ec_malloc_allocator);
		EcBuf none;
		EcBuf zstd;
		uint32_t header_len;
		EcVector v;

		for (pattern = 0; pattern < pattern_count(limits[i].kind); pattern++)
		{
			if (strcmp(pattern_name(limits[i].kind, pattern), limits[i].pattern) == 0)
				append_pattern(b, limits[i].kind, pattern, 50000, NULLS_NONE, 11);
		}
		ec_builder_view(b, &v);
		CHECK(v.nrows == 50000);
		CHECK(encode_column(&v, limits[i].kind, EC_CODEC_NONE, &none, &header_len) == EC_OK);
		CHECK(encode_column(&v, limits[i].kind, EC_CODEC_ZSTD, &zstd, &header_len) == EC_OK);
		snprintf(context, sizeof(context), "kind %d, %s: %zu and %zu bytes", limits[i].kind,
				 limits[i].pattern, none.len, zstd.len);
		CHECK(none.len <= limits[i].none && zstd.len <= limits[i].zstd);
		ec_buf_free(&none);
		ec_buf_free(&zstd);
		ec_builder_destroy(b);
	}
}

void
test_roundtrip(uint64_t seed)
{
	static const EcKind kinds[] = {EC_KIND_INT,	 EC_KIND_DECIMAL, EC_KIND_FLOAT,
								   EC_KIND_TEXT, EC_KIND_UUID,	  EC_KIND_RAW};
	Random r = {seed};
	int i;

	for (i = 0; i < 6; i++)
		all_patterns(kinds[i], seed);
	for (i = 0; i < 3; i++)
		foreign_dictionary(&r, (EcCodec) i);
	foreign_uuids(&r, EC_FORM_FLAT);
	foreign_uuids(&r, EC_FORM_DICT);
	constants();
	late_dictionary(EC_KIND_TEXT, "returning", true);
	late_dictionary(EC_KIND_TEXT, "returning_uuids", true);
	late_dictionary(EC_KIND_TEXT, "distinct", false);
	segments(seed);
	limits();
	sizes();
	out_of_memory(EC_KIND_INT, 8);
	out_of_memory(EC_KIND_TEXT, 2);
	out_of_memory(EC_KIND_TEXT, 4);
	for (i = 1; strcmp(ec_encoding_name(i), "unknown") != 0; i++)
	{
		snprintf(context, sizeof(context), "encoding %s", ec_encoding_name(i));
		CHECK(seen[i] > 0);
	}
}
