/*
 * spill.c
 *	  Large hash tables: huge pages, and partitions in temporary files.
 */
#include "postgres.h"

#include <sys/mman.h>

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "insight/spill.h"

#define HUGE_PAGE ((uintptr_t) 2 * 1024 * 1024)
#define CLEAR_STEP ((Size) 16 * 1024 * 1024) /* bytes between checks for interrupts */

typedef struct Partition
{
	BufFile *file;	 /* NULL: nothing in it */
	uint64 nrecords; /* written and not yet read */
	uint32 nbuffered;
	bool reading;
	char *buffer; /* [EC_SPILL_BUFFERED] records */
} Partition;

struct EcSpill
{
	Size record_size;
	Partition partitions[EC_SPILL_PARTITIONS];
};

void *
ec_spill_allocate_slots(MemoryContext context, Size size)
{
	void *slots = MemoryContextAllocExtended(context, size, MCXT_ALLOC_HUGE);

#ifdef MADV_HUGEPAGE
	if (size >= 2 * HUGE_PAGE)
	{
		uintptr_t start = TYPEALIGN(HUGE_PAGE, (uintptr_t) slots);
		uintptr_t end = TYPEALIGN_DOWN(HUGE_PAGE, (uintptr_t) slots + size);

		(void) madvise((void *) start, end - start, MADV_HUGEPAGE); /* only a wish */
	}
#endif
	/* the system clears the pages now, which takes seconds for gigabytes */
	for (Size at = 0; at < size; at += CLEAR_STEP)
	{
		CHECK_FOR_INTERRUPTS();
		memset((char *) slots + at, 0, Min(size - at, CLEAR_STEP));
	}
	return slots;
}

EcSpill *
ec_spill_create(MemoryContext context, Size record_size)
{
	Size buffer_size = record_size * EC_SPILL_BUFFERED;
	EcSpill *spill = MemoryContextAllocZero(context, sizeof(EcSpill));
	char *buffers = MemoryContextAlloc(context, buffer_size * EC_SPILL_PARTITIONS);

	spill->record_size = record_size;
	for (int i = 0; i < EC_SPILL_PARTITIONS; i++)
		spill->partitions[i].buffer = buffers + buffer_size * i;
	return spill;
}

static void
flush(EcSpill *spill, Partition *partition)
{
	if (partition->file == NULL)
	{
		PrepareTempTablespaces();
		partition->file = BufFileCreateTemp(false);
	}
	BufFileWrite(partition->file, partition->buffer, spill->record_size * partition->nbuffered);
	partition->nbuffered = 0;
}

void *
ec_spill_write(EcSpill *spill, uint32 number)
{
	Partition *partition = &spill->partitions[number];

	Assert(!partition->reading);
	if (partition->nbuffered == EC_SPILL_BUFFERED)
		flush(spill, partition);
	partition->nrecords++;
	return partition->buffer + spill->record_size * partition->nbuffered++;
}

uint64
ec_spill_records(const EcSpill *spill, uint32 partition)
{
	return spill->partitions[partition].nrecords;
}

static void
start_reading(EcSpill *spill, Partition *partition)
{
	flush(spill, partition);
	if (BufFileSeek(partition->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind temporary file")));
	partition->reading = true;
}

uint32
ec_spill_read(EcSpill *spill, uint32 number, void *records, uint32 max)
{
	Partition *partition = &spill->partitions[number];
	uint32 n = Min(partition->nrecords, max);
	Size size = spill->record_size * n;

	if (n > 0 && !partition->reading)
		start_reading(spill, partition);
	if (n > 0 && BufFileRead(partition->file, records, size) != size)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read from temporary file")));
	partition->nrecords -= n;
	if (partition->nrecords == 0 && partition->file != NULL)
	{
		BufFileClose(partition->file);
		partition->file = NULL;
	}
	return n;
}

void
ec_spill_close(EcSpill *spill)
{
	for (int i = 0; i < EC_SPILL_PARTITIONS; i++)
	{
		if (spill->partitions[i].file != NULL)
			BufFileClose(spill->partitions[i].file);
		spill->partitions[i].file = NULL;
	}
}
