/*
 * rfm.h
 *	  Customers: users with a purchase at or before a moment (as_of), the time of their
 *	  last one, how many orders they made and for how much, and what follows from that.
 *
 * Memory: four parts (hash tables, sorts) of work_mem * hash_mem_multiplier together, with
 * the rest in temporary files; see tally.h and sorter.h for their least sizes.
 */
#ifndef EC_RFM_H
#define EC_RFM_H

#include "postgres.h"

#include "insight/args.h"
#include "insight/price.h"

typedef enum EcSegment
{
	EC_SEGMENT_CHAMPIONS,
	EC_SEGMENT_AT_RISK,
	EC_SEGMENT_LOYAL,
	EC_SEGMENT_NEW,
	EC_SEGMENT_HIBERNATING,
	EC_SEGMENT_PROMISING,
	EC_SEGMENT_BROWSERS /* users without a purchase; no customer's */
} EcSegment;

#define EC_SEGMENTS 7

extern const char *const ec_segment_names[EC_SEGMENTS];

typedef struct EcCustomer
{
	int64 user;
	bool forever;	/* the last purchase was at -infinity */
	int128 recency; /* microseconds since the last purchase, unless forever */
	int64 frequency;
	EcPriceSum monetary; /* n is meaningless; 1 if there is no odd part */
	int r;
	int f;
	int m;
	EcSegment segment;
} EcCustomer;

typedef struct EcRfm EcRfm;

/* ordered: customers are wanted in order, else in any. */
extern EcRfm *ec_rfm_create(MemoryContext context, bool ordered);

/* The as_of parameter: NULL stands for the latest finite event_time; infinity is error 22023. */
extern void ec_rfm_get_as_of(EcRfm *rfm, FunctionCallInfo fcinfo, int argno);

/* Reads the rows; with_users counts the users without a purchase as well. */
extern void ec_rfm_count(EcRfm *rfm, const EcArgs *args, bool with_users);

/* Scores the customers, and puts them into order (monetary DESC, user ASC) if that is wanted. */
extern void ec_rfm_finish(EcRfm *rfm);

extern int64 ec_rfm_customers(const EcRfm *rfm);
extern int64 ec_rfm_browsers(const EcRfm *rfm); /* if asked for */
extern int32 ec_rfm_scale(const EcRfm *rfm);	/* of monetary */

/* The next customer; false at the end, from where it starts over if they are in order. */
extern bool ec_rfm_next(EcRfm *rfm, EcCustomer *customer);

extern void ec_rfm_destroy(EcRfm *rfm);

/* Days since the last purchase, as the functions return them. */
static inline double
ec_rfm_days(int128 recency)
{
	return (double) recency / (double) USECS_PER_DAY;
}

#endif /* EC_RFM_H */
