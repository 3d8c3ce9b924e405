/*
 * builder_trim.c
 *	  Rows of a column that is being built, taken back.  Pure C; see builder.h.
 */
#include "vector/builder.h"

#include "vector/builder_parts.h"

/* Entries that only forgotten rows used stay in the dictionary; encoding drops them. */
void
ec_builder_truncate(EcBuilder *b, uint32_t nrows)
{
	uint32_t row;

	ec_builder_settle(b);
	if (nrows == 0)
	{
		ec_builder_reset(b);
		return;
	}
	for (row = nrows; row < b->nrows && b->nnulls > 0; row++)
	{
		if (ec_builder_row_is_null(b, row))
		{
			b->validity[row / 64] |= UINT64_C(1) << (row % 64);
			b->nnulls--;
		}
	}
	if (nrows < b->nrows)
		b->nrows = nrows;
}

static void
move_row(EcBuilder *b, uint32_t to, uint32_t from)
{
	uint64_t bit = UINT64_C(1) << (to % 64);

	if (b->intern)
		b->codes[to] = b->codes[from];
	else
		memcpy((char *) b->flat + to * b->width, (char *) b->flat + from * b->width, b->width);
	if (b->nnulls == 0)
		return;
	if (ec_builder_row_is_null(b, from))
		b->validity[to / 64] &= ~bit;
	else
		b->validity[to / 64] |= bit;
}

/* Entries that only these rows used stay, as in ec_builder_truncate. */
void
ec_builder_retain(EcBuilder *b, uint32_t first, const uint8_t *keep)
{
	uint32_t to = first;
	uint32_t nulls = 0;
	uint32_t row;

	ec_builder_settle(b);
	for (row = first; row < b->nrows; row++)
	{
		if (!keep[row - first])
		{
			nulls += b->nnulls > 0 && ec_builder_row_is_null(b, row);
			continue;
		}
		if (to < row)
			move_row(b, to, row);
		to++;
	}

	/* bits behind the end are set, whatever they were */
	for (row = to; row < b->nrows && b->nnulls > 0; row++)
		b->validity[row / 64] |= UINT64_C(1) << (row % 64);
	b->nnulls -= nulls;
	b->nrows = to;
}
