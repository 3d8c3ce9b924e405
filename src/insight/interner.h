/*
 * interner.h
 *	  Strings to small numbers: 1, 2, 3 ... in order of first appearance; 0 is NULL.
 *
 * Memory: a string's bytes once, 16 bytes for its entry and at most 16 for its
 * place in the hash table.
 */
#ifndef EC_INTERNER_H
#define EC_INTERNER_H

#include "postgres.h"

#include "vector/vector.h"

typedef struct EcInterner EcInterner;

#define EC_ID_NULL 0
#define EC_ID_MAX 0x7FFFFFFE /* so that a bit stays free beside an id */

extern EcInterner *ec_interner_create(MemoryContext context);
extern uint32 ec_interner_intern(EcInterner *interner, const void *ptr, uint32 len);

/* Ids given so far are 1 .. count. */
extern uint32 ec_interner_count(const EcInterner *interner);
extern EcBytes ec_interner_get(const EcInterner *interner, uint32 id);

/* As a text Datum; *isnull for EC_ID_NULL. */
extern Datum ec_interner_datum(const EcInterner *interner, uint32 id, bool *isnull);

/* Order of two of the strings by COLLATE "C". */
extern int ec_interner_compare(const EcInterner *interner, uint32 a, uint32 b);

/* ranks[0 .. count]: order of the strings by COLLATE "C", NULL last. */
extern uint32 *ec_interner_ranks(const EcInterner *interner, MemoryContext context);

#endif /* EC_INTERNER_H */
