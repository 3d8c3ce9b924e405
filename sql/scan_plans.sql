-- Columnar scans inside all kinds of plans: parameters, joins, cursors, partitions, row security.
SET ecinsight.row_group_rows = 1024;
SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION scan_show(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) %s', query) LOOP
		IF line ~ 'Custom Scan|Row Groups|Vector Filter|Append|Nested|Subplans' THEN
			line := regexp_replace(line, ' \(actual.*\)|\(never executed\)', '');
			-- as the server's versions differ
			line := replace(line, '(InitPlan 1).col1', '$0');
			line := replace(line, '(scan_outer.lo = scan_a.id)', '(scan_a.id = scan_outer.lo)');
			RETURN NEXT line;
		END IF;
	END LOOP;
END $$;

CREATE TABLE scan_a (id int, k int, grp int, txt text) USING ecinsight_columnar;
INSERT INTO scan_a SELECT g, g % 100, g / 1024, 'row ' || g FROM generate_series(0, 10239) g;
CREATE TABLE scan_outer (lo int, hi int) USING heap;
INSERT INTO scan_outer VALUES (10, 12), (5000, 5001), (10239, 20000), (NULL, NULL), (-5, -1);
ANALYZE scan_a;
ANALYZE scan_outer;

-- prepared statements, custom and generic plans
PREPARE scan_p (int, text) AS SELECT id, txt FROM scan_a WHERE id BETWEEN $1 AND $1 + 1 AND txt <> $2;
SET plan_cache_mode = force_generic_plan;
EXECUTE scan_p (2047, 'x');
EXECUTE scan_p (9000, 'row 9001');
EXECUTE scan_p (NULL, 'x');
SELECT scan_show('EXECUTE scan_p (2047, ''x'')');
SET plan_cache_mode = force_custom_plan;
EXECUTE scan_p (2047, 'x');
RESET plan_cache_mode;
DEALLOCATE scan_p;

-- nested loops hand their values to zones
SELECT lo, id FROM scan_outer JOIN scan_a ON id >= lo AND id <= hi ORDER BY 1, 2;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT lo, txt FROM scan_outer JOIN scan_a ON id = lo ORDER BY 1;
SELECT scan_show('SELECT lo, txt FROM scan_outer JOIN scan_a ON id = lo');
SELECT lo, n FROM scan_outer LEFT JOIN LATERAL (SELECT count(*) AS n FROM scan_a WHERE id >= lo AND id <= hi) x ON true ORDER BY lo;
SELECT scan_show('SELECT lo, n FROM scan_outer LEFT JOIN LATERAL (SELECT count(*) AS n FROM scan_a WHERE id >= lo AND id <= hi) x ON true');
SELECT lo, (SELECT max(txt) FROM scan_a WHERE id = lo) FROM scan_outer ORDER BY lo;
SELECT a.id, b.id FROM scan_a a JOIN scan_a b ON b.id = a.id + 1 WHERE a.id IN (100, 1023) ORDER BY 1;
SELECT count(*) FROM scan_outer WHERE NOT EXISTS (SELECT FROM scan_a WHERE id IS NOT DISTINCT FROM lo);
RESET enable_hashjoin;
RESET enable_mergejoin;

-- initplans, stable functions
SELECT count(*) FROM scan_a WHERE id > (SELECT hi FROM scan_outer WHERE lo = 5000);
SELECT scan_show('SELECT count(*) FROM scan_a WHERE id > (SELECT hi FROM scan_outer WHERE lo = 5000)');
CREATE FUNCTION scan_stable() RETURNS int LANGUAGE sql STABLE AS 'SELECT 10230';
ALTER FUNCTION scan_stable() SET search_path = pg_catalog; -- so that it isn't inlined
SELECT scan_show('SELECT count(*) FROM scan_a WHERE id > scan_stable()');
-- keys are not evaluated for a scan that has nothing to read
CREATE TABLE scan_none (id int) USING ecinsight_columnar;
PREPARE scan_r (int) AS SELECT * FROM scan_none WHERE id = 10 / $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE scan_r (0);
INSERT INTO scan_none VALUES (5);
EXECUTE scan_r (2);
EXECUTE scan_r (0);
RESET plan_cache_mode;
DEALLOCATE scan_r;

-- errors come only from rows that the other clauses let through, as on a heap
SELECT count(*) FROM scan_a WHERE grp = 3 AND 1 / (grp - 4) < 0;
SELECT count(*) FROM scan_a WHERE 1 / (grp - 4) < 0;

-- cursors, to and fro
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM scan_a WHERE k = 50;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH LAST FROM c;
FETCH NEXT FROM c;
FETCH PRIOR FROM c;
FETCH PRIOR FROM c;
FETCH ABSOLUTE 12 FROM c;
FETCH RELATIVE -1 FROM c;
FETCH FIRST FROM c;
MOVE FORWARD ALL IN c;
FETCH BACKWARD 2 FROM c;
MOVE BACKWARD ALL IN c;
FETCH 1 FROM c;
-- a cursor doesn't see what comes after it
DECLARE d CURSOR FOR SELECT count(*), max(id) FROM scan_a;
INSERT INTO scan_a SELECT g, 50, 0, 'late' FROM generate_series(20001, 20010) g;
FETCH d;
FETCH LAST FROM c;
SELECT count(*), max(id) FROM scan_a;
ROLLBACK;
DECLARE h CURSOR WITH HOLD FOR SELECT id FROM scan_a WHERE id > 10236;
FETCH ALL FROM h;
CLOSE h;

-- limits stop early
SELECT scan_show('SELECT id FROM scan_a LIMIT 5');

-- one's own changes within a command and a transaction
BEGIN;
INSERT INTO scan_a VALUES (30001, 1, 1, 'own');
SELECT id, txt FROM scan_a WHERE id > 30000;
SAVEPOINT s;
INSERT INTO scan_a SELECT id + 1, k, grp, txt FROM scan_a WHERE id > 30000;
SELECT id, txt FROM scan_a WHERE id > 30000 ORDER BY id;
ROLLBACK TO s;
SELECT id, txt FROM scan_a WHERE id > 30000;
COMMIT;
-- trigger functions and functions called by the command that writes see what has been written
CREATE FUNCTION scan_count() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN (SELECT count(*) FROM scan_a WHERE id > 30000); END $$;
SELECT scan_count();

-- partitions and inheritance, columnar and heap together, columns in another order
CREATE TABLE scan_part (day date, id int, txt text) PARTITION BY RANGE (day);
CREATE TABLE scan_part_1 PARTITION OF scan_part FOR VALUES FROM ('2019-10-01') TO ('2019-11-01') USING ecinsight_columnar;
CREATE TABLE scan_part_2 (txt text, gone int, id int, day date) USING ecinsight_columnar;
ALTER TABLE scan_part_2 DROP COLUMN gone;
ALTER TABLE scan_part ATTACH PARTITION scan_part_2 FOR VALUES FROM ('2019-11-01') TO ('2019-12-01');
CREATE TABLE scan_part_3 PARTITION OF scan_part FOR VALUES FROM ('2019-12-01') TO ('2020-01-01') USING heap;
INSERT INTO scan_part SELECT date '2019-10-01' + g % 92, g, 'text ' || g % 5 FROM generate_series(1, 5000) g;
ANALYZE scan_part;
SELECT tableoid::regclass, count(*), min(day), max(day), sum(id), min(txt) FROM scan_part WHERE id > 100 GROUP BY 1 ORDER BY 1;
SELECT * FROM scan_part WHERE day IN ('2019-10-05', '2019-11-05', '2019-12-05') AND id < 150 ORDER BY id;
SELECT scan_show('SELECT * FROM scan_part WHERE id = 77 AND txt = ''text 2''');
SELECT p FROM scan_part p WHERE id BETWEEN 30 AND 32 ORDER BY id;
SET plan_cache_mode = force_generic_plan;
PREPARE scan_q (date) AS SELECT count(*) FROM scan_part WHERE day >= $1;
EXECUTE scan_q ('2019-11-15');
SELECT scan_show('EXECUTE scan_q (''2019-11-15'')');
DEALLOCATE scan_q;
RESET plan_cache_mode;
CREATE TABLE scan_parent (a int, b text) USING ecinsight_columnar;
CREATE TABLE scan_child (c int) INHERITS (scan_parent) USING ecinsight_columnar;
INSERT INTO scan_parent VALUES (1, 'parent');
INSERT INTO scan_child VALUES (2, 'child', 3);
SELECT tableoid::regclass, * FROM scan_parent WHERE a > 0 ORDER BY a;
SELECT tableoid::regclass, * FROM ONLY scan_parent WHERE a > 0;

-- row security: a clause that tells what it sees must not see rows that the policy hides
CREATE TABLE scan_secret (owner name, n int, txt text) USING ecinsight_columnar;
INSERT INTO scan_secret SELECT CASE WHEN g % 2 = 0 THEN 'regress_scan_user' ELSE 'other' END, g, CASE WHEN g % 2 = 0 THEN 'mine' ELSE 'hidden' END FROM generate_series(1, 8) g;
CREATE ROLE regress_scan_user;
CREATE POLICY scan_policy ON scan_secret USING (txt = 'mine');
ALTER TABLE scan_secret ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON scan_secret TO regress_scan_user;
GRANT CREATE ON SCHEMA public TO regress_scan_user;
SET ROLE regress_scan_user;
CREATE FUNCTION public.scan_leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0001 IMMUTABLE AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
SELECT n FROM scan_secret WHERE scan_leak(txt) AND n < 5;
SELECT scan_show('SELECT n FROM scan_secret WHERE n < 5 AND n / 2 > 0');
DROP FUNCTION public.scan_leak(text);
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM regress_scan_user;
-- the same for a security barrier view
CREATE VIEW scan_barrier WITH (security_barrier) AS SELECT * FROM scan_secret WHERE txt = 'mine';
CREATE FUNCTION scan_leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0001 IMMUTABLE AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
SELECT n FROM scan_barrier WHERE scan_leak(txt) AND n < 5;

-- columns added, dropped and retyped since rows were written
CREATE TABLE scan_alter (a int, b int, n numeric(8,2), v varchar(10), o oid) USING ecinsight_columnar;
INSERT INTO scan_alter SELECT g, g * 2, g / 4.0, 'v' || g, 4294967290 + g % 5 FROM generate_series(1, 2000) g;
ALTER TABLE scan_alter ADD COLUMN c int DEFAULT 7;
ALTER TABLE scan_alter ADD COLUMN d text;
ALTER TABLE scan_alter DROP COLUMN b;
ALTER TABLE scan_alter ALTER COLUMN n TYPE numeric(12,2);
ALTER TABLE scan_alter ALTER COLUMN v TYPE text;
ALTER TABLE scan_alter ALTER COLUMN o TYPE int;
INSERT INTO scan_alter SELECT g, g / 4.0, 'v' || g, -1, 8, 'new' FROM generate_series(2001, 2010) g;
SELECT count(*), sum(a) FROM scan_alter WHERE c = 7 AND d IS NULL;
SELECT count(*), sum(a) FROM scan_alter WHERE c > 7 OR d = 'new';
SELECT count(*), sum(n) FROM scan_alter WHERE n > 499.5;
SELECT count(*), min(v) FROM scan_alter WHERE v = 'v1999' OR v = 'v2001';
SELECT o, count(*) FROM scan_alter WHERE o < 0 GROUP BY o ORDER BY o;
SELECT count(*) FROM scan_alter WHERE o = -1;
ALTER TABLE scan_alter ALTER COLUMN n TYPE numeric;
INSERT INTO scan_alter VALUES (3000, 1e30, 'v', 0, 0, '');
SELECT count(*), max(n) FROM scan_alter WHERE n > 499.5;

-- no columns, no rows
CREATE TABLE scan_empty () USING ecinsight_columnar;
INSERT INTO scan_empty DEFAULT VALUES;
INSERT INTO scan_empty DEFAULT VALUES;
SELECT count(*) FROM scan_empty;
SELECT * FROM scan_none WHERE id > 5;

-- materialised views; SELECT FOR UPDATE's re-check is tested elsewhere
CREATE MATERIALIZED VIEW scan_mv USING ecinsight_columnar AS SELECT id, k FROM scan_a WHERE k < 2;
SELECT count(*), sum(id) FROM scan_mv WHERE k = 1;
SELECT scan_show('SELECT id FROM scan_mv WHERE k = 1 AND id < 0');

DROP MATERIALIZED VIEW scan_mv;
DROP VIEW scan_barrier;
DROP TABLE scan_a, scan_outer, scan_none, scan_part, scan_child, scan_parent, scan_secret, scan_alter, scan_empty;
DROP FUNCTION scan_show, scan_stable, scan_count, scan_leak;
DROP ROLE regress_scan_user;
