-- UPDATE, DELETE, MERGE, ON CONFLICT and row locks: each statement runs on a heap and on a columnar
-- table, single rows and bulk loaded ones, and both must return and leave the same.
CREATE SCHEMA table_dml;
SET search_path = table_dml, public;

CREATE TABLE h (id int PRIMARY KEY, k int, v text, n numeric, d date DEFAULT '2020-01-01') USING heap;
CREATE TABLE c (LIKE h INCLUDING ALL) USING ecinsight_columnar;
CREATE TABLE lines (step text, same boolean, rows bigint);

-- Runs a statement with "%s" for the table on both; rows and effects must be the same.
CREATE FUNCTION twin(stmt text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text[] := '{}';
	answer text;
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['h', 'c'] LOOP
		BEGIN
			IF stmt ~* 'returning|^select' AND stmt !~* '^with' THEN
				EXECUTE format('WITH x AS (%s) SELECT count(*) || '' rows '' || coalesce(md5(string_agg(x::text, '','' ORDER BY x::text)), ''-'') FROM x', replace(stmt, '%s', t)) INTO answer;
			ELSE
				EXECUTE replace(stmt, '%s', t);
				GET DIAGNOSTICS answer = ROW_COUNT;
			END IF;
		EXCEPTION WHEN OTHERS THEN
			answer := SQLSTATE || ' ' || replace(SQLERRM, '"c', '"h');
		END;
		result := result || answer;
	END LOOP;
	IF result[1] IS DISTINCT FROM result[2] THEN
		RETURN 'DIFFERENT: ' || result[1] || ' / ' || result[2];
	END IF;
	IF EXISTS (TABLE h EXCEPT ALL TABLE c) OR EXISTS (TABLE c EXCEPT ALL TABLE h) THEN
		RETURN 'DIFFERENT ROWS after ' || result[1];
	END IF;
	RETURN CASE WHEN length(result[1]) > 60 OR result[1] ~ 'rows' THEN regexp_replace(result[1], ' [0-9a-f]{32}', '') ELSE result[1] END;
END $$;

SELECT twin('INSERT INTO %s SELECT g, g % 7, ''v'' || g, g * 1.5 FROM generate_series(1, 6000) g');
SELECT twin('INSERT INTO %s VALUES (30001, 1, ''one'', 1), (30002, 2, NULL, NULL), (30003, NULL, ''three'', ''NaN'')');
SELECT twin('UPDATE %s SET v = v || ''!'' WHERE id = 30001 RETURNING *');
SELECT twin('UPDATE %s SET v = v || ''!'' WHERE id = 5000 RETURNING *');
SELECT twin('UPDATE %s SET v = v || ''!'', n = NULL WHERE id % 1000 = 1 RETURNING *');
SELECT twin('UPDATE %s SET v = v || ''!'' WHERE id % 1000 = 1 AND v LIKE ''%!''');
SELECT twin('UPDATE %s SET id = id + 100000 WHERE id BETWEEN 100 AND 150');
SELECT twin('UPDATE %s SET id = id - 100000 WHERE id BETWEEN 100100 AND 100110 RETURNING id');
SELECT twin('UPDATE %s SET id = 7 WHERE id = 8');
SELECT twin('DELETE FROM %s WHERE id = 30002 RETURNING *');
SELECT twin('DELETE FROM %s WHERE id % 100 = 3 RETURNING *');
SELECT twin('DELETE FROM %s WHERE id % 100 = 3');
SELECT twin('INSERT INTO %s VALUES (3, 0, ''again'', 0), (103, 0, ''again'', 0)');
SELECT twin('INSERT INTO %s VALUES (4, 0, ''dup'', 0)');
SELECT twin('UPDATE %s AS t SET n = s.m FROM (SELECT k, max(n) AS m FROM %s GROUP BY k) s WHERE s.k = t.k AND t.id < 3000 RETURNING t.*');
SELECT twin('DELETE FROM %s AS t USING %s AS o WHERE o.id = t.id + 1 AND o.k = 5 AND t.id > 4500');
SELECT twin('SELECT * FROM %s WHERE id BETWEEN 4990 AND 5010');
SELECT twin('SELECT count(*), sum(n), min(v), max(v), count(DISTINCT k) FROM %s');

-- upserts
SELECT twin('INSERT INTO %s VALUES (5, 0, ''x'', 0), (30001, 0, ''x'', 0), (40001, 0, ''new'', 0) ON CONFLICT DO NOTHING RETURNING *');
SELECT twin('INSERT INTO %s VALUES (5, 0, ''x'', 0), (30001, 0, ''x'', 0), (40002, 0, ''new'', 0) ON CONFLICT (id) DO UPDATE SET v = excluded.v || coalesce(%s.v, ''-''), n = %s.n + 1 RETURNING *');
SELECT twin('INSERT INTO %s VALUES (5, 0, ''x'', 0) ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE %s.k = -1 RETURNING *');
SELECT twin('INSERT INTO %s SELECT g, 1, ''bulk'', g FROM generate_series(5500, 6500) g ON CONFLICT (id) DO UPDATE SET v = %s.v || ''+'', k = NULL');
SELECT twin('INSERT INTO %s VALUES (50000, 1, ''a'', 1), (50000, 2, ''b'', 2) ON CONFLICT (id) DO UPDATE SET v = excluded.v');
SELECT twin('WITH b AS (INSERT INTO %s SELECT g, 1, ''b'', g FROM generate_series(60001, 60500) g RETURNING id) INSERT INTO %s SELECT id, 2, ''c'', 0 FROM b WHERE id = 60400 ON CONFLICT (id) DO UPDATE SET v = ''second''');

-- merge
SELECT twin('MERGE INTO %s t USING (SELECT g AS id, g % 3 AS w FROM generate_series(1, 60) g UNION ALL SELECT 70000 + g, 9 FROM generate_series(1, 5) g) s ON s.id = t.id WHEN MATCHED AND w = 0 THEN DELETE WHEN MATCHED AND w = 1 THEN UPDATE SET v = ''merged'', k = w WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED AND w = 9 THEN INSERT VALUES (s.id, w, ''ins'', 1) WHEN NOT MATCHED THEN DO NOTHING');
SELECT twin('MERGE INTO %s t USING (VALUES (200), (200)) s(id) ON s.id = t.id WHEN MATCHED THEN UPDATE SET v = ''twice''');

-- wide rows, in and out of tuples
SELECT twin('INSERT INTO %s SELECT 80000 + g, g, (SELECT string_agg(md5((g * 1000 + i)::text), '''') FROM generate_series(1, 200 * g) i), 0 FROM generate_series(1, 6) g');
SELECT twin('UPDATE %s SET v = (SELECT string_agg(md5((%s.id + i)::text), '''') FROM generate_series(1, 500) i) WHERE id IN (5, 5000, 80001, 80005) RETURNING *');
SELECT twin('UPDATE %s SET k = -5 WHERE id IN (5, 5000) OR id > 80000 RETURNING id, md5(v)');
SELECT twin('INSERT INTO %s SELECT 80003, 0, repeat(md5(''1''), 1000) || v, 1 FROM %s WHERE id = 80006 ON CONFLICT (id) DO UPDATE SET v = excluded.v || ''!'' RETURNING id, md5(v)');
SELECT twin('INSERT INTO %s SELECT 80010, 0, string_agg(md5(i::text), ''''), 1 FROM generate_series(1, 400) i ON CONFLICT (id) DO UPDATE SET v = excluded.v || ''!'' RETURNING id, md5(v)');
SELECT twin('UPDATE %s SET v = ''short'' WHERE id > 80000 RETURNING *');
SELECT twin('DELETE FROM %s WHERE id > 80000 RETURNING *');

-- the same row more than once in a transaction
BEGIN;
SELECT twin('UPDATE %s SET v = ''1'' WHERE id IN (300, 30001)');
SELECT twin('UPDATE %s SET v = v || ''2'' WHERE id IN (300, 30001) RETURNING *');
SAVEPOINT a;
SELECT twin('DELETE FROM %s WHERE id IN (300, 30001) RETURNING *');
SELECT twin('INSERT INTO %s VALUES (300, 3, ''3'', 3), (30001, 3, ''3'', 3) RETURNING *');
SELECT twin('UPDATE %s SET id = id + 1000000 WHERE id IN (300, 30001) RETURNING *');
ROLLBACK TO a;
SELECT twin('UPDATE %s SET v = v || ''4'' WHERE id IN (300, 30001) RETURNING *');
SAVEPOINT b;
SELECT twin('SELECT * FROM %s WHERE id IN (300, 30001) ');
SELECT id, v FROM c WHERE id IN (300, 30001) ORDER BY id FOR UPDATE;
ROLLBACK TO b;
SELECT twin('DELETE FROM %s WHERE id IN (300, 30001) RETURNING *');
COMMIT;
SELECT twin('SELECT * FROM %s WHERE id IN (300, 30001)');
BEGIN; SELECT twin('DELETE FROM %s'); SELECT twin('INSERT INTO %s SELECT g, 1, ''z'', 1 FROM generate_series(1, 300) g'); ROLLBACK;
SELECT twin('SELECT count(*) FROM %s');

-- cursors: WHERE CURRENT OF, also of a row changed meanwhile; older snapshots
BEGIN;
DECLARE cur CURSOR FOR SELECT * FROM c WHERE id IN (401, 402, 403) FOR UPDATE;
DECLARE old CURSOR FOR SELECT count(*), sum(k) FROM c WHERE id BETWEEN 400 AND 500;
FETCH 1 FROM cur;
UPDATE c SET v = 'current' WHERE CURRENT OF cur RETURNING id, v;
UPDATE c SET v = v || ' twice' WHERE CURRENT OF cur RETURNING id, v;
DELETE FROM c WHERE CURRENT OF cur RETURNING id, v;
DELETE FROM c WHERE CURRENT OF cur RETURNING id, v;
DELETE FROM c WHERE id BETWEEN 400 AND 500;
FETCH old;
ROLLBACK;
SELECT twin('SELECT * FROM %s WHERE id BETWEEN 400 AND 500');

-- the columns of the system
BEGIN;
INSERT INTO c VALUES (90001, 1, 'sys', 1) RETURNING xmin = pg_current_xact_id()::xid AS mine, cmax, xmax, tableoid::regclass;
UPDATE c SET v = 'sys2' WHERE id = 90001 RETURNING xmin = pg_current_xact_id()::xid AS mine, xmax;
SELECT 1 FROM c WHERE id IN (500, 90001) FOR UPDATE;
SELECT id, xmax = pg_current_xact_id()::xid AS locked FROM c WHERE id IN (500, 90001) ORDER BY id;
ROLLBACK;

-- changed columns
ALTER TABLE h ADD COLUMN e int DEFAULT 5, DROP COLUMN n; ALTER TABLE c ADD COLUMN e int DEFAULT 5, DROP COLUMN n;
SELECT twin('SELECT * FROM %s WHERE id < 100');
SELECT twin('UPDATE %s SET e = e + id WHERE id % 50 = 0 RETURNING *');
SELECT twin('INSERT INTO %s (id, v) VALUES (95000, ''added'') RETURNING *');
SELECT twin('UPDATE %s SET v = v || e WHERE id IN (95000, 600, 601) RETURNING *');
ALTER TABLE h ALTER k TYPE bigint; ALTER TABLE c ALTER k TYPE bigint;
SELECT twin('UPDATE %s SET k = k + 10000000000 WHERE id IN (95000, 600, 601) RETURNING *');
-- triggers of all kinds see old and new rows; a BEFORE trigger may change or skip them
CREATE TABLE seen (who text, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen VALUES (TG_TABLE_NAME, concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL, OLD::text, '->', NEW::text));
	IF TG_WHEN = 'BEFORE' AND TG_OP = 'UPDATE' AND NEW.id % 2 = 0 THEN RETURN NULL; END IF;
	IF TG_WHEN = 'BEFORE' AND TG_OP <> 'DELETE' THEN NEW.v := NEW.v || '^'; END IF;
	RETURN coalesce(NEW, OLD);
END $$;
CREATE FUNCTION count_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen SELECT TG_TABLE_NAME, 'transition ' || count(*) || ' ' || coalesce(sum(o.id), 0) || ' ' || coalesce(max(n.v), '-') FROM o FULL JOIN n USING (id);
	RETURN NULL;
END $$;
DO $$
DECLARE t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['h', 'c'] LOOP
		EXECUTE format('CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION note()', t);
		EXECUTE format('CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION note()', t);
		EXECUTE format('CREATE CONSTRAINT TRIGGER d AFTER UPDATE OR DELETE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()', t);
		EXECUTE format('CREATE TRIGGER e AFTER UPDATE ON %s REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION count_changes()', t);
	END LOOP;
END $$;
SELECT twin('UPDATE %s SET v = ''trig'' WHERE id IN (601, 602, 605, 95000) RETURNING *');
SELECT twin('DELETE FROM %s WHERE id IN (601, 602) RETURNING *');
SELECT twin('INSERT INTO %s (id, v) VALUES (601, ''x''), (705, ''y'') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING *');
SELECT twin('MERGE INTO %s t USING generate_series(800, 810) s(id) ON s.id = t.id WHEN MATCHED AND s.id < 805 THEN DELETE WHEN MATCHED THEN UPDATE SET v = ''m''');
SELECT count(*), (SELECT count(*) FROM (SELECT what FROM seen WHERE who = 'h' EXCEPT ALL SELECT what FROM seen WHERE who = 'c') x) AS missing,
	(SELECT count(*) FROM (SELECT what FROM seen WHERE who = 'c' EXCEPT ALL SELECT what FROM seen WHERE who = 'h') x) AS more FROM seen WHERE who = 'c';

-- foreign keys both ways
CREATE TABLE hk (id int REFERENCES h ON UPDATE CASCADE ON DELETE CASCADE) USING heap;
CREATE TABLE ck (id int REFERENCES c ON UPDATE CASCADE ON DELETE CASCADE) USING ecinsight_columnar;
INSERT INTO hk SELECT id FROM h WHERE id < 2000; INSERT INTO ck SELECT id FROM c WHERE id < 2000;
SELECT twin('INSERT INTO %sk VALUES (9999999)');
SELECT twin('UPDATE %s SET id = id + 500000 WHERE id BETWEEN 1000 AND 1100');
SELECT twin('DELETE FROM %s WHERE id BETWEEN 500000 AND 501050 OR id < 500');
SELECT (SELECT count(*) || ' ' || sum(id) FROM hk) = (SELECT count(*) || ' ' || sum(id) FROM ck) AS same, (SELECT count(*) FROM ck) < 1500 AS cascaded;

VACUUM c;
SELECT twin('SELECT * FROM %s');
VACUUM FULL c;
SELECT twin('SELECT * FROM %s');
SELECT twin('DELETE FROM %s WHERE id % 3 = 0 RETURNING *');
SELECT twin('UPDATE %s SET v = ''after'' WHERE id % 10 = 1');
SELECT * FROM ecinsight.verify('c');

-- files emptied in place, with indexes: at commit, and again in the transaction that made them
CREATE TEMP TABLE emptied (id int PRIMARY KEY, v text) USING ecinsight_columnar ON COMMIT DELETE ROWS;
BEGIN; INSERT INTO emptied VALUES (1, 'a'), (2, 'b'); UPDATE emptied SET v = 'c' WHERE id = 1; SELECT * FROM emptied ORDER BY id; COMMIT;
BEGIN; INSERT INTO emptied VALUES (1, 'a'); INSERT INTO emptied SELECT g FROM generate_series(2, 1000) g; SELECT count(*) FROM emptied; COMMIT;
SELECT count(*) FROM emptied;
BEGIN;
CREATE TABLE made (id int PRIMARY KEY, v text) USING ecinsight_columnar;
INSERT INTO made VALUES (1, 'a'); TRUNCATE made; INSERT INTO made VALUES (1, 'b'); UPDATE made SET v = v || '!';
COMMIT;
SELECT * FROM made;

SET client_min_messages = warning;
DROP SCHEMA table_dml CASCADE;
