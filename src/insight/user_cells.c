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

/* Rows' keys: user; no user, code and brand. */
#define KEY_WORDS 2
#define NO_USER (UINT64CONST(1) << 63)
#define CODE_SHIFT 32
#define FEW_CELLS 24

/* A set. */
typedef struct Stream
{
	EcReader *reader; /* NULL: it has come to its end */
	EcSlots slots;
	EcTextColumn code;
	EcTextColumn brand;
	uint32 block; /* the next one of the reader's group */
	bool in_group;

	/* the selected cells of a block */
	uint32 n;
	uint32 *selection;	/* those in the slots, if not all */
	const int64 *users; /* 0 where NULL */
	const uint8 *nulls; /* NULL: none */
	const uint32 *codes;
	const uint32 *brands;
	const int64 *counts[EC_USER_COUNTS];
	int64 *ints[1 + EC_USER_COUNTS]; /* memory for users and counts */
	uint8 *null_bytes;

	/* the present user's */
	uint32 at;
	uint32 end;
	bool taken;
	uint32 chosen; /* the first of the chosen users that may come */
} Stream;

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

	EcTally *tally; /* of rows, and then sorted; NULL: none */
	EcSorter *sorter;
	uint64 *keys[KEY_WORDS]; /* [EC_BLOCK_ROWS] */
	const uint64 *record;	 /* the next of them; NULL: none */

	Stream *streams;
	int nstreams;

	/* a user's cells collected */
	Cell *collected;
	uint32 ncollected;
	uint32 capacity;
	uint32 arrays; /* capacity of the following */
	uint32 *ids[2];
	int64 *ints[EC_USER_COUNTS];
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
ec_user_cells_destroy(EcUserCells *cells)
{
	for (int i = 0; i < cells->nstreams; i++)
	{
		if (cells->streams[i].reader != NULL)
			ec_reader_end(cells->streams[i].reader);
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

/* ---- a block of a set ---- */

static int
compare_users(int64 a, bool a_null, int64 b, bool b_null)
{
	if (a != b)
		return a < b ? -1 : 1;
	return (int) a_null - (int) b_null;
}

/* The first of n ascending users that isn't less. */
static uint32
find_user(const int64 *users, uint32 n, int64 user)
{
	uint32 low = 0;

	while (low < n)
	{
		uint32 middle = low + (n - low) / 2;

		if (users[middle] < user)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

/* May a group's block (or the whole group) have a chosen user? */
static bool
may_have_chosen(const EcUserCells *cells, Stream *stream, uint32 block)
{
	EcZone zone;
	EcKind kind;
	int32 scale;
	uint32 at;

	if (cells->chosen == NULL)
		return true;
	if (!ec_reader_zone(stream->reader, EC_USER_ID, block, &zone, &kind, &scale))
		return false; /* all are NULL */
	at = stream->chosen +
		 find_user(cells->chosen + stream->chosen, cells->nchosen - stream->chosen, zone.min);
	return at < cells->nchosen && cells->chosen[at] <= zone.max;
}

/* Numbers the cells in the slots; false: all are. */
static bool
select_slots(Stream *stream, uint32 block)
{
	const EcSlots *slots = &stream->slots;
	uint32 n = 0;
	const EcVector *v;

	if (slots->min == PG_INT64_MIN && slots->max == PG_INT64_MAX && slots->nulls)
		return false;
	v = ec_reader_block(stream->reader, EC_USER_SLOT, block);
	if (v->form == EC_FORM_FLAT && v->nnulls == 0)
	{
		const int64 *values = v->values.i64;

		for (uint32 i = 0; i < v->nrows; i++)
		{
			stream->selection[n] = i;
			n += values[i] >= slots->min && values[i] <= slots->max;
		}
	}
	else
	{
		for (uint32 i = 0; i < v->nrows; i++)
		{
			stream->selection[n] = i;
			if (ec_vector_is_null(v, i))
				n += slots->nulls;
			else
			{
				int64 slot = ec_vector_int64(v, i);

				n += slot >= slots->min && slot <= slots->max;
			}
		}
	}
	stream->n = n;
	return n < v->nrows;
}

/* An integer column of the selected cells, without NULLs. */
static const int64 *
get_ints(Stream *stream, const EcVector *v, const uint32 *selection, int64 *ints)
{
	const int64 *values = v->values.i64;

	if (v->form == EC_FORM_CONST)
	{
		for (uint32 i = 0; i < stream->n; i++)
			ints[i] = values[0];
		return ints;
	}
	if (v->form == EC_FORM_FLAT && selection == NULL)
		return values;
	if (v->form == EC_FORM_FLAT)
	{
		for (uint32 i = 0; i < stream->n; i++)
			ints[i] = values[selection[i]];
		return ints;
	}
	for (uint32 i = 0; i < stream->n; i++)
		ints[i] = values[v->codes[selection == NULL ? i : selection[i]]];
	return ints;
}

static void
get_users(Stream *stream, const EcVector *v, const uint32 *selection)
{
	int64 *users = stream->ints[0];

	stream->nulls = NULL;
	if (v->nnulls == 0)
	{
		stream->users = get_ints(stream, v, selection, users);
		return;
	}
	for (uint32 i = 0; i < stream->n; i++)
	{
		uint32 row = selection == NULL ? i : selection[i];

		stream->null_bytes[i] = ec_vector_is_null(v, row);
		users[i] = stream->null_bytes[i] ? 0 : ec_vector_int64(v, row);
	}
	stream->users = users;
	stream->nulls = stream->null_bytes;
}

static const uint32 *
get_ids(Stream *stream, EcTextColumn *text, int column, uint32 block, const uint32 *selection)
{
	const EcVector *v = ec_reader_block(stream->reader, column, block);

	ec_text_column_map(text, v, selection, stream->n);
	return text->ids;
}

static void
get_block(const EcUserCells *cells, Stream *stream, uint32 block)
{
	EcReader *reader = stream->reader;
	const uint32 *selection = NULL;

	CHECK_FOR_INTERRUPTS();
	stream->n = ec_reader_block_rows(reader, block);
	if (select_slots(stream, block))
		selection = stream->selection;
	if (stream->n == 0)
		return;
	get_users(stream, ec_reader_block(reader, EC_USER_ID, block), selection);
	if (cells->want & EC_USER_WANT_CODES)
		stream->codes = get_ids(stream, &stream->code, EC_USER_CODE, block, selection);
	if (cells->want & EC_USER_WANT_BRANDS)
		stream->brands = get_ids(stream, &stream->brand, EC_USER_BRAND, block, selection);
	for (int i = 0; i < (cells->want & EC_USER_WANT_TYPES ? EC_USER_COUNTS : 1); i++)
		stream->counts[i] = get_ints(stream, ec_reader_block(reader, EC_USER_ROWS + i, block),
									 selection, stream->ints[1 + i]);
}

/* The next block that has a selected cell; false: there is none. */
static bool
next_block(const EcUserCells *cells, Stream *stream)
{
	stream->n = 0;
	stream->at = stream->end = 0;
	while (stream->n == 0)
	{
		while (!stream->in_group || stream->block == ec_reader_group(stream->reader)->nblocks)
		{
			if (!ec_reader_next_group(stream->reader))
			{
				ec_reader_end(stream->reader);
				stream->reader = NULL;
				return false;
			}
			stream->in_group = true;
			stream->block = 0;
			if (!may_have_chosen(cells, stream, EC_ZONE_CHUNK))
				stream->block = ec_reader_group(stream->reader)->nblocks;
		}
		if (may_have_chosen(cells, stream, stream->block))
			get_block(cells, stream, stream->block);
		stream->block++;
	}
	return true;
}

/* ---- a set's users ---- */

static inline bool
user_is_null(const Stream *stream, uint32 at)
{
	return stream->nulls != NULL && stream->nulls[at];
}

/* Where the cells of the user at stream->at end, in this block. */
static void
find_end(Stream *stream)
{
	const int64 *users = stream->users;
	int64 user = users[stream->at];
	uint32 end = stream->at + 1;

	while (end < stream->n && users[end] == user)
		end++;
	for (uint32 i = stream->at + 1; stream->nulls != NULL && i < end; i++)
	{
		if (stream->nulls[i] != stream->nulls[stream->at])
			end = i;
	}
	stream->end = end;
}

/* From stream->at on, the first cell of a chosen user; false: the block has none. */
static bool
skip_to_chosen(const EcUserCells *cells, Stream *stream)
{
	while (stream->at < stream->n)
	{
		int64 user = stream->users[stream->at];

		stream->chosen +=
			find_user(cells->chosen + stream->chosen, cells->nchosen - stream->chosen, user);
		if (stream->chosen == cells->nchosen)
			return false;
		if (cells->chosen[stream->chosen] == user && !user_is_null(stream, stream->at))
			return true;
		if (cells->chosen[stream->chosen] == user)
			stream->at++;
		else
			stream->at += find_user(stream->users + stream->at, stream->n - stream->at,
									cells->chosen[stream->chosen]);
	}
	return false;
}

/* Steps to the next user, if there is any. */
static void
next_user(const EcUserCells *cells, Stream *stream)
{
	stream->at = stream->end;
	stream->taken = false;
	for (;;)
	{
		if (stream->at < stream->n && (cells->chosen == NULL || skip_to_chosen(cells, stream)))
		{
			find_end(stream);
			return;
		}
		if (!next_block(cells, stream))
			return;
	}
}

void
ec_user_cells_add_set(EcUserCells *cells, Relation rel, const EcSummarySet *set,
					  const EcSlots *slots)
{
	MemoryContext old = MemoryContextSwitchTo(cells->context);
	Stream *stream;

	if (cells->streams == NULL)
		cells->streams = palloc(sizeof(Stream));
	else
		cells->streams = repalloc(cells->streams, sizeof(Stream) * (cells->nstreams + 1));
	stream = &cells->streams[cells->nstreams++];
	memset(stream, 0, sizeof(Stream));
	stream->reader = ec_summary_reader(rel, set, EC_PROJECTION_USER,
									   ec_projection_columns(EC_PROJECTION_USER), cells->context);
	stream->slots = *slots;
	ec_user_cells_init_texts(cells, &stream->code, &stream->brand, cells->context);
	stream->selection = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	stream->null_bytes = palloc(EC_BLOCK_ROWS);
	for (int i = 0; i < 1 + EC_USER_COUNTS; i++)
		stream->ints[i] = palloc(sizeof(int64) * EC_BLOCK_ROWS);
	stream->taken = true;
	MemoryContextSwitchTo(old);
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

/* All cells of the stream's user, in as many blocks as they are; steps to the next user. */
static void
collect_stream(EcUserCells *cells, Stream *stream)
{
	int64 user = stream->users[stream->at];
	bool isnull = user_is_null(stream, stream->at);

	do
	{
		for (uint32 i = stream->at; i < stream->end; i++)
		{
			uint64 texts = 0;
			int64 counts[EC_USER_COUNTS] = {0};

			if (cells->want & EC_USER_WANT_CODES)
				texts |= (uint64) stream->codes[i] << CODE_SHIFT;
			if (cells->want & EC_USER_WANT_BRANDS)
				texts |= stream->brands[i];
			for (int c = 0; c < (cells->want & EC_USER_WANT_TYPES ? EC_USER_COUNTS : 1); c++)
				counts[c] = stream->counts[c][i];
			collect(cells, texts, counts);
		}
		next_user(cells, stream);
	} while (stream->reader != NULL && stream->users[stream->at] == user &&
			 user_is_null(stream, stream->at) == isnull);
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
	for (int c = 0; c < EC_USER_COUNTS; c++)
	{
		if (cells->ints[c] != NULL)
			pfree(cells->ints[c]);
		cells->ints[c] = MemoryContextAllocHuge(cells->context, sizeof(int64) * cells->capacity);
	}
	cells->arrays = cells->capacity;
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
		for (int c = 0; c < EC_USER_COUNTS; c++)
			cells->ints[c][i] = cell->counts[c];
	}
	slice->n = cells->ncollected;
	slice->codes = cells->ids[0];
	slice->brands = cells->ids[1];
	for (int c = 0; c < EC_USER_COUNTS; c++)
		slice->counts[c] = cells->ints[c];
}

/* ---- users ---- */

/* The least user of all streams, and how many streams have him. */
static int
find_least(EcUserCells *cells, EcUserSlice *slice, Stream **stream)
{
	int found = 0;

	*stream = NULL;
	for (int i = 0; i < cells->nstreams; i++)
	{
		Stream *one = &cells->streams[i];
		int order;

		if (one->taken)
			next_user(cells, one);
		if (one->reader == NULL)
			continue;
		order = found == 0 ? -1
						   : compare_users(one->users[one->at], user_is_null(one, one->at),
										   slice->user, slice->isnull);
		if (order > 0)
			continue;
		found = order < 0 ? 1 : found + 1;
		*stream = one;
		slice->user = one->users[one->at];
		slice->isnull = user_is_null(one, one->at);
	}
	if (cells->record != NULL)
	{
		int64 user = ec_sorter_int64(cells->record[0]);
		bool isnull = (cells->record[1] & NO_USER) != 0;
		int order = found == 0 ? -1 : compare_users(user, isnull, slice->user, slice->isnull);

		if (order <= 0)
		{
			found = order < 0 ? 1 : found + 1;
			*stream = NULL;
			slice->user = user;
			slice->isnull = isnull;
		}
	}
	return found;
}

static void
hand_out(Stream *stream, EcUserSlice *slice)
{
	uint32 at = stream->at;

	slice->n = stream->end - at;
	slice->codes = stream->codes != NULL ? stream->codes + at : NULL;
	slice->brands = stream->brands != NULL ? stream->brands + at : NULL;
	for (int c = 0; c < EC_USER_COUNTS; c++)
		slice->counts[c] = stream->counts[c] != NULL ? stream->counts[c] + at : NULL;
	stream->taken = true;
}

static void
collect_all(EcUserCells *cells, const EcUserSlice *slice)
{
	cells->ncollected = 0;
	for (int i = 0; i < cells->nstreams; i++)
	{
		Stream *stream = &cells->streams[i];

		if (stream->reader != NULL && stream->users[stream->at] == slice->user &&
			user_is_null(stream, stream->at) == slice->isnull)
			collect_stream(cells, stream);
	}
	collect_rows(cells, ec_sorter_word(slice->user), slice->isnull);
	combine_collected(cells);
}

bool
ec_user_cells_next(EcUserCells *cells, EcUserSlice *slice)
{
	if (cells->tally != NULL)
		sort_rows(cells);
	for (;;)
	{
		Stream *stream;
		int found = find_least(cells, slice, &stream);

		if (found == 0)
			return false;
		if (found == 1 && stream != NULL && stream->end < stream->n)
		{
			hand_out(stream, slice);
			return true;
		}
		collect_all(cells, slice);
		if (cells->ncollected > 0)
		{
			put_collected(cells, slice);
			return true;
		}
	}
}
