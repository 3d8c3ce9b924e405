/*
 * survey.h
 *	  What a table consists of, as compaction sees it.
 */
#ifndef EC_STORE_SURVEY_H
#define EC_STORE_SURVEY_H

#include "postgres.h"

#include "access/heapam.h"

#include "store/companion.h"

/* A row group that every snapshot sees; or, in EcSurvey.summaries, a summary. */
typedef struct EcSurveyGroup
{
	int64 number;
	ItemPointerData tid; /* of its descriptor */
	uint8 form;			 /* EcGroupForm */
	uint8 level;		 /* EcGroupLevel */
	bool summary;
	bool merge;	  /* chosen by compaction */
	bool busy;	  /* this transaction has changed its masks: leave it alone */
	uint32 nrows; /* masked ones included */
	uint32 ndead; /* of them masked, or deleted by tombstones that every snapshot sees */
	int64 first;  /* least row number */
	int64 end;	  /* one beyond the greatest */
	uint64 bytes;
	uint32 nblocks;
	BlockNumber first_block; /* EC_FORM_EXTENT */
	uint32 set;				 /* of summaries that covers it, see EcCompact; 0: none */
} EcSurveyGroup;

/* What an open tuple is. */
typedef enum EcOpenKind
{
	EC_OPEN_DATA,	/* the row itself */
	EC_OPEN_DEAD,	/* its tombstone */
	EC_OPEN_HEADER, /* its header, to which another row was updated */
	EC_OPEN_LEFT,	/* another header: deleted, with the row or by compaction, or locked at most */
	EC_OPEN_REPLACED, /* DATA whose row stands in a row group now; a rewrite finds out */
} EcOpenKind;

/* A tuple about one row: number and place. */
typedef struct EcSurveyRow
{
	int64 number;
	ItemPointerData tid;
	uint8 open; /* EcOpenKind, in EcSurvey.open */
} EcSurveyRow;

StaticAssertDecl(sizeof(EcSurveyRow) == 16, "there may be millions of them");

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
	bool rewrite;
	EcSurveyGroup *groups; /* by first row number */
	uint32 ngroups;
	uint32 capacity;
	EcSurveyGroup *summaries; /* in no order */
	uint32 nsummaries;
	uint32 summaries_capacity;
	bool has_summaries;		 /* these, or others that not all see */
	EcSurveyRows deltas;	 /* rows on their own that every snapshot sees */
	EcSurveyRows tombstones; /* of deletions that every snapshot sees */
	EcSurveyRows idle;		 /* headers of rows that nobody locks or deletes */
	EcSurveyRows masks;		 /* live ones, however new: their rows are dead for all */
	EcSurveyRows busy; /* masks that this transaction has made or replaced; none for a rewrite */
	EcSurveyRows open; /* for a rewrite: other tuples of rows that aren't dead */
	int64 unsettled;   /* tuples of rows and groups that not all see, or not all see dead */
} EcSurvey;

/*
 * Settled is what is older than oldest_xmin.  All is in the current memory context.
 * The caller keeps VACUUM away from the companion.
 *
 * A rewrite of the table (everybody else is locked out) also takes for settled what
 * compaction has written not long ago, in this transaction too: every snapshot sees
 * those rows, there or where they stood before, and what it replaced goes.
 */
extern EcSurvey *ec_survey(EcCompanion *c, TransactionId oldest_xmin, bool rewrite);

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
