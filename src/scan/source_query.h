/*
 * source_query.h
 *	  The general kind of source: rows that the executor returns for the caller's
 *	  SELECT column, ... FROM relation, collected into vectors.
 *
 * For source.c only.
 */
#ifndef EC_SOURCE_QUERY_H
#define EC_SOURCE_QUERY_H

#include "postgres.h"

#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "scan/source.h"

typedef struct EcSourceQuery EcSourceQuery;

/* Plans and starts the query; everything lives in the current memory context. */
extern EcSourceQuery *
ec_source_query_begin(Relation rel, int ncolumns, const AttrNumber *attnums, int nranges,
					  const EcSourceRange *ranges, Snapshot snapshot);

/* Up to EC_BLOCK_ROWS more rows as vectors[ncolumns]; returns how many, 0 at the end. */
extern uint32 ec_source_query_next(EcSourceQuery *query, EcVector *vectors);
extern void ec_source_query_end(EcSourceQuery *query);

#endif /* EC_SOURCE_QUERY_H */
