-- Deleted rows: hidden from every kind of scan, whatever hides them.
SET ecinsight.row_group_rows = 40000;
CREATE TABLE masks_heap (a int, k int, v text, n numeric(10,2), u uuid, t timestamptz) USING heap;
CREATE TABLE masks (LIKE masks_heap) USING ecinsight_columnar WITH (autovacuum_enabled = off);
INSERT INTO masks_heap SELECT g, g % 97, CASE WHEN g % 5 > 0 THEN 'value ' || g % 13 END, CASE WHEN g % 11 > 0 THEN g / 7.0 END,
		md5((g % 1000)::text)::uuid, '2024-01-01 UTC'::timestamptz + g * '1 min'::interval
	FROM generate_series(1, 60000) g;
INSERT INTO masks SELECT * FROM masks_heap;
SELECT number, form, rows, masked_rows, is_numbered FROM ecinsight.row_groups('masks') ORDER BY number;

-- what a statement says of both tables; one line if they agree
CREATE FUNCTION agree(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE heap text; columnar text;
BEGIN
	EXECUTE format('SELECT string_agg(q::text, '' '') FROM (%s) q', replace(query, 'TAB', 'masks_heap')) INTO heap;
	EXECUTE format('SELECT string_agg(q::text, '' '') FROM (%s) q', replace(query, 'TAB', 'masks')) INTO columnar;
	RETURN CASE WHEN heap IS NOT DISTINCT FROM columnar THEN 'agree: ' || left(heap, 60) ELSE 'heap ' || heap || ' columnar ' || columnar END;
END $$;
CREATE FUNCTION check_masks(verified boolean DEFAULT false) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT agree(q) FROM unnest(ARRAY[
		'SELECT count(*) FROM TAB',
		'SELECT count(*), sum(a), sum(k), count(v), sum(n), count(DISTINCT u), min(t), max(t) FROM TAB',
		'SELECT md5(string_agg(x::text, '','' ORDER BY x.a)) FROM TAB x',
		'SELECT count(*), sum(a) FROM TAB WHERE a BETWEEN 15000 AND 35000',
		'SELECT count(*), sum(a) FROM TAB WHERE v = ''value 3'' OR k < 5',
		'SELECT count(*), sum(a) FROM TAB WHERE v IS NULL AND n IS NOT NULL',
		'SELECT v, count(*), sum(n) FROM TAB WHERE t >= ''2024-02-01 UTC'' GROUP BY v ORDER BY v',
		'SELECT count(*) FROM TAB x JOIN TAB y ON x.a = y.a + 1 WHERE y.k = 7']) q;
	IF EXISTS (TABLE masks_heap EXCEPT ALL TABLE masks) OR EXISTS (TABLE masks EXCEPT ALL TABLE masks_heap) THEN
		RETURN NEXT 'the tables differ';
	END IF;
	IF verified THEN
		RETURN QUERY SELECT v::text FROM ecinsight.verify('masks') v;
	END IF;
END $$;

-- a block, a row group but for one row, one of a hundred, the first and the last row of blocks
DELETE FROM masks_heap WHERE a BETWEEN 16385 AND 32768;
DELETE FROM masks WHERE a BETWEEN 16385 AND 32768;
DELETE FROM masks_heap WHERE a BETWEEN 40001 AND 55000 AND a <> 50000;
DELETE FROM masks WHERE a BETWEEN 40001 AND 55000 AND a <> 50000;
DELETE FROM masks_heap WHERE a * 7919 % 100 = 3 OR a IN (1, 16384, 32769, 40000, 55001, 60000);
DELETE FROM masks WHERE a * 7919 % 100 = 3 OR a IN (1, 16384, 32769, 40000, 55001, 60000);
SELECT check_masks(true);
SELECT count(*) = (SELECT sum(rows) - sum(masked_rows) FROM ecinsight.row_groups('masks')) AS counted,
	count(*) = (SELECT sum(rows) - sum(masked_rows) FROM ecinsight.columnar_stats('masks') WHERE column_name IS NULL) AS counted_too FROM masks;
SELECT number, rows, masked_rows FROM ecinsight.row_groups('masks') ORDER BY number;

-- blocks without a row are not read
DO $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT a FROM masks WHERE a < 35000' LOOP
		RAISE INFO '%', regexp_replace(line, '(rows=\d+)\.00', '\1'); -- 18 shows fractions
	END LOOP;
END $$;

-- by PostgreSQL's own scan, in parallel, and one after the other
SET ecinsight.enable_columnar_scan = off;
SELECT check_masks();
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT count(*) FROM masks;
SELECT check_masks();
RESET ecinsight.enable_columnar_scan;
SELECT check_masks();
EXPLAIN (COSTS OFF) SELECT count(*) FROM masks;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;

-- the deleter, others' snapshots, savepoints
BEGIN; DELETE FROM masks WHERE a > 57000; SELECT count(*), max(a) FROM masks;
SAVEPOINT s; DELETE FROM masks WHERE a > 1000; SELECT count(*), max(a) FROM masks;
ROLLBACK TO s; SELECT count(*), max(a) FROM masks; ROLLBACK;
SELECT check_masks();
BEGIN; DECLARE old CURSOR FOR SELECT count(*), sum(a) FROM masks; DELETE FROM masks; SELECT count(*) FROM masks;
INSERT INTO masks SELECT * FROM masks_heap WHERE a < 100; SELECT count(*) FROM masks; FETCH old; ROLLBACK;

-- cursors: forwards, backwards, scrolling, held; what they return is what a scan returns
CREATE FUNCTION walk() RETURNS text LANGUAGE plpgsql AS $$
DECLARE c SCROLL CURSOR FOR SELECT a FROM masks; x int; forwards int[] = '{}'; backwards int[] = '{}'; i int = 0;
BEGIN
	OPEN c;
	LOOP FETCH c INTO x; EXIT WHEN NOT FOUND; forwards := forwards || x; i := i + 1; EXIT WHEN i = 2000; END LOOP;
	LOOP FETCH BACKWARD FROM c INTO x; EXIT WHEN NOT FOUND; backwards := x || backwards; END LOOP;
	LOOP FETCH c INTO x; EXIT WHEN NOT FOUND; i := i - 1; EXIT WHEN i = 0; END LOOP;
	RETURN format('%s %s %s', forwards[1 : 1999] = backwards, i, x = forwards[2000]);
END $$;
SELECT walk();
SET ecinsight.enable_columnar_scan = off; SELECT walk(); RESET ecinsight.enable_columnar_scan;
BEGIN; DECLARE s SCROLL CURSOR FOR SELECT a, v FROM masks WHERE a > 30000;
FETCH 2 FROM s; MOVE FORWARD ALL IN s; FETCH BACKWARD 2 FROM s; FETCH ABSOLUTE 7169 FROM s; FETCH RELATIVE -1 FROM s; FETCH FIRST FROM s; FETCH LAST FROM s; COMMIT;
BEGIN; DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT a FROM masks WHERE a BETWEEN 32000 AND 32800; DELETE FROM masks WHERE a = 32771; COMMIT;
DELETE FROM masks_heap WHERE a = 32771;
FETCH 3 FROM held; FETCH LAST FROM held; CLOSE held;

-- insights, straight from row groups and through the executor
CREATE TABLE events_heap (event_time timestamptz, event_type text, product_id bigint, category_id bigint, category_code text, brand text, price numeric(10,2), user_id bigint, user_session text) USING heap;
CREATE TABLE events (LIKE events_heap) USING ecinsight_columnar WITH (autovacuum_enabled = off);
INSERT INTO events_heap SELECT t, (ARRAY['view', 'cart', 'purchase'])[1 + a % 3], a % 50, k, 'category ' || k % 7, v, n, a % 300, u::text
	FROM (SELECT g AS a, g % 97 AS k, CASE WHEN g % 5 > 0 THEN 'brand ' || g % 13 END AS v, CASE WHEN g % 11 > 0 THEN g / 7.0 END AS n,
		md5((g % 1000)::text)::uuid AS u, '2024-01-01 UTC'::timestamptz + g * '1 min'::interval AS t FROM generate_series(1, 40000) g) x;
INSERT INTO events SELECT * FROM events_heap;
DELETE FROM events_heap WHERE user_id % 10 = 3 OR product_id = 7 OR event_time BETWEEN '2024-01-12 UTC' AND '2024-01-24 UTC';
DELETE FROM events WHERE user_id % 10 = 3 OR product_id = 7 OR event_time BETWEEN '2024-01-12 UTC' AND '2024-01-24 UTC';
UPDATE events_heap SET brand = NULL, price = 1 WHERE user_id = 5;
UPDATE events SET brand = NULL, price = 1 WHERE user_id = 5;
CREATE FUNCTION same_insight(call text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE heap text; columnar text;
BEGIN
	EXECUTE format('SELECT md5(string_agg(x::text, '','')) FROM ecinsight.%s x', replace(call, 'TAB', quote_literal('events_heap'))) INTO heap;
	EXECUTE format('SELECT md5(string_agg(x::text, '','')) FROM ecinsight.%s x', replace(call, 'TAB', quote_literal('events'))) INTO columnar;
	RETURN heap = columnar;
END $$;
SELECT c, same_insight(c) FROM unnest(ARRAY['top_user_category_brands(TAB, k => 100)', 'popular_categories(TAB, complete_only => true)',
	'price_sensitivity(TAB, since => ''2024-01-11 UTC'', event_types => ''{view,purchase}'')', 'top_user_categories(TAB)']) c;

-- compaction folds tombstones into masks and drops rows; the answers stay
SELECT tombstones_folded + rows_dropped > 0 AS compacted FROM ecinsight.compact('masks');
SELECT check_masks();
VACUUM masks;
SELECT check_masks(true);
DELETE FROM masks_heap WHERE a % 10 = 4; DELETE FROM masks WHERE a % 10 = 4;
VACUUM masks;
SELECT check_masks(true);

-- sorted by compaction, the rows keep their numbers: numbered row groups
SELECT ecinsight.set_options('masks', order_by => 'v, a');
SELECT string_agg(ctid::text, ',' ORDER BY a) AS before FROM masks WHERE a IN (50000, 2, 59999) \gset
SELECT groups_written > 0 AS sorted FROM ecinsight.compact('masks');
SELECT bool_or(is_numbered) AS numbered FROM ecinsight.row_groups('masks');
SELECT check_masks(true);
SELECT string_agg(ctid::text, ',' ORDER BY a) = :'before' AS same FROM masks WHERE a IN (50000, 2, 59999);
DELETE FROM masks_heap WHERE a % 9 = 2 OR v = 'value 6'; DELETE FROM masks WHERE a % 9 = 2 OR v = 'value 6';
UPDATE masks_heap SET v = 'sorted', k = -1 WHERE a % 500 = 1; UPDATE masks SET v = 'sorted', k = -1 WHERE a % 500 = 1;
SELECT check_masks(true);
SELECT count(*) = (SELECT sum(rows) - sum(masked_rows) FROM ecinsight.row_groups('masks')) AS counted FROM masks;
SELECT walk();
VACUUM masks;
SELECT check_masks(true);
DROP TABLE masks, masks_heap, events, events_heap;
DROP FUNCTION agree, check_masks, walk, same_insight;
