/*
 * opened_internal.h
 *	  What opened.c (the cache of opened row groups) and opened_column.c (their
 *	  columns) share.
 */
#ifndef EC_STORE_OPENED_INTERNAL_H
#define EC_STORE_OPENED_INTERNAL_H

#include "postgres.h"

#include "lib/ilist.h"

#include "base/compat.h"
#include "store/image.h"
#include "store/opened.h"

/* In the list of what is kept. */
typedef struct Used
{
	dlist_node node;
	bool again; /* used since it came to the front of the list */
	EcOpenGroup *group;
	struct OpenPiece **place; /* of a piece; NULL: this is the group itself */
} Used;

/* A block or a segment of a dictionary; the view's memory follows it, unless it has some of its own. */
typedef struct OpenPiece
{
	Used used;
	void *memory; /* stored bytes and what they are decoded into; NULL: moved */
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
	OpenPiece **blocks;
	OpenPiece **segments;
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

/* Puts a piece on the list of what is kept. */
extern void ec_opened_keep(EcOpenGroup *group, OpenPiece **place, OpenPiece *piece);

/* Decodes; has no state. */
extern EcDecoder *ec_opened_decoder(void);

extern void ec_opened_load_directory(Relation rel, EcOpenGroup *group);

#endif /* EC_STORE_OPENED_INTERNAL_H */
