#include "postgres.h"
#include "fmgr.h"
PG_FUNCTION_INFO_V1(ec_create_views);
PG_FUNCTION_INFO_V1(ec_grant_read);
Datum ec_create_views(PG_FUNCTION_ARGS) { PG_RETURN_VOID(); }
Datum ec_grant_read(PG_FUNCTION_ARGS) { PG_RETURN_VOID(); }
