/*
 * build_users.c
 *	  The rows of a set of summaries user by user, for all makers that want them so.
 *
 * A row becomes a record of two words, or four with its session; records are sorted by user,
 * once for all makers, and handed out.  The order of a user's rows is the makers' own matter:
 * a user has few, which fit the processor's caches.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "insight/build.h"

#define WORDS (sizeof(EcUserRow) / sizeof(uint64))
#define WORDS_WITHOUT_SESSION 2

/* Records handed out at once. */
#define SOME_ROWS 1024

struct EcBuildUsers
{
	EcBuild *build;
	bool with_sessions;
	EcSorter *sorter;
	EcSessionColumn sessions;
	EcVariants pairs; /* of category_code and brand: products without number */
	int64 *zeros;	  /* [EC_BLOCK_ROWS] */
	uint32 *none;	  /* likewise */
	uint32 *numbers;  /* [EC_BLOCK_ROWS] of pairs */
	uint32 *slots;	  /* likewise */
	EcBuildPairs ranked;
	EcMaking *makings[EC_PROJECTIONS]; /* that want rows */
	int nmakings;
};

EcBuildUsers *
ec_build_users_begin(EcBuild *build, double share, bool with_sessions)
{
	EcBuildUsers *users = palloc0(sizeof(EcBuildUsers));

	users->build = build;
	users->with_sessions = with_sessions;
	users->sorter =
		ec_sorter_create(build->context, with_sessions ? WORDS : WORDS_WITHOUT_SESSION, 1, share);
	if (with_sessions)
		ec_session_column_init(&users->sessions, CurrentMemoryContext);
	ec_variants_init(&users->pairs, CurrentMemoryContext);
	users->zeros = palloc0(sizeof(int64) * EC_BLOCK_ROWS);
	users->none = palloc0(sizeof(uint32) * EC_BLOCK_ROWS);
	users->numbers = palloc0(sizeof(uint32) * EC_BLOCK_ROWS);
	users->slots = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	return users;
}

/* Where a maker doesn't ask for texts they may not have been read. */
static void
find_pairs(EcBuildUsers *users, const EcBuildRows *batch)
{
	if (batch->codes == NULL && batch->brands == NULL)
		return;
	ec_variants_find(&users->pairs, batch->n, users->zeros, NULL,
					 batch->codes != NULL ? batch->codes : users->none,
					 batch->brands != NULL ? batch->brands : users->none, users->numbers);
	if (users->pairs.count > EC_USER_ROW_PAIR_MAX)
		elog(ERROR, "too many pairs of category and brand in a summary");
}

void
ec_build_users_add(EcBuildUsers *users, const EcBuildRows *batch)
{
	ec_build_find_slots(batch, users->slots);
	find_pairs(users, batch);
	if (users->with_sessions)
		ec_rows_sessions(batch->rows, &users->sessions);
	for (uint32 i = 0; i < batch->n; i++)
	{
		uint32 type = batch->types[i] < EC_TYPE_CLASSES ? batch->types[i] : 0;
		EcUserRow row = {
			.user = ec_sorter_word(batch->users[i]),
			.facts = (uint64) users->numbers[i] << EC_USER_ROW_PAIR_SHIFT |
					 (uint64) users->slots[i] << EC_USER_ROW_SLOT_SHIFT | type,
		};

		if (batch->no_user != NULL && batch->no_user[i])
			row.facts |= EC_USER_ROW_NULL;
		if (users->with_sessions)
		{
			row.session[0] = users->sessions.first[i];
			row.session[1] = users->sessions.second[i];
		}
		ec_sorter_put(users->sorter, (const uint64 *) &row);
	}
}

/* ---- rows out ---- */

static void
rank_pairs(EcBuildUsers *users)
{
	EcVariants *pairs = &users->pairs;
	MemoryContext context = users->build->context;
	uint32 n = pairs->count;
	uint32 *order = ec_variants_order(pairs, context);
	uint32 *ranks = MemoryContextAllocHuge(context, sizeof(uint32) * (Size) (n + 1) * 3);
	uint32 *codes = ranks + n + 1;
	uint32 *brands = codes + n + 1;

	for (uint32 i = 0; i < n; i++)
	{
		ranks[order[i]] = i;
		codes[i] = pairs->keys[order[i]].code;
		brands[i] = pairs->keys[order[i]].brand;
	}
	users->ranked = (EcBuildPairs){n, ranks, codes, brands};
	pfree(order);
}

const EcBuildPairs *
ec_build_users_pairs(EcBuildUsers *users)
{
	return &users->ranked;
}

const EcSessionColumn *
ec_build_users_sessions(const EcBuildUsers *users)
{
	return &users->sessions;
}

static void
hand_out(EcBuildUsers *users, const EcUserRow *rows, uint32 n)
{
	for (int i = 0; i < users->nmakings && n > 0; i++)
		users->makings[i]->maker->add_user_rows(users->makings[i], rows, n);
}

static void
end_user(EcBuildUsers *users, uint64 user)
{
	for (int i = 0; i < users->nmakings; i++)
		users->makings[i]->maker->end_user(users->makings[i], user);
}

/* Records with a session are rows as they stand; *last is the user whose rows came last. */
static void
hand_out_records(EcBuildUsers *users, const EcUserRow *rows, uint32 n, uint64 *last)
{
	uint32 start = 0;

	for (uint32 i = 0; i < n; i++)
	{
		if (rows[i].user == *last)
			continue;
		hand_out(users, rows + start, i - start);
		end_user(users, *last);
		*last = rows[i].user;
		start = i;
	}
	hand_out(users, rows + start, n - start);
}

static void
widen_records(const uint64 *records, uint32 n, EcUserRow *rows)
{
	for (uint32 i = 0; i < n; i++)
	{
		rows[i].user = records[i * WORDS_WITHOUT_SESSION];
		rows[i].facts = records[i * WORDS_WITHOUT_SESSION + 1];
	}
}

void
ec_build_users_finish(EcBuildUsers *users)
{
	EcUserRow *rows = palloc0(sizeof(EcUserRow) * SOME_ROWS);
	const uint64 *records;
	uint64 last = 0;
	bool any = false;
	uint64 n;

	for (int i = 0; ec_makers[i] != NULL; i++)
	{
		EcMaking *making = ec_build_making(users->build, ec_makers[i]->projection);

		if (making != NULL && making->maker->add_user_rows != NULL)
			users->makings[users->nmakings++] = making;
	}
	rank_pairs(users);
	ec_sorter_sort(users->sorter);
	while ((records = ec_sorter_next_some(users->sorter, SOME_ROWS, &n)) != NULL)
	{
		if (!any)
			last = records[0];
		any = true;
		if (!users->with_sessions)
			widen_records(records, n, rows);
		hand_out_records(users, users->with_sessions ? (const EcUserRow *) records : rows, n,
						 &last);
	}
	if (any)
		end_user(users, last);
	ec_sorter_destroy(users->sorter);
	pfree(rows);
}
