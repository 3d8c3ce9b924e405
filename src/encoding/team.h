/*
 * team.h
 *	  The columns of a row group, encoded by helper threads beside the caller.  Pure C.
 *
 * A job is an array of columns.  Helpers take one after another; so does the caller,
 * when it has nothing else to do (ec_team_help).  What the columns point to must stay
 * as it is until the job has ended: by ec_team_end, or by ec_team_stop, for which no
 * column but those in work is encoded any more.
 *
 * Helpers run with all signals blocked, and touch the columns and memory of malloc's
 * only, so they don't care in what kind of process they are.  They live for one job;
 * encoders and buffers stay for the next.
 */
#ifndef EC_TEAM_H
#define EC_TEAM_H

#include "encoding/encoding.h"

#define EC_TEAM_HELPERS_MAX 8

typedef struct EcTeam EcTeam;

typedef struct EcTeamColumn
{
	EcVector vector; /* nrows 0: nothing to do */
	EcEncodeOptions options;
	EcStatus status; /* what follows: results, after ec_team_end */
	uint32_t header_len;
	size_t len;
	int member; /* private: whose buffer holds the chunk, and where */
	size_t offset;
} EcTeamColumn;

extern EcTeam *ec_team_create(void); /* NULL: out of memory */
extern void ec_team_destroy(EcTeam *team);

/* Begins a job; false if not one helper could be had: the caller may still help itself through it. */
extern bool ec_team_begin(EcTeam *team, EcTeamColumn *columns, uint32_t ncolumns, int helpers);

/* Encodes one more column; false: none is left to be taken. */
extern bool ec_team_help(EcTeam *team);

/* Helps with what is left, waits for the helpers.  Chunks stay until the next job. */
extern void ec_team_end(EcTeam *team);
extern void ec_team_stop(EcTeam *team);

extern const uint8_t *ec_team_chunk(const EcTeam *team, const EcTeamColumn *column);

/* Memory held. */
extern size_t ec_team_bytes(const EcTeam *team);

#endif /* EC_TEAM_H */
