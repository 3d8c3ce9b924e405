/*
 * user_stream.h
 *	  One set's cells by user (EC_PROJECTION_USER), for user_cells.c; by brand, too, if
 *	  brands are wanted (EC_PROJECTION_USER_BRAND).
 *
 * A user's cells stand in one block or in several; they are shown block by block.
 */
#ifndef EC_USER_STREAM_H
#define EC_USER_STREAM_H

#include "postgres.h"

#include "insight/user_cells.h"

/* What cells by brand have from EC_PROJECTION_USER: categories and hours of a run of its cells. */
typedef struct EcUserParents
{
	EcReader *reader; /* NULL: nothing of these is asked for */
	bool want_codes;
	bool want_slots;
	bool in_part;
	uint32 part; /* where the reader stands */
	uint32 n;
	uint32 capacity;
	uint32 *codes;
	int64 *slots;
	uint8 *no_slot;
} EcUserParents;

typedef struct EcUserStream
{
	/* set by the caller, who zeroes the rest */
	uint32 want; /* EC_USER_WANT_* */
	EcSlots slots;
	EcTextColumn code;
	EcTextColumn brand;
	const int64 *chosen; /* the chosen users that may still come; NULL: all users */
	uint32 nchosen;
	uint32 code_wanted; /* the only one; EC_ID_NULL: all */
	uint32 brand_wanted;

	MemoryContext context;
	bool by_brand;
	EcUserParents parents;
	EcReader *reader; /* NULL: it has come to its end */
	uint32 block;	  /* the next one of the reader's group */
	bool in_group;

	/* the selected cells of a block */
	uint32 n;
	uint32 *selection;	/* those in the slots (and of the texts wanted), if not all */
	const int64 *users; /* 0 where NULL */
	const uint8 *nulls; /* NULL: none */
	const uint32 *codes;
	const uint32 *brands;
	const int64 *rows;		/* NULL if not wanted */
	const uint8 *types;		/* likewise; 0 outside the slots */
	const uint32 *selected; /* the cells' places in the block; NULL: they are all of it */
	int64 *ints[2];			/* memory for users and rows */
	uint32 *ids;			/* likewise for codes, and */
	int64 *numbers;			/* for places among the parents, if by brand */
	uint8 *null_bytes;
	uint8 *type_bytes;
	uint8 *entry_types; /* of a dictionary's entries */
	uint32 entries;		/* capacity of these */

	/* the present user's */
	uint32 at;
	uint32 end;
	bool taken;
} EcUserStream;

extern void ec_user_stream_begin(EcUserStream *stream, Relation rel, const EcSummarySet *set,
								 MemoryContext context);

/* Steps to the next cells: of the next user, or of the present one in the next block. */
extern void ec_user_stream_next(EcUserStream *stream);

/*
 * Makes the present user's cells those of all users from there on who are below the limit and
 * stand in this block alone.  False: it is only one, or there are chosen users, or one is NULL.
 */
extern bool ec_user_stream_widen(EcUserStream *stream, int64 limit);

/* Numbers by EcUserCount of a cell of the present user, whatever is wanted; types only if these are. */
extern void ec_user_stream_counts(EcUserStream *stream, uint32 at, int64 *counts);

extern void ec_user_stream_end(EcUserStream *stream);

static inline bool
ec_user_stream_is_null(const EcUserStream *stream, uint32 at)
{
	return stream->nulls != NULL && stream->nulls[at];
}

#endif /* EC_USER_STREAM_H */
