/*
 * keys.c
 *	  Evaluates the keys of predicates and turns operator and keys into what zones
 *	  and vectors are tested with: ranges of int64s, or sets of byte strings.
 *
 * A key of an INT64 kind becomes the interval [lo, hi] of stored values that equal
 * it: one value as a rule, -0 and +0 for a float zero, and lo = hi + 1 where the
 * key lies between two storable values (1.005 in a column of two decimals, a
 * timestamp among dates, infinity among decimals).  Then
 *
 *		<  is [min, lo - 1]		<= is [min, hi]		=  is [lo, hi]
 *		>= is [lo, max]			>  is [hi + 1, max]
 *
 * exactly, with no rounding of keys.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "scan/pred.h"

/* Above every stored decimal, which has at most 18 digits. */
#define DECIMAL_BOUND INT64CONST(1000000000000000000)

/* The stored values that equal a key; lo == hi + 1 if the key lies between two. */
typedef struct KeyInterval
{
	int64 lo;
	int64 hi;
} KeyInterval;

static KeyInterval
exactly(int64 value)
{
	return (KeyInterval){value, value};
}

/* Above value and below value + 1. */
static KeyInterval
just_above(int64 value)
{
	return (KeyInterval){value + 1, value};
}

static KeyInterval
timestamp_interval(Timestamp value, int overflow)
{
	if (overflow > 0)
		return just_above(PG_INT64_MAX - 1); /* later than all but infinity */
	if (overflow < 0)
		return just_above(PG_INT64_MIN);
	return exactly(value);
}

/* A timestamp among dates, which are days. */
static KeyInterval
day_interval(Timestamp value)
{
	int64 day = value / USECS_PER_DAY;
	int64 rest = value % USECS_PER_DAY;

	if (TIMESTAMP_IS_NOBEGIN(value))
		return exactly(DATEVAL_NOBEGIN);
	if (TIMESTAMP_IS_NOEND(value))
		return exactly(DATEVAL_NOEND);
	if (rest == 0)
		return exactly(day);
	return just_above(rest < 0 ? day - 1 : day);
}

static KeyInterval
datetime_interval(const EcLeaf *leaf, Datum key)
{
	int overflow = 0;
	Timestamp value;

	if (leaf->vartype == DATEOID)
		return leaf->keytype == DATEOID ? exactly(DatumGetDateADT(key))
										: day_interval(DatumGetTimestamp(key));
	if (leaf->keytype == leaf->vartype)
		return exactly(DatumGetTimestamp(key));
	if (leaf->vartype == TIMESTAMPOID)
		value = date2timestamp_opt_overflow(DatumGetDateADT(key), &overflow);
	else if (leaf->keytype == DATEOID)
		value = date2timestamptz_opt_overflow(DatumGetDateADT(key), &overflow);
	else
		value = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(key), &overflow);
	return timestamp_interval(value, overflow);
}

static KeyInterval
int_interval(const EcLeaf *leaf, Datum key)
{
	switch (leaf->keytype)
	{
		case BOOLOID:
			return exactly(DatumGetBool(key) ? 1 : 0);
		case INT2OID:
			return exactly(DatumGetInt16(key));
		case INT4OID:
			return exactly(DatumGetInt32(key));
		case INT8OID:
		case TIMEOID:
		case CASHOID:
			return exactly(DatumGetInt64(key));
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return datetime_interval(leaf, key);
		default:
			return exactly(DatumGetInt32(key)); /* an enum's oid, as coltype.h keeps it */
	}
}

static KeyInterval
float_interval(const EcLeaf *leaf, Datum key)
{
	double value = leaf->keytype == FLOAT4OID ? (double) DatumGetFloat4(key) : DatumGetFloat8(key);

	if (value == 0.0)
		return (KeyInterval){ec_float_to_image(-0.0), ec_float_to_image(0.0)};
	return exactly(ec_float_to_image(value));
}

/* A numeric key among decimals of the given scale. */
static KeyInterval
decimal_interval(Datum key, int32 scale)
{
	const Datum bound = ec_numeric_from_scaled(DECIMAL_BOUND, 0);
	const Datum ten = ec_numeric_from_scaled(10, 0);
	int64 scaled;

	if (ec_numeric_to_scaled(key, scale, &scaled))
		return exactly(scaled);
	/* Infinite, beyond int64 or with more decimals: no stored value equals it. */
	for (int i = 0; i < scale; i++)
		key = DirectFunctionCall2(numeric_mul, key, ten);
	if (DatumGetBool(DirectFunctionCall2(numeric_ge, key, bound)))
		return just_above(EC_DECIMAL_NAN - 1);
	key = DirectFunctionCall1(numeric_floor, key);
	if (!ec_numeric_to_scaled(key, 0, &scaled) || scaled < -DECIMAL_BOUND)
		return just_above(PG_INT64_MIN);
	return just_above(scaled);
}

static KeyInterval
key_interval(const EcLeaf *leaf, Datum key)
{
	switch (leaf->kind)
	{
		case EC_KIND_FLOAT:
			return float_interval(leaf, key);
		case EC_KIND_DECIMAL:
			return decimal_interval(key, leaf->scale);
		default:
			return int_interval(leaf, key);
	}
}

static void
add_range(EcLeaf *leaf, int64 min, int64 max)
{
	if (min <= max)
		leaf->ranges[leaf->nranges++] = (EcRange){min, max};
}

static int
compare_ranges(const void *a, const void *b)
{
	int64 x = ((const EcRange *) a)->min;
	int64 y = ((const EcRange *) b)->min;

	return x < y ? -1 : x > y;
}

/* Sorts the ranges and joins those that overlap or touch. */
static void
normalise_ranges(EcLeaf *leaf)
{
	int n = 0;

	if (leaf->nranges < 2)
		return;
	qsort(leaf->ranges, leaf->nranges, sizeof(EcRange), compare_ranges);
	for (int i = 1; i < leaf->nranges; i++)
	{
		EcRange *last = &leaf->ranges[n];

		if (last->max == PG_INT64_MAX || leaf->ranges[i].min <= last->max + 1)
			last->max = Max(last->max, leaf->ranges[i].max);
		else
			leaf->ranges[++n] = leaf->ranges[i];
	}
	leaf->nranges = n + 1;
}

/* The values in none of the (normalised) ranges. */
static void
complement_ranges(EcLeaf *leaf)
{
	EcRange *ranges = leaf->ranges;
	int n = leaf->nranges;
	int64 next = PG_INT64_MIN;

	leaf->ranges = palloc(sizeof(EcRange) * (n + 1));
	leaf->nranges = 0;
	for (int i = 0; i < n; i++)
	{
		if (ranges[i].min > next)
			add_range(leaf, next, ranges[i].min - 1);
		if (ranges[i].max == PG_INT64_MAX)
			return;
		next = ranges[i].max + 1;
	}
	add_range(leaf, next, PG_INT64_MAX);
}

static void
derive_ranges(EcLeaf *leaf)
{
	KeyInterval key = {0, 0};

	leaf->nranges = 0;
	leaf->ranges = palloc(sizeof(EcRange) * Max(leaf->nkeys, 1));
	for (int i = 0; i < leaf->nkeys; i++)
	{
		key = key_interval(leaf, leaf->keys[i]);
		switch (leaf->cmp)
		{
			case EC_CMP_LT:
				if (key.lo > PG_INT64_MIN)
					add_range(leaf, PG_INT64_MIN, key.lo - 1);
				break;
			case EC_CMP_LE:
				add_range(leaf, PG_INT64_MIN, key.hi);
				break;
			case EC_CMP_GE:
				add_range(leaf, key.lo, PG_INT64_MAX);
				break;
			case EC_CMP_GT:
				if (key.hi < PG_INT64_MAX)
					add_range(leaf, key.hi + 1, PG_INT64_MAX);
				break;
			default:
				add_range(leaf, key.lo, key.hi);
				break;
		}
	}
	normalise_ranges(leaf);
	if (leaf->inverted)
		complement_ranges(leaf);
}

/* Ranges of decimals depend on the chunk's scale. */
void
ec_leaf_set_scale(EcLeaf *leaf, int32 scale)
{
	MemoryContext old;

	if (leaf->kind != EC_KIND_DECIMAL || leaf->scale == scale)
		return;
	old = MemoryContextSwitchTo(leaf->context);
	leaf->scale = scale;
	leaf->dict_serial = 0;
	derive_ranges(leaf);
	MemoryContextSwitchTo(old);
}

static int
compare_strings(const void *a, const void *b)
{
	const EcBytes *x = a;
	const EcBytes *y = b;
	int cmp = memcmp(x->ptr, y->ptr, Min(x->len, y->len));

	if (cmp != 0)
		return cmp;
	return x->len < y->len ? -1 : x->len > y->len;
}

static void
derive_strings(EcLeaf *leaf)
{
	leaf->strings = palloc(sizeof(EcBytes) * Max(leaf->nkeys, 1));
	leaf->prefixes = palloc(sizeof(int64) * Max(leaf->nkeys, 1));
	for (int i = 0; i < leaf->nkeys; i++)
	{
		EcBytes *string = &leaf->strings[i];

		if (leaf->kind == EC_KIND_UUID)
		{
			string->ptr = (const uint8 *) DatumGetPointer(leaf->keys[i]);
			string->len = sizeof(EcUuid);
		}
		else
		{
			struct varlena *text = PG_DETOAST_DATUM_PACKED(leaf->keys[i]);

			string->ptr = (const uint8 *) VARDATA_ANY(text);
			string->len = VARSIZE_ANY_EXHDR(text);
		}
	}
	qsort(leaf->strings, leaf->nkeys, sizeof(EcBytes), compare_strings);
	for (int i = 0; i < leaf->nkeys; i++)
		leaf->prefixes[i] = ec_bytes_prefix(leaf->strings[i].ptr, leaf->strings[i].len);
}

/* The elements of an array key, NULLs left out but told. */
static Datum *
array_keys(Datum array, int *nkeys, bool *has_null)
{
	ArrayType *arr = DatumGetArrayTypeP(array);
	int16 typlen;
	bool typbyval;
	char typalign;
	Datum *keys;
	bool *nulls;
	int n;

	get_typlenbyvalalign(ARR_ELEMTYPE(arr), &typlen, &typbyval, &typalign);
	deconstruct_array(arr, ARR_ELEMTYPE(arr), typlen, typbyval, typalign, &keys, &nulls, &n);
	*nkeys = 0;
	*has_null = false;
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			*has_null = true;
		else
			keys[(*nkeys)++] = keys[i];
	}
	return keys;
}

static void
copy_scalar_key(EcLeaf *leaf, Datum key)
{
	int16 typlen;
	bool typbyval;

	get_typlenbyval(leaf->vartype, &typlen, &typbyval);
	leaf->keys = palloc(sizeof(Datum));
	if (leaf->kind == EC_KIND_INT || leaf->kind == EC_KIND_FLOAT)
		leaf->keys[0] = key;
	else
		leaf->keys[0] = typlen == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(key))
									 : datumCopy(key, typbyval, typlen);
	leaf->nkeys = 1;
}

/* Brings the evaluated key into leaf->keys, or settles the leaf without keys: false. */
static bool
take_key(EcLeaf *leaf, Datum key, bool isnull)
{
	bool has_null;

	if (leaf->cmp == EC_CMP_ANY || leaf->cmp == EC_CMP_NOT_ALL)
	{
		leaf->inverted = leaf->cmp == EC_CMP_NOT_ALL;
		if (isnull)
			return false;
		leaf->keys =
			array_keys(PointerGetDatum(PG_DETOAST_DATUM_COPY(key)), &leaf->nkeys, &has_null);
		if (leaf->cmp == EC_CMP_NOT_ALL)
		{
			/* "<> ALL" of no element is true whatever the value; of a NULL element never. */
			leaf->nulls = leaf->nkeys == 0 && !has_null;
			return !has_null;
		}
		return true;
	}
	leaf->inverted = leaf->cmp == EC_CMP_NE || leaf->cmp == EC_CMP_DISTINCT;
	if (isnull)
	{
		leaf->nulls = leaf->cmp == EC_CMP_NOT_DISTINCT;
		return leaf->cmp == EC_CMP_DISTINCT; /* the complement of no key: all but NULL */
	}
	leaf->nulls = leaf->cmp == EC_CMP_DISTINCT;
	copy_scalar_key(leaf, key);
	return true;
}

static void
eval_leaf(EcLeaf *leaf, ExprContext *econtext, MemoryContext context)
{
	MemoryContext old;
	Datum key = (Datum) 0;
	bool isnull = true;

	leaf->context = context;
	leaf->nulls = leaf->inverted = false;
	leaf->nkeys = leaf->nranges = 0;
	leaf->scale = leaf->kind == EC_KIND_DECIMAL ? -1 : 0;
	leaf->dict_serial = 0;
	leaf->dict_match = NULL;
	leaf->dict_capacity = 0;
	if (leaf->cmp == EC_CMP_NULL || leaf->cmp == EC_CMP_NOT_NULL)
	{
		leaf->nulls = leaf->cmp == EC_CMP_NULL;
		leaf->inverted = !leaf->nulls;
		return;
	}
	if (leaf->keystate != NULL)
		key = ExecEvalExprSwitchContext(leaf->keystate, econtext, &isnull);
	old = MemoryContextSwitchTo(context);
	if (!take_key(leaf, key, isnull))
	{
		/* true for no value */
		leaf->nkeys = 0;
		leaf->inverted = false;
	}
	if (leaf->kind == EC_KIND_TEXT || leaf->kind == EC_KIND_UUID)
		derive_strings(leaf);
	else if (leaf->kind != EC_KIND_DECIMAL)
		derive_ranges(leaf);
	MemoryContextSwitchTo(old);
}

/* Prepares the evaluation of keys; parent is the scan's plan state. */
void
ec_pred_init_keys(EcPred *pred, PlanState *parent)
{
	for (int i = 0; i < pred->nargs; i++)
		ec_pred_init_keys(pred->args[i], parent);
	if (pred->type == EC_PRED_LEAF && pred->leaf->key != NULL)
		pred->leaf->keystate = ExecInitExpr(pred->leaf->key, parent);
}

/* Evaluates all keys; what is derived from them lives in context. */
void
ec_pred_eval_keys(EcPred *pred, ExprContext *econtext, MemoryContext context)
{
	for (int i = 0; i < pred->nargs; i++)
		ec_pred_eval_keys(pred->args[i], econtext, context);
	if (pred->type == EC_PRED_LEAF)
		eval_leaf(pred->leaf, econtext, context);
}
