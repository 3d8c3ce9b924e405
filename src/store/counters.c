/*
 * counters.c
 *	  The counters of a table whose file is given back as a whole.
 *
 * The tuple is inserted frozen, as the truncation that follows can't be rolled back
 * either.  A crash between the two leaves a tuple that nobody asks for while there is
 * a metapage.  So the one with the highest number is right whenever there is none.
 */
#include "postgres.h"

#include <xxhash.h>

#include "access/heapam.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/counters.h"
#include "store/page.h"

static uint32
checksum_of(int64 number, const EcDiskCounters *disk)
{
	const Size start = offsetof(EcDiskCounters, next_row);

	return (uint32) XXH3_64bits_withSeed((const char *) disk + start, sizeof(*disk) - start,
										 (uint64) number);
}

static void
read_tuple(Relation rel, HeapTuple tuple, const EcCatalogTuple *opened, EcDiskCounters *disk)
{
	memset(disk, 0, sizeof(*disk));
	memcpy(disk, opened->payload, Min(opened->len, sizeof(*disk)));
	if (opened->len != sizeof(*disk) || disk->magic != EC_COUNTERS_MAGIC ||
		disk->checksum != checksum_of(opened->number, disk))
		ec_catalog_tuple_damaged(rel, tuple, "Its counters do not match its checksum.");
}

void
ec_counters_check(Relation rel, HeapTuple tuple, const EcCatalogTuple *opened)
{
	EcDiskCounters disk;

	read_tuple(rel, tuple, opened, &disk);
}

static void
remove_earlier(EcCompanion *c, int64 number)
{
	EcCatalogTuple opened;
	HeapTuple tuple;

	ec_companion_search_back(c, EC_CATALOG_COUNTERS, number - 1);
	while ((tuple = ec_companion_next(c, &opened)) != NULL)
	{
		if (ec_companion_sees(c, tuple, SnapshotSelf))
			(void) ec_companion_claim(c, &tuple->t_self, GetCurrentCommandId(true));
	}
	ec_companion_rest(c);
}

void
ec_counters_keep(EcCompanion *c, int64 number)
{
	EcDiskCounters disk = {.magic = EC_COUNTERS_MAGIC};
	EcDiskMeta meta;

	if (!ec_meta_read(c->main, &meta))
		return;
	disk.next_row = meta.next_row;
	disk.next_group = meta.next_group;
	disk.changes = meta.changes;
	disk.checksum = checksum_of(number, &disk);
	ec_companion_put(c, EC_CATALOG_COUNTERS, number, &disk, sizeof(disk), FirstCommandId,
					 HEAP_INSERT_FROZEN, NULL);
	remove_earlier(c, number);
}

static bool
find_last(EcCompanion *c, EcDiskCounters *disk)
{
	EcCatalogTuple opened;
	HeapTuple tuple;

	if (RelationGetNumberOfBlocks(c->heap) == 0)
		return false;
	ec_companion_search_back(c, EC_CATALOG_COUNTERS, EC_COUNTERS_LAST);
	tuple = ec_companion_next(c, &opened);
	if (tuple != NULL)
		read_tuple(c->main, tuple, &opened, disk);
	ec_companion_rest(c);
	return tuple != NULL;
}

bool
ec_counters_read(Relation rel, EcDiskMeta *meta)
{
	EcDiskCounters disk;
	EcCompanion c;
	bool found;

	/* a new file's companion is new, too, and perhaps without an index yet */
	if (ec_compat_has_new_file(rel) || !ec_companion_open(rel, AccessShareLock, &c))
		return false;
	found = find_last(&c, &disk);
	ec_companion_close(&c);
	if (!found)
		return false;
	*meta = (EcDiskMeta){
		.magic = EC_META_MAGIC,
		.version = EC_FORMAT_VERSION,
		.next_row = disk.next_row,
		.next_group = disk.next_group,
		.changes = disk.changes,
	};
	return true;
}
