-- ALTER TABLE in every form, on tables that were inserted into, updated and deleted from before.
SET client_min_messages = warning;
CREATE SCHEMA table_features_alter;
SET search_path = table_features_alter;
-- Statements run on a heap table and on its columnar twin: "_@" in names becomes _h or _c, "@am" the
-- access method.  Both must fail alike or not at all, and then hold the same rows.
CREATE FUNCTION twin(statements text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	results text[] := '{}';
	result text;
	letter text;
BEGIN
	FOREACH letter IN ARRAY '{h,c}'::text[] LOOP
		BEGIN
			EXECUTE replace(replace(statements, '@am', CASE letter WHEN 'h' THEN 'heap' ELSE 'ecinsight_columnar' END), '_@', '_' || letter);
			result := 'ok';
		EXCEPTION WHEN OTHERS THEN
			result := format('%s: %s', sqlstate, regexp_replace(sqlerrm, '_[hc](_|\M)', '_@\1', 'g'));
		END;
		results := results || result;
	END LOOP;
	IF results[1] <> results[2] THEN
		RETURN format('DIFFERS: heap says %s, columnar says %s', results[1], results[2]);
	END IF;
	RETURN results[1];
END $$;
CREATE FUNCTION same(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	h text;
	c text;
	n bigint;
BEGIN
	EXECUTE format('SELECT count(*), md5(string_agg(r::text, chr(10) ORDER BY r::text COLLATE "C")) FROM (%s) r', replace(query, '_@', '_h')) INTO n, h;
	EXECUTE format('SELECT md5(string_agg(r::text, chr(10) ORDER BY r::text COLLATE "C")) FROM (%s) r', replace(query, '_@', '_c')) INTO c;
	RETURN n || CASE WHEN h IS NOT DISTINCT FROM c THEN ' rows, the same' ELSE ' rows, DIFFERENT' END;
END $$;
-- t has rows of all kinds: bulk, single, new versions, deleted ones
SELECT twin('CREATE TABLE t_@ (id int PRIMARY KEY, a int, b text, c numeric(10,2), d varchar(10), e timestamp) USING @am');
SELECT twin('INSERT INTO t_@ SELECT i, i % 100, ''v'' || i % 7, i / 4.0, CASE WHEN i % 3 > 0 THEN i END, ''2020-01-01''::timestamp + i * ''1 min''::interval FROM generate_series(1, 3000) i');
SELECT twin('INSERT INTO t_@ VALUES (5001, 1, ''one'', 1, ''x'', NULL), (5002, 2, NULL, NULL, NULL, ''infinity'')');
SELECT twin('UPDATE t_@ SET a = -a, b = b || ''!'' WHERE id % 10 = 3');
SELECT twin('DELETE FROM t_@ WHERE id % 10 = 4 OR id = 5001');
SELECT same('SELECT * FROM t_@');

-- columns come and go
SELECT twin('ALTER TABLE t_@ ADD COLUMN f int');
SELECT twin('ALTER TABLE t_@ ADD COLUMN g int DEFAULT 42, ADD COLUMN h text DEFAULT ''missing'' NOT NULL');
SELECT same('SELECT * FROM t_@');
SELECT twin('UPDATE t_@ SET g = g + 1, f = id WHERE id % 5 = 0');
SELECT twin('DELETE FROM t_@ WHERE g = 43 AND id % 3 = 0');
SELECT twin('INSERT INTO t_@ (id, g) VALUES (6001, 1), (6002, NULL)');
SELECT twin('ALTER TABLE t_@ ALTER g SET DEFAULT 44');
SELECT twin('INSERT INTO t_@ (id) SELECT 7000 + i FROM generate_series(1, 200) i');
SELECT same('SELECT * FROM t_@');
SELECT same('SELECT g, count(*) FROM t_@ GROUP BY g');
SELECT twin('ALTER TABLE t_@ DROP COLUMN b');
SELECT twin('UPDATE t_@ SET c = c * 2 WHERE id % 7 = 0 RETURNING *');
SELECT same('SELECT * FROM t_@');
SELECT twin('ALTER TABLE t_@ ADD COLUMN r float8 DEFAULT random()');
SELECT same('SELECT id, r IS NULL, r >= 0 AND r < 1 FROM t_@');
SELECT twin('ALTER TABLE t_@ DROP COLUMN r, ADD COLUMN b bigint DEFAULT 7');
SELECT same('SELECT * FROM t_@');

-- relations without columns keep their rows
SELECT twin('CREATE TABLE none_@ () USING @am');
SELECT twin('INSERT INTO none_@ DEFAULT VALUES; INSERT INTO none_@ DEFAULT VALUES');
SELECT same('SELECT count(*) FROM none_@');
SELECT twin('ALTER TABLE none_@ ADD COLUMN a int DEFAULT 5; UPDATE none_@ SET a = 6; ALTER TABLE none_@ DROP COLUMN a');
SELECT same('SELECT count(*) FROM none_@');
SELECT twin('DELETE FROM none_@');
SELECT same('SELECT count(*) FROM none_@');

-- types, without and with a rewrite
SELECT twin('ALTER TABLE t_@ ALTER d TYPE text, ALTER c TYPE numeric');
SELECT twin('UPDATE t_@ SET d = repeat(''long'', 100), c = 1.23456789 WHERE id % 50 = 1');
SELECT same('SELECT * FROM t_@');
SELECT twin('ALTER TABLE t_@ ALTER a TYPE bigint, ALTER c TYPE float8, ALTER h TYPE text USING h || coalesce(a, 0)');
SELECT same('SELECT * FROM t_@');
SELECT twin('ALTER TABLE t_@ ALTER id TYPE bigint');
SELECT twin('INSERT INTO t_@ (id) VALUES (6001)');
SELECT same('SELECT * FROM t_@ WHERE id BETWEEN 100 AND 120');
SELECT twin('ALTER TABLE t_@ ALTER a TYPE text USING a / 0');
SELECT twin('ALTER TABLE t_@ ALTER e TYPE date USING e::date, ADD COLUMN gen int GENERATED ALWAYS AS (g * 2) STORED');
SELECT twin('UPDATE t_@ SET g = 100 WHERE id % 11 = 0');
SELECT same('SELECT * FROM t_@');
SELECT twin('ALTER TABLE t_@ ALTER gen DROP EXPRESSION');
SELECT twin('UPDATE t_@ SET gen = -1 WHERE id % 11 = 0');
SELECT same('SELECT * FROM t_@');

-- constraints
SELECT twin('ALTER TABLE t_@ ADD CONSTRAINT positive CHECK (id > 10)');
SELECT twin('ALTER TABLE t_@ ADD CONSTRAINT positive CHECK (id > 0) NOT VALID');
SELECT twin('ALTER TABLE t_@ VALIDATE CONSTRAINT positive');
SELECT twin('UPDATE t_@ SET id = -id WHERE id = 11');
SELECT twin('ALTER TABLE t_@ ALTER f SET NOT NULL');
SELECT twin('UPDATE t_@ SET f = 0 WHERE f IS NULL');
SELECT twin('ALTER TABLE t_@ ALTER f SET NOT NULL');
SELECT twin('ALTER TABLE t_@ ADD UNIQUE (d)');
SELECT twin('ALTER TABLE t_@ ADD CONSTRAINT pairs_@ UNIQUE (f, id)');
SELECT twin('ALTER TABLE t_@ DROP CONSTRAINT t_@_pkey, ADD PRIMARY KEY (id, a)');
SELECT twin('UPDATE t_@ SET a = 0 WHERE a IS NULL');
SELECT twin('ALTER TABLE t_@ DROP CONSTRAINT t_@_pkey, ADD PRIMARY KEY (id, a)');
SELECT twin('INSERT INTO t_@ (id, a, f) SELECT id, a, 1 FROM t_@ WHERE id = 100');
SELECT same('SELECT * FROM t_@');
CREATE TABLE parent (id bigint PRIMARY KEY);
INSERT INTO parent SELECT i FROM generate_series(1, 8000) i;
SELECT twin('ALTER TABLE t_@ ADD FOREIGN KEY (id) REFERENCES parent');
SELECT twin('UPDATE t_@ SET id = id + 10000 WHERE id = 100');
SELECT twin('CREATE TABLE child_@ (id bigint, f int, FOREIGN KEY (f, id) REFERENCES t_@ (f, id) ON DELETE CASCADE ON UPDATE CASCADE) USING @am');
SELECT twin('INSERT INTO child_@ SELECT id, f FROM t_@ WHERE id % 4 = 0');
SELECT twin('DELETE FROM t_@ WHERE id % 8 = 0');
SELECT twin('UPDATE t_@ SET f = f + 1 WHERE id % 12 = 0');
SELECT twin('INSERT INTO child_@ VALUES (-1, -1)');
SELECT same('SELECT * FROM child_@');

-- options, names, owners, replica identity, statistics
SELECT twin('ALTER TABLE t_@ ALTER d SET STORAGE external, ALTER d SET STATISTICS 50, ALTER d SET COMPRESSION pglz');
SELECT twin('ALTER TABLE t_@ SET (autovacuum_enabled = off), SET WITHOUT CLUSTER, REPLICA IDENTITY FULL');
SELECT twin('ALTER TABLE t_@ RENAME COLUMN d TO dd');
SELECT twin('ALTER TABLE t_@ RENAME TO u_@');
SELECT twin('UPDATE u_@ SET dd = dd || id WHERE id % 2 = 0');
SELECT same('SELECT * FROM u_@');
SELECT twin('CREATE TYPE typ_@ AS (x int, y text)');
SELECT twin('CREATE TABLE typed_@ OF typ_@ (PRIMARY KEY (x)) USING @am; INSERT INTO typed_@ SELECT i, i FROM generate_series(1, 100) i; ALTER TYPE typ_@ ADD ATTRIBUTE z int CASCADE; UPDATE typed_@ SET z = x WHERE x % 2 = 0');
SELECT same('SELECT * FROM typed_@');
SELECT twin('ALTER TABLE typed_@ NOT OF; ALTER TABLE typed_@ ADD COLUMN more int DEFAULT 3');
SELECT same('SELECT * FROM typed_@');

-- the access method itself, there and back, indexes and all
ALTER TABLE u_h SET ACCESS METHOD ecinsight_columnar;
ALTER TABLE u_c SET ACCESS METHOD heap;
SELECT same('SELECT * FROM u_@');
SELECT same('SELECT * FROM u_@ WHERE id = 100');
SELECT twin('UPDATE u_@ SET g = 5 WHERE id % 6 = 1');
ALTER TABLE u_h SET ACCESS METHOD heap;
ALTER TABLE u_c SET ACCESS METHOD ecinsight_columnar;
SELECT same('SELECT * FROM u_@');
SELECT relname, amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE relname LIKE 'u__' ORDER BY 1;
CREATE TABLE small AS SELECT 1 AS a;
ALTER TABLE small SET ACCESS METHOD ecinsight_columnar;
UPDATE small SET a = 2;
SELECT * FROM small;
BEGIN; ALTER TABLE small SET ACCESS METHOD heap; UPDATE small SET a = 3; ROLLBACK;
SELECT * FROM small;
DROP TABLE small;

-- persistence and place
SELECT twin('CREATE UNLOGGED TABLE un_@ (id int PRIMARY KEY, b text) USING @am');
SELECT twin('INSERT INTO un_@ SELECT i, i FROM generate_series(1, 1000) i; UPDATE un_@ SET b = ''u'' WHERE id % 3 = 0; DELETE FROM un_@ WHERE id % 5 = 0');
SELECT twin('ALTER TABLE un_@ SET LOGGED');
SELECT same('SELECT * FROM un_@');
SELECT twin('DELETE FROM un_@ WHERE id % 7 = 0; ALTER TABLE un_@ SET UNLOGGED; UPDATE un_@ SET b = ''v'' WHERE id % 11 = 0');
SELECT same('SELECT * FROM un_@');
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE table_features_space LOCATION '';
ALTER TABLE u_h SET TABLESPACE table_features_space;
ALTER TABLE u_c SET TABLESPACE table_features_space;
SELECT same('SELECT * FROM u_@');
SELECT twin('UPDATE u_@ SET g = 6 WHERE id % 6 = 2; DELETE FROM u_@ WHERE id % 6 = 3');
SELECT same('SELECT * FROM u_@');
ALTER TABLE u_h SET TABLESPACE pg_default;
ALTER TABLE u_c SET TABLESPACE pg_default;
SELECT same('SELECT * FROM u_@ WHERE id > 1000');
DROP TABLESPACE table_features_space;

-- undone
BEGIN;
SELECT twin('ALTER TABLE u_@ ADD COLUMN undone int DEFAULT 9; UPDATE u_@ SET undone = 8; ALTER TABLE u_@ ALTER undone TYPE text; DELETE FROM u_@ WHERE id % 2 = 0');
SELECT same('SELECT * FROM u_@');
SAVEPOINT s;
SELECT twin('TRUNCATE u_@ CASCADE; INSERT INTO u_@ (id, a, f) VALUES (1, 1, 1)');
SELECT same('SELECT * FROM u_@');
ROLLBACK TO s;
SELECT same('SELECT * FROM u_@');
ROLLBACK;
SELECT same('SELECT * FROM u_@');
SELECT * FROM ecinsight.verify('u_c');
SELECT * FROM ecinsight.verify('un_c');

DROP SCHEMA table_features_alter CASCADE;
