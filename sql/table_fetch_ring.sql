-- What single rows are fetched from: pieces lie in a ring until they are used again.
\set VERBOSITY terse
CREATE TABLE ring_c (id int PRIMARY KEY, n bigint, s text, u uuid, t timestamptz, w text, d int) USING ecinsight_columnar;
CREATE TABLE ring_h (LIKE ring_c INCLUDING ALL) USING heap;
INSERT INTO ring_h SELECT i, (i * 7919::bigint) % 100003, CASE WHEN i % 11 > 0 THEN 'k' || i % 5000 END, md5((i / 3)::text)::uuid,
	timestamptz '2026-01-01 UTC' + i / 7 * interval '1 s', repeat(md5(i::text), 3), i / 2000
FROM generate_series(1, 200000) i;
INSERT INTO ring_c SELECT * FROM ring_h;
ANALYZE ring_h;
ANALYZE ring_c;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET ecinsight.enable_columnar_scan = off;

-- all columns of these rows, found by the index one after the other, are those of the heap
CREATE FUNCTION same(keys text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan text;
	counted bigint;
	wrong bigint;
BEGIN
	FOR plan IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT c FROM (' || keys || ' OFFSET 0) k JOIN ring_c c ON c.id = k.id' LOOP
		EXIT WHEN plan LIKE '%Index Scan using ring_c_pkey%';
	END LOOP;
	EXECUTE 'SELECT count(*), count(*) FILTER (WHERE c.* IS DISTINCT FROM h.*) FROM (' || keys ||
		' OFFSET 0) k JOIN ring_c c ON c.id = k.id JOIN ring_h h ON h.id = k.id' INTO counted, wrong;
	RETURN format('%s rows, %s wrong%s', counted, wrong, CASE WHEN plan IS NULL THEN ', without the index' END);
END $$;
-- kilobytes of opened row groups
CREATE FUNCTION kept() RETURNS bigint LANGUAGE sql AS
	$$ SELECT (coalesce(sum(total_bytes), 0) / 1024)::bigint FROM pg_backend_memory_contexts WHERE name = 'ecinsight opened row group' $$;

-- a row of each block: nothing of what was opened is worth keeping
SELECT same('SELECT i * 16384 + 5000 AS id FROM generate_series(0, 11) i');
SELECT kept() < 4096 AS kept_little;
-- rows beside each other use pieces where they lie, and so do the same rows again
SELECT same('SELECT i AS id FROM generate_series(60000, 61000) i');
SELECT kept() < 4096 AS kept_little;
-- in any order, until all that is used is kept, and once more from there
SELECT same('SELECT (i * 7919::bigint % 200000)::int + 1 AS id FROM generate_series(1, 3000) i');
SELECT kept() > 5000 AS kept_more;
SELECT same('SELECT (i * 104729::bigint % 200000)::int + 1 AS id FROM generate_series(1, 3000) i');
-- forth and back
SELECT same('SELECT CASE WHEN i % 2 = 0 THEN i ELSE 200000 - i END AS id FROM generate_series(1, 2000) i');

-- what lies in the ring goes with its table, and with a change of it
SELECT same('SELECT i * 20000 + 77 AS id FROM generate_series(0, 9) i');
ALTER TABLE ring_c ADD COLUMN x int DEFAULT 5;
ALTER TABLE ring_h ADD COLUMN x int DEFAULT 5;
SELECT same('SELECT i * 20000 + 77 AS id FROM generate_series(0, 9) i');
BEGIN;
TRUNCATE ring_c;
INSERT INTO ring_c SELECT * FROM ring_h WHERE id % 2 = 0;
SELECT same('SELECT i AS id FROM generate_series(1, 30000, 999) i');
ROLLBACK;
SELECT same('SELECT i AS id FROM generate_series(1, 30000, 999) i');
VACUUM FULL ring_c;
SELECT same('SELECT i AS id FROM generate_series(1, 200000, 9999) i');

-- less room than is needed
SET ecinsight.fetch_cache = '1MB';
SELECT same('SELECT (i * 50021::bigint % 200000)::int + 1 AS id FROM generate_series(1, 500) i');
SELECT kept() < 4096 AS kept_little;
RESET ecinsight.fetch_cache;

-- pieces larger than what usually is in use of the ring, and than all of it
CREATE TABLE ring_big_c (id int PRIMARY KEY, small int, w text) USING ecinsight_columnar;
INSERT INTO ring_big_c SELECT i, i % 100, repeat(md5(i::text), CASE WHEN i <= 3000 THEN 20 ELSE 60 END) FROM generate_series(1, 6000) i;
SELECT count(*), count(*) FILTER (WHERE small <> id % 100 OR w <> repeat(md5(id::text), CASE WHEN id <= 3000 THEN 20 ELSE 60 END)) AS wrong
FROM generate_series(1, 6000, 17) i JOIN ring_big_c ON id = i;
CREATE TABLE ring_middle_c USING ecinsight_columnar AS SELECT id, small, left(w, 200) AS w FROM ring_big_c;
CREATE INDEX ON ring_middle_c (id);
SELECT count(*), count(*) FILTER (WHERE m.small <> m.id % 100 OR m.w <> left(b.w, 200)) AS wrong
FROM generate_series(1, 6000, 17) i JOIN ring_middle_c m ON m.id = i JOIN ring_big_c b ON b.id = i;
DROP TABLE ring_c, ring_h, ring_big_c, ring_middle_c;
DROP FUNCTION same(text), kept();
