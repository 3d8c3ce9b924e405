-- Temporary tables, cursors and prepared statements on tables whose rows have been changed.
SET client_min_messages = warning;
CREATE SCHEMA table_features_sessions;
SET search_path = table_features_sessions;
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
SELECT twin('CREATE TABLE t_@ (id int PRIMARY KEY, a int) USING @am');
SELECT twin('INSERT INTO t_@ SELECT i, i FROM generate_series(1, 1000) i; UPDATE t_@ SET a = -a WHERE id % 4 = 0; DELETE FROM t_@ WHERE id % 5 = 0; INSERT INTO t_@ VALUES (2001, 1), (2002, 2)');

-- cursors see what was there when they were opened, in both directions
BEGIN;
DECLARE h SCROLL CURSOR FOR SELECT * FROM t_h;
DECLARE c SCROLL CURSOR FOR SELECT * FROM t_c;
DECLARE hs NO SCROLL CURSOR FOR SELECT * FROM t_h ORDER BY a;
DECLARE cs NO SCROLL CURSOR FOR SELECT * FROM t_c ORDER BY a;
DECLARE held CURSOR WITH HOLD FOR SELECT * FROM t_c WHERE id < 10 ORDER BY id;
SELECT twin('UPDATE t_@ SET a = 0 WHERE id < 50; DELETE FROM t_@ WHERE id > 900; INSERT INTO t_@ VALUES (3000, 0)');
FETCH 3 FROM c;
FETCH 3 FROM h;
FETCH LAST FROM c;
FETCH PRIOR FROM c;
MOVE BACKWARD 10 IN c;
FETCH RELATIVE 0 FROM c;
MOVE ABSOLUTE 500 IN c;
FETCH 2 FROM c;
FETCH BACKWARD 2 FROM c;
MOVE ABSOLUTE -20 IN c;
FETCH 1 FROM c;
MOVE FORWARD ALL IN cs;
MOVE FORWARD ALL IN hs;
MOVE FIRST IN c;
FETCH PRIOR FROM c;
FETCH NEXT FROM c;
SELECT same('SELECT * FROM t_@');
-- rows at a cursor
DECLARE u_h CURSOR FOR SELECT * FROM t_h WHERE id BETWEEN 100 AND 110 FOR UPDATE;
DECLARE u_c CURSOR FOR SELECT * FROM t_c WHERE id BETWEEN 100 AND 110 FOR UPDATE;
MOVE 2 IN u_h; MOVE 2 IN u_c;
SELECT twin('UPDATE t_@ SET a = 12345 WHERE CURRENT OF u_@');
MOVE 1 IN u_h; MOVE 1 IN u_c;
SELECT twin('DELETE FROM t_@ WHERE CURRENT OF u_@');
SELECT twin('DELETE FROM t_@ WHERE CURRENT OF u_@');
SELECT same('SELECT * FROM t_@');
SAVEPOINT s;
SELECT twin('DELETE FROM t_@ WHERE id < 500');
DECLARE later CURSOR FOR SELECT min(id) FROM t_c;
ROLLBACK TO s;
SELECT same('SELECT * FROM t_@');
COMMIT;
FETCH ALL FROM held;
CLOSE held;
SELECT same('SELECT * FROM t_@');

-- prepared statements: custom and generic plans, before and after changes
PREPARE ph (int) AS SELECT * FROM t_h WHERE id = $1;
PREPARE pc (int) AS SELECT * FROM t_c WHERE id = $1;
PREPARE uh (int, int) AS UPDATE t_h SET a = $2 WHERE id = $1 RETURNING *;
PREPARE uc (int, int) AS UPDATE t_c SET a = $2 WHERE id = $1 RETURNING *;
SET plan_cache_mode = force_generic_plan;
EXECUTE ph (7); EXECUTE pc (7); EXECUTE uh (7, 70); EXECUTE uc (7, 70); EXECUTE pc (7);
SET plan_cache_mode = force_custom_plan;
EXECUTE ph (8); EXECUTE pc (8); EXECUTE uh (8, 80); EXECUTE uc (8, 80); EXECUTE pc (8);
RESET plan_cache_mode;
SELECT twin('ALTER TABLE t_@ ADD COLUMN extra text DEFAULT ''new''');
EXECUTE uc (9, 90);
DEALLOCATE ALL;
PREPARE pc (int) AS SELECT * FROM t_c WHERE id = $1;
EXECUTE pc (9);
SELECT twin('ALTER TABLE t_@ DROP CONSTRAINT t_@_pkey');
EXECUTE pc (9);
SELECT twin('CREATE INDEX ON t_@ (id)');
EXECUTE pc (9);
DEALLOCATE ALL;

-- temporary tables
SELECT twin('CREATE TEMP TABLE keep_@ (id int PRIMARY KEY, a text) USING @am');
SELECT twin('CREATE TEMP TABLE clear_@ (id int PRIMARY KEY, a text) USING @am ON COMMIT DELETE ROWS');
SELECT twin('INSERT INTO keep_@ SELECT i, ''k'' || i FROM generate_series(1, 2000) i; UPDATE keep_@ SET a = ''new'' WHERE id % 3 = 0; DELETE FROM keep_@ WHERE id % 7 = 0');
SELECT same('SELECT * FROM keep_@');
BEGIN;
SELECT twin('INSERT INTO clear_@ SELECT * FROM keep_@; DELETE FROM clear_@ WHERE id > 100; UPDATE clear_@ SET id = -id');
SELECT same('SELECT * FROM clear_@');
SELECT twin('CREATE TEMP TABLE drop_@ USING @am ON COMMIT DROP AS SELECT * FROM clear_@');
SELECT same('SELECT * FROM drop_@');
COMMIT;
SELECT same('SELECT * FROM clear_@');
SELECT twin('INSERT INTO clear_@ VALUES (1, ''gone'')');
SELECT same('SELECT * FROM clear_@');
SELECT twin('SELECT * FROM drop_@');
BEGIN;
SELECT twin('TRUNCATE keep_@; INSERT INTO keep_@ VALUES (1, ''t'')');
SELECT same('SELECT * FROM keep_@');
ROLLBACK;
SELECT same('SELECT * FROM keep_@');
SELECT twin('CREATE TABLE pg_temp.t_@ (hides int) USING @am; INSERT INTO pg_temp.t_@ VALUES (1); UPDATE pg_temp.t_@ SET hides = 2');
SELECT same('SELECT * FROM pg_temp.t_@');
DISCARD TEMP;
SELECT same('SELECT * FROM t_@');
SELECT * FROM ecinsight.verify('t_c');

-- materialized views
SELECT twin('CREATE MATERIALIZED VIEW mv_@ USING @am AS SELECT id, a FROM t_@');
SELECT twin('CREATE UNIQUE INDEX ON mv_@ (id)');
SELECT twin('UPDATE t_@ SET a = a + 1 WHERE id % 2 = 0; DELETE FROM t_@ WHERE id % 9 = 0; INSERT INTO t_@ VALUES (9000, 9)');
SELECT same('SELECT * FROM mv_@');
REFRESH MATERIALIZED VIEW CONCURRENTLY mv_h;
REFRESH MATERIALIZED VIEW CONCURRENTLY mv_c;
SELECT same('SELECT * FROM mv_@');
REFRESH MATERIALIZED VIEW mv_c;
SELECT same('SELECT * FROM mv_@');

-- rules, views that can be updated, row security
SELECT twin('CREATE VIEW v_@ AS SELECT id, a FROM t_@ WHERE a > 0 WITH CHECK OPTION');
SELECT twin('UPDATE v_@ SET a = a * 2 WHERE id % 3 = 1');
SELECT twin('UPDATE v_@ SET a = -1');
SELECT twin('INSERT INTO v_@ VALUES (9001, 1); DELETE FROM v_@ WHERE id = 1');
SELECT twin('CREATE RULE r AS ON DELETE TO t_@ DO ALSO INSERT INTO t_@ VALUES (old.id + 100000, 0); DELETE FROM t_@ WHERE id BETWEEN 20 AND 30');
SELECT same('SELECT * FROM t_@');

DROP SCHEMA table_features_sessions CASCADE;
