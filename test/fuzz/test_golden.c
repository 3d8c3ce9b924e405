/*
 * test_golden.c
 *	  Chunks of every format version that was ever released decode to the values
 *	  from which they were made.
 *
 * A golden file is u32 header length | chunk; its name tells what is in it:
 * v<version>_<kind>_<pattern>_<rows>_<nulls>_<codec>.chunk, and columns.c makes the
 * same column again.  So patterns must never change what they give; add new ones
 * instead.  Files of released versions are never written again.
 */
#include "fuzz.h"

#define FORMAT_VERSION 2
#define SEED 20260101

typedef struct Golden
{
	EcKind kind;
	int pattern;
	uint32_t nrows;
	Nulls nulls;
	EcCodec codec;
} Golden;

static const Golden goldens[] = {
	{EC_KIND_INT, 0, 100, NULLS_NONE, EC_CODEC_NONE}, /* const */
	{EC_KIND_INT, 0, 100, NULLS_ALL, EC_CODEC_NONE},
	{EC_KIND_INT, 1, 300, NULLS_FEW, EC_CODEC_ZSTD},	/* plain, for */
	{EC_KIND_INT, 14, 5000, NULLS_NONE, EC_CODEC_NONE}, /* for: many widths */
	{EC_KIND_INT, 3, 2100, NULLS_HALF, EC_CODEC_LZ4},
	{EC_KIND_INT, 5, 2000, NULLS_NONE, EC_CODEC_ZSTD},	  /* delta */
	{EC_KIND_INT, 6, 17000, NULLS_NONE, EC_CODEC_ZSTD},	  /* rle, two blocks */
	{EC_KIND_INT, 7, 4000, NULLS_FEW, EC_CODEC_NONE},	  /* delta, zigzag */
	{EC_KIND_DECIMAL, 8, 4000, NULLS_FEW, EC_CODEC_ZSTD}, /* dictionary by frequency */
	{EC_KIND_INT, 13, 4000, NULLS_FEW, EC_CODEC_ZSTD},	  /* dictionary by appearance */
	{EC_KIND_INT, 9, 500, NULLS_FEW, EC_CODEC_ZSTD},
	{EC_KIND_FLOAT, 12, 500, NULLS_FEW, EC_CODEC_ZSTD},
	{EC_KIND_TEXT, 2, 3000, NULLS_HALF, EC_CODEC_ZSTD}, /* dictionary of strings */
	{EC_KIND_TEXT, 4, 300, NULLS_FEW, EC_CODEC_LZ4},	/* strings */
	{EC_KIND_TEXT, 1, 50, NULLS_NONE, EC_CODEC_ZSTD},
	{EC_KIND_TEXT, 7, 1500, NULLS_FEW, EC_CODEC_ZSTD}, /* dictionary of UUIDs */
	{EC_KIND_UUID, 1, 200, NULLS_FEW, EC_CODEC_NONE},  /* uuid */
	{EC_KIND_RAW, 3, 400, NULLS_LAST, EC_CODEC_ZSTD},
};

static void
golden_path(const char *directory, const Golden *g, int version, char *path, size_t size)
{
	snprintf(path, size, "%s/v%d_%d_%s_%u_%d_%s.chunk", directory, version, g->kind,
			 pattern_name(g->kind, g->pattern), g->nrows, g->nulls, ec_codec_name(g->codec));
}

static void
write_golden(const char *path, const EcVector *v, const Golden *g)
{
	FILE *f = fopen(path, "wb");
	uint32_t header_len;
	EcBuf out;

	CHECK(encode_column(v, g->kind, g->codec, &out, &header_len) == EC_OK);
	CHECK(f != NULL && fwrite(&header_len, 4, 1, f) == 1 && fwrite(out.data, out.len, 1, f) == 1 &&
		  fclose(f) == 0);
	ec_buf_free(&out);
}

static void
read_golden(const char *path, const EcVector *v)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	uint32_t header_len;
	size_t len;

	CHECK(f != NULL);
	if (f == NULL)
		return;
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	CHECK(len > 4 && len < sizeof(data));
	memcpy(&header_len, data, 4);
	CHECK(header_len <= len - 4 && decode_chunk(data + 4, len - 4, header_len, v, NULL));
}

void
test_golden(const char *directory, bool write)
{
	size_t i;

	for (i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++)
	{
		const Golden *g = &goldens[i];
		EcBuilder *b = ec_builder_create(g->kind, &ec_malloc_allocator);
		char path[200];
		EcVector v;
		int version;

		append_pattern(b, g->kind, g->pattern, g->nrows, g->nulls, SEED + i);
		ec_builder_view(b, &v);
		for (version = write ? FORMAT_VERSION : 1; version <= FORMAT_VERSION; version++)
		{
			golden_path(directory, g, version, path, sizeof(path));
			snprintf(context, sizeof(context), "%s", path);
			if (write)
				write_golden(path, &v, g);
			read_golden(path, &v);
		}
		ec_builder_destroy(b);
	}
}
