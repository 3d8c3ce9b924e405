/*
 * kmeans.h
 *	  Clusters of points in three dimensions: Lloyd's algorithm from k-means++ seeds.
 *
 * S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information
 * Theory 28 (1982); D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful
 * seeding", SODA 2007, with several candidates for each seed, of which the best is
 * taken (their section 5, as scikit-learn does).
 *
 * Deterministic: the same points in the same order and the same seed give the same
 * centres.
 */
#ifndef EC_KMEANS_H
#define EC_KMEANS_H

#include "postgres.h"

#define EC_KMEANS_DIMENSIONS 3
#define EC_KMEANS_CLUSTERS_MAX 1000
#define EC_KMEANS_ROUNDS 100

typedef struct EcPoint
{
	double x[EC_KMEANS_DIMENSIONS];
} EcPoint;

/* Calls for each point in order, the same ones each time: false at the end, from where it starts over. */
typedef bool (*EcPointReader)(EcPoint *point, void *arg);

/*
 * Finds up to wanted centres (fewer if there are not so many different points); returns
 * how many.  The best of several attempts on a sample (all points, if they are few) is
 * refined on all n points, until no centre moves or for EC_KMEANS_ROUNDS rounds.
 * Working memory, 2 MB at the most, is palloc'd below context and freed.
 */
extern int ec_kmeans(EcPointReader read, void *arg, int64 n, int wanted, uint64 seed,
					 EcPoint *centres, MemoryContext context);

/* The centre next to a point; the first of equally near ones. */
extern int ec_kmeans_nearest(const EcPoint *point, const EcPoint *centres, int n);

#endif /* EC_KMEANS_H */
