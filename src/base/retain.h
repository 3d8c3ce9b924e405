/*
 * retain.h
 *	  Memory that a process keeps for what it does next.
 *
 * Blocks are decoded into buffers of some megabytes that live as long as a statement.  The C
 * library gives memory of this kind back to the operating system at each end of a
 * statement, which clears it again, page by page, in the next one: half the time
 * of a statement that takes some milliseconds.
 */
#ifndef EC_RETAIN_H
#define EC_RETAIN_H

/*
 * From now on this process keeps up to ecinsight.retained_memory of freed memory.  To be called
 * by whoever begins to read or write row groups; cheap but for the first time.
 */
extern void ec_retain_memory(void);

#endif /* EC_RETAIN_H */
