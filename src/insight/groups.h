/*
 * groups.h
 *	  Pairs (64-bit integer or NULL, id) to small numbers 0, 1, 2 ...: group
 *	  numbers for keys of two columns.
 *
 * For few groups (thousands): the table stays in the cache.
 */
#ifndef EC_GROUPS_H
#define EC_GROUPS_H

#include "postgres.h"

typedef struct EcGroupKey
{
	int64 major; /* 0 if major_null */
	uint32 minor;
	bool major_null;
} EcGroupKey;

typedef struct EcGroupSlot
{
	int64 major;
	uint32 minor;  /* with EC_GROUP_NULL if major is NULL */
	uint32 number; /* of the group, plus 1; 0: empty */
} EcGroupSlot;

typedef struct EcGroups
{
	MemoryContext context;
	EcGroupSlot *slots;
	uint64 mask;
	EcGroupKey *keys; /* by group number */
	uint32 count;
	uint32 capacity;
} EcGroups;

extern void ec_groups_init(EcGroups *groups, MemoryContext context);

/* numbers[i] of (majors[i] or NULL, minors[i]); nulls may be NULL.  Minors are at most EC_ID_MAX. */
extern void ec_groups_find(EcGroups *groups, uint32 n, const int64 *majors, const uint8 *nulls,
						   const uint32 *minors, uint32 *numbers);

/* The same with ids as majors. */
extern void ec_groups_find_ids(EcGroups *groups, uint32 n, const uint32 *majors,
							   const uint32 *minors, uint32 *numbers);

#endif /* EC_GROUPS_H */
