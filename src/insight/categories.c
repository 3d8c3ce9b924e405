/*
 * categories.c
 *	  popular_categories: interactions, views, carts, purchases and revenue of each
 *	  (category_id, category_code) or of each category_code.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "insight/args.h"
#include "insight/cells.h"
#include "insight/groups.h"
#include "insight/measures.h"
#include "insight/rows.h"
#include "insight/topk.h"

#define ARG_K 1
#define ARG_BY 2
#define ARG_COMMON 3

PG_FUNCTION_INFO_V1(ec_popular_categories);

typedef struct Popular
{
	MemoryContext context;
	bool by_code; /* a group's number is the id of its category_code, else from groups */
	EcInterner *codes;
	uint32 *ranks;
	EcGroups groups;
	uint32 *pairs;		 /* [EC_BLOCK_ROWS] numbers that groups gave */
	EcMeasures measures; /* by group number */
	int32 scale;
} Popular;

static const char *const groupings[] = {"id", "code", NULL};

typedef struct CategoryItem
{
	int64 interactions;
	uint32 group;
} CategoryItem;

static uint32
ngroups(const Popular *state)
{
	return state->by_code ? ec_interner_count(state->codes) + 1 : state->groups.count;
}

/* The groups of cells or rows with these categories. */
static const uint32 *
find_groups(Popular *state, uint32 n, const int64 *ids, const uint8 *nulls, const uint32 *codes)
{
	const uint32 *groups = codes;

	if (!state->by_code)
	{
		ec_groups_find(&state->groups, n, ids, nulls, codes, state->pairs);
		groups = state->pairs;
	}
	ec_measures_reserve(&state->measures, ngroups(state));
	return groups;
}

static void
count_cells(Popular *state, EcRows *rows, EcTextColumn *code)
{
	EcSlotCells scan;

	ec_slot_cells_begin(&scan, rows, EC_PROJECTION_CATEGORY_HOUR, EC_PROJECTION_CATEGORY_DAY,
						state->context);
	while (ec_slot_cells_next(&scan))
	{
		const uint8 *nulls = NULL;
		const int64 *ids = NULL;
		const uint32 *codes = ec_cells_ids(&scan.cells, EC_CATEGORY_CODE, code);

		if (!state->by_code)
			ids = ec_cells_ints(&scan.cells, EC_CATEGORY_ID, &nulls);
		ec_measures_add_cells(&state->measures, &scan.cells,
							  find_groups(state, scan.cells.n, ids, nulls, codes));
	}
	ec_slot_cells_end(&scan);
}

static void
count_rows(Popular *state, const EcArgs *args)
{
	uint32 columns =
		EC_COL_BIT(EC_COL_CATEGORY_CODE) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_PRICE);
	EcTextColumn code;
	EcIntColumn id;
	EcRows rows;
	bool covered;

	ec_text_column_init(&code, EC_COL_CATEGORY_CODE, state->codes, state->context);
	ec_int_column_init(&id, EC_COL_CATEGORY_ID, state->context);
	if (!state->by_code)
		columns |= EC_COL_BIT(EC_COL_CATEGORY_ID);
	ec_rows_open(&rows, args, columns, state->context);
	covered = ec_rows_cover(&rows, EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR) |
									   EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_DAY));
	while (ec_rows_next(&rows))
	{
		const uint32 *codes = ec_rows_ids(&rows, &code);
		const uint8 *nulls = NULL;
		const int64 *ids = NULL;
		EcPrices prices;

		if (!state->by_code)
			ids = ec_rows_ints(&rows, &id, &nulls);
		ec_rows_prices(&rows, &prices);
		ec_measures_add(&state->measures, rows.n, rows.sign,
						find_groups(state, rows.n, ids, nulls, codes), ec_rows_types(&rows),
						&prices);
	}
	if (covered)
		count_cells(state, &rows, &code);
	state->scale = rows.price_scale;
	ec_rows_close(&rows);
}

static uint32
code_of(const Popular *state, uint32 group)
{
	return state->by_code ? group : state->groups.keys[group].minor;
}

static int
compare_ids(const Popular *state, uint32 x, uint32 y)
{
	const EcGroupKey *a = &state->groups.keys[x];
	const EcGroupKey *b = &state->groups.keys[y];

	if (a->major_null != b->major_null)
		return a->major_null ? 1 : -1;
	return (a->major > b->major) - (a->major < b->major);
}

/* interactions DESC, category_id, category_code: NULLs last */
static int
compare_items(const void *a, const void *b, void *arg)
{
	const Popular *state = arg;
	const CategoryItem *x = a;
	const CategoryItem *y = b;
	int order = (y->interactions > x->interactions) - (y->interactions < x->interactions);

	if (order == 0 && !state->by_code)
		order = compare_ids(state, x->group, y->group);
	if (order == 0)
	{
		uint32 xrank = state->ranks[code_of(state, x->group)];
		uint32 yrank = state->ranks[code_of(state, y->group)];

		order = (xrank > yrank) - (xrank < yrank);
	}
	return order;
}

static void
offer_groups(Popular *state, EcTopK *top)
{
	uint32 n = Min(ngroups(state), state->measures.capacity);

	for (uint32 group = 0; group < n; group++)
	{
		CategoryItem item = {ec_measures_interactions(&state->measures, group), group};

		if (item.interactions > 0)
			ec_topk_offer(top, &item);
	}
}

static void
put_rows(Popular *state, EcTopK *top, FunctionCallInfo fcinfo)
{
	EcResult result;

	ec_result_begin(&result, fcinfo);
	for (int64 i = 0; i < top->n; i++)
	{
		const CategoryItem *item = (const CategoryItem *) top->items + i;
		Datum values[3 + EC_MEASURES_COLUMNS] = {0};
		bool nulls[3 + EC_MEASURES_COLUMNS] = {false};
		MemoryContext old = MemoryContextSwitchTo(result.row_context);

		values[0] = Int64GetDatum(i + 1);
		nulls[1] = state->by_code || state->groups.keys[item->group].major_null;
		if (!nulls[1])
			values[1] = Int64GetDatum(state->groups.keys[item->group].major);
		values[2] = ec_interner_datum(state->codes, code_of(state, item->group), &nulls[2]);
		ec_measures_put(&state->measures, item->group, state->scale, values + 3);
		MemoryContextSwitchTo(old);
		ec_result_put(&result, values, nulls);
	}
}

Datum
ec_popular_categories(PG_FUNCTION_ARGS)
{
	EcArgs args;
	int64 k = ec_args_get_k(fcinfo, ARG_K);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight categories", ALLOCSET_DEFAULT_SIZES);
	Popular *state = MemoryContextAllocZero(context, sizeof(Popular));
	EcTopK top;

	ec_args_get(fcinfo, ARG_COMMON, &args);
	state->by_code = ec_args_get_word(fcinfo, ARG_BY, "by", groupings) == 1;
	state->context = context;
	state->codes = ec_interner_create(context);
	ec_groups_init(&state->groups, context);
	state->pairs = MemoryContextAlloc(context, sizeof(uint32) * EC_BLOCK_ROWS);
	ec_measures_init(&state->measures, context);
	count_rows(state, &args);
	state->ranks = ec_interner_ranks(state->codes, context);
	ec_topk_init(&top, sizeof(CategoryItem), k, compare_items, state, context);
	offer_groups(state, &top);
	ec_topk_finish(&top);
	put_rows(state, &top, fcinfo);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
