--
-- overview, sales_trend, customer_trend, price_bands, product_performance, funnel and
-- trending give what plain SQL gives on a heap table, row for row and in the same order.
--
CREATE SCHEMA insight_time;
SET search_path = insight_time, ecinsight, public;
SET TimeZone = 'America/New_York';

-- A small shop to check by hand
SELECT create_events_table('insight_time.hand');
INSERT INTO hand VALUES
    ('2019-10-26 23:30+00', 'view',     1, 11, 'tv',    'lg',  100.00, 1, 'a'),
    ('2019-10-27 00:10+00', 'cart',     1, 11, 'tv',    'lg',  100.00, 1, 'a'),
    ('2019-10-27 00:20+00', 'purchase', 1, 11, 'tv',    'lg',  100.00, 1, 'a'),
    ('2019-10-27 01:30+00', 'view',     2, 12, 'phone', NULL,   20.50, 2, 'b'),
    ('2019-10-27 01:40+00', 'purchase', 2, 12, 'phone', NULL,   20.50, 2, NULL),
    ('2019-10-30 12:00+00', 'view',     1, 11, 'tv',    'Lg',   90.00, 1, 'c'),
    ('2019-10-30 12:30+00', 'purchase', 1, 11, 'tv',    'LG',   90.00, 1, 'c'),
    ('2019-10-30 13:00+00', 'view',     3, 13, '',      '',      NULL, 3, 'd'),
    (NULL,                  'view',     3, 13, NULL,    NULL,   'NaN', NULL, 'd');
SELECT * FROM overview('hand') \gx
SELECT * FROM sales_trend('hand');
SELECT * FROM sales_trend('hand', bucket => 'hour', tz => 'Europe/Berlin', until => '2019-10-27 03:00+00');
SELECT * FROM sales_trend('hand', bucket => 'month', category => 'tv');
SELECT * FROM customer_trend('hand');
SELECT * FROM price_bands('hand', bands => 2);
SELECT * FROM product_performance('hand');
SELECT * FROM funnel('hand', by => 'brand');
SELECT * FROM trending('hand', period => '3 days', min_previous => 0);
SELECT * FROM trending('hand', period => '3 days', min_previous => 0, by => 'product', measure => 'revenue');

SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
-- Random events: NULLs, '' values, NaN, infinite times, two changes of Berlin's clocks and of Lord Howe's half hours
CREATE TABLE heap_events
(
    event_time timestamptz, event_type text, product_id bigint, category_id bigint,
    category_code text, brand text, price numeric(10,2), user_id bigint, user_session text
);
INSERT INTO heap_events
SELECT CASE WHEN r[1] % 97 = 0 THEN NULL WHEN r[1] % 499 = 0 THEN '-infinity' WHEN r[1] % 503 = 0 THEN 'infinity'
            WHEN r[1] % 3 = 0 THEN timestamptz '2019-10-26 12:00:00+00' + r[1] % 2880 * interval '1 minute'
            ELSE timestamptz '2019-03-20 00:00:00+00' + r[1] % 26000000 * interval '1 second' END,
       CASE WHEN r[2] % 11 < 6 THEN 'view' WHEN r[2] % 11 < 8 THEN 'cart' WHEN r[2] % 11 < 10 THEN 'purchase'
            WHEN r[2] % 3 = 0 THEN NULL ELSE 'remove_from_cart' END,
       CASE WHEN r[3] % 31 > 0 THEN r[3] % 100 END, r[3] % 7,
       CASE WHEN r[4] % 13 = 0 THEN NULL WHEN r[4] % 13 = 1 THEN '' WHEN r[4] % 13 < 5 THEN 'Code' ELSE 'code.' || r[4] % 13 END,
       CASE WHEN r[5] % 5 = 0 THEN NULL WHEN r[5] % 5 = 1 THEN '' ELSE 'b' || r[5] % 23 END,
       CASE WHEN r[6] % 17 = 0 THEN NULL WHEN r[6] % 19 = 0 THEN 'NaN' WHEN r[6] % 4 = 0 THEN r[6] % 7 ELSE (r[6] % 100000 - 2000) / 100.0 END,
       CASE WHEN r[7] % 29 > 0 THEN r[7] % 300 - 20 END,
       CASE WHEN r[8] % 5 > 0 THEN 's' || r[8] % 40 END
FROM (SELECT i, array_agg(hashint8extended(i, s) & 2147483647 ORDER BY s) AS r FROM generate_series(1, 6000) i, generate_series(1, 8) s GROUP BY i) random;

SELECT create_events_table('insight_time.columnar_events');
INSERT INTO columnar_events SELECT * FROM heap_events WHERE coalesce(product_id, 0) < 50;
INSERT INTO columnar_events SELECT * FROM heap_events WHERE product_id >= 50;
DELETE FROM columnar_events WHERE user_id = 7;
UPDATE columnar_events SET brand = 'updated' WHERE user_id = 8;
INSERT INTO columnar_events SELECT * FROM heap_events WHERE user_id = 7;
UPDATE heap_events SET brand = 'updated' WHERE user_id = 8;
CREATE VIEW viewed_events AS SELECT user_session, event_time, event_type, product_id, category_id, category_code, brand, price::float8 AS price, user_id::numeric(18,0) AS user_id FROM columnar_events;
CREATE TABLE partitioned_events (LIKE heap_events) PARTITION BY RANGE (event_time);
CREATE TABLE partition_early PARTITION OF partitioned_events FOR VALUES FROM (MINVALUE) TO ('2019-10-05');
CREATE TABLE partition_rest PARTITION OF partitioned_events DEFAULT USING ecinsight_columnar;
INSERT INTO partitioned_events SELECT * FROM heap_events;
ANALYZE heap_events;

-- calls, and their definitions over "chosen", the selected rows, and "passing", those that event_types and complete_only let pass
CREATE TABLE calls (call text, definition text);
INSERT INTO calls VALUES ('overview($1$2)', $$
    SELECT min(event_time), max(event_time), count(*), count(*) FILTER (WHERE event_type = 'view'), count(*) FILTER (WHERE event_type = 'cart'),
           count(*) FILTER (WHERE event_type = 'purchase'), round(coalesce(sum(price) FILTER (WHERE event_type = 'purchase'), 0), 2),
           count(DISTINCT user_id), count(DISTINCT user_id) FILTER (WHERE event_type = 'purchase'),
           count(DISTINCT (user_id, user_session)) FILTER (WHERE user_id IS NOT NULL), count(DISTINCT (user_id, user_session)) FILTER (WHERE user_id IS NOT NULL AND event_type = 'purchase'),
           round(coalesce(sum(price) FILTER (WHERE event_type = 'purchase'), 0) / nullif(count(DISTINCT (user_id, user_session)) FILTER (WHERE user_id IS NOT NULL AND event_type = 'purchase'), 0), 6),
           count(DISTINCT user_id) FILTER (WHERE event_type = 'purchase')::float8 / nullif(count(DISTINCT user_id), 0)
    FROM chosen $$);
INSERT INTO calls
SELECT format('sales_trend($1, bucket => %L, tz => %L%s$2)', bucket, tz, coalesce(', category => ' || quote_literal(category), '')), format($$
    WITH grouped AS (SELECT date_trunc(%1$L, event_time, %2$L) AS bucket, count(*) AS i, count(*) FILTER (WHERE event_type = 'view') AS v, count(*) FILTER (WHERE event_type = 'cart') AS c,
                            count(*) FILTER (WHERE event_type = 'purchase') AS p, round(coalesce(sum(price) FILTER (WHERE event_type = 'purchase'), 0), 2) AS x,
                            count(DISTINCT user_id) AS u, count(DISTINCT user_id) FILTER (WHERE event_type = 'purchase') AS b
                     FROM chosen WHERE %3$s GROUP BY 1),
         bounds AS (SELECT min(bucket) AS f, max(bucket) AS l FROM grouped WHERE isfinite(bucket)),
         filled AS (SELECT bucket FROM grouped UNION SELECT date_trunc(%1$L, f + i * interval '30 minutes', %2$L) FROM bounds, generate_series(0, floor(extract(epoch FROM l - f) / 1800)::int) i)
    SELECT f.bucket, coalesce(i, 0), coalesce(v, 0), coalesce(c, 0), coalesce(p, 0), coalesce(x, 0.00), coalesce(u, 0), coalesce(b, 0),
           count(*) OVER w * coalesce(x, 0) > coalesce(sum(x) OVER w, 0) AND
           (count(*) OVER w * coalesce(x, 0) - coalesce(sum(x) OVER w, 0)) ^ 2 >= 4 * (count(*) OVER w * coalesce(sum(x * x) OVER w, 0) - coalesce(sum(x) OVER w, 0) ^ 2)
    FROM filled f LEFT JOIN grouped g ON coalesce(f.bucket::text, '') = coalesce(g.bucket::text, '') WINDOW w AS () ORDER BY 1 $$, bucket, tz, coalesce('category_code = ' || quote_literal(category), 'true'))
FROM (VALUES ('day', 'UTC', NULL), ('hour', 'Europe/Berlin', NULL), ('day', 'Europe/Berlin', ''), ('week', 'Asia/Kathmandu', NULL), ('month', 'Australia/Lord_Howe', 'Code'),
             ('hour', 'Australia/Lord_Howe', 'code.9'), ('hour', '-03:30', NULL), ('week', 'EST', NULL), ('day', 'america/st_johns', 'nowhere')) parameters (bucket, tz, category);
INSERT INTO calls
SELECT format('customer_trend($1, bucket => %L, tz => %L$2)', bucket, tz), format($$
    WITH shown AS (SELECT *, date_trunc(%1$L, event_time, %2$L) AS bucket FROM chosen),
         firsts AS (SELECT user_id, date_trunc(%1$L, min(event_time), %2$L) AS first_bucket FROM passing WHERE user_id IS NOT NULL GROUP BY 1),
         orders AS (SELECT user_id, coalesce(user_session, '') AS session, min(event_time) AS t, min(min(event_time)) OVER (PARTITION BY user_id) AS first_order
                    FROM passing WHERE event_type = 'purchase' AND user_id IS NOT NULL GROUP BY 1, 2)
    SELECT bucket, count(DISTINCT s.user_id), count(DISTINCT s.user_id) FILTER (WHERE first_bucket IS NOT DISTINCT FROM bucket),
           count(DISTINCT s.user_id) - count(DISTINCT s.user_id) FILTER (WHERE first_bucket IS NOT DISTINCT FROM bucket),
           count(DISTINCT s.user_id) FILTER (WHERE event_type = 'purchase'), count(DISTINCT s.user_id) FILTER (WHERE t > first_order)
    FROM shown s LEFT JOIN firsts f ON f.user_id = s.user_id
         LEFT JOIN orders o ON event_type = 'purchase' AND o.user_id = s.user_id AND o.session = coalesce(user_session, '')
    GROUP BY 1 ORDER BY 1 $$, bucket, tz)
FROM (VALUES ('day', 'UTC'), ('month', 'Europe/Berlin'), ('hour', 'Australia/Lord_Howe')) parameters (bucket, tz);
INSERT INTO calls
SELECT format('price_bands($1, bands => %s%s$2)', bands, coalesce(', category => ' || quote_literal(category), '')), format($$
    WITH priced AS (SELECT *, row_number() OVER (PARTITION BY category_code ORDER BY price) AS n, count(*) OVER (PARTITION BY category_code) AS c
                    FROM chosen WHERE price IS NOT NULL AND %2$s),
         edges AS (SELECT category_code, price, row_number() OVER (PARTITION BY category_code ORDER BY price) AS number, lead(price) OVER (PARTITION BY category_code ORDER BY price) AS next,
                          count(*) OVER (PARTITION BY category_code) AS edges
                   FROM (SELECT DISTINCT category_code, price FROM priced, generate_series(0, %1$s) i WHERE n = greatest(1, (i * c + %1$s - 1) / %1$s)) e)
    SELECT p.category_code, number::int, e.price, coalesce(next, e.price), count(*), count(*) FILTER (WHERE event_type = 'view'), count(*) FILTER (WHERE event_type = 'cart'),
           count(*) FILTER (WHERE event_type = 'purchase'), round(coalesce(sum(p.price) FILTER (WHERE event_type = 'purchase'), 0), 2),
           count(*) FILTER (WHERE event_type = 'purchase')::float8 / nullif(count(*) FILTER (WHERE event_type = 'view'), 0)
    FROM edges e JOIN priced p ON p.category_code IS NOT DISTINCT FROM e.category_code AND p.price >= e.price AND (p.price < e.next OR number >= edges - 1)
    WHERE number < edges OR edges = 1 GROUP BY p.category_code, number, e.price, next ORDER BY p.category_code COLLATE "C", number $$, bands, coalesce('category_code = ' || quote_literal(category), 'true'))
FROM (VALUES (10, NULL), (1, NULL), (7, 'Code'), (300, NULL), (3, 'nowhere')) parameters (bands, category);
INSERT INTO calls
SELECT format('product_performance($1, k => %s, order_by => %L$2)', k, order_by), format($$
    SELECT row_number() OVER (ORDER BY %1$I DESC NULLS LAST, product_id), * FROM (
        SELECT product_id, (array_agg(category_code ORDER BY event_time DESC NULLS LAST, category_code COLLATE "C", brand COLLATE "C"))[1], (array_agg(brand ORDER BY event_time DESC NULLS LAST, category_code COLLATE "C", brand COLLATE "C"))[1],
               count(*) FILTER (WHERE event_type = 'view') AS views, count(*) FILTER (WHERE event_type = 'cart'), count(*) FILTER (WHERE event_type = 'purchase') AS purchases,
               round(coalesce(sum(price) FILTER (WHERE event_type = 'purchase'), 0), 2) AS revenue, round(avg(price), 6),
               count(*) FILTER (WHERE event_type = 'purchase')::float8 / nullif(count(*) FILTER (WHERE event_type = 'view'), 0) AS conversion
        FROM chosen GROUP BY 1) g
    ORDER BY 1 LIMIT %2$s $$, order_by, k)
FROM (VALUES ('20', 'revenue'), ('NULL', 'purchases'), ('7', 'views'), ('NULL', 'conversion')) parameters (k, order_by);
INSERT INTO calls
SELECT format('funnel($1, by => %L$2)', by), format($$
    SELECT key, v, c, b, c::float8 / nullif(v, 0), b::float8 / nullif(c, 0), b::float8 / nullif(v, 0)
    FROM (SELECT %s AS key, count(DISTINCT user_id) FILTER (WHERE event_type = 'view') AS v, count(DISTINCT user_id) FILTER (WHERE event_type = 'cart') AS c,
                 count(DISTINCT user_id) FILTER (WHERE event_type = 'purchase') AS b FROM chosen %s) g ORDER BY v DESC, key COLLATE "C" $$, key, grouping)
FROM (VALUES ('category', 'category_code', 'GROUP BY 1'), ('brand', 'brand', 'GROUP BY 1'), ('none', 'NULL::text', '')) parameters (by, key, grouping);
INSERT INTO calls
SELECT format('trending($1, period => %L, as_of => %s, k => %s, by => %L, measure => %L, min_previous => %s$2)', period, coalesce(quote_literal(as_of), 'NULL'), k, by, measure, min_previous), format($$
    WITH parameters AS (SELECT t, t - %1$L::interval AS t1, t - 2 * %1$L::interval AS t2 FROM (SELECT coalesce(%2$L, max(event_time)) AS t FROM passing WHERE isfinite(event_time)) s),
         sums AS (SELECT %3$s AS key, round(coalesce(sum(m) FILTER (WHERE event_time > t1), 0), %7$s) AS c, round(coalesce(sum(m) FILTER (WHERE event_time <= t1), 0), %7$s) AS p
                  FROM (SELECT *, %4$s AS m FROM passing) s, parameters WHERE event_time > t2 AND event_time <= t GROUP BY 1),
         changes AS (SELECT *, c / nullif(p, 0) - 1 AS g, (c - p)::float8 / nullif(sum(c - p) OVER (), 0)::float8 AS share FROM sums)
    SELECT row_number() OVER (ORDER BY g DESC NULLS LAST, key), key::text, c::numeric, p::numeric, c::float8 / nullif(p, 0)::float8 - 1, share
    FROM changes WHERE p >= %5$s ORDER BY 1 LIMIT %6$s $$, period, as_of,
    CASE by WHEN 'category' THEN 'category_code COLLATE "C"' WHEN 'brand' THEN 'brand COLLATE "C"' ELSE 'product_id::text COLLATE "C"' END,
    CASE measure WHEN 'interactions' THEN '1' ELSE 'CASE WHEN event_type = ''purchase'' THEN coalesce(price, 0.00) ELSE 0.00 END' END, min_previous, k, CASE measure WHEN 'revenue' THEN 2 ELSE 0 END)
FROM (VALUES ('7 days', NULL, '20', 'category', 'interactions', 10), ('24 hours', '2019-10-28 00:00+00', 'NULL', 'brand', 'revenue', 0), ('1 month', '2019-05-31', 'NULL', 'product', 'interactions', 0.5),
             ('100 years', '2019-10-27 10:00+00', '3', 'product', 'revenue', 0)) parameters (period, as_of, k, by, measure, min_previous);

CREATE FUNCTION rows_of(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    result text[];
BEGIN
    EXECUTE format('SELECT array_agg(q::text) FROM (%s) q', query) INTO result;
    RETURN result;
END $$;

-- what the calls are to give, for several sets of common parameters
CREATE TABLE common (id int, arguments text, time_condition text, condition text);
INSERT INTO common VALUES
    (1, '', 'true', 'true'),
    (2, ', since => ''2019-03-31 00:30+00'', until => ''2019-10-27 01:15+00''', 'event_time >= ''2019-03-31 00:30+00'' AND event_time < ''2019-10-27 01:15+00''', 'true'),
    (3, ', event_types => ''{purchase,cart}''', 'true', 'event_type IN (''purchase'', ''cart'')'),
    (4, ', complete_only => true, until => ''2019-10-28''', 'event_time < ''2019-10-28''', 'num_nulls(event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session) = 0'),
    (5, ', since => ''2021-01-01'', until => ''2022-01-01''', 'event_time >= ''2021-01-01'' AND event_time < ''2022-01-01''', 'true');
CREATE TABLE passing (LIKE heap_events);
CREATE TABLE chosen (LIKE heap_events);
CREATE TABLE wanted (id int, call text, rows text[]);
DO $$
DECLARE
    c common;
BEGIN
    FOR c IN SELECT * FROM insight_time.common LOOP
        TRUNCATE passing, chosen;
        EXECUTE 'INSERT INTO passing SELECT * FROM heap_events WHERE ' || c.condition;
        UPDATE passing SET price = NULL WHERE price = 'NaN';
        EXECUTE 'INSERT INTO chosen SELECT * FROM passing WHERE ' || c.time_condition;
        ANALYZE passing, chosen;
        INSERT INTO wanted SELECT c.id, call, rows_of(definition) FROM calls;
    END LOOP;
END $$;

CREATE FUNCTION compare(events regclass, OUT calls int, OUT rows bigint, OUT different int, OUT example text) LANGUAGE plpgsql AS $$
DECLARE
    w record;
    got text[];
BEGIN
    calls := 0;
    rows := 0;
    different := 0;
    FOR w IN SELECT * FROM wanted JOIN common USING (id) LOOP
        got := rows_of('SELECT * FROM ' || replace(replace(w.call, '$1', quote_literal(events)), '$2', w.arguments));
        calls := calls + 1;
        rows := rows + coalesce(cardinality(w.rows), 0);
        CONTINUE WHEN got IS NOT DISTINCT FROM w.rows;
        different := different + 1;
        example := left(format(E'%s %s\n got %s\n wanted %s', w.call, w.arguments,
            (SELECT array_agg(g) FROM unnest(got) g WHERE g <> ALL (w.rows)), (SELECT array_agg(g) FROM unnest(w.rows) g WHERE g <> ALL (got))), 1000);
    END LOOP;
END $$;
SELECT * FROM compare('heap_events');
SELECT * FROM compare('columnar_events');
SELECT * FROM compare('viewed_events');
SELECT * FROM compare('partitioned_events');

-- the time zone of the session plays no part
SET TimeZone = 'Pacific/Apia';
SELECT md5(string_agg(t::text, ' ')) = (SELECT md5(string_agg(t::text, ' ')) FROM (SELECT date_trunc('day', event_time, 'UTC') AS b, count(*) FROM heap_events WHERE isfinite(event_time) GROUP BY 1 ORDER BY 1) t) AS same
FROM (SELECT bucket, interactions FROM sales_trend('columnar_events') WHERE isfinite(bucket) AND interactions > 0) t;
SET TimeZone = 'UTC';

-- forecasts: a line goes on, a season goes on, little history is continued flat
SELECT create_events_table('insight_time.line');
INSERT INTO line (event_time, event_type, price) SELECT timestamptz '2020-02-01' + (i - 1) * interval '1 month', 'purchase', 10 * i FROM generate_series(1, 12) i;
SELECT bucket, round(forecast::numeric, 4) AS forecast, abs(high - low) < 0.01 AS is_sure FROM sales_forecast('line', bucket => 'month', horizon => 3);
SELECT * FROM sales_forecast('line', bucket => 'month', horizon => 2, until => '2020-03-01');
SELECT * FROM sales_forecast('line', bucket => 'month', horizon => 2, until => '2020-04-01');
SELECT bucket, round(forecast::numeric, 4) AS forecast, low FROM sales_forecast('line', bucket => 'month', horizon => 1, until => '2020-05-01');
SELECT * FROM sales_forecast('line', until => '2019-01-01');
SELECT create_events_table('insight_time.season');
INSERT INTO season (event_time, event_type, user_id) SELECT timestamptz '2020-03-01' + d * interval '1 day' + n * interval '1 minute', 'view', n FROM generate_series(0, 41) d, generate_series(1, 20 + d + d % 7 * 10) n;
SELECT bucket, round(forecast::numeric, 3) AS forecast, 20 + d + d % 7 * 10 AS wanted, abs(high - low) < 0.1 AS is_sure FROM sales_forecast('season', horizon => 9, measure => 'interactions') WITH ORDINALITY f (bucket, forecast, low, high, h), LATERAL (SELECT 41 + h AS d) s;
SELECT measure, round(forecast::numeric, 3) AS forecast FROM unnest('{views,carts,purchases,users,buyers,revenue}'::text[]) measure, sales_forecast('season', horizon => 1, measure => measure);
-- summer time begins on 29 March in Berlin
SELECT bucket FROM sales_forecast('season', bucket => 'hour', tz => 'Europe/Berlin', horizon => 3, until => '2020-03-29 00:30+00');
SELECT bucket FROM sales_forecast('season', bucket => 'day', tz => 'Europe/Berlin', horizon => 3, until => '2020-03-28');

-- parameters out of range
\set VERBOSITY sqlstate
SELECT sales_trend('hand', bucket => 'year');
SELECT sales_trend('hand', bucket => NULL);
SELECT sales_trend('hand', tz => 'Mars/Olympus');
SELECT sales_trend('hand', tz => NULL);
SELECT customer_trend('hand', bucket => 'Day');
SELECT price_bands('hand', bands => 0);
SELECT price_bands('hand', bands => 10001);
SELECT price_bands('hand', bands => NULL);
SELECT product_performance('hand', order_by => 'price');
SELECT product_performance('hand', k => 0);
SELECT funnel('hand', by => 'product');
SELECT trending('hand', period => '0');
SELECT trending('hand', period => '-1 day');
SELECT trending('hand', period => NULL);
SELECT trending('hand', as_of => 'infinity');
SELECT trending('hand', by => 'none');
SELECT trending('hand', measure => 'views');
SELECT trending('hand', min_previous => -0.01);
SELECT trending('hand', min_previous => NULL);
SELECT trending('hand', k => -1);
SELECT sales_forecast('hand', horizon => 0);
SELECT sales_forecast('hand', horizon => 10001);
SELECT sales_forecast('hand', level => 1);
SELECT sales_forecast('hand', level => 'NaN');
SELECT sales_forecast('hand', measure => 'price');
SELECT overview(NULL);
INSERT INTO hand (event_time) VALUES ('0001-01-01'), ('9999-01-01');
SELECT count(*) FROM sales_trend('hand', bucket => 'hour');
SELECT count(*) FROM sales_trend('hand', bucket => 'month');
\set VERBOSITY default
SELECT sales_trend('hand', bucket => 'year');

SET client_min_messages = warning;
DROP SCHEMA insight_time CASCADE;
