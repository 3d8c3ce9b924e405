/*
 * rowparse_server.c
 *	  A table's columns as a list for the row parsers, and the way to the types'
 *	  input functions (server side).
 *
 * An input function reports a bad value by raising an error, which must cost one
 * row and not the transaction.  For types of PostgreSQL's own whose input functions
 * only compute (no locks, no catalog rows held, no user code), catching the error
 * is enough.  For all others, domains and arrays among them, a subtransaction
 * cleans up what the function had open.  Errors that do not speak about the value
 * (cancel, shutdown, out of memory, internal) are passed on.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "ingest/rowparse_server.h"

/* char(n) with more characters is left to its input function: a chunk's padded values must fit in 4 GB. */
#define PADDED_HERE_MAX 1000

/* What a piece's values take mostly; this much is kept between pieces. */
#define VALUES_SIZE ((Size) 512 * 1024)

typedef struct ColumnInput
{
	EcRowInput *owner;
	const EcColType *type;
	FmgrInfo function;
	Oid ioparam;
	int32 typmod;		/* of the declared type, which may be a domain */
	bool computes_only; /* see above */
	bool is_enum;
	bool receives; /* function is a receive function, of the binary format */
} ColumnInput;

/* Types whose input functions hold nothing that an error would leave behind. */
static bool
type_computes_only(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case BYTEAOID:
		case CHAROID:
		case NAMEOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case CASHOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case BITOID:
		case VARBITOID:
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case UUIDOID:
		case JSONOID:
		case JSONBOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case POINTOID:
		case LSEGOID:
		case PATHOID:
		case BOXOID:
		case POLYGONOID:
		case LINEOID:
		case CIRCLEOID:
			return true;
		default:
			return false;
	}
}

bool
ec_rowinput_computes_only(const EcColType *ct)
{
	return ct->typid == ct->basetype && type_computes_only(ct->basetype);
}

/* Enums and arrays of such types, too. */
static bool
type_is_builtin(Oid type)
{
	Oid element = get_element_type(type);

	if (OidIsValid(element))
		return type_is_builtin(element);
	switch (get_typtype(type))
	{
		case TYPTYPE_ENUM:
			return true;
		case TYPTYPE_BASE:
		case TYPTYPE_RANGE:
		case TYPTYPE_MULTIRANGE:
			return type < FirstGenbkiObjectId;
		default:
			return false;
	}
}

bool
ec_rowinput_is_builtin(const EcColType *ct)
{
	return ct->typid == ct->basetype &&
		   (type_computes_only(ct->basetype) || type_is_builtin(ct->basetype));
}

/*
 * Does an error with this code speak about the value, or about the server's state
 * and set-up?  The latter would hit any row, so it must stop the stream instead of
 * turning rows into faults.  What looks like faulty SQL is a bad value for types
 * such as regclass or tsquery, but a broken check for a domain or a table.
 */
bool
ec_error_is_about_value(int sqlerrcode, bool is_user_code)
{
	if (sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
		return false;
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_CONFIG_FILE_ERROR:
		case ERRCODE_INTERNAL_ERROR:
			return false;
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
			return !is_user_code;
		default:
			return true;
	}
}

static EcFaultCode
fault_of_sqlstate(int sqlerrcode)
{
	switch (sqlerrcode)
	{
		case ERRCODE_INVALID_TEXT_REPRESENTATION:
		case ERRCODE_INVALID_DATETIME_FORMAT:
		case ERRCODE_INVALID_BINARY_REPRESENTATION:
			return EC_FAULT_SYNTAX;
		case ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE:
		case ERRCODE_DATETIME_FIELD_OVERFLOW:
		case ERRCODE_INTERVAL_FIELD_OVERFLOW:
			return EC_FAULT_RANGE;
		case ERRCODE_STRING_DATA_RIGHT_TRUNCATION:
			return EC_FAULT_TOO_LONG;
		case ERRCODE_NOT_NULL_VIOLATION:
			return EC_FAULT_NOT_NULL;
		case ERRCODE_CHARACTER_NOT_IN_REPERTOIRE:
			return EC_FAULT_ENCODING;
		default:
			return EC_FAULT_TYPE_INPUT;
	}
}

static void
set_fault(EcRowFault *fault, EcFaultCode code, const char *column, const char *message)
{
	char *text = psprintf("column \"%s\": %s", column, message);
	int len = pg_mbcliplen(text, strlen(text), EC_FAULT_TEXT_LEN - 1);

	fault->code = code;
	memcpy(fault->text, text, len);
	fault->text[len] = '\0';
	pfree(text);
}

static EcBytes
varlena_bytes(Datum value)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
	EcBytes bytes = {(const uint8_t *) VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)};

	return bytes;
}

/* The value in the column's vector form, in memory of the current context. */
static void
value_from_datum(Datum value, const EcColType *ct, EcFieldValue *out)
{
	switch (ct->kind)
	{
		case EC_KIND_INT:
		case EC_KIND_FLOAT:
			out->i64 = ec_datum_to_int64(value, ct);
			break;
		case EC_KIND_DECIMAL:
			if (!ec_numeric_to_scaled(value, ct->scale, &out->i64))
				ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
								errmsg("numeric field overflow")));
			break;
		case EC_KIND_UUID:
			memcpy(&out->uuid, DatumGetPointer(value), sizeof(EcUuid));
			break;
		case EC_KIND_TEXT:
			out->bytes = varlena_bytes(value);
			break;
		case EC_KIND_RAW:
			if (ct->typlen == -1)
				out->bytes = varlena_bytes(value);
			else
			{
				out->bytes.ptr = (const uint8_t *) DatumGetPointer(value);
				out->bytes.len = ct->typlen > 0 ? ct->typlen : strlen(DatumGetCString(value));
			}
			break;
	}
}

/* text has room for a byte behind its end, as receive functions may expect. */
static Datum
call_receive(ColumnInput *ci, const char *text, uint32 len)
{
	StringInfoData buf = {unconstify(char *, text), (int) len, (int) len + 1, 0};
	Datum value = ReceiveFunctionCall(&ci->function, &buf, ci->ioparam, ci->typmod);

	if (buf.cursor != buf.len)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("incorrect binary data format")));
	return value;
}

/*
 * Calls the input function; errors leave it.  What it allocates on its way (jsonb a
 * lot) is not kept: it would push everything else out of the processor's caches.
 */
static void
call_input(ColumnInput *ci, const char *text, uint32 len, EcFieldValue *out)
{
	EcRowInput *owner = ci->owner;
	MemoryContext old = MemoryContextSwitchTo(owner->call);
	Datum value;

	if (ci->receives)
		value = call_receive(ci, text, len);
	else
		value = InputFunctionCall(&ci->function, unconstify(char *, text), ci->ioparam, ci->typmod);
	value_from_datum(value, ci->type, out);
	if (ci->type->phys == EC_PHYS_BYTES)
	{
		uint8 *copy = MemoryContextAllocHuge(owner->values, Max(out->bytes.len, 1));

		memcpy(copy, out->bytes.ptr, out->bytes.len);
		out->bytes.ptr = copy;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(owner->call);
}

/*
 * What an input function did without a lock or a row in its hands can simply be
 * forgotten; everything else is undone by ending the subtransaction.
 */
static bool
try_input(ColumnInput *ci, const EcRowColumn *col, const char *text, uint32 len, EcFieldValue *out,
		  EcRowFault *fault)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	if (ci->owner->raise)
	{
		call_input(ci, text, len, out);
		return true;
	}
	if (!ci->computes_only)
	{
		BeginInternalSubTransaction(NULL);
		MemoryContextSwitchTo(context);
	}
	PG_TRY();
	{
		call_input(ci, text, len, out);
		if (!ci->computes_only)
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(ci->owner->values);
		error = CopyErrorData();
		FlushErrorState();
		if (!ci->computes_only)
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error == NULL)
		return true;
	if (!ec_error_is_about_value(error->sqlerrcode, ci->type->typid != ci->type->basetype))
		ReThrowError(error);
	set_fault(fault, fault_of_sqlstate(error->sqlerrcode), col->name, error->message);
	FreeErrorData(error);
	return false;
}

/* An enum's label, looked up without any error to catch; false if there is none such. */
static bool
lookup_enum(ColumnInput *ci, const char *text, uint32 len, EcFieldValue *out)
{
	HeapTuple tuple;

	if (len >= NAMEDATALEN || strlen(text) != len)
		return false;
	tuple = SearchSysCache2(ENUMTYPOIDNAME, ObjectIdGetDatum(ci->type->basetype),
							CStringGetDatum(text));
	if (!HeapTupleIsValid(tuple))
		return false;
	out->i64 =
		ec_datum_to_int64(ObjectIdGetDatum(((Form_pg_enum) GETSTRUCT(tuple))->oid), ci->type);
	ReleaseSysCache(tuple);
	return true;
}

static bool
input_field(void *arg, const EcRowColumn *col, const char *text, uint32 len, EcFieldValue *out,
			EcRowFault *fault)
{
	ColumnInput *ci = arg;

	if (ci->is_enum && lookup_enum(ci, text, len, out))
		return true;
	return try_input(ci, col, text, len, out, fault);
}

/* Is a timestamp without a zone, in this session, one of UTC? */
static bool
session_is_utc(void)
{
	const char *zone = pg_get_timezone_name(session_timezone);

	return zone != NULL &&
		   (strcmp(zone, "UTC") == 0 || strcmp(zone, "Etc/UTC") == 0 || strcmp(zone, "GMT") == 0);
}

static void
set_int_type(EcRowColumn *col, int64 min, int64 max)
{
	col->type = EC_FIELD_INT;
	col->min = min;
	col->max = max;
}

static void
set_time_type(EcRowColumn *col, EcFieldType type, int32 typmod)
{
	col->type = type;
	col->precision = typmod >= 0 && typmod < 6 ? typmod : 6;
	col->utc_default = session_is_utc();
}

/* Which of the known spellings a column has, if any. */
static void
set_field_type(EcRowColumn *col, const EcColType *ct)
{
	col->type = EC_FIELD_OTHER;
	if (ct->typid != ct->basetype)
		return; /* a domain: its checks are the input function's duty */
	switch (ct->basetype)
	{
		case BOOLOID:
			col->type = EC_FIELD_BOOL;
			break;
		case INT2OID:
			set_int_type(col, PG_INT16_MIN, PG_INT16_MAX);
			break;
		case INT4OID:
			set_int_type(col, PG_INT32_MIN, PG_INT32_MAX);
			break;
		case INT8OID:
			set_int_type(col, PG_INT64_MIN, PG_INT64_MAX);
			break;
		case NUMERICOID:
			if (ct->kind != EC_KIND_DECIMAL)
			{
				if (ct->kind == EC_KIND_RAW && ct->typmod < (int32) VARHDRSZ)
					col->type = EC_FIELD_NUMERIC;
				break;
			}
			col->type = EC_FIELD_DECIMAL;
			col->precision = ((ct->typmod - VARHDRSZ) >> 16) & 0xffff;
			col->scale = ct->scale;
			break;
		case FLOAT4OID:
			col->type = EC_FIELD_FLOAT4;
			break;
		case FLOAT8OID:
			col->type = EC_FIELD_FLOAT8;
			break;
		case DATEOID:
			set_time_type(col, EC_FIELD_DATE, -1);
			break;
		case TIMESTAMPOID:
			set_time_type(col, EC_FIELD_TIMESTAMP, ct->typmod);
			break;
		case TIMESTAMPTZOID:
			set_time_type(col, EC_FIELD_TIMESTAMPTZ, ct->typmod);
			break;
		case TEXTOID:
			col->type = EC_FIELD_TEXT;
			break;
		case VARCHAROID:
			/* the parser counts characters of UTF-8 only */
			if (ct->typmod >= (int32) VARHDRSZ && GetDatabaseEncoding() != PG_UTF8)
				break;
			col->type = EC_FIELD_TEXT;
			col->max_chars = ct->typmod >= (int32) VARHDRSZ ? ct->typmod - VARHDRSZ : 0;
			break;
		case BPCHAROID:
			if (ct->typmod >= (int32) VARHDRSZ &&
				(GetDatabaseEncoding() != PG_UTF8 || ct->typmod > PADDED_HERE_MAX + VARHDRSZ))
				break;
			col->type = EC_FIELD_TEXT;
			col->max_chars = ct->typmod >= (int32) VARHDRSZ ? ct->typmod - VARHDRSZ : 0;
			col->pad = col->max_chars > 0;
			break;
		case UUIDOID:
			col->type = EC_FIELD_UUID;
			break;
		default:
			break;
	}
}

static void
init_column(EcRowInput *in, EcRowColumn *col, Form_pg_attribute att, const EcColType *ct)
{
	ColumnInput *ci = palloc0(sizeof(ColumnInput));
	Oid function;

	getTypeInputInfo(att->atttypid, &function, &ci->ioparam);
	fmgr_info_cxt(function, &ci->function, in->context);
	ci->owner = in;
	ci->type = ct;
	ci->typmod = att->atttypmod;
	ci->is_enum = ct->typid == ct->basetype && get_typtype(ct->typid) == TYPTYPE_ENUM;
	ci->computes_only = ec_rowinput_computes_only(ct);

	col->name = pstrdup(NameStr(att->attname));
	col->type_name = format_type_with_typemod(att->atttypid, att->atttypmod);
	col->target = att->attnum - 1;
	col->phys = ct->phys;
	col->not_null = att->attnotnull;
	col->input = input_field;
	col->input_arg = ci;
	set_field_type(col, ct);
}

EcRowInput *
ec_rowinput_create(TupleDesc desc, const EcColType *types, const AttrNumber *attnums, int nattnums,
				   MemoryContext parent)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight row input", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcRowInput *in = palloc0(sizeof(EcRowInput));
	int n = attnums != NULL ? nattnums : desc->natts;

	in->context = context;
	in->values = AllocSetContextCreate(context, "ecinsight row values", VALUES_SIZE, VALUES_SIZE,
									   ALLOCSET_DEFAULT_MAXSIZE);
	in->call = AllocSetContextCreate(context, "ecinsight input function", ALLOCSET_DEFAULT_SIZES);
	in->columns = palloc0(sizeof(EcRowColumn) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		int attidx = attnums != NULL ? attnums[i] - 1 : i;
		Form_pg_attribute att = TupleDescAttr(desc, attidx);

		if (attnums == NULL && (att->attisdropped || att->attgenerated != '\0'))
			continue;
		init_column(in, &in->columns[in->ncolumns++], att, &types[attidx]);
	}
	MemoryContextSwitchTo(old);
	return in;
}

void
ec_rowinput_use_binary(EcRowInput *in)
{
	for (int i = 0; i < in->ncolumns; i++)
	{
		EcRowColumn *col = &in->columns[i];
		ColumnInput *ci = col->input_arg;
		Oid function;

		getTypeBinaryInputInfo(ci->type->typid, &function, &ci->ioparam);
		fmgr_info_cxt(function, &ci->function, in->context);
		ci->receives = true;
		if (ci->type->typid == BYTEAOID)
		{
			col->type = EC_FIELD_TEXT;
			col->verbatim = true;
		}
	}
}

void
ec_rowinput_destroy(EcRowInput *in)
{
	if (in != NULL)
		MemoryContextDelete(in->context);
}

void
ec_rowinput_reset(EcRowInput *in)
{
	MemoryContextReset(in->call);
	MemoryContextReset(in->values);
}

static bool
verify_database_encoding(void *arg, const uint8_t *ptr, uint32_t len)
{
	return pg_verify_mbstr(GetDatabaseEncoding(), (const char *) ptr, (int) len, true);
}

bool (*ec_rowinput_verifier(void))(void *arg, const uint8_t *ptr, uint32_t len)
{
	return GetDatabaseEncoding() == PG_UTF8 ? NULL : verify_database_encoding;
}
