--
-- More users, orders, baskets and pairs than work_mem holds: the insights about people
-- go to temporary files and give the same rows.
--
CREATE SCHEMA insight_people_memory;
SET search_path = insight_people_memory, ecinsight, public;

-- 150,000 rows of 46,999 users, one of them the most active, some NULL; users in no order
CREATE TABLE events USING ecinsight_columnar WITH (autovacuum_enabled = off) AS
SELECT timestamptz '2020-01-01' + i * interval '7 seconds' AS event_time, (ARRAY['purchase', 'view'])[1 + i % 2] AS event_type,
       i * 7919::bigint % 30011 AS product_id, 1 AS category_id, 'code' || i % 13 AS category_code, CASE WHEN i % 5 > 0 THEN 'brand' || i % 7 END AS brand,
       (i * 31 % 10007) / 100.0 AS price, CASE WHEN i % 1000 = 0 THEN NULL WHEN i % 100 = 1 THEN 77 ELSE i / 3 * 104729::bigint % 46999 END AS user_id,
       CASE WHEN i / 6 % 3 = 0 THEN md5((i / 12)::text)::uuid::text ELSE 'session number ' || i / 6 END AS user_session
FROM generate_series(1, 150000) i;

CREATE TABLE calls (number int, call text);
INSERT INTO calls VALUES
    (1, 'favorite_category_brands(''events'', n => NULL)'),
    (2, 'engaged_users(''events'', NULL)'),
    (3, 'customer_scores(''events'')'),
    (4, 'customer_segments(''events'')'),
    (5, 'cross_sell(''events'', NULL, event_types => NULL)'),
    (6, 'cross_sell(''events'', 10000, ''product'', ''user'', event_types => NULL)'),
    (7, 'category_correlation(''events'')'),
    (8, 'customer_clusters(''events'', 6)');
-- rows of a call, a digest of them in their order, and whether it wrote temporary files
CREATE FUNCTION results() RETURNS TABLE (number int, rows bigint, digest text, writes bool) LANGUAGE plpgsql AS $$
DECLARE
    call text;
    plan json;
BEGIN
    FOR number, call IN SELECT * FROM calls ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*), md5(string_agg(f::text, ''|'')) FROM %s f', call) INTO rows, digest;
        EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT FROM (SELECT FROM %s LIMIT 1) f', call) INTO plan;
        writes := (plan -> 0 -> 'Plan' ->> 'Temp Written Blocks')::bigint > 0;
        RETURN NEXT;
    END LOOP;
END $$;

SET hash_mem_multiplier = 1;
SET work_mem = '1GB';
CREATE TABLE wanted AS SELECT * FROM results();
SET work_mem = '64kB';
CREATE TABLE got AS SELECT * FROM results();
SELECT number, rows, got.digest = w.digest AS equal, w.writes AS wide, got.writes AS narrow FROM got JOIN wanted w USING (number, rows) ORDER BY 1;

-- some of it by plain SQL
SET work_mem = '64MB';
SELECT count(*) FROM (SELECT user_id, category_code, brand, count(*) FROM events GROUP BY 1, 2, 3 EXCEPT SELECT user_id, category_code, brand, interactions FROM favorite_category_brands('events', n => NULL)) d;
SELECT count(*) FROM (SELECT user_id, count(DISTINCT user_session), sum(price) FROM events WHERE event_type = 'purchase' AND user_id IS NOT NULL GROUP BY 1 EXCEPT SELECT user_id, frequency, monetary FROM customer_scores('events')) d;

SET client_min_messages = warning;
DROP SCHEMA insight_people_memory CASCADE;
