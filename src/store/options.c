/*
 * options.c
 *	  Per-table options.
 */
#include "postgres.h"

#include "base/guc.h"
#include "store/options.h"

EcTableOptions
ec_options_get(Relation rel)
{
	EcTableOptions options = {
		.codec = ec_guc_compression,
		.level = ec_guc_compression_level,
		.row_group_rows = ec_guc_row_group_rows,
	};

	return options;
}
