/*
 * build.c
 *	  Sets of summaries: from rows and older cells to sorted parts.
 *
 * Everything goes through once: rows in batches of a block to all makers that take rows, or to the
 * streams that hand them out by user or by slot, then the cells of the sets that the new one
 * replaces, then one projection after the other is sorted, combined and written.
 */
#include "postgres.h"

#include "executor/nodeHash.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "insight/build.h"

/* Of a making's memory, what its tally may have; the rest is its sorter's. */
#define TALLY_PART 0.5

/*
 * More makes tallies slower, as they don't fit the processor's caches any more; rows come
 * more or less in order of time, so that equal keys (which have an hour) are near each other.
 */
#define TALLY_MAX (4.0 * 1024 * 1024)

/* Columns of a batch, in memory that all batches use. */
typedef struct Batches
{
	EcBuildRows batch;
	EcIntColumn times;
	EcIntColumn users;
	EcIntColumn categories;
	EcIntColumn products;
	int64 *hours; /* [EC_BLOCK_ROWS] */
} Batches;

int64
ec_slot_hour(int64 time)
{
	return TIMESTAMP_NOT_FINITE(time) ? time : ec_slot_floor(time, USECS_PER_HOUR);
}

int64
ec_slot_day(int64 time)
{
	return TIMESTAMP_NOT_FINITE(time) ? time : ec_slot_floor(time, USECS_PER_DAY);
}

/* ---- cells in the making ---- */

EcMaking *
ec_build_making(EcBuild *build, EcProjection projection)
{
	EcMaking *making = &build->makings[projection];

	return making->maker != NULL ? making : NULL;
}

void
ec_build_refuse(EcMaking *making)
{
	making->build->refused |= EC_PROJECTION_BIT(making->maker->projection);
}

/* What a tally holds becomes records. */
static void
put_slot(const uint64 *key, uint64 *state, void *arg)
{
	ec_sorter_put(((EcMaking *) arg)->sorter, key); /* the state stands behind it */
}

static void
make_room(EcMaking *making)
{
	if (ec_tally_is_full(making->tally))
		ec_tally_drain(making->tally, put_slot, making);
}

uint64 *
ec_making_state(EcMaking *making, const uint64 *key)
{
	make_room(making);
	return ec_tally_find_one(making->tally, key);
}

uint64 *const *
ec_making_states(EcMaking *making, uint32 n, const uint64 *const *keys, const uint8 *skip)
{
	make_room(making);
	return ec_tally_find(making->tally, n, keys, skip);
}

void
ec_making_put(EcMaking *making, const uint64 *record)
{
	ec_sorter_put(making->sorter, record);
}

/* ---- cells out ---- */

void
ec_making_int(EcMaking *making, int column, int64 value)
{
	ec_builder_append_int64(making->batch->columns[column], value);
}

void
ec_making_null(EcMaking *making, int column)
{
	ec_builder_append_null(making->batch->columns[column]);
}

void
ec_making_text(EcMaking *making, int column, const EcInterner *interner, uint32 id)
{
	EcBytes bytes;

	if (id == EC_ID_NULL)
	{
		ec_making_null(making, column);
		return;
	}
	bytes = ec_interner_get(interner, id);
	ec_builder_append_bytes(making->batch->columns[column], bytes.ptr, bytes.len);
}

void
ec_making_end_part(EcMaking *making)
{
	if (making->batch->nrows == 0)
		return;
	ec_summary_put(making->build->writer, making->maker->projection, making->batch);
	ec_batch_reset(making->batch);
	making->index++;
}

void
ec_making_ints(EcMaking *making, int column, const int64 *values, uint32 n)
{
	ec_builder_append_int64s(making->batch->columns[column], values, n);
}

void
ec_making_texts_init(EcTextOut *out, int column, const EcInterner *interner)
{
	memset(out, 0, sizeof(*out));
	out->column = column;
	out->interner = interner;
}

/* Of another part, or of texts that have become more: no id is known to be in the part. */
static void
forget_texts(EcMaking *making, EcTextOut *out)
{
	uint32 count = ec_interner_count(out->interner) + 1;

	if (count > out->capacity)
	{
		out->capacity = count * 2;
		out->rows = out->rows == NULL
						? MemoryContextAllocHuge(making->build->context,
												 sizeof(uint32) * (Size) out->capacity)
						: repalloc_huge(out->rows, sizeof(uint32) * (Size) out->capacity);
	}
	memset(out->rows, 0, sizeof(uint32) * (Size) out->capacity);
	out->index = making->index;
}

/* The column's rows so far are the batch's, or more where this one comes before others. */
void
ec_making_ids(EcMaking *making, EcTextOut *out, const uint32 *ids, uint32 n)
{
	EcBuilder *builder = making->batch->columns[out->column];
	uint32 row = ec_builder_rows(builder);

	if (out->rows == NULL || out->index != making->index ||
		ec_interner_count(out->interner) >= out->capacity)
		forget_texts(making, out);
	for (uint32 i = 0; i < n; i++, row++)
	{
		uint32 id = ids[i];

		if (out->rows[id] != 0)
		{
			ec_builder_append_again(builder, out->rows[id] - 1);
			continue;
		}
		ec_making_text(making, out->column, out->interner, id);
		out->rows[id] = row + 1;
	}
}

void
ec_making_rows(EcMaking *making, uint32 n)
{
	making->batch->nrows += n;
	if (making->batch->nrows > EC_BUILD_PART_ROWS)
		elog(ERROR, "a part of summaries has too many cells");
	if (making->batch->nrows == EC_BUILD_PART_ROWS)
		ec_making_end_part(making);
}

void
ec_making_row(EcMaking *making)
{
	ec_batch_row_done(making->batch);
	if (making->batch->nrows == EC_BUILD_PART_ROWS)
		ec_making_end_part(making);
}

/* ---- begin ---- */

static double
memory_of_all(const EcBuild *build)
{
	double sum = 0;

	for (int i = 0; i < EC_PROJECTIONS; i++)
		sum += build->makings[i].maker != NULL ? build->makings[i].maker->memory : 0;
	return sum;
}

/* As tallies and sorters want it. */
static double
share_of(double memory, double all)
{
	return maintenance_work_mem * 1024.0 / get_hash_memory_limit() * memory / all;
}

static void
begin_making(EcBuild *build, EcMaking *making, double all)
{
	const EcMaker *maker = making->maker;
	double share = share_of(maker->memory, all);
	int words = maker->key_words + maker->state_words;

	if (maker->combine != NULL)
		making->tally =
			ec_tally_create(build->context, maker->key_words, maker->state_words, maker->combine,
							Min(share * TALLY_PART, TALLY_MAX / get_hash_memory_limit()));
	making->sorter =
		ec_sorter_create(build->context, words, maker->key_words, share * (1 - TALLY_PART));
	making->batch = ec_batch_create(ec_projection_columns(maker->projection), build->context);
	if (maker->begin != NULL)
		maker->begin(making);
}

/* What makers that want rows by user or slot have of the memory is the streams'. */
static void
begin_streams(EcBuild *build, double all)
{
	double users = 0;
	double slots = 0;
	uint32 user_columns = 0;
	uint32 slot_columns = 0;

	for (int i = 0; i < EC_PROJECTIONS; i++)
	{
		const EcMaker *maker = build->makings[i].maker;

		if (maker == NULL)
			continue;
		users += maker->add_user_rows != NULL ? maker->memory : 0;
		user_columns |= maker->add_user_rows != NULL ? maker->columns : 0;
		slots += maker->add_slot_rows != NULL ? maker->memory : 0;
		slot_columns |= maker->add_slot_rows != NULL ? maker->columns : 0;
	}
	if (user_columns != 0)
		build->users = ec_build_users_begin(build, share_of(users, all),
											user_columns & EC_COL_BIT(EC_COL_SESSION));
	if (slot_columns != 0)
		build->slots = ec_build_slots_begin(build, share_of(slots, all), slot_columns);
}

static void
end_making(EcMaking *making)
{
	if (making->tally != NULL)
		ec_tally_destroy(making->tally);
	ec_sorter_destroy(making->sorter);
	ec_batch_destroy(making->batch);
	making->tally = NULL;
	making->sorter = NULL;
	making->batch = NULL;
}

static EcBuild *
begin_build(EcCompanion *c, uint32 projections)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight summary", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EcBuild *build = palloc0(sizeof(EcBuild));
	double all;

	build->companion = c;
	build->rel = c->main;
	build->context = context;
	build->projections = projections;
	build->codes = ec_interner_create(context);
	build->brands = ec_interner_create(context);
	ec_text_column_init(&build->code, EC_COL_CATEGORY_CODE, build->codes, context);
	ec_text_column_init(&build->brand, EC_COL_BRAND, build->brands, context);
	for (int i = 0; ec_makers[i] != NULL; i++)
	{
		if (projections & EC_PROJECTION_BIT(ec_makers[i]->projection))
		{
			build->makings[ec_makers[i]->projection].maker = ec_makers[i];
			build->makings[ec_makers[i]->projection].build = build;
		}
	}
	all = memory_of_all(build);
	begin_streams(build, all);
	for (int i = 0; i < EC_PROJECTIONS; i++)
	{
		if (build->makings[i].maker != NULL)
			begin_making(build, &build->makings[i], all);
	}
	MemoryContextSwitchTo(old);
	return build;
}

/* ---- rows ---- */

static void
init_batches(Batches *batches, MemoryContext context)
{
	ec_int_column_init(&batches->times, EC_COL_TIME, context);
	ec_int_column_init(&batches->users, EC_COL_USER, context);
	ec_int_column_init(&batches->categories, EC_COL_CATEGORY_ID, context);
	ec_int_column_init(&batches->products, EC_COL_PRODUCT, context);
	batches->hours = MemoryContextAlloc(context, sizeof(int64) * EC_BLOCK_ROWS);
}

static const int64 *
get_ints(EcRows *rows, uint32 columns, EcIntColumn *ints, const uint8 **nulls)
{
	*nulls = NULL;
	return columns & EC_COL_BIT(ints->column) ? ec_rows_ints(rows, ints, nulls) : NULL;
}

static void
get_batch(EcBuild *build, Batches *batches, EcRows *rows, uint32 columns)
{
	EcBuildRows *batch = &batches->batch;

	batch->rows = rows;
	batch->n = rows->n;
	if (columns & EC_COL_BIT(EC_COL_TIME))
	{
		batch->times = ec_rows_times(rows, &batches->times, &batch->no_time);
		for (uint32 i = 0; i < batch->n; i++)
			batches->hours[i] = ec_slot_hour(batch->times[i]);
		batch->hours = batches->hours;
	}
	if (columns & EC_COL_BIT(EC_COL_TYPE))
		batch->types = ec_rows_types(rows);
	if (columns & EC_COL_BIT(EC_COL_CATEGORY_CODE))
		batch->codes = ec_rows_ids(rows, &build->code);
	if (columns & EC_COL_BIT(EC_COL_BRAND))
		batch->brands = ec_rows_ids(rows, &build->brand);
	if (columns & EC_COL_BIT(EC_COL_PRICE))
		ec_rows_prices(rows, &batch->prices);
	batch->users = get_ints(rows, columns, &batches->users, &batch->no_user);
	batch->categories = get_ints(rows, columns, &batches->categories, &batch->no_category);
	batch->products = get_ints(rows, columns, &batches->products, &batch->no_product);
}

/* Is it made from rows: from those that older cells stand for, too? */
static bool
takes_rows(const EcMaking *making, bool old)
{
	const EcMaker *maker = making->maker;

	return maker != NULL &&
		   (maker->add_rows != NULL || maker->add_user_rows != NULL ||
			maker->add_slot_rows != NULL) &&
		   (!old || maker->add_cells == NULL);
}

static void
add_batch(EcBuild *build, const EcBuildRows *batch, bool old)
{
	for (int i = 0; i < EC_PROJECTIONS; i++)
	{
		const EcMaker *maker = build->makings[i].maker;

		if (takes_rows(&build->makings[i], old) && maker->add_rows != NULL)
			maker->add_rows(&build->makings[i], batch);
	}
	if (build->users != NULL)
		ec_build_users_add(build->users, batch);
	if (build->slots != NULL)
		ec_build_slots_add(build->slots, batch);
}

static void
add_rows(EcBuild *build, uint32 npicks, const EcReaderPick *picks, bool old)
{
	uint32 columns = 0;
	Batches batches = {0};
	EcRows rows;

	for (int i = 0; i < EC_PROJECTIONS; i++)
		columns |= takes_rows(&build->makings[i], old) ? build->makings[i].maker->columns : 0;
	if (npicks == 0 || columns == 0)
		return;
	init_batches(&batches, build->context);
	ec_rows_open_groups(&rows, build->rel, picks, npicks, columns, build->context);
	while (ec_rows_next(&rows))
	{
		ec_compat_vacuum_delay_point();
		get_batch(build, &batches, &rows, columns);
		add_batch(build, &batches.batch, old);
	}
	ec_rows_close(&rows);
}

/* ---- older cells ---- */

void
ec_build_ints(EcReader *reader, int column, uint32 block, int64 *values, uint8 *nulls)
{
	const EcVector *v = ec_reader_block(reader, column, block);

	if (v->form == EC_FORM_FLAT && v->nnulls == 0)
	{
		memcpy(values, v->values.i64, sizeof(int64) * v->nrows);
		if (nulls != NULL)
			memset(nulls, 0, v->nrows);
		return;
	}
	for (uint32 i = 0; i < v->nrows; i++)
	{
		bool isnull = v->nnulls > 0 && ec_vector_is_null(v, i);

		values[i] = isnull ? 0 : ec_vector_int64(v, i);
		if (nulls != NULL)
			nulls[i] = isnull;
	}
}

const uint32 *
ec_build_ids(EcReader *reader, int column, uint32 block, EcTextColumn *text)
{
	const EcVector *v = ec_reader_block(reader, column, block);

	ec_text_column_map(text, v, NULL, v->nrows);
	return text->ids;
}

static void
add_parts(EcMaking *making, const EcSummarySet *set)
{
	uint16 projection = making->maker->projection;
	EcReader *reader = ec_summary_reader(making->build->rel, set, projection,
										 ec_projection_columns(projection), CurrentMemoryContext);

	if (making->maker->begin_cells != NULL)
		making->maker->begin_cells(making, set);
	while (ec_reader_next_group(reader))
	{
		for (uint32 block = 0; block < ec_reader_group(reader)->nblocks; block++)
		{
			ec_compat_vacuum_delay_point();
			making->maker->add_cells(making, reader, block);
		}
	}
	ec_reader_end(reader);
}

static void
add_set(EcBuild *build, const EcSummarySet *set)
{
	for (int i = 0; i < EC_PROJECTIONS; i++)
	{
		EcMaking *making = &build->makings[i];

		if (making->maker == NULL || making->maker->add_cells == NULL)
			continue;
		if (set->projections & EC_PROJECTION_BIT(i))
			add_parts(making, set);
		else
			ec_build_refuse(making);
	}
}

/* ---- finish ---- */

static void
finish_combined(EcMaking *making)
{
	const EcMaker *maker = making->maker;
	Size key_size = sizeof(uint64) * maker->key_words;
	uint64 cell[EC_SORTER_WORDS_MAX];
	bool has_cell = false;
	const uint64 *record;

	while ((record = ec_sorter_next(making->sorter)) != NULL)
	{
		if (has_cell && memcmp(cell, record, key_size) == 0)
		{
			maker->combine(cell + maker->key_words, record + maker->key_words);
			continue;
		}
		if (has_cell)
			maker->finish_cell(making, cell, cell + maker->key_words);
		memcpy(cell, record, key_size + sizeof(uint64) * maker->state_words);
		has_cell = true;
	}
	if (has_cell)
		maker->finish_cell(making, cell, cell + maker->key_words);
}

/* The first maker that wants rows of a stream gets all of it, and so do the others. */
static void
finish_streams(EcMaking *making)
{
	EcBuild *build = making->build;

	if (making->maker->add_user_rows != NULL && build->users != NULL)
	{
		ec_build_users_finish(build->users);
		build->users = NULL;
	}
	if (making->maker->add_slot_rows != NULL && build->slots != NULL)
	{
		ec_build_slots_finish(build->slots);
		build->slots = NULL;
	}
}

static void
finish_making(EcMaking *making)
{
	const EcMaker *maker = making->maker;
	const uint64 *record;

	finish_streams(making);
	if (making->tally != NULL)
		ec_tally_drain(making->tally, put_slot, making);
	ec_sorter_sort(making->sorter);
	if (maker->combine != NULL)
		finish_combined(making);
	while (maker->combine == NULL && (record = ec_sorter_next(making->sorter)) != NULL)
		maker->finish_cell(making, record, record + maker->key_words);
	if (maker->finish != NULL)
		maker->finish(making);
	ec_making_end_part(making);
	end_making(making);
}

/* Who is fed from refused cells has none either. */
static void
finish_all(EcBuild *build)
{
	for (int i = 0; ec_makers[i] != NULL; i++)
	{
		EcMaking *making = ec_build_making(build, ec_makers[i]->projection);

		if (making == NULL)
			continue;
		if (ec_makers[i]->needs & build->refused)
			ec_build_refuse(making);
		if (build->refused & EC_PROJECTION_BIT(ec_makers[i]->projection))
			end_making(making);
		else
			finish_making(making);
	}
}

/* ---- a set ---- */

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

static int64 *
list_groups(const EcBuildInput *input, uint32 *ngroups)
{
	uint32 n = input->npicks;
	int64 *groups;

	for (uint32 i = 0; i < input->nsets; i++)
		n += input->sets[i].ngroups;
	groups = palloc_extended(sizeof(int64) * Max(n, 1), MCXT_ALLOC_HUGE);
	*ngroups = n;
	n = 0;
	for (uint32 i = 0; i < input->npicks; i++)
		groups[n++] = input->picks[i].number;
	for (uint32 i = 0; i < input->nsets; i++)
	{
		memcpy(groups + n, input->sets[i].groups, sizeof(int64) * input->sets[i].ngroups);
		n += input->sets[i].ngroups;
	}
	qsort(groups, n, sizeof(int64), compare_numbers);
	return groups;
}

void
ec_build_set(EcCompanion *c, uint32 signature, uint32 projections, const EcBuildInput *input)
{
	EcBuild *build = begin_build(c, projections);
	MemoryContext old = MemoryContextSwitchTo(build->context);
	uint64 nrows = input->nrows;
	uint32 ngroups;
	int64 *groups = list_groups(input, &ngroups);

	add_rows(build, input->npicks, input->picks, false);
	add_rows(build, input->nold, input->old, true);
	for (uint32 i = 0; i < input->nsets; i++)
	{
		add_set(build, &input->sets[i]);
		nrows += input->sets[i].nrows;
	}
	build->writer = ec_summary_begin(c, signature, ngroups, groups, nrows);
	finish_all(build);
	ec_summary_end(build->writer, build->projections & ~build->refused, build->refused);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(build->context);
	for (uint32 i = 0; i < input->nsets; i++)
		ec_summary_drop(c, &input->sets[i]);
}
