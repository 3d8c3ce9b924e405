/*
 * counts.h
 *	  Rows by (user or NULL, group number): a count for each of millions of pairs.
 *
 * Memory: 16 bytes a slot; the table is between 35 and 70 per cent full once it
 * has grown, so 23 to 46 bytes a pair (1.5 times that while it grows).
 */
#ifndef EC_COUNTS_H
#define EC_COUNTS_H

#include "postgres.h"

typedef struct EcCount
{
	int64 user;					/* 0 if user_null */
	uint64 n;
	uint32 group;
	bool user_null;
} EcCount;

typedef struct EcCounts EcCounts;

extern EcCounts *ec_counts_create(MemoryContext context);

/* Counts n <= EC_BLOCK_ROWS rows; nulls may be NULL.  Groups are at most EC_ID_MAX. */
extern void ec_counts_add(EcCounts *counts, uint32 n, const int64 *users, const uint8 *nulls,
						  const uint32 *groups);

/* Calls visit for each pair whose count is at least *least, which visit may raise as it goes. */
typedef void (*EcCountVisitor) (const EcCount *count, uint64 *least, void *arg);
extern void ec_counts_visit(EcCounts *counts, EcCountVisitor visit, void *arg);

#endif							/* EC_COUNTS_H */
