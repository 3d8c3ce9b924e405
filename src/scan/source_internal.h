/*
 * source_internal.h
 *	  What source.c (relations, row groups, blocks) and source_cover.c (row groups
 *	  that summaries stand for) share.
 */
#ifndef EC_SOURCE_INTERNAL_H
#define EC_SOURCE_INTERNAL_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "scan/compact.h"
#include "scan/source.h"
#include "scan/source_query.h"
#include "store/reader.h"

/* A table whose row groups are read. */
typedef struct EcSourcePart
{
	Relation rel;
	AttrNumber *attnums; /* in rel: a part may have the columns at other places */
	EcReader *reader;	 /* NULL: not begun, or done */

	/* the sets in use */
	uint32 nsets;
	EcSummarySet *sets;
	uint32 ncovered;
	int64 *covered; /* all row groups of the sets, ascending */
} EcSourcePart;

/* Of the blocks of a covered row group some rows are handed out twice at most: in two rounds. */
typedef enum EcSourceRound
{
	EC_ROUND_VISIBLE, /* rows that no summary counts */
	EC_ROUND_HIDDEN,  /* rows that one counts and that are hidden, with sign -1 */
	EC_ROUNDS
} EcSourceRound;

struct EcSource
{
	MemoryContext context;
	Relation rel;
	int ncolumns;
	AttrNumber *attnums;
	int only_nulls; /* of columns from here on only NULLs matter */
	int nranges;
	EcSourceRange *ranges;
	EcColType *types;
	EcKind *kinds;
	int32 *scales;
	const EcVector **columns;

	/* direct */
	List *parts; /* of EcSourcePart; unused if query is set */
	int next_part;
	EcSourcePart *part;	 /* the one being read; its reader is there */
	bool is_borrowed;	 /* the only part's table is the caller's */
	Snapshot snapshot;	 /* registered; NULL: row groups were picked */
	uint32 group;		 /* next one of the part */
	bool in_group;		 /* the reader stands in a row group */
	uint32 block;		 /* of it, the current or next one */
	EcSourceRound round; /* of the block, the next one */
	int sign;			 /* of the current round */
	EcVector *stand_ins; /* for blocks without NULLs of columns where only those matter */
	uint32 *selection;	 /* rows of the block that are handed out, if not all */
	EcCompactColumn *compacted;

	/* summaries */
	bool is_covered; /* some set is in use */
	EcSourceCover cover;
	bool is_ragged;				   /* the source's range goes beyond the cover */
	bool group_covered;			   /* the current row group is in some set, */
	const EcSummarySet *group_set; /* this one */
	int next_set_part;
	uint32 next_set;
	uint64 chosen[EC_BLOCK_ROWS / 64];

	/* through the executor */
	EcSourceQuery *query;
	EcVector *vectors;
};

/* source.c */
extern void ec_source_begin_reader(EcSource *source, EcSourcePart *part);

/* source_cover.c */

/* Is there a set that stands for this row group? */
extern bool ec_source_group_covered(const EcSourcePart *part, int64 number);

/* Which one it is. */
extern const EcSummarySet *ec_source_group_set(const EcSourcePart *part, int64 number);

/* Has the i-th row group of the current part, a covered one, any row to hand out?  Doesn't enter it. */
extern bool ec_source_group_matters(EcSource *source, uint32 i);

/* The same of the row group entered, or of one of its blocks. */
extern bool ec_source_entered_matters(EcSource *source);

/*
 * Which rows of a covered group's block this round hands out: false if none, else
 * *nrows of them, those in *rows or all if that is NULL.
 */
extern bool ec_source_choose(EcSource *source, uint32 block, EcSourceRound round,
							 const uint64 **rows, uint32 *nrows);

#endif /* EC_SOURCE_INTERNAL_H */
