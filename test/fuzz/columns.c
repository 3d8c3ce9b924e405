/*
 * columns.c
 *	  Columns to encode: integers, strings and UUIDs of the sorts that encodings
 *	  care about, and the extremes.
 */
#include "fuzz.h"

typedef struct State
{
	Random random;
	uint32_t row;
	uint32_t nrows;
	int64_t last;
	uint8_t *text; /* room for TEXT_MAX bytes */
} State;

#define TEXT_MAX 200000

/* ---------- integers ---------- */

static int64_t
int_equal(State *s)
{
	(void) s;
	return -42;
}

static int64_t
int_random(State *s)
{
	return (int64_t) random_u64(&s->random);
}

/* A different width for every 1,024 rows. */
static int64_t
int_widths(State *s)
{
	uint32_t width = s->row / 1024 % 65;

	return width == 0 ? 0 : (int64_t) (random_u64(&s->random) >> (64 - width));
}

static int64_t
int_narrow(State *s)
{
	return 1000000 + random_below(&s->random, 5000);
}

static int64_t
int_serial(State *s)
{
	return INT64_C(1) << 40 | s->row;
}

static int64_t
int_descending(State *s)
{
	return s->last -= 3 + random_below(&s->random, 2) * 1000;
}

/* Whole seconds as microseconds, many equal ones. */
static int64_t
int_times(State *s)
{
	if (random_below(&s->random, 4) == 0)
		s->last += random_below(&s->random, 5) * INT64_C(1000000);
	return INT64_C(623000000000000) + s->last;
}

/* As above, but in slices that jump back and forth, as messages of several partitions do. */
static int64_t
int_slices(State *s)
{
	int64_t jump = (int64_t) (s->row / 500 % 4) * INT64_C(90000000);

	return int_times(s) + jump;
}

static int64_t
int_skewed(State *s)
{
	uint32_t a = random_below(&s->random, 3000);

	return (int64_t) ((uint64_t) (a * random_below(&s->random, 3000) / 9000) *
					  UINT64_C(0x9e3779b97f4a7c15));
}

static int64_t
int_extremes(State *s)
{
	static const int64_t some[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1, INT64_MAX - 1};

	return some[random_below(&s->random, 7)];
}

static int64_t
int_runs(State *s)
{
	if (random_below(&s->random, 50) == 0)
		s->last = (int64_t) random_u64(&s->random);
	return s->last;
}

static int64_t
int_outliers(State *s)
{
	return random_below(&s->random, 500) == 0 ? (int64_t) random_u64(&s->random)
											  : (int64_t) random_below(&s->random, 10);
}

static int64_t
int_double(State *s)
{
	return ec_float_to_image((double) random_below(&s->random, 100000) / 7.0 - 5000.0);
}

/* Few of them at a time, then never again: what RECENT numbering is for. */
static int64_t
int_visits(State *s)
{
	uint64_t visit =
		s->row / 4 + 2000 - random_below(&s->random, 40) * random_below(&s->random, 40);

	return (int64_t) (visit * UINT64_C(0x9e3779b97f4a7c15));
}

static int64_t
int_wide(State *s)
{
	return (int64_t) (random_u64(&s->random) >> (64 - (s->row / 1024 * 13 % 60 + 5)));
}

typedef struct IntPattern
{
	const char *name;
	int64_t (*next)(State *s);
} IntPattern;

static const IntPattern int_patterns[] = {
	{"equal", int_equal},		{"random", int_random}, {"widths", int_widths},
	{"narrow", int_narrow},		{"serial", int_serial}, {"descending", int_descending},
	{"times", int_times},		{"slices", int_slices}, {"skewed", int_skewed},
	{"extremes", int_extremes}, {"runs", int_runs},		{"outliers", int_outliers},
	{"double", int_double},		{"visits", int_visits}, {"wide", int_wide},
};

/* ---------- strings: each fills s->text and returns the length ---------- */

static uint32_t
text_of_number(State *s, uint64_t x)
{
	return (uint32_t) snprintf((char *) s->text, TEXT_MAX, "brand-%llu", (unsigned long long) x);
}

static uint32_t
text_equal(State *s)
{
	return text_of_number(s, 7);
}

static uint32_t
text_empty(State *s)
{
	(void) s;
	return 0;
}

static uint32_t
text_few(State *s)
{
	return text_of_number(s, random_below(&s->random, 20) * random_below(&s->random, 20));
}

static uint32_t
text_distinct(State *s)
{
	return text_of_number(s, (uint64_t) s->row * 7919);
}

static uint32_t
text_lengths(State *s)
{
	uint32_t len = random_below(&s->random, 40);
	uint32_t i;

	for (i = 0; i < len; i++)
		s->text[i] = (uint8_t) random_u64(&s->random);
	return len;
}

static uint32_t
text_long(State *s)
{
	uint32_t len = random_below(&s->random, 300) == 0 ? random_below(&s->random, TEXT_MAX) : 3;

	memset(s->text, 'a' + (int) random_below(&s->random, 26), len);
	return len;
}

static uint32_t
uuid_text(State *s, uint64_t number)
{
	Random r = {number};
	EcUuid uuid;
	uint64_t words[2];

	words[0] = random_u64(&r);
	words[1] = random_u64(&r);
	memcpy(uuid.b, words, sizeof(words));
	ec_uuid_format(&uuid, (char *) s->text);
	return EC_UUID_TEXT_LEN;
}

static uint32_t
text_sessions(State *s)
{
	return uuid_text(s, s->row / 5 + random_below(&s->random, 30));
}

static uint32_t
text_uuids(State *s)
{
	return uuid_text(s, s->row);
}

/* UUIDs up to the last row, which is almost one. */
static uint32_t
text_near_uuids(State *s)
{
	uint32_t len = text_sessions(s);

	if (s->row + 1 == s->nrows)
	{
		switch (random_below(&s->random, 4))
		{
			case 0:
				s->text[len++] = 'x';
				break;
			case 1:
				len--;
				break;
			case 2:
				s->text[9] = 'A';
				break;
			default:
				s->text[13] = '+';
				break;
		}
	}
	return len;
}

/* All distinct first, then one again and again. */
static uint32_t
text_turning(State *s)
{
	return text_of_number(s, s->row < s->nrows / 2 ? s->row : 0);
}

/* Values that come back, but none of them before the builder has given up its dictionary. */
static uint32_t
text_returning(State *s)
{
	return text_of_number(s, UINT64_C(10000000000) + s->row % 5000 * 7919);
}

static uint32_t
text_returning_uuids(State *s)
{
	return uuid_text(s, s->row % 5000);
}

typedef struct TextPattern
{
	const char *name;
	uint32_t (*next)(State *s);
} TextPattern;

static const TextPattern text_patterns[] = {
	{"equal", text_equal},
	{"empty", text_empty},
	{"few", text_few},
	{"distinct", text_distinct},
	{"lengths", text_lengths},
	{"long", text_long},
	{"turning", text_turning},
	{"sessions", text_sessions},
	{"uuids", text_uuids},
	{"near_uuids", text_near_uuids},
	{"returning", text_returning},
	{"returning_uuids", text_returning_uuids},
};

#define NINT (int) (sizeof(int_patterns) / sizeof(int_patterns[0]))
#define NTEXT (int) (sizeof(text_patterns) / sizeof(text_patterns[0]))
#define FIRST_UUID 7

static bool
is_int(EcKind kind)
{
	return kind == EC_KIND_INT || kind == EC_KIND_DECIMAL || kind == EC_KIND_FLOAT;
}

int
pattern_count(EcKind kind)
{
	return is_int(kind) ? NINT : kind == EC_KIND_UUID ? 2 : NTEXT;
}

const char *
pattern_name(EcKind kind, int pattern)
{
	return is_int(kind) ? int_patterns[pattern].name
						: text_patterns[kind == EC_KIND_UUID ? FIRST_UUID + pattern : pattern].name;
}

static bool
next_is_null(State *s, Nulls nulls)
{
	switch (nulls)
	{
		case NULLS_NONE:
		case NNULLS:
			return false;
		case NULLS_ALL:
			return true;
		case NULLS_FIRST:
			return s->row == 0;
		case NULLS_LAST:
			return s->row + 1 == s->nrows;
		case NULLS_FEW:
			return random_below(&s->random, 100) == 0;
		case NULLS_HALF:
			return random_below(&s->random, 2) == 0;
		case NULLS_MOST:
			return random_below(&s->random, 100) != 0;
	}
	return false;
}

void
append_pattern(EcBuilder *b, EcKind kind, int pattern, uint32_t nrows, Nulls nulls, uint64_t seed)
{
	State s = {{seed}, 0, nrows, 0, malloc(TEXT_MAX + 64)};

	for (s.row = 0; s.row < nrows; s.row++)
	{
		EcUuid uuid;
		uint32_t len;
		bool ok;

		if (next_is_null(&s, nulls))
			ok = ec_builder_append_null(b);
		else if (is_int(kind))
			ok = ec_builder_append_int64(b, int_patterns[pattern].next(&s));
		else if (kind == EC_KIND_UUID)
		{
			len = text_patterns[FIRST_UUID + pattern].next(&s);
			ok = ec_uuid_parse(s.text, len, &uuid) && ec_builder_append_uuid(b, &uuid);
		}
		else
		{
			len = text_patterns[pattern].next(&s);
			ok = ec_builder_append_bytes(b, s.text, len);
		}
		if (!ok)
			CHECK(!"append failed");
	}
	free(s.text);
}
