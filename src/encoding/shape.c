/*
 * shape.c
 *	  Brings a column into the form in which it is encoded.  Pure C.
 *
 * Dictionaries lose the entries that no row uses.
 */
#include "encoding/codec.h"

#define UNUSED UINT32_MAX

static size_t
value_width(EcPhys phys)
{
	return phys == EC_PHYS_INT64 ? sizeof(int64_t)
		: phys == EC_PHYS_UUID	 ? sizeof(EcUuid)
								 : sizeof(EcBytes);
}

/* Numbers used entries in order of first appearance; *nused is their count. */
static EcStatus
number_entries(EcEncoder *enc, const EcVector *v, uint32_t *nused, bool *in_order)
{
	uint32_t *marks;
	uint32_t row;
	uint32_t n = 0;

	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, MARKS), ((size_t) v->ndict + 1) * sizeof(uint32_t)));
	marks = EC_WORK(enc, MARKS)->data;
	memset(marks, 0xff, ((size_t) v->ndict + 1) * sizeof(uint32_t));
	*in_order = true;
	for (row = 0; row < v->nrows; row++)
	{
		uint32_t code = v->codes[row];

		if (code < v->ndict && marks[code] == UNUSED)
		{
			*in_order &= code == n;
			marks[code] = n++;
		}
	}
	*nused = n;
	return EC_OK;
}

static EcStatus
prune_dict(EcEncoder *enc, EcVector *v)
{
	size_t width = value_width(v->phys);
	const uint32_t *marks;
	uint32_t *codes;
	uint32_t nused;
	uint32_t i;
	bool in_order;

	EC_TRY(number_entries(enc, v, &nused, &in_order));
	if (in_order && nused == v->ndict)
		return EC_OK;
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, CODES), v->nrows * sizeof(uint32_t)));
	EC_TRY(ec_work_reserve(enc, EC_WORK(enc, DICT), nused * width));
	marks = EC_WORK(enc, MARKS)->data;
	codes = EC_WORK(enc, CODES)->data;
	for (i = 0; i < v->nrows; i++)
		codes[i] = v->codes[i] < v->ndict ? marks[v->codes[i]] : nused;
	for (i = 0; i < v->ndict; i++)
	{
		if (marks[i] != UNUSED)
			memcpy((char *) EC_WORK(enc, DICT)->data + marks[i] * width,
				   (const char *) v->values.any + i * width, width);
	}
	v->codes = codes;
	v->values.any = EC_WORK(enc, DICT)->data;
	v->ndict = nused;
	return EC_OK;
}

EcStatus
ec_shape_column(EcEncoder *enc, const EcVector *column, const EcEncodeOptions *opts,
				EcVector *shaped)
{
	*shaped = *column;
	if (column->nnulls == column->nrows)
	{
		shaped->form = EC_FORM_CONST;
		shaped->validity = NULL;
		return EC_OK;
	}
	if (column->form == EC_FORM_DICT)
		return prune_dict(enc, shaped);
	return EC_OK;
}
