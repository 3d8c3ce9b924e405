-- Options of tables and what can be seen of their row groups.
SET client_min_messages = warning;
CREATE SCHEMA table_options;
SET search_path = table_options, public;
CREATE TABLE c (a int, b text) USING ecinsight_columnar;
CREATE TABLE h (a int);
SELECT * FROM ecinsight.options('c');
SELECT ecinsight.set_options('c', compression => 'lz4', row_group_rows => 2000);
SELECT * FROM ecinsight.options('c');
INSERT INTO c SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
SELECT number, level, rows, is_inline, form, first_row, row_ranges, first_block > 0 AS first_block, pages > 0 AS pages FROM ecinsight.row_groups('c');
SELECT ecinsight.set_options('c', compression_level => 9);
SELECT * FROM ecinsight.options('c');
SET ecinsight.compression = 'none'; SET ecinsight.row_group_rows = 3000;
CREATE TABLE d (a int, b text) USING ecinsight_columnar;
SELECT * FROM ecinsight.options('d');
INSERT INTO d SELECT i, 'value ' || i FROM generate_series(1, 5000) i;
SELECT rows FROM ecinsight.row_groups('d');
SELECT bool_and(codec = 'none') FROM ecinsight.columnar_stats('d') WHERE column_name IS NOT NULL;
RESET ecinsight.compression; RESET ecinsight.row_group_rows;

-- wrong values and tables
SELECT ecinsight.set_options('c', compression => 'gzip');
SELECT ecinsight.set_options('c', compression_level => 20);
SELECT ecinsight.set_options('c', row_group_rows => 10);
SELECT ecinsight.set_options('c', order_by => 'a, z');
SELECT ecinsight.set_options('c', order_by => 'a, a');
SELECT ecinsight.set_options('c', order_by => 'a b');
SELECT ecinsight.set_options('c', bloom => 'a');
SELECT ecinsight.set_options('c', summaries => 'most');
SELECT ecinsight.set_options('c', summaries => 'user, group');
SELECT ecinsight.set_options('c', summaries => '');
SELECT ecinsight.set_options('h', compression => 'lz4');
SELECT ecinsight.options('h');
SELECT ecinsight.row_groups('h');
SELECT ecinsight.set_options(NULL, compression => 'lz4');
SET ecinsight.row_group_rows = 5; SET ecinsight.compression = 'gzip';

-- summaries
SELECT ecinsight.set_options('c', summaries => 'user,Category, user');
SELECT setting, source FROM ecinsight.options('c') WHERE option = 'summaries';
SELECT ecinsight.set_options('c', summaries => 'visit, purchase, user, product, category');
SELECT setting, source FROM ecinsight.options('c') WHERE option = 'summaries';
SELECT ecinsight.set_options('c', summaries => 'off');
SELECT setting, source FROM ecinsight.options('c') WHERE option = 'summaries';
SELECT setting, source FROM ecinsight.options('d') WHERE option = 'summaries';
UPDATE ecinsight.table_options SET summaries = 'user,group' WHERE relation = 'c'::regclass;
UPDATE ecinsight.table_options SET summaries = NULL WHERE relation = 'c'::regclass;
SELECT setting, source FROM ecinsight.options('c') WHERE option = 'summaries';
CREATE TABLE parted (a int) PARTITION BY LIST (a);
CREATE TABLE part PARTITION OF parted FOR VALUES IN (1) USING ecinsight_columnar;
SELECT ecinsight.set_options('parted', summaries => 'purchase');
SELECT setting, source FROM ecinsight.options('part') WHERE option = 'summaries';
SELECT ecinsight.set_options('part', summaries => 'auto');
SELECT setting, source FROM ecinsight.options('part') WHERE option = 'summaries';
DROP TABLE parted;

-- a rollback takes them back
BEGIN; SELECT ecinsight.set_options('c', compression => 'none'); SELECT setting FROM ecinsight.options('c') WHERE option = 'compression'; ROLLBACK;
SELECT setting FROM ecinsight.options('c') WHERE option = 'compression';

-- they hold for rewrites, and by hand; they go with their table
ALTER TABLE c ALTER a TYPE bigint;
SELECT array_agg(rows ORDER BY number) FROM ecinsight.row_groups('c');
UPDATE ecinsight.table_options SET row_group_rows = 4000 WHERE relation = 'c'::regclass;
ALTER TABLE c ALTER a TYPE int;
SELECT array_agg(rows ORDER BY number) FROM ecinsight.row_groups('c');
CREATE MATERIALIZED VIEW mv USING ecinsight_columnar AS SELECT * FROM c;
SELECT ecinsight.set_options('mv', row_group_rows => 1024);
REFRESH MATERIALIZED VIEW mv;
SELECT max(rows) FROM ecinsight.row_groups('mv');
SELECT relation, compression, compression_level, row_group_rows FROM ecinsight.table_options ORDER BY relation::text;
DROP MATERIALIZED VIEW mv;
BEGIN; DROP TABLE c; SELECT count(*) FROM ecinsight.table_options; ROLLBACK;
SELECT count(*) FROM ecinsight.table_options;

-- levels, columns, encodings
INSERT INTO c VALUES (1, 'inline'), (2, NULL);
SELECT level, column_name, pieces > 0 AS pieces, rows, masked_rows, bytes > 0 AS bytes, decoded_bytes > 0 AS decoded, ratio > 0 AS ratio
	FROM ecinsight.columnar_stats('c') WHERE column_name IS NULL;
SELECT column_name, sum(rows) AS rows, bool_and(codec IN ('none', 'lz4')) AS codecs FROM ecinsight.columnar_stats('c') WHERE column_name IS NOT NULL GROUP BY 1 ORDER BY 1;
SELECT count(*), sum(rows), count(DISTINCT number) FROM ecinsight.row_groups('c');
SELECT * FROM ecinsight.verify('c');

-- only the owner changes options, only readers look
CREATE ROLE ec_options_reader; CREATE ROLE ec_options_other;
GRANT USAGE ON SCHEMA table_options, ecinsight TO ec_options_reader, ec_options_other; GRANT SELECT ON c TO ec_options_reader;
SET ROLE ec_options_reader;
SELECT count(*) > 0 FROM ecinsight.row_groups('c');
SELECT ecinsight.set_options('c', compression => 'none');
INSERT INTO c VALUES (1);
DELETE FROM ecinsight.table_options;
SET ROLE ec_options_other;
SELECT count(*) FROM ecinsight.row_groups('c');
SELECT count(*) FROM ecinsight.columnar_stats('c');
SELECT count(*) FROM ecinsight.verify('c');
SELECT * FROM c;
RESET ROLE;

-- row security
CREATE TABLE r (a int, owner text) USING ecinsight_columnar;
INSERT INTO r SELECT i, CASE WHEN i % 2 = 0 THEN 'ec_options_reader' ELSE 'other' END FROM generate_series(1, 3000) i;
ALTER TABLE r ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON r USING (owner = current_user);
GRANT SELECT, INSERT ON r TO ec_options_reader;
SET ROLE ec_options_reader;
SELECT count(*), min(a) FROM r;
INSERT INTO r VALUES (0, 'other');
INSERT INTO r VALUES (0, 'ec_options_reader');
SELECT count(*), min(a) FROM r;
RESET ROLE;

-- an order by columns; partitions take what they have not set from above, LIKE ... INCLUDING STORAGE copies
CREATE TABLE o (a int, "B b" text, c int) USING ecinsight_columnar;
SELECT ecinsight.set_options('o', order_by => '"B b",a', compression => 'lz4');
SELECT * FROM ecinsight.options('o');
CREATE TABLE o2 (LIKE o INCLUDING STORAGE) USING ecinsight_columnar;
CREATE TABLE o3 (LIKE o) USING ecinsight_columnar;
SELECT relation, compression, order_by FROM ecinsight.table_options WHERE relation::text LIKE 'o%' ORDER BY 1;
-- renamed columns stay in order_by, dropped ones do not
ALTER TABLE o RENAME COLUMN a TO "A.1";
SELECT setting FROM ecinsight.options('o') WHERE option = 'order_by';
BEGIN; ALTER TABLE o RENAME "B b" TO bb; ALTER TABLE o RENAME bb TO cc; SELECT setting FROM ecinsight.options('o') WHERE option = 'order_by'; ROLLBACK;
SELECT order_by FROM ecinsight.table_options WHERE relation = 'o'::regclass;
ALTER TABLE o RENAME COLUMN "A.1" TO a;
ALTER TABLE o DROP COLUMN a;
SELECT order_by FROM ecinsight.table_options WHERE relation = 'o'::regclass;
SELECT setting FROM ecinsight.options('o') WHERE option = 'order_by';
SELECT ecinsight.set_options('o', order_by => '');
SELECT setting, source FROM ecinsight.options('o') WHERE option = 'order_by';
CREATE TABLE p (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) USING ecinsight_columnar;
SELECT ecinsight.set_options('p', order_by => 'b', compression_level => 7);
SELECT ecinsight.set_options('p1', compression_level => 8);
CREATE TABLE p2 (b int, a int) USING ecinsight_columnar;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
SELECT 'p', * FROM ecinsight.options('p') UNION ALL SELECT 'p1', * FROM ecinsight.options('p1') UNION ALL SELECT 'p2', * FROM ecinsight.options('p2') ORDER BY 1, 2;
SELECT ecinsight.set_options('p', order_by => 'b, a');
SELECT ecinsight.set_options('p1', order_by => 'a, b');
ALTER TABLE p RENAME b TO new_b;
SELECT 'p', setting FROM ecinsight.options('p') WHERE option = 'order_by' UNION ALL SELECT 'p1', setting FROM ecinsight.options('p1') WHERE option = 'order_by'
	UNION ALL SELECT 'p2', setting FROM ecinsight.options('p2') WHERE option = 'order_by' ORDER BY 1;
ALTER TABLE p RENAME new_b TO b;
SELECT setting FROM ecinsight.options('p2') WHERE option = 'order_by';
ALTER TABLE p DETACH PARTITION p2;
SELECT setting, source FROM ecinsight.options('p2') WHERE option = 'order_by';
DROP TABLE p;

DROP SCHEMA table_options CASCADE;
SELECT count(*) FROM ecinsight.table_options;
DROP OWNED BY ec_options_reader, ec_options_other; DROP ROLE ec_options_reader, ec_options_other;
