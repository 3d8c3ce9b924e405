/*
 * test_team.c
 *	  Columns encoded by helper threads: the same chunks as without, whoever encodes which;
 *	  jobs that are stopped.
 */
#include "fuzz.h"

#include "encoding/team.h"

#define COLUMNS 15
#define ROWS 20000

static EcBuilder *builders[COLUMNS];
static EcTeamColumn columns[COLUMNS];
static EcBuf alone[COLUMNS];
static uint32_t header_len[COLUMNS];

static void
make_columns(uint64_t seed)
{
	static const EcKind kinds[] = {EC_KIND_INT, EC_KIND_TEXT, EC_KIND_UUID, EC_KIND_FLOAT,
								   EC_KIND_RAW};
	Random r = {seed};
	int i;

	memset(columns, 0, sizeof(columns));
	for (i = 0; i < COLUMNS; i++)
	{
		EcKind kind = kinds[i % 5];
		EcTeamColumn *c = &columns[i];

		builders[i] = ec_builder_create(kind, &ec_malloc_allocator);
		append_pattern(builders[i], kind, (int) random_below(&r, (uint32_t) pattern_count(kind)),
					   ROWS, i % 3 == 0 ? NULLS_FEW : NULLS_NONE, seed + i);
		ec_builder_view(builders[i], &c->vector);
		c->options.codec = EC_CODEC_ZSTD;
		c->options.level = 3;
		c->options.kind = kind;
		CHECK(encode_column(&c->vector, kind, EC_CODEC_ZSTD, &alone[i], &header_len[i]) == EC_OK);
		/* some have nothing to encode */
		if (i % 11 == 5)
			c->vector.nrows = 0;
	}
}

static void
compare(const EcTeam *team)
{
	int i;

	for (i = 0; i < COLUMNS; i++)
	{
		const EcTeamColumn *c = &columns[i];

		if (c->vector.nrows == 0)
			continue;
		CHECK(c->status == EC_OK && c->len == alone[i].len && c->header_len == header_len[i] &&
			  memcmp(ec_team_chunk(team, c), alone[i].data, c->len) == 0);
		CHECK(decode_chunk(ec_team_chunk(team, c), c->len, c->header_len, &c->vector, NULL));
	}
}

/* What a session does while a batch is in flight: looks at its rows, and fills the next one. */
static void
look_and_append(uint64_t seed)
{
	EcBuilder *next = ec_builder_create(EC_KIND_TEXT, &ec_malloc_allocator);
	uint64_t sum = 0;
	int i;

	append_pattern(next, EC_KIND_TEXT, 0, 2000, NULLS_FEW, seed);
	for (i = 0; i < COLUMNS; i++)
	{
		EcVector v;
		uint32_t row;

		ec_builder_view(builders[i], &v);
		for (row = 0; row < v.nrows; row += 97)
			sum += ec_vector_is_null(&v, row) ? 1 : ec_vector_index(&v, row);
	}
	CHECK(sum > 0);
	ec_builder_destroy(next);
}

void
test_team(uint64_t seed)
{
	EcTeam *team = ec_team_create();
	int i;

	snprintf(context, sizeof(context), "team, seed %llu", (unsigned long long) seed);
	make_columns(seed);
	for (i = 0; i < 10; i++)
	{
		int helpers = i % (EC_TEAM_HELPERS_MAX + 2);
		bool any = ec_team_begin(team, columns, COLUMNS, helpers);

		CHECK(any == (helpers > 0));
		if (i % 5 == 4)
		{
			ec_team_stop(team);
			CHECK(!ec_team_help(team));
			continue;
		}
		look_and_append(seed + (uint64_t) i);
		while (i % 2 == 0 && ec_team_help(team))
			;
		ec_team_end(team);
		CHECK(!ec_team_help(team));
		compare(team);
	}
	CHECK(ec_team_bytes(team) > 0);

	/* destroyed at work */
	(void) ec_team_begin(team, columns, COLUMNS, 3);
	ec_team_destroy(team);
	for (i = 0; i < COLUMNS; i++)
	{
		ec_buf_free(&alone[i]);
		ec_builder_destroy(builders[i]);
	}
}
