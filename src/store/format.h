/*
 * format.h
 *	  What the access method ecinsight_columnar keeps on disk, struct by struct.
 *
 * A table has two places of its own:
 *
 *	main fork		block 0 is the metapage (counters that no rollback takes back);
 *					the other blocks are extents: contiguous runs of pages, each run
 *					holding the image of one row group.  Blocks are ordinary pages
 *					(header, contents, EcPageTail as special area) and are written
 *					once.  Pages of all zeros were allocated but never written.
 *	TOAST relation	heap tuples (chunk_id, chunk_seq, chunk_data): descriptors.  They
 *					decide which row groups exist for a snapshot.  chunk_id and
 *					chunk_seq are a kind and a number, see EcCatalogKind.
 *
 * The image of a row group:
 *
 *		EcDiskDirectory | EcDiskColumn [natts] | chunk of column 1 | chunk of column 2 ...
 *
 * Chunks are encoding/encoding.h's.  A column that holds nothing but NULLs (a
 * dropped one too) has no chunk.  Columns beyond natts were added to the table
 * later.
 *
 * The payload of a descriptor:
 *
 *		EcDiskDescriptor | EcDiskRange [nranges] | directory (if dir_len > 0) | inline data
 *
 * The directory is that of an image in an extent, repeated here if it is small, so
 * that chunk zones need no page; the inline data is a whole image (EC_FORM_INLINE)
 * or rows as MinimalTuples (EC_FORM_ROWS), each starting MAXALIGNed.
 *
 * The payload of a SUMMARY tuple, a part of a set of summaries (summary.h) or the list
 * of the row groups that the set covers:
 *
 *		EcDiskSummary | payload of a descriptor (EC_FORM_EXTENT or EC_FORM_INLINE)
 *
 * The image has columns of its own.  A part's are its maker's; the list of row groups
 * has one, their numbers, ascending.  The only range of the descriptor is 0 .. nrows - 1
 * and means nothing.  The list's tuple is inserted last and has the set's number.
 *
 * Integers are in the machine's order, as everywhere in a PostgreSQL data
 * directory.  All structs are without padding; a change of any of them, or of the
 * encodings of chunks, is a new EC_FORMAT_VERSION.
 */
#ifndef EC_STORE_FORMAT_H
#define EC_STORE_FORMAT_H

#include "postgres.h"

#include "access/heapam.h"
#include "access/heaptoast.h"
#include "storage/bufpage.h"

/* 1: as 2, but without numbered row groups, rows, masks, reserves and free extents; still read */
#define EC_FORMAT_VERSION 2

#define EC_META_MAGIC 0x4543494d	   /* ECIM */
#define EC_DIRECTORY_MAGIC 0x45434947  /* ECIG */
#define EC_DESCRIPTOR_MAGIC 0x45434944 /* ECID */

/* Special area of every page of the main fork. */
typedef struct EcPageTail
{
	uint32 index;	/* of the page within its extent; 0 on the metapage */
	uint16 kind;	/* EcPageKind */
	uint16 page_id; /* EC_PAGE_ID, for tools that look at files */
} EcPageTail;

typedef enum EcPageKind
{
	EC_PAGE_META = 1,
	EC_PAGE_IMAGE = 2
} EcPageKind;

#define EC_PAGE_ID 0xEC51
#define EC_PAGE_PAYLOAD (BLCKSZ - SizeOfPageHeaderData - sizeof(EcPageTail))
#define EC_META_BLOCK 0

typedef struct EcDiskMeta
{
	uint32 magic;
	uint32 version;
	int64 next_row;	  /* first row number that was never handed out */
	int64 next_group; /* likewise for row groups */
	uint32 checksum;  /* XXH3 of all before it, low 32 bits */
	uint32 changes;	  /* descriptors, masks and reservations inserted, modulo 2^32 */
} EcDiskMeta;

typedef struct EcDiskDirectory
{
	uint32 magic;
	uint32 checksum; /* XXH3 of all that follows it in the directory, low 32 bits */
	uint16 version;
	uint16 flags; /* none yet: 0 */
	uint32 natts;
	uint32 nrows;
	uint32 reserved;
} EcDiskDirectory;

#define EC_COLUMN_HAS_ZONE 0x01

typedef struct EcDiskColumn
{
	uint64 offset; /* from the start of the image */
	uint64 len;	   /* 0: no chunk, all rows are NULL */
	int64 min;	   /* zone of the chunk, if EC_COLUMN_HAS_ZONE */
	int64 max;
	uint32 typid;	   /* of the column at that time; 0 if dropped */
	uint32 header_len; /* of the chunk */
	uint32 nnulls;
	int32 scale;
	uint8 phys; /* EcPhys */
	uint8 kind; /* EcKind */
	uint8 flags;
	uint8 reserved[5];
} EcDiskColumn;

typedef enum EcGroupForm
{
	EC_FORM_EXTENT = 1, /* image in pages */
	EC_FORM_INLINE = 2, /* image in the descriptor */
	EC_FORM_ROWS = 3	/* rows in the descriptor */
} EcGroupForm;

typedef struct EcDiskDescriptor
{
	uint32 magic;
	uint32 checksum; /* XXH3 of all that follows it in the payload, low 32 bits */
	uint16 version;
	uint8 form;	 /* EcGroupForm */
	uint8 level; /* 0: as written */
	uint32 nrows;
	int64 number; /* of the row group */
	uint32 nranges;
	uint32 natts;
	uint64 image_len;	/* bytes of the image, or of the rows */
	uint32 first_block; /* EC_FORM_EXTENT */
	uint32 npages;
	uint32 dir_len;		  /* directory repeated here, or 0 */
	uint32 image_dir_len; /* directory at the start of the image; 0 for rows */
} EcDiskDescriptor;

/*
 * Added to a form: the numbers of the rows are in no order.  They are the last column
 * of the image (kind INT, behind the natts columns of the table), and the only range
 * of the descriptor tells the least number and the span of all.
 */
#define EC_FORM_NUMBERED 0x80

/* Consecutive rows of the group have consecutive row numbers within a range. */
typedef struct EcDiskRange
{
	int64 first;
	int64 count;
} EcDiskRange;

/*
 * The payload of a MASK tuple: rows of one block of a row group that are dead for
 * everybody, as a bitmap (bit i is row i of the block) or as uint16 positions,
 * whatever is shorter.
 */
typedef struct EcDiskMask
{
	uint32
		checksum; /* XXH3 of all that follows it, seeded with ~number of the tuple, low 32 bits */
	uint16 form;  /* EcMaskForm */
	uint16 reserved;
	uint32 nrows; /* of the block */
	uint32 ndead;
} EcDiskMask;

typedef enum EcMaskForm
{
	EC_MASK_BITMAP = 1,	  /* (nrows + 7) / 8 bytes */
	EC_MASK_POSITIONS = 2 /* ndead, ascending */
} EcMaskForm;

/* Payload of kind FREE, whose number is the first block of a run of pages that nobody uses. */
#define EC_FREE_MAGIC 0x45434946 /* ECIF */

typedef struct EcDiskFree
{
	uint32 magic;
	uint32 checksum; /* XXH3 of npages, seeded with the first block, low 32 bits */
	uint32 npages;
} EcDiskFree;

/*
 * The payload of a ROW tuple, whose number is that of a row.  There are very many of
 * them, so nothing is aligned, and what is seldom needed is there only then:
 *
 *		uint32 checksum		XXH3 of all that follows it, seeded with the number, low 32 bits
 *		uint8 tag			EcRowState and EC_ROW_TAG_*
 *		uint8 or uint16		number of attributes; EC_ROW_DATA only, as are bitmap and attributes
 *		uint32 token		of a speculative insertion
 *		null bitmap | attributes, both as in a heap tuple
 */
#define EC_ROW_TAG_STATE 0x03
#define EC_ROW_TAG_TOKEN 0x04
#define EC_ROW_TAG_NULLS 0x08
#define EC_ROW_TAG_WIDE 0x10 /* more than 255 attributes */
#define EC_ROW_TAG 0x80		 /* in all of them */

#define EC_ROW_TAG_OFFSET sizeof(uint32)

/* Rows written before there were tags begin with this, followed by the token; still read. */
typedef struct EcDiskOldRow
{
	uint32 checksum;
	uint8 state; /* EcRowState */
	uint8 flags;
	uint16 natts;
} EcDiskOldRow;

#define EC_OLD_ROW_TOKEN 0x01
#define EC_OLD_ROW_NULLS 0x02

typedef enum EcRowState
{
	EC_ROW_LIVE = 1, /* locks and the deletion of a row that stands in a row group */
	EC_ROW_DEAD = 2, /* whoever sees this tuple doesn't see the row of the row group */
	EC_ROW_DATA = 3	 /* the row itself */
} EcRowState;

/* The payload of a RESERVE tuple, whose number is the first of a range of row numbers. */
#define EC_RESERVE_MAGIC 0x45434952 /* ECIR */

typedef struct EcDiskReserve
{
	uint32 magic;
	uint32 checksum; /* XXH3 of count, seeded with the number, low 32 bits */
	int64 count;
} EcDiskReserve;

/*
 * The payload of a PLACE tuple, whose number is that of a row: it and the next ones, up to
 * the next PLACE tuple's, have tuples (EC_ROW_DATA) in this block of the companion, unless
 * they have index entries.
 */
typedef struct EcDiskPlace
{
	uint32 checksum; /* XXH3 of block, seeded with the number, low 32 bits */
	uint32 block;
} EcDiskPlace;

/* What a SUMMARY tuple has before its descriptor; its number is one of row groups. */
#define EC_SUMMARY_MAGIC 0x45434953 /* ECIS */
#define EC_SUMMARY_VERSION 1
#define EC_SUMMARY_PROJECTIONS 32 /* their numbers are 0 .. 31 */

typedef struct EcDiskSummary
{
	uint32 magic;
	uint32 checksum; /* XXH3 of what follows in this struct, seeded with the number, low 32 bits */
	int64 set;		 /* number of the set */
	uint64
		nrows; /* of a part: its own; of the list: those of the row groups covered, hidden ones too */
	uint64 bytes;	   /* of the image */
	uint16 version;	   /* EC_SUMMARY_VERSION */
	uint16 kind;	   /* EcSummaryKind */
	uint16 projection; /* of a part */
	uint16 reserved;
	uint32 index;		/* of a part within its projection */
	uint32 signature;	/* the maker's */
	uint32 ngroups;		/* covered */
	uint32 nparts;		/* these three of the list of row groups only: parts of the set */
	uint32 projections; /* bits of those that the set has */
	uint32 refused;		/* likewise of those that it will never have */
} EcDiskSummary;

typedef enum EcSummaryKind
{
	EC_SUMMARY_PART = 1,
	EC_SUMMARY_COVER = 2 /* the list of row groups */
} EcSummaryKind;

/*
 * The payload of a COUNTERS tuple: those of the metapage, while the table has none because all
 * its rows are gone (counters.h).  The one with the highest number counts.
 */
#define EC_COUNTERS_MAGIC 0x45434943 /* ECIC */

typedef struct EcDiskCounters
{
	uint32 magic;
	uint32 checksum; /* XXH3 of all that follows it, seeded with the number, low 32 bits */
	int64 next_row;
	int64 next_group;
	uint32 changes;
	uint32 reserved;
} EcDiskCounters;

StaticAssertDecl(sizeof(EcPageTail) == MAXALIGN(8), "no padding on disk");
StaticAssertDecl(sizeof(EcDiskMeta) == 32, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskDirectory) == 24, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskColumn) == 56, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskDescriptor) == 56, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskRange) == 16, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskMask) == 16, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskFree) == 12, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskOldRow) == 8, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskReserve) == 16, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskPlace) == 8, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskSummary) == 64, "no padding on disk");
StaticAssertDecl(sizeof(EcDiskCounters) == 32, "no padding on disk");

/* Low byte of chunk_id; its other bytes extend chunk_seq, so that numbers have 54 bits. */
typedef enum EcCatalogKind
{
	EC_CATALOG_GROUP = 1,	/* number: of the row group.  EcDiskDescriptor */
	EC_CATALOG_ROW = 2,		/* number: of the row.  Tag and attributes */
	EC_CATALOG_MASK = 3,	/* number: EC_MASK_NUMBER.  EcDiskMask */
	EC_CATALOG_RESERVE = 4, /* number: first row of the range.  EcDiskReserve */
	EC_CATALOG_FREE = 5,	/* number: first page of a run.  EcDiskFree */
	EC_CATALOG_PLACE = 6,	/* number: of the first row.  EcDiskPlace */
	EC_CATALOG_SUMMARY = 7, /* number: its own.  EcDiskSummary */
	EC_CATALOG_COUNTERS = 8 /* number: 1 .. EC_COUNTERS_LAST.  EcDiskCounters */
} EcCatalogKind;

#define EC_CATALOG_LAST EC_CATALOG_COUNTERS

/* The last number with the same high bits as all before it, so that one search finds the highest. */
#define EC_COUNTERS_LAST ((INT64CONST(1) << EC_CATALOG_SEQ_BITS) - 1)

#define EC_MASK_BLOCK_BITS 6
#define EC_MASK_NUMBER(group, block) ((int64) (group) << EC_MASK_BLOCK_BITS | (block))
#define EC_MASK_GROUP(number) ((number) >> EC_MASK_BLOCK_BITS)

#define EC_CATALOG_SEQ_BITS 30
#define EC_CATALOG_CHUNK_ID(kind, number) ((Oid) (((number) >> EC_CATALOG_SEQ_BITS) << 8 | (kind)))
#define EC_CATALOG_CHUNK_SEQ(number)                                                               \
	((int32) ((number) & ((INT64CONST(1) << EC_CATALOG_SEQ_BITS) - 1)))

/* Longest payload of a descriptor: one heap tuple a page, less header, two keys and a varlena header. */
#define EC_DESCRIPTOR_MAX                                                                          \
	((Size) (MaxHeapTupleSize - MAXALIGN(SizeofHeapTupleHeader) - 2 * sizeof(int32) - VARHDRSZ))

/* Inline data and repeated directories stay below these, so that ranges always fit beside them. */
#define EC_INLINE_MAX 7000
#define EC_DIRECTORY_INLINE_MAX 3000

/* A group with more ranges than this is split by the writer. */
#define EC_RANGES_MAX 48

StaticAssertDecl(sizeof(EcDiskDescriptor) + EC_RANGES_MAX * sizeof(EcDiskRange) + EC_INLINE_MAX <=
					 8124,
				 "a descriptor fits into a heap tuple");
StaticAssertDecl(sizeof(EcDiskSummary) + sizeof(EcDiskDescriptor) + sizeof(EcDiskRange) +
						 EC_INLINE_MAX <=
					 8124,
				 "a summary fits into a heap tuple");

#endif /* EC_STORE_FORMAT_H */
