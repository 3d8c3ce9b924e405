/*
 * builder_copy.c
 *	  Rows of a vector appended to a column that is being built.  Pure C; see builder.h.
 */
#include "vector/builder.h"

#include "vector/builder_parts.h"

/* Rows looked at together. */
#define TOGETHER 64

static bool
append_int64s(EcBuilder *b, const EcVector *v, const uint32_t *rows, uint32_t n)
{
	int64_t values[TOGETHER];
	uint32_t i;

	for (i = 0; i < n && !ec_vector_is_null(v, rows[i]); i++)
		values[i] = ec_vector_int64(v, rows[i]);
	if (!ec_builder_append_int64s(b, values, i))
		return false;
	for (; i < n; i++)
	{
		if (ec_vector_is_null(v, rows[i])
				? !ec_builder_append_null(b)
				: !ec_builder_append_int64(b, ec_vector_int64(v, rows[i])))
			return false;
	}
	return true;
}

static bool
append_uuids(EcBuilder *b, const EcVector *v, const uint32_t *rows, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		if (ec_vector_is_null(v, rows[i])
				? !ec_builder_append_null(b)
				: !ec_builder_append_uuid(b, &v->values.uuid[ec_vector_index(v, rows[i])]))
			return false;
	}
	return true;
}

/* Texts, also those that the vector has packed into UUIDs. */
static bool
append_texts(EcBuilder *b, const EcVector *v, const uint32_t *rows, uint32_t n)
{
	EcBytes values[TOGETHER];
	char unpacked[TOGETHER][EC_UUID_TEXT_LEN];
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		values[i].ptr = NULL;
		values[i].len = 0;
		if (ec_vector_is_null(v, rows[i]))
			continue;
		if (v->phys == EC_PHYS_BYTES)
		{
			values[i] = v->values.bytes[ec_vector_index(v, rows[i])];
			continue;
		}
		ec_uuid_format(&v->values.uuid[ec_vector_index(v, rows[i])], unpacked[i]);
		values[i].ptr = (const uint8_t *) unpacked[i];
		values[i].len = EC_UUID_TEXT_LEN;
	}
	return ec_builder_append_texts(b, values, n);
}

bool
ec_builder_append_rows(EcBuilder *b, const EcVector *v, const uint32_t *rows, uint32_t n)
{
	bool ok = true;

	while (n > 0 && ok)
	{
		uint32_t some = n < TOGETHER ? n : TOGETHER;

		if (v->phys == EC_PHYS_INT64)
			ok = append_int64s(b, v, rows, some);
		else if (b->kind == EC_KIND_UUID)
			ok = append_uuids(b, v, rows, some);
		else
			ok = append_texts(b, v, rows, some);
		rows += some;
		n -= some;
	}
	return ok;
}
