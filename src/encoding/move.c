/*
 * move.c
 *	  Views moved into memory of their own.  Pure C.
 *
 * Whoever keeps views of many blocks wants them small.  What lies decompressed is
 * copied without what it was decompressed from.  Decoded integers (values of runs,
 * floats) become minis of units above the mini's least value.  Strings lie end to
 * end.
 */
#include "encoding/bitpack.h"
#include "encoding/codec.h"

#define MINIS(n) (((n) + EC_MINI_ROWS - 1) / EC_MINI_ROWS)
#define ALIGNED(n) (((size_t) (n) + 7) & ~(size_t) 7)

/* Values looked at before all are, for a common divisor. */
#define FIRST_LOOK 64

static uint32_t
mini_rows(const EcView *view, uint32_t mini)
{
	uint32_t left = view->nints - mini * EC_MINI_ROWS;

	return left < EC_MINI_ROWS ? left : EC_MINI_ROWS;
}

/* Values of a decoded vector: one for all rows, or one each. */
static uint32_t
value_count(const EcVector *v)
{
	return v->form == EC_FORM_CONST ? 1 : v->nrows;
}

static bool
is_decoded(const EcView *view)
{
	return view->whole.nrows > 0;
}

static bool
keeps_values(const EcView *view)
{
	return is_decoded(view) && view->whole.nnulls < view->whole.nrows;
}

/* Runs have none of their own. */
static size_t
validity_size(const EcView *view)
{
	bool has = view->validity != NULL || view->whole.validity != NULL;

	return has ? EC_VALIDITY_WORDS(view->nrows) * sizeof(uint64_t) : 0;
}

/* ------------------------------------------------------------------------
 * Planning
 * ------------------------------------------------------------------------
 */

/* Differences to the mini's least value. */
static void
above_least(const int64_t *values, uint32_t n, uint64_t least, uint64_t *x)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		x[i] = (uint64_t) values[i] - least;
}

static int64_t
least_of(const int64_t *values, uint32_t n)
{
	int64_t least = values[0];
	uint32_t i;

	for (i = 1; i < n; i++)
		least = values[i] < least ? values[i] : least;
	return least;
}

/* Of all minis' differences; their least values need not be multiples of it. */
static uint64_t
common_unit(const EcView *view, const EcViewPlan *plan)
{
	const int64_t *values = view->whole.values.i64;
	uint64_t x[EC_MINI_ROWS];
	uint64_t units[MINIS(EC_BLOCK_ROWS)] = {0};
	uint32_t few = view->nints < FIRST_LOOK ? view->nints : FIRST_LOOK;
	uint32_t mini;
	uint32_t i;

	above_least(values, few, plan->bases[0], x);
	if (few > 1 && ec_common_divisor(x, few) == 1)
	{
		for (i = 0; i < few; i++)
			if (x[i] != 0)
				return 1;
	}
	for (mini = 0; mini < MINIS(view->nints); mini++)
	{
		uint32_t n = mini_rows(view, mini);

		above_least(values + mini * EC_MINI_ROWS, n, plan->bases[mini], x);
		if (ec_bit_width(x, n) > 0)
			units[mini] = ec_common_divisor(x, n);
	}
	return ec_common_divisor(units, MINIS(view->nints));
}

static size_t
plan_ints(const EcView *view, EcViewPlan *plan)
{
	const int64_t *values = view->whole.values.i64;
	uint32_t minis = MINIS(view->nints);
	size_t size = ALIGNED(minis * sizeof(uint64_t)) + ALIGNED(minis);
	uint32_t mini;

	plan->packs = true;
	for (mini = 0; mini < minis; mini++)
		plan->bases[mini] =
			(uint64_t) least_of(values + mini * EC_MINI_ROWS, mini_rows(view, mini));
	plan->unit = common_unit(view, plan);
	for (mini = 0; mini < minis; mini++)
	{
		uint32_t n = mini_rows(view, mini);
		uint64_t x[EC_MINI_ROWS];

		above_least(values + mini * EC_MINI_ROWS, n, plan->bases[mini], x);
		plan->widths[mini] = (uint8_t) ec_bit_width(x, n);
		if (plan->unit > 1 && plan->widths[mini] > 0)
		{
			ec_divide(x, n, plan->unit);
			plan->widths[mini] = (uint8_t) ec_bit_width(x, n);
		}
		size += ec_mini_bytes(n, plan->widths[mini]);
	}
	return size;
}

static size_t
plan_values(const EcView *view, EcViewPlan *plan)
{
	const EcVector *v = &view->whole;
	uint32_t n = value_count(v);
	size_t size = ALIGNED(n * sizeof(uint32_t));
	uint32_t i;

	if (v->phys == EC_PHYS_INT64 && v->form == EC_FORM_FLAT && n <= EC_BLOCK_ROWS)
		return plan_ints(view, plan);
	if (v->phys != EC_PHYS_BYTES)
		return n * ec_value_width(v->phys);
	for (i = 0; i < n; i++)
		size += v->values.bytes[i].len;
	return size;
}

static size_t
plan_stored(const EcView *view)
{
	size_t size = ALIGNED(MINIS(view->nints));
	uint32_t mini;

	if (view->nplanes > 0)
		return (size_t) view->nplanes * view->nints;
	if (view->widths == NULL)
		return 0;
	for (mini = 0; mini < MINIS(view->nints); mini++)
		size += ec_mini_bytes(mini_rows(view, mini), view->widths[mini]);
	return size;
}

static size_t
anchors_size(const EcView *view)
{
	return view->anchors != NULL ? EC_ANCHORS(view->nrows) * sizeof(uint64_t) : 0;
}

static size_t
run_ends_size(const EcView *view)
{
	return view->run_ends != NULL ? ALIGNED(view->nints * sizeof(uint32_t)) : 0;
}

void
ec_view_plan(const EcView *view, EcViewPlan *plan)
{
	plan->packs = false;
	plan->unit = 1;
	plan->size = validity_size(view) + anchors_size(view) + run_ends_size(view);
	if (keeps_values(view))
		plan->size += plan_values(view, plan);
	else if (!is_decoded(view))
		plan->size += plan_stored(view);
}

/* ------------------------------------------------------------------------
 * Moving
 * ------------------------------------------------------------------------
 */

static uint8_t *
move_validity(EcView *view, uint8_t *to)
{
	const uint64_t **validity = view->validity != NULL ? &view->validity : &view->whole.validity;
	size_t size = validity_size(view);

	if (size == 0)
		return to;
	memcpy(to, *validity, size);
	*validity = (const uint64_t *) to;
	return to + size;
}

static uint8_t *
move_anchors(EcView *view, uint8_t *to)
{
	size_t size = anchors_size(view);

	if (size > 0)
		view->anchors = memcpy(to, view->anchors, size);
	return to + size;
}

static uint8_t *
move_run_ends(EcView *view, uint8_t *to)
{
	if (view->run_ends != NULL)
		view->run_ends = memcpy(to, view->run_ends, view->nints * sizeof(uint32_t));
	return to + run_ends_size(view);
}

static void
move_ints(EcView *view, const EcViewPlan *plan, uint8_t *to)
{
	const int64_t *values = view->whole.values.i64;
	uint32_t minis = MINIS(view->nints);
	uint32_t mini;

	view->bases = memcpy(to, plan->bases, minis * sizeof(uint64_t));
	to += minis * sizeof(uint64_t);
	view->widths = memcpy(to, plan->widths, minis);
	to += ALIGNED(minis);
	view->unit = plan->unit;
	for (mini = 0; mini < minis; mini++)
	{
		uint32_t n = mini_rows(view, mini);
		uint64_t x[EC_MINI_ROWS];

		view->minis[mini] = to;
		if (plan->widths[mini] == 0)
			continue;
		above_least(values + mini * EC_MINI_ROWS, n, plan->bases[mini], x);
		ec_divide(x, n, plan->unit);
		ec_pack_mini(x, n, plan->widths[mini], to);
		to += ec_mini_bytes(n, plan->widths[mini]);
	}
	view->whole.values.any = NULL;
}

static void
move_strings(EcView *view, uint8_t *to)
{
	const EcBytes *strings = view->whole.values.bytes;
	uint32_t n = value_count(&view->whole);
	uint32_t *ends = (uint32_t *) to;
	uint32_t end = 0;
	uint32_t i;

	to += ALIGNED(n * sizeof(uint32_t));
	view->ends = ends;
	view->chars = to;
	for (i = 0; i < n; i++)
	{
		if (strings[i].len > 0)
			memcpy(to + end, strings[i].ptr, strings[i].len);
		ends[i] = end += strings[i].len;
	}
	view->whole.values.any = NULL;
}

static void
move_values(EcView *view, const EcViewPlan *plan, uint8_t *to)
{
	EcVector *v = &view->whole;

	if (plan->packs)
		move_ints(view, plan, to);
	else if (v->phys == EC_PHYS_BYTES)
		move_strings(view, to);
	else
		v->values.any = memcpy(to, v->values.any, value_count(v) * ec_value_width(v->phys));
}

static void
move_stored(EcView *view, uint8_t *to)
{
	uint32_t i;

	for (i = 0; i < view->nplanes; i++, to += view->nints)
		view->planes[i] = memcpy(to, view->planes[i], view->nints);
	if (view->nplanes > 0 || view->widths == NULL)
		return;
	view->widths = memcpy(to, view->widths, MINIS(view->nints));
	to += ALIGNED(MINIS(view->nints));
	for (i = 0; i < MINIS(view->nints); i++)
	{
		size_t size = ec_mini_bytes(mini_rows(view, i), view->widths[i]);

		if (size > 0)
			memcpy(to, view->minis[i], size);
		view->minis[i] = to;
		to += size;
	}
}

void
ec_view_move(EcView *view, const EcViewPlan *plan, void *memory)
{
	uint8_t *to = move_validity(view, memory);

	to = move_run_ends(view, move_anchors(view, to));
	if (keeps_values(view))
		move_values(view, plan, to);
	else if (!is_decoded(view))
		move_stored(view, to);
	else
		view->whole.values.any = NULL;
}
