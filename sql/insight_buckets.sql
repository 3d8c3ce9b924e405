-- The bucketed views and queries over them: the same as plain SQL over the rows, whatever was done to these since
-- summaries were made, however much of the query the views are told.
SET timezone = 'America/New_York';
SET datestyle = 'ISO';
SET client_min_messages = warning;
SET ecinsight.summary_rows = 1;
CREATE SCHEMA bucket_data;
SET search_path = bucket_data, public;
SELECT ecinsight.create_events_table('shop');
SELECT ecinsight.set_options('shop', row_group_rows => 2048);
SELECT setseed(0.5);
INSERT INTO shop
SELECT CASE WHEN i % 997 = 0 THEN NULL WHEN i % 991 = 0 THEN 'infinity' WHEN i % 983 = 0 THEN '-infinity'
	ELSE '2019-12-30 00:00+00'::timestamptz + i * interval '41 seconds' + random() * interval '90 minutes' END,
	(ARRAY['view', 'view', 'view', 'cart', 'purchase', 'other', NULL])[1 + floor(random() * 7)::int],
	nullif(floor(random() * 50), 49), nullif(floor(random() * 12), 0), nullif('code' || floor(random() * 9), 'code0'), nullif('brand' || floor(random() * 5), 'brand0'),
	CASE WHEN random() < 0.05 THEN NULL WHEN random() < 0.01 THEN 'NaN' ELSE round((random() * 1000)::numeric, 2) END, nullif(floor(random() * 300), 0), md5(floor(random() * 900)::text)
FROM generate_series(1, 12000) i;
SELECT setseed(0);

-- what the views mean: plain SQL
CREATE FUNCTION plain(name text, events text, price text DEFAULT 'price') RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT %1$s AS bucket%2$s, count(*) AS interactions%3$s FROM %4$s GROUP BY 1%5$s',
		CASE WHEN name LIKE '%hour' THEN 'date_trunc(''hour'', (event_time AT TIME ZONE ''UTC'')::timestamp)' ELSE '(event_time AT TIME ZONE ''UTC'')::date' END,
		(SELECT string_agg(', ' || k || '::text AS ' || k, '' ORDER BY n) FROM unnest(keys) WITH ORDINALITY u (k, n)),
		CASE WHEN name <> 'user_category_day' THEN replace($sql$, count(*) FILTER (WHERE event_type = 'view') AS views, count(*) FILTER (WHERE event_type = 'cart') AS carts,
			count(*) FILTER (WHERE event_type = 'purchase') AS purchases, coalesce(sum(price) FILTER (WHERE event_type = 'purchase' AND price <> 'NaN'), 0)::numeric(18,2) AS revenue,
			count(*) FILTER (WHERE price <> 'NaN') AS priced, (sum(price) FILTER (WHERE price <> 'NaN'))::numeric(18,2) AS price_sum,
			(min(price) FILTER (WHERE price <> 'NaN'))::numeric(18,2) AS price_min, (max(price) FILTER (WHERE price <> 'NaN'))::numeric(18,2) AS price_max$sql$, '(price', '(' || price) END,
		events, (SELECT string_agg(', ' || k, '' ORDER BY n) FROM unnest(keys) WITH ORDINALITY u (k, n)))
	FROM (SELECT CASE WHEN name LIKE 'category%' THEN '{category_id, category_code, brand}'::text[] WHEN name LIKE 'sales%' THEN '{}'
		WHEN name LIKE 'product%' THEN '{product_id, category_id, category_code, brand}' ELSE '{user_id, category_code}' END AS keys) k $$;

CREATE TABLE queries (number serial, query text);
INSERT INTO queries (query)
SELECT format('SELECT * FROM %%s.%s', name) FROM unnest('{category_hour, category_day, sales_hour, sales_day, product_day, user_category_day}'::text[]) name;
-- bounds at the ends of time
INSERT INTO queries (query)
SELECT string_agg(format('SELECT %s, sum(interactions), count(bucket) FROM %%1$s.%s WHERE bucket %s %s %L', n, view, operator, type, value), ' UNION ALL ' ORDER BY n)
FROM unnest('{sales_day, sales_hour}'::text[]) view, unnest('{<, <=, =, >=, >}'::text[]) operator, unnest('{date, timestamp}'::text[]) type,
	unnest('{-infinity, infinity, 4714-11-24 BC, 294276-12-31, 294276-12-31 23:59:59.999999, 5874897-12-31, 2020-01-02, 2020-01-02 10:30}'::text[]) WITH ORDINALITY v (value, n)
WHERE type = 'date' OR value NOT LIKE '5874897%'
GROUP BY view, operator, type ORDER BY view, operator, type;
INSERT INTO queries (query) VALUES
-- sums, of all and of ranges
('SELECT sum(interactions), sum(views), sum(carts), sum(purchases), sum(revenue), sum(priced), sum(price_sum), min(price_min), max(price_max) FROM %s.category_day'),
('SELECT sum(interactions), sum(revenue), sum(price_sum), min(price_min), max(price_max) FROM %s.category_hour HAVING count(1) > 0'),
('SELECT bucket, sum(views) FROM %s.sales_day GROUP BY 1'),
('SELECT bucket, sum(revenue), max(price_max) FROM %s.category_day GROUP BY 1'),
('SELECT bucket, sum(revenue), sum(price_sum), min(price_min) FROM %s.category_hour WHERE bucket >= ''2020-01-01 05:00'' AND bucket < ''2020-01-02 03:00'' GROUP BY 1'),
('SELECT category_code, sum(interactions), sum(revenue), min(price_min), max(price_max) FROM %s.category_day WHERE bucket BETWEEN ''2019-12-31'' AND ''2020-01-03'' GROUP BY 1'),
('SELECT category_code, sum(interactions), sum(revenue), min(price_min), max(price_max) FROM %s.category_hour WHERE bucket BETWEEN ''2019-12-31 04:30'' AND ''2020-01-03 21:59:59.5'' GROUP BY 1'),
('SELECT category_code, brand, sum(interactions), sum(revenue), min(price_min), max(price_max) FROM %s.category_hour WHERE bucket > ''2019-12-31 04:00'' AND bucket <= ''2020-01-03 21:00'' GROUP BY 1, 2'),
('SELECT brand, sum(interactions), sum(price_sum) FROM %s.category_hour WHERE bucket > ''2019-12-31 04:00'' AND bucket <= ''2019-12-31 21:00'' GROUP BY 1'),
('SELECT bucket, brand, sum(carts), sum(price_sum), sum(revenue) FROM %s.category_hour GROUP BY 1, 2'),
('SELECT bucket, brand, category_id, sum(interactions), max(price_max) FROM %s.category_hour WHERE category_code = ''code3'' GROUP BY 1, 2, 3'),
('SELECT category_code, date_trunc(''month'', bucket), sum(interactions), sum(priced) FROM %s.category_day GROUP BY 1, 2'),
('SELECT category_id, extract(hour FROM bucket), sum(interactions) FROM %s.category_hour WHERE bucket IS NOT NULL GROUP BY 1, 2'),
('SELECT bucket, sum(interactions) FROM %s.category_day WHERE bucket = ''2020-01-01'' OR bucket IS NULL GROUP BY 1'),
('SELECT bucket, category_code, brand, interactions, price_min FROM %s.category_day WHERE bucket = ''2020-01-01'''),
('SELECT sum(interactions) FROM %s.sales_hour WHERE bucket = ''2020-01-01 05:30'''),
('SELECT sum(interactions) FROM %s.sales_hour WHERE bucket >= ''infinity'''),
('SELECT sum(interactions) FROM %s.sales_day WHERE bucket > ''-infinity'''),
('SELECT sum(interactions) FROM %s.sales_day WHERE bucket < ''2020-01-01'''),
('SELECT sum(interactions) FROM %s.sales_day WHERE bucket <= ''-infinity'''),
('SELECT sum(interactions) FROM %s.sales_hour WHERE bucket < ''2020-01-01'' AND bucket >= ''2020-01-01'''),
('SELECT sum(views) FROM %s.sales_hour WHERE bucket::date = ''2020-01-01'' OR bucket > ''2020-01-03 10:00'''),
('SELECT sum(views) FROM %s.sales_hour WHERE bucket::date >= ''2020-01-01'' AND bucket::date < ''2020-01-03'''),
('SELECT sum(views), sum(revenue) FROM %s.sales_day WHERE date_trunc(''week'', bucket) = ''2019-12-30'''),
('SELECT sum(views), sum(revenue) FROM %s.sales_day WHERE date_trunc(''month'', bucket::timestamp) IN (timestamp ''2019-12-01'', timestamp ''2020-02-01'')'),
('SELECT sum(views) FROM %s.sales_day WHERE bucket >= timestamp ''2020-01-01 00:00:01'' AND timestamp ''2020-01-03 12:00'' >= bucket'),
('SELECT sum(views) FROM %s.sales_day WHERE bucket >= timestamptz ''2020-01-01 04:00:01+00'' AND bucket < timestamptz ''2020-01-03 05:00+00'''),
('SELECT sum(views) FROM %s.sales_hour WHERE bucket IN (''2020-01-01 05:00'', ''2020-01-01 07:00'', ''2020-01-02 07:01'')'),
('SELECT sum(views) FROM %s.sales_day WHERE bucket <> ''2020-01-01'' AND extract(dow FROM bucket) = 3'),
('SELECT category_code, sum(interactions) FROM %s.category_day WHERE bucket >= to_date(''2019-12-31'', ''YYYY-MM-DD'') AND bucket < to_date(''2020-01-03'', ''YYYY-MM-DD'') GROUP BY 1'),
('SELECT sum(interactions), sum(revenue) FROM %s.category_hour WHERE bucket > to_date(''2019-12-31'', ''YYYY-MM-DD'') AND bucket <= ''2020-01-02''::text::timestamp'),
('SELECT sum(interactions) FROM %s.sales_day WHERE bucket = nullif(current_date, current_date)'),
-- keys
('SELECT bucket, sum(interactions) FROM %s.category_day WHERE category_code IN (''code1'', ''code2'', ''code2'', ''none'') GROUP BY 1'),
('SELECT brand, sum(interactions), sum(revenue), min(price_min) FROM %s.category_day WHERE category_code = ''code1'' GROUP BY 1 ORDER BY 2 DESC NULLS LAST LIMIT 3'),
('SELECT brand, sum(interactions) FROM %s.category_hour WHERE CAST(category_code AS text) = ''code1'' AND brand IN (''brand1'', ''brand4'') AND brand <> ''brand4'' GROUP BY 1'),
('SELECT brand, sum(interactions) FROM %s.category_day WHERE category_id = ''7'' AND category_id IN (''7'', ''8'', ''07'', ''x'', '''') GROUP BY 1'),
('SELECT brand, sum(interactions) FROM %s.category_day WHERE category_id IN (''07'', ''+7'', ''7 '', ''99999999999999999999'') GROUP BY 1'),
('SELECT sum(interactions) FROM %s.category_day WHERE category_code = NULL'),
('SELECT sum(interactions) FROM %s.category_day WHERE category_code = ''code1'' AND category_code = ''code2'''),
('SELECT sum(interactions) FROM %s.category_day WHERE category_code IS NULL AND (NOT (brand IN (''brand1'')) OR brand IS NULL)'),
('SELECT sum(interactions), max(price_max) FROM %s.category_day WHERE strpos(lower(brand), ''rand2'') > 0 AND category_code >= ''code2'' AND category_code <= ''code5'''),
('SELECT DISTINCT category_code FROM %s.category_day'),
('SELECT category_code FROM %s.category_day GROUP BY 1'),
('SELECT max(bucket), min(bucket), count(DISTINCT brand) FROM %s.category_hour HAVING count(1) > 0'),
-- what depends on the rows themselves
('SELECT count(*), sum(interactions) FROM %s.category_day'),
('SELECT count(*) FROM %s.category_hour'),
('SELECT category_code, avg(revenue), sum(DISTINCT interactions) FROM %s.category_day GROUP BY 1'),
('SELECT category_code, sum(interactions) FROM %s.category_day WHERE interactions > 2 GROUP BY 1'),
('SELECT interactions, count(*) FROM %s.category_day GROUP BY 1'),
('SELECT category_code, max(interactions), min(price_max), max(price_min) FROM %s.category_day GROUP BY 1'),
('SELECT category_code, sum(views + carts), sum(revenue * 2) FROM %s.category_day GROUP BY 1'),
('SELECT category_code, string_agg(brand, '','' ORDER BY brand, bucket) FROM %s.category_day WHERE bucket = ''2020-01-02'' GROUP BY 1'),
('SELECT category_code, sum(price_sum) / nullif(sum(priced), 0), sum(revenue) OVER () FROM %s.category_day WHERE bucket = ''2020-01-02'' GROUP BY 1, revenue'),
('SELECT category_code, rank() OVER (ORDER BY sum(revenue) DESC, category_code), sum(sum(views)) OVER (ORDER BY category_code) FROM %s.category_day GROUP BY 1'),
-- conditions inside, grouping sets, joins, subqueries
('SELECT sum(revenue) FILTER (WHERE brand = ''brand1''), sum(CASE WHEN category_code = ''code1'' THEN revenue END), sum(CASE category_code WHEN ''code1'' THEN views WHEN ''code2'' THEN NULL ELSE views END) FROM %s.category_day'),
('SELECT category_code, brand, sum(interactions), grouping(category_code) FROM %s.category_day GROUP BY CUBE (1, 2) HAVING count(*) > 0'),
('SELECT d.category_code, sum(d.interactions), sum(d.price_sum) FROM %1$s.category_day d JOIN (SELECT category_code, sum(revenue) AS s FROM %1$s.category_day GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1 LIMIT 3) t ON d.category_code = t.category_code GROUP BY 1'),
('SELECT d.brand, sum(d.interactions) FROM %1$s.category_day d WHERE EXISTS (SELECT 1 FROM (SELECT category_code, sum(views) FROM %1$s.category_day GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3) t WHERE d.category_code IS NOT DISTINCT FROM t.category_code) GROUP BY 1'),
('SELECT c, sum(d.views), count(*) FROM unnest(''{code1,code2,code77}''::text[]) c LEFT JOIN %s.category_day d ON d.category_code = c GROUP BY 1'),
('SELECT c, sum(d.views) FROM unnest(''{code1,code1,code77}''::text[]) c LEFT JOIN %s.category_day d ON d.category_code = c GROUP BY 1'),
('SELECT sum(length(c)), sum(d.views) FROM unnest(''{code1,code2}''::text[]) c JOIN %s.category_day d ON d.category_code = c'),
('SELECT a.category_code, sum(a.views) FROM %1$s.category_day a JOIN %1$s.sales_day b ON a.bucket = b.bucket AND b.views > 100 GROUP BY 1'),
('SELECT sum(a.views), sum(b.views) FROM %1$s.category_day a FULL JOIN %1$s.category_day b ON a.bucket = b.bucket AND a.brand = b.brand AND b.category_code = ''code1'''),
('SELECT c, (SELECT sum(views) FROM %s.category_day d WHERE d.category_code = c) FROM unnest(''{code1,code2,code77}''::text[]) c'),
('SELECT c, s FROM unnest(''{code1,code2,code77}''::text[]) c, LATERAL (SELECT brand, sum(views) AS s FROM %s.category_day d WHERE d.category_code = c GROUP BY 1) x'),
('SELECT sum(interactions) FROM %1$s.sales_day WHERE bucket > (SELECT min(bucket) FROM %1$s.sales_day WHERE bucket > ''2019-12-31'')'),
('SELECT sum(v) FROM (SELECT sum(views) AS v FROM %1$s.category_day WHERE brand = ''brand1'' UNION ALL SELECT views FROM %1$s.sales_day WHERE bucket = ''2020-01-01'' UNION ALL SELECT sum(carts) FROM %1$s.product_day) u'),
('WITH d AS MATERIALIZED (SELECT * FROM %s.category_day) SELECT sum(views) FROM d'),
('SELECT d FROM %s.sales_day d WHERE bucket = ''2020-01-01'''),
('SELECT count(d), sum(views) FROM %s.sales_day d'),
-- the first ones
('SELECT category_code, brand, sum(revenue) FROM %s.category_day GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 5 OFFSET 2'),
('SELECT product_id, sum(price_sum) FROM %s.product_day GROUP BY 1 ORDER BY 2 DESC NULLS FIRST, 1 LIMIT 7'),
('SELECT user_id, sum(interactions) FROM %s.user_category_day GROUP BY 1 HAVING count(1) > 0 ORDER BY 2 DESC, 1 LIMIT 10'),
('SELECT product_id, sum(carts) FROM %s.product_day GROUP BY 1 ORDER BY 2 DESC FETCH FIRST 5 ROWS WITH TIES'),
('SELECT product_id, sum(purchases) FROM %s.product_day WHERE bucket > ''2020-01-01'' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3'),
('SELECT user_id, sum(interactions) FROM %s.user_category_day WHERE bucket = ''2020-01-02'' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20'),
('SELECT product_id, sum(purchases) FROM %s.product_day WHERE bucket = ''2020-01-03'' GROUP BY 1 ORDER BY 2 DESC FETCH FIRST 9 ROWS WITH TIES'),
('SELECT product_id, sum(priced) FROM %s.product_day GROUP BY 1 ORDER BY 2 DESC, 1 DESC LIMIT 3'),
('SELECT user_id, category_code, sum(interactions) FROM %s.user_category_day GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10'),
('SELECT user_id, category_code, sum(interactions) FROM %s.user_category_day GROUP BY 1, 2 ORDER BY 3 DESC FETCH FIRST 7 ROWS WITH TIES'),
('SELECT user_id, category_code, sum(interactions) FROM %s.user_category_day WHERE bucket >= ''2020-01-01'' AND bucket < to_date(''2020-01-04'', ''YYYY-MM-DD'') GROUP BY 1, 2 ORDER BY 3 DESC FETCH FIRST 7 ROWS WITH TIES'),
('SELECT user_id, category_code, sum(interactions) FROM %s.user_category_day WHERE bucket <= ''2020-01-03'' AND category_code = ''code2'' GROUP BY 1, 2 ORDER BY 3 DESC, 2 DESC, 1 LIMIT 8'),
('SELECT user_id, category_code, sum(interactions) FROM %s.user_category_day WHERE category_code = ''code2'' GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 5'),
('SELECT user_id, category_code, sum(interactions) FROM %s.user_category_day WHERE category_code IN (''code3'', ''none'', ''code1'') GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 9'),
('SELECT user_id, category_code, sum(interactions) FROM %s.user_category_day WHERE category_code = ''none'' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 9'),
('SELECT date_trunc(''week'', bucket), sum(views) FROM %s.category_day GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1'),
('SELECT brand, sum(views) FROM %s.category_day GROUP BY 1 HAVING sum(views) < 900 ORDER BY 2 DESC, 1 LIMIT 2'),
('SELECT brand, sum(views) FROM %s.category_day WHERE brand <> ''brand1'' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1'),
('SELECT brand, sum(views) FROM %s.category_day GROUP BY 1 ORDER BY 2, 1 LIMIT 1'),
('SELECT brand, sum(views) OVER (), sum(sum(views)) OVER () FROM %s.category_day GROUP BY 1, views ORDER BY sum(views) DESC, 1, 2 LIMIT 2'),
('SELECT brand, sum(sum(views)) OVER () FROM %s.category_day GROUP BY 1 ORDER BY sum(views) DESC, 1 LIMIT 2'),
('SELECT DISTINCT ON (sum(views)) brand, sum(views) FROM %s.category_day GROUP BY 1 ORDER BY sum(views) DESC, 1 LIMIT 2'),
-- products
('SELECT product_id, sum(interactions), sum(revenue), sum(price_sum), sum(priced) FROM %s.product_day GROUP BY 1'),
('SELECT product_id, brand, sum(carts), sum(purchases), sum(revenue) FROM %s.product_day WHERE bucket >= ''2020-01-01'' AND bucket < ''2020-01-03'' GROUP BY 1, 2 ORDER BY 5 DESC, 1, 2 LIMIT 10'),
('SELECT bucket, sum(interactions), sum(price_sum), sum(revenue) FROM %s.product_day WHERE product_id IN (''7'', ''11'', ''77'') GROUP BY 1'),
('SELECT product_id, sum(interactions), sum(price_sum) FROM %s.product_day WHERE product_id IN (''7'', ''11'', ''77'') AND category_code = ''code3'' GROUP BY 1'),
('SELECT product_id, bucket, sum(interactions), sum(price_sum) FROM %s.product_day WHERE brand = ''brand2'' AND bucket > ''2020-01-02'' GROUP BY 1, 2'),
('SELECT product_id, category_id, sum(interactions) FROM %s.product_day WHERE category_code = ''code3'' GROUP BY 1, 2'),
('SELECT product_id, min(price_min), max(price_max) FROM %s.product_day WHERE bucket = ''2020-01-02'' GROUP BY 1'),
('SELECT brand, min(price_min), max(price_max), sum(views) FROM %s.product_day GROUP BY 1'),
-- users
('SELECT user_id, sum(interactions) FROM %s.user_category_day GROUP BY 1'),
('SELECT user_id, category_code, sum(interactions) FROM %s.user_category_day WHERE user_id IN (''5'', ''17'', ''x'') GROUP BY 1, 2'),
('SELECT bucket, sum(interactions) FROM %s.user_category_day WHERE user_id = ''5'' GROUP BY 1'),
('SELECT user_id, category_code, interactions FROM %s.user_category_day WHERE bucket = ''2020-01-02'''),
('SELECT category_code, sum(interactions), count(DISTINCT user_id) FROM %s.user_category_day WHERE bucket >= ''2019-12-30'' AND bucket <= ''2020-01-04'' GROUP BY 1'),
('SELECT bucket, category_code, sum(interactions) FROM %s.user_category_day GROUP BY 1, 2'),
('SELECT user_id, sum(interactions) FROM %s.user_category_day WHERE category_code = ''code1'' GROUP BY 1 HAVING sum(interactions) > 5');

-- The state as plain SQL sees it.
CREATE SCHEMA bucket_plain;
CREATE PROCEDURE remember(events text, price text DEFAULT 'price') LANGUAGE plpgsql AS $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{category_hour, category_day, sales_hour, sales_day, product_day, user_category_day}'::text[] LOOP
		EXECUTE format('DROP TABLE IF EXISTS bucket_plain.%s', name);
		EXECUTE format('CREATE TABLE bucket_plain.%s AS %s', name, plain(name, events, price));
	END LOOP;
END $$;
-- Queries that give other rows over the views; once more without summaries, and without telling the views anything.
CREATE FUNCTION differing(views text, VARIADIC ways text[]) RETURNS TABLE (how text, differing text) LANGUAGE plpgsql AS $$
DECLARE
	q record;
	expected text;
	got text;
BEGIN
	FOR q IN SELECT * FROM queries ORDER BY number LOOP
		EXECUTE format('SELECT string_agg(r::text, '', '' ORDER BY r::text) FROM (%s) r', format(q.query, 'bucket_plain')) INTO expected;
		FOREACH how IN ARRAY ways LOOP
			PERFORM set_config('ecinsight.enable_summaries', CASE how WHEN 'summaries' THEN 'on' ELSE 'off' END, true),
				set_config('ecinsight.enable_bucket_scan', CASE how WHEN 'function' THEN 'off' ELSE 'on' END, true);
			EXECUTE format('SELECT string_agg(r::text, '', '' ORDER BY r::text) FROM (%s) r', format(q.query, views)) INTO got;
			IF expected IS DISTINCT FROM got THEN
				differing := q.query;
				RETURN NEXT;
			END IF;
		END LOOP;
	END LOOP;
END $$;
SELECT ecinsight.create_views('shop', 'bucket_views');

VACUUM shop;
SELECT projection, sum(rows) > 0 AS cells FROM ecinsight.summaries('shop') WHERE projection LIKE 'category%' GROUP BY 1 ORDER BY 1;
CALL remember('shop');
SELECT * FROM differing('bucket_views', 'summaries', 'rows', 'function');

-- rows come, go and change
INSERT INTO shop SELECT * FROM shop WHERE product_id = 7;
INSERT INTO shop VALUES ('2020-01-02 03:04:05+00', 'purchase', 1, 1, 'code1', 'brand1', 1000.50, 1, 'x'), (NULL, 'view', 1, NULL, NULL, NULL, 0, NULL, NULL);
DELETE FROM shop WHERE product_id = 3;
DELETE FROM shop WHERE (category_code, price) IN (SELECT category_code, min(price) FROM shop GROUP BY category_code UNION SELECT category_code, max(price) FROM shop GROUP BY category_code);
CALL remember('shop');
SELECT * FROM differing('bucket_views', 'summaries');
DELETE FROM shop WHERE category_code = 'code2' OR event_time >= '2020-01-01 05:00+00' AND event_time < '2020-01-01 07:00+00';
DELETE FROM shop WHERE event_time IS NULL AND product_id < 20 OR event_time = '-infinity' OR event_time = 'infinity' AND product_id < 30;
UPDATE shop SET price = price * 2, event_time = event_time - interval '26 hours' WHERE product_id = 5;
CALL remember('shop');
SELECT * FROM differing('bucket_views', 'summaries', 'rows');
-- two sets, rows that neither has, hidden rows of both
VACUUM shop;
INSERT INTO shop SELECT event_time + interval '10 minutes', event_type, product_id, category_id, category_code, brand, price + 1, user_id, user_session FROM shop WHERE product_id BETWEEN 11 AND 14;
SELECT ecinsight.set_options('shop', row_group_rows => 1024);
VACUUM shop;
INSERT INTO shop SELECT * FROM shop WHERE product_id = 21;
DELETE FROM shop WHERE product_id IN (12, 22);
BEGIN;
DELETE FROM shop WHERE product_id = 13;
SAVEPOINT s;
UPDATE shop SET category_code = 'new' WHERE product_id = 11;
CALL remember('shop');
SELECT * FROM differing('bucket_views', 'summaries');
ROLLBACK;
CALL remember('shop');
SELECT * FROM differing('bucket_views', 'summaries');

-- in files
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT * FROM differing('bucket_views', 'summaries');
RESET work_mem;
RESET hash_mem_multiplier;

-- other relations: heap, a view of columns of other types, partitions, columns of other names
CREATE TABLE heap (LIKE shop) USING heap;
INSERT INTO heap SELECT * FROM shop;
SELECT ecinsight.create_views('heap', 'bucket_views');
SELECT * FROM differing('bucket_views', 'rows', 'function');
CREATE VIEW loose AS SELECT event_time, event_type, product_id::smallint, category_id::numeric(18,0), category_code::varchar, brand, price::numeric, user_id::int, user_session FROM heap;
SELECT ecinsight.create_views('loose', 'bucket_views');
SELECT * FROM differing('bucket_views', 'rows');
CREATE TABLE parts (LIKE shop) PARTITION BY RANGE (event_time);
CREATE TABLE parts_early PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('2020-01-01') USING ecinsight_columnar;
CREATE TABLE parts_late (junk int, LIKE shop) USING ecinsight_columnar;
ALTER TABLE parts_late DROP COLUMN junk;
ALTER TABLE parts ATTACH PARTITION parts_late DEFAULT;
INSERT INTO parts SELECT * FROM shop;
VACUUM parts;
SELECT ecinsight.create_views('parts', 'bucket_views');
SELECT * FROM differing('bucket_views', 'summaries');
DROP TABLE parts CASCADE;

-- prices that are not shown as they are: with three decimals, without a scale, floats; sums are of what is shown
CREATE TABLE fine AS SELECT event_time, event_type, product_id, category_id, category_code, brand, (price + 0.005)::numeric(12,3) AS price, user_id, user_session FROM heap;
SELECT ecinsight.create_views('fine', 'bucket_views');
CALL remember('fine');
SELECT * FROM differing('bucket_views', 'rows');
ALTER TABLE fine ALTER price TYPE numeric;
UPDATE fine SET price = price * 1.000000001 WHERE product_id < 5;
CALL remember('fine');
SELECT * FROM differing('bucket_views', 'rows', 'function');
ALTER TABLE fine ALTER price TYPE double precision;
UPDATE fine SET price = 'infinity' WHERE product_id = 1;
UPDATE fine SET price = 1e17 + product_id WHERE product_id = 2 AND category_code = 'code1' AND brand = 'brand1';
SELECT sum(revenue) FROM bucket_views.category_day;
DELETE FROM fine WHERE price > 1e10;
DROP TABLE fine CASCADE;

-- what is told
SELECT ecinsight.create_views('shop', 'bucket_views');
DELETE FROM shop;
VACUUM shop;
INSERT INTO shop SELECT '2020-01-01 00:00+00'::timestamptz + i * interval '11 minutes', 'view', i % 50, i % 5, 'code' || i % 5, 'brand' || i % 3, i % 7, i % 100, 's' FROM generate_series(1, 5000) i;
VACUUM shop;
CREATE FUNCTION told(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
		IF line ~ 'BucketScan|View|Grain|Measures|Pushed|Top|Source|Filter|Removed' THEN
			RETURN NEXT regexp_replace(regexp_replace(line, '^ *(->)? *', ''), '(rows=\d+)\.\d+ ', '\1 ');
		END IF;
	END LOOP;
END $$;
SELECT told($$SELECT bucket, sum(revenue) FROM bucket_views.category_day GROUP BY 1$$);
SELECT told($$SELECT category_code, sum(revenue) FROM bucket_views.category_day WHERE bucket >= '2020-01-03' AND bucket < '2020-01-05' AND category_id IN ('1', '2') GROUP BY 1$$);
SELECT told($$SELECT brand, sum(interactions) FROM bucket_views.category_hour WHERE bucket >= TIMESTAMP '2020-01-03 05:00' AND category_code = 'code1' GROUP BY 1$$);
SELECT told($$SELECT date_trunc('month', bucket), brand, sum(views) FROM bucket_views.category_hour WHERE date_trunc('week', bucket) IN ('2019-12-30', '2020-01-06') GROUP BY 1, 2$$);
SELECT told($$SELECT product_id, sum(revenue) FROM bucket_views.product_day WHERE bucket = '2020-01-03' GROUP BY 1$$);
SELECT told($$SELECT bucket, sum(views) FROM bucket_views.product_day WHERE product_id = '7' GROUP BY 1$$);
SELECT told($$SELECT product_id, max(price_max) FROM bucket_views.product_day WHERE product_id = '7' GROUP BY 1$$);
SELECT told($$SELECT category_code, sum(interactions) FROM bucket_views.user_category_day WHERE user_id = '7' GROUP BY 1$$);
SELECT told($$SELECT * FROM bucket_views.user_category_day WHERE bucket = '2020-01-03'$$);
SELECT told($$SELECT product_id, sum(views) FROM bucket_views.product_day GROUP BY 1 ORDER BY 2 DESC NULLS LAST LIMIT 10$$);
SELECT told($$SELECT user_id, category_code, sum(interactions) FROM bucket_views.user_category_day GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10$$);
SELECT told($$SELECT user_id, category_code, sum(interactions) FROM bucket_views.user_category_day WHERE category_code = 'code1' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10$$);
SELECT told($$SELECT category_code, count(*) FROM bucket_views.category_day WHERE revenue = 0 GROUP BY 1$$);
SELECT told($$SELECT sum(views) FROM bucket_views.sales_day WHERE bucket > now() - interval '30 days' AND bucket < '2020-01-02'$$);
SELECT told($$SELECT sum(views) FROM bucket_views.sales_day WHERE bucket > '2020-01-02' AND bucket < '2020-01-01'$$);
SELECT told($$SELECT product_id, sum(views) FROM bucket_views.product_day WHERE bucket >= to_date('2020-01-02', 'YYYY-MM-DD') AND bucket < '2020-01-04'::text::date GROUP BY 1 ORDER BY 2 DESC LIMIT 5$$);
SET ecinsight.enable_bucket_scan = off;
EXPLAIN (COSTS OFF) SELECT bucket, sum(revenue) FROM bucket_views.category_day WHERE brand = 'x' GROUP BY 1;
RESET ecinsight.enable_bucket_scan;

-- parameters: bounds that change from one execution to the next; a plan from before the price got decimals
PREPARE days(date, text) AS SELECT sum(interactions), sum(price_sum) FROM bucket_views.category_day WHERE bucket >= $1 AND category_code = $2;
SET plan_cache_mode = force_generic_plan;
EXECUTE days('2020-01-03', 'code1');
EXECUTE days('2020-01-20', 'code2');
EXECUTE days(NULL, 'code2');
EXECUTE days('infinity', 'code2');
ALTER TABLE shop ALTER price TYPE numeric(12,3) USING price + 0.004;
EXECUTE days('2020-01-03', 'code1');
SELECT sum(interactions), sum(price_sum) FROM (SELECT interactions, price_sum FROM bucket_views.category_day WHERE bucket >= '2020-01-03' AND category_code = 'code1' OFFSET 0) o;
RESET plan_cache_mode;

-- cursors, in both directions and beyond the transaction
BEGIN;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT bucket, views FROM bucket_views.sales_day ORDER BY 1;
FETCH 2 FROM c;
COMMIT;
FETCH BACKWARD 1 FROM c;
CLOSE c;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT views FROM bucket_views.sales_day WHERE bucket = '2020-01-02';
FETCH ALL FROM c;
FETCH BACKWARD ALL FROM c;
CLOSE c;
SELECT * FROM bucket_views.sales_day LIMIT 0;
SELECT * FROM bucket_views.sales_day WHERE (1 = 0);

-- who may see what
CREATE ROLE bucket_reader;
GRANT USAGE ON SCHEMA bucket_data, bucket_views TO bucket_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA bucket_views TO bucket_reader;
SET ROLE bucket_reader;
SELECT sum(views) FROM bucket_views.sales_day;
RESET ROLE;
GRANT SELECT (event_time, event_type) ON shop TO bucket_reader;
SET ROLE bucket_reader;
SELECT sum(views) FROM bucket_views.sales_day;
SELECT sum(views) FROM bucket_views.category_day WHERE brand = 'brand1';
RESET ROLE;
GRANT SELECT ON shop TO bucket_reader;
ALTER TABLE shop ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON shop TO bucket_reader USING (product_id < 5);
SET ROLE bucket_reader;
SELECT sum(views), count(*) FROM bucket_views.product_day;
SELECT brand, sum(views) FROM bucket_views.category_day WHERE category_code = 'code1' GROUP BY 1 ORDER BY 1;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION ecinsight.sales_day(regclass) FROM PUBLIC;
SET ROLE bucket_reader;
SELECT sum(views) FROM bucket_views.sales_day;
RESET ROLE;
GRANT EXECUTE ON FUNCTION ecinsight.sales_day(regclass) TO PUBLIC;
DROP OWNED BY bucket_reader;
DROP ROLE bucket_reader;

-- the functions as such
SELECT count(*), sum(views) FROM ecinsight.sales_day('shop');
SELECT (ecinsight.sales_day('shop')).bucket LIMIT 1;
SELECT * FROM ecinsight.sales_day(NULL);
SELECT * FROM ecinsight.sales_day('queries');
SELECT count(*) FROM ecinsight.sales_day('shop') WITH ORDINALITY;
SELECT count(x) = count(*) AS whole_rows FROM ecinsight.sales_day('shop') x WHERE x IS NOT NULL;
DROP SCHEMA bucket_views, bucket_plain, bucket_data CASCADE;
