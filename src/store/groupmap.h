/*
 * groupmap.h
 *	  Which row groups hold a row number, whatever their visibility.
 */
#ifndef EC_STORE_GROUPMAP_H
#define EC_STORE_GROUPMAP_H

#include "postgres.h"

#include "storage/itemptr.h"

#include "store/companion.h"

/* A range of row numbers and the row group that holds it, or numbers within it. */
typedef struct EcGroupPlace
{
	int64 first;
	int64 end;	   /* one more than the last */
	int64 number;  /* of the row group */
	uint32 row;	   /* within the group, of the range's first number; if not numbered */
	bool numbered; /* the group's rows carry their numbers: not all of the range need be there */
	bool masked;   /* the group has masks, or had some */
	ItemPointerData tid; /* of the descriptor in the companion, when it was read */
} EcGroupPlace;

/*
 * The places whose range holds the number: their count, and the array, which the
 * caller pfrees if the count isn't 0.  With refresh, all descriptors and masks that
 * were inserted before the call are known; without, those of some earlier call.
 */
extern int ec_groupmap_find(EcCompanion *c, int64 number, bool refresh, EcGroupPlace **places);

/* Forgets all maps. */
extern void ec_groupmap_forget(void);

extern void ec_groupmap_init(void);

#endif /* EC_STORE_GROUPMAP_H */
