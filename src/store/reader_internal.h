/*
 * reader_internal.h
 *	  What reader.c (groups), reader_column.c (columns of the current group),
 *	  reader_rows.c (runs of rows kept as tuples) and reader_live.c (row numbers and
 *	  which rows are hidden) share.
 */
#ifndef EC_STORE_READER_INTERNAL_H
#define EC_STORE_READER_INTERNAL_H

#include "postgres.h"

#include "storage/buf.h"

#include "store/catalog.h"
#include "store/image.h"
#include "store/list.h"
#include "store/mask.h"
#include "store/reader.h"

/* Where the values of a column of the current group come from. */
typedef enum EcColumnSource
{
	EC_COLUMN_UNKNOWN = 0, /* not asked for yet */
	EC_COLUMN_CHUNK,	   /* a chunk of the image */
	EC_COLUMN_CONST,	   /* missing value, or all NULL */
	EC_COLUMN_ROWS		   /* a builder of reader->run */
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

/* What heap_deform_tuple wants to know of a row. */
typedef struct EcRunTuple
{
	HeapTupleHeader header;
	Size len;
} EcRunTuple;

/* Rows of a run.  The memory is used again by the next run, as fresh pages cost more than rows do. */
typedef struct EcRun
{
	uint32 nrows;
	bool loaded; /* else nothing but nrows is known: see ec_run_rows */
	uint32 size;
	int64 *numbers;
	TransactionId *xmins; /* as the tuples' headers say */
	CommandId *cids;
	EcRunTuple *tuples;
	EcReaderBuffer arena; /* of tuples */
	Size arena_used;
	bool deformed; /* values and isnull are there: [nrows][natts]; they point into the tuples */
	EcReaderBuffer values;
	EcReaderBuffer isnull;
	EcBatch *batch; /* columns built so far */
} EcRun;

/* Where the search for a row's number stands: range "range" starts at row "start". */
typedef struct EcReaderPlace
{
	uint32 range;
	uint32 start;
} EcReaderPlace;

/* The last answer of ec_reader_live. */
typedef struct EcReaderLive
{
	uint32 block; /* EC_ZONE_CHUNK: none */
	uint32 nlive;
	bool all;
	uint64 rows[EC_MASK_WORDS];
} EcReaderLive;

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
	EcColType number_type; /* of row numbers */
	EcList *list;
	int64 current; /* entry, or -1 */
	const EcListEntry *entry;
	EcReaderGroup info;
	bool counted;		/* in stats.groups_read */
	EcDescriptor *desc; /* the current entry's; NULL: it is a run */
	TransactionId xmin; /* of its tuple */
	CommandId cid;
	EcDescriptor desc_space;
	EcReaderPlace place;
	EcReaderLive live;
	int64 *numbers; /* of a block, see ec_reader_numbers */
	uint32 numbers_block;
	bool dir_loaded;
	EcDirectory dir;
	EcRun *run; /* of an entry kept as rows */
	EcRun run_space;
	EcReaderColumn *columns; /* [natts + 1]: the last are the row numbers of a numbered group */
	EcBatch *missing;		 /* one row of missing values, made on demand */
	EcReaderStats stats;
};

extern void ec_reader_set_tupdesc(EcReader *reader, TupleDesc tupdesc);

/* As ec_reader_begin_groups, for tuples of kind SUMMARY. */
extern EcReader *ec_reader_begin_summaries(Relation rel, const EcReaderPick *picks, uint32 count,
										   TupleDesc tupdesc, MemoryContext parent);

extern void ec_reader_reserve(MemoryContext context, EcReaderBuffer *buffer, Size size);

/* The parsed header of a column's chunk, or NULL if the group has none. */
extern const EcChunk *ec_reader_chunk(EcReader *reader, int attidx);

/* Bytes of the current group's image, wherever it is; attidx (or -1: directory) is for messages. */
extern void
ec_reader_image_bytes(EcReader *reader, int attidx, uint64 offset, uint64 len, uint8 *out);
extern void ec_reader_load_directory(EcReader *reader);
extern const char *ec_reader_column_name(EcReader *reader, int attidx);

/* The vector of row numbers of a block of a numbered group. */
extern const EcVector *ec_reader_number_block(EcReader *reader, uint32 block);

/* The current entry's rows, if it is a run, or a descriptor of form "rows". */
extern EcRun *ec_run_enter(EcReader *reader);
extern EcRun *ec_run_from_descriptor(EcReader *reader, const EcDescriptor *desc);

/* The current run, whose rows are there. */
extern EcRun *ec_run_rows(EcReader *reader);

/* One column of all of a run's rows. */
extern void ec_run_column(EcReader *reader, int attidx, EcVector *out);

/* Forgets what belonged to the last group. */
extern void ec_reader_reset_columns(EcReader *reader);

#endif /* EC_STORE_READER_INTERNAL_H */
