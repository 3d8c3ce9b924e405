-- VACUUM: pages of rolled back and replaced row groups are used again or go back to the file system; indexes lose what is gone.
SET client_min_messages = warning;
CREATE SCHEMA table_vacuum;
SET search_path = table_vacuum, public;
SET ecinsight.row_group_rows = 4096;
CREATE TABLE c (a int, b text) USING ecinsight_columnar;
INSERT INTO c SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
SELECT pg_relation_size('c') AS once \gset
BEGIN; INSERT INTO c SELECT i, md5(i::text) FROM generate_series(1, 60000) i; ROLLBACK;
BEGIN; SAVEPOINT s; INSERT INTO c SELECT i, md5(i::text) FROM generate_series(1, 60000) i; ROLLBACK TO s;
INSERT INTO c SELECT i, md5(i::text) FROM generate_series(20001, 40000) i; COMMIT;
VACUUM c;
INSERT INTO c SELECT i, md5(i::text) FROM generate_series(40001, 80000) i;
VACUUM c;
SELECT count(*), sum(a), pg_relation_size('c') <= 8 * :once AS used_again FROM c;
SELECT * FROM ecinsight.verify('c');
-- no two row groups share a page, also after more of the same
DO $$ BEGIN
	FOR i IN 1 .. 30 LOOP
		BEGIN
			INSERT INTO c SELECT -i, md5((i * j)::text) FROM generate_series(1, 3000 + 100 * i) j;
			IF i % 3 = 0 THEN RAISE EXCEPTION 'undone'; END IF;
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
		COMMIT;
		PERFORM ecinsight.compact('c');
		COMMIT;
	END LOOP;
END $$;
VACUUM c;
SELECT count(*), count(DISTINCT ctid) = count(*) AS distinct_tids FROM c;
SELECT * FROM ecinsight.verify('c');

-- options, other kinds of tables
VACUUM (FREEZE, ANALYZE) c;
VACUUM (TRUNCATE off, INDEX_CLEANUP on) c;
VACUUM (PARALLEL 2) c;
VACUUM (DISABLE_PAGE_SKIPPING) c;
CREATE INDEX ON c (a);
DELETE FROM c WHERE a < 0;
VACUUM (INDEX_CLEANUP on) c;
SELECT count(*) FROM c;
CREATE TEMP TABLE t (a int PRIMARY KEY, b text) USING ecinsight_columnar;
INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
DELETE FROM t WHERE a % 2 = 0;
VACUUM t;
VACUUM FULL t;
SELECT count(*), sum(a) FROM t;
CREATE UNLOGGED TABLE u (LIKE c) USING ecinsight_columnar;
INSERT INTO u TABLE c;
DELETE FROM u WHERE a % 2 = 0;
VACUUM u;
SELECT count(*), sum(a) FROM u;
CREATE TABLE none () USING ecinsight_columnar;
INSERT INTO none DEFAULT VALUES; INSERT INTO none DEFAULT VALUES;
VACUUM none; VACUUM FULL none;
SELECT count(*) FROM none;
CREATE TABLE empty (a int) USING ecinsight_columnar;
VACUUM empty; VACUUM FULL empty;
SELECT count(*) FROM empty;
SELECT count(*) FROM ecinsight.compact('empty');
DROP SCHEMA table_vacuum CASCADE;
