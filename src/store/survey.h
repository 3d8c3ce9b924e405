/*
 * survey.h
 *	  What a table consists of, as compaction sees it.
 */
#ifndef EC_STORE_SURVEY_H
#define EC_STORE_SURVEY_H

#include "postgres.h"

#include "access/heapam.h"

#include "store/companion.h"

/* A row group that every snapshot sees. */
typedef struct EcSurveyGroup
{
	int64 number;
	ItemPointerData tid; /* of its descriptor */
	uint8 form;			 /* EcGroupForm */
	uint8 level;		 /* EcGroupLevel */
	bool merge;			 /* chosen by compaction */
	bool busy;			 /* this transaction has changed its masks: leave it alone */
	uint32 nrows;		 /* masked ones included */
	uint32 ndead;		 /* of them masked, or deleted by tombstones that every snapshot sees */
	int64 first;		 /* least row number */
	int64 end;			 /* one beyond the greatest */
	uint64 bytes;
	uint32 nblocks;
	BlockNumber first_block; /* EC_FORM_EXTENT */
} EcSurveyGroup;

/* A tuple about one row: number and place. */
typedef struct EcSurveyRow
{
	int64 number;
	ItemPointerData tid;
} EcSurveyRow;

typedef struct EcSurveyRows
{
	EcSurveyRow *rows; /* by number */
	Size n;
	Size capacity;
} EcSurveyRows;

/* For masks, number is EC_MASK_NUMBER. */
typedef struct EcSurvey
{
	TransactionId oldest_xmin;
	EcSurveyGroup *groups; /* by first row number */
	uint32 ngroups;
	uint32 capacity;
	EcSurveyRows deltas;	 /* rows on their own that every snapshot sees */
	EcSurveyRows tombstones; /* of deletions that every snapshot sees */
	EcSurveyRows idle;		 /* headers of rows that nobody locks or deletes */
	EcSurveyRows masks;		 /* live ones, however new: their rows are dead for all */
	EcSurveyRows busy;		 /* masks that this transaction has made or replaced */
	EcSurveyRows open;		 /* other tuples of rows that aren't dead */
	int64 unsettled;		 /* tuples of rows and groups that not all see, or not all see dead */
} EcSurvey;

/*
 * Settled is what is older than oldest_xmin.  All is in the current memory context.
 * The caller keeps VACUUM away from the companion.
 */
extern EcSurvey *ec_survey(EcCompanion *c, TransactionId oldest_xmin);

/* Live, and older than any snapshot; state is what heap's visibility rules say of it. */
extern bool ec_survey_is_settled(HeapTuple tuple, HTSV_Result state, TransactionId oldest_xmin);

/* The first entry whose number isn't below this one; rows->n if there is none. */
extern Size ec_survey_find(const EcSurveyRows *rows, int64 number);

static inline bool
ec_survey_has(const EcSurveyRows *rows, int64 number, Size *at)
{
	*at = ec_survey_find(rows, number);
	return *at < rows->n && rows->rows[*at].number == number;
}

#endif /* EC_STORE_SURVEY_H */
