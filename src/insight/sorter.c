/*
 * sorter.c
 *	  Sorts records of fixed width, in memory or by merging runs in a temporary file.
 *
 * In memory: radix sort from the first byte of the key on, in place (P. M. McIlroy,
 * K. Bostic, M. D. McIlroy, "Engineering Radix Sort", 1993), with insertion sort for
 * few records.  It takes half the time of a quicksort on keys of several words.
 *
 * A run is a sorted part of what was put.  When there are MAX_RUNS of them they are
 * merged into one, so that the merge's buffers stay small.
 */
#include "postgres.h"

#include "commands/tablespace.h"
#include "executor/nodeHash.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "insight/sorter.h"

#define MIN_MEMORY ((Size) 1024 * 1024)
#define FIRST_RECORDS 1024
#define FEW_RECORDS 24
#define MAX_RUNS 128
#define CHUNK_BYTES 8192 /* of a run in memory while merging */
#define CHECK_STEP 65536 /* records between checks for interrupts */
#define READ_STEP 4096	 /* likewise when they are read, which takes longer */

typedef struct Run
{
	off_t start;	/* in the file */
	uint64 records; /* in it */
	uint64 next;	/* to be read from the file next, while merging */
	uint64 *chunk;
	uint32 at; /* of the run's least record in chunk */
	uint32 n;  /* in chunk */
} Run;

struct EcSorter
{
	MemoryContext context;
	int words;
	int key_words;
	uint64 max_records; /* in memory */
	uint64 capacity;
	uint64 n;		 /* in memory */
	uint64 *records; /* [capacity * words] */
	uint64 at;		 /* the record to read next, if all are in memory */
	BufFile *file;	 /* NULL: everything is in memory */
	off_t file_end;
	uint64 file_records;
	int nruns;
	Run runs[MAX_RUNS];
	uint64 *chunks;			 /* of the runs, while merging */
	Run *heap[MAX_RUNS + 1]; /* [1 .. nheap]: runs that have a record, the least first */
	int nheap;
	bool taken; /* the first run's record has been handed out */
	uint64 reads;
};

EcSorter *
ec_sorter_create(MemoryContext parent, int words, int key_words, double share)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "ecinsight sorter", ALLOCSET_DEFAULT_SIZES);
	EcSorter *sorter = MemoryContextAllocZero(context, sizeof(EcSorter));
	Size memory = (Size) (get_hash_memory_limit() * share);
	Size record_size = sizeof(uint64) * words;

	Assert(words <= EC_SORTER_WORDS_MAX && key_words > 0 && key_words <= words);
	sorter->context = context;
	sorter->words = words;
	sorter->key_words = key_words;
	sorter->max_records = Max(memory, MIN_MEMORY) / record_size;
	sorter->capacity = FIRST_RECORDS;
	sorter->records = MemoryContextAlloc(context, record_size * FIRST_RECORDS);
	return sorter;
}

void
ec_sorter_destroy(EcSorter *sorter)
{
	if (sorter->file != NULL)
		BufFileClose(sorter->file);
	MemoryContextDelete(sorter->context);
}

uint64
ec_sorter_count(const EcSorter *sorter)
{
	return sorter->file_records + sorter->n;
}

static inline bool
is_less(const uint64 *a, const uint64 *b, int key_words)
{
	for (int w = 0; w < key_words; w++)
	{
		if (a[w] != b[w])
			return a[w] < b[w];
	}
	return false;
}

static inline void
copy_record(uint64 *to, const uint64 *from, int words)
{
	for (int w = 0; w < words; w++)
		to[w] = from[w];
}

/* ---- in memory ---- */

static void
insertion_sort(uint64 *records, uint64 n, int words, int key_words)
{
	uint64 moved[EC_SORTER_WORDS_MAX];

	for (uint64 i = 1; i < n; i++)
	{
		uint64 *to = records + i * words;

		if (!is_less(to, to - words, key_words))
			continue;
		copy_record(moved, to, words);
		do
		{
			copy_record(to, to - words, words);
			to -= words;
		} while (to > records && is_less(moved, to - words, key_words));
		copy_record(to, moved, words);
	}
}

/* The bits of a word in which not all records agree. */
static uint64
differing_bits(const uint64 *records, uint64 n, int words, int word)
{
	uint64 bits = 0;

	for (uint64 i = 0; i < n; i++)
	{
		if (i % CHECK_STEP == CHECK_STEP - 1)
			CHECK_FOR_INTERRUPTS();
		bits |= records[i * words + word] ^ records[word];
	}
	return bits;
}

/* Brings records whose byte (word >> shift) is less before the others; ends[b] is where those of byte b end. */
static inline void
distribute_words(uint64 *records, uint64 n, const int words, int word, int shift, uint64 ends[256])
{
	uint64 starts[256];
	uint64 sum = 0;

	memset(ends, 0, sizeof(uint64) * 256);
	for (uint64 i = 0; i < n; i++)
	{
		if (i % CHECK_STEP == CHECK_STEP - 1)
			CHECK_FOR_INTERRUPTS();
		ends[records[i * words + word] >> shift & 255]++;
	}
	for (int b = 0; b < 256; b++)
	{
		starts[b] = sum;
		ends[b] = sum += ends[b];
	}
	for (int b = 0; b < 256; b++)
	{
		while (starts[b] < ends[b])
		{
			uint64 *record = records + starts[b] * words;
			int to = record[word] >> shift & 255;
			uint64 *other = records + starts[to]++ * words;

			if (starts[to] % CHECK_STEP == 0)
				CHECK_FOR_INTERRUPTS();
			for (int w = 0; to != b && w < words; w++)
			{
				uint64 moved = record[w];

				record[w] = other[w];
				other[w] = moved;
			}
		}
	}
}

/* A loop for each width that matters. */
static void
distribute(uint64 *records, uint64 n, int words, int word, int shift, uint64 ends[256])
{
	switch (words)
	{
		case 2:
			distribute_words(records, n, 2, word, shift, ends);
			break;
		case 3:
			distribute_words(records, n, 3, word, shift, ends);
			break;
		case 4:
			distribute_words(records, n, 4, word, shift, ends);
			break;
		default:
			distribute_words(records, n, words, word, shift, ends);
			break;
	}
}

/* Records that agree in the words before this one. */
static void
radix_sort(uint64 *records, uint64 n, int words, int key_words, int word)
{
	uint64 ends[256];
	uint64 bits = 0;
	int shift;

	if (n <= FEW_RECORDS)
	{
		insertion_sort(records, n, words, key_words);
		return;
	}
	while (word < key_words && (bits = differing_bits(records, n, words, word)) == 0)
		word++;
	if (word == key_words)
		return;
	shift = Max(pg_leftmost_one_pos64(bits) - 7, 0);
	distribute(records, n, words, word, shift, ends);
	for (int b = 0; b < 256; b++)
	{
		uint64 start = b == 0 ? 0 : ends[b - 1];

		if (ends[b] - start > 1)
			radix_sort(records + start * words, ends[b] - start, words, key_words, word);
	}
}

/* ---- runs ---- */

static void
write_records(EcSorter *sorter, const uint64 *records, uint64 n)
{
	Size size = sizeof(uint64) * sorter->words;

	for (uint64 i = 0; i < n; i += CHECK_STEP)
	{
		CHECK_FOR_INTERRUPTS();
		BufFileWrite(sorter->file, unconstify(uint64 *, records) + i * sorter->words,
					 size * Min(n - i, CHECK_STEP));
	}
	sorter->file_end += size * n;
}

static BufFile *
create_file(void)
{
	PrepareTempTablespaces();
	return BufFileCreateTemp(false);
}

static void
seek(BufFile *file, off_t offset)
{
	/* a file is made of segments of less than 2^31 bytes; whole blocks reach beyond them */
	if (BufFileSeekBlock(file, offset / BLCKSZ) != 0 ||
		BufFileSeek(file, 0, offset % BLCKSZ, SEEK_CUR) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind temporary file")));
}

/* The next records of a run from the file; false if there are none. */
static bool
read_chunk(EcSorter *sorter, Run *run)
{
	Size record_size = sizeof(uint64) * sorter->words;
	uint32 n = Min(run->records - run->next, CHUNK_BYTES / record_size);
	Size size = record_size * n;

	if (n == 0)
		return false;
	seek(sorter->file, run->start + (off_t) (run->next * record_size));
	if (BufFileRead(sorter->file, run->chunk, size) != size)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read from temporary file")));
	run->next += n;
	run->n = n;
	run->at = 0;
	return true;
}

static inline const uint64 *
run_record(const EcSorter *sorter, const Run *run)
{
	return run->chunk + (Size) run->at * sorter->words;
}

static void
sift_down(EcSorter *sorter, int at)
{
	Run *run = sorter->heap[at];

	for (;;)
	{
		int child = at * 2;

		if (child > sorter->nheap)
			break;
		if (child < sorter->nheap &&
			is_less(run_record(sorter, sorter->heap[child + 1]),
					run_record(sorter, sorter->heap[child]), sorter->key_words))
			child++;
		if (!is_less(run_record(sorter, sorter->heap[child]), run_record(sorter, run),
					 sorter->key_words))
			break;
		sorter->heap[at] = sorter->heap[child];
		at = child;
	}
	sorter->heap[at] = run;
}

static void
start_merge(EcSorter *sorter)
{
	if (sorter->chunks == NULL)
		sorter->chunks = MemoryContextAllocHuge(sorter->context, CHUNK_BYTES * (Size) MAX_RUNS);
	sorter->nheap = 0;
	sorter->taken = false;
	for (int i = 0; i < sorter->nruns; i++)
	{
		Run *run = &sorter->runs[i];

		run->chunk = sorter->chunks + CHUNK_BYTES / sizeof(uint64) * i;
		run->next = 0;
		if (read_chunk(sorter, run))
			sorter->heap[++sorter->nheap] = run;
	}
	for (int at = sorter->nheap / 2; at > 0; at--)
		sift_down(sorter, at);
}

static const uint64 *
next_merged(EcSorter *sorter)
{
	if (sorter->taken)
	{
		Run *run = sorter->heap[1];

		if (++run->at == run->n && !read_chunk(sorter, run))
			sorter->heap[1] = sorter->heap[sorter->nheap--];
		if (sorter->nheap > 1)
			sift_down(sorter, 1);
	}
	sorter->taken = sorter->nheap > 0;
	return sorter->taken ? run_record(sorter, sorter->heap[1]) : NULL;
}

/* All runs become the first one of a new file. */
static void
merge_runs(EcSorter *sorter)
{
	BufFile *old = sorter->file;
	BufFile *new = create_file();
	const uint64 *record;
	Run merged = {0};

	start_merge(sorter);
	while ((record = next_merged(sorter)) != NULL)
	{
		if (++merged.records % CHECK_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		BufFileWrite(new, unconstify(uint64 *, record), sizeof(uint64) * sorter->words);
	}
	BufFileClose(old);
	sorter->file = new;
	sorter->runs[0] = merged;
	sorter->nruns = 1;
}

/* What is in memory becomes a run. */
static void
write_run(EcSorter *sorter)
{
	Run *run;

	if (sorter->file == NULL)
		sorter->file = create_file();
	if (sorter->nruns == MAX_RUNS)
		merge_runs(sorter);
	radix_sort(sorter->records, sorter->n, sorter->words, sorter->key_words, 0);
	run = &sorter->runs[sorter->nruns++];
	run->start = sorter->file_end;
	run->records = sorter->n;
	write_records(sorter, sorter->records, sorter->n);
	sorter->file_records += sorter->n;
	sorter->n = 0;
}

/* ---- records in and out ---- */

static pg_noinline void
make_room(EcSorter *sorter)
{
	CHECK_FOR_INTERRUPTS();
	if (sorter->capacity < sorter->max_records)
	{
		sorter->capacity = Min(sorter->capacity * 2, sorter->max_records);
		sorter->records =
			repalloc_huge(sorter->records, sizeof(uint64) * sorter->words * sorter->capacity);
	}
	else
		write_run(sorter);
}

void
ec_sorter_put(EcSorter *sorter, const uint64 *record)
{
	if (unlikely(sorter->n == sorter->capacity))
		make_room(sorter);
	copy_record(sorter->records + sorter->n * sorter->words, record, sorter->words);
	sorter->n++;
}

void
ec_sorter_sort(EcSorter *sorter)
{
	if (sorter->file != NULL)
	{
		if (sorter->n > 0)
			write_run(sorter);
		start_merge(sorter);
	}
	else if (sorter->at == 0)
		radix_sort(sorter->records, sorter->n, sorter->words, sorter->key_words, 0);
	sorter->at = 0;
	sorter->reads = 0;
}

const uint64 *
ec_sorter_next(EcSorter *sorter)
{
	if (++sorter->reads % READ_STEP == 0)
		CHECK_FOR_INTERRUPTS();
	if (sorter->file != NULL)
		return next_merged(sorter);
	if (sorter->at == sorter->n)
		return NULL;
	return sorter->records + sorter->at++ * sorter->words;
}

const uint64 *
ec_sorter_next_some(EcSorter *sorter, uint64 max, uint64 *n)
{
	const uint64 *first;

	if (sorter->file != NULL || sorter->at == sorter->n)
	{
		*n = 1;
		return ec_sorter_next(sorter);
	}
	CHECK_FOR_INTERRUPTS();
	first = sorter->records + sorter->at * sorter->words;
	*n = Min(max, sorter->n - sorter->at);
	sorter->at += *n;
	return first;
}
