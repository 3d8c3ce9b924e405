/*
 * zone.c
 *	  What a zone (least and greatest value, number of NULLs) tells of a leaf.
 *
 * Must err only towards EC_TRUTH_SOME.  Zones of byte strings hold the first eight
 * bytes only: equal prefixes tell nothing, different ones decide.
 */
#include "postgres.h"

#include "scan/pred.h"

/* Can the leaf be tested on chunks of this kind? */
bool
ec_leaf_reads_kind(const EcLeaf *leaf, EcKind kind)
{
	return leaf->kind == 0 || leaf->kind == kind;
}

static EcTruth
ranges_truth(const EcLeaf *leaf, int64 min, int64 max)
{
	int low = 0;
	int high = leaf->nranges;

	/* the first range that ends at or after min */
	while (low < high)
	{
		int middle = (low + high) / 2;

		if (leaf->ranges[middle].max < min)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == leaf->nranges || leaf->ranges[low].min > max)
		return EC_TRUTH_NONE;
	if (leaf->ranges[low].min <= min && leaf->ranges[low].max >= max)
		return EC_TRUTH_ALL;
	return EC_TRUTH_SOME;
}

/* A bound: does a value with its prefix in [min, max] lie on the right side of the key? */
static EcTruth
bound_truth(const EcLeaf *leaf, int64 min, int64 max)
{
	bool below = leaf->cmp == EC_CMP_LT || leaf->cmp == EC_CMP_LE;

	if (leaf->nkeys == 0)
		return EC_TRUTH_NONE;
	if (max < leaf->prefixes[0])
		return below ? EC_TRUTH_ALL : EC_TRUTH_NONE;
	if (min > leaf->prefixes[0])
		return below ? EC_TRUTH_NONE : EC_TRUTH_ALL;
	return EC_TRUTH_SOME;
}

static EcTruth
strings_truth(const EcLeaf *leaf, int64 min, int64 max)
{
	int low = 0;
	int high = leaf->nkeys;

	if (leaf->cmp >= EC_CMP_LT && leaf->cmp <= EC_CMP_GT && leaf->cmp != EC_CMP_EQ)
		return bound_truth(leaf, min, max);
	/* the first key that isn't below the zone: keys, so prefixes, are sorted */
	while (low < high)
	{
		int middle = (low + high) / 2;

		if (leaf->prefixes[middle] < min)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < leaf->nkeys && leaf->prefixes[low] <= max)
		return EC_TRUTH_SOME;
	return leaf->inverted ? EC_TRUTH_ALL : EC_TRUTH_NONE;
}

static EcTruth
values_truth(EcLeaf *leaf, const EcZone *zone, int32 scale)
{
	if (leaf->kind == 0)
		return leaf->inverted ? EC_TRUTH_ALL : EC_TRUTH_NONE;
	if (leaf->kind == EC_KIND_TEXT || leaf->kind == EC_KIND_UUID)
		return strings_truth(leaf, zone->min, zone->max);
	ec_leaf_set_scale(leaf, scale);
	return ranges_truth(leaf, zone->min, zone->max);
}

/* The leaf's truth for the rows that the zone describes; kind and scale are the chunk's. */
EcTruth
ec_leaf_zone(EcLeaf *leaf, const EcZone *zone, EcKind kind, int32 scale)
{
	EcTruth truth;

	if (zone->nnulls == zone->nrows)
		return leaf->nulls ? EC_TRUTH_ALL : EC_TRUTH_NONE;
	if (!ec_leaf_reads_kind(leaf, kind))
		return EC_TRUTH_SOME;
	truth = values_truth(leaf, zone, scale);
	if (zone->nnulls == 0 || truth == (leaf->nulls ? EC_TRUTH_ALL : EC_TRUTH_NONE))
		return truth;
	return EC_TRUTH_SOME;
}
