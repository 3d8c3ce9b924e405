-- Rows that stand in tuples of their own: scans, statistics and inspection see them as any other row.
SET client_min_messages = warning;
CREATE TABLE delta_heap (a int, b text, c numeric(10,2), d int[], e date) USING heap;
CREATE TABLE delta (LIKE delta_heap) USING ecinsight_columnar WITH (autovacuum_enabled = off);
CREATE FUNCTION delta_write(t text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..1500 LOOP
		EXECUTE format('INSERT INTO %I VALUES ($1, CASE WHEN $1 %% 7 > 0 THEN repeat(chr(97 + $1 %% 26), $1 %% 40) END, $1 / 3.0, ARRAY[$1, NULL], date ''2024-01-01'' + $1 %% 400)', t) USING i;
	END LOOP;
	EXECUTE format('INSERT INTO %I SELECT i, ''bulk '' || i %% 9, i, NULL, NULL FROM generate_series(2001, 6000) i', t);
	FOR i IN 7000..7100 LOOP
		EXECUTE format('INSERT INTO %I (a, b) VALUES ($1, repeat(''wide'', 500))', t) USING i;
	END LOOP;
	EXECUTE format('UPDATE %I SET b = ''updated '' || a, c = NULL WHERE a %% 50 = 3', t);
	EXECUTE format('DELETE FROM %I WHERE a %% 40 = 8', t);
END $$;
SELECT delta_write('delta_heap'), delta_write('delta');
CREATE FUNCTION delta_check() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE q text; h text; c text;
BEGIN
	FOREACH q IN ARRAY ARRAY['SELECT count(*) FROM TAB', 'SELECT md5(string_agg(x::text, '','' ORDER BY a)) FROM TAB x',
		'SELECT count(*), sum(c) FROM TAB WHERE b LIKE ''updated%''', 'SELECT a, b, c FROM TAB WHERE a IN (3, 8, 2003, 7003) ORDER BY a',
		'SELECT count(*) FROM TAB WHERE e BETWEEN ''2024-02-01'' AND ''2024-02-10'' OR d IS NULL', 'SELECT sum(a) FROM TAB WHERE b = ''bulk 4''']
	LOOP
		EXECUTE format('SELECT string_agg(q::text, '' '') FROM (%s) q', replace(q, 'TAB', 'delta_heap')) INTO h;
		EXECUTE format('SELECT string_agg(q::text, '' '') FROM (%s) q', replace(q, 'TAB', 'delta')) INTO c;
		RETURN NEXT CASE WHEN h IS NOT DISTINCT FROM c THEN left(h, 50) ELSE 'WRONG: ' || h || ' / ' || c END;
	END LOOP;
END $$;
SELECT delta_check();
SELECT v::text FROM ecinsight.verify('delta') v;
SELECT form, sum(rows) > 0 AS rows FROM ecinsight.row_groups('delta') WHERE form = 'delta' GROUP BY form;
SELECT (SELECT sum(rows) - sum(masked_rows) FROM ecinsight.row_groups('delta')) = count(*) AS counted,
	(SELECT sum(rows) - sum(masked_rows) FROM ecinsight.columnar_stats('delta') WHERE column_name IS NULL) = count(*) AS counted_too FROM delta;

-- by PostgreSQL's scan, and in parallel
SET ecinsight.enable_columnar_scan = off;
SELECT delta_check();
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT delta_check();
RESET ecinsight.enable_columnar_scan;
SELECT delta_check();
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;

-- statistics count what is alive
ANALYZE delta; ANALYZE delta_heap;
SELECT c.reltuples = h.reltuples AS same FROM pg_class c, pg_class h WHERE c.oid = 'delta'::regclass AND h.oid = 'delta_heap'::regclass;
SELECT c.attname, c.n_distinct = h.n_distinct AS n_distinct, c.null_frac = h.null_frac AS null_frac FROM pg_stats c JOIN pg_stats h USING (attname)
	WHERE c.tablename = 'delta' AND h.tablename = 'delta_heap' ORDER BY 1;

-- columns added later; the writer's own rows and commands; a cursor that is older than the rows
ALTER TABLE delta_heap ADD f int DEFAULT 7; ALTER TABLE delta ADD f int DEFAULT 7;
ALTER TABLE delta_heap DROP b; ALTER TABLE delta DROP b; ALTER TABLE delta_heap ADD b text; ALTER TABLE delta ADD b text;
SELECT delta_check();
BEGIN; DECLARE old CURSOR FOR SELECT count(*), sum(a) FROM delta; INSERT INTO delta (a) VALUES (10000); UPDATE delta SET a = -a WHERE a < 10; DELETE FROM delta WHERE a > 5000;
SELECT count(*), sum(a) FROM delta; SAVEPOINT s; INSERT INTO delta (a) VALUES (1); SELECT count(*) FROM delta; ROLLBACK TO s; SELECT count(*) FROM delta; FETCH old; ROLLBACK;
SELECT delta_check();

-- after compaction nothing stands alone
VACUUM delta;
SELECT delta_check();
SELECT count(*) FROM ecinsight.row_groups('delta') WHERE form = 'delta' AND rows > 1500;
DROP TABLE delta, delta_heap;
DROP FUNCTION delta_write, delta_check;
