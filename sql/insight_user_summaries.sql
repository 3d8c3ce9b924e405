-- Insights about users from summaries: as without them, and as the plain SQL over the rows.
SET timezone = 'UTC';
SET ecinsight.summary_rows = 1;

CREATE TABLE us_events (event_time timestamptz, event_type text, product_id bigint, category_id bigint,
	category_code text, brand text, price numeric(12,2), user_id bigint, user_session text)
	USING ecinsight_columnar;

-- users -2 .. 12 and NULL, '' beside NULL, all types, times of three days, infinite ones, none
CREATE FUNCTION us_fill(first int, n int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO us_events
	SELECT CASE WHEN i % 97 = 0 THEN NULL WHEN i % 89 = 0 THEN 'infinity'
			WHEN i % 83 = 0 THEN '-infinity'
			ELSE timestamptz '1999-12-31 00:00:00+00' + ((i::bigint * 7919) % 259200) * interval '1 second' END,
		CASE WHEN i % 53 = 0 THEN NULL WHEN i % 7 = 0 THEN 'cart' WHEN i % 11 = 0 THEN 'purchase'
			WHEN i % 13 = 0 THEN 'remove' ELSE 'view' END,
		i % 50, i % 20,
		CASE WHEN i % 5 = 0 THEN NULL WHEN i % 31 = 0 THEN '' ELSE 'cat.' || (i * 3) % 8 END,
		CASE WHEN i % 3 = 0 THEN NULL WHEN i % 29 = 0 THEN '' ELSE 'b' || (i % 17) % 5 END,
		(i % 1000) / 100.0,
		CASE WHEN i % 23 = 0 THEN NULL ELSE (i * i) % 15 - 2 END,
		's' || i % 40
	FROM generate_series(first, first + n - 1) AS i $$;

-- Every function and parameter with summaries and without: what differs, and how much there was.
CREATE FUNCTION us_run(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	rows text[];
BEGIN
	EXECUTE 'SELECT array_agg(t::text) FROM (' || query || ') AS t' INTO rows;
	RETURN rows;
END $$;

CREATE FUNCTION us_check(OUT query text, OUT result text) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	range text;
	call text;
	plain text[];
	summed text[];
	checked int := 0;
	lines bigint := 0;
BEGIN
	FOREACH range IN ARRAY ARRAY['', ', since => ''1999-12-31 07:00+00''', ', until => ''2000-01-01 03:00+00''',
		', since => ''1999-12-31 22:00+00'', until => ''2000-01-01 02:00+00''',
		', since => ''1999-12-31 22:17:03+00'', until => ''2000-01-01 20:59:59.5+00''',
		', since => ''2000-01-01 05:10+00'', until => ''2000-01-01 05:50+00''',
		', since => ''-infinity''', ', until => ''infinity''', ', since => ''infinity''',
		', event_types => ''{view,cart}''', ', complete_only => true']
	LOOP
		FOREACH call IN ARRAY ARRAY['top_user_categories(%s, k => 3%s)', 'top_user_categories(%s, k => 40%s)',
			'top_user_categories(%s, k => NULL%s)', 'top_user_category_brands(%s, k => 3%s)',
			'top_user_category_brands(%s, k => NULL%s)', 'favorite_category_brands(%s, n => 2%s)',
			'favorite_category_brands(%s, n => NULL%s)',
			'favorite_category_brands(%s, users => ''{7,-1,NULL,0,99,7}''%s)',
			'favorite_category_brands(%s, users => ''{}''%s)',
			'engaged_users(%s, k => 2%s)', 'engaged_users(%s, k => NULL%s)',
			'engaged_users(%s, category => ''cat.1''%s)', 'engaged_users(%s, brand => ''''%s)',
			'engaged_users(%s, category => '''', brand => ''b1''%s)',
			'engaged_users(%s, category => ''nowhere''%s)',
			'funnel(%s%s)', 'funnel(%s, by => ''brand''%s)', 'funnel(%s, by => ''none''%s)',
			'category_correlation(%s, min_users => 1%s)', 'category_correlation(%s, k => NULL, min_users => 3%s)']
		LOOP
			query := format('SELECT * FROM ecinsight.' || call, '''us_events''', range);
			SET ecinsight.enable_summaries = on;
			summed := us_run(query);
			SET ecinsight.enable_summaries = off;
			plain := us_run(query);
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
SELECT * FROM us_check() WHERE query NOT LIKE '% checked';
SELECT us_fill(1, 6000);
SELECT * FROM us_check();

-- One set, then several.
VACUUM us_events;
SELECT set_number, projection, parts > 0 AS parts FROM ecinsight.summaries('us_events')
WHERE projection IN ('user', 'top_category', 'top_brand') ORDER BY projection COLLATE "C";
SELECT * FROM us_check();
SELECT us_fill(6001, 1500);
VACUUM us_events;
SELECT us_fill(7501, 300);
VACUUM us_events;
SELECT us_fill(7801, 60);
SELECT count(DISTINCT set_number) FROM ecinsight.summaries('us_events');
SELECT * FROM us_check();

-- Rows go: single ones, all of a user, all of a category, all of an hour; others change.
DELETE FROM us_events WHERE product_id = 7;
DELETE FROM us_events WHERE user_id = 3 OR category_code = 'cat.6';
DELETE FROM us_events WHERE event_time >= '1999-12-31 10:00+00' AND event_time < '1999-12-31 11:00+00';
UPDATE us_events SET user_id = user_id + 1, brand = 'moved' WHERE product_id = 11;
UPDATE us_events SET event_time = event_time + interval '5 hours' WHERE product_id IN (12, 13);
SELECT * FROM us_check();
BEGIN;
DELETE FROM us_events WHERE user_id < 5;
SELECT us_fill(9001, 200);
SELECT * FROM us_check();
DELETE FROM us_events;
SELECT * FROM us_check() WHERE query NOT LIKE '% checked';
ROLLBACK;
SELECT * FROM us_check();
VACUUM us_events;
SELECT * FROM us_check();

-- As the plain SQL says.
SELECT * FROM ecinsight.top_user_categories('us_events', 4);
SELECT row_number() OVER (ORDER BY count(*) DESC, user_id, category_code COLLATE "C"), user_id, category_code, count(*)
FROM us_events GROUP BY user_id, category_code ORDER BY 1 LIMIT 4;
SELECT * FROM ecinsight.top_user_category_brands('us_events', 4, since => '1999-12-31 05:30+00');
SELECT row_number() OVER (ORDER BY count(*) DESC, user_id, category_code COLLATE "C", brand COLLATE "C"),
	user_id, category_code, brand, count(*)
FROM us_events WHERE event_time >= '1999-12-31 05:30+00'
GROUP BY user_id, category_code, brand ORDER BY 1 LIMIT 4;
SELECT key, viewers, carters, buyers FROM ecinsight.funnel('us_events', until => '2000-01-01 12:00+00');
SELECT category_code, count(DISTINCT user_id) FILTER (WHERE event_type = 'view') AS viewers,
	count(DISTINCT user_id) FILTER (WHERE event_type = 'cart') AS carters,
	count(DISTINCT user_id) FILTER (WHERE event_type = 'purchase') AS buyers
FROM us_events WHERE event_time < '2000-01-01 12:00+00'
GROUP BY category_code ORDER BY viewers DESC, category_code COLLATE "C";

-- Lists of the greatest that aren't complete: pairs of one row in either of two sets, in both but in no list, some with more rows.
TRUNCATE us_events;
INSERT INTO us_events (event_time, event_type, category_code, user_id)
SELECT timestamptz '2000-01-01 00:00+00' + i * interval '1 second', 'view', 'cat.' || i % 2,
	i / 2 + CASE WHEN i < 20000 THEN 0 ELSE 17000 END
FROM generate_series(0, 39999) AS i;
VACUUM us_events;
INSERT INTO us_events (event_time, event_type, category_code, user_id)
SELECT timestamptz '2000-01-02 00:00+00', 'view', 'cat.0', i * 999
FROM generate_series(0, 20) AS i, generate_series(1, 40 + i % 3)
UNION ALL SELECT timestamptz '2000-01-02 00:00+00', 'view', 'cat.0', i FROM generate_series(10000, 29000) AS i;
VACUUM us_events;
INSERT INTO us_events (event_time, event_type, category_code, user_id)
SELECT timestamptz '2000-01-03 00:00+00', 'view', 'cat.9', 99999 FROM generate_series(1, 60)
UNION ALL SELECT timestamptz '2000-01-03 00:00+00', 'view', 'cat.1', 5 FROM generate_series(1, 41)
UNION ALL SELECT timestamptz '2000-01-03 00:00+00', 'view', 'cat.0', 19980 FROM generate_series(1, 10);
DELETE FROM us_events WHERE user_id = 999 AND category_code = 'cat.0' AND event_time < '2000-01-02 00:00+00';
SELECT * FROM ecinsight.top_user_categories('us_events', 20) WHERE user_id IN (5, 7992, 8991, 9990, 10989, 19980, 99999);
SELECT count(DISTINCT set_number) FROM ecinsight.summaries('us_events');
SELECT * FROM us_check();

-- A list that holds nobody of the range but few users: what is in no list may have more there.
TRUNCATE us_events;
INSERT INTO us_events (event_time, event_type, category_code, user_id)
SELECT timestamptz '2000-01-01 00:00+00' + (i % 3 = 0 AND i < 9) ::int * interval '1 day', 'view', 'cat.' || i / 3 % 500, i / 1500
FROM generate_series(0, 33 * 1500 - 1) AS i
UNION ALL SELECT timestamptz '2000-01-02 00:00+00', 'view', 'cat.0', 99 FROM generate_series(1, 2);
VACUUM us_events;
SELECT * FROM ecinsight.top_user_categories('us_events', 2, since => '2000-01-02 00:00+00');

DROP FUNCTION us_check, us_run, us_fill;
DROP TABLE us_events;
