/*
 * rfm.c
 *	  Customers by recency, frequency and monetary value of their purchases.
 *
 * Counting reads the purchases buyer by buyer (buyers.h), each of whom becomes a record.
 * Finishing sorts these and takes the scores' limits from the order: a customer's score is
 * 1 plus the number of limits that he is beyond, a limit being the value of the customer at
 * a fifth, two fifths ... of the ascending order.
 *
 * Revenues are integers, so they sort as words of a key.  Only if some price is odd
 * (see price.h) are all revenues compared as numerics, in memory, and sort by their rank.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "insight/buyers.h"
#include "insight/rfm.h"
#include "insight/rows.h"
#include "insight/sorter.h"
#include "insight/tally.h"

#define SHARE 0.2
#define SCORES 5

/* A sorted customer: monetary descending (or its rank), user ascending; then what goes along */
#define RECORD_MONETARY 0 /* two words: the sum's, high and low, inverted */
#define RECORD_USER 2
#define RECORD_KEY 3
#define RECORD_LAST 3
#define RECORD_ORDERS 4
#define RECORD_ODD 5 /* EcOddPrices; in the end 0, or all have the whole sum in it */
#define RECORD_WORDS 6

typedef struct Limits
{
	uint64 words[SCORES - 1][2];
} Limits;

struct EcRfm
{
	MemoryContext context;
	bool has_as_of;
	bool given; /* as_of is the caller's */
	TimestampTz as_of;
	int32 scale;
	EcTally *users; /* all users, if asked for */
	int64 nusers;
	int64 ncustomers;
	bool has_odd;
	EcSorter *customers;
	Limits recency;
	Limits frequency;
	Limits monetary; /* in the descending order's words */
	bool reading;
};

const char *const ec_segment_names[EC_SEGMENTS] = {"champions",	  "at_risk",   "loyal",	  "new",
												   "hibernating", "promising", "browsers"};

EcRfm *
ec_rfm_create(MemoryContext context)
{
	EcRfm *rfm = MemoryContextAllocZero(context, sizeof(EcRfm));

	rfm->context = context;
	return rfm;
}

void
ec_rfm_get_as_of(EcRfm *rfm, FunctionCallInfo fcinfo, int argno)
{
	if (PG_ARGISNULL(argno))
		return;
	rfm->given = rfm->has_as_of = true;
	rfm->as_of = PG_GETARG_TIMESTAMPTZ(argno);
	if (TIMESTAMP_NOT_FINITE(rfm->as_of))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("as_of must be finite"),
						errhint("Use NULL for the latest event_time.")));
}

/* ---- counting ---- */

static void
find_latest(EcRfm *rfm, uint32 n, const int64 *times, const uint8 *nulls)
{
	for (uint32 i = 0; i < n; i++)
	{
		if ((nulls != NULL && nulls[i]) || TIMESTAMP_NOT_FINITE(times[i]))
			continue;
		if (!rfm->has_as_of || times[i] > rfm->as_of)
			rfm->as_of = times[i];
		rfm->has_as_of = true;
	}
}

static void
add_users(EcRfm *rfm, EcRows *rows, EcIntColumn *user)
{
	const uint8 *nulls;
	const uint64 *users = (const uint64 *) ec_rows_ints(rows, user, &nulls);

	ec_tally_add(rfm->users, rows->n, &users, nulls);
}

static void
add_times(EcRfm *rfm, EcRows *rows, EcIntColumn *time)
{
	const uint8 *nulls;
	const int64 *times = ec_rows_times(rows, time, &nulls);

	find_latest(rfm, rows->n, times, nulls);
}

static void
set_monetary(uint64 *record, int128 sum)
{
	record[RECORD_MONETARY] = ~ec_sorter_word((int64) (sum >> 64));
	record[RECORD_MONETARY + 1] = ~(uint64) sum;
}

static int128
get_monetary(const uint64 *record)
{
	uint64 words[2] = {~record[RECORD_MONETARY + 1],
					   (uint64) ec_sorter_int64(~record[RECORD_MONETARY])};

	return ec_tally_int128(words);
}

/* Where things are among a purchase's words. */
typedef struct Words
{
	int time;
	int session;
	int price;
} Words;

/* Leaves only the purchases that count: those at or before as_of. */
static void
choose_purchases(const EcRfm *rfm, EcBuyer *buyer, const Words *words)
{
	/* without a given as_of, all finite times are before it */
	TimestampTz last = rfm->given ? rfm->as_of : DT_NOEND - 1;
	uint32 n = 0;

	for (uint32 i = 0; i < buyer->n; i++)
	{
		const uint64 *row = buyer->rows + (Size) i * buyer->words;

		if ((ec_buyer_flags(buyer, i) & EC_BUYERS_NULL(EC_COL_TIME)) != 0 ||
			(TimestampTz) row[words->time] > last)
			continue;
		if (n < i)
			memcpy(buyer->rows + (Size) n * buyer->words, row, sizeof(uint64) * buyer->words);
		n++;
	}
	buyer->n = n;
}

/* A buyer with purchases that count becomes a customer. */
static void
add_buyer(EcRfm *rfm, EcBuyer *buyer, const Words *words)
{
	EcPriceSum monetary = {0};
	TimestampTz last = DT_NOBEGIN;
	uint64 record[RECORD_WORDS];

	for (uint32 i = 0; i < buyer->n; i++)
	{
		const uint64 *row = buyer->rows + (Size) i * buyer->words;
		uint64 flags = ec_buyer_flags(buyer, i);

		last = Max(last, (TimestampTz) row[words->time]);
		if ((flags & EC_BUYERS_ODD) != 0)
			ec_price_add_odd(&monetary, (Numeric) (uintptr_t) row[words->price], rfm->context);
		else
			monetary.sum += (int64) row[words->price]; /* 0 if there is none */
	}
	ec_buyer_group(buyer, words->session);
	set_monetary(record, monetary.sum);
	record[RECORD_USER] = ec_sorter_word(buyer->user);
	record[RECORD_LAST] = ec_sorter_word(last);
	record[RECORD_ORDERS] = ec_buyer_orders(buyer, words->session);
	record[RECORD_ODD] = (uint64) (uintptr_t) monetary.odd;
	rfm->has_odd |= monetary.odd != NULL;
	ec_sorter_put(rfm->customers, record);
	if (!TIMESTAMP_NOT_FINITE(last) && (!rfm->has_as_of || last > rfm->as_of))
	{
		rfm->has_as_of = true;
		rfm->as_of = last;
	}
}

static void
add_buyers(EcRfm *rfm, EcBuyers *buyers)
{
	Words words = {ec_buyers_word(buyers, EC_COL_TIME), ec_buyers_word(buyers, EC_COL_SESSION),
				   ec_buyers_word(buyers, EC_COL_PRICE)};
	uint32 n = 0;
	EcBuyer buyer;

	ec_buyers_sort(buyers);
	while (ec_buyers_next(buyers, &buyer))
	{
		if (n++ % EC_BLOCK_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		choose_purchases(rfm, &buyer, &words);
		if (buyer.n > 0)
			add_buyer(rfm, &buyer, &words);
	}
}

/* Purchases have told of a time, or of none: is there a later one among all rows? */
static void
read_latest(EcRfm *rfm, const EcArgs *args, EcIntColumn *time)
{
	EcArgs later = *args;
	EcRows rows;

	if (rfm->has_as_of) /* within the range, as purchases are */
	{
		later.has_since = true;
		later.since = rfm->as_of;
	}
	ec_rows_open(&rows, &later, EC_COL_BIT(EC_COL_TIME), rfm->context);
	while (ec_rows_next(&rows))
		add_times(rfm, &rows, time);
	ec_rows_close(&rows);
}

static void
read_users(EcRfm *rfm, const EcArgs *args, EcIntColumn *user)
{
	EcRows rows;

	ec_rows_open(&rows, args, EC_COL_BIT(EC_COL_USER), rfm->context);
	while (ec_rows_next(&rows))
		add_users(rfm, &rows, user);
	ec_rows_close(&rows);
}

void
ec_rfm_count(EcRfm *rfm, const EcArgs *args, bool with_users)
{
	uint32 columns =
		EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_PRICE) | EC_COL_BIT(EC_COL_SESSION);
	EcBuyers *buyers = ec_buyers_open(args, columns, SHARE, rfm->context);
	EcRows *rows = ec_buyers_rows(buyers);
	bool all_rows = !ec_buyers_are_covered(buyers);
	EcIntColumn time;
	EcIntColumn user;

	ec_int_column_init(&time, EC_COL_TIME, rfm->context);
	ec_int_column_init(&user, EC_COL_USER, rfm->context);
	if (with_users)
		rfm->users = ec_tally_create(rfm->context, 1, 0, NULL, SHARE);
	rfm->customers = ec_sorter_create(rfm->context, RECORD_WORDS, RECORD_KEY, SHARE);
	while (ec_rows_next(rows))
	{
		if (all_rows && with_users)
			add_users(rfm, rows, &user);
		if (all_rows && !rfm->given)
			add_times(rfm, rows, &time);
		ec_buyers_add(buyers);
	}
	add_buyers(rfm, buyers);
	rfm->scale = rows->price_scale;
	ec_buyers_close(buyers);
	/* without a customer, as_of doesn't matter */
	if (!all_rows && !rfm->given && ec_sorter_count(rfm->customers) > 0)
		read_latest(rfm, args, &time);
	if (!all_rows && with_users)
		read_users(rfm, args, &user);
}

/* ---- finishing ---- */

typedef struct OddCustomer
{
	Numeric sum;
	uint64 record[RECORD_WORDS];
} OddCustomer;

/* sum DESC */
static int
compare_odd(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
											 NumericGetDatum(((const OddCustomer *) b)->sum),
											 NumericGetDatum(((const OddCustomer *) a)->sum)));
}

/* Takes the customers out of the sorter, their whole sums being the odd parts now. */
static OddCustomer *
take_odd(EcRfm *rfm)
{
	OddCustomer *customers = MemoryContextAllocHuge(
		rfm->context, sizeof(OddCustomer) * Max(ec_sorter_count(rfm->customers), 1));
	const uint64 *record;
	int64 n = 0;

	ec_sorter_sort(rfm->customers);
	while ((record = ec_sorter_next(rfm->customers)) != NULL)
	{
		OddCustomer *customer = &customers[n++];
		EcPriceSum price = {.sum = get_monetary(record)};
		EcOddPrices *odd = MemoryContextAllocZero(rfm->context, sizeof(EcOddPrices));

		price.odd = (EcOddPrices *) (uintptr_t) record[RECORD_ODD];
		memcpy(customer->record, record, sizeof(customer->record));
		customer->sum = odd->sum = ec_price_sum(&price, rfm->scale);
		customer->record[RECORD_ODD] = (uint64) (uintptr_t) odd;
	}
	return customers;
}

/* Sorts by numeric sums and lets their ranks stand for them. */
static void
rank_odd(EcRfm *rfm)
{
	int64 n = ec_sorter_count(rfm->customers);
	OddCustomer *customers = take_odd(rfm);
	uint64 rank = 0;

	ec_sorter_destroy(rfm->customers);
	rfm->customers = ec_sorter_create(rfm->context, RECORD_WORDS, RECORD_KEY, SHARE);
	qsort(customers, n, sizeof(OddCustomer), compare_odd);
	for (int64 i = 0; i < n; i++)
	{
		rank += i > 0 && compare_odd(&customers[i - 1], &customers[i]) != 0;
		customers[i].record[RECORD_MONETARY] = 0;
		customers[i].record[RECORD_MONETARY + 1] = rank;
		ec_sorter_put(rfm->customers, customers[i].record);
	}
	pfree(customers);
}

/* Which place of the ascending order of n customers is the limit of score + 2, from 0 on: ceil(score' n / 5) - 1. */
static uint64
limit_place(int limit, uint64 n)
{
	return ((limit + 1) * n + SCORES - 1) / SCORES - 1;
}

static void
find_limits(EcSorter *sorter, Limits *limits)
{
	uint64 n = ec_sorter_count(sorter);
	const uint64 *record;
	uint64 place = 0;

	ec_sorter_sort(sorter);
	for (; (record = ec_sorter_next(sorter)) != NULL; place++)
	{
		for (int i = 0; i < SCORES - 1; i++)
		{
			if (limit_place(i, n) == place)
				limits->words[i][0] = record[0];
		}
	}
}

/* One pass over the customers, greatest monetary first, gives that one's limits and the values of the others'. */
static void
set_limits(EcRfm *rfm)
{
	EcSorter *last = ec_sorter_create(rfm->context, 1, 1, SHARE / 2);
	EcSorter *orders = ec_sorter_create(rfm->context, 1, 1, SHARE / 2);
	uint64 n = rfm->ncustomers;
	const uint64 *record;
	uint64 place = n;

	ec_sorter_sort(rfm->customers);
	while ((record = ec_sorter_next(rfm->customers)) != NULL)
	{
		place--;
		ec_sorter_put(last, &record[RECORD_LAST]);
		ec_sorter_put(orders, &record[RECORD_ORDERS]);
		for (int i = 0; i < SCORES - 1; i++)
		{
			if (limit_place(i, n) == place)
				memcpy(rfm->monetary.words[i], &record[RECORD_MONETARY], sizeof(uint64) * 2);
		}
	}
	find_limits(last, &rfm->recency);
	find_limits(orders, &rfm->frequency);
	ec_sorter_destroy(last);
	ec_sorter_destroy(orders);
}

void
ec_rfm_finish(EcRfm *rfm)
{
	if (!rfm->has_as_of) /* there is no moment to look from, and nobody is a customer */
	{
		ec_sorter_destroy(rfm->customers);
		rfm->customers = ec_sorter_create(rfm->context, RECORD_WORDS, RECORD_KEY, SHARE);
	}
	if (rfm->has_odd)
		rank_odd(rfm);
	rfm->ncustomers = ec_sorter_count(rfm->customers);
	set_limits(rfm);
	if (rfm->users != NULL)
	{
		rfm->nusers = ec_tally_count(rfm->users);
		ec_tally_destroy(rfm->users);
		rfm->users = NULL;
	}
}

/* ---- customers out ---- */

int64
ec_rfm_customers(const EcRfm *rfm)
{
	return rfm->ncustomers;
}

int64
ec_rfm_browsers(const EcRfm *rfm)
{
	return rfm->nusers - rfm->ncustomers;
}

int32
ec_rfm_scale(const EcRfm *rfm)
{
	return rfm->scale;
}

static int
ascending_score(const Limits *limits, uint64 word)
{
	int score = 1;

	for (int i = 0; i < SCORES - 1; i++)
		score += limits->words[i][0] < word;
	return score;
}

static int
monetary_score(const Limits *limits, const uint64 *words)
{
	int score = 1;

	for (int i = 0; i < SCORES - 1; i++)
		score += limits->words[i][0] > words[0] ||
				 (limits->words[i][0] == words[0] && limits->words[i][1] > words[1]);
	return score;
}

static EcSegment
segment_of(int r, int f, int m)
{
	if (r >= 4 && f >= 4 && m >= 4)
		return EC_SEGMENT_CHAMPIONS;
	if (r <= 2 && f >= 3)
		return EC_SEGMENT_AT_RISK;
	if (f >= 4)
		return EC_SEGMENT_LOYAL;
	if (r == 5 && f <= 2)
		return EC_SEGMENT_NEW;
	return r <= 2 ? EC_SEGMENT_HIBERNATING : EC_SEGMENT_PROMISING;
}

bool
ec_rfm_next(EcRfm *rfm, EcCustomer *customer)
{
	const uint64 *record;
	TimestampTz last;

	if (!rfm->reading)
		ec_sorter_sort(rfm->customers);
	record = ec_sorter_next(rfm->customers);
	rfm->reading = record != NULL;
	if (record == NULL)
		return false;
	last = ec_sorter_int64(record[RECORD_LAST]);
	memset(customer, 0, sizeof(EcCustomer));
	customer->user = ec_sorter_int64(record[RECORD_USER]);
	customer->forever = TIMESTAMP_IS_NOBEGIN(last);
	customer->recency = (int128) rfm->as_of - last;
	customer->frequency = record[RECORD_ORDERS];
	customer->monetary.n = 1;
	if (rfm->has_odd)
		customer->monetary.odd = (EcOddPrices *) (uintptr_t) record[RECORD_ODD];
	else
		customer->monetary.sum = get_monetary(record);
	customer->r = ascending_score(&rfm->recency, record[RECORD_LAST]);
	customer->f = ascending_score(&rfm->frequency, record[RECORD_ORDERS]);
	customer->m = monetary_score(&rfm->monetary, &record[RECORD_MONETARY]);
	customer->segment = segment_of(customer->r, customer->f, customer->m);
	return true;
}

void
ec_rfm_destroy(EcRfm *rfm)
{
	if (rfm->customers != NULL)
		ec_sorter_destroy(rfm->customers);
	rfm->customers = NULL;
}
