-- Row groups of several blocks, each block of another nature: one value, all NULL, few
-- values, all different, mixed.  Heap and columnar table must agree.
SET ecinsight.row_group_rows = 100000;
CREATE TABLE scan_block_heap (id int, a int, i int8, t text, c text COLLATE "C", n numeric(12,3), nn numeric, f float8, u uuid, us text, d date, b bool, arr int[]) USING heap;
INSERT INTO scan_block_heap
SELECT id, id, CASE kind WHEN 0 THEN 7 WHEN 1 THEN NULL WHEN 2 THEN id % 3 WHEN 3 THEN id::int8 * 1000003 ELSE nullif(id % 50, 7) END,
	CASE kind WHEN 0 THEN 'one' WHEN 1 THEN NULL WHEN 2 THEN (ARRAY['one', 'two', NULL, 'three'])[id % 4 + 1] WHEN 3 THEN 'many ' || id ELSE (ARRAY['one', 'four', NULL])[id % 3 + 1] END,
	CASE kind WHEN 0 THEN 'prefix00a' WHEN 1 THEN NULL WHEN 2 THEN 'prefix00' || chr(97 + id % 3) WHEN 3 THEN 'prefix01' || id ELSE 'prefix' || id % 7 END,
	CASE kind WHEN 0 THEN 1.5 WHEN 1 THEN NULL WHEN 2 THEN id % 5 / 4.0 WHEN 3 THEN id / 8.0 ELSE nullif(id % 9, 3) END,
	CASE kind WHEN 0 THEN 1.5 WHEN 1 THEN NULL WHEN 2 THEN id % 5 / 4.0 WHEN 3 THEN id / 8.0 ELSE nullif(id % 9, 3) END,
	CASE kind WHEN 0 THEN 'NaN' WHEN 1 THEN NULL WHEN 2 THEN id % 5 / 4.0 WHEN 3 THEN id / 8.0 ELSE nullif(id % 9, 3) END,
	CASE kind WHEN 0 THEN md5('0')::uuid WHEN 1 THEN NULL WHEN 2 THEN md5((id % 3)::text)::uuid WHEN 3 THEN md5(id::text)::uuid ELSE md5(nullif(id % 9, 3)::text)::uuid END,
	CASE kind WHEN 0 THEN md5('0')::uuid::text WHEN 1 THEN NULL WHEN 2 THEN md5((id % 3)::text)::uuid::text WHEN 3 THEN md5(id::text)::uuid::text ELSE md5(nullif(id % 9, 3)::text)::uuid::text END,
	CASE kind WHEN 0 THEN date '2019-10-01' WHEN 1 THEN NULL WHEN 2 THEN date '2019-10-01' + id % 3 WHEN 3 THEN date '2019-01-01' + id % 365 ELSE 'infinity' END,
	CASE kind WHEN 0 THEN true WHEN 1 THEN NULL WHEN 2 THEN id % 2 = 0 WHEN 3 THEN false ELSE nullif(id % 3, 2) = 1 END,
	CASE kind WHEN 0 THEN '{1}'::int[] WHEN 1 THEN NULL WHEN 2 THEN ARRAY[id % 3, NULL] WHEN 3 THEN ARRAY[id] ELSE '{}' END
FROM (SELECT g AS id, ((g / 16384) + g / 82000) % 5 AS kind FROM generate_series(0, 139999) g) x;
-- two row groups, whose kinds of blocks come in another order
CREATE TABLE scan_block_col (LIKE scan_block_heap) USING ecinsight_columnar;
INSERT INTO scan_block_col SELECT * FROM scan_block_heap ORDER BY id;
ANALYZE scan_block_heap, scan_block_col;

CREATE TABLE scan_block_preds (n serial, pred text);
INSERT INTO scan_block_preds (pred) SELECT unnest(ARRAY[
	'true', 'a < 16384', 'a BETWEEN 16383 AND 16384', 'a >= 131072', 'a IN (0, 49151, 49152, 139999)',
	'i = 7', 'i <> 7', 'i IS NULL', 'i IS NOT NULL', 'i < 2', 'i > 40 AND i < 60', 'i = ANY (''{0,7,49}'')', 'i <> ALL (''{0,7,49}'')', 'i IS DISTINCT FROM 7', 'i % 2 = 0',
	't = ''one''', 't <> ''one''', 't IN (''one'', ''four'')', 't NOT IN (''one'', ''four'')', 't = ''many 60000''', 't LIKE ''%o%''', 't LIKE ''many 6%''', 'length(t) = 3', 't IS NULL OR t = ''two''', 'upper(t) = ''ONE'' AND i = 7', 'coalesce(t, ''?'') = ''?''',
	'c < ''prefix00b''', 'c >= ''prefix01''', 'c = ''prefix00a''', 'c > ''prefix3'' OR c = ''prefix00c''', 'c BETWEEN ''prefix0'' AND ''prefix015''', 'c LIKE ''prefix00%''',
	'n = 1.5', 'n > 1', 'n < 0.2501', 'n IS NULL', 'n IN (1, 2, 3.5)', 'nn = 1.5', 'nn > 1', 'nn + n > 3', 'f = ''NaN''', 'f > 1', 'f <> ''NaN''', 'f IS NOT DISTINCT FROM NULL',
	'u = md5(''0'')::uuid', 'u <> md5(''0'')::uuid', 'u > md5(''2'')::uuid', 'u::text LIKE ''c%''', 'us = md5(''0'')::uuid::text', 'us COLLATE "C" < ''4''', 'us LIKE ''c%''', 'us = ''x''',
	'd = ''2019-10-01''', 'd < ''2019-03-01''', 'd = ''infinity''', 'd > timestamp ''2019-10-01 12:00'' AND b', 'b', 'NOT b', 'b IS NOT TRUE', 'b IS NULL',
	'arr = ''{1}''', 'cardinality(arr) = 1', 'arr IS NULL', '1 = ANY (arr)',
	't = ''one'' AND n = 1.5 AND b', 't = ''one'' OR n = 1.5 OR b', '(t = ''two'' OR i = 2) AND (c < ''prefix00c'' OR d IS NULL)', 't LIKE ''o%'' AND c LIKE ''%a'' AND us LIKE ''c%''', 's.t = ''three'' AND s::text LIKE ''%three%''']);

-- count, ids and (of some rows) all columns of what a predicate selects
CREATE FUNCTION scan_block_digest(tab regclass, pred text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE format('SELECT count(*) || '' '' || coalesce(sum(id), 0) || '' '' || coalesce(sum(hashtext(s::text)) FILTER (WHERE id % 32 < 2), 0) FROM %s s WHERE %s', tab, pred) INTO result;
	RETURN result;
END $$;
CREATE FUNCTION scan_block_compare() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	p record;
BEGIN
	FOR p IN SELECT pred FROM scan_block_preds ORDER BY n LOOP
		IF scan_block_digest('scan_block_heap', p.pred) <> scan_block_digest('scan_block_col', p.pred) THEN
			RETURN NEXT 'differs: ' || p.pred;
		END IF;
	END LOOP;
END $$;
SELECT count(*) FROM scan_block_preds;
SET max_parallel_workers_per_gather = 0;
SELECT scan_block_compare();

-- the same rows from both ends
BEGIN;
DECLARE scan_block_c SCROLL CURSOR FOR SELECT id, t FROM scan_block_col WHERE t LIKE '%e' AND i = 2;
MOVE LAST IN scan_block_c;
FETCH BACKWARD 3 FROM scan_block_c;
MOVE BACKWARD ALL IN scan_block_c;
FETCH 3 FROM scan_block_c;
COMMIT;
SELECT count(*), min(id), max(id) FROM scan_block_heap WHERE t LIKE '%e' AND i = 2;

DROP TABLE scan_block_heap, scan_block_col, scan_block_preds;
DROP FUNCTION scan_block_digest, scan_block_compare;
