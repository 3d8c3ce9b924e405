-- Rows inserted singly have no index entries of their own in the companion: one tuple tells the page of many.  All are found all the same.
SET client_min_messages = warning;
SET enable_seqscan = off;
CREATE TABLE place (id int PRIMARY KEY, v int) USING ecinsight_columnar WITH (autovacuum_enabled = off);

-- n rows from a number on, each in a transaction
CREATE PROCEDURE singly(first int, n int) LANGUAGE plpgsql AS $$ BEGIN FOR i IN first .. first + n - 1 LOOP INSERT INTO place VALUES (i, 0); COMMIT; END LOOP; END $$;
-- rows found one by one by the index, all rows, what verify finds
CREATE FUNCTION found(n int) RETURNS text LANGUAGE plpgsql SET enable_bitmapscan = off AS $$
DECLARE
	hits int := 0;
	hit int;
	kinds text;
BEGIN
	FOR i IN 1 .. n LOOP
		SELECT count(*) INTO hit FROM place WHERE id = i;
		hits := hits + hit;
	END LOOP;
	SELECT string_agg(problem, '; ') INTO kinds FROM ecinsight.verify('place');
	RETURN format('%s by index, %s in all, %s', hits, (SELECT count(*) FROM (SELECT * FROM place OFFSET 0) x), coalesce(kinds, 'clean'));
END $$;
SELECT reltoastrelid::regclass AS companion FROM pg_class WHERE relname = 'place' \gset

-- bytes of the companion's index for so many rows: 20 each before
CALL singly(1, 3000);
SELECT pg_indexes_size(:'companion') <= 32768 AS index_is_small;
SELECT found(3000);

-- update, delete, lock, by index and by a scan; a row that leaves its page
UPDATE place SET v = 1 WHERE id = 5;
UPDATE place SET v = 2 WHERE id % 100 = 7;
DELETE FROM place WHERE id = 6;
DELETE FROM place WHERE id % 100 = 8;
SELECT count(*) FROM (SELECT FROM place WHERE id % 100 = 9 FOR UPDATE) x;
UPDATE place SET v = v + 1 WHERE id % 100 = 9;
INSERT INTO place VALUES (10, 5), (6, 5) ON CONFLICT (id) DO UPDATE SET v = excluded.v + 1;
INSERT INTO place VALUES (11, 5) ON CONFLICT DO NOTHING;
SELECT v, count(*) FROM place GROUP BY v ORDER BY v;
SELECT found(3000);

-- rolled back between rows that are not; the same numbers don't come again
BEGIN;
INSERT INTO place VALUES (3001, 0);
SAVEPOINT s;
INSERT INTO place VALUES (3002, 1);
INSERT INTO place VALUES (3003, 1);
INSERT INTO place VALUES (3004, 1);
ROLLBACK TO s;
INSERT INTO place VALUES (3002, 0);
INSERT INTO place VALUES (3003, 0);
COMMIT;
CALL singly(3004, 10);
BEGIN;
INSERT INTO place VALUES (3014, 1);
INSERT INTO place VALUES (3015, 1);
ROLLBACK;
CALL singly(3014, 10);
SELECT found(3100);

-- a row found by a cursor's older snapshot, and by tid
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM place WHERE id BETWEEN 3001 AND 3003;
INSERT INTO place VALUES (3024, 0);
FETCH ALL FROM c;
SELECT count(*) FROM place a JOIN place b ON a.ctid = b.ctid WHERE a.id > 2990;
COMMIT;

-- compaction takes all; what told their places goes with them, and the session goes on
VACUUM place;
SELECT count(*) FROM :companion WHERE chunk_id::bigint & 255 = 6;
SELECT count(*) FROM (SELECT * FROM place OFFSET 0) x;
CALL singly(3025, 100);
SELECT found(3200);

-- one command deletes rows of row groups first, and then such that stand singly
BEGIN;
DELETE FROM place WHERE id > 2000 AND id % 2 = 0;
SELECT found(3200);
ROLLBACK;
DELETE FROM place WHERE id > 2000 AND id % 3 = 0;
SELECT found(3200);

-- a part is deleted and vacuumed away, its pages are used again
CALL singly(3200, 500);
DELETE FROM place WHERE id BETWEEN 3200 AND 3690;
VACUUM :companion;
CALL singly(3700, 300);
SELECT found(4000);
VACUUM place;
SELECT found(4000);

-- the companion is rewritten, its index built anew
CALL singly(4000, 200);
VACUUM FULL :companion;
CALL singly(4200, 100);
SELECT found(4300);
REINDEX TABLE :companion;
CALL singly(4300, 100);
SELECT found(4400);
REINDEX TABLE CONCURRENTLY :companion;
CALL singly(4400, 100);
SELECT found(4500);
UPDATE place SET v = 7 WHERE id > 4000;
DELETE FROM place WHERE id > 4000 AND id % 2 = 1;
SELECT found(4500);
VACUUM FULL place;
CALL singly(4501, 100);
SELECT found(4700);
TRUNCATE place;
CALL singly(1, 100);
SELECT found(100);
BEGIN;
TRUNCATE place;
INSERT INTO place VALUES (1, 0);
INSERT INTO place VALUES (2, 0);
INSERT INTO place VALUES (3, 0);
SELECT found(10);
TRUNCATE place;
INSERT INTO place VALUES (1, 0);
INSERT INTO place VALUES (2, 0);
INSERT INTO place VALUES (3, 0);
COMMIT;
CALL singly(4, 10);
SELECT found(20);

-- wide rows: few to a page; temporary and unlogged tables
CREATE TEMP TABLE narrow_temp (id int PRIMARY KEY, v text) USING ecinsight_columnar;
CREATE UNLOGGED TABLE narrow_unlogged (id int PRIMARY KEY, v text) USING ecinsight_columnar;
DO $$ BEGIN
	FOR i IN 1 .. 200 LOOP
		INSERT INTO narrow_temp VALUES (i, repeat('x', i * 20 % 3000));
		INSERT INTO narrow_unlogged VALUES (i, repeat('x', i * 20 % 3000));
		COMMIT;
	END LOOP;
END $$;
SELECT count(*), sum(length(v)) FROM generate_series(1, 200) i, LATERAL (SELECT v FROM narrow_temp WHERE id = i) x;
SELECT count(*), sum(length(v)) FROM generate_series(1, 200) i, LATERAL (SELECT v FROM narrow_unlogged WHERE id = i) x;
DROP TABLE place, narrow_unlogged;
DROP PROCEDURE singly;
DROP FUNCTION found;
