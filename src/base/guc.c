/*
 * guc.c
 *	  Defines the configuration parameters; called once from _PG_init.
 *
 * Keep the definitions sorted by name.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/guc.h"

int ec_guc_compression = 2;
int ec_guc_compression_level = 1;
int ec_guc_row_group_rows = 262144;
int ec_guc_write_buffer = 262144;
bool ec_guc_enable_bucket_scan = true;
bool ec_guc_enable_columnar_scan = true;
bool ec_guc_enable_copy_parser = true;
bool ec_guc_enable_summaries = true;
int ec_guc_encode_threads = 1;
bool ec_guc_debug_heap_plans = false;
char *ec_guc_debug_stop_point = NULL;
int ec_guc_fetch_cache = 131072;
int ec_guc_max_stream_partitions = 4096;
int ec_guc_max_streams = 64;
int ec_guc_retained_memory = 65536;
char *ec_guc_since = NULL;
int ec_guc_stream_queue_size = 262144;
int ec_guc_summary_rows = 65536;
char *ec_guc_until = NULL;

static const struct config_enum_entry compression_options[] = {
	{"none", 0, false}, {"lz4", 1, false}, {"zstd", 2, false}, {NULL, 0, false}};

/* Accepts '' or anything that timestamptz accepts (infinity included). */
static bool
check_timestamp(char **newval, void **extra, GucSource source)
{
	char *field[MAXDATEFIELDS];
	int ftype[MAXDATEFIELDS];
	char workbuf[MAXDATELEN + MAXDATEFIELDS];
	struct pg_tm tm;
	fsec_t fsec;
	int nf, dtype, tz;

	if (*newval == NULL || **newval == '\0')
		return true;
	if (strlen(*newval) > MAXDATELEN ||
		ParseDateTime(*newval, workbuf, sizeof(workbuf), field, ftype, MAXDATEFIELDS, &nf) != 0)
		return false;
	return ec_compat_decode_datetime(field, ftype, nf, &dtype, &tm, &fsec, &tz) == 0;
}

void
ec_guc_init(void)
{
	DefineCustomEnumVariable(
		"ecinsight.compression", "Compression of new column chunks in tables without that option.",
		NULL, &ec_guc_compression, 2, compression_options, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ecinsight.compression_level",
							"Level of zstd compression for new column chunks.", NULL,
							&ec_guc_compression_level, 1, 1, 19, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable(
		"ecinsight.debug_heap_plans", "Plans queries as if columnar tables were heap tables.",
		"For PostgreSQL's own tests, which expect heap's plans.", &ec_guc_debug_heap_plans, false,
		PGC_USERSET, GUC_NOT_IN_SAMPLE | GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomStringVariable("ecinsight.debug_stop_point",
							   "Name of the place at which processes wait to be killed, for tests.",
							   "\"name:n\" waits when a process comes by for the n-th time.",
							   &ec_guc_debug_stop_point, "", PGC_SUSET,
							   GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL, NULL, NULL, NULL);
	DefineCustomBoolVariable("ecinsight.enable_bucket_scan",
							 "Lets queries tell bucketed views what they need of them.",
							 "Results are the same without.", &ec_guc_enable_bucket_scan, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable(
		"ecinsight.enable_columnar_scan", "Enables the planner's use of columnar scan plans.", NULL,
		&ec_guc_enable_columnar_scan, true, PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("ecinsight.enable_copy_parser",
							 "Lets COPY FROM into columnar tables use the extension's own parser "
							 "of CSV and text format.",
							 NULL, &ec_guc_enable_copy_parser, true, PGC_USERSET, 0, NULL, NULL,
							 NULL);
	DefineCustomBoolVariable("ecinsight.enable_summaries",
							 "Lets insight functions use the summaries of columnar tables.",
							 "Results are the same without.", &ec_guc_enable_summaries, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ecinsight.encode_threads",
							"Threads that help a session to encode the columns of row groups.",
							"0: the session does it alone.", &ec_guc_encode_threads, 1, 0, 8,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ecinsight.fetch_cache",
							"Memory of a session for row groups that single rows are fetched from.",
							"What was decoded stays there until others need the room.",
							&ec_guc_fetch_cache, 131072, 1024, MAX_KILOBYTES, PGC_USERSET,
							GUC_UNIT_KB, NULL, NULL, NULL);
	/* these size shared memory */
	if (process_shared_preload_libraries_in_progress)
	{
		DefineCustomIntVariable("ecinsight.max_stream_partitions",
								"Partitions of all streams whose live state can be shown.", NULL,
								&ec_guc_max_stream_partitions, 4096, 64, 1048576, PGC_POSTMASTER, 0,
								NULL, NULL, NULL);
		DefineCustomIntVariable(
			"ecinsight.max_streams", "Streams of all databases that can run at the same time.",
			NULL, &ec_guc_max_streams, 64, 1, 10000, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	}
	DefineCustomIntVariable(
		"ecinsight.retained_memory", "Freed memory that a session keeps for its next statements.",
		"Of sessions that read or write row groups. 0: what the C library begins with.",
		&ec_guc_retained_memory, 65536, 0, 1048576, PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"ecinsight.row_group_rows", "Rows in a full row group of tables without that option.", NULL,
		&ec_guc_row_group_rows, 262144, 1024, 1048576, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("ecinsight.since",
							   "Default of the insight functions' parameter since.",
							   "An empty string means no bound.", &ec_guc_since, "", PGC_USERSET, 0,
							   check_timestamp, NULL, NULL);
	DefineCustomIntVariable("ecinsight.stream_queue_size",
							"Memory for messages that a stream's worker has fetched ahead.",
							"Should hold more than a second of the stream at full speed.",
							&ec_guc_stream_queue_size, 262144, 1024, 2097151, PGC_SIGHUP,
							GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"ecinsight.summary_rows", "Rows without summaries that are enough for VACUUM to make some.",
		"Fewer are aggregated whenever an insight is asked for.", &ec_guc_summary_rows, 65536, 1,
		INT_MAX, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("ecinsight.until",
							   "Default of the insight functions' parameter until.",
							   "An empty string means no bound.", &ec_guc_until, "", PGC_USERSET, 0,
							   check_timestamp, NULL, NULL);
	DefineCustomIntVariable("ecinsight.write_buffer",
							"Memory for rows that a transaction has not yet written as row groups.",
							"When it is exceeded, the largest buffer is written.",
							&ec_guc_write_buffer, 262144, 1024, MAX_KILOBYTES, PGC_USERSET,
							GUC_UNIT_KB, NULL, NULL, NULL);
	MarkGUCPrefixReserved("ecinsight");
}
