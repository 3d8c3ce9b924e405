/*
 * guc.h
 *	  Configuration parameters, all named ecinsight.*
 */
#ifndef EC_GUC_H
#define EC_GUC_H

#include "postgres.h"

/* values are EcCodec's (encoding/encoding.h), which stands right of this layer */
extern int ec_guc_compression;
extern int ec_guc_compression_level;
extern int ec_guc_row_group_rows;
extern int ec_guc_write_buffer; /* kB */
extern bool ec_guc_enable_bucket_scan;
extern bool ec_guc_enable_columnar_scan;
extern bool ec_guc_enable_copy_parser;
extern bool ec_guc_enable_summaries;
extern int ec_guc_encode_threads;
extern bool ec_guc_debug_heap_plans;
extern char *ec_guc_debug_stop_point;
extern int ec_guc_fetch_cache; /* kB */
extern int ec_guc_max_stream_partitions;
extern int ec_guc_max_streams;
extern int ec_guc_retained_memory; /* kB */
extern char *ec_guc_since;
extern int ec_guc_stream_queue_size; /* kB */
extern int ec_guc_summary_rows;
extern char *ec_guc_until;

extern void ec_guc_init(void);

#endif /* EC_GUC_H */
