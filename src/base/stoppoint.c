/*
 * stoppoint.c
 *	  Stop points for crash tests; see stoppoint.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#include "base/stoppoint.h"

/* Does the setting name this place, and is it the time asked for? */
static bool
matches(const char *name)
{
	static char setting[NAMEDATALEN];
	static int passes;
	size_t len = strlen(name);

	if (strncmp(setting, ec_guc_debug_stop_point, NAMEDATALEN - 1) != 0)
	{
		strlcpy(setting, ec_guc_debug_stop_point, NAMEDATALEN);
		passes = 0;
	}
	if (strncmp(setting, name, len) != 0)
		return false;
	if (setting[len] == '\0')
		return true;
	return setting[len] == ':' && ++passes == atoi(setting + len + 1);
}

void
ec_stop_point_hit(const char *name)
{
	char activity[NAMEDATALEN + 32];

	if (!matches(name))
		return;
	snprintf(activity, sizeof(activity), "stopped at %s", name);
	pgstat_report_activity(STATE_RUNNING, activity);
	ereport(LOG, (errmsg("process %d waits at the stop point \"%s\"", MyProcPid, name)));
	for (;;)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}
