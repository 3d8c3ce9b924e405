-- Rows of many small INSERTs of one transaction are gathered into row groups: what each command and each open snapshot sees
-- is what it sees of a heap.
CREATE TABLE gather_h (id int, v int) USING heap;
CREATE TABLE gather_c (id int, v int) USING ecinsight_columnar;
CREATE TABLE gather_keyed_h (id int PRIMARY KEY, v int) USING heap;
CREATE TABLE gather_keyed_c (id int PRIMARY KEY, v int) USING ecinsight_columnar;
CREATE TABLE gather_log (t text, n bigint);

CREATE FUNCTION fill(t text, low int, high int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN low .. high LOOP
		EXECUTE format('INSERT INTO %I VALUES (%s, %s)', t, i, i % 7);
	END LOOP;
END $$;

CREATE FUNCTION rows_of(t text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM %I', t) INTO n;
	RETURN n;
END $$;

CREATE FUNCTION rows_now(t text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM %I', t) INTO n;
	RETURN n;
END $$;

-- A cursor that was opened between two commands, and is read after the second.
CREATE FUNCTION cursors(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	scan refcursor;
	later refcursor;
	by_key refcursor;
	n bigint;
	m bigint;
	k int;
BEGIN
	PERFORM fill(t, 1, 100);
	OPEN scan FOR EXECUTE format('SELECT count(*) FROM %I', t);
	PERFORM fill(t, 101, 150);
	OPEN later FOR EXECUTE format('SELECT count(*) FROM %I', t);
	OPEN by_key FOR EXECUTE format('SELECT v FROM %I WHERE id IN (99, 150, 151, 299) ORDER BY id', t);
	PERFORM fill(t, 151, 300);
	FETCH scan INTO n;
	FETCH later INTO m;
	FETCH by_key INTO k;
	FETCH by_key INTO k;
	FETCH by_key INTO k;
	PERFORM fill(t, 301, 310);
	RETURN format('%s %s %s %s', n, m, k, rows_now(t));
END $$;
SELECT cursors('gather_h') AS heap, cursors('gather_c') AS columnar;
SET enable_seqscan = off;
SET ecinsight.enable_columnar_scan = off;
SELECT cursors('gather_keyed_h') AS heap, cursors('gather_keyed_c') AS columnar;
RESET enable_seqscan;
RESET ecinsight.enable_columnar_scan;

-- A statement doesn't see what it inserts; functions see it or not as they are declared.
CREATE FUNCTION statements(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
	result text;
BEGIN
	EXECUTE format('TRUNCATE %I', t);
	PERFORM fill(t, 1, 200);
	EXECUTE format('INSERT INTO %1$I SELECT 1000 + g, (SELECT count(*) FROM %1$I WHERE id <> g) FROM generate_series(1, 5) g', t);
	EXECUTE format('INSERT INTO %1$I SELECT 2000 + g, rows_of(%1$L) FROM generate_series(1, 3) g', t);
	PERFORM fill(t, 201, 300);
	EXECUTE format('INSERT INTO %1$I SELECT 3000 + g, rows_now(%1$L) FROM generate_series(1, 3) g', t);
	PERFORM fill(t, 301, 400);
	EXECUTE format('INSERT INTO %1$I SELECT 4000 + g, length(fill(%1$L, 400 + 10 * g, 409 + 10 * g)::text) + rows_of(%1$L) FROM generate_series(1, 3) g', t);
	EXECUTE format('SELECT string_agg(id || '':'' || v, '' '' ORDER BY id) FROM %I WHERE id > 1000', t) INTO result;
	RETURN result || ' ' || rows_now(t);
END $$;
SELECT statements('gather_h') AS heap;
SELECT statements('gather_c') AS columnar;

-- Subtransactions that see, change and lose what their parent has gathered.
CREATE FUNCTION subtransactions(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE format('TRUNCATE %I', t);
	PERFORM fill(t, 1, 200);
	BEGIN
		PERFORM fill(t, 201, 300);
		EXECUTE format('DELETE FROM %I WHERE id %% 10 = 0', t);
		EXECUTE format('UPDATE %I SET v = 100 WHERE id %% 10 = 1', t);
		result := rows_now(t);
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN
		result := result || ' ' || rows_now(t);
	END;
	PERFORM fill(t, 301, 400);
	BEGIN
		EXECUTE format('DELETE FROM %I WHERE id %% 10 = 2', t);
		EXECUTE format('UPDATE %I SET v = 100 WHERE id %% 10 = 3', t);
		PERFORM fill(t, 401, 500);
		result := result || ' ' || rows_now(t);
	EXCEPTION WHEN division_by_zero THEN
		NULL;
	END;
	PERFORM fill(t, 501, 600);
	FOR i IN 1 .. 3 LOOP
		PERFORM fill(t, 600 + i, 600 + i);
		BEGIN
			result := result || ' ' || rows_now(t);
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
	END LOOP;
	EXECUTE format('SELECT %L || '' '' || count(*) || '' '' || sum(id) || '' '' || sum(v) FROM %I', result, t) INTO result;
	RETURN result;
END $$;
SELECT subtransactions('gather_h') AS heap, subtransactions('gather_c') AS columnar;
SELECT subtransactions('gather_keyed_h') AS heap, subtransactions('gather_keyed_c') AS columnar;
SELECT (SELECT count(*) FROM gather_h) = (SELECT count(*) FROM gather_c) AS same;

-- Rows that are changed, locked, or in conflict while they are gathered.
CREATE FUNCTION changes(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE format('TRUNCATE %I', t);
	PERFORM fill(t, 1, 200);
	EXECUTE format('UPDATE %I SET v = v + 10 WHERE id = 190', t);
	PERFORM fill(t, 201, 300);
	EXECUTE format('INSERT INTO %I VALUES (250, 0), (301, 0) ON CONFLICT (id) DO UPDATE SET v = 1000', t);
	PERFORM fill(t, 302, 400);
	EXECUTE format('SELECT v FROM %I WHERE id = 399 FOR UPDATE', t) INTO result;
	EXECUTE format('DELETE FROM %I WHERE id BETWEEN 380 AND 390', t);
	BEGIN
		PERFORM fill(t, 395, 395);
	EXCEPTION WHEN unique_violation THEN
		result := result || ' ' || SQLSTATE;
	END;
	PERFORM fill(t, 401, 500);
	BEGIN
		EXECUTE format('UPDATE %I SET v = -1 WHERE id = 499', t);
		EXECUTE format('DELETE FROM %I WHERE id = 498', t);
		PERFORM fill(t, 498, 498);
	END;
	EXECUTE format('SELECT %L || '' '' || count(*) || '' '' || sum(id) || '' '' || sum(v) FROM %I', result, t) INTO result;
	RETURN result;
END $$;
SELECT changes('gather_keyed_h') AS heap, changes('gather_keyed_c') AS columnar;
SET enable_seqscan = off;
SET ecinsight.enable_columnar_scan = off;
SELECT changes('gather_keyed_h') AS heap, changes('gather_keyed_c') AS columnar;
RESET enable_seqscan;
RESET ecinsight.enable_columnar_scan;

-- Triggers see the rows of the commands before, and of their own if they run after it.
CREATE FUNCTION log_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO gather_log VALUES (TG_TABLE_NAME || TG_WHEN, rows_now(TG_TABLE_NAME));
	RETURN NEW;
END $$;
TRUNCATE gather_h, gather_c;
CREATE TRIGGER b BEFORE INSERT ON gather_h FOR EACH ROW WHEN (NEW.id % 50 = 0) EXECUTE FUNCTION log_rows();
CREATE TRIGGER a AFTER INSERT ON gather_h FOR EACH ROW WHEN (NEW.id % 60 = 0) EXECUTE FUNCTION log_rows();
CREATE TRIGGER b BEFORE INSERT ON gather_c FOR EACH ROW WHEN (NEW.id % 50 = 0) EXECUTE FUNCTION log_rows();
CREATE TRIGGER a AFTER INSERT ON gather_c FOR EACH ROW WHEN (NEW.id % 60 = 0) EXECUTE FUNCTION log_rows();
DO $$ BEGIN PERFORM fill('gather_h', 1, 300), fill('gather_c', 1, 300); END $$;
SELECT replace(t, '_h', '') AS t, n FROM gather_log WHERE t LIKE '%\_h%' EXCEPT ALL SELECT replace(t, '_c', ''), n FROM gather_log WHERE t LIKE '%\_c%';
SELECT count(*), sum(n) FROM gather_log WHERE t LIKE '%\_c%';

-- Statement by statement, with what lies between them.
TRUNCATE gather_c;
PREPARE one AS INSERT INTO gather_c VALUES ($1, $1);
BEGIN;
SELECT fill('gather_c', 1, 70);
EXECUTE one (71);
EXECUTE one (72);
DECLARE k CURSOR FOR SELECT id FROM gather_c ORDER BY id DESC;
EXECUTE one (73);
EXECUTE one (74);
FETCH 1 FROM k;
SAVEPOINT s;
SELECT fill('gather_c', 75, 200);
ROLLBACK TO s;
SELECT fill('gather_c', 75, 150);
FETCH 1 FROM k;
COMMIT;
SELECT count(*), max(id) FROM gather_c;
DEALLOCATE one;

-- A long transaction leaves few tuples, one that reads all the time leaves no small row groups.
TRUNCATE gather_c, gather_h;
DROP TRIGGER a ON gather_c;
DROP TRIGGER b ON gather_c;
DO $$ BEGIN PERFORM fill('gather_c', 1, 10000); END $$;
SELECT count(*) AS groups, sum(rows) AS rows FROM ecinsight.row_groups('gather_c');
TRUNCATE gather_c;
DO $$ BEGIN FOR i IN 1 .. 200 LOOP INSERT INTO gather_c VALUES (i, i); PERFORM count(*) FROM gather_c; END LOOP; END $$;
SELECT count(*) FROM gather_c;
SELECT count(*) AS groups FROM ecinsight.row_groups('gather_c');
SELECT * FROM ecinsight.verify('gather_c');
SELECT * FROM ecinsight.verify('gather_keyed_c');

DROP TABLE gather_h, gather_c, gather_keyed_h, gather_keyed_c, gather_log;
DROP FUNCTION fill, rows_of, rows_now, cursors, statements, subtransactions, changes, log_rows;
