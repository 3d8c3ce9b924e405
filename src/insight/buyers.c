/*
 * buyers.c
 *	  The purchases of an events relation, buyer by buyer.
 *
 * Sets hold purchases sorted by user; each is a stream of blocks.  What isn't in sets goes
 * to a sorter, and so do purchases that sets hold and the snapshot doesn't see ("hidden",
 * from batches of negative sign).  Streams and sorter are merged by user.  A user's hidden
 * purchases are then taken away from the others by value: purchases that are equal in all
 * columns that are read are as good as one another.
 *
 * A record in the sorter is a user (a word that sorts), the words of the purchase and its
 * sign.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "insight/buyers.h"
#include "insight/projection.h"
#include "insight/sessions.h"
#include "insight/sorter.h"
#include "store/summary.h"

#define FEW_ROWS 64

/* The next block of a set, or what is left of it. */
typedef struct Stream
{
	EcReader *reader;
	EcTextColumn code;
	EcTextColumn brand;
	bool in_part;
	uint32 block; /* next one of the part */
	uint32 n;
	uint32 at;
	int64 *users; /* [EC_BLOCK_ROWS] */
	uint64 *rows; /* [EC_BLOCK_ROWS * words] */
} Stream;

/* A list of purchases. */
typedef struct Purchases
{
	uint64 *rows;
	uint32 n;
	uint32 capacity;
} Purchases;

struct EcBuyers
{
	EcRows rows;
	MemoryContext context;
	bool covered;
	bool with_nobody; /* purchases without a user count */
	uint32 columns;
	int words;
	int at[EC_EVENT_COLUMNS]; /* -1: not asked for */
	EcInterner *codes;
	EcInterner *brands;

	/* rows */
	EcIntColumn ints; /* any of them, one after the other */
	EcIntColumn user;
	EcTextColumn code;
	EcTextColumn brand;
	EcSessionColumn sessions;
	uint64 *batch; /* [EC_BLOCK_ROWS * words] */
	EcSorter *sorter;
	const uint64 *next; /* of the sorter; NULL: none */

	/* sets */
	Stream *streams[EC_BUYERS_STREAMS];
	int nstreams;

	/* the user in work */
	Purchases seen;
	Purchases hidden;
};

static const int projection_columns[EC_EVENT_COLUMNS] = {
	[EC_COL_TIME] = EC_PURCHASE_TIME,		   [EC_COL_TYPE] = -1,
	[EC_COL_PRODUCT] = EC_PURCHASE_PRODUCT,	   [EC_COL_CATEGORY_ID] = EC_PURCHASE_CATEGORY_ID,
	[EC_COL_CATEGORY_CODE] = EC_PURCHASE_CODE, [EC_COL_BRAND] = EC_PURCHASE_BRAND,
	[EC_COL_PRICE] = EC_PURCHASE_PRICE,		   [EC_COL_USER] = EC_PURCHASE_USER,
	[EC_COL_SESSION] = EC_PURCHASE_SESSION,
};

/* ------------------------------------------------------------------------
 * Opening
 * ------------------------------------------------------------------------
 */

static bool
is_purchase(const text *type)
{
	return VARSIZE_ANY_EXHDR(type) == 8 && memcmp(VARDATA_ANY(type), "purchase", 8) == 0;
}

static bool
accepts_purchases(const EcArgs *args)
{
	bool accepts = !args->filter_types;

	for (int i = 0; i < args->ntypes && !accepts; i++)
		accepts = is_purchase(args->types[i]);
	return accepts;
}

bool
ec_buyers_are_all(const EcArgs *args)
{
	bool all = args->filter_types && args->ntypes > 0;

	for (int i = 0; i < args->ntypes && all; i++)
		all = is_purchase(args->types[i]);
	return all;
}

/* Gives each column its words. */
static void
place_columns(EcBuyers *buyers)
{
	for (int i = 0; i < EC_EVENT_COLUMNS; i++)
	{
		bool wanted = (buyers->columns & EC_COL_BIT(i)) != 0;

		buyers->at[i] = wanted ? buyers->words : -1;
		buyers->words += wanted ? 1 : 0;
		buyers->words += wanted && i == EC_COL_SESSION ? 1 : 0;
	}
	buyers->words++; /* flags */
}

/* Which other types pass doesn't matter, as they are left out anyway. */
static bool
cover_purchases(EcRows *rows)
{
	bool filter_types = rows->args.filter_types;
	bool covered;

	rows->args.filter_types = false;
	covered = ec_rows_cover_exact(rows, EC_PROJECTION_BIT(EC_PROJECTION_PURCHASE));
	rows->args.filter_types = filter_types && !covered;
	return covered;
}

EcBuyers *
ec_buyers_open(const EcArgs *args, uint32 columns, double share, MemoryContext context)
{
	EcBuyers *buyers = MemoryContextAllocZero(context, sizeof(EcBuyers));
	uint32 needed = columns | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER);

	buyers->context = context;
	buyers->columns = columns & ~(EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER));
	place_columns(buyers);
	buyers->codes = ec_interner_create(context);
	buyers->brands = ec_interner_create(context);
	ec_int_column_init(&buyers->ints, EC_COL_USER, context);
	ec_int_column_init(&buyers->user, EC_COL_USER, context);
	ec_text_column_init(&buyers->code, EC_COL_CATEGORY_CODE, buyers->codes, context);
	ec_text_column_init(&buyers->brand, EC_COL_BRAND, buyers->brands, context);
	ec_session_column_init(&buyers->sessions, context);
	buyers->batch = MemoryContextAlloc(context, sizeof(uint64) * EC_BLOCK_ROWS * buyers->words);
	buyers->sorter = ec_sorter_create(context, buyers->words + 2, 1, share);
	ec_rows_open(&buyers->rows, args, needed, context);
	if (accepts_purchases(args) && args->category == NULL && args->brand == NULL)
		buyers->covered = cover_purchases(&buyers->rows);
	return buyers;
}

void
ec_buyers_share_texts(EcBuyers *buyers, EcInterner *codes, EcInterner *brands)
{
	buyers->codes = buyers->code.interner = codes;
	buyers->brands = buyers->brand.interner = brands;
}

void
ec_buyers_keep_nobody(EcBuyers *buyers)
{
	buyers->with_nobody = true;
}

EcRows *
ec_buyers_rows(EcBuyers *buyers)
{
	return &buyers->rows;
}

bool
ec_buyers_are_covered(const EcBuyers *buyers)
{
	return buyers->covered;
}

int
ec_buyers_word(const EcBuyers *buyers, EcEventColumn column)
{
	return buyers->at[column];
}

EcInterner *
ec_buyers_texts(EcBuyers *buyers, EcEventColumn column)
{
	return column == EC_COL_BRAND ? buyers->brands : buyers->codes;
}

/* ------------------------------------------------------------------------
 * Columns to words
 * ------------------------------------------------------------------------
 */

static inline bool
reads(const EcBuyers *buyers, EcEventColumn column)
{
	return buyers->at[column] >= 0;
}

static void
clear_flags(const EcBuyers *buyers, uint64 *rows, uint32 n)
{
	for (uint32 i = 0; i < n; i++)
		rows[(Size) (i + 1) * buyers->words - 1] = 0;
}

static void
flag_nobody(const EcBuyers *buyers, uint64 *rows, uint32 n, const uint8 *nulls)
{
	for (uint32 i = 0; i < n && nulls != NULL; i++)
	{
		if (nulls[i])
			rows[(Size) (i + 1) * buyers->words - 1] |= EC_BUYERS_NULL(EC_COL_USER);
	}
}

static void
put_ints(const EcBuyers *buyers, uint64 *rows, uint32 n, EcEventColumn column, const int64 *values,
		 const uint8 *nulls)
{
	int words = buyers->words;
	uint64 *word = rows + buyers->at[column];

	for (uint32 i = 0; i < n; i++)
		word[(Size) i * words] = (uint64) values[i];
	for (uint32 i = 0; i < n && nulls != NULL; i++)
	{
		if (nulls[i] == 0)
			continue;
		word[(Size) i * words] = 0;
		rows[(Size) (i + 1) * words - 1] |= EC_BUYERS_NULL(column);
	}
}

static void
put_ids(const EcBuyers *buyers, uint64 *rows, uint32 n, EcEventColumn column, const uint32 *ids)
{
	uint64 *word = rows + buyers->at[column];

	for (uint32 i = 0; i < n; i++)
		word[(Size) i * buyers->words] = ids[i];
}

static void
put_sessions(const EcBuyers *buyers, uint64 *rows, uint32 n)
{
	const EcSessionColumn *sessions = &buyers->sessions;
	int at = buyers->at[EC_COL_SESSION];

	for (uint32 i = 0; i < n; i++, rows += buyers->words)
	{
		rows[at] = sessions->first[i];
		rows[at + 1] = sessions->second[i];
		if (sessions->nulls[i])
			rows[buyers->words - 1] |= EC_BUYERS_NULL(EC_COL_SESSION);
	}
}

/* ------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------
 */

static void
put_prices(EcBuyers *buyers, uint64 *rows, uint32 n)
{
	int at = buyers->at[EC_COL_PRICE];
	EcPrices prices;

	ec_rows_prices(&buyers->rows, &prices);
	for (uint32 i = 0; i < n; i++)
	{
		EcPriceState state = prices.states != NULL ? prices.states[i] : EC_PRICE_VALUE;
		uint64 *row = rows + (Size) i * buyers->words;
		Numeric odd;

		row[at] = state == EC_PRICE_VALUE ? (uint64) prices.values[i] : 0;
		if (state == EC_PRICE_NONE)
			row[buyers->words - 1] |= EC_BUYERS_NULL(EC_COL_PRICE);
		if (state != EC_PRICE_ODD)
			continue;
		odd = MemoryContextAlloc(buyers->context, VARSIZE_ANY(prices.odd[i]));
		memcpy(odd, prices.odd[i], VARSIZE_ANY(prices.odd[i]));
		row[at] = (uint64) (uintptr_t) odd;
		row[buyers->words - 1] |= EC_BUYERS_ODD;
	}
}

/* The batch's purchases as words. */
static void
read_batch(EcBuyers *buyers)
{
	static const EcEventColumn ids[] = {EC_COL_PRODUCT, EC_COL_CATEGORY_ID};
	EcRows *rows = &buyers->rows;
	uint64 *batch = buyers->batch;
	const uint8 *nulls;
	const int64 *values;

	clear_flags(buyers, batch, rows->n);
	if (reads(buyers, EC_COL_TIME))
	{
		buyers->ints.column = EC_COL_TIME;
		values = ec_rows_times(rows, &buyers->ints, &nulls);
		put_ints(buyers, batch, rows->n, EC_COL_TIME, values, nulls);
	}
	for (int i = 0; i < lengthof(ids); i++)
	{
		buyers->ints.column = ids[i];
		if (!reads(buyers, ids[i]))
			continue;
		values = ec_rows_ints(rows, &buyers->ints, &nulls);
		put_ints(buyers, batch, rows->n, ids[i], values, nulls);
	}
	if (reads(buyers, EC_COL_CATEGORY_CODE))
		put_ids(buyers, batch, rows->n, EC_COL_CATEGORY_CODE, ec_rows_ids(rows, &buyers->code));
	if (reads(buyers, EC_COL_BRAND))
		put_ids(buyers, batch, rows->n, EC_COL_BRAND, ec_rows_ids(rows, &buyers->brand));
	if (reads(buyers, EC_COL_SESSION))
	{
		ec_rows_sessions(rows, &buyers->sessions);
		put_sessions(buyers, batch, rows->n);
	}
	if (reads(buyers, EC_COL_PRICE))
		put_prices(buyers, batch, rows->n);
}

static void
put_record(EcBuyers *buyers, int64 user, const uint64 *row, int sign)
{
	uint64 record[EC_SORTER_WORDS_MAX];

	record[0] = ec_sorter_word(user);
	memcpy(record + 1, row, sizeof(uint64) * buyers->words);
	record[buyers->words + 1] = sign < 0;
	ec_sorter_put(buyers->sorter, record);
}

void
ec_buyers_add(EcBuyers *buyers)
{
	EcRows *rows = &buyers->rows;
	const uint8 *nulls;
	const int64 *users;

	ec_rows_narrow_type(rows, EC_TYPE_PURCHASE);
	if (rows->n == 0)
		return;
	read_batch(buyers);
	users = ec_rows_ints(rows, &buyers->user, &nulls);
	if (buyers->with_nobody)
		flag_nobody(buyers, buyers->batch, rows->n, nulls);
	for (uint32 i = 0; i < rows->n; i++)
	{
		if (nulls == NULL || !nulls[i] || buyers->with_nobody)
			put_record(buyers, users[i], buyers->batch + (Size) i * buyers->words, rows->sign);
	}
}

/* ------------------------------------------------------------------------
 * Sets
 * ------------------------------------------------------------------------
 */

static Stream *
open_stream(EcBuyers *buyers, Relation rel, const EcSummarySet *set)
{
	Stream *stream = MemoryContextAllocZero(buyers->context, sizeof(Stream));

	stream->reader =
		ec_summary_reader(rel, set, EC_PROJECTION_PURCHASE,
						  ec_projection_columns(EC_PROJECTION_PURCHASE), buyers->context);
	if (reads(buyers, EC_COL_CATEGORY_CODE))
		ec_text_column_init(&stream->code, EC_COL_CATEGORY_CODE, buyers->codes, buyers->context);
	if (reads(buyers, EC_COL_BRAND))
		ec_text_column_init(&stream->brand, EC_COL_BRAND, buyers->brands, buyers->context);
	stream->users = MemoryContextAlloc(buyers->context, sizeof(int64) * EC_BLOCK_ROWS);
	stream->rows =
		MemoryContextAlloc(buyers->context, sizeof(uint64) * EC_BLOCK_ROWS * buyers->words);
	return stream;
}

static void
close_stream(Stream *stream)
{
	if (stream->reader != NULL)
		ec_reader_end(stream->reader);
	stream->reader = NULL;
}

static bool
step_block(Stream *stream)
{
	if (stream->in_part)
		stream->block++;
	while (!stream->in_part || stream->block == ec_reader_group(stream->reader)->nblocks)
	{
		stream->in_part = ec_reader_next_group(stream->reader);
		stream->block = 0;
		if (!stream->in_part)
			return false;
	}
	return true;
}

/* A column of integers, in memory that the next one uses as well. */
static const int64 *
get_ints(EcBuyers *buyers, Stream *stream, EcEventColumn column, const uint8 **nulls)
{
	const EcVector *v = ec_reader_block(stream->reader, projection_columns[column], stream->block);
	EcIntColumn *ints = &buyers->ints;

	*nulls = v->nnulls > 0 ? ints->nulls : NULL;
	if (v->form == EC_FORM_FLAT && v->nnulls == 0)
		return v->values.i64;
	for (uint32 i = 0; i < v->nrows; i++)
	{
		bool isnull = ec_vector_is_null(v, i);

		ints->nulls[i] = isnull;
		ints->values[i] = isnull ? 0 : ec_vector_int64(v, i);
	}
	return ints->values;
}

static const uint32 *
get_ids(Stream *stream, EcTextColumn *text)
{
	const EcVector *v =
		ec_reader_block(stream->reader, projection_columns[text->column], stream->block);

	ec_text_column_map(text, v, NULL, v->nrows);
	return text->ids;
}

static void
read_block(EcBuyers *buyers, Stream *stream, uint32 n)
{
	static const EcEventColumn ints[] = {EC_COL_TIME, EC_COL_PRODUCT, EC_COL_CATEGORY_ID,
										 EC_COL_PRICE};
	const uint8 *nulls;
	const int64 *values;

	clear_flags(buyers, stream->rows, n);
	if (buyers->with_nobody)
	{
		get_ints(buyers, stream, EC_COL_USER, &nulls);
		flag_nobody(buyers, stream->rows, n, nulls);
	}
	for (int i = 0; i < lengthof(ints); i++)
	{
		if (!reads(buyers, ints[i]))
			continue;
		values = get_ints(buyers, stream, ints[i], &nulls);
		put_ints(buyers, stream->rows, n, ints[i], values, nulls);
	}
	if (reads(buyers, EC_COL_CATEGORY_CODE))
		put_ids(buyers, stream->rows, n, EC_COL_CATEGORY_CODE, get_ids(stream, &stream->code));
	if (reads(buyers, EC_COL_BRAND))
		put_ids(buyers, stream->rows, n, EC_COL_BRAND, get_ids(stream, &stream->brand));
	if (!reads(buyers, EC_COL_SESSION))
		return;
	ec_session_column_map(&buyers->sessions,
						  ec_reader_block(stream->reader, EC_PURCHASE_SESSION, stream->block), NULL,
						  n);
	put_sessions(buyers, stream->rows, n);
}

/* Which rows of the block have a user (if they must) and lie in the range of time?  Leaves only those. */
static void
select_rows(EcBuyers *buyers, Stream *stream, uint32 n, const uint8 *keep)
{
	int words = buyers->words;

	stream->at = stream->n = 0;
	for (uint32 i = 0; i < n; i++)
	{
		if (!keep[i])
			continue;
		if (stream->n < i)
		{
			stream->users[stream->n] = stream->users[i];
			memcpy(stream->rows + (Size) stream->n * words, stream->rows + (Size) i * words,
				   sizeof(uint64) * words);
		}
		stream->n++;
	}
}

static void
choose_rows(EcBuyers *buyers, Stream *stream, uint32 n, uint8 *keep)
{
	const EcArgs *args = &buyers->rows.args;
	const uint8 *nulls;
	const int64 *values = get_ints(buyers, stream, EC_COL_USER, &nulls);

	memcpy(stream->users, values, sizeof(int64) * n);
	for (uint32 i = 0; i < n; i++)
		keep[i] = nulls == NULL || !nulls[i] || buyers->with_nobody;
	if (!args->has_since && !args->has_until)
		return;
	values = get_ints(buyers, stream, EC_COL_TIME, &nulls);
	for (uint32 i = 0; i < n; i++)
	{
		keep[i] &= (nulls == NULL || !nulls[i]) && (!args->has_since || values[i] >= args->since) &&
				   (!args->has_until || values[i] < args->until);
	}
}

/* Makes sure that the stream has a row; false at its end. */
static bool
fill_stream(EcBuyers *buyers, Stream *stream)
{
	uint8 keep[EC_BLOCK_ROWS];

	while (stream->at == stream->n)
	{
		uint32 n;

		CHECK_FOR_INTERRUPTS();
		if (stream->reader == NULL || !step_block(stream))
		{
			close_stream(stream);
			return false;
		}
		n = ec_reader_block_rows(stream->reader, stream->block);
		choose_rows(buyers, stream, n, keep);
		read_block(buyers, stream, n);
		select_rows(buyers, stream, n, keep);
	}
	return true;
}

/* After the stream's end. */
static void
free_stream(Stream *stream)
{
	pfree(stream->users);
	pfree(stream->rows);
	pfree(stream);
}

/* Sets beyond those that may be streams: their purchases go to the sorter. */
static void
pour_set(EcBuyers *buyers, Relation rel, const EcSummarySet *set)
{
	Stream *stream = open_stream(buyers, rel, set);

	for (; fill_stream(buyers, stream); stream->at++)
		put_record(buyers, stream->users[stream->at],
				   stream->rows + (Size) stream->at * buyers->words, 1);
	free_stream(stream);
}

static void
visit_set(EcBuyers *buyers, Relation rel, const EcSummarySet *set, EcBuyersVisitor visit, void *arg)
{
	Stream *stream = open_stream(buyers, rel, set);

	for (; fill_stream(buyers, stream); stream->at++)
	{
		const uint64 *row = stream->rows + (Size) stream->at * buyers->words;

		visit(stream->users[stream->at], row, row[buyers->words - 1], 1, arg);
	}
	free_stream(stream);
}

void
ec_buyers_visit(EcBuyers *buyers, EcBuyersVisitor visit, void *arg)
{
	int words = buyers->words;
	const EcSummarySet *set;
	const uint64 *record;
	Relation rel;

	while (buyers->covered && ec_rows_next_set(&buyers->rows, &rel, &set))
		visit_set(buyers, rel, set, visit, arg);
	ec_sorter_sort(buyers->sorter);
	while ((record = ec_sorter_next(buyers->sorter)) != NULL)
		visit(ec_sorter_int64(record[0]), record + 1, record[words],
			  record[words + 1] != 0 ? -1 : 1, arg);
}

void
ec_buyers_sort(EcBuyers *buyers)
{
	const EcSummarySet *set;
	Relation rel;

	while (buyers->covered && ec_rows_next_set(&buyers->rows, &rel, &set))
	{
		if (buyers->nstreams < EC_BUYERS_STREAMS)
			buyers->streams[buyers->nstreams++] = open_stream(buyers, rel, set);
		else
			pour_set(buyers, rel, set);
	}
	ec_sorter_sort(buyers->sorter);
	buyers->next = ec_sorter_next(buyers->sorter);
}

/* ------------------------------------------------------------------------
 * Buyers
 * ------------------------------------------------------------------------
 */

static uint64 *
append(const EcBuyers *buyers, Purchases *list, uint32 n)
{
	Size size = sizeof(uint64) * buyers->words;

	if (list->n + n > list->capacity)
	{
		list->capacity = Max(Max(list->capacity * 2, list->n + n), FEW_ROWS);
		list->rows = list->rows == NULL ? MemoryContextAlloc(buyers->context, size * list->capacity)
										: repalloc_huge(list->rows, size * list->capacity);
	}
	list->n += n;
	return list->rows + (Size) (list->n - n) * buyers->words;
}

/* The least user that is left; false: none. */
static bool
next_user(EcBuyers *buyers, int64 *user)
{
	bool any = buyers->next != NULL;

	if (any)
		*user = ec_sorter_int64(buyers->next[0]);
	for (int i = 0; i < buyers->nstreams; i++)
	{
		Stream *stream = buyers->streams[i];

		if (stream->at == stream->n && !fill_stream(buyers, stream))
			continue;
		if (!any || stream->users[stream->at] < *user)
			*user = stream->users[stream->at];
		any = true;
	}
	return any;
}

static void
take_from_stream(EcBuyers *buyers, Stream *stream, int64 user)
{
	while (stream->at < stream->n || fill_stream(buyers, stream))
	{
		uint32 first = stream->at;
		uint32 n;

		while (stream->at < stream->n && stream->users[stream->at] == user)
			stream->at++;
		n = stream->at - first;
		if (n > 0)
			memcpy(append(buyers, &buyers->seen, n), stream->rows + (Size) first * buyers->words,
				   sizeof(uint64) * buyers->words * n);
		if (stream->at < stream->n)
			return;
	}
}

static void
take_from_sorter(EcBuyers *buyers, int64 user)
{
	while (buyers->next != NULL && ec_sorter_int64(buyers->next[0]) == user)
	{
		bool is_hidden = buyers->next[buyers->words + 1] != 0;

		memcpy(append(buyers, is_hidden ? &buyers->hidden : &buyers->seen, 1), buyers->next + 1,
			   sizeof(uint64) * buyers->words);
		buyers->next = ec_sorter_next(buyers->sorter);
	}
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
	return memcmp(a, b, *(const Size *) arg);
}

/* Each hidden purchase takes an equal one along. */
static void
remove_hidden(EcBuyers *buyers)
{
	Purchases *seen = &buyers->seen;
	Purchases *hidden = &buyers->hidden;
	int words = buyers->words;
	Size size = sizeof(uint64) * words;
	uint32 kept = 0;
	uint32 at = 0;

	qsort_arg(seen->rows, seen->n, size, compare_rows, &size);
	qsort_arg(hidden->rows, hidden->n, size, compare_rows, &size);
	for (uint32 i = 0; i < seen->n; i++)
	{
		const uint64 *row = seen->rows + (Size) i * words;

		if (at < hidden->n && memcmp(row, hidden->rows + (Size) at * words, size) == 0)
			at++;
		else
			memmove(seen->rows + (Size) kept++ * words, row, size);
	}
	seen->n = kept;
	if (at < hidden->n)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("summaries of \"%s\" lack purchases that its row groups have",
							   get_rel_name(buyers->rows.args.relid)),
						errhint("VACUUM FULL makes them anew.")));
}

bool
ec_buyers_next(EcBuyers *buyers, EcBuyer *buyer)
{
	do
	{
		if (!next_user(buyers, &buyer->user))
			return false;
		buyers->seen.n = buyers->hidden.n = 0;
		for (int i = 0; i < buyers->nstreams; i++)
			take_from_stream(buyers, buyers->streams[i], buyer->user);
		take_from_sorter(buyers, buyer->user);
		if (buyers->hidden.n > 0)
			remove_hidden(buyers);
	} while (buyers->seen.n == 0);
	buyer->n = buyers->seen.n;
	buyer->words = buyers->words;
	buyer->rows = buyers->seen.rows;
	return true;
}

static inline bool
same_session(const uint64 *a, const uint64 *b)
{
	return a[0] == b[0] && a[1] == b[1];
}

static int
compare_sessions(const void *a, const void *b, void *arg)
{
	int session = *(const int *) arg;

	return memcmp((const uint64 *) a + session, (const uint64 *) b + session, sizeof(uint64) * 2);
}

void
ec_buyer_group(EcBuyer *buyer, int session)
{
	uint32 i = 1;

	while (i < buyer->n &&
		   same_session(buyer->rows + session, buyer->rows + (Size) i * buyer->words + session))
		i++;
	if (i < buyer->n)
		qsort_arg(buyer->rows, buyer->n, sizeof(uint64) * buyer->words, compare_sessions, &session);
}

uint32
ec_buyer_orders(const EcBuyer *buyer, int session)
{
	uint32 orders = buyer->n > 0;

	for (uint32 i = 1; i < buyer->n; i++)
	{
		const uint64 *row = buyer->rows + (Size) i * buyer->words + session;

		orders += !same_session(row, row - buyer->words);
	}
	return orders;
}

void
ec_buyers_close(EcBuyers *buyers)
{
	for (int i = 0; i < buyers->nstreams; i++)
		close_stream(buyers->streams[i]);
	buyers->nstreams = 0;
	if (buyers->sorter != NULL)
		ec_sorter_destroy(buyers->sorter);
	buyers->sorter = NULL;
	ec_rows_close(&buyers->rows);
}
