-- Sets of summaries go on when compaction merges their row groups.
SET client_min_messages = warning;
SET ecinsight.summary_rows = 1000;
SELECT ecinsight.create_events_table('last_events');
CREATE FUNCTION last_fill(first int, last int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO last_events
	SELECT timestamptz '2020-01-01 00:00+00' + i * interval '7 seconds', (ARRAY['view', 'cart', 'purchase'])[1 + i % 3],
		i % 500, i % 20, 'c.' || i % 20, 'b' || i % 7, (i % 100)::numeric, i % 300,
		('00000000-0000-4000-8000-' || lpad((i / 5)::text, 12, '0'))::uuid
	FROM generate_series(first, last) i
$$;
CREATE TABLE last_seen (step int, set_number bigint, rows bigint, row_groups bigint);
-- What there is now, and which sets were there before.
CREATE FUNCTION last_look(step int) RETURNS TABLE (rows bigint, row_groups bigint, was_there bool) LANGUAGE sql AS $$
	INSERT INTO last_seen SELECT DISTINCT step, s.set_number, s.rows, s.row_groups FROM ecinsight.summaries('last_events') s;
	SELECT l.rows, l.row_groups, EXISTS (SELECT FROM last_seen o WHERE o.step < l.step AND o.set_number = l.set_number)
	FROM last_seen l WHERE l.step = last_look.step ORDER BY l.set_number;
$$;
-- Results that differ from those of the rows.
CREATE FUNCTION last_differ() RETURNS TABLE (name text) LANGUAGE plpgsql AS $$
DECLARE
	answers text[];
	answer text;
BEGIN
	FOREACH name IN ARRAY ARRAY['overview', 'popular_categories', 'product_performance', 'top_user_categories',
		'sales_trend', 'price_sensitivity', 'customer_segments', 'funnel']
	LOOP
		answers := '{}';
		FOR i IN 1 .. 2 LOOP
			PERFORM set_config('ecinsight.enable_summaries', (ARRAY['on', 'off'])[i], true);
			EXECUTE format('SELECT string_agg(r::text, E''\n'') FROM ecinsight.%I(''last_events'') r', name) INTO answer;
			answers := answers || answer;
		END LOOP;
		IF answers[1] IS DISTINCT FROM answers[2] THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;

-- Row groups of one statement each; the set covers what is merged the next time.
SELECT ecinsight.set_options('last_events', row_group_rows => 8192);
SELECT last_fill(1, 3000);
SELECT last_fill(3001, 6000);
VACUUM last_events;
SELECT * FROM last_look(1);
SELECT last_fill(6001, 9000);
SELECT last_fill(9001, 12100);
VACUUM last_events;
SELECT * FROM last_look(2);
SELECT * FROM last_differ();

-- An older snapshot goes with the older list.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM last_events;
SELECT ecinsight.compact('last_events') IS NOT NULL;
SELECT * FROM last_differ();
COMMIT;
SELECT * FROM last_look(3);
SELECT * FROM last_differ();
SELECT last_fill(12101, 22000);
VACUUM last_events;
SELECT * FROM last_look(4);
SELECT ecinsight.compact('last_events') IS NOT NULL;
SELECT * FROM last_look(5);
SELECT * FROM last_differ();

-- A few deleted rows: nothing is lost; many: made anew.
DELETE FROM last_events WHERE product_id = 7 AND event_time < '2020-01-01 04:00+00';
SELECT ecinsight.compact('last_events') IS NOT NULL;
SELECT * FROM last_look(6);
SELECT * FROM last_differ();
DELETE FROM last_events WHERE event_time < '2020-01-01 06:00+00';
SELECT ecinsight.compact('last_events') IS NOT NULL;
SELECT * FROM last_look(7);
SELECT * FROM last_differ();
VACUUM last_events;
SELECT * FROM last_differ();
SELECT count(*) FROM ecinsight.verify('last_events');

-- A set that is younger than some snapshot, when its row groups are older.
TRUNCATE last_events;
TRUNCATE last_seen;
SELECT last_fill(1, 3000);
SELECT last_fill(3001, 6000);
SELECT ecinsight.set_options('last_events', row_group_rows => 1024);
BEGIN;
SELECT ecinsight.compact('last_events') IS NOT NULL;
SELECT * FROM last_look(8);
SELECT ecinsight.set_options('last_events', row_group_rows => 8192);
SELECT ecinsight.compact('last_events') IS NOT NULL;
SELECT * FROM last_look(9);
SELECT * FROM last_differ();
COMMIT;
SELECT count(*) FROM ecinsight.verify('last_events');

DROP TABLE last_events, last_seen;
DROP FUNCTION last_fill, last_look, last_differ;
