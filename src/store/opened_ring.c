/*
 * opened_ring.c
 *	  Pieces that were just opened, before anybody knows whether they are worth keeping.
 *
 * Random rows of a large table open a piece for each column and never come back to
 * it: copying it into memory of its own would cost as much as decoding it, and drive
 * out of the cache what is used.  So stored bytes and what they are decoded into lie
 * in a ring, in which the newest overwrite the oldest.  What is used again before its
 * place is needed moves into the cache then, as small as it can be; so does what was
 * opened before, no longer ago than the cache could have kept it.
 *
 * The ring is taken once and never given back.  Pieces in it belong to their group as
 * others do, so a group may be closed at any time.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/guc.h"
#include "store/opened_internal.h"

/* Pieces that need more have memory of their own. */
#define RING_SIZE ((Size) 4 * 1024 * 1024)

/* Enough for a row of some ten columns; as it is smaller, it stays in the processor's caches. */
#define RING_USUAL ((Size) 1024 * 1024)

static uint8 *ring;
static Size head; /* place of the next piece */
static dlist_head fresh =
	DLIST_STATIC_INIT(fresh); /* newest first, as they lie from head on backwards */
static uint32 passed = 1;	  /* kB of pieces opened; wraps around */
static Size passed_bytes;	  /* less than a kB */

static Size
offset_of(const OpenPiece *piece)
{
	return (const uint8 *) piece - ring;
}

/* Gives up the oldest pieces that lie within [start, end). */
static void
clear_room(Size start, Size end)
{
	while (!dlist_is_empty(&fresh))
	{
		Used *oldest = dlist_tail_element(Used, node, &fresh);
		OpenPiece *piece = oldest->place->piece;

		if (offset_of(piece) < start || offset_of(piece) >= end)
			break;
		if (oldest->again)
			ec_opened_keep_moved(piece);
		else
		{
			oldest->place->piece = NULL;
			dlist_delete(&oldest->node);
		}
	}
}

/* Memory until others need it; NULL if it is too much. */
void *
ec_opened_ring_take(Size size)
{
	Size start;

	size = TYPEALIGN(EC_OPENED_ALIGN, size);
	if (size > RING_SIZE)
		return NULL;
	if (ring == NULL)
		ring = (uint8 *) TYPEALIGN(
			EC_OPENED_ALIGN, MemoryContextAlloc(CacheMemoryContext, RING_SIZE + EC_OPENED_ALIGN));
	if (head > 0 && head + size > RING_USUAL)
	{
		clear_room(head, RING_SIZE);
		head = 0;
	}
	clear_room(head, head + size);
	start = head;
	head += size;
	return ring + start;
}

/* A piece has been opened that takes about so much memory: was it opened before, not long ago? */
bool
ec_opened_ring_count(OpenPlace *place, Size size)
{
	bool again = place->seen != 0 && passed - place->seen <= (uint32) ec_guc_fetch_cache;

	passed_bytes += size;
	passed += passed_bytes / 1024;
	passed_bytes %= 1024;
	place->seen = Max(passed, 1);
	return again;
}

/* The piece lies at the start of the memory that was taken last. */
void
ec_opened_ring_add(OpenPiece *piece)
{
	piece->used.place->piece = piece;
	dlist_push_head(&fresh, &piece->used.node);
}
