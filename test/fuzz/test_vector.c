/*
 * test_vector.c
 *	  UUID text, float images and prefixes against slow and simple versions.
 */
#include "fuzz.h"
#include "vector/hash.h"

#include <math.h>

static bool
slow_parse(const uint8_t *text, uint32_t len, EcUuid *out)
{
	uint32_t nibbles = 0;
	uint32_t i;

	if (len != EC_UUID_TEXT_LEN)
		return false;
	memset(out, 0, sizeof(*out));
	for (i = 0; i < len; i++)
	{
		uint8_t c = text[i];

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (c != '-')
				return false;
			continue;
		}
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		out->b[nibbles / 2] |=
			(uint8_t) ((c <= '9' ? c - '0' : c - 'a' + 10) << (nibbles % 2 ? 0 : 4));
		nibbles++;
	}
	return true;
}

static void
compare_parse(const uint8_t *text, uint32_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	EcUuid fast;
	EcUuid slow;
	char back[EC_UUID_TEXT_LEN];
	bool ok;

	memcpy(copy, text, len);
	ok = ec_uuid_parse(copy, len, &fast);
	CHECK(ok == slow_parse(text, len, &slow));
	if (ok)
	{
		CHECK(memcmp(&fast, &slow, sizeof(fast)) == 0);
		ec_uuid_format(&fast, back);
		CHECK(memcmp(back, text, sizeof(back)) == 0);
	}
	free(copy);
}

/* Every byte value at every place of a UUID, and other lengths. */
static void
test_uuid(Random *r)
{
	uint8_t text[64];
	uint32_t i;
	uint32_t c;
	int round;

	for (round = 0; round < 20; round++)
	{
		EcUuid uuid;

		for (i = 0; i < sizeof(uuid); i++)
			uuid.b[i] = (uint8_t) random_u64(r);
		memset(text, '0', sizeof(text));
		ec_uuid_format(&uuid, (char *) text);
		for (i = 0; i < 40; i++)
			compare_parse(text, i);
		for (i = 0; i < EC_UUID_TEXT_LEN; i++)
		{
			uint8_t kept = text[i];

			for (c = 0; c < 256; c++)
			{
				text[i] = (uint8_t) c;
				compare_parse(text, EC_UUID_TEXT_LEN);
			}
			text[i] = kept;
		}
	}
}

static double
random_double(Random *r)
{
	static const double some[] = {0.0, -0.0, INFINITY, -INFINITY, 1.0, -1.0, 5e-324, -5e-324};
	uint64_t bits = random_u64(r);
	double x;

	if (bits % 4 == 0)
		return some[bits / 4 % 8];
	memcpy(&x, &bits, sizeof(x));
	return x;
}

static void
test_floats(Random *r)
{
	int i;

	for (i = 0; i < 20000; i++)
	{
		double a = random_double(r);
		double b = random_double(r);
		int64_t x = ec_float_to_image(a);
		int64_t y = ec_float_to_image(b);
		double back = ec_float_from_image(x);

		CHECK(isnan(a) ? isnan(back) : memcmp(&a, &back, sizeof(a)) == 0);
		if (isnan(a))
			CHECK(isnan(b) ? x == y : x > y);
		else if (!isnan(b))
			CHECK(a < b ? x < y : a > b ? x > y : signbit(a) == signbit(b) ? x == y : x != y);
	}
	CHECK(ec_float_to_image(-0.0) < ec_float_to_image(0.0));
	CHECK(ec_float_to_image(NAN) == ec_float_to_image(-NAN));
}

static void
test_prefix(Random *r)
{
	int i;

	for (i = 0; i < 20000; i++)
	{
		uint32_t alen = random_below(r, 12);
		uint32_t blen = random_below(r, 12);
		uint8_t *a = malloc(alen > 0 ? alen : 1);
		uint8_t *b = malloc(blen > 0 ? blen : 1);
		uint8_t pa[8] = {0};
		uint8_t pb[8] = {0};
		int64_t x;
		int64_t y;
		int order;
		uint32_t j;

		for (j = 0; j < alen; j++)
			a[j] = (uint8_t) (random_below(r, 3) * 127);
		for (j = 0; j < blen; j++)
			b[j] = (uint8_t) (random_below(r, 3) * 127);
		memcpy(pa, a, alen < 8 ? alen : 8);
		memcpy(pb, b, blen < 8 ? blen : 8);
		order = memcmp(pa, pb, 8);
		x = ec_bytes_prefix(a, alen);
		y = ec_bytes_prefix(b, blen);
		CHECK(order < 0 ? x < y : order > 0 ? x > y : x == y);
		free(a);
		free(b);
	}
}

/* Strings of every short length in memory of exactly that length: alike but for one byte. */
static void
test_hash(Random *r)
{
	uint32_t len;
	uint32_t i;

	for (len = 0; len < 80; len++)
	{
		uint8_t *a = malloc(len > 0 ? len : 1);
		uint8_t *b = malloc(len > 0 ? len : 1);

		for (i = 0; i < len; i++)
			a[i] = b[i] = (uint8_t) random_u64(r);
		CHECK(ec_bytes_equal(a, b, len));
		CHECK(ec_hash_bytes(a, len, 5) == ec_hash_bytes(b, len, 5));
		CHECK(ec_hash_bytes(a, len, 5) != ec_hash_bytes(a, len, 6));
		for (i = 0; i < len; i++)
		{
			b[i] ^= (uint8_t) (1 << random_below(r, 8));
			CHECK(!ec_bytes_equal(a, b, len));
			CHECK(ec_hash_bytes(a, len, 5) != ec_hash_bytes(b, len, 5));
			b[i] = a[i];
		}
		free(a);
		free(b);
	}
}

/* Values next to each other spread over the low bits that tables use. */
static void
test_hash_spread(void)
{
	static uint8_t used[1 << 16];
	uint32_t n = 0;
	int64_t x;

	for (x = 0; x < 65536; x++)
		used[ec_hash_int64(x * 1000000, 3) & 0xffff] = 1;
	for (x = 0; x < 65536; x++)
		n += used[x];
	/* 63.2 % is what randomness gives */
	CHECK(n > 39000);
}

void
test_vector(uint64_t seed)
{
	Random r = {seed};

	snprintf(context, sizeof(context), "vector");
	test_uuid(&r);
	test_floats(&r);
	test_prefix(&r);
	test_hash(&r);
	test_hash_spread();
}
