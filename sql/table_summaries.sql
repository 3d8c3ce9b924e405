-- Sets of summaries: VACUUM makes them, and what happens to rows and row groups decides which of them count.
SET client_min_messages = warning;
CREATE SCHEMA table_summaries;
SET search_path = table_summaries, public;
SET ecinsight.summary_rows = 1;
SELECT ecinsight.create_events_table('table_summaries.e');
SELECT ecinsight.set_options('e', row_group_rows => 20000);

CREATE FUNCTION fill(first int, last int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO table_summaries.e
	SELECT timestamptz '2019-10-01 00:00:00+00' + i * interval '97 seconds',
	       CASE WHEN i % 23 = 0 THEN 'purchase' WHEN i % 17 = 0 THEN 'cart' ELSE 'view' END,
	       i % 700, 2053013555631882655 + i % 30, 'category.' || i % 30 / 2, 'brand' || i % 11,
	       (i % 9999) / 100.0, 500000000 + i % 800, 'session' || i / 6
	FROM generate_series(first, last) i
$$;
-- sets that count, what they cover, and what is wrong
CREATE FUNCTION state(t regclass, OUT sets bigint, OUT covered numeric, OUT row_groups numeric, OUT problems bigint) LANGUAGE sql AS $$
	SELECT count(*), sum(s.rows), sum(s.row_groups), (SELECT count(*) FROM ecinsight.verify(t))
	FROM (SELECT DISTINCT set_number, rows, row_groups FROM ecinsight.summaries(t)) s
$$;
CREATE FUNCTION insights(t regclass) RETURNS text LANGUAGE sql AS $$
	SELECT md5(concat_ws('|',
		(SELECT string_agg(x::text, ',') FROM ecinsight.popular_categories(t, 1000) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.price_sensitivity(t, 1000) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.top_user_categories(t, 100) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.top_user_category_brands(t, 100) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.product_performance(t, 1000) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.sales_trend(t) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.overview(t) x)))
$$;
-- the same insights with and without them?
CREATE FUNCTION same(t regclass) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	summed text;
BEGIN
	PERFORM set_config('ecinsight.enable_summaries', 'on', true);
	summed := table_summaries.insights(t);
	PERFORM set_config('ecinsight.enable_summaries', 'off', true);
	RETURN summed = table_summaries.insights(t);
END
$$;

-- a table that needs no vacuuming else
SELECT fill(1, 20000);
SELECT * FROM state('e');
VACUUM e;
SELECT * FROM state('e');
SELECT same('e');
SELECT count(*) > 0 AS projections, bool_and(parts >= 0 AND cells >= 0 AND bytes >= 0) AS counted, sum(parts) > 0 AS parts FROM ecinsight.summaries('e');
SELECT count(*) AS lines, sum(summary_sets) AS sets, sum(summary_bytes) >= (SELECT sum(bytes) FROM ecinsight.summaries('e')) AS bytes
	FROM ecinsight.columnar_stats('e') WHERE summary_sets IS NOT NULL;
SELECT set_number AS before FROM ecinsight.summaries('e') LIMIT 1 \gset
VACUUM e;
SELECT bool_and(set_number = :before) AS nothing_to_do FROM ecinsight.summaries('e');

-- rows to come, and rows that go
SELECT fill(20001, 25000);
SELECT * FROM state('e');
SELECT same('e');
DELETE FROM e WHERE user_id = 500000007;
SELECT * FROM state('e');
SELECT same('e');
BEGIN;
DELETE FROM e WHERE product_id < 100;
SELECT same('e');
SAVEPOINT s;
SELECT fill(25001, 26000);
UPDATE e SET price = 5000 WHERE product_id = 123;
SELECT same('e');
ROLLBACK TO s;
SELECT same('e');
ROLLBACK;
SELECT same('e');
VACUUM e;
SELECT covered, problems FROM state('e');
SELECT same('e');

-- compaction in a transaction
SELECT fill(30001, 33000);
BEGIN;
SAVEPOINT s;
SELECT ecinsight.compact('e') IS NOT NULL AS compacted;
SELECT covered, problems FROM state('e');
SELECT same('e');
ROLLBACK TO s;
SELECT covered, problems FROM state('e');
SELECT same('e');
COMMIT;
SELECT ecinsight.compact('e') IS NOT NULL AS compacted;
SELECT covered = (SELECT sum(rows) FROM ecinsight.row_groups('e')) AS all_covered, problems FROM state('e');
SELECT same('e');

-- older snapshots
BEGIN ISOLATION LEVEL REPEATABLE READ;
DECLARE before CURSOR FOR SELECT covered, row_groups, problems FROM state('e');
SELECT ecinsight.compact('e') IS NOT NULL AS compacted;
FETCH before;
COMMIT;

-- TRUNCATE and rewrites
BEGIN;
TRUNCATE e;
SELECT * FROM state('e');
SELECT same('e');
ROLLBACK;
SELECT covered > 0 AS again, problems FROM state('e');
SELECT same('e');
BEGIN;
ALTER TABLE e ALTER price TYPE numeric(12,4);
SELECT * FROM state('e');
SELECT same('e');
ROLLBACK;
SELECT covered > 0 AS again, problems FROM state('e');
CREATE INDEX i ON e (user_id);
CLUSTER e USING i;
SELECT * FROM state('e');
VACUUM FULL e;
SELECT covered = (SELECT sum(rows) FROM ecinsight.row_groups('e')) AS made_anew, problems FROM state('e');
SELECT same('e');
DROP INDEX i;

-- the option
SELECT ecinsight.set_options('e', summaries => 'category');
VACUUM e;
SELECT count(*) > 0 AS some, bool_and(projection LIKE 'category%') AS category_only FROM ecinsight.summaries('e');
SELECT same('e');
SELECT ecinsight.set_options('e', summaries => 'off');
VACUUM e;
SELECT * FROM state('e');
SELECT same('e');

-- space is used again, whatever is made and dropped
SELECT ecinsight.set_options('e', summaries => 'auto');
VACUUM e;
VACUUM e;
SELECT pg_table_size('e') AS before \gset
SELECT unnest(ARRAY['SELECT ecinsight.set_options(''e'', summaries => ''' || CASE WHEN i % 2 = 0 THEN 'off' ELSE 'auto' END || ''')', 'VACUUM e'])
	FROM generate_series(0, 29) i
\set ECHO none
\o /dev/null
\gexec
\o
\set ECHO all
SELECT covered = (SELECT sum(rows) FROM ecinsight.row_groups('e')) AS all_covered, problems FROM state('e');
SELECT pg_table_size('e') < 2 * :before AS bounded;
TRUNCATE e;
SELECT * FROM state('e');
SELECT fill(1, 2000);
VACUUM e;
DELETE FROM e;
VACUUM e;
VACUUM e;
SELECT * FROM state('e');
SELECT pg_relation_size('e');

-- temporary and unlogged tables
CREATE TEMP TABLE te USING ecinsight_columnar AS TABLE e;
SELECT fill(1, 3000);
INSERT INTO te TABLE e;
VACUUM te;
SELECT * FROM state('te');
SELECT same('te');
ALTER TABLE e SET UNLOGGED;
VACUUM e;
SELECT * FROM state('e');
SELECT same('e');

-- a set that has lost more than one row in twenty is made anew, of row groups that are rid of dead rows
SELECT ecinsight.create_events_table('table_summaries.f');
SELECT ecinsight.set_options('f', row_group_rows => 20000);
TRUNCATE e;
SELECT fill(1, 60000);
INSERT INTO f TABLE e;
VACUUM f;
SELECT sets, covered = (SELECT count(*) FROM f) AS all_covered FROM state('f');
DELETE FROM f WHERE abs(hashint8(extract(epoch FROM event_time)::bigint)) % 14 = 0;
VACUUM f;
SELECT sets, covered = (SELECT count(*) FROM f) AS all_covered, problems,
	(SELECT sum(masked_rows) FROM ecinsight.row_groups('f')) AS masked FROM state('f');
SELECT same('f');
DROP SCHEMA table_summaries CASCADE;
