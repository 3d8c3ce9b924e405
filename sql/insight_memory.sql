--
-- More pairs of user and category than work_mem holds: counted in temporary files.
--
CREATE SCHEMA insight_memory;
SET search_path = insight_memory, ecinsight, public;

-- 150,000 pairs, rows of a pair far apart, some users NULL, a few pairs heavy
CREATE TABLE events USING ecinsight_columnar AS
SELECT CASE WHEN i % 15000 <> 0 THEN i % 15000 END AS user_id, 'code' || i % 150000 / 15000 AS category_code, 'brand' || i % 2 AS brand
FROM generate_series(1, 400000) i
UNION ALL SELECT 7, 'code' || i % 3, NULL FROM generate_series(1, 3000) i;

CREATE TABLE top_categories AS
SELECT row_number() OVER (ORDER BY n DESC, user_id, category_code COLLATE "C") AS rank, user_id::bigint, category_code, n FROM (SELECT user_id, category_code, count(*) AS n FROM events GROUP BY 1, 2) s;
CREATE TABLE top_brands AS
SELECT row_number() OVER (ORDER BY n DESC, user_id, category_code COLLATE "C", brand COLLATE "C") AS rank, user_id::bigint, category_code, brand, n FROM (SELECT user_id, category_code, brand, count(*) AS n FROM events GROUP BY 1, 2, 3) s;
SELECT count(*) FROM top_categories;
SELECT count(*) FROM top_brands;
ANALYZE top_categories, top_brands;

-- rows that a call got wrong or missed
CREATE FUNCTION wrong() RETURNS TABLE (categories bigint, brands bigint) LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM insight_memory.top_categories f FULL JOIN ecinsight.top_user_categories('insight_memory.events', NULL) g USING (rank) WHERE f IS DISTINCT FROM g),
           (SELECT count(*) FROM insight_memory.top_brands f FULL JOIN ecinsight.top_user_category_brands('insight_memory.events', NULL) g USING (rank) WHERE f IS DISTINCT FROM g)
$$;
-- does a call write temporary files?
CREATE FUNCTION writes(call text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT FROM ' || call INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Temp Written Blocks')::bigint > 0;
END $$;

SET hash_mem_multiplier = 1;
SET work_mem = '64kB';
SELECT writes('top_user_categories(''events'')') AS categories, writes('top_user_category_brands(''events'')') AS brands;
SELECT * FROM wrong();
SELECT * FROM top_user_categories('events', 5);
SET work_mem = '32MB';
SELECT writes('top_user_categories(''events'')') AS categories, writes('top_user_category_brands(''events'')') AS brands;
SELECT * FROM wrong();
SELECT * FROM top_user_categories('events', 5);

SET client_min_messages = warning;
DROP SCHEMA insight_memory CASCADE;
