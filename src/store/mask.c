/*
 * mask.c
 *	  Writes and reads MASK tuples (format.h: EcDiskMask).
 */
#include "postgres.h"

#include <xxhash.h>

#include "port/pg_bitutils.h"
#include "utils/rel.h"

#include "store/companion.h"
#include "store/mask.h"

#define CHECKSUM_START offsetof(EcDiskMask, form)

/* The seed is none that a row tuple of that number could have: a flipped bit of the kind must not go unseen. */
static uint32
mask_checksum(int64 number, const uint8 *payload, Size len)
{
	return (uint32) XXH3_64bits_withSeed(payload + CHECKSUM_START, len - CHECKSUM_START,
										 (XXH64_hash_t) ~number);
}

static void
put_positions(const uint64 *dead, uint32 nrows, uint8 *out)
{
	for (uint32 row = 0; row < nrows; row++)
	{
		uint16 position = (uint16) row;

		if ((dead[row / 64] >> row % 64 & 1) == 0)
			continue;
		memcpy(out, &position, sizeof(position));
		out += sizeof(position);
	}
}

void
ec_mask_insert(Relation rel, int64 group, uint32 block, const uint64 *dead, uint32 nrows,
			   CommandId cid, int options)
{
	int64 number = EC_MASK_NUMBER(group, block);
	uint8 payload[sizeof(EcDiskMask) + EC_BLOCK_ROWS / 8];
	EcDiskMask disk = {.form = EC_MASK_BITMAP, .nrows = nrows};
	Size len = (nrows + 7) / 8;

	Assert(nrows > 0 && nrows <= EC_BLOCK_ROWS);
	for (uint32 i = 0; i < (nrows + 63) / 64; i++)
		disk.ndead += pg_popcount64(dead[i]);
	if (disk.ndead * sizeof(uint16) < len)
	{
		disk.form = EC_MASK_POSITIONS;
		len = disk.ndead * sizeof(uint16);
		put_positions(dead, nrows, payload + sizeof(disk));
	}
	else
		memcpy(payload + sizeof(disk), dead, len);
	len += sizeof(disk);
	memcpy(payload, &disk, sizeof(disk));
	disk.checksum = mask_checksum(number, payload, len);
	memcpy(payload, &disk, sizeof(disk));
	ec_companion_insert(rel, EC_CATALOG_MASK, number, payload, len, cid, options);
}

static void
mask_damaged(Relation rel, int64 group, uint32 block, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("mask of block %u of row group " INT64_FORMAT " of table \"%s\" is damaged",
					block, group, RelationGetRelationName(rel)),
			 errdetail_internal("%s", what)));
}

static bool
add_positions(const uint8 *data, const EcDiskMask *disk, uint64 *dead)
{
	for (uint32 i = 0; i < disk->ndead; i++)
	{
		uint16 position;

		memcpy(&position, data + i * sizeof(position), sizeof(position));
		if (position >= disk->nrows)
			return false;
		dead[position / 64] |= UINT64CONST(1) << position % 64;
	}
	return true;
}

/* Bits beyond the last row are none of ours. */
static bool
add_bitmap(const uint8 *data, const EcDiskMask *disk, uint64 *dead)
{
	uint64 bits[EC_MASK_WORDS] = {0};
	uint32 words = (disk->nrows + 63) / 64;

	memcpy(bits, data, (disk->nrows + 7) / 8);
	if (disk->nrows % 64 != 0 && bits[words - 1] >> disk->nrows % 64 != 0)
		return false;
	for (uint32 i = 0; i < words; i++)
		dead[i] |= bits[i];
	return true;
}

void
ec_mask_read(Relation rel, int64 group, uint32 block, const uint8 *payload, Size len, uint32 nrows,
			 uint64 *dead)
{
	EcDiskMask disk = {0};
	const uint8 *data = payload + sizeof(disk);
	bool ok;

	memcpy(&disk, payload, Min(len, sizeof(disk)));
	if (len < sizeof(disk) ||
		disk.checksum != mask_checksum(EC_MASK_NUMBER(group, block), payload, len))
		mask_damaged(rel, group, block, "Its checksum is wrong.");
	if (disk.nrows != nrows || nrows > EC_BLOCK_ROWS)
		mask_damaged(rel, group, block, "It has a wrong number of rows.");
	len -= sizeof(disk);
	if (disk.form == EC_MASK_POSITIONS && len == (Size) disk.ndead * sizeof(uint16))
		ok = add_positions(data, &disk, dead);
	else if (disk.form == EC_MASK_BITMAP && len == (nrows + 7) / 8)
		ok = add_bitmap(data, &disk, dead);
	else
		ok = false;
	if (!ok)
		mask_damaged(rel, group, block, "Its form is impossible.");
}

uint32
ec_mask_count(Relation rel, int64 number, const uint8 *payload, Size len)
{
	EcDiskMask disk = {0};

	memcpy(&disk, payload, Min(len, sizeof(disk)));
	if (len < sizeof(disk) || disk.checksum != mask_checksum(number, payload, len))
		mask_damaged(rel, number >> EC_MASK_BLOCK_BITS,
					 (uint32) (number & ((1 << EC_MASK_BLOCK_BITS) - 1)), "Its checksum is wrong.");
	return disk.ndead;
}
