--
-- Views for BI tools, and what a live connection needs.
--
CREATE SCHEMA insight_views;
CREATE SCHEMA insight_views_data;
SET search_path = insight_views_data, ecinsight, public;
SET TimeZone = 'America/New_York';

SELECT create_events_table('insight_views_data.events');
INSERT INTO events
SELECT timestamptz '2019-10-30 20:00:00+00' + i * interval '61 minutes', (ARRAY['view', 'view', 'cart', 'purchase', NULL])[i % 5 + 1], i % 7,
       CASE WHEN i % 11 > 0 THEN 2053013550000000000 + i % 3 END, CASE WHEN i % 3 > 0 THEN 'code.' || i % 3 END, CASE WHEN i % 4 > 0 THEN 'brand' || i % 2 END,
       CASE WHEN i % 13 = 0 THEN NULL WHEN i % 17 = 0 THEN 'NaN' ELSE (i * 37 % 1000) / 100.0 END, 500000000 + i % 9, 's' || i / 9
FROM generate_series(1, 200) i;
INSERT INTO events (event_type, price) VALUES ('purchase', 1.25), (NULL, NULL);

SELECT create_views('events', 'insight_views');
-- and again
SELECT create_views('events', 'insight_views');
SELECT c.relname AS view, string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS columns, obj_description(c.oid) AS comment, reloptions
FROM pg_class c JOIN pg_attribute ON attrelid = c.oid WHERE relnamespace = 'insight_views'::regnamespace GROUP BY c.oid ORDER BY 1 \gx

-- they show what the functions give
SELECT count(*), bool_and(v = f) FROM insight_views.top_user_categories v FULL JOIN (SELECT rank, user_id::text, category_code, interactions FROM top_user_categories('events', 1000)) f USING (rank);
SELECT count(*), bool_and(v = f) FROM insight_views.top_user_category_brands v FULL JOIN (SELECT rank, user_id::text, category_code, brand, interactions FROM top_user_category_brands('events', 1000)) f USING (rank);
SELECT count(*), bool_and(v = f) FROM insight_views.popular_categories v FULL JOIN (SELECT rank, category_id::text, category_code, interaction_count, views, carts, purchases, revenue FROM popular_categories('events', NULL)) f USING (rank);
SELECT count(*), bool_and(v = f) FROM insight_views.price_sensitivity v FULL JOIN price_sensitivity('events', NULL) f USING (rank);

SELECT count(*), bool_and(v = f) FROM insight_views.product_performance v
FULL JOIN (SELECT rank, product_id::text, category_code, brand, views, carts, purchases, revenue, average_price, conversion FROM product_performance('events', 1000)) f USING (rank);
SELECT count(*), bool_and(v = f) FROM insight_views.sales_trend v FULL JOIN (SELECT (bucket AT TIME ZONE 'UTC')::date AS bucket, interactions, views, carts, purchases, revenue, users, buyers, peak FROM sales_trend('events')) f ON coalesce(v.bucket, '1999-01-01') = coalesce(f.bucket, '1999-01-01');
SELECT count(*), bool_and(v = f) FROM insight_views.engaged_users v FULL JOIN (SELECT category_code, brand, rank, user_id::text, interactions, purchases, revenue FROM engaged_users('events')) f
ON v.rank = f.rank AND coalesce(v.category_code, '') = coalesce(f.category_code, '') AND coalesce(v.brand, '') = coalesce(f.brand, '');
-- each function with rows has a view of the same columns
SELECT proname AS function, string_agg(name, ', ' ORDER BY n) AS columns FROM pg_proc, unnest(proargnames, proargmodes) WITH ORDINALITY u (name, mode, n)
WHERE pronamespace = 'ecinsight'::regnamespace AND proretset AND proargnames[1] = 'events' AND mode = 't' GROUP BY 1
EXCEPT SELECT relname, string_agg(attname, ', ' ORDER BY attnum) FROM pg_class c JOIN pg_attribute ON attrelid = c.oid WHERE relnamespace = 'insight_views'::regnamespace GROUP BY 1;
-- only types that every tool reads
SELECT relname, attname, format_type(atttypid, atttypmod) FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid WHERE relnamespace = 'insight_views'::regnamespace
AND format_type(atttypid, atttypmod) NOT IN ('bigint', 'text', 'numeric(18,2)', 'numeric(18,6)', 'double precision', 'boolean', 'date', 'timestamp without time zone');
-- all can be read
DO $$
DECLARE
    view text;
BEGIN
    FOR view IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'insight_views'::regnamespace LOOP
        EXECUTE format('SELECT count(*) FROM %s', view);
    END LOOP;
END $$;

-- the bucketed ones agree with one another and with the events
SELECT * FROM insight_views.sales_day ORDER BY bucket;
SELECT * FROM insight_views.sales_hour ORDER BY bucket LIMIT 3;
SELECT * FROM insight_views.category_hour ORDER BY bucket, category_code LIMIT 3;
SELECT * FROM insight_views.product_day ORDER BY bucket, product_id, category_id LIMIT 3;
SELECT * FROM insight_views.user_category_day ORDER BY bucket, user_id LIMIT 3;
CREATE VIEW sums AS
SELECT v, sum(interactions) AS interactions, sum(views) AS views, sum(carts) AS carts, sum(purchases) AS purchases, sum(revenue) AS revenue,
       sum(priced) AS priced, sum(price_sum) AS price_sum, min(price_min) AS price_min, max(price_max) AS price_max, count(DISTINCT bucket::date) AS days
FROM (SELECT 1 AS v, bucket, interactions, views, carts, purchases, revenue, priced, price_sum, price_min, price_max FROM insight_views.category_hour
      UNION ALL SELECT 2, bucket, interactions, views, carts, purchases, revenue, priced, price_sum, price_min, price_max FROM insight_views.category_day
      UNION ALL SELECT 3, bucket, interactions, views, carts, purchases, revenue, priced, price_sum, price_min, price_max FROM insight_views.sales_hour
      UNION ALL SELECT 4, bucket, interactions, views, carts, purchases, revenue, priced, price_sum, price_min, price_max FROM insight_views.sales_day
      UNION ALL SELECT 5, bucket, interactions, views, carts, purchases, revenue, priced, price_sum, price_min, price_max FROM insight_views.product_day
      UNION ALL SELECT 6, (event_time AT TIME ZONE 'UTC')::date, 1, (event_type = 'view')::int, (event_type = 'cart')::int, (event_type = 'purchase')::int,
                CASE WHEN event_type = 'purchase' AND price <> 'NaN' THEN price END, (price <> 'NaN')::int, CASE WHEN price <> 'NaN' THEN price END,
                CASE WHEN price <> 'NaN' THEN price END, CASE WHEN price <> 'NaN' THEN price END FROM events) s
GROUP BY v;
SELECT * FROM sums ORDER BY v;
SELECT sum(interactions), count(DISTINCT user_id) FROM insight_views.user_category_day;

-- other types, other names: the same views
CREATE TYPE kind AS ENUM ('purchase', 'cart');
CREATE TABLE log AS SELECT (event_time AT TIME ZONE 'UTC')::timestamp AS "Time of event", CASE WHEN event_type IN ('purchase', 'cart') THEN event_type END::kind AS bucket,
    product_id::numeric(18,0), category_id, category_code::varchar AS code, brand, price::float8 AS interactions, user_id FROM events WHERE price > 0;
SELECT map_columns('log', '{"event_time": "Time of event", "event_type": "bucket", "category_code": "code", "price": "interactions"}');
CREATE TEMP TABLE before AS SELECT * FROM insight_views.category_day;
SELECT create_views('log', 'insight_views');
SELECT count(*) FROM insight_views.category_day;
SELECT count(*), bool_and(category_day = before) FROM insight_views.category_day JOIN before USING (bucket, category_id, category_code, brand)
WHERE before.views = 0 AND before.priced = before.interactions AND before.price_min > 0;
CREATE TABLE days AS SELECT "Time of event"::date AS event_time, bucket::text AS event_type, product_id, category_id, code AS category_code, brand, nullif(interactions, 'NaN')::int AS price, user_id FROM log;
SELECT create_views('days', 'insight_views');
SELECT bucket, interactions, carts, purchases, revenue, price_sum FROM insight_views.sales_hour ORDER BY 1 LIMIT 2;
SELECT bucket, interactions, carts, purchases, revenue, price_sum FROM insight_views.sales_day ORDER BY 1 LIMIT 2;

-- what stands in the way
CREATE SCHEMA insight_views_full;
CREATE TABLE insight_views_full.sales_day (a int);
SELECT create_views('events', 'insight_views_full');
SELECT count(*) FROM pg_class WHERE relnamespace = 'insight_views_full'::regnamespace;
CREATE TABLE less (event_time timestamptz);
SELECT create_views('less', 'insight_views');
SELECT create_views(NULL);
SELECT create_views('events', NULL);

-- a schema of its own is made; its name may be any
SELECT create_views('events', 'Insight''s "views"');
SELECT count(*) FROM "Insight's ""views""".sales_day;

-- for a live connection
CREATE ROLE insight_views_reader;
REVOKE TEMPORARY ON DATABASE :DBNAME FROM PUBLIC;
SELECT create_views('events', 'insight_views');
SET ROLE insight_views_reader;
SELECT count(*) FROM insight_views.sales_day;
RESET ROLE;
SELECT grant_read('insight_views_reader', 'insight_views');
SELECT grant_read('insight_views_reader', 'insight_views');
SET ROLE insight_views_reader;
SELECT count(*) FROM insight_views.sales_day;
SELECT count(*) FROM insight_views.user_category_day;
SELECT count(*) FROM insight_views.top_user_categories;
SELECT count(*) FROM insight_views.price_sensitivity;
SELECT has_database_privilege(current_database(), 'CONNECT') AS connects, has_database_privilege(current_database(), 'TEMPORARY') AS temporary, has_schema_privilege('insight_views', 'USAGE') AS views, has_schema_privilege('insight_views_data', 'USAGE') AS data,
       has_schema_privilege('insight_views', 'CREATE') AS creates, has_table_privilege('insight_views_data.events', 'SELECT') AS reads, has_table_privilege('insight_views_data.events', 'INSERT') AS writes,
       has_table_privilege('insight_views_data.log', 'SELECT') AS other;
RESET ROLE;
-- a role that may not grant
SET ROLE insight_views_reader;
SELECT grant_read('insight_views_reader', 'insight_views');
CREATE TEMP TABLE t (a int);
RESET ROLE;
GRANT TEMPORARY ON DATABASE :DBNAME TO PUBLIC;
SELECT grant_read('insight_views_nobody', 'insight_views');
SELECT grant_read('insight_views_reader', 'insight_views_full');
SELECT grant_read('insight_views_reader', 'insight_views_nowhere');

SET client_min_messages = warning;
-- a collation that takes texts for equal (where the server has ICU): the views tell them apart, as the functions do
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') THEN
        RETURN;
    END IF;
    CREATE COLLATION insight_views_data.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE insight_views_data.nocase (event_time timestamptz, event_type text COLLATE insight_views_data.nocase, product_id bigint, category_id bigint,
        category_code text COLLATE insight_views_data.nocase, brand text COLLATE insight_views_data.nocase, price numeric(10,2), user_id bigint, user_session text);
    INSERT INTO insight_views_data.nocase VALUES ('2020-01-01', 'view', 1, 1, 'tv', 'b', 1, 1, 's'), ('2020-01-01', 'VIEW', 1, 1, 'TV', 'b', 1, 1, 's');
    PERFORM ecinsight.create_views('insight_views_data.nocase', 'insight_views_nocase');
    IF (SELECT views FROM insight_views_nocase.sales_day) <> 1 OR (SELECT count(*) FROM insight_views_nocase.category_day) <> 2 OR
        (SELECT count(*) FROM insight_views_nocase.user_category_day) <> 2 THEN
        RAISE 'views take texts for equal that functions tell apart';
    END IF;
    DROP SCHEMA insight_views_nocase CASCADE;
END
$$;

DROP OWNED BY insight_views_reader;
DROP ROLE insight_views_reader;
DROP SCHEMA insight_views, insight_views_data, insight_views_full, "Insight's ""views""" CASCADE;
