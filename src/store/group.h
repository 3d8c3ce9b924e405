/*
 * group.h
 *	  Writing one row group: encode, place, make visible.
 */
#ifndef EC_STORE_GROUP_H
#define EC_STORE_GROUP_H

#include "postgres.h"

#include "store/catalog.h"
#include "vector/batch.h"

/*
 * Writes the batch as row group "number" under cid in the current
 * subtransaction.  The ranges cover exactly its rows.
 */
extern void ec_group_write(Relation rel, EcBatch *batch, int64 number, uint32 nranges,
						   const EcDiskRange *ranges, CommandId cid);

/* The same as a payload in memory (EC_FORM_INLINE of any size), for rows that can't be written yet. */
extern uint8 *ec_group_serialize(Relation rel, EcBatch *batch, int64 number, uint32 nranges,
								 const EcDiskRange *ranges, Size *len);

#endif /* EC_STORE_GROUP_H */
