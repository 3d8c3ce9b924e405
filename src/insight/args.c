/*
 * args.c
 *	  Common parameters of the insight functions, and their result rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/guc.h"
#include "insight/args.h"

void
ec_args_require(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
}

/*
 * A bound: the argument, else the configuration parameter.  The infinity that
 * bounds nothing (open) stands for "no bound, whatever the parameter says".
 */
static bool
get_bound(FunctionCallInfo fcinfo, int argno, const char *guc, TimestampTz open, TimestampTz *bound)
{
	if (!PG_ARGISNULL(argno))
		*bound = PG_GETARG_TIMESTAMPTZ(argno);
	else if (guc != NULL && *guc != '\0')
		*bound = DatumGetTimestampTz(DirectFunctionCall3(
			timestamptz_in, CStringGetDatum(guc), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	else
		return false;
	return *bound != open;
}

/* event_types: NULL elements equal nothing, as in event_type = ANY (event_types). */
static void
get_types(ArrayType *array, EcArgs *args)
{
	Datum *elements;
	bool *nulls;
	int n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	args->filter_types = true;
	args->types = palloc(sizeof(text *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			args->types[args->ntypes++] = DatumGetTextPP(elements[i]);
	}
}

void
ec_args_get(FunctionCallInfo fcinfo, int first, EcArgs *args)
{
	memset(args, 0, sizeof(EcArgs));
	ec_args_require(fcinfo, 0, "events");
	args->relid = PG_GETARG_OID(0);
	args->has_since = get_bound(fcinfo, first, ec_guc_since, DT_NOBEGIN, &args->since);
	args->has_until = get_bound(fcinfo, first + 1, ec_guc_until, DT_NOEND, &args->until);
	if (!PG_ARGISNULL(first + 2))
		get_types(PG_GETARG_ARRAYTYPE_P(first + 2), args);
	args->complete_only = !PG_ARGISNULL(first + 3) && PG_GETARG_BOOL(first + 3);
}

int64
ec_args_get_limit(FunctionCallInfo fcinfo, int argno, const char *name)
{
	int32 limit;

	if (PG_ARGISNULL(argno))
		return EC_K_ALL;
	limit = PG_GETARG_INT32(argno);
	if (limit < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must be at least 1", name), errhint("Use NULL for all rows.")));
	return limit;
}

int64
ec_args_get_k(FunctionCallInfo fcinfo, int argno)
{
	return ec_args_get_limit(fcinfo, argno, "k");
}

int32
ec_args_get_int(FunctionCallInfo fcinfo, int argno, const char *name, int32 least, int32 greatest)
{
	int32 value;

	ec_args_require(fcinfo, argno, name);
	value = PG_GETARG_INT32(argno);
	if (value < least || value > greatest)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						greatest == PG_INT32_MAX
							? errmsg("%s must be at least %d", name, least)
							: errmsg("%s must be between %d and %d", name, least, greatest)));
	return value;
}

int
ec_args_get_word(FunctionCallInfo fcinfo, int argno, const char *name, const char *const *words)
{
	StringInfoData allowed;
	char *value;

	ec_args_require(fcinfo, argno, name);
	value = text_to_cstring(PG_GETARG_TEXT_PP(argno));
	initStringInfo(&allowed);
	for (int i = 0; words[i] != NULL; i++)
	{
		if (strcmp(value, words[i]) == 0)
			return i;
		appendStringInfo(&allowed, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s cannot be \"%s\"", name, value),
			 errhint("Its values are: %s.", allowed.data)));
	pg_unreachable();
}

void
ec_result_begin(EcResult *result, FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
	result->rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	result->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight result row", ALLOCSET_SMALL_SIZES);
}

void
ec_result_put(EcResult *result, Datum *values, bool *nulls)
{
	CHECK_FOR_INTERRUPTS();
	tuplestore_putvalues(result->rsinfo->setResult, result->rsinfo->setDesc, values, nulls);
	MemoryContextReset(result->row_context);
}

Datum
ec_result_ratio(int64 count, int64 of, bool *isnull)
{
	*isnull = of == 0;
	return *isnull ? (Datum) 0 : Float8GetDatum((double) count / (double) of);
}
