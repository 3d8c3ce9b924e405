/*
 * verify.h
 *	  What the parts of ecinsight.verify share.
 */
#ifndef EC_STORE_VERIFY_H
#define EC_STORE_VERIFY_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/relcache.h"

#include "store/format.h"
#include "store/reader.h"

typedef struct EcVerifyRanges
{
	EcDiskRange *ranges;
	Size count;
	Size size;
} EcVerifyRanges;

typedef struct EcVerify
{
	FunctionCallInfo fcinfo;
	Relation rel;
	EcReader *reader;
	uint32 group;						 /* in work */
	const struct EcListSummary *summary; /* in work */
	uint32 signature;					 /* that summaries made now would have */
	const char *subject; /* in work, if it is no row group of the table: goes before the problem */
	int attidx;			 /* column in work */
	Relation index;		 /* in work */
	BlockNumber block;
	EcDiskMeta meta;
	EcVerifyRanges extents; /* and runs of free pages */
	EcVerifyRanges numbers; /* of rows that are not hidden */
} EcVerify;

/* Adds a problem to the result.  group, attidx -1: of none in particular. */
extern void ec_verify_report(EcVerify *verify, int64 group, int attidx, const char *problem);

/*
 * Runs a check in a subtransaction.  Errors become rows of the result, but for
 * those that have nothing to do with the data (cancellation, out of memory).
 */
extern bool
ec_verify_try(EcVerify *verify, void (*check)(EcVerify *verify), int64 group, int attidx);

extern void ec_verify_add_range(EcVerifyRanges *to, int64 first, int64 count);

/* Decodes column verify->attidx of the reader's current group. */
extern void ec_verify_column(EcVerify *verify);

/* verify_summary.c */
extern void ec_verify_summaries(EcVerify *verify);

/* verify_tuples.c: the companion's tuples */
extern void ec_verify_tuples(EcVerify *verify);
extern void ec_verify_companion_index(EcVerify *verify);

/* verify_index.c: the table's btree indexes */
extern void ec_verify_indexes(EcVerify *verify);

#endif /* EC_STORE_VERIFY_H */
