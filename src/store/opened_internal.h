/*
 * opened_internal.h
 *	  What opened.c (the cache of opened row groups), opened_ring.c (pieces on their
 *	  way into it) and opened_column.c (columns) share.
 */
#ifndef EC_STORE_OPENED_INTERNAL_H
#define EC_STORE_OPENED_INTERNAL_H

#include "postgres.h"

#include "lib/ilist.h"

#include "base/compat.h"
#include "store/image.h"
#include "store/opened.h"

/* Of pieces and what they are read into. */
#define EC_OPENED_ALIGN 16

/* Where a block or a segment of a dictionary belongs. */
typedef struct OpenPlace
{
	struct OpenPiece *piece; /* NULL: it isn't open */
	uint32 seen;			 /* when it was opened, see opened_ring.c; 0: never */
} OpenPlace;

/* In the list of what is kept, or in the one of the ring. */
typedef struct Used
{
	dlist_node node;
	bool again; /* used since it came to the front of the list */
	EcOpenGroup *group;
	OpenPlace *place; /* of a piece; NULL: this is the group itself */
} Used;

/* A piece that is open; the memory that its view points to follows it, unless it has some of its own. */
typedef struct OpenPiece
{
	Used used;
	void *memory; /* too large for the ring: stored bytes and what they are decoded into */
	EcView view;
} OpenPiece;

typedef enum OpenSource
{
	OPEN_UNKNOWN = 0,
	OPEN_CHUNK,
	OPEN_WHOLE /* "whole" holds all rows */
} OpenSource;

typedef struct OpenColumn
{
	OpenSource source;
	EcKind kind;
	int32 scale;
	EcVector whole;
	EcChunk chunk;
	OpenPlace *blocks;
	OpenPlace *segments;
} OpenColumn;

typedef struct OpenKey
{
	RelFileLocator locator;
	int64 number;
} OpenKey;

struct EcOpenGroup
{
	OpenKey key; /* memset before use: hashed as bytes */
	Oid relid;
	bool stale;
	Used used;
	MemoryContext context;
	EcAllocator allocator;
	Size memory; /* of the context, as counted in "total" */
	EcDescriptor desc;
	TupleDesc tupdesc;
	EcColType *types;
	EcDirectory dir;
	EcBatch *rows;		 /* EC_FORM_ROWS, and missing values */
	OpenColumn *columns; /* [tupdesc->natts], and the row numbers of a numbered group */
	bool numbers_known;
	uint32 *by_number; /* rows by their number; NULL if they stand in that order */
};

/* The group's memory has changed. */
extern void ec_opened_count_memory(EcOpenGroup *group);

/* Puts a piece with memory of its own group on the list of what is kept. */
extern void ec_opened_keep(OpenPiece *piece);

/* Likewise a copy of one that has to leave the ring. */
extern void ec_opened_keep_moved(OpenPiece *piece);

/*
 * A value of so many bytes has been copied out of the piece.  One that makes up most of its
 * piece and that the cache can't hold isn't kept beside its copy.
 */
extern void ec_opened_read_from(OpenPiece *piece, Size len);

/* opened_ring.c */
extern void *ec_opened_ring_take(Size size);
extern bool ec_opened_ring_count(OpenPlace *place, Size size);
extern void ec_opened_ring_add(OpenPiece *piece);

/* Decodes; has no state. */
extern EcDecoder *ec_opened_decoder(void);

extern void ec_opened_load_directory(Relation rel, EcOpenGroup *group);

#endif /* EC_STORE_OPENED_INTERNAL_H */
