/*
 * counts.h
 *	  Rows by (user or NULL, group number): a count for each of millions of pairs.
 *
 * Memory: a hash table of 16 bytes a slot, 35 to 70 per cent full once it has grown
 * (23 to 46 bytes a pair), and 0.7 MB besides.  It stays within work_mem *
 * hash_mem_multiplier, as hash aggregation in PostgreSQL does (1 MB at the least):
 * pairs beyond that go to temporary files, partitioned by hash, and are counted
 * partition by partition at the end.
 */
#ifndef EC_COUNTS_H
#define EC_COUNTS_H

#include "postgres.h"

typedef struct EcCount
{
	int64 user; /* 0 if user_null */
	uint64 n;
	uint32 group;
	bool user_null;
} EcCount;

typedef struct EcCounts EcCounts;

extern EcCounts *ec_counts_create(MemoryContext parent);

/* Counts n <= EC_BLOCK_ROWS rows; nulls may be NULL.  Groups are at most EC_ID_MAX. */
extern void ec_counts_add(EcCounts *counts, uint32 n, const int64 *users, const uint8 *nulls,
						  const uint32 *groups);

/*
 * Calls visit for each pair whose count is at least *least, which visit may raise as
 * it goes.  Once only: what was counted is gone afterwards.
 */
typedef void (*EcCountVisitor)(const EcCount *count, uint64 *least, void *arg);
extern void ec_counts_visit(EcCounts *counts, EcCountVisitor visit, void *arg);

extern void ec_counts_destroy(EcCounts *counts);

#endif /* EC_COUNTS_H */
