-- Who sees which rows when: the same statements on a heap and on a columnar table.
SET client_min_messages = warning;
CREATE SCHEMA table_visibility;
SET search_path = table_visibility, public;
CREATE TABLE h (a int, b text);
CREATE TABLE c (a int, b text) USING ecinsight_columnar;
CREATE VIEW both_tables AS
	SELECT 'heap' AS kind, count(*), sum(a), min(a), max(a) FROM h
	UNION ALL SELECT 'columnar', count(*), sum(a), min(a), max(a) FROM c ORDER BY 1 DESC;

-- rollback, savepoints at depth
BEGIN; INSERT INTO h VALUES (1, 'x'); INSERT INTO c VALUES (1, 'x'); TABLE both_tables; ROLLBACK;
TABLE both_tables;
BEGIN;
INSERT INTO h VALUES (1); INSERT INTO c VALUES (1);
SAVEPOINT s1;
INSERT INTO h VALUES (2); INSERT INTO c VALUES (2);
SAVEPOINT s2;
INSERT INTO h VALUES (3); INSERT INTO c VALUES (3);
SAVEPOINT s3;
INSERT INTO h VALUES (4); INSERT INTO c VALUES (4);
RELEASE s3;
TABLE both_tables;
ROLLBACK TO s2;
TABLE both_tables;
INSERT INTO h VALUES (5); INSERT INTO c VALUES (5);
RELEASE s1;
COMMIT;
TABLE both_tables;

-- a statement does not see its own rows
INSERT INTO h SELECT a + 100 FROM h; INSERT INTO c SELECT a + 100 FROM c;
INSERT INTO h SELECT a + 1000 FROM h; INSERT INTO c SELECT a + 1000 FROM c;
TABLE both_tables;
WITH i AS (INSERT INTO h SELECT a + 10000 FROM h RETURNING a) SELECT count(*), (SELECT count(*) FROM h) FROM i;
WITH i AS (INSERT INTO c SELECT a + 10000 FROM c RETURNING a) SELECT count(*), (SELECT count(*) FROM c) FROM i;
TABLE both_tables;

-- a volatile function sees the rows that the running statement has inserted so far; a stable one does not
CREATE FUNCTION n(t regclass) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE r bigint; BEGIN EXECUTE format('SELECT count(*) FROM %s', t) INTO r; RETURN r; END $$;
CREATE FUNCTION ns(t regclass) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE r bigint; BEGIN EXECUTE format('SELECT count(*) FROM %s', t) INTO r; RETURN r; END $$;
-- the same, in a subtransaction
CREATE FUNCTION nx(t regclass) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE r bigint; BEGIN
	BEGIN
		EXECUTE format('SELECT count(*) FROM %s', t) INTO r;
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	RETURN r;
END $$;
TRUNCATE h, c;
INSERT INTO h SELECT i, n('h')::text FROM generate_series(1, 5) i; INSERT INTO c SELECT i, n('c')::text FROM generate_series(1, 5) i;
SELECT array_agg(b ORDER BY a) FROM h; SELECT array_agg(b ORDER BY a) FROM c;
TRUNCATE h, c;
INSERT INTO h SELECT i, ns('h')::text FROM generate_series(1, 5) i; INSERT INTO c SELECT i, ns('c')::text FROM generate_series(1, 5) i;
SELECT array_agg(b ORDER BY a) FROM h; SELECT array_agg(b ORDER BY a) FROM c;
TRUNCATE h, c;
INSERT INTO h SELECT i, nx('h')::text FROM generate_series(1, 5) i; INSERT INTO c SELECT i, nx('c')::text FROM generate_series(1, 5) i;
SELECT array_agg(b ORDER BY a) FROM h; SELECT array_agg(b ORDER BY a) FROM c;

-- nested inserts into the same table, kept or rolled back inside
CREATE FUNCTION nested(t regclass, i int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	EXECUTE format('INSERT INTO %s VALUES (%s, ''kept'')', t, i + 100);
	BEGIN
		EXECUTE format('INSERT INTO %s VALUES (%s, ''undone'')', t, i + 200);
		PERFORM n(t);
		IF i % 2 = 0 THEN RAISE division_by_zero; END IF;
	EXCEPTION WHEN division_by_zero THEN
		EXECUTE format('INSERT INTO %s VALUES (%s, ''handler'')', t, i + 300);
	END;
	RETURN n(t)::text;
END $$;
TRUNCATE h, c;
INSERT INTO h SELECT i, nested('h', i) FROM generate_series(1, 6) i; INSERT INTO c SELECT i, nested('c', i) FROM generate_series(1, 6) i;
SELECT string_agg(a || ':' || b, ' ' ORDER BY a) FROM h; SELECT string_agg(a || ':' || b, ' ' ORDER BY a) FROM c;
SELECT * FROM ecinsight.verify('c');

-- many subtransactions
DO $$ BEGIN
	FOR i IN 1..200 LOOP
		BEGIN
			INSERT INTO h VALUES (i, 'loop'); INSERT INTO c VALUES (i, 'loop');
			IF i % 3 = 0 THEN RAISE division_by_zero; END IF;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
END $$;
TABLE both_tables;

-- cursors keep their snapshot
TRUNCATE h, c;
INSERT INTO h SELECT i FROM generate_series(1, 10) i; INSERT INTO c SELECT i FROM generate_series(1, 10) i;
BEGIN;
DECLARE hc SCROLL CURSOR FOR SELECT a FROM h;
DECLARE cc SCROLL CURSOR FOR SELECT a FROM c;
FETCH 2 FROM hc; FETCH 2 FROM cc;
INSERT INTO h SELECT i FROM generate_series(11, 20) i; INSERT INTO c SELECT i FROM generate_series(11, 20) i;
FETCH LAST FROM hc; FETCH LAST FROM cc;
FETCH PRIOR FROM hc; FETCH PRIOR FROM cc;
FETCH BACKWARD 3 FROM hc; FETCH BACKWARD 3 FROM cc;
FETCH FIRST FROM hc; FETCH FIRST FROM cc;
FETCH ABSOLUTE 5 FROM hc; FETCH ABSOLUTE 5 FROM cc;
FETCH BACKWARD ALL FROM hc; FETCH BACKWARD ALL FROM cc;
MOVE FORWARD ALL FROM hc; MOVE FORWARD ALL FROM cc;
FETCH BACKWARD 2 FROM hc; FETCH BACKWARD 2 FROM cc;
COMMIT;
BEGIN;
DECLARE hc CURSOR WITH HOLD FOR SELECT sum(a) FROM h;
DECLARE cc CURSOR WITH HOLD FOR SELECT sum(a) FROM c;
INSERT INTO h VALUES (1000); INSERT INTO c VALUES (1000);
COMMIT;
FETCH hc; FETCH cc;
CLOSE hc; CLOSE cc;

-- a cursor opened in a subtransaction over rows that its parent is still inserting
CREATE FUNCTION open_cursor(t regclass, name refcursor) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	BEGIN
		OPEN name FOR EXECUTE format('SELECT a FROM %s WHERE a < 0', t);
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	RETURN 1;
END $$;
BEGIN;
INSERT INTO h SELECT -i, CASE WHEN i = 3 THEN open_cursor('h', 'hc')::text END FROM generate_series(1, 12) i;
INSERT INTO c SELECT -i, CASE WHEN i = 3 THEN open_cursor('c', 'cc')::text END FROM generate_series(1, 12) i;
FETCH ALL FROM hc; FETCH ALL FROM cc;
COMMIT;
TABLE both_tables;

-- TRUNCATE and DROP, rolled back or not
BEGIN; TRUNCATE h, c; INSERT INTO h VALUES (7); INSERT INTO c VALUES (7); TABLE both_tables; ROLLBACK;
TABLE both_tables;
BEGIN; INSERT INTO c VALUES (77); TRUNCATE c; INSERT INTO c VALUES (78); TRUNCATE c; INSERT INTO c VALUES (79); COMMIT;
TABLE both_tables;
BEGIN; INSERT INTO c VALUES (80); DROP VIEW both_tables; DROP TABLE c; ROLLBACK;
SELECT * FROM c;
BEGIN; CREATE TABLE d (a int) USING ecinsight_columnar; INSERT INTO d VALUES (1); TRUNCATE d; INSERT INTO d VALUES (2); TABLE d; DROP TABLE d; COMMIT;
BEGIN; CREATE TABLE d (a int) USING ecinsight_columnar; INSERT INTO d VALUES (1); ROLLBACK;
SELECT to_regclass('d');

-- an error in the middle of a statement
INSERT INTO c SELECT 100 / (5 - i) FROM generate_series(1, 10) i;
SELECT * FROM c;

-- tids are distinct and lead back to their rows
TRUNCATE c;
INSERT INTO c SELECT i FROM generate_series(1, 1000) i; INSERT INTO c VALUES (1001); INSERT INTO c SELECT i FROM generate_series(1002, 70000) i;
SELECT count(*), count(DISTINCT ctid), min(ctid), count(DISTINCT tableoid) FROM c;
SELECT c2.a FROM c c1 JOIN LATERAL (SELECT a FROM c WHERE c.ctid = c1.ctid) c2 ON true WHERE c1.a IN (1, 500, 1001, 1002, 40000, 70000) ORDER BY 1;
SELECT * FROM c WHERE ctid IN ('(0,0)', '(4294967294,1)', '(0,292)', '(3000,1)');

DROP SCHEMA table_visibility CASCADE;
