/*-------------------------------------------------------------------------
 *
 * ecproduce.h
 *	  What the parts of ecproduce share.
 *
 *	  ecproduce.c           options
 *	  ecproduce_run.c       the main loop: input -> messages -> Kafka
 *	  ecproduce_input.c     a file, standard input, gzip
 *	  ecproduce_split.c     where rows end (pure)
 *	  ecproduce_row.c       headers, fields, times, partitions of keys (pure)
 *	  ecproduce_kafka.c     producing and acknowledgements
 *	  ecproduce_topic.c     creating and deleting topics
 *	  ecproduce_progress.c  the progress bar and the summary
 *
 * One thread besides librdkafka's; delivery reports are served by it while it polls.
 *
 *-------------------------------------------------------------------------
 */
#ifndef ECPRODUCE_H
#define ECPRODUCE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- ecproduce_row.c: pure ---- */

#define EC_MAX_COLUMNS 256

/* A list of column names: those expected, or those of a header line. */
typedef struct EcColumns
{
	int n;
	char *names[EC_MAX_COLUMNS];
} EcColumns;

/* A field, still quoted if it was. */
typedef struct EcField
{
	const char *bytes;
	size_t len;
} EcField;

extern bool ec_columns_read(EcColumns *columns, const char *line, size_t len, char delimiter);
extern void ec_columns_free(EcColumns *columns);
extern int ec_columns_find(const EcColumns *columns, const char *name);
extern bool
ec_line_is_header(const char *line, size_t len, const EcColumns *expected, char delimiter);
extern bool ec_row_field(const char *row, size_t len, int number, char delimiter, EcField *field);
extern size_t ec_field_unquote(const EcField *field, char *to, size_t size);
extern bool ec_time_read(const char *s, size_t len, int64_t *seconds);
extern uint32_t ec_murmur2(const void *key, size_t len);
extern int32_t ec_partition_of_key(const void *key, size_t len, int32_t partitions);

/* ---- ecproduce_split.c: pure ---- */

typedef struct EcSplitRules
{
	char delimiter;
	const EcColumns *expected; /* NULL: no line is a header */
	const char *header;		   /* the header in force, without its end; NULL: none */
	size_t header_len;
} EcSplitRules;

typedef struct EcSplit
{
	size_t bytes;		 /* whole rows from the start of the data */
	uint64_t rows;		 /* rows in them, */
	uint64_t blanks;	 /* empty lines, */
	uint64_t headers;	 /* repetitions of the header in force */
	bool header_follows; /* stopped since the next line is another header */
	bool open_quote;	 /* the data ends within a quoted field */
} EcSplit;

extern EcSplit ec_split(const EcSplitRules *rules, const char *data, size_t len, bool eof,
						uint64_t max_rows, size_t max_bytes);

/* ---- ecproduce_input.c ---- */

typedef struct EcInput EcInput;

extern EcInput *ec_input_open(const char *path);
extern bool ec_input_fill(EcInput *input, size_t wanted);
extern const char *ec_input_data(const EcInput *input, size_t *len, bool *eof);
extern void ec_input_skip(EcInput *input, size_t len);
extern uint64_t ec_input_offset(const EcInput *input);
extern uint64_t ec_input_raw_offset(const EcInput *input);
extern const char *ec_input_error(const EcInput *input);
extern const char *ec_input_name(const EcInput *input);
extern void ec_input_close(EcInput *input);

/* ---- options ---- */

typedef enum EcHeaderMode
{
	EC_HEADER_AUTO, /* at the start of each message */
	EC_HEADER_KEEP, /* once, where it was */
	EC_HEADER_DROP,
} EcHeaderMode;

typedef struct EcProperty
{
	const char *name;
	const char *value;
} EcProperty;

typedef struct EcProduceOptions
{
	const char *brokers;
	const char *topic;
	char **inputs;
	int ninputs;
	uint64_t rows_per_message;
	const char *key; /* column name; NULL: none */
	const char *codec;
	double rate;		   /* rows a second; 0: as fast as possible */
	double replay;		   /* times as fast as the events; 0: not by their time */
	int32_t partition;	   /* -1: all in turn */
	int create_partitions; /* 0: don't create */
	bool recreate;
	EcHeaderMode header;
	EcColumns columns;
	char delimiter;
	int timeout; /* seconds for connecting and topic administration */
	bool dry_run;
	bool bar; /* draw the progress bar into a file, too */
	bool json;
	bool quiet;
	EcProperty *properties;
	int nproperties;
} EcProduceOptions;

/* ---- counts ---- */

typedef struct EcCounts
{
	uint64_t rows_read;
	uint64_t headers; /* header lines, also repeated ones */
	uint64_t blanks;
	uint64_t bytes_read;	 /* of CSV, after gunzip */
	uint64_t short_messages; /* cut short by the size limit */
	uint64_t rows;			 /* acknowledged by the broker: */
	uint64_t messages;
	uint64_t bytes;
	uint64_t failed_rows;
	uint64_t failed_messages;
	double seconds; /* from the first message to the last acknowledgement */
} EcCounts;

/* ---- ecproduce_kafka.c ---- */

typedef struct EcKafka EcKafka;

extern volatile sig_atomic_t ec_stop_signal;

extern EcKafka *ec_kafka_open(const EcProduceOptions *o, EcCounts *counts);
extern int32_t ec_kafka_partitions(const EcKafka *kafka);
extern size_t ec_kafka_max_message(const EcKafka *kafka);
extern bool
ec_kafka_produce(EcKafka *kafka, int32_t partition, char *payload, size_t len, uint64_t rows);
extern void ec_kafka_poll(EcKafka *kafka, int ms);
extern bool ec_kafka_flush(EcKafka *kafka, void (*tick)(void *arg), void *arg);
extern bool ec_kafka_failed(const EcKafka *kafka);
extern void ec_kafka_close(EcKafka *kafka);

/* ---- ecproduce_topic.c ---- */

struct rd_kafka_s;
struct rd_kafka_conf_s;
extern struct rd_kafka_conf_s *ec_kafka_conf(const EcProduceOptions *o);
extern bool ec_topic_prepare(struct rd_kafka_s *rk, const EcProduceOptions *o, int32_t *partitions);

/* ---- ecproduce_progress.c ---- */

typedef struct EcProgress
{
	const EcProduceOptions *o;
	const EcCounts *counts;
	uint64_t total; /* bytes of all inputs; 0: unknown */
	uint64_t done;	/* of them */
	bool tty;
	bool drawn;
	double started;
	double shown;
	double shown_rate;
	uint64_t shown_bytes;
} EcProgress;

extern double ec_now(void);
extern void ec_progress_start(EcProgress *p, const EcProduceOptions *o, const EcCounts *counts);
extern void ec_progress_show(EcProgress *p, bool last);
extern void
ec_summary(const EcProduceOptions *o, const EcCounts *counts, int32_t partitions, bool complete);

/* ---- ecproduce_run.c, ecproduce.c ---- */

extern int ec_produce(const EcProduceOptions *o);
extern void ec_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern void ec_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
extern void *ec_malloc(size_t size);
extern void *ec_realloc(void *p, size_t size);

#endif /* ECPRODUCE_H */
