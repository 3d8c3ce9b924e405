/*
 * common.c
 *	  Checks, random numbers, and the decoding of whole chunks.
 */
#include "fuzz.h"

uint64_t checks_passed;
uint64_t checks_failed;
char context[256];

void
check_at(bool ok, const char *what, const char *file, int line)
{
	if (ok)
	{
		checks_passed++;
		return;
	}
	if (++checks_failed <= 100)
		fprintf(stderr, "FAILED %s:%d: %s (%s)\n", file, line, what, context);
}

uint64_t
random_u64(Random *r)
{
	uint64_t x = r->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint32_t
random_below(Random *r, uint32_t n)
{
	return (uint32_t) ((random_u64(r) >> 32) * n >> 32);
}

bool
same_value(const EcVector *a, uint32_t i, const EcVector *b, uint32_t j)
{
	bool anull = ec_vector_is_null(a, i);
	char text[EC_UUID_TEXT_LEN];
	uint32_t x;
	uint32_t y;

	if (anull || ec_vector_is_null(b, j))
		return anull == ec_vector_is_null(b, j);
	x = ec_vector_index(a, i);
	y = ec_vector_index(b, j);
	if (a->phys == EC_PHYS_INT64)
		return b->phys == EC_PHYS_INT64 && a->values.i64[x] == b->values.i64[y];
	if (a->phys == EC_PHYS_UUID)
		return b->phys == EC_PHYS_UUID &&
			   memcmp(&a->values.uuid[x], &b->values.uuid[y], sizeof(EcUuid)) == 0;
	if (b->phys == EC_PHYS_UUID)
	{
		ec_uuid_format(&b->values.uuid[y], text);
		return a->values.bytes[x].len == sizeof(text) &&
			   memcmp(a->values.bytes[x].ptr, text, sizeof(text)) == 0;
	}
	return a->values.bytes[x].len == b->values.bytes[y].len &&
		   memcmp(a->values.bytes[x].ptr, b->values.bytes[y].ptr, a->values.bytes[x].len) == 0;
}

/* Touches every byte, so that the sanitizer sees where it lies. */
static uint64_t
read_value(const EcVector *v, uint32_t index)
{
	uint64_t sum = 0;
	uint32_t i;

	if (v->phys == EC_PHYS_INT64)
		return (uint64_t) v->values.i64[index];
	if (v->phys == EC_PHYS_UUID)
	{
		for (i = 0; i < sizeof(EcUuid); i++)
			sum += v->values.uuid[index].b[i];
		return sum;
	}
	for (i = 0; i < v->values.bytes[index].len; i++)
		sum += v->values.bytes[index].ptr[i];
	return sum;
}

static volatile uint64_t read_sum;

static bool
nulls_are_sound(const EcVector *v)
{
	uint32_t nulls = 0;
	uint32_t i;

	if ((v->validity == NULL) != (v->nnulls == 0 || v->form == EC_FORM_CONST))
		return false;
	if (v->form == EC_FORM_CONST)
		return v->nnulls == 0 || v->nnulls == v->nrows;
	for (i = 0; i < v->nrows; i++)
		nulls += ec_vector_is_null(v, i);
	return nulls == v->nnulls;
}

bool
vector_is_sound(const EcVector *v)
{
	uint64_t sum = 0;
	uint32_t i;

	if (!nulls_are_sound(v))
		return false;
	for (i = 0; i < v->nrows; i++)
	{
		if (v->form == EC_FORM_DICT &&
			(v->codes[i] > v->ndict || (v->codes[i] == v->ndict) != ec_vector_is_null(v, i)))
			return false;
		/* Values of NULL rows are unspecified but readable, except in a dictionary. */
		if (v->form == EC_FORM_FLAT || !ec_vector_is_null(v, i))
			sum += read_value(v, ec_vector_index(v, i));
	}
	read_sum = sum;
	return true;
}

static int64_t
zone_value(const EcVector *v, uint32_t row, EcKind kind)
{
	uint32_t index = ec_vector_index(v, row);
	char text[EC_UUID_TEXT_LEN];

	if (v->phys == EC_PHYS_INT64)
		return v->values.i64[index];
	if (v->phys == EC_PHYS_BYTES)
		return ec_bytes_prefix(v->values.bytes[index].ptr, v->values.bytes[index].len);
	if (kind == EC_KIND_UUID)
		return ec_bytes_prefix(v->values.uuid[index].b, sizeof(EcUuid));
	ec_uuid_format(&v->values.uuid[index], text);
	return ec_bytes_prefix((const uint8_t *) text, sizeof(text));
}

/* The zone is exactly what the rows say. */
static bool
zone_fits(const EcZone *zone, const EcVector *v, EcKind kind)
{
	int64_t min = INT64_MAX;
	int64_t max = INT64_MIN;
	uint32_t i;

	for (i = 0; i < v->nrows; i++)
	{
		int64_t x;

		if (ec_vector_is_null(v, i))
			continue;
		x = zone_value(v, i, kind);
		min = x < min ? x : min;
		max = x > max ? x : max;
	}
	return zone->nrows == v->nrows && zone->nnulls == v->nnulls &&
		   (v->nnulls == v->nrows || (zone->min == min && zone->max == max));
}

static void *
exact_copy(const uint8_t *from, size_t len)
{
	void *copy = malloc(len > 0 ? len : 1);

	if (len > 0)
		memcpy(copy, from, len);
	return copy;
}

/* More memory than this is refused, as a careful reader would. */
#define SCRATCH_LIMIT (256 * 1024 * 1024)

typedef struct Piece
{
	uint8_t *bytes;
	void *scratch;
} Piece;

static bool
load_piece(Piece *p, const EcPiece *piece, const uint8_t *chunk, size_t len)
{
	memset(p, 0, sizeof(*p));
	if (piece->offset > len || piece->len > len - piece->offset || piece->scratch > SCRATCH_LIMIT)
		return false;
	p->bytes = exact_copy(chunk + piece->offset, piece->len);
	p->scratch = malloc(piece->scratch > 0 ? piece->scratch : 1);
	return true;
}

static void
free_piece(Piece *p)
{
	free(p->bytes);
	free(p->scratch);
}

static bool
check_block(const EcChunk *c, uint32_t block, const EcVector *v, const EcVector *expected)
{
	uint32_t i;

	CHECK(vector_is_sound(v));
	if (expected == NULL)
		return true;
	CHECK(zone_fits(&c->blocks[block].zone, v, c->kind));
	for (i = 0; i < v->nrows; i++)
	{
		if (!same_value(expected, block * EC_BLOCK_ROWS + i, v, i))
		{
			CHECK(!"a value differs");
			return false;
		}
	}
	return true;
}

static bool
decode_blocks(EcDecoder *dec, const EcChunk *c, const uint8_t *chunk, size_t len,
			  const EcVector *dict, const EcVector *expected, uint64_t *seen)
{
	uint32_t b;
	bool all = true;

	for (b = 0; b < c->nblocks; b++)
	{
		EcPiece *piece = &c->blocks[b].piece;
		EcVector v;
		Piece p;

		if (!load_piece(&p, piece, chunk, len))
			return false;
		if (seen != NULL)
			seen[piece->encoding]++;
		if (ec_block_decode(dec, c, b, p.bytes, dict, p.scratch, piece->scratch, &v) != EC_OK)
			all = false;
		else
			all &= check_block(c, b, &v, expected);
		if (expected != NULL && piece->scratch > 0)
			CHECK(ec_block_decode(dec, c, b, p.bytes, dict, p.scratch, piece->scratch - 1, &v) ==
				  EC_ERR_SPACE);
		free_piece(&p);
	}
	return all;
}

/* The dictionary's segments one by one, from and into memory of exactly the announced size. */
static Piece *
load_segments(EcDecoder *dec, const EcChunk *c, const uint8_t *chunk, size_t len,
			  EcVector *segments, const EcVector *dict, uint64_t *seen)
{
	Piece *pieces = calloc(c->nsegments > 0 ? c->nsegments : 1, sizeof(Piece));
	uint32_t s;
	uint32_t i;

	for (s = 0; s < c->nsegments; s++)
	{
		const EcPiece *piece = &c->segments[s];

		if (seen != NULL)
			seen[piece->encoding]++;
		CHECK(load_piece(&pieces[s], piece, chunk, len) &&
			  ec_segment_decode(dec, c, s, pieces[s].bytes, pieces[s].scratch, piece->scratch,
								&segments[s]) == EC_OK &&
			  vector_is_sound(&segments[s]));
		for (i = 0; i < segments[s].nrows; i++)
			CHECK(same_value(dict, s * c->segment_entries + i, &segments[s], i));
	}
	return pieces;
}

void *
move_view(EcView *view)
{
	EcViewPlan plan;
	void *memory;

	ec_view_plan(view, &plan);
	memory = malloc(plan.size > 0 ? plan.size : 1);
	ec_view_move(view, &plan, memory);
	return memory;
}

static void
check_view_row(const EcChunk *c, EcView *view, uint32_t row, const EcVector *segments,
			   const EcVector *expected, uint32_t at)
{
	EcVector one = {.phys = c->phys, .form = EC_FORM_CONST, .nrows = 1};
	EcPoint point;

	CHECK(ec_view_get(view, row, &point) == EC_OK);
	one.nnulls = point.isnull;
	one.values.any = &point.value;
	if (point.in_dict)
		CHECK(same_value(expected, at, &segments[point.code / c->segment_entries],
						 point.code % c->segment_entries));
	else
		CHECK(same_value(expected, at, &one, 0));
}

/* In order, then back and forth. */
static void
check_view_rows(const EcChunk *c, uint32_t block, EcView *view, const EcVector *segments,
				const EcVector *expected)
{
	uint32_t n = c->blocks[block].zone.nrows;
	uint32_t first = block * EC_BLOCK_ROWS;
	uint32_t i;

	for (i = 0; i < n; i++)
		check_view_row(c, view, i, segments, expected, first + i);
	for (i = 0; i < n; i += 97)
		check_view_row(c, view, (uint32_t) ((uint64_t) i * 7919 % n), segments, expected,
					   first + (uint32_t) ((uint64_t) i * 7919 % n));
}

/* The entries of a segment by themselves are those of the dictionary. */
static void
check_segment_view(EcDecoder *dec, const EcChunk *c, uint32_t segment, const uint8_t *chunk,
				   size_t len, const EcVector *segments, const EcVector *dict)
{
	const EcPiece *piece = &c->segments[segment];
	EcVector one = {.phys = c->phys, .form = EC_FORM_CONST, .nrows = 1};
	EcPoint point;
	EcView view;
	void *moved;
	uint32_t i;
	Piece p;

	CHECK(load_piece(&p, piece, chunk, len));
	if (piece->scratch > 0)
		CHECK(ec_view_open_segment(dec, c, segment, p.bytes, p.scratch, piece->scratch - 1,
								   &view) == EC_ERR_SPACE);
	CHECK(ec_view_open_segment(dec, c, segment, p.bytes, p.scratch, piece->scratch, &view) ==
		  EC_OK);
	moved = move_view(&view);
	memset(p.scratch, 0xee, piece->scratch);
	free_piece(&p);
	for (i = 0; i < segments[segment].nrows; i++)
	{
		CHECK(ec_view_get(&view, i, &point) == EC_OK && !point.isnull && !point.in_dict);
		one.values.any = &point.value;
		CHECK(same_value(dict, segment * c->segment_entries + i, &one, 0));
	}
	CHECK(ec_view_get(&view, i, &point) == EC_ERR_CORRUPT);
	free(moved);
}

/* Row by row, as decode_blocks does block by block. */
static void
check_view(EcDecoder *dec, const EcChunk *c, uint32_t block, const uint8_t *chunk, size_t len,
		   const EcVector *segments, const EcVector *expected)
{
	uint64_t need = ec_view_scratch(c, block);
	void *scratch = malloc(need > 0 ? need : 1);
	void *moved;
	EcPoint point;
	EcView view;
	Piece p;

	CHECK(need <= c->blocks[block].piece.scratch);
	CHECK(load_piece(&p, &c->blocks[block].piece, chunk, len));
	CHECK(ec_view_open(dec, c, block, p.bytes, scratch, need, &view) == EC_OK);
	if (need > 0)
		CHECK(ec_view_open(dec, c, block, p.bytes, scratch, need - 1, &view) == EC_ERR_SPACE);
	CHECK(ec_view_open(dec, c, block, p.bytes, scratch, need, &view) == EC_OK);
	check_view_rows(c, block, &view, segments, expected);
	moved = move_view(&view);
	memset(scratch, 0xee, need);
	free(scratch);
	free_piece(&p);
	check_view_rows(c, block, &view, segments, expected);
	CHECK(ec_view_get(&view, view.nrows, &point) == EC_ERR_CORRUPT);
	free(moved);
}

static void
check_views(EcDecoder *dec, const EcChunk *c, const uint8_t *chunk, size_t len,
			const EcVector *dict, const EcVector *expected, uint64_t *seen)
{
	EcVector *segments = calloc(c->nsegments > 0 ? c->nsegments : 1, sizeof(EcVector));
	Piece *pieces = load_segments(dec, c, chunk, len, segments, dict, seen);
	uint32_t i;

	for (i = 0; i < c->nsegments; i++)
		check_segment_view(dec, c, i, chunk, len, segments, dict);
	for (i = 0; i < c->nblocks; i++)
		check_view(dec, c, i, chunk, len, segments, expected);
	for (i = 0; i < c->nsegments; i++)
		free_piece(&pieces[i]);
	free(pieces);
	free(segments);
}

bool
decode_chunk(const uint8_t *chunk, size_t len, uint32_t header_len, const EcVector *expected,
			 uint64_t *seen)
{
	uint8_t *header = exact_copy(chunk, header_len);
	EcDecoder *dec = ec_decoder_create(&ec_malloc_allocator);
	Piece dict_piece = {0};
	EcVector dict;
	EcChunk c;
	bool ok = ec_chunk_parse(header, header_len, &ec_malloc_allocator, &c) == EC_OK;

	if (ok && expected != NULL)
		CHECK(c.total_len == len && c.zone.nrows == expected->nrows &&
			  c.zone.nnulls == expected->nnulls);
	if (ok && c.ndict > 0)
	{
		ok = load_piece(&dict_piece, &c.dict, chunk, len) &&
			 ec_dict_decode(dec, &c, dict_piece.bytes, dict_piece.scratch, c.dict.scratch, &dict) ==
				 EC_OK;
		if (ok)
			CHECK(vector_is_sound(&dict) && dict.form == EC_FORM_FLAT && dict.nnulls == 0 &&
				  dict.nrows == c.ndict);
	}
	if (ok)
		ok = decode_blocks(dec, &c, chunk, len, c.ndict > 0 ? &dict : NULL, expected, seen);
	if (ok && expected != NULL)
		check_views(dec, &c, chunk, len, c.ndict > 0 ? &dict : NULL, expected, seen);
	free_piece(&dict_piece);
	free(c.blocks);
	free(header);
	ec_decoder_destroy(dec);
	return ok;
}

EcStatus
encode_column(const EcVector *v, EcKind kind, EcCodec codec, EcBuf *out, uint32_t *header_len)
{
	EcEncodeOptions options = {codec, 3, kind, kind == EC_KIND_DECIMAL ? 2 : 0};
	EcEncoder *enc = ec_encoder_create(&ec_malloc_allocator);
	EcStatus status;

	memset(out, 0, sizeof(*out));
	out->alloc = &ec_malloc_allocator;
	status = ec_chunk_encode(enc, v, &options, out, header_len);
	ec_encoder_destroy(enc);
	return status;
}
