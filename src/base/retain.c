/*
 * retain.c
 *	  Memory that a process keeps for what it does next: the C library's settings for that.
 *
 * Only glibc has them; elsewhere the setting does nothing.  Both are needed: as soon as one is
 * set, glibc adapts neither to what the process does.  Setting them costs a lock of the allocator's
 * main arena, so it is done when they change.
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/guc.h"
#include "base/retain.h"

/* The largest that glibc takes for the first of them, on 64-bit machines. */
#define MMAP_THRESHOLD_MAX ((Size) 32 * 1024 * 1024)

/* What glibc begins with. */
#define THRESHOLD_MIN ((Size) 128 * 1024)

void
ec_retain_memory(void)
{
#ifdef __GLIBC__
	static int retained = 0;
	Size size = (Size) ec_guc_retained_memory * 1024;

	if (retained == ec_guc_retained_memory)
		return;
	retained = ec_guc_retained_memory;
	(void) mallopt(M_MMAP_THRESHOLD, (int) Min(Max(size / 2, THRESHOLD_MIN), MMAP_THRESHOLD_MAX));
	(void) mallopt(M_TRIM_THRESHOLD, (int) Max(size, THRESHOLD_MIN));
#endif
}
