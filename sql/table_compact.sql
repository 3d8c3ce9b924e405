-- Compaction: small row groups, single rows, tombstones; a heap twin has the same rows before and after.
SET client_min_messages = warning;
CREATE SCHEMA table_compact;
SET search_path = table_compact, public;
CREATE FUNCTION differences(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM ((TABLE %1$s EXCEPT ALL TABLE %2$s) UNION ALL (TABLE %2$s EXCEPT ALL TABLE %1$s)) d', a, b) INTO n;
	RETURN n;
END $$;
-- until everything is old enough for all snapshots: others (autovacuum) may hold theirs for a moment
CREATE PROCEDURE settle(t regclass) LANGUAGE plpgsql AS $$
DECLARE later bigint := 1;
BEGIN
	FOR i IN 1 .. 200 LOOP
		SELECT left_for_later INTO later FROM ecinsight.compact(t);
		COMMIT;
		EXIT WHEN later = 0;
		PERFORM pg_sleep(0.05);
	END LOOP;
END $$;

-- small row groups and single rows
SET ecinsight.row_group_rows = 4096;
CREATE TABLE c (a int, b text, n numeric(10,2), u uuid, f float8, d date, j jsonb, gone int) USING ecinsight_columnar WITH (autovacuum_enabled = off);
DO $$ BEGIN
	FOR i IN 1 .. 200 LOOP
		INSERT INTO c SELECT i * 1000 + j, CASE WHEN j % 7 <> 0 THEN md5(j::text) END, j / 3.0, md5(i::text || j)::uuid, j / 7.0, '2024-01-01'::date + j,
			jsonb_build_object('i', i, 'j', j), j FROM generate_series(1, i % 100 + 1) j;
		COMMIT;
	END LOOP;
END $$;
ALTER TABLE c DROP COLUMN gone, ADD COLUMN added text DEFAULT 'x', ALTER n TYPE numeric(12,2);
CREATE TABLE h USING heap AS TABLE c;
CALL settle('c');
SELECT level, rows FROM ecinsight.row_groups('c') ORDER BY number;
SELECT differences('c', 'h');
SELECT * FROM ecinsight.verify('c');
-- nothing more to do
SELECT groups_merged, groups_written FROM ecinsight.compact('c');

-- deletions: few rows of a group are masked, groups with many are written anew, dead numbers stay dead
CREATE UNIQUE INDEX ON c (a); CREATE INDEX ON c (b);
DELETE FROM c WHERE a % 97 = 1; DELETE FROM h WHERE a % 97 = 1;
CALL settle('c');
SELECT differences('c', 'h'), (SELECT sum(masked_rows) > 0 FROM ecinsight.row_groups('c')) AS masked;
DELETE FROM c WHERE a % 100 < 40; DELETE FROM h WHERE a % 100 < 40;
UPDATE c SET b = 'new', a = a + 5000000 WHERE a % 13 = 2; UPDATE h SET b = 'new', a = a + 5000000 WHERE a % 13 = 2;
SELECT differences('c', 'h');
CALL settle('c');
SELECT differences('c', 'h'), (SELECT sum(masked_rows) FROM ecinsight.row_groups('c')) AS masked;
SELECT * FROM ecinsight.verify('c');
-- indexes still lead to all rows
SET enable_seqscan = off; SET ecinsight.enable_columnar_scan = off;
SELECT count(*) = (SELECT count(*) FROM h) FROM c JOIN h USING (a);
SELECT count(*) = (SELECT count(*) FROM h WHERE b = md5('50')) FROM c WHERE b = md5('50');
RESET enable_seqscan; RESET ecinsight.enable_columnar_scan;
INSERT INTO c (a) SELECT min(a) FROM h;

-- in the transaction that changes rows: what isn't committed is left alone
BEGIN;
INSERT INTO c (a) SELECT -i FROM generate_series(1, 200) i;
DELETE FROM c WHERE a BETWEEN 50000 AND 60000;
SELECT left_for_later > 0 FROM ecinsight.compact('c');
SAVEPOINT s;
UPDATE c SET a = -a WHERE a < 0;
SELECT left_for_later > 0 FROM ecinsight.compact('c');
ROLLBACK TO s;
SELECT count(*) FROM c WHERE a < 0;
ROLLBACK;
SELECT differences('c', 'h');
BEGIN; SELECT count(*) = 1 FROM ecinsight.compact('c'); SELECT count(*) = 1 FROM ecinsight.compact('c'); COMMIT;
SELECT differences('c', 'h');

-- an order: groups are sorted, rows keep their tids
CREATE TABLE o (a int, b text, c int) USING ecinsight_columnar WITH (autovacuum_enabled = off);
INSERT INTO o SELECT i, md5((i % 97)::text), i % 13 FROM generate_series(1, 20000) i;
CREATE TABLE oh USING heap AS SELECT ctid AS tid, * FROM o;
SELECT ecinsight.set_options('o', order_by => 'c, b');
CALL settle('o');
SELECT level, rows, is_numbered FROM ecinsight.row_groups('o') ORDER BY number;
SELECT count(*) FROM oh JOIN o ON o.ctid = oh.tid AND o.a = oh.a AND o.b = oh.b AND o.c = oh.c;
SELECT bool_and(ordered) FROM (SELECT (lag(c) OVER w IS NULL OR lag(c) OVER w <= c) AS ordered
	FROM (SELECT row_number() OVER () AS n, c FROM o LIMIT 4096) x WINDOW w AS (ORDER BY n)) y;
DELETE FROM o WHERE a % 3 = 0;
CALL settle('o');
SELECT count(*), sum(a), count(DISTINCT b) FROM o;
SELECT * FROM ecinsight.verify('o');

-- all rows deleted
DELETE FROM o;
CALL settle('o');
SELECT count(*) FROM ecinsight.row_groups('o');
SELECT count(*) FROM o;

-- VACUUM FULL and CLUSTER
VACUUM FULL c;
SELECT differences('c', 'h'), (SELECT sum(masked_rows) FROM ecinsight.row_groups('c')) AS masked;
CLUSTER c USING c_a_idx;
SELECT differences('c', 'h');
SELECT bool_and(ordered) FROM (SELECT (lag(a) OVER w IS NULL OR lag(a) OVER w <= a) AS ordered FROM (SELECT row_number() OVER () AS n, a FROM c) x WINDOW w AS (ORDER BY n)) y;
CREATE INDEX down ON c ((a % 50) DESC NULLS LAST, b);
CLUSTER c USING down;
SELECT differences('c', 'h');
SELECT bool_and(ordered) FROM (SELECT (lag(a % 50) OVER w IS NULL OR lag(a % 50) OVER w >= a % 50) AS ordered FROM (SELECT row_number() OVER () AS n, a FROM c) x WINDOW w AS (ORDER BY n)) y;
BEGIN;
INSERT INTO c (a) VALUES (-1); DELETE FROM c WHERE a % 10 = 5; SAVEPOINT s; INSERT INTO c (a) SELECT -i FROM generate_series(2, 500) i; ROLLBACK TO s;
UPDATE c SET b = 'last' WHERE a % 10 = 6;
CLUSTER c USING c_a_idx;
SELECT count(*) FROM c WHERE a < 0 OR a % 10 = 5;
COMMIT;
INSERT INTO h (a, added) VALUES (-1, 'x'); DELETE FROM h WHERE a % 10 = 5; UPDATE h SET b = 'last' WHERE a % 10 = 6;
SELECT differences('c', 'h');
SELECT * FROM ecinsight.verify('c');

-- the compacting transaction goes on with the rows that it has moved; here it can't be tried again until they are old enough
CREATE PROCEDURE wait_for_others() LANGUAGE plpgsql AS $$
DECLARE mine xid := pg_current_xact_id()::xid;
BEGIN
	COMMIT;
	WHILE EXISTS (SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND age(backend_xmin) >= age(mine)) LOOP
		PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
		COMMIT;
	END LOOP;
END $$;
CREATE TABLE moved (id int, v int) USING ecinsight_columnar WITH (autovacuum_enabled = off);
INSERT INTO moved SELECT g, g FROM generate_series(1, 60) g;
CALL wait_for_others();
BEGIN;
SELECT groups_written, rows_written FROM ecinsight.compact('moved');
UPDATE moved SET v = v + 100 WHERE id = 2;
SELECT * FROM moved WHERE id = 1 FOR UPDATE;
DELETE FROM moved WHERE id = 3;
SAVEPOINT a; UPDATE moved SET v = 0; DELETE FROM moved WHERE id = 7; ROLLBACK TO a;
SELECT count(*), sum(v) FROM moved;
COMMIT;
SELECT count(*), sum(v) FROM moved;
SELECT * FROM ecinsight.verify('moved');

-- who may
CREATE ROLE ec_compact_other;
GRANT USAGE ON SCHEMA table_compact, ecinsight TO ec_compact_other; GRANT SELECT ON c TO ec_compact_other;
SET ROLE ec_compact_other;
SELECT ecinsight.compact('c');
RESET ROLE;
SELECT ecinsight.compact('h');
BEGIN READ ONLY; SELECT ecinsight.compact('c'); ROLLBACK;
DROP OWNED BY ec_compact_other; DROP ROLE ec_compact_other;
DROP SCHEMA table_compact CASCADE;
