/*
 * merge.h
 *	  Steps of compaction: row groups and delta rows into new row groups; claims.
 */
#ifndef EC_STORE_MERGE_H
#define EC_STORE_MERGE_H

#include "postgres.h"

#include "store/compact.h"
#include "store/reader.h"
#include "store/survey.h"
#include "vector/batch.h"

/* A set of summaries, of whose row groups some are merged with each other. */
typedef struct EcCompactSet
{
	const struct EcSummarySet *summary;
	uint64 ndead; /* rows, of all its row groups */
	uint32 nmerged;
	uint64 rows_merged; /* in these, dead ones too */
	uint64 rows_written;
	int64 *written; /* [nwritten] new row groups */
	uint32 nwritten;
	uint32 written_capacity;
} EcCompactSet;

/* What is done at the end, at once: until then nobody has to wait for us. */
typedef struct EcCompact
{
	Relation rel;
	EcCompanion *c;
	EcSurvey *survey;
	EcCompaction *result;
	bool *dropped;		/* [tombstones.n] to be deleted: their rows are gone, or folded */
	EcCompactSet *sets; /* [nsets]; EcSurveyGroup.set is an index here + 1 */
	uint32 nsets;
	uint32 present_set; /* whose row groups are being merged; 0: those of none */
	bool merge_deltas;
	Size max_deltas;	   /* only so many, by number */
	struct EcMerge *merge; /* merge.c's */

	/*
	 * A rewrite takes the rows itself, in batches of a row group, by number; nothing is
	 * claimed then.
	 */
	void (*sink)(void *arg, EcBatch *batch, const int64 *numbers);
	void *sink_arg;
} EcCompact;

/* The reader's picks are groups [0, n) for which wanted says true; NULL if there are none. */
extern EcReader *ec_compact_reader(EcCompact *k, bool (*wanted)(EcCompact *, EcSurveyGroup *));

/* The survey's group that the reader stands on (the first of a run). */
extern EcSurveyGroup *ec_compact_group(EcCompact *k, EcReader *reader);

/*
 * Rows of the reader's group that are dead for everybody, as EC_MASK_WORDS words a
 * block: masked ones, and those with a tombstone, whose number is counted in *fresh.
 * With "drop" these tombstones are marked as dropped.
 */
extern uint64 *
ec_compact_dead(EcCompact *k, EcReader *reader, bool drop, uint32 *ndead, uint32 *fresh);

/* compact_sets.c: which sets there are, and cover what. */
extern void ec_compact_find_sets(EcCompact *k);

/* Row groups that were chosen as they have many dead rows wait if few of their set's are. */
extern void ec_compact_spare_sets(EcCompact *k);

/* After the claims: sets that have lost no row cover the new row groups. */
extern void ec_compact_keep_sets(EcCompact *k);

/* The live rows of all groups with "merge" set and, if told, the delta rows. */
extern void ec_merge(EcCompact *k);

/* Takes the delta rows that have been copied; the last thing to do, as others may wait for it. */
extern void ec_merge_claim(EcCompact *k);

#endif /* EC_STORE_MERGE_H */
