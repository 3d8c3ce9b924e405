/*
 * buyers.h
 *	  The purchases of an events relation, buyer by buyer: from the summaries that hold
 *	  them (EC_PROJECTION_PURCHASE) where there are any, else from the rows.
 *
 *		buyers = ec_buyers_open(&args, columns, share, context);
 *		while (ec_rows_next(ec_buyers_rows(buyers)))
 *			ec_buyers_add(buyers);
 *		ec_buyers_sort(buyers);
 *		while (ec_buyers_next(buyers, &buyer))
 *			...
 *		ec_buyers_close(buyers);
 *
 * The rows are all that the arguments select if ec_buyers_are_covered says no; the caller
 * may look at a batch before it is added.  Otherwise they are those, of either sign, that
 * make up for what summaries don't hold.  Purchases without a user are nobody's.
 *
 * Memory: a sorter with a share of work_mem for purchases that aren't in summaries (or are
 * wrongly so), a block of the columns asked for of each set (of at most EC_BUYERS_STREAMS),
 * and all purchases of one user.
 */
#ifndef EC_BUYERS_H
#define EC_BUYERS_H

#include "postgres.h"

#include "insight/rows.h"

#define EC_BUYERS_STREAMS 16

/* A purchase in words: the columns asked for, each at its place (ec_buyers_word), NULLs as 0. */
typedef struct EcBuyer
{
	int64 user;
	uint32 n; /* purchases, at least 1, in no order */
	int words;
	uint64 *rows; /* [n * words]; the caller may change them */
} EcBuyer;

typedef struct EcBuyers EcBuyers;

/* Do the arguments select nothing but purchases? */
extern bool ec_buyers_are_all(const EcArgs *args);

/* columns: bits of those wanted of purchases; what rows need besides is added. */
extern EcBuyers *
ec_buyers_open(const EcArgs *args, uint32 columns, double share, MemoryContext context);
extern EcRows *ec_buyers_rows(EcBuyers *buyers);
extern bool ec_buyers_are_covered(const EcBuyers *buyers);

/* Narrows the batch to purchases and keeps these. */
extern void ec_buyers_add(EcBuyers *buyers);

/*
 * Before the first batch: texts become ids of these; purchases without a user count as well
 * (then ec_buyers_visit only, which flags them by EC_BUYERS_NULL(EC_COL_USER)).
 */
extern void ec_buyers_share_texts(EcBuyers *buyers, EcInterner *codes, EcInterner *brands);
extern void ec_buyers_keep_nobody(EcBuyers *buyers);

/*
 * Instead of the following: visits all purchases in no order.  The sign is negative for one that
 * must be taken away again: an equal one comes, or has come, with a positive sign.
 */
typedef void (*EcBuyersVisitor)(int64 user, const uint64 *row, uint64 flags, int sign, void *arg);
extern void ec_buyers_visit(EcBuyers *buyers, EcBuyersVisitor visit, void *arg);

/* After the last batch. */
extern void ec_buyers_sort(EcBuyers *buyers);

/* The next one by user_id, who lives until the next call. */
extern bool ec_buyers_next(EcBuyers *buyers, EcBuyer *buyer);
extern void ec_buyers_close(EcBuyers *buyers);

/*
 * Where a column's value is among a purchase's words: integers, times as timestamptz and
 * prices (at the rows' price_scale) as int64; ids of the interner below; a session's
 * key in two words (sessions.h).
 */
extern int ec_buyers_word(const EcBuyers *buyers, EcEventColumn column);
extern EcInterner *ec_buyers_texts(EcBuyers *buyers, EcEventColumn column);

/* The purchase's last word: which integer is NULL (a price: none that counts), and of what kind a price is. */
#define EC_BUYERS_NULL(column) (UINT64CONST(1) << (column))
#define EC_BUYERS_ODD (UINT64CONST(1) << 32) /* the price's word is a Numeric */

static inline uint64
ec_buyer_flags(const EcBuyer *buyer, uint32 i)
{
	return buyer->rows[(Size) (i + 1) * buyer->words - 1];
}

/* Moves the purchases of equal sessions (whose first word is given) next to one another. */
extern void ec_buyer_group(EcBuyer *buyer, int session);

/* Different sessions among the purchases, which are grouped. */
extern uint32 ec_buyer_orders(const EcBuyer *buyer, int session);

#endif /* EC_BUYERS_H */
