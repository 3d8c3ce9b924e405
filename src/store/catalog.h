/*
 * catalog.h
 *	  Descriptors: which row groups a table has, for a snapshot.
 */
#ifndef EC_STORE_CATALOG_H
#define EC_STORE_CATALOG_H

#include "postgres.h"

#include "access/htup.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "base/compat.h"
#include "store/format.h"

typedef struct EcDescriptor
{
	EcCatalogKind kind; /* GROUP or SUMMARY */
	int64 number;
	EcGroupForm form;
	uint8 level;
	uint32 nrows;
	uint32 natts;
	uint64 image_len;
	BlockNumber first_block; /* EC_FORM_EXTENT */
	uint32 npages;
	uint32 nranges;
	const EcDiskRange *ranges;
	uint32 image_dir_len;	/* directory at the start of the image */
	uint32 dir_len;			/* of "directory"; 0: read it from the image */
	const uint8 *directory; /* MAXALIGNed */
	const uint8 *data;		/* EC_FORM_INLINE, EC_FORM_ROWS: image_len bytes, MAXALIGNed */
	bool numbered;			/* EC_FORM_NUMBERED */
	bool pending;			/* in this backend's memory only */
	CommandId cid;			/* if pending */
} EcDescriptor;

/* What any tuple of the companion holds. */
typedef struct EcCatalogTuple
{
	uint8 kind;			  /* EcCatalogKind */
	int64 number;		  /* from the key */
	const uint8 *payload; /* in the tuple, not aligned */
	Size len;
} EcCatalogTuple;

/* Whoever reads a tuple of the companion does it by this: it checks what it gives. */
extern void ec_catalog_open_tuple(Relation rel, HeapTuple tuple, EcCatalogTuple *out);

/* Payload <-> descriptor.  Parsed descriptors point into the payload, which must be MAXALIGNed. */
extern Size ec_descriptor_size(const EcDescriptor *desc);
extern void ec_descriptor_build(const EcDescriptor *desc, uint8 *payload);
extern void ec_descriptor_parse(Relation rel, EcCatalogKind kind, const uint8 *payload, Size len,
								EcDescriptor *desc);

/* What a descriptor stands for, for messages: "row group" or "summary". */
extern const char *ec_catalog_noun(EcCatalogKind kind);

pg_noreturn extern void ec_catalog_tuple_damaged(Relation rel, HeapTuple tuple, const char *what);

/* All indexes of the companion, as toast_open_indexes (close them so); which of them is for look-ups. */
extern int
ec_catalog_open_indexes(Relation companion, LOCKMODE lockmode, Relation **indexes, int *nindexes);

/*
 * Drops indexes that a failed REINDEX CONCURRENTLY has left on the companion, on which the
 * caller holds AccessExclusiveLock: before it gets a new file, as PostgreSQL leaves them with
 * entries of the old one, which would soon be taken for duplicates.
 */
extern void ec_catalog_drop_invalid_indexes(Oid companion);

/* Makes the companion if a rewrite gave rel none. */
extern void ec_catalog_ensure(Relation rel);

/* Pages of the companion. */
extern BlockNumber ec_catalog_pages(Relation rel);

/* For rewriting the companion: the parsed payload of one of its tuples, and a changed copy of the tuple. */
extern bool ec_catalog_read_tuple(Relation rel, HeapTuple tuple, EcDescriptor *desc);

/* The same for tuples of kind SUMMARY, with what stands before the descriptor. */
extern bool
ec_catalog_read_summary(Relation rel, HeapTuple tuple, EcDiskSummary *summary, EcDescriptor *desc);

/* What a SUMMARY tuple says before its descriptor; tells what is wrong about it, or NULL; or makes that an error. */
extern const char *
ec_summary_header(int64 number, const uint8 *payload, Size len, EcDiskSummary *summary);
extern void ec_summary_check_header(Relation rel, int64 number, const uint8 *payload, Size len,
									EcDiskSummary *summary);
extern uint32 ec_summary_checksum(const EcDiskSummary *summary, int64 number);
extern HeapTuple ec_catalog_form_tuple(TupleDesc tupdesc, const EcDescriptor *desc);

#endif /* EC_STORE_CATALOG_H */
