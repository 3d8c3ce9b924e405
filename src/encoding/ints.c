/*
 * ints.c
 *	  Arrays of unsigned integers, the building block of most encodings.  Pure C.
 *
 *	u8 layout
 *	PACKED	u8 width of each mini | stream of the minis (bitpack.c)
 *	PLANES	u8 nplanes | a stream for each byte of the values, the lowest first
 *
 * Planes let zstd's entropy coder at the skewed high bytes while the even low ones
 * stay as they are; they are taken if they save a tenth of the packed size.
 */
#include "encoding/bitpack.h"
#include "encoding/codec.h"

#define LAYOUT_PACKED 0
#define LAYOUT_PLANES 1

/* Packed arrays shorter than this are not worth planes. */
#define MIN_PLANES 128

/* Unpacking a mini takes as long as finding so many of its values. */
#define FEW_ROWS 32

#define MINIS(n) (((n) + EC_MINI_ROWS - 1) / EC_MINI_ROWS)

static uint32_t
mini_rows(uint32_t n, uint32_t mini)
{
	uint32_t left = n - mini * EC_MINI_ROWS;

	return left < EC_MINI_ROWS ? left : EC_MINI_ROWS;
}

static EcStatus
put_planes(EcEncoder *enc, const uint64_t *x, uint32_t n, uint32_t nplanes, EcBuf *out,
		   uint64_t *scratch)
{
	uint8_t head[2] = {LAYOUT_PLANES, (uint8_t) nplanes};
	uint8_t *plane;
	uint32_t p;
	uint32_t i;

	EC_TRY(ec_buf_append(out, head, sizeof(head)));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, PLANE), n));
	plane = EC_WORK(enc, PLANE)->data;
	for (p = 0; p < nplanes; p++)
	{
		for (i = 0; i < n; i++)
			plane[i] = (uint8_t) (x[i] >> (8 * p));
		EC_TRY(ec_stream_put_plane(enc, plane, n, out, scratch));
	}
	return EC_OK;
}

/* compress: whether it may still pay to try. */
static EcStatus
put_packed(EcEncoder *enc, const uint64_t *x, uint32_t n, const uint8_t *widths, size_t size,
		   bool compress, EcBuf *out, uint64_t *scratch)
{
	uint8_t layout = LAYOUT_PACKED;
	uint8_t *to;
	uint32_t mini;

	EC_TRY(ec_buf_append(out, &layout, 1));
	EC_TRY(ec_buf_append(out, widths, MINIS(n)));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, PLANE), size));
	to = EC_WORK(enc, PLANE)->data;
	for (mini = 0; mini < MINIS(n); mini++)
	{
		uint32_t rows = mini_rows(n, mini);

		if (widths[mini] > 0)
			ec_pack_mini(x + mini * EC_MINI_ROWS, rows, widths[mini], to);
		to += ec_mini_bytes(rows, widths[mini]);
	}
	if (compress)
		return ec_stream_put(enc, EC_WORK(enc, PLANE)->data, size, out, scratch);
	return ec_stream_put_raw(EC_WORK(enc, PLANE)->data, size, out);
}

EcStatus
ec_ints_put(EcEncoder *enc, const uint64_t *x, uint32_t n, EcBuf *out, uint64_t *scratch)
{
	uint8_t widths[MINIS(EC_GROUP_ROWS_MAX)];
	uint32_t greatest = 0;
	uint64_t planes_scratch = *scratch;
	size_t at = out->len;
	size_t size = 0;
	uint32_t mini;
	EcCodec codec_used = enc->codec_used;
	bool try_planes;

	for (mini = 0; mini < MINIS(n); mini++)
	{
		uint32_t rows = mini_rows(n, mini);
		uint32_t width = ec_bit_width(x + mini * EC_MINI_ROWS, rows);

		widths[mini] = (uint8_t) width;
		greatest = width > greatest ? width : greatest;
		size += ec_mini_bytes(rows, width);
	}
	try_planes = enc->codec != EC_CODEC_NONE && size >= MIN_PLANES;
	if (try_planes)
	{
		EC_TRY(put_planes(enc, x, n, (greatest + 7) / 8, out, &planes_scratch));
		if (out->len - at < size - size / 10)
		{
			*scratch = planes_scratch;
			return EC_OK;
		}
		out->len = at;
		enc->codec_used = codec_used;
	}
	return put_packed(enc, x, n, widths, size, !try_planes, out, scratch);
}

static EcStatus
get_widths(EcPieceReader *r, uint32_t n, uint32_t max_width, const uint8_t **widths,
		   const uint8_t **data)
{
	uint64_t size = 0;
	uint32_t mini;

	if (!ec_get_bytes(&r->in, MINIS(n), widths))
		return EC_ERR_CORRUPT;
	for (mini = 0; mini < MINIS(n); mini++)
	{
		if ((*widths)[mini] > max_width)
			return EC_ERR_CORRUPT;
		size += ec_mini_bytes(mini_rows(n, mini), (*widths)[mini]);
	}
	return ec_stream_get_exact(r, size, data);
}

static EcStatus
get_planes(EcPieceReader *r, uint32_t n, uint32_t max_planes, const uint8_t **planes,
		   uint32_t *nplanes)
{
	uint8_t count;
	uint32_t p;

	if (!ec_get_u8(&r->in, &count) || count == 0 || count > max_planes)
		return EC_ERR_CORRUPT;
	for (p = 0; p < count; p++)
		EC_TRY(ec_stream_get_exact(r, n, &planes[p]));
	*nplanes = count;
	return EC_OK;
}

static void
join_planes32(const uint8_t *const *planes, uint32_t nplanes, uint32_t n, uint32_t *restrict x)
{
	const uint8_t *a = planes[0];
	const uint8_t *b = planes[nplanes > 1];
	uint32_t p;
	uint32_t i;

	if (nplanes == 1)
	{
		for (i = 0; i < n; i++)
			x[i] = a[i];
		return;
	}
	for (i = 0; i < n; i++)
		x[i] = a[i] | (uint32_t) b[i] << 8;
	for (p = 2; p < nplanes; p++)
	{
		const uint8_t *more = planes[p];

		for (i = 0; i < n; i++)
			x[i] |= (uint32_t) more[i] << (8 * p);
	}
}

static void
join_planes64(const uint8_t *const *planes, uint32_t nplanes, uint32_t n, uint64_t *restrict x)
{
	uint32_t p;
	uint32_t i;

	for (i = 0; i < n; i++)
		x[i] = planes[0][i];
	for (p = 1; p < nplanes; p++)
	{
		const uint8_t *more = planes[p];

		for (i = 0; i < n; i++)
			x[i] |= (uint64_t) more[i] << (8 * p);
	}
}

/* Into memory of the caller, which has EC_ARENA_SLACK after it. */
EcStatus
ec_ints_get32(EcPieceReader *r, uint32_t n, uint32_t *x)
{
	const uint8_t *planes[4];
	const uint8_t *widths;
	const uint8_t *data;
	uint32_t nplanes;
	uint32_t mini;
	uint8_t layout;

	if (!ec_get_u8(&r->in, &layout) || layout > LAYOUT_PLANES)
		return EC_ERR_CORRUPT;
	if (layout == LAYOUT_PLANES)
	{
		EC_TRY(get_planes(r, n, 4, planes, &nplanes));
		join_planes32(planes, nplanes, n, x);
		return EC_OK;
	}
	EC_TRY(get_widths(r, n, 32, &widths, &data));
	for (mini = 0; mini < MINIS(n); mini++)
	{
		ec_unpack_mini32(data, mini_rows(n, mini), widths[mini], x + mini * EC_MINI_ROWS);
		data += ec_mini_bytes(mini_rows(n, mini), widths[mini]);
	}
	return EC_OK;
}

EcStatus
ec_ints_get64(EcPieceReader *r, uint32_t n, uint64_t *x)
{
	const uint8_t *planes[8];
	const uint8_t *widths;
	const uint8_t *data;
	uint32_t nplanes;
	uint32_t mini;
	uint8_t layout;

	if (!ec_get_u8(&r->in, &layout) || layout > LAYOUT_PLANES)
		return EC_ERR_CORRUPT;
	if (layout == LAYOUT_PLANES)
	{
		EC_TRY(get_planes(r, n, 8, planes, &nplanes));
		join_planes64(planes, nplanes, n, x);
		return EC_OK;
	}
	EC_TRY(get_widths(r, n, 64, &widths, &data));
	for (mini = 0; mini < MINIS(n); mini++)
	{
		ec_unpack_mini64(data, mini_rows(n, mini), widths[mini], x + mini * EC_MINI_ROWS);
		data += ec_mini_bytes(mini_rows(n, mini), widths[mini]);
	}
	return EC_OK;
}

EcStatus
ec_ints_open(EcPieceReader *r, uint32_t n, uint32_t max_width, EcView *view)
{
	const uint8_t *data;
	uint32_t mini;
	uint8_t layout;

	if (n > EC_BLOCK_ROWS || !ec_get_u8(&r->in, &layout) || layout > LAYOUT_PLANES)
		return EC_ERR_CORRUPT;
	view->nplanes = 0;
	view->nints = n;
	if (layout == LAYOUT_PLANES)
		return get_planes(r, n, max_width / 8, view->planes, &view->nplanes);
	EC_TRY(get_widths(r, n, max_width, &view->widths, &data));
	for (mini = 0; mini < MINIS(n); mini++)
	{
		view->minis[mini] = data;
		data += ec_mini_bytes(mini_rows(n, mini), view->widths[mini]);
	}
	return EC_OK;
}

uint64_t
ec_ints_at(const EcView *view, uint32_t row)
{
	uint32_t mini = row / EC_MINI_ROWS;
	uint64_t x = 0;
	uint32_t p;

	if (view->nplanes == 0)
		return ec_mini_at(view->minis[mini], mini_rows(view->nints, mini), view->widths[mini],
						  row % EC_MINI_ROWS);
	for (p = 0; p < view->nplanes; p++)
		x |= (uint64_t) view->planes[p][row] << (8 * p);
	return x;
}

static void
range_of_planes(const EcView *view, uint32_t first, uint32_t n, uint64_t *x)
{
	const uint8_t *planes[8];
	uint32_t p;

	for (p = 0; p < view->nplanes; p++)
		planes[p] = view->planes[p] + first;
	join_planes64(planes, view->nplanes, n, x);
}

void
ec_ints_range(const EcView *view, uint32_t first, uint32_t end, uint64_t *x)
{
	uint32_t mini = first / EC_MINI_ROWS;
	uint64_t all[EC_MINI_ROWS];
	uint32_t i;

	if (view->nplanes > 0)
		range_of_planes(view, first, end - first, x);
	else if (view->widths[mini] == 0)
		memset(x, 0, (end - first) * sizeof(*x));
	else if (end - first <= FEW_ROWS)
	{
		for (i = first; i < end; i++)
			x[i - first] = ec_ints_at(view, i);
	}
	else
	{
		ec_unpack_mini64(view->minis[mini], mini_rows(view->nints, mini), view->widths[mini], all);
		memcpy(x, all + first % EC_MINI_ROWS, (end - first) * sizeof(*x));
	}
}

/* Bytes of the planes that are 0 in all of them. */
static uint32_t
zeros_of_planes(const EcView *view, uint32_t first, uint32_t end)
{
	uint8_t any[EC_MINI_ROWS];
	uint32_t n = end - first;
	uint32_t zeros = 0;
	uint32_t p;
	uint32_t i;

	memset(any, 0, n);
	for (p = 0; p < view->nplanes; p++)
	{
		const uint8_t *plane = view->planes[p] + first;

		for (i = 0; i < n; i++)
			any[i] |= plane[i];
	}
	for (i = 0; i < n; i++)
		zeros += any[i] == 0;
	return zeros;
}

uint32_t
ec_ints_zeros(const EcView *view, uint32_t first, uint32_t end)
{
	uint32_t x[EC_MINI_ROWS];
	uint32_t mini = first / EC_MINI_ROWS;
	uint32_t zeros = 0;
	uint32_t i;

	if (view->nplanes > 0)
		return zeros_of_planes(view, first, end);
	if (end - first < FEW_ROWS)
	{
		for (i = first; i < end; i++)
			zeros += ec_ints_at(view, i) == 0;
		return zeros;
	}
	ec_unpack_mini32(view->minis[mini], mini_rows(view->nints, mini), view->widths[mini], x);
	for (i = first; i < end; i++)
		zeros += x[i % EC_MINI_ROWS] == 0;
	return zeros;
}
