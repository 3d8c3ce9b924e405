-- Definitions change; rows stay.
SET client_min_messages = warning;
CREATE SCHEMA table_alter;
SET search_path = table_alter, public;
CREATE FUNCTION differences(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
		UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
	RETURN n;
END $$;

-- the same steps on a heap and a columnar table, small (rows) and large (column chunks) groups
CREATE FUNCTION run(t text, am text, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I (a int, b text, c numeric(10,2), d varchar(10), e timestamp) USING %I', t, am);
	EXECUTE format('INSERT INTO %I SELECT i, ''v'' || i %% 7, i / 4.0, CASE WHEN i %% 3 > 0 THEN i END, ''2020-01-01''::timestamp + i * ''1 min''::interval FROM generate_series(1, %s) i', t, n);
	EXECUTE format('ALTER TABLE %I ADD COLUMN f int', t);
	EXECUTE format('ALTER TABLE %I ADD COLUMN g int DEFAULT 42, ADD COLUMN h text DEFAULT ''missing''', t);
	EXECUTE format('ALTER TABLE %I ADD COLUMN i uuid DEFAULT ''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'', ADD COLUMN j numeric(6,3) DEFAULT 1.5, ADD COLUMN k int[] DEFAULT ''{1,2}'', ADD COLUMN l boolean NOT NULL DEFAULT true', t);
	EXECUTE format('INSERT INTO %I (a, b) SELECT i, ''new'' FROM generate_series(1, %s) i', t, n);
	EXECUTE format('ALTER TABLE %I DROP COLUMN b', t);
	EXECUTE format('INSERT INTO %I (a, g) SELECT -i, 0 FROM generate_series(1, %s) i', t, n);
	EXECUTE format('ALTER TABLE %I ALTER g SET DEFAULT 43', t);
	EXECUTE format('INSERT INTO %I (a) SELECT 1000000 + i FROM generate_series(1, %s) i', t, n);
END $$;
SELECT run('h1', 'heap', 5), run('c1', 'ecinsight_columnar', 5), run('h2', 'heap', 3000), run('c2', 'ecinsight_columnar', 3000);
SELECT differences('h1', 'c1'), differences('h2', 'c2');
SELECT g, h, i, j, k, l, count(*) FROM c2 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1;

-- types exchanged without a rewrite, then with one
ALTER TABLE h2 ALTER d TYPE text, ALTER c TYPE numeric; ALTER TABLE c2 ALTER d TYPE text, ALTER c TYPE numeric;
ALTER TABLE h1 ALTER d TYPE text, ALTER c TYPE numeric; ALTER TABLE c1 ALTER d TYPE text, ALTER c TYPE numeric;
INSERT INTO h2 (a, c, d) VALUES (5, 1.23456, repeat('x', 100)); INSERT INTO c2 (a, c, d) VALUES (5, 1.23456, repeat('x', 100));
SELECT differences('h1', 'c1'), differences('h2', 'c2');
SELECT * FROM ecinsight.verify('c2');
ALTER TABLE h2 ALTER a TYPE bigint, ALTER c TYPE float8, ALTER d TYPE text USING coalesce(d, 'none') || a; ALTER TABLE c2 ALTER a TYPE bigint, ALTER c TYPE float8, ALTER d TYPE text USING coalesce(d, 'none') || a;
ALTER TABLE h1 ALTER a TYPE bigint, ALTER e TYPE date; ALTER TABLE c1 ALTER a TYPE bigint, ALTER e TYPE date;
SELECT differences('h1', 'c1'), differences('h2', 'c2');
ALTER TABLE h1 ALTER a TYPE text USING a / 0;
ALTER TABLE c1 ALTER a TYPE text USING a / 0;
SELECT differences('h1', 'c1');
ALTER TABLE h1 ALTER a TYPE oid USING abs(a)::oid; ALTER TABLE c1 ALTER a TYPE oid USING abs(a)::oid;
SELECT differences('h1', 'c1');

-- constraints look at existing rows
ALTER TABLE c2 ADD CHECK (a > 0);
ALTER TABLE c2 ADD CHECK (a > -1000000);
ALTER TABLE c2 ALTER f SET NOT NULL;
ALTER TABLE c2 ALTER a SET NOT NULL;
INSERT INTO c2 (a) VALUES (NULL);
INSERT INTO c2 (a) VALUES (-1000001);

-- another access method, there and back
CREATE TABLE s (a int, b text); INSERT INTO s SELECT i, 'x' || i FROM generate_series(1, 10000) i;
CREATE TABLE s2 AS SELECT * FROM s;
ALTER TABLE s SET ACCESS METHOD ecinsight_columnar;
SELECT differences('s', 's2');
ALTER TABLE s SET ACCESS METHOD heap;
SELECT differences('s', 's2');
CREATE TABLE narrow (a int); INSERT INTO narrow SELECT generate_series(1, 10); -- has no TOAST table
SELECT reltoastrelid = 0 AS no_toast FROM pg_class WHERE oid = 'narrow'::regclass;
BEGIN; ALTER TABLE narrow SET ACCESS METHOD ecinsight_columnar; INSERT INTO narrow VALUES (11); SELECT sum(a) FROM narrow; ROLLBACK;
SELECT sum(a) FROM narrow;
ALTER TABLE narrow SET ACCESS METHOD ecinsight_columnar; INSERT INTO narrow VALUES (11); SELECT sum(a) FROM narrow;
ALTER TABLE narrow SET ACCESS METHOD heap; SELECT sum(a) FROM narrow;
CREATE TABLE none (a int); ALTER TABLE none SET ACCESS METHOD ecinsight_columnar; SELECT * FROM none; INSERT INTO none VALUES (1); SELECT * FROM none;

-- persistence, VACUUM FULL, names, schemas, owners
ALTER TABLE s SET ACCESS METHOD ecinsight_columnar;
ALTER TABLE s SET UNLOGGED; SELECT differences('s', 's2');
ALTER TABLE s SET LOGGED; SELECT differences('s', 's2');
VACUUM FULL s; SELECT differences('s', 's2');
BEGIN; INSERT INTO s SELECT -i, md5(i::text) FROM generate_series(1, 20000) i; ROLLBACK;
SELECT pg_relation_size('s') AS before \gset
VACUUM FULL s; SELECT differences('s', 's2'), pg_relation_size('s') < :before AS smaller;
INSERT INTO s VALUES (0, 'after'); INSERT INTO s2 VALUES (0, 'after'); SELECT differences('s', 's2'), count(DISTINCT ctid) = count(*) AS tids FROM s;
SELECT * FROM ecinsight.verify('s');
VACUUM s; VACUUM (FREEZE, ANALYZE) s;
SELECT relfrozenxid <> '0' AS frozenxid, relminmxid <> '0' AS minmxid, reltuples FROM pg_class WHERE oid = 's'::regclass;
ALTER TABLE s RENAME TO renamed; ALTER TABLE renamed RENAME a TO aa; SELECT sum(aa) FROM renamed;
CREATE UNLOGGED TABLE u (a int) USING ecinsight_columnar; INSERT INTO u SELECT generate_series(1, 5000); SELECT sum(a) FROM u; VACUUM FULL u; SELECT sum(a) FROM u;

-- temporary tables
CREATE TEMP TABLE t (a int, b text) USING ecinsight_columnar;
INSERT INTO t SELECT i, i FROM generate_series(1, 30000) i; SELECT count(*), sum(a) FROM t;
BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s; INSERT INTO t VALUES (2); ROLLBACK TO s; COMMIT; SELECT count(*), sum(a) FROM t;
CREATE TEMP TABLE td (a int) USING ecinsight_columnar ON COMMIT DELETE ROWS;
BEGIN; INSERT INTO td VALUES (1); SELECT * FROM td; COMMIT; SELECT * FROM td;
BEGIN; CREATE TEMP TABLE tx (a int) USING ecinsight_columnar ON COMMIT DROP; INSERT INTO tx VALUES (1); COMMIT; SELECT to_regclass('tx');

-- no columns, all columns
CREATE TABLE zero () USING ecinsight_columnar; INSERT INTO zero DEFAULT VALUES; INSERT INTO zero SELECT FROM generate_series(1, 2000); SELECT count(*) FROM zero;
ALTER TABLE zero ADD COLUMN a int DEFAULT 5; SELECT count(*), sum(a) FROM zero;
ALTER TABLE zero DROP COLUMN a; SELECT count(*) FROM zero;
DO $$ BEGIN EXECUTE (SELECT 'CREATE TABLE wide (' || string_agg('c' || i || CASE i % 3 WHEN 0 THEN ' int' WHEN 1 THEN ' text' ELSE ' numeric(8,2)' END, ', ') || ') USING ecinsight_columnar' FROM generate_series(1, 1600) i); END $$;
DO $$ BEGIN EXECUTE (SELECT 'INSERT INTO wide SELECT ' || string_agg('CASE WHEN r % 2 = ' || i % 2 || ' THEN r * ' || i % 10 || ' END', ', ') || ' FROM generate_series(1, 100) r' FROM generate_series(1, 1600) i); END $$;
SELECT count(*), sum(c3), count(c1600), max(c1), sum(c1598) FROM wide; SELECT * FROM ecinsight.verify('wide');
INSERT INTO wide (c1600) VALUES ('one row'); SELECT c1600 FROM wide WHERE c1600 LIKE 'o%';

-- partitions, inheritance, generated and identity columns, defaults
CREATE TABLE p (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000) USING ecinsight_columnar;
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (2000);
CREATE TABLE p3 PARTITION OF p DEFAULT USING ecinsight_columnar;
INSERT INTO p SELECT i, 'p' || i FROM generate_series(0, 2999) i;
SELECT tableoid::regclass, count(*), sum(a) FROM p GROUP BY 1 ORDER BY 1;
UPDATE p SET b = 'changed' WHERE a = 1500; SELECT count(*) FROM p WHERE b = 'changed';
UPDATE p SET a = 5 WHERE a = 1500; SELECT tableoid::regclass, * FROM p WHERE b = 'changed';
DELETE FROM p WHERE a = 1501; SELECT count(*) FROM p WHERE a = 1501;
UPDATE p SET b = 'changed' WHERE a = 1;
DELETE FROM p WHERE a = 1;
ALTER TABLE p DETACH PARTITION p1; SELECT count(*) FROM p; ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (1000); SELECT count(*) FROM p;
CREATE TABLE par (a int) USING ecinsight_columnar; CREATE TABLE chi (b int) INHERITS (par) USING ecinsight_columnar;
INSERT INTO par VALUES (1); INSERT INTO chi VALUES (2, 3); SELECT tableoid::regclass, * FROM par ORDER BY a;
CREATE TABLE gen (id int GENERATED ALWAYS AS IDENTITY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, d text DEFAULT 'd' || 1) USING ecinsight_columnar;
INSERT INTO gen (a) SELECT i FROM generate_series(1, 5) i RETURNING *;
SELECT * FROM gen;

-- views of all sorts
CREATE MATERIALIZED VIEW mv USING ecinsight_columnar AS SELECT a, b FROM p WHERE a < 100; SELECT count(*) FROM mv;
REFRESH MATERIALIZED VIEW mv; SELECT count(*), sum(a) FROM mv;
SELECT a INTO selected FROM p WHERE a < 10; SELECT count(*) FROM selected;
SET default_table_access_method = ecinsight_columnar; SELECT a INTO selected2 FROM p WHERE a < 10; CREATE TABLE ctas AS SELECT * FROM selected2; RESET default_table_access_method;
SELECT am.amname, count(*) FROM pg_class c JOIN pg_am am ON am.oid = c.relam WHERE c.oid IN ('selected2'::regclass, 'ctas'::regclass) GROUP BY 1; SELECT sum(a) FROM ctas;

DROP SCHEMA table_alter CASCADE;
