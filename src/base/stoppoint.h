/*
 * stoppoint.h
 *	  Named places at which a process can be made to wait for its end, so that
 *	  crash tests are deterministic.
 *
 * The superuser's parameter ecinsight.debug_stop_point names the place, and with
 * "name:n" the n-th time that a process comes by.  The process then says so in
 * the server log and in pg_stat_activity.query, and sleeps until it is
 * terminated or killed.  Empty (the default) costs one test of a byte.
 *
 * Places of an ingest worker: poll, parse, insert, offset, commit, committed.
 * Places of the row group writer: see store/.
 */
#ifndef EC_STOPPOINT_H
#define EC_STOPPOINT_H

#include "postgres.h"

#include "base/guc.h"

extern void ec_stop_point_hit(const char *name);

static inline void
ec_stop_point(const char *name)
{
	if (unlikely(ec_guc_debug_stop_point != NULL && ec_guc_debug_stop_point[0] != '\0'))
		ec_stop_point_hit(name);
}

#endif /* EC_STOPPOINT_H */
