/*
 * codec.h
 *	  What the files of encoding/ share.  Private to this directory.
 *
 * The bytes of a piece (dictionary or block) are a run of little-endian fixed
 * fields and of streams.  A stream is a byte array with its own codec:
 *
 *		u8 codec | u8[3] zero | u32 raw_len | u32 stored_len | stored bytes
 *
 * so that what does not shrink stays uncompressed while its neighbour is packed.
 *
 * Encoding appends to an EcBuf and counts in "scratch" the memory that decoding
 * will take from its arena; both sides must take the same amounts, in any order.
 */
#ifndef EC_ENCODING_CODEC_H
#define EC_ENCODING_CODEC_H

#include "encoding/encoding.h"

#include <string.h>

typedef enum EcEncoding
{
	EC_ENC_CONST = 1,
	EC_ENC_PLAIN = 2,
	EC_ENC_FOR = 3,
	EC_ENC_DELTA = 4,
	EC_ENC_RLE = 5,
	EC_ENC_UUID = 6,
	EC_ENC_STRINGS = 7,
	EC_ENC_DICT = 8,
	EC_ENC_RAW = 9,
	EC_ENC_LAST = EC_ENC_RAW
} EcEncoding;

#define EC_TRY(expr)                                                                               \
	do                                                                                             \
	{                                                                                              \
		EcStatus try_status = (expr);                                                              \
		if (try_status != EC_OK)                                                                   \
			return try_status;                                                                     \
	} while (0)

/* A growable array of the encoder; contents are lost when it grows. */
typedef struct EcWork
{
	void *data;
	size_t cap;
} EcWork;

/* The encoder's arrays: each has one user at a time. */
typedef enum EcWorkName
{
	EC_WORK_PACKED,		/* compressed candidate of a stream */
	EC_WORK_PLANE,		/* a byte plane, or packed integers */
	EC_WORK_INTS,		/* integers of a block, transformed */
	EC_WORK_MAGNITUDES, /* of differences */
	EC_WORK_FILLED,		/* values of a block, NULLs filled */
	EC_WORK_RUNS,		/* values of runs */
	EC_WORK_LENGTHS,	/* of runs or strings */
	EC_WORK_BITS,		/* validity of a block */
	EC_WORK_BYTES,		/* characters of a block's strings, or fixed-width values */
	EC_WORK_SLOTS,		/* hash table, or marks per entry of an incoming dictionary */
	EC_WORK_CODES,		/* codes and entries of the dictionary in order of appearance */
	EC_WORK_DICT,
	EC_WORK_RANKED_CODES, /* the same in order of frequency */
	EC_WORK_RANKED_DICT,
	EC_WORK_COUNTS, /* rows per entry */
	EC_WORK_ORDER,	/* entries, being sorted */
	EC_WORK_ORDER2,
	EC_WORK_FLAT,	  /* the column without dictionary */
	EC_WORK_PREFIXES, /* zone value of each entry */
	EC_NWORK
} EcWorkName;

#define EC_WORK(enc, name) (&(enc)->work[EC_WORK_##name])

struct EcEncoder
{
	EcAllocator alloc;
	void *zstd;	   /* ZSTD_CCtx */
	EcCodec codec; /* of the chunk in work */
	int level;
	EcCodec codec_used; /* by the piece in work so far */
	EcBuf trial;		/* pieces that are only measured */
	EcWork work[EC_NWORK];
};

/* A bump allocator over the caller's scratch memory. */
typedef struct EcArena
{
	uint8_t *base;
	size_t len;
	size_t used;
} EcArena;

/* Bytes of a piece not read yet. */
typedef struct EcCursor
{
	const uint8_t *at;
	const uint8_t *end;
} EcCursor;

struct EcDecoder
{
	EcAllocator alloc;
	void *zstd; /* ZSTD_DCtx */
};

/* A block on its way in: rows [first, first + nrows) of column. */
typedef struct EcRows
{
	const EcVector *column;
	uint32_t first; /* a multiple of 64 */
	uint32_t nrows;
	uint32_t nnulls;
	bool by_appearance; /* codes are numbered in order of first appearance ... */
	uint32_t seen;		/* ... this many of them before these rows */
} EcRows;

#define EC_BLOCKS(nrows) (((nrows) + EC_BLOCK_ROWS - 1) / EC_BLOCK_ROWS)

/* Entries of a dictionary that are encoded together. */
#define EC_SEGMENT_ENTRIES 4096
#define EC_SEGMENTS(ndict) (((ndict) + EC_SEGMENT_ENTRIES - 1) / EC_SEGMENT_ENTRIES)

/* A whole column on its way in. */
typedef struct EcShape
{
	EcVector v;
	bool by_appearance;
	uint32_t seen[EC_BLOCKS(EC_GROUP_ROWS_MAX)]; /* per block, if by_appearance */
} EcShape;

/* Everything that a decoder of a piece needs. */
typedef struct EcPieceReader
{
	EcDecoder *dec;
	EcCursor in;
	EcArena arena;
	EcPhys phys;
	uint32_t nrows;
	uint32_t nnulls;
	const EcVector *dict; /* NULL: the chunk has none, or this is it */
	void *into; /* where values go, with EC_ARENA_SLACK after them; NULL: into the arena */
} EcPieceReader;

/*
 * What arena_take really uses for n bytes: starts are multiples of 16, and 64
 * bytes more may be written, which lets kernels work in whole vectors.
 */
#define EC_ARENA_SLACK 64
#define EC_ARENA_BYTES(n) ((((uint64_t) (n) + 15) & ~UINT64_C(15)) + EC_ARENA_SLACK)

/* Longest stream, compressed or not. */
#define EC_STREAM_MAX UINT32_C(0xf0000000)

/* work.c */
extern EcStatus ec_work_reserve(EcEncoder *enc, EcWork *work, size_t size);
extern void *ec_arena_take(EcArena *arena, uint64_t n);

/* Memory for the values of a piece. */
static inline void *
ec_take_values(EcPieceReader *r, uint64_t n)
{
	return r->into != NULL ? r->into : ec_arena_take(&r->arena, n);
}

/* Fixed fields */
extern EcStatus ec_put_u32(EcBuf *out, uint32_t x);
extern EcStatus ec_put_u64(EcBuf *out, uint64_t x);
extern bool ec_get_u8(EcCursor *in, uint8_t *x);
extern bool ec_get_u32(EcCursor *in, uint32_t *x);
extern bool ec_get_u64(EcCursor *in, uint64_t *x);
extern bool ec_get_bytes(EcCursor *in, size_t n, const uint8_t **p);

/* compress.c */
extern EcStatus
ec_stream_put(EcEncoder *enc, const void *raw, size_t len, EcBuf *out, uint64_t *scratch);
/* For bytes whose frequencies are skewed but which hardly repeat in runs. */
extern EcStatus
ec_stream_put_plane(EcEncoder *enc, const void *raw, size_t len, EcBuf *out, uint64_t *scratch);
/* Without trying to compress. */
extern EcStatus ec_stream_put_raw(const void *raw, size_t len, EcBuf *out);
extern EcStatus ec_stream_get(EcPieceReader *r, const uint8_t **raw, size_t *len);
/* The same when the decoder knows how long the stream has to be. */
extern EcStatus ec_stream_get_exact(EcPieceReader *r, uint64_t len, const uint8_t **raw);

/*
 * ints.c: arrays of unsigned integers.  The reader names how many it expects and
 * gives memory from the arena; values that may not fit 32 bits are refused by get32.
 */
extern EcStatus
ec_ints_put(EcEncoder *enc, const uint64_t *x, uint32_t n, EcBuf *out, uint64_t *scratch);
extern EcStatus ec_ints_get32(EcPieceReader *r, uint32_t n, uint32_t *x);
extern EcStatus ec_ints_get64(EcPieceReader *r, uint32_t n, uint64_t *x);
/* The integers as they are stored, in view->planes or view->minis; n <= EC_BLOCK_ROWS. */
extern EcStatus ec_ints_open(EcPieceReader *r, uint32_t n, uint32_t max_width, EcView *view);
extern uint64_t ec_ints_at(const EcView *view, uint32_t row);
/* The integers [first, end), which lie in one mini. */
extern void ec_ints_range(const EcView *view, uint32_t first, uint32_t end, uint64_t *x);
/* How many of the integers [first, end) are 0; both lie in one mini. */
extern uint32_t ec_ints_zeros(const EcView *view, uint32_t first, uint32_t end);

/* plain.c: the bitmap of a block, see there */
extern EcStatus ec_validity_put(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch);
extern EcStatus ec_validity_get(EcPieceReader *r, EcVector *v);

/* One way to encode rows.  decode fills form, values and codes of an otherwise complete vector. */
typedef struct EcEncodingOps
{
	const char *name;
	EcStatus (*encode)(EcEncoder *enc, const EcRows *rows, EcBuf *out, uint64_t *scratch);
	EcStatus (*decode)(EcPieceReader *r, EcVector *v);
} EcEncodingOps;

extern const EcEncodingOps *ec_encoding_ops(int encoding);

extern const EcEncodingOps ec_const_ops;
extern const EcEncodingOps ec_plain_ops;
extern const EcEncodingOps ec_for_ops;
extern const EcEncodingOps ec_delta_ops;
extern const EcEncodingOps ec_rle_ops;
extern const EcEncodingOps ec_uuid_ops;
extern const EcEncodingOps ec_strings_ops;
extern const EcEncodingOps ec_dict_ops;
extern const EcEncodingOps ec_raw_ops;

/* zone.c: prefixes are those of the dictionary's entries (NULL for INT64 and for other forms) */
extern void ec_zone_of_rows(const EcRows *rows, EcKind kind, const int64_t *prefixes, EcZone *zone);
extern int64_t ec_zone_value(const EcVector *v, uint32_t index, EcKind kind);
extern void ec_zone_merge(EcZone *into, const EcZone *zone);

/* shape.c: other forms of a column; the results live in the encoder's arrays */
extern EcStatus ec_shape_flatten(EcEncoder *enc, const EcVector *v, EcVector *flat);
extern EcStatus ec_shape_prune(EcEncoder *enc, EcVector *v);
extern EcStatus ec_shape_pack_uuids(EcEncoder *enc, EcVector *v);
/* *interned tells whether it was worth it. */
extern EcStatus
ec_shape_intern(EcEncoder *enc, const EcVector *flat, EcVector *dict, bool *interned);
extern EcStatus
ec_shape_intern_values(EcEncoder *enc, const EcVector *flat, EcVector *dict, bool *interned);
extern EcStatus ec_shape_rank(EcEncoder *enc, const EcVector *dict, EcVector *ranked);
extern void ec_shape_init(EcShape *shape, const EcVector *v, bool by_appearance);
extern void ec_shape_block(const EcShape *shape, uint32_t block, EcRows *rows);

/* chunk.c: verifies a piece's checksum and makes r->in its bytes */
extern EcStatus ec_piece_open(EcPieceReader *r, const EcPiece *piece, const uint8_t *bytes);
extern EcStatus
ec_piece_decode(EcPieceReader *r, const EcPiece *piece, const uint8_t *bytes, EcVector *out);

/* dict.c */
extern EcStatus ec_dict_open(EcPieceReader *r, EcView *view);
extern EcStatus ec_dict_code_at(EcView *view, uint32_t row, uint32_t *code);

/* delta.c: for single rows, steps and runs stay what they are */
extern EcStatus ec_delta_open(EcPieceReader *r, EcView *view);
extern uint64_t ec_delta_at(const EcView *view, uint32_t row);
extern EcStatus ec_rle_open(EcPieceReader *r, EcView *view);
extern uint32_t ec_rle_run_of(const EcView *view, uint32_t row);

/* The value of so many rows is the sum of an anchor and of the steps from there. */
#define EC_ANCHOR_ROWS 64
#define EC_ANCHORS(nrows) (((nrows) + EC_ANCHOR_ROWS - 1) / EC_ANCHOR_ROWS)

/* delta.c: the greatest common divisor of integers (1 if all are 0), and their division by it */
extern uint64_t ec_common_divisor(const uint64_t *x, uint32_t n);
extern void ec_divide(uint64_t *x, uint32_t n, uint64_t by);

/* choose.c: the form in which a column is encoded; the encoding of a piece */
extern EcStatus
ec_choose_form(EcEncoder *enc, const EcVector *column, EcKind kind, EcShape *chosen);
/* These append a piece's bytes and fill all of *piece but offset and checksum. */
extern EcStatus ec_choose_block(EcEncoder *enc, const EcRows *rows, EcPiece *piece, EcBuf *out);
/* Entries [first, first + EC_SEGMENT_ENTRIES) of v's dictionary. */
extern EcStatus
ec_choose_segment(EcEncoder *enc, const EcVector *v, uint32_t first, EcPiece *piece, EcBuf *out);

static inline size_t
ec_value_width(EcPhys phys)
{
	return phys == EC_PHYS_INT64  ? sizeof(int64_t)
		   : phys == EC_PHYS_UUID ? sizeof(EcUuid)
								  : sizeof(EcBytes);
}

static inline uint32_t
ec_rows_index(const EcRows *rows, uint32_t i)
{
	return ec_vector_index(rows->column, rows->first + i);
}

static inline bool
ec_rows_null(const EcRows *rows, uint32_t i)
{
	return rows->nnulls > 0 && ec_vector_is_null(rows->column, rows->first + i);
}

#endif /* EC_ENCODING_CODEC_H */
