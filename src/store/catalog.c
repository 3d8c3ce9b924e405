/*
 * catalog.c
 *	  Descriptors of row groups as heap tuples of the table's TOAST relation.
 *
 * The TOAST relation (the "companion") is an ordinary heap of (chunk_id, chunk_seq,
 * chunk_data) with a unique index on the first two.  We keep no TOAST values in it:
 * what it offers is a heap that goes wherever its table goes.  MVCC,
 * subtransactions, two-phase commit, recovery and standbys follow from heap_insert.
 *
 * Descriptors are found by (kind, number), never by TID: VACUUM FULL may rewrite
 * the companion by itself.  A reader copies what it finds.
 *
 * companion.c inserts, finds and deletes them.
 */
#include "postgres.h"

#include <xxhash.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/toasting.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "store/catalog.h"
#include "store/tid.h"
#include "vector/vector.h"

#define CATALOG_ATT_ID 1
#define CATALOG_ATT_SEQ 2
#define CATALOG_ATT_DATA 3
#define CATALOG_NATTS 3

#define CHECKSUM_START offsetof(EcDiskDescriptor, version)
#define SUMMARY_CHECKSUM_START offsetof(EcDiskSummary, set)

/* ------------------------------------------------------------------------
 * Payload
 * ------------------------------------------------------------------------
 */

static Size
ranges_size(uint32 nranges)
{
	return (Size) nranges * sizeof(EcDiskRange);
}

static Size
data_size(const EcDescriptor *desc)
{
	return desc->form == EC_FORM_EXTENT ? 0 : (Size) desc->image_len;
}

Size
ec_descriptor_size(const EcDescriptor *desc)
{
	return sizeof(EcDiskDescriptor) + ranges_size(desc->nranges) + MAXALIGN(desc->dir_len) +
		   data_size(desc);
}

static uint32
payload_checksum(const uint8 *payload, Size len)
{
	return (uint32) XXH3_64bits(payload + CHECKSUM_START, len - CHECKSUM_START);
}

void
ec_descriptor_build(const EcDescriptor *desc, uint8 *payload)
{
	EcDiskDescriptor disk = {
		.magic = EC_DESCRIPTOR_MAGIC,
		.version = EC_FORMAT_VERSION,
		.form = desc->form | (desc->numbered ? EC_FORM_NUMBERED : 0),
		.level = desc->level,
		.nrows = desc->nrows,
		.number = desc->number,
		.nranges = desc->nranges,
		.natts = desc->natts,
		.image_len = desc->image_len,
		.first_block = desc->first_block,
		.npages = desc->npages,
		.dir_len = desc->dir_len,
		.image_dir_len = desc->image_dir_len,
	};
	uint8 *p = payload + sizeof(disk);
	Size len = ec_descriptor_size(desc);

	memcpy(p, desc->ranges, ranges_size(desc->nranges));
	p += ranges_size(desc->nranges);
	memset(p, 0, MAXALIGN(desc->dir_len));
	if (desc->dir_len > 0)
		memcpy(p, desc->directory, desc->dir_len);
	p += MAXALIGN(desc->dir_len);
	if (data_size(desc) > 0)
		memcpy(p, desc->data, data_size(desc));
	memcpy(payload, &disk, sizeof(disk));
	disk.checksum = payload_checksum(payload, len);
	memcpy(payload, &disk, sizeof(disk));
}

void
ec_catalog_tuple_damaged(Relation rel, HeapTuple tuple, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("tuple (%u,%u) of the TOAST table of table \"%s\" is damaged",
						   ItemPointerGetBlockNumberNoCheck(&tuple->t_self),
						   ItemPointerGetOffsetNumberNoCheck(&tuple->t_self),
						   RelationGetRelationName(rel)),
					errdetail_internal("%s", what)));
}

const char *
ec_catalog_noun(EcCatalogKind kind)
{
	return kind == EC_CATALOG_SUMMARY ? "summary" : "row group";
}

static void
descriptor_damaged(Relation rel, EcCatalogKind kind, int64 number, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("descriptor of %s " INT64_FORMAT " of table \"%s\" is damaged",
						   ec_catalog_noun(kind), number, RelationGetRelationName(rel)),
					errdetail_internal("%s", what)));
}

static void
check_ranges(Relation rel, const EcDescriptor *desc)
{
	int64 rows = 0;

	for (uint32 i = 0; i < desc->nranges; i++)
	{
		const EcDiskRange *range = &desc->ranges[i];

		if (range->first < 0 || range->count <= 0 ||
			(range->count > EC_GROUP_ROWS_MAX && !desc->numbered) ||
			range->first > EC_ROW_NUMBER_END - range->count)
			descriptor_damaged(rel, desc->kind, desc->number,
							   "A range of row numbers is impossible.");
		rows += range->count;
	}
	if (desc->numbered ? rows < desc->nrows || desc->nranges != 1 : rows != desc->nrows)
		descriptor_damaged(rel, desc->kind, desc->number,
						   "Its ranges of row numbers do not match its rows.");
}

/* Rows kept as tuples are in order of their numbers; a summary is an image, its rows have none. */
static bool
form_possible(EcCatalogKind kind, uint8 form)
{
	uint8 base = form & ~EC_FORM_NUMBERED;

	if (kind == EC_CATALOG_SUMMARY)
		return form == EC_FORM_EXTENT || form == EC_FORM_INLINE;
	return base >= EC_FORM_EXTENT && base <= EC_FORM_ROWS &&
		   form != (EC_FORM_ROWS | EC_FORM_NUMBERED);
}

static void
check_header(Relation rel, EcCatalogKind kind, const EcDiskDescriptor *disk, const uint8 *payload,
			 Size len)
{
	if (len < sizeof(*disk) || disk->magic != EC_DESCRIPTOR_MAGIC)
		descriptor_damaged(rel, kind, -1, "It does not start as a descriptor does.");
	if (disk->checksum != payload_checksum(payload, len))
		descriptor_damaged(rel, kind, disk->number, "Its checksum is wrong.");
	if (disk->version > EC_FORMAT_VERSION)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("table \"%s\" was written by a newer version of ecinsight",
							   RelationGetRelationName(rel)),
						errhint("Install the newer version of the extension's library.")));
	if (!form_possible(kind, disk->form) || disk->nrows == 0 || disk->nrows > EC_GROUP_ROWS_MAX ||
		disk->nranges == 0 || disk->nranges > disk->nrows)
		descriptor_damaged(rel, kind, disk->number,
						   "Its form or its number of rows is impossible.");
}

void
ec_descriptor_parse(Relation rel, EcCatalogKind kind, const uint8 *payload, Size len,
					EcDescriptor *desc)
{
	EcDiskDescriptor disk = {0};
	const uint8 *p = payload + sizeof(disk);

	memcpy(&disk, payload, Min(len, sizeof(disk)));
	check_header(rel, kind, &disk, payload, len);
	memset(desc, 0, sizeof(*desc));
	desc->kind = kind;
	desc->number = disk.number;
	desc->form = disk.form & ~EC_FORM_NUMBERED;
	desc->numbered = (disk.form & EC_FORM_NUMBERED) != 0;
	desc->level = disk.level;
	desc->nrows = disk.nrows;
	desc->natts = disk.natts;
	desc->image_len = disk.image_len;
	desc->first_block = disk.first_block;
	desc->npages = disk.npages;
	desc->nranges = disk.nranges;
	desc->image_dir_len = disk.image_dir_len;
	desc->dir_len = disk.dir_len;
	if (disk.image_len > len && desc->form != EC_FORM_EXTENT)
		descriptor_damaged(rel, kind, desc->number, "It is too short.");
	if (ec_descriptor_size(desc) != len)
		descriptor_damaged(rel, kind, desc->number, "Its length is wrong.");
	desc->ranges = (const EcDiskRange *) p;
	p += ranges_size(desc->nranges);
	desc->directory = p;
	p += MAXALIGN(desc->dir_len);
	desc->data = p;
	check_ranges(rel, desc);
}

/* ------------------------------------------------------------------------
 * Tuples
 * ------------------------------------------------------------------------
 */

HeapTuple
ec_catalog_form_tuple(TupleDesc tupdesc, const EcDescriptor *desc)
{
	Size len = ec_descriptor_size(desc);
	uint8 *payload = palloc(VARHDRSZ + len);
	bool isnull[CATALOG_NATTS] = {false};
	Datum values[CATALOG_NATTS];
	HeapTuple tuple;

	Assert(len <= EC_DESCRIPTOR_MAX);
	SET_VARSIZE(payload, VARHDRSZ + len);
	ec_descriptor_build(desc, payload + VARHDRSZ);
	values[CATALOG_ATT_ID - 1] =
		ObjectIdGetDatum(EC_CATALOG_CHUNK_ID(EC_CATALOG_GROUP, desc->number));
	values[CATALOG_ATT_SEQ - 1] = Int32GetDatum(EC_CATALOG_CHUNK_SEQ(desc->number));
	values[CATALOG_ATT_DATA - 1] = PointerGetDatum(payload);
	tuple = heap_form_tuple(tupdesc, values, isnull);
	pfree(payload);
	return tuple;
}

/* Rows have a short header if they are small. */
static bool
payload_length_matches(const char *p, Size len)
{
	uint32 header;

	if (VARATT_IS_1B(p))
		return !VARATT_IS_1B_E(p) && VARSIZE_1B(p) == len;
	if (len < VARHDRSZ)
		return false;
	memcpy(&header, p, sizeof(header));
	return VARATT_IS_4B_U(&header) && VARSIZE(&header) == len;
}

/*
 * Nothing of the tuple is believed: its length must be that of its line pointer,
 * its kind one that we know.  That the number is the payload's is for the caller
 * to check, with the payload's checksum.
 */
void
ec_catalog_open_tuple(Relation rel, HeapTuple tuple, EcCatalogTuple *out)
{
	HeapTupleHeader header = tuple->t_data;
	const Size start = MAXALIGN(SizeofHeapTupleHeader);
	const char *p = (const char *) header + start;
	uint32 key[2];

	if (tuple->t_len <= start + sizeof(key) || header->t_hoff != start ||
		HeapTupleHasNulls(tuple) || HeapTupleHeaderGetNatts(header) != CATALOG_NATTS)
		ec_catalog_tuple_damaged(rel, tuple, "Its header is not that of a tuple of three columns.");
	memcpy(key, p, sizeof(key));
	p += sizeof(key);
	if (!payload_length_matches(p, tuple->t_len - start - sizeof(key)))
		ec_catalog_tuple_damaged(rel, tuple, "Its length is wrong.");
	out->kind = key[0] & 0xff;
	out->number = (int64) (key[0] >> 8) << EC_CATALOG_SEQ_BITS | key[1];
	out->payload = (const uint8 *) VARDATA_ANY(p);
	out->len = VARSIZE_ANY_EXHDR(p);
	if (out->kind == 0 || out->kind > EC_CATALOG_LAST || key[1] >> EC_CATALOG_SEQ_BITS != 0)
		ec_catalog_tuple_damaged(rel, tuple, "It has an unknown kind.");

	/* what readers of rows pass by must not be a row group in disguise */
	if ((out->kind == EC_CATALOG_RESERVE || out->kind == EC_CATALOG_FREE ||
		 out->kind == EC_CATALOG_PLACE || out->kind == EC_CATALOG_COUNTERS) &&
		out->len >= sizeof(EcDiskDescriptor))
		ec_catalog_tuple_damaged(rel, tuple, "It is too long for its kind.");
}

/* False if the tuple is of another kind.  The payload is copied: tuples are not MAXALIGNed inside. */
bool
ec_catalog_read_tuple(Relation rel, HeapTuple tuple, EcDescriptor *desc)
{
	EcCatalogTuple opened;
	uint8 *payload;

	ec_catalog_open_tuple(rel, tuple, &opened);
	if (opened.kind != EC_CATALOG_GROUP)
		return false;
	payload = palloc(Max(opened.len, 1));
	memcpy(payload, opened.payload, opened.len);
	ec_descriptor_parse(rel, EC_CATALOG_GROUP, payload, opened.len, desc);
	if (desc->number != opened.number)
		ec_catalog_tuple_damaged(rel, tuple, "Its key is not that of its row group.");
	return true;
}

uint32
ec_summary_checksum(const EcDiskSummary *summary, int64 number)
{
	return (uint32) XXH3_64bits_withSeed((const uint8 *) summary + SUMMARY_CHECKSUM_START,
										 sizeof(*summary) - SUMMARY_CHECKSUM_START, number);
}

static bool
summary_possible(const EcDiskSummary *summary, int64 number)
{
	if (summary->kind == EC_SUMMARY_COVER)
		return summary->set == number;
	return summary->kind == EC_SUMMARY_PART && summary->set != number &&
		   summary->projection < EC_SUMMARY_PROJECTIONS;
}

const char *
ec_summary_header(int64 number, const uint8 *payload, Size len, EcDiskSummary *summary)
{
	memset(summary, 0, sizeof(*summary));
	memcpy(summary, payload, Min(len, sizeof(*summary)));
	if (summary->magic != EC_SUMMARY_MAGIC ||
		summary->checksum != ec_summary_checksum(summary, number) ||
		len < sizeof(*summary) + sizeof(EcDiskDescriptor))
		return "Its header is damaged.";
	if (summary->version > EC_SUMMARY_VERSION)
		return "It was written by a newer version of ecinsight.";
	return summary_possible(summary, number) ? NULL : "Its header is impossible.";
}

void
ec_summary_check_header(Relation rel, int64 number, const uint8 *payload, Size len,
						EcDiskSummary *summary)
{
	const char *problem = ec_summary_header(number, payload, len, summary);

	if (problem != NULL)
		descriptor_damaged(rel, EC_CATALOG_SUMMARY, number, problem);
}

bool
ec_catalog_read_summary(Relation rel, HeapTuple tuple, EcDiskSummary *summary, EcDescriptor *desc)
{
	EcCatalogTuple opened;
	uint8 *payload;
	Size len;

	ec_catalog_open_tuple(rel, tuple, &opened);
	if (opened.kind != EC_CATALOG_SUMMARY)
		return false;
	ec_summary_check_header(rel, opened.number, opened.payload, opened.len, summary);
	len = opened.len - sizeof(*summary);
	payload = palloc(len);
	memcpy(payload, opened.payload + sizeof(*summary), len);
	ec_descriptor_parse(rel, EC_CATALOG_SUMMARY, payload, len, desc);
	if (desc->number != opened.number)
		ec_catalog_tuple_damaged(rel, tuple, "Its key is not that of its summary.");
	return true;
}

static Relation
open_companion(Relation rel, LOCKMODE lockmode)
{
	if (!OidIsValid(rel->rd_rel->reltoastrelid))
		return NULL;
	return table_open(rel->rd_rel->reltoastrelid, lockmode);
}

/*
 * What PostgreSQL's cache has of an index in use is read again when it changes, but of a
 * TOAST table's only in part: that REINDEX CONCURRENTLY has made it ready, or valid,
 * would never be noticed by a session that had it open at that moment.
 */
static void
read_flags_again(Relation index)
{
	HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(RelationGetRelid(index)));
	Form_pg_index form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for index %u", RelationGetRelid(index));
	form = (Form_pg_index) GETSTRUCT(tuple);
	index->rd_index->indisvalid = form->indisvalid;
	index->rd_index->indisready = form->indisready;
	index->rd_index->indislive = form->indislive;
	ReleaseSysCache(tuple);
}

int
ec_catalog_open_indexes(Relation companion, LOCKMODE lockmode, Relation **indexes, int *nindexes)
{
	List *oids = RelationGetIndexList(companion);
	int valid = -1;

	*nindexes = list_length(oids);
	*indexes = palloc(Max(*nindexes, 1) * sizeof(Relation));
	for (int i = 0; i < *nindexes; i++)
	{
		Relation index = index_open(list_nth_oid(oids, i), lockmode);

		if (*nindexes > 1 || !index->rd_index->indisvalid || !index->rd_index->indisready)
			read_flags_again(index);
		if (valid < 0 && index->rd_index->indisvalid)
			valid = i;
		(*indexes)[i] = index;
	}
	list_free(oids);
	if (valid < 0)
		elog(ERROR, "companion \"%s\" has no valid index", RelationGetRelationName(companion));
	return valid;
}

static void
drop_index(Oid index)
{
	ObjectAddress object;

	ObjectAddressSet(object, RelationRelationId, index);
	ereport(LOG, (errmsg("dropping invalid index \"%s\"", get_rel_name(index)),
				  errdetail("A REINDEX CONCURRENTLY that failed has left it.")));
	performDeletion(&object, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
}

void
ec_catalog_drop_invalid_indexes(Oid companion)
{
	Relation rel = table_open(companion, NoLock);
	List *oids = RelationGetIndexList(rel);
	ListCell *cell;

	table_close(rel, NoLock);
	if (list_length(oids) > 1)
	{
		foreach (cell, oids)
		{
			if (!get_index_isvalid(lfirst_oid(cell)))
				drop_index(lfirst_oid(cell));
		}
	}
	list_free(oids);
}

void
ec_catalog_ensure(Relation rel)
{
	if (OidIsValid(rel->rd_rel->reltoastrelid))
		return;

	/*
	 * Only ALTER TABLE ... SET ACCESS METHOD gives us a table without one, and
	 * nobody else sees that table yet.  Making it for a table that others may
	 * write to would let two sessions deadlock.
	 */
	if (rel->rd_createSubid == InvalidSubTransactionId)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("table \"%s\" has no TOAST table to keep its row groups in",
							   RelationGetRelationName(rel))));
	NewHeapCreateToastTable(RelationGetRelid(rel), (Datum) 0, AccessExclusiveLock, InvalidOid);
}

BlockNumber
ec_catalog_pages(Relation rel)
{
	Relation companion = open_companion(rel, AccessShareLock);
	BlockNumber pages = 0;

	if (companion != NULL)
	{
		pages = RelationGetNumberOfBlocks(companion);
		table_close(companion, AccessShareLock);
	}
	return pages;
}
