/*
 * builder_view.c
 *	  What a column that is being built is so far: rows, memory, vector.  Pure C; see builder.h.
 */
#include "vector/builder.h"

#include "vector/builder_parts.h"

uint32_t
ec_builder_rows(const EcBuilder *b)
{
	return b->nrows + ec_tail_rows(b->tail);
}

size_t
ec_builder_bytes(const EcBuilder *b)
{
	return sizeof(*b) + b->kept.allocated + (size_t) b->flat_cap * b->width +
		   (size_t) b->codes_cap * sizeof(uint32_t) + b->validity_words * sizeof(uint64_t) +
		   (size_t) b->dict_cap * b->width + (size_t) b->nslots * sizeof(EcSlot) +
		   (b->tail != NULL ? sizeof(EcTail) : 0);
}

size_t
ec_builder_used(const EcBuilder *b)
{
	return b->kept.used + (size_t) b->nrows * (b->intern ? sizeof(uint32_t) : b->width) +
		   (size_t) b->ndict * b->width + (b->ndict > 0 ? (size_t) b->nslots * sizeof(EcSlot) : 0);
}

/*
 * While a column grows its NULLs have code 0: what they get depends on the final ndict.
 * Viewed again it isn't written to: threads may be reading it.
 */
static void
number_nulls(EcBuilder *b)
{
	uint32_t word;

	if (b->null_code == b->ndict)
		return;
	b->null_code = b->ndict;

	for (word = 0; word < EC_VALIDITY_WORDS(b->nrows); word++)
	{
		uint64_t nulls = ~b->validity[word];

		for (; nulls != 0; nulls &= nulls - 1)
			b->codes[word * 64 + __builtin_ctzll(nulls)] = b->ndict;
	}
}

void
ec_builder_view(EcBuilder *b, EcVector *out)
{
	ec_builder_settle(b);
	memset(out, 0, sizeof(*out));
	out->phys = b->phys;
	out->nrows = b->nrows;
	out->nnulls = b->nnulls;
	out->validity = b->nnulls > 0 ? b->validity : NULL;
	if (!b->intern)
	{
		out->form = EC_FORM_FLAT;
		out->values.any = b->flat;
		return;
	}
	if (b->nnulls > 0)
		number_nulls(b);
	out->form = EC_FORM_DICT;
	out->values.any = b->dict;
	out->codes = b->codes;
	out->ndict = b->ndict;
}
