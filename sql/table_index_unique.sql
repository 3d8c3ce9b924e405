-- Uniqueness, exclusion and foreign keys: each statement does to a columnar table what it does to a heap table.
CREATE SCHEMA table_index_unique;
SET search_path = table_index_unique, public;
CREATE FUNCTION create_twins(definition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE replace(definition, '$T', 'h') || ' USING heap';
	EXECUTE replace(definition, '$T', 'c') || ' USING ecinsight_columnar';
END $$;

-- runs it on both, with the rows that it returns, or its error; then compares the tables
CREATE FUNCTION one(statement text, tab text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
BEGIN
	statement := replace(statement, '$T', tab);
	IF statement ~* 'returning' THEN
		EXECUTE 'WITH w AS (' || statement || ') SELECT string_agg(w::text, '' '' ORDER BY w::text) FROM w' INTO result;
	ELSE
		EXECUTE statement;
		GET DIAGNOSTICS result = ROW_COUNT;
	END IF;
	RETURN coalesce(result, 'none');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN regexp_replace(SQLSTATE || ' ' || SQLERRM || ' ' || detail, '\m' || tab || '(_\w+)?\M', '$T\1', 'g');
END $$;
CREATE FUNCTION twin(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	heap text := one(statement, 'h');
	columnar text := one(statement, 'c');
	heap_rows text;
	columnar_rows text;
BEGIN
	SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM h t INTO heap_rows;
	SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM c t INTO columnar_rows;
	RETURN CASE WHEN heap IS DISTINCT FROM columnar THEN 'DIFFERENT, heap: ' || heap || ', columnar: ' || columnar
		WHEN heap_rows IS DISTINCT FROM columnar_rows THEN 'DIFFERENT ROWS after ' || heap || ': ' || left(heap_rows, 300) || ', columnar: ' || left(columnar_rows, 300)
		ELSE heap END;
END $$;

SELECT create_twins('CREATE TABLE $T (a int CONSTRAINT $T_key PRIMARY KEY, b text)');
SELECT twin('INSERT INTO $T VALUES (1, ''one''), (2, ''two'')');
SELECT twin('INSERT INTO $T VALUES (3, ''three''), (2, ''again'')');
SELECT twin('INSERT INTO $T VALUES (4, ''four''), (4, ''again'')');
SELECT twin('INSERT INTO $T SELECT i, i FROM generate_series(100, 1099) i');
SELECT twin('INSERT INTO $T SELECT i, i FROM generate_series(2000, 1000, -1) i');
SELECT twin('INSERT INTO $T SELECT i % 999 + 5000, i FROM generate_series(1, 1000) i');
SELECT twin('INSERT INTO $T VALUES (NULL, ''null'')');
SELECT twin('INSERT INTO $T VALUES (1, ''x'') ON CONFLICT DO NOTHING');
SELECT twin('INSERT INTO $T VALUES (1, ''x''), (7, ''seven''), (150, ''y'') ON CONFLICT (a) DO UPDATE SET b = $T.b || excluded.b RETURNING *');
SELECT twin('INSERT INTO $T VALUES (8, ''x''), (8, ''y'') ON CONFLICT (a) DO UPDATE SET b = excluded.b');
SELECT twin('INSERT INTO $T SELECT i, ''up'' FROM generate_series(1090, 1200) i ON CONFLICT ON CONSTRAINT $T_key DO UPDATE SET b = ''was '' || $T.b WHERE $T.a < 1095');
SELECT twin('UPDATE $T SET a = 2 WHERE a = 1');
SELECT twin('UPDATE $T SET a = a + 1 WHERE a BETWEEN 100 AND 102');
SELECT twin('DELETE FROM $T WHERE a = 2');
SELECT twin('UPDATE $T SET a = 2 WHERE a = 1 RETURNING *');
SELECT twin('INSERT INTO $T VALUES (1, ''anew''), (2, ''not'')');
SELECT twin('INSERT INTO $T VALUES (1, ''anew'')');
SELECT twin('DELETE FROM $T WHERE a BETWEEN 200 AND 900');
SELECT twin('INSERT INTO $T SELECT i, ''back'' FROM generate_series(899, 300, -1) i');
SELECT twin('INSERT INTO $T VALUES (899, ''no''), (900, ''yes'')');
SELECT count(*), sum(a) FROM c;
SELECT count(*), sum(a) FROM h;
VACUUM c;
SELECT twin('INSERT INTO $T VALUES (450, ''no'')');
SELECT twin('INSERT INTO $T VALUES (250, ''yes'')');
-- rows of a batch that is being filled count too, and those that are rolled back don't
BEGIN;
SELECT twin('INSERT INTO $T SELECT i, ''batch'' FROM generate_series(10000, 12000) i');
SAVEPOINT s;
SELECT twin('INSERT INTO $T SELECT i, ''batch'' FROM generate_series(12001, 13000) i');
ROLLBACK TO s;
SELECT twin('INSERT INTO $T SELECT i, ''other'' FROM generate_series(12001, 13000) i');
SELECT twin('INSERT INTO $T SELECT i, ''batch'' FROM generate_series(13000, 14000) i');
ROLLBACK;
SELECT twin('INSERT INTO $T SELECT i, ''batch'' FROM generate_series(10000, 12000) i');
DROP TABLE h, c;

-- deferrable
SELECT create_twins('CREATE TABLE $T (a int UNIQUE DEFERRABLE INITIALLY DEFERRED, b int)');
SELECT twin('INSERT INTO $T SELECT i, i FROM generate_series(1, 300) i');
BEGIN;
SELECT twin('UPDATE $T SET a = a + 1');
SELECT twin('SET CONSTRAINTS ALL IMMEDIATE');
SET CONSTRAINTS ALL DEFERRED;
SELECT twin('INSERT INTO $T VALUES (17, 0)');
SELECT one('SET CONSTRAINTS c_a_key IMMEDIATE', 'c'), one('SET CONSTRAINTS h_a_key IMMEDIATE', 'h');
SELECT twin('DELETE FROM $T WHERE b = 0');
SELECT twin('SET CONSTRAINTS ALL IMMEDIATE');
COMMIT;
BEGIN;
INSERT INTO c VALUES (5, 5);
COMMIT;
BEGIN;
INSERT INTO c SELECT i, i FROM generate_series(1000, 2000) i;
INSERT INTO c SELECT i, i FROM generate_series(2000, 3000) i;
COMMIT;
SELECT count(*) FROM c;
DROP TABLE h, c;

-- NULLs, several columns, expressions, predicates
SELECT create_twins('CREATE TABLE $T (a int, b text, UNIQUE NULLS NOT DISTINCT (a, b))');
SELECT twin('INSERT INTO $T VALUES (1, NULL), (1, ''x''), (NULL, NULL)');
SELECT twin('INSERT INTO $T VALUES (1, NULL)');
SELECT twin('INSERT INTO $T VALUES (NULL, NULL)');
SELECT twin('CREATE UNIQUE INDEX ON $T (lower(b)) WHERE a > 0');
SELECT twin('INSERT INTO $T VALUES (2, ''X'')');
SELECT twin('INSERT INTO $T VALUES (0, ''X''), (-1, ''X'')');
SELECT twin('UPDATE $T SET a = 5 WHERE a = 0');
SELECT twin('CREATE UNIQUE INDEX $T_all ON $T (b)');
SELECT twin('ALTER TABLE $T ADD PRIMARY KEY (b)');
DROP TABLE h, c;

-- exclusion
SELECT create_twins('CREATE TABLE $T (r int4range, EXCLUDE USING gist (r WITH &&))');
SELECT twin('INSERT INTO $T SELECT int4range(i * 10, i * 10 + 5) FROM generate_series(1, 200) i');
SELECT twin('INSERT INTO $T VALUES (''[4,12)'')');
SELECT twin('INSERT INTO $T VALUES (''[6,10)'')');
SELECT twin('INSERT INTO $T VALUES (''[3000,3010)''), (''[3009,3020)'')');
SELECT twin('UPDATE $T SET r = ''[16,20)'' WHERE r = ''[10,15)''');
SELECT twin('UPDATE $T SET r = ''[16,21)'' WHERE r = ''[16,20)''');
SELECT twin('INSERT INTO $T VALUES (''[4,12)'') ON CONFLICT DO NOTHING');
SELECT twin('INSERT INTO $T VALUES (''[4,12)'') ON CONFLICT DO NOTHING');
DROP TABLE h, c;

-- foreign keys both ways
SELECT create_twins('CREATE TABLE $T (a int CONSTRAINT $T_pk PRIMARY KEY, up int CONSTRAINT $T_up REFERENCES $T ON DELETE CASCADE ON UPDATE CASCADE)');
SELECT twin('INSERT INTO $T VALUES (1, NULL), (2, 1), (3, 2), (4, 4)');
SELECT twin('INSERT INTO $T VALUES (5, 6)');
SELECT twin('INSERT INTO $T SELECT i, i - 1 FROM generate_series(5, 500) i');
SELECT twin('UPDATE $T SET a = 1001 WHERE a = 1');
SELECT twin('UPDATE $T SET up = 1000 WHERE a = 3');
SELECT twin('DELETE FROM $T WHERE a = 400');
SELECT twin('ALTER TABLE $T DROP CONSTRAINT $T_up');
SELECT twin('DELETE FROM $T WHERE a = 2');
SELECT twin('ALTER TABLE $T ADD FOREIGN KEY (up) REFERENCES $T');
-- the row deleted last is gone for who deleted it, unless that was rolled back or the table emptied since
CREATE TABLE gone (id int PRIMARY KEY, n int) USING ecinsight_columnar;
INSERT INTO gone SELECT i, i FROM generate_series(1, 200) i;
BEGIN;
SAVEPOINT s;
DELETE FROM gone WHERE id = 7;
INSERT INTO gone VALUES (7, -7);
ROLLBACK TO s;
INSERT INTO gone VALUES (7, -7);
ROLLBACK;
BEGIN;
SAVEPOINT s;
UPDATE gone SET n = 0 WHERE id = 8;
ROLLBACK TO s;
SAVEPOINT t;
INSERT INTO gone VALUES (8, -8);
ROLLBACK TO t;
UPDATE gone SET id = 1000 WHERE id = 8;
RELEASE t;
INSERT INTO gone VALUES (8, -8);
INSERT INTO gone VALUES (8, -9);
ROLLBACK;
BEGIN;
CREATE TABLE emptied (id int PRIMARY KEY) USING ecinsight_columnar;
INSERT INTO emptied VALUES (1);
DELETE FROM emptied;
TRUNCATE emptied;
INSERT INTO emptied VALUES (1);
INSERT INTO emptied VALUES (1);
ROLLBACK;
UPDATE gone SET n = n + 1;
UPDATE gone SET n = n + 1;
SELECT count(*), count(DISTINCT id), sum(n) FROM gone;

SET client_min_messages = warning;
DROP SCHEMA table_index_unique CASCADE;
