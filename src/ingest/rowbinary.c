/*
 * rowbinary.c
 *	  Rows of COPY's binary format, see rowbinary.h.  Pure C.
 *
 * A row is the number of its fields (int16), then for each of them its length (int32,
 * -1: NULL) and its bytes; all numbers are big-endian.  As in csv.c, a few hundred rows
 * become cells first, which are typed and appended a column at a time.
 */
#include "ingest/rowbinary.h"

#include <string.h>

#include "ingest/rowparse_field.h"

/* Dates and timestamps within these are surely valid: the years 1 to 9999, more or less. */
#define SURE_DAYS 700000
#define SURE_MICROS (SURE_DAYS * EC_MICROS_PER_DAY)

#define BASE_DIGITS 4
#define BASE 10000
#define NUMERIC_NEGATIVE 0x4000

/* The storage form of a short numeric, as in rowparse_number.c. */
#define SHORT 0x8000
#define SHORT_NEGATIVE 0x2000
#define SHORT_SCALE_MAX 63
#define SHORT_SCALE_SHIFT 7
#define SHORT_WEIGHT_MASK 0x007f

struct EcBinary
{
	EcAllocator alloc;
	EcRowChunk chunk;
	EcCell *fields; /* [EC_CHUNK_ROWS][ncolumns], as they come */
	bool (*verify)(void *arg, const uint8_t *ptr, uint32_t len);
};

/* ------------------------------------------------------------------------
 * Numbers of the format
 * ------------------------------------------------------------------------
 */

static inline uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t) (p[0] << 8 | p[1]);
}

static inline int32_t
get_i32(const uint8_t *p)
{
	return (int32_t) ((uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3]);
}

static inline int64_t
get_i64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return (int64_t) (EC_LITTLE_ENDIAN ? __builtin_bswap64(v) : v);
}

uint32_t
ec_binary_look(const uint8_t *data, size_t size, int ncolumns, uint32_t max_rows, size_t max_bytes,
			   size_t *len, bool *odd)
{
	uint32_t rows = 0;
	size_t at = 0;

	*len = 0;
	*odd = false;
	while (rows < max_rows && at < max_bytes)
	{
		if (size - at < 2)
			return rows;
		*odd = get_u16(data + at) != (uint16_t) ncolumns;
		at += 2;
		for (int i = 0; i < ncolumns && !*odd; i++)
		{
			int32_t n;

			if (size - at < 4)
				return rows;
			n = get_i32(data + at);
			at += 4;
			*odd = n < -1 || n > (int32_t) EC_CELL_LEN;
			if (n > 0 && !*odd)
			{
				if (size - at < (size_t) n)
					return rows;
				at += (size_t) n;
			}
		}
		if (*odd)
			return rows;
		rows++;
		*len = at;
	}
	return rows;
}

/* ------------------------------------------------------------------------
 * Fields
 * ------------------------------------------------------------------------
 */

static inline EcFieldStatus
field_int(const EcRowColumn *col, const uint8_t *p, uint32_t len, int64_t *out)
{
	uint32_t size = col->max == INT16_MAX ? 2 : col->max == INT32_MAX ? 4 : 8;

	if (len != size)
		return EC_FIELD_SLOW;
	*out = size == 2 ? (int16_t) get_u16(p) : size == 4 ? get_i32(p) : get_i64(p);
	return EC_FIELD_OK;
}

static inline EcFieldStatus
field_bool(const uint8_t *p, uint32_t len, int64_t *out)
{
	if (len != 1)
		return EC_FIELD_SLOW;
	*out = *p != 0;
	return EC_FIELD_OK;
}

static inline EcFieldStatus
field_float8(const uint8_t *p, uint32_t len, int64_t *out)
{
	int64_t bits;
	double value;

	if (len != 8)
		return EC_FIELD_SLOW;
	bits = get_i64(p);
	memcpy(&value, &bits, 8);
	*out = ec_float_to_image(value);
	return EC_FIELD_OK;
}

static inline EcFieldStatus
field_float4(const uint8_t *p, uint32_t len, int64_t *out)
{
	int32_t bits;
	float value;

	if (len != 4)
		return EC_FIELD_SLOW;
	bits = get_i32(p);
	memcpy(&value, &bits, 4);
	*out = ec_float_to_image((double) value);
	return EC_FIELD_OK;
}

static inline EcFieldStatus
field_date(const uint8_t *p, uint32_t len, int64_t *out)
{
	if (len != 4)
		return EC_FIELD_SLOW;
	*out = get_i32(p);
	return *out > -SURE_DAYS && *out < SURE_DAYS * 4 ? EC_FIELD_OK : EC_FIELD_SLOW;
}

static inline EcFieldStatus
field_timestamp(const EcRowColumn *col, const uint8_t *p, uint32_t len, int64_t *out)
{
	if (len != 8 || col->precision != 6)
		return EC_FIELD_SLOW;
	*out = get_i64(p);
	return *out > -SURE_MICROS && *out < SURE_MICROS * 4 ? EC_FIELD_OK : EC_FIELD_SLOW;
}

static inline EcFieldStatus
field_uuid(const uint8_t *p, uint32_t len, EcUuid *out)
{
	if (len != 16)
		return EC_FIELD_SLOW;
	memcpy(out, p, 16);
	return EC_FIELD_OK;
}

/* A numeric's head; false for NaN, infinities, and lengths that don't fit. */
typedef struct Numeric
{
	int32_t ndigits;
	int32_t weight; /* of the first digit, in powers of BASE */
	int32_t scale;
	bool minus;
} Numeric;

static inline bool
numeric_head(const uint8_t *p, uint32_t len, Numeric *n)
{
	uint16_t sign;

	if (len < 8)
		return false;
	n->ndigits = get_u16(p);
	n->weight = (int16_t) get_u16(p + 2);
	sign = get_u16(p + 4);
	n->scale = get_u16(p + 6);
	n->minus = sign == NUMERIC_NEGATIVE;
	return (sign == 0 || n->minus) && len == 8 + 2 * (uint32_t) n->ndigits;
}

/* Values that need no rounding, and no digits cut off behind their own scale. */
static EcFieldStatus
field_decimal(const EcRowColumn *col, const uint8_t *p, uint32_t len, int64_t *out)
{
	int32_t exponent;
	int64_t sum = 0;
	Numeric n;

	if (!numeric_head(p, len, &n) || n.scale > col->scale || n.ndigits > 6 || n.weight > 4)
		return EC_FIELD_SLOW;
	exponent = n.weight * BASE_DIGITS + col->scale;
	for (int32_t i = 0; i < n.ndigits; i++, exponent -= BASE_DIGITS)
	{
		int64_t digit = get_u16(p + 8 + 2 * i);
		int64_t part;

		if (digit >= BASE)
			return EC_FIELD_SLOW;
		if (digit == 0)
			continue;
		if (exponent > 18 || exponent <= -BASE_DIGITS)
			return EC_FIELD_SLOW;
		if (exponent < 0)
		{
			if (digit % ec_pow10_table[-exponent] != 0)
				return EC_FIELD_SLOW;
			part = digit / ec_pow10_table[-exponent];
		}
		else if (__builtin_mul_overflow(digit, ec_pow10_table[exponent], &part))
			return EC_FIELD_SLOW;
		if (__builtin_add_overflow(sum, part, &sum))
			return EC_FIELD_SLOW;
	}
	if (sum >= ec_pow10_table[col->precision] ||
		(n.scale < col->scale && sum % ec_pow10_table[col->scale - n.scale] != 0))
		return EC_FIELD_SLOW;
	*out = n.minus ? -sum : sum;
	return EC_FIELD_OK;
}

/* To the form in which PostgreSQL stores it, if that is a short one and the digits are as it would send them. */
static EcFieldStatus
field_numeric(const uint8_t *p, uint32_t len, uint8_t *room, EcBytes *out)
{
	uint16_t header;
	int32_t hidden;
	uint16_t digit = 0;
	Numeric n;

	if (!numeric_head(p, len, &n) || n.scale > SHORT_SCALE_MAX ||
		2 + 2 * n.ndigits > EC_NUMERIC_ROOM || n.weight > 63 || n.weight < -64)
		return EC_FIELD_SLOW;
	for (int32_t i = 0; i < n.ndigits; i++)
	{
		digit = get_u16(p + 8 + 2 * i);
		if (digit >= BASE || (i == 0 && digit == 0))
			return EC_FIELD_SLOW;
		memcpy(room + 2 + 2 * i, &digit, 2);
	}
	if (n.ndigits > 0)
	{
		hidden = BASE_DIGITS * (n.ndigits - 1 - n.weight) - n.scale;
		if (digit == 0 || hidden >= BASE_DIGITS ||
			(hidden > 0 && digit % ec_pow10_table[hidden] != 0))
			return EC_FIELD_SLOW;
	}
	else
	{
		n.weight = 0;
		n.minus = false;
	}
	header = (uint16_t) (SHORT | (n.minus ? SHORT_NEGATIVE : 0) | n.scale << SHORT_SCALE_SHIFT |
						 ((uint32_t) n.weight & SHORT_WEIGHT_MASK));
	memcpy(room, &header, 2);
	out->ptr = room;
	out->len = (uint32_t) (2 + 2 * n.ndigits);
	return EC_FIELD_OK;
}

/* ------------------------------------------------------------------------
 * Columns
 * ------------------------------------------------------------------------
 */

#define TYPE_COLUMN(PARSE)                                                                         \
	do                                                                                             \
	{                                                                                              \
		for (uint32_t row = 0; row < nrows; row++)                                                 \
		{                                                                                          \
			uint32_t len = cells[row].len & EC_CELL_LEN;                                           \
			const uint8_t *p = chunk->base + cells[row].begin;                                     \
			if (cells[row].len == 0)                                                               \
				ec_chunk_type_null(chunk, column, row);                                            \
			else if (__builtin_expect((PARSE) != EC_FIELD_OK, 0))                                  \
				ec_chunk_type_by_input(chunk, column, row);                                        \
		}                                                                                          \
	} while (0)

static bool
texts_are_valid(const EcBinary *binary, int column)
{
	const EcRowChunk *chunk = &binary->chunk;
	const EcCell *cells = ec_chunk_cells(chunk, column);

	for (uint32_t row = 0; row < chunk->nrows; row++)
	{
		uint32_t len = cells[row].len & EC_CELL_LEN;
		const uint8_t *p = chunk->base + cells[row].begin;

		if (ec_ascii_without_nul(p, len))
			continue;
		if (memchr(p, 0, len) != NULL ||
			!(binary->verify != NULL ? binary->verify(NULL, p, len) : ec_utf8_valid(p, len)))
			return false;
	}
	return true;
}

/* False: something isn't valid, or the chunk has a fault. */
static bool
type_column(EcBinary *binary, int column)
{
	EcRowChunk *chunk = &binary->chunk;
	const EcRowColumn *col = &chunk->columns[column];
	const EcCell *cells = ec_chunk_cells(chunk, column);
	EcTyped *typed = &chunk->typed[column];
	uint32_t nrows = chunk->nrows;

	if (col->type == EC_FIELD_TEXT)
	{
		if (!col->verbatim && !texts_are_valid(binary, column))
			return false;
		ec_chunk_type(chunk, column);
		return true;
	}
	memset(typed->nulls, 0, sizeof(typed->nulls));
	switch (col->type)
	{
		case EC_FIELD_INT:
			TYPE_COLUMN(field_int(col, p, len, &typed->i64[row]));
			break;
		case EC_FIELD_BOOL:
			TYPE_COLUMN(field_bool(p, len, &typed->i64[row]));
			break;
		case EC_FIELD_FLOAT4:
			TYPE_COLUMN(field_float4(p, len, &typed->i64[row]));
			break;
		case EC_FIELD_FLOAT8:
			TYPE_COLUMN(field_float8(p, len, &typed->i64[row]));
			break;
		case EC_FIELD_DATE:
			TYPE_COLUMN(field_date(p, len, &typed->i64[row]));
			break;
		case EC_FIELD_TIMESTAMP:
		case EC_FIELD_TIMESTAMPTZ:
			TYPE_COLUMN(field_timestamp(col, p, len, &typed->i64[row]));
			break;
		case EC_FIELD_DECIMAL:
			TYPE_COLUMN(field_decimal(col, p, len, &typed->i64[row]));
			break;
		case EC_FIELD_NUMERIC:
			TYPE_COLUMN(
				field_numeric(p, len, typed->room + row * EC_NUMERIC_ROOM, &typed->bytes[row]));
			break;
		case EC_FIELD_UUID:
			TYPE_COLUMN(field_uuid(p, len, &typed->uuid[row]));
			break;
		default:
			TYPE_COLUMN(((void) p, (void) len, EC_FIELD_SLOW));
			break;
	}
	return true;
}

/* The fields of the rows at data to cells; returns the bytes that they take. */
static size_t
split_rows(EcBinary *binary, const uint8_t *data, size_t len)
{
	EcRowChunk *chunk = &binary->chunk;
	EcCell *field = binary->fields;
	size_t at = 0;

	chunk->base = data;
	for (; at < len && chunk->nrows < EC_CHUNK_ROWS; chunk->nrows++)
	{
		chunk->fault_of[chunk->nrows] = EC_CHUNK_NO_FAULT;
		at += 2;
		for (int i = 0; i < chunk->ncolumns; i++, field++)
		{
			int32_t n = get_i32(data + at);

			at += 4;
			field->begin = (uint32_t) at;
			field->len = n < 0 ? 0 : (uint32_t) n | EC_CELL_QUOTED;
			at += n < 0 ? 0 : (size_t) n;
		}
	}
	for (int i = 0; i < chunk->ncolumns; i++)
	{
		EcCell *cells = ec_chunk_cells(chunk, i);

		field = binary->fields + i;
		for (uint32_t row = 0; row < chunk->nrows; row++, field += chunk->ncolumns)
			cells[row] = *field;
	}
	return at;
}

/* ------------------------------------------------------------------------
 * The whole
 * ------------------------------------------------------------------------
 */

EcBinary *
ec_binary_create(const EcRowColumn *columns, int ncolumns,
				 bool (*verify)(void *arg, const uint8_t *ptr, uint32_t len),
				 const EcAllocator *alloc)
{
	EcBinary *binary = alloc->resize(alloc->ctx, NULL, sizeof(EcBinary));

	if (binary == NULL)
		return NULL;
	memset(binary, 0, sizeof(*binary));
	binary->alloc = *alloc;
	binary->verify = verify;
	if (ec_chunk_init(&binary->chunk, columns, ncolumns, alloc))
		binary->fields =
			alloc->resize(alloc->ctx, NULL, (size_t) ncolumns * EC_CHUNK_ROWS * sizeof(EcCell) + 1);
	if (binary->fields != NULL)
		return binary;
	ec_binary_destroy(binary);
	return NULL;
}

void
ec_binary_destroy(EcBinary *binary)
{
	EcAllocator alloc;

	if (binary == NULL)
		return;
	alloc = binary->alloc;
	ec_chunk_free(&binary->chunk);
	if (binary->fields != NULL)
		alloc.resize(alloc.ctx, binary->fields, 0);
	alloc.resize(alloc.ctx, binary, 0);
}

bool
ec_binary_feed(EcBinary *binary, const uint8_t *data, size_t len, EcBuilder **builders)
{
	EcRowChunk *chunk = &binary->chunk;
	size_t at = 0;

	chunk->no_memory = false;
	while (at < len)
	{
		ec_chunk_clear(chunk);
		at += split_rows(binary, data + at, len - at);
		for (int i = 0; i < chunk->ncolumns; i++)
		{
			if (!type_column(binary, i))
				return false;
		}
		if (chunk->nfaults > 0 || chunk->no_memory ||
			!ec_chunk_append(chunk, chunk->nrows, builders))
			return false;
	}
	return true;
}
