-- Distinct users, buyers, sessions and orders from several sets of summaries and rows beside them: the same as from rows.
SET timezone = 'UTC';
SET ecinsight.summary_rows = 1;
SELECT ecinsight.create_events_table('crowd');
SELECT ecinsight.set_options('crowd', row_group_rows => 2048);

-- One user has so many sessions that hashes of some are equal; sessions are UUIDs, short and long texts, NULL; more than one hour
-- long; the same ones come back with other rows.
CREATE FUNCTION rows_of_crowd(n int, from_session int) RETURNS SETOF crowd LANGUAGE sql AS $$
	SELECT CASE WHEN i % 701 = 0 THEN NULL WHEN i % 709 = 0 THEN timestamptz 'infinity' WHEN i % 719 = 0 THEN '-infinity'
			ELSE '2020-01-01'::timestamptz + ((i * 37) % 240 + random() * 1.4) * interval '1 hour' END,
		(ARRAY['view', 'view', 'cart', 'purchase', NULL])[1 + floor(random() * 5)::int], 1, 2, 'c', 'b', 3, CASE WHEN i % 4 > 0 THEN 7 ELSE nullif(i % 97, 0) END,
		CASE s % 4 WHEN 0 THEN md5(s::text)::uuid::text WHEN 1 THEN 's' || s WHEN 2 THEN 'a session with a long name ' || s ELSE nullif(s % 12, 3)::text END
	FROM generate_series(1, n) i, LATERAL (SELECT from_session + i % (n / 2) * 3 / 4) _(s) $$;

CREATE FUNCTION differing(calls text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	call text;
	query text;
	raw text;
	summed text;
BEGIN
	FOREACH call IN ARRAY calls LOOP
		query := format('SELECT string_agg(r::text, '', '' ORDER BY r::text) FROM ecinsight.%s r', call);
		SET LOCAL ecinsight.enable_summaries = off;
		EXECUTE query INTO raw;
		SET LOCAL ecinsight.enable_summaries = on;
		EXECUTE query INTO summed;
		IF raw IS DISTINCT FROM summed THEN
			RETURN NEXT call;
		END IF;
	END LOOP;
END $$;

CREATE FUNCTION check_crowd(events text) RETURNS SETOF text LANGUAGE sql AS $$
	WITH functions (name, nranges) AS (VALUES ('overview(%s%s)', 12), ('sales_trend(%s%s)', 8), ('sales_trend(%s, bucket => ''hour'', tz => ''Europe/Berlin''%s)', 3),
			('sales_trend(%s, bucket => ''week'', tz => ''Asia/Kolkata''%s)', 2), ('sales_forecast(%s, measure => ''buyers'', horizon => 2%s)', 2)),
	ranges (number, range) AS (VALUES (1, ''), (2, ', since => ''2020-01-02 03:17:21.5'', until => ''2020-01-08 21:44:59'''), (3, ', since => ''2020-01-05 06:00'''),
			(4, ', until => ''2020-01-05 05:30'''), (5, ', since => ''2020-01-02 03:00'', until => ''2020-01-04 22:00'''),
			(6, ', since => ''2020-01-03 10:10'', until => ''2020-01-03 12:40'''), (7, ', since => ''2020-01-03 10:10'', until => ''2020-01-03 10:40'''),
			(8, ', since => ''2020-01-09 12:00'''), (9, ', since => ''infinity'''), (10, ', until => ''1999-01-01'''), (11, ', since => ''1999-01-01 00:00:01'''),
			(12, ', since => ''2020-01-10 23:30'''))
	SELECT differing(array_agg(format(name, quote_literal(events), range))) FROM functions, ranges WHERE number <= nranges $$;

CREATE VIEW sets AS SELECT count(DISTINCT set_number), sum(rows) FILTER (WHERE projection = 'session') AS rows FROM ecinsight.summaries('crowd');

-- one set
SELECT setseed(0.25);
INSERT INTO crowd SELECT * FROM rows_of_crowd(12288, 0);
VACUUM crowd;
TABLE sets;
SELECT check_crowd('crowd');
BEGIN;
DELETE FROM crowd WHERE event_type = 'view';
SELECT check_crowd('crowd');
DELETE FROM crowd WHERE hashtext(user_session) % 4 = 0;
SELECT check_crowd('crowd');
ROLLBACK;

-- beside it rows of sessions that it knows, and of others; without summaries, then with
INSERT INTO crowd SELECT * FROM rows_of_crowd(2048, 4300);
SELECT check_crowd('crowd');
VACUUM crowd;
TABLE sets;
SELECT check_crowd('crowd');
INSERT INTO crowd SELECT * FROM rows_of_crowd(700, 4900);
SELECT check_crowd('crowd');

-- hidden ones: some of a session's, all of it, its purchases; in both sets
DELETE FROM crowd WHERE ctid IN (SELECT ctid FROM crowd WHERE event_time < 'infinity' ORDER BY hashtext(ctid::text) LIMIT 60);
SELECT check_crowd('crowd');
DELETE FROM crowd WHERE hashtext(user_session) % 3 = 0 OR user_session IS NULL AND user_id % 5 = 0;
SELECT check_crowd('crowd');
DELETE FROM crowd WHERE event_type = 'purchase' AND user_id % 2 = 1;
DELETE FROM crowd WHERE user_id BETWEEN 20 AND 30;
SELECT check_crowd('crowd');

-- the first and the last hours; what has no time, or an infinite one
DELETE FROM crowd WHERE event_time < '2020-01-02 12:20' OR event_time >= '2020-01-08 03:50';
SELECT first_event >= '2020-01-02 12:20' AND last_event < '2020-01-08 03:50' FROM ecinsight.overview('crowd');
SELECT check_crowd('crowd');
DELETE FROM crowd WHERE event_time IS NULL;
DELETE FROM crowd WHERE user_id = 7 AND event_time >= '2020-01-04' AND event_time < '2020-01-05 00:30';
SELECT check_crowd('crowd');

-- rows that change their user, session, time
UPDATE crowd SET user_id = 8 WHERE user_id = 9;
UPDATE crowd SET user_session = 's4301' WHERE user_session = 's4305';
UPDATE crowd SET event_time = event_time + interval '25 hours' WHERE user_id = 10;
SELECT check_crowd('crowd');
BEGIN;
INSERT INTO crowd SELECT * FROM rows_of_crowd(100, 4400);
DELETE FROM crowd WHERE user_id = 11;
SELECT check_crowd('crowd');
ROLLBACK;
SELECT check_crowd('crowd');
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT check_crowd('crowd');
RESET work_mem;
RESET hash_mem_multiplier;
VACUUM crowd;
SELECT check_crowd('crowd');

-- sets of partitions that have users, sessions and hours in common
CREATE TABLE crowds (LIKE crowd) PARTITION BY HASH (event_type);
CREATE TABLE crowds_0 PARTITION OF crowds FOR VALUES WITH (MODULUS 3, REMAINDER 0) USING ecinsight_columnar;
CREATE TABLE crowds_1 PARTITION OF crowds FOR VALUES WITH (MODULUS 3, REMAINDER 1) USING ecinsight_columnar;
CREATE TABLE crowds_2 PARTITION OF crowds FOR VALUES WITH (MODULUS 3, REMAINDER 2) USING ecinsight_columnar;
INSERT INTO crowds SELECT * FROM rows_of_crowd(4000, 300);
VACUUM crowds;
SELECT count(*) FROM ecinsight.summaries('crowds_0') WHERE projection = 'session';
SELECT check_crowd('crowds');
DELETE FROM crowds WHERE user_id % 4 = 1 AND event_type <> 'view';
INSERT INTO crowds SELECT * FROM rows_of_crowd(300, 900);
SELECT check_crowd('crowds');

-- without sessions' summaries rows are counted
SELECT ecinsight.set_options('crowd', summaries => 'category');
VACUUM crowd;
SELECT check_crowd('crowd');

-- ragged edges: sessions of one user with equal hashes that go on within the range or not; who is in both edges and not between them
SELECT ecinsight.create_events_table('brink');
INSERT INTO brink SELECT '2020-01-03 10:30'::timestamptz + h * interval '1 hour', (ARRAY['view', 'purchase'])[1 + s % 3 / 2], 1, 2, 'c', 'b', 3, 1, 'session ' || s
	FROM generate_series(1, 5000) s, unnest(ARRAY[0, 1 + s % 2 * 3]) h;
INSERT INTO brink SELECT '2020-01-03 10:20'::timestamptz + h * interval '1 hour', type, 1, 2, 'c', 'b', 3, u, 'session ' || u
	FROM generate_series(2, 400) u, (VALUES (1, 0, 'view'), (1, 2, 'view'), (2, 0, 'view'), (2, 2, 'purchase'), (3, 0, 'purchase'), (3, 2, 'purchase'),
		(4, 0, 'purchase'), (4, 1, 'view'), (4, 2, 'purchase'), (5, 1, 'purchase'), (5, 2, 'purchase'), (6, 0, 'view'), (6, 30, 'view'), (6, -30, 'cart'),
		(7, 0, 'purchase'), (7, 24, 'purchase'), (7, 5, 'view')) _(kind, h, type) WHERE kind = u % 8;
VACUUM brink;
SELECT count(DISTINCT set_number), count(*) FILTER (WHERE projection = 'revisit') FROM ecinsight.summaries('brink');
SELECT differing(array_agg(format(name, range))) FROM (VALUES ('overview(''brink''%s)'), ('sales_trend(''brink''%s)'), ('sales_trend(''brink'', bucket => ''hour''%s)'),
		('sales_trend(''brink'', bucket => ''week'', tz => ''Asia/Tokyo''%s)')) f (name),
	(VALUES (', since => ''2020-01-03 10:10'', until => ''2020-01-03 12:55'''), (', since => ''2020-01-03 10:10'', until => ''2020-01-03 13:00'''),
		(', since => ''2020-01-03 10:10'', until => ''2020-01-03 14:10'''), (', since => ''2020-01-03 10:25'''), (', until => ''2020-01-03 14:40'''),
		(', since => ''2020-01-02 03:10'', until => ''2020-01-03 14:40'''), (', since => ''2020-01-03 10:15'', until => ''2020-01-04 10:05'''),
		(', since => ''2020-01-03 10:15'', until => ''2020-01-04 16:22''')) r (range);
SELECT users, buyers, sessions, orders FROM ecinsight.overview('brink', since => '2020-01-03 10:10', until => '2020-01-03 12:55');

DROP VIEW sets;
DROP FUNCTION check_crowd, differing, rows_of_crowd;
DROP TABLE crowd, crowds, brink;
RESET ecinsight.summary_rows;
