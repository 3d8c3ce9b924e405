/*
 * held.h
 *	  The companion's handle, kept from one changed row to the next within a run of the executor.
 */
#ifndef EC_STORE_HELD_H
#define EC_STORE_HELD_H

#include "postgres.h"

#include "utils/resowner.h"

#include "store/companion.h"

/* One run; its place is the caller's. */
typedef struct EcHeldRun
{
	struct EcHeldRun *outer;
	ResourceOwner owner;
	MemoryContext context;
	bool open;
	EcCompanion companion;
} EcHeldRun;

/* The context outlives the run.  A run that ends with an error is left, not ended. */
extern void ec_held_begin(EcHeldRun *run, MemoryContext context);
extern void ec_held_end(EcHeldRun *run);
extern void ec_held_leave(EcHeldRun *run);

/* A writer's handle: the run's, or *own if there is no run; NULL if the table has no companion. */
extern EcCompanion *ec_held_open(Relation rel, EcCompanion *own);
extern void ec_held_close(EcCompanion *c, EcCompanion *own);

#endif /* EC_STORE_HELD_H */
