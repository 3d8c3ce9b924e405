/*
 * group.h
 *	  Writing one row group: encode, place, make visible.
 */
#ifndef EC_STORE_GROUP_H
#define EC_STORE_GROUP_H

#include "postgres.h"

#include "encoding/encoding.h"
#include "store/catalog.h"
#include "vector/batch.h"

/* How a row group came to be; its descriptor's level. */
typedef enum EcGroupLevel
{
	EC_LEVEL_WRITTEN = 0, /* by INSERT, COPY, ingest */
	EC_LEVEL_MERGED = 1,  /* by compaction, not full */
	EC_LEVEL_FULL = 2,	  /* by compaction, full */
	EC_LEVEL_SORTED = 3	  /* full, and in the order of option order_by */
} EcGroupLevel;

/*
 * Writes the batch as row group "number" under cid in the current
 * subtransaction.  The ranges cover exactly its rows.
 */
extern void ec_group_write(Relation rel, EcBatch *batch, int64 number, uint32 nranges,
						   const EcDiskRange *ranges, CommandId cid);

/*
 * Lets helper threads encode a batch that will be written so later, and isn't changed until
 * then; false if they can't.
 */
extern bool ec_group_begin(Relation rel, EcBatch *batch);

/* What a row group is beside its rows. */
typedef struct EcGroupSpec
{
	int64 number;
	uint8 level;
	uint32 nranges;
	const EcDiskRange *ranges;
	const int64 *numbers; /* of the rows, if ranges tell only the least and the span; else NULL */
} EcGroupSpec;

/* Rows that have these numbers already; ranges [EC_RANGES_MAX] belongs to the spec then. */
extern void ec_group_number(EcGroupSpec *spec, const int64 *numbers, uint32 n, EcDiskRange *ranges);

/*
 * Encodes the batch and puts it where it belongs; the descriptor, in the current
 * memory context, is not yet inserted.  If its form is EC_FORM_EXTENT the writers'
 * lock (space.h) is held until the caller gives it back.
 */
extern void
ec_group_encode(Relation rel, EcBatch *batch, const EcGroupSpec *spec, EcDescriptor *desc);

/*
 * The image goes into an extent, or stays where it is for the descriptor; the same of
 * the lock.  The descriptor knows the length of the image's directory.
 */
extern void ec_group_place_image(Relation rel, EcDescriptor *desc, const EcBuf *image);

/*
 * Encodes, and inserts the descriptor: options are heap_insert's.  Nothing is
 * counted in pg_stat, and no serializable transaction told: for compaction.
 */
extern void
ec_group_put(Relation rel, EcBatch *batch, const EcGroupSpec *spec, CommandId cid, int options);

/*
 * Writes rows that have numbers already, in any order, as a new row group; returns
 * its number.  For compaction too.
 */
extern int64 ec_group_write_numbered(Relation rel, EcBatch *batch, const int64 *numbers,
									 uint8 level, CommandId cid, int options);

/* The same as a payload in memory (EC_FORM_INLINE of any size), for rows that can't be written yet. */
extern uint8 *ec_group_serialize(Relation rel, EcBatch *batch, int64 number, uint32 nranges,
								 const EcDiskRange *ranges, Size *len);

#endif /* EC_STORE_GROUP_H */
