/*
 * args.h
 *	  The parameters that all insight functions share, and their result rows.
 */
#ifndef EC_ARGS_H
#define EC_ARGS_H

#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/timestamp.h"

typedef struct EcArgs
{
	Oid relid;
	bool has_since; /* rows with event_time >= since */
	bool has_until; /* rows with event_time < until */
	TimestampTz since;
	TimestampTz until;
	bool filter_types; /* only rows of these event types */
	int ntypes;
	text **types;
	bool complete_only; /* only rows without NULL in any of the nine columns */

	/* not common: set by functions that have such a parameter, between ec_args_get and ec_rows_open */
	text *category; /* only rows of this category_code; NULL: all */
	text *brand;	/* only rows of this brand; NULL: all */
} EcArgs;

#define EC_K_ALL (-1)

/* Error 22004 if the argument is NULL. */
extern void ec_args_require(FunctionCallInfo fcinfo, int argno, const char *name);

/* events is argument 0; since, until, event_types, complete_only are arguments first .. first + 3. */
extern void ec_args_get(FunctionCallInfo fcinfo, int first, EcArgs *args);

/* Rows wanted, EC_K_ALL for NULL; error 22023 if below 1. */
extern int64 ec_args_get_k(FunctionCallInfo fcinfo, int argno);

/* The same for a parameter of another name. */
extern int64 ec_args_get_limit(FunctionCallInfo fcinfo, int argno, const char *name);

/* A number in [least, greatest]: error 22004 if NULL, 22023 outside (no upper bound if PG_INT32_MAX). */
extern int32
ec_args_get_int(FunctionCallInfo fcinfo, int argno, const char *name, int32 least, int32 greatest);

/*
 * The index in words (NULL-terminated) of a text parameter's value.  Errors: 22004 if
 * it is NULL, 22023 if it is none of them.
 */
extern int
ec_args_get_word(FunctionCallInfo fcinfo, int argno, const char *name, const char *const *words);

/* A row of the result; ec_result_begin first. */
typedef struct EcResult
{
	ReturnSetInfo *rsinfo;
	MemoryContext row_context; /* for a row's Datums, reset by ec_result_put */
} EcResult;

extern void ec_result_begin(EcResult *result, FunctionCallInfo fcinfo);
extern void ec_result_put(EcResult *result, Datum *values, bool *nulls);

/* count / of as double precision; *isnull if there is nothing to divide by. */
extern Datum ec_result_ratio(int64 count, int64 of, bool *isnull);

#endif /* EC_ARGS_H */
