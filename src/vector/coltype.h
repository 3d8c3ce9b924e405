/*
 * coltype.h
 *	  How a PostgreSQL type is kept in vectors (server side).
 *
 *	bool, "char", int2, int4, int8, oid-like by-value types of length 1, 2, 4, 8,
 *	date, time, timestamp[tz], money, enum (its oid)	-> EC_KIND_INT
 *	numeric(p,s), 0 <= s <= p <= 18						-> EC_KIND_DECIMAL, scale s
 *	float4, float8										-> EC_KIND_FLOAT
 *	text, varchar										-> EC_KIND_TEXT
 *	uuid												-> EC_KIND_UUID
 *	anything else (bpchar, numeric without typmod, json, arrays, composites,
 *	ranges, bytea, ...)									-> EC_KIND_RAW
 *
 * Domains are kept as their base type.  RAW values of a varlena type are the
 * detoasted payload without header; of a fixed-length by-reference type its
 * typlen bytes; of a cstring-like type (typlen -2) its characters.
 */
#ifndef EC_COLTYPE_H
#define EC_COLTYPE_H

#include "postgres.h"

#include "access/tupdesc.h"

#include "vector/vector.h"

typedef struct EcColType
{
	Oid typid;	  /* the column's declared type (maybe a domain) */
	Oid basetype; /* its base type */
	int32 typmod; /* of the base type */
	int16 typlen;
	bool typbyval;
	char typalign;
	Oid collation;
	EcKind kind;
	EcPhys phys; /* of a freshly built column; a TEXT chunk may be EC_PHYS_UUID */
	int32 scale;
} EcColType;

extern void ec_coltype_init(EcColType *ct, Oid typid, int32 typmod, Oid collation);

/* natts entries, palloc'd; dropped columns get kind INT and typid InvalidOid. */
extern EcColType *ec_coltype_from_tupdesc(TupleDesc desc);

/* A Datum of kind INT or FLOAT as its int64; unsigned types without sign extension. */
extern int64 ec_datum_to_int64(Datum value, const EcColType *ct);

/* Numeric <-> scaled int64: false if the value is infinite or does not fit the scale exactly. */
extern bool ec_numeric_to_scaled(Datum numeric, int32 scale, int64 *out);
extern Datum ec_numeric_from_scaled(int64 value, int32 scale); /* palloc'd in the current context */

/*
 * One value of a decoded vector as a Datum of the column's type, palloc'd in the
 * current context if by reference.  kind and scale are those recorded with the
 * chunk.  The row must not be NULL.
 */
extern Datum
ec_datum_from_vector(const EcVector *v, uint32 row, const EcColType *ct, EcKind kind, int32 scale);

#endif /* EC_COLTYPE_H */
