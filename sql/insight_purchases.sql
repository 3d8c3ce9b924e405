--
-- Purchases kept as summaries: what reads them gives the same as without, and as over a
-- heap table, whatever has been done to the rows since they were made.
--
CREATE SCHEMA insight_purchases;
SET search_path = insight_purchases, ecinsight, public;
SET TimeZone = 'UTC';
SET ecinsight.summary_rows = 1;

CREATE TABLE h
(
    event_time timestamptz, event_type text, product_id bigint, category_id bigint,
    category_code text, brand text, price numeric(10,2), user_id bigint, user_session text
);
CREATE TABLE c (LIKE h) USING ecinsight_columnar;
SELECT set_options('c', row_group_rows => 2000);

-- Few users, sessions of all shapes, rows that are equal, NULLs, infinite times, prices that aren't any.
CREATE FUNCTION pick(i int, what int, below int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT mod(hashint8extended(i * 1000 + what, 7) & 1152921504606846975, below)::int
$$;
CREATE FUNCTION rows_of(first int, last int) RETURNS SETOF h LANGUAGE sql AS $$
    SELECT CASE WHEN i % 97 = 0 THEN NULL WHEN i % 401 = 0 THEN 'infinity' WHEN i % 397 = 0 THEN '-infinity'
                ELSE timestamptz '2020-01-01' + pick(i / 2, 1, 500000) * interval '1.000001 second' END,
           (ARRAY['view', 'cart', 'purchase', 'purchase', 'purchase', 'Purchase', '', NULL])[1 + pick(i, 2, 8)],
           CASE WHEN i % 89 <> 0 THEN pick(i / 2, 3, 9) - 4 END,
           CASE WHEN i % 79 <> 0 THEN pick(i / 2, 4, 5) END,
           (ARRAY['tv', 'radio', 'a.b', '', NULL])[1 + pick(i / 2, 5, 5)],
           (ARRAY['acme', 'zeta', '', NULL])[1 + pick(i / 2, 6, 4)],
           CASE WHEN i % 83 <> 0 THEN CASE WHEN i % 85 <> 0 THEN pick(i / 2, 7, 4000) * 0.01 ELSE 'NaN' END END,
           CASE WHEN i % 61 <> 0 THEN pick(i / 2, 8, 60) - 2 END,
           CASE pick(i / 2, 9, 6) WHEN 0 THEN NULL WHEN 1 THEN 's' || pick(i, 10, 3) WHEN 2 THEN ''
                WHEN 3 THEN repeat('long session ', 1 + pick(i / 2, 10, 3)) WHEN 4 THEN 'a1b2c3d4-0000-ff00-ff00-00000000000' || pick(i, 10, 3)
                ELSE md5((pick(i / 2, 10, 90))::text)::uuid::text END
    FROM generate_series(first, last) i
$$;

-- What a call gives, in order.
CREATE FUNCTION result_of(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT string_agg(r::text, E''\n'' ORDER BY ordinality) FROM %s WITH ORDINALITY AS r', call) INTO result;
    RETURN coalesce(result, '');
END $$;

CREATE TABLE calls (number serial, call text);
INSERT INTO calls (call)
SELECT format(c, r)
FROM unnest(ARRAY[
        'customer_scores(%%L%s)', 'customer_scores(%%L, as_of => ''2020-01-04 05:06:07''%s)', 'customer_segments(%%L%s)',
        'customer_segments(%%L, as_of => ''2020-01-03''%s)', 'customer_clusters(%%L, clusters => 3%s)',
        'cross_sell(%%L, k => NULL%s)', 'cross_sell(%%L, k => NULL, level => ''brand'', basket => ''user''%s)',
        'cross_sell(%%L, k => NULL, level => ''product''%s)', 'customer_trend(%%L%s)', 'customer_trend(%%L, bucket => ''hour''%s)',
        'customer_trend(%%L, bucket => ''hour'', tz => ''Asia/Kolkata''%s)', 'customer_trend(%%L, tz => ''America/New_York''%s)',
        'overview(%%L%s)', 'sales_trend(%%L, bucket => ''hour''%s)']) c,
     unnest(ARRAY['', ', since => ''2020-01-02 03:04:05.678''', ', until => ''2020-01-05 23:59:59.999999''',
        ', since => ''2020-01-02'', until => ''2020-01-05''', ', since => ''2020-01-02 05:00'', until => ''2020-01-05 17:00''', ', since => ''infinity''',
        ', event_types => ''{purchase,purchase}''', ', event_types => ''{view,purchase,NULL}''', ', event_types => ''{view}''',
        ', since => ''2020-01-01 10:00'', complete_only => true']) r;

-- Calls whose results differ, of how many that give any.
CREATE FUNCTION compare(relation text) RETURNS TABLE (differ bigint, results bigint, first_difference text) LANGUAGE sql AS $$
    WITH without AS MATERIALIZED (SELECT set_config('ecinsight.enable_summaries', 'off', true)),
    off AS MATERIALIZED (SELECT number, call, result_of(format(call, relation)) AS result FROM without, calls),
    heap AS MATERIALIZED (SELECT number, result_of(format(call, 'h')) AS result FROM calls),
    again AS MATERIALIZED (SELECT set_config('ecinsight.enable_summaries', 'on', true) FROM (SELECT count(*) FROM off) o),
    used AS MATERIALIZED (SELECT number, result_of(format(call, relation)) AS result FROM again, calls)
    SELECT count(*) FILTER (WHERE used.result <> off.result OR off.result <> heap.result),
           count(*) FILTER (WHERE used.result <> ''),
           min(call) FILTER (WHERE used.result <> off.result OR off.result <> heap.result)
    FROM off JOIN heap USING (number) JOIN used USING (number)
$$;

-- The same change to both.
CREATE PROCEDURE change(statement text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE replace(statement, 'TABLE_', 'h');
    EXECUTE replace(statement, 'TABLE_', 'c');
END $$;

CALL change('INSERT INTO TABLE_ SELECT * FROM rows_of(1, 7000)');
CALL change('INSERT INTO TABLE_ VALUES (''2020-01-20 12:34:56'', ''view'', 1, 1, ''tv'', ''acme'', 1, NULL, ''nobody'')');
VACUUM c;
SELECT * FROM compare('c');

-- rows gone, changed, and come since
CALL change('DELETE FROM TABLE_ WHERE event_type = ''purchase'' AND product_id = 2');
SELECT * FROM compare('c');
CALL change('UPDATE TABLE_ SET price = price + 1 WHERE event_type = ''purchase'' AND user_id IN (3, 4)');
CALL change('UPDATE TABLE_ SET event_type = ''view'' WHERE event_type = ''purchase'' AND user_id = 5');
CALL change('UPDATE TABLE_ SET event_type = ''purchase'' WHERE event_type = ''cart'' AND user_id = 6');
SELECT * FROM compare('c');
CALL change('DELETE FROM TABLE_ WHERE user_id IS NULL OR event_time IS NULL');
CALL change('INSERT INTO TABLE_ SELECT * FROM rows_of(7001, 9500)');
CALL change('DELETE FROM TABLE_ WHERE user_session IS NULL AND brand = ''acme''');
SELECT * FROM compare('c');

-- inside a transaction, and after it is rolled back
BEGIN;
CALL change('DELETE FROM TABLE_ WHERE event_type = ''purchase'' AND user_id % 3 = 0');
SAVEPOINT s;
CALL change('DELETE FROM TABLE_ WHERE event_type = ''purchase''');
SELECT * FROM compare('c');
ROLLBACK TO s;
SELECT * FROM compare('c');
ROLLBACK;
SELECT * FROM compare('c');

-- a second set, and one made out of both
VACUUM c;
CALL change('DELETE FROM TABLE_ WHERE price < 10 AND category_code = ''tv''');
SELECT * FROM compare('c');
CALL change('INSERT INTO TABLE_ SELECT * FROM rows_of(1, 500)');
VACUUM c;
CALL change('INSERT INTO TABLE_ SELECT * FROM rows_of(501, 8000)');
VACUUM c;
SELECT * FROM compare('c');
CALL change('DELETE FROM TABLE_ WHERE price > 30');
SELECT * FROM compare('c');
VACUUM c;
SELECT * FROM compare('c');
VACUUM FULL c;
SELECT * FROM compare('c');
VACUUM c;
SELECT * FROM compare('c');

-- of equal rows some are deleted, more than one of them and of others than purchases
TRUNCATE h, c;
INSERT INTO h SELECT '2020-01-01', t, 1, 2, 'tv', NULL, 5, 1, 's' FROM generate_series(1, 6), unnest(ARRAY['purchase', 'view']) t;
INSERT INTO c TABLE h;
VACUUM c;
DELETE FROM h WHERE ctid IN (SELECT ctid FROM h WHERE event_type = 'purchase' LIMIT 2);
DELETE FROM c WHERE ctid IN (SELECT ctid FROM c WHERE event_type = 'purchase' LIMIT 2);
SELECT * FROM customer_scores('c');
SELECT * FROM compare('c');
CALL change('DELETE FROM TABLE_ WHERE event_type = ''purchase''');
SELECT * FROM customer_segments('c') WHERE customers > 0;
SELECT * FROM compare('c');

-- more hidden rows than fit the memory for them
TRUNCATE h, c;
CALL change('INSERT INTO TABLE_ SELECT * FROM rows_of(1, 40000)');
VACUUM c;
CALL change('DELETE FROM TABLE_ WHERE product_id > 0 AND user_id >= 0');
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT * FROM compare('c');
RESET work_mem;
RESET hash_mem_multiplier;

-- other types of columns: sessions as uuid, dates, whole prices; a partitioned table
DELETE FROM h;
INSERT INTO h SELECT * FROM rows_of(1, 3000);
UPDATE h SET user_session = md5(user_session)::uuid::text, event_time = date_trunc('day', event_time), price = CASE WHEN price <> 'NaN' THEN trunc(price) END;
CREATE TABLE typed
(
    user_session uuid, price int, brand varchar(20), category_code varchar, user_id int, product_id smallint,
    category_id int, event_type varchar(30), event_time date
) USING ecinsight_columnar;
INSERT INTO typed
SELECT user_session::uuid, price, brand, category_code, user_id, product_id, category_id, event_type, event_time
FROM h;
VACUUM typed;
DELETE FROM typed WHERE user_id = 7 AND event_type = 'purchase';
DELETE FROM h WHERE user_id = 7 AND event_type = 'purchase';
SELECT * FROM compare('typed');

CREATE TABLE p (LIKE h) PARTITION BY RANGE (event_time);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE) TO ('2020-01-03') USING ecinsight_columnar;
CREATE TABLE p2 (more text, LIKE h) USING ecinsight_columnar;
ALTER TABLE p2 DROP COLUMN more;
ALTER TABLE p ATTACH PARTITION p2 DEFAULT;
INSERT INTO p TABLE h;
VACUUM p;
SELECT * FROM compare('p');
DELETE FROM p WHERE user_id = 8 AND event_type = 'purchase';
DELETE FROM h WHERE user_id = 8 AND event_type = 'purchase';
INSERT INTO p SELECT * FROM rows_of(3001, 3500);
INSERT INTO h SELECT * FROM rows_of(3001, 3500);
SELECT * FROM compare('p');

SET client_min_messages = warning;
DROP SCHEMA insight_purchases CASCADE;
