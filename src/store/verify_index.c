/*
 * verify_index.c
 *	  ecinsight.verify: do btree indexes and rows agree?
 *
 * Of each index entry and of each row that the snapshot sees, a fingerprint is made:
 * the row number and some bits of a hash of the indexed values.  Both lists are
 * sorted and compared.  Rows without their entry, and entries of visible rows with
 * other values, are told.  Entries of rows that the snapshot doesn't see are none of
 * our business, as long as such a row number was given to some row.
 *
 * Other kinds of index can't tell their entries.
 */
#include "postgres.h"

#include <xxhash.h>

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupmacs.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "base/compat.h"
#include "store/page.h"
#include "store/tid.h"
#include "store/verify.h"

#define HASH_BITS 22

StaticAssertDecl(EC_ROW_NUMBER_END <= INT64CONST(1) << (63 - HASH_BITS),
				 "row number and hash must fit into an int8");

/* No more of them for an index: others would drown. */
#define PROBLEMS_MAX 20

/* ------------------------------------------------------------------------
 * Fingerprints
 * ------------------------------------------------------------------------
 */

static XXH64_hash_t
hash_value(XXH64_hash_t hash, Datum value, Form_pg_attribute attr)
{
	struct varlena *plain;

	if (attr->attbyval)
	{
		Datum stored = 0;

		/* Functions leave what they like above the type's bytes. */
		store_att_byval(&stored, value, attr->attlen);
		return XXH3_64bits_withSeed(&stored, attr->attlen, hash);
	}
	if (attr->attlen > 0)
		return XXH3_64bits_withSeed(DatumGetPointer(value), attr->attlen, hash);
	if (attr->attlen == -2)
		return XXH3_64bits_withSeed(DatumGetCString(value), strlen(DatumGetCString(value)), hash);
	plain = PG_DETOAST_DATUM_PACKED(value);
	return XXH3_64bits_withSeed(VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain), hash);
}

static int64
fingerprint(int64 row, TupleDesc tupdesc, const Datum *values, const bool *isnull)
{
	XXH64_hash_t hash = 0;

	for (int i = 0; i < tupdesc->natts; i++)
		hash = isnull[i] ? XXH3_64bits_withSeed(&i, sizeof(i), hash)
						 : hash_value(hash, values[i], TupleDescAttr(tupdesc, i));
	return row << HASH_BITS | (int64) (hash >> (64 - HASH_BITS));
}

static Tuplesortstate *
begin_sort(void)
{
	return tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false, maintenance_work_mem,
								 NULL, TUPLESORT_NONE);
}

static bool
next_fingerprint(Tuplesortstate *sort, int64 *value)
{
	Datum datum;
	bool isnull;

	if (!ec_compat_tuplesort_getdatum(sort, &datum, &isnull))
		return false;
	*value = DatumGetInt64(datum);
	return true;
}

/* ------------------------------------------------------------------------
 * Both sides
 * ------------------------------------------------------------------------
 */

/* Has the number been handed out?  Others may do so while we are looking. */
static bool
was_given(EcVerify *verify, int64 row)
{
	if (row >= verify->meta.next_row)
		ec_meta_read(verify->rel, &verify->meta);
	return row >= 0 && row < verify->meta.next_row;
}

static Tuplesortstate *
sort_entries(EcVerify *verify)
{
	Tuplesortstate *sort = begin_sort();
	IndexScanDesc scan = ec_compat_index_beginscan(verify->rel, verify->index, SnapshotAny, 0);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight verify", ALLOCSET_DEFAULT_SIZES);
	ItemPointer tid;

	scan->xs_want_itup = true;
	index_rescan(scan, NULL, 0, NULL, 0);
	while ((tid = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		Datum values[INDEX_MAX_KEYS];
		bool isnull[INDEX_MAX_KEYS];
		int64 row = ec_tid_to_row(tid);

		CHECK_FOR_INTERRUPTS();
		if (!was_given(verify, row))
			ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
							errmsg("index \"%s\" points to a row that was never written, (%u,%u)",
								   RelationGetRelationName(verify->index),
								   ItemPointerGetBlockNumberNoCheck(tid),
								   ItemPointerGetOffsetNumberNoCheck(tid))));
		index_deform_tuple(scan->xs_itup, scan->xs_itupdesc, values, isnull);
		tuplesort_putdatum(sort, Int64GetDatum(fingerprint(row, scan->xs_itupdesc, values, isnull)),
						   false);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	index_endscan(scan);
	MemoryContextDelete(context);
	tuplesort_performsort(sort);
	return sort;
}

static Tuplesortstate *
sort_rows(EcVerify *verify)
{
	Tuplesortstate *sort = begin_sort();
	IndexInfo *info = BuildIndexInfo(verify->index);
	EState *estate = CreateExecutorState();
	ExprContext *econtext = GetPerTupleExprContext(estate);
	TupleTableSlot *slot = table_slot_create(verify->rel, NULL);
	ExprState *predicate = ExecPrepareQual(info->ii_Predicate, estate);
	TableScanDesc scan = table_beginscan(verify->rel, GetActiveSnapshot(), 0, NULL);

	econtext->ecxt_scantuple = slot;
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext old;
		Datum values[INDEX_MAX_KEYS];
		bool isnull[INDEX_MAX_KEYS];

		CHECK_FOR_INTERRUPTS();
		ResetExprContext(econtext);
		if (predicate != NULL && !ExecQual(predicate, econtext))
			continue;
		old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
		FormIndexDatum(info, slot, estate, values, isnull);
		tuplesort_putdatum(
			sort,
			Int64GetDatum(fingerprint(ec_tid_to_row(&slot->tts_tid),
									  RelationGetDescr(verify->index), values, isnull)),
			false);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	tuplesort_performsort(sort);
	return sort;
}

/* ------------------------------------------------------------------------
 * Comparison
 * ------------------------------------------------------------------------
 */

static void
tell(EcVerify *verify, const char *problem, int64 value)
{
	ItemPointerData tid;

	ec_tid_from_row(value >> HASH_BITS, &tid);
	ec_verify_report(verify, -1, -1,
					 psprintf("index \"%s\" %s row (%u,%u)", RelationGetRelationName(verify->index),
							  problem, ItemPointerGetBlockNumber(&tid),
							  ItemPointerGetOffsetNumber(&tid)));
}

/* Is "entry", which is none of the rows', an entry of the row before or behind it? */
static bool
of_row(int64 entry, int64 previous, bool has_row, int64 row)
{
	return entry >> HASH_BITS == previous >> HASH_BITS ||
		   (has_row && entry >> HASH_BITS == row >> HASH_BITS);
}

static void
compare(EcVerify *verify, Tuplesortstate *rows, Tuplesortstate *entries)
{
	int64 row = -1;
	int64 entry = -1;
	int64 previous = -1; /* row, found or not */
	bool has_row = next_fingerprint(rows, &row);
	bool has_entry = next_fingerprint(entries, &entry);
	int problems = 0;

	while ((has_row || has_entry) && problems < PROBLEMS_MAX)
	{
		if (has_row && has_entry && row == entry)
		{
			previous = row;
			has_row = next_fingerprint(rows, &row);
			has_entry = next_fingerprint(entries, &entry);
		}
		else if (has_row && (!has_entry || row < entry))
		{
			tell(verify, "has no entry with the values of", row);
			problems++;
			previous = row;
			has_row = next_fingerprint(rows, &row);
		}
		else
		{
			if (of_row(entry, previous, has_row, row))
			{
				tell(verify, entry == previous ? "has two entries of" : "has other values for",
					 entry);
				problems++;
			}
			has_entry = next_fingerprint(entries, &entry);
		}
	}
}

static void
check_index(EcVerify *verify)
{
	Tuplesortstate *rows = sort_rows(verify);
	Tuplesortstate *entries = sort_entries(verify);

	compare(verify, rows, entries);
	tuplesort_end(rows);
	tuplesort_end(entries);
}

void
ec_verify_indexes(EcVerify *verify)
{
	ListCell *cell;

	foreach (cell, RelationGetIndexList(verify->rel))
	{
		verify->index = index_open(lfirst_oid(cell), AccessShareLock);
		if (verify->index->rd_rel->relam == BTREE_AM_OID && verify->index->rd_index->indisvalid &&
			verify->index->rd_index->indisready)
			ec_verify_try(verify, check_index, -1, -1);
		index_close(verify->index, NoLock);
	}
}
