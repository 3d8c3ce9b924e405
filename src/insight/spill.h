/*
 * spill.h
 *	  What hash tables need that outgrow the caches and then work_mem: memory in huge
 *	  pages, and records of fixed size in temporary files, one file for each partition
 *	  of the keys' hashes.
 *
 * Used by counts.c and tally.c.  Memory: EC_SPILL_PARTITIONS * EC_SPILL_BUFFERED records,
 * and a block for each file.
 */
#ifndef EC_SPILL_H
#define EC_SPILL_H

#include "postgres.h"

#define EC_SPILL_BITS 6
#define EC_SPILL_PARTITIONS (1 << EC_SPILL_BITS)
#define EC_SPILL_BUFFERED 64 /* records of a partition, before they go to its file */
#define EC_SPILL_MAX_LEVEL 4 /* where a table grows beyond its limit rather than partition again */

typedef struct EcSpill EcSpill;

/* Zeroed memory, in huge pages if it's large and the system has them. */
extern void *ec_spill_allocate_slots(MemoryContext context, Size size);

/* A partition's number: EC_SPILL_BITS of the hash, from the top down with each level. */
static inline uint32
ec_spill_partition(uint64 hash, int level)
{
	return hash >> (64 - EC_SPILL_BITS * (level + 1)) & (EC_SPILL_PARTITIONS - 1);
}

extern EcSpill *ec_spill_create(MemoryContext context, Size record_size);

/* Room for a record, to be filled before the next call. */
extern void *ec_spill_write(EcSpill *spill, uint32 partition);

/* Records written to a partition; those are read in the order of writing, once all is written. */
extern uint64 ec_spill_records(const EcSpill *spill, uint32 partition);

/* Up to max records into records; 0 at the end, when the file is closed. */
extern uint32 ec_spill_read(EcSpill *spill, uint32 partition, void *records, uint32 max);

/* Closes all files; the memory goes with its context. */
extern void ec_spill_close(EcSpill *spill);

#endif /* EC_SPILL_H */
