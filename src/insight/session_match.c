/*
 * session_match.c
 *	  Distinct sessions and orders of users of whom there are cells in several sets, or rows
 *	  beside them.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "insight/session_match.h"
#include "insight/tally.h"

#define FOUND_WORDS 3 /* user, session */
#define COLUMNS (EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_SESSION) | EC_COL_BIT(EC_COL_TYPE))
#define TAG_MASK ((INT64CONST(1) << EC_SESSION_TAG_BITS) - 1)
#define FEW 64
#define FEW_ROWS 8

/* More stretches of hours than these are read in one go, with what lies between them. */
#define STRETCHES_MAX 100

/* Bits that tell whether a user is among those looked for, mostly. */
#define FILTER_BITS (1 << 16)

/* Sessions of a user with one hash, whose number rows have to tell. */
typedef struct Claim
{
	int64 user;
	int64 hash;
	bool with_orders;
} Claim;

struct EcSessionMatch
{
	MemoryContext context;
	EcArgs args;
	EcSessionColumn *sessions;
	int64 counts[2]; /* sessions, orders */
	Claim *claims;
	uint32 nclaims;
	uint32 claims_capacity;
	int64 *hours; /* where their rows are */
	uint32 nhours;
	uint32 hours_capacity;
	bool anywhere;	  /* not only there */
	bool with_orders; /* of the user in work */
	EcTally *found;	  /* claimed sessions: has it a purchase? */
	uint64 *filter;
	EcIntColumn user;
	uint8 *keep;
};

static void
combine_flags(uint64 *into, const uint64 *from)
{
	*into |= *from;
}

EcSessionMatch *
ec_session_match_create(const EcRows *rows, EcSessionColumn *sessions, double share,
						MemoryContext context)
{
	EcSessionMatch *match;

	context = AllocSetContextCreate(context, "ecinsight sessions", ALLOCSET_DEFAULT_SIZES);
	match = MemoryContextAllocZero(context, sizeof(EcSessionMatch));
	match->context = context;
	match->args = rows->args;
	match->sessions = sessions;
	match->claims_capacity = match->hours_capacity = FEW;
	match->claims = MemoryContextAlloc(context, sizeof(Claim) * FEW);
	match->hours = MemoryContextAlloc(context, sizeof(int64) * FEW);
	match->found = ec_tally_create(context, FOUND_WORDS, 1, combine_flags, share);
	return match;
}

/* ---- claims ---- */

static void
find_session(EcSessionMatch *match, int64 user, uint64 first, uint64 second, bool ordered)
{
	const uint64 key[FOUND_WORDS] = {(uint64) user, first, second};

	*ec_tally_find_one(match->found, key) |= ordered;
}

static void
add_hour(EcSessionMatch *match, const EcSessionCell *cell)
{
	if (cell->no_time || TIMESTAMP_NOT_FINITE(cell->slot))
	{
		match->anywhere = true;
		return;
	}
	if (match->nhours == match->hours_capacity)
	{
		match->hours_capacity *= 2;
		match->hours = repalloc_huge(match->hours, sizeof(int64) * match->hours_capacity);
	}
	match->hours[match->nhours++] = cell->slot;
}

static void
claim(EcSessionMatch *match, int64 user, int64 hash, const EcSessionCell *cells, uint32 ncells,
	  const EcSessionRows *rows, uint32 nrows)
{
	if (match->nclaims == match->claims_capacity)
	{
		match->claims_capacity *= 2;
		match->claims = repalloc_huge(match->claims, sizeof(Claim) * match->claims_capacity);
	}
	match->claims[match->nclaims++] = (Claim){user, hash, match->with_orders};
	for (uint32 i = 0; i < ncells; i++)
		add_hour(match, &cells[i]);
	for (uint32 i = 0; i < nrows; i++)
	{
		if (rows[i].seen > 0)
			find_session(match, user, rows[i].first, rows[i].second, rows[i].ordered > 0);
	}
}

/* ---- a user's sessions of one hash ---- */

static inline int64
hash_of(const EcSessionCell *cell)
{
	return cell->tag & TAG_MASK;
}

static inline bool
same_session(const EcSessionRows *a, const EcSessionRows *b)
{
	return a->first == b->first && a->second == b->second;
}

/* What the sets count of these cells, which are in order of stream and tag. */
static void
uncount_cells(EcSessionMatch *match, const EcSessionCell *cells, uint32 n)
{
	bool ordered = false;

	for (uint32 i = 0; i < n; i++)
	{
		bool last = i + 1 == n || cells[i + 1].stream != cells[i].stream ||
					cells[i + 1].tag != cells[i].tag;

		ordered |= cells[i].purchases > 0;
		if (!last)
			continue;
		match->counts[0]--;
		match->counts[1] -= ordered;
		ordered = false;
	}
}

/* Sessions that no set has: in order, their rows of several sets and of none next to one another. */
static void
count_rows(EcSessionMatch *match, const EcSessionRows *rows, uint32 n)
{
	bool seen = false;
	bool ordered = false;

	for (uint32 i = 0; i < n; i++)
	{
		seen |= rows[i].seen > 0;
		ordered |= rows[i].ordered > 0;
		if (i + 1 < n && same_session(&rows[i], &rows[i + 1]))
			continue;
		match->counts[0] += seen;
		match->counts[1] += ordered;
		seen = ordered = false;
	}
}

/* Are all rows and cells of the same session? */
static bool
is_one(const EcSessionCell *cells, uint32 ncells, const EcSessionRows *rows, uint32 nrows)
{
	bool is_covered = false;

	if (cells[0].tag > TAG_MASK || cells[ncells - 1].stream != cells[0].stream)
		return false;
	for (uint32 i = 0; i < nrows; i++)
	{
		if (!same_session(&rows[i], &rows[0]))
			return false;
		is_covered |= rows[i].part == cells[0].stream;
	}
	return is_covered;
}

static void
count_one(EcSessionMatch *match, const EcSessionCell *cells, uint32 ncells,
		  const EcSessionRows *rows, uint32 nrows)
{
	int64 seen = 0;
	int64 ordered = 0;

	for (uint32 i = 0; i < ncells; i++)
	{
		seen += cells[i].rows;
		ordered += cells[i].purchases;
	}
	for (uint32 i = 0; i < nrows; i++)
	{
		seen += rows[i].seen - rows[i].hidden;
		ordered += rows[i].ordered - rows[i].unordered;
	}
	match->counts[0] += seen > 0;
	match->counts[1] += ordered > 0;
}

static void
match_hash(EcSessionMatch *match, int64 user, const EcSessionCell *cells, uint32 ncells,
		   const EcSessionRows *rows, uint32 nrows)
{
	if (ncells == 0)
	{
		count_rows(match, rows, nrows);
		return;
	}
	if (nrows == 0 && cells[ncells - 1].stream == cells[0].stream)
		return; /* one set counts them, and rightly */
	uncount_cells(match, cells, ncells);
	if (nrows > 0 && is_one(cells, ncells, rows, nrows))
		count_one(match, cells, ncells, rows, nrows);
	else
		claim(match, user, hash_of(cells), cells, ncells, rows, nrows);
}

static int
compare_cells(const void *a, const void *b)
{
	const EcSessionCell *x = a;
	const EcSessionCell *y = b;

	if (hash_of(x) != hash_of(y))
		return hash_of(x) < hash_of(y) ? -1 : 1;
	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return x->tag < y->tag ? -1 : x->tag > y->tag;
}

/* Of one set's cells only those matter whose hash some row has: there are few rows, mostly. */
static void
leave_matching(EcSessionCells *cells, const EcSessionRows *rows, uint32 nrows)
{
	uint32 n = 0;

	for (uint32 i = 0; i < cells->n; i++)
	{
		int64 hash = hash_of(&cells->cells[i]);
		uint32 row = 0;

		while (row < nrows && rows[row].tag != hash)
			row++;
		if (row < nrows)
			cells->cells[n++] = cells->cells[i];
	}
	cells->n = n;
}

void
ec_session_match_user(EcSessionMatch *match, int64 user, EcSessionCells *cells,
					  const EcSessionRows *rows, uint32 nrows, bool with_orders)
{
	const EcSessionCell *all = cells->cells;
	uint32 cell = 0;
	uint32 row = 0;

	match->with_orders = with_orders;
	if (nrows <= FEW_ROWS && cells->n > 0 && all[0].stream == all[cells->n - 1].stream)
		leave_matching(cells, rows, nrows);
	if (cells->n > 1)
		qsort(cells->cells, cells->n, sizeof(EcSessionCell), compare_cells);
	while (cell < cells->n || row < nrows)
	{
		int64 hash = cell < cells->n ? hash_of(&all[cell]) : PG_INT64_MAX;
		uint32 ncells = 0;
		uint32 n = 0;

		if (row < nrows)
			hash = Min(hash, rows[row].tag);
		while (cell + ncells < cells->n && hash_of(&all[cell + ncells]) == hash)
			ncells++;
		while (row + n < nrows && rows[row + n].tag == hash)
			n++;
		match_hash(match, user, all + cell, ncells, rows + row, n);
		cell += ncells;
		row += n;
	}
}

/* ---- rows of claims ---- */

static int
compare_claims(const void *a, const void *b)
{
	const Claim *x = a;
	const Claim *y = b;

	if (x->user != y->user)
		return x->user < y->user ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

static const Claim *
find_claim(const EcSessionMatch *match, int64 user, int64 hash)
{
	Claim wanted = {user, hash, false};

	return bsearch(&wanted, match->claims, match->nclaims, sizeof(Claim), compare_claims);
}

static inline uint32
filter_bit(int64 user)
{
	return (uint32) (murmurhash32((uint32) user ^ (uint32) ((uint64) user >> 32)) &
					 (FILTER_BITS - 1));
}

static void
make_filter(EcSessionMatch *match)
{
	match->filter = MemoryContextAllocZero(match->context, FILTER_BITS / 8);
	for (uint32 i = 0; i < match->nclaims; i++)
	{
		uint32 bit = filter_bit(match->claims[i].user);

		match->filter[bit / 64] |= UINT64CONST(1) << (bit % 64);
	}
}

static void
read_batch(EcSessionMatch *match, EcRows *rows)
{
	EcSessionColumn *sessions = match->sessions;
	const uint32 *types;
	const uint8 *nulls;
	const int64 *users = ec_rows_ints(rows, &match->user, &nulls);

	for (uint32 i = 0; i < rows->n; i++)
	{
		uint32 bit = filter_bit(users[i]);

		match->keep[i] =
			(nulls == NULL || !nulls[i]) && (match->filter[bit / 64] >> (bit % 64) & 1) != 0;
	}
	ec_rows_narrow(rows, match->keep);
	if (rows->n == 0)
		return;
	users = ec_rows_ints(rows, &match->user, &nulls);
	types = ec_rows_types(rows);
	ec_rows_sessions(rows, sessions);
	for (uint32 i = 0; i < rows->n; i++)
	{
		uint32 hash = ec_session_tag(sessions, sessions->first[i], sessions->second[i]);
		const Claim *found = find_claim(match, users[i], hash);

		if (found != NULL)
			find_session(match, users[i], sessions->first[i], sessions->second[i],
						 found->with_orders && types[i] == EC_TYPE_PURCHASE);
	}
}

/* Of the rows asked for, those of the hours from min to max, or all. */
static void
read_rows(EcSessionMatch *match, bool all, int64 min, int64 max)
{
	EcArgs args = match->args;
	EcRows rows;

	if (!all)
	{
		args.since = args.has_since ? Max(args.since, min) : min;
		args.until = args.has_until ? Min(args.until, max + USECS_PER_HOUR) : max + USECS_PER_HOUR;
		args.has_since = args.has_until = true;
	}
	ec_rows_open(&rows, &args, COLUMNS, match->context);
	while (ec_rows_next(&rows))
		read_batch(match, &rows);
	ec_rows_close(&rows);
}

/* Calls read_rows for stretches of hours if there are few; returns how many there are. */
static uint32
read_stretches(EcSessionMatch *match, bool count_only)
{
	const int64 *hours = match->hours;
	uint32 n = 0;

	for (uint32 i = 0; i < match->nhours;)
	{
		uint32 end = i + 1;

		while (end < match->nhours && hours[end] - hours[end - 1] <= USECS_PER_HOUR)
			end++;
		if (!count_only)
			read_rows(match, false, hours[i], hours[end - 1]);
		n++;
		i = end;
	}
	return n;
}

static void
read_claims(EcSessionMatch *match)
{
	ec_int_column_init(&match->user, EC_COL_USER, match->context);
	match->keep = MemoryContextAlloc(match->context, EC_BLOCK_ROWS);
	qsort(match->claims, match->nclaims, sizeof(Claim), compare_claims);
	qsort(match->hours, match->nhours, sizeof(int64), compare_numbers);
	make_filter(match);
	if (match->anywhere)
		read_rows(match, true, 0, 0);
	else if (read_stretches(match, true) <= STRETCHES_MAX)
		(void) read_stretches(match, false);
	else
		read_rows(match, false, match->hours[0], match->hours[match->nhours - 1]);
}

static void
count_found(const uint64 *key, uint64 *state, void *arg)
{
	EcSessionMatch *match = arg;

	match->counts[0]++;
	match->counts[1] += *state;
}

void
ec_session_match_end(EcSessionMatch *match, int64 *sessions, int64 *orders)
{
	if (match->nclaims > 0)
		read_claims(match);
	ec_tally_visit(match->found, count_found, match);
	ec_tally_destroy(match->found);
	*sessions = match->counts[0];
	*orders = match->counts[1];
	MemoryContextDelete(match->context);
}
