-- Columnar scans shared by workers, and inside them.
SET ecinsight.row_group_rows = 1024;
CREATE TABLE scan_big (id int, k int, v text) USING ecinsight_columnar;
INSERT INTO scan_big SELECT g, g % 97, CASE WHEN g % 5 > 0 THEN 'value ' || g % 13 END FROM generate_series(1, 20000) g;
CREATE TABLE scan_dim (k int, name text) USING ecinsight_columnar;
INSERT INTO scan_dim SELECT g, 'name ' || g FROM generate_series(0, 96) g;
CREATE TABLE scan_few (id int) USING heap;
INSERT INTO scan_few VALUES (5), (10000), (20000), (NULL);
ANALYZE scan_big, scan_dim, scan_few;

SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;

EXPLAIN (COSTS OFF) SELECT count(*), sum(id) FROM scan_big WHERE id > 15000;
SELECT count(*), sum(id) FROM scan_big;
SELECT count(*), sum(id) FROM scan_big WHERE id > 15000;
SELECT count(*), sum(id), max(v) FROM scan_big WHERE v = 'value 3' AND k < 50;
SELECT count(DISTINCT ctid), count(DISTINCT tableoid) FROM scan_big;
-- all row groups are read once, whoever reads them
CREATE FUNCTION scan_show(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) %s', query) LOOP
		IF line ~ 'Row Groups|Blocks' THEN
			RETURN NEXT line;
		END IF;
	END LOOP;
END $$;
SELECT scan_show('SELECT sum(k) FROM scan_big WHERE id > 10000');

-- joins: shared on both sides, or a whole scan in each worker
SET enable_mergejoin = off;
SELECT count(*), sum(length(name)) FROM scan_big JOIN scan_dim USING (k) WHERE id % 2 = 0;
SET enable_parallel_hash = off;
EXPLAIN (COSTS OFF) SELECT count(*), sum(length(name)) FROM scan_big JOIN scan_dim USING (k) WHERE id % 2 = 0;
SELECT count(*), sum(length(name)) FROM scan_big JOIN scan_dim USING (k) WHERE id % 2 = 0;
SET enable_hashjoin = off;
SELECT count(*), sum(length(name)) FROM scan_big JOIN scan_dim USING (k) WHERE id <= 2000;
RESET enable_hashjoin;
RESET enable_parallel_hash;
RESET enable_mergejoin;

-- a Gather that is scanned again and again
SET enable_material = off;
SELECT f.id, (SELECT count(*) FROM scan_big b WHERE b.id >= f.id) FROM scan_few f ORDER BY 1;
SELECT f.id, n FROM scan_few f CROSS JOIN LATERAL (SELECT count(*) AS n FROM scan_big b WHERE b.k = 3 AND f.id IS NOT NULL OFFSET 0) x ORDER BY 1;
RESET enable_material;

-- limits, sorts
SELECT count(*) FROM (SELECT * FROM scan_big LIMIT 500) x;
SELECT id, v FROM scan_big ORDER BY id DESC LIMIT 3;

-- the transaction's own rows, also those of a statement that still runs
BEGIN;
INSERT INTO scan_big SELECT g, 1000, 'own' FROM generate_series(30001, 30500) g;
SELECT count(*) FROM scan_big WHERE k = 1000;
SAVEPOINT s;
SELECT count(*) FROM scan_big WHERE k = 1000;
CREATE FUNCTION scan_seen() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(*) FROM scan_big WHERE k = 2000);
EXCEPTION WHEN division_by_zero THEN
	RETURN NULL;
END $$;
INSERT INTO scan_big SELECT g, 2000, scan_seen()::text FROM generate_series(1, 3) g;
SELECT id, v FROM scan_big WHERE k = 2000 ORDER BY id;
ROLLBACK;
SELECT count(*) FROM scan_big WHERE k >= 1000;

DROP TABLE scan_big, scan_dim, scan_few;
DROP FUNCTION scan_show;
