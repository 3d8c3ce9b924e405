/*
 * copy_triggers.c
 *	  Events of foreign keys, see copy_triggers.h.
 *
 * Keys are compared by their bytes, so equal ones that look different (1.0 and 1.00)
 * are checked twice, which is right, too.  When the keys seen take too much memory no
 * more are kept, and new ones always become events.
 *
 * Not for deferrable constraints, whose events may wait while the first row with a key is
 * deleted; and not for a table that references itself: pieces that core reads are
 * checked at their own end, before rows that come later.
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "ingest/copy_triggers.h"

#define FIRST_SLOTS 1024
#define KEPT_MAX ((Size) 32 * 1024 * 1024)

typedef struct SeenKey
{
	uint64 hash;
	const char *bytes; /* NULL: a free slot */
	uint32 len;
} SeenKey;

/* A foreign key and the keys that rows had in it; open addressing, half full at most. */
typedef struct Foreign
{
	int nkeys;
	AttrNumber columns[INDEX_MAX_KEYS];
	uint32 nslots; /* a power of two */
	uint32 nseen;
	SeenKey *slots;
} Foreign;

struct EcCopyTriggers
{
	MemoryContext context;
	TupleDesc desc;
	int nforeign;
	Foreign *foreign;
	StringInfoData key; /* at work */
};

/* ------------------------------------------------------------------------
 * Which triggers
 * ------------------------------------------------------------------------
 */

static const ForeignKeyCacheInfo *
find_foreign_key(const List *keys, Oid constraint)
{
	ListCell *lc;

	foreach (lc, keys)
	{
		const ForeignKeyCacheInfo *key = lfirst(lc);

		if (key->conoid == constraint)
			return key;
	}
	return NULL;
}

static bool
trigger_is_possible(Relation rel, const Trigger *trigger, const List *keys)
{
	const ForeignKeyCacheInfo *key = find_foreign_key(keys, trigger->tgconstraint);

	return trigger->tgfoid == F_RI_FKEY_CHECK_INS && TRIGGER_FOR_AFTER(trigger->tgtype) &&
		   TRIGGER_FOR_ROW(trigger->tgtype) && !trigger->tgdeferrable && key != NULL &&
		   key->confrelid != RelationGetRelid(rel) &&
		   !(rel->rd_rel->relispartition &&
			 get_rel_relkind(key->confrelid) == RELKIND_PARTITIONED_TABLE);
}

bool
ec_copy_triggers_possible(Relation rel)
{
	const TriggerDesc *triggers = rel->trigdesc;
	List *keys;
	bool possible = true;

	if (triggers == NULL)
		return true;
	keys = copyObject(RelationGetFKeyList(rel));
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype))
			possible &= trigger_is_possible(rel, trigger, keys);
	}
	return possible;
}

EcCopyTriggers *
ec_copy_triggers_create(Relation rel, bool *needed)
{
	EcCopyTriggers *triggers;
	MemoryContext old;
	List *keys;
	ListCell *lc;

	if (rel->trigdesc == NULL || !rel->trigdesc->trig_insert_after_row)
		return NULL;
	keys = copyObject(RelationGetFKeyList(rel));
	triggers = palloc0(sizeof(EcCopyTriggers));
	triggers->context = AllocSetContextCreate(CurrentMemoryContext, "ecinsight foreign keys",
											  ALLOCSET_DEFAULT_SIZES);
	triggers->desc = RelationGetDescr(rel);
	old = MemoryContextSwitchTo(triggers->context);
	initStringInfo(&triggers->key);
	triggers->foreign = palloc0(sizeof(Foreign) * Max(list_length(keys), 1));
	foreach (lc, keys)
	{
		const ForeignKeyCacheInfo *key = lfirst(lc);
		Foreign *foreign = &triggers->foreign[triggers->nforeign++];

		foreign->nkeys = key->nkeys;
		memcpy(foreign->columns, key->conkey, sizeof(foreign->columns));
		foreign->nslots = FIRST_SLOTS;
		foreign->slots = palloc0(sizeof(SeenKey) * FIRST_SLOTS);
		for (int i = 0; i < key->nkeys; i++)
			needed[key->conkey[i] - 1] = true;
	}
	MemoryContextSwitchTo(old);
	return triggers;
}

/* ------------------------------------------------------------------------
 * Keys seen
 * ------------------------------------------------------------------------
 */

static void
add_value(StringInfo key, Form_pg_attribute att, Datum value)
{
	uint32 len;

	if (att->attbyval)
		appendBinaryStringInfo(key, (char *) &value, sizeof(value));
	else if (att->attlen > 0)
		appendBinaryStringInfo(key, DatumGetPointer(value), att->attlen);
	else if (att->attlen == -1)
	{
		/* made by ec_datum_from_vector: neither compressed nor elsewhere */
		len = VARSIZE_ANY_EXHDR(DatumGetPointer(value));
		appendBinaryStringInfo(key, (char *) &len, sizeof(len));
		appendBinaryStringInfo(key, VARDATA_ANY(DatumGetPointer(value)), len);
	}
	else
		appendStringInfoString(key, DatumGetCString(value));
}

static void
make_key(EcCopyTriggers *triggers, const Foreign *foreign, const TupleTableSlot *slot)
{
	resetStringInfo(&triggers->key);
	for (int i = 0; i < foreign->nkeys; i++)
	{
		int att = foreign->columns[i] - 1;

		appendStringInfoChar(&triggers->key, slot->tts_isnull[att]);
		if (!slot->tts_isnull[att])
			add_value(&triggers->key, TupleDescAttr(triggers->desc, att), slot->tts_values[att]);
	}
}

static SeenKey *
find_slot(const Foreign *foreign, uint64 hash, const char *bytes, uint32 len)
{
	uint32 i = (uint32) hash & (foreign->nslots - 1);

	while (foreign->slots[i].bytes != NULL &&
		   (foreign->slots[i].hash != hash || foreign->slots[i].len != len ||
			memcmp(foreign->slots[i].bytes, bytes, len) != 0))
		i = (i + 1) & (foreign->nslots - 1);
	return &foreign->slots[i];
}

static void
double_slots(EcCopyTriggers *triggers, Foreign *foreign)
{
	SeenKey *old = foreign->slots;
	uint32 n = foreign->nslots;

	foreign->nslots *= 2;
	foreign->slots = MemoryContextAllocExtended(
		triggers->context, sizeof(SeenKey) * foreign->nslots, MCXT_ALLOC_ZERO | MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < n; i++)
	{
		if (old[i].bytes != NULL)
			*find_slot(foreign, old[i].hash, old[i].bytes, old[i].len) = old[i];
	}
	pfree(old);
}

/* Is it the first row with its key? */
static bool
key_is_new(EcCopyTriggers *triggers, Foreign *foreign, const TupleTableSlot *slot)
{
	StringInfo key = &triggers->key;
	SeenKey *seen;
	uint64 hash;
	char *bytes;

	make_key(triggers, foreign, slot);
	hash = hash_bytes_extended((unsigned char *) key->data, key->len, 0);
	seen = find_slot(foreign, hash, key->data, key->len);
	if (seen->bytes != NULL)
		return false;
	if (MemoryContextMemAllocated(triggers->context, false) > KEPT_MAX)
		return true;
	bytes = MemoryContextAlloc(triggers->context, key->len);
	memcpy(bytes, key->data, key->len);
	seen->hash = hash;
	seen->bytes = bytes;
	seen->len = key->len;
	if (++foreign->nseen > foreign->nslots / 2)
		double_slots(triggers, foreign);
	return true;
}

void
ec_copy_triggers_row(EcCopyTriggers *triggers, EState *estate, ResultRelInfo *info,
					 TupleTableSlot *slot)
{
	bool any = false;

	for (int i = 0; i < triggers->nforeign; i++)
		any |= key_is_new(triggers, &triggers->foreign[i], slot);
	if (any)
		ExecARInsertTriggers(estate, info, slot, NIL, NULL);
}

void
ec_copy_triggers_free(EcCopyTriggers *triggers)
{
	MemoryContextDelete(triggers->context);
	pfree(triggers);
}
