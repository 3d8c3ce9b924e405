/*-------------------------------------------------------------------------
 *
 * ecgen_random.c
 *	  Random numbers and the little mathematics that ecgen needs, built from
 *	  additions, multiplications and divisions only, so that every IEEE
 *	  machine gets the same bits.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ecgen.h"

/* splitmix64's finaliser */
uint64_t
ec_hash64(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* Streams of one seed are independent: one for products, one for traffic … */
void
ec_rng_seed(EcRng *rng, uint64_t seed, uint64_t stream)
{
	uint64_t x = ec_hash64(seed) ^ ec_hash64(~stream);

	for (int i = 0; i < 4; i++)
		rng->s[i] = ec_hash64(x + (uint64_t) i);
	if ((rng->s[0] | rng->s[1] | rng->s[2] | rng->s[3]) == 0)
		rng->s[0] = 1;
}

/* e^x for |x| < 700: 2^k * e^r, |r| <= ln 2 / 2 */
double
ec_exp(double x)
{
	const double ln2 = 0.69314718055994530942;
	double k = (double) (int) (x / ln2 + (x < 0 ? -0.5 : 0.5));
	double r = x - k * ln2;
	double sum = 1.0;
	uint64_t bits;
	double scale;

	for (int i = 16; i > 0; i--)
		sum = 1.0 + sum * r / (double) i;
	bits = (uint64_t) ((int64_t) k + 1023) << 52;
	memcpy(&scale, &bits, sizeof(scale));
	return sum * scale;
}

/* ln x for normal x > 0: exponent plus 2 artanh((m - 1) / (m + 1)) */
double
ec_log(double x)
{
	const double ln2 = 0.69314718055994530942;
	uint64_t bits;
	int exponent;
	double z;
	double z2;
	double sum = 0.0;

	memcpy(&bits, &x, sizeof(bits));
	exponent = (int) (bits >> 52) - 1023;
	bits = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000);
	memcpy(&x, &bits, sizeof(x));
	z = (x - 1.0) / (x + 1.0);
	z2 = z * z;
	for (int i = 41; i > 0; i -= 2)
		sum = sum * z2 + 1.0 / (double) i;
	return (double) exponent * ln2 + 2.0 * z * sum;
}

/* Twelve uniforms: normal enough for prices and pauses. */
double
ec_normal(EcRng *rng)
{
	double sum = -6.0;

	for (int i = 0; i < 12; i++)
		sum += ec_unit(ec_rng_next(rng));
	return sum;
}

/* Vose's construction; weights need no particular sum. */
void
ec_alias_build(EcAliasSlot *slots, const double *weights, uint32_t n)
{
	double *share = ec_alloc(n * sizeof(double));
	uint32_t *small = ec_alloc(n * sizeof(uint32_t));
	uint32_t *large = ec_alloc(n * sizeof(uint32_t));
	uint32_t nsmall = 0;
	uint32_t nlarge = 0;
	double sum = 0.0;

	for (uint32_t i = 0; i < n; i++)
		sum += weights[i];
	for (uint32_t i = 0; i < n; i++)
	{
		share[i] = weights[i] / sum * (double) n;
		slots[i].limit = UINT32_MAX;
		slots[i].other = i;
		if (share[i] < 1.0)
			small[nsmall++] = i;
		else
			large[nlarge++] = i;
	}
	while (nsmall > 0 && nlarge > 0)
	{
		uint32_t s = small[--nsmall];
		uint32_t l = large[nlarge - 1];

		slots[s].limit = (uint32_t) (share[s] * 4294967295.0);
		slots[s].other = l;
		share[l] -= 1.0 - share[s];
		if (share[l] < 1.0)
		{
			nlarge--;
			small[nsmall++] = l;
		}
	}
	free(share);
	free(small);
	free(large);
}

void *
ec_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (p == NULL)
		ec_fail("out of memory (%zu bytes)", size);
	return p;
}
