-- Cells by user, of many blocks and several parts: a user's cells reach from one block into the next; those of a user
-- of one category fill several blocks, brand by brand, so that hours come again blocks later; no user, no time.  Each
-- function gives the same from summaries and from rows.
SET TimeZone = 'UTC';
SET ecinsight.summary_rows = 1;
CREATE TABLE cells (event_time timestamptz, event_type text, product_id bigint, category_id bigint, category_code text, brand text,
	price numeric(10,2), user_id bigint, user_session text) USING ecinsight_columnar;

-- user 500 has 45,000 cells of one category, in three brands; of others there are 270,000 with a few categories and brands each
INSERT INTO cells
SELECT timestamptz '2015-01-01' + (i % 15000) * interval '1 hour' + interval '20 minutes', (ARRAY['view', 'cart', 'purchase', 'sold'])[1 + i % 7 % 4], i % 11, 1,
	'bots', 'b' || i / 15000, 1, 500, 's' FROM generate_series(0, 44999) i;
INSERT INTO cells
SELECT timestamptz '2015-01-01' + ((i * 7919 + i / 9) % 14000) * interval '1 hour' + interval '10 minutes',
	(ARRAY['view', 'view', 'cart', 'purchase', 'wish'])[1 + (i * 31 + i / 13) % 5], i % 97, i % 5, 'c' || (i / 3 + i / 50) % 7, 'b' || i * 13 % 17, 2, i / 10, 't' || i % 3
FROM generate_series(0, 269999) i;
INSERT INTO cells
SELECT CASE WHEN i % 3 = 0 THEN NULL WHEN i % 5 = 0 THEN 'infinity' ELSE timestamptz '2016-01-01' + i * interval '17 minutes' END, 'view', i, 1,
	CASE WHEN i % 4 > 0 THEN 'c' || i % 4 END, CASE WHEN i % 3 > 0 THEN 'b' || i % 3 END, 3, CASE WHEN i % 2 = 0 THEN i % 30 END, NULL
FROM generate_series(1, 3000) i;
VACUUM cells;
SELECT projection, parts, cells FROM ecinsight.summaries('cells') WHERE projection LIKE 'user%' ORDER BY 1;

CREATE TABLE calls (n serial, call text);
INSERT INTO calls (call)
SELECT format(f, r) FROM unnest(ARRAY[
	$$funnel('cells'%s)$$, $$funnel('cells', by => 'brand'%s)$$, $$funnel('cells', by => 'none'%s)$$,
	$$category_correlation('cells', k => NULL%s)$$, 
	$$top_user_categories('cells', k => NULL%s)$$, $$top_user_category_brands('cells', k => 200%s)$$,
	$$engaged_users('cells', k => 100%s)$$, $$engaged_users('cells', k => 100, category => 'c3'%s)$$, $$engaged_users('cells', k => 10, brand => 'b1'%s)$$,
	$$favorite_category_brands('cells', users => '{500,3,499,26999,7000}'%s)$$]) f,
	unnest(ARRAY['', $$, since => '2015-06-01', until => '2016-02-01'$$, $$, since => '2015-03-01 10:13', until => '2016-03-01 00:00:01'$$,
		$$, since => '2016-01-05 10:13', until => '2016-01-05 12:17'$$]) r;

-- What differs: nothing.
CREATE FUNCTION differences() RETURNS TABLE (call text) LANGUAGE plpgsql SET ecinsight.enable_summaries = on AS
$$
DECLARE
	one record;
	mine text;
	rows text;
BEGIN
	FOR one IN SELECT c.call FROM calls c ORDER BY n LOOP
		EXECUTE 'SELECT md5(string_agg(f::text, E''\n'')) FROM ecinsight.' || one.call || ' f' INTO mine;
		PERFORM set_config('ecinsight.enable_summaries', 'off', true);
		EXECUTE 'SELECT md5(string_agg(f::text, E''\n'')) FROM ecinsight.' || one.call || ' f' INTO rows;
		PERFORM set_config('ecinsight.enable_summaries', 'on', true);
		IF mine IS DISTINCT FROM rows THEN
			call := one.call;
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;
SELECT * FROM differences();

-- hidden rows of some users, others that no set covers, and then a second set
DELETE FROM cells WHERE user_id % 100 = 7 AND category_code < 'c3' OR user_id = 500 AND brand = 'b1' AND event_time > '2015-09-01';
INSERT INTO cells
SELECT timestamptz '2015-01-01' + ((i * 7919 + i / 9) % 14000) * interval '1 hour' + interval '10 minutes', 'cart', i % 97, i % 5, 'c' || i % 8, 'b' || i % 19, 2, i * 5, 'u'
FROM generate_series(0, 5999) i;
SELECT * FROM differences();
VACUUM cells;
INSERT INTO cells
SELECT timestamptz '2015-01-01' + i * interval '3 hours', 'purchase', i, 1, 'c' || i % 6, 'b' || i % 5, 2, i * 3, 'u' FROM generate_series(0, 40000) i;
VACUUM cells;
SELECT count(DISTINCT set_number) > 1 AS several FROM ecinsight.summaries('cells');
SELECT * FROM differences();
DROP FUNCTION differences();
DROP TABLE cells, calls;
