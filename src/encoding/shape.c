/*
 * shape.c
 *	  Other forms of a column: with a dictionary or without, its entries in
 *	  order of first appearance or of frequency.  Pure C.
 *
 * Codes by appearance suit values that come back soon and then no more (sessions);
 * codes by frequency have skewed high bytes, which an entropy coder likes
 * (products).  Frequencies are compared by their power of two only, and integers
 * within one power ascend, so that the dictionary itself delta-codes well.
 */
#include "encoding/codec.h"
#include "vector/hash.h"

#define UNUSED UINT32_MAX

/* Interning gives up when more than half of this many values, or of all, are distinct. */
#define FIRST_JUDGEMENT 16384

static bool
is_null(const EcVector *v, uint32_t row)
{
	return v->nnulls > 0 && ec_vector_is_null(v, row);
}

static void
count_seen(EcShape *shape)
{
	const EcVector *v = &shape->v;
	uint32_t seen = 0;
	uint32_t row;

	for (row = 0; row < v->nrows; row++)
	{
		if (row % EC_BLOCK_ROWS == 0)
			shape->seen[row / EC_BLOCK_ROWS] = seen;
		seen += v->codes[row] == seen && seen < v->ndict;
	}
}

void
ec_shape_init(EcShape *shape, const EcVector *v, bool by_appearance)
{
	shape->v = *v;
	shape->by_appearance = by_appearance;
	if (by_appearance)
		count_seen(shape);
}

static uint32_t
count_nulls(const EcVector *v, uint32_t first, uint32_t nrows)
{
	const uint64_t *words;
	uint32_t valid = 0;
	uint32_t i;

	if (v->nnulls == 0)
		return 0;
	if (v->validity == NULL)
		return nrows;
	words = v->validity + first / 64;
	for (i = 0; i < nrows / 64; i++)
		valid += (uint32_t) __builtin_popcountll(words[i]);
	if (nrows % 64 != 0)
		valid += (uint32_t) __builtin_popcountll(words[i] & ((UINT64_C(1) << (nrows % 64)) - 1));
	return nrows - valid;
}

void
ec_shape_block(const EcShape *shape, uint32_t block, EcRows *rows)
{
	rows->column = &shape->v;
	rows->first = block * EC_BLOCK_ROWS;
	rows->nrows = shape->v.nrows - rows->first;
	if (rows->nrows > EC_BLOCK_ROWS)
		rows->nrows = EC_BLOCK_ROWS;
	rows->nnulls = count_nulls(&shape->v, rows->first, rows->nrows);
	rows->by_appearance = shape->by_appearance;
	rows->seen = shape->by_appearance ? shape->seen[block] : 0;
}

static EcStatus
reserve_dict(EcEncoder *enc, uint32_t nrows, size_t entry_bytes)
{
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, CODES), nrows * sizeof(uint32_t)));
	return ec_work_reserve(enc, EC_WORK(enc, DICT), entry_bytes);
}

/* Marks used entries with their number in order of appearance. */
static EcStatus
number_entries(EcEncoder *enc, const EcVector *v, uint32_t *nused, bool *in_order)
{
	uint32_t *marks;
	uint32_t row;
	uint32_t n = 0;

	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, SLOTS), ((size_t) v->ndict + 1) * sizeof(uint32_t)));
	marks = EC_WORK(enc, SLOTS)->data;
	memset(marks, 0xff, ((size_t) v->ndict + 1) * sizeof(uint32_t));
	*in_order = true;
	for (row = 0; row < v->nrows; row++)
	{
		uint32_t code = v->codes[row];

		if (code < v->ndict && marks[code] == UNUSED)
		{
			*in_order &= code == n;
			marks[code] = n++;
		}
	}
	*nused = n;
	return EC_OK;
}

/* Numbers a dictionary's entries in order of appearance and drops unused ones. */
EcStatus
ec_shape_prune(EcEncoder *enc, EcVector *v)
{
	size_t width = ec_value_width(v->phys);
	const uint32_t *marks;
	uint32_t *codes;
	uint32_t nused;
	uint32_t i;
	bool in_order;

	EC_TRY(number_entries(enc, v, &nused, &in_order));
	if (in_order && nused == v->ndict)
		return EC_OK;
	EC_TRY(reserve_dict(enc, v->nrows, nused * width));
	marks = EC_WORK(enc, SLOTS)->data;
	codes = EC_WORK(enc, CODES)->data;
	for (i = 0; i < v->nrows; i++)
		codes[i] = v->codes[i] < v->ndict ? marks[v->codes[i]] : nused;
	for (i = 0; i < v->ndict; i++)
	{
		if (marks[i] != UNUSED)
			memcpy((char *) EC_WORK(enc, DICT)->data + marks[i] * width,
				   (const char *) v->values.any + i * width, width);
	}
	v->codes = codes;
	v->values.any = EC_WORK(enc, DICT)->data;
	v->ndict = nused;
	return EC_OK;
}

EcStatus
ec_shape_flatten(EcEncoder *enc, const EcVector *v, EcVector *flat)
{
	static const EcBytes no_bytes = {(const uint8_t *) "", 0};
	size_t width = ec_value_width(v->phys);
	char *to;
	uint32_t row;

	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, FLAT), v->nrows * width));
	to = EC_WORK(enc, FLAT)->data;
	for (row = 0; row < v->nrows; row++, to += width)
	{
		if (v->codes[row] < v->ndict)
			memcpy(to, (const char *) v->values.any + v->codes[row] * width, width);
		else if (v->phys == EC_PHYS_BYTES)
			memcpy(to, &no_bytes, width);
		else
			memset(to, 0, width);
	}
	*flat = *v;
	flat->form = EC_FORM_FLAT;
	flat->codes = NULL;
	flat->ndict = 0;
	flat->values.any = EC_WORK(enc, FLAT)->data;
	return EC_OK;
}

/* Texts that all are UUIDs become UUIDs; a column with any other text stays. */
EcStatus
ec_shape_pack_uuids(EcEncoder *enc, EcVector *v)
{
	uint32_t n = v->form == EC_FORM_DICT ? v->ndict : v->form == EC_FORM_FLAT ? v->nrows : 0;
	EcWork *work = v->form == EC_FORM_DICT ? EC_WORK(enc, DICT) : EC_WORK(enc, FLAT);
	EcUuid *uuids;
	uint32_t i;

	if (n == 0)
		return EC_OK;
	/* Pruning may have put the texts where the UUIDs go: the same place, in the same size. */
	if (work->data != v->values.any)
		EC_TRY(ec_work_reserve(enc, work, n * sizeof(EcUuid)));
	for (i = 0; i < n; i++)
	{
		const EcBytes *text = &v->values.bytes[i];
		EcUuid dummy;

		if (!(v->form == EC_FORM_FLAT && is_null(v, i)) &&
			!ec_uuid_parse(text->ptr, text->len, &dummy))
			return EC_OK;
	}
	uuids = work->data;
	for (i = 0; i < n; i++)
	{
		EcBytes text = v->values.bytes[i];

		memset(&uuids[i], 0, sizeof(EcUuid));
		(void) ec_uuid_parse(text.ptr, text.len, &uuids[i]);
	}
	v->phys = EC_PHYS_UUID;
	v->values.uuid = uuids;
	return EC_OK;
}

/* Open addressing over codes + 1, never more than half full. */
static inline uint32_t
intern_int(int64_t value, uint64_t seed, uint32_t *slots, uint32_t mask, int64_t *dict,
		   uint32_t *ndict)
{
	uint32_t i = (uint32_t) ec_hash_int64(value, seed) & mask;

	for (; slots[i] != 0; i = (i + 1) & mask)
	{
		if (dict[slots[i] - 1] == value)
			return slots[i] - 1;
	}
	dict[*ndict] = value;
	slots[i] = ++*ndict;
	return *ndict - 1;
}

/* A dictionary for a FLAT column of integers, in order of appearance. */
EcStatus
ec_shape_intern(EcEncoder *enc, const EcVector *flat, EcVector *dict, bool *interned)
{
	uint64_t seed = (uint64_t) (uintptr_t) enc * EC_HASH_K0;
	uint32_t limit = (flat->nrows - flat->nnulls) / 2 + 1;
	uint32_t nslots = 64;
	uint32_t ndict = 0;
	uint32_t *slots;
	uint32_t *codes;
	uint32_t row;

	*interned = false;
	while (nslots < limit * UINT64_C(2))
		nslots *= 2;
	EC_TRY(reserve_dict(enc, flat->nrows, ((size_t) limit + 1) * sizeof(int64_t)));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, SLOTS), nslots * sizeof(uint32_t)));
	slots = EC_WORK(enc, SLOTS)->data;
	codes = EC_WORK(enc, CODES)->data;
	memset(slots, 0, nslots * sizeof(uint32_t));
	for (row = 0; row < flat->nrows; row++)
	{
		if (is_null(flat, row))
			codes[row] = UNUSED;
		else
			codes[row] = intern_int(flat->values.i64[row], seed, slots, nslots - 1,
									EC_WORK(enc, DICT)->data, &ndict);
		if (ndict > limit || (row == FIRST_JUDGEMENT && ndict > FIRST_JUDGEMENT / 4 * 3))
			return EC_OK;
	}
	for (row = 0; flat->nnulls > 0 && row < flat->nrows; row++)
	{
		if (codes[row] == UNUSED)
			codes[row] = ndict;
	}
	*interned = true;
	*dict = *flat;
	dict->form = EC_FORM_DICT;
	dict->codes = codes;
	dict->ndict = ndict;
	dict->values.any = EC_WORK(enc, DICT)->data;
	return EC_OK;
}

/* Values looked at to tell whether a column has a dictionary worth making. */
#define SAMPLE_VALUES 2048

typedef struct ValueSlot
{
	uint32_t hash;
	uint32_t code1; /* code + 1; 0: free */
} ValueSlot;

/* A dictionary in the making, of strings or UUIDs. */
typedef struct Interning
{
	const EcVector *flat;
	uint64_t seed;
	ValueSlot *slots;
	uint32_t mask;
	uint32_t *rows; /* where each entry appeared first */
	uint32_t ndict;
} Interning;

static inline uint32_t
hash_value(const EcVector *v, uint32_t row, uint64_t seed)
{
	if (v->phys == EC_PHYS_UUID)
		return (uint32_t) ec_hash_uuid(&v->values.uuid[row], seed);
	return (uint32_t) ec_hash_bytes(v->values.bytes[row].ptr, v->values.bytes[row].len, seed);
}

static inline bool
equal_values(const EcVector *v, uint32_t a, uint32_t b)
{
	const EcBytes *x = &v->values.bytes[a];
	const EcBytes *y = &v->values.bytes[b];

	if (v->phys == EC_PHYS_UUID)
		return ec_uuid_equal(&v->values.uuid[a], &v->values.uuid[b]);
	return x->len == y->len && ec_bytes_equal(x->ptr, y->ptr, x->len);
}

static inline uint32_t
intern_row(Interning *in, uint32_t row, uint32_t hash)
{
	uint32_t i = hash & in->mask;

	for (; in->slots[i].code1 != 0; i = (i + 1) & in->mask)
	{
		if (in->slots[i].hash == hash &&
			equal_values(in->flat, in->rows[in->slots[i].code1 - 1], row))
			return in->slots[i].code1 - 1;
	}
	in->rows[in->ndict] = row;
	in->slots[i].hash = hash;
	in->slots[i].code1 = ++in->ndict;
	return in->ndict - 1;
}

/* Rows looked at together, so that waiting for memory overlaps. */
#define SLICE 32

/* Entries that the slots name, then what those point to. */
static inline void
prefetch_values(const Interning *in, const uint32_t *hash, uint32_t n)
{
	uint32_t rows[SLICE];
	uint32_t found = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		const ValueSlot *slot = &in->slots[hash[i] & in->mask];

		if (slot->code1 == 0 || slot->hash != hash[i])
			continue;
		rows[found] = in->rows[slot->code1 - 1];
		__builtin_prefetch((const char *) in->flat->values.any +
						   rows[found] * ec_value_width(in->flat->phys));
		found++;
	}
	for (i = 0; i < found && in->flat->phys == EC_PHYS_BYTES; i++)
		__builtin_prefetch(in->flat->values.bytes[rows[i]].ptr);
}

/* Codes of rows [first, first + n), n <= SLICE; a NULL's is UNUSED. */
static void
intern_slice(Interning *in, uint32_t first, uint32_t n, uint32_t *codes)
{
	uint32_t hash[SLICE];
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		hash[i] = hash_value(in->flat, first + i, in->seed);
		__builtin_prefetch(&in->slots[hash[i] & in->mask]);
	}
	prefetch_values(in, hash, n);
	for (i = 0; i < n; i++)
		codes[i] = is_null(in->flat, first + i) ? UNUSED : intern_row(in, first + i, hash[i]);
}

/* For up to limit entries, and those of a slice more. */
static EcStatus
begin_interning(EcEncoder *enc, const EcVector *flat, uint32_t limit, Interning *in)
{
	uint32_t nslots = 64;

	while (nslots < (limit + SLICE) * UINT64_C(2))
		nslots *= 2;
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, SLOTS), nslots * sizeof(ValueSlot)));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, ORDER), ((size_t) limit + SLICE) * sizeof(uint32_t)));
	in->flat = flat;
	in->seed = (uint64_t) (uintptr_t) enc * EC_HASH_K0;
	in->slots = EC_WORK(enc, SLOTS)->data;
	in->mask = nslots - 1;
	in->rows = EC_WORK(enc, ORDER)->data;
	in->ndict = 0;
	memset(in->slots, 0, nslots * sizeof(ValueSlot));
	return EC_OK;
}

static uint64_t
total_len(const EcVector *v)
{
	uint64_t total = 0;
	uint32_t i;

	if (v->phys == EC_PHYS_UUID)
		return (uint64_t) (v->nrows - v->nnulls) * sizeof(EcUuid);
	for (i = 0; i < v->nrows; i++)
		total += v->values.bytes[i].len;
	return total;
}

/*
 * Would ndict entries make the column shorter?  Codes take their bits, characters
 * about half of their bytes, wherever they are.
 */
static bool
is_worth_entries(const EcVector *v, uint64_t chars, uint64_t ndict)
{
	uint64_t values = v->nrows - v->nnulls;
	uint64_t code_bits = 64 - (uint64_t) __builtin_clzll(ndict | 1);
	uint64_t flat = chars / 2;

	return ndict <= values / 2 && values * code_bits / 8 + flat * ndict / values < flat / 10 * 9;
}

/*
 * The number of different values, estimated from every nth: of s drawn evenly from N,
 * about s * s / 2N repeat.  The most that may be: no repeats.
 */
static EcStatus
estimate_entries(EcEncoder *enc, const EcVector *flat, uint64_t *entries)
{
	uint32_t step = flat->nrows / SAMPLE_VALUES + 1;
	uint64_t seen = 0;
	uint32_t row;
	Interning in;

	EC_TRY(begin_interning(enc, flat, SAMPLE_VALUES, &in));
	for (row = 0; row < flat->nrows; row += step)
	{
		if (is_null(flat, row))
			continue;
		seen++;
		(void) intern_row(&in, row, hash_value(flat, row, in.seed));
	}
	if (step == 1)
	{
		*entries = in.ndict;
		return EC_OK;
	}
	*entries = seen > in.ndict ? seen * seen / 2 / (seen - in.ndict) : UINT64_MAX / 64;
	*entries = *entries > flat->nrows ? flat->nrows : *entries;
	*entries = *entries < in.ndict ? in.ndict : *entries;
	return EC_OK;
}

static void
entries_of_rows(const Interning *in, void *entries)
{
	size_t width = ec_value_width(in->flat->phys);
	uint32_t i;

	for (i = 0; i < in->ndict; i++)
		memcpy((char *) entries + i * width,
			   (const char *) in->flat->values.any + in->rows[i] * width, width);
}

/*
 * A dictionary for a FLAT column of strings or UUIDs whose builder gave up too early:
 * many values that don't come back soon.
 */
EcStatus
ec_shape_intern_values(EcEncoder *enc, const EcVector *flat, EcVector *dict, bool *interned)
{
	uint64_t chars = total_len(flat);
	uint32_t limit = (flat->nrows - flat->nnulls) / 2;
	uint64_t entries;
	uint32_t *codes;
	uint32_t row;
	Interning in;

	*interned = false;
	EC_TRY(estimate_entries(enc, flat, &entries));
	if (!is_worth_entries(flat, chars, entries))
		return EC_OK;
	EC_TRY(begin_interning(enc, flat, limit, &in));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, CODES), flat->nrows * sizeof(uint32_t)));
	codes = EC_WORK(enc, CODES)->data;
	for (row = 0; row < flat->nrows && in.ndict <= limit; row += SLICE)
		intern_slice(&in, row, flat->nrows - row < SLICE ? flat->nrows - row : SLICE, codes + row);
	if (in.ndict > limit || !is_worth_entries(flat, chars, in.ndict))
		return EC_OK;
	for (row = 0; flat->nnulls > 0 && row < flat->nrows; row++)
	{
		if (codes[row] == UNUSED)
			codes[row] = in.ndict;
	}
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, DICT), in.ndict * ec_value_width(flat->phys)));
	entries_of_rows(&in, EC_WORK(enc, DICT)->data);
	*interned = true;
	*dict = *flat;
	dict->form = EC_FORM_DICT;
	dict->codes = codes;
	dict->ndict = in.ndict;
	dict->values.any = EC_WORK(enc, DICT)->data;
	return EC_OK;
}

/* Stable sort of order[0..n) by a byte of what it refers to; the result is in *to. */
static void
sort_by_byte(const uint32_t *order, uint32_t n, const uint64_t *keys, uint32_t shift, uint32_t *to)
{
	uint32_t starts[257] = {0};
	uint32_t i;

	for (i = 0; i < n; i++)
		starts[(keys[i] >> shift & 0xff) + 1]++;
	for (i = 1; i < 257; i++)
		starts[i] += starts[i - 1];
	for (i = 0; i < n; i++)
		to[starts[keys[order[i]] >> shift & 0xff]++] = order[i];
}

/* Entries of integers sorted by value: a radix sort of the bytes that differ. */
static void
sort_by_value(const EcVector *dict, uint32_t **order, uint32_t **spare)
{
	const uint64_t *keys = dict->values.any;
	uint64_t differ = 0;
	uint32_t shift;
	uint32_t i;

	for (i = 1; i < dict->ndict; i++)
		differ |= keys[i] ^ keys[0];
	for (shift = 0; shift < 64; shift += 8)
	{
		uint32_t *done = *spare;

		if ((differ >> shift & 0xff) == 0)
			continue;
		sort_by_byte(*order, dict->ndict, keys, shift, done);
		*spare = *order;
		*order = done;
	}
}

/* Powers of two of the counts, the highest first; entries of one keep their order. */
static void
sort_by_frequency(const uint32_t *counts, const uint32_t *order, uint32_t n, uint32_t *to)
{
	uint32_t starts[34] = {0};
	uint32_t i;

	for (i = 0; i < n; i++)
		starts[__builtin_clz(counts[i] | 1) + 1]++;
	for (i = 1; i < 34; i++)
		starts[i] += starts[i - 1];
	for (i = 0; i < n; i++)
		to[starts[__builtin_clz(counts[order[i]] | 1)]++] = order[i];
}

/* Entries in order of frequency, in one of the encoder's two arrays. */
static EcStatus
frequency_order(EcEncoder *enc, const EcVector *dict, uint32_t **result, uint32_t **unused)
{
	size_t bytes = ((size_t) dict->ndict + 1) * sizeof(uint32_t);
	uint32_t *counts;
	uint32_t *order;
	uint32_t *spare;
	uint32_t i;

	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, COUNTS), bytes));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, ORDER), bytes));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, ORDER2), bytes));
	counts = EC_WORK(enc, COUNTS)->data;
	order = EC_WORK(enc, ORDER)->data;
	spare = EC_WORK(enc, ORDER2)->data;
	memset(counts, 0, bytes);
	for (i = 0; i < dict->nrows; i++)
		counts[dict->codes[i]]++;
	for (i = 0; i < dict->ndict; i++)
		order[i] = i;
	if (dict->phys == EC_PHYS_INT64)
		sort_by_value(dict, &order, &spare);
	sort_by_frequency(counts, order, dict->ndict, spare);
	*result = spare;
	*unused = order;
	return EC_OK;
}

EcStatus
ec_shape_rank(EcEncoder *enc, const EcVector *dict, EcVector *ranked)
{
	size_t width = ec_value_width(dict->phys);
	uint32_t *order;
	uint32_t *rank;
	uint32_t *codes;
	char *entries;
	uint32_t i;

	EC_TRY(frequency_order(enc, dict, &order, &rank));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, RANKED_CODES), dict->nrows * sizeof(uint32_t)));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, RANKED_DICT), dict->ndict * width));
	codes = EC_WORK(enc, RANKED_CODES)->data;
	entries = EC_WORK(enc, RANKED_DICT)->data;
	for (i = 0; i < dict->ndict; i++)
	{
		rank[order[i]] = i;
		memcpy(entries + i * width, (const char *) dict->values.any + order[i] * width, width);
	}
	rank[dict->ndict] = dict->ndict;
	for (i = 0; i < dict->nrows; i++)
		codes[i] = rank[dict->codes[i]];
	*ranked = *dict;
	ranked->codes = codes;
	ranked->values.any = entries;
	return EC_OK;
}
