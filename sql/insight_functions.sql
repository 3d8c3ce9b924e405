--
-- The insight functions give what plain SQL gives on a heap table, row for row and
-- in the same order, from every kind of relation and for many parameters.
--
CREATE SCHEMA insight_functions;
SET search_path = insight_functions, ecinsight, public;
SET TimeZone = 'America/New_York';

-- Shop events with ties, NULLs, '' values, duplicates, negative and zero prices, NaN,
-- long and non-ASCII texts, users beyond 32 bits, and more than one block of rows.
CREATE TABLE heap_events
(
    event_time timestamptz, event_type text, product_id bigint, category_id bigint,
    category_code text, brand text, price numeric(10,2), user_id bigint, user_session text
);
INSERT INTO heap_events
SELECT CASE WHEN i % 997 = 0 THEN NULL ELSE timestamptz '2019-10-01 00:00:00+00' + i * interval '47 seconds' END,
       CASE WHEN i % 50 = 0 THEN 'purchase' WHEN i % 17 = 0 THEN 'cart' WHEN i % 101 = 0 THEN 'remove_from_cart'
            WHEN i % 103 = 0 THEN 'View' WHEN i % 499 = 0 THEN NULL WHEN i % 503 = 0 THEN '' ELSE 'view' END,
       CASE WHEN i % 211 = 0 THEN NULL ELSE i * 31 % 1000 + 1 END,
       CASE WHEN i % 223 = 0 THEN NULL ELSE 2053013550000000000 + h % 40 END,
       CASE WHEN h % 40 < 9 THEN NULL WHEN h % 40 = 9 THEN '' WHEN h % 40 = 10 THEN 'électronique.téléphone'
            WHEN h % 40 = 11 THEN repeat('long.', 200) WHEN h % 40 = 12 THEN 'a.b' WHEN h % 40 = 13 THEN 'a-b'
            WHEN h % 40 = 14 THEN 'A.b' WHEN h % 40 = 15 THEN '日本' WHEN h % 40 = 16 THEN 'unpriced'
            ELSE 'category.' || (h % 40) / 2 END,
       CASE WHEN i % 7 = 0 THEN NULL WHEN i % 71 = 0 THEN '' WHEN i % 73 = 0 THEN 'Ünïcode' ELSE 'brand' || h % 13 END,
       CASE WHEN h % 40 = 16 OR i % 89 = 0 THEN NULL WHEN i % 1009 = 0 THEN 'NaN' WHEN i % 97 = 0 THEN 0.00
            WHEN i % 83 = 0 THEN -(h % 1000) / 100.0 ELSE (h * 7 % 250000) / 100.0 END,
       CASE WHEN i % 307 = 0 THEN NULL WHEN i % 5 = 0 THEN 9000000000000000000 + h % 50 ELSE 500000000 + h % 700 END,
       CASE WHEN i % 401 = 0 THEN NULL ELSE 'session' || i / 5 END
FROM (SELECT i, (i::bigint * 7919 + i / 13 * 104729 + i / 1000) % 1000003 AS h FROM generate_series(1, 40000) i) s;
-- all equal counts and averages: order by the keys alone
INSERT INTO heap_events
SELECT '2019-12-24 12:00:00+00', 'purchase', i % 10, 1000 + i % 10, 'tie.' || i % 10, 'tie' || i % 3, 1000 + i % 2, i % 10, 's'
FROM generate_series(1, 600) i;
ANALYZE heap_events;

SELECT create_events_table('insight_functions.columnar_events');
INSERT INTO columnar_events SELECT * FROM heap_events;

CREATE TABLE partitioned_events (LIKE heap_events) PARTITION BY RANGE (event_time);
CREATE TABLE partition_early PARTITION OF partitioned_events FOR VALUES FROM (MINVALUE) TO ('2019-10-05');
CREATE TABLE partition_middle PARTITION OF partitioned_events FOR VALUES FROM ('2019-10-05') TO ('2019-10-20') USING ecinsight_columnar;
CREATE TABLE partition_rest PARTITION OF partitioned_events DEFAULT;
INSERT INTO partitioned_events SELECT * FROM heap_events;

-- all parts columnar, one of them partitioned again, one with its columns in another order
CREATE TABLE columnar_parts (LIKE heap_events) PARTITION BY RANGE (event_time);
CREATE TABLE part_early PARTITION OF columnar_parts FOR VALUES FROM (MINVALUE) TO ('2019-10-05') PARTITION BY LIST (event_type);
CREATE TABLE part_early_views PARTITION OF part_early FOR VALUES IN ('view') USING ecinsight_columnar;
CREATE TABLE part_early_rest PARTITION OF part_early DEFAULT USING ecinsight_columnar;
CREATE TABLE part_other_order (gone int, user_session text, user_id bigint, price numeric(10,2), category_code text, gone_too text, brand text,
    category_id bigint, product_id bigint, event_type text, event_time timestamptz) USING ecinsight_columnar;
ALTER TABLE part_other_order DROP gone, DROP gone_too;
ALTER TABLE columnar_parts ATTACH PARTITION part_other_order FOR VALUES FROM ('2019-10-05') TO ('2019-10-20');
CREATE TABLE part_rest PARTITION OF columnar_parts DEFAULT USING ecinsight_columnar;
CREATE TABLE part_empty PARTITION OF columnar_parts FOR VALUES FROM ('2030-01-01') TO ('2030-02-01') USING ecinsight_columnar;
INSERT INTO columnar_parts SELECT * FROM heap_events;

CREATE TABLE parent_events (LIKE heap_events) USING ecinsight_columnar;
CREATE TABLE child_events () INHERITS (parent_events) USING ecinsight_columnar;
INSERT INTO parent_events SELECT * FROM heap_events WHERE product_id % 2 = 0;
INSERT INTO child_events SELECT * FROM heap_events WHERE (product_id % 2 = 0) IS NOT TRUE;

CREATE VIEW viewed_events AS
SELECT user_session, user_id, 1 AS more, price, brand, category_code, category_id, product_id, event_type, event_time
FROM columnar_events;

CREATE TABLE mapped_events USING ecinsight_columnar AS
SELECT event_time AS ts, event_type AS "Kind", product_id, category_id AS brand, category_code, brand AS maker, price, user_id, user_session
FROM heap_events;
SELECT map_columns('mapped_events', '{"event_time": "ts", "event_type": "Kind", "category_id": "brand", "brand": "maker"}');

-- columns dropped and added behind the rows that are there
CREATE TABLE altered_events USING ecinsight_columnar AS
SELECT 1 AS gone, event_time, event_type, product_id, category_id, category_code, price, user_id, user_session
FROM heap_events WHERE brand IS NULL;
ALTER TABLE altered_events DROP COLUMN gone;
ALTER TABLE altered_events ADD COLUMN brand text;
INSERT INTO altered_events (event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session)
SELECT * FROM heap_events WHERE brand IS NOT NULL;

-- The parameter sets: what the calls say, and the same as a condition; k as 'ALL' is NULL.
CREATE TABLE parameters (id serial PRIMARY KEY, k text, arguments text, condition text);
WITH bounds (arguments, condition) AS (VALUES
    ('', 'true'),
    (', since => ''2019-10-03 05:00:00+00''', 'event_time >= ''2019-10-03 05:00:00+00'''),
    (', until => ''2019-10-10''', 'event_time < ''2019-10-10'''),
    (', since => ''2019-10-04 23:59:59+00'', until => ''2019-10-05 00:00:01+00''', 'event_time >= ''2019-10-04 23:59:59+00'' AND event_time < ''2019-10-05 00:00:01+00'''),
    (', since => ''2019-10-02'', until => ''2019-10-21''', 'event_time >= ''2019-10-02'' AND event_time < ''2019-10-21'''),
    (', since => ''2020-10-02''', 'event_time >= ''2020-10-02'''),
    (', since => ''2019-10-02'', until => ''2019-10-02''', 'false')),
types (arguments, condition) AS (VALUES
    ('', 'true'),
    (', event_types => ''{purchase}''', 'event_type = ''purchase'''),
    (', event_types => ''{"",View,cart,none,NULL}''', 'event_type IN ('''', ''View'', ''cart'')'),
    (', event_types => ''{}''', 'false')),
complete (arguments, condition) AS (VALUES
    ('', 'true'),
    (', complete_only => true', 'num_nulls(event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session) = 0')),
ks (k) AS (VALUES ('1'), ('7'), ('100'), ('ALL'))
INSERT INTO parameters (k, arguments, condition)
SELECT k, b.arguments || t.arguments || c.arguments, format('%s AND %s AND %s', b.condition, t.condition, c.condition)
FROM bounds b, types t, complete c, ks
WHERE (k = 'ALL')::int + (b.arguments = '')::int + (t.arguments = '')::int + (c.arguments = '')::int >= 3
   OR k = '7' AND b.arguments <> '' AND t.arguments LIKE '%View%' AND c.arguments <> '';

CREATE FUNCTION rows_of(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    result text[];
BEGIN
    EXECUTE format('SELECT array_agg(q::text) FROM (%s) q', query) INTO result;
    RETURN result;
END $$;

-- What the functions are to give: their definitions as plain SQL on heap.
CREATE TABLE wanted (id int, function text, rows text[]);
CREATE FUNCTION fill_wanted() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parameter parameters;
    counts text := 'count(*) AS n, count(*) FILTER (WHERE event_type = ''view'') AS v, count(*) FILTER (WHERE event_type = ''cart'') AS c,
        count(*) FILTER (WHERE event_type = ''purchase'') AS b, round(coalesce(sum(p) FILTER (WHERE event_type = ''purchase''), 0), 2) AS r';
BEGIN
    CREATE TEMP TABLE chosen AS SELECT *, price AS p FROM heap_events LIMIT 0;
    FOR parameter IN SELECT * FROM parameters LOOP
        TRUNCATE chosen;
        EXECUTE format('INSERT INTO chosen SELECT *, CASE WHEN price < ''Infinity'' AND price > ''-Infinity'' THEN price END FROM heap_events WHERE %s', parameter.condition);
        INSERT INTO wanted VALUES
            (parameter.id, 'top_user_categories(%L, k => %s%s)', rows_of(format('SELECT row_number() OVER (), * FROM
                (SELECT user_id, category_code, count(*) AS n FROM chosen GROUP BY 1, 2 ORDER BY n DESC, user_id, category_code COLLATE "C" LIMIT %s) t', parameter.k))),
            (parameter.id, 'top_user_category_brands(%L, k => %s%s)', rows_of(format('SELECT row_number() OVER (), * FROM
                (SELECT user_id, category_code, brand, count(*) AS n FROM chosen GROUP BY 1, 2, 3 ORDER BY n DESC, user_id, category_code COLLATE "C", brand COLLATE "C" LIMIT %s) t', parameter.k))),
            (parameter.id, 'popular_categories(%L, k => %s%s)', rows_of(format('SELECT row_number() OVER (), * FROM
                (SELECT category_id, category_code, %s FROM chosen GROUP BY 1, 2 ORDER BY n DESC, category_id, category_code COLLATE "C" LIMIT %s) t', counts, parameter.k))),
            (parameter.id, 'popular_categories(%L, k => %s%s, by => ''code'')', rows_of(format('SELECT row_number() OVER (), NULL, t.* FROM
                (SELECT category_code, %s FROM chosen GROUP BY 1 ORDER BY n DESC, category_code COLLATE "C" LIMIT %s) t', counts, parameter.k))),
            (parameter.id, 'price_sensitivity(%L, k => %s%s)', rows_of(format('SELECT row_number() OVER (), * FROM
                (SELECT category_code, round(avg(p), 6) AS a, round(max(p), 2), round(min(p), 2), count(*) AS n FROM chosen GROUP BY 1 ORDER BY avg(p) DESC NULLS LAST, category_code COLLATE "C" LIMIT %s) t', parameter.k)));
    END LOOP;
    DROP TABLE chosen;
END $$;
SELECT fill_wanted();

-- Calls compared over one relation, the rows they were to give, and what differs.
CREATE FUNCTION compare(events regclass, OUT calls int, OUT rows bigint, OUT different int, OUT example text) LANGUAGE plpgsql AS $$
DECLARE
    w record;
    call text;
    got text[];
BEGIN
    calls := 0;
    rows := 0;
    different := 0;
    FOR w IN SELECT * FROM wanted JOIN parameters USING (id) LOOP
        call := format(w.function, events, CASE WHEN w.k <> 'ALL' THEN w.k ELSE 'NULL' END, w.arguments);
        got := rows_of('SELECT * FROM ' || call);
        calls := calls + 1;
        rows := rows + coalesce(cardinality(w.rows), 0);
        CONTINUE WHEN got IS NOT DISTINCT FROM w.rows;
        different := different + 1;
        example := left(format(E'%s\n got %s\n wanted %s', call, got, w.rows), 2000);
    END LOOP;
END $$;

SELECT * FROM compare('heap_events');
SELECT * FROM compare('columnar_events');
SELECT * FROM compare('partitioned_events');
SELECT * FROM compare('columnar_parts');
SELECT * FROM compare('parent_events');
SELECT * FROM compare('viewed_events');
SELECT * FROM compare('mapped_events');
SELECT * FROM compare('altered_events');

-- no partition at all
CREATE TABLE no_parts (LIKE heap_events) PARTITION BY RANGE (event_time);
SELECT * FROM top_user_categories('no_parts');

-- rows of the present transaction count, those rolled back don't
BEGIN;
INSERT INTO columnar_events SELECT * FROM heap_events;
SELECT interactions FROM top_user_categories('columnar_events', 1);
SAVEPOINT a;
INSERT INTO columnar_events SELECT * FROM heap_events;
SELECT interactions FROM top_user_categories('columnar_events', 1);
ROLLBACK TO a;
SELECT interactions FROM top_user_categories('columnar_events', 1);
ROLLBACK;
SELECT interactions FROM top_user_categories('columnar_events', 1);

-- an empty table, and one of NULLs only
SELECT create_events_table('empty_events');
SELECT * FROM top_user_categories('empty_events');
SELECT * FROM top_user_category_brands('empty_events', k => NULL);
SELECT * FROM popular_categories('empty_events');
SELECT * FROM price_sensitivity('empty_events');
INSERT INTO empty_events SELECT NULL FROM generate_series(1, 3);
SELECT * FROM top_user_categories('empty_events');
SELECT * FROM top_user_category_brands('empty_events', k => NULL);
SELECT * FROM popular_categories('empty_events');
SELECT * FROM popular_categories('empty_events', by => 'code');
SELECT * FROM price_sensitivity('empty_events');
SELECT * FROM popular_categories('empty_events', since => '-infinity', until => 'infinity');
SELECT * FROM popular_categories('empty_events', since => '2019-01-01');

-- as in the contract: names, types, defaults
SELECT p.oid::regprocedure AS function, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result, provolatile, proparallel
FROM pg_proc p WHERE pronamespace = 'ecinsight'::regnamespace
AND proname IN ('top_user_categories', 'top_user_category_brands', 'popular_categories', 'price_sensitivity') ORDER BY proname \gx
SELECT count(*) AS rows FROM top_user_categories('heap_events');
SELECT count(*) AS rows FROM top_user_category_brands('heap_events');
SELECT count(*) AS rows FROM popular_categories('heap_events');
SELECT count(*) AS rows FROM price_sensitivity('heap_events');

\set VERBOSITY terse
DROP SCHEMA insight_functions CASCADE;
