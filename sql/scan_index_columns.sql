-- Index and bitmap scans read only the columns that somebody looks at: every statement gives heap's rows.
SET jit = off;
CREATE TABLE ic_h (id int, dropped text, a int, b text, c numeric(10,2), d text, at circle, tag int[]);
CREATE TABLE ic_c (LIKE ic_h) USING ecinsight_columnar;
INSERT INTO ic_h SELECT i, 'x' || i, i % 97, 'b' || i % 1000, i / 7.0, CASE WHEN i % 5 > 0 THEN repeat('d' || i, 3) END,
	circle(point(i % 100, i / 100), i % 7), ARRAY[i % 11, i % 13] FROM generate_series(1, 20000) i;
INSERT INTO ic_c SELECT * FROM ic_h ORDER BY id;
DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY '{ic_h,ic_c}'::text[] LOOP
	EXECUTE format('ALTER TABLE %1$I DROP COLUMN dropped, ADD COLUMN late text DEFAULT ''late'', ADD COLUMN empty int', t);
	EXECUTE format('INSERT INTO %1$I SELECT i, i %% 97, ''b'' || i %% 1000, i, ''new'', circle(point(i, i), 1), ''{1,2}'', ''l'' || i, i FROM generate_series(20001, 20100) i', t);
	EXECUTE format('CREATE UNIQUE INDEX ON %1$I (id)', t);
	EXECUTE format('CREATE INDEX ON %1$I (a)', t);
	EXECUTE format('CREATE INDEX ON %1$I USING gist (at)', t);
	EXECUTE format('CREATE INDEX ON %1$I USING gin (tag)', t);
	EXECUTE format('CREATE INDEX ON %1$I (upper(b))', t);
END LOOP; END $$;
VACUUM ANALYZE ic_h;
VACUUM ANALYZE ic_c;
CREATE TABLE ic_ids AS SELECT i * 37 % 20200 + 1 AS id FROM generate_series(1, 400) i;
ANALYZE ic_ids;
SET enable_seqscan = off;
SET ecinsight.enable_columnar_scan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;

-- what a nested loop doesn't need is not fetched for it
EXPLAIN (VERBOSE, COSTS OFF) SELECT d FROM generate_series(1, 20000, 51) w(id) JOIN ic_c t ON t.id = w.id;
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(c) FROM ic_c t WHERE a = 5 AND b LIKE 'b1%';

-- the same rows; %s is the table
CREATE FUNCTION pg_temp.rows_of(query text, tab text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	EXECUTE format('SELECT count(*) || '' '' || md5(string_agg(x::text, '','' ORDER BY x::text)) FROM (%s) x', replace(query, '%s', tab)) INTO r;
	RETURN r;
END $$;
CREATE FUNCTION pg_temp.differ() RETURNS TABLE (query text, h text, c text) LANGUAGE sql AS $$
	SELECT q, pg_temp.rows_of(q, 'ic_h') h, pg_temp.rows_of(q, 'ic_c') c FROM unnest(ARRAY[
	'SELECT w.id, t.d FROM ic_ids w JOIN %s t ON t.id = w.id',
	'SELECT w.id, t.* FROM ic_ids w JOIN %s t ON t.id = w.id',
	'SELECT t FROM ic_ids w JOIN %s t ON t.id = w.id',
	'SELECT w.id, t.late, t.empty FROM ic_ids w LEFT JOIN %s t ON t.id = w.id AND t.c > 100',
	'SELECT t.tag, t.tableoid::regclass::text <> '''' FROM ic_ids w JOIN %s t ON t.id = w.id WHERE t.d IS NOT NULL',
	'SELECT c FROM %s WHERE a = 5 AND b LIKE ''b1%'' ',
	'SELECT * FROM %s WHERE a = 5',
	'SELECT d FROM %s WHERE a = 5 AND c = (SELECT max(c) FROM %s i WHERE i.a = 5)',
	'SELECT o.id, (SELECT b FROM %s i WHERE i.id = o.id + 1), o.d FROM %s o WHERE o.a = 7',
	'SELECT late FROM %s WHERE upper(b) = ''B77''',
	'SELECT id, empty FROM %s WHERE at && circle(point(5, 5), 3)',
	'SELECT id FROM (SELECT id, at <-> point(50, 50) FROM %s ORDER BY at <-> point(50, 50), id LIMIT 30) y',
	'SELECT d FROM (SELECT id, d FROM %s ORDER BY at <-> point(-50.37, 1000.21) LIMIT 3) y',
	'SELECT b, c FROM %s WHERE tag @> ''{3,4}''',
	'SELECT x.b, y.d FROM %s x JOIN %s y ON y.id = x.a WHERE x.a < 4',
	'SELECT count(*) FROM %s WHERE a < 3',
	'SELECT 1 FROM %s WHERE id IN (1, 20050)',
	'SELECT sum(c) OVER (PARTITION BY a ORDER BY id) FROM %s WHERE a IN (1, 2)',
	'SELECT b FROM %s WHERE a = 5 UNION ALL SELECT d FROM %s WHERE a = 6',
	'SELECT y.c FROM ic_ids w, LATERAL (SELECT c, b FROM %s t WHERE t.id = w.id OFFSET 0) y WHERE y.b < ''b5'' ']) q
$$;
SELECT * FROM pg_temp.differ() WHERE h IS DISTINCT FROM c OR h LIKE '0 %';
SET enable_bitmapscan = off;
SELECT * FROM pg_temp.differ() WHERE h IS DISTINCT FROM c OR h LIKE '0 %';
SET enable_bitmapscan = on;
SET enable_indexscan = off;
SET work_mem = '64kB';
SELECT * FROM pg_temp.differ() WHERE h IS DISTINCT FROM c OR h LIKE '0 %';
RESET work_mem;
RESET enable_indexscan;

-- rows that are changed keep the columns that the statement doesn't name
CREATE TABLE ic_log (tab name, old text, new text);
CREATE FUNCTION pg_temp.log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO ic_log VALUES (TG_TABLE_NAME, OLD::text, CASE WHEN TG_OP = 'UPDATE' THEN NEW::text END);
	RETURN NULL;
END $$;
CREATE TRIGGER log AFTER UPDATE OR DELETE ON ic_h FOR EACH ROW EXECUTE FUNCTION pg_temp.log_change();
CREATE TRIGGER log AFTER UPDATE OR DELETE ON ic_c FOR EACH ROW EXECUTE FUNCTION pg_temp.log_change();
DO $$ DECLARE t text; r record; BEGIN FOREACH t IN ARRAY '{ic_h,ic_c}'::text[] LOOP
	EXECUTE format('UPDATE %I SET c = c + 1 WHERE a = 9', t);
	EXECUTE format('UPDATE %I t SET b = t.b || w.id FROM ic_ids w WHERE w.id = t.id AND t.a < 20', t);
	EXECUTE format('DELETE FROM %I WHERE a = 10', t);
	EXECUTE format('DELETE FROM %I t USING ic_ids w WHERE t.id = w.id AND t.d IS NULL', t);
	EXECUTE format('INSERT INTO %1$I (id, a) VALUES (1, 1), (2, 2) ON CONFLICT (id) DO UPDATE SET a = %1$I.a + 1000', t);
	EXECUTE format('MERGE INTO %I t USING ic_ids w ON w.id = t.id WHEN MATCHED AND t.a = 30 THEN DELETE WHEN MATCHED THEN UPDATE SET late = ''merged''', t);
	FOR r IN EXECUTE format('SELECT id FROM %I WHERE a = 11 FOR UPDATE', t) LOOP
		EXECUTE format('UPDATE %I SET a = 12 WHERE id = %s', t, r.id);
	END LOOP;
END LOOP; END $$;
(SELECT t::text FROM ic_h t EXCEPT ALL SELECT t::text FROM ic_c t) UNION ALL (SELECT t::text FROM ic_c t EXCEPT ALL SELECT t::text FROM ic_h t);
SELECT count(*) > 500, count(*) FILTER (WHERE tab = 'ic_h') - count(*) FILTER (WHERE tab = 'ic_c') FROM ic_log;
SELECT old, new FROM ic_log GROUP BY 1, 2 HAVING count(*) % 2 = 1;

-- a cursor on few columns, whose row is then changed
BEGIN;
DECLARE cur SCROLL CURSOR FOR SELECT d FROM ic_c WHERE id BETWEEN 100 AND 103;
FETCH 2 FROM cur;
UPDATE ic_c SET b = 'current' WHERE CURRENT OF cur;
FETCH BACKWARD 1 FROM cur;
SELECT * FROM ic_c WHERE b = 'current';
ROLLBACK;
DROP TABLE ic_h, ic_c, ic_ids, ic_log;
