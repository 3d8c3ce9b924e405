--
-- Every accepted column type gives what the same values give as the contract's types;
-- others are refused.
--
CREATE SCHEMA insight_types;
SET search_path = insight_types, ecinsight, public;
SET TimeZone = 'Asia/Tokyo';

CREATE TYPE kind AS ENUM ('purchase', 'view', 'cart', 'remove_from_cart');
CREATE DOMAIN code AS varchar(40) CHECK (VALUE <> 'forbidden');

CREATE TABLE base AS
SELECT timestamp '2019-10-30 00:00:00' + i * interval '53 minutes' AS t,
       (ARRAY['view', 'view', 'cart', 'purchase', 'view', 'remove_from_cart', NULL])[i % 7 + 1] AS k,
       i % 300 AS small, 'code.' || i % 11 AS c,
       CASE WHEN i % 31 <> 0 THEN (i * 7919 % 100003 - 500) / 100.0 END AS p, i % 83 AS u
FROM generate_series(1, 17000) i;

-- a relation for each set of types, in both access methods, beside its twin in the contract's types
CREATE FUNCTION make(name text, columns text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I AS SELECT %s FROM base', name, columns);
    EXECUTE format('CREATE TABLE %I USING ecinsight_columnar AS SELECT * FROM %I', name || '_columnar', name);
END $$;

SELECT make('canonical', 't AT TIME ZONE ''UTC'' AS event_time, k AS event_type, small::bigint AS product_id, small::bigint AS category_id, c AS category_code, c AS brand, p::numeric(10,2) AS price, u::bigint AS user_id, ''s''::text AS user_session');
SELECT make('local_time', 't AS event_time, k::varchar AS event_type, small::int AS product_id, small::smallint AS category_id, c::varchar(20) AS category_code, c::code AS brand, p::numeric AS price, u::int AS user_id, ''5f3b0f5a-58ad-4a5c-9d5b-0a7b0c0d0e0f''::uuid AS user_session');
SELECT make('enums', 't AT TIME ZONE ''UTC'' AS event_time, k::kind AS event_type, small::numeric(18,0) AS product_id, small::numeric(5,0) AS category_id, c::code AS category_code, c::varchar AS brand, p::float8 AS price, u::numeric(9) AS user_id, ''s''::varchar AS user_session');
SELECT make('reals', 't::timestamptz(0) AT TIME ZONE ''Asia/Tokyo'' AT TIME ZONE ''UTC'' AS event_time, k AS event_type, small::bigint AS product_id, small::int AS category_id, c AS category_code, c AS brand, p::float4 AS price, u::smallint AS user_id, ''s''::text AS user_session');
SELECT make('wide', 't AT TIME ZONE ''UTC'' AS event_time, k AS event_type, small::bigint AS product_id, small::int AS category_id, c AS category_code, c AS brand, p::numeric(40,10) AS price, u::smallint AS user_id, NULL::text AS user_session');
SELECT make('dates', 't::date AS event_time, k AS event_type, small::bigint AS product_id, small::int AS category_id, c AS category_code, c AS brand, p::numeric(18,4) AS price, u::smallint AS user_id, ''s''::text AS user_session');
SELECT make('integers', 't AT TIME ZONE ''UTC'' AS event_time, k AS event_type, small::bigint AS product_id, small::int AS category_id, c AS category_code, c AS brand, p::smallint AS price, u::smallint AS user_id, ''s''::text AS user_session');
CREATE TABLE dates_canonical AS SELECT event_time::timestamp AT TIME ZONE 'UTC' AS event_time, event_type, product_id, category_id, category_code, brand, price::numeric(10,2), user_id, user_session FROM dates;
CREATE TABLE integers_canonical AS SELECT event_time, event_type, product_id, category_id, category_code, brand, price::numeric(10,2), user_id, user_session FROM integers;

CREATE FUNCTION all_rows(events regclass, since timestamptz, until timestamptz, types text[]) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(r ORDER BY f, n) FROM (
        SELECT 1 AS f, rank AS n, q::text AS r FROM ecinsight.top_user_categories(events, NULL, since, until, types) q
        UNION ALL SELECT 2, rank, q::text FROM ecinsight.top_user_category_brands(events, NULL, since, until, types) q
        UNION ALL SELECT 3, rank, q::text FROM ecinsight.popular_categories(events, NULL, 'id', since, until, types) q
        UNION ALL SELECT 4, rank, q::text FROM ecinsight.price_sensitivity(events, NULL, since, until, types) q) a
$$;

-- what the references gave
CREATE TABLE known (relation regclass, parameters text, rows text[]);

CREATE FUNCTION compare(events regclass, reference regclass) RETURNS TABLE (relation regclass, rows bigint, equal bool) LANGUAGE plpgsql AS $$
DECLARE
    bounds timestamptz[];
    types text[];
    wanted text[];
    one text;
BEGIN
    relation := events;
    rows := 0;
    equal := true;
    FOREACH bounds SLICE 1 IN ARRAY ARRAY[[NULL, NULL], ['2019-11-01 00:00:00+00', '2019-12-01 00:00:00+00'],
        ['2019-11-01 00:30:00+00', '2019-12-01 00:00:01+00'], [NULL, '2019-10-31 23:59:59.999999+00'], ['2020-01-01', NULL]]::timestamptz[]
    LOOP
        FOREACH one IN ARRAY ARRAY[NULL, '{view}', '{cart,purchase,nothing}'] LOOP
            types := one::text[];
            SELECT k.rows INTO wanted FROM known k WHERE k.relation = reference AND k.parameters = format('%s %s', bounds, one);
            IF NOT FOUND THEN
                wanted := all_rows(reference, bounds[1], bounds[2], types);
                INSERT INTO known VALUES (reference, format('%s %s', bounds, one), wanted);
            END IF;
            rows := rows + cardinality(wanted);
            equal := equal AND wanted IS NOT DISTINCT FROM all_rows(events, bounds[1], bounds[2], types);
        END LOOP;
    END LOOP;
    RETURN NEXT;
END $$;

SELECT * FROM compare('canonical_columnar', 'canonical');
SELECT * FROM compare('local_time', 'canonical');
SELECT * FROM compare('local_time_columnar', 'canonical');
SELECT * FROM compare('enums', 'canonical');
SELECT * FROM compare('enums_columnar', 'canonical');
SELECT * FROM compare('reals', 'canonical');
SELECT * FROM compare('reals_columnar', 'canonical');
SELECT * FROM compare('wide', 'canonical');
SELECT * FROM compare('wide_columnar', 'canonical');
SELECT * FROM compare('dates', 'dates_canonical');
SELECT * FROM compare('dates_columnar', 'dates_canonical');
SELECT * FROM compare('integers', 'integers_canonical');
SELECT * FROM compare('integers_columnar', 'integers_canonical');

-- a type that changes without a rewrite: old row groups keep their scale
CREATE TABLE widened USING ecinsight_columnar AS SELECT * FROM canonical WHERE product_id < 150;
ALTER TABLE widened ALTER price TYPE numeric, ALTER brand TYPE varchar;
INSERT INTO widened SELECT * FROM canonical WHERE product_id >= 150;
SELECT * FROM compare('widened', 'canonical');

-- every price, whatever its size and type, exactly
CREATE FUNCTION prices(type text, VARIADIC list text[]) RETURNS TABLE (average_price text, max_price text, min_price text, interactions bigint, revenue text)
LANGUAGE plpgsql AS $$
DECLARE
    method text;
BEGIN
    FOREACH method IN ARRAY ARRAY['heap', 'ecinsight_columnar'] LOOP
        DROP TABLE IF EXISTS priced;
        EXECUTE format('CREATE TABLE priced (event_type text, category_id int, category_code text, price %s) USING %s', type, method);
        EXECUTE format('INSERT INTO priced SELECT ''purchase'', 1, ''c'', unnest($1)::%s', type) USING list;
        RETURN QUERY SELECT s.average_price::text, s.max_price::text, s.min_price::text, s.interactions, p.revenue::text
            FROM price_sensitivity('priced') s, popular_categories('priced') p;
    END LOOP;
END $$;
SET client_min_messages = warning;

SELECT * FROM prices('numeric', '1.005', '-1.005', '0.0000001');
SELECT * FROM prices('numeric', '99999999999999999999999999999999999999.99', '0.01', 'NaN', 'Infinity', '-Infinity', NULL);
SELECT * FROM prices('numeric', '1e-300', '2', '3.14159265358979323846');
SELECT * FROM prices('numeric(10,2)', '99999999.99', '-99999999.99', '0.01', 'NaN');
SELECT * FROM prices('numeric(18,0)', '999999999999999999', '999999999999999999', '-1');
SELECT * FROM prices('numeric(38,2)', '999999999999999999999999999999999999.99', '999999999999999999999999999999999999.98');
SELECT * FROM prices('float8', '0.1', '0.2', '1e300', '-1e300', '5e-324', 'NaN', 'inf', '-inf');
SELECT * FROM prices('float8', '123456789012.34', '123456789012345.67', '33.2', '-0');
SELECT * FROM prices('float4', '0.1', '33.2', '9999.99', '123456.78', '1e38', 'nan', 'infinity');
SELECT * FROM prices('bigint', '9223372036854775807', '9223372036854775807', '-9223372036854775808', NULL);
SELECT * FROM prices('int', '2147483647', '2147483647', '-1');
SELECT * FROM prices('float8', 'NaN', NULL);

-- averages are rounded once, half away from zero, and sorted unrounded
SELECT * FROM prices('numeric(10,7)', '0.0000005');
SELECT * FROM prices('numeric(10,7)', '-0.0000005');
SELECT * FROM prices('numeric(10,7)', '0.0000004', '0.0000005');
SELECT * FROM prices('numeric', '0.00000049999999999999999999999999');
CREATE TABLE close AS SELECT c AS category_code, p AS price FROM (VALUES
    ('c', 0.0000001), ('b', 0.0000002), ('a', 0.0000003), ('d', 0.0000003), (NULL, 0.0000003), ('z', NULL), ('y', 'NaN')) v (c, p);
SELECT * FROM price_sensitivity('close');

-- refused types, with a way out
CREATE TABLE refused (event_time time, event_type int, product_id float8, category_id numeric, category_code char(4), brand name,
    price money, user_id text, user_session bigint);
\set VERBOSITY default
SELECT * FROM top_user_categories('refused');
SELECT * FROM popular_categories('refused');
SELECT * FROM popular_categories('refused', by => 'code');
SELECT * FROM price_sensitivity('refused');
SELECT * FROM price_sensitivity('refused', complete_only => true);
ALTER TABLE refused ALTER category_code TYPE text, ALTER price TYPE text;
SELECT * FROM price_sensitivity('refused');
ALTER TABLE refused ALTER price TYPE numeric USING NULL;
SELECT * FROM price_sensitivity('refused');
SELECT * FROM price_sensitivity('refused', since => '2019-01-01');
SELECT * FROM price_sensitivity('refused', event_types => '{view}');
SELECT * FROM top_user_categories('refused');
ALTER TABLE refused ALTER user_id TYPE numeric(18,2) USING NULL;
SELECT * FROM top_user_categories('refused');
ALTER TABLE refused ALTER user_id TYPE numeric(19,0);
SELECT * FROM top_user_categories('refused');
ALTER TABLE refused ALTER user_id TYPE numeric(18,0);
INSERT INTO refused (user_id) VALUES ('NaN');
SELECT * FROM top_user_categories('refused');
CREATE VIEW cast_events AS SELECT category_code, CASE WHEN user_id <> 'NaN' THEN user_id END::bigint AS user_id FROM refused;
SELECT * FROM top_user_categories('cast_events');

-- missing columns
CREATE TABLE missing (event_time timestamptz, price numeric(10,2));
SELECT * FROM price_sensitivity('missing');
SELECT * FROM top_user_categories('missing');
ALTER TABLE missing ADD category_code text;
SELECT * FROM price_sensitivity('missing');
SELECT * FROM price_sensitivity('missing', event_types => '{view}');
SELECT * FROM price_sensitivity('missing', complete_only => true);
ALTER TABLE missing DROP price;
SELECT * FROM price_sensitivity('missing');

-- what isn't an events relation at all
CREATE INDEX missing_index ON missing (event_time);
CREATE SEQUENCE counter;
SELECT * FROM price_sensitivity('missing_index');
SELECT * FROM price_sensitivity('counter');
SELECT * FROM price_sensitivity(NULL);
SELECT * FROM price_sensitivity(4294967295);

\set VERBOSITY terse
DROP SCHEMA insight_types CASCADE;
