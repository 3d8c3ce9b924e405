/*
 * builder.h
 *	  Grows one column, a value at a time, into a vector.  Pure C.
 *
 * The first strings (and UUIDs) stay as they come, in FLAT form: those of many small
 * partitions' columns never get more.  Then they are interned while they are few: the
 * column comes out in DICT form with codes in order of first appearance, and no string is
 * stored twice.  Once interning stops paying (too many distinct values, or none that
 * repeats) the builder goes on in FLAT form.  Callers need not care which.
 *
 * A text builder packs values that are canonical UUIDs into 16 bytes as long as
 * all non-NULL values of the column are; the first other value turns the column
 * back to BYTES (rows appended so far included).
 *
 * A row whose later field proves faulty is taken back with ec_builder_truncate.
 * Append functions return false only when the allocator returns NULL.
 */
#ifndef EC_BUILDER_H
#define EC_BUILDER_H

#include "vector/vector.h"

typedef struct EcBuilder EcBuilder; /* opaque but for the inline fast path below */

/* kind decides the physical class: INT, DECIMAL, FLOAT -> INT64; TEXT -> BYTES or UUID; UUID -> UUID; RAW -> BYTES. */
extern EcBuilder *ec_builder_create(EcKind kind, const EcAllocator *alloc);
extern void ec_builder_destroy(EcBuilder *b);

/*
 * Strings (not UUIDs) are interned while they have about so many different values: for wide
 * tables, whose dictionaries together would not stay in the processor's caches.
 */
extern void ec_builder_limit_entries(EcBuilder *b, uint32_t entries);

/*
 * Values stay as they come, neither interned nor packed: for rows that are soon to be taken out
 * again.  Before the first row.
 */
extern void ec_builder_keep_plain(EcBuilder *b);

extern bool ec_builder_append_null(EcBuilder *b);
extern bool ec_builder_append_int64(EcBuilder *b, int64_t value); /* INT64 columns */
extern bool
ec_builder_append_bytes(EcBuilder *b, const void *ptr, uint32_t len); /* TEXT, RAW; copies */
extern bool ec_builder_append_uuid(EcBuilder *b, const EcUuid *uuid); /* UUID columns */

/* n texts at once, faster than one by one; an entry whose ptr is NULL is a NULL.  TEXT, RAW; copies. */
extern bool ec_builder_append_texts(EcBuilder *b, const EcBytes *values, uint32_t n);

/* The value of an earlier row once more: nothing is looked up. */
extern bool ec_builder_append_again(EcBuilder *b, uint32_t row);

/* Rows of a vector of the same kind, those listed. */
extern bool
ec_builder_append_rows(EcBuilder *b, const EcVector *v, const uint32_t *rows, uint32_t n);

/* Bulk append of INT64 values without NULLs. */
extern bool ec_builder_append_int64s(EcBuilder *b, const int64_t *values, uint32_t n);

extern uint32_t ec_builder_rows(const EcBuilder *b);

/* Memory held, in bytes: for flush limits. */
extern size_t ec_builder_bytes(const EcBuilder *b);

/* Of that, what the rows need; the rest is room for more. */
extern size_t ec_builder_used(const EcBuilder *b);

/* Forget rows [nrows, end). */
extern void ec_builder_truncate(EcBuilder *b, uint32_t nrows);

/* Of the rows from "first" on, forget those whose byte in keep is 0. */
extern void ec_builder_retain(EcBuilder *b, uint32_t first, const uint8_t *keep);

/* Empty, keeping memory for the next batch. */
extern void ec_builder_reset(EcBuilder *b);

/* The whole column; valid until the next change of the builder. */
extern void ec_builder_view(EcBuilder *b, EcVector *out);

#endif /* EC_BUILDER_H */
