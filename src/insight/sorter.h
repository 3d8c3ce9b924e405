/*
 * sorter.h
 *	  Sorts records of fixed width: words whose first ones are the key, ascending as
 *	  unsigned numbers.
 *
 * Memory: share * work_mem * hash_mem_multiplier (1 MB at the least); beyond that sorted
 * runs go to a temporary file and are merged as they are read.
 */
#ifndef EC_SORTER_H
#define EC_SORTER_H

#include "postgres.h"

#define EC_SORTER_WORDS_MAX 16

typedef struct EcSorter EcSorter;

/* 1 <= key_words <= words <= EC_SORTER_WORDS_MAX.  Everything is palloc'd below parent. */
extern EcSorter *ec_sorter_create(MemoryContext parent, int words, int key_words, double share);

extern void ec_sorter_put(EcSorter *sorter, const uint64 *record);
extern uint64 ec_sorter_count(const EcSorter *sorter);

/* Sorts what was put and starts reading; again: reads from the start anew. */
extern void ec_sorter_sort(EcSorter *sorter);

/* The next record, which lives until the next call; NULL at the end. */
extern const uint64 *ec_sorter_next(EcSorter *sorter);

/* The next ones, n of them, one behind the other. */
extern const uint64 *ec_sorter_next_some(EcSorter *sorter, uint64 max, uint64 *n);

extern void ec_sorter_destroy(EcSorter *sorter);

/* Signed numbers as words of a key. */
static inline uint64
ec_sorter_word(int64 value)
{
	return (uint64) value ^ (UINT64CONST(1) << 63);
}

static inline int64
ec_sorter_int64(uint64 word)
{
	return (int64) (word ^ (UINT64CONST(1) << 63));
}

#endif /* EC_SORTER_H */
