-- Rows of a row group that nobody has touched are deleted without a header: everything else that is done to them meets that.
CREATE TABLE tomb_h (id int PRIMARY KEY, v int) USING heap;
CREATE TABLE tomb_c (id int PRIMARY KEY, v int) USING ecinsight_columnar;
INSERT INTO tomb_h SELECT g, g % 7 FROM generate_series(1, 2000) g;
INSERT INTO tomb_c SELECT g, g % 7 FROM generate_series(1, 2000) g;

CREATE FUNCTION same(OUT same boolean, OUT rows bigint) LANGUAGE sql AS $$
	SELECT NOT EXISTS ((TABLE tomb_h EXCEPT ALL TABLE tomb_c) UNION ALL (TABLE tomb_c EXCEPT ALL TABLE tomb_h)), (SELECT count(*) FROM tomb_c)
$$;

-- A row that a join names twice.
DELETE FROM tomb_h USING (SELECT g % 100 + 1 AS id FROM generate_series(1, 200) g) x WHERE tomb_h.id = x.id;
DELETE FROM tomb_c USING (SELECT g % 100 + 1 AS id FROM generate_series(1, 200) g) x WHERE tomb_c.id = x.id;
SELECT * FROM same();

-- Savepoints: deleted, there again, deleted, changed.
BEGIN;
DELETE FROM tomb_c WHERE id BETWEEN 101 AND 200;
SELECT * FROM tomb_c WHERE id = 150;
SAVEPOINT a;
DELETE FROM tomb_c WHERE id BETWEEN 201 AND 300;
ROLLBACK TO a;
UPDATE tomb_c SET v = 100 WHERE id BETWEEN 251 AND 260;
DELETE FROM tomb_c WHERE id BETWEEN 255 AND 300;
SAVEPOINT b;
DELETE FROM tomb_c WHERE id BETWEEN 201 AND 250;
RELEASE b;
INSERT INTO tomb_c SELECT g, 200 FROM generate_series(150, 210) g;
COMMIT;
DELETE FROM tomb_h WHERE id BETWEEN 101 AND 250 OR id BETWEEN 255 AND 300;
UPDATE tomb_h SET v = 100 WHERE id BETWEEN 251 AND 254;
INSERT INTO tomb_h SELECT g, 200 FROM generate_series(150, 210) g;
SELECT * FROM same();

-- What a rolled back deletion leaves hinders nothing.
BEGIN;
DELETE FROM tomb_c WHERE id BETWEEN 400 AND 500;
ROLLBACK;
DELETE FROM tomb_c WHERE id BETWEEN 450 AND 460;
UPDATE tomb_c SET v = v + 1 WHERE id BETWEEN 461 AND 470;
SELECT count(*) FROM (SELECT * FROM tomb_c WHERE id BETWEEN 400 AND 500 FOR UPDATE) x;
DELETE FROM tomb_h WHERE id BETWEEN 450 AND 460;
UPDATE tomb_h SET v = v + 1 WHERE id BETWEEN 461 AND 470;
SELECT * FROM same();

-- Rows in groups and in tuples of their own in turns.
UPDATE tomb_h SET v = v + 1 WHERE id % 2 = 0 AND id BETWEEN 600 AND 700;
UPDATE tomb_c SET v = v + 1 WHERE id % 2 = 0 AND id BETWEEN 600 AND 700;
DELETE FROM tomb_h WHERE id BETWEEN 620 AND 680;
DELETE FROM tomb_c WHERE id BETWEEN 620 AND 680;
DO $$ BEGIN FOR i IN 681 .. 700 LOOP DELETE FROM tomb_c WHERE id = i; DELETE FROM tomb_h WHERE id = i; END LOOP; END $$;
SELECT * FROM same();

-- A trigger that deletes the row which is about to be deleted or updated.
CREATE FUNCTION delete_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('DELETE FROM %I WHERE id = $1', TG_TABLE_NAME) USING OLD.id;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE TRIGGER first BEFORE DELETE OR UPDATE ON tomb_h FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION delete_first();
CREATE TRIGGER first BEFORE DELETE OR UPDATE ON tomb_c FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION delete_first();
SELECT attempt('DELETE FROM tomb_h WHERE id = 800') AS heap, attempt('DELETE FROM tomb_c WHERE id = 800') AS columnar;
SELECT attempt('UPDATE tomb_h SET v = 0 WHERE id = 801') AS heap, attempt('UPDATE tomb_c SET v = 0 WHERE id = 801') AS columnar;
SELECT * FROM same();
DROP TRIGGER first ON tomb_h;
DROP TRIGGER first ON tomb_c;

-- MERGE that meets a row twice, ON CONFLICT with a row just deleted.
SELECT attempt('MERGE INTO tomb_h t USING (VALUES (900), (900)) s(id) ON t.id = s.id WHEN MATCHED THEN DELETE') AS heap,
	attempt('MERGE INTO tomb_c t USING (VALUES (900), (900)) s(id) ON t.id = s.id WHEN MATCHED THEN DELETE') AS columnar;
WITH gone AS (DELETE FROM tomb_h WHERE id = 901 RETURNING id, v) SELECT * FROM gone;
WITH gone AS (DELETE FROM tomb_c WHERE id = 901 RETURNING id, v) SELECT * FROM gone;
INSERT INTO tomb_h VALUES (901, 1), (902, 2) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
INSERT INTO tomb_c VALUES (901, 1), (902, 2) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
SELECT * FROM same();
SELECT * FROM ecinsight.verify('tomb_c');
VACUUM tomb_c;
SELECT * FROM same();
VACUUM FULL tomb_c;
SELECT * FROM same();
SELECT * FROM ecinsight.verify('tomb_c');

DROP TABLE tomb_h, tomb_c;
DROP FUNCTION same, delete_first, attempt;
