/*
 * ingest.h
 *	  The ingest layer's entry, and what its processes are started with.
 *
 *	launcher	static background worker; outside recovery only; connected to no
 *				database, so that it is in nobody's way
 *	scanner		short-lived; reads a database's streams for the launcher
 *	worker		one for each stream that shall run
 */
#ifndef EC_INGEST_H
#define EC_INGEST_H

#include "postgres.h"

/* Called once from _PG_init. */
extern void ec_ingest_init(void);

/* What bgw_extra holds. */
typedef struct EcWorkerArgs
{
	int slot;
	Oid dboid;
	int64 stream_id;
} EcWorkerArgs;

extern PGDLLEXPORT void ec_launcher_main(Datum arg);
extern PGDLLEXPORT void ec_scanner_main(Datum arg);
extern PGDLLEXPORT void ec_stream_worker_main(Datum arg);

#endif /* EC_INGEST_H */
