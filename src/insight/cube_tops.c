/*
 * cube_tops.c
 *	  The pairs of user and category with the most rows, for a query of user_category_day that
 *	  wants no others, perhaps of some categories only: by the lists of the greatest that sets have (user_tops.h), or user by user.
 *
 * Whoever asks may order equal ones as he likes, so all that have as many rows as the last one
 * wanted are found, too: more are taken than wanted until there is one with fewer.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "insight/cube_internal.h"
#include "insight/projection.h"
#include "insight/topk.h"
#include "insight/user_tops.h"

/* More than these aren't taken. */
#define TAKEN_MAX 4000

#define PAIR_BITS (EC_CUBE_BIT(EC_CUBE_ID) | EC_CUBE_BIT(EC_CUBE_CODE))

static int
compare_tops(const void *a, const void *b, void *arg)
{
	const EcCube *cube = arg;

	return ec_user_top_compare(a, b, cube->codes, cube->brands);
}

/* Where tops are offered, and of which codes: 1 .. ncodes, as a filter's texts were interned first; 0: all. */
typedef struct Taking
{
	EcTopK *taken;
	uint32 ncodes;
} Taking;

static void
offer(const EcUserTop *top, void *arg)
{
	const Taking *taking = arg;
	const EcUserTop *worst = ec_topk_worst(taking->taken);

	if (taking->ncodes > 0 && (top->code == EC_ID_NULL || top->code > taking->ncodes))
		return;
	if (worst == NULL || top->n >= worst->n)
		ec_topk_offer(taking->taken, top);
}

static bool
is_question_for_lists(const EcCubeQuery *query)
{
	const EcCubeFilter *codes = &query->filters[EC_CUBE_CODE];

	return query->limit > 0 && query->limit < TAKEN_MAX / 2 && query->top == EC_CUBE_INTERACTIONS &&
		   query->view->id == EC_COL_USER && query->keys == PAIR_BITS &&
		   query->measures == EC_CUBE_BIT(EC_CUBE_INTERACTIONS) &&
		   !query->filters[EC_CUBE_ID].is_active && (!codes->is_active || codes->n > 0);
}

static bool
visit_lists(EcUserQuery *users, Taking *taking)
{
	int64 k = taking->taken->k;

	if (ec_user_query_is_unbounded(users))
		return ec_user_tops_visit(users->cells, users->sets, users->nsets, taking->ncodes, k, offer,
								  taking);
	return ec_user_tops_visit_range(users->cells, users->sets, users->nsets, &users->rows.slots,
									taking->ncodes, k, PG_UINT32_MAX, offer, taking);
}

static void
visit_all(EcUserQuery *users, Taking *taking)
{
	EcUserSlice slice;

	ec_user_query_read(users);
	while (ec_user_cells_next(users->cells, &slice))
		ec_user_slice_visit(&slice, false, offer, taking);
}

/* Takes the first k of all.  False: there are no summaries. */
static bool
take(EcCube *cube, int64 k, EcTopK *taken)
{
	const EcCubeFilter *codes = &cube->query->filters[EC_CUBE_CODE];
	Taking taking = {taken, codes->is_active ? codes->n : 0};
	EcUserQuery users;
	bool is_open;

	ec_topk_init(taken, sizeof(EcUserTop), k, compare_tops, cube, cube->context);
	is_open = ec_user_query_open(
		&users, &cube->args, EC_COL_BIT(EC_COL_USER) | EC_COL_BIT(EC_COL_CATEGORY_CODE),
		EC_USER_WANT_ROWS | EC_USER_WANT_CODES, EC_PROJECTION_BIT(EC_PROJECTION_TOP_CATEGORY),
		cube->codes, cube->brands, cube->context);
	cube->use->source = "lists of the greatest users";
	if (is_open && !visit_lists(&users, &taking))
	{
		visit_all(&users, &taking);
		cube->use->source = "summaries by user";
	}
	ec_user_query_close(&users);
	ec_topk_finish(taken);
	return is_open;
}

/* Is nobody left out who has as many as the last one wanted? */
static bool
is_enough(const EcTopK *taken, int64 wanted)
{
	const EcUserTop *tops = (const EcUserTop *) taken->items;

	return taken->n < taken->k || tops[taken->k - 1].n < tops[wanted - 1].n;
}

/* Makes a group of each. */
static void
put(EcCube *cube, const EcTopK *taken)
{
	const EcUserTop *tops = (const EcUserTop *) taken->items;

	for (int64 i = 0; i < taken->n; i++)
	{
		EcCubeBatch batch = {.n = 1, .ids = &tops[i].user, .codes = &tops[i].code};
		uint8 no_id = tops[i].isnull;
		const uint8 *skip;

		batch.no_id = &no_id;
		ec_cube_find(cube, &batch, &skip)[0][EC_CUBE_COUNTS] = (uint64) tops[i].n;
	}
}

bool
ec_cube_add_tops(EcCube *cube)
{
	if (!is_question_for_lists(cube->query))
		return false;
	for (int64 k = cube->query->limit * 2; k <= TAKEN_MAX; k *= 4)
	{
		EcTopK taken;

		if (!take(cube, k, &taken))
			return false;
		if (!is_enough(&taken, cube->query->limit))
			continue;
		put(cube, &taken);
		return true;
	}
	return false;
}
