-- Many rows, large values, COPY, statistics, parallel plans.
SET client_min_messages = warning;
CREATE SCHEMA table_bulk;
SET search_path = table_bulk, public;
CREATE TABLE h (id int, k int, t text, n numeric(12,3), ts timestamptz, u uuid, x numeric);
CREATE TABLE c (LIKE h) USING ecinsight_columnar;
INSERT INTO h SELECT i, i % 1000, CASE WHEN i % 11 > 0 THEN 'text ' || i % 5000 END, (i * 7 % 100003) / 8.0, '2020-01-01 00:00:00+00'::timestamptz + i * '1 s'::interval,
	md5((i % 20000)::text)::uuid, CASE WHEN i % 5 = 0 THEN i / 3.0 END FROM generate_series(1, 60000) i;
SET ecinsight.row_group_rows = 20000;
INSERT INTO c SELECT * FROM h;
CREATE FUNCTION summary(t regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text; BEGIN
	EXECUTE format('SELECT (count(*), sum(id), sum(k), count(t), sum(n), max(ts), count(DISTINCT u), sum(x), sum(hashtext(s::text)::bigint))::text FROM %s s', t) INTO r;
	RETURN r; END $$;
SELECT summary('h') = summary('c') AS equal;
SELECT count(*) FROM ecinsight.row_groups('c');

-- COPY out, in; text, csv and binary
COPY c TO PROGRAM 'cat > /dev/null';
CREATE TABLE c2 (LIKE h) USING ecinsight_columnar;
DO $$
DECLARE f text; path text := current_setting('data_directory') || '/ec_table_bulk.copy';
BEGIN
	FOREACH f IN ARRAY '{text,csv,binary}'::text[] LOOP
		TRUNCATE c2;
		EXECUTE format('COPY c TO %L (FORMAT %s)', path, f);
		EXECUTE format('COPY c2 FROM %L (FORMAT %s)', path, f);
		RAISE WARNING '%: %', f, summary('c2') = summary('h');
	END LOOP;
	EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'cat >/dev/null; rm -f ' || quote_literal(path));
END $$;
COPY c2 (id, t) FROM stdin;
1	a
2	\N
3	wrong	columns
\.
SELECT summary('c2') = summary('h') AS unchanged;
BEGIN; TRUNCATE c2; COPY c2 (id) FROM stdin (FREEZE);
1
2
\.
COMMIT; SELECT count(*) FROM c2;

-- with a small write buffer and many tables at once
SET ecinsight.write_buffer = '1MB'; SET ecinsight.row_group_rows = 1048576;
TRUNCATE c; INSERT INTO c SELECT * FROM h; SELECT summary('h') = summary('c') AS equal, (SELECT count(*) > 3 FROM ecinsight.row_groups('c')) AS groups;
CREATE TABLE p (LIKE h) PARTITION BY LIST (k);
DO $$ BEGIN FOR i IN 0..49 LOOP EXECUTE format('CREATE TABLE p%s PARTITION OF p FOR VALUES IN (%s) USING ecinsight_columnar', i, i); END LOOP; END $$;
INSERT INTO p SELECT id, k % 50, t, n, ts, u, x FROM h;
SELECT (SELECT (count(*), sum(id), sum(n), sum(hashtext(t)::bigint)) FROM p) = (SELECT (count(*), sum(id), sum(n), sum(hashtext(t)::bigint)) FROM h) AS equal;
RESET ecinsight.write_buffer; RESET ecinsight.row_group_rows;
-- COPY turns from partition to partition without leaving small row groups behind
TRUNCATE p;
DO $$
DECLARE path text := current_setting('data_directory') || '/ec_table_bulk.copy';
BEGIN
	EXECUTE format('COPY (SELECT id, k %% 50, t, n, ts, u, x FROM h) TO %L', path);
	EXECUTE format('COPY p FROM %L', path);
	EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'cat >/dev/null; rm -f ' || quote_literal(path));
END $$;
SELECT count(*), sum(id), (SELECT count(*) FROM pg_inherits i, LATERAL ecinsight.row_groups(i.inhrelid) WHERE inhparent = 'p'::regclass) AS groups FROM p;

-- large values
CREATE TABLE lh (id int, t text, b bytea);
CREATE TABLE lc (LIKE lh) USING ecinsight_columnar;
ALTER TABLE lh ALTER t SET STORAGE EXTERNAL;
INSERT INTO lh SELECT i, repeat(md5(i::text), 250 * i), decode(repeat(md5(i::text), 40 * i * i), 'hex') FROM generate_series(1, 20) i;
INSERT INTO lh VALUES (100, repeat('0123456789', 1000000), NULL), (101, '', ''), (102, (SELECT string_agg(repeat(md5(i::text), 100), '') FROM generate_series(1, 16000) i), '\x00');
INSERT INTO lc SELECT * FROM lh;
SELECT count(*), sum(length(lc.t)), sum(length(lc.b)), bool_and(lc.t = lh.t), bool_and(lc.b IS NOT DISTINCT FROM lh.b) FROM lc JOIN lh USING (id);
SELECT * FROM ecinsight.verify('lc');
ALTER TABLE lc ADD z int; VACUUM FULL lc; SELECT sum(length(t)) FROM lc;
DROP TABLE lh, lc;

-- ANALYZE
ANALYZE h; ANALYZE c;
SELECT c.relname, c.reltuples FROM pg_class c WHERE oid IN ('h'::regclass, 'c'::regclass) ORDER BY 1;
SELECT h.attname, abs(h.n_distinct - c.n_distinct) < 0.1 * greatest(abs(h.n_distinct), 1) AS n_distinct, abs(h.null_frac - c.null_frac) < 0.05 AS null_frac,
		h.avg_width = c.avg_width AS width, abs(h.correlation - c.correlation) < 0.1 AS correlation, array_length(h.histogram_bounds::text::text[], 1) = array_length(c.histogram_bounds::text::text[], 1) AS histogram
	FROM pg_stats h JOIN pg_stats c USING (schemaname, attname) WHERE schemaname = 'table_bulk' AND h.tablename = 'h' AND c.tablename = 'c' ORDER BY 1;
CREATE TABLE few (a int) USING ecinsight_columnar; ANALYZE few; SELECT reltuples FROM pg_class WHERE oid = 'few'::regclass;
INSERT INTO few VALUES (1), (2), (3); ANALYZE few; SELECT reltuples, relpages FROM pg_class WHERE oid = 'few'::regclass;
SET default_statistics_target = 1; ANALYZE c; SELECT reltuples FROM pg_class WHERE oid = 'c'::regclass; RESET default_statistics_target;
SELECT pg_stat_force_next_flush();
SELECT n_live_tup, n_tup_ins FROM pg_stat_user_tables WHERE relid = 'few'::regclass;

-- parallel plans, also below statements that have rows in the making
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
TRUNCATE c; SET ecinsight.row_group_rows = 5000; INSERT INTO c SELECT * FROM h; RESET ecinsight.row_group_rows;
SET ecinsight.enable_columnar_scan = off;
EXPLAIN (COSTS OFF) SELECT count(*), sum(id) FROM c;
SELECT count(*), sum(id) FROM c;
SELECT count(*), sum(c.id) FROM c JOIN h USING (id) WHERE c.k < 10;
CREATE TABLE parallel_ctas USING ecinsight_columnar AS SELECT * FROM c WHERE k < 500;
SELECT count(*) FROM parallel_ctas;
CREATE FUNCTION counted(t regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE r bigint; BEGIN
	BEGIN EXECUTE format('SELECT count(*) FROM %s', t) INTO r; EXCEPTION WHEN division_by_zero THEN NULL; END;
	RETURN r; END $$;
SELECT count(*) AS before FROM c \gset
INSERT INTO c (id, k) SELECT 1000000 + i, counted('c') FROM generate_series(1, 20) i;
SELECT array_agg(k - :before ORDER BY id) FROM c WHERE id > 1000000;
SELECT set_config(CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'force_parallel_mode' ELSE 'debug_parallel_query' END, 'on', false);
SELECT count(*) FROM c WHERE id > 1000000;
SELECT set_config(CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'force_parallel_mode' ELSE 'debug_parallel_query' END, 'off', false);
SET ecinsight.enable_columnar_scan = on;

DROP SCHEMA table_bulk CASCADE;
