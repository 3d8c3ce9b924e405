/*
 * summary_visit.c
 *	  Summaries that count distinct users, buyers, sessions and orders in any range of
 *	  whole hours.
 *
 * A visit is an hour in which a user (buyer, session, order) has a row.  A cell says how
 * many visits in one hour have their predecessor, of the same user, in another hour (or
 * none).  Who was there in [a, b) has exactly one visit there whose predecessor lies before
 * a, so the number of different ones is the sum of the cells with hour in [a, b) and
 * predecessor before a: exact for any range, and there are fewer cells than pairs of hours.
 *
 * Most of these predecessors are days before a, so there are cells whose predecessor is told by its day, too,
 * which are a twentieth; of the others, those with a predecessor in the day of a stand together.
 *
 * Rows without a time are a last hour, after infinity.  What two sets have in common can't be
 * told from their cells, so cells are always made from rows.
 *
 * Hours are slots (product_set.h), which are in order.  Cells of sessions (summary_session.c) and of
 * visits' neighbours (summary_revisit.c) are made of the same visits.
 */
#include "postgres.h"

#include "insight/build.h"
#include "insight/product_set.h"
#include "insight/summary_revisit.h"
#include "insight/summary_session.h"

/* Visits that are kept before equal ones are combined, at the least. */
#define FEW_VISITS 1024

/* Of hash memory: tally and sorter of cells. */
#define CELLS_SHARE 1.0

/* Words of a cell's key: kind, whether there is a predecessor, and slot; the predecessor's slot. */
#define CELL_WORDS 2
#define KIND_SHIFT 33
#define ANY_BIT (UINT64CONST(1) << 32)

/* A cell's key when they are written: kind and whether there is a predecessor; its day; slot and predecessor's slot. */
typedef enum CellWord
{
	CELL_KIND,
	CELL_DAY,
	CELL_SLOTS,
	CELL_COUNT
} CellWord;

/* A session's slot. */
typedef struct Visit
{
	uint64 session[2];
	uint32 slot;
	uint32 rows;
	uint32 purchases; /* of them */
} Visit;

/* The last visit of somebody. */
typedef struct Last
{
	bool any;
	uint32 slot;
} Last;

typedef struct Visits
{
	EcTally *cells;			  /* to their numbers */
	uint64 *keys[CELL_WORDS]; /* [EC_BLOCK_ROWS] of visits that aren't counted yet */
	uint32 nkeys;
	EcMaking *hours;	/* of sessions; NULL: they aren't made */
	EcMaking *revisits; /* likewise */
	Visit *visits;		/* of the user in work */
	uint32 nvisits;
	uint32 capacity;
} Visits;

static inline int
compare_sessions(const Visit *a, const Visit *b)
{
	if (a->session[0] != b->session[0])
		return a->session[0] < b->session[0] ? -1 : 1;
	if (a->session[1] != b->session[1])
		return a->session[1] < b->session[1] ? -1 : 1;
	return 0;
}

static inline int
compare_visits(const Visit *a, const Visit *b)
{
	int order = compare_sessions(a, b);

	return order != 0 ? order : (a->slot > b->slot) - (a->slot < b->slot);
}

#define ST_SORT sort_visits
#define ST_ELEMENT_TYPE Visit
#define ST_COMPARE(a, b) compare_visits(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_by_slot
#define ST_ELEMENT_TYPE Visit
#define ST_COMPARE(a, b) ((a)->slot < (b)->slot ? -1 : (a)->slot > (b)->slot)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
add_number(uint64 *into, const uint64 *from)
{
	into[0] += from[0];
}

static void
begin(EcMaking *making)
{
	Visits *visits = palloc0(sizeof(Visits));

	visits->cells = ec_tally_create(making->build->context, CELL_WORDS, 1, add_number, CELLS_SHARE);
	for (int i = 0; i < CELL_WORDS; i++)
		visits->keys[i] = palloc(sizeof(uint64) * EC_BLOCK_ROWS);
	visits->hours = ec_build_making(making->build, EC_PROJECTION_SESSION);
	visits->revisits = ec_build_making(making->build, EC_PROJECTION_REVISIT);
	visits->capacity = FEW_VISITS;
	visits->visits = palloc(sizeof(Visit) * visits->capacity);
	making->private = visits;
}

/* ---- a user's rows ---- */

static inline void
add_visit(Visit *visit, const Visit *other)
{
	visit->rows += other->rows;
	visit->purchases += other->purchases;
}

/* In order; equal ones become one. */
static void
combine_visits(Visits *visits)
{
	uint32 n = 0;

	sort_visits(visits->visits, visits->nvisits);
	for (uint32 i = 0; i < visits->nvisits; i++)
	{
		if (n > 0 && compare_visits(&visits->visits[n - 1], &visits->visits[i]) == 0)
			add_visit(&visits->visits[n - 1], &visits->visits[i]);
		else
			visits->visits[n++] = visits->visits[i];
	}
	visits->nvisits = n;
}

static void
make_room(Visits *visits, uint32 n)
{
	if (visits->nvisits + n <= visits->capacity)
		return;
	combine_visits(visits);
	while (visits->nvisits + n > visits->capacity / 2)
	{
		visits->capacity *= 2;
		visits->visits = repalloc_huge(visits->visits, sizeof(Visit) * (Size) visits->capacity);
	}
}

/* Neighbours are often of one visit. */
static void
add_user_rows(EcMaking *making, const EcUserRow *rows, uint32 n)
{
	Visits *visits = making->private;

	make_room(visits, n);
	for (uint32 i = 0; i < n; i++)
	{
		Visit visit = {
			.session = {rows[i].session[0], rows[i].session[1]},
			.slot = ec_user_row_slot(&rows[i]),
			.rows = 1,
			.purchases = ec_user_row_type(&rows[i]) == EC_TYPE_PURCHASE,
		};
		Visit *last = visits->nvisits > 0 ? &visits->visits[visits->nvisits - 1] : NULL;

		if (rows[i].facts & EC_USER_ROW_NULL)
			continue;
		if (last != NULL && compare_visits(last, &visit) == 0)
			add_visit(last, &visit);
		else
			visits->visits[visits->nvisits++] = visit;
	}
}

/* ---- visits in order ---- */

static void
count_keys(Visits *visits)
{
	const uint64 *keys[CELL_WORDS] = {visits->keys[0], visits->keys[1]};
	uint64 *const *states = ec_tally_find(visits->cells, visits->nkeys, keys, NULL);

	for (uint32 i = 0; i < visits->nkeys; i++)
		states[i][0]++;
	visits->nkeys = 0;
}

static void
count_visit(Visits *visits, EcVisitKind kind, Last *last, uint32 slot)
{
	uint32 i = visits->nkeys++;

	visits->keys[0][i] = (uint64) kind << KIND_SHIFT | (last->any ? ANY_BIT : 0) | slot;
	visits->keys[1][i] = last->any ? last->slot : 0;
	if (visits->nkeys == EC_BLOCK_ROWS)
		count_keys(visits);
	last->any = true;
	last->slot = slot;
}

static void
count_sessions(Visits *visits)
{
	Last session = {0};
	Last order = {0};

	for (uint32 i = 0; i < visits->nvisits; i++)
	{
		const Visit *visit = &visits->visits[i];

		if (i > 0 && compare_sessions(visit - 1, visit) != 0)
			session.any = order.any = false;
		count_visit(visits, EC_VISIT_SESSION, &session, visit->slot);
		if (visit->purchases > 0)
			count_visit(visits, EC_VISIT_ORDER, &order, visit->slot);
	}
}

static void
feed_sessions(const EcMaking *making, const Visits *visits, uint64 user)
{
	const EcSessionColumn *sessions = ec_build_users_sessions(making->build->users);

	for (uint32 i = 0; i < visits->nvisits; i++)
	{
		const Visit *visit = &visits->visits[i];
		bool no_time = visit->slot == EC_PRODUCT_SLOT_NULL;
		EcSessionHour hour = {.first = visit->session[0],
							  .second = visit->session[1],
							  .slot = no_time ? 0 : ec_product_slot_time(visit->slot),
							  .no_time = no_time,
							  .rows = visit->rows,
							  .purchases = visit->purchases};

		ec_session_add_hour(visits->hours, sessions, &hour);
	}
	ec_session_end_user(visits->hours, ec_sorter_int64(user));
}

/* The hours of all sessions of a user are the user's. */
static void
end_user(EcMaking *making, uint64 id)
{
	Visits *visits = making->private;
	Last user = {0};
	Last buyer = {0};
	EcRevisitChain users = ec_revisit_chain(EC_VISIT_USER, id, 0);
	EcRevisitChain buyers = ec_revisit_chain(EC_VISIT_BUYER, id, 0);

	combine_visits(visits);
	count_sessions(visits);
	if (visits->hours != NULL && visits->nvisits > 0)
		feed_sessions(making, visits, id);
	sort_by_slot(visits->visits, visits->nvisits);
	for (uint32 i = 0; i < visits->nvisits; i++)
	{
		const Visit *visit = &visits->visits[i];

		if (!user.any || user.slot != visit->slot)
		{
			count_visit(visits, EC_VISIT_USER, &user, visit->slot);
			ec_revisit_add(visits->revisits, &users, visit->slot);
		}
		if (visit->purchases > 0 && (!buyer.any || buyer.slot != visit->slot))
		{
			count_visit(visits, EC_VISIT_BUYER, &buyer, visit->slot);
			ec_revisit_add(visits->revisits, &buyers, visit->slot);
		}
	}
	ec_revisit_end(visits->revisits, &users);
	ec_revisit_end(visits->revisits, &buyers);
	visits->nvisits = 0;
}

/* ---- cells ---- */

static void
put_cell(const uint64 *key, uint64 *state, void *arg)
{
	uint32 slot = (uint32) key[0];
	uint32 previous = (uint32) key[1];
	bool any = (key[0] & ANY_BIT) != 0;
	uint64 cell[CELL_COUNT + 1];

	cell[CELL_KIND] = key[0] >> (KIND_SHIFT - 1);
	cell[CELL_DAY] = any ? ec_sorter_word(ec_slot_day(ec_product_slot_time(previous))) : 0;
	cell[CELL_SLOTS] = (uint64) slot << 32 | previous;
	cell[CELL_COUNT] = *state;
	ec_sorter_put(arg, cell);
}

static inline uint32
cell_slot(const uint64 *cell)
{
	return (uint32) (cell[CELL_SLOTS] >> 32);
}

static void
write_cell(EcMaking *making, const uint64 *cell)
{
	uint32 slot = cell_slot(cell);

	ec_making_int(making, EC_VISIT_KIND, (int64) (cell[CELL_KIND] >> 1));
	if (slot == EC_PRODUCT_SLOT_NULL)
		ec_making_null(making, EC_VISIT_SLOT);
	else
		ec_making_int(making, EC_VISIT_SLOT, ec_product_slot_time(slot));
	if (cell[CELL_KIND] & 1)
		ec_making_int(making, EC_VISIT_PREVIOUS, ec_product_slot_time((uint32) cell[CELL_SLOTS]));
	else
		ec_making_null(making, EC_VISIT_PREVIOUS);
	ec_making_int(making, EC_VISIT_COUNT, (int64) cell[CELL_COUNT]);
	ec_making_row(making);
}

/* What one hour's visits with predecessors of one day have become. */
static void
write_day(EcMaking *making, const uint64 *cell)
{
	if (making == NULL || cell[CELL_COUNT] == 0)
		return;
	ec_making_int(making, EC_VISIT_KIND, (int64) (cell[CELL_KIND] >> 1));
	ec_making_int(making, EC_VISIT_SLOT, ec_product_slot_time(cell_slot(cell)));
	ec_making_int(making, EC_VISIT_PREVIOUS, ec_sorter_int64(cell[CELL_DAY]));
	ec_making_int(making, EC_VISIT_COUNT, (int64) cell[CELL_COUNT]);
	ec_making_row(making);
}

/* Adds a cell to the day's, or begins another one. */
static void
add_to_day(EcMaking *making, uint64 *day, const uint64 *cell)
{
	if ((cell[CELL_KIND] & 1) == 0 || cell_slot(cell) == EC_PRODUCT_SLOT_NULL)
		return;
	if (day[CELL_KIND] != cell[CELL_KIND] || day[CELL_DAY] != cell[CELL_DAY] ||
		cell_slot(day) != cell_slot(cell))
	{
		write_day(making, day);
		memcpy(day, cell, sizeof(uint64) * CELL_COUNT);
		day[CELL_COUNT] = 0;
	}
	day[CELL_COUNT] += cell[CELL_COUNT];
}

static void
finish(EcMaking *making)
{
	Visits *visits = making->private;
	EcMaking *days = ec_build_making(making->build, EC_PROJECTION_VISIT_DAY);
	EcSorter *sorter =
		ec_sorter_create(making->build->context, CELL_COUNT + 1, CELL_COUNT, CELLS_SHARE);
	uint64 day[CELL_COUNT + 1] = {0};
	const uint64 *cell;

	count_keys(visits);
	ec_tally_visit(visits->cells, put_cell, sorter);
	ec_sorter_sort(sorter);
	while ((cell = ec_sorter_next(sorter)) != NULL)
	{
		write_cell(making, cell);
		add_to_day(days, day, cell);
	}
	write_day(days, day);
	ec_sorter_destroy(sorter);
	ec_tally_destroy(visits->cells);
}

const EcMaker ec_visit_maker = {
	.projection = EC_PROJECTION_VISIT,
	.dimension = "visit",
	.columns = EC_COL_BIT(EC_COL_TIME) | EC_COL_BIT(EC_COL_TYPE) | EC_COL_BIT(EC_COL_USER) |
			   EC_COL_BIT(EC_COL_SESSION),
	.key_words = 1,
	.memory = 2,
	.begin = begin,
	.add_user_rows = add_user_rows,
	.end_user = end_user,
	.finish = finish,
};

/* Written by the making of visits. */
const EcMaker ec_visit_day_maker = {
	.projection = EC_PROJECTION_VISIT_DAY,
	.dimension = "visit",
	.needs = EC_PROJECTION_BIT(EC_PROJECTION_VISIT),
	.key_words = 1,
};
