-- Row groups encoded by helper threads while more rows come: the same rows in the same order, whatever happens meanwhile.
SET client_min_messages = warning;
CREATE SCHEMA table_helpers;
SET search_path = table_helpers, public;
SET synchronize_seqscans = off;
SET ecinsight.row_group_rows = 8192;
CREATE TABLE h (id int, low text, uniq text, nulls text, long text, num numeric(12,2), raw numeric, ts timestamptz);
INSERT INTO h SELECT i, 'word' || i % 100, md5(i::text), CASE WHEN i % 3 > 0 THEN 'v' || i % 5000 END, repeat(md5((i / 7)::text), 1 + i % 4), i / 7.0, i / 3.0,
	'2024-01-01 00:00:00+00'::timestamptz + i * '1 s'::interval FROM generate_series(1, 50000) i;
CREATE FUNCTION summary(t regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text; BEGIN EXECUTE format('SELECT (count(*), sum(id), count(nulls), sum(hashtext(s::text)::bigint))::text FROM %s s', t) INTO r; RETURN r; END $$;
-- physical order is that of insertion, and tids ascend
CREATE FUNCTION disorder(t regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint; BEGIN
	EXECUTE format('SELECT count(*) FROM (SELECT id, lag(id) OVER () AS before, ctid, lag(ctid) OVER () AS tid FROM %s) x WHERE id <= before' || CASE t WHEN 'h'::regclass THEN '' ELSE ' OR ctid <= tid' END, t) INTO n;
	RETURN n; END $$;
DO $$
DECLARE threads int; path text := current_setting('data_directory') || '/ec_table_helpers.copy';
BEGIN
	EXECUTE format('COPY h TO %L', path);
	FOREACH threads IN ARRAY '{0,1,5}'::int[] LOOP
		PERFORM set_config('ecinsight.encode_threads', threads::text, false);
		CREATE TABLE i USING ecinsight_columnar AS SELECT * FROM h LIMIT 0;
		INSERT INTO i SELECT * FROM h;
		RAISE WARNING 'insert, %: %, % more out of order, % groups', threads, summary('i') = summary('h'), disorder('i') - disorder('h'), (SELECT count(*) FROM ecinsight.row_groups('i'));
		TRUNCATE i;
		EXECUTE format('COPY i FROM %L', path);
		RAISE WARNING 'copy, %: %, % more out of order', threads, summary('i') = summary('h'), disorder('i') - disorder('h');
		PERFORM set_config('ecinsight.enable_copy_parser', 'off', false);
		TRUNCATE i;
		EXECUTE format('COPY i FROM %L', path);
		RAISE WARNING 'copy by core, %: %, % more out of order', threads, summary('i') = summary('h'), disorder('i') - disorder('h');
		PERFORM set_config('ecinsight.enable_copy_parser', 'on', false);
		RAISE WARNING 'verified: %', (SELECT count(*) FROM ecinsight.verify('i'));
		DROP TABLE i;
	END LOOP;
	EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'cat >/dev/null; rm -f ' || quote_literal(path));
END $$;
SET ecinsight.encode_threads = 2;

-- errors while a batch is in flight: of the statement, of subtransactions that go on
CREATE TABLE c USING ecinsight_columnar AS SELECT * FROM h LIMIT 0;
INSERT INTO c SELECT id / (id - 20000), low, uniq, nulls, long, num, raw, ts FROM h;
SELECT count(*) FROM c;
DO $$ BEGIN
	FOR n IN 1..5 LOOP
		BEGIN
			INSERT INTO c SELECT id / (id - 8000 * n), low, uniq, nulls, long, num, raw, ts FROM h;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
	INSERT INTO c SELECT * FROM h WHERE id <= 30000;
END $$;
SELECT count(*), sum(id) FROM c;
TRUNCATE c;
BEGIN; SAVEPOINT a; INSERT INTO c SELECT * FROM h; ROLLBACK TO a; INSERT INTO c SELECT * FROM h; SAVEPOINT b; INSERT INTO c SELECT * FROM h; ROLLBACK TO b; COMMIT;
SELECT summary('c') = summary('h') AS equal, disorder('c') - disorder('h') AS more_out_of_order;

-- rows in flight are found by indexes, and by those who may see them
TRUNCATE c;
CREATE UNIQUE INDEX ON c (id);
INSERT INTO c SELECT CASE id WHEN 50000 THEN 20000 ELSE id END, low, uniq, nulls, long, num, raw, ts FROM h;
INSERT INTO c SELECT CASE id % 7 WHEN 0 THEN id - 20000 ELSE id END, low, uniq, nulls, long, num, raw, ts FROM h ON CONFLICT DO NOTHING;
CREATE TABLE expected AS SELECT * FROM h LIMIT 0;
CREATE UNIQUE INDEX ON expected (id);
INSERT INTO expected SELECT CASE id % 7 WHEN 0 THEN id - 20000 ELSE id END, low, uniq, nulls, long, num, raw, ts FROM h ON CONFLICT DO NOTHING;
SELECT summary('c') = summary('expected') AS equal;
INSERT INTO c SELECT id, low, 'new', nulls, long, num, raw, ts FROM h WHERE id % 2 = 0 ON CONFLICT (id) DO UPDATE SET uniq = excluded.uniq, low = c.low || '!';
INSERT INTO expected SELECT id, low, 'new', nulls, long, num, raw, ts FROM h WHERE id % 2 = 0 ON CONFLICT (id) DO UPDATE SET uniq = excluded.uniq, low = expected.low || '!';
SELECT summary('c') = summary('expected') AS equal;
DROP INDEX c_id_idx;
TRUNCATE c;
-- a function that reads and writes the table, in a subtransaction, while the statement that calls it fills it: as with heap
CREATE FUNCTION meddle(t text, i int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE n bigint; BEGIN
	IF i % 10000 = 0 THEN
		EXECUTE 'SELECT count(*) FROM ' || t INTO n;
		BEGIN EXECUTE format('INSERT INTO %s SELECT * FROM h WHERE id <= 20000', t); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
		EXECUTE format('INSERT INTO %s SELECT -id, low, uniq, nulls, long, num, raw, ts FROM h WHERE id <= 10000', t);
		RAISE WARNING '% at %: % rows seen', t, i, n;
	END IF;
	RETURN i; END $$;
TRUNCATE expected;
DROP INDEX expected_id_idx;
INSERT INTO c SELECT meddle('c', id), low, uniq, nulls, long, num, raw, ts FROM h;
INSERT INTO expected SELECT meddle('expected', id), low, uniq, nulls, long, num, raw, ts FROM h;
SELECT summary('c') = summary('expected') AS equal;
-- parts of a partitioned table take turns
CREATE TABLE parts (LIKE h) PARTITION BY HASH (id);
SELECT format('CREATE TABLE parts_%s PARTITION OF parts FOR VALUES WITH (MODULUS 3, REMAINDER %s) USING ecinsight_columnar', i, i) FROM generate_series(0, 2) i \gexec
INSERT INTO parts SELECT * FROM h;
SELECT summary('parts') = summary('h') AS equal;
DELETE FROM parts WHERE id % 2 = 0;
VACUUM FULL parts;
SELECT count(*), sum(id) FROM parts;
-- data-modifying CTEs: two statements' batches of one table
TRUNCATE c;
WITH a AS (INSERT INTO c SELECT * FROM h RETURNING id), b AS (INSERT INTO c SELECT * FROM h RETURNING id) SELECT count(*) FROM a, LATERAL (SELECT 1) x;
SELECT count(*), sum(id) FROM c;
DROP SCHEMA table_helpers CASCADE;
