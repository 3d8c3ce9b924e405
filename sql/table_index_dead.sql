-- Index entries of rows that are dead for everybody are marked by whoever meets them, and removed when their page is full.
CREATE SCHEMA table_index_dead;
SET search_path = table_index_dead, public;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET ecinsight.enable_columnar_scan = off;
CREATE TABLE t (key int, v text) USING ecinsight_columnar;
CREATE INDEX t_key ON t (key) WITH (deduplicate_items = off);
INSERT INTO t VALUES (-1, 'stays');

-- Rows that never came to be, single ones and those of a batch: 30,000 entries.
CREATE PROCEDURE come_and_go(times int, seen text)
LANGUAGE plpgsql AS $$
DECLARE
	n int;
BEGIN
	FOR i IN 1 .. times LOOP
		BEGIN
			EXECUTE seen INTO n;
			IF n <> 0 THEN
				RAISE 'rows of a transaction that was rolled back are seen';
			END IF;
			INSERT INTO t SELECT g, 'goes' FROM generate_series(1, 100) g;
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
END $$;
CALL come_and_go(300, 'SELECT count(*) FROM t WHERE key > 0');
SELECT pg_relation_size('t_key') / current_setting('block_size')::int < 8 AS small;

-- Nobody meets them: the index grows.
CALL come_and_go(300, 'SELECT 0');
SELECT pg_relation_size('t_key') / current_setting('block_size')::int > 40 AS grown;

-- The same inside of the transaction that makes the table.
BEGIN;
TRUNCATE t;
INSERT INTO t VALUES (-1, 'stays');
CALL come_and_go(300, 'SELECT count(*) FROM t WHERE key > 0');
SELECT pg_relation_size('t_key') / current_setting('block_size')::int < 8 AS small;
COMMIT;

-- What an exception block has written of its parent's rows and taken back is there again.
CREATE UNIQUE INDEX t_unique ON t (key);
DO $$
BEGIN
	FOR i IN 1 .. 200 LOOP
		INSERT INTO t VALUES (i, 'gathered');
	END LOOP;
	BEGIN
		ALTER TABLE t ADD COLUMN w int DEFAULT 5;
		PERFORM * FROM t WHERE key = 150;
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	FOR i IN 1 .. 200 LOOP
		PERFORM * FROM t WHERE key = i;
		IF NOT FOUND THEN
			RAISE 'row % is lost', i;
		END IF;
	END LOOP;
	BEGIN
		INSERT INTO t VALUES (77, 'again');
		RAISE 'a key came twice';
	EXCEPTION WHEN unique_violation THEN NULL;
	END;
END $$;
SELECT count(*), sum(key) FROM t WHERE key > -5;

-- Deleted and updated rows, in row groups and in tuples of their own, whether dead for everybody or not.
SET ecinsight.row_group_rows = 1024;
INSERT INTO t SELECT g, 'many' FROM generate_series(1001, 4000) g;
DELETE FROM t WHERE key % 3 = 0;
UPDATE t SET v = 'new' WHERE key % 5 = 0;
SELECT count(*), sum(key), count(*) FILTER (WHERE v = 'new') FROM t WHERE key > -5;
SELECT count(*), sum(key), count(*) FILTER (WHERE v = 'new') FROM t WHERE key > -5;
INSERT INTO t SELECT g, 'third' FROM generate_series(1, 4000) g ON CONFLICT (key) DO UPDATE SET v = 'conflict' WHERE t.key < 300;
SELECT v, count(*), sum(key) FROM t WHERE key > -5 GROUP BY v ORDER BY v COLLATE "C";
SET enable_seqscan = on;
SET enable_indexscan = off;
SELECT v, count(*), sum(key) FROM t GROUP BY v ORDER BY v COLLATE "C";
SELECT * FROM ecinsight.verify('t');
SET client_min_messages = warning;
DROP SCHEMA table_index_dead CASCADE;
