/*
 * fuzz.h
 *	  What the stand-alone tests of vectors and encodings share.
 */
#ifndef EC_TEST_FUZZ_H
#define EC_TEST_FUZZ_H

#include "encoding/encoding.h"
#include "vector/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A check is counted; a failed one is told (the first hundred). */
extern uint64_t checks_passed;
extern uint64_t checks_failed;
extern void check_at(bool ok, const char *what, const char *file, int line);
#define CHECK(ok) check_at(ok, #ok, __FILE__, __LINE__)

/* What the test is working on, told with a failure. */
extern char context[256];

/* splitmix64 */
typedef struct Random
{
	uint64_t state;
} Random;

extern uint64_t random_u64(Random *r);
extern uint32_t random_below(Random *r, uint32_t n); /* n > 0 */

extern bool same_value(const EcVector *a, uint32_t i, const EcVector *b, uint32_t j);

/* Reads all of a vector and tells whether it keeps vector.h's promises. */
extern bool vector_is_sound(const EcVector *v);

/*
 * Decodes a whole chunk, each piece from and into memory of exactly the announced
 * size, so that the address sanitizer sees any step outside.  "expected" may be
 * NULL: then only soundness is checked.  True if all was decoded.  seen[encoding]
 * counts the pieces met, if given.
 */
extern bool decode_chunk(const uint8_t *chunk, size_t len, uint32_t header_len,
						 const EcVector *expected, uint64_t *seen);

/* Moves a view into memory of exactly the size planned, which the caller frees. */
extern void *move_view(EcView *view);

/* Encodes; the result is freed by the caller with ec_buf_free. */
extern EcStatus
encode_column(const EcVector *v, EcKind kind, EcCodec codec, EcBuf *out, uint32_t *header_len);

/* columns.c: columns of many kinds, equal for equal (pattern, kind, nrows, nulls, seed) */
typedef enum Nulls
{
	NULLS_NONE,
	NULLS_ALL,
	NULLS_FIRST,
	NULLS_LAST,
	NULLS_FEW,
	NULLS_HALF,
	NULLS_MOST,
	NNULLS
} Nulls;

extern int pattern_count(EcKind kind);
extern const char *pattern_name(EcKind kind, int pattern);
extern void
append_pattern(EcBuilder *b, EcKind kind, int pattern, uint32_t nrows, Nulls nulls, uint64_t seed);

extern void test_vector(uint64_t seed);
extern void test_builder(uint64_t seed);
extern void test_roundtrip(uint64_t seed);
extern void test_mutate(uint64_t seed, uint64_t mutations);
extern void test_team(uint64_t seed);
extern void test_crafted(void);
extern void test_golden(const char *directory, bool write);

/* fuzz_chunk.c: u32 header length | chunk; checksums are put right first */
extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* EC_TEST_FUZZ_H */
