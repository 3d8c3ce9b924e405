/*
 * csv_scan.c
 *	  See csv_scan.h.  On x86 each block is classified by SSE2 or, where the
 *	  processor has it, AVX2; elsewhere by words of eight bytes.
 */
#include "ingest/csv_scan.h"

#include <string.h>

#if defined(__x86_64__) && !defined(EC_SCAN_PORTABLE)
#include <immintrin.h>
#define EC_ON_X86
#endif

/* The tests define EC_SCAN_PORTABLE or EC_SCAN_SSE2_ONLY to see the other variants, too. */
#ifdef EC_SCAN_SSE2_ONLY
#define HAVE_AVX2 false
#else
#define HAVE_AVX2 __builtin_cpu_supports("avx2")
#endif

/* Which of 64 bytes are what: bit i speaks of byte i. */
typedef struct BlockMasks
{
	uint64_t delimiter;
	uint64_t line_end;
	uint64_t cr;
	uint64_t quote;
	uint64_t odd; /* NUL, or not ASCII */
} BlockMasks;

/* What is looked for, in a local copy: stores to marks could alias the scan's own bytes. */
typedef struct Wanted
{
	uint8_t delimiter;
	uint8_t line_end;
	uint8_t quote;
} Wanted;

typedef void (*ClassifyBlock)(Wanted want, const uint8_t *p, BlockMasks *m);

/*
 * The loop shared by all variants.  A pass appends the block's marks without
 * branching on how many there are (eight, then in a loop), and its first line end
 * likewise: most blocks hold few.
 */
static inline __attribute__((always_inline)) void
scan_blocks(EcCsvScan *scan, size_t begin, ClassifyBlock classify)
{
	const Wanted want = {scan->delimiter, scan->line_end, scan->quote};
	const uint8_t *base = scan->base;
	const size_t len = scan->len;
	const size_t readable = scan->readable;
	const uint32_t marks_max = scan->marks_max;
	const uint32_t ends_max = scan->ends_max;
	const bool lf = scan->line_end == '\n';
	const uint64_t quoting = scan->quoting ? ~UINT64_C(0) : 0;
	uint32_t *marks = scan->marks;
	uint32_t *ends = scan->ends;
	uint32_t nmarks = 0;
	uint32_t nends = 0;
	uint64_t odd = 0;
	uint64_t quotes = 0;
	size_t at = begin;

	while (at < len && at + 2 * EC_SCAN_BLOCK <= readable && nmarks <= marks_max &&
		   nends < ends_max)
	{
		BlockMasks m;
		uint64_t in_data = ~UINT64_C(0);
		uint64_t stop;
		uint64_t mark;
		uint64_t end;
		uint32_t n;

		classify(want, base + at, &m);
		if (len - at < EC_SCAN_BLOCK)
			in_data = (UINT64_C(1) << (len - at)) - 1;
		stop = m.quote & quoting;
		if (lf)
		{
			/* the block's last byte is paired with the first one behind it */
			uint64_t followed = m.line_end >> 1 | (uint64_t) (base[at + EC_SCAN_BLOCK] == '\n')
													  << 63;

			stop |= m.cr & ~followed;
		}
		stop &= in_data;
		if (__builtin_expect(stop != 0, 0))
			in_data &= (stop & -stop) - 1;
		mark = (m.delimiter | m.line_end) & in_data;
		end = m.line_end & in_data;
		odd |= m.odd & in_data;
		quotes |= m.quote & in_data;

		n = (uint32_t) __builtin_popcountll(mark);
		if (end != 0)
		{
			uint64_t e = end;

			do
			{
				ends[nends++] = nmarks + (uint32_t) __builtin_popcountll(mark & ((e & -e) - 1));
				e &= e - 1;
			} while (e != 0);
		}
		for (int i = 0; i < 8; i++)
		{
			/* of an empty mask this yields a position that the next block overwrites */
			marks[nmarks + i] = (uint32_t) at + (mark != 0 ? (uint32_t) __builtin_ctzll(mark) : 0);
			mark &= mark - 1;
		}
		for (uint32_t i = 8; mark != 0; i++)
		{
			marks[nmarks + i] = (uint32_t) at + (uint32_t) __builtin_ctzll(mark);
			mark &= mark - 1;
		}
		nmarks += n;
		if (stop != 0)
			break;
		at += EC_SCAN_BLOCK;
	}
	scan->nmarks = nmarks;
	scan->nends = nends < ends_max ? nends : ends_max;
	scan->odd_bytes = odd != 0;
	scan->quote_seen = quotes != 0;
}

#ifdef EC_ON_X86

static inline __attribute__((always_inline)) uint64_t
equal_mask_sse2(const __m128i v[4], uint8_t c)
{
	__m128i all = _mm_set1_epi8((char) c);
	uint64_t mask = 0;

	for (int i = 0; i < 4; i++)
		mask |= (uint64_t) (uint16_t) _mm_movemask_epi8(_mm_cmpeq_epi8(v[i], all)) << (16 * i);
	return mask;
}

static inline __attribute__((always_inline)) void
classify_sse2(Wanted want, const uint8_t *p, BlockMasks *m)
{
	__m128i v[4];
	uint64_t high = 0;

	for (int i = 0; i < 4; i++)
	{
		v[i] = _mm_loadu_si128((const __m128i *) (const void *) (p + 16 * i));
		high |= (uint64_t) (uint16_t) _mm_movemask_epi8(v[i]) << (16 * i);
	}
	m->delimiter = equal_mask_sse2(v, want.delimiter);
	m->line_end = equal_mask_sse2(v, want.line_end);
	m->cr = equal_mask_sse2(v, '\r');
	m->quote = equal_mask_sse2(v, want.quote);
	m->odd = high | equal_mask_sse2(v, 0);
}

#define TARGET_AVX2 __attribute__((target("avx2,bmi,popcnt")))

static inline TARGET_AVX2 uint64_t
equal_mask_avx2(__m256i low, __m256i high, uint8_t c)
{
	__m256i all = _mm256_set1_epi8((char) c);
	uint32_t l = (uint32_t) _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, all));
	uint32_t h = (uint32_t) _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, all));

	return (uint64_t) h << 32 | l;
}

static inline TARGET_AVX2 void
classify_avx2(Wanted want, const uint8_t *p, BlockMasks *m)
{
	__m256i low = _mm256_loadu_si256((const __m256i *) (const void *) p);
	__m256i high = _mm256_loadu_si256((const __m256i *) (const void *) (p + 32));

	m->delimiter = equal_mask_avx2(low, high, want.delimiter);
	m->line_end = equal_mask_avx2(low, high, want.line_end);
	m->cr = equal_mask_avx2(low, high, '\r');
	m->quote = equal_mask_avx2(low, high, want.quote);
	m->odd = equal_mask_avx2(low, high, 0) |
			 (uint64_t) (uint32_t) _mm256_movemask_epi8(high) << 32 |
			 (uint32_t) _mm256_movemask_epi8(low);
}

static TARGET_AVX2 void
scan_avx2(EcCsvScan *scan, size_t begin)
{
	scan_blocks(scan, begin, classify_avx2);
}

static void
scan_sse2(EcCsvScan *scan, size_t begin)
{
	scan_blocks(scan, begin, classify_sse2);
}

void
ec_csv_scan(EcCsvScan *scan, size_t begin)
{
	if (HAVE_AVX2)
		scan_avx2(scan, begin);
	else
		scan_sse2(scan, begin);
}

#else

/* Bit i of the result is set where byte i (in memory order) of the word is zero. */
static inline uint64_t
zero_bytes(uint64_t v)
{
	uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f);
	uint64_t high = ~(((v & low7) + low7) | v | low7); /* exact: no carry between bytes */

	return (high >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static inline void
classify_words(Wanted want, const uint8_t *p, BlockMasks *m)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	memset(m, 0, sizeof(*m));
	for (int i = 0; i < 8; i++)
	{
		uint64_t v = 0;

		for (int j = 0; j < 8; j++)
			v |= (uint64_t) p[8 * i + j] << (8 * j);
		m->delimiter |= zero_bytes(v ^ ones * want.delimiter) << (8 * i);
		m->line_end |= zero_bytes(v ^ ones * want.line_end) << (8 * i);
		m->cr |= zero_bytes(v ^ ones * '\r') << (8 * i);
		m->quote |= zero_bytes(v ^ ones * want.quote) << (8 * i);
		m->odd |= (zero_bytes(v) | zero_bytes(~v & ones << 7)) << (8 * i);
	}
}

void
ec_csv_scan(EcCsvScan *scan, size_t begin)
{
	scan_blocks(scan, begin, classify_words);
}

#endif
