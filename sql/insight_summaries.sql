-- Insights by summaries: the same with and without them, whatever was done to the rows since they were made.
SET timezone = 'UTC';
SET ecinsight.summary_rows = 1;
SELECT ecinsight.create_events_table('shop');
SELECT ecinsight.set_options('shop', row_group_rows => 2048);
SELECT setseed(0.5);
INSERT INTO shop
SELECT CASE WHEN i % 997 = 0 THEN NULL WHEN i % 991 = 0 THEN 'infinity' WHEN i % 983 = 0 THEN '-infinity'
	ELSE '2019-12-30'::timestamptz + i * interval '41 seconds' + random() * interval '90 minutes' END,
	(ARRAY['view', 'view', 'view', 'cart', 'purchase', 'other', NULL])[1 + floor(random() * 7)::int],
	floor(random() * 50), nullif(floor(random() * 12), 0), nullif('code' || floor(random() * 9), 'code0'), nullif('brand' || floor(random() * 5), 'brand0'),
	CASE WHEN random() < 0.05 THEN NULL ELSE round((random() * 1000)::numeric, 2) END, nullif(floor(random() * 300), 0), md5(floor(random() * 900)::text)
FROM generate_series(1, 12000) i;
SELECT setseed(0);

-- Calls whose rows differ with and without summaries.
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

-- All functions, at ranges of all kinds.
CREATE FUNCTION check_all(events text) RETURNS SETOF text LANGUAGE sql AS $$
	WITH functions (name, nranges) AS (VALUES ('popular_categories(%s, k => NULL%s)', 9), ('popular_categories(%s, k => NULL, by => ''code''%s)', 5),
			('price_sensitivity(%s, k => NULL%s)', 9), ('overview(%s%s)', 9), ('sales_trend(%s%s)', 6), ('sales_trend(%s, bucket => ''hour'', tz => ''Europe/Berlin''%s)', 3),
			('sales_trend(%s, tz => ''Asia/Kolkata''%s)', 2), ('sales_trend(%s, bucket => ''month'', category => ''code3''%s)', 3),
			('sales_forecast(%s, measure => ''purchases''%s)', 3), ('trending(%s, min_previous => 0, k => NULL, period => ''36 hours''%s)', 1),
			('trending(%s, min_previous => 0, k => NULL, measure => ''revenue'', as_of => ''2020-01-03 07:30''%s)', 1),
			('trending(%s, min_previous => 0, k => NULL, as_of => ''2020-01-03 07:30:00.000001''%s)', 1),
			('product_performance(%s, k => NULL%s)', 3), ('top_user_categories(%s, k => NULL%s)', 3), ('top_user_category_brands(%s%s)', 2),
			('customer_segments(%s%s)', 3), ('funnel(%s%s)', 3), ('category_correlation(%s, min_users => 1, k => NULL%s)', 2), ('cross_sell(%s%s)', 2)),
	ranges (number, range) AS (VALUES (1, ''), (2, ', since => ''2019-12-31 03:17:21.5'', until => ''2020-01-03 21:44:59'''), (3, ', since => ''2020-01-01'''),
			(4, ', until => ''2020-01-02 05:00'''), (5, ', since => ''2019-12-31 03:00'', until => ''2020-01-04 22:00'''),
			(6, ', since => ''2020-01-01 10:10'', until => ''2020-01-01 10:40'''), (7, ', since => ''infinity'''), (8, ', until => ''1999-01-01'''),
			(9, ', since => ''1999-01-01 00:00:01'''))
	SELECT differing(array_agg(format(name, quote_literal(events), range))) FROM functions, ranges WHERE number <= nranges $$;

-- Sets that the table has.
CREATE VIEW sets AS SELECT count(DISTINCT set_number), sum(rows) FILTER (WHERE projection = 'category_hour') AS rows FROM ecinsight.summaries('shop');

VACUUM shop;
TABLE sets;
SELECT check_all('shop');

-- rows come: in row groups without summaries, one by one
INSERT INTO shop SELECT * FROM shop WHERE product_id = 7;
INSERT INTO shop VALUES ('2020-01-02 03:04:05', 'purchase', 1, 1, 'code1', 'brand1', 1000.50, 1, 'x'), (NULL, 'view', 1, NULL, NULL, NULL, 0, NULL, NULL);
SELECT check_all('shop');

-- rows go: some, those with extreme prices, all of a category, of an hour, without time, infinite ones
DELETE FROM shop WHERE product_id = 3;
DELETE FROM shop WHERE (category_code, price) IN (SELECT category_code, min(price) FROM shop GROUP BY category_code UNION SELECT category_code, max(price) FROM shop GROUP BY category_code);
SELECT check_all('shop');
DELETE FROM shop WHERE category_code = 'code2' OR event_time >= '2020-01-01 05:00' AND event_time < '2020-01-01 07:00';
DELETE FROM shop WHERE event_time IS NULL AND product_id < 20 OR event_time = '-infinity' OR event_time = 'infinity' AND product_id < 30;
SELECT check_all('shop');
TABLE sets;

-- they change
UPDATE shop SET price = price * 2, event_time = event_time - interval '26 hours' WHERE product_id = 5;
SELECT check_all('shop');

-- what a transaction has done counts for itself, and for nobody when it is rolled back
BEGIN;
DELETE FROM shop WHERE product_id = 11;
SAVEPOINT s;
UPDATE shop SET category_code = 'new' WHERE product_id = 12;
INSERT INTO shop SELECT * FROM shop WHERE product_id = 13;
SELECT check_all('shop');
ROLLBACK TO s;
SELECT check_all('shop');
COMMIT;
BEGIN;
DELETE FROM shop;
SELECT check_all('shop');
ROLLBACK;
SELECT check_all('shop');

-- tombstones folded into masks; row groups written anew; a second set
VACUUM shop;
SELECT check_all('shop');
DELETE FROM shop WHERE product_id IN (21, 22, 23);
VACUUM shop;
DELETE FROM shop WHERE product_id = 24;
SELECT check_all('shop');
SELECT * FROM ecinsight.verify('shop');

-- columns that mean something else: no set counts any more, until the next VACUUM
SELECT ecinsight.map_columns('shop', '{"category_code": "brand", "brand": "category_code"}');
SELECT check_all('shop');
VACUUM shop;
SELECT check_all('shop');
ALTER TABLE shop RENAME price TO amount;
ALTER TABLE shop ADD COLUMN price numeric(10,2) DEFAULT 3;
SELECT check_all('shop');
VACUUM shop;
SELECT check_all('shop');
SELECT bool_and(price_min = 3) FROM (SELECT min_price AS price_min FROM ecinsight.price_sensitivity('shop', k => NULL)) p;

-- columns that a user may not read, or that are not there, are not needed
CREATE ROLE summaries_reader;
GRANT SELECT (category_code, brand, price) ON shop TO summaries_reader;
SET ROLE summaries_reader;
SELECT count(*) > 0 FROM ecinsight.price_sensitivity('shop');
SELECT * FROM ecinsight.popular_categories('shop');
RESET ROLE;
CREATE TABLE few (category_code text, price numeric(10,2)) USING ecinsight_columnar;
INSERT INTO few SELECT 'c' || i % 3, i FROM generate_series(1, 100) i;
VACUUM few;
SELECT * FROM ecinsight.price_sensitivity('few');

-- partitions, with other places of columns and other mappings
CREATE TABLE parts (LIKE shop) PARTITION BY RANGE (event_time);
CREATE TABLE parts_early PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('2020-01-01') USING ecinsight_columnar;
CREATE TABLE parts_late (junk int, LIKE shop) USING ecinsight_columnar;
ALTER TABLE parts_late DROP COLUMN junk;
ALTER TABLE parts ATTACH PARTITION parts_late DEFAULT;
SELECT ecinsight.map_columns('parts', '{"category_code": "brand", "brand": "category_code", "price": "amount"}');
INSERT INTO parts SELECT * FROM shop;
VACUUM parts;
SELECT count(*) > 0 FROM ecinsight.summaries('parts_early') e, ecinsight.summaries('parts_late') l;
DELETE FROM parts WHERE product_id = 31;
SELECT check_all('parts');
SELECT ecinsight.map_columns('parts_early', '{"price": "price"}');
VACUUM parts;
SELECT check_all('parts');

-- times as dates and timestamps without zone; prices as integers
CREATE TABLE others (event_time date, event_type varchar(20), product_id int, category_id smallint, category_code varchar, brand text, price int, user_id bigint,
	user_session uuid) USING ecinsight_columnar;
INSERT INTO others SELECT event_time, event_type, product_id, category_id, category_code, brand, amount, user_id, md5(user_session)::uuid FROM shop;
VACUUM others;
SELECT count(*) > 0 FROM ecinsight.summaries('others');
DELETE FROM others WHERE product_id = 32;
SELECT check_all('others');
CREATE TABLE zoneless (LIKE others) USING ecinsight_columnar;
ALTER TABLE zoneless ALTER event_time TYPE timestamp, ALTER price TYPE numeric(12,4);
INSERT INTO zoneless SELECT event_time, event_type, product_id, category_id, category_code, brand, amount, user_id, md5(user_session)::uuid FROM shop;
VACUUM zoneless;
SELECT count(*) > 0 FROM ecinsight.summaries('zoneless');
DELETE FROM zoneless WHERE product_id = 33;
SET timezone = 'America/New_York';
SELECT check_all('zoneless');
RESET timezone;

-- all gone
TRUNCATE shop;
SELECT check_all('shop');
INSERT INTO shop SELECT * FROM parts LIMIT 0;
VACUUM shop;
SELECT check_all('shop');

DROP VIEW sets;
DROP TABLE shop, few, parts, others, zoneless;
DROP FUNCTION check_all, differing;
DROP ROLE summaries_reader;
RESET ecinsight.summary_rows;
