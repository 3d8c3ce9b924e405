/*
 * image.h
 *	  A batch of rows <-> the bytes of a row group, in memory.
 */
#ifndef EC_STORE_IMAGE_H
#define EC_STORE_IMAGE_H

#include "postgres.h"

#include "encoding/encoding.h"
#include "base/compat.h"
#include "store/catalog.h"
#include "vector/batch.h"

/* A directory checked and taken apart; points into the bytes it was parsed from. */
typedef struct EcDirectory
{
	uint32 natts;
	uint32 nrows;
	const EcDiskColumn *columns;
} EcDirectory;

/* A decoder that lives in the context and goes with it. */
extern EcDecoder *ec_image_decoder(MemoryContext context);

/*
 * The transaction's buffer for an image, emptied; it is good until the next one is
 * asked for.  Whoever is done with it says so: much memory isn't kept.
 */
extern EcBuf *ec_image_buffer(void);
extern void ec_image_done(void);

/*
 * Appends the whole image to out; returns the directory's length.  context is for
 * what is needed meanwhile.  numbers: of the rows, for a numbered row group, or NULL.
 */
extern uint32 ec_image_build(Relation rel, EcCatalogKind kind, EcBatch *batch, const int64 *numbers,
							 EcCodec codec, int level, MemoryContext context, EcBuf *out);

/* The batch's rows as MinimalTuples, if they take at most limit bytes; else NULL. */
extern uint8 *ec_image_build_rows(EcBatch *batch, TupleDesc tupdesc, Size limit, Size *len);

/* The batch's columns as vectors, and one row of them as Datums, in the current memory context. */
extern EcVector *ec_image_views(EcBatch *batch);
extern void
ec_image_row(EcBatch *batch, const EcVector *views, uint32 row, Datum *values, bool *isnull);

/* Appends the rows of a EC_FORM_ROWS descriptor to a batch made with the same tupdesc. */
extern void
ec_image_read_rows(Relation rel, TupleDesc tupdesc, const EcDescriptor *desc, EcBatch *batch);

/* bytes must be MAXALIGNed; kind (GROUP or SUMMARY) and number are for messages. */
extern void ec_directory_parse(Relation rel, EcCatalogKind kind, int64 number, const uint8 *bytes,
							   Size len, uint64 image_len, EcDirectory *dir);

/* Reports damage of a block of a column, or of its whole chunk (EC_IMAGE_CHUNK). */
#define EC_IMAGE_CHUNK PG_UINT32_MAX
pg_noreturn extern void ec_image_column_damaged(Relation rel, EcCatalogKind kind, int64 number,
												const char *column, uint32 block, const char *what);

/* Checks a chunk's parsed header against the directory and the column's type. */
extern void ec_image_check_chunk(Relation rel, EcCatalogKind kind, int64 number, const char *column,
								 uint32 nrows, const EcColType *type, const EcDiskColumn *disk,
								 const EcChunk *chunk);

#endif /* EC_STORE_IMAGE_H */
