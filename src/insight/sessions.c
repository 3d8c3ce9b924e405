/*
 * sessions.c
 *	  user_session as exact keys of two words.
 *
 * Bytes 6 and 8 of a UUID hold its version (1 to 8) and variant; where both are 0xFF
 * stands something else, in the other 14 bytes:
 *
 *	text of up to 14 bytes	the text, zero-padded (texts have no zero bytes)
 *	any other text			0, 1, and its number in the last four
 *	NULL					0, 2
 *
 * No packed text begins with a zero byte and goes on with another, so each key
 * stands for one session.
 */
#include "postgres.h"

#include <xxhash.h>

#include "insight/projection.h"
#include "insight/sessions.h"

#define MARK_1 6
#define MARK_2 8
#define MARK 0xFF
#define PACKED_MAX 14
#define NUMBER_AT 12

#define KIND_TEXT 1
#define KIND_NULL 2

void
ec_session_column_init(EcSessionColumn *sessions, MemoryContext context)
{
	sessions->texts = ec_interner_create(context);
	sessions->first = MemoryContextAlloc(context, sizeof(uint64) * EC_BLOCK_ROWS);
	sessions->second = MemoryContextAlloc(context, sizeof(uint64) * EC_BLOCK_ROWS);
	sessions->nulls = MemoryContextAlloc(context, EC_BLOCK_ROWS);
}

static EcUuid
special_key(uint8 kind, uint32 number)
{
	EcUuid key = {{0}};

	key.b[1] = kind;
	key.b[MARK_1] = key.b[MARK_2] = MARK;
	memcpy(key.b + NUMBER_AT, &number, sizeof(number));
	return key;
}

static EcUuid
text_key(EcSessionColumn *sessions, const void *text, uint32 len)
{
	const uint8 *bytes = text;
	EcUuid key = {{0}};
	uint32 at = 0;

	if (len > PACKED_MAX)
		return special_key(KIND_TEXT, ec_interner_intern(sessions->texts, text, len));
	key.b[MARK_1] = key.b[MARK_2] = MARK;
	for (uint32 i = 0; i < len; i++)
	{
		if (at == MARK_1 || at == MARK_2)
			at++;
		key.b[at++] = bytes[i];
	}
	return key;
}

static EcUuid
uuid_key(EcSessionColumn *sessions, const EcUuid *uuid)
{
	char text[EC_UUID_TEXT_LEN];

	if (likely(uuid->b[MARK_1] != MARK || uuid->b[MARK_2] != MARK))
		return *uuid;
	ec_uuid_format(uuid, text);
	return text_key(sessions, text, EC_UUID_TEXT_LEN);
}

static EcUuid
value_key(EcSessionColumn *sessions, const EcVector *v, uint32 index)
{
	const EcBytes *text;
	EcUuid uuid;

	if (v->phys == EC_PHYS_UUID)
		return uuid_key(sessions, &v->values.uuid[index]);
	text = &v->values.bytes[index];
	if (text->len == EC_UUID_TEXT_LEN && ec_uuid_parse(text->ptr, text->len, &uuid))
		return uuid_key(sessions, &uuid);
	return text_key(sessions, text->ptr, text->len);
}

void
ec_session_column_map(EcSessionColumn *sessions, const EcVector *v, const uint32 *selection,
					  uint32 n)
{
	for (uint32 i = 0; i < n; i++)
	{
		uint32 row = selection == NULL ? i : selection[i];
		bool isnull = ec_vector_is_null(v, row);
		EcUuid key =
			isnull ? special_key(KIND_NULL, 0) : value_key(sessions, v, ec_vector_index(v, row));

		sessions->nulls[i] = isnull;
		memcpy(&sessions->first[i], key.b, sizeof(uint64));
		memcpy(&sessions->second[i], key.b + sizeof(uint64), sizeof(uint64));
	}
}

void
ec_rows_sessions(EcRows *rows, EcSessionColumn *sessions)
{
	ec_session_column_map(sessions, ec_rows_vector(rows, EC_COL_SESSION),
						  rows->all ? NULL : rows->selection, rows->n);
}

/* Keys of texts that are numbered mean something in this column only. */
uint32
ec_session_tag(const EcSessionColumn *sessions, uint64 first, uint64 second)
{
	uint64 words[2] = {first, second};
	EcUuid key;
	uint64 hash;
	uint32 number;

	memcpy(key.b, words, sizeof(key.b));
	if (key.b[MARK_1] == MARK && key.b[MARK_2] == MARK && key.b[0] == 0 && key.b[1] == KIND_TEXT)
	{
		EcBytes text;

		memcpy(&number, key.b + NUMBER_AT, sizeof(number));
		text = ec_interner_get(sessions->texts, number);
		hash = XXH3_64bits(text.ptr, text.len);
	}
	else
		hash = XXH3_64bits(words, sizeof(words));
	return (uint32) (hash >> (64 - EC_SESSION_TAG_BITS));
}

/* A packed text: up to the first zero byte. */
static EcBytes
unpack_text(const EcUuid *key, char *buffer)
{
	uint32 len = 0;

	for (uint32 at = 0; at < sizeof(key->b) && (key->b[at] != 0 || at == 0); at++)
	{
		if (at != MARK_1 && at != MARK_2 && key->b[at] != 0)
			buffer[len++] = (char) key->b[at];
	}
	return (EcBytes){(const uint8 *) buffer, len};
}

EcBytes
ec_session_text(const EcSessionColumn *sessions, uint64 first, uint64 second,
				char buffer[EC_UUID_TEXT_LEN])
{
	EcUuid key;
	uint32 number;

	memcpy(key.b, &first, sizeof(uint64));
	memcpy(key.b + sizeof(uint64), &second, sizeof(uint64));
	if (key.b[MARK_1] != MARK || key.b[MARK_2] != MARK)
	{
		ec_uuid_format(&key, buffer);
		return (EcBytes){(const uint8 *) buffer, EC_UUID_TEXT_LEN};
	}
	if (key.b[0] != 0 || key.b[1] == 0)
		return unpack_text(&key, buffer);
	if (key.b[1] == KIND_NULL)
		return (EcBytes){NULL, 0};
	memcpy(&number, key.b + NUMBER_AT, sizeof(number));
	return ec_interner_get(sessions->texts, number);
}
