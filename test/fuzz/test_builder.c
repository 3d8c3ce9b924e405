/*
 * test_builder.c
 *	  Builders against a plain list of values: random appends, truncations, views
 *	  and resets; and memory that runs out.
 */
#include "fuzz.h"

#define MODEL_MAX 60000

typedef struct Value
{
	bool null;
	int64_t i64;
	uint32_t len;
	char text[48];
	EcUuid uuid;
} Value;

static Value model[MODEL_MAX];
static uint32_t nmodel;

/* distinct: how many different values there may be. */
static void
random_value(Random *r, EcKind kind, uint32_t distinct, uint32_t uuids_of_100, Value *v)
{
	Random own = {random_below(r, distinct)};
	uint64_t words[2];

	memset(v, 0, sizeof(*v));
	v->null = random_below(r, 10) == 0;
	words[0] = random_u64(&own);
	words[1] = random_u64(&own);
	v->i64 = (int64_t) words[0];
	memcpy(v->uuid.b, words, sizeof(words));
	if (kind == EC_KIND_TEXT && random_below(r, 100) < uuids_of_100)
	{
		ec_uuid_format(&v->uuid, v->text);
		v->len = EC_UUID_TEXT_LEN;
	}
	else
		v->len = words[1] % 50 == 0 ? 0
									: (uint32_t) snprintf(v->text, sizeof(v->text), "%llx",
														  (unsigned long long) words[0]);
}

static bool
append_value(EcBuilder *b, EcKind kind, const Value *v)
{
	if (v->null)
		return ec_builder_append_null(b);
	if (kind == EC_KIND_INT)
		return ec_builder_append_int64(b, v->i64);
	if (kind == EC_KIND_UUID)
		return ec_builder_append_uuid(b, &v->uuid);
	return ec_builder_append_bytes(b, v->text, v->len);
}

static bool
row_equals(const EcVector *v, uint32_t row, const Value *value, EcKind kind)
{
	uint32_t index;
	char text[EC_UUID_TEXT_LEN];

	if (ec_vector_is_null(v, row) || value->null)
		return ec_vector_is_null(v, row) == value->null;
	index = ec_vector_index(v, row);
	if (kind == EC_KIND_INT)
		return v->values.i64[index] == value->i64;
	if (kind == EC_KIND_UUID)
		return memcmp(&v->values.uuid[index], &value->uuid, sizeof(EcUuid)) == 0;
	if (v->phys == EC_PHYS_UUID)
	{
		ec_uuid_format(&v->values.uuid[index], text);
		return value->len == sizeof(text) && memcmp(text, value->text, sizeof(text)) == 0;
	}
	return v->values.bytes[index].len == value->len &&
		   memcmp(v->values.bytes[index].ptr, value->text, value->len) == 0;
}

static void
compare_view(EcBuilder *b, EcKind kind)
{
	EcVector v;
	uint32_t row;
	bool same = true;

	ec_builder_view(b, &v);
	CHECK(v.nrows == nmodel && ec_builder_rows(b) == nmodel);
	CHECK(vector_is_sound(&v));
	for (row = 0; row < nmodel && same; row++)
		same = row_equals(&v, row, &model[row], kind);
	CHECK(same);
	CHECK(ec_builder_bytes(b) >= nmodel);
}

/* The last n values of the model, at once. */
static bool
append_bulk(EcBuilder *b, uint32_t n)
{
	EcBytes values[100];
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		const Value *v = &model[nmodel - n + i];

		values[i].ptr = v->null ? NULL : (const uint8_t *) v->text;
		values[i].len = v->len;
	}
	return ec_builder_append_texts(b, values, n);
}

/* Of the last rows some are taken out. */
static void
retain_some(EcBuilder *b, Random *r)
{
	static uint8_t keep[MODEL_MAX];
	uint32_t first = nmodel - random_below(r, nmodel < 500 ? nmodel + 1 : 500);
	uint32_t share = random_below(r, 5);
	uint32_t to = first;
	uint32_t i;

	for (i = first; i < nmodel; i++)
	{
		keep[i - first] = random_below(r, 4) < share;
		if (keep[i - first])
			model[to++] = model[i];
	}
	nmodel = to;
	ec_builder_retain(b, first, keep);
}

static void
random_life(Random *r, EcKind kind, uint32_t distinct, uint32_t uuids_of_100)
{
	EcBuilder *b = ec_builder_create(kind, &ec_malloc_allocator);
	uint32_t steps = 4 + random_below(r, 20);

	nmodel = 0;
	while (steps-- > 0)
	{
		uint32_t n = random_below(r, random_below(r, 4) == 0 ? 20000 : 200);
		uint32_t pending = 0;
		uint32_t bulk = kind == EC_KIND_TEXT || kind == EC_KIND_RAW ? random_below(r, 101) : 0;
		uint32_t i;

		for (i = 0; i < n && nmodel < MODEL_MAX; i++)
		{
			random_value(r, kind, distinct, uuids_of_100, &model[nmodel]);
			nmodel++;
			if (bulk == 0)
				CHECK(append_value(b, kind, &model[nmodel - 1]));
			else if (++pending == bulk)
			{
				CHECK(append_bulk(b, pending));
				pending = 0;
			}
		}
		CHECK(append_bulk(b, pending));
		compare_view(b, kind);
		if (random_below(r, 2) == 0 && nmodel > 0)
		{
			nmodel -= random_below(r, nmodel < 10 ? nmodel : 10);
			ec_builder_truncate(b, nmodel);
			compare_view(b, kind);
		}
		if (random_below(r, 2) == 0 && nmodel > 0)
		{
			retain_some(b, r);
			compare_view(b, kind);
		}
		if (random_below(r, 8) == 0)
		{
			nmodel = 0;
			if (random_below(r, 2) == 0)
				ec_builder_reset(b);
			else
				ec_builder_truncate(b, 0);
			compare_view(b, kind);
		}
	}
	ec_builder_destroy(b);
}

/* Forms that callers count on: few values are interned, many are not, UUIDs are packed. */
static void
test_forms(void)
{
	EcBuilder *b = ec_builder_create(EC_KIND_TEXT, &ec_malloc_allocator);
	EcVector v;

	append_pattern(b, EC_KIND_TEXT, 2, 20000, NULLS_FEW, 1); /* few */
	ec_builder_view(b, &v);
	CHECK(v.form == EC_FORM_DICT && v.phys == EC_PHYS_BYTES);
	ec_builder_reset(b);
	append_pattern(b, EC_KIND_TEXT, 3, 20000, NULLS_FEW, 1); /* distinct */
	ec_builder_view(b, &v);
	CHECK(v.form == EC_FORM_FLAT && v.phys == EC_PHYS_BYTES);
	ec_builder_reset(b);
	append_pattern(b, EC_KIND_TEXT, 7, 20000, NULLS_FEW, 1); /* sessions */
	ec_builder_view(b, &v);
	CHECK(v.form == EC_FORM_DICT && v.phys == EC_PHYS_UUID);
	CHECK(ec_builder_append_bytes(b, "x", 1));
	ec_builder_view(b, &v);
	CHECK(v.form == EC_FORM_DICT && v.phys == EC_PHYS_BYTES && vector_is_sound(&v));
	ec_builder_reset(b);
	append_pattern(b, EC_KIND_TEXT, 8, 20000, NULLS_FEW, 1); /* uuids */
	ec_builder_view(b, &v);
	CHECK(v.form == EC_FORM_FLAT && v.phys == EC_PHYS_UUID);
	CHECK(ec_builder_append_bytes(b, "x", 1));
	ec_builder_view(b, &v);
	CHECK(v.form == EC_FORM_FLAT && v.phys == EC_PHYS_BYTES && vector_is_sound(&v));
	ec_builder_destroy(b);
}

static void
test_bulk(void)
{
	EcBuilder *b = ec_builder_create(EC_KIND_INT, &ec_malloc_allocator);
	int64_t values[5000];
	EcVector v;
	uint32_t i;

	for (i = 0; i < 5000; i++)
		values[i] = (int64_t) i * i;
	CHECK(ec_builder_append_int64s(b, values, 0));
	CHECK(ec_builder_append_int64s(b, values, 5000));
	CHECK(ec_builder_append_null(b));
	CHECK(ec_builder_append_int64s(b, values, 5000));
	ec_builder_view(b, &v);
	CHECK(v.nrows == 10001 && v.nnulls == 1 && ec_vector_is_null(&v, 5000));
	CHECK(memcmp(v.values.i64, values, sizeof(values)) == 0);
	CHECK(memcmp(v.values.i64 + 5001, values, sizeof(values)) == 0);
	ec_builder_destroy(b);
}

/* An allocator that fails once its countdown is over. */
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

/* Some rows of one column, plain or not, appended to another one, which has rows already. */
static void
test_append_rows(Random *r, EcKind kind, bool plain)
{
	EcBuilder *from = ec_builder_create(kind, &ec_malloc_allocator);
	EcBuilder *to = ec_builder_create(kind, &ec_malloc_allocator);
	uint32_t n = random_below(r, 3000);
	uint32_t distinct = 1 + random_below(r, 4000);
	uint32_t uuids = random_below(r, 3) * 50;
	uint32_t *rows = malloc((n + 1) * sizeof(uint32_t));
	uint32_t listed = 0;
	EcVector v;

	if (plain)
		ec_builder_keep_plain(from);
	for (int round = 0; round < 2; round++)
	{
		for (uint32_t row = 0; row < n; row++)
		{
			random_value(r, kind, distinct, uuids, &model[row]);
			CHECK(append_value(from, kind, &model[row]));
		}
		ec_builder_view(from, &v);
		CHECK(vector_is_sound(&v) && (!plain || v.form == EC_FORM_FLAT));
		CHECK(!plain || v.phys == (kind == EC_KIND_INT	  ? EC_PHYS_INT64
								   : kind == EC_KIND_UUID ? EC_PHYS_UUID
														  : EC_PHYS_BYTES));
		listed = 0;
		for (uint32_t row = 0; row < n; row++)
		{
			if (random_below(r, 3) > 0)
				rows[listed++] = row;
		}
		CHECK(ec_builder_append_rows(to, &v, rows, listed));
		if (round == 0)
		{
			ec_builder_reset(from);
			ec_builder_truncate(to, listed / 2);
		}
	}
	ec_builder_view(to, &v);
	CHECK(vector_is_sound(&v));
	for (uint32_t i = 0; i < listed; i++)
		CHECK(row_equals(&v, v.nrows - listed + i, &model[rows[i]], kind));
	free(rows);
	ec_builder_destroy(from);
	ec_builder_destroy(to);
}

static void
test_out_of_memory(Random *r)
{
	static const EcKind kinds[] = {EC_KIND_INT, EC_KIND_TEXT, EC_KIND_UUID, EC_KIND_RAW};
	uint32_t allowed;
	int k;

	for (k = 0; k < 4; k++)
	{
		for (allowed = 0; allowed < 40; allowed++)
		{
			uint32_t left = allowed;
			EcAllocator alloc = {failing_resize, &left};
			EcBuilder *b = ec_builder_create(kinds[k], &alloc);
			uint32_t i;

			if (b == NULL)
			{
				CHECK(allowed == 0);
				continue;
			}
			for (i = 0; i < 20000; i++)
			{
				Value v;

				random_value(r, kinds[k], 30000, i < 15000 ? 100 : 0, &v);
				if (!append_value(b, kinds[k], &v))
					break;
			}
			CHECK(i == 20000 || left == 0);
			ec_builder_destroy(b);
		}
	}
}

void
test_builder(uint64_t seed)
{
	static const EcKind kinds[] = {EC_KIND_INT, EC_KIND_TEXT, EC_KIND_UUID, EC_KIND_RAW};
	static const uint32_t distinct[] = {1, 20, 5000, 1000000000};
	Random r = {seed};
	int k;
	int d;
	int u;

	for (k = 0; k < 4; k++)
	{
		for (d = 0; d < 4; d++)
		{
			for (u = 0; u < (kinds[k] == EC_KIND_TEXT ? 3 : 1); u++)
			{
				uint32_t uuids = u == 0 ? 100 : u == 1 ? 0 : 99;

				snprintf(context, sizeof(context), "builder: kind %d, %u distinct, %u %% UUIDs",
						 kinds[k], distinct[d], uuids);
				random_life(&r, kinds[k], distinct[d], uuids);
			}
		}
	}
	snprintf(context, sizeof(context), "builder");
	test_forms();
	test_bulk();
	for (int i = 0; i < 40; i++)
	{
		test_append_rows(&r, EC_KIND_INT, i % 2 == 0);
		test_append_rows(&r, EC_KIND_TEXT, i % 2 == 0);
		test_append_rows(&r, EC_KIND_UUID, i % 2 == 0);
		test_append_rows(&r, EC_KIND_RAW, i % 2 == 0);
	}
	test_out_of_memory(&r);
}
