/*
 * claim.h
 *	  Rows that compaction has claimed, and who wants to lock them.
 */
#ifndef EC_STORE_CLAIM_H
#define EC_STORE_CLAIM_H

#include "postgres.h"

#include "store/companion.h"

/* Compaction is about to claim rows. */
extern void ec_claim_announce(void);

/*
 * A row's tuple could not be locked without waiting: should that be tried once more?
 * Waits for a compaction that has claimed the tuple, for nobody else.
 */
extern bool ec_claim_try_again(EcCompanion *c, int64 number, ItemPointer ctid);

#endif /* EC_STORE_CLAIM_H */
