--
-- Insights about people and what they buy together: small examples to check by hand,
-- then each function against its definition in plain SQL over random rows, in every kind
-- of relation, with and without room in memory.
--
CREATE SCHEMA insight_people;
SET search_path = insight_people, ecinsight, public;
SET TimeZone = 'UTC';
SET extra_float_digits = 0;

SELECT create_events_table('small');
INSERT INTO small VALUES
    ('2020-01-01 10:00', 'view', 1, 10, 'tv', 'acme', 100, 1, 's1'),
    ('2020-01-01 10:01', 'view', 1, 10, 'tv', 'acme', 100, 1, 's1'),
    ('2020-01-01 10:02', 'purchase', 1, 10, 'tv', 'acme', 100, 1, 's1'),
    ('2020-01-01 10:03', 'purchase', 2, 20, 'radio', 'acme', 20, 1, 's1'),
    ('2020-01-02 10:00', 'purchase', 3, 30, 'cable', NULL, 5, 1, 's2'),
    ('2020-01-02 11:00', 'purchase', 1, 10, 'tv', 'acme', 90, 2, NULL),
    ('2020-01-02 12:00', 'purchase', 2, 20, 'radio', 'other', NULL, 2, NULL),
    ('2020-01-03 10:00', 'purchase', 3, 30, 'cable', NULL, 5, 3, 's3'),
    ('2020-01-03 10:00', 'purchase', 1, 10, 'tv', 'acme', 100, 3, 's3'),
    ('2020-01-04 10:00', 'view', 2, 20, 'radio', 'other', 20, 4, 's4'),
    ('2020-01-04 10:00', 'view', 2, 20, 'radio', 'other', 20, NULL, 's4'),
    ('infinity', 'purchase', 1, 10, 'tv', 'acme', 1000, 4, 's5'),
    (NULL, 'purchase', 1, 10, 'tv', 'acme', 1000, 4, 's5');
SELECT * FROM favorite_category_brands('small', n => 2);
SELECT * FROM favorite_category_brands('small', users => '{4,NULL,1,1,99}', n => 1);
SELECT * FROM engaged_users('small', k => 2);
SELECT * FROM engaged_users('small', category => 'tv', brand => 'acme');
SELECT * FROM customer_scores('small');
SELECT * FROM customer_scores('small', as_of => '2020-01-02 11:00');
SELECT * FROM customer_segments('small');
SELECT * FROM customer_segments('small', event_types => '{view}');
SELECT * FROM cross_sell('small');
SELECT * FROM cross_sell('small', level => 'product', basket => 'user', k => 1, event_types => NULL);
SELECT * FROM category_correlation('small', min_users => 1);
SELECT * FROM customer_clusters('small', 2);
SELECT * FROM customer_clusters('small', 100);

-- row groups are read directly: the executor would have counted a scan
BEGIN;
SELECT count(*) FROM top_user_categories('small');
SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relid = 'small'::regclass;
ROLLBACK;

-- Random rows: few users with many rows and many with few, sessions of all shapes, prices
-- and times that are NULL, NaN or infinite.
CREATE TABLE heap_events
(
    event_time timestamptz, event_type text, product_id bigint, category_id bigint,
    category_code text, brand text, price numeric, user_id bigint, user_session text
);
CREATE FUNCTION random_number(i int, what int, below int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT mod(hashint8extended(i * 1000 + what, 5) & 1152921504606846975, below)::int
$$;
INSERT INTO heap_events
SELECT CASE WHEN i % 991 = 0 THEN NULL WHEN i % 2003 = 0 THEN 'infinity' WHEN i % 1999 = 0 THEN '-infinity'
            ELSE timestamptz '2020-01-01' + random_number(i, 1, 5000000) * interval '1.000001 second' END,
       (ARRAY['view', 'view', 'view', 'cart', 'purchase', 'purchase', 'View', NULL])[1 + random_number(i, 2, 8)],
       CASE WHEN i % 101 <> 0 THEN random_number(i, 3, 16) * random_number(i, 4, 5) - 9 END,
       random_number(i, 5, 30),
       (ARRAY[NULL, '', 'A', 'a', 'a.b', 'a-b', 'é', '日本', repeat('long', 40)])[1 + random_number(i, 6, 9)],
       (ARRAY[NULL, '', 'x', 'X', 'y', 'z'])[1 + random_number(i, 7, 6)],
       CASE random_number(i, 8, 20) WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' WHEN 3 THEN 0 WHEN 4 THEN -5.5
            WHEN 5 THEN 1e30 WHEN 6 THEN 0.123456789 ELSE random_number(i, 9, 1000) / 100.0 END,
       CASE WHEN i % 97 <> 0 THEN CASE WHEN u < 200 THEN random_number(i, 10, 20) - 10 ELSE (u * 99991::bigint) << (u % 32) END END,
       CASE u % 6 WHEN 0 THEN NULL WHEN 1 THEN md5((s % 50)::text)::uuid::text WHEN 2 THEN 'abc' || s % 3
            WHEN 3 THEN upper(md5((s % 50)::text)::uuid::text) WHEN 4 THEN left(repeat('session', 5), s % 30) ELSE 'ffffffff-ffff-ffff-ffff-ffffffffff' || 10 + s % 8 END
FROM (SELECT i, random_number(i, 11, 1000) AS u, random_number(i, 12, 100) AS s FROM generate_series(1, 17000) i) i;
INSERT INTO heap_events VALUES ('2020-01-05', 'purchase', 1, 1, 'a', 'x', 1, 9223372036854775807, 's'), ('2020-01-05', 'view', 1, 1, 'a', 'x', 1, -9223372036854775808, 's'), ('2020-01-05', 'view', 1, 1, 'a', 'x', 1, NULL, 's'), ('-infinity', 'purchase', 1, 1, 'a', 'x', 1, 12, 's');

CREATE TABLE columnar_events (LIKE heap_events) USING ecinsight_columnar;
INSERT INTO columnar_events SELECT * FROM heap_events;
-- the same rows after rows came and went
CREATE TABLE changed_events (LIKE heap_events) USING ecinsight_columnar;
INSERT INTO changed_events SELECT * FROM heap_events;
INSERT INTO changed_events SELECT event_time, event_type, 7777, category_id, 'gone', brand, price, user_id + 1, user_session FROM heap_events LIMIT 5000;
DELETE FROM changed_events WHERE product_id = 7777 AND user_id % 2 = 0;
DELETE FROM changed_events WHERE product_id = 7777;
UPDATE changed_events SET brand = 'other' WHERE brand = 'y';
UPDATE changed_events SET brand = 'y' WHERE brand = 'other';
CREATE TABLE parted_events (LIKE heap_events) PARTITION BY LIST (event_type);
CREATE TABLE parted_views PARTITION OF parted_events FOR VALUES IN ('view') USING ecinsight_columnar;
CREATE TABLE parted_rest PARTITION OF parted_events DEFAULT;
INSERT INTO parted_events SELECT * FROM heap_events;
CREATE VIEW viewed_events AS SELECT user_session, user_id, price, brand, category_code, category_id, product_id, event_type, event_time FROM changed_events;

CREATE TABLE parameters (id int, condition text, arguments text);
INSERT INTO parameters VALUES
    (1, 'true', ''),
    (2, 'event_time >= ''2020-01-07'' AND event_time < ''2020-02-11 03:04:05''', ', since => ''2020-01-07'', until => ''2020-02-11 03:04:05'''),
    (3, 'event_type IN (''view'', ''purchase'')', ', event_types => ''{view,purchase,NULL}'''),
    (4, 'num_nulls(event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session) = 0', ', complete_only => true'),
    (5, 'event_type = ''cart''', ', event_types => ''{cart}'''),
    (6, 'false', ', until => ''-infinity''');

-- The definitions; "chosen" has the selected rows, its prices are NULL or finite.
CREATE TABLE definitions (call text, query text);
INSERT INTO definitions VALUES
('favorite_category_brands(%s, NULL, NULL', 'SELECT user_id, row_number() OVER (PARTITION BY user_id ORDER BY n DESC, category_code COLLATE "C", brand COLLATE "C"), category_code, brand, n
    FROM (SELECT user_id, category_code, brand, count(*) AS n FROM chosen GROUP BY 1, 2, 3) s ORDER BY 1, 2'),
('favorite_category_brands(%s, ''{-3,0,9223372036854775807}''', 'SELECT * FROM (SELECT user_id, row_number() OVER (PARTITION BY user_id ORDER BY n DESC, category_code COLLATE "C", brand COLLATE "C") AS r, category_code, brand, n
    FROM (SELECT user_id, category_code, brand, count(*) AS n FROM chosen WHERE user_id IN (-3, 0, 9223372036854775807) GROUP BY 1, 2, 3) s) t WHERE r <= 3 ORDER BY 1, 2'),
('engaged_users(%s, NULL', 'SELECT category_code, brand, row_number() OVER (PARTITION BY category_code, brand ORDER BY n DESC, user_id), user_id, n, b, r
    FROM (SELECT user_id, category_code, brand, count(*) AS n, count(*) FILTER (WHERE event_type = ''purchase'') AS b, round(coalesce(sum(price) FILTER (WHERE event_type = ''purchase''), 0), 2) AS r FROM chosen GROUP BY 1, 2, 3) s
    ORDER BY category_code COLLATE "C", brand COLLATE "C", 3'),
('engaged_users(%s, 2, ''a'', ''''', 'SELECT * FROM (SELECT category_code, brand, row_number() OVER (PARTITION BY category_code, brand ORDER BY n DESC, user_id) AS k, user_id, n, b, r
    FROM (SELECT user_id, category_code, brand, count(*) AS n, count(*) FILTER (WHERE event_type = ''purchase'') AS b, round(coalesce(sum(price) FILTER (WHERE event_type = ''purchase''), 0), 2) AS r FROM chosen WHERE category_code = ''a'' AND brand = '''' GROUP BY 1, 2, 3) s) t
    WHERE k <= 2 ORDER BY k'),
('customer_scores(%s, NULL', 'SELECT user_id, days, f, round(m, 2), rs, fs, ms, segment, f > 1, ms = 5 FROM scores ORDER BY m DESC, user_id'),
('customer_scores(%s, ''2020-02-01 00:00:00.5''', 'SELECT user_id, days, f, round(m, 2), rs, fs, ms, segment, f > 1, ms = 5 FROM scores_then ORDER BY m DESC, user_id'),
('customer_segments(%s, NULL', 'SELECT segment, count(user_id), coalesce(sum(f), 0)::bigint, round(coalesce(sum(m), 0), 2), coalesce(sum(m), 0)::float8 / nullif(sum(sum(m)) OVER (), 0)::float8, sum(us)::float8 / 86400e6 / count(user_id), avg(f)::float8, round(avg(m), 6)
    FROM (VALUES (''champions''), (''at_risk''), (''loyal''), (''new''), (''hibernating''), (''promising'')) v (segment) LEFT JOIN scores USING (segment) GROUP BY 1
    UNION ALL SELECT ''browsers'', (SELECT count(DISTINCT user_id) FROM chosen) - (SELECT count(*) FROM scores), 0, 0.00, CASE WHEN (SELECT sum(m) FROM scores) <> 0 THEN 0 END, NULL, NULL, NULL ORDER BY 4 DESC, 1'),
('cross_sell(%s, NULL, event_types => NULL', 'SELECT row_number() OVER (ORDER BY ab DESC, x COLLATE "C", y COLLATE "C"), * FROM pairs_of(''SELECT DISTINCT (user_id, user_session) AS basket, category_code COLLATE "C" AS item FROM chosen WHERE num_nulls(user_id, user_session, category_code) = 0'') ORDER BY 1'),
('cross_sell(%s, 50, ''product'', ''user'', 3, event_types => NULL', 'SELECT row_number() OVER (ORDER BY ab DESC, x COLLATE "C", y COLLATE "C"), * FROM pairs_of(''SELECT DISTINCT user_id AS basket, product_id::text COLLATE "C" AS item FROM chosen WHERE num_nulls(user_id, product_id) = 0'') WHERE ab >= 3 ORDER BY 1 LIMIT 50'),
('cross_sell(%s, 5, ''brand'', min_baskets => 100, event_types => NULL', 'SELECT row_number() OVER (ORDER BY ab DESC, x COLLATE "C", y COLLATE "C"), * FROM pairs_of(''SELECT DISTINCT (user_id, user_session) AS basket, brand COLLATE "C" AS item FROM chosen WHERE num_nulls(user_id, user_session, brand) = 0'') WHERE ab >= 100 ORDER BY 1 LIMIT 5'),
('category_correlation(%s, NULL, 2', 'SELECT row_number() OVER (ORDER BY phi DESC NULLS LAST, x COLLATE "C", y COLLATE "C"), x, y, ab, phi FROM
    (SELECT x, y, ab, ((n * ab - a * b)::float8 / sqrt(nullif((a::numeric * b * (n - a) * (n - b))::float8, 0))) AS phi FROM correlated) s WHERE ab >= 2 ORDER BY 1');

CREATE TABLE chosen (LIKE heap_events);
CREATE FUNCTION scores_at(moment timestamptz) RETURNS TABLE (user_id bigint, us numeric, days float8, f bigint, m numeric, rs int, fs int, ms int, segment text) LANGUAGE sql AS $$
    WITH customers AS (
        SELECT user_id, max(event_time) AS last, count(DISTINCT user_session) + max((user_session IS NULL)::int) AS f, coalesce(sum(price), 0) AS m
        FROM insight_people.chosen WHERE event_type = 'purchase' AND event_time <= moment AND user_id IS NOT NULL GROUP BY 1),
    scores AS (
        SELECT *, (1 + 5 * (rank() OVER (ORDER BY last) - 1) / count(*) OVER ())::int AS rs,
               (1 + 5 * (rank() OVER (ORDER BY f) - 1) / count(*) OVER ())::int AS fs, (1 + 5 * (rank() OVER (ORDER BY m) - 1) / count(*) OVER ())::int AS ms
        FROM customers)
    SELECT user_id, us, us::float8 / 86400e6, f, m, rs, fs, ms,
           CASE WHEN rs >= 4 AND fs >= 4 AND ms >= 4 THEN 'champions' WHEN rs <= 2 AND fs >= 3 THEN 'at_risk' WHEN fs >= 4 THEN 'loyal'
                WHEN rs = 5 AND fs <= 2 THEN 'new' WHEN rs <= 2 THEN 'hibernating' ELSE 'promising' END
    FROM scores, LATERAL (SELECT CASE WHEN isfinite(last) THEN extract(epoch FROM moment - last) * 1000000 ELSE 'Infinity' END AS us) s
$$;
CREATE VIEW scores AS SELECT * FROM scores_at((SELECT max(event_time) FROM chosen WHERE isfinite(event_time)));
CREATE VIEW scores_then AS SELECT * FROM scores_at('2020-02-01 00:00:00.5');
CREATE FUNCTION pairs_of(query text) RETURNS TABLE (x text, y text, ab bigint, support float8, xy float8, yx float8, lift float8) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('WITH items AS (%s), singles AS (SELECT item, count(*) AS n FROM items GROUP BY 1),
        pairs AS (SELECT a.item AS x, b.item AS y, count(*) AS ab FROM items a JOIN items b ON a.basket = b.basket AND a.item < b.item GROUP BY 1, 2),
        total AS (SELECT count(DISTINCT basket) AS n FROM items)
        SELECT x::text, y::text, ab, ab::float8 / t.n, ab::float8 / a.n, ab::float8 / b.n, (ab * t.n)::float8 / (a.n * b.n)::float8
        FROM pairs p JOIN singles a ON a.item = x JOIN singles b ON b.item = y, total t', query);
END $$;
CREATE VIEW correlated AS
    WITH items AS (SELECT DISTINCT user_id, category_code COLLATE "C" AS item FROM chosen WHERE num_nulls(user_id, category_code) = 0), singles AS (SELECT item, count(*) AS n FROM items GROUP BY 1),
    pairs AS (SELECT a.item AS x, b.item AS y, count(*) AS ab FROM items a JOIN items b ON a.user_id = b.user_id AND a.item < b.item GROUP BY 1, 2)
    SELECT x::text, y::text, ab, a.n AS a, b.n AS b, (SELECT count(DISTINCT user_id) FROM items) AS n FROM pairs JOIN singles a ON a.item = x JOIN singles b ON b.item = y;

CREATE FUNCTION rows_of(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    result text[];
BEGIN
    EXECUTE format('SELECT array_agg(q::text) FROM (%s) q', query) INTO result;
    RETURN result;
END $$;

CREATE TABLE wanted (call text, rows text[]);
CREATE FUNCTION fill_wanted() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parameter parameters;
BEGIN
    FOR parameter IN SELECT * FROM parameters LOOP
        TRUNCATE chosen;
        EXECUTE format('INSERT INTO chosen SELECT event_time, event_type, product_id, category_id, category_code, brand, CASE WHEN price < ''Infinity'' AND price > ''-Infinity'' THEN price END, user_id, user_session
            FROM heap_events WHERE %s', parameter.condition);
        INSERT INTO wanted SELECT replace(call, CASE WHEN parameter.arguments LIKE '%event_types%' THEN ', event_types => NULL' ELSE '' END, '') || parameter.arguments || ')', rows_of(query) FROM definitions;
    END LOOP;
END $$;
SELECT fill_wanted();
-- every definition has rows to compare
SELECT sum(cardinality(rows)) > 10000 AS many, bool_and(cardinality(rows) > 0) FILTER (WHERE call NOT LIKE '%event_types => ''{cart}''%' AND call NOT LIKE '%until => ''-infinity''%') AS all FROM wanted;

CREATE FUNCTION compare(events regclass, OUT calls int, OUT different int, OUT example text) LANGUAGE plpgsql AS $$
DECLARE
    w wanted;
    got text[];
BEGIN
    calls := 0;
    different := 0;
    FOR w IN SELECT * FROM wanted LOOP
        got := rows_of('SELECT * FROM ' || replace(w.call, '%s', quote_literal(events)));
        calls := calls + 1;
        CONTINUE WHEN got IS NOT DISTINCT FROM w.rows;
        different := different + 1;
        example := left(format(E'%s\n got %s\n wanted %s', w.call, (SELECT array_agg(r) FROM unnest(got) WITH ORDINALITY g (r, i) WHERE r IS DISTINCT FROM w.rows[i]), (SELECT array_agg(r) FROM unnest(w.rows) WITH ORDINALITY g (r, i) WHERE r IS DISTINCT FROM got[i])), 2000);
    END LOOP;
END $$;
SELECT * FROM compare('heap_events');
SELECT * FROM compare('columnar_events');
SELECT * FROM compare('changed_events');
SELECT * FROM compare('parted_events');
SELECT * FROM compare('viewed_events');

-- prices as columns of other types; sessions that are UUIDs, too
CREATE TABLE cents AS SELECT event_time::timestamp AS event_time, event_type::varchar, product_id::int, category_id, category_code::varchar, brand, CASE WHEN abs(price) < 1000 THEN round(price, 2) END::numeric(10,2) AS price, user_id, md5(user_session)::uuid AS user_session FROM heap_events;
TRUNCATE heap_events, wanted;
INSERT INTO heap_events SELECT event_time AT TIME ZONE 'UTC', event_type, product_id, category_id, category_code, brand, price, user_id, user_session::text FROM cents;
SELECT fill_wanted();
CREATE TABLE columnar_cents USING ecinsight_columnar AS SELECT * FROM cents;
CREATE TABLE floats USING ecinsight_columnar AS SELECT event_time, event_type, product_id, category_id, category_code, brand, price::float8 AS price, user_id, user_session::text FROM cents;
SELECT * FROM compare('cents');
SELECT * FROM compare('columnar_cents');
SELECT * FROM compare('floats');

-- errors
SELECT * FROM favorite_category_brands(NULL);
SELECT * FROM favorite_category_brands('small', n => 0);
SELECT * FROM engaged_users('small', k => 0);
SELECT * FROM customer_scores('small', as_of => 'infinity');
SELECT * FROM customer_segments('small', as_of => '-infinity');
SELECT * FROM cross_sell('small', level => 'shop');
SELECT * FROM cross_sell('small', basket => NULL);
SELECT * FROM cross_sell('small', min_baskets => 0);
SELECT * FROM category_correlation('small', min_users => NULL);
SELECT * FROM category_correlation('small', k => -1);
SELECT * FROM customer_clusters('small', clusters => 0);
SELECT * FROM customer_clusters('small', clusters => 1001);
SELECT * FROM customer_clusters('small', seed => NULL);

-- clusters: the customers of customer_scores, numbered by their mean, the same each time
SELECT count(*) FROM (SELECT user_id, recency_days, frequency, monetary FROM customer_scores('floats') EXCEPT ALL SELECT user_id, recency_days, frequency, monetary FROM customer_clusters('columnar_cents', 7)) d;
SELECT array_agg(cluster ORDER BY mean DESC) AS clusters, min(n) > 0 AS filled FROM (SELECT cluster, avg(monetary) AS mean, count(*) AS n FROM customer_clusters('floats', 7) WHERE recency_days < 'Infinity' GROUP BY 1) c;
SELECT bool_and(cluster IS NULL) AS nowhere, count(*) > 0 AS any FROM customer_clusters('floats', 7) WHERE recency_days = 'Infinity';
SELECT count(*) FROM (SELECT * FROM customer_clusters('floats', 7, 5) EXCEPT SELECT * FROM customer_clusters('cents', 7, 5)) d;

-- as in the contract: names, types, defaults
SELECT p.oid::regprocedure AS function, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result, provolatile, proparallel, prorows
FROM pg_proc p WHERE pronamespace = 'ecinsight'::regnamespace
AND proname IN ('favorite_category_brands', 'engaged_users', 'customer_scores', 'customer_segments', 'cross_sell', 'category_correlation', 'customer_clusters') ORDER BY proname \gx

SET client_min_messages = warning;
DROP SCHEMA insight_people CASCADE;
