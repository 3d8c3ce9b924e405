/*
 * filter.c
 *	  Tests a leaf on the values of a vector: a bitmap of rows comes out.
 *
 * A dictionary is tested once per entry, then rows by their codes.  Kinds are the
 * caller's to check (ec_leaf_reads_kind), decimals' scale to set before.
 */
#include "postgres.h"

#include "scan/pred.h"

static bool
match_int64(const EcLeaf *leaf, int64 value)
{
	int low = 0;
	int high = leaf->nranges;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (leaf->ranges[middle].max < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low < leaf->nranges && leaf->ranges[low].min <= value;
}

static int
compare_bytes(const uint8 *ptr, uint32 len, const EcBytes *key)
{
	int cmp = memcmp(ptr, key->ptr, Min(len, key->len));

	if (cmp != 0)
		return cmp;
	return len < key->len ? -1 : len > key->len;
}

static bool
is_member(const EcLeaf *leaf, const uint8 *ptr, uint32 len)
{
	int low = 0;
	int high = leaf->nkeys;

	if (leaf->nkeys == 1) /* most often a row's length settles it */
		return len == leaf->strings[0].len && memcmp(ptr, leaf->strings[0].ptr, len) == 0;
	while (low < high)
	{
		int middle = (low + high) / 2;
		int cmp = compare_bytes(ptr, len, &leaf->strings[middle]);

		if (cmp == 0)
			return true;
		if (cmp > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool
match_bytes(const EcLeaf *leaf, const uint8 *ptr, uint32 len)
{
	switch (leaf->cmp)
	{
		case EC_CMP_LT:
			return leaf->nkeys > 0 && compare_bytes(ptr, len, &leaf->strings[0]) < 0;
		case EC_CMP_LE:
			return leaf->nkeys > 0 && compare_bytes(ptr, len, &leaf->strings[0]) <= 0;
		case EC_CMP_GE:
			return leaf->nkeys > 0 && compare_bytes(ptr, len, &leaf->strings[0]) >= 0;
		case EC_CMP_GT:
			return leaf->nkeys > 0 && compare_bytes(ptr, len, &leaf->strings[0]) > 0;
		default:
			return is_member(leaf, ptr, len) != leaf->inverted;
	}
}

/* Entry i of v's values. */
static bool
match_value(const EcLeaf *leaf, const EcVector *v, uint32 i)
{
	char text[EC_UUID_TEXT_LEN];

	if (leaf->kind == 0)
		return leaf->inverted;
	switch (v->phys)
	{
		case EC_PHYS_INT64:
			return match_int64(leaf, v->values.i64[i]);
		case EC_PHYS_BYTES:
			return match_bytes(leaf, v->values.bytes[i].ptr, v->values.bytes[i].len);
		case EC_PHYS_UUID:
			break;
	}
	if (leaf->kind == EC_KIND_UUID)
		return match_bytes(leaf, v->values.uuid[i].b, sizeof(EcUuid));
	ec_uuid_format(&v->values.uuid[i], text);
	return match_bytes(leaf, (const uint8 *) text, EC_UUID_TEXT_LEN);
}

/* Does any entry of a chunk's dictionary (a FLAT vector without NULLs) satisfy the leaf? */
bool
ec_leaf_match_any(const EcLeaf *leaf, const EcVector *dict)
{
	for (uint32 i = 0; i < dict->nrows; i++)
		if (match_value(leaf, dict, i))
			return true;
	return false;
}

static void
test_dict(EcLeaf *leaf, const EcVector *v)
{
	if (v->dict_serial != 0 && leaf->dict_serial == v->dict_serial)
		return;
	if (leaf->dict_capacity < v->ndict + 1)
	{
		leaf->dict_capacity = v->ndict + 1;
		leaf->dict_match = MemoryContextAllocHuge(leaf->context, leaf->dict_capacity);
	}
	for (uint32 i = 0; i < v->ndict; i++)
		leaf->dict_match[i] = match_value(leaf, v, i);
	leaf->dict_match[v->ndict] = leaf->nulls;
	leaf->dict_serial = v->dict_serial;
}

static void
clear_rows(const EcVector *v, uint64 *rows)
{
	memset(rows, 0, EC_VALIDITY_WORDS(v->nrows) * sizeof(uint64));
}

static void
filter_codes(const EcLeaf *leaf, const EcVector *v, uint64 *rows)
{
	const uint8 *match = leaf->dict_match;

	for (uint32 start = 0; start < v->nrows; start += 64)
	{
		const uint32 *codes = v->codes + start;
		uint32 n = Min(64, v->nrows - start);
		uint64 bits = 0;

		if (rows[start / 64] == 0)
			continue;
		for (uint32 i = 0; i < n; i++)
			bits |= (uint64) match[codes[i]] << i;
		rows[start / 64] &= bits;
	}
}

/* NULLs among the 64 rows from start take the leaf's word for NULL. */
static inline uint64
settle_nulls(const EcLeaf *leaf, const EcVector *v, uint32 start, uint64 bits)
{
	uint64 valid;

	if (v->nnulls == 0)
		return bits;
	valid = v->validity[start / 64];
	return leaf->nulls ? (bits & valid) | ~valid : bits & valid;
}

/* The commonest test by far, one range, as one unsigned comparison a value. */
static void
filter_range(const EcLeaf *leaf, const EcVector *v, uint64 *rows)
{
	uint64 min = (uint64) leaf->ranges[0].min;
	uint64 width = (uint64) leaf->ranges[0].max - min;

	for (uint32 start = 0; start < v->nrows; start += 64)
	{
		const int64 *values = v->values.i64 + start;
		uint32 n = Min(64, v->nrows - start);
		uint64 bits = 0;

		if (rows[start / 64] == 0)
			continue;
		for (uint32 i = 0; i < n; i++)
			bits |= (uint64) ((uint64) values[i] - min <= width) << i;
		rows[start / 64] &= settle_nulls(leaf, v, start, bits);
	}
}

static void
filter_values(const EcLeaf *leaf, const EcVector *v, uint64 *rows)
{
	for (uint32 start = 0; start < v->nrows; start += 64)
	{
		uint32 n = Min(64, v->nrows - start);
		uint64 bits = 0;

		if (rows[start / 64] == 0)
			continue;
		for (uint32 i = 0; i < n; i++)
			if (rows[start / 64] >> i & 1)
				bits |= (uint64) match_value(leaf, v, start + i) << i;
		rows[start / 64] &= settle_nulls(leaf, v, start, bits);
	}
}

/* A test for NULL needs no value. */
static void
filter_nulls(const EcLeaf *leaf, const EcVector *v, uint64 *rows)
{
	for (uint32 start = 0; start < v->nrows; start += 64)
		rows[start / 64] &= settle_nulls(leaf, v, start, leaf->inverted ? ~UINT64CONST(0) : 0);
}

/*
 * Keeps of the rows in the bitmap (v->nrows bits, cleared beyond) those whose
 * values satisfy the leaf.
 */
void
ec_leaf_filter(EcLeaf *leaf, const EcVector *v, uint64 *rows)
{
	if (v->form == EC_FORM_CONST)
	{
		if (!(v->nnulls > 0 ? leaf->nulls : match_value(leaf, v, 0)))
			clear_rows(v, rows);
	}
	else if (leaf->kind == 0)
		filter_nulls(leaf, v, rows);
	else if (v->form == EC_FORM_DICT)
	{
		test_dict(leaf, v);
		filter_codes(leaf, v, rows);
	}
	else if (v->phys == EC_PHYS_INT64 && leaf->nranges == 1)
		filter_range(leaf, v, rows);
	else
		filter_values(leaf, v, rows);
}
