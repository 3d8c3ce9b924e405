/*
 * vector.h
 *	  Typed column vectors: the one currency that parsing, encoding, storage,
 *	  scans and aggregates share.  Pure C (no server headers), so that everything
 *	  built on it also links into fuzzers and stand-alone tests.
 *
 * A vector holds nrows values of one physical class:
 *
 *	EC_PHYS_INT64	integers, booleans, oids, dates, times, scaled decimals and the
 *					order-preserving image of floats (see EcKind)
 *	EC_PHYS_BYTES	byte strings (text without its varlena header; any other type's
 *					own bytes)
 *	EC_PHYS_UUID	16 raw bytes: type uuid, and text whose values all are UUIDs in
 *					canonical lower-case form (8-4-4-4-12)
 *
 * in one of three forms:
 *
 *	EC_FORM_FLAT	one entry of "values" per row
 *	EC_FORM_DICT	codes[row] is an index into "values", which has ndict entries;
 *					a NULL row has code == ndict, so that arrays of ndict + 1
 *					elements can be indexed without a test for NULL.  Every code is
 *					<= ndict, also in vectors decoded from hostile bytes.
 *	EC_FORM_CONST	all rows equal values[0], or all are NULL (nnulls == nrows)
 *
 * Rows that are NULL have a cleared bit in "validity"; validity is NULL if and
 * only if nnulls is 0 or the form is CONST.  The value of a NULL row in a FLAT
 * vector is unspecified but initialised memory (0, or an empty string).
 *
 * A vector never owns memory: whoever made it says how long it lives.
 */
#ifndef EC_VECTOR_H
#define EC_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows in a block, the unit of decoding and of zone maps (the last may be shorter). */
#define EC_BLOCK_ROWS 16384

/* Upper bound of rows in a row group (a whole number of blocks). */
#define EC_GROUP_ROWS_MAX (64 * EC_BLOCK_ROWS)

/* Scaled decimals use this value for NaN: it sorts above every number, as NaN does. */
#define EC_DECIMAL_NAN INT64_MAX

typedef enum EcPhys
{
	EC_PHYS_INT64 = 1,
	EC_PHYS_BYTES = 2,
	EC_PHYS_UUID = 3
} EcPhys;

typedef enum EcForm
{
	EC_FORM_FLAT = 1,
	EC_FORM_DICT = 2,
	EC_FORM_CONST = 3
} EcForm;

/* What a column's values mean; recorded with every chunk, see vector/coltype.h for the mapping from types. */
typedef enum EcKind
{
	EC_KIND_INT = 1,	 /* INT64: the integer itself */
	EC_KIND_DECIMAL = 2, /* INT64: value * 10^scale, EC_DECIMAL_NAN is NaN */
	EC_KIND_FLOAT = 3,	 /* INT64: order-preserving image of a double's bits */
	EC_KIND_TEXT = 4,	 /* BYTES or UUID: characters in the database encoding */
	EC_KIND_UUID = 5,	 /* UUID */
	EC_KIND_RAW = 6		 /* BYTES: a Datum's own bytes, opaque to us */
} EcKind;

typedef struct EcBytes
{
	const uint8_t *ptr;
	uint32_t len;
} EcBytes;

typedef struct EcUuid
{
	uint8_t b[16];
} EcUuid;

typedef struct EcVector
{
	EcPhys phys;
	EcForm form;
	uint32_t nrows;
	uint32_t nnulls;
	const uint64_t *validity; /* bit row is 1: not NULL; may be NULL, see above */
	union
	{
		const void *any;
		const int64_t *i64;
		const EcBytes *bytes;
		const EcUuid *uuid;
	} values;
	const uint32_t *codes; /* DICT only */
	uint32_t ndict;		   /* DICT only */
	uint64_t dict_serial;  /* DICT: equal non-zero serials mean the same dictionary; 0: unknown */
} EcVector;

/* Words of a validity bitmap for n rows. */
#define EC_VALIDITY_WORDS(n) (((size_t) (n) + 63) / 64)

static inline bool
ec_vector_is_null(const EcVector *v, uint32_t row)
{
	if (v->nnulls == 0)
		return false;
	if (v->validity == NULL)
		return true; /* CONST, all NULL */
	return (v->validity[row >> 6] >> (row & 63) & 1) == 0;
}

/* Index into values of a row that is not NULL. */
static inline uint32_t
ec_vector_index(const EcVector *v, uint32_t row)
{
	if (v->form == EC_FORM_FLAT)
		return row;
	return v->form == EC_FORM_DICT ? v->codes[row] : 0;
}

static inline int64_t
ec_vector_int64(const EcVector *v, uint32_t row)
{
	return v->values.i64[ec_vector_index(v, row)];
}

/* Memory for whoever grows: resize(ctx, NULL, n) allocates, (ctx, p, 0) frees; NULL means out of memory. */
typedef struct EcAllocator
{
	void *(*resize)(void *ctx, void *ptr, size_t size);
	void *ctx;
} EcAllocator;

extern const EcAllocator ec_malloc_allocator; /* realloc(3) and free(3) */

#define EC_UUID_TEXT_LEN 36

/* Canonical lower-case text <-> 16 bytes; parse returns false for any other text. */
extern bool ec_uuid_parse(const uint8_t *text, uint32_t len, EcUuid *out);
extern void ec_uuid_format(const EcUuid *uuid, char out[EC_UUID_TEXT_LEN]);

/* Double <-> the int64 image with the same order (NaN above everything, -0 just below +0); bijective except that all NaNs become one. */
extern int64_t ec_float_to_image(double value);
extern double ec_float_from_image(int64_t image);

/* First 8 bytes, big-endian, zero-padded, with the sign bit flipped: int64 order == memcmp order of the prefixes. */
extern int64_t ec_bytes_prefix(const uint8_t *ptr, uint32_t len);

#endif /* EC_VECTOR_H */
