/*
 * standby.h
 *	  Standbys whose snapshots are older than what goes here.
 */
#ifndef EC_STORE_STANDBY_H
#define EC_STORE_STANDBY_H

#include "postgres.h"

#include "store/companion.h"

/*
 * Before a companion is rewritten: a standby's queries whose snapshots still see some
 * of the rows that go end with a recovery conflict, or replay waits for them.  The
 * caller holds AccessExclusiveLock.
 */
extern void ec_standby_conflict(EcCompanion *c);

#endif /* EC_STORE_STANDBY_H */
