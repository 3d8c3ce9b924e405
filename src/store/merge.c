/*
 * merge.c
 *	  Rows of row groups and delta rows into new row groups.
 *
 * Rows keep their numbers, so indexes, locks and tombstones that come later still
 * find them.  They come in the order of their numbers and are cut into full
 * groups; within each they are in the order of the option order_by, or of their
 * numbers.
 *
 * Delta rows are read first and taken (deleted) last, without waiting: so who wants
 * to change one waits for us only for the moment in which we commit.  One that
 * somebody has changed or locked meanwhile stays, and its copy in the new row group
 * is masked from birth.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "store/group.h"
#include "store/mask.h"
#include "store/merge.h"
#include "store/options.h"
#include "store/row.h"
#include "store/transfer.h"

/* As for pending rows: memory after which a row group is full, whatever its rows. */
#define GROUP_BYTES_MAX ((Size) 64 * 1024 * 1024)

/* A delta row that has been copied. */
typedef struct Moved
{
	ItemPointerData tid; /* of its tuple */
	uint32 group;		 /* index into written */
	uint32 row;			 /* within it */
} Moved;

typedef struct Written
{
	int64 number;
	uint32 nrows;
} Written;

typedef struct EcMerge
{
	EcCompact *k;
	MemoryContext context;
	TupleDesc tupdesc;
	EcTableOptions options;
	CommandId cid;
	EcBatch *batch;
	int64 *numbers;	 /* of the batch's rows */
	int64 *delta_of; /* of the batch's rows: index into survey->deltas, or -1 */
	uint32 *rows;	 /* a block's rows to take */
	Datum *values;
	bool *isnull;
	Moved *moved; /* [ndeltas] */
	Size nmoved;
	Written *written;
	uint32 nwritten;
	uint32 written_capacity;
	Size next_delta; /* index into survey->deltas */
	Size ndeltas;	 /* of these to take */
} Merge;

/* ------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------
 */

static bool
ascending(const int64 *numbers, uint32 n)
{
	for (uint32 i = 1; i < n; i++)
	{
		if (numbers[i] < numbers[i - 1])
			return false;
	}
	return true;
}

static void
remember_moved(Merge *m, const uint32 *order)
{
	for (uint32 row = 0; row < m->batch->nrows; row++)
	{
		int64 delta = m->delta_of[order == NULL ? row : order[row]];
		Moved *moved;

		if (delta < 0)
			continue;
		moved = &m->moved[m->nmoved++];
		moved->tid = m->k->survey->deltas.rows[delta].tid;
		moved->group = m->nwritten;
		moved->row = row;
	}
}

static void
note_written(EcCompactSet *set, int64 number, uint32 nrows)
{
	if (set->nwritten == set->written_capacity)
	{
		set->written_capacity = Max(16, set->written_capacity * 2);
		set->written = set->written == NULL
						   ? palloc(set->written_capacity * sizeof(int64))
						   : repalloc(set->written, set->written_capacity * sizeof(int64));
	}
	set->written[set->nwritten++] = number;
	set->rows_written += nrows;
}

static void
remember_written(Merge *m, int64 number, uint32 nrows)
{
	if (m->nwritten == m->written_capacity)
	{
		m->written_capacity = Max(64, m->written_capacity * 2);
		m->written = m->written == NULL
						 ? palloc(m->written_capacity * sizeof(Written))
						 : repalloc(m->written, m->written_capacity * sizeof(Written));
	}
	m->written[m->nwritten].number = number;
	m->written[m->nwritten].nrows = nrows;
	m->nwritten++;
	m->k->result->groups_written++;
	m->k->result->rows_written += nrows;
	if (m->k->present_set > 0)
		note_written(&m->k->sets[m->k->present_set - 1], number, nrows);
}

/* The batch in the wanted order; numbers follow. */
static uint32 *
put_in_order(Merge *m)
{
	uint32 n = m->batch->nrows;
	uint32 *order;
	int64 *numbers;
	EcBatch *sorted;

	if (m->options.norder == 0 && ascending(m->numbers, n))
		return NULL;
	order = palloc(n * sizeof(uint32));
	numbers = palloc(n * sizeof(int64));
	ec_transfer_order(m->batch, m->numbers, m->options.order, m->options.norder, order);
	sorted = ec_transfer_permute(m->batch, m->tupdesc, order, m->context);
	for (uint32 i = 0; i < n; i++)
		numbers[i] = m->numbers[order[i]];
	memcpy(m->numbers, numbers, n * sizeof(int64));
	pfree(numbers);
	ec_batch_destroy(m->batch);
	m->batch = sorted;
	return order;
}

static void
store_group(Merge *m, uint8 level, const uint32 *order)
{
	uint32 nrows = m->batch->nrows;

	remember_moved(m, order);
	remember_written(m, ec_group_write_numbered(m->k->rel, m->batch, m->numbers, level, m->cid, 0),
					 nrows);
}

static void
write_group(Merge *m, bool full)
{
	uint8 level = !full					   ? EC_LEVEL_MERGED
				  : m->options.norder == 0 ? EC_LEVEL_FULL
										   : EC_LEVEL_SORTED;
	uint32 *order;

	if (m->batch->nrows == 0)
		return;
	order = put_in_order(m);
	if (m->k->sink != NULL)
	{
		m->k->sink(m->k->sink_arg, m->batch, m->numbers);
		m->k->result->rows_written += m->batch->nrows;
	}
	else
		store_group(m, level, order);
	if (order != NULL)
		pfree(order);
	ec_batch_destroy(m->batch);
	m->batch = ec_batch_create(m->tupdesc, m->context);
}

static void
write_if_full(Merge *m)
{
	if (m->batch->nrows >= m->options.row_group_rows ||
		MemoryContextMemAllocated(m->batch->context, true) >= GROUP_BYTES_MAX)
		write_group(m, true);
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

/* Delta rows with numbers below this one. */
static void
take_deltas(Merge *m, int64 end)
{
	EcSurveyRows *deltas = &m->k->survey->deltas;
	EcCompanion *c = m->k->c;

	for (; m->next_delta < m->ndeltas && deltas->rows[m->next_delta].number < end; m->next_delta++)
	{
		EcCatalogTuple opened;
		HeapTuple tuple = ec_companion_fetch(c, &deltas->rows[m->next_delta].tid, &opened);
		EcRow row;
		void *memory;

		/* gone already: somebody has deleted it since the survey */
		if (tuple == NULL || opened.kind != EC_CATALOG_ROW ||
			opened.number != deltas->rows[m->next_delta].number)
			continue;
		ec_row_parse(m->k->rel, tuple, &opened, &row);
		if (row.state != EC_ROW_DATA)
			continue;
		memory = ec_row_deform(&row, m->tupdesc, m->values, m->isnull);
		m->numbers[m->batch->nrows] = row.number;
		m->delta_of[m->batch->nrows] = m->next_delta;
		ec_transfer_append(m->batch, m->values, m->isnull);
		if (memory != NULL)
			pfree(memory);
		if ((m->next_delta & 255) == 0)
			ec_compat_vacuum_delay_point();
		write_if_full(m);
	}
}

static void
add_rows(Merge *m, EcReader *reader, uint32 block, const uint32 *rows, uint32 n)
{
	while (n > 0)
	{
		uint32 take = Min(n, m->options.row_group_rows - m->batch->nrows);

		for (uint32 i = 0; i < take; i++)
		{
			m->numbers[m->batch->nrows + i] =
				ec_reader_row_number(reader, block * EC_BLOCK_ROWS + rows[i]);
			m->delta_of[m->batch->nrows + i] = -1;
		}
		ec_transfer_block(reader, block, rows, take, m->batch);
		rows += take;
		n -= take;
		write_if_full(m);
	}
}

static void
take_group(Merge *m, EcReader *reader)
{
	uint32 ndead;
	uint32 fresh;
	uint64 *dead = ec_compact_dead(m->k, reader, true, &ndead, &fresh);
	uint32 nblocks = ec_reader_group(reader)->nblocks;

	m->k->result->rows_dropped += ndead;
	for (uint32 block = 0; block < nblocks; block++)
	{
		const uint64 *words = dead == NULL ? NULL : dead + (Size) block * EC_MASK_WORDS;
		uint32 nrows = ec_reader_block_rows(reader, block);
		uint32 n = 0;

		ec_compat_vacuum_delay_point();
		for (uint32 row = 0; row < nrows; row++)
		{
			if (words == NULL || (words[row / 64] >> row % 64 & 1) == 0)
				m->rows[n++] = row;
		}
		if (n > 0)
			add_rows(m, reader, block, m->rows, n);
	}
	if (dead != NULL)
		pfree(dead);
}

static bool
is_merged(EcCompact *k, EcSurveyGroup *group)
{
	return group->merge && group->set == k->present_set;
}

/* ------------------------------------------------------------------------
 * Claims
 * ------------------------------------------------------------------------
 */

static void
mask_rows(Merge *m, uint32 group, const uint64 *dead)
{
	const Written *written = &m->written[group];
	uint32 nblocks = (written->nrows + EC_BLOCK_ROWS - 1) / EC_BLOCK_ROWS;

	for (uint32 block = 0; block < nblocks; block++)
	{
		const uint64 *words = dead + (Size) block * EC_MASK_WORDS;
		bool any = false;

		for (uint32 i = 0; i < EC_MASK_WORDS; i++)
			any |= words[i] != 0;
		if (any)
			ec_mask_insert(m->k->rel, written->number, block, words,
						   Min(EC_BLOCK_ROWS, written->nrows - block * EC_BLOCK_ROWS), m->cid, 0);
	}
}

/* Takes the delta rows that were copied; moved is in the order of groups. */
static void
claim_deltas(Merge *m)
{
	for (Size i = 0; i < m->nmoved;)
	{
		uint32 group = m->moved[i].group;
		uint32 nblocks = (m->written[group].nrows + EC_BLOCK_ROWS - 1) / EC_BLOCK_ROWS;
		uint64 *dead = NULL;

		for (; i < m->nmoved && m->moved[i].group == group; i++)
		{
			const Moved *moved = &m->moved[i];

			CHECK_FOR_INTERRUPTS();
			if (ec_companion_claim(m->k->c, (ItemPointer) &moved->tid, m->cid))
			{
				m->k->result->tuples_dropped++;
				continue;
			}
			if (dead == NULL)
				dead = palloc0((Size) nblocks * EC_MASK_WORDS * sizeof(uint64));
			dead[moved->row / 64] |= UINT64CONST(1) << moved->row % 64;
		}
		if (dead != NULL)
		{
			mask_rows(m, group, dead);
			pfree(dead);
		}
	}
}

/* ------------------------------------------------------------------------
 * All
 * ------------------------------------------------------------------------
 */

static Merge *
begin_merge(EcCompact *k)
{
	Merge *m = palloc0(sizeof(Merge));
	uint32 max_rows;

	m->k = k;
	m->context = CurrentMemoryContext;
	m->tupdesc = RelationGetDescr(k->rel);
	m->options = ec_options_get(k->rel);
	m->options.row_group_rows = Min(m->options.row_group_rows, EC_GROUP_ROWS_MAX);
	if (k->sink != NULL)
		m->options.norder = 0;
	max_rows = m->options.row_group_rows;
	m->cid = GetCurrentCommandId(true);
	m->batch = ec_batch_create(m->tupdesc, m->context);
	m->numbers = palloc_extended(max_rows * sizeof(int64), MCXT_ALLOC_HUGE);
	m->delta_of = palloc_extended(max_rows * sizeof(int64), MCXT_ALLOC_HUGE);
	m->rows = palloc(EC_BLOCK_ROWS * sizeof(uint32));
	m->values = palloc(Max(m->tupdesc->natts, 1) * sizeof(Datum));
	m->isnull = palloc(Max(m->tupdesc->natts, 1) * sizeof(bool));
	if (k->merge_deltas)
		m->ndeltas = Min(k->survey->deltas.n, k->max_deltas);
	m->moved = palloc_extended(Max(m->ndeltas, 1) * sizeof(Moved), MCXT_ALLOC_HUGE);
	return m;
}

/* Those of the present set; delta rows are in none. */
static void
merge_groups(Merge *m)
{
	EcReader *reader = ec_compact_reader(m->k, is_merged);

	while (reader != NULL && ec_reader_next_group(reader))
	{
		if (m->k->present_set == 0)
			take_deltas(m, ec_reader_row_number(reader, 0));
		take_group(m, reader);
	}
	if (reader != NULL)
		ec_reader_end(reader);
}

static void
merge_sets(Merge *m)
{
	EcCompact *k = m->k;

	for (uint32 i = 0; i < k->survey->ngroups; i++)
	{
		const EcSurveyGroup *group = &k->survey->groups[i];

		if (!group->merge || group->set == 0)
			continue;
		k->sets[group->set - 1].nmerged++;
		k->sets[group->set - 1].rows_merged += group->nrows;
	}
	for (k->present_set = 1; k->present_set <= k->nsets; k->present_set++)
	{
		if (k->sets[k->present_set - 1].nmerged == 0)
			continue;
		merge_groups(m);
		write_group(m, false);
	}
	k->present_set = 0;
}

void
ec_merge(EcCompact *k)
{
	Merge *m = begin_merge(k);

	merge_sets(m);
	merge_groups(m);
	take_deltas(m, PG_INT64_MAX);
	write_group(m, false);
	k->merge = m;
}

void
ec_merge_claim(EcCompact *k)
{
	claim_deltas(k->merge);
}
