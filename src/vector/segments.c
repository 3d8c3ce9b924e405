/*
 * segments.c
 *	  Bytes that never move, see segments.h.  Pure C.
 */
#include "vector/segments.h"

#define FIRST_SEGMENT 8192

/* A reset keeps segments from this size on, and not more than so many bytes of them. */
#define SPARE_SEGMENT ((size_t) 128 * 1024)
#define SPARE_MAX ((size_t) 64 * 1024 * 1024)

static void
free_list(EcSegments *s, EcAllocator *alloc, EcSegment *from)
{
	while (from != NULL)
	{
		EcSegment *next = from->next;

		s->allocated -= sizeof(EcSegment) + from->size;
		alloc->resize(alloc->ctx, from, 0);
		from = next;
	}
}

void
ec_segments_free(EcSegments *s, EcAllocator *alloc)
{
	free_list(s, alloc, s->first);
	free_list(s, alloc, s->spare);
	s->first = s->spare = NULL;
	s->used = 0;
}

void
ec_segments_reset(EcSegments *s, EcAllocator *alloc)
{
	while (s->first != NULL)
	{
		EcSegment *seg = s->first;

		s->first = seg->next;
		if (seg->size < SPARE_SEGMENT || seg->size > EC_SEGMENT_MAX || s->allocated > SPARE_MAX)
		{
			seg->next = NULL;
			free_list(s, alloc, seg);
			continue;
		}
		seg->next = s->spare;
		s->spare = seg;
	}
	s->used = 0;
}

bool
ec_segments_begin(EcSegments *s, EcAllocator *alloc, size_t len)
{
	EcSegment *seg = s->spare;
	size_t size = s->first == NULL ? FIRST_SEGMENT : s->first->size * 2;

	if (seg != NULL && seg->size >= len)
		s->spare = seg->next;
	else
	{
		size = size > EC_SEGMENT_MAX ? EC_SEGMENT_MAX : size;
		size = size < len ? len : size;
		seg = alloc->resize(alloc->ctx, NULL, sizeof(EcSegment) + size);
		if (seg == NULL)
			return false;
		seg->size = size;
		s->allocated += sizeof(EcSegment) + size;
	}
	seg->used = 0;
	seg->next = s->first;
	s->first = seg;
	return true;
}
