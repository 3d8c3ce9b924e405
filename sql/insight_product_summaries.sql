-- product_performance and trending from summaries: as without them.
SET timezone = 'UTC';
SET ecinsight.summary_rows = 1;

CREATE TABLE ps_events (event_time timestamptz, event_type text, product_id bigint, category_id bigint,
	category_code text, brand text, price numeric(12,2), user_id bigint, user_session text)
	USING ecinsight_columnar;

-- Products -3 .. 56 and NULL; their prices change every two days, some brands and categories every hour or twice at all.
CREATE FUNCTION ps_fill(first int, n int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO ps_events
	SELECT CASE WHEN i % 197 = 0 THEN NULL WHEN i % 289 = 0 THEN 'infinity' WHEN i % 283 = 0 THEN '-infinity'
			ELSE timestamptz '1999-12-26 00:00:00+00' + s * interval '1 second' END,
		CASE WHEN i % 53 = 0 THEN NULL WHEN i % 7 = 0 THEN 'cart' WHEN i % 11 = 0 THEN 'purchase'
			WHEN i % 13 = 0 THEN 'remove' ELSE 'view' END,
		p, p % 20,
		CASE WHEN p % 5 = 0 THEN NULL WHEN p % 19 = 0 THEN '' WHEN p % 17 = 0 THEN 'cat.' || i % 3 ELSE 'cat.' || p % 8 END,
		CASE WHEN p % 3 = 0 THEN NULL WHEN p % 7 = 0 THEN 'b' || s / 400000 WHEN p % 13 = 0 THEN 'b' || s % 11 / 6 ELSE 'b' || p % 4 END,
		CASE WHEN i % 41 = 0 THEN NULL WHEN i % 401 = 0 THEN 'NaN' WHEN p = 9 THEN -2.50
			WHEN i % 43 = 0 THEN 1.25 ELSE p * 3.07 + s / 172800 END,
		i % 40, 's' || i % 40
	FROM (SELECT i, (i::bigint * 7919) % 864000 AS s,
			CASE WHEN i % 29 = 0 THEN NULL WHEN i % 3 = 0 THEN i % 4 ELSE (i * 7 + i / 13) % 60 - 3 END AS p
		FROM generate_series(first, first + n - 1) AS i) AS x $$;

CREATE FUNCTION ps_run(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	rows text[];
BEGIN
	EXECUTE 'SELECT array_agg(t::text) FROM (' || query || ') AS t' INTO rows;
	RETURN rows;
END $$;

-- Every parameter with summaries and without: what differs, and how much there was.
CREATE FUNCTION ps_check(OUT query text, OUT result text) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	range text;
	call text;
	plain text[];
	summed text[];
	checked int := 0;
	lines bigint := 0;
BEGIN
	FOREACH range IN ARRAY ARRAY['', ', since => ''1999-12-27 07:00+00''', ', until => ''2000-01-02 03:00+00''',
		', since => ''1999-12-26 22:00+00'', until => ''2000-01-03 02:00+00''',
		', since => ''1999-12-27 22:17:03+00'', until => ''2000-01-02 20:59:59.5+00''',
		', since => ''1999-12-31 22:00+00'', until => ''2000-01-01 01:00+00''',
		', since => ''2000-01-01 05:10+00'', until => ''2000-01-01 05:50+00''',
		', since => ''2020-01-01 05:10+00''', ', since => ''-infinity''', ', until => ''infinity''',
		', since => ''infinity''', ', until => ''-infinity''', ', event_types => ''{view,cart}''', ', complete_only => true']
	LOOP
		FOREACH call IN ARRAY ARRAY['product_performance(%s, k => 1%s)', 'product_performance(%s, k => NULL%s)',
			'product_performance(%s, k => 1, order_by => ''purchases''%s)', 'product_performance(%s, k => 60, order_by => ''purchases''%s)',
			'product_performance(%s, k => 1, order_by => ''views''%s)', 'product_performance(%s, k => NULL, order_by => ''views''%s)',
			'product_performance(%s, k => 1, order_by => ''conversion''%s)', 'product_performance(%s, order_by => ''conversion''%s)',
			'trending(%s, by => ''product'', k => NULL, min_previous => 0, period => ''2 days''%s)',
			'trending(%s, by => ''product'', measure => ''revenue'', as_of => ''2000-01-01 06:30:11+00'', period => ''31 hours''%s)',
			'trending(%s, by => ''product'', as_of => ''2000-01-01 07:59:59.999999+00'', period => ''5 hours'', min_previous => 1%s)']
		LOOP
			query := format('SELECT * FROM ecinsight.' || call, '''ps_events''', range);
			SET ecinsight.enable_summaries = on;
			summed := ps_run(query);
			SET ecinsight.enable_summaries = off;
			plain := ps_run(query);
			RESET ecinsight.enable_summaries;
			checked := checked + 1;
			lines := lines + COALESCE(cardinality(plain), 0);
			IF summed IS DISTINCT FROM plain THEN
				result := format('%s rows instead of %s', cardinality(summed), cardinality(plain));
				RETURN NEXT;
			END IF;
		END LOOP;
	END LOOP;
	query := checked || ' checked';
	result := lines > 1000;
	RETURN NEXT;
END $$;

-- An empty table, rows without summaries.
SELECT * FROM ps_check() WHERE query NOT LIKE '% checked';
VACUUM ps_events;
SELECT ps_fill(1, 15000);
SELECT * FROM ps_check();

-- One set, then several.
VACUUM ps_events;
SELECT set_number, projection, parts > 1 AS several FROM ecinsight.summaries('ps_events')
WHERE projection LIKE 'product%' ORDER BY projection COLLATE "C";
SELECT * FROM ps_check();
SELECT ps_fill(15001, 3500);
VACUUM ps_events;
SELECT ps_fill(18501, 700);
VACUUM ps_events;
SELECT ps_fill(19201, 160);
SELECT count(DISTINCT set_number) FROM ecinsight.summaries('ps_events');
SELECT * FROM ps_check();

-- Rows go: single ones, all of a product, all of an hour, all of the last hours of some; others change.
DELETE FROM ps_events WHERE user_id = 7;
DELETE FROM ps_events WHERE product_id = 3 OR category_code = 'cat.6';
DELETE FROM ps_events WHERE event_time >= '1999-12-31 10:00+00' AND event_time < '1999-12-31 11:00+00';
DELETE FROM ps_events WHERE event_time > '2000-01-01 05:00+00' AND product_id % 7 = 0;
SELECT * FROM ps_check();
UPDATE ps_events SET product_id = product_id + 1, brand = 'moved' WHERE user_id = 11;
UPDATE ps_events SET event_time = event_time + interval '5 hours' WHERE user_id IN (12, 13);
UPDATE ps_events SET price = price * 2 WHERE user_id = 14;
SELECT * FROM ps_check();
BEGIN;
DELETE FROM ps_events WHERE product_id < 5;
SELECT ps_fill(21001, 200);
SELECT * FROM ps_check();
ROLLBACK;
SELECT * FROM ps_check();

-- Sets of rows that are there no more are made anew, and merged.
VACUUM ps_events;
SELECT * FROM ps_check();
SELECT ps_fill(25001, 30000);
SET maintenance_work_mem = '1MB';
VACUUM ps_events;
SELECT count(DISTINCT set_number) FROM ecinsight.summaries('ps_events');
SELECT * FROM ps_check();

-- All of a product's rows at one time: the least category and brand. Sums beyond 64 bits: no summaries.
CREATE TABLE ps_odd (LIKE ps_events) USING ecinsight_columnar;
INSERT INTO ps_odd SELECT t, 'view', 1, 1, c, b, 1, 1, 's'
FROM unnest('{NULL,infinity,-infinity,2000-01-01}'::timestamptz[]) AS t, unnest('{z,y,NULL}'::text[]) AS c, unnest('{B,a,NULL}'::text[]) AS b;
INSERT INTO ps_odd SELECT NULL, 'view', p, 1, 'c' || i, 'b', 1, 1, 's' FROM generate_series(2, 4) p, generate_series(3, 1, -1) i;
INSERT INTO ps_odd VALUES ('2000-01-02', 'view', 3, 1, 'late', NULL, 1, 1, 's'), ('-infinity', 'view', 4, 1, 'early', NULL, 1, 1, 's');
VACUUM ps_odd;
SELECT product_id, category_code, brand, views FROM ecinsight.product_performance('ps_odd');
SELECT product_id, category_code, brand, views FROM ecinsight.product_performance('ps_odd', until => 'infinity');
SELECT product_id, category_code, brand, views FROM ecinsight.product_performance('ps_odd', since => 'infinity');

-- The latest event is in a ragged edge, whose rows' texts aren't looked at if the set has but one of the product; a row that no set
-- covers has another.
SELECT ecinsight.create_events_table('ps_brink');
INSERT INTO ps_brink SELECT '2020-01-03 08:30'::timestamptz + h * interval '1 hour', 'view', p, 2, 'c', 'b', 3, 1, 's'
	FROM generate_series(1, 20) p, generate_series(0, 2) h;
VACUUM ps_brink;
INSERT INTO ps_brink SELECT '2020-01-03 09:40', 'purchase', p, 2, 'c', 'other', 5, 1, 's' FROM generate_series(5, 20) p;
INSERT INTO ps_brink SELECT '2020-01-03 10:40', 'cart', p, 2, 'c', 'another', 7, 1, 's' FROM generate_series(15, 20) p;
SELECT brand, views, carts, purchases, revenue, average_price, count(*), min(product_id)
	FROM ecinsight.product_performance('ps_brink', k => NULL, until => '2020-01-03 10:45') GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY min(product_id);
DROP TABLE ps_brink;
ALTER TABLE ps_odd ALTER price TYPE numeric(18,2);
INSERT INTO ps_odd SELECT '2000-01-03', 'purchase', p, 1, 'c', 'b', 9999999999999999.99, 1, 's' FROM generate_series(2, 3) p, generate_series(1, 10);
VACUUM ps_odd;
SELECT product_id, purchases, revenue, average_price FROM ecinsight.product_performance('ps_odd', k => 2);
SET ecinsight.enable_summaries = off;
SELECT product_id, purchases, revenue, average_price FROM ecinsight.product_performance('ps_odd', k => 2);

DROP TABLE ps_events, ps_odd;
DROP FUNCTION ps_fill, ps_run, ps_check;
