/*
 * ecinsight.c
 *	  The module's entry: parameters, then each layer's own set-up.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/compat.h"
#include "base/guc.h"
#include "ingest/ingest.h"
#include "insight/cube.h"
#include "insight/summaries.h"
#include "scan/scan.h"
#include "store/store.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	ec_guc_init();
	ec_ingest_init();
	ec_store_init();
	ec_scan_init();
	ec_summaries_init();
	ec_cube_init();
}
