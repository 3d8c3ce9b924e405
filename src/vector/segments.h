/*
 * segments.h
 *	  Bytes that never move while more of them come, for builders.  Pure C.
 *
 * Strings that are appended one after another mostly lie one after another, which
 * encoding makes use of.
 */
#ifndef EC_SEGMENTS_H
#define EC_SEGMENTS_H

#include <string.h>

#include "vector/vector.h"

/* Segments double up to this; longer strings have one of their own. */
#define EC_SEGMENT_MAX ((size_t) 1024 * 1024)

typedef struct EcSegment
{
	struct EcSegment *next;
	size_t size;
	size_t used;
	uint8_t data[];
} EcSegment;

/* All zeros: empty. */
typedef struct EcSegments
{
	EcSegment *first; /* the newest */
	EcSegment *spare; /* from before the last reset */
	size_t allocated; /* by both */
	size_t used;
} EcSegments;

extern void ec_segments_free(EcSegments *s, EcAllocator *alloc);

/* Forgets all bytes; keeps memory, since as many are likely to come. */
extern void ec_segments_reset(EcSegments *s, EcAllocator *alloc);

/* Begins a segment with room for len bytes; false if out of memory. */
extern bool ec_segments_begin(EcSegments *s, EcAllocator *alloc, size_t len);

/* Room for len bytes; NULL if out of memory. */
static inline uint8_t *
ec_segments_room(EcSegments *s, EcAllocator *alloc, size_t len)
{
	uint8_t *room;

	if ((s->first == NULL || s->first->size - s->first->used < len) &&
		!ec_segments_begin(s, alloc, len))
		return NULL;
	room = s->first->data + s->first->used;
	s->first->used += len;
	s->used += len;
	return room;
}

/* memcpy for short strings: a call costs more than their bytes. */
static inline void
ec_copy_bytes(uint8_t *to, const uint8_t *from, uint32_t len)
{
	uint64_t a;
	uint64_t z;

	if (len > 16)
	{
		uint8_t begin[16];
		uint8_t end[16];

		if (len > 32)
		{
			memcpy(to, from, len);
			return;
		}
		memcpy(begin, from, 16);
		memcpy(end, from + len - 16, 16);
		memcpy(to, begin, 16);
		memcpy(to + len - 16, end, 16);
	}
	else if (len >= 8)
	{
		memcpy(&a, from, 8);
		memcpy(&z, from + len - 8, 8);
		memcpy(to, &a, 8);
		memcpy(to + len - 8, &z, 8);
	}
	else if (len >= 4)
	{
		memcpy(&a, from, 4);
		memcpy(&z, from + len - 4, 4);
		memcpy(to, &a, 4);
		memcpy(to + len - 4, &z, 4);
	}
	else if (len > 0)
	{
		to[0] = from[0];
		to[len / 2] = from[len / 2];
		to[len - 1] = from[len - 1];
	}
}

#endif /* EC_SEGMENTS_H */
