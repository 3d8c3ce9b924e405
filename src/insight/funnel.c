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

#define ARG_BY 1
#define ARG_COMMON 2
#define COLUMNS 7

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
	EcPeople people;
	EcPeopleCounts *counts; /* by group */
	bool *seen;				/* [capacity] by group: has it rows? */
	uint32 capacity;
} Funnel;

static uint32
ngroups(const Funnel *state)
{
	return ec_interner_count(state->keys) + 1;
}

static void
mark_seen(Funnel *state, uint32 n, const uint32 *groups)
{
	uint32 old = state->capacity;

	if (ngroups(state) > old)
	{
		state->capacity = ngroups(state) * 2;
		state->seen = repalloc_huge(state->seen, state->capacity);
		memset(state->seen + old, 0, state->capacity - old);
	}
	for (uint32 i = 0; i < n; i++)
		state->seen[groups[i]] = true;
}

static void
count_rows(Funnel *state, const EcArgs *args)
{
	EcEventColumn column = state->by == BY_BRAND ? EC_COL_BRAND : EC_COL_CATEGORY_CODE;
	uint32 columns = EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER);
	const uint32 *groups = MemoryContextAllocZero(state->context, sizeof(uint32) * EC_BLOCK_ROWS);
	EcTextColumn key;
	EcIntColumn user;
	EcRows rows;

	if (state->by != BY_NONE)
		columns |= EC_COL_BIT(column);
	ec_text_column_init(&key, column, state->keys, state->context);
	ec_int_column_init(&user, EC_COL_USER, state->context);
	ec_rows_open(&rows, args, columns, state->context);
	while (ec_rows_next(&rows))
	{
		const uint8 *nulls;
		const int64 *users = ec_rows_ints(&rows, &user, &nulls);

		if (state->by != BY_NONE)
			groups = ec_rows_ids(&rows, &key);
		mark_seen(state, rows.n, groups);
		ec_people_add(&state->people, rows.n, groups, users, nulls, ec_rows_types(&rows));
	}
	ec_rows_close(&rows);
	state->counts =
		MemoryContextAllocExtended(state->context, sizeof(EcPeopleCounts) * (Size) ngroups(state),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	ec_people_count(&state->people, state->counts);
}

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
		if (state->by == BY_NONE || (group < state->capacity && state->seen[group]))
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
	state->seen = MemoryContextAllocZero(context, 1);
	ec_people_init(&state->people, context, 1.0);
	count_rows(state, &args);
	order_groups(state, &groups);
	put_rows(state, &groups, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
