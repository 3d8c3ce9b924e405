/*
 * funnel.c
 *	  funnel: distinct users who viewed, put into the cart and bought, by category or brand.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/people.h"
#include "insight/topk.h"
#include "insight/user_query.h"

#define ARG_BY 1
#define ARG_COMMON 2
#define COLUMNS 7
#define SEEN EC_USER_SEEN
#define KINDS ((1 << EC_TYPE_CLASSES) - 1)

PG_FUNCTION_INFO_V1(ec_funnel);

typedef enum FunnelKey
{
	BY_CATEGORY,
	BY_BRAND,
	BY_NONE
} FunnelKey;

static const char *const key_names[] = {"category", "brand", "none", NULL};

typedef struct Funnel
{
	MemoryContext context;
	FunnelKey by;
	EcInterner *keys; /* a group is the key's id; by none it is EC_ID_NULL */
	uint32 *ranks;
	EcPeopleCounts *counts; /* [capacity] by group */
	uint64 *
		last; /* [capacity] the last user's number << EC_TYPE_CLASSES, his types, SEEN; 0: no rows */
	uint64 *kinds; /* [capacity << EC_TYPE_CLASSES] users of a group by all their types */
	uint64 nusers;
	uint32 capacity;
	uint32 *pieces; /* see find_pieces */
	uint32 pieces_capacity;
} Funnel;

static uint32
ngroups(const Funnel *state)
{
	return ec_interner_count(state->keys) + 1;
}

/* Room for all groups that there are; new ones are empty. */
static void
reserve_groups(Funnel *state)
{
	uint32 old = state->capacity;
	uint32 capacity = ngroups(state) * 2;

	if (ngroups(state) <= old)
		return;
	if (old == 0)
	{
		state->counts = MemoryContextAllocHuge(state->context, sizeof(EcPeopleCounts) * capacity);
		state->last = MemoryContextAllocHuge(state->context, sizeof(uint64) * capacity);
		state->kinds =
			MemoryContextAllocHuge(state->context, sizeof(uint64) * capacity * (KINDS + 1));
	}
	else
	{
		state->counts = repalloc_huge(state->counts, sizeof(EcPeopleCounts) * (Size) capacity);
		state->last = repalloc_huge(state->last, sizeof(uint64) * (Size) capacity);
		state->kinds = repalloc_huge(state->kinds, sizeof(uint64) * (Size) capacity * (KINDS + 1));
	}
	memset(state->counts + old, 0, sizeof(EcPeopleCounts) * (capacity - old));
	memset(state->last + old, 0, sizeof(uint64) * (capacity - old));
	memset(state->kinds + old * (KINDS + 1), 0, sizeof(uint64) * (capacity - old) * (KINDS + 1));
	state->capacity = capacity;
}

/* ---- rows ---- */

static void
count_rows(Funnel *state, EcRows *rows)
{
	EcEventColumn column = state->by == BY_BRAND ? EC_COL_BRAND : EC_COL_CATEGORY_CODE;
	const uint32 *groups = MemoryContextAllocZero(state->context, sizeof(uint32) * EC_BLOCK_ROWS);
	EcPeople people;
	EcTextColumn key;
	EcIntColumn user;

	ec_people_init(&people, state->context, 1.0);
	ec_text_column_init(&key, column, state->keys, state->context);
	ec_int_column_init(&user, EC_COL_USER, state->context);
	while (ec_rows_next(rows))
	{
		const uint8 *nulls;
		const int64 *users = ec_rows_ints(rows, &user, &nulls);

		if (state->by != BY_NONE)
			groups = ec_rows_ids(rows, &key);
		reserve_groups(state);
		for (uint32 i = 0; i < rows->n; i++)
			state->last[groups[i]] = SEEN;
		ec_people_add(&people, rows->n, groups, users, nulls, ec_rows_types(rows));
	}
	reserve_groups(state);
	ec_people_count(&people, state->counts);
}

/* ---- summaries ---- */

/* Room for what a run is made of. */
static void
reserve_pieces(Funnel *state, uint32 n)
{
	if (n <= state->pieces_capacity)
		return;
	if (state->pieces != NULL)
		pfree(state->pieces);
	state->pieces_capacity = n * 2;
	state->pieces =
		MemoryContextAllocHuge(state->context, sizeof(uint32) * (Size) state->pieces_capacity);
}

/* By brand a user's cells of a group don't stand together: the last one who was there is remembered. */
static void
count_scattered(Funnel *state, const EcUserRun *run)
{
	const uint32 *groups = run->brands;
	const int64 *users = run->users;
	uint64 present = state->nusers;

	for (uint32 i = 0; i < run->n; i++)
	{
		int64 *counts = state->counts[groups[i]];
		uint64 last;
		uint64 fresh;

		present += users != NULL && i > 0 && users[i] != users[i - 1];
		if (run->types[i] == 0)
			continue;
		last = state->last[groups[i]];
		last = last >> EC_TYPE_CLASSES == present ? last : present << EC_TYPE_CLASSES | SEEN;
		fresh = run->isnull ? 0 : run->types[i] & ~last;
		state->last[groups[i]] = last | run->types[i];
		for (int type = EC_TYPE_VIEW; type <= EC_TYPE_PURCHASE; type++)
			counts[type] += fresh >> type & 1;
	}
	state->nusers = present;
}

/*
 * Otherwise a user's cells of a group follow one another: they make a piece, the group and all their types.
 * Which cell is another group's first can't be foretold, so there are no branches.
 */
static inline uint32
find_pieces(uint32 n, const int64 *users, const uint32 *groups, const uint8 *types, uint32 counted,
			uint32 *pieces)
{
	uint32 present = types[0];
	uint32 to = 0;

	pieces[0] = (groups != NULL ? groups[0] : EC_ID_NULL) << EC_TYPE_CLASSES | (present & counted);
	for (uint32 i = 1; i < n; i++)
	{
		uint32 group = groups != NULL ? groups[i] : EC_ID_NULL;
		uint32 other = (users != NULL && users[i] != users[i - 1]) |
					   (groups != NULL && group != groups[i - 1]);

		to += other;
		present = (present & (other - 1)) | types[i];
		pieces[to] = group << EC_TYPE_CLASSES | (present & counted);
	}
	return to + 1;
}

/* Pieces side by side are hardly ever the same, so each can be counted while the one before is. */
static void
count_together(Funnel *state, const EcUserRun *run)
{
	const uint32 *groups = state->by == BY_CATEGORY ? run->codes : NULL;
	uint32 counted = run->isnull ? SEEN : KINDS; /* no user: the group is there all the same */
	uint32 n;

	reserve_pieces(state, run->n);
	if (run->users != NULL && groups != NULL)
		n = find_pieces(run->n, run->users, groups, run->types, KINDS, state->pieces);
	else
		n = find_pieces(run->n, run->users, groups, run->types, counted, state->pieces);
	for (uint32 i = 0; i < n; i++)
		state->kinds[state->pieces[i]]++;
}

/* Users of a group by all their types become those of each type. */
static void
add_kinds(Funnel *state)
{
	for (uint32 group = 0; group < ngroups(state); group++)
	{
		for (uint32 kind = 0; kind <= KINDS; kind++)
		{
			uint64 users = state->kinds[group << EC_TYPE_CLASSES | kind];

			if (users == 0 || kind == 0)
				continue;
			state->last[group] = SEEN;
			for (int type = EC_TYPE_VIEW; type <= EC_TYPE_PURCHASE; type++)
				state->counts[group][type] += kind >> type & 1 ? users : 0;
		}
	}
}

static void
count_cells(Funnel *state, EcUserQuery *query)
{
	EcUserRun run;

	ec_user_query_read(query);
	while (ec_user_cells_next_run(query->cells, &run))
	{
		reserve_groups(state);
		state->nusers++;
		if (state->by == BY_BRAND)
			count_scattered(state, &run);
		else
			count_together(state, &run);
	}
	reserve_groups(state); /* the last keys may have hidden rows only */
	add_kinds(state);
}

static void
count_all(Funnel *state, const EcArgs *args)
{
	uint32 columns = EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER);
	uint32 want = EC_USER_WANT_TYPES;
	EcUserQuery query;

	if (state->by == BY_CATEGORY)
	{
		columns |= EC_COL_BIT(EC_COL_CATEGORY_CODE);
		want |= EC_USER_WANT_CODES;
	}
	else if (state->by == BY_BRAND)
	{
		columns |= EC_COL_BIT(EC_COL_BRAND);
		want |= EC_USER_WANT_BRANDS;
	}
	reserve_groups(state);
	if (ec_user_query_open(&query, args, columns, want, 0, state->keys, state->keys,
						   state->context))
		count_cells(state, &query);
	else
		count_rows(state, &query.rows);
	ec_user_query_close(&query);
}

/* ---- results ---- */

/* Items are groups: viewers DESC, key NULLS LAST. */
static int
compare_groups(const void *a, const void *b, void *arg)
{
	const Funnel *state = arg;
	uint32 x = *(const uint32 *) a;
	uint32 y = *(const uint32 *) b;
	int64 xviewers = state->counts[x][EC_TYPE_VIEW];
	int64 yviewers = state->counts[y][EC_TYPE_VIEW];

	if (xviewers != yviewers)
		return xviewers > yviewers ? -1 : 1;
	return (state->ranks[x] > state->ranks[y]) - (state->ranks[x] < state->ranks[y]);
}

static void
order_groups(Funnel *state, EcTopK *groups)
{
	state->ranks = ec_interner_ranks(state->keys, state->context);
	ec_topk_init(groups, sizeof(uint32), EC_K_ALL, compare_groups, state, state->context);
	for (uint32 group = 0; group < ngroups(state); group++)
	{
		if (state->by == BY_NONE || state->last[group] != 0)
			ec_topk_offer(groups, &group);
	}
	ec_topk_finish(groups);
}

static void
put_rows(Funnel *state, const EcTopK *groups, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < groups->n; i++)
	{
		uint32 group = ((const uint32 *) groups->items)[i];
		const int64 *counts = state->counts[group];
		Datum values[COLUMNS];
		bool nulls[COLUMNS] = {false};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);

		values[0] = ec_interner_datum(state->keys, group, &nulls[0]);
		values[1] = Int64GetDatum(counts[EC_TYPE_VIEW]);
		values[2] = Int64GetDatum(counts[EC_TYPE_CART]);
		values[3] = Int64GetDatum(counts[EC_TYPE_PURCHASE]);
		values[4] = ec_result_ratio(counts[EC_TYPE_CART], counts[EC_TYPE_VIEW], &nulls[4]);
		values[5] = ec_result_ratio(counts[EC_TYPE_PURCHASE], counts[EC_TYPE_CART], &nulls[5]);
		values[6] = ec_result_ratio(counts[EC_TYPE_PURCHASE], counts[EC_TYPE_VIEW], &nulls[6]);
		MemoryContextSwitchTo(old);
		ec_result_put(&result, values, nulls);
	}
}

Datum
ec_funnel(PG_FUNCTION_ARGS)
{
	EcArgs args;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight funnel", ALLOCSET_DEFAULT_SIZES);
	Funnel *state = MemoryContextAllocZero(context, sizeof(Funnel));
	EcTopK groups;

	ec_args_get(fcinfo, ARG_COMMON, &args);
	state->by = ec_args_get_word(fcinfo, ARG_BY, "by", key_names);
	state->context = context;
	state->keys = ec_interner_create(context);
	count_all(state, &args);
	order_groups(state, &groups);
	put_rows(state, &groups, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
