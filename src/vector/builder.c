/*
 * builder.c
 *	  Column builders, see builder.h.  Pure C.
 *
 * Three arrays may hold a column: "codes" while strings are interned, "flat" before and
 * afterwards (and always for INT64 columns), "validity" from the first NULL on.
 * Bytes of strings live in segments that never move, so the EcBytes of
 * dictionary entries and of flat rows stay right while the column grows.
 *
 * The hash table is probed linearly: (hash, code + 1) pairs; it is at most half full.
 */
#include "vector/builder.h"

#include "vector/builder_parts.h"
#include "vector/hash.h"
#include "vector/segments.h"

#define FIRST_ROWS 1024
#define FIRST_ENTRIES 256

/* From here on arrays grow by half: the room that a wide table doesn't use is memory that is made for nothing. */
#define MUCH_ROWS 32768

/*
 * Rows of a column that are not interned as they come: their table would be cold memory, and the
 * encoder has them in the cache when it looks for a dictionary.
 */
#define YOUNG_ROWS 1024

/* Interning is judged whenever the number of rows doubles from here; before the second, only unique values end it. */
#define FIRST_JUDGEMENT 1024
#define STRICT_JUDGEMENT 8192

/* Fewer repeated values are none. */
#define FEW_REPEATS 2

/* Texts replace packed UUIDs in place. */
_Static_assert(sizeof(EcBytes) == sizeof(EcUuid), "a 64-bit machine is assumed");

static const EcBytes empty_bytes = {(const uint8_t *) "", 0};

static bool
kind_is_int(EcKind kind)
{
	return kind == EC_KIND_INT || kind == EC_KIND_DECIMAL || kind == EC_KIND_FLOAT;
}

static size_t
phys_width(EcPhys phys)
{
	return phys == EC_PHYS_INT64  ? sizeof(int64_t)
		   : phys == EC_PHYS_UUID ? sizeof(EcUuid)
								  : sizeof(EcBytes);
}

static void
free_block(EcBuilder *b, void *ptr)
{
	if (ptr != NULL)
		b->alloc.resize(b->alloc.ctx, ptr, 0);
}

/* Grows *array (elements of "width" bytes) so that it has room for "need". */
static bool
grow(EcBuilder *b, void **array, uint32_t *cap, size_t width, uint64_t need, uint32_t first)
{
	uint64_t want = *cap ? *cap : first;
	void *ptr;

	if (need <= *cap)
		return true;
	while (want < need)
		want += want < MUCH_ROWS ? want : want / 2;
	if (want > UINT32_MAX)
		return false;
	ptr = b->alloc.resize(b->alloc.ctx, *array, want * width);
	if (ptr == NULL)
		return false;
	*array = ptr;
	*cap = (uint32_t) want;
	return true;
}

/* A text column hopes to be UUIDs until it meets another value. */
static void
start(EcBuilder *b)
{
	b->phys = kind_is_int(b->kind)	   ? EC_PHYS_INT64
			  : b->kind == EC_KIND_RAW ? EC_PHYS_BYTES
									   : EC_PHYS_UUID;
	if (b->plain && b->kind == EC_KIND_TEXT)
		b->phys = EC_PHYS_BYTES;
	b->intern = false;
	b->young = b->phys != EC_PHYS_INT64 && !b->plain;
	b->width = phys_width(b->phys);
	b->rows_cap = b->flat_cap;
	b->nrows = b->nnulls = b->ndict = 0;
	ec_tail_empty(b->tail);
	b->judge_at = FIRST_JUDGEMENT;
	b->null_code = UINT32_MAX;
}

EcBuilder *
ec_builder_create(EcKind kind, const EcAllocator *alloc)
{
	EcBuilder *b = alloc->resize(alloc->ctx, NULL, sizeof(EcBuilder));

	if (b == NULL)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->alloc = *alloc;
	b->kind = kind;
	b->seed = (uint64_t) (uintptr_t) b * EC_HASH_K0;
	b->most_entries = UINT32_MAX;
	start(b);
	return b;
}

void
ec_builder_limit_entries(EcBuilder *b, uint32_t entries)
{
	b->most_entries = entries;
}

void
ec_builder_keep_plain(EcBuilder *b)
{
	b->plain = true;
	start(b);
}

void
ec_builder_destroy(EcBuilder *b)
{
	EcAllocator alloc;

	if (b == NULL)
		return;
	alloc = b->alloc;
	ec_segments_free(&b->kept, &b->alloc);
	free_block(b, b->flat);
	free_block(b, b->codes);
	free_block(b, b->validity);
	free_block(b, b->dict);
	free_block(b, b->slots);
	free_block(b, b->tail);
	alloc.resize(alloc.ctx, b, 0);
}

void
ec_builder_reset(EcBuilder *b)
{
	ec_segments_reset(&b->kept, &b->alloc);
	if (b->ndict > 0)
		memset(b->slots, 0, b->nslots * sizeof(EcSlot));
	if (b->nnulls > 0)
		memset(b->validity, 0xff, b->validity_words * sizeof(uint64_t));
	start(b);
}

/* Copies bytes to where they stay; NULL if out of memory. */
static inline const uint8_t *
keep_bytes(EcBuilder *b, const void *ptr, uint32_t len)
{
	uint8_t *copy = ec_segments_room(&b->kept, &b->alloc, len);

	if (copy != NULL)
		ec_copy_bytes(copy, ptr, len);
	return copy;
}

/* Room for "rows" rows in the form in use. */
static bool
reserve_rows(EcBuilder *b, uint64_t rows)
{
	uint32_t words = b->validity_words;

	if (b->intern ? !grow(b, (void **) &b->codes, &b->codes_cap, sizeof(uint32_t), rows, FIRST_ROWS)
				  : !grow(b, &b->flat, &b->flat_cap, b->width, rows, FIRST_ROWS))
		return false;
	if (!grow(b, (void **) &b->validity, &words, sizeof(uint64_t),
			  EC_VALIDITY_WORDS(b->intern ? b->codes_cap : b->flat_cap), FIRST_ROWS / 64))
		return false;
	if (words > b->validity_words)
		memset(b->validity + b->validity_words, 0xff,
			   (words - b->validity_words) * sizeof(uint64_t));
	b->validity_words = words;
	b->rows_cap = b->intern ? b->codes_cap : b->flat_cap;
	return true;
}

static inline bool
reserve_row(EcBuilder *b)
{
	return b->nrows < b->rows_cap || reserve_rows(b, (uint64_t) b->nrows + 1);
}

/* What a flat column holds for a NULL. */
static void
put_nothing(EcBuilder *b, uint32_t row)
{
	if (b->phys == EC_PHYS_BYTES)
		((EcBytes *) b->flat)[row] = empty_bytes;
	else
		memset((char *) b->flat + row * b->width, 0, b->width);
}

static bool
append_null(EcBuilder *b)
{
	if (!reserve_row(b))
		return false;
	if (b->intern)
	{
		b->codes[b->nrows] = 0;
		b->null_code = UINT32_MAX;
	}
	else
		put_nothing(b, b->nrows);
	b->validity[b->nrows / 64] &= ~(UINT64_C(1) << (b->nrows % 64));
	b->nnulls++;
	b->nrows++;
	return true;
}

bool
ec_builder_append_int64(EcBuilder *b, int64_t value)
{
	if (!reserve_row(b))
		return false;
	((int64_t *) b->flat)[b->nrows++] = value;
	return true;
}

bool
ec_builder_append_int64s(EcBuilder *b, const int64_t *values, uint32_t n)
{
	if (!reserve_rows(b, (uint64_t) b->nrows + n))
		return false;
	if (n > 0)
		memcpy((int64_t *) b->flat + b->nrows, values, n * sizeof(int64_t));
	b->nrows += n;
	return true;
}

/* Room in table and dictionary for n more entries. */
static bool
ensure_entries(EcBuilder *b, uint32_t n)
{
	uint64_t need = ((uint64_t) b->ndict + n) * 2;
	uint64_t nslots = b->nslots ? b->nslots : FIRST_ENTRIES * 2;

	while (nslots < need)
		nslots *= 2;
	if (nslots > UINT32_MAX / 2 ||
		(nslots > b->nslots &&
		 !ec_slots_resize(&b->slots, &b->nslots, (uint32_t) nslots, &b->alloc)))
		return false;
	return grow(b, &b->dict, &b->dict_cap, b->width, (uint64_t) b->ndict + n, FIRST_ENTRIES);
}

/* Turns an interned column flat; entries keep their bytes. */
static bool
stop_interning(EcBuilder *b)
{
	uint32_t row;

	b->intern = false;
	if (!reserve_rows(b, b->nrows))
		return false;
	for (row = 0; row < b->nrows; row++)
	{
		if (ec_builder_row_is_null(b, row))
			put_nothing(b, row);
		else
			memcpy((char *) b->flat + row * b->width, (char *) b->dict + b->codes[row] * b->width,
				   b->width);
	}
	return true;
}

/*
 * Interning pays while at least three rows in ten repeat an earlier value.  Larger
 * dictionaries are made by the encoder, a column at a time: those of all columns of a
 * wide table together don't fit into the processor's caches.
 */
static bool
judge(EcBuilder *b)
{
	uint32_t values = b->nrows - b->nnulls;
	uint32_t repeats = values - b->ndict;
	uint32_t least = b->judge_at < STRICT_JUDGEMENT ? FEW_REPEATS : values / 10 * 3;

	if (b->judge_at < STRICT_JUDGEMENT && values < FIRST_JUDGEMENT / 2)
		least = 0;
	b->judge_at *= 2;
	return (repeats >= least && (b->ndict <= b->most_entries || b->phys != EC_PHYS_BYTES)) ||
		   stop_interning(b);
}

static inline bool
append_code(EcBuilder *b, uint32_t code)
{
	b->codes[b->nrows++] = code;
	return b->nrows < b->judge_at || judge(b);
}

static inline uint32_t
hash_uuid(const EcBuilder *b, const EcUuid *uuid)
{
	return (uint32_t) ec_hash_uuid(uuid, b->seed);
}

static inline uint32_t
hash_bytes(const EcBuilder *b, const EcBytes *value)
{
	return (uint32_t) ec_hash_bytes(value->ptr, value->len, b->seed);
}

/* The UUID's code, new if need be; the caller has made room for an entry. */
static inline uint32_t
intern_uuid(EcBuilder *b, const EcUuid *uuid, uint32_t hash)
{
	EcUuid *dict = b->dict;
	uint32_t mask = b->nslots - 1;
	uint32_t i;

	for (i = hash & mask; b->slots[i].code1 != 0; i = (i + 1) & mask)
	{
		uint32_t code = b->slots[i].code1 - 1;

		if (b->slots[i].hash == hash && ec_uuid_equal(&dict[code], uuid))
			return code;
	}
	b->slots[i].hash = hash;
	b->slots[i].code1 = b->ndict + 1;
	dict[b->ndict] = *uuid;
	return b->ndict++;
}

/* Likewise; false if the bytes could not be kept, unless they are already. */
static inline bool
intern_bytes(EcBuilder *b, const EcBytes *value, uint32_t hash, bool kept, uint32_t *code)
{
	EcBytes *dict = b->dict;
	uint32_t mask = b->nslots - 1;
	uint32_t i;

	for (i = hash & mask; b->slots[i].code1 != 0; i = (i + 1) & mask)
	{
		*code = b->slots[i].code1 - 1;
		if (b->slots[i].hash == hash && dict[*code].len == value->len &&
			ec_bytes_equal(dict[*code].ptr, value->ptr, value->len))
			return true;
	}
	dict[b->ndict].ptr = kept ? value->ptr : keep_bytes(b, value->ptr, value->len);
	if (dict[b->ndict].ptr == NULL)
		return false;
	dict[b->ndict].len = value->len;
	b->slots[i].hash = hash;
	b->slots[i].code1 = b->ndict + 1;
	*code = b->ndict++;
	return true;
}

/* The code of a row that is kept already. */
static bool
intern_row(EcBuilder *b, uint32_t row)
{
	const EcUuid *uuid = (EcUuid *) b->flat + row;
	const EcBytes *bytes = (EcBytes *) b->flat + row;

	if (b->nnulls > 0 && ec_builder_row_is_null(b, row))
		b->codes[row] = 0;
	else if (!ensure_entries(b, 1))
		return false;
	else if (b->phys == EC_PHYS_UUID)
		b->codes[row] = intern_uuid(b, uuid, hash_uuid(b, uuid));
	else
		(void) intern_bytes(b, bytes, hash_bytes(b, bytes), true, &b->codes[row]);
	return true;
}

/* Rows have become enough. */
static bool
start_interning(EcBuilder *b)
{
	uint32_t row;

	b->intern = true;
	if (!reserve_rows(b, b->nrows))
	{
		b->intern = false;
		return false;
	}
	for (row = 0; row < b->nrows; row++)
	{
		if (!intern_row(b, row))
			return false;
	}
	b->young = false;
	b->null_code = UINT32_MAX;
	free_block(b, b->flat);
	b->flat = NULL;
	b->flat_cap = 0;
	return b->nrows < b->judge_at || judge(b);
}

static inline bool
grow_up(EcBuilder *b)
{
	return !b->young || b->nrows < YOUNG_ROWS || start_interning(b);
}

bool
ec_builder_append_uuid(EcBuilder *b, const EcUuid *uuid)
{
	if (!grow_up(b) || !reserve_row(b))
		return false;
	if (b->intern)
		return ensure_entries(b, 1) && append_code(b, intern_uuid(b, uuid, hash_uuid(b, uuid)));
	((EcUuid *) b->flat)[b->nrows++] = *uuid;
	return true;
}

/* n UUIDs become texts, in place. */
static bool
uuids_to_bytes(EcBuilder *b, void *array, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		char text[EC_UUID_TEXT_LEN];
		EcBytes bytes;

		ec_uuid_format((EcUuid *) array + i, text);
		bytes.ptr = keep_bytes(b, text, sizeof(text));
		bytes.len = sizeof(text);
		if (bytes.ptr == NULL)
			return false;
		((EcBytes *) array)[i] = bytes;
	}
	return true;
}

/* The column met a text that is no UUID: codes stay, entries become texts. */
static bool
unpack_uuids(EcBuilder *b)
{
	uint32_t i;

	b->phys = EC_PHYS_BYTES;
	if (!b->intern)
	{
		if (!uuids_to_bytes(b, b->flat, b->nrows))
			return false;
		for (i = 0; i < b->nrows; i++)
		{
			if (ec_builder_row_is_null(b, i))
				put_nothing(b, i);
		}
		return true;
	}
	if (b->ndict == 0)
		return true;
	if (!uuids_to_bytes(b, b->dict, b->ndict))
		return false;
	memset(b->slots, 0, b->nslots * sizeof(EcSlot));
	for (i = 0; i < b->ndict; i++)
	{
		const EcBytes *entry = (EcBytes *) b->dict + i;

		ec_slot_put(b->slots, b->nslots, hash_bytes(b, entry), i);
	}
	return true;
}

/* Values looked at together, so that waiting for the hash table's memory overlaps. */
#define SLICE 32

static inline void
prefetch_slot(const EcBuilder *b, uint32_t hash)
{
	__builtin_prefetch(&b->slots[hash & (b->nslots - 1)], 1);
}

/*
 * The entries that the slots name, which are in the cache by now; then the bytes that
 * the entries name.  Values and dictionary of a wide table are much larger than it.
 */
static inline void
prefetch_entries(const EcBuilder *b, const EcBytes *values, const uint32_t *hash, uint32_t n)
{
	uint32_t codes[SLICE];
	uint32_t found = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		const EcSlot *slot = &b->slots[hash[i] & (b->nslots - 1)];

		if (values[i].ptr == NULL || slot->code1 == 0 || slot->hash != hash[i])
			continue;
		__builtin_prefetch((char *) b->dict + (slot->code1 - 1) * b->width);
		codes[found++] = slot->code1 - 1;
	}
	for (i = 0; i < found && b->phys == EC_PHYS_BYTES; i++)
		__builtin_prefetch(((EcBytes *) b->dict)[codes[i]].ptr);
}

/*
 * Packs up to SLICE values as UUIDs and appends them; returns how many.  Fewer than n
 * means that the next one is no UUID, that interning ended or, with *ok false, that
 * memory did.
 */
static uint32_t
append_uuid_slice(EcBuilder *b, const EcBytes *values, uint32_t n, bool *ok)
{
	EcUuid uuid[SLICE];
	uint32_t hash[SLICE];
	uint32_t i;

	if (n > SLICE)
		n = SLICE;
	for (i = 0; i < n; i++)
	{
		if (values[i].ptr != NULL && !ec_uuid_parse(values[i].ptr, values[i].len, &uuid[i]))
			n = i;
	}
	*ok = ensure_entries(b, n);
	if (!*ok)
		return 0;
	for (i = 0; i < n; i++)
	{
		if (values[i].ptr == NULL)
			continue;
		hash[i] = hash_uuid(b, &uuid[i]);
		prefetch_slot(b, hash[i]);
	}
	prefetch_entries(b, values, hash, n);
	for (i = 0; i < n && b->intern && *ok; i++)
		*ok = values[i].ptr == NULL
				  ? append_null(b)
				  : reserve_row(b) && append_code(b, intern_uuid(b, &uuid[i], hash[i]));
	return i;
}

/* The same for texts that are kept as they are. */
static uint32_t
append_bytes_slice(EcBuilder *b, const EcBytes *values, uint32_t n, bool *ok)
{
	uint32_t hash[SLICE];
	uint32_t code;
	uint32_t i;

	if (n > SLICE)
		n = SLICE;
	*ok = ensure_entries(b, n);
	if (!*ok)
		return 0;
	for (i = 0; i < n; i++)
	{
		if (values[i].ptr == NULL)
			continue;
		hash[i] = hash_bytes(b, &values[i]);
		prefetch_slot(b, hash[i]);
	}
	prefetch_entries(b, values, hash, n);
	for (i = 0; i < n && b->intern && *ok; i++)
		*ok = values[i].ptr == NULL
				  ? append_null(b)
				  : reserve_row(b) && intern_bytes(b, &values[i], hash[i], false, &code) &&
						append_code(b, code);
	return i;
}

/* Nothing can fail, and interning doesn't end by these rows. */
void
ec_builder_settle(EcBuilder *b)
{
	bool ok;

	if (ec_tail_rows(b->tail) == 0)
		return;
	(void) append_bytes_slice(b, b->tail->values, b->tail->rows, &ok);
	ec_tail_empty(b->tail);
}

/* Begins a tail, whose rows can't fail then; false: these are rows of which interning is judged, or no memory. */
static bool
begin_tail(EcBuilder *b)
{
	if (b->nrows + EC_TAIL_ROWS >= b->judge_at ||
		!reserve_rows(b, (uint64_t) b->nrows + EC_TAIL_ROWS) || !ensure_entries(b, EC_TAIL_ROWS))
		return false;
	if (b->kept.first == NULL || b->kept.first->size - b->kept.first->used < sizeof(b->tail->bytes))
	{
		if (!ec_segments_begin(&b->kept, &b->alloc, sizeof(b->tail->bytes)))
			return false;
	}
	if (b->tail == NULL)
		b->tail = b->alloc.resize(b->alloc.ctx, NULL, sizeof(EcTail));
	ec_tail_empty(b->tail);
	return b->tail != NULL;
}

static inline bool
append_to_tail(EcBuilder *b, const void *ptr, uint32_t len)
{
	if (ec_tail_rows(b->tail) == EC_TAIL_ROWS)
		ec_builder_settle(b);
	if (ec_tail_rows(b->tail) == 0 && !begin_tail(b))
		return false;
	ec_tail_add(b->tail, ptr, len);
	return true;
}

bool
ec_builder_append_null(EcBuilder *b)
{
	if (ec_tail_rows(b->tail) > 0 && append_to_tail(b, NULL, 0))
		return true;
	return append_null(b);
}

bool
ec_builder_append_again(EcBuilder *b, uint32_t row)
{
	ec_builder_settle(b);
	if (ec_builder_row_is_null(b, row))
		return append_null(b);
	if (!grow_up(b) || !reserve_row(b))
		return false;
	if (b->intern)
		return append_code(b, b->codes[row]);
	memcpy((char *) b->flat + b->nrows++ * b->width, (char *) b->flat + row * b->width, b->width);
	return true;
}

bool
ec_builder_append_bytes(EcBuilder *b, const void *ptr, uint32_t len)
{
	EcBytes *to;

	if (!grow_up(b))
		return false;
	if (b->intern && b->phys == EC_PHYS_BYTES && len <= EC_TAIL_LEN &&
		append_to_tail(b, len > 0 ? ptr : (const void *) "", len))
		return true;
	ec_builder_settle(b);
	if (b->phys == EC_PHYS_UUID)
	{
		EcUuid uuid;

		if (ec_uuid_parse(ptr, len, &uuid))
			return ec_builder_append_uuid(b, &uuid);
		if (!unpack_uuids(b))
			return false;
	}
	if (!reserve_row(b))
		return false;
	if (b->intern)
	{
		EcBytes value = {ptr, len};
		uint32_t code;

		return ensure_entries(b, 1) &&
			   intern_bytes(b, &value, hash_bytes(b, &value), false, &code) && append_code(b, code);
	}
	to = (EcBytes *) b->flat + b->nrows;
	to->ptr = keep_bytes(b, ptr, len);
	if (to->ptr == NULL)
		return false;
	to->len = len;
	b->nrows++;
	return true;
}

/* Values of a column that isn't interned: how many rows, as above. */
static uint32_t
append_flat_slice(EcBuilder *b, const EcBytes *values, uint32_t n, bool *ok)
{
	size_t total = 0;
	EcBytes *to;
	uint8_t *room;
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		if (values[i].ptr == NULL || total + values[i].len > EC_SEGMENT_MAX)
			n = i;
		else
			total += values[i].len;
	}
	if (n == 0)
		return 0;
	*ok = reserve_rows(b, (uint64_t) b->nrows + n);
	room = *ok ? ec_segments_room(&b->kept, &b->alloc, total) : NULL;
	*ok = room != NULL;
	if (!*ok)
		return 0;
	to = (EcBytes *) b->flat + b->nrows;
	for (i = 0; i < n; i++)
	{
		ec_copy_bytes(room, values[i].ptr, values[i].len);
		to[i].ptr = room;
		to[i].len = values[i].len;
		room += values[i].len;
	}
	b->nrows += n;
	return n;
}

bool
ec_builder_append_texts(EcBuilder *b, const EcBytes *values, uint32_t n)
{
	uint32_t i = 0;
	bool ok = true;

	ec_builder_settle(b);
	while (i < n && ok && (ok = grow_up(b)))
	{
		uint32_t some = n - i;
		uint32_t done = 0;

		if (b->young && some > YOUNG_ROWS - b->nrows)
			some = YOUNG_ROWS - b->nrows;

		if (b->intern && b->phys == EC_PHYS_UUID)
			done = append_uuid_slice(b, values + i, some, &ok);
		else if (b->intern)
			done = append_bytes_slice(b, values + i, some, &ok);
		else if (b->phys == EC_PHYS_BYTES)
			done = append_flat_slice(b, values + i, some, &ok);
		i += done;
		if (done == 0 && ok)
		{
			ok = values[i].ptr == NULL ? ec_builder_append_null(b)
									   : ec_builder_append_bytes(b, values[i].ptr, values[i].len);
			i++;
		}
	}
	return ok;
}
