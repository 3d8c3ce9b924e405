-- SET TABLESPACE that is rolled back: indexes stay where they are meanwhile, and entries stay in them.  A heap hands
-- their tids out again, which makes duplicate keys of them, so here its twin doesn't get what is rolled back.
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE table_tablespace_1 LOCATION '';
CREATE TABLESPACE table_tablespace_2 LOCATION '';

-- the same for a heap and a columnar table, and are they the same then?
CREATE FUNCTION pg_temp.twin(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE replace(statement, '@', 'h');
	EXECUTE replace(statement, '@', 'c');
END $$;
CREATE FUNCTION pg_temp.same(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	h text := replace(name, '@', 'h');
	c text := replace(name, '@', 'c');
	n int;
	bad text := '';
BEGIN
	EXECUTE format('SELECT count(*) FROM ((TABLE %1$I EXCEPT ALL TABLE %2$I) UNION ALL (TABLE %2$I EXCEPT ALL TABLE %1$I)) x', h, c) INTO n;
	bad := bad || CASE WHEN n > 0 THEN n || ' differ, ' ELSE '' END;
	SET LOCAL enable_seqscan = off;
	SET LOCAL ecinsight.enable_columnar_scan = off;
	EXECUTE format('SELECT count(*) FROM generate_series(1, 4000) i WHERE (SELECT b FROM %I WHERE a = i) IS DISTINCT FROM (SELECT b FROM %I WHERE a = i)', h, c) INTO n;
	RESET enable_seqscan;
	RESET ecinsight.enable_columnar_scan;
	bad := bad || CASE WHEN n > 0 THEN n || ' differ by index, ' ELSE '' END;
	EXECUTE format('SELECT count(*) FROM ecinsight.verify(%L)', c) INTO n;
	RETURN bad || CASE WHEN n > 0 THEN n || ' damaged' ELSE 'same' END;
END $$;
CREATE TABLE t_h (a int PRIMARY KEY, b text) USING heap;
CREATE TABLE t_c (a int PRIMARY KEY, b text) USING ecinsight_columnar;
SELECT pg_temp.twin($$INSERT INTO t_@ SELECT i, 'b' || i FROM generate_series(1, 3) i$$);
BEGIN;
ALTER TABLE t_c SET TABLESPACE table_tablespace_1;
UPDATE t_c SET a = a + 100;
INSERT INTO t_c SELECT i, 'undone' FROM generate_series(1001, 3000) i;
ROLLBACK;
SELECT pg_temp.twin($$INSERT INTO t_@ SELECT i, 'after' FROM generate_series(11, 13) i$$);
SELECT pg_temp.twin($$INSERT INTO t_@ SELECT i, 'after' FROM generate_series(21, 900) i$$);
SELECT pg_temp.same('t_@');

-- savepoints, and moved twice
BEGIN;
SAVEPOINT a;
ALTER TABLE t_c SET TABLESPACE table_tablespace_1;
INSERT INTO t_c VALUES (3001, 'first');
SAVEPOINT b;
ALTER TABLE t_c SET TABLESPACE table_tablespace_2;
INSERT INTO t_c SELECT i, 'second' FROM generate_series(3002, 3300) i;
ROLLBACK TO b;
INSERT INTO t_c SELECT i, 'third' FROM generate_series(3401, 3500) i;
SELECT count(*), sum(a) FROM t_c;
ROLLBACK TO a;
SELECT pg_temp.twin($$INSERT INTO t_@ SELECT i, 'fourth' FROM generate_series(3601, 3999) i$$);
SELECT pg_temp.same('t_@');
COMMIT;
SELECT pg_temp.twin($$INSERT INTO t_@ SELECT i, 'fifth' FROM generate_series(1001, 1600) i$$);
SELECT pg_temp.same('t_@');

-- tables that were empty; temporary and unlogged ones; one made in the same transaction
CREATE TABLE e_h (a int PRIMARY KEY, b text) USING heap;
CREATE TABLE e_c (a int PRIMARY KEY, b text) USING ecinsight_columnar;
CREATE TEMP TABLE p_h (a int PRIMARY KEY, b text) USING heap;
CREATE TEMP TABLE p_c (a int PRIMARY KEY, b text) USING ecinsight_columnar;
CREATE UNLOGGED TABLE u_h (a int PRIMARY KEY, b text) USING heap;
CREATE UNLOGGED TABLE u_c (a int PRIMARY KEY, b text) USING ecinsight_columnar;
BEGIN;
CREATE TABLE n_h (a int PRIMARY KEY, b text) USING heap;
CREATE TABLE n_c (a int PRIMARY KEY, b text) USING ecinsight_columnar;
SAVEPOINT a;
DO $$
DECLARE name text;
BEGIN
	FOREACH name IN ARRAY '{e_c,p_c,u_c,n_c}'::text[] LOOP
		EXECUTE format('ALTER TABLE %s SET TABLESPACE table_tablespace_1', name);
		EXECUTE format('INSERT INTO %s SELECT i, ''undone'' FROM generate_series(1, 200) i', name);
	END LOOP;
END $$;
ROLLBACK TO a;
SELECT name, pg_temp.twin(format($$INSERT INTO %1$s SELECT i, 'there' FROM generate_series(301, 320) i$$, name)) FROM unnest('{e_@,p_@,u_@,n_@}'::text[]) name;
COMMIT;
SELECT name, pg_temp.twin(format($$INSERT INTO %1$s SELECT i, 'after' FROM generate_series(1001, 1400) i$$, name)) FROM unnest('{e_@,p_@,u_@,n_@}'::text[]) name;
SELECT name, pg_temp.same(name) FROM unnest('{e_@,p_@,u_@,n_@}'::text[]) name;

-- committed
SELECT name, pg_temp.twin(format($$ALTER TABLE %1$s SET TABLESPACE table_tablespace_2; INSERT INTO %1$s SELECT i, 'more' FROM generate_series(2001, 2400) i$$, name)) FROM unnest('{t_@,e_@,p_@,u_@,n_@}'::text[]) name;
SELECT name, pg_temp.same(name) FROM unnest('{t_@,e_@,p_@,u_@,n_@}'::text[]) name;
DROP TABLE t_h, t_c, e_h, e_c, p_h, p_c, u_h, u_c, n_h, n_c;
DROP TABLESPACE table_tablespace_1;
DROP TABLESPACE table_tablespace_2;
