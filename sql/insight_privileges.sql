--
-- The caller's own privileges and row security decide, as in the caller's SELECT.
--
CREATE SCHEMA insight_privileges;
SET search_path = insight_privileges, ecinsight, public;
CREATE ROLE insight_reader;
CREATE ROLE insight_owner;
GRANT USAGE, CREATE ON SCHEMA insight_privileges TO insight_owner;
GRANT USAGE ON SCHEMA insight_privileges TO insight_reader;

SET ROLE insight_owner;
SELECT create_events_table('insight_privileges.columnar');
CREATE TABLE heap (LIKE columnar);
INSERT INTO heap SELECT '2019-10-01', 'view', 1, 1, 'code' || i % 3, 'brand', i, i, 's' FROM generate_series(1, 30) i;
INSERT INTO columnar SELECT * FROM heap;
CREATE VIEW of_columnar AS SELECT * FROM columnar;
CREATE VIEW of_function AS SELECT * FROM top_user_categories('columnar', 2);

-- no SELECT, no rows; a view over a function lends no rights
SET ROLE insight_reader;
SELECT * FROM top_user_categories('heap', 1);
SELECT * FROM top_user_categories('columnar', 1);
SELECT * FROM top_user_categories('columnar', 1, since => '2019-10-02', until => '2019-10-01');
SELECT * FROM top_user_categories('of_columnar', 1);
SET ROLE insight_owner;
GRANT SELECT ON of_function TO insight_reader;
SET ROLE insight_reader;
SELECT * FROM of_function;

-- SELECT on the columns that are read is enough
SET ROLE insight_owner;
GRANT SELECT (user_id, category_code) ON heap, columnar TO insight_reader;
SET ROLE insight_reader;
SELECT * FROM top_user_categories('heap', 1);
SELECT * FROM top_user_categories('columnar', 1);
SELECT * FROM of_function;
SELECT * FROM top_user_category_brands('heap', 1);
SELECT * FROM top_user_category_brands('columnar', 1);
SELECT * FROM top_user_categories('columnar', 1, complete_only => true);
SELECT * FROM top_user_categories('heap', 1, since => '2019-01-01');
SELECT * FROM top_user_categories('columnar', 1, since => '2019-01-01');
SELECT * FROM top_user_categories('columnar', 1, event_types => '{view}');

-- a view shows what its owner may read
SET ROLE insight_owner;
REVOKE SELECT ON heap, columnar FROM insight_reader;
REVOKE SELECT (user_id, category_code) ON heap, columnar FROM insight_reader;
GRANT SELECT ON of_columnar TO insight_reader;
SET ROLE insight_reader;
SELECT * FROM top_user_category_brands('of_columnar', 1);
SELECT * FROM top_user_category_brands('columnar', 1);

-- through functions: the definer's rights
SET ROLE insight_owner;
CREATE FUNCTION lent() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT user_id FROM ecinsight.top_user_categories('insight_privileges.columnar', 1) $$;
SET ROLE insight_reader;
SELECT lent();

-- row security
SET ROLE insight_owner;
GRANT SELECT ON heap, columnar TO insight_reader;
ALTER TABLE heap ENABLE ROW LEVEL SECURITY;
ALTER TABLE columnar ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON heap FOR SELECT TO insight_reader USING (user_id > 10 AND category_code <> 'code0');
CREATE POLICY visible ON columnar FOR SELECT TO insight_reader USING (user_id > 10 AND category_code <> 'code0');
SELECT sum(interaction_count), count(*) FROM popular_categories('columnar');
SET ROLE insight_reader;
SELECT sum(interaction_count), count(*) FROM popular_categories('heap');
SELECT sum(interaction_count), count(*) FROM popular_categories('columnar');
SELECT * FROM top_user_categories('columnar', 1);
SET row_security = off;
SELECT sum(interaction_count), count(*) FROM popular_categories('heap');
SELECT sum(interaction_count), count(*) FROM popular_categories('columnar');
RESET row_security;
-- for its owner only when forced
SET ROLE insight_owner;
SELECT sum(interaction_count), count(*) FROM popular_categories('columnar');
ALTER TABLE columnar FORCE ROW LEVEL SECURITY;
SELECT sum(interaction_count), count(*) FROM popular_categories('columnar');
-- never for who bypasses it
RESET ROLE;
SELECT sum(interaction_count), count(*) FROM popular_categories('columnar');

-- of a partitioned table only its own privileges and policies count
CREATE TABLE parts (LIKE heap) PARTITION BY RANGE (user_id);
CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (20) USING ecinsight_columnar;
CREATE TABLE high PARTITION OF parts FOR VALUES FROM (20) TO (100) USING ecinsight_columnar;
INSERT INTO parts SELECT * FROM heap;
ALTER TABLE low ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON high TO insight_reader;
SET ROLE insight_reader;
SELECT sum(interaction_count), count(*) FROM popular_categories('parts');
SELECT sum(interaction_count), count(*) FROM popular_categories('high');
RESET ROLE;
REVOKE SELECT ON high FROM insight_reader;
GRANT SELECT ON parts TO insight_reader;
SET ROLE insight_reader;
SELECT sum(interaction_count), count(*) FROM popular_categories('parts');
SELECT sum(interaction_count), count(*) FROM popular_categories('high');
RESET ROLE;
ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON parts FOR SELECT TO insight_reader USING (user_id > 10);
SET ROLE insight_reader;
SELECT sum(interaction_count), count(*) FROM popular_categories('parts');
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA insight_privileges CASCADE;
DROP ROLE insight_reader, insight_owner;
