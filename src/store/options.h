/*
 * options.h
 *	  Per-table options, kept in the table ecinsight.table_options.
 */
#ifndef EC_STORE_OPTIONS_H
#define EC_STORE_OPTIONS_H

#include "postgres.h"

#include "utils/relcache.h"

#include "encoding/encoding.h"

/* Columns that a table can be ordered by. */
#define EC_ORDER_MAX 8

/* Option summaries; a list of dimensions is EC_SUMMARIES_ON with some of them. */
typedef enum EcSummariesOption
{
	EC_SUMMARIES_AUTO, /* if the table has what they are made of */
	EC_SUMMARIES_ON,
	EC_SUMMARIES_OFF
} EcSummariesOption;

typedef struct EcTableOptions
{
	EcCodec codec;
	int level;
	uint32 row_group_rows;
	int norder;
	int order[EC_ORDER_MAX]; /* attidx of the columns by which compaction sorts */
	EcSummariesOption summaries;
	uint32 dimensions; /* bits of those wanted: see ec_options_wants */
} EcTableOptions;

/* The table's options, defaults filled in from the configuration parameters. */
extern EcTableOptions ec_options_get(Relation rel);

/* Are summaries of this dimension ("category", "product", "user", "purchase", "visit") wanted? */
extern bool ec_options_wants(const EcTableOptions *options, const char *dimension);

/*
 * Deletes what set_options stored for a table that is gone.  Called when one is
 * dropped, by the object access hook (temporary tables at the end of their session)
 * and by the extension's sql_drop event trigger (the drop that loads this library),
 * and for the OID of each new columnar table.
 */
extern void ec_options_drop(Oid relid);

/* The command in work has changed a column, maybe its name (which syscaches don't know yet), or drops it. */
extern void ec_options_column_changed(Oid relid, AttrNumber attnum);
extern void ec_options_column_dropped(Oid relid, AttrNumber attnum);

/* CREATE TABLE ... (LIKE source INCLUDING STORAGE): the new table starts with the source's options. */
extern void ec_options_copy(Oid source, Oid target);

#endif /* EC_STORE_OPTIONS_H */
