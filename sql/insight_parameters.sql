--
-- Common parameters: bounds and their defaults, types, k, and what is refused.
--
CREATE SCHEMA insight_parameters;
SET search_path = insight_parameters, ecinsight, public;
SET TimeZone = 'UTC';

CREATE TABLE events (event_time timestamptz, event_type text, category_id bigint, category_code text, price numeric(10,2), user_id bigint);
INSERT INTO events VALUES
    ('-infinity', 'view', 1, 'first', 1, 1), ('2019-10-01', 'view', 1, 'a', 1, 1), ('2019-10-02', 'cart', 1, 'b', 1, 1),
    ('2019-10-03', 'purchase', 1, 'c', 1, 1), ('infinity', 'view', 1, 'last', 1, 1), (NULL, NULL, 1, 'never', 1, 1);

CREATE FUNCTION codes(VARIADIC bounds text[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(category_code, ' ' ORDER BY rank)
    FROM ecinsight.popular_categories('events', NULL, since => bounds[1]::timestamptz, until => bounds[2]::timestamptz)
$$;

-- half-open; NULL and the infinities that bound nothing leave a side open
SELECT codes(NULL, NULL), codes('-infinity', 'infinity'), codes('-infinity', NULL), codes(NULL, 'infinity');
SELECT codes('2019-10-01', '2019-10-03'), codes('2019-10-01 00:00:00.000001', '2019-10-03 00:00:00.000001'), codes('2019-10-02', NULL), codes(NULL, '2019-10-02');
SELECT codes('infinity', NULL), codes(NULL, '-infinity'), codes('2019-10-02', '2019-10-02'), codes('2019-10-03', '2019-10-01'), codes('infinity', 'infinity');

-- defaults from the parameters of configuration, one by one, and how to be free of them
SET ecinsight.since = '2019-10-02';
SELECT codes(NULL, NULL), codes('2019-10-01', NULL), codes('-infinity', NULL), codes(NULL, '2019-10-03');
SET ecinsight.until = '2019-10-03';
SELECT codes(NULL, NULL), codes('-infinity', NULL), codes(NULL, 'infinity'), codes('-infinity', 'infinity'), codes('2019-10-03', NULL);
SET ecinsight.since = '-infinity';
SET ecinsight.until = 'infinity';
SELECT codes(NULL, NULL);
SET ecinsight.since = 'infinity';
SELECT codes(NULL, NULL);
SET TimeZone = 'America/New_York';
SET ecinsight.since = '2019-10-02 00:00:00';
SELECT codes(NULL, NULL);
SET ecinsight.since = 'yesterday, perhaps';
RESET ecinsight.since;
RESET ecinsight.until;
SELECT codes(NULL, NULL);

-- columns without time zone are UTC, whatever TimeZone is
CREATE TABLE local_events AS SELECT event_time AT TIME ZONE 'UTC' AS event_time, event_type, category_id, category_code, price, user_id FROM events;
CREATE TABLE date_events AS SELECT event_time::date AS event_time, event_type, category_id, category_code, price, user_id FROM local_events;
INSERT INTO date_events VALUES ('5874897-12-31', 'view', 1, 'far', 1, 1), ('4714-11-24 BC', 'view', 1, 'ago', 1, 1);
CREATE TABLE date_events_columnar USING ecinsight_columnar AS SELECT * FROM date_events;
CREATE TABLE local_events_columnar USING ecinsight_columnar AS SELECT * FROM local_events;
SET TimeZone = 'UTC';
SELECT relation, since, until, (SELECT string_agg(category_code, ' ' ORDER BY rank) FROM popular_categories(relation, NULL, since => s.since, until => s.until))
FROM (VALUES ('local_events'::regclass), ('local_events_columnar'), ('date_events'), ('date_events_columnar')) r (relation),
     (VALUES (timestamptz '2019-10-02 00:00:00+00', timestamptz '2019-10-03 00:00:00+00'), ('2019-10-01 23:00:00+00', '2019-10-02 00:00:00.000001+00'),
      ('2019-10-02 00:00:00.000001+00', NULL), (NULL, '2019-10-02 00:00:00+00'), ('1969-12-31 23:00:00+00', '1970-01-01 00:00:00+00'),
      ('infinity', NULL), (NULL, '-infinity'), ('294276-12-31 23:59:59.999999+00', NULL), (NULL, '4713-01-01 00:00:00+00 BC')) s (since, until);

-- types
SELECT category_code FROM popular_categories('events', event_types => '{view,purchase}');
SELECT category_code FROM popular_categories('events', event_types => '{{view,cart},{purchase,NULL}}');
SELECT category_code FROM popular_categories('events', event_types => '{VIEW,NULL}');
SELECT category_code FROM popular_categories('events', event_types => '{}');
-- with an explicit NULL, complete_only is false
SELECT count(*) FROM popular_categories('events', complete_only => NULL);

-- k
SELECT count(*) FROM top_user_categories('events', 1);
SELECT count(*) FROM top_user_categories('events', 2147483647);
\set VERBOSITY sqlstate
SELECT * FROM top_user_categories('events', 0);
SELECT * FROM top_user_category_brands('events', -1);
SELECT * FROM popular_categories('events', k => 0);
SELECT * FROM price_sensitivity('events', k => 0);
\set VERBOSITY default
SELECT * FROM popular_categories('events', by => 'brand');
SELECT * FROM popular_categories('events', by => NULL);
SELECT * FROM popular_categories('events', by => 'ID');

-- in a join, a subquery, a LATERAL call and a cursor
SELECT e.k, count(*) FROM generate_series(1, 3) e (k), LATERAL top_user_categories('events', e.k) t GROUP BY 1 ORDER BY 1;
SELECT (SELECT sum(interactions) FROM top_user_categories('events', NULL)) AS interactions;
SELECT top_user_categories('events', 1);
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT rank, category_code FROM top_user_categories('events');
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
ROLLBACK;

-- the planner knows k
CREATE FUNCTION estimated(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
SELECT estimated('SELECT * FROM top_user_categories(''events'')') AS "10", estimated('SELECT * FROM popular_categories(''events'')') AS "20",
       estimated('SELECT * FROM top_user_categories(''events'', k => 77)') AS "77", estimated('SELECT * FROM price_sensitivity(''events'', k => NULL)') AS "1000",
       estimated('SELECT * FROM top_user_category_brands(''events'', k => 0)') AS "1",
       estimated('SELECT * FROM (VALUES (1)) v (k), LATERAL popular_categories(''events'', (random() * k)::int)') AS "20";

-- its caller's snapshot, not the present
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM top_user_categories('events', NULL);
COMMIT;
WITH added AS (INSERT INTO events SELECT * FROM events RETURNING 1)
SELECT (SELECT count(*) FROM added) AS added, (SELECT sum(interactions) FROM top_user_categories('events', NULL)) AS seen;
SELECT sum(interactions) FROM top_user_categories('events', NULL);
CREATE TABLE columnar_events USING ecinsight_columnar AS SELECT * FROM events;
WITH added AS (INSERT INTO columnar_events SELECT * FROM events RETURNING 1)
SELECT (SELECT count(*) FROM added) AS added, (SELECT sum(interactions) FROM top_user_categories('columnar_events', NULL)) AS seen;
BEGIN;
DECLARE early CURSOR FOR SELECT sum(interactions) FROM top_user_categories('columnar_events', NULL);
INSERT INTO columnar_events SELECT * FROM events;
FETCH early;
SELECT sum(interactions) FROM top_user_categories('columnar_events', NULL);
ROLLBACK;
SELECT sum(interactions) FROM top_user_categories('columnar_events', NULL);

\set VERBOSITY terse
DROP SCHEMA insight_parameters CASCADE;
