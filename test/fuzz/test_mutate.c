/*
 * test_mutate.c
 *	  Damaged chunks.  With their checksums as they were, each is refused; with
 *	  checksums put right, decoders may say what they like but never step outside
 *	  their memory, loop, or give a vector that breaks its promises.
 */
#include "fuzz.h"

#define NSAMPLES 160

typedef struct Sample
{
	uint8_t *input; /* u32 header length | chunk */
	size_t len;
	uint32_t header_len;
	char name[64];
} Sample;

static Sample samples[NSAMPLES];

static void
make_sample(Sample *s, Random *r, int turn)
{
	static const EcKind kinds[] = {EC_KIND_INT,	 EC_KIND_TEXT, EC_KIND_INT,
								   EC_KIND_UUID, EC_KIND_RAW,  EC_KIND_INT};
	EcKind kind = kinds[turn % 6];
	int pattern = turn / 6 % pattern_count(kind);
	EcCodec codec = turn % 3 == 0 ? EC_CODEC_ZSTD : (EcCodec) random_below(r, 3);
	uint32_t nrows = turn % 32 == 0	  ? 30000 + random_below(r, 9000)
					 : turn % 16 == 0 ? 16384 + random_below(r, 2000)
									  : 1 + random_below(r, 2500);
	EcBuilder *b = ec_builder_create(kind, &ec_malloc_allocator);
	EcVector v;
	EcBuf out;

	append_pattern(b, kind, pattern, nrows, (Nulls) random_below(r, NNULLS), random_u64(r));
	ec_builder_view(b, &v);
	snprintf(s->name, sizeof(s->name), "kind %d, %s, %u rows, %s", kind,
			 pattern_name(kind, pattern), nrows, ec_codec_name(codec));
	snprintf(context, sizeof(context), "sample %s", s->name);
	CHECK(encode_column(&v, kind, codec, &out, &s->header_len) == EC_OK);
	s->len = out.len + 4;
	s->input = malloc(s->len);
	memcpy(s->input, &s->header_len, 4);
	memcpy(s->input + 4, out.data, out.len);
	ec_buf_free(&out);
	ec_builder_destroy(b);
}

/* A number that tends to hurt. */
static uint64_t
nasty_number(Random *r)
{
	static const uint64_t some[] = {0,			1,			0x7f,		0x80,
									0xff,		0x7fffffff, 0x80000000, 0xffffffff,
									0xf0000000, 0x10000,	UINT64_MAX, UINT64_C(1) << 63};

	return random_below(r, 3) == 0 ? random_u64(r) : some[random_below(r, 12)];
}

static void
mutate_once(Random *r, uint8_t *data, size_t len)
{
	/* Headers and the starts of pieces hold what matters most. */
	size_t limit = random_below(r, 3) == 0 && len > 300 ? 300 : len;
	size_t at = random_below(r, (uint32_t) limit);
	uint64_t x = nasty_number(r);
	size_t n;

	switch (random_below(r, 5))
	{
		case 0:
			data[at] ^= (uint8_t) (1 << random_below(r, 8));
			break;
		case 1:
			data[at] = (uint8_t) x;
			break;
		case 2:
		case 3:
			n = random_below(r, 2) ? 4 : 8;
			memcpy(data + at, &x, n < len - at ? n : len - at);
			break;
		default:
			n = 1 + random_below(r, 40);
			memset(data + at, (int) x, n < len - at ? n : len - at);
			break;
	}
}

static void
hostile(Random *r, const Sample *s)
{
	size_t len = s->len;
	uint8_t *data;
	uint32_t times = 1 + random_below(r, 4);

	if (random_below(r, 10) == 0)
		len = 1 + random_below(r, (uint32_t) len);
	data = malloc(len);
	memcpy(data, s->input, len);
	while (times-- > 0)
		mutate_once(r, data, len);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
}

/* Any change of a stored byte is found by a checksum. */
static void
damaged(Random *r, const Sample *s)
{
	uint8_t *data = malloc(s->len);
	size_t at = 4 + random_below(r, (uint32_t) s->len - 4);
	uint8_t with = (uint8_t) (1 + random_below(r, 255));

	memcpy(data, s->input, s->len);
	data[at] ^= with;
	snprintf(context, sizeof(context), "%s: byte %zu ^ %u", s->name, at - 4, with);
	CHECK(!decode_chunk(data + 4, s->len - 4, s->header_len, NULL, NULL));
	free(data);
}

static void
truncated_header(const Sample *s)
{
	uint32_t len;
	EcChunk c;

	for (len = 0; len < s->header_len; len++)
	{
		uint8_t *header = malloc(len > 0 ? len : 1);

		memcpy(header, s->input + 4, len);
		snprintf(context, sizeof(context), "%s: header cut at %u", s->name, len);
		CHECK(ec_chunk_parse(header, len, &ec_malloc_allocator, &c) != EC_OK);
		free(header);
	}
}

static void
newer_version(const Sample *s)
{
	uint8_t *header = malloc(s->header_len);
	EcChunk c;

	memcpy(header, s->input + 4, s->header_len);
	header[0]++;
	snprintf(context, sizeof(context), "%s: newer version", s->name);
	CHECK(ec_chunk_parse(header, s->header_len, &ec_malloc_allocator, &c) == EC_ERR_VERSION);
	free(header);
}

void
test_mutate(uint64_t seed, uint64_t mutations)
{
	Random r = {seed};
	uint64_t i;

	for (i = 0; i < NSAMPLES; i++)
		make_sample(&samples[i], &r, (int) i);
	for (i = 0; i < NSAMPLES; i += 8)
	{
		truncated_header(&samples[i]);
		newer_version(&samples[i]);
	}
	for (i = 0; i < NSAMPLES * 10; i++)
		damaged(&r, &samples[i % NSAMPLES]);
	for (i = 0; i < mutations; i++)
		hostile(&r, &samples[random_below(&r, NSAMPLES)]);
	snprintf(context, sizeof(context), "mutations");
	CHECK(i == mutations);
	for (i = 0; i < NSAMPLES; i++)
		free(samples[i].input);
}
