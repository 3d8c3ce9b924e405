/*
 * logical.h
 *	  Changes of columnar tables for logical decoding.
 *
 * Called beside the change itself, in the same subtransaction and in the order in
 * which a heap would log: old rows before they go, new ones once they stand.
 */
#ifndef EC_STORE_LOGICAL_H
#define EC_STORE_LOGICAL_H

#include "postgres.h"

#include "catalog/catalog.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "vector/batch.h"

/* Must changes be logged?  A rewrite changes nothing that a subscriber would see. */
static inline bool
ec_logical_wanted(Relation rel)
{
	return RelationIsLogicallyLogged(rel) && !OidIsValid(rel->rd_rel->relrewrite);
}

/* All do nothing unless changes must be logged. */
extern void ec_logical_insert(Relation rel, TupleTableSlot *slot);
extern void ec_logical_update(Relation rel, TupleTableSlot *old, TupleTableSlot *new);
extern void ec_logical_delete(Relation rel, TupleTableSlot *old);
extern void ec_logical_batch(Relation rel, EcBatch *batch);

#endif /* EC_STORE_LOGICAL_H */
