-- Storage: the table access method

CREATE FUNCTION columnar_handler(internal) RETURNS table_am_handler
	AS 'MODULE_PATHNAME', 'ec_columnar_handler' LANGUAGE C;
COMMENT ON FUNCTION columnar_handler(internal) IS 'handler of the access method ecinsight_columnar';

CREATE ACCESS METHOD ecinsight_columnar TYPE TABLE HANDLER columnar_handler;
COMMENT ON ACCESS METHOD ecinsight_columnar IS 'compressed columnar tables';

-- Options of tables; a NULL column means the configuration parameter's value.

CREATE TABLE table_options (
	relation regclass PRIMARY KEY,
	compression text CHECK (compression IN ('none', 'lz4', 'zstd')),
	compression_level int CHECK (compression_level BETWEEN 1 AND 19),
	row_group_rows int CHECK (row_group_rows BETWEEN 1024 AND 1048576),
	order_by text,
	summaries text CHECK (summaries IN ('auto', 'on', 'off') OR
		summaries ~ '^(category|product|user|purchase|visit)(, (category|product|user|purchase|visit))*$')
) USING heap;
COMMENT ON TABLE table_options IS 'options of columnar tables; use ecinsight.set_options to change them';
SELECT pg_catalog.pg_extension_config_dump('table_options',
	'WHERE relation::oid IN (SELECT c.oid FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam '
	'WHERE (c.relkind = ''p'' OR a.amname = ''ecinsight_columnar'') AND c.relpersistence <> ''t'')');

CREATE FUNCTION table_options_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'ec_table_options_changed' LANGUAGE C;
CREATE TRIGGER table_options_changed AFTER INSERT OR UPDATE OR DELETE ON table_options
	FOR EACH ROW EXECUTE FUNCTION table_options_changed();

CREATE FUNCTION set_options(relation regclass, compression text DEFAULT NULL,
		compression_level int DEFAULT NULL, row_group_rows int DEFAULT NULL,
		order_by text DEFAULT NULL, bloom text DEFAULT NULL, summaries text DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'ec_set_options' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION set_options(regclass, text, int, int, text, text, text)
	IS 'sets options of a columnar table, or of partitions to be, for rows to come; NULL leaves an option as it is';

CREATE FUNCTION options(relation regclass, OUT option text, OUT setting text, OUT source text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'ec_options' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 5;
COMMENT ON FUNCTION options(regclass) IS 'options in force for a columnar table, and where they come from';

CREATE FUNCTION compact(relation regclass, OUT groups_merged bigint, OUT groups_written bigint,
		OUT rows_written bigint, OUT rows_dropped bigint, OUT tombstones_folded bigint, OUT left_for_later bigint)
	AS 'MODULE_PATHNAME', 'ec_compact_table' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION compact(regclass)
	IS 'merges all row groups of a columnar table that are not full, and its single rows; VACUUM then frees the space';

-- Inspection

CREATE FUNCTION row_groups(relation regclass, OUT number bigint, OUT level int, OUT rows int,
		OUT bytes bigint, OUT is_inline boolean, OUT form text, OUT first_row bigint, OUT row_ranges int,
		OUT first_block bigint, OUT pages int, OUT masked_rows bigint, OUT is_numbered boolean)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'ec_row_groups' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION row_groups(regclass) IS 'row groups of a columnar table; the last line, of form delta, stands for all rows in tuples of their own';

CREATE FUNCTION columnar_stats(relation regclass, OUT level int, OUT column_name name,
		OUT encoding text, OUT codec text, OUT pieces bigint, OUT rows bigint, OUT masked_rows bigint,
		OUT bytes bigint, OUT decoded_bytes bigint, OUT ratio double precision,
		OUT summary_sets bigint, OUT summary_bytes bigint)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'ec_columnar_stats' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION columnar_stats(regclass)
	IS 'for each level (NULL: rows in tuples of their own): row groups (as pieces), rows and bytes; for each column: pieces and bytes by encoding; the first line tells of summaries, too';

CREATE FUNCTION summaries(relation regclass, OUT set_number bigint, OUT rows bigint, OUT row_groups bigint,
		OUT projection text, OUT parts int, OUT cells bigint, OUT bytes bigint)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'ec_table_summaries' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION summaries(regclass)
	IS 'sets of summaries of a columnar table that insights can use: rows and row groups that each covers, and what it holds';

CREATE FUNCTION verify(relation regclass, OUT row_group bigint, OUT column_name name, OUT problem text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'ec_verify' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION verify(regclass) IS 'reads and checks all of a columnar table; no rows: nothing is wrong';
