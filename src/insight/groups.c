/*
 * groups.c
 *	  Pairs to group numbers, by open addressing.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "insight/groups.h"
#include "insight/interner.h"

#define EC_GROUP_NULL 0x80000000U
#define INITIAL_SLOTS 1024 /* a power of two */

void
ec_groups_init(EcGroups *groups, MemoryContext context)
{
	groups->context = context;
	groups->slots = MemoryContextAllocZero(context, sizeof(EcGroupSlot) * INITIAL_SLOTS);
	groups->mask = INITIAL_SLOTS - 1;
	groups->capacity = INITIAL_SLOTS / 2;
	groups->keys = MemoryContextAlloc(context, sizeof(EcGroupKey) * groups->capacity);
	groups->count = 0;
}

static inline uint64
hash_pair(int64 major, uint32 minor)
{
	uint64 h = (uint64) major ^ ((uint64) minor * UINT64CONST(0x9E3779B97F4A7C15));

	h ^= h >> 32;
	h *= UINT64CONST(0xD6E8FEB86659FD93);
	return h ^ (h >> 32);
}

static void
grow(EcGroups *groups)
{
	uint64 nslots = (groups->mask + 1) * 2;
	EcGroupSlot *slots = MemoryContextAllocExtended(groups->context, sizeof(EcGroupSlot) * nslots,
													MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	if (groups->count >= EC_ID_MAX / 2)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many groups"),
						errdetail("At most %d can be told apart.", EC_ID_MAX / 2)));
	for (uint64 i = 0; i <= groups->mask; i++)
	{
		const EcGroupSlot *slot = &groups->slots[i];
		uint64 at = hash_pair(slot->major, slot->minor);

		if (slot->number == 0)
			continue;
		while (slots[at &= nslots - 1].number != 0)
			at++;
		slots[at] = *slot;
	}
	pfree(groups->slots);
	groups->slots = slots;
	groups->mask = nslots - 1;
	groups->capacity *= 2;
	groups->keys = repalloc_huge(groups->keys, sizeof(EcGroupKey) * groups->capacity);
}

static pg_noinline uint32
add_group(EcGroups *groups, int64 major, uint32 minor)
{
	uint64 at;
	EcGroupKey *key;

	if (groups->count == groups->capacity)
		grow(groups);
	at = hash_pair(major, minor) & groups->mask;
	while (groups->slots[at].number != 0)
		at = (at + 1) & groups->mask;
	key = &groups->keys[groups->count];
	key->major = major;
	key->minor = minor & ~EC_GROUP_NULL;
	key->major_null = (minor & EC_GROUP_NULL) != 0;
	groups->count++;
	groups->slots[at].major = major;
	groups->slots[at].minor = minor;
	groups->slots[at].number = groups->count;
	return groups->count - 1;
}

static inline uint32
find(EcGroups *groups, int64 major, uint32 minor)
{
	uint64 at = hash_pair(major, minor) & groups->mask;

	while (groups->slots[at].number != 0)
	{
		if (groups->slots[at].major == major && groups->slots[at].minor == minor)
			return groups->slots[at].number - 1;
		at = (at + 1) & groups->mask;
	}
	return add_group(groups, major, minor);
}

void
ec_groups_find(EcGroups *groups, uint32 n, const int64 *majors, const uint8 *nulls,
			   const uint32 *minors, uint32 *numbers)
{
	if (nulls == NULL)
	{
		for (uint32 i = 0; i < n; i++)
			numbers[i] = find(groups, majors[i], minors[i]);
		return;
	}
	for (uint32 i = 0; i < n; i++)
	{
		if (nulls[i])
			numbers[i] = find(groups, 0, minors[i] | EC_GROUP_NULL);
		else
			numbers[i] = find(groups, majors[i], minors[i]);
	}
}

void
ec_groups_find_ids(EcGroups *groups, uint32 n, const uint32 *majors, const uint32 *minors,
				   uint32 *numbers)
{
	for (uint32 i = 0; i < n; i++)
		numbers[i] = find(groups, majors[i], minors[i]);
}
