/*
 * zone.c
 *	  Least and greatest value of rows.  Pure C.
 */
#include "encoding/codec.h"

/* The int64 that stands for values[index] in zones. */
int64_t
ec_zone_value(const EcVector *v, uint32_t index, EcKind kind)
{
	char text[EC_UUID_TEXT_LEN];

	switch (v->phys)
	{
		case EC_PHYS_INT64:
			return v->values.i64[index];
		case EC_PHYS_BYTES:
			return ec_bytes_prefix(v->values.bytes[index].ptr, v->values.bytes[index].len);
		case EC_PHYS_UUID:
			break;
	}
	if (kind == EC_KIND_UUID)
		return ec_bytes_prefix(v->values.uuid[index].b, 16);
	ec_uuid_format(&v->values.uuid[index], text);
	return ec_bytes_prefix((const uint8_t *) text, sizeof(text));
}

static inline void
widen(EcZone *zone, int64_t x)
{
	zone->min = x < zone->min ? x : zone->min;
	zone->max = x > zone->max ? x : zone->max;
}

static void
zone_of_ints(const int64_t *values, uint32_t n, EcZone *zone)
{
	int64_t min = zone->min;
	int64_t max = zone->max;
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
	}
	zone->min = min;
	zone->max = max;
}

static void
zone_of_codes(const EcRows *rows, const int64_t *entries, EcZone *zone)
{
	const uint32_t *codes = rows->column->codes + rows->first;
	uint32_t i;

	for (i = 0; i < rows->nrows; i++)
	{
		if (codes[i] < rows->column->ndict)
			widen(zone, entries[codes[i]]);
	}
}

void
ec_zone_of_rows(const EcRows *rows, EcKind kind, const int64_t *prefixes, EcZone *zone)
{
	const EcVector *v = rows->column;
	uint32_t i;

	zone->nrows = rows->nrows;
	zone->nnulls = rows->nnulls;
	zone->min = INT64_MAX;
	zone->max = INT64_MIN;
	if (rows->nnulls == rows->nrows)
		zone->min = zone->max = 0;
	else if (v->form == EC_FORM_CONST)
		zone->min = zone->max = ec_zone_value(v, 0, kind);
	else if (v->form == EC_FORM_DICT)
		zone_of_codes(rows, v->phys == EC_PHYS_INT64 ? v->values.i64 : prefixes, zone);
	else if (v->phys == EC_PHYS_INT64 && rows->nnulls == 0)
		zone_of_ints(v->values.i64 + rows->first, rows->nrows, zone);
	else
	{
		for (i = 0; i < rows->nrows; i++)
		{
			if (!ec_rows_null(rows, i))
				widen(zone, ec_zone_value(v, rows->first + i, kind));
		}
	}
}

/* *into starts with nrows == 0. */
void
ec_zone_merge(EcZone *into, const EcZone *zone)
{
	if (zone->nnulls < zone->nrows)
	{
		bool first = into->nnulls == into->nrows;

		into->min = first || zone->min < into->min ? zone->min : into->min;
		into->max = first || zone->max > into->max ? zone->max : into->max;
	}
	into->nrows += zone->nrows;
	into->nnulls += zone->nnulls;
}
