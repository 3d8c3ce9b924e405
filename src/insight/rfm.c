/*
 * rfm.c
 *	  Customers by recency, frequency and monetary value of their purchases.
 *
 * Counting reads the purchases buyer by buyer (buyers.h), each of whom becomes a record.
 * The scores' limits come from the three values sorted for themselves: a customer's score is
 * 1 plus the number of limits that he is beyond, a limit being the value of the customer at
 * a fifth, two fifths ... of the ascending order.  So customers themselves are sorted only if
 * they are wanted in order.
 *
 * Revenues are integers, so they sort as words of a key.  Only if some price is odd
 * (see price.h) are all revenues compared as numerics, in memory, and sort by their rank.
 */
#include "postgres.h"

#include "executor/nodeHash.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "insight/buyers.h"
#include "insight/presence.h"
#include "insight/rfm.h"
#include "insight/rows.h"
#include "insight/sorter.h"
#include "insight/spill.h"
#include "insight/tally.h"

#define SHARE 0.2
#define VALUES_SHARE 0.15
#define SCORES 5
#define FEW_ORDERS 1024	   /* numbers of orders that are counted rather than sorted */
#define PLAIN_RECORDS 4096 /* of customers in no order, in memory at first */

/* A sorted customer: monetary descending (or its rank), user ascending; then what goes along */
#define RECORD_MONETARY 0 /* two words: the sum's, high and low, inverted */
#define RECORD_USER 2
#define RECORD_KEY 3
#define RECORD_LAST 3
#define RECORD_ORDERS 4
#define RECORD_ODD 5 /* EcOddPrices; in the end 0, or all have the whole sum in it */
#define RECORD_WORDS 6
#define RECORD_SIZE (sizeof(uint64) * RECORD_WORDS)

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
	bool ordered;
	EcSorter *customers; /* in order */
	uint64 *plain;		 /* or not: [plain_capacity], the first of them */
	uint32 plain_capacity;
	uint32 plain_max;
	uint32 nplain;
	uint32 at;		/* of the one to read next */
	EcSpill *spill; /* the others; NULL: none */

	/* values by themselves */
	EcSorter *lasts;
	EcSorter *monetaries;
	uint64 *few_orders;	   /* [FEW_ORDERS] customers with so many */
	EcSorter *many_orders; /* NULL: none has */
	Limits recency;
	Limits frequency;
	Limits monetary; /* in the descending order's words */
	bool reading;
};

const char *const ec_segment_names[EC_SEGMENTS] = {"champions",	  "at_risk",   "loyal",	  "new",
												   "hibernating", "promising", "browsers"};

EcRfm *
ec_rfm_create(MemoryContext context, bool ordered)
{
	EcRfm *rfm = MemoryContextAllocZero(context, sizeof(EcRfm));

	rfm->context = context;
	rfm->ordered = ordered;
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

static void
create_customers(EcRfm *rfm)
{
	if (rfm->ordered)
		rfm->customers = ec_sorter_create(rfm->context, RECORD_WORDS, RECORD_KEY, SHARE);
	else
	{
		rfm->plain_capacity = PLAIN_RECORDS;
		rfm->plain_max = Min(get_hash_memory_limit() * SHARE / RECORD_SIZE, PG_INT32_MAX);
		rfm->plain = MemoryContextAlloc(rfm->context, RECORD_SIZE * PLAIN_RECORDS);
	}
	rfm->lasts = ec_sorter_create(rfm->context, 1, 1, VALUES_SHARE);
	rfm->monetaries = ec_sorter_create(rfm->context, 2, 2, VALUES_SHARE);
	rfm->few_orders = MemoryContextAllocZero(rfm->context, sizeof(uint64) * FEW_ORDERS);
}

static void
keep_plain(EcRfm *rfm, const uint64 *record)
{
	if (rfm->nplain == rfm->plain_capacity && rfm->plain_capacity < rfm->plain_max)
	{
		rfm->plain_capacity = Min(rfm->plain_capacity * 2, rfm->plain_max);
		rfm->plain = repalloc_huge(rfm->plain, RECORD_SIZE * rfm->plain_capacity);
	}
	if (rfm->nplain < rfm->plain_capacity)
	{
		memcpy(rfm->plain + (Size) rfm->nplain++ * RECORD_WORDS, record, RECORD_SIZE);
		return;
	}
	if (rfm->spill == NULL)
		rfm->spill = ec_spill_create(rfm->context, RECORD_SIZE);
	memcpy(ec_spill_write(rfm->spill, 0), record, RECORD_SIZE);
}

static void
keep_orders(EcRfm *rfm, uint64 orders)
{
	if (orders < FEW_ORDERS)
	{
		rfm->few_orders[orders]++;
		return;
	}
	if (rfm->many_orders == NULL)
		rfm->many_orders = ec_sorter_create(rfm->context, 1, 1, VALUES_SHARE);
	ec_sorter_put(rfm->many_orders, &orders);
}

static void
keep_customer(EcRfm *rfm, const uint64 *record)
{
	if (rfm->ordered)
		ec_sorter_put(rfm->customers, record);
	else
		keep_plain(rfm, record);
	ec_sorter_put(rfm->lasts, &record[RECORD_LAST]);
	ec_sorter_put(rfm->monetaries, &record[RECORD_MONETARY]);
	keep_orders(rfm, record[RECORD_ORDERS]);
	rfm->ncustomers++;
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
	keep_customer(rfm, record);
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
add_visits(EcVisitKind kind, uint32 bucket, int64 count, void *arg)
{
	EcRfm *rfm = arg;

	if (kind == EC_VISIT_USER)
		rfm->nusers += count;
}

/* All users, from summaries if there are some. */
static void
read_users(EcRfm *rfm, const EcArgs *args, EcIntColumn *user)
{
	EcPresence *presence = NULL;
	EcRows rows;

	ec_rows_open(&rows, args, EC_PRESENCE_COLUMNS, rfm->context);
	if (ec_rows_cover(&rows, EC_PRESENCE_PROJECTIONS))
		presence = ec_presence_create_people(&rows, add_visits, rfm, SHARE, rfm->context);
	else
		rfm->users = ec_tally_create(rfm->context, 1, 0, NULL, SHARE);
	while (ec_rows_next(&rows))
	{
		if (presence != NULL)
			ec_presence_add(presence, ec_rows_types(&rows), NULL);
		else
			add_users(rfm, &rows, user);
	}
	if (presence != NULL)
		ec_presence_count(presence);
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
	if (all_rows && with_users)
		rfm->users = ec_tally_create(rfm->context, 1, 0, NULL, SHARE);
	create_customers(rfm);
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
	if (!all_rows && !rfm->given && rfm->ncustomers > 0)
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

/* The next customer's record; from the start after the end, if they are in order. */
static const uint64 *
next_record(EcRfm *rfm)
{
	const uint64 *record;

	if (!rfm->ordered)
	{
		if (rfm->at == rfm->nplain && rfm->spill != NULL)
		{
			CHECK_FOR_INTERRUPTS();
			rfm->nplain = ec_spill_read(rfm->spill, 0, rfm->plain, PLAIN_RECORDS);
			rfm->at = 0;
		}
		return rfm->at < rfm->nplain ? rfm->plain + (Size) rfm->at++ * RECORD_WORDS : NULL;
	}
	if (!rfm->reading)
		ec_sorter_sort(rfm->customers);
	record = ec_sorter_next(rfm->customers);
	rfm->reading = record != NULL;
	return record;
}

/* Takes the customers out of their place, their whole sums being the odd parts now. */
static OddCustomer *
take_odd(EcRfm *rfm)
{
	OddCustomer *customers =
		MemoryContextAllocHuge(rfm->context, sizeof(OddCustomer) * Max(rfm->ncustomers, 1));
	const uint64 *record;
	int64 n = 0;

	while ((record = next_record(rfm)) != NULL)
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

static void
destroy_sorter(EcSorter **sorter)
{
	if (*sorter != NULL)
		ec_sorter_destroy(*sorter);
	*sorter = NULL;
}

/* Forgets all of them. */
static void
destroy_customers(EcRfm *rfm)
{
	destroy_sorter(&rfm->customers);
	destroy_sorter(&rfm->lasts);
	destroy_sorter(&rfm->monetaries);
	destroy_sorter(&rfm->many_orders);
	if (rfm->spill != NULL)
		ec_spill_close(rfm->spill);
	rfm->spill = NULL;
	rfm->ncustomers = 0;
	rfm->nplain = rfm->at = 0;
	rfm->reading = false;
}

/* Sorts by numeric sums and lets their ranks stand for them. */
static void
rank_odd(EcRfm *rfm)
{
	int64 n = rfm->ncustomers;
	OddCustomer *customers = take_odd(rfm);
	uint64 rank = 0;

	destroy_customers(rfm);
	create_customers(rfm);
	qsort(customers, n, sizeof(OddCustomer), compare_odd);
	for (int64 i = 0; i < n; i++)
	{
		rank += i > 0 && compare_odd(&customers[i - 1], &customers[i]) != 0;
		customers[i].record[RECORD_MONETARY] = 0;
		customers[i].record[RECORD_MONETARY + 1] = rank;
		keep_customer(rfm, customers[i].record);
	}
	pfree(customers);
}

/* Which place of the ascending order of n customers is the limit of score + 2, from 0 on: ceil(score' n / 5) - 1. */
static uint64
limit_place(int limit, uint64 n)
{
	return ((limit + 1) * n + SCORES - 1) / SCORES - 1;
}

/* Values of one or two words; ascending, or the other way round. */
static void
find_limits(EcSorter *sorter, uint64 n, int words, bool ascending, Limits *limits)
{
	const uint64 *record;
	uint64 place = 0;
	int found = 0;

	ec_sorter_sort(sorter);
	for (; found < SCORES - 1 && (record = ec_sorter_next(sorter)) != NULL; place++)
	{
		for (; found < SCORES - 1; found++)
		{
			int limit = ascending ? found : SCORES - 2 - found;
			uint64 wanted = limit_place(limit, n);

			if (place != (ascending ? wanted : n - 1 - wanted))
				break;
			memcpy(limits->words[limit], record, sizeof(uint64) * words);
		}
	}
}

/* So many customers more have this number of orders: is it a limit? */
static void
step_orders(EcRfm *rfm, uint64 orders, uint64 customers, uint64 *place)
{
	for (int i = 0; i < SCORES - 1; i++)
	{
		uint64 limit = limit_place(i, rfm->ncustomers);

		if (*place <= limit && limit < *place + customers)
			rfm->frequency.words[i][0] = orders;
	}
	*place += customers;
}

static void
find_order_limits(EcRfm *rfm)
{
	const uint64 *record;
	uint64 place = 0;

	for (uint64 orders = 0; orders < FEW_ORDERS; orders++)
		step_orders(rfm, orders, rfm->few_orders[orders], &place);
	if (rfm->many_orders == NULL)
		return;
	ec_sorter_sort(rfm->many_orders);
	while ((record = ec_sorter_next(rfm->many_orders)) != NULL)
		step_orders(rfm, *record, 1, &place);
}

void
ec_rfm_finish(EcRfm *rfm)
{
	if (!rfm->has_as_of) /* there is no moment to look from, and nobody is a customer */
	{
		destroy_customers(rfm);
		create_customers(rfm);
	}
	if (rfm->has_odd)
		rank_odd(rfm);
	find_limits(rfm->lasts, rfm->ncustomers, 1, true, &rfm->recency);
	find_limits(rfm->monetaries, rfm->ncustomers, 2, false, &rfm->monetary);
	find_order_limits(rfm);
	destroy_sorter(&rfm->lasts);
	destroy_sorter(&rfm->monetaries);
	destroy_sorter(&rfm->many_orders);
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
	const uint64 *record = next_record(rfm);
	TimestampTz last;

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
	destroy_customers(rfm);
}
