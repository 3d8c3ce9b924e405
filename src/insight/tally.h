/*
 * tally.h
 *	  Hash aggregation: a state of fixed width for each of millions of keys of fixed width.
 *
 * A key is key_words 64-bit words of the caller's making (NULLs must be told apart
 * by a value of their own), a state is state_words more.  A new key's state is all
 * zeros; the caller changes it in place.  Without a state (state_words 0) a tally is
 * a set of keys.
 *
 * Memory: 8 * (key_words + state_words) bytes a slot, 35 to 70 per cent of the slots
 * taken once it has grown.  It stays within share * work_mem * hash_mem_multiplier, as
 * hash aggregation in PostgreSQL does (32768 slots, and as many records beside them
 * when it spills, at the least): keys beyond that go to temporary files, partitioned by
 * hash, as records of key and partial state, which are combined partition by partition
 * in the end.  So what a state adds up to is known to the visitor only.
 */
#ifndef EC_TALLY_H
#define EC_TALLY_H

#include "postgres.h"

#define EC_TALLY_KEY_MAX 4	  /* words */
#define EC_TALLY_STATE_MAX 16 /* words */

typedef struct EcTally EcTally;

/* Adds one partial state of a key to another. */
typedef void (*EcTallyCombine)(uint64 *into, const uint64 *from);

/* combine may be NULL if state_words is 0.  Everything is palloc'd below parent. */
extern EcTally *ec_tally_create(MemoryContext parent, int key_words, int state_words,
								EcTallyCombine combine, double share);

/*
 * Makes sure that the keys of n <= EC_BLOCK_ROWS rows are there.  keys[w][i] is word
 * w of row i's key; rows with skip[i] != 0 are left out (skip may be NULL).
 */
extern void ec_tally_add(EcTally *tally, uint32 n, const uint64 *const *keys, const uint8 *skip);

/*
 * The same, and where each row's state is (equal keys have the same state, except
 * that keys in files have one for each row).  Rows left out get a state that nobody
 * sees.  The states may be changed until the next call for this tally.
 */
extern uint64 *const *
ec_tally_find(EcTally *tally, uint32 n, const uint64 *const *keys, const uint8 *skip);

/* The same for one key of key_words words. */
extern uint64 *ec_tally_find_one(EcTally *tally, const uint64 *key);

/* Calls visit once for each key, in no order.  Once only: the tally is empty afterwards. */
typedef void (*EcTallyVisitor)(const uint64 *key, uint64 *state, void *arg);
extern void ec_tally_visit(EcTally *tally, EcTallyVisitor visit, void *arg);

/*
 * For callers that take keys out before anything goes to a file: is there too little room
 * for another block's keys?  Drain visits all keys and leaves the tally empty.
 */
extern bool ec_tally_is_full(const EcTally *tally);
extern void ec_tally_drain(EcTally *tally, EcTallyVisitor visit, void *arg);

/* How many different keys there are.  Once only, instead of ec_tally_visit. */
extern uint64 ec_tally_count(EcTally *tally);

/* Closes the files and frees everything. */
extern void ec_tally_destroy(EcTally *tally);

/* Addition modulo 2^128 to a sum in two words of a state (low, high), which needn't be aligned to 16 bytes. */
static inline void
ec_tally_add_int128(uint64 *sum, int128 value)
{
	unsigned __int128 total =
		((unsigned __int128) sum[1] << 64 | sum[0]) + (unsigned __int128) value;

	sum[0] = (uint64) total;
	sum[1] = (uint64) (total >> 64);
}

static inline int128
ec_tally_int128(const uint64 *sum)
{
	return (int128) ((unsigned __int128) sum[1] << 64 | sum[0]);
}

#endif /* EC_TALLY_H */
