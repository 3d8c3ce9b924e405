/*
 * delta.c
 *	  Encodings of integers by differences: FOR, DELTA and RLE.  Pure C.
 *
 *	FOR		[validity] i64 base | u64 unit | ints
 *			value = base + unit * int
 *	DELTA	[validity] steps
 *	RLE		[validity] u32 nruns | ints: lengths - 1 | steps of the runs' values
 *	steps	i64 first | i64 least | u64 unit | u8 zigzag | ints
 *			each value is its predecessor (the first: "first") plus
 *			least + unit * int, or unit * (zigzag int) if zigzag
 *
 * "unit" is the greatest common divisor of all differences, so timestamps of
 * whole seconds cost what seconds cost.  All arithmetic is modulo 2^64.  NULL rows
 * repeat the value before them.
 */
#include "encoding/bitpack.h"
#include "encoding/codec.h"

static uint64_t
gcd(uint64_t a, uint64_t b)
{
	while (b != 0)
	{
		uint64_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

/* Division without remainder by a constant: multiply by the odd part's inverse, then shift. */
typedef struct Divisor
{
	uint64_t by;
	uint64_t inverse;
	uint64_t limit; /* greatest quotient */
	uint32_t shift;
} Divisor;

static Divisor
make_divisor(uint64_t by)
{
	Divisor d;
	uint64_t odd;
	int i;

	d.by = by;
	d.shift = (uint32_t) __builtin_ctzll(by);
	odd = by >> d.shift;
	d.inverse = odd;
	for (i = 0; i < 6; i++)
		d.inverse *= 2 - odd * d.inverse;
	d.limit = UINT64_MAX / by;
	return d;
}

/* The quotient, or something above d->limit if x is no multiple. */
static inline uint64_t
quotient(const Divisor *d, uint64_t x)
{
	uint64_t q = x * d->inverse;

	return d->shift == 0 ? q : q >> d->shift | q << (64 - d->shift);
}

/* Greatest common divisor of x[0..n), 1 if all are 0. */
uint64_t
ec_common_divisor(const uint64_t *x, uint32_t n)
{
	uint64_t g = 0;
	Divisor d = {0};
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		if (x[i] == 0 || (g != 0 && quotient(&d, x[i]) <= d.limit))
			continue;
		g = gcd(x[i], g);
		if (g == 1)
			return 1;
		d = make_divisor(g);
	}
	return g == 0 ? 1 : g;
}

void
ec_divide(uint64_t *x, uint32_t n, uint64_t by)
{
	Divisor d = make_divisor(by);
	uint32_t i;

	if (by == 1)
		return;
	for (i = 0; i < n; i++)
		x[i] = quotient(&d, x[i]);
}

/* The values of rows, NULL ones filled from before (or after, at the start). */
static EcStatus
filled_values(EcEncoder *enc, const EcRows *rows, const int64_t **values)
{
	const int64_t *from = rows->column->values.i64 + rows->first;
	int64_t last = 0;
	int64_t *to;
	uint32_t i;

	*values = from;
	if (rows->nnulls == 0)
		return EC_OK;
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, FILLED), rows->nrows * sizeof(int64_t)));
	to = EC_WORK(enc, FILLED)->data;
	for (i = 0; i < rows->nrows && ec_rows_null(rows, i); i++)
		;
	if (i < rows->nrows)
		last = from[i];
	for (i = 0; i < rows->nrows; i++)
	{
		if (!ec_rows_null(rows, i))
			last = from[i];
		to[i] = last;
	}
	*values = to;
	return EC_OK;
}

static EcStatus
for_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	uint32_t n = rows->nrows;
	const int64_t *values;
	int64_t base;
	uint64_t unit;
	uint64_t *x;
	uint32_t i;

	EC_TRY(ec_validity_put(enc, rows, out, scratch));
	EC_TRY(filled_values(enc, rows, &values));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, INTS), n * sizeof(uint64_t)));
	x = EC_WORK(enc, INTS)->data;
	base = values[0];
	for (i = 1; i < n; i++)
		base = values[i] < base ? values[i] : base;
	for (i = 0; i < n; i++)
		x[i] = (uint64_t) values[i] - (uint64_t) base;
	unit = ec_common_divisor(x, n);
	ec_divide(x, n, unit);
	*scratch += EC_ARENA_BYTES(n * sizeof(uint64_t));
	EC_TRY(ec_put_u64(out, (uint64_t) base));
	EC_TRY(ec_put_u64(out, unit));
	return ec_ints_put(enc, x, n, out, scratch);
}

static EcStatus
for_decode(EcPieceReader *r, EcVector *v)
{
	uint64_t base;
	uint64_t unit;
	uint64_t *x;
	uint32_t i;

	if (r->phys != EC_PHYS_INT64)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_validity_get(r, v));
	if (!ec_get_u64(&r->in, &base) || !ec_get_u64(&r->in, &unit))
		return EC_ERR_CORRUPT;
	x = ec_take_values(r, r->nrows * sizeof(uint64_t));
	if (x == NULL)
		return EC_ERR_SPACE;
	EC_TRY(ec_ints_get64(r, r->nrows, x));
	if (unit == 1)
	{
		for (i = 0; i < r->nrows; i++)
			x[i] += base;
	}
	else
	{
		for (i = 0; i < r->nrows; i++)
			x[i] = base + unit * x[i];
	}
	v->form = EC_FORM_FLAT;
	v->values.i64 = (const int64_t *) x;
	return EC_OK;
}

static inline uint64_t
zigzag(uint64_t x)
{
	return x << 1 ^ (uint64_t) ((int64_t) x >> 63);
}

static inline uint64_t
unzigzag(uint64_t x)
{
	return x >> 1 ^ -(x & 1);
}

static inline uint32_t
bits_of(uint64_t x)
{
	return x == 0 ? 0 : 64 - (uint32_t) __builtin_clzll(x);
}

typedef struct Range
{
	int64_t min;
	int64_t max;
} Range;

static Range
range_of(const uint64_t *x, uint32_t n)
{
	Range range = {INT64_MAX, INT64_MIN};
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		int64_t d = (int64_t) x[i];

		range.min = d < range.min ? d : range.min;
		range.max = d > range.max ? d : range.max;
	}
	return range;
}

/*
 * Whether zigzag needs fewer bits than measuring from the least difference: it
 * does when a few differences stick out in both directions.
 */
static bool
zigzag_is_smaller(const uint64_t *x, uint32_t n, int64_t least)
{
	uint64_t bits_zigzag = 0;
	uint64_t bits_least = 0;
	uint32_t at;

	for (at = 0; at < n; at += EC_MINI_ROWS)
	{
		uint32_t rows = n - at < EC_MINI_ROWS ? n - at : EC_MINI_ROWS;
		Range range = range_of(x + at, rows);
		uint64_t low = zigzag((uint64_t) range.min);
		uint64_t high = zigzag((uint64_t) range.max);

		bits_zigzag += (uint64_t) rows * bits_of(low > high ? low : high);
		bits_least += (uint64_t) rows * bits_of((uint64_t) range.max - (uint64_t) least);
	}
	return bits_zigzag < bits_least;
}

/* Divides signed numbers, magnitudes first, by what divides all of them; gives zigzags. */
static uint64_t
zigzag_units(uint64_t *x, uint64_t *magnitudes, uint32_t n)
{
	uint64_t unit;
	uint32_t i;

	for (i = 0; i < n; i++)
		magnitudes[i] = (int64_t) x[i] < 0 ? -x[i] : x[i];
	unit = ec_common_divisor(magnitudes, n);
	ec_divide(magnitudes, n, unit);
	for (i = 0; i < n; i++)
		x[i] = zigzag((int64_t) x[i] < 0 ? -magnitudes[i] : magnitudes[i]);
	return unit;
}

static EcStatus
steps_put(EcEncoder *enc, const int64_t *values, uint32_t n, EcBuf *out, uint64_t *scratch)
{
	uint64_t first = (uint64_t) values[0];
	int64_t least;
	uint64_t unit;
	uint8_t zigzagged;
	uint64_t *x;
	uint32_t i;

	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, INTS), n * sizeof(uint64_t)));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, MAGNITUDES), n * sizeof(uint64_t)));
	x = EC_WORK(enc, INTS)->data;
	for (i = 1; i < n; i++)
		x[i] = (uint64_t) values[i] - (uint64_t) values[i - 1];
	least = n > 1 ? range_of(x + 1, n - 1).min : 0;
	x[0] = (uint64_t) least;
	zigzagged = zigzag_is_smaller(x, n, least);
	if (zigzagged)
	{
		x[0] = 0;
		least = 0;
		unit = zigzag_units(x, EC_WORK(enc, MAGNITUDES)->data, n);
	}
	else
	{
		first -= (uint64_t) least;
		for (i = 0; i < n; i++)
			x[i] -= (uint64_t) least;
		unit = ec_common_divisor(x, n);
		ec_divide(x, n, unit);
	}
	EC_TRY(ec_put_u64(out, first));
	EC_TRY(ec_put_u64(out, (uint64_t) least));
	EC_TRY(ec_put_u64(out, unit));
	EC_TRY(ec_buf_append(out, &zigzagged, 1));
	return ec_ints_put(enc, x, n, out, scratch);
}

static EcStatus
steps_get(EcPieceReader *r, uint32_t n, uint64_t *x)
{
	uint64_t value;
	uint64_t least;
	uint64_t unit;
	uint8_t zigzagged;
	uint32_t i;

	if (!ec_get_u64(&r->in, &value) || !ec_get_u64(&r->in, &least) || !ec_get_u64(&r->in, &unit) ||
		!ec_get_u8(&r->in, &zigzagged) || zigzagged > 1)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_ints_get64(r, n, x));
	if (zigzagged)
	{
		for (i = 0; i < n; i++)
			x[i] = value += least + unit * unzigzag(x[i]);
	}
	else
	{
		for (i = 0; i < n; i++)
			x[i] = value += least + unit * x[i];
	}
	return EC_OK;
}

/* One value after the other; x is what is stored. */
static inline uint64_t
step(const EcView *view, uint64_t x)
{
	return view->base + view->unit * (view->zigzag ? unzigzag(x) : x);
}

/* For single rows: the value before every EC_ANCHOR_ROWS rows. */
static void
sum_anchors(const EcView *view, uint64_t value, uint64_t *anchors)
{
	uint64_t x[EC_MINI_ROWS];
	uint32_t at;
	uint32_t i;

	for (at = 0; at < view->nrows; at += EC_MINI_ROWS)
	{
		uint32_t n = view->nrows - at < EC_MINI_ROWS ? view->nrows - at : EC_MINI_ROWS;

		ec_ints_range(view, at, at + n, x);
		for (i = 0; i < n; i++)
		{
			if (i % EC_ANCHOR_ROWS == 0)
				anchors[(at + i) / EC_ANCHOR_ROWS] = value;
			value += step(view, x[i]);
		}
	}
}

EcStatus
ec_delta_open(EcPieceReader *r, EcView *view)
{
	EcVector v = {0};
	uint64_t first;
	uint8_t zigzagged;
	uint64_t *anchors;

	if (r->phys != EC_PHYS_INT64)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_validity_get(r, &v));
	view->validity = v.validity;
	if (!ec_get_u64(&r->in, &first) || !ec_get_u64(&r->in, &view->base) ||
		!ec_get_u64(&r->in, &view->unit) || !ec_get_u8(&r->in, &zigzagged) || zigzagged > 1)
		return EC_ERR_CORRUPT;
	view->zigzag = zigzagged != 0;
	EC_TRY(ec_ints_open(r, r->nrows, 64, view));
	anchors = ec_arena_take(&r->arena, EC_ANCHORS(r->nrows) * sizeof(uint64_t));
	if (anchors == NULL)
		return EC_ERR_SPACE;
	sum_anchors(view, first, anchors);
	view->anchors = anchors;
	return EC_OK;
}

uint64_t
ec_delta_at(const EcView *view, uint32_t row)
{
	uint32_t first = row / EC_ANCHOR_ROWS * EC_ANCHOR_ROWS;
	uint64_t value = view->anchors[row / EC_ANCHOR_ROWS];
	uint64_t x[EC_ANCHOR_ROWS];
	uint32_t i;

	ec_ints_range(view, first, row + 1, x);
	for (i = 0; i <= row - first; i++)
		value += step(view, x[i]);
	return value;
}

static EcStatus
delta_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	const int64_t *values;

	EC_TRY(ec_validity_put(enc, rows, out, scratch));
	EC_TRY(filled_values(enc, rows, &values));
	*scratch += EC_ARENA_BYTES(rows->nrows * sizeof(uint64_t));
	return steps_put(enc, values, rows->nrows, out, scratch);
}

static EcStatus
delta_decode(EcPieceReader *r, EcVector *v)
{
	uint64_t *x;

	if (r->phys != EC_PHYS_INT64)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_validity_get(r, v));
	x = ec_take_values(r, r->nrows * sizeof(uint64_t));
	if (x == NULL)
		return EC_ERR_SPACE;
	EC_TRY(steps_get(r, r->nrows, x));
	v->form = EC_FORM_FLAT;
	v->values.i64 = (const int64_t *) x;
	return EC_OK;
}

static EcStatus
rle_encode(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch)
{
	uint32_t n = rows->nrows;
	uint32_t nruns = 0;
	const int64_t *values;
	uint64_t *lengths;
	int64_t *runs;
	uint32_t i;

	EC_TRY(ec_validity_put(enc, rows, out, scratch));
	EC_TRY(filled_values(enc, rows, &values));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, RUNS), n * sizeof(int64_t)));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, LENGTHS), n * sizeof(uint64_t)));
	runs = EC_WORK(enc, RUNS)->data;
	lengths = EC_WORK(enc, LENGTHS)->data;
	for (i = 0; i < n; i++)
	{
		if (i > 0 && values[i] == values[i - 1])
			lengths[nruns - 1]++;
		else
		{
			runs[nruns] = values[i];
			lengths[nruns++] = 0;
		}
	}
	*scratch += EC_ARENA_BYTES(n * sizeof(uint64_t)) + EC_ARENA_BYTES(nruns * sizeof(uint64_t)) +
				EC_ARENA_BYTES(nruns * sizeof(uint32_t));
	EC_TRY(ec_put_u32(out, nruns));
	EC_TRY(ec_ints_put(enc, lengths, nruns, out, scratch));
	return steps_put(enc, runs, nruns, out, scratch);
}

/* Writes runs, four values at a time (the arena's slack allows it); false if they are not n rows. */
static bool
expand_runs(const uint32_t *lengths, const uint64_t *runs, uint32_t nruns, uint32_t n, uint64_t *to)
{
	uint32_t row = 0;
	uint32_t run;
	uint32_t i;

	for (run = 0; run < nruns; run++)
	{
		if (lengths[run] >= n - row)
			return false;
		for (i = 0; i <= lengths[run]; i += 4)
		{
			to[row + i] = to[row + i + 1] = runs[run];
			to[row + i + 2] = to[row + i + 3] = runs[run];
		}
		row += lengths[run] + 1;
	}
	return row == n;
}

/* Lengths (less 1) and values of the runs. */
static EcStatus
get_runs(EcPieceReader *r, EcVector *v, uint32_t *nruns, uint32_t **lengths, uint64_t **runs)
{
	if (r->phys != EC_PHYS_INT64)
		return EC_ERR_CORRUPT;
	EC_TRY(ec_validity_get(r, v));
	if (!ec_get_u32(&r->in, nruns) || *nruns == 0 || *nruns > r->nrows)
		return EC_ERR_CORRUPT;
	*lengths = ec_arena_take(&r->arena, *nruns * sizeof(uint32_t));
	*runs = ec_arena_take(&r->arena, *nruns * sizeof(uint64_t));
	if (*lengths == NULL || *runs == NULL)
		return EC_ERR_SPACE;
	EC_TRY(ec_ints_get32(r, *nruns, *lengths));
	return steps_get(r, *nruns, *runs);
}

static EcStatus
rle_decode(EcPieceReader *r, EcVector *v)
{
	uint32_t *lengths;
	uint64_t *runs;
	uint64_t *x;
	uint32_t nruns;

	EC_TRY(get_runs(r, v, &nruns, &lengths, &runs));
	x = ec_take_values(r, r->nrows * sizeof(uint64_t));
	if (x == NULL)
		return EC_ERR_SPACE;
	if (!expand_runs(lengths, runs, nruns, r->nrows, x))
		return EC_ERR_CORRUPT;
	v->form = EC_FORM_FLAT;
	v->values.i64 = (const int64_t *) x;
	return EC_OK;
}

/* For single rows: lengths become ends, in place. */
EcStatus
ec_rle_open(EcPieceReader *r, EcView *view)
{
	EcVector v = {0};
	uint32_t *ends;
	uint64_t *runs;
	uint32_t nruns;
	uint32_t row = 0;
	uint32_t i;

	EC_TRY(get_runs(r, &v, &nruns, &ends, &runs));
	for (i = 0; i < nruns; i++)
	{
		if (ends[i] >= r->nrows - row)
			return EC_ERR_CORRUPT;
		row += ends[i] + 1;
		ends[i] = row;
	}
	if (row != r->nrows)
		return EC_ERR_CORRUPT;
	view->validity = v.validity;
	view->nints = nruns;
	view->run_ends = ends;
	view->whole.phys = EC_PHYS_INT64;
	view->whole.form = EC_FORM_FLAT;
	view->whole.nrows = nruns;
	view->whole.values.i64 = (const int64_t *) runs;
	return EC_OK;
}

/* The first run that ends behind the row. */
uint32_t
ec_rle_run_of(const EcView *view, uint32_t row)
{
	uint32_t low = 0;
	uint32_t high = view->nints - 1;

	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;

		if (view->run_ends[middle] > row)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

const EcEncodingOps ec_for_ops = {"for", for_encode, for_decode};
const EcEncodingOps ec_delta_ops = {"delta", delta_encode, delta_decode};
const EcEncodingOps ec_rle_ops = {"rle", rle_encode, rle_decode};
