/*
 * helpers.h
 *	  Batches encoded by helper threads, see encoding/team.h.
 *
 * A job takes a batch that nobody changes until the job has ended: it ends when its
 * result has been used, or when the batch is emptied or destroyed, which every abort
 * does that could reach the batch's memory.  There is one job at a time; what others
 * want to encode meanwhile, they encode themselves.
 */
#ifndef EC_STORE_HELPERS_H
#define EC_STORE_HELPERS_H

#include "postgres.h"

#include "encoding/team.h"
#include "vector/batch.h"

/*
 * Begins a job.  False: there are no helpers (ecinsight.encode_threads), they are busy, or the
 * batch isn't worth them.
 */
extern bool ec_helpers_begin(EcBatch *batch, EcCodec codec, int level);

/* Is the batch of the job at work? */
extern bool ec_helpers_have(const EcBatch *batch, EcCodec codec, int level);

/* The columns, by attribute, as soon as all are encoded; then the job ends with ec_helpers_done. */
extern const EcTeamColumn *ec_helpers_finish(void);
extern const uint8 *ec_helpers_chunk(const EcTeamColumn *column);
extern void ec_helpers_done(void);

#endif /* EC_STORE_HELPERS_H */
