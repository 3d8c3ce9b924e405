/*
 * team.c
 *	  Threads that encode columns, see team.h.  Pure C.
 *
 * Members share the number of the next column, an atomic; nothing else.  Each has an
 * encoder and a buffer, into which its chunks go one behind the other.
 */
#include "encoding/team.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

typedef struct Member
{
	EcTeam *team;
	int number;
	pthread_t thread;
	size_t bytes; /* allocated */
	EcAllocator alloc;
	EcEncoder *encoder;
	EcBuf chunks;
} Member;

struct EcTeam
{
	EcTeamColumn *columns;
	uint32_t ncolumns;
	uint32_t next;							 /* column; atomic */
	int running;							 /* helpers to be waited for: members 1 .. running */
	Member members[EC_TEAM_HELPERS_MAX + 1]; /* 0: the caller */
};

static void *
member_resize(void *ctx, void *ptr, size_t size)
{
	Member *m = ctx;
	size_t before = ptr != NULL ? malloc_usable_size(ptr) : 0;
	void *now;

	if (size == 0)
	{
		m->bytes -= before;
		free(ptr);
		return NULL;
	}
	now = realloc(ptr, size);
	if (now != NULL)
		m->bytes += malloc_usable_size(now) - before;
	return now;
}

EcTeam *
ec_team_create(void)
{
	EcTeam *team = calloc(1, sizeof(EcTeam));
	int i;

	for (i = 0; team != NULL && i <= EC_TEAM_HELPERS_MAX; i++)
	{
		Member *m = &team->members[i];

		m->team = team;
		m->number = i;
		m->alloc.resize = member_resize;
		m->alloc.ctx = m;
		m->chunks.alloc = &m->alloc;
	}
	return team;
}

void
ec_team_destroy(EcTeam *team)
{
	int i;

	ec_team_stop(team);
	for (i = 0; i <= EC_TEAM_HELPERS_MAX; i++)
	{
		ec_encoder_destroy(team->members[i].encoder);
		ec_buf_free(&team->members[i].chunks);
	}
	free(team);
}

static void
encode_column(Member *m, EcTeamColumn *column)
{
	size_t at = m->chunks.len;

	column->member = m->number;
	column->offset = at;
	column->status = EC_ERR_NOMEM;
	if (m->encoder == NULL)
		m->encoder = ec_encoder_create(&m->alloc);
	if (m->encoder != NULL)
		column->status = ec_chunk_encode(m->encoder, &column->vector, &column->options, &m->chunks,
										 &column->header_len);
	column->len = m->chunks.len - at;
}

static bool
take_column(Member *m)
{
	EcTeam *team = m->team;
	uint32_t i;

	do
	{
		i = __atomic_fetch_add(&team->next, 1, __ATOMIC_RELAXED);
		if (i >= team->ncolumns)
			return false;
	} while (team->columns[i].vector.nrows == 0);
	encode_column(m, &team->columns[i]);
	return true;
}

bool
ec_team_help(EcTeam *team)
{
	/* the number must not wrap around, however often this is called */
	return __atomic_load_n(&team->next, __ATOMIC_RELAXED) < team->ncolumns &&
		   take_column(&team->members[0]);
}

static void *
helper_main(void *arg)
{
	while (take_column(arg))
		;
	return NULL;
}

bool
ec_team_begin(EcTeam *team, EcTeamColumn *columns, uint32_t ncolumns, int helpers)
{
	sigset_t all;
	sigset_t before;
	int i;

	team->columns = columns;
	team->ncolumns = ncolumns;
	team->next = 0;
	for (i = 0; i <= EC_TEAM_HELPERS_MAX; i++)
		team->members[i].chunks.len = 0;
	if (helpers > EC_TEAM_HELPERS_MAX)
		helpers = EC_TEAM_HELPERS_MAX;

	/* threads begin with the mask of who makes them */
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return false;
	while (team->running < helpers)
	{
		Member *m = &team->members[team->running + 1];

		if (pthread_create(&m->thread, NULL, helper_main, m) != 0)
			break;
		team->running++;
	}
	(void) pthread_sigmask(SIG_SETMASK, &before, NULL);
	return team->running > 0;
}

static void
wait_for_helpers(EcTeam *team)
{
	for (; team->running > 0; team->running--)
		(void) pthread_join(team->members[team->running].thread, NULL);
}

void
ec_team_end(EcTeam *team)
{
	while (ec_team_help(team))
		;
	wait_for_helpers(team);
}

void
ec_team_stop(EcTeam *team)
{
	__atomic_store_n(&team->next, team->ncolumns, __ATOMIC_RELAXED);
	wait_for_helpers(team);
}

const uint8_t *
ec_team_chunk(const EcTeam *team, const EcTeamColumn *column)
{
	return team->members[column->member].chunks.data + column->offset;
}

size_t
ec_team_bytes(const EcTeam *team)
{
	size_t bytes = 0;
	int i;

	for (i = 0; i <= EC_TEAM_HELPERS_MAX; i++)
		bytes += team->members[i].bytes;
	return bytes;
}
