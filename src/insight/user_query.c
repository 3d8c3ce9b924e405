/*
 * user_query.c
 *	  A question about users: rows that sets lack or have too many, and the sets.
 */
#include "postgres.h"

#include "insight/cells.h"
#include "insight/user_query.h"

#define SHARE 0.5
#define COUNT_PROJECTIONS                                                                          \
	(EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_HOUR) | EC_PROJECTION_BIT(EC_PROJECTION_CATEGORY_DAY))

/* ---- rows ---- */

/* Columns of the rows that are read beside sets. */
typedef struct RowColumns
{
	EcTextColumn code;
	EcTextColumn brand;
	EcIntColumn user;
	uint8 *keep;
} RowColumns;

bool
ec_user_is_chosen(const int64 *users, uint32 n, int64 user)
{
	uint32 low = 0;
	uint32 high = n;

	while (low < high)
	{
		uint32 middle = low + (high - low) / 2;

		if (users[middle] < user)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && users[low] == user;
}

static void
keep_chosen(EcRows *rows, RowColumns *columns, const int64 *chosen, uint32 nchosen)
{
	const uint8 *nulls;
	const int64 *users = ec_rows_ints(rows, &columns->user, &nulls);

	for (uint32 i = 0; i < rows->n; i++)
		columns->keep[i] =
			(nulls == NULL || !nulls[i]) && ec_user_is_chosen(chosen, nchosen, users[i]);
	ec_rows_narrow(rows, columns->keep);
}

static void
add_batch(EcUserQuery *query, RowColumns *columns, uint32 want)
{
	EcRows *rows = &query->rows;
	const uint32 *codes = NULL;
	const uint32 *brands = NULL;
	const uint32 *types = NULL;
	const uint8 *nulls;
	const int64 *users = ec_rows_ints(rows, &columns->user, &nulls);

	if (want & EC_USER_WANT_CODES)
		codes = ec_rows_ids(rows, &columns->code);
	if (want & EC_USER_WANT_BRANDS)
		brands = ec_rows_ids(rows, &columns->brand);
	if (want & EC_USER_WANT_TYPES)
		types = ec_rows_types(rows);
	ec_user_cells_add_rows(query->cells, rows->n, users, nulls, codes, brands, types, rows->sign);
}

static void
add_rows(EcUserQuery *query, uint32 want, const int64 *chosen, uint32 nchosen)
{
	RowColumns columns;

	ec_user_cells_init_texts(query->cells, &columns.code, &columns.brand, query->context);
	ec_int_column_init(&columns.user, EC_COL_USER, query->context);
	columns.keep = MemoryContextAlloc(query->context, EC_BLOCK_ROWS);
	while (ec_rows_next(&query->rows))
	{
		if (chosen != NULL)
			keep_chosen(&query->rows, &columns, chosen, nchosen);
		if (query->rows.n > 0)
			add_batch(query, &columns, want);
	}
}

/* ---- sets ---- */

static void
list_sets(EcUserQuery *query)
{
	EcUserSet set;
	uint32 capacity = 8;

	query->sets = MemoryContextAlloc(query->context, sizeof(EcUserSet) * capacity);
	while (ec_rows_next_set(&query->rows, &set.rel, &set.set))
	{
		if (query->nsets == capacity)
		{
			capacity *= 2;
			query->sets = repalloc(query->sets, sizeof(EcUserSet) * capacity);
		}
		query->sets[query->nsets++] = set;
	}
}

static bool
open_query(EcUserQuery *query, const EcArgs *args, uint32 columns, uint32 want, uint32 projections,
		   EcInterner *codes, EcInterner *brands, const int64 *chosen, uint32 nchosen,
		   MemoryContext context)
{
	memset(query, 0, sizeof(EcUserQuery));
	query->context = context;
	ec_rows_open(&query->rows, args, columns, context);
	projections |= EC_PROJECTION_BIT(EC_PROJECTION_USER);
	if ((want & EC_USER_WANT_BRANDS) != 0)
		projections |= EC_PROJECTION_BIT(EC_PROJECTION_USER_BRAND);
	if (!ec_rows_cover(&query->rows, projections))
		return false;
	query->cells = ec_user_cells_create(context, want, codes, brands, SHARE);
	if (chosen != NULL)
		ec_user_cells_choose(query->cells, chosen, nchosen);
	add_rows(query, want, chosen, nchosen);
	list_sets(query);
	return true;
}

bool
ec_user_query_open(EcUserQuery *query, const EcArgs *args, uint32 columns, uint32 want,
				   uint32 projections, EcInterner *codes, EcInterner *brands, MemoryContext context)
{
	return open_query(query, args, columns, want, projections, codes, brands, NULL, 0, context);
}

bool
ec_user_query_open_chosen(EcUserQuery *query, const EcArgs *args, uint32 columns, uint32 want,
						  EcInterner *codes, EcInterner *brands, const int64 *users, uint32 nusers,
						  MemoryContext context)
{
	return open_query(query, args, columns, want, 0, codes, brands, users, nusers, context);
}

bool
ec_user_query_is_unbounded(const EcUserQuery *query)
{
	return query->rows.slots.min == PG_INT64_MIN && query->rows.slots.max == PG_INT64_MAX &&
		   query->rows.slots.nulls;
}

static int64
count_block(EcCells *cells)
{
	int64 n = 0;

	for (int type = 0; type < EC_TYPE_CLASSES; type++)
	{
		const int64 *counts = ec_cells_ints(cells, EC_CATEGORY_OTHER + type, NULL);

		for (uint32 i = 0; i < cells->n; i++)
			n += counts[i];
	}
	return n;
}

int64
ec_user_query_count(EcUserQuery *query, int64 max)
{
	EcSlotCells scan;
	int64 n = 0;

	for (uint32 i = 0; i < query->nsets; i++)
	{
		if ((query->sets[i].set->projections & COUNT_PROJECTIONS) != COUNT_PROJECTIONS)
			return PG_INT64_MAX;
	}
	ec_rows_rewind_sets(&query->rows);
	ec_slot_cells_begin(&scan, &query->rows, EC_PROJECTION_CATEGORY_HOUR,
						EC_PROJECTION_CATEGORY_DAY, query->context);
	while (n <= max && ec_slot_cells_next(&scan))
		n += count_block(&scan.cells);
	ec_slot_cells_end(&scan);
	return n;
}

int64
ec_user_query_cells(const EcUserQuery *query, EcProjection projection)
{
	int64 n = 0;

	for (uint32 i = 0; i < query->nsets; i++)
	{
		const EcSummarySet *set = query->sets[i].set;

		for (uint32 part = 0; part < set->nparts; part++)
			n += set->parts[part].projection == projection ? set->parts[part].nrows : 0;
	}
	return n;
}

void
ec_user_query_read(EcUserQuery *query)
{
	for (uint32 i = 0; i < query->nsets; i++)
		ec_user_cells_add_set(query->cells, query->sets[i].rel, query->sets[i].set,
							  &query->rows.slots);
}

void
ec_user_query_close(EcUserQuery *query)
{
	if (query->cells != NULL)
		ec_user_cells_destroy(query->cells);
	ec_rows_close(&query->rows);
}
