/*
 * kmeans.c
 *	  Lloyd's algorithm from k-means++ seeds.
 */
#include "postgres.h"

#include <math.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "insight/kmeans.h"

#define SAMPLE 32768
#define ATTEMPTS 10
#define CHECK_STEP 8192 /* points between checks for interrupts */

typedef struct Sample
{
	int64 n;
	EcPoint *points;
	double *distances; /* squared, to the next seed */
	double *candidate; /* what they would be with a candidate */
	double *best;	   /* with the best one so far */
	int64 at;		   /* of the point to read next */
	pg_prng_state random;
} Sample;

static inline double
square_distance(const EcPoint *a, const EcPoint *b)
{
	double sum = 0;

	for (int d = 0; d < EC_KMEANS_DIMENSIONS; d++)
		sum += (a->x[d] - b->x[d]) * (a->x[d] - b->x[d]);
	return sum;
}

int
ec_kmeans_nearest(const EcPoint *point, const EcPoint *centres, int n)
{
	double least = square_distance(point, &centres[0]);
	int nearest = 0;

	for (int c = 1; c < n; c++)
	{
		double distance = square_distance(point, &centres[c]);

		if (distance < least)
		{
			least = distance;
			nearest = c;
		}
	}
	return nearest;
}

/* ---- Lloyd ---- */

typedef struct Means
{
	EcPoint sum;
	int64 n;
} Means;

/* Moves the centres to the means of the points next to them; returns the inertia before. */
static double
move_centres(EcPointReader read, void *arg, EcPoint *centres, int k, Means *means, bool *moved)
{
	double inertia = 0;
	EcPoint point;

	memset(means, 0, sizeof(Means) * k);
	for (int64 i = 1; read(&point, arg); i++)
	{
		int nearest = ec_kmeans_nearest(&point, centres, k);

		if (i % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		inertia += square_distance(&point, &centres[nearest]);
		means[nearest].n++;
		for (int d = 0; d < EC_KMEANS_DIMENSIONS; d++)
			means[nearest].sum.x[d] += point.x[d];
	}
	*moved = false;
	for (int c = 0; c < k; c++)
	{
		for (int d = 0; d < EC_KMEANS_DIMENSIONS && means[c].n > 0; d++)
		{
			double x = means[c].sum.x[d] / (double) means[c].n;

			*moved |= x != centres[c].x[d];
			centres[c].x[d] = x;
		}
	}
	return inertia;
}

/* Until no centre moves; returns the inertia. */
static double
lloyd(EcPointReader read, void *arg, EcPoint *centres, int k)
{
	Means *means = palloc(sizeof(Means) * k);
	double inertia = 0;
	bool moved = true;

	for (int round = 0; moved && round < EC_KMEANS_ROUNDS; round++)
		inertia = move_centres(read, arg, centres, k, means, &moved);
	pfree(means);
	return inertia;
}

/* ---- seeds on a sample ---- */

static bool
read_sample(EcPoint *point, void *arg)
{
	Sample *sample = arg;

	if (sample->at == sample->n)
	{
		sample->at = 0;
		return false;
	}
	*point = sample->points[sample->at++];
	return true;
}

/* Each point has the same chance to be in (reservoir sampling). */
static void
take_sample(Sample *sample, EcPointReader read, void *arg)
{
	EcPoint point;

	for (int64 i = 0; read(&point, arg); i++)
	{
		int64 place = i;

		if (i % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		if (i >= SAMPLE)
			place = (int64) pg_prng_uint64_range(&sample->random, 0, i);
		if (place < SAMPLE)
			sample->points[place] = point;
		sample->n = Min(i + 1, SAMPLE);
	}
}

/* A point chosen with a chance in proportion to its squared distance; total is the distances' sum. */
static const EcPoint *
draw(Sample *sample, double total)
{
	double left = pg_prng_double(&sample->random) * total;
	int64 last = 0;

	for (int64 i = 0; i < sample->n; i++)
	{
		if (sample->distances[i] == 0)
			continue;
		last = i;
		left -= sample->distances[i];
		if (left < 0)
			break;
	}
	return &sample->points[last];
}

/* The distances with one more seed, to candidate; returns their sum. */
static double
try_seed(Sample *sample, const EcPoint *seed)
{
	double total = 0;

	for (int64 i = 0; i < sample->n; i++)
	{
		double distance = square_distance(&sample->points[i], seed);

		sample->candidate[i] = Min(sample->distances[i], distance);
		total += sample->candidate[i];
	}
	return total;
}

static void
swap(double **a, double **b)
{
	double *c = *a;

	*a = *b;
	*b = c;
}

/* k-means++; returns how many seeds there are. */
static int
choose_seeds(Sample *sample, int wanted, EcPoint *seeds)
{
	int candidates = 2 + (int) log(wanted);
	double total;

	for (int64 i = 0; i < sample->n; i++)
		sample->distances[i] = INFINITY;
	seeds[0] = sample->points[pg_prng_uint64_range(&sample->random, 0, sample->n - 1)];
	total = try_seed(sample, &seeds[0]);
	swap(&sample->distances, &sample->candidate);
	for (int k = 1; k < wanted; k++)
	{
		double least = INFINITY;

		CHECK_FOR_INTERRUPTS();
		if (total == 0) /* each point is a seed */
			return k;
		for (int i = 0; i < candidates; i++)
		{
			const EcPoint *point = draw(sample, total);
			double sum = try_seed(sample, point);

			if (sum >= least)
				continue;
			least = sum;
			seeds[k] = *point;
			swap(&sample->best, &sample->candidate);
		}
		total = least;
		swap(&sample->distances, &sample->best);
	}
	return wanted;
}

static int
best_attempt(Sample *sample, int wanted, EcPoint *centres)
{
	EcPoint *attempt = palloc(sizeof(EcPoint) * wanted);
	double least = INFINITY;
	int k = 0;

	for (int i = 0; i < ATTEMPTS; i++)
	{
		int n = choose_seeds(sample, wanted, attempt);
		double inertia = lloyd(read_sample, sample, attempt, n);

		if (inertia >= least)
			continue;
		least = inertia;
		k = n;
		memcpy(centres, attempt, sizeof(EcPoint) * n);
	}
	pfree(attempt);
	return k;
}

int
ec_kmeans(EcPointReader read, void *arg, int64 n, int wanted, uint64 seed, EcPoint *centres,
		  MemoryContext context)
{
	MemoryContext work =
		AllocSetContextCreate(context, "ecinsight k-means", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	Size size = sizeof(double) * Min(n, SAMPLE);
	Sample sample = {0};
	int k;

	pg_prng_seed(&sample.random, seed);
	sample.points = palloc(size * EC_KMEANS_DIMENSIONS);
	sample.distances = palloc(size);
	sample.candidate = palloc(size);
	sample.best = palloc(size);
	take_sample(&sample, read, arg);
	k = n > 0 ? best_attempt(&sample, wanted, centres) : 0;
	if (n > sample.n)
		(void) lloyd(read, arg, centres, k);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return k;
}
