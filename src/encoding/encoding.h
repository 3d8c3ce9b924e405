/*
 * encoding.h
 *	  Column chunks: a column of one row group, encoded.  Pure C: works on
 *	  callers' buffers, returns status codes, never allocates behind the caller's
 *	  back while decoding, never trusts a byte that it reads.
 *
 * A chunk is one contiguous run of bytes:
 *
 *		header | dictionary (optional) | block 0 | block 1 | ...
 *
 * The header is small and self-checked; it tells the physical class, the kind and
 * scale of the values, and for the dictionary and each block: offset, length,
 * checksum (XXH3, low 32 bits), memory needed to decode, rows, NULLs and zone.
 * A dictionary, where there is one, holds every value of the chunk: what it lacks,
 * no row of the chunk has (scans skip row groups by it).  It is stored in segments
 * of some thousand entries, each a piece of its own, so that a single row needs
 * neither the whole dictionary nor its bytes.
 * So a reader fetches the header, then only the pieces that it needs.  Every
 * block has EC_BLOCK_ROWS rows but the last.
 *
 * Zones hold the least and the greatest non-NULL value, in int64 order: the value
 * itself for INT64 columns, ec_bytes_prefix for BYTES and for UUIDs (of their
 * 16 raw bytes; text packed as UUID: of its 36 characters).
 *
 * The encodings (const, RLE, bit-packing with frame of reference, delta,
 * dictionary, plain, UUID, ...) and how the chooser weighs them are explained in
 * encoding/README.
 */
#ifndef EC_ENCODING_H
#define EC_ENCODING_H

#include "vector/vector.h"

typedef enum EcStatus
{
	EC_OK = 0,
	EC_ERR_CORRUPT, /* bytes contradict themselves, or a checksum is wrong */
	EC_ERR_NOMEM,	/* the allocator returned NULL */
	EC_ERR_SPACE,	/* the caller's scratch memory is smaller than announced */
	EC_ERR_VERSION, /* written by a newer format */
	EC_ERR_LIMIT	/* input above a limit of the format (e.g. a chunk of 4 GiB) */
} EcStatus;

extern const char *ec_status_text(EcStatus status);

typedef enum EcCodec
{
	EC_CODEC_NONE = 0,
	EC_CODEC_LZ4 = 1,
	EC_CODEC_ZSTD = 2
} EcCodec;

/* Growable output; zero it but for alloc, free with ec_buf_free. */
typedef struct EcBuf
{
	uint8_t *data;
	size_t len;
	size_t cap;
	const EcAllocator *alloc;
} EcBuf;

extern EcStatus ec_buf_reserve(EcBuf *buf, size_t more);
extern EcStatus ec_buf_append(EcBuf *buf, const void *data, size_t len);
extern void ec_buf_free(EcBuf *buf);

typedef struct EcZone
{
	int64_t min;
	int64_t max;
	uint32_t nrows;
	uint32_t nnulls; /* min and max are meaningless if nnulls == nrows */
} EcZone;

typedef struct EcPiece
{
	uint64_t offset; /* from the start of the chunk */
	uint32_t len;	 /* stored bytes */
	uint32_t checksum;
	uint64_t scratch;  /* bytes of caller's memory needed to decode it */
	uint16_t encoding; /* EcEncoding, for inspection */
	uint16_t codec;	   /* EcCodec in use */
} EcPiece;

typedef struct EcBlock
{
	EcPiece piece;
	EcZone zone;
} EcBlock;

typedef struct EcChunk
{
	EcPhys phys;
	EcKind kind;
	int32_t scale;		/* DECIMAL: digits after the point */
	uint64_t total_len; /* bytes of the whole chunk, header included */
	EcZone zone;		/* of all rows */
	uint32_t ndict;		/* 0: no dictionary */
	EcPiece dict;		/* all segments together; its checksum means nothing */
	uint32_t nblocks;
	EcBlock *blocks;		  /* allocated with the allocator given to ec_chunk_parse */
	uint32_t nsegments;		  /* of the dictionary */
	uint32_t segment_entries; /* of each segment but the last, which may have fewer */
	EcPiece *segments;		  /* in the same allocation as blocks */
} EcChunk;

typedef struct EcEncodeOptions
{
	EcCodec codec;
	int level; /* zstd's; ignored by others */
	EcKind kind;
	int32_t scale;
} EcEncodeOptions;

/* One context per writer: reusable work memory and compression contexts. */
typedef struct EcEncoder EcEncoder;

extern EcEncoder *ec_encoder_create(const EcAllocator *alloc); /* NULL: out of memory */
extern void ec_encoder_destroy(EcEncoder *enc);

/*
 * Appends the chunk of a whole column (nrows in 1 .. EC_GROUP_ROWS_MAX) to out.
 * *header_len gets the length of its header, which the row group's directory keeps.
 */
extern EcStatus ec_chunk_encode(EcEncoder *enc, const EcVector *column, const EcEncodeOptions *opts,
								EcBuf *out, uint32_t *header_len);

/* Parses and checks a chunk's header (exactly header_len bytes). */
extern EcStatus
ec_chunk_parse(const uint8_t *header, size_t header_len, const EcAllocator *alloc, EcChunk *out);

/* One context per reader: decompression contexts; holds no data. */
typedef struct EcDecoder EcDecoder;

extern EcDecoder *ec_decoder_create(const EcAllocator *alloc);
extern void ec_decoder_destroy(EcDecoder *dec);

/*
 * Decodes the dictionary / one block from its stored bytes (piece.len of them)
 * into scratch (at least piece.scratch bytes, 16-byte aligned), which the vector
 * then points into; BYTES values of uncompressed pieces may point into "bytes",
 * so both must outlive the vector.  A dictionary is a FLAT vector of ndict rows
 * without NULLs.  A block of a chunk with a dictionary needs it as "dict" (else
 * NULL) and comes out in DICT form sharing dict's values (or CONST, or FLAT if
 * that block is not dictionary-coded).
 */
extern EcStatus ec_dict_decode(EcDecoder *dec, const EcChunk *chunk, const uint8_t *bytes,
							   void *scratch, size_t scratch_len, EcVector *out);
extern EcStatus
ec_block_decode(EcDecoder *dec, const EcChunk *chunk, uint32_t block, const uint8_t *bytes,
				const EcVector *dict, void *scratch, size_t scratch_len, EcVector *out);

/* ------------------------------------------------------------------------
 * Single rows
 * ------------------------------------------------------------------------
 */

/*
 * A block opened for reading single rows of it: its checksum was verified and its
 * streams are decompressed, but as far as its encoding allows nothing else was
 * decoded.  Fields are private to encoding/view.c.
 */
typedef struct EcView
{
	EcPhys phys;
	uint16_t encoding;
	uint32_t nrows;
	uint32_t nnulls;
	uint32_t ndict;
	bool all_null;
	const uint64_t *validity;
	EcVector whole; /* blocks that had to be decoded, values that lie in an array, those of runs */
	uint32_t nints; /* integers stored or moved: one for each row, or for each run */
	uint32_t code;	/* of all rows */
	uint8_t numbering; /* of codes */
	uint32_t nplanes;  /* 0: the integers are packed */
	const uint8_t *planes[8];
	const uint8_t *widths;
	const uint8_t *minis[EC_BLOCK_ROWS / 1024];
	uint32_t seen[EC_BLOCK_ROWS / 1024]; /* entries met before each mini */
	uint64_t base;
	uint64_t unit;
	bool zigzag;			  /* steps: each adds base + unit * integer ... */
	const uint64_t *anchors;  /* ... to this, the value before every EC_ANCHOR_ROWS rows */
	const uint32_t *run_ends; /* runs: the row behind each */
	uint32_t at; /* a row, and the entries met before it: the next row asked for is often near */
	uint32_t at_seen;
	const uint64_t *bases; /* moved integers: the least of each mini, which units are added to */
	const uint32_t *ends;  /* moved strings: where each ends ... */
	const uint8_t *chars;  /* ... in these */
} EcView;

/* A row's value. */
typedef struct EcPoint
{
	bool isnull;
	bool in_dict;  /* it is the dictionary's entry "code" ... */
	uint32_t code; /* ... which segment code / segment_entries holds */
	union
	{
		int64_t i64;
		EcBytes bytes; /* points into the view's memory */
		EcUuid uuid;
	} value; /* else */
} EcPoint;

/* Scratch memory that ec_view_open takes: at most the block's own piece.scratch. */
extern uint64_t ec_view_scratch(const EcChunk *chunk, uint32_t block);

/* The view points into bytes and scratch: both must outlive it, the chunk need not. */
extern EcStatus ec_view_open(EcDecoder *dec, const EcChunk *chunk, uint32_t block,
							 const uint8_t *bytes, void *scratch, size_t scratch_len, EcView *view);
extern EcStatus ec_view_get(EcView *view, uint32_t row, EcPoint *point);

/* A segment of a dictionary likewise; its scratch is the segment's.  Codes count from its first entry. */
extern EcStatus
ec_view_open_segment(EcDecoder *dec, const EcChunk *chunk, uint32_t segment, const uint8_t *bytes,
					 void *scratch, size_t scratch_len, EcView *view);

/*
 * Moves a view into memory of its own, aligned to 8 bytes, as small as it can be
 * while rows still are found at once: what was decoded is packed again.  The first
 * step tells how much memory; after the second, bytes and scratch can go.
 */
typedef struct EcViewPlan
{
	size_t size;
	bool packs; /* integers: what follows */
	uint64_t unit;
	uint64_t bases[EC_BLOCK_ROWS / 1024];
	uint8_t widths[EC_BLOCK_ROWS / 1024];
} EcViewPlan;

extern void ec_view_plan(const EcView *view, EcViewPlan *plan);
extern void ec_view_move(EcView *view, const EcViewPlan *plan, void *memory);

/* One segment of a dictionary, as ec_dict_decode does all of them. */
extern EcStatus
ec_segment_decode(EcDecoder *dec, const EcChunk *chunk, uint32_t segment, const uint8_t *bytes,
				  void *scratch, size_t scratch_len, EcVector *out);

extern const char *ec_encoding_name(int encoding);
extern const char *ec_codec_name(int codec);

#endif /* EC_ENCODING_H */
