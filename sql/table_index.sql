-- Indexes of all kinds on columnar tables give what they give on a heap table of the same rows.
CREATE SCHEMA table_index;
SET search_path = table_index, public;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE h (a int, b text COLLATE "C", n numeric(10, 2), d int[], p point, r int4range, u uuid, j jsonb, z int);
INSERT INTO h
	SELECT i, CASE WHEN i % 11 <> 0 THEN 'key ' || i * 7919 % 1000 END, i % 997 / 7.0, ARRAY[i % 10, i % 7, -1],
		point(i, i * 31 % 1000), int4range(i, i + i % 5), md5(i::text)::uuid,
		jsonb_build_object('k', i % 50, 'v', ARRAY[i % 3]), i * 7919 % 40009
	FROM generate_series(1, 40000) i;
CREATE TABLE c (LIKE h) USING ecinsight_columnar;
SELECT ecinsight.set_options('c', row_group_rows => 10000);
INSERT INTO c SELECT * FROM h ORDER BY a;
INSERT INTO h SELECT i, 'late', i, NULL, NULL, NULL, NULL, NULL, -i FROM generate_series(40001, 40020) i;
INSERT INTO c SELECT * FROM h WHERE a > 40000 ORDER BY a;

CREATE INDEX h_a ON h (a);
CREATE INDEX h_n ON h (n);
CREATE UNIQUE INDEX c_a ON c (a) INCLUDE (b);
CREATE INDEX c_b ON c (b DESC NULLS LAST, a);
CREATE INDEX c_n ON c (n);
CREATE INDEX c_hash ON c USING hash (u);
CREATE INDEX c_gin ON c USING gin (d);
CREATE INDEX c_json ON c USING gin (j jsonb_path_ops);
CREATE INDEX c_gist ON c USING gist (p);
CREATE INDEX c_range ON c USING gist (r);
CREATE INDEX c_quad ON c USING spgist ((b || '.'));
CREATE INDEX c_brin ON c USING brin (z);
CREATE INDEX c_upper ON c (upper(b), (a % 100)) WHERE a % 2 = 0;
VACUUM ANALYZE h;
VACUUM ANALYZE c;

-- the rows of a query on c as on h, and the scan that gave them
CREATE FUNCTION same(condition text, columns text DEFAULT 't.*', tail text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT %s FROM $T t WHERE %s %s', columns, condition, tail);
	wrapped text := format('SELECT count(*), md5(string_agg(q::text, %L ORDER BY q::text)) FROM (%s) q', '|', query);
	plan json;
	scan text;
	c record;
	h record;
BEGIN
	EXECUTE replace(wrapped, '$T', 'c') INTO c;
	EXECUTE replace(wrapped, '$T', 'h') INTO h;
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || replace(query, '$T', 'c') INTO plan;
	scan := substring(plan::text from '"Node Type": "((?:Bitmap Index|Index|Tid|Seq|Custom) [^"]*)"');
	IF scan LIKE '%Index%' THEN
		scan := substring(plan::text from '"Node Type": "(Bitmap Index Scan|Index[^"]*)"')
			|| ' ' || substring(plan::text from '"Index Name": "([^"]*)"');
	END IF;
	RETURN CASE WHEN c = h THEN 'same' ELSE format('DIFFERENT: %s, not %s,', c, h) END || ' ' || c.count || ' rows, ' || scan;
END $$;

SET ecinsight.enable_columnar_scan = off;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT same('a = 777');
SELECT same('a BETWEEN 9990 AND 10010');
SELECT same('a > 39990');
SELECT same('a < 500', 'a');
SELECT same('a < 500', 'a, b');
SELECT same('a IN (1, 16384, 16385, 40001, 99999)');
SELECT same('b = ''key 7''');
SELECT same('b IS NULL');
SELECT same('true', 'b, a', 'ORDER BY b DESC NULLS LAST, a LIMIT 50');
SELECT same('true', 'b, a', 'ORDER BY b NULLS FIRST, a DESC LIMIT 50');
SELECT same('n = 10.57');
SELECT same('u = md5(''12345'')::uuid');
SELECT same('p <@ box(point(0, 0), point(2000, 30))');
SELECT same('p ~= point(5, 155)');
SELECT same('true', 'a', 'ORDER BY p <-> point(777, 777) LIMIT 7');
SELECT same('r @> 5000');
SELECT same('b || ''.'' = ''key 7.''');
SELECT same('upper(b) = ''KEY 13'' AND a % 100 = 14 AND a % 2 = 0');
SELECT same('z = 17');

SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SET enable_bitmapscan = on;
SELECT same('a < 20000');
SELECT same('a = 777 OR n = 10.57 OR b = ''key 3''');
SELECT same('a BETWEEN 10 AND 20000 AND b = ''key 7''');
SELECT same('d @> ARRAY[3, 5]');
SELECT same('d && ARRAY[9]');
SELECT same('j @> ''{"k": 7}''');
SELECT same('p <@ box(point(0, 0), point(2000, 30))');
SELECT same('upper(b) LIKE ''KEY 13%'' AND a % 2 = 0');
SELECT same('z BETWEEN 17 AND 20');
SET work_mem = '64kB';
SELECT same('a BETWEEN 100 AND 39000 AND n > 3');
SELECT same('d && ARRAY[1, 2, 3, 4, 5]');
RESET work_mem;
RESET enable_indexscan;
RESET enable_indexonlyscan;

-- nested loops, with a key that is not there
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
CREATE TABLE wanted AS SELECT i * 7919 % 41000 AS a FROM generate_series(1, 3000) i;
ANALYZE wanted;
SELECT count(*), sum(c.n), md5(string_agg(c::text, '' ORDER BY c.a)) = (SELECT md5(string_agg(h::text, '' ORDER BY h.a)) FROM wanted JOIN h USING (a)) AS same
FROM wanted JOIN c USING (a);
SET ecinsight.fetch_cache = '1MB';
SELECT count(*), md5(string_agg(c::text, '' ORDER BY c.a)) = (SELECT md5(string_agg(h::text, '' ORDER BY h.a)) FROM wanted JOIN h USING (a)) AS same
FROM wanted JOIN c USING (a);
RESET ecinsight.fetch_cache;
-- mark and restore
SET enable_nestloop = off;
SET enable_mergejoin = on;
SET enable_sort = off;
SELECT count(*), sum(x.a) FROM c x JOIN c y ON x.n = y.n WHERE x.n < 2;
SELECT count(*), sum(x.a) FROM h x JOIN h y ON x.n = y.n WHERE x.n < 2;
RESET enable_nestloop; RESET enable_mergejoin; RESET enable_hashjoin; RESET enable_sort; RESET enable_memoize;

-- cursors forth and back
BEGIN;
SET LOCAL enable_bitmapscan = off;
DECLARE cur SCROLL CURSOR FOR SELECT a, b FROM c WHERE a BETWEEN 100 AND 104 ORDER BY a;
FETCH 3 FROM cur;
FETCH BACKWARD 2 FROM cur;
FETCH LAST FROM cur;
CLOSE cur;
COMMIT;

-- tids, ranges of them, samples
SELECT count(*) FROM c WHERE ctid = ANY (ARRAY(SELECT ctid FROM c WHERE a % 1000 = 0));
SELECT same('t.ctid IS NOT NULL AND a = (SELECT a FROM c WHERE ctid = (SELECT ctid FROM c WHERE a = 321))');
SET ecinsight.enable_columnar_scan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM c WHERE ctid >= '(1,1)' AND ctid < '(3,5)';
SELECT count(*), min(a), max(a) FROM c WHERE ctid >= '(1,1)' AND ctid < '(3,5)';
SELECT count(*) FROM c WHERE ctid > '(1,300)' AND ctid <= '(2,0)';
SELECT count(*) FROM c WHERE ctid < '(0,0)' OR ctid > '(4000000000,1)';
SELECT count(*) FROM c TABLESAMPLE system (100);
SELECT count(*) BETWEEN 10 AND 39000 FROM c TABLESAMPLE system (20) REPEATABLE (7);
SELECT count(*) BETWEEN 1000 AND 7000 FROM c TABLESAMPLE bernoulli (10) REPEATABLE (7);
SELECT (SELECT sum(a) FROM c TABLESAMPLE bernoulli (10) REPEATABLE (3)) = (SELECT sum(a) FROM c TABLESAMPLE bernoulli (10) REPEATABLE (3)) AS repeatable;

-- new rows, rebuilt indexes
INSERT INTO h SELECT 50000 + i, 'new ' || i, i FROM generate_series(1, 3000) i;
INSERT INTO c SELECT * FROM h WHERE a > 50000;
SELECT same('a > 39990');
REINDEX TABLE c;
SELECT same('a > 39990');
REINDEX INDEX CONCURRENTLY c_a;
SELECT same('a > 39990');
CREATE INDEX CONCURRENTLY c_late ON c (z, a) WHERE b IS NOT NULL;
DROP INDEX c_brin;
SELECT same('z < 30 AND b IS NOT NULL');
-- a column that rows in row groups lack, and one that they had
ALTER TABLE c ADD COLUMN k int DEFAULT 7, DROP COLUMN j;
ALTER TABLE h ADD COLUMN k int DEFAULT 7, DROP COLUMN j;
CREATE INDEX c_k ON c (k, a);
SELECT same('k = 7 AND a < 30');
ALTER TABLE c ALTER COLUMN n TYPE numeric(12, 2), ALTER COLUMN a TYPE bigint;
ALTER TABLE h ALTER COLUMN n TYPE numeric(12, 2), ALTER COLUMN a TYPE bigint;
SELECT same('a BETWEEN 9990 AND 10010');
SELECT indexrelid::regclass, indisvalid, indisready, indcheckxmin FROM pg_index WHERE indrelid = 'c'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";

-- the planner weighs index and columnar scans
RESET ecinsight.enable_columnar_scan;
RESET enable_seqscan;
ANALYZE c;
SELECT same('a = 777');
SELECT same('a > 0');
SELECT same('n > 10');
SET client_min_messages = warning;
DROP SCHEMA table_index CASCADE;
