/*
 * builder_parts.h
 *	  Column builders and two of their parts: the hash table of a dictionary, and the strings that
 *	  wait to be looked up in it.  Private to builder*.c.  Pure C.
 */
#ifndef EC_BUILDER_PARTS_H
#define EC_BUILDER_PARTS_H

#include "vector/builder.h"
#include "vector/segments.h"

typedef struct EcSlot
{
	uint32_t hash;
	uint32_t code1; /* code + 1; 0: free */
} EcSlot;

/* There must be a free one. */
static inline void
ec_slot_put(EcSlot *slots, uint32_t nslots, uint32_t hash, uint32_t code)
{
	uint32_t mask = nslots - 1;
	uint32_t i = hash & mask;

	while (slots[i].code1 != 0)
		i = (i + 1) & mask;
	slots[i].hash = hash;
	slots[i].code1 = code + 1;
}

/* A table of *nslots free slots becomes one of "wanted", with the same entries. */
static inline bool
ec_slots_resize(EcSlot **slots, uint32_t *nslots, uint32_t wanted, EcAllocator *alloc)
{
	EcSlot *to = alloc->resize(alloc->ctx, NULL, wanted * sizeof(EcSlot));
	uint32_t i;

	if (to == NULL)
		return false;
	memset(to, 0, wanted * sizeof(EcSlot));
	for (i = 0; i < *nslots; i++)
	{
		if ((*slots)[i].code1 != 0)
			ec_slot_put(to, wanted, (*slots)[i].hash, (*slots)[i].code1 - 1);
	}
	if (*slots != NULL)
		alloc->resize(alloc->ctx, *slots, 0);
	*slots = to;
	*nslots = wanted;
	return true;
}

/*
 * Short strings that come one by one wait for each other: to look up many of one column
 * together costs less than to go through all columns' tables for every row.
 */
#define EC_TAIL_ROWS 32
#define EC_TAIL_LEN 48 /* of a string */

typedef struct EcTail
{
	uint32_t rows;
	uint32_t used;				  /* of bytes */
	EcBytes values[EC_TAIL_ROWS]; /* ptr NULL: NULL */
	uint8_t bytes[EC_TAIL_ROWS * EC_TAIL_LEN];
} EcTail;

static inline uint32_t
ec_tail_rows(const EcTail *tail)
{
	return tail != NULL ? tail->rows : 0;
}

static inline void
ec_tail_empty(EcTail *tail)
{
	if (tail != NULL)
		tail->rows = tail->used = 0;
}

/* Copies the bytes; there must be room. */
static inline void
ec_tail_add(EcTail *tail, const void *ptr, uint32_t len)
{
	EcBytes *to = &tail->values[tail->rows++];

	to->ptr = ptr != NULL ? tail->bytes + tail->used : NULL;
	to->len = len;
	ec_copy_bytes(tail->bytes + tail->used, ptr, len);
	tail->used += len;
}

struct EcBuilder
{
	EcAllocator alloc;
	EcKind kind;
	EcPhys phys;
	bool plain; /* never interned, never packed */
	bool intern;
	bool young; /* too few rows to be interned yet */
	uint32_t nrows;
	uint32_t nnulls;
	uint32_t rows_cap; /* rows that fit without growing anything */
	uint32_t judge_at;
	size_t width; /* bytes of a value */
	void *flat;
	uint32_t flat_cap;
	uint32_t *codes;
	uint32_t codes_cap;
	uint64_t *validity; /* set bits from nrows on, so that only NULLs touch it */
	uint32_t validity_words;
	void *dict;
	uint32_t ndict;
	uint32_t dict_cap;
	uint32_t most_entries;
	uint32_t null_code; /* of the NULLs, since the last view; UINT32_MAX: they are to be numbered */
	uint64_t seed;		/* of hashes */
	EcSlot *slots;
	uint32_t nslots; /* a power of two, or 0 */
	EcSegments kept; /* bytes of strings */
	EcTail *tail;	 /* rows behind nrows, or NULL; there is room for them in all arrays */
};

/* Rows of the tail go where they belong. */
extern void ec_builder_settle(EcBuilder *b);

static inline bool
ec_builder_row_is_null(const EcBuilder *b, uint32_t row)
{
	return b->nnulls > 0 && (b->validity[row / 64] >> (row % 64) & 1) == 0;
}

#endif /* EC_BUILDER_PARTS_H */
