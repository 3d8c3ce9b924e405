/*
 * user_cells.c
 *	  What each user did: sets' cells by user and rows besides, merged.
 *
 * Each set is a stream of users with their cells, and so are all rows together,
 * aggregated and sorted.  A user of one set alone, whose cells lie in one block, is
 * handed out as they stand in the decoded columns.  Others are collected, cells of
 * equal texts being added up at once, and sorted by texts, since each set has its own
 * order of these.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "insight/projection.h"
#include "insight/sorter.h"
#include "insight/tally.h"
#include "insight/user_cells.h"
#include "insight/user_stream.h"

/* Rows' keys: user; no user, code and brand. */
#define KEY_WORDS 2
#define NO_USER (UINT64CONST(1) << 63)
#define CODE_SHIFT 32
#define FEW_CELLS 24

/* A cell that is being collected. */
typedef struct Cell
{
	uint64 texts;
	int64 counts[EC_USER_COUNTS];
} Cell;

struct EcUserCells
{
	MemoryContext context;
	uint32 want;
	EcInterner *codes;
	EcInterner *brands;
	double share;
	const int64 *chosen; /* NULL: all users */
	uint32 nchosen;
	bool subtracts; /* rows are taken away, so it matters how many there are */
	uint32 code;	/* the only one; EC_ID_NULL: all */
	uint32 brand;

	EcTally *tally; /* of rows, and then sorted; NULL: none */
	EcSorter *sorter;
	uint64 *keys[KEY_WORDS]; /* [EC_BLOCK_ROWS] */
	const uint64 *record;	 /* the next of them; NULL: none */

	EcUserStream **streams;
	int nstreams;

	/* a user's cells collected */
	Cell *collected;
	uint32 ncollected;
	uint32 capacity;
	uint32 arrays; /* capacity of the following */
	uint32 *ids[2];
	int64 *rows;
	uint8 *types;
};

EcUserCells *
ec_user_cells_create(MemoryContext context, uint32 want, EcInterner *codes, EcInterner *brands,
					 double share)
{
	MemoryContext own =
		AllocSetContextCreate(context, "ecinsight user cells", ALLOCSET_DEFAULT_SIZES);
	EcUserCells *cells = MemoryContextAllocZero(own, sizeof(EcUserCells));

	cells->context = own;
	cells->want = want;
	cells->codes = codes;
	cells->brands = brands;
	cells->share = share;
	return cells;
}

EcUserCells *
ec_user_cells_create_like(const EcUserCells *cells, MemoryContext context)
{
	return ec_user_cells_create(context, cells->want, cells->codes, cells->brands, cells->share);
}

uint32
ec_user_cells_want(const EcUserCells *cells)
{
	return cells->want;
}

void
ec_user_cells_init_texts(const EcUserCells *cells, EcTextColumn *code, EcTextColumn *brand,
						 MemoryContext context)
{
	ec_text_column_init(code, EC_COL_CATEGORY_CODE, cells->codes, context);
	ec_text_column_init(brand, EC_COL_BRAND, cells->brands, context);
}

void
ec_user_cells_choose(EcUserCells *cells, const int64 *users, uint32 nusers)
{
	cells->chosen = users;
	cells->nchosen = nusers;
}

void
ec_user_cells_filter(EcUserCells *cells, uint32 code, uint32 brand)
{
	cells->code = code;
	cells->brand = brand;
}

void
ec_user_cells_destroy(EcUserCells *cells)
{
	for (int i = 0; i < cells->nstreams; i++)
	{
		ec_user_stream_end(cells->streams[i]);
	}
	if (cells->tally != NULL)
		ec_tally_destroy(cells->tally);
	if (cells->sorter != NULL)
		ec_sorter_destroy(cells->sorter);
	MemoryContextDelete(cells->context);
}

/* ---- rows ---- */

static void
combine_counts(uint64 *into, const uint64 *from)
{
	for (int i = 0; i < EC_USER_COUNTS; i++)
		into[i] += from[i];
}

static void
create_tally(EcUserCells *cells)
{
	cells->tally = ec_tally_create(cells->context, KEY_WORDS, EC_USER_COUNTS, combine_counts,
								   cells->share / 2);
	for (int w = 0; w < KEY_WORDS; w++)
		cells->keys[w] = MemoryContextAlloc(cells->context, sizeof(uint64) * EC_BLOCK_ROWS);
}

static void
set_keys(EcUserCells *cells, uint32 n, const int64 *users, const uint8 *nulls, const uint32 *codes,
		 const uint32 *brands)
{
	uint64 *words = cells->keys[1];

	for (uint32 i = 0; i < n; i++)
	{
		cells->keys[0][i] = ec_sorter_word(users[i]);
		words[i] = nulls != NULL && nulls[i] ? NO_USER : 0;
	}
	for (uint32 i = 0; i < n && (cells->want & EC_USER_WANT_CODES); i++)
		words[i] |= (uint64) codes[i] << CODE_SHIFT;
	for (uint32 i = 0; i < n && (cells->want & EC_USER_WANT_BRANDS); i++)
		words[i] |= brands[i];
}

static EcUserCount
count_of_type(uint32 type)
{
	if (type == EC_TYPE_CART)
		return EC_USER_COUNT_CARTS;
	return type == EC_TYPE_PURCHASE ? EC_USER_COUNT_PURCHASES : EC_USER_COUNT_OTHER;
}

void
ec_user_cells_add_rows(EcUserCells *cells, uint32 n, const int64 *users, const uint8 *nulls,
					   const uint32 *codes, const uint32 *brands, const uint32 *types, int sign)
{
	const uint64 *keys[KEY_WORDS];
	uint64 *const *states;

	if (cells->tally == NULL)
		create_tally(cells);
	cells->subtracts |= sign < 0;
	set_keys(cells, n, users, nulls, codes, brands);
	for (int w = 0; w < KEY_WORDS; w++)
		keys[w] = cells->keys[w];
	states = ec_tally_find(cells->tally, n, keys, NULL);
	for (uint32 i = 0; i < n; i++)
		states[i][EC_USER_COUNT_ROWS] += (uint64) (int64) sign;
	for (uint32 i = 0; i < n && (cells->want & EC_USER_WANT_TYPES); i++)
	{
		if (types[i] != EC_TYPE_VIEW)
			states[i][count_of_type(types[i])] += (uint64) (int64) sign;
	}
}

void
ec_user_cells_add_sum(EcUserCells *cells, int64 user, uint64 texts, const int64 *counts)
{
	uint64 key[KEY_WORDS] = {ec_sorter_word(user), texts};

	if (cells->tally == NULL)
		create_tally(cells);
	cells->subtracts = true;
	combine_counts(ec_tally_find_one(cells->tally, key), (const uint64 *) counts);
}

static void
visit_key(const uint64 *key, uint64 *state, void *arg)
{
	ec_sorter_put(((EcUserCells *) arg)->sorter, key); /* the state stands behind it */
}

static void
sort_rows(EcUserCells *cells)
{
	cells->sorter =
		ec_sorter_create(cells->context, KEY_WORDS + EC_USER_COUNTS, KEY_WORDS, cells->share / 2);
	ec_tally_visit(cells->tally, visit_key, cells);
	ec_tally_destroy(cells->tally);
	cells->tally = NULL;
	ec_sorter_sort(cells->sorter);
	cells->record = ec_sorter_next(cells->sorter);
}

void
ec_user_cells_visit_rows(EcUserCells *cells, EcUserRowVisitor visit, void *arg)
{
	if (cells->tally != NULL)
		sort_rows(cells);
	if (cells->sorter == NULL)
		return;
	while (cells->record != NULL)
	{
		const uint64 *record = cells->record;

		visit(ec_sorter_int64(record[0]), (record[1] & NO_USER) != 0, record[1] & ~NO_USER,
			  (const int64 *) record + KEY_WORDS, arg);
		cells->record = ec_sorter_next(cells->sorter);
	}
	ec_sorter_sort(cells->sorter);
	cells->record = ec_sorter_next(cells->sorter);
}

/* ---- sets ---- */

void
ec_user_cells_add_set(EcUserCells *cells, Relation rel, const EcSummarySet *set,
					  const EcSlots *slots)
{
	EcUserStream *stream = MemoryContextAllocZero(cells->context, sizeof(EcUserStream));

	if (cells->streams == NULL)
		cells->streams = MemoryContextAlloc(cells->context, sizeof(EcUserStream *));
	else
		cells->streams = repalloc(cells->streams, sizeof(EcUserStream *) * (cells->nstreams + 1));
	stream->want = cells->want;
	stream->slots = *slots;
	stream->chosen = cells->chosen;
	stream->nchosen = cells->nchosen;
	stream->code_wanted = cells->code;
	stream->brand_wanted = cells->brand;
	ec_user_cells_init_texts(cells, &stream->code, &stream->brand, cells->context);
	ec_user_stream_begin(stream, rel, set, cells->context);
	cells->streams[cells->nstreams++] = stream;
}

/* ---- collecting ---- */

static void
collect(EcUserCells *cells, uint64 texts, const int64 *counts)
{
	Cell *cell;

	if (cells->ncollected > 0 && cells->collected[cells->ncollected - 1].texts == texts)
	{
		cell = &cells->collected[cells->ncollected - 1];
		for (int i = 0; i < EC_USER_COUNTS; i++)
			cell->counts[i] += counts[i];
		return;
	}
	if (cells->ncollected == cells->capacity)
	{
		cells->capacity = Max(cells->capacity * 2, 1024);
		if (cells->collected == NULL)
			cells->collected = MemoryContextAlloc(cells->context, sizeof(Cell) * cells->capacity);
		else
			cells->collected = repalloc_huge(cells->collected, sizeof(Cell) * cells->capacity);
	}
	cell = &cells->collected[cells->ncollected++];
	cell->texts = texts;
	memcpy(cell->counts, counts, sizeof(cell->counts));
}

/* The least that has these types: enough if nothing is taken away. */
static void
count_types(uint8 types, int64 *counts)
{
	bool view = (types & 1 << EC_TYPE_VIEW) != 0;

	counts[EC_USER_COUNT_CARTS] = (types & 1 << EC_TYPE_CART) != 0;
	counts[EC_USER_COUNT_PURCHASES] = (types & 1 << EC_TYPE_PURCHASE) != 0;
	counts[EC_USER_COUNT_OTHER] = types == EC_USER_SEEN;
	counts[EC_USER_COUNT_ROWS] = view + counts[EC_USER_COUNT_CARTS] +
								 counts[EC_USER_COUNT_PURCHASES] + counts[EC_USER_COUNT_OTHER];
}

static void
count_cell(const EcUserCells *cells, EcUserStream *stream, uint32 i, int64 *counts)
{
	if (cells->subtracts && stream->types != NULL)
		ec_user_stream_counts(stream, i, counts);
	else if (stream->types != NULL)
		count_types(stream->types[i], counts);
	else if (stream->rows != NULL)
		counts[EC_USER_COUNT_ROWS] = stream->rows[i];
	else if (cells->subtracts)
		ec_user_stream_counts(stream, i, counts);
	else
		counts[EC_USER_COUNT_ROWS] = 1;
}

/* All cells of the stream's user, in as many blocks as they are; steps to the next user. */
static void
collect_stream(EcUserCells *cells, EcUserStream *stream)
{
	int64 user = stream->users[stream->at];
	bool isnull = ec_user_stream_is_null(stream, stream->at);

	do
	{
		for (uint32 i = stream->at; i < stream->end; i++)
		{
			uint64 texts = 0;
			int64 counts[EC_USER_COUNTS] = {0};

			if (stream->types != NULL && stream->types[i] == 0)
				continue; /* not in the slots */
			if (cells->want & EC_USER_WANT_CODES)
				texts |= (uint64) stream->codes[i] << CODE_SHIFT;
			if (cells->want & EC_USER_WANT_BRANDS)
				texts |= stream->brands[i];
			count_cell(cells, stream, i, counts);
			collect(cells, texts, counts);
		}
		ec_user_stream_next(stream);
	} while (stream->reader != NULL && stream->users[stream->at] == user &&
			 ec_user_stream_is_null(stream, stream->at) == isnull);
}

static void
collect_rows(EcUserCells *cells, uint64 user, bool isnull)
{
	while (cells->record != NULL && cells->record[0] == user &&
		   ((cells->record[1] & NO_USER) != 0) == isnull)
	{
		collect(cells, cells->record[1] & ~NO_USER, (const int64 *) cells->record + KEY_WORDS);
		cells->record = ec_sorter_next(cells->sorter);
	}
}

static int
compare_cells(const void *a, const void *b)
{
	uint64 x = ((const Cell *) a)->texts;
	uint64 y = ((const Cell *) b)->texts;

	return x < y ? -1 : x > y;
}

static void
sort_collected(EcUserCells *cells)
{
	Cell *sorted = cells->collected;

	if (cells->ncollected > FEW_CELLS)
	{
		qsort(sorted, cells->ncollected, sizeof(Cell), compare_cells);
		return;
	}
	for (uint32 i = 1; i < cells->ncollected; i++)
	{
		Cell cell = sorted[i];
		uint32 to = i;

		for (; to > 0 && sorted[to - 1].texts > cell.texts; to--)
			sorted[to] = sorted[to - 1];
		sorted[to] = cell;
	}
}

/* Adds up cells of equal texts, and leaves out those without rows. */
static void
combine_collected(EcUserCells *cells)
{
	uint32 n = cells->ncollected;
	uint32 to = 0;

	sort_collected(cells);
	for (uint32 i = 0; i < n;)
	{
		Cell cell = cells->collected[i];

		while (++i < n && cells->collected[i].texts == cell.texts)
		{
			for (int c = 0; c < EC_USER_COUNTS; c++)
				cell.counts[c] += cells->collected[i].counts[c];
		}
		if (cell.counts[EC_USER_COUNT_ROWS] != 0)
			cells->collected[to++] = cell;
	}
	cells->ncollected = to;
}

/* Room for the collected cells as arrays. */
static void
reserve_arrays(EcUserCells *cells)
{
	if (cells->arrays >= cells->ncollected)
		return;
	for (int w = 0; w < 2; w++)
	{
		if (cells->ids[w] != NULL)
			pfree(cells->ids[w]);
		cells->ids[w] = MemoryContextAllocHuge(cells->context, sizeof(uint32) * cells->capacity);
	}
	if (cells->rows != NULL)
	{
		pfree(cells->rows);
		pfree(cells->types);
	}
	cells->rows = MemoryContextAllocHuge(cells->context, sizeof(int64) * cells->capacity);
	cells->types = MemoryContextAllocHuge(cells->context, cells->capacity);
	cells->arrays = cells->capacity;
}

static uint8
types_of(const int64 *counts)
{
	int64 carts = counts[EC_USER_COUNT_CARTS];
	int64 purchases = counts[EC_USER_COUNT_PURCHASES];
	int64 others = carts + purchases + counts[EC_USER_COUNT_OTHER];

	return EC_USER_SEEN | (counts[EC_USER_COUNT_ROWS] > others) << EC_TYPE_VIEW |
		   (carts > 0) << EC_TYPE_CART | (purchases > 0) << EC_TYPE_PURCHASE;
}

static void
put_collected(EcUserCells *cells, EcUserSlice *slice)
{
	reserve_arrays(cells);
	for (uint32 i = 0; i < cells->ncollected; i++)
	{
		const Cell *cell = &cells->collected[i];

		cells->ids[0][i] = (uint32) (cell->texts >> CODE_SHIFT);
		cells->ids[1][i] = (uint32) cell->texts;
		cells->rows[i] = cell->counts[EC_USER_COUNT_ROWS];
		cells->types[i] = types_of(cell->counts);
	}
	slice->n = cells->ncollected;
	slice->codes = cells->ids[0];
	slice->brands = cells->ids[1];
	slice->rows = cells->rows;
	slice->types = cells->types;
}

/* ---- users ---- */

static int
compare_users(int64 a, bool a_null, int64 b, bool b_null)
{
	if (a != b)
		return a < b ? -1 : 1;
	return (int) a_null - (int) b_null;
}

/*
 * The least user of all streams, and how many streams have him; *limit gets the least of
 * those who aren't he (PG_INT64_MAX: perhaps none).
 */
static int
find_least(EcUserCells *cells, EcUserSlice *slice, EcUserStream **stream, int64 *limit)
{
	int found = 0;

	*stream = NULL;
	*limit = PG_INT64_MAX;
	for (int i = 0; i < cells->nstreams; i++)
	{
		EcUserStream *one = cells->streams[i];
		int order;

		if (one->taken)
			ec_user_stream_next(one);
		if (one->reader == NULL)
			continue;
		order = found == 0
					? -1
					: compare_users(one->users[one->at], ec_user_stream_is_null(one, one->at),
									slice->user, slice->isnull);
		if (order > 0)
			*limit = Min(*limit, one->users[one->at]);
		if (order > 0)
			continue;
		if (order < 0 && found > 0)
			*limit = slice->user;
		found = order < 0 ? 1 : found + 1;
		*stream = one;
		slice->user = one->users[one->at];
		slice->isnull = ec_user_stream_is_null(one, one->at);
	}
	if (cells->record != NULL)
	{
		int64 user = ec_sorter_int64(cells->record[0]);
		bool isnull = (cells->record[1] & NO_USER) != 0;
		int order = found == 0 ? -1 : compare_users(user, isnull, slice->user, slice->isnull);

		if (order > 0)
			*limit = Min(*limit, user);
		else
		{
			if (order < 0 && found > 0)
				*limit = slice->user;
			found = order < 0 ? 1 : found + 1;
			*stream = NULL;
			slice->user = user;
			slice->isnull = isnull;
		}
	}
	return found;
}

static void
hand_out(EcUserStream *stream, EcUserSlice *slice)
{
	uint32 at = stream->at;

	slice->n = stream->end - at;
	slice->codes = stream->codes != NULL ? stream->codes + at : NULL;
	slice->brands = stream->brands != NULL ? stream->brands + at : NULL;
	slice->rows = stream->rows != NULL ? stream->rows + at : NULL;
	slice->types = stream->types != NULL ? stream->types + at : NULL;
	stream->taken = true;
}

static void
collect_all(EcUserCells *cells, const EcUserSlice *slice)
{
	cells->ncollected = 0;
	for (int i = 0; i < cells->nstreams; i++)
	{
		EcUserStream *stream = cells->streams[i];

		if (stream->reader != NULL && stream->users[stream->at] == slice->user &&
			ec_user_stream_is_null(stream, stream->at) == slice->isnull)
			collect_stream(cells, stream);
	}
	collect_rows(cells, ec_sorter_word(slice->user), slice->isnull);
	combine_collected(cells);
}

/*
 * The next user: stands in one block of a single stream, which *stream gets, or has been collected
 * (NULL).  False: there is none.
 */
static bool
find_next(EcUserCells *cells, EcUserSlice *slice, EcUserStream **stream, int64 *limit)
{
	if (cells->tally != NULL)
		sort_rows(cells);
	for (;;)
	{
		int found = find_least(cells, slice, stream, limit);

		if (found == 0)
			return false;
		if (found == 1 && *stream != NULL && (*stream)->end < (*stream)->n)
			return true;
		collect_all(cells, slice);
		if (cells->ncollected > 0)
		{
			*stream = NULL;
			return true;
		}
	}
}

bool
ec_user_cells_next(EcUserCells *cells, EcUserSlice *slice)
{
	EcUserStream *stream;
	int64 limit;

	if (!find_next(cells, slice, &stream, &limit))
		return false;
	if (stream != NULL)
		hand_out(stream, slice);
	else
		put_collected(cells, slice);
	return true;
}

bool
ec_user_cells_next_run(EcUserCells *cells, EcUserRun *run)
{
	EcUserStream *stream;
	EcUserSlice slice;
	int64 limit;

	if (!find_next(cells, &slice, &stream, &limit))
		return false;
	run->users = NULL;
	if (stream != NULL)
	{
		if (ec_user_stream_widen(stream, limit))
			run->users = stream->users + stream->at;
		hand_out(stream, &slice);
	}
	else
		put_collected(cells, &slice);
	run->isnull = slice.isnull;
	run->n = slice.n;
	run->codes = slice.codes;
	run->brands = slice.brands;
	run->rows = slice.rows;
	run->types = slice.types;
	return true;
}
