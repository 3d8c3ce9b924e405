/*
 * series.h
 *	  Measures of an events relation by buckets of time: what sales_trend shows and
 *	  sales_forecast goes on from.
 */
#ifndef EC_SERIES_H
#define EC_SERIES_H

#include "postgres.h"

#include "insight/buckets.h"
#include "insight/measures.h"
#include "insight/people.h"

typedef struct EcSeries
{
	EcBuckets buckets; /* set by ec_buckets_init */
	EcMeasures measures;
	EcPeopleCounts *people; /* users and buyers by bucket number */
	EcBucketRow *rows;		/* [nrows], in order, empty buckets filled in */
	int64 nrows;
	int32 scale;
} EcSeries;

/* Counts the selected rows; series->buckets must be there.  People are counted only if wanted. */
extern void
ec_series_count(EcSeries *series, const EcArgs *args, bool with_people, MemoryContext context);

#endif /* EC_SERIES_H */
