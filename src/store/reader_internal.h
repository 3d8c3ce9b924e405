/*
 * reader_internal.h
 *	  What reader.c (groups) and reader_column.c (columns of the current group) share.
 */
#ifndef EC_STORE_READER_INTERNAL_H
#define EC_STORE_READER_INTERNAL_H

#include "postgres.h"

#include "storage/buf.h"

#include "store/catalog.h"
#include "store/image.h"
#include "store/reader.h"

/* Where the values of a column of the current group come from. */
typedef enum EcColumnSource
{
	EC_COLUMN_UNKNOWN = 0, /* not asked for yet */
	EC_COLUMN_CHUNK,	   /* a chunk of the image */
	EC_COLUMN_CONST,	   /* missing value, or all NULL */
	EC_COLUMN_ROWS		   /* a builder of reader->rows */
} EcColumnSource;

/* Memory that grows and is used again for each block. */
typedef struct EcReaderBuffer
{
	uint8 *data; /* 16-byte aligned */
	void *base;	 /* as palloc'd */
	Size size;
} EcReaderBuffer;

typedef struct EcReaderColumn
{
	EcColumnSource source;
	EcKind kind;
	int32 scale;
	EcChunk chunk; /* CHUNK: parsed if header_loaded */
	bool header_loaded;
	bool dict_loaded;
	EcVector dict;
	uint64 dict_serial;
	EcVector whole;		 /* CONST, ROWS: all rows of the group */
	EcVector block;		 /* what was handed out */
	uint32 block_number; /* of "block", or EC_ZONE_CHUNK: none */
	EcReaderBuffer bytes;
	EcReaderBuffer scratch;
} EcReaderColumn;

/* A row group as readers see it: one descriptor, or a run of small ones that are kept as rows. */
typedef struct EcReaderEntry
{
	uint32 first; /* index into descriptors */
	uint32 count;
	uint32 nrows;
} EcReaderEntry;

/* Where the search for a row's number stands: range "range" of descriptor "desc" starts at row "start". */
typedef struct EcReaderPlace
{
	uint32 desc;
	uint32 range;
	uint32 start;
} EcReaderPlace;

/* A range of row numbers and where its rows are. */
typedef struct EcRowPlace
{
	int64 first;
	int64 count;
	uint32 group;
	uint32 row; /* of the range's first row within the group */
	uint32 descriptor;
} EcRowPlace;

struct EcReader
{
	Relation rel;
	Snapshot snapshot;
	MemoryContext context;		 /* lives as long as the reader */
	MemoryContext group_context; /* the current group's; reset at each step */
	EcAllocator group_allocator;
	EcDecoder *decoder;
	BufferAccessStrategy strategy;
	TupleDesc tupdesc;
	EcColType *types;
	EcDescriptor *descriptors;
	uint32 ndescriptors;
	EcReaderEntry *entries;
	uint32 nentries;
	int64 current; /* entry, or -1 */
	EcReaderGroup info;
	bool counted;			  /* in stats.groups_read */
	const EcDescriptor *desc; /* the current entry's first */
	EcReaderPlace place;
	bool dir_loaded;
	EcDirectory dir;
	EcBatch *rows; /* of an entry kept as rows */
	EcReaderColumn *columns;
	EcBatch *missing;	/* one row of missing values, made on demand */
	EcRowPlace *places; /* by row number, made on demand */
	uint64 nplaces;
	EcReaderStats stats;
};

extern void ec_reader_set_tupdesc(EcReader *reader, TupleDesc tupdesc);

/* The parsed header of a column's chunk, or NULL if the group has none. */
extern const EcChunk *ec_reader_chunk(EcReader *reader, int attidx);

/* Bytes of the current group's image, wherever it is; attidx (or -1: directory) is for messages. */
extern void
ec_reader_image_bytes(EcReader *reader, int attidx, uint64 offset, uint64 len, uint8 *out);
extern void ec_reader_load_directory(EcReader *reader);

/* Does the snapshot see what a running command of this transaction has inserted? */
extern bool ec_reader_sees_command(Snapshot snapshot, CommandId cid);

/* The descriptor of the group that has a row, and where the row is; NULL if none has. */
extern const EcDescriptor *
ec_reader_find_row(EcReader *reader, int64 number, uint32 *group, uint32 *row);

/* Forgets what belonged to the last group. */
extern void ec_reader_reset_columns(EcReader *reader);

#endif /* EC_STORE_READER_INTERNAL_H */
