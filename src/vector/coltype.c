/*
 * coltype.c
 *	  PostgreSQL types <-> kinds of vector values (server side).
 *
 * Numerics are read and made in their storage format directly (a header of two
 * or four bytes, then base-10000 digits), since numeric.c offers no interface
 * that converts millions of values cheaply.  pg_upgrade relies on that format
 * being stable, so may we.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "base/compat.h"
#include "vector/coltype.h"

StaticAssertDecl(FLOAT8PASSBYVAL, "8-byte types must be passed by value");

#define DECIMAL_MAX_PRECISION 18

/* The storage format of numeric, as numeric.c describes it. */
#define NUM_SIGN_MASK 0xC000
#define NUM_NEG 0x4000
#define NUM_SHORT 0x8000
#define NUM_SPECIAL 0xC000
#define NUM_NAN 0xC000
#define NUM_SHORT_NEG 0x2000
#define NUM_SHORT_DSCALE_SHIFT 7
#define NUM_SHORT_WEIGHT_SIGN 0x0040
#define NUM_SHORT_WEIGHT_MASK 0x003F
#define NUM_BASE 10000
#define NUM_BASE_DIGITS 4

static const int64 power_of_ten[] = {INT64CONST(1),
									 INT64CONST(10),
									 INT64CONST(100),
									 INT64CONST(1000),
									 INT64CONST(10000),
									 INT64CONST(100000),
									 INT64CONST(1000000),
									 INT64CONST(10000000),
									 INT64CONST(100000000),
									 INT64CONST(1000000000),
									 INT64CONST(10000000000),
									 INT64CONST(100000000000),
									 INT64CONST(1000000000000),
									 INT64CONST(10000000000000),
									 INT64CONST(100000000000000),
									 INT64CONST(1000000000000000),
									 INT64CONST(10000000000000000),
									 INT64CONST(100000000000000000),
									 INT64CONST(1000000000000000000)};

/* Does numeric(p,s) with this typmod fit scaled int64s?  Sets *scale if so. */
static bool
numeric_typmod_scale(int32 typmod, int32 *scale)
{
	int32 precision;

	if (typmod < (int32) VARHDRSZ)
		return false;
	precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
	*scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024; /* sign-extend 11 bits */
	return precision <= DECIMAL_MAX_PRECISION && *scale >= 0 && *scale <= precision;
}

static EcPhys
phys_of_kind(EcKind kind)
{
	switch (kind)
	{
		case EC_KIND_INT:
		case EC_KIND_DECIMAL:
		case EC_KIND_FLOAT:
			return EC_PHYS_INT64;
		case EC_KIND_UUID:
			return EC_PHYS_UUID;
		case EC_KIND_TEXT:
		case EC_KIND_RAW:
			break;
	}
	return EC_PHYS_BYTES;
}

void
ec_coltype_init(EcColType *ct, Oid typid, int32 typmod, Oid collation)
{
	memset(ct, 0, sizeof(*ct));
	ct->typid = typid;
	ct->typmod = typmod;
	ct->basetype = getBaseTypeAndTypmod(typid, &ct->typmod);
	ct->collation = collation;
	get_typlenbyvalalign(ct->basetype, &ct->typlen, &ct->typbyval, &ct->typalign);

	switch (ct->basetype)
	{
		case FLOAT4OID:
		case FLOAT8OID:
			ct->kind = EC_KIND_FLOAT;
			break;
		case TEXTOID:
		case VARCHAROID:
			ct->kind = EC_KIND_TEXT;
			break;
		case UUIDOID:
			ct->kind = EC_KIND_UUID;
			break;
		case NUMERICOID:
			ct->kind = numeric_typmod_scale(ct->typmod, &ct->scale) ? EC_KIND_DECIMAL : EC_KIND_RAW;
			if (ct->kind == EC_KIND_RAW)
				ct->scale = 0;
			break;
		default:
			ct->kind = ct->typbyval ? EC_KIND_INT : EC_KIND_RAW;
			break;
	}
	ct->phys = phys_of_kind(ct->kind);
}

EcColType *
ec_coltype_from_tupdesc(TupleDesc desc)
{
	EcColType *types = palloc0(sizeof(EcColType) * Max(desc->natts, 1));

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
		{
			types[i].typlen = sizeof(int64);
			types[i].typbyval = true;
			types[i].typalign = TYPALIGN_DOUBLE;
			types[i].kind = EC_KIND_INT;
			types[i].phys = EC_PHYS_INT64;
		}
		else
			ec_coltype_init(&types[i], att->atttypid, att->atttypmod, att->attcollation);
	}
	return types;
}

/* Parts of a stored numeric that is no special value. */
typedef struct NumericParts
{
	bool negative;
	int weight; /* of the first digit, in powers of NUM_BASE */
	int ndigits;
	const char *digits; /* int16s, maybe unaligned */
} NumericParts;

static inline int
numeric_digit(const NumericParts *parts, int i)
{
	int16 digit;

	memcpy(&digit, parts->digits + i * sizeof(int16), sizeof(int16));
	return digit;
}

/* False for NaN and infinities; *header tells which. */
static bool
numeric_parts(struct varlena *value, NumericParts *parts, uint16 *header)
{
	const char *data = VARDATA_ANY(value);
	int len = VARSIZE_ANY_EXHDR(value);
	int header_len = sizeof(uint16);

	memcpy(header, data, sizeof(uint16));
	if ((*header & NUM_SIGN_MASK) == NUM_SPECIAL)
		return false;
	if (*header & NUM_SHORT)
	{
		parts->negative = (*header & NUM_SHORT_NEG) != 0;
		parts->weight = *header & NUM_SHORT_WEIGHT_MASK;
		if (*header & NUM_SHORT_WEIGHT_SIGN)
			parts->weight |= ~NUM_SHORT_WEIGHT_MASK;
	}
	else
	{
		int16 weight;

		memcpy(&weight, data + sizeof(uint16), sizeof(int16));
		parts->negative = (*header & NUM_SIGN_MASK) == NUM_NEG;
		parts->weight = weight;
		header_len += sizeof(int16);
	}
	parts->digits = data + header_len;
	parts->ndigits = (len - header_len) / (int) sizeof(int16);
	return true;
}

/* value * 10^scale, exactly; false if it has more decimals or does not fit. */
static bool
parts_to_scaled(const NumericParts *parts, int32 scale, int64 *out)
{
	int128 sum = 0;

	for (int i = 0; i < parts->ndigits; i++)
	{
		int exponent = (parts->weight - i) * NUM_BASE_DIGITS + scale; /* of the digit's unit */
		int64 digit = numeric_digit(parts, i);

		if (digit == 0)
			continue;
		if (exponent > DECIMAL_MAX_PRECISION)
			return false;
		if (exponent >= 0)
			sum += (int128) digit * power_of_ten[exponent];
		else
		{
			if (exponent <= -NUM_BASE_DIGITS || digit % power_of_ten[-exponent] != 0)
				return false;
			sum += digit / power_of_ten[-exponent];
		}
		if (sum >= PG_INT64_MAX)
			return false;
	}
	*out = parts->negative ? -(int64) sum : (int64) sum;
	return true;
}

bool
ec_numeric_to_scaled(Datum numeric, int32 scale, int64 *out)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(numeric);
	NumericParts parts;
	uint16 header;
	bool ok;

	if (numeric_parts(value, &parts, &header))
		ok = parts_to_scaled(&parts, scale, out);
	else
	{
		ok = header == NUM_NAN;
		*out = EC_DECIMAL_NAN;
	}
	if ((Pointer) value != DatumGetPointer(numeric))
		pfree(value);
	return ok;
}

static Datum
make_numeric(uint16 header, const int16 *digits, int ndigits)
{
	Size len = VARHDRSZ + sizeof(uint16) + ndigits * sizeof(int16);
	char *result = palloc(len);

	SET_VARSIZE(result, len);
	memcpy(VARDATA(result), &header, sizeof(uint16));
	memcpy(VARDATA(result) + sizeof(uint16), digits, ndigits * sizeof(int16));
	return PointerGetDatum(result);
}

Datum
ec_numeric_from_scaled(int64 value, int32 scale)
{
	int16 digits[12];
	int first = lengthof(digits);
	int end = lengthof(digits);
	int fraction_digits = (scale + NUM_BASE_DIGITS - 1) / NUM_BASE_DIGITS;
	int weight;
	uint16 header = NUM_SHORT | (scale << NUM_SHORT_DSCALE_SHIFT);
	uint128 rest;

	Assert(scale >= 0 && scale <= DECIMAL_MAX_PRECISION);
	if (value == EC_DECIMAL_NAN)
		return make_numeric(NUM_NAN, NULL, 0);

	/* Shift the point to a boundary of base-10000 digits, then peel them off from the right. */
	rest = value < 0 ? -(uint128) (int128) value : (uint128) value;
	rest *= power_of_ten[fraction_digits * NUM_BASE_DIGITS - scale];
	while (rest > 0)
	{
		digits[--first] = (int16) (rest % NUM_BASE);
		rest /= NUM_BASE;
	}
	weight = end - first - 1 - fraction_digits;
	while (end > first && digits[end - 1] == 0)
		end--;
	if (first == end)
		weight = 0;
	else if (value < 0)
		header |= NUM_SHORT_NEG;
	header |= (weight & NUM_SHORT_WEIGHT_MASK) | (weight < 0 ? NUM_SHORT_WEIGHT_SIGN : 0);
	return make_numeric(header, digits + first, end - first);
}

int64
ec_datum_to_int64(Datum value, const EcColType *ct)
{
	if (ct->kind == EC_KIND_FLOAT)
		return ec_float_to_image(ct->typlen == sizeof(float4) ? (double) DatumGetFloat4(value)
															  : DatumGetFloat8(value));
	switch (ct->typlen)
	{
		case 1:
			return DatumGetUInt8(value);
		case 2:
			return DatumGetInt16(value);
		case 4:
			if (ct->basetype == OIDOID)
				return DatumGetUInt32(value);
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

static Datum
int_datum(int64 value, const EcColType *ct)
{
	switch (ct->typlen)
	{
		case 1:
			return CharGetDatum((char) value);
		case 2:
			return Int16GetDatum((int16) value);
		case 4:
			return Int32GetDatum((int32) value);
		default:
			return Int64GetDatum(value);
	}
}

static Datum
raw_datum(const EcBytes *bytes, const EcColType *ct)
{
	char *result;

	if (ct->typlen == -1)
	{
		result = palloc(VARHDRSZ + (Size) bytes->len);
		SET_VARSIZE(result, VARHDRSZ + bytes->len);
		memcpy(VARDATA(result), bytes->ptr, bytes->len);
		return PointerGetDatum(result);
	}
	if (ct->typlen >= 0 && bytes->len != (uint32) ct->typlen)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("stored value of type %s has %u bytes instead of %d",
							   format_type_be(ct->typid), bytes->len, ct->typlen)));
	result = palloc((Size) bytes->len + 1);
	memcpy(result, bytes->ptr, bytes->len);
	result[bytes->len] = '\0'; /* ends a cstring, harmless otherwise */
	return PointerGetDatum(result);
}

static Datum
uuid_datum(const EcUuid *uuid, EcKind kind)
{
	char *result;

	if (kind == EC_KIND_UUID)
	{
		result = palloc(sizeof(EcUuid));
		memcpy(result, uuid, sizeof(EcUuid));
	}
	else
	{
		result = palloc(VARHDRSZ + EC_UUID_TEXT_LEN);
		SET_VARSIZE(result, VARHDRSZ + EC_UUID_TEXT_LEN);
		ec_uuid_format(uuid, VARDATA(result));
	}
	return PointerGetDatum(result);
}

Datum
ec_datum_from_vector(const EcVector *v, uint32 row, const EcColType *ct, EcKind kind, int32 scale)
{
	uint32 i = ec_vector_index(v, row);

	if (v->phys == EC_PHYS_BYTES)
	{
		if (kind == EC_KIND_TEXT)
			return PointerGetDatum(cstring_to_text_with_len((const char *) v->values.bytes[i].ptr,
															v->values.bytes[i].len));
		return raw_datum(&v->values.bytes[i], ct);
	}
	if (v->phys == EC_PHYS_UUID)
		return uuid_datum(&v->values.uuid[i], kind);
	switch (kind)
	{
		case EC_KIND_DECIMAL:
			return ec_numeric_from_scaled(v->values.i64[i], scale);
		case EC_KIND_FLOAT:
			if (ct->typlen == sizeof(float4))
				return Float4GetDatum((float4) ec_float_from_image(v->values.i64[i]));
			return Float8GetDatum(ec_float_from_image(v->values.i64[i]));
		default:
			return int_datum(v->values.i64[i], ct);
	}
}
