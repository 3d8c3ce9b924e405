/*
 * rows_price.c
 *	  Prices of the selected rows, whatever their type, at one scale.
 *
 * Decimals at the query's scale pass as they are.  A float stands for the decimal
 * that SQL's cast to numeric gives (6 significant digits for real, 15 for double
 * precision); nearly all are whole cents, which is told without that cast: if the
 * nearest number of cents has no more digits than that and its quotient by 100 is
 * the very same float, the cast gives just these cents.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "insight/rows.h"

#define FLOAT4_CENTS 1e6  /* 10 ^ FLT_DIG */
#define FLOAT8_CENTS 1e15 /* 10 ^ DBL_DIG */

static void
allocate_prices(EcRows *rows)
{
	if (rows->price_values != NULL)
		return;
	rows->price_values = MemoryContextAlloc(rows->context, sizeof(int64) * EC_BLOCK_ROWS);
	rows->price_states = MemoryContextAlloc(rows->context, EC_BLOCK_ROWS);
	rows->price_odd = MemoryContextAlloc(rows->context, sizeof(Numeric) * EC_BLOCK_ROWS);
}

/* A numeric that may or may not fit the query's scale. */
static EcPriceState
take_numeric(EcRows *rows, uint32 i, Numeric value)
{
	if (numeric_is_nan(value) || numeric_is_inf(value))
		return EC_PRICE_NONE;
	if (ec_numeric_to_scaled(NumericGetDatum(value), rows->price_scale, &rows->price_values[i]))
		return EC_PRICE_VALUE;
	rows->price_odd[i] = value;
	return EC_PRICE_ODD;
}

static EcPriceState
take_float(EcRows *rows, uint32 i, double value)
{
	bool single = rows->events.types[EC_COL_PRICE].basetype == FLOAT4OID;
	double cents;
	Datum numeric;

	if (isnan(value) || isinf(value))
		return EC_PRICE_NONE;
	cents = rint(value * 100);
	if (fabs(cents) < (single ? FLOAT4_CENTS : FLOAT8_CENTS) &&
		(single ? (float) (cents / 100) == (float) value : cents / 100 == value))
	{
		rows->price_values[i] = (int64) cents;
		return EC_PRICE_VALUE;
	}
	numeric = single ? DirectFunctionCall1(float4_numeric, Float4GetDatum((float4) value))
					 : DirectFunctionCall1(float8_numeric, Float8GetDatum(value));
	return take_numeric(rows, i, DatumGetNumeric(numeric));
}

static EcPriceState
take_price(EcRows *rows, uint32 i, const EcVector *v, uint32 row, EcKind kind, int32 scale)
{
	int64 value;

	if (ec_vector_is_null(v, row))
		return EC_PRICE_NONE;
	if (kind == EC_KIND_RAW)
		return take_numeric(rows, i,
							DatumGetNumeric(ec_datum_from_vector(
								v, row, &rows->events.types[EC_COL_PRICE], kind, scale)));
	value = ec_vector_int64(v, row);
	if (kind == EC_KIND_FLOAT)
		return take_float(rows, i, ec_float_from_image(value));
	if (kind == EC_KIND_DECIMAL && value == EC_DECIMAL_NAN)
		return EC_PRICE_NONE;
	if (scale != rows->price_scale)
		return take_numeric(rows, i, DatumGetNumeric(ec_numeric_from_scaled(value, scale)));
	rows->price_values[i] = value;
	return EC_PRICE_VALUE;
}

/* Any kind, NULLs, any form. */
static void
take_prices(EcRows *rows, EcPrices *prices, const EcVector *v, EcKind kind, int32 scale)
{
	MemoryContext old = MemoryContextSwitchTo(rows->batch_context);
	uint8 states = 0;

	for (uint32 i = 0; i < rows->n; i++)
	{
		uint32 row = rows->all ? i : rows->selection[i];

		rows->price_values[i] = 0;
		rows->price_states[i] = take_price(rows, i, v, row, kind, scale);
		states |= rows->price_states[i];
	}
	prices->states = states != 0 ? rows->price_states : NULL;
	MemoryContextSwitchTo(old);
}

static bool
are_small(const int64 *values, uint32 n)
{
	uint64 bits = 0;

	for (uint32 i = 0; i < n; i++)
		bits |= (uint64) (values[i] ^ (values[i] >> 63));
	return bits < (uint64) EC_PRICE_SMALL;
}

void
ec_rows_prices(EcRows *rows, EcPrices *prices)
{
	int index = rows->indexes[EC_COL_PRICE];
	const EcVector *v = rows->batch.columns[index];
	EcKind kind = rows->batch.kinds[index];
	int32 scale = rows->batch.scales[index];
	bool plain = v->nnulls == 0 && scale == rows->price_scale &&
				 (kind == EC_KIND_DECIMAL || kind == EC_KIND_INT);

	allocate_prices(rows);
	prices->values = rows->price_values;
	prices->states = NULL;
	prices->odd = rows->price_odd;
	if (plain && v->form == EC_FORM_FLAT && rows->all)
		prices->values = v->values.i64;
	else if (plain)
		ec_rows_gather(rows, v, rows->price_values);
	prices->are_small = plain && are_small(prices->values, rows->n);
	if (plain && !prices->are_small) /* NaN may be among them */
	{
		prices->values = rows->price_values;
		take_prices(rows, prices, v, kind, scale);
	}
	else if (!plain)
		take_prices(rows, prices, v, kind, scale);
}
